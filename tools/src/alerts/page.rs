//! One alert: all that is known of it, in lines.

use weir_shm::alerts::Alert;

use super::show;
use crate::names;
use crate::terminal::clean;
use crate::units::Quantity;

/// The lines. `now_ns` is the engine's time.
pub(crate) fn lines(alert: &Alert, now_ns: u64) -> Vec<String> {
    let time = |from: u64, to: u64| Quantity::Time.short(to.saturating_sub(from));
    let mut lines = vec![alert.kind.meaning().to_owned(), show::sentence(alert), String::new()];
    let mut line = |name: &str, text: String| {
        if !text.is_empty() {
            lines.push(format!("{name:<10} {}", clean(&text)));
        }
    };
    line("severity", alert.severity.name().to_owned());
    line("rule", alert.rule.to_text());
    line("technique", alert.kind.technique().to_owned());
    line("about", show::subject_text(alert));
    let peer_mac = show::mac_text(alert.peer_mac).unwrap_or_default();
    line("peer", format!("{} {peer_mac}", show::party_text(&alert.peer)).trim().to_owned());
    line("began", format!("{} ago", time(alert.start_ns, now_ns)));
    if alert.end_ns == 0 {
        line("state", format!("active; last held {} ago", time(alert.update_ns, now_ns)));
    } else {
        let (lasted, since) = (time(alert.start_ns, alert.end_ns), time(alert.end_ns, now_ns));
        line("state", format!("over after {lasted}, {since} ago"));
    }
    let window = if alert.window_s == 0 {
        String::new()
    } else {
        format!(" in windows of {} s", alert.window_s)
    };
    let unit = show::unit_of(alert);
    line(
        "measured",
        format!(
            "{}, at most {}{window}; the threshold is {}",
            unit.short(alert.value),
            unit.short(alert.peak.max(alert.value)),
            unit.short(alert.threshold)
        ),
    );
    let held = if alert.times == 0 { String::new() } else { alert.times.to_string() };
    line("held in", if held.is_empty() { held } else { format!("{held} windows or looks") });
    let evidence: Vec<String> = alert
        .figures
        .iter()
        .flatten()
        .map(|(figure, value)| format!("{} {value}", figure.name().replace('_', " ")))
        .collect();
    line("evidence", evidence.join(", "));
    if alert.protocol != 0 {
        line("protocol", names::l4(alert.protocol).into_owned());
    }
    if alert.app != 0 {
        line("app", names::app(alert.app).into_owned());
    }
    if alert.vlan != 0 {
        line("VLAN", alert.vlan.to_string());
    }
    line("note", alert.note.to_text());
    let flows: Vec<String> =
        alert.flows.iter().filter(|flow| **flow != 0).map(ToString::to_string).collect();
    line("flows", flows.join(", "));
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_says_what_is_known_and_nothing_else() {
        let alert = show::tests::sample();
        let lines = lines(&alert, 65_000_000_000);
        for wanted in [
            "A host tries many ports of another.",
            "severity   high",
            "technique  T1046",
            "about      10.0.0.5",
            "peer       10.0.0.9",
            "began      1m00s ago",
            "measured   120, at most 130 in windows of 60 s; the threshold is 100",
            "evidence   ports 120",
            "protocol   TCP",
            "flows      77",
        ] {
            assert!(lines.iter().any(|line| line == wanted), "{wanted}: {lines:#?}");
        }
        assert!(lines.iter().all(|line| !line.starts_with("VLAN") && !line.starts_with("note")));
    }
}
