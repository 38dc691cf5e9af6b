//! Remote calls and what runs them: the first message of a connection or a datagram.

use crate::app::AppId;
use crate::dissect::session::text;
use crate::dissect::shape::{
    Row, TCP, UDP, alone, at, be32, by_prefix, check, first_bytes, le32, row, table,
};
use crate::reader::Reader;
use crate::view::{Dissector, Notes, View};

pub(super) const STREAMS: Dissector = table(
    TCP,
    &FIRST,
    &[3200, 3299, 3600, 4063, 5005, 5037, 5555, 8000, 9090, 20_880],
    |view, notes| by_prefix(&ROWS, &FIRST, view, notes),
);

pub(super) const DATAGRAMS: Dissector =
    table(UDP, &DATAGRAM_FIRST, &[6831, 6832], |view, notes| {
        by_prefix(&DATAGRAM_ROWS, &DATAGRAM_FIRST, view, notes)
    });

const ROWS: [Row; 22] = [
    check(AppId::THRIFT, b"\x80\x01\0", |view, _| thrift(view.data)),
    check(AppId::THRIFT, b"\x82", |view, _| thrift(view.data)),
    // Framed: a length first.
    check(AppId::THRIFT, b"\0", |view, _| {
        let message = view.data.get(4..)?;
        if !matches!(message.first()?, 0x80 | 0x82) {
            return Some(false);
        }
        let length = be32(view.data, 0)?;
        Some((8..1 << 24).contains(&length) && thrift(message)?)
    }),
    // Protocol 1.0, encoding 1.x, a kind of 0 to 4, uncompressed or not.
    check(AppId::ICE, b"IceP\x01", |view, _| {
        let [_, one, _, kind, compressed] = at(view.data, 5)?;
        Some(one == 1 && kind <= 4 && compressed <= 2 && le32(view.data, 10)? >= 14)
    }),
    check(AppId::DUBBO, b"\xda\xbb", dubbo),
    check(AppId::BRPC, b"PRPC", |view, _| {
        // The lengths of all and of the metadata, whose first member is the request or answer.
        let (all, meta) = (be32(view.data, 4)?, be32(view.data, 8)?);
        Some(meta <= all && meta > 0 && matches!(view.data.get(12)?, 0x0a | 0x12))
    }),
    // MS-NRTP section 2.2.3.3: the operation and how the content is counted.
    check(AppId::NET_REMOTING, b".NET\x01\0", |view, _| {
        Some(matches!(at(view.data, 6)?, [0..=2, 0, 0 | 1, 0]))
    }),
    // MC-NMF section 2.2.3: version 1.0, a mode, the address.
    check(AppId::NET_FRAMING, b"\0\x01\0\x01", |view, _| {
        Some(matches!(at(view.data, 4)?, [1..=4, 2, 8..=255]) && view.data.get(7..11)? == b"net.")
    }),
    // SAP's network interface: a length, then words of its router and message server, or DIAG.
    check(AppId::SAP_NI, b"\0\0", sap),
    // Debuggers and tools.
    row(AppId::JDWP, b"JDWP-Handshake"),
    check(AppId::GDB, b"+$qSupported", |_, _| Some(true)),
    check(AppId::GDB, b"$qSupported", |_, _| Some(true)),
    check(AppId::ADB, b"CNXN", |view, _| {
        // The magic is the command's complement.
        Some(at(view.data, 20)? == [!b'C', !b'N', !b'X', !b'N'])
    }),
    row(AppId::ADB, b"000chost:version"),
    row(AppId::ADB, b"000Chost:version"),
    row(AppId::ADB, b"0012host:transport"),
    row(AppId::ROUTEROS_API, b"\x06/login"),
    row(AppId::GUACAMOLE, b"6.select,"),
    row(AppId::DISTCC, b"DIST00000001ARGC"),
    row(AppId::DISTCC, b"DIST00000002ARGC"),
    row(AppId::DISTCC, b"DIST00000003ARGC"),
    check(AppId::OVSDB, b"{\"", |view, _| ovsdb(view)),
];

const FIRST: [u8; ROWS.len()] = first_bytes(&ROWS);

const DATAGRAM_ROWS: [Row; 2] = [
    check(AppId::THRIFT, b"\x80\x01\0", |view, _| thrift(view.data)),
    check(AppId::THRIFT, b"\x82", |view, _| thrift(view.data)),
];

const DATAGRAM_FIRST: [u8; DATAGRAM_ROWS.len()] = first_bytes(&DATAGRAM_ROWS);

/// Thrift's binary protocol (version, kind, name) or its compact one (0x82, kind and version,
/// sequence, name): a name as methods have.
fn thrift(data: &[u8]) -> Option<bool> {
    let mut reader = Reader::new(data);
    let name_bytes = if reader.u8()? == 0x80 {
        let [_, _, kind] = reader.array()?;
        if !(1..=4).contains(&kind) {
            return Some(false);
        }
        reader.u32()?
    } else {
        if !matches!(reader.u8()?, 0x21 | 0x41 | 0x61 | 0x81) {
            return Some(false);
        }
        // A sequence of seven bits a byte.
        let mut sequence = 5;
        while reader.u8()? & 0x80 != 0 {
            sequence -= 1;
            if sequence == 0 {
                return Some(false);
            }
        }
        u32::from(reader.u8()?)
    };
    let name_bytes = usize::try_from(name_bytes).ok()?;
    let name = reader.take_up_to(name_bytes);
    let is_name = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b':' | b'.');
    if !(3..=64).contains(&name_bytes) || !name.iter().all(is_name) {
        return Some(false);
    }
    if name.len() < name_bytes {
        return None;
    }
    Some(name.first().is_some_and(u8::is_ascii_alphabetic))
}

