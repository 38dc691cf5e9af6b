//! Frames, built bottom up.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// One end of a conversation.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct End {
    /// Address.
    pub address: IpAddr,
    /// Port.
    pub port: u16,
}

/// What a TCP segment says besides its payload.
#[derive(Clone, Copy, Debug)]
pub struct Segment {
    /// Sequence number.
    pub sequence: u32,
    /// Acknowledgement number.
    pub acknowledgement: u32,
    /// Flags.
    pub flags: u8,
}

/// What a frame has around its IP packet.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Around {
    /// Ethernet alone.
    Nothing,
    /// One VLAN tag.
    Vlan(u16),
    /// Two VLAN tags, the outer one 802.1ad.
    QinQ(u16, u16),
    /// GRE (RFC 2784) in IPv4.
    Gre,
    /// VXLAN (RFC 7348) in UDP.
    Vxlan,
    /// GTP-U (3GPP TS 29.281) in UDP.
    GtpU,
}

/// A TCP packet.
pub fn tcp(from: End, to: End, segment: Segment, payload: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(20 + payload.len());
    bytes.extend(from.port.to_be_bytes());
    bytes.extend(to.port.to_be_bytes());
    bytes.extend(segment.sequence.to_be_bytes());
    bytes.extend(segment.acknowledgement.to_be_bytes());
    bytes.extend([0x50, segment.flags, 0xff, 0xff, 0, 0, 0, 0]);
    bytes.extend(payload);
    let sum = checksum(from.address, to.address, 6, &bytes);
    bytes[16..18].copy_from_slice(&sum.to_be_bytes());
    ip(from.address, to.address, 6, &bytes)
}

/// A UDP packet.
pub fn udp(from: End, to: End, payload: &[u8]) -> Vec<u8> {
    ip(from.address, to.address, 17, &datagram(from, to, payload))
}

/// A UDP datagram, without IP.
pub fn datagram(from: End, to: End, payload: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(8 + payload.len());
    bytes.extend(from.port.to_be_bytes());
    bytes.extend(to.port.to_be_bytes());
    bytes.extend(short(8 + payload.len()).to_be_bytes());
    bytes.extend([0, 0]);
    bytes.extend(payload);
    let sum = checksum(from.address, to.address, 17, &bytes);
    bytes[6..8].copy_from_slice(&sum.to_be_bytes());
    bytes
}

/// An IP packet whose payload holds a checksum at `at`: of the payload alone (ICMP, RFC 792), over
/// IPv6 of the pseudo-header too (RFC 4443, section 2.3).
pub fn summed(from: End, to: End, protocol: u8, at: usize, payload: &[u8]) -> Vec<u8> {
    let mut bytes = payload.to_vec();
    let sum = match from.address {
        IpAddr::V4(_) => fold(sum(&bytes)),
        IpAddr::V6(_) => checksum(from.address, to.address, protocol, &bytes),
    };
    bytes[at..at + 2].copy_from_slice(&sum.to_be_bytes());
    ip(from.address, to.address, protocol, &bytes)
}

/// An IP packet.
pub fn ip(from: IpAddr, to: IpAddr, protocol: u8, payload: &[u8]) -> Vec<u8> {
    match (from, to) {
        (IpAddr::V4(from), IpAddr::V4(to)) => ipv4(from, to, protocol, [0x40, 0], 0, payload),
        (from, to) => ipv6(mapped(from), mapped(to), protocol, payload),
    }
}

/// An IPv4 packet with its own flags, offset and identification: a piece of a datagram, or all.
pub fn ipv4(
    from: Ipv4Addr,
    to: Ipv4Addr,
    protocol: u8,
    fragment: [u8; 2],
    identification: u16,
    payload: &[u8],
) -> Vec<u8> {
    let mut bytes = vec![0x45, 0];
    bytes.extend(short(20 + payload.len()).to_be_bytes());
    bytes.extend(identification.to_be_bytes());
    bytes.extend(fragment);
    bytes.extend([64, protocol, 0, 0]);
    bytes.extend(from.octets());
    bytes.extend(to.octets());
    let sum = fold(sum(&bytes));
    bytes[10..12].copy_from_slice(&sum.to_be_bytes());
    bytes.extend(payload);
    bytes
}

