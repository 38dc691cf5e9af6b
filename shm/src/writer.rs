//! A shard's segment, as its shard writes it.

use crate::{
    alerts::{self, AlertWriter},
    arena::{ARENA_BYTES_MAX, ArenaWriter, TOP_BYTES},
    counters::{CounterDef, CounterWriter, block_words},
    error::Error,
    flow::SLOT_BYTES,
    health::HEALTH_BYTES,
    histogram::{self, HistogramDef, HistogramWriter},
    hosts::{HostsSpec, HostsWriter},
    layout::{DEF_WORDS, Made, Plan, SectionKind, SegmentKind},
    packets::{self, GROUPS, PacketWriter, READERS},
    records::{HEAD_WORDS, RING_BYTES_MIN, RecordWriter},
    segment::{FlowSlots, HealthSlots, WORD, WriteMap},
};
use std::{
    os::fd::{AsFd, BorrowedFd, OwnedFd},
    sync::Arc,
};

/// What a shard's segment is to hold.
#[derive(Debug, Clone, Copy)]
pub struct ShardSpec<'a> {
    /// Number of the shard.
    pub shard: u16,
    /// What it works on, for people: `eth0 queue 3`.
    pub label: &'a str,
    /// Slots of the flow table, 1 to 2^28.
    pub flow_slots: u32,
    /// Bytes of the flow-record ring: a power of two, at least 32 KiB.
    pub record_bytes: usize,
    /// Bytes of the metadata arena, rounded up to 2 KiB, at most 16 GiB.
    pub arena_bytes: usize,
    /// Whether flows have a slot for their health.
    pub health: bool,
    /// The shard's counters.
    pub counters: &'static [CounterDef],
    /// The shard's histograms.
    pub histograms: &'static [HistogramDef],
    /// The packet ring.
    pub packets: PacketSpec,
    /// Alerts.
    pub alerts: AlertSpec,
    /// Hosts and totals.
    pub hosts: HostsSpec,
    /// Whether to try for 2 MiB pages.
    pub huge_pages: bool,
}

/// What a shard's packet ring is to hold.
#[derive(Debug, Clone, Copy)]
pub struct PacketSpec {
    /// Descriptors: a power of two, from 1024 to 2^22.
    pub slots: u32,
    /// How many of them are there only for lease readers that lag; less than `slots`.
    pub lease_slots: u32,
    /// Number of the packet memory that the descriptors point into.
    pub area: u16,
    /// Link type of the frames, as capture files number it; all ones where it is not known.
    pub link_type: u32,
}

/// What a shard's alerts take.
#[derive(Debug, Clone, Copy)]
pub struct AlertSpec {
    /// Bytes of the ring of alert records: a power of two, at least 8 KiB.
    pub ring_bytes: usize,
    /// Alerts that are active at the same time, 1 to 65536.
    pub places: u32,
}

impl Default for AlertSpec {
    fn default() -> Self {
        Self { ring_bytes: alerts::RING_BYTES_MIN, places: 16 }
    }
}

impl Default for PacketSpec {
    fn default() -> Self {
        Self { slots: PACKET_SLOTS_MIN, lease_slots: PACKET_SLOTS_MIN / 2, area: 0, link_type: 1 }
    }
}

/// A shard's segment. Moved to the shard's thread, which alone writes it.
#[derive(Debug)]
pub struct ShardWriter {
    /// The flow table.
    pub flows: FlowSlots,
    /// The flows' health, by the same index; empty without.
    pub health: HealthSlots,
    /// The flow-record ring.
    pub records: RecordWriter,
    /// Metadata of the flows in the table.
    pub arena: ArenaWriter,
    /// Counters, in the order of the specification.
    pub counters: CounterWriter,
    /// Histograms, in the order of the specification.
    pub histograms: Vec<HistogramWriter>,
    /// The packet ring.
    pub packets: PacketWriter,
    /// Alerts.
    pub alerts: AlertWriter,
    /// Hosts and totals.
    pub hosts: HostsWriter,
    shard: u16,
    map: Arc<WriteMap>,
}

