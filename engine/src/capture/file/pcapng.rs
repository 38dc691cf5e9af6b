//! The block format (draft-ietf-opsawg-pcapng): sections in either byte order, each with its own
//! interfaces, each of those with its own link type and clock.

use super::record::{Broken, MAX_FRAME_BYTES, MAX_RECORD_BYTES, Order, Record, Step, length};
use crate::wire::LinkType;

/// What a file begins with; the same in both byte orders.
pub(super) const MAGIC: [u8; 4] = [0x0a, 0x0d, 0x0d, 0x0a];

/// Interfaces that a section may have. A frame's interface is told in one byte.
const MAX_INTERFACES: usize = 256;

/// Block types (section 10.1).
const SECTION: u32 = 0x0a0d_0d0a;
const INTERFACE: u32 = 1;
const OLD_PACKET: u32 = 2;
const SIMPLE_PACKET: u32 = 3;
const ENHANCED_PACKET: u32 = 6;

/// What the current section has told so far.
#[derive(Debug)]
pub(super) struct Pcapng {
    order: Order,
    /// Made once with room for the limit: reading allocates nothing.
    interfaces: Vec<Interface>,
    /// Simple packets have no time: they get their predecessor's.
    last_ns: u64,
}

impl Default for Pcapng {
    fn default() -> Pcapng {
        Pcapng {
            order: Order::default(),
            interfaces: Vec::with_capacity(MAX_INTERFACES),
            last_ns: 0,
        }
    }
}

#[derive(Clone, Copy, Debug)]
struct Interface {
    link: LinkType,
    snap_bytes: u32,
    clock: Clock,
    offset_ns: i128,
}

/// How an interface counts time (section 4.2, `if_tsresol`).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Clock {
    /// Units that make up a whole number of nanoseconds.
    Times(u64),
    /// Units of which several make up a nanosecond.
    Divided(u64),
    /// Seconds split by a power of two.
    Binary(u8),
}

impl Clock {
    fn read(resolution: u8) -> Clock {
        let exponent = u32::from(resolution & 0x7f);
        match resolution {
            0x80.. => Clock::Binary(resolution & 0x7f),
            0..=9 => Clock::Times(10_u64.pow(9 - exponent)),
            // Units so short that no counter of 64 bits reaches a nanosecond.
            _ => Clock::Divided(10_u64.checked_pow(exponent - 9).unwrap_or(u64::MAX)),
        }
    }

    fn ns(self, units: u64) -> i128 {
        match self {
            Clock::Times(ns) => i128::from(units) * i128::from(ns),
            Clock::Divided(units_per_ns) => i128::from(units / units_per_ns),
            Clock::Binary(bits) => (i128::from(units) * 1_000_000_000) >> bits,
        }
    }
}

impl Pcapng {
    /// How frames of the first interface begin.
    pub(super) const fn first_link(&self) -> LinkType {
        match self.interfaces.as_slice() {
            [first, ..] => first.link,
            [] => LinkType::Unsupported,
        }
    }

    /// Reads one block.
    #[inline]
    pub(super) fn step(&mut self, bytes: &[u8]) -> Step {
        let Some(head) = bytes.first_chunk::<12>() else { return Step::More(12) };
        let kind = self.order.word(head, 0);
        if kind == SECTION {
            // Its length can be read only when its byte order is known.
            self.order = match [head[8], head[9], head[10], head[11]] {
                [0x4d, 0x3c, 0x2b, 0x1a] => Order::Little,
                [0x1a, 0x2b, 0x3c, 0x4d] => Order::Big,
                _ => return Step::Broken(Broken::NoByteOrder),
            };
        }
        let said = self.order.word(head, 1);
        if said < 12 || !said.is_multiple_of(4) {
            return Step::Broken(Broken::BadLength);
        }
        if !matches!(kind, SECTION | INTERFACE | OLD_PACKET | SIMPLE_PACKET | ENHANCED_PACKET) {
            return Step::Skip(u64::from(said));
        }
        let block_bytes = length(said);
        if block_bytes > MAX_RECORD_BYTES {
            return Step::Broken(Broken::BadLength);
        }
        let Some(block) = bytes.get(..block_bytes) else { return Step::More(block_bytes) };
        if self.order.word(&block[block_bytes - 4..], 0) != said {
            return Step::Broken(Broken::BadLength);
        }
        let body = &block[8..block_bytes - 4];
        let done = match kind {
            SECTION => {
                self.interfaces.clear();
                Ok(None)
            }
            INTERFACE => self.interface(body).map(|()| None),
            OLD_PACKET => self.old_packet(body).map(Some),
            SIMPLE_PACKET => self.simple_packet(body).map(Some),
            _ => self.enhanced_packet(body).map(Some),
        };
        match done {
            Ok(None) => Step::Other(block_bytes),
            Ok(Some(record)) => Step::Frame(Record { bytes: block_bytes, ..record }),
            Err(broken) => Step::Broken(broken),
        }
    }

