//! Community ID version 1: one name for a flow across tools (Zeek, Suricata, Arkime …).
//!
//! The published description: `1:` and the base64 form of SHA-1 over seed, addresses, protocol,
//! a zero byte and ports, the smaller endpoint first. For ICMP the "ports" are the message type
//! and its counterpart, or type and code where a type has no counterpart.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use sha1::{Digest, Sha1};

/// Bytes of an identifier: `1:` and 20 bytes in base64.
pub(crate) const TEXT_BYTES: usize = 30;

/// One end of a flow as the identifier sees it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct End<'a> {
    /// 4 or 16 bytes.
    pub(crate) address: &'a [u8],
    /// Port, or what stands for it.
    pub(crate) port: u16,
}

/// The identifier of the flow between `a` and `b`, seed 0. `ports` tells whether the protocol has
/// ports; `one_way` keeps the given order (ICMP messages without a counterpart).
pub(crate) fn id(
    a: End<'_>,
    b: End<'_>,
    protocol: u8,
    ports: bool,
    one_way: bool,
) -> [u8; TEXT_BYTES] {
    let ordered = one_way || (a.address, a.port) < (b.address, b.port);
    let (first, second) = if ordered { (a, b) } else { (b, a) };
    let mut hash = Sha1::new();
    hash.update([0, 0]);
    hash.update(first.address);
    hash.update(second.address);
    hash.update([protocol, 0]);
    if ports {
        hash.update(first.port.to_be_bytes());
        hash.update(second.port.to_be_bytes());
    }
    text(&hash.finalize().into())
}

/// The identifier of a digest, as people write it.
pub(crate) fn text(digest: &[u8; 20]) -> [u8; TEXT_BYTES] {
    let mut text = [0; TEXT_BYTES];
    text[..2].copy_from_slice(b"1:");
    let written = STANDARD.encode_slice(digest, &mut text[2..]);
    debug_assert_eq!(written, Ok(TEXT_BYTES - 2), "20 bytes are 28 characters");
    text
}

/// The digest of an identifier; none if it is none of version 1.
pub(crate) fn digest(text: &[u8]) -> Option<[u8; 20]> {
    STANDARD.decode(text.strip_prefix(b"1:")?).ok()?.try_into().ok()
}

/// The "ports" of an ICMP message: its type and the counterpart's, or, one way, type and code.
pub(crate) fn icmp_ports(v6: bool, kind: u8, code: u8) -> (u16, u16, bool) {
    let pairs: &[(u8, u8)] = if v6 {
        // Echo, multicast listener, router, neighbour, who-are-you, home agent discovery.
        &[(128, 129), (130, 131), (133, 134), (135, 136), (139, 140), (144, 145)]
    } else {
        // Echo, timestamp, information, router, address mask.
        &[(8, 0), (13, 14), (15, 16), (10, 9), (17, 18)]
    };
    let counterpart = pairs.iter().find_map(|&(ask, answer)| match kind {
        _ if kind == ask => Some(answer),
        _ if kind == answer => Some(ask),
        _ => None,
    });
    match counterpart {
        Some(other) => (kind.into(), other.into(), false),
        None => (kind.into(), code.into(), true),
    }
}

#[cfg(test)]
mod tests {
    use std::net::IpAddr;

    use super::*;

    fn bytes(text: &str) -> Vec<u8> {
        match text.parse::<IpAddr>().unwrap() {
            IpAddr::V4(v4) => v4.octets().to_vec(),
            IpAddr::V6(v6) => v6.octets().to_vec(),
        }
    }

    fn text(source: (&str, u16), target: (&str, u16), protocol: u8, one_way: bool) -> String {
        let (a, b) = (bytes(source.0), bytes(target.0));
        let (a, b) = (End { address: &a, port: source.1 }, End { address: &b, port: target.1 });
        String::from_utf8(id(a, b, protocol, true, one_way).to_vec()).unwrap()
    }

    /// The examples published with the description.
    #[test]
    fn published_examples() {
        let tcp = "1:LQU9qZlK+B5F3KDmev6m5PMibrg=";
        let (client, server) = (("128.232.110.120", 34855), ("66.35.250.204", 80));
        assert_eq!(text(client, server, 6, false), tcp);
        assert_eq!(text(server, client, 6, false), tcp);
        let udp = text(("192.168.1.52", 54585), ("8.8.8.8", 53), 17, false);
        assert_eq!(udp, "1:d/FP5EW3wiY1vCndhwleRRKHowQ=");
        let sctp = text(("192.168.170.8", 7), ("192.168.170.56", 80), 132, false);
        assert_eq!(sctp, "1:jQgCxbku+pNGw8WPbEc/TS/uTpQ=");
        let (a, b, one_way) = icmp_ports(false, 8, 0);
        let echo = text(("192.168.0.89", a), ("192.168.0.1", b), 1, one_way);
        assert_eq!(echo, "1:X0snYXpgwiv9TZtqg64sgzUn6Dk=");
        let (a, b, one_way) = icmp_ports(true, 135, 0);
        let (source, target) = ("fe80::200:86ff:fe05:80da", "fe80::260:97ff:fe07:69ea");
        let neighbour = text((source, a), (target, b), 58, one_way);
        assert_eq!(neighbour, "1:dGHyGvjMfljg6Bppwm3bg0LO8TY=");
    }
}
