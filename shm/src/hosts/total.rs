//! Rows of applications, VLANs, networks and interfaces, as their writer sees them.

use super::latency::{LATENCY_WORDS, Wait, count_latency};
use super::{Share, add, begin, commit, get, meter, put};
use crate::sync::AtomicU64;

/// Words of a total.
pub const TOTAL_WORDS: usize = 112;
/// Bytes of a total.
pub const TOTAL_BYTES: usize = TOTAL_WORDS * 8;

pub(super) const KEY: usize = 1;
pub(super) const FLOWS: usize = 2;
pub(super) const LIVE: usize = 3;
pub(super) const PACKETS: usize = 4;
pub(super) const BYTES: usize = 6;
pub(super) const FIRST_NS: usize = 8;
pub(super) const LAST_NS: usize = 9;
pub(super) const RATE: usize = 10;
pub(super) const NETWORK: usize = 14;
/// Delays of servers and of clients, and answers.
pub(super) const LATENCIES: [usize; 3] = [16, 16 + LATENCY_WORDS, 16 + 2 * LATENCY_WORDS];
const _: () = assert!(LATENCIES[2] + LATENCY_WORDS == TOTAL_WORDS);

/// Whose row a total is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum TotalKey {
    /// Everything.
    All,
    /// An application.
    App(u16),
    /// A VLAN; 0: frames without. `u16::MAX`: VLANs beyond those that have a row.
    Vlan(u16),
    /// A local network: its address in mapped form, and its prefix.
    Network([u64; 2], u8),
    /// All hosts outside of the local networks.
    Remote,
}

impl TotalKey {
    const ALL: u64 = 1;
    const APP: u64 = 2;
    const VLAN: u64 = 3;
    const NETWORK: u64 = 4;
    const REMOTE: u64 = 5;

    /// The network as people write it, where it is one.
    pub fn network(&self) -> Option<String> {
        let Self::Network(address, prefix) = *self else { return None };
        let address = super::read::address_of(address);
        let prefix = if address.is_ipv4() { prefix.saturating_sub(96) } else { prefix };
        Some(format!("{address}/{prefix}"))
    }

    pub(super) fn unpack(word: u64, network: [u64; 2]) -> Option<Self> {
        let [low, high, ..] = word.to_le_bytes();
        let id = u16::from_le_bytes([low, high]);
        match word >> 56 {
            Self::ALL => Some(Self::All),
            Self::APP => Some(Self::App(id)),
            Self::VLAN => Some(Self::Vlan(id)),
            Self::NETWORK => Some(Self::Network(network, low)),
            Self::REMOTE => Some(Self::Remote),
            _ => None,
        }
    }

    fn pack(self) -> (u64, [u64; 2]) {
        match self {
            Self::All => (Self::ALL << 56, [0; 2]),
            Self::App(id) => (Self::APP << 56 | u64::from(id), [0; 2]),
            Self::Vlan(id) => (Self::VLAN << 56 | u64::from(id), [0; 2]),
            Self::Network(address, prefix) => (Self::NETWORK << 56 | u64::from(prefix), address),
            Self::Remote => (Self::REMOTE << 56, [0; 2]),
        }
    }
}

/// A row. Changes stand between [`Total::begin`] and [`Total::commit`].
#[derive(Debug, Clone, Copy)]
pub struct Total<'a>(pub(super) &'a [AtomicU64; TOTAL_WORDS]);

