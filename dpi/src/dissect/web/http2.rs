//! HTTP/2 in the clear (RFC 9113), begun by its preface, and gRPC on it.
//!
//! The preface is the proof. Behind it the frames are walked to the first HEADERS frame of either
//! side.

use super::hpack::{Name, each_field};
use crate::app::AppId;
use crate::attr;
use crate::dissect::credentials;
use crate::meta::VALUE_BYTES;
use crate::reader::Reader;
use crate::view::{Dissector, First, Notes, Outcome, Transport, View};

pub(super) const HTTP2: Dissector = Dissector {
    app: AppId::HTTP2,
    over: &[Transport::Tcp],
    ports: &[80, 8080, 50051],
    ports_only: false,
    first: First::OneOf(b"P\x00"),
    run,
};

/// What a client sends first (section 3.4).
const PREFACE: &[u8; 24] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

const HEADERS: u8 = 1;
const SETTINGS: u8 = 4;
const END_HEADERS: u8 = 0x04;
const PADDED: u8 = 0x08;
const PRIORITY: u8 = 0x20;

/// Frames walked of one side.
const FRAMES_MOST: usize = 32;

fn run(view: &View<'_>, notes: &mut Notes<'_>) -> Outcome {
    if view.data.first() == Some(&b'P') {
        let length = view.data.len().min(PREFACE.len());
        if view.data.get(..length) != PREFACE.get(..length) {
            return Outcome::NotMine;
        }
        let Some(frames) = view.data.get(PREFACE.len()..) else { return Outcome::NeedMore };
        if notes.scratch.http.app == AppId::UNKNOWN {
            notes.scratch.http.app = AppId::HTTP2;
        }
        if !notes.scratch.http.request_done {
            notes.scratch.http.request_done = read_headers(frames, notes);
        }
        return Outcome::found_more(notes.scratch.http.app);
    }
    if notes.scratch.http.app == AppId::UNKNOWN {
        return server_first(view, notes);
    }
    let read = read_headers(view.data, notes);
    let app = notes.scratch.http.app;
    if read { Outcome::found(app) } else { Outcome::found_more(app) }
}

/// A server's preface without the client's: a SETTINGS frame that holds settings.
fn server_first(view: &View<'_>, notes: &mut Notes<'_>) -> Outcome {
    let mut reader = Reader::new(view.data);
    let Some([_, high, low, kind, flags, stream @ ..]) = reader.array::<9>() else {
        let zeros = view.data.iter().take(2).all(|byte| *byte == 0);
        let kind = view.data.get(3).is_none_or(|kind| *kind == SETTINGS);
        return if zeros && kind { Outcome::NeedMore } else { Outcome::NotMine };
    };
    let length = usize::from(low);
    let fits = high == 0
        && kind == SETTINGS
        && flags == 0
        && stream == [0; 4]
        && (6..=96).contains(&length)
        && length % 6 == 0;
    if !fits {
        return Outcome::NotMine;
    }
    let settings = reader.take_up_to(length);
    // Those of section 6.5.2 and RFC 8441, RFC 9218.
    let known = settings
        .chunks(6)
        .all(|setting| matches!(setting, [0, 1..=9, ..]) || matches!(setting, [0]));
    match (known, settings.len() == length) {
        (false, _) => Outcome::NotMine,
        (true, false) => Outcome::NeedMore,
        (true, true) => {
            notes.scratch.http.app = AppId::HTTP2;
            Outcome::found_more(AppId::HTTP2)
        }
    }
}

/// Walks the frames to the first whole header block; says whether there was one.
fn read_headers(frames: &[u8], notes: &mut Notes<'_>) -> bool {
    let mut reader = Reader::new(frames);
    for _ in 0..FRAMES_MOST {
        let (Some(length), Some([kind, flags, ..])) = (reader.u24(), reader.array::<6>()) else {
            break;
        };
        let length = usize::try_from(length).unwrap_or(usize::MAX);
        let Some(mut frame) = reader.sub(length) else { break };
        if kind != HEADERS {
            continue;
        }
        let padding = if flags & PADDED != 0 { usize::from(frame.u8().unwrap_or(0)) } else { 0 };
        if flags & PRIORITY != 0 {
            frame.take_up_to(5);
        }
        let block = frame.take_up_to(frame.left().saturating_sub(padding));
        if flags & END_HEADERS != 0 {
            note(block, notes);
        }
        return true;
    }
    false
}

fn note(block: &[u8], notes: &mut Notes<'_>) {
    let Notes { meta, scratch, .. } = notes;
    let mut request = false;
    let mut called = AppId::GRPC;
    // A malformed block keeps what was read before the fault.
    let _ = each_field(block, |name, value| match name {
        Name::Authority => {
            request = true;
            meta.put(&attr::HTTP_HOST, value);
            meta.put(&attr::HOST_NAME, value);
        }
        Name::Method => {
            request = true;
            meta.put(&attr::HTTP_METHOD, value);
        }
        Name::Path => {
            let mut kept = [0; VALUE_BYTES];
            meta.put(&attr::HTTP_PATH, credentials::without_secrets(value, &mut kept));
            called = by_service(value);
        }
        Name::UserAgent => meta.put(&attr::HTTP_USER_AGENT, value),
        Name::Server => meta.put(&attr::HTTP_SERVER, value),
        Name::Status => meta.put_number(&attr::HTTP_STATUS, number(value)),
        Name::ContentType => {
            let attr = if request { &attr::HTTP_REQUEST_TYPE } else { &attr::HTTP_CONTENT_TYPE };
            meta.put(attr, value);
            if value.starts_with(b"application/grpc") {
                // A path is the request's; its answer says no more than that it is a call.
                if request || scratch.http.app == AppId::HTTP2 {
                    scratch.http.app = called;
                }
            }
        }
    });
}

