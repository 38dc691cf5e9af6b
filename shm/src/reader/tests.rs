//! Segments with any words damaged, and versions of the format.

use super::*;
use crate::{
    ControlSpec, ControlWriter, ShardSpec, ShardWriter,
    counters::CounterDef,
    histogram::HistogramDef,
    hosts::HostsSpec,
    layout::FORMAT_VERSION,
    records::{EndReason, Record, RecordKind},
    segment::{ReadMap, WriteMap, WriteWords},
    sync::Ordering,
    writer::SegmentFd,
};
use proptest::prelude::*;

const COUNTERS: &[CounterDef] = &[
    CounterDef { name: "one", unit: Unit::Count, role: Role::Info, help: "The first." },
    CounterDef { name: "two", unit: Unit::Bytes, role: Role::Drop, help: "The second." },
];
const HISTOGRAMS: &[HistogramDef] =
    &[HistogramDef { name: "turn", unit: Unit::Nanoseconds, help: "Length of a turn." }];

/// The words of a small shard's segment, with a flow and a record in it.
fn shard_image() -> Vec<u64> {
    let mut shard = ShardWriter::create(&ShardSpec {
        shard: 3,
        label: "the label",
        flow_slots: 10,
        health: true,
        record_bytes: 32768,
        arena_bytes: 2048,
        counters: COUNTERS,
        histograms: HISTOGRAMS,
        packets: crate::PacketSpec::default(),
        alerts: crate::AlertSpec::default(),
        hosts: HostsSpec::NONE,
        huge_pages: false,
    })
    .unwrap();
    let meta = shard.arena.store(b"metadata").unwrap();
    let slot = &shard.flows[0];
    slot.begin();
    slot.set_meta_ref(meta);
    slot.store(WORD_FLOW_ID, 1);
    slot.commit();
    let flow = slot.snapshot().unwrap();
    shard.records.push(RecordKind::Started, EndReason::None, 1, &flow, &[], b"metadata");
    image(&shard.export())
}

fn control_image() -> Vec<u64> {
    let control = ControlWriter::create(&ControlSpec {
        name: "name",
        engine_version: "1",
        sources: &["pcap:x".to_owned()],
        shards: 1,
        queue_labels: &["queue".to_owned()],
        queue_counters: COUNTERS,
        settings: &[],
    });
    image(&control.unwrap().export())
}

fn image(segment: &SegmentFd) -> Vec<u64> {
    let fd = segment.as_fd().try_clone_to_owned().unwrap();
    let map = ReadMap::open(&fd, "image", segment.bytes() as u64).unwrap();
    let words = map.words(0, map.bytes() / WORD).unwrap();
    (0..words.len()).map(|index| words.load(index)).collect()
}

/// A segment made of these words, opened like a received one.
fn reopen(image: &[u64]) -> Result<Opened, Error> {
    let map = WriteMap::create("weir test", image.len() * WORD, false).unwrap();
    let words: WriteWords = map.section(0, image.len());
    for (word, value) in words.iter().zip(image) {
        word.store(*value, Ordering::Relaxed);
    }
    let fd = map.as_fd().try_clone_to_owned().unwrap();
    Opened::new(ReadMap::open(&fd, "test", map.bytes() as u64)?, "test")
}

/// Reads all there is to read. Returns how many flows were read, so that nothing is left out.
fn read_all(segment: &Opened) -> Result<usize, Error> {
    read_info(segment, Path::new("/x")).ok();
    if let Ok(queues) = read_queues(segment) {
        assert!(queues.iter().all(|queue| queue.counters().count() <= 16384));
    }
    let shard = ShardReader::new(segment)?;
    let mut view = FlowView::default();
    let flows = (0..shard.flow_slots().min(1000))
        .filter(|&index| shard.read_flow(index, &mut view) == FlowRead::Flow)
        .count();
    drop((shard.counters(), shard.label().len()));
    for histogram in shard.histograms() {
        histogram.values.percentile(0.99);
    }
    let (mut records, mut record) = (shard.records(StartAt::Oldest), Record::default());
    for _ in 0..100 {
        records.next(&mut record);
    }
    let (mut alerts, mut alert) = (shard.alerts(StartAt::Oldest), crate::alerts::Alert::default());
    for _ in 0..100 {
        alerts.next(&mut alert);
    }
    alerts.active(|_| {});
    Ok(flows)
}

#[test]
fn an_untouched_image_opens() {
    let shard = reopen(&shard_image()).unwrap();
    assert_eq!(
        (shard.kind, shard.shard, shard.label().as_str()),
        (SegmentKind::Shard, 3, "the label")
    );
    assert_eq!(read_all(&shard).unwrap(), 1);
    let control = reopen(&control_image()).unwrap();
    let info = read_info(&control, Path::new("/x")).unwrap();
    assert_eq!((info.name.as_str(), info.sources), ("name", vec!["pcap:x".to_owned()]));
    assert_eq!(read_queues(&control).unwrap()[0].label(), "queue");
}

#[test]
fn wrong_magic_version_kind_and_size_are_told() {
    let good = shard_image();
    let say = |index: usize, value: u64| {
        let mut image = good.clone();
        image[index] = value;
        reopen(&image).unwrap_err().to_string()
    };
    assert!(say(0, 0).contains("magic"));
    let newer = say(1, good[1] + 1);
    let versions =
        format!("format {} and this program format {FORMAT_VERSION}", FORMAT_VERSION + 1);
    assert!(newer.contains(&versions), "{newer}");
    assert!(newer.contains("update this program"), "{newer}");
    let older = say(1, good[1] - u64::from(FORMAT_VERSION));
    assert!(older.contains("restart the engine"), "{older}");
    assert!(say(1, good[1] | 9 << 32).contains("kind"));
    assert!(say(2, good[2] + 4096).contains("truncated"));
    assert!(say(3, u64::MAX).contains("shard number"));
    assert!(say(3, 1000).contains("too many sections"));
    assert!(say(16 + 1, 1 << 40).contains("outside"));
    assert!(reopen(&good[..512]).unwrap_err().to_string().contains("truncated"));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(500))]

    /// Whatever words of a segment are wrong, reading it ends, in an error or in nonsense.
    #[test]
    fn damaged_segments_are_survived(
        control in any::<bool>(),
        damage in prop::collection::vec(
            (0_usize..700, prop_oneof![
                any::<u64>(),
                0_u64..1 << 20,
                (0_u64..64, any::<u32>()).prop_map(|(low, high)| u64::from(high) << 32 | low),
            ]),
            1..6,
        ),
        header in any::<bool>(),
    ) {
        let mut image = if control { control_image() } else { shard_image() };
        let words = if header { 16 + 9 * 4 } else { image.len() };
        for (index, value) in damage {
            // The first words are checked by name above; here the table and what follows.
            let index = 2 + index % (words - 2);
            image[index] = value;
        }
        if let Ok(segment) = reopen(&image) {
            drop(read_all(&segment));
        }
    }
}
