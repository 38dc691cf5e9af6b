//! `weir flow ID`: one flow, with its health in plain sentences.

mod facts;
mod json;
mod sentences;

use std::process::ExitCode;

use clap::Args;
use weir_shm::flow::Dir;
use weir_shm::records::{EndReason, Next, Record, RecordKind, StartAt};
use weir_shm::{Attached, FlowView};

use crate::exit::{Code, failure};
use crate::field::{Field, Seen, Style};
use crate::flow::Flow;
use crate::health::Summary;
use crate::live::{self, EngineArgs};
use crate::terminal::clean;
use crate::units::Quantity;
use facts::Facts;

/// Show one flow, live or ended a short while ago: what it is, how it goes, and what that means.
///
/// The number is that of `weir flows -c flow_id,…`, and of the flows that `weir alerts --json` names.
/// docs/METRICS.md defines every figure.
#[derive(Args, Debug)]
pub(crate) struct FlowArgs {
    #[command(flatten)]
    engine: EngineArgs,

    /// The flow's number.
    #[arg(value_name = "ID")]
    id: u64,

    /// One JSON object.
    #[arg(long)]
    json: bool,
}

/// Both directions, to the server first.
const DIRECTIONS: [(Dir, &str); 2] = [(Dir::ToServer, "c2s"), (Dir::ToClient, "s2c")];

/// Records of a shard that are looked through for a flow that has ended.
const RECORDS: usize = 1_000_000;

/// Runs the command.
pub(crate) fn run(args: &FlowArgs) -> anyhow::Result<ExitCode> {
    let engine = args.engine.attach()?;
    let Some(found) = find(&engine, args.id) else {
        let advice = "it never was, or ended so long ago that its record is gone; \
                      `weir flows -c flow_id,client,server` lists those that are live";
        return Err(failure(Code::Usage, format!("there is no flow {}: {advice}", args.id)));
    };
    let page = if args.json {
        let reason = found.ended.map(EndReason::name);
        serde_json::to_string_pretty(&json::object(&found.flow(), &found.view, reason)?)?
    } else {
        found.lines(live::engine_now_ns(&engine)).join("\n")
    };
    crate::exit::print(&page)?;
    Ok(ExitCode::SUCCESS)
}

/// A flow that was looked for.
#[derive(Clone, Debug)]
pub(crate) struct Found {
    view: FlowView,
    shard: u16,
    /// Why it ended; nothing for a live one.
    pub(crate) ended: Option<EndReason>,
}

/// The flow of this number: in the table, or in the records that are still there.
pub(crate) fn find(engine: &Attached, id: u64) -> Option<Found> {
    let mut live = None;
    let searched = live::scan(engine, |flow, view| {
        if flow.id != id {
            return Ok(());
        }
        live = Some(Found { view: view.clone(), shard: flow.shard, ended: None });
        Err(())
    });
    if searched.is_err() {
        return live;
    }
    engine.shards().iter().find_map(|shard| {
        let mut records = shard.records(StartAt::Oldest);
        let mut record = Record::default();
        for _ in 0..RECORDS {
            match records.next(&mut record) {
                Next::Empty | Next::Corrupt => return None,
                Next::Record if record.kind == RecordKind::Ended && record.flow.flow_id() == id => {
                    let Record { flow: snapshot, health, meta, reason, .. } = record;
                    let view = FlowView { snapshot, health, meta };
                    return Some(Found { view, shard: shard.shard(), ended: Some(reason) });
                }
                Next::Record | Next::Missed(_) => {}
            }
        }
        None
    })
}

impl Found {
    /// The flow.
    pub(crate) fn flow(&self) -> Flow<'_> {
        let flow = Flow::decode(&self.view.snapshot, self.shard, &self.view.meta);
        flow.with(Summary::of_view(&self.view))
    }

    /// The page for people.
    pub(crate) fn lines(&self, now_ns: u64) -> Vec<String> {
        let (flow, view) = (self.flow(), &self.view);
        let facts = Facts::of(&flow, view);
        let mut lines = head(&Seen { flow: &flow, now_ns });
        lines.extend(self.ended.map(over));
        lines.push(String::new());
        lines.extend(sentences::of(&facts));
        if facts.is_known {
            lines.push(String::new());
            lines.extend(figures(view));
        } else {
            let what = "Round trips, losses and windows are not kept (health.enabled = true does).";
            lines.push(what.to_owned());
        }
        lines
    }
}

/// Which flow it is, and how much it came to.
fn head(seen: &Seen<'_>) -> Vec<String> {
    let field = |name: &str| {
        let found = Field::find(name).map(|field| field.text(seen, Style::Human));
        clean(&found.unwrap_or_default())
    };
    let what = format!(
        "{} {} -> {}  {} {}",
        field("l4"),
        field("client"),
        field("server"),
        field("app"),
        field("host")
    );
    let amount = format!(
        "{} packets, {} in {}; {} there, {} back",
        field("packets"),
        field("bytes"),
        field("duration"),
        field("bytes_c2s"),
        field("bytes_s2c")
    );
    let mut lines = vec![what.trim_end().to_owned(), amount];
    for name in ["risks", "why"] {
        let text = field(name);
        if !text.is_empty() {
            lines.push(format!("{name}: {text}"));
        }
    }
    lines
}

/// Why the engine ended it.
fn over(reason: EndReason) -> String {
    let why = match reason {
        EndReason::Idle => "nothing came for the idle time-out",
        EndReason::TcpFin => "both sides closed it",
        EndReason::TcpReset => "it was reset",
        EndReason::Evicted => "its place was needed for another flow (flow.capacity)",
        EndReason::Shutdown => "the engine ended",
        EndReason::Active | EndReason::None => "a record was due",
    };
    format!("Over: {why}.")
}

/// State, events and distributions.
fn figures(view: &FlowView) -> Vec<String> {
    let health = &view.health;
    let mut lines = Vec::new();
    let history = health.history();
    if !history.is_empty() {
        let state = health.conn_state();
        lines.push(format!("state {} ({}), history {history}", state.name(), state.meaning()));
    }
    for (dir, name) in DIRECTIONS {
        let events = json::events_of(&health.events(&view.snapshot, dir));
        let met: Vec<String> = events
            .iter()
            .filter(|(_, count)| *count != 0)
            .map(|(event, count)| match event.strip_suffix("_ns") {
                Some(event) => format!("{} {}", event.replace('_', " "), time(*count)),
                None => format!("{} {count}", event.replace('_', " ")),
            })
            .collect();
        let met =
            if met.is_empty() { "nothing out of the ordinary".to_owned() } else { met.join(", ") };
        lines.push(format!("{name}: {met}"));
        let packets = health.statistics(&view.snapshot, dir);
        if view.snapshot.packets(dir) > 0 {
            lines.push(format!(
                "     sizes {} to {} B, mean {:.0} (deviation {:.0}); distances mean {}, largest {}; \
                 now {}, peak {}",
                packets.size_min,
                packets.size_max,
                packets.size_mean,
                packets.size_deviation,
                time(whole(packets.gap_mean_ns)),
                time(packets.gap_max_ns),
                Quantity::Rate.short(packets.current_bps),
                Quantity::Rate.short(packets.peak_bps),
            ));
        }
    }
    lines
}

/// A time for people.
fn time(ns: u64) -> String {
    Quantity::Time.short(ns)
}

#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "for people")]
fn whole(ns: f64) -> u64 {
    ns.max(0.0) as u64
}
