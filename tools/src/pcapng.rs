//! Writes capture files of the newer form, pcapng (draft-ietf-opsawg-pcapng): one section, little
//! endian, times in nanoseconds.
//!
//! A writer of our own because what is needed is small and hot: a block is put together in one
//! buffer, which is used again, where the crate `pcap-file` (MIT) takes each packet's options as
//! owned values, and is between two versions. What it writes is read back by tshark in the tests.

use std::io::{self, Write};
use std::net::IpAddr;

/// Bytes of a text that a block can hold; longer ones are cut.
const TEXT_BYTES: usize = 4096;

const SECTION: u32 = 0x0a0d_0d0a;
const INTERFACE: u32 = 1;
const NAMES: u32 = 4;
const STATISTICS: u32 = 5;
const PACKET: u32 = 6;

/// Writes blocks to `out`, each with one call.
#[derive(Debug)]
pub(crate) struct Writer<W> {
    out: W,
    block: Vec<u8>,
    interfaces: u32,
}

/// What is said of an interface.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Interface<'a> {
    pub(crate) name: &'a str,
    pub(crate) description: &'a str,
    /// The filter behind which packets were chosen; empty: none.
    pub(crate) filter: &'a str,
    /// `LINKTYPE_` number.
    pub(crate) link_type: u32,
    /// Bytes kept of a packet at most; 0: all.
    pub(crate) snap_bytes: u32,
}

/// A packet.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Packet<'a> {
    /// Number of its interface, as [`Writer::interface`] gave it.
    pub(crate) interface: u32,
    pub(crate) time_ns: u64,
    pub(crate) bytes: &'a [u8],
    pub(crate) wire_bytes: u32,
    /// Empty: none.
    pub(crate) comment: &'a str,
    /// Packets lost since the last one.
    pub(crate) lost: u64,
}

/// What an interface counted.
#[derive(Clone, Copy, Default, Debug)]
pub(crate) struct Statistics {
    pub(crate) start_ns: u64,
    pub(crate) end_ns: u64,
    pub(crate) received: u64,
    /// Lost for want of room.
    pub(crate) dropped: u64,
    /// Passed the filter.
    pub(crate) accepted: u64,
    pub(crate) delivered: u64,
}

impl<W: Write> Writer<W> {
    /// Begins a section.
    ///
    /// # Errors
    /// What `out` says; the same below.
    pub(crate) fn new(out: W, program: &str) -> io::Result<Writer<W>> {
        let mut writer = Writer { out, block: Vec::with_capacity(1 << 12), interfaces: 0 };
        writer.begin(SECTION);
        writer.word(0x1a2b_3c4d);
        // Version 1.0; the section's length is not known yet.
        writer.word(1);
        writer.block.extend([0xff; 8]);
        writer.text(3, std::env::consts::OS);
        writer.text(4, program);
        writer.end_options();
        writer.finish()?;
        Ok(writer)
    }

    /// Goes on in a section that was begun elsewhere: interfaces are counted from 0.
    pub(crate) const fn within(out: W) -> Writer<W> {
        Writer { out, block: Vec::new(), interfaces: 0 }
    }

    /// Adds an interface; its number.
    pub(crate) fn interface(&mut self, interface: &Interface<'_>) -> io::Result<u32> {
        self.begin(INTERFACE);
        self.word(interface.link_type & 0xffff);
        self.word(interface.snap_bytes);
        self.text(2, interface.name);
        self.text(3, interface.description);
        // Nanoseconds: 10 to the power of -9.
        self.option(9, &[9]);
        if !interface.filter.is_empty() {
            // Of the kind that libpcap reads, as text.
            let filter = [&[0], cut(interface.filter).as_bytes()].concat();
            self.option(11, &filter);
        }
        self.text(12, std::env::consts::OS);
        self.end_options();
        self.finish()?;
        self.interfaces += 1;
        Ok(self.interfaces - 1)
    }

    /// Adds a packet.
    pub(crate) fn packet(&mut self, packet: &Packet<'_>) -> io::Result<()> {
        self.begin(PACKET);
        self.word(packet.interface);
        self.time(packet.time_ns);
        self.word(length(packet.bytes.len()));
        self.word(packet.wire_bytes);
        self.block.extend(packet.bytes);
        self.pad();
        if !packet.comment.is_empty() {
            self.text(1, packet.comment);
        }
        if packet.lost != 0 {
            self.option(4, &packet.lost.to_le_bytes());
        }
        if !packet.comment.is_empty() || packet.lost != 0 {
            self.end_options();
        }
        self.finish()
    }

    /// Says by which names hosts are known. A zero byte ends a name.
    pub(crate) fn names<'a>(
        &mut self,
        names: impl IntoIterator<Item = (IpAddr, &'a str)>,
    ) -> io::Result<()> {
        self.begin(NAMES);
        for (address, name) in names {
            let name = cut(name.split('\0').next().unwrap_or_default());
            match address {
                IpAddr::V4(v4) => self.record(1, &v4.octets(), name),
                IpAddr::V6(v6) => self.record(2, &v6.octets(), name),
            }
        }
        self.end_options();
        self.finish()
    }

    /// Says what an interface counted, with more options, each a code and a value.
    pub(crate) fn statistics(
        &mut self,
        interface: u32,
        counts: &Statistics,
        more: &[(u16, &[u8])],
    ) -> io::Result<()> {
        self.begin(STATISTICS);
        self.word(interface);
        self.time(counts.end_ns);
        for (code, time_ns) in [(2, counts.start_ns), (3, counts.end_ns)] {
            let [low, high] = halves(time_ns);
            self.option(code, &[high.to_le_bytes(), low.to_le_bytes()].concat());
        }
        let figures = [counts.received, counts.dropped, counts.accepted, 0, counts.delivered];
        for (code, figure) in (4..).zip(figures) {
            self.option(code, &figure.to_le_bytes());
        }
        for (code, value) in more {
            self.option(*code, value);
        }
        self.end_options();
        self.finish()
    }

