//! Controllers in plants: what engineering stations and controllers say first. Magics and fixed
//! fields are those of the vendors' published references and of open implementations.

use crate::app::AppId;
use crate::dissect::shape::{
    PortRow, Row, TCP, UDP, all_ports, alone, at, be16, be32, bound, by_port, by_prefix, check,
    count_ports, first_bytes, le16, le32, on, row, table,
};
use crate::view::{Dissector, Notes, View};

pub(super) const STREAMS: Dissector = table(
    TCP,
    &FIRST,
    &[1911, 1962, 4911, 5007, 8193, 9600, 11_740, 20_256, 48_898],
    |view, notes| by_prefix(&ROWS, &FIRST, view, notes),
);

pub(super) const DATAGRAMS: Dissector =
    table(UDP, &DATAGRAM_FIRST, &[5006, 13_400, 48_899], |view, notes| {
        by_prefix(&DATAGRAM_ROWS, &DATAGRAM_FIRST, view, notes)
    });

pub(super) const STREAM_PORTS: Dissector =
    bound(TCP, &BOUND_PORTS, |view, notes| by_port(BOUND, view, notes));

pub(super) const DATAGRAM_PORTS: Dissector =
    bound(UDP, &DATAGRAM_BOUND_PORTS, |view, notes| by_port(DATAGRAM_BOUND, view, notes));

const ROWS: [Row; 15] = [
    // Omron: the length of what follows, a command, an error.
    check(AppId::FINS, b"FINS", |view, _| {
        let (length, command) = (be32(view.data, 4)?, be32(view.data, 8)?);
        Some((8..1 << 14).contains(&length) && command <= 0x16 && be32(view.data, 12)? <= 0x25)
    }),
    // Mitsubishi: request and answer of frames 3E and 4E.
    check(AppId::SLMP, b"\x50\0", |view, _| slmp(view, 2)),
    check(AppId::SLMP, b"\xd0\0", |view, _| slmp(view, 2)),
    check(AppId::SLMP, b"\x54\0", |view, _| slmp(view, 6)),
    check(AppId::SLMP, b"\xd4\0", |view, _| slmp(view, 6)),
    check(AppId::MELSOFT, b"\x57\0", |view, _| {
        Some(at(view.data, 5)? == [0x11, 0x11, 7] && at(view.data, 10)? == [0xff, 0xff, 3])
    }),
    // CODESYS 3's block driver: a magic, the length of all.
    check(AppId::CODESYS, b"\0\x01\x17\xe8", |view, _| {
        Some((8..4096).contains(&le32(view.data, 4)?))
    }),
    check(AppId::CODESYS, b"\xe8\x17\x01\0", |view, _| {
        Some((8..4096).contains(&le32(view.data, 4)?))
    }),
    check(AppId::ADS, b"\0\0", ads),
    // Tridium: a session in text.
    row(AppId::NIAGARA_FOX, b"fox a "),
    // Phoenix Contact: a kind, a length, a station.
    check(AppId::PCWORX, b"\x01\x01\0", |view, _| {
        let length = usize::from(*view.data.get(3)?);
        Some(matches!(at(view.data, 4)?, [0, 0, 0, 0, 0x78, 0x80]) && alone(view, length)?)
    }),
    check(AppId::FOCAS, b"\xa0\xa0\xa0\xa0\0", |view, _| {
        // FANUC: version 1 to 4, a kind, the length of what follows.
        let [version, kind, _] = at(view.data, 5)?;
        Some((1..=4).contains(&version) && kind <= 0x21 && alone(view, be16(view.data, 8)? + 10)?)
    }),
    check(AppId::DOIP, b"\x02\xfd", |view, _| doip(view)),
    check(AppId::DOIP, b"\x03\xfc", |view, _| doip(view)),
    check(AppId::V2G, b"\x01\xfe", v2g),
];

const FIRST: [u8; ROWS.len()] = first_bytes(&ROWS);

