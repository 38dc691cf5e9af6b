//! One reader of an engine's packets: all shards, in time order.
//!
//! A packet is *held* from [`PacketReader::hold`] to [`PacketReader::release`], and its bytes are
//! good all that time: a lease reader has them in place, a window reader in a copy of its own that
//! was checked. Packets of several shards come in the order of their timestamps: one is handed out
//! once no other shard can have an older one; with live sources, also after 200 ms of waiting for a
//! shard that is stuck.

mod parts;

use std::collections::VecDeque;
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::time::Duration;

use rustix::event::{EventfdFlags, Timespec, epoll, eventfd};
use rustix::time::{ClockId, clock_gettime};

use super::answer::{Judgement, Next, PacketOptions, ReaderCounts, Woken};
use super::cursor::{Cursor, Staged, Wanted};
use super::descriptor::{Descriptor, flag};
use super::groups::GroupReader;
use super::page::{GENERATION, GROUP, PLACE, PageWriter};
use super::{AREA, Admission, GROUPS, LINK, READERS};
use crate::bpf::Program;
use crate::control::EngineState;
use crate::error::Error;
use crate::protocol::{ASK_ALLOW, ASK_BLOCK, ASK_SHUNT, Ask, Request};
use crate::reader::Attached;
use crate::segment::{Frames, WriteWords};
use crate::sync::{Ordering, pause};

/// A packet in use.
#[derive(Debug)]
pub struct Held {
    descriptor: Descriptor,
    reader: u64,
    shard: usize,
    number: u16,
    position: u64,
    place: Place,
}

#[derive(Debug)]
enum Place {
    InPlace { address: u64, bytes: u32 },
    Copy(Vec<u8>),
}

impl Held {
    /// What the ring says of it.
    pub fn descriptor(&self) -> &Descriptor {
        &self.descriptor
    }

    /// Its shard.
    pub fn shard(&self) -> u16 {
        self.number
    }

    /// Bytes that it had on the wire, with a VLAN tag that was taken off.
    pub fn wire_bytes(&self) -> u32 {
        self.descriptor.bytes_on_wire()
    }
}

/// Ends a wait from any thread or from a signal handler.
#[derive(Debug, Clone)]
pub struct Waker {
    bell: Arc<OwnedFd>,
}

impl Waker {
    /// Has the reader's wait, the present one or the next, end at once. Async-signal-safe: it is
    /// one write to a descriptor.
    pub fn wake(&self) {
        self.ring(BY_WAKER);
    }

    fn ring(&self, count: u64) {
        // Refused only if the counter is full, which wakes just as well.
        rustix::io::write(&self.bell, &count.to_ne_bytes()).ok();
    }
}

/// What a waker adds to the bell, to be told from the 1 that the reader adds itself.
const BY_WAKER: u64 = 1 << 32;

#[derive(Debug)]
struct Shard {
    number: u16,
    cursor: Cursor,
    wanted: Wanted,
    frames: Frames,
}

/// See the module.
#[derive(Debug)]
pub struct PacketReader {
    attached: Arc<Attached>,
    shards: Vec<Shard>,
    id: u64,
    group: Option<u8>,
    link_type: u32,
    filter: Option<Program>,
    bell: Arc<OwnedFd>,
    epoll: OwnedFd,
    /// A waker was heard and nobody was told yet.
    woken: bool,
    /// The engine's end of the connection is closed.
    gone: bool,
    /// Calls that found nothing since the connection was looked at.
    idle: u32,
    /// How long to spin before sleeping, in looks.
    spin: u32,
    /// Since when a packet waits for other shards, monotonic nanoseconds.
    waits_since: Option<u64>,
    /// Some source is no file: its shards come by the clock, and one may be stuck.
    live: bool,
    spare: Vec<Vec<u8>>,
    /// Of the readers of other shards, which share the connection.
    siblings: Vec<Waker>,
}

/// A packet of a live source waits for other shards so long at most.
const HOLD_BACK: Duration = Duration::from_millis(200);
/// How often a sleeper looks for itself, where packets wait for other shards.
const GLANCE: Duration = Duration::from_millis(2);
const SPIN_LEAST: u32 = 64;
const SPIN_MOST: u32 = 8192;
/// How long an engine may take to let a reader in; an idle shard looks up every 10 ms.
const JOIN_TIMEOUT: Duration = Duration::from_secs(5);
const SPARE_MAX: usize = 512;
/// Packets that one call looks at, where a filter leaves them out.
const TAKES: usize = 4096;

