//! Naming, discovery, management, file sharing and routing: the protocols of the local network.

mod aaa;
mod bgp;
mod coap;
mod dcerpc;
mod dhcp;
mod dhcpv6;
mod dns;
mod dns_name;
mod dnscrypt;
mod flow_export;
mod gateway;
mod industrial;
mod kerberos;
mod ldap;
mod manage;
mod mobile;
mod netbios;
mod ntp;
mod radius;
mod rdp;
mod routing;
mod rpc;
mod slp;
mod smb;
mod smb_session;
mod snmp;
mod ssdp;
mod syslog;
#[cfg(test)]
mod tests;
mod tftp;
mod vendor;

use industrial::{building, cip, lab, modbus, opc_ua, telecontrol, tpkt};

use crate::app::AppId;
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
    rpc::RPC_UDP,
    rpc::RPC_TCP,
    dcerpc::DCERPC_TCP,
    dcerpc::DCERPC_UDP,
    slp::SLP,
    gateway::NAT_PMP,
    gateway::TEREDO,
    gateway::CAPWAP,
    coap::COAP,
    routing::BFD,
    routing::HSRP,
    routing::RIP,
    routing::LDP,
    routing::LISP,
    routing::DLEP,
    routing::OPENFLOW,
    flow_export::NETFLOW,
    flow_export::SFLOW,
    aaa::DIAMETER,
    aaa::TACACS,
    mobile::GTP_C,
    mobile::GTP_U,
    mobile::GTP_PRIME,
    mobile::PFCP,
    dnscrypt::DNSCRYPT,
    manage::RMCP,
    manage::WSD,
    manage::WHOIS,
    manage::PTP,
    manage::XDMCP,
    manage::CHECKMK,
    manage::RIPE_ATLAS,
    vendor::UBNTAC2,
    vendor::BJNP,
    vendor::MERAKI,
    vendor::CPHA,
    vendor::OICQ,
    vendor::HP_VIRTGRP,
    vendor::NEST_LOG_SINK,
    vendor::ALICLOUD,
    vendor::RX,
    vendor::AFP,
    vendor::LUSTRE,
    vendor::CORBA,
    vendor::Z3950,
    vendor::FLUTE,
    vendor::UFTP,
    modbus::MODBUS,
    telecontrol::DNP3,
    telecontrol::IEC104,
    telecontrol::C37118,
    telecontrol::DLMS,
    telecontrol::C1222,
    telecontrol::ATG,
    tpkt::S7COMM,
    building::BACNET,
    building::KNX,
    building::HART_IP,
    building::SOMEIP,
    building::EGD,
    building::ETHER_S_BUS,
    building::CNP_IP,
    opc_ua::OPC_UA,
    cip::ETHERNET_IP,
    cip::CIP,
    lab::HISLIP,
    lab::HL7,
    lab::RTPS,
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

/// The answer of those that only have to look: yes, no, or `None` where the bytes ended.
fn judged(view: &View<'_>, app: AppId, fits: Option<bool>) -> Outcome {
    match fits {
        Some(true) => Outcome::found(app),
        Some(false) => Outcome::NotMine,
        None => cut_short(view),
    }
}

/// An IPv4 address in its mapped form.
fn mapped(address: [u8; 4]) -> [u8; 16] {
    let [a, b, c, d] = address;
    [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, a, b, c, d]
}
