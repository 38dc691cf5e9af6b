//! CoAP: RFC 7252 section 3.

use super::UDP;
use crate::app::AppId;
use crate::attr;
use crate::reader::Reader;
use crate::view::{Dissector, First, Notes, Outcome, View};

/// CoAP. Version and type leave a quarter of all first bytes, so its ports are asked for.
pub(super) const COAP: Dissector = Dissector {
    app: AppId::COAP,
    over: UDP,
    ports: &[5683],
    ports_only: true,
    first: First::Ranges(&[(0x40, 0x7f)]),
    run: coap,
};

const MAX_OPTIONS: usize = 24;
const URI_HOST: u32 = 3;
const URI_PATH: u32 = 11;

fn coap(view: &View<'_>, notes: &mut Notes<'_>) -> Outcome {
    parse(view.data, notes).unwrap_or(Outcome::NotMine)
}

fn parse(data: &[u8], notes: &mut Notes<'_>) -> Option<Outcome> {
    let mut reader = Reader::new(data);
    let (first, code) = (reader.u8()?, reader.u8()?);
    reader.skip(2)?;
    let token_bytes = usize::from(first & 0x0f);
    let (class, detail) = (code >> 5, code & 0x1f);
    let known = match class {
        0 => detail <= 7,
        2 | 4 | 5 => true,
        _ => false,
    };
    // The empty message is the header alone (section 4.1).
    let whole = code != 0 || (token_bytes == 0 && reader.left() == 0);
    if !known || !whole || token_bytes > 8 {
        return None;
    }
    reader.skip(token_bytes)?;
    options(reader, notes)?;
    notes.meta.put_number(&attr::COAP_CODE, u64::from(class) * 100 + u64::from(detail));
    Some(Outcome::found(AppId::COAP))
}

/// Each option adds to the number of the one before; four bits of 13 or 14 continue in one or two
/// bytes, and 0xff ends the list.
fn options(mut reader: Reader<'_>, notes: &mut Notes<'_>) -> Option<()> {
    let mut number = 0u32;
    for _ in 0..MAX_OPTIONS {
        let first = match reader.u8() {
            None | Some(0xff) => return Some(()),
            Some(first) => first,
        };
        number = number.checked_add(extended(first >> 4, &mut reader)?)?;
        let length = extended(first & 0x0f, &mut reader)?;
        let value = reader.take(usize::try_from(length).ok()?)?;
        match number {
            URI_HOST => {
                notes.meta.put(&attr::COAP_HOST, value);
                notes.meta.put(&attr::HOST_NAME, value);
            }
            URI_PATH => notes.meta.put(&attr::COAP_PATH, value),
            _ => {}
        }
    }
    Some(())
}

fn extended(nibble: u8, reader: &mut Reader<'_>) -> Option<u32> {
    match nibble {
        13 => Some(u32::from(reader.u8()?) + 13),
        14 => Some(u32::from(reader.u16()?) + 269),
        15 => None,
        _ => Some(u32::from(nibble)),
    }
}
