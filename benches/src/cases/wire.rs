//! A frame's headers to its flow's key, and the key to its hash.

use std::hint::black_box;

use weir_engine::wire::{self, LinkType, Parsed};

use super::Case;
use crate::table::{self, Table, Weir};

const OPERATIONS: u64 = 1024;

const MACS: [u8; 12] = [2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 2];

/// The bytes of a UDP datagram over IPv4 between two ports.
fn udp4(client: u32, to_port: u16, payload: &[u8]) -> Vec<u8> {
    let udp_bytes = 8 + u16::try_from(payload.len()).unwrap_or_default();
    let mut bytes = vec![0x45, 0];
    bytes.extend((20 + udp_bytes).to_be_bytes());
    bytes.extend([0, 0, 0x40, 0, 64, 17, 0, 0]);
    bytes.extend(client.to_be_bytes());
    bytes.extend([198, 19, 0, 1]);
    bytes.extend(20_000_u16.to_be_bytes());
    bytes.extend(to_port.to_be_bytes());
    bytes.extend(udp_bytes.to_be_bytes());
    bytes.extend([0, 0]);
    bytes.extend(payload);
    bytes
}

/// A TCP header with the timestamp option, ACK set, and 18 bytes.
fn tcp() -> Vec<u8> {
    let mut bytes = vec![0x4e, 0x20, 1, 187, 0, 0, 0, 1, 0, 0, 0, 1, 0x80, 0x10, 1, 0, 0, 0, 0, 0];
    bytes.extend([1, 1, 8, 10, 0, 0, 0, 1, 0, 0, 0, 1]);
    bytes.extend([0; 18]);
    bytes
}

fn ethernet(kind: &[u8], packet: &[u8]) -> Vec<u8> {
    [&MACS, kind, packet].concat()
}

/// A frame of client number `client`'s flow: UDP over IPv4.
pub(super) fn frame(client: u32) -> Vec<u8> {
    ethernet(&[0x08, 0x00], &udp4(0x0a00_0000 | client, 40_000, &[0; 18]))
}

fn frames() -> [(&'static str, Vec<u8>); 5] {
    let udp = udp4(0x0a00_0007, 40_000, &[0; 18]);
    let tcp4 =
        [&[0x45, 0, 0, 70, 0, 0, 0x40, 0, 64, 6, 0, 0, 10, 0, 0, 7, 198, 19, 0, 1], &tcp()[..]];
    let mut ip6 = vec![0x60, 0, 0, 0, 0, 50, 6, 64];
    ip6.extend([[0x20, 1, 0xd, 0xb8], [0; 4], [0; 4], [0, 0, 0, 7]].concat());
    ip6.extend([[0x20, 1, 0xd, 0xb8], [0; 4], [0; 4], [0, 0, 1, 1]].concat());
    let vxlan = [&[8, 0, 0, 0, 0, 0, 7, 0][..], &frame(7)].concat();
    [
        ("UDP over IPv4", frame(7)),
        ("TCP over IPv4", ethernet(&[0x08, 0x00], &tcp4.concat())),
        ("UDP over IPv4, one VLAN tag", ethernet(&[0x81, 0, 0, 100, 8, 0], &udp)),
        ("TCP over IPv6", ethernet(&[0x86, 0xdd], &[ip6, tcp()].concat())),
        ("UDP over IPv4 in VXLAN", ethernet(&[8, 0], &udp4(0x0a00_0007, 4789, &vxlan))),
    ]
}

fn parse(frame: &[u8], out: &mut Parsed) -> bool {
    let length = u32::try_from(frame.len()).unwrap_or(u32::MAX);
    wire::parse(LinkType::Ethernet, 0, frame, length, out).is_ok()
}

pub(super) fn cases() -> Vec<Case> {
    let parse = |(name, frame): (&str, Vec<u8>)| {
        Case::new(format!("parse/{name}"), move || {
            let (frame, mut out) = (frame.clone(), Parsed::default());
            assert!(parse(&frame, &mut out), "a packet of a flow");
            move || {
                for _ in 0..OPERATIONS {
                    parse(black_box(&frame), &mut out);
                    black_box(&out);
                }
                OPERATIONS
            }
        })
    };
    let hash = Case::new("hash/a key", || {
        let (table, key) = (Weir::new(64), table::key(7));
        move || {
            for _ in 0..OPERATIONS {
                black_box(table.table.hash(black_box(&key)));
            }
            OPERATIONS
        }
    });
    frames().into_iter().map(parse).chain([hash]).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frames_are_what_their_names_say() {
        for (name, frame) in frames() {
            let mut out = Parsed::default();
            assert!(parse(&frame, &mut out), "{name}");
            let key = &out.key;
            assert_eq!(key.protocol() == 6, name.starts_with("TCP"), "{name}");
            assert_eq!(key.is_ipv6(), name.contains("IPv6"), "{name}");
            assert_eq!(key.vlan() != 0, name.contains("VLAN"), "{name}");
            assert_eq!(key.is_tunnelled(), name.contains("VXLAN"), "{name}");
        }
    }
}
