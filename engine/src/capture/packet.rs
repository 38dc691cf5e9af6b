//! Live capture that leaves the packets to the host: `packet:IF`.
//!
//! One packet socket a shard, each with a ring of blocks that the kernel fills and the shard reads
//! in place (`TPACKET_V3`). The sockets share the packets by the outer addresses; the module
//! `share` says why. A block goes back to the kernel once every frame in it was released.
//!
//! Deliberately absent: sending, and hardware timestamps.

mod share;

#[cfg(test)]
mod tests;

use std::io;
use std::mem::{offset_of, size_of};
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::net::netdevice::name_to_index;
use rustix::net::sockopt::socket_error;

use super::{Batch, Frame, Received, Source, Tag};
use crate::sys::clock;
use crate::sys::packet_ring::{PacketRing, PacketSocket, RingShape};
use crate::wire::LinkType;

/// After how long the kernel gives up a block that is not full: how late a packet may be seen.
const RETIRE_MS: u32 = 8;

/// Idle turns between two looks at whether the interface still exists, for who never waits.
const TURNS_A_LOOK: u32 = 1 << 14;

/// What to capture and into what.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct PacketConfig {
    /// Name of the interface.
    pub interface: String,
    /// Sockets that share its packets.
    pub shards: u16,
    /// Bytes of a block: a power of two, at least 64 KiB so that merged packets fit.
    pub block_bytes: u32,
    /// Blocks of each shard's ring.
    pub blocks: u32,
    /// Sees all packets on the wire and not only those to this machine.
    pub promiscuous: bool,
    /// Leaves out what this machine sends. On loopback that is always so: what is sent there is
    /// received there as well.
    pub ignore_outgoing: bool,
    /// Keeps asking instead of sleeping when there is nothing.
    pub busy_poll: bool,
    /// Keeps outsiders from choosing a shard.
    pub secret: u64,
}

/// Why an interface cannot be captured from.
#[derive(Debug, thiserror::Error)]
pub enum PacketError {
    /// The configuration contradicts itself.
    #[error("packet:{interface}: {what}")]
    Config {
        /// The interface.
        interface: String,
        /// What is wrong.
        what: &'static str,
    },
    /// There is no such interface.
    #[error("packet:{interface}: no such interface here; `ip link` lists those that there are")]
    NoInterface {
        /// Its name.
        interface: String,
    },
    /// What its frames begin with is not known.
    #[error("packet:{interface}: interfaces of hardware type {hardware_type} are not read")]
    UnsupportedLink {
        /// The interface.
        interface: String,
        /// The kernel's number for it (`ARPHRD_`).
        hardware_type: u16,
    },
    /// A step of the set-up failed.
    #[error("packet:{interface}, shard {shard}: cannot {step}: {source}{}", hint(source))]
    Setup {
        /// The interface.
        interface: String,
        /// The shard whose socket it was.
        shard: u16,
        /// What was tried.
        step: &'static str,
        /// What the kernel said.
        source: io::Error,
    },
}

fn hint(error: &io::Error) -> &'static str {
    match error.raw_os_error() {
        Some(libc::EPERM | libc::EACCES) => "; it needs CAP_NET_RAW (run as root, or setcap)",
        Some(libc::ENOMEM) => "; fewer or smaller blocks need less memory",
        Some(libc::ENETDOWN) => "; `ip link set IF up` brings the interface up",
        Some(libc::EINVAL) => "; a block must be a power of two and a multiple of the page size",
        _ => "",
    }
}

/// What the kernel counted for one shard since the start.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub struct PacketStatistics {
    /// Packets that came, dropped ones included.
    pub packets: u64,
    /// Packets for which no block was free.
    pub dropped: u64,
}

/// What stays with the thread that made the sources: the kernel's counts.
#[derive(Debug)]
pub struct PacketPort {
    sockets: Vec<PacketSocket>,
    statistics: Vec<PacketStatistics>,
}

