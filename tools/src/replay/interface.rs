//! The interface that is sent out of: what must hold before the first frame leaves.

use std::fs;

use af_xdp::netdev;
use anyhow::{Context, bail};

use super::traffic::{ETHERNET, synth::CHECK_BYTES};
use crate::exit::{Code, failure};
use crate::netlink::{self, Features, Sent};

/// An interface that is there and up.
#[derive(Clone, Debug)]
pub(crate) struct Interface {
    pub(crate) name: String,
    pub(crate) index: u32,
    /// Bytes of a frame at most, without its check sequence; a VLAN tag may come on top.
    pub(crate) frame_bytes: u32,
    pub(crate) features: Option<Features>,
}

impl Interface {
    /// Looks the interface up. One that carries a default route is refused, unless `anyway`: that
    /// is how this machine reaches others, and not a test bed.
    ///
    /// # Errors
    /// It is not there, not up, or not for this.
    pub(crate) fn find(name: &str, anyway: bool) -> anyhow::Result<Interface> {
        let refuse = |text: String| Err(failure(Code::Failed, text));
        let Ok(index) = netlink::index_of(name) else {
            return refuse(format!(
                "there is no interface {name}; `ip link` lists those of this network namespace"
            ));
        };
        if !netlink::is_up(index)? {
            return refuse(format!(
                "interface {name} is down; bring it up: `ip link set dev {name} up`"
            ));
        }
        if !anyway && carries_default_route(name) {
            return refuse(format!(
                "interface {name} carries a default route, so it leads to other people's networks; \
                 use one for tests, or say --anyway"
            ));
        }
        let mtu = netdev::mtu(name).context("cannot ask for the MTU")?;
        let frame_bytes = mtu.saturating_add(u32::try_from(ETHERNET).unwrap_or(0));
        let features = netlink::features(index).ok();
        Ok(Interface { name: name.to_owned(), index, frame_bytes, features })
    }

    /// That frames of so many bytes can leave.
    ///
    /// # Errors
    /// They cannot, and what would help.
    pub(crate) fn must_take(&self, bytes: u32, advice: &str) -> anyhow::Result<()> {
        /// Of a VLAN tag.
        const TAG: u32 = 4;
        if bytes > self.frame_bytes + TAG {
            let mtu = self.frame_bytes - u32::try_from(ETHERNET).unwrap_or(0);
            let needed = bytes - u32::try_from(ETHERNET).unwrap_or(0);
            bail!(failure(
                Code::Failed,
                format!(
                    "frames of {} bytes do not fit the MTU of {}, {mtu}; raise it: \
                     `ip link set dev {} mtu {needed}`, at the other end too{advice}",
                    bytes + CHECK_BYTES,
                    self.name,
                    self.name
                )
            ));
        }
        Ok(())
    }

    /// What it has sent so far.
    pub(crate) fn sent(&self) -> Option<Sent> {
        netlink::sent(self.index).ok()
    }
}

/// Whether a default route of the calling thread's network namespace leads there.
fn carries_default_route(name: &str) -> bool {
    let table = |file| fs::read_to_string(format!("/proc/thread-self/net/{file}"));
    let v4 = table("route").is_ok_and(|table| default_in_ipv4(&table, name));
    v4 || table("ipv6_route").is_ok_and(|table| default_in_ipv6(&table, name))
}

/// `Iface Destination Gateway Flags RefCnt Use Metric Mask`, numbers in hexadecimal.
fn default_in_ipv4(table: &str, name: &str) -> bool {
    table.lines().any(|line| {
        let fields: Vec<&str> = line.split_whitespace().collect();
        matches!(fields.as_slice(), [interface, "00000000", _, _, _, _, _, "00000000", ..]
            if *interface == name)
    })
}

/// Destination, its prefix, source, its prefix, next hop, metric, counts, flags, interface. The
/// entries that refuse belong to `lo`.
fn default_in_ipv6(table: &str, name: &str) -> bool {
    table.lines().any(|line| {
        let fields: Vec<&str> = line.split_whitespace().collect();
        let nowhere = fields.first().is_some_and(|place| place.bytes().all(|byte| byte == b'0'));
        nowhere && fields.get(1) == Some(&"00") && fields.last() == Some(&name) && name != "lo"
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn default_routes_are_found_and_others_are_not() {
        let v4 = "Iface\tDestination\tGateway \tFlags\tRefCnt\tUse\tMetric\tMask\t\tMTU\n\
                  eth0\t00000000\t0100A8C0\t0003\t0\t0\t0\t00000000\t0\n\
                  eth1\t0000A8C0\t00000000\t0001\t0\t0\t0\t00FFFFFF\t0\n";
        assert!(default_in_ipv4(v4, "eth0"));
        assert!(!default_in_ipv4(v4, "eth1"));
        let zeros = "0".repeat(32);
        let v6 = format!(
            "{zeros} 00 {zeros} 00 fe80{} 0400 1 0 3 eth0\n{zeros} 00 {zeros} 00 {zeros} f 1 0 2 lo\n",
            "1".repeat(28)
        );
        assert!(default_in_ipv6(&v6, "eth0"));
        assert!(!default_in_ipv6(&v6, "lo") && !default_in_ipv6(&v6, "eth1"));
    }

    #[test]
    fn what_is_not_there_is_said_so_with_advice() {
        let error = Interface::find("nothing-here", false).unwrap_err().to_string();
        assert!(error.contains("nothing-here") && error.contains("ip link"), "{error}");
        let lo = Interface::find("lo", false).unwrap();
        let error = lo.must_take(70_000, "").unwrap_err().to_string();
        assert!(error.contains("70004") && error.contains("mtu 69986"), "{error}");
    }
}
