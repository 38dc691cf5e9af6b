//! Where packets come from. The one place that knows how an engine's packets are read; a session
//! knows the trait only, so that tests can put anything in its place.

use std::os::fd::{AsFd, AsRawFd, RawFd};
use std::time::Duration;

use rustix::time::{ClockId, clock_gettime};
use weir_shm::counters::Role;
use weir_shm::packets::{Held, Next, PacketOptions, PacketReader, Share, Waker, Woken};
use weir_shm::{Error, QueueReader};

use crate::code::{self, Failure};
use crate::device::{Device, Part};

/// A filter program.
pub(crate) type Filter = weir_shm::bpf::Program;
/// An instruction of one.
pub(crate) type Instruction = weir_shm::bpf::Instruction;
/// Ends a wait from anywhere.
pub(crate) type Bell = Waker;

/// The next packet, or why there is none.
#[derive(Debug)]
pub(crate) enum Got<H> {
    /// A packet.
    Packet(H),
    /// Nothing now.
    Nothing,
    /// The engine ended in order and everything was read.
    Ended,
    /// The engine is gone without a word.
    Died,
}

/// What a packet says of itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct About {
    /// When it was received, Unix nanoseconds.
    pub(crate) timestamp_ns: u64,
    /// Bytes that it had on the wire.
    pub(crate) wire_bytes: u32,
}

/// Packets by what became of them, from the opening on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Counts {
    /// Given to the program.
    pub(crate) delivered: u64,
    /// Written over before the program came to them.
    pub(crate) missed: u64,
    /// Lost before the engine had them: by the interface, the kernel or full rings.
    pub(crate) lost: u64,
}

/// A stream of packets.
pub(crate) trait Feed {
    /// A packet in use.
    type Held: std::fmt::Debug;

    /// The next packet; never waits.
    fn next(&mut self) -> Got<Self::Held>;
    /// The bytes of a packet in use.
    fn bytes<'a>(&'a self, held: &'a Self::Held) -> &'a [u8];
    /// What a packet says of itself.
    fn about(held: &Self::Held) -> About;
    /// Lets go of a packet.
    fn release(&mut self, held: Self::Held);
    /// Waits until there may be a packet, so long at most (`None`: for ever), or until a bell.
    fn wait(&mut self, timeout: Option<Duration>);
    /// Has the descriptor tell of packets. Whether it does already.
    fn arm(&mut self) -> bool;
    /// Gives only what the program accepts from now on.
    fn set_filter(&mut self, filter: Option<Filter>);
    /// What became of the packets so far, losses before the engine since it was started.
    fn counts(&self) -> Counts;
    /// A clock that only goes forward.
    fn now(&self) -> Duration;
}

/// An engine's packets.
#[derive(Debug)]
pub(crate) struct EngineFeed {
    reader: PacketReader,
}

impl EngineFeed {
    /// Begins to read.
    ///
    /// # Errors
    /// As libpcap would say it: there is no such device, it is not allowed, or something else.
    pub(crate) fn open(device: &Device, lease: bool) -> Result<Self, Failure> {
        let mut options = PacketOptions { lease, ..PacketOptions::default() };
        match &device.part {
            Part::All => {}
            Part::Group(name) => options.group = Some(name.clone()),
            Part::Share { member, of } => {
                options.share = Some(Share { member: *member, of: *of });
            }
        }
        let reader = PacketReader::open(&device.engine, &options).map_err(|e| failure(&e))?;
        Ok(Self { reader })
    }

    /// Link type of the packets, as libpcap numbers it.
    pub(crate) fn dlt(&self) -> i32 {
        dlt(self.reader.link_type())
    }

    /// To end waits by.
    pub(crate) fn bell(&self) -> Bell {
        self.reader.waker()
    }

    /// The descriptor to select on.
    pub(crate) fn fd(&self) -> RawFd {
        self.reader.as_fd().as_raw_fd()
    }
}

impl Feed for EngineFeed {
    type Held = Held;

    fn next(&mut self) -> Got<Held> {
        loop {
            match self.reader.hold() {
                Next::Packet(held) => return Got::Packet(held),
                // The reader counts them.
                Next::Missed(_) => {}
                Next::Empty => return Got::Nothing,
                Next::Ended => return Got::Ended,
                Next::Died => return Got::Died,
            }
        }
    }

    fn bytes<'a>(&'a self, held: &'a Held) -> &'a [u8] {
        self.reader.bytes(held)
    }

