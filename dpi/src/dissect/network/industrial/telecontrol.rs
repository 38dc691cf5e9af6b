//! Telecontrol and metering: DNP3 (IEEE 1815 section 9.2), IEC 60870-5-104 (section 5),
//! synchrophasors (IEEE C37.118.2 section 6.2), DLMS/COSEM (IEC 62056-46 and -47), ANSI C12.22,
//! tank gauges.

use super::super::{BOTH, TCP, judged};
use super::crc;
use crate::app::AppId;
use crate::reader::Reader;
use crate::view::{Dissector, First, Transport, View};

/// DNP3: two fixed bytes and a checksum over the header.
pub(in super::super) const DNP3: Dissector = Dissector {
    app: AppId::DNP3,
    over: BOTH,
    ports: &[20000],
    ports_only: false,
    first: First::OneOf(&[0x05]),
    run: |view, _| judged(view, AppId::DNP3, is_dnp3(view.data)),
};

/// IEC 60870-5-104.
pub(in super::super) const IEC104: Dissector = Dissector {
    app: AppId::IEC60870,
    over: TCP,
    ports: &[IEC104_PORT],
    ports_only: false,
    first: First::OneOf(&[0x68]),
    run: |view, _| judged(view, AppId::IEC60870, is_iec104(view)),
};

/// Synchrophasors.
pub(in super::super) const C37118: Dissector = Dissector {
    app: AppId::C37118,
    over: BOTH,
    ports: &[4712, 4713],
    ports_only: false,
    first: First::OneOf(&[0xaa]),
    run: |view, _| judged(view, AppId::C37118, is_c37118(view)),
};

/// DLMS: HDLC frames or the wrapper.
pub(in super::super) const DLMS: Dissector = Dissector {
    app: AppId::DLMS,
    over: BOTH,
    ports: &[4059, 4060, 4061],
    ports_only: false,
    first: First::OneOf(&[0x7e, 0x00]),
    run: |view, _| judged(view, AppId::DLMS, is_dlms(view)),
};

/// ANSI C12.22: an association control unit of the American meters.
pub(in super::super) const C1222: Dissector = Dissector {
    app: AppId::C1222,
    over: BOTH,
    ports: &[1153],
    ports_only: true,
    first: First::OneOf(&[0x60]),
    run: |view, _| judged(view, AppId::C1222, is_c1222(view.data)),
};

/// Tank gauges (Veeder-Root TLS-350): start of header, then a function code.
pub(in super::super) const ATG: Dissector = Dissector {
    app: AppId::ATG,
    over: TCP,
    ports: &[10001],
    ports_only: false,
    first: First::OneOf(&[0x01]),
    run: |view, _| judged(view, AppId::ATG, is_atg(view.data)),
};

const IEC104_PORT: u16 = 2404;
/// Longest frame whose checksum is worth its price.
const MAX_CHECKED: usize = 256;

fn is_dnp3(data: &[u8]) -> Option<bool> {
    let mut reader = Reader::new(data);
    let header = reader.array::<8>();
    match data {
        [_] | [_, 0x64] => {}
        [_, 0x64, length, ..] if *length >= 5 => {}
        _ => return Some(false),
    }
    Some(crc::dnp3(&header?) == reader.u16_le()?)
}

fn is_iec104(view: &View<'_>) -> Option<bool> {
    let mut reader = Reader::new(view.data);
    reader.skip(1)?;
    let length = reader.u8()?;
    if !(4..=253).contains(&length) {
        return Some(false);
    }
    let control: [u8; 4] = reader.array()?;
    let own_port = view.port_is(IEC104_PORT);
    Some(match control {
        // Unnumbered: start, stop, test, each asked or confirmed.
        [0x07 | 0x0b | 0x13 | 0x23 | 0x43 | 0x83, 0, 0, 0] => length == 4,
        // Supervisory: the number received.
        [0x01, 0, low, _] => length == 4 && low & 1 == 0 && own_port,
        // Numbered, with a unit of data: type, count, cause, address.
        [sent, _, received, _] if sent & 1 == 0 && received & 1 == 0 => {
            let (kind, _count, cause) = (reader.u8()?, reader.u8()?, reader.u8()?);
            let known = matches!(kind, 1..=70 | 100..=127) && (1..=47).contains(&(cause & 0x3f));
            known && length >= 10 && own_port
        }
        _ => false,
    })
}

/// Mark, frame type and version, size, ..., checksum.
fn is_c37118(view: &View<'_>) -> Option<bool> {
    let mut reader = Reader::new(view.data);
    reader.skip(1)?;
    let kind = reader.u8()?;
    let size = usize::from(reader.u16()?);
    if kind & 0x80 != 0 || kind >> 4 > 5 || !(1..=3).contains(&(kind & 0x0f)) || size < 16 {
        return Some(false);
    }
    let own_port = view.port_is(4712) || view.port_is(4713);
    if size > MAX_CHECKED {
        return Some(own_port);
    }
    let (body, checksum) = view.data.get(..size)?.split_last_chunk::<2>()?;
    Some(crc::ccitt(body) == u16::from_be_bytes(*checksum))
}

fn is_dlms(view: &View<'_>) -> Option<bool> {
    let mut reader = Reader::new(view.data);
    if reader.u8()? == 0x7e {
        // Format type 3 in four bits, segmentation, length of all between the flags.
        let format = reader.u16()?;
        let length = usize::from(format & 0x07ff);
        if format >> 12 != 0xa || !(7..=MAX_CHECKED).contains(&length) {
            return Some(false);
        }
        let (body, checksum) = view.data.get(1..=length)?.split_last_chunk::<2>()?;
        let closed = *view.data.get(length + 1)? == 0x7e;
        return Some(closed && crc::hdlc(body) == u16::from_le_bytes(*checksum));
    }
    // The wrapper: version, both ports, length.
    if ![4059, 4060, 4061].iter().any(|port| view.port_is(*port)) {
        return Some(false);
    }
    reader.skip(1)?;
    let (source, target) = (reader.u16()?, reader.u16()?);
    let length = usize::from(reader.u16()?);
    let whole = view.transport == Transport::Tcp || length == reader.left();
    let starts = view.data.starts_with(&[0, 1]);
    Some(starts && whole && length > 0 && source != 0 && target != 0)
}

/// The called or calling application's title comes first, as an object identifier or a short form.
fn is_c1222(data: &[u8]) -> Option<bool> {
    let mut reader = Reader::new(data);
    reader.skip(1)?;
    let length = match reader.u8()? {
        short @ ..=0x7f => usize::from(short),
        0x81 => usize::from(reader.u8()?),
        0x82 => usize::from(reader.u16()?),
        _ => return Some(false),
    };
    let (tag, inner) = (reader.u8()?, reader.u8()?);
    Some(matches!(tag, 0xa1 | 0xa2 | 0xa4 | 0xa6) && usize::from(inner) + 2 <= length)
}

fn is_atg(data: &[u8]) -> Option<bool> {
    let mut reader = Reader::new(data);
    reader.skip(1)?;
    // `I` asks, `S` sets; three digits of function, two of device.
    let kind = reader.u8()?;
    if !matches!(kind, b'I' | b'i' | b'S' | b's') {
        return Some(false);
    }
    let digits: [u8; 5] = reader.array()?;
    Some(digits.iter().all(u8::is_ascii_alphanumeric) && digits.last()?.is_ascii_digit())
}
