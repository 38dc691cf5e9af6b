//! Who may do what: Diameter (RFC 6733 sections 3 and 4), TACACS+ (RFC 8907 section 4).

use super::{TCP, cut_short};
use crate::app::AppId;
use crate::attr;
use crate::reader::Reader;
use crate::view::{Dissector, First, Notes, Outcome, View};

/// Diameter.
pub(super) const DIAMETER: Dissector = Dissector {
    app: AppId::DIAMETER,
    over: TCP,
    ports: &[3868],
    ports_only: false,
    first: First::OneOf(&[1]),
    run: diameter,
};

/// TACACS+.
pub(super) const TACACS: Dissector = Dissector {
    app: AppId::TACACS,
    over: TCP,
    ports: &[49],
    ports_only: false,
    first: First::OneOf(&[0xc0, 0xc1]),
    run: tacacs,
};

const DIAMETER_HEADER_BYTES: usize = 20;
const TACACS_HEADER_BYTES: usize = 12;
const MAX_ATTRIBUTES: usize = 12;
const ORIGIN_HOST: u32 = 264;
const ORIGIN_REALM: u32 = 296;

fn diameter(view: &View<'_>, notes: &mut Notes<'_>) -> Outcome {
    parse_diameter(view, notes).unwrap_or_else(|| cut_short(view))
}

fn parse_diameter(view: &View<'_>, notes: &mut Notes<'_>) -> Option<Outcome> {
    let mut reader = Reader::new(view.data);
    reader.skip(1)?;
    let length = usize::try_from(reader.u24()?).ok()?;
    let flags = reader.u8()?;
    let command = reader.u24()?;
    // The base protocol and its first applications count from 256; 3GPP has a block of its own.
    let known = matches!(command, 256..=1023 | 8_388_000..=8_389_119);
    if !known || flags & 0x0f != 0 || length % 4 != 0 || length < DIAMETER_HEADER_BYTES + 8 {
        return Some(Outcome::NotMine);
    }
    reader.skip(12)?;
    let attributes = Reader::new(reader.take_up_to(length - DIAMETER_HEADER_BYTES));
    let mut first = attributes;
    let (_, first_flags, first_bytes) = (first.u32()?, first.u8()?, first.u24()?);
    if first_flags & 0x1f != 0 || first_bytes < 8 {
        return Some(Outcome::NotMine);
    }
    notes.meta.put_number(&attr::DIAMETER_COMMAND, u64::from(command));
    // What can be read of them; the proof stands without.
    let _complete: Option<()> = note_origin(attributes, notes);
    Some(Outcome::found(AppId::DIAMETER))
}

/// Code, flags, length with these eight bytes; the value is padded to four.
fn note_origin(mut attributes: Reader<'_>, notes: &mut Notes<'_>) -> Option<()> {
    for _ in 0..MAX_ATTRIBUTES {
        let (code, flags, length) = (attributes.u32()?, attributes.u8()?, attributes.u24()?);
        let has_vendor = flags & 0x80 != 0;
        let length = usize::try_from(length).ok()?.checked_sub(8)?;
        let mut value = attributes.sub(length)?;
        attributes.skip(length.wrapping_neg() % 4)?;
        if has_vendor {
            continue;
        }
        match code {
            ORIGIN_HOST => {
                notes.meta.put(&attr::DIAMETER_ORIGIN, value.take_up_to(length));
            }
            ORIGIN_REALM => {
                notes.meta.put(&attr::DIAMETER_REALM, value.take_up_to(length));
            }
            _ => {}
        }
    }
    Some(())
}

fn tacacs(view: &View<'_>, _: &mut Notes<'_>) -> Outcome {
    let Some(fits) = is_tacacs(view) else {
        return cut_short(view);
    };
    if fits { Outcome::found(AppId::TACACS) } else { Outcome::NotMine }
}

fn is_tacacs(view: &View<'_>) -> Option<bool> {
    let mut reader = Reader::new(view.data);
    reader.skip(1)?;
    let (kind, sequence, flags) = (reader.u8()?, reader.u8()?, reader.u8()?);
    // Authentication, authorisation, accounting; the first two packets of a session; flags for
    // "not encrypted" and "one connection".
    if !(1..=3).contains(&kind) || !(1..=2).contains(&sequence) || flags & !0x05 != 0 {
        return Some(false);
    }
    reader.skip(4)?;
    let length = usize::try_from(reader.u32()?).ok()?;
    let fits = (5..0x1_0000).contains(&length);
    if !fits || view.port_is(49) {
        return Some(fits);
    }
    // On a foreign port the body has to end with the segment.
    let missing = (TACACS_HEADER_BYTES + length).checked_sub(view.data.len());
    match missing {
        None => Some(false),
        Some(0) => Some(true),
        Some(_) => None,
    }
}
