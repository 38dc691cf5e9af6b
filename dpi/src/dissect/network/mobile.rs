//! The mobile core: GTP control (3GPP TS 29.060 section 6, TS 29.274 section 5), GTP' (TS 32.295),
//! what is left of GTP user (TS 29.281), PFCP (TS 29.244 section 7.2).

use super::{UDP, judged};
use crate::app::AppId;
use crate::reader::Reader;
use crate::view::{Dissector, First};

/// GTP control.
pub(super) const GTP_C: Dissector = Dissector {
    app: AppId::GTP_C,
    over: UDP,
    ports: &[2123],
    ports_only: true,
    first: First::Ranges(&[(0x30, 0x37), (0x40, 0x5f)]),
    run: |view, _| judged(view, AppId::GTP_C, is_gtp_c(view.data)),
};

/// GTP user that the engine did not unwrap: echo requests, error indications.
pub(super) const GTP_U: Dissector = Dissector {
    app: AppId::GTP_U,
    over: UDP,
    ports: &[2152],
    ports_only: true,
    first: First::Ranges(&[(0x30, 0x37)]),
    run: |view, _| judged(view, AppId::GTP_U, is_gtp1(view.data)),
};

/// GTP', for charging.
pub(super) const GTP_PRIME: Dissector = Dissector {
    app: AppId::GTP_PRIME,
    over: UDP,
    ports: &[3386],
    ports_only: true,
    first: First::OneOf(&[0x0e, 0x0f, 0x2e, 0x2f, 0x4e, 0x4f]),
    run: |view, _| judged(view, AppId::GTP_PRIME, is_gtp_prime(view.data)),
};

/// PFCP.
pub(super) const PFCP: Dissector = Dissector {
    app: AppId::PFCP,
    over: UDP,
    ports: &[8805],
    ports_only: true,
    first: First::Ranges(&[(0x20, 0x27)]),
    run: |view, _| judged(view, AppId::PFCP, is_pfcp(view.data)),
};

fn is_gtp_c(data: &[u8]) -> Option<bool> {
    let version2 = data.first()? >> 5 == 2;
    if !version2 {
        return is_gtp1(data);
    }
    let mut reader = Reader::new(data);
    let (flags, kind, length) = (reader.u8()?, reader.u8()?, usize::from(reader.u16()?));
    // A second message may ride along (the P bit).
    let piggybacked = flags & 0x10 != 0;
    let fits = length == reader.left() || (piggybacked && length < reader.left());
    Some(kind != 0 && fits && length >= 4)
}

/// Version 1: the length counts what follows the first eight bytes.
fn is_gtp1(data: &[u8]) -> Option<bool> {
    let mut reader = Reader::new(data);
    let (flags, kind, length) = (reader.u8()?, reader.u8()?, usize::from(reader.u16()?));
    reader.skip(4)?;
    let has_options = flags & 0x07 != 0;
    Some(kind != 0 && length == reader.left() && (!has_options || length >= 4))
}

/// The header has six bytes, or twenty in version 0 without its short form.
fn is_gtp_prime(data: &[u8]) -> Option<bool> {
    let mut reader = Reader::new(data);
    let (flags, kind, length) = (reader.u8()?, reader.u8()?, usize::from(reader.u16()?));
    let header = if flags >> 5 == 0 && flags & 1 == 0 { 20 } else { 6 };
    let known = matches!(kind, 1..=7 | 240 | 241);
    Some(known && length + header == data.len())
}

fn is_pfcp(data: &[u8]) -> Option<bool> {
    let mut reader = Reader::new(data);
    let (flags, kind, length) = (reader.u8()?, reader.u8()?, usize::from(reader.u16()?));
    let has_session = flags & 0x01 != 0;
    let least = if has_session { 12 } else { 4 };
    let known = matches!(kind, 1..=15 | 50..=57);
    Some(known && length == reader.left() && length >= least)
}
