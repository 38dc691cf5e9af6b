//! Kerberos 5: RFC 4120 sections 5.4 to 5.9 (messages), 7.2.2 (length before each over TCP).

use super::{BOTH, cut_short};
use crate::app::AppId;
use crate::attr::{self, Attr};
use crate::dissect::ber::{self, GENERAL_STRING, INTEGER, SEQUENCE};
use crate::reader::Reader;
use crate::view::{Dissector, First, Notes, Outcome, Transport, View};

/// Kerberos.
pub(super) const KERBEROS: Dissector = Dissector {
    app: AppId::KERBEROS,
    over: BOTH,
    ports: &[88],
    ports_only: false,
    // Over UDP the message's application tag, over TCP the top byte of its length.
    first: First::OneOf(&[0x00, 0x6a, 0x6b, 0x6c, 0x6d, 0x6e, 0x6f, 0x74, 0x75, 0x76, 0x7e]),
    run: kerberos,
};

/// Bytes of the longest name kept, realm and components together.
const NAME_BYTES: usize = 128;
const KDC_FIELDS: usize = 12;
const APPLICATION: u8 = 0x60;

fn kerberos(view: &View<'_>, notes: &mut Notes<'_>) -> Outcome {
    let mut reader = Reader::new(view.data);
    if view.transport == Transport::Tcp {
        let Some(length) = reader.u32() else {
            return Outcome::NeedMore;
        };
        // The top bit is reserved for extensions.
        if !(16..0x1_0000).contains(&length) {
            return Outcome::NotMine;
        }
    }
    let Some(tag) = reader.rest().first().copied() else {
        return Outcome::NeedMore;
    };
    let Some(name) = message_name(tag) else {
        return Outcome::NotMine;
    };
    match head(reader, tag) {
        Head::Message(body) => {
            notes.meta.put(&attr::KERBEROS_MESSAGE, name);
            // What the rest holds is welcome; a cut or odd rest does not undo the proof.
            let _read: Option<()> = fields(tag, body, notes);
            Outcome::Found { app: AppId::KERBEROS, more: matches!(tag, 0x6a | 0x6c) }
        }
        Head::Short => cut_short(view),
        Head::Foreign => Outcome::NotMine,
    }
}

enum Head<'a> {
    /// What follows version and type.
    Message(Reader<'a>),
    Short,
    Foreign,
}

/// Version 5 and the message type, which repeats the application tag. Requests to the KDC number
/// their fields from one, all others from zero.
fn head(mut reader: Reader<'_>, tag: u8) -> Head<'_> {
    let first = if matches!(tag, 0x6a | 0x6c) { 0xa1 } else { 0xa0 };
    let expected = [first, 3, INTEGER, 1, 5, first + 1, 3, INTEGER, 1, tag - APPLICATION];
    let Some((_, length)) = ber::header(&mut reader) else {
        return if reader.left() < 6 { Head::Short } else { Head::Foreign };
    };
    let Some((inner, inner_length)) = ber::header(&mut reader) else {
        return if reader.left() < 6 { Head::Short } else { Head::Foreign };
    };
    if inner != SEQUENCE || inner_length >= length {
        return Head::Foreign;
    }
    let bytes = reader.take_up_to(expected.len());
    if !expected.starts_with(bytes) {
        return Head::Foreign;
    }
    if bytes.len() < expected.len() { Head::Short } else { Head::Message(reader) }
}

fn fields(tag: u8, mut body: Reader<'_>, notes: &mut Notes<'_>) -> Option<()> {
    match tag {
        // [3] pre-authentication, [4] the request body, with its own numbering.
        0x6a | 0x6c => {
            ber::optional(&mut body, 0xa3);
            let mut request = ber::opened(&mut body, 0xa4)?;
            let request = ber::opened(&mut request, SEQUENCE)?;
            names(request, [0xa1, 0xa2, 0xa3], notes)
        }
        // [2] pre-authentication, [3] client's realm, [4] client, [5] ticket.
        0x6b | 0x6d => names(body, [0xa4, 0xa3, 0xff], notes),
        // [6] code, [7] client's realm, [8] client, [9] realm, [10] service.
        0x7e => {
            let mut scan = body;
            for _ in 0..KDC_FIELDS {
                let (field, length) = ber::header(&mut scan)?;
                let mut value = scan.sub(length)?;
                if field == 0xa6 {
                    notes.meta.put_number(&attr::KERBEROS_ERROR, ber::number(&mut value, 2)?);
                    break;
                }
            }
            names(body, [0xa8, 0xa9, 0xaa], notes)
        }
        _ => None,
    }
}

/// Notes client, realm and service where they stand under these field tags.
fn names(
    mut body: Reader<'_>,
    [client, realm, service]: [u8; 3],
    notes: &mut Notes<'_>,
) -> Option<()> {
    for _ in 0..KDC_FIELDS {
        let (field, length) = ber::header(&mut body)?;
        let mut value = Reader::new(body.take_up_to(length));
        if field == client {
            principal(&mut value, &attr::KERBEROS_CLIENT, notes);
        } else if field == service {
            principal(&mut value, &attr::KERBEROS_SERVICE, notes);
            return Some(());
        } else if field == realm {
            let name = ber::element(&mut value, GENERAL_STRING)?;
            notes.meta.put(&attr::KERBEROS_REALM, name.rest());
        }
    }
    None
}

/// RFC 4120 section 5.2.2: a type and the components of the name, joined here by slashes.
fn principal(value: &mut Reader<'_>, attr: &Attr, notes: &mut Notes<'_>) -> Option<()> {
    let mut sequence = ber::element(value, SEQUENCE)?;
    ber::element(&mut sequence, 0xa0)?;
    let mut list = ber::element(&mut sequence, 0xa1)?;
    let mut list = ber::element(&mut list, SEQUENCE)?;
    let mut joined = [0; NAME_BYTES];
    let mut used = 0;
    while let Some(part) = ber::element(&mut list, GENERAL_STRING) {
        let slash = usize::from(used > 0);
        let Some(room) = joined.get_mut(used..used + slash + part.left()) else {
            break;
        };
        let (before, after) = room.split_at_mut(slash);
        before.fill(b'/');
        after.copy_from_slice(part.rest());
        used += slash + part.left();
    }
    notes.meta.put(attr, joined.get(..used)?);
    Some(())
}

/// The message type is the application tag's number.
fn message_name(tag: u8) -> Option<&'static [u8]> {
    Some(match tag {
        0x6a => b"AS-REQ",
        0x6b => b"AS-REP",
        0x6c => b"TGS-REQ",
        0x6d => b"TGS-REP",
        0x6e => b"AP-REQ",
        0x6f => b"AP-REP",
        0x74 => b"KRB-SAFE",
        0x75 => b"KRB-PRIV",
        0x76 => b"KRB-CRED",
        0x7e => b"KRB-ERROR",
        _ => return None,
    })
}
