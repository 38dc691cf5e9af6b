//! The machine's own addresses, and the networks that its captured interfaces are in, as the kernel
//! lists them under `/proc/net`. What cannot be read is left out.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use crate::flow::timeouts::Network;

/// Addresses of this machine, in mapped form.
pub fn addresses() -> Vec<[u8; 16]> {
    let read = |path| std::fs::read_to_string(path).unwrap_or_default();
    let mut all = local_v4(&read("/proc/net/fib_trie"));
    all.extend(rows_v6(&read("/proc/net/if_inet6")).map(|(address, ..)| address.octets()));
    all
}

/// Networks that these interfaces are in.
pub fn networks(interfaces: &[&str]) -> Vec<Network> {
    let read = |path| std::fs::read_to_string(path).unwrap_or_default();
    let mut all = routes_v4(&read("/proc/net/route"), interfaces);
    let addresses = read("/proc/net/if_inet6");
    let of_them = rows_v6(&addresses).filter(|(.., name)| interfaces.contains(name));
    all.extend(of_them.filter_map(|(address, prefix, _)| Network::new(address.into(), prefix)));
    all
}

/// In `fib_trie`, an address of the machine stands on the line before `/32 host LOCAL`.
fn local_v4(text: &str) -> Vec<[u8; 16]> {
    let lines: Vec<&str> = text.lines().map(str::trim).collect();
    let is_local = |line: &str| line.starts_with("/32 host LOCAL");
    let local = lines.windows(2).filter(|pair| is_local(pair[1]));
    let addresses = local.filter_map(|pair| pair[0].strip_prefix("|-- ")?.parse::<Ipv4Addr>().ok());
    addresses.map(|address| address.to_ipv6_mapped().octets()).collect()
}

/// Rows of `if_inet6`: address, index, prefix, scope, flags, name; numbers in hexadecimal.
fn rows_v6(text: &str) -> impl Iterator<Item = (Ipv6Addr, u8, &str)> {
    text.lines().filter_map(|line| {
        let mut words = line.split_whitespace();
        let address = u128::from_str_radix(words.next()?, 16).ok()?;
        let prefix = u8::from_str_radix(words.nth(1)?, 16).ok()?;
        Some((Ipv6Addr::from(address), prefix, words.nth(2)?))
    })
}

/// Routes without a gateway, in `route`: interface, destination, gateway, flags, three numbers, mask;
/// addresses as the machine keeps them, in hexadecimal.
fn routes_v4(text: &str, interfaces: &[&str]) -> Vec<Network> {
    let row = |line: &str| {
        let words: Vec<&str> = line.split_whitespace().collect();
        let number = |at: usize| u32::from_str_radix(words.get(at)?, 16).ok();
        let (destination, gateway, mask) = (number(1)?, number(2)?, number(7)?);
        let is_theirs = words.first().is_some_and(|name| interfaces.contains(name));
        let address = IpAddr::from(destination.to_ne_bytes());
        let prefix = u8::try_from(mask.count_ones()).ok().filter(|prefix| *prefix > 0)?;
        (is_theirs && gateway == 0).then(|| Network::new(address, prefix))?
    };
    text.lines().skip(1).filter_map(row).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_lists_of_the_kernel_are_read() {
        let trie = "Main:\n  +-- 0.0.0.0/0 3 0 5\n     |-- 127.0.0.1\n        /32 host LOCAL\n     \
            |-- 192.0.2.0\n        /24 link UNICAST\n     |-- 192.0.2.7\n        /32 host LOCAL\n";
        let wanted = ["127.0.0.1", "192.0.2.7"].map(|text| text.parse::<Ipv4Addr>().unwrap());
        assert_eq!(local_v4(trie), wanted.map(|address| address.to_ipv6_mapped().octets()));
        let inet6 = "fe80000000000000021122fffe334455 02 40 20 80     eth0\n";
        let rows: Vec<_> = rows_v6(inet6).collect();
        assert_eq!(rows, [("fe80::211:22ff:fe33:4455".parse().unwrap(), 64, "eth0")]);
        let route = "Iface\tDestination\tGateway\tFlags\tRefCnt\tUse\tMetric\tMask\n\
            eth0\t00000000\t010200C0\t0003\t0\t0\t0\t00000000\n\
            eth0\t000200C0\t00000000\t0001\t0\t0\t0\t00FFFFFF\n\
            eth1\t000300C0\t00000000\t0001\t0\t0\t0\t00FFFFFF\n";
        assert_eq!(routes_v4(route, &["eth0"]), [Network::parse("192.0.2.0/24").unwrap()]);
        assert!(routes_v4("nonsense\nx y z\n", &["x"]).is_empty());
    }
}
