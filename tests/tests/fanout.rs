//! Packet readers beside an engine see exactly the frames that the engine sees: the same bytes, the
//! same times, in the same order, from every kind of source.

#![expect(clippy::unwrap_used, reason = "a step that fails fails the test")]

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use toml::Value;
use weir_engine::books::Count;
use weir_engine::sys::clock;
use weir_shm::packets::{Judgement, PacketOptions, Share};
use weir_tests::cable::{Cable, FAR, NEAR};
use weir_tests::player;
use weir_tests::readers::{self, Act, Taken};
use weir_tests::traffic::{self, Traffic};

fn lease() -> PacketOptions {
    PacketOptions { lease: true, ..PacketOptions::default() }
}

fn window() -> PacketOptions {
    PacketOptions::default()
}

fn member() -> PacketOptions {
    PacketOptions { group: Some("ids".into()), ..lease() }
}

/// A capture of many more packets than a ring holds.
fn capture() -> (Traffic, tempfile::TempDir, String) {
    let mut traffic = traffic::mixed(1500, 11);
    let (time, _) = traffic.frames.last().cloned().unwrap();
    // Longer than a chunk of the packet memory: an interface takes these, in several buffers.
    for number in 0..40_u8 {
        let mut frame = vec![number; 2500];
        frame[..14].copy_from_slice(&[2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 2, 0x88, 0xb5]);
        traffic.frames.push((time + u64::from(number), frame));
    }
    // Too long for one, and empty.
    let long: Vec<u8> = (0..9000_u32).map(|at| at.to_le_bytes()[0]).collect();
    traffic.frames.push((time + 1000, long));
    traffic.frames.push((time + 2000, Vec::new()));
    let place = tempfile::tempdir().unwrap();
    let path = place.path().join("a.pcap");
    traffic.write(&path).unwrap();
    (traffic, place, format!("pcap:{}", path.display()))
}

