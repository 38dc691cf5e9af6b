//! Which packets of a file are asked for, and the way to them: over the places that its index names, or
//! through the parts of it that are of the right time.

use std::fs::File;
use std::io::{self, Seek, SeekFrom};
use std::os::unix::fs::FileExt;
use std::path::Path;

use anyhow::Context;
use rustix::fs::{Advice, fadvise};

use super::alert::Sought;
use crate::files::Packet;
use crate::files::layout::{BEGIN_BYTES, HEAD_BYTES, Item, Layout};
use crate::files::note::Community;
use crate::files::reader::Reader;
use crate::index::build;
use crate::index::format::{Row, Segment};
use crate::index::lookup::Index;
use crate::record::choice::{Filter, Network};

/// Places that are looked for at once: beyond, a file is gone through part by part.
const PLACES: usize = 4 << 20;
/// A read that may be of one packet only, and one that is of many.
const FEW_BYTES: usize = 1 << 14;
const MANY_BYTES: usize = 1 << 20;
/// So many places ahead the kernel is told.
const AHEAD: usize = 32;

/// What is asked for. What is not said does not matter.
#[derive(Clone, Debug)]
pub(super) struct Query {
    pub(super) from_ns: u64,
    pub(super) to_ns: u64,
    pub(super) filter: Option<Filter>,
    pub(super) flow: Option<u64>,
    pub(super) community: Option<Community>,
    pub(super) hosts: Vec<Network>,
    pub(super) apps: Vec<u16>,
    pub(super) alert: Option<Sought>,
    /// Do not use the indexes that there are.
    pub(super) no_index: bool,
}

/// How far it is.
#[derive(Clone, Copy, Default, Debug)]
pub(super) struct Progress {
    pub(super) read_bytes: u64,
    pub(super) files: u64,
    pub(super) skipped: u64,
    pub(super) without_index: u64,
}

/// Takes what was found; false ends the search.
pub(super) trait Take {
    /// A packet, and how its file is laid out.
    ///
    /// # Errors
    /// It cannot be passed on.
    fn take(&mut self, packet: &Packet<'_>, layout: &Layout) -> anyhow::Result<bool>;
    /// Told now and then.
    ///
    /// # Errors
    /// As [`Take::take`].
    fn progress(&mut self, progress: &Progress) -> anyhow::Result<bool>;
}

impl Query {
    /// Whether only flows are asked for, which an index knows.
    pub(super) fn is_of_flows(&self) -> bool {
        self.flow.is_some()
            || self.community.is_some()
            || !self.hosts.is_empty()
            || !self.apps.is_empty()
            || self.alert.as_ref().is_some_and(|alert| !alert.is_of_devices())
    }

    /// The times of which there may be anything.
    fn span(&self) -> [u64; 2] {
        let alert = self.alert.as_ref().filter(|alert| alert.is_of_devices());
        let [from_ns, to_ns] = alert.map_or([0, u64::MAX], Sought::whole_span);
        [self.from_ns.max(from_ns), self.to_ns.min(to_ns)]
    }

    fn fits(&self, row: &Row) -> bool {
        let holds = |host: &Network| row.key.addresses.iter().any(|address| host.holds(address));
        self.flow.is_none_or(|flow| flow == row.flow_id)
            && self.community.is_none_or(|community| community == row.community)
            && (self.hosts.is_empty() || self.hosts.iter().any(holds))
            && (self.apps.is_empty()
                || self.apps.contains(&row.app)
                || self.apps.contains(&row.master))
            && self.alert.as_ref().is_none_or(|alert| alert.fits(row))
            && row.first_ns <= self.to_ns
            && row.last_ns >= self.from_ns
    }

