//! The blocks of a capture file, one at a time: how long the next is, and what it says.
//!
//! Works on slices, so that a file may be read from its beginning or at any packet's place. pcapng
//! after draft-ietf-opsawg-pcapng, pcap after draft-ietf-opsawg-pcap.

use super::note::{self, Note};
use super::{Packet, RECORD_BYTES, alert, half, word};

/// Bytes of a file that [`Layout::begin`] wants to see, as far as it has them.
pub(crate) const BEGIN_BYTES: usize = 28;
/// Bytes of a block that [`Layout::length`] wants to see.
pub(crate) const HEAD_BYTES: usize = 16;

const SECTION: u32 = 0x0a0d_0d0a;
const STATISTICS: u32 = 5;
const PCAP_HEADER_BYTES: usize = 24;

/// How a file is to be read.
#[derive(Clone, Default, Debug)]
pub(crate) struct Layout {
    kind: Kind,
    big: bool,
    /// Those of all sections so far.
    interfaces: Vec<Interface>,
    /// The first one of the section.
    base: usize,
}

#[derive(Clone, Copy, Default, PartialEq, Eq, Debug)]
enum Kind {
    Pcap,
    #[default]
    Pcapng,
}

/// What is known of an interface.
#[derive(Clone, PartialEq, Eq, Debug)]
struct Interface {
    name: String,
    link_type: u32,
    snap_bytes: u32,
    resolution: Resolution,
    offset_ns: i128,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Resolution {
    /// Units of a second.
    Units(u128),
    /// Powers of two, above what fits.
    Nothing,
}

/// What a block is.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Item<'a> {
    Packet(Packet<'a>),
    /// A section or an interface: packets after it cannot be read without it.
    Layout,
    /// Alerts of which no packet tells, as [`alert::all`] reads them.
    Alerts(&'a [u8]),
    Other,
}

impl Layout {
    /// The layout of a file that begins so, and the bytes before its first block; none if it is no
    /// capture file.
    pub(crate) fn begin(head: &[u8]) -> Option<(Layout, usize)> {
        let layout = |kind, big| Layout { kind, big, interfaces: Vec::new(), base: 0 };
        if word(head, 0, false) == SECTION {
            let big = order(head)?;
            return Some((layout(Kind::Pcapng, big), 0));
        }
        let magic = head.get(..4)?;
        let (big, units) = match magic {
            [0xd4, 0xc3, 0xb2, 0xa1] => (false, 1_000_000),
            [0xa1, 0xb2, 0xc3, 0xd4] => (true, 1_000_000),
            [0x4d, 0x3c, 0xb2, 0xa1] => (false, 1_000_000_000),
            [0xa1, 0xb2, 0x3c, 0x4d] => (true, 1_000_000_000),
            _ => return None,
        };
        head.get(..PCAP_HEADER_BYTES)?;
        let mut layout = layout(Kind::Pcap, big);
        layout.interfaces.push(Interface {
            name: String::new(),
            link_type: word(head, 20, big) & 0x0fff_ffff,
            snap_bytes: word(head, 16, big),
            resolution: Resolution::Units(units),
            offset_ns: 0,
        });
        Some((layout, PCAP_HEADER_BYTES))
    }

    /// Bytes of the block that begins with `head`, [`HEAD_BYTES`] or what there is; none if it is
    /// no block.
    pub(crate) fn length(&self, head: &[u8]) -> Option<usize> {
        let length = match self.kind {
            Kind::Pcap => {
                head.get(..HEAD_BYTES)?;
                let (kept, wire) = (word(head, 8, self.big), word(head, 12, self.big));
                // What was never written is zero.
                if kept == 0 && wire == 0 {
                    return None;
                }
                usize::try_from(kept).ok()?.checked_add(HEAD_BYTES)?
            }
            Kind::Pcapng => {
                head.get(..12)?;
                let is_section = word(head, 0, false) == SECTION;
                let big = if is_section { order(head)? } else { self.big };
                let length = usize::try_from(word(head, 4, big)).ok()?;
                if length < 12 || length % 4 != 0 {
                    return None;
                }
                length
            }
        };
        (length <= RECORD_BYTES).then_some(length)
    }

    /// Reads a whole block; none if it contradicts itself.
    pub(crate) fn read<'a>(&mut self, block: &'a [u8]) -> Option<Item<'a>> {
        match self.kind {
            Kind::Pcap => self.pcap(block).map(Item::Packet),
            Kind::Pcapng => self.pcapng(block),
        }
    }

