//! DNS over UDP, packet by packet: errors in a burst, and names in which data may be hidden.

use weir_shm::alerts::{Alert, AlertKind, Figure, ShortText};

use super::event::Flow;
use super::{Alerts, Counted, host, key, seconds};

/// The port of DNS.
pub const PORT: u16 = 53;
/// Bytes before the domain from which on a name is long.
const LONG: usize = 32;
/// Bytes of a name at most (RFC 1035, section 3.1).
const NAME_BYTES: usize = 255;
const HEAD_BYTES: usize = 12;

/// What matters here of a message.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
struct Message<'a> {
    is_answer: bool,
    error: u8,
    /// The question's name on the wire, without the last zero; it may be cut.
    name: &'a [u8],
}

impl Alerts {
    /// A DNS message; `by_client` says who sent it.
    pub fn dns(&mut self, flow: &Flow, by_client: bool, payload: &[u8]) {
        let Some(message) = read(payload) else { return };
        if by_client && !message.is_answer {
            self.asked(flow, message.name);
        } else if !by_client && message.is_answer {
            self.note_dns_server(flow);
            if message.error != 0 {
                self.failed(flow);
            }
        }
    }

    fn failed(&mut self, flow: &Flow) {
        self.count(
            AlertKind::DnsErrors,
            &flow.counts(
                key(AlertKind::DnsErrors, &flow.client.address, 0, 0),
                Figure::Errors,
                &|| flow.about(host(&flow.client), super::party(&flow.server)),
            ),
        );
    }

    fn asked(&mut self, flow: &Flow, name: &[u8]) {
        let Some(bar) = self.bar(AlertKind::DnsTunnel) else { return };
        let at = domain(name);
        if at < LONG || ends_in_arpa(name) {
            return;
        }
        let below = name.get(at..).unwrap_or_default();
        let start_s = bar.start(seconds(flow.now_ns));
        let whole = key(AlertKind::DnsTunnel, &flow.client.address, 1, hash(name));
        if !self.seen.first(&whole, start_s) {
            return;
        }
        let mut text = [0; 56];
        dotted(below, &mut text);
        self.count(
            AlertKind::DnsTunnel,
            &Counted {
                amount: at as u64,
                ident: hash(below),
                ..flow.counts(
                    key(AlertKind::DnsTunnel, &flow.client.address, 0, hash(below)),
                    Figure::NameBytes,
                    &|| Alert {
                        note: ShortText::new(&text),
                        ..flow.about(host(&flow.client), super::party(&flow.server))
                    },
                )
            },
        );
    }
}

/// Reads as much of a message as is needed.
fn read(payload: &[u8]) -> Option<Message<'_>> {
    let (head, rest) = payload.split_at_checked(HEAD_BYTES)?;
    let [_, _, first, second, questions_high, questions_low, ..] = *head else { return None };
    let is_query_kind = first & 0x78 == 0;
    if !is_query_kind || [questions_high, questions_low] != [0, 1] {
        return None;
    }
    let mut at = 0;
    // Labels to the root, or to where the capture ends.
    while let Some(length) = rest.get(at).map(|byte| usize::from(*byte)) {
        if length == 0 || length > 63 || at + length >= NAME_BYTES {
            break;
        }
        at += 1 + length;
    }
    let name = rest.get(..at.min(rest.len()))?;
    Some(Message { is_answer: first & 0x80 != 0, error: second & 0x0f, name })
}

/// Where the domain begins: the last two labels, or three where the last two are like `co.uk`.
fn domain(name: &[u8]) -> usize {
    // Starts of the last labels, the last one first.
    let mut last = [0; 3];
    let mut count = 0;
    let mut at = 0;
    while let Some(length) = name.get(at).map(|byte| usize::from(*byte)) {
        last = [at, last[0], last[1]];
        count += 1;
        at += 1 + length;
    }
    let length_of = |start: usize| name.get(start).copied().unwrap_or(0);
    match count {
        0..=2 => 0,
        _ if length_of(last[0]) == 2 && length_of(last[1]) <= 3 => last[2],
        _ => last[1],
    }
}

fn ends_in_arpa(name: &[u8]) -> bool {
    let tail = name.len().saturating_sub(5);
    name.get(tail..).is_some_and(|tail| tail.eq_ignore_ascii_case(b"\x04arpa"))
}

/// The same for names that differ in case alone (FNV-1a).
fn hash(name: &[u8]) -> u64 {
    name.iter().fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
        (hash ^ u64::from(byte.to_ascii_lowercase())).wrapping_mul(0x0100_0000_01b3)
    })
}

/// Writes a name as people do.
fn dotted(name: &[u8], text: &mut [u8]) {
    let mut out = text.iter_mut();
    let mut left = 0;
    for (at, byte) in name.iter().enumerate() {
        if left == 0 {
            left = usize::from(*byte);
            if at == 0 {
                continue;
            }
        } else {
            left -= 1;
        }
        let is_dot = left == usize::from(*byte) && at > 0 && !byte.is_ascii_graphic();
        let shown = if is_dot { b'.' } else { byte.to_ascii_lowercase() };
        let Some(place) = out.next() else { return };
        *place = if shown.is_ascii_graphic() { shown } else { b'?' };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wire(name: &str) -> Vec<u8> {
        let labels = name.split('.');
        labels
            .flat_map(|label| [&[u8::try_from(label.len()).unwrap()], label.as_bytes()].concat())
            .collect()
    }

    fn message(flags: [u8; 2], name: &str) -> Vec<u8> {
        [&[0, 1, flags[0], flags[1], 0, 1, 0, 0, 0, 0, 0, 0], &*wire(name), &[0, 0, 1, 0, 1]]
            .concat()
    }

    #[test]
    fn messages_are_read() {
        let bytes = message([0x81, 0x83], "www.example.org");
        let read = read(&bytes).unwrap();
        assert_eq!((read.is_answer, read.error, read.name), (true, 3, &*wire("www.example.org")));
        for cut in 0..bytes.len() {
            let _ = super::read(&bytes[..cut]);
        }
        assert_eq!(super::read(&message([0x28, 0], "update.example.org")), None, "an update");
    }

    #[test]
    fn the_domain_is_the_end_of_a_name() {
        for (name, domain_of) in [
            ("www.example.org", "example.org"),
            ("a.b.c.example.co.uk", "example.co.uk"),
            ("example.org", "example.org"),
            ("org", "org"),
        ] {
            let name = wire(name);
            let below = &name[domain(&name)..];
            let mut text = [0; 56];
            dotted(below, &mut text);
            assert_eq!(ShortText::<56>::new(&text).to_text(), domain_of);
        }
        assert!(ends_in_arpa(&wire("1.0.0.10.in-addr.arpa")));
    }
}