const BELL: u64 = 1;
const CONNECTION: u64 = 2;

impl PacketReader {
    /// Attaches to the engine of this name, or at this socket path (anything with a slash). Every
    /// packet that the engine takes in from the return on is this reader's, or counted as missed.
    ///
    /// # Errors
    /// If there is no such engine, it refuses, it speaks another format, or it does not answer.
    pub fn open(name_or_path: &str, options: &PacketOptions) -> Result<Self, Error> {
        let program = if options.program.is_empty() { own_name() } else { options.program.clone() };
        let group = options.group.clone().unwrap_or_default();
        let admission = Admission { program, lease: options.lease, group };
        let (attached, rest) = Attached::open_with(name_or_path, &Request::Packets(admission))?;
        let path = attached.info().path.clone();
        let bad = |reason| Error::Protocol { path: path.clone(), reason };
        let page = rest.page.ok_or_else(|| bad("it gave no page"))?;
        let word = |index: usize| page.get(index).map_or(0, |word| word.load(Ordering::Relaxed));
        let place = u8::try_from(word(PLACE)).ok().filter(|place| usize::from(*place) < READERS);
        let place = place.ok_or_else(|| bad("it gave an impossible place"))?;
        let group = u8::try_from(word(GROUP)).unwrap_or(0).checked_sub(1);
        let group = group.filter(|group| usize::from(*group) < GROUPS);
        let mut shards = Vec::new();
        for shard in attached.shards() {
            let words = shard.packets();
            let area = u16::try_from(words.head.load(AREA)).unwrap_or(u16::MAX);
            let frames = rest.frames.iter().find(|(number, _)| *number == area);
            let (_, frames) = frames.ok_or_else(|| bad("a packet memory is missing"))?;
            let line = PageWriter::new(WriteWords::clone(&page), shard.shard());
            let of_ring = [words.head.clone(), words.ring.clone(), words.line(place)];
            let member = |number| (GroupReader::new(words.group(number), place), number);
            shards.push(Shard {
                number: shard.shard(),
                cursor: Cursor::new(of_ring, line, word(GENERATION), options.lease),
                wanted: Wanted {
                    group: group.map(member),
                    share: options.share.map(|share| (share.member, share.of)),
                    ..Wanted::default()
                },
                frames: frames.clone(),
            });
        }
        let link_of = |shard: &crate::ShardReader| shard.packets().head.load(LINK);
        let link_type = attached.shards().first().map_or(u64::MAX, link_of);
        let link_type = u32::try_from(link_type).unwrap_or(u32::MAX);
        let mut reader = Self::of(Arc::new(attached), shards, group, link_type)?;
        reader.start()?;
        Ok(reader)
    }

    /// A reader of these shards that hands out all of their packets.
    fn of(
        attached: Arc<Attached>,
        shards: Vec<Shard>,
        group: Option<u8>,
        link_type: u32,
    ) -> Result<Self, Error> {
        let bell = eventfd(0, EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK)
            .map_err(|e| Error::os("making an eventfd", e))?;
        Ok(Self {
            epoll: watch(&bell, &attached)?,
            live: is_live(&attached),
            attached,
            shards,
            id: next_id(),
            group,
            link_type,
            filter: None,
            bell: Arc::new(bell),
            woken: false,
            gone: false,
            idle: 0,
            spin: SPIN_LEAST,
            waits_since: None,
            spare: Vec::new(),
            siblings: Vec::new(),
        })
    }

    /// The engine, for longer than the reader.
    pub fn share_attached(&self) -> Arc<Attached> {
        Arc::clone(&self.attached)
    }

    /// Waits until every shard has let this reader in.
    fn start(&mut self) -> Result<(), Error> {
        let deadline = monotonic_ns() + nanoseconds(JOIN_TIMEOUT);
        for index in 0..self.shards.len() {
            while !self.shards[index].cursor.start() {
                if self.hear() {
                    return Err(Error::Ended { path: self.attached.info().path.clone() });
                }
                if monotonic_ns() > deadline {
                    return Err(Error::NoAnswer { path: self.attached.info().path.clone() });
                }
                rest(Duration::from_micros(200));
            }
        }
        Ok(())
    }

