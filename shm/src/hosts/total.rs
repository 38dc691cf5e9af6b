//! Rows of applications, VLANs, networks and interfaces, as their writer sees them.

use super::{Share, add, begin, commit, get, meter, put};
use crate::sync::AtomicU64;

/// Words of a total.
pub const TOTAL_WORDS: usize = 48;
/// Bytes of a total.
pub const TOTAL_BYTES: usize = TOTAL_WORDS * 8;

pub(super) const KEY: usize = 1;
pub(super) const FLOWS: usize = 2;
pub(super) const LIVE: usize = 3;
pub(super) const PACKETS: usize = 4;
pub(super) const BYTES: usize = 6;
pub(super) const FIRST_NS: usize = 8;
pub(super) const LAST_NS: usize = 9;
pub(super) const RATE: usize = 10;
pub(super) const NETWORK: usize = 14;
pub(super) const LATENCY: usize = 16;

/// Buckets of latencies: two for each doubling of microseconds.
pub const LATENCIES: usize = 64;

/// The bucket of a latency.
#[inline(always)]
pub fn latency_bucket(ns: u64) -> usize {
    let us = (ns / 1000).min(u64::from(u32::MAX));
    if us < 2 {
        return usize::from(us == 1);
    }
    let top = us.ilog2();
    top as usize * 2 + usize::from(us >> (top - 1) & 1 == 1)
}

/// The highest latency of a bucket, nanoseconds.
pub fn latency_high(bucket: usize) -> u64 {
    let bucket = bucket.min(LATENCIES - 1);
    if bucket < 2 {
        return (bucket as u64 + 1) * 1000 - 1;
    }
    let (top, half) = (bucket / 2, (bucket % 2) as u64);
    let low = (2 + half) << (top - 1);
    (low + (1 << (top - 1))) * 1000 - 1
}

/// Counts a latency among the 32 words from `at` on: two counts of 32 bits a word.
#[inline(always)]
pub(super) fn count_latency(words: &[AtomicU64], at: usize, ns: u64) {
    let bucket = latency_bucket(ns);
    add(words, at + bucket / 2, if bucket.is_multiple_of(2) { 1 } else { 1 << 32 });
}

/// Latencies as read. Most hosts have none, and then there is no room for any.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Latencies(Option<Box<[u64; LATENCIES]>>);

impl Latencies {
    pub(super) fn of(words: &[u64]) -> Self {
        if words.iter().take(LATENCIES / 2).all(|word| *word == 0) {
            return Self::default();
        }
        let mut all = Box::new([0; LATENCIES]);
        for (pair, word) in all.chunks_exact_mut(2).zip(words) {
            pair.copy_from_slice(&[word & 0xffff_ffff, word >> 32]);
        }
        Self(Some(all))
    }

    fn counts(&self) -> &[u64] {
        self.0.as_ref().map_or(&[], |all| &all[..])
    }

    /// How many there are.
    pub fn count(&self) -> u64 {
        self.counts().iter().fold(0, |all, count| all.saturating_add(*count))
    }

    /// The latency at or below which the share `quantile` (per mille) of all lie, to half of itself;
    /// none where there are none.
    pub fn percentile(&self, per_mille: u64) -> Option<u64> {
        let rank = (self.count() * per_mille.min(1000)).div_ceil(1000).max(1);
        let mut seen = 0;
        let at = self.counts().iter().position(|count| {
            seen += count;
            seen >= rank
        });
        at.map(latency_high)
    }

    /// Adds those of another.
    pub fn merge(&mut self, other: &Self) {
        let Some(theirs) = &other.0 else { return };
        let all = self.0.get_or_insert_with(|| Box::new([0; LATENCIES]));
        for (mine, theirs) in all.iter_mut().zip(theirs.iter()) {
            *mine = mine.saturating_add(*theirs);
        }
    }
}

/// Whose row a total is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum TotalKey {
    /// Everything.
    All,
    /// An application.
    App(u16),
    /// A VLAN; 0: frames without. `u16::MAX`: VLANs beyond those that have a row.
    Vlan(u16),
    /// A local network: its address in mapped form, and its prefix.
    Network([u64; 2], u8),
    /// All hosts outside of the local networks.
    Remote,
}

