//! A flow's slot: 128 bytes, two cache lines, written by one shard and read by anybody.
//!
//! A slot is a seqlock. Its writer makes the version odd, changes words, and makes it even again;
//! a reader copies the words and keeps the copy only if the version was even and has not moved.
//! The writer never looks at what readers do.
//!
//! | word | content |
//! | --- | --- |
//! | 0 | version (low 32 bits; odd while being written), reference into the arena (high 32; 0 none) |
//! | 1, 2 | lower address, 16 bytes in network order; IPv4 in its mapped form `::ffff:a.b.c.d` |
//! | 3, 4 | higher address |
//! | 5 | lower port, higher port, VLAN (16 bits each), layer-4 protocol, tunnel (bit 7: IPv6) |
//! | 6 | flow identity; 0 in a free slot |
//! | 7 | master, application (16 bits each), TCP flags low to high, high to low, confidence, state |
//! | 8–11 | low to high: packets, bytes, first and last time in Unix nanoseconds |
//! | 12–15 | high to low: the same |
//!
//! The lower endpoint is the one whose (address, port) compares lower.

use crate::sync::{AtomicU64, Ordering, fence};
use std::net::{IpAddr, Ipv6Addr};

/// 64-bit words of a slot.
pub const SLOT_WORDS: usize = 16;
/// Bytes of a slot.
pub const SLOT_BYTES: usize = 128;

/// Version (low 32 bits) and arena reference (high 32 bits).
pub const WORD_VERSION: usize = 0;
/// First word of the lower address.
pub const WORD_LO_ADDRESS: usize = 1;
/// First word of the higher address.
pub const WORD_HI_ADDRESS: usize = 3;
/// Ports, VLAN, layer-4 protocol and tunnel; see [`pack_tuple`].
pub const WORD_TUPLE: usize = 5;
/// Flow identity.
pub const WORD_FLOW_ID: usize = 6;
/// Application, TCP flags, confidence and state; see [`pack_class`].
pub const WORD_CLASS: usize = 7;
/// First of the four words (packets, bytes, first, last) of the direction low to high.
pub const WORD_LO_TO_HI: usize = 8;
/// First of the four words of the direction high to low.
pub const WORD_HI_TO_LO: usize = 12;

/// State bit: the client is the higher endpoint.
pub const STATE_CLIENT_IS_HI: u8 = 1;
/// State bit: the application will not change any more.
pub const STATE_INSPECTION_ENDED: u8 = 2;
/// State bit: a SYN was seen, so the client is known and not guessed.
pub const STATE_SYN_SEEN: u8 = 4;
/// State bit: a packet reader thinks that the flow should be blocked.
pub const STATE_BLOCKED: u8 = 8;
/// State bit: a packet reader thinks that the flow is fine.
pub const STATE_ALLOWED: u8 = 16;
/// Bit of the tunnel byte: the addresses are IPv6.
pub const TUNNEL_IPV6: u8 = 0x80;

const VERSION_MASK: u64 = 0xffff_ffff;

/// One flow in shared memory. Only its shard writes it.
#[repr(C)]
#[cfg_attr(not(loom), repr(align(128)))]
pub struct FlowSlot {
    words: [AtomicU64; SLOT_WORDS],
}

#[cfg(not(loom))]
const _: () = assert!(size_of::<FlowSlot>() == SLOT_BYTES && align_of::<FlowSlot>() == SLOT_BYTES);

impl FlowSlot {
    /// A word, relaxed. The index is taken modulo 16.
    #[inline(always)]
    pub fn load(&self, word: usize) -> u64 {
        self.words[word & (SLOT_WORDS - 1)].load(Ordering::Relaxed)
    }

    /// Stores a word, relaxed. The index is taken modulo 16. Word 0 belongs to [`Self::begin`],
    /// [`Self::commit`] and [`Self::set_meta_ref`].
    #[inline(always)]
    pub fn store(&self, word: usize, value: u64) {
        debug_assert_ne!(word & (SLOT_WORDS - 1), WORD_VERSION, "word 0 has its own functions");
        self.words[word & (SLOT_WORDS - 1)].store(value, Ordering::Relaxed);
    }

    /// Opens the slot for writing: from here to [`Self::commit`] readers wait or look elsewhere.
    #[inline(always)]
    pub fn begin(&self) {
        let version = self.load(WORD_VERSION);
        debug_assert_eq!(version & 1, 0, "begin without commit");
        self.words[WORD_VERSION].store(version | 1, Ordering::Relaxed);
        // Pairs with the acquire fence before a reader's second look at the version: whoever saw
        // one of the stores that follow also sees the odd version.
        fence(Ordering::Release);
    }

