//! A capture file gives what the same traffic gave over a cable: flows with their health, hosts,
//! applications, networks, alerts, as `weir` shows them. Needs root; otherwise shown as skipped.
//!
//! Two files are held against the live run. One was recorded of it: with the packets' own times in it,
//! all must be equal but what follows the clock of now ([`NOW`]). The other is the one that was sent: the
//! cable and the machine gave its packets other times, so whatever is a time or is made of times is left
//! out as well ([`is_timed`]).

#![expect(clippy::unwrap_used, clippy::panic, reason = "a step that fails fails the test")]

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use rustix::process::Signal;
use serde_json::Value;
use weir_engine::sys::clock;
use weir_tests::cable::{Cable, FAR, NEAR};
use weir_tests::programs::{self, Running};
use weir_tests::traffic::connection::{self, MS, START};
use weir_tests::traffic::{self, Traffic, attacks};

/// What is of now: rates of the last second, and silences. Peaks of hosts and totals as well: what flows
/// tell of a second more than a second late counts for no rate, and a live flow tells the last of its
/// seconds when its timer comes.
const NOW: [&str; 5] = ["rate_bps", "rate", "peak_bps", "peak", "idle"];
/// For how long a live flow waits at most until it tells its hosts what it came to.
const TOLD: Duration = Duration::from_secs(25);
const SETTINGS: &str = "[flow]\ncapacity = 50_000\nidle_s = 900\nlocal_idle_s = 900\nclosed_s = 900\n\
    active_s = 900\n[health]\nenabled = true\n[engine]\npin = false\n";

/// Six seconds: conversations of many protocols, connections with faults, a guesser of passwords, one of
/// names, and one who claims the gateway's address. None of them has more peers or ports than the lists
/// of a host hold: which of the small ones a full list keeps depends on the order of reports.
fn capture() -> Traffic {
    let mut frames = traffic::mixed(250, 3).frames;
    for (time, _) in &mut frames {
        *time = (*time - START) * 40 + START;
    }
    frames.retain(|(_, frame)| frame.len() >= 60);
    frames.extend(connection::faults().into_iter().flat_map(|one| one.frames));
    let guesses = attacks::brute_force().with(attacks::dns_errors());
    for (scene, faster) in [(guesses, 8), (attacks::arp_spoof(), 32)] {
        let at = |time: u64| (time - attacks::START_NS) / faster + START + 200 * MS;
        frames.extend(scene.traffic().frames.into_iter().map(|(time, frame)| (at(time), frame)));
    }
    frames.sort_by_key(|(time, _)| *time);
    Traffic { frames, ..Traffic::default() }
}

/// What `weir` shows of an engine.
#[derive(PartialEq, Debug, Default)]
struct Shown {
    /// Lists by the command that shows them, flows first; their entries in an order of their own.
    lists: BTreeMap<&'static str, Vec<Value>>,
}

/// An engine as a process, and what is asked of it.
struct Engine<'a> {
    weir: &'a Path,
    name: String,
    process: Running,
    alerts: PathBuf,
}

