//! An index that lies beside its file, asked without reading all of it.

use std::fs::File;
use std::io::{self, Write};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use rustix::fs::{MemfdFlags, memfd_create};

use super::format::{
    ENDING, HEAD_BYTES, MAGIC, POINT_BYTES, ROW_BYTES, Row, SEGMENT_BYTES, Segment, long, pull,
};
use crate::files::alert::{self, ALERT_BYTES, Named};
use crate::files::note::Community;
use crate::files::packed::Point;

/// See the module.
#[derive(Debug)]
pub(crate) struct Index {
    file: File,
    /// Bytes of the file that it is of.
    pub(crate) data_bytes: u64,
    /// Bytes of the capture file; more, where that is compressed.
    pub(crate) stream_bytes: u64,
    pub(crate) oldest_ns: u64,
    pub(crate) newest_ns: u64,
    pub(crate) packets: u64,
    unit: u64,
    rows: u64,
    rows_of_no_flow: u64,
    places: Places,
    list_bytes: u64,
    alert_bytes: u64,
    points: u64,
}

/// Where its sections begin.
#[derive(Clone, Copy, Debug)]
struct Places {
    layout: [u64; 2],
    segments: [u64; 2],
    rows: u64,
    by_id: u64,
    by_host: u64,
    by_app: u64,
    by_master: u64,
    lists: u64,
}

/// The name of a capture file's index.
pub(crate) fn path_of(data: &Path) -> PathBuf {
    let mut name = data.as_os_str().to_owned();
    name.push(".");
    name.push(ENDING);
    name.into()
}

impl Index {
    /// Opens the index of a capture file; none if there is none, or one of another file or state.
    pub(crate) fn of(data: &Path) -> Option<Index> {
        let bytes = std::fs::metadata(data).ok()?.len();
        let index = File::open(path_of(data)).and_then(Index::new).ok().flatten();
        index.filter(|index| index.data_bytes == bytes)
    }

    /// An index that lies beside no file.
    ///
    /// # Errors
    /// There is no memory for it.
    pub(crate) fn in_memory(bytes: &[u8]) -> io::Result<Option<Index>> {
        let memory = memfd_create("weir-index", MemfdFlags::CLOEXEC)?;
        let mut file = File::from(memory);
        file.write_all(bytes)?;
        Index::new(file)
    }

    fn new(file: File) -> io::Result<Option<Index>> {
        let size = file.metadata()?.len();
        let mut head = [0; HEAD_BYTES];
        file.read_exact_at(&mut head, 0)?;
        if !head.starts_with(MAGIC) {
            return Ok(None);
        }
        let word = |number: usize| long(&head, 8 * number);
        let [layout, segments, rows, list_bytes, alerts] = [6, 7, 8, 9, 10].map(word);
        let Some(places) = Places::new(layout, segments, rows) else { return Ok(None) };
        let alert_bytes = alerts.saturating_mul(ALERT_BYTES as u64);
        let points = word(12);
        let end = places.lists.checked_add(list_bytes);
        let end = end.and_then(|end| end.checked_add(alert_bytes));
        let end = end.and_then(|end| end.checked_add(points.checked_mul(POINT_BYTES as u64)?));
        if end != Some(size) || word(5) == 0 {
            return Ok(None);
        }
        Ok(Some(Index {
            file,
            data_bytes: word(1),
            stream_bytes: if points == 0 { word(1) } else { word(11) },
            oldest_ns: word(2),
            newest_ns: word(3),
            packets: word(4),
            unit: word(5),
            rows,
            rows_of_no_flow: word(13),
            places,
            list_bytes,
            alert_bytes,
            points,
        }))
    }

    /// Bytes of the index.
    pub(crate) const fn bytes(&self) -> u64 {
        self.points_at() + self.points * POINT_BYTES as u64
    }

    /// Where its section of points begins.
    const fn points_at(&self) -> u64 {
        self.places.lists + self.list_bytes + self.alert_bytes
    }

    /// Of a compressed file: where reading may begin.
    ///
    /// # Errors
    /// The index cannot be read; the same below.
    pub(crate) fn points(&self) -> io::Result<Vec<Point>> {
        let bytes = self.section([self.points_at(), self.points * POINT_BYTES as u64])?;
        let point = |entry: &[u8]| Point { stream: long(entry, 0), file: long(entry, 8) };
        Ok(bytes.chunks_exact(POINT_BYTES).map(point).collect())
    }

    /// Rows in it.
    pub(crate) const fn rows(&self) -> u64 {
        self.rows
    }

    /// Those of flows.
    pub(crate) const fn flows(&self) -> u64 {
        self.rows.saturating_sub(self.rows_of_no_flow)
    }

    /// Places of the blocks without which packets cannot be read.
    pub(crate) fn layout(&self) -> io::Result<Vec<u64>> {
        let bytes = self.section(self.places.layout)?;
        Ok(bytes.chunks_exact(8).map(|entry| long(entry, 0)).collect())
    }

