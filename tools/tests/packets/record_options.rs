//! What each option of `weir record` and `weir extract` leaves and takes, held against what others
//! see in the same packets.

use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use weir_engine::sys::clock;
use weir_tests::cable::{Cable, NEAR, run};
use weir_tests::programs;
use weir_tests::traffic::{self, Traffic};
use weir_tests::{faults, skipped};

use crate::engine::{Engine, WITHIN, capture, output, source, weir};
use crate::record::{extract, files, packets, record};
use crate::record_live::{bytes, send, start};

type Found = Vec<(u64, Vec<u8>)>;

/// The ids of a frame's VLAN tags.
fn vlans(frame: &[u8]) -> Vec<u16> {
    let half = |at: usize| {
        frame.get(at..at + 2).map_or(0, |bytes| u16::from_be_bytes(bytes.try_into().unwrap()))
    };
    let mut found = Vec::new();
    let mut at = 12;
    while matches!(half(at), 0x8100 | 0x88a8 | 0x9100) {
        found.push(half(at + 2) & 0xfff);
        at += 4;
    }
    found
}

#[test]
fn vlans_by_any_tag() {
    let folder = tempfile::tempdir().unwrap();
    let (_, file) = capture(folder.path(), 300);
    let all = packets(&file);
    let mut ids: Vec<u16> = all.iter().flat_map(|(_, frame)| vlans(frame)).collect();
    ids.sort_unstable();
    ids.dedup();
    assert!(ids.len() > 1, "{ids:?}");
    for wanted in [&ids[..1], &ids[1..], &[4095]] {
        let text: Vec<String> = wanted.iter().map(u16::to_string).collect();
        let dir = folder.path().join(format!("vlan-{}", text.join("-")));
        record(&file, &dir, &["--vlan", &text.join(",")]);
        let is_of = |frame: &[u8]| vlans(frame).iter().any(|id| wanted.contains(id));
        let expected: Found = all.iter().filter(|(_, frame)| is_of(frame)).cloned().collect();
        assert!(extract(&dir, &[]) == expected, "{wanted:?}");
    }
}

/// A packet as the file of `--comments` has it.
struct Commented {
    packet: (u64, Vec<u8>),
    comment: String,
}

impl Commented {
    fn has(&self, word: &str) -> bool {
        self.comment.split(' ').any(|known| known == word)
    }
}

/// The packets of a directory, with what is said of each.
fn commented(dir: &Path) -> Vec<Commented> {
    let mut comments = Vec::new();
    for file in files(dir) {
        let mut tshark = Command::new("tshark");
        tshark.args(["-n", "-T", "fields", "-e", "frame.number", "-e", "frame.comment", "-r"]);
        let lines = output(tshark.arg(file));
        let comment = |line: &str| line.split_once('\t').map(|(_, text)| text.to_owned());
        comments.extend(lines.lines().map(|line| comment(line).unwrap_or_default()));
    }
    let packets = extract(dir, &[]);
    assert_eq!(packets.len(), comments.len());
    let pairs = packets.into_iter().zip(comments);
    pairs.map(|(packet, comment)| Commented { packet, comment }).collect()
}

/// All packets of an engine that reads a file, with comments, and what a recorder with `arguments`
/// makes of the same run.
fn both(folder: &Path, arguments: &[&str]) -> (Vec<Commented>, PathBuf) {
    let (_, file) = capture(folder, 400);
    let engine = Engine::start(&source(&file), &["--wait-for-readers=2", "--timeouts=60s"]);
    let dirs = ["all", "chosen"].map(|name| folder.join(name));
    let all = start(&engine, &dirs[0], &["--comments"]);
    let chosen = start(&engine, &dirs[1], arguments);
    for recorder in [all, chosen] {
        let said = recorder.finish(WITHIN).unwrap().success().unwrap();
        assert!(said.contains(" 0 lost here, 0 missed"), "{said}");
    }
    assert!(engine.end(false).status.success());
    let all = commented(&dirs[0]);
    let [_, chosen] = dirs;
    (all, chosen)
}

