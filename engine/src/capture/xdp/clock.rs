//! Unix time from the monotonic clock, which the XDP program stamps frames with.

use rustix::time::{ClockId, clock_gettime};

/// How often the difference of the two clocks is taken anew. The system's clock is steered by at
/// most 500 ppm (`adjtimex(2)`), so it is off by at most 50 µs in between.
const REFRESH_NS: u64 = 100_000_000;

/// Turns one clock into the other.
#[derive(Debug)]
pub(super) struct Clock {
    /// Unix time less monotonic time, wrapping.
    offset_ns: u64,
    refreshed_ns: u64,
}

impl Clock {
    pub(super) fn new() -> Clock {
        let mut clock = Clock { offset_ns: 0, refreshed_ns: 0 };
        clock.refresh(read(ClockId::Monotonic));
        clock
    }

    /// Unix time now.
    #[inline]
    pub(super) fn now_ns(&mut self) -> u64 {
        let monotonic_ns = read(ClockId::Monotonic);
        if monotonic_ns.wrapping_sub(self.refreshed_ns) >= REFRESH_NS {
            self.refresh(monotonic_ns);
        }
        self.unix_ns(monotonic_ns)
    }

    /// Monotonic time now.
    #[expect(clippy::unused_self, reason = "the one clock of a source")]
    pub(super) fn monotonic_ns(&self) -> u64 {
        read(ClockId::Monotonic)
    }

    /// Unix time of a monotonic time.
    #[inline]
    pub(super) const fn unix_ns(&self, monotonic_ns: u64) -> u64 {
        monotonic_ns.wrapping_add(self.offset_ns)
    }

    fn refresh(&mut self, monotonic_ns: u64) {
        self.offset_ns = read(ClockId::Realtime).wrapping_sub(read(ClockId::Monotonic));
        self.refreshed_ns = monotonic_ns;
    }
}

fn read(clock: ClockId) -> u64 {
    let time = clock_gettime(clock);
    let seconds = u64::try_from(time.tv_sec).unwrap_or(0);
    seconds * 1_000_000_000 + u64::try_from(time.tv_nsec).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn is_the_unix_time() {
        let mut clock = Clock::new();
        let now = clock.now_ns();
        let system = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap();
        let difference = u128::from(now).abs_diff(system.as_nanos());
        assert!(difference < 1_000_000_000, "{difference} ns apart");
        assert!(clock.now_ns() >= now);
    }
}
