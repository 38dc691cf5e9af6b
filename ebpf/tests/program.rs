//! The XDP program run on crafted packets (`BPF_PROG_TEST_RUN`): its hash is the twin's, whatever
//! the packet is wrapped in; directions agree; pieces of a datagram agree. Needs root.
#![expect(clippy::unwrap_used, clippy::panic, reason = "tests")]

use weir_ebpf::hash::{self, Key, Tuple, mapped};
use weir_ebpf::metadata::{self, METADATA_BYTES, Metadata};
use weir_ebpf::table::Counter;
use weir_ebpf::{Error, Program, Settings, Split};

const KEY: Key = [0x1b87_3593_cc9e_2d51, 0x85eb_ca6b_27d4_eb2f];
const A: [u8; 4] = [10, 1, 2, 3];
const B: [u8; 4] = [192, 0, 2, 9];
const OUTER: ([u8; 4], [u8; 4]) = ([172, 16, 0, 1], [172, 16, 0, 2]);

fn settings(split: Split) -> Settings {
    Settings {
        interface: "lo".to_owned(),
        interface_index: 1,
        queues: 2,
        shards: 3,
        split,
        key: KEY,
        hints: false,
    }
}

/// The program, or none where there is no privilege: then the skip is shown.
fn program(test: &str) -> Option<Program> {
    match Program::load(&settings(Split::Xdp)) {
        Ok(program) => Some(program),
        Err(Error::Load { source, .. }) if source.raw_os_error() == Some(libc::EPERM) => {
            eprintln!("SKIPPED {test}: loading BPF programs needs root");
            None
        }
        Err(other) => panic!("{other}"),
    }
}

/// The metadata that the program leaves before `packet`; checks that the packet is untouched.
fn metadata_of(program: &Program, packet: &[u8]) -> Metadata {
    let run = program.run(packet, 1).unwrap();
    assert_eq!(run.verdict, 2, "there is no socket, so the kernel gets it");
    let (head, rest) = run.data.split_first_chunk::<METADATA_BYTES>().unwrap();
    assert_eq!(rest, packet);
    Metadata::read(head).unwrap()
}

fn ethernet(ethertype: u16, payload: &[u8]) -> Vec<u8> {
    [&[2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 2][..], &ethertype.to_be_bytes(), payload].concat()
}

fn ipv4_with(protocol: u8, (a, b): ([u8; 4], [u8; 4]), pieces: u16, payload: &[u8]) -> Vec<u8> {
    let length = u16::try_from(20 + payload.len()).unwrap();
    let mut head = vec![0x45, 0];
    head.extend(length.to_be_bytes());
    head.extend([0x12, 0x34]);
    head.extend(pieces.to_be_bytes());
    head.extend([64, protocol, 0, 0]);
    [&head[..], &a, &b, payload].concat()
}

fn ipv4(protocol: u8, ends: ([u8; 4], [u8; 4]), payload: &[u8]) -> Vec<u8> {
    ipv4_with(protocol, ends, 0, payload)
}

fn ipv6(next: u8, (a, b): ([u8; 16], [u8; 16]), payload: &[u8]) -> Vec<u8> {
    let length = u16::try_from(payload.len()).unwrap();
    [&[0x60, 0, 0, 0][..], &length.to_be_bytes(), &[next, 64], &a, &b, payload].concat()
}

fn udp(ports: (u16, u16), payload: &[u8]) -> Vec<u8> {
    let length = u16::try_from(8 + payload.len()).unwrap();
    let head = [ports.0.to_be_bytes(), ports.1.to_be_bytes(), length.to_be_bytes(), [0, 0]];
    [&head.concat()[..], payload].concat()
}

fn tcp(ports: (u16, u16)) -> Vec<u8> {
    let head = [ports.0.to_be_bytes(), ports.1.to_be_bytes()].concat();
    [&head[..], &[0, 0, 0, 1, 0, 0, 0, 2, 0x50, 0x18, 0xff, 0xff, 0, 0, 0, 0], b"hello"].concat()
}

fn inner(swap: bool) -> Vec<u8> {
    if swap { ipv4(6, (B, A), &tcp((443, 50000))) } else { ipv4(6, (A, B), &tcp((50000, 443))) }
}

fn expected_inner() -> u32 {
    hash::symmetric(KEY, &Tuple::new(mapped(A), mapped(B), (50000, 443), 6))
}

