//! An index as it lies beside its capture file: where each flow's packets are, and which times each
//! part of the file is of.
//!
//! All little endian. A head, then sections, one after the other:
//!
//! | section | entries |
//! | --- | --- |
//! | layout | places of blocks without which packets cannot be read: sections, interfaces (8 bytes each) |
//! | segments | place, oldest and newest time of each part of the file (24) |
//! | rows | one a flow, in the order of their community ids ([`ROW_BYTES`]) |
//! | by id, by host, by application, by master | numbers of rows in that order (4); a row is there twice by host: number times 2, plus 1 for the second address |
//! | lists | the places of each row's packets: differences, in units, as LEB128 |
//! | alerts | those that the file tells of, each once, in its newest state ([`alert::ALERT_BYTES`]) |
//! | points | of a compressed file: where reading may begin, in the capture file and in the compressed one (16) |
//!
//! All places are those of the capture file as it is when it is not compressed.
//!
//! Flows of several rows are fine: what is looked up are all rows that match. Frames of no flow that
//! are about two addresses all the same, such as ARP, have a row for each pair of these: it holds no
//! more than the addresses and a mark, which is 1 where rows of flows have 0.

use std::collections::BTreeMap;

use super::places::{Counts, List, Pieces};
use crate::files::alert::{self, Named};
use crate::files::note::{Community, Key, Note};
use crate::files::packed::Point;

/// What an index's name ends with, after the file's whole name.
pub(crate) const ENDING: &str = "widx";
/// The first bytes.
pub(crate) const MAGIC: &[u8; 8] = b"WEIRIDX\x02";
/// Bytes of the head.
pub(crate) const HEAD_BYTES: usize = 112;
/// Bytes of a row.
pub(crate) const ROW_BYTES: usize = 128;
/// Bytes of a segment's entry.
pub(crate) const SEGMENT_BYTES: usize = 24;
/// Bytes of a point's entry.
pub(crate) const POINT_BYTES: usize = 16;
/// Bytes of a file that one segment is of, at least.
const SEGMENT: u64 = 1 << 18;
/// Alerts of one file at most; of more the later ones are not known to the index.
const ALERTS: usize = 1 << 16;

/// A flow in a file, or frames of none between two addresses.
#[derive(Clone, Copy, Default, PartialEq, Eq, Debug)]
pub(crate) struct Row {
    pub(crate) key: Key,
    pub(crate) community: Community,
    pub(crate) app: u16,
    pub(crate) master: u16,
    pub(crate) flow_id: u64,
    pub(crate) shard: u16,
    /// Of its key the addresses alone are known.
    pub(crate) of_no_flow: bool,
    pub(crate) packets: u64,
    pub(crate) bytes: u64,
    pub(crate) first_ns: u64,
    pub(crate) last_ns: u64,
    /// Where its list begins in the section, and how long it is.
    pub(crate) list: u64,
    pub(crate) list_bytes: u64,
}

impl Row {
    /// A row of the flow that `note` tells of.
    pub(crate) fn new(note: &Note, key: Key, community: Community) -> Row {
        let Note { app, master, flow_id, shard, .. } = *note;
        Row { key, community, app, master, flow_id, shard, ..Row::default() }
    }

    /// A row of frames of no flow.
    fn of_no_flow(ends: Ends) -> Row {
        let key = Key { addresses: ends, ..Key::default() };
        let row = Row::new(&Note::default(), key, Community::default());
        Row { of_no_flow: true, ..row }
    }

    fn write(&self, out: &mut Vec<u8>) {
        let end = out.len() + ROW_BYTES;
        out.extend(self.community);
        out.extend([self.key.l4, u8::from(self.key.ipv6)]);
        out.extend(self.key.vlan.to_le_bytes());
        out.extend(self.key.addresses.as_flattened());
        let mark = u16::from(self.of_no_flow);
        for half in [self.key.ports[0], self.key.ports[1], self.app, self.master, self.shard, mark]
        {
            out.extend(half.to_le_bytes());
        }
        let Row { flow_id, packets, bytes, first_ns, last_ns, list, list_bytes, .. } = *self;
        out.extend([0; 4]);
        let short = packets << 32 | list_bytes & 0xffff_ffff;
        for word in [flow_id, bytes, first_ns, last_ns, list, short] {
            out.extend(word.to_le_bytes());
        }
        out.resize(end, 0);
    }

