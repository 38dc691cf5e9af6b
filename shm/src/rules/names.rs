//! What readers are told of the rules in force, and the names of the applications that rules
//! declare. Written by the engine's control thread.

use std::os::fd::AsFd;

use crate::error::Error;
use crate::layout::{Opened, SectionKind, halves};
use crate::packets::{load_row, store_row};
use crate::segment::{ReadMap, ReadWords, WORD, WriteWords};
use crate::writer::SegmentFd;

/// Words about the rules in force.
pub(crate) const RULES_WORDS: usize = 16;
/// Words of an application's row.
pub(crate) const APP_WORDS: usize = 8;
/// Applications that rules may declare.
pub(crate) const APPS: usize = 256;
/// The id of the first.
const FIRST_APP: u16 = 4000;
/// Bytes of a name at most.
const NAME_BYTES: usize = 32;
const IS_THERE: u64 = 1 << 32;

/// The rules in force.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct RulesRow {
    /// When they came into force, Unix nanoseconds; 0: there are none.
    pub since_ns: u64,
    /// Rules.
    pub rules: u32,
    /// Lists.
    pub lists: u32,
    /// Applications that they declare.
    pub apps: u32,
    /// Warnings when they were read.
    pub warnings: u32,
    /// Times that rules came into force, or went, since the engine's start.
    pub changes: u32,
}

/// An application that rules declared.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct AppRow {
    /// Its id, from 4000 on.
    pub id: u16,
    /// Its name.
    pub name: String,
    /// Its category, as `weir-dpi` numbers them.
    pub category: u8,
    /// Its breed, likewise.
    pub breed: u8,
    /// The rules in force declare it; else flows may still be named by it.
    pub in_force: bool,
}

/// The writing half.
#[derive(Debug)]
pub struct RulesTable {
    rules: WriteWords,
    apps: WriteWords,
}

impl RulesTable {
    pub(crate) fn new(rules: WriteWords, apps: WriteWords) -> Self {
        Self { rules, apps }
    }

    /// Says which rules are in force.
    pub fn set_rules(&mut self, row: &RulesRow) {
        let pair = |low: u32, high: u32| u64::from(low) | u64::from(high) << 32;
        let mut words = [0; RULES_WORDS];
        words[1] = row.since_ns;
        words[2] = pair(row.rules, row.lists);
        words[3] = pair(row.apps, row.warnings);
        words[4] = row.changes.into();
        store_row(&self.rules, 0, &words);
    }

    /// Writes the row of an application. Ids that there cannot be are left out.
    pub fn set_app(&mut self, row: &AppRow) {
        let Some(place) = place_of(row.id) else { return };
        let mut words = [0; APP_WORDS];
        words[1] = u64::from(row.id)
            | u64::from(row.category) << 16
            | u64::from(row.breed) << 24
            | IS_THERE
            | u64::from(row.in_force) << 33;
        let mut name = [0; NAME_BYTES];
        for (to, from) in name.iter_mut().zip(row.name.bytes()) {
            *to = from;
        }
        for (word, bytes) in words.iter_mut().skip(2).zip(name.chunks_exact(8)) {
            *word = bytes.first_chunk().map_or(0, |bytes| u64::from_le_bytes(*bytes));
        }
        store_row(&self.apps, place * APP_WORDS, &words);
    }
}

/// The words of both sections, as a reader maps them.
#[derive(Debug, Clone)]
pub(crate) struct Words {
    pub(crate) rules: ReadWords,
    pub(crate) apps: ReadWords,
}

impl Words {
    /// An engine that knows nothing of rules has none.
    pub(crate) fn of(control: &Opened) -> Option<Words> {
        Some(Words {
            rules: control.words(SectionKind::Rules, RULES_WORDS * WORD).ok()?,
            apps: control.words(SectionKind::Apps, APP_WORDS * WORD).ok()?,
        })
    }
}

/// The names of applications that rules declare, looked up where the engine keeps them: those of
/// rules that come later are there, too.
#[derive(Debug, Clone, Default)]
pub struct AppNames(Option<Words>);

