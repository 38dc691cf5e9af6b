//! Which layout the libdaq of this process has.
//!
//! `daq_version_number()` tells: the three numbers of a release in the three upper bytes. Between
//! two releases a source tree has the number of the earlier one and may have the layout of the
//! later one. What is written then is the shorter layout, which harms nobody's memory.

use crate::abi::{PacketHeader, Stats};

/// Bytes of a packet header before 3.0.7.
pub(crate) const OLD_HEADER_BYTES: usize = 48;

/// The layouts that differ between releases.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Layout {
    /// What libdaq says of itself; `None` if it cannot be asked.
    version: Option<u32>,
}

const fn release(patch: u32) -> u32 {
    3 << 24 | patch << 8
}

impl Layout {
    /// Of a libdaq with this version number. One that cannot be asked is taken for the newest.
    pub(crate) const fn of(version: Option<u32>) -> Self {
        Self { version }
    }

    fn is_since(self, patch: u32) -> bool {
        self.version.is_none_or(|version| version >= release(patch))
    }

    /// Bytes of a packet header.
    pub(crate) fn header_bytes(self) -> usize {
        if self.is_since(7) { size_of::<PacketHeader>() } else { OLD_HEADER_BYTES }
    }

    /// Verdicts there are.
    pub(crate) fn verdicts(self) -> usize {
        if self.is_since(2) { 6 } else { 7 }
    }

    /// The words of `DAQ_Stats_t`, and how many of them it has.
    pub(crate) fn stats(self, counts: &Counts) -> (Stats, usize) {
        let mut stats = Stats::default();
        let head = [
            counts.received_below,
            counts.dropped_below,
            counts.received,
            counts.filtered,
            0, // Nothing is injected.
        ];
        let outstanding = self.is_since(16).then_some(counts.outstanding);
        let verdicts = counts.verdicts.into_iter().take(self.verdicts());
        let values = head.into_iter().chain(outstanding).chain(verdicts);
        let mut words = 0;
        for (word, value) in stats.words.iter_mut().zip(values) {
            *word = value;
            words += 1;
        }
        (stats, words)
    }

    /// For people.
    pub(crate) fn describe(self) -> String {
        let Some(version) = self.version else {
            return "libdaq does not tell its version: taken for the newest".to_owned();
        };
        let [major, minor, patch, _] = version.to_be_bytes();
        format!("libdaq {major}.{minor}.{patch}")
    }
}

/// What an instance counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Counts {
    /// Packets there were for this instance, filtered and missed ones too.
    pub(crate) received_below: u64,
    /// Packets that were overwritten before they were read.
    pub(crate) dropped_below: u64,
    /// Packets handed to the application.
    pub(crate) received: u64,
    /// Packets that the filter left out.
    pub(crate) filtered: u64,
    /// Packets with the application now.
    pub(crate) outstanding: u64,
    /// Packets by verdict.
    pub(crate) verdicts: [u64; 7],
}

#[cfg(test)]
mod tests {
    use super::*;

    const COUNTS: Counts = Counts {
        received_below: 100,
        dropped_below: 1,
        received: 90,
        filtered: 9,
        outstanding: 5,
        verdicts: [10, 11, 12, 13, 14, 15, 16],
    };

    #[test]
    fn each_release_has_its_layout() {
        // Release, bytes of the header, words of the statistics, the first word for a verdict.
        for (patch, header, words, first) in [
            (Some(0), 48, 12, 5),
            (Some(1), 48, 12, 5),
            (Some(2), 48, 11, 5),
            (Some(6), 48, 11, 5),
            (Some(7), 56, 11, 5),
            (Some(15), 56, 11, 5),
            (Some(16), 56, 12, 6),
            (Some(25), 56, 12, 6),
            (None, 56, 12, 6),
        ] {
            let layout = Layout::of(patch.map(release));
            assert_eq!(layout.header_bytes(), header, "{patch:?}");
            let (stats, count) = layout.stats(&COUNTS);
            assert_eq!(count, words, "{patch:?}");
            assert_eq!(stats.words[..5], [100, 1, 90, 9, 0]);
            assert_eq!(stats.words[first..first + 6], [10, 11, 12, 13, 14, 15], "{patch:?}");
            assert_eq!(first == 6, stats.words[5] == 5, "{patch:?}");
            assert!(stats.words[count..].iter().all(|word| *word == 0));
        }
    }

    #[test]
    fn a_version_is_said_in_words() {
        assert_eq!(Layout::of(Some(0x0300_1900)).describe(), "libdaq 3.0.25");
        assert!(Layout::of(None).describe().contains("newest"));
    }
}