#[test]
fn packets_of_unknown_applications() {
    let test = "packets_of_unknown_applications";
    if programs::find(test, "tshark").is_none() {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let (all, dir) = both(folder.path(), &["--unknown"]);
    let is_unknown = |packet: &&Commented| packet.has("app=Unknown");
    let expected: Found =
        all.iter().filter(is_unknown).map(|packet| packet.packet.clone()).collect();
    assert!(expected.len() > 100 && expected.len() < all.len() / 2, "{}", expected.len());
    assert!(extract(&dir, &[]) == expected);
}

#[test]
fn short_packets_of_one_application() {
    let test = "short_packets_of_one_application";
    if programs::find(test, "tshark").is_none() {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let (all, dir) = both(folder.path(), &["--snap-app", "DNS=60", "--snap", "500"]);
    let expected: Found = all
        .iter()
        .map(|Commented { packet: (time, frame), comment }| {
            let app = comment.split(' ').find_map(|word| word.strip_prefix("app="));
            let is_dns = app.is_some_and(|app| app.split('.').any(|name| name == "DNS"));
            let most = if is_dns { 60 } else { 500 };
            (*time, frame[..frame.len().min(most)].to_vec())
        })
        .collect();
    assert!(expected.iter().filter(|(_, frame)| frame.len() == 60).count() > 10);
    let there = extract(&dir, &[]);
    let other = there.iter().zip(&expected).position(|(there, expected)| there != expected);
    assert_eq!((other, there.len()), (None, expected.len()));
}

/// Risks come to be known while a flow goes on: what is recorded are ends of flows with a risk.
#[test]
fn packets_of_flows_with_a_risk() {
    let test = "packets_of_flows_with_a_risk";
    if programs::find(test, "tshark").is_none() {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let told = folder.path().join("flows.json");
    let (_, file) = capture(folder.path(), 400);
    let flows = ["--flows", told.to_str().unwrap(), "--timeouts=60s", "--wait-for-readers"];
    let engine = Engine::start(&source(&file), &flows);
    let dir = folder.path().join("risk");
    let said = start(&engine, &dir, &["--risk", "--comments"]).finish(WITHIN).unwrap();
    assert!(said.status.success(), "{}", said.errors);
    assert!(engine.end(false).status.success());
    let told = std::fs::read_to_string(told).unwrap();
    let flows: Vec<serde_json::Value> =
        told.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let has_risk = |id: &str| {
        flows.iter().any(|flow| {
            flow["community_id"] == *id && flow["risks"].as_array().is_some_and(|r| !r.is_empty())
        })
    };
    let there = commented(&dir);
    assert!(!there.is_empty(), "{}", said.output);
    for packet in &there {
        let id = packet.comment.split(' ').find_map(|word| word.strip_prefix("community_id="));
        assert!(has_risk(id.unwrap()), "{}", packet.comment);
    }
}

#[test]
fn packets_of_a_flow_by_its_number() {
    let test = "packets_of_a_flow_by_its_number";
    if programs::find(test, "tshark").is_none() {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let (all, _) = both(folder.path(), &["--unknown"]);
    let dir = folder.path().join("all");
    let numbers = all
        .iter()
        .filter_map(|packet| packet.comment.split(' ').find_map(|word| word.strip_prefix("flow=")));
    let mut numbers: Vec<&str> = numbers.collect();
    numbers.sort_unstable();
    numbers.dedup();
    assert!(numbers.len() > 200);
    for number in numbers.iter().step_by(40) {
        let word = format!("flow={number}");
        let ours = all.iter().filter(|packet| packet.has(&word));
        let expected: Found = ours.map(|packet| packet.packet.clone()).collect();
        assert!(extract(&dir, &["--flow", number]) == expected, "{number}");
    }
}

/// Two runs of an engine, of other packets each, recorded into one directory: no number is of a flow of
/// both.
#[test]
fn packets_of_a_flow_by_its_number_are_those_of_one_run() {
    let folder = tempfile::tempdir().unwrap();
    let dir = folder.path().join("both");
    let runs = [(1, 1_700_000_000), (2, 1_700_003_600)].map(|(seed, start_s)| {
        let mut traffic = traffic::mixed(60, seed);
        traffic.begin_at(start_s * 1_000_000_000);
        let [file, told] =
            ["pcap", "json"].map(|kind| folder.path().join(format!("{seed}.{kind}")));
        traffic.write(&file).unwrap();
        let arguments = ["--wait-for-readers", "--flows", told.to_str().unwrap()];
        let engine = Engine::start(&source(&file), &arguments);
        output(engine.command(&["record"]).arg("--dir").arg(&dir));
        assert!(engine.end(false).status.success());
        let told = std::fs::read_to_string(told).unwrap();
        let flow = |line: &str| {
            let flow: serde_json::Value = serde_json::from_str(line).unwrap();
            let number = |field: &str| flow[field].as_u64().unwrap();
            (number("flow_id"), number("packets_c2s") + number("packets_s2c"))
        };
        let times: Vec<u64> = traffic.frames.iter().map(|(time, _)| *time).collect();
        (told.lines().map(flow).collect::<Vec<_>>(), times)
    });
    for (flows, times) in &runs {
        assert!(flows.len() > 40);
        for (id, packets) in flows.iter().step_by(10) {
            let found = extract(&dir, &["--flow", &id.to_string()]);
            assert_eq!(found.len() as u64, *packets, "{id}");
            assert!(found.iter().all(|(time, _)| times.contains(time)), "{id}");
        }
    }
}

/// So many frames, so far apart, and the file of them.
fn paced(folder: &Path, frames: u64, step_ns: u64) -> PathBuf {
    let frames = (0..frames).map(|number| {
        let mut frame = vec![2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 2, 0x88, 0xb5];
        frame.extend(number.to_be_bytes());
        frame.resize(60, 7);
        (1_700_000_000_000_000_000 + number * step_ns, frame)
    });
    let file = folder.join("paced.pcap");
    Traffic { frames: frames.collect(), ..Traffic::default() }.write(&file).unwrap();
    file
}

#[test]
fn files_end_by_time_and_go_by_age() {
    let folder = tempfile::tempdir().unwrap();
    let file = paced(folder.path(), 100, 1_000_000_000);
    let dir = folder.path().join("timed");
    record(&file, &dir, &["--file-time", "10s"]);
    let first = files(&dir);
    assert_eq!(first.len(), 10);
    for path in &first {
        let there = extract(path, &[]);
        assert_eq!(there.len(), 10);
        assert!(there[9].0 - there[0].0 < 10_000_000_000);
    }
    let all = packets(&file);
    assert!(extract(&dir, &[]) == all);
    // Seven of them, and a file of somebody else, become old.
    let foreign = dir.join("mine.pcap");
    std::fs::copy(&file, &foreign).unwrap();
    let mut touch = Command::new("touch");
    output(touch.args(["-d", "2 hours ago"]).args(&first[..7]).arg(&foreign));
    record(&file, &dir, &["--max-age", "1h"]);
    let left = files(&dir);
    assert!(left.contains(&foreign) && !first[..7].iter().any(|path| left.contains(path)));
    assert_eq!(left.len(), 3 + 1 + 1);
    let indexes = std::fs::read_dir(&dir)
        .unwrap()
        .filter(|entry| entry.as_ref().unwrap().file_name().to_string_lossy().ends_with(".widx"));
    assert_eq!(indexes.count(), 4, "they go with their files");
    std::fs::remove_file(foreign).unwrap();
    assert!(extract(&dir, &[]) == [&all[70..], &all].concat());
}

/// A file ends by the clock, though nothing comes; what reaches the disk every moment is there after
/// a crash.
#[test]
fn files_end_by_the_clock_and_reach_the_disk_in_time() {
    let test = "files_end_by_the_clock_and_reach_the_disk_in_time";
    let Some(_cable) = Cable::new(test).unwrap() else { return };
    let folder = tempfile::tempdir().unwrap();
    let [timed, synced] = ["timed", "synced"].map(|name| folder.path().join(name));
    let mut engine = Engine::start(&format!("packet:{NEAR}"), &[]);
    let mut by_clock = start(&engine, &timed, &["--file-time", "1s"]);
    let mut killed = start(&engine, &synced, &["--sync", "100ms"]);
    engine.wait_for_readers(2);
    let frames = &faults::frames()[..300];
    send(frames);
    by_clock.until(WITHIN, |_| files(&timed).len() == 1).unwrap();
    assert!(bytes(extract(&timed, &[])) == frames);
    // Much less than a block, and yet in the file.
    let part = || {
        let mut entries = std::fs::read_dir(&synced).unwrap().map(|entry| entry.unwrap().path());
        entries.find(|path| path.extension().is_some_and(|ending| ending == "part")).unwrap()
    };
    let before = std::fs::metadata(part()).unwrap();
    killed.signal(rustix::process::Signal::KILL);
    assert!(!killed.finish(WITHIN).unwrap().status.success() && before.len() > 0);
    let mut next = start(&engine, &synced, &[]);
    next.until(WITHIN, |next| next.errors().contains("1 files finished with 300 packets")).unwrap();
    send(frames);
    assert!(engine.end(true).status.success());
    for recorder in [by_clock, next] {
        recorder.finish(WITHIN).unwrap().success().unwrap();
    }
    assert!(bytes(extract(&synced, &[])) == [frames, frames].concat());
    assert_eq!(files(&timed).len(), 2);
}

#[test]
fn wireshark_is_given_the_packets() {
    let folder = tempfile::tempdir().unwrap();
    let (_, file) = capture(folder.path(), 100);
    let fake = folder.path().join("wireshark");
    let [line, got] = ["line", "got"].map(|name| folder.path().join(name));
    let script =
        format!("#!/bin/sh\necho \"$@\" >'{}'\nexec cat >'{}'\n", line.display(), got.display());
    std::fs::write(&fake, script).unwrap();
    std::fs::set_permissions(&fake, PermissionsExt::from_mode(0o755)).unwrap();
    let path = std::env::var("PATH").unwrap();
    let mut command = weir(&["extract", file.to_str().unwrap(), "--wireshark", "-F", "pcap"]);
    output(command.env("PATH", format!("{}:{path}", folder.path().display())));
    assert_eq!(std::fs::read_to_string(line).unwrap().trim(), "-k -i -");
    assert!(packets(&got) == packets(&file));
    let mut command = weir(&["extract", file.to_str().unwrap(), "--wireshark"]);
    let none = programs::run(command.env("PATH", "/nonexistent"), WITHIN).unwrap();
    assert!(!none.status.success() && none.errors.contains("installed"), "{}", none.errors);
}

/// A file system of its own that can be made to stand still.
struct Disk {
    place: PathBuf,
    is_frozen: bool,
}

impl Disk {
    fn new(test: &str, folder: &Path) -> Option<Disk> {
        for program in ["mkfs.ext4", "fsfreeze"] {
            programs::find(test, program)?;
        }
        let [image, place] = ["image", "disk"].map(|name| folder.join(name));
        let shown = |path: &Path| path.to_str().unwrap().to_owned();
        std::fs::File::create(&image).unwrap().set_len(256 << 20).unwrap();
        std::fs::create_dir(&place).unwrap();
        run(&["mkfs.ext4", "-q", &shown(&image)]).unwrap();
        if let Err(error) = run(&["mount", "-o", "loop", &shown(&image), &shown(&place)]) {
            skipped(test, &format!("no loop devices here: {error}"));
            return None;
        }
        Some(Disk { place, is_frozen: false })
    }

    fn freeze(&mut self, freeze: bool) {
        let how = if freeze { "-f" } else { "-u" };
        run(&["fsfreeze", how, self.place.to_str().unwrap()]).unwrap();
        self.is_frozen = freeze;
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        let place = self.place.to_str().unwrap();
        if self.is_frozen {
            run(&["fsfreeze", "-u", place]).ok();
        }
        run(&["umount", "-l", place]).ok();
    }
}

/// What the disk does not take in time is dropped by name, in the recorder: the engine and its books
/// know nothing of it.
#[test]
fn a_disk_that_stands_still_costs_the_engine_nothing() {
    let test = "a_disk_that_stands_still_costs_the_engine_nothing";
    let Some(_cable) = Cable::new(test).unwrap() else { return };
    let folder = tempfile::tempdir().unwrap();
    let Some(mut disk) = Disk::new(test, folder.path()) else { return };
    let dir = disk.place.join("recorded");
    let mut engine = Engine::start(&format!("packet:{NEAR}"), &[]);
    let recorder = start(&engine, &dir, &["--json", "--buffers", "4MB"]);
    engine.wait_for_readers(1);
    let frames: Vec<Vec<u8>> =
        faults::frames().into_iter().filter(|frame| frame.len() > 1000).collect();
    let frames: Vec<Vec<u8>> = frames.iter().cycle().take(8000).cloned().collect();
    send(&frames[..200]);
    clock::rest(Duration::from_secs(2));
    disk.freeze(true);
    send(&frames[200..7000]);
    output(&mut engine.command(&["stats", "--check"]));
    disk.freeze(false);
    clock::rest(Duration::from_secs(2));
    send(&frames[7000..]);
    assert!(engine.end(true).status.success());
    let said = recorder.finish(WITHIN).unwrap();
    assert!(said.status.success(), "{}", said.errors);
    let summary: serde_json::Value = serde_json::from_str(&said.output).unwrap();
    let count = |name: &str| summary[name].as_u64().unwrap();
    assert_eq!((count("seen"), count("missed")), (8000, 0), "{summary}");
    assert_eq!(count("recorded") + count("dropped_disk_slow"), 8000, "{summary}");
    assert!(count("dropped_disk_slow") > 1000, "{summary}");
    let there = bytes(extract(&dir, &[]));
    assert_eq!(there.len() as u64, count("recorded"), "{summary}");
    let first = there.iter().zip(&frames).position(|(there, sent)| there != sent);
    let last = there.iter().rev().zip(frames.iter().rev()).position(|(there, sent)| there != sent);
    assert!(first.is_some_and(|first| first >= 200), "{first:?}");
    assert!(last.is_some_and(|last| last >= 1000), "{last:?} {summary}");
    if let Some(tshark) = programs::find(test, "tshark") {
        let mut command = Command::new(tshark);
        command.args(["-n", "-T", "fields", "-e", "frame.drop_count", "-r"]).arg(&files(&dir)[0]);
        let counts = output(&mut command);
        let told: u64 = counts.lines().filter_map(|line| line.parse::<u64>().ok()).sum();
        assert_eq!(told, count("dropped_disk_slow"), "told where they are missing");
    }
}
