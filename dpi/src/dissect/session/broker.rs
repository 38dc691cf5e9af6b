//! Message brokers: Kafka (protocol guide, "Request header"), AMQP 0-9-1 and 1.0, NATS and
//! STOMP (their published specifications).

use super::text::{self, Match};
use crate::app::AppId;
use crate::attr;
use crate::reader::Reader;
use crate::view::{Dissector, First, Notes, Outcome, Transport, View};

pub(super) const KAFKA: Dissector = Dissector {
    app: AppId::KAFKA,
    over: &[Transport::Tcp],
    ports: &[9092, 9093],
    ports_only: false,
    first: First::OneOf(&[0]),
    run: kafka,
};

pub(super) const AMQP: Dissector = Dissector {
    app: AppId::AMQP,
    over: &[Transport::Tcp],
    ports: &[5672],
    ports_only: false,
    first: First::OneOf(&[b'A', 1, 2, 3, 8]),
    run: amqp,
};

pub(super) const NATS: Dissector = Dissector {
    app: AppId::NATS,
    over: &[Transport::Tcp],
    ports: &[4222],
    ports_only: false,
    first: First::OneOf(b"IC"),
    run: nats,
};

pub(super) const STOMP: Dissector = Dissector {
    app: AppId::STOMP,
    over: &[Transport::Tcp],
    ports: &[61613],
    ports_only: false,
    first: First::OneOf(b"CS"),
    run: stomp,
};

/// Length, kind, version, number, the client's name: a name is asked for, because the rest are
/// small numbers.
fn kafka(view: &View<'_>, notes: &mut Notes<'_>) -> Outcome {
    let mut reader = Reader::new(view.data);
    let Some(length) = reader.u32() else { return Outcome::NeedMore };
    if !(11..=0x0100_0000).contains(&length) {
        return Outcome::NotMine;
    }
    let (Some(kind), Some(version)) = (reader.u16(), reader.u16()) else {
        return Outcome::NeedMore;
    };
    if kind > 92 || version > 20 {
        return Outcome::NotMine;
    }
    let (Some(_number), Some(name_bytes)) = (reader.u32(), reader.u16()) else {
        return Outcome::NeedMore;
    };
    if !(1..=249).contains(&name_bytes) || u32::from(name_bytes) + 10 > length {
        return Outcome::NotMine;
    }
    let name = reader.take_up_to(usize::from(name_bytes));
    if !name.iter().all(u8::is_ascii_graphic) {
        return Outcome::NotMine;
    }
    if name.len() < usize::from(name_bytes) {
        return Outcome::NeedMore;
    }
    notes.meta.put(&attr::KAFKA_CLIENT_ID, name);
    Outcome::found(AppId::KAFKA)
}

/// The protocol header, or a frame: kind, channel, size, payload, and a fixed end.
fn amqp(view: &View<'_>, _notes: &mut Notes<'_>) -> Outcome {
    const FRAME_END: u8 = 0xce;
    match text::prefix(view.data, b"AMQP") {
        Match::Yes(version) => {
            return match version {
                [0, 0, 9, 1] | [0, 0, 8 | 9, ..] | [0..=3, 1, 0, 0] | [1, 1, 0, 9 | 10] => {
                    Outcome::found(AppId::AMQP)
                }
                [_, _, _, _, ..] => Outcome::NotMine,
                _ => Outcome::NeedMore,
            };
        }
        Match::Partly => return Outcome::NeedMore,
        Match::No => {}
    }
    let mut reader = Reader::new(view.data);
    let (Some(kind), Some(_channel), Some(size)) = (reader.u8(), reader.u16(), reader.u32()) else {
        return Outcome::NeedMore;
    };
    let size = usize::try_from(size).unwrap_or(usize::MAX);
    if !matches!(kind, 1..=3 | 8) || size > 0x2_0000 || (kind == 1 && size < 4) {
        return Outcome::NotMine;
    }
    let Some(mut payload) = reader.sub(size) else {
        return if view.last { Outcome::NotMine } else { Outcome::NeedMore };
    };
    // Classes 10 to 120 in tens, methods below 130.
    let method = payload.u16().zip(payload.u16());
    let known = kind != 1
        || method.is_some_and(|(class, method)| class % 10 == 0 && class <= 120 && method < 130);
    match reader.u8() {
        Some(FRAME_END) if known => Outcome::found(AppId::AMQP),
        None if known => Outcome::NeedMore,
        _ => Outcome::NotMine,
    }
}

