//! Packets of hosts and flows that an alert names: recorded for its sake, out of memory too, and found
//! again by its id.

use std::path::{Path, PathBuf};

use serde_json::Value;
use weir_tests::programs;
use weir_tests::traffic::attacks::{self, ATTACKER, Scene};

use crate::engine::{Engine, WITHIN, output, source, weir};
use crate::record::{extract, files, record, tcpdump};

/// A scene in a file of `folder`.
fn written(folder: &Path, scene: Scene) -> PathBuf {
    let file = folder.join("scene.pcap");
    scene.traffic().write(&file).unwrap();
    file
}

/// Records an engine that reads `file`. The newest state of each alert, and what the recorder says.
fn recorded(file: &Path, dir: &Path, arguments: &[&str]) -> (Vec<Value>, Value) {
    let told = dir.with_extension("json");
    let arguments_of_run =
        ["--timeouts=60s", "--wait-for-readers", "--alerts", told.to_str().unwrap()];
    let engine = Engine::start(&source(file), &arguments_of_run);
    let mut command = engine.command(&[&["record", "--json"], arguments].concat());
    let said = output(command.arg("--dir").arg(dir));
    assert!(engine.end(false).status.success());
    let told = std::fs::read_to_string(told).unwrap();
    let told: Vec<Value> = told.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let ended = told.into_iter().filter(|alert| alert["phase"] == "ended").collect();
    (ended, serde_json::from_str(&said).unwrap())
}

/// The one alert of a rule.
fn alert<'a>(told: &'a [Value], rule: &str) -> &'a Value {
    let found: Vec<_> = told.iter().filter(|alert| alert["rule"] == rule).collect();
    assert_eq!(found.len(), 1, "{told:?}");
    found[0]
}

fn scan(folder: &Path) -> PathBuf {
    written(folder, attacks::port_scan().with(attacks::ordinary(1)))
}

#[test]
fn what_was_in_memory_is_written_once_an_alert_names_it() {
    let test = "what_was_in_memory_is_written_once_an_alert_names_it";
    if programs::find(test, "tcpdump").is_none() {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let file = scan(folder.path());
    let wanted = tcpdump(&file, &format!("host {ATTACKER}"));
    let dir = folder.path().join("memory");
    let arguments = ["--alert=high", "--pretrigger", "1h", "--after", "1s"];
    let (told, said) = recorded(&file, &dir, &arguments);
    alert(&told, "port_scan");
    assert!(wanted.len() > 800);
    assert!(extract(&dir, &[]) == wanted, "{said}");
    let count = |name: &str| said[name].as_u64().unwrap();
    assert_eq!(count("recorded"), wanted.len() as u64, "{said}");
    assert_eq!(count("seen"), count("recorded") + count("not_asked_for"), "{said}");
    assert!(count("not_asked_for") > 1000, "{said}");
    // Nothing weighs so much.
    let dir = folder.path().join("severe");
    let (_, said) = recorded(&file, &dir, &["--alert=severe", "--pretrigger", "1h"]);
    assert_eq!((&said["recorded"], files(&dir).len()), (&0.into(), 0), "{said}");
}

#[test]
fn without_memory_it_is_written_from_the_alert_on() {
    let test = "without_memory_it_is_written_from_the_alert_on";
    if programs::find(test, "tcpdump").is_none() {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let file = scan(folder.path());
    let wanted = tcpdump(&file, &format!("host {ATTACKER}"));
    let dir = folder.path().join("from");
    let (told, said) = recorded(&file, &dir, &["--alert"]);
    let there = extract(&dir, &[]);
    assert!(wanted.ends_with(&there) && there.len() > wanted.len() / 4, "{said}");
    let start_ns = alert(&told, "port_scan")["start_ns"].as_u64().unwrap();
    // The recorder is a batch behind the alert at most, and the engine one ahead of the recorder.
    assert!(there[0].0.abs_diff(start_ns) < 20_000_000_000, "{start_ns} {}", there[0].0);
    let (seen, left) = (&said["seen"], &said["not_chosen"]);
    assert_eq!(seen.as_u64().unwrap() - left.as_u64().unwrap(), there.len() as u64, "{said}");
}

#[test]
fn packets_of_an_alert_are_found_by_its_id() {
    let test = "packets_of_an_alert_are_found_by_its_id";
    if programs::find(test, "tcpdump").is_none() {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let file = scan(folder.path());
    let wanted = tcpdump(&file, &format!("host {ATTACKER}"));
    let dir = folder.path().join("all");
    let (told, said) = recorded(&file, &dir, &["--file-size", "100KB"]);
    assert!(files(&dir).len() > 2, "{said}");
    let id = alert(&told, "port_scan")["id"].as_str().unwrap().to_owned();
    assert!(extract(&dir, &["--alert", &id]) == wanted, "{id}");
    let syns = "tcp[tcpflags] == tcp-syn";
    let of_those = tcpdump(&file, &format!("host {ATTACKER} and {syns}"));
    assert!(extract(&dir, &["--alert", &id, "--filter", syns]) == of_those);
    for path in files(&dir) {
        std::fs::remove_file(format!("{}.widx", path.display())).unwrap();
    }
    assert!(extract(&dir, &["--alert", &id]) == wanted, "from the files alone");
    output(&mut weir(&["index", dir.to_str().unwrap()]));
    assert!(extract(&dir, &["--alert", &id]) == wanted, "from new indexes");
    let mut other = weir(&["extract", dir.to_str().unwrap(), "--alert", "1234"]);
    let other = programs::run(&mut other, WITHIN).unwrap();
    assert!(!other.status.success() && other.errors.contains(&id), "{}", other.errors);
    assert!(other.errors.contains("port_scan (high)"), "{}", other.errors);
    // What files tell of alerts chooses without an engine, too.
    let again = folder.path().join("again");
    record(&dir, &again, &["--alert", "--pretrigger", "1h"]);
    assert!(extract(&again, &[]) == wanted);
    assert!(extract(&again, &["--alert", &id]) == wanted);
}

/// What a device says of addresses is of no flow.
#[test]
fn frames_of_a_device_are_found_by_its_alert() {
    let test = "frames_of_a_device_are_found_by_its_alert";
    if programs::find(test, "tcpdump").is_none() {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let file = written(folder.path(), attacks::arp_spoof());
    let dir = folder.path().join("all");
    let (told, _) = recorded(&file, &dir, &[]);
    let alert = alert(&told, "arp_spoof");
    let time = |name: &str| alert[name].as_u64().unwrap();
    let span = time("start_ns") - 60_000_000_000..=time("end_ns");
    let mac = alert["subject"]["mac"].as_str().unwrap();
    let subject = alert["subject"]["ip"].as_str().unwrap();
    let mut wanted = tcpdump(&file, &format!("ether host {mac} or host {subject}"));
    wanted.retain(|(time, _)| span.contains(time));
    assert!(wanted.len() > 60);
    let id = alert["id"].as_str().unwrap();
    assert!(extract(&dir, &["--alert", id]) == wanted);
    let dir = folder.path().join("named");
    let (_, said) = recorded(&file, &dir, &["--alert", "--pretrigger", "1h"]);
    let there = extract(&dir, &[]);
    assert!(wanted.iter().all(|frame| there.contains(frame)), "{said}");
}
