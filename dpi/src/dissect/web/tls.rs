//! TLS over TCP: the record layer and the hellos (RFC 8446 sections 4.1 and 5.1, RFC 5246 section
//! 6.2.1), and the hello in SSL 2.0's form (RFC 5246 appendix E.2).
//!
//! A flow that is joined late is recognised by a chain of records. The server's certificate, in
//! the clear up to TLS 1.2, is not read.

use super::hello::{CLIENT_HELLO, Carrier, ClientHello, SERVER_HELLO, ServerHello, version_name};
use super::tor;
use crate::app::AppId;
use crate::attr;
use crate::crypto_pool::CryptoRef;
use crate::reader::Reader;
use crate::view::{Dissector, First, Notes, Outcome, Transport, View};

pub(super) const TLS: Dissector = Dissector {
    app: AppId::TLS,
    over: &[Transport::Tcp],
    ports: &[443, 853, 465, 563, 636, 989, 990, 993, 995, 8443, 9443, 5061, 5223, 5671, 8883],
    ports_only: false,
    first: First::Ranges(&[(0x14, 0x18), (0x80, 0x81)]),
    run,
};

const CHANGE_CIPHER_SPEC: u8 = 20;
const ALERT: u8 = 21;
const HANDSHAKE: u8 = 22;
const HEARTBEAT: u8 = 24;

/// A record's payload at most: 2^14 and what encryption may add (RFC 5246 section 6.2.3).
const RECORD_MOST: usize = 16_384 + 2048;
/// A hello longer than this is no hello. Real ones reach some ten thousand bytes.
const HELLO_MOST: usize = 65_536;
/// Records followed while putting a hello together or proving a chain.
const RECORDS_MOST: usize = 16;

fn run(view: &View<'_>, notes: &mut Notes<'_>) -> Outcome {
    if notes.scratch.hello.client == Some(view.direction) {
        return Outcome::found_more(notes.scratch.hello.app);
    }
    let Some(first) = view.data.first() else { return Outcome::NeedMore };
    if *first >= 0x80 {
        return old_hello(view, notes);
    }
    let mut reader = Reader::new(view.data);
    let Some(record) = read_record(&mut reader) else {
        return if view.data.len() < 5 && is_beginning(view.data) {
            Outcome::NeedMore
        } else {
            unless_found(notes)
        };
    };
    match (record.kind, record.body.first()) {
        (HANDSHAKE, Some(&CLIENT_HELLO)) => client_hello(view, notes, record),
        (HANDSHAKE, Some(&SERVER_HELLO)) => server_hello(view, notes, record),
        _ => chain(view, notes),
    }
}

/// What to answer to bytes that are not TLS: nothing more to read where the flow was found.
fn unless_found(notes: &Notes<'_>) -> Outcome {
    let hello = &notes.scratch.hello;
    if hello.client.is_some() { Outcome::found(hello.app) } else { Outcome::NotMine }
}

/// One record, of which `body` may be only the beginning.
#[derive(Clone, Copy)]
struct Record<'a> {
    kind: u8,
    length: usize,
    body: &'a [u8],
}

fn read_record<'a>(reader: &mut Reader<'a>) -> Option<Record<'a>> {
    let [kind, major, minor] = reader.array()?;
    let length = usize::from(reader.u16()?);
    let fits = (CHANGE_CIPHER_SPEC..=HEARTBEAT).contains(&kind)
        && major == 3
        && minor <= 4
        && (1..=RECORD_MOST).contains(&length);
    fits.then(|| Record { kind, length, body: reader.take_up_to(length) })
}

/// Whether fewer than five bytes can become a record's header.
fn is_beginning(data: &[u8]) -> bool {
    data.get(1).is_none_or(|major| *major == 3) && data.get(2).is_none_or(|minor| *minor <= 4)
}

