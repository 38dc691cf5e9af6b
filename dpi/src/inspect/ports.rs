//! What a port alone suggests. A guess, always marked as one.
//!
//! From the service names and port numbers that IANA registers, and the protocols' own documents.

use crate::app::AppId;
use crate::view::Transport;

/// Over which transports a row holds.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Over {
    Tcp,
    Udp,
    Both,
}

use Over::{Both, Tcp, Udp};

/// Ascending by port.
const ROWS: &[(u16, Over, AppId)] = &[
    (20, Tcp, AppId::FTP_DATA),
    (21, Tcp, AppId::FTP_CONTROL),
    (22, Tcp, AppId::SSH),
    (23, Tcp, AppId::TELNET),
    (25, Tcp, AppId::SMTP),
    (43, Tcp, AppId::WHOIS),
    (49, Both, AppId::TACACS),
    (53, Both, AppId::DNS),
    (67, Udp, AppId::DHCP),
    (68, Udp, AppId::DHCP),
    (69, Udp, AppId::TFTP),
    (80, Tcp, AppId::HTTP),
    (88, Both, AppId::KERBEROS),
    (110, Tcp, AppId::POP3),
    (111, Both, AppId::RPC),
    (119, Tcp, AppId::NNTP),
    (123, Udp, AppId::NTP),
    (135, Tcp, AppId::DCERPC),
    (137, Both, AppId::NETBIOS),
    (138, Udp, AppId::NETBIOS),
    (139, Tcp, AppId::NETBIOS),
    (143, Tcp, AppId::IMAP),
    (161, Udp, AppId::SNMP),
    (162, Udp, AppId::SNMP),
    (179, Tcp, AppId::BGP),
    (194, Tcp, AppId::IRC),
    (319, Udp, AppId::PTP),
    (320, Udp, AppId::PTP),
    (389, Both, AppId::LDAP),
    (427, Both, AppId::SLP),
    (443, Tcp, AppId::TLS),
    (443, Udp, AppId::QUIC),
    (445, Tcp, AppId::SMB),
    (464, Both, AppId::KERBEROS),
    (465, Tcp, AppId::SMTP),
    (500, Udp, AppId::IKE),
    (502, Tcp, AppId::MODBUS),
    (514, Tcp, AppId::RSH),
    (514, Udp, AppId::SYSLOG),
    (520, Udp, AppId::RIP),
    (546, Udp, AppId::DHCPV6),
    (547, Udp, AppId::DHCPV6),
    (554, Tcp, AppId::RTSP),
    (563, Tcp, AppId::NNTP),
    (587, Tcp, AppId::SMTP),
    (623, Udp, AppId::RMCP),
    (636, Tcp, AppId::LDAP),
    (646, Both, AppId::LDP),
    (853, Tcp, AppId::DOT),
    (853, Udp, AppId::DOQ),
    (873, Tcp, AppId::RSYNC),
    (989, Tcp, AppId::FTP_DATA),
    (990, Tcp, AppId::FTP_CONTROL),
    (993, Tcp, AppId::IMAP),
    (995, Tcp, AppId::POP3),
    (1080, Tcp, AppId::SOCKS),
    (1194, Both, AppId::OPENVPN),
    (1433, Tcp, AppId::TDS),
    (1434, Udp, AppId::TDS),
    (1494, Tcp, AppId::CITRIX),
    (1521, Tcp, AppId::ORACLE),
    (1701, Udp, AppId::L2TP),
    (1719, Udp, AppId::H323),
    (1720, Tcp, AppId::H323),
    (1723, Tcp, AppId::PPTP),
    (1812, Udp, AppId::RADIUS),
    (1813, Udp, AppId::RADIUS),
    (1883, Tcp, AppId::MQTT),
    (1900, Udp, AppId::SSDP),
    (1935, Tcp, AppId::RTMP),
    (1985, Udp, AppId::HSRP),
    (2000, Tcp, AppId::SKINNY),
    (2049, Both, AppId::NFS),
    (2055, Udp, AppId::NETFLOW),
    (2123, Udp, AppId::GTP_C),
    (2152, Udp, AppId::GTP_U),
    (2404, Tcp, AppId::IEC60870),
    (2427, Udp, AppId::MGCP),
    (2598, Tcp, AppId::CITRIX),
    (3268, Tcp, AppId::LDAP),
    (3306, Tcp, AppId::MYSQL),
    (3389, Both, AppId::RDP),
    (3478, Both, AppId::STUN),
    (3544, Udp, AppId::TEREDO),
    (3702, Udp, AppId::WSD),
    (3784, Udp, AppId::BFD),
    (3868, Tcp, AppId::DIAMETER),
    (4341, Udp, AppId::LISP),
    (4342, Udp, AppId::LISP),
    (4500, Udp, AppId::IKE),
    (4569, Udp, AppId::IAX),
    (4789, Udp, AppId::VXLAN),
    (4840, Tcp, AppId::OPC_UA),
    (5060, Both, AppId::SIP),
    (5061, Tcp, AppId::SIP),
    (5222, Tcp, AppId::XMPP),
    (5246, Udp, AppId::CAPWAP),
    (5247, Udp, AppId::CAPWAP),
    (5269, Tcp, AppId::XMPP),
    (5351, Udp, AppId::NAT_PMP),
    (5353, Udp, AppId::MDNS),
    (5355, Udp, AppId::LLMNR),
    (5432, Tcp, AppId::POSTGRESQL),
    (5671, Tcp, AppId::AMQP),
    (5672, Tcp, AppId::AMQP),
    (5683, Udp, AppId::COAP),
    (5900, Tcp, AppId::VNC),
    (5938, Both, AppId::TEAMVIEWER),
    (6000, Tcp, AppId::X11),
    (6081, Udp, AppId::GENEVE),
    (6343, Udp, AppId::SFLOW),
    (6379, Tcp, AppId::REDIS),
    (6667, Tcp, AppId::IRC),
    (6881, Both, AppId::BITTORRENT),
    (7070, Tcp, AppId::ANYDESK),
    (8080, Tcp, AppId::HTTP),
    (8333, Tcp, AppId::BITCOIN),
    (8805, Udp, AppId::PFCP),
    (9042, Tcp, AppId::CASSANDRA),
    (9092, Tcp, AppId::KAFKA),
    (9418, Tcp, AppId::GIT),
    (11211, Both, AppId::MEMCACHED),
    (20000, Tcp, AppId::DNP3),
    (27017, Tcp, AppId::MONGODB),
    (30303, Both, AppId::ETHEREUM),
    (44818, Both, AppId::ETHERNET_IP),
    (47808, Udp, AppId::BACNET),
    (51820, Udp, AppId::WIREGUARD),
];

/// The protocol registered for `port`, if it is in the table.
pub(super) fn guess(transport: Transport, port: u16) -> Option<AppId> {
    let start = ROWS.partition_point(|row| row.0 < port);
    let rows = ROWS.get(start..)?.iter().take_while(|row| row.0 == port);
    let other = if transport == Transport::Tcp { Udp } else { Tcp };
    rows.into_iter().find(|row| row.1 != other).map(|row| row.2)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_ascend_and_transports_are_told_apart() {
        for pair in ROWS.windows(2) {
            assert!(pair[0].0 <= pair[1].0, "{} stands after {}", pair[1].0, pair[0].0);
            let both = pair[0].1 == Both || pair[1].1 == Both || pair[0].1 == pair[1].1;
            assert!(!(pair[0].0 == pair[1].0 && both), "{} stands twice", pair[0].0);
        }
        assert_eq!(guess(Transport::Tcp, 443), Some(AppId::TLS));
        assert_eq!(guess(Transport::Udp, 443), Some(AppId::QUIC));
        assert_eq!(guess(Transport::Udp, 22), None);
        assert_eq!(guess(Transport::Udp, 53), Some(AppId::DNS));
        assert_eq!(guess(Transport::Tcp, 65535), None);
    }
}
