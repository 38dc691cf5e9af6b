//! Flow records, in a ring of their own (`ring`).

use crate::{
    arena::META_BYTES_MAX,
    flow::{FlowSnapshot, SLOT_WORDS},
    health::{HEALTH_WORDS, Health},
    ring::{Entry, RingReader, RingWriter},
    segment::{ReadWords, WriteWords},
    words::words,
};

pub(crate) use crate::ring::HEAD_WORDS;
pub use crate::ring::{Next, StartAt};

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

/// Words of the flow in a record; one is enough for a model.
const FLOW_WORDS: usize = if cfg!(loom) { 1 } else { SLOT_WORDS };
/// Words of a record before its metadata.
const FIXED_WORDS: usize = 4 + FLOW_WORDS;
/// Longest record.
pub(crate) const RECORD_WORDS_MAX: usize = FIXED_WORDS + HEALTH_WORDS + META_BYTES_MAX / 8;
/// Smallest ring.
#[cfg(not(loom))]
pub(crate) const RING_BYTES_MIN: usize = crate::ring::bytes_min(RECORD_WORDS_MAX);

/// The ring's only writer.
#[derive(Debug)]
pub struct RecordWriter {
    ring: RingWriter,
}

impl RecordWriter {
    /// `ring` has a power of two of words.
    pub(crate) fn new(head: WriteWords, ring: WriteWords) -> Self {
        Self { ring: RingWriter::new(head, ring) }
    }

    /// Appends a record. Metadata beyond 1 KiB is cut off. `health`: all of its words, or none.
    pub fn push(
        &mut self,
        kind: RecordKind,
        reason: EndReason,
        time_ns: u64,
        flow: &FlowSnapshot,
        health: &[u64],
        meta: &[u8],
    ) {
        let health = health.first_chunk::<HEALTH_WORDS>().map_or(&[][..], |words| words);
        let meta = &meta[..meta.len().min(META_BYTES_MAX)];
        let length = FIXED_WORDS + health.len() + meta.len().div_ceil(8);
        let [a, b, ..] = length.to_le_bytes();
        let [c, d, ..] = meta.len().to_le_bytes();
        let first = u64::from_le_bytes([a, b, 0, 0, kind as u8, reason as u8, c, d]);
        self.ring.push(length, first, |put| {
            put.word(2, time_ns);
            put.word(3, health.len() as u64);
            for (index, &word) in flow.words.iter().take(FLOW_WORDS).enumerate() {
                put.word(4 + index, word);
            }
            let rest = health.iter().copied().chain(words(meta));
            for (index, word) in (FIXED_WORDS..).zip(rest) {
                put.word(index, word);
            }
        });
    }

    /// Bytes written since the start.
    pub fn position(&self) -> u64 {
        self.ring.position()
    }

    /// Records written since the start.
    pub fn written(&self) -> u64 {
        self.ring.written()
    }

    pub(crate) fn touch(&self) {
        self.ring.touch();
    }
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
    /// Its health; not known where the record has none.
    pub health: Health,
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
            health: Health::default(),
            meta: Vec::with_capacity(META_BYTES_MAX),
        }
    }
}

impl Entry for Record {
    fn read(&mut self, words: usize, sequence: u64, word: impl Fn(usize) -> u64) -> bool {
        let [_, _, _, _, kind, reason, c, d] = word(0).to_le_bytes();
        let meta_bytes = usize::from(u16::from_le_bytes([c, d]));
        let health_words = if word(3) == 0 { 0 } else { HEALTH_WORDS };
        let fixed = FIXED_WORDS + health_words;
        if meta_bytes > META_BYTES_MAX || words != fixed + meta_bytes.div_ceil(8) {
            return false;
        }
        self.sequence = sequence;
        self.time_ns = word(2);
        for (index, value) in self.flow.words.iter_mut().take(FLOW_WORDS).enumerate() {
            *value = word(4 + index);
        }
        self.health = Health::default();
        for (index, value) in self.health.words.iter_mut().take(health_words).enumerate() {
            *value = word(FIXED_WORDS + index);
        }
        if health_words == 0 {
            self.health = Health::without_slot(&self.flow);
        }
        self.meta.clear();
        for index in fixed..words {
            self.meta.extend_from_slice(&word(index).to_le_bytes());
        }
        self.meta.truncate(meta_bytes);
        let (Some(kind), Some(reason)) = (RecordKind::from_raw(kind), EndReason::from_raw(reason))
        else {
            return false;
        };
        (self.kind, self.reason) = (kind, reason);
        true
    }
}

/// One reader's place in the ring.
#[derive(Debug, Clone)]
pub struct RecordReader {
    ring: RingReader,
}

impl RecordReader {
    pub(crate) fn new(head: ReadWords, ring: ReadWords, at: StartAt) -> Self {
        Self { ring: RingReader::new(head, ring, at) }
    }

    /// Copies the next record, or says why there is none.
    pub fn next(&mut self, record: &mut Record) -> Next {
        self.ring.next(record)
    }

    /// Bytes of the stream that lie behind this reader.
    pub fn position(&self) -> u64 {
        self.ring.position()
    }

    /// Bytes that the writer is ahead of this reader.
    pub fn behind(&self) -> u64 {
        self.ring.behind()
    }
}

#[cfg(not(loom))]
#[cfg(test)]
mod tests {
    use super::*;
    use crate::ring::{INTENT, MARK_COUNT, MARKS, TAIL};
    use crate::segment::pair;
    use crate::sync::Ordering;
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
            let (kind, reason) = (RecordKind::Updated, EndReason::Active);
            let words = [number; HEALTH_WORDS];
            let health = if number.is_multiple_of(3) { &words[..] } else { &[] };
            self.writer.push(kind, reason, number * 3, &flow, health, &meta);
        }
    }

    fn meta_length(number: u64) -> usize {
        usize::try_from(number.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 40).unwrap()
            % (META_BYTES_MAX + 1)
    }

    fn check(record: &Record) -> u64 {
        let number = record.sequence;
        assert_eq!(record.flow.words, [number; SLOT_WORDS]);
        if number.is_multiple_of(3) {
            assert_eq!(record.health.words, [number; HEALTH_WORDS]);
        }
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
