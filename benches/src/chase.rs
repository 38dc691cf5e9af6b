//! What a machine's memory does: reads of random cache lines, one after the other and at once.

use std::hint::black_box;

use memmap2::{Advice, MmapMut};

use crate::table::mixed;

const LINE: usize = 64;

/// Cache lines on one random cycle: each begins with the number of the next.
#[derive(Debug)]
pub struct Chase {
    lines: MmapMut,
    count: u32,
    at: u32,
}

impl Chase {
    /// A cycle over `bytes` of memory, on huge pages where that is asked for and the system has any.
    ///
    /// # Panics
    /// There is no memory.
    #[expect(clippy::expect_used, reason = "a measurement without memory is none")]
    pub fn new(bytes: u64, huge_pages: bool) -> Chase {
        let count = u32::try_from(bytes / LINE as u64).unwrap_or(u32::MAX).max(2);
        let lines = MmapMut::map_anon(count as usize * LINE).expect("memory");
        if huge_pages {
            // A wish: where it is not granted, the figures are those of small pages.
            lines.advise(Advice::HugePage).ok();
        }
        let mut chase = Chase { lines, count, at: 0 };
        (0..count).for_each(|line| chase.set_next(line, line));
        // Sattolo's shuffle makes one cycle of all.
        for last in (1..count).rev() {
            let other = below(last, last);
            let (next, others) = (chase.next(last), chase.next(other));
            chase.set_next(last, others);
            chase.set_next(other, next);
        }
        chase
    }

    #[inline(always)]
    fn next(&self, line: u32) -> u32 {
        let from = line as usize * LINE;
        let next = self.lines.get(from..from + 4).and_then(|bytes| bytes.try_into().ok());
        next.map_or(0, u32::from_ne_bytes)
    }

    fn set_next(&mut self, line: u32, next: u32) {
        let from = line as usize * LINE;
        self.lines[from..from + 4].copy_from_slice(&next.to_ne_bytes());
    }

    /// Follows the cycle for so many steps: each read waits for the one before.
    pub fn follow(&mut self, steps: u32) {
        let mut at = self.at;
        for _ in 0..steps {
            at = self.next(at);
        }
        self.at = black_box(at);
    }

    /// Reads so many random lines, each on its own; `seed` says which.
    pub fn read(&self, reads: u32, seed: u32) {
        let mut sum = 0_u32;
        for number in 0..reads {
            sum ^= self.next(below(seed.wrapping_add(number), self.count));
        }
        black_box(sum);
    }
}

/// A number below `count` that looks random.
#[inline(always)]
pub fn below(number: u32, count: u32) -> u32 {
    u32::try_from((u64::from(mixed(number)) * u64::from(count)) >> 32).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_cycle_has_every_line() {
        const LINES: u32 = 1000;
        let mut chase = Chase::new(u64::from(LINES) * 64, false);
        let mut seen = std::collections::BTreeSet::new();
        for _ in 0..LINES {
            chase.follow(1);
            seen.insert(chase.at);
        }
        assert_eq!(seen.len(), LINES as usize);
    }
}
