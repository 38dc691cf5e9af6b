//! What is known of a flow's health: 40 words beside its slot, under the slot's version.
//!
//! The section has a slot of 320 bytes for each flow slot, with the same index. The shard stores words
//! of it only while the flow slot is open (between its `begin` and `commit`), so a copy that was
//! taken together with the flow is good if the flow is. Word 0 is the flow's identity: while it is
//! another than the flow slot's, nothing else here means anything. A flow of one packet never has a
//! slot of its own; [`Health::of_one_packet`] says what is known of it.
//!
//! A slot is five cache lines, and most flows use two: words 0 to 15. The other three are cleared when
//! they are first needed; until then bits of word 1 ([`HAS_TRIPS`], [`has_events`]) say that what lies
//! there is of a flow before, and readers take it for zeros ([`Health::of_words`]).
//!
//! Times are counted in *ticks* of 100 ns where they share a word, so that 32 bits last for seven
//! minutes; counts and times stop at their largest value rather than run over. Directions are lower
//! to higher endpoint first, as in flow slots. `docs/METRICS.md` defines every figure.

mod state;
mod view;

use crate::sync::{AtomicU64, Ordering};

pub use state::{ConnState, Ended};
pub use view::{Answers, Events, Health, Offered, RoundTrips, Statistics};

/// 64-bit words of a slot.
pub const HEALTH_WORDS: usize = 40;
/// Bytes of a slot.
pub const HEALTH_BYTES: usize = 320;
/// Nanoseconds of a tick.
pub const TICK_NS: u64 = 100;
/// Letters of a history at most.
pub const HISTORY_LETTERS: usize = 16;

/// Identity of the flow that the rest is of.
pub const WORD_FLOW_ID: usize = 0;
/// Connection state (8 bits), how it ended (8), marks (16), letters of history (8), SYNs (8).
pub const WORD_STATE: usize = 1;
/// Two words: the history, a letter a byte.
pub const WORD_HISTORY: usize = 2;
/// Ticks: server (low) and client (high) network delay in the handshake.
pub const WORD_DELAYS: usize = 4;
/// Ticks: first application latency (low), handshake of TLS or QUIC (high).
pub const WORD_FIRST: usize = 5;
/// Application latency: samples (low), largest in ticks (high).
pub const WORD_ANSWERS: usize = 6;
/// Application latency: sum, ticks.
pub const WORD_ANSWERS_SUM: usize = 7;
/// Bit of [`WORD_STATE`]: the eight words of round trips and rates are the flow's.
pub const HAS_TRIPS: u64 = 1 << 48;

/// Bit of [`WORD_STATE`]: the eight words of events of a direction are the flow's.
#[inline(always)]
pub const fn has_events(lane: usize) -> u64 {
    1 << (49 + (lane & 1))
}

/// First of the four words of statistics of a direction: 0 from the lower endpoint, 1 from the higher.
#[inline(always)]
pub const fn statistics_of(lane: usize) -> usize {
    8 + 4 * (lane & 1)
}

/// First of the four words of round trips and rates of a direction.
#[inline(always)]
pub const fn trips_of(lane: usize) -> usize {
    16 + 4 * (lane & 1)
}

/// First of the eight words of events of a direction.
#[inline(always)]
pub const fn events_of(lane: usize) -> usize {
    24 + 8 * (lane & 1)
}

/// Statistics: smallest and largest packet (16 bits each), bytes on the wire; largest distance of two
/// packets in ticks (high).
pub const SIZES: usize = 0;
/// Statistics: sum of the squares of the packets' sizes.
pub const SIZE_SQUARES: usize = 1;
/// Statistics: sum of the squares of the distances of packets in nanoseconds, an IEEE 754 double.
pub const GAP_SQUARES: usize = 2;
/// Statistics: bytes so far in the bucket of time ([`bucket_of`](crate::hosts::bucket_of)) of the newest
/// packet (low); MSS (16 bits), window shift
/// (8) and [`option`] bits (8) of the SYN.
pub const BUCKET: usize = 3;

