//! The server's first flight over TLS records: handshake messages one behind the other, each perhaps
//! cut over several records (RFC 5246 sections 6.2.1 and 7.4). Only the certificate is read.

use super::hello::{Carrier, SERVER_HELLO};
use super::leaf;
use super::tls::{HANDSHAKE, read_record};
use crate::crypto_pool::STREAM_BYTES;
use crate::digests::{Hashing, Prints};
use crate::reader::Reader;
use crate::view::{Notes, View};

pub(super) const CERTIFICATE: u8 = 11;
/// The hello, the certificate, and the one that servers send in between (RFC 4680).
const MESSAGES_MOST: usize = 3;
const SUPPLEMENTAL_DATA: u8 = 23;
/// Records a certificate may be cut into.
const RECORDS_MOST: usize = 64;
/// A longer leaf is not believed.
const LEAF_MOST: u32 = 65_536;

/// Whether there is more to wait for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Flight {
    /// The certificate may come, or come to its end, with the next segment.
    Waiting,
    /// It was read, or will not come.
    Over,
}

/// Reads the stream from its beginning up to the first certificate.
pub(super) fn read(view: &View<'_>, notes: &mut Notes<'_>) -> Flight {
    let mut messages = Messages { records: Reader::new(view.data), piece: &[] };
    for _ in 0..MESSAGES_MOST {
        let head = messages.number(1).and_then(|kind| Ok((kind, messages.number(3)?)));
        match head {
            Ok((kind, _)) if kind == u32::from(CERTIFICATE) => {
                return certificate(view, notes, &mut messages);
            }
            Ok((kind, length))
                if kind == u32::from(SERVER_HELLO) || kind == u32::from(SUPPLEMENTAL_DATA) =>
            {
                if let Err(stop) = messages.each(length, |_| {}) {
                    return stop.flight(view);
                }
            }
            Ok(_) => return Flight::Over,
            Err(stop) => return stop.flight(view),
        }
    }
    Flight::Over
}

/// The list's length, then each certificate behind its own; the server's is the first.
fn certificate(view: &View<'_>, notes: &mut Notes<'_>, messages: &mut Messages<'_>) -> Flight {
    let length = match messages.number(3).and_then(|_list| messages.number(3)) {
        Ok(length @ 1..=LEAF_MOST) => length,
        Ok(_) => return Flight::Over,
        Err(stop) => return stop.flight(view),
    };
    let bytes = length as usize;
    if let Some(der) = messages.piece.get(..bytes) {
        // The usual case: read where it stands.
        let prints = notes.crypto.digests().certificate(der);
        leaf::note(view, notes, Carrier::Tls, der, Some(prints));
        return Flight::Over;
    }
    let whole = messages.clone().each(length, |_| {});
    if whole == Err(Stop::Short) && !view.last {
        return Flight::Waiting;
    }
    let mut stream = notes.crypto.open();
    // The digest of one that is longer than what is kept is made on the way.
    let mut hash = (bytes > STREAM_BYTES).then(Hashing::default);
    let mut offset = 0;
    if let Some(buffer) = notes.crypto.get(stream) {
        let _partly = messages.each(length, |piece| {
            buffer.insert(offset, piece);
            if let Some(hash) = &mut hash {
                hash.add(piece);
            }
            offset += piece.len() as u64;
        });
    }
    // Read out of the pool while the notes are written: what is there fits on the stack.
    let mut der = [0; STREAM_BYTES];
    let mut used = 0;
    if let Some(buffer) = notes.crypto.get(stream) {
        let bytes = buffer.contiguous();
        used = bytes.len();
        if let Some(room) = der.get_mut(..used) {
            room.copy_from_slice(bytes);
        }
    }
    notes.crypto.close(&mut stream);
    let der = der.get(..used).unwrap_or_default();
    let prints = whole.is_ok().then(|| match hash {
        Some(hash) => Prints::of(hash),
        None => notes.crypto.digests().certificate(der),
    });
    leaf::note(view, notes, Carrier::Tls, der, prints);
    Flight::Over
}

/// Why there are no more bytes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Stop {
    /// They may come.
    Short,
    /// What follows is no handshake.
    Foreign,
}

impl Stop {
    fn flight(self, view: &View<'_>) -> Flight {
        if self == Stop::Short && !view.last { Flight::Waiting } else { Flight::Over }
    }
}

