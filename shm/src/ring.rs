//! A ring of records: one writer broadcasts, any number of readers follow, nobody waits.
//!
//! Positions count bytes since the engine's start and never wrap; a word's place in the ring is its
//! position modulo the ring's size. A record may lie across the ring's end: it is read word by word.
//! Of a record the ring itself knows two words: the low 16 bits of word 0 are its length in words,
//! and word 1 is its number.
//!
//! The writer announces how far it is about to write (*intent*), writes, and then moves the *tail*.
//! A reader copies a record and afterwards looks at the intent: if that has come round to the
//! record's first byte, the copy is worthless. Each record carries its number, so a reader that was
//! overrun knows exactly how many it missed. Where a record begins can be found again through the
//! *marks*: the position of the first record of each sixteenth of the ring.

use crate::{
    segment::{ReadWords, WriteWords, fetch_to_write},
    sync::{Ordering, fence},
};

/// Words of the ring's head; the writer's, read by all.
pub(crate) const HEAD_WORDS: usize = 32;
/// End of what is being written, in bytes since the start.
pub(crate) const INTENT: usize = 0;
/// End of what has been written.
pub(crate) const TAIL: usize = 1;
/// Number of the record that comes next.
const NEXT_SEQUENCE: usize = 2;
/// First of the marks.
pub(crate) const MARKS: usize = 16;
#[cfg(not(loom))]
pub(crate) const MARK_COUNT: usize = 16;
/// A model's ring holds a record or two, so its marks are as far apart as it is long.
#[cfg(loom)]
pub(crate) const MARK_COUNT: usize = 1;

/// Words that are asked for ahead of the next record: what most take up.
const AHEAD_WORDS: usize = 40;
const LINE_WORDS: usize = 8;

/// Bytes of the smallest ring for records of `words_max` words at most: every sixteenth of it must
/// hold the longest.
#[cfg(not(loom))]
pub(crate) const fn bytes_min(words_max: usize) -> usize {
    (words_max * 8 * MARK_COUNT).next_power_of_two()
}

/// The ring's only writer.
#[derive(Debug)]
pub(crate) struct RingWriter {
    head: WriteWords,
    ring: WriteWords,
    position: u64,
    sequence: u64,
    last_mark: u64,
}

/// Where the words of a record go.
#[derive(Debug)]
pub(crate) struct Put<'a>(&'a RingWriter);

impl Put<'_> {
    /// Writes word `index` of the record.
    #[inline(always)]
    pub(crate) fn word(&self, index: usize, value: u64) {
        let index = place(self.0.position, index, self.0.ring.len());
        self.0.ring[index].store(value, Ordering::Relaxed);
    }
}

impl RingWriter {
    /// `ring` has a power of two of words.
    pub(crate) fn new(head: WriteWords, ring: WriteWords) -> Self {
        assert!(ring.len().is_power_of_two() && head.len() >= HEAD_WORDS, "ring of a wrong size");
        Self { head, ring, position: 0, sequence: 0, last_mark: u64::MAX }
    }