    /// The engine: who it is, its flows and counters.
    pub fn attached(&self) -> &Attached {
        &self.attached
    }

    /// Link type of the frames, as capture files number it; all ones where the engine does not know.
    pub fn link_type(&self) -> u32 {
        self.link_type
    }

    /// The number of this reader's group.
    pub fn group(&self) -> Option<u8> {
        self.group
    }

    /// Hands out only packets that the program accepts; `None`: all.
    pub fn set_filter(&mut self, program: Option<Program>) {
        self.filter = program;
    }

    /// Hands out only packets of flows of these applications or master protocols, as known at each
    /// packet; empty: all.
    pub fn set_apps(&mut self, apps: &[u16]) {
        for shard in &mut self.shards {
            shard.wanted.apps = apps.to_vec();
        }
    }

    /// Hands out only packets of this flow; `None`: of all.
    pub fn set_flow(&mut self, flow_id: Option<u64>) {
        for shard in &mut self.shards {
            shard.wanted.flow = flow_id;
        }
    }

    /// The next packet, or why there is none. Never waits.
    ///
    /// Of one shard at most [`HOLD_MAX`](super::HOLD_MAX) pieces are held in place at a time under
    /// a lease; beyond, packets are copied. [`Next::Empty`] may also come where a filter left out
    /// very many packets in a row; [`PacketReader::wait`] then returns at once.
    pub fn hold(&mut self) -> Next {
        for _ in 0..TAKES {
            let chosen = self.choose();
            let missed: u64 = self.shards.iter_mut().map(|s| s.cursor.take_missed()).sum();
            if missed != 0 {
                return Next::Missed(missed);
            }
            let Some(index) = chosen else { return self.nothing() };
            if let Some(held) = self.take(index) {
                self.idle = 0;
                return Next::Packet(held);
            }
        }
        // The filter leaves all of it out: the caller may want to look at something else.
        Next::Empty
    }

    /// Puts the descriptors of the next packets into `into`, as far as there are any and they fit,
    /// and lets go of the packets at once: for readers that look at no frame. What
    /// [`PacketReader::set_filter`] set is not asked. Never waits. How many came; 0: none now, and
    /// [`PacketReader::wait`] tells whether any will. What was missed is in
    /// [`PacketReader::counts`].
    pub fn descriptors(&mut self, into: &mut [Descriptor]) -> usize {
        if let [only] = self.shards.as_mut_slice() {
            return only.cursor.read(&mut only.wanted, into);
        }
        let mut count = 0;
        while count < into.len() {
            let Some(index) = self.choose() else { break };
            let Some(shard) = self.shards.get_mut(index) else { break };
            // A piece at a time: those that do not fit any more come first in the next call.
            count += shard.cursor.read_staged(&mut into[count..=count]);
        }
        count
    }

    /// The bytes of a held packet: the whole frame as captured, with its VLAN tag in its place.
    /// Empty for another reader's packet.
    pub fn bytes<'a>(&'a self, held: &'a Held) -> &'a [u8] {
        match &held.place {
            Place::Copy(bytes) => bytes,
            Place::InPlace { address, bytes } => {
                let shard = self.shards.get(held.shard).filter(|_| held.reader == self.id);
                shard.map_or(&[], |shard| shard.frames.leased(*address, *bytes))
            }
        }
    }

    /// Lets go of a packet.
    pub fn release(&mut self, held: Held) {
        if held.reader != self.id {
            return;
        }
        if let Some(shard) = self.shards.get_mut(held.shard) {
            shard.cursor.let_go(held.position);
        }
        if let Place::Copy(bytes) = held.place
            && self.spare.len() < SPARE_MAX
        {
            self.spare.push(bytes);
        }
    }

