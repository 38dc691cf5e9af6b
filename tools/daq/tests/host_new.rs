//! The module under a host of our own that has a libdaq of today: from loading to unloading, as
//! Snort does it.

#![expect(clippy::unwrap_used, reason = "helpers fail like the test")]

mod host;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, OnceLock};
use std::thread;
use std::time::Duration;

use daq_weir::abi::{
    MODULE_API_VERSION, capability, kind, mode, packet_flag, result, status, verdict,
};
use host::engine::{Engine, SLOTS, frame, number_of, rest, time_ns};
use host::{Config, Daq, Module, Packet};
use weir_shm::What;

/// libdaq 3.0.25.
#[unsafe(no_mangle)]
#[expect(unsafe_code, reason = "the module looks for this name")]
extern "C" fn daq_version_number() -> u32 {
    0x0300_1900
}

#[used]
static KEPT: extern "C" fn() -> u32 = daq_version_number;

fn module() -> &'static Module {
    static MODULE: OnceLock<Module> = OnceLock::new();
    MODULE.get_or_init(|| {
        let module = Module::find();
        module.load();
        module
    })
}

/// An instance that was started, or the test fails with its words.
fn started(config: Config) -> Daq<'static> {
    let daq = module().instantiate(config).unwrap();
    assert_eq!(daq.start(), result::SUCCESS, "{}", daq.error());
    daq
}

/// Receives until so many came.
fn receive(daq: &Daq<'_>, count: usize, batch: u32) -> Vec<Packet> {
    let mut packets = Vec::new();
    while packets.len() < count {
        let (more, state) = daq.receive(batch);
        assert!(matches!(state, status::OK | status::WOULD_BLOCK), "{state}: {}", daq.error());
        packets.extend(more);
    }
    packets
}

/// Whether the bytes are in a file of memory that this process can only read, as an engine's are.
fn is_shared(bytes: &[u8]) -> bool {
    static MAPS: OnceLock<Mutex<String>> = OnceLock::new();
    let read = || std::fs::read_to_string("/proc/self/maps").unwrap();
    let at = bytes.as_ptr().addr();
    let is_in = |maps: &str| {
        maps.lines().filter(|line| line.contains(" r--s ") && line.contains("memfd:")).any(|line| {
            let (from, to) = line.split(' ').next().unwrap().split_once('-').unwrap();
            let bound = |text| usize::from_str_radix(text, 16).unwrap();
            (bound(from)..bound(to)).contains(&at)
        })
    };
    let mut maps = MAPS.get_or_init(|| Mutex::new(read())).lock().unwrap();
    if !is_in(&maps) {
        *maps = read();
    }
    is_in(&maps)
}

fn numbers(packets: &[Packet]) -> Vec<u64> {
    packets.iter().map(|packet| number_of(packet.data())).collect()
}

#[test]
fn the_table_is_what_libdaq_expects() {
    let module = module();
    let api = module.api();
    assert_eq!((api.api_version, api.api_size), (MODULE_API_VERSION, 216));
    assert_eq!(module.name(), "weir");
    assert_eq!(api.kind, kind::INTERFACE | kind::MULTI_INSTANCE);
    assert!(api.inject.is_none() && api.inject_relative.is_none() && api.ioctl.is_none());
    let variables = module.variables();
    let names: Vec<_> = variables.iter().map(|(name, _, flags)| (name.as_str(), *flags)).collect();
    assert_eq!(names, [("group", 1), ("mode", 1), ("advise", 2), ("debug", 2)]);
    assert!(variables.iter().all(|(_, help, _)| help.len() > 20));
}

