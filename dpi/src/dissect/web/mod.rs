//! Family `web`: what carries the web, and the tunnels that look like it.

mod dtls;
mod hello;
mod hpack;
mod http;
mod http2;
mod http_risk;
mod ike;
mod ja4;
mod openvpn;
mod quic;
#[cfg(test)]
#[expect(clippy::cast_possible_truncation, reason = "lengths in tests are small")]
mod sample;
mod socks;
mod tls;
mod tor;
mod wireguard;

use crate::view::Dissector;

/// The family's dissectors.
pub(crate) const DISSECTORS: &[Dissector] = &[
    tls::TLS,
    quic::QUIC,
    http::HTTP,
    http2::HTTP2,
    dtls::DTLS,
    wireguard::WIREGUARD,
    wireguard::TAILSCALE,
    openvpn::OPENVPN,
    socks::SOCKS,
    ike::IKE,
];
