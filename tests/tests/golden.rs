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
