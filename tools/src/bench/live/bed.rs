//! Where frames run: a veth pair in a network namespace of this process alone, or two interfaces
//! that the user names.

use std::fs;
use std::process::Command;

use anyhow::{Context, bail};

use crate::exit::{Code, failure};
use crate::replay::Interface;
use crate::sys;

/// The two ends. Those that were made here go with the process's namespace.
#[derive(Debug)]
pub(super) struct Bed {
    /// Frames are sent out of it.
    pub(super) tx: String,
    /// Frames are received on it.
    pub(super) rx: String,
    /// It was made here.
    pub(super) made: bool,
}

impl Bed {
    /// A pair of its own. Moves the calling thread, and those that it starts from now on, into a new
    /// network namespace, which has no name and ends with the last of them.
    ///
    /// # Errors
    /// No privilege, or no `ip`.
    pub(super) fn make() -> anyhow::Result<Bed> {
        if let Err(error) = sys::own_network() {
            return Err(failure(
                Code::Failed,
                format!(
                    "cannot make a network namespace: {error}; run it as root, or name two \
                     interfaces that a cable connects: --tx IF --rx IF"
                ),
            ));
        }
        for which in ["all", "default"] {
            // Nothing of the kernel's own on the cable; a kernel without IPv6 sends nothing either.
            fs::write(format!("/proc/sys/net/ipv6/conf/{which}/disable_ipv6"), "1").ok();
        }
        let bed = Bed { tx: "weir-tx".to_owned(), rx: "weir-rx".to_owned(), made: true };
        ip(&["link", "add", &bed.tx, "type", "veth", "peer", "name", &bed.rx])?;
        for end in [&bed.tx, &bed.rx] {
            ip(&["link", "set", "dev", end, "up"])?;
        }
        Ok(bed)
    }

    /// Two interfaces that are there.
    ///
    /// # Errors
    /// One of them is not, is down, or carries a default route.
    pub(super) fn named(tx: &str, rx: &str) -> anyhow::Result<Bed> {
        if tx == rx {
            return Err(failure(Code::Usage, "--tx and --rx are two interfaces"));
        }
        for name in [tx, rx] {
            Interface::find(name, false)?;
        }
        Ok(Bed { tx: tx.to_owned(), rx: rx.to_owned(), made: false })
    }
}

/// Runs `ip` in the calling thread's namespace.
fn ip(arguments: &[&str]) -> anyhow::Result<()> {
    let output = Command::new("ip").args(arguments).output();
    let output = output.context("cannot run `ip`, which makes the veth pair (package iproute2)")?;
    if !output.status.success() {
        bail!("ip {}: {}", arguments.join(" "), String::from_utf8_lossy(&output.stderr).trim());
    }
    Ok(())
}
