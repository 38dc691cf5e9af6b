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
    /// A [`Stack`](crate::stack::Stack) of protocols, two bytes each.
    Stack,
    /// [`Risks`](crate::risk::Risks): eight bytes little endian, a bit each.
    Risks,
    /// [`Why`](crate::why::Why) the flow has its name.
    Why,
}

impl Kind {
    /// What a value of this kind is, for people.
    pub const fn meaning(self) -> &'static str {
        match self {
            Kind::Text => "text, as sent; shown as UTF-8",
            Kind::Number => "number, eight bytes",
            Kind::Hex => "bytes, shown in hexadecimal",
            Kind::Address => "address, IPv6 or IPv4 in its mapped form",
            Kind::Stack => "protocols, outermost first, two bytes each",
            Kind::Risks => "set of [risks](RISKS.md), eight bytes, a bit each",
            Kind::Why => {
                "why the flow has its name: rule, packet, direction, length of the evidence (a byte each), number, offset (two bytes each), evidence"
            }
        }
    }
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

/// The group of what is said of a flow as a whole.
pub const FLOW: &str = "flow";

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
    2 STACK "flow" "stack" Stack one;
    3 RISKS "flow" "risks" Risks one;
    4 WHY "flow" "why" Why one;
    5 LIST "flow" "list" Text many;

    // 10–99: web (family `web`).
    10 HTTP_METHOD "http" "method" Text one;
    11 HTTP_HOST "http" "host" Text one;
    12 HTTP_PATH "http" "path" Text one;
    13 HTTP_USER_AGENT "http" "user_agent" Text one;
    14 HTTP_STATUS "http" "status" Number one;
    15 HTTP_CONTENT_TYPE "http" "content_type" Text one;
    16 HTTP_SERVER "http" "server" Text one;
    17 HTTP_REQUEST_TYPE "http" "request_content_type" Text one;
    30 TLS_VERSION "tls" "version" Text one;
    31 TLS_SNI "tls" "sni" Text one;
    32 TLS_ALPN "tls" "alpn" Text one;
    33 TLS_JA4 "tls" "ja4" Text one;
    34 TLS_CIPHER "tls" "cipher" Number one;
    35 TLS_OFFERED "tls" "offered" Text one;
    36 TLS_ECH "tls" "ech" Number one;
    40 DTLS_VERSION "dtls" "version" Text one;
    41 DTLS_SNI "dtls" "sni" Text one;
    42 DTLS_ALPN "dtls" "alpn" Text one;
    43 DTLS_JA4 "dtls" "ja4" Text one;
    44 DTLS_CIPHER "dtls" "cipher" Number one;
    45 DTLS_OFFERED "dtls" "offered" Text one;
    46 DTLS_ECH "dtls" "ech" Number one;
    50 QUIC_VERSION "quic" "version" Text one;
    51 QUIC_SNI "quic" "sni" Text one;
    52 QUIC_ALPN "quic" "alpn" Text one;
    53 QUIC_JA4 "quic" "ja4" Text one;
    54 QUIC_USER_AGENT "quic" "user_agent" Text one;
    55 QUIC_ECH "quic" "ech" Number one;
    56 TLS_SUBJECT "tls" "subject" Text one;
    57 TLS_ISSUER "tls" "issuer" Text one;
    58 TLS_NOT_BEFORE "tls" "not_before" Number one;
    59 TLS_NOT_AFTER "tls" "not_after" Number one;
    60 TLS_CERT_SHA256 "tls" "cert_sha256" Hex one;
    61 TLS_CERT_SHA1 "tls" "cert_sha1" Hex one;
    62 TLS_SAN "tls" "san" Text many;
    63 DTLS_SUBJECT "dtls" "subject" Text one;
    64 DTLS_ISSUER "dtls" "issuer" Text one;
    65 DTLS_NOT_BEFORE "dtls" "not_before" Number one;
    66 DTLS_NOT_AFTER "dtls" "not_after" Number one;
    67 DTLS_CERT_SHA256 "dtls" "cert_sha256" Hex one;
    68 DTLS_CERT_SHA1 "dtls" "cert_sha1" Hex one;
    69 DTLS_SAN "dtls" "san" Text many;
    70 TLS_ALPN_CHOSEN "tls" "alpn_chosen" Text one;
    73 HTTP_REFERER "http" "referer" Text one;
    74 HTTP_LENGTH "http" "content_length" Number one;
    75 HTTP_AUTH "http" "auth" Text one;
    76 HTTP_USER "http" "user" Text one;
    77 HTTP_FILE_NAME "http" "file_name" Text one;

    // 100–299: naming, discovery, network control (family `network`).
    100 DNS_NAME "dns" "name" Text one;
    101 DNS_TYPE "dns" "type" Number one;
    102 DNS_RCODE "dns" "rcode" Number one;
    103 DNS_ANSWER "dns" "answers" Address many;
    104 DNS_CNAME "dns" "cname" Text many;
    105 DNS_EDNS_SIZE "dns" "edns_size" Number one;
    110 DHCP_HOST_NAME "dhcp" "hostname" Text one;
    111 DHCP_CLASS "dhcp" "class" Text one;
    112 DHCP_FINGERPRINT "dhcp" "fingerprint" Hex one;
    113 DHCP_MESSAGE "dhcp" "message" Number one;
    114 DHCP_CLIENT_MAC "dhcp" "mac" Hex one;
    115 DHCP_ADDRESS "dhcp" "address" Address one;
    117 DHCPV6_MESSAGE "dhcpv6" "message" Number one;
    118 DHCPV6_HOST_NAME "dhcpv6" "hostname" Text one;
    119 DHCPV6_CLASS "dhcpv6" "class" Text one;
    120 DHCPV6_FINGERPRINT "dhcpv6" "fingerprint" Hex one;
    121 DHCPV6_DUID "dhcpv6" "duid" Hex one;
    124 NTP_VERSION "ntp" "version" Number one;
    125 NTP_MODE "ntp" "mode" Number one;
    126 NTP_STRATUM "ntp" "stratum" Number one;
    128 SNMP_VERSION "snmp" "version" Text one;
    129 SNMP_PDU "snmp" "pdu" Text one;
    132 SYSLOG_FACILITY "syslog" "facility" Number one;
    133 SYSLOG_SEVERITY "syslog" "severity" Number one;
    134 SYSLOG_HOST "syslog" "host" Text one;
    135 SYSLOG_PROGRAM "syslog" "program" Text one;
    138 RADIUS_CODE "radius" "code" Number one;
    139 RADIUS_USER "radius" "user" Text one;
    140 RADIUS_NAS "radius" "nas" Text one;
    141 RADIUS_NAS_ADDRESS "radius" "nas_address" Address one;
    142 RADIUS_STATION "radius" "station" Text one;
    143 RADIUS_REPLY "radius" "reply" Number one;
    145 TFTP_OPERATION "tftp" "operation" Text one;
    146 TFTP_FILE "tftp" "file" Text one;
    147 TFTP_MODE "tftp" "mode" Text one;
    150 BGP_MESSAGE "bgp" "message" Number one;
    151 BGP_AS "bgp" "as" Number one;
    152 BGP_HOLD_TIME "bgp" "hold_time_s" Number one;
    153 BGP_ID "bgp" "id" Address one;
    154 BGP_PEER_AS "bgp" "peer_as" Number one;
    155 BGP_PEER_ID "bgp" "peer_id" Address one;
    156 SMB_VERSION "smb" "version" Text one;
    157 SMB_DIALECT "smb" "dialect" Text one;
    158 SMB_COMMAND "smb" "command" Number one;
    160 KERBEROS_MESSAGE "kerberos" "message" Text one;
    161 KERBEROS_REALM "kerberos" "realm" Text one;
    162 KERBEROS_CLIENT "kerberos" "client" Text one;
    163 KERBEROS_SERVICE "kerberos" "service" Text one;
    164 KERBEROS_ERROR "kerberos" "error" Number one;
    166 LDAP_OPERATION "ldap" "operation" Text one;
    167 LDAP_VERSION "ldap" "version" Number one;
    168 LDAP_BIND_DN "ldap" "bind_dn" Text one;
    169 LDAP_BASE "ldap" "base" Text one;
    170 LDAP_RESULT "ldap" "result" Number one;
    172 RDP_COOKIE "rdp" "cookie" Text one;
    173 RDP_REQUESTED "rdp" "requested" Number one;
    174 RDP_SELECTED "rdp" "selected" Number one;
    176 NETBIOS_NAME "netbios" "name" Text one;
    177 NETBIOS_KIND "netbios" "kind" Number one;
    178 NETBIOS_SOURCE "netbios" "source" Text one;
    180 SSDP_METHOD "ssdp" "method" Text one;
    181 SSDP_TARGET "ssdp" "target" Text one;
    182 SSDP_AGENT "ssdp" "agent" Text one;
    183 SSDP_LOCATION "ssdp" "location" Text one;
    186 RPC_PROGRAM "rpc" "program" Number one;
    187 RPC_VERSION "rpc" "version" Number one;
    188 RPC_PROCEDURE "rpc" "procedure" Number one;
    190 DCERPC_INTERFACE "dcerpc" "interface" Hex one;
    192 SLP_SERVICE "slp" "service" Text one;
    194 COAP_CODE "coap" "code" Number one;
    195 COAP_HOST "coap" "host" Text one;
    196 COAP_PATH "coap" "path" Text many;
    198 NETFLOW_VERSION "netflow" "version" Number one;
    200 DIAMETER_COMMAND "diameter" "command" Number one;
    201 DIAMETER_ORIGIN "diameter" "origin" Text one;
    202 DIAMETER_REALM "diameter" "realm" Text one;
    205 WHOIS_QUERY "whois" "query" Text one;
    208 MODBUS_UNIT "modbus" "unit" Number one;
    209 MODBUS_FUNCTION "modbus" "function" Number one;
    212 OPC_UA_URL "opc_ua" "url" Text one;
    213 DNS_ANSWER_COUNT "dns" "answer_count" Number one;
    214 DNS_TTL "dns" "ttl_s" Number one;
    215 DNS_LATENCY "dns" "latency_us" Number one;
    216 SMB_TREE "smb" "tree" Text many;
    217 NTLM_USER "ntlm" "user" Text one;
    218 NTLM_DOMAIN "ntlm" "domain" Text one;
    219 NTLM_WORKSTATION "ntlm" "workstation" Text one;
    220 NTLM_TARGET "ntlm" "target" Text one;
    221 NTLM_HOST "ntlm" "host" Text one;

    // 300–499: remote access, mail, files, databases, messaging, voice, VPN, P2P
    // (family `session`).
    300 SSH_CLIENT "ssh" "client" Text one;
    301 SSH_SERVER "ssh" "server" Text one;
    310 FTP_SERVER "ftp" "server" Text one;
    311 FTP_USER "ftp" "user" Text one;
    315 SMTP_SERVER "smtp" "server" Text one;
    316 SMTP_HELO "smtp" "helo" Text one;
    317 SMTP_FROM_DOMAIN "smtp" "from_domain" Text one;
    318 SMTP_STARTTLS "smtp" "starttls" Number one;
    320 IMAP_SERVER "imap" "server" Text one;
    321 IMAP_USER "imap" "user" Text one;
    322 IMAP_STARTTLS "imap" "starttls" Number one;
    325 POP3_SERVER "pop3" "server" Text one;
    326 POP3_USER "pop3" "user" Text one;
    327 POP3_STARTTLS "pop3" "starttls" Number one;
    330 NNTP_SERVER "nntp" "server" Text one;
    333 IRC_SERVER "irc" "server" Text one;
    334 IRC_NICK "irc" "nick" Text one;
    336 XMPP_DOMAIN "xmpp" "domain" Text one;
    338 RSYNC_VERSION "rsync" "version" Text one;
    339 VNC_VERSION "vnc" "version" Text one;
    340 MYSQL_VERSION "mysql" "version" Text one;
    341 MYSQL_USER "mysql" "user" Text one;
    342 MYSQL_DATABASE "mysql" "database" Text one;
    345 POSTGRESQL_USER "postgresql" "user" Text one;
    346 POSTGRESQL_DATABASE "postgresql" "database" Text one;
    347 POSTGRESQL_APPLICATION "postgresql" "application" Text one;
    348 POSTGRESQL_VERSION "postgresql" "version" Text one;
    350 REDIS_COMMAND "redis" "command" Text one;
    352 MEMCACHED_COMMAND "memcached" "command" Text one;
    355 MONGODB_COLLECTION "mongodb" "collection" Text one;
    357 TDS_SERVER_VERSION "tds" "version" Text one;
    359 GIT_REPOSITORY "git" "repository" Text one;
    360 MQTT_CLIENT_ID "mqtt" "client_id" Text one;
    361 MQTT_VERSION "mqtt" "version" Number one;
    362 MQTT_USER "mqtt" "user" Text one;
    365 KAFKA_CLIENT_ID "kafka" "client_id" Text one;
    367 NATS_SERVER "nats" "server" Text one;
    370 SIP_METHOD "sip" "method" Text one;
    371 SIP_FROM "sip" "from" Text one;
    372 SIP_TO "sip" "to" Text one;
    373 SIP_AGENT "sip" "agent" Text one;
    374 SIP_STATUS "sip" "status" Number one;
    380 RTP_PAYLOAD_TYPE "rtp" "payload_type" Number one;
    381 RTP_SSRC "rtp" "ssrc" Number one;
    385 STUN_SOFTWARE "stun" "software" Text one;
    386 STUN_REALM "stun" "realm" Text one;
    387 STUN_PEER "stun" "peer" Address many;
    388 STUN_MAPPED "stun" "mapped" Address one;
    390 RTSP_METHOD "rtsp" "method" Text one;
    391 RTSP_URL "rtsp" "url" Text one;
    392 RTSP_AGENT "rtsp" "agent" Text one;
    393 RTSP_STATUS "rtsp" "status" Number one;
    400 BITTORRENT_INFO_HASH "bittorrent" "info_hash" Hex one;
    401 BITTORRENT_CLIENT "bittorrent" "client" Text one;
    405 BITCOIN_AGENT "bitcoin" "agent" Text one;
    406 STRATUM_AGENT "stratum" "agent" Text one;
    407 GNUTELLA_AGENT "gnutella" "agent" Text one;
    410 GAME_SERVER "game" "server" Text one;
    411 SSH_HASSH "ssh" "hassh" Hex one;
    412 SSH_HASSH_SERVER "ssh" "hassh_server" Hex one;
    413 SSH_KEY_EXCHANGE "ssh" "key_exchange" Text one;
    414 SSH_HOST_KEY "ssh" "host_key" Text one;
    420 SIP_CALL_ID "sip" "call_id" Text one;
    421 RTP_JITTER "rtp" "jitter_us" Number one;
    422 RTP_LOST "rtp" "lost" Number one;

    // 550–599: data stores, storage, small services (family `infra`).
    550 CLICKHOUSE_CLIENT "clickhouse" "client" Text one;
    551 TARANTOOL_VERSION "tarantool" "version" Text one;
    552 ISCSI_INITIATOR "iscsi" "initiator" Text one;
    553 SVN_URL "svn" "url" Text one;
    554 DICOM_CALLED "dicom" "called" Text one;
    555 DICOM_CALLING "dicom" "calling" Text one;
    556 FINGER_USER "finger" "user" Text one;
    557 GOPHER_SELECTOR "gopher" "selector" Text one;
    558 RPC_ASKED "rpc" "asked" Number one;
    559 BITTORRENT_TRACKER "bittorrent" "tracker" Number one;
}