fn six(last: u8) -> [u8; 16] {
    [0x20, 1, 0x0d, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, last]
}

/// Every way to wrap an IP packet (`inner`) that the program looks through.
#[rustfmt::skip]
fn wrappings(ip: &[u8]) -> Vec<(&'static str, Vec<u8>)> {
    let version4 = ip[0] >> 4 == 4;
    let ethertype: u16 = if version4 { 0x0800 } else { 0x86dd };
    let protocol = if version4 { 4 } else { 41 };
    let ppp: &[u8] = if version4 { &[0, 0x21] } else { &[0, 0x57] };
    let join = |parts: &[&[u8]]| parts.concat();
    let plain = ethernet(ethertype, ip);
    let over_udp = |ports, payload: Vec<u8>| ethernet(0x0800, &ipv4(17, OUTER, &udp(ports, &payload)));
    let length = |bytes: usize| u16::try_from(bytes).unwrap().to_be_bytes();
    let gre = |flags: [u8; 2], kind: u16, rest: &[u8]| {
        ethernet(0x0800, &ipv4(47, OUTER, &join(&[&flags, &kind.to_be_bytes(), rest])))
    };
    let tag = |kind: u16| join(&[&kind.to_be_bytes(), ip]);
    let pppoe = length(ip.len() + 2);
    vec![
        ("plain", plain.clone()),
        ("VLAN", ethernet(0x8100, &join(&[&[0x20, 5], &tag(ethertype)]))),
        ("QinQ", ethernet(0x88a8, &join(&[&[0, 7, 0x81, 0, 0, 5], &tag(ethertype)]))),
        ("three tags", ethernet(0x9100, &join(&[&[0, 7, 0x81, 0, 0, 5, 0x81, 0, 0, 6], &tag(ethertype)]))),
        ("MPLS", ethernet(0x8847, &join(&[&[0, 1, 0, 64, 0, 2, 1, 64], ip]))),
        ("MPLS Ethernet", ethernet(0x8847, &join(&[&[0, 2, 1, 64], &[0; 4], &plain]))),
        ("PPPoE", ethernet(0x8864, &join(&[&[0x11, 0, 0, 9], &pppoe, ppp, ip]))),
        ("LLC SNAP", ethernet(u16::try_from(ip.len() + 8).unwrap(),
                              &join(&[&[0xaa, 0xaa, 3, 0, 0, 0], &tag(ethertype)]))),
        ("IP in IPv4", ethernet(0x0800, &ipv4(protocol, OUTER, ip))),
        ("IP in IPv6", ethernet(0x86dd, &ipv6(protocol, (six(8), six(9)), ip))),
        ("GRE", gre([0, 0], ethertype, ip)),
        ("GRE all fields", gre([0xb0, 0], ethertype, &join(&[&[0; 12], ip]))),
        ("GRE bridged", gre([0, 0], 0x6558, &plain)),
        ("GRE PPTP", gre([0x30, 0x81], 0x880b, &join(&[&length(ip.len() + 4), &[0; 10], &[0xff, 3], ppp, ip]))),
        ("ERSPAN II", gre([0x10, 0], 0x88be, &join(&[&[0; 12], &plain]))),
        ("VXLAN", over_udp((40000, 4789), join(&[&[8, 0, 0, 0, 0, 0, 9, 0], &plain]))),
        ("Geneve", over_udp((40000, 6081), join(&[&[1, 0, 0x65, 0x58, 0, 0, 9, 0, 0, 0, 0, 0], &plain]))),
        ("Geneve IP", over_udp((40000, 6081), join(&[&[0, 0], &ethertype.to_be_bytes(), &[0, 0, 9, 0], ip]))),
        ("GTP-U", over_udp((2152, 2152), join(&[&[0x30, 0xff], &length(ip.len()), &[0; 4], ip]))),
        ("GTP-U extended", over_udp((2152, 2152),
            join(&[&[0x34, 0xff], &length(ip.len() + 8), &[0; 4], &[0, 0, 0, 0x85, 1, 0, 0, 0], ip]))),
        ("L2TP", over_udp((1701, 1701), join(&[&[0x40, 2], &length(ip.len() + 10), &[0, 1, 0, 2, 0xff, 3], ppp, ip]))),
        ("VXLAN in GRE in MPLS", {
            let vxlan = ipv4(17, OUTER, &udp((1, 8472), &join(&[&[8, 0, 0, 0, 0, 0, 9, 0], &plain])));
            let gre = ipv4(47, OUTER, &join(&[&[0, 0, 8, 0], &vxlan]));
            ethernet(0x8847, &join(&[&[0, 2, 1, 64], &gre]))
        }),
    ]
}

