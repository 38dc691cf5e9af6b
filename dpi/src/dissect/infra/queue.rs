//! Message queues and event buses: how their connections begin.

use crate::app::AppId;
use crate::dissect::session::text;
use crate::dissect::shape::{
    BOTH, PortRow, Row, TCP, all_ports, alone, at, be32, bound, by_port, by_prefix, check,
    count_ports, first_bytes, is_label, line_fits, on, table,
};
use crate::view::{Dissector, Notes, Transport, View};

pub(super) const STREAMS: Dissector =
    table(TCP, &FIRST, &[1414, 1801, 4150, 4730, 6650, 7001, 9876, 10_911], |view, notes| {
        by_prefix(&ROWS, &FIRST, view, notes)
    });

pub(super) const PORTS: Dissector =
    bound(BOTH, &BOUND_PORTS, |view, notes| by_port(BOUND, view, notes));

const ROWS: [Row; 18] = [
    check(AppId::PULSAR, b"\0", pulsar),
    check(AppId::ROCKETMQ, b"\0", rocketmq),
    check(AppId::NSQ, b"  V2", |view, _| {
        let command = view.data.get(4..8)?;
        Some(matches!(command, b"IDEN" | b"SUB " | b"PUB " | b"MPUB" | b"NOP\n" | b"AUTH"))
    }),
    // A magic, a kind of 1 to 43, a size.
    check(AppId::GEARMAN, b"\0REQ", |view, _| gearman(view)),
    check(AppId::GEARMAN, b"\0RES", |view, _| gearman(view)),
    check(AppId::BEANSTALK, b"put ", |view, _| {
        // Priority, delay, time to run, bytes.
        line_fits(view.data, |line| {
            let words = line.split(|byte| *byte == b' ').skip(1);
            let is_number = |word: &[u8]| !word.is_empty() && word.iter().all(u8::is_ascii_digit);
            words.clone().count() == 4 && words.clone().all(is_number)
        })
    }),
    // Transmission segments: in ASCII, then in EBCDIC.
    check(AppId::IBM_MQ, b"TSH ", |view, _| ibm_mq(view)),
    check(AppId::IBM_MQ, b"TSHM", |view, _| ibm_mq(view)),
    check(AppId::IBM_MQ, b"TSHC", |view, _| ibm_mq(view)),
    check(AppId::IBM_MQ, b"\xe3\xe2\xc8\x40", |view, _| ibm_mq(view)),
    check(AppId::IBM_MQ, b"\xe3\xe2\xc8\xd4", |view, _| ibm_mq(view)),
    check(AppId::IBM_MQ, b"\xe3\xe2\xc8\xc3", |view, _| ibm_mq(view)),
    // MS-MQMQ section 2.2.19.1: version, flags, the signature.
    check(AppId::MSMQ, b"\x10", |view, _| Some(at(view.data, 4)? == *b"LIOR")),
    // A protocol's number and two bytes of zero.
    check(AppId::NANOMSG, b"\0SP\0", |view, _| {
        Some(matches!(at(view.data, 4)?, [0, 1..=0x7f, 0, 0]))
    }),
    check(AppId::AKKA, b"AKKA", |view, _| Some(matches!(view.data.get(4)?, 1..=3))),
    check(AppId::WEBLOGIC_T3, b"t3 ", |view, _| t3(view)),
    check(AppId::WEBLOGIC_T3, b"HELO:", |view, _| t3(view)),
    check(AppId::ERLANG, b"\0", erlang),
];

const FIRST: [u8; ROWS.len()] = first_bytes(&ROWS);

const BOUND: &[PortRow] = &[
    on(AppId::BEANSTALK, &[11_300], |view, _| {
        line_fits(view.data, |line| {
            const WORDS: &[&[u8]] =
                &[b"use ", b"watch ", b"reserve", b"list-tubes", b"stats", b"peek-ready"];
            WORDS.iter().any(|word| line.starts_with(word))
        })
    }),
    on(AppId::MQTT_SN, &[1883, 1884, 2442, 10_000], mqtt_sn),
    // The port mapper of Erlang nodes: length, then a request for names, a port, or to be known.
    on(AppId::ERLANG, &[4369], |view, _| {
        let [high, low, kind] = at(view.data, 0)?;
        let length = usize::from(u16::from_be_bytes([high, low]));
        let known = match kind {
            b'n' | b'd' | b'k' => length == 1,
            b'z' | b'x' | b's' => length > 1,
            _ => false,
        };
        Some(known && alone(view, length + 2)?)
    }),
];

const BOUND_PORTS: [u16; count_ports(BOUND)] = all_ports(BOUND);

/// Two lengths, and a command of protocol buffers: its kind is 2 (connect) or 3 (connected), and
/// the member of the same number follows.
fn pulsar(view: &View<'_>, _: &mut Notes<'_>) -> Option<bool> {
    let (total, command) = (be32(view.data, 0)?, be32(view.data, 4)?);
    let member = at(view.data, 8)?;
    let begins = matches!(member, [8, 2, 0x12] | [8, 3, 0x1a]);
    Some(begins && total == command.saturating_add(4) && (8..4096).contains(&command))
}

/// The length of all, the header's with its kind of 0 in the top byte, and JSON.
fn rocketmq(view: &View<'_>, _: &mut Notes<'_>) -> Option<bool> {
    let (total, header) = (be32(view.data, 0)?, be32(view.data, 4)?);
    if view.data.get(8..10)? != b"{\"" || !(16..8192).contains(&header) || total < header + 4 {
        return Some(false);
    }
    let text = view.data.get(8..)?;
    let own = [&b"\"opaque\""[..], b"\"serializeTypeCurrentRPC\""];
    if own.iter().any(|member| text::contains(text, member)) {
        return Some(true);
    }
    if text.len() < header.min(text::LINE_BYTES) { None } else { Some(false) }
}

