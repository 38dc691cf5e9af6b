//! A flow with all of its health as one JSON object.

use serde_json::{Map, Value, json};
use weir_shm::FlowView;
use weir_shm::flow::Dir;
use weir_shm::health::{Events, RoundTrips, mark};

use super::facts::Facts;
use super::{DIRECTIONS, sentences};
use crate::flow::Flow;
use crate::flow_json::FlowJson;

/// The flow as one object: that of `weir flows --json` and all of its health.
pub(super) fn object(
    flow: &Flow<'_>,
    view: &FlowView,
    end_reason: Option<&str>,
) -> anyhow::Result<Value> {
    let mut value = serde_json::to_value(FlowJson { flow, end_reason })?;
    if let Some(object) = value.as_object_mut() {
        if view.health.is_known() {
            object.insert("health".to_owned(), details(view));
        }
        object.insert("sentences".to_owned(), sentences::of(&Facts::of(flow, view)).into());
    }
    Ok(value)
}

fn details(view: &FlowView) -> Value {
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
pub(super) fn events_of(events: &Events) -> [(&'static str, u64); 19] {
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
