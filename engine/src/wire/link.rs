//! Link layers and what may lie between them and IP: tags, labels, PPP.

use super::link_type::LinkType;
use super::reason::Reason;
use super::rest::{Rest, be16};
use super::walk::{Layer, Next, State, first};

/// MPLS labels that a frame may have.
const MAX_LABELS: usize = 8;

/// The largest 802.3 length; larger numbers are ethertypes.
const MAX_LENGTH: u16 = 1500;

/// Ethernet II or IEEE 802.3.
pub(super) fn ethernet(rest: Rest<'_>) -> Result<Next<'_>, Reason> {
    let (head, rest) = rest.take::<14>().ok_or(Reason::LinkTruncated)?;
    Ok(by_type_or_length(be16(head[12], head[13]), rest))
}

fn by_type_or_length(number: u16, rest: Rest<'_>) -> Next<'_> {
    if number > MAX_LENGTH {
        return Next::Layer(Layer::EtherType(number), rest);
    }
    // A length beyond the frame is left to what lies within.
    Next::Layer(Layer::Llc, rest.limit(usize::from(number)).unwrap_or(rest))
}

/// The numbers are those of the IEEE's and IANA's ethertype registries.
pub(super) fn ether_type<'a>(
    number: u16,
    rest: Rest<'a>,
    state: &mut State,
) -> Result<Next<'a>, Reason> {
    match number {
        0x0800 => Ok(Next::Layer(Layer::Ipv4, rest)),
        0x86dd => Ok(Next::Layer(Layer::Ipv6, rest)),
        // IEEE 802.1Q, 802.1ad, and what came before the latter.
        0x8100 | 0x88a8 | 0x9100 | 0x9200 => {
            let ([a, b, c, d], rest) = rest.take::<4>().ok_or(Reason::VlanTruncated)?;
            let id = be16(*a, *b) & 0x0fff;
            // Id 0 is a priority alone.
            if id != 0 {
                state.vlan = id;
            }
            Ok(by_type_or_length(be16(*c, *d), rest))
        }
        0x8847 | 0x8848 => Ok(Next::Layer(Layer::Mpls, rest)),
        0x8864 => Ok(Next::Layer(Layer::Pppoe, rest)),
        0x880b => Ok(Next::Layer(Layer::Ppp, rest)),
        // Ethernet in Ethernet's own number: transparent bridging, or a provider's backbone.
        0x6558 => Ok(Next::Layer(Layer::Ethernet, rest)),
        0x8863 => Err(Reason::PppControl),
        0x0806 | 0x8035 => Err(Reason::Arp),
        0x88cc => Err(Reason::Lldp),
        _ => Err(Reason::NotIp),
    }
}

