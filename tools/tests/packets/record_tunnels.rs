//! Which flow a packet is of, and which hosts a frame is about: without an engine the same as with one,
//! in tunnels too, and with an index the same as without.

use std::collections::BTreeSet;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::path::{Path, PathBuf};

use serde_json::Value;
use weir_tests::programs;
use weir_tests::traffic::attacks::Scene;
use weir_tests::traffic::packet::{
    Around, End, Segment, ethernet, frame, ip, ipv4, summed, tcp, udp,
};
use weir_tests::traffic::{self, Traffic};

use crate::engine::{Engine, output, source, weir};
use crate::record::{community_id, extract, files, record, tcpdump};

const START_NS: u64 = 1_700_000_000_000_000_000;
/// Where tunnels begin and end.
const OUTER: [Ipv4Addr; 2] = [Ipv4Addr::new(192, 0, 2, 1), Ipv4Addr::new(192, 0, 2, 2)];

/// A way to wrap an IP packet into a frame.
type Wrap = fn(&[u8]) -> Vec<u8>;

/// What the engine looks into, by the name that it has for the tunnel.
const WRAPS: &[(&str, Wrap)] = &[
    ("gre", |inner| frame(Around::Gre, inner)),
    ("vxlan", |inner| frame(Around::Vxlan, inner)),
    ("gtp-u", |inner| frame(Around::GtpU, inner)),
    ("4in4", |inner| outer(4, inner)),
    ("6in4", |inner| outer(41, inner)),
    ("4in6", |inner| {
        let [near, far] = OUTER.map(|address| address.to_ipv6_compatible().into());
        ethernet(&[], 0x86dd, &ip(near, far, 4, inner))
    }),
    ("gre", |inner| {
        outer(
            47,
            &[&[0, 0, 0x65, 0x58], &ethernet(&[(0x8100, 9)], kind(inner), inner)[..]].concat(),
        )
    }),
    ("gre", |inner| {
        let within = [&[0, 0, 8, 0][..], inner].concat();
        outer(4, &ip(OUTER[1].into(), OUTER[0].into(), 47, &within))
    }),
    ("", |inner| ethernet(&[], 0x8847, &[&[0, 1, 0, 64, 0, 2, 1, 64], inner].concat())),
    ("", |inner| {
        let bytes = u16::try_from(inner.len() + 2).unwrap().to_be_bytes();
        let protocol = if kind(inner) == 0x0800 { [0, 0x21] } else { [0, 0x57] };
        ethernet(&[], 0x8864, &[&[0x11, 0, 0, 1], &bytes[..], &protocol, inner].concat())
    }),
    ("", |inner| frame(Around::QinQ(5, 7), inner)),
];

fn kind(inner: &[u8]) -> u16 {
    if inner[0] >> 4 == 4 { 0x0800 } else { 0x86dd }
}

fn outer(protocol: u8, inner: &[u8]) -> Vec<u8> {
    ethernet(&[], 0x0800, &ip(OUTER[0].into(), OUTER[1].into(), protocol, inner))
}

/// Both directions of flows between two hosts, whole and in pieces.
fn talk(a: IpAddr, b: IpAddr) -> Vec<Vec<u8>> {
    let [one, other] = [(a, 4000), (b, 53)].map(|(address, port)| End { address, port });
    let segment = Segment { sequence: 1, acknowledgement: 0, flags: 2 };
    let mut packets = vec![
        udp(one, other, b"a question"),
        udp(other, one, b"an answer"),
        tcp(one, other, segment, b""),
        tcp(other, one, Segment { flags: 0x12, ..segment }, b""),
    ];
    if let (IpAddr::V4(a), IpAddr::V4(b)) = (a, b) {
        for (from, to, kind) in [(one, other, 8), (other, one, 0)] {
            packets.push(summed(from, to, 1, 2, &[kind, 0, 0, 0, 0, 1, 0, 1, 1, 2, 3, 4]));
        }
        let datagram = [&[0, 1, 0, 2, 0, 48, 0, 0][..], &[7; 40]].concat();
        packets.push(ipv4(a, b, 17, [0x20, 0], 5, &datagram[..24]));
        packets.push(ipv4(a, b, 17, [0, 3], 5, &datagram[24..]));
        let echo = [&[0, 0, 0, 0, 0, 1, 0, 2][..], &[7; 40]].concat();
        packets.push(ipv4(b, a, 1, [0x20, 0], 6, &echo[..24]));
        packets.push(ipv4(b, a, 1, [0, 3], 6, &echo[24..]));
    }
    packets
}

