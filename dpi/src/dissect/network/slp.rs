//! Service location: version 2 (RFC 2608 section 8), version 1 (RFC 2165 section 5).

use super::{BOTH, cut_short};
use crate::app::AppId;
use crate::attr;
use crate::reader::Reader;
use crate::view::{Dissector, First, Notes, Outcome, Transport, View};

/// SLP.
pub(super) const SLP: Dissector = Dissector {
    app: AppId::SLP,
    over: BOTH,
    ports: &[427],
    ports_only: false,
    first: First::OneOf(&[1, 2]),
    run: slp,
};

const SERVICE_REQUEST: u8 = 1;

fn slp(view: &View<'_>, notes: &mut Notes<'_>) -> Outcome {
    let parsed = match view.data.first() {
        Some(2) => version2(view, notes),
        // Version 1 has little to be told by.
        _ if view.port_is(427) => version1(view),
        _ => Some(false),
    };
    match parsed {
        Some(true) => Outcome::found(AppId::SLP),
        Some(false) => Outcome::NotMine,
        None => cut_short(view),
    }
}

fn version2(view: &View<'_>, notes: &mut Notes<'_>) -> Option<bool> {
    let mut reader = Reader::new(view.data);
    reader.skip(1)?;
    let function = reader.u8()?;
    let length = usize::try_from(reader.u24()?).ok()?;
    let flags = reader.u16()?;
    let fits = match view.transport {
        Transport::Udp => length == view.data.len(),
        Transport::Tcp => length >= 16,
    };
    if !fits || !(1..=11).contains(&function) || flags & 0x1fff != 0 {
        return Some(false);
    }
    // The next extension's place, the transaction, the language tag.
    reader.skip(3 + 2)?;
    let tag_bytes = reader.u16()?;
    if !(1..=32).contains(&tag_bytes) {
        return Some(false);
    }
    let tag = reader.take(usize::from(tag_bytes))?;
    if !tag.iter().all(|byte| byte.is_ascii_alphanumeric() || *byte == b'-') {
        return Some(false);
    }
    if function == SERVICE_REQUEST {
        // The responders known already, then the type of service asked for.
        let known = usize::from(reader.u16().unwrap_or_default());
        let kind = reader.skip(known).and_then(|()| reader.u16());
        let kind = reader.take_up_to(usize::from(kind.unwrap_or_default()));
        notes.meta.put(&attr::SLP_SERVICE, kind);
    }
    Some(true)
}

fn version1(view: &View<'_>) -> Option<bool> {
    let mut reader = Reader::new(view.data);
    reader.skip(1)?;
    let function = reader.u8()?;
    let length = usize::from(reader.u16()?);
    // Flags (three of eight are zero), dialect (zero), language in two letters.
    let (flags, dialect, language) = (reader.u8()?, reader.u8()?, reader.array::<2>()?);
    Some(
        (1..=10).contains(&function)
            && length == view.data.len()
            && flags.trailing_zeros() >= 3
            && dialect == 0
            && language.iter().all(u8::is_ascii_alphabetic),
    )
}
