//! Hosts: what they came to is what flows came to, whoever had to leave; and what is known of them.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr};

use weir_engine::books::Count;
use weir_engine::engine::Report;
use weir_shm::hosts::{Host, HostKind, Hosts, Latencies, NameSource, Share, TotalKey};
use weir_tests::seen;
use weir_tests::traffic::attacks;
use weir_tests::traffic::connection::{self, ACK, Connection};
use weir_tests::traffic::packet::{self, Around, End, Segment};
use weir_tests::traffic::{self, Expected, Traffic};

/// 2023-11-14, in nanoseconds.
const START_NS: u64 = 1_700_000_000_000_000_000;
const MS: u64 = 1_000_000;
const SECOND: u64 = 1_000_000_000;

fn run(traffic: &Traffic, settings: &[(&str, toml::Value)]) -> (Hosts, Report) {
    let file = tempfile::NamedTempFile::new().unwrap();
    traffic.write(file.path()).unwrap();
    let (hosts, report) =
        seen::hosts(&format!("pcap:{}", file.path().display()), settings).unwrap();
    assert!(report.balanced());
    (hosts, report)
}

/// What hosts must have come to.
fn expected(flows: &[Expected]) -> BTreeMap<IpAddr, Share> {
    let mut all: BTreeMap<IpAddr, Share> = BTreeMap::new();
    for flow in flows {
        for (end, sent) in [(flow.client, 0), (flow.server, 1)] {
            let share = all.entry(end.address).or_default();
            share.bytes[0] += flow.bytes[sent];
            share.bytes[1] += flow.bytes[1 - sent];
            share.packets[0] += flow.packets[sent];
            share.packets[1] += flow.packets[1 - sent];
        }
    }
    all
}

fn sum<'a>(hosts: impl Iterator<Item = &'a Host>) -> [u64; 2] {
    hosts.fold([0, 0], |[sent, received], host| {
        [sent + host.share.bytes[0], received + host.share.bytes[1]]
    })
}

#[test]
fn hosts_are_the_sums_of_their_flows() {
    let traffic = traffic::mixed(1500, 3);
    for shards in [1, 3] {
        let (hosts, report) = run(&traffic, &[("engine.shards", shards.into())]);
        let shares = hosts.hosts.iter().map(|(address, host)| (*address, host.share));
        // Whom a DHCP message is about is known without a packet.
        let seen: BTreeMap<IpAddr, Share> =
            shares.filter(|(_, share)| *share != Share::default()).collect();
        for (address, share) in expected(&traffic.flows) {
            assert_eq!(seen.get(&address), Some(&share), "{address}, {shards} shards");
        }
        assert_eq!(seen.len(), expected(&traffic.flows).len());
        assert!(hosts.hosts.values().all(|host| host.flows_live == 0), "all flows have ended");
        let all = &hosts.totals[&TotalKey::All];
        assert_eq!((all.flows, all.live), (traffic.flows.len() as u64, 0));
        let rows = |of: fn(&TotalKey) -> bool| {
            let rows = hosts.totals.iter().filter(move |(key, _)| of(key));
            rows.fold([0; 2], |sum, (_, total)| {
                [sum[0] + total.share.bytes[0], sum[1] + total.share.bytes[1]]
            })
        };
        assert_eq!(rows(|key| matches!(key, TotalKey::App(_))), all.share.bytes);
        assert_eq!(rows(|key| matches!(key, TotalKey::Vlan(_))), all.share.bytes);
        for (app, total) in &report.apps {
            let row = &hosts.totals[&TotalKey::App(app.0)];
            let counts = (row.flows, row.share.packets.iter().sum::<u64>(), row.share.all_bytes());
            assert_eq!(counts, (total.flows, total.packets, total.bytes), "{app:?}");
        }
    }
}

#[test]
fn a_local_host_has_all_that_it_did() {
    let traffic = traffic::mixed(1500, 3);
    let (hosts, _) = run(&traffic, &[]);
    // A client sends first, so all is kept of it from its first packet on; there are fewer
    // applications than the list has places.
    let clients = hosts.hosts.values().filter(|host| host.detailed && host.flows_as_server == 0);
    for host in clients {
        let bytes: u64 = host.apps.values().map(|app| app.bytes[0] + app.bytes[1]).sum();
        assert_eq!(bytes, host.share.all_bytes(), "{}", host.address);
        let flows: u64 = host.apps.values().map(|app| app.flows).sum();
        assert_eq!(flows, host.flows_as_client, "{}", host.address);
    }
    assert!(hosts.hosts.values().any(|host| host.detailed), "some are local");
    let remote = hosts.hosts.values().filter(|host| host.kind == HostKind::Remote);
    assert!(remote.clone().count() > 0 && remote.into_iter().all(|host| !host.detailed));
}

