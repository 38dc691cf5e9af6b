//! The control segment: who the engine is, whether it lives, and the counters of its queues.

use crate::{
    counters::{CounterDef, CounterWriter, block_words},
    error::Error,
    layout::{
        self, DEF_WORDS, ENGINE_WORDS, LIVE_ASKS_DROPPED, LIVE_HEARTBEAT_NS, LIVE_STATE,
        LIVE_WORDS, Plan, SETTING_WORDS, SectionKind, SegmentKind,
    },
    packets::{self, ReaderTable},
    rules::{self, RulesTable},
    segment::{WORD, WriteMap, WriteWords},
    sync::Ordering,
    writer::{SegmentFd, counter_words},
};
use std::sync::Arc;

/// What the engine says of itself.
#[derive(Debug, Clone, Copy)]
pub struct ControlSpec<'a> {
    /// The engine's name; see [`crate::default_path`].
    pub name: &'a str,
    /// The engine's program version.
    pub engine_version: &'a str,
    /// The source words: `xdp:eth0`.
    pub sources: &'a [String],
    /// Number of shards.
    pub shards: u16,
    /// A label for each queue block: `xdp:eth0 queue 0`.
    pub queue_labels: &'a [String],
    /// The counters of every queue block.
    pub queue_counters: &'static [CounterDef],
    /// Settings that are for readers: key, as in `weir.toml`, and value.
    pub settings: &'a [(&'a str, String)],
}

/// What the engine is doing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[repr(u64)]
pub enum EngineState {
    /// Setting up.
    Starting = 1,
    /// Taking packets.
    Running = 2,
    /// Done; the figures are final.
    Ended = 3,
}

impl EngineState {
    pub(crate) fn from_raw(raw: u64) -> Self {
        match raw {
            2 => Self::Running,
            3 => Self::Ended,
            _ => Self::Starting,
        }
    }
}

/// The control segment's writing half.
#[derive(Debug)]
pub struct ControlWriter {
    live: WriteWords,
    queues: Vec<CounterWriter>,
    readers: Option<ReaderTable>,
    rules: Option<RulesTable>,
    map: Arc<WriteMap>,
}

impl ControlWriter {
    /// Makes the segment, in the state [`EngineState::Starting`].
    ///
    /// # Errors
    /// If the name cannot be a file name, or the system has no memory for the segment.
    pub fn create(spec: &ControlSpec<'_>) -> Result<Self, Error> {
        crate::paths::check_name(spec.name)?;
        let mut plan = Plan::new(SegmentKind::Control, 0, spec.name);
        let engine = [
            plan.string(spec.name),
            plan.string(spec.engine_version),
            layout::unix_ns(),
            u64::from(spec.shards),
            u64::from(std::process::id()),
        ];
        let sources: Vec<u64> = spec.sources.iter().map(|source| plan.string(source)).collect();
        let labels: Vec<u64> = spec.queue_labels.iter().map(|label| plan.string(label)).collect();
        let settings: Vec<u64> = spec
            .settings
            .iter()
            .flat_map(|(key, value)| [plan.string(key), plan.string(value)])
            .collect();
        let counter_defs = counter_words(&mut plan, spec.queue_counters);
        let block_bytes = block_words(spec.queue_counters.len()) * WORD;
        plan.section(SectionKind::Engine, ENGINE_WORDS * WORD, 1);
        plan.section(SectionKind::Live, LIVE_WORDS * WORD, 1);
        plan.section(SectionKind::Sources, WORD, sources.len());
        plan.section(SectionKind::Queues, WORD, labels.len());
        plan.section(SectionKind::CounterDefs, DEF_WORDS * WORD, spec.queue_counters.len());
        plan.section(SectionKind::Counters, block_bytes, labels.len());
        plan.section(SectionKind::Readers, packets::READER_WORDS * WORD, packets::READERS);
        plan.section(SectionKind::Groups, packets::GROUP_ROW_WORDS * WORD, packets::GROUPS);
        plan.section(SectionKind::Rules, rules::RULES_WORDS * WORD, 1);
        plan.section(SectionKind::Apps, rules::APP_WORDS * WORD, rules::APPS);
        plan.section(SectionKind::Settings, SETTING_WORDS * WORD, spec.settings.len());
        let made = plan.create("weir control", false)?;
        made.fill(SectionKind::Engine, engine);
        made.fill(SectionKind::CounterDefs, counter_defs);
        made.fill(SectionKind::Sources, sources);
        made.fill(SectionKind::Settings, settings);
        let queues = (0..labels.len())
            .map(|index| {
                let words = made.element(SectionKind::Counters, index);
                CounterWriter::new(words, spec.queue_counters.len())
            })
            .collect();
        made.fill(SectionKind::Queues, labels);
        let live = made.words(SectionKind::Live);
        let readers =
            ReaderTable::new(made.words(SectionKind::Readers), made.words(SectionKind::Groups));
        let rules = RulesTable::new(made.words(SectionKind::Rules), made.words(SectionKind::Apps));
        let (readers, rules) = (Some(readers), Some(rules));
        let mut control = Self { live, queues, readers, rules, map: made.map };
        control.heartbeat(layout::unix_ns());
        control.set_state(EngineState::Starting);
        Ok(control)
    }

    /// Says that the engine lives, at `now_ns` (Unix nanoseconds).
    pub fn heartbeat(&mut self, now_ns: u64) {
        self.live[LIVE_HEARTBEAT_NS].store(now_ns, Ordering::Relaxed);
    }

    /// Says how many asks of readers were dropped because too many waited.
    pub fn set_asks_dropped(&mut self, asks: u64) {
        self.live[LIVE_ASKS_DROPPED].store(asks, Ordering::Relaxed);
    }

    /// Says what the engine is doing.
    pub fn set_state(&mut self, state: EngineState) {
        // Whoever sees `Ended` may take the figures for final: they were stored before.
        self.live[LIVE_STATE].store(state as u64, Ordering::Release);
    }

    /// The counters of a queue block.
    ///
    /// # Panics
    /// If there is no such block.
    pub fn queue(&mut self, index: usize) -> &mut CounterWriter {
        &mut self.queues[index]
    }

    /// All queue blocks, to be moved to the threads that write them. Leaves none here.
    pub fn take_queues(&mut self) -> Vec<CounterWriter> {
        std::mem::take(&mut self.queues)
    }

    /// The table of packet readers, to be written by whoever lets them in. There is one.
    pub fn take_readers(&mut self) -> Option<ReaderTable> {
        self.readers.take()
    }

    /// The table of the rules in force, to be written by whoever puts them there. There is one.
    pub fn take_rules(&mut self) -> Option<RulesTable> {
        self.rules.take()
    }

    /// The segment, to be handed to readers.
    pub fn export(&self) -> SegmentFd {
        SegmentFd::control(&self.map)
    }
}
