//! A host's slot, as its writer sees it.

use super::{HostKind, VERSION_MASK, add, begin, commit, get, meter, put};
use crate::sync::{AtomicU64, Ordering};

/// Words of a slot.
pub const HOST_WORDS: usize = 16;
/// Bytes of a slot.
pub const HOST_BYTES: usize = HOST_WORDS * 8;

pub(super) const ADDRESS: usize = 1;
pub(super) const IDENTITY: usize = 3;
pub(super) const FLOWS: usize = 4;
pub(super) const LIVE: usize = 5;
pub(super) const FIRST_NS: usize = 6;
pub(super) const LAST_NS: usize = 7;
pub(super) const BYTES: usize = 8;
pub(super) const PACKETS: usize = 10;
pub(super) const RATE: usize = 12;

const KNOWS_MAC: u64 = 1 << 48;
const KNOWS_SYN: u64 = 1 << 49;

/// Word 3 of a slot.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Identity {
    /// Unlike that of every other host of the shard, and of those that had the slot before; never 0.
    pub generation: u32,
    /// What it is.
    pub kind: HostKind,
    /// The local network that it lies in; 255 for none.
    pub network: u8,
}

impl Identity {
    #[inline(always)]
    pub(super) fn pack(self) -> u64 {
        u64::from(self.generation)
            | u64::from(self.kind as u8) << 32
            | u64::from(self.network) << 40
    }

    #[inline(always)]
    pub(super) fn unpack(word: u64) -> Option<Self> {
        let [a, b, c, d, kind, network, ..] = word.to_le_bytes();
        let generation = u32::from_le_bytes([a, b, c, d]);
        let kind = HostKind::from_raw(kind)?;
        (generation != 0).then_some(Self { generation, kind, network })
    }
}

/// A host's share of what a flow reports.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Share {
    /// Bytes sent and received.
    pub bytes: [u64; 2],
    /// Packets sent and received.
    pub packets: [u64; 2],
}

impl Share {
    /// The same from the other end.
    #[must_use]
    pub const fn turned(self) -> Self {
        let ([a, b], [c, d]) = (self.bytes, self.packets);
        Self { bytes: [b, a], packets: [d, c] }
    }

    /// Adds it to the two words from `packets` and the two from `bytes` on.
    #[inline(always)]
    pub(super) fn add_to(&self, words: &[AtomicU64], packets: usize, bytes: usize) {
        for (way, (count, length)) in self.packets.into_iter().zip(self.bytes).enumerate() {
            add(words, packets + way, count);
            add(words, bytes + way, length);
        }
    }

    /// Bytes, both ways.
    pub const fn all_bytes(&self) -> u64 {
        self.bytes[0] + self.bytes[1]
    }
}

/// A slot. Changes stand between [`HostSlot::begin`] and [`HostSlot::commit`].
#[derive(Debug, Clone, Copy)]
pub struct HostSlot<'a>(pub(super) &'a [AtomicU64; HOST_WORDS]);

impl HostSlot<'_> {
    /// Opens it.
    #[inline(always)]
    pub fn begin(self) {
        begin(&self.0[0]);
    }

    /// Closes it.
    #[inline(always)]
    pub fn commit(self) {
        commit(&self.0[0]);
    }

    /// Whether it is that of this address.
    #[inline(always)]
    pub fn has(self, address: [u64; 2]) -> bool {
        (get(self.0, ADDRESS) ^ address[0]) | (get(self.0, ADDRESS + 1) ^ address[1]) == 0
    }

    /// The address; of meaning in a taken slot.
    #[inline(always)]
    pub fn address(self) -> [u64; 2] {
        [get(self.0, ADDRESS), get(self.0, ADDRESS + 1)]
    }

    /// Who is there; none in a free slot.
    #[inline(always)]
    pub fn identity(self) -> Option<Identity> {
        Identity::unpack(get(self.0, IDENTITY))
    }

    /// Whether the host of this generation is there.
    #[inline(always)]
    pub fn is(self, generation: u32) -> bool {
        get(self.0, IDENTITY) & VERSION_MASK == u64::from(generation)
    }

    /// Puts a new host there. Opens and closes the slot.
    pub fn open(self, address: [u64; 2], identity: Identity, now_ns: u64) {
        self.begin();
        self.set_detail(None);
        (FLOWS..HOST_WORDS).for_each(|word| put(self.0, word, 0));
        put(self.0, ADDRESS, address[0]);
        put(self.0, ADDRESS + 1, address[1]);
        put(self.0, FIRST_NS, now_ns);
        put(self.0, LAST_NS, now_ns);
        put(self.0, IDENTITY, identity.pack());
        self.commit();
    }

    /// Takes the host out. Opens and closes the slot.
    pub fn close(self) {
        self.begin();
        self.set_detail(None);
        put(self.0, IDENTITY, 0);
        self.commit();
    }

    /// The host's detail.
    #[inline(always)]
    pub fn detail(self) -> Option<u32> {
        u32::try_from(get(self.0, 0) >> 32).unwrap_or_default().checked_sub(1)
    }

    /// Sets the detail, of an open slot.
    pub fn set_detail(self, detail: Option<u32>) {
        let reference = detail.map_or(0, |detail| u64::from(detail) + 1);
        let version = get(self.0, 0) & VERSION_MASK;
        self.note_known(false, false);
        self.0[0].store(reference << 32 | version, Ordering::Relaxed);
    }

    /// Whether its detail has a hardware address.
    #[inline(always)]
    pub fn knows_mac(self) -> bool {
        get(self.0, IDENTITY) & KNOWS_MAC != 0
    }

    /// Whether its detail has a SYN.
    #[inline(always)]
    pub fn knows_syn(self) -> bool {
        get(self.0, IDENTITY) & KNOWS_SYN != 0
    }

    /// Writes down what its detail has, in an open slot.
    pub fn note_known(self, mac: bool, syn: bool) {
        let known = if mac { KNOWS_MAC } else { 0 } | if syn { KNOWS_SYN } else { 0 };
        put(self.0, IDENTITY, get(self.0, IDENTITY) & !(KNOWS_MAC | KNOWS_SYN) | known);
    }

    /// A flow begins.
    #[inline(always)]
    pub fn flow_begins(self, is_server: bool, now_ns: u64) {
        add(self.0, FLOWS, if is_server { 1 << 32 } else { 1 });
        add(self.0, LIVE, 1);
        put(self.0, LAST_NS, get(self.0, LAST_NS).max(now_ns));
    }

    /// Client and server turned out to be the other way round.
    #[inline(always)]
    pub fn flow_turns(self, is_server: bool) {
        let (more, less) = if is_server { (1 << 32, 1) } else { (1, 1 << 32) };
        put(self.0, FLOWS, get(self.0, FLOWS).wrapping_add(more).wrapping_sub(less));
    }

    /// A flow ended.
    #[inline(always)]
    pub fn flow_ends(self) {
        put(self.0, LIVE, get(self.0, LIVE).saturating_sub(1));
    }

    /// Adds what a flow reports up to `last_ns`.
    #[inline(always)]
    pub fn account(self, share: &Share, last_ns: u64) {
        share.add_to(self.0, PACKETS, BYTES);
        put(self.0, LAST_NS, get(self.0, LAST_NS).max(last_ns));
        meter(self.0, RATE, super::bucket_of(last_ns), share.all_bytes());
    }

    /// What all flows reported so far.
    pub fn total(self) -> Share {
        Share {
            bytes: [get(self.0, BYTES), get(self.0, BYTES + 1)],
            packets: [get(self.0, PACKETS), get(self.0, PACKETS + 1)],
        }
    }
}
