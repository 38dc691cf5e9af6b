//! Protocols of single vendors that are told by a mark, a length and a port, after captures.

use super::manage::starts;
use super::{BOTH, TCP, UDP, judged};
use crate::app::AppId;
use crate::reader::Reader;
use crate::view::{Dissector, First, Transport, View};

/// Ubiquiti device discovery.
pub(super) const UBNTAC2: Dissector = Dissector {
    app: AppId::UBNTAC2,
    over: UDP,
    ports: &[10001],
    ports_only: true,
    first: First::OneOf(&[1, 2]),
    run: |view, _| judged(view, AppId::UBNTAC2, is_ubiquiti(view.data)),
};

/// Canon printers.
pub(super) const BJNP: Dissector = Dissector {
    app: AppId::BJNP,
    over: UDP,
    ports: &[8611, 8612],
    ports_only: false,
    first: First::OneOf(b"BM"),
    run: |view, _| judged(view, AppId::BJNP, Some(is_bjnp(view.data))),
};

/// Cisco Meraki devices and their cloud.
pub(super) const MERAKI: Dissector = Dissector {
    app: AppId::MERAKI_CLOUD,
    over: UDP,
    ports: &[7351],
    ports_only: false,
    first: First::OneOf(&[0xfe]),
    run: |view, _| judged(view, AppId::MERAKI_CLOUD, starts(view.data, &[0xfe, 0xf7, 0x28, 0x91])),
};

/// Check Point high availability.
pub(super) const CPHA: Dissector = Dissector {
    app: AppId::CPHA,
    over: UDP,
    ports: &[8116],
    ports_only: true,
    first: First::OneOf(&[0x1a]),
    run: |view, _| judged(view, AppId::CPHA, starts(view.data, &[0x1a, 0x90])),
};

/// OICQ, the datagrams of QQ.
pub(super) const OICQ: Dissector = Dissector {
    app: AppId::OICQ,
    over: UDP,
    ports: &[8000, 8001, 4000],
    ports_only: true,
    first: First::OneOf(&[2]),
    run: |view, _| judged(view, AppId::OICQ, Some(is_oicq(view.data))),
};

/// HP virtual machine groups: type and length, each segment one message.
pub(super) const HP_VIRTGRP: Dissector = Dissector {
    app: AppId::HP_VIRTGRP,
    over: TCP,
    ports: &[5223],
    ports_only: true,
    first: First::OneOf(&[0x16, 0x17]),
    run: |view, _| judged(view, AppId::HP_VIRTGRP, is_virtgrp(view.data)),
};

/// Nest devices and their log collector.
pub(super) const NEST_LOG_SINK: Dissector = Dissector {
    app: AppId::NEST_LOG,
    over: TCP,
    ports: &[11095],
    ports_only: true,
    first: First::Any,
    run: |view, _| judged(view, AppId::NEST_LOG, is_nest(view.data)),
};

/// Alibaba Cloud's agents.
pub(super) const ALICLOUD: Dissector = Dissector {
    app: AppId::ALICLOUD_MESSAGE,
    over: TCP,
    ports: &[],
    ports_only: false,
    first: First::OneOf(&[0xce]),
    run: |view, _| judged(view, AppId::ALICLOUD_MESSAGE, is_alicloud(view.data)),
};

/// The Andrew file system's remote procedure calls (its header of 28 bytes).
pub(super) const RX: Dissector = Dissector {
    app: AppId::RX,
    over: UDP,
    ports: &[7000, 7001, 7002, 7003, 7004, 7005, 7006, 7007, 7008, 7009, 7021],
    ports_only: true,
    first: First::Any,
    run: |view, _| judged(view, AppId::RX, is_rx(view.data)),
};

/// Apple file sharing: the session layer under it (DSI).
pub(super) const AFP: Dissector = Dissector {
    app: AppId::AFP,
    over: TCP,
    ports: &[548],
    ports_only: true,
    first: First::OneOf(&[0, 1]),
    run: |view, _| judged(view, AppId::AFP, is_dsi(view.data)),
};

