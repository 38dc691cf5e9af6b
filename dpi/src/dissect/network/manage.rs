//! Management of machines and services: RMCP and IPMI (DMTF DSP0136 section 3.2.1, IPMI 2.0
//! section 13), WS-Discovery (OASIS WS-DD 1.1), WHOIS (RFC 3912), precision time (IEEE 1588-2008
//! section 13.3), XDMCP (X.Org, version 1.1, section 3), the Checkmk agent.

use super::{BOTH, TCP, UDP, judged};
use crate::app::AppId;
use crate::attr;
use crate::reader::Reader;
use crate::view::{Dissector, First, Notes, Outcome, View};

/// RMCP, and IPMI in it.
pub(super) const RMCP: Dissector = Dissector {
    app: AppId::RMCP,
    over: UDP,
    ports: &[RMCP_PORT, 664],
    ports_only: false,
    first: First::OneOf(&[6]),
    run: |view, _| judged(view, AppId::RMCP, is_rmcp(view)),
};

/// Discovery of web services.
pub(super) const WSD: Dissector = Dissector {
    app: AppId::WSD,
    over: UDP,
    ports: &[3702],
    ports_only: true,
    first: First::OneOf(b"<"),
    run: |view, _| judged(view, AppId::WSD, Some(is_wsd(view.data))),
};

/// WHOIS.
pub(super) const WHOIS: Dissector = Dissector {
    app: AppId::WHOIS,
    over: TCP,
    ports: &[43, 4343],
    ports_only: true,
    first: First::Ranges(&[(b' ', b'~')]),
    run: whois,
};

/// Precision time, version 2.
pub(super) const PTP: Dissector = Dissector {
    app: AppId::PTP,
    over: UDP,
    ports: &[319, 320],
    ports_only: true,
    first: First::Any,
    run: |view, _| judged(view, AppId::PTP, is_ptp(view.data)),
};

/// The X display manager's control protocol.
pub(super) const XDMCP: Dissector = Dissector {
    app: AppId::XDMCP,
    over: UDP,
    ports: &[177],
    ports_only: true,
    first: First::OneOf(&[0]),
    run: |view, _| judged(view, AppId::XDMCP, is_xdmcp(view.data)),
};

/// The Checkmk agent, which begins with its first section's name.
pub(super) const CHECKMK: Dissector = Dissector {
    app: AppId::CHECKMK,
    over: TCP,
    ports: &[6556],
    ports_only: false,
    first: First::OneOf(b"<"),
    run: |view, _| judged(view, AppId::CHECKMK, starts(view.data, b"<<<check_mk>>>")),
};

/// The measurement probes of RIPE Atlas.
pub(super) const RIPE_ATLAS: Dissector = Dissector {
    app: AppId::RIPE_ATLAS,
    over: BOTH,
    ports: &[],
    ports_only: false,
    first: First::OneOf(b"M"),
    run: |view, _| judged(view, AppId::RIPE_ATLAS, starts(view.data, b"MGLNDD_")),
};

const RMCP_PORT: u16 = 623;
const MAX_WHOIS_LINE: usize = 256;

/// Whether `data` begins with `mark`; `None` while it is too short to say.
pub(super) fn starts(data: &[u8], mark: &[u8]) -> Option<bool> {
    let head = data.get(..mark.len()).unwrap_or(data);
    if !mark.starts_with(head) {
        return Some(false);
    }
    (head.len() == mark.len()).then_some(true)
}

fn is_rmcp(view: &View<'_>) -> Option<bool> {
    let mut reader = Reader::new(view.data);
    let (version, reserved, _sequence, class) =
        (reader.u8()?, reader.u8()?, reader.u8()?, reader.u8()?);
    if version != 6 || reserved != 0 {
        return Some(false);
    }
    let own_port = view.port_is(RMCP_PORT) || view.port_is(664);
    Some(match class {
        // ASF carries the number that IANA gave the ASF.
        0x06 => reader.u32()? == 0x11be,
        // IPMI: the authentication type, and in version 2 (6) the payload type; session,
        // sequence, length.
        0x07 => own_port && matches!(reader.u8()?, 0 | 1 | 2 | 4 | 5 | 6) && reader.left() >= 9,
        // Acknowledgements are the header alone.
        0x86 => own_port && reader.left() == 0,
        _ => false,
    })
}

fn is_wsd(data: &[u8]) -> bool {
    let head = data.get(..512).unwrap_or(data);
    head.windows(9).any(|window| window == b":Envelope") || head.starts_with(b"<Envelope")
}

/// The question: one line. What answers is free text and proves nothing.
fn whois(view: &View<'_>, notes: &mut Notes<'_>) -> Outcome {
    let end = view.data.iter().take(MAX_WHOIS_LINE).position(|byte| *byte == b'\n');
    let line = view.data.get(..end.unwrap_or(view.data.len())).unwrap_or_default();
    let is_text = line.iter().all(|byte| matches!(byte, b' '..=b'~' | b'\r' | 0x80..));
    if !view.from_client() || !is_text {
        return Outcome::NotMine;
    }
    match end {
        Some(_) => {
            notes.meta.put(&attr::WHOIS_QUERY, line.trim_ascii());
            Outcome::found(AppId::WHOIS)
        }
        None if line.len() < MAX_WHOIS_LINE => Outcome::NeedMore,
        None => Outcome::NotMine,
    }
}

fn is_ptp(data: &[u8]) -> Option<bool> {
    let mut reader = Reader::new(data);
    let (first, version, length) = (reader.u8()?, reader.u8()?, reader.u16()?);
    let known = matches!(first & 0x0f, 0..=3 | 8..=13);
    let fits = (34..=data.len()).contains(&usize::from(length));
    Some(known && version & 0x0f == 2 && fits)
}

fn is_xdmcp(data: &[u8]) -> Option<bool> {
    let mut reader = Reader::new(data);
    let (version, operation, length) = (reader.u16()?, reader.u16()?, reader.u16()?);
    Some(version == 1 && (1..=14).contains(&operation) && usize::from(length) == reader.left())
}
