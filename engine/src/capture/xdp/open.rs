//! Setting a capture up.

use std::ops::Range;
use std::os::fd::{AsFd, OwnedFd};
use std::sync::Arc;

use af_xdp::netdev::{self, Promiscuous, SymmetricRss, Symmetry};
use af_xdp::spsc::home_ring;
use af_xdp::{
    Area, AreaConfig, BindConfig, Bound, BusyPoll, Chunk, Custody, Error as SocketError, HugePages,
    Mode, ModeWish, Pages, QueueId, Socket, Step, Umem, UmemConfig, XDP_HEADROOM_BYTES,
};
use weir_ebpf::{Program, Settings, Split};

use super::handover::line;
use super::ledger::Missed;
use super::recover::State;
use super::report::XdpReport;
use super::source::{End, Guest, Owner, Parts, Role, XdpSource, bell};
use super::{Hold, Idle, SplitWish, XdpConfig, XdpError, XdpPort, ZeroCopy, ledger};
use crate::capture::BATCH;

/// How long a blocking call would poll; the sources make none that blocks.
const BUSY_POLL_MICROSECONDS: u32 = 20;

/// Frames that a busy poll takes at most.
const BUSY_POLL_BUDGET: u32 = 256;

/// Bytes that a frame may have beyond the MTU: Ethernet, two tags, and the check sequence.
const LINK_BYTES: u32 = 14 + 8 + 4;

/// Drivers whose NICs take receive buffers in whole KiB: of the 1792 bytes in a chunk of 2048 they use
/// 1024. In zero-copy mode what is longer goes on in the next buffer, and comes as two frames, for
/// these drivers have no multi-buffer there (`SRRCTL.BSIZEPKT` in igb, igc, ixgbe).
const WHOLE_KIB: [&str; 3] = ["igb", "igc", "ixgbe"];

/// Everything but the program on the interface: [`XdpPort::start`] hangs it there.
pub(super) fn prepare(config: &XdpConfig) -> Result<(Vec<XdpSource>, XdpPort), XdpError> {
    check(config)?;
    let config = &with_room(config)?;
    let queues = queues(config);
    let choice = choose_split(config, queues)?;
    let (mut umem, chunks_per_queue) = packet_memory(config, queues)?;
    let geometry = Geometry { queues, chunks_per_queue };
    let system = |what| move |source| XdpError::System { what, source };
    let mut bells = Vec::new();
    for _ in 0..config.shards {
        bells.push(bell().map_err(system("making an eventfd"))?);
    }
    let (hold, report, ends) = take_hold(config, choice, geometry, &mut umem, &bells)?;
    let (mut sources, mut lines) = (Vec::new(), Vec::new());
    for ((shard, ends), bell) in (0..).zip(ends).zip(bells) {
        let (port_line, line) = line(Arc::clone(&bell));
        lines.push(port_line);
        let parts = Parts {
            shard,
            idle: config.idle,
            custody: Custody::new(&umem),
            ends,
            queues,
            queue_shift: geometry.queue_shift(config),
            chunk_shift: config.frame_bytes.trailing_zeros(),
            chunks: umem.chunks(),
            bell,
            line,
        };
        sources.push(XdpSource::new(parts).map_err(system("making an epoll descriptor"))?);
    }
    let mut missed = Missed::default();
    missed.begin(&report);
    let port = XdpPort {
        config: config.clone(),
        hold: Some(hold),
        umem,
        geometry,
        queues_seen: queues,
        lines,
        report,
        carried: ledger::empty(queues),
        missed,
        state: State::default(),
        look_again_ns: 0,
    };
    Ok((sources, port))
}

/// The same with chunks in which the NIC itself can put whole frames, if those are to be had.
fn with_room(config: &XdpConfig) -> Result<XdpConfig, XdpError> {
    let mut config = config.clone();
    let longest = longest_frame(&config.interface)?;
    let whole_in = |frame_bytes: u32| {
        longest <= nic_bytes(&config.interface, frame_bytes - XDP_HEADROOM_BYTES)
    };
    if config.zero_copy != ZeroCopy::Off && !whole_in(config.frame_bytes) && whole_in(4096) {
        config.frame_bytes = 4096;
    }
    Ok(config)
}

