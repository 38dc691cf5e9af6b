//! The flow-record ring: one writer broadcasts, any number of readers follow, nobody waits.
//!
//! Positions count bytes since the engine's start and never wrap; a word's place in the ring is its
//! position modulo the ring's size. A record may lie across the ring's end: it is read word by word.
//!
//! The writer announces how far it is about to write (*intent*), writes, and then moves the *tail*.
//! A reader copies a record and afterwards looks at the intent: if that has come round to the
//! record's first byte, the copy is worthless. Each record carries its number, so a reader that was
//! overrun knows exactly how many it missed. Where a record begins can be found again through the
//! *marks*: the position of the first record of each sixteenth of the ring.

use crate::{
    arena::META_BYTES_MAX,
    flow::{FlowSnapshot, SLOT_WORDS},
    segment::{ReadWords, WriteWords, fetch_to_write},
    sync::{AtomicU64, Ordering, fence},
    words::{store, words},
};

/// What a record tells.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum RecordKind {
    /// The flow's first packet, and what it told of the application.
    Started = 1,
    /// The flow goes on: a later packet told more of its application, or the time for an update came.
    Updated = 2,
    /// The flow is over; the reason says why.
    Ended = 3,
}

impl RecordKind {
    /// The name, in lower case.
    pub fn name(self) -> &'static str {
        match self {
            Self::Started => "started",
            Self::Updated => "updated",
            Self::Ended => "ended",
        }
    }

    fn from_raw(raw: u8) -> Option<Self> {
        Some(match raw {
            1 => Self::Started,
            2 => Self::Updated,
            3 => Self::Ended,
            _ => return None,
        })
    }
}

/// Why a flow was ended, or a record of it written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
#[repr(u8)]
pub enum EndReason {
    /// It has not ended.
    #[default]
    None = 0,
    /// No packet for the idle timeout.
    Idle = 1,
    /// It lasted longer than the active timeout; a record was due.
    Active = 2,
    /// Both sides said FIN.
    TcpFin = 3,
    /// A side said RST.
    TcpReset = 4,
    /// Its slot was needed for another flow.
    Evicted = 5,
    /// The engine ended.
    Shutdown = 6,
}

impl EndReason {
    /// The name, in lower case.
    pub fn name(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Idle => "idle",
            Self::Active => "active",
            Self::TcpFin => "tcp_fin",
            Self::TcpReset => "tcp_reset",
            Self::Evicted => "evicted",
            Self::Shutdown => "shutdown",
        }
    }

    fn from_raw(raw: u8) -> Option<Self> {
        Some(match raw {
            0 => Self::None,
            1 => Self::Idle,
            2 => Self::Active,
            3 => Self::TcpFin,
            4 => Self::TcpReset,
            5 => Self::Evicted,
            6 => Self::Shutdown,
            _ => return None,
        })
    }
}

/// Words of the ring's head; the writer's, read by all.
pub(crate) const HEAD_WORDS: usize = 32;
/// End of what is being written, in bytes since the start.
const INTENT: usize = 0;
/// End of what has been written.
const TAIL: usize = 1;
/// Number of the record that comes next.
const NEXT_SEQUENCE: usize = 2;
/// First of the marks.
const MARKS: usize = 16;
#[cfg(not(loom))]
const MARK_COUNT: usize = 16;
/// A model's ring holds a record or two, so its marks are as far apart as it is long.
#[cfg(loom)]
const MARK_COUNT: usize = 1;

/// Words of the flow in a record; one is enough for a model.
const FLOW_WORDS: usize = if cfg!(loom) { 1 } else { SLOT_WORDS };
/// Words of a record before its metadata.
const FIXED_WORDS: usize = 4 + FLOW_WORDS;
/// Words that are asked for ahead of the next record: what most take up.
const AHEAD_WORDS: usize = 40;
const LINE_WORDS: usize = 8;
/// Longest record.
pub(crate) const RECORD_WORDS_MAX: usize = FIXED_WORDS + META_BYTES_MAX / 8;
/// Smallest ring: every sixteenth of it must hold the longest record.
#[cfg(not(loom))]
pub(crate) const RING_BYTES_MIN: usize = (RECORD_WORDS_MAX * 8 * MARK_COUNT).next_power_of_two();

