//! The hosts of all shards as one list, and the devices that their addresses belong to.

use super::detail::{self, ENTRY, PEER_ADDRESSES, TOPS, Text, Top};
use super::latency::LATENCY_WORDS;
use super::read::{HostRead, HostsReader, Interface, NameRead, TotalRead, add_share, address_of};
use super::{HostKind, Latencies, NameSource, Rate, Segments, Share, TotalKey, os, slot};
use std::collections::{BTreeMap, HashMap};
use std::net::IpAddr;

/// An entry of a host's list.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Counted {
    /// Bytes that the host sent and received.
    pub bytes: [u64; 2],
    /// Bytes that there may have been besides.
    pub error: u64,
    /// Flows.
    pub flows: u64,
}

impl Counted {
    /// Bytes, both ways.
    pub fn all(&self) -> u64 {
        self.bytes[0].saturating_add(self.bytes[1])
    }

    fn merge(&mut self, other: &Self) {
        self.bytes[0] += other.bytes[0];
        self.bytes[1] += other.bytes[1];
        self.error += other.error;
        self.flows += other.flows;
    }
}

/// A peer: who.
pub type PeerOf = IpAddr;

/// A port that is of use: on the host itself, or elsewhere.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PortOf {
    /// The host is the server.
    pub is_server: bool,
    /// IP protocol number.
    pub l4: u8,
    /// The server's port.
    pub port: u16,
    /// The application found there.
    pub app: u16,
}

impl PortOf {
    /// The key in a detail's list.
    #[inline(always)]
    pub fn key(self) -> u64 {
        1 << 63
            | u64::from(self.is_server) << 40
            | u64::from(self.l4) << 32
            | u64::from(self.app) << 16
            | u64::from(self.port)
    }

    fn of(key: u64) -> Self {
        let [a, b, c, d, l4, side, ..] = key.to_le_bytes();
        let (port, app) = (u16::from_le_bytes([a, b]), u16::from_le_bytes([c, d]));
        Self { is_server: side & 1 == 1, l4, port, app }
    }
}

/// A name of an address.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LearnedName {
    /// The name.
    pub name: String,
    /// Where it was seen.
    pub source: NameSource,
}

/// A host, over all shards.
#[derive(Debug, Clone)]
#[expect(missing_docs, reason = "names of what docs/SHM_FORMAT.md describes")]
pub struct Host {
    pub address: IpAddr,
    pub kind: HostKind,
    pub share: Share,
    pub flows_as_client: u64,
    pub flows_as_server: u64,
    pub flows_live: u64,
    pub first_ns: u64,
    pub last_ns: u64,
    pub rate: Rate,
    /// Whether anything below but `names` is kept of it.
    pub detailed: bool,
    /// Six bytes; 0 where it is not known.
    pub mac: u64,
    pub os: Option<&'static str>,
    pub syn: Option<os::Syn>,
    /// TCP flows that ended, as client and as server.
    pub tcp_flows: [u64; 2],
    /// Those of them whose handshake came to nothing.
    pub tcp_failed: [u64; 2],
    /// Flows that the host reset, and that its peers did.
    pub resets: [u64; 2],
    pub dhcp_name: String,
    pub dhcp_class: String,
    pub dhcp_options: Vec<u8>,
    pub netbios_name: String,
    pub mdns_name: String,
    pub apps: BTreeMap<u16, Counted>,
    pub peers: BTreeMap<PeerOf, Counted>,
    pub ports: BTreeMap<PortOf, Counted>,
    /// How long its servers took to answer it, and it to answer its clients.
    pub answers: [Latencies; 2],
    /// The way to it and back.
    pub delay: Latencies,
    /// What happened to TCP segments that it sent, and to those that it received; [`Segments::NAMES`].
    pub segments: [[u64; Segments::KINDS]; 2],
    /// Names of servers that it asked for, and how often.
    pub asked_for: BTreeMap<String, u64>,
    pub names: Vec<LearnedName>,
}