/// Hosts that talk to each other in each kind of tunnel, a pair for each.
fn tunnels() -> Traffic {
    let mut traffic = Traffic::default();
    for (number, (name, wrap)) in (0_u8..).zip(WRAPS) {
        let v4 = |last| IpAddr::from(Ipv4Addr::new(10, 7, number, last));
        let v6 = |last| IpAddr::from(Ipv6Addr::new(0x2001, 0xdb8, 0, number.into(), 0, 0, 0, last));
        let is_v6 = *name == "6in4";
        let packets = if is_v6 { talk(v6(1), v6(2)) } else { talk(v4(1), v4(2)) };
        traffic.frames.extend(packets.iter().map(|packet| (0, wrap(packet))));
    }
    for (number, (time, _)) in (0..).zip(&mut traffic.frames) {
        *time = START_NS + number * 1_000_000;
    }
    traffic
}

/// The packets of a file three times: recorded beside an engine, recorded without one, and as the file
/// alone, without an index. And the flows that the engine saw.
struct Seen {
    dirs: [PathBuf; 3],
    flows: Vec<Value>,
}

impl Seen {
    fn new(folder: &Path, traffic: &Traffic) -> Seen {
        let [live, offline, alone] = ["live", "offline", "alone"].map(|name| folder.join(name));
        std::fs::create_dir(&alone).unwrap();
        let (file, told) = (alone.join("file.pcap"), folder.join("flows.json"));
        traffic.write(&file).unwrap();
        let arguments = ["--wait-for-readers", "--flows", told.to_str().unwrap()];
        let engine = Engine::start(&source(&file), &arguments);
        output(engine.command(&["record"]).arg("--dir").arg(&live));
        assert!(engine.end(false).status.success());
        record(&file, &offline, &[]);
        let told = std::fs::read_to_string(told).unwrap();
        let flows = told.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        Seen { dirs: [live, offline, alone], flows }
    }

    /// The values of a field of the flows, each once.
    fn all(&self, field: &str) -> BTreeSet<String> {
        let text = |flow: &Value| flow[field].as_str().unwrap_or_default().to_owned();
        self.flows.iter().map(text).collect()
    }

    /// The community ids that the flow table told of.
    fn ids(&self) -> BTreeSet<String> {
        let mut ids = self.all("community_id");
        ids.remove("");
        ids
    }

    /// What is found by these arguments, which is everywhere the same.
    fn found(&self, arguments: &[&str]) -> Vec<(u64, Vec<u8>)> {
        let [live, offline, alone] = self.dirs.each_ref().map(|dir| extract(dir, arguments));
        assert!(live == offline, "{arguments:?}: {} and {} packets", live.len(), offline.len());
        assert!(live == alone, "{arguments:?}: {} and {} packets", live.len(), alone.len());
        live
    }
}

