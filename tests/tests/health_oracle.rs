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
use weir_tests::traffic::packet::{Around, End, Segment, frame, tcp, udp};

const MS: u64 = 1_000_000;
const START: u64 = 1_700_000_000_000 * MS;
const FIN: u8 = 1;
const SYN: u8 = 2;
const RST: u8 = 4;
const ACK: u8 = 16;

/// A connection that is written down segment by segment; times are milliseconds since the start.
struct Talk {
    client: End,
    server: End,
    /// First sequence numbers after the SYNs.
    from: [u32; 2],
    frames: Vec<(u64, Vec<u8>)>,
}

impl Talk {
    fn new(port: u16, from: [u32; 2]) -> Talk {
        let end = |last, port| End { address: Ipv4Addr::new(10, 0, 0, last).into(), port };
        Talk { client: end(1, port), server: end(2, 8000), from, frames: Vec::new() }
    }

    /// A segment; numbers count from the first after the SYN.
    fn segment(&mut self, at_ms: u64, lane: usize, place: [u32; 2], flags: u8, bytes: usize) {
        let [from, to] =
            if lane == 0 { [self.client, self.server] } else { [self.server, self.client] };
        let sequence = self.from[lane].wrapping_add(place[0]);
        let acknowledged = self.from[1 - lane].wrapping_add(place[1]);
        let acknowledgement = if flags & ACK != 0 { acknowledged } else { 0 };
        let head = Segment { sequence, acknowledgement, flags };
        let packet = tcp(from, to, head, &vec![b'x'; bytes]);
        self.frames.push((START + at_ms * MS, frame(Around::Nothing, &packet)));
    }

    /// A handshake: 3 ms to the server and back, 1 ms to the client and back.
    fn open(&mut self, at_ms: u64) {
        self.segment(at_ms, 0, [u32::MAX, 0], SYN, 0);
        self.segment(at_ms + 3, 1, [u32::MAX, 0], SYN | ACK, 0);
        self.segment(at_ms + 4, 0, [0, 0], ACK, 0);
    }

    fn close(&mut self, at_ms: u64, sent: u32) {
        self.segment(at_ms, 0, [sent, 0], FIN | ACK, 0);
        self.segment(at_ms + 1, 1, [0, sent + 1], FIN | ACK, 0);
        self.segment(at_ms + 2, 0, [sent + 1, 1], ACK, 0);
    }
}

/// Connections with one kind of fault each, by their client's port.
fn faults() -> Vec<Talk> {
    // All is well, over the end of the number space.
    let mut well = Talk::new(1001, [u32::MAX - 1500, u32::MAX]);
    well.open(0);
    for number in 0..10_u32 {
        let at = 100 + u64::from(number) * 10;
        well.segment(at, 0, [number * 1000, 0], ACK, 1000);
        well.segment(at + 3, 1, [0, number * 1000 + 1000], ACK, 0);
    }
    well.close(300, 10_000);
    // The third segment is lost before here; two more bring duplicate acknowledgements.
    let mut loss = Talk::new(1002, [7, 9]);
    loss.open(0);
    for number in [0_u32, 1, 3, 4, 5] {
        loss.segment(100 + u64::from(number), 0, [number * 100, 0], ACK, 100);
    }
    for (number, acked) in [100_u32, 200, 200, 200, 200].into_iter().enumerate() {
        loss.segment(110 + number as u64, 1, [0, acked], ACK, 0);
    }
    loss.segment(116, 0, [200, 0], ACK, 100);
    loss.segment(120, 1, [0, 600], ACK, 0);
    // Two segments change places.
    let mut reordered = Talk::new(1003, [7, 9]);
    reordered.open(0);
    for number in [0_u32, 2, 1, 3] {
        reordered.segment(100, 0, [number * 100, 0], ACK, 100);
    }
    // A segment comes again after a timeout, and again after it was acknowledged.
    let mut again = Talk::new(1004, [7, 9]);
    again.open(0);
    again.segment(100, 0, [0, 0], ACK, 100);
    again.segment(400, 0, [0, 0], ACK, 100);
    again.segment(405, 1, [0, 100], ACK, 0);
    again.segment(800, 0, [0, 0], ACK, 100);
    // Only one direction is captured.
    let mut one_way = Talk::new(1005, [7, 9]);
    one_way.segment(0, 0, [u32::MAX, 0], SYN, 0);
    one_way.segment(4, 0, [0, 0], ACK, 0);
    for number in 0..5_u32 {
        one_way.segment(100 + u64::from(number), 0, [number * 100, number * 50], ACK, 100);
    }
    // Refused.
    let mut refused = Talk::new(1006, [7, 9]);
    refused.segment(0, 0, [u32::MAX, 0], SYN, 0);
    refused.segment(3, 1, [0, 0], RST | ACK, 0);
    vec![well, loss, reordered, again, one_way, refused]
}

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
