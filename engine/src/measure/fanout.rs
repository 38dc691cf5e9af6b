//! The same with packet readers beside it, over a socket of its own, as beside a run.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use weir_shm::packets::{Descriptor, Next, PacketOptions, PacketReader, Woken};
use weir_shm::{ControlSpec, ControlWriter, EngineState, Server, ShardWriter};

use super::{Measured, play};
use crate::capture::file::{Preloaded, PreloadedFrames};
use crate::config::Config;
use crate::engine::desk::Desk;
use crate::engine::{EngineError, QUEUE_COUNTERS, default_socket, offer, plan, secret, segment};
use crate::shard::{Depth, Outlet, Shard};
use crate::sys::clock;
use crate::sys::place::{self, Core};
use crate::wire::LinkType;

/// How the readers beside a measurement read.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Readers {
    /// How many there are.
    pub count: usize,
    /// They copy every frame, too, rather than look at descriptors alone.
    pub touch: bool,
}

/// What a reader came to.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub struct ReaderTook {
    /// Packets that it read.
    pub delivered: u64,
    /// Packets that were written over before it came to them.
    pub missed: u64,
    /// Its processor time from the first look to the end, nanoseconds.
    pub cpu_ns: u64,
}

/// How often the control thread looks up.
const LOOK: Duration = Duration::from_millis(2);
/// How long a reader sleeps at most.
const NAP: Duration = Duration::from_millis(100);

/// Plays `frames` once through one shard, with window readers on the other cores. The frames lie
/// in memory that readers map ([`PreloadedFrames::into_shared`]), so that none is copied, as none
/// from AF_XDP is. With no reader all else is the same.
///
/// # Errors
/// No memory, no socket, no thread, or frames that readers cannot map.
pub fn run_beside(
    frames: &Arc<PreloadedFrames>,
    config: &Config,
    depth: Depth,
    readers: Readers,
) -> Result<(Measured, Vec<ReaderTook>), EngineError> {
    let mut cores = place::cores().into_iter();
    let own = cores.next();
    let others: Vec<Core> = cores.collect();
    let core_of = |number: usize| others.get(number % others.len().max(1)).copied().or(own);
    let plan = plan(config, depth, 0, 1, false, secret()?);
    let (mut hall, memory, outlet) = Hall::open(frames, config)?;
    let source = Preloaded::new(Arc::clone(frames), 1);
    let signals = Arc::new(Signals::default());
    let told = Arc::clone(&signals);
    let shard = spawn(own, move || {
        let mut shard = Shard::new(source, plan, memory, None, Some(outlet));
        told.ready.fetch_add(1, Ordering::Release);
        while !told.go.load(Ordering::Acquire) {
            shard.let_readers_in();
            clock::rest(LOOK);
        }
        play(shard, 0)
    })?;
    let mut handles = Vec::new();
    for number in 0..readers.count {
        let (path, told) = (hall.server.path().to_owned(), Arc::clone(&signals));
        handles.push(spawn(core_of(number), move || read(&path, readers.touch, &told))?);
    }
    while signals.ready.load(Ordering::Acquire) <= readers.count {
        hall.serve();
        clock::rest(LOOK);
    }
    signals.go.store(true, Ordering::Release);
    while !shard.is_finished() || handles.iter().any(|handle| !handle.is_finished()) {
        hall.serve();
        clock::rest(LOOK);
    }
    let took = handles.into_iter().map(JoinHandle::join).collect::<Result<Result<Vec<_>, _>, _>>();
    let panicked = |_| EngineError::Thread { shard: 0, error: std::io::ErrorKind::Other.into() };
    Ok((shard.join().map_err(panicked)?, took.map_err(panicked)??))
}

/// The control thread's things, as beside a run.
#[derive(Debug)]
struct Hall {
    server: Server,
    desk: Desk,
    /// Its segment is the readers' way to the engine's name and state.
    _control: ControlWriter,
}

impl Hall {
    /// Opens it for one shard, whose memory and outlet come back.
    fn open(
        frames: &PreloadedFrames,
        config: &Config,
    ) -> Result<(Hall, ShardWriter, Outlet), EngineError> {
        let mut control = ControlWriter::create(&ControlSpec {
            name: "bench",
            engine_version: env!("CARGO_PKG_VERSION"),
            sources: &[],
            shards: 1,
            queue_labels: &[],
            queue_counters: QUEUE_COUNTERS,
            settings: &[],
        })?;
        let shared = segment(config, 0, "bench", (0, LinkType::Ethernet.number()))?;
        let mut segments = vec![control.export(), shared.export()];
        segments.extend(frames.share(0).map_err(EngineError::Descriptor)?);
        let table = control.take_readers().ok_or(EngineError::Twice)?;
        let (desk, inboxes) = Desk::new(table, &[shared.export()])?;
        let inbox = inboxes.into_iter().next().ok_or(EngineError::Twice)?;
        let path = default_socket(&format!("bench-{}", std::process::id()));
        let server = Server::bind(&path, offer(config, segments)?)?;
        control.set_state(EngineState::Running);
        let stop = Arc::new(AtomicBool::new(false));
        let outlet = Outlet { inbox, arena: None, lossless: false, stop };
        Ok((Hall { server, desk, _control: control }, shared, outlet))
    }

    fn serve(&mut self) {
        let events = self.server.serve();
        // Nobody gives rules to a measurement.
        drop(self.desk.handle(events));
    }
}

/// Who is there, and whether it begins.
#[derive(Default, Debug)]
struct Signals {
    ready: AtomicUsize,
    go: AtomicBool,
}

/// A thread on a core of its own.
fn spawn<T: Send + 'static>(
    core: Option<Core>,
    work: impl FnOnce() -> T + Send + 'static,
) -> Result<JoinHandle<T>, EngineError> {
    let body = move || {
        if let Some(core) = core {
            place::pin(core);
        }
        work()
    };
    let started = std::thread::Builder::new().spawn(body);
    started.map_err(|error| EngineError::Thread { shard: 0, error })
}

/// Reads to the end.
fn read(path: &Path, touch: bool, signals: &Signals) -> Result<ReaderTook, weir_shm::Error> {
    let options = PacketOptions { program: "bench".to_owned(), ..PacketOptions::default() };
    let opened = PacketReader::open(&path.to_string_lossy(), &options);
    signals.ready.fetch_add(1, Ordering::Release);
    let mut reader = opened?;
    let mut descriptors = [Descriptor::default(); 256];
    let started = clock::thread_cpu_ns();
    loop {
        if !touch {
            if reader.descriptors(&mut descriptors) != 0 {
                std::hint::black_box(&descriptors);
                continue;
            }
            if reader.wait(Some(NAP)) != Woken::Over {
                continue;
            }
        }
        match reader.hold() {
            Next::Packet(held) => {
                std::hint::black_box(reader.bytes(&held));
                reader.release(held);
            }
            Next::Missed(_) => {}
            Next::Empty => {
                reader.wait(Some(NAP));
            }
            Next::Ended | Next::Died => break,
        }
    }
    let counts = reader.counts();
    let cpu_ns = clock::thread_cpu_ns() - started;
    Ok(ReaderTook { delivered: counts.delivered, missed: counts.missed, cpu_ns })
}