    /// Reads a whole packet; none if it contradicts itself, or is none.
    pub(crate) fn peek<'a>(&self, block: &'a [u8]) -> Option<Item<'a>> {
        if self.kind == Kind::Pcap {
            return self.pcap(block).map(Item::Packet);
        }
        let end = block.len().checked_sub(4)?;
        if word(block, end, self.big) != word(block, 4, self.big) {
            return None;
        }
        let body = block.get(8..end)?;
        match word(block, 0, self.big) {
            2 => self.packet(body, u32::from(half(body, 0, self.big))),
            3 => self.simple(body),
            6 => self.packet(body, word(body, 0, self.big)),
            _ => None,
        }
    }

    /// Whether the block that begins with `head` is a packet.
    pub(crate) fn is_packet(&self, head: &[u8]) -> bool {
        self.kind == Kind::Pcap || matches!(word(head, 0, self.big), 2 | 3 | 6)
    }

    /// The name of an interface, as packets number it.
    pub(crate) fn interface_name(&self, interface: u32) -> &str {
        let known = usize::try_from(interface).ok().and_then(|at| self.interfaces.get(at));
        known.map_or("", |interface| interface.name.as_str())
    }

    #[inline]
    fn pcap<'a>(&self, block: &'a [u8]) -> Option<Packet<'a>> {
        let interface = self.interfaces.first()?;
        let [seconds, fraction, _, wire] = [0, 4, 8, 12].map(|at| word(block, at, self.big));
        let Resolution::Units(units) = interface.resolution else { return None };
        let per_unit = 1_000_000_000 / u64::try_from(units).ok()?;
        Some(Packet {
            time_ns: u64::from(seconds) * 1_000_000_000 + u64::from(fraction) * per_unit,
            bytes: block.get(HEAD_BYTES..)?,
            wire_bytes: wire,
            link_type: interface.link_type,
            interface: 0,
            note: None,
            lost: 0,
            comment: "",
            alerts: &[],
        })
    }

    fn pcapng<'a>(&mut self, block: &'a [u8]) -> Option<Item<'a>> {
        if self.is_packet(block) {
            return self.peek(block);
        }
        let kind = word(block, 0, self.big);
        if kind == SECTION {
            self.big = order(block)?;
            self.base = self.interfaces.len();
        }
        let end = block.len().checked_sub(4)?;
        if word(block, end, self.big) != word(block, 4, self.big) {
            return None;
        }
        if kind == 1 {
            let interface = self.interface(block.get(8..end)?);
            self.interfaces.push(interface);
        }
        Some(match kind {
            SECTION | 1 => Item::Layout,
            STATISTICS => self.statistics(block.get(8..end)?),
            _ => Item::Other,
        })
    }

    fn interface(&self, body: &[u8]) -> Interface {
        let mut interface = Interface {
            name: String::new(),
            link_type: u32::from(half(body, 0, self.big)),
            snap_bytes: word(body, 4, self.big),
            resolution: Resolution::Units(1_000_000),
            offset_ns: 0,
        };
        for (code, value) in options(body.get(8..).unwrap_or_default(), self.big) {
            match (code, value) {
                (2, name) => interface.name = String::from_utf8_lossy(name).into_owned(),
                (9, &[power, ..]) => interface.resolution = resolution(power),
                (14, value) => {
                    let seconds = <[u8; 8]>::try_from(value).unwrap_or_default();
                    let seconds = if self.big {
                        i64::from_be_bytes(seconds)
                    } else {
                        i64::from_le_bytes(seconds)
                    };
                    interface.offset_ns = i128::from(seconds) * 1_000_000_000;
                }
                _ => {}
            }
        }
        interface
    }

    /// An enhanced packet, or one of the older kind, which has the same places.
    fn packet<'a>(&self, body: &'a [u8], interface: u32) -> Option<Item<'a>> {
        let number = self.base.checked_add(usize::try_from(interface).ok()?)?;
        let known = self.interfaces.get(number)?;
        let [high, low, kept, wire_bytes] = [4, 8, 12, 16].map(|at| word(body, at, self.big));
        let kept = usize::try_from(kept).ok()?;
        let bytes = body.get(20..20_usize.checked_add(kept)?)?;
        let mut packet = Packet {
            time_ns: known.time_ns(u64::from(high) << 32 | u64::from(low)),
            bytes,
            wire_bytes,
            link_type: known.link_type,
            interface: u32::try_from(number).ok()?,
            note: None,
            lost: 0,
            comment: "",
            alerts: &[],
        };
        let rest = body.get(20 + kept.next_multiple_of(4)..).unwrap_or_default();
        for (code, value) in options(rest, self.big) {
            match code {
                1 => packet.comment = std::str::from_utf8(value).unwrap_or_default(),
                4 => {
                    let count = <[u8; 8]>::try_from(value).unwrap_or_default();
                    packet.lost = if self.big {
                        u64::from_be_bytes(count)
                    } else {
                        u64::from_le_bytes(count)
                    };
                }
                note::OPTION => match alert::read(value) {
                    Some(alerts) => packet.alerts = alerts,
                    None => packet.note = packet.note.or_else(|| Note::read(value)),
                },
                _ => {}
            }
        }
        Some(Item::Packet(packet))
    }

    /// What an interface counted; here it matters whether alerts are told of, too.
    fn statistics<'a>(&self, body: &'a [u8]) -> Item<'a> {
        let mut options = options(body.get(12..).unwrap_or_default(), self.big);
        let alerts = options.find_map(
            |(code, value)| {
                if code == note::OPTION { alert::read(value) } else { None }
            },
        );
        alerts.map_or(Item::Other, Item::Alerts)
    }

    /// A packet without a time, of the section's first interface.
    fn simple<'a>(&self, body: &'a [u8]) -> Option<Item<'a>> {
        let known = self.interfaces.get(self.base)?;
        let wire_bytes = word(body, 0, self.big);
        let mut kept = usize::try_from(wire_bytes).ok()?;
        if known.snap_bytes != 0 {
            kept = kept.min(usize::try_from(known.snap_bytes).ok()?);
        }
        Some(Item::Packet(Packet {
            time_ns: 0,
            bytes: body.get(4..4_usize.checked_add(kept)?)?,
            wire_bytes,
            link_type: known.link_type,
            interface: u32::try_from(self.base).ok()?,
            note: None,
            lost: 0,
            comment: "",
            alerts: &[],
        }))
    }
}

