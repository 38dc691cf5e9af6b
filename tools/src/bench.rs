//! `weir bench`: the pipeline over a capture that is already in memory; `weir bench live`: over a
//! cable.

mod fanout;
mod live;

use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;

use anyhow::{Context, bail};
use clap::{Args, Subcommand};
use serde::Serialize;
use weir_engine::books::Count;
use weir_engine::capture::file::PreloadedFrames;
use weir_engine::config::{Config, Settings, SourceSpec};
use weir_engine::measure::{self, Feed, Measured, Play};
use weir_engine::shard::Depth;

use crate::units::Quantity;

/// Measure the pipeline over a capture preloaded into memory, with and without inspection.
///
/// Each loop plays the whole capture once through fresh tables; the figures are of the median
/// loop. Reading the file is not part of them.
#[derive(Args, Debug)]
#[command(args_conflicts_with_subcommands = true, subcommand_negates_reqs = true)]
#[expect(clippy::struct_excessive_bools, reason = "each is a switch of its own")]
pub(crate) struct BenchArgs {
    /// `pcap:FILE`: the capture; it is read into memory before the clock starts.
    #[arg(value_name = "SOURCE", required = true)]
    pub(crate) source: Option<String>,

    #[command(subcommand)]
    pub(crate) other: Option<Other>,

    /// One JSON object instead of text.
    #[arg(long)]
    pub(crate) json: bool,

    /// Measure every stage apart, too.
    #[arg(long)]
    pub(crate) stages: bool,

    /// Shards (threads).
    #[arg(long, value_name = "K", default_value_t = 1, value_parser = clap::value_parser!(u16).range(1..=254))]
    pub(crate) shards: u16,

    /// Divide the frames among the shards by flow before the clock starts, as the queues of a card
    /// do. Else each shard parses every frame and keeps its own, as from one file.
    #[arg(long, conflicts_with_all = ["readers", "warm"])]
    pub(crate) pre_split: bool,

    /// Play so many frames of the capture before the clock starts, in each loop: the rest then
    /// finds the flows of those in the table.
    #[arg(long, value_name = "FRAMES", default_value_t = 0, conflicts_with = "readers")]
    pub(crate) warm: u64,

    /// How often the capture is played.
    #[arg(long, value_name = "L", default_value_t = 3, value_parser = clap::value_parser!(u32).range(1..=1000))]
    pub(crate) loops: u32,

    /// Leave inspection out.
    #[arg(long)]
    pub(crate) no_dpi: bool,

    /// Leave out health, hosts and alerts: packets, flows and inspection alone.
    #[arg(long)]
    pub(crate) plain: bool,

    /// Measure what so many packet readers cost, on the other cores; several numbers, with commas,
    /// are measured in turns. The first is what the others are compared with.
    #[arg(long, value_name = "N", value_delimiter = ',', conflicts_with_all = ["stages", "shards"])]
    pub(crate) readers: Vec<usize>,

    /// Those readers copy every frame, too, rather than read descriptors alone.
    #[arg(long, requires = "readers")]
    pub(crate) touch: bool,

    /// `off`: a key is one flow over the whole capture.
    #[arg(long, value_name = "TIMEOUTS")]
    pub(crate) timeouts: Option<String>,

    /// Settings file.
    #[arg(long, value_name = "FILE")]
    pub(crate) config: Option<std::path::PathBuf>,
}

/// Other measurements.
#[derive(Subcommand, Debug)]
pub(crate) enum Other {
    Live(live::LiveArgs),
}

/// What one depth of the pipeline came to, in the median loop.
#[derive(Serialize, Debug)]
struct Row {
    depth: &'static str,
    seconds: f64,
    packets_per_second: f64,
    bits_per_second: f64,
    ns_per_packet: f64,
    cpu_ns_per_packet: f64,
    flows_per_second: f64,
    slowest_seconds: f64,
    fastest_seconds: f64,
}

/// Everything that is reported.
#[derive(Serialize, Debug)]
struct Outcome {
    capture: String,
    shards: u16,
    pre_split: bool,
    /// The share of the frames that the shard with the most of them had.
    busiest_share: f64,
    loops: u32,
    warm_frames: u64,
    frames: u64,
    packets: u64,
    bytes: u64,
    flows: u64,
    flow_bytes: f64,
    metadata_bytes_per_flow: f64,
    finish_seconds: f64,
    balanced: bool,
    runs: Vec<Row>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    stages: Vec<Stage>,
    #[serde(skip_serializing_if = "Option::is_none")]
    inspection: Option<Inspection>,
}

/// What one stage adds to a packet.
#[derive(Serialize, Debug)]
struct Stage {
    stage: &'static str,
    cpu_ns_per_packet: f64,
}

/// What inspection costs those packets that come to it.
#[derive(Serialize, Debug)]
struct Inspection {
    packets: u64,
    cpu_ns_per_packet: f64,
    packets_per_flow: f64,
}

