//! Packets that are sent to an interface, out of files or of an engine: a program that listens there
//! sees the very frames, in their order, as far apart as they were, and none of the kernel's own.

use std::path::{Path, PathBuf};
use std::process::Command;

use weir_tests::cable::{Cable, FAR, NEAR, run};
use weir_tests::programs::{self, Finished, Running};
use weir_tests::traffic::Traffic;

use crate::engine::{Engine, WITHIN, capture, output, source, weir};
use crate::record::packets;

/// The interface that is made.
const TAP: &str = "weir-tap";
/// Between the first and the last frame of [`paced`].
const SPAN_NS: u64 = 600_000_000;

/// A namespace, and tcpdump.
fn place(test: &str) -> Option<(Cable, PathBuf)> {
    let tcpdump = programs::find(test, "tcpdump")?;
    let cable = Cable::new(test).unwrap()?;
    if Path::new("/dev/net/tun").exists() {
        return Some((cable, tcpdump));
    }
    weir_tests::skipped(test, "there is no /dev/net/tun");
    None
}

/// Frames of a capture that an interface can take.
fn sendable(file: &Path) -> Vec<Vec<u8>> {
    let frames = packets(file).into_iter().map(|(_, frame)| frame);
    frames.filter(|frame| frame.len() >= 14).collect()
}

/// tcpdump, listening.
struct Looks {
    running: Running,
    seen: PathBuf,
}

impl Looks {
    fn at(tcpdump: &Path, interface: &str, folder: &Path, more: &[&str]) -> Looks {
        let seen = folder.join("seen.pcap");
        let mut command = Command::new(tcpdump);
        command.args(["-i", interface, "-U", "-B", "65536", "-s", "0", "-Z", "root", "--nano"]);
        let mut running = Running::start(command.args(more).arg("-w").arg(&seen)).unwrap();
        running.until(WITHIN, |running| running.errors().contains("listening")).unwrap();
        Looks { running, seen }
    }

    /// What it saw, once that is so many bytes of frames, or the interface is gone.
    fn end(mut self, frames: &[Vec<u8>]) -> Vec<(u64, Vec<u8>)> {
        let bytes: usize = frames.iter().map(|frame| frame.len() + 16).sum();
        let size = || std::fs::metadata(&self.seen).map_or(0, |file| file.len());
        self.running.until(WITHIN, |_| size() >= 24 + bytes as u64).ok();
        self.running.signal(rustix::process::Signal::INT);
        self.running.finish(WITHIN).unwrap();
        packets(&self.seen)
    }
}

/// The frames are the same, in their order.
fn the_same(seen: &[(u64, Vec<u8>)], sent: &[Vec<u8>], what: &str) {
    let mut pairs = seen.iter().zip(sent);
    let other = pairs.position(|((_, seen), sent)| seen != sent);
    assert_eq!((other, seen.len()), (None, sent.len()), "{what}: the first frame that is another");
}

/// What tcpdump sees on the TAP that a command makes and waits with for it, and how that ended.
fn through_a_tap(
    tcpdump: &Path,
    mut command: Command,
    sent: &[Vec<u8>],
) -> (Vec<(u64, Vec<u8>)>, Finished) {
    let folder = tempfile::tempdir().unwrap();
    let mut sends = Running::start(command.arg("--wait-for-reader")).unwrap();
    let is_up = || run(&["ip", "-br", "link", "show", "dev", TAP, "up"]);
    sends.until(WITHIN, |_| is_up().is_ok_and(|text| !text.is_empty())).unwrap();
    let looks = Looks::at(tcpdump, TAP, folder.path(), &[]);
    let said = sends.finish(WITHIN).unwrap();
    assert!(!run(&["ip", "-br", "link"]).unwrap().contains(TAP), "it goes with its program");
    (looks.end(sent), said)
}

#[test]
fn a_tap_that_extract_makes_has_the_very_frames() {
    let test = "a_tap_that_extract_makes_has_the_very_frames";
    let Some((_cable, tcpdump)) = place(test) else { return };
    let folder = tempfile::tempdir().unwrap();
    let (_, file) = capture(folder.path(), 300);
    let sent = sendable(&file);
    for speed in ["max", "1000"] {
        let path = file.to_str().unwrap();
        let command = weir(&["extract", path, "--replay", TAP, "--speed", speed]);
        let (seen, said) = through_a_tap(&tcpdump, command, &sent);
        the_same(&seen, &sent, speed);
        assert!(
            said.status.success() && said.errors.contains("1 not passed on"),
            "{}",
            said.errors
        );
    }
}

