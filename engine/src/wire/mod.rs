//! Parsers: pure, slice in, header and rest out, or a one-byte reason.
//!
//! [`parse`] takes a frame as captured and answers which flow it belongs to and where its payload
//! is. Layers come off one by one until the innermost IP header with its ports is reached; a
//! tunnel that does not hold what it promises leaves the frame with the flow around it.
//!
//! Always: no input panics, reads out of bounds, or takes more than [`MAX_LAYERS`] steps.
//! Deliberately absent: checksums (the NIC saw to them, and captures of the sender's side have
//! none yet), reassembly (fragments only follow their datagram's flow), and Teredo, which is left
//! to recognition as a protocol of its own.

#![deny(clippy::indexing_slicing)]

mod fragments;
mod internet;
mod key;
mod link;
mod link_type;
mod parsed;
mod reason;
mod rest;
mod transport;
mod tunnel;
mod walk;
mod wifi;

#[cfg(test)]
mod tests;

pub use fragments::{FragmentCounters, Fragments};
pub use key::{FlowKey, Tunnel};
pub use link_type::LinkType;
pub use parsed::{Fragment, Parsed, TcpHead};
pub use reason::Reason;
pub use walk::{MAX_LAYERS, MAX_TUNNELS};

use key::Around;
use rest::be16;

/// Finds a frame's flow and its parts.
///
/// `stripped_vlan` is the tag (TCI) that the NIC took off the frame, 0 for none; `wire_bytes` is
/// what the frame had on the wire, which may be more than `bytes` holds. `out` is written only as
/// far as the frame was understood: after an error its content is of no meaning.
///
/// # Errors
/// The reason why the frame belongs to no flow.
#[inline]
pub fn parse(
    link: LinkType,
    stripped_vlan: u16,
    bytes: &[u8],
    wire_bytes: u32,
    out: &mut Parsed,
) -> Result<(), Reason> {
    if link == LinkType::Ethernet && parse_plain(stripped_vlan, bytes, out) {
        return Ok(());
    }
    walk::walk(link, stripped_vlan, bytes, wire_bytes, out)
}

/// The common case in one straight line: Ethernet, IPv4 without options and whole, TCP or UDP, no
/// tunnel. Says whether it was that; [`walk::walk`] is its plain twin and gives the same.
#[inline(always)]
fn parse_plain(stripped_vlan: u16, bytes: &[u8], out: &mut Parsed) -> bool {
    // 14 bytes of Ethernet, 20 of IPv4, 8 of UDP or the first of TCP.
    let Some(head) = bytes.first_chunk::<42>() else { return false };
    let total = usize::from(be16(head[16], head[17]));
    let pieces = be16(head[20], head[21]) & 0x3fff;
    if [head[12], head[13], head[14]] != [0x08, 0x00, 0x45]
        || pieces != 0
        || bytes.len() < 14 + total
    {
        return false;
    }
    let ports = (be16(head[34], head[35]), be16(head[36], head[37]));
    let (tcp, header_bytes, payload_bytes) = match head[23] {
        transport::TCP => {
            let Some(head) = bytes.first_chunk::<54>() else { return false };
            let tcp = transport::tcp_head(
                [head[38], head[39], head[40], head[41]],
                [head[42], head[43], head[44], head[45]],
                [head[46], head[47], head[48], head[49]],
            );
            let header_bytes = u16::from(tcp.header_bytes);
            if header_bytes < 20 || 20 + usize::from(header_bytes) > total {
                return false;
            }
            (tcp, header_bytes, total - 20 - usize::from(header_bytes))
        }
        transport::UDP => {
            if total < 28 || transport::is_tunnel_port(ports) {
                return false;
            }
            let says = usize::from(be16(head[38], head[39]));
            (TcpHead::default(), 8, transport::udp_payload_bytes(says, total - 28))
        }
        _ => return false,
    };
    let around = Around { vlan: stripped_vlan & 0x0fff, protocol: head[23], tunnel: Tunnel::None };
    let from = [head[26], head[27], head[28], head[29]];
    let to = [head[30], head[31], head[32], head[33]];
    let (key, swapped) = FlowKey::ipv4(ports, from, to, around);
    // No payload is longer than the IP length field can say.
    let payload_bytes = u32::try_from(payload_bytes).unwrap_or(0);
    *out = Parsed {
        key,
        tcp,
        fragment: Fragment::No,
        payload_bytes,
        payload_wire_bytes: payload_bytes,
        payload_at: 34 + header_bytes,
        ip_at: 14,
        l4_at: 34,
        datagram_at: 0,
        datagram_vlan: 0,
        ttl: head[22],
        swapped,
    };
    true
}