/// A mark, flags with the kind of encoding, a status, a number, the body's length.
fn dubbo(view: &View<'_>, _: &mut Notes<'_>) -> Option<bool> {
    let [flags, status] = at(view.data, 2)?;
    let body = be32(view.data, 12)?;
    let is_request = flags & 0x80 != 0;
    let fits = (1..=27).contains(&(flags & 0x1f))
        && if is_request { status == 0 } else { (20..=100).contains(&status) };
    Some(fits && alone(view, body.saturating_add(16))?)
}

fn sap(view: &View<'_>, _: &mut Notes<'_>) -> Option<bool> {
    const WORDS: &[&[u8]] =
        &[b"NI_PING\0", b"NI_PONG\0", b"NI_ROUTE", b"NI_RTERR", b"ROUTER_A", b"**MESSAG"];
    let length = be32(view.data, 0)?;
    let word = view.data.get(4..12)?;
    if WORDS.contains(&word) {
        return Some(true);
    }
    // DIAG's dispatcher header: no request yet, not yet answered, nobody's terminal.
    let is_diag = word.starts_with(&[0xff, 0xff, 0xff, 0xff, 0x0a]);
    Some(is_diag && length > 200 && alone(view, length.saturating_add(4))?)
}

/// JSON-RPC (RFC 7047 section 4.1) with a method of this protocol.
fn ovsdb(view: &View<'_>) -> Option<bool> {
    const METHODS: &[&[u8]] = &[
        b"\"list_dbs\"",
        b"\"get_schema\"",
        b"\"monitor_cond\"",
        b"\"monitor_cond_since\"",
        b"\"get_server_id\"",
        b"\"set_db_change_aware\"",
        b"\"transact\"",
    ];
    let head = view.data.get(..256).unwrap_or(view.data);
    if !text::is_text(head) {
        return Some(false);
    }
    if METHODS.iter().any(|method| text::contains(head, method)) {
        return Some(text::contains(head, b"\"method\""));
    }
    // The probe by which either side may begin.
    let echo = text::contains(head, b"\"method\":\"echo\"") && view.port_is(6640);
    if echo { Some(true) } else { (head.len() >= 128 || head.contains(&b'}')).then_some(false) }
}

#[cfg(test)]
mod tests {
    use super::super::testing::found;
    use super::*;
    use crate::dissect::testing::check_never;
    use crate::view::Direction::ToServer;
    use crate::view::Transport;

    #[test]
    fn thrift_by_its_three_kinds() {
        found(&STREAMS, AppId::THRIFT, b"\x80\x01\0\x01\0\0\0\x04ping\0\0\0\x01\0", 3);
        found(&STREAMS, AppId::THRIFT, b"\0\0\0\x11\x80\x01\0\x01\0\0\0\x04ping\0\0\0\x01\0", 11);
        found(&STREAMS, AppId::THRIFT, b"\x82\x21\x01\x04ping\0", 1);
        found(&DATAGRAMS, AppId::THRIFT, b"\x82\x81\x01\x09emitBatch\x1c", 3);
        let near = b"\x80\x01\0\x01\0\0\0\x04p\xffng";
        check_never(&STREAMS, ToServer, Transport::Tcp, near, (1, 2));
    }

    #[test]
    fn frameworks() {
        let validate = b"IceP\x01\0\x01\0\x03\0\x0e\0\0\0";
        found(&STREAMS, AppId::ICE, validate, 8);
        let mut call = b"\xda\xbb\xc2\0\0\0\0\0\0\0\0\x01\0\0\0\x06".to_vec();
        call.extend_from_slice(b"\x052.0.2");
        found(&STREAMS, AppId::DUBBO, &call, 15);
        found(&STREAMS, AppId::BRPC, b"PRPC\0\0\0\x20\0\0\0\x10\x0a\x04", 12);
        found(&STREAMS, AppId::NET_REMOTING, b".NET\x01\0\0\0\0\0\x40\0\0\0", 7);
        let via = b"\0\x01\0\x01\x02\x02\x14net.tcp://example.com";
        found(&STREAMS, AppId::NET_FRAMING, via, 5);
        found(&STREAMS, AppId::SAP_NI, b"\0\0\0\x08NI_PING\0", 4);
    }

    #[test]
    fn tools() {
        found(&STREAMS, AppId::JDWP, b"JDWP-Handshake", 5);
        found(&STREAMS, AppId::GDB, b"+$qSupported:multiprocess+#c6", 3);
        let mut connect = b"CNXN\0\0\0\x01\0\x10\0\0\x07\0\0\0\x32\x02\0\0".to_vec();
        connect.extend_from_slice(b"\xbc\xb1\xa7\xb1host::\0");
        found(&STREAMS, AppId::ADB, &connect, 21);
        found(&STREAMS, AppId::ROUTEROS_API, b"\x06/login\0", 3);
        found(&STREAMS, AppId::GUACAMOLE, b"6.select,3.rdp;", 2);
        found(&STREAMS, AppId::DISTCC, b"DIST00000001ARGC00000008ARGV", 13);
        let schema = b"{\"id\":1,\"method\":\"get_schema\",\"params\":[\"Open_vSwitch\"]}";
        found(&STREAMS, AppId::OVSDB, schema, 18);
        check_never(&STREAMS, ToServer, Transport::Tcp, b"{\"method\":\"login\"}", (1, 2));
    }
}
