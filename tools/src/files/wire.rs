//! The flow of a packet, from its bytes alone: for files, where no engine tells.
//!
//! The outermost addresses and ports count; what lies inside a tunnel is not looked for. Later
//! fragments have no ports; [`Fragments`] remembers those of their first.

use std::collections::HashMap;

use super::half;
use super::note::Key;
use crate::community;

/// Tags of one frame at most.
const TAGS: usize = 4;
/// Extension headers of one packet at most.
const EXTENSIONS: usize = 8;

/// What was found.
#[derive(Clone, Copy, Default, PartialEq, Eq, Debug)]
pub(crate) struct Found {
    /// As sent: source first.
    pub(crate) key: Key,
    /// Identification of the datagram and whether this is its first piece; none: it is whole.
    pub(crate) fragment: Option<(u32, bool)>,
}

/// VLAN ids of a frame, outermost first.
pub(crate) fn vlans(link_type: u32, frame: &[u8]) -> impl Iterator<Item = u16> {
    let tags = match link_type {
        1 => ethernet(frame).2,
        _ => [None; TAGS],
    };
    tags.into_iter().flatten()
}

/// The flow of a packet; none if it is none of IP.
pub(crate) fn parse(link_type: u32, frame: &[u8]) -> Option<Found> {
    let (kind, at, vlan) = network(link_type, frame)?;
    let packet = frame.get(at..)?;
    let mut found = match kind {
        0x0800 => v4(packet)?,
        0x86dd => v6(packet)?,
        _ => return None,
    };
    found.key.vlan = vlan;
    Some(found)
}

/// The addresses at both ends of a packet of IP, and those that one of ARP is about.
pub(crate) fn ends(link_type: u32, frame: &[u8]) -> Option<[[u8; 16]; 2]> {
    let (kind, at, _) = network(link_type, frame)?;
    if kind != 0x0806 {
        return parse(link_type, frame).map(|found| found.key.addresses);
    }
    let message = frame.get(at..)?;
    // Ethernet, IPv4, and the lengths of their addresses.
    message.starts_with(&[0, 1, 8, 0, 6, 4]).then_some(())?;
    Some([mapped(message, 14)?, mapped(message, 24)?])
}

