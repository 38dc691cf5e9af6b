//! `weir replay`: what each engine sends comes out at the other end of the cable as `--write` has
//! it, and the counts of both ends agree.

use std::path::Path;
use std::process::Command;

use serde_json::Value;
use weir_tests::cable::{Cable, FAR, NEAR, run};
use weir_tests::programs::{self, Running};

use crate::engine::{Engine, WITHIN, capture, output, weir};

const ENGINES: [&str; 3] = ["packet", "live", "xdp"];

/// A cable whose near end takes redirected frames.
fn cable(test: &str) -> Option<Cable> {
    let cable = Cable::new(test).unwrap()?;
    run(&["ethtool", "-K", NEAR, "gro", "on"]).unwrap();
    Some(cable)
}

fn replay(arguments: &[&str]) -> Value {
    let mut command = weir(&["replay", "--json"]);
    serde_json::from_str(&output(command.args(arguments))).unwrap()
}

fn count(summary: &Value, name: &str) -> u64 {
    summary[name].as_u64().unwrap()
}

/// Frames that an interface received, by its own counter.
fn received(interface: &str) -> u64 {
    let shown = run(&["ip", "-s", "-j", "link", "show", "dev", interface]).unwrap();
    let shown: Value = serde_json::from_str(&shown).unwrap();
    shown[0]["stats64"]["rx"]["packets"].as_u64().unwrap()
}

/// Times and frames of a pcap file.
fn frames(file: &Path) -> Vec<(u64, Vec<u8>)> {
    let bytes = std::fs::read(file).unwrap();
    let word = |bytes: &[u8]| u64::from(u32::from_le_bytes(bytes[..4].try_into().unwrap()));
    let mut rest = &bytes[24..];
    let mut frames = Vec::new();
    while !rest.is_empty() {
        let length = usize::try_from(word(&rest[8..])).unwrap();
        let time_ns = word(rest) * 1_000_000_000 + word(&rest[4..]);
        let (frame, more) = rest[16..].split_at(length);
        frames.push((time_ns, frame.to_vec()));
        rest = more;
    }
    frames
}

/// What tcpdump sees at the near end while `arguments` are sent from the far one.
fn seen(tcpdump: &Path, folder: &Path, arguments: &[&str]) -> (Value, Vec<Vec<u8>>) {
    let seen = folder.join("seen.pcap");
    let mut command = Command::new(tcpdump);
    command.args(["-i", NEAR, "-U", "-B", "65536", "-s", "0", "-Z", "root", "-w"]).arg(&seen);
    let mut looks = Running::start(&mut command).unwrap();
    looks.until(WITHIN, |looks| looks.errors().contains("listening")).unwrap();
    let summary = replay(&[arguments, &["-i", FAR]].concat());
    let size = || std::fs::metadata(&seen).map_or(0, |file| file.len());
    // With 16 bytes before each, and without the check sequences.
    let sent = count(&summary, "sent_frames");
    let wanted = 24 + count(&summary, "sent_bytes") + sent * 12;
    looks.until(WITHIN, |_| size() >= wanted).ok();
    looks.signal(rustix::process::Signal::INT);
    looks.finish(WITHIN).unwrap();
    (summary, frames(&seen).into_iter().map(|(_, frame)| frame).collect())
}

/// What `--write` makes of `arguments`.
fn written(folder: &Path, arguments: &[&str]) -> Vec<(u64, Vec<u8>)> {
    let file = folder.join("written.pcap");
    let summary = replay(&[arguments, &["--write", file.to_str().unwrap()]].concat());
    let frames = frames(&file);
    assert_eq!(count(&summary, "sent_frames"), frames.len() as u64);
    frames
}

#[test]
fn every_engine_sends_what_is_written() {
    let test = "every_engine_sends_what_is_written";
    let Some(_cable) = cable(test) else { return };
    let Some(tcpdump) = programs::find(test, "tcpdump") else { return };
    let folder = tempfile::tempdir().unwrap();
    let (_, file) = capture(folder.path(), 300);
    let file = file.to_str().unwrap();
    let synthetic = [
        "--synth",
        "--size",
        "imix",
        "--pps",
        "20K",
        "--frames",
        "8K",
        "--new-flows-per-second",
        "1K",
        "--handshakes",
        "0.5",
        "--payloads",
        "0.5",
        "--seed",
        "3",
    ];
    let again = [file, "--pps", "20K", "--loops", "3", "--new-flows"];
    for arguments in [&synthetic[..], &again[..]] {
        let written = written(folder.path(), arguments);
        for engine in ENGINES {
            let before = received(NEAR);
            let all = [arguments, &["--engine", engine]].concat();
            let (summary, seen) = seen(&tcpdump, folder.path(), &all);
            assert!(summary["engine"].as_str().unwrap().starts_with(engine), "{summary}");
            assert_eq!(count(&summary, "sent_frames"), written.len() as u64, "{engine}");
            assert_eq!(received(NEAR) - before, written.len() as u64, "{engine}");
            let same = |(one, other): (&Vec<u8>, &(u64, Vec<u8>))| *one == other.1;
            let first = seen.iter().zip(&written).position(|pair| !same(pair));
            assert_eq!(first, None, "{engine}: the first frame that is another");
            assert_eq!(seen.len(), written.len(), "{engine}");
        }
    }
}

