//! A run: sources, shards on their threads, and shared memory, from start to the last report.
//!
//! The thread that owns the [`Engine`] hands out shared memory and refreshes what only the kernel
//! counts; it never touches a packet.

pub(crate) mod desk;
mod ledger;
mod open;
pub(crate) mod rules;
mod shard_thread;

use std::os::fd::{AsFd, BorrowedFd};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use thiserror::Error;
use weir_dpi::AppId;
use weir_shm::hosts::HostsSpec;
use weir_shm::rules::AppNames;
use weir_shm::{
    Access, AlertSpec, ControlSpec, ControlWriter, EngineState, Offer, PacketSpec, SegmentFd,
    Server, ShardSpec, ShardWriter,
};

use crate::books::{self, Books};
use crate::capture::arena::Arena;
use crate::config::{Config, ConfigError, PacketAccess, SourceSpec};
use crate::flow::table::FlowTable;
use crate::hosts::{HostsPlan, Places, own};
use crate::shard::{AppTotal, Depth, Gate, HISTOGRAMS, Outlet, ShardPlan, Split, flows_from};
use crate::sys::privilege::Keep;
use crate::sys::{clock, groups, place};

use desk::Desk;
pub use ledger::{QUEUE_COUNTERS, QueueCounts};
pub use open::xdp_config;
use open::{Labelled, Opened, Port};
use rules::Rules;
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
    #[error(transparent)]
    Group(#[from] groups::GroupError),
    #[error("the rules cannot be used:\n{0}")]
    Rules(String),
    #[error("the table of packet readers was given away twice; please report it")]
    Twice,
    #[error("no memory for packets that are copied for readers: {0}")]
    Arena(#[from] af_xdp::Error),
    #[error("cannot keep a descriptor of the packet memory: {0}")]
    Descriptor(std::io::Error),
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
    /// Begin once so many packet readers are there; with files, wait for them so that they miss
    /// nothing. 0: begin at once.
    pub packet_readers: usize,
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
    /// Whether every frame is accounted for: on the wire, in the shards, and in packet memory.
    pub fn balanced(&self) -> bool {
        let wire: u64 = self.queues.iter().map(|(_, counts)| counts.wire).sum();
        let lost: u64 = self.queues.iter().map(|(_, counts)| counts.lost()).sum();
        let sound = |shard: &ShardReport| shard.books.balanced() && shard.books.is_whole();
        let shards = self.shards.iter().all(sound);
        shards && wire == lost + self.books.get(books::Count::Processed)
    }
}

/// A running engine.
#[derive(Debug)]
pub struct Engine {
    control: ControlWriter,
    server: Server,
    desk: Desk,
    rules: Rules,
    threads: Vec<ShardThread>,
    ports: Vec<Port>,
    stop: Arc<AtomicBool>,
    /// Lets the shards begin.
    go: Arc<AtomicBool>,
    /// Packet readers that are waited for before that.
    wait_for: usize,
    gates: Vec<Arc<AtomicU64>>,
    notes: Vec<String>,
    /// What happened to the sources since that was asked.
    news: Vec<String>,
    keeps: Keep,
}

impl Engine {
    /// Opens the sources, makes the shared memory and starts the shards.
    ///
    /// # Errors
    /// Whatever of these fails, with what would help.
    pub fn start(config: &Config, options: &Options) -> Result<Engine, EngineError> {
        let loaded = rules::at_start(&config.rules)?;
        let cores = place::cores();
        let secret = secret()?;
        let opened = open::open(config, cores.len(), secret)?;
        let Opened { sources, mut ports, live, areas } = opened;
        let shards = u16::try_from(sources.len()).unwrap_or(u16::MAX);
        let labels: Vec<String> = ports.iter_mut().flat_map(Port::labels).collect();
        let mut control = control(config, shards, &labels)?;
        let anew = config.recover && ports.iter().any(|port| matches!(port, Port::Xdp { .. }));
        let flows_from = flows_from(clock::unix_ns());
        let task = Task { config, depth: options.depth, live, secret, flows_from };
        let homes: Vec<Option<usize>> = sources.iter().map(|source| source.node).collect();
        let seats = place::assign(&cores, &homes);
        let mut memory = Memory { frames: areas, ..Memory::default() };
        let mut prepared = Vec::new();
        let mut gates = Vec::new();
        for ((shard, source), seat) in (0_u16..).zip(&sources).zip(seats) {
            let gate = (!live && options.lossless_records).then(|| gate(config, &mut gates));
            let (shared, arena) = memory.of_shard(config, shard, source)?;
            let core = seat.filter(|_| config.pin);
            prepared.push((task.plan(shard, shards), shared, gate, core, arena));
        }
        let mut segments = vec![control.export()];
        segments.extend(memory.shards.iter().cloned());
        segments.extend(memory.frames);
        let table = control.take_readers().ok_or(EngineError::Twice)?;
        let (mut desk, inboxes) = Desk::new(table, &memory.shards)?;
        let table = control.take_rules().ok_or(EngineError::Twice)?;
        let warnings = loaded.as_ref().map(|loaded| loaded.warnings.as_slice());
        let notes = warnings.unwrap_or_default().iter().map(ToString::to_string).collect();
        let rules = Rules::new(table, loaded, &mut desk);
        // Bound before the first packet: a name that is taken must stop the start.
        let server = Server::bind(&options.socket, offer(config, segments)?)?;
        let mut threads = Vec::new();
        let stop = Arc::new(AtomicBool::new(false));
        let go = Arc::new(AtomicBool::new(options.packet_readers == 0));
        let lossless = !live && options.packet_readers != 0;
        for ((source, prepared), inbox) in sources.into_iter().zip(prepared).zip(inboxes) {
            let (plan, shared, gate, core, arena) = prepared;
            let outlet = Outlet { inbox, arena, lossless, stop: Arc::clone(&stop) };
            let order = Order { plan, shared, gate, core, outlet, go: Arc::clone(&go) };
            threads.push(ShardThread::start(source.source, order, Arc::clone(&stop))?);
        }
        let mut engine = Engine {
            control,
            server,
            desk,
            rules,
            threads,
            ports,
            stop,
            go,
            wait_for: options.packet_readers,
            gates,
            notes,
            news: Vec::new(),
            keeps: if anew { Keep::Capture } else { Keep::NetAdmin },
        };
        engine.wait_until_ready();
        if options.packet_readers == 0 {
            engine.let_frames_in()?;
        }
        engine.refresh(0);
        Ok(engine)
    }

    /// Every shard has its memory after this: no frame is lost to the start.
    fn wait_until_ready(&self) {
        while !self.threads.iter().all(ShardThread::is_ready) {
            clock::rest(READY_LOOK);
        }
    }

    /// Lets frames come.
    fn let_frames_in(&mut self) -> Result<(), EngineError> {
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
        self.go.store(true, Ordering::Release);
        self.control.set_state(EngineState::Running);
        Ok(())
    }

    /// The names of applications that rules declare, in force or before.
    ///
    /// # Errors
    /// The control segment cannot be mapped once more.
    pub fn app_names(&self) -> Result<AppNames, EngineError> {
        Ok(AppNames::of(&self.control.export())?)
    }

    /// What the sources have to say about how they were opened: modes obtained, fall-backs.
    pub fn notes(&self) -> &[String] {
        &self.notes
    }

    /// What happened to the sources since this was last asked: an interface went, or is taken anew.
    pub fn take_news(&mut self) -> Vec<String> {
        std::mem::take(&mut self.news)
    }

    /// The privileges that the thread of the engine has use for while it runs.
    pub fn keeps(&self) -> Keep {
        self.keeps
    }

    /// The descriptor that becomes readable when a reader wants in.
    pub fn as_fd(&self) -> BorrowedFd<'_> {
        self.server.as_fd()
    }

    /// Lets waiting readers in and refreshes what the kernel counts. Call it when the descriptor
    /// is readable, and once a second at least.
    ///
    /// # Errors
    /// The packet readers that were waited for are there, and the sources then would not start.
    pub fn serve(&mut self) -> Result<(), EngineError> {
        let events = self.server.serve();
        for (client, asked) in self.desk.handle(events) {
            self.rules.begin(client, asked, &mut self.desk, &mut self.server);
        }
        self.rules.go_on(&mut self.desk, &mut self.server);
        self.desk.refresh(&mut self.server);
        self.control.set_asks_dropped(self.desk.asks_dropped());
        if self.is_waiting() && self.desk.came() >= self.wait_for {
            self.let_frames_in()?;
        }
        if !self.is_waiting() {
            self.news.extend(self.ports.iter_mut().filter_map(Port::tend));
        }
        // Every shard reads the whole file, so each sees all its frames.
        self.refresh(self.threads.iter().map(ShardThread::frames_read).max().unwrap_or(0));
        Ok(())
    }

    /// Whether the packet readers that were asked for are still waited for.
    pub fn is_waiting(&self) -> bool {
        !self.go.load(Ordering::Relaxed)
    }

    /// Whether every packet reader that is there has read everything.
    pub fn all_is_read(&self) -> bool {
        self.desk.all_is_read()
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

/// What all shards of a run are told.
struct Task<'a> {
    config: &'a Config,
    depth: Depth,
    live: bool,
    secret: [u64; 4],
    flows_from: u64,
}

impl Task<'_> {
    fn plan(&self, shard: u16, shards: u16) -> ShardPlan {
        let depth = match self.depth {
            Depth::Inspect if !self.config.inspect => Depth::Flow,
            wanted => wanted,
        };
        let plan = plan(self.config, depth, shard, shards, self.live, self.secret);
        ShardPlan { flows_from: self.flows_from, ..plan }
    }
}

