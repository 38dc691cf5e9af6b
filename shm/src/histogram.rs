//! Histograms with a bounded relative error: 32 buckets for every doubling, so that a value is
//! known to 1/32 of itself, from 0 to 2^40 − 1. Larger values count in the last bucket and keep
//! their size in the maximum.
//!
//! A bucket's index is the position of the value's highest bit and the five bits below it. Values
//! under 64 have a bucket each.

use crate::{
    counters::Unit,
    segment::{ReadWords, WriteWords},
    sync::Ordering,
};

/// Definition of a histogram, as an engine writes it down.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct HistogramDef {
    /// Name, unique in its segment.
    pub name: &'static str,
    /// Unit of the recorded values.
    pub unit: Unit,
    /// One sentence for people.
    pub help: &'static str,
}

const SUB_BITS: u32 = 5;
const VALUE_BITS: u32 = 40;
const VALUE_MAX: u64 = (1 << VALUE_BITS) - 1;

/// Number of buckets.
pub const BUCKETS: usize = ((VALUE_BITS - SUB_BITS + 1) as usize) << SUB_BITS;
/// Words before the buckets: sum, minimum + 1 (0 for none), maximum, and reserved ones.
pub(crate) const HEAD: usize = 16;
/// Words of a histogram.
pub(crate) const WORDS: usize = HEAD + BUCKETS;

const SUM: usize = 0;
const MIN_PLUS_ONE: usize = 1;
const MAX: usize = 2;

/// The bucket of a value.
#[inline(always)]
pub fn bucket_of(value: u64) -> usize {
    bucket(value.min(VALUE_MAX), SUB_BITS)
}

/// The lowest value that counts in a bucket.
pub fn bucket_low(bucket: usize) -> u64 {
    low(bucket.min(BUCKETS - 1), SUB_BITS)
}

/// The highest value that counts in a bucket.
pub fn bucket_high(bucket: usize) -> u64 {
    if bucket + 1 >= BUCKETS { u64::MAX } else { bucket_low(bucket + 1) - 1 }
}

/// The bucket of a value where each doubling has 2^`bits` of them.
#[inline(always)]
pub(crate) fn bucket(value: u64, bits: u32) -> usize {
    let shift = 63_u32.saturating_sub((value | 1 << bits).leading_zeros()) - bits;
    ((shift as usize) << bits) + usize::try_from(value >> shift).unwrap_or(0)
}

/// The lowest value of a bucket, likewise.
pub(crate) const fn low(bucket: usize, bits: u32) -> u64 {
    let bucket = bucket as u64;
    let shift = (bucket >> bits).saturating_sub(1);
    (bucket - (shift << bits)) << shift
}

/// The bucket in which the value of this rank (from 1 on) lies.
pub(crate) fn bucket_at(buckets: &[u64], rank: u64) -> Option<usize> {
    let mut seen = 0_u64;
    buckets.iter().position(|&count| {
        seen = seen.saturating_add(count);
        seen >= rank
    })
}

/// The writing half of a histogram.
#[derive(Debug)]
pub struct HistogramWriter {
    words: WriteWords,
}

impl HistogramWriter {
    pub(crate) fn new(words: WriteWords) -> Self {
        debug_assert!(words.len() >= WORDS);
        Self { words }
    }

    /// Counts one value.
    #[inline]
    pub fn record(&mut self, value: u64) {
        self.record_n(value, 1);
    }

    /// Counts a value `times` times.
    #[inline]
    pub fn record_n(&mut self, value: u64, times: u64) {
        if times == 0 {
            return;
        }
        self.add(HEAD + bucket_of(value), times);
        self.add(SUM, value.wrapping_mul(times));
        // Without branches, so that recording costs the same whatever is recorded. A minimum of 0,
        // none yet, becomes the greatest there is.
        let min = self.words[MIN_PLUS_ONE].load(Ordering::Relaxed).wrapping_sub(1).min(value);
        self.words[MIN_PLUS_ONE].store(min.saturating_add(1), Ordering::Relaxed);
        let max = self.words[MAX].load(Ordering::Relaxed).max(value);
        self.words[MAX].store(max, Ordering::Relaxed);
    }

    #[inline(always)]
    fn add(&self, index: usize, value: u64) {
        let word = &self.words[index];
        word.store(word.load(Ordering::Relaxed).wrapping_add(value), Ordering::Relaxed);
    }
}

/// A copy of a histogram.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Histogram {
    buckets: Vec<u64>,
    count: u64,
    sum: u64,
    min: u64,
    max: u64,
}

impl Histogram {
    pub(crate) fn read(words: &ReadWords) -> Self {
        let buckets: Vec<u64> = (0..BUCKETS).map(|index| words.load(HEAD + index)).collect();
        Self {
            count: buckets.iter().fold(0, |all, &bucket| all.saturating_add(bucket)),
            buckets,
            sum: words.load(SUM),
            min: words.load(MIN_PLUS_ONE).saturating_sub(1),
            max: words.load(MAX),
        }
    }

    /// Number of values.
    pub fn count(&self) -> u64 {
        self.count
    }

