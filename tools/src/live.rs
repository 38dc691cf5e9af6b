//! Attaching to an engine, and everything that can go wrong with that.

use std::io::{self, Write};
use std::process::ExitCode;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use clap::Args;
use rustix::event::{PollFd, Timespec, poll};
use rustix::time::{ClockId, clock_gettime};
use weir_shm::{Attached, EngineState, Error, FlowRead, FlowView, ShardReader, list_names};

use crate::exit::{Code, failure};
use crate::flow::Flow;
use crate::health::Summary;
use crate::names;

/// The name an engine has where none was given.
pub(crate) const DEFAULT_NAME: &str = "weir";

/// Which engine to read.
#[derive(Args, Clone, Debug)]
pub(crate) struct EngineArgs {
    /// The engine's name, or the path of its socket. By default `weir`, or the only one running.
    #[arg(long, short = 'n', value_name = "NAME")]
    pub(crate) name: Option<String>,
}

impl EngineArgs {
    /// Attaches to the engine.
    ///
    /// # Errors
    /// Says which engines run, how to start one, or which versions do not fit.
    pub(crate) fn attach(&self) -> anyhow::Result<Attached> {
        let engine = self.open(Attached::open)?;
        names::learn(engine.app_names());
        Ok(engine)
    }

    /// Opens the engine by `open`, which is given its name.
    ///
    /// # Errors
    /// As [`Self::attach`].
    pub(crate) fn open<T>(&self, open: impl Fn(&str) -> Result<T, Error>) -> anyhow::Result<T> {
        let name = self.name.as_deref().unwrap_or(DEFAULT_NAME);
        let error = match open(name) {
            Ok(opened) => return Ok(opened),
            Err(error) => error,
        };
        if !matches!(error, Error::NotFound { .. } | Error::Ended { .. }) {
            return Err(failure(Code::NoEngine, error.to_string()));
        }
        let running: Vec<String> = list_names().into_iter().map(|engine| engine.name).collect();
        if let (None, [only]) = (&self.name, running.as_slice())
            && let Ok(opened) = open(only)
        {
            return Ok(opened);
        }
        let advice = if running.is_empty() {
            "no engine is running here; start one:\n  \
             weir run pcap:FILE --wait     read a capture and stay readable\n  \
             weir run xdp:IF               take packets from an interface (needs root)"
                .to_owned()
        } else {
            format!("running: {}; choose one with --name", running.join(", "))
        };
        Err(failure(Code::NoEngine, format!("{error}\n{advice}")))
    }
}

/// What a watcher ends with once the engine has gone: it said that it ended, or it died.
///
/// # Errors
/// If it died: it was killed or crashed, and what was last read may be incomplete.
pub(crate) fn ended(engine: &Attached) -> anyhow::Result<ExitCode> {
    let name = &engine.info().name;
    if engine.state() == EngineState::Ended {
        writeln!(io::stderr(), "engine {name} ended")?;
        return Ok(ExitCode::SUCCESS);
    }
    let message = format!("engine {name} ended without a word: it was killed or it crashed");
    Err(failure(Code::EngineEnded, message))
}

/// Waits for `time`, less if the engine ends. Whether it still lives.
pub(crate) fn wait(engine: &Attached, time: Duration) -> bool {
    const SLICE: Duration = Duration::from_millis(200);
    let mut left = time;
    while engine.alive() {
        if left.is_zero() {
            return true;
        }
        let slice = left.min(SLICE);
        pause(slice);
        left -= slice;
    }
    false
}

/// Lets `time` pass, or less if a signal comes.
pub(crate) fn pause(time: Duration) {
    let none: &mut [PollFd<'_>] = &mut [];
    let timeout = Timespec::try_from(time).unwrap_or(Timespec { tv_sec: 1, tv_nsec: 0 });
    // A signal ends the wait early; the caller looks at the clock or the engine anyway.
    poll(none, Some(&timeout)).ok();
}

/// The wall clock, Unix nanoseconds.
pub(crate) fn now_ns() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_nanos()).unwrap_or(u64::MAX)
}

/// A clock that never goes back.
pub(crate) fn monotonic_ns() -> u64 {
    let now = clock_gettime(ClockId::Monotonic);
    let [seconds, rest] = [now.tv_sec, now.tv_nsec].map(|part| u64::try_from(part).unwrap_or(0));
    seconds * 1_000_000_000 + rest
}

/// What the engine is doing, in one word.
pub(crate) fn state_word(engine: &Attached) -> &'static str {
    if !engine.alive() {
        return "dead";
    }
    match engine.state() {
        EngineState::Starting => "starting",
        EngineState::Running => "running",
        EngineState::Ended => "ended",
    }
}

/// Whether the engine's clock is that of its capture files rather than this machine's.
pub(crate) fn reads_files(engine: &Attached) -> bool {
    let sources = &engine.info().sources;
    !sources.is_empty() && sources.iter().all(|source| source.starts_with("pcap:"))
}

/// A source or label for people: of a file's path its name alone.
pub(crate) fn short_source(text: &str) -> String {
    match (text.strip_prefix("pcap:"), text.rsplit_once('/')) {
        (Some(_), Some((_, name))) => format!("pcap:{name}"),
        _ => text.to_owned(),
    }
}

/// What a scan of the flow tables met.
#[derive(Clone, Copy, Default, PartialEq, Eq, Debug)]
pub(crate) struct Scanned {
    /// Flows seen.
    pub(crate) flows: u64,
    /// Flows that changed under every attempt to copy them.
    pub(crate) torn: u64,
}

/// Shows every live flow to `each`.
///
/// # Errors
/// Stops at the first error of `each`.
pub(crate) fn scan<E>(
    engine: &Attached,
    mut each: impl FnMut(&Flow<'_>, &FlowView) -> Result<(), E>,
) -> Result<Scanned, E> {
    let mut scanned = Scanned::default();
    for shard in engine.shards() {
        let part = scan_shard(shard, |_, flow, view| each(flow, view))?;
        scanned.flows += part.flows;
        scanned.torn += part.torn;
    }
    Ok(scanned)
}

/// Shows every live flow of one shard to `each`, with the number of its slot.
///
/// # Errors
/// Stops at the first error of `each`.
pub(crate) fn scan_shard<E>(
    shard: &ShardReader,
    mut each: impl FnMut(usize, &Flow<'_>, &FlowView) -> Result<(), E>,
) -> Result<Scanned, E> {
    let mut scanned = Scanned::default();
    let mut view = FlowView::default();
    for index in 0..shard.flow_slots() {
        match shard.read_flow(index, &mut view) {
            FlowRead::Free => {}
            FlowRead::Torn => scanned.torn += 1,
            FlowRead::Flow => {
                scanned.flows += 1;
                let flow = Flow::decode(&view.snapshot, shard.shard(), &view.meta);
                each(index, &flow.with(Summary::of_view(&view)), &view)?;
            }
        }
    }
    Ok(scanned)
}

/// The time up to which `age` and `idle` count: now, or the newest packet of a capture file.
pub(crate) fn engine_now_ns(engine: &Attached) -> u64 {
    if !reads_files(engine) {
        return now_ns();
    }
    let mut newest = 0;
    let seen: Result<Scanned, std::convert::Infallible> = scan(engine, |flow, _| {
        newest = newest.max(flow.last_ns);
        Ok(())
    });
    if seen.is_ok_and(|scanned| scanned.flows > 0) { newest } else { now_ns() }
}
