//! Packets that are given to the kernel come out of the interface as they came in.

use std::path::Path;
use std::process::Command;

use crate::engine::{Engine, WITHIN, capture, output, source};
use weir_shm::packets::{Next, PacketOptions, PacketReader};
use weir_tests::cable::{Cable, FAR, NEAR, run};
use weir_tests::programs::{self, Running};

/// Frames of a pcap file.
fn frames(file: &Path) -> Vec<Vec<u8>> {
    let bytes = std::fs::read(file).unwrap();
    let mut rest = &bytes[24..];
    let mut frames = Vec::new();
    while !rest.is_empty() {
        let length = u32::from_le_bytes(rest[8..12].try_into().unwrap());
        let (frame, more) = rest[16..].split_at(usize::try_from(length).unwrap());
        frames.push(frame.to_vec());
        rest = more;
    }
    frames
}

/// What came of a feed.
struct Fed {
    /// Frames of the capture that an interface can take.
    sent: Vec<Vec<u8>>,
    /// Frames that tcpdump saw.
    got: Vec<Vec<u8>>,
    /// What the feed says.
    said: String,
}

/// Feeds a capture to `to` while tcpdump looks at `at`.
fn feed(test: &str, to: &str, at: &str) -> Option<Fed> {
    let tcpdump = programs::find(test, "tcpdump")?;
    let folder = tempfile::tempdir().unwrap();
    let (_, file) = capture(folder.path(), 300);
    let engine = Engine::start(&source(&file), &["--wait-for-readers=2"]);
    let mut feed = Running::start(&mut engine.command(&["feed", "--to", to])).unwrap();
    feed.until(WITHIN, |feed| feed.errors().contains("feeding")).unwrap();
    let seen = folder.path().join("seen.pcap");
    let mut command = Command::new(tcpdump);
    command.args(["-i", at, "-U", "-B", "16384", "-s", "0", "-Z", "root", "-w"]).arg(&seen);
    let mut looks = Running::start(&mut command).unwrap();
    looks.until(WITHIN, |looks| looks.errors().contains("listening")).unwrap();
    // The second reader: now it begins.
    read_all(&engine.name);
    let said = feed.finish(WITHIN).unwrap();
    assert!(said.status.success(), "{}", said.errors);
    assert!(engine.end(false).status.success());
    let mut sent = frames(&file);
    sent.retain(|frame| frame.len() >= 14);
    // Where the interface has gone with its feed, tcpdump ended by itself.
    let size = |file: &Path| std::fs::metadata(file).map_or(0, |file| file.len());
    let bytes = size(&file);
    looks.until(WITHIN, |_| size(&seen) + 26 >= bytes).ok();
    looks.signal(rustix::process::Signal::INT);
    looks.finish(WITHIN).unwrap();
    let got = frames(&seen);
    Some(Fed { sent, got, said: said.output })
}

fn read_all(engine: &str) {
    let mut reader = PacketReader::open(engine, &PacketOptions::default()).unwrap();
    loop {
        match reader.hold() {
            Next::Packet(held) => reader.release(held),
            Next::Missed(_) => {}
            Next::Empty => {
                reader.wait(Some(WITHIN));
            }
            Next::Ended => return,
            died @ Next::Died => unreachable!("{died:?}"),
        }
    }
}

#[test]
fn out_of_one_end_and_in_at_the_other() {
    let test = "out_of_one_end_and_in_at_the_other";
    let Some(_cable) = Cable::new(test).unwrap() else { return };
    let Some(Fed { sent, got, said }) = feed(test, FAR, NEAR) else { return };
    assert!(sent == got, "the frames are the same, in their order: {} {}", sent.len(), got.len());
    assert!(said.contains("1 dropped, 0 missed"), "the frame of 10 bytes: {said}");
}

#[test]
fn a_tap_that_it_makes_and_takes_away() {
    let test = "a_tap_that_it_makes_and_takes_away";
    let Some(_cable) = Cable::new(test).unwrap() else { return };
    if !Path::new("/dev/net/tun").exists() {
        return weir_tests::skipped(test, "there is no /dev/net/tun");
    }
    let Some(Fed { sent, got, .. }) = feed(test, "weir-tap", "weir-tap") else { return };
    assert!(sent == got, "the frames are the same, in their order: {} {}", sent.len(), got.len());
    assert!(!run(&["ip", "-br", "link"]).unwrap().contains("weir-tap"));
}

/// What does not fit is counted; so is what nobody wanted to be sent in a circle.
#[test]
fn too_long_for_the_interface_is_said_so() {
    let test = "too_long_for_the_interface_is_said_so";
    let Some(_cable) = Cable::new(test).unwrap() else { return };
    run(&["ip", "link", "set", "dev", FAR, "mtu", "600"]).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let (traffic, file) = capture(folder.path(), 300);
    let engine = Engine::start(&source(&file), &["--wait-for-readers"]);
    let summary = output(&mut engine.command(&["feed", "--to", FAR, "--json"]));
    assert!(engine.end(false).status.success());
    let counts: serde_json::Value = serde_json::from_str(&summary).unwrap();
    let count = |name: &str| counts[name].as_u64().unwrap();
    assert!(count("dropped_too_long") > 100, "{summary}");
    let all = count("sent") + count("dropped_too_long") + count("dropped_refused");
    assert_eq!(all, u64::try_from(traffic.frames.len()).unwrap(), "{summary}");
    let engine = Engine::start(&format!("packet:{NEAR}"), &[]);
    for circle in [NEAR, FAR] {
        let fed = programs::run(&mut engine.command(&["feed", "--to", circle]), WITHIN).unwrap();
        assert!(
            !fed.status.success() && fed.errors.contains("engine takes its packets"),
            "{}",
            fed.errors
        );
    }
    assert!(engine.end(true).status.success());
}
