//! Generated traffic over a veth cable gives the flows of the file, and every frame is accounted
//! for. Needs root; otherwise each test is shown and counted as skipped.

#![expect(clippy::unwrap_used, reason = "a step that fails fails the test")]

use std::collections::BTreeMap;
use std::net::Ipv4Addr;
use std::process::{Command, Stdio};
use std::time::Duration;

use toml::Value;
use weir_engine::sys::clock;
use weir_tests::cable::{Cable, FAR, NEAR, run};
use weir_tests::player;
use weir_tests::programs;
use weir_tests::seen;
use weir_tests::traffic::packet::{self, Around, End};
use weir_tests::traffic::{self, Traffic};

/// Frames a second: far below what a busy machine of two cores takes.
const RATE: u64 = 8_000;

/// Frames that an interface takes: no shorter than an Ethernet header.
fn playable(traffic: &Traffic) -> impl Iterator<Item = &[u8]> {
    traffic.frames.iter().map(|(_, frame)| frame.as_slice()).filter(|frame| frame.len() >= 60)
}

fn gives_the_flows_of_the_file(test: &str, source: &str, shards: i64) {
    let Some(cable) = Cable::new(test).unwrap() else { return };
    let traffic = traffic::mixed(600, 3);
    let mut sent = 0;
    let settings = [
        ("engine.shards", Value::Integer(shards)),
        ("capture.split", Value::from("xdp")),
        ("capture.ignore_outgoing", Value::Boolean(true)),
    ];
    let (flows, report) = seen::run(&format!("{source}:{NEAR}"), &settings, |_| {
        cable.enter()?;
        sent = player::play(playable(&traffic), FAR, RATE, 60)?;
        // What is on the cable arrives.
        clock::rest(Duration::from_millis(100));
        Ok(())
    })
    .unwrap();
    assert_eq!(sent, playable(&traffic).count() as u64, "every frame was sent");
    let wire: u64 = report.queues.iter().map(|(_, counts)| counts.wire).sum();
    let lost: u64 = report.queues.iter().map(|(_, counts)| counts.lost()).sum();
    assert!(report.balanced(), "{report:?}");
    assert_eq!((wire, lost), (sent, 0), "every frame arrived");
    assert_eq!(i64::try_from(report.shards.len()).unwrap(), shards);
    if shards > 1 {
        assert!(report.shards.iter().all(|shard| shard.frames_read > sent / 10), "{report:?}");
    }
    let expected = seen::expected(&traffic.flows);
    for (key, seen) in &expected {
        assert_eq!(flows.get(key), Some(seen), "{key:?}");
    }
    assert_eq!(flows.len(), expected.len());
}

#[test]
fn xdp_one_shard() {
    gives_the_flows_of_the_file("xdp_one_shard", "xdp", 1);
}

#[test]
fn xdp_two_shards_on_one_queue() {
    gives_the_flows_of_the_file("xdp_two_shards_on_one_queue", "xdp", 2);
}

#[test]
fn packet_one_shard() {
    gives_the_flows_of_the_file("packet_one_shard", "packet", 1);
}

#[test]
fn packet_two_shards() {
    gives_the_flows_of_the_file("packet_two_shards", "packet", 2);
}

/// Of a flow that sends whole datagrams and fragmented ones, XDP cannot give both to one shard.
/// It may then be two records, which together are the flow; one shard has it as one.
fn whole_datagrams_and_pieces(test: &str, shards: i64) {
    const FLOWS: u16 = 40;
    const SIZES: [usize; 2] = [64, 600];
    let Some(cable) = Cable::new(test).unwrap() else { return };
    let mut frames = Vec::new();
    for number in 0..FLOWS {
        let [_, host] = number.to_be_bytes();
        let (from, to) = (Ipv4Addr::new(10, 1, 2, host), Ipv4Addr::new(198, 51, 100, host));
        let [client, server] = [(from, 20_000 + number), (to, 9999)]
            .map(|(ip, port)| End { address: ip.into(), port });
        let [small, large] = SIZES.map(|bytes| packet::datagram(client, server, &vec![7; bytes]));
        let (first, rest) = large.split_at(400);
        frames.extend([
            packet::ip(client.address, server.address, 17, &small),
            packet::ipv4(from, to, 17, [0x20, 0], number, first),
            packet::ipv4(from, to, 17, [0, 50], number, rest),
        ]);
    }
    let frames: Vec<Vec<u8>> =
        frames.iter().map(|bytes| packet::frame(Around::Nothing, bytes)).collect();
    let settings =
        [("engine.shards", Value::Integer(shards)), ("capture.split", Value::from("xdp"))];
    let (records, report) = seen::run_records(&format!("xdp:{NEAR}"), &settings, |_| {
        cable.enter()?;
        player::play(frames.iter().map(Vec::as_slice), FAR, RATE, 60)?;
        clock::rest(Duration::from_millis(100));
        Ok(())
    })
    .unwrap();
    assert!(report.balanced(), "{report:?}");
    let mut flows: BTreeMap<_, (usize, u64)> = BTreeMap::new();
    for (key, seen) in &records {
        let flow = flows.entry(key).or_default();
        *flow = (flow.0 + 1, flow.1 + seen.packets[0] + seen.packets[1]);
    }
    assert_eq!(flows.len(), usize::from(FLOWS));
    for (key, (records, packets)) in flows {
        assert_eq!(packets, 3, "{key:?}: no packet is missing, none is there twice");
        assert!(records <= usize::try_from(shards).unwrap(), "{key:?}: {records} records");
    }
}

