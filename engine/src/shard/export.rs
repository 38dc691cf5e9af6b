//! What leaves a shard: flows, records, metadata, counts. All of it goes to shared memory, and
//! all of it costs the same whether somebody reads or not.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use weir_dpi::AppId;
use weir_shm::FlowSlots;
use weir_shm::ShardWriter;
use weir_shm::alerts::AlertWriter;
use weir_shm::arena::ArenaWriter;
use weir_shm::counters::{CounterWriter, Unit};
use weir_shm::flow::FlowSlot;
use weir_shm::histogram::{HistogramDef, HistogramWriter};
use weir_shm::hosts::HostsWriter;
use weir_shm::packets::PacketWriter;
use weir_shm::records::{EndReason, RecordKind, RecordWriter};

use crate::books::Books;
use crate::capture::Batch;
use crate::flow::record;
use crate::sys::clock;

/// Application ids are below this.
const APPS: usize = (weir_dpi::rules::FIRST_CUSTOM + weir_dpi::rules::MOST_CUSTOM) as usize;

/// The histograms of a shard, in the order in which they are published.
pub const HISTOGRAMS: [HistogramDef; 3] = [
    HistogramDef {
        name: "turn_length",
        unit: Unit::Nanoseconds,
        help: "Length of a turn that had frames.",
    },
    HistogramDef { name: "batch_size", unit: Unit::Packets, help: "Frames of a turn." },
    HistogramDef {
        name: "packet_age",
        unit: Unit::Nanoseconds,
        help: "From a frame's timestamp to the turn that took it in (live sources).",
    },
];
const TURN_LENGTH: usize = 0;
const BATCH_SIZE: usize = 1;
const PACKET_AGE: usize = 2;

/// What ended flows of one application came to.
#[derive(Clone, Copy, Default, PartialEq, Eq, Debug)]
pub struct AppTotal {
    /// Flows.
    pub flows: u64,
    /// Packets, both directions.
    pub packets: u64,
    /// Bytes on the wire, both directions.
    pub bytes: u64,
}

impl AppTotal {
    /// Adds another total.
    pub fn add(&mut self, other: &AppTotal) {
        self.flows += other.flows;
        self.packets += other.packets;
        self.bytes += other.bytes;
    }
}

/// Holds a shard back while the reader of its flow records is behind: for files, where waiting
/// loses nothing. Live sources have none.
#[derive(Clone, Debug)]
pub struct Gate {
    /// Bytes of the record ring that the reader has taken, written by it alone. `u64::MAX`: the
    /// reader is gone.
    pub taken: Arc<AtomicU64>,
    /// Bytes by which it may be behind.
    pub allowance: u64,
}

/// See the module.
#[derive(Debug)]
pub struct Export {
    records: RecordWriter,
    arena: ArenaWriter,
    counters: CounterWriter,
    histograms: Vec<HistogramWriter>,
    gate: Option<Gate>,
    totals: Box<[AppTotal]>,
    /// The metadata of `held`, a handle; what was just stored need not be read back.
    metadata: Vec<u8>,
    held: u32,
    live: bool,
}

impl Export {
    /// Exports through `shared`, less its flow table, its packet ring, its alerts and its hosts, which come back by
    /// themselves. `live` says that
    /// timestamps are from the clock of this machine, so that a packet's age means something.
    ///
    /// Touches all of it, so that its memory is near the calling thread.
    pub(super) fn new(
        mut shared: ShardWriter,
        gate: Option<Gate>,
        live: bool,
    ) -> (FlowSlots, PacketWriter, AlertWriter, HostsWriter, Export) {
        shared.touch();
        let ShardWriter {
            flows, records, arena, counters, histograms, packets, alerts, hosts, ..
        } = shared;
        let totals = vec![AppTotal::default(); APPS].into();
        let export = Export {
            records,
            arena,
            counters,
            histograms,
            gate,
            totals,
            metadata: Vec::with_capacity(2048),
            held: 0,
            live,
        };
        (flows, packets, alerts, hosts, export)
    }