/// Round trips: how many were measured (low), the last one in ticks (high).
pub const RTT: usize = 0;
/// Round trips: smallest (low) and largest (high), ticks.
pub const RTT_RANGE: usize = 1;
/// Round trips: their sum, ticks.
pub const RTT_SUM: usize = 2;
/// Rates: bytes of the bucket before the newest packet's (low), most bytes of a bucket that is over
/// (high).
pub const RATES: usize = 3;

/// Events: retransmissions (low), segments out of order (high).
pub const RESENT: usize = 0;
/// Events: gaps before a segment (low), duplicate acknowledgements (high).
pub const GAPS: usize = 1;
/// Events, 16 bits each: fast and spurious retransmissions, acknowledgements of what was not seen,
/// zero windows.
pub const RARE: usize = 2;
/// Events, 16 bits each: window full, window updates, zero-window probes and their answers.
pub const WINDOWS: usize = 3;
/// Events, 16 bits each: keep-alives, their answers, resets, ECN echoes.
pub const MISCELLANY: usize = 4;
/// Events: packets marked "congestion experienced" (low), bytes sent again (high).
pub const MARKED: usize = 5;
/// Events: time with a zero window in microseconds (low).
pub const CLOSED: usize = 6;
/// Events: what the engine alone reads: the end of what was sent without a gap (low), the timestamp of
/// the first retransmission within a measurement (high).
pub const OWN: usize = 7;

/// Bits of what a SYN offered.
pub mod option {
    /// The window is scaled.
    pub const SCALE: u8 = 1;
    /// Selective acknowledgements are permitted.
    pub const SACK: u8 = 2;
    /// Timestamps.
    pub const TIMESTAMPS: u8 = 4;
    /// A maximum segment size.
    pub const MSS: u8 = 8;
    /// A SYN of this direction was seen, so that the rest is known.
    pub const SEEN: u8 = 0x80;
}

/// Marks of a flow.
pub mod mark {
    /// The handshake was seen to its end.
    pub const ESTABLISHED: u16 = 1;
    /// Both sides agreed on ECN (RFC 3168).
    pub const ECN: u16 = 2;
    /// A QUIC connection.
    pub const QUIC: u16 = 4;
    /// The handshake of TLS or QUIC was seen to its end.
    pub const SECURED: u16 = 8;
    /// The flow was seen from its middle on: no SYN.
    pub const FROM_MIDDLE: u16 = 16;
    /// Round trips are those of QUIC's spin bit.
    pub const SPIN: u16 = 32;
}

/// Letters that a direction has shown, one bit each; in the order in which one packet shows them.
pub mod seen {
    /// SYN.
    pub const SYN: u8 = 1;
    /// SYN and ACK.
    pub const SYN_ACK: u8 = 2;
    /// Payload.
    pub const DATA: u8 = 4;
    /// An acknowledgement and nothing else.
    pub const ACK: u8 = 8;
    /// FIN.
    pub const FIN: u8 = 16;
    /// RST.
    pub const RST: u8 = 32;
    /// The letters, by bit, as the client's; the server's are lower case.
    pub const LETTERS: [u8; 6] = *b"SHDAFR";
}

/// One flow's health in shared memory. Only its shard writes it, and only while the flow's slot is
/// open.
#[repr(C, align(64))]
pub struct HealthSlot {
    words: [AtomicU64; HEALTH_WORDS],
}

#[cfg(not(loom))]
const _: () = assert!(size_of::<HealthSlot>() == HEALTH_BYTES);

impl HealthSlot {
    /// A word, relaxed; 0 where there is none.
    #[inline(always)]
    pub fn load(&self, word: usize) -> u64 {
        self.words.get(word).map_or(0, |word| word.load(Ordering::Relaxed))
    }

