//! The recorder beside an engine that takes packets from an interface.

use std::path::Path;
use std::process::Command;
use std::time::Duration;

use weir_engine::sys::clock;
use weir_tests::cable::{Cable, FAR, NEAR};
use weir_tests::programs::Running;
use weir_tests::{faults, player};

use crate::engine::{Engine, WITHIN, output, weir};
use crate::record::{extract, files};

/// Starts a recorder of an engine.
pub(crate) fn start(engine: &Engine, dir: &Path, arguments: &[&str]) -> Running {
    let mut command = engine.command(&[&["record"], arguments].concat());
    let mut recorder = Running::start(command.arg("--dir").arg(dir)).unwrap();
    recorder.until(WITHIN, |recorder| recorder.errors().contains("recording")).unwrap();
    recorder
}

/// Sends so many frames and gives the engine and the recorder time to take them.
pub(crate) fn send(frames: &[Vec<u8>]) {
    let sent = player::play(frames.iter().map(Vec::as_slice), FAR, 4000, 60).unwrap();
    assert_eq!(sent, frames.len() as u64);
    clock::rest(Duration::from_millis(500));
}

pub(crate) fn bytes(found: Vec<(u64, Vec<u8>)>) -> Vec<Vec<u8>> {
    found.into_iter().map(|(_, bytes)| bytes).collect()
}

/// What came before the trigger is written, too.
#[test]
fn what_is_in_memory_is_written_when_asked_for() {
    let test = "what_is_in_memory_is_written_when_asked_for";
    let Some(_cable) = Cable::new(test).unwrap() else { return };
    let folder = tempfile::tempdir().unwrap();
    let dir = folder.path().join("asked");
    let engine = Engine::start(&format!("packet:{NEAR}"), &[]);
    let mut recorder = start(&engine, &dir, &["--pretrigger", "1h", "--after", "1h"]);
    let frames = &faults::frames()[..400];
    send(frames);
    assert_eq!(files(&dir).len(), 0);
    output(&mut weir(&["record", "trigger", "--dir", dir.to_str().unwrap()]));
    recorder.until(WITHIN, |recorder| recorder.errors().contains("triggered")).unwrap();
    send(frames);
    assert!(engine.end(true).status.success());
    recorder.finish(WITHIN).unwrap().success().unwrap();
    assert!(bytes(extract(&dir, &[])) == [frames, frames].concat());
}

/// What is lost with the directory is counted, the rest goes into a new one, and the engine lost
/// nothing.
#[test]
fn a_directory_that_is_removed() {
    let test = "a_directory_that_is_removed";
    let Some(_cable) = Cable::new(test).unwrap() else { return };
    let folder = tempfile::tempdir().unwrap();
    let dir = folder.path().join("removed");
    let mut engine = Engine::start(&format!("packet:{NEAR}"), &[]);
    let recorder = start(&engine, &dir, &["--json"]);
    engine.wait_for_readers(1);
    let frames = &faults::frames()[..200];
    send(frames);
    std::fs::remove_dir_all(&dir).unwrap();
    // It is noticed within a second, and tried again within another.
    for _ in 0..3 {
        clock::rest(Duration::from_secs(1));
        send(frames);
    }
    let noticed = recorder.errors();
    assert!(noticed.contains("removed"), "{noticed}");
    output(&mut engine.command(&["stats", "--check"]));
    assert!(engine.end(true).status.success());
    let said = recorder.finish(WITHIN).unwrap();
    assert!(said.status.success(), "{}", said.errors);
    let summary: serde_json::Value = serde_json::from_str(&said.output).unwrap();
    let count = |name: &str| summary[name].as_u64().unwrap();
    assert_eq!((count("seen"), count("missed")), (800, 0), "{summary}");
    let gone = ["dropped_disk_error", "lost_disk_error"].map(count).iter().sum::<u64>();
    assert_eq!(count("recorded") + gone, 800, "{summary}");
    assert!((200..800).contains(&gone), "{summary}");
    let there = bytes(extract(&dir, &[]));
    assert_eq!(there.len() as u64, count("recorded"));
    assert!(there.ends_with(frames));
}

/// What was handed over a second ago is on the disk, compressed or not, though little came and the
/// recorder is killed.
#[test]
fn what_is_compressed_reaches_the_disk_each_second() {
    let test = "what_is_compressed_reaches_the_disk_each_second";
    let Some(_cable) = Cable::new(test).unwrap() else { return };
    let folder = tempfile::tempdir().unwrap();
    let engine = Engine::start(&format!("packet:{NEAR}"), &["--shards", "2"]);
    for (number, arguments) in [
        &["--compress", "zstd", "--sync", "1s"][..],
        &["--compress", "lz4", "--sync", "1s", "--no-direct"],
        &["--compress", "zstd", "--sync", "1s", "--writers", "shard"],
    ]
    .into_iter()
    .enumerate()
    {
        let dir = folder.path().join(format!("killed{number}"));
        let mut recorder = start(&engine, &dir, arguments);
        let frames = &faults::frames()[..200];
        send(frames);
        clock::rest(Duration::from_millis(1200));
        send(frames);
        clock::rest(Duration::from_millis(2500));
        recorder.signal(rustix::process::Signal::KILL);
        assert!(!recorder.finish(WITHIN).unwrap().status.success());
        let none = folder.path().join("none.pcap");
        std::fs::write(&none, [&[0xd4, 0xc3, 0xb2, 0xa1, 2, 0, 4, 0][..], &[0; 16]].concat())
            .unwrap();
        let source = format!("pcap:{}", none.display());
        let said = Command::new(env!("CARGO_BIN_EXE_weir"))
            .args(["record", &source, "--dir"])
            .arg(&dir)
            .output()
            .unwrap();
        let said = String::from_utf8_lossy(&said.stderr).into_owned();
        assert!(said.contains("finished with"), "{said}");
        let there = extract(&dir, &[]);
        assert!(there.is_sorted_by_key(|(time, _)| *time));
        let (mut found, mut sent) = (bytes(there), [frames, frames].concat());
        found.sort();
        sent.sort();
        assert!(found == sent, "{arguments:?}: {} of {}", found.len(), sent.len());
    }
    assert!(engine.end(true).status.success());
}