impl TotalKey {
    const ALL: u64 = 1;
    const APP: u64 = 2;
    const VLAN: u64 = 3;
    const NETWORK: u64 = 4;
    const REMOTE: u64 = 5;

    /// The network as people write it, where it is one.
    pub fn network(&self) -> Option<String> {
        let Self::Network(address, prefix) = *self else { return None };
        let address = super::read::address_of(address);
        let prefix = if address.is_ipv4() { prefix.saturating_sub(96) } else { prefix };
        Some(format!("{address}/{prefix}"))
    }

    pub(super) fn unpack(word: u64, network: [u64; 2]) -> Option<Self> {
        let [low, high, ..] = word.to_le_bytes();
        let id = u16::from_le_bytes([low, high]);
        match word >> 56 {
            Self::ALL => Some(Self::All),
            Self::APP => Some(Self::App(id)),
            Self::VLAN => Some(Self::Vlan(id)),
            Self::NETWORK => Some(Self::Network(network, low)),
            Self::REMOTE => Some(Self::Remote),
            _ => None,
        }
    }

    fn pack(self) -> (u64, [u64; 2]) {
        match self {
            Self::All => (Self::ALL << 56, [0; 2]),
            Self::App(id) => (Self::APP << 56 | u64::from(id), [0; 2]),
            Self::Vlan(id) => (Self::VLAN << 56 | u64::from(id), [0; 2]),
            Self::Network(address, prefix) => (Self::NETWORK << 56 | u64::from(prefix), address),
            Self::Remote => (Self::REMOTE << 56, [0; 2]),
        }
    }
}

/// A row. Changes stand between [`Total::begin`] and [`Total::commit`].
#[derive(Debug, Clone, Copy)]
pub struct Total<'a>(pub(super) &'a [AtomicU64; TOTAL_WORDS]);

impl Total<'_> {
    /// Opens it.
    #[inline(always)]
    pub fn begin(self) {
        begin(&self.0[0]);
    }

    /// Closes it.
    #[inline(always)]
    pub fn commit(self) {
        commit(&self.0[0]);
    }

    /// Says whose row it is, once.
    pub fn name(self, key: TotalKey) {
        let (word, network) = key.pack();
        self.begin();
        put(self.0, NETWORK, network[0]);
        put(self.0, NETWORK + 1, network[1]);
        put(self.0, KEY, word);
        self.commit();
    }

    /// Whether it has somebody's name.
    pub fn is_named(self) -> bool {
        get(self.0, KEY) != 0
    }

    /// Flows more or less: begun, and live.
    #[inline(always)]
    pub fn flows(self, begun: i64, live: i64) {
        add(self.0, FLOWS, begun.cast_unsigned());
        add(self.0, LIVE, live.cast_unsigned());
    }

    /// Adds what flows report up to `last_ns`: client to server, and back; or sent, and received.
    #[inline(always)]
    pub fn account(self, share: &Share, last_ns: u64) {
        self.take_over(share, last_ns);
        put(self.0, LAST_NS, get(self.0, LAST_NS).max(last_ns));
        meter(self.0, RATE, super::bucket_of(last_ns), share.all_bytes());
    }

    /// Takes back what was added under a name that turned out to be another.
    pub fn take_back(self, share: &Share) {
        let less = |at, by: u64| put(self.0, at, get(self.0, at).wrapping_sub(by));
        less(PACKETS, share.packets[0]);
        less(PACKETS + 1, share.packets[1]);
        less(BYTES, share.bytes[0]);
        less(BYTES + 1, share.bytes[1]);
    }

    /// Adds what was taken back elsewhere: counts, and no rate.
    #[inline(always)]
    pub fn take_over(self, share: &Share, last_ns: u64) {
        share.add_to(self.0, PACKETS, BYTES);
        if get(self.0, FIRST_NS) == 0 {
            put(self.0, FIRST_NS, last_ns);
        }
    }

    /// Counts a latency.
    #[inline(always)]
    pub fn latency(self, ns: u64) {
        count_latency(self.0, LATENCY, ns);
    }
}