/// The server's `INFO {"server_id":…`, the client's `CONNECT {`.
fn nats(view: &View<'_>, notes: &mut Notes<'_>) -> Outcome {
    match text::any_keyword(view.data, &[b"INFO {\"", b"CONNECT {\""]) {
        Match::Yes(_) => {}
        Match::Partly => return Outcome::NeedMore,
        Match::No => return Outcome::NotMine,
    }
    let head = view.data.get(..text::LINE_BYTES).unwrap_or(view.data);
    let server = head.windows(15).position(|window| window == b"\"server_name\":\"");
    if let Some(name) = server.and_then(|at| head.get(at + 15..)) {
        notes.meta.put(&attr::NATS_SERVER, text::until(name, b'"').unwrap_or_default());
    }
    let own = [&b"\"server_id\""[..], b"\"verbose\"", b"\"pedantic\"", b"\"max_payload\""];
    if own.iter().any(|member| text::contains(head, member)) {
        return Outcome::found(AppId::NATS);
    }
    match text::line(view.data) {
        Some(_) => Outcome::NotMine,
        None => text::open_line(view.data),
    }
}

/// A command alone on its line, then headers (STOMP 1.2, "STOMP frames").
fn stomp(view: &View<'_>, _notes: &mut Notes<'_>) -> Outcome {
    const COMMANDS: &[&[u8]] =
        &[b"CONNECT\n", b"STOMP\n", b"CONNECTED\n", b"CONNECT\r\n", b"STOMP\r\n"];
    let rest = match text::any_keyword(view.data, COMMANDS) {
        Match::Yes(rest) => rest,
        Match::Partly => return Outcome::NeedMore,
        Match::No => return Outcome::NotMine,
    };
    match text::line(rest) {
        Some((header, _)) if header.contains(&b':') || header.is_empty() => {
            Outcome::found(AppId::STOMP)
        }
        Some(_) => Outcome::NotMine,
        None => text::open_line(rest),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dissect::testing::{check_never, check_prefixes, run};
    use crate::view::Direction::{ToClient, ToServer};

    #[test]
    fn kafka_names_the_client() {
        let versions = b"\0\0\0\x15\0\x12\0\0\0\0\0\x81\0\x07rdkafka\0\0\0\0";
        let (_, meta) = run(&KAFKA, ToServer, Transport::Tcp, versions, (1, 2));
        assert_eq!(meta.get(&attr::KAFKA_CLIENT_ID), Some(&b"rdkafka"[..]));
        check_prefixes(&KAFKA, ToServer, Transport::Tcp, versions, (1, 2));
        let mut near = versions.to_vec();
        near[15] = 1;
        check_never(&KAFKA, ToServer, Transport::Tcp, &near, (1, 2));
    }

    #[test]
    fn amqp_by_header_and_by_frame() {
        check_prefixes(&AMQP, ToServer, Transport::Tcp, b"AMQP\0\0\x09\x01", (1, 2));
        let frame = b"\x01\0\x01\0\0\0\x08\0\x3c\0\x28\0\0\0\0\xce";
        check_prefixes(&AMQP, ToServer, Transport::Tcp, frame, (1, 2));
        let mut near = frame.to_vec();
        near[15] = 0;
        check_never(&AMQP, ToServer, Transport::Tcp, &near, (1, 2));
    }

    #[test]
    fn nats_and_stomp() {
        let info = b"INFO {\"server_id\":\"NALG\",\"server_name\":\"n1\",\"max_payload\":1}\r\n";
        check_prefixes(&NATS, ToClient, Transport::Tcp, info, (1, 2));
        check_never(&NATS, ToServer, Transport::Tcp, b"CONNECT a:1 HTTP/1.1\r\n", (1, 2));
        let hello = b"STOMP\naccept-version:1.1\n\n\0";
        check_prefixes(&STOMP, ToServer, Transport::Tcp, hello, (1, 2));
        check_never(&STOMP, ToServer, Transport::Tcp, b"CONNECT x HTTP/1.1\r\n", (1, 2));
    }
}