#[test]
fn flows_in_tunnels_are_those_of_the_engine() {
    let folder = tempfile::tempdir().unwrap();
    let traffic = tunnels();
    let seen = Seen::new(folder.path(), &traffic);
    let known: BTreeSet<String> = WRAPS.iter().map(|(name, _)| (*name).to_owned()).collect();
    assert_eq!(seen.all("tunnel"), known);
    let mut ids = seen.ids();
    for (number, _) in (0_u8..).zip(WRAPS).filter(|(_, (name, _))| *name != "6in4") {
        // Of these the flow table does not tell any.
        let host = |last| [10, 7, number, last];
        ids.insert(community_id(1, (host(1), 8), (host(2), 0)));
    }
    let mut packets = 0;
    for id in ids {
        let found = seen.found(&["--community-id", &id]);
        assert!(!found.is_empty(), "{id}");
        packets += found.len();
    }
    assert_eq!(packets, traffic.frames.len(), "each is of one flow");
    let file = seen.dirs[2].join("file.pcap");
    for (number, host) in seen.all("src_ip").union(&seen.all("dst_ip")).enumerate() {
        let found = seen.found(&["--host", host]);
        assert!(found.len() >= 4, "{host}");
        let dir = folder.path().join(format!("host{number}"));
        record(&file, &dir, &["--host", host]);
        assert!(extract(&dir, &[]) == found, "{host}");
    }
    // Where tunnels end is no end of a flow.
    let outer = OUTER[0].to_string();
    assert_eq!(seen.found(&["--host", &outer]), []);
    record(&file, &folder.path().join("outer"), &["--host", &outer]);
    assert!(files(&folder.path().join("outer")).is_empty());
}

#[test]
fn flows_of_mixed_traffic_are_those_of_the_engine() {
    let folder = tempfile::tempdir().unwrap();
    let seen = Seen::new(folder.path(), &traffic::mixed(300, 3));
    let ids = seen.ids();
    assert!(ids.len() > 200 && seen.all("tunnel").len() > 3);
    for id in ids.iter().step_by(10) {
        assert!(!seen.found(&["--community-id", id]).is_empty(), "{id}");
    }
    // Some of its frames are broken, and of no flow.
    assert!(seen.found(&["--host", "10.9.9.9"]).len() > 2);
}

#[test]
fn arp_about_a_host_is_found_with_an_index_and_without() {
    let test = "arp_about_a_host_is_found_with_an_index_and_without";
    if programs::find(test, "tcpdump").is_none() {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let [host, gateway] = [2, 1].map(|last| Ipv4Addr::new(10, 1, 0, last));
    let mut scene = Scene::default();
    for number in 0..20_u8 {
        let time_ns = START_NS + u64::from(number) * 1_000_000_000;
        let other = Ipv4Addr::new(10, 1, 0, 10 + number);
        scene.arp(time_ns, 1, ([2, 0, 0, 0, 0, 2], host), gateway);
        scene.arp(time_ns + 1, 2, ([2, 0, 0, 0, 0, 1], gateway), host);
        scene.arp(time_ns + 2, 1, ([2, 0, 0, 0, 0, 3], other), gateway);
        scene.echo(time_ns + 3, host, gateway, 8);
        scene.echo(time_ns + 4, gateway, host, 0);
    }
    let seen = Seen::new(folder.path(), &scene.traffic());
    let file = seen.dirs[2].join("file.pcap");
    let look = || {
        for (host, packets) in [("10.1.0.2", 80), ("10.1.0.1", 100), ("10.1.0.12", 1)] {
            let found = seen.found(&["--host", host]);
            assert_eq!(found.len(), packets);
            assert!(found == tcpdump(&file, &format!("host {host}")), "{host}");
            assert!(seen.found(&["--host", host, "--no-index"]) == found, "{host}");
        }
        let net = seen.found(&["--host", "10.1.0.16/28"]);
        assert!(net == tcpdump(&file, "net 10.1.0.16/28") && net.len() == 14);
        // ARP is of no application, and of no flow.
        let found = extract(&seen.dirs[0], &["--host", "10.1.0.2", "--app", "ICMP"]);
        assert!(found == tcpdump(&file, "icmp"));
        let id = community_id(1, (host.octets(), 8), (gateway.octets(), 0));
        assert!(seen.found(&["--community-id", &id]) == tcpdump(&file, "icmp"));
    };
    look();
    let made = output(weir(&["index", "--force"]).args(&seen.dirs));
    assert!(made.starts_with("3 files, 3 indexed now"), "{made}");
    look();
    let dir = folder.path().join("host");
    record(&file, &dir, &["--host", "10.1.0.2"]);
    assert!(extract(&dir, &[]) == tcpdump(&file, "host 10.1.0.2"));
}
