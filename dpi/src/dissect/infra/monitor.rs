//! Monitoring, logs, and measurement: agents and collectors.

use crate::app::AppId;
use crate::dissect::session::text;
use crate::dissect::shape::{
    PortRow, Row, TCP, UDP, all_ports, alone, at, be16, be32, bound, by_port, by_prefix, check,
    count_ports, first_bytes, is_decimal, is_label, le32, line_fits, on, row, table,
};
use crate::view::{Dissector, Notes, View};

pub(super) const STREAMS: Dissector =
    table(TCP, &FIRST, &[3551, 4949, 5044, 9000, 10_050, 10_051], |view, notes| {
        by_prefix(&ROWS, &FIRST, view, notes)
    });

pub(super) const DATAGRAMS: Dissector =
    table(UDP, &DATAGRAM_FIRST, &[12_201, 25_826], |view, notes| {
        by_prefix(&DATAGRAM_ROWS, &DATAGRAM_FIRST, view, notes)
    });

pub(super) const STREAM_PORTS: Dissector =
    bound(TCP, &BOUND_PORTS, |view, notes| by_port(BOUND, view, notes));

pub(super) const DATAGRAM_PORTS: Dissector =
    bound(UDP, &DATAGRAM_BOUND_PORTS, |view, notes| by_port(DATAGRAM_BOUND, view, notes));

const ROWS: [Row; 13] = [
    // Flags, of which three are known, and a length.
    check(AppId::ZABBIX, b"ZBXD", |view, _| {
        let length = le32(view.data, 5)?;
        Some(matches!(view.data.get(4)?, 1..=7) && length < 1 << 30)
    }),
    row(AppId::MUNIN, b"# munin node at "),
    // A window of two, then data in JSON, pairs, or compressed.
    check(AppId::LUMBERJACK, b"2W\0", |view, _| {
        Some(matches!(at(view.data, 6)?, [b'2', b'C' | b'J' | b'D']))
    }),
    check(AppId::LUMBERJACK, b"1W\0", |view, _| {
        Some(matches!(at(view.data, 6)?, [b'1', b'C' | b'D']))
    }),
    row(AppId::APCUPSD, b"\0\x06status"),
    row(AppId::APCUPSD, b"\0\x06events"),
    // A debugger's announcement: its length in digits, a zero, XML.
    check(AppId::DBGP, b"1", |view, _| dbgp(view)),
    check(AppId::DBGP, b"2", |view, _| dbgp(view)),
    check(AppId::DBGP, b"3", |view, _| dbgp(view)),
    check(AppId::DBGP, b"4", |view, _| dbgp(view)),
    check(AppId::DBGP, b"5", |view, _| dbgp(view)),
    check(AppId::GELF, b"{\"version\":\"1.1\",", |view, _| gelf(view.data)),
    check(AppId::GELF, b"{\"version\":\"1.0\",", |view, _| gelf(view.data)),
];

const FIRST: [u8; ROWS.len()] = first_bytes(&ROWS);

const DATAGRAM_ROWS: [Row; 4] = [
    // Parts of kind, length, value: the host first, ended by a zero; then the time.
    check(AppId::COLLECTD, b"\0\0\0", |view, _| {
        let length = be16(view.data, 2)?;
        let host = view.data.get(4..length)?.strip_suffix(&[0])?;
        let next = (be16(view.data, length)?, be16(view.data, length + 2)?);
        Some(is_label(host) && matches!(next, (1 | 8, 12)))
    }),
    check(AppId::GELF, b"{\"version\":\"1.1\",", |view, _| gelf(view.data)),
    check(AppId::GELF, b"{\"version\":\"1.0\",", |view, _| gelf(view.data)),
    // A part of a message: its number of eight bytes, which part of how many.
    check(AppId::GELF, b"\x1e\x0f", |view, _| {
        let [part, parts] = at(view.data, 10)?;
        Some(part < parts && parts <= 128 && view.port_is(12_201))
    }),
];

const DATAGRAM_FIRST: [u8; DATAGRAM_ROWS.len()] = first_bytes(&DATAGRAM_ROWS);

