//! From the text of rule files to a [`RuleSet`].

use std::cmp::Reverse;
use std::fmt;
use std::sync::Arc;

use super::apps::{Apps, CustomApp};
use super::condition::{Condition, HostPattern, Place};
use super::ends::{EndsTable, longest, narrowest};
use super::grammar::{self, Declared, Line, ListKind, Listed};
use super::index::{Groups, MOST, TooMany};
use super::lists::{AddressList, DomainList, FingerprintList, Left, List, Listing, Text};
use super::names::{Hosts, host_of};
use super::needles::{Payloads, SHAPES, Urls, bytes_of, url_of};
use super::text::{Problem, Wrong, lines, words};
use super::{Kind, Origin, Rule, RuleSet, protos};
use crate::app::AppId;

/// Rules of a set at most.
pub const MOST_RULES: usize = 1 << 20;
/// Lists of a set at most.
pub const MOST_LISTS: usize = 64;
/// Problems that are kept; those beyond are counted.
const MOST_PROBLEMS: usize = 100;
/// Bytes of a line that are kept to explain a match.
const SHOWN_BYTES: usize = 240;

/// Reads rule files and makes a [`RuleSet`] of them.
///
/// The files' text is given by the caller, and so is that of the lists that the rules ask for:
/// nothing is opened here. Precedence is by content, and between equals by the order of reading.
#[derive(Debug, Default)]
pub struct Compiler {
    apps: Apps,
    drafts: Vec<Draft>,
    lists: Vec<Listing>,
    wanted: Vec<Wanted>,
    origins: Vec<Origin>,
    errors: Problems,
    warnings: Problems,
}

/// A rule that was read.
#[derive(Debug)]
struct Draft {
    conditions: Vec<Condition>,
    app: AppId,
    origin: u32,
}

/// A list that a rule file asks for.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Wanted {
    /// By which [`Compiler::supply`] knows it.
    pub number: usize,
    /// What it holds.
    pub kind: ListKind,
    /// The file's name as written: it is up to the caller from where a relative one counts.
    pub file: String,
    /// The rule file that asks for it.
    pub asked_by: Arc<str>,
    /// And the line there.
    pub line: u32,
}

#[derive(Debug, Default)]
struct Problems {
    kept: Vec<Problem>,
    more: usize,
}

impl Problems {
    fn push(&mut self, problem: Problem) {
        if self.kept.len() < MOST_PROBLEMS { self.kept.push(problem) } else { self.more += 1 }
    }

    fn full(&self) -> bool {
        self.kept.len() >= MOST_PROBLEMS
    }

    fn into_vec(mut self) -> Vec<Problem> {
        if let (more @ 1.., Some(last)) = (self.more, self.kept.last()) {
            let wrong = format!("and {more} more problems");
            let file = Arc::clone(&last.file);
            self.kept.push(Problem { file, line: 0, column: 0, wrong, expected: String::new() });
        }
        self.kept
    }
}

impl Compiler {
    /// Without rules.
    pub fn new() -> Compiler {
        Compiler::default()
    }

    /// Has applications that were declared before keep their ids, as flows may be named by them; to
    /// be called before anything is read.
    pub fn remember(&mut self, apps: &[CustomApp]) {
        self.apps.remember(apps);
    }

    /// Says that a file of rules cannot be read: an error.
    pub fn unreadable(&mut self, file: &str, why: &dyn fmt::Display) {
        let wrong = Wrong::new(0, format!("cannot be read: {why}"), "");
        self.errors.push(problem(&file.into(), 0, wrong));
    }

    /// Reads a file of Weir's own rules. What is wrong with it comes out of [`Compiler::finish`].
    pub fn read(&mut self, file: &str, text: &[u8]) {
        let file: Arc<str> = file.into();
        let before = self.errors.kept.len();
        // Applications first, so that a rule may stand before the line that declares its own.
        for declarations in [true, false] {
            for (number, line) in lines(text) {
                if self.errors.full() {
                    break;
                }
                let is_app = line.as_ref().is_ok_and(|line| declares(line));
                if is_app != declarations {
                    continue;
                }
                if let Err(wrong) = line.and_then(|line| self.read_line(&file, number, line)) {
                    self.errors.push(problem(&file, number, wrong));
                }
            }
        }
        if let Some(new) = self.errors.kept.get_mut(before..) {
            new.sort_by_key(|problem| (problem.line, problem.column));
        }
    }

