//! One shard's end of the capture.
//!
//! A frame in several chunks is known by its head; the others hang on it in a chain (`links`), and
//! all go back together, or one by one where other processes read them.

use std::io;
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, OwnedFd};
use std::sync::Arc;
use std::time::Duration;

use af_xdp::spsc::{HomeReceiver, HomeSender};
use af_xdp::{Chunk, CompletionRing, Custody, FillRing, Packet, RxRing, Socket};
use rustix::event::{EventfdFlags, Timespec, epoll, eventfd};
use weir_ebpf::metadata::{FLAG_VLAN, FLAG_VLAN_SERVICE, METADATA_BYTES, Metadata};

use super::Idle;
use super::clock::Clock;
use super::handover::{Fresh, Gone, Order, SourceLine};
use crate::capture::{BATCH, Batch, Frame, Received, Source, Tag};
use crate::wire::LinkType;

/// What one shard received from one queue.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub struct QueueCount {
    /// The queue.
    pub queue: u32,
    /// Frames.
    pub frames: u64,
    /// Their bytes on the wire.
    pub bytes: u64,
    /// Frames that lay in several chunks.
    pub multi_buffer: u64,
    /// Frames without the XDP program's metadata: stamped when received, without a hash.
    pub without_metadata: u64,
}

/// Frames for one shard, from all the queues that it has sockets on.
#[derive(Debug)]
pub struct XdpSource {
    shard: u32,
    idle: Idle,
    clock: Clock,
    custody: Custody,
    ends: Vec<End>,
    counts: Vec<QueueCount>,
    /// The end that is asked first in the coming turn.
    first: usize,
    /// A chunk's address shifted by this is its queue ...
    queue_shift: u32,
    /// ... and this is the queue's place in `ends`.
    end_of_queue: Vec<usize>,
    /// Packets of the turn before they are in the batch.
    heads: [Head; BATCH],
    /// For a chunk of a frame in several: where the next one's bytes are.
    links: Box<[Link]>,
    chunk_shift: u32,
    waiter: Waiter,
    line: SourceLine,
    /// It is to let go of its ends as soon as nothing comes from them.
    leaving: bool,
    /// Chunks that came back while there was no end to give them to.
    homeless: Vec<Chunk>,
}

/// The socket on one queue.
#[derive(Debug)]
pub(super) struct End {
    pub(super) queue: u32,
    pub(super) socket: Socket,
    pub(super) rx: RxRing,
    pub(super) role: Role,
    /// A packet whose last chunk has not been seen yet.
    pub(super) open: Option<Head>,
    /// Chunks of this queue that are with this shard ...
    pub(super) out: u32,
    /// ... and how many may be, so that the kernel always has some.
    pub(super) out_most: u32,
}

/// The next chunk of a frame: its bytes, 0 after the last.
#[derive(Clone, Copy, Default, Debug)]
struct Link {
    addr: u64,
    bytes: u32,
}

/// What becomes of used chunks.
#[derive(Debug)]
pub(super) enum Role {
    /// This shard owns the queue's fill ring.
    Owner(Owner),
    /// Another one does.
    Guest(Guest),
}

#[derive(Debug)]
pub(super) struct Owner {
    pub(super) fill: FillRing,
    /// Nothing is sent, so nothing completes; it has to stay for the socket's sake.
    pub(super) _completion: CompletionRing,
    /// Free chunks beside those in the fill ring; the last is the one used last. Has room for all
    /// chunks of the queue.
    pub(super) spare: Vec<Chunk>,
    pub(super) returns: Vec<HomeReceiver>,
}

#[derive(Debug)]
pub(super) struct Guest {
    pub(super) home: HomeSender,
    /// Chunks that may wait for the owner before it is woken.
    pub(super) threshold: u64,
    /// Wakes the owner.
    pub(super) bell: Arc<OwnedFd>,
}

