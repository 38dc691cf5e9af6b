//! Laboratories, hospitals, robots: HiSLIP (IVI-6.1 section 2.4), HL7 in its minimal lower layer,
//! RTPS of the data distribution service (OMG DDSI-RTPS 2.5 section 9.4).

use super::super::manage::starts;
use super::super::{BOTH, TCP, judged};
use crate::app::AppId;
use crate::reader::Reader;
use crate::view::{Dissector, First};

/// HiSLIP.
pub(in super::super) const HISLIP: Dissector = Dissector {
    app: AppId::HISLIP,
    over: TCP,
    ports: &[4880],
    ports_only: false,
    first: First::OneOf(b"H"),
    run: |view, _| judged(view, AppId::HISLIP, is_hislip(view.data)),
};

/// HL7 version 2.
pub(in super::super) const HL7: Dissector = Dissector {
    app: AppId::HL7,
    over: TCP,
    ports: &[2575],
    ports_only: false,
    first: First::OneOf(&[0x0b]),
    run: |view, _| judged(view, AppId::HL7, starts(view.data, b"\x0bMSH|")),
};

/// RTPS.
pub(in super::super) const RTPS: Dissector = Dissector {
    app: AppId::RTPS,
    over: BOTH,
    ports: &[7400, 7401, 7410, 7411],
    ports_only: false,
    first: First::OneOf(b"R"),
    run: |view, _| judged(view, AppId::RTPS, is_rtps(view.data)),
};

/// `HS`, message type, control code, parameter, length of the payload.
fn is_hislip(data: &[u8]) -> Option<bool> {
    if !starts(data, b"HS")? {
        return Some(false);
    }
    let mut reader = Reader::new(data);
    reader.skip(2)?;
    let kind = reader.u8()?;
    reader.skip(1 + 4)?;
    let length = reader.u64()?;
    Some((kind <= 37 || kind >= 128) && length < 1 << 32)
}

fn is_rtps(data: &[u8]) -> Option<bool> {
    if !starts(data, b"RTP")? {
        return Some(false);
    }
    let mut reader = Reader::new(data);
    reader.skip(3)?;
    let (kind, major, minor) = (reader.u8()?, reader.u8()?, reader.u8()?);
    Some(matches!(kind, b'S' | b'X') && (1..=2).contains(&major) && minor <= 10)
}