/// IEEE 802.2, and SNAP above it (RFC 1042).
pub(super) fn llc(rest: Rest<'_>) -> Result<Next<'_>, Reason> {
    let ([dsap, ssap, control], rest) = rest.take::<3>().ok_or(Reason::LinkTruncated)?;
    match (dsap, ssap, control) {
        (0xaa, 0xaa, 0x03) => {
            let (head, rest) = rest.take::<5>().ok_or(Reason::LinkTruncated)?;
            match [head[0], head[1], head[2]] {
                // RFC 1042, and 802.1H's for what cannot be told from a length.
                [0, 0, 0 | 0xf8] => Ok(Next::Layer(Layer::EtherType(be16(head[3], head[4])), rest)),
                _ => Err(Reason::LlcControl),
            }
        }
        (0x06, 0x06, 0x03) => Ok(Next::Layer(Layer::Ipv4, rest)),
        _ => Err(Reason::LlcControl),
    }
}

/// RFC 3032. What follows the labels is not said, so its first nibble decides, as RFC 4385 (control
/// word) and RFC 4928 (section 3) have it: an IP version, or zero before pseudowire Ethernet. The
/// control word may be left out, and many Ethernet addresses begin with zero as well: the ethertype
/// tells then.
pub(super) fn mpls(rest: Rest<'_>) -> Result<Next<'_>, Reason> {
    let mut rest = rest;
    for _ in 0..MAX_LABELS {
        let ([_, _, third, _], after) = rest.take::<4>().ok_or(Reason::MplsTruncated)?;
        rest = after;
        if third & 1 == 0 {
            continue;
        }
        let nibble = rest.bytes.first().ok_or(Reason::MplsTruncated)? >> 4;
        return Ok(match nibble {
            4 => Next::Layer(Layer::Ipv4, rest),
            6 => Next::Layer(Layer::Ipv6, rest),
            0 if !has_known_type(rest) => {
                Next::Layer(Layer::Ethernet, rest.skip(4).ok_or(Reason::MplsTruncated)?)
            }
            // The associated channel of a pseudowire.
            1 => return Err(Reason::NotIp),
            _ => Next::Layer(Layer::Ethernet, rest),
        });
    }
    Err(Reason::TagsTooMany)
}

/// Whether an Ethernet header here would have an ethertype of those that are common.
fn has_known_type(rest: Rest<'_>) -> bool {
    let number = rest.peek::<14>().map(|head| be16(head[12], head[13]));
    matches!(number, Some(0x0800 | 0x0806 | 0x86dd | 0x8100 | 0x88a8 | 0x8847 | 0x8864))
}

/// RFC 2516, section 4.
pub(super) fn pppoe(rest: Rest<'_>) -> Result<Next<'_>, Reason> {
    let (head, rest) = rest.take::<6>().ok_or(Reason::LinkTruncated)?;
    if head[0] != 0x11 || head[1] != 0 {
        return Err(Reason::PppControl);
    }
    let length = usize::from(be16(head[4], head[5]));
    ppp(rest.limit(length).unwrap_or(rest))
}

/// RFC 1661, section 2; the number may be one byte long (RFC 1661, section 6.5), and the address
/// and control bytes before it may be left out (RFC 1662, section 3.2).
pub(super) fn ppp(rest: Rest<'_>) -> Result<Next<'_>, Reason> {
    let rest = match rest.take::<2>() {
        Some(([0xff, 0x03], after)) => after,
        _ => rest,
    };
    let first = *rest.bytes.first().ok_or(Reason::LinkTruncated)?;
    let (number, rest) = if first & 1 == 1 {
        (u16::from(first), rest.skip(1).ok_or(Reason::LinkTruncated)?)
    } else {
        let ([a, b], rest) = rest.take::<2>().ok_or(Reason::LinkTruncated)?;
        (be16(*a, *b), rest)
    };
    match number {
        0x0021 => Ok(Next::Layer(Layer::Ipv4, rest)),
        0x0057 => Ok(Next::Layer(Layer::Ipv6, rest)),
        0x0281 | 0x0283 => Ok(Next::Layer(Layer::Mpls, rest)),
        // Network and link control protocols.
        0x8000.. => Err(Reason::PppControl),
        _ => Err(Reason::NotIp),
    }
}

/// PPP after a byte that is 0 for received and anything else for sent.
pub(super) fn ppp_with_direction(rest: Rest<'_>) -> Result<Next<'_>, Reason> {
    ppp(rest.skip(1).ok_or(Reason::LinkTruncated)?)
}

/// RFC 1662, section 3.1, or Cisco's: their address bytes differ.
pub(super) fn ppp_hdlc(rest: Rest<'_>) -> Result<Next<'_>, Reason> {
    match rest.bytes.first() {
        Some(0x0f | 0x8f) => c_hdlc(rest),
        _ => ppp(rest),
    }
}

/// Cisco HDLC (RFC 1547, section 4.3.1): address, control, ethertype.
pub(super) fn c_hdlc(rest: Rest<'_>) -> Result<Next<'_>, Reason> {
    let ([_, _, a, b], rest) = rest.take::<4>().ok_or(Reason::LinkTruncated)?;
    match be16(*a, *b) {
        // OSI protocols, padded by a byte.
        0xfefe => Err(Reason::LlcControl),
        number => Ok(Next::Layer(Layer::EtherType(number), rest)),
    }
}

/// The address family in one order or the other; IPv6's number depends on the system.
pub(super) fn null(rest: Rest<'_>) -> Result<Next<'_>, Reason> {
    let (head, rest) = rest.take::<4>().ok_or(Reason::LinkTruncated)?;
    let family = u32::from_be_bytes(*head).min(u32::from_le_bytes(*head));
    match family {
        2 => Ok(Next::Layer(Layer::Ipv4, rest)),
        10 | 24 | 28 | 30 => Ok(Next::Layer(Layer::Ipv6, rest)),
        _ => Err(Reason::NotIp),
    }
}

/// Linux cooked capture: the ethertype is at the header's end.
pub(super) fn linux_sll(rest: Rest<'_>) -> Result<Next<'_>, Reason> {
    let (head, rest) = rest.take::<16>().ok_or(Reason::LinkTruncated)?;
    cooked(be16(head[14], head[15]), rest)
}

/// Its second version: the ethertype is at the header's start.
pub(super) fn linux_sll2(rest: Rest<'_>) -> Result<Next<'_>, Reason> {
    let (head, rest) = rest.take::<20>().ok_or(Reason::LinkTruncated)?;
    cooked(be16(head[0], head[1]), rest)
}

fn cooked(number: u16, rest: Rest<'_>) -> Result<Next<'_>, Reason> {
    match number {
        // Linux's own number for 802.2 without a length.
        0x0004 => Ok(Next::Layer(Layer::Llc, rest)),
        0..=MAX_LENGTH => Err(Reason::NotIp),
        _ => Ok(Next::Layer(Layer::EtherType(number), rest)),
    }
}

/// Per-packet information: version, flags, length and link type, little-endian.
pub(super) fn ppi(rest: Rest<'_>) -> Result<Next<'_>, Reason> {
    let head = rest.peek::<8>().ok_or(Reason::LinkTruncated)?;
    let length = usize::from(u16::from_le_bytes([head[2], head[3]]));
    let number = u32::from_le_bytes([head[4], head[5], head[6], head[7]]);
    if length < 8 {
        return Err(Reason::LinkTruncated);
    }
    let rest = rest.skip(length).ok_or(Reason::LinkTruncated)?;
    match LinkType::from_dlt(number) {
        Some(link) => Ok(Next::Layer(first(link), rest)),
        None => Err(Reason::UnsupportedLink),
    }
}
