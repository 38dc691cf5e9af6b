//! Hosts, applications and networks of a shard: who they are and what they came to.
//!
//! A *host* is an address. Each has a slot of 128 bytes; hosts of this machine and of the local
//! networks that sent something have a *detail* of 4480 bytes besides, from a pool. A *total* is a row of
//! an application, a VLAN or a network. All are seqlocks with one writer, as flow slots are: the
//! version is the low half of word 0. A detail has no version of its own: it is written under that of
//! its host's slot. `docs/SHM_FORMAT.md` has the words.
//!
//! Bytes and packets are those that flows have reported: at most once a *bucket* of 2^30 ns, when a
//! flow ends, and when its timer looks at it.

mod detail;
mod latency;
mod merge;
pub mod os;
mod read;
mod slot;
mod total;
mod write;

pub use self::{
    detail::{DETAIL_BYTES, DETAIL_WORDS, Detail, NAMES, Segments, TOPS, Text, Top},
    latency::{LATENCIES, Latencies, Wait, latency_bucket, latency_high},
    merge::{Counted, Device, Host, Hosts, LearnedName, PeerOf, PortOf, merge},
    read::{HostRead, HostsReader, Interface, NameRead, TotalRead},
    slot::{HOST_BYTES, HOST_WORDS, HostSlot, Identity, Share},
    total::{
        BURST_SHIFT, INTERFACE_BYTES, INTERFACE_WORDS, InterfaceRow, TOTAL_BYTES, TOTAL_WORDS,
        Total, TotalKey,
    },
    write::{HostsSpec, HostsWriter, NAME_BYTES, NAME_WORDS, NameSlot},
};

use crate::sync::{AtomicU64, Ordering, fence};

/// What a host is to the engine.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
#[repr(u8)]
pub enum HostKind {
    /// Neither of the others.
    #[default]
    Remote = 1,
    /// In a local network.
    Local = 2,
    /// An address of the machine that captures.
    System = 3,
    /// No single host: a multicast, broadcast or unspecified address.
    Group = 4,
}

impl HostKind {
    /// The kind of this number.
    pub const fn from_raw(raw: u8) -> Option<Self> {
        match raw {
            1 => Some(Self::Remote),
            2 => Some(Self::Local),
            3 => Some(Self::System),
            4 => Some(Self::Group),
            _ => None,
        }
    }

    /// The name that users see.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Remote => "remote",
            Self::Local => "local",
            Self::System => "system",
            Self::Group => "group",
        }
    }

    /// Whether all is kept of such hosts.
    pub const fn is_local(self) -> bool {
        matches!(self, Self::Local | Self::System)
    }
}

/// Where a name was seen.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
#[repr(u8)]
pub enum NameSource {
    /// A client named its server: TLS or QUIC SNI, HTTP host.
    #[default]
    Client = 1,
    /// The answer to a DNS question.
    Dns = 2,
    /// The host's own word: NetBIOS.
    NetBios = 3,
    /// The host's own word: mDNS or LLMNR.
    Mdns = 4,
    /// The host's own word: DHCP.
    Dhcp = 5,
}

impl NameSource {
    /// The source of this number.
    pub const fn from_raw(raw: u8) -> Option<Self> {
        match raw {
            1 => Some(Self::Client),
            2 => Some(Self::Dns),
            3 => Some(Self::NetBios),
            4 => Some(Self::Mdns),
            5 => Some(Self::Dhcp),
            _ => None,
        }
    }

    /// The name that users see.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Client => "client",
            Self::Dns => "dns",
            Self::NetBios => "netbios",
            Self::Mdns => "mdns",
            Self::Dhcp => "dhcp",
        }
    }
}

/// Nanoseconds of a bucket of rates, as a shift.
pub const BUCKET_SHIFT: u32 = 30;

/// The bucket of a time.
#[inline(always)]
pub const fn bucket_of(time_ns: u64) -> u64 {
    time_ns >> BUCKET_SHIFT
}

/// Bytes of a bucket as bytes a second.
pub fn bytes_a_second(in_bucket: u64) -> u64 {
    let scaled = (u128::from(in_bucket) * 1_000_000_000) >> BUCKET_SHIFT;
    u64::try_from(scaled).unwrap_or(u64::MAX)
}

const VERSION_MASK: u64 = 0xffff_ffff;

#[inline(always)]
fn get(words: &[AtomicU64], at: usize) -> u64 {
    words[at].load(Ordering::Relaxed)
}

#[inline(always)]
fn put(words: &[AtomicU64], at: usize, value: u64) {
    words[at].store(value, Ordering::Relaxed);
}

#[inline(always)]
fn add(words: &[AtomicU64], at: usize, value: u64) {
    put(words, at, get(words, at).wrapping_add(value));
}

