//! The control of networks: clocks, routes, tunnels, sessions, addresses.

use crate::app::AppId;
use crate::dissect::session::text;
use crate::dissect::shape::{
    PortRow, Row, TCP, UDP, all_ports, alone, at, be16, be32, bound, by_port, by_prefix, check,
    count_ports, first_bytes, le32, on, table,
};
use crate::view::{Dissector, Notes, View};

pub(super) const STREAMS: Dissector =
    table(TCP, &FIRST, &[1790, 11_019], |view, notes| by_prefix(&ROWS, &FIRST, view, notes));

pub(super) const DATAGRAMS: Dissector =
    table(UDP, &DATAGRAM_FIRST, &[7, 9, 1719, 2002, 2048, 9875], |view, notes| {
        by_prefix(&DATAGRAM_ROWS, &DATAGRAM_FIRST, view, notes)
    });

pub(super) const STREAM_PORTS: Dissector =
    bound(TCP, &BOUND_PORTS, |view, notes| by_port(BOUND, view, notes));

pub(super) const DATAGRAM_PORTS: Dissector =
    bound(UDP, &DATAGRAM_BOUND_PORTS, |view, notes| by_port(DATAGRAM_BOUND, view, notes));

const ROWS: [Row; 1] = [check(AppId::BMP, b"\x03\0\0", bmp)];

const FIRST: [u8; ROWS.len()] = first_bytes(&ROWS);

const DATAGRAM_ROWS: [Row; 10] = [
    // Draft of the IETF's NTP group, section 5: the frame's magic, the message's length.
    check(AppId::ROUGHTIME, b"ROUGHTIM", |view, _| alone(view, le32(view.data, 8)? + 12)),
    check(AppId::WAKE_ON_LAN, b"\xff\xff\xff\xff\xff\xff", |view, _| Some(is_wake(view.data))),
    // Here I am, I see you, assignment, removal (WCCP 2.0 section 5.1): version, length.
    check(AppId::WCCP, b"\0\0\0", |view, _| {
        let [kind, major, minor] = at(view.data, 3)?;
        let known = matches!(kind, 10..=13) && major == 2 && minor <= 1;
        Some(known && alone(view, be16(view.data, 6)? + 8)?)
    }),
    // RFC 2974 section 3: version 1, a hash, the source, perhaps the kind, and SDP.
    check(AppId::SAP_ANNOUNCE, b"\x20\0", |view, _| Some(is_announcement(view.data))),
    check(AppId::SAP_ANNOUNCE, b"\x24\0", |view, _| Some(is_announcement(view.data))),
    check(AppId::SAP_ANNOUNCE, b"\x30\0", |view, _| Some(is_announcement(view.data))),
    // ITU-T H.225.0's registration: the protocol's object identifier among the first members.
    check(AppId::H323, b"\x02", |view, _| Some(is_ras(view.data))),
    check(AppId::H323, b"\x06", |view, _| Some(is_ras(view.data))),
    check(AppId::H323, b"\x0e", |view, _| Some(is_ras(view.data))),
    check(AppId::H323, b"\x12", |view, _| Some(is_ras(view.data))),
];

const DATAGRAM_FIRST: [u8; DATAGRAM_ROWS.len()] = first_bytes(&DATAGRAM_ROWS);

const BOUND: &[PortRow] = &[
    // RFC 8210 section 5: version, kind, session, length; a reset query has eight bytes.
    on(AppId::RPKI_RTR, &[323, 3323, 8282], |view, _| {
        let [version, kind] = at(view.data, 0)?;
        let length = be32(view.data, 4)?;
        let exact = match kind {
            2 | 3 | 8 => length == 8,
            0 | 1 => length == 12,
            7 => length == 24 || length == 12,
            _ => false,
        };
        Some(version <= 2 && exact)
    }),
    // RFC 5440 section 6.1 and 6.2: version 1, an open, the length; its object is of class 1.
    on(AppId::PCEP, &[4189], |view, _| {
        let [version, kind] = at(view.data, 0)?;
        let (length, object) = (be16(view.data, 2)?, *view.data.get(4)?);
        Some(version == 0x20 && kind == 1 && object == 1 && length >= 12 && length % 4 == 0)
    }),
    // RFC 3618 section 12: kind, length; an active source, or a keep-alive of three bytes.
    on(AppId::MSDP, &[639], |view, _| {
        let (kind, length) = (*view.data.first()?, be16(view.data, 1)?);
        Some(match kind {
            1..=3 => (8..=9192).contains(&length),
            4 => length == 3,
            _ => false,
        })
    }),
    // RFC 2748 section 2.1: version 1, an operation, the kind of client, the length.
    on(AppId::COPS, &[3288, 2748, 2126], |view, _| {
        let [version, operation] = at(view.data, 0)?;
        let length = be32(view.data, 4)?;
        let known = version & 0xfe == 0x10 && (1..=10).contains(&operation);
        Some(known && length % 4 == 0 && alone(view, length)?)
    }),
];

