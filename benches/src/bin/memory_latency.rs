//! How long this machine's memory takes to give a line that no cache has: the floor under a flow
//! table's look-up. `perf/scaling.sh` runs it; one JSON line a size.
//!
//! Idea: a chain of lines, each naming the next, in an order that looks random and is one cycle.
//! Following it, no line can be asked for before the one ahead has come. Following several such
//! chains at once, from places far from each other, that many are on their way at a time: as in a
//! batch whose look-ups are asked for ahead.
#![expect(clippy::print_stdout, reason = "the lines are for the script that runs it")]

use std::hint::black_box;

use rustix::time::{ClockId, clock_gettime};

/// A cache line whose first word is the next one's index.
#[derive(Clone, Copy)]
#[repr(C, align(64))]
struct Line([u32; 16]);

const SIZES: [usize; 5] = [16 << 10, 512 << 10, 8 << 20, 128 << 20, 1 << 30];
const STEPS: usize = 4_000_000;

fn main() {
    for bytes in SIZES {
        let lines = chain(bytes / size_of::<Line>());
        let alone = follow::<1>(&lines);
        let (eight, sixteen) = (follow::<8>(&lines), follow::<16>(&lines));
        println!(
            "{{\"bytes\": {bytes}, \"ns\": {alone:.2}, \"ns_of_8\": {eight:.2}, \
             \"ns_of_16\": {sixteen:.2}}}"
        );
    }
}

/// Lines that form one cycle (Sattolo's algorithm).
fn chain(count: usize) -> Vec<Line> {
    let mut order: Vec<u32> = (0..u32::try_from(count).unwrap_or(u32::MAX)).collect();
    let mut state = 0x9E37_79B9_7F4A_7C15_u64;
    for last in (1..order.len()).rev() {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        let other = usize::try_from(state >> 32).unwrap_or(0) % last;
        order.swap(last, other);
    }
    order.iter().map(|next| Line([*next; 16])).collect()
}

/// Nanoseconds a line, `CHAINS` of them on their way at a time.
fn follow<const CHAINS: usize>(lines: &[Line]) -> f64 {
    let mut at: [usize; CHAINS] = std::array::from_fn(|chain| chain * lines.len() / CHAINS);
    let steps = STEPS / CHAINS;
    // Once around a small one, so that its caches have it.
    for _ in 0..lines.len().min(steps) {
        step(&mut at, lines);
    }
    let started = now();
    for _ in 0..steps {
        step(&mut at, lines);
    }
    let took = now() - started;
    black_box(at);
    took / f64::from(u32::try_from(steps * CHAINS).unwrap_or(u32::MAX))
}

#[inline(always)]
fn step<const CHAINS: usize>(at: &mut [usize; CHAINS], lines: &[Line]) {
    for place in at {
        *place = lines.get(*place).map_or(0, |line| line.0[0] as usize);
    }
}

/// Nanoseconds of this thread's processor time.
#[expect(clippy::cast_precision_loss, reason = "a few seconds, to a nanosecond")]
fn now() -> f64 {
    let time = clock_gettime(ClockId::ThreadCPUTime);
    time.tv_sec as f64 * 1e9 + time.tv_nsec as f64
}