    /// Closes the slot again; what was written since [`Self::begin`] becomes visible as one.
    #[inline(always)]
    pub fn commit(&self) {
        let word = self.load(WORD_VERSION);
        debug_assert_eq!(word & 1, 1, "commit without begin");
        let version = word.wrapping_add(1) & VERSION_MASK;
        // Pairs with the acquire fence after a reader's first look at the version.
        self.words[WORD_VERSION].store(word & !VERSION_MASK | version, Ordering::Release);
    }

    /// The reference of the flow's metadata in the arena; 0 for none.
    #[inline(always)]
    pub fn meta_ref(&self) -> u32 {
        high(self.load(WORD_VERSION))
    }

    /// Sets the arena reference. Between [`Self::begin`] and [`Self::commit`] only.
    #[inline(always)]
    pub fn set_meta_ref(&self, meta_ref: u32) {
        let word = self.load(WORD_VERSION);
        debug_assert_eq!(word & 1, 1, "set_meta_ref outside of begin and commit");
        self.words[WORD_VERSION]
            .store(u64::from(meta_ref) << 32 | word & VERSION_MASK, Ordering::Relaxed);
    }

    /// The slot's words as its writer sees them; `None` if the slot is free. Readers in other
    /// processes use [`ShardReader::read_flow`](crate::reader::ShardReader::read_flow).
    pub fn snapshot(&self) -> Option<FlowSnapshot> {
        if self.load(WORD_FLOW_ID) == 0 {
            return None;
        }
        Some(FlowSnapshot { words: std::array::from_fn(|word| self.load(word)) })
    }

    #[cfg(loom)]
    pub(crate) fn new() -> Self {
        Self { words: std::array::from_fn(|_| AtomicU64::new(0)) }
    }
}

impl std::fmt::Debug for FlowSlot {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("FlowSlot").field(&self.snapshot()).finish()
    }
}

/// Packs word 5.
#[inline(always)]
pub fn pack_tuple(lo_port: u16, hi_port: u16, vlan: u16, l4: u8, tunnel: u8) -> u64 {
    u64::from(lo_port)
        | u64::from(hi_port) << 16
        | u64::from(vlan) << 32
        | u64::from(l4) << 48
        | u64::from(tunnel) << 56
}

/// Packs word 7.
#[inline(always)]
pub fn pack_class(
    master: u16,
    app: u16,
    tcp_flags_lo_to_hi: u8,
    tcp_flags_hi_to_lo: u8,
    confidence: u8,
    state: u8,
) -> u64 {
    u64::from(master)
        | u64::from(app) << 16
        | u64::from(tcp_flags_lo_to_hi) << 32
        | u64::from(tcp_flags_hi_to_lo) << 40
        | u64::from(confidence) << 48
        | u64::from(state) << 56
}

/// The two words of an address in network order.
#[inline(always)]
pub const fn pack_address(address: [u8; 16]) -> [u64; 2] {
    let (halves, _) = address.as_chunks::<8>();
    [u64::from_ne_bytes(halves[0]), u64::from_ne_bytes(halves[1])]
}

/// A direction of a flow.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Dir {
    /// Client to server.
    ToServer,
    /// Server to client.
    ToClient,
}

/// One end of a flow.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Endpoint {
    /// Address; IPv4 where the packets were IPv4.
    pub address: IpAddr,
    /// Port, 0 where the protocol has none (for ICMP, what the engine puts there).
    pub port: u16,
}

/// A copy of a slot.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct FlowSnapshot {
    /// The 16 words, laid out as the module head says.
    pub words: [u64; SLOT_WORDS],
}

impl FlowSnapshot {
    /// Identity of the flow, unique in the engine and its runs before; never 0 in use.
    pub fn flow_id(&self) -> u64 {
        self.words[WORD_FLOW_ID]
    }

    /// Reference of the metadata in the arena; 0 for none.
    pub fn meta_ref(&self) -> u32 {
        high(self.words[WORD_VERSION])
    }

    /// The endpoint that compares lower.
    pub fn lo(&self) -> Endpoint {
        self.endpoint(WORD_LO_ADDRESS, 0)
    }

    /// The endpoint that compares higher.
    pub fn hi(&self) -> Endpoint {
        self.endpoint(WORD_HI_ADDRESS, 1)
    }

    /// The side that opened the conversation: by its SYN where one was seen.
    pub fn client(&self) -> Endpoint {
        if self.client_is_hi() { self.hi() } else { self.lo() }
    }

    /// The other side.
    pub fn server(&self) -> Endpoint {
        if self.client_is_hi() { self.lo() } else { self.hi() }
    }

