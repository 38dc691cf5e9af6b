//! The common case in one straight line: Ethernet with up to two VLAN tags, IPv4 without options or
//! IPv6 without extension headers, whole, TCP or UDP, no tunnel.
//!
//! [`super::walk::walk`] is its plain twin: it takes everything and gives the same. Worth it: of 400
//! instructions a packet that the walk takes, 90 are left (callgrind, frames with one tag).

use super::key::{Around, FlowKey, Tunnel};
use super::parsed::{Fragment, Parsed, TcpHead};
use super::rest::be16;
use super::transport;

/// What the headers before TCP or UDP said.
#[derive(Clone, Copy)]
struct Below {
    vlan: u16,
    protocol: u8,
    ttl: u8,
    traffic_class: u8,
    ip_at: u16,
    l4_at: u16,
}

/// Says whether the frame was of that kind; only then is `out` written.
#[inline(always)]
pub(super) fn parse(stripped_vlan: u16, bytes: &[u8], out: &mut Parsed) -> bool {
    let Some(head) = bytes.first_chunk::<22>() else { return false };
    let mut vlan = stripped_vlan & 0x0fff;
    let (mut kind, mut ip_at) = (be16(head[12], head[13]), 14);
    if is_tag(kind) {
        vlan = inner(vlan, be16(head[14], head[15]));
        (kind, ip_at) = (be16(head[16], head[17]), 18);
        if is_tag(kind) {
            vlan = inner(vlan, be16(head[18], head[19]));
            (kind, ip_at) = (be16(head[20], head[21]), 22);
        }
    }
    match (kind, bytes.get(usize::from(ip_at)..)) {
        (0x0800, Some(ip)) => ipv4(vlan, ip_at, ip, out),
        (0x86dd, Some(ip)) => ipv6(vlan, ip_at, ip, out),
        _ => false,
    }
}

#[inline(always)]
const fn is_tag(kind: u16) -> bool {
    matches!(kind, 0x8100 | 0x88a8)
}

/// Id 0 is a priority alone.
#[inline(always)]
const fn inner(outer: u16, tag: u16) -> u16 {
    if tag.trailing_zeros() >= 12 { outer } else { tag & 0x0fff }
}

#[inline(always)]
fn ipv4(vlan: u16, ip_at: u16, ip: &[u8], out: &mut Parsed) -> bool {
    let Some(head) = ip.first_chunk::<20>() else { return false };
    let total = usize::from(be16(head[2], head[3]));
    let pieces = be16(head[6], head[7]) & 0x3fff;
    if head[0] != 0x45 || pieces != 0 {
        return false;
    }
    let Some(l4) = ip.get(20..total) else { return false };
    let (protocol, ttl, traffic_class) = (head[9], head[8], head[1]);
    let below = Below { vlan, protocol, ttl, traffic_class, ip_at, l4_at: ip_at + 20 };
    transport(below, l4, out, |key, ports, around| {
        let from = [head[12], head[13], head[14], head[15]];
        let to = [head[16], head[17], head[18], head[19]];
        key.set_ipv4(ports, from, to, around)
    })
}

#[inline(always)]
fn ipv6(vlan: u16, ip_at: u16, ip: &[u8], out: &mut Parsed) -> bool {
    let Some((head, rest)) = ip.split_first_chunk::<40>() else { return false };
    let payload = usize::from(be16(head[4], head[5]));
    // A length of zero stands for a jumbogram, or for what an offload left to be filled in.
    if head[0] >> 4 != 6 || payload == 0 {
        return false;
    }
    let Some(l4) = rest.get(..payload) else { return false };
    let (protocol, ttl, traffic_class) = (head[6], head[7], head[0] << 4 | head[1] >> 4);
    let below = Below { vlan, protocol, ttl, traffic_class, ip_at, l4_at: ip_at + 40 };
    transport(below, l4, out, |key, ports, around| {
        let (Some(from), Some(to)) = (head[8..].first_chunk(), head[24..].first_chunk()) else {
            return key.set_ipv6(ports, &[0; 16], &[0; 16], around);
        };
        key.set_ipv6(ports, from, to, around)
    })
}

/// `l4` ends where the IP header says.
#[inline(always)]
fn transport(
    below: Below,
    l4: &[u8],
    out: &mut Parsed,
    set_key: impl FnOnce(&mut FlowKey, (u16, u16), Around) -> bool,
) -> bool {
    let Some(head) = l4.first_chunk::<8>() else { return false };
    let ports = (be16(head[0], head[1]), be16(head[2], head[3]));
    let (tcp, header_bytes, payload_bytes) = match below.protocol {
        transport::TCP => {
            let Some(head) = l4.first_chunk::<20>() else { return false };
            let tcp = transport::tcp_head(
                [head[4], head[5], head[6], head[7]],
                [head[8], head[9], head[10], head[11]],
                [head[12], head[13], head[14], head[15]],
            );
            let header_bytes = u16::from(tcp.header_bytes);
            if header_bytes < 20 || usize::from(header_bytes) > l4.len() {
                return false;
            }
            (tcp, header_bytes, l4.len() - usize::from(header_bytes))
        }
        transport::UDP => {
            if transport::is_tunnel_port(ports) {
                return false;
            }
            let says = usize::from(be16(head[4], head[5]));
            (TcpHead::default(), 8, transport::udp_payload_bytes(says, l4.len() - 8))
        }
        _ => return false,
    };
    let around = Around { vlan: below.vlan, protocol: below.protocol, tunnel: Tunnel::None };
    // No payload is longer than the IP length field can say.
    let payload_bytes = u32::try_from(payload_bytes).unwrap_or(0);
    let Parsed { key, swapped, .. } = out;
    *swapped = set_key(key, ports, around);
    out.tcp = tcp;
    out.fragment = Fragment::No;
    out.datagram_id = 0;
    out.payload_bytes = payload_bytes;
    out.payload_wire_bytes = payload_bytes;
    out.payload_at = below.l4_at + header_bytes;
    out.ip_at = below.ip_at;
    out.l4_at = below.l4_at;
    out.datagram_at = 0;
    out.datagram_vlan = 0;
    out.ttl = below.ttl;
    out.traffic_class = below.traffic_class;
    true
}
