//! Family `web`: what carries the web, and the tunnels that look like it.

mod hello;
mod ja4;
mod quic;
mod tls;
mod tor;

use crate::view::Dissector;

/// The family's dissectors.
pub(crate) const DISSECTORS: &[Dissector] = &[tls::TLS, quic::QUIC];
