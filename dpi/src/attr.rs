//! Attributes: what dissectors find, each with a stable id, a place in JSON and a kind.
//!
//! A finding is stored as `[id u16 LE][length u16 LE][bytes]` ([`crate::meta`]); this table turns
//! it back into `{"tls": {"sni": …}}`. Ids are part of the shared-memory format and never move.

/// How an attribute's bytes are read.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Kind {
    /// Bytes as sent, meant as text; shown lossily as UTF-8.
    Text,
    /// Unsigned, eight bytes little endian.
    Number,
    /// Raw bytes, shown as lower-case hexadecimal.
    Hex,
    /// 16 bytes: an IPv6 address, or an IPv4 address in its mapped form.
    Address,
}

/// One attribute.
#[derive(Clone, Copy, Debug)]
pub struct Attr {
    /// Stable id.
    pub id: u16,
    /// The protocol's object in JSON (`tls`).
    pub group: &'static str,
    /// The member in that object (`sni`).
    pub key: &'static str,
    /// How its bytes are read.
    pub kind: Kind,
    /// Whether it may occur more than once (shown as a JSON array).
    pub many: bool,
}

macro_rules! attributes {
    (@many many) => { true };
    (@many one) => { false };
    ($($id:literal $constant:ident $group:literal $key:literal $kind:ident $many:ident;)*) => {
        $(#[doc = concat!("`", $group, ".", $key, "`")]
          pub const $constant: Attr = Attr {
              id: $id, group: $group, key: $key, kind: Kind::$kind,
              many: attributes!(@many $many),
          };)*
        /// Every attribute, ascending by id.
        pub const ATTRIBUTES: &[Attr] = &[$($constant),*];
    };
}

attributes! {
    // 1–9: the flow itself. HOST_NAME is the one name by which services are told apart.
    1 HOST_NAME "flow" "hostname" Text one;

    // 10–99: web (family `web`).
    10 HTTP_METHOD "http" "method" Text one;
    11 HTTP_HOST "http" "host" Text one;
    12 HTTP_PATH "http" "path" Text one;
    13 HTTP_USER_AGENT "http" "user_agent" Text one;
    14 HTTP_STATUS "http" "status" Number one;
    15 HTTP_CONTENT_TYPE "http" "content_type" Text one;
    16 HTTP_SERVER "http" "server" Text one;
    30 TLS_VERSION "tls" "version" Text one;
    31 TLS_SNI "tls" "sni" Text one;
    32 TLS_ALPN "tls" "alpn" Text one;
    33 TLS_JA4 "tls" "ja4" Text one;
    34 TLS_CIPHER "tls" "cipher" Number one;
    40 DTLS_VERSION "dtls" "version" Text one;
    41 DTLS_SNI "dtls" "sni" Text one;
    42 DTLS_ALPN "dtls" "alpn" Text one;
    43 DTLS_JA4 "dtls" "ja4" Text one;
    50 QUIC_VERSION "quic" "version" Text one;
    51 QUIC_SNI "quic" "sni" Text one;
    52 QUIC_ALPN "quic" "alpn" Text one;
    53 QUIC_JA4 "quic" "ja4" Text one;
    54 QUIC_USER_AGENT "quic" "user_agent" Text one;

    // 100–299: naming, discovery, network control (family `network`).
    100 DNS_NAME "dns" "name" Text one;
    101 DNS_TYPE "dns" "type" Number one;
    102 DNS_RCODE "dns" "rcode" Number one;
    103 DNS_ANSWER "dns" "answers" Address many;
    104 DNS_CNAME "dns" "cname" Text many;
    110 DHCP_HOST_NAME "dhcp" "hostname" Text one;
    111 DHCP_CLASS "dhcp" "class" Text one;
    112 DHCP_FINGERPRINT "dhcp" "fingerprint" Hex one;
    113 DHCP_MESSAGE "dhcp" "message" Number one;
    114 DHCP_CLIENT_MAC "dhcp" "mac" Hex one;

    // 300–499: remote access, mail, files, databases, messaging, voice, VPN, P2P
    // (family `session`).
    300 SSH_CLIENT "ssh" "client" Text one;
    301 SSH_SERVER "ssh" "server" Text one;
}

/// The attribute with this id, if there is one.
pub fn describe(id: u16) -> Option<&'static Attr> {
    let index = ATTRIBUTES.binary_search_by_key(&id, |attr| attr.id).ok()?;
    ATTRIBUTES.get(index)
}