/// The shared memory of a run.
#[derive(Default)]
struct Memory {
    shards: Vec<SegmentFd>,
    /// Packet memories, by number.
    frames: Vec<SegmentFd>,
}

impl Memory {
    /// Makes a shard's memory, and an arena where its source's frames are not for readers to map.
    fn of_shard(
        &mut self,
        config: &Config,
        shard: u16,
        source: &Labelled,
    ) -> Result<(ShardWriter, Option<Arena>), EngineError> {
        let (number, copies) = if let Some(number) = source.area {
            (number, None)
        } else {
            let number = u16::try_from(self.frames.len()).unwrap_or(u16::MAX);
            let arena = place::on_node(source.node, || arena(config))?;
            let (fd, bytes) = arena.share().map_err(EngineError::Descriptor)?;
            self.frames.push(SegmentFd::frames(number, fd, bytes));
            (number, Some(arena))
        };
        let memory = segment(config, shard, &source.label, (number, source.link_type))?;
        self.shards.push(memory.export());
        Ok((memory, copies))
    }
}

/// The memory that a shard shares.
pub(crate) fn segment(
    config: &Config,
    shard: u16,
    label: &str,
    (area, link_type): (u16, u32),
) -> Result<ShardWriter, weir_shm::Error> {
    ShardWriter::create(&ShardSpec {
        shard,
        label,
        flow_slots: FlowTable::slots_for(config.flows_per_shard),
        health: config.health,
        record_bytes: config.record_ring_bytes,
        arena_bytes: config.arena_bytes,
        counters: &books::DEFINITIONS,
        histograms: &HISTOGRAMS,
        packets: PacketSpec {
            slots: config.packet_ring,
            lease_slots: config.packet_leases,
            area,
            link_type,
        },
        alerts: AlertSpec { ring_bytes: config.alert_ring_bytes, places: config.alert_places },
        hosts: config.hosts.as_ref().map_or(HostsSpec::NONE, HostsPlan::room),
        huge_pages: config.huge_pages,
    })
}

