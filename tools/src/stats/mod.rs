//! `weir stats`: what the engine counts, and whether it adds up.

pub(crate) mod books;
mod report;
mod text;

use std::io::{self, BufWriter, IsTerminal, Write};
use std::process::ExitCode;
use std::time::Duration;

use clap::Args;

use crate::csv;
use crate::exit::Code;
use crate::flows::seconds;
use crate::live::{self, EngineArgs};
use report::Report;

/// Show a running engine's counters, its ledger by queue and by shard, and its histograms.
///
/// The ledger is what makes the figures worth something: wire = losses by name + processed, and
/// processed = parsed + drops by name. It ends in BALANCED, or in the line that does not add up.
#[derive(Args, Debug)]
#[expect(clippy::struct_excessive_bools, reason = "each is an option of the command line")]
pub(crate) struct StatsArgs {
    #[command(flatten)]
    engine: EngineArgs,

    /// One JSON object.
    #[arg(long, conflicts_with = "csv")]
    json: bool,

    /// Comma-separated values: one line a counter and block.
    #[arg(long)]
    csv: bool,

    /// Show again every SECS seconds until the engine ends, with rates.
    #[arg(long, short = 'w', value_name = "SECS", value_parser = seconds)]
    watch: Option<Duration>,

    /// Leave out the line of titles (CSV).
    #[arg(long)]
    no_header: bool,

    /// Show counters that are zero, too, and say what each counter means.
    #[arg(long, short = 'a')]
    all: bool,

    /// End with code 5 if the books do not balance.
    #[arg(long)]
    check: bool,
}

/// Runs the command.
pub(crate) fn run(args: &StatsArgs) -> anyhow::Result<ExitCode> {
    let engine = args.engine.attach()?;
    let mut out = BufWriter::new(io::stdout().lock());
    let clear = args.watch.is_some() && !args.json && !args.csv && io::stdout().is_terminal();
    let mut before: Option<Report> = None;
    loop {
        let report = Report::read(&engine);
        if clear {
            write!(out, "\x1b[H\x1b[J")?;
        }
        if args.json {
            serde_json::to_writer(&mut out, &report)?;
            writeln!(out)?;
        } else if args.csv {
            out.write_all(as_csv(&report, !args.no_header).as_bytes())?;
        } else {
            text::render(&mut out, &report, before.as_ref(), args.all)?;
        }
        out.flush()?;
        match args.watch {
            Some(time) if live::wait(&engine, time) => before = Some(report),
            Some(_) => return live::ended(&engine),
            None if args.check && !report.ledger.balanced => {
                return Ok(ExitCode::from(Code::Unbalanced as u8));
            }
            None => return Ok(ExitCode::SUCCESS),
        }
    }
}

fn as_csv(report: &Report, header: bool) -> String {
    let mut out = String::new();
    if header {
        csv::line(&mut out, ["kind", "block", "name", "unit", "role", "value"]);
    }
    for (kind, blocks) in [("queue", &report.queues), ("shard", &report.shards)] {
        for block in blocks {
            for counter in &block.counters {
                let value = counter.value.to_string();
                let cells = [kind, &block.label, &counter.name, counter.unit, counter.role, &value];
                csv::line(&mut out, cells);
            }
        }
    }
    for histogram in &report.histograms {
        for (name, value) in histogram.figures() {
            let name = format!("{}.{name}", histogram.name);
            let shard = histogram.shard.to_string();
            csv::line(
                &mut out,
                ["histogram", &shard, &name, histogram.unit, "info", &value.to_string()],
            );
        }
    }
    out
}