/// The receiver is an engine of our own: its ledger has what the summary says.
#[test]
fn the_ledger_of_an_engine_agrees() {
    let test = "the_ledger_of_an_engine_agrees";
    let Some(_cable) = cable(test) else { return };
    // All that is sent finds room, whenever the engine gets a processor.
    let folder = tempfile::tempdir().unwrap();
    let config = folder.path().join("weir.toml");
    let settings = "[capture]\nring_descriptors = 65536\nframes_per_shard = 131072\n";
    std::fs::write(&config, settings).unwrap();
    let options = ["--summary", "json", "--config", config.to_str().unwrap()];
    for engine in ENGINES {
        let receiver = Engine::start(&format!("xdp:{NEAR}"), &options);
        let line = ["--synth", "-i", FAR, "--pps", "50K", "--for", "1s", "--flows", "500"];
        let summary = replay(&[&line[..], &["--engine", engine]].concat());
        let ended = receiver.end(true);
        let ledger: Value = serde_json::from_str(&ended.output).unwrap();
        let sent = count(&summary, "sent_frames");
        let late = summary["not_sent"]["late"].as_u64().unwrap();
        assert_eq!(sent + late, 50_000, "{engine}: {summary}");
        assert!(ledger["balanced"].as_bool().unwrap(), "{}", ended.output);
        assert_eq!(ledger["frames"].as_u64().unwrap(), sent, "{engine}: {}", ended.output);
        assert_eq!(ledger["flows"].as_u64().unwrap(), 500, "{engine}: {}", ended.output);
    }
}

#[test]
fn times_are_written_as_they_are_asked_for() {
    let folder = tempfile::tempdir().unwrap();
    let line = ["--synth", "--pps", "1000", "--for", "2s", "--seed", "9"];
    let one = written(folder.path(), &line);
    assert_eq!(one.len(), 2000);
    for (number, (time_ns, _)) in (0..).zip(&one) {
        assert_eq!(*time_ns, 1_700_000_000_000_000_000 + number * 1_000_000);
    }
    assert!(one == written(folder.path(), &line), "the same seed, the same file");
    let (_, file) = capture(folder.path(), 100);
    let original = frames(&file);
    let file = file.to_str().unwrap();
    let again = written(folder.path(), &[file]);
    let shortest = |frames: &[(u64, Vec<u8>)]| {
        let whole = frames.iter().filter(|(_, frame)| frame.len() >= 14);
        whole.map(|(time_ns, frame)| (time_ns - frames[0].0, frame.clone())).collect::<Vec<_>>()
    };
    assert!(shortest(&original) == shortest(&again), "frames and distances are the capture's");
}

#[test]
fn a_signal_ends_it_with_its_summary() {
    let test = "a_signal_ends_it_with_its_summary";
    let Some(_cable) = cable(test) else { return };
    for engine in ENGINES {
        let line = ["--synth", "-i", FAR, "--pps", "10K", "--engine", engine];
        let mut command = weir(&["replay", "--json"]);
        let mut sends = Running::start(command.args(line)).unwrap();
        let before = received(NEAR);
        sends.until(WITHIN, |_| received(NEAR) > before + 500).unwrap();
        sends.signal(rustix::process::Signal::INT);
        let ended = sends.finish(WITHIN).unwrap();
        assert!(ended.status.success(), "{engine}: {}", ended.errors);
        let summary: Value = serde_json::from_str(&ended.output).unwrap();
        assert!(count(&summary, "sent_frames") >= 500, "{engine}: {summary}");
        assert_eq!(count(&summary, "not_sent_frames"), 0, "{engine}: {summary}");
    }
}

/// Every refusal says what would help.
#[test]
fn what_cannot_be_sent_is_refused_with_advice() {
    let refused = |line: &[&str]| {
        let ended = programs::run(weir(&["replay"]).args(line), WITHIN).unwrap();
        assert!(!ended.status.success(), "{line:?}");
        ended.errors
    };
    let said = refused(&["--synth", "--pps", "1", "-i", "nothing-here"]);
    assert!(said.contains("ip link"), "{said}");
    let test = "what_cannot_be_sent_is_refused_with_advice";
    let Some(_cable) = cable(test) else { return };
    let line = ["--synth", "--pps", "1", "--frames", "1", "-i", FAR];
    let with = |more: &[&'static str]| refused(&[&line[..], more].concat());
    let said = with(&["--size", "9000"]);
    assert!(said.contains("MTU") && said.contains("mtu 8982"), "{said}");
    run(&["ip", "link", "set", "dev", FAR, "mtu", "9000"]).unwrap();
    for engine in ["live", "xdp"] {
        let said = with(&["--size", "9000", "--engine", engine]);
        assert!(said.contains("--engine packet"), "{said}");
    }
    let said = with(&["--engine", "xdp", "--queue", "77"]);
    assert!(said.contains("queue 77") && said.contains("ethtool -l"), "{said}");
    run(&["ethtool", "-K", NEAR, "gro", "off"]).unwrap();
    let said = with(&["--engine", "live"]);
    assert!(said.contains("gro on"), "{said}");
    run(&["ip", "addr", "add", "192.0.2.1/24", "dev", FAR]).unwrap();
    run(&["ip", "route", "add", "default", "via", "192.0.2.2"]).unwrap();
    let said = with(&[]);
    assert!(said.contains("--anyway"), "{said}");
    run(&["ip", "link", "set", "dev", FAR, "down"]).unwrap();
    let said = with(&["--anyway"]);
    assert!(said.contains("set dev far up"), "{said}");
}

/// A capture that breaks off is sent as far as it goes, and said so.
#[test]
fn a_capture_that_breaks_off_is_said_so() {
    let folder = tempfile::tempdir().unwrap();
    let (_, file) = capture(folder.path(), 50);
    let bytes = std::fs::read(&file).unwrap();
    std::fs::write(&file, &bytes[..bytes.len() - 5]).unwrap();
    let out = folder.path().join("out.pcap");
    let summary = replay(&[file.to_str().unwrap(), "--write", out.to_str().unwrap()]);
    assert!(summary["capture_trouble"].as_str().unwrap().contains("ends inside"), "{summary}");
    assert!(count(&summary, "sent_frames") > 100);
}