#[test]
fn a_server_that_answers_late_has_its_flows_from_their_start() {
    let (client, server) = (end([10, 0, 0, 7], 41_000), end([10, 0, 0, 53], 53));
    let [question, answer] = dns(client, server, [93, 184, 215, 14]);
    let bytes = [&answer, &question].map(|frame| frame.len() as u64);
    // Others keep time going, so that the question is told long before the answer comes.
    let mut frames = vec![(START_NS, question)];
    frames.extend((1..90).map(|second| (START_NS + u64::from(second) * SECOND, stranger(second))));
    frames.push((START_NS + 90 * SECOND, answer));
    let traffic = Traffic { frames, ..Traffic::default() };
    let long = |key| (key, 900.into());
    let (hosts, _) = run(&traffic, &["flow.idle_s", "flow.local_idle_s"].map(long));
    let found = &hosts.hosts[&server.address];
    assert_eq!((found.share.bytes, found.flows_as_server), (bytes, 1));
    let listed = |bytes_of: Vec<([u64; 2], u64)>| assert_eq!(bytes_of, [(bytes, 1)]);
    listed(found.apps.values().map(|app| (app.bytes, app.flows)).collect());
    listed(found.peers.values().map(|peer| (peer.bytes, peer.flows)).collect());
    listed(found.ports.values().map(|port| (port.bytes, port.flows)).collect());
}

fn end(address: [u8; 4], port: u16) -> End {
    End { address: Ipv4Addr::from(address).into(), port }
}

/// A datagram from a remote host to a local one.
fn stranger(number: u32) -> Vec<u8> {
    let [a, b, c, _] = number.to_le_bytes();
    let from = end([100, c, b, a], 9);
    packet::frame(Around::Nothing, &packet::udp(from, end([10, 0, 0, 1], 9), &[1; 20]))
}

#[test]
fn a_flood_of_strangers_leaves_local_hosts_in_place() {
    const LOCAL: u16 = 100;
    const STRANGERS: u32 = 30_000;
    let mut traffic = Traffic::default();
    let mut bytes = 0;
    let mut push = |frame: Vec<u8>| {
        bytes += frame.len() as u64;
        let now_ns = START_NS + traffic.frames.len() as u64 * MS;
        traffic.frames.push((now_ns, frame));
    };
    let local = |number: u16| {
        let [a, b] = number.to_be_bytes();
        let (from, to) = (end([10, 1, a, b], 1000), end([10, 0, 0, 1], 53));
        packet::frame(Around::Nothing, &packet::udp(from, to, &[2; 30]))
    };
    (0..LOCAL).for_each(|number| push(local(number)));
    (0..STRANGERS).for_each(|number| push(stranger(number)));
    (0..LOCAL).for_each(|number| push(local(number)));
    let (hosts, report) = run(&traffic, &[("hosts.capacity", 1024.into())]);
    assert!(hosts.hosts.len() <= 1035, "{} are within the bound", hosts.hosts.len());
    let count = |count| report.books.get(count);
    assert!(count(Count::HostsEvictedRemote) > u64::from(STRANGERS) - 1035);
    assert_eq!(count(Count::HostsEvictedLocal), 0, "only strangers made room");
    let locals = hosts.hosts.values().filter(|host| host.kind == HostKind::Local);
    let of_two: Vec<u64> =
        locals.filter(|it| it.flows_as_client > 0).map(|it| it.share.packets[0]).collect();
    assert_eq!(of_two, vec![2; usize::from(LOCAL)], "each has all its packets");
    let [sent, received] = sum(hosts.hosts.values());
    assert_eq!(sent + count(Count::HostsEvictedSent), bytes, "nothing that was sent is lost");
    assert_eq!(received + count(Count::HostsEvictedReceived), bytes);
}

#[test]
fn local_hosts_without_room_keep_their_totals() {
    let mut traffic = Traffic::default();
    for number in 0..50_u8 {
        let (from, to) = (end([10, 0, 1, number], 1000), end([192, 0, 2, 1], 53));
        let frame = packet::frame(Around::Nothing, &packet::udp(from, to, &[2; 30]));
        // Ten in time to be kept; the others within five minutes, then one after they were silent.
        let at = if number == 49 { 2000 * SECOND } else { u64::from(number) * SECOND };
        traffic.frames.push((START_NS + at, frame));
    }
    let (hosts, report) = run(&traffic, &[("hosts.local_capacity", 10.into())]);
    assert_eq!(hosts.hosts.values().filter(|host| host.detailed).count(), 10);
    assert_eq!(report.books.get(Count::HostDetailsTaken), 1, "the last one took a silent one's");
    assert!(report.books.get(Count::HostDetailsFull) >= 39);
    assert!(hosts.hosts[&IpAddr::from([10, 0, 1, 49])].detailed);
}

