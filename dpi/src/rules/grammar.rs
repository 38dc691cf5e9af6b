//! Weir's own rule format: one line of words to what it says.

pub(super) mod conditions;

use super::apps::APP_BYTES;
use super::condition::Condition;
use super::text::{Word, Wrong};
use crate::app::{Breed, Category};
use crate::risk::{self, Risk};

/// What a line says.
#[derive(Debug)]
pub(super) enum Line {
    App(Declared),
    Rule { conditions: Vec<Condition>, app: Declared },
    List(Listed),
}

/// An application, and what is said of it.
#[derive(Debug)]
pub(super) struct Declared {
    pub(super) column: u32,
    pub(super) name: String,
    pub(super) category: Option<Category>,
    pub(super) breed: Option<Breed>,
}

/// A list that is wanted.
#[derive(Debug)]
pub(super) struct Listed {
    pub(super) column: u32,
    pub(super) name: String,
    pub(super) kind: ListKind,
    pub(super) file: String,
    pub(super) risk: Option<Risk>,
    pub(super) category: Option<Category>,
}

/// What a list holds.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum ListKind {
    /// Host names; each stands for itself and all below it.
    Domains,
    /// Addresses and networks.
    Addresses,
    /// JA4 fingerprints, and SHA-256 or SHA-1 hashes of certificates.
    Fingerprints,
}

/// Words yet to be read, and where the line ends.
pub(super) struct Words<'a> {
    rest: &'a [Word],
    last: u32,
}

impl<'a> Words<'a> {
    pub(super) fn new(words: &'a [Word]) -> Words<'a> {
        Words { rest: words, last: 1 }
    }

    pub(super) fn peek(&self) -> Option<&'a Word> {
        self.rest.first()
    }

    fn take(&mut self) -> Option<&'a Word> {
        let (word, rest) = self.rest.split_first()?;
        self.rest = rest;
        let length = String::from_utf8_lossy(&word.bytes).chars().count();
        self.last = word.column.saturating_add(u32::try_from(length).unwrap_or(u32::MAX));
        Some(word)
    }

    fn take_if(&mut self, word: &str) -> bool {
        let there = self.peek().is_some_and(|next| next.is(word));
        if there {
            self.take();
        }
        there
    }

    /// The next word, or that it is missing.
    fn need(&mut self, expected: &str) -> Result<&'a Word, Wrong> {
        let column = self.last;
        self.take().ok_or_else(|| Wrong::new(column, "the line ends here", expected))
    }

    /// Whether there are no more.
    fn end(&mut self, expected: &str) -> Result<(), Wrong> {
        match self.take() {
            Some(word) => Err(Wrong::new(word.column, format!("{} here", word.shown()), expected)),
            None => Ok(()),
        }
    }
}

/// Reads a line that is not empty.
pub(super) fn read(words: &[Word]) -> Result<Line, Wrong> {
    let mut words = Words::new(words);
    if words.take_if("app") {
        let app = app(&mut words)?;
        words.end("category, breed, or the end of the line")?;
        return Ok(Line::App(app));
    }
    if words.take_if("list") {
        return list(&mut words).map(Line::List);
    }
    let conditions = conditions::read(&mut words)?;
    let app = app(&mut words)?;
    words.end("category, breed, or the end of the line")?;
    Ok(Line::Rule { conditions, app })
}

fn app(words: &mut Words<'_>) -> Result<Declared, Wrong> {
    let expected = "the name of an application";
    let word = words.need(expected)?;
    let (column, name) = (word.column, String::from_utf8_lossy(&word.bytes).into_owned());
    let fits = |letter: char| letter.is_ascii_graphic() && !"\".@".contains(letter);
    let trimmed = name.trim() == name && !name.is_empty();
    if !trimmed || name.len() > APP_BYTES || !name.chars().all(|c| fits(c) || c == ' ') {
        let wrong = format!("{} is no name of an application", word.shown());
        let expected = format!(
            "1 to {APP_BYTES} letters, digits, signs and spaces, no dot, @ or quotation mark"
        );
        return Err(Wrong::new(column, wrong, expected));
    }
    if name.eq_ignore_ascii_case("unknown") {
        return Err(Wrong::new(column, "\"Unknown\" says nothing", expected));
    }
    let mut app = Declared { column, name, category: None, breed: None };
    loop {
        if app.category.is_none() && words.take_if("category") {
            app.category = Some(category(words)?);
        } else if app.breed.is_none() && words.take_if("breed") {
            app.breed = Some(breed(words)?);
        } else {
            return Ok(app);
        }
    }
}

