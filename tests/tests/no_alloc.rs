//! A shard's turn allocates nothing, from the first on: generated traffic and, where it is there,
//! the labelled corpus, with timeouts on so that timers and flow ends are part of it.

#![expect(clippy::unwrap_used, reason = "a step that fails fails the test")]

use std::path::Path;
use std::sync::Arc;

use weir_dpi::rules::{Compiler, RuleSet};
use weir_engine::books;
use weir_engine::capture::file::{Preloaded, PreloadedFrames};
use weir_engine::flow::table::FlowTable;
use weir_engine::flow::timeouts::{Network, Timeouts};
use weir_engine::hosts::{HostsPlan, Places};
use weir_engine::shard::{Depth, HISTOGRAMS, Shard, ShardPlan, Split, Turn};
use weir_shm::{ShardSpec, ShardWriter};
use weir_tests::allocations::{self, Counting};
use weir_tests::{corpus, traffic};

#[global_allocator]
static ALLOCATOR: Counting = Counting;

fn shard(frames: PreloadedFrames) -> Shard<Preloaded> {
    // Few, so that hosts, details and names give way, too.
    let local = Network::parse("10.0.0.0/8").into_iter().collect();
    let places = Places::new(local, Vec::new());
    let hosts = HostsPlan { capacity: 30, local_capacity: 4, names: 8, places };
    let shared = ShardWriter::create(&ShardSpec {
        shard: 0,
        label: "no_alloc",
        // Few, so that the table fills and evicts.
        flow_slots: FlowTable::slots_for(300),
        health: true,
        record_bytes: 1 << 20,
        arena_bytes: 1 << 16,
        counters: &books::DEFINITIONS,
        histograms: &HISTOGRAMS,
        packets: weir_shm::PacketSpec::default(),
        alerts: weir_shm::AlertSpec::default(),
        hosts: hosts.room(),
        huge_pages: false,
    })
    .unwrap();
    let inspection =
        weir_dpi::Limits { flows: 64, stream_buffers: 32, ..weir_dpi::Limits::default() };
    let plan = ShardPlan {
        shard: 0,
        split: Split::All,
        live: false,
        depth: Depth::Inspect,
        timeouts: Some(Timeouts { idle_ns: 20_000_000, ..Timeouts::default() }),
        secret: [1, 2, 3, 4],
        fragments: 16,
        inspection,
        alerts: Some(Arc::default()),
        shards: 1,
        hosts: Some(hosts),
        flows_from: 0,
    };
    Shard::new(Preloaded::new(Arc::new(frames), 1), plan, shared, None, None)
}

/// Rules and lists of every kind, of which some fit the traffic.
fn rules() -> Arc<RuleSet> {
    let mut compiler = Compiler::new();
    let text = "app Ours category Web\nhost *.example.org -> Ours\nurl /page* -> Ours\n\
        ja4 t13d1516h2_8daaf6152771_b186095e22b6 -> Ours\n\
        prefix 198.51.100.0/26 and port any/1-500 -> Ours\nport udp/1-65535 -> Ours\n\
        bytes any contains \"HTTP/1\" -> Ours\nbytes udp offset 0 hex 00 -> Ours\n\
        list names domains \"names\"\nlist ends addresses \"ends\"\n\
        list prints fingerprints \"prints\"\n";
    compiler.read("test.rules", text.as_bytes());
    let lists = ["com\ngithub.com\n", "10.0.0.0/8\n", "t13d1516h2_8daaf6152771_b186095e22b6\n"];
    for (number, list) in lists.into_iter().enumerate() {
        compiler.supply(number, Arc::new(list.as_bytes().to_vec()));
    }
    Arc::new(compiler.finish().unwrap().0)
}

/// The same with rules in force, which are exchanged now and then, and without.
fn run(path: &Path) -> u64 {
    run_with(path, None);
    run_with(path, Some(&rules()))
}

/// Turns until the end; each must allocate nothing.
fn run_with(path: &Path, rules: Option<&Arc<RuleSet>>) -> u64 {
    let mut shard = shard(PreloadedFrames::load(path).unwrap());
    let mut turns = 0;
    loop {
        if turns % 7 == 0 {
            let (before, allocated) = allocations::during(|| shard.set_rules(rules.cloned()));
            assert_eq!((allocated, before.is_some()), (0, turns > 0 && rules.is_some()));
        }
        let (turn, allocated) = allocations::during(|| shard.turn());
        assert_eq!(allocated, 0, "turn {turns} over {}", path.display());
        if turn == Turn::End {
            break;
        }
        turns += 1;
    }
    let ((), allocated) = allocations::during(|| shard.finish());
    assert_eq!(allocated, 0, "the end of {}", path.display());
    assert!(shard.books().balanced(), "{}: {:?}", path.display(), shard.books());
    turns
}

#[test]
fn a_turn_over_generated_traffic_allocates_nothing() {
    let (_, counted) = allocations::during(|| std::hint::black_box(vec![0_u8; 100]));
    assert!(counted > 0, "the allocator counts");
    let place = tempfile::tempdir().unwrap();
    let path = place.path().join("mixed.pcap");
    traffic::mixed(3000, 5).write(&path).unwrap();
    assert!(run(&path) > 100);
}

#[test]
fn a_turn_over_the_corpus_allocates_nothing() {
    let Some(root) = corpus::root() else {
        let test = "a_turn_over_the_corpus_allocates_nothing";
        return weir_tests::skipped(test, "the labelled corpus is not here");
    };
    let mut files = 0;
    for entry in std::fs::read_dir(root.join("pcap")).unwrap() {
        run(&entry.unwrap().path());
        files += 1;
    }
    assert!(files > 100);
}
