//! Data stores: the first messages of their clients, as their sources and documents have them.

use crate::app::AppId;
use crate::attr;
use crate::dissect::session::text;
use crate::dissect::shape::{
    BOTH, PortRow, Row, TCP, all_ports, alone, at, be16, be32, bound, by_port, by_prefix, check,
    count_ports, first_bytes, is_decimal, is_label, le16, le32, line_fits, on, row, table,
};
use crate::reader::Reader;
use crate::view::{Dissector, Notes, Transport, View};

pub(super) const STREAMS: Dissector = table(
    TCP,
    &FIRST,
    &[2181, 3050, 3000, 5000, 7474, 7687, 8529, 9000, 9300, 11_210, 28_015],
    |view, notes| by_prefix(&ROWS, &FIRST, view, notes),
);

pub(super) const PORTS: Dissector =
    bound(BOTH, &BOUND_PORTS, |view, notes| by_port(BOUND, view, notes));

const ROWS: [Row; 24] = [
    check(AppId::CLICKHOUSE, b"\0", clickhouse),
    check(AppId::ELASTICSEARCH, b"ES", elasticsearch),
    row(AppId::NEO4J, b"\x60\x60\xb0\x17"),
    row(AppId::ARANGODB, b"VST/1."),
    check(AppId::TARANTOOL, b"Tarantool ", tarantool),
    // Its versions' numbers, little endian.
    row(AppId::RETHINKDB, b"\x20\x2d\x0c\x40"),
    row(AppId::RETHINKDB, b"\xc3\xbd\xc2\x34"),
    row(AppId::RETHINKDB, b"\x3e\xe8\x75\x5f"),
    row(AppId::RETHINKDB, b"\xe1\x81\x30\x72"),
    check(AppId::AEROSPIKE, b"\x02", aerospike),
    // Operation 1, connect; it names the next: attach, create, or attach to a service.
    check(AppId::FIREBIRD, b"\0\0\0\x01\0\0\0\x13", firebird),
    check(AppId::FIREBIRD, b"\0\0\0\x01\0\0\0\x14", firebird),
    check(AppId::FIREBIRD, b"\0\0\0\x01\0\0\0\x52", firebird),
    check(AppId::INFORMIX, b"sq", |view, _| {
        let head = view.data.get(2..10)?;
        Some(head.iter().all(u8::is_ascii_alphanumeric) && view.data.get(10..18)? == b"sqlexec ")
    }),
    // The first packet of a login, full; the version of TDS stands at its fixed place in it.
    check(AppId::SYBASE, b"\x02\0\x02\0\0\0", |view, _| Some(at(view.data, 466)? == [5, 0, 0, 0])),
    check(AppId::SAP_HANA, b"\xff\xff\xff\xff\x04", |view, _| {
        let [minor, zero, major, _, none] = at(view.data, 5)?;
        Some(minor >= 1 && zero == 0 && major == 4 && none == 0 && alone(view, 14)?)
    }),
    // A client's session: length, protocol 0, …, a password of sixteen bytes.
    check(AppId::ZOOKEEPER, b"\0\0\0\x2c\0\0\0\0", |view, _| zookeeper(view, 28)),
    check(AppId::ZOOKEEPER, b"\0\0\0\x2d\0\0\0\0", |view, _| zookeeper(view, 28)),
    check(AppId::ZOOKEEPER, b"\0\0\0\x24\0\0\0\0", |view, _| zookeeper(view, 20)),
    check(AppId::ZOOKEEPER, b"\0\0\0\x25\0\0\0\0", |view, _| zookeeper(view, 20)),
    check(AppId::COUCHBASE, b"\x80\x1f", couchbase),
    // `put name time value tag=value`.
    check(AppId::OPENTSDB, b"put ", |view, _| line_fits(view.data, is_metric_put)),
    check(AppId::HBASE, b"HBas\0", |view, _| Some(matches!(view.data.get(5)?, 0x50..=0x53))),
    check(AppId::HADOOP, b"hrpc", |view, _| {
        // A version, a class of service, no authentication or SASL.
        Some(matches!(at(view.data, 4)?, [4..=15, _, 0 | 0xdf]))
    }),
];

const FIRST: [u8; ROWS.len()] = first_bytes(&ROWS);

