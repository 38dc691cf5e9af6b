//! Names of applications as C strings, made once.

use std::ffi::{CStr, CString};
use std::sync::LazyLock;
use weir_dpi::{AppId, app, services};

/// Every name with its id, ascending by id.
static NAMES: LazyLock<Vec<(u16, CString)>> = LazyLock::new(|| {
    let rows = app::PROTOCOLS.iter().chain(services::APPS);
    rows.map(|row| (row.id.0, CString::new(row.name).unwrap_or_default())).collect()
});

/// The name of an application, or that of *unknown* where there is none of this id.
pub(crate) fn name_of(id: u16) -> &'static CStr {
    let at = NAMES.binary_search_by_key(&id, |(known, _)| *known);
    let row = at.ok().and_then(|at| NAMES.get(at)).or_else(|| NAMES.first());
    row.map_or(c"Unknown", |(_, name)| name)
}

/// The id of the application of this name, in any case.
pub(crate) fn id_of(name: &str) -> Option<u16> {
    app::by_name(name).map(|AppId(id)| id)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_those_of_the_table() {
        for row in app::PROTOCOLS.iter().chain(services::APPS) {
            let name = name_of(row.id.0).to_str().unwrap();
            assert_eq!(name, row.name);
            assert_eq!(id_of(name), Some(row.id.0));
        }
        assert_eq!(name_of(u16::MAX), c"Unknown");
        assert_eq!(id_of("no such application"), None);
    }
}