    /// Whether a packet is asked for that is of a fitting flow, or where no flows are asked for; if
    /// the alert `names` its flow, the alert's time does not matter.
    fn accepts(&mut self, packet: &Packet<'_>, names: bool) -> bool {
        (self.from_ns..=self.to_ns).contains(&packet.time_ns)
            && self.alert.as_ref().is_none_or(|alert| {
                names
                    || (alert.is_then(packet.time_ns)
                        && (!alert.is_of_devices() || alert.holds_packet(packet)))
            })
            && self.filter.as_mut().is_none_or(|filter| filter.accepts(packet))
    }

    /// Rows that may fit, by what is asked for most narrowly.
    fn rows(&self, index: &Index) -> io::Result<Vec<Row>> {
        let mut rows = Vec::new();
        if let Some(flow) = self.flow {
            rows = index.by_id(flow)?;
        } else if let Some(community) = &self.community {
            rows = index.by_community(community)?;
        } else if let Some((alert, hosts)) = self.alert.as_ref().and_then(Sought::with_hosts) {
            for flow in alert.flows() {
                rows.extend(index.by_id(flow)?);
            }
            for host in hosts {
                rows.extend(index.by_host(host)?);
            }
        } else if !self.hosts.is_empty() && self.hosts.iter().all(|host| host.single().is_some()) {
            for host in self.hosts.iter().filter_map(Network::single) {
                rows.extend(index.by_host(host)?);
            }
        } else if !self.apps.is_empty() {
            for app in &self.apps {
                rows.extend(index.by_app(*app)?);
            }
        } else {
            for number in 0..index.rows() {
                let row = index.row(number)?;
                if self.fits(&row) {
                    rows.push(row);
                }
            }
        }
        rows.retain(|row| self.fits(row));
        rows.sort_unstable_by_key(|row| (row.list, row.flow_id));
        // A flow may be there by both of its ends.
        rows.dedup_by_key(|row| row.list);
        Ok(rows)
    }
}

/// Goes through one file. Whether to go on.
///
/// # Errors
/// It cannot be read, or `to` takes no more.
pub(super) fn search(
    path: &Path,
    query: &mut Query,
    progress: &mut Progress,
    to: &mut impl Take,
) -> anyhow::Result<bool> {
    let cannot = || format!("cannot read {}", path.display());
    progress.files += 1;
    let mut index = if query.no_index { None } else { Index::of(path) };
    let [from_ns, to_ns] = query.span();
    let is_outside =
        |index: &Index| index.packets > 0 && (index.newest_ns < from_ns || index.oldest_ns > to_ns);
    if index.as_ref().is_some_and(is_outside) {
        progress.skipped += 1;
        return Ok(true);
    }
    progress.without_index += u64::from(index.is_none());
    if index.is_none() && query.is_of_flows() {
        let (builder, scanned) = build::scan(path)
            .with_context(cannot)?
            .with_context(|| format!("{} is no capture file", path.display()))?;
        progress.read_bytes += scanned.whole_bytes;
        let bytes = builder.finish(scanned.whole_bytes);
        index = Index::in_memory(&bytes).context("cannot make an index")?;
    }
    let file = File::open(path).with_context(cannot)?;
    match &index {
        Some(index) if query.is_of_flows() => {
            places(&file, index, query, progress, to).with_context(cannot)
        }
        Some(index) => parts(&file, index, query, progress, to).with_context(cannot),
        None => whole(file, query, progress, to).with_context(cannot),
    }
}

/// All of a file.
fn whole(
    file: File,
    query: &mut Query,
    progress: &mut Progress,
    to: &mut impl Take,
) -> anyhow::Result<bool> {
    let reader = Reader::new(file)?.context("it is no capture file")?;
    through(reader, u64::MAX, query, progress, to)
}

/// Up to a place.
fn through(
    mut reader: Reader<impl io::Read>,
    end: u64,
    query: &mut Query,
    progress: &mut Progress,
    to: &mut impl Take,
) -> anyhow::Result<bool> {
    let mut told = reader.offset();
    while reader.offset() < end {
        if reader.offset() - told >= 1 << 22 {
            progress.read_bytes += reader.offset() - told;
            told = reader.offset();
            if !to.progress(progress)? {
                return Ok(false);
            }
        }
        if !reader.advance_to_packet()? {
            break;
        }
        let (packet, layout) = reader.current()?;
        if query.accepts(&packet, false) && !to.take(&packet, layout)? {
            return Ok(false);
        }
        reader.step();
    }
    progress.read_bytes += reader.offset() - told;
    Ok(true)
}

/// The parts of a file that are of the right time.
fn parts(
    file: &File,
    index: &Index,
    query: &mut Query,
    progress: &mut Progress,
    to: &mut impl Take,
) -> anyhow::Result<bool> {
    let segments = index.segments()?;
    let [from_ns, to_ns] = query.span();
    let fits = |segment: &Segment| segment.oldest_ns <= to_ns && segment.newest_ns >= from_ns;
    let mut runs: Vec<[u64; 2]> = Vec::new();
    for (at, segment) in segments.iter().enumerate().filter(|(_, segment)| fits(segment)) {
        let end = segments.get(at + 1).map_or(index.data_bytes, |next| next.offset);
        match runs.last_mut().filter(|run| run[1] == segment.offset) {
            Some(run) => run[1] = end,
            None => runs.push([segment.offset, end]),
        }
    }
    let mut blocks = Blocks::new(file, index)?;
    for [start, end] in runs {
        let layout = blocks.layout_at(start)?.clone();
        let mut from = file;
        from.seek(SeekFrom::Start(start))?;
        if !through(Reader::resume(from, layout, start), end, query, progress, to)? {
            return Ok(false);
        }
    }
    Ok(true)
}

/// The packets of flows, by their places.
fn places(
    file: &File,
    index: &Index,
    query: &mut Query,
    progress: &mut Progress,
    to: &mut impl Take,
) -> anyhow::Result<bool> {
    let rows = query.rows(index)?;
    let packets: u64 = rows.iter().map(|row| row.packets).sum();
    let mut blocks = Blocks::new(file, index)?;
    if let Err(error) = fadvise(file, 0, None, Advice::Random) {
        return Err(error).context("cannot advise the kernel");
    }
    // As many parts as it takes for the places of one to fit into memory.
    let parts = packets.div_ceil(u64::try_from(PLACES)?).max(1);
    let part = index.data_bytes.div_ceil(parts).max(1);
    let mut offsets = Vec::new();
    for number in 0..parts {
        let range = number * part..(number + 1) * part;
        offsets.clear();
        for row in &rows {
            let names = query.alert.as_ref().is_some_and(|alert| alert.names(row));
            index.offsets(row, |offset| {
                if range.contains(&offset) {
                    offsets.push((offset, names));
                }
            })?;
        }
        offsets.sort_unstable();
        if !visit(&mut blocks, &offsets, query, progress, to)? {
            return Ok(false);
        }
    }
    Ok(true)
}

fn visit(
    blocks: &mut Blocks<'_>,
    offsets: &[(u64, bool)],
    query: &mut Query,
    progress: &mut Progress,
    to: &mut impl Take,
) -> anyhow::Result<bool> {
    for (at, (offset, names)) in offsets.iter().enumerate() {
        let dense = offsets.get(at + 8).is_some_and(|(later, _)| later - offset < 1 << 18);
        if !dense && let Some((later, _)) = offsets.get(at + AHEAD) {
            let length = std::num::NonZeroU64::new(4096);
            // Advice that is not taken costs time only.
            fadvise(blocks.file, *later, length, Advice::WillNeed).ok();
        }
        let bytes = if dense { MANY_BYTES } else { FEW_BYTES };
        let (packet, layout) = blocks.packet(*offset, bytes, &mut progress.read_bytes)?;
        if query.accepts(&packet, *names) && !to.take(&packet, layout)? {
            return Ok(false);
        }
        if at % 1024 == 1023 && !to.progress(progress)? {
            return Ok(false);
        }
    }
    Ok(true)
}

/// Blocks of a file, at any place.
#[derive(Debug)]
struct Blocks<'a> {
    file: &'a File,
    layout: Layout,
    /// Places of blocks that the layout does not know yet, the next one last.
    ahead: Vec<u64>,
    buffer: Vec<u8>,
    /// What the buffer holds: from here, so many bytes.
    start: u64,
    held: usize,
}