    /// Has everything reach its reader.
    pub(crate) fn flush(&mut self) -> io::Result<()> {
        self.out.flush()
    }

    fn begin(&mut self, kind: u32) {
        self.block.clear();
        self.word(kind);
        // The length, known at the end.
        self.word(0);
    }

    fn finish(&mut self) -> io::Result<()> {
        let total = length(self.block.len() + 4).to_le_bytes();
        self.block.extend(total);
        if let Some(place) = self.block.get_mut(4..8) {
            place.copy_from_slice(&total);
        }
        self.out.write_all(&self.block)
    }

    fn word(&mut self, word: u32) {
        self.block.extend(word.to_le_bytes());
    }

    /// The higher half first, whatever the order of bytes.
    fn time(&mut self, time_ns: u64) {
        let [low, high] = halves(time_ns);
        self.word(high);
        self.word(low);
    }

    fn pad(&mut self) {
        self.block.resize(self.block.len().next_multiple_of(4), 0);
    }

    fn option(&mut self, code: u16, value: &[u8]) {
        self.block.extend(code.to_le_bytes());
        self.block.extend(u16::try_from(value.len()).unwrap_or(u16::MAX).to_le_bytes());
        self.block.extend(value);
        self.pad();
    }

    fn text(&mut self, code: u16, text: &str) {
        self.option(code, cut(text).as_bytes());
    }

    fn record(&mut self, kind: u16, address: &[u8], name: &str) {
        let bytes = address.len() + name.len() + 1;
        self.block.extend(kind.to_le_bytes());
        self.block.extend(u16::try_from(bytes).unwrap_or(u16::MAX).to_le_bytes());
        self.block.extend(address);
        self.block.extend(name.as_bytes());
        self.block.push(0);
        self.pad();
    }

    fn end_options(&mut self) {
        self.word(0);
    }
}

/// As much of `text` as a block takes, whole characters.
fn cut(text: &str) -> &str {
    text.get(..text.floor_char_boundary(TEXT_BYTES)).unwrap_or(text)
}

fn length(bytes: usize) -> u32 {
    u32::try_from(bytes).unwrap_or(u32::MAX)
}

/// Low and high.
#[expect(clippy::cast_possible_truncation, reason = "splits the word into its two halves")]
const fn halves(word: u64) -> [u32; 2] {
    [word as u32, (word >> 32) as u32]
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Blocks as (kind, body), after both lengths were compared.
    fn blocks(mut bytes: &[u8]) -> Vec<(u32, Vec<u8>)> {
        let word =
            |bytes: &[u8], at: usize| u32::from_le_bytes(bytes[at..at + 4].try_into().unwrap());
        let mut found = Vec::new();
        while !bytes.is_empty() {
            let total = usize::try_from(word(bytes, 4)).unwrap();
            assert_eq!(total % 4, 0);
            assert_eq!(word(bytes, total - 4), word(bytes, 4));
            found.push((word(bytes, 0), bytes[8..total - 4].to_vec()));
            bytes = &bytes[total..];
        }
        found
    }

    #[test]
    fn blocks_are_whole_and_hold_what_was_said() {
        let mut bytes = Vec::new();
        let mut writer = Writer::new(&mut bytes, "weir 1").unwrap();
        let interface = Interface {
            name: "weir:a",
            description: "d",
            filter: "udp",
            link_type: 1,
            snap_bytes: 0,
        };
        assert_eq!(writer.interface(&interface).unwrap(), 0);
        let packet = Packet {
            interface: 0,
            time_ns: 0x0102_0304_0506_0708,
            bytes: b"abcde",
            wire_bytes: 9,
            comment: "müsli",
            lost: 3,
        };
        writer.packet(&packet).unwrap();
        writer.packet(&Packet { comment: "", lost: 0, ..packet }).unwrap();
        let v4: IpAddr = "192.0.2.1".parse().unwrap();
        let v6: IpAddr = "2001:db8::1".parse().unwrap();
        writer.names([(v4, "a.example"), (v6, "b\0.example")]).unwrap();
        writer.statistics(0, &Statistics { dropped: 7, ..Statistics::default() }, &[]).unwrap();
        let blocks = blocks(&bytes);
        let kinds: Vec<u32> = blocks.iter().map(|(kind, _)| *kind).collect();
        assert_eq!(kinds, [SECTION, INTERFACE, PACKET, PACKET, NAMES, STATISTICS]);
        let (_, first) = &blocks[2];
        assert_eq!(first[4..12], [4, 3, 2, 1, 8, 7, 6, 5]);
        assert_eq!(first[20..28], *b"abcde\0\0\0");
        assert_eq!(first[28..32], [1, 0, 6, 0]);
        // Without options there is not even their end.
        assert_eq!(blocks[3].1.len(), 28);
        let (_, names) = &blocks[4];
        assert_eq!(names[..8], [1, 0, 14, 0, 192, 0, 2, 1]);
        assert_eq!(names[20..24], [2, 0, 18, 0]);
    }

    #[test]
    fn a_long_text_is_cut_between_characters() {
        let long = "ä".repeat(3000);
        assert_eq!(cut(&long).len(), TEXT_BYTES);
        assert_eq!(cut(&long[..4094]).len(), 4094);
        assert_eq!(cut(&("a".to_owned() + &long)).len(), TEXT_BYTES - 1);
    }
}