    /// Appends a record of `words` words, the first of which is `first` and ends in its length;
    /// `write` puts those from the third on.
    #[inline]
    pub(crate) fn push(&mut self, words: usize, first: u64, write: impl FnOnce(&mut Put<'_>)) {
        let end = self.position + (words * 8) as u64;
        self.head[INTENT].store(end, Ordering::Relaxed);
        // Pairs with the acquire fence before a reader's look at the intent: who sees one of the
        // stores below also sees the intent.
        fence(Ordering::Release);

        let mut put = Put(self);
        put.word(0, first);
        put.word(1, self.sequence);
        write(&mut put);

        let mark = self.position / mark_bytes(self.ring.len());
        if mark != self.last_mark {
            self.last_mark = mark;
            self.head[MARKS + mark_index(mark)].store(self.position, Ordering::Relaxed);
        }
        self.position = end;
        self.sequence += 1;
        self.head[NEXT_SEQUENCE].store(self.sequence, Ordering::Relaxed);
        // Pairs with the acquire fence after a reader's look at the tail.
        self.head[TAIL].store(end, Ordering::Release);
        for word in (0..AHEAD_WORDS).step_by(LINE_WORDS) {
            fetch_to_write(&self.ring[place(end, word, self.ring.len())]);
        }
    }

    /// Bytes written since the start.
    pub(crate) fn position(&self) -> u64 {
        self.position
    }

    /// Records written since the start.
    pub(crate) fn written(&self) -> u64 {
        self.sequence
    }

    pub(crate) fn touch(&self) {
        #[cfg(not(loom))]
        self.ring.touch();
    }
}

/// The outcome of asking for the next record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Next {
    /// The record was filled in.
    Record,
    /// There is none yet.
    Empty,
    /// This many records were overwritten before they were read; the next call goes on after them.
    Missed(u64),
    /// The ring holds what no engine writes; this reader has stopped for good.
    Corrupt,
}

/// Where a new reader begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StartAt {
    /// With the record that is written next; if the writer never pauses for long enough to tell
    /// which that is, up to an eighth of the ring earlier.
    Now,
    /// With the oldest that the ring still holds (to a sixteenth of the ring).
    Oldest,
}

/// What a ring holds, as read.
pub(crate) trait Entry {
    /// Takes in a record of `words` words; whether it can be one. What was taken may turn out to be
    /// worthless, and is then not used.
    fn read(&mut self, words: usize, sequence: u64, word: impl Fn(usize) -> u64) -> bool;
}

/// One reader's place in the ring.
#[derive(Debug, Clone)]
pub(crate) struct RingReader {
    head: ReadWords,
    ring: ReadWords,
    position: u64,
    /// Number of the record at `position`; `None` until the first was read.
    sequence: Option<u64>,
    corrupt: bool,
}

impl RingReader {
    pub(crate) fn new(head: ReadWords, ring: ReadWords, at: StartAt) -> Self {
        let mut reader = Self { head, ring, position: 0, sequence: None, corrupt: false };
        if !(at == StartAt::Now && reader.start_now()) {
            let behind = if at == StartAt::Now { 1 } else { OLDEST };
            reader.find(behind);
        }
        reader
    }

    /// Copies the next record, or says why there is none.
    pub(crate) fn next<E: Entry>(&mut self, entry: &mut E) -> Next {
        if self.corrupt {
            return Next::Corrupt;
        }
        let Some(sequence) = self.sequence else {
            return if self.find(OLDEST) { self.next(entry) } else { Next::Empty };
        };
        let tail = self.tail();
        if tail == self.position {
            return Next::Empty;
        }
        match self.copy(tail, sequence, entry) {
            Copied::Record(bytes) => {
                self.position += bytes;
                self.sequence = Some(sequence + 1);
                Next::Record
            }
            Copied::Overrun => self.skip(sequence),
            Copied::Corrupt => {
                self.corrupt = true;
                Next::Corrupt
            }
        }
    }

    /// Bytes of the stream that lie behind this reader.
    pub(crate) fn position(&self) -> u64 {
        self.position
    }

    /// Bytes that the writer is ahead of this reader.
    pub(crate) fn behind(&self) -> u64 {
        self.tail().saturating_sub(self.position)
    }

    /// Goes on in the middle of the ring, as far from being overrun again as from the newest.
    fn skip(&mut self, expected: u64) -> Next {
        if !self.find(MARK_COUNT as u64 / 2) {
            // The writer is too fast to be caught this time; the count comes with a later call.
            return Next::Empty;
        }
        let Some(missed @ 1..) = self.sequence.and_then(|found| found.checked_sub(expected)) else {
            self.corrupt = true;
            return Next::Corrupt;
        };
        Next::Missed(missed)
    }