fn client_hello(view: &View<'_>, notes: &mut Notes<'_>, record: Record<'_>) -> Outcome {
    let mut message = Reader::new(record.body);
    let Some(length) = message.skip(1).and_then(|()| message.u24()) else {
        return short(view, record);
    };
    let length = length as usize;
    if !(38..=HELLO_MOST).contains(&length) || (record.length < 4 && record.body.len() < 4) {
        return Outcome::NotMine;
    }
    if message.left() >= length {
        return read_hello(view, notes, message.take_up_to(length));
    }
    if record.length >= length + 4 || record.body.len() < record.length {
        // The rest stands in this record, or in others that have not come either.
        if !view.last {
            let plausible = ClientHello::parse(message.rest(), Carrier::Tls).is_some();
            return if plausible || message.left() < 2 {
                Outcome::NeedMore
            } else {
                Outcome::NotMine
            };
        }
        return read_hello(view, notes, message.rest());
    }
    hello_over_records(view, notes, length)
}

/// A record cut off before the length of its handshake message.
fn short(view: &View<'_>, record: Record<'_>) -> Outcome {
    if record.length < 4 && record.body.len() == record.length {
        // A message header cut over records: legal, and only ever seen as an evasion.
        return Outcome::GiveUp;
    }
    if view.last { Outcome::GiveUp } else { Outcome::NeedMore }
}

/// Puts a hello together whose bytes stand in several records.
fn hello_over_records(view: &View<'_>, notes: &mut Notes<'_>, length: usize) -> Outcome {
    let mut stream = notes.crypto.open();
    let mut reader = Reader::new(view.data);
    let mut offset = 0_usize;
    for _ in 0..RECORDS_MOST {
        let before = reader.left();
        let Some(record) = read_record(&mut reader) else {
            if before >= 5 {
                notes.crypto.close(&mut stream);
                return Outcome::NotMine;
            }
            break;
        };
        if record.kind != HANDSHAKE {
            break;
        }
        if let Some(buffer) = notes.crypto.get(stream) {
            buffer.insert(offset as u64, record.body);
        }
        offset += record.body.len();
        if offset >= length + 4 || record.body.len() < record.length {
            break;
        }
    }
    if offset < length + 4 && !view.last {
        notes.crypto.close(&mut stream);
        return Outcome::NeedMore;
    }
    read_gathered(view, notes, stream, length)
}

fn read_gathered(
    view: &View<'_>,
    notes: &mut Notes<'_>,
    mut stream: CryptoRef,
    length: usize,
) -> Outcome {
    // Reborrowed apart: the stream is in one pool, the metadata elsewhere.
    let Notes { meta, scratch, crypto, .. } = notes;
    let Some(bytes) = crypto.get(stream).map(|buffer| buffer.contiguous()) else {
        return Outcome::GiveUp;
    };
    let body = bytes.get(4..).unwrap_or_default();
    let body = body.get(..length).unwrap_or(body);
    let outcome = match ClientHello::parse(body, Carrier::Tls) {
        None => Outcome::NotMine,
        Some(hello) => {
            hello.note(meta);
            scratch.hello.client = Some(view.direction);
            scratch.hello.app = name(&hello, view);
            Outcome::found_more(scratch.hello.app)
        }
    };
    crypto.close(&mut stream);
    outcome
}

fn read_hello(view: &View<'_>, notes: &mut Notes<'_>, body: &[u8]) -> Outcome {
    let Some(hello) = ClientHello::parse(body, Carrier::Tls) else { return Outcome::NotMine };
    hello.note(notes.meta);
    let app = name(&hello, view);
    notes.scratch.hello.client = Some(view.direction);
    notes.scratch.hello.app = app;
    Outcome::found_more(app)
}

/// What is inside, where the hello tells.
fn name(hello: &ClientHello<'_>, view: &View<'_>) -> AppId {
    if let Some(app) = hello.application() {
        app
    } else if view.port_is(853) && hello.alpn.is_empty() {
        AppId::DOT
    } else if tor::is_tor(hello) {
        AppId::TOR
    } else {
        AppId::TLS
    }
}

fn server_hello(view: &View<'_>, notes: &mut Notes<'_>, record: Record<'_>) -> Outcome {
    let mut message = Reader::new(record.body);
    let length = message.skip(1).and_then(|()| message.u24());
    let Some(length) = length.map(|length| length as usize) else { return short(view, record) };
    if !(38..=HELLO_MOST).contains(&length) {
        return unless_found(notes);
    }
    if message.left() < length && record.body.len() < record.length && !view.last {
        return Outcome::NeedMore;
    }
    let Some(hello) = ServerHello::parse(message.take_up_to(length)) else {
        return unless_found(notes);
    };
    notes.meta.put(&attr::TLS_VERSION, version_name(hello.version).as_bytes());
    notes.meta.put_number(&attr::TLS_CIPHER, u64::from(hello.cipher));
    let track = &notes.scratch.hello;
    match () {
        () if track.client.is_some() => Outcome::found(track.app),
        () if view.port_is(853) => Outcome::found(AppId::DOT),
        () => Outcome::found(AppId::TLS),
    }
}

