//! Sizes, distances and rates of a direction's packets: the words that every packet changes.

use weir_shm::health::{
    BUCKET, GAP_SQUARES, HealthSlot, RATES, SIZE_SQUARES, SIZES, TICK_NS, high, low, statistics_of,
    ticks, with_high, with_low,
};
use weir_shm::hosts::bucket_of;

/// Notes the first packet of a direction.
pub(super) fn begin(slot: &HealthSlot, lane: usize, bytes: u32) {
    let base = statistics_of(lane);
    let size = u64::from(bytes.min(u16::MAX.into()));
    slot.store(base + SIZES, size | size << 16);
    slot.store(base + SIZE_SQUARES, u64::from(bytes) * u64::from(bytes));
    slot.store(base + BUCKET, with_low(slot.load(base + BUCKET), bytes));
}

/// Notes another packet of a direction, the last of which came at `last_ns`.
#[inline(always)]
pub(super) fn count(slot: &HealthSlot, lane: usize, bytes: u32, now_ns: u64, last_ns: u64) {
    let base = statistics_of(lane);
    let squares = slot.load(base + SIZE_SQUARES);
    slot.store(base + SIZE_SQUARES, squares.wrapping_add(u64::from(bytes) * u64::from(bytes)));
    let gap_ns = now_ns.saturating_sub(last_ns);
    slot.store(base + GAP_SQUARES, add_square(slot.load(base + GAP_SQUARES), gap_ns));
    let sizes = slot.load(base + SIZES);
    let size = u64::from(bytes.min(u16::MAX.into()));
    let (least, most) = (sizes & 0xffff, sizes >> 16 & 0xffff);
    if size < least || size > most || gap_ns > u64::from(high(sizes)) * TICK_NS {
        let sizes = least.min(size) | most.max(size) << 16 | sizes >> 32 << 32;
        slot.store(base + SIZES, with_high(sizes, high(sizes).max(ticks(gap_ns))));
    }
    if bucket_of(now_ns) > bucket_of(last_ns) {
        begin_bucket(slot, lane, bytes, bucket_of(now_ns) == bucket_of(last_ns) + 1);
    } else {
        // A packet that comes late counts where the newest does.
        let bucket = slot.load(base + BUCKET);
        slot.store(base + BUCKET, with_low(bucket, low(bucket).saturating_add(bytes)));
    }
}

/// A sum of squares, kept as the bits of a double, and one more.
#[inline(always)]
#[expect(clippy::cast_precision_loss, reason = "a deviation is wanted to a few digits")]
fn add_square(sum: u64, value: u64) -> u64 {
    let value = value as f64;
    (f64::from_bits(sum) + value * value).to_bits()
}

/// The first packet of a bucket of time; `is_next`: that after the last one's.
#[cold]
fn begin_bucket(slot: &HealthSlot, lane: usize, bytes: u32, is_next: bool) {
    let base = slot.trips(lane);
    let bucket = slot.load(statistics_of(lane) + BUCKET);
    let most = high(slot.load(base + RATES)).max(low(bucket));
    let before = if is_next { low(bucket) } else { 0 };
    slot.store(base + RATES, with_high(before.into(), most));
    slot.store(statistics_of(lane) + BUCKET, with_low(bucket, bytes));
}
