//! Reading an engine: attach to it by name, look at its counters and flows, follow its records.
//! Needs no privilege and cannot be felt by the engine.

use crate::{
    arena::{ArenaReader, META_BYTES_MAX},
    control::EngineState,
    counters::{Role, Unit, block_words, read_block},
    error::Error,
    flow::{FlowSnapshot, SLOT_BYTES, SLOT_WORDS, SlotRead, WORD_FLOW_ID, read_slot},
    histogram::{self, Histogram},
    layout::{
        self, DEF_WORDS, ENGINE_WORDS, LIVE_HEARTBEAT_NS, LIVE_STATE, LIVE_WORDS, Opened,
        SectionKind, SegmentKind,
    },
    paths, protocol,
    records::{HEAD_WORDS, RecordReader, StartAt},
    segment::{ReadWords, WORD},
};
use std::{
    os::fd::{AsFd, BorrowedFd},
    path::{Path, PathBuf},
};

/// A counter as read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Counter {
    /// Name, unique in its block.
    pub name: String,
    /// Unit.
    pub unit: Unit,
    /// Place in the ledger.
    pub role: Role,
    /// One sentence for people.
    pub help: String,
    /// Value.
    pub value: u64,
}

/// A histogram as read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NamedHistogram {
    /// Name, unique in its segment.
    pub name: String,
    /// Unit of the values.
    pub unit: Unit,
    /// One sentence for people.
    pub help: String,
    /// The values.
    pub values: Histogram,
}

/// What an engine says of itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Info {
    /// Its name.
    pub name: String,
    /// Its program version.
    pub engine_version: String,
    /// Its process, as it sees it itself.
    pub pid: u32,
    /// When it started, Unix nanoseconds.
    pub start_ns: u64,
    /// Its source words.
    pub sources: Vec<String>,
    /// Number of shards.
    pub shards: u16,
    /// The socket this reader attached to.
    pub path: PathBuf,
}

/// A reader's hold on an engine.
#[derive(Debug)]
pub struct Attached {
    connection: protocol::Connection,
    info: Info,
    live: ReadWords,
    queues: Vec<QueueReader>,
    shards: Vec<ShardReader>,
}

impl Attached {
    /// Attaches to the engine of this name, or at this socket path (anything with a slash).
    ///
    /// # Errors
    /// If there is no such engine, it refuses, or it speaks another format.
    pub fn open(name_or_path: &str) -> Result<Self, Error> {
        let candidates = paths::candidates(name_or_path)?;
        let mut failure = None;
        for path in &candidates {
            match Self::open_path(path) {
                Ok(attached) => return Ok(attached),
                // A live engine further down the list is better news than a dead one's leavings.
                Err(error @ (Error::Ended { .. } | Error::NotFound { .. })) => {
                    if !matches!(failure, Some(Error::Ended { .. })) {
                        failure = Some(error);
                    }
                }
                Err(error) => return Err(error),
            }
        }
        Err(match failure {
            Some(error @ Error::Ended { .. }) => error,
            _ => Error::NotFound {
                name: name_or_path.to_owned(),
                looked_at: candidates
                    .iter()
                    .map(|path| path.display().to_string())
                    .collect::<Vec<_>>()
                    .join(", "),
            },
        })
    }

    /// Attaches to the engine at this socket.
    ///
    /// # Errors
    /// As [`Self::open`].
    pub fn open_path(path: &Path) -> Result<Self, Error> {
        let (connection, segments) = protocol::attach(path)?;
        let mut control = None;
        let mut shards = Vec::new();
        for segment in segments {
            match segment.kind {
                SegmentKind::Control => control = Some(segment),
                SegmentKind::Shard => shards.push(ShardReader::new(&segment)?),
            }
        }
        shards.sort_by_key(|shard| shard.shard);
        let control = control.ok_or(Error::Protocol {
            path: path.to_owned(),
            reason: "it sent no control segment",
        })?;
        Ok(Self {
            connection,
            info: read_info(&control, path)?,
            live: control.element(SectionKind::Live, 0, LIVE_WORDS)?,
            queues: read_queues(&control)?,
            shards,
        })
    }

