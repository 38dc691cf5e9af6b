//! TLS over TCP: the record layer and the hellos (RFC 8446 sections 4.1 and 5.1, RFC 5246 section
//! 6.2.1), and the hello in SSL 2.0's form (RFC 5246 appendix E.2).
//!
//! A flow that is joined late is recognised by a chain of records. The server's certificate is in the
//! clear up to TLS 1.2, and is read ([`super::flight`]).

use super::flight::{self, Flight};
use super::hello::{
    CLIENT_HELLO, Carrier, ClientHello, SERVER_HELLO, ServerHello, protocol_names, version_name,
};
use super::{risks, tor};
use crate::app::AppId;
use crate::attr;
use crate::crypto_pool::CryptoRef;
use crate::reader::Reader;
use crate::risk::Risk;
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
pub(super) const HANDSHAKE: u8 = 22;
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
pub(super) struct Record<'a> {
    pub(super) kind: u8,
    length: usize,
    pub(super) body: &'a [u8],
}

pub(super) fn read_record<'a>(reader: &mut Reader<'a>) -> Option<Record<'a>> {
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
    let Some((bytes, digests)) = crypto.held(stream) else { return Outcome::GiveUp };
    let body = bytes.get(4..).unwrap_or_default();
    let body = body.get(..length).unwrap_or(body);
    let outcome = match ClientHello::parse(body, Carrier::Tls) {
        None => Outcome::NotMine,
        Some(hello) => {
            hello.note(view, meta, digests);
            scratch.hello.client = Some(view.direction);
            scratch.set_read(view.direction);
            scratch.hello.app = name(&hello, view);
            Outcome::found_more(scratch.hello.app)
        }
    };
    crypto.close(&mut stream);
    outcome
}

fn read_hello(view: &View<'_>, notes: &mut Notes<'_>, body: &[u8]) -> Outcome {
    let Some(hello) = ClientHello::parse(body, Carrier::Tls) else { return Outcome::NotMine };
    hello.note(view, notes.meta, notes.crypto.digests());
    let app = name(&hello, view);
    notes.scratch.hello.client = Some(view.direction);
    notes.scratch.set_read(view.direction);
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
    notes.meta.put(&attr::TLS_ALPN_CHOSEN, protocol_names(hello.alpn).next().unwrap_or_default());
    risks::server(hello.version, hello.cipher, notes.meta);
    let track = &notes.scratch.hello;
    let app = match () {
        () if track.client.is_some() => track.app,
        () if view.port_is(853) => AppId::DOT,
        () => AppId::TLS,
    };
    // From TLS 1.3 on (and its drafts) the certificate is encrypted.
    let more = hello.version < 0x0304 && flight::read(view, notes) == Flight::Waiting;
    Outcome::Found { app, more }
}

/// Records that are no hello: a flow joined late, an alert, what follows a hello that was found.
///
/// One header is 24 bits of evidence at most. Enough is: a record that ends where the data ends,
/// or two headers in a row.
fn chain(view: &View<'_>, notes: &mut Notes<'_>) -> Outcome {
    // Type, version, length, and a level that ends the connection (RFC 8446 section 6).
    if let [ALERT, _, _, 0, 2, 2, _, ..] = view.data {
        notes.meta.set_risk(Risk::TlsFatalAlert);
    }
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
    if version < 0x0303 {
        notes.meta.set_risk(Risk::TlsObsoleteVersion);
    }
    notes.scratch.hello.client = Some(view.direction);
    notes.scratch.set_read(view.direction);
    notes.scratch.hello.app = AppId::TLS;
    Outcome::found_more(AppId::TLS)
}

#[cfg(test)]
#[expect(clippy::cast_possible_truncation, reason = "lengths in tests are small")]
mod tests {
    use super::super::sample::{client_hello, extension, hex, protocols, records, server_name};
    use super::*;
    use crate::dissect::testing::{Flow, check_never, check_prefixes, run};
    use crate::view::Direction::{ToClient, ToServer};
    use proptest::prelude::*;

    const PORTS: (u16, u16) = (50_000, 443);