fn gearman(view: &View<'_>) -> Option<bool> {
    let (kind, size) = (be32(view.data, 4)?, be32(view.data, 8)?);
    Some((1..=43).contains(&kind) && size < 1 << 26)
}

/// The segment's length, byte order, kind.
fn ibm_mq(view: &View<'_>) -> Option<bool> {
    let length = be32(view.data, 4)?;
    // With a multiplexed session, two numbers come between.
    let extra = if matches!(view.data.get(3)?, b'M' | 0xd4) { 8 } else { 0 };
    let [order, kind] = at(view.data, 8 + extra)?;
    Some((28..1 << 22).contains(&length) && matches!(order, 1 | 2) && kind <= 0xa6)
}

/// A line with a version, then lines of two letters and a number.
fn t3(view: &View<'_>) -> Option<bool> {
    let Some((first, rest)) = text::line(view.data) else {
        return line_fits(view.data, |_| false);
    };
    if !text::contains(first, b".") {
        return Some(false);
    }
    let mark = rest.get(..3)?;
    Some(mark == b"AS:" || mark == b"HL:")
}

/// A node's name for its handshake: length, `n` or `N`, the version 5 or flags, `name@host`.
fn erlang(view: &View<'_>, _: &mut Notes<'_>) -> Option<bool> {
    let [high, low, kind, zero] = at(view.data, 0)?;
    let length = usize::from(u16::from_be_bytes([high, low]));
    let name = match (kind, zero) {
        (b'n', 0) if matches!(view.data.get(4)?, 5 | 6) => 9,
        (b'N', 0) => 17,
        _ => return Some(false),
    };
    if !(name..=280).contains(&length) || !alone(view, length + 2)? {
        return Some(false);
    }
    let name = view.data.get(name..)?;
    Some(is_label(name) && name.contains(&b'@'))
}

/// MQTT-SN 1.2 section 5: length, kind, and what is fixed of the two by which a client begins.
fn mqtt_sn(view: &View<'_>, _: &mut Notes<'_>) -> Option<bool> {
    let (&[length, kind], body) = view.data.split_first_chunk()?;
    let exact = usize::from(length) == view.data.len() && view.transport == Transport::Udp;
    let known = match kind {
        // Searching for a gateway, a gateway's number.
        1 => body.len() == 1,
        2 => body.len() == 1 || body.len() == 5,
        0 => body.len() == 3,
        // Connect: flags, the protocol's number, how long, who.
        4 => matches!(body, [flags, 1, _, _, name @ ..] if flags & 0xf3 == 0 && is_label(name)),
        5 => body.len() == 1 && body.first().is_some_and(|code| *code <= 3),
        _ => false,
    };
    Some(exact && known)
}

#[cfg(test)]
mod tests {
    use super::super::testing::{found, found_on};
    use super::*;
    use crate::dissect::testing::{check_never, run};
    use crate::view::Direction::ToServer;
    use crate::view::Outcome;

    #[test]
    fn queues_with_lengths() {
        let connect = b"\0\0\0\x15\0\0\0\x11\x08\x02\x12\x0d\x0a\x05Pulse\x1a\0\x20\x0f\0";
        found(&STREAMS, AppId::PULSAR, connect, 9);
        let json = b"{\"code\":105,\"language\":\"JAVA\",\"opaque\":0}";
        let mut route = vec![0, 0, 0, 46, 0, 0, 0, 42];
        route.extend_from_slice(json);
        found(&STREAMS, AppId::ROCKETMQ, &route, 8);
        found(&STREAMS, AppId::GEARMAN, b"\0REQ\0\0\0\x01\0\0\0\x04echo", 4);
        found(&STREAMS, AppId::MSMQ, b"\x10\xc0\x0b\0LIOR\x3c\0\0\0", 4);
        found(&STREAMS, AppId::NANOMSG, b"\0SP\0\0\x10\0\0", 4);
        let node = b"\0\x0fn\0\x05\0\x03\x7f\xfcrab@host";
        found(&STREAMS, AppId::ERLANG, node, 4);
    }

    #[test]
    fn queues_that_say_who_they_are() {
        found(&STREAMS, AppId::NSQ, b"  V2IDENTIFY\n", 4);
        found(&STREAMS, AppId::BEANSTALK, b"put 0 0 60 5\r\n", 6);
        found(&STREAMS, AppId::IBM_MQ, b"TSH \0\0\0\xec\x02\x01\x31\0", 8);
        found(&STREAMS, AppId::IBM_MQ, b"\xe3\xe2\xc8\x40\0\0\0\xec\x01\x01\x31\0", 8);
        found(&STREAMS, AppId::AKKA, b"AKKA\x01", 4);
        found(&STREAMS, AppId::WEBLOGIC_T3, b"t3 12.2.1\nAS:255\nHL:19\n\n", 10);
        check_never(&STREAMS, ToServer, Transport::Tcp, b"put key value\r\n", (1, 2));
    }

    #[test]
    fn queues_on_their_ports() {
        found_on(&PORTS, 11_300, AppId::BEANSTALK, b"watch jobs\r\n", 2);
        found_on(&PORTS, 4369, AppId::ERLANG, b"\0\x01n", 1);
        let connect = b"\x0a\x04\x04\x01\0\x0aabcd";
        let outcome = run(&PORTS, ToServer, Transport::Udp, connect, (40_000, 1884)).0;
        assert_eq!(outcome, Outcome::found(AppId::MQTT_SN));
        check_never(&PORTS, ToServer, Transport::Udp, b"\x0a\x04\x04\x02\0\x0aabcd", (1, 1884));
    }
}