    /// Stores a word, relaxed.
    #[inline(always)]
    pub fn store(&self, word: usize, value: u64) {
        if let Some(word) = self.words.get(word) {
            word.store(value, Ordering::Relaxed);
        }
    }

    /// Adds to the low half of a word, up to its largest value.
    #[inline]
    pub fn add_low(&self, word: usize, more: u32) {
        let value = self.load(word);
        self.store(word, with_low(value, low(value).saturating_add(more)));
    }

    /// Adds to the high half of a word, up to its largest value.
    #[inline]
    pub fn add_high(&self, word: usize, more: u32) {
        let value = self.load(word);
        self.store(word, with_high(value, high(value).saturating_add(more)));
    }

    /// Adds 1 to a quarter of a word, up to its largest value.
    #[inline]
    pub fn count(&self, word: usize, quarter: u32) {
        let value = self.load(word);
        let shift = quarter % 4 * 16;
        if value >> shift & 0xffff != 0xffff {
            self.store(word, value + (1 << shift));
        }
    }

    /// A copy, as its writer sees it.
    pub fn snapshot(&self) -> Health {
        Health::of_words(std::array::from_fn(|word| self.load(word)))
    }

    /// Clears words.
    #[inline]
    pub fn clear(&self, words: std::ops::Range<usize>) {
        words.for_each(|word| self.store(word, 0));
    }

    /// The first of the words of round trips and rates of a direction, which are the flow's from now on.
    #[inline(always)]
    pub fn trips(&self, lane: usize) -> usize {
        self.take_part(HAS_TRIPS, trips_of(0));
        trips_of(lane)
    }

    /// The first of the words of events of a direction, likewise.
    #[inline(always)]
    pub fn events(&self, lane: usize) -> usize {
        self.take_part(has_events(lane), events_of(lane));
        events_of(lane)
    }

    /// Clears the eight words from `from` on unless they are the flow's already, as `bit` says.
    #[inline(always)]
    fn take_part(&self, bit: u64, from: usize) {
        let state = self.load(WORD_STATE);
        if state & bit == 0 {
            self.store(WORD_STATE, state | bit);
            self.clear(from..from + 8);
        }
    }
}

impl std::fmt::Debug for HealthSlot {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("HealthSlot").field(&self.snapshot()).finish()
    }
}

/// The low half of a word.
#[inline(always)]
#[expect(clippy::cast_possible_truncation, reason = "the other half is not asked for")]
pub const fn low(word: u64) -> u32 {
    word as u32
}

/// The high half of a word.
#[inline(always)]
pub const fn high(word: u64) -> u32 {
    (word >> 32) as u32
}

/// A word with another low half.
#[inline(always)]
pub const fn with_low(word: u64, value: u32) -> u64 {
    word >> 32 << 32 | value as u64
}

/// A word with another high half.
#[inline(always)]
pub const fn with_high(word: u64, value: u32) -> u64 {
    word & 0xffff_ffff | (value as u64) << 32
}

/// Nanoseconds as ticks, rounded, at most what 32 bits hold.
#[inline]
pub fn ticks(ns: u64) -> u32 {
    u32::try_from(ns.saturating_add(TICK_NS / 2) / TICK_NS).unwrap_or(u32::MAX)
}

#[cfg(not(loom))]
#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_stop_at_their_largest_value() {
        let slot = HealthSlot { words: std::array::from_fn(|_| AtomicU64::new(0)) };
        slot.store(RARE, 0xffff_fffe_0000_0000);
        slot.count(RARE, 2);
        slot.count(RARE, 2);
        slot.count(RARE, 0);
        assert_eq!(slot.load(RARE), 0xffff_ffff_0000_0001);
        slot.add_low(RESENT, u32::MAX);
        slot.add_low(RESENT, 1);
        slot.add_high(RESENT, 7);
        assert_eq!(slot.load(RESENT), 7 << 32 | 0xffff_ffff);
        assert_eq!(ticks(149), 1);
        assert_eq!(ticks(u64::MAX), u32::MAX);
    }
}