/// The kind of what lies above the link, where it begins, and the innermost VLAN.
fn network(link_type: u32, frame: &[u8]) -> Option<(u16, usize, u16)> {
    let by_version = |at: usize| match frame.get(at)? >> 4 {
        4 => Some((0x0800, at, 0)),
        6 => Some((0x86dd, at, 0)),
        _ => None,
    };
    match link_type {
        1 => {
            let (kind, at, tags) = ethernet(frame);
            Some((kind, at, tags.into_iter().flatten().last().unwrap_or(0)))
        }
        0 | 108 => by_version(4),
        12 | 14 | 101 | 228 | 229 => by_version(0),
        113 => Some((half(frame, 14, true), 16, 0)),
        276 => Some((half(frame, 0, true), 20, 0)),
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

fn v4(packet: &[u8]) -> Option<Found> {
    let header = usize::from(packet.first()? & 0x0f) * 4;
    if packet.first()? >> 4 != 4 || header < 20 {
        return None;
    }
    let l4 = *packet.get(9)?;
    let key = Key { addresses: [mapped(packet, 12)?, mapped(packet, 16)?], l4, ..Key::default() };
    let place = half(packet, 6, true);
    let is_first = place.trailing_zeros() >= 13;
    let fragment = (place & 0x3fff != 0).then(|| (u32::from(half(packet, 4, true)), is_first));
    let mut found = Found { key, fragment };
    if is_first {
        ports(&mut found.key, packet.get(header..).unwrap_or_default());
    }
    Some(found)
}

/// An IPv4 address, as mapped to IPv6.
fn mapped(bytes: &[u8], at: usize) -> Option<[u8; 16]> {
    let octets: [u8; 4] = bytes.get(at..at + 4)?.try_into().ok()?;
    Some(std::net::Ipv4Addr::from(octets).to_ipv6_mapped().octets())
}

fn v6(packet: &[u8]) -> Option<Found> {
    let address = |at: usize| packet.get(at..at + 16)?.try_into().ok();
    let mut key = Key { addresses: [address(8)?, address(24)?], ipv6: true, ..Key::default() };
    let (mut next, mut at) = (*packet.get(6)?, 40);
    let mut fragment = None;
    for _ in 0..EXTENSIONS {
        let step = match next {
            0 | 43 | 60 | 135 => 8 + usize::from(packet.get(at + 1).copied().unwrap_or(0)) * 8,
            51 => 8 + usize::from(packet.get(at + 1).copied().unwrap_or(0)) * 4,
            44 => {
                let identification = super::word(packet, at + 4, true);
                fragment = Some((identification, half(packet, at + 2, true) & 0xfff8 == 0));
                8
            }
            _ => break,
        };
        next = packet.get(at).copied().unwrap_or(59);
        at += step;
    }
    key.l4 = next;
    if fragment.is_none_or(|(_, first)| first) {
        ports(&mut key, packet.get(at..).unwrap_or_default());
    }
    Some(Found { key, fragment })
}

fn ports(key: &mut Key, segment: &[u8]) {
    match key.l4 {
        6 | 17 | 132 | 136 => key.ports = [half(segment, 0, true), half(segment, 2, true)],
        1 | 58 => {
            if let &[kind, code, ..] = segment {
                let (a, b, one_way) = community::icmp_ports(key.l4 == 58, kind, code);
                (key.ports, key.one_way) = ([a, b], one_way);
            }
        }
        _ => {}
    }
}

/// Which datagram.
type Datagram = ([[u8; 16]; 2], u8, u32);

/// Ports of datagrams in pieces, by their first piece.
#[derive(Debug, Default)]
pub(crate) struct Fragments {
    ports: HashMap<Datagram, [u16; 2]>,
}

impl Fragments {
    /// Datagrams remembered at most; beyond, all are forgotten.
    const MOST: usize = 4096;

    /// Gives a later piece the ports of its first.
    pub(crate) fn complete(&mut self, found: &mut Found) {
        let Some((identification, first)) = found.fragment else { return };
        let datagram = (found.key.addresses, found.key.l4, identification);
        if first {
            if self.ports.len() >= Fragments::MOST {
                self.ports.clear();
            }
            self.ports.insert(datagram, found.key.ports);
        } else if let Some(ports) = self.ports.get(&datagram) {
            found.key.ports = *ports;
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// UDP from 10.0.0.1:1 to 10.0.0.2:2 behind two tags.
    fn frame() -> Vec<u8> {
        let mut frame = vec![0; 12];
        frame.extend([0x88, 0xa8, 0, 5, 0x81, 0, 0x20, 7, 8, 0]);
        frame.extend([0x45, 0, 0, 28, 0, 9, 0, 0, 64, 17, 0, 0, 10, 0, 0, 1, 10, 0, 0, 2]);
        frame.extend([0, 1, 0, 2, 0, 8, 0, 0]);
        frame
    }

    #[test]
    fn tags_addresses_and_ports() {
        let frame = frame();
        let found = parse(1, &frame).unwrap();
        assert_eq!((found.key.ports, found.key.l4, found.key.vlan), ([1, 2], 17, 7));
        assert_eq!(found.fragment, None);
        assert_eq!(vlans(1, &frame).collect::<Vec<_>>(), [5, 7]);
        assert_eq!(parse(101, &frame[22..]).unwrap().key.ports, [1, 2]);
    }

    #[test]
    fn arp_is_about_two_addresses() {
        let mut frame = vec![0; 12];
        frame.extend([0x81, 0, 0, 5, 8, 6, 0, 1, 8, 0, 6, 4, 0, 1]);
        frame.extend([2, 0, 0, 0, 0, 1, 10, 0, 0, 1, 0, 0, 0, 0, 0, 0, 10, 0, 0, 2]);
        let address = |text: &str| crate::flow::from_ip(text.parse().unwrap());
        assert_eq!(ends(1, &frame), Some([address("10.0.0.1"), address("10.0.0.2")]));
        assert_eq!((parse(1, &frame), ends(1, &frame[..40])), (None, None));
    }

    #[test]
    fn later_pieces_have_the_ports_of_the_first() {
        let mut first = frame();
        first[22 + 6] = 0x20;
        let mut later = frame();
        later[22 + 7] = 1;
        let mut fragments = Fragments::default();
        let [mut first, mut later] = [first, later].map(|frame| parse(1, &frame).unwrap());
        assert_eq!(later.key.ports, [0, 0]);
        fragments.complete(&mut first);
        fragments.complete(&mut later);
        assert_eq!(later.key, first.key);
    }

    proptest! {
        #[test]
        fn any_frame_is_survived(link_type in 0_u32..300, frame: Vec<u8>) {
            let _ = (parse(link_type, &frame), vlans(link_type, &frame).count());
            let _ = ends(link_type, &frame);
        }
    }
}
