//! LDAP (RFC 4511 section 4.1.1) over TCP, and the connectionless kind over UDP by which domain
//! controllers are looked up (MS-ADTS 6.3.3).

use super::{BOTH, cut_short};
use crate::app::AppId;
use crate::attr;
use crate::dissect::ber::{self, ENUMERATED, INTEGER, OBJECT_ID, OCTET_STRING, SEQUENCE};
use crate::dissect::ntlm;
use crate::reader::Reader;
use crate::view::{Dissector, First, Notes, Outcome, View};

/// LDAP.
pub(super) const LDAP: Dissector = Dissector {
    app: AppId::LDAP,
    over: BOTH,
    ports: &[389, 3268],
    ports_only: false,
    first: First::OneOf(&[SEQUENCE]),
    run: ldap,
};

/// Bytes within which the parts that decide have come.
const ENOUGH_BYTES: usize = 512;

/// Why a message was not read to the point that matters.
enum Unread {
    /// The bytes ended.
    Short,
    /// They contradict LDAP.
    Foreign,
}

fn ldap(view: &View<'_>, notes: &mut Notes<'_>) -> Outcome {
    match parse(view.data, notes) {
        Ok(outcome) => outcome,
        Err(Unread::Short) if view.data.len() < ENOUGH_BYTES => cut_short(view),
        Err(_) => Outcome::NotMine,
    }
}

fn parse(data: &[u8], notes: &mut Notes<'_>) -> Result<Outcome, Unread> {
    let mut reader = Reader::new(data);
    let mut message = ber::opened(&mut reader, SEQUENCE).ok_or(Unread::Short)?;
    // A message number of one to four bytes, then the operation.
    match message.rest() {
        [] | [INTEGER] | [INTEGER, 1..=4, ..] => {}
        _ => return Err(Unread::Foreign),
    }
    ber::number(&mut message, INTEGER).ok_or(Unread::Short)?;
    let tag = *message.rest().first().ok_or(Unread::Short)?;
    let Some(name) = operation_name(tag) else {
        return Err(Unread::Foreign);
    };
    let outcome = operation(tag, &mut message, notes)?;
    notes.meta.put(&attr::LDAP_OPERATION, name);
    Ok(outcome)
}

fn operation(tag: u8, message: &mut Reader<'_>, notes: &mut Notes<'_>) -> Result<Outcome, Unread> {
    let (_, length) = ber::header(message).ok_or(Unread::Short)?;
    let whole = message.left() >= length;
    let mut body = Reader::new(message.take_up_to(length));
    let fields = match tag {
        0x60 => bind(&mut body, notes),
        0x63 => search(&mut body, notes),
        0x61 | 0x65 | 0x67 | 0x69 | 0x6b | 0x6d | 0x6f | 0x78 => result(&mut body, notes),
        // Names that something is done to come first.
        0x64 | 0x73 | 0x66 | 0x68 | 0x6c | 0x6e => name_first(&mut body),
        // An extended request names its operation.
        0x77 => ber::element(&mut body, 0x80).map(|_| ()),
        // Unbind, delete, abandon, intermediate: nothing inside to go by, and they do not come
        // first.
        _ => return Err(Unread::Foreign),
    };
    let more = matches!(tag, 0x60 | 0x63);
    match fields {
        Some(()) => Ok(Outcome::Found { app: AppId::LDAP, more }),
        None if whole => Err(Unread::Foreign),
        None => Err(Unread::Short),
    }
}

/// Version, name, authentication: simple (the password is passed over) or SASL.
fn bind(body: &mut Reader<'_>, notes: &mut Notes<'_>) -> Option<()> {
    let version = ber::number(body, INTEGER)?;
    let name = ber::element(body, OCTET_STRING)?;
    let authentication = body.u8()?;
    // 0x8a and what follows are Microsoft's own (MS-ADTS 5.1.1.1).
    if !(1..=3).contains(&version) || !matches!(authentication, 0x80 | 0xa3 | 0x8a | 0x8b) {
        return None;
    }
    notes.meta.put_number(&attr::LDAP_VERSION, version);
    notes.meta.put(&attr::LDAP_BIND_DN, name.rest());
    if authentication != 0x80 {
        ntlm::find_and_note(body.rest(), notes.meta);
    }
    Some(())
}

/// Base, scope, aliases, limits, and whether types only.
fn search(body: &mut Reader<'_>, notes: &mut Notes<'_>) -> Option<()> {
    let base = ber::element(body, OCTET_STRING)?;
    let (scope, aliases) = (ber::number(body, ENUMERATED)?, ber::number(body, ENUMERATED)?);
    ber::number(body, INTEGER)?;
    ber::number(body, INTEGER)?;
    if scope > 3 || aliases > 3 {
        return None;
    }
    notes.meta.put(&attr::LDAP_BASE, base.rest());
    Some(())
}

/// Code, matched name, message (RFC 4511 section 4.1.9).
fn result(body: &mut Reader<'_>, notes: &mut Notes<'_>) -> Option<()> {
    let code = ber::number(body, ENUMERATED)?;
    ber::element(body, OCTET_STRING)?;
    notes.meta.put_number(&attr::LDAP_RESULT, code);
    Some(())
}

fn name_first(body: &mut Reader<'_>) -> Option<()> {
    // A search reference holds one or more URIs, all others a name and then a sequence.
    ber::element(body, OCTET_STRING)?;
    match body.rest().first() {
        None => Some(()),
        Some(tag) => matches!(*tag, SEQUENCE | OCTET_STRING | 0x01 | OBJECT_ID).then_some(()),
    }
}

fn operation_name(tag: u8) -> Option<&'static [u8]> {
    Some(match tag {
        0x60 => b"bind",
        0x61 => b"bind-response",
        0x42 => b"unbind",
        0x63 => b"search",
        0x64 => b"search-entry",
        0x65 => b"search-done",
        0x66 => b"modify",
        0x67 => b"modify-response",
        0x68 => b"add",
        0x69 => b"add-response",
        0x4a => b"delete",
        0x6b => b"delete-response",
        0x6c => b"modify-dn",
        0x6d => b"modify-dn-response",
        0x6e => b"compare",
        0x6f => b"compare-response",
        0x50 => b"abandon",
        0x73 => b"search-reference",
        0x77 => b"extended",
        0x78 => b"extended-response",
        0x79 => b"intermediate",
        _ => return None,
    })
}
