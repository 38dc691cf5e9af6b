//! Our flows are the reference's: the labelled captures, parsed and grouped by key, give the flows,
//! packets and bytes a direction that `expected.tsv` lists.
//!
//! The captures are not part of this repository. They are looked for at `../shared/corpus/ndpi`
//! next to it, or where `WEIR_CORPUS` says; without them the tests say `SKIPPED`.
#![expect(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

use std::collections::HashMap;
use std::net::{IpAddr, Ipv6Addr};
use std::path::Path;

use weir_engine::books::Count;
use weir_engine::capture::file::FileSource;
use weir_engine::capture::{Batch, Received, Source};
use weir_engine::wire::{Fragment, Fragments, Parsed, Reason, parse};
use weir_tests::{corpus, seen, skipped};

/// What the reference knows a flow by: protocol, both ends in order, VLAN.
type Key = (u8, (Ipv6Addr, u16), (Ipv6Addr, u16), u16);

/// Packets and bytes: of the sender of the first packet, then of the other end.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
struct Counts {
    packets: [u64; 2],
    bytes: [u64; 2],
}

#[derive(Clone, Copy, Debug)]
struct Flow {
    source: (Ipv6Addr, u16),
    /// Without later fragments, which the reference leaves out.
    counts: Counts,
    with_fragments: Counts,
    /// Bytes that the capture left out of this flow's frames.
    cut: bool,
    tunnel: &'static str,
}

#[derive(Debug, Default)]
struct Capture {
    flows: HashMap<Key, Flow>,
    frames: u64,
    parsed: u64,
    dropped: HashMap<Reason, u64>,
    problem: Option<String>,
}

fn read(path: &Path) -> Capture {
    let mut capture = Capture::default();
    let mut source = match FileSource::open(path) {
        Ok(source) => source,
        Err(error) => {
            capture.problem = Some(error.to_string());
            return capture;
        }
    };
    let mut fragments = Fragments::new(1024, [1, 2, 3, 4]);
    let (mut batch, mut parsed) = (Batch::default(), Parsed::default());
    while source.receive(&mut batch) == Received::Frames {
        let now_ns = source.now_ns();
        for frame in batch.as_slice() {
            capture.frames += 1;
            let bytes = source.bytes(frame);
            assert_eq!(bytes.len(), frame.captured_bytes as usize, "a frame is all there");
            let outcome = parse(frame.link, frame.vlan, bytes, frame.wire_bytes, &mut parsed)
                .and_then(|()| fragments.follow(bytes, &mut parsed, now_ns));
            match outcome {
                Ok(()) => {
                    capture.parsed += 1;
                    let cut = frame.captured_bytes < frame.wire_bytes;
                    count(&mut capture.flows, &parsed, u64::from(frame.captured_bytes), cut);
                }
                Err(reason) => *capture.dropped.entry(reason).or_default() += 1,
            }
        }
        source.release(&batch);
        batch.clear();
    }
    capture.problem = source.problem().map(ToString::to_string);
    capture
}

fn count(flows: &mut HashMap<Key, Flow>, parsed: &Parsed, bytes: u64, cut: bool) {
    let key = parsed.key;
    let low = (Ipv6Addr::from(key.address_lo()), key.port_lo());
    let high = (Ipv6Addr::from(key.address_hi()), key.port_hi());
    let sender = if parsed.swapped { high } else { low };
    let flow = flows.entry((key.protocol(), low, high, key.vlan())).or_insert(Flow {
        source: sender,
        counts: Counts::default(),
        with_fragments: Counts::default(),
        cut: false,
        tunnel: key.tunnel().name(),
    });
    let direction = usize::from(sender != flow.source);
    flow.with_fragments.packets[direction] += 1;
    flow.with_fragments.bytes[direction] += bytes;
    flow.cut |= cut;
    if parsed.fragment != Fragment::Later {
        flow.counts.packets[direction] += 1;
        flow.counts.bytes[direction] += bytes;
    }
}

struct Row {
    key: Key,
    source: (Ipv6Addr, u16),
    counts: Counts,
    tunnel: String,
}