    /// Layer-4 protocol number.
    pub fn l4(&self) -> u8 {
        byte(self.words[WORD_TUPLE], 6)
    }

    /// VLAN identifier, 0 for none.
    pub fn vlan(&self) -> u16 {
        half(self.words[WORD_TUPLE], 2)
    }

    /// Kind of tunnel the packets came in, 0 for none.
    pub fn tunnel(&self) -> u8 {
        byte(self.words[WORD_TUPLE], 7) & !TUNNEL_IPV6
    }

    /// Whether the packets were IPv6.
    pub fn is_ipv6(&self) -> bool {
        byte(self.words[WORD_TUPLE], 7) & TUNNEL_IPV6 != 0
    }

    /// The protocol that carries the application; equal to it where there is none.
    pub fn master(&self) -> u16 {
        half(self.words[WORD_CLASS], 0)
    }

    /// The application.
    pub fn app(&self) -> u16 {
        half(self.words[WORD_CLASS], 1)
    }

    /// How sure the application is.
    pub fn confidence(&self) -> u8 {
        byte(self.words[WORD_CLASS], 6)
    }

    /// State bits, `STATE_…`.
    pub fn state(&self) -> u8 {
        byte(self.words[WORD_CLASS], 7)
    }

    /// Whether the client is the higher endpoint.
    pub fn client_is_hi(&self) -> bool {
        self.state() & STATE_CLIENT_IS_HI != 0
    }

    /// Whether the application is final.
    pub fn inspection_ended(&self) -> bool {
        self.state() & STATE_INSPECTION_ENDED != 0
    }

    /// Whether the flow's SYN was seen.
    pub fn syn_seen(&self) -> bool {
        self.state() & STATE_SYN_SEEN != 0
    }

    /// Packets of a direction.
    pub fn packets(&self, dir: Dir) -> u64 {
        self.words[self.direction(dir)]
    }

    /// Bytes of a direction.
    pub fn bytes(&self, dir: Dir) -> u64 {
        self.words[self.direction(dir) + 1]
    }

    /// First packet of a direction, Unix nanoseconds; 0 if it had none.
    pub fn first_ns_of(&self, dir: Dir) -> u64 {
        self.words[self.direction(dir) + 2]
    }

    /// Last packet of a direction, Unix nanoseconds; 0 if it had none.
    pub fn last_ns_of(&self, dir: Dir) -> u64 {
        self.words[self.direction(dir) + 3]
    }

    /// First packet of the flow, Unix nanoseconds.
    pub fn first_ns(&self) -> u64 {
        let (server, client) = (self.first_ns_of(Dir::ToServer), self.first_ns_of(Dir::ToClient));
        if server == 0 || client == 0 { server.max(client) } else { server.min(client) }
    }

    /// Last packet of the flow, Unix nanoseconds.
    pub fn last_ns(&self) -> u64 {
        self.last_ns_of(Dir::ToServer).max(self.last_ns_of(Dir::ToClient))
    }

    /// Union of the TCP flags of a direction.
    pub fn tcp_flags(&self, dir: Dir) -> u8 {
        let index = if self.direction(dir) == WORD_LO_TO_HI { 4 } else { 5 };
        byte(self.words[WORD_CLASS], index)
    }

    fn direction(&self, dir: Dir) -> usize {
        match (dir, self.client_is_hi()) {
            (Dir::ToServer, false) | (Dir::ToClient, true) => WORD_LO_TO_HI,
            (Dir::ToServer, true) | (Dir::ToClient, false) => WORD_HI_TO_LO,
        }
    }

    fn endpoint(&self, word: usize, port: usize) -> Endpoint {
        let mut octets = [0; 16];
        octets[..8].copy_from_slice(&self.words[word].to_ne_bytes());
        octets[8..].copy_from_slice(&self.words[word + 1].to_ne_bytes());
        let address = Ipv6Addr::from(octets);
        let address = match address.to_ipv4_mapped() {
            Some(v4) if !self.is_ipv6() => IpAddr::V4(v4),
            _ => IpAddr::V6(address),
        };
        Endpoint { address, port: half(self.words[WORD_TUPLE], port) }
    }
}

/// The outcome of copying a slot that its writer may be changing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum SlotRead {
    Free,
    Torn,
    Read(FlowSnapshot),
}

