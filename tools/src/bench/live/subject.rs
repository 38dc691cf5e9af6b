//! What is measured: an engine as `weir run` has it, or the bare AF_XDP receiver beside which it is
//! held. Both count alike.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc;
use std::thread::JoinHandle;
use std::time::Duration;

use anyhow::{Context, anyhow};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::thread::{CpuSet, sched_setaffinity};
use weir_engine::config::Config;
use weir_engine::engine::{Engine, Options, Report, default_socket};
use weir_engine::shard::Depth;
use weir_engine::sys::clock;
use weir_engine::sys::place::Core;
use weir_shm::{Attached, Ledger, ShardReader};

use super::rxdrop::RxDrop;

/// Frames by what became of them, since the start.
#[derive(Clone, Default, PartialEq, Eq, Debug)]
pub(super) struct Counts {
    /// That came in.
    pub(super) wire: u64,
    /// That nobody took, by name.
    pub(super) lost: BTreeMap<String, u64>,
    /// That were taken.
    pub(super) processed: u64,
    /// That became packets.
    pub(super) parsed: u64,
    /// That did not, by reason.
    pub(super) dropped: BTreeMap<String, u64>,
}

impl Counts {
    /// Frames that no count accounts for.
    pub(super) fn missing(&self) -> u64 {
        let sum = |named: &BTreeMap<String, u64>| named.values().sum::<u64>();
        self.wire.abs_diff(sum(&self.lost) + self.processed)
            + self.processed.abs_diff(self.parsed + sum(&self.dropped))
    }

    /// What came on top of `before`.
    pub(super) fn since(&self, before: &Counts) -> Counts {
        let named = |now: &BTreeMap<String, u64>, then: &BTreeMap<String, u64>| {
            let less = |(name, count): (&String, &u64)| {
                let more = count - then.get(name).copied().unwrap_or(0).min(*count);
                (more != 0).then(|| (name.clone(), more))
            };
            now.iter().filter_map(less).collect()
        };
        Counts {
            wire: self.wire.saturating_sub(before.wire),
            lost: named(&self.lost, &before.lost),
            processed: self.processed.saturating_sub(before.processed),
            parsed: self.parsed.saturating_sub(before.parsed),
            dropped: named(&self.dropped, &before.dropped),
        }
    }
}

/// How frames were delayed on their way to a shard, in nanoseconds: lowest value, highest, frames.
pub(super) type Ages = Vec<(u64, u64, u64)>;

/// An engine or the bare receiver, running.
#[derive(Debug)]
pub(super) enum Subject {
    Engine(Box<EngineRun>),
    RxDrop(Box<RxDrop>),
}

/// What is left at the end.
#[derive(Clone, Copy, PartialEq, Debug)]
pub(super) struct Ended {
    /// The books of the whole run add up.
    pub(super) balanced: bool,
    /// Processor time of its threads, as a share of one core; none where it is not known.
    pub(super) cpu: Option<f64>,
}

impl Subject {
    /// Starts it, on these cores. No `depth`: the bare receiver.
    ///
    /// # Errors
    /// What the engine or the capture says.
    pub(super) fn start(
        config: &Config,
        depth: Option<Depth>,
        cores: &[Core],
        look: Duration,
    ) -> anyhow::Result<Subject> {
        Ok(match depth {
            Some(depth) => Subject::Engine(Box::new(EngineRun::start(config, depth, cores, look)?)),
            None => Subject::RxDrop(Box::new(RxDrop::start(config, cores)?)),
        })
    }

    /// The modes obtained, in words.
    pub(super) fn obtained(&self) -> &str {
        match self {
            Subject::Engine(engine) => &engine.obtained,
            Subject::RxDrop(receiver) => receiver.obtained(),
        }
    }

    /// The engine's socket, for readers.
    pub(super) fn socket(&self) -> Option<&PathBuf> {
        match self {
            Subject::Engine(engine) => Some(&engine.socket),
            Subject::RxDrop(_) => None,
        }
    }

    fn counts(&self) -> anyhow::Result<Counts> {
        match self {
            Subject::Engine(engine) => engine.counts(),
            Subject::RxDrop(receiver) => receiver.counts(),
        }
    }

    /// The counts once they stand still, or after a second of waiting for that.
    ///
    /// # Errors
    /// It ended.
    pub(super) fn settled(&self) -> anyhow::Result<Counts> {
        const LOOK: Duration = Duration::from_millis(25);
        const MOST: usize = 40;
        let mut before = self.counts()?;
        let mut still = 0;
        for _ in 0..MOST {
            clock::rest(LOOK);
            let now = self.counts()?;
            still = if now == before && now.missing() == 0 { still + 1 } else { 0 };
            before = now;
            if still == 2 {
                break;
            }
        }
        Ok(before)
    }

    /// How old frames were when a shard took them in, so far.
    pub(super) fn ages(&self) -> Ages {
        let Subject::Engine(engine) = self else { return Ages::new() };
        let mut all: BTreeMap<(u64, u64), u64> = BTreeMap::new();
        let shards = engine.attached.shards().iter();
        for found in shards.flat_map(ShardReader::histograms) {
            if found.name == "packet_age" {
                for (low, high, frames) in found.values.buckets() {
                    *all.entry((low, high)).or_default() += frames;
                }
            }
        }
        all.into_iter().map(|((low, high), frames)| (low, high, frames)).collect()
    }

