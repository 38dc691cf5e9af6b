//! What lies above IP: ports where there are any, and the way into tunnels.

use super::key::{FlowKey, Tunnel};
use super::parsed::{Parsed, TcpHead};
use super::reason::Reason;
use super::rest::{Rest, be16};
use super::tunnel;
use super::walk::{Layer, Next, State};

pub(super) const TCP: u8 = 6;
pub(super) const UDP: u8 = 17;
const IPV4: u8 = 4;
const IPV6: u8 = 41;
const GRE: u8 = 47;

/// The ends of an IP packet, sender first.
#[derive(Clone, Copy, Debug)]
pub(super) enum Addresses<'a> {
    V4([u8; 4], [u8; 4]),
    V6(&'a [u8; 16], &'a [u8; 16]),
}

/// An IP packet without its header.
#[derive(Clone, Copy, Debug)]
pub(super) struct Datagram<'a> {
    pub(super) ip_at: usize,
    pub(super) addresses: Addresses<'a>,
    pub(super) protocol: u8,
    pub(super) ttl: u8,
    pub(super) traffic_class: u8,
    pub(super) body: Rest<'a>,
}

/// The fields of a TCP header (RFC 9293, section 3.1) from its fifth byte to its sixteenth,
/// a third of them at a time.
#[inline(always)]
pub(super) fn tcp_head(sequence: [u8; 4], acknowledgement: [u8; 4], rest: [u8; 4]) -> TcpHead {
    let [offset, flags, high, low] = rest;
    TcpHead {
        sequence: u32::from_be_bytes(sequence),
        acknowledgement: u32::from_be_bytes(acknowledgement),
        window: be16(high, low),
        flags,
        header_bytes: (offset >> 4) * 4,
    }
}

/// The ports of tunnels over UDP.
const TUNNEL_PORTS: [u16; 7] = [
    tunnel::L2TP_PORT,
    tunnel::GTP_U_PORT,
    tunnel::VXLAN_PORT,
    tunnel::CAPWAP_PORT,
    tunnel::GENEVE_PORT,
    tunnel::VXLAN_OLD_PORT,
    tunnel::TZSP_PORT,
];

/// A bit for what the low six bits of each of them are: most other ports fail at it.
const TUNNEL_PORT_BITS: u64 = {
    let [a, b, c, d, ..] = TUNNEL_PORTS;
    let [.., e, f, g] = TUNNEL_PORTS;
    1 << (a & 63)
        | 1 << (b & 63)
        | 1 << (c & 63)
        | 1 << (d & 63)
        | 1 << (e & 63)
        | 1 << (f & 63)
        | 1 << (g & 63)
};

/// Whether a UDP packet with one of these ports may be a tunnel's.
#[inline(always)]
pub(super) fn is_tunnel_port(ports: (u16, u16)) -> bool {
    let bits = TUNNEL_PORT_BITS >> (ports.0 & 63) | TUNNEL_PORT_BITS >> (ports.1 & 63);
    bits & 1 != 0 && (TUNNEL_PORTS.contains(&ports.0) || TUNNEL_PORTS.contains(&ports.1))
}

/// Payload of a UDP packet: what its length says (RFC 768), or all that IP gave it where that is
/// impossible.
#[inline(always)]
pub(super) const fn udp_payload_bytes(says: usize, available: usize) -> usize {
    if says >= 8 && says - 8 <= available { says - 8 } else { available }
}

