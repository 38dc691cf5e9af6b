//! Where this machine's default routes lead, from the kernel's own tables.

/// Whether a default route leaves through `interface`, by the text of `/proc/net/route` and
/// `/proc/net/ipv6_route`.
pub(crate) fn default_leaves_by(interface: &str, v4: &str, v6: &str) -> bool {
    // Interface, destination, gateway, flags, two counts, metric, mask.
    let v4 = v4.lines().any(|line| {
        let mut words = line.split_whitespace();
        words.next() == Some(interface)
            && words.next() == Some("00000000")
            && words.nth(5).is_none_or(|mask| mask == "00000000")
    });
    // Destination, its prefix, and so on; the interface comes last. Routes of `lo` refuse.
    let v6 = v6.lines().any(|line| {
        let words: Vec<&str> = line.split_whitespace().collect();
        let everything = words.first().is_some_and(|to| to.bytes().all(|b| b == b'0'))
            && words.get(1) == Some(&"00");
        everything && words.last() == Some(&interface) && interface != "lo"
    });
    v4 || v6
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn default_routes_are_found_and_others_are_not() {
        let v4 = "Iface\tDestination\tGateway \tFlags\tRefCnt\tUse\tMetric\tMask\t\tMTU\n\
                  eth0\t00000000\t0100A8C0\t0003\t0\t0\t0\t00000000\t0\n\
                  eth1\t0000A8C0\t00000000\t0001\t0\t0\t0\t00FFFFFF\t0\n\
                  tun0\t00000000\t00000000\t0001\t0\t0\t0\t00000080\t0\n";
        assert!(default_leaves_by("eth0", v4, ""));
        assert!(!default_leaves_by("eth1", v4, "") && !default_leaves_by("tun0", v4, ""));
        let zeros = "0".repeat(32);
        let v6 = format!(
            "{zeros} 00 {zeros} 00 fe80 0400 1 0 3 eth0\n{zeros} 00 {zeros} 00 {zeros} f 1 0 2 lo\n"
        );
        assert!(default_leaves_by("eth0", "", &v6));
        assert!(!default_leaves_by("lo", "", &v6) && !default_leaves_by("eth1", "", &v6));
    }
}
