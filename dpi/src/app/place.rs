//! Where each id's row stands, so that describing an id is one look-up.

use super::{App, AppId, PROTOCOLS};
use crate::services::APPS;

/// Ids of protocols and services are below this.
const IDS: usize = 2000;

/// Places among the protocols, or among the services; the first one's where an id has no row.
static PLACES: [u16; IDS] = places_too(places_too([0; IDS], PROTOCOLS), APPS);

/// The place of the row of `id`, if it has one.
pub(super) fn of(id: AppId) -> usize {
    PLACES.get(usize::from(id.0)).copied().unwrap_or(0).into()
}

#[expect(clippy::indexing_slicing, reason = "at compile time; an error would not build")]
#[expect(clippy::cast_possible_truncation, reason = "fewer rows than ids")]
const fn places_too(mut places: [u16; IDS], rows: &[App]) -> [u16; IDS] {
    let mut at = 0;
    while at < rows.len() {
        places[rows[at].id.0 as usize] = at as u16;
        at += 1;
    }
    places
}
