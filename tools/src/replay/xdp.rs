//! The engine `xdp`: an AF_XDP socket that sends alone. Frames are written where the driver takes
//! them from, in place where it can (zero-copy).

use std::collections::VecDeque;
use std::time::Duration;

use af_xdp::{
    Area, AreaConfig, BindConfig, Chunk, CompletionRing, Custody, Mode, ModeWish, QueueId, Socket,
    TxRing, Umem, UmemConfig,
};
use anyhow::{Context, bail};
use weir_ebpf::{Attached, AttachmentWish, Program, Settings, Split};
use weir_engine::sys::clock;

use super::interface::Interface;
use super::pacer::{BATCH, Transmit, Unsent};
use crate::exit::{Code, failure};
use crate::netlink::Features;

/// Frames on their way at most.
const RING: u32 = 2048;
/// Bytes of a chunk, and so of a frame.
const CHUNK: u32 = 4096;
/// So long the last frames are waited for.
const PATIENCE_NS: u64 = 1_000_000_000;

/// After so long without a frame that left, none will.
const STALLED_NS: u64 = 2_000_000_000;

/// Bytes of a frame at most.
pub(super) const FRAME_BYTES: u32 = CHUNK;

/// A socket with frames in all states.
#[derive(Debug)]
pub(super) struct XdpOut {
    // The memory lives as long as its socket.
    _umem: Umem,
    socket: Socket,
    send: TxRing,
    completed: CompletionRing,
    custody: Custody,
    chunk_bytes: u32,
    /// Chunks to be written to, by index.
    free: VecDeque<u32>,
    /// Chunk that was given as room last.
    room: Option<u32>,
    /// Committed frames, and those that the ring had no place for, the oldest last.
    waiting: Vec<(Chunk, u32, u32)>,
    fresh: Vec<(Chunk, u32, u32)>,
    back: Vec<Chunk>,
    on_their_way: u32,
    /// Since when all chunks are with the kernel.
    stuck_since_ns: Option<u64>,
    /// Many drivers send in place only while there is an XDP program; this one lets all pass.
    _program: Option<Attached>,
}

impl XdpOut {
    /// Binds to a queue of an interface.
    ///
    /// # Errors
    /// Without the privilege, the queue, or the memory.
    pub(super) fn open(interface: &Interface, queue: u32) -> anyhow::Result<XdpOut> {
        let bytes = usize::try_from(RING * CHUNK).context("packet memory")?;
        let area = Area::create(&AreaConfig { bytes, ..AreaConfig::default() })?;
        let config = UmemConfig { chunk_bytes: CHUNK, headroom_bytes: 0 };
        let mut umem = Umem::new(area, &config)?;
        let config = BindConfig {
            rx_entries: 0,
            tx_entries: RING,
            // The kernel wants one, though nothing is received.
            fill_entries: 64,
            completion_entries: RING,
            mode: ModeWish::Best,
            ..BindConfig::default()
        };
        let program = pass_all(interface);
        let queue = QueueId::of(&interface.name, queue)?;
        let bound = umem.bind(&queue, &config)?;
        let (Some(send), Some((_fill, completed))) = (bound.tx, bound.rings) else {
            bail!("the first socket of a queue has rings");
        };
        let mut custody = Custody::new(&umem);
        let mut free = VecDeque::new();
        for chunk in umem.take_chunks(0..RING) {
            free.push_back(chunk.index());
            custody.hold_chunk(chunk);
        }
        Ok(XdpOut {
            socket: bound.socket,
            send,
            completed,
            custody,
            chunk_bytes: umem.chunk_bytes(),
            free,
            room: None,
            waiting: Vec::with_capacity(BATCH),
            fresh: Vec::with_capacity(BATCH),
            back: Vec::with_capacity(BATCH),
            on_their_way: 0,
            stuck_since_ns: None,
            _program: program,
            _umem: umem,
        })
    }