/// Opens words for writing: their version becomes odd.
#[inline(always)]
fn begin(version: &AtomicU64) {
    let word = version.load(Ordering::Relaxed);
    debug_assert_eq!(word & 1, 0, "begin without commit");
    version.store(word | 1, Ordering::Relaxed);
    // Pairs with the acquire fence before a reader's second look at the version.
    fence(Ordering::Release);
}

/// Closes them again.
#[inline(always)]
fn commit(version: &AtomicU64) {
    let word = version.load(Ordering::Relaxed);
    debug_assert_eq!(word & 1, 1, "commit without begin");
    let next = word.wrapping_add(1) & VERSION_MASK;
    // Pairs with the acquire fence after a reader's first look at the version.
    version.store(word & !VERSION_MASK | next, Ordering::Release);
}

/// Four words from `at` on that measure a rate: the bucket, its bytes so far, those of the bucket
/// before, and the most of a bucket.
#[inline(always)]
fn meter(words: &[AtomicU64], at: usize, bucket: u64, bytes: u64) {
    let now = get(words, at);
    if bucket == now {
        add(words, at + 1, bytes);
    } else if bucket > now {
        let done = get(words, at + 1);
        put(words, at + 3, get(words, at + 3).max(done));
        put(words, at + 2, if bucket == now + 1 { done } else { 0 });
        put(words, at, bucket);
        put(words, at + 1, bytes);
    } else if bucket + 1 == now {
        let done = get(words, at + 2) + bytes;
        put(words, at + 2, done);
        put(words, at + 3, get(words, at + 3).max(done));
    }
}

/// A rate as read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Rate {
    /// The newest bucket.
    pub bucket: u64,
    /// Its bytes so far.
    pub now: u64,
    /// Bytes of the bucket before.
    pub last: u64,
    /// The most of a bucket.
    pub peak: u64,
}

impl Rate {
    fn of(words: &[u64]) -> Self {
        let word = |at: usize| words.get(at).copied().unwrap_or_default();
        Self { bucket: word(0), now: word(1), last: word(2), peak: word(3) }
    }

    /// Bytes a second of the last whole bucket before `now_ns`.
    pub fn current(&self, now_ns: u64) -> u64 {
        let now = bucket_of(now_ns);
        bytes_a_second(match now.saturating_sub(self.bucket) {
            0 => self.last,
            1 => self.now,
            _ => 0,
        })
    }

    /// Bytes a second of the busiest bucket.
    pub fn most(&self) -> u64 {
        bytes_a_second(self.peak.max(self.now).max(self.last))
    }

    /// Adds what another shard measured. Peaks need not have been at the same time: the sum of
    /// those is the most that may have been, and what each bucket had is added where it is the same.
    pub fn merge(&mut self, other: &Self) {
        let (newer, older) =
            if self.bucket >= other.bucket { (*self, *other) } else { (*other, *self) };
        let aligned = match newer.bucket - older.bucket {
            0 => [older.now, older.last],
            1 => [0, older.now],
            _ => [0, 0],
        };
        let now = newer.now.saturating_add(aligned[0]);
        let last = newer.last.saturating_add(aligned[1]);
        let peak = newer.peak.max(older.peak).max(older.now).max(last);
        *self = Self { bucket: newer.bucket, now, last, peak };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words() -> Vec<AtomicU64> {
        (0..4).map(|_| AtomicU64::new(0)).collect()
    }

    fn rate(words: &[AtomicU64]) -> Rate {
        Rate::of(&words.iter().map(|word| word.load(Ordering::Relaxed)).collect::<Vec<_>>())
    }

    #[test]
    fn a_meter_keeps_the_bucket_the_one_before_and_the_most() {
        let words = words();
        for (bucket, bytes) in [(10, 5), (10, 7), (11, 3), (10, 4), (14, 1), (11, 100)] {
            meter(&words, 0, bucket, bytes);
        }
        assert_eq!(rate(&words), Rate { bucket: 14, now: 1, last: 0, peak: 16 });
    }

    #[test]
    fn rates_are_of_the_last_whole_bucket() {
        let rate = Rate { bucket: 100, now: 1 << 30, last: 1 << 29, peak: 0 };
        assert_eq!(rate.current(100 << 30), 500_000_000);
        assert_eq!(rate.current(101 << 30), 1_000_000_000);
        assert_eq!(rate.current(102 << 30), 0);
        assert_eq!(rate.most(), 1_000_000_000);
    }

    #[test]
    fn buckets_of_two_shards_are_added_where_they_are_the_same() {
        let mut a = Rate { bucket: 10, now: 1, last: 2, peak: 5 };
        a.merge(&Rate { bucket: 11, now: 10, last: 20, peak: 20 });
        assert_eq!(a, Rate { bucket: 11, now: 10, last: 21, peak: 21 });
    }
}
