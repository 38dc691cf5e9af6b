//! Attacks as they look on the wire, and a day without any. The same arguments give the same frames.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use super::Traffic;
use super::packet::{self, Around, End, Segment};

/// 2023-11-14, at the beginning of an hour and so of every window.
pub const START_NS: u64 = 1_699_999_200_000_000_000;
/// A second.
pub const SECOND: u64 = 1_000_000_000;
const MILLISECOND: u64 = 1_000_000;

const FIN: u8 = 1;
const SYN: u8 = 2;
const RST: u8 = 4;
const PSH: u8 = 8;
const ACK: u8 = 16;

/// The host that is attacked.
pub const VICTIM: Ipv4Addr = Ipv4Addr::new(10, 1, 0, 10);
/// The host that attacks.
pub const ATTACKER: Ipv4Addr = Ipv4Addr::new(10, 1, 0, 66);
/// Hardware addresses of three devices.
pub const MACS: [[u8; 6]; 3] =
    [[2, 0xaa, 0, 0, 0, 1], [2, 0xaa, 0, 0, 0, 2], [2, 0xaa, 0, 0, 0, 3]];

/// Frames being gathered, in any order.
#[derive(Default, Debug)]
pub struct Scene {
    frames: Vec<(u64, Vec<u8>)>,
}

/// One end.
pub fn end(address: Ipv4Addr, port: u16) -> End {
    End { address: address.into(), port }
}

impl Scene {
    /// All of it, in order of time.
    pub fn traffic(mut self) -> Traffic {
        self.frames.sort_by_key(|(time_ns, _)| *time_ns);
        Traffic { frames: self.frames, ..Traffic::default() }
    }

    /// Another scene at the same time.
    #[must_use]
    pub fn with(mut self, other: Scene) -> Scene {
        self.frames.extend(other.frames);
        self
    }

    fn push(&mut self, time_ns: u64, packet: &[u8]) {
        self.frames.push((time_ns, packet::frame(Around::Nothing, packet)));
    }

    /// A TCP segment.
    pub fn tcp(&mut self, time_ns: u64, from: End, to: End, flags: u8, payload: &[u8]) {
        let segment = Segment { sequence: 1000, acknowledgement: 1000, flags };
        self.push(time_ns, &packet::tcp(from, to, segment, payload));
    }

    /// A UDP datagram.
    pub fn udp(&mut self, time_ns: u64, from: End, to: End, payload: &[u8]) {
        self.push(time_ns, &packet::udp(from, to, payload));
    }

    /// An ICMP echo request, or its reply.
    pub fn echo(&mut self, time_ns: u64, from: Ipv4Addr, to: Ipv4Addr, kind: u8) {
        let message = [kind, 0, 0, 0, 0, 1, 0, 1, 1, 2, 3, 4];
        self.push(time_ns, &packet::summed(end(from, 0), end(to, 0), 1, 2, &message));
    }

    /// A frame of ARP: `mac` says that it has `address`, and asks `target` or answers it.
    pub fn arp(
        &mut self,
        time_ns: u64,
        operation: u8,
        (mac, address): ([u8; 6], Ipv4Addr),
        target: Ipv4Addr,
    ) {
        let mut body = vec![0, 1, 8, 0, 6, 4, 0, operation];
        body.extend(mac);
        body.extend(address.octets());
        body.extend([0; 6]);
        body.extend(target.octets());
        let mut frame = packet::ethernet(&[], 0x0806, &body);
        frame[6..12].copy_from_slice(&mac);
        self.frames.push((time_ns, frame));
    }

    /// A message of neighbour discovery (RFC 4861) of `mac` and `from` about `target`, with the hardware
    /// address; `kind` is 135, or 136 with these flags.
    pub fn neighbour(
        &mut self,
        time_ns: u64,
        (kind, flags): (u8, u8),
        (mac, from): ([u8; 6], Ipv6Addr),
        to: Ipv6Addr,
        target: Ipv6Addr,
    ) {
        let mut message = vec![kind, 0, 0, 0, flags, 0, 0, 0];
        message.extend(target.octets());
        message.extend([if kind == 135 { 1 } else { 2 }, 1]);
        message.extend(mac);
        let [from, to] = [from, to].map(|address| End { address: address.into(), port: 0 });
        let mut frame = packet::frame(Around::Nothing, &packet::summed(from, to, 58, 2, &message));
        frame[6..12].copy_from_slice(&mac);
        // The hop limit of messages that no router passed on.
        frame[21] = 255;
        self.frames.push((time_ns, frame));
    }

