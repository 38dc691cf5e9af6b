//! Measuring the pipeline over frames that are already in memory: what `weir bench` runs.

mod fanout;
mod split;

use std::path::Path;
use std::sync::Arc;

use weir_dpi::AppId;
use weir_dpi::rules::RuleSet;
use weir_shm::alerts::{Alert, AlertReader};
use weir_shm::records::{Next, StartAt};

use crate::books::{Books, Count};
use crate::capture::file::{FileError, Preloaded, PreloadedFrames};
use crate::config::Config;
use crate::engine::{EngineError, plan, rules, secret, segment};
use crate::shard::{AppTotal, Depth, Shard, Split, Turn};
use crate::sys::{clock, place};

pub use fanout::{ReaderTook, Readers, run_beside};

/// How frames are played.
#[derive(Clone, Debug)]
pub struct Play {
    /// How deep packets are looked into.
    pub depth: Depth,
    /// Threads, each on a core of its own.
    pub shards: u16,
    /// Frames that are played before the clock starts, to the next whole turn.
    pub warm_frames: u64,
    /// The rules in force.
    pub rules: Option<Arc<RuleSet>>,
}

/// Where the shards' frames come from.
#[derive(Clone, Debug)]
pub enum Feed {
    /// All shards read all frames, and each keeps those of its flows: as from one file.
    Whole(Arc<PreloadedFrames>),
    /// Each shard is given those of its flows alone: as from the queues of a card.
    Parts(Vec<Arc<PreloadedFrames>>),
}

impl Feed {
    /// Divides `frames` among `shards`, flow by flow.
    ///
    /// # Errors
    /// The system gives no random numbers.
    pub fn split(
        frames: &PreloadedFrames,
        config: &Config,
        shards: u16,
    ) -> Result<Feed, EngineError> {
        let parts = split::by_flow(frames, config, shards)?;
        Ok(Feed::Parts(parts.into_iter().map(Arc::new).collect()))
    }

    fn of(&self, shard: u16) -> Option<&Arc<PreloadedFrames>> {
        match self {
            Feed::Whole(frames) => Some(frames),
            Feed::Parts(parts) => parts.get(usize::from(shard)),
        }
    }
}

/// What one run over all frames took and came to.
#[derive(Clone, Debug)]
pub struct Measured {
    /// The counts when the clock started.
    pub began: Books,
    /// From the first turn on the clock to the last, nanoseconds.
    pub turns_ns: u64,
    /// Processor time of the same, nanoseconds: less than `turns_ns` where others took the core.
    pub turns_cpu_ns: u64,
    /// Ending the flows that were still there, nanoseconds.
    pub finish_ns: u64,
    /// The counts at the end.
    pub books: Books,
    /// Most flows in the table at a time: those before the end.
    pub flows_live: u64,
    /// Bytes of a flow's place in all tables: record, tags, timer, inspection handle.
    pub bytes_a_slot: f64,
    /// Metadata in use before the end, bytes.
    pub metadata_bytes: u64,
    /// Totals by application.
    pub apps: Vec<(AppId, AppTotal)>,
    /// What alerts told, as far as their ring holds it.
    pub alerts: Vec<Alert>,
}

/// Reads a capture into memory.
///
/// # Errors
/// It cannot be read at all.
pub fn preload(path: &Path) -> Result<Arc<PreloadedFrames>, FileError> {
    PreloadedFrames::load(path).map(Arc::new)
}

/// The rules that the configuration names, if any.
///
/// # Errors
/// Everything that is wrong with them.
pub fn rules(config: &Config) -> Result<Option<Arc<RuleSet>>, EngineError> {
    Ok(rules::at_start(&config.rules)?.map(|loaded| Arc::new(loaded.rules)))
}

/// Plays the frames once, with fresh tables. Shard by shard.
///
/// # Errors
/// No memory for the tables.
pub fn run(feed: &Feed, config: &Config, wanted: &Play) -> Result<Vec<Measured>, EngineError> {
    let secret = secret()?;
    let cores = place::cores();
    let seats = place::assign(&cores, &vec![None; wanted.shards.into()]);
    let mut threads = Vec::new();
    for (shard, seat) in (0..wanted.shards).zip(seats) {
        let Some(frames) = feed.of(shard) else { break };
        let memory = segment(config, shard, "bench", (0, u32::MAX))?;
        let told = AlertReader::of(&memory.export(), StartAt::Oldest)?;
        let mut plan = plan(config, wanted.depth, shard, wanted.shards, false, secret);
        if matches!(feed, Feed::Parts(_)) {
            plan.split = Split::All;
        }
        let source = Preloaded::new(Arc::clone(frames), 1);
        let (rules, warm_frames) = (wanted.rules.clone(), wanted.warm_frames);
        let body = move || {
            if let Some(core) = seat {
                place::pin(core);
            }
            let mut shard = Shard::new(source, plan, memory, None, None);
            shard.set_rules(rules);
            let measured = play(shard, warm_frames);
            Measured { alerts: read(told), ..measured }
        };
        let thread = std::thread::Builder::new()
            .spawn(body)
            .map_err(|error| EngineError::Thread { shard, error })?;
        threads.push(thread);
    }
    Ok(threads.into_iter().filter_map(|thread| thread.join().ok()).collect())
}

impl Measured {
    /// What was counted while the clock ran.
    pub fn counted(&self, count: Count) -> u64 {
        self.books.get(count) - self.began.get(count)
    }
}

fn play(mut shard: Shard<Preloaded>, warm_frames: u64) -> Measured {
    while shard.frames_given() < warm_frames && shard.turn() != Turn::End {}
    let began = shard.books().clone();
    let (started, started_cpu) = (clock::monotonic_ns(), clock::thread_cpu_ns());
    while shard.turn() != Turn::End {}
    let (played, played_cpu) = (clock::monotonic_ns(), clock::thread_cpu_ns());
    let flows_live = u64::from(shard.table().live());
    let metadata_bytes = shard.export().metadata_bytes();
    shard.finish();
    Measured {
        began,
        turns_ns: played - started,
        turns_cpu_ns: played_cpu - started_cpu,
        finish_ns: clock::monotonic_ns() - played,
        books: shard.books().clone(),
        flows_live,
        bytes_a_slot: shard.bytes_a_slot(),
        metadata_bytes,
        apps: shard.export().app_totals().collect(),
        alerts: Vec::new(),
    }
}

/// What a ring of alerts holds.
fn read(mut told: AlertReader) -> Vec<Alert> {
    let mut alerts = Vec::new();
    let mut alert = Alert::default();
    loop {
        match told.next(&mut alert) {
            Next::Record => alerts.push(alert),
            Next::Missed(_) => {}
            Next::Empty | Next::Corrupt => return alerts,
        }
    }
}
