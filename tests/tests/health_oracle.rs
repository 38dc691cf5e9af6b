//! Flows with known faults through the whole engine, and beside tshark where there is one. Over the
//! labelled corpus: `health_oracle` (tests/src/bin).

#![expect(clippy::unwrap_used, reason = "a step that fails fails the test")]

use std::net::Ipv4Addr;
use std::path::PathBuf;

use weir_shm::flow::Dir;
use weir_shm::health::{ConnState, Ended, Events, Health};
use weir_shm::records::{Record, RecordKind};
use weir_tests::oracle::{self, Comparison};
use weir_tests::seen;
use weir_tests::traffic::Traffic;
use weir_tests::traffic::connection::{ACK, Connection, MS, START, faults};
use weir_tests::traffic::lossy::{self, View, Way};
use weir_tests::traffic::packet::{Around, End, frame, udp};

fn capture() -> (tempfile::TempDir, PathBuf) {
    let mut frames: Vec<_> = faults().into_iter().flat_map(|talk| talk.frames).collect();
    let (client, server) = (End { address: Ipv4Addr::new(10, 0, 0, 1).into(), port: 1007 }, 53);
    let server = End { address: Ipv4Addr::new(10, 0, 0, 3).into(), port: server };
    let query = |bits| {
        [&[0, 9, bits, 0, 0, 1, 0, 0, 0, 0, 0, 0], &b"\x01a\x00\x00\x01\x00\x01"[..]].concat()
    };
    for (at_ms, packet) in
        [(0, udp(client, server, &query(1))), (7, udp(server, client, &query(0x81)))]
    {
        frames.push((START + at_ms * MS, frame(Around::Nothing, &packet)));
    }
    frames.sort_by_key(|(time, _)| *time);
    let place = tempfile::tempdir().unwrap();
    let path = place.path().join("faults.pcap");
    Traffic { frames, ..Traffic::default() }.write(&path).unwrap();
    (place, path)
}

fn records() -> Vec<Record> {
    let (_place, path) = capture();
    let mut records = Vec::new();
    seen::records(
        &format!("pcap:{}", path.display()),
        &[("health.enabled", true.into())],
        |record| {
            if record.kind == RecordKind::Ended {
                records.push(record.clone());
            }
            Ok(())
        },
    )
    .unwrap();
    records
}

fn of(records: &[Record], port: u16) -> (Health, [Events; 2]) {
    let record = records.iter().find(|record| record.flow.client().port == port).unwrap();
    let events = [Dir::ToServer, Dir::ToClient].map(|dir| record.health.events(&record.flow, dir));
    (record.health, events)
}

#[test]
fn known_faults_are_found() {
    let records = records();
    let none = Events::default();
    let (health, events) = of(&records, 1001);
    assert_eq!(events, [none, none], "all is well");
    assert_eq!((health.server_delay_ns(), health.client_delay_ns()), (3 * MS, MS));
    assert_eq!((health.conn_state(), health.ended()), (ConnState::SF, Ended::ByClient));
    assert_eq!(health.history(), "ShADaFf");
    let record = records.iter().find(|record| record.flow.client().port == 1001).unwrap();
    let trips = health.round_trips(&record.flow, Dir::ToServer);
    assert_eq!((trips.samples, trips.min_ns, trips.max_ns), (10, 3 * MS, 3 * MS));

    let (_, events) = of(&records, 1002);
    let sent = Events {
        retransmissions: 1,
        fast_retransmissions: 1,
        retransmitted_bytes: 100,
        lost: 1,
        ..none
    };
    assert_eq!(events, [sent, Events { duplicate_acks: 3, ..none }], "a loss");

    let (_, events) = of(&records, 1003);
    assert_eq!(events, [Events { lost: 1, out_of_order: 1, ..none }, none], "reordered");

    let (health, events) = of(&records, 1004);
    let sent = Events {
        retransmissions: 2,
        spurious_retransmissions: 1,
        retransmitted_bytes: 200,
        ..none
    };
    assert_eq!(events, [sent, none], "again");
    assert!(health.history().contains('T'));

    let (health, events) = of(&records, 1005);
    assert_eq!(events, [none, none], "one direction");
    assert_eq!((health.server_delay_ns(), health.client_delay_ns()), (4 * MS, 0));

    let (health, events) = of(&records, 1006);
    assert_eq!((health.conn_state(), health.ended()), (ConnState::Rej, Ended::Refused));
    assert_eq!((health.server_delay_ns(), events[1].resets), (3 * MS, 1));

    let (health, _) = of(&records, 1007);
    let answers = health.answers();
    assert_eq!((answers.samples, answers.first_ns), (1, 7 * MS));
    assert_eq!(health.conn_state(), ConnState::SF);
}

