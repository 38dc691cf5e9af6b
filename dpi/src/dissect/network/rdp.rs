//! Remote desktop: MS-RDPBCGR 2.2.1.1 and 2.2.1.2 (the X.224 connection request and confirm that
//! begin every session over TCP), MS-RDPEUDP 2.2 (the handshake of its UDP side).

use super::{TCP, UDP};
use crate::app::AppId;
use crate::attr;
use crate::dissect::web;
use crate::reader::Reader;
use crate::view::{Dissector, First, Notes, Outcome, View};

/// RDP over TCP.
pub(super) const RDP: Dissector = Dissector {
    app: AppId::RDP,
    over: TCP,
    ports: &[3389],
    ports_only: false,
    first: First::OneOf(&[3]),
    run: rdp,
};

/// RDP over UDP.
pub(super) const RDP_UDP: Dissector = Dissector {
    app: AppId::RDP,
    over: UDP,
    ports: &[3389],
    ports_only: true,
    first: First::Any,
    run: rdp_udp,
};

const CONNECTION_REQUEST: u8 = 0xe0;
const CONNECTION_CONFIRM: u8 = 0xd0;
/// Longest connection request: its length is one byte, and 255 is reserved.
const MAX_REQUEST: usize = 5 + 254;

fn rdp(view: &View<'_>, notes: &mut Notes<'_>) -> Outcome {
    let mut reader = Reader::new(view.data);
    // RFC 1006 section 6: version 3, reserved, length; then the X.224 length and type.
    let (Some(version), Some(reserved), Some(length)) = (reader.u8(), reader.u8(), reader.u16())
    else {
        return Outcome::NeedMore;
    };
    let length = usize::from(length);
    if version != 3 || reserved != 0 || !(11..=MAX_REQUEST).contains(&length) {
        return Outcome::NotMine;
    }
    let body = reader.take_up_to(length - 4);
    let mut reader = Reader::new(body);
    let (Some(indicator), Some(kind)) = (reader.u8(), reader.u8()) else {
        return Outcome::NeedMore;
    };
    let matches_frame = usize::from(indicator) == length - 5;
    if !matches_frame || !matches!(kind, CONNECTION_REQUEST | CONNECTION_CONFIRM) {
        return Outcome::NotMine;
    }
    if body.len() < length - 4 {
        return Outcome::NeedMore;
    }
    // Two references and the class, which is always zero here.
    if reader.skip(4).is_none() || reader.u8() != Some(0) {
        return Outcome::NotMine;
    }
    let outcome = if kind == CONNECTION_REQUEST {
        request(reader.rest(), view, notes)
    } else {
        confirm(reader, view, notes)
    };
    // Once TLS was chosen (MS-RDPBCGR 5.4.5), it follows in both directions.
    let chosen = notes.meta.get(&attr::RDP_SELECTED).is_some_and(|value| value.first() != Some(&0));
    match outcome {
        Outcome::Found { .. } if chosen => web::tls_inside(view, notes, length, AppId::RDP),
        other => other,
    }
}

/// A routing token or cookie ended by CR LF, then the negotiation request; each may be absent.
fn request(variable: &[u8], view: &View<'_>, notes: &mut Notes<'_>) -> Outcome {
    let mut rest = variable;
    let mut proof = false;
    if let Some(line) = variable.strip_prefix(b"Cookie: ") {
        let end = line.iter().position(|byte| *byte == b'\r').unwrap_or(line.len());
        let (cookie, after) = line.split_at(end);
        let name = cookie.strip_prefix(b"mstshash=").or_else(|| cookie.strip_prefix(b"msts="));
        notes.meta.put(&attr::RDP_COOKIE, name.unwrap_or(cookie));
        rest = after.strip_prefix(b"\r\n").unwrap_or(after);
        proof = name.is_some();
    }
    let mut reader = Reader::new(rest);
    let fields = (reader.u8(), reader.u8(), reader.u16_le(), reader.u32_le());
    if let (Some(1), Some(flags), Some(8), Some(protocols @ 0..=0x1f)) = fields
        && flags & !0x0b == 0
    {
        notes.meta.put_number(&attr::RDP_REQUESTED, u64::from(protocols));
        proof = true;
    }
    // The oldest clients send nothing at all, and then only the port tells.
    let bare = variable.is_empty() && view.port_is(3389);
    if proof || bare { Outcome::found_more(AppId::RDP) } else { Outcome::NotMine }
}

/// The negotiation response (type 2) or failure (type 3).
fn confirm(mut reader: Reader<'_>, view: &View<'_>, notes: &mut Notes<'_>) -> Outcome {
    if reader.left() == 0 && view.port_is(3389) {
        return Outcome::found(AppId::RDP);
    }
    let answer = (reader.u8(), reader.u8(), reader.u16_le(), reader.u32_le(), reader.left());
    let (Some(kind @ (2 | 3)), Some(flags), Some(8), Some(value @ 0..=0x1f), 0) = answer else {
        return Outcome::NotMine;
    };
    if kind == 2 {
        notes.meta.put_number(&attr::RDP_SELECTED, u64::from(value));
    } else if flags != 0 {
        return Outcome::NotMine;
    }
    Outcome::found(AppId::RDP)
}

/// The SYN of the UDP side: no sequence acknowledged yet, a receive window, flags, the first
/// sequence number and two MTUs, and padding up to the MTU, which is what the path is probed by.
/// Or, where the SYN was not seen, a data packet whose payload is the secure handshake.
fn rdp_udp(view: &View<'_>, _: &mut Notes<'_>) -> Outcome {
    let fits = parse_udp(view.data).unwrap_or(false);
    if fits { Outcome::found(AppId::RDP) } else { Outcome::NotMine }
}

fn parse_udp(data: &[u8]) -> Option<bool> {
    const SYN: u16 = 0x0001;
    const ACK: u16 = 0x0004;
    const DATA: u16 = 0x0008;
    // SYN, ACK, lossy, correlation, extended.
    const SYN_FLAGS: u16 = 0x1a05;
    let mut reader = Reader::new(data);
    let (acknowledged, window, flags) = (reader.u32()?, reader.u16()?, reader.u16()?);
    if flags & SYN != 0 {
        reader.skip(4)?;
        let mtus = [reader.u16()?, reader.u16()?];
        // MS-RDPEUDP 2.2.2.2: both MTUs lie between 1132 and 1232.
        let fits = mtus.iter().all(|mtu| (1132..=1232).contains(mtu)) && data.len() >= 1132;
        let first = acknowledged == u32::MAX || flags & ACK != 0;
        return Some(fits && first && window > 0 && flags & !SYN_FLAGS == 0);
    }
    if flags != ACK | DATA {
        return Some(false);
    }
    // The vector of what arrived (2.2.2.7), padded to four, then two sequence numbers.
    let elements = usize::from(reader.u16()?);
    reader.skip(elements + (elements + 2).wrapping_neg() % 4 + 8)?;
    // A TLS or DTLS handshake record.
    let (kind, major) = (reader.u8()?, reader.u8()?);
    Some(kind == 0x16 && matches!(major, 3 | 0xfe))
}