fn ring(descriptors: i64) -> [(&'static str, Value); 2] {
    [
        ("export.packet_ring", Value::Integer(descriptors)),
        ("export.packet_leases", Value::Integer(descriptors / 2)),
    ]
}

fn is_the_capture(taken: &Taken, traffic: &Traffic) {
    assert_eq!((taken.missed, taken.died), (0, false));
    assert_eq!(taken.packets.len(), traffic.frames.len());
    for (got, (time_ns, frame)) in taken.packets.iter().zip(&traffic.frames) {
        assert_eq!((got.timestamp_ns, &got.bytes), (*time_ns, frame));
        assert_eq!(got.wire_bytes as usize, frame.len());
    }
}

#[test]
fn readers_of_a_file_get_the_file() {
    let (traffic, _place, source) = capture();
    let (taken, report) =
        readers::run(&source, &ring(1024), &[lease(), window(), lease()], || Ok(())).unwrap();
    assert!(report.balanced());
    for taken in &taken {
        is_the_capture(taken, &traffic);
    }
}

#[test]
fn readers_of_a_file_over_shards_get_the_file() {
    let (traffic, _place, source) = capture();
    let mut settings = ring(1024).to_vec();
    settings.push(("engine.shards", Value::Integer(3)));
    let (taken, report) =
        readers::run(&source, &settings, &[lease(), window()], || Ok(())).unwrap();
    assert!(report.balanced());
    let expected: BTreeSet<_> =
        traffic.frames.iter().map(|(time, frame)| (*time, frame.clone())).collect();
    for taken in &taken {
        assert_eq!((taken.missed, taken.packets.len()), (0, traffic.frames.len()));
        assert!(taken.packets.is_sorted_by_key(|got| got.timestamp_ns), "in time order");
        let got: BTreeSet<_> =
            taken.packets.iter().map(|got| (got.timestamp_ns, got.bytes.clone())).collect();
        assert_eq!(got, expected);
    }
}

#[test]
fn members_of_a_group_together_get_the_file_and_no_flow_is_split() {
    let (traffic, _place, source) = capture();
    for shards in [1, 2] {
        let mut settings = ring(2048).to_vec();
        settings.push(("engine.shards", Value::Integer(shards)));
        settings.push(("flow.timeouts", Value::Boolean(false)));
        let shares: Vec<_> = (0..3)
            .map(|member| PacketOptions { share: Some(Share { member, of: 3 }), ..lease() })
            .collect();
        for readers in [vec![member(), member()], shares] {
            let (taken, report) = readers::run(&source, &settings, &readers, || Ok(())).unwrap();
            assert!(report.balanced());
            let mut owner = BTreeMap::new();
            let mut all = Vec::new();
            for (index, taken) in taken.into_iter().enumerate() {
                assert_eq!(taken.missed, 0);
                assert!(taken.packets.len() > traffic.frames.len() / 10, "a fair part");
                for got in &taken.packets {
                    let first = *owner.entry(got.flow_id).or_insert(index);
                    assert_eq!(first, index, "flow {} was split", got.flow_id);
                }
                all.extend(taken.packets);
            }
            let mut got: Vec<_> =
                all.into_iter().map(|got| (got.timestamp_ns, got.bytes)).collect();
            let mut expected = traffic.frames.clone();
            got.sort();
            expected.sort();
            assert!(got == expected, "the union is the whole");
        }
    }
}

/// A group that wants no more of a flow gets no more of it; others do, and it stays counted.
#[test]
fn a_shunted_flow_is_left_out_for_its_group_alone() {
    let (traffic, _place, source) = capture();
    // The engine hears so much at a time and no more: what it did not hear is said again at the
    // flow's next packet.
    let shunt: Act = |reader, held| {
        reader.shunt(held).ok();
        Ok(())
    };
    let block: Act = |reader, held| {
        reader.judge(held, Judgement::Block).ok();
        Ok(())
    };
    let readers = [(member(), shunt), (lease(), block)];
    let (taken, report) = readers::run_with(&source, &ring(1024), &readers, || Ok(())).unwrap();
    assert!(report.balanced());
    let (group, alone) = (&taken[0], &taken[1]);
    let frames = traffic.frames.len() as u64;
    assert_eq!((alone.missed, alone.packets.len() as u64), (0, frames));
    assert_eq!(group.missed, 0);
    assert_eq!(group.counts.delivered + group.counts.shunted, frames);
    let shunted = group.counts.shunted;
    // It takes some turns for each flow, and on a busy machine many.
    assert!(shunted > 0, "of {frames} packets some were left out");
    let count = |count| report.books.get(count);
    assert!(count(Count::FlowsShunted) > 0 && count(Count::FlowsJudged) > 0);
    let expected: u64 = traffic.flows.iter().map(|flow| flow.packets[0] + flow.packets[1]).sum();
    let of_flows: u64 = report.apps.iter().map(|(_, total)| total.packets).sum();
    assert_eq!(of_flows, expected, "the flows are counted to their end");
}

/// Frames that an interface takes: no shorter than an Ethernet header.
fn playable(traffic: &Traffic) -> impl Iterator<Item = &[u8]> {
    let frames = traffic.frames.iter().map(|(_, frame)| frame.as_slice());
    frames.filter(|frame| (60..=2900).contains(&frame.len()))
}

fn readers_of_an_interface(test: &str, source: &str, shards: i64) {
    let Some(cable) = Cable::new(test).unwrap() else { return };
    let (traffic, _place, _) = capture();
    let mut settings = ring(4096).to_vec();
    settings.push(("engine.shards", Value::Integer(shards)));
    settings.push(("capture.split", Value::from("xdp")));
    settings.push(("capture.ignore_outgoing", Value::Boolean(true)));
    let source = format!("{source}:{NEAR}");
    let (taken, report) =
        readers::run(&source, &settings, &[lease(), window(), member(), member()], || {
            cable.enter()?;
            player::play(playable(&traffic), FAR, 8_000, 60)?;
            // What is on the cable arrives.
            clock::rest(Duration::from_millis(100));
            Ok(())
        })
        .unwrap();
    assert!(report.balanced(), "{report:?}");
    let expected: Vec<&[u8]> = playable(&traffic).collect();
    let bytes = |taken: &Taken| {
        let bytes = taken.packets.iter().map(|got| got.bytes.clone());
        bytes.collect::<Vec<_>>()
    };
    for taken in &taken[..2] {
        assert_eq!((taken.missed, taken.died), (0, false));
        let late = taken.packets.windows(2).filter(|two| two[0].timestamp_ns > two[1].timestamp_ns);
        let late = late.count();
        // A shard that is kept from its processor for long is not waited for.
        assert!(late == 0 || (shards > 1 && late < expected.len() / 100), "{late} out of order");
        if shards == 1 {
            assert!(bytes(taken) == expected, "the same frames in the same order");
        }
    }
    let sorted = |mut frames: Vec<Vec<u8>>| {
        frames.sort();
        frames
    };
    let whole = sorted(expected.iter().map(|frame| frame.to_vec()).collect());
    let both = [bytes(&taken[2]), bytes(&taken[3])].concat();
    for got in [bytes(&taken[0]), bytes(&taken[1]), both] {
        assert!(sorted(got) == whole, "the same frames");
    }
}

#[test]
fn readers_of_xdp_get_what_was_sent() {
    readers_of_an_interface("readers_of_xdp_get_what_was_sent", "xdp", 1);
}

#[test]
fn readers_of_xdp_over_shards_get_what_was_sent() {
    readers_of_an_interface("readers_of_xdp_over_shards_get_what_was_sent", "xdp", 2);
}

#[test]
fn readers_of_packet_get_what_was_sent() {
    readers_of_an_interface("readers_of_packet_get_what_was_sent", "packet", 1);
}
