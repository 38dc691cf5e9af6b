//! The end of flows: by time, by the table being full, by the end of the run.

use weir_shm::records::{EndReason, RecordKind};

use super::{Shard, seconds};
use crate::books::Count;
use crate::capture::Source;
use crate::flow::record::{self, Closed};
use crate::flow::timeouts::{LOOK_NS, Timeouts};

/// Flows that a turn looks at for their timers, at most.
const LOOKS_PER_TURN: usize = 256;

impl<S: Source> Shard<S> {
    /// Stage: ends the flows that are due.
    pub(super) fn tick(&mut self, now_ns: u64) {
        if self.plan.timeouts.is_none() {
            return;
        }
        for _ in 0..LOOKS_PER_TURN {
            let Some(index) = self.wheel.pop(now_ns) else { return };
            self.look_at(index, now_ns);
        }
        self.books.one(Count::TimersLate);
    }

    /// Has a new flow looked at when it may be due.
    #[inline]
    pub(super) fn watch(&mut self, index: u32, timestamp_ns: u64) {
        if self.plan.timeouts.is_some() {
            self.wheel.arm(index, timestamp_ns + LOOK_NS);
        }
    }

    /// Ends the flow in this slot if it is due, else has it looked at again.
    fn look_at(&mut self, index: u32, now_ns: u64) {
        let Some(timeouts) = &self.plan.timeouts else { return };
        let slot = self.table.slot(index);
        if record::is_free(slot) {
            return;
        }
        let closed = record::closed(record::verdict_word(slot));
        let silence_ns = allowed_silence(timeouts, slot, closed);
        let deadline_ns = record::last_ns(slot) + silence_ns;
        if deadline_ns <= now_ns {
            self.end_flow(index, closed.map_or(EndReason::Idle, Closed::reason), now_ns);
            return;
        }
        let active_ns = timeouts.active_ns;
        self.tell(index, false);
        let report_ns =
            u64::from(self.sides[index as usize].reported_s) * 1_000_000_000 + active_ns;
        let again_ns = deadline_ns.min(now_ns + LOOK_NS);
        if report_ns <= now_ns {
            self.sides[index as usize].reported_s = seconds(now_ns);
            self.books.one(Count::FlowUpdates);
            self.report(RecordKind::Updated, EndReason::Active, now_ns, index);
        }
        self.wheel.arm(index, again_ns);
    }

    /// Makes room for a new flow.
    #[cold]
    pub(super) fn evict(&mut self, index: u32, count: Count, now_ns: u64) {
        self.books.one(count);
        self.end_counted(index, EndReason::Evicted, now_ns);
    }

    /// Ends a flow and counts why.
    pub(super) fn end_flow(&mut self, index: u32, reason: EndReason, now_ns: u64) {
        self.books.one(match reason {
            EndReason::TcpFin => Count::FlowsFin,
            EndReason::TcpReset => Count::FlowsReset,
            EndReason::Shutdown => Count::FlowsShutdown,
            _ => Count::FlowsIdle,
        });
        self.end_counted(index, reason, now_ns);
    }

    fn end_counted(&mut self, index: u32, reason: EndReason, now_ns: u64) {
        let silent = self.is_silent(index);
        self.end_inspection(index);
        self.judge_course(index, silent);
        self.tell_end(index);
        self.tell(index, true);
        self.report(RecordKind::Ended, reason, now_ns, index);
        let slot = self.table.slot(index);
        let metadata = slot.meta_ref();
        record::close(slot);
        // Only now: whoever still reads the slot finds out that it was opened.
        self.export.forget(metadata);
        self.table.release(index);
    }

    /// Ends every flow: the run is over.
    pub(super) fn end_all(&mut self) {
        let now_ns = self.source.now_ns();
        for group in 0..self.table.groups() {
            for index in self.table.taken_in_group(group) {
                self.end_flow(index, EndReason::Shutdown, now_ns);
            }
            self.export.wait_for_room();
        }
    }
}

/// How long this flow may be silent.
fn allowed_silence(
    timeouts: &Timeouts,
    slot: &weir_shm::flow::FlowSlot,
    closed: Option<Closed>,
) -> u64 {
    if closed.is_some() {
        return timeouts.closed_ns;
    }
    if timeouts.local.is_empty() || timeouts.local_idle_ns == timeouts.idle_ns {
        return timeouts.idle_ns;
    }
    let ends = record::endpoints(&record::key(slot));
    let local = ends.iter().all(|end| timeouts.is_local(end.address));
    if local { timeouts.local_idle_ns } else { timeouts.idle_ns }
}