/// Bytes that the longest frame has after what the NIC strips.
fn longest_frame(interface: &str) -> Result<u32, SocketError> {
    Ok(netdev::mtu(interface)?.saturating_add(LINK_BYTES))
}

/// How much of a buffer of so many bytes the interface's NIC fills in zero-copy mode.
fn nic_bytes(interface: &str, bytes: u32) -> u32 {
    let driver = netdev::driver(interface);
    let whole_kib = driver.is_some_and(|driver| WHOLE_KIB.contains(&driver.as_str()));
    if whole_kib { bytes & !1023 } else { bytes }
}

/// Queues to be served, by what the interface has now.
pub(super) fn queues(config: &XdpConfig) -> u32 {
    let all = netdev::receive_queues(&config.interface);
    config.queues.map_or(all, |wanted| wanted.min(all))
}

/// How the packet memory is dealt out to queues: each has as many chunks, in a row.
#[derive(Clone, Copy, Debug)]
pub(super) struct Geometry {
    pub(super) queues: u32,
    /// A power of two.
    pub(super) chunks_per_queue: u32,
}

impl Geometry {
    /// A chunk's address shifted by this is its queue.
    pub(super) fn queue_shift(self, config: &XdpConfig) -> u32 {
        config.frame_bytes.trailing_zeros() + self.chunks_per_queue.trailing_zeros()
    }
}

/// Takes hold of the interface: the program loaded, every socket bound. Gives the ends of each shard.
pub(super) fn take_hold(
    config: &XdpConfig,
    choice: Choice,
    geometry: Geometry,
    umem: &mut Umem,
    bells: &[Arc<OwnedFd>],
) -> Result<(Hold, XdpReport, Vec<Vec<End>>), XdpError> {
    let interface_index = netdev::index(&config.interface)?;
    let Choice { split, because, symmetric } = choice;
    let program = Program::load(&Settings {
        interface: config.interface.clone(),
        interface_index,
        queues: geometry.queues,
        shards: config.shards,
        split,
        key: config.hash_key,
        hints: true,
    })?;
    let mut set_up = SetUp::new(config, geometry, split, umem);
    let ends = set_up.ends(&program, bells)?;
    let SetUp { binding, zero_copy_refused, sockets, .. } = set_up;
    let promiscuous =
        config.promiscuous.then(|| Promiscuous::join(&config.interface)).transpose()?;
    let (huge_pages, huge_pages_refused) = match umem.area().pages() {
        Pages::Huge => (true, None),
        Pages::Ordinary { refused } => (false, refused.as_ref().map(ToString::to_string)),
    };
    let report = XdpReport {
        interface: config.interface.clone(),
        interface_index,
        driver: netdev::driver(&config.interface),
        attachment: None,
        native_refused: None,
        modes: modes(&sockets),
        zero_copy_refused,
        split,
        split_because: because,
        queues: geometry.queues,
        shards: config.shards,
        multi_buffer: binding.multi_buffer,
        vlan_hints: false,
        busy_poll: binding.busy_poll.is_some(),
        huge_pages,
        huge_pages_refused,
        memory_bytes: umem.area().bytes(),
        frame_bytes: config.frame_bytes,
    };
    let hold =
        Hold { attached: None, program, _promiscuous: promiscuous, _symmetric: symmetric, sockets };
    Ok((hold, report, ends))
}

/// The mode of each queue, as the kernel told it for every socket there.
fn modes(sockets: &[(u32, Socket)]) -> Vec<Mode> {
    let mut modes = Vec::new();
    for (queue, socket) in sockets {
        let at = usize::try_from(*queue).unwrap_or(usize::MAX);
        if modes.len() <= at {
            modes.push(socket.mode());
        } else if let Some(mode) = modes.get_mut(at)
            && socket.mode() == Mode::Copy
        {
            *mode = Mode::Copy;
        }
    }
    modes
}

