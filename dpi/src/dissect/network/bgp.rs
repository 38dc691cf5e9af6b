//! BGP: RFC 4271 section 4 (messages), four-byte AS numbers of RFC 6793.

use super::{TCP, mapped};
use crate::app::AppId;
use crate::attr;
use crate::reader::Reader;
use crate::view::{Dissector, First, Notes, Outcome, View};

/// BGP.
pub(super) const BGP: Dissector = Dissector {
    app: AppId::BGP,
    over: TCP,
    ports: &[179],
    ports_only: false,
    first: First::OneOf(&[0xff]),
    run: bgp,
};

/// RFC 4271 section 4.1: sixteen bytes of ones, then length and type.
const MARKER: [u8; 16] = [0xff; 16];
const OPEN: u8 = 1;
const MAX_PARAMETERS: usize = 32;
const CAPABILITIES: u8 = 2;
const FOUR_BYTE_AS: u8 = 65;

fn bgp(view: &View<'_>, notes: &mut Notes<'_>) -> Outcome {
    let mut reader = Reader::new(view.data);
    let marker = reader.take_up_to(MARKER.len());
    if !MARKER.starts_with(marker) {
        return Outcome::NotMine;
    }
    let (Some(length), Some(kind)) = (reader.u16(), reader.u8()) else {
        return Outcome::NeedMore;
    };
    // The least each type can hold: open, update, notification, keep-alive, route refresh.
    let fits = match kind {
        OPEN => length >= 29,
        2 | 5 => length >= 23,
        3 => length >= 21,
        4 => length == 19,
        _ => false,
    };
    // RFC 8654 raises the limit of 4096 to 65535 for all but open and keep-alive.
    if !fits {
        return Outcome::NotMine;
    }
    notes.meta.put_number(&attr::BGP_MESSAGE, u64::from(kind));
    if kind != OPEN {
        return Outcome::found(AppId::BGP);
    }
    let body = reader.take_up_to(usize::from(length) - 19);
    if body.len() + 19 < usize::from(length) && !view.last {
        return Outcome::NeedMore;
    }
    let is_peer = !view.from_client();
    match open(Reader::new(body), is_peer, notes) {
        // The other side's open message is as telling.
        Some(true) => Outcome::Found { app: AppId::BGP, more: !is_peer },
        Some(false) => Outcome::NotMine,
        None => Outcome::found(AppId::BGP),
    }
}

/// Version, AS, hold time, identifier, parameters (RFC 4271 section 4.2).
fn open(mut reader: Reader<'_>, is_peer: bool, notes: &mut Notes<'_>) -> Option<bool> {
    if reader.u8()? != 4 {
        return Some(false);
    }
    let (short_as, hold_time_s) = (reader.u16()?, reader.u16()?);
    let identifier: [u8; 4] = reader.array()?;
    let length = usize::from(reader.u8()?);
    let long_as = reader.sub(length).and_then(four_byte_as);
    let number = long_as.unwrap_or(u32::from(short_as));
    let (system, router) = if is_peer {
        (&attr::BGP_PEER_AS, &attr::BGP_PEER_ID)
    } else {
        (&attr::BGP_AS, &attr::BGP_ID)
    };
    notes.meta.put_number(system, u64::from(number));
    notes.meta.put(router, &mapped(identifier));
    notes.meta.put_number(&attr::BGP_HOLD_TIME, u64::from(hold_time_s));
    Some(true)
}

fn four_byte_as(mut parameters: Reader<'_>) -> Option<u32> {
    for _ in 0..MAX_PARAMETERS {
        let (kind, length) = (parameters.u8()?, parameters.u8()?);
        let mut value = parameters.sub(usize::from(length))?;
        while kind == CAPABILITIES && value.left() > 0 {
            let (code, length) = (value.u8()?, value.u8()?);
            let mut capability = value.sub(usize::from(length))?;
            if code == FOUR_BYTE_AS {
                return capability.u32();
            }
        }
    }
    None
}
