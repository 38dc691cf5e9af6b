//! Instruments, ships, trains, and flying things.

use crate::app::AppId;
use crate::dissect::shape::{
    PortRow, Row, TCP, UDP, all_ports, at, be16, be32, bound, by_port, by_prefix, check,
    count_ports, first_bytes, line, on, row, table,
};
use crate::view::{Dissector, View};

pub(super) const STREAMS: Dissector =
    table(TCP, &FIRST, &[4001, 10_110], |view, notes| by_prefix(&ROWS, &FIRST, view, notes));

pub(super) const DATAGRAMS: Dissector =
    table(UDP, &DATAGRAM_FIRST, &[10_110, 17_224, 17_225, 60_001], |view, notes| {
        by_prefix(&DATAGRAM_ROWS, &DATAGRAM_FIRST, view, notes)
    });

pub(super) const STREAM_PORTS: Dissector =
    bound(TCP, &BOUND_PORTS, |view, notes| by_port(BOUND, view, notes));

pub(super) const DATAGRAM_PORTS: Dissector =
    bound(UDP, &DATAGRAM_BOUND_PORTS, |view, notes| by_port(DATAGRAM_BOUND, view, notes));

const ROWS: [Row; 2] = [
    check(AppId::NMEA0183, b"$", |view, _| nmea(view)),
    check(AppId::NMEA0183, b"!", |view, _| nmea(view)),
];

const FIRST: [u8; ROWS.len()] = first_bytes(&ROWS);

const DATAGRAM_ROWS: [Row; 5] = [
    // IEC 61162-450 section 6.2.2: the token of sentences, of files, of queries.
    row(AppId::IEC61162, b"UdPbC\0"),
    row(AppId::IEC61162, b"RaUdP\0"),
    row(AppId::IEC61162, b"RrUdP\0"),
    check(AppId::NMEA0183, b"$", |view, _| nmea(view)),
    check(AppId::NMEA0183, b"!", |view, _| nmea(view)),
];

const DATAGRAM_FIRST: [u8; DATAGRAM_ROWS.len()] = first_bytes(&DATAGRAM_ROWS);

const BOUND: &[PortRow] = &[
    // EPICS's channel access: a command of sixteen bytes; a version or the client's name first.
    on(AppId::EPICS, &[5064, 5065], |view, _| {
        let (command, payload) = (be16(view.data, 0)?, be16(view.data, 2)?);
        let (version, rest) = (be16(view.data, 6)?, view.data.get(8..16)?);
        let first = command == 0 && payload == 0 && rest == [0; 8];
        Some(first && (1..=16).contains(&version))
    }),
    on(AppId::PV_ACCESS, &[5075], |view, _| pv_access(view)),
    on(AppId::TRDP, &[17_225], |view, _| trdp(view)),
    // Positions of aircraft in lines: `MSG,3,…` with 22 fields.
    on(AppId::SBS1, &[30_003], |view, _| {
        let line = line(view.data)?;
        let fields = |line: &[u8]| line.split(|byte| *byte == b',').count();
        Some(line.is_ok_and(|line| line.starts_with(b"MSG,") && fields(line) == 22))
    }),
];

const BOUND_PORTS: [u16; count_ports(BOUND)] = all_ports(BOUND);

const DATAGRAM_BOUND: &[PortRow] = &[
    on(AppId::TRDP, &[17_224, 17_225], |view, _| trdp(view)),
    on(AppId::EPICS, &[5064, 5065], |view, _| {
        let (command, version) = (be16(view.data, 0)?, be16(view.data, 6)?);
        Some(matches!(command, 0 | 6 | 13 | 17) && view.data.len() % 8 == 0 && version <= 16)
    }),
    on(AppId::PV_ACCESS, &[5076], |view, _| pv_access(view)),
    // MAVLink 1 and 2: a mark, the payload's length, and a header of known size.
    on(AppId::MAVLINK, &[14_540, 14_550, 14_551, 14_580], |view, _| {
        let [mark, length, flags] = at(view.data, 0)?;
        let frame = match mark {
            0xfe => usize::from(length) + 8,
            0xfd if flags & !1 == 0 => usize::from(length) + 12 + 13 * usize::from(flags),
            _ => return Some(false),
        };
        // Another frame may follow.
        let next = view.data.get(frame..).unwrap_or(&[0]).first();
        Some(matches!(next, None | Some(0xfe | 0xfd)))
    }),
];