    /// A TCP segment with another TTL than the rest.
    pub fn tcp_from_afar(&mut self, time_ns: u64, from: End, to: End, flags: u8, ttl: u8) {
        self.tcp(time_ns, from, to, flags, &[]);
        if let Some((_, frame)) = self.frames.last_mut() {
            frame[22] = ttl;
        }
    }

    /// A whole TCP connection in which each message is answered. Takes about `pace_ns` a packet.
    pub fn talk(
        &mut self,
        start_ns: u64,
        pace_ns: u64,
        ends: (End, End),
        messages: &[(&[u8], &[u8])],
    ) {
        let (client, server) = ends;
        let mut time_ns = start_ns;
        let mut say = |scene: &mut Scene, from, to, flags, payload: &[u8]| {
            scene.tcp(time_ns, from, to, flags, payload);
            time_ns += pace_ns;
        };
        say(self, client, server, SYN, &[]);
        say(self, server, client, SYN | ACK, &[]);
        say(self, client, server, ACK, &[]);
        for (asked, answered) in messages {
            say(self, client, server, PSH | ACK, asked);
            say(self, server, client, PSH | ACK, answered);
        }
        say(self, client, server, FIN | ACK, &[]);
        say(self, server, client, FIN | ACK, &[]);
        say(self, client, server, ACK, &[]);
    }

    /// A name that is asked for, and its answer with this code.
    pub fn resolve(&mut self, start_ns: u64, client: End, server: Ipv4Addr, name: &str, code: u8) {
        let question = question(name);
        self.udp(start_ns, client, end(server, 53), &dns([1, 0], &question));
        let answer = dns([0x81, 0x80 | code], &question);
        self.udp(start_ns + 3 * MILLISECOND, end(server, 53), client, &answer);
    }
}

fn question(name: &str) -> Vec<u8> {
    let mut bytes = Vec::new();
    for label in name.split('.') {
        bytes.push(u8::try_from(label.len()).unwrap_or(0));
        bytes.extend(label.as_bytes());
    }
    bytes.extend([0, 0, 1, 0, 1]);
    bytes
}

fn dns(flags: [u8; 2], question: &[u8]) -> Vec<u8> {
    let mut bytes = vec![0x12, 0x34, flags[0], flags[1], 0, 1, 0, 0, 0, 0, 0, 0];
    bytes.extend(question);
    bytes
}

fn host(net: u8, number: u32) -> Ipv4Addr {
    let [_, _, c, d] = number.to_be_bytes();
    Ipv4Addr::new(10, net, c, d)
}

/// A port for connections, by number.
fn port(number: u32) -> u16 {
    20_000 + u16::try_from(number % 40_000).unwrap_or(0)
}

/// SYNs of 6,000 forged senders to one service within 30 s; it answers, and nobody goes on.
pub fn syn_flood_from_many() -> Scene {
    let mut scene = Scene::default();
    for number in 0..6000 {
        let (from, to) = (end(host(200, number), port(number)), end(VICTIM, 80));
        let time_ns = START_NS + u64::from(number) * 5 * MILLISECOND;
        scene.tcp(time_ns, from, to, SYN, &[]);
        scene.tcp(time_ns + MILLISECOND, to, from, SYN | ACK, &[]);
    }
    scene
}

/// SYNs of one sender to twenty services, 300 each, within 20 s, without an answer.
pub fn syn_flood_to_many() -> Scene {
    let mut scene = Scene::default();
    for number in 0..6000 {
        let to = end(host(201, number % 20), 443);
        let time_ns = START_NS + u64::from(number) * 3 * MILLISECOND;
        scene.tcp(time_ns, end(ATTACKER, port(number)), to, SYN, &[]);
    }
    scene
}

