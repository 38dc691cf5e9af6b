//! `weir run`: the engine, from a source to its summary.

mod alerts;
mod records;
mod status;
mod summary;

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use anyhow::Context;
use clap::{Args, ValueEnum};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use weir_engine::config::{Config, Settings};
use weir_engine::engine::{Engine, Options, default_socket};
use weir_engine::shard::Depth;
use weir_engine::sys::clock;
use weir_engine::sys::privilege;

use crate::exit::{Code, failure};
use crate::names;
use crate::units;
use records::Writer;

/// Capture, recognise, publish: run an engine until its input ends or a signal comes.
///
/// While it runs, `weir top`, `weir flows` and `weir stats` show it from any other terminal. It
/// ends with a summary: packets, bytes, flows, applications, drops by reason and the ledger.
#[derive(Args, Debug)]
pub(crate) struct RunArgs {
    /// Where packets come from: `xdp:IF` (AF_XDP, takes them from the host), `packet:IF`
    /// (AF_PACKET, looks on) or `pcap:FILE` (pcap or pcapng, also gzipped).
    #[arg(required = true, value_name = "SOURCE")]
    pub(crate) sources: Vec<String>,

    /// The engine's name: readers find it by that name.
    #[arg(long, default_value = "weir")]
    pub(crate) name: String,

    /// Shards (threads); by default one for a file, one a queue for an interface.
    #[arg(long, value_name = "K")]
    pub(crate) shards: Option<u16>,

    /// Who spreads flows over shards: the NIC's queues, the XDP program, or what fits best.
    #[arg(long, value_enum)]
    pub(crate) split: Option<Split>,

    /// Settings file; options on the command line win.
    #[arg(long, value_name = "FILE")]
    pub(crate) config: Option<PathBuf>,

    /// Write one JSON object per ended flow to this file (`-` for standard output).
    #[arg(long, value_name = "FILE")]
    pub(crate) flows: Option<PathBuf>,

    /// Write alerts to this file as they begin, go on and end, one JSON object a line (`-` for
    /// standard output).
    #[arg(long, value_name = "FILE")]
    pub(crate) alerts: Option<PathBuf>,

    /// `off` for one flow a key over the whole capture, or `IDLE[,ACTIVE]` such as `60s,120s`.
    #[arg(long, value_name = "TIMEOUTS")]
    pub(crate) timeouts: Option<String>,

    /// The form of the summary.
    #[arg(long, value_enum, default_value_t = Summary::Text)]
    pub(crate) summary: Summary,

    /// Begin once N packet readers are there (one, if N is left out). With files, packets then wait
    /// for readers, so that they miss nothing, and the run ends when all has been read.
    #[arg(long, value_name = "N", num_args = 0..=1, require_equals = true)]
    #[arg(default_missing_value = "1")]
    pub(crate) wait_for_readers: Option<usize>,

    /// Stay readable after the end of a file, for SECS seconds; `--wait` alone: until a signal.
    #[arg(long, value_name = "SECS", num_args = 0..=1, require_equals = true)]
    #[arg(default_missing_value = "0")]
    pub(crate) wait: Option<u64>,
}

/// `--split`.
#[derive(ValueEnum, Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Split {
    /// One socket a queue; the NIC spreads (symmetric RSS).
    Nic,
    /// Several sockets a queue; the XDP program spreads by a keyed symmetric hash.
    Xdp,
    /// Probe, then pick; `weir doctor IF` says what and why.
    Auto,
}

/// `--summary`.
#[derive(ValueEnum, Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Summary {
    /// For people.
    Text,
    /// One JSON object.
    Json,
}

/// How often an idle control thread looks around.
const LOOK: Duration = Duration::from_millis(100);