    /// Reads a row.
    pub(crate) fn read(bytes: &[u8; ROW_BYTES]) -> Row {
        let half = |at| crate::files::half(bytes, at, false);
        let word = |at| long(bytes, at);
        let address =
            |at: usize| bytes.get(at..at + 16).and_then(|b| b.try_into().ok()).unwrap_or_default();
        Row {
            community: bytes.first_chunk().copied().unwrap_or_default(),
            key: Key {
                addresses: [address(24), address(40)],
                ports: [half(56), half(58)],
                l4: bytes[20],
                ipv6: bytes[21] == 1,
                vlan: half(22),
                tunnel: 0,
                one_way: false,
            },
            app: half(60),
            master: half(62),
            shard: half(64),
            of_no_flow: half(66) != 0,
            flow_id: word(72),
            bytes: word(80),
            first_ns: word(88),
            last_ns: word(96),
            list: word(104),
            packets: word(112) >> 32,
            list_bytes: word(112) & 0xffff_ffff,
        }
    }
}

/// Eight bytes at `at`, or zero behind the end.
pub(crate) fn long(bytes: &[u8], at: usize) -> u64 {
    let word = bytes.get(at..at + 8).and_then(|word| word.try_into().ok());
    u64::from_le_bytes(word.unwrap_or_default())
}

/// A part of a file.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Segment {
    pub(crate) offset: u64,
    pub(crate) oldest_ns: u64,
    pub(crate) newest_ns: u64,
}

/// Two addresses.
type Ends = [[u8; 16]; 2];

/// An index in the making.
#[derive(Clone, Debug)]
pub(crate) struct Builder {
    unit: u64,
    layout: Vec<u64>,
    segments: Vec<Segment>,
    /// What is known of flows from their first packet on, and, beside it, what each packet changes.
    rows: Vec<Row>,
    counts: Vec<Counts>,
    pieces: Pieces,
    /// Rows of frames of no flow, by the lower address and the higher.
    of_no_flow: BTreeMap<Ends, u32>,
    packets: u64,
    alerts: BTreeMap<u64, Named>,
    /// Of a compressed file: where reading may begin, and what it is when it is not compressed.
    points: Vec<Point>,
    stream_bytes: u64,
}

impl Builder {
    /// For a file whose packets begin at multiples of `unit`.
    pub(crate) const fn new(unit: u64) -> Builder {
        Builder {
            unit,
            layout: Vec::new(),
            segments: Vec::new(),
            rows: Vec::new(),
            counts: Vec::new(),
            pieces: Pieces::new(),
            of_no_flow: BTreeMap::new(),
            packets: 0,
            alerts: BTreeMap::new(),
            points: Vec::new(),
            stream_bytes: 0,
        }
    }

    /// The file tells of this alert.
    pub(crate) fn alert(&mut self, alert: Named) {
        if self.alerts.len() < ALERTS || self.alerts.contains_key(&alert.id) {
            self.alerts.insert(alert.id, alert);
        }
    }

    /// The file is compressed: places at which reading may begin, and its bytes when it is not.
    pub(crate) fn packed(&mut self, points: Vec<Point>, stream_bytes: u64) {
        (self.points, self.stream_bytes) = (points, stream_bytes);
    }

    /// A block at this place is needed to read packets.
    pub(crate) fn layout(&mut self, offset: u64) {
        self.layout.push(offset);
    }