impl AppNames {
    pub(crate) fn new(words: Option<Words>) -> Self {
        Self(words)
    }

    /// Those of a control segment that this very process made.
    ///
    /// # Errors
    /// The segment cannot be mapped once more.
    pub fn of(control: &SegmentFd) -> Result<Self, Error> {
        let fd = control.as_fd().try_clone_to_owned();
        let fd = fd.map_err(|error| Error::os("keeping a segment's descriptor", error))?;
        let map = ReadMap::open(&fd, "an own segment", control.bytes() as u64)?;
        Ok(Self(Words::of(&Opened::new(map, "an own segment")?)))
    }

    /// The rules in force.
    pub fn rules(&self) -> RulesRow {
        let words = self.0.as_ref().and_then(|words| load_row::<RULES_WORDS>(&words.rules, 0));
        let [_, since_ns, counts, more, changes, ..] = words.unwrap_or_default();
        let ((rules, lists), (apps, warnings)) = (halves(counts), halves(more));
        RulesRow { since_ns, rules, lists, apps, warnings, changes: halves(changes).0 }
    }

    /// The application with this id.
    pub fn get(&self, id: u16) -> Option<AppRow> {
        let place = place_of(id)?;
        let words: [u64; APP_WORDS] = load_row(&self.0.as_ref()?.apps, place * APP_WORDS)?;
        let [_, about, name @ ..] = words;
        let [low, high, category, breed, flags, ..] = about.to_le_bytes();
        if about & IS_THERE == 0 || u16::from_le_bytes([low, high]) != id {
            return None;
        }
        let bytes: Vec<u8> = name.iter().flat_map(|word| word.to_le_bytes()).collect();
        let end = bytes.iter().take(NAME_BYTES).position(|byte| *byte == 0).unwrap_or(NAME_BYTES);
        let name = String::from_utf8_lossy(bytes.get(..end)?);
        let name = name.chars().map(|c| if c.is_control() { '?' } else { c }).collect();
        Some(AppRow { id, name, category, breed, in_force: flags & 2 != 0 })
    }

    /// All applications that rules declared, ascending by id.
    pub fn all(&self) -> Vec<AppRow> {
        (FIRST_APP..).take(APPS).filter_map(|id| self.get(id)).collect()
    }

    /// The application of this name, in any case.
    pub fn find(&self, name: &str) -> Option<AppRow> {
        self.all().into_iter().find(|row| row.name.eq_ignore_ascii_case(name))
    }
}

fn place_of(id: u16) -> Option<usize> {
    let place = usize::from(id.checked_sub(FIRST_APP)?);
    (place < APPS).then_some(place)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::segment::pair;

    #[test]
    fn rows_are_read_as_written() {
        let (write_rules, rules) = pair(RULES_WORDS);
        let (write_apps, apps) = pair(APPS * APP_WORDS);
        let mut table = RulesTable::new(write_rules, write_apps);
        let names = AppNames::new(Some(Words { rules, apps }));
        assert_eq!((names.rules(), names.all()), (RulesRow::default(), vec![]));
        let row = RulesRow { since_ns: 1, rules: 2, lists: 3, apps: 4, warnings: 5, changes: 6 };
        table.set_rules(&row);
        assert_eq!(names.rules(), row);
        let name = "a name of 32 bytes, all of them.".to_owned();
        assert_eq!(name.len(), NAME_BYTES);
        let first = AppRow { id: FIRST_APP, name, category: 7, breed: 3, in_force: true };
        let last =
            AppRow { id: 4255, name: "Backup".into(), category: 1, breed: 0, in_force: false };
        for row in [&first, &last, &AppRow { id: 4256, ..last.clone() }] {
            table.set_app(row);
        }
        assert_eq!(names.all(), [first, last.clone()]);
        assert_eq!(names.find("backup"), Some(last));
        assert_eq!((names.get(0), names.get(4001), names.get(4256)), (None, None, None));
        assert_eq!(AppNames::default().all(), []);
    }
}
