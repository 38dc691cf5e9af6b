//! Messages of 64 bytes from one core to others, measured alike for whatever carries them: how long
//! one is on its way, and how many get there. `perf/iceoryx2` takes this file in by its path, so it
//! leans on `rustix` and `hdrhistogram` alone.

use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::thread;
use std::time::Duration;

use hdrhistogram::Histogram;
use rustix::thread::{CpuSet, sched_getaffinity, sched_setaffinity};
use rustix::time::{ClockId, clock_gettime};

/// The writing end, on the first core.
pub trait Sender {
    /// Lets receivers in that wait for it.
    fn attend(&mut self) {}
    /// Sends one message, which carries this number, at once.
    fn send(&mut self, number: u64);
    /// Sends messages as fast as it goes without any receiver missing one; how many.
    fn send_some(&mut self) -> u64;
}

/// A reading end, on another core.
pub trait Receiver {
    /// The number of the next message, if there is one.
    fn next(&mut self) -> Option<u64>;
    /// Takes messages as fast as it goes; how many.
    fn take_some(&mut self) -> u64;
}

/// A single word in a cache line of its own: what these cores allow at all.
#[derive(Debug, Default)]
#[repr(align(128))]
pub struct Word(AtomicU64);

impl Sender for &Word {
    fn send(&mut self, number: u64) {
        self.0.store(number, Ordering::Release);
    }

    fn send_some(&mut self) -> u64 {
        0
    }
}

/// A look at the same word.
#[derive(Debug)]
pub struct Look<'a>(pub &'a Word, pub u64);

impl Receiver for Look<'_> {
    fn next(&mut self) -> Option<u64> {
        let number = self.0.0.load(Ordering::Acquire);
        (number != self.1).then(|| {
            self.1 = number;
            number
        })
    }

    fn take_some(&mut self) -> u64 {
        0
    }
}

/// What one receiver got.
#[derive(Clone, Copy, Debug)]
pub struct Got {
    /// Messages.
    pub messages: u64,
    /// Its processor time.
    pub cpu_ns: u64,
}

/// What a flood came to.
#[derive(Debug)]
pub struct Flood {
    /// Messages sent.
    pub sent: u64,
    /// Processor time of the sender.
    pub cpu_ns: u64,
    /// How long it took.
    pub wall_ns: u64,
    /// Each receiver's part.
    pub got: Vec<Got>,
}

/// From one message to the next while latency is measured: the receiver waits by then.
const PACE_NS: u64 = 2_000;
/// What is longer on its way than this is shown as this.
const LONGEST_NS: u64 = 1_000_000_000;

/// From just before `messages` messages are sent, one at a time, to just after each was received by
/// a receiver that spins. The clock is the system's monotonic one, read once at either end.
pub fn latency<S: Sender, R: Receiver>(
    sender: &mut S,
    receiver: impl FnOnce() -> R + Send,
    messages: u64,
) -> Histogram<u64> {
    let (ready, stop) = (AtomicBool::new(false), AtomicBool::new(false));
    thread::scope(|scope| {
        let body = || {
            pin(1);
            let mut receiver = receiver();
            let mut times = histogram();
            ready.store(true, Ordering::Release);
            loop {
                let over = stop.load(Ordering::Acquire);
                while let Some(sent_ns) = receiver.next() {
                    times.saturating_record(monotonic_ns().saturating_sub(sent_ns));
                }
                if over {
                    return times;
                }
            }
        };
        let handle = scope.spawn(body);
        pin(0);
        while !ready.load(Ordering::Acquire) {
            sender.attend();
        }
        let mut next_ns = monotonic_ns();
        for _ in 0..messages {
            let mut now_ns = monotonic_ns();
            while now_ns < next_ns {
                std::hint::spin_loop();
                now_ns = monotonic_ns();
            }
            next_ns = now_ns + PACE_NS;
            sender.send(monotonic_ns());
        }
        stop.store(true, Ordering::Release);
        handle.join().unwrap_or_else(|_| histogram())
    })
}

/// Sends for `time` as fast as all take it, to a receiver of each kind that `receivers` makes; those
/// share the cores but the first.
pub fn flood<S: Sender, R: Receiver>(
    sender: &mut S,
    receivers: Vec<impl FnOnce() -> R + Send>,
    time: Duration,
) -> Flood {
    let (ready, stop) = (AtomicUsize::new(0), AtomicBool::new(false));
    let (ready, stop, count) = (&ready, &stop, receivers.len());
    thread::scope(|scope| {
        let spawn = |(number, receiver): (usize, _)| {
            scope.spawn(move || take_all(number, receiver, ready, stop))
        };
        let handles: Vec<_> = receivers.into_iter().enumerate().map(spawn).collect();
        pin(0);
        while ready.load(Ordering::Acquire) < count {
            sender.attend();
        }
        let (started_ns, started_cpu) = (monotonic_ns(), thread_cpu_ns());
        let end_ns = started_ns + u64::try_from(time.as_nanos()).unwrap_or(u64::MAX / 2);
        let mut sent = 0;
        while monotonic_ns() < end_ns {
            sent += sender.send_some();
        }
        stop.store(true, Ordering::Release);
        let (wall_ns, cpu_ns) = (monotonic_ns() - started_ns, thread_cpu_ns() - started_cpu);
        let got = handles.into_iter().filter_map(|handle| handle.join().ok()).collect();
        Flood { sent, cpu_ns, wall_ns, got }
    })
}