const BOUND: &[PortRow] = &[
    on(AppId::IGNITE, &[10_800], ignite),
    on(AppId::ZOOKEEPER, &[2181], four_letters),
    on(AppId::INFLUXDB, &[8089], |view, _| line_fits(view.data, is_influx_line)),
    on(AppId::GRAPHITE, &[2003, 2013], |view, _| line_fits(view.data, is_graphite_line)),
    on(AppId::FOUNDATIONDB, &[4500, 4689], |view, _| {
        Some(tcp(view) && matches!(at(view.data, 8)?, [_, 0, 0xdb, 0x0f | 0x1f]))
    }),
    // Data transfer of HDFS: version 28, an operation of 80 to 90, a message.
    on(AppId::HADOOP, &[9866, 50_010], |view, _| {
        Some(tcp(view) && matches!(at(view.data, 0)?, [0, 28, 80..=90, 1..=255]))
    }),
    on(AppId::TDS, &[1434], |view, _| Some(!tcp(view) && is_browser(view.data))),
];

const BOUND_PORTS: [u16; count_ports(BOUND)] = all_ports(BOUND);

fn tcp(view: &View<'_>) -> bool {
    view.transport == Transport::Tcp
}

/// Hello: packet 0, the client's name, its version, the revision of the protocol; all numbers
/// seven bits a byte. The server answers alike.
fn clickhouse(view: &View<'_>, notes: &mut Notes<'_>) -> Option<bool> {
    const REVISIONS: std::ops::Range<u32> = 53_000..56_000;
    let mut reader = Reader::new(view.data);
    reader.skip(1)?;
    let length = usize::from(reader.u8()?);
    let name = reader.take_up_to(length);
    if !(5..=96).contains(&length) || (!is_label(name) && !name.is_empty()) {
        return Some(false);
    }
    if name.len() < length {
        return None;
    }
    let (major, minor, revision) =
        (varint(&mut reader)?, varint(&mut reader)?, varint(&mut reader)?);
    let fits = major <= 100 && minor <= 100 && REVISIONS.contains(&revision);
    if fits && view.from_client() {
        notes.meta.put(&attr::CLICKHOUSE_CLIENT, name);
    }
    Some(fits)
}

/// Seven bits a byte, least significant first; above three bytes it is taken for very large.
fn varint(reader: &mut Reader<'_>) -> Option<u32> {
    let mut value = 0;
    for shift in [0, 7, 14] {
        let byte = reader.u8()?;
        value |= u32::from(byte & 0x7f) << shift;
        if byte & 0x80 == 0 {
            return Some(value);
        }
    }
    Some(u32::MAX)
}

/// Transport: length, request, status, version as 7170099 or the successor's with a bit more. A
/// length of -1 is a ping.
fn elasticsearch(view: &View<'_>, _: &mut Notes<'_>) -> Option<bool> {
    const OPENSEARCH: usize = 0x0800_0000;
    let length = be32(view.data, 2)?;
    if length == 0xffff_ffff {
        return Some(view.port_is(9300));
    }
    let status = *view.data.get(14)?;
    let version = be32(view.data, 15)?;
    let known = (1_000_000..10_000_000).contains(&version)
        || (1_000_000..10_000_000).contains(&(version ^ OPENSEARCH));
    Some((13..1 << 30).contains(&length) && status <= 0x0f && known)
}

/// 128 bytes: the name, a version, which console.
fn tarantool(view: &View<'_>, notes: &mut Notes<'_>) -> Option<bool> {
    let rest = view.data.get(10..)?;
    let end = rest.iter().take(54).position(|byte| *byte == b'(');
    let Some((version, console)) = end.and_then(|end| rest.split_at_checked(end)) else {
        return if rest.len() < 54 && text::is_text(rest) { None } else { Some(false) };
    };
    let fits = [&b"(Binary)"[..], b"(Lua console)"].iter().any(|kind| console.starts_with(kind));
    if fits {
        notes.meta.put(&attr::TARANTOOL_VERSION, version.trim_ascii());
    } else if console.len() < 13 {
        return None;
    }
    Some(fits && version.first().is_some_and(u8::is_ascii_digit))
}

/// Version 2, a kind, six bytes of length; then names in lines, or a header of 22 bytes.
fn aerospike(view: &View<'_>, _: &mut Notes<'_>) -> Option<bool> {
    let [kind, a, b] = at(view.data, 1)?;
    if !(1..=4).contains(&kind) || a != 0 || b != 0 {
        return Some(false);
    }
    let whole = alone(view, be32(view.data, 4)?.saturating_add(8))?;
    Some(
        match kind {
            1 => view.data.get(8..).is_some_and(|body| !body.is_empty() && text::is_text(body)),
            3 => view.data.get(8) == Some(&22),
            _ => view.port_is(3000),
        } && whole,
    )
}