#[test]
fn packets_are_lent_in_place_and_come_back_in_order() {
    let engine = Engine::start(1);
    let daq = started(Config::of(&engine));
    assert_eq!((daq.snap_bytes(), daq.data_link()), (1518, 1));
    let pool = daq.pool();
    assert_eq!((pool.size, pool.available), (256, 256));
    assert!(pool.memory_bytes >= 256 * 168);
    // Twenty times the ring, in batches, each let go of in order before the next.
    let mut next = 0;
    for round in 0..20 * u64::from(SLOTS) / 64 {
        engine.push(round * 64..(round + 1) * 64, 10);
        let packets = receive(&daq, 64, 64);
        for packet in &packets {
            let flow = next % 10 + 1;
            assert_eq!(packet.data(), frame(next, flow));
            let (message, header) = (packet.message(), packet.header());
            assert_eq!((message.kind, message.header_bytes), (1, 56));
            assert_eq!(message.owner.cast_const(), daq.owner());
            let time_us = time_ns(next) / 1000;
            assert_eq!(header.time.seconds, i64::try_from(time_us / 1_000_000).unwrap());
            assert_eq!(header.time.microseconds, i64::try_from(time_us % 1_000_000).unwrap());
            assert_eq!(header.wire_bytes as usize, packet.data().len());
            assert_eq!((header.ingress, header.egress), (0, -1));
            assert_eq!((u64::from(header.flow_id), header.address_space), (flow, 0));
            assert_eq!(header.flags, packet_flag::NOT_FORWARDING | packet_flag::FLOW_ID);
            next += 1;
        }
        assert!(packets.iter().all(|packet| is_shared(packet.data())), "in place");
        daq.pass(&packets);
    }
    assert!(engine.is_whole());
    assert_eq!(engine.demotions(), 0, "a lease that is never behind");
    let count = 20 * u64::from(SLOTS);
    assert_eq!(daq.stats()[..7], [count, 0, count, 0, 0, 0, count]);
    assert_eq!(daq.stats()[12..], [u64::MAX; 2], "nothing beyond the statistics is written");
    engine.end();
    assert_eq!(daq.receive(64).1, status::END);
    assert_eq!(daq.stop(), result::SUCCESS);
    assert_eq!(daq.receive(64).1, status::INVALID);
    assert_eq!(daq.stats()[..3], [count, 0, count], "they outlive the stream");
    daq.reset_stats();
    assert_eq!(daq.stats()[..12], [0; 12]);
    assert_eq!(engine.readers(), 0);
}

#[test]
fn what_is_held_stays_as_it_is() {
    let engine = Engine::start(1);
    let daq = started(Config::of(&engine));
    engine.push(0..100, 10);
    let held = receive(&daq, 100, 64);
    assert_eq!(daq.pool().available, 156);
    assert_eq!(daq.stats()[5], 100, "outstanding");
    // The engine goes on, over its ring many times; the application does not come back.
    engine.push(100..10_000, 10);
    for (number, packet) in (0..).zip(&held) {
        assert_eq!(packet.data(), frame(number, number % 10 + 1), "untouched");
    }
    assert!(engine.is_whole());
    assert_eq!(engine.demotions(), 1);
    // In any order.
    let (odd, even): (Vec<_>, Vec<_>) =
        held.iter().copied().partition(|packet| number_of(packet.data()) % 2 == 1);
    daq.pass(&odd);
    daq.pass(&even);
    assert_eq!(daq.pool().available, 256);
    // What was missed is counted: everything is accounted for.
    engine.end();
    let mut seen = 100;
    loop {
        let (packets, state) = daq.receive(64);
        seen += packets.len() as u64;
        daq.pass(&packets);
        if state == status::END {
            break;
        }
    }
    let stats = daq.stats();
    assert_eq!((stats[0], stats[2]), (10_000, seen));
    assert_eq!(stats[1], 10_000 - seen);
    assert!(stats[1] > 5_000);
    assert!(engine.is_whole());
}

#[test]
fn instances_share_the_packets_flow_by_flow() {
    const INSTANCES: u32 = 3;
    const PACKETS: u64 = 6000;
    let engine = Engine::start(2);
    let config =
        |instance| Config { instances: INSTANCES, instance, timeout_ms: 20, ..Config::of(&engine) };
    // As Snort does: made by its main thread, started by a thread for each.
    let instances: Vec<_> =
        (1..=INSTANCES).map(|n| module().instantiate(config(n)).unwrap()).collect();
    assert!(instances.iter().all(|daq| daq.capabilities() & capability::WHITELIST != 0));
    let seen: Arc<Mutex<BTreeMap<u64, u32>>> = Arc::default();
    thread::scope(|scope| {
        for (index, daq) in (0..).zip(&instances) {
            assert_eq!(daq.start(), result::SUCCESS, "{}", daq.error());
            let seen = Arc::clone(&seen);
            let daq = Exclusive(daq);
            scope.spawn(move || {
                let daq = daq;
                loop {
                    let (packets, state) = daq.0.receive(64);
                    for number in numbers(&packets) {
                        let before = seen.lock().unwrap().insert(number, index);
                        assert_eq!(before, None, "packet {number} came twice");
                    }
                    daq.0.pass(&packets);
                    if state == status::END {
                        return;
                    }
                    assert_ne!(state, status::ERROR);
                }
            });
        }
        for start in (0..PACKETS).step_by(100) {
            engine.push(start..start + 100, 50);
            rest(Duration::from_millis(2));
        }
        engine.end();
    });
    let seen = seen.lock().unwrap();
    assert_eq!(seen.len() as u64, PACKETS, "the union is the whole");
    let mut of_flow: BTreeMap<u64, u32> = BTreeMap::new();
    for (number, instance) in seen.iter() {
        let owner = *of_flow.entry(number % 50).or_insert(*instance);
        assert_eq!(owner, *instance, "a flow is one instance's");
    }
    let owners: std::collections::BTreeSet<_> = of_flow.values().collect();
    assert_eq!(owners.len(), INSTANCES as usize, "each has some");
    let received: u64 = instances.iter().map(|daq| daq.stats()[2]).sum();
    assert_eq!(received, PACKETS);
    assert!(instances.iter().all(|daq| daq.stats()[1] == 0));
}