impl Total<'_> {
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

    /// Says whose row it is, once.
    pub fn name(self, key: TotalKey) {
        let (word, network) = key.pack();
        self.begin();
        put(self.0, NETWORK, network[0]);
        put(self.0, NETWORK + 1, network[1]);
        put(self.0, KEY, word);
        self.commit();
    }

    /// Whether it has somebody's name.
    pub fn is_named(self) -> bool {
        get(self.0, KEY) != 0
    }

    /// Flows more or less: begun, and live.
    #[inline(always)]
    pub fn flows(self, begun: i64, live: i64) {
        add(self.0, FLOWS, begun.cast_unsigned());
        add(self.0, LIVE, live.cast_unsigned());
    }

    /// Adds what flows report up to `last_ns`: client to server, and back; or sent, and received.
    #[inline(always)]
    pub fn account(self, share: &Share, last_ns: u64) {
        self.take_over(share, last_ns);
        put(self.0, LAST_NS, get(self.0, LAST_NS).max(last_ns));
        meter(self.0, RATE, super::bucket_of(last_ns), share.all_bytes());
    }

    /// Takes back what was added under a name that turned out to be another.
    pub fn take_back(self, share: &Share) {
        let less = |at, by: u64| put(self.0, at, get(self.0, at).wrapping_sub(by));
        less(PACKETS, share.packets[0]);
        less(PACKETS + 1, share.packets[1]);
        less(BYTES, share.bytes[0]);
        less(BYTES + 1, share.bytes[1]);
    }

    /// Adds what was taken back elsewhere: counts, and no rate.
    #[inline(always)]
    pub fn take_over(self, share: &Share, last_ns: u64) {
        share.add_to(self.0, PACKETS, BYTES);
        if get(self.0, FIRST_NS) == 0 {
            put(self.0, FIRST_NS, last_ns);
        }
    }

    /// Counts a latency, `times` times.
    #[inline(always)]
    pub fn latency(self, which: Wait, ns: u64, times: u32) {
        count_latency(self.0, LATENCIES[which as usize], ns, times);
    }
}

/// Words of an interface's row.
pub const INTERFACE_WORDS: usize = 16;
/// Bytes of an interface's row.
pub const INTERFACE_BYTES: usize = INTERFACE_WORDS * 8;

pub(super) const FRAMES: usize = 1;
pub(super) const WIRE_BYTES: usize = 2;
pub(super) const BEGAN_NS: usize = 3;
pub(super) const ENDED_NS: usize = 4;
pub(super) const THROUGHPUT: usize = 5;
pub(super) const BURST: usize = 9;
pub(super) const BURST_BYTES: usize = 10;
pub(super) const BURST_NOW: usize = 11;
pub(super) const BURST_LAST: usize = 12;
pub(super) const BURST_MOST: usize = 13;
pub(super) const BURST_AT_NS: usize = 14;

/// An interface, as one shard sees it. Bursts are in milliseconds of 2^20 ns.
#[derive(Debug, Clone, Copy)]
pub struct InterfaceRow<'a>(pub(super) &'a [AtomicU64; INTERFACE_WORDS]);

/// Nanoseconds of a millisecond of bursts, as a shift.
pub const BURST_SHIFT: u32 = 20;

impl InterfaceRow<'_> {
    /// Adds frames that all lie in the millisecond of `time_ns`.
    #[inline]
    pub fn account(self, frames: u64, bytes: u64, time_ns: u64) {
        let words = self.0;
        begin(&words[0]);
        add(words, FRAMES, frames);
        add(words, WIRE_BYTES, bytes);
        if get(words, BEGAN_NS) == 0 {
            put(words, BEGAN_NS, time_ns);
        }
        put(words, ENDED_NS, get(words, ENDED_NS).max(time_ns));
        let bucket = super::bucket_of(time_ns);
        let newer = bucket.checked_sub(get(words, THROUGHPUT)).filter(|newer| *newer > 0);
        if let Some(newer) = newer {
            put(words, BURST_LAST, if newer == 1 { get(words, BURST_NOW) } else { 0 });
            put(words, BURST_NOW, 0);
        }
        meter(words, THROUGHPUT, bucket, bytes);
        let millisecond = time_ns >> BURST_SHIFT;
        let so_far = if get(words, BURST) == millisecond { get(words, BURST_BYTES) } else { 0 };
        let all = so_far + bytes;
        put(words, BURST, millisecond);
        put(words, BURST_BYTES, all);
        put(words, BURST_NOW, get(words, BURST_NOW).max(all));
        if all > get(words, BURST_MOST) {
            put(words, BURST_MOST, all);
            put(words, BURST_AT_NS, time_ns);
        }
        commit(&words[0]);
    }
}