    /// Reads a file in the format of nDPI's `protos.txt`. What cannot be read is a warning.
    pub fn read_protos(&mut self, file: &str, text: &[u8]) {
        let file: Arc<str> = file.into();
        for (number, line) in lines(text) {
            let read = line.map(|line| (line, protos::read(line)));
            let (line, read) = match read {
                Ok((line, Some(read))) => (line, read),
                Ok((_, None)) => continue,
                Err(wrong) => {
                    self.warnings.push(problem(&file, number, wrong));
                    continue;
                }
            };
            for wrong in read.left_out {
                self.warnings.push(problem(&file, number, wrong));
            }
            let added =
                read.app.and_then(|app| self.add_protos(&file, number, line, &app, read.rules));
            if let Err(wrong) = added {
                self.warnings.push(problem(&file, number, wrong));
            }
        }
    }

    /// The lists that are asked for, which [`Compiler::supply`] or [`Compiler::refuse`] is to be
    /// called for.
    pub fn wanted(&self) -> &[Wanted] {
        &self.wanted
    }

    /// Gives the text of a list that is wanted.
    pub fn supply(&mut self, number: usize, text: Text) {
        let (Some(listing), Some(wanted)) = (self.lists.get_mut(number), self.wanted.get(number))
        else {
            return;
        };
        let (list, left) = match wanted.kind {
            ListKind::Domains => {
                let list = DomainList::new(text);
                let left = list.left();
                (List::Domains(list), left)
            }
            ListKind::Addresses => {
                let list = AddressList::new((*text).as_ref());
                let left = list.left();
                (List::Addresses(list), left)
            }
            ListKind::Fingerprints => {
                let list = FingerprintList::new((*text).as_ref());
                let left = list.left();
                (List::Fingerprints(list), left)
            }
        };
        if list.is_empty() {
            let wrong = Wrong::new(0, format!("list {} is empty", listing.name), "");
            self.warnings.push(problem(&wanted.asked_by, wanted.line, wrong));
        }
        listing.list = Some(list);
        let Left { lines, first, lost } = left;
        let file: Arc<str> = wanted.file.as_str().into();
        if lines > 0 {
            let wrong = format!("{lines} lines are left out as unknown, this one first");
            let expected = match wanted.kind {
                ListKind::Domains => "a name, a line of a hosts file, or ||name^",
                ListKind::Addresses => "an address or a network",
                ListKind::Fingerprints => "JA4, SHA-256 or SHA-1",
            };
            self.warnings.push(problem(&file, first, Wrong::new(0, wrong, expected)));
        }
        if lost > 0 {
            let wrong = format!("{lost} names have found no place and are left out");
            self.warnings.push(problem(&file, 0, Wrong::new(0, wrong, "")));
        }
    }

    /// Says why a list that is wanted cannot be given: an error.
    pub fn refuse(&mut self, number: usize, why: &dyn fmt::Display) {
        let (Some(listing), Some(wanted)) = (self.lists.get_mut(number), self.wanted.get(number))
        else {
            return;
        };
        listing.refused = true;
        let wrong = format!("\"{}\" cannot be read: {why}", wanted.file);
        self.errors.push(problem(&wanted.asked_by, wanted.line, Wrong::new(0, wrong, "")));
    }