/// The control segment, which says who the engine is.
fn control(
    config: &Config,
    shards: u16,
    labels: &[String],
) -> Result<ControlWriter, weir_shm::Error> {
    let sources: Vec<String> = config.sources.iter().map(ToString::to_string).collect();
    ControlWriter::create(&ControlSpec {
        name: &config.name,
        engine_version: env!("CARGO_PKG_VERSION"),
        sources: &sources,
        shards,
        queue_labels: labels,
        queue_counters: QUEUE_COUNTERS,
        settings: &config.for_readers,
    })
}

/// Memory for frames that are copied for readers: what the ring holds, what may be pinned, and a
/// frame on its way.
fn arena(config: &Config) -> Result<Arena, af_xdp::Error> {
    const PINNED: u32 = 2048;
    const ON_ITS_WAY: u32 = 256;
    Arena::new(config.packet_ring + PINNED + ON_ITS_WAY, config.huge_pages)
}

/// What readers are offered.
pub(crate) fn offer(config: &Config, segments: Vec<SegmentFd>) -> Result<Offer, EngineError> {
    let group = match config.socket_group.as_str() {
        "" => None,
        name => Some(groups::number_of(name)?),
    };
    let packets = match (config.packet_access, group) {
        (PacketAccess::Owner, _) => Access::Owner,
        (PacketAccess::Any, _) => Access::Any,
        (PacketAccess::Group, Some(group)) => Access::Group(group),
        (PacketAccess::Group, None) => return Err(ConfigError::NoSocketGroup.into()),
    };
    let mode = config.socket_mode;
    let peer_groups = Some(groups::of_peer as fn(BorrowedFd<'_>) -> Vec<u32>);
    Ok(Offer { segments, access: Access::Any, packets, mode, group, peer_groups })
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
        alerts: config.alerts.clone(),
        shards,
        hosts: hosts(config, live),
        flows_from: 0,
    }
}

/// What is kept of hosts: on a live run, this machine's addresses and networks are known, too.
fn hosts(config: &Config, live: bool) -> Option<HostsPlan> {
    let mut plan = config.hosts.clone()?;
    if live {
        let interfaces: Vec<&str> =
            config.sources.iter().filter_map(SourceSpec::interface).collect();
        let mut networks = plan.places.networks().to_vec();
        networks.extend(own::networks(&interfaces));
        plan.places = Places::new(networks, own::addresses());
    }
    Some(plan)
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