/// Services whose calls have names of their own: a call's path is `/package.Service/Method`.
fn by_service(path: &[u8]) -> AppId {
    const SERVICES: [(&[u8], AppId); 4] = [
        (b"/etcdserverpb.", AppId::ETCD),
        (b"/v3electionpb.", AppId::ETCD),
        (b"/gnmi.gNMI/", AppId::GNMI),
        (b"/opentelemetry.proto.collector.", AppId::OTLP),
    ];
    let found = SERVICES.iter().find(|(service, _)| path.starts_with(service));
    found.map_or(AppId::GRPC, |(_, app)| *app)
}

fn number(digits: &[u8]) -> u64 {
    digits.iter().take(3).fold(0, |value, digit| value * 10 + u64::from(digit & 15))
}

#[cfg(test)]
#[expect(clippy::cast_possible_truncation, reason = "lengths in tests are small")]
mod tests {
    use super::super::sample::hex;
    use super::*;
    use crate::dissect::testing::{Flow, check_never, check_prefixes};
    use crate::view::Direction::{ToClient, ToServer};

    const PORTS: (u16, u16) = (50_000, 50_051);

    fn client(content_type: &[u8]) -> Vec<u8> {
        let mut block = hex("83 86 44 05 2f 612e 42 63 41 0b");
        block.extend(b"example.com\x5f");
        block.push(content_type.len() as u8);
        block.extend(content_type);
        let mut bytes = PREFACE.to_vec();
        bytes.extend(hex("000000 04 00 00000000"));
        bytes.extend([0, 0, block.len() as u8, HEADERS, END_HEADERS, 0, 0, 0, 1]);
        bytes.extend(block);
        bytes
    }

    #[test]
    fn a_call_and_its_answer() {
        let bytes = client(b"application/grpc+proto");
        let mut flow = Flow::new(Transport::Tcp, PORTS);
        assert_eq!(flow.ask(&HTTP2, ToServer, &bytes), Outcome::found_more(AppId::GRPC));
        assert_eq!(flow.meta.get(&attr::HOST_NAME), Some(&b"example.com"[..]));
        assert_eq!(flow.meta.get(&attr::HTTP_METHOD), Some(&b"POST"[..]));
        assert_eq!(flow.meta.get(&attr::HTTP_PATH), Some(&b"/a.Bc"[..]));
        let settings = hex("000006 04 00 00000000 000300000064");
        assert_eq!(
            flow.ask_past_filter(&HTTP2, ToClient, &settings),
            Outcome::found_more(AppId::GRPC)
        );
        let answer = [settings, hex("000001 01 04 00000001 88")].concat();
        assert_eq!(flow.ask_past_filter(&HTTP2, ToClient, &answer), Outcome::found(AppId::GRPC));
        assert_eq!(flow.meta.get(&attr::HTTP_STATUS), Some(&200_u64.to_le_bytes()[..]));
    }

    #[test]
    fn some_calls_have_names() {
        let mut bytes = client(b"application/grpc");
        let path = bytes.windows(6).position(|window| window == b"\x05/a.Bc").unwrap();
        bytes.splice(path..path + 6, *b"\x16/etcdserverpb.KV/Range");
        bytes[PREFACE.len() + 9 + 2] += 17;
        let mut flow = Flow::new(Transport::Tcp, PORTS);
        assert_eq!(flow.ask(&HTTP2, ToServer, &bytes), Outcome::found_more(AppId::ETCD));
    }

    #[test]
    fn every_beginning() {
        check_prefixes(&HTTP2, ToServer, Transport::Tcp, &client(b"text/html"), PORTS);
        let settings = hex("00000c 04 00 00000000 000300000064 000400010000");
        check_prefixes(&HTTP2, ToClient, Transport::Tcp, &settings, PORTS);
    }

    #[test]
    fn zeros_and_other_prefaces_are_not_it() {
        check_never(&HTTP2, ToClient, Transport::Tcp, &[0; 64], PORTS);
        check_never(
            &HTTP2,
            ToClient,
            Transport::Tcp,
            &hex("000006 04 00 00000000 00ff00000064"),
            PORTS,
        );
        check_never(&HTTP2, ToServer, Transport::Tcp, b"PRI * HTTP/2.1\r\n\r\nSM\r\n\r\n", PORTS);
        check_never(&HTTP2, ToServer, Transport::Tcp, b"POST / HTTP/1.1\r\n\r\n", PORTS);
    }
}
