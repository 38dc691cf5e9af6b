//! Counters that say themselves what they are: name, unit, role and help travel in the segment.
//!
//! A block of counters is a version word on a line of its own and one word a counter. A writer
//! that uses [`CounterWriter::publish`] once a turn gives readers a set that belongs together;
//! one that uses [`CounterWriter::add`] gives them single values that are each right.

use crate::{
    segment::{ReadWords, WriteWords},
    sync::{Ordering, fence},
};

/// What a value is counted in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
#[repr(u32)]
pub enum Unit {
    /// Things, which the name says.
    Count = 0,
    /// Packets.
    Packets = 1,
    /// Bytes.
    Bytes = 2,
    /// Nanoseconds of duration.
    Nanoseconds = 3,
    /// Nanoseconds since 1970-01-01 UTC.
    UnixNanoseconds = 4,
    /// Per second.
    PerSecond = 5,
    /// Flows.
    Flows = 6,
    /// Processor cycles.
    Cycles = 7,
}

impl Unit {
    /// The unit as written after a number; empty for a plain count.
    pub fn symbol(self) -> &'static str {
        match self {
            Self::Count => "",
            Self::Packets => "packets",
            Self::Bytes => "B",
            Self::Nanoseconds | Self::UnixNanoseconds => "ns",
            Self::PerSecond => "/s",
            Self::Flows => "flows",
            Self::Cycles => "cycles",
        }
    }

    pub(crate) fn from_raw(raw: u32) -> Self {
        match raw {
            1 => Self::Packets,
            2 => Self::Bytes,
            3 => Self::Nanoseconds,
            4 => Self::UnixNanoseconds,
            5 => Self::PerSecond,
            6 => Self::Flows,
            7 => Self::Cycles,
            _ => Self::Count,
        }
    }
}

/// A counter's place in the ledger: wire = Σ wire drops + processed; processed = parsed + Σ drops.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
#[repr(u32)]
pub enum Role {
    /// Not part of the ledger.
    Info = 0,
    /// Packets that arrived on the wire.
    Wire = 1,
    /// Packets that arrived and never reached a shard, for the reason in the name.
    WireDrop = 2,
    /// Packets a shard took.
    Processed = 3,
    /// Packets that a shard took and gave to a flow.
    Parsed = 4,
    /// Packets that a shard took and dropped, for the reason in the name.
    Drop = 5,
}

impl Role {
    pub(crate) fn from_raw(raw: u32) -> Self {
        match raw {
            1 => Self::Wire,
            2 => Self::WireDrop,
            3 => Self::Processed,
            4 => Self::Parsed,
            5 => Self::Drop,
            _ => Self::Info,
        }
    }
}

/// Definition of a counter, as an engine writes it down.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CounterDef {
    /// Name, unique in its block: lower case, words joined by underscores.
    pub name: &'static str,
    /// What it counts in.
    pub unit: Unit,
    /// Its place in the ledger.
    pub role: Role,
    /// One sentence for people.
    pub help: &'static str,
}

/// Words before the first value: the version, alone on its pair of cache lines.
pub(crate) const BLOCK_HEAD: usize = 16;

/// Words of a block of `counters` counters; blocks do not share cache lines.
pub(crate) const fn block_words(counters: usize) -> usize {
    (BLOCK_HEAD + counters).next_multiple_of(16)
}

/// The writing half of a block of counters.
#[derive(Debug)]
pub struct CounterWriter {
    words: WriteWords,
    count: usize,
}

impl CounterWriter {
    pub(crate) fn new(words: WriteWords, count: usize) -> Self {
        debug_assert!(words.len() >= BLOCK_HEAD + count);
        Self { words, count }
    }

    /// Number of counters.
    #[expect(clippy::len_without_is_empty, reason = "a fixed table, never empty in use")]
    pub fn len(&self) -> usize {
        self.count
    }

    /// Sets a counter. An index outside of the block changes nothing.
    #[inline(always)]
    pub fn set(&mut self, index: usize, value: u64) {
        debug_assert!(index < self.count, "no counter {index}");
        if let Some(word) = self.words.get(BLOCK_HEAD + index) {
            word.store(value, Ordering::Relaxed);
        }
    }