    /// The rules and the warnings; or, if there is any error, the errors.
    ///
    /// # Errors
    ///
    /// Lines that could not be read, too many of something, or lists that were not given.
    pub fn finish(mut self) -> Result<(RuleSet, Vec<Problem>), Vec<Problem>> {
        for (listing, wanted) in self.lists.iter().zip(&self.wanted) {
            if listing.list.is_none() && !listing.refused {
                let wrong = format!("\"{}\" was not read", wanted.file);
                self.errors.push(problem(&wanted.asked_by, wanted.line, Wrong::new(0, wrong, "")));
            }
        }
        if !self.errors.kept.is_empty() {
            return Err(self.errors.into_vec());
        }
        let rules = ranked(self.drafts);
        let origins = self.origins.into_boxed_slice();
        self.apps.custom.sort_by_key(|app| app.id);
        let mut set = RuleSet {
            rules,
            origins,
            apps: self.apps.custom.into(),
            lists: self.lists.into(),
            ..RuleSet::default()
        };
        match index(&mut set) {
            Ok(()) => Ok((set, self.warnings.into_vec())),
            Err((number, wrong)) => {
                let about = set.describe(number);
                let place = about.map_or(("".into(), 0), |about| (about.file.into(), about.line));
                Err(vec![problem(&place.0, place.1, wrong)])
            }
        }
    }

    fn read_line(&mut self, file: &Arc<str>, number: u32, line: &str) -> Result<(), Wrong> {
        let words = words(line)?;
        if words.is_empty() {
            return Ok(());
        }
        match grammar::read(&words)? {
            Line::App(app) => self.apps.declare(&app).map(|_| ()),
            Line::List(list) => self.add_list(file, number, list),
            Line::Rule { conditions, app } => {
                let app = self.apps.of_rule(&app)?;
                let origin = self.origin(file, number, line);
                self.add(Draft { conditions, app, origin })
            }
        }
    }

    fn add_protos(
        &mut self,
        file: &Arc<str>,
        number: u32,
        line: &str,
        app: &Declared,
        rules: Vec<Vec<Condition>>,
    ) -> Result<(), Wrong> {
        if rules.is_empty() {
            return Ok(());
        }
        let app = self.apps.find_or_add(app)?;
        let origin = self.origin(file, number, line);
        let mut drafts = rules.into_iter().map(|conditions| Draft { conditions, app, origin });
        drafts.try_for_each(|draft| self.add(draft))
    }

    fn add(&mut self, draft: Draft) -> Result<(), Wrong> {
        if self.drafts.len() == MOST_RULES {
            return Err(Wrong::new(0, "too many rules", format!("at most {MOST_RULES}")));
        }
        self.drafts.push(draft);
        Ok(())
    }

    fn add_list(&mut self, file: &Arc<str>, line: u32, list: Listed) -> Result<(), Wrong> {
        if self.lists.iter().any(|other| *other.name == *list.name) {
            let wrong = format!("a second list with the name {}", list.name);
            return Err(Wrong::new(list.column, wrong, "another name"));
        }
        let number = self.lists.len();
        if number == MOST_LISTS {
            return Err(Wrong::new(list.column, "too many lists", format!("at most {MOST_LISTS}")));
        }
        let asked_by = Arc::clone(file);
        self.wanted.push(Wanted { number, kind: list.kind, file: list.file, asked_by, line });
        self.lists.push(Listing {
            name: list.name.into(),
            risk: list.risk,
            category: list.category,
            list: None,
            refused: false,
        });
        Ok(())
    }

    fn origin(&mut self, file: &Arc<str>, line: u32, text: &str) -> u32 {
        let text = text.trim();
        let mut end = text.len().min(SHOWN_BYTES);
        while !text.is_char_boundary(end) {
            end -= 1;
        }
        let text = text.get(..end).unwrap_or_default().into();
        self.origins.push(Origin { file: Arc::clone(file), line, text });
        u32::try_from(self.origins.len() - 1).unwrap_or(u32::MAX)
    }
}

fn declares(line: &str) -> bool {
    line.split([' ', '\t']).find(|word| !word.is_empty()) == Some("app")
}

fn problem(file: &Arc<str>, line: u32, wrong: Wrong) -> Problem {
    let Wrong { column, what, expected } = wrong;
    Problem { file: Arc::clone(file), line, column, wrong: what, expected }
}