fn expected(root: &Path) -> Vec<(String, Vec<Row>)> {
    let text = std::fs::read_to_string(root.join("expected.tsv")).unwrap();
    let mut captures: Vec<(String, Vec<Row>)> = Vec::new();
    for line in text.lines().skip(1) {
        let cells: Vec<&str> = line.split('\t').collect();
        let number = |index: usize| cells[index].parse::<u64>().unwrap();
        let port = |index: usize| cells[index].parse::<u16>().unwrap();
        let vlan = if cells[6].is_empty() { 0 } else { cells[6].parse().unwrap() };
        let source = (corpus::address(cells[1]).unwrap(), port(2));
        let destination = (corpus::address(cells[3]).unwrap(), port(4));
        let (low, high) = (source.min(destination), source.max(destination));
        let row = Row {
            key: (corpus::protocol(cells[5]).unwrap(), low, high, vlan),
            source,
            counts: Counts { packets: [number(9), number(11)], bytes: [number(10), number(12)] },
            tunnel: cells[16].to_owned(),
        };
        match captures.last_mut() {
            Some((name, rows)) if name == cells[0] => rows.push(row),
            _ => captures.push((cells[0].to_owned(), vec![row])),
        }
    }
    captures
}

/// Why a flow may differ from the reference's; none is a mistake of ours.
fn explanation(row: Option<&Row>, flow: Option<&Flow>, capture: &Capture) -> Option<&'static str> {
    let packets = |counts: &Counts| counts.packets.iter().sum::<u64>();
    let theirs = row.map_or(0, |row| packets(&row.counts));
    let ours = flow.map_or(0, |flow| packets(&flow.counts));
    let dropped = |reason| capture.dropped.get(&reason).copied().unwrap_or(0);
    let bad_tcp = dropped(Reason::TcpTruncated) + dropped(Reason::TcpBadHeader);
    let is_tcp = row.is_some_and(|row| row.key.0 == 6);
    if ours > theirs && flow.is_some_and(|flow| flow.cut) {
        return Some("the capture cut frames short: the reference leaves those out");
    }
    if is_tcp && theirs > ours && theirs - ours <= bad_tcp {
        return Some("a TCP header that is none: the reference counts it, we drop it by name");
    }
    if flow.is_some_and(|flow| packets(&flow.counts) == 0) {
        return Some("later fragments alone");
    }
    None
}

#[derive(Debug, Default)]
struct Score {
    rows: usize,
    equal: usize,
    extra: usize,
    with_fragments: usize,
    tunnels: usize,
    tunnels_differ: usize,
    unexplained: usize,
}

impl Score {
    fn differs(&mut self, name: &str, row: Option<&Row>, flow: Option<&Flow>, capture: &Capture) {
        let key = row.map(|row| row.key);
        let theirs = row.map(|row| row.counts);
        let ours = flow.map(|flow| flow.counts);
        let why = explanation(row, flow, capture).unwrap_or_else(|| {
            self.unexplained += 1;
            "NOT EXPLAINED"
        });
        eprintln!("{name}: {why}: {key:?} theirs {theirs:?} ours {ours:?} {flow:?}");
    }

    /// The reference names some kinds of tunnel; there ours must be the same.
    fn tunnels(&mut self, name: &str, row: &Row, flow: &Flow) {
        let ours = match row.tunnel.as_str() {
            "" => return,
            "GTP" => "gtp-u",
            "VXLAN" => "vxlan",
            "GRE" => "gre",
            other => panic!("{name}: tunnel {other} is not known"),
        };
        if flow.tunnel == ours {
            self.tunnels += 1;
        } else {
            self.tunnels_differ += 1;
            eprintln!("{name}: tunnel {} here, {} there: {:?}", flow.tunnel, row.tunnel, row.key);
        }
    }

    fn capture(&mut self, name: &str, rows: &[Row], capture: &mut Capture) {
        for row in rows {
            self.rows += 1;
            let flow = capture.flows.remove(&row.key);
            match &flow {
                Some(flow) if flow.counts == row.counts && flow.source == row.source => {
                    self.equal += 1;
                    self.tunnels(name, row, flow);
                    self.with_fragments += usize::from(flow.with_fragments != flow.counts);
                }
                flow => self.differs(name, Some(row), flow.as_ref(), capture),
            }
        }
        for flow in capture.flows.values() {
            self.extra += 1;
            self.differs(name, None, Some(flow), capture);
        }
    }
}

#[test]
fn flows_packets_and_bytes_are_the_references() {
    let Some(root) = corpus::root() else {
        return skipped("flows_packets_and_bytes_are_the_references", "no labelled captures");
    };
    let mut score = Score::default();
    for (name, rows) in expected(&root) {
        if name.starts_with("fuzz") || name.starts_with("ossfuzz") {
            continue;
        }
        let mut capture = read(&root.join("pcap").join(&name));
        assert_eq!(capture.problem, None, "{name} is whole");
        score.capture(&name, &rows, &mut capture);
    }
    eprintln!("{score:?} (with_fragments: equal, and later fragments besides)");
    assert!(score.rows > 4000, "the captures are there");
    assert!(score.equal * 100 >= score.rows * 99, "99 % of the flows are equal");
    assert_eq!(score.tunnels_differ, 0, "tunnels are of the kind that the reference names");
    assert_eq!(score.unexplained, 0, "each difference is explained");
}

