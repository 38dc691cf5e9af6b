//! Setting a capture up.

use std::os::fd::{AsFd, OwnedFd};
use std::sync::Arc;

use af_xdp::netdev::{self, Promiscuous, SymmetricRss, Symmetry};
use af_xdp::spsc::home_ring;
use af_xdp::{
    Area, AreaConfig, BindConfig, Bound, BusyPoll, Custody, Error as SocketError, HugePages, Mode,
    ModeWish, Pages, QueueId, Step, Umem, UmemConfig,
};
use weir_ebpf::{Program, Settings, Split};

use super::report::XdpReport;
use super::source::{End, Guest, Owner, Parts, Role, XdpSource, bell};
use super::{Idle, SplitWish, XdpConfig, XdpError, XdpPort, ZeroCopy, ledger};
use crate::capture::BATCH;

/// How long a blocking call would poll; the sources make none that blocks.
const BUSY_POLL_MICROSECONDS: u32 = 20;

/// Frames that a busy poll takes at most.
const BUSY_POLL_BUDGET: u32 = 256;

/// Bytes that a frame may have beyond the MTU: Ethernet, two tags, and the check sequence.
const LINK_BYTES: u32 = 14 + 8 + 4;

/// Everything but the program on the interface: [`XdpPort::start`] hangs it there.
pub(super) fn prepare(config: &XdpConfig) -> Result<(Vec<XdpSource>, XdpPort), XdpError> {
    check(config)?;
    let interface_index = netdev::index(&config.interface)?;
    let all = netdev::receive_queues(&config.interface);
    let queues = config.queues.map_or(all, |wanted| wanted.min(all));
    let choice = choose_split(config, queues)?;
    let missed_before = ledger::nic_missed(&config.interface, interface_index);
    let program = Program::load(&Settings {
        interface: config.interface.clone(),
        interface_index,
        queues,
        shards: config.shards,
        split: choice.split,
        key: config.hash_key,
        hints: true,
    })?;
    let mut set_up = SetUp::new(config, queues, choice.split)?;
    let sources = set_up.sources(&program)?;
    let promiscuous =
        config.promiscuous.then(|| Promiscuous::join(&config.interface)).transpose()?;
    let (huge_pages, huge_pages_refused) = match set_up.umem.area().pages() {
        Pages::Huge => (true, None),
        Pages::Ordinary { refused } => (false, refused.as_ref().map(ToString::to_string)),
    };
    let report = XdpReport {
        interface: config.interface.clone(),
        interface_index,
        driver: netdev::driver(&config.interface),
        attachment: None,
        native_refused: None,
        mode: set_up.mode,
        zero_copy_refused: set_up.zero_copy_refused,
        split: choice.split,
        split_because: choice.because,
        queues,
        shards: config.shards,
        multi_buffer: set_up.binding.multi_buffer,
        vlan_hints: false,
        busy_poll: set_up.binding.busy_poll.is_some(),
        huge_pages,
        huge_pages_refused,
        memory_bytes: set_up.umem.area().bytes(),
    };
    let port = XdpPort {
        attached: None,
        program,
        _promiscuous: promiscuous,
        _symmetric: choice.symmetric,
        sockets: set_up.sockets,
        umem: set_up.umem,
        report,
        missed_before,
    };
    Ok((sources, port))
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

struct Choice {
    split: Split,
    because: String,
    symmetric: Option<SymmetricRss>,
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
            let because = format!(
                "as set, although the NIC's receive hash could not be made symmetric ({error}): \
                 the two directions of a flow may be seen by different shards"
            );
            Ok(Choice { split: Split::Nic, because, symmetric: None })
        }
        Err(_) => xdp("the NIC's receive hash cannot be made symmetric"),
    }
}

/// What is there once sockets are bound.
struct SetUp<'a> {
    config: &'a XdpConfig,
    split: Split,
    queues: u32,
    chunks_per_queue: u32,
    umem: Umem,
    binding: BindConfig,
    mode: Mode,
    zero_copy_refused: Option<String>,
    sockets: Vec<(u32, af_xdp::Socket)>,
}