/// Copies a slot whose words `load` gives, calling `with` on the copy while it can still be checked.
///
/// `with` runs between the two looks at the version: what it reads elsewhere (the arena) is covered
/// by the same check, as long as its writer opens the slot before it reuses that memory.
pub(crate) fn read_slot(
    load: impl Fn(usize) -> u64,
    mut with: impl FnMut(&FlowSnapshot) -> bool,
) -> SlotRead {
    for _ in 0..READ_ATTEMPTS {
        if load(WORD_FLOW_ID) == 0 {
            return SlotRead::Free;
        }
        let version = load(WORD_VERSION);
        if version & 1 == 1 {
            crate::sync::pause();
            continue;
        }
        // Pairs with the release store of `commit`.
        fence(Ordering::Acquire);
        let mut snapshot = FlowSnapshot::default();
        snapshot.words[0] = version;
        for (index, word) in snapshot.words.iter_mut().enumerate().take(READ_WORDS).skip(1) {
            *word = load(index);
        }
        let usable = with(&snapshot);
        // Pairs with the release fence of `begin`.
        fence(Ordering::Acquire);
        if usable && load(WORD_VERSION) == version {
            let free = snapshot.flow_id() == 0;
            return if free { SlotRead::Free } else { SlotRead::Read(snapshot) };
        }
        crate::sync::pause();
    }
    SlotRead::Torn
}

const READ_ATTEMPTS: usize = if cfg!(loom) { 2 } else { 64 };
/// A model copies no more than it has written.
const READ_WORDS: usize = if cfg!(loom) { WORD_FLOW_ID + 1 } else { SLOT_WORDS };

#[inline(always)]
const fn byte(word: u64, index: usize) -> u8 {
    word.to_le_bytes()[index]
}

#[inline(always)]
const fn half(word: u64, index: usize) -> u16 {
    let bytes = word.to_le_bytes();
    u16::from_le_bytes([bytes[index * 2], bytes[index * 2 + 1]])
}

#[inline(always)]
const fn high(word: u64) -> u32 {
    (word >> 32) as u32
}

