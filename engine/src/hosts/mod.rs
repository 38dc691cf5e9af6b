//! Hosts, applications and networks: who talks, and what it came to.
//!
//! No packet looks a host up. A flow finds the places of its two ends once, when it begins, and keeps
//! what it has told them (`Told`); it *reports* the rest when a packet of it comes in another bucket
//! of time than the one before, when the timer wheel looks at it, and when it ends. The last two times
//! its health comes along. A place that was given to another host meanwhile is noticed by its
//! generation, and found anew.
//!
//! Always: what hosts sent, those that were evicted included, is what flows reported.

mod bursts;
mod classify;
mod learn;
mod names;
pub mod own;
mod report;
mod table;
mod totals;

pub use classify::{Places, Zone};
pub(crate) use learn::mac_of;
pub(crate) use report::Beginning;

use weir_shm::hosts::{HostsSpec, HostsWriter};

use crate::capture::Frame;
use crate::sys::table::table;
use names::Names;
use table::HostTable;
use totals::Totals;

/// Settings of a shard's hosts. All limits are here.
#[derive(Clone, Debug)]
pub struct HostsPlan {
    /// Hosts, about.
    pub capacity: u32,
    /// Local hosts of which everything is kept.
    pub local_capacity: u32,
    /// Names of addresses.
    pub names: u32,
    /// Which hosts are local, and which are this machine.
    pub places: Places,
}

impl HostsPlan {
    /// The shared memory that this takes.
    pub fn room(&self) -> HostsSpec {
        HostsSpec {
            hosts: HostTable::slots_for(self.capacity),
            details: self.local_capacity,
            names: Names::slots_for(self.names),
            totals: totals::ROWS,
            interfaces: bursts::INTERFACES,
        }
    }
}

/// What a flow has told its hosts.
#[derive(Clone, Copy, Default, Debug)]
pub(crate) struct Told {
    /// Places of the lower and the higher end.
    places: [u32; 2],
    /// The generations that those had.
    generations: [u32; 2],
    /// Bytes told: from the lower end, and from the higher.
    bytes: [u64; 2],
    /// Packets told, as they wrap.
    packets: [u32; 2],
    /// The application under which.
    app: u16,
    flags: u8,
    /// The row of its VLAN.
    vlan: u8,
}

const _: () = assert!(size_of::<Told>() == 48, "less than a cache line a flow");

impl Told {
    /// Its ends have places.
    const PLACED: u8 = 1;
    /// It has reported once.
    const REPORTED: u8 = 2;
    /// Its latency is counted.
    const TIMED: u8 = 4;
    /// The higher end was taken for the client.
    const CLIENT_IS_HI: u8 = 8;
    /// The details of the lower and of the higher end have it in their lists.
    const LISTED: [u8; 2] = [16, 32];

    const fn has(&self, flag: u8) -> bool {
        self.flags & flag != 0
    }
}

/// See the module.
#[derive(Debug)]
pub(crate) struct Hosts {
    writer: HostsWriter,
    table: HostTable,
    told: Box<[Told]>,
    names: Names,
    totals: Totals,
    places: Places,
    counts: Counts,
    /// Health tells the latencies of TCP and UDP.
    has_health: bool,
}

/// What is counted of hosts.
#[derive(Clone, Copy, Default, Debug)]
pub(crate) struct Counts {
    pub(crate) live: u64,
    pub(crate) local: u64,
    pub(crate) created: u64,
    pub(crate) evicted_remote: u64,
    pub(crate) evicted_local: u64,
    /// Bytes that those had sent, and received.
    pub(crate) evicted_sent: u64,
    pub(crate) evicted_received: u64,
    pub(crate) details_taken: u64,
    pub(crate) without_detail: u64,
    pub(crate) names_replaced: u64,
}

impl Hosts {
    /// Bytes that a flow's place takes here.
    pub(crate) const BYTES_A_FLOW: usize = size_of::<Told>();

    /// Hosts of a shard with so many flow slots; none where `writer` has no room for any.
    pub(crate) fn new(
        writer: HostsWriter,
        plan: Option<&HostsPlan>,
        flows: usize,
        secret: [u64; 4],
        has_health: bool,
    ) -> Option<Box<Hosts>> {
        let plan = plan.filter(|_| writer.room().hosts > 0)?;
        let room = writer.room();
        Some(Box::new(Hosts {
            table: HostTable::new(room.hosts, room.details, secret),
            told: table(Told::default(), flows),
            names: Names::new(room.names, secret),
            totals: Totals::new(&writer, &plan.places),
            places: plan.places.clone(),
            writer,
            counts: Counts::default(),
            has_health,
        }))
    }

    /// Adds the frames of a turn to their interfaces.
    #[inline]
    pub(crate) fn count_frames(&self, frames: &[Frame]) {
        bursts::account(&self.writer, frames);
    }

    /// The counts as they are now.
    pub(crate) fn counts(&self) -> Counts {
        let names_replaced = self.names.replaced();
        Counts {
            live: self.table.live(),
            local: self.table.details(),
            names_replaced,
            ..self.counts
        }
    }
}
