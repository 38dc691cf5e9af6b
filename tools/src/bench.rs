//! `weir bench`: the pipeline over a capture that is already in memory.

use std::process::ExitCode;

use clap::Args;

/// Measure the pipeline over a capture preloaded into memory, with and without inspection.
#[derive(Args, Debug)]
pub(crate) struct BenchArgs {
    /// `pcap:FILE`: the capture; it is read into memory before the clock starts.
    #[arg(value_name = "SOURCE")]
    pub(crate) source: String,

    /// One JSON object instead of text.
    #[arg(long)]
    pub(crate) json: bool,

    /// Measure every stage apart, too.
    #[arg(long)]
    pub(crate) stages: bool,

    /// Shards (threads).
    #[arg(long, value_name = "K", default_value_t = 1)]
    pub(crate) shards: u16,

    /// How often the capture is played.
    #[arg(long, value_name = "L", default_value_t = 1)]
    pub(crate) loops: u32,

    /// Leave inspection out.
    #[arg(long)]
    pub(crate) no_dpi: bool,
}

/// Runs the measurement.
pub(crate) fn run(args: &BenchArgs) -> anyhow::Result<ExitCode> {
    anyhow::bail!("`weir bench {}` is not built yet", args.source)
}