impl Host {
    fn of(read: &HostRead) -> Self {
        let word = |at: usize| read.words[at];
        let detail = |at: usize| read.detail_word(at);
        let text = |text| String::from_utf8_lossy(&read.text(text)).into_owned();
        let syn = os::Syn::of(detail(detail::SYN), detail(detail::SYN_OPTIONS));
        let latencies = |at: usize| {
            let words = read.detail.as_ref().and_then(|words| words.get(at..at + LATENCY_WORDS));
            words.map(Latencies::of).unwrap_or_default()
        };
        let segments = |high: u32| {
            std::array::from_fn(|kind| detail(detail::SEGMENTS + kind) >> high & 0xffff_ffff)
        };
        Self {
            address: read.address(),
            kind: read.kind(),
            share: Share {
                bytes: [word(slot::BYTES), word(slot::BYTES + 1)],
                packets: [word(slot::PACKETS), word(slot::PACKETS + 1)],
            },
            flows_as_client: word(slot::FLOWS) & 0xffff_ffff,
            flows_as_server: word(slot::FLOWS) >> 32,
            flows_live: word(slot::LIVE),
            first_ns: word(slot::FIRST_NS),
            last_ns: word(slot::LAST_NS),
            rate: Rate::of(&read.words[slot::RATE..]),
            detailed: read.detail.is_some(),
            mac: detail(detail::MAC),
            os: syn.and_then(|syn| syn.guess()),
            syn,
            tcp_flows: [detail(detail::TCP_FLOWS), detail(detail::TCP_FLOWS + 1)],
            tcp_failed: [detail(detail::TCP_FAILED), detail(detail::TCP_FAILED + 1)],
            resets: [detail(detail::RESETS), detail(detail::RESETS + 1)],
            dhcp_name: text(Text::DhcpName),
            dhcp_class: text(Text::DhcpClass),
            dhcp_options: read.text(Text::DhcpOptions),
            netbios_name: text(Text::NetBios),
            mdns_name: text(Text::Mdns),
            apps: entries(read, Top::Apps, |_, key| low(key.wrapping_sub(1))).collect(),
            peers: entries(read, Top::Peers, |at, _| {
                let words = PEER_ADDRESSES + at * 2;
                address_of([read.detail_word(words), read.detail_word(words + 1)])
            })
            .collect(),
            ports: entries(read, Top::Ports, |_, key| PortOf::of(key)).collect(),
            answers: [0, LATENCY_WORDS].map(|side| latencies(detail::LATENCY + side)),
            delay: latencies(detail::DELAY),
            segments: [segments(0), segments(32)],
            asked_for: read.asked_for().into_iter().collect(),
            names: Vec::new(),
        }
    }

    /// Adds what another shard knows of the same address.
    fn merge(&mut self, other: Self) {
        add_share(&mut self.share, &other.share);
        self.kind = self.kind.max(other.kind);
        self.flows_as_client += other.flows_as_client;
        self.flows_as_server += other.flows_as_server;
        self.flows_live += other.flows_live;
        self.first_ns = earlier(self.first_ns, other.first_ns);
        self.last_ns = self.last_ns.max(other.last_ns);
        self.rate.merge(&other.rate);
        self.detailed |= other.detailed;
        self.mac = if self.mac == 0 { other.mac } else { self.mac };
        self.os = self.os.or(other.os);
        self.syn = self.syn.or(other.syn);
        for side in 0..2 {
            self.tcp_flows[side] += other.tcp_flows[side];
            self.tcp_failed[side] += other.tcp_failed[side];
            self.resets[side] += other.resets[side];
            self.answers[side].merge(&other.answers[side]);
            for (mine, more) in self.segments[side].iter_mut().zip(other.segments[side]) {
                *mine += more;
            }
        }
        self.delay.merge(&other.delay);
        let texts = [
            (&mut self.dhcp_name, other.dhcp_name),
            (&mut self.dhcp_class, other.dhcp_class),
            (&mut self.netbios_name, other.netbios_name),
            (&mut self.mdns_name, other.mdns_name),
        ];
        for (mine, theirs) in texts.into_iter().filter(|(mine, _)| mine.is_empty()) {
            *mine = theirs;
        }
        if self.dhcp_options.is_empty() {
            self.dhcp_options = other.dhcp_options;
        }
        other.apps.iter().for_each(|(key, more)| self.apps.entry(*key).or_default().merge(more));
        other.peers.iter().for_each(|(key, more)| self.peers.entry(*key).or_default().merge(more));
        other.ports.iter().for_each(|(key, more)| self.ports.entry(*key).or_default().merge(more));
        for (name, count) in other.asked_for {
            *self.asked_for.entry(name).or_default() += count;
        }
    }

