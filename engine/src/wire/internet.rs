//! IPv4 (RFC 791) and IPv6 with its extension headers (RFC 8200).

use super::parsed::{Fragment, Parsed};
use super::reason::Reason;
use super::rest::{Rest, be16};
use super::transport::{self, Addresses, Datagram};
use super::walk::{Layer, Next, State};

/// IPv6 extension headers that a packet may have.
const MAX_EXTENSIONS: usize = 8;

/// More bytes than any datagram has: what a first fragment may lack of its datagram.
const UNKNOWN_REST: usize = 1 << 16;

const HOP_BY_HOP: u8 = 0;
const ROUTING: u8 = 43;
const FRAGMENT: u8 = 44;
const AUTHENTICATION: u8 = 51;
const DESTINATION: u8 = 60;

/// IP of either version.
pub(super) fn either(rest: Rest<'_>) -> Result<Next<'_>, Reason> {
    match rest.bytes.first().map(|byte| byte >> 4) {
        Some(4) => Ok(Next::Layer(Layer::Ipv4, rest)),
        Some(6) => Ok(Next::Layer(Layer::Ipv6, rest)),
        Some(_) => Err(Reason::IpVersion),
        None => Err(Reason::LinkTruncated),
    }
}

/// RFC 791, section 3.1.
pub(super) fn ipv4<'a>(
    rest: Rest<'a>,
    state: &mut State,
    out: &mut Parsed,
) -> Result<Next<'a>, Reason> {
    let head = rest.peek::<20>().ok_or(Reason::Ipv4Truncated)?;
    if head[0] >> 4 != 4 {
        return Err(Reason::IpVersion);
    }
    let header_bytes = usize::from(head[0] & 0x0f) * 4;
    let total = match usize::from(be16(head[2], head[3])) {
        // What a sender's kernel shows of a packet that the NIC will split.
        0 => rest.wire_bytes(),
        total => total,
    };
    if header_bytes < 20 || total < header_bytes {
        return Err(Reason::Ipv4BadHeader);
    }
    let packet = rest.limit(total).ok_or(Reason::Ipv4LengthBeyondFrame)?;
    let mut body = packet.skip(header_bytes).ok_or(Reason::Ipv4Truncated)?;
    let id = u32::from(be16(head[4], head[5]));
    let offset = be16(head[6], head[7]);
    let fragment = match (offset & 0x1fff != 0, offset & 0x2000 != 0) {
        (true, _) => Fragment::Later,
        (false, true) => Fragment::First,
        (false, false) => Fragment::No,
    };
    if fragment != Fragment::No {
        split((fragment, id), rest.at, &mut body, state)?;
    }
    let addresses = Addresses::V4(
        [head[12], head[13], head[14], head[15]],
        [head[16], head[17], head[18], head[19]],
    );
    let [_, traffic_class, ..] = *head;
    let (protocol, ttl) = (head[9], head[8]);
    let datagram = Datagram { ip_at: rest.at, addresses, protocol, ttl, traffic_class, body };
    transport::transport(datagram, fragment == Fragment::Later, state, out)
}

/// RFC 8200, section 3.
pub(super) fn ipv6<'a>(
    rest: Rest<'a>,
    state: &mut State,
    out: &mut Parsed,
) -> Result<Next<'a>, Reason> {
    let (head, body) = rest.take::<40>().ok_or(Reason::Ipv6Truncated)?;
    if head[0] >> 4 != 6 {
        return Err(Reason::IpVersion);
    }
    let mut body = match usize::from(be16(head[4], head[5])) {
        // A jumbogram (RFC 2675), or what a kernel shows of a packet that the NIC will split.
        0 if matches!(head[6], HOP_BY_HOP | transport::TCP | transport::UDP) => body,
        length => body.limit(length).ok_or(Reason::Ipv6LengthBeyondFrame)?,
    };
    let mut protocol = head[6];
    let mut later = false;
    for count in 0.. {
        let length = match protocol {
            HOP_BY_HOP | ROUTING | DESTINATION | AUTHENTICATION | FRAGMENT => {
                extension(protocol, body)?
            }
            _ => break,
        };
        if count == MAX_EXTENSIONS {
            return Err(Reason::Ipv6ExtensionsTooMany);
        }
        let (start, _) = body.take::<8>().ok_or(Reason::Ipv6Truncated)?;
        body = body.skip(length).ok_or(Reason::Ipv6Truncated)?;
        if protocol == FRAGMENT {
            later = ipv6_fragment(*start, rest.at, &mut body, state)?;
        }
        protocol = start[0];
        if later {
            break;
        }
    }
    let (addresses, ttl) = (Addresses::V6(source(head), destination(head)), head[7]);
    let traffic_class = head[0] << 4 | head[1] >> 4;
    let datagram = Datagram { ip_at: rest.at, addresses, protocol, ttl, traffic_class, body };
    transport::transport(datagram, later, state, out)
}

/// Length of an extension header (RFC 8200, section 4; RFC 4302, section 2.2).
fn extension(protocol: u8, body: Rest<'_>) -> Result<usize, Reason> {
    let [_, length] = *body.peek::<2>().ok_or(Reason::Ipv6Truncated)?;
    Ok(match protocol {
        FRAGMENT => 8,
        // Some four-byte units less two; a header of under eight bytes is none.
        AUTHENTICATION => (usize::from(length) + 2).max(2) * 4,
        _ => (usize::from(length) + 1) * 8,
    })
}

/// RFC 8200, section 4.5. Says whether this is a later fragment; one that is both the first and
/// the last (RFC 6946) is a whole datagram.
fn ipv6_fragment(
    start: [u8; 8],
    ip_at: usize,
    body: &mut Rest<'_>,
    state: &mut State,
) -> Result<bool, Reason> {
    let place = be16(start[2], start[3]);
    let id = u32::from_be_bytes([start[4], start[5], start[6], start[7]]);
    let later = place & 0xfff8 != 0;
    if later {
        split((Fragment::Later, id), ip_at, body, state)?;
    } else if place & 1 != 0 {
        split((Fragment::First, id), ip_at, body, state)?;
    }
    Ok(later)
}

/// Notes that the datagram is in pieces. What a first piece carries may end beyond the piece.
fn split(
    (fragment, id): (Fragment, u32),
    ip_at: usize,
    body: &mut Rest<'_>,
    state: &mut State,
) -> Result<(), Reason> {
    (state.fragment, state.datagram_id) = (fragment, id);
    state.datagram_at = u16::try_from(ip_at).map_err(|_| Reason::TunnelTooDeep)?;
    state.datagram_vlan = state.vlan;
    body.elsewhere = UNKNOWN_REST;
    Ok(())
}

fn source(head: &[u8; 40]) -> &[u8; 16] {
    head[8..].first_chunk().unwrap_or(&[0; 16])
}

fn destination(head: &[u8; 40]) -> &[u8; 16] {
    head[24..].first_chunk().unwrap_or(&[0; 16])
}
