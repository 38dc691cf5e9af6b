//! Where frames run: a veth pair in a network namespace of this process alone, or two interfaces
//! that the user names.

use std::fs;
use std::process::Command;

use anyhow::{Context, bail};
use rustix::process::Pid;
use rustix::thread::sched_setaffinity;
use weir_engine::sys::place::Core;

use super::subject;
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
    /// Its receive side runs in a thread of the kernel's.
    pub(super) threaded: bool,
}

impl Bed {
    /// A pair of its own, with its receive side in a thread of the kernel's or on the sender's core. Moves the calling thread, and those that it starts from now on, into a new
    /// network namespace, which has no name and ends with the last of them.
    ///
    /// # Errors
    /// No privilege, or no `ip`.
    pub(super) fn make(threaded: bool) -> anyhow::Result<Bed> {
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
        let (tx, rx) = ("weir-tx".to_owned(), "weir-rx".to_owned());
        let bed = Bed { tx, rx, made: true, threaded };
        ip(&["link", "add", &bed.tx, "type", "veth", "peer", "name", &bed.rx])?;
        for end in [&bed.tx, &bed.rx] {
            ip(&["link", "set", "dev", end, "up"])?;
        }
        Ok(bed)
    }

    /// Has the kernel receive in threads on these cores, if that is wanted. What they serve comes with
    /// the XDP program, so this is for after the start of whoever attaches one.
    ///
    /// # Errors
    /// The kernel does not, or `unshare` is not there.
    pub(super) fn keep_receiving_on(&self, cores: &[Core]) -> anyhow::Result<()> {
        if !self.threaded {
            return Ok(());
        }
        receive_in_threads(&self.rx)?;
        let name = format!("napi/{}-", self.rx);
        let set = subject::set_of(cores);
        let processes = fs::read_dir("/proc").into_iter().flatten().flatten();
        for process in processes {
            let comm = fs::read_to_string(process.path().join("comm")).unwrap_or_default();
            let id = process.file_name().to_string_lossy().parse().ok().and_then(Pid::from_raw);
            if comm.starts_with(&name) && !cores.is_empty() {
                // Refused only where its end came first.
                sched_setaffinity(id, &set).ok();
            }
        }
        Ok(())
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
        Ok(Bed { tx: tx.to_owned(), rx: rx.to_owned(), made: false, threaded: false })
    }
}

/// Has the kernel receive in threads. /sys shows the namespace that it was mounted in, so it is mounted
/// once more, for the one command.
fn receive_in_threads(interface: &str) -> anyhow::Result<()> {
    let script =
        format!("mount -t sysfs sysfs /sys && echo 1 >/sys/class/net/{interface}/threaded");
    let output = Command::new("unshare").args(["-m", "sh", "-c", &script]).output();
    let output =
        output.context("cannot run `unshare` (package util-linux); say --receive sender")?;
    if !output.status.success() {
        let said = String::from_utf8_lossy(&output.stderr).trim().to_owned();
        bail!("the kernel does not receive in threads: {said}; say --receive sender");
    }
    Ok(())
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
