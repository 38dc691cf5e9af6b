//! Family `session`.

use crate::view::Dissector;

/// The family's dissectors.
pub(crate) const DISSECTORS: &[Dissector] = &[];