/// The memory for all queues, and how many chunks each gets.
fn packet_memory(config: &XdpConfig, queues: u32) -> Result<(Umem, u32), XdpError> {
    let wanted = u64::from(config.frames_per_shard) * u64::from(config.shards);
    let wanted = wanted.div_ceil(u64::from(queues)).max(least_chunks(config).into());
    let chunks_per_queue = u32::try_from(wanted.next_power_of_two())
        .ok()
        .filter(|chunks| chunks.checked_mul(queues).is_some())
        .ok_or_else(|| XdpError::Settings("too many frames for all shards".to_owned()))?;
    let area = Area::create(&AreaConfig {
        bytes: chunks_per_queue as usize * queues as usize * config.frame_bytes as usize,
        huge_pages: config.huge_pages,
        name: "weir-frames",
    })?;
    let umem = UmemConfig { chunk_bytes: config.frame_bytes, headroom_bytes: 0 };
    Ok((Umem::new(area, &umem)?, chunks_per_queue))
}

/// Chunks that a queue needs: a full receive ring, and as many for the NIC.
pub(super) const fn least_chunks(config: &XdpConfig) -> u32 {
    config.ring_entries.saturating_mul(2)
}

pub(super) fn probe_zero_copy(interface: &str, queue: u32) -> Result<(), XdpError> {
    let bytes = 64 * 2048;
    let config = AreaConfig { bytes, huge_pages: HugePages::Off, ..AreaConfig::default() };
    let mut umem = Umem::new(Area::create(&config)?, &UmemConfig::default())?;
    let binding = BindConfig {
        rx_entries: 64,
        fill_entries: 64,
        mode: ModeWish::ZeroCopy,
        ..BindConfig::default()
    };
    umem.bind(&QueueId::of(interface, queue)?, &binding)?;
    Ok(())
}

fn check(config: &XdpConfig) -> Result<(), XdpError> {
    let wrong = |what: &str| Err(XdpError::Settings(format!("xdp:{}: {what}", config.interface)));
    if config.shards == 0 || config.shards > 1024 {
        return wrong("shards must be from 1 to 1024");
    }
    if config.queues == Some(0) {
        return wrong("at least one queue must be served");
    }
    if !matches!(config.frame_bytes, 2048 | 4096) {
        return wrong("frame bytes must be 2048 or 4096");
    }
    if !config.ring_entries.is_power_of_two() || !(64..=1 << 16).contains(&config.ring_entries) {
        return wrong("ring entries must be a power of two from 64 to 65536");
    }
    if !(64..=1 << 24).contains(&config.frames_per_shard) {
        return wrong("frames for each shard must be from 64 to 16777216");
    }
    Ok(())
}

/// Who picks the shard, and why.
pub(super) struct Choice {
    pub(super) split: Split,
    pub(super) because: String,
    pub(super) symmetric: Option<SymmetricRss>,
}

fn although(error: &SocketError, why: &str) -> String {
    format!(
        "{why}, although the NIC's receive hash could not be made symmetric ({error}): the two \
         directions of a flow may be seen by different shards"
    )
}

/// The same split as before, on an interface that may have other queues.
pub(super) fn choose_again(config: &XdpConfig, before: &XdpReport) -> Choice {
    let by_hash = before.split == Split::Nic && config.shards > 1;
    let (symmetric, because) = match by_hash.then(|| SymmetricRss::set(&config.interface)) {
        Some(Ok(symmetric)) => (Some(symmetric), before.split_because.clone()),
        Some(Err(error)) => (None, although(&error, "as before")),
        None => (None, before.split_because.clone()),
    };
    Choice { split: before.split, because, symmetric }
}

