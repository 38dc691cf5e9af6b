//! What a run came to, for people and for programs.

use std::fmt::Write as _;

use serde_json::{Value, json};
use weir_engine::books::Count;
use weir_engine::engine::{QUEUE_COUNTERS, Report};
use weir_shm::counters::Role;

use super::records::Written;
use crate::names;
use crate::units::Quantity;

/// Applications that people are shown.
const TOP: usize = 12;

/// For people.
pub(super) fn text(name: &str, report: &Report, written: Option<Written>) -> String {
    let exact = |value| Quantity::Count.exact(value);
    let get = |count| report.books.get(count);
    let mut out = String::new();
    // Writing to a String cannot fail.
    _ = writeln!(
        out,
        "{name}: {} packets, {} in {} flows, {:.3} s",
        exact(get(Count::Processed)),
        Quantity::Bytes.short(get(Count::ProcessedBytes)),
        exact(get(Count::FlowsCreated)),
        seconds(report.input_ns)
    );
    if let Some(written) = written {
        _ = writeln!(out, "{} flow records written, {} missed", written.flows, written.missed);
    }
    _ = writeln!(out, "\n{:<20} {:>9} {:>11} {:>11}", "application", "flows", "packets", "bytes");
    for (id, total) in report.apps.iter().take(TOP) {
        _ = writeln!(
            out,
            "{:<20} {:>9} {:>11} {:>11}",
            names::app(id.0),
            exact(total.flows),
            exact(total.packets),
            Quantity::Bytes.short(total.bytes)
        );
    }
    if report.apps.len() > TOP {
        _ = writeln!(out, "… and {} more", report.apps.len() - TOP);
    }
    ledger(&mut out, report);
    for trouble in report.shards.iter().filter_map(|shard| shard.trouble.as_deref()) {
        _ = writeln!(out, "{trouble}");
    }
    out.truncate(out.trim_end().len());
    out
}

fn ledger(out: &mut String, report: &Report) {
    _ = writeln!(out, "\nledger");
    for (label, counts) in &report.queues {
        _ = writeln!(out, "  {:<34} {:>12}  on the wire", label, counts.wire);
        for (def, value) in QUEUE_COUNTERS.iter().zip(counts.values()) {
            if def.role == Role::WireDrop && value != 0 {
                _ = writeln!(out, "    {:<32} {:>12}  {}", def.name, value, def.help);
            }
        }
    }
    for shard in &report.shards {
        let label = format!("shard {}", shard.shard);
        _ = writeln!(out, "  {label:<34} {:>12}  processed", shard.books.get(Count::Processed));
    }
    _ = writeln!(out, "  {:<34} {:>12}", "parsed", report.books.get(Count::Parsed));
    for (def, value) in report.books.iter() {
        if def.role == Role::Drop && value != 0 {
            _ = writeln!(out, "    {:<32} {:>12}  {}", def.name, value, def.help);
        }
    }
    let verdict = if report.balanced() { "balanced" } else { "NOT BALANCED" };
    _ = writeln!(out, "  {verdict}");
}

/// For programs.
pub(super) fn json(
    name: &str,
    report: &Report,
    written: Option<Written>,
) -> serde_json::Result<String> {
    let counters = |pick: fn(Role) -> bool| -> Value {
        let rows = report.books.iter().filter(|(def, _)| pick(def.role));
        rows.map(|(def, value)| (def.name.to_owned(), value.into()))
            .collect::<serde_json::Map<_, _>>()
            .into()
    };
    let queues = report.queues.iter().map(|(label, counts)| {
        let rows = QUEUE_COUNTERS.iter().zip(counts.values());
        let mut map: serde_json::Map<_, Value> =
            rows.map(|(def, value)| (def.name.to_owned(), value.into())).collect();
        map.insert("label".into(), label.as_str().into());
        Value::from(map)
    });
    let apps = report.apps.iter().map(|(id, total)| {
        json!({
            "app": names::app(id.0),
            "flows": total.flows,
            "packets": total.packets,
            "bytes": total.bytes,
        })
    });
    let shards = report.shards.iter().map(|shard| {
        json!({
            "shard": shard.shard,
            "frames_processed": shard.books.get(Count::Processed),
            "seconds": seconds(shard.input_ns),
            "cpu_seconds": seconds(shard.input_cpu_ns),
            "flows_created": shard.books.get(Count::FlowsCreated),
            "trouble": shard.trouble,
        })
    });
    serde_json::to_string_pretty(&json!({
        "engine": name,
        "seconds": seconds(report.input_ns),
        "frames": report.books.get(Count::Processed),
        "packets": report.books.get(Count::Parsed),
        "bytes": report.books.get(Count::ProcessedBytes),
        "flows": report.books.get(Count::FlowsCreated),
        "flow_records_written": written.map(|written| written.flows),
        "flow_records_missed": written.map(|written| written.missed),
        "applications": apps.collect::<Vec<_>>(),
        "queues": queues.collect::<Vec<_>>(),
        "shards": shards.collect::<Vec<_>>(),
        "drops": counters(|role| role == Role::Drop),
        "counters": counters(|role| role == Role::Info),
        "balanced": report.balanced(),
    }))
}

#[expect(clippy::cast_precision_loss, reason = "for people, to the millisecond")]
fn seconds(ns: u64) -> f64 {
    ns as f64 / 1e9
}
