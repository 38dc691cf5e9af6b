//! Naming, discovery, management, file sharing and routing: the protocols of the local network.

mod ber;
mod bgp;
mod dhcp;
mod dhcpv6;
mod dns;
mod dns_name;
mod kerberos;
mod ldap;
mod netbios;
mod ntp;
mod radius;
mod rdp;
mod smb;
mod snmp;
mod ssdp;
mod syslog;
mod tftp;

use crate::view::{Dissector, Outcome, Transport, View};

/// The family's dissectors.
pub(crate) const DISSECTORS: &[Dissector] = &[
    dns::DNS,
    dns::MDNS,
    dns::LLMNR,
    netbios::NAME,
    netbios::DATAGRAM,
    smb::SMB,
    ssdp::SSDP,
    dhcp::DHCP,
    dhcpv6::DHCPV6,
    ntp::NTP,
    snmp::SNMP,
    syslog::SYSLOG,
    radius::RADIUS,
    tftp::TFTP,
    bgp::BGP,
    kerberos::KERBEROS,
    ldap::LDAP,
    rdp::RDP,
    rdp::RDP_UDP,
];

const TCP: &[Transport] = &[Transport::Tcp];
const UDP: &[Transport] = &[Transport::Udp];
const BOTH: &[Transport] = &[Transport::Tcp, Transport::Udp];

/// The answer where the bytes at hand ended too early: a stream may bring the rest, a datagram
/// cannot.
fn cut_short(view: &View<'_>) -> Outcome {
    match view.transport {
        Transport::Tcp => Outcome::NeedMore,
        Transport::Udp => Outcome::NotMine,
    }
}

/// An IPv4 address in its mapped form.
fn mapped(address: [u8; 4]) -> [u8; 16] {
    let [a, b, c, d] = address;
    [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, a, b, c, d]
}
