//! Each limit is reached here once: it has its counter, the books balance, and the run goes on.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::net::Ipv4Addr;

use weir_engine::books::Count;
use weir_engine::config::Settings;
use weir_engine::measure::{self, Feed, Measured, Play};
use weir_engine::shard::Depth;
use weir_tests::seen;
use weir_tests::traffic::apps;
use weir_tests::traffic::packet::{self, Around, End, Segment};
use weir_tests::traffic::{self, Traffic};

/// One shard over the traffic, with these settings.
fn play(traffic: &Traffic, changes: &[(&str, i64)]) -> Measured {
    let file = tempfile::NamedTempFile::new().unwrap();
    traffic.write(file.path()).unwrap();
    let frames = measure::preload(file.path()).unwrap();
    let mut settings = Settings::default();
    settings.set("flow.timeouts", false.into()).unwrap();
    settings.set("flow.capacity", 20_000.into()).unwrap();
    for (key, value) in changes {
        settings.set(key, (*value).into()).unwrap();
    }
    let config = settings.into_config("limits", &["pcap:x".to_owned()]).unwrap();
    let wanted = Play { depth: Depth::Inspect, shards: 1, warm_frames: 0, rules: None };
    let mut shards = measure::run(&Feed::Whole(frames), &config, &wanted).unwrap();
    let measured = shards.pop().unwrap();
    assert!(measured.books.balanced(), "{changes:?}: {:?}", measured.books);
    let frames = traffic.frames.len() as u64;
    assert_eq!(measured.books.get(Count::Processed), frames, "{changes:?}: nothing stops");
    measured
}

#[test]
fn with_the_defaults_no_limit_is_reached() {
    let books = play(&traffic::mixed(800, 1), &[]).books;
    for count in [
        Count::FlowsEvictedOnePacket,
        Count::FlowsEvictedOldest,
        Count::InspectionsFull,
        Count::StreamsFull,
        Count::MetadataLost,
    ] {
        assert_eq!(books.get(count), 0, "{count:?}");
    }
}

#[test]
fn a_full_table_evicts_by_name() {
    let measured = play(&traffic::mixed(800, 1), &[("flow.capacity", 30)]);
    let evicted = measured.books.get(Count::FlowsEvictedOldest)
        + measured.books.get(Count::FlowsEvictedOnePacket);
    assert!(evicted >= 800 - 30, "{evicted} made room");
    assert!(measured.flows_live <= 30);
}

#[test]
fn inspections_that_are_all_in_use_are_counted() {
    // Flows that never say what they are keep their inspection until they are given up.
    let mut traffic = Traffic::default();
    for number in 0..400_u16 {
        traffic.frames.push((u64::from(number), datagram(number, &[0xd7; 40])));
    }
    let few = play(&traffic, &[("inspect.flows", 16)]);
    assert!(few.books.get(Count::InspectionsFull) > 300, "{:?}", few.books);
    assert_eq!(play(&traffic, &[]).books.get(Count::InspectionsFull), 0);
}

#[test]
fn streams_without_a_buffer_are_counted() {
    // Connections that all stop in the middle of a hello, so that its first part is kept.
    let hello = &apps::talk(1).messages[0].1;
    let mut traffic = Traffic::default();
    for (flags, payload) in [(2, &[][..]), (24, &hello[..hello.len() / 2])] {
        for number in 0..200_u16 {
            let [a, b] = number.to_be_bytes();
            let from = End { address: Ipv4Addr::new(10, 66, a, b).into(), port: 40_000 };
            let to = End { address: Ipv4Addr::new(198, 51, 100, 66).into(), port: 443 };
            let sequence = if flags == 2 { 1 } else { 2 };
            let segment = Segment { sequence, acknowledgement: 0, flags };
            let packet = packet::tcp(from, to, segment, payload);
            let time = u64::try_from(traffic.frames.len()).unwrap();
            traffic.frames.push((time, packet::frame(Around::Nothing, &packet)));
        }
    }
    let few = play(&traffic, &[("inspect.stream_buffers", 16)]);
    assert!(few.books.get(Count::StreamsFull) >= 150, "{:?}", few.books);
    assert_eq!(play(&traffic, &[]).books.get(Count::StreamsFull), 0);
}

#[test]
fn metadata_that_finds_no_room_is_counted() {
    let traffic = traffic::mixed(30_000, 1);
    let room = [("flow.capacity", 100_000), ("export.arena_bytes", 1 << 20)];
    let small = play(&traffic, &room);
    assert!(small.books.get(Count::MetadataLost) > 0, "{:?}", small.books);
    assert_eq!(small.books.get(Count::FlowsCreated), 30_000, "the flows are there all the same");
}

/// A datagram of a flow of its own.
fn datagram(number: u16, payload: &[u8]) -> Vec<u8> {
    let [a, b] = number.to_be_bytes();
    let from = End { address: Ipv4Addr::new(10, 77, a, b).into(), port: 40_000 };
    let to = End { address: Ipv4Addr::new(198, 51, 100, 77).into(), port: 40_001 };
    packet::frame(Around::Nothing, &packet::udp(from, to, payload))
}

/// The same flow's datagrams, both ways.
fn talk(number: u16, back: bool) -> Vec<u8> {
    let [a, b] = number.to_be_bytes();
    let client = End { address: Ipv4Addr::new(10, 88, a, b).into(), port: 50_000 };
    let server = End { address: Ipv4Addr::new(198, 51, 100, 88).into(), port: 50_001 };
    let (from, to) = if back { (server, client) } else { (client, server) };
    packet::frame(Around::Nothing, &packet::udp(from, to, &[0x11; 30]))
}

#[test]
fn a_flood_of_one_packet_flows_leaves_the_others_in_place() {
    const TALKS: u16 = 40;
    const FLOOD: u16 = 20_000;
    let mut traffic = Traffic::default();
    let mut now = 0;
    let mut push = |frame| {
        now += 1000;
        traffic.frames.push((now, frame));
    };
    for back in [false, true] {
        (0..TALKS).for_each(|number| push(talk(number, back)));
    }
    (0..FLOOD).for_each(|number| push(datagram(number, &[1; 20])));
    for back in [false, true] {
        (0..TALKS).for_each(|number| push(talk(number, back)));
    }
    let file = tempfile::NamedTempFile::new().unwrap();
    traffic.write(file.path()).unwrap();
    let source = format!("pcap:{}", file.path().display());
    let (flows, report) = seen::run(&source, &[("flow.capacity", 600.into())], |_| Ok(())).unwrap();
    assert!(report.balanced());
    assert!(report.books.get(Count::FlowsEvictedOnePacket) > u64::from(FLOOD) - 600);
    assert_eq!(report.books.get(Count::FlowsEvictedOldest), 0, "only the flood made room");
    let talks = flows.iter().filter(|((_, server, ..), _)| server.port == 50_001);
    let packets: Vec<[u64; 2]> = talks.map(|(_, flow)| flow.packets).collect();
    assert_eq!(packets, vec![[2, 2]; usize::from(TALKS)], "each is one flow, whole");
}
