//! DTLS 1.0, 1.2 and 1.3 (RFC 4347, 6347, 9147): the record layer and the hellos, whose fragments
//! may come in several datagrams.
//!
//! Records of DTLS 1.3 that are encrypted have a header too short to prove anything; the flow is
//! named by its hello.

use super::flight::CERTIFICATE;
use super::hello::{
    CLIENT_HELLO, Carrier, ClientHello, SERVER_HELLO, ServerHello, is_dtls, version_name,
};
use super::leaf;
use super::risks;
use crate::app::AppId;
use crate::attr;
use crate::crypto_pool::STREAM_BYTES;
use crate::reader::Reader;
use crate::risk::Risk;
use crate::view::{Dissector, First, Notes, Outcome, Transport, View};

pub(crate) const DTLS: Dissector = Dissector {
    app: AppId::DTLS,
    over: &[Transport::Udp],
    ports: &[443, 853, 3391, 4433, 5061, 5349, 5684],
    ports_only: false,
    first: First::Ranges(&[(20, 24)]),
    run,
};

const ALERT: u8 = 21;
const HANDSHAKE: u8 = 22;
const HELLO_VERIFY_REQUEST: u8 = 3;
const SERVER_KEY_EXCHANGE: u8 = 12;
const SERVER_HELLO_DONE: u8 = 14;
/// Records looked at in a datagram.
const RECORDS_MOST: usize = 8;
/// Longer hellos are not believed.
const HELLO_MOST: u32 = 16_384;

