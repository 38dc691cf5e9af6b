//! The table of packet readers and groups in the control segment, for people: who reads, how far
//! they are, what they missed. Written by the engine's control thread.

use super::members::NAME_BYTES;
use super::{GROUPS, READERS};
use crate::segment::{ReadWords, WriteWords};
use crate::sync::{Ordering, fence};

/// Words of a reader's row.
pub(crate) const READER_WORDS: usize = 32;
/// Words of a group's row.
pub(crate) const GROUP_ROW_WORDS: usize = 16;
const NAME: usize = 4;

/// A packet reader.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ReaderRow {
    /// Its place in the engine.
    pub place: u8,
    /// Its process, as the engine's system sees it.
    pub pid: u32,
    /// Its user.
    pub uid: u32,
    /// Its program, as it says.
    pub program: String,
    /// The number of its group; none: it reads alone.
    pub group: Option<u8>,
    /// It asked for a lease.
    pub lease: bool,
    /// When it came, Unix nanoseconds.
    pub since_ns: u64,
    /// Packets it took, as it says.
    pub delivered: u64,
    /// Packets that were gone before it came to them, as it says.
    pub missed: u64,
    /// Packets its own filters left out, as it says.
    pub filtered: u64,
    /// Packets of other members, as it says.
    pub others: u64,
    /// Packets of flows that its group wants no more of, as it says.
    pub shunted: u64,
    /// Times that it lost its lease, all shards together.
    pub demotions: u64,
    /// Frames held for it outside of the ring, all shards together.
    pub pinned: u64,
    /// Descriptors that it is behind, the shard where that is most.
    pub behind: u64,
}

/// A group of packet readers.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct GroupRow {
    /// Its number.
    pub number: u8,
    /// Its name.
    pub name: String,
    /// Members now.
    pub members: u32,
    /// Packets that members had not read when they went.
    pub left_unread: u64,
    /// Flows that it wanted no more of.
    pub shunted_flows: u64,
}

/// The writing half.
#[derive(Debug)]
pub struct ReaderTable {
    readers: WriteWords,
    groups: WriteWords,
}

impl ReaderTable {
    pub(crate) fn new(readers: WriteWords, groups: WriteWords) -> Self {
        Self { readers, groups }
    }

    /// Writes a reader's row.
    pub fn set_reader(&mut self, row: &ReaderRow) {
        let flags =
            1 | u64::from(row.lease) << 1 | row.group.map_or(0, |g| (u64::from(g) + 1) << 8);
        let mut words = [0; READER_WORDS];
        words[1] = flags;
        words[2] = u64::from(row.pid) | u64::from(row.uid) << 32;
        words[3] = row.since_ns;
        words[NAME..NAME + 4].copy_from_slice(&name_words(&row.program));
        let counts = [
            row.delivered,
            row.missed,
            row.filtered,
            row.others,
            row.shunted,
            row.demotions,
            row.pinned,
            row.behind,
        ];
        words[8..16].copy_from_slice(&counts);
        store_row(&self.readers, usize::from(row.place) * READER_WORDS, &words);
    }

    /// Empties the row of a reader that left.
    pub fn clear_reader(&mut self, place: u8) {
        store_row(&self.readers, usize::from(place) * READER_WORDS, &[0; READER_WORDS]);
    }

    /// Writes a group's row.
    pub fn set_group(&mut self, row: &GroupRow) {
        let mut words = [0; GROUP_ROW_WORDS];
        words[1] = 1;
        words[2] = row.members.into();
        words[NAME..NAME + 4].copy_from_slice(&name_words(&row.name));
        words[8..10].copy_from_slice(&[row.left_unread, row.shunted_flows]);
        store_row(&self.groups, usize::from(row.number) * GROUP_ROW_WORDS, &words);
    }
}

/// A row is a seqlock: word 0 is its version.
pub(crate) fn store_row(table: &WriteWords, base: usize, words: &[u64]) {
    let Some(row) = table.get(base..base + words.len()) else { return };
    let Some((version, row)) = row.split_first() else { return };
    let before = version.load(Ordering::Relaxed);
    version.store(before | 1, Ordering::Relaxed);
    // Pairs with the acquire fence before a reader's second look at the version.
    fence(Ordering::Release);
    for (word, value) in row.iter().zip(words.iter().skip(1)) {
        word.store(*value, Ordering::Relaxed);
    }
    version.store((before | 1).wrapping_add(1), Ordering::Release);
}

