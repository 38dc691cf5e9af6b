//! The source `xdp:IF`: frames taken at the driver through AF_XDP.
//!
//! One socket a shard and queue, all over one packet memory. The XDP program sends a frame to the
//! socket of its flow's shard on the queue that it came in on. A queue's fill and completion rings
//! belong to one shard, the queue's *owner*; the other shards on that queue, its *guests*, send
//! used chunks home to the owner, each over a ring of its own. An owner that sleeps is woken by an
//! eventfd once a quarter of a guest's share waits for it: while frames flow both are awake and no
//! system call is made for it, and chunks that wait below that mark can never be all there are.
//!
//! [`XdpPort`] stays with the main thread and tells what was obtained and counted; dropping it ends
//! the capture. A [`XdpSource`] moves to its shard's thread. When the interface goes, or has other
//! queues than before, the port takes the sockets back from the sources and, as soon as that is
//! possible, binds new ones over the same packet memory ([`XdpPort::tend`]): flows, and frames that
//! readers have, stay.
//!
//! The books, a queue at a time and exact once traffic stands still:
//!
//! ```text
//! seen       = redirected + passed_no_socket + aborted       (the XDP program's counters)
//! redirected = ring_full + dropped + frames received          (the sockets' and the sources')
//! ```

mod clock;
mod handover;
mod ledger;
mod open;
mod recover;
mod report;
mod source;

use std::io;

use af_xdp::netdev::{Promiscuous, SymmetricRss};
use af_xdp::{HugePages, Socket, Umem};
use weir_ebpf::{Attached, AttachmentWish, Program};

use handover::PortLine;
use ledger::Missed;
use open::Geometry;
use recover::State;

pub use ledger::QueueLedger;
pub use report::XdpReport;
pub use source::{QueueCount, XdpSource};

/// How frames are to find their shard.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub enum SplitWish {
    /// `Nic` where there are as many queues as shards and the NIC can be made symmetric, else
    /// `Xdp`.
    #[default]
    Auto,
    /// By queue: the NIC's receive hash decides.
    Nic,
    /// By the XDP program's hash, on whatever queue a frame comes in.
    Xdp,
}

/// What a shard does when there is nothing to receive.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub enum Idle {
    /// Sleep until there is.
    #[default]
    Sleep,
    /// Poll on, driving the NIC from the shard's own thread where the kernel can.
    BusyPoll,
}

/// Whether the NIC should write into the packet memory itself.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub enum ZeroCopy {
    /// Where the driver can; the kernel copies otherwise.
    #[default]
    Auto,
    /// Never.
    Off,
    /// Anything else is an error.
    Require,
}

/// What to capture and how.
#[derive(Clone, Debug)]
pub struct XdpConfig {
    /// The interface's name in the calling thread's network namespace.
    pub interface: String,
    /// How many sources to make.
    pub shards: u32,
    /// How frames find their shard.
    pub split: SplitWish,
    /// Serve only the queues below this number; all of them where none is given. Frames of other
    /// queues go to the kernel and are counted.
    pub queues: Option<u32>,
    /// Bytes of a chunk, 2048 or 4096; a frame may have 256 less in one.
    pub frame_bytes: u32,
    /// Chunks for each shard, rounded up so that each queue has a power of two of them.
    pub frames_per_shard: u32,
    /// Slots of each ring; a power of two.
    pub ring_entries: u32,
    /// What to do when there is nothing to receive.
    pub idle: Idle,
    /// Whether the NIC should write into the packet memory itself.
    pub zero_copy: ZeroCopy,
    /// Where the XDP program should hang.
    pub native: AttachmentWish,
    /// Whether the packet memory should come in 2 MiB pages.
    pub huge_pages: HugePages,
    /// Receive frames for other stations too.
    pub promiscuous: bool,
    /// The secret of the hash that finds shards.
    pub hash_key: [u64; 2],
    /// Take the interface anew when it was gone or has other queues. Needs the privileges of the
    /// start again.
    pub recover: bool,
}

impl Default for XdpConfig {
    fn default() -> XdpConfig {
        XdpConfig {
            interface: String::new(),
            shards: 1,
            split: SplitWish::Auto,
            queues: None,
            frame_bytes: 2048,
            frames_per_shard: 16384,
            ring_entries: 2048,
            idle: Idle::Sleep,
            zero_copy: ZeroCopy::Auto,
            native: AttachmentWish::Best,
            huge_pages: HugePages::Try,
            promiscuous: true,
            hash_key: [0; 2],
            recover: true,
        }
    }
}