impl BenchArgs {
    fn source(&self) -> &str {
        self.source.as_deref().unwrap_or_default()
    }
}

/// Runs the measurement.
pub(crate) fn run(args: &BenchArgs) -> anyhow::Result<ExitCode> {
    if let Some(Other::Live(args)) = &args.other {
        return live::run(args);
    }
    let settings = super::run::settings(args.config.as_deref(), args.timeouts.as_deref())?;
    if !args.readers.is_empty() {
        let (config, frames) = preloaded(args, settings)?;
        let frames = Arc::new(Arc::into_inner(frames).context("one owner")?.into_shared()?);
        let outcome = fanout::run(args, &frames, &config)?;
        let json = || serde_json::to_string_pretty(&outcome);
        crate::exit::print(&if args.json { json()? } else { fanout::text(&outcome) })?;
        return Ok(ExitCode::SUCCESS);
    }
    let outcome = measure_all(args, settings)?;
    let text = if args.json { serde_json::to_string_pretty(&outcome)? } else { text(&outcome) };
    crate::exit::print(&text)?;
    Ok(if outcome.balanced { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// The configuration, and the capture in memory.
fn preloaded(
    args: &BenchArgs,
    settings: Settings,
) -> anyhow::Result<(Config, Arc<PreloadedFrames>)> {
    let config = settings.into_config("bench", args.source.as_slice())?;
    let Some(SourceSpec::File(path)) = config.sources.first() else {
        bail!("`weir bench` plays a file: give it as pcap:FILE, not `{}`", args.source());
    };
    let frames = measure::preload(Path::new(path))?;
    if frames.frames() == 0 {
        bail!("{} holds no frames", path.display());
    }
    let config = if args.plain { plain_of(&config) } else { config };
    Ok((config, frames))
}

fn measure_all(args: &BenchArgs, settings: Settings) -> anyhow::Result<Outcome> {
    let (config, frames) = preloaded(args, settings)?;
    let feed = if args.pre_split {
        Feed::split(&frames, &config, args.shards)?
    } else {
        Feed::Whole(frames)
    };
    let rules = measure::rules(&config)?;
    let mut depths = vec![("full", Depth::Inspect, false), ("without DPI", Depth::Flow, false)];
    if args.stages {
        depths.push(("parse only", Depth::Parse, true));
    }
    if args.stages && !args.plain {
        depths.push(("plain", Depth::Inspect, true));
    }
    if args.no_dpi {
        depths.retain(|(_, depth, _)| *depth != Depth::Inspect);
    }
    let mut runs = Vec::new();
    let mut first = None;
    for (name, depth, plain) in depths {
        let config = if plain { plain_of(&config) } else { config.clone() };
        let play =
            Play { depth, shards: args.shards, warm_frames: args.warm, rules: rules.clone() };
        let (row, run) = measure_depth(args.loops, &feed, &config, name, &play)?;
        runs.push(row);
        first.get_or_insert(run);
    }
    let shards = first.context("at least one depth is measured")?;
    let sum = |count| shards.iter().map(|shard| shard.counted(count)).sum::<u64>();
    let flows = sum(Count::FlowsCreated);
    let busiest = shards.iter().map(|shard| shard.counted(Count::Processed)).max();
    let stages = stages(&runs, args.stages && !args.no_dpi);
    let inspected = sum(Count::PacketsInspected);
    let metadata: u64 = shards.iter().map(|shard| shard.metadata_bytes).sum();
    let live: u64 = shards.iter().map(|shard| shard.flows_live).sum();
    Ok(Outcome {
        capture: args.source().to_owned(),
        shards: args.shards,
        pre_split: args.pre_split,
        busiest_share: ratio(busiest.unwrap_or(0), sum(Count::Processed)),
        loops: args.loops,
        warm_frames: shards.iter().map(|shard| shard.began.get(Count::Processed)).sum(),
        frames: sum(Count::Processed),
        packets: sum(Count::Parsed),
        bytes: sum(Count::ParsedBytes),
        flows,
        flow_bytes: shards.first().map_or(0.0, |shard| shard.bytes_a_slot),
        metadata_bytes_per_flow: ratio(metadata, live),
        finish_seconds: shards.iter().map(|shard| seconds(shard.finish_ns)).fold(0.0, f64::max),
        balanced: shards.iter().all(|shard| shard.books.balanced()),
        inspection: stages.last().map(|stage| Inspection {
            packets: inspected,
            cpu_ns_per_packet: stage.cpu_ns_per_packet * ratio(sum(Count::Processed), inspected),
            packets_per_flow: ratio(inspected, flows),
        }),
        stages,
        runs,
    })
}

/// The median loop's figures, and that loop itself.
fn measure_depth(
    times: u32,
    feed: &Feed,
    config: &Config,
    name: &'static str,
    play: &Play,
) -> anyhow::Result<(Row, Vec<Measured>)> {
    let mut loops = Vec::new();
    for _ in 0..times {
        loops.push(measure::run(feed, config, play)?);
    }
    let took = |shards: &Vec<Measured>| shards.iter().map(|shard| shard.turns_ns).max();
    loops.sort_by_key(took);
    let fastest = loops.first().and_then(took).unwrap_or_default();
    let slowest = loops.last().and_then(took).unwrap_or_default();
    let median = loops.swap_remove(loops.len() / 2);
    let time = seconds(took(&median).unwrap_or_default()).max(1e-9);
    let sum = |count| median.iter().map(|shard| shard.counted(count)).sum::<u64>();
    let frames = float(sum(Count::Processed));
    let cpu: u64 = median.iter().map(|shard| shard.turns_cpu_ns).sum();
    let row = Row {
        depth: name,
        seconds: time,
        packets_per_second: frames / time,
        bits_per_second: float(sum(Count::ProcessedBytes)) * 8.0 / time,
        ns_per_packet: time * 1e9 / frames.max(1.0),
        cpu_ns_per_packet: float(cpu) / frames.max(1.0),
        flows_per_second: float(sum(Count::FlowsCreated)) / time,
        slowest_seconds: seconds(slowest),
        fastest_seconds: seconds(fastest),
    };
    Ok((row, median))
}

/// Packets, flows and inspection alone.
fn plain_of(config: &Config) -> Config {
    Config { health: false, hosts: None, alerts: None, ..config.clone() }
}

/// What each depth adds to the one below.
fn stages(runs: &[Row], wanted: bool) -> Vec<Stage> {
    let ([full, flow, parse, more @ ..], true) = (runs, wanted) else { return Vec::new() };
    let stage = |stage, cpu_ns_per_packet| Stage { stage, cpu_ns_per_packet };
    let more = more.first().map(|plain| full.cpu_ns_per_packet - plain.cpu_ns_per_packet);
    let table = flow.cpu_ns_per_packet - parse.cpu_ns_per_packet - more.unwrap_or(0.0);
    let mut stages = vec![
        stage("receive and parse", parse.cpu_ns_per_packet),
        stage("flow table", table),
        stage("inspection", full.cpu_ns_per_packet - flow.cpu_ns_per_packet),
    ];
    stages.extend(more.map(|more| stage("health, hosts, alerts", more)));
    stages
}

fn text(outcome: &Outcome) -> String {
    let count = |value| Quantity::Count.exact(value);
    let warm = match outcome.warm_frames {
        0 => String::new(),
        frames => format!(" begun, after {} frames off the clock", count(frames)),
    };
    let mut lines = vec![
        format!(
            "{}: {} frames, {} packets, {} flows{}; {} shard(s){}, median of {} loop(s)",
            outcome.capture,
            count(outcome.frames),
            count(outcome.packets),
            count(outcome.flows),
            warm,
            outcome.shards,
            if outcome.pre_split { ", each given its own flows" } else { "" },
            outcome.loops
        ),
        format!(
            "{:<14} {:>10} {:>10} {:>12} {:>8} {:>12} {:>17}",
            "",
            "Mpackets/s",
            "ns/packet",
            "CPU ns/packet",
            "Gbit/s",
            "flows/s",
            "fastest–slowest s"
        ),
    ];
    lines.extend(outcome.runs.iter().map(|row| {
        format!(
            "{:<14} {:>10.3} {:>10.1} {:>13.1} {:>8.2} {:>12.0} {:>8.3}–{:.3}",
            row.depth,
            row.packets_per_second / 1e6,
            row.ns_per_packet,
            row.cpu_ns_per_packet,
            row.bits_per_second / 1e9,
            row.flows_per_second,
            row.fastest_seconds,
            row.slowest_seconds
        )
    }));
    lines.extend(
        outcome
            .stages
            .iter()
            .map(|row| format!("  {:<20} {:>8.1} CPU ns/packet", row.stage, row.cpu_ns_per_packet)),
    );
    lines.extend(outcome.inspection.iter().map(|inspection| {
        format!(
            "  {} packets inspected, {:.0} CPU ns each; {:.2} a flow",
            count(inspection.packets),
            inspection.cpu_ns_per_packet,
            inspection.packets_per_flow
        )
    }));
    lines.push(format!(
        "{:.0} bytes a flow, and {:.0} bytes of metadata; ending all flows took {:.3} s; books {}",
        outcome.flow_bytes,
        outcome.metadata_bytes_per_flow,
        outcome.finish_seconds,
        if outcome.balanced { "balanced" } else { "NOT BALANCED" }
    ));
    lines.join("\n")
}

fn seconds(ns: u64) -> f64 {
    float(ns) / 1e9
}

fn ratio(part: u64, whole: u64) -> f64 {
    float(part) / float(whole).max(1.0)
}

#[expect(clippy::cast_precision_loss, reason = "figures for people, to a few digits")]
fn float(value: u64) -> f64 {
    value as f64
}