/// The handshake's bytes, out of their records.
#[derive(Clone)]
struct Messages<'a> {
    records: Reader<'a>,
    /// What is left of the present record, as far as it is at hand.
    piece: &'a [u8],
}

impl<'a> Messages<'a> {
    /// Hands the next `length` bytes on, piece by piece.
    fn each(&mut self, length: u32, mut sink: impl FnMut(&'a [u8])) -> Result<(), Stop> {
        let mut left = length as usize;
        for _ in 0..RECORDS_MOST {
            let (taken, rest) = self.piece.split_at(left.min(self.piece.len()));
            self.piece = rest;
            left -= taken.len();
            if !taken.is_empty() {
                sink(taken);
            }
            if left == 0 {
                return Ok(());
            }
            if self.records.left() == 0 {
                return Err(Stop::Short);
            }
            let short = self.records.left() < 5;
            let Some(record) = read_record(&mut self.records) else {
                return Err(if short { Stop::Short } else { Stop::Foreign });
            };
            if record.kind != HANDSHAKE {
                return Err(Stop::Foreign);
            }
            self.piece = record.body;
        }
        Err(Stop::Foreign)
    }

    /// A number of `length` bytes.
    fn number(&mut self, length: u32) -> Result<u32, Stop> {
        let mut value = 0;
        self.each(length, |piece| {
            value = piece.iter().fold(value, |value, byte| value << 8 | u32::from(*byte));
        })?;
        Ok(value)
    }
}

#[cfg(test)]
#[expect(clippy::cast_possible_truncation, reason = "lengths in tests are small")]
mod tests {
    use super::super::sample::{Issued, certificate, client_hello, hex, records, server_name};
    use super::super::tls::TLS;
    use crate::app::AppId;
    use crate::attr;
    use crate::dissect::testing::{Flow, SERVER};
    use crate::risk::{Risk, Risks};
    use crate::view::Direction::{ToClient, ToServer};
    use crate::view::{Outcome, Transport};
    use sha2::{Digest, Sha256};

    const PORTS: (u16, u16) = (50_000, 443);

    /// `ServerHello` of TLS 1.2 with a cipher, then the certificate, then the rest.
    fn messages(cipher: u16, der: &[u8]) -> Vec<u8> {
        let mut hello = hex("02 000026 0303");
        hello.extend([9; 32]);
        hello.push(0);
        hello.extend(cipher.to_be_bytes());
        hello.push(0);
        let u24 = |length: usize| (length as u32).to_be_bytes()[1..].to_vec();
        let list = [u24(der.len()), der.to_vec(), u24(3), vec![1, 2, 3]].concat();
        let message = [vec![11], u24(list.len() + 3), u24(list.len()), list].concat();
        [hello, message, hex("0e000000")].concat()
    }

    fn asked(name: Option<&str>) -> Flow {
        let extensions: Vec<_> = name.map(server_name).into_iter().collect();
        let hello = records(&client_hello(&[0xc02f], &extensions), 16_384);
        let mut flow = Flow::new(Transport::Tcp, PORTS);
        assert_eq!(flow.ask(&TLS, ToServer, &hello), Outcome::found_more(AppId::TLS));
        flow
    }

    #[test]
    fn the_certificate_is_read_however_it_is_cut() {
        let der = certificate(&Issued { names: &["www.example.com"; 12], ..Issued::default() });
        let sha256 = Sha256::digest(&der);
        for most in [16_384, 300, 100, 60] {
            let answer = records(&messages(0xc02f, &der), most);
            let mut flow = asked(Some("www.example.com"));
            let mut length = 60;
            while flow.ask(&TLS, ToClient, &answer[..length]) != Outcome::found(AppId::TLS) {
                assert!(flow.meta.get(&attr::TLS_SUBJECT).is_none());
                length += 60;
                assert!(length < answer.len() + 60, "records of {most}");
                length = length.min(answer.len());
            }
            let get = |attr| flow.meta.get(attr).unwrap_or_default();
            assert_eq!(get(&attr::TLS_SUBJECT), b"CN=www.example.com,O=Example");
            assert_eq!(get(&attr::TLS_ISSUER), b"CN=Test CA");
            assert_eq!(get(&attr::TLS_NOT_AFTER), 1_720_000_000_u64.to_le_bytes());
            assert_eq!(get(&attr::TLS_CERT_SHA256), &sha256[..]);
            assert_eq!(get(&attr::TLS_SAN), b"www.example.com");
            let mut odd = Risks::NONE;
            odd.set(Risk::TlsNotWeb);
            assert_eq!(flow.meta.risks(), odd);
        }
    }

