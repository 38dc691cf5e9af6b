//! SNMP: version 1 (RFC 1157 section 4), 2c (RFC 3416 section 3) and 3 (RFC 3412 section 6).
//!
//! The community string is a password in the clear and is never kept.

use super::UDP;
use crate::app::AppId;
use crate::attr;
use crate::dissect::ber::{self, INTEGER, OBJECT_ID, OCTET_STRING, SEQUENCE};
use crate::reader::Reader;
use crate::view::{Dissector, First, Notes, Outcome, View};

/// SNMP.
pub(super) const SNMP: Dissector = Dissector {
    app: AppId::SNMP,
    over: UDP,
    ports: &[161, 162],
    ports_only: false,
    first: First::OneOf(&[SEQUENCE]),
    run: snmp,
};

/// The names of the PDU tags from 0xa0 on (RFC 1157 section 4.1, RFC 3416 section 3).
const PDUS: [&[u8]; 9] = [
    b"get",
    b"get-next",
    b"response",
    b"set",
    b"trap-v1",
    b"get-bulk",
    b"inform",
    b"trap-v2",
    b"report",
];

fn snmp(view: &View<'_>, notes: &mut Notes<'_>) -> Outcome {
    parse(view.data, notes).unwrap_or(Outcome::NotMine)
}

fn parse(data: &[u8], notes: &mut Notes<'_>) -> Option<Outcome> {
    let mut reader = Reader::new(data);
    let mut message = ber::element(&mut reader, SEQUENCE)?;
    let version: &[u8] = match ber::number(&mut message, INTEGER)? {
        0 => b"1",
        1 => b"2c",
        3 => return version3(message, notes),
        _ => return None,
    };
    ber::element(&mut message, OCTET_STRING)?;
    pdu(message, notes)?;
    notes.meta.put(&attr::SNMP_VERSION, version);
    Some(Outcome::found(AppId::SNMP))
}

fn version3(mut message: Reader<'_>, notes: &mut Notes<'_>) -> Option<Outcome> {
    let mut global = ber::element(&mut message, SEQUENCE)?;
    ber::number(&mut global, INTEGER)?;
    // RFC 3412 section 6: no message size below 484.
    if ber::number(&mut global, INTEGER)? < 484 {
        return None;
    }
    let flags = ber::element(&mut global, OCTET_STRING)?.u8()?;
    ber::number(&mut global, INTEGER)?;
    ber::element(&mut message, OCTET_STRING)?;
    let encrypted = flags & 2 != 0;
    if encrypted {
        ber::element(&mut message, OCTET_STRING)?;
    } else {
        // Context engine, context name, PDU.
        let mut scoped = ber::element(&mut message, SEQUENCE)?;
        ber::element(&mut scoped, OCTET_STRING)?;
        ber::element(&mut scoped, OCTET_STRING)?;
        pdu(scoped, notes)?;
    }
    notes.meta.put(&attr::SNMP_VERSION, b"3");
    Some(Outcome::found(AppId::SNMP))
}

fn pdu(mut reader: Reader<'_>, notes: &mut Notes<'_>) -> Option<()> {
    let tag = *reader.rest().first()?;
    let name = PDUS.get(usize::from(tag.checked_sub(0xa0)?))?;
    let mut body = ber::element(&mut reader, tag)?;
    // A version 1 trap begins with the enterprise, every other PDU with the request's number,
    // which may be negative.
    let first = if tag == 0xa4 { OBJECT_ID } else { INTEGER };
    ber::element(&mut body, first)?;
    notes.meta.put(&attr::SNMP_PDU, name);
    Some(())
}
