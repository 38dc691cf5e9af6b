//! What moved since the last look.

use std::collections::HashMap;
use std::hash::{BuildHasherDefault, Hasher};

use crate::flow::Flow;

/// A hash for numbers that are already spread well enough: the engine's flow numbers.
#[derive(Clone, Copy, Default, Debug)]
pub(super) struct NumberHasher(u64);

impl Hasher for NumberHasher {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.write_u64(u64::from(*byte));
        }
    }

    fn write_u16(&mut self, number: u16) {
        self.write_u64(u64::from(number));
    }

    fn write_u64(&mut self, number: u64) {
        // Any odd constant with its bits well mixed does; this is 2^64 divided by the golden ratio.
        self.0 = (self.0.rotate_left(17) ^ number).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    }
}

type Seen = HashMap<(u16, u64), u64, BuildHasherDefault<NumberHasher>>;

/// Bytes of every live flow at the last look and at this one.
#[derive(Clone, Default, Debug)]
pub(super) struct Moved {
    before: Seen,
    now: Seen,
    /// Whether there was a look before.
    warm: bool,
}

impl Moved {
    /// Begins a look.
    pub(super) fn begin(&mut self) {
        std::mem::swap(&mut self.before, &mut self.now);
        self.now.clear();
        self.warm = !self.before.is_empty() || self.warm;
    }

    /// Bytes that a live flow moved since the last look.
    pub(super) fn live(&mut self, flow: &Flow<'_>) -> u64 {
        let bytes = flow.bytes_total();
        let more = self.more(flow, bytes);
        self.now.insert((flow.shard, flow.id), bytes);
        more
    }

    fn more(&self, flow: &Flow<'_>, bytes: u64) -> u64 {
        match self.before.get(&(flow.shard, flow.id)) {
            Some(was) => bytes.saturating_sub(*was),
            // A flow that began since; at the first look nothing is known of when its bytes came.
            None if self.warm => bytes,
            None => 0,
        }
    }
}

/// `amount` in `seconds` as a rate; 0 where no time passed.
#[expect(
    clippy::cast_precision_loss,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a rate for people; the cast saturates"
)]
pub(super) fn per_second(amount: u64, seconds: f64) -> u64 {
    if seconds > 0.0 { (amount as f64 / seconds) as u64 } else { 0 }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::flow::tests::sample;

    #[test]
    fn only_what_moved_since_the_last_look_counts() {
        let mut slot = sample();
        let mut moved = Moved::default();
        moved.begin();
        assert_eq!(moved.live(&Flow::decode(&slot, 0, &[])), 0, "nothing is known yet");
        slot.words[9] += 500;
        moved.begin();
        assert_eq!(moved.live(&Flow::decode(&slot, 0, &[])), 500);
        slot.words[6] += 1;
        moved.begin();
        let bytes = 31_500 + 500;
        assert_eq!(moved.live(&Flow::decode(&slot, 0, &[])), bytes, "a new flow counts whole");
    }
}
