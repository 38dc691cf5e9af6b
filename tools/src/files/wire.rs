//! The flow of a packet, from its bytes alone: for files, where no engine tells.
//!
//! The engine's own parser says which it is, so that it is the same as live: the innermost addresses
//! and ports of a frame, tunnels taken off, by which pieces of datagrams follow their first. To that
//! come what stands for ports in a Community ID, and the addresses of frames that are of no flow.

use weir_engine::wire::{self, Fragment, Fragments, LinkType, Parsed};

use super::note::Key;
use super::{Packet, half, seeds};
use crate::community;

/// Tags of one frame at most.
const TAGS: usize = 4;
/// Datagrams in pieces that are followed at the same time: what `flow.fragments` is by default.
const DATAGRAMS: usize = 4096;

/// VLAN ids of a frame, outermost first.
pub(crate) fn vlans(link_type: u32, frame: &[u8]) -> impl Iterator<Item = u16> {
    let tags = match link_type {
        1 => ethernet(frame).2,
        _ => [None; TAGS],
    };
    tags.into_iter().flatten()
}

/// Finds the flows of packets that come one after the other.
#[derive(Debug)]
pub(crate) struct Parser {
    parsed: Parsed,
    pieces: Fragments,
}

impl Default for Parser {
    fn default() -> Parser {
        Parser { parsed: Parsed::default(), pieces: Fragments::new(DATAGRAMS, seeds()) }
    }
}

impl Parser {
    /// The flow of a packet, as sent: source first; none if the engine would take it into none.
    pub(crate) fn key(&mut self, packet: &Packet<'_>) -> Option<Key> {
        parse(packet, &mut self.parsed)?;
        self.pieces.follow(packet.bytes, &mut self.parsed, packet.time_ns).ok()?;
        Some(key(&self.parsed))
    }
}

/// The flow of a single packet. A piece of a datagram that is not the first has no ports.
pub(crate) fn single(packet: &Packet<'_>) -> Option<Key> {
    let mut parsed = Parsed::default();
    parse(packet, &mut parsed)?;
    Some(key(&parsed))
}

/// The addresses at both ends of a packet's flow; of one that is of no flow those of its outermost IP
/// header, or those that it is about, if it is one of ARP.
pub(crate) fn ends(packet: &Packet<'_>) -> Option<[[u8; 16]; 2]> {
    if let Some(key) = single(packet) {
        return Some(key.addresses);
    }
    let (kind, at) = network(packet.link_type, packet.bytes)?;
    let message = packet.bytes.get(at..)?;
    let v6 = |at: usize| message.get(at..at + 16)?.try_into().ok();
    match (kind, message.first()? >> 4) {
        // Ethernet, IPv4, and the lengths of their addresses.
        (0x0806, _) if message.starts_with(&[0, 1, 8, 0, 6, 4]) => {
            Some([mapped(message, 14)?, mapped(message, 24)?])
        }
        (0x0800, 4) => Some([mapped(message, 12)?, mapped(message, 16)?]),
        (0x86dd, 6) => Some([v6(8)?, v6(24)?]),
        _ => None,
    }
}

fn parse(packet: &Packet<'_>, out: &mut Parsed) -> Option<()> {
    let link = LinkType::from_dlt(packet.link_type)?;
    wire::parse(link, 0, packet.bytes, packet.wire_bytes, out).ok()?;
    if out.fragment != Fragment::Later {
        stand_ins(packet.bytes, out);
    }
    Some(())
}

/// Where the engine knows of no ports, a Community ID may have some: those of SCTP and UDP-Lite, and
/// what stands for them in ICMP. They go where ports are, so that later pieces get them, too.
fn stand_ins(frame: &[u8], parsed: &mut Parsed) {
    let l4 = parsed.key.protocol();
    if !matches!(l4, 1 | 58 | 132 | 136) {
        return;
    }
    let [from, to] = match (l4, parsed.payload(frame)) {
        (1 | 58, &[kind, code, ..]) => {
            let (from, to, _) = community::icmp_ports(l4 == 58, kind, code);
            [from, to]
        }
        (132 | 136, message) => [half(message, 0, true), half(message, 2, true)],
        _ => return,
    };
    let [low, high] = if parsed.swapped { [to, from] } else { [from, to] };
    let [.., word] = &mut parsed.key.words;
    *word |= u64::from(low) | u64::from(high) << 16;
}