    /// Totals of the flows that ended, by application; those without any are left out.
    pub fn app_totals(&self) -> impl Iterator<Item = (AppId, AppTotal)> {
        let rows = (0..).map(AppId).zip(self.totals.iter().copied());
        rows.filter(|(_, total)| total.flows > 0)
    }

    /// Metadata blobs that found no room.
    pub fn metadata_lost(&self) -> u64 {
        self.arena.failed()
    }

    /// Bytes of metadata in use.
    pub fn metadata_bytes(&self) -> u64 {
        self.arena.used_bytes()
    }

    /// Appends a flow record; `health`: all of its words, or none.
    #[inline]
    pub(super) fn flow(
        &mut self,
        kind: RecordKind,
        reason: EndReason,
        time_ns: u64,
        slot: &FlowSlot,
        health: &[u64],
    ) {
        self.hold(slot.meta_ref());
        // A flow's slot is not free.
        if let Some(flow) = slot.snapshot() {
            self.records.push(kind, reason, time_ns, &flow, health, &self.metadata);
        }
        if kind == RecordKind::Ended {
            let total = &mut self.totals[usize::from(record::app(slot).0) % APPS];
            total.flows += 1;
            total.packets += record::packets(slot);
            total.bytes += record::bytes(slot);
        }
    }

    /// Stores the metadata that `write` appends in place of that of `before`, a handle, whose slot is
    /// open; returns the handle that it has now, which is `before` where it fits the same block or is
    /// empty, and 0 where there is no room. An old one that is another stays until [`Export::forget`].
    pub(super) fn replace(&mut self, before: u32, write: impl FnOnce(&mut Vec<u8>)) -> u32 {
        self.metadata.clear();
        write(&mut self.metadata);
        if self.metadata.is_empty() {
            // That is what the handle 0 stands for.
            self.held = 0;
            return before;
        }
        if self.arena.rewrite(before, &self.metadata) {
            self.held = before;
            return before;
        }
        self.store()
    }

    /// The metadata that [`Export::replace`] stored last.
    pub(super) fn replaced(&self) -> &[u8] {
        &self.metadata
    }

    /// Stores what `change` makes of stored metadata (of none for the handle 0); returns its handle, 0
    /// where there is no room. The old one stays until [`Export::forget`].
    pub(super) fn amend(&mut self, handle: u32, change: impl FnOnce(&mut Vec<u8>)) -> u32 {
        self.hold(handle);
        change(&mut self.metadata);
        self.store()
    }

    /// Has the metadata of `handle` in `metadata`.
    #[inline]
    fn hold(&mut self, handle: u32) {
        if handle != self.held {
            self.arena.read(handle, &mut self.metadata);
            self.held = handle;
        }
    }

    /// Stores what is in `metadata`; returns its handle, 0 where there is no room.
    fn store(&mut self) -> u32 {
        let stored = self.arena.store(&self.metadata);
        if stored.is_none() {
            self.metadata.clear();
        }
        self.held = stored.unwrap_or(0);
        self.held
    }

    /// Frees metadata that no slot refers to any more.
    pub(super) fn forget(&mut self, handle: u32) {
        if handle != 0 {
            self.arena.free(handle);
        }
    }

    /// Waits until the gate's reader has caught up.
    pub(super) fn wait_for_room(&self) {
        let Some(gate) = &self.gate else { return };
        let behind = || {
            // Pairs with the reader's release store after it has taken the records.
            let taken = gate.taken.load(Ordering::Acquire);
            self.records.position().saturating_sub(taken)
        };
        while behind() > gate.allowance {
            std::thread::yield_now();
        }
    }

    #[inline]
    pub(super) fn turn_took(&mut self, started_ns: u64, batch: &Batch, now_ns: u64) {
        let frames = batch.as_slice();
        self.histograms[BATCH_SIZE].record(frames.len() as u64);
        if self.live
            && let Some(first) = frames.first()
        {
            self.histograms[PACKET_AGE].record(now_ns.saturating_sub(first.timestamp_ns));
        }
        let took_ns = clock::monotonic_ns().saturating_sub(started_ns);
        self.histograms[TURN_LENGTH].record(took_ns);
    }

    #[inline]
    pub(super) fn publish(&mut self, books: &Books) {
        books.publish(&mut self.counters);
    }
}