    /// Stands behind the newest record. False if the writer was in the middle of one every time.
    fn start_now(&mut self) -> bool {
        for _ in 0..START_ATTEMPTS {
            let tail = self.tail();
            let sequence = self.head.load(NEXT_SEQUENCE);
            // Pairs with the release fence of `push`: a later sequence comes with a later intent.
            fence(Ordering::Acquire);
            if self.head.load(INTENT) == tail {
                self.position = tail;
                self.sequence = Some(sequence);
                return true;
            }
            crate::sync::pause();
        }
        false
    }

    /// Finds the first record that begins `behind` sixteenths of the ring before its newest part,
    /// or nearer if the writer overruns that.
    fn find(&mut self, behind: u64) -> bool {
        let mark_bytes = mark_bytes(self.ring.len());
        for attempt in 0..FIND_ATTEMPTS {
            let tail = self.tail();
            if tail == 0 {
                (self.position, self.sequence) = (0, Some(0));
                return true;
            }
            let newest = (tail - 1) / mark_bytes;
            let mark = newest.saturating_sub(behind >> attempt);
            let position = self.head.load(MARKS + mark_index(mark));
            if position / mark_bytes != mark || position >= tail {
                continue;
            }
            let sequence = self.word(position, 1);
            if !self.overrun(position) {
                (self.position, self.sequence) = (position, Some(sequence));
                return true;
            }
        }
        false
    }

    fn copy<E: Entry>(&self, tail: u64, sequence: u64, entry: &mut E) -> Copied {
        if self.overrun(self.position) {
            return Copied::Overrun;
        }
        let [a, b, ..] = self.word(self.position, 0).to_le_bytes();
        let words = usize::from(u16::from_le_bytes([a, b]));
        let end = self.position.checked_add((words * 8) as u64);
        let number = self.word(self.position, 1);
        let sound = words >= 2
            && number == sequence
            && end.is_some_and(|end| end <= tail)
            && entry.read(words, number, |word| self.word(self.position, word));
        // Only now is it known whether any of that was the record's.
        if self.overrun(self.position) {
            return Copied::Overrun;
        }
        if sound { Copied::Record((words * 8) as u64) } else { Copied::Corrupt }
    }

    /// Whether the writer has reached, or announced that it will reach, the bytes at `position`.
    fn overrun(&self, position: u64) -> bool {
        // Pairs with the release fence of `push`.
        fence(Ordering::Acquire);
        let ring_bytes = (self.ring.len() * 8) as u64;
        self.head.load(INTENT).saturating_sub(position) > ring_bytes
    }

    fn tail(&self) -> u64 {
        let tail = self.head.load(TAIL);
        // Pairs with the release store at the end of `push`.
        fence(Ordering::Acquire);
        tail
    }

    #[inline(always)]
    fn word(&self, position: u64, word: usize) -> u64 {
        self.ring.load(place(position, word, self.ring.len()))
    }
}

enum Copied {
    Record(u64),
    Overrun,
    Corrupt,
}

/// How far back a reader begins that wants all: one sixteenth is being overwritten, and one more
/// may be by the time it reads.
const OLDEST: u64 = (MARK_COUNT as u64).saturating_sub(2);
const START_ATTEMPTS: usize = if cfg!(loom) { 1 } else { 256 };
const FIND_ATTEMPTS: u32 = if cfg!(loom) { 1 } else { 8 };

/// Index in the ring of the word `word` of the record at `position`.
#[inline(always)]
fn place(position: u64, word: usize, ring_words: usize) -> usize {
    let index = (position / 8).wrapping_add(word as u64) & (ring_words as u64 - 1);
    usize::try_from(index).unwrap_or(0)
}

fn mark_bytes(ring_words: usize) -> u64 {
    (ring_words * 8 / MARK_COUNT) as u64
}

fn mark_index(mark: u64) -> usize {
    usize::try_from(mark % MARK_COUNT as u64).unwrap_or(0)
}
