//! Where alerts are kept: a ring of what happened, a table of what is.

use super::Alert;
use super::words::{WORDS, decode, encode, head};
use crate::error::Error;
use crate::layout::{Opened, SectionKind};
use crate::ring::{Entry, Next, RingReader, RingWriter, StartAt, bytes_min};
use crate::segment::{ReadMap, ReadWords, WORD, WriteWords};
use crate::sync::{Ordering, fence};
use crate::writer::SegmentFd;
use std::os::fd::AsFd;

/// Words of the ring's head.
pub(crate) const HEAD_WORDS: usize = crate::ring::HEAD_WORDS;
/// Smallest ring.
pub(crate) const RING_BYTES_MIN: usize = bytes_min(WORDS);

/// Word of the identity in a slot of the table.
const ID: usize = 3;

/// A shard's alerts, as it writes them.
#[derive(Debug)]
pub struct AlertWriter {
    ring: RingWriter,
    table: WriteWords,
}

impl AlertWriter {
    pub(crate) fn new(ring_head: WriteWords, ring: WriteWords, table: WriteWords) -> Self {
        Self { ring: RingWriter::new(ring_head, ring), table }
    }

    /// Places for active alerts.
    pub fn places(&self) -> usize {
        self.table.len() / WORDS
    }

    /// Records written since the start.
    pub fn written(&self) -> u64 {
        self.ring.written()
    }

    /// Appends a record of the alert.
    pub fn push(&mut self, alert: &Alert) {
        let words = encode(alert);
        self.ring.push(WORDS, head(alert), |put| {
            for (index, word) in words.iter().enumerate().skip(2) {
                put.word(index, *word);
            }
        });
    }

    /// Writes an active alert to its place. One without an identity frees it.
    pub fn set(&mut self, place: usize, alert: &Alert) {
        let base = place * WORDS;
        let Some(slot) = self.table.get(base..base + WORDS) else { return };
        let words = encode(alert);
        let version = slot[0].load(Ordering::Relaxed);
        slot[0].store(version | 1, Ordering::Relaxed);
        // Pairs with the acquire fence of a reader that saw a word of this: it sees the odd version.
        fence(Ordering::Release);
        slot[1].store(head(alert), Ordering::Relaxed);
        for (word, value) in slot.iter().zip(words).skip(2) {
            word.store(value, Ordering::Relaxed);
        }
        slot[0].store((version | 1).wrapping_add(1), Ordering::Release);
    }

    /// Frees a place.
    pub fn clear(&mut self, place: usize) {
        self.set(place, &Alert::default());
    }

    pub(crate) fn touch(&self) {
        self.ring.touch();
    }
}

impl Entry for Alert {
    fn read(&mut self, words: usize, _: u64, word: impl Fn(usize) -> u64) -> bool {
        words == WORDS && decode(self, word(0), word)
    }
}

/// The words of a shard's alerts, as a reader maps them.
#[derive(Debug, Clone)]
pub(crate) struct AlertWords {
    head: ReadWords,
    ring: ReadWords,
    table: ReadWords,
}

impl AlertWords {
    pub(crate) fn new(segment: &Opened) -> Result<Self, Error> {
        let ring = segment.words(SectionKind::AlertRing, WORD)?;
        if !ring.len().is_power_of_two() || ring.len() < RING_BYTES_MIN / WORD {
            return Err(segment.error("its ring of alerts has an impossible size"));
        }
        let head = segment.element(SectionKind::AlertHead, 0, HEAD_WORDS)?;
        let table = segment.words(SectionKind::ActiveAlerts, WORDS * WORD)?;
        Ok(Self { head, ring, table })
    }

    pub(crate) fn reader(&self, at: StartAt) -> AlertReader {
        AlertReader::new(self.head.clone(), self.ring.clone(), self.table.clone(), at)
    }
}

/// A shard's alerts, as a reader follows them.
#[derive(Debug, Clone)]
pub struct AlertReader {
    ring: RingReader,
    table: ReadWords,
}

impl AlertReader {
    pub(crate) fn new(head: ReadWords, ring: ReadWords, table: ReadWords, at: StartAt) -> Self {
        Self { ring: RingReader::new(head, ring, at), table }
    }

    /// Those of a shard's segment that this very process made.
    ///
    /// # Errors
    /// The segment cannot be mapped once more, or is no shard's.
    pub fn of(shard: &SegmentFd, at: StartAt) -> Result<Self, Error> {
        let fd = shard.as_fd().try_clone_to_owned();
        let fd = fd.map_err(|error| Error::os("keeping a segment's descriptor", error))?;
        let map = ReadMap::open(&fd, "an own segment", shard.bytes() as u64)?;
        Ok(AlertWords::new(&Opened::new(map, "an own segment")?)?.reader(at))
    }

    /// Copies the next record, or says why there is none.
    pub fn next(&mut self, alert: &mut Alert) -> Next {
        self.ring.next(alert)
    }

    /// Bytes of the ring that lie behind this reader.
    pub fn position(&self) -> u64 {
        self.ring.position()
    }

    /// Shows every active alert to `each`. One that changes under every attempt to copy it is left
    /// out.
    pub fn active(&self, mut each: impl FnMut(&Alert)) {
        let mut alert = Alert::default();
        for place in 0..self.table.len() / WORDS {
            if self.copy(place, &mut alert) {
                each(&alert);
            }
        }
    }