/// The first chunk of a packet.
#[derive(Clone, Copy, Default, Debug)]
pub(super) struct Head {
    addr: u64,
    bytes: u32,
    wire_bytes: u32,
    /// Where its last chunk's bytes are.
    last: u64,
}

/// What [`XdpSource::new`] is made from.
pub(super) struct Parts {
    pub(super) shard: u32,
    pub(super) idle: Idle,
    pub(super) custody: Custody,
    pub(super) ends: Vec<End>,
    pub(super) queues: u32,
    pub(super) queue_shift: u32,
    pub(super) chunk_shift: u32,
    pub(super) chunks: u32,
    pub(super) bell: Arc<OwnedFd>,
    pub(super) line: SourceLine,
}

impl XdpSource {
    pub(super) fn new(parts: Parts) -> io::Result<XdpSource> {
        let Parts { shard, idle, custody, ends, queues, queue_shift, bell, line, .. } = parts;
        let counts =
            ends.iter().map(|end| QueueCount { queue: end.queue, ..QueueCount::default() });
        let waiter = Waiter::new(bell, &ends)?;
        Ok(XdpSource {
            shard,
            idle,
            clock: Clock::new(),
            custody,
            counts: counts.collect(),
            first: 0,
            queue_shift,
            end_of_queue: end_of_queue(&ends, queues),
            heads: [Head::default(); BATCH],
            links: vec![Link::default(); parts.chunks as usize].into(),
            chunk_shift: parts.chunk_shift,
            waiter,
            line,
            leaving: false,
            homeless: Vec::new(),
            ends,
        })
    }

    /// Which shard this is.
    pub fn shard(&self) -> u32 {
        self.shard
    }

    /// What was received, by queue.
    pub fn counts(&self) -> &[QueueCount] {
        &self.counts
    }

    /// Frames received and not yet released.
    pub fn held(&self) -> u32 {
        self.custody.count()
    }

    /// Pieces of the frame in several chunks that begins here.
    fn pieces_from(&self, addr: u64) -> u64 {
        let next = |addr: &u64| self.link_after(*addr).map(|link| link.addr);
        std::iter::successors(Some(addr), next).take(self.links.len()).count() as u64
    }

    /// What follows on the chunk of a frame in several.
    #[inline]
    fn link_after(&self, addr: u64) -> Option<Link> {
        let link = self.links.get(usize::try_from(addr >> self.chunk_shift).ok()?)?;
        (link.bytes != 0).then_some(*link)
    }

    /// Does what the port says.
    #[inline]
    fn obey(&mut self) {
        if let Ok(order) = self.line.orders.pop() {
            match order {
                Order::LetGo => self.leaving = true,
                Order::Take(fresh) => self.take(*fresh),
            }
        }
    }

    /// Gives its ends back, with all that is in their rings.
    #[cold]
    fn let_go(&mut self) {
        let open: Vec<Head> = self.ends.iter_mut().filter_map(|end| end.open.take()).collect();
        for head in open {
            // The rest of this packet will not come; none has seen it.
            let mut next = Some(head.addr);
            while let Some(addr) = next {
                next = self.link_after(addr).map(|link| link.addr);
                self.custody.release(addr);
            }
        }
        self.leaving = false;
        self.end_of_queue.clear();
        // What comes back before there are new ends finds room without allocating.
        self.homeless.reserve(self.custody.count() as usize);
        let gone = Gone { ends: std::mem::take(&mut self.ends), held: self.custody.held() };
        // The port waits for this one answer, so there is room.
        drop(self.line.answers.push(gone));
    }