/// One host tries 400 ports of another within 40 s: nine of ten are closed, the others open.
pub fn port_scan() -> Scene {
    let mut scene = Scene::default();
    for number in 0..400 {
        let (from, to) =
            (end(ATTACKER, port(number)), end(VICTIM, 1 + u16::try_from(number).unwrap_or(0)));
        let time_ns = START_NS + u64::from(number) * 100 * MILLISECOND;
        scene.tcp(time_ns, from, to, SYN, &[]);
        let flags = if number % 10 == 3 { SYN | ACK } else { RST | ACK };
        scene.tcp(time_ns + MILLISECOND, to, from, flags, &[]);
        if number % 10 == 3 {
            scene.tcp(time_ns + 2 * MILLISECOND, from, to, RST, &[]);
        }
    }
    scene
}

/// One host tries a port of 400 others: some refuse, some are not there, some accept.
pub fn host_scan() -> Scene {
    let mut scene = Scene::default();
    for number in 0..400 {
        let (from, to) = (end(ATTACKER, port(number)), end(host(202, number), 445));
        let time_ns = START_NS + u64::from(number) * 100 * MILLISECOND;
        scene.tcp(time_ns, from, to, SYN, &[]);
        match number % 10 {
            0 | 1 => scene.tcp(time_ns + MILLISECOND, to, from, RST | ACK, &[]),
            2 => {
                scene.tcp(time_ns + MILLISECOND, to, from, SYN | ACK, &[]);
                scene.tcp(time_ns + 2 * MILLISECOND, from, to, ACK, &[]);
                scene.tcp(time_ns + 3 * MILLISECOND, from, to, FIN | ACK, &[]);
            }
            _ => {}
        }
    }
    scene
}

/// Echo requests of one host to 400 others, of which every tenth is there.
pub fn ping_sweep() -> Scene {
    let mut scene = Scene::default();
    for number in 0..400 {
        let time_ns = START_NS + u64::from(number) * 100 * MILLISECOND;
        let to = host(203, number);
        scene.echo(time_ns, ATTACKER, to, 8);
        if number % 10 == 0 {
            scene.echo(time_ns + MILLISECOND, to, ATTACKER, 0);
        }
    }
    scene
}

/// Two senders, 1,000 datagrams a millisecond-and-a-bit each way of 30 s, to a port that is silent.
pub fn udp_flood() -> Scene {
    let mut scene = Scene::default();
    for number in 0..90_000_u32 {
        let from = end(host(204, number % 2), port(number % 7));
        let time_ns = START_NS + u64::from(number) * MILLISECOND / 3;
        scene.udp(time_ns, from, end(VICTIM, 9999), &[0x55; 100]);
    }
    scene
}

/// Echo requests at 1,000 a second for 20 s; they are answered.
pub fn icmp_flood() -> Scene {
    let mut scene = Scene::default();
    for number in 0..20_000 {
        let time_ns = START_NS + number * MILLISECOND;
        scene.echo(time_ns, ATTACKER, VICTIM, 8);
        scene.echo(time_ns + MILLISECOND / 2, VICTIM, ATTACKER, 0);
    }
    scene
}

/// Answers of 50 DNS servers, 1,200 bytes each, that the victim never asked for.
pub fn amplification() -> Scene {
    let mut scene = Scene::default();
    let mut answer = dns([0x81, 0x80], &question("big.example.org"));
    answer.resize(1200, 7);
    for number in 0..8000_u32 {
        let to = end(VICTIM, port(number % 500));
        let time_ns = START_NS + u64::from(number) * 2 * MILLISECOND;
        scene.udp(time_ns, end(host(205, number % 50), 53), to, &answer);
    }
    scene
}

/// 60 connections to an SSH server within 50 s, each of which fails to log in.
pub fn brute_force() -> Scene {
    let mut scene = Scene::default();
    let hello: (&[u8], &[u8]) = (b"SSH-2.0-libssh_0.9.6\r\n", b"SSH-2.0-OpenSSH_9.2\r\n");
    for number in 0..60 {
        let ends = (end(ATTACKER, port(number)), end(VICTIM, 22));
        let start_ns = START_NS + u64::from(number) * 800 * MILLISECOND;
        scene.talk(
            start_ns,
            20 * MILLISECOND,
            ends,
            &[hello, (&[7; 200], &[8; 300]), (&[9; 80], &[9; 40])],
        );
    }
    scene
}