    fn copy(&self, place: usize, alert: &mut Alert) -> bool {
        const ATTEMPTS: usize = 64;
        let word = |index: usize| self.table.load(place * WORDS + index);
        for _ in 0..ATTEMPTS {
            if word(ID) == 0 {
                return false;
            }
            let version = word(0);
            // Pairs with the release store at the end of `set`.
            fence(Ordering::Acquire);
            let is_one = decode(alert, word(1), word) && alert.id != 0;
            // Pairs with the release fence of `set`.
            fence(Ordering::Acquire);
            if version & 1 == 0 && word(0) == version {
                return is_one;
            }
            crate::sync::pause();
        }
        false
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::alerts::{AlertKind, FIGURES, FLOWS, Figure, Party, Phase, Severity, ShortText};
    use crate::segment::pair;
    use proptest::prelude::*;

    fn any_alert() -> impl Strategy<Value = Alert> {
        let numbers = prop::array::uniform32(any::<u64>());
        (numbers, any::<[u8; 32]>(), any::<[[u8; 16]; 2]>()).prop_map(|(n, text, addresses)| {
            let pick = |index: usize, of: usize| usize::try_from(n[index]).unwrap() % of;
            let figures = std::array::from_fn(|index| {
                let figure = Figure::ALL[pick(index, Figure::ALL.len())];
                (n[index] % 3 != 0).then_some((figure, n[index + 1] >> 16))
            });
            let _: [Option<(Figure, u64)>; FIGURES] = figures;
            Alert {
                id: n[0] | 1,
                kind: AlertKind::ALL[pick(1, AlertKind::ALL.len())],
                severity: Severity::ALL[pick(2, 4)],
                phase: [Phase::Started, Phase::Updated, Phase::Ended][pick(3, 3)],
                rule: ShortText::new(&text),
                time_ns: n[4],
                start_ns: n[5],
                update_ns: n[6],
                end_ns: n[7],
                window: n[8],
                window_s: u32::try_from(n[9] >> 32).unwrap(),
                times: u32::try_from(n[10] >> 32).unwrap(),
                value: n[11],
                peak: n[12],
                threshold: n[13],
                subject: Party { address: addresses[0], port: u16::try_from(n[14] >> 48).unwrap() },
                peer: Party { address: addresses[1], port: u16::try_from(n[15] >> 48).unwrap() },
                mac: [text[0], text[1], text[2], text[3], text[4], text[5]],
                peer_mac: [text[6], text[7], text[8], text[9], text[10], text[11]],
                vlan: u16::try_from(n[16] >> 48).unwrap(),
                protocol: text[12],
                app: u16::try_from(n[17] >> 48).unwrap(),
                flows: std::array::from_fn::<u64, FLOWS, _>(|index| n[18 + index]),
                figures,
                note: ShortText::new(&text[3..]),
            }
        })
    }

    fn made(places: usize) -> (AlertWriter, AlertReader) {
        let ((head, head_read), (ring, ring_read)) = (pair(HEAD_WORDS), pair(RING_BYTES_MIN / 8));
        let (table, table_read) = pair(places * WORDS);
        let writer = AlertWriter::new(head, ring, table);
        (writer, AlertReader::new(head_read, ring_read, table_read, StartAt::Oldest))
    }

    proptest! {
        #[test]
        fn alerts_come_back(alert in any_alert()) {
            let (mut writer, mut reader) = made(3);
            writer.push(&alert);
            let mut read = Alert::default();
            prop_assert_eq!(reader.next(&mut read), Next::Record);
            prop_assert_eq!(read, alert);
            prop_assert_eq!(reader.next(&mut read), Next::Empty);
            writer.set(1, &alert);
            let mut seen = Vec::new();
            reader.active(|alert| seen.push(*alert));
            prop_assert_eq!(&seen, &[alert]);
            writer.clear(1);
            reader.active(|_| panic!("there is none"));
        }

        /// Whatever is in memory, reading ends.
        #[test]
        fn a_reader_survives_anything(words in prop::collection::vec(any::<u64>(), WORDS)) {
            let (table, read) = pair(WORDS);
            for (to, from) in table.iter().zip(words) {
                to.store(from, Ordering::Relaxed);
            }
            let (_, head) = pair(HEAD_WORDS);
            let (_, ring) = pair(RING_BYTES_MIN / 8);
            AlertReader::new(head, ring, read, StartAt::Now).active(|alert| assert_ne!(alert.id, 0));
        }
    }

    #[test]
    fn a_reader_that_was_overrun_knows_how_many_it_missed() {
        let (mut writer, mut reader) = made(1);
        let mut read = Alert::default();
        for id in 1..=1000 {
            writer.push(&Alert { id, ..Alert::default() });
        }
        let mut missed = 0;
        let mut last = 0;
        loop {
            match reader.next(&mut read) {
                Next::Record => last = read.id,
                Next::Missed(count) => missed += count,
                Next::Empty => break,
                Next::Corrupt => panic!("the ring is sound"),
            }
        }
        assert_eq!(last, 1000);
        assert!(missed > 900, "{missed}");
    }
}
