//! Network time: RFC 5905 section 7.3, control messages of RFC 9327, and mode 7 as `ntpd` has it.

use super::UDP;
use crate::app::AppId;
use crate::attr;
use crate::reader::Reader;
use crate::view::{Dissector, First, Notes, Outcome, View};

/// NTP. Its packets are numbers without a mark, so it is looked for on its port only.
pub(super) const NTP: Dissector = Dissector {
    app: AppId::NTP,
    over: UDP,
    ports: &[123],
    ports_only: true,
    first: First::Any,
    run: ntp,
};

const HEADER_BYTES: usize = 48;

fn ntp(view: &View<'_>, notes: &mut Notes<'_>) -> Outcome {
    let mut reader = Reader::new(view.data);
    let (Some(first), Some(second)) = (reader.u8(), reader.u8()) else {
        return Outcome::NotMine;
    };
    let version = (first >> 3) & 7;
    let mode = first & 7;
    let fits = match mode {
        1..=5 => view.data.len() >= HEADER_BYTES && view.data.len().is_multiple_of(4),
        // Control: sequence, status, association, offset, count, then that many bytes.
        6 => control_fits(reader, view.data.len()),
        7 => view.data.len() >= 8,
        // Version 1 had no modes (RFC 1059).
        _ => version == 1 && view.data.len() == HEADER_BYTES,
    };
    if !fits || !(1..=4).contains(&version) {
        return Outcome::NotMine;
    }
    notes.meta.put_number(&attr::NTP_VERSION, u64::from(version));
    notes.meta.put_number(&attr::NTP_MODE, u64::from(mode));
    if mode == 3 {
        // A client's stratum says little; the server's is worth waiting for.
        return Outcome::found_more(AppId::NTP);
    }
    if mode < 6 {
        notes.meta.put_number(&attr::NTP_STRATUM, u64::from(second));
    }
    Outcome::found(AppId::NTP)
}

fn control_fits(mut reader: Reader<'_>, length: usize) -> bool {
    let Some(()) = reader.skip(8) else {
        return false;
    };
    reader.u16().is_some_and(|count| usize::from(count) + 12 <= length)
}