fn key(parsed: &Parsed) -> Key {
    let key = &parsed.key;
    let (low, high) = ((key.address_lo(), key.port_lo()), (key.address_hi(), key.port_hi()));
    let (from, to) = if parsed.swapped { (high, low) } else { (low, high) };
    let l4 = key.protocol();
    // The type of a message is what stands for the sender's port.
    let kind = u8::try_from(from.1).unwrap_or(0);
    Key {
        addresses: [from.0, to.0],
        ports: [from.1, to.1],
        l4,
        ipv6: key.is_ipv6(),
        vlan: key.vlan(),
        tunnel: key.tunnel() as u8,
        one_way: matches!(l4, 1 | 58) && community::icmp_ports(l4 == 58, kind, 0).2,
    }
}

/// The kind of what lies above the link, and where it begins.
fn network(link_type: u32, frame: &[u8]) -> Option<(u16, usize)> {
    let by_version = |at: usize| match frame.get(at)? >> 4 {
        4 => Some((0x0800, at)),
        6 => Some((0x86dd, at)),
        _ => None,
    };
    match link_type {
        1 => {
            let (kind, at, _) = ethernet(frame);
            Some((kind, at))
        }
        0 | 108 => by_version(4),
        12 | 14 | 101 | 228 | 229 => by_version(0),
        113 => Some((half(frame, 14, true), 16)),
        276 => Some((half(frame, 0, true), 20)),
        _ => None,
    }
}

fn ethernet(frame: &[u8]) -> (u16, usize, [Option<u16>; TAGS]) {
    let mut tags = [None; TAGS];
    let (mut kind, mut at) = (half(frame, 12, true), 14);
    for tag in &mut tags {
        if !matches!(kind, 0x8100 | 0x88a8 | 0x9100) {
            break;
        }
        *tag = Some(half(frame, at, true) & 0x0fff);
        (kind, at) = (half(frame, at + 2, true), at + 4);
    }
    (kind, at, tags)
}

/// An IPv4 address, as mapped to IPv6.
fn mapped(bytes: &[u8], at: usize) -> Option<[u8; 16]> {
    let octets: [u8; 4] = bytes.get(at..at + 4)?.try_into().ok()?;
    Some(std::net::Ipv4Addr::from(octets).to_ipv6_mapped().octets())
}

#[cfg(test)]
mod tests {
    use std::net::{IpAddr, Ipv4Addr};

    use proptest::prelude::*;
    use weir_tests::traffic::packet::{Around, ethernet, frame, ip, ipv4};

    use super::*;

    const ONE: Ipv4Addr = Ipv4Addr::new(10, 0, 0, 1);
    const TWO: Ipv4Addr = Ipv4Addr::new(10, 0, 0, 2);
    /// From port 1 to port 2.
    const UDP: &[u8] = &[0, 1, 0, 2, 0, 8, 0, 0];
    /// Echo request.
    const PING: &[u8] = &[8, 0, 0, 0, 0, 1, 0, 1];