    /// What the engine says of itself.
    pub fn info(&self) -> &Info {
        &self.info
    }

    /// Its shards, by number.
    pub fn shards(&self) -> &[ShardReader] {
        &self.shards
    }

    /// Its queue blocks.
    pub fn queues(&self) -> &[QueueReader] {
        &self.queues
    }

    /// Whether the engine's process still holds the connection. Its memory stays readable after.
    pub fn alive(&self) -> bool {
        self.connection.alive()
    }

    /// What the engine is doing.
    pub fn state(&self) -> EngineState {
        let state = EngineState::from_raw(self.live.load(LIVE_STATE));
        // Pairs with the release store of `set_state`: `Ended` comes with final figures.
        crate::sync::fence(crate::sync::Ordering::Acquire);
        state
    }

    /// When the engine last said that it lives, Unix nanoseconds.
    pub fn heartbeat(&self) -> u64 {
        self.live.load(LIVE_HEARTBEAT_NS)
    }
}

/// The descriptor becomes readable when the engine ends.
impl AsFd for Attached {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.connection.as_fd()
    }
}

/// The counters of a queue.
#[derive(Debug, Clone)]
pub struct QueueReader {
    label: String,
    counters: Block,
}

impl QueueReader {
    /// Source and queue, for people.
    pub fn label(&self) -> &str {
        &self.label
    }

    /// The counters now.
    pub fn counters(&self) -> impl Iterator<Item = Counter> {
        self.counters.read().into_iter()
    }
}

/// What a slot held.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FlowRead {
    /// Nothing.
    Free,
    /// A flow, now in the view.
    Flow,
    /// A flow that changed under every attempt to copy it. The view is not to be used.
    Torn,
}

/// A copy of a flow and its metadata. Reused from call to call.
#[derive(Debug, Clone)]
pub struct FlowView {
    /// The flow.
    pub snapshot: FlowSnapshot,
    /// Its metadata; empty if it has none.
    pub meta: Vec<u8>,
}

impl Default for FlowView {
    fn default() -> Self {
        Self { snapshot: FlowSnapshot::default(), meta: Vec::with_capacity(META_BYTES_MAX) }
    }
}

/// One shard.
#[derive(Debug, Clone)]
pub struct ShardReader {
    shard: u16,
    label: String,
    flows: ReadWords,
    arena: ArenaReader,
    record_head: ReadWords,
    record_ring: ReadWords,
    counters: Block,
    histograms: Vec<(HistogramText, ReadWords)>,
}

#[derive(Debug, Clone)]
struct HistogramText {
    name: String,
    unit: Unit,
    help: String,
}

impl ShardReader {
    fn new(segment: &Opened) -> Result<Self, Error> {
        let ring = segment.words(SectionKind::RecordRing, WORD)?;
        if !ring.len().is_power_of_two() || ring.len() < crate::records::RING_BYTES_MIN / WORD {
            return Err(segment.error("its flow-record ring has an impossible size"));
        }
        let histograms = (0..segment.count(SectionKind::HistogramDefs))
            .map(|index| {
                let def = segment.element(SectionKind::HistogramDefs, index, DEF_WORDS)?;
                let text = HistogramText {
                    name: segment.string(def.load(1)),
                    unit: Unit::from_raw(layout::halves(def.load(0)).0),
                    help: segment.string(def.load(2)),
                };
                let words = segment.element(SectionKind::Histograms, index, histogram::WORDS)?;
                Ok((text, words))
            })
            .collect::<Result<_, Error>>()?;
        Ok(Self {
            shard: segment.shard,
            label: segment.label(),
            flows: segment.words(SectionKind::Flows, SLOT_BYTES)?,
            arena: ArenaReader::new(segment.words(SectionKind::Arena, crate::arena::TOP_BYTES)?),
            record_head: segment.element(SectionKind::RecordHead, 0, HEAD_WORDS)?,
            record_ring: ring,
            counters: Block::new(segment, 0)?,
            histograms,
        })
    }

    /// The shard's number.
    pub fn shard(&self) -> u16 {
        self.shard
    }

    /// What it works on, for people.
    pub fn label(&self) -> &str {
        &self.label
    }