fn take_all<R: Receiver>(
    number: usize,
    receiver: impl FnOnce() -> R,
    ready: &AtomicUsize,
    stop: &AtomicBool,
) -> Got {
    pin(number + 1);
    let mut receiver = receiver();
    ready.fetch_add(1, Ordering::Release);
    let mut messages = 0;
    let started_cpu = thread_cpu_ns();
    while !stop.load(Ordering::Relaxed) {
        let taken = receiver.take_some();
        messages += taken;
        if taken == 0 {
            // Receivers share cores where there are few.
            thread::yield_now();
        }
    }
    Got { messages, cpu_ns: thread_cpu_ns() - started_cpu }
}

/// Latencies as rows of a table in Markdown.
pub fn report_latency(name: &str, times: &Histogram<u64>) -> String {
    let at = |quantile| times.value_at_quantile(quantile);
    format!(
        "| {name} | {} | {} | {} | {} | {} | {} | {} |",
        times.len(),
        times.min(),
        at(0.5),
        at(0.9),
        at(0.99),
        at(0.999),
        times.max()
    )
}

/// The head of that table.
pub const LATENCY_HEAD: &str = "\
| one way, ns | messages | least | median | 90 % | 99 % | 99.9 % | most |
| --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: |";

/// A flood as rows of a table in Markdown.
pub fn report_flood(name: &str, flood: &Flood) -> String {
    let mut lines = vec![row(&format!("{name}, sent"), flood.sent, flood.wall_ns, flood.cpu_ns)];
    lines.extend((1..).zip(&flood.got).map(|(number, got)| {
        row(&format!("{name}, receiver {number}"), got.messages, flood.wall_ns, got.cpu_ns)
    }));
    lines.join("\n")
}

/// The head of that table.
pub const FLOOD_HEAD: &str = "\
| flood | messages | M/s | M/s of its processor time |
| --- | ---: | ---: | ---: |";

fn row(who: &str, messages: u64, wall_ns: u64, cpu_ns: u64) -> String {
    let (wall, cpu) = (per_us(messages, wall_ns), per_us(messages, cpu_ns));
    format!("| {who} | {messages} | {wall:.1} | {cpu:.1} |")
}

#[expect(clippy::cast_precision_loss, reason = "figures for people")]
fn per_us(messages: u64, ns: u64) -> f64 {
    messages as f64 * 1e3 / (ns as f64).max(1.0)
}

/// How long one look at the clock takes, nanoseconds: part of every latency here.
pub fn clock_ns() -> f64 {
    const LOOKS: u64 = 1_000_000;
    let started_ns = monotonic_ns();
    for _ in 0..LOOKS {
        std::hint::black_box(monotonic_ns());
    }
    1e3 / per_us(LOOKS, monotonic_ns() - started_ns)
}

#[expect(clippy::expect_used, reason = "the bounds are fixed, and good")]
fn histogram() -> Histogram<u64> {
    Histogram::new_with_max(LONGEST_NS, 3).expect("three digits up to a second")
}

/// Pins the calling thread: 0 to the first core it may run on, others to the others in turn.
fn pin(number: usize) {
    static ALL: std::sync::OnceLock<Vec<usize>> = std::sync::OnceLock::new();
    let all = ALL.get_or_init(|| {
        let set = sched_getaffinity(None).unwrap_or_default();
        (0..CpuSet::MAX_CPU).filter(|core| set.is_set(*core)).collect()
    });
    let others = all.len().saturating_sub(1).max(1);
    let at = if number == 0 { 0 } else { 1 + (number - 1) % others };
    if let Some(core) = all.get(at) {
        let mut set = CpuSet::new();
        set.set(*core);
        // Unpinned it measures something else; who reads the table sees the machine.
        sched_setaffinity(None, &set).ok();
    }
}

/// Nanoseconds since some fixed moment.
pub fn monotonic_ns() -> u64 {
    read(ClockId::Monotonic)
}

fn thread_cpu_ns() -> u64 {
    read(ClockId::ThreadCPUTime)
}

fn read(clock: ClockId) -> u64 {
    let time = clock_gettime(clock);
    let seconds = u64::try_from(time.tv_sec).unwrap_or_default();
    seconds * 1_000_000_000 + u64::try_from(time.tv_nsec).unwrap_or_default()
}
