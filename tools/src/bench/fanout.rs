//! `weir bench --readers`: what packet readers cost the engine. Turn by turn with each number of
//! them, so that what else the machine does falls on all alike.

use std::sync::Arc;

use serde::Serialize;
use weir_engine::books::Count;
use weir_engine::capture::file::PreloadedFrames;
use weir_engine::config::Config;
use weir_engine::measure::{self, ReaderTook, Readers};
use weir_engine::shard::Depth;

use super::{BenchArgs, float, ratio};

/// What a number of readers came to.
#[derive(Serialize, Debug)]
struct Row {
    readers: usize,
    /// Of the shard's thread; median, least and most of all turns.
    cpu_ns_per_packet: f64,
    cpu_ns_least: f64,
    cpu_ns_most: f64,
    /// Median of the differences to the turn of the first row that came before.
    percent_more: f64,
    packets_per_second: f64,
    /// Each reader's, all turns together.
    delivered: Vec<u64>,
    missed: Vec<u64>,
    reader_cpu_ns_per_packet: f64,
}

/// Everything that is reported.
#[derive(Serialize, Debug)]
pub(super) struct Outcome {
    capture: String,
    frames: usize,
    rounds: u32,
    touch: bool,
    rows: Vec<Row>,
}

/// One turn of one number of readers.
struct Turn {
    cpu_ns: f64,
    wall_ns: f64,
    readers: Vec<ReaderTook>,
}

/// Measures every number of readers `rounds` times.
pub(super) fn run(
    args: &BenchArgs,
    frames: &Arc<PreloadedFrames>,
    config: &Config,
) -> anyhow::Result<Outcome> {
    let depth = if args.no_dpi { Depth::Flow } else { Depth::Inspect };
    let mut turns: Vec<Vec<Turn>> = args.readers.iter().map(|_| Vec::new()).collect();
    for _ in 0..args.loops {
        for (count, turns) in args.readers.iter().zip(&mut turns) {
            let readers = Readers { count: *count, touch: args.touch };
            let (shard, readers) = measure::run_beside(frames, config, depth, readers)?;
            let packets = float(shard.books.get(Count::Processed)).max(1.0);
            let cpu_ns = float(shard.turns_cpu_ns) / packets;
            turns.push(Turn { cpu_ns, wall_ns: float(shard.turns_ns) / packets, readers });
        }
    }
    let first: Vec<f64> = turns.iter().take(1).flatten().map(|turn| turn.cpu_ns).collect();
    let rows = args.readers.iter().zip(&turns).map(|(readers, turns)| row(*readers, turns, &first));
    Ok(Outcome {
        capture: args.source().to_owned(),
        frames: frames.frames(),
        rounds: args.loops,
        touch: args.touch,
        rows: rows.collect(),
    })
}

fn row(readers: usize, turns: &[Turn], first: &[f64]) -> Row {
    let sum = |number: usize, of: fn(&ReaderTook) -> u64| {
        turns.iter().filter_map(|turn| turn.readers.get(number)).map(of).sum::<u64>()
    };
    let each = |of| (0..readers).map(|number| sum(number, of)).collect::<Vec<u64>>();
    let delivered = each(|took| took.delivered);
    let all = |of| each(of).iter().sum::<u64>();
    let cpu = sorted(turns.iter().map(|turn| turn.cpu_ns));
    let more = turns.iter().zip(first).map(|(turn, first)| (turn.cpu_ns / first - 1.0) * 100.0);
    Row {
        readers,
        cpu_ns_per_packet: median(&cpu),
        cpu_ns_least: cpu.first().copied().unwrap_or_default(),
        cpu_ns_most: cpu.last().copied().unwrap_or_default(),
        percent_more: median(&sorted(more)),
        packets_per_second: 1e9 / median(&sorted(turns.iter().map(|turn| turn.wall_ns))).max(1e-9),
        reader_cpu_ns_per_packet: ratio(all(|took| took.cpu_ns), all(|took| took.delivered)),
        missed: each(|took| took.missed),
        delivered,
    }
}

fn sorted(values: impl Iterator<Item = f64>) -> Vec<f64> {
    let mut values: Vec<f64> = values.collect();
    values.sort_by(f64::total_cmp);
    values
}

fn median(sorted: &[f64]) -> f64 {
    let middle = sorted.len() / 2;
    let upper = sorted.get(middle).copied().unwrap_or_default();
    match sorted.len() {
        0 => 0.0,
        even if even.is_multiple_of(2) => f64::midpoint(upper, sorted[middle - 1]),
        _ => upper,
    }
}

/// The rows for people.
pub(super) fn text(outcome: &Outcome) -> String {
    let mut lines = vec![
        format!(
            "{}: {} frames, {} round(s); readers look at {}",
            outcome.capture,
            outcome.frames,
            outcome.rounds,
            if outcome.touch { "every byte" } else { "descriptors" }
        ),
        format!(
            "{:>7} {:>13} {:>15} {:>9} {:>10}   {:<22} {:>13}",
            "readers",
            "CPU ns/packet",
            "least–most",
            "more",
            "Mpackets/s",
            "each read of all",
            "reader CPU ns"
        ),
    ];
    lines.extend(outcome.rows.iter().map(|row| {
        let shares = row.delivered.iter().zip(&row.missed);
        let shares = shares.map(|(read, missed)| ratio(*read, read + missed) * 100.0);
        let shares = sorted(shares);
        let read = match (shares.first(), shares.last()) {
            (Some(least), Some(most)) => format!("{least:.1} % – {most:.1} %"),
            _ => String::new(),
        };
        format!(
            "{:>7} {:>13.2} {:>7.1}–{:<7.1} {:>+7.2} % {:>10.3}   {:<22} {:>13.1}",
            row.readers,
            row.cpu_ns_per_packet,
            row.cpu_ns_least,
            row.cpu_ns_most,
            row.percent_more,
            row.packets_per_second / 1e6,
            read,
            row.reader_cpu_ns_per_packet
        )
    }));
    lines.join("\n")
}
