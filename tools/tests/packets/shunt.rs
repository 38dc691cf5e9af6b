//! A group gets no more of a flow that was shunted, by number or by an event of Suricata; others
//! still do.

use std::time::Duration;

use crate::engine::{Engine, WITHIN, output};
use weir_shm::packets::{Next, PacketOptions, PacketReader};
use weir_tests::cable::{Cable, FAR, NEAR};
use weir_tests::player;
use weir_tests::programs::Running;
use weir_tests::traffic::packet::{Around, End, frame, udp};

/// A datagram of the flow of this client port.
fn datagram(port: u16) -> Vec<u8> {
    let client = End { address: "10.0.0.1".parse().unwrap(), port };
    let server = End { address: "198.51.100.1".parse().unwrap(), port: 47_999 };
    frame(Around::Nothing, &udp(client, server, &[0x99; 64]))
}

fn send(port: u16) {
    let frame = datagram(port);
    assert_eq!(player::play([frame.as_slice()], FAR, 1000, 5).unwrap(), 1);
}

fn reader(engine: &Engine, group: Option<&str>) -> PacketReader {
    let options = PacketOptions { group: group.map(str::to_owned), ..PacketOptions::default() };
    PacketReader::open(&engine.name, &options).unwrap()
}

/// Whether a packet comes soon.
fn comes(reader: &mut PacketReader) -> bool {
    for _ in 0..3 {
        match reader.hold() {
            Next::Packet(held) => {
                reader.release(held);
                return true;
            }
            Next::Empty => {
                reader.wait(Some(Duration::from_millis(300)));
            }
            other => unreachable!("{other:?}"),
        }
    }
    false
}

#[test]
fn by_number_and_by_event() {
    let Some(_cable) = Cable::new("by_number_and_by_event").unwrap() else { return };
    let mut engine = Engine::start(&format!("packet:{NEAR}"), &[]);
    let mut member = reader(&engine, Some("ids"));
    let mut other = reader(&engine, None);
    engine.wait_for_readers(2);
    for port in [1001, 1002, 1003] {
        send(port);
        assert!(comes(&mut member) && comes(&mut other), "{port}");
    }
    let mut flows = engine.command(&["flows", "--csv", "--no-header", "-c", "flow_id"]);
    let id = output(flows.args(["--filter", "sport == 1001"]));
    let shunted = output(&mut engine.command(&["shunt", id.trim(), "--group", "ids"]));
    assert!(shunted.starts_with("1 flows shunted"), "{shunted}");
    let folder = tempfile::tempdir().unwrap();
    let log = folder.path().join("eve.json");
    let event = r#"{"event_type":"alert","src_ip":"198.51.100.1","src_port":47999,
        "dest_ip":"10.0.0.1","dest_port":1002,"proto":"UDP","alert":{"signature_id":7}}"#;
    std::fs::write(&log, event.replace('\n', "") + "\n").unwrap();
    let mut follow = engine.command(&["shunt", "--group", "ids", "--signature", "7", "--all"]);
    let follow = Running::start(follow.arg("--eve").arg(&log)).unwrap();
    let attached = weir_shm::Attached::open(&engine.name).unwrap();
    let mut follow = follow;
    let flows = || attached.groups().iter().map(|group| group.shunted_flows).sum::<u64>();
    follow.until(WITHIN, |_| flows() == 2).unwrap();
    for (port, wanted) in [(1001, false), (1002, false), (1003, true)] {
        send(port);
        assert!(comes(&mut other), "{port}");
        assert_eq!(comes(&mut member), wanted, "{port}");
    }
    assert_eq!(member.counts().shunted, 2);
    let table = output(&mut engine.command(&["readers", "--json"]));
    let table: serde_json::Value = serde_json::from_str(&table).unwrap();
    assert_eq!(table["groups"][0]["shunted_flows"], 2, "{table}");
    follow.signal(rustix::process::Signal::TERM);
    let said = follow.finish(WITHIN).unwrap().success().unwrap();
    assert!(said.starts_with("1 events, 1 of them ask to shunt: 1 flows"), "{said}");
    assert!(engine.end(true).status.success());
}

#[test]
fn what_is_not_there_is_said_so() {
    let folder = tempfile::tempdir().unwrap();
    let (_, file) = crate::engine::capture(folder.path(), 10);
    let engine = Engine::start(&crate::engine::source(&file), &["--wait"]);
    let said = |arguments: &[&str]| {
        let ended = weir_tests::programs::run(&mut engine.command(arguments), WITHIN).unwrap();
        assert!(!ended.status.success());
        ended.errors
    };
    assert!(said(&["shunt", "99999", "--group", "ids"]).contains("there is no flow 99999"));
    let mut flows = engine.command(&["flows", "--csv", "--no-header", "-c", "flow_id", "-l", "1"]);
    let id = output(&mut flows);
    assert!(said(&["shunt", id.trim(), "--group", "ids"]).contains("no group"));
    let nobody = output(&mut engine.command(&["readers"]));
    assert!(nobody.contains("nobody reads"), "{nobody}");
    assert!(engine.end(true).status.success());
}