    /// Smallest value; 0 if there is none.
    pub fn min(&self) -> u64 {
        self.min
    }

    /// Largest value; 0 if there is none.
    pub fn max(&self) -> u64 {
        self.max
    }

    /// Mean; 0 if there is no value.
    #[expect(clippy::cast_precision_loss, reason = "a mean for people")]
    pub fn mean(&self) -> f64 {
        if self.count == 0 { 0.0 } else { self.sum as f64 / self.count as f64 }
    }

    /// The value below or at which the share `quantile` (0 to 1) of all values lie, to 1/32 of
    /// itself and never above the maximum; 0 if there is no value.
    #[expect(
        clippy::cast_precision_loss,
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "a rank, clamped below; 2^53 values are exact"
    )]
    pub fn percentile(&self, quantile: f64) -> u64 {
        let rank = (quantile.clamp(0.0, 1.0) * self.count as f64).ceil().max(1.0) as u64;
        let index = bucket_at(&self.buckets, rank);
        index.map_or(self.max, |index| bucket_high(index).min(self.max).max(self.min))
    }

    /// The buckets that are not empty: lowest value, highest value, count.
    pub fn buckets(&self) -> impl Iterator<Item = (u64, u64, u64)> {
        let filled = self.buckets.iter().enumerate().filter(|&(_, &count)| count > 0);
        filled.map(|(index, &count)| (bucket_low(index), bucket_high(index), count))
    }

    /// Adds another histogram's values to this one's.
    pub fn merge(&mut self, other: &Self) {
        if other.count == 0 {
            return;
        }
        self.min = if self.count == 0 { other.min } else { self.min.min(other.min) };
        self.max = self.max.max(other.max);
        self.count = self.count.saturating_add(other.count);
        self.sum = self.sum.wrapping_add(other.sum);
        for (mine, theirs) in self.buckets.iter_mut().zip(&other.buckets) {
            *mine = mine.saturating_add(*theirs);
        }
    }
}

#[cfg(not(loom))]
#[cfg(test)]
mod tests {
    #![expect(
        clippy::cast_precision_loss,
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "ranks and means of a few hundred small values"
    )]

    use super::*;
    use crate::segment::pair;
    use proptest::prelude::*;

    #[test]
    fn buckets_cover_everything_without_gap_or_overlap() {
        assert_eq!(bucket_low(0), 0);
        for bucket in 0..BUCKETS {
            assert_eq!(bucket_of(bucket_low(bucket)), bucket);
            if bucket + 1 < BUCKETS {
                assert_eq!(bucket_high(bucket) + 1, bucket_low(bucket + 1));
                assert_eq!(bucket_of(bucket_high(bucket)), bucket);
            }
        }
        assert_eq!(bucket_of(VALUE_MAX), BUCKETS - 1);
        assert_eq!(bucket_of(u64::MAX), BUCKETS - 1);
    }

    #[test]
    fn an_empty_histogram_is_all_zero() {
        let histogram = Histogram::read(&pair(WORDS).1);
        assert_eq!((histogram.count(), histogram.min(), histogram.max()), (0, 0, 0));
        assert_eq!((histogram.percentile(0.5), histogram.buckets().count()), (0, 0));
        assert!(histogram.mean().abs() < f64::EPSILON);
    }

    proptest! {
        /// Against the sorted values: count, extremes and mean are exact, percentiles to 1/32.
        #[test]
        fn agrees_with_the_sorted_values(
            mut values in prop::collection::vec(0_u64..1 << 38, 1..300),
            small in prop::collection::vec(0_u64..100, 0..300),
            quantile in 0.0..=1.0_f64,
        ) {
            values.extend(small);
            let (write, read) = pair(2 * WORDS);
            let mut writer = HistogramWriter::new(write);
            for &value in &values {
                writer.record(value);
            }
            let histogram = Histogram::read(&read);
            values.sort_unstable();
            prop_assert_eq!(histogram.count(), values.len() as u64);
            prop_assert_eq!(histogram.min(), values[0]);
            prop_assert_eq!(histogram.max(), values[values.len() - 1]);
            let mean = values.iter().sum::<u64>() as f64 / values.len() as f64;
            prop_assert!((histogram.mean() - mean).abs() <= mean * 1e-9);
            let rank = ((quantile * values.len() as f64).ceil() as usize).max(1);
            let (told, exact) = (histogram.percentile(quantile), values[rank - 1]);
            prop_assert!(told >= exact && told - exact <= exact / 32, "{told} for {exact}");
        }
    }

    #[test]
    fn merging_is_recording_both() {
        let (a, b, both) = (pair(WORDS), pair(WORDS), pair(WORDS));
        let mut writers = [a.0, b.0, both.0].map(HistogramWriter::new);
        for value in [3, 900, 70_000] {
            writers[0].record(value);
            writers[2].record(value);
        }
        writers[1].record_n(2, 5);
        writers[2].record_n(2, 5);
        let mut merged = Histogram::read(&a.1);
        merged.merge(&Histogram::read(&b.1));
        assert_eq!(merged, Histogram::read(&both.1));
    }
}
