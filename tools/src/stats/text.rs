//! The report for people.

use std::io::{self, Write};

use super::books::{Line, Named, sum};
use super::report::{Block, CounterLine, Report};
use crate::live;
use crate::table::{self, Column};
use crate::terminal::{self, clean};
use crate::units::Quantity;

/// The whole report. With one read `before`, counters show their rate, too.
pub(super) fn render(
    out: &mut impl Write,
    report: &Report,
    before: Option<&Report>,
    all: bool,
) -> io::Result<()> {
    head(out, report)?;
    write!(out, "\nLEDGER (packets)\n{}", ledger(report))?;
    writeln!(out, "{}", report.ledger.verdict())?;
    for (title, blocks, earlier) in [
        ("QUEUES", &report.queues, before.map(|report| &report.queues)),
        ("SHARDS", &report.shards, before.map(|report| &report.shards)),
    ] {
        let seconds = before.map_or(0, |b| report.engine.read_ns.saturating_sub(b.engine.read_ns));
        let rates = earlier.map(|earlier| (earlier.as_slice(), seconds));
        let text = counters(blocks, rates, all);
        if !text.is_empty() {
            write!(out, "\n{title}\n{text}")?;
        }
    }
    if report.histograms.iter().any(|histogram| histogram.count > 0) {
        write!(out, "\nHISTOGRAMS\n{}", histograms(report))?;
    }
    Ok(())
}

fn head(out: &mut impl Write, report: &Report) -> io::Result<()> {
    let engine = &report.engine;
    let up = engine.read_ns.saturating_sub(engine.start_ns);
    let quiet = engine.read_ns.saturating_sub(engine.heartbeat_ns);
    writeln!(
        out,
        "engine {} {} · {} · pid {} · up {} · heartbeat {} ago",
        clean(&engine.name),
        clean(&engine.version),
        engine.state,
        engine.pid,
        Quantity::Time.short(up),
        Quantity::Time.short(quiet),
    )?;
    let sources: Vec<String> = engine.sources.iter().map(|s| live::short_source(s)).collect();
    writeln!(
        out,
        "source {} · {} shard{} · {} flow slots",
        clean(&sources.join(", ")),
        engine.shards,
        if engine.shards == 1 { "" } else { "s" },
        engine.flow_slots
    )
}

fn ledger(report: &Report) -> String {
    let columns = [
        Column { at_least: 12, ..Column::new("", false) },
        Column::new("wire", true),
        Column::new("lost", true),
        Column::new("processed", true),
        Column::new("parsed", true),
        Column::new("dropped", true),
    ];
    let books = &report.ledger;
    let number = |value: Option<u64>| value.map_or_else(|| "-".to_owned(), |v| v.to_string());
    let named = |all: &[Named]| number((!all.is_empty()).then(|| sum(all)));
    let cells = |line: &Line| {
        vec![
            line.label.clone(),
            number(line.wire),
            named(&line.lost),
            number(line.processed),
            number(line.parsed),
            named(&line.dropped),
        ]
    };
    let lines = books.queues.iter().chain(&books.shards).chain([&books.total]);
    let rows: Vec<Vec<String>> = lines.map(cells).collect();
    table::render(&columns, &rows, terminal::width(), true)
}

/// Counters down, blocks across; the blocks of one kind have the same counters.
fn counters(blocks: &[Block], rates: Option<(&[Block], u64)>, all: bool) -> String {
    let Some(first) = blocks.first() else { return String::new() };
    let mut columns = vec![Column { at_least: 16, ..Column::new("", false) }];
    if rates.is_some() {
        columns.push(Column::new("per second", true));
    }
    columns.push(Column::new("total", true));
    if blocks.len() > 1 {
        let across = blocks.iter().map(|block| Column {
            dispensable: 1,
            at_least: 6,
            ..Column::new(clean(&block.label), true)
        });
        columns.extend(across);
    }
    if all {
        columns.push(Column { at_least: 10, dispensable: 2, ..Column::new("meaning", false) });
    }
    let mut rows = Vec::new();
    for (at, counter) in first.counters.iter().enumerate() {
        let value = |block: &Block| block.counters.get(at).map_or(0, |counter| counter.value);
        let total: u64 = blocks.iter().map(value).fold(0, u64::saturating_add);
        if total == 0 && !all {
            continue;
        }
        let mut row = vec![counter.name.clone()];
        if let Some((earlier, ns)) = rates {
            let was: u64 = earlier.iter().map(value).fold(0, u64::saturating_add);
            row.push(per_second(counter, total.saturating_sub(was), ns));
        }
        row.push(total.to_string());
        if blocks.len() > 1 {
            row.extend(blocks.iter().map(|block| value(block).to_string()));
        }
        row.push(counter.help.clone());
        rows.push(row);
    }
    if rows.is_empty() {
        return String::new();
    }
    table::render(&columns, &rows, terminal::width(), columns.len() > 2)
}

fn per_second(counter: &CounterLine, more: u64, ns: u64) -> String {
    let rate = u128::from(more) * 1_000_000_000 / u128::from(ns.max(1));
    let rate = u64::try_from(rate).unwrap_or(u64::MAX);
    let quantity = if counter.unit == "bytes" { Quantity::Bytes } else { Quantity::Count };
    quantity.short(rate)
}

fn histograms(report: &Report) -> String {
    let mut columns = vec![Column::new("", false), Column::new("shard", true)];
    let titles = ["count", "min", "p50", "p90", "p99", "p99.9", "max"];
    columns.extend(titles.map(|title| Column::new(title, true)));
    let rows: Vec<Vec<String>> = report
        .histograms
        .iter()
        .map(|histogram| {
            let quantity = match histogram.unit {
                "ns" => Quantity::Time,
                "bytes" => Quantity::Bytes,
                _ => Quantity::Count,
            };
            let mut row = vec![histogram.name.clone(), histogram.shard.to_string()];
            row.extend(histogram.figures().map(|(name, value)| {
                if name == "count" { value.to_string() } else { quantity.short(value) }
            }));
            row
        })
        .collect();
    table::render(&columns, &rows, terminal::width(), true)
}