const DATAGRAM_ROWS: [Row; 9] = [
    check(AppId::SLMP, b"\x50\0", |view, _| slmp(view, 2)),
    check(AppId::SLMP, b"\xd0\0", |view, _| slmp(view, 2)),
    check(AppId::SLMP, b"\x54\0", |view, _| slmp(view, 6)),
    check(AppId::SLMP, b"\xd4\0", |view, _| slmp(view, 6)),
    // Beckhoff's discovery: a magic, no number yet, a service.
    check(AppId::ADS, b"\x03\x66\x14\x71", |view, _| Some(view.data.len() >= 12)),
    check(AppId::DOIP, b"\x02\xfd", |view, _| doip(view)),
    check(AppId::DOIP, b"\x03\xfc", |view, _| doip(view)),
    check(AppId::DOIP, b"\xff\0", |view, _| doip(view)),
    check(AppId::V2G, b"\x01\xfe", v2g),
];

const DATAGRAM_FIRST: [u8; DATAGRAM_ROWS.len()] = first_bytes(&DATAGRAM_ROWS);

const BOUND: &[PortRow] = &[
    // GE: frames of 56 bytes; the first is all zeros, its answer 1, then requests and answers.
    on(AppId::GE_SRTP, &[18_245, 18_246], |view, _| {
        let head = view.data.get(..56)?;
        let (kind, rest) = head.split_first()?;
        Some(match kind {
            0 => rest.iter().all(|byte| *byte == 0),
            1 => rest.iter().filter(|byte| **byte != 0).count() <= 4,
            2 | 3 => matches!(rest, [0, _, 0, ..]),
            _ => false,
        })
    }),
    // Red Lion: a length, a register, then what is read.
    on(AppId::CRIMSON, &[789], |view, _| {
        let length = be16(view.data, 0)?;
        Some(*view.data.get(2)? == 1 && length >= 4 && alone(view, length + 2)?)
    }),
    // KW-Software: a mark, a kind, no status.
    on(AppId::PROCONOS, &[20_547], |view, _| {
        Some(matches!(at(view.data, 0)?, [0xcc, 0 | 1, 0, 4..=64]))
    }),
    // CODESYS 2: a mark, the length of what follows in either order.
    on(AppId::CODESYS, &[1200, 1201, 2455, 11_740], |view, _| {
        let mark = at(view.data, 0)? == [0xbb, 0xbb];
        let length = (be32(view.data, 2)?, le32(view.data, 2)?);
        let there = view.data.len() - 6;
        Some(mark && (length.0 == there || length.1 == there))
    }),
    // Unitronics: a number, 101 or 102 for text or binary, the length of what follows.
    on(AppId::PCOM, &[20_256, 20_257], |view, _| {
        let [kind, zero] = at(view.data, 2)?;
        let exact = alone(view, le16(view.data, 4)? + 6)?;
        let begins = match kind {
            0x65 => matches!(view.data.get(6)?, b'/'),
            0x66 => view.data.get(6..11)? == b"/_OPL",
            _ => false,
        };
        Some(zero == 0 && exact && begins)
    }),
    // Emerson's flow computers.
    on(AppId::ROC_PLUS, &[4000], |view, _| {
        // Four bytes of units and groups, an operation, the length; the sum behind it.
        let [_, _, _, _, operation, length] = at(view.data, 0)?;
        let end = 6 + usize::from(length);
        let body = view.data.get(..end)?;
        let known = matches!(operation, 6..=8 | 10 | 11 | 17 | 24 | 50 | 100..=167 | 180 | 181);
        Some(known && crc16(body) == le16(view.data, end)? && alone(view, end + 2)?)
    }),
    on(AppId::SCPI, &[5025, 5555], |view, _| {
        let upper = view.data.get(..5)?;
        Some(upper.eq_ignore_ascii_case(b"*IDN?") || upper.eq_ignore_ascii_case(b"*RST\n"))
    }),
];

const BOUND_PORTS: [u16; count_ports(BOUND)] = all_ports(BOUND);