    /// A Tor client's hello, as captured.
    const TOR: &str = "16030100d0010000cc0301527b813786d943d233709dd47ed68bbb8c40f48e301cabb6d1e5\
        60220579d4bf000048c00ac0140088008700390038c00fc00500840035c007c009c011c013004500440033003\
        2c00cc00ec002c0040096004100040005002fc008c01200160013c00dc003feff000a00ff0100005b00000017\
        00150000127777772e676675376862787066702e636f6d000b000403000102000a00340032000100020003000\
        400050006000700080009000a000b000c000d000e000f0010001100120013001400150016001700180019";

    const SERVER_HELLO_13: &str = "160303004a020000460303\
        000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f00\
        130100001e002b00020304 0033 00140018 00100102030405060708090a0b0c0d0e0f10 00000000";

    fn browser() -> Vec<u8> {
        client_hello(
            &[0x2a2a, 0x1301, 0x1302, 0xc02b],
            &[
                extension(0x4a4a, &[]),
                server_name("www.example.com"),
                protocols(&["h2", "http/1.1"]),
                extension(13, &[0, 4, 4, 3, 8, 4]),
                extension(43, &[6, 0x3a, 0x3a, 3, 4, 3, 3]),
                extension(0xfe0d, &[0; 8]),
            ],
        )
    }

