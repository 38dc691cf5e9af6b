//! Latencies of a host or a total: small histograms, with the buckets of [`crate::histogram`] but two a
//! doubling, of microseconds, in counts of 32 bits.

use super::add;
use crate::histogram::{bucket, bucket_at, low};
use crate::sync::AtomicU64;

/// What is waited for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(usize)]
pub enum Wait {
    /// The way to the server and back.
    ServerDelay = 0,
    /// The way to the client and back.
    ClientDelay = 1,
    /// The server's answer.
    Answer = 2,
}

/// Buckets.
pub const LATENCIES: usize = 64;
/// Words of a histogram: two counts each.
pub(super) const LATENCY_WORDS: usize = LATENCIES / 2;
const SUB_BITS: u32 = 1;

/// The bucket of a latency.
#[inline(always)]
pub fn latency_bucket(ns: u64) -> usize {
    bucket((ns / 1000).min(u64::from(u32::MAX)), SUB_BITS)
}

/// The highest latency of a bucket, nanoseconds.
pub fn latency_high(bucket: usize) -> u64 {
    low(bucket.min(LATENCIES - 1) + 1, SUB_BITS) * 1000 - 1
}

/// Counts a latency among the words of a histogram from `at` on, `times` times.
#[inline(always)]
pub(super) fn count_latency(words: &[AtomicU64], at: usize, ns: u64, times: u32) {
    let bucket = latency_bucket(ns);
    add(words, at + bucket / 2, u64::from(times) << (bucket % 2 * 32));
}

/// Latencies as read. Most hosts have none, and then there is no room for any.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Latencies(Option<Box<[u64; LATENCIES]>>);

impl Latencies {
    pub(super) fn of(words: &[u64]) -> Self {
        if words.iter().take(LATENCY_WORDS).all(|word| *word == 0) {
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
        bucket_at(self.counts(), rank).map(latency_high)
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::hosts::get;

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
            count_latency(&words, 0, us * 1000, 1);
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
