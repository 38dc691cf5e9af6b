//! Generated traffic, whose flows are known, through the whole engine: from a file, over one to
//! three shards, and from files that are cut.

#![expect(clippy::unwrap_used, reason = "a step that fails fails the test")]

use toml::Value;
use weir_tests::seen::{self, Flows};
use weir_tests::traffic;

fn flows_of(path: &std::path::Path, shards: i64) -> (Flows, weir_engine::engine::Report) {
    let source = format!("pcap:{}", path.display());
    seen::run(&source, &[("engine.shards", Value::Integer(shards))], |_| Ok(())).unwrap()
}

#[test]
fn every_flow_of_a_file_is_as_generated_over_any_number_of_shards() {
    let traffic = traffic::mixed(3000, 1);
    let place = tempfile::tempdir().unwrap();
    let path = place.path().join("mixed.pcap");
    traffic.write(&path).unwrap();
    let expected = seen::expected(&traffic.flows);
    for shards in 1..=3 {
        let (flows, report) = flows_of(&path, shards);
        assert!(report.balanced(), "{report:?}");
        assert_eq!(report.books.dropped(), traffic.no_flow, "{shards} shards");
        assert_eq!(report.queues[0].1.wire, traffic.frames.len() as u64);
        for (key, seen) in &expected {
            assert_eq!(flows.get(key), Some(seen), "{key:?}, {shards} shards");
        }
        assert_eq!(flows.len(), expected.len(), "{shards} shards");
    }
}

#[test]
fn a_file_that_is_cut_gives_what_is_before_the_cut() {
    let traffic = traffic::mixed(200, 2);
    let place = tempfile::tempdir().unwrap();
    let path = place.path().join("whole.pcap");
    traffic.write(&path).unwrap();
    let whole = std::fs::read(&path).unwrap();
    let cut = place.path().join("cut.pcap");
    for part in 1..40 {
        let length = 24 + (whole.len() - 24) * part / 40 + part % 7;
        std::fs::write(&cut, &whole[..length]).unwrap();
        let (_, report) = flows_of(&cut, 2);
        assert!(report.balanced(), "cut at {length}");
        let held = report.queues[0].1.wire;
        assert!(held > 0 && held < traffic.frames.len() as u64, "cut at {length}: {held}");
        let ends: usize = 24
            + traffic
                .frames
                .iter()
                .take(held.try_into().unwrap())
                .map(|(_, frame)| 16 + frame.len())
                .sum::<usize>();
        let trouble = report.shards.iter().any(|shard| shard.trouble.is_some());
        assert_eq!(trouble, ends != length, "cut at {length}");
    }
}

/// A multiplier of random bits, as good as a test needs.
fn next(random: &mut u64) -> usize {
    *random =
        random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
    usize::try_from(*random >> 33).unwrap()
}

/// Bytes written over within frames leave the frames where they are: each is still read, and
/// becomes part of a flow or is dropped by name.
#[test]
fn frames_that_were_written_over_are_each_accounted_for() {
    let mut random = 5;
    let place = tempfile::tempdir().unwrap();
    let path = place.path().join("damaged.pcap");
    for seed in 0..6 {
        let mut traffic = traffic::mixed(300, seed);
        for (_, frame) in &mut traffic.frames {
            for _ in 0..next(&mut random) % 4 {
                let at = next(&mut random) % frame.len();
                frame[at] = next(&mut random).to_le_bytes()[0];
            }
        }
        traffic.write(&path).unwrap();
        let (flows, report) = flows_of(&path, 2);
        assert!(report.balanced(), "{report:?}");
        assert_eq!(report.queues[0].1.wire, traffic.frames.len() as u64);
        assert!(report.shards.iter().all(|shard| shard.trouble.is_none()), "{report:?}");
        let packets: u64 = flows.values().flat_map(|seen| seen.packets).sum();
        let read = traffic.frames.len() as u64;
        assert_eq!(packets + report.books.dropped(), read, "in a flow, or dropped by name");
        assert!(report.books.dropped() > traffic.no_flow, "the damage reached headers");
    }
}

/// Bytes written over anywhere, record headers included: what can still be read is accounted for,
/// and what cannot is named.
#[test]
fn a_damaged_file_never_unbalances_the_books() {
    let traffic = traffic::mixed(150, 9);
    let place = tempfile::tempdir().unwrap();
    let path = place.path().join("damaged.pcap");
    traffic.write(&path).unwrap();
    let whole = std::fs::read(&path).unwrap();
    let mut random = 11;
    let mut troubled = 0;
    for _ in 0..40 {
        let mut damaged = whole.clone();
        // The file's own header stays, or there would be nothing to run.
        for _ in 0..200 {
            let at = 24 + next(&mut random) % (damaged.len() - 24);
            damaged[at] = next(&mut random).to_le_bytes()[0];
        }
        std::fs::write(&path, &damaged).unwrap();
        let (flows, report) = flows_of(&path, 1);
        assert!(report.balanced(), "{report:?}");
        let held = report.queues[0].1.wire;
        let packets: u64 = flows.values().flat_map(|seen| seen.packets).sum();
        assert_eq!(packets + report.books.dropped(), held, "in a flow, or dropped by name");
        let trouble = report.shards.iter().any(|shard| shard.trouble.is_some());
        // With fewer frames than were written, reading stopped somewhere: that must be said.
        assert!(trouble || held >= traffic.frames.len() as u64, "{held} frames and no trouble");
        troubled += u32::from(trouble);
    }
    assert!(troubled > 20, "record headers were reached: {troubled} of 40 files");
}

/// The same seed gives the same frames, another seed others, and every kind of conversation that
/// the generator knows is among some hundred.
#[test]
fn traffic_is_the_same_for_the_same_seed() {
    let one = traffic::mixed(400, 7);
    assert_eq!(one.frames, traffic::mixed(400, 7).frames);
    assert_ne!(one.frames, traffic::mixed(400, 8).frames);
    let apps: std::collections::BTreeSet<_> = one.flows.iter().map(|flow| flow.app).collect();
    let tunnels: std::collections::BTreeSet<_> = one.flows.iter().map(|flow| flow.tunnel).collect();
    assert!(apps.len() >= 30, "{apps:?}");
    assert_eq!(tunnels.len(), 4, "{tunnels:?}");
    let frames: u64 = one.flows.iter().flat_map(|flow| flow.packets).sum();
    assert_eq!(frames + one.no_flow, one.frames.len() as u64, "each frame is in a flow or in none");
}