fn category(words: &mut Words<'_>) -> Result<Category, Wrong> {
    let word = words.need("a category")?;
    let all = || (0..=u8::MAX).map_while(Category::from_u8);
    let found = all().find(|category| category.name().as_bytes().eq_ignore_ascii_case(&word.bytes));
    found.ok_or_else(|| {
        let names: Vec<_> = all().map(Category::name).collect();
        let wrong = format!("no such category, {}", word.shown());
        Wrong::new(word.column, wrong, format!("one of {}", names.join(", ")))
    })
}

fn breed(words: &mut Words<'_>) -> Result<Breed, Wrong> {
    let word = words.need("a breed")?;
    let found =
        Breed::ALL.iter().find(|breed| breed.name().as_bytes().eq_ignore_ascii_case(&word.bytes));
    found.copied().ok_or_else(|| {
        let names: Vec<_> = Breed::ALL.iter().map(|breed| breed.name()).collect();
        let wrong = format!("no such breed, {}", word.shown());
        Wrong::new(word.column, wrong, format!("one of {}", names.join(", ")))
    })
}

fn list(words: &mut Words<'_>) -> Result<Listed, Wrong> {
    let word = words.need("a name for the list")?;
    let (column, name) = (word.column, String::from_utf8_lossy(&word.bytes).into_owned());
    let fits = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_';
    if name.is_empty() || name.len() > APP_BYTES || !name.bytes().all(fits) {
        let wrong = format!("{} is no name of a list", word.shown());
        let expected = format!("1 to {APP_BYTES} letters, digits, - and _");
        return Err(Wrong::new(column, wrong, expected));
    }
    let kinds = "domains, addresses or fingerprints";
    let word = words.need(kinds)?;
    let (kind, usual) = match word.bytes.as_slice() {
        b"domains" => (ListKind::Domains, Risk::ListedHost),
        b"addresses" => (ListKind::Addresses, Risk::ListedAddress),
        b"fingerprints" => (ListKind::Fingerprints, Risk::ListedFingerprint),
        _ => {
            let wrong = format!("no such kind of list, {}", word.shown());
            return Err(Wrong::new(word.column, wrong, kinds));
        }
    };
    let word = words.need("a file's name in quotation marks")?;
    let file = String::from_utf8_lossy(&word.bytes).into_owned();
    if !word.quoted || file.is_empty() || file.contains('\0') {
        let wrong = format!("{} here", word.shown());
        return Err(Wrong::new(word.column, wrong, "a file's name in quotation marks"));
    }
    let mut list = Listed { column, name, kind, file, risk: Some(usual), category: None };
    if words.take_if("risk") {
        list.risk = risk_of(words)?;
    }
    if words.take_if("category") {
        list.category = Some(category(words)?);
    }
    words.end("risk, category (in this order), or the end of the line")?;
    Ok(list)
}

fn risk_of(words: &mut Words<'_>) -> Result<Option<Risk>, Wrong> {
    let word = words.need("the name of a risk, or none")?;
    let name = String::from_utf8_lossy(&word.bytes);
    match risk::by_name(&name) {
        Some(risk) => Ok(Some(risk)),
        None if word.is("none") => Ok(None),
        None => {
            let wrong = format!("no such risk, {}", word.shown());
            let expected = "listed_host, listed_address, listed_fingerprint, risky_domain, \
                            another risk's name, or none";
            Err(Wrong::new(word.column, wrong, expected))
        }
    }
}
