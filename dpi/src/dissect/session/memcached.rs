//! memcached: the text protocol, the binary protocol, and both behind the eight-byte header they
//! have over UDP (memcached `doc/protocol.txt` and the published binary protocol).

use super::text::{self, Match};
use crate::app::AppId;
use crate::attr;
use crate::reader::Reader;
use crate::view::{Dissector, First, Notes, Outcome, Transport, View};

const REQUEST: u8 = 0x80;
const RESPONSE: u8 = 0x81;
/// Longest key.
const KEY_BYTES: usize = 250;

pub(super) const TCP: Dissector = Dissector {
    app: AppId::MEMCACHED,
    over: &[Transport::Tcp],
    ports: &[11211],
    ports_only: false,
    first: First::OneOf(b"gsadirctvfmpVSENO\x80\x81"),
    run: tcp,
};

pub(super) const UDP: Dissector = Dissector {
    app: AppId::MEMCACHED,
    over: &[Transport::Udp],
    ports: &[11211],
    // The header before the text begins with a number of the client's choice.
    ports_only: true,
    first: First::Any,
    run: udp,
};

fn tcp(view: &View<'_>, notes: &mut Notes<'_>) -> Outcome {
    match view.data.first() {
        Some(&(REQUEST | RESPONSE)) => binary(view.data),
        _ => textual(view.data, notes, view.port_is(11211)),
    }
}

/// Request number, sequence number, how many datagrams in all, and a zero; the first of an
/// answer or a request has sequence number zero.
fn udp(view: &View<'_>, notes: &mut Notes<'_>) -> Outcome {
    let mut reader = Reader::new(view.data);
    let Some([_, _, 0, 0, high, low, 0, 0]) = reader.array() else { return Outcome::NotMine };
    if (high, low) == (0, 0) {
        return Outcome::NotMine;
    }
    let outcome = match reader.rest() {
        [REQUEST | RESPONSE, ..] => binary(reader.rest()),
        _ => textual(reader.rest(), notes, true),
    };
    if outcome == Outcome::NeedMore { Outcome::NotMine } else { outcome }
}

/// Commands with a key behind them and at least one number behind that.
const STORE: &[&[u8]] = &[b"set ", b"add ", b"replace ", b"append ", b"prepend ", b"cas "];
/// Commands that stand alone, and so prove something on the usual port only.
const ALONE: &[&[u8]] = &[
    b"stats\r\n",
    b"version\r\n",
    b"stats items\r\n",
    b"stats slabs\r\n",
    b"stats settings\r\n",
    b"flush_all\r\n",
    b"get ",
    b"gets ",
    b"delete ",
    b"incr ",
    b"decr ",
    b"touch ",
];
/// Replies that only memcached gives.
const REPLIES: &[&[u8]] = &[b"STAT pid ", b"STAT items:", b"STAT version ", b"VALUE "];
const PLAIN_REPLIES: &[&[u8]] =
    &[b"STORED\r\n", b"NOT_STORED\r\n", b"VERSION 1.", b"END\r\n", b"NOT_FOUND\r\n"];

fn textual(data: &[u8], notes: &mut Notes<'_>, usual_port: bool) -> Outcome {
    let Some((line, _)) = text::line(data) else {
        let known = [STORE, ALONE, REPLIES, PLAIN_REPLIES]
            .iter()
            .any(|words| text::any_keyword(data, words) != Match::No);
        return if known { text::open_line(data) } else { Outcome::NotMine };
    };
    // The comparison is without case, the protocol is not.
    let lower = data.first().is_some_and(u8::is_ascii_lowercase);
    let mut found = false;
    if lower && let Match::Yes(rest) = text::any_keyword(data, STORE) {
        found = is_store(text::line(rest).map_or(rest, |(line, _)| line));
    } else if lower && let Match::Yes(_) = text::any_keyword(data, ALONE) {
        found = usual_port && text::is_text(line);
    } else if let Match::Yes(rest) = text::any_keyword(data, REPLIES) {
        found = !lower && (line.starts_with(b"STAT") || is_value(text::line(rest)));
    } else if let Match::Yes(_) = text::any_keyword(data, PLAIN_REPLIES) {
        found = !lower && usual_port;
    }
    if !found {
        return Outcome::NotMine;
    }
    if lower {
        notes.meta.put(&attr::MEMCACHED_COMMAND, text::word(line).0);
    }
    Outcome::found(AppId::MEMCACHED)
}