    /// Section 4.2.
    fn interface(&mut self, body: &[u8]) -> Result<(), Broken> {
        let (head, options) = body.split_first_chunk::<8>().ok_or(Broken::BadLength)?;
        if self.interfaces.len() == MAX_INTERFACES {
            return Err(Broken::TooManyInterfaces);
        }
        let number = u32::from(self.order.u16([head[0], head[1]]));
        let mut interface = Interface {
            link: LinkType::from_dlt(number).unwrap_or(LinkType::Unsupported),
            snap_bytes: self.order.word(head, 1),
            clock: Clock::Times(1000),
            offset_ns: 0,
        };
        for (code, value) in (Options { order: self.order, rest: options }) {
            match (code, value) {
                (9, [resolution, ..]) => interface.clock = Clock::read(*resolution),
                (14, _) => {
                    let seconds = value.first_chunk::<8>().map_or(0, |bytes| match self.order {
                        Order::Little => i64::from_le_bytes(*bytes),
                        Order::Big => i64::from_be_bytes(*bytes),
                    });
                    interface.offset_ns = i128::from(seconds) * 1_000_000_000;
                }
                _ => {}
            }
        }
        self.interfaces.push(interface);
        Ok(())
    }

    /// Section 4.3.
    fn enhanced_packet(&mut self, body: &[u8]) -> Result<Record, Broken> {
        let (head, data) = body.split_first_chunk::<20>().ok_or(Broken::BadLength)?;
        let word = |index| self.order.word(head, index);
        let at = (word(0), u64::from(word(1)) << 32 | u64::from(word(2)));
        self.packet(at, (word(3), word(4)), 28, data)
    }

    /// Appendix A: what came before it.
    fn old_packet(&mut self, body: &[u8]) -> Result<Record, Broken> {
        let (head, data) = body.split_first_chunk::<20>().ok_or(Broken::BadLength)?;
        let word = |index| self.order.word(head, index);
        let interface = u32::from(self.order.u16([head[0], head[1]]));
        let at = (interface, u64::from(word(1)) << 32 | u64::from(word(2)));
        self.packet(at, (word(3), word(4)), 28, data)
    }

    /// Section 4.4: of the first interface, and as much as that one captures.
    fn simple_packet(&self, body: &[u8]) -> Result<Record, Broken> {
        let (head, data) = body.split_first_chunk::<4>().ok_or(Broken::BadLength)?;
        let interface = self.interfaces.first().ok_or(Broken::NoInterface)?;
        let wire_bytes = self.order.u32(*head);
        let captured_bytes = match interface.snap_bytes {
            0 => wire_bytes,
            limit => wire_bytes.min(limit),
        };
        let link = interface.link;
        self.record((captured_bytes, wire_bytes), 12, data, link, 0)
    }

    fn packet(
        &mut self,
        (index, units): (u32, u64),
        lengths: (u32, u32),
        from: u64,
        data: &[u8],
    ) -> Result<Record, Broken> {
        let interface = self.interfaces.get(length(index)).ok_or(Broken::NoInterface)?;
        let ns = interface.clock.ns(units).saturating_add(interface.offset_ns);
        // Times before 1970 are none that a packet was captured at.
        self.last_ns = u64::try_from(ns.max(0)).unwrap_or(u64::MAX);
        let link = interface.link;
        let index = u8::try_from(index).map_err(|_| Broken::TooManyInterfaces)?;
        self.record(lengths, from, data, link, index)
    }

    fn record(
        &self,
        (captured_bytes, wire_bytes): (u32, u32),
        from: u64,
        data: &[u8],
        link: LinkType,
        interface: u8,
    ) -> Result<Record, Broken> {
        if captured_bytes > MAX_FRAME_BYTES {
            return Err(Broken::FrameTooLarge);
        }
        if length(captured_bytes) > data.len() {
            return Err(Broken::BadLength);
        }
        Ok(Record {
            bytes: 0,
            from,
            captured_bytes,
            wire_bytes: wire_bytes.max(captured_bytes),
            timestamp_ns: self.last_ns,
            link,
            interface,
        })
    }
}

/// A block's options (section 3.5): code, length, value, padding. Ends at the end mark or at what
/// cannot be an option.
struct Options<'a> {
    order: Order,
    rest: &'a [u8],
}

impl<'a> Iterator for Options<'a> {
    type Item = (u16, &'a [u8]);

    fn next(&mut self) -> Option<(u16, &'a [u8])> {
        let ([a, b, c, d], rest) = self.rest.split_first_chunk::<4>()?;
        let code = self.order.u16([*a, *b]);
        if code == 0 {
            return None;
        }
        let bytes = usize::from(self.order.u16([*c, *d]));
        let value = rest.get(..bytes)?;
        self.rest = rest.get(bytes.next_multiple_of(4)..).unwrap_or(&[]);
        Some((code, value))
    }
}