/// A SYN as Linux sends it.
fn syn(from: End, to: End) -> Vec<u8> {
    let segment = Segment { sequence: 1, acknowledgement: 0, flags: 2 };
    let options = [2, 4, 5, 180, 4, 2, 8, 10, 0, 0, 0, 1, 0, 0, 0, 0, 1, 3, 3, 7];
    let mut packet = packet::tcp(from, to, segment, &options);
    packet[20 + 12] = 0xa0;
    packet::frame(Around::Nothing, &packet)
}

fn tcp(from: End, to: End, flags: u8) -> Vec<u8> {
    let segment = Segment { sequence: 1, acknowledgement: 2, flags };
    packet::frame(Around::Nothing, &packet::tcp(from, to, segment, &[]))
}

/// ARP: this hardware has this address.
fn arp(mac: [u8; 6], address: [u8; 4]) -> Vec<u8> {
    let mut message = vec![0, 1, 8, 0, 6, 4, 0, 2];
    message.extend(mac);
    message.extend(address);
    message.extend([0; 6]);
    message.extend([10, 0, 0, 1]);
    packet::ethernet(&[], 0x0806, &message)
}

/// A DHCP request with a name, a class and a list of options.
fn dhcp(mac: [u8; 6], address: [u8; 4]) -> Vec<u8> {
    let mut message = vec![1, 1, 6, 0, 1, 2, 3, 4];
    message.resize(28, 0);
    message.extend(mac);
    message.resize(236, 0);
    message.extend([0x63, 0x82, 0x53, 0x63, 53, 1, 3, 12, 6]);
    message.extend(b"laptop");
    message.extend([50, 4]);
    message.extend(address);
    message.extend([55, 4, 1, 3, 6, 15, 60, 8]);
    message.extend(b"MSFT 5.0");
    message.push(255);
    let (from, to) = (end([0; 4], 68), end([255; 4], 67));
    packet::frame(Around::Nothing, &packet::udp(from, to, &message))
}

/// A DNS question and its answer.
fn dns(from: End, server: End, address: [u8; 4]) -> [Vec<u8>; 2] {
    let name = b"\x03www\x07example\x03org\x00";
    let mut question = vec![0, 7, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0];
    question.extend(name);
    question.extend([0, 1, 0, 1]);
    let mut answer = question.clone();
    answer[2] = 0x81;
    answer[3] = 0x80;
    answer[7] = 1;
    answer.extend([0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 60, 0, 4]);
    answer.extend(address);
    let frame = |packet: Vec<u8>| packet::frame(Around::Nothing, &packet);
    [frame(packet::udp(from, server, &question)), frame(packet::udp(server, from, &answer))]
}

#[test]
fn what_a_device_says_of_itself_is_known() {
    let mac = [0xb8, 0x27, 0xeb, 1, 2, 3];
    let (host, server) = ([10, 0, 0, 7], end([93, 184, 215, 14], 81));
    let mut traffic = Traffic::default();
    let mut now_ns = START_NS;
    let mut push = |frame: Vec<u8>| {
        traffic.frames.push((now_ns, frame));
        now_ns += 3 * MS;
    };
    push(arp(mac, host));
    push(dhcp(mac, host));
    let resolver = end([10, 0, 0, 53], 53);
    dns(end(host, 41_000), resolver, [93, 184, 215, 14]).into_iter().for_each(&mut push);
    let client = end(host, 40_000);
    push(syn(client, server));
    push(tcp(server, client, 0x12));
    push(syn(end(host, 40_001), server));
    push(tcp(server, end(host, 40_001), 0x14));
    push(tcp(client, server, 0x10));
    let v6 = attacks::v6(7);
    let mut scene = attacks::Scene::default();
    scene.neighbour(now_ns, (135, 0), (mac, v6), attacks::v6(1), attacks::v6(1));
    traffic.frames.extend(scene.traffic().frames);
    let (hosts, _) = run(&traffic, &[]);
    let found = &hosts.hosts[&IpAddr::from(host)];
    assert_eq!((found.kind, found.mac), (HostKind::Local, 0xb827_eb01_0203));
    assert_eq!((found.name(), found.dhcp_class.as_str()), ("laptop", "MSFT 5.0"));
    assert_eq!((found.dhcp_options.as_slice(), found.os), (&[1, 3, 6, 15][..], Some("Linux")));
    assert_eq!((found.tcp_flows, found.tcp_failed, found.resets), ([2, 0], [1, 0], [0, 1]));
    // The resolver's answer; and of the server the handshake, and the reset in place of one.
    assert_eq!(found.answers[0].count(), 1);
    let delays = &hosts.totals[&TotalKey::Remote].server_delay;
    for (latencies, count) in [(&found.answers[0], 1), (delays, 2)] {
        assert_eq!(latencies.count(), count);
        assert!((3 * MS..6 * MS).contains(&latencies.percentile(1000).unwrap()));
    }
    let peers: Vec<IpAddr> = found.peers.keys().copied().collect();
    assert!(peers.contains(&server.address) && peers.contains(&resolver.address));
    let named = &hosts.hosts[&server.address];
    assert_eq!(named.name(), "www.example.org");
    assert_eq!(named.names[0].source, NameSource::Dns);
    assert_eq!(hosts.devices()[&found.mac].addresses, [IpAddr::from(host), v6.into()]);
}