impl PacketPort {
    /// Opens an interface, with one source a shard, in their order.
    ///
    /// # Errors
    /// Which step failed for which shard, and what would help.
    pub fn open(config: &PacketConfig) -> Result<(Vec<PacketSource>, PacketPort), PacketError> {
        let (sources, port) = PacketPort::prepare(config)?;
        port.start(config)?;
        Ok((sources, port))
    }

    /// Opens an interface; no packet comes before [`PacketPort::start`].
    ///
    /// # Errors
    /// Which step failed for which shard, and what would help.
    pub fn prepare(config: &PacketConfig) -> Result<(Vec<PacketSource>, PacketPort), PacketError> {
        config.check()?;
        let index = config.index()?;
        let mut sources = Vec::with_capacity(usize::from(config.shards));
        for shard in 0..config.shards {
            sources.push(config.source(index, shard)?);
        }
        config.group(&sources)?;
        let clones = sources.iter().map(|source| source.ring.socket().try_clone());
        let sockets: io::Result<Vec<_>> = clones.collect();
        let sockets = sockets.map_err(|error| config.failed(0, "keep the socket", error))?;
        let statistics = vec![PacketStatistics::default(); sockets.len()];
        Ok((sources, PacketPort { sockets, statistics }))
    }

    /// Lets packets in. Nothing came so far: until the group is complete each socket would see
    /// everything.
    ///
    /// # Errors
    /// Which shard's socket refused.
    pub fn start(&self, config: &PacketConfig) -> Result<(), PacketError> {
        for (shard, socket) in (0..).zip(&self.sockets) {
            let done = socket.detach_filter();
            done.map_err(|error| config.failed(shard, "start capturing", error))?;
        }
        Ok(())
    }

    /// Lets no more packets in. What the rings hold can still be received.
    pub fn close(&self) {
        for socket in &self.sockets {
            // A socket that cannot take a filter any more has no interface either.
            socket.attach_filter(&share::NOTHING).ok();
        }
    }

    /// The kernel's counts, shard by shard. What cannot be asked for keeps its last value.
    pub fn statistics(&mut self) -> &[PacketStatistics] {
        for (socket, sum) in self.sockets.iter().zip(&mut self.statistics) {
            if let Ok(counted) = socket.take_statistics() {
                sum.packets += u64::from(counted.packets);
                sum.dropped += u64::from(counted.dropped);
            }
        }
        &self.statistics
    }
}

impl PacketConfig {
    fn check(&self) -> Result<(), PacketError> {
        let wrong = |what| Err(PacketError::Config { interface: self.interface.clone(), what });
        if self.shards == 0 {
            return wrong("at least one shard is needed");
        }
        if !self.block_bytes.is_power_of_two() || self.block_bytes < 1 << 16 {
            return wrong("a block must be a power of two of at least 65536 bytes");
        }
        if self.blocks < 2 {
            return wrong(
                "at least two blocks are needed: the kernel fills one, a shard reads one",
            );
        }
        Ok(())
    }

    fn index(&self) -> Result<i32, PacketError> {
        let none = || PacketError::NoInterface { interface: self.interface.clone() };
        // Any socket will do to ask by, and this one is needed anyway.
        let socket = PacketSocket::open();
        let socket = socket.map_err(|error| self.failed(0, "open a packet socket", error))?;
        let index = name_to_index(&socket, &self.interface).map_err(|_| none())?;
        i32::try_from(index).map_err(|_| none())
    }

    fn failed(&self, shard: u16, step: &'static str, source: io::Error) -> PacketError {
        PacketError::Setup { interface: self.interface.clone(), shard, step, source }
    }

