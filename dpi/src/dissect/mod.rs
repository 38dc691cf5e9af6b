//! The dissectors, a family a folder or file, and the list that the dispatch is built from.

pub(crate) mod ber;
pub(crate) mod credentials;
pub(crate) mod infra;
pub(crate) mod network;
pub(crate) mod ntlm;
pub(crate) mod session;
mod shape;
pub(crate) mod web;

#[cfg(test)]
mod mutants;
#[cfg(test)]
pub(crate) mod testing;

use crate::view::Dissector;

/// Every dissector, by family. Order is of no meaning: the dispatch orders by port hint and
/// first byte.
pub(crate) const FAMILIES: &[&[Dissector]] =
    &[web::DISSECTORS, network::DISSECTORS, session::DISSECTORS, infra::DISSECTORS];