/// A row of that many words; none where it changed under every attempt to copy it.
pub(crate) fn load_row<const N: usize>(table: &ReadWords, base: usize) -> Option<[u64; N]> {
    for _ in 0..1000 {
        let version = table.load(base);
        fence(Ordering::Acquire);
        let words = std::array::from_fn(|word| table.load(base + word));
        fence(Ordering::Acquire);
        if version & 1 == 0 && table.load(base) == version {
            return Some(words);
        }
        crate::sync::pause();
    }
    None
}

pub(crate) fn read_readers(table: &ReadWords) -> Vec<ReaderRow> {
    let rows = (0..READERS).filter_map(|place| {
        let words: [u64; READER_WORDS] = load_row(table, place * READER_WORDS)?;
        let [_, flags, who, since_ns, ..] = words;
        let group = u8::try_from(flags >> 8 & 0xff).ok()?.checked_sub(1);
        let [delivered, missed, filtered, others, shunted, demotions, pinned, behind] =
            *words.get(8..16)?.first_chunk()?;
        (flags & 1 == 1).then(|| ReaderRow {
            place: u8::try_from(place).unwrap_or(u8::MAX),
            pid: crate::layout::halves(who).0,
            uid: crate::layout::halves(who).1,
            program: name_of(&words[NAME..NAME + 4]),
            group,
            lease: flags & 2 != 0,
            since_ns,
            delivered,
            missed,
            filtered,
            others,
            shunted,
            demotions,
            pinned,
            behind,
        })
    });
    rows.collect()
}

pub(crate) fn read_groups(table: &ReadWords) -> Vec<GroupRow> {
    let rows = (0..GROUPS).filter_map(|number| {
        let words: [u64; GROUP_ROW_WORDS] = load_row(table, number * GROUP_ROW_WORDS)?;
        (words[1] == 1).then(|| GroupRow {
            number: u8::try_from(number).unwrap_or(u8::MAX),
            name: name_of(&words[NAME..NAME + 4]),
            members: crate::layout::halves(words[2]).0,
            left_unread: words[8],
            shunted_flows: words[9],
        })
    });
    rows.collect()
}

/// A name as it travels: at most 31 bytes, zeros behind.
pub(crate) fn name_bytes(name: &str) -> [u8; NAME_BYTES + 1] {
    let mut bytes = [0; NAME_BYTES + 1];
    let mut end = name.len().min(NAME_BYTES);
    while !name.is_char_boundary(end) {
        end -= 1;
    }
    bytes[..end].copy_from_slice(&name.as_bytes()[..end]);
    bytes
}

/// The name in these bytes, with what is no printable character replaced.
pub(crate) fn name_in(bytes: &[u8]) -> String {
    let end = bytes.iter().position(|byte| *byte == 0).unwrap_or(bytes.len());
    let text = String::from_utf8_lossy(&bytes[..end]);
    text.chars().map(|c| if c.is_control() { '?' } else { c }).collect()
}

fn name_words(name: &str) -> [u64; 4] {
    let bytes = name_bytes(name);
    std::array::from_fn(|word| {
        u64::from_le_bytes(std::array::from_fn(|byte| bytes[word * 8 + byte]))
    })
}

fn name_of(words: &[u64]) -> String {
    let bytes: Vec<u8> = words.iter().flat_map(|word| word.to_le_bytes()).collect();
    name_in(&bytes)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::segment::pair;

    #[test]
    fn rows_are_read_as_written() {
        let (readers, read_r) = pair(READERS * READER_WORDS);
        let (groups, read_g) = pair(GROUPS * GROUP_ROW_WORDS);
        let mut table = ReaderTable::new(readers, groups);
        let row = ReaderRow {
            place: 63,
            pid: 4711,
            uid: 1000,
            program: "a program whose name is much longer than may be, ä".into(),
            group: Some(15),
            lease: true,
            since_ns: 1,
            delivered: 2,
            missed: 3,
            filtered: 4,
            others: 5,
            shunted: 6,
            demotions: 7,
            pinned: 8,
            behind: 9,
        };
        table.set_reader(&row);
        let program = row.program[..31].to_owned();
        assert_eq!(read_readers(&read_r), [ReaderRow { program, ..row }]);
        table.clear_reader(63);
        assert_eq!(read_readers(&read_r), []);
        let row = GroupRow {
            number: 3,
            name: "ids\n".into(),
            members: 2,
            left_unread: 5,
            shunted_flows: 6,
        };
        table.set_group(&row);
        assert_eq!(read_groups(&read_g), [GroupRow { name: "ids?".into(), ..row }]);
    }
}