#[test]
fn a_tap_that_record_makes_has_the_very_frames() {
    let test = "a_tap_that_record_makes_has_the_very_frames";
    let Some((_cable, tcpdump)) = place(test) else { return };
    let folder = tempfile::tempdir().unwrap();
    let (_, file) = capture(folder.path(), 300);
    let sent = sendable(&file);
    let command = weir(&["record", &source(&file), "--tap", TAP, "--json"]);
    let (seen, said) = through_a_tap(&tcpdump, command, &sent);
    the_same(&seen, &sent, "of a file");
    let summary: serde_json::Value = serde_json::from_str(&said.output).unwrap();
    assert_eq!(summary["dropped_interface"], 1, "the frame of 10 bytes: {summary}");
    let engine = Engine::start(&source(&file), &["--wait-for-readers"]);
    let dir = folder.path().join("too");
    let mut command = engine.command(&["record", "--tap", TAP]);
    command.arg("--dir").arg(&dir);
    let (seen, said) = through_a_tap(&tcpdump, command, &sent);
    the_same(&seen, &sent, "of an engine");
    assert!(said.status.success(), "{}", said.errors);
    assert!(engine.end(false).status.success());
    let there = crate::record::extract(&dir, &[]);
    assert!(there == packets(&file), "and files have all of them");
}

/// 121 frames, 5 ms apart, and the file of them.
fn paced(folder: &Path) -> PathBuf {
    let frames = (0..=120_u64).map(|number| {
        let mut frame = vec![2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 2, 0x88, 0xb5];
        frame.extend(number.to_be_bytes());
        frame.resize(60, 7);
        (1_700_000_000_000_000_000 + number * SPAN_NS / 120, frame)
    });
    let file = folder.join("paced.pcap");
    Traffic { frames: frames.collect(), ..Traffic::default() }.write(&file).unwrap();
    file
}

/// Out of one end of a cable and in at the other, as far apart as they came, or as is asked for.
#[test]
fn frames_are_as_far_apart_as_they_came() {
    let test = "frames_are_as_far_apart_as_they_came";
    let Some((_cable, tcpdump)) = place(test) else { return };
    let folder = tempfile::tempdir().unwrap();
    let file = paced(folder.path());
    let sent = sendable(&file);
    for (speed, span_ns) in [("1", SPAN_NS), ("4", SPAN_NS / 4), ("max", 0)] {
        let looks = Looks::at(&tcpdump, NEAR, folder.path(), &[]);
        let path = file.to_str().unwrap();
        output(&mut weir(&["extract", path, "--replay", FAR, "--speed", speed]));
        let seen = looks.end(&sent);
        the_same(&seen, &sent, speed);
        let step_ns = span_ns / 120;
        let first_ns = seen[0].0;
        // Never early; late only where the machine was busy, which does not add up.
        for (number, (time_ns, _)) in (0..).zip(&seen) {
            assert!(time_ns - first_ns + 2_000_000 >= number * step_ns, "{speed}: {number}");
        }
        let took_ns = seen.last().unwrap().0 - first_ns;
        assert!(took_ns < span_ns + 300_000_000, "{speed}: {took_ns}");
    }
}

/// On a TAP of somebody else the kernel sends what it likes; what is sent to it is what is received.
#[test]
fn on_a_tap_that_is_there_what_is_sent_is_what_is_received() {
    let test = "on_a_tap_that_is_there_what_is_sent_is_what_is_received";
    let Some((cable, tcpdump)) = place(test) else { return };
    let on = ["sysctl", "-qw", "net.ipv6.conf.default.disable_ipv6=0"];
    run(&[&["ip", "netns", "exec", cable.name()][..], &on].concat()).unwrap();
    run(&["ip", "tuntap", "add", "mode", "tap", "name", TAP]).unwrap();
    run(&["ip", "link", "set", "dev", TAP, "up"]).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let (_, file) = capture(folder.path(), 100);
    let sent = sendable(&file);
    let looks = Looks::at(&tcpdump, TAP, folder.path(), &["-Q", "in"]);
    let path = file.to_str().unwrap();
    output(&mut weir(&["extract", path, "--replay", TAP, "--speed", "max", "--wait-for-reader"]));
    the_same(&looks.end(&sent), &sent, "received");
    assert!(run(&["ip", "-br", "link"]).unwrap().contains(TAP), "it stays");
}
