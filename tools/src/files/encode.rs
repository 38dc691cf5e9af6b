//! Packets as bytes of a file: pcapng, or pcap with nanoseconds.

use super::note::{self, Identity, Note, OPTION};
use super::{Packet, alert};
use crate::pcapng::{Interface, Statistics, Writer};

/// What is written.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug, clap::ValueEnum)]
pub(crate) enum Format {
    /// Interfaces, comments, what is known of flows, counts of what was lost.
    #[default]
    Pcapng,
    /// With nanoseconds; packets alone, all of one link type.
    Pcap,
}

impl Format {
    /// What a file's name ends with.
    pub(crate) const fn ending(self) -> &'static str {
        match self {
            Format::Pcapng => "pcapng",
            Format::Pcap => "pcap",
        }
    }
}

/// Bytes before a packet's own, at most.
const HEAD_BYTES: usize = 28;

/// What is said of a packet beside its bytes and its note.
#[derive(Clone, Copy, Default, Debug)]
pub(crate) struct Said<'a> {
    /// The number of its interface in the file.
    pub(crate) interface: u32,
    /// Packets lost before it.
    pub(crate) lost: u64,
    pub(crate) comment: &'a str,
    /// Alerts, as [`alert::all`] reads them.
    pub(crate) alerts: &'a [u8],
    /// Who its flow is, where its note is to tell.
    pub(crate) identity: Option<&'a Identity>,
}

impl<'a> Said<'a> {
    /// What was read with a packet.
    pub(crate) fn of(packet: &'a Packet<'_>, interface: u32) -> Said<'a> {
        let identity = packet.note.as_ref().and_then(|note| note.identity.as_ref());
        let Packet { lost, comment, alerts, .. } = *packet;
        Said { interface, lost, comment, alerts, identity }
    }
}

/// One packet, ready: its bytes lie between `head` and `tail`.
#[derive(Debug, Default)]
pub(crate) struct Framed {
    head: [u8; HEAD_BYTES],
    head_bytes: usize,
    tail: Vec<u8>,
}

impl Framed {
    /// What comes before the packet.
    pub(crate) fn head(&self) -> &[u8] {
        self.head.get(..self.head_bytes).unwrap_or_default()
    }

    /// What comes after it.
    pub(crate) fn tail(&self) -> &[u8] {
        &self.tail
    }

    /// Frames `packet`, with what is said of it.
    pub(crate) fn frame(&mut self, format: Format, packet: &Packet<'_>, said: &Said<'_>) {
        let kept = u32::try_from(packet.bytes.len()).unwrap_or(u32::MAX);
        self.tail.clear();
        if format == Format::Pcap {
            let seconds = u32::try_from(packet.time_ns / 1_000_000_000).unwrap_or(u32::MAX);
            let fraction = u32::try_from(packet.time_ns % 1_000_000_000).unwrap_or(0);
            self.words(&[seconds, fraction, kept, packet.wire_bytes]);
            return;
        }
        let padding = packet.bytes.len().next_multiple_of(4) - packet.bytes.len();
        self.tail.extend([0; 4].iter().take(padding));
        self.options(packet.note.as_ref(), said);
        let total = HEAD_BYTES + packet.bytes.len() + self.tail.len() + 4;
        let total = u32::try_from(total).unwrap_or(u32::MAX);
        self.tail.extend(total.to_le_bytes());
        let [high, low] = [packet.time_ns >> 32, packet.time_ns & 0xffff_ffff]
            .map(|half| u32::try_from(half).unwrap_or(0));
        self.words(&[6, total, said.interface, high, low, kept, packet.wire_bytes]);
    }

    fn options(&mut self, note: Option<&Note>, said: &Said<'_>) {
        let before = self.tail.len();
        if !said.comment.is_empty() {
            let text = said.comment.as_bytes();
            let text = text.get(..text.len().min(usize::from(u16::MAX) - 3)).unwrap_or_default();
            self.option(1, text.len());
            self.tail.extend(text);
            self.tail.resize(self.tail.len() + (text.len().next_multiple_of(4) - text.len()), 0);
        }
        if said.lost != 0 {
            self.option(4, 8);
            self.tail.extend(said.lost.to_le_bytes());
        }
        if !said.alerts.is_empty() {
            self.option(OPTION, alert::bytes(said.alerts.len()));
            alert::write(said.alerts, &mut self.tail);
        }
        if let Some(note) = note.filter(|note| !note.is_empty()) {
            self.option(OPTION, note::bytes(said.identity));
            note.write(said.identity, &mut self.tail);
        }
        if self.tail.len() != before {
            self.tail.extend([0; 4]);
        }
    }

