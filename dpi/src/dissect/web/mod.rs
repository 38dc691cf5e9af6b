//! Family `web`: what carries the web, and the tunnels that look like it.

mod certificate;
mod dtls;
mod flight;
mod hello;
mod hpack;
mod http;
mod http2;
mod http_risk;
mod http_service;
mod ike;
mod inside;
mod ja4;
mod leaf;
mod offered;
mod openvpn;
mod quic;
mod risks;
#[cfg(test)]
#[expect(clippy::cast_possible_truncation, reason = "lengths in tests are small")]
mod sample;
mod socks;
mod tls;
mod tor;
mod wireguard;

use crate::view::Dissector;

/// For flows that begin with STUN and go on with DTLS (RFC 7983).
pub(crate) use dtls::DTLS;
pub(crate) use inside::tls_inside;

/// The family's dissectors.
pub(crate) const DISSECTORS: &[Dissector] = &[
    tls::TLS,
    quic::QUIC,
    quic::QUIC_SHORT,
    http::HTTP,
    http2::HTTP2,
    DTLS,
    wireguard::WIREGUARD,
    wireguard::TAILSCALE,
    openvpn::OPENVPN,
    socks::SOCKS,
    ike::IKE,
];