/// Version 2 or 3 of connecting, the client's architecture, the database's name.
fn firebird(view: &View<'_>, _: &mut Notes<'_>) -> Option<bool> {
    let (version, architecture) = (be32(view.data, 8)?, be32(view.data, 12)?);
    Some(matches!(version, 2 | 3) && architecture <= 64 && be32(view.data, 16)? <= 4096)
}

/// A time-out in milliseconds and the password's length, which is `at`.
fn zookeeper(view: &View<'_>, password: usize) -> Option<bool> {
    // The client says its last transaction before the time-out.
    let timeout = be32(view.data, if password == 28 { 16 } else { 8 })?;
    Some((1..=10_000_000).contains(&timeout) && be32(view.data, password)? == 16)
}

/// Memcached's binary protocol with an operation of Couchbase: hello, with features of two bytes.
fn couchbase(view: &View<'_>, _: &mut Notes<'_>) -> Option<bool> {
    let (key, body) = (be16(view.data, 2)?, be32(view.data, 8)?);
    let rest: [u8; 4] = at(view.data, 4)?;
    let features = body.checked_sub(key);
    Some(
        rest == [0; 4]
            && features.is_some_and(|bytes| bytes % 2 == 0 && bytes <= 256)
            && is_label(view.data.get(24..25)?),
    )
}

fn is_metric_put(line: &[u8]) -> bool {
    let mut words = line.split(|byte| *byte == b' ').skip(1);
    let (name, time, value) = (words.next(), words.next(), words.next());
    name.is_some_and(is_label)
        && time.is_some_and(is_time)
        && value.is_some_and(is_decimal)
        && words.next().is_some_and(|tag| tag.contains(&b'='))
}

/// Seconds or milliseconds of our days.
fn is_time(word: &[u8]) -> bool {
    matches!(word.len(), 10 | 13) && word.iter().all(u8::is_ascii_digit)
}

/// Thin client's handshake: length, 1, version 1.x.0, a code of 0 to 3 for what the client is.
fn ignite(view: &View<'_>, _: &mut Notes<'_>) -> Option<bool> {
    let (length, operation) = (le32(view.data, 0)?, *view.data.get(4)?);
    let (major, minor, patch) = (le16(view.data, 5)?, le16(view.data, 7)?, le16(view.data, 9)?);
    let version = major <= 2 && minor <= 20 && patch <= 20;
    let fits = operation == 1 && version && *view.data.get(11)? <= 3;
    Some(tcp(view) && fits && alone(view, length.saturating_add(4))?)
}

fn four_letters(view: &View<'_>, _: &mut Notes<'_>) -> Option<bool> {
    const WORDS: &[&[u8]] = &[
        b"ruok", b"srvr", b"stat", b"mntr", b"conf", b"cons", b"dump", b"envi", b"wchs", b"imok",
        b"isro", b"crst", b"srst", b"wchc", b"wchp", b"dirs",
    ];
    let word = view.data.get(..4)?;
    Some(tcp(view) && WORDS.contains(&word) && view.data.len() <= 6)
}

/// `name,tag=a field=1 time`.
fn is_influx_line(line: &[u8]) -> bool {
    let mut words = line.splitn(3, |byte| *byte == b' ');
    let (name, fields) = (words.next(), words.next());
    name.is_some_and(is_label) && fields.is_some_and(|fields| fields.contains(&b'='))
}

/// `a.b.c 1.5 1700000000`.
fn is_graphite_line(line: &[u8]) -> bool {
    let mut words = line.split(|byte| *byte == b' ');
    let (path, value, time) = (words.next(), words.next(), words.next());
    path.is_some_and(is_label)
        && value.is_some_and(is_decimal)
        && time.is_some_and(is_time)
        && words.next().is_none()
}

