//! DHCP for IPv6: RFC 8415 sections 8 and 9 (messages), 21 (options).

use super::UDP;
use super::dns_name::Room;
use crate::app::AppId;
use crate::attr;
use crate::reader::Reader;
use crate::view::{Dissector, First, Notes, Outcome, View};

/// DHCPv6. It has no mark of its own, so it is looked for on its ports only.
pub(super) const DHCPV6: Dissector = Dissector {
    app: AppId::DHCPV6,
    over: UDP,
    ports: &[546, 547],
    ports_only: true,
    first: First::Ranges(&[(1, 36)]),
    run: dhcpv6,
};

/// Options read of one message.
const MAX_OPTIONS: usize = 48;
const RELAY_FORWARD: u8 = 12;
const RELAY_REPLY: u8 = 13;

fn dhcpv6(view: &View<'_>, notes: &mut Notes<'_>) -> Outcome {
    parse(view.data, notes).unwrap_or(Outcome::NotMine)
}

fn parse(data: &[u8], notes: &mut Notes<'_>) -> Option<Outcome> {
    let mut reader = Reader::new(data);
    let kind = reader.u8()?;
    match kind {
        // Hop count, link address, peer address; else a transaction of three bytes.
        RELAY_FORWARD | RELAY_REPLY => reader.skip(33)?,
        _ => reader.skip(3)?,
    }
    notes.meta.put_number(&attr::DHCPV6_MESSAGE, u64::from(kind));
    for _ in 0..MAX_OPTIONS {
        if reader.left() == 0 {
            break;
        }
        let (code, length) = (reader.u16()?, reader.u16()?);
        option(code, reader.take(usize::from(length))?, notes);
    }
    Some(Outcome::found(AppId::DHCPV6))
}

fn option(code: u16, value: &[u8], notes: &mut Notes<'_>) {
    match code {
        1 => notes.meta.put(&attr::DHCPV6_DUID, value),
        // The options asked for, two bytes each.
        6 => notes.meta.put(&attr::DHCPV6_FINGERPRINT, value),
        // Enterprise number, length, text.
        16 => notes.meta.put(&attr::DHCPV6_CLASS, value.get(6..).unwrap_or_default()),
        // RFC 4704: flags, then the name in labels, which a host may leave without its end.
        39 => {
            let mut ended = [0; 257];
            let labels = value.get(1..).unwrap_or_default();
            if let Some(room) = ended.get_mut(..labels.len()) {
                room.copy_from_slice(labels);
                if let Some((name, _)) = Room::new().read(&ended, 0) {
                    notes.meta.put(&attr::DHCPV6_HOST_NAME, name);
                    notes.meta.put(&attr::HOST_NAME, name);
                }
            }
        }
        _ => {}
    }
}