    /// Ends it.
    ///
    /// # Errors
    /// A thread of it panicked.
    pub(super) fn end(self) -> anyhow::Result<Ended> {
        match self {
            Subject::Engine(engine) => engine.end(),
            Subject::RxDrop(receiver) => receiver.end(),
        }
    }
}

/// An engine on a thread of its own.
#[derive(Debug)]
pub(super) struct EngineRun {
    socket: PathBuf,
    obtained: String,
    attached: Attached,
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<(Report, u64)>>,
}

impl EngineRun {
    fn start(
        config: &Config,
        depth: Depth,
        cores: &[Core],
        look: Duration,
    ) -> anyhow::Result<EngineRun> {
        let socket = default_socket(&config.name);
        let stop = Arc::new(AtomicBool::new(false));
        let (tell, told) = mpsc::channel();
        let (config, told_to, path) = (config.clone(), Arc::clone(&stop), socket.clone());
        let cores = cores.to_vec();
        let body = move || {
            // Shards are put on the cores that the thread that starts them may use.
            keep_to(&cores);
            let options =
                Options { socket: path, lossless_records: false, depth, packet_readers: 0 };
            let started = Engine::start(&config, &options);
            let engine = match started {
                Ok(engine) => {
                    tell.send(Ok(engine.notes().join("\n"))).ok();
                    engine
                }
                Err(error) => {
                    tell.send(Err(error)).ok();
                    return None;
                }
            };
            Some(serve(engine, &told_to, look))
        };
        let body = move || body().unwrap_or_else(|| (nothing(), 0));
        let thread =
            std::thread::Builder::new().name("weir bench engine".to_owned()).spawn(body)?;
        let obtained = told.recv().context("the engine's thread ended")??;
        let attached = Attached::open(&socket.to_string_lossy());
        let attached = attached.inspect_err(|_| stop.store(true, Ordering::Relaxed))?;
        Ok(EngineRun { socket, obtained, attached, stop, thread: Some(thread) })
    }

    fn counts(&self) -> anyhow::Result<Counts> {
        if self.thread.as_ref().is_none_or(JoinHandle::is_finished) {
            return Err(anyhow!("the engine ended"));
        }
        let total = Ledger::from(&self.attached).total;
        Ok(Counts {
            wire: total.wire.unwrap_or(0),
            lost: total.wire_drops.into_iter().collect(),
            processed: total.processed.unwrap_or(0),
            parsed: total.parsed.unwrap_or(0),
            dropped: total.drops.into_iter().collect(),
        })
    }

    #[expect(clippy::cast_precision_loss, reason = "a share, to a few digits")]
    fn end(mut self) -> anyhow::Result<Ended> {
        self.stop.store(true, Ordering::Relaxed);
        let thread = self.thread.take().context("it runs")?;
        let (report, control_ns) = thread.join().map_err(|_| anyhow!("the engine panicked"))?;
        if let Some(trouble) = report.shards.iter().find_map(|shard| shard.trouble.clone()) {
            return Err(anyhow!("{trouble}"));
        }
        let busy_ns: u64 = report.shards.iter().map(|shard| shard.input_cpu_ns).sum();
        let lasted_ns = report.input_ns.max(1);
        let cpu = Some((busy_ns + control_ns) as f64 / lasted_ns as f64);
        Ok(Ended { balanced: report.balanced(), cpu })
    }
}

impl Drop for EngineRun {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            // Its own panic has said what there is to say.
            thread.join().ok();
        }
    }
}

/// What an engine's thread does until it is told to stop: as `weir run`. With the report, its own
/// processor time.
fn serve(mut engine: Engine, stop: &AtomicBool, look: Duration) -> (Report, u64) {
    let started = clock::thread_cpu_ns();
    while !stop.load(Ordering::Relaxed) {
        let fd = engine.as_fd();
        let mut fds = [PollFd::new(&fd, PollFlags::IN)];
        let timeout = Timespec::try_from(look).unwrap_or(Timespec { tv_sec: 0, tv_nsec: 1 });
        // A signal ends the wait early; the flag is looked at anyway.
        poll(&mut fds, Some(&timeout)).ok();
        // Refused only where sources start late, which these do not.
        engine.serve().ok();
    }
    let spent_ns = clock::thread_cpu_ns() - started;
    (engine.finish(), spent_ns)
}

/// The report of an engine that did not start; nobody looks at it.
fn nothing() -> Report {
    Report {
        shards: Vec::new(),
        queues: Vec::new(),
        books: weir_engine::books::Books::default(),
        apps: Vec::new(),
        input_ns: 0,
    }
}

/// Lets the calling thread, and those that it starts, run on these cores alone; where there are none
/// or the system refuses, on all.
pub(super) fn keep_to(cores: &[Core]) {
    if !cores.is_empty() {
        sched_setaffinity(None, &set_of(cores)).ok();
    }
}

/// The cores as the system takes them.
pub(super) fn set_of(cores: &[Core]) -> CpuSet {
    let mut set = CpuSet::new();
    for core in cores.iter().filter(|core| core.os_index < CpuSet::MAX_CPU) {
        set.set(core.os_index);
    }
    set
}