    fn packet(link_type: u32, bytes: &[u8]) -> Packet<'_> {
        let wire_bytes = u32::try_from(bytes.len()).unwrap();
        Packet { bytes, wire_bytes, link_type, ..Packet::default() }
    }

    fn whole(protocol: u8, message: &[u8]) -> Vec<u8> {
        ip(ONE.into(), TWO.into(), protocol, message)
    }

    fn addresses(texts: [&str; 2]) -> [[u8; 16]; 2] {
        texts.map(|text| crate::flow::from_ip(text.parse::<IpAddr>().unwrap()))
    }

    #[test]
    fn tags_addresses_and_ports() {
        let inner = whole(17, UDP);
        let bytes = frame(Around::QinQ(5, 7), &inner);
        let key = single(&packet(1, &bytes)).unwrap();
        assert_eq!((key.ports, key.l4, key.vlan, key.tunnel), ([1, 2], 17, 7, 0));
        assert_eq!(key.addresses, addresses(["10.0.0.1", "10.0.0.2"]));
        assert_eq!(vlans(1, &bytes).collect::<Vec<_>>(), [5, 7]);
        assert_eq!(single(&packet(101, &inner)).unwrap(), Key { vlan: 0, ..key });
        // The source comes first, whichever end is the higher one.
        let answer = ip(TWO.into(), ONE.into(), 17, &[0, 2, 0, 1, 0, 8, 0, 0]);
        let answer = single(&packet(101, &answer)).unwrap();
        assert_eq!(answer.ports, [2, 1]);
        assert_eq!(answer.ordered(), Key { vlan: 0, ..key }.ordered());
    }

    #[test]
    fn a_tunnel_is_taken_off() {
        let ip = whole(1, PING);
        let plain = single(&packet(101, &ip)).unwrap();
        for around in [Around::Gre, Around::Vxlan, Around::GtpU] {
            let bytes = frame(around, &ip);
            let key = single(&packet(1, &bytes)).unwrap();
            assert!(key.tunnel != 0, "{around:?}");
            assert_eq!(Key { tunnel: 0, ..key }, plain, "{around:?}");
            assert_eq!(ends(&packet(1, &bytes)), Some(plain.addresses));
        }
    }

    #[test]
    fn what_stands_for_ports() {
        let key = |protocol, message: &[u8]| {
            let ip = whole(protocol, message);
            let key = single(&packet(101, &ip)).unwrap();
            (key.ports, key.one_way)
        };
        assert_eq!(key(1, PING), ([8, 0], false));
        // Host unreachable has no counterpart: its code stands there.
        assert_eq!(key(1, &[3, 1, 0, 0, 0, 0, 0, 0]), ([3, 1], true));
        assert_eq!(key(132, UDP), ([1, 2], false));
        assert_eq!(key(50, UDP), ([0, 0], false));
        // The higher end asks.
        let ip = ip(TWO.into(), ONE.into(), 1, PING);
        assert_eq!(single(&packet(101, &ip)).unwrap().ports, [8, 0]);
    }

    #[test]
    fn later_pieces_have_the_ports_of_the_first() {
        for (protocol, message, ports) in [(17, UDP, [1, 2]), (1, PING, [8, 0])] {
            let mut parser = Parser::default();
            let first = ipv4(ONE, TWO, protocol, [0x20, 0], 9, message);
            let later = ipv4(ONE, TWO, protocol, [0, 1], 9, &[3; 8]);
            assert_eq!(parser.key(&packet(101, &later)), None, "its first is not known");
            let first = parser.key(&packet(101, &first)).unwrap();
            assert_eq!(first.ports, ports);
            assert_eq!(parser.key(&packet(101, &later)), Some(first));
        }
    }

    #[test]
    fn frames_of_no_flow_are_about_addresses_too() {
        let mut arp = vec![0, 1, 8, 0, 6, 4, 0, 1, 2, 0, 0, 0, 0, 1, 10, 0, 0, 1];
        arp.extend([0, 0, 0, 0, 0, 0, 10, 0, 0, 2]);
        let told = Some(addresses(["10.0.0.1", "10.0.0.2"]));
        let bytes = ethernet(&[(0x8100, 5)], 0x0806, &arp);
        assert_eq!((single(&packet(1, &bytes)), ends(&packet(1, &bytes))), (None, told));
        assert_eq!(ends(&packet(1, &bytes[..40])), None);
        // Cut within the TCP header, or within that of IP.
        let cut = whole(6, UDP);
        assert_eq!((single(&packet(101, &cut)), ends(&packet(101, &cut))), (None, told));
        assert_eq!(ends(&packet(101, &cut[..19])), None);
    }

    proptest! {
        #[test]
        fn any_frame_is_survived(link_type in 0_u32..300, frame: Vec<u8>, cut in 0_u32..99) {
            let packet = packet(link_type, &frame);
            let packet = Packet { wire_bytes: packet.wire_bytes + cut, ..packet };
            let _ = (Parser::default().key(&packet), vlans(link_type, &frame).count());
            let _ = ends(&packet);
        }
    }
}
