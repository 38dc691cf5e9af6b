//! The interface that is sent out of: what must hold before the first frame leaves.

use std::fs;

use af_xdp::netdev;
use anyhow::{Context, bail};

use super::traffic::{ETHERNET, synth::CHECK_BYTES};
use crate::exit::{Code, failure};
use crate::netlink::{self, Features, Sent};
use crate::routes;

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
    let table =
        |file| fs::read_to_string(format!("/proc/thread-self/net/{file}")).unwrap_or_default();
    routes::default_leaves_by(name, &table("route"), &table("ipv6_route"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_there_is_said_so_with_advice() {
        let error = Interface::find("nothing-here", false).unwrap_err().to_string();
        assert!(error.contains("nothing-here") && error.contains("ip link"), "{error}");
        let lo = Interface::find("lo", false).unwrap();
        let error = lo.must_take(70_000, "").unwrap_err().to_string();
        assert!(error.contains("70004") && error.contains("mtu 69986"), "{error}");
    }
}