    /// Takes new ends.
    #[cold]
    fn take(&mut self, fresh: Fresh) {
        let Fresh { ends, queues, queue_shift, waiter } = fresh;
        (self.ends, self.queue_shift, self.waiter) = (ends, queue_shift, waiter);
        self.end_of_queue = end_of_queue(&self.ends, queues);
        let chunks_per_queue = 1 << (queue_shift - self.chunk_shift);
        let mut counts = Vec::new();
        for end in &mut self.ends {
            let first = end.queue * chunks_per_queue;
            end.out = self.custody.count_in(first..first + chunks_per_queue);
            let before = self.counts.iter().position(|count| count.queue == end.queue);
            let zero = QueueCount { queue: end.queue, ..QueueCount::default() };
            counts.push(before.map_or(zero, |at| self.counts.swap_remove(at)));
        }
        counts.append(&mut self.counts);
        self.counts = counts;
        for chunk in std::mem::take(&mut self.homeless) {
            let queue = u64::from(chunk.index()) << self.chunk_shift >> self.queue_shift;
            let at = usize::try_from(queue).ok().and_then(|queue| self.end_of_queue.get(queue));
            // A queue that is no more: its chunks come back with it.
            if let Some(end) = at.and_then(|at| self.ends.get_mut(*at)) {
                give(&mut end.role, chunk);
            }
        }
        self.flush();
    }

    /// Takes in what guests sent home and puts free chunks into the fill rings.
    fn refill(&mut self) {
        for end in &mut self.ends {
            if let Role::Owner(owner) = &mut end.role {
                for ring in &mut owner.returns {
                    ring.drain(&mut owner.spare);
                }
                if !owner.spare.is_empty() {
                    owner.fill.fill(&mut owner.spare);
                }
            }
        }
    }

    /// Takes what fits from one queue.
    fn receive_from(&mut self, at: usize, batch: &mut Batch) {
        let (Some(end), Some(count)) = (self.ends.get_mut(at), self.counts.get_mut(at)) else {
            return;
        };
        let room = u32::try_from(batch.room()).unwrap_or(0);
        let End { rx, open, out, .. } = end;
        let (custody, links, shift) = (&mut self.custody, &mut self.links, self.chunk_shift);
        let mut slots = self.heads.iter_mut();
        let mut taken = 0;
        // A packet ends with some descriptor, so there are no more packets than descriptors.
        rx.receive(room, |packet| {
            *out += 1;
            if let Some(head) = join(open, packet, custody, (links, shift), count)
                && let Some(slot) = slots.next()
            {
                *slot = head;
                taken += 1;
            }
        });
        // A second loop: the loads of the metadata do not depend on each other and overlap.
        for head in self.heads.iter().take(taken) {
            count.frames += 1;
            count.bytes += u64::from(head.wire_bytes);
            let metadata = custody.before::<METADATA_BYTES>(head.addr).and_then(Metadata::read);
            let metadata = metadata.unwrap_or_else(|| {
                count.without_metadata += 1;
                Metadata { monotonic_ns: self.clock.monotonic_ns(), ..Metadata::default() }
            });
            let tag = match metadata.flags & (FLAG_VLAN | FLAG_VLAN_SERVICE) {
                0 => Tag::None,
                FLAG_VLAN => Tag::Customer,
                _ => Tag::Service,
            };
            batch.push(Frame {
                addr: head.addr,
                timestamp_ns: self.clock.unix_ns(metadata.monotonic_ns),
                captured_bytes: head.bytes,
                wire_bytes: head.wire_bytes,
                hash: metadata.hash,
                vlan: if tag == Tag::None { 0 } else { metadata.vlan },
                tag,
                interface: 0,
                link: LinkType::Ethernet,
            });
        }
    }

    /// Lets the kernel work where it waits for that.
    fn kick(&self) {
        for end in &self.ends {
            let asked = match (&end.role, self.idle) {
                (_, Idle::BusyPoll) => true,
                (Role::Owner(owner), Idle::Sleep) => owner.fill.needs_wakeup(),
                (Role::Guest(_), Idle::Sleep) => false,
            };
            if asked {
                end.socket.wake_receive();
            }
        }
    }
}

