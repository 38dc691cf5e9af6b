//! The programs that other tests run Weir with do the same with the same packets, every time.

use std::collections::BTreeSet;
use std::process::Command;
use std::time::Duration;

use weir_engine::sys::clock;
use weir_tests::programs::{self, Running, Suricata, difference};
use weir_tests::traffic;

const FEW_SECONDS: Duration = Duration::from_secs(5);

/// Else a comparison with Weir in between would compare chance, and a rule that never fires nothing.
#[test]
fn suricata_finds_the_same_twice_and_every_rule_fires() {
    let test = "suricata_finds_the_same_twice_and_every_rule_fires";
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("mixed.pcap");
    let mut traffic = traffic::mixed(600, 1);
    traffic.write(&file).unwrap();
    let Some(first) = Suricata::find(test).unwrap() else { return };
    let alerts = first.offline(&file).unwrap();
    // Nor does it matter when it was.
    traffic.begin_at(clock::unix_ns());
    traffic.write(&file).unwrap();
    let second = Suricata::find(test).unwrap().unwrap().offline(&file).unwrap();
    assert_eq!(difference(&alerts, &second), Vec::<String>::new());
    assert!(alerts.values().sum::<usize>() > 400, "{} alerts", alerts.len());
    let rules =
        include_str!("../rules/weir.rules").lines().filter(|line| line.starts_with("alert"));
    let fired: BTreeSet<u64> = alerts.keys().map(|alert| alert.signature).collect();
    assert_eq!(fired.len(), rules.count(), "{fired:?}");
    assert_eq!(first.packets(), traffic.frames.len() as u64);
}

#[test]
fn a_difference_is_seen() {
    let alert = |signature| programs::Alert {
        signature,
        source: "10.0.0.1 1".to_owned(),
        target: "10.0.0.2 2".to_owned(),
        protocol: "TCP".to_owned(),
    };
    let (one, other) = ([(alert(1), 2)].into(), [(alert(1), 1), (alert(2), 1)].into());
    let lines = difference(&one, &other);
    assert_eq!(lines.len(), 2, "{lines:?}");
    assert!(lines[0].starts_with("- 2") && lines[1].starts_with("+ 1"), "{lines:?}");
}

#[test]
fn a_program_is_bounded_in_time_and_in_output() {
    let late = programs::run(Command::new("sleep").arg("60"), Duration::from_millis(50));
    assert!(late.unwrap_err().to_string().contains("does not end"));
    let much =
        programs::run(Command::new("head").args(["-c", "9000000", "/dev/zero"]), FEW_SECONDS);
    assert_eq!(much.unwrap().success().unwrap().len(), programs::OUTPUT_BYTES);
    let mut shell = Command::new("sh");
    let mut talks = Running::start(shell.args(["-c", "echo ready; sleep 60"])).unwrap();
    talks.until(FEW_SECONDS, |running| running.output().contains("ready")).unwrap();
    talks.signal(rustix::process::Signal::TERM);
    assert!(!talks.finish(FEW_SECONDS).unwrap().status.success());
}
