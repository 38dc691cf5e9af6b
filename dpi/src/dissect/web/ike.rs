//! IKE versions 1 (RFC 2408 section 3.1) and 2 (RFC 7296 section 3.1), and ESP in UDP (RFC 3948)
//! on the port they share.

use crate::app::AppId;
use crate::reader::Reader;
use crate::view::{Dissector, First, Notes, Outcome, Transport, View};

pub(super) const IKE: Dissector = Dissector {
    app: AppId::IKE,
    over: &[Transport::Udp],
    ports: &[500, 4500],
    ports_only: true,
    first: First::Any,
    run,
};

const HEADER_BYTES: usize = 28;
/// What tells IKE from ESP on port 4500 (RFC 3948 section 2.2).
const NO_ESP: [u8; 4] = [0; 4];

fn run(view: &View<'_>, notes: &mut Notes<'_>) -> Outcome {
    if is_ike(view.data) {
        return Outcome::found(AppId::IKE);
    }
    if !view.port_is(4500) {
        return Outcome::NotMine;
    }
    match view.data.split_first_chunk::<4>() {
        // A keep-alive (section 2.3): a byte that says nothing more.
        None if view.data == [0xff] => Outcome::NeedMore,
        None => Outcome::NotMine,
        Some((&NO_ESP, message)) if is_ike(message) => Outcome::found(AppId::IKE),
        Some((&NO_ESP, _)) => Outcome::NotMine,
        Some((index, rest)) => esp(notes, *index, rest),
    }
}

/// The header, with a length that is the datagram's.
fn is_ike(message: &[u8]) -> bool {
    let mut reader = Reader::new(message);
    let (Some(initiator), Some(_responder)) = (reader.u64(), reader.u64()) else { return false };
    let Some([next, version, exchange, flags]) = reader.array() else { return false };
    let (Some(_message_id), Some(length)) = (reader.u32(), reader.u32()) else { return false };
    let known = match version {
        // Exchanges of RFC 2408 section 3.1, RFC 2409 (32, 33); payloads up to the private range.
        0x10 => matches!(exchange, 1..=6 | 32..=35) && flags & 0xf8 == 0,
        // Exchanges of RFC 7296 section 3.1, RFC 5723, 6467, 9370; payloads from SA on.
        0x20..=0x2f => matches!(exchange, 34..=44) && flags & 0xc7 == 0 && (next == 0 || next > 32),
        _ => false,
    };
    known && initiator != 0 && length as usize == message.len() && message.len() > HEADER_BYTES
}

/// ESP in UDP: an index of 256 or more and a sequence number. Two packets of one direction's
/// index must agree before it is believed.
fn esp(notes: &mut Notes<'_>, index: [u8; 4], rest: &[u8]) -> Outcome {
    let sequence = Reader::new(rest).u32();
    let Some(sequence) = sequence.filter(|sequence| *sequence > 0 && rest.len() >= 20) else {
        return Outcome::NotMine;
    };
    if u32::from_be_bytes(index) < 256 {
        return Outcome::NotMine;
    }
    let [a, b, c, d, before @ ..] = notes.scratch.session;
    let before = u32::from_be_bytes(before);
    if [a, b, c, d] == index && sequence.wrapping_sub(before).wrapping_sub(1) < 1024 {
        return Outcome::found(AppId::IPSEC_ESP);
    }
    let ([a, b, c, d], [e, f, g, h]) = (index, sequence.to_be_bytes());
    notes.scratch.session = [a, b, c, d, e, f, g, h];
    Outcome::NeedMore
}
