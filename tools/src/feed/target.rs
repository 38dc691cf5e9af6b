//! The interface that is fed: a TAP, on which frames are received, or any other, out of which they
//! are sent.

use std::fs::File;
use std::io::{self, ErrorKind};
use std::os::fd::OwnedFd;

use anyhow::Context;
use rustix::io::Errno;
use rustix::net::SendFlags;

use crate::{netlink, sys};

/// Where frames go.
#[derive(Debug)]
pub(crate) struct Target {
    name: String,
    made: bool,
    way: Way,
}

#[derive(Debug)]
enum Way {
    /// Written, they are received on the interface.
    Tap(File),
    /// Sent, they leave the interface.
    Link(OwnedFd),
}

/// What became of a frame.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Outcome {
    Sent,
    QueueFull,
    TooLong,
    Down,
    Refused,
}

impl Target {
    /// Opens the interface, and makes it where it is not there.
    pub(crate) fn open(name: &str) -> anyhow::Result<Target> {
        let exists = netlink::index_of(name).is_ok();
        let (made, way) = if exists { (false, existing(name)?) } else { (true, make(name)?) };
        Ok(Target { name: name.to_owned(), made, way })
    }

    /// Whether it goes with its feed.
    pub(crate) const fn is_made(&self) -> bool {
        self.made
    }

    /// For people.
    pub(crate) fn title(&self) -> String {
        let kind = match (&self.way, self.made) {
            (Way::Tap(_), true) => "a TAP made for it",
            (Way::Tap(_), false) => "a TAP",
            (Way::Link(_), _) => "sent out of it",
        };
        format!("{} ({kind})", self.name)
    }

    /// Gives it a frame.
    ///
    /// # Errors
    /// The interface is gone.
    pub(crate) fn send(&self, frame: &[u8]) -> anyhow::Result<Outcome> {
        loop {
            let result = match &self.way {
                Way::Tap(device) => rustix::io::write(device, frame),
                Way::Link(socket) => rustix::net::send(socket, frame, SendFlags::empty()),
            };
            return Ok(match result {
                Ok(_) => Outcome::Sent,
                Err(Errno::INTR) => continue,
                Err(Errno::NOBUFS | Errno::AGAIN | Errno::NOMEM) => Outcome::QueueFull,
                Err(Errno::MSGSIZE) => Outcome::TooLong,
                Err(Errno::NETDOWN | Errno::IO) => Outcome::Down,
                Err(gone @ (Errno::NXIO | Errno::NODEV | Errno::BADFD)) => {
                    return Err(gone).with_context(|| format!("interface {} is gone", self.name));
                }
                Err(_) => Outcome::Refused,
            });
        }
    }
}

fn make(name: &str) -> anyhow::Result<Way> {
    let tap = sys::open_tap(name).map_err(|error| explain(error, name, "make"))?;
    quiet(name);
    sys::bring_up(name, true).with_context(|| format!("cannot bring {name} up"))?;
    Ok(Way::Tap(tap))
}

/// Of an interface that is no TAP the kernel says that it cannot be attached to (`EINVAL`), of one
/// that another program holds, a virtual machine say, that it is busy: both get what is sent out.
fn existing(name: &str) -> anyhow::Result<Way> {
    if let Ok(tap) = sys::open_tap(name) {
        sys::bring_up(name, false).with_context(|| format!("cannot bring {name} up"))?;
        return Ok(Way::Tap(tap));
    }
    let link = sys::open_link(name).map_err(|error| explain(error, name, "send out of"))?;
    Ok(Way::Link(link))
}

/// No packets of the kernel's own on it. Where that cannot be had, they are there.
fn quiet(name: &str) {
    std::fs::write(format!("/proc/sys/net/ipv6/conf/{name}/disable_ipv6"), "1").ok();
}

fn explain(error: io::Error, name: &str, attempt: &str) -> anyhow::Error {
    let advice = match error.kind() {
        ErrorKind::PermissionDenied => {
            ": this needs CAP_NET_ADMIN (a TAP) or CAP_NET_RAW (any other interface); run it as root"
        }
        ErrorKind::NotFound => ": there is no /dev/net/tun here; make a veth pair and feed one end",
        _ => "",
    };
    anyhow::Error::new(error).context(format!("cannot {attempt} interface {name}{advice}"))
}