#[test]
fn the_innermost_tuple_is_hashed_whatever_is_around_it() {
    let Some(program) = program("the_innermost_tuple_is_hashed") else { return };
    let expected = expected_inner();
    for swap in [false, true] {
        for (name, packet) in wrappings(&inner(swap)) {
            let metadata = metadata_of(&program, &packet);
            assert_eq!(metadata.hash, expected, "{name}, swapped {swap}");
            assert_eq!(u32::from(metadata.shard), hash::shard(expected, 3), "{name}");
            assert_eq!(metadata.flags & metadata::FLAG_NOT_IP, 0, "{name}");
            assert!(metadata.monotonic_ns > 0);
        }
    }
}

#[test]
fn ipv6_and_its_extension_headers() {
    let Some(program) = program("ipv6_and_its_extension_headers") else { return };
    let ends = (six(1), six(2));
    let datagram = udp((5353, 53), b"question");
    let expected = hash::symmetric(KEY, &Tuple::new(six(2), six(1), (53, 5353), 17));
    let chain = |first: u8, headers: &[u8]| ipv6(first, ends, &[headers, &datagram].concat());
    let packets = [
        ipv6(17, ends, &datagram),
        chain(0, &[17, 0, 1, 4, 0, 0, 0, 0]),
        chain(43, &[60, 0, 0, 0, 0, 0, 0, 0, 17, 1, 1, 12, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]),
        chain(51, &[17, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]),
        // A fragment header on a whole datagram (RFC 6946).
        chain(44, &[17, 0, 0, 0, 0, 0, 0, 7]),
    ];
    for ip in packets {
        for (name, packet) in wrappings(&ip) {
            assert_eq!(metadata_of(&program, &packet).hash, expected, "{name}: {ip:02x?}");
        }
    }
}

#[test]
fn all_pieces_of_a_datagram_meet() {
    let Some(program) = program("all_pieces_of_a_datagram_meet") else { return };
    let four = hash::symmetric(KEY, &Tuple::fragment(mapped(B), mapped(A)));
    let six_ = hash::symmetric(KEY, &Tuple::fragment(six(2), six(1)));
    let first = udp((1000, 2000), &[0; 64]);
    let piece = |place: u16| {
        let head = [&[17, 0][..], &place.to_be_bytes(), &[0, 0, 0, 7]].concat();
        ipv6(44, (six(1), six(2)), &[&head[..], &first].concat())
    };
    for (ip, expected) in [
        (ipv4_with(17, (A, B), 0x2000, &first), four),
        (ipv4_with(17, (A, B), 0x2009, &[7; 64]), four),
        (ipv4_with(17, (B, A), 0x0012, &[7; 3]), four),
        (piece(1), six_),
        (piece(0x49), six_),
        (piece(0x90), six_),
    ] {
        for (name, packet) in wrappings(&ip) {
            let metadata = metadata_of(&program, &packet);
            assert_eq!(metadata.hash, expected, "{name}: {ip:02x?}");
            assert_ne!(metadata.flags & metadata::FLAG_FRAGMENT, 0, "{name}");
        }
    }
}

#[test]
fn other_protocols_have_no_ports() {
    let Some(program) = program("other_protocols_have_no_ports") else { return };
    for protocol in [1, 50, 51, 58, 89, 132, 255] {
        let expected = hash::symmetric(KEY, &Tuple::new(mapped(A), mapped(B), (0, 0), protocol));
        let packet = ethernet(0x0800, &ipv4(protocol, (A, B), &[9; 24]));
        assert_eq!(metadata_of(&program, &packet).hash, expected, "protocol {protocol}");
    }
}

