//! When a flow ends, and when it is reported on the way.

use std::net::IpAddr;

/// Nanoseconds of a second.
const SECOND_NS: u64 = 1_000_000_000;
/// A flow is looked at this often at least, so that one that was closed leaves soon.
pub(crate) const LOOK_NS: u64 = 15 * SECOND_NS;

/// The timeouts of a run.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Timeouts {
    /// Silence after which a flow ends.
    pub idle_ns: u64,
    /// The same for flows with both ends in one of the `local` networks.
    pub local_idle_ns: u64,
    /// A flow that goes on is reported this often.
    pub active_ns: u64,
    /// Silence after which a TCP flow that was closed (FIN both ways, or RST) ends.
    pub closed_ns: u64,
    /// Local networks.
    pub local: Vec<Network>,
}

/// A network: an address in mapped form and the number of its leading bits that count.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Network {
    bits: u128,
    prefix: u8,
}

impl Default for Timeouts {
    fn default() -> Timeouts {
        Timeouts {
            idle_ns: 60 * SECOND_NS,
            local_idle_ns: 300 * SECOND_NS,
            active_ns: 120 * SECOND_NS,
            closed_ns: 10 * SECOND_NS,
            local: Vec::new(),
        }
    }
}

impl Timeouts {
    /// Whether `address` (mapped form) lies in a local network.
    pub fn is_local(&self, address: [u8; 16]) -> bool {
        self.local.iter().any(|network| network.contains(address))
    }
}

impl Network {
    /// The network of `address` with `prefix` leading bits (32 at most for IPv4, 128 for IPv6).
    pub fn new(address: IpAddr, prefix: u8) -> Option<Network> {
        let (bits, prefix, most) = match address {
            IpAddr::V4(v4) => (u128::from(v4.to_ipv6_mapped()), prefix.checked_add(96)?, 128),
            IpAddr::V6(v6) => (u128::from(v6), prefix, 128),
        };
        (prefix <= most).then(|| Network { bits: bits & mask(prefix), prefix })
    }

    /// Parses `10.0.0.0/8`, `fe80::/10`, or a single address.
    pub fn parse(text: &str) -> Option<Network> {
        let (address, prefix) = text.split_once('/').map_or((text, None), |(a, p)| (a, Some(p)));
        let address: IpAddr = address.trim().parse().ok()?;
        let whole = if address.is_ipv4() { 32 } else { 128 };
        let prefix = prefix.map_or(Some(whole), |prefix| prefix.trim().parse().ok())?;
        Network::new(address, prefix)
    }

    /// Its address, in mapped form.
    pub const fn address(&self) -> [u8; 16] {
        self.bits.to_be_bytes()
    }

    /// How many leading bits of the mapped form count.
    pub const fn prefix(&self) -> u8 {
        self.prefix
    }

    /// Whether `address` (mapped form) lies in it.
    pub fn contains(&self, address: [u8; 16]) -> bool {
        u128::from_be_bytes(address) & mask(self.prefix) == self.bits
    }
}

const fn mask(prefix: u8) -> u128 {
    if prefix == 0 { 0 } else { u128::MAX << (128 - prefix) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::Ipv4Addr;

    fn mapped(a: u8, b: u8, c: u8, d: u8) -> [u8; 16] {
        Ipv4Addr::new(a, b, c, d).to_ipv6_mapped().octets()
    }

    #[test]
    fn networks_hold_what_they_should() {
        let ten = Network::parse("10.0.0.0/8").unwrap();
        assert!(ten.contains(mapped(10, 255, 0, 1)));
        assert!(!ten.contains(mapped(11, 0, 0, 1)));
        let all = Network::parse("0.0.0.0/0").unwrap();
        assert!(all.contains(mapped(1, 2, 3, 4)));
        assert!(!all.contains([0x20; 16]), "0.0.0.0/0 is IPv4 only");
        assert!(Network::parse("fe80::/10").is_some());
        for wrong in ["10.0.0.0/33", "fe80::/129", "x", "1.2.3.4/"] {
            assert_eq!(Network::parse(wrong), None, "{wrong}");
        }
    }
}