impl<'a> Blocks<'a> {
    fn new(file: &'a File, index: &Index) -> anyhow::Result<Blocks<'a>> {
        let mut head = [0; BEGIN_BYTES];
        let bytes = file.read_at(&mut head, 0)?;
        let begun = Layout::begin(head.get(..bytes).unwrap_or_default());
        let (layout, _) = begun.context("it is no capture file")?;
        let mut ahead = index.layout()?;
        ahead.reverse();
        Ok(Blocks { file, layout, ahead, buffer: Vec::new(), start: 0, held: 0 })
    }

    /// The layout of what comes at a place.
    fn layout_at(&mut self, offset: u64) -> anyhow::Result<&Layout> {
        while let Some(next) = self.ahead.pop_if(|next| *next < offset) {
            let mut none = 0;
            let length = self.hold(next, FEW_BYTES, &mut none)?;
            let block = block(&self.buffer, self.start, next, length);
            self.layout.read(block).context("the index is of another file")?;
        }
        Ok(&self.layout)
    }

    fn packet(
        &mut self,
        offset: u64,
        bytes: usize,
        read: &mut u64,
    ) -> anyhow::Result<(Packet<'_>, &Layout)> {
        self.layout_at(offset)?;
        let length = self.hold(offset, bytes, read)?;
        let block = block(&self.buffer, self.start, offset, length);
        // A packet does not change the layout: what was read of it stays.
        let item = self.layout.peek(block);
        let Some(Item::Packet(packet)) = item else {
            anyhow::bail!("the index is of another file; `weir index --force` makes it anew");
        };
        Ok((packet, &self.layout))
    }

    /// Has the block at a place in the buffer; its length.
    fn hold(&mut self, offset: u64, bytes: usize, read: &mut u64) -> anyhow::Result<usize> {
        if !self.has(offset, HEAD_BYTES) {
            self.fill(offset, bytes, read)?;
        }
        let head = block(&self.buffer, self.start, offset, HEAD_BYTES.min(self.rest(offset)));
        let length = self.layout.length(head);
        let length = length.context("the index is of another file, or the file is damaged")?;
        if !self.has(offset, length) {
            self.fill(offset, bytes.max(length), read)?;
        }
        anyhow::ensure!(self.has(offset, length), "the file ends in the middle of a packet");
        Ok(length)
    }

    fn rest(&self, offset: u64) -> usize {
        let at = offset.checked_sub(self.start).and_then(|at| usize::try_from(at).ok());
        at.map_or(0, |at| self.held.saturating_sub(at))
    }

    fn has(&self, offset: u64, bytes: usize) -> bool {
        self.rest(offset) >= bytes
    }

    fn fill(&mut self, offset: u64, bytes: usize, read: &mut u64) -> io::Result<()> {
        self.buffer.resize(bytes.max(self.buffer.len()), 0);
        (self.start, self.held) = (offset, 0);
        while self.held < bytes {
            let room = self.buffer.get_mut(self.held..bytes).unwrap_or_default();
            let at = offset + u64::try_from(self.held).unwrap_or(0);
            match self.file.read_at(room, at) {
                Ok(0) => break,
                Ok(more) => self.held += more,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        *read += u64::try_from(self.held).unwrap_or(0);
        Ok(())
    }
}

fn block(buffer: &[u8], start: u64, offset: u64, length: usize) -> &[u8] {
    let at = offset.checked_sub(start).and_then(|at| usize::try_from(at).ok());
    at.and_then(|at| buffer.get(at..at.checked_add(length)?)).unwrap_or_default()
}
