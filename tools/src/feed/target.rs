//! The interface that is fed: a TAP, on which frames are received, or any other, out of which they
//! are sent.

use std::fs::File;
use std::io::{self, ErrorKind};
use std::os::fd::OwnedFd;
use std::time::Duration;

use anyhow::Context;
use rustix::io::Errno;
use rustix::net::SendFlags;

use crate::packets::Stop;
use crate::{live, netlink, sys};

/// How long an interface that was made stays after the last packet: who reads from it would lose
/// what it has not taken yet.
const LINGER: Duration = Duration::from_secs(1);
/// A frame that can wait is tried so often while the queue is full, so far apart.
const TRIES: u32 = 100;
const AGAIN: Duration = Duration::from_micros(100);
/// How often it is looked for a reader, and how long one is given that is there: libpcap lets nothing
/// in for a moment after that, until its filter is in place.
const LOOK: Duration = Duration::from_millis(5);
const SETTLE: Duration = Duration::from_millis(500);

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

impl Target {
    /// As [`Target::send`], for frames that can wait: again while the queue is full, for a moment.
    ///
    /// # Errors
    /// The interface is gone.
    pub(crate) fn send_patiently(&self, frame: &[u8]) -> anyhow::Result<Outcome> {
        for _ in 1..TRIES {
            match self.send(frame)? {
                Outcome::QueueFull => live::pause(AGAIN),
                other => return Ok(other),
            }
        }
        self.send(frame)
    }

    /// Waits until a program listens on the interface by a packet socket, as tcpdump and Wireshark
    /// do. Whether one does; not, if a signal came first.
    ///
    /// # Errors
    /// The interface is gone.
    pub(crate) fn wait_for_reader(&self, stop: &Stop) -> anyhow::Result<bool> {
        let index = netlink::index_of(&self.name);
        let index = index.with_context(|| format!("interface {} is gone", self.name))?;
        while !stop.is_set() {
            let sockets = std::fs::read_to_string("/proc/thread-self/net/packet")
                .context("cannot see who listens on the interface")?;
            if is_listened_to(&sockets, index) {
                live::pause(SETTLE);
                return Ok(!stop.is_set());
            }
            live::pause(LOOK);
        }
        Ok(false)
    }

    /// Ends the feed: one that was made goes, a moment later, or at once if a signal came.
    pub(crate) fn close(self, stop: &Stop) {
        if self.made && !stop.is_set() {
            live::pause(LINGER);
        }
    }
}

/// Whether a list of packet sockets, as the kernel shows it, has one that receives from this
/// interface. Those that only send are of no protocol.
fn is_listened_to(sockets: &str, index: u32) -> bool {
    sockets.lines().skip(1).any(|line| {
        let mut words = line.split_ascii_whitespace().skip(3);
        let protocol = words.next().and_then(|word| u16::from_str_radix(word, 16).ok());
        let of = words.next().and_then(|word| word.parse::<u32>().ok());
        protocol.is_some_and(|protocol| protocol != 0) && of == Some(index)
    })
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_only_sends_does_not_listen() {
        let sockets = "sk               RefCnt Type Proto  Iface R Rmem   User   Inode\n\
                       ffff888104d5a000 3      3    0003   7     1 0      0      21530\n\
                       ffff888104d5b000 3      3    0000   8     1 0      0      21531\n\
                       ffff888104d5c000 3      2    88cc   0     1 0      0      21532\n";
        assert!(is_listened_to(sockets, 7));
        assert!(!is_listened_to(sockets, 8));
        assert!(!is_listened_to(sockets, 1));
        assert!(!is_listened_to("", 7));
    }
}