    fn source(&self, index: i32, shard: u16) -> Result<PacketSource, PacketError> {
        let failed = |step| move |error| self.failed(shard, step, error);
        let shape =
            RingShape { block_bytes: self.block_bytes, blocks: self.blocks, retire_ms: RETIRE_MS };
        let socket = PacketSocket::open().map_err(failed("open a packet socket"))?;
        socket.attach_filter(&share::NOTHING).map_err(failed("attach a filter"))?;
        let ring = PacketRing::new(socket, shape).map_err(failed("make the ring"))?;
        let hardware_type = ring.socket().bind(index).map_err(failed("bind"))?;
        let link = link_type(hardware_type).ok_or_else(|| PacketError::UnsupportedLink {
            interface: self.interface.clone(),
            hardware_type,
        })?;
        if self.ignore_outgoing || hardware_type == libc::ARPHRD_LOOPBACK {
            ring.socket().ignore_outgoing().map_err(failed("leave out what is sent"))?;
        }
        if self.promiscuous {
            ring.socket().set_promiscuous(index).map_err(failed("be promiscuous"))?;
        }
        let blocks = vec![Block::default(); ring.blocks()].into_boxed_slice();
        Ok(PacketSource {
            ring,
            link,
            blocks,
            at: Cursor::default(),
            busy_poll: self.busy_poll,
            idle_turns: 0,
            given: 0,
            malformed_blocks: 0,
            gone: false,
        })
    }

    fn group(&self, sources: &[PacketSource]) -> Result<(), PacketError> {
        let [first, others @ ..] = sources else { return Ok(()) };
        if others.is_empty() {
            return Ok(());
        }
        let failed = |shard, step| move |error| self.failed(shard, step, error);
        let founder = first.ring.socket();
        let id = founder.found_group().map_err(failed(0, "make a group of sockets"))?;
        let program = share::program(self.secret, first.link == LinkType::Ethernet);
        founder.set_share(&program).map_err(failed(0, "set how packets are shared"))?;
        for (shard, source) in (1..).zip(others) {
            let joined = source.ring.socket().join_group(id);
            joined.map_err(failed(shard, "join the group of sockets"))?;
        }
        Ok(())
    }
}

/// Raw IP, as modems have it (`linux/if_arp.h`).
const ARPHRD_RAWIP: u16 = 519;

/// How frames of an interface begin, by the kernel's number for its hardware.
const fn link_type(hardware_type: u16) -> Option<LinkType> {
    Some(match hardware_type {
        libc::ARPHRD_ETHER | libc::ARPHRD_LOOPBACK => LinkType::Ethernet,
        libc::ARPHRD_NONE
        | ARPHRD_RAWIP
        | libc::ARPHRD_TUNNEL
        | libc::ARPHRD_TUNNEL6
        | libc::ARPHRD_SIT => LinkType::RawIp,
        libc::ARPHRD_IEEE80211 => LinkType::Ieee80211,
        libc::ARPHRD_IEEE80211_RADIOTAP => LinkType::Radiotap,
        _ => return None,
    })
}

/// How many of a block's frames are out.
#[derive(Clone, Copy, Default, Debug)]
struct Block {
    given: u32,
    released: u32,
    /// All its frames were given.
    read: bool,
}

/// The next frame's header: `at` bytes into `block`, and as many frames as are `left` in it.
#[derive(Clone, Copy, Default, Debug)]
struct Cursor {
    block: usize,
    at: usize,
    left: u32,
}

/// One shard's packets.
#[derive(Debug)]
pub struct PacketSource {
    ring: PacketRing,
    link: LinkType,
    blocks: Box<[Block]>,
    at: Cursor,
    busy_poll: bool,
    idle_turns: u32,
    given: u64,
    malformed_blocks: u64,
    gone: bool,
}

impl PacketSource {
    /// How its frames begin.
    pub const fn link(&self) -> LinkType {
        self.link
    }

    /// Frames given so far.
    pub const fn frames_given(&self) -> u64 {
        self.given
    }

    /// Blocks whose headers made no sense, which the kernel never writes.
    pub const fn malformed_blocks(&self) -> u64 {
        self.malformed_blocks
    }