const BOUND: &[PortRow] = &[
    on(AppId::NRPE, &[5666], nrpe),
    on(AppId::NUT, &[3493], |view, _| {
        line_fits(view.data, |line| {
            const WORDS: &[&[u8]] = &[
                b"LIST UPS",
                b"LIST VAR ",
                b"GET VAR ",
                b"VER",
                b"NETVER",
                b"STARTTLS",
                b"USERNAME ",
                b"LOGIN ",
                b"BEGIN LIST",
                b"LOGOUT",
            ];
            WORDS.iter().any(|word| line.starts_with(word))
        })
    }),
    // Forward: an array of two to four, the tag as text, then entries or a time.
    on(AppId::FLUENTD, &[24_224], |view, _| {
        let [array, text] = at(view.data, 0)?;
        let (start, bytes) = match text {
            0xa1..=0xbf => (2, usize::from(text & 0x1f)),
            0xd9 => (3, usize::from(*view.data.get(2)?)),
            _ => return Some(false),
        };
        let tag = view.data.get(start..start + bytes)?;
        Some(matches!(array, 0x92..=0x94) && is_label(tag))
    }),
    // The client's number: 36 letters and digits of base 32, a zero.
    on(AppId::IPERF, &[5201], |view, _| {
        let cookie = view.data.get(..37)?;
        let (end, letters) = cookie.split_last()?;
        let fits = letters.iter().all(|byte| matches!(byte, b'a'..=b'z' | b'2'..=b'7'));
        Some(fits && *end == 0 && view.data.len() == 37)
    }),
    // RFC 4656 section 3.1: the greeting has modes, a challenge, a salt, a count that is a power
    // of two.
    on(AppId::TWAMP, &[861, 862], |view, _| {
        let unused = view.data.get(..12)?.iter().all(|byte| *byte == 0);
        let (modes, count) = (be32(view.data, 12)?, be32(view.data, 48)?);
        let count_fits = count.is_power_of_two() && count >= 1024;
        Some(unused && modes < 1 << 12 && count_fits && alone(view, 64)?)
    }),
];

const BOUND_PORTS: [u16; count_ports(BOUND)] = all_ports(BOUND);

const DATAGRAM_BOUND: &[PortRow] = &[
    on(AppId::STATSD, &[8125], |view, _| Some(is_statsd(view.data))),
    on(AppId::GRAPHITE, &[2003], |view, _| {
        let line = text::line(view.data).map_or(view.data, |(line, _)| line);
        let words = line.split(|byte| *byte == b' ');
        Some(words.clone().count() == 3 && words.skip(1).all(is_decimal) && is_label(line))
    }),
    // XDR of gmond: a kind of 128 to 135, then host and metric as counted text.
    on(AppId::GANGLIA, &[8649], |view, _| {
        let (kind, length) = (be32(view.data, 0)?, be32(view.data, 4)?);
        let host = view.data.get(8..)?.get(..length)?;
        Some((128..=136).contains(&kind) && (1..=255).contains(&length) && is_label(host))
    }),
    // GELF compressed by zlib or gzip.
    on(AppId::GELF, &[12_201], |view, _| {
        Some(matches!(at(view.data, 0)?, [0x78, 0x01 | 0x5e | 0x9c | 0xda, _] | [0x1f, 0x8b, 8]))
    }),
    // Version 2, header of four words, a kind of payload.
    on(AppId::GSMTAP, &[4729], |view, _| {
        Some(matches!(at(view.data, 0)?, [2, 4, 1..=0x1b]) && view.data.len() > 16)
    }),
];

const DATAGRAM_BOUND_PORTS: [u16; count_ports(DATAGRAM_BOUND)] = all_ports(DATAGRAM_BOUND);

/// A packet of version 2 to 4: query or response, a sum, a result, and text in a fixed buffer, the
/// whole of known length; version 3 says how long the text is.
fn nrpe(view: &View<'_>, _: &mut Notes<'_>) -> Option<bool> {
    let (version, kind) = (be16(view.data, 0)?, be16(view.data, 2)?);
    if !matches!(kind, 1 | 2) {
        return Some(false);
    }
    match version {
        2 => Some((kind == 1 || be16(view.data, 8)? <= 3) && alone(view, 1036)?),
        3 | 4 => {
            let text = be32(view.data, 12)?;
            Some(text <= 65_536 && alone(view, text + 19)?)
        }
        _ => Some(false),
    }
}

fn gelf(data: &[u8]) -> Option<bool> {
    let own = [&b"\"short_message\""[..], b"\"host\""];
    if own.iter().any(|member| text::contains(data, member)) {
        return Some(true);
    }
    (data.len() >= text::LINE_BYTES || data.last() == Some(&b'}')).then_some(false)
}