/// A gateway and a host with their addresses; then a third device says for a minute that it has the
/// gateway's, unasked.
pub fn arp_spoof() -> Scene {
    let (gateway, host) = (Ipv4Addr::new(10, 1, 0, 1), Ipv4Addr::new(10, 1, 0, 2));
    let mut scene = Scene::default();
    for minute in 0..5 {
        let time_ns = START_NS + minute * 60 * SECOND;
        scene.arp(time_ns, 1, (MACS[1], host), gateway);
        scene.arp(time_ns + MILLISECOND, 2, (MACS[0], gateway), host);
    }
    for number in 0..60 {
        scene.arp(START_NS + (130 + number) * SECOND, 2, (MACS[2], gateway), host);
    }
    scene
}

/// Two devices that both have the same address: both answer, and both ask.
pub fn duplicate_address() -> Scene {
    let (one, other) = (Ipv4Addr::new(10, 1, 0, 2), Ipv4Addr::new(10, 1, 0, 3));
    let mut scene = Scene::default();
    for number in 0..20 {
        let time_ns = START_NS + number * 5 * SECOND;
        scene.arp(time_ns, 1, (MACS[2], other), one);
        scene.arp(time_ns + MILLISECOND, 2, (MACS[0], one), other);
        scene.arp(time_ns + 2 * MILLISECOND, 2, (MACS[1], one), other);
    }
    scene
}

/// An address of the office's own network.
pub fn v6(number: u16) -> Ipv6Addr {
    Ipv6Addr::new(0xfe80, 0, 0, 0, 0, 0, 0, number)
}

const ALL_NODES: Ipv6Addr = Ipv6Addr::new(0xff02, 0, 0, 0, 0, 0, 0, 1);

/// As [`arp_spoof`], by neighbour discovery.
pub fn neighbour_spoof() -> Scene {
    let (gateway, host) = ((MACS[0], v6(1)), (MACS[1], v6(2)));
    let mut scene = Scene::default();
    for minute in 0..5 {
        let time_ns = START_NS + minute * 60 * SECOND;
        scene.neighbour(time_ns, (135, 0), host, v6(1), v6(1));
        scene.neighbour(time_ns + MILLISECOND, (136, 0xe0), gateway, v6(2), v6(1));
    }
    for number in 0..60 {
        let time_ns = START_NS + (130 + number) * SECOND;
        scene.neighbour(time_ns, (136, 0x60), (MACS[2], v6(1)), v6(2), v6(1));
    }
    scene
}

/// As [`duplicate_address`], by neighbour discovery: both announce it.
pub fn duplicate_neighbour() -> Scene {
    let mut scene = Scene::default();
    for number in 0..20 {
        let time_ns = START_NS + number * 5 * SECOND;
        scene.neighbour(time_ns, (136, 0x20), (MACS[0], v6(2)), ALL_NODES, v6(2));
        scene.neighbour(time_ns + SECOND, (136, 0x20), (MACS[1], v6(2)), ALL_NODES, v6(2));
    }
    scene
}

/// Twenty connections to a web server that somebody on the way resets in its name.
pub fn forged_resets() -> Scene {
    let mut scene = Scene::default();
    let server = end(Ipv4Addr::new(203, 0, 113, 7), 80);
    for number in 0..20 {
        let client = end(host(1, 100 + number % 40), port(number));
        let time_ns = START_NS + u64::from(number) * 2 * SECOND;
        for (step, (from, to, flags)) in
            [(client, server, SYN), (server, client, SYN | ACK), (client, server, PSH | ACK)]
                .into_iter()
                .enumerate()
        {
            scene.tcp(time_ns + step as u64 * 10 * MILLISECOND, from, to, flags, &[]);
        }
        scene.tcp_from_afar(time_ns + 25 * MILLISECOND, server, client, RST | ACK, 49);
    }
    scene
}

/// The same connections, reset by the server itself: from as far away, also where the TTL begins elsewhere.
pub fn own_resets() -> Scene {
    let mut scene = forged_resets();
    for (_, frame) in &mut scene.frames {
        if frame[22] == 49 {
            frame[22] = 255;
        }
    }
    scene
}