/// Lustre's network layer over sockets.
pub(super) const LUSTRE: Dissector = Dissector {
    app: AppId::LUSTRE,
    over: TCP,
    ports: &[988],
    ports_only: true,
    first: First::OneOf(&[0x00, 0xac, 0xc0, 0xc1]),
    run: |view, _| judged(view, AppId::LUSTRE, is_lustre(view.data)),
};

/// CORBA: GIOP over TCP (OMG formal/2021-11-02 part 2, section 9.4), MIOP over UDP.
pub(super) const CORBA: Dissector = Dissector {
    app: AppId::CORBA,
    over: BOTH,
    ports: &[],
    ports_only: false,
    first: First::OneOf(b"GM"),
    run: |view, _| judged(view, AppId::CORBA, is_corba(view)),
};

/// Library catalogues: the initialisation of Z39.50 (ANSI/NISO Z39.50-2003 section 4).
pub(super) const Z3950: Dissector = Dissector {
    app: AppId::Z3950,
    over: TCP,
    ports: &[210],
    ports_only: false,
    first: First::OneOf(&[0xb4, 0xb5]),
    run: |view, _| judged(view, AppId::Z3950, is_z3950(view.data)),
};

/// FLUTE: the file delivery table of an ALC session (RFC 6726 section 3.4).
pub(super) const FLUTE: Dissector = Dissector {
    app: AppId::FLUTE,
    over: UDP,
    ports: &[],
    ports_only: false,
    first: First::OneOf(&[0x10]),
    run: |view, _| judged(view, AppId::FLUTE, is_flute(view.data)),
};

/// File transfer by multicast (UFTP 4 and 5).
pub(super) const UFTP: Dissector = Dissector {
    app: AppId::UFTP,
    over: UDP,
    ports: &[1044],
    ports_only: true,
    first: First::OneOf(&[0x40, 0x50]),
    run: |view, _| judged(view, AppId::UFTP, is_uftp(view.data)),
};

/// Version, command, length, then fields of type and length.
fn is_ubiquiti(data: &[u8]) -> Option<bool> {
    let mut reader = Reader::new(data);
    let (version, command, length) = (reader.u8()?, reader.u8()?, reader.u16()?);
    let known = version == 1 && command == 0 || version == 2 && matches!(command, 6..=11);
    Some(known && usize::from(length) == reader.left())
}

/// `BJNP` (or `MFNP`), device, command, an error code and sequence, session, payload length.
fn is_bjnp(data: &[u8]) -> bool {
    let marked = data.starts_with(b"BJNP") || data.starts_with(b"MFNP");
    marked && data.len() >= 16 && matches!(data.get(4), Some(1 | 2 | 0x81 | 0x82))
}

fn is_oicq(data: &[u8]) -> bool {
    // The mark, version, command, sequence, QQ number, ... , the closing mark.
    let numbered = data.get(7..11).is_some_and(|number| *number != [0; 4]);
    let version = data.get(1).is_some_and(|high| *high < 0x40);
    numbered && version && data.len() >= 12 && data.last() == Some(&3)
}

fn is_virtgrp(data: &[u8]) -> Option<bool> {
    let mut reader = Reader::new(data);
    reader.skip(1)?;
    let (zero, length) = (reader.u8()?, reader.u8()?);
    if zero != 0 || length < 4 {
        return Some(false);
    }
    // Either the message ends with the segment, or the next one begins where it ends.
    match data.get(usize::from(length)) {
        Some(next) => Some(matches!(next, 0x16 | 0x17 | 0x30)),
        None => (usize::from(length) == data.len()).then_some(true),
    }
}

fn is_nest(data: &[u8]) -> Option<bool> {
    let mut reader = Reader::new(data);
    let (length, mark) = (reader.u16_le()?, reader.u16()?);
    Some(mark == 0x0013 && (16..=8192).contains(&length))
}

fn is_alicloud(data: &[u8]) -> Option<bool> {
    if !starts(data, &[0xce, 0xfa, 0xbe, 0xba])? {
        return Some(false);
    }
    let mut reader = Reader::new(data);
    reader.skip(4)?;
    Some(reader.u32_le()? < 0x0100_0000)
}