/// One thread's alone while that runs.
struct Exclusive<'a>(&'a Daq<'static>);

#[expect(unsafe_code, reason = "threads of a test")]
// SAFETY: the spawning thread does not use the instance while the other one runs.
unsafe impl Send for Exclusive<'_> {}

#[test]
fn verdicts_reach_the_engine_once() {
    let engine = Engine::start(1);
    let variables = vec![("group", Some("ids")), ("advise", None)];
    let daq = started(Config { variables, ..Config::of(&engine) });
    let wanted = capability::WHITELIST | capability::BLACKLIST | capability::BLOCK;
    assert_eq!(daq.capabilities() & wanted, wanted);
    engine.push(0..30, 10);
    let packets = receive(&daq, 30, 64);
    assert_eq!(packets[0].header().flags, packet_flag::FLOW_ID, "verdicts are wanted");
    for packet in &packets {
        let verdict = match packet.header().flow_id {
            1 => verdict::WHITELIST,
            2 => verdict::BLACKLIST,
            3 => verdict::IGNORE,
            4 => verdict::BLOCK,
            5 => verdict::REPLACE,
            6 => 1000,
            _ => verdict::PASS,
        };
        assert_eq!(daq.finalize(*packet, verdict), result::SUCCESS);
    }
    rest(Duration::from_millis(20));
    let asked = engine.asked();
    let judged: Vec<_> =
        asked.iter().filter(|(_, what)| !matches!(what, What::Shunt { .. })).copied().collect();
    assert_eq!(judged, [(1, What::Allow), (2, What::Block)]);
    let mut shunted: Vec<u64> = asked
        .iter()
        .filter(|(_, what)| matches!(what, What::Shunt { .. }))
        .map(|(flow, _)| *flow)
        .collect();
    shunted.sort_unstable();
    assert_eq!(shunted, [1, 2, 3]);
    assert_eq!(daq.stats()[6..12], [15, 3, 3, 3, 3, 3]);
    // What is shunted does not come any more, and is counted as received below.
    engine.push_with(30..40, 10, |descriptor| descriptor.shunted = u16::MAX);
    engine.push(40..41, 10);
    let packets = receive(&daq, 1, 64);
    assert_eq!(numbers(&packets), [40]);
    daq.pass(&packets);
    assert_eq!(daq.stats()[..3], [41, 0, 31]);
}

#[test]
fn a_receive_waits_and_can_be_interrupted() {
    let engine = Engine::start(1);
    // No limit of time: only a packet, an interrupt or the end.
    let daq = started(Config { timeout_ms: 0, ..Config::of(&engine) });
    let interrupter = daq.interrupter();
    assert_eq!(interrupter.interrupt(), result::SUCCESS);
    assert_eq!(daq.receive(64).1, status::INTERRUPTED, "one that came before");
    for _ in 0..20 {
        thread::scope(|scope| {
            scope.spawn(move || {
                let interrupter = interrupter;
                rest(Duration::from_millis(5));
                assert_eq!(interrupter.interrupt(), result::SUCCESS);
            });
            assert_eq!(daq.receive(64).1, status::INTERRUPTED);
        });
    }
    thread::scope(|scope| {
        scope.spawn(|| {
            rest(Duration::from_millis(20));
            engine.push(0..1, 1);
        });
        let (packets, state) = daq.receive(64);
        assert_eq!((packets.len(), state), (1, status::WOULD_BLOCK));
        daq.pass(&packets);
    });
    let daq = started(Config { timeout_ms: 30, ..Config::of(&engine) });
    assert_eq!(daq.receive(64).1, status::TIMEOUT);
    engine.push(1..2, 1);
    daq.pass(&receive(&daq, 1, 64));
}

#[test]
fn a_filter_is_compiled_and_counted() {
    let engine = Engine::start(1);
    let daq = module().instantiate(Config::of(&engine)).unwrap();
    if daq.set_filter("udp port 53") != result::SUCCESS {
        assert!(daq.error().contains("libpcap"), "{}", daq.error());
        eprintln!("SKIPPED a_filter_is_compiled_and_counted: {}", daq.error());
        return;
    }
    assert_eq!(daq.set_filter("udp port fifty-what"), result::ERROR);
    assert!(daq.error().contains("fifty-what"), "{}", daq.error());
    assert_eq!(daq.start(), result::SUCCESS, "the filter before stays");
    // Flows 1 to 10; those of even number go to port 53.
    engine.push(0..100, 10);
    let packets = receive(&daq, 50, 64);
    assert!(packets.iter().all(|packet| packet.header().flow_id.is_multiple_of(2)));
    daq.pass(&packets);
    assert_eq!(daq.stats()[..4], [100, 0, 50, 50]);
    // And a new one while it runs.
    assert_eq!(daq.set_filter("not udp"), result::SUCCESS);
    engine.push(100..200, 10);
    engine.end();
    let (packets, state) = daq.receive(64);
    assert_eq!((packets.len(), state), (0, status::END));
    assert_eq!(daq.stats()[..4], [200, 0, 50, 150]);
}