/// MC-SQLR section 2.2: asking for every instance or for one, and the answer.
fn is_browser(data: &[u8]) -> bool {
    match data {
        [2 | 3] => true,
        [4, name @ .., 0] => is_label(name),
        [5, low, high, rest @ ..] => {
            usize::from(u16::from_le_bytes([*low, *high])) == rest.len()
                && rest.starts_with(b"ServerName;")
        }
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::{found, found_on};
    use super::*;
    use crate::dissect::testing::run;
    use crate::view::Direction::ToServer;

    #[test]
    fn clickhouse_names_its_client() {
        let hello = b"\0\x11ClickHouse client\x18\x03\xc3\xa9\x03\x07default\x04user\0";
        found(&STREAMS, AppId::CLICKHOUSE, hello, 23);
        let (_, meta) = run(&STREAMS, ToServer, Transport::Tcp, hello, (1, 2));
        assert_eq!(meta.get(&attr::CLICKHOUSE_CLIENT), Some(&b"ClickHouse client"[..]));
    }

    #[test]
    fn stores_that_say_who_they_are() {
        let es = b"ES\0\0\0\x40\0\0\0\0\0\0\0\x01\x08\0\x6d\x6a\x33\0\0";
        found(&STREAMS, AppId::ELASTICSEARCH, es, 15);
        found(&STREAMS, AppId::NEO4J, b"\x60\x60\xb0\x17\0\0\x04\x04", 2);
        found(&STREAMS, AppId::ARANGODB, b"VST/1.1\r\n\r\n", 3);
        found(&STREAMS, AppId::RETHINKDB, b"\xc3\xbd\xc2\x34", 3);
        found(&STREAMS, AppId::INFORMIX, b"sqAYABPQAAsqlexec joe -pxx", 12);
        found(&STREAMS, AppId::HBASE, b"HBas\0\x50", 5);
        found(&STREAMS, AppId::HADOOP, b"hrpc\x09\0\0", 6);
        let hana = b"\xff\xff\xff\xff\x04\x14\0\x04\x01\0\0\x01\x01\x01";
        found(&STREAMS, AppId::SAP_HANA, hana, 7);
        let mut greeting = b"Tarantool 2.8.4 (Binary) 0f91aa1c-7a0c-4b1e".to_vec();
        greeting.resize(128, b' ');
        found(&STREAMS, AppId::TARANTOOL, &greeting, 17);
        let (_, meta) = run(&STREAMS, ToServer, Transport::Tcp, &greeting, (1, 2));
        assert_eq!(meta.get(&attr::TARANTOOL_VERSION), Some(&b"2.8.4"[..]));
    }

    #[test]
    fn stores_with_lengths() {
        found(&STREAMS, AppId::AEROSPIKE, b"\x02\x01\0\0\0\0\0\x05node\n", 7);
        let mut connect = b"\0\0\0\x01\0\0\0\x13\0\0\0\x03\0\0\0\x24\0\0\0\x04".to_vec();
        connect.extend_from_slice(b"a.db");
        found(&STREAMS, AppId::FIREBIRD, &connect, 11);
        let mut session = b"\0\0\0\x2d\0\0\0\0\0\0\0\0\0\0\0\0\0\0\x75\x30".to_vec();
        session.extend_from_slice(&[0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 16]);
        session.resize(49, 0);
        found(&STREAMS, AppId::ZOOKEEPER, &session, 31);
        let mut login = vec![2, 0, 2, 0, 0, 0, 0, 0];
        login.resize(466, 0x20);
        login.extend_from_slice(&[5, 0, 0, 0]);
        login.resize(512, 0);
        found(&STREAMS, AppId::SYBASE, &login, 466);
        let mut hello = b"\x80\x1f\0\x0a\0\0\0\0\0\0\0\x0c\0\0\0\x01".to_vec();
        hello.resize(24, 0);
        hello.extend_from_slice(b"{\"a\":\"x\"}.\0\x0e");
        found(&STREAMS, AppId::COUCHBASE, &hello, 5);
        found(&STREAMS, AppId::OPENTSDB, b"put sys.cpu 1700000000 42.5 host=a\n", 14);
    }

    #[test]
    fn stores_on_their_ports() {
        let handshake = b"\x08\0\0\0\x01\x01\0\x07\0\0\0\x02";
        found_on(&PORTS, 10_800, AppId::IGNITE, handshake, 4);
        found_on(&PORTS, 2181, AppId::ZOOKEEPER, b"ruok", 1);
        found_on(&PORTS, 2003, AppId::GRAPHITE, b"a.b.c 1.5 1700000000\n", 12);
        found_on(&PORTS, 8089, AppId::INFLUXDB, b"cpu,host=a value=0.64 1700000000\n", 16);
        let fdb = b"\x2c\0\0\0\0\0\0\x72\x00\x00\xdb\x0f";
        found_on(&PORTS, 4500, AppId::FOUNDATIONDB, fdb, 10);
        found_on(&PORTS, 50_010, AppId::HADOOP, b"\0\x1c\x51\x40", 1);
        let browser = &b"\x05\x12\0ServerName;ABCDEF;"[..];
        let outcome = run(&PORTS, ToServer, Transport::Udp, browser, (40_000, 1434)).0;
        assert_eq!(outcome, crate::view::Outcome::found(AppId::TDS));
    }
}