const DATAGRAM_BOUND: &[PortRow] = &[
    // Omron: request or answer, no gateway passed, seven bytes of addresses, a command.
    on(AppId::FINS, &[9600], |view, _| {
        let [control, reserved, gateways] = at(view.data, 0)?;
        let command = *view.data.get(10)?;
        Some(
            control & 0x3e == 0
                && control & 0x80 != 0
                && reserved == 0
                && gateways <= 7
                && command <= 0x26,
        )
    }),
    // CODESYS 3's router: a magic, hops and how the addresses are counted.
    on(AppId::CODESYS, &[1740, 1741, 1742, 1743], |view, _| {
        Some(*view.data.first()? == 0xc5 && view.data.len() >= 10)
    }),
    on(AppId::DELTAV, &[18_507, 18_508, 18_509, 18_510], |view, _| {
        Some(at(view.data, 0)? == [0xfa, 0xce] && be16(view.data, 2)? <= view.data.len())
    }),
    // Moxa: asking for device servers, and their answer with the same kind and the length.
    on(AppId::MOXA, &[4800], |view, _| {
        let (kind, length) = (*view.data.first()?, be16(view.data, 2)?);
        Some(matches!(kind, 1 | 0x81) && *view.data.get(1)? == 0 && length == view.data.len())
    }),
    // Lantronix: asking and answers of the setup port.
    on(AppId::LANTRONIX, &[30_718], |view, _| {
        Some(at(view.data, 0)? == [0, 0, 0] && matches!(view.data.get(3)?, 0xf6..=0xf9))
    }),
];

const DATAGRAM_BOUND_PORTS: [u16; count_ports(DATAGRAM_BOUND)] = all_ports(DATAGRAM_BOUND);

/// Network, station, module 0x3ff of the processor, then the length of what follows.
fn slmp(view: &View<'_>, route: usize) -> Option<bool> {
    let [network, _, module_low, module_high, multidrop] = at(view.data, route)?;
    let module = u16::from_le_bytes([module_low, module_high]);
    // A serial number comes before the route, with two zeros behind it.
    let serial = route == 2 || at(view.data, 4)? == [0, 0];
    let fits = network <= 0xef && matches!(module, 0x03ff | 0x03d0..=0x03e3) && multidrop <= 31;
    Some(serial && fits && alone(view, le16(view.data, route + 5)? + route + 7)?)
}

/// Two zeros, a length; two addresses of six bytes with ports, a command, flags, the length of the
/// data: both lengths agree.
fn ads(view: &View<'_>, _: &mut Notes<'_>) -> Option<bool> {
    let length = le32(view.data, 2)?;
    let (command, flags, data) = (le16(view.data, 22)?, le16(view.data, 24)?, le32(view.data, 26)?);
    let known = (1..=9).contains(&command) && matches!(flags, 4 | 5);
    let error = le32(view.data, 30)?;
    Some(known && length == data.saturating_add(32) && error <= 0xffff)
}

/// ISO 13400-2 section 9.2: the version and its complement, a kind, the length of what follows.
fn doip(view: &View<'_>) -> Option<bool> {
    let kind = be16(view.data, 2)?;
    let known = matches!(kind, 0..=8 | 0x4001..=0x4004 | 0x8001..=0x8003);
    Some(known && alone(view, be32(view.data, 4)?.saturating_add(8))?)
}

/// ISO 15118-2 section 7.8.3 and 15118-20: the same frame with other kinds.
fn v2g(view: &View<'_>, _: &mut Notes<'_>) -> Option<bool> {
    let kind = be16(view.data, 2)?;
    let known = matches!(kind, 0x8001..=0x8006 | 0x9000..=0x9003);
    Some(known && alone(view, be32(view.data, 4)?.saturating_add(8))?)
}

