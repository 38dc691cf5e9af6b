//! The sections of hosts, as readers see them. Trusts nothing: indices are checked, lengths cut.

use super::{
    DETAIL_WORDS, HOST_WORDS, HostKind, INTERFACE_WORDS, Identity, Latencies, NameSource, Rate,
    Share, TOTAL_WORDS, TotalKey, detail, slot, total, write,
};
use crate::{
    error::Error,
    layout::{Opened, SectionKind},
    segment::{ReadWords, WORD},
    sync::{Ordering, fence},
};
use std::net::IpAddr;

const ATTEMPTS: usize = 64;

/// The sections of one shard.
#[derive(Debug, Clone)]
pub struct HostsReader {
    slots: ReadWords,
    details: ReadWords,
    names: ReadWords,
    totals: ReadWords,
    interfaces: ReadWords,
}

/// A copy of a host's slot and detail.
#[derive(Debug, Clone)]
pub struct HostRead {
    /// The slot.
    pub(super) words: [u64; HOST_WORDS],
    pub(super) identity: Identity,
    /// The detail, if it has one.
    pub(super) detail: Option<Box<[u64]>>,
}

/// A copy of a total.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TotalRead {
    /// Whose it is.
    pub key: TotalKey,
    /// Flows begun.
    pub flows: u64,
    /// Flows live.
    pub live: u64,
    /// Bytes and packets: client to server, and back; of networks: sent and received.
    pub share: Share,
    /// First report, Unix nanoseconds.
    pub first_ns: u64,
    /// Last packet.
    pub last_ns: u64,
    /// Throughput, both directions.
    pub rate: Rate,
    /// The ways to servers and back.
    pub server_delay: Latencies,
    /// The ways to clients and back.
    pub client_delay: Latencies,
    /// What servers took to answer.
    pub answers: Latencies,
}

impl TotalRead {
    /// Adds the same total of another shard.
    pub fn merge(&mut self, other: &Self) {
        self.flows += other.flows;
        self.live += other.live;
        add_share(&mut self.share, &other.share);
        self.first_ns = super::merge::earlier(self.first_ns, other.first_ns);
        self.last_ns = self.last_ns.max(other.last_ns);
        self.rate.merge(&other.rate);
        self.server_delay.merge(&other.server_delay);
        self.client_delay.merge(&other.client_delay);
        self.answers.merge(&other.answers);
    }
}

pub(super) fn add_share(mine: &mut Share, theirs: &Share) {
    for way in 0..2 {
        mine.bytes[way] = mine.bytes[way].wrapping_add(theirs.bytes[way]);
        mine.packets[way] = mine.packets[way].wrapping_add(theirs.packets[way]);
    }
}

/// A copy of a learned name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NameRead {
    /// The address.
    pub address: IpAddr,
    /// Where it was seen.
    pub source: NameSource,
    /// When it was last seen.
    pub seen_ns: u64,
    /// The name, lossily as UTF-8.
    pub name: String,
}

/// A copy of an interface's row.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Interface {
    /// Its number within the shard's source.
    pub index: usize,
    /// Frames.
    pub frames: u64,
    /// Bytes on the wire.
    pub bytes: u64,
    /// Time of the first frame.
    pub first_ns: u64,
    /// Time of the newest frame.
    pub last_ns: u64,
    /// Throughput.
    pub rate: Rate,
    /// Most bytes of a millisecond (2^20 ns) within the newest bucket, the one before, and ever.
    pub bursts: [u64; 3],
    /// When the greatest burst was.
    pub burst_at_ns: u64,
}

impl HostsReader {
    pub(crate) fn new(segment: &Opened) -> Result<Self, Error> {
        Ok(Self {
            slots: segment.words(SectionKind::Hosts, super::HOST_BYTES)?,
            details: segment.words(SectionKind::HostDetails, super::DETAIL_BYTES)?,
            names: segment.words(SectionKind::HostNames, super::NAME_BYTES)?,
            totals: segment.words(SectionKind::Totals, super::TOTAL_BYTES)?,
            interfaces: segment.words(SectionKind::Interfaces, super::INTERFACE_BYTES)?,
        })
    }