impl ShardWriter {
    /// Makes the segment.
    ///
    /// # Errors
    /// If a size is out of range, or the system has no memory for it.
    pub fn create(spec: &ShardSpec<'_>) -> Result<Self, Error> {
        check(spec)?;
        let name = format!("weir shard {}", spec.shard);
        let mut plan = Plan::new(SegmentKind::Shard, spec.shard, spec.label);
        let counter_defs = counter_words(&mut plan, spec.counters);
        let histogram_defs: Vec<u64> = spec
            .histograms
            .iter()
            .flat_map(|def| {
                [u64::from(def.unit as u32), plan.string(def.name), plan.string(def.help)]
            })
            .collect();
        let arena_bytes = spec.arena_bytes.next_multiple_of(TOP_BYTES).max(TOP_BYTES);
        let counter_bytes = block_words(spec.counters.len()) * WORD;
        let histograms = spec.histograms.len();
        plan.section(SectionKind::CounterDefs, DEF_WORDS * WORD, spec.counters.len());
        plan.section(SectionKind::HistogramDefs, DEF_WORDS * WORD, histograms);
        plan.section(SectionKind::Counters, counter_bytes, 1);
        plan.section(SectionKind::Histograms, histogram::WORDS * WORD, histograms);
        plan.section(SectionKind::RecordHead, HEAD_WORDS * WORD, 1);
        plan.section(SectionKind::Flows, SLOT_BYTES, spec.flow_slots as usize);
        if spec.health {
            plan.section(SectionKind::Health, HEALTH_BYTES, spec.flow_slots as usize);
        }
        plan.section(SectionKind::RecordRing, WORD, spec.record_bytes / WORD);
        plan.section(SectionKind::Arena, TOP_BYTES, arena_bytes / TOP_BYTES);
        plan.section(SectionKind::PacketHead, packets::HEAD_WORDS * WORD, 1);
        plan.section(SectionKind::PacketReaders, packets::LINE_WORDS * WORD, READERS);
        plan.section(SectionKind::PacketGroups, packets::GROUP_WORDS * WORD, GROUPS);
        let slots = spec.packets.slots as usize;
        plan.section(SectionKind::PacketRing, packets::SLOT_WORDS * WORD, slots);
        plan.section(SectionKind::AlertHead, alerts::HEAD_WORDS * WORD, 1);
        plan.section(SectionKind::AlertRing, WORD, spec.alerts.ring_bytes / WORD);
        plan.section(SectionKind::ActiveAlerts, alerts::WORDS * WORD, spec.alerts.places as usize);
        spec.hosts.plan(&mut plan);
        let made = plan.create(&name, spec.huge_pages)?;
        made.fill(SectionKind::CounterDefs, counter_defs);
        made.fill(SectionKind::HistogramDefs, histogram_defs);
        Ok(Self {
            flows: made.flows(),
            health: made.health(),
            records: RecordWriter::new(
                made.words(SectionKind::RecordHead),
                made.words(SectionKind::RecordRing),
            ),
            arena: ArenaWriter::new(made.words(SectionKind::Arena)),
            counters: CounterWriter::new(made.words(SectionKind::Counters), spec.counters.len()),
            histograms: (0..histograms)
                .map(|index| HistogramWriter::new(made.element(SectionKind::Histograms, index)))
                .collect(),
            packets: packet_writer(&made, &spec.packets),
            alerts: AlertWriter::new(
                made.words(SectionKind::AlertHead),
                made.words(SectionKind::AlertRing),
                made.words(SectionKind::ActiveAlerts),
            ),
            hosts: HostsWriter::new(&made),
            shard: spec.shard,
            map: made.map,
        })
    }

    /// Writes to every page, so that the memory comes from the calling thread's NUMA node. For the
    /// shard's thread, once, before its first packet.
    pub fn touch(&mut self) {
        self.flows.touch();
        self.health.touch();
        self.records.touch();
        self.arena.touch();
        self.packets.touch();
        self.alerts.touch();
        self.hosts.touch();
    }

    /// Whether the segment is on huge pages of the reserved pool.
    pub fn on_huge_pages(&self) -> bool {
        self.map.on_huge_pages()
    }

    /// Bytes of the segment.
    pub fn bytes(&self) -> usize {
        self.map.bytes()
    }

    /// The segment, to be handed to readers.
    pub fn export(&self) -> SegmentFd {
        let memory = Memory::Segment(Arc::clone(&self.map));
        SegmentFd { memory, kind: SegmentKind::Shard, shard: self.shard }
    }
}

/// A descriptor of shared memory and what it is. Holding it keeps the memory.
#[derive(Debug, Clone)]
pub struct SegmentFd {
    memory: Memory,
    kind: SegmentKind,
    shard: u16,
}

#[derive(Debug, Clone)]
enum Memory {
    Segment(Arc<WriteMap>),
    /// Made elsewhere: a descriptor and its size in bytes.
    Bare(Arc<OwnedFd>, usize),
}

impl SegmentFd {
    pub(crate) fn control(map: &Arc<WriteMap>) -> Self {
        let memory = Memory::Segment(Arc::clone(map));
        Self { memory, kind: SegmentKind::Control, shard: 0 }
    }

