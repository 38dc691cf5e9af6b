//! The whole corpus through inspection: nothing panics, nothing is allocated, nothing leaks, and
//! recognition does not fall behind what it was.

use weir_dpi::{Inspector, Limits, Step};
use weir_tests::allocations::{self, Counting};
use weir_tests::corpus::{self, Capture, Report};

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// What must be the reference's, in percent of the rows that have it. Raise it when recognition gets
/// better; never lower it without saying why.
const LEAST_PERCENT: [(&str, usize); 5] = [
    ("names by content, but for spelling", 91),
    ("names by content", 93),
    ("host names", 94),
    ("JA4, as it is described", 98),
    ("categories", 87),
];
/// Flows without a name there that may have one here; each was looked at.
const MOST_FALSE_NAMES: usize = 17;

/// The capture files, or none with a word about it.
#[expect(clippy::unwrap_used, reason = "a test's helper: no capture, no test")]
fn captures(test: &str) -> Vec<(String, Vec<u8>)> {
    let Some(root) = corpus::root() else {
        eprintln!("SKIPPED {test}: no corpus beside the repository, and WEIR_CORPUS is not set");
        return Vec::new();
    };
    let mut found = Vec::new();
    for entry in std::fs::read_dir(root.join("pcap")).unwrap() {
        let entry = entry.unwrap();
        let name = entry.file_name().to_string_lossy().into_owned();
        found.push((name, std::fs::read(entry.path()).unwrap()));
    }
    assert!(!found.is_empty(), "the corpus has no captures");
    found
}

/// One inspector for all captures, as a shard's would be; with every limit small too, so that
/// each is reached.
#[test]
fn inspection_allocates_nothing_and_gives_everything_back() {
    let (_, allocations) = allocations::during(|| std::hint::black_box(vec![0u8; 100]));
    assert!(allocations > 0, "the allocator does not count");
    let files = captures("inspection_allocates_nothing_and_gives_everything_back");
    let tight = Limits {
        flows: 16,
        stream_buffers: 4,
        stream_bytes: 512,
        packets_tcp: 3,
        packets_udp: 2,
        dns_names: 4,
        ..Limits::default()
    };
    for limits in [Limits::default(), tight] {
        let mut inspector = Inspector::new(&limits);
        for (name, file) in &files {
            let capture = Capture::new(file).unwrap();
            capture.replay(
                &mut inspector,
                |inspector, slot, segment| {
                    let (step, allocations) = allocations::during(|| {
                        let step = inspector.inspect(slot, segment);
                        if let Step::Ended(_) = step {
                            inspector.release(slot);
                        }
                        step
                    });
                    assert_eq!(allocations, 0, "{name}");
                    matches!(step, Step::Ended(_))
                },
                |inspector, slot, protocol, client, server| {
                    let ((), allocations) = allocations::during(|| {
                        inspector.end(slot, protocol, client, server);
                        inspector.release(slot);
                    });
                    assert_eq!(allocations, 0, "{name}");
                },
            );
            assert_eq!(inspector.flows_in_progress(), 0, "{name}");
        }
        let counters = inspector.counters();
        assert_eq!(files.is_empty(), counters.packets_inspected == 0);
        if limits == tight && !files.is_empty() {
            assert!(counters.taken_away > 0 && counters.streams_exhausted > 0, "{counters:?}");
        }
    }
}

#[test]
fn names_do_not_fall_behind() {
    let Some(root) = corpus::root() else {
        eprintln!("SKIPPED names_do_not_fall_behind: no corpus");
        return;
    };
    let scored = corpus::score(&root, "").unwrap();
    assert_eq!(scored.unread, [], "every capture is read");
    let report = Report::new(&scored);
    let found = [
        report.content.levels[0].strict,
        report.content.levels[0].mapped,
        report.hosts,
        report.ja4_as_described,
        report.category_mapped,
    ];
    for (share, (what, least)) in found.into_iter().zip(LEAST_PERCENT) {
        assert!(100 * share.of >= least * share.all, "{what}: {share}");
    }
    assert!(report.unknown.of <= MOST_FALSE_NAMES, "{:?}", report.false_names);
}
