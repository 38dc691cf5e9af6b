//! `weir run`: the engine, from a source to its summary.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, ValueEnum};

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
    #[arg(long, value_enum, default_value_t = Split::Auto)]
    pub(crate) split: Split,

    /// Settings file; options on the command line win.
    #[arg(long, value_name = "FILE")]
    pub(crate) config: Option<PathBuf>,

    /// Write one JSON object per ended flow to this file (`-` for standard output).
    #[arg(long, value_name = "FILE")]
    pub(crate) flows: Option<PathBuf>,

    /// `off` for one flow a key over the whole capture, or `IDLE[,ACTIVE]` such as `60s,120s`.
    #[arg(long, value_name = "TIMEOUTS")]
    pub(crate) timeouts: Option<String>,

    /// The form of the summary.
    #[arg(long, value_enum, default_value_t = Summary::Text)]
    pub(crate) summary: Summary,

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

/// Runs the engine.
pub(crate) fn run(args: &RunArgs) -> anyhow::Result<ExitCode> {
    anyhow::bail!("`weir run {}` is not built yet", args.sources.join(" "))
}
