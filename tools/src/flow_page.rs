//! `weir flow ID`: one flow, with its health in plain sentences.

use std::process::ExitCode;

use clap::Args;
use serde_json::{Map, Value, json};
use weir_shm::FlowView;
use weir_shm::flow::Dir;
use weir_shm::health::{Ended, Events, Health, RoundTrips, mark};

use crate::exit::{Code, failure};
use crate::field::{Field, Seen, Style};
use crate::flow::Flow;
use crate::flow_json::FlowJson;
use crate::live::{self, EngineArgs};
use crate::units::Quantity;

/// Show one live flow: what it is, how it goes, and what that means.
///
/// The number is that of `weir flows -c flow_id,…`. docs/METRICS.md defines every figure.
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

/// Runs the command.
pub(crate) fn run(args: &FlowArgs) -> anyhow::Result<ExitCode> {
    let engine = args.engine.attach()?;
    let now_ns = live::engine_now_ns(&engine);
    let mut page = None;
    live::scan(&engine, |flow, view| -> anyhow::Result<()> {
        if flow.id == args.id && page.is_none() {
            page = Some(if args.json {
                serde_json::to_string_pretty(&object(flow, view)?)?
            } else {
                text(flow, view, now_ns)
            });
        }
        Ok(())
    })?;
    let Some(page) = page else {
        let advice = "it has ended, or never was; `weir flows -c flow_id,client,server` lists them";
        return Err(failure(Code::Usage, format!("there is no live flow {}: {advice}", args.id)));
    };
    crate::exit::print(&page)?;
    Ok(ExitCode::SUCCESS)
}