#[cfg(not(loom))]
#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        arena::{ArenaReader, ArenaWriter},
        segment::{ReadMap, WORD, WriteMap},
    };
    use std::{
        os::fd::AsFd,
        sync::atomic::{AtomicBool, AtomicU64 as Count},
        thread,
    };

    #[test]
    fn a_snapshot_says_what_was_packed() {
        let v4 = |last| std::net::Ipv4Addr::new(192, 0, 2, last).to_ipv6_mapped().octets();
        let mut words = [0; SLOT_WORDS];
        words[WORD_VERSION] = 0xabcd << 32 | 6;
        words[1..3].copy_from_slice(&pack_address(v4(1)));
        words[3..5].copy_from_slice(&pack_address(v4(2)));
        words[WORD_TUPLE] = pack_tuple(443, 40000, 12, 6, 3);
        words[WORD_FLOW_ID] = 99;
        let state = STATE_CLIENT_IS_HI | STATE_SYN_SEEN;
        words[WORD_CLASS] = pack_class(91, 124, 0x12, 0x02, 7, state);
        words[8..12].copy_from_slice(&[10, 1000, 50, 90]);
        words[12..16].copy_from_slice(&[5, 500, 40, 80]);
        let flow = FlowSnapshot { words };

        assert_eq!(flow.client().to_string_pair(), "192.0.2.2 40000");
        assert_eq!(flow.server().to_string_pair(), "192.0.2.1 443");
        assert_eq!((flow.l4(), flow.vlan(), flow.tunnel(), flow.is_ipv6()), (6, 12, 3, false));
        assert_eq!((flow.master(), flow.app(), flow.confidence()), (91, 124, 7));
        assert!(flow.syn_seen() && !flow.inspection_ended());
        assert_eq!((flow.packets(Dir::ToServer), flow.bytes(Dir::ToServer)), (5, 500));
        assert_eq!((flow.packets(Dir::ToClient), flow.bytes(Dir::ToClient)), (10, 1000));
        assert_eq!((flow.tcp_flags(Dir::ToServer), flow.tcp_flags(Dir::ToClient)), (2, 0x12));
        assert_eq!((flow.first_ns(), flow.last_ns()), (40, 90));
        assert_eq!((flow.flow_id(), flow.meta_ref()), (99, 0xabcd));
    }

    #[test]
    fn a_direction_without_packets_does_not_hide_the_first_time() {
        let mut flow = FlowSnapshot::default();
        flow.words[10] = 70;
        assert_eq!(flow.first_ns(), 70);
        flow.words[10] = 0;
        flow.words[14] = 60;
        assert_eq!(flow.first_ns(), 60);
    }

    #[test]
    fn addresses_keep_their_family() {
        let mut flow = FlowSnapshot::default();
        let mapped = std::net::Ipv4Addr::LOCALHOST.to_ipv6_mapped();
        flow.words[1..3].copy_from_slice(&pack_address(mapped.octets()));
        assert_eq!(flow.lo().address, IpAddr::from(std::net::Ipv4Addr::LOCALHOST));
        flow.words[WORD_TUPLE] = pack_tuple(0, 0, 0, 6, TUNNEL_IPV6);
        assert_eq!(flow.lo().address, IpAddr::V6(mapped), "an IPv6 packet may carry this form");
    }

    #[test]
    fn the_version_runs_over_without_touching_the_reference() {
        let slots: crate::segment::FlowSlots =
            WriteMap::create("weir test", 4096, false).unwrap().section(0, 1);
        let slot = &slots[0];
        slot.words[0].store(0x1234_5678_ffff_fffe, Ordering::Relaxed);
        slot.begin();
        assert_eq!(slot.load(0), 0x1234_5678_ffff_ffff);
        slot.commit();
        assert_eq!(slot.load(0), 0x1234_5678_0000_0000);
        slot.begin();
        slot.set_meta_ref(9);
        slot.commit();
        assert_eq!((slot.load(0), slot.meta_ref()), (9 << 32 | 2, 9));
    }

    /// One thread rewrites a slot and its metadata as fast as it can, each time with values that
    /// belong together; what a reader accepts must belong together.
    #[test]
    fn a_reader_never_sees_a_torn_flow() {
        const ARENA: usize = 8192;
        let map = WriteMap::create("weir test", ARENA + 4096, false).unwrap();
        let fd = map.as_fd().try_clone_to_owned().unwrap();
        let read = ReadMap::open(&fd, "test", map.bytes() as u64).unwrap();
        let slots: crate::segment::FlowSlots = map.section(ARENA, 1);
        let mut arena = ArenaWriter::new(map.section(0, ARENA / WORD));
        let words = read.words(ARENA, SLOT_WORDS).unwrap();
        let reader = ArenaReader::new(read.words(0, ARENA / WORD).unwrap());
        let (stop, rounds) = (AtomicBool::new(false), Count::new(0));
        let (mut whole, mut freed, mut torn) = (0_u64, 0_u64, 0_u64);
        let fills: Vec<Vec<u8>> = (0..=u8::MAX).map(|fill| vec![fill; 100]).collect();
        thread::scope(|scope| {
            // Also when an assertion below fails, so that the writer ends and the test with it.
            let _stop = StopAtDrop(&stop);
            scope.spawn(|| {
                let slot = &slots[0];
                let mut round = 0_u64;
                while !stop.load(Ordering::Relaxed) {
                    round += 1;
                    let length = usize::try_from(round % 100).unwrap();
                    let fill = &fills[usize::from(round.to_le_bytes()[0])];
                    let old = slot.meta_ref();
                    let new = arena.store(&fill[..length]).unwrap_or(0);
                    slot.begin();
                    slot.set_meta_ref(new);
                    for word in 1..SLOT_WORDS {
                        slot.store(word, round << 4 | word as u64);
                    }
                    if round.is_multiple_of(64) {
                        slot.store(WORD_FLOW_ID, 0);
                    }
                    slot.commit();
                    if old != 0 {
                        arena.free(old);
                    }
                    rounds.store(round, Ordering::Relaxed);
                }
            });
            let mut meta = Vec::new();
            while rounds.load(Ordering::Relaxed) < 3_000_000 || whole < 1000 {
                let read = read_slot(
                    |word| words.load(word),
                    |flow| flow.meta_ref() == 0 || reader.load(flow.meta_ref(), &mut meta),
                );
                match read {
                    SlotRead::Free => freed += 1,
                    SlotRead::Torn => torn += 1,
                    SlotRead::Read(flow) => {
                        whole += 1;
                        let round = flow.words[1] >> 4;
                        for word in 1..SLOT_WORDS {
                            assert_eq!(flow.words[word], round << 4 | word as u64);
                        }
                        assert_ne!(flow.meta_ref(), 0, "the arena always had room");
                        assert_eq!(meta.len() as u64, round % 100);
                        assert!(meta.iter().all(|&byte| byte == round.to_le_bytes()[0]));
                    }
                }
            }
        });
        println!("{whole} whole, {freed} free, {torn} torn");
    }

    struct StopAtDrop<'a>(&'a AtomicBool);

    impl Drop for StopAtDrop<'_> {
        fn drop(&mut self) {
            self.0.store(true, Ordering::Relaxed);
        }
    }

    impl Endpoint {
        fn to_string_pair(self) -> String {
            format!("{} {}", self.address, self.port)
        }
    }
}