const BOUND_PORTS: [u16; count_ports(BOUND)] = all_ports(BOUND);

const DATAGRAM_BOUND: &[PortRow] = &[
    // Chrony's control: version 6, request or answer, two reserved bytes.
    on(AppId::CHRONY, &[323], |view, _| {
        Some(matches!(at(view.data, 0)?, [5 | 6, 1 | 2, 0, 0]) && view.data.len() >= 20)
    }),
    // RFC 3626 section 3.3: the datagram's length, its number, a kind of message and its size.
    on(AppId::OLSR, &[698], |view, _| {
        let (kind, size) = (*view.data.get(4)?, be16(view.data, 6)?);
        let exact = be16(view.data, 0)? == view.data.len();
        Some(exact && kind > 0 && (12..=view.data.len() - 4).contains(&size))
    }),
    // RFC 8966 section 4.2: a magic, version 2, the body's length.
    on(AppId::BABEL, &[6696], |view, _| {
        let [magic, version] = at(view.data, 0)?;
        Some(magic == 42 && version == 2 && be16(view.data, 2)? + 4 <= view.data.len())
    }),
    // Version 1, a group of at most 1023, the owner's address.
    on(AppId::GLBP, &[3222], |view, _| {
        Some(*view.data.first()? == 1 && be16(view.data, 2)? < 1024 && view.data.len() >= 40)
    }),
    // RFC 5412 section 3: no version yet, a radio, fragments, and a length that fits.
    on(AppId::LWAPP, &[12_222, 12_223], |view, _| {
        let flags = *view.data.first()?;
        Some(flags & 0xc0 == 0 && be16(view.data, 2)? + 6 == view.data.len())
    }),
    // RFC 7450 section 5.1: version 0, a kind of 1 to 7, whose lengths are fixed.
    on(AppId::AMT, &[2268], |view, _| {
        Some(match at(view.data, 0)? {
            [1, 0, 0, 0] | [3, _, 0, 0] => view.data.len() == 8,
            [2, 0, 0, 0] => matches!(view.data.len(), 12 | 24),
            [4..=7, ..] => view.data.len() > 8,
            _ => false,
        })
    }),
    // RFC 5944 section 3.3 and 3.4: a registration, its answer.
    on(AppId::MOBILE_IP, &[434], |view, _| {
        Some(match *view.data.first()? {
            1 => view.data.len() >= 24 && be16(view.data, 2)? > 0,
            3 => view.data.len() >= 20,
            _ => false,
        })
    }),
];

const DATAGRAM_BOUND_PORTS: [u16; count_ports(DATAGRAM_BOUND)] = all_ports(DATAGRAM_BOUND);

/// RFC 7854 section 4.1 and 4.3: version 3, a length, an initiation, whose first item is text.
fn bmp(view: &View<'_>, _: &mut Notes<'_>) -> Option<bool> {
    let (length, kind) = (be32(view.data, 1)?, *view.data.get(5)?);
    let (item, bytes) = (be16(view.data, 6)?, be16(view.data, 8)?);
    let text = view.data.get(10..)?;
    let text = text.get(..bytes).unwrap_or(text);
    Some(kind == 4 && item <= 2 && bytes > 0 && bytes + 10 <= length && text::is_text(text))
}

