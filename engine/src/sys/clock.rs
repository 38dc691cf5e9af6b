//! The one clock: read once or twice a turn, never a packet.

use std::time::Duration;

use rustix::time::{ClockId, clock_gettime};

/// Nanoseconds since some fixed moment; never goes back.
#[inline]
pub fn monotonic_ns() -> u64 {
    read(ClockId::Monotonic)
}

/// Unix nanoseconds.
#[inline]
pub fn unix_ns() -> u64 {
    read(ClockId::Realtime)
}

/// Nanoseconds that the calling thread has spent on a processor.
pub fn thread_cpu_ns() -> u64 {
    read(ClockId::ThreadCPUTime)
}

/// Rests for `time`, for threads that handle no packets.
pub fn rest(time: Duration) {
    #[expect(clippy::disallowed_methods, reason = "the one place; no packet waits here")]
    std::thread::sleep(time);
}

#[inline]
fn read(clock: ClockId) -> u64 {
    let time = clock_gettime(clock);
    let seconds = u64::try_from(time.tv_sec).unwrap_or_default();
    seconds * 1_000_000_000 + u64::try_from(time.tv_nsec).unwrap_or_default()
}
