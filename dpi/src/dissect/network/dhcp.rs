//! DHCP and BOOTP: RFC 2131 section 2 (message), RFC 2132 (options).

use super::{UDP, mapped};
use crate::app::AppId;
use crate::attr;
use crate::reader::Reader;
use crate::view::{Dissector, First, Notes, Outcome, View};

/// DHCP.
pub(super) const DHCP: Dissector = Dissector {
    app: AppId::DHCP,
    over: UDP,
    ports: &[67, 68],
    ports_only: false,
    first: First::OneOf(&[1, 2]),
    run: dhcp,
};

/// RFC 2131 section 3.
const COOKIE: u32 = 0x6382_5363;
/// Options read of one message.
const MAX_OPTIONS: usize = 64;

fn dhcp(view: &View<'_>, notes: &mut Notes<'_>) -> Outcome {
    parse(view, notes).unwrap_or(Outcome::NotMine)
}

fn parse(view: &View<'_>, notes: &mut Notes<'_>) -> Option<Outcome> {
    let mut reader = Reader::new(view.data);
    let operation = reader.u8()?;
    let (hardware, hardware_bytes, hops) = (reader.u8()?, reader.u8()?, reader.u8()?);
    if !matches!(operation, 1 | 2) || hardware_bytes > 16 || hops > 16 || hardware == 0 {
        return None;
    }
    // Transaction, seconds, flags, the client's present address.
    reader.skip(12)?;
    let yours: [u8; 4] = reader.array()?;
    reader.skip(8)?;
    let hardware_field: [u8; 16] = reader.array()?;
    reader.skip(192)?;
    if reader.u32()? != COOKIE {
        return None;
    }
    notes.meta.put(&attr::DHCP_CLIENT_MAC, hardware_field.get(..usize::from(hardware_bytes))?);
    if yours != [0; 4] {
        notes.meta.put(&attr::DHCP_ADDRESS, &mapped(yours));
    }
    options(reader, notes);
    // A request is worth more than its answer: the host says its own name in it. But which
    // address it got, the answer says.
    Some(Outcome::Found { app: AppId::DHCP, more: operation == 1 && view.packets_before < 3 })
}

fn options(mut reader: Reader<'_>, notes: &mut Notes<'_>) {
    for _ in 0..MAX_OPTIONS {
        let code = match reader.u8() {
            Some(0) => continue,
            None | Some(255) => return,
            Some(code) => code,
        };
        let Some(length) = reader.u8() else {
            return;
        };
        let value = reader.take_up_to(usize::from(length));
        match (code, value) {
            (12, name) => {
                let name = name.strip_suffix(&[0]).unwrap_or(name);
                notes.meta.put(&attr::DHCP_HOST_NAME, name);
                notes.meta.put(&attr::HOST_NAME, name);
            }
            (50, [a, b, c, d]) => {
                notes.meta.put(&attr::DHCP_ADDRESS, &mapped([*a, *b, *c, *d]));
            }
            (53, [kind]) => notes.meta.put_number(&attr::DHCP_MESSAGE, u64::from(*kind)),
            (55, list) => notes.meta.put(&attr::DHCP_FINGERPRINT, list),
            (60, class) => notes.meta.put(&attr::DHCP_CLASS, class),
            _ => {}
        }
    }
}