fn run(view: &View<'_>, notes: &mut Notes<'_>) -> Outcome {
    let mut reader = Reader::new(view.data);
    let mut records = 0_u32;
    let mut outcome = None;
    for _ in 0..RECORDS_MOST {
        let before = reader;
        let Some(record) = read_record(&mut reader) else {
            reader = before;
            break;
        };
        records += 1;
        if record.kind == HANDSHAKE && record.epoch == 0 {
            outcome = handshake(view, notes, record.body).or(outcome);
        } else if record.kind == ALERT && record.epoch == 0 && matches!(record.body, [2, _]) {
            notes.meta.set_risk(Risk::TlsFatalAlert);
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
        (_, 0) if answered(notes) && notes.scratch.hello.client == Some(view.direction) => {
            Outcome::found_more(app(notes))
        }
        // Behind the server's flight all is encrypted.
        (_, 0) if answered(notes) => Outcome::found(app(notes)),
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
        CERTIFICATE if answered(notes) && notes.scratch.hello.client != Some(view.direction) => {
            Some(certificate(view, notes, length, offset, bytes))
        }
        SERVER_KEY_EXCHANGE..=SERVER_HELLO_DONE if answered(notes) => {
            // Its fragments may overtake the certificate's.
            let waiting = notes.crypto.get(notes.scratch.hello.stream).is_some();
            Some(Outcome::Found { app: app(notes), more: waiting })
        }
        HELLO_VERIFY_REQUEST => Some(Outcome::found_more(app(notes))),
        _ => None,
    }
}

/// Whether the server's hello was read.
fn answered(notes: &Notes<'_>) -> bool {
    notes.meta.get(&attr::DTLS_VERSION).is_some()
}

fn app(notes: &Notes<'_>) -> AppId {
    let hello = &notes.scratch.hello;
    if hello.client.is_some() { hello.app } else { AppId::DTLS }
}

fn client_hello(view: &View<'_>, notes: &mut Notes<'_>, body: &[u8]) -> Option<Outcome> {
    let hello = ClientHello::parse(body, Carrier::Dtls)?;
    hello.note(view, notes.meta, notes.crypto.digests());
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
    let (held, digests) = crypto.held(track.stream)?;
    let Some(body) = held.get(..usize::try_from(length).ok()?) else {
        return Some(Outcome::found_more(AppId::DTLS));
    };
    if let Some(hello) = ClientHello::parse(body, Carrier::Dtls) {
        hello.note(view, meta, digests);
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
    risks::server(hello.version, hello.cipher, notes.meta);
    // From DTLS 1.3 on what follows is encrypted.
    Some(Outcome::Found { app: app(notes), more: hello.version != 0xfefc })
}

/// The server's certificates: the list's length, the first one's, and its bytes.
fn certificate(
    view: &View<'_>,
    notes: &mut Notes<'_>,
    length: u32,
    offset: u32,
    bytes: &[u8],
) -> Outcome {
    let over = Outcome::found(app(notes));
    if u32::try_from(bytes.len()) == Ok(length) {
        note_certificate(view, notes, bytes);
        return over;
    }
    let stream = &mut notes.scratch.hello.stream;
    if notes.crypto.get(*stream).is_none() {
        *stream = notes.crypto.open();
    }
    let mut gathered = [0; STREAM_BYTES];
    let mut used = 0;
    if let Some(buffer) = notes.crypto.get(*stream) {
        buffer.insert(u64::from(offset), bytes);
        let bytes = buffer.contiguous();
        let mut head = Reader::new(bytes.get(3..).unwrap_or_default());
        let leaf = head.u24().map_or(STREAM_BYTES, |length| length as usize + 6);
        if bytes.len() < leaf.min(length as usize).min(STREAM_BYTES) {
            return Outcome::found_more(app(notes));
        }
        used = bytes.len();
        if let Some(room) = gathered.get_mut(..used) {
            room.copy_from_slice(bytes);
        }
    }
    notes.crypto.close(&mut notes.scratch.hello.stream);
    note_certificate(view, notes, gathered.get(..used).unwrap_or_default());
    over
}

fn note_certificate(view: &View<'_>, notes: &mut Notes<'_>, message: &[u8]) {
    let mut reader = Reader::new(message);
    let (Some(_list), Some(length)) = (reader.u24(), reader.u24()) else { return };
    let length = length as usize;
    let whole = reader.left() >= length;
    let der = reader.take_up_to(length);
    let prints = whole.then(|| notes.crypto.digests().certificate(der));
    leaf::note(view, notes, Carrier::Dtls, der, prints);
}

#[cfg(test)]
#[expect(clippy::cast_possible_truncation, reason = "lengths in tests are small")]
mod tests {
    use super::super::sample::{Issued, certificate, hex};
    use super::*;
    use crate::dissect::testing::{Flow, check_never, check_prefixes, run};
    use crate::view::Direction::{ToClient, ToServer};
    use proptest::prelude::*;

    const PORTS: (u16, u16) = (50_000, 4433);

    /// A browser's hello for a call, as captured.
    const HELLO: &str = "16feff00000000000000000090010000840000000000000084fefd4bf46b94af3b20dcb7c\
        a52337eef1b8b3b149996c9b35800d1e92a7fa8ab407d00000016c02bc02fcca9cca8c009c013c00ac014009c0\
        02f00350100004400170000ff01000100000a00080006001d00170018000b0002010000230000000d001400120\
        40308040401050308050501080606010201000e0009000600010008000700";

    /// The hello in fragments of at most `most` bytes, a datagram each.
    fn fragments(most: usize) -> Vec<Vec<u8>> {
        let body = hex(HELLO).split_off(25);
        let length = (body.len() as u32).to_be_bytes();
        body.chunks(most)
            .enumerate()
            .map(|(index, piece)| {
                let mut bytes = hex("16feff00000000000000");
                bytes.push(index as u8);
                bytes.extend(((piece.len() + 12) as u16).to_be_bytes());
                bytes.push(1);
                bytes.extend(&length[1..]);
                bytes.extend([0, 0]);
                bytes.extend(&((index * most) as u32).to_be_bytes()[1..]);
                bytes.extend(&(piece.len() as u32).to_be_bytes()[1..]);
                bytes.extend(piece);
                bytes
            })
            .collect()
    }

    #[test]
    fn a_captured_hello() {
        let bytes = hex(HELLO);
        let (outcome, meta) = run(&DTLS, ToServer, Transport::Udp, &bytes, PORTS);
        assert_eq!(outcome, Outcome::found_more(AppId::DTLS));
        // The hashes are the published ones; without a name the fourth letter is an i.
        assert_eq!(meta.get(&attr::DTLS_JA4), Some(&b"dd2i110700_c45550529adf_d9dd6182da81"[..]));
        assert_eq!(meta.get(&attr::DTLS_OFFERED), Some(&b"DTLSv1.2"[..]));
        check_prefixes(&DTLS, ToServer, Transport::Udp, &bytes, PORTS);
    }

    #[test]
    fn the_hello_in_fragments_out_of_order() {
        let whole = run(&DTLS, ToServer, Transport::Udp, &hex(HELLO), PORTS).1;
        for most in [1, 10, 50, 131] {
            let mut pieces = fragments(most);
            if most > 1 {
                pieces.reverse();
            }
            let mut flow = Flow::new(Transport::Udp, PORTS);
            for piece in &pieces {
                assert_eq!(flow.ask(&DTLS, ToServer, piece), Outcome::found_more(AppId::DTLS));
            }
            assert_eq!(flow.meta.as_bytes(), whole.as_bytes(), "fragments of {most}");
        }
    }

    #[test]
    fn the_answer_adds_version_and_cipher() {
        let mut flow = Flow::new(Transport::Udp, PORTS);
        flow.ask(&DTLS, ToServer, &hex(HELLO));
        let mut answer = hex("16fefd00000000000000000032 02000026000000000000 0026 fefd");
        answer.extend([9; 32]);
        answer.extend([0, 0xc0, 0x2b, 0]);
        assert_eq!(flow.ask(&DTLS, ToClient, &answer), Outcome::found_more(AppId::DTLS));
        assert_eq!(flow.meta.get(&attr::DTLS_VERSION), Some(&b"DTLSv1.2"[..]));
        assert_eq!(flow.meta.get(&attr::DTLS_CIPHER), Some(&0xc02b_u64.to_le_bytes()[..]));
    }

    #[test]
    fn the_certificate_ends_it_however_it_is_cut() {
        let der = certificate(&Issued { names: &["a.example"; 9], ..Issued::default() });
        let u24 = |length: usize| (length as u32).to_be_bytes()[1..].to_vec();
        let body = [u24(der.len() + 3), u24(der.len()), der.clone()].concat();
        let mut answer = hex("16fefd00000000000000000032 02000026000000000000 0026 fefd");
        answer.extend([9; 32]);
        answer.extend([0, 0xc0, 0x2b, 0]);
        for most in [body.len(), 200, 5000] {
            let mut pieces: Vec<Vec<u8>> = body
                .chunks(most)
                .enumerate()
                .map(|(index, piece)| {
                    let mut bytes = hex("16fefd000000000000");
                    bytes.push(index as u8 + 1);
                    let head = [
                        vec![11],
                        u24(body.len()),
                        vec![0, 1],
                        u24(index * most),
                        u24(piece.len()),
                    ]
                    .concat();
                    bytes.extend(((piece.len() + head.len()) as u16).to_be_bytes());
                    bytes.splice(9..9, [0]);
                    [bytes, head, piece.to_vec()].concat()
                })
                .collect();
            pieces.reverse();
            let last = pieces.pop().unwrap();
            // Of a capture that holds only the server's side, the server passes for the client.
            for (whole, sender) in [(true, ToClient), (false, ToServer)] {
                let mut flow = Flow::new(Transport::Udp, PORTS);
                if whole {
                    flow.ask(&DTLS, ToServer, &hex(HELLO));
                }
                flow.ask(&DTLS, sender, &answer);
                for piece in &pieces {
                    assert_eq!(flow.ask(&DTLS, sender, piece), Outcome::found_more(AppId::DTLS));
                }
                assert_eq!(flow.ask(&DTLS, sender, &last), Outcome::found(AppId::DTLS));
                assert_eq!(flow.meta.get(&attr::DTLS_ISSUER), Some(&b"CN=Test CA"[..]));
                assert_eq!(flow.meta.get(&attr::DTLS_CERT_SHA256).unwrap().len(), 32);
            }
        }
    }

    #[test]
    fn records_that_do_not_fill_the_datagram_are_refused() {
        let mut data = hex("17fefd000100000000000a0004");
        data.extend([1, 2, 3, 4]);
        assert_eq!(
            run(&DTLS, ToServer, Transport::Udp, &data, PORTS).0,
            Outcome::found_more(AppId::DTLS)
        );
        data.push(0);
        assert_eq!(run(&DTLS, ToServer, Transport::Udp, &data, PORTS).0, Outcome::NotMine);
        check_never(&DTLS, ToServer, Transport::Udp, &[0x17; 40], PORTS);
    }

    proptest! {
        #[test]
        fn damage_is_survived(changes in prop::collection::vec((0_usize..157, any::<u8>()), 1..6)) {
            let mut bytes = hex(HELLO);
            for (at, value) in changes {
                let last = bytes.len() - 1;
                bytes[at.min(last)] = value;
            }
            let _ = run(&DTLS, ToServer, Transport::Udp, &bytes, PORTS);
        }
    }
}
