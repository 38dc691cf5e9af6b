//! DTLS 1.0, 1.2 and 1.3 (RFC 4347, 6347, 9147): the record layer and the hellos, whose fragments
//! may come in several datagrams.
//!
//! Records of DTLS 1.3 that are encrypted have a header too short to prove anything; the flow is
//! named by its hello.

use super::hello::{
    CLIENT_HELLO, Carrier, ClientHello, SERVER_HELLO, ServerHello, is_dtls, version_name,
};
use crate::app::AppId;
use crate::attr;
use crate::reader::Reader;
use crate::view::{Dissector, First, Notes, Outcome, Transport, View};

pub(super) const DTLS: Dissector = Dissector {
    app: AppId::DTLS,
    over: &[Transport::Udp],
    ports: &[443, 853, 3391, 4433, 5061, 5349, 5684],
    ports_only: false,
    first: First::Ranges(&[(20, 24)]),
    run,
};

const HANDSHAKE: u8 = 22;
const HELLO_VERIFY_REQUEST: u8 = 3;
/// Records looked at in a datagram.
const RECORDS_MOST: usize = 8;
/// Longer hellos are not believed.
const HELLO_MOST: u32 = 16_384;

fn run(view: &View<'_>, notes: &mut Notes<'_>) -> Outcome {
    let mut reader = Reader::new(view.data);
    let mut records = 0_u32;
    let mut outcome = None;
    for _ in 0..RECORDS_MOST {
        let Some(record) = read_record(&mut reader) else { break };
        records += 1;
        if record.kind == HANDSHAKE && record.epoch == 0 {
            outcome = handshake(view, notes, record.body).or(outcome);
        }
        if reader.left() == 0 {
            break;
        }
    }
    if let Some(outcome) = outcome {
        return outcome;
    }
    let known = notes.scratch.hello.client.is_some();
    match (records, reader.left()) {
        (0, _) if known => Outcome::found(notes.scratch.hello.app),
        (0, _) => Outcome::NotMine,
        // Records that fill the datagram: eleven bytes of header agree, whatever they hold.
        (_, 0) => Outcome::found_more(AppId::DTLS),
        _ => Outcome::NotMine,
    }
}

struct Record<'a> {
    kind: u8,
    epoch: u16,
    body: &'a [u8],
}

/// RFC 6347 section 4.1.
fn read_record<'a>(reader: &mut Reader<'a>) -> Option<Record<'a>> {
    let kind = reader.u8()?;
    let version = reader.u16()?;
    let epoch = reader.u16()?;
    let sequence = reader.array::<6>()?;
    let length = reader.u16()?;
    // Nothing that is captured soon after its beginning has counted to 2^40 records.
    let [first, ..] = sequence;
    let fits = (20..=24).contains(&kind) && is_dtls(version) && first == 0 && length > 0;
    let body = reader.take(usize::from(length)).filter(|_| fits)?;
    Some(Record { kind, epoch, body })
}

/// A handshake message, or a fragment of one (RFC 6347 section 4.2.2).
fn handshake(view: &View<'_>, notes: &mut Notes<'_>, body: &[u8]) -> Option<Outcome> {
    let mut reader = Reader::new(body);
    let kind = reader.u8()?;
    let length = reader.u24()?;
    let _message = reader.u16()?;
    let offset = reader.u24()?;
    let fragment = reader.u24()?;
    let bytes = reader.take(usize::try_from(fragment).ok()?)?;
    if offset.checked_add(fragment)? > length || length > HELLO_MOST {
        return None;
    }
    match kind {
        CLIENT_HELLO if fragment == length => client_hello(view, notes, bytes),
        CLIENT_HELLO => gather(view, notes, length, offset, bytes),
        SERVER_HELLO if offset == 0 => server_hello(notes, bytes),
        HELLO_VERIFY_REQUEST => Some(Outcome::found_more(app(notes))),
        _ => None,
    }
}

fn app(notes: &Notes<'_>) -> AppId {
    let hello = &notes.scratch.hello;
    if hello.client.is_some() { hello.app } else { AppId::DTLS }
}

fn client_hello(view: &View<'_>, notes: &mut Notes<'_>, body: &[u8]) -> Option<Outcome> {
    let hello = ClientHello::parse(body, Carrier::Dtls)?;
    hello.note(notes.meta);
    let app = hello.application().unwrap_or(AppId::DTLS);
    notes.scratch.hello.client = Some(view.direction);
    notes.scratch.hello.app = app;
    Some(Outcome::found_more(app))
}

fn gather(
    view: &View<'_>,
    notes: &mut Notes<'_>,
    length: u32,
    offset: u32,
    bytes: &[u8],
) -> Option<Outcome> {
    let Notes { meta, scratch, crypto, .. } = notes;
    let track = &mut scratch.hello;
    if track.client.is_some() {
        return Some(Outcome::found_more(track.app));
    }
    if crypto.get(track.stream).is_none() {
        track.stream = crypto.open();
    }
    let buffer = crypto.get(track.stream)?;
    buffer.insert(u64::from(offset), bytes);
    let Some(body) = buffer.contiguous().get(..usize::try_from(length).ok()?) else {
        return Some(Outcome::found_more(AppId::DTLS));
    };
    if let Some(hello) = ClientHello::parse(body, Carrier::Dtls) {
        hello.note(meta);
        track.app = hello.application().unwrap_or(AppId::DTLS);
        track.client = Some(view.direction);
    }
    crypto.close(&mut track.stream);
    Some(Outcome::found_more(app(notes)))
}

fn server_hello(notes: &mut Notes<'_>, body: &[u8]) -> Option<Outcome> {
    let hello = ServerHello::parse(body)?;
    notes.meta.put(&attr::DTLS_VERSION, version_name(hello.version).as_bytes());
    notes.meta.put_number(&attr::DTLS_CIPHER, u64::from(hello.cipher));
    Some(Outcome::found(app(notes)))
}
