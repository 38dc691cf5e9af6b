//! At the home's and the campus's edge: NAT-PMP (RFC 6886 section 3), PCP (RFC 6887 section 7),
//! Teredo (RFC 4380 section 5.1), the control channel of CAPWAP (RFC 5415 section 4).

use super::{UDP, judged};
use crate::app::AppId;
use crate::reader::Reader;
use crate::view::{Dissector, First, Notes, Outcome, View};

/// NAT-PMP and its successor PCP.
pub(super) const NAT_PMP: Dissector = Dissector {
    app: AppId::NAT_PMP,
    over: UDP,
    ports: &[5351, 5350],
    ports_only: true,
    first: First::OneOf(&[0, 2]),
    run: nat_pmp,
};

/// Teredo: IPv6 in UDP, behind up to two indications.
pub(super) const TEREDO: Dissector = Dissector {
    app: AppId::TEREDO,
    over: UDP,
    ports: &[TEREDO_PORT],
    ports_only: false,
    first: First::Ranges(&[(0, 0), (0x60, 0x6f)]),
    run: teredo,
};

/// CAPWAP control.
pub(super) const CAPWAP: Dissector = Dissector {
    app: AppId::CAPWAP,
    over: UDP,
    ports: &[5246],
    ports_only: true,
    first: First::OneOf(&[0, 1]),
    run: capwap,
};

const TEREDO_PORT: u16 = 3544;
const IPV6_HEADER_BYTES: usize = 40;

fn nat_pmp(view: &View<'_>, _: &mut Notes<'_>) -> Outcome {
    let data = view.data;
    let fits = match data {
        [0, 0] => true,
        [0, 1 | 2, 0, 0, ..] => data.len() == 12,
        [0, 128..=130, 0, 0..=5, ..] => matches!(data.len(), 8 | 12 | 16),
        // PCP: the operation, then reserved (or the result), lifetime; 24 bytes at least.
        [2, operation, ..] => {
            operation & 0x7f <= 3
                && (24..=1100).contains(&data.len())
                && data.len().is_multiple_of(4)
        }
        _ => false,
    };
    judged(view, AppId::NAT_PMP, Some(fits))
}

fn teredo(view: &View<'_>, _: &mut Notes<'_>) -> Outcome {
    judged(view, AppId::TEREDO, is_teredo(view))
}

fn is_teredo(view: &View<'_>) -> Option<bool> {
    let mut reader = Reader::new(view.data);
    if reader.rest().starts_with(&[0, 1]) {
        reader.skip(2)?;
        let (client, authentication) = (reader.u8()?, reader.u8()?);
        // Both values, a nonce, a confirmation.
        reader.skip(usize::from(client) + usize::from(authentication) + 8 + 1)?;
    }
    if reader.rest().starts_with(&[0, 0]) {
        reader.skip(2 + 2 + 4)?;
    }
    let word = reader.u32()?;
    let payload_bytes = usize::from(reader.u16()?);
    if word >> 28 != 6 || reader.left() + 6 != IPV6_HEADER_BYTES + payload_bytes {
        return Some(false);
    }
    reader.skip(2)?;
    let addresses: [[u8; 16]; 2] = [reader.array()?, reader.array()?];
    // Peers talk on ports of their own; one of them then has a Teredo address (section 2.6).
    let has_prefix = addresses.iter().any(|address| address.starts_with(&[0x20, 0x01, 0, 0]));
    Some(view.port_is(TEREDO_PORT) || has_prefix)
}

fn capwap(view: &View<'_>, _: &mut Notes<'_>) -> Outcome {
    let fits = match view.data {
        // DTLS behind a preamble of four bytes.
        [1, 0, 0, 0, 20..=23, 0xfe, 0xff | 0xfd, ..] => Some(true),
        [0, ..] => is_control(Reader::new(view.data)),
        _ => Some(false),
    };
    judged(view, AppId::CAPWAP, fits)
}

/// The header's own length in words, then message type, sequence, length and flags.
fn is_control(mut reader: Reader<'_>) -> Option<bool> {
    reader.skip(1)?;
    let header_bytes = usize::from(reader.u8()? >> 3) * 4;
    reader.skip(header_bytes.checked_sub(2)?)?;
    let message = reader.u32()?;
    reader.skip(1)?;
    let length = usize::from(reader.u16()?);
    // Enterprise number zero is the standard's own, 13277 (IEEE 802.11) its binding's.
    let known = (1..=26).contains(&message) || message >> 8 == 13277;
    Some(known && header_bytes >= 8 && length <= reader.left() + 3)
}
