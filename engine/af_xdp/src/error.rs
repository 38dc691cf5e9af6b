//! What can go wrong at set-up, said so that the reader knows what to do about it.

use std::fmt;
use std::io;

/// What was being tried.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum Step {
    /// Making the memfd of the packet memory.
    CreateArea,
    /// Mapping the packet memory.
    MapArea,
    /// Sealing the packet memory.
    SealArea,
    /// Looking the interface up.
    FindInterface,
    /// Making the AF_XDP socket.
    CreateSocket,
    /// Registering the packet memory with the kernel.
    RegisterUmem,
    /// Making a ring.
    CreateRing,
    /// Mapping a ring.
    MapRing,
    /// Binding the socket to its queue.
    Bind,
    /// Setting busy polling.
    SetBusyPoll,
    /// Reading the mode or the statistics back.
    ReadBack,
    /// Asking the interface something (queues, driver) or making it promiscuous.
    AskInterface,
}

impl Step {
    const fn text(self) -> &'static str {
        match self {
            Step::CreateArea => "making the packet memory",
            Step::MapArea => "mapping the packet memory",
            Step::SealArea => "sealing the packet memory",
            Step::FindInterface => "finding the interface",
            Step::CreateSocket => "making an AF_XDP socket",
            Step::RegisterUmem => "registering the packet memory",
            Step::CreateRing => "making a ring",
            Step::MapRing => "mapping a ring",
            Step::Bind => "binding the AF_XDP socket",
            Step::SetBusyPoll => "setting busy polling",
            Step::ReadBack => "reading back from the AF_XDP socket",
            Step::AskInterface => "asking the interface",
        }
    }
}

/// The interface and queue that an attempt was about.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Place {
    /// Interface name.
    pub interface: String,
    /// Receive queue, where one queue was meant.
    pub queue: Option<u32>,
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.queue {
            Some(queue) => write!(f, "{} queue {queue}", self.interface),
            None => write!(f, "{}", self.interface),
        }
    }
}

/// Why set-up failed. Nothing in this crate fails once frames flow.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The settings contradict each other; nothing was tried.
    #[error("{0}")]
    Settings(&'static str),
    /// The operating system said no.
    #[error("{}{}: {source}{}", step.text(), on(place.as_ref()), advice(*step, source))]
    System {
        /// What was tried.
        step: Step,
        /// Where, if it was about an interface.
        place: Option<Place>,
        /// The operating system's answer.
        source: io::Error,
    },
}

impl Error {
    pub(crate) fn system(step: Step, source: io::Error) -> Error {
        Error::System { step, place: None, source }
    }

    pub(crate) fn at(step: Step, interface: &str, queue: Option<u32>, source: io::Error) -> Error {
        let place = Place { interface: interface.to_owned(), queue };
        Error::System { step, place: Some(place), source }
    }

    /// The operating system's error number, where it was the one to refuse.
    pub fn os_error(&self) -> Option<i32> {
        match self {
            Error::Settings(_) => None,
            Error::System { source, .. } => source.raw_os_error(),
        }
    }
}

fn on(place: Option<&Place>) -> String {
    place.map(|place| format!(" on {place}")).unwrap_or_default()
}

/// What would fix it, as far as the step and the error number tell; begins with "; ".
fn advice(step: Step, source: &io::Error) -> &'static str {
    match (step, source.raw_os_error().unwrap_or(0)) {
        (Step::CreateSocket, libc::EAFNOSUPPORT) => {
            "; the kernel was built without CONFIG_XDP_SOCKETS"
        }
        (_, libc::EPERM | libc::EACCES) => {
            "; run as root or with CAP_NET_ADMIN, CAP_NET_RAW and CAP_IPC_LOCK"
        }
        (Step::RegisterUmem | Step::MapArea | Step::CreateArea, libc::ENOBUFS | libc::ENOMEM) => {
            "; lower the number of frames, or raise `ulimit -l` or grant CAP_IPC_LOCK"
        }
        (Step::Bind, libc::EBUSY) => {
            "; another AF_XDP socket has this queue: stop that program or choose other queues"
        }
        (Step::Bind, libc::EOPNOTSUPP) => {
            "; the driver cannot do what was required: allow copy mode, or use single-buffer frames"
        }
        (Step::Bind, libc::EINVAL) => {
            "; the queue does not exist (`ethtool -l`), or frames of this size do not fit the driver"
        }
        (Step::Bind, libc::ENETDOWN) => "; bring the interface up: `ip link set dev IF up`",
        (Step::FindInterface, libc::ENODEV | libc::ENXIO) => {
            "; `ip link` lists the interfaces of this network namespace"
        }
        (Step::SetBusyPoll, libc::ENOPROTOOPT) => "; needs Linux 5.11: choose sleep when idle",
        _ => "",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn says_where_what_and_how_to_mend_it() {
        let os = io::Error::from_raw_os_error(libc::EBUSY);
        let text = Error::at(Step::Bind, "eth7", Some(3), os).to_string();
        for part in ["binding the AF_XDP socket", "eth7 queue 3", "busy", "stop that program"] {
            assert!(text.contains(part), "{part:?} is missing in {text:?}");
        }
    }
}