/// Runs the engine.
pub(crate) fn run(args: &RunArgs) -> anyhow::Result<ExitCode> {
    let config = config(args)?;
    let options = Options {
        socket: default_socket(&config.name),
        lossless_records: args.flows.is_some(),
        depth: Depth::Inspect,
        packet_readers: args.wait_for_readers.unwrap_or(0),
    };
    let stop = stop_on_signals()?;
    let mut engine = Engine::start(&config, &options)?;
    names::learn(&engine.app_names()?);
    for note in engine.notes() {
        status::say(note);
    }
    let mut writer = args.flows.as_deref().map(|path| Writer::start(path, &options, &engine));
    let mut writer = writer.take().transpose()?;
    let alerts = args.alerts.as_deref().map(|path| alerts::Writer::start(path, &options));
    let mut alerts = alerts.transpose()?;
    // Files are open, the interface is set up: from here on nothing needs more.
    privilege::give_up(engine.keeps()).context("cannot give up privileges")?;
    let mut line = status::Line::start(&options.socket);
    let attached = || {
        writer.as_ref().is_none_or(Writer::is_attached)
            && alerts.as_ref().is_none_or(alerts::Writer::is_attached)
    };
    let watched = watch(&mut engine, &stop, &mut line, &attached, args);
    line.clear();
    watched?;
    let report = engine.finish();
    let written = writer.as_mut().map(Writer::finish).transpose()?;
    let missed = alerts.as_mut().map(alerts::Writer::finish).transpose()?;
    if let Some(missed @ 1..) = missed {
        status::say(&format!("{missed} alert records were missed; raise alerts.ring_bytes"));
    }
    let text = match args.summary {
        Summary::Text => summary::text(&config.name, &report, written),
        Summary::Json => summary::json(&config.name, &report, written)?,
    };
    // With flows or alerts on standard output, the summary goes where it does not mix with them.
    let on_output = |path: &Option<PathBuf>| path.as_deref() == Some(Path::new("-"));
    if on_output(&args.flows) || on_output(&args.alerts) {
        status::say(&text);
    } else {
        crate::exit::print(&text)?;
    }
    let sound = report.balanced() && report.shards.iter().all(|shard| shard.trouble.is_none());
    Ok(if sound { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// Serves readers and shows the status until the input ends (and the wait after it) or a signal
/// comes.
fn watch(
    engine: &mut Engine,
    stop: &AtomicBool,
    line: &mut status::Line,
    is_attached: &dyn Fn() -> bool,
    args: &RunArgs,
) -> anyhow::Result<()> {
    let mut ended_at = None;
    loop {
        let attached = is_attached();
        if stop.load(Ordering::Relaxed) && attached {
            return Ok(());
        }
        wait_for(engine, LOOK);
        engine.serve()?;
        for news in engine.take_news() {
            line.clear();
            status::say(&news);
        }
        let now = clock::monotonic_ns();
        line.refresh(engine.progress(), now);
        if engine.is_done() {
            let since = now - *ended_at.get_or_insert(now);
            let long_enough = match args.wait {
                None => true,
                Some(0) => false,
                Some(seconds) => since >= seconds.saturating_mul(1_000_000_000),
            };
            // Readers that nobody waits for cannot keep the run from its end; what they have not
            // read by then they still can.
            let is_read = args.wait_for_readers.is_none() || engine.all_is_read();
            if long_enough && attached && is_read {
                return Ok(());
            }
        }
    }
}

/// Waits until a reader knocks, `time` at most.
fn wait_for(engine: &Engine, time: Duration) {
    let fd = engine.as_fd();
    let mut fds = [PollFd::new(&fd, PollFlags::IN)];
    let timeout = Timespec::try_from(time).unwrap_or(Timespec { tv_sec: 0, tv_nsec: 1 });
    // A signal ends the wait early; the caller looks at its flag anyway.
    poll(&mut fds, Some(&timeout)).ok();
}

/// Set once a signal asks to end.
pub(crate) fn stop_on_signals() -> anyhow::Result<Arc<AtomicBool>> {
    let stop = Arc::new(AtomicBool::new(false));
    for signal in [signal_hook::consts::SIGINT, signal_hook::consts::SIGTERM] {
        signal_hook::flag::register(signal, Arc::clone(&stop)).context("cannot catch signals")?;
    }
    Ok(stop)
}

fn config(args: &RunArgs) -> anyhow::Result<Config> {
    let mut settings = settings(args.config.as_deref(), args.timeouts.as_deref())?;
    if let Some(shards) = args.shards {
        settings.set("engine.shards", i64::from(shards).into())?;
    }
    if let Some(split) = args.split {
        let word = match split {
            Split::Nic => "nic",
            Split::Xdp => "xdp",
            Split::Auto => "auto",
        };
        settings.set("capture.split", word.into())?;
    }
    Ok(settings.into_config(&args.name, &args.sources)?)
}

/// The settings of a file, where one is given, with `--timeouts` over them.
pub(crate) fn settings(file: Option<&Path>, timeouts: Option<&str>) -> anyhow::Result<Settings> {
    let mut settings = file.map_or_else(|| Ok(Settings::default()), Settings::from_file)?;
    match timeouts {
        None => {}
        Some("off") => settings.set("flow.timeouts", false.into())?,
        Some(text) => {
            settings.set("flow.timeouts", true.into())?;
            let (idle, active) = text.split_once(',').map_or((text, None), |(a, b)| (a, Some(b)));
            settings.set("flow.idle_s", seconds(idle)?.into())?;
            settings.set("flow.local_idle_s", seconds(idle)?.into())?;
            if let Some(active) = active {
                settings.set("flow.active_s", seconds(active)?.into())?;
            }
        }
    }
    Ok(settings)
}

fn seconds(text: &str) -> anyhow::Result<i64> {
    let wrong = || {
        failure(Code::Usage, format!("--timeouts: `{text}` is no time; write off, 60s or 60s,120s"))
    };
    let time = units::parse(text.trim(), units::Quantity::Time).ok_or_else(wrong)?;
    Ok(i64::try_from(time / 1_000_000_000)?)
}