/// Writes the flow of an IP packet, and goes on where a tunnel begins.
pub(super) fn transport<'a>(
    datagram: Datagram<'a>,
    later: bool,
    state: &mut State,
    out: &mut Parsed,
) -> Result<Next<'a>, Reason> {
    let body = datagram.body;
    if later {
        let end = Rest { bytes: &[], at: body.at, cut: 0, elsewhere: 0 };
        write(&datagram, (0, 0), TcpHead::default(), end, state, out)?;
        return Ok(Next::Done);
    }
    match datagram.protocol {
        TCP => {
            let (ports, head, payload) = tcp(body)?;
            write(&datagram, ports, head, payload, state, out)?;
            Ok(Next::Done)
        }
        UDP => {
            let (ports, payload) = udp(body)?;
            write(&datagram, ports, TcpHead::default(), payload, state, out)?;
            let within = is_tunnel_port(ports).then(|| tunnel::over_udp(ports, payload)).flatten();
            within.map_or(Ok(Next::Done), |within| state.enter(within))
        }
        protocol => {
            write(&datagram, (0, 0), TcpHead::default(), body, state, out)?;
            let outer_ipv4 = matches!(datagram.addresses, Addresses::V4(..));
            let within = match (protocol, outer_ipv4) {
                (IPV4, true) => Some((Tunnel::Ip4In4, Layer::Ipv4, body)),
                (IPV4, false) => Some((Tunnel::Ip4In6, Layer::Ipv4, body)),
                (IPV6, true) => Some((Tunnel::Ip6In4, Layer::Ipv6, body)),
                (IPV6, false) => Some((Tunnel::Ip6In6, Layer::Ipv6, body)),
                (GRE, _) => tunnel::gre(body),
                _ => None,
            };
            within.map_or(Ok(Next::Done), |within| state.enter(within))
        }
    }
}

/// RFC 9293, section 3.1.
fn tcp(body: Rest<'_>) -> Result<((u16, u16), TcpHead, Rest<'_>), Reason> {
    let head = body.peek::<20>().ok_or(Reason::TcpTruncated)?;
    let tcp = tcp_head(
        [head[4], head[5], head[6], head[7]],
        [head[8], head[9], head[10], head[11]],
        [head[12], head[13], head[14], head[15]],
    );
    let header_bytes = usize::from(tcp.header_bytes);
    if header_bytes < 20 || header_bytes > body.wire_bytes() {
        return Err(Reason::TcpBadHeader);
    }
    let payload = body.skip(header_bytes).ok_or(Reason::TcpTruncated)?;
    Ok(((be16(head[0], head[1]), be16(head[2], head[3])), tcp, payload))
}

/// RFC 768.
fn udp(body: Rest<'_>) -> Result<((u16, u16), Rest<'_>), Reason> {
    let (head, payload) = body.take::<8>().ok_or(Reason::UdpTruncated)?;
    let says = usize::from(be16(head[4], head[5]));
    let bytes = udp_payload_bytes(says, payload.wire_bytes());
    // The limit is within what the wire had, and what other pieces hold may belong to a tunnel.
    let limited = payload.limit(bytes).unwrap_or(payload);
    let payload = Rest { elsewhere: payload.elsewhere, ..limited };
    Ok(((be16(head[0], head[1]), be16(head[2], head[3])), payload))
}

fn write(
    datagram: &Datagram<'_>,
    ports: (u16, u16),
    tcp: TcpHead,
    payload: Rest<'_>,
    state: &mut State,
    out: &mut Parsed,
) -> Result<(), Reason> {
    let around = state.around(datagram.protocol);
    let mut key = FlowKey::default();
    let swapped = match datagram.addresses {
        Addresses::V4(from, to) => key.set_ipv4(ports, from, to, around),
        Addresses::V6(from, to) => key.set_ipv6(ports, from, to, around),
    };
    let place = |at: usize| u16::try_from(at).map_err(|_| Reason::TunnelTooDeep);
    let bytes = |count: usize| u32::try_from(count).unwrap_or(u32::MAX);
    *out = Parsed {
        key,
        tcp,
        fragment: state.fragment,
        datagram_id: state.datagram_id,
        payload_bytes: bytes(payload.bytes.len()),
        payload_wire_bytes: bytes(payload.wire_bytes()),
        payload_at: place(payload.at)?,
        ip_at: place(datagram.ip_at)?,
        l4_at: place(datagram.body.at)?,
        datagram_at: state.datagram_at,
        datagram_vlan: state.datagram_vlan,
        ttl: datagram.ttl,
        traffic_class: datagram.traffic_class,
        swapped,
    };
    state.found = true;
    Ok(())
}
