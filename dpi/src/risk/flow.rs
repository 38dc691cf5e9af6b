//! What a flow shows as a whole: the protocol held against the ports, what the protocol is, how
//! the connection went, and how its bytes are spread.
//!
//! [`judge_name`] is for the name that inspection ends with, [`judge_first_payload`] for flows
//! that have none, [`judge_flags`] for each TCP segment, and [`judge_course`] for the end.

use super::{Risk, Risks};
use crate::app::{self, AppId, Category};
use crate::attr::{self, Attr};
use crate::inspect::{Confidence, Verdict};
use crate::meta;
use crate::view::{Endpoint, Transport};

/// The ports of protocols of which everybody knows them. Those that agree on ports as they go (media,
/// peer to peer, games) have none, and neither do those without a registered one.
const fn known_ports(protocol: AppId) -> Option<&'static [u16]> {
    Some(match protocol {
        AppId::HTTP => {
            &[80, 8080, 8000, 8008, 8081, 8888, 3128, 591, 631, 1900, 2869, 5357, 5985, 8880]
        }
        AppId::HTTP_PROXY => &[80, 8080, 3128, 8000, 8008, 8888, 8118],
        AppId::HTTP_CONNECT => &[80, 443, 8080, 3128, 8000, 8008, 8888, 8118],
        AppId::TLS => &[
            443, 8443, 465, 563, 587, 636, 853, 989, 990, 992, 993, 994, 995, 3269, 3389, 4433,
            5061, 5223, 5228, 5349, 5671, 5986, 6514, 6697, 8883, 9443,
        ],
        AppId::QUIC => &[443, 80, 784, 853, 4433, 8443, 8853],
        AppId::SSH => &[22],
        AppId::TELNET => &[23, 992, 2323],
        AppId::DNS => &[53],
        AppId::MDNS => &[5353],
        AppId::FTP_CONTROL => &[21, 990],
        AppId::SMTP => &[25, 465, 587, 2525],
        AppId::POP3 => &[110, 995],
        AppId::IMAP => &[143, 993],
        AppId::NNTP => &[119, 433, 563],
        AppId::IRC => {
            &[194, 6660, 6661, 6662, 6663, 6664, 6665, 6666, 6667, 6668, 6669, 6697, 7000]
        }
        AppId::XMPP => &[5222, 5223, 5269, 5270, 5280],
        AppId::RDP => &[3389],
        AppId::VNC => &[5500, 5800, 5900, 5901, 5902, 5903, 5904, 5905],
        AppId::SMB => &[137, 138, 139, 445],
        AppId::LDAP => &[389, 3268],
        AppId::KERBEROS => &[88, 464, 749],
        AppId::NTP => &[123],
        AppId::SNMP => &[161, 162],
        AppId::SYSLOG => &[514, 601],
        AppId::DHCP => &[67, 68, 4011],
        AppId::TFTP => &[69],
        AppId::RADIUS => &[1645, 1646, 1812, 1813, 3799],
        AppId::BGP => &[179],
        AppId::SIP => &[5060, 5061, 5080],
        AppId::RTSP => &[554, 322],
        AppId::MYSQL => &[3306, 33060],
        AppId::POSTGRESQL => &[5432],
        AppId::TDS => &[1433, 1434],
        AppId::ORACLE => &[1521, 1522, 1526, 2483],
        AppId::MONGODB => &[27017, 27018, 27019],
        AppId::REDIS => &[6379, 6380, 26379],
        AppId::MEMCACHED => &[11211],
        AppId::CASSANDRA => &[7000, 7001, 9042],
        AppId::MQTT => &[1883],
        AppId::AMQP => &[5671, 5672],
        AppId::MODBUS => &[502],
        AppId::DNP3 => &[19999, 20000],
        AppId::S7COMM => &[102],
        AppId::BACNET => &[47808],
        AppId::SOCKS => &[1080, 1081, 9050, 9150],
        AppId::OPENVPN => &[1194],
        AppId::WIREGUARD => &[51820],
        AppId::IKE => &[500, 4500],
        AppId::STUN => &[3478, 3479, 5349, 19302, 19305],
        AppId::RSYNC => &[873],
        AppId::GIT => &[9418],
        _ => return None,
    })
}