#[test]
fn known_faults_are_what_tshark_finds() {
    let Some(version) = oracle::tshark() else {
        return weir_tests::skipped("known_faults_are_what_tshark_finds", "no tshark");
    };
    let (_place, path) = capture();
    let (tshark, weir) = (oracle::by_tshark(&path).unwrap(), oracle::by_weir(&path).unwrap());
    let mut comparison = Comparison::default();
    comparison.compare("faults", &tshark, &weir);
    assert_eq!(comparison.differences, [], "{version}");
    assert_eq!(comparison.apart, 0);
    assert_eq!(tshark.len(), 7);
}

/// DNS over TCP, one question after the other: the answers are those of the rule for all of TCP.
#[test]
fn dns_over_tcp_is_what_tshark_finds() {
    let test = "dns_over_tcp_is_what_tshark_finds";
    if oracle::tshark().is_none() {
        return weir_tests::skipped(test, "no tshark");
    }
    let end = |last, port| End { address: Ipv4Addr::new(10, 0, 0, last).into(), port };
    let mut one = Connection::between(end(1, 4000), end(2, 53), [7, 9]);
    one.open(0);
    let mut sent = [0; 2];
    for number in 0..3_u8 {
        for lane in 0..2 {
            let bits = if lane == 0 { [1, 0] } else { [0x81, 0x80] };
            let head = [0, 29, 0, number, bits[0], bits[1], 0, 1, 0, 0, 0, 0, 0, 0];
            let message = [&head[..], b"\x07example\x03org\x00\x00\x01\x00\x01"].concat();
            let message = [&[0, u8::try_from(message.len() - 2).unwrap()], &message[2..]].concat();
            let at = START + (100 + u64::from(number) * 50 + lane as u64 * 13) * MS;
            one.say(at, lane, [sent[lane], sent[1 - lane]], ACK, &message);
            sent[lane] += u32::try_from(message.len()).unwrap();
        }
    }
    let place = tempfile::tempdir().unwrap();
    let path = place.path().join("dns.pcap");
    Traffic { frames: one.frames, ..Traffic::default() }.write(&path).unwrap();
    let (tshark, weir) = (oracle::by_tshark(&path).unwrap(), oracle::by_weir(&path).unwrap());
    let mut comparison = Comparison::default();
    comparison.compare("dns", &tshark, &weir);
    assert_eq!(comparison.differences, []);
    assert!(tshark.values().all(|told| told.dns == (3, 13 * MS)), "{tshark:?}");
}

/// Hundreds of connections over ways with faults of every kind: each class agrees on 98 % of the flows.
#[test]
fn ways_with_faults_are_what_tshark_finds() {
    let test = "ways_with_faults_are_what_tshark_finds";
    if oracle::tshark().is_none() {
        return weir_tests::skipped(test, "no tshark");
    }
    let (lost, late, twice) = (15, 15, 10);
    let only = |lost, late, twice| Way { lost, late, twice, missed: 0 };
    let whole: &[View] = &[View::Whole];
    let partial = &[View::Without(0), View::Without(1), View::After(60), View::Whole];
    let mut disagree = Vec::new();
    for (name, way, views) in [
        ("loss", only(lost, 0, 0), whole),
        ("reordering", only(0, late, 0), whole),
        ("duplication", only(0, 0, twice), whole),
        ("all", only(lost, late, twice), whole),
        ("heavy", only(60, 60, 30), whole),
        ("missed", Way { missed: 10, ..Way::default() }, whole),
        ("all and missed", Way { missed: 10, ..only(lost, late, twice) }, whole),
        ("partial views", only(lost, late, twice), partial),
    ] {
        let place = tempfile::tempdir().unwrap();
        let path = place.path().join("ways.pcap");
        lossy::connections(300, way, views, 11).write(&path).unwrap();
        let (tshark, weir) = (oracle::by_tshark(&path).unwrap(), oracle::by_weir(&path).unwrap());
        let mut comparison = Comparison::default();
        comparison.compare(name, &tshark, &weir);
        assert_eq!((comparison.apart, tshark.len()), (0, 300), "{name}");
        for (class, found) in &comparison.classes {
            eprintln!("{name}: {class} {found:?}");
            if found.share() < 0.98 {
                disagree.push(format!("{name}: {class} {found:?}"));
            }
        }
        for (_, class, ends, figures) in comparison.differences.iter().take(40) {
            eprintln!("{name}: {class} {ends} {figures}");
        }
    }
    assert!(disagree.is_empty(), "{disagree:#?}");
}