impl Interface {
    fn time_ns(&self, units: u64) -> u64 {
        let Resolution::Units(per_second) = self.resolution else { return 0 };
        let ns = if per_second == 1_000_000_000 {
            i128::from(units)
        } else {
            i128::try_from(u128::from(units) * 1_000_000_000 / per_second).unwrap_or(0)
        };
        u64::try_from(ns + self.offset_ns).unwrap_or(0)
    }
}

fn resolution(power: u8) -> Resolution {
    let exponent = u32::from(power & 0x7f);
    let units = if power & 0x80 == 0 {
        10_u128.checked_pow(exponent)
    } else {
        2_u128.checked_pow(exponent)
    };
    // Above 64 bits a second is more than any time stamp.
    units.filter(|units| *units <= 1 << 64).map_or(Resolution::Nothing, Resolution::Units)
}

/// Whether a section is big endian.
fn order(block: &[u8]) -> Option<bool> {
    match block.get(8..12)? {
        [0x1a, 0x2b, 0x3c, 0x4d] => Some(true),
        [0x4d, 0x3c, 0x2b, 0x1a] => Some(false),
        _ => None,
    }
}

/// Options up to their end, or to the first that does not fit.
fn options(mut rest: &[u8], big: bool) -> impl Iterator<Item = (u16, &[u8])> {
    std::iter::from_fn(move || {
        let (code, length) = (half(rest, 0, big), usize::from(half(rest, 2, big)));
        if code == 0 {
            return None;
        }
        let value = rest.get(4..4 + length)?;
        rest = rest.get(4 + length.next_multiple_of(4)..).unwrap_or_default();
        Some((code, value))
    })
}