    /// Spins a little, then sleeps until there is a packet, `timeout` has passed (`None`: never),
    /// a [`Waker`] is used, or the engine is gone.
    pub fn wait(&mut self, timeout: Option<Duration>) -> Woken {
        for _ in 0..self.spin {
            if self.is_ready() {
                self.spin = (self.spin * 2).min(SPIN_MOST);
                return Woken::Packets;
            }
            pause();
        }
        self.spin = (self.spin / 2).max(SPIN_LEAST);
        let deadline = timeout.map(|timeout| monotonic_ns().saturating_add(nanoseconds(timeout)));
        loop {
            if self.ask_to_be_woken() {
                return Woken::Packets;
            }
            if self.is_over() {
                return Woken::Over;
            }
            if std::mem::take(&mut self.woken) {
                return Woken::Interrupted;
            }
            let left = deadline.map(|deadline| deadline.saturating_sub(monotonic_ns()));
            let waits = self.waits_since.is_some();
            let glance = if waits { nanoseconds(GLANCE) } else { u64::MAX };
            let nap = left.unwrap_or(u64::MAX).min(glance);
            match self.sleep((nap != u64::MAX).then_some(nap)) {
                Some(woken) => return woken,
                None if left == Some(0) => return Woken::Timeout,
                None => {}
            }
        }
    }

    /// To be called before waiting on the descriptor of [`AsFd`] by other means: if there is a
    /// packet, or the stream is over, the descriptor is readable at once; else the engine makes it
    /// so. Whether there is a packet.
    pub fn arm(&mut self) -> bool {
        let ready = self.ask_to_be_woken();
        if std::mem::take(&mut self.woken) {
            self.waker().ring(1); // It may have come after the caller's wait.
        }
        ready
    }

    fn ask_to_be_woken(&mut self) -> bool {
        if self.is_ready() {
            self.waker().ring(1);
            return true;
        }
        self.quiet();
        let for_watermark = self.waits_since.is_some();
        for shard in &mut self.shards {
            shard.cursor.ask_to_be_woken(for_watermark);
        }
        // Once more: what came before the engine could see the question is not told of.
        let ready = self.is_ready();
        if ready || self.is_over() {
            self.waker().ring(1);
        }
        ready
    }

    /// To end waits by.
    pub fn waker(&self) -> Waker {
        Waker { bell: Arc::clone(&self.bell) }
    }

    /// What became of the packets so far.
    pub fn counts(&self) -> ReaderCounts {
        let mut counts = ReaderCounts::default();
        for shard in &self.shards {
            let [delivered, missed, filtered, others, shunted] = shard.cursor.counts();
            counts.delivered += delivered;
            counts.missed += missed;
            counts.filtered += filtered;
            counts.others += others;
            counts.shunted += shunted;
        }
        counts
    }

    /// Whether frames are held for this reader in every shard.
    pub fn is_leased(&self) -> bool {
        self.shards.iter().all(|shard| shard.cursor.is_leased())
    }

    /// Descriptors that this reader is behind the engine, all shards together.
    pub fn behind(&self) -> u64 {
        self.shards.iter().map(|shard| shard.cursor.behind()).sum()
    }

    /// Says that this reader's group wants no more of a packet's flow. The flow stays counted.
    ///
    /// # Errors
    /// If this reader is in no group, or the engine cannot be told: it is gone, or has not yet heard
    /// what it was told before. Then say it again at the flow's next packet.
    pub fn shunt(&self, held: &Held) -> Result<(), Error> {
        if self.group.is_none() {
            let alone = "to shunt flows a reader must be a member of a group";
            return Err(Error::Spec(alone.to_owned()));
        }
        self.ask(ASK_SHUNT, held)
    }

    /// Says what this reader thinks of a packet's flow.
    ///
    /// # Errors
    /// If the engine cannot be told.
    pub fn judge(&self, held: &Held, judgement: Judgement) -> Result<(), Error> {
        let what = match judgement {
            Judgement::Allow => ASK_ALLOW,
            Judgement::Block => ASK_BLOCK,
        };
        self.ask(what, held)
    }

    fn ask(&self, what: u32, held: &Held) -> Result<(), Error> {
        let Descriptor { flow_id, flow_slot, .. } = held.descriptor;
        if flow_id == 0 {
            return Ok(());
        }
        let (shard, group) = (held.number.into(), String::new());
        self.attached.connection().ask(&Ask { what, shard, flow_slot, flow_id, group })
    }