/// Decides who picks the shard.
fn choose_split(config: &XdpConfig, queues: u32) -> Result<Choice, XdpError> {
    let shards = config.shards;
    let choice = |split, because: &str, symmetric| {
        Ok(Choice { split, because: because.to_owned(), symmetric })
    };
    let xdp = |because: &str| choice(Split::Xdp, because, None);
    match config.split {
        SplitWish::Xdp => return xdp("as set"),
        SplitWish::Nic if queues < shards => {
            return Err(XdpError::Settings(format!(
                "split = nic needs a queue for each shard: {} has {queues} queues for {shards} \
                 shards; use fewer shards, more queues (`ethtool -L`), or split = xdp",
                config.interface
            )));
        }
        SplitWish::Auto if shards > queues => {
            return xdp("there are fewer queues than shards");
        }
        SplitWish::Auto | SplitWish::Nic => {}
    }
    if shards == 1 {
        return choice(Split::Nic, "one shard has all queues", None);
    }
    match SymmetricRss::set(&config.interface) {
        Ok(symmetric) => {
            let because = match symmetric.obtained() {
                Symmetry::Xor => "the NIC's receive hash is symmetric (symmetric-xor)",
                Symmetry::RepeatedKey => "the NIC's receive hash is symmetric (repeating key)",
            };
            choice(Split::Nic, because, Some(symmetric))
        }
        Err(error) if config.split == SplitWish::Nic => {
            Ok(Choice { split: Split::Nic, because: although(&error, "as set"), symmetric: None })
        }
        Err(_) => xdp("the NIC's receive hash cannot be made symmetric"),
    }
}

/// What is there once sockets are bound.
struct SetUp<'a> {
    config: &'a XdpConfig,
    split: Split,
    geometry: Geometry,
    umem: &'a mut Umem,
    binding: BindConfig,
    zero_copy_refused: Option<String>,
    sockets: Vec<(u32, Socket)>,
}

