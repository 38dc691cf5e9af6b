//! Which packets of a file are asked for, and the way to them: over the places that its index names, or
//! through the parts of it that are of the right time.

use std::collections::VecDeque;
use std::io;
use std::ops::Range;
use std::path::{Path, PathBuf};

use anyhow::Context;

use super::alert::Sought;
use super::blocks::{Blocks, FEW_BYTES};
use crate::files::Packet;
use crate::files::layout::Layout;
use crate::files::note::Community;
use crate::files::reader::Reader;
use crate::files::source::Source;
use crate::index::build;
use crate::index::format::{Row, Segment};
use crate::index::lookup::Index;
use crate::record::choice::{Filter, Network};

/// Places that are looked for at once: beyond, a file is gone through part by part.
pub(super) const PLACES: usize = 4 << 20;
/// A read that is of many packets.
const MANY_BYTES: usize = 1 << 20;
/// So many places ahead the kernel is told.
const AHEAD: usize = 32;
/// Bytes of a file, and packets by their places, between two looks at who asks.
const PAUSE_BYTES: u64 = 1 << 22;
const PAUSE_PLACES: usize = 1024;

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
    /// Places of packets in memory at most, of each file that is open.
    pub(super) places: usize,
}

/// How far it is.
#[derive(Clone, Copy, Default, Debug)]
pub(super) struct Progress {
    pub(super) read_bytes: u64,
    pub(super) files: u64,
    pub(super) skipped: u64,
    pub(super) without_index: u64,
}

impl Query {
    /// Whether what is asked for has rows in an index.
    pub(super) fn has_rows(&self) -> bool {
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
        let of_flows = self.flow.is_some() || self.community.is_some() || !self.apps.is_empty();
        !(of_flows && row.of_no_flow)
            && self.flow.is_none_or(|flow| flow == row.flow_id)
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

/// What a step found.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Found {
    /// A packet, which [`Search::current`] lends.
    Packet,
    /// Nothing yet.
    Pause,
    /// The end.
    End,
}

/// The way through one file.
#[derive(Debug)]
pub(super) struct Search {
    path: PathBuf,
    way: Way,
    /// Of the file, that were told of.
    told_bytes: u64,
}

#[derive(Debug)]
enum Way {
    Nothing,
    /// From its beginning to its end, or by parts.
    Through(Box<Through>),
    /// By the places of packets.
    Places(Box<Places>),
}

#[derive(Debug)]
struct Through {
    reader: Option<Reader<Source>>,
    /// Where the present part ends.
    end: u64,
    /// Parts that are yet to come, and what tells the layout at their beginnings.
    runs: VecDeque<Range<u64>>,
    blocks: Option<Blocks>,
}

#[derive(Debug)]
struct Places {
    blocks: Blocks,
    index: Index,
    rows: Vec<Row>,
    /// Parts of the file that are yet to come, so long each.
    from: u64,
    part: u64,
    /// Places, and whether the alert that is asked for names the flow.
    offsets: Vec<(u64, bool)>,
    next: usize,
}

impl Search {
    /// Begins to go through a file.
    ///
    /// # Errors
    /// It cannot be read; the same below.
    pub(super) fn new(
        path: &Path,
        query: &Query,
        progress: &mut Progress,
    ) -> anyhow::Result<Search> {
        let way = Way::new(path, query, progress);
        let way = way.with_context(|| format!("cannot read {}", path.display()))?;
        Ok(Search { path: path.to_owned(), way, told_bytes: 0 })
    }

    /// Goes on to the next packet that is asked for, or for a while.
    pub(super) fn advance(
        &mut self,
        query: &mut Query,
        progress: &mut Progress,
    ) -> anyhow::Result<Found> {
        let found = match &mut self.way {
            Way::Nothing => Ok(Found::End),
            Way::Through(through) => through.advance(query),
            Way::Places(places) => places.advance(query),
        };
        let bytes = self.way.file_bytes();
        progress.read_bytes += bytes.saturating_sub(self.told_bytes);
        self.told_bytes = bytes;
        found.with_context(|| format!("cannot read {}", self.path.display()))
    }

    /// The packet that was found, and how its file is laid out.
    pub(super) fn current(&self) -> anyhow::Result<(Packet<'_>, &Layout)> {
        match &self.way {
            Way::Nothing => anyhow::bail!("no packet is at hand"),
            Way::Through(through) => through.current(),
            Way::Places(places) => places.current(),
        }
    }
}

impl Way {
    fn new(path: &Path, query: &Query, progress: &mut Progress) -> anyhow::Result<Way> {
        progress.files += 1;
        let mut index = if query.no_index { None } else { Index::of(path) };
        let [from_ns, to_ns] = query.span();
        let is_outside = |index: &Index| {
            index.packets > 0 && (index.newest_ns < from_ns || index.oldest_ns > to_ns)
        };
        if index.as_ref().is_some_and(is_outside) {
            progress.skipped += 1;
            return Ok(Way::Nothing);
        }
        progress.without_index += u64::from(index.is_none());
        if index.is_none() && query.has_rows() {
            let scanned = build::scan(path)?.context("it is no capture file")?;
            let (builder, scanned) = scanned;
            progress.read_bytes += std::fs::metadata(path)?.len();
            let bytes = builder.finish(scanned.whole_bytes);
            index = Index::in_memory(&bytes).context("cannot make an index")?;
        }
        let Some(index) = index else {
            let reader = Reader::new(Source::open(path)?)?.context("it is no capture file")?;
            return Ok(Way::Through(Box::new(Through {
                reader: Some(reader),
                end: u64::MAX,
                runs: VecDeque::new(),
                blocks: None,
            })));
        };
        let source = || -> anyhow::Result<Source> {
            let mut source = Source::open(path)?;
            source.set_points(index.points()?);
            Ok(source)
        };
        let blocks = Blocks::new(source()?, &index)?;
        if query.has_rows() {
            return Ok(Way::Places(Box::new(Places::new(blocks, index, query)?)));
        }
        let runs = runs(&index, query)?;
        // Its places are of no meaning yet: each run brings it to its beginning.
        let reader = Some(Reader::resume(source()?, Layout::default(), u64::MAX));
        Ok(Way::Through(Box::new(Through { reader, end: 0, runs, blocks: Some(blocks) })))
    }