    /// The shard whose packet comes next; none if there is none yet.
    #[inline]
    fn choose(&mut self) -> Option<usize> {
        if let [only] = self.shards.as_mut_slice() {
            return only.cursor.peek(&mut only.wanted).map(|_| 0);
        }
        let mut oldest: Option<(u64, usize)> = None;
        let mut promised = u64::MAX;
        for (index, shard) in self.shards.iter_mut().enumerate() {
            // In this order: what the watermark promises was there before it.
            let watermark_ns = shard.cursor.watermark_ns();
            match shard.cursor.peek(&mut shard.wanted) {
                None => promised = promised.min(watermark_ns),
                Some(staged) => {
                    let time_ns = staged.descriptor.timestamp_ns;
                    if oldest.is_none_or(|(known, _)| time_ns < known) {
                        oldest = Some((time_ns, index));
                    }
                }
            }
        }
        let (time_ns, index) = oldest?;
        if time_ns <= promised || self.gone {
            self.waits_since = None;
            return Some(index);
        }
        let now_ns = monotonic_ns();
        let since = *self.waits_since.get_or_insert(now_ns);
        if !self.live || now_ns.saturating_sub(since) < nanoseconds(HOLD_BACK) {
            return None;
        }
        Some(index)
    }

    /// Takes the next packet of a shard; none if it was gone or the filter leaves it out.
    fn take(&mut self, index: usize) -> Option<Held> {
        let shard = self.shards.get_mut(index)?;
        let first = shard.cursor.take()?;
        let Staged { position, descriptor, leased } = first;
        let whole = descriptor.pieces <= 1 && !descriptor.has(flag::VLAN_STRIPPED);
        let place = if leased && whole {
            Place::InPlace { address: descriptor.address, bytes: descriptor.bytes }
        } else {
            let mut bytes = self.spare.pop().unwrap_or_default();
            bytes.clear();
            if !shard.copy(first, &mut bytes) {
                self.spare.push(bytes);
                return None;
            }
            Place::Copy(bytes)
        };
        let number = shard.number;
        let held = Held { descriptor, reader: self.id, shard: index, number, position, place };
        if let Some(filter) = &self.filter
            && filter.run(self.bytes(&held), held.wire_bytes()) == 0
        {
            self.shards.get_mut(index)?.cursor.was_filtered(position);
            if let Place::Copy(bytes) = held.place {
                self.spare.push(bytes);
            }
            return None;
        }
        Some(held)
    }

    /// Why there is nothing.
    #[cold]
    fn nothing(&mut self) -> Next {
        self.idle += 1;
        if self.idle.is_multiple_of(1024) {
            self.hear();
        }
        if !self.is_over() {
            return Next::Empty;
        }
        // What was published before the end is there now at the latest.
        if self.choose().is_some() {
            return Next::Empty;
        }
        for shard in &mut self.shards {
            shard.cursor.settle_end();
        }
        let missed: u64 = self.shards.iter_mut().map(|s| s.cursor.take_missed()).sum();
        if missed != 0 {
            return Next::Missed(missed);
        }
        if self.has_ended() { Next::Ended } else { Next::Died }
    }

    /// Whether there is a packet, told of or missed.
    fn is_ready(&mut self) -> bool {
        self.choose().is_some()
    }

    fn has_ended(&self) -> bool {
        self.attached.state() == EngineState::Ended
            || self.shards.iter().all(|shard| shard.cursor.is_over())
    }

    /// Whether nothing will come any more.
    fn is_over(&self) -> bool {
        let read = self.shards.iter().all(|shard| !shard.cursor.has_more());
        read && (self.gone || self.shards.iter().all(|shard| shard.cursor.is_over()))
    }

    /// Makes the descriptor unreadable: what it told of was heard.
    fn quiet(&mut self) {
        let mut rung = [0; 8];
        rustix::io::read(&self.bell, &mut rung).ok();
        self.woken |= u64::from_ne_bytes(rung) >= BY_WAKER;
        self.hear();
    }

    /// Takes in what the engine told, and tells those whose it may have been. Whether it is gone.
    fn hear(&mut self) -> bool {
        let (any, open) = self.attached.connection().take_wakeups();
        self.gone |= !open;
        if any {
            for sibling in &self.siblings {
                sibling.ring(1);
            }
        }
        self.gone
    }

