//! Between routers: BFD (RFC 5880 section 4), HSRP (RFC 2281 section 5 and its version 2), RIP
//! (RFC 2453 section 4, RFC 2080 section 2), LDP (RFC 5036 section 3), LISP (RFC 9301 section 5),
//! DLEP (RFC 8175 section 11).

use super::{BOTH, TCP, UDP, judged};
use crate::app::AppId;
use crate::reader::Reader;
use crate::view::{Dissector, First, Transport, View};

/// Bidirectional forwarding detection: control, echo, multi-hop.
pub(super) const BFD: Dissector = Dissector {
    app: AppId::BFD,
    over: UDP,
    ports: &[3784, BFD_ECHO_PORT, 4784, 7784],
    ports_only: true,
    first: First::Any,
    run: |view, _| judged(view, AppId::BFD, is_bfd(view)),
};

/// Hot standby, versions 1 and 2, over IPv4 and IPv6.
pub(super) const HSRP: Dissector = Dissector {
    app: AppId::HSRP,
    over: UDP,
    ports: &[1985, 2029],
    ports_only: true,
    first: First::Ranges(&[(0, 4)]),
    run: |view, _| judged(view, AppId::HSRP, Some(is_hsrp(view.data))),
};

/// RIP versions 1 and 2, and the one for IPv6.
pub(super) const RIP: Dissector = Dissector {
    app: AppId::RIP,
    over: UDP,
    ports: &[520, 521],
    ports_only: true,
    first: First::OneOf(&[1, 2]),
    run: |view, _| judged(view, AppId::RIP, Some(is_rip(view.data))),
};

/// Label distribution.
pub(super) const LDP: Dissector = Dissector {
    app: AppId::LDP,
    over: BOTH,
    ports: &[646],
    ports_only: true,
    first: First::OneOf(&[0]),
    run: |view, _| judged(view, AppId::LDP, is_ldp(view)),
};

/// LISP control, and the reliable transport some vendors use for map registration.
pub(super) const LISP: Dissector = Dissector {
    app: AppId::LISP,
    over: BOTH,
    ports: &[4342],
    ports_only: true,
    first: First::Any,
    run: |view, _| judged(view, AppId::LISP, is_lisp(view)),
};

/// Dynamic link exchange: peer discovery carries the mark, sessions begin with an initialisation.
pub(super) const DLEP: Dissector = Dissector {
    app: AppId::DLEP,
    over: BOTH,
    ports: &[854],
    ports_only: true,
    first: First::OneOf(b"\x00D"),
    run: |view, _| judged(view, AppId::DLEP, is_dlep(view)),
};

/// The switch control protocol of the ONF (its version 1.5.1, section 7.1): a hello comes first.
pub(super) const OPENFLOW: Dissector = Dissector {
    app: AppId::OPENFLOW,
    over: TCP,
    ports: &[6653, 6633],
    ports_only: true,
    first: First::Ranges(&[(1, 6)]),
    run: |view, _| judged(view, AppId::OPENFLOW, is_openflow(view.data)),
};

const BFD_ECHO_PORT: u16 = 3785;

fn is_bfd(view: &View<'_>) -> Option<bool> {
    // What an echo holds is its sender's own affair; but it is sent to come back, so the sender
    // is the destination too (RFC 5881 section 4).
    if view.port_is(BFD_ECHO_PORT) {
        return Some(view.client.address == view.server.address);
    }
    let mut reader = Reader::new(view.data);
    let (first, flags, multiplier, length) =
        (reader.u8()?, reader.u8()?, reader.u8()?, reader.u8()?);
    let (mine, _yours) = (reader.u32()?, reader.u32()?);
    let has_authentication = flags & 0x04 != 0;
    let least = if has_authentication { 26 } else { 24 };
    Some(
        first >> 5 == 1
            && first & 0x1f <= 9
            && flags & 0x01 == 0
            && multiplier > 0
            && mine != 0
            && length >= least
            && usize::from(length) <= view.data.len(),
    )
}

fn is_hsrp(data: &[u8]) -> bool {
    match data {
        // Version 0, operation, state, hello and hold time.
        [0, 0..=3, 0 | 1 | 2 | 4 | 8 | 16, ..] => data.len() == 20 || data.len() == 50,
        // Version 2: fields of type and length; the group state comes first.
        [1, 40, 2, 0..=3, 0..=6, ..] => data.len() >= 42,
        [2..=4, length, ..] => data.len() > usize::from(*length) + 1 && *length >= 4,
        _ => false,
    }
}

fn is_rip(data: &[u8]) -> bool {
    // Command, version, two zeros, then entries of twenty bytes: at least one, and in IPv4 at
    // most 25.
    matches!(data, [1 | 2, 1 | 2, 0, 0, ..])
        && data.len() >= 24
        && (data.len() - 4).is_multiple_of(20)
}

fn is_ldp(view: &View<'_>) -> Option<bool> {
    let mut reader = Reader::new(view.data);
    let (version, length) = (reader.u16()?, reader.u16()?);
    let whole = view.transport == Transport::Tcp || usize::from(length) + 4 <= view.data.len();
    if version != 1 || length < 14 || !whole {
        return Some(false);
    }
    reader.skip(6)?;
    let (message, message_bytes) = (reader.u16()?, reader.u16()?);
    // Notification, hello, initialisation, keep-alive, address, label (section 3.5); the top bit
    // marks what may be ignored.
    let message = message & 0x7fff;
    let known = matches!(message, 0x0001 | 0x0100 | 0x0200..=0x0202 | 0x0300..=0x0301)
        || (0x0400..=0x0404).contains(&message);
    Some(known && message_bytes <= length - 10)
}

fn is_lisp(view: &View<'_>) -> Option<bool> {
    let mut reader = Reader::new(view.data);
    if view.transport == Transport::Tcp {
        // Type, length, message number (draft-ietf-lisp-map-server-reliable-transport).
        let (kind, length) = (reader.u16()?, reader.u16()?);
        return Some((16..=32).contains(&kind) && length >= 8);
    }
    let kind = reader.u8()? >> 4;
    // Request, reply, register, notify, acknowledge, referral, information, encapsulated.
    Some(matches!(kind, 1..=8) && view.data.len() >= 12)
}

fn is_dlep(view: &View<'_>) -> Option<bool> {
    let mut reader = Reader::new(view.data);
    if view.transport == Transport::Udp {
        let mark: [u8; 4] = reader.array()?;
        let (signal, length) = (reader.u16()?, reader.u16()?);
        return Some(
            mark == *b"DLEP" && matches!(signal, 1 | 2) && usize::from(length) == reader.left(),
        );
    }
    // Session initialisation or its response, then the heartbeat or status item in front.
    let (message, length) = (reader.u16()?, reader.u16()?);
    let (item, item_bytes) = (reader.u16()?, reader.u16()?);
    Some(
        matches!(message, 1 | 2)
            && (1..=32).contains(&item)
            && item_bytes.checked_add(4)? <= length,
    )
}

fn is_openflow(data: &[u8]) -> Option<bool> {
    let mut reader = Reader::new(data);
    reader.skip(1)?;
    let (kind, length) = (reader.u8()?, reader.u16()?);
    reader.skip(4)?;
    Some(kind <= 35 && length >= 8 && (kind != 0 || length <= 64))
}
