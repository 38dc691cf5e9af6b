//! Who of a group gets which flows, and from which position of the ring on.
//!
//! A flow's hash picks one of 256 buckets (multiply-shift), and a table says which reader owns each
//! bucket. A change of members makes a new *epoch*: a table with the position where it begins. A
//! reader that is behind goes by the epoch of the descriptor that it reads, so however far apart
//! the members are, each packet is exactly one member's.
//!
//! The last eight epochs are kept. One is written over only when no descriptor of it is in the
//! ring any more; a change that comes too early for that waits.
//!
//! | word of a group | content |
//! | --- | --- |
//! | 0 | number of the newest epoch; 0: none |
//! | 16 + 48 *e* | number of epoch *e* of eight; 0: being written |
//! | 17 + 48 *e* | position where it begins |
//! | 32 + 48 *e* … 63 + 48 *e* | owner of each bucket, a byte each: place of a reader, 255: nobody |

use crate::segment::{ReadWords, WriteWords};
use crate::sync::{Ordering, fence};

/// Buckets that a group's flows fall into.
pub const BUCKETS: usize = if cfg!(loom) { 8 } else { 256 };
/// Who owns each bucket: the place of a reader, or 255: nobody.
pub type Owners = [u8; BUCKETS];
/// Owner of a bucket that is nobody's.
pub(crate) const NOBODY: u8 = u8::MAX;

const EPOCHS: usize = if cfg!(loom) { 2 } else { 8 };
const LATEST: usize = 0;
const FIRST_EPOCH: usize = 16;
const EPOCH_WORDS: usize = 48;
const NUMBER: usize = 0;
const START: usize = 1;
const TABLE: usize = 16;

/// Words of a group.
pub(crate) const GROUP_WORDS: usize = FIRST_EPOCH + EPOCHS * EPOCH_WORDS;
const _: () = assert!(TABLE + BUCKETS / 8 <= EPOCH_WORDS, "the table fits");

/// The bucket of a flow, or of frames of no flow (hash 0).
#[inline(always)]
pub const fn bucket_of(hash: u32) -> usize {
    ((hash as u64 * BUCKETS as u64) >> 32) as usize
}

/// The epochs of one group in one shard, as the shard writes them.
#[derive(Debug)]
pub(crate) struct GroupWriter {
    words: WriteWords,
    /// Number and start of what each place holds.
    held: [(u64, u64); EPOCHS],
    latest: u64,
    waiting: Option<Owners>,
}

impl GroupWriter {
    pub(crate) fn new(words: WriteWords) -> Self {
        Self { words, held: [(0, 0); EPOCHS], latest: 0, waiting: None }
    }

    /// Has `owners` own the flows from the next position on, as soon as an old epoch's place is
    /// free.
    pub(crate) fn set(&mut self, owners: &Owners) {
        self.waiting = Some(*owners);
    }

    /// Begins the epoch that waits, if any, at position `next`; `floor` tells which are over.
    /// Whether none waits any more.
    pub(crate) fn settle(&mut self, next: u64, floor: u64) -> bool {
        let Some(owners) = self.waiting else { return true };
        let Some(place) = self.free_place(next, floor) else { return false };
        self.waiting = None;
        self.latest += 1;
        let base = FIRST_EPOCH + place * EPOCH_WORDS;
        self.words[base + NUMBER].store(0, Ordering::Relaxed);
        // Pairs with the acquire fence before a reader's second look at the number.
        fence(Ordering::Release);
        self.words[base + START].store(next, Ordering::Relaxed);
        for (at, bytes) in owners.chunks_exact(8).enumerate() {
            let mut eight = [0; 8];
            eight.copy_from_slice(bytes);
            let word = base + TABLE + at;
            self.words[word].store(u64::from_le_bytes(eight), Ordering::Relaxed);
        }
        // Pairs with the acquire fence after a reader's first look at the number.
        self.words[base + NUMBER].store(self.latest, Ordering::Release);
        self.words[LATEST].store(self.latest, Ordering::Release);
        if let Some(held) = self.held.get_mut(place) {
            *held = (self.latest, next);
        }
        true
    }

    /// A place whose epoch no descriptor from `floor` to `next` belongs to.
    fn free_place(&self, next: u64, floor: u64) -> Option<usize> {
        let end_of = |number: u64| {
            let later = self.held.iter().filter(|(other, _)| *other > number);
            later.map(|(_, start)| *start).min()
        };
        self.held.iter().position(|&(number, start)| {
            let end = end_of(number).unwrap_or(next);
            number == 0 || end <= floor || end == start
        })
    }
}

/// One member's view of its group in one shard.
#[derive(Debug)]
pub(crate) struct GroupReader {
    words: ReadWords,
    place: u8,
    seen: u64,
    start: u64,
    end: u64,
    /// One bit a bucket: mine.
    mine: [u64; BUCKETS.div_ceil(64)],
}

impl GroupReader {
    /// The view of the reader in this place.
    pub(crate) fn new(words: ReadWords, place: u8) -> Self {
        Self { words, place, seen: 0, start: 0, end: 0, mine: [0; BUCKETS.div_ceil(64)] }
    }

