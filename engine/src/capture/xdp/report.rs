//! What a capture obtained, in words.

use std::fmt;

use af_xdp::Mode;
use weir_ebpf::{Attachment, Split};

/// What was obtained, and why not more.
#[derive(Clone, Debug)]
#[expect(clippy::struct_excessive_bools, reason = "four facts, each yes or no by itself")]
pub struct XdpReport {
    /// The interface.
    pub interface: String,
    /// Its index.
    pub interface_index: u32,
    /// Its driver, where it says.
    pub driver: Option<String>,
    /// How the XDP program hangs on it; none before the start.
    pub attachment: Option<Attachment>,
    /// What stood against native, if it was wanted and not obtained.
    pub native_refused: Option<String>,
    /// How frames get into the packet memory, for each queue, as the kernel says of its sockets.
    pub modes: Vec<Mode>,
    /// What stood against zero-copy, if it was wanted and not obtained.
    pub zero_copy_refused: Option<String>,
    /// How frames find their shard.
    pub split: Split,
    /// Why that was picked.
    pub split_because: String,
    /// Receive queues served.
    pub queues: u32,
    /// Shards.
    pub shards: u32,
    /// Whether frames over several chunks are received.
    pub multi_buffer: bool,
    /// Whether the driver tells VLAN tags that the NIC took off. Where it does not, such tags are
    /// lost unless `ethtool -K IF rxvlan off` leaves them in the frames.
    pub vlan_hints: bool,
    /// Whether the kernel polls the NIC from the shards' threads.
    pub busy_poll: bool,
    /// Whether the packet memory has 2 MiB pages.
    pub huge_pages: bool,
    /// What stood against huge pages, if they were wanted and not obtained.
    pub huge_pages_refused: Option<String>,
    /// Size of the packet memory.
    pub memory_bytes: usize,
    /// Bytes of a chunk: more than set where the NIC needs that for whole frames.
    pub frame_bytes: u32,
}

impl XdpReport {
    /// How many queues have zero-copy.
    pub fn zero_copy_queues(&self) -> usize {
        self.modes.iter().filter(|mode| **mode == Mode::ZeroCopy).count()
    }
}

impl fmt::Display for XdpReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let refused = |what: &str, why: &Option<String>| {
            why.as_ref().map(|why| format!(" (no {what}: {why})")).unwrap_or_default()
        };
        let driver = self.driver.as_deref().unwrap_or("unknown driver");
        let queues = self.modes.len();
        let mode = match self.zero_copy_queues() {
            0 => "copy".to_owned(),
            _ if queues == 1 => "zero-copy".to_owned(),
            all if all == queues => format!("zero-copy on all {all} queues"),
            some => format!("zero-copy on {some} of {queues} queues"),
        };
        let split = match self.split {
            Split::Nic => "nic",
            Split::Xdp => "xdp",
        };
        writeln!(
            f,
            "{} ({driver}): XDP {}{}, {mode}{}",
            self.interface,
            self.attachment.map_or("not attached", Attachment::name),
            refused("native", &self.native_refused),
            refused("zero-copy", &self.zero_copy_refused),
        )?;
        writeln!(
            f,
            "split {split}: {}; queues {}, shards {}",
            self.split_because, self.queues, self.shards
        )?;
        write!(
            f,
            "packet memory {} MiB in buffers of {} bytes, in {} pages{}",
            self.memory_bytes >> 20,
            self.frame_bytes,
            if self.huge_pages { "2 MiB" } else { "ordinary" },
            refused("2 MiB pages", &self.huge_pages_refused),
        )?;
        if !self.vlan_hints {
            let interface = &self.interface;
            write!(
                f,
                "\nVLAN tags that the NIC takes off are lost, for the driver does not tell them: \
                 `ethtool -K {interface} rxvlan off` leaves them in the frames"
            )?;
        }
        Ok(())
    }
}
