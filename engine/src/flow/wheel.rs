//! The timer wheel: one link a flow slot, no removal.
//!
//! Idea: a slot is in at most one bucket. Whoever takes a due slot out looks at the flow and arms
//! it again for the flow's real deadline (lazy re-arm), so a packet never touches the wheel, and
//! a freed slot simply drops out the next time its bucket comes round.

use crate::sys::table::table;

use super::group::prefetch;

/// Nanoseconds of a tick: a power of two near a quarter of a second.
const TICK_SHIFT: u32 = 28;
/// Buckets: with [`TICK_SHIFT`] about nine minutes.
const BUCKETS: u64 = 2048;

const END: u32 = u32::MAX;
const UNLINKED: u32 = u32::MAX - 1;

/// See the module.
#[derive(Debug)]
pub(crate) struct Wheel {
    heads: Box<[u32]>,
    next: Box<[u32]>,
    /// The tick whose bucket is in `due`.
    tick: u64,
    due: u32,
}

impl Wheel {
    /// A wheel for `slots` slots, below 2^32 - 2.
    pub(crate) fn new(slots: usize) -> Wheel {
        let heads = vec![END; usize::try_from(BUCKETS).unwrap_or(usize::MAX)];
        Wheel { heads: heads.into(), next: table(UNLINKED, slots), tick: 0, due: END }
    }

    /// Makes `slot` come up at `deadline_ns`, no earlier than a tick from now and no later than a
    /// turn of the wheel. A slot that is armed already stays as it is.
    #[inline]
    pub(crate) fn arm(&mut self, slot: u32, deadline_ns: u64) {
        if self.next[slot as usize] != UNLINKED {
            return;
        }
        let earliest = self.tick + 1;
        let tick = ((deadline_ns >> TICK_SHIFT) + 1).clamp(earliest, earliest + BUCKETS - 2);
        let head = &mut self.heads[bucket(tick)];
        self.next[slot as usize] = *head;
        *head = slot;
    }

    /// Asks for what [`Wheel::arm`] will write of `slot`.
    #[inline(always)]
    pub(crate) fn prefetch(&self, slot: u32) {
        prefetch::<0, _>(&self.next[slot as usize]);
    }

    /// Takes out the next slot that is due at `now_ns`. Time that goes backwards does nothing.
    #[inline]
    pub(crate) fn pop(&mut self, now_ns: u64) -> Option<u32> {
        if self.due == END {
            self.turn_to(now_ns >> TICK_SHIFT)?;
        }
        let slot = self.due;
        self.due = std::mem::replace(&mut self.next[slot as usize], UNLINKED);
        Some(slot)
    }

    /// Turns to the next bucket, up to `now`, that holds something.
    #[inline]
    fn turn_to(&mut self, now: u64) -> Option<()> {
        if now > self.tick + BUCKETS {
            // Everything armed is due within one turn of the wheel: skip the empty laps.
            self.skip_laps(now);
        }
        while self.tick < now {
            self.tick += 1;
            self.due = std::mem::replace(&mut self.heads[bucket(self.tick)], END);
            if self.due != END {
                return Some(());
            }
        }
        None
    }

    #[cold]
    fn skip_laps(&mut self, now: u64) {
        let laps = (now - self.tick) / BUCKETS - 1;
        self.tick += laps * BUCKETS;
    }
}

const fn bucket(tick: u64) -> usize {
    (tick % BUCKETS) as usize
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const SECOND: u64 = 1_000_000_000;

    fn drain(wheel: &mut Wheel, now_ns: u64) -> Vec<u32> {
        std::iter::from_fn(|| wheel.pop(now_ns)).collect()
    }

    #[test]
    fn a_slot_comes_up_once_and_not_early() {
        let mut wheel = Wheel::new(4);
        let start = 1_700_000_000 * SECOND;
        assert!(drain(&mut wheel, start).is_empty());
        wheel.arm(2, start + 60 * SECOND);
        wheel.arm(2, start + SECOND); // Armed already: stays.
        assert!(drain(&mut wheel, start + 59 * SECOND).is_empty());
        assert_eq!(drain(&mut wheel, start + 61 * SECOND), [2]);
        assert!(drain(&mut wheel, start + 400 * SECOND).is_empty());
    }

    #[test]
    fn a_long_silence_loses_nothing() {
        let mut wheel = Wheel::new(2);
        let start = 1_700_000_000 * SECOND;
        drain(&mut wheel, start);
        wheel.arm(0, start + 300 * SECOND);
        assert_eq!(drain(&mut wheel, start + 86_400 * SECOND), [0]);
    }

    proptest! {
        /// Against the plain twin: a sorted list of deadlines.
        #[test]
        fn every_slot_comes_up_within_a_tick_of_its_deadline(
            deadlines in proptest::collection::vec(1_u64..500, 1..40),
            step_s in 1_u64..20,
        ) {
            let start = 1_700_000_000 * SECOND;
            let mut wheel = Wheel::new(deadlines.len());
            drain(&mut wheel, start);
            for (slot, deadline) in deadlines.iter().enumerate() {
                wheel.arm(u32::try_from(slot).unwrap(), start + deadline * SECOND);
            }
            let mut seen = vec![false; deadlines.len()];
            let mut now = start;
            while now < start + 600 * SECOND {
                now += step_s * SECOND;
                for slot in drain(&mut wheel, now) {
                    let slot = slot as usize;
                    prop_assert!(!seen[slot]);
                    seen[slot] = true;
                    prop_assert!(start + deadlines[slot] * SECOND <= now);
                    prop_assert!(now <= start + (deadlines[slot] + step_s + 1) * SECOND);
                }
            }
            prop_assert!(seen.iter().all(|seen| *seen));
        }
    }
}