/// The cyclic sum of Modbus and its relatives (polynomial 0xa001 reflected), from zero.
fn crc16(bytes: &[u8]) -> usize {
    let crc =
        bytes.iter().fold(0_u16, |crc, byte| {
            (0..8).fold(crc ^ u16::from(*byte), |crc, _| {
                if crc & 1 == 0 { crc >> 1 } else { crc >> 1 ^ 0xa001 }
            })
        });
    usize::from(crc)
}

#[cfg(test)]
mod tests {
    use super::super::testing::{found, found_on};
    use super::*;

    #[test]
    fn controllers_by_their_frames() {
        let node = b"FINS\0\0\0\x0c\0\0\0\0\0\0\0\0\0\0\0\0";
        found(&STREAMS, AppId::FINS, node, 4);
        let read = b"\x50\0\0\xff\xff\x03\0\x0c\0\x10\0\x01\x04\0\0\x64\0\0\xa8\x01\0";
        found(&STREAMS, AppId::SLMP, read, 7);
        found(&DATAGRAMS, AppId::SLMP, read, 5);
        found(&STREAMS, AppId::CODESYS, b"\0\x01\x17\xe8\x20\0\0\0", 5);
        let mut state = vec![0, 0, 32, 0, 0, 0];
        state.extend_from_slice(&[5, 1, 2, 3, 1, 1, 0x53, 3, 5, 1, 2, 4, 1, 1, 0x10, 0x27]);
        state.extend_from_slice(&[4, 0, 4, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0]);
        found(&STREAMS, AppId::ADS, &state, 22);
        found(&STREAMS, AppId::NIAGARA_FOX, b"fox a 1 -1 fox hello\n", 3);
        let station = b"\x01\x01\0\x1a\0\0\0\0\x78\x80\0\x03\0\x0cIBETH01N0_M\0";
        found(&STREAMS, AppId::PCWORX, station, 8);
        let open = b"\xa0\xa0\xa0\xa0\0\x01\x01\x01\0\x02\0\x02";
        found(&STREAMS, AppId::FOCAS, open, 9);
    }

    #[test]
    fn vehicles() {
        found(&DATAGRAMS, AppId::DOIP, b"\x02\xfd\0\x01\0\0\0\0", 2);
        found(&STREAMS, AppId::DOIP, b"\x02\xfd\0\x05\0\0\0\x07\x0e\x80\0\0\0\0\0", 7);
        found(&DATAGRAMS, AppId::V2G, b"\x01\xfe\x90\0\0\0\0\x02\x10\0", 3);
    }

    #[test]
    fn controllers_on_their_ports() {
        let read = b"\x80\0\x02\0\x0a\0\0\x0b\0\x01\x01\x01\x82\0\0\0\0\x01";
        found_on(&DATAGRAM_PORTS, 9600, AppId::FINS, read, 1);
        found_on(&STREAM_PORTS, 18_245, AppId::GE_SRTP, &[0; 56], 9);
        found_on(&STREAM_PORTS, 789, AppId::CRIMSON, b"\0\x04\x01\x2b\x1b\0", 1);
        found_on(&STREAM_PORTS, 20_547, AppId::PROCONOS, b"\xcc\x01\0\x0b\x40\x02", 0);
        let id = b"\x12\x34\x65\0\x08\0/00IDED\r";
        found_on(&STREAM_PORTS, 20_256, AppId::PCOM, id, 4);
        found_on(&DATAGRAM_PORTS, 4800, AppId::MOXA, b"\x01\0\0\x08\0\0\0\0", 3);
        found_on(&DATAGRAM_PORTS, 30_718, AppId::LANTRONIX, b"\0\0\0\xf6", 3);
        let mut clock = vec![1, 2, 1, 3, 7, 0];
        clock.extend_from_slice(&u16::try_from(crc16(&clock)).unwrap().to_le_bytes());
        found_on(&STREAM_PORTS, 4000, AppId::ROC_PLUS, &clock, 6);
        found_on(&STREAM_PORTS, 5025, AppId::SCPI, b"*IDN?\n", 3);
    }
}
