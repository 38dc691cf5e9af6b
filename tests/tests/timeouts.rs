//! When flows end and why, by the times of a file: idle, closed, taken anew, and those that go on.

#![expect(clippy::unwrap_used, reason = "a step that fails fails the test")]

use std::net::Ipv4Addr;
use std::path::Path;

use toml::Value;
use weir_dpi::AppId;
use weir_engine::books::Count;
use weir_shm::records::{EndReason, RecordKind};
use weir_tests::seen::{self, Seen};
use weir_tests::traffic::Traffic;
use weir_tests::traffic::packet::{Around, End, Segment, frame, tcp, udp};

const SECOND: u64 = 1_000_000_000;
const START: u64 = 1_700_000_000 * SECOND;
const FIN: u8 = 1;
const SYN: u8 = 2;
const RST: u8 = 4;
const ACK: u8 = 16;

fn end(address: [u8; 4], port: u16) -> End {
    End { address: Ipv4Addr::from(address).into(), port }
}

/// Where a record comes from, and what it says: port of the client, kind, reason, second, packets.
type Line = (u16, RecordKind, EndReason, u64, u64);

fn lines(traffic: &Traffic, settings: &[(&str, Value)]) -> (Vec<Line>, u64) {
    let place = tempfile::tempdir().unwrap();
    let path = place.path().join("times.pcap");
    traffic.write(&path).unwrap();
    let mut lines = Vec::new();
    let source = format!("pcap:{}", Path::new(&path).display());
    let mut all = vec![("flow.timeouts", Value::Boolean(true))];
    all.extend(settings.iter().cloned());
    let report = seen::records(&source, &all, |record| {
        let Seen { packets: [there, back], .. } = seen::decode(&record.flow)?.1;
        let second = record.time_ns.saturating_sub(START) / SECOND;
        let port = record.flow.client().port;
        lines.push((port, record.kind, record.reason, second, there + back));
        Ok(())
    })
    .unwrap();
    assert!(report.balanced());
    (lines, report.books.get(Count::FlowsCreated))
}

/// Packets at their seconds, in order.
fn traffic(mut packets: Vec<(u64, Vec<u8>)>) -> Traffic {
    packets.sort_by_key(|(second, _)| *second);
    let frames = packets.into_iter();
    let frames =
        frames.map(|(second, packet)| (START + second * SECOND, frame(Around::Nothing, &packet)));
    Traffic { frames: frames.collect(), ..Traffic::default() }
}

fn of(lines: &[Line], port: u16) -> Vec<Line> {
    let wanted = |line: &&Line| line.0 == port && line.2 != EndReason::None;
    lines.iter().filter(wanted).copied().collect()
}