impl<'a> SetUp<'a> {
    fn new(
        config: &'a XdpConfig,
        geometry: Geometry,
        split: Split,
        umem: &'a mut Umem,
    ) -> SetUp<'a> {
        let binding = BindConfig {
            rx_entries: config.ring_entries,
            fill_entries: config.ring_entries,
            busy_poll: (config.idle == Idle::BusyPoll).then_some(BusyPoll {
                microseconds: BUSY_POLL_MICROSECONDS,
                budget: BUSY_POLL_BUDGET,
            }),
            ..BindConfig::default()
        };
        let (zero_copy_refused, sockets) = (None, Vec::new());
        SetUp { config, split, geometry, umem, binding, zero_copy_refused, sockets }
    }

    /// Binds every socket, makes it known to the program, and deals the ends out to the shards.
    fn ends(
        &mut self,
        program: &Program,
        bells: &[Arc<OwnedFd>],
    ) -> Result<Vec<Vec<End>>, XdpError> {
        let mut shards: Vec<Vec<End>> = bells.iter().map(|_| Vec::new()).collect();
        for queue in 0..self.geometry.queues {
            // Queues take turns with their owners, so that the work is spread.
            let owner = queue % self.config.shards;
            let bell = bells.get(owner as usize).ok_or_else(impossible)?;
            for (shard, end) in self.queue(queue, owner, bell, program)? {
                if let Some(ends) = shards.get_mut(shard as usize) {
                    ends.push(end);
                }
            }
        }
        Ok(shards)
    }

    /// All the ends on one queue, each with its shard.
    fn queue(
        &mut self,
        queue: u32,
        owner: u32,
        bell: &Arc<OwnedFd>,
        program: &Program,
    ) -> Result<Vec<(u32, End)>, XdpError> {
        let shards = self.config.shards;
        let guests = match self.split {
            Split::Nic => 0,
            Split::Xdp => shards - 1,
        };
        let mut first = self.bind(queue)?;
        let (fill, completion) = first.rings.take().ok_or_else(impossible)?;
        let chunks_per_queue = self.geometry.chunks_per_queue;
        let start = queue * chunks_per_queue;
        let mut rings = Owner {
            fill,
            _completion: completion,
            spare: self.chunks_of(start..start + chunks_per_queue),
            returns: Vec::new(),
        };
        let mut ends = Vec::new();
        for step in 1..=guests {
            let shard = (owner + step) % shards;
            let bound = self.bind(queue)?;
            let (home, returned) = home_ring(chunks_per_queue);
            rings.returns.push(returned);
            // A quarter of the shard's share: all guests' together are never all chunks.
            let threshold = u64::from(chunks_per_queue / shards / 4).max(1);
            let role = Role::Guest(Guest { home, threshold, bell: Arc::clone(bell) });
            ends.push((shard, self.end(queue, shard, bound, role, program)?));
        }
        rings.fill.fill(&mut rings.spare);
        let end = self.end(queue, owner, first, Role::Owner(rings), program)?;
        ends.push((owner, end));
        Ok(ends)
    }

    /// The free chunks in `range`, with room for those that are not.
    fn chunks_of(&mut self, range: Range<u32>) -> Vec<Chunk> {
        let all = range.len();
        let mut chunks = self.umem.take_chunks(range);
        chunks.reserve(all - chunks.len());
        chunks
    }

    fn end(
        &mut self,
        queue: u32,
        shard: u32,
        bound: Bound,
        role: Role,
        program: &Program,
    ) -> Result<End, XdpError> {
        program.set_socket(queue, shard, bound.socket.as_fd())?;
        self.sockets.push((queue, bound.socket.clone()));
        let rx = bound.rx.ok_or_else(impossible)?;
        let out_most = self.out_most();
        Ok(End { queue, socket: bound.socket, rx, role, open: None, out: 0, out_most })
    }

    /// Chunks of a queue that one shard may keep for readers: what the fill ring and a batch do not
    /// need, but a quarter at least, in equal parts.
    fn out_most(&self) -> u32 {
        let sharers = match self.split {
            Split::Nic => 1,
            Split::Xdp => self.config.shards,
        };
        let batches = u32::try_from(4 * BATCH).unwrap_or(0);
        let needed = self.config.ring_entries.saturating_add(batches);
        let left = self.geometry.chunks_per_queue.saturating_sub(needed);
        (left.max(self.geometry.chunks_per_queue / 4) / sharers).max(1)
    }

    /// Binds one more socket. The very first tries what the configuration allows, from the best
    /// on; the others follow it.
    fn bind(&mut self, queue: u32) -> Result<Bound, XdpError> {
        let to = QueueId::of(&self.config.interface, queue)?;
        if !self.sockets.is_empty() {
            return Ok(self.umem.bind(&to, &self.binding)?);
        }
        Ok(match self.bind_first(&to) {
            // The kernel does not poll by preference, but the threads can all the same.
            Err(SocketError::System { step: Step::SetBusyPoll, .. }) => {
                self.binding.busy_poll = None;
                self.bind_first(&to)
            }
            other => other,
        }?)
    }

    fn bind_first(&mut self, to: &QueueId) -> Result<Bound, SocketError> {
        let interface = &self.config.interface;
        let room = nic_bytes(interface, self.umem.frame_bytes());
        let zero_copy = BindConfig {
            mode: ModeWish::ZeroCopy,
            // Few drivers can do both, so it is asked for only where it is needed.
            multi_buffer: longest_frame(interface)? > room,
            ..self.binding
        };
        let copy = BindConfig { mode: ModeWish::Copy, multi_buffer: true, ..self.binding };
        let before_6_6 = BindConfig { multi_buffer: false, ..copy };
        let attempts: &[BindConfig] = match self.config.zero_copy {
            ZeroCopy::Require => &[zero_copy],
            ZeroCopy::Off => &[copy, before_6_6],
            ZeroCopy::Auto => &[zero_copy, copy, before_6_6],
        };
        let mut last = SocketError::Settings("no way to bind");
        for attempt in attempts {
            match self.umem.bind(to, attempt) {
                Ok(bound) => {
                    self.binding = *attempt;
                    return Ok(bound);
                }
                // Only refusals to bind may depend on the mode.
                Err(error @ SocketError::System { step: Step::Bind, .. }) => {
                    if attempt.mode == ModeWish::ZeroCopy {
                        self.zero_copy_refused = Some(error.to_string());
                    }
                    last = error;
                }
                Err(error) => return Err(error),
            }
        }
        Err(last)
    }
}

/// For what cannot be missing, where saying so as an error is simplest.
fn impossible() -> XdpError {
    XdpError::Settings("a ring that was asked for is missing".to_owned())
}
