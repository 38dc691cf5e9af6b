//! Tunnels above UDP and GRE. Each answers what lies within, or nothing where the bytes are not
//! those of the tunnel: then the outer flow is the frame's.

use super::key::Tunnel;
use super::rest::{Rest, be16};
use super::walk::Layer;

pub(super) const L2TP_PORT: u16 = 1701;
pub(super) const GTP_U_PORT: u16 = 2152;
pub(super) const VXLAN_PORT: u16 = 4789;
pub(super) const CAPWAP_PORT: u16 = 5247;
pub(super) const GENEVE_PORT: u16 = 6081;
/// What Linux took for VXLAN before a port was assigned.
pub(super) const VXLAN_OLD_PORT: u16 = 8472;
pub(super) const TZSP_PORT: u16 = 37008;

/// GTP-U extension headers that a packet may have.
const MAX_EXTENSIONS: usize = 8;

/// TZSP fields that a packet may have.
const MAX_FIELDS: usize = 32;

type Within<'a> = Option<(Tunnel, Layer, Rest<'a>)>;

/// What a UDP payload holds, by its ports (sender, receiver).
pub(super) fn over_udp(ports: (u16, u16), rest: Rest<'_>) -> Within<'_> {
    let either = |port| ports.0 == port || ports.1 == port;
    // These are sent to their port from any; answers come from a tunnel of their own.
    match ports.1 {
        VXLAN_PORT | VXLAN_OLD_PORT => return vxlan(rest),
        GENEVE_PORT => return geneve(rest),
        TZSP_PORT => return tzsp(rest),
        _ => {}
    }
    if either(GTP_U_PORT) {
        gtp_u(rest)
    } else if either(CAPWAP_PORT) {
        capwap(rest)
    } else if either(L2TP_PORT) {
        l2tp(rest)
    } else {
        None
    }
}

/// RFC 7348, section 5: flags with the I bit, and the identifier.
fn vxlan(rest: Rest<'_>) -> Within<'_> {
    let (head, rest) = rest.take::<8>()?;
    (head[0] & 0x08 != 0 && head[7] == 0).then_some((Tunnel::Vxlan, Layer::Ethernet, rest))
}

/// RFC 8926, section 3.4.
fn geneve(rest: Rest<'_>) -> Within<'_> {
    let (head, rest) = rest.take::<8>()?;
    let options = usize::from(head[0] & 0x3f) * 4;
    // Version 0, no control message.
    if head[0] & 0xc0 != 0 || head[1] & 0x80 != 0 {
        return None;
    }
    Some((Tunnel::Geneve, Layer::EtherType(be16(head[2], head[3])), rest.skip(options)?))
}

/// 3GPP TS 29.281, section 5: version 1, a G-PDU, and extension headers.
fn gtp_u(rest: Rest<'_>) -> Within<'_> {
    let (head, rest) = rest.take::<8>()?;
    if head[0] & 0xf0 != 0x30 || head[1] != 0xff {
        return None;
    }
    let mut rest = rest.limit(usize::from(be16(head[2], head[3])))?;
    if head[0] & 0x07 != 0 {
        let ([_, _, _, first], after) = rest.take::<4>()?;
        rest = after;
        let mut kind = if head[0] & 0x04 == 0 { 0 } else { *first };
        for _ in 0..MAX_EXTENSIONS {
            if kind == 0 {
                break;
            }
            let bytes = usize::from(*rest.bytes.first()?) * 4;
            kind = *rest.bytes.get(bytes.checked_sub(1)?)?;
            rest = rest.skip(bytes)?;
        }
        if kind != 0 {
            return None;
        }
    }
    Some((Tunnel::GtpU, Layer::Ip, rest))
}

/// RFC 2661, section 3.1: a data message, whose flags tell which fields there are.
fn l2tp(rest: Rest<'_>) -> Within<'_> {
    let ([flags, version], mut rest) = rest.take::<2>()?;
    if flags & 0x80 != 0 || version & 0x0f != 2 {
        return None;
    }
    let ids = 4;
    let length = if flags & 0x40 != 0 { 2 } else { 0 };
    let numbers = if flags & 0x08 != 0 { 4 } else { 0 };
    rest = rest.skip(length + ids + numbers)?;
    if flags & 0x02 != 0 {
        let ([a, b], after) = rest.take::<2>()?;
        rest = after.skip(usize::from(be16(*a, *b)))?;
    }
    Some((Tunnel::L2tp, Layer::Ppp, rest))
}

/// TZSP: version, type, encapsulation, and tagged fields up to an end tag.
fn tzsp(rest: Rest<'_>) -> Within<'_> {
    let ([version, kind, a, b], mut rest) = rest.take::<4>()?;
    // A packet received, or one to be sent.
    if *version != 1 || *kind > 1 {
        return None;
    }
    let layer = match be16(*a, *b) {
        1 => Layer::Ethernet,
        18 => Layer::Ieee80211,
        _ => return None,
    };
    for _ in 0..MAX_FIELDS {
        let ([tag], after) = rest.take::<1>()?;
        rest = after;
        match tag {
            0 => {}
            1 => return Some((Tunnel::Tzsp, layer, rest)),
            _ => {
                let ([bytes], after) = rest.take::<1>()?;
                rest = after.skip(usize::from(*bytes))?;
            }
        }
    }
    None
}

/// RFC 5415, section 4.3: the plain header (type 0; DTLS is 1), then 802.3 or the native frame.
fn capwap(rest: Rest<'_>) -> Within<'_> {
    let head = rest.peek::<8>()?;
    let header_bytes = usize::from(head[1] >> 3) * 4;
    let keep_alive = head[3] & 0x08 != 0;
    let piece = be16(head[6], head[7]) & 0xfff8 != 0;
    if head[0] != 0 || header_bytes < 8 || keep_alive || piece {
        return None;
    }
    let rest = rest.skip(header_bytes)?;
    if head[2] & 0x01 == 0 {
        return Some((Tunnel::Capwap, Layer::Ethernet, rest));
    }
    let [first, second] = *rest.peek::<2>()?;
    // Some controllers write the frame control's two bytes in the other order.
    let layer = if first & 0x0c != 0x08 && second & 0x0f == 0x08 {
        Layer::Ieee80211Swapped
    } else {
        Layer::Ieee80211
    };
    Some((Tunnel::Capwap, layer, rest))
}

/// GRE version 0 (RFC 2784, RFC 2890) and version 1 (RFC 2637, section 4.1).
pub(super) fn gre(rest: Rest<'_>) -> Within<'_> {
    let ([flags, version, a, b], rest) = rest.take::<4>()?;
    let field = |bit: u8, bytes: usize| if flags & bit != 0 { bytes } else { 0 };
    let number = be16(*a, *b);
    match version & 0x07 {
        0 => {
            // Source routes (RFC 1701) are of no use to anyone and not read.
            if flags & 0x40 != 0 {
                return None;
            }
            let rest = rest.skip(field(0x80, 4) + field(0x20, 4) + field(0x10, 4))?;
            let sequenced = flags & 0x10 != 0;
            let (layer, rest) = gre_payload(number, sequenced, rest)?;
            Some((Tunnel::Gre, layer, rest))
        }
        1 if number == 0x880b && flags & 0x20 != 0 => {
            let ([a, b, _, _], rest) = rest.take::<4>()?;
            let length = usize::from(be16(*a, *b));
            let acknowledged = if version & 0x80 != 0 { 4 } else { 0 };
            let rest = rest.skip(field(0x10, 4) + acknowledged)?;
            // An acknowledgement alone carries nothing.
            (length != 0).then_some((Tunnel::Gre, Layer::Ppp, rest.limit(length)?))
        }
        _ => None,
    }
}

/// Ethertypes, and Cisco's numbers that are none: ERSPAN
/// (draft-foschiano-erspan-03, section 4) and WCCP.
fn gre_payload(number: u16, sequenced: bool, rest: Rest<'_>) -> Option<(Layer, Rest<'_>)> {
    Some(match number {
        // Type I has no header and no sequence number, type II has both.
        0x88be if sequenced => (Layer::Ethernet, rest.skip(8)?),
        0x88be => (Layer::Ethernet, rest),
        0x22eb => {
            let (head, rest) = rest.take::<12>()?;
            let optional = if head[11] & 1 == 0 { 0 } else { 8 };
            (Layer::Ethernet, rest.skip(optional)?)
        }
        // Version 2 of WCCP has a header of four bytes, version 1 has none.
        0x883e if rest.bytes.first()? >> 4 == 4 => (Layer::Ipv4, rest),
        0x883e => (Layer::Ip, rest.skip(4)?),
        number => (Layer::EtherType(number), rest),
    })
}