#[test]
fn an_engine_that_dies_is_an_error() {
    let engine = Engine::start(1);
    let daq = started(Config::of(&engine));
    engine.push(0..10, 10);
    engine.die();
    let packets = receive(&daq, 10, 64);
    assert_eq!(numbers(&packets), (0..10).collect::<Vec<_>>(), "what it left is read");
    daq.pass(&packets);
    let state = (0..50).map(|_| daq.receive(64).1).find(|state| *state != status::TIMEOUT);
    assert_eq!(state, Some(status::ERROR));
    assert!(daq.error().contains("is gone"), "{}", daq.error());
    assert_eq!(daq.stop(), result::SUCCESS);
}

#[test]
fn a_window_reader_has_copies() {
    let engine = Engine::start(1);
    let variables = vec![("mode", Some("window"))];
    let daq = started(Config { variables, messages: 1024, ..Config::of(&engine) });
    assert_eq!(daq.pool().size, 1024);
    engine.push(0..300, 10);
    let packets = receive(&daq, 300, 64);
    engine.push(300..9000, 10);
    for (number, packet) in (0..).zip(&packets) {
        assert_eq!(packet.data(), frame(number, number % 10 + 1));
        assert!(!is_shared(packet.data()));
    }
    daq.pass(&packets);
    assert!(engine.is_whole());
    assert_eq!(engine.demotions(), 0);
}

#[test]
fn the_pool_is_the_limit() {
    let engine = Engine::start(1);
    let daq = started(Config { messages: 16, snap_bytes: 60, ..Config::of(&engine) });
    engine.push(0..40, 10);
    let (packets, state) = daq.receive(64);
    assert_eq!((packets.len(), state), (16, status::OK));
    assert!(packets.iter().all(|packet| packet.data().len() <= 60), "cut to the snap length");
    assert!(packets[15].header().wire_bytes > 60);
    assert_eq!(daq.receive(64).1, status::NO_MESSAGE);
    daq.pass(&packets[..1]);
    let (more, state) = daq.receive(64);
    assert_eq!((more.len(), state), (1, status::OK));
    daq.pass(&packets[1..]);
    daq.pass(&more);
}

#[test]
fn mistakes_are_answered() {
    let engine = Engine::start(1);
    let refused = |config| module().instantiate(config).err().expect("refused");
    let (code, text) = refused(Config { input: String::new(), ..Config::of(&engine) });
    assert_eq!(code, result::INVALID);
    assert!(text.contains("-i weir:NAME"), "{text}");
    let (code, text) = refused(Config { mode: mode::READ_FILE, ..Config::of(&engine) });
    assert_eq!(code, result::NOT_SUPPORTED);
    assert!(text.contains("weir run"), "{text}");
    let variables = vec![("grupo", Some("%s%n"))];
    let (code, text) = refused(Config { variables, ..Config::of(&engine) });
    assert_eq!(code, result::INVALID);
    assert!(text.contains("grupo"), "{text}");

    let nobody = Config { input: "weir:no-such-engine".to_owned(), ..Config::of(&engine) };
    let daq = module().instantiate(nobody).unwrap();
    assert_eq!(daq.start(), result::NO_DEVICE);
    assert!(daq.error().contains("no-such-engine"), "{}", daq.error());

    let daq = module().instantiate(Config::of(&engine)).unwrap();
    assert_eq!(daq.receive(1).1, status::INVALID, "not started");
    assert_eq!(daq.stop(), result::ERROR);
    assert_eq!(daq.start(), result::SUCCESS);
    assert_eq!(daq.start(), result::ERROR, "twice");
    engine.push(0..2, 1);
    let packets = receive(&daq, 2, 64);
    assert_eq!(daq.finalize(packets[0].beside(), verdict::PASS), result::INVALID);
    assert_eq!(daq.finalize(Packet::NULL, verdict::PASS), result::INVALID);
    assert_eq!(daq.finalize(packets[0], verdict::PASS), result::SUCCESS);
    assert_eq!(daq.finalize(packets[0], verdict::PASS), result::INVALID, "twice");
    host::with_nothing(module(), &daq);
    // One message is still out: it goes with the instance.
    drop(daq);
    rest(Duration::from_millis(20));
    assert_eq!(engine.readers(), 0);
    assert!(engine.is_whole());
}
