//! The whole corpus through inspection: nothing panics, nothing is allocated, nothing leaks, and
//! recognition does not fall behind what it was.

use weir_dpi::{Inspector, Limits, Step};
use weir_tests::allocations::{self, Counting};
use weir_tests::corpus::{self, Capture, canonical};

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// Flows that the reference named by their content and that must get the same name from us, in
/// percent. Raise it when recognition gets better; never lower it without saying why.
const LEAST_EQUAL_PERCENT: usize = 93;

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
    let mut flows = std::collections::HashMap::new();
    for (name, file) in captures("names_do_not_fall_behind") {
        let mut inspector = Inspector::new(&Limits { flows: 4096, ..Limits::default() });
        for flow in Capture::new(&file).unwrap().inspect(&mut inspector) {
            flows.insert((name.clone(), flow.ends), canonical(&flow.verdict.to_string()));
        }
    }
    let rows = corpus::rows(&root).unwrap();
    let rows: Vec<_> = rows.iter().filter(|row| row.by_content()).collect();
    let equal = |row: &&&corpus::Row| {
        flows.get(&(row.capture.clone(), row.ends)) == Some(&canonical(&row.name))
    };
    let equal = rows.iter().filter(equal).count();
    let percent = 100 * equal / rows.len();
    assert!(percent >= LEAST_EQUAL_PERCENT, "{equal} of {} rows", rows.len());
}
