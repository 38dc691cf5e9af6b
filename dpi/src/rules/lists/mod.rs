//! Lists of what is dangerous, or of some category, by the million.

mod addresses;
mod domains;
mod fingerprints;

use std::sync::Arc;

pub use addresses::AddressList;
pub use domains::DomainList;
pub use fingerprints::{Fingerprint, FingerprintList};

use crate::app::Category;
use crate::risk::{Risk, Risks};

/// The text of a list and who owns it: a `Vec<u8>`, or a memory map whose file nobody changes.
pub type Text = Arc<dyn AsRef<[u8]> + Send + Sync>;

/// What was left out of a list.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub struct Left {
    /// Lines that could not be read.
    pub lines: u32,
    /// The number of the first of them, from 1.
    pub first: u32,
    /// Entries that found no place in the index.
    pub lost: u32,
}

impl Left {
    /// Another line that could not be read.
    fn add(&mut self, line: u32) {
        if self.lines == 0 {
            self.first = line;
        }
        self.lines = self.lines.saturating_add(1);
    }
}

/// What lists say of a host, an address or a fingerprint.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct ListHit {
    /// The number of the first list that it is on.
    pub list: u16,
    /// The risks of all lists that it is on.
    pub risks: Risks,
    /// The category that the first list with one gives.
    pub category: Option<Category>,
}

/// A list with what it means to be on it.
#[derive(Debug)]
pub(super) struct Listing {
    pub(super) name: Box<str>,
    pub(super) risk: Option<Risk>,
    pub(super) category: Option<Category>,
    pub(super) list: Option<List>,
    pub(super) refused: bool,
}

#[derive(Debug)]
pub(super) enum List {
    Domains(DomainList),
    Addresses(AddressList),
    Fingerprints(FingerprintList),
}

impl List {
    pub(super) fn is_empty(&self) -> bool {
        match self {
            List::Domains(list) => list.is_empty(),
            List::Addresses(list) => list.is_empty(),
            List::Fingerprints(list) => list.is_empty(),
        }
    }
}

/// What `lists` say of a thing that `is_on` asks each of them for.
pub(super) fn hit(lists: &[Listing], is_on: impl Fn(&List) -> bool) -> Option<ListHit> {
    let mut hit: Option<ListHit> = None;
    for (number, listing) in (0..).zip(lists) {
        if listing.list.as_ref().is_none_or(|list| !is_on(list)) {
            continue;
        }
        let first = ListHit { list: number, risks: Risks::NONE, category: None };
        let hit = hit.get_or_insert(first);
        if let Some(risk) = listing.risk {
            hit.risks.set(risk);
        }
        hit.category = hit.category.or(listing.category);
    }
    hit
}

/// The lines of a list that say something, with their numbers: without space around, and without
/// comments, which begin with `#`, `!`, `;` or `//`, or with `#` or `;` after a space.
fn lines(text: &[u8]) -> impl Iterator<Item = (u32, &[u8])> {
    let text = text.strip_prefix(b"\xef\xbb\xbf").unwrap_or(text);
    let numbered = (1..).zip(text.split(|byte| *byte == b'\n'));
    numbered.filter_map(|(number, line)| {
        let line = line.trim_ascii();
        if line.first().is_none_or(|byte| b"#!;".contains(byte)) || line.starts_with(b"//") {
            return None;
        }
        let comment = line.windows(2).position(|pair| {
            matches!(pair, [space, sign] if space.is_ascii_whitespace() && b"#;".contains(sign))
        });
        let line = comment.and_then(|at| line.get(..at)).unwrap_or(line);
        Some((number, line.trim_ascii()))
    })
}