    /// Sleeps for so many nanoseconds at most. What woke it, if not a packet.
    fn sleep(&mut self, nap_ns: Option<u64>) -> Option<Woken> {
        let timeout = nap_ns.map(timespec);
        let mut space = [MaybeUninit::uninit(); 4];
        // Interrupted by a signal: the caller looks for itself.
        let (events, _) = epoll::wait(&self.epoll, &mut space, timeout.as_ref()).ok()?;
        let rung = events.iter().any(|event| event.data.u64() == BELL);
        self.quiet();
        self.woken &= !rung;
        rung.then_some(Woken::Interrupted)
    }
}

/// Readable when there may be something; see [`PacketReader::arm`].
impl AsFd for PacketReader {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.epoll.as_fd()
    }
}

impl Shard {
    /// Copies all pieces of a packet and puts its VLAN tag back. False if it was gone by then.
    fn copy(&mut self, first: Staged, into: &mut Vec<u8>) -> bool {
        let Staged { position, descriptor, leased } = first;
        let mut inside = self.frames.copy(descriptor.address, descriptor.bytes, into);
        for _ in 1..descriptor.pieces {
            let Some(piece) = self.cursor.take_piece(descriptor.packet) else { break };
            inside &= self.frames.copy(piece.address, piece.bytes, into);
        }
        if !inside || !(leased || self.cursor.is_there(position)) {
            self.cursor.was_gone(position);
            return false;
        }
        if descriptor.has(flag::VLAN_STRIPPED) && into.len() >= ADDRESSES_BYTES {
            let [high, low] = descriptor.vlan.to_be_bytes();
            let [t, p] = if descriptor.tag == 2 { [0x88, 0xa8] } else { [0x81, 0x00] };
            into.splice(ADDRESSES_BYTES..ADDRESSES_BYTES, [t, p, high, low]);
        }
        true
    }
}

/// A tag comes after the two addresses of an Ethernet frame (IEEE 802.1Q).
const ADDRESSES_BYTES: usize = 12;

fn is_live(attached: &Attached) -> bool {
    !attached.info().sources.iter().all(|source| source.starts_with("pcap:"))
}

fn watch(bell: &OwnedFd, attached: &Attached) -> Result<OwnedFd, Error> {
    let failed = |e| Error::os("making an epoll descriptor", e);
    let epoll = epoll::create(epoll::CreateFlags::CLOEXEC).map_err(failed)?;
    for (fd, data) in [(bell.as_fd(), BELL), (attached.as_fd(), CONNECTION)] {
        let data = epoll::EventData::new_u64(data);
        epoll::add(&epoll, fd, data, epoll::EventFlags::IN).map_err(failed)?;
    }
    Ok(epoll)
}

/// The name of this process, as `ps` shows it.
fn own_name() -> String {
    let name = std::fs::read_to_string("/proc/self/comm").unwrap_or_default();
    name.trim().to_owned()
}

/// Tells readers of one process apart.
fn next_id() -> u64 {
    static NEXT: AtomicU64 = AtomicU64::new(1);
    NEXT.fetch_add(1, Ordering::Relaxed)
}

fn monotonic_ns() -> u64 {
    let now = clock_gettime(ClockId::Monotonic);
    let seconds = u64::try_from(now.tv_sec).unwrap_or(0);
    seconds * 1_000_000_000 + u64::try_from(now.tv_nsec).unwrap_or(0)
}

fn nanoseconds(time: Duration) -> u64 {
    u64::try_from(time.as_nanos()).unwrap_or(u64::MAX)
}

fn timespec(nanoseconds: u64) -> Timespec {
    Timespec {
        tv_sec: i64::try_from(nanoseconds / 1_000_000_000).unwrap_or(i64::MAX),
        tv_nsec: i64::try_from(nanoseconds % 1_000_000_000).unwrap_or(0),
    }
}

fn rest(time: Duration) {
    // A signal ends it early; the caller looks again anyway.
    rustix::event::poll(&mut [], Some(&timespec(nanoseconds(time)))).ok();
}

const _: () = {
    const fn moves_between_threads<T: Send>() {}
    moves_between_threads::<PacketReader>();
    moves_between_threads::<VecDeque<Held>>();
};