/// Records that are no hello: a flow joined late, an alert, what follows a hello that was found.
///
/// One header is 24 bits of evidence at most. Enough is: a record that ends where the data ends,
/// or two headers in a row.
fn chain(view: &View<'_>, notes: &mut Notes<'_>) -> Outcome {
    let hello = &notes.scratch.hello;
    if hello.client.is_some() {
        return Outcome::found(hello.app);
    }
    let mut reader = Reader::new(view.data);
    let mut minor = None;
    for seen in 0..RECORDS_MOST {
        if reader.left() == 0 {
            break;
        }
        let version = reader.rest().get(2).copied();
        let cut = seen > 0 && is_beginning(reader.rest()) && reader.left() < 5;
        let Some(record) = read_record(&mut reader) else {
            return if cut { Outcome::NeedMore } else { Outcome::NotMine };
        };
        if !is_plausible(record) || minor.is_some_and(|minor| Some(minor) != version) {
            return Outcome::NotMine;
        }
        minor = version;
        if record.body.len() < record.length {
            return match seen {
                0 if view.last => Outcome::GiveUp,
                0 => Outcome::NeedMore,
                _ => Outcome::found(AppId::TLS),
            };
        }
    }
    Outcome::found(AppId::TLS)
}

/// What the kind of a record says about its length and beginning.
fn is_plausible(record: Record<'_>) -> bool {
    let first = record.body.first().copied();
    match record.kind {
        CHANGE_CIPHER_SPEC => record.length == 1 && first.is_none_or(|byte| byte == 1),
        // In the clear an alert has two bytes; encrypted ones are at least 16 longer.
        ALERT if record.length == 2 => first.is_none_or(|level| matches!(level, 1 | 2)),
        ALERT | HEARTBEAT => (18..=512).contains(&record.length),
        HANDSHAKE => record.length >= 4,
        _ => record.length >= 16,
    }
}

/// A hello in the form of SSL 2.0, which clients sent to offer SSL 3.0 and later as well.
fn old_hello(view: &View<'_>, notes: &mut Notes<'_>) -> Outcome {
    if notes.scratch.hello.client.is_some() {
        return Outcome::found(notes.scratch.hello.app);
    }
    let mut reader = Reader::new(view.data);
    let Some(header) = reader.array::<11>() else {
        let fits = view.data.get(2).is_none_or(|kind| *kind == CLIENT_HELLO)
            && view.data.get(3).is_none_or(|major| matches!(major, 0 | 3));
        return if fits { Outcome::NeedMore } else { Outcome::NotMine };
    };
    let [high, low, kind, major, minor, lengths @ ..] = header;
    let [cipher_high, cipher_low, id_high, id_low, challenge_high, challenge_low] = lengths;
    let record = usize::from(u16::from_be_bytes([high & 0x7f, low]));
    let version = u16::from_be_bytes([major, minor]);
    let ciphers = usize::from(u16::from_be_bytes([cipher_high, cipher_low]));
    let id = usize::from(u16::from_be_bytes([id_high, id_low]));
    let challenge = usize::from(u16::from_be_bytes([challenge_high, challenge_low]));
    let fits = kind == CLIENT_HELLO
        && matches!(version, 0x0002 | 0x0300..=0x0303)
        && ciphers > 0
        && ciphers % 3 == 0
        && matches!(id, 0 | 16)
        && (16..=32).contains(&challenge)
        && record == 9 + ciphers + id + challenge;
    if !fits {
        return Outcome::NotMine;
    }
    notes.meta.put(&attr::TLS_OFFERED, version_name(version).as_bytes());
    notes.scratch.hello.client = Some(view.direction);
    notes.scratch.hello.app = AppId::TLS;
    Outcome::found_more(AppId::TLS)
}
