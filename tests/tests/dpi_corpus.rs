//! The whole corpus through inspection: nothing panics, nothing is allocated, nothing leaks, and
//! recognition does not fall behind what it was.

use weir_dpi::{Inspector, Limits, Step, attr, meta};
use weir_tests::allocations::{self, Counting};
use weir_tests::corpus::{self, Capture, Report};

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// What must be the reference's, in percent of the rows that have it. Raise it when recognition gets
/// better; never lower it without saying why.
const LEAST_PERCENT: [(&str, usize); 5] = [
    ("names by content, but for spelling", 93),
    ("names by content", 96),
    ("host names", 98),
    ("JA4, as it is described", 99),
    ("categories", 96),
];
/// Flows without a name there that may have one here; each was looked at.
const MOST_FALSE_NAMES: usize = 3;
/// The same of those whose name is right by its format, as `names.tsv` says.
const MOST_NAMED_RIGHTLY: usize = 20;

/// Of the flows of which the reference has a host name that tells something, those that must have
/// the same one, in percent; the same for client fingerprints.
const LEAST_HOSTS_PERCENT: usize = 97;
const LEAST_FINGERPRINTS_PERCENT: usize = 98;

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
    assert!(report.named_rightly <= MOST_NAMED_RIGHTLY, "{}", report.named_rightly);
}

#[test]
fn host_names_and_fingerprints_do_not_fall_behind() {
    let Some(root) = corpus::root() else {
        eprintln!("SKIPPED host_names_and_fingerprints_do_not_fall_behind: no corpus");
        return;
    };
    let mut flows = std::collections::HashMap::new();
    for (name, file) in captures("host_names_and_fingerprints_do_not_fall_behind") {
        let mut inspector = Inspector::new(&Limits { flows: 4096, ..Limits::default() });
        for flow in Capture::new(&file).unwrap().inspect(&mut inspector) {
            flows.insert((name.clone(), flow.ends), flow.meta);
        }
    }
    let value = |row: &corpus::Row, attributes: &[&attr::Attr]| {
        let found = flows.get(&(row.capture.clone(), row.ends)).map_or(&[][..], Vec::as_slice);
        let mut found = meta::decode(found);
        let value = found.find(|(id, _)| attributes.iter().any(|attr| attr.id == *id));
        String::from_utf8_lossy(value.map_or(&[][..], |(_, value)| value)).into_owned()
    };
    let rows = corpus::rows(&root).unwrap();
    // The host of a search by SSDP is the group that it is sent to.
    let told = |row: &&corpus::Row| !row.host.is_empty() && !row.host.ends_with(":1900");
    let hosts: Vec<_> = rows.iter().filter(told).collect();
    let equal = hosts.iter().filter(|row| value(row, &[&attr::HOST_NAME]) == row.host).count();
    assert!(100 * equal >= LEAST_HOSTS_PERCENT * hosts.len(), "{equal} of {}", hosts.len());
    let prints: Vec<_> = rows.iter().filter(|row| !row.ja4.is_empty()).collect();
    let names = [&attr::TLS_JA4, &attr::DTLS_JA4, &attr::QUIC_JA4];
    let equal = prints.iter().filter(|row| judged(&value(row, &names)) == judged(&row.ja4)).count();
    assert!(
        100 * equal >= LEAST_FINGERPRINTS_PERCENT * prints.len(),
        "{equal} of {}",
        prints.len()
    );
}

/// A fingerprint without the parts in which the reference did not follow the published form at
/// that time: whether there is a name, the ends of the protocol's name, the hash of no extensions.
fn judged(print: &str) -> Option<[&str; 4]> {
    let mut hashes = print.get(11..)?.split('_');
    let (ciphers, kinds) = (hashes.next()?, hashes.next()?);
    let kinds = if kinds == "e3b0c44298fc" { "000000000000" } else { kinds };
    Some([print.get(..3)?, print.get(4..8)?, ciphers, kinds])
}