/// Words of an interface's row.
pub const INTERFACE_WORDS: usize = 16;
/// Bytes of an interface's row.
pub const INTERFACE_BYTES: usize = INTERFACE_WORDS * 8;

pub(super) const FRAMES: usize = 1;
pub(super) const WIRE_BYTES: usize = 2;
pub(super) const BEGAN_NS: usize = 3;
pub(super) const ENDED_NS: usize = 4;
pub(super) const THROUGHPUT: usize = 5;
pub(super) const BURST: usize = 9;
pub(super) const BURST_BYTES: usize = 10;
pub(super) const BURST_NOW: usize = 11;
pub(super) const BURST_LAST: usize = 12;
pub(super) const BURST_MOST: usize = 13;
pub(super) const BURST_AT_NS: usize = 14;

/// An interface, as one shard sees it. Bursts are in milliseconds of 2^20 ns.
#[derive(Debug, Clone, Copy)]
pub struct InterfaceRow<'a>(pub(super) &'a [AtomicU64; INTERFACE_WORDS]);

/// Nanoseconds of a millisecond of bursts, as a shift.
pub const BURST_SHIFT: u32 = 20;

impl InterfaceRow<'_> {
    /// Adds frames that all lie in the millisecond of `time_ns`.
    #[inline]
    pub fn account(self, frames: u64, bytes: u64, time_ns: u64) {
        let words = self.0;
        begin(&words[0]);
        add(words, FRAMES, frames);
        add(words, WIRE_BYTES, bytes);
        if get(words, BEGAN_NS) == 0 {
            put(words, BEGAN_NS, time_ns);
        }
        put(words, ENDED_NS, get(words, ENDED_NS).max(time_ns));
        let bucket = super::bucket_of(time_ns);
        let newer = bucket.checked_sub(get(words, THROUGHPUT)).filter(|newer| *newer > 0);
        if let Some(newer) = newer {
            put(words, BURST_LAST, if newer == 1 { get(words, BURST_NOW) } else { 0 });
            put(words, BURST_NOW, 0);
        }
        meter(words, THROUGHPUT, bucket, bytes);
        let millisecond = time_ns >> BURST_SHIFT;
        let so_far = if get(words, BURST) == millisecond { get(words, BURST_BYTES) } else { 0 };
        let all = so_far + bytes;
        put(words, BURST, millisecond);
        put(words, BURST_BYTES, all);
        put(words, BURST_NOW, get(words, BURST_NOW).max(all));
        if all > get(words, BURST_MOST) {
            put(words, BURST_MOST, all);
            put(words, BURST_AT_NS, time_ns);
        }
        commit(&words[0]);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn latencies_have_two_buckets_a_doubling() {
        let mut last = 0;
        for us in 0..5_000_u64 {
            let bucket = latency_bucket(us * 1000);
            assert!(bucket == last || bucket == last + 1, "no gap at {us}");
            assert!(latency_high(bucket) >= us * 1000, "{us} is within its bucket");
            assert!(bucket == 0 || latency_high(bucket - 1) < us * 1000);
            last = bucket;
        }
        assert_eq!(latency_bucket(u64::MAX), LATENCIES - 1);
    }

    #[test]
    fn percentiles_come_from_the_buckets() {
        assert_eq!(Latencies::default().percentile(500), None);
        let words: [AtomicU64; LATENCIES / 2] = std::array::from_fn(|_| AtomicU64::new(0));
        for us in [100, 100, 100, 9_000] {
            count_latency(&words, 0, us * 1000);
        }
        let mut all =
            Latencies::of(&words.each_ref().map(|word| get(std::slice::from_ref(word), 0)));
        assert_eq!(all.percentile(500), Some(latency_high(latency_bucket(100_000))));
        assert_eq!(all.percentile(1000), Some(latency_high(latency_bucket(9_000_000))));
        all.merge(&Latencies::default());
        assert_eq!(all.count(), 4);
        let mut none = Latencies::default();
        none.merge(&all);
        assert_eq!(none, all);
    }
}