/// A client that asks for 300 names that do not exist, within 50 s, from ports of its own.
pub fn dns_errors() -> Scene {
    let mut scene = Scene::default();
    for number in 0..300_u32 {
        let client = end(ATTACKER, port(number));
        let name = format!("q{:x}x.example.net", number.wrapping_mul(2_654_435_761));
        let time_ns = START_NS + u64::from(number) * 160 * MILLISECOND;
        scene.resolve(time_ns, client, Ipv4Addr::new(10, 1, 0, 53), &name, 3);
    }
    scene
}

/// A client that asks for 300 long names below one domain, all from one port.
pub fn dns_tunnel() -> Scene {
    let mut scene = Scene::default();
    for number in 0..300_u64 {
        let data = number.wrapping_mul(0x9e37_79b9_7f4a_7c15);
        let name = format!("{data:016x}{:016x}{data:016x}.t.example.net", !data);
        let time_ns = START_NS + number * 160 * MILLISECOND;
        scene.resolve(time_ns, end(ATTACKER, 5353), Ipv4Addr::new(10, 1, 0, 53), &name, 0);
    }
    scene
}

/// `hours` of what happens in an office: names, the web through one address (as behind NAT), mail,
/// SSH, monitoring, DHCP, time, ARP; now and then something fails.
pub fn ordinary(hours: u64) -> Scene {
    let mut scene = Scene::default();
    let mut random = Random(77);
    for number in 0..40 {
        let client = host(1, 100 + number);
        scene.arp(START_NS, 1, (device(client), client), Ipv4Addr::new(10, 1, 0, 1));
    }
    for minute in 0..hours * 60 {
        let start_ns = START_NS + minute * 60 * SECOND;
        for number in 0..random.below(12) + 6 {
            let client = host(1, 100 + random.below(40));
            office(&mut scene, &mut random, client, start_ns, number);
        }
        for number in 0..random.below(20) + 10 {
            let time_ns = start_ns + random.time();
            let client = end(
                Ipv4Addr::new(10, 1, 0, 254),
                port(u32::try_from(minute).unwrap_or(0) * 97 + number),
            );
            browse(&mut scene, &mut random, client, time_ns);
        }
        if minute % 5 == 0 {
            monitoring(&mut scene, &mut random, start_ns);
        }
        if minute % 30 == 7 {
            leases(&mut scene, &mut random, start_ns);
        }
    }
    scene
}

/// The one below 2^31 that comes next.
struct Random(u64);

impl Random {
    fn below(&mut self, limit: u32) -> u32 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        u32::try_from(self.0 >> 33).unwrap_or(0) % limit.max(1)
    }

    /// A time within a minute.
    fn time(&mut self) -> u64 {
        u64::from(self.below(55_000)) * MILLISECOND
    }
}

/// The hardware address of an office host.
fn device(host: Ipv4Addr) -> [u8; 6] {
    let [.., last] = host.octets();
    [2, 0xbb, 0, 0, 0, last]
}

fn browse(scene: &mut Scene, random: &mut Random, client: End, time_ns: u64) {
    let server = end(Ipv4Addr::new(203, 0, 113, u8::try_from(random.below(250)).unwrap_or(0)), 443);
    let pace_ns = u64::from(random.below(40) + 5) * MILLISECOND;
    match random.below(40) {
        // Refused, and without an answer.
        0 => {
            scene.tcp(time_ns, client, server, SYN, &[]);
            scene.tcp(time_ns + pace_ns, server, client, RST | ACK, &[]);
        }
        1 => {
            for again in [0, 1, 3] {
                scene.tcp(time_ns + again * SECOND, client, server, SYN, &[]);
            }
        }
        _ => {
            let page = vec![0x17; 400 + random.below(900) as usize];
            let messages: Vec<(&[u8], &[u8])> =
                (0..=random.below(4)).map(|_| (&page[..300], &page[..])).collect();
            scene.talk(time_ns, pace_ns, (client, server), &messages);
        }
    }
}