/// The page for people.
fn text(flow: &Flow<'_>, view: &FlowView, now_ns: u64) -> String {
    let seen = Seen { flow, now_ns };
    let field = |name: &str| {
        let found = Field::find(name).map(|field| field.text(&seen, Style::Human));
        crate::terminal::clean(&found.unwrap_or_default())
    };
    let mut lines = vec![format!(
        "{} {} -> {}  {} {}",
        field("l4"),
        field("client"),
        field("server"),
        field("app"),
        field("host")
    )];
    lines.push(format!(
        "{} packets, {} in {}; {} there, {} back",
        field("packets"),
        field("bytes"),
        field("duration"),
        field("bytes_c2s"),
        field("bytes_s2c")
    ));
    let health = &view.health;
    if !health.is_known() {
        lines.push("Its health is not kept (health.enabled).".to_owned());
        return lines.join("\n");
    }
    lines.push(String::new());
    lines.extend(sentences(flow, view));
    lines.push(String::new());
    let history = health.history();
    if !history.is_empty() {
        let state = health.conn_state();
        lines.push(format!("state {} ({}), history {history}", state.name(), state.meaning()));
    }
    for (dir, name) in DIRECTIONS {
        let events = events_of(&health.events(&view.snapshot, dir));
        let met: Vec<String> = events
            .iter()
            .filter(|(_, count)| *count != 0)
            .map(|(event, count)| format!("{} {count}", event.replace('_', " ")))
            .collect();
        let met =
            if met.is_empty() { "nothing out of the ordinary".to_owned() } else { met.join(", ") };
        lines.push(format!("{name}: {met}"));
        let packets = health.statistics(&view.snapshot, dir);
        if view.snapshot.packets(dir) > 0 {
            lines.push(format!(
                "     sizes {} to {}, mean {:.0} (deviation {:.0}); distances mean {}, largest {}; \
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
    lines.join("\n")
}

/// What the figures mean.
fn sentences(flow: &Flow<'_>, view: &FlowView) -> Vec<String> {
    let health = &view.health;
    let mut said = vec![course(flow, health)];
    said.extend(delays(view));
    for (dir, of, to) in [(Dir::ToServer, "client", "server"), (Dir::ToClient, "server", "client")]
    {
        said.extend(troubles(
            &health.events(&view.snapshot, dir),
            view.snapshot.packets(dir),
            of,
            to,
        ));
    }
    if health.has(mark::ECN) {
        said.push("Both sides use ECN.".to_owned());
    }
    said
}

/// How it began and ended.
fn course(flow: &Flow<'_>, health: &Health) -> String {
    let life = time(flow.duration_ns());
    let is_open = health.has(mark::ESTABLISHED) || health.answers().samples > 0;
    match health.ended() {
        Ended::Refused => format!("Refused by the server after {life}: nothing listens there."),
        Ended::ResetByServer if !is_open => {
            format!("Reset by the server after {life}: nothing listens there, or a filter says so.")
        }
        Ended::ResetByServer => format!("Reset by the server after {life}."),
        Ended::ResetByClient => format!("Reset by the client after {life}."),
        Ended::ByClient => format!("Closed after {life}, by the client first."),
        Ended::ByServer => format!("Closed after {life}, by the server first."),
        Ended::Open if flow.l4 == 6 && flow.packets[1] == 0 && health.syns() > 0 => {
            format!("The client asked {} time(s), and nobody answered.", health.syns())
        }
        Ended::Open if health.has(mark::FROM_MIDDLE) => {
            "Open; its beginning was not seen.".to_owned()
        }
        Ended::Open => "Open.".to_owned(),
    }
}

fn delays(view: &FlowView) -> Vec<String> {
    let health = &view.health;
    let mut said = Vec::new();
    let (server, client) = (health.server_delay_ns(), health.client_delay_ns());
    match (server, client) {
        (0, 0) => {}
        (server, 0) => said.push(format!("The server is {} away.", time(server))),
        (server, client) => said.push(format!(
            "The server is {} away from here and the client {}.",
            time(server),
            time(client)
        )),
    }
    if health.secure_handshake_ns() != 0 {
        let what = if health.has(mark::QUIC) { "QUIC" } else { "TLS" };
        said.push(format!("The {what} handshake took {}.", time(health.secure_handshake_ns())));
    }
    let answers = health.answers();
    match answers.samples {
        0 => {}
        1 => said.push(format!("The answer took {}.", time(answers.first_ns))),
        many => said.push(format!(
            "{many} answers took {} on average, the first {}, the slowest {}.",
            time(answers.mean_ns),
            time(answers.first_ns),
            time(answers.max_ns)
        )),
    }
    let spin = health.has(mark::SPIN);
    for (dir, end) in [(Dir::ToServer, "server"), (Dir::ToClient, "client")] {
        let trips = health.round_trips(&view.snapshot, dir);
        if trips.samples > 0 {
            let where_to = if spin {
                "From end to end and back".to_owned()
            } else {
                format!("To the {end} and back")
            };
            said.push(format!(
                "{where_to} it takes {} ({} to {}, {} measured).",
                time(trips.mean_ns),
                time(trips.min_ns),
                time(trips.max_ns),
                trips.samples
            ));
        }
    }
    said
}

/// What went wrong with what one side sent.
fn troubles(events: &Events, packets: u64, of: &str, to: &str) -> Vec<String> {
    let mut said = Vec::new();
    let sent_again = u64::from(events.retransmissions);
    if sent_again != 0 {
        let needless = match events.spurious_retransmissions {
            0 => String::new(),
            count => format!(", {count} of them without need"),
        };
        said.push(format!(
            "The {of} sent {sent_again} of {packets} packets again ({:.1} %){needless}.",
            percent(sent_again, packets)
        ));
    }
    if events.lost != 0 {
        said.push(format!("{} gap(s) in what the {of} sent: lost before here.", events.lost));
    }
    if events.zero_windows != 0 {
        said.push(format!(
            "The {of} had no room {} time(s), {} in all: its program is slow, and the {to} waits.",
            events.zero_windows,
            time(events.zero_window_ns)
        ));
    }
    if events.window_full != 0 {
        said.push(format!(
            "The {of} filled the window of the {to} {} time(s).",
            events.window_full
        ));
    }
    if events.congestion_marks != 0 {
        said.push(format!(
            "{} packet(s) of the {of} met congestion and were marked.",
            events.congestion_marks
        ));
    }
    said
}

/// The flow as one object: that of `weir flows --json` and all of its health.
fn object(flow: &Flow<'_>, view: &FlowView) -> anyhow::Result<Value> {
    let mut value = serde_json::to_value(FlowJson { flow, end_reason: None })?;
    let health = &view.health;
    if let (Some(object), true) = (value.as_object_mut(), health.is_known()) {
        object.insert("health".to_owned(), details(flow, view));
    }
    Ok(value)
}

fn details(flow: &Flow<'_>, view: &FlowView) -> Value {
    let health = &view.health;
    let answers = health.answers();
    let mut all = json!({
        "state": health.conn_state().name(),
        "history": health.history(),
        "ended": health.ended().name(),
        "established": health.has(mark::ESTABLISHED),
        "from_middle": health.has(mark::FROM_MIDDLE),
        "ecn": health.has(mark::ECN),
        "quic": health.has(mark::QUIC),
        "spin": health.has(mark::SPIN),
        "syns": health.syns(),
        "server_delay_ns": health.server_delay_ns(),
        "client_delay_ns": health.client_delay_ns(),
        "secure_handshake_ns": health.secure_handshake_ns(),
        "answers": answers.samples,
        "answer_first_ns": answers.first_ns,
        "answer_mean_ns": answers.mean_ns,
        "answer_max_ns": answers.max_ns,
        "sentences": sentences(flow, view),
    });
    if let Some(all) = all.as_object_mut() {
        for (dir, name) in DIRECTIONS {
            all.insert(name.to_owned(), direction(view, dir));
        }
    }
    all
}

fn direction(view: &FlowView, dir: Dir) -> Value {
    let (health, flow) = (&view.health, &view.snapshot);
    let events = events_of(&health.events(flow, dir));
    let mut all: Map<String, Value> =
        events.into_iter().map(|(name, count)| (name.to_owned(), count.into())).collect();
    let RoundTrips { samples, last_ns, min_ns, max_ns, mean_ns } = health.round_trips(flow, dir);
    all.insert(
        "rtt".to_owned(),
        json!({
            "samples": samples, "last_ns": last_ns, "min_ns": min_ns, "max_ns": max_ns,
            "mean_ns": mean_ns,
        }),
    );
    if let Some(offered) = health.offered(flow, dir) {
        all.insert("mss".to_owned(), offered.mss.into());
        all.insert("window_shift".to_owned(), offered.window_shift.into());
        all.insert("sack".to_owned(), offered.sack.into());
        all.insert("timestamps".to_owned(), offered.timestamps.into());
    }
    let packets = health.statistics(flow, dir);
    let figures = json!({
        "size_min": packets.size_min, "size_max": packets.size_max,
        "size_mean": packets.size_mean, "size_deviation": packets.size_deviation,
        "gap_mean_ns": packets.gap_mean_ns, "gap_max_ns": packets.gap_max_ns,
        "gap_deviation_ns": packets.gap_deviation_ns,
        "current_bps": packets.current_bps, "peak_bps": packets.peak_bps,
    });
    all.insert("packets".to_owned(), figures);
    Value::Object(all)
}

/// The events by name.
fn events_of(events: &Events) -> [(&'static str, u64); 19] {
    [
        ("retransmissions", events.retransmissions.into()),
        ("fast_retransmissions", events.fast_retransmissions.into()),
        ("spurious_retransmissions", events.spurious_retransmissions.into()),
        ("retransmitted_bytes", events.retransmitted_bytes.into()),
        ("out_of_order", events.out_of_order.into()),
        ("lost", events.lost.into()),
        ("duplicate_acks", events.duplicate_acks.into()),
        ("unseen_acks", events.unseen_acks.into()),
        ("zero_windows", events.zero_windows.into()),
        ("zero_window_ns", events.zero_window_ns),
        ("window_full", events.window_full.into()),
        ("window_updates", events.window_updates.into()),
        ("zero_window_probes", events.zero_window_probes.into()),
        ("zero_window_probe_acks", events.zero_window_probe_acks.into()),
        ("keep_alives", events.keep_alives.into()),
        ("keep_alive_acks", events.keep_alive_acks.into()),
        ("resets", events.resets.into()),
        ("ecn_echoes", events.ecn_echoes.into()),
        ("congestion_marks", events.congestion_marks.into()),
    ]
}

fn time(ns: u64) -> String {
    Quantity::Time.short(ns)
}

#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "for people")]
fn whole(ns: f64) -> u64 {
    ns.max(0.0) as u64
}

#[expect(clippy::cast_precision_loss, reason = "a share for people")]
fn percent(part: u64, whole: u64) -> f64 {
    part as f64 * 100.0 / (whole.max(1) as f64)
}