    /// Adds a flow; the number of its row.
    pub(crate) fn row(&mut self, row: Row) -> u32 {
        self.rows.push(row);
        self.counts.push(Counts::default());
        u32::try_from(self.rows.len() - 1).unwrap_or(u32::MAX)
    }

    /// The number of the row of frames of no flow between these addresses, in whichever direction.
    pub(crate) fn row_of_no_flow(&mut self, [a, b]: Ends) -> u32 {
        let ends = [a.min(b), a.max(b)];
        if let Some(row) = self.of_no_flow.get(&ends) {
            return *row;
        }
        let row = self.row(Row::of_no_flow(ends));
        self.of_no_flow.insert(ends, row);
        row
    }

    /// More became known of a row's application.
    pub(crate) fn learn(&mut self, row: u32, note: &Note) {
        if let Some(row) = usize::try_from(row).ok().and_then(|row| self.rows.get_mut(row)) {
            (row.app, row.master) = (note.app, note.master);
        }
    }

    /// A packet at this place, of the flow of a row or of none.
    pub(crate) fn packet(&mut self, offset: u64, time_ns: u64, bytes: u32, row: Option<u32>) {
        self.packets += 1;
        match self.segments.last_mut().filter(|last| offset < last.offset + SEGMENT) {
            Some(last) => {
                last.oldest_ns = last.oldest_ns.min(time_ns);
                last.newest_ns = last.newest_ns.max(time_ns);
            }
            None => {
                self.segments.push(Segment { offset, oldest_ns: time_ns, newest_ns: time_ns });
            }
        }
        let Some(number) = row.and_then(|row| usize::try_from(row).ok()) else { return };
        let Some(counts) = self.counts.get_mut(number) else { return };
        counts.bytes += u64::from(bytes);
        counts.first_ns = counts.first_ns.min(time_ns);
        counts.last_ns = counts.last_ns.max(time_ns);
        self.pieces.push(&mut counts.list, offset / self.unit);
    }

    /// Reads what the next packet of a row's flow changes, so that it is at hand then.
    #[inline]
    pub(crate) fn touch(&self, row: u32) {
        let counts = usize::try_from(row).ok().and_then(|row| self.counts.get(row));
        std::hint::black_box(counts.map(|counts| counts.bytes));
    }

    /// Bytes of memory that it takes, about.
    pub(crate) fn memory(&self) -> usize {
        // The room of a vector is up to twice what it holds.
        2 * self.rows.len() * (ROW_BYTES + size_of::<Counts>())
            + 2 * self.pieces.memory()
            + self.of_no_flow.len() * 2 * size_of::<(Ends, u32)>()
            + self.segments.len() * SEGMENT_BYTES
            + self.alerts.len() * 2 * alert::ALERT_BYTES
    }

    /// Packets so far.
    pub(crate) const fn packets(&self) -> u64 {
        self.packets
    }

    /// Forgets the packets from this place on: the file ends before them, and has so many.
    pub(crate) fn cut(&mut self, end: u64, packets: u64) {
        self.packets = packets;
        self.layout.retain(|offset| *offset < end);
        self.segments.retain(|segment| segment.offset < end);
        self.points.retain(|point| point.stream < end);
        self.stream_bytes = self.stream_bytes.min(end);
        for counts in &mut self.counts {
            self.pieces.cut(&mut counts.list, end.div_ceil(self.unit));
        }
    }