/// Six bytes of ones, then an address sixteen times, perhaps a password.
fn is_wake(data: &[u8]) -> bool {
    let Some(addresses) = data.get(6..102) else { return false };
    let (first, _) = addresses.split_at(6);
    matches!(data.len(), 102 | 106 | 108)
        && first != [0xff; 6]
        && addresses.chunks_exact(6).all(|address| address == first)
}

fn is_announcement(data: &[u8]) -> bool {
    let source = if data.first().is_some_and(|flags| flags & 0x10 != 0) { 16 } else { 4 };
    let Some(body) = data.get(4 + source..) else { return false };
    let body = body.strip_prefix(b"application/sdp\0").unwrap_or(body);
    body.starts_with(b"v=0\r\n") || body.starts_with(b"v=0\no=") || body.starts_with(b"o=")
}

/// `0.0.8.2250.0.` and a version of 1 to 8.
fn is_ras(data: &[u8]) -> bool {
    let head = data.get(..24).unwrap_or(data);
    head.windows(7).any(|window| matches!(window, [6, 0, 8, 0x91, 0x4a, 0, 1..=8]))
}

#[cfg(test)]
mod tests {
    use super::super::testing::{found, found_on};
    use super::*;
    use crate::dissect::testing::check_never;
    use crate::view::Direction::ToServer;
    use crate::view::Transport;

    #[test]
    fn clocks_and_wakers() {
        found_on(&DATAGRAM_PORTS, 323, AppId::CHRONY, &[&[6, 1, 0, 0][..], &[0; 100]].concat(), 2);
        let mut request = b"ROUGHTIM\x08\0\0\0".to_vec();
        request.resize(20, 7);
        found(&DATAGRAMS, AppId::ROUGHTIME, &request, 8);
        let mut wake = vec![0xff; 6];
        for _ in 0..16 {
            wake.extend_from_slice(&[0, 0x1b, 0x21, 1, 2, 3]);
        }
        found(&DATAGRAMS, AppId::WAKE_ON_LAN, &wake, 60);
    }

    #[test]
    fn routes() {
        found_on(&DATAGRAM_PORTS, 6696, AppId::BABEL, b"\x2a\x02\0\x08\x04\x06\0\0\0\x02\0\x90", 1);
        let hello = b"\0\x14\0\x01\x01\x86\0\x10\xc0\0\x02\x01\x01\0\0\x05\0\0\x05\x03";
        found_on(&DATAGRAM_PORTS, 698, AppId::OLSR, hello, 1);
        found_on(&STREAM_PORTS, 3323, AppId::RPKI_RTR, b"\x01\x02\0\0\0\0\0\x08", 7);
        found_on(
            &STREAM_PORTS,
            4189,
            AppId::PCEP,
            b"\x20\x01\0\x0c\x01\x10\0\x08\x20\x1e\x78\0",
            4,
        );
        found_on(&STREAM_PORTS, 639, AppId::MSDP, b"\x04\0\x03", 2);
        let decision = b"\x10\x09\0\0\0\0\0\x08";
        found_on(&STREAM_PORTS, 3288, AppId::COPS, decision, 7);
        let initiation = b"\x03\0\0\0\x12\x04\0\x02\0\x08router-1";
        found(&STREAMS, AppId::BMP, initiation, 5);
        let mut here = b"\0\0\0\x0a\x02\0\0\x04".to_vec();
        here.extend_from_slice(&[0; 4]);
        found(&DATAGRAMS, AppId::WCCP, &here, 4);
    }

    #[test]
    fn sessions() {
        let announced = b"\x20\0\x12\x34\xc0\0\x02\x01application/sdp\0v=0\r\no=- 1 1 IN IP4 x";
        found(&DATAGRAMS, AppId::SAP_ANNOUNCE, announced, 24);
        let discovery = b"\x02\0\x01\x06\0\x08\x91\x4a\0\x04\x01\xc0\0\x02\x01\x06\xb7";
        found(&DATAGRAMS, AppId::H323, discovery, 5);
        check_never(
            &DATAGRAMS,
            ToServer,
            Transport::Udp,
            b"\x20\0\x12\x34\xc0\0\x02\x01v=1",
            (1, 2),
        );
    }
}