    fn file_bytes(&self) -> u64 {
        match self {
            Way::Nothing => 0,
            Way::Through(through) => {
                let read = through.reader.as_ref().map_or(0, |reader| reader.source().file_bytes());
                through.blocks.as_ref().map_or(0, Blocks::file_bytes) + read
            }
            Way::Places(places) => places.blocks.file_bytes(),
        }
    }
}

/// The parts of a file that are of the right time.
fn runs(index: &Index, query: &Query) -> io::Result<VecDeque<Range<u64>>> {
    let segments = index.segments()?;
    let [from_ns, to_ns] = query.span();
    let fits = |segment: &Segment| segment.oldest_ns <= to_ns && segment.newest_ns >= from_ns;
    let mut runs: VecDeque<Range<u64>> = VecDeque::new();
    for (at, segment) in segments.iter().enumerate().filter(|(_, segment)| fits(segment)) {
        let end = segments.get(at + 1).map_or(index.stream_bytes, |next| next.offset);
        match runs.back_mut().filter(|run| run.end == segment.offset) {
            Some(run) => run.end = end,
            None => runs.push_back(segment.offset..end),
        }
    }
    Ok(runs)
}

impl Through {
    fn advance(&mut self, query: &mut Query) -> anyhow::Result<Found> {
        let Some(reader) = &mut self.reader else { return Ok(Found::End) };
        reader.step();
        let begun = reader.offset();
        while reader.offset() < self.end && reader.advance_to_packet()? {
            if query.accepts(&reader.current()?.0, false) {
                return Ok(Found::Packet);
            }
            reader.step();
            if reader.offset() - begun >= PAUSE_BYTES {
                return Ok(Found::Pause);
            }
        }
        let next = self.blocks.as_mut().zip(self.runs.pop_front());
        let Some((blocks, run)) = next else { return Ok(Found::End) };
        let layout = blocks.layout_at(run.start)?.clone();
        if let Some(used) = self.reader.take() {
            let mut source = used.into_source();
            source.seek(run.start)?;
            self.reader = Some(Reader::resume(source, layout, run.start));
            self.end = run.end;
        }
        Ok(Found::Pause)
    }

    fn current(&self) -> anyhow::Result<(Packet<'_>, &Layout)> {
        let reader = self.reader.as_ref().context("no packet is at hand")?;
        Ok(reader.current()?)
    }
}

impl Places {
    fn new(blocks: Blocks, index: Index, query: &Query) -> anyhow::Result<Places> {
        let rows = query.rows(&index)?;
        let packets: u64 = rows.iter().map(|row| row.packets).sum();
        blocks.advise(None);
        // As many parts as it takes for the places of one to fit into memory.
        let parts = packets.div_ceil(u64::try_from(query.places)?.max(1)).max(1);
        let part = index.stream_bytes.div_ceil(parts).max(1);
        Ok(Places { blocks, index, rows, from: 0, part, offsets: Vec::new(), next: 0 })
    }

    fn advance(&mut self, query: &mut Query) -> anyhow::Result<Found> {
        for _ in 0..PAUSE_PLACES {
            let Some((offset, names)) = self.offsets.get(self.next).copied() else {
                return self.refill(query);
            };
            let later = |by: usize| self.offsets.get(self.next + by).map(|(later, _)| *later);
            let dense = later(8).is_some_and(|later| later - offset < 1 << 18);
            if !dense && let Some(later) = later(AHEAD) {
                self.blocks.advise(Some(later));
            }
            self.next += 1;
            self.blocks.find(offset, if dense { MANY_BYTES } else { FEW_BYTES })?;
            if query.accepts(&self.blocks.packet(offset)?.0, names) {
                return Ok(Found::Packet);
            }
        }
        Ok(Found::Pause)
    }

    /// The places in the next part of the file.
    fn refill(&mut self, query: &Query) -> anyhow::Result<Found> {
        if self.from >= self.index.stream_bytes {
            return Ok(Found::End);
        }
        let to = self.from.saturating_add(self.part);
        let (range, offsets) = (self.from..to, &mut self.offsets);
        offsets.clear();
        for row in &self.rows {
            let names = query.alert.as_ref().is_some_and(|alert| alert.names(row));
            self.index.offsets(row, |offset| {
                if range.contains(&offset) {
                    offsets.push((offset, names));
                }
            })?;
        }
        offsets.sort_unstable();
        (self.from, self.next) = (to, 0);
        Ok(Found::Pause)
    }

    fn current(&self) -> anyhow::Result<(Packet<'_>, &Layout)> {
        let place = self.next.checked_sub(1).and_then(|at| self.offsets.get(at));
        self.blocks.packet(place.context("no packet is at hand")?.0)
    }
}