    /// Takes the next block if the kernel has filled it.
    fn open_block(&mut self) -> bool {
        let index = self.at.block;
        if !self.ring.take(index) {
            return false;
        }
        let block = self.ring.block(index).unwrap_or(&[]);
        let frames = native_u32(block, BLOCK_FRAMES);
        let first = native_u32(block, BLOCK_FIRST);
        if let Some(state) = self.blocks.get_mut(index) {
            *state = Block::default();
        }
        self.at.at = usize::try_from(first).unwrap_or(usize::MAX);
        self.at.left = frames;
        if frames == 0 {
            self.close_block();
        }
        true
    }

    /// Goes on to the next block. This one goes back when its frames were released.
    fn close_block(&mut self) {
        let index = self.at.block;
        if let Some(state) = self.blocks.get_mut(index) {
            state.read = true;
            if state.released == state.given {
                self.ring.give_back(index);
            }
        }
        let next = if index + 1 == self.blocks.len() { 0 } else { index + 1 };
        self.at = Cursor { block: next, at: 0, left: 0 };
    }

    /// Reads the frame at the cursor and moves on.
    fn next_frame(&mut self) -> Option<Frame> {
        let block = self.ring.block(self.at.block)?;
        let header = block.get(self.at.at..)?.first_chunk::<HEADER_BYTES>()?;
        let word = |at| native_u32(header, at);
        let status = word(offset_of!(libc::tpacket3_hdr, tp_status));
        let captured_bytes = word(offset_of!(libc::tpacket3_hdr, tp_snaplen));
        let data_at = self.at.at + usize::from(native_u16(header, DATA_AT));
        let end = data_at.checked_add(usize::try_from(captured_bytes).ok()?)?;
        if end > block.len() {
            return None;
        }
        let tagged = status & libc::TP_STATUS_VLAN_VALID != 0;
        let tci = if tagged { word(TCI) & 0xffff } else { 0 };
        let typed = status & libc::TP_STATUS_VLAN_TPID_VALID != 0;
        let tag = match (tagged, typed) {
            (false, _) => Tag::None,
            (true, false) => Tag::Customer,
            (true, true) => Tag::of(native_u16(header, TPID)),
        };
        let seconds = u64::from(word(offset_of!(libc::tpacket3_hdr, tp_sec)));
        let ns = u64::from(word(offset_of!(libc::tpacket3_hdr, tp_nsec)));
        let next = word(offset_of!(libc::tpacket3_hdr, tp_next_offset));
        let addr = self.at.block * self.ring.block_bytes() + data_at;
        self.at.left -= 1;
        self.at.at += usize::try_from(next).ok()?;
        Some(Frame {
            addr: u64::try_from(addr).ok()?,
            timestamp_ns: seconds * 1_000_000_000 + ns,
            captured_bytes,
            wire_bytes: word(offset_of!(libc::tpacket3_hdr, tp_len)),
            hash: 0,
            vlan: u16::try_from(tci).unwrap_or(0),
            tag,
            interface: 0,
            link: self.link,
        })
    }

    /// Finds out whether the interface is gone. One that is down may come up again.
    fn look(&mut self) {
        if let Ok(Err(_)) = socket_error(self.ring.socket()) {
            self.gone = !self.ring.socket().has_interface();
        }
    }
}

impl Source for PacketSource {
    fn receive(&mut self, batch: &mut Batch) -> Received {
        while !batch.is_full() {
            if self.at.left == 0 {
                if !self.open_block() {
                    break;
                }
                continue;
            }
            if let Some(frame) = self.next_frame() {
                if let Some(state) = self.blocks.get_mut(self.block_of(&frame)) {
                    state.given += 1;
                }
                self.given += 1;
                batch.push(frame);
            } else {
                self.malformed_blocks += 1;
                self.at.left = 0;
            }
            if self.at.left == 0 {
                self.close_block();
            }
        }
        if !batch.as_slice().is_empty() {
            self.idle_turns = 0;
            Received::Frames
        } else if self.gone {
            Received::End
        } else {
            Received::Idle
        }
    }

