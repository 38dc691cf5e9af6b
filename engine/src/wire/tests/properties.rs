//! What holds for any bytes, and what another parser says of the same ones.

use etherparse::{LaxNetSlice, LaxSlicedPacket, PacketBuilder, TransportSlice};
use proptest::prelude::*;

use super::build::*;
use super::tunnels::every_tunnel;
use super::*;

const LINKS: [LinkType; 16] = [
    LinkType::Ethernet,
    LinkType::RawIp,
    LinkType::Null,
    LinkType::Loop,
    LinkType::LinuxSll,
    LinkType::LinuxSll2,
    LinkType::Ppp,
    LinkType::PppWithDirection,
    LinkType::PppHdlc,
    LinkType::CHdlc,
    LinkType::Ppi,
    LinkType::Ieee80211,
    LinkType::Radiotap,
    LinkType::Mpls,
    LinkType::Pppoe,
    LinkType::Unsupported,
];

/// Whatever the bytes: an answer, within bounds ([`parsed_of`] checks), and the same twice.
fn any_answer(link: LinkType, vlan: u16, bytes: &[u8], beyond: usize) {
    let first = parsed_of(link, vlan, bytes, bytes.len() + beyond);
    assert_eq!(first, parsed_of(link, vlan, bytes, bytes.len() + beyond));
    if let Ok(mut parsed) = first {
        let mut fragments = Fragments::new(8, [1, 2, 3, 4]);
        let alone = parsed.fragment == Fragment::Later;
        assert_eq!(fragments.follow(bytes, &mut parsed, 1).is_err(), alone);
    }
}

/// Frames that have something of everything.
fn seeds() -> Vec<Vec<u8>> {
    let mut seeds: Vec<Vec<u8>> = every_tunnel().into_iter().map(|(_, frame)| frame).collect();
    seeds.push(plain());
    seeds.push(ethernet(0x0800, &ipv4(6, &tcp())));
    seeds.push(ethernet(0x86dd, &ipv6(17, &udp())));
    seeds.push(ethernet(0x8100, &[&[0, 5, 8, 0], &ipv4(17, &udp())[..]].concat()));
    seeds.push(ethernet(0x8100, &[&[0, 0, 0x86, 0xdd], &inner()[..]].concat()));
    seeds.push(ethernet(0x0800, &ipv4_piece(17, 7, 0x2000, &udp())));
    seeds.push(ethernet(0x0800, &ipv4_piece(17, 7, 3, b"the rest")));
    seeds.push(ethernet(0x86dd, &ipv6_piece(6, 7, 1, &tcp())));
    seeds.push(ethernet(0x8100, &[&[0, 5, 0x88, 0x47, 0, 0, 0x11, 64], &inner()[..]].concat()));
    seeds.push(ethernet(0x8864, &[&[0x11, 0, 0, 9, 0, 46, 0, 0x21], &inner()[..]].concat()));
    seeds
}

#[test]
fn every_single_byte_of_every_seed_may_be_anything() {
    for seed in seeds() {
        for at in 0..seed.len() {
            for value in [0, 1, 4, 0x0f, 0x45, 0x60, 0x7f, 0x80, 0xfe, 0xff, seed[at] ^ 1] {
                let mut frame = seed.clone();
                frame[at] = value;
                any_answer(LinkType::Ethernet, 0, &frame, 0);
                any_answer(LinkType::RawIp, 0, &frame[14..], 0);
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2000, ..ProptestConfig::default() })]

    #[test]
    fn any_bytes_get_an_answer(
        link in prop::sample::select(&LINKS[..]),
        vlan: u16,
        bytes in prop::collection::vec(any::<u8>(), 0..200),
        beyond in 0_usize..2000,
    ) {
        any_answer(link, vlan, &bytes, beyond);
    }

    #[test]
    fn mutated_and_cut_frames_get_an_answer(
        seed in prop::sample::select(seeds()),
        changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..6),
        end: prop::sample::Index,
        cut: bool,
        beyond in 0_usize..200,
    ) {
        let mut frame = seed;
        for (at, value) in changes {
            let at = at.index(frame.len());
            frame[at] = value;
        }
        if cut {
            frame.truncate(end.index(frame.len()));
        }
        any_answer(LinkType::Ethernet, 0, &frame, beyond);
    }

    #[test]
    fn both_directions_of_ipv4_have_one_key(
        one: [u8; 4], two: [u8; 4], ports: (u16, u16), tcp: bool, vlan in 0_u16..4096,
    ) {
        let there = built_v4(one, two, ports, tcp, vlan, &[1, 2, 3]);
        let back = built_v4(two, one, (ports.1, ports.0), tcp, vlan, &[9; 30]);
        opposite(&there, &back, (one, ports.0) == (two, ports.1))?;
    }

    #[test]
    fn both_directions_of_ipv6_have_one_key(
        one: [u8; 16], two: [u8; 16], ports: (u16, u16), tcp: bool,
    ) {
        let there = built_v6(one, two, ports, tcp, &[1, 2, 3]);
        let back = built_v6(two, one, (ports.1, ports.0), tcp, &[9; 30]);
        opposite(&there, &back, (one, ports.0) == (two, ports.1))?;
    }

    #[test]
    fn another_parser_says_the_same(
        addresses: ([u8; 16], [u8; 16]),
        ports: (u16, u16),
        kind in 0..4,
        vlan in 0_u16..4096,
        payload in prop::collection::vec(any::<u8>(), 0..100),
        padding in 0_usize..20,
    ) {
        // Tunnels' ports are another matter.
        prop_assume!(!transport::is_tunnel_port(ports));
        let (one, two) = addresses;
        let short = |address: [u8; 16]| *address.first_chunk::<4>().unwrap();
        let mut frame = match kind {
            0 | 1 => built_v4(short(one), short(two), ports, kind == 0, vlan, &payload),
            _ => built_v6(one, two, ports, kind == 2, &payload),
        };
        frame.resize(frame.len() + padding, 0xee);
        agrees_with_another(&frame)?;
    }
}