const DATAGRAM_BOUND_PORTS: [u16; count_ports(DATAGRAM_BOUND)] = all_ports(DATAGRAM_BOUND);

/// A sentence: a talker and what it tells, fields, and the sum of all between `$` and `*`.
fn nmea(view: &View<'_>) -> Option<bool> {
    // IEC 61162-1 section 7.2.1 allows 82 characters; vendors' own are longer.
    const LONGEST: usize = 128;
    let head = view.data.get(..LONGEST).unwrap_or(view.data);
    let sentence = head.get(1..)?;
    let is_field = |byte: &u8| matches!(byte, b' '..=b'~');
    let Some(star) = sentence.iter().position(|byte| *byte == b'*') else {
        let open = sentence.iter().all(is_field) && head.len() < LONGEST;
        return if open { None } else { Some(false) };
    };
    let (body, rest) = sentence.split_at_checked(star)?;
    let digits = std::str::from_utf8(rest.get(1..3)?).ok();
    let told = digits.and_then(|digits| u8::from_str_radix(digits, 16).ok());
    let sum = body.iter().fold(0, |sum, byte| sum ^ byte);
    let named = body.iter().take(5).all(u8::is_ascii_alphanumeric) && body.contains(&b',');
    Some(named && body.iter().all(is_field) && told == Some(sum))
}

/// A magic, a version, flags of which four are known, a command.
fn pv_access(view: &View<'_>) -> Option<bool> {
    let [magic, version, flags, command] = at(view.data, 0)?;
    Some(magic == 0xca && (1..=2).contains(&version) && flags & 0x0e == 0 && command <= 0x16)
}

/// IEC 61375-2-3 annex A: a number, version 1.0, a kind of two letters, its identifier; then the
/// length of the data.
fn trdp(view: &View<'_>) -> Option<bool> {
    let kinds: [[u8; 2]; 10] =
        [*b"Pd", *b"Pe", *b"Pp", *b"Pr", *b"Mn", *b"Mr", *b"Mp", *b"Mq", *b"Mc", *b"Me"];
    let version: [u8; 2] = at(view.data, 4)?;
    let fits = version == [1, 0] && kinds.contains(&at(view.data, 6)?);
    Some(fits && be32(view.data, 20)? < 65_536)
}

#[cfg(test)]
mod tests {
    use super::super::testing::{found, found_on};
    use super::*;

    #[test]
    fn sentences() {
        let position = b"$GPGLL,4916.45,N,12311.12,W,225444,A*31\r\n";
        found(&STREAMS, AppId::NMEA0183, position, 9);
        found(&DATAGRAMS, AppId::NMEA0183, position, 38);
        found(&DATAGRAMS, AppId::IEC61162, b"UdPbC\0\\s:GP0001*45\\$GPZDA", 4);
    }

    #[test]
    fn moving_things() {
        let mut process = vec![0, 0, 0, 9, 1, 0];
        process.extend_from_slice(b"Pd\0\0\x03\xe8");
        process.resize(40, 0);
        found_on(&DATAGRAM_PORTS, 17_224, AppId::TRDP, &process, 4);
        let mut beat = vec![0xfd, 9, 0, 0, 1, 1, 1, 0, 0, 0];
        beat.resize(21, 3);
        found_on(&DATAGRAM_PORTS, 14_550, AppId::MAVLINK, &beat, 1);
        let line = b"MSG,3,1,1,4CA2D6,1,2024/01/01,12:00:00.000,2024/01/01,12:00:00.000,,\
            38000,,,51.4,-0.4,,,0,0,0,0\r\n";
        found_on(&STREAM_PORTS, 30_003, AppId::SBS1, line, 3);
        let version = [0, 0, 0, 0, 0, 0, 0, 13, 0, 0, 0, 0, 0, 0, 0, 0];
        found_on(&STREAM_PORTS, 5064, AppId::EPICS, &version, 6);
        found_on(&STREAM_PORTS, 5075, AppId::PV_ACCESS, b"\xca\x02\x41\x02\0\0\0\0", 0);
    }
}