/// `name:1.5|c`, perhaps with a rate and tags.
fn is_statsd(data: &[u8]) -> bool {
    let line = text::line(data).map_or(data, |(line, _)| line);
    let mut fields = line.split(|byte| *byte == b'|');
    let (Some(first), Some(kind)) = (fields.next(), fields.next()) else { return false };
    let colon = first.iter().position(|byte| *byte == b':');
    let Some((name, value)) = colon.and_then(|colon| first.split_at_checked(colon)) else {
        return false;
    };
    let value = value.strip_prefix(b":").unwrap_or_default();
    let value = value.strip_prefix(b"+").unwrap_or(value);
    let known = matches!(kind, b"c" | b"g" | b"ms" | b"h" | b"s" | b"d" | b"m");
    is_label(name) && known && (is_decimal(value) || kind == b"s")
}

fn dbgp(view: &View<'_>) -> Option<bool> {
    let digits = view.data.iter().take(6).take_while(|byte| byte.is_ascii_digit()).count();
    let rest = view.data.get(digits..)?;
    let begins = b"\0<?xml ";
    let there = rest.get(..begins.len()).unwrap_or(rest);
    if digits > 5 || !begins.starts_with(there) {
        return Some(false);
    }
    (there.len() == begins.len()).then_some(true)
}

#[cfg(test)]
mod tests {
    use super::super::testing::{found, found_on};
    use super::*;
    use crate::dissect::testing::check_never;
    use crate::view::Direction::ToServer;
    use crate::view::Transport;

    #[test]
    fn agents() {
        found(&STREAMS, AppId::ZABBIX, b"ZBXD\x01\x0a\0\0\0\0\0\0\0agent.ping", 4);
        found(&STREAMS, AppId::MUNIN, b"# munin node at host.example.com\n", 5);
        found(&STREAMS, AppId::APCUPSD, b"\0\x06status", 4);
        let mut query = vec![0, 2, 0, 1, 1, 2, 3, 4, 0, 0];
        query.extend_from_slice(b"check_load");
        query.resize(1036, 0);
        found_on(&STREAM_PORTS, 5666, AppId::NRPE, &query, 1);
        found_on(&STREAM_PORTS, 3493, AppId::NUT, b"LIST UPS\n", 6);
        let metric = b"\0\0\0\x80\0\0\0\x04host\0\0\0\x08load_one";
        found_on(&DATAGRAM_PORTS, 8649, AppId::GANGLIA, metric, 3);
    }

    #[test]
    fn logs() {
        found(&STREAMS, AppId::LUMBERJACK, b"2W\0\0\0\x022C\0\0\0\x40", 7);
        let message = b"{\"version\":\"1.1\",\"host\":\"a.example.com\",\"short_message\":\"x\"}";
        found(&DATAGRAMS, AppId::GELF, message, 13);
        found_on(&DATAGRAM_PORTS, 12_201, AppId::GELF, b"\x78\x9c\x01\x02\x03", 1);
        let entry = b"\x93\xa3app\xce\x60\0\0\0\x81\xa1a\x01";
        found_on(&STREAM_PORTS, 24_224, AppId::FLUENTD, entry, 0);
        let init = b"486\0<?xml version=\"1.0\" encoding=\"iso-8859-1\"?>";
        found(&STREAMS, AppId::DBGP, init, 3);
    }

    #[test]
    fn measurements() {
        let mut values = b"\0\0\0\x09host\0\0\x08\0\x0c\x18\0\0\0\0\0\0\0".to_vec();
        values.extend_from_slice(b"\0\x02\0\x08cpu\0");
        let outcome =
            crate::dissect::testing::run(&DATAGRAMS, ToServer, Transport::Udp, &values, (1, 2)).0;
        assert_eq!(outcome, crate::view::Outcome::found(AppId::COLLECTD));
        check_never(&DATAGRAMS, ToServer, Transport::Udp, b"\0\0\0\x09host\0\0\x07\0\x0c", (1, 2));
        found_on(&DATAGRAM_PORTS, 8125, AppId::STATSD, b"api.hits:1|c|@0.1", 9);
        let cookie = b"abcdefghijklmnopqrstuvwxyz234567abcd\0";
        found_on(&STREAM_PORTS, 5201, AppId::IPERF, cookie, 36);
        let mut greeting = vec![0; 12];
        greeting.extend_from_slice(&[0, 0, 0, 7]);
        greeting.resize(48, 0x5a);
        greeting.extend_from_slice(&[0, 0, 4, 0]);
        greeting.resize(64, 0);
        found_on(&STREAM_PORTS, 862, AppId::TWAMP, &greeting, 51);
    }
}