    /// Places for hosts; 0 where the engine keeps none.
    pub fn room(&self) -> usize {
        self.slots.len() / HOST_WORDS
    }

    /// The host in this place; none if it is free or changed under every attempt to copy it.
    pub fn host(&self, index: usize) -> Option<HostRead> {
        let base = index.checked_mul(HOST_WORDS)?;
        if self.slots.load(base.checked_add(slot::IDENTITY)?) == 0 {
            return None;
        }
        consistent(&self.slots, base, |version| {
            let mut words: [u64; HOST_WORDS] =
                std::array::from_fn(|word| self.slots.load(base + word));
            words[0] = version;
            let identity = Identity::unpack(words[slot::IDENTITY]);
            let place = (version >> 32).checked_sub(1).and_then(|at| usize::try_from(at).ok());
            let detail = place.and_then(|place| self.detail(place));
            identity.map(|identity| HostRead { words, identity, detail })
        })?
    }

    fn detail(&self, place: usize) -> Option<Box<[u64]>> {
        let base = place.checked_mul(DETAIL_WORDS)?;
        let end = base.checked_add(DETAIL_WORDS)?;
        (end <= self.details.len()).then(|| (base..end).map(|at| self.details.load(at)).collect())
    }

    /// Every host.
    pub fn hosts(&self) -> impl Iterator<Item = HostRead> + '_ {
        (0..self.room()).filter_map(|index| self.host(index))
    }

    /// Every total that has a name.
    pub fn totals(&self) -> impl Iterator<Item = TotalRead> + '_ {
        (0..self.totals.len() / TOTAL_WORDS).filter_map(|index| self.total(index))
    }

    fn total(&self, index: usize) -> Option<TotalRead> {
        let base = index * TOTAL_WORDS;
        if self.totals.load(base + total::KEY) == 0 {
            return None;
        }
        consistent(&self.totals, base, |_| {
            let words: [u64; TOTAL_WORDS] =
                std::array::from_fn(|word| self.totals.load(base + word));
            let network = [words[total::NETWORK], words[total::NETWORK + 1]];
            let [server_delay, client_delay, answers] =
                total::LATENCIES.map(|at| Latencies::of(&words[at..]));
            Some(TotalRead {
                key: TotalKey::unpack(words[total::KEY], network)?,
                flows: words[total::FLOWS],
                live: words[total::LIVE],
                share: Share {
                    bytes: [words[total::BYTES], words[total::BYTES + 1]],
                    packets: [words[total::PACKETS], words[total::PACKETS + 1]],
                },
                first_ns: words[total::FIRST_NS],
                last_ns: words[total::LAST_NS],
                rate: Rate::of(&words[total::RATE..]),
                server_delay,
                client_delay,
                answers,
            })
        })?
    }

    /// Every learned name.
    pub fn names(&self) -> impl Iterator<Item = NameRead> + '_ {
        (0..self.names.len() / write::NAME_WORDS).filter_map(|index| self.name(index))
    }

    fn name(&self, index: usize) -> Option<NameRead> {
        let base = index * write::NAME_WORDS;
        let load = |word: usize| self.names.load(base + word);
        if load(write::NAME_SEEN_NS) == 0 {
            return None;
        }
        consistent(&self.names, base, |_| {
            let [length, source, ..] = load(write::NAME_HEAD).to_le_bytes();
            let text = (write::NAME_TEXT..write::NAME_WORDS).map(load);
            let address = [load(write::NAME_ADDRESS), load(write::NAME_ADDRESS + 1)];
            Some(NameRead {
                address: address_of(address),
                source: NameSource::from_raw(source)?,
                seen_ns: load(write::NAME_SEEN_NS),
                name: text_of(text, length.into()),
            })
        })?
    }

    /// Every interface that had frames.
    pub fn interfaces(&self) -> impl Iterator<Item = Interface> + '_ {
        (0..self.interfaces.len() / INTERFACE_WORDS).filter_map(|index| self.interface(index))
    }

    fn interface(&self, index: usize) -> Option<Interface> {
        let base = index * INTERFACE_WORDS;
        consistent(&self.interfaces, base, |_| {
            let words: [u64; INTERFACE_WORDS] =
                std::array::from_fn(|word| self.interfaces.load(base + word));
            (words[total::FRAMES] != 0).then(|| Interface {
                index,
                frames: words[total::FRAMES],
                bytes: words[total::WIRE_BYTES],
                first_ns: words[total::BEGAN_NS],
                last_ns: words[total::ENDED_NS],
                rate: Rate::of(&words[total::THROUGHPUT..]),
                bursts: [
                    words[total::BURST_NOW],
                    words[total::BURST_LAST],
                    words[total::BURST_MOST],
                ],
                burst_at_ns: words[total::BURST_AT_NS],
            })
        })?
    }
}