/// What belongs on a port that firewalls let through for one protocol.
const fn owners(port: u16) -> Option<&'static [AppId]> {
    Some(match port {
        21 => &[AppId::FTP_CONTROL, AppId::TLS, AppId::FTPS],
        22 => &[AppId::SSH],
        23 => &[AppId::TELNET],
        25 => &[AppId::SMTP, AppId::TLS, AppId::SMTPS],
        53 => &[AppId::DNS, AppId::DNSCRYPT, AppId::AVAST_SECURE_DNS, AppId::RIPE_ATLAS],
        80 => &[
            AppId::HTTP,
            AppId::HTTP2,
            AppId::HTTP_PROXY,
            AppId::HTTP_CONNECT,
            AppId::QUIC,
            AppId::FLUTE,
        ],
        110 => &[AppId::POP3, AppId::TLS, AppId::POP3S],
        123 => &[AppId::NTP],
        143 => &[AppId::IMAP, AppId::TLS, AppId::IMAPS],
        161 => &[AppId::SNMP],
        389 => &[AppId::LDAP, AppId::TLS, AppId::LDAPS],
        443 => &[AppId::TLS, AppId::SSTP, AppId::HTTP_CONNECT, AppId::DNSCRYPT],
        445 => &[AppId::SMB, AppId::NETBIOS],
        993 => &[AppId::TLS, AppId::IMAPS],
        995 => &[AppId::TLS, AppId::POP3S],
        3389 => &[AppId::RDP, AppId::TLS, AppId::DTLS],
        _ => return None,
    })
}

/// What the name of a flow shows, held against its ends and what was found in it: call it once
/// inspection has come to its end (later words may take the flow into TLS). `found` is its
/// metadata, encoded.
pub fn judge_name(
    verdict: Verdict,
    transport: Transport,
    client: Endpoint,
    server: Endpoint,
    found: &[u8],
) -> Risks {
    let certain = matches!(
        verdict.confidence,
        Confidence::Content
            | Confidence::HostName
            | Confidence::Certificate
            | Confidence::Behaviour
    );
    let protocol = verdict.master;
    let mut risks = judge_app(verdict);
    if certain {
        // Nearly always it is the server's that is known.
        let ports = [server.port, client.port];
        let odd = is_far_from_home(protocol, ports) && verdict.confidence != Confidence::Behaviour;
        risks = risks.or(Risks::when(Risk::NonStandardPort, odd));
        let foreign = is_foreign(protocol, transport, server.port);
        risks = risks.or(Risks::when(Risk::ForeignProtocol, foreign));
        risks = risks.or(Risks::when(Risk::UnsafeProtocol, is_unsafe(verdict, found)));
    }
    // Asking for the address of such a service is not sharing yet.
    let used = certain && protocol != AppId::DNS;
    let shares = [protocol, verdict.app]
        .into_iter()
        .any(|app| is_desktop(app) || (is_file_sharing(app) && crosses(client, server)));
    risks.or(Risks::when(Risk::DesktopOrFileSharing, used && shares))
}

/// Whether a protocol with ports of its own uses none of them.
fn is_far_from_home(protocol: AppId, ports: [u16; 2]) -> bool {
    known_ports(protocol).is_some_and(|known| !ports.iter().any(|port| known.contains(port)))
}

/// Whether the server's port belongs to other protocols.
fn is_foreign(protocol: AppId, transport: Transport, port: u16) -> bool {
    let Some(owners) = owners(port) else { return false };
    let over = match port {
        // Over UDP these are no one's but QUIC's, which calls between browsers share.
        443 | 80 if transport == Transport::Udp => {
            // DNSCrypt's servers are on it by custom.
            return !matches!(
                protocol,
                AppId::DNSCRYPT
                    | AppId::AVAST_SECURE_DNS
                    | AppId::QUIC
                    | AppId::DTLS
                    | AppId::STUN
                    | AppId::RTP
                    | AppId::RTCP
            );
        }
        53 | 123 | 161 | 389 | 3389 => true,
        _ => transport == Transport::Tcp,
    };
    over && !owners.contains(&protocol)
}

/// What an application is by itself, or the protocol that it rides on.
fn judge_app(verdict: Verdict) -> Risks {
    let Verdict { master, app, .. } = verdict;
    let vpn = app.0 >= app::FIRST_SERVICE && app::describe(app).category == Category::Vpn;
    judge_use(master).or(judge_use(app)).or(Risks::when(Risk::Anonymity, vpn))
}

fn judge_use(app: AppId) -> Risks {
    match app {
        AppId::STRATUM => Risks::of(Risk::Mining),
        AppId::PSIPHON | AppId::LANTERN => Risks::of(Risk::Obfuscated),
        AppId::TOR | AppId::CLOUDFLARE_WARP => Risks::of(Risk::Anonymity),
        _ => Risks::NONE,
    }
}

