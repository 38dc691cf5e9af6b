//! Frames from nothing: Ethernet, IPv4, TCP or UDP, whole and with checksums.

use std::net::Ipv4Addr;

use super::patch::Patch;

/// Bytes of an Ethernet header.
pub(crate) const ETHERNET: usize = 14;
/// Bytes of an IPv4 header without options.
const IPV4: usize = 20;
/// Bytes of a TCP header without options.
const TCP: usize = 20;
/// Bytes of a UDP header.
const UDP: usize = 8;
/// Bytes of the shortest frame, less its check sequence.
pub(crate) const SHORTEST: usize = 60;

/// One end.
#[derive(Clone, Copy, Debug)]
pub(super) struct End {
    pub(super) hardware: [u8; 6],
    pub(super) address: Ipv4Addr,
    pub(super) port: u16,
}

/// What carries the payload.
#[derive(Clone, Copy, Debug)]
pub(super) enum Carrier {
    Tcp { flags: u8, sequence: u32, acknowledgement: u32 },
    Udp,
}

impl Carrier {
    const fn protocol(self) -> u8 {
        match self {
            Carrier::Tcp { .. } => 6,
            Carrier::Udp => 17,
        }
    }

    /// Bytes before the payload.
    pub(super) const fn head_bytes(self) -> usize {
        ETHERNET
            + IPV4
            + match self {
                Carrier::Tcp { .. } => TCP,
                Carrier::Udp => UDP,
            }
    }

    /// Where the changing fields are in a frame that the client (or the server) sends.
    pub(super) fn patch(self, by_client: bool, address_bits: u8) -> Patch {
        const L4: u16 = 34;
        let (address_at, port_at) = if by_client { (26, L4) } else { (30, L4 + 2) };
        let (l4_sum_at, sequence_at, zero_is_none) = match self {
            Carrier::Tcp { .. } => (L4 + 16, L4 + 4, false),
            Carrier::Udp => (L4 + 6, 0, true),
        };
        Patch {
            address_at,
            port_at,
            ip_sum_at: 24,
            l4_sum_at,
            sequence_at,
            address_bits,
            zero_is_none,
        }
    }
}

/// A frame; one that would be too short for Ethernet is padded.
pub(super) fn frame(from: End, to: End, carrier: Carrier, payload: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(carrier.head_bytes() + payload.len());
    bytes.extend(to.hardware);
    bytes.extend(from.hardware);
    bytes.extend([0x08, 0]);
    let total = carrier.head_bytes() - ETHERNET + payload.len();
    bytes.extend([0x45, 0]);
    bytes.extend(short(total));
    bytes.extend([0, 0, 0x40, 0, 64, carrier.protocol(), 0, 0]);
    bytes.extend(from.address.octets());
    bytes.extend(to.address.octets());
    let ip_sum = fold(sum(&bytes[ETHERNET..]));
    bytes[24..26].copy_from_slice(&ip_sum.to_be_bytes());
    let l4 = bytes.len();
    bytes.extend(from.port.to_be_bytes());
    bytes.extend(to.port.to_be_bytes());
    let sum_at = match carrier {
        Carrier::Tcp { flags, sequence, acknowledgement } => {
            bytes.extend(sequence.to_be_bytes());
            bytes.extend(acknowledgement.to_be_bytes());
            bytes.extend([0x50, flags, 0xff, 0xff, 0, 0, 0, 0]);
            l4 + 16
        }
        Carrier::Udp => {
            bytes.extend(short(UDP + payload.len()));
            bytes.extend([0, 0]);
            l4 + 6
        }
    };
    bytes.extend(payload);
    let pseudo = sum(&from.address.octets())
        + sum(&to.address.octets())
        + u32::from(carrier.protocol())
        + u32::try_from(bytes.len() - l4).unwrap_or(0);
    let l4_sum = match fold(pseudo + sum(&bytes[l4..])) {
        0 => 0xffff,
        sum => sum,
    };
    bytes[sum_at..sum_at + 2].copy_from_slice(&l4_sum.to_be_bytes());
    bytes.resize(bytes.len().max(SHORTEST), 0);
    bytes
}

fn short(length: usize) -> [u8; 2] {
    u16::try_from(length).unwrap_or(u16::MAX).to_be_bytes()
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
    let folded = !(sum as u16);
    folded
}
