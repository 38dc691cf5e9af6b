//! Stage: a packet is counted in its flow, and what it says of the flow's health is noted.

use weir_shm::records::{EndReason, RecordKind};

use super::Shard;
use crate::capture::{Frame, Source};
use crate::flow::record;
use crate::wire::Parsed;

impl<S: Source> Shard<S> {
    /// Counts a packet in its flow; returns the flow's verdict word.
    #[inline(always)]
    pub(super) fn account(&mut self, index: u32, packet: &Parsed, frame: &Frame) -> u64 {
        let slot = self.table.slot(index);
        let (bytes, now_ns) = (frame.bytes_on_wire(), frame.timestamp_ns);
        slot.begin();
        let source = &self.source;
        self.health.observe(index, slot, packet, (bytes, now_ns), || source.bytes(frame));
        let verdict = record::account(slot, packet, bytes, now_ns);
        slot.commit();
        verdict
    }

    /// Appends a record of a flow with its health.
    pub(super) fn report(&mut self, kind: RecordKind, reason: EndReason, now_ns: u64, index: u32) {
        let slot = self.table.slot(index);
        match self.health.words(index, slot) {
            Some(words) => self.export.flow(kind, reason, now_ns, slot, &words),
            None => self.export.flow(kind, reason, now_ns, slot, &[]),
        }
    }
}
