//! The classic format (draft-ietf-opsawg-pcap), with its variants in the wild: seconds with
//! microseconds or nanoseconds, both byte orders, and the "modified" one with longer records.

use super::record::{Broken, MAX_FRAME_BYTES, Order, Record, Step, length};
use crate::wire::LinkType;

/// Bytes of the file's header.
pub(super) const HEADER_BYTES: usize = 24;

/// Bytes of a record's header.
const RECORD_BYTES: usize = 16;

/// The same in the modified variant, which adds an interface, a protocol and a packet type.
const MODIFIED_RECORD_BYTES: usize = 24;

/// What the file's header tells.
#[derive(Clone, Copy, Debug)]
pub(super) struct Pcap {
    order: Order,
    record_bytes: usize,
    fraction_ns: u64,
    /// Versions before 2.3 wrote a record's two lengths in the other order, 2.3 sometimes.
    version: (u16, u16),
    link: LinkType,
}

impl Pcap {
    /// Reads the file's header.
    pub(super) fn read(magic: [u8; 4], bytes: &[u8]) -> Result<Pcap, Option<Broken>> {
        const MICROSECONDS: u32 = 0xa1b2_c3d4;
        const NANOSECONDS: u32 = 0xa1b2_3c4d;
        const MODIFIED: u32 = 0xa1b2_cd34;
        let of = |order: Order| match order.u32(magic) {
            MICROSECONDS => Some((order, RECORD_BYTES, 1000)),
            NANOSECONDS => Some((order, RECORD_BYTES, 1)),
            MODIFIED => Some((order, MODIFIED_RECORD_BYTES, 1000)),
            _ => None,
        };
        let found = of(Order::Little).or_else(|| of(Order::Big)).ok_or(None)?;
        let (order, record_bytes, fraction_ns) = found;
        let header = bytes.first_chunk::<HEADER_BYTES>().ok_or(Some(Broken::Truncated))?;
        let version = (order.u16([header[4], header[5]]), order.u16([header[6], header[7]]));
        // The upper half tells of a frame check sequence, which the IP length leaves out.
        let number = order.word(header, 5) & 0xffff;
        let link = LinkType::from_dlt(number).unwrap_or(LinkType::Unsupported);
        Ok(Pcap { order, record_bytes, fraction_ns, version, link })
    }

    /// How its frames begin.
    pub(super) const fn link(&self) -> LinkType {
        self.link
    }

    /// Reads one record.
    #[inline]
    pub(super) fn step(&self, bytes: &[u8]) -> Step {
        let Some(header) = bytes.get(..self.record_bytes) else {
            return Step::More(self.record_bytes);
        };
        let word = |index| self.order.word(header, index);
        let (mut captured_bytes, mut wire_bytes) = (word(2), word(3));
        let swapped =
            self.version < (2, 3) || (self.version == (2, 3) && captured_bytes > wire_bytes);
        if swapped {
            (captured_bytes, wire_bytes) = (wire_bytes, captured_bytes);
        }
        if captured_bytes > MAX_FRAME_BYTES {
            return Step::Broken(Broken::FrameTooLarge);
        }
        let record_bytes = self.record_bytes + length(captured_bytes);
        if record_bytes > bytes.len() {
            return Step::More(record_bytes);
        }
        Step::Frame(Record {
            bytes: record_bytes,
            from: if self.record_bytes == RECORD_BYTES { 16 } else { 24 },
            captured_bytes,
            wire_bytes: wire_bytes.max(captured_bytes),
            timestamp_ns: u64::from(word(0)) * 1_000_000_000
                + u64::from(word(1)) * self.fraction_ns,
            link: self.link,
            interface: 0,
        })
    }
}
