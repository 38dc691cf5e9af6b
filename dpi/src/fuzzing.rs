//! Parts of the crate by themselves, for fuzzers and tests of robustness. No part of its interface.

use crate::dissect::{FAMILIES as FAMILIES_OF_ALL, infra, network, session, web};
use crate::inspect::{Inspector, Limits};
use crate::view::Dissector;

/// The families of dissectors, by name.
pub const FAMILIES: &[(&str, &[Dissector])] = &[
    ("web", web::DISSECTORS),
    ("network", network::DISSECTORS),
    ("session", session::DISSECTORS),
    ("infra", infra::DISSECTORS),
];

/// An inspector that knows these dissectors alone.
pub fn inspector(limits: &Limits, dissectors: &[Dissector]) -> Inspector {
    Inspector::with_dissectors(limits, &[dissectors])
}

/// An inspector that knows all dissectors and these.
pub fn inspector_with_more(limits: &Limits, more: &[Dissector]) -> Inspector {
    let families: Vec<&[Dissector]> = FAMILIES_OF_ALL.iter().copied().chain([more]).collect();
    Inspector::with_dissectors(limits, &families)
}