fn is_rx(data: &[u8]) -> Option<bool> {
    let mut reader = Reader::new(data);
    // Epoch, connection, call, sequence, serial.
    reader.skip(20)?;
    let (kind, flags, _status, security) = (reader.u8()?, reader.u8()?, reader.u8()?, reader.u8()?);
    reader.skip(4)?;
    Some((1..=13).contains(&kind) && flags & 0xc0 == 0 && security <= 4)
}

fn is_dsi(data: &[u8]) -> Option<bool> {
    let mut reader = Reader::new(data);
    let (flags, command) = (reader.u8()?, reader.u8()?);
    // Close, command, get status, open, tickle, write, attention.
    let known = flags <= 1 && matches!(command, 1..=6 | 8);
    if !known {
        return Some(false);
    }
    reader.skip(6)?;
    let (length, reserved) = (reader.u32()?, reader.u32()?);
    Some(length < 0x0100_0000 && reserved == 0)
}

fn is_lustre(data: &[u8]) -> Option<bool> {
    // The acceptor's mark, in either byte order, or a message type and a checksum that is off.
    if data.starts_with(&[0xc0, 0, 0, 0]) || data.starts_with(&[0xc1, 0, 0, 0]) {
        return Some(*data.get(4..24)? == [0; 20]);
    }
    let little = starts(data, &[0x00, 0x71, 0xce, 0xac]);
    let big = starts(data, &[0xac, 0xce, 0x71, 0x00]);
    if little == Some(false) { big } else { little }
}

fn is_corba(view: &View<'_>) -> Option<bool> {
    let mark: &[u8] = if view.transport == Transport::Tcp { b"GIOP" } else { b"MIOP" };
    if !starts(view.data, mark)? {
        return Some(false);
    }
    let mut reader = Reader::new(view.data);
    reader.skip(4)?;
    let (major, minor, _flags, kind) = if view.transport == Transport::Tcp {
        (reader.u8()?, reader.u8()?, reader.u8()?, reader.u8()?)
    } else {
        // Both versions share a byte.
        let version = reader.u8()?;
        (version >> 4, version & 0x0f, reader.u8()?, 0)
    };
    Some(major == 1 && minor <= 3 && kind <= 7)
}

/// Tag and length; protocol version and options, maybe behind the reference of the request.
fn is_z3950(data: &[u8]) -> Option<bool> {
    let mut reader = Reader::new(data);
    reader.skip(1)?;
    reader.skip(1)?;
    if reader.rest().first()? == &0x82 {
        reader.skip(1)?;
        let length = reader.u8()?;
        reader.skip(usize::from(length))?;
    }
    if reader.u8()? != 0x83 || reader.u8()? != 2 {
        return Some(false);
    }
    reader.skip(2)?;
    Some(reader.u8()? == 0x84)
}

/// LCT version 1 with 32-bit identifiers, transport object zero, then the extension that says
/// "this is a file delivery table" (RFC 6726 section 3.4.1) of FLUTE version 1 or 2.
fn is_flute(data: &[u8]) -> Option<bool> {
    let mut reader = Reader::new(data);
    let (_, flags, header_words) = (reader.u8()?, reader.u8()?, reader.u8()?);
    reader.skip(1 + 4 + 4)?;
    let has_table = flags & 0xf0 == 0x10 && header_words >= 4;
    if !has_table || reader.u32()? != 0 && reader.left() < 4 {
        return Some(false);
    }
    let extension = data.get(12..14)?;
    Some(matches!(extension, [0xc0, version] if matches!(version >> 4, 1 | 2)))
}

/// Version and reserved, function, sequence, source, message, group, instance.
fn is_uftp(data: &[u8]) -> Option<bool> {
    let mut reader = Reader::new(data);
    let (_, function) = (reader.u8()?, reader.u8()?);
    Some(matches!(function, 1..=24) && data.len() >= 20)
}