/// `key flags expiry bytes …`.
fn is_store(line: &[u8]) -> bool {
    let (key, rest) = text::word(line);
    if key.is_empty() || key.len() > KEY_BYTES {
        return false;
    }
    let mut words = rest.split(|byte| *byte == b' ');
    (0..3).all(|_| {
        words
            .next()
            .and_then(|word| text::number(word.strip_prefix(b"-").unwrap_or(word)))
            .is_some_and(|(_, rest)| rest.is_empty())
    })
}

/// `key flags bytes`.
fn is_value(line: Option<(&[u8], &[u8])>) -> bool {
    let Some((line, _)) = line else { return false };
    let (key, rest) = text::word(line);
    let numbers = rest.split(|byte| *byte == b' ').take(3);
    !key.is_empty()
        && key.len() <= KEY_BYTES
        && !rest.is_empty()
        && numbers.map(text::number).all(|number| number.is_some_and(|(_, rest)| rest.is_empty()))
}

/// A 24-byte header: magic, operation, lengths of key and extras, data type, status, total.
fn binary(data: &[u8]) -> Outcome {
    let mut reader = Reader::new(data);
    let Some(head) = reader.array::<24>() else {
        return if data.get(1).is_none_or(|operation| *operation <= 0x48) {
            Outcome::NeedMore
        } else {
            Outcome::NotMine
        };
    };
    let [magic, operation, k1, k2, extras, data_type, s1, s2, b1, b2, b3, b4, ..] = head;
    let key = u32::from(u16::from_be_bytes([k1, k2]));
    let body = u32::from_be_bytes([b1, b2, b3, b4]);
    let status = u16::from_be_bytes([s1, s2]);
    let extras_fit = match (magic, operation) {
        (RESPONSE, _) => extras == 0 || extras == 4 || extras == 8,
        // Set, add, replace and their quiet forms.
        (_, 0x01..=0x03 | 0x11..=0x13) => extras == 8,
        // Increment and decrement.
        (_, 0x05 | 0x06 | 0x15 | 0x16) => extras == 20,
        (_, 0x08 | 0x18 | 0x1c..=0x1e) => extras == 0 || extras == 4,
        _ => extras == 0,
    };
    let fits = operation <= 0x48
        && data_type == 0
        && extras_fit
        && usize::try_from(key).is_ok_and(|key| key <= KEY_BYTES)
        && body >= key + u32::from(extras)
        && body <= 1 << 20
        && (magic == REQUEST || status <= 0x86);
    if fits { Outcome::found(AppId::MEMCACHED) } else { Outcome::NotMine }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dissect::testing::{check_never, check_prefixes, run};
    use crate::view::Direction::{ToClient, ToServer};

    #[test]
    fn text_over_tcp() {
        let set = b"set user:7 0 -1 5\r\nhello\r\n";
        check_prefixes(&TCP, ToServer, Transport::Tcp, set, (5000, 4000));
        check_prefixes(&TCP, ToServer, Transport::Tcp, b"stats\r\n", (5000, 11211));
        check_prefixes(&TCP, ToClient, Transport::Tcp, b"VALUE a 0 5\r\nhello\r\n", (5000, 4000));
        check_prefixes(&TCP, ToClient, Transport::Tcp, b"STAT pid 8837\r\n", (5000, 4000));
        let (_, meta) = run(&TCP, ToServer, Transport::Tcp, set, (5000, 4000));
        assert_eq!(meta.get(&attr::MEMCACHED_COMMAND), Some(&b"set"[..]));
    }

    #[test]
    fn binary_and_udp() {
        let mut get = vec![0x80, 0, 0, 3, 0, 0, 0, 0, 0, 0, 0, 3, 0, 0, 0, 7];
        get.extend_from_slice(&[0; 8]);
        get.extend_from_slice(b"key");
        check_prefixes(&TCP, ToServer, Transport::Tcp, &get, (5000, 4000));
        let stats = b"\x12\x34\0\0\0\x01\0\0stats\r\n";
        check_prefixes(&UDP, ToServer, Transport::Udp, stats, (5000, 11211));
        let mut longer = get.clone();
        longer[4] = 7;
        check_never(&TCP, ToServer, Transport::Tcp, &longer, (5000, 4000));
        check_never(&UDP, ToServer, Transport::Udp, b"\x12\x34\0\0\0\0\0\0stats\r\n", (1, 11211));
    }

    #[test]
    fn near_misses() {
        for near in [
            &b"set -o vi\r\n"[..],
            b"GET / HTTP/1.1\r\n",
            b"stats\r\n",
            b"VALUE x y z\r\n",
            b"STATUS ok\r\n",
        ] {
            check_never(&TCP, ToServer, Transport::Tcp, near, (5000, 4000));
        }
    }
}
