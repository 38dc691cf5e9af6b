//! Which hosts are local, which are this machine, and which are no host.

use weir_shm::hosts::HostKind;

use crate::flow::timeouts::Network;

/// No local network.
pub(crate) const OUTSIDE: u8 = u8::MAX;
/// Local networks that have a total of their own.
pub(crate) const NETWORKS: usize = 64;

/// Where an address lies.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Zone {
    /// What it is.
    pub kind: HostKind,
    /// The local network, the longest prefix first; 255 for none.
    pub network: u8,
}

/// The local networks and the machine's own addresses.
#[derive(Clone, Default, Debug)]
pub struct Places {
    networks: Vec<Network>,
    own: Vec<[u8; 16]>,
}

impl Places {
    /// Local are `networks`, of which the first 64 have totals, and `own` the machine's addresses.
    pub fn new(mut networks: Vec<Network>, mut own: Vec<[u8; 16]>) -> Places {
        networks.sort_by_key(|network| (std::cmp::Reverse(network.prefix()), network.address()));
        networks.dedup();
        networks.truncate(NETWORKS);
        own.sort_unstable();
        own.dedup();
        Places { networks, own }
    }

    /// The local networks, in the order of their numbers.
    pub fn networks(&self) -> &[Network] {
        &self.networks
    }

    /// Where this address (mapped form) lies.
    pub fn zone(&self, address: [u8; 16]) -> Zone {
        if is_group(address) {
            return Zone { kind: HostKind::Group, network: OUTSIDE };
        }
        let found = self.networks.iter().position(|network| network.contains(address));
        let network = found.and_then(|at| u8::try_from(at).ok()).unwrap_or(OUTSIDE);
        let kind = if self.own.binary_search(&address).is_ok() {
            HostKind::System
        } else if network == OUTSIDE {
            HostKind::Remote
        } else {
            HostKind::Local
        };
        Zone { kind, network }
    }
}

/// Multicast (RFC 5771, RFC 4291 2.7), limited broadcast (RFC 919), unspecified.
fn is_group(address: [u8; 16]) -> bool {
    match address {
        [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, rest @ ..] => {
            rest[0] & 0xf0 == 0xe0 || rest == [0xff; 4] || rest == [0; 4]
        }
        [0xff, ..] => true,
        _ => address == [0; 16],
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::IpAddr;

    fn bytes(text: &str) -> [u8; 16] {
        match text.parse().unwrap() {
            IpAddr::V4(v4) => v4.to_ipv6_mapped().octets(),
            IpAddr::V6(v6) => v6.octets(),
        }
    }

    #[test]
    fn hosts_are_told_apart() {
        let networks = ["10.0.0.0/8", "10.1.0.0/16", "fe80::/10"];
        let networks = networks.iter().map(|text| Network::parse(text).unwrap()).collect();
        let places = Places::new(networks, vec![bytes("10.0.0.1"), bytes("192.0.2.1")]);
        let kind = |text: &str| places.zone(bytes(text)).kind;
        assert_eq!(kind("10.0.0.1"), HostKind::System);
        assert_eq!(kind("192.0.2.1"), HostKind::System);
        assert_eq!(kind("10.0.0.2"), HostKind::Local);
        assert_eq!(kind("fe80::1"), HostKind::Local);
        assert_eq!(kind("8.8.8.8"), HostKind::Remote);
        for group in ["224.0.0.251", "255.255.255.255", "0.0.0.0", "ff02::fb", "::"] {
            assert_eq!(kind(group), HostKind::Group, "{group}");
        }
        let long = places.zone(bytes("10.1.2.3")).network;
        assert_eq!(places.networks()[usize::from(long)], Network::parse("10.1.0.0/16").unwrap());
    }
}
