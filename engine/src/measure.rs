//! Measuring the pipeline over frames that are already in memory: what `weir bench` runs.

mod fanout;

use std::path::Path;
use std::sync::Arc;

use weir_dpi::AppId;

use crate::books::Books;
use crate::capture::file::{FileError, Preloaded, PreloadedFrames};
use crate::config::Config;
use crate::engine::{EngineError, plan, secret, segment};
use crate::shard::{AppTotal, Depth, Shard, Turn};
use crate::sys::{clock, place};

pub use fanout::{ReaderTook, Readers, run_beside};

/// What one run over all frames took and came to.
#[derive(Clone, Debug)]
pub struct Measured {
    /// From the first turn to the last, nanoseconds.
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
}

/// Reads a capture into memory.
///
/// # Errors
/// It cannot be read at all.
pub fn preload(path: &Path) -> Result<Arc<PreloadedFrames>, FileError> {
    PreloadedFrames::load(path).map(Arc::new)
}

/// Plays `frames` once through `shards` shards, each on a thread and core of its own, with fresh
/// tables. Shard by shard.
///
/// # Errors
/// No memory for the tables.
pub fn run(
    frames: &Arc<PreloadedFrames>,
    config: &Config,
    depth: Depth,
    shards: u16,
) -> Result<Vec<Measured>, EngineError> {
    let secret = secret()?;
    let cores = place::cores();
    let seats = place::assign(&cores, &vec![None; shards.into()]);
    let mut threads = Vec::new();
    for (shard, seat) in (0..shards).zip(seats) {
        let shared = segment(config, shard, "bench", (0, u32::MAX))?;
        let plan = plan(config, depth, shard, shards, false, secret);
        let source = Preloaded::new(Arc::clone(frames), 1);
        let body = move || {
            if let Some(core) = seat {
                place::pin(core);
            }
            play(Shard::new(source, plan, shared, None, None))
        };
        let thread = std::thread::Builder::new()
            .spawn(body)
            .map_err(|error| EngineError::Thread { shard, error })?;
        threads.push(thread);
    }
    Ok(threads.into_iter().filter_map(|thread| thread.join().ok()).collect())
}

fn play(mut shard: Shard<Preloaded>) -> Measured {
    let (started, started_cpu) = (clock::monotonic_ns(), clock::thread_cpu_ns());
    while shard.turn() != Turn::End {}
    let (played, played_cpu) = (clock::monotonic_ns(), clock::thread_cpu_ns());
    let flows_live = u64::from(shard.table().live());
    let metadata_bytes = shard.export().metadata_bytes();
    shard.finish();
    Measured {
        turns_ns: played - started,
        turns_cpu_ns: played_cpu - started_cpu,
        finish_ns: clock::monotonic_ns() - played,
        books: shard.books().clone(),
        flows_live,
        bytes_a_slot: shard.bytes_a_slot(),
        metadata_bytes,
        apps: shard.export().app_totals().collect(),
    }
}