#[test]
fn the_books_balance_on_every_capture() {
    let Some(root) = corpus::root() else {
        return skipped("the_books_balance_on_every_capture", "no labelled captures");
    };
    let mut frames = 0;
    for entry in std::fs::read_dir(root.join("pcap")).unwrap() {
        let path = entry.unwrap().path();
        let capture = read(&path);
        let dropped: u64 = capture.dropped.values().sum();
        let flows = capture.flows.values();
        let packets: u64 = flows.flat_map(|flow| flow.with_fragments.packets).sum();
        let name = path.display();
        assert_eq!(capture.frames, capture.parsed + dropped, "{name}: parsed or dropped by name");
        assert_eq!(capture.parsed, packets, "{name}: each parsed frame is in one flow");
        if let Some(problem) = capture.problem {
            eprintln!("{problem}");
        }
        frames += capture.frames;
    }
    assert!(frames > 80_000, "the captures were read");
}

/// The engine as a whole, against the plain grouping above: the same flows on every capture, fuzz
/// input included, and balanced books.
#[test]
fn the_engine_gives_the_flows_that_plain_grouping_gives() {
    let Some(root) = corpus::root() else {
        let test = "the_engine_gives_the_flows_that_plain_grouping_gives";
        return skipped(test, "no labelled corpus");
    };
    let small: Vec<(&str, toml::Value)> = vec![
        ("flow.capacity", 20_000.into()),
        ("flow.fragments", 1024.into()),
        ("inspect.flows", 1024.into()),
        ("inspect.stream_buffers", 256.into()),
        ("export.record_ring_bytes", (1 << 20).into()),
        ("export.arena_bytes", (1 << 21).into()),
    ];
    let (mut captures, mut flows) = (0, 0);
    for entry in std::fs::read_dir(root.join("pcap")).unwrap() {
        let path = entry.unwrap().path();
        let plain = read(&path);
        let source = format!("pcap:{}", path.display());
        let Ok((found, report)) = seen::run(&source, &small, |_| Ok(())) else {
            assert!(plain.frames == 0, "{}: the engine does not open it", path.display());
            continue;
        };
        assert!(report.balanced(), "{}", path.display());
        assert_eq!(report.books.get(Count::Processed), plain.frames, "{}", path.display());
        assert_eq!(report.books.get(Count::Parsed), plain.parsed, "{}", path.display());
        let mut grouped: HashMap<Key, Counts> = HashMap::new();
        for ((client, server, protocol, vlan, _), seen) in &found {
            let ends = [*client, *server].map(|end| (mapped(end.address), end.port));
            let (low, high) = (ends[0].min(ends[1]), ends[0].max(ends[1]));
            let key = (*protocol, low, high, *vlan);
            // The reference does not tell tunnels apart: what differs in that alone is one flow.
            let counts = grouped.entry(key).or_default();
            let first = plain.flows.get(&key).map_or(ends[0], |flow| flow.source);
            for (direction, end) in ends.iter().enumerate() {
                let slot = usize::from(*end != first || (ends[0] == ends[1] && direction == 1));
                counts.packets[slot] += seen.packets[direction];
                counts.bytes[slot] += seen.bytes[direction];
            }
        }
        assert_eq!(grouped.len(), plain.flows.len(), "{}", path.display());
        for (key, flow) in &plain.flows {
            let counts = grouped.get(key).unwrap_or_else(|| panic!("{}: {key:?}", path.display()));
            assert_eq!(counts.packets, flow.with_fragments.packets, "{}: {key:?}", path.display());
            if !flow.cut {
                assert_eq!(counts.bytes, flow.with_fragments.bytes, "{}: {key:?}", path.display());
            }
            flows += 1;
        }
        captures += 1;
    }
    println!("{captures} captures, {flows} flows");
    assert!(captures > 300 && flows > 4000);
}

fn mapped(address: IpAddr) -> Ipv6Addr {
    match address {
        IpAddr::V4(v4) => v4.to_ipv6_mapped(),
        IpAddr::V6(v6) => v6,
    }
}