    #[test]
    fn a_certificate_that_is_cut_off_is_read_without_its_digest() {
        let der = certificate(&Issued { names: &["www.example.com"; 40], ..Issued::default() });
        let answer = records(&messages(0xc02f, &der), 16_384);
        let mut flow = asked(Some("other.example"));
        flow.last = true;
        assert_eq!(flow.ask(&TLS, ToClient, &answer[..500]), Outcome::found(AppId::TLS));
        assert_eq!(flow.meta.get(&attr::TLS_ISSUER), Some(&b"CN=Test CA"[..]));
        assert_eq!(flow.meta.get(&attr::TLS_CERT_SHA256), None);
        assert!(!flow.meta.risks().has(Risk::TlsMismatch), "not all names are known");
    }

    #[test]
    fn what_does_not_fit_is_a_risk() {
        let odd = |issued: &Issued<'_>, name: &str, cipher| {
            let mut flow = asked(Some(name));
            let answer = records(&messages(cipher, &certificate(issued)), 16_384);
            assert_eq!(flow.ask(&TLS, ToClient, &answer), Outcome::found(AppId::TLS));
            flow.meta.risks()
        };
        let usual = Issued::default();
        let name = usual.common_name;
        for (issued, name, cipher, risk) in [
            (Issued { issuer: name, ..Issued::default() }, name, 0xc02f, Risk::TlsSelfSigned),
            (
                Issued { not_after: "231231235959Z", ..Issued::default() },
                name,
                0xc02f,
                Risk::TlsExpired,
            ),
            (
                Issued { not_before: "240102000000Z", ..Issued::default() },
                name,
                0xc02f,
                Risk::TlsExpired,
            ),
            (
                Issued { not_after: "240109000000Z", ..Issued::default() },
                name,
                0xc02f,
                Risk::TlsAboutToExpire,
            ),
            (
                Issued { not_after: "300101000000Z", ..Issued::default() },
                name,
                0xc02f,
                Risk::TlsLongValidity,
            ),
            (Issued::default(), "other.example", 0xc02f, Risk::TlsMismatch),
            (Issued::default(), name, 0x0005, Risk::TlsWeakCipher),
        ] {
            assert!(odd(&issued, name, cipher).has(risk), "{risk:?}");
            assert!(!odd(&usual, usual.common_name, 0xc02f).has(risk), "{risk:?}");
        }
    }

    #[test]
    fn an_address_is_learned_from_a_certificate_that_names_one_service() {
        for (issued, learned) in [
            (Issued { common_name: "*.netflix.com", ..Issued::default() }, Some(AppId::NETFLIX)),
            (Issued { names: &["a.netflix.com", "www.youtube.com"], ..Issued::default() }, None),
            (
                Issued { names: &["a.netflix.com", "netflix.com"], ..Issued::default() },
                Some(AppId::NETFLIX),
            ),
            (Issued { names: &["a.netflix.com", "a.example"], ..Issued::default() }, None),
            (Issued { common_name: "a.fastly.net", ..Issued::default() }, None),
        ] {
            let mut flow = asked(None);
            let answer = records(&messages(0xc02f, &certificate(&issued)), 16_384);
            flow.ask(&TLS, ToClient, &answer);
            assert_eq!(flow.knowledge.service_of(SERVER), learned);
        }
    }

    #[test]
    fn a_programs_certificate_names_its_flow_and_not_the_address() {
        let mut flow = asked(None);
        let issued = Issued { common_name: "AnyDesk Client", ..Issued::default() };
        flow.ask(&TLS, ToClient, &records(&messages(0xc02f, &certificate(&issued)), 16_384));
        assert_eq!(flow.scratch.hello.service, AppId::ANYDESK);
        assert_eq!(flow.knowledge.service_of(SERVER), None);
    }

    #[test]
    fn without_a_certificate_it_is_over() {
        for next in ["140303000101", "16030300040e000000"] {
            let mut flow = asked(None);
            let mut answer = records(&messages(0xc02f, &[])[..42], 16_384);
            assert_eq!(flow.ask(&TLS, ToClient, &answer), Outcome::found_more(AppId::TLS));
            answer.extend(hex(next));
            assert_eq!(flow.ask(&TLS, ToClient, &answer), Outcome::found(AppId::TLS));
        }
    }
}