/// The ring's only writer.
#[derive(Debug)]
pub struct RecordWriter {
    head: WriteWords,
    ring: WriteWords,
    position: u64,
    sequence: u64,
    last_mark: u64,
}

impl RecordWriter {
    /// `ring` has a power of two of words.
    pub(crate) fn new(head: WriteWords, ring: WriteWords) -> Self {
        assert!(ring.len().is_power_of_two() && head.len() >= HEAD_WORDS, "ring of a wrong size");
        Self { head, ring, position: 0, sequence: 0, last_mark: u64::MAX }
    }

    /// Appends a record. Metadata beyond 1 KiB is cut off.
    pub fn push(
        &mut self,
        kind: RecordKind,
        reason: EndReason,
        time_ns: u64,
        flow: &FlowSnapshot,
        meta: &[u8],
    ) {
        let meta = &meta[..meta.len().min(META_BYTES_MAX)];
        let words = FIXED_WORDS + meta.len().div_ceil(8);
        let end = self.position + (words * 8) as u64;
        self.head[INTENT].store(end, Ordering::Relaxed);
        // Pairs with the acquire fence before a reader's look at the intent: who sees one of the
        // stores below also sees the intent.
        fence(Ordering::Release);

        let [a, b, ..] = words.to_le_bytes();
        let [c, d, ..] = meta.len().to_le_bytes();
        let first = u64::from_le_bytes([a, b, 0, 0, kind as u8, reason as u8, c, d]);
        let head = [first, self.sequence, time_ns, 0];
        let at = place(self.position, 0, self.ring.len());
        match self.ring.get(at..at + words) {
            Some(places) => fill(places, head, flow, meta),
            None => self.fill_around(at, head, flow, meta),
        }

        let mark = self.position / self.mark_bytes();
        if mark != self.last_mark {
            self.last_mark = mark;
            self.mark(mark).store(self.position, Ordering::Relaxed);
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
    pub fn position(&self) -> u64 {
        self.position
    }

    /// Records written since the start.
    pub fn written(&self) -> u64 {
        self.sequence
    }

    pub(crate) fn touch(&self) {
        #[cfg(not(loom))]
        self.ring.touch();
    }

    /// Writes a record that lies across the ring's end.
    #[cold]
    fn fill_around(&self, at: usize, head: [u64; 4], flow: &FlowSnapshot, meta: &[u8]) {
        let (before, behind) = self.ring.split_at(at);
        let flow = flow.words.iter().take(FLOW_WORDS).copied();
        let words = head.into_iter().chain(flow).chain(words(meta));
        for (place, word) in behind.iter().chain(before).zip(words) {
            place.store(word, Ordering::Relaxed);
        }
    }

    fn mark_bytes(&self) -> u64 {
        mark_bytes(self.ring.len())
    }

    fn mark(&self, mark: u64) -> &AtomicU64 {
        &self.head[MARKS + mark_index(mark)]
    }
}

/// Writes a record to its places.
#[inline(always)]
fn fill(places: &[AtomicU64], head: [u64; 4], flow: &FlowSnapshot, meta: &[u8]) {
    let (of_head, rest) = places.split_at(head.len());
    let (of_flow, of_meta) = rest.split_at(FLOW_WORDS);
    for (place, word) in of_head.iter().zip(head) {
        place.store(word, Ordering::Relaxed);
    }
    for (place, word) in of_flow.iter().zip(&flow.words) {
        place.store(*word, Ordering::Relaxed);
    }
    store(of_meta, meta);
}

/// A record, as read. Reused from call to call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Record {
    /// What it tells.
    pub kind: RecordKind,
    /// Why the flow ended.
    pub reason: EndReason,
    /// Number of the record in its shard, from 0.
    pub sequence: u64,
    /// When it was written, Unix nanoseconds on the engine's clock.
    pub time_ns: u64,
    /// The flow.
    pub flow: FlowSnapshot,
    /// Its metadata.
    pub meta: Vec<u8>,
}

impl Default for Record {
    fn default() -> Self {
        Self {
            kind: RecordKind::Started,
            reason: EndReason::None,
            sequence: 0,
            time_ns: 0,
            flow: FlowSnapshot::default(),
            meta: Vec::with_capacity(META_BYTES_MAX),
        }
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

/// One reader's place in the ring.
#[derive(Debug, Clone)]
pub struct RecordReader {
    head: ReadWords,
    ring: ReadWords,
    position: u64,
    /// Number of the record at `position`; `None` until the first was read.
    sequence: Option<u64>,
    corrupt: bool,
}

impl RecordReader {
    pub(crate) fn new(head: ReadWords, ring: ReadWords, at: StartAt) -> Self {
        let mut reader = Self { head, ring, position: 0, sequence: None, corrupt: false };
        if !(at == StartAt::Now && reader.start_now()) {
            let behind = if at == StartAt::Now { 1 } else { OLDEST };
            reader.find(behind);
        }
        reader
    }

    /// Copies the next record, or says why there is none.
    pub fn next(&mut self, record: &mut Record) -> Next {
        if self.corrupt {
            return Next::Corrupt;
        }
        let Some(sequence) = self.sequence else {
            return if self.find(OLDEST) { self.next(record) } else { Next::Empty };
        };
        let tail = self.tail();
        if tail == self.position {
            return Next::Empty;
        }
        let copied = self.copy(tail, record);
        match copied {
            Copied::Record(bytes) if record.sequence == sequence => {
                self.position += bytes;
                self.sequence = Some(sequence + 1);
                Next::Record
            }
            Copied::Overrun => self.skip(sequence),
            Copied::Record(_) | Copied::Corrupt => {
                self.corrupt = true;
                Next::Corrupt
            }
        }
    }

    /// Bytes of the stream that lie behind this reader.
    pub fn position(&self) -> u64 {
        self.position
    }

    /// Bytes that the writer is ahead of this reader.
    pub fn behind(&self) -> u64 {
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

    fn copy(&self, tail: u64, record: &mut Record) -> Copied {
        if self.overrun(self.position) {
            return Copied::Overrun;
        }
        let head = self.word(self.position, 0);
        let [a, b, _, _, kind, reason, c, d] = head.to_le_bytes();
        let words = usize::from(u16::from_le_bytes([a, b]));
        let meta_bytes = usize::from(u16::from_le_bytes([c, d]));
        let end = self.position.checked_add((words * 8) as u64);
        let sound = meta_bytes <= META_BYTES_MAX
            && words == FIXED_WORDS + meta_bytes.div_ceil(8)
            && end.is_some_and(|end| end <= tail);
        if sound {
            record.sequence = self.word(self.position, 1);
            record.time_ns = self.word(self.position, 2);
            for (index, word) in record.flow.words.iter_mut().take(FLOW_WORDS).enumerate() {
                *word = self.word(self.position, 4 + index);
            }
            record.meta.clear();
            for word in FIXED_WORDS..words {
                record.meta.extend_from_slice(&self.word(self.position, word).to_le_bytes());
            }
            record.meta.truncate(meta_bytes);
        }
        // Only now is it known whether any of that was the record's.
        if self.overrun(self.position) {
            return Copied::Overrun;
        }
        match (sound, RecordKind::from_raw(kind), EndReason::from_raw(reason)) {
            (true, Some(kind), Some(reason)) => {
                record.kind = kind;
                record.reason = reason;
                Copied::Record((words * 8) as u64)
            }
            _ => Copied::Corrupt,
        }
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

#[cfg(not(loom))]
#[cfg(test)]
mod tests {
    use super::*;
    use crate::segment::pair;
    use proptest::prelude::*;
    use std::{
        sync::atomic::{AtomicBool, AtomicU64},
        thread,
    };

    const RING: usize = RING_BYTES_MIN / 8;

    struct Ring {
        writer: RecordWriter,
        head: ReadWords,
        words: ReadWords,
    }

    fn ring() -> Ring {
        let ((head_write, head), (write, words)) = (pair(HEAD_WORDS), pair(RING));
        Ring { writer: RecordWriter::new(head_write, write), head, words }
    }

    impl Ring {
        fn reader(&self, at: StartAt) -> RecordReader {
            RecordReader::new(self.head.clone(), self.words.clone(), at)
        }

        /// A record whose every part follows from `number`.
        fn push(&mut self, number: u64) {
            let flow = FlowSnapshot { words: [number; SLOT_WORDS] };
            let meta = vec![number.to_le_bytes()[0]; meta_length(number)];
            self.writer.push(RecordKind::Updated, EndReason::Active, number * 3, &flow, &meta);
        }
    }

    fn meta_length(number: u64) -> usize {
        usize::try_from(number.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 40).unwrap()
            % (META_BYTES_MAX + 1)
    }

    fn check(record: &Record) -> u64 {
        let number = record.sequence;
        assert_eq!(record.flow.words, [number; SLOT_WORDS]);
        assert_eq!((record.kind, record.reason), (RecordKind::Updated, EndReason::Active));
        assert_eq!((record.time_ns, record.meta.len()), (number * 3, meta_length(number)));
        assert!(record.meta.iter().all(|&byte| byte == number.to_le_bytes()[0]));
        number
    }

    #[test]
    fn a_reader_that_keeps_up_misses_nothing() {
        let mut ring = ring();
        let (mut reader, mut record) = (ring.reader(StartAt::Now), Record::default());
        assert_eq!(reader.next(&mut record), Next::Empty);
        for number in 0..5000 {
            ring.push(number);
            assert_eq!(reader.next(&mut record), Next::Record);
            assert_eq!(check(&record), number);
            assert_eq!(reader.next(&mut record), Next::Empty);
            assert_eq!((reader.position(), reader.behind()), (ring.writer.position(), 0));
        }
        assert!(ring.writer.position() > 20 * RING_BYTES_MIN as u64, "the ring was filled often");
    }

    /// Whatever a reader does, what it reads and what it is told it missed add up to what was
    /// written, in order.
    #[test]
    fn an_overrun_reader_knows_what_it_missed() {
        for pause in [3_u64, 20, 40, 41, 50, 75, 300, 1000] {
            let mut ring = ring();
            let (mut reader, mut record) = (ring.reader(StartAt::Now), Record::default());
            let (mut expected, mut missed) = (0, 0);
            for number in 0..6000 {
                ring.push(number);
                if number % pause != 0 {
                    continue;
                }
                loop {
                    match reader.next(&mut record) {
                        Next::Record => {
                            assert_eq!(check(&record), expected);
                            expected += 1;
                        }
                        Next::Missed(count) => {
                            assert_ne!(count, 0);
                            expected += count;
                            missed += count;
                        }
                        Next::Empty => break,
                        Next::Corrupt => panic!("the ring is sound"),
                    }
                }
                assert_eq!(expected, number + 1, "pause {pause}");
            }
            assert!(pause != 1000 || missed > 3000, "a long pause misses most");
            assert!(pause != 3 || missed == 0, "a short one nothing");
        }
    }

    #[test]
    fn a_new_reader_starts_now_or_with_the_oldest() {
        let mut ring = ring();
        (0..10).for_each(|number| ring.push(number));
        let mut record = Record::default();
        let mut oldest = ring.reader(StartAt::Oldest);
        assert_eq!(oldest.next(&mut record), Next::Record);
        assert_eq!(check(&record), 0, "nothing was overwritten yet");
        (10..5000).for_each(|number| ring.push(number));
        let mut oldest = ring.reader(StartAt::Oldest);
        let held = ring.writer.position() - oldest.position();
        assert!(held > RING_BYTES_MIN as u64 * 3 / 4, "most of the ring: {held}");
        let mut count = 0;
        while oldest.next(&mut record) == Next::Record {
            count += 1;
            check(&record);
        }
        assert_eq!(record.sequence, 4999, "without a gap up to the newest");
        assert!(count > 20);
        let mut now = ring.reader(StartAt::Now);
        assert_eq!(now.next(&mut record), Next::Empty);
        ring.push(5000);
        assert_eq!(now.next(&mut record), Next::Record);
        assert_eq!(check(&record), 5000);
    }

    /// A writer at full speed against two readers: nothing false is ever accepted, and the books
    /// of each reader balance.
    #[test]
    fn readers_balance_against_a_racing_writer() {
        let mut ring = ring();
        let readers = [ring.reader(StartAt::Now), ring.reader(StartAt::Oldest)];
        let (total, done) = (AtomicU64::new(0), AtomicBool::new(false));
        thread::scope(|scope| {
            let handles = readers.map(|mut reader| {
                let (total, done) = (&total, &done);
                scope.spawn(move || {
                    let (mut record, mut read, mut missed) = (Record::default(), 0_u64, 0_u64);
                    loop {
                        let last = done.load(Ordering::Acquire);
                        match reader.next(&mut record) {
                            Next::Record => {
                                assert_eq!(check(&record), read + missed);
                                read += 1;
                            }
                            Next::Missed(count) => missed += count,
                            Next::Empty if last => break,
                            Next::Empty => std::hint::spin_loop(),
                            Next::Corrupt => panic!("the ring is sound"),
                        }
                    }
                    assert_eq!(read + missed, total.load(Ordering::Relaxed));
                    (read, missed)
                })
            });
            for number in 0..400_000 {
                ring.push(number);
            }
            total.store(ring.writer.written(), Ordering::Relaxed);
            done.store(true, Ordering::Release);
            for handle in handles {
                let (read, missed) = handle.join().unwrap();
                println!("{read} read, {missed} missed");
                assert!(read > 0);
            }
        });
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(200))]

        /// A ring full of anything gives records, an end or *corrupt*, in bounded time.
        #[test]
        fn a_reader_survives_anything(
            head in prop::collection::vec(any::<u64>(), HEAD_WORDS),
            near in any::<u16>(),
            value in any::<u64>(),
            oldest in any::<bool>(),
        ) {
            let ((head_write, head_read), (ring_write, ring_read)) = (pair(HEAD_WORDS), pair(RING));
            for (word, value) in head_write.iter().zip(&head) {
                word.store(*value, Ordering::Relaxed);
            }
            // A tail and intent near each other get past the first checks.
            let tail = head[TAIL] & !7;
            head_write[TAIL].store(tail, Ordering::Relaxed);
            head_write[INTENT].store(tail.wrapping_add(u64::from(near)), Ordering::Relaxed);
            for mark in 0..MARK_COUNT {
                let position = tail.wrapping_sub(head[MARKS + mark] % (2 * RING_BYTES_MIN as u64));
                head_write[MARKS + mark].store(position, Ordering::Relaxed);
            }
            for (index, word) in ring_write.iter().enumerate() {
                let plain = value.rotate_left(u32::try_from(index % 64).unwrap());
                let header = 0x0000_0001_0000_0014 | (plain & 3) << 32;
                word.store(if index % 3 == 0 { header } else { plain }, Ordering::Relaxed);
            }
            let at = if oldest { StartAt::Oldest } else { StartAt::Now };
            let mut reader = RecordReader::new(head_read, ring_read, at);
            let mut record = Record::default();
            for _ in 0..100 {
                reader.next(&mut record);
                prop_assert!(record.meta.len() <= META_BYTES_MAX);
            }
        }
    }
}
