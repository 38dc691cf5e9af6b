//! `--alerts`: the alerts of the engine beside us, one JSON object a line.

use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use anyhow::{Context, anyhow};
use weir_engine::engine::Options;
use weir_shm::Attached;
use weir_shm::records::StartAt;

use crate::alerts::follow::Follower;
use crate::alerts::show;
use crate::{live, names};

/// How long a writer with nothing to do waits.
const NAP: Duration = Duration::from_millis(2);

/// See the module.
#[derive(Debug)]
pub(super) struct Writer {
    path: PathBuf,
    shared: Arc<Shared>,
    thread: Option<JoinHandle<anyhow::Result<u64>>>,
}

#[derive(Debug, Default)]
struct Shared {
    attached: AtomicBool,
    engine_ended: AtomicBool,
}

impl Writer {
    /// Opens the file and starts the thread.
    pub(super) fn start(path: &Path, options: &Options) -> anyhow::Result<Writer> {
        let out: Box<dyn Write + Send> = if path == Path::new("-") {
            Box::new(io::stdout())
        } else {
            let file = File::create(path)
                .with_context(|| format!("cannot write alerts to {}", path.display()))?;
            Box::new(file)
        };
        let shared = Arc::new(Shared::default());
        let (told, socket) = (Arc::clone(&shared), options.socket.clone());
        let body = move || {
            let result = attach_and_write(&socket, out, &told);
            // Whatever happened: nobody waits for this thread any more.
            told.attached.store(true, Ordering::Relaxed);
            result
        };
        let thread = std::thread::Builder::new().name("weir alert writer".into()).spawn(body)?;
        Ok(Writer { path: path.into(), shared, thread: Some(thread) })
    }

    /// Whether the engine need not be served any more for its sake.
    pub(super) fn is_attached(&self) -> bool {
        self.shared.attached.load(Ordering::Relaxed)
    }

    /// Takes what the engine, which has ended, still had to say; how many records were missed.
    pub(super) fn finish(&mut self) -> anyhow::Result<u64> {
        self.shared.engine_ended.store(true, Ordering::Release);
        let Some(thread) = self.thread.take() else { return Ok(0) };
        let written = thread.join().map_err(|_| anyhow!("the alert writer ended by a mistake"))?;
        written.with_context(|| format!("writing alerts to {}", self.path.display()))
    }
}

fn attach_and_write(
    socket: &Path,
    out: Box<dyn Write + Send>,
    shared: &Shared,
) -> anyhow::Result<u64> {
    let engine = Attached::open_path(socket)?;
    names::learn(engine.app_names());
    let mut follower = Follower::new(&engine, StartAt::Oldest);
    shared.attached.store(true, Ordering::Relaxed);
    // Shards that read a file are at different times of it: what they say is put together at the end.
    let is_apart = live::reads_files(&engine) && engine.shards().len() > 1;
    let mut out = BufWriter::new(out);
    let mut line = Vec::with_capacity(1024);
    loop {
        // Asked first: what was written before the end is then seen by the read below.
        let last_round = shared.engine_ended.load(Ordering::Acquire);
        let some = follower.gather();
        if !is_apart || (last_round && !some) {
            follower.settle(|alert| {
                line.clear();
                show::json_line(&mut line, alert)?;
                out.write_all(&line)
            })?;
        }
        if some {
            continue;
        }
        out.flush()?;
        if last_round {
            return Ok(follower.missed());
        }
        live::pause(NAP);
    }
}