    /// The parts of the file, in its order.
    pub(crate) fn segments(&self) -> io::Result<Vec<Segment>> {
        let bytes = self.section(self.places.segments)?;
        let segment = |entry: &[u8]| Segment {
            offset: long(entry, 0),
            oldest_ns: long(entry, 8),
            newest_ns: long(entry, 16),
        };
        Ok(bytes.chunks_exact(SEGMENT_BYTES).map(segment).collect())
    }

    /// Row number `number`.
    pub(crate) fn row(&self, number: u64) -> io::Result<Row> {
        let mut bytes = [0; ROW_BYTES];
        self.file.read_exact_at(&mut bytes, self.places.rows + number * ROW_BYTES as u64)?;
        Ok(Row::read(&bytes))
    }

    /// Rows of a community id.
    pub(crate) fn by_community(&self, wanted: &Community) -> io::Result<Vec<Row>> {
        equal(self.rows, wanted, |number| {
            let row = self.row(number)?;
            Ok((row.community, row))
        })
    }

    /// Rows of a flow's identity.
    pub(crate) fn by_id(&self, wanted: u64) -> io::Result<Vec<Row>> {
        equal(self.rows, &wanted, |number| {
            let row = self.row(self.number(self.places.by_id, number)?.into())?;
            Ok((row.flow_id, row))
        })
    }

    /// Rows of a host, at either end; one of a host with itself is there twice.
    pub(crate) fn by_host(&self, wanted: [u8; 16]) -> io::Result<Vec<Row>> {
        equal(self.rows.saturating_mul(2), &wanted, |number| {
            let side = self.number(self.places.by_host, number)?;
            let row = self.row(u64::from(side / 2))?;
            Ok((row.key.addresses[usize::from(side % 2 == 1)], row))
        })
    }

    /// Rows of an application, or of a master protocol, without those of both twice.
    pub(crate) fn by_app(&self, wanted: u16) -> io::Result<Vec<Row>> {
        let row = |order: u64, number| self.row(self.number(order, number)?.into());
        let mut found = equal(self.rows, &wanted, |number| {
            let row = row(self.places.by_app, number)?;
            Ok((row.app, row))
        })?;
        let masters = equal(self.rows, &wanted, |number| {
            let row = row(self.places.by_master, number)?;
            Ok((row.master, row))
        })?;
        found.extend(masters.into_iter().filter(|row| row.app != wanted));
        Ok(found)
    }

    /// Alerts that the file tells of.
    pub(crate) fn alerts(&self) -> io::Result<Vec<Named>> {
        let bytes = self.section([self.places.lists + self.list_bytes, self.alert_bytes])?;
        Ok(alert::all(&bytes).collect())
    }

    /// Shows the places of a row's packets to `each`, in their order.
    pub(crate) fn offsets(&self, row: &Row, mut each: impl FnMut(u64)) -> io::Result<()> {
        let end = row.list.checked_add(row.list_bytes).filter(|end| *end <= self.list_bytes);
        if end.is_none() {
            return Err(io::Error::other("the index is damaged: a list beyond its end"));
        }
        let bytes = self.section([self.places.lists + row.list, row.list_bytes])?;
        let (mut rest, mut place) = (bytes.as_slice(), 0_u64);
        while let Some(step) = pull(&mut rest) {
            place = place.saturating_add(step.saturating_mul(self.unit));
            each(place);
        }
        Ok(())
    }

    fn number(&self, order: u64, at: u64) -> io::Result<u32> {
        let mut bytes = [0; 4];
        self.file.read_exact_at(&mut bytes, order + 4 * at)?;
        Ok(u32::from_le_bytes(bytes))
    }

    fn section(&self, [place, bytes]: [u64; 2]) -> io::Result<Vec<u8>> {
        let mut section = vec![0; usize::try_from(bytes).map_err(io::Error::other)?];
        self.file.read_exact_at(&mut section, place)?;
        Ok(section)
    }
}

/// All of `count` entries in order that equal `wanted`, by bisection.
fn equal<T: Ord>(
    count: u64,
    wanted: &T,
    entry: impl Fn(u64) -> io::Result<(T, Row)>,
) -> io::Result<Vec<Row>> {
    let (mut low, mut high) = (0, count);
    while low < high {
        let middle = low + (high - low) / 2;
        if entry(middle)?.0 < *wanted { low = middle + 1 } else { high = middle }
    }
    let mut found = Vec::new();
    for number in low..count {
        let (value, row) = entry(number)?;
        if value != *wanted {
            break;
        }
        found.push(row);
    }
    Ok(found)
}

impl Places {
    fn new(layout: u64, segments: u64, rows: u64) -> Option<Places> {
        let after = |place: u64, count: u64, bytes: usize| {
            place.checked_add(count.checked_mul(u64::try_from(bytes).ok()?)?)
        };
        let first = u64::try_from(HEAD_BYTES).ok()?;
        let second = after(first, layout, 8)?;
        let row = after(second, segments, SEGMENT_BYTES)?;
        let by_id = after(row, rows, ROW_BYTES)?;
        let by_host = after(by_id, rows, 4)?;
        let by_app = after(by_host, rows, 8)?;
        let by_master = after(by_app, rows, 4)?;
        let lists = after(by_master, rows, 4)?;
        let layout = [first, second - first];
        let segments = [second, row - second];
        Some(Places { layout, segments, rows: row, by_id, by_host, by_app, by_master, lists })
    }
}