impl<'a> SetUp<'a> {
    fn new(config: &'a XdpConfig, queues: u32, split: Split) -> Result<SetUp<'a>, XdpError> {
        let wanted = u64::from(config.frames_per_shard) * u64::from(config.shards);
        let wanted = wanted.div_ceil(u64::from(queues)).max(u64::from(config.ring_entries) * 2);
        let chunks_per_queue = u32::try_from(wanted.next_power_of_two())
            .ok()
            .filter(|chunks| chunks.checked_mul(queues).is_some())
            .ok_or_else(|| XdpError::Settings("too many frames for all shards".to_owned()))?;
        let area = Area::create(&AreaConfig {
            bytes: chunks_per_queue as usize * queues as usize * config.frame_bytes as usize,
            huge_pages: config.huge_pages,
            name: "weir-frames",
        })?;
        let umem_config = UmemConfig { chunk_bytes: config.frame_bytes, headroom_bytes: 0 };
        let binding = BindConfig {
            rx_entries: config.ring_entries,
            fill_entries: config.ring_entries,
            busy_poll: (config.idle == Idle::BusyPoll).then_some(BusyPoll {
                microseconds: BUSY_POLL_MICROSECONDS,
                budget: BUSY_POLL_BUDGET,
            }),
            ..BindConfig::default()
        };
        Ok(SetUp {
            config,
            split,
            queues,
            chunks_per_queue,
            umem: Umem::new(area, &umem_config)?,
            binding,
            mode: Mode::Copy,
            zero_copy_refused: None,
            sockets: Vec::new(),
        })
    }

    /// Binds every socket, makes it known to the program, and deals the ends out to the shards.
    fn sources(&mut self, program: &Program) -> Result<Vec<XdpSource>, XdpError> {
        let system = |what| move |source| XdpError::System { what, source };
        let mut shards = Vec::new();
        for _ in 0..self.config.shards {
            let bell = bell().map_err(system("making an eventfd"))?;
            shards.push((bell, Vec::new()));
        }
        for queue in 0..self.queues {
            // Queues take turns with their owners, so that the work is spread.
            let owner = queue % self.config.shards;
            let bell = shards.get(owner as usize).map(|(bell, _)| Arc::clone(bell));
            let bell = bell.ok_or_else(impossible)?;
            for (shard, end) in self.queue(queue, owner, &bell, program)? {
                if let Some((_, ends)) = shards.get_mut(shard as usize) {
                    ends.push(end);
                }
            }
        }
        let chunk_bits = self.config.frame_bytes.trailing_zeros();
        let queue_shift = chunk_bits + self.chunks_per_queue.trailing_zeros();
        (0..)
            .zip(shards)
            .map(|(shard, (bell, ends))| {
                XdpSource::new(Parts {
                    shard,
                    idle: self.config.idle,
                    custody: Custody::new(&self.umem),
                    ends,
                    queues: self.queues,
                    queue_shift,
                    chunk_shift: chunk_bits,
                    chunks: self.umem.chunks(),
                    bell,
                })
                .map_err(system("making an epoll descriptor"))
            })
            .collect()
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
        let start = queue * self.chunks_per_queue;
        let mut rings = Owner {
            fill,
            _completion: completion,
            spare: self.umem.take_chunks(start..start + self.chunks_per_queue),
            returns: Vec::new(),
        };
        let mut ends = Vec::new();
        for step in 1..=guests {
            let shard = (owner + step) % shards;
            let bound = self.bind(queue)?;
            let (home, returned) = home_ring(self.chunks_per_queue);
            rings.returns.push(returned);
            // A quarter of the shard's share: all guests' together are never all chunks.
            let threshold = u64::from(self.chunks_per_queue / shards / 4).max(1);
            let role = Role::Guest(Guest { home, threshold, bell: Arc::clone(bell) });
            ends.push((shard, self.end(queue, shard, bound, role, program)?));
        }
        rings.fill.fill(&mut rings.spare);
        let end = self.end(queue, owner, first, Role::Owner(rings), program)?;
        ends.push((owner, end));
        Ok(ends)
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
        let left = self.chunks_per_queue.saturating_sub(needed);
        (left.max(self.chunks_per_queue / 4) / sharers).max(1)
    }

    /// Binds one more socket. The very first tries what the configuration allows, from the best
    /// on; the others follow it.
    fn bind(&mut self, queue: u32) -> Result<Bound, XdpError> {
        let to = QueueId::of(&self.config.interface, queue)?;
        if !self.sockets.is_empty() {
            return Ok(self.umem.bind(&to, &self.binding)?);
        }
        let bound = match self.bind_first(&to) {
            // The kernel does not poll by preference, but the threads can all the same.
            Err(SocketError::System { step: Step::SetBusyPoll, .. }) => {
                self.binding.busy_poll = None;
                self.bind_first(&to)
            }
            other => other,
        }?;
        self.mode = bound.socket.mode();
        Ok(bound)
    }

    fn bind_first(&mut self, to: &QueueId) -> Result<Bound, SocketError> {
        let mtu = netdev::mtu(&self.config.interface)?;
        let zero_copy = BindConfig {
            mode: ModeWish::ZeroCopy,
            // Few drivers can do both, so it is asked for only where it is needed.
            multi_buffer: mtu.saturating_add(LINK_BYTES) > self.umem.frame_bytes(),
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
