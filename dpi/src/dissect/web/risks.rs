//! What is odd about a TLS handshake: judged from the hellos and the certificate alone.

use super::certificate::Certificate;
use super::hello::{Carrier, ClientHello, is_grease};
use super::offered::Protocols;
use crate::meta::Meta;
use crate::risk::Risk;
use crate::view::View;

const DAY_S: u64 = 86_400;
/// A certificate that ends this soon, or within the last tenth of its time, is about to expire.
const ENDS_SOON_S: u64 = 30 * DAY_S;
/// The longest validity that public issuers may give (CA/Browser Forum, Baseline Requirements,
/// section 6.3.2), and from when on.
const VALIDITY_MOST_S: [(u64, u64); 3] = [
    // 2020-09-01, 2018-03-01, and 39 months before.
    (1_598_918_400, 398 * DAY_S),
    (1_519_862_400, 825 * DAY_S),
    (0, 1187 * DAY_S),
];
/// The encrypted name of drafts before ECH.
const ENCRYPTED_NAME: u16 = 0xffce;
/// The public name in front of hidden ones at the largest operator of ECH.
const PUBLIC_NAME: &[u8] = b"cloudflare-ech.com";

/// Judges what a client offers.
pub(super) fn client(
    hello: &ClientHello<'_>,
    protocols: &Protocols,
    view: &View<'_>,
    meta: &mut Meta,
) {
    if !hello.whole {
        return;
    }
    // Peers of a call use DTLS without a name, and without the web.
    let over_web = hello.carrier != Carrier::Dtls;
    let web = protocols.web;
    if is_obsolete(hello.version) {
        meta.set_risk(Risk::TlsObsoleteVersion);
    }
    let hidden = is_hidden(hello);
    if over_web && !hello.has_name && !hidden {
        meta.set_risk(Risk::TlsMissingSni);
        if web {
            meta.set_risk(Risk::TlsAlpnSniMismatch);
        }
    }
    if hello.carrier == Carrier::Tls && !web && (view.port_is(443) || view.port_is(8443)) {
        meta.set_risk(Risk::TlsNotWeb);
    }
    if protocols.uncommon {
        meta.set_risk(Risk::TlsUncommonAlpn);
    }
    if hidden {
        meta.set_risk(Risk::TlsEncryptedHello);
    }
    if has_odd_extensions(hello) {
        meta.set_risk(Risk::TlsSuspiciousExtension);
    }
}

/// Judges what a server chose.
pub(super) fn server(version: u16, cipher: u16, meta: &mut Meta) {
    if is_obsolete(version) {
        meta.set_risk(Risk::TlsObsoleteVersion);
    }
    if is_weak(cipher) {
        meta.set_risk(Risk::TlsWeakCipher);
    }
}

/// Judges a certificate at a time in seconds since 1970.
pub(super) fn certificate(meta: &mut Meta, certificate: &Certificate<'_>, now_s: u64) {
    let (begins, ends) = (certificate.not_before_s, certificate.not_after_s);
    let validity = ends.saturating_sub(begins);
    if certificate.is_self_signed() {
        meta.set_risk(Risk::TlsSelfSigned);
    }
    if now_s > ends || now_s < begins {
        meta.set_risk(Risk::TlsExpired);
    } else if ends - now_s < ENDS_SOON_S.min(validity / 10) {
        meta.set_risk(Risk::TlsAboutToExpire);
    }
    let most = VALIDITY_MOST_S.iter().find(|(from, _)| begins >= *from);
    // A day and a second of grace: some count the last second in, some do not.
    if most.is_some_and(|(_, most)| validity > most + DAY_S) {
        meta.set_risk(Risk::TlsLongValidity);
    }
}

/// Below TLS 1.2 and DTLS 1.2 (RFC 8996).
fn is_obsolete(version: u16) -> bool {
    matches!(version, 0x0002 | 0x0300..=0x0302 | 0x0100 | 0xfeff)
}