/// Why the capture could not be set up.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum XdpError {
    /// The settings contradict each other or the machine.
    #[error("{0}")]
    Settings(String),
    /// A socket or the packet memory.
    #[error(transparent)]
    Socket(#[from] af_xdp::Error),
    /// The XDP program.
    #[error(transparent)]
    Program(#[from] weir_ebpf::Error),
    /// Something else of the operating system.
    #[error("{what}: {source}")]
    System {
        /// What was tried.
        what: &'static str,
        /// The operating system's answer.
        source: io::Error,
    },
}

/// The control side of a capture: what was obtained, what was counted. Dropping it ends the
/// capture: the program leaves the interface.
#[derive(Debug)]
pub struct XdpPort {
    config: XdpConfig,
    /// What hangs on the interface; none while there is nothing to hang on.
    hold: Option<Hold>,
    umem: Umem,
    geometry: Geometry,
    /// Queues that the interface had when it was taken hold of.
    queues_seen: u32,
    /// A line to each source.
    lines: Vec<PortLine>,
    report: XdpReport,
    /// What holds before this one counted, a row for each queue of the start and a last one.
    carried: Vec<QueueLedger>,
    missed: Missed,
    state: State,
    /// When the interface is looked at again.
    look_again_ns: u64,
}

/// Everything that goes with the interface.
#[derive(Debug)]
struct Hold {
    // In the order in which they have to go: no frames any more, then the rest.
    attached: Option<Attached>,
    program: Program,
    _promiscuous: Option<Promiscuous>,
    _symmetric: Option<SymmetricRss>,
    /// The sockets with their queues.
    sockets: Vec<(u32, Socket)>,
}

impl XdpPort {
    /// Sets everything up and attaches the program: frames flow when this returns. Gives a source
    /// for each shard, in order.
    ///
    /// # Errors
    /// What was tried, where, and what would help.
    pub fn open(config: &XdpConfig) -> Result<(Vec<XdpSource>, XdpPort), XdpError> {
        let (sources, mut port) = XdpPort::prepare(config)?;
        port.start(config.native)?;
        Ok((sources, port))
    }

    /// Sets everything up but the program on the interface: no frame comes before
    /// [`XdpPort::start`].
    ///
    /// # Errors
    /// What was tried, where, and what would help.
    pub fn prepare(config: &XdpConfig) -> Result<(Vec<XdpSource>, XdpPort), XdpError> {
        open::prepare(config)
    }

    /// Attaches the program: every frame from the first on finds its socket and free chunks.
    ///
    /// # Errors
    /// What was tried, where, and what would help.
    pub fn start(&mut self, wish: AttachmentWish) -> Result<(), XdpError> {
        match &mut self.hold {
            Some(hold) => hold.attach(wish, &mut self.report),
            None => Ok(()),
        }
    }

    /// Takes the program off the interface: no more frames come, and the counts stay readable.
    pub fn detach(&mut self) {
        self.state = State::Closed;
        if let Some(hold) = &mut self.hold {
            hold.attached = None;
        }
    }

    /// What was obtained.
    pub fn report(&self) -> &XdpReport {
        &self.report
    }

    /// The packet memory, sealed; its descriptor can be given to readers.
    pub fn umem(&self) -> &Umem {
        &self.umem
    }

    /// What the program and the kernel counted, a row for each queue and a last one for queues that
    /// came later. `received` is left 0: it is the sources' to add ([`XdpSource::counts`]).
    ///
    /// # Errors
    /// None in practice: the maps and sockets are held by this.
    pub fn ledger(&self) -> Result<Vec<QueueLedger>, XdpError> {
        let mut rows = self.carried.clone();
        if let Some(hold) = &self.hold {
            ledger::add(&mut rows, &ledger::read(&hold.program, &hold.sockets)?);
        }
        Ok(rows)
    }

    /// Frames that the NIC had no room for since the capture began (`rx_missed_errors`,
    /// `rx_fifo_errors`); none where the system does not show the interface's statistics.
    pub fn nic_missed(&self) -> Option<u64> {
        self.missed.all(&self.report)
    }
}

impl Hold {
    /// Attaches the program, and reports how.
    fn attach(&mut self, wish: AttachmentWish, report: &mut XdpReport) -> Result<(), XdpError> {
        let attached = self.program.attach(wish)?;
        report.attachment = Some(attached.attachment());
        report.native_refused = attached.native_refused().map(ToString::to_string);
        report.vlan_hints = attached.has_hints();
        self.attached = Some(attached);
        Ok(())
    }
}

/// Whether a queue gives zero-copy, found out by binding a socket and letting it go. Some drivers
/// restart their rings for that.
///
/// # Errors
/// Why not.
pub fn probe_zero_copy(interface: &str, queue: u32) -> Result<(), XdpError> {
    open::probe_zero_copy(interface, queue)
}
