//! What `weir bench` measures with is the pipeline, whole: however frames are given to shards, and
//! whatever is played before the clock, nothing is lost or counted twice.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::sync::Arc;

use weir_engine::books::Count;
use weir_engine::capture::file::PreloadedFrames;
use weir_engine::config::{Config, Settings};
use weir_engine::measure::{self, Feed, Measured, Play};
use weir_engine::shard::Depth;
use weir_tests::traffic;

const COUNTS: [Count; 5] = [
    Count::Processed,
    Count::ProcessedBytes,
    Count::Parsed,
    Count::ParsedBytes,
    Count::FlowsCreated,
];

fn frames_and_config() -> (Arc<PreloadedFrames>, Config) {
    let file = tempfile::NamedTempFile::new().unwrap();
    traffic::mixed(800, 1).write(file.path()).unwrap();
    let frames = measure::preload(file.path()).unwrap();
    let mut settings = Settings::default();
    settings.set("flow.timeouts", false.into()).unwrap();
    settings.set("flow.capacity", 20_000.into()).unwrap();
    (frames, settings.into_config("measure", &["pcap:x".to_owned()]).unwrap())
}

fn play(feed: &Feed, config: &Config, shards: u16, warm_frames: u64) -> Vec<Measured> {
    let wanted = Play { depth: Depth::Inspect, shards, warm_frames, rules: None };
    let measured = measure::run(feed, config, &wanted).unwrap();
    assert_eq!(measured.len(), usize::from(shards));
    for shard in &measured {
        assert!(shard.books.balanced(), "{:?}", shard.books);
    }
    measured
}

fn all(measured: &[Measured]) -> Vec<u64> {
    let sum = |count: &Count| measured.iter().map(|shard| shard.counted(*count)).sum();
    COUNTS.iter().map(sum).collect()
}

#[test]
fn frames_given_by_flow_come_to_the_same_as_one_file_read_by_all() {
    let (frames, config) = frames_and_config();
    let one = all(&play(&Feed::Whole(Arc::clone(&frames)), &config, 1, 0));
    assert_eq!(one.first().copied(), u64::try_from(frames.frames()).ok());
    for shards in [2, 3] {
        let whole = play(&Feed::Whole(Arc::clone(&frames)), &config, shards, 0);
        let split = play(&Feed::split(&frames, &config, shards).unwrap(), &config, shards, 0);
        assert_eq!(all(&whole), one, "{shards} shards, one file");
        assert_eq!(all(&split), one, "{shards} shards, each given its own");
        assert!(split.iter().all(|shard| shard.books.get(Count::FlowsCreated) > 0), "all work");
    }
}

#[test]
fn frames_before_the_clock_are_counted_apart() {
    let (frames, config) = frames_and_config();
    let feed = Feed::Whole(frames);
    let one = play(&feed, &config, 1, 0);
    let warm = play(&feed, &config, 1, 500);
    let began = warm[0].began.get(Count::Processed);
    assert!((500..564).contains(&began), "to the next whole turn: {began}");
    for count in COUNTS {
        let (whole, before) = (one[0].counted(count), warm[0].began.get(count));
        assert_eq!(before + warm[0].counted(count), whole, "{count:?}");
    }
    let played = play(&feed, &config, 1, u64::MAX);
    assert_eq!(all(&played), [0; COUNTS.len()], "all of it before the clock");
}
