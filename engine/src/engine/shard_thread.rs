//! The thread of a shard.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use weir_shm::ShardWriter;

use super::open::AnySource;
use super::{EngineError, ShardReport};
use crate::capture::Source;
use crate::shard::{Gate, Outlet, Shard, ShardPlan};
use crate::sys::clock;
use crate::sys::place::{self, Core};
use crate::sys::privilege::{self, Keep};

/// See the module.
#[derive(Debug)]
pub(super) struct ShardThread {
    shard: u16,
    handle: JoinHandle<ShardReport>,
    progress: Arc<Progress>,
}

/// What a shard's thread is given besides its source.
#[derive(Debug)]
pub(super) struct Order {
    pub(super) plan: ShardPlan,
    pub(super) shared: ShardWriter,
    pub(super) gate: Option<Gate>,
    pub(super) core: Option<Core>,
    pub(super) outlet: Outlet,
    /// Frames are taken in once this says so; until then readers may come.
    pub(super) go: Arc<AtomicBool>,
}

impl ShardThread {
    /// Starts the thread; it pins itself, then allocates, so that memory is near its core.
    pub(super) fn start(
        source: AnySource,
        order: Order,
        stop: Arc<AtomicBool>,
    ) -> Result<ShardThread, EngineError> {
        let shard = order.plan.shard;
        let progress = Arc::new(Progress::default());
        let told = Arc::clone(&progress);
        let body = move || {
            if let Some(core) = order.core {
                place::pin(core);
            }
            // Refused only where there is nothing to give up; the packets are read all the same.
            privilege::give_up(Keep::Nothing).ok();
            match source {
                AnySource::Files(source) => run(*source, order, &stop, &told),
                AnySource::Xdp(source) => run(*source, order, &stop, &told),
                AnySource::Packet(source) => run(*source, order, &stop, &told),
            }
        };
        let handle = std::thread::Builder::new()
            .name(format!("weir shard {shard}"))
            .spawn(body)
            .map_err(|error| EngineError::Thread { shard, error })?;
        Ok(ShardThread { shard, handle, progress })
    }

    /// Whether it has its memory and takes frames.
    pub(super) fn is_ready(&self) -> bool {
        self.progress.ready.load(Ordering::Relaxed) || self.handle.is_finished()
    }

    /// Whether its input has ended. Its flows are still there.
    pub(super) fn is_done(&self) -> bool {
        self.progress.ended.load(Ordering::Relaxed) || self.handle.is_finished()
    }

    /// Bytes read and in all.
    pub(super) fn progress(&self) -> Option<(u64, u64)> {
        self.progress.get()
    }

    /// Frames that its source gave.
    pub(super) fn frames_read(&self) -> u64 {
        self.progress.frames.load(Ordering::Relaxed)
    }

    /// Waits for its report. A shard that panicked reports nothing but that.
    pub(super) fn join(self) -> ShardReport {
        let shard = self.shard;
        self.handle.join().unwrap_or_else(|_| ShardReport {
            shard,
            books: crate::books::Books::default(),
            apps: Vec::new(),
            frames_read: 0,
            input_ns: 0,
            input_cpu_ns: 0,
            trouble: Some(format!("shard {shard} ended by a mistake of ours; please report it")),
        })
    }
}

/// How far a shard is.
#[derive(Default, Debug)]
pub(super) struct Progress {
    done: AtomicU64,
    all: AtomicU64,
    frames: AtomicU64,
    ready: AtomicBool,
    ended: AtomicBool,
}

impl Progress {
    fn set<S: Source>(&self, shard: &Shard<S>) {
        self.frames.store(shard.frames_given(), Ordering::Relaxed);
        if let Some((done, all)) = shard.source().progress() {
            self.done.store(done, Ordering::Relaxed);
            self.all.store(all, Ordering::Relaxed);
        }
    }

    fn get(&self) -> Option<(u64, u64)> {
        let (done, all) = (self.done.load(Ordering::Relaxed), self.all.load(Ordering::Relaxed));
        (all != 0).then_some((done, all))
    }
}

/// How often a shard whose input has ended looks whether the run has.
const LINGER: Duration = Duration::from_millis(5);

fn run<S: Source>(source: S, order: Order, stop: &AtomicBool, progress: &Progress) -> ShardReport {
    let (number, live) = (order.plan.shard, order.plan.live);
    let Order { plan, shared, gate, outlet, go, .. } = order;
    let mut shard = Shard::new(source, plan, shared, gate, Some(outlet));
    progress.ready.store(true, Ordering::Relaxed);
    while !go.load(Ordering::Acquire) && !stop.load(Ordering::Relaxed) {
        shard.let_readers_in();
        clock::rest(LINGER);
    }
    let (started, started_cpu) = (clock::monotonic_ns(), clock::thread_cpu_ns());
    shard.run(|shard| {
        progress.set(shard);
        stop.load(Ordering::Relaxed)
    });
    progress.set(&shard);
    let input_ns = clock::monotonic_ns() - started;
    let input_cpu_ns = clock::thread_cpu_ns() - started_cpu;
    progress.ended.store(true, Ordering::Relaxed);
    // The flows stay in the table, for readers to see, until the run ends.
    while !stop.load(Ordering::Relaxed) {
        shard.linger();
        clock::rest(LINGER);
    }
    if live {
        shard.drain();
    }
    shard.linger();
    shard.finish();
    ShardReport {
        shard: number,
        books: shard.books().clone(),
        apps: shard.export().app_totals().collect(),
        frames_read: shard.frames_given(),
        input_ns,
        input_cpu_ns,
        trouble: shard.source().trouble(),
    }
}