fn ipv6(from: Ipv6Addr, to: Ipv6Addr, protocol: u8, payload: &[u8]) -> Vec<u8> {
    let mut bytes = vec![0x60, 0, 0, 0];
    bytes.extend(short(payload.len()).to_be_bytes());
    bytes.extend([protocol, 64]);
    bytes.extend(from.octets());
    bytes.extend(to.octets());
    bytes.extend(payload);
    bytes
}

/// The IP packet in a frame.
pub fn frame(around: Around, packet: &[u8]) -> Vec<u8> {
    let outer = |a, b| (Ipv4Addr::new(192, 0, 2, a), Ipv4Addr::new(192, 0, 2, b));
    let end = |address: Ipv4Addr, port| End { address: address.into(), port };
    let (near, far) = outer(1, 2);
    let kind = kind_of(packet);
    match around {
        Around::Nothing => ethernet(&[], kind, packet),
        Around::Vlan(id) => ethernet(&[(0x8100, id)], kind, packet),
        Around::QinQ(outer, inner) => ethernet(&[(0x88a8, outer), (0x8100, inner)], kind, packet),
        Around::Gre => {
            let mut gre = vec![0, 0];
            gre.extend(kind.to_be_bytes());
            gre.extend(packet);
            ethernet(&[], 0x0800, &ip(near.into(), far.into(), 47, &gre))
        }
        Around::Vxlan => {
            let mut vxlan = vec![8, 0, 0, 0, 0, 0, 42, 0];
            vxlan.extend(ethernet(&[], kind, packet));
            ethernet(&[], 0x0800, &udp(end(near, 51_000), end(far, 4789), &vxlan))
        }
        Around::GtpU => {
            let mut gtp = vec![0x30, 0xff];
            gtp.extend(short(packet.len()).to_be_bytes());
            gtp.extend([0, 0, 0, 7]);
            gtp.extend(packet);
            ethernet(&[], 0x0800, &udp(end(near, 2152), end(far, 2152), &gtp))
        }
    }
}

/// An Ethernet frame with these tags, padded to the 60 bytes that a NIC would make of it.
pub fn ethernet(tags: &[(u16, u16)], kind: u16, packet: &[u8]) -> Vec<u8> {
    let mut bytes = vec![2, 0, 0, 0, 0, 2, 2, 0, 0, 0, 0, 1];
    for (kind, id) in tags {
        bytes.extend(kind.to_be_bytes());
        bytes.extend(id.to_be_bytes());
    }
    bytes.extend(kind.to_be_bytes());
    bytes.extend(packet);
    if bytes.len() < 60 {
        bytes.resize(60, 0);
    }
    bytes
}

fn kind_of(packet: &[u8]) -> u16 {
    if packet[0] >> 4 == 4 { 0x0800 } else { 0x86dd }
}

fn mapped(address: IpAddr) -> Ipv6Addr {
    match address {
        IpAddr::V4(v4) => v4.to_ipv6_mapped(),
        IpAddr::V6(v6) => v6,
    }
}

fn short(length: usize) -> u16 {
    u16::try_from(length).unwrap_or(u16::MAX)
}

/// The checksum over the pseudo-header and what follows IP (RFC 9293, section 3.1; RFC 8200, 8.1).
fn checksum(from: IpAddr, to: IpAddr, protocol: u8, bytes: &[u8]) -> u16 {
    let address = |address: IpAddr| match address {
        IpAddr::V4(v4) => sum(&v4.octets()),
        IpAddr::V6(v6) => sum(&v6.octets()),
    };
    let length = u32::try_from(bytes.len()).unwrap_or(0);
    match fold(address(from) + address(to) + u32::from(protocol) + length + sum(bytes)) {
        0 => 0xffff,
        sum => sum,
    }
}

fn sum(bytes: &[u8]) -> u32 {
    let word = |pair: &[u8]| u32::from(pair[0]) << 8 | u32::from(*pair.get(1).unwrap_or(&0));
    bytes.chunks(2).map(word).sum()
}

fn fold(mut sum: u32) -> u16 {
    while sum > 0xffff {
        sum = (sum & 0xffff) + (sum >> 16);
    }
    #[expect(clippy::cast_possible_truncation, reason = "folded into 16 bits above")]
    {
        !(sum as u16)
    }
}