/// The rules in the order of precedence, so that of two that fit the lower number wins.
fn ranked(drafts: Vec<Draft>) -> Box<[Rule]> {
    let mut rules: Vec<Rule> = drafts
        .into_iter()
        .map(|Draft { mut conditions, app, origin }| {
            // What costs most is asked last.
            conditions.sort_by_key(|condition| match condition {
                Condition::Port { .. } | Condition::Prefix { .. } => 0,
                Condition::Bytes(bytes) if matches!(bytes.place, Place::Within(_)) => 2,
                _ => 1,
            });
            Rule { app, origin, kind: kind_of(&conditions), conditions: conditions.into() }
        })
        .collect();
    // Stable: equals stay in the order in which they were read.
    rules.sort_by_cached_key(|rule| (rule.kind, Reverse(weight(rule)), width(rule)));
    rules.into()
}

fn kind_of(conditions: &[Condition]) -> Kind {
    let kinds = conditions.iter().map(|condition| match condition {
        Condition::Url(_) => Kind::Url,
        Condition::Ja4(_) => Kind::Ja4,
        Condition::Host { .. } => Kind::Host,
        Condition::Bytes(_) => Kind::Bytes,
        Condition::Port { .. } | Condition::Prefix { .. } => Kind::Ends,
    });
    kinds.min().unwrap_or(Kind::Ends)
}

/// How specific a rule is among those of its kind: what counts first, second, and the number of
/// its conditions.
fn weight(rule: &Rule) -> (u32, u32, usize) {
    let conditions = &*rule.conditions;
    let host = host_of(conditions);
    let host_weight = host.map_or(0, HostPattern::weight);
    let (first, second) = match rule.kind {
        Kind::Url => {
            (url_of(conditions).map_or(0, super::condition::UrlPattern::weight), host_weight)
        }
        Kind::Ja4 => (0, host_weight),
        Kind::Host => {
            let suffix = host.map_or(0, |host| host.suffix().len());
            (u32::try_from(suffix).unwrap_or(u32::MAX), host_weight)
        }
        Kind::Bytes => {
            let lengths = conditions.iter().map(|condition| match condition {
                Condition::Bytes(bytes) => bytes.value.len(),
                _ => 0,
            });
            let fixed =
                bytes_of(conditions).is_some_and(|bytes| matches!(bytes.place, Place::Offset(_)));
            (u32::try_from(lengths.sum::<usize>()).unwrap_or(u32::MAX), u32::from(fixed))
        }
        Kind::Ends => (longest(conditions).map_or(0, |prefix| u32::from(prefix.bits) + 1), 0),
    };
    (first, second, conditions.len())
}

/// Ports of the narrowest range.
fn width(rule: &Rule) -> u32 {
    narrowest(&rule.conditions)
        .map_or(1 << 16, |(_, first, last)| u32::from(last.saturating_sub(first)))
}

fn index(set: &mut RuleSet) -> Result<(), (u32, Wrong)> {
    let of = |kind: Kind| -> Vec<u32> {
        let numbered = (0..).zip(&set.rules).filter(|(_, rule)| rule.kind == kind);
        numbered.map(|(number, _)| number).collect()
    };
    let too_many = |what: &'static str| {
        move |TooMany(number): TooMany<u32>| {
            (number, Wrong::new(0, format!("too many rules {what}"), format!("at most {MOST}")))
        }
    };
    set.ends = EndsTable::new(&set.rules, &of(Kind::Ends))
        .map_err(too_many("with the same prefix or port"))?;
    set.hosts =
        Hosts::new(&set.rules, &of(Kind::Host)).map_err(too_many("with the same host name"))?;
    set.urls = Urls::new(&set.rules, &of(Kind::Url))
        .map_err(too_many("with much the same path, or with less than 3 bytes in a row"))?;
    debug_assert_eq!(SHAPES, MOST);
    set.payloads = Payloads::new(&set.rules, &of(Kind::Bytes))
        .map_err(too_many("with the same bytes, or offsets of bytes"))?;
    let rows = of(Kind::Ja4).into_iter().filter_map(|number| {
        let conditions = &set.rules.get(number as usize)?.conditions;
        let ja4 = conditions.iter().find_map(|condition| match condition {
            Condition::Ja4(ja4) => Some(*ja4),
            _ => None,
        });
        Some((ja4?, number))
    });
    set.ja4s = Groups::new(rows.collect()).map_err(too_many("with the same fingerprint"))?;
    Ok(())
}