fn office(scene: &mut Scene, random: &mut Random, client: Ipv4Addr, start_ns: u64, number: u32) {
    let resolver = Ipv4Addr::new(10, 1, 0, 53);
    let time_ns = start_ns + random.time();
    let source = end(client, port(random.below(40_000)));
    let code = if random.below(15) == 0 { 3 } else { 0 };
    let name = format!("www{}.example{}.org", random.below(30), random.below(200));
    scene.resolve(time_ns, source, resolver, &name, code);
    match number % 9 {
        0..=4 => browse(scene, random, source, time_ns + 5 * MILLISECOND),
        5 => {
            let ends = (source, end(Ipv4Addr::new(10, 1, 0, 25), 25));
            let lines: [(&[u8], &[u8]); 2] =
                [(b"EHLO a.example.org\r\n", b"250 ok\r\n"), (b"QUIT\r\n", b"221 bye\r\n")];
            scene.talk(time_ns, 20 * MILLISECOND, ends, &lines);
        }
        6 if random.below(4) == 0 => {
            let ends = (source, end(Ipv4Addr::new(10, 1, 0, 22), 22));
            let lines: [(&[u8], &[u8]); 2] =
                [(b"SSH-2.0-OpenSSH_9.2\r\n", b"SSH-2.0-OpenSSH_9.6\r\n"), (&[1; 300], &[2; 300])];
            scene.talk(time_ns, 300 * MILLISECOND, ends, &lines);
        }
        7 => {
            let clock = end(Ipv4Addr::new(10, 1, 0, 123), 123);
            let from = end(client, 123);
            scene.udp(time_ns, from, clock, &[0x23; 48]);
            scene.udp(time_ns + 5 * MILLISECOND, clock, from, &[0x24; 48]);
        }
        _ => {
            let group = end(Ipv4Addr::new(224, 0, 0, 251), 5353);
            scene.udp(time_ns, end(client, 5353), group, &dns([0, 0], &question("printer.local")));
            let gateway = Ipv4Addr::new(10, 1, 0, 1);
            scene.arp(time_ns, 1, (device(client), client), gateway);
            scene.arp(time_ns + MILLISECOND, 2, (MACS[0], gateway), client);
        }
    }
}

/// A monitor that looks at forty hosts, of which some are off.
fn monitoring(scene: &mut Scene, random: &mut Random, start_ns: u64) {
    let monitor = Ipv4Addr::new(10, 1, 0, 9);
    for number in 0..40 {
        let target = host(1, 100 + number);
        let time_ns = start_ns + u64::from(number) * 200 * MILLISECOND;
        scene.echo(time_ns, monitor, target, 8);
        if number % 20 == 19 {
            continue;
        }
        scene.echo(time_ns + MILLISECOND, target, monitor, 0);
        let snmp = end(monitor, port(random.below(40_000)));
        scene.udp(time_ns, snmp, end(target, 161), &[0x30; 40]);
        scene.udp(time_ns + 2 * MILLISECOND, end(target, 161), snmp, &[0x30; 90]);
    }
}

/// A few hosts renew their leases with the one server that there is.
fn leases(scene: &mut Scene, random: &mut Random, start_ns: u64) {
    let server = end(Ipv4Addr::new(10, 1, 0, 67), 67);
    for _ in 0..5 {
        let client = end(host(1, 100 + random.below(40)), 68);
        let time_ns = start_ns + random.time();
        let all = end(Ipv4Addr::BROADCAST, 67);
        scene.udp(time_ns, end(Ipv4Addr::UNSPECIFIED, 68), all, &[1; 300]);
        scene.udp(time_ns + MILLISECOND, server, client, &[2; 300]);
    }
}

/// A DHCP server that was not there before, an hour and a half after the start.
pub fn late_dhcp_server() -> Scene {
    let mut scene = Scene::default();
    let known = end(Ipv4Addr::new(10, 1, 0, 67), 67);
    for quarter in 0..8 {
        let time_ns = START_NS + quarter * 900 * SECOND;
        scene.udp(time_ns, known, end(host(1, 100), 68), &[2; 300]);
        if quarter > 5 {
            scene.udp(time_ns + SECOND, end(ATTACKER, 67), end(host(1, 101), 68), &[2; 300]);
        }
    }
    scene
}

/// The address in a party of an alert.
pub fn address_of(address: [u8; 16]) -> IpAddr {
    Ipv6Addr::from(address).to_canonical()
}