#[test]
fn whole_datagrams_and_pieces_of_a_flow_on_one_shard() {
    whole_datagrams_and_pieces("whole_datagrams_and_pieces_of_a_flow_on_one_shard", 1);
}

#[test]
fn whole_datagrams_and_pieces_of_a_flow_on_two_shards() {
    whole_datagrams_and_pieces("whole_datagrams_and_pieces_of_a_flow_on_two_shards", 2);
}

#[test]
fn a_killed_engine_leaves_nothing_in_the_way() {
    let test = "a_killed_engine_leaves_nothing_in_the_way";
    let Some(_cable) = Cable::new(test).unwrap() else { return };
    let Some(weir) = programs::weir(test) else { return };
    let name = format!("killed-{}", std::process::id());
    let start = || {
        Command::new(&weir)
            .args(["run", &format!("xdp:{NEAR}"), "--name", &name, "--shards", "2"])
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap()
    };
    let answers = || {
        let stats = Command::new(&weir).args(["stats", "--name", &name]).output().unwrap();
        stats.status.success()
    };
    let wait_until = |what: &str, done: &dyn Fn() -> bool| {
        for _ in 0..200 {
            if done() {
                return;
            }
            clock::rest(Duration::from_millis(50));
        }
        panic!("{what}: not within ten seconds");
    };
    let has_program = || run(&["ip", "-d", "link", "show", "dev", NEAR]).unwrap().contains("xdp");
    for _ in 0..2 {
        let mut engine = start();
        wait_until("the engine answers", &answers);
        assert!(has_program());
        let watcher = Command::new(&weir)
            .args(["flows", "--name", &name, "--watch", "1"])
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        clock::rest(Duration::from_millis(300));
        engine.kill().unwrap();
        engine.wait().unwrap();
        wait_until("the program is gone", &|| !has_program());
        let outcome = watcher.wait_with_output().unwrap();
        let said = String::from_utf8_lossy(&outcome.stderr);
        assert_eq!(outcome.status.code(), Some(4), "{said}");
        assert!(said.contains(&name) && said.contains("ended"), "{said}");
    }
    // The last one ends in order, and takes the socket with it.
    let mut engine = start();
    wait_until("the engine answers", &answers);
    run(&["kill", "-INT", &engine.id().to_string()]).unwrap();
    assert!(engine.wait().unwrap().success());
    assert!(!answers());
}

#[test]
fn an_unprivileged_user_reads_flows() {
    let test = "an_unprivileged_user_reads_flows";
    let Some(weir) = programs::weir(test) else { return };
    if !rustix::process::geteuid().is_root() {
        return weir_tests::skipped(test, "becoming another user needs root");
    }
    let place = tempfile::tempdir_in("/tmp").unwrap();
    let open = |path: &std::path::Path| {
        use std::os::unix::fs::PermissionsExt;
        std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o755)).unwrap();
    };
    open(place.path());
    let copy = place.path().join("weir");
    std::fs::copy(&weir, &copy).unwrap();
    open(&copy);
    let capture = place.path().join("mixed.pcap");
    traffic::mixed(100, 4).write(&capture).unwrap();
    let name = format!("reader-{}", std::process::id());
    let source = format!("pcap:{}", capture.display());
    let mut engine = Command::new(&weir)
        .args(["run", &source, "--name", &name, "--timeouts", "off", "--wait=30"])
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let mut flows = 0;
    for _ in 0..200 {
        let output = Command::new("setpriv")
            .args(["--reuid=65534", "--regid=65534", "--clear-groups"])
            .arg(&copy)
            .args(["flows", "--name", &name, "--json", "--limit", "0"])
            .current_dir("/")
            .output()
            .unwrap();
        flows = String::from_utf8_lossy(&output.stdout).lines().count();
        if flows == 100 {
            break;
        }
        clock::rest(Duration::from_millis(50));
    }
    run(&["kill", "-INT", &engine.id().to_string()]).unwrap();
    assert!(engine.wait().unwrap().success());
    assert_eq!(flows, 100);
}