    /// What it is best called: by its own word, then by what others call it. Empty: nothing is known.
    pub fn name(&self) -> &str {
        let own = [&self.dhcp_name, &self.mdns_name, &self.netbios_name];
        let own = own.into_iter().find(|name| !name.is_empty()).map(String::as_str);
        own.or_else(|| self.names.first().map(|name| name.name.as_str())).unwrap_or_default()
    }
}

fn entries<'a, K>(
    read: &'a HostRead,
    list: Top,
    key_of: impl Fn(usize, u64) -> K + 'a,
) -> impl Iterator<Item = (K, Counted)> + 'a {
    let keys = list as usize;
    (0..TOPS).filter(move |at| read.detail_word(keys + at) != 0).map(move |at| {
        let entry = keys + TOPS + at * ENTRY;
        let word = |word: usize| read.detail_word(entry + word);
        let counted = Counted { bytes: [word(0), word(1)], error: word(2), flows: word(3) };
        (key_of(at, read.detail_word(keys + at)), counted)
    })
}

fn low(key: u64) -> u16 {
    let [a, b, ..] = key.to_le_bytes();
    u16::from_le_bytes([a, b])
}

/// The earlier of two times, of which 0 is none.
pub(super) fn earlier(a: u64, b: u64) -> u64 {
    if a == 0 || b == 0 { a.max(b) } else { a.min(b) }
}

/// A device: addresses that share a hardware address.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Device {
    /// The hardware address.
    pub mac: u64,
    /// Its addresses, lower first.
    pub addresses: Vec<IpAddr>,
}

/// More IPv4 addresses than this behind one hardware address are those behind a router.
const MOST_V4: usize = 4;

/// Everything, over all shards.
#[derive(Debug, Clone, Default)]
pub struct Hosts {
    /// Hosts by address.
    pub hosts: BTreeMap<IpAddr, Host>,
    /// Totals by what they are of.
    pub totals: BTreeMap<TotalKey, TotalRead>,
    /// Interfaces, with the number of the shard.
    pub interfaces: Vec<(u16, Interface)>,
}

impl Hosts {
    /// Local hosts by hardware address. One with many IPv4 addresses is a router and no device.
    pub fn devices(&self) -> BTreeMap<u64, Device> {
        let mut devices: BTreeMap<u64, Device> = BTreeMap::new();
        for host in self.hosts.values().filter(|host| host.mac != 0) {
            let new = || Device { mac: host.mac, addresses: Vec::new() };
            devices.entry(host.mac).or_insert_with(new).addresses.push(host.address);
        }
        let v4 = |device: &Device| device.addresses.iter().filter(|it| it.is_ipv4()).count();
        devices.retain(|_, device| v4(device) <= MOST_V4);
        devices
    }

    /// The totals of applications, most bytes first.
    pub fn apps(&self) -> Vec<(u16, &TotalRead)> {
        let app = |(key, total)| match key {
            &TotalKey::App(id) => Some((id, total)),
            _ => None,
        };
        let mut apps: Vec<(u16, &TotalRead)> = self.totals.iter().filter_map(app).collect();
        apps.sort_by_key(|(id, total)| (std::cmp::Reverse(total.share.all_bytes()), *id));
        apps
    }
}

/// Puts the shards together.
pub fn merge<'a>(shards: impl IntoIterator<Item = (u16, &'a HostsReader)>) -> Hosts {
    let mut all = Hosts::default();
    let mut names: HashMap<IpAddr, Vec<NameRead>> = HashMap::new();
    for (shard, reader) in shards {
        for read in reader.hosts() {
            let host = Host::of(&read);
            match all.hosts.get_mut(&host.address) {
                Some(known) => known.merge(host),
                None => drop(all.hosts.insert(host.address, host)),
            }
        }
        for total in reader.totals() {
            match all.totals.get_mut(&total.key) {
                Some(known) => known.merge(&total),
                None => drop(all.totals.insert(total.key, total)),
            }
        }
        for name in reader.names() {
            names.entry(name.address).or_default().push(name);
        }
        all.interfaces.extend(reader.interfaces().map(|row| (shard, row)));
    }
    for (address, mut known) in names {
        let Some(host) = all.hosts.get_mut(&address) else { continue };
        // What a client named last comes first: that is what it wanted.
        known.sort_by_key(|name| (name.source, std::cmp::Reverse(name.seen_ns)));
        known.dedup_by(|a, b| a.name == b.name);
        let learned = |name: NameRead| LearnedName { name: name.name, source: name.source };
        host.names = known.into_iter().map(learned).collect();
    }
    all
}