    fn get<'m>(meta: &'m crate::meta::Meta, attr: &attr::Attr) -> &'m str {
        std::str::from_utf8(meta.get(attr).unwrap_or_default()).unwrap()
    }

    #[test]
    fn a_captured_hello_and_its_published_fingerprint() {
        let bytes = hex(TOR);
        let (outcome, meta) = run(&TLS, ToServer, Transport::Tcp, &bytes, PORTS);
        assert_eq!(outcome, Outcome::found_more(AppId::TOR));
        assert_eq!(get(&meta, &attr::TLS_SNI), "www.gfu7hbxpfp.com");
        assert_eq!(get(&meta, &attr::HOST_NAME), "www.gfu7hbxpfp.com");
        assert_eq!(get(&meta, &attr::TLS_OFFERED), "TLSv1.0");
        assert_eq!(get(&meta, &attr::TLS_JA4), "t10d360300_77f462745360_33a13ba74d1c");
        check_prefixes(&TLS, ToServer, Transport::Tcp, &bytes, PORTS);
    }

    #[test]
    fn the_hello_is_read_whole_however_it_is_cut() {
        let message = browser();
        let (_, whole) = run(&TLS, ToServer, Transport::Tcp, &records(&message, 16_384), PORTS);
        assert_eq!(get(&whole, &attr::TLS_ALPN), "h2,http/1.1");
        assert_eq!(get(&whole, &attr::TLS_OFFERED), "TLSv1.3");
        assert!(get(&whole, &attr::TLS_JA4).starts_with("t13d0305h2_"));
        assert_eq!(whole.get(&attr::TLS_ECH).unwrap()[0], 1);
        for most in [4, 7, 20, 64, message.len() - 1] {
            if message.len().div_ceil(most) > RECORDS_MOST {
                continue;
            }
            let bytes = records(&message, most);
            let (outcome, meta) = run(&TLS, ToServer, Transport::Tcp, &bytes, PORTS);
            assert_eq!(outcome, Outcome::found_more(AppId::TLS), "records of {most}");
            assert_eq!(meta.as_bytes(), whole.as_bytes(), "records of {most}");
            check_prefixes(&TLS, ToServer, Transport::Tcp, &bytes, PORTS);
        }
    }

    #[test]
    fn the_answer_adds_version_and_cipher_and_ends_it() {
        let mut flow = Flow::new(Transport::Tcp, PORTS);
        let hello = records(&browser(), 16_384);
        assert_eq!(flow.ask(&TLS, ToServer, &hello), Outcome::found_more(AppId::TLS));
        let answer = hex(SERVER_HELLO_13);
        assert_eq!(flow.ask(&TLS, ToClient, &answer), Outcome::found(AppId::TLS));
        assert_eq!(get(&flow.meta, &attr::TLS_VERSION), "TLSv1.3");
        assert_eq!(flow.meta.get(&attr::TLS_CIPHER).unwrap(), 0x1301_u64.to_le_bytes());
        // The answer alone is enough.
        check_prefixes(&TLS, ToClient, Transport::Tcp, &answer, PORTS);
    }

    #[test]
    fn what_is_inside_is_told_by_the_protocols_offered_and_the_dns_port() {
        let dot = records(&client_hello(&[0x1301], &[protocols(&["dot"])]), 16_384);
        let outcome = run(&TLS, ToServer, Transport::Tcp, &dot, PORTS).0;
        assert_eq!(outcome, Outcome::found_more(AppId::DOT));
        let plain = records(&client_hello(&[0x1301], &[]), 16_384);
        let outcome = run(&TLS, ToServer, Transport::Tcp, &plain, (50_000, 853)).0;
        assert_eq!(outcome, Outcome::found_more(AppId::DOT));
        let outcome = run(&TLS, ToServer, Transport::Tcp, &plain, PORTS).0;
        assert_eq!(outcome, Outcome::found_more(AppId::TLS));
    }

    #[test]
    fn the_old_form_of_the_hello() {
        let mut bytes = hex("802e0103010015000000100100800700c003008006004002008004008000000a");
        bytes.truncate(11);
        bytes.extend([0; 21 + 16]);
        assert_eq!(
            run(&TLS, ToServer, Transport::Tcp, &bytes, PORTS).0,
            Outcome::found_more(AppId::TLS)
        );
        check_prefixes(&TLS, ToServer, Transport::Tcp, &bytes, PORTS);
        bytes[1] += 1;
        check_never(&TLS, ToServer, Transport::Tcp, &bytes, PORTS);
    }

    #[test]
    fn a_flow_joined_late_is_told_by_its_records() {
        let mut data = vec![23, 3, 3, 0, 40];
        data.extend([7; 40]);
        let two = [data.clone(), data.clone()].concat();
        for bytes in [&data, &two, &two[..60].to_vec()] {
            let outcome = run(&TLS, ToClient, Transport::Tcp, bytes, PORTS).0;
            assert_eq!(outcome, Outcome::found(AppId::TLS));
        }
        let alert = [21, 3, 3, 0, 2, 2, 40];
        assert_eq!(
            run(&TLS, ToClient, Transport::Tcp, &alert, PORTS).0,
            Outcome::found(AppId::TLS)
        );
        // Versions that change, lengths of nothing, other kinds.
        for near_miss in [
            &[21, 3, 3, 0, 2, 3, 40][..],
            &[23, 3, 3, 0, 0, 0, 0, 0, 0],
            &[23, 3, 9, 0, 2, 0, 0],
            &[20, 3, 3, 0, 1, 1, 23, 3, 1, 0, 16, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0],
        ] {
            let outcome = run(&TLS, ToClient, Transport::Tcp, near_miss, PORTS).0;
            assert!(!matches!(outcome, Outcome::Found { .. }), "{near_miss:?}");
        }
    }

    #[test]
    fn bytes_that_are_no_hello_are_refused() {
        let mut bytes = records(&browser(), 16_384);
        // The session id's length.
        bytes[43] = 33;
        check_never(&TLS, ToServer, Transport::Tcp, &bytes, PORTS);
        let mut bytes = records(&browser(), 16_384);
        bytes[9] = 7;
        check_never(&TLS, ToServer, Transport::Tcp, &bytes, PORTS);
    }

    proptest! {
        /// A hello with any byte changed is TLS or nothing, and never a panic.
        #[test]
        fn damage_is_survived(at in 0_usize..200, value: u8, most in 5_usize..200) {
            let mut bytes = records(&browser(), most);
            let at = at.min(bytes.len() - 1);
            bytes[at] = value;
            let outcome = run(&TLS, ToServer, Transport::Tcp, &bytes, PORTS).0;
            if let Outcome::Found { app, .. } = outcome {
                prop_assert!(crate::app::carrier(app) == AppId::TLS || at > 40);
            }
        }

        #[test]
        fn any_bytes_are_survived(mut bytes in prop::collection::vec(any::<u8>(), 1..400), head: bool) {
            if head {
                let length = bytes.len() as u16;
                bytes.splice(0..0, [22, 3, 1, 0, 0, 1, 0, 0, 0, 3, 3]);
                bytes[3..5].copy_from_slice(&(length + 6).to_be_bytes());
                bytes[7..9].copy_from_slice(&(length + 2).to_be_bytes());
            }
            for direction in [ToServer, ToClient] {
                let _ = run(&TLS, direction, Transport::Tcp, &bytes, PORTS);
            }
        }
    }
}
