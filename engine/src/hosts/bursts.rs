//! Throughput of interfaces, and the bursts within that averages hide.
//!
//! Frames of a turn nearly always lie in one millisecond: they are added up first, and written down
//! where the millisecond or the interface changes, and at the end of the turn.

use weir_shm::hosts::{BURST_SHIFT, HostsWriter};

use crate::capture::Frame;

/// Interfaces of a source that have a row; those beyond share the last one.
pub(super) const INTERFACES: u32 = 16;

/// Adds the frames of a turn.
#[inline]
pub(super) fn account(writer: &HostsWriter, frames: &[Frame]) {
    let Some(mut first) = frames.first() else { return };
    let (mut count, mut bytes) = (0, 0);
    for frame in frames {
        let other = (frame.timestamp_ns ^ first.timestamp_ns) >> BURST_SHIFT
            | u64::from(frame.interface ^ first.interface);
        if other != 0 {
            write_down(writer, first, count, bytes);
            (first, count, bytes) = (frame, 0, 0);
        }
        count += 1;
        bytes += u64::from(frame.bytes_on_wire());
    }
    write_down(writer, first, count, bytes);
}

/// Adds frames of the millisecond and the interface of `first`.
fn write_down(writer: &HostsWriter, first: &Frame, frames: u64, bytes: u64) {
    let row = usize::from(first.interface).min(INTERFACES as usize - 1);
    writer.interface(row).account(frames, bytes, first.timestamp_ns);
}