impl HostRead {
    /// The address.
    pub fn address(&self) -> IpAddr {
        address_of([self.words[slot::ADDRESS], self.words[slot::ADDRESS + 1]])
    }

    /// What it is.
    pub fn kind(&self) -> HostKind {
        self.identity.kind
    }

    /// A word of the detail; 0 where there is none.
    pub(super) fn detail_word(&self, at: usize) -> u64 {
        self.detail.as_ref().and_then(|words| words.get(at)).copied().unwrap_or_default()
    }

    pub(super) fn text(&self, text: super::Text) -> Vec<u8> {
        let place = text.place();
        let length = usize::try_from(self.detail_word(place)).unwrap_or(0).min(64);
        bytes_of((1..9).map(|word| self.detail_word(place + word)), length)
    }

    pub(super) fn asked_for(&self) -> Vec<(String, u64)> {
        let one = |at: usize| {
            let place = detail::NAME_VALUES + at * detail::NAME_WORDS;
            let head = self.detail_word(place);
            let length = usize::try_from(head >> 32).unwrap_or(0);
            let text = (1..detail::NAME_WORDS).map(|word| self.detail_word(place + word));
            (text_of(text, length), head & 0xffff_ffff)
        };
        let used = |at: &usize| self.detail_word(detail::NAME_KEYS + at) != 0;
        (0..super::NAMES).filter(used).map(one).collect()
    }
}

/// What `read` makes of words whose version, the one at `base`, is even and stays.
fn consistent<T>(words: &ReadWords, base: usize, mut read: impl FnMut(u64) -> T) -> Option<T> {
    for _ in 0..ATTEMPTS {
        let version = words.load(base);
        if version & 1 == 0 {
            // Pairs with the release store of `commit`.
            fence(Ordering::Acquire);
            let found = read(version);
            // Pairs with the release fence of `begin`.
            fence(Ordering::Acquire);
            if words.load(base) == version {
                return Some(found);
            }
        }
        crate::sync::pause();
    }
    None
}

pub(super) fn address_of(words: [u64; 2]) -> IpAddr {
    let mut bytes = [0; 16];
    for (half, word) in bytes.chunks_exact_mut(WORD).zip(words) {
        half.copy_from_slice(&word.to_ne_bytes());
    }
    IpAddr::from(bytes).to_canonical()
}

fn bytes_of(words: impl Iterator<Item = u64>, length: usize) -> Vec<u8> {
    let mut bytes: Vec<u8> = words.flat_map(u64::to_le_bytes).collect();
    bytes.truncate(length);
    bytes
}

fn text_of(words: impl Iterator<Item = u64>, length: usize) -> String {
    String::from_utf8_lossy(&bytes_of(words, length)).into_owned()
}