impl Source for XdpSource {
    fn receive(&mut self, batch: &mut Batch) -> Received {
        self.obey();
        self.refill();
        let ends = self.ends.len();
        for step in 0..ends {
            if batch.is_full() {
                break;
            }
            // The first of the turn changes, so that a busy queue does not starve the others.
            self.receive_from((self.first + step) % ends, batch);
        }
        self.first = (self.first + 1) % ends.max(1);
        if batch.as_slice().is_empty() {
            if self.leaving {
                self.let_go();
            }
            self.kick();
            return Received::Idle;
        }
        Received::Frames
    }

    #[inline]
    fn bytes(&self, frame: &Frame) -> &[u8] {
        self.custody.bytes(frame.addr, frame.captured_bytes)
    }

    fn release(&mut self, batch: &Batch) {
        for frame in batch.as_slice() {
            if frame.captured_bytes == frame.wire_bytes {
                self.give_back(frame.addr);
                continue;
            }
            let mut next = self.piece(frame, None);
            while let Some((addr, _)) = next {
                next = self.piece(frame, Some(addr));
                self.give_back(addr);
            }
        }
        self.flush();
    }

    #[inline]
    fn piece(&self, frame: &Frame, after: Option<u64>) -> Option<(u64, u32)> {
        let Some(after) = after else { return Some((frame.addr, frame.captured_bytes)) };
        if frame.captured_bytes == frame.wire_bytes {
            return None;
        }
        self.link_after(after).map(|link| (link.addr, link.bytes))
    }

    #[inline]
    fn is_whole(&self, frame: &Frame) -> bool {
        self.piece(frame, Some(frame.addr)).is_none()
    }

    #[inline]
    fn give_back(&mut self, addr: u64) {
        let queue = usize::try_from(addr >> self.queue_shift).unwrap_or(usize::MAX);
        let end = self.end_of_queue.get(queue).and_then(|at| self.ends.get_mut(*at));
        let chunk = self.custody.release(addr);
        debug_assert!(chunk.is_some(), "a frame is released once");
        let Some(chunk) = chunk else { return };
        match end {
            Some(end) => {
                end.out -= 1;
                give(&mut end.role, chunk);
            }
            None => self.homeless.push(chunk),
        }
    }

    fn flush(&mut self) {
        for end in &mut self.ends {
            match &mut end.role {
                Role::Owner(owner) => {
                    owner.fill.fill(&mut owner.spare);
                }
                Role::Guest(guest) => guest.send_home(),
            }
        }
    }

    fn is_short(&self) -> bool {
        self.ends.iter().any(|end| end.out > end.out_most)
    }

    fn lent(&self) -> u64 {
        let open = self.ends.iter().filter_map(|end| end.open.as_ref());
        let unfinished: u64 = open.map(|head| self.pieces_from(head.addr)).sum();
        u64::from(self.custody.count()) - unfinished
    }

    fn lendable(&self) -> Option<u64> {
        self.ends.iter().map(|end| end.out_most.into()).min()
    }

    /// From the XDP program to the ring: the driver's poll hands over within one softirq, which a
    /// virtual machine may stop in between.
    fn lateness_ns(&self) -> u64 {
        const LATENESS_NS: u64 = 2_000_000;
        LATENESS_NS
    }

    fn now_ns(&mut self) -> u64 {
        self.clock.now_ns()
    }

    fn wait(&mut self, timeout: Duration) {
        if self.idle == Idle::BusyPoll {
            return;
        }
        self.refill();
        self.kick();
        self.waiter.wait(timeout);
    }
}

/// The place of each queue's end among `ends`. Chunks of queues without one here never come here.
fn end_of_queue(ends: &[End], queues: u32) -> Vec<usize> {
    let place = |queue: u32| ends.iter().position(|end| end.queue == queue);
    (0..queues).map(|queue| place(queue).unwrap_or(usize::MAX)).collect()
}