#[test]
fn health_tells_hosts_their_latencies_and_faults() {
    let mut connections = connection::faults();
    let mut asked = Connection::new(1008, [7, 9]);
    asked.open(0);
    for number in 0..3_u32 {
        let at = 100 + u64::from(number) * 100;
        asked.segment(at, 0, [number * 50, number * 700], ACK, 50);
        asked.segment(at + 30, 1, [number * 700, number * 50 + 50], ACK, 700);
    }
    connections.push(asked);
    let mut frames: Vec<_> = connections.into_iter().flat_map(|one| one.frames).collect();
    frames.sort_by_key(|(time, _)| *time);
    let traffic = Traffic { frames, ..Traffic::default() };
    let (hosts, _) = run(&traffic, &[("health.enabled", true.into())]);
    let [client, server] =
        [1, 2].map(|last| &hosts.hosts[&IpAddr::from(Ipv4Addr::new(10, 0, 0, last))]);
    // Again and spurious ones; gaps of a loss and of two that changed places; no zero window.
    assert_eq!(client.segments, [[3, 2, 1, 0], [0; 4]]);
    assert_eq!(server.segments, [[0; 4], [3, 2, 1, 0]]);
    let within = |latencies: &Latencies, count: u64, ns: u64| {
        assert_eq!(latencies.count(), count);
        let half = latencies.percentile(500).unwrap();
        assert!((ns..ns + ns / 2 + MS).contains(&half), "{half} ns, and not {ns}");
    };
    let all = &hosts.totals[&TotalKey::All];
    // One that was refused and one of which one way was captured have the server's alone.
    for (latencies, count, ns) in [
        (&client.delay, 5, MS),
        (&server.delay, 7, 3 * MS),
        (&client.answers[0], 3, 30 * MS),
        (&server.answers[1], 3, 30 * MS),
        (&all.client_delay, 5, MS),
        (&all.server_delay, 7, 3 * MS),
        (&all.answers, 3, 30 * MS),
    ] {
        within(latencies, count, ns);
    }
}

#[test]
fn rates_and_bursts_are_those_of_the_frames() {
    let mut traffic = Traffic::default();
    let (from, to) = (end([10, 0, 0, 2], 1000), end([10, 0, 0, 3], 2000));
    let frame = packet::frame(Around::Nothing, &packet::udp(from, to, &[7; 958]));
    assert_eq!(frame.len(), 1000);
    // Buckets and milliseconds begin at multiples of 2^30 and 2^20 ns.
    let start_ns = (START_NS >> 30) << 30;
    for second in 0..4_u64 {
        for number in 0..10 {
            traffic.frames.push((start_ns + (second << 30) + (number << 24), frame.clone()));
        }
    }
    // Twenty more within one millisecond of the third.
    let burst = start_ns + (2 << 30) + (100 << 20);
    let at = traffic.frames.iter().position(|(time_ns, _)| *time_ns > burst).unwrap();
    let more = (0..20).map(|number| (burst + number, frame.clone()));
    traffic.frames.splice(at..at, more);
    let (hosts, _) = run(&traffic, &[]);
    let host = &hosts.hosts[&from.address];
    assert_eq!((host.rate.peak, host.share.bytes), (30_000, [60_000, 0]));
    let (_, interface) = hosts.interfaces[0];
    assert_eq!((interface.frames, interface.bytes, interface.rate.peak), (60, 60_000, 30_000));
    assert_eq!((interface.bursts[2], interface.burst_at_ns >> 20), (20_000, burst >> 20));
}

#[test]
fn without_hosts_nothing_is_kept() {
    let traffic = traffic::mixed(200, 1);
    let (hosts, report) = run(&traffic, &[("hosts.enabled", false.into())]);
    assert!(hosts.hosts.is_empty() && hosts.totals.is_empty() && hosts.interfaces.is_empty());
    assert_eq!(report.books.get(Count::HostsCreated), 0);
}