#[test]
fn flows_end_when_they_should_and_say_why() {
    let far = end([198, 51, 100, 1], 9999);
    let near = end([10, 0, 0, 2], 9999);
    let mut packets = Vec::new();
    // Twenty packets a second for ten minutes: it never ends by time, and is reported on the way.
    // A turn then takes in three seconds: so much later than due are timers looked at.
    let steady = udp(end([203, 0, 113, 1], 1000), far, &[0; 20]);
    packets.extend((0..12_000).map(|number| (number / 20, steady.clone())));
    packets.push((10, udp(end([203, 0, 113, 1], 1001), far, &[0; 20])));
    packets.push((10, udp(end([10, 0, 0, 1], 1002), near, &[0; 20])));
    let client = |port| end([203, 0, 113, 2], port);
    let segment = |flags, sequence| Segment { sequence, acknowledgement: 1, flags };
    for (port, close) in [(1003, FIN | ACK), (1004, RST)] {
        packets.push((20, tcp(client(port), far, segment(SYN, 0), &[])));
        packets.push((21, tcp(far, client(port), segment(SYN | ACK, 0), &[])));
        packets.push((22, tcp(client(port), far, segment(close, 1), &[])));
        packets.push((23, tcp(far, client(port), segment(close, 1), &[])));
    }
    // The same ports again, at once: another connection.
    packets.push((24, tcp(client(1004), far, segment(SYN, 500), &[])));
    let (lines, created) = lines(&traffic(packets), &[]);
    assert_eq!(created, 6);

    let started = lines.iter().filter(|line| line.1 == RecordKind::Started);
    assert!(started.clone().all(|line| line.4 == 1) && started.count() == 6);
    let [(_, RecordKind::Ended, EndReason::Idle, when, 1)] = of(&lines, 1001)[..] else {
        panic!("{lines:?}");
    };
    assert!((70..=89).contains(&when), "60 s of silence, seen within 15 s: {when}");
    let [.., (_, RecordKind::Ended, EndReason::Idle, when, 1)] = of(&lines, 1002)[..] else {
        panic!("{lines:?}");
    };
    assert!((310..=329).contains(&when), "300 s between local hosts: {when}");
    let [(_, RecordKind::Ended, EndReason::TcpFin, when, 4)] = of(&lines, 1003)[..] else {
        panic!("{lines:?}");
    };
    assert!((32..=52).contains(&when), "10 s after a close: {when}");
    let [(_, RecordKind::Ended, EndReason::TcpReset, 24, 4), (_, _, EndReason::Idle, _, 1)] =
        of(&lines, 1004)[..]
    else {
        panic!("{lines:?}");
    };
    let long = of(&lines, 1000);
    let (last, updates) = long.split_last().unwrap();
    assert_eq!(*last, (1000, RecordKind::Ended, EndReason::Shutdown, 599, 12_000));
    assert_eq!(updates.len(), 4, "each 120 s: {updates:?}");
    assert!(
        updates.iter().all(|line| line.1 == RecordKind::Updated && line.2 == EndReason::Active)
    );
    assert!(updates.windows(2).all(|pair| (120..=139).contains(&(pair[1].3 - pair[0].3))));
}

#[test]
fn time_that_jumps_breaks_nothing() {
    let far = end([198, 51, 100, 1], 9999);
    let packet = |port| udp(end([203, 0, 113, 1], port), far, &[0; 20]);
    let mut traffic = traffic(Vec::new());
    // Back a day, ahead forty years, back again.
    for (number, second) in [100_000, 13_600, 1_200_000_000, 5, 100_001].into_iter().enumerate() {
        let port = 2000 + u16::try_from(number).unwrap();
        traffic.frames.push((START + second * SECOND, frame(Around::Nothing, &packet(port))));
        traffic.frames.push((START + second * SECOND, frame(Around::Nothing, &packet(3000))));
    }
    let (lines, created) = lines(&traffic, &[]);
    let ended: Vec<_> = lines.iter().filter(|line| line.1 == RecordKind::Ended).collect();
    assert_eq!(ended.len() as u64, created);
    assert_eq!(ended.iter().map(|line| line.4).sum::<u64>(), 10, "every packet is in a flow");
}

#[test]
fn the_first_record_says_what_the_first_packet_told() {
    let (client, server) = (end([203, 0, 113, 3], 2000), end([198, 51, 100, 1], 53));
    let query =
        b"\x12\x34\x01\x00\x00\x01\x00\x00\x00\x00\x00\x00\x07example\x03net\x00\x00\x01\x00\x01";
    let place = tempfile::tempdir().unwrap();
    let path = place.path().join("query.pcap");
    traffic(vec![(0, udp(client, server, query))]).write(&path).unwrap();
    let mut told = Vec::new();
    seen::records(&format!("pcap:{}", path.display()), &[], |record| {
        told.push((record.kind, AppId(record.flow.app()), record.meta.is_empty()));
        Ok(())
    })
    .unwrap();
    let expected = [RecordKind::Started, RecordKind::Ended].map(|kind| (kind, AppId::DNS, false));
    assert_eq!(told, expected);
}
