//! `--flows`: the flow records of the engine beside us, one JSON object a line.
//!
//! It reads shared memory like any other reader. The one difference: shards that read files wait
//! for it, because it says how far it is.

use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::JoinHandle;

use anyhow::{Context, anyhow};
use weir_engine::engine::{Engine, Options};
use weir_shm::Attached;
use weir_shm::records::{Next, Record, RecordKind, StartAt};

use crate::flow::Flow;
use crate::health::Summary;
use crate::{flow_json, live, names};

/// How long a writer with nothing to do waits.
const NAP: std::time::Duration = std::time::Duration::from_millis(2);
/// Bytes gathered before they are written.
const CHUNK: usize = 1 << 18;

/// What was written.
#[derive(Clone, Copy, Default, Debug)]
pub(super) struct Written {
    /// Flows.
    pub(super) flows: u64,
    /// Records that were overwritten before they were read.
    pub(super) missed: u64,
}

/// See the module.
#[derive(Debug)]
pub(super) struct Writer {
    path: PathBuf,
    shared: Arc<Shared>,
    thread: Option<JoinHandle<anyhow::Result<Written>>>,
}

#[derive(Debug, Default)]
struct Shared {
    attached: AtomicBool,
    engine_ended: AtomicBool,
}

impl Writer {
    /// Opens the file and starts the thread.
    pub(super) fn start(path: &Path, options: &Options, engine: &Engine) -> anyhow::Result<Writer> {
        let out: Box<dyn Write + Send> = if path == Path::new("-") {
            Box::new(io::stdout())
        } else {
            let file = File::create(path)
                .with_context(|| format!("cannot write flow records to {}", path.display()))?;
            Box::new(file)
        };
        let shared = Arc::new(Shared::default());
        let (told, socket) = (Arc::clone(&shared), options.socket.clone());
        let gates = Gates(engine.gates().to_vec());
        let body = move || {
            let result = attach_and_write(&socket, out, &gates, &told);
            // Whatever happened: nobody waits for this thread any more.
            told.attached.store(true, Ordering::Relaxed);
            result
        };
        let thread = std::thread::Builder::new().name("weir flow writer".into()).spawn(body)?;
        Ok(Writer { path: path.into(), shared, thread: Some(thread) })
    }

    /// Whether the engine need not be served any more for its sake.
    pub(super) fn is_attached(&self) -> bool {
        self.shared.attached.load(Ordering::Relaxed)
    }

    /// Takes what the engine, which has ended, still had to say.
    pub(super) fn finish(&mut self) -> anyhow::Result<Written> {
        self.shared.engine_ended.store(true, Ordering::Release);
        let Some(thread) = self.thread.take() else { return Ok(Written::default()) };
        let written = thread.join().map_err(|_| anyhow!("the flow writer ended by a mistake"))?;
        written.with_context(|| format!("writing flow records to {}", self.path.display()))
    }
}

/// Where the shards see how far their records were read.
#[derive(Debug)]
struct Gates(Vec<Arc<AtomicU64>>);

impl Gates {
    fn tell(&self, shard: usize, position: u64) {
        if let Some(gate) = self.0.get(shard) {
            // Pairs with the shard's acquire load before it goes on.
            gate.store(position, Ordering::Release);
        }
    }
}

impl Drop for Gates {
    fn drop(&mut self) {
        for gate in &self.0 {
            gate.store(u64::MAX, Ordering::Release);
        }
    }
}

fn attach_and_write(
    socket: &Path,
    out: Box<dyn Write + Send>,
    gates: &Gates,
    shared: &Shared,
) -> anyhow::Result<Written> {
    let engine = Attached::open_path(socket)?;
    names::learn(engine.app_names());
    let mut readers: Vec<_> = engine
        .shards()
        .iter()
        .map(|shard| (shard.shard(), shard.records(StartAt::Oldest)))
        .collect();
    shared.attached.store(true, Ordering::Relaxed);
    let mut out = BufWriter::with_capacity(CHUNK, out);
    let (mut record, mut line) = (Record::default(), Vec::with_capacity(4096));
    let mut written = Written::default();
    loop {
        // Asked first: what was written before the end is then seen by the reads below.
        let last_round = shared.engine_ended.load(Ordering::Acquire);
        let mut idle = true;
        for (index, (shard, reader)) in readers.iter_mut().enumerate() {
            loop {
                match reader.next(&mut record) {
                    Next::Record if record.kind == RecordKind::Ended => {
                        line.clear();
                        let flow = Flow::decode(&record.flow, *shard, &record.meta)
                            .with(Summary::of(&record.health, &record.flow));
                        flow_json::write_line(&mut line, &flow, Some(record.reason.name()))?;
                        out.write_all(&line)?;
                        written.flows += 1;
                    }
                    Next::Record => {}
                    Next::Missed(records) => written.missed += records,
                    Next::Empty | Next::Corrupt => break,
                }
                idle = false;
                gates.tell(index, reader.position());
            }
        }
        if idle && last_round {
            out.flush()?;
            return Ok(written);
        }
        if idle {
            live::pause(NAP);
        }
    }
}