/// The attribute with this id, if there is one.
pub fn describe(id: u16) -> Option<&'static Attr> {
    let index = ATTRIBUTES.binary_search_by_key(&id, |attr| attr.id).ok()?;
    ATTRIBUTES.get(index)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fmt::Write;

    /// `docs/METADATA.md`, made from the table.
    fn page() -> String {
        let mut page = String::from(
            "# Metadata\n\nWhat inspection finds in a flow beside its name. In JSON an attribute stands as `key` in the \
             object\n`group`, those of the group `flow` beside the flow's other fields; filters and columns call it\n\
             `group.key` or, of the group `flow`, `key`. In shared memory it is `[id u16][length u16][bytes]`, little\n\
             endian, repeated ([SHM_FORMAT.md](SHM_FORMAT.md)). Values are cut to 255 bytes, a flow's attributes to\n768 \
             bytes in all; what did not fit is counted (`metadata_lost`). Passwords are never kept.\n\n\
             This page is made from `dpi/src/attr.rs`.\n\n| id | attribute | kind | times |\n| ---: | --- | --- | --- |\n",
        );
        for Attr { id, group, key, kind, many } in ATTRIBUTES {
            let times = if *many { "any" } else { "once" };
            writeln!(page, "| {id} | `{group}.{key}` | {} | {times} |", kind.meaning()).unwrap();
        }
        page
    }

    #[test]
    fn the_page_is_committed() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/METADATA.md");
        if std::env::var_os("WEIR_WRITE_DOCS").is_some() {
            std::fs::write(path, page()).unwrap();
        }
        assert!(
            std::fs::read_to_string(path).unwrap_or_default() == page(),
            "run WEIR_WRITE_DOCS=1 cargo test -p weir-dpi the_page_is_committed"
        );
    }

    #[test]
    fn ids_ascend_and_places_in_json_are_unique() {
        let mut places: Vec<_> = ATTRIBUTES.iter().map(|attr| (attr.group, attr.key)).collect();
        for pair in ATTRIBUTES.windows(2) {
            assert!(pair[0].id < pair[1].id, "{} before {}", pair[0].id, pair[1].id);
        }
        places.sort_unstable();
        for pair in places.windows(2) {
            assert_ne!(pair[0], pair[1]);
        }
    }
}