/// Whether a protocol is one of the web's.
pub(super) fn is_web(name: &[u8]) -> bool {
    matches!(name, b"h2" | b"h3" | b"h2c" | [b'h', b't', b't', b'p', b'/', ..])
        || [&b"h2-"[..], b"h3-", b"hq-", b"spdy/"].iter().any(|one| name.starts_with(one))
}

/// Whether a protocol is in the registry of ALPN names (IANA), was in use before it was, is a
/// numbered draft, or one of those that mean nothing.
pub(super) fn is_registered(name: &[u8]) -> bool {
    let listed = matches!(
        name,
        b"h2"
            | b"http/1.1"
            | b"h3"
            | b"http/1.0"
            | b"http/0.9"
            | b"h2c"
            | b"webrtc"
            | b"c-webrtc"
            | b"ftp"
            | b"imap"
            | b"pop3"
            | b"managesieve"
            | b"coap"
            | b"co"
            | b"xmpp-client"
            | b"xmpp-server"
            | b"acme-tls/1"
            | b"mqtt"
            | b"dot"
            | b"doq"
            | b"ntske/1"
            | b"sunrpc"
            | b"smb"
            | b"irc"
            | b"nntp"
            | b"nnsp"
            | b"sip/2"
            | b"tds/8.0"
            | b"dicom"
            | b"postgresql"
            | b"radius/1.0"
            | b"radius/1.1"
            | b"stun.turn"
            | b"stun.nat-discovery"
            | b"grpc-exp"
    );
    let reserved = |pair: &[u8; 2]| is_grease(u16::from_be_bytes(*pair));
    let drafts = [&b"h2-"[..], b"h3-", b"hq-", b"doq-", b"spdy/"];
    listed
        || name.first_chunk::<2>().is_some_and(reserved)
        || drafts.iter().any(|beginning| name.starts_with(beginning))
}

/// Whether the true name is hidden. Most browsers send an extension of encrypted hello that means
/// nothing, which cannot be told from one that does; the name in front can.
fn is_hidden(hello: &ClientHello<'_>) -> bool {
    let name = hello.name;
    hello.kinds.has(ENCRYPTED_NAME)
        || (hello.encrypted && (name.is_empty() || name.eq_ignore_ascii_case(PUBLIC_NAME)))
}

/// Extensions that do not fill their block, that come twice (RFC 8446 section 4.2), or a name
/// that is none.
fn has_odd_extensions(hello: &ClientHello<'_>) -> bool {
    hello.kinds.is_odd()
        || (hello.has_name && (hello.name.is_empty() || !hello.name_kinds.is_graphic()))
}

/// Ciphers without encryption or authentication, for export, with RC4, DES or triple DES, and those
/// whose key the server's RSA key opens, later as well (RFC 9325 section 4.1; numbers of IANA's
/// registry).
fn is_weak(cipher: u16) -> bool {
    matches!(
        cipher,
        0x0000..=0x001b
            | 0x001e..=0x002f
            | 0x0034
            | 0x0035
            | 0x003a
            | 0x003b
            | 0x003c..=0x003d
            | 0x0041
            | 0x0046
            | 0x0060..=0x0066
            | 0x006c..=0x006d
            | 0x0084
            | 0x0089..=0x008b
            | 0x008e..=0x008f
            | 0x0092..=0x0093
            | 0x0096
            | 0x009b
            | 0x009c..=0x009d
            | 0x00a6..=0x00a7
            | 0x00b0..=0x00b1
            | 0x00b4..=0x00b5
            | 0x00b8..=0x00b9
            | 0x00bf
            | 0x00c5
            | 0xc001..=0xc003
            | 0xc006..=0xc008
            | 0xc00b..=0xc00d
            | 0xc010..=0xc012
            | 0xc015..=0xc01c
            | 0xc033..=0xc034
            | 0xc039..=0xc03b
            | 0xc09c..=0xc09d
            | 0xc0a0..=0xc0a1
    )
}