    /// The counters now, as one set where the engine publishes them so.
    pub fn counters(&self) -> impl Iterator<Item = Counter> {
        self.counters.read().into_iter()
    }

    /// The histograms now.
    pub fn histograms(&self) -> impl Iterator<Item = NamedHistogram> {
        self.histograms.iter().map(|(text, words)| NamedHistogram {
            name: text.name.clone(),
            unit: text.unit,
            help: text.help.clone(),
            values: Histogram::read(words),
        })
    }

    /// Slots of the flow table.
    pub fn flow_slots(&self) -> usize {
        self.flows.len() / SLOT_WORDS
    }

    /// Copies slot `index` and its flow's metadata. A free slot, and one outside of the table, costs
    /// one load.
    #[inline]
    pub fn read_flow(&self, index: usize, view: &mut FlowView) -> FlowRead {
        let base = index.saturating_mul(SLOT_WORDS);
        if self.flows.load(base.saturating_add(WORD_FLOW_ID)) == 0 {
            return FlowRead::Free;
        }
        let meta = &mut view.meta;
        let read = read_slot(
            |word| self.flows.load(base + word),
            |snapshot| {
                meta.clear();
                snapshot.meta_ref() == 0 || self.arena.load(snapshot.meta_ref(), meta)
            },
        );
        match read {
            SlotRead::Free => FlowRead::Free,
            SlotRead::Torn => FlowRead::Torn,
            SlotRead::Read(snapshot) => {
                view.snapshot = snapshot;
                FlowRead::Flow
            }
        }
    }

    /// Follows the flow records.
    pub fn records(&self, at: StartAt) -> RecordReader {
        RecordReader::new(self.record_head.clone(), self.record_ring.clone(), at)
    }
}

/// A block of counters and their definitions.
#[derive(Debug, Clone)]
struct Block {
    defs: std::sync::Arc<[Counter]>,
    words: ReadWords,
}

impl Block {
    fn new(segment: &Opened, index: usize) -> Result<Self, Error> {
        let defs = (0..segment.count(SectionKind::CounterDefs))
            .map(|index| {
                let def = segment.element(SectionKind::CounterDefs, index, DEF_WORDS)?;
                let (unit, role) = layout::halves(def.load(0));
                Ok(Counter {
                    name: segment.string(def.load(1)),
                    unit: Unit::from_raw(unit),
                    role: Role::from_raw(role),
                    help: segment.string(def.load(2)),
                    value: 0,
                })
            })
            .collect::<Result<Vec<_>, Error>>()?;
        let words = segment.element(SectionKind::Counters, index, block_words(defs.len()))?;
        Ok(Self { defs: defs.into(), words })
    }

    fn read(&self) -> Vec<Counter> {
        let mut values = Vec::with_capacity(self.defs.len());
        read_block(&self.words, self.defs.len(), &mut values);
        let counters = self.defs.iter().zip(values);
        counters.map(|(def, value)| Counter { value, ..def.clone() }).collect()
    }
}

fn read_info(control: &Opened, path: &Path) -> Result<Info, Error> {
    let engine = control.element(SectionKind::Engine, 0, ENGINE_WORDS)?;
    let sources = (0..control.count(SectionKind::Sources))
        .map(|index| Ok(control.string(control.element(SectionKind::Sources, index, 1)?.load(0))))
        .collect::<Result<_, Error>>()?;
    Ok(Info {
        name: control.string(engine.load(layout::ENGINE_NAME)),
        engine_version: control.string(engine.load(layout::ENGINE_VERSION)),
        pid: layout::halves(engine.load(layout::ENGINE_PID)).0,
        start_ns: engine.load(layout::ENGINE_START_NS),
        sources,
        shards: u16::try_from(engine.load(layout::ENGINE_SHARDS)).unwrap_or(u16::MAX),
        path: path.to_owned(),
    })
}

fn read_queues(control: &Opened) -> Result<Vec<QueueReader>, Error> {
    let queues = (0..control.count(SectionKind::Queues)).map(|index| {
        let label = control.element(SectionKind::Queues, index, 1)?.load(0);
        Ok(QueueReader { label: control.string(label), counters: Block::new(control, index)? })
    });
    queues.collect()
}