    /// The mode obtained, for people.
    pub(super) fn title(&self) -> &'static str {
        match self.socket.mode() {
            Mode::ZeroCopy => "xdp, zero-copy",
            Mode::Copy => "xdp, copy mode",
        }
    }

    fn address(&self, chunk: u32) -> u64 {
        u64::from(chunk) * u64::from(self.chunk_bytes)
    }

    /// Takes chunks back that the kernel is through with.
    fn collect(&mut self) {
        let count = self.completed.drain(RING, &mut self.back);
        self.on_their_way = self.on_their_way.saturating_sub(count);
        for chunk in self.back.drain(..) {
            self.free.push_back(chunk.index());
            self.custody.hold_chunk(chunk);
        }
    }

    /// Hands over what waits, and wakes the kernel as long as it takes frames: in copy mode it
    /// takes a few at each call.
    fn push(&mut self) {
        self.on_their_way += self.send.send(&mut self.waiting);
        let mut queued = self.send.queued();
        while queued > 0 && self.send.needs_wakeup() {
            self.socket.wake_send();
            let left = self.send.queued();
            if left == queued {
                break;
            }
            queued = left;
        }
        self.collect();
    }
}

impl Transmit for XdpOut {
    fn room(&mut self) -> Option<&mut [u8]> {
        if self.room.is_none() {
            self.room = self.free.pop_front();
        }
        let address = self.address(self.room?);
        Some(self.custody.bytes_mut(address, self.chunk_bytes))
    }

    fn commit(&mut self, bytes: usize) {
        let Some(chunk) =
            self.room.take().and_then(|room| self.custody.release(self.address(room)))
        else {
            return;
        };
        let bytes = u32::try_from(bytes).unwrap_or(0).min(self.chunk_bytes);
        self.fresh.push((chunk, 0, bytes));
    }

    fn flush(&mut self) -> anyhow::Result<()> {
        // The ring takes from the end.
        self.fresh.reverse();
        self.fresh.append(&mut self.waiting);
        std::mem::swap(&mut self.fresh, &mut self.waiting);
        self.push();
        // The clock is looked at only while nothing can be done.
        if self.free.is_empty() {
            let now_ns = clock::monotonic_ns();
            if now_ns - *self.stuck_since_ns.get_or_insert(now_ns) > STALLED_NS {
                bail!(failure(
                    Code::Failed,
                    "--engine xdp: the driver sends nothing from this queue; is the link up? Some \
                     drivers send only with an XDP program on the interface, and another one may \
                     be there: choose --engine packet"
                ));
            }
        } else {
            self.stuck_since_ns = None;
        }
        Ok(())
    }

    fn finish(&mut self) -> anyhow::Result<Unsent> {
        let since = clock::monotonic_ns();
        while self.on_their_way > 0 || !self.waiting.is_empty() {
            self.push();
            if clock::monotonic_ns() - since > PATIENCE_NS {
                break;
            }
            if self.on_their_way > 0 {
                clock::rest(Duration::from_micros(20));
            }
        }
        let left = u64::from(self.on_their_way) + self.waiting.len() as u64;
        let invalid = self.socket.statistics()?.invalid_send;
        Ok(Unsent { queue_full: left, refused: invalid, ..Unsent::default() })
    }
}

/// An XDP program on the interface that lets every frame pass, where the driver may need one to send
/// in place. One that is there already does as well.
fn pass_all(interface: &Interface) -> Option<Attached> {
    if !interface.features.is_some_and(Features::zero_copy) {
        return None;
    }
    let settings = Settings {
        interface: interface.name.clone(),
        interface_index: interface.index,
        queues: 1,
        shards: 1,
        split: Split::Nic,
        key: [0; 2],
        hints: false,
    };
    Program::load(&settings).ok()?.attach(AttachmentWish::Native).ok()
}

/// Why `xdp` cannot send frames of so many bytes.
///
/// # Errors
/// They are too long.
pub(super) fn must_take(longest: u32) -> anyhow::Result<()> {
    if longest > FRAME_BYTES {
        bail!(failure(
            Code::Failed,
            format!(
                "--engine xdp: frames are {longest} bytes long, and a chunk holds {FRAME_BYTES}; \
                 choose --engine packet"
            )
        ));
    }
    Ok(())
}
