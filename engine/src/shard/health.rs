//! Stage: a packet is counted in its flow, and what it says of the flow's health is noted.

use weir_shm::records::{EndReason, RecordKind};

use super::{Depth, Shard};
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

    /// A flow tells its hosts what it came to, and alerts how its way was: the timer wheel has looked at
    /// it, or it ends. Its health comes along once it has its name, so that it is counted under that.
    pub(super) fn tell(&mut self, index: u32, is_last: bool) {
        if !self.is_told() {
            return;
        }
        let slot = self.table.slot(index);
        let is_named = is_last
            || self.plan.depth != Depth::Inspect
            || record::verdict_word(slot) & record::INSPECTED != 0;
        let telling = &mut self.sides[index as usize].telling;
        let course = is_named.then(|| self.health.course(index, slot, telling)).flatten();
        if let Some(course) = &course {
            self.tell_quality(index, course);
        }
        if let Some(hosts) = &mut self.hosts {
            hosts.report(index, self.table.slot(index), is_last, course.as_ref());
        }
    }

    /// Whether there is anybody to tell.
    pub(super) const fn is_told(&self) -> bool {
        self.hosts.is_some() || self.alerts.is_some()
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
