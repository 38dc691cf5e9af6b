//! An index made from a capture file alone: after a crash, and for files that others wrote.
//!
//! Files that Weir wrote say of each packet which flow it is of. Of others' the packets' own bytes do
//! ([`crate::files::wire`]).

use std::collections::{HashMap, VecDeque};
use std::fs::File;
use std::io::{self, Write};
use std::path::Path;

use super::format::{Builder, Row};
use super::lookup::path_of;
use crate::files::Packet;
use crate::files::alert;
use crate::files::layout::Item;
use crate::files::note::{FlowId, Key, Note};
use crate::files::packed::{Point, Unpacker};
use crate::files::reader::{Ended, Reader};
use crate::files::source::Source;
use crate::files::wire::{self, Parser};

/// Flows remembered at once; beyond, all are forgotten and get rows anew.
const FLOWS: usize = 1 << 20;

/// What was found in a file.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Scanned {
    /// Up to the end of its last whole block.
    pub(crate) whole_bytes: u64,
    pub(crate) packets: u64,
    pub(crate) ended: Ended,
    pub(crate) packed: Option<Packed>,
}

/// Of a compressed file: the end of its last section that is whole.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Packed {
    pub(crate) whole: Point,
    /// Packets up to there.
    pub(crate) packets: u64,
    /// Whether the file ends there, as it should.
    pub(crate) closed: bool,
}

/// Tells the flows of packets from what they say, or from their bytes.
#[derive(Debug, Default)]
pub(crate) struct Tracker {
    parser: Parser,
    /// By shard and identity, as the recorder said.
    noted: HashMap<FlowId, u32>,
    by_key: HashMap<Key, u32>,
}

impl Tracker {
    /// The row of a packet's flow; `add` makes one that is new.
    pub(crate) fn row(
        &mut self,
        packet: &Packet<'_>,
        mut add: impl FnMut(Row) -> u32,
    ) -> Option<u32> {
        if self.noted.len() + self.by_key.len() >= FLOWS {
            self.noted.clear();
            self.by_key.clear();
        }
        if let Some(note) = &packet.note {
            if note.flow_id == 0 {
                return None;
            }
            let place = note.id();
            if let Some(known) = self.noted.get(&place) {
                return Some(*known);
            }
            let parsed = || self.parser.key(packet).map(|key| (key, key.community()));
            let (key, community) = note.identity.or_else(parsed).unwrap_or_default();
            let row = add(Row::new(note, key, community));
            self.noted.insert(place, row);
            return Some(row);
        }
        let key = self.parser.key(packet)?;
        let new = || add(Row::new(&Note::default(), key, key.community()));
        Some(*self.by_key.entry(key.ordered()).or_insert_with(new))
    }
}

/// Reads a file from its beginning to its end, or to where it is torn; none if it is no capture file.
///
/// # Errors
/// It cannot be read.
pub(crate) fn scan(path: &Path) -> io::Result<Option<(Builder, Scanned)>> {
    let Some(mut reader) = Reader::new(Source::open(path)?)? else { return Ok(None) };
    let unit = if reader.offset() == 0 { 4 } else { 1 };
    let mut builder = Builder::new(unit);
    let mut tracker = Tracker::default();
    // Places of packets that may lie behind the last whole section of a compressed file.
    let mut late = VecDeque::new();
    while let Some(block) = reader.block()? {
        match block.item {
            Item::Packet(packet) => {
                late.push_back(block.offset);
                let row = tracker.row(&packet, |row| builder.row(row));
                let of_none = |ends| builder.row_of_no_flow(ends);
                let row = row.or_else(|| wire::ends(&packet).map(of_none));
                if let (Some(row), Some(note)) = (row, &packet.note)
                    && note.identity.is_some()
                {
                    builder.learn(row, note);
                }
                builder.packet(block.offset, packet.time_ns, packet.wire_bytes, row);
                alert::all(packet.alerts).for_each(|alert| builder.alert(alert));
            }
            Item::Layout => builder.layout(block.offset),
            Item::Alerts(told) => alert::all(told).for_each(|alert| builder.alert(alert)),
            Item::Other => {}
        }
        let whole = reader.source().packed().map_or(u64::MAX, |unpacker| unpacker.whole().0.stream);
        while late.front().is_some_and(|place| *place < whole) {
            late.pop_front();
        }
    }
    let (whole_bytes, packets) = (reader.offset(), builder.packets());
    let mut scanned = Scanned { whole_bytes, packets, ended: reader.ended(), packed: None };
    if let Some(unpacker) = reader.source().packed() {
        builder.packed(unpacker.points().to_vec(), whole_bytes);
        scanned.packed = Some(packed(unpacker, packets, &late));
    }
    Ok(Some((builder, scanned)))
}

fn packed(unpacker: &Unpacker, packets: u64, late: &VecDeque<u64>) -> Packed {
    let (whole, closed) = unpacker.whole();
    let late = late.iter().filter(|place| **place >= whole.stream).count();
    let packets = packets.saturating_sub(u64::try_from(late).unwrap_or(0));
    Packed { whole, packets, closed: closed && !unpacker.is_torn() }
}

/// Writes an index beside its file, whole or not at all.
///
/// # Errors
/// It cannot be written.
pub(crate) fn write(data: &Path, index: &[u8], sync: bool) -> io::Result<()> {
    let path = path_of(data);
    let mut part = path.clone().into_os_string();
    part.push(".part");
    let made = File::create(&part).and_then(|mut file| {
        file.write_all(index)?;
        if sync { file.sync_data() } else { Ok(()) }
    });
    if let Err(error) = made {
        std::fs::remove_file(part).ok();
        return Err(error);
    }
    std::fs::rename(part, path)
}
