//! A run: sources, shards on their threads, and shared memory, from start to the last report.
//!
//! The thread that owns the [`Engine`] hands out shared memory and refreshes what only the kernel
//! counts; it never touches a packet.

mod ledger;
mod open;
mod shard_thread;

use std::os::fd::{AsFd, BorrowedFd};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use thiserror::Error;
use weir_dpi::AppId;
use weir_shm::{
    ControlSpec, ControlWriter, EngineState, Offer, PacketSpec, Server, ShardSpec, ShardWriter,
};

use crate::books::{self, Books};
use crate::config::{Config, ConfigError};
use crate::flow::table::FlowTable;
use crate::shard::{AppTotal, Depth, Gate, HISTOGRAMS, ShardPlan, Split};
use crate::sys::{clock, place};

pub use ledger::{QUEUE_COUNTERS, QueueCounts};
use open::{Opened, Port};
use shard_thread::{Order, ShardThread};

/// Why an engine does not start, and what to do.
#[derive(Debug, Error)]
#[expect(missing_docs, reason = "each variant's message says what it is")]
pub enum EngineError {
    #[error(transparent)]
    Config(#[from] ConfigError),
    #[error(transparent)]
    File(#[from] crate::capture::file::FileError),
    #[error(transparent)]
    Xdp(#[from] crate::capture::xdp::XdpError),
    #[error(transparent)]
    Packet(#[from] crate::capture::packet::PacketError),
    #[error(transparent)]
    SharedMemory(#[from] weir_shm::Error),
    #[error("cannot start a thread for shard {shard}: {error}")]
    Thread { shard: u16, error: std::io::Error },
    #[error("the system gives no random numbers: {0}")]
    Random(std::io::Error),
}

/// How long frames may be on their way from a closed port to a shard.
const SETTLE: Duration = Duration::from_millis(20);

/// How often the start looks whether the shards are ready.
const READY_LOOK: Duration = Duration::from_millis(1);

/// What a caller decides besides the configuration.
#[derive(Clone, Debug)]
pub struct Options {
    /// Where readers find the engine.
    pub socket: PathBuf,
    /// A reader of the flow records runs along and must not miss any: shards that read files
    /// wait for it ([`Engine::gates`]).
    pub lossless_records: bool,
    /// How deep packets are looked into.
    pub depth: Depth,
}

/// What a shard says when it is done.
#[derive(Clone, Debug)]
pub struct ShardReport {
    /// Index of the shard.
    pub shard: u16,
    /// Its counts.
    pub books: Books,
    /// Totals of its flows by application.
    pub apps: Vec<(AppId, AppTotal)>,
    /// Frames its source gave, its own or not.
    pub frames_read: u64,
    /// From its first turn to the end of its input, nanoseconds.
    pub input_ns: u64,
    /// Processor time of the same, nanoseconds.
    pub input_cpu_ns: u64,
    /// Why its source stopped early.
    pub trouble: Option<String>,
}

/// What a run came to.
#[derive(Clone, Debug)]
pub struct Report {
    /// Shard by shard.
    pub shards: Vec<ShardReport>,
    /// Queue by queue, with its label.
    pub queues: Vec<(String, QueueCounts)>,
    /// Shards together.
    pub books: Books,
    /// Applications, most bytes first.
    pub apps: Vec<(AppId, AppTotal)>,
    /// From start to the end of the input, nanoseconds.
    pub input_ns: u64,
}

impl Report {
    /// Whether every frame is accounted for: on the wire and in the shards.
    pub fn balanced(&self) -> bool {
        let wire: u64 = self.queues.iter().map(|(_, counts)| counts.wire).sum();
        let lost: u64 = self.queues.iter().map(|(_, counts)| counts.lost()).sum();
        let shards = self.shards.iter().all(|shard| shard.books.balanced());
        shards && wire == lost + self.books.get(books::Count::Processed)
    }
}

/// A running engine.
#[derive(Debug)]
pub struct Engine {
    control: ControlWriter,
    server: Server,
    threads: Vec<ShardThread>,
    ports: Vec<Port>,
    stop: Arc<AtomicBool>,
    gates: Vec<Arc<AtomicU64>>,
    notes: Vec<String>,
}

impl Engine {
    /// Opens the sources, makes the shared memory and starts the shards.
    ///
    /// # Errors
    /// Whatever of these fails, with what would help.
    pub fn start(config: &Config, options: &Options) -> Result<Engine, EngineError> {
        let cores = place::cores();
        let secret = secret()?;
        let Opened { sources, mut ports, node, live } = open::open(config, cores.len(), secret)?;
        let shards = u16::try_from(sources.len()).unwrap_or(u16::MAX);
        let labels: Vec<String> = ports.iter_mut().flat_map(Port::labels).collect();
        let names: Vec<String> = config.sources.iter().map(ToString::to_string).collect();
        let control = ControlWriter::create(&ControlSpec {
            name: &config.name,
            engine_version: env!("CARGO_PKG_VERSION"),
            sources: &names,
            shards,
            queue_labels: &labels,
            queue_counters: QUEUE_COUNTERS,
        })?;
        let mut segments = vec![control.export()];
        let depth = match options.depth {
            Depth::Inspect if !config.inspect => Depth::Flow,
            wanted => wanted,
        };
        let stop = Arc::new(AtomicBool::new(false));
        let seats = place::assign(&cores, node, sources.len());
        let (mut prepared, mut gates) = (Vec::new(), Vec::new());
        for ((shard, source), seat) in (0_u16..).zip(sources).zip(seats) {
            let shared = segment(config, shard, &source.label)?;
            segments.push(shared.export());
            let gate = (!live && options.lossless_records).then(|| gate(config, &mut gates));
            let plan = plan(config, depth, shard, shards, live, secret);
            let core = seat.filter(|_| config.pin);
            prepared.push((source.source, Order { plan, shared, gate, core }));
        }
        // Bound before the first packet: a name that is taken must stop the start.
        let offer = Offer { segments, ..Offer::default() };
        let server = Server::bind(&options.socket, offer)?;
        let mut threads = Vec::new();
        for (source, order) in prepared {
            threads.push(ShardThread::start(source, order, Arc::clone(&stop))?);
        }
        let notes = Vec::new();
        let mut engine = Engine { control, server, threads, ports, stop, gates, notes };
        engine.let_frames_in()?;
        engine.control.set_state(EngineState::Running);
        engine.refresh(0);
        Ok(engine)
    }

    /// Frames come only now that every shard has its memory: none is lost to the start.
    fn let_frames_in(&mut self) -> Result<(), EngineError> {
        while !self.threads.iter().all(ShardThread::is_ready) {
            clock::rest(READY_LOOK);
        }
        for port in &mut self.ports {
            match port.start() {
                Ok(note) => self.notes.extend(note),
                Err(error) => {
                    self.stop.store(true, Ordering::Relaxed);
                    self.threads.drain(..).for_each(|thread| drop(thread.join()));
                    return Err(error);
                }
            }
        }
        Ok(())
    }

    /// What the sources have to say about how they were opened: modes obtained, fall-backs.
    pub fn notes(&self) -> &[String] {
        &self.notes
    }

    /// The descriptor that becomes readable when a reader wants in.
    pub fn as_fd(&self) -> BorrowedFd<'_> {
        self.server.as_fd()
    }

    /// Lets waiting readers in and refreshes what the kernel counts. Call it when the descriptor
    /// is readable, and once a second at least.
    pub fn serve(&mut self) {
        self.server.serve();
        // Every shard reads the whole file, so each sees all its frames.
        self.refresh(self.threads.iter().map(ShardThread::frames_read).max().unwrap_or(0));
    }

    /// For each shard, where a lossless reader of its flow records says how far it is.
    pub fn gates(&self) -> &[Arc<AtomicU64>] {
        &self.gates
    }

    /// Whether the input has ended. The flows stay, for readers to see, until [`Engine::finish`].
    pub fn is_done(&self) -> bool {
        self.threads.iter().all(ShardThread::is_done)
    }

    /// How far the files are read, in bytes: done and in all; none for live sources.
    pub fn progress(&self) -> Option<(u64, u64)> {
        let parts: Vec<_> = self.threads.iter().filter_map(ShardThread::progress).collect();
        parts.into_iter().min()
    }

    /// Ends the shards and returns what the run came to. The socket goes; readers that are attached
    /// see that the engine has ended.
    pub fn finish(mut self) -> Report {
        for port in &mut self.ports {
            port.close();
        }
        // Frames that the kernel was handing over at that moment arrive; then the shards drain.
        clock::rest(SETTLE);
        self.stop.store(true, Ordering::Relaxed);
        let reports: Vec<ShardReport> = self.threads.drain(..).map(ShardThread::join).collect();
        let input_ns = reports.iter().map(|report| report.input_ns).max().unwrap_or(0);
        self.refresh(reports.iter().map(|report| report.frames_read).max().unwrap_or(0));
        self.control.set_state(EngineState::Ended);
        let mut books = Books::default();
        let mut apps: Vec<(AppId, AppTotal)> = Vec::new();
        for report in &reports {
            books.merge(&report.books);
            for (app, total) in &report.apps {
                match apps.iter_mut().find(|(known, _)| known == app) {
                    Some((_, sum)) => sum.add(total),
                    None => apps.push((*app, *total)),
                }
            }
        }
        apps.sort_by_key(|(app, total)| (std::cmp::Reverse(total.bytes), *app));
        let queues = self.ports.iter_mut().flat_map(Port::refreshed).collect();
        Report { shards: reports, queues, books, apps, input_ns }
    }

    fn refresh(&mut self, frames_read: u64) {
        let mut queue = 0;
        for port in &mut self.ports {
            port.note_read(frames_read);
            for (_, counts) in port.refreshed() {
                counts.publish(self.control.queue(queue));
                queue += 1;
            }
        }
        self.control.heartbeat(clock::unix_ns());
    }
}

/// The memory that a shard shares.
pub(crate) fn segment(
    config: &Config,
    shard: u16,
    label: &str,
) -> Result<ShardWriter, weir_shm::Error> {
    ShardWriter::create(&ShardSpec {
        shard,
        label,
        flow_slots: FlowTable::slots_for(config.flows_per_shard),
        record_bytes: config.record_ring_bytes,
        arena_bytes: config.arena_bytes,
        counters: &books::DEFINITIONS,
        histograms: &HISTOGRAMS,
        packets: PacketSpec::default(),
        huge_pages: config.huge_pages,
    })
}

/// What a shard, one of `shards`, is told.
pub(crate) fn plan(
    config: &Config,
    depth: Depth,
    shard: u16,
    shards: u16,
    live: bool,
    secret: [u64; 4],
) -> ShardPlan {
    let split = if live || shards == 1 {
        Split::All
    } else {
        Split::ByHash { shard: shard.into(), shards: shards.into() }
    };
    ShardPlan {
        shard,
        split,
        live,
        depth,
        timeouts: config.timeouts.clone(),
        secret,
        fragments: config.fragments as usize,
        inspection: config.inspection,
    }
}

/// Readers may be behind by half the ring: what one turn writes fits in the other half.
fn gate(config: &Config, gates: &mut Vec<Arc<AtomicU64>>) -> Gate {
    let taken = Arc::new(AtomicU64::new(0));
    gates.push(Arc::clone(&taken));
    Gate { taken, allowance: config.record_ring_bytes as u64 / 2 }
}

/// A secret for this run's hashes.
///
/// # Errors
/// The system gives no random numbers.
pub fn secret() -> Result<[u64; 4], EngineError> {
    let mut bytes = [[0; 8]; 4];
    rustix::rand::getrandom(bytes.as_flattened_mut(), rustix::rand::GetRandomFlags::empty())
        .map_err(|error| EngineError::Random(error.into()))?;
    Ok(bytes.map(u64::from_ne_bytes))
}

/// The default place of an engine's socket.
pub fn default_socket(name: &str) -> PathBuf {
    weir_shm::default_path(name)
}