    /// To be called after a look at the ring's tail: takes note of epochs that begin before it.
    #[inline]
    pub(crate) fn refresh(&mut self) {
        let latest = self.words.load(LATEST);
        if latest != self.seen {
            self.seen = latest;
            // What is cached may now end earlier than it was thought to.
            (self.start, self.end) = (0, 0);
        }
    }

    /// Whether the descriptor at `position` with this hash is this member's.
    #[inline]
    pub(crate) fn is_mine(&mut self, position: u64, hash: u32) -> bool {
        if !(self.start..self.end).contains(&position) {
            self.find(position);
        }
        let bucket = bucket_of(hash);
        self.mine.get(bucket / 64).is_some_and(|word| word >> (bucket % 64) & 1 == 1)
    }

    /// Finds the epoch of `position`.
    #[cold]
    fn find(&mut self, position: u64) {
        loop {
            let (mut best, mut end) = (None, u64::MAX);
            for place in 0..EPOCHS {
                let base = FIRST_EPOCH + place * EPOCH_WORDS;
                let (number, start) = (self.words.load(base), self.words.load(base + START));
                // Pairs with the release store of the number.
                fence(Ordering::Acquire);
                if number == 0 || number > self.seen {
                    continue;
                }
                if start > position {
                    end = end.min(start);
                } else if best.is_none_or(|(known, _, _)| number > known) {
                    best = Some((number, start, base));
                }
            }
            let Some((number, start, base)) = best else {
                // Before the group's first epoch: nobody's.
                self.mine = [0; BUCKETS.div_ceil(64)];
                (self.start, self.end) = (0, end);
                return;
            };
            let mut mine = [0_u64; BUCKETS.div_ceil(64)];
            for bucket in 0..BUCKETS {
                let owners = self.words.load(base + TABLE + bucket / 8).to_le_bytes();
                if owners.get(bucket % 8) == Some(&self.place)
                    && let Some(word) = mine.get_mut(bucket / 64)
                {
                    *word |= 1 << (bucket % 64);
                }
            }
            // Pairs with the release fence of `settle`.
            fence(Ordering::Acquire);
            if self.words.load(base) == number {
                self.mine = mine;
                (self.start, self.end) = (start, end);
                return;
            }
            crate::sync::pause();
        }
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;
    use crate::segment::pair;

    fn all(owner: u8) -> Owners {
        [owner; BUCKETS]
    }

    #[test]
    fn each_position_has_the_owner_of_its_epoch() {
        let (write, read) = pair(GROUP_WORDS);
        let mut group = GroupWriter::new(write);
        let mut members = [3, 4, 5].map(|place| GroupReader::new(read.clone(), place));
        let owner = |members: &mut [GroupReader; 3], position| {
            members.iter_mut().for_each(GroupReader::refresh);
            let of = members
                .iter_mut()
                .filter_map(|member| member.is_mine(position, 0x8000_0000).then_some(member.place));
            of.collect::<Vec<_>>()
        };
        assert_eq!(owner(&mut members, 0), [], "no epoch yet");
        for (start, place) in [(10, 3), (20, 4), (20, 5), (30, 3)] {
            group.set(&all(place));
            assert!(group.settle(start, 0));
        }
        let expected = [(0, None), (10, Some(3)), (19, Some(3)), (20, Some(5)), (30, Some(3))];
        for (position, place) in expected {
            let wanted: Vec<u8> = place.into_iter().collect();
            assert_eq!(owner(&mut members, position), wanted, "position {position}");
        }
        // Backwards too: a reader that is behind.
        assert_eq!(owner(&mut members, 12), [3]);
    }

    #[test]
    fn an_epoch_in_use_is_not_written_over() {
        let (write, read) = pair(GROUP_WORDS);
        let mut group = GroupWriter::new(write);
        let mut member = GroupReader::new(read, 1);
        for number in 0..EPOCHS as u64 {
            group.set(&all(u8::from(number % 2 == 1)));
            assert!(group.settle(number * 10, 0));
        }
        group.set(&all(9));
        assert!(!group.settle(1000, 0), "all epochs are in use");
        member.refresh();
        assert!(!member.is_mine(5, 0) && member.is_mine(15, 0) && member.is_mine(999, 0));
        assert!(group.settle(1000, 10), "the first is over");
        member.refresh();
        assert!(member.is_mine(999, 0) && !member.is_mine(1000, 0) && member.is_mine(15, 0));
        assert!(group.settle(1000, 10), "nothing waits");
    }

    #[test]
    fn changes_without_packets_between_need_no_place() {
        let (write, read) = pair(GROUP_WORDS);
        let mut group = GroupWriter::new(write);
        for number in 0..100 {
            group.set(&all(number));
            assert!(group.settle(7, 0));
        }
        let mut member = GroupReader::new(read, 99);
        member.refresh();
        assert!(member.is_mine(7, 1) && !member.is_mine(6, 1));
    }

    #[test]
    fn buckets_are_spread() {
        assert_eq!((bucket_of(0), bucket_of(u32::MAX)), (0, BUCKETS - 1));
        assert_eq!(bucket_of(0x8000_0000), BUCKETS / 2);
    }
}
