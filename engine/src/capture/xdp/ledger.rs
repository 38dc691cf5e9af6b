//! The kernel's side of the books.

use std::fs;

use af_xdp::Socket;
use weir_ebpf::Program;
use weir_ebpf::table::{Counter, Row};

use super::{XdpError, XdpReport};

/// What happened to the frames of one queue.
#[derive(Clone, PartialEq, Eq, Default, Debug)]
pub struct QueueLedger {
    /// The queue; `u32::MAX` for the row of queues that came later.
    pub queue: u32,
    /// Everything that the XDP program counted, by name in `weir_ebpf::table`.
    pub program: Row,
    /// Frames redirected that found the receive ring of their socket full.
    pub ring_full: u64,
    /// Frames redirected that found no chunk (copy mode), or were longer than the socket takes.
    pub dropped: u64,
    /// Descriptors that named no chunk; for information, not frames.
    pub invalid_descriptors: u64,
    /// Times that the fill ring was empty; for information, not frames.
    pub fill_empty: u64,
    /// Frames that the sources received, added by the caller.
    pub received: u64,
}

impl QueueLedger {
    /// Frames that reached the XDP program.
    pub fn seen(&self) -> u64 {
        self.program.get(Counter::Seen)
    }

    /// Frames redirected to a socket.
    pub fn redirected(&self) -> u64 {
        self.program.get(Counter::Redirected)
    }

    /// Frames left to the kernel for want of a socket.
    pub fn passed_no_socket(&self) -> u64 {
        self.program.get(Counter::PassedNoSocket)
    }

    /// Frames whose redirection was refused.
    pub fn aborted(&self) -> u64 {
        self.program.get(Counter::Aborted)
    }

    /// Frames that no entry accounts for; 0 once traffic stands still and everything is received.
    pub fn unaccounted(&self) -> u64 {
        let accounted = self.passed_no_socket()
            + self.aborted()
            + self.ring_full
            + self.dropped
            + self.received;
        self.seen().abs_diff(accounted)
    }
}

/// Adds the rows of a later hold on the interface. Queues that the start had not are the last row's.
pub(super) fn add(rows: &mut [QueueLedger], later: &[QueueLedger]) {
    let Some(last) = rows.len().checked_sub(1) else { return };
    for row in later {
        let at = usize::try_from(row.queue).map_or(last, |queue| queue.min(last));
        let Some(sum) = rows.get_mut(at) else { continue };
        sum.program.merge(&row.program);
        sum.ring_full += row.ring_full;
        sum.dropped += row.dropped;
        sum.invalid_descriptors += row.invalid_descriptors;
        sum.fill_empty += row.fill_empty;
    }
}

/// A row for each queue, and one for those that come later.
pub(super) fn empty(queues: u32) -> Vec<QueueLedger> {
    let row = |queue| QueueLedger { queue, ..QueueLedger::default() };
    (0..queues).chain([u32::MAX]).map(row).collect()
}

/// What the NIC had no room for, over all holds on the interface.
#[derive(Clone, Copy, Default, Debug)]
pub(super) struct Missed {
    /// What the NIC's counter showed when the present hold began, where it can be read.
    before: Option<u64>,
    /// What came to it since, as last seen.
    since: u64,
    /// What came to it in holds before.
    carried: u64,
}

impl Missed {
    /// A hold begins.
    pub(super) fn begin(&mut self, report: &XdpReport) {
        self.before = nic_missed(&report.interface, report.interface_index);
    }

    /// The hold ends.
    pub(super) fn end(&mut self) {
        self.carried += std::mem::take(&mut self.since);
        self.before = None;
    }

    /// Reads the NIC's counter, which goes with the interface.
    pub(super) fn look(&mut self, report: &XdpReport) {
        self.since = self.read(report).unwrap_or(self.since);
    }

    fn read(&self, report: &XdpReport) -> Option<u64> {
        let now = nic_missed(&report.interface, report.interface_index)?;
        Some(now.saturating_sub(self.before?))
    }

    /// Frames since the start; none where the system never showed the counter.
    pub(super) fn all(&self, report: &XdpReport) -> Option<u64> {
        let since = self.read(report).or(self.before.map(|_| self.since));
        let known = since.is_some() || self.carried != 0;
        known.then(|| self.carried + since.unwrap_or(0))
    }
}

pub(super) fn read(
    program: &Program,
    sockets: &[(u32, Socket)],
) -> Result<Vec<QueueLedger>, XdpError> {
    let mut ledger: Vec<QueueLedger> = (0..)
        .zip(program.counters()?)
        .map(|(queue, row)| QueueLedger { queue, program: row, ..QueueLedger::default() })
        .collect();
    for (queue, socket) in sockets {
        let statistics = socket.statistics()?;
        let Some(row) = ledger.iter_mut().find(|row| row.queue == *queue) else { continue };
        row.ring_full += statistics.ring_full;
        row.dropped += statistics.dropped;
        row.invalid_descriptors += statistics.invalid_fill;
        // One number for the queue, shown by each of its sockets.
        row.fill_empty = row.fill_empty.max(statistics.fill_empty_queue);
    }
    if let Some(others) = ledger.last_mut() {
        others.queue = u32::MAX;
    }
    Ok(ledger)
}

/// Frames that the NIC had no room for, ever; none where the system shows no such interface.
fn nic_missed(interface: &str, index: u32) -> Option<u64> {
    let number = |file: &str| -> Option<u64> {
        let path = format!("/sys/class/net/{interface}/{file}");
        fs::read_to_string(path).ok()?.trim().parse().ok()
    };
    // The mounted /sys may show another network namespace's interfaces.
    if number("ifindex")? != u64::from(index) {
        return None;
    }
    let missed = number("statistics/rx_missed_errors")?;
    Some(missed.saturating_add(number("statistics/rx_fifo_errors")?))
}