    fn about(held: &Held) -> About {
        About { timestamp_ns: held.descriptor().timestamp_ns, wire_bytes: held.wire_bytes() }
    }

    fn release(&mut self, held: Held) {
        self.reader.release(held);
    }

    fn wait(&mut self, timeout: Option<Duration>) {
        // Whatever ended it, the next look tells what there is.
        match self.reader.wait(timeout) {
            Woken::Packets | Woken::Timeout | Woken::Interrupted | Woken::Over => {}
        }
    }

    fn arm(&mut self) -> bool {
        self.reader.arm()
    }

    fn set_filter(&mut self, filter: Option<Filter>) {
        self.reader.set_filter(filter);
    }

    fn counts(&self) -> Counts {
        let counts = self.reader.counts();
        let queues = self.reader.attached().queues().iter();
        let lost = queues.flat_map(QueueReader::counters);
        let lost = lost.filter(|counter| counter.role == Role::WireDrop);
        Counts {
            delivered: counts.delivered,
            missed: counts.missed,
            lost: lost.map(|counter| counter.value).fold(0, u64::saturating_add),
        }
    }

    fn now(&self) -> Duration {
        let now = clock_gettime(ClockId::Monotonic);
        let seconds = u64::try_from(now.tv_sec).unwrap_or(0);
        Duration::new(seconds, u32::try_from(now.tv_nsec).unwrap_or(0))
    }
}

/// The number that libpcap has on Linux for a link type of capture files. They differ for raw IP
/// alone, of those that engines read; where an engine does not know, it is Ethernet.
fn dlt(link_type: u32) -> i32 {
    const ETHERNET: i32 = 1;
    const RAW_IN_FILES: i32 = 101;
    const RAW: i32 = 12;
    match i32::try_from(link_type) {
        Ok(RAW_IN_FILES) => RAW,
        Ok(number) => number,
        Err(_) => ETHERNET,
    }
}

/// An engine to be shown in a list of devices.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Listed {
    /// The name to open it by.
    pub(crate) device: String,
    /// For people.
    pub(crate) description: String,
}

/// The engines that run here and that this user can see.
pub(crate) fn running() -> Vec<Listed> {
    let engines = weir_shm::list_names().into_iter();
    let listed = engines.map(|engine| {
        let sources = weir_shm::Attached::open_path(&engine.path);
        let sources = sources.map(|attached| attached.info().sources.join(" "));
        let description = match sources {
            Ok(sources) => format!("Weir engine reading {sources}"),
            Err(_) => "Weir engine".to_owned(),
        };
        Listed { device: format!("{}{}", crate::device::PREFIX, engine.name), description }
    });
    listed.collect()
}

/// An error of the reader as libpcap numbers it.
fn failure(error: &Error) -> Failure {
    let denied = |source: &std::io::Error| source.kind() == std::io::ErrorKind::PermissionDenied;
    let code = match error {
        Error::NotFound { .. } | Error::Ended { .. } | Error::NoAnswer { .. } | Error::Name(_) => {
            code::NO_SUCH_DEVICE
        }
        Error::Refused { .. } => code::PERM_DENIED,
        Error::Os { source, .. } if denied(source) => code::PERM_DENIED,
        _ => code::ERROR,
    };
    Failure::new(code, error.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn link_types_are_numbered_as_libpcap_does() {
        let numbers = [0, 1, 101, 113, 276, u32::MAX].map(dlt);
        assert_eq!(numbers, [0, 1, 12, 113, 276, 1]);
    }

    #[test]
    fn failures_of_the_reader_have_numbers_of_libpcap() {
        let path = || "/run/weir/x.sock".into();
        let denied = std::io::Error::from(std::io::ErrorKind::PermissionDenied);
        let os = |source| Error::Os { attempt: String::new(), source };
        let cases = [
            (Error::Ended { path: path() }, code::NO_SUCH_DEVICE),
            (Error::Name("a b".to_owned()), code::NO_SUCH_DEVICE),
            (Error::Refused { path: path(), reason: "no" }, code::PERM_DENIED),
            (os(denied), code::PERM_DENIED),
            (os(std::io::Error::other("")), code::ERROR),
            (Error::Version { engine: 2, reader: 1 }, code::ERROR),
        ];
        for (error, wanted) in cases {
            assert_eq!(failure(&error).code, wanted, "{error}");
        }
    }
}