fn built_v4(
    one: [u8; 4],
    two: [u8; 4],
    ports: (u16, u16),
    tcp: bool,
    vlan: u16,
    payload: &[u8],
) -> Vec<u8> {
    let builder = PacketBuilder::ethernet2([2; 6], [4; 6]);
    let mut frame = Vec::new();
    // Id 0 is a frame without a tag here.
    let builder = match vlan {
        0 => builder.ipv4(one, two, 20),
        id => builder.single_vlan(id.try_into().unwrap()).ipv4(one, two, 20),
    };
    if tcp {
        let builder = builder.tcp(ports.0, ports.1, 77, 1000).ack(78).psh();
        builder.write(&mut frame, payload).unwrap();
    } else {
        builder.udp(ports.0, ports.1).write(&mut frame, payload).unwrap();
    }
    frame
}

fn built_v6(one: [u8; 16], two: [u8; 16], ports: (u16, u16), tcp: bool, payload: &[u8]) -> Vec<u8> {
    let builder = PacketBuilder::ethernet2([2; 6], [4; 6]).ipv6(one, two, 20);
    let mut frame = Vec::new();
    if tcp {
        let builder = builder.tcp(ports.0, ports.1, 77, 1000).ack(78).psh();
        builder.write(&mut frame, payload).unwrap();
    } else {
        builder.udp(ports.0, ports.1).write(&mut frame, payload).unwrap();
    }
    frame
}

fn opposite(there: &[u8], back: &[u8], same_ends: bool) -> Result<(), TestCaseError> {
    let there = parsed(LinkType::Ethernet, there).unwrap();
    let back = parsed(LinkType::Ethernet, back).unwrap();
    prop_assert_eq!(there.key, back.key);
    prop_assert_eq!(there.swapped, !back.swapped && !same_ends);
    prop_assert_eq!(there.sender_port(), back.receiver_port());
    let low = (there.key.address_lo(), there.key.port_lo());
    prop_assert!(low <= (there.key.address_hi(), there.key.port_hi()), "the lower end is lower");
    Ok(())
}

fn agrees_with_another(frame: &[u8]) -> Result<(), TestCaseError> {
    let ours = parsed(LinkType::Ethernet, frame).unwrap();
    let theirs = LaxSlicedPacket::from_ethernet(frame).unwrap();
    let vlan = theirs.vlan_ids().last().map_or(0, |id| id.value());
    prop_assert_eq!(ours.key.vlan(), vlan);
    let mapped = |address: [u8; 4]| std::net::Ipv4Addr::from(address).to_ipv6_mapped().octets();
    let ends = match theirs.net.as_ref().unwrap() {
        LaxNetSlice::Ipv4(ip) => (mapped(ip.header().source()), mapped(ip.header().destination())),
        LaxNetSlice::Ipv6(ip) => (ip.header().source(), ip.header().destination()),
        LaxNetSlice::Arp(_) => unreachable!("none was built"),
    };
    let (ports, payload, tcp) = match theirs.transport.as_ref().unwrap() {
        TransportSlice::Tcp(tcp) => {
            let head = TcpHead {
                sequence: tcp.sequence_number(),
                acknowledgement: tcp.acknowledgment_number(),
                window: tcp.window_size(),
                flags: TcpHead::ACK | TcpHead::PSH,
                header_bytes: tcp.data_offset() * 4,
            };
            ((tcp.source_port(), tcp.destination_port()), tcp.payload(), head)
        }
        TransportSlice::Udp(udp) => {
            ((udp.source_port(), udp.destination_port()), udp.payload(), TcpHead::default())
        }
        other => unreachable!("none was built: {other:?}"),
    };
    let (sender, receiver) = ((ends.0, ports.0), (ends.1, ports.1));
    prop_assert_eq!(ours.swapped, sender > receiver);
    let (low, high) = (sender.min(receiver), sender.max(receiver));
    prop_assert_eq!((ours.key.address_lo(), ours.key.port_lo()), low);
    prop_assert_eq!((ours.key.address_hi(), ours.key.port_hi()), high);
    prop_assert_eq!(ours.payload(frame), payload);
    prop_assert_eq!(ours.tcp, tcp);
    prop_assert_eq!(ours.ttl, 20);
    Ok(())
}