/// A tunnel without what it promises: the outer tuple counts, as in the engine's parser.
#[test]
fn broken_tunnels_fall_back_to_the_flow_around_them() {
    let Some(program) = program("broken_tunnels_fall_back") else { return };
    let whole = inner(false);
    for (name, packet) in wrappings(&whole) {
        let reference = metadata_of(&program, &packet);
        if reference.flags & metadata::FLAG_TUNNEL == 0 || name == "VXLAN in GRE in MPLS" {
            continue;
        }
        // The inner IP version is made impossible.
        let at = packet.windows(whole.len()).position(|window| window == whole).unwrap();
        let mut broken = packet.clone();
        broken[at] = 0xf5;
        let metadata = metadata_of(&program, &broken);
        let outer = &broken[14..];
        let tuple = match (outer[0] >> 4, outer[9]) {
            (4, 17) => {
                let port = |at: usize| u16::from_be_bytes([outer[at], outer[at + 1]]);
                Tuple::new(mapped(OUTER.0), mapped(OUTER.1), (port(20), port(22)), 17)
            }
            (4, protocol) => Tuple::new(mapped(OUTER.0), mapped(OUTER.1), (0, 0), protocol),
            _ => Tuple::new(six(8), six(9), (0, 0), outer[6]),
        };
        assert_eq!(metadata.hash, hash::symmetric(KEY, &tuple), "{name}");
        assert_eq!(metadata.flags & metadata::FLAG_TUNNEL, 0, "{name}");
    }
}

#[test]
fn tunnels_have_a_limit() {
    let Some(program) = program("tunnels_have_a_limit") else { return };
    let nested = |depth: usize| {
        let mut ip = inner(false);
        for _ in 0..depth {
            ip = ipv4(4, OUTER, &ip);
        }
        metadata_of(&program, &ethernet(0x0800, &ip))
    };
    assert_eq!(nested(4).hash, expected_inner());
    let five = nested(5);
    let outer = Tuple::new(mapped(OUTER.0), mapped(OUTER.1), (0, 0), 4);
    assert_eq!(five.hash, hash::symmetric(KEY, &outer));
    assert_ne!(five.flags & metadata::FLAG_SHALLOW, 0);
}

#[test]
fn what_is_not_ip_has_no_hash_and_the_first_shard() {
    let Some(program) = program("what_is_not_ip") else { return };
    for packet in [
        ethernet(0x0806, &[0; 46]),
        ethernet(0x88cc, &[0; 46]),
        ethernet(0x0800, &[0; 46]),
        ethernet(0x0800, &[]),
        ethernet(0x8100, &[0; 3]),
    ] {
        let metadata = metadata_of(&program, &packet);
        assert_eq!((metadata.hash, metadata.shard), (0, 0));
        assert_eq!(metadata.flags, metadata::FLAG_NOT_IP);
    }
}

/// Whatever the bytes are: every frame is counted in and out, and is given on unchanged.
#[test]
fn any_bytes_are_counted_in_and_out() {
    let Some(program) = program("any_bytes_are_counted") else { return };
    let mut state = 0x2545_f491_4f6c_dd1d_u64;
    let mut random = move || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state
    };
    let kinds = wrappings(&inner(false));
    let mut frames = 0;
    for _ in 0..200 {
        for (_, packet) in &kinds {
            let mut packet = packet.clone();
            for _ in 0..random() % 4 {
                let at = usize::try_from(random()).unwrap() % packet.len();
                packet[at] = random().to_le_bytes()[0];
            }
            let kept = 14 + usize::try_from(random()).unwrap() % (packet.len() - 13);
            packet.truncate(kept.min(packet.len()));
            let metadata = metadata_of(&program, &packet);
            assert!(u32::from(metadata.shard) < 3);
            frames += 1;
        }
    }
    let rows = program.counters().unwrap();
    assert_eq!(rows.len(), 3, "two queues and a row for others");
    let seen: u64 = rows.iter().map(|row| row.get(Counter::Seen)).sum();
    assert_eq!(seen, frames);
    for row in rows {
        assert_eq!(row.unaccounted(), 0);
        assert_eq!(row.get(Counter::PassedNoSocket), row.get(Counter::Seen));
    }
}

#[test]
fn settings_that_make_no_sense_are_refused() {
    let no_shards = Settings { shards: 0, ..settings(Split::Nic) };
    assert!(matches!(Program::load(&no_shards), Err(Error::Settings(_))));
    let no_queues = Settings { queues: 0, ..settings(Split::Nic) };
    assert!(matches!(Program::load(&no_queues), Err(Error::Settings(_))));
}

/// Not a bound to hold, but the number is good to see: `--nocapture`.
#[test]
fn how_long_it_takes() {
    let Some(program) = program("how_long_it_takes") else { return };
    for (name, packet) in wrappings(&inner(false)) {
        let run = program.run(&packet, 200_000).unwrap();
        eprintln!("{name:>24}: {:>4} ns", run.mean.as_nanos());
        assert!(run.mean.as_micros() < 100);
    }
}