/// Protocols that carry everything in clear and have a successor, or bring files of strangers.
fn is_unsafe(verdict: Verdict, found: &[u8]) -> bool {
    let get =
        |attr: &Attr| meta::decode(found).find(|(id, _)| *id == attr.id).map(|(_, value)| value);
    match verdict.master {
        AppId::TELNET
        | AppId::RSH
        | AppId::FTP_CONTROL
        | AppId::TFTP
        | AppId::PPTP
        | AppId::XDMCP
        | AppId::IRC
        | AppId::GNUTELLA
        | AppId::EDONKEY => true,
        AppId::POP3 => get(&attr::POP3_STARTTLS).is_none(),
        AppId::IMAP => get(&attr::IMAP_STARTTLS).is_none(),
        AppId::SNMP => get(&attr::SNMP_VERSION).is_some_and(|version| version != b"3"),
        AppId::LDAP => get(&attr::LDAP_BIND_DN).is_some_and(|name| !name.is_empty()),
        AppId::SMB => get(&attr::SMB_VERSION) == Some(b"1"),
        _ => verdict.app == AppId::GNUTELLA,
    }
}

fn is_desktop(app: AppId) -> bool {
    matches!(
        app,
        AppId::RDP
            | AppId::VNC
            | AppId::X11
            | AppId::XDMCP
            | AppId::TEAMVIEWER
            | AppId::ANYDESK
            | AppId::RADMIN
            | AppId::NOMACHINE
            | AppId::CITRIX
    )
}

fn is_file_sharing(app: AppId) -> bool {
    matches!(app, AppId::SMB | AppId::AFP | AppId::NFS)
}

/// Whether one end has a public address.
fn crosses(client: Endpoint, server: Endpoint) -> bool {
    is_public(client.address) || is_public(server.address)
}

/// Whether an address is of the open internet: none of RFC 1918, 3927, 6598, 4193, 4291.
pub fn is_public(address: [u8; 16]) -> bool {
    match address {
        [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, a, b, _, _] => !matches!(
            (a, b),
            (0 | 10 | 127 | 224.., _) | (169, 254) | (192, 168) | (172, 16..=31) | (100, 64..=127)
        ),
        [0xfe, 0x80..=0xff, ..] | [0xfc | 0xfd | 0xff, ..] | [0, 0, 0, 0, 0, 0, 0, 0, ..] => false,
        _ => true,
    }
}

/// Whether many hosts are meant: multicast, or the broadcast of a network.
fn is_many(address: [u8; 16]) -> bool {
    match address {
        [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, a, _, _, d] => a >= 224 || d == 255,
        [0xff, ..] => true,
        _ => false,
    }
}

/// Bytes of a payload that are counted.
const COUNTED_BYTES: usize = 1400;
/// The least payload of which it can be told whether it is random.
const RANDOM_BYTES: usize = 32;

/// What the first payload of a flow shows of which nobody knows what it is.
pub fn judge_first_payload(payload: &[u8], transport: Transport) -> Risks {
    let encrypted = transport == Transport::Tcp && is_fully_encrypted(payload);
    Risks::when(Risk::FullyEncrypted, encrypted).or(judge_plain_data(payload))
}

/// What a payload shows that should be text or plain data: that of an echo, of an unknown flow.
pub fn judge_plain_data(payload: &[u8]) -> Risks {
    Risks::when(Risk::SuspiciousEntropy, is_random(payload))
}

/// Random from the first byte on, by the tests that were published of what is blocked for that
/// (Wu et al., "How the Great Firewall of China Detects and Blocks Fully Encrypted Traffic",
/// USENIX Security 2023, section 4): 3.4 to 4.6 of eight bits set, the first six bytes not all
/// printable, no more than half printable, and no twenty of those in a row.
pub fn is_fully_encrypted(payload: &[u8]) -> bool {
    let payload = payload.get(..COUNTED_BYTES).unwrap_or(payload);
    if payload.len() < RANDOM_BYTES {
        return false;
    }
    let head = payload.get(..6).unwrap_or_default();
    !head.iter().all(|byte| is_printable(*byte))
        && has_even_bits(payload)
        && payload.iter().filter(|byte| is_printable(**byte)).count() * 2 <= payload.len()
        && payload.split(|byte| !is_printable(*byte)).all(|run| run.len() <= 20)
        && distinct(payload) * 4 >= payload.len().min(128) * 3
}

const fn is_printable(byte: u8) -> bool {
    matches!(byte, 0x20..=0x7e)
}

/// Whether 3.4 to 4.6 bits of eight are set.
fn has_even_bits(bytes: &[u8]) -> bool {
    let (eights, rest) = bytes.as_chunks::<8>();
    let eights = eights.iter().map(|eight| u64::from_le_bytes(*eight).count_ones());
    let set: u32 = eights.chain(rest.iter().map(|byte| byte.count_ones())).sum();
    let set = usize::try_from(set).unwrap_or_default();
    set * 10 > bytes.len() * 34 && set * 10 < bytes.len() * 46
}

/// How many different bytes the first 128 are. Random ones are 101 on average; counters and
/// fields of a binary protocol are few.
fn distinct(payload: &[u8]) -> usize {
    let mut seen = [0_u64; 4];
    for byte in payload.iter().take(128) {
        if let Some(word) = seen.get_mut(usize::from(byte >> 6)) {
            *word |= 1 << (byte & 63);
        }
    }
    seen.iter().map(|word| usize::try_from(word.count_ones()).unwrap_or_default()).sum()
}