/// Takes a descriptor in. Gives the packet that it completes; chunks after a packet's first hang on
/// the one before.
#[inline]
fn join(
    open: &mut Option<Head>,
    packet: Packet,
    custody: &mut Custody,
    (links, chunk_shift): (&mut [Link], u32),
    count: &mut QueueCount,
) -> Option<Head> {
    let Packet { chunk, addr, bytes, more } = packet;
    custody.hold_chunk(chunk);
    let mut link_of = |addr: u64, link: Link| {
        let index = usize::try_from(addr >> chunk_shift).unwrap_or(usize::MAX);
        if let Some(place) = links.get_mut(index) {
            *place = link;
        }
    };
    let head = if let Some(mut head) = open.take() {
        head.wire_bytes = head.wire_bytes.saturating_add(bytes);
        link_of(head.last, Link { addr, bytes });
        head.last = addr;
        link_of(addr, Link::default());
        head
    } else {
        count.multi_buffer += u64::from(more);
        if more {
            link_of(addr, Link::default());
        }
        Head { addr, bytes, wire_bytes: bytes, last: addr }
    };
    if more {
        *open = Some(head);
        return None;
    }
    Some(head)
}

/// Brings a chunk on its way to the fill ring.
#[inline]
fn give(role: &mut Role, chunk: Chunk) {
    match role {
        Role::Owner(owner) => owner.spare.push(chunk),
        Role::Guest(guest) => {
            let sent = guest.home.push(chunk);
            debug_assert!(sent.is_ok(), "the ring has room for all chunks of the queue");
        }
    }
}

impl Guest {
    /// Makes the turn's chunks visible to the owner, and wakes it if many wait: it sleeps then, or
    /// is slow, and the eventfd does not block either way.
    fn send_home(&mut self) {
        self.home.publish();
        if self.home.waiting(self.threshold) {
            let one = 1_u64.to_ne_bytes();
            // Refused only if the counter is full, which wakes the owner just as well.
            rustix::io::write(&self.bell, &one).ok();
        }
    }
}

/// Sleeps on all sockets of a shard and on its bell at once, without allocating.
#[derive(Debug)]
pub(super) struct Waiter {
    epoll: OwnedFd,
    bell: Arc<OwnedFd>,
}

/// Marks the bell among the events; sockets need not be told apart.
const BELL: u64 = u64::MAX;

impl Waiter {
    pub(super) fn new(bell: Arc<OwnedFd>, ends: &[End]) -> io::Result<Waiter> {
        let epoll = epoll::create(epoll::CreateFlags::CLOEXEC)?;
        let readable = epoll::EventFlags::IN;
        epoll::add(&epoll, bell.as_fd(), epoll::EventData::new_u64(BELL), readable)?;
        for end in ends {
            let data = epoll::EventData::new_u64(u64::from(end.queue));
            epoll::add(&epoll, end.socket.as_fd(), data, readable)?;
        }
        Ok(Waiter { epoll, bell })
    }

    fn wait(&self, timeout: Duration) {
        let timeout = Timespec {
            tv_sec: i64::try_from(timeout.as_secs()).unwrap_or(i64::MAX),
            tv_nsec: i64::from(timeout.subsec_nanos()),
        };
        let mut space = [MaybeUninit::uninit(); 8];
        // Interrupted or refused: the turn that follows looks for itself.
        let Ok((events, _)) = epoll::wait(&self.epoll, &mut space, Some(&timeout)) else { return };
        if events.iter().any(|event| event.data.u64() == BELL) {
            let mut rung = [0; 8];
            rustix::io::read(&self.bell, &mut rung).ok();
        }
    }
}

const _: () = {
    const fn moves_to_its_thread<T: Send>() {}
    moves_to_its_thread::<XdpSource>();
};

/// The eventfd that wakes a shard.
pub(super) fn bell() -> io::Result<Arc<OwnedFd>> {
    Ok(Arc::new(eventfd(0, EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK)?))
}