    #[inline]
    fn bytes(&self, frame: &Frame) -> &[u8] {
        let block = self.ring.block(self.block_of(frame)).unwrap_or(&[]);
        let at = usize::try_from(frame.addr).unwrap_or(0) & (self.ring.block_bytes() - 1);
        let count = usize::try_from(frame.captured_bytes).unwrap_or(usize::MAX);
        block.get(at..at.saturating_add(count)).unwrap_or(&[])
    }

    fn release(&mut self, batch: &Batch) {
        for frame in batch.as_slice() {
            let index = self.block_of(frame);
            let Some(state) = self.blocks.get_mut(index) else { continue };
            state.released += 1;
            debug_assert!(state.released <= state.given, "a frame is released once");
            if state.read && state.released == state.given {
                self.ring.give_back(index);
            }
        }
    }

    /// A block is handed over when it is full or this old; half as long again for the timer.
    fn lateness_ns(&self) -> u64 {
        u64::from(RETIRE_MS) * 1_500_000
    }

    fn now_ns(&mut self) -> u64 {
        clock::unix_ns()
    }

    fn wait(&mut self, timeout: Duration) {
        if self.busy_poll {
            self.idle_turns += 1;
            if self.idle_turns == TURNS_A_LOOK {
                self.idle_turns = 0;
                self.look();
            }
            return;
        }
        let timeout = Timespec::try_from(timeout).ok();
        let mut asked = [PollFd::new(self.ring.socket(), PollFlags::IN)];
        // Interrupted or timed out: the next turn sees what there is.
        let answered = poll(&mut asked, timeout.as_ref()).unwrap_or(0);
        if answered != 0 && asked[0].revents().intersects(PollFlags::ERR | PollFlags::HUP) {
            self.look();
        }
    }

    fn trouble(&self) -> Option<String> {
        self.gone.then(|| "the interface was removed".to_owned())
    }
}

impl PacketSource {
    #[inline]
    fn block_of(&self, frame: &Frame) -> usize {
        // Blocks are a power of two, which `PacketConfig::check` saw to.
        usize::try_from(frame.addr).unwrap_or(usize::MAX)
            >> self.ring.block_bytes().trailing_zeros()
    }
}

const HEADER_BYTES: usize = size_of::<libc::tpacket3_hdr>();
const DATA_AT: usize = offset_of!(libc::tpacket3_hdr, tp_mac);
const TPID: usize =
    offset_of!(libc::tpacket3_hdr, hv1) + offset_of!(libc::tpacket_hdr_variant1, tp_vlan_tpid);
const TCI: usize =
    offset_of!(libc::tpacket3_hdr, hv1) + offset_of!(libc::tpacket_hdr_variant1, tp_vlan_tci);
const BLOCK_HEADER: usize = offset_of!(libc::tpacket_block_desc, hdr);
const BLOCK_FRAMES: usize = BLOCK_HEADER + offset_of!(libc::tpacket_hdr_v1, num_pkts);
const BLOCK_FIRST: usize = BLOCK_HEADER + offset_of!(libc::tpacket_hdr_v1, offset_to_first_pkt);

/// The kernel's numbers are in the machine's order; 0 where the bytes end.
#[inline]
fn native_u32(bytes: &[u8], at: usize) -> u32 {
    let word = bytes.get(at..).and_then(|bytes| bytes.first_chunk());
    word.map_or(0, |word| u32::from_ne_bytes(*word))
}

#[inline]
fn native_u16(bytes: &[u8], at: usize) -> u16 {
    let word = bytes.get(at..).and_then(|bytes| bytes.first_chunk());
    word.map_or(0, |word| u16::from_ne_bytes(*word))
}