/// Whether bytes are spread as evenly as random ones: pairs of equal bytes are then one in 256,
/// and the counts deviate little from that (index of coincidence, Friedman 1922). At least 256
/// bytes are needed.
pub fn is_random(payload: &[u8]) -> bool {
    let payload = payload.get(..COUNTED_BYTES).unwrap_or(payload);
    let length = payload.len();
    if length < 256 {
        return false;
    }
    let mut counts = [0_u16; 256];
    for byte in payload {
        if let Some(count) = counts.get_mut(usize::from(*byte)) {
            *count += 1;
        }
    }
    let pairs: usize =
        counts.iter().map(|count| usize::from(*count)).map(|n| n * n.saturating_sub(1)).sum();
    // Twelve parts in ten of what is expected: four deviations at the least length.
    pairs * 256 * 10 <= length * (length - 1) * 12
}

/// TCP's flags, as in its header.
pub mod flag {
    /// No more data.
    pub const FIN: u8 = 1;
    /// Beginning.
    pub const SYN: u8 = 2;
    /// Refusal or abort.
    pub const RST: u8 = 4;
    /// Hand it on.
    pub const PSH: u8 = 8;
    /// The acknowledgment counts.
    pub const ACK: u8 = 16;
    /// The urgent pointer counts.
    pub const URG: u8 = 32;
}

/// What the flags of one segment show: those that no stack sends (RFC 9293 section 3.10.7), which
/// scanners use.
pub const fn judge_flags(flags: u8) -> Risks {
    use flag::{ACK, FIN, PSH, RST, SYN, URG};
    let flags = flags & (FIN | SYN | RST | PSH | ACK | URG);
    let odd = flags == 0
        || flags & (SYN | FIN) == SYN | FIN
        || flags & (SYN | RST) == SYN | RST
        || flags & (FIN | RST) == FIN | RST
        || flags & (SYN | URG) == SYN | URG
        || flags & (SYN | RST | ACK) == 0;
    Risks::when(Risk::TcpIssues, odd)
}

/// How a flow went, as its record says at its end; by direction, to the server first.
#[derive(Clone, Copy, Debug)]
pub struct Course {
    /// TCP or not.
    pub is_tcp: bool,
    /// Packets.
    pub packets: [u64; 2],
    /// Packets with payload.
    pub payloads: [u64; 2],
    /// All TCP flags that were seen.
    pub flags: [u8; 2],
    /// The server's address.
    pub server: [u8; 16],
    /// The name it ended with.
    pub verdict: Verdict,
}

/// What the course of a flow shows.
pub fn judge_course(course: &Course) -> Risks {
    let [to_server, to_client] = course.packets;
    let one_sided = (to_client == 0 && to_server > 0) || (to_server == 0 && to_client > 0);
    let alone = one_sided && !is_many(course.server) && !is_one_way(course.verdict.master);
    let mut risks = Risks::when(Risk::Unidirectional, alone);
    if course.is_tcp {
        risks = risks.or(judge_connection(course));
    }
    risks
}

fn judge_connection(course: &Course) -> Risks {
    use flag::{ACK, FIN, RST, SYN};
    let [client, server] = course.flags;
    let silent = course.payloads == [0, 0];
    let refused = client & SYN != 0 && server & RST != 0 && server & SYN == 0 && silent;
    let shook = client & SYN != 0 && server & SYN != 0 && server & ACK != 0;
    let ended = (client | server) & (FIN | RST) != 0;
    // A half-open scan resets what the server agreed to; a whole one ends it without a word.
    let [few, none] = course.payloads;
    let reset = few == 1 && none == 0 && client & RST != 0;
    Risks::when(Risk::TcpIssues, refused)
        .or(Risks::when(Risk::Probing, shook && ended && (silent || reset)))
}

/// Protocols that are not answered.
fn is_one_way(protocol: AppId) -> bool {
    matches!(
        protocol,
        AppId::SYSLOG
            | AppId::NETFLOW
            | AppId::SFLOW
            | AppId::MDNS
            | AppId::RTP
            | AppId::RTCP
            | AppId::FLUTE
            | AppId::IGMP
            | AppId::VRRP
            | AppId::OSPF
            | AppId::PIM
            | AppId::EIGRP
            | AppId::HSRP
            | AppId::RIP
    )
}

/// What a fragment of IP shows that belongs to a flow of `protocol`.
pub fn judge_fragment(protocol: AppId) -> Risks {
    Risks::when(Risk::DnsFragmented, matches!(protocol, AppId::DNS | AppId::DNSCRYPT))
}

#[cfg(test)]
#[path = "flow_tests.rs"]
mod tests;
