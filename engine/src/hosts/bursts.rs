//! Throughput of interfaces, and the bursts within that averages hide.
//!
//! Frames of a turn nearly always lie in one millisecond: they are added up first, and written down
//! where the millisecond or the interface changes, and at the end of the turn.

use weir_shm::hosts::{BURST_SHIFT, HostsWriter};

use crate::capture::Frame;

/// Interfaces of a source that have a row; those beyond share the last one.
pub(super) const INTERFACES: u32 = 16;

/// See the module.
#[derive(Clone, Copy, Default, Debug)]
pub(super) struct Bursts {
    frames: u64,
    bytes: u64,
    /// Of the newest frame.
    time_ns: u64,
    interface: u8,
}

impl Bursts {
    /// Adds the frames of a turn.
    #[inline]
    pub(super) fn account(&mut self, writer: &HostsWriter, frames: &[Frame]) {
        for frame in frames {
            let other = (frame.timestamp_ns ^ self.time_ns) >> BURST_SHIFT
                | u64::from(frame.interface ^ self.interface);
            if other != 0 {
                self.write_down(writer);
            }
            self.time_ns = frame.timestamp_ns;
            self.interface = frame.interface;
            self.frames += 1;
            self.bytes += u64::from(frame.bytes_on_wire());
        }
        self.write_down(writer);
    }

    #[inline]
    fn write_down(&mut self, writer: &HostsWriter) {
        if self.frames > 0 {
            let row = usize::from(self.interface).min(INTERFACES as usize - 1);
            writer.interface(row).account(self.frames, self.bytes, self.time_ns);
        }
        (self.frames, self.bytes) = (0, 0);
    }
}
