//! Sizes, distances and rates of a direction's packets: the words that every packet changes.

use weir_shm::flow::FlowSlot;
use weir_shm::health::{
    GAP_MAX, GAP_SQUARES, HealthSlot, RATES, SECOND, SIZE_SQUARES, SIZES, high, low, statistics_of,
    with_high,
};

use crate::flow::record;

const SECOND_NS: u64 = 1_000_000_000;

/// Notes the first packet of a direction.
pub(super) fn begin(slot: &HealthSlot, lane: usize, bytes: u32, now_ns: u64) {
    let base = statistics_of(lane);
    slot.store(base + SIZES, with_high(bytes.into(), bytes));
    slot.store(base + SIZE_SQUARES, u64::from(bytes) * u64::from(bytes));
    slot.store(base + SECOND, with_high(second(now_ns).into(), bytes));
    slot.store(base + RATES, with_high(0, bytes));
}

/// Notes another packet; `flow` does not have it yet.
#[inline(always)]
pub(super) fn count(slot: &HealthSlot, flow: &FlowSlot, lane: usize, bytes: u32, now_ns: u64) {
    let (packets, last_ns) = record::of_lane(flow, lane);
    if packets == 0 {
        begin(slot, lane, bytes, now_ns);
        return;
    }
    let base = statistics_of(lane);
    let sizes = slot.load(base + SIZES);
    if bytes < low(sizes) || bytes > high(sizes) {
        let least = low(sizes).min(bytes);
        slot.store(base + SIZES, with_high(least.into(), high(sizes).max(bytes)));
    }
    let squares = slot.load(base + SIZE_SQUARES);
    slot.store(base + SIZE_SQUARES, squares.wrapping_add(u64::from(bytes) * u64::from(bytes)));
    let gap_ns = now_ns.saturating_sub(last_ns);
    slot.store(base + GAP_SQUARES, add_square(slot.load(base + GAP_SQUARES), gap_ns));
    if gap_ns > slot.load(base + GAP_MAX) {
        slot.store(base + GAP_MAX, gap_ns);
    }
    count_rate(slot, base, bytes, now_ns);
}

/// A sum of squares, kept as the bits of a double, and one more.
#[inline(always)]
#[expect(clippy::cast_precision_loss, reason = "a deviation is wanted to a few digits")]
fn add_square(sum: u64, value: u64) -> u64 {
    let value = value as f64;
    (f64::from_bits(sum) + value * value).to_bits()
}

#[inline(always)]
fn count_rate(slot: &HealthSlot, base: usize, bytes: u32, now_ns: u64) {
    let (newest, second) = (slot.load(base + SECOND), second(now_ns));
    let in_second = if second <= low(newest) {
        // A packet that comes late counts where the newest does.
        high(newest).saturating_add(bytes)
    } else {
        let before = if second == low(newest) + 1 { high(newest) } else { 0 };
        let rates = slot.load(base + RATES);
        slot.store(base + RATES, with_high(before.into(), high(rates)));
        bytes
    };
    slot.store(base + SECOND, with_high(low(newest).max(second).into(), in_second));
    let rates = slot.load(base + RATES);
    if in_second > high(rates) {
        slot.store(base + RATES, with_high(rates, in_second));
    }
}

#[inline(always)]
#[expect(clippy::cast_possible_truncation, reason = "Unix seconds fit 32 bits until 2106")]
const fn second(now_ns: u64) -> u32 {
    (now_ns / SECOND_NS) as u32
}