    /// The index of a file of so many bytes.
    pub(crate) fn finish(self, data_bytes: u64) -> Vec<u8> {
        let mut order: Vec<usize> = (0..self.rows.len()).collect();
        order.sort_by_cached_key(|row| self.rows.get(*row).map(|row| row.community));
        let mut lists: Vec<u8> = Vec::with_capacity(self.pieces.memory());
        let mut rows = Vec::with_capacity(order.len());
        for number in order {
            let Some((row, counts)) = self.rows.get(number).zip(self.counts.get(number)) else {
                continue;
            };
            let list = u64::try_from(lists.len()).unwrap_or(0);
            let list_bytes = self.pieces.write(&counts.list, &mut lists);
            let Counts { bytes, first_ns, last_ns, list: List { packets, .. } } = *counts;
            rows.push(Row {
                packets: packets.into(),
                bytes,
                first_ns,
                last_ns,
                list,
                list_bytes: u64::try_from(list_bytes).unwrap_or(0),
                ..*row
            });
        }
        let oldest = self.segments.iter().map(|segment| segment.oldest_ns).min().unwrap_or(0);
        let newest = self.segments.iter().map(|segment| segment.newest_ns).max().unwrap_or(0);
        let alerts = self.alerts.len();
        let counts = [self.layout.len(), self.segments.len(), rows.len(), lists.len(), alerts];
        let counts = counts.map(|count| u64::try_from(count).unwrap_or(0));
        let [points, of_no_flow] = [self.points.len(), self.of_no_flow.len()]
            .map(|count| u64::try_from(count).unwrap_or(0));
        let mut out = Vec::with_capacity(HEAD_BYTES + lists.len() + rows.len() * 160);
        out.extend(MAGIC);
        for word in [data_bytes, oldest, newest, self.packets, self.unit]
            .iter()
            .chain(&counts)
            .chain(&[self.stream_bytes, points, of_no_flow])
        {
            out.extend(word.to_le_bytes());
        }
        out.resize(HEAD_BYTES, 0);
        for offset in &self.layout {
            out.extend(offset.to_le_bytes());
        }
        for segment in &self.segments {
            for word in [segment.offset, segment.oldest_ns, segment.newest_ns] {
                out.extend(word.to_le_bytes());
            }
        }
        for row in &rows {
            row.write(&mut out);
        }
        orders(&rows, &mut out);
        out.extend(lists);
        for alert in self.alerts.values() {
            alert.write(&mut out);
        }
        for word in self.points.iter().flat_map(|point| [point.stream, point.file]) {
            out.extend(word.to_le_bytes());
        }
        out
    }
}

/// The four orders of rows.
fn orders(rows: &[Row], out: &mut Vec<u8>) {
    let row = |number: &u32| usize::try_from(*number).ok().and_then(|number| rows.get(number));
    let count = u32::try_from(rows.len()).unwrap_or(0);
    let mut write = |order: &[u32]| out.extend(order.iter().flat_map(|row| row.to_le_bytes()));
    let mut order: Vec<u32> = (0..count).collect();
    order.sort_by_cached_key(|number| row(number).map(|row| row.flow_id));
    write(&order);
    let side = |number: &u32| {
        row(&(number / 2)).map(|row| row.key.addresses[usize::from(number % 2 == 1)])
    };
    let mut hosts: Vec<u32> = (0..count.saturating_mul(2)).collect();
    hosts.sort_by_cached_key(side);
    write(&hosts);
    order.sort_by_cached_key(|number| row(number).map(|row| row.app));
    write(&order);
    order.sort_by_cached_key(|number| row(number).map(|row| row.master));
    write(&order);
}

/// A number as LEB128: its bytes, and how many of them count.
#[inline]
pub(super) fn leb128(mut number: u64) -> ([u8; 10], usize) {
    let (mut bytes, mut count) = ([0; 10], 0);
    for byte in &mut bytes {
        *byte = u8::try_from(number & 0x7f).unwrap_or(0);
        number >>= 7;
        count += 1;
        if number == 0 {
            break;
        }
        *byte |= 0x80;
    }
    (bytes, count)
}

/// Takes a number off; none at the end, or if it is none.
pub(crate) fn pull(rest: &mut &[u8]) -> Option<u64> {
    let (mut number, mut shift) = (0_u64, 0);
    loop {
        let (byte, more) = rest.split_first()?;
        *rest = more;
        number |= u64::from(byte & 0x7f).checked_shl(shift)?;
        if byte & 0x80 == 0 {
            return Some(number);
        }
        shift += 7;
    }
}
