//! Two ends of a veth cable in a network namespace of their own.

use std::fs::File;
use std::os::fd::AsFd;
use std::process::Command;
use std::sync::atomic::{AtomicU32, Ordering};

use anyhow::{Context, ensure};
use rustix::thread::{LinkNameSpaceType, move_into_link_name_space};

/// The end that frames are sent on.
pub const FAR: &str = "far";
/// The end that frames are captured on.
pub const NEAR: &str = "near";

/// A namespace with a cable in it; the calling thread is inside. Removed on drop.
#[derive(Debug)]
pub struct Cable {
    name: String,
}

impl Cable {
    /// Makes it; none without root, which is shown and counted.
    ///
    /// # Errors
    /// A command failed, and what it said.
    pub fn new(test: &str) -> anyhow::Result<Option<Cable>> {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        if !rustix::process::geteuid().is_root() {
            crate::skipped(test, "network namespaces need root");
            return Ok(None);
        }
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let name = format!("weir-test-{}-{number}", std::process::id());
        run(&["ip", "netns", "add", &name])?;
        let cable = Cable { name };
        cable.enter()?;
        // Nothing of the kernel's own on the cable.
        let off = ["sysctl", "-qw", "net.ipv6.conf.default.disable_ipv6=1"];
        run(&[&["ip", "netns", "exec", &cable.name][..], &off].concat())?;
        run(&[
            "ip", "link", "add", FAR, "mtu", "3000", "type", "veth", "peer", "name", NEAR, "mtu",
            "3000",
        ])?;
        for end in [FAR, NEAR] {
            // Tags stay in the frames.
            run(&["ethtool", "-K", end, "txvlan", "off", "rxvlan", "off"])?;
            run(&["ip", "link", "set", "dev", end, "up"])?;
        }
        Ok(Some(cable))
    }

    /// The namespace's name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Moves the calling thread inside.
    ///
    /// # Errors
    /// What the system says.
    pub fn enter(&self) -> anyhow::Result<()> {
        let namespace = File::open(format!("/run/netns/{}", self.name))?;
        move_into_link_name_space(namespace.as_fd(), Some(LinkNameSpaceType::Network))?;
        Ok(())
    }
}

impl Drop for Cable {
    fn drop(&mut self) {
        // What is left when this fails goes with the machine.
        run(&["ip", "netns", "delete", &self.name]).ok();
    }
}

/// Runs a command in the calling thread's namespace; gives what it printed.
///
/// # Errors
/// It cannot be run, or failed, and what it said.
pub fn run(command: &[&str]) -> anyhow::Result<String> {
    let (program, arguments) = command.split_first().context("a command")?;
    let output = Command::new(program).args(arguments).output().context(program.to_string())?;
    let errors = String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.success(), "{command:?}: {errors}");
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}