    /// Packet memory of `bytes` bytes, the number of which is `area` ([`PacketSpec::area`]): a
    /// memfd that is sealed against writing and resizing.
    pub fn frames(area: u16, memory: OwnedFd, bytes: usize) -> Self {
        let memory = Memory::Bare(Arc::new(memory), bytes);
        Self { memory, kind: SegmentKind::Frames, shard: area }
    }

    pub(crate) fn page(place: u8, memory: OwnedFd, bytes: usize) -> Self {
        let memory = Memory::Bare(Arc::new(memory), bytes);
        Self { memory, kind: SegmentKind::Page, shard: place.into() }
    }

    /// What the segment holds.
    pub fn kind(&self) -> SegmentKind {
        self.kind
    }

    /// The shard's number; that of the packet memory or of a reader's place; 0 for the control
    /// segment.
    pub fn shard(&self) -> u16 {
        self.shard
    }

    /// Bytes of the segment.
    pub fn bytes(&self) -> usize {
        match &self.memory {
            Memory::Segment(map) => map.bytes(),
            Memory::Bare(_, bytes) => *bytes,
        }
    }
}

impl AsFd for SegmentFd {
    fn as_fd(&self) -> BorrowedFd<'_> {
        match &self.memory {
            Memory::Segment(map) => map.as_fd(),
            Memory::Bare(fd, _) => fd.as_fd(),
        }
    }
}

fn packet_writer(made: &Made, spec: &PacketSpec) -> PacketWriter {
    made.fill(SectionKind::PacketHead, packets::head_constants(spec.area, spec.link_type));
    let groups = (0..GROUPS).map(|group| made.element(SectionKind::PacketGroups, group));
    PacketWriter::new(
        made.words(SectionKind::PacketHead),
        made.words(SectionKind::PacketRing),
        made.words(SectionKind::PacketReaders),
        groups.collect(),
        spec.lease_slots.into(),
    )
}

/// The definitions of counters as words; their texts go into the plan.
pub(crate) fn counter_words(plan: &mut Plan, counters: &[CounterDef]) -> Vec<u64> {
    let words = counters.iter().flat_map(|def| {
        let what = u64::from(def.role as u32) << 32 | u64::from(def.unit as u32);
        [what, plan.string(def.name), plan.string(def.help)]
    });
    words.collect()
}

fn check(spec: &ShardSpec<'_>) -> Result<(), Error> {
    let wrong = |what: String| Err(Error::Spec(format!("shard {}: {what}", spec.shard)));
    if !(1..=FLOW_SLOTS_MAX).contains(&spec.flow_slots) {
        return wrong(format!("{} flow slots: use 1 to {FLOW_SLOTS_MAX}", spec.flow_slots));
    }
    let ring = spec.record_bytes;
    if !ring.is_power_of_two() || !(RING_BYTES_MIN..=RING_BYTES_MAX).contains(&ring) {
        return wrong(format!(
            "a flow-record ring of {ring} bytes: use a power of two from {RING_BYTES_MIN} to \
             {RING_BYTES_MAX}"
        ));
    }
    if spec.arena_bytes > ARENA_BYTES_MAX {
        return wrong(format!(
            "an arena of {} bytes: use up to {ARENA_BYTES_MAX}",
            spec.arena_bytes
        ));
    }
    let AlertSpec { ring_bytes, places } = spec.alerts;
    if !ring_bytes.is_power_of_two()
        || !(alerts::RING_BYTES_MIN..=RING_BYTES_MAX).contains(&ring_bytes)
        || !(1..=ALERT_PLACES_MAX).contains(&places)
    {
        return wrong(format!(
            "a ring of {ring_bytes} bytes and {places} places for alerts: use a power of two from \
             {} to {RING_BYTES_MAX}, and 1 to {ALERT_PLACES_MAX} places",
            alerts::RING_BYTES_MIN
        ));
    }
    let PacketSpec { slots, lease_slots, .. } = spec.packets;
    if !slots.is_power_of_two() || !(PACKET_SLOTS_MIN..=PACKET_SLOTS_MAX).contains(&slots) {
        return wrong(format!(
            "a packet ring of {slots} descriptors: use a power of two from {PACKET_SLOTS_MIN} to \
             {PACKET_SLOTS_MAX}"
        ));
    }
    if lease_slots > slots / 2 {
        return wrong(format!(
            "{lease_slots} descriptors for leases in a packet ring of {slots}: use half at most"
        ));
    }
    Ok(())
}

const FLOW_SLOTS_MAX: u32 = 1 << 28;
const RING_BYTES_MAX: usize = 1 << 36;
const ALERT_PLACES_MAX: u32 = 1 << 16;
/// Smallest ring: half of it, less leases, holds every packet of a batch.
const PACKET_SLOTS_MIN: u32 = 1024;
const PACKET_SLOTS_MAX: u32 = 1 << 22;