#[cfg(test)]
mod tests {
    use super::super::format::Builder;
    use super::*;
    use crate::files::note::{Key, Note};

    /// Ten flows of three packets each, which take turns.
    fn built() -> Builder {
        let mut builder = Builder::new(4);
        builder.layout(0);
        for number in 0..10_u8 {
            let note =
                Note { flow_id: number.into(), app: number.into(), master: 7, ..Note::default() };
            let key = Key { addresses: [[number; 16], [99; 16]], l4: 6, ..Key::default() };
            builder.row(Row::new(&note, key, key.community()));
        }
        for packet in 0..30_u64 {
            let row = u32::try_from(packet % 10).unwrap();
            builder.packet(100 + packet * 400_000, packet, 60, Some(row));
        }
        builder
    }

    fn opened(builder: Builder) -> (tempfile::TempDir, Index) {
        let folder = tempfile::tempdir().unwrap();
        let data = folder.path().join("a.pcapng");
        std::fs::write(&data, [0; 50]).unwrap();
        std::fs::write(path_of(&data), builder.finish(50)).unwrap();
        let index = Index::of(&data).unwrap();
        (folder, index)
    }

    fn offsets(index: &Index, row: &Row) -> Vec<u64> {
        let mut found = Vec::new();
        index.offsets(row, |offset| found.push(offset)).unwrap();
        found
    }

    #[test]
    fn a_flow_is_found_by_each_of_its_names() {
        let (_folder, index) = opened(built());
        let by_id = index.by_id(3).unwrap();
        assert_eq!(by_id.len(), 1);
        let row = by_id[0];
        assert_eq!(index.by_community(&row.community).unwrap(), [row]);
        assert_eq!(index.by_host([3; 16]).unwrap(), [row]);
        assert_eq!(index.by_app(3).unwrap(), [row]);
        assert_eq!(index.by_host([99; 16]).unwrap().len(), 10);
        assert_eq!(index.by_app(7).unwrap().len(), 10);
        assert_eq!(index.by_id(77).unwrap(), []);
        assert_eq!(offsets(&index, &row), [1_200_100, 5_200_100, 9_200_100]);
        assert_eq!((row.packets, row.first_ns, row.last_ns, row.bytes), (3, 3, 23, 180));
        assert_eq!((index.oldest_ns, index.newest_ns, index.packets), (0, 29, 30));
        assert_eq!(index.segments().unwrap().len(), 30);
        assert_eq!(index.layout().unwrap(), [0]);
    }

    #[test]
    fn frames_of_no_flow_are_found_by_their_hosts() {
        let mut builder = built();
        let rows =
            [[[3; 16], [200; 16]], [[200; 16], [3; 16]]].map(|ends| builder.row_of_no_flow(ends));
        for (at, row) in (0..).zip(rows) {
            builder.packet(20_000_000 + 4 * at, 40, 60, Some(row));
        }
        let (_folder, index) = opened(builder);
        assert_eq!((index.rows(), index.flows()), (11, 10));
        let [row] = index.by_host([200; 16]).unwrap()[..] else { panic!("one pair of hosts") };
        assert!(row.of_no_flow && row.packets == 2);
        assert_eq!(offsets(&index, &row), [20_000_000, 20_000_004]);
        let both = index.by_host([3; 16]).unwrap();
        assert_eq!(both.iter().filter(|row| row.of_no_flow).count(), 1);
        assert_eq!(both.len(), 2);
    }

    #[test]
    fn what_lies_behind_a_cut_is_not_found() {
        let mut builder = built();
        builder.cut(5_200_100, 13);
        let (_folder, index) = opened(builder);
        assert_eq!(offsets(&index, &index.by_id(3).unwrap()[0]), [1_200_100]);
        assert_eq!(offsets(&index, &index.by_id(2).unwrap()[0]), [800_100, 4_800_100]);
        assert_eq!(index.segments().unwrap().len(), 13);
    }

    #[test]
    fn damage_is_an_error_or_a_wrong_answer_and_never_more() {
        let whole = built().finish(50);
        let folder = tempfile::tempdir().unwrap();
        let data = folder.path().join("a.pcapng");
        std::fs::write(&data, [0; 50]).unwrap();
        for at in (0..whole.len()).step_by(7) {
            let mut bytes = whole.clone();
            bytes[at] ^= 0xff;
            std::fs::write(path_of(&data), &bytes).unwrap();
            let Some(index) = Index::of(&data) else { continue };
            for rows in [index.by_id(3), index.by_app(7), index.by_host([99; 16])] {
                for row in rows.unwrap_or_default() {
                    index.offsets(&row, |_| ()).ok();
                }
            }
        }
        std::fs::write(path_of(&data), &whole[..whole.len() - 1]).unwrap();
        assert!(Index::of(&data).is_none());
    }
}
