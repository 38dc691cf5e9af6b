//! An alert for people, as JSON and as CSV.

use std::fmt::Write as _;
use std::io;
use std::net::IpAddr;

use serde::ser::{Serialize, SerializeMap, Serializer};
use weir_shm::alerts::{Alert, AlertKind, Figure, Party, Phase};

use crate::flow::to_ip;
use crate::table::Column;
use crate::{csv, names, units};

const MAPPED: [u8; 12] = [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff];

/// The address of a party, if it has one.
pub(crate) fn address(party: &Party) -> Option<IpAddr> {
    party.is_there().then(|| to_ip(party.address, !party.address.starts_with(&MAPPED)))
}

/// Address and port as people write them; empty if there is neither.
pub(crate) fn party_text(party: &Party) -> String {
    match (address(party), party.port) {
        (None, 0) => String::new(),
        (None, port) => format!("port {port}"),
        (Some(address), 0) => address.to_string(),
        (Some(IpAddr::V6(address)), port) => format!("[{address}]:{port}"),
        (Some(address), port) => format!("{address}:{port}"),
    }
}

/// A hardware address as people write it; none for zeros.
pub(crate) fn mac_text(mac: [u8; 6]) -> Option<String> {
    let digits: Vec<String> = mac.iter().map(|byte| format!("{byte:02x}")).collect();
    (mac != [0; 6]).then(|| digits.join(":"))
}

/// Whom it is about: an address, or a device.
pub(crate) fn subject_text(alert: &Alert) -> String {
    let subject = party_text(&alert.subject);
    match (subject.is_empty(), mac_text(alert.mac)) {
        (true, Some(mac)) => mac,
        (false, Some(mac)) => format!("{subject} by {mac}"),
        (_, None) => subject,
    }
}

/// The figure that the value is of: the first of the evidence that equals it.
fn figure_of(alert: &Alert) -> Option<Figure> {
    let mut all = alert.figures.iter().flatten();
    all.find(|(_, value)| *value == alert.value).map(|(figure, _)| *figure)
}

/// The alert in one sentence.
pub(crate) fn sentence(alert: &Alert) -> String {
    let mut text = format!("{}: {}", alert.rule.to_text(), subject_text(alert));
    // Writing to a String cannot fail.
    let peer = party_text(&alert.peer);
    if !peer.is_empty() {
        text.push_str(" with ");
        text.push_str(&peer);
    }
    let figure = figure_of(alert).map_or("", |figure| figure.name()).replace('_', " ");
    let value = if alert.phase == Phase::Ended { alert.peak } else { alert.value };
    let most = if alert.phase == Phase::Ended { "up to " } else { "" };
    text.push_str(format!(", {most}{value} {figure}").trim_end());
    if alert.window_s != 0 {
        _ = write!(text, " in {} s", alert.window_s);
    }
    _ = write!(text, " (threshold {})", alert.threshold);
    if !alert.note.is_empty() {
        _ = write!(text, ", {}", alert.note.to_text());
    }
    if alert.phase == Phase::Ended {
        let seconds = alert.end_ns.saturating_sub(alert.start_ns) / 1_000_000_000;
        _ = write!(text, ", over after {seconds} s");
    }
    text
}

/// An alert as one JSON object.
#[derive(Debug)]
pub(crate) struct AlertJson<'a>(pub(crate) &'a Alert);

/// Appends the alert and a newline to `out`.
///
/// # Errors
/// Fails only if `out` does.
pub(crate) fn json_line(out: &mut Vec<u8>, alert: &Alert) -> io::Result<()> {
    serde_json::to_writer(&mut *out, &AlertJson(alert))?;
    out.push(b'\n');
    Ok(())
}

struct PartyJson<'a>(&'a Party, [u8; 6]);

impl Serialize for PartyJson<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        if let Some(address) = address(self.0) {
            map.serialize_entry("ip", &address)?;
        }
        if self.0.port != 0 {
            map.serialize_entry("port", &self.0.port)?;
        }
        if let Some(mac) = mac_text(self.1) {
            map.serialize_entry("mac", &mac)?;
        }
        map.end()
    }
}

struct Figures<'a>(&'a Alert);

impl Serialize for Figures<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let figures = self.0.figures.iter().flatten();
        serializer.collect_map(figures.map(|(figure, value)| (figure.name(), value)))
    }
}

impl Serialize for AlertJson<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let alert = self.0;
        let text = |text: &str| (!text.is_empty()).then(|| text.to_owned());
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry("phase", alert.phase.name())?;
        map.serialize_entry("id", &format!("{:016x}", alert.id))?;
        map.serialize_entry("rule", &alert.rule.to_text())?;
        map.serialize_entry("kind", alert.kind.name())?;
        map.serialize_entry("severity", alert.severity.name())?;
        map.serialize_entry("technique", &text(alert.kind.technique()))?;
        map.serialize_entry("time_ns", &alert.time_ns)?;
        map.serialize_entry("start_ns", &alert.start_ns)?;
        map.serialize_entry("update_ns", &alert.update_ns)?;
        map.serialize_entry("end_ns", &(alert.end_ns != 0).then_some(alert.end_ns))?;
        map.serialize_entry("window_s", &(alert.window_s != 0).then_some(alert.window_s))?;
        map.serialize_entry("value", &alert.value)?;
        map.serialize_entry("peak", &alert.peak)?;
        map.serialize_entry("threshold", &alert.threshold)?;
        map.serialize_entry("subject", &PartyJson(&alert.subject, alert.mac))?;
        let has_peer = alert.peer != Party::default() || alert.peer_mac != [0; 6];
        let peer = has_peer.then_some(PartyJson(&alert.peer, alert.peer_mac));
        map.serialize_entry("peer", &peer)?;
        let l4 = (alert.protocol != 0).then(|| names::l4(alert.protocol));
        map.serialize_entry("l4", &l4)?;
        map.serialize_entry("vlan", &(alert.vlan != 0).then_some(alert.vlan))?;
        map.serialize_entry("app", &(alert.app != 0).then(|| names::app(alert.app)))?;
        map.serialize_entry("note", &text(&alert.note.to_text()))?;
        map.serialize_entry("figures", &Figures(alert))?;
        let flows: Vec<u64> = alert.flows.into_iter().filter(|flow| *flow != 0).collect();
        map.serialize_entry("flows", &flows)?;
        map.serialize_entry("text", &sentence(alert))?;
        map.end()
    }
}