    /// Adds to a counter: a load and a store, as nobody else writes it.
    #[inline(always)]
    pub fn add(&mut self, index: usize, value: u64) {
        debug_assert!(index < self.count, "no counter {index}");
        if let Some(word) = self.words.get(BLOCK_HEAD + index) {
            word.store(word.load(Ordering::Relaxed).wrapping_add(value), Ordering::Relaxed);
        }
    }

    /// A counter's value; 0 outside of the block.
    pub fn get(&self, index: usize) -> u64 {
        self.words.get(BLOCK_HEAD + index).map_or(0, |word| word.load(Ordering::Relaxed))
    }

    /// Sets the first counters to `values`, as one set: a reader sees all of them or none.
    pub fn publish(&mut self, values: &[u64]) {
        self.begin();
        for (word, &value) in self.words.iter().skip(BLOCK_HEAD).zip(values) {
            word.store(value, Ordering::Relaxed);
        }
        self.commit();
    }

    /// Opens the block: what is set or added until [`Self::commit`] is seen as one change.
    #[inline(always)]
    pub fn begin(&mut self) {
        let version = &self.words[0];
        version.store(version.load(Ordering::Relaxed) | 1, Ordering::Relaxed);
        // Pairs with the acquire fence before a reader's second look at the version.
        fence(Ordering::Release);
    }

    /// Closes the block.
    #[inline(always)]
    pub fn commit(&mut self) {
        let version = &self.words[0];
        // Pairs with the acquire fence after a reader's first look at the version.
        version.store(version.load(Ordering::Relaxed).wrapping_add(1), Ordering::Release);
    }
}

/// Copies a block's values into `values`, which is resized. Whether they are one set; if the writer
/// never stood still for that, they are each right but need not belong together.
pub(crate) fn read_block(words: &ReadWords, count: usize, values: &mut Vec<u64>) -> bool {
    for _ in 0..READ_ATTEMPTS {
        let version = words.load(0);
        // Pairs with the release store of `commit`.
        fence(Ordering::Acquire);
        values.clear();
        values.extend((0..count).map(|index| words.load(BLOCK_HEAD + index)));
        // Pairs with the release fence of `begin`.
        fence(Ordering::Acquire);
        if version & 1 == 0 && words.load(0) == version {
            return true;
        }
        crate::sync::pause();
    }
    false
}

const READ_ATTEMPTS: usize = if cfg!(loom) { 2 } else { 256 };

#[cfg(not(loom))]
#[cfg(test)]
mod tests {
    use super::*;
    use crate::segment::pair;
    use std::{
        sync::atomic::{AtomicBool, AtomicU64},
        thread,
    };

    #[test]
    fn values_arrive_and_strangers_do_nothing() {
        let (write, read) = pair(block_words(3));
        let mut counters = CounterWriter::new(write, 3);
        counters.add(0, 5);
        counters.add(0, 6);
        counters.set(2, 9);
        let mut values = vec![1; 7];
        assert!(read_block(&read, 3, &mut values));
        assert_eq!(values, [11, 0, 9]);
        assert_eq!((counters.get(0), counters.get(3), counters.len()), (11, 0, 3));
    }

    /// Sets published as one are read as one.
    #[test]
    fn a_published_set_is_never_mixed() {
        let (write, read) = pair(block_words(20));
        let mut counters = CounterWriter::new(write, 20);
        let (stop, rounds) = (AtomicBool::new(false), AtomicU64::new(0));
        thread::scope(|scope| {
            let _stop = StopAtDrop(&stop);
            scope.spawn(|| {
                for round in 0.. {
                    if stop.load(Ordering::Relaxed) {
                        break;
                    }
                    counters.publish(&[round; 20]);
                    rounds.store(round, Ordering::Relaxed);
                    // A turn's worth of other work, in which a reader finds the block at rest.
                    (0..50).for_each(|_| std::hint::spin_loop());
                }
            });
            let (mut values, mut sets) = (Vec::new(), 0_u64);
            while rounds.load(Ordering::Relaxed) < 50_000 || sets < 1000 {
                if read_block(&read, 20, &mut values) {
                    sets += 1;
                    assert!(values.iter().all(|value| *value == values[0]), "{values:?}");
                }
            }
        });
    }

    struct StopAtDrop<'a>(&'a AtomicBool);

    impl Drop for StopAtDrop<'_> {
        fn drop(&mut self) {
            self.0.store(true, Ordering::Relaxed);
        }
    }
}