impl<'a> Engine<'a> {
    fn start(weir: &'a Path, place: &Path, part: &str, source: &str, more: &[&str]) -> Engine<'a> {
        let name = format!("equal-{part}-{}", std::process::id());
        let config = place.join("weir.toml");
        std::fs::write(&config, SETTINGS).unwrap();
        let alerts = place.join(format!("{part}.alerts"));
        let mut command = Command::new(weir);
        command.args(["run", source, "--shards", "1", "--name", &name, "--config"]).arg(config);
        command.arg("--alerts").arg(&alerts).args(more);
        let process = Running::start(&mut command).unwrap();
        let mut engine = Engine { weir, name, process, alerts };
        for _ in 0..400 {
            if engine.process.alive() && engine.lines(&["stats", "--json"]).is_some() {
                return engine;
            }
            clock::rest(Duration::from_millis(50));
        }
        panic!("{source} does not start: {}", engine.process.errors());
    }

    /// What a command prints, a JSON value a line.
    fn lines(&self, command: &[&str]) -> Option<Vec<Value>> {
        let output =
            Command::new(self.weir).args(command).args(["--name", &self.name]).output().unwrap();
        let text = String::from_utf8(output.stdout).unwrap();
        let lines = text.lines().map(|line| serde_json::from_str(line).unwrap());
        output.status.success().then(|| lines.collect())
    }

    /// The flows, with their numbers from 0 on: where these begin is each run's own.
    fn flows(&self) -> Vec<Value> {
        let mut flows = self.lines(&["flows", "--json", "--limit", "0"]).unwrap_or_default();
        let first = first_of(&flows);
        for flow in &mut flows {
            count_from(first, &mut flow["flow_id"]);
        }
        flows
    }

    /// Packets of flows that were taken in.
    fn packets(&self) -> u64 {
        let stats = self.lines(&["stats", "--json"]).unwrap();
        let counters = stats[0]["shards"][0]["counters"].as_array().unwrap();
        counters.iter().find(|it| it["name"] == "frames_parsed").unwrap()["value"].as_u64().unwrap()
    }

    /// Frames that were taken in.
    fn frames(&self) -> u64 {
        let rows = self.lines(&["hosts", "--json", "--show", "interfaces"]).unwrap_or_default();
        rows.first().and_then(|row| row["frames"].as_u64()).unwrap_or(0)
    }

    /// Packets that flows have told.
    fn packets_told(&self) -> u64 {
        let rows = self.lines(&["hosts", "--json", "--show", "networks", "--limit", "0"]).unwrap();
        let all = rows.iter().find(|row| row["network"] == "all");
        let of = |key: &str| all.and_then(|all| all[key].as_u64()).unwrap_or(0);
        of("packets_sent") + of("packets_received")
    }

    fn shown(&self) -> Shown {
        let mut lists = BTreeMap::from([("flows", self.flows())]);
        for (name, command) in [
            ("hosts", &["hosts", "--json", "--limit", "0"][..]),
            ("networks", &["hosts", "--json", "--limit", "0", "--show", "networks"]),
            ("devices", &["hosts", "--json", "--limit", "0", "--show", "devices"]),
            ("services", &["hosts", "--json", "--limit", "0", "--show", "services"]),
            ("apps", &["apps", "--json", "--limit", "0"]),
        ] {
            lists.insert(name, self.lines(command).unwrap());
        }
        let addresses: Vec<String> = lists["hosts"]
            .iter()
            .map(|host| host["address"].as_str().unwrap().to_owned())
            .collect();
        // Of everybody who has more than totals.
        let pages = addresses.iter().filter(|address| address.starts_with("10."));
        let pages = pages.flat_map(|address| self.lines(&["hosts", address, "--json"]).unwrap());
        lists.insert("pages", pages.collect());
        lists.values_mut().flatten().for_each(|value| strip(value, &|key| NOW.contains(&key)));
        for list in lists.values_mut() {
            list.sort_by_cached_key(Value::to_string);
        }
        Shown { lists }
    }

    /// Ends it; the alerts that began, as they then were.
    fn end(mut self) -> Vec<Value> {
        let first = first_of(&self.lines(&["flows", "--json", "--limit", "0"]).unwrap());
        self.process.signal(Signal::INT);
        self.process.finish(Duration::from_secs(30)).unwrap().success().unwrap();
        let text = std::fs::read_to_string(self.alerts).unwrap();
        let alerts = text.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
        let mut alerts: Vec<Value> = alerts.filter(|alert| alert["phase"] == "started").collect();
        let flows = alerts.iter_mut().filter_map(|alert| alert["flows"].as_array_mut());
        flows.flatten().for_each(|flow| count_from(first, flow));
        alerts
    }
}

/// The lowest number of a run's flows.
fn first_of(flows: &[Value]) -> u64 {
    flows.iter().filter_map(|flow| flow["flow_id"].as_u64()).min().unwrap()
}

fn count_from(first: u64, number: &mut Value) {
    *number = (number.as_u64().unwrap() - first).into();
}

/// Takes the fields of these names out, wherever they are.
fn strip(value: &mut Value, unwanted: &dyn Fn(&str) -> bool) {
    match value {
        Value::Object(fields) => {
            fields.retain(|key, _| !unwanted(key));
            fields.values_mut().for_each(|value| strip(value, unwanted));
        }
        Value::Array(values) => values.iter_mut().for_each(|value| strip(value, unwanted)),
        _ => {}
    }
}

/// A field that depends on when packets came: times, rates, and what is judged by times.
fn is_timed(key: &str) -> bool {
    /// Latencies in lists, and the halves of what was either sent again or out of order, which a few
    /// milliseconds decide.
    const OTHERS: [&str; 12] = [
        "delay",
        "delay_p95",
        "client_delay",
        "client_delay_p95",
        "answer",
        "answer_p95",
        "retransmissions",
        "out_of_order",
        "retransmissions_c2s",
        "retransmissions_s2c",
        "out_of_order_c2s",
        "out_of_order_s2c",
    ];
    ["_ns", "_us", "_bps"].iter().any(|unit| key.ends_with(unit)) || OTHERS.contains(&key)
}

fn without_times(mut shown: Shown) -> Shown {
    shown.lists.values_mut().flatten().for_each(|value| strip(value, &is_timed));
    shown.lists.values_mut().for_each(|list| list.sort_by_cached_key(Value::to_string));
    shown
}

/// Fails with the fields of the first entry that differ.
fn assert_equal(what: &str, live: &Shown, file: &Shown) {
    let (flows, others): (Vec<_>, Vec<_>) =
        live.lists.iter().partition(|(name, _)| **name == "flows");
    for (name, ours) in flows.into_iter().chain(others) {
        let theirs = &file.lists[name];
        for (at, (a, b)) in ours.iter().zip(theirs).enumerate() {
            let fields = a.as_object().unwrap().iter();
            let differing = fields.filter(|(key, value)| b.get(key) != Some(value));
            let differing: Vec<_> = differing
                .map(|(key, value)| format!("{key}: live {value}, not {}", b[key]))
                .collect();
            assert!(a == b, "{what}, {name}, entry {at}, {a}: {differing:?}");
        }
        assert_eq!(ours.len(), theirs.len(), "{what}, {name}");
    }
}

/// What must be equal of alerts that began, whatever the times: windows begin by the clock.
fn who_alerted(alerts: &[Value]) -> Vec<String> {
    let mut all: Vec<String> = alerts
        .iter()
        .map(|alert| format!("{} {} {}", alert["id"], alert["rule"], alert["subject"]["ip"]))
        .collect();
    all.sort();
    all.dedup();
    all
}

/// A finished run over a file: what is shown, and the alerts.
fn of_file(weir: &Path, place: &Path, part: &str, file: &Path, frames: u64) -> (Shown, Vec<Value>) {
    let source = format!("pcap:{}", file.display());
    let engine = Engine::start(weir, place, part, &source, &["--wait"]);
    wait_until("the file was read", Duration::from_secs(20), || engine.frames() == frames);
    let packets = engine.packets();
    wait_until("its end", Duration::from_secs(5), || engine.packets_told() == packets);
    (engine.shown(), engine.end())
}

fn wait_until(what: &str, within: Duration, done: impl Fn() -> bool) {
    let rounds = within.as_millis() / 100;
    for _ in 0..rounds {
        if done() {
            return;
        }
        clock::rest(Duration::from_millis(100));
    }
    panic!("{what}: not within {within:?}");
}

#[test]
fn a_file_gives_what_the_cable_gave() {
    let test = "a_file_gives_what_the_cable_gave";
    let Some(_cable) = Cable::new(test).unwrap() else { return };
    let Some(weir) = programs::weir(test) else { return };
    let place = tempfile::tempdir().unwrap();
    let (sent, folder) = (place.path().join("sent.pcap"), place.path().join("recorded"));
    let traffic = capture();
    traffic.write(&sent).unwrap();
    let live = Engine::start(&weir, place.path(), "live", &format!("xdp:{NEAR}"), &[]);
    let mut command = Command::new(&weir);
    command.args(["record", "--name", &live.name, "--dir"]).arg(&folder);
    let mut recorder = Running::start(&mut command).unwrap();
    recorder.until(Duration::from_secs(20), |it| it.errors().contains("recording engine")).unwrap();
    let mut replay = Command::new(&weir);
    replay.args(["replay", "--interface", FAR, "--engine", "packet", "--speed", "1"]).arg(&sent);
    programs::run(&mut replay, Duration::from_mins(1)).unwrap().success().unwrap();
    let frames = traffic.frames.len() as u64;
    wait_until("all was taken in", Duration::from_secs(10), || live.frames() == frames);
    let packets = live.packets();
    wait_until("flows have told their hosts", TOLD, || live.packets_told() == packets);
    let (of_live, live_alerts) = (live.shown(), live.end());
    recorder.finish(Duration::from_secs(20)).unwrap().success().unwrap();
    let mut files = std::fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().path());
    let file = files.find(|path| path.extension().is_some_and(|it| it == "pcapng")).unwrap();
    let (of_recorded, recorded_alerts) = of_file(&weir, place.path(), "recorded", &file, frames);
    assert_equal("the recorded file", &of_live, &of_recorded);
    assert_eq!(live_alerts, recorded_alerts, "alerts of the recorded file");
    let (of_sent, sent_alerts) = of_file(&weir, place.path(), "sent", &sent, frames);
    assert_equal("the file that was sent", &without_times(of_live), &without_times(of_sent));
    assert_eq!(who_alerted(&live_alerts), who_alerted(&sent_alerts), "alerts of what was sent");
    assert!(who_alerted(&live_alerts).len() >= 3, "{live_alerts:?}");
}