/// The titles of CSV.
pub(crate) const TITLES: [&str; 16] = [
    "phase",
    "id",
    "rule",
    "kind",
    "severity",
    "technique",
    "start_ns",
    "update_ns",
    "end_ns",
    "subject",
    "peer",
    "value",
    "peak",
    "threshold",
    "window_s",
    "note",
];

/// Appends the alert as a line of CSV.
pub(crate) fn csv_line(out: &mut String, alert: &Alert) {
    csv::line(
        out,
        [
            alert.phase.name().to_owned(),
            format!("{:016x}", alert.id),
            alert.rule.to_text(),
            alert.kind.name().to_owned(),
            alert.severity.name().to_owned(),
            alert.kind.technique().to_owned(),
            alert.start_ns.to_string(),
            alert.update_ns.to_string(),
            if alert.end_ns == 0 { String::new() } else { alert.end_ns.to_string() },
            subject_text(alert),
            party_text(&alert.peer),
            alert.value.to_string(),
            alert.peak.to_string(),
            alert.threshold.to_string(),
            alert.window_s.to_string(),
            alert.note.to_text(),
        ],
    );
}

/// The columns of the table.
pub(crate) fn columns() -> Vec<Column> {
    let titles = [
        ("SEVERITY", false),
        ("RULE", false),
        ("SUBJECT", false),
        ("PEER", false),
        ("VALUE", true),
        ("SINCE", true),
        ("FOR", true),
        ("STATE", false),
        ("NOTE", false),
    ];
    let mut columns: Vec<Column> =
        titles.iter().map(|(title, right)| Column::new(*title, *right)).collect();
    for (at, (at_least, dispensable)) in [
        (1, (10, 0)),
        (2, (12, 0)),
        (3, (12, 4)),
        (4, (0, 2)),
        (6, (0, 5)),
        (7, (0, 1)),
        (8, (8, 3)),
    ] {
        columns[at].at_least = at_least;
        columns[at].dispensable = dispensable;
    }
    columns
}

/// The alert as a row of the table. `now_ns` is the engine's time.
pub(crate) fn row(alert: &Alert, now_ns: u64) -> Vec<String> {
    let time = |from: u64, to: u64| units::Quantity::Time.short(to.saturating_sub(from));
    let is_over = alert.end_ns != 0;
    let value = if is_over { alert.peak } else { alert.value };
    vec![
        alert.severity.name().to_owned(),
        alert.rule.to_text(),
        subject_text(alert),
        party_text(&alert.peer),
        unit_of(alert).short(value),
        time(alert.start_ns, now_ns),
        time(alert.start_ns, if is_over { alert.end_ns } else { alert.update_ns.max(now_ns) }),
        if is_over { "ended" } else { "active" }.to_owned(),
        alert.note.to_text(),
    ]
}

/// In what the value is counted.
pub(super) fn unit_of(alert: &Alert) -> units::Quantity {
    let is_bytes = matches!(alert.kind, AlertKind::ElephantFlow | AlertKind::Amplification)
        || alert.kind == AlertKind::HostThreshold && alert.figure(Figure::Bytes).is_some();
    if is_bytes { units::Quantity::Bytes } else { units::Quantity::Count }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use weir_shm::alerts::{Severity, ShortText};

    pub(crate) fn sample() -> Alert {
        let address = |last| [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 10, 0, 0, last];
        let mut alert = Alert {
            id: 0xabc,
            kind: AlertKind::PortScan,
            severity: Severity::High,
            rule: ShortText::new(b"port_scan"),
            start_ns: 5_000_000_000,
            window_s: 60,
            value: 120,
            peak: 130,
            threshold: 100,
            subject: Party { address: address(5), port: 0 },
            peer: Party { address: address(9), port: 0 },
            protocol: 6,
            ..Alert::default()
        };
        alert.set_figure(Figure::Ports, 120);
        alert.add_flow(77);
        alert
    }

    #[test]
    fn an_alert_reads_as_a_sentence_and_as_json() {
        let mut alert = sample();
        assert_eq!(
            sentence(&alert),
            "port_scan: 10.0.0.5 with 10.0.0.9, 120 ports in 60 s (threshold 100)"
        );
        let mut line = Vec::new();
        json_line(&mut line, &alert).unwrap();
        let json: serde_json::Value = serde_json::from_slice(&line).unwrap();
        assert_eq!(json["id"], "0000000000000abc");
        assert_eq!(json["subject"]["ip"], "10.0.0.5");
        assert_eq!(json["figures"]["ports"], 120);
        assert_eq!(json["technique"], "T1046");
        assert_eq!(json["flows"][0], 77);
        assert!(json["end_ns"].is_null());
        alert.phase = Phase::Ended;
        alert.end_ns = 65_000_000_000;
        assert!(sentence(&alert).ends_with("over after 60 s"), "{}", sentence(&alert));
        let mut text = String::new();
        csv_line(&mut text, &alert);
        assert_eq!(text.split(',').count(), TITLES.len());
        assert_eq!(row(&alert, 70_000_000_000).len(), columns().len());
    }
}