    fn option(&mut self, code: u16, bytes: usize) {
        let [[a, b], [c, d]] = [code, u16::try_from(bytes).unwrap_or(0)].map(u16::to_le_bytes);
        self.tail.extend([a, b, c, d]);
    }

    fn words<const N: usize>(&mut self, words: &[u32; N]) {
        self.head_bytes = 4 * N;
        for (place, word) in self.head.chunks_exact_mut(4).zip(words) {
            place.copy_from_slice(&word.to_le_bytes());
        }
    }
}

/// What a file begins with.
pub(crate) fn begin(format: Format, link_type: u32) -> Vec<u8> {
    match format {
        Format::Pcapng => {
            let mut out = Vec::new();
            let program = format!("weir {}", env!("CARGO_PKG_VERSION"));
            // Writing to a vector does not fail.
            Writer::new(&mut out, &program).ok();
            out
        }
        Format::Pcap => {
            let words = [0xa1b2_3c4d, 0x0004_0002, 0, 0, 262_144, link_type];
            words.iter().flat_map(|word: &u32| word.to_le_bytes()).collect()
        }
    }
}

/// The block of an interface.
pub(crate) fn interface(interface: &Interface<'_>) -> Vec<u8> {
    block(|writer| writer.interface(interface).map(drop))
}

/// The block of what an interface counted, with alerts of which no packet tells.
pub(crate) fn statistics(interface: u32, counts: &Statistics, alerts: &[u8]) -> Vec<u8> {
    let mut value = Vec::new();
    alert::write(alerts, &mut value);
    let more = [(OPTION, value.as_slice())];
    let more = more.get(usize::from(alerts.is_empty())..).unwrap_or_default();
    block(|writer| writer.statistics(interface, counts, more))
}

fn block(write: impl FnOnce(&mut Writer<&mut Vec<u8>>) -> std::io::Result<()>) -> Vec<u8> {
    let mut out = Vec::new();
    // Writing to a vector does not fail.
    write(&mut Writer::within(&mut out)).ok();
    out
}

#[cfg(test)]
mod tests {
    use super::super::note::Key;
    use super::super::reader::{Ended, Reader};
    use super::*;

    fn file(format: Format, packets: &[Packet<'_>]) -> Vec<u8> {
        let mut file = begin(format, 1);
        if format == Format::Pcapng {
            file.extend(interface(&Interface {
                name: "a",
                description: "",
                filter: "",
                link_type: 1,
                snap_bytes: 0,
            }));
        }
        let mut framed = Framed::default();
        for packet in packets {
            framed.frame(format, packet, &Said::of(packet, 0));
            file.extend([framed.head(), packet.bytes, framed.tail()].concat());
        }
        file
    }

    #[test]
    fn what_is_written_is_read_and_a_torn_end_is_seen() {
        let identity = Some((Key { l4: 6, ..Key::default() }, [7; 20]));
        let packet = |bytes, lost, comment| Packet {
            time_ns: 1_700_000_000_123_456_789,
            bytes,
            wire_bytes: 99,
            link_type: 1,
            interface: 0,
            note: Some(Note { flow_id: 5, identity, ..Note::default() }),
            lost,
            comment,
            alerts: &[],
        };
        let packets = [packet(b"abcde", 0, ""), packet(b"fghi", 3, "äh")];
        for format in [Format::Pcapng, Format::Pcap] {
            let file = file(format, &packets);
            let mut reader = Reader::new(file.as_slice()).unwrap().unwrap();
            for packet in &packets {
                assert!(reader.advance_to_packet().unwrap());
                let (read, _) = reader.current().unwrap();
                assert_eq!((read.time_ns, read.bytes), (packet.time_ns, packet.bytes));
                assert_eq!((read.wire_bytes, read.link_type), (99, 1));
                if format == Format::Pcapng {
                    assert_eq!((read.lost, read.comment), (packet.lost, packet.comment));
                    assert_eq!(read.note, packet.note);
                }
                reader.step();
            }
            assert!(!reader.advance_to_packet().unwrap());
            assert_eq!((reader.ended(), reader.offset()), (Ended::Whole, file.len() as u64));
            let torn = [&file[..file.len() - 1], &[0; 0]].concat();
            let zeros = [&file[..], &[0; 500]].concat();
            for (bytes, whole) in [(torn, 1), (zeros, 2)] {
                let mut reader = Reader::new(bytes.as_slice()).unwrap().unwrap();
                let mut count = 0;
                while reader.advance_to_packet().unwrap() {
                    reader.step();
                    count += 1;
                }
                assert_eq!((count, reader.ended()), (whole, Ended::Torn));
            }
        }
    }
}
