//! AF_XDP capture on a veth cable: every frame arrives once, in its flow's shard, and the books
//! balance whatever is lost. Needs root; each test makes its own network namespace.

#![expect(clippy::unwrap_used, reason = "tests")]

mod rig;

use std::collections::HashMap;
use std::io::{BufRead, BufReader};
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use rig::{NEAR, Rig, Sender};
use weir_ebpf::hash::{self, Tuple, mapped};
use weir_ebpf::table::Counter;
use weir_ebpf::{Attachment, AttachmentWish, Split};
use weir_engine::capture::xdp::{Idle, QueueLedger, SplitWish, XdpConfig, XdpPort, XdpSource};
use weir_engine::capture::{Batch, Received, Source};

const KEY: [u64; 2] = [7, 77];

fn config(shards: u32) -> XdpConfig {
    XdpConfig {
        interface: NEAR.to_owned(),
        shards,
        frames_per_shard: 4096,
        ring_entries: 1024,
        huge_pages: af_xdp::HugePages::Off,
        hash_key: KEY,
        ..XdpConfig::default()
    }
}

/// A UDP frame of flow `flow`, in one direction or the other, with a number in it.
fn frame(flow: u16, back: bool, number: u32) -> Vec<u8> {
    let client = ([10, 9, flow.to_be_bytes()[0], flow.to_be_bytes()[1]], 1024 + flow);
    let ends = if back { (server(), client) } else { (client, server()) };
    let ((from, from_port), (to, to_port)) = ends;
    let mut bytes = vec![2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 2, 8, 0, 0x45, 0, 0, 46];
    bytes.extend([0, 0, 0, 0, 64, 17, 0, 0]);
    bytes.extend(from);
    bytes.extend(to);
    bytes.extend(from_port.to_be_bytes());
    bytes.extend(to_port.to_be_bytes());
    bytes.extend([0, 26, 0, 0]);
    bytes.extend(number.to_be_bytes());
    bytes.resize(60, 0);
    bytes
}

const fn server() -> ([u8; 4], u16) {
    ([192, 0, 2, 1], 5000)
}

/// The flow that [`frame`] made a frame for.
fn flow_of(bytes: &[u8]) -> u16 {
    let client = if bytes[26] == 10 { 28 } else { 32 };
    u16::from_be_bytes([bytes[client], bytes[client + 1]])
}

fn hash_of(flow: u16) -> u32 {
    let client = [10, 9, flow.to_be_bytes()[0], flow.to_be_bytes()[1]];
    let ports = (1024 + flow, server().1);
    hash::symmetric(KEY, &Tuple::new(mapped(client), mapped(server().0), ports, 17))
}

/// Receives until nothing has come for a while; gives each frame to `each`.
fn receive_all(
    source: &mut XdpSource,
    mut each: impl FnMut(&XdpSource, &weir_engine::capture::Frame),
) {
    let mut batch = Batch::default();
    let mut quiet = 0;
    while quiet < 20 {
        batch.clear();
        match source.receive(&mut batch) {
            Received::Frames => {
                for frame in batch.as_slice() {
                    each(source, frame);
                }
                source.release(&batch);
                quiet = 0;
            }
            Received::Idle | Received::End => {
                source.wait(Duration::from_millis(10));
                quiet += 1;
            }
        }
    }
}

/// The equation that every capture ends on; gives how many frames were received.
fn balance(port: &XdpPort, sources: &[XdpSource], sent: u64) -> u64 {
    let mut ledger = port.ledger().unwrap();
    for count in sources.iter().flat_map(XdpSource::counts) {
        ledger.iter_mut().find(|row| row.queue == count.queue).unwrap().received += count.frames;
    }
    for row in &ledger {
        assert_eq!(row.unaccounted(), 0, "{row:?}");
        assert_eq!(row.program.unaccounted(), 0, "{row:?}");
    }
    let seen: u64 = ledger.iter().map(QueueLedger::seen).sum();
    assert_eq!(seen, sent, "all that was sent reached the program");
    for source in sources {
        assert_eq!(source.held(), 0, "every frame was given back");
    }
    ledger.iter().map(|row| row.received).sum()
}

/// Frames of `flows` flows, both directions, `rounds` times.
fn traffic(flows: u16, rounds: u32) -> Vec<Vec<u8>> {
    let mut frames = Vec::new();
    for round in 0..rounds {
        for flow in 0..flows {
            frames.push(frame(flow, false, round));
            frames.push(frame(flow, true, round));
        }
    }
    frames
}

fn slices(frames: &[Vec<u8>]) -> impl Iterator<Item = &[u8]> {
    frames.iter().map(Vec::as_slice)
}

/// Each source's flows, checked: hash, time, whole frame.
fn collect(sources: &mut [XdpSource]) -> Vec<HashMap<u16, u32>> {
    sources
        .iter_mut()
        .map(|source| {
            let mut flows = HashMap::new();
            receive_all(source, |source, frame| {
                let bytes = source.bytes(frame);
                assert_eq!((bytes.len(), frame.wire_bytes), (60, 60));
                let flow = flow_of(bytes);
                assert_eq!(frame.hash, hash_of(flow));
                let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_nanos();
                let age = now.checked_sub(u128::from(frame.timestamp_ns));
                assert!(age.is_some_and(|age| age < 60_000_000_000), "stamped {age:?} ns ago");
                *flows.entry(flow).or_insert(0) += 1;
            });
            flows
        })
        .collect()
}

#[test]
fn two_shards_on_one_queue_have_whole_flows() {
    let Some(_rig) = Rig::new("two_shards_on_one_queue", 1, 1500) else { return };
    let (mut sources, port) = XdpPort::open(&config(2)).unwrap();
    assert_eq!(port.report().split, Split::Xdp);
    assert_eq!(port.report().attachment, Some(Attachment::Native), "{}", port.report());
    eprintln!("{}", port.report());
    let frames = traffic(100, 5);
    Sender::new(0).send(slices(&frames));
    let flows = collect(&mut sources);
    for (shard, mine) in (0..).zip(&flows) {
        assert!(mine.len() > 20, "shard {shard} has {} of 100 flows", mine.len());
        for (flow, count) in mine {
            assert_eq!(*count, 10, "both directions of flow {flow}, five rounds");
            assert_eq!(hash::shard(hash_of(*flow), 2), shard);
        }
    }
    assert_eq!(flows[0].len() + flows[1].len(), 100);
    assert_eq!(balance(&port, &sources, 1000), 1000);
}

/// Every queue is served whatever the number of shards, split either way.
#[test]
fn more_queues_than_shards_and_the_other_way_round() {
    for (queues, shards, split) in [
        (4, 2, SplitWish::Nic),
        (3, 2, SplitWish::Xdp),
        (2, 3, SplitWish::Auto),
        (4, 1, SplitWish::Auto),
    ] {
        let Some(_rig) = Rig::new("more_queues_than_shards", queues, 1500) else { return };
        let (mut sources, port) = XdpPort::open(&XdpConfig { split, ..config(shards) }).unwrap();
        assert_eq!(port.report().queues, queues);
        let frames = traffic(32, 4);
        for queue in 0..queues {
            Sender::new(queue).send(slices(&frames));
        }
        let flows = collect(&mut sources);
        for flow in 0..32 {
            let shards_of_it = flows.iter().filter(|mine| mine.contains_key(&flow)).count();
            // Split by queue, the same flow sent on every queue is everywhere.
            let expected = if split == SplitWish::Nic { shards as usize } else { 1 };
            assert_eq!(shards_of_it, expected, "flow {flow}, {queues} queues, {shards} shards");
        }
        let sent = u64::from(queues) * 256;
        assert_eq!(balance(&port, &sources, sent), sent);
        let served = sources.iter().flat_map(XdpSource::counts);
        assert!(served.clone().all(|count| count.without_metadata == 0));
        let on: std::collections::HashSet<u32> =
            served.filter(|count| count.frames > 0).map(|count| count.queue).collect();
        assert_eq!(on.len(), queues as usize, "every queue had frames");
    }
}

/// Looks after the port, with its sources turning, until it says something that contains `text`.
fn tend_until(port: &mut XdpPort, sources: &mut [XdpSource], text: &str) {
    let mut said = String::new();
    for _ in 0..500 {
        said.extend(port.tend());
        if said.contains(text) {
            return;
        }
        collect_quickly(sources);
        weir_engine::sys::clock::rest(Duration::from_millis(10));
    }
    assert_eq!(said, text, "not said within five seconds");
}

/// The interface goes and comes back, with frames held for readers and as many queues as it likes:
/// every chunk is of use again, and the books go on.
#[test]
fn an_interface_that_comes_back_is_taken_again() {
    for (shards, split) in [(2, SplitWish::Xdp), (2, SplitWish::Nic), (1, SplitWish::Auto)] {
        let Some(rig) = Rig::new("an_interface_that_comes_back", 2, 1500) else { return };
        let (mut sources, mut port) =
            XdpPort::open(&XdpConfig { split, ..config(shards) }).unwrap();
        let frames = traffic(32, 4);
        let mut sent = 0;
        let play = |queues: u32, sent: &mut u64| {
            for queue in 0..queues {
                Sender::new(queue).send(slices(&frames));
                *sent += frames.len() as u64;
            }
        };
        play(2, &mut sent);
        collect(&mut sources);
        for queues in [2, 1, 4, 2] {
            // Frames that readers have, over the loss of the interface.
            play(1, &mut sent);
            let mut kept = Vec::new();
            for source in &mut sources {
                let mut batch = Batch::default();
                source.wait(Duration::from_millis(10));
                source.receive(&mut batch);
                kept.push(batch);
            }
            let held: u32 = sources.iter().map(XdpSource::held).sum();
            assert!(held > 0);
            rig.unplug();
            tend_until(&mut port, &mut sources, "is gone");
            // The first half comes back while there is nothing to give it to, the rest later.
            for _ in 0..20 {
                port.tend();
                collect_quickly(&mut sources);
                weir_engine::sys::clock::rest(Duration::from_millis(10));
            }
            let (first, rest) = kept.split_at(kept.len() / 2);
            sources.iter_mut().zip(first).for_each(|(source, batch)| source.release(batch));
            rig.plug(queues, 1500);
            tend_until(&mut port, &mut sources, "taken again");
            let later = sources.iter_mut().skip(first.len());
            later.zip(rest).for_each(|(source, batch)| source.release(batch));
            play(queues.min(port.report().queues), &mut sent);
            collect(&mut sources);
            let received: u64 =
                sources.iter().flat_map(XdpSource::counts).map(|count| count.frames).sum();
            let seen: u64 = port.ledger().unwrap().iter().map(QueueLedger::seen).sum();
            assert_eq!((seen, received), (sent, sent), "{split:?}, now {queues} queues");
            assert!(sources.iter().all(|source| source.held() == 0));
        }
        // Many times the memory: no chunk was lost on the way.
        for _ in 0..40 {
            play(2, &mut sent);
            collect_quickly(&mut sources);
            collect_quickly(&mut sources);
        }
        collect(&mut sources);
        let lost: u64 = port.ledger().unwrap().iter().map(|row| row.ring_full + row.dropped).sum();
        assert_eq!(lost, 0);
    }
}

/// Nobody receives: rings fill up, chunks run out, and still every frame is accounted for. Then
/// reception goes on as if nothing had happened.
#[test]
fn what_is_lost_has_a_name() {
    let Some(_rig) = Rig::new("what_is_lost_has_a_name", 1, 1500) else { return };
    let small = XdpConfig { ring_entries: 64, frames_per_shard: 64, ..config(2) };
    let (mut sources, port) = XdpPort::open(&small).unwrap();
    let mut sender = Sender::new(0);
    let frames = traffic(50, 20);
    sender.send(slices(&frames));
    collect(&mut sources);
    let received = balance(&port, &sources, 2000);
    assert!((64..2000).contains(&received), "{received} of 2000");
    let lost: u64 = port.ledger().unwrap().iter().map(|row| row.ring_full + row.dropped).sum();
    assert_eq!(lost, 2000 - received);
    for _ in 0..50 {
        sender.send(slices(&frames[..40]));
        collect_quickly(&mut sources);
    }
    let again = balance(&port, &sources, 4000);
    assert_eq!(again, received + 2000, "no chunk was lost on the way");
}

fn collect_quickly(sources: &mut [XdpSource]) {
    let mut batch = Batch::default();
    for _ in 0..3 {
        for source in sources.iter_mut() {
            batch.clear();
            while source.receive(&mut batch) == Received::Frames {
                source.release(&batch);
                batch.clear();
            }
        }
    }
}

/// The owner of the fill ring has no traffic and sleeps for good; the guest has all of it. Chunks
/// must come home all the same, many times over.
#[test]
fn a_sleeping_owner_still_refills() {
    let Some(rig) = Rig::new("a_sleeping_owner_still_refills", 1, 1500) else { return };
    let few = XdpConfig { ring_entries: 512, frames_per_shard: 512, ..config(2) };
    let (mut sources, port) = XdpPort::open(&few).unwrap();
    let flow = (0..1000).find(|flow| hash::shard(hash_of(*flow), 2) == 1).unwrap();
    let total = 20_000;
    let received = AtomicU64::new(0);
    let ended = AtomicBool::new(false);
    let mut guest = sources.pop().unwrap();
    let mut owner = sources.pop().unwrap();
    let (owner, guest) = std::thread::scope(|scope| {
        let owner = scope.spawn(|| {
            let mut batch = Batch::default();
            while !ended.load(Ordering::Relaxed) {
                assert_eq!(owner.receive(&mut batch), Received::Idle);
                owner.wait(Duration::from_mins(1));
            }
            owner
        });
        let guest = scope.spawn(|| {
            let mut batch = Batch::default();
            while !ended.load(Ordering::Relaxed) {
                batch.clear();
                if guest.receive(&mut batch) == Received::Frames {
                    let count = batch.as_slice().len() as u64;
                    guest.release(&batch);
                    received.fetch_add(count, Ordering::Relaxed);
                } else {
                    guest.wait(Duration::from_millis(20));
                }
            }
            guest
        });
        rig.enter();
        let mut sender = Sender::new(0);
        let frames: Vec<Vec<u8>> = (0..100).map(|number| frame(flow, false, number)).collect();
        let mut lost = 0;
        for round in 1..=total / 100 {
            sender.send(slices(&frames));
            // Never more on the way than the ring holds. With patience: where the machine is so busy
            // that the owner wakes late, frames are lost, by name.
            let mut patience = 0;
            while received.load(Ordering::Relaxed) + lost < round * 100 && patience < 100 {
                pause(1);
                patience += 1;
            }
            lost = round * 100 - received.load(Ordering::Relaxed);
        }
        ended.store(true, Ordering::Relaxed);
        // Wakes the owner from its long sleep: a frame of its own.
        let flow = (0..1000).find(|flow| hash::shard(hash_of(*flow), 2) == 0).unwrap();
        sender.send([frame(flow, false, 0).as_slice()]);
        (owner.join().unwrap(), guest.join().unwrap())
    });
    let mut sources = [owner, guest];
    collect_quickly(&mut sources);
    let arrived = balance(&port, &sources, total + 1);
    assert!(arrived > 10 * 1024, "many times the number of chunks: {arrived}");
}

fn pause(milliseconds: u64) {
    let time = rustix::event::Timespec {
        tv_sec: 0,
        tv_nsec: i64::try_from(milliseconds).unwrap() * 1_000_000,
    };
    rustix::event::poll(&mut [], Some(&time)).unwrap();
}

#[test]
fn tags_stay_in_the_frame() {
    let Some(_rig) = Rig::new("tags_stay_in_the_frame", 1, 1500) else { return };
    let (mut sources, port) = XdpPort::open(&config(1)).unwrap();
    let mut tagged = frame(3, false, 0);
    tagged.splice(12..12, [0x81, 0, 0x20, 0x2a]);
    let mut twice = frame(3, true, 0);
    twice.splice(12..12, [0x88, 0xa8, 0, 5, 0x81, 0, 0x20, 0x2a]);
    let frames = vec![tagged, twice];
    Sender::new(0).send(slices(&frames));
    let mut got = Vec::new();
    receive_all(&mut sources[0], |source, frame| {
        assert_eq!(frame.vlan, 0, "not taken off");
        assert_eq!(frame.hash, hash_of(3));
        got.push(source.bytes(frame).to_vec());
    });
    assert_eq!(got, frames);
    assert_eq!(balance(&port, &sources, 2), 2);
}

/// A tag beside the frame, as NICs and the kernel put it, comes in the metadata where the driver
/// can be asked; it comes in the frame where the sender may not put it beside.
#[test]
fn tags_beside_the_frame_are_told() {
    let Some(rig) = Rig::new("tags_beside_the_frame_are_told", 1, 1500) else { return };
    let start = rig.bridge();
    let mut tagged = frame(3, false, 0);
    tagged.splice(12..12, [0x81, 0, 0x20, 0x2a]);
    // A bridge lets frames through a moment after its ports are up.
    let (mut sources, port) = XdpPort::open(&config(1)).unwrap();
    if !port.report().vlan_hints {
        eprintln!("SKIPPED tags_beside_the_frame_are_told: Linux 6.8 is needed");
        return;
    }
    let mut sender = Sender::on(start, 0);
    let arrived = |sources: &mut [XdpSource], sender: &mut Sender| {
        let mut got = None;
        for _ in 0..50 {
            sender.send([tagged.as_slice()]);
            receive_all(&mut sources[0], |source, frame| {
                // The bridge may say something of its own.
                if frame.hash == hash_of(3) {
                    got = Some((frame.vlan, source.bytes(frame).to_vec()));
                }
            });
            if got.is_some() {
                break;
            }
        }
        got.unwrap()
    };
    assert_eq!(arrived(&mut sources, &mut sender), (0x202a, frame(3, false, 0)));
    rig::run(&["ethtool", "-K", rig::FAR, "txvlan", "off"]);
    assert_eq!(arrived(&mut sources, &mut sender), (0, tagged.clone()));
}

/// A frame larger than a chunk comes as its beginning, with its length on the wire.
#[test]
fn long_frames_come_as_their_head() {
    let Some(_rig) = Rig::new("long_frames_come_as_their_head", 1, 3900) else { return };
    let (mut sources, port) = XdpPort::open(&config(2)).unwrap();
    assert!(port.report().multi_buffer);
    let frames: Vec<Vec<u8>> = (0..300)
        .map(|number: u16| {
            let mut long = frame(number % 20, number.is_multiple_of(2), u32::from(number));
            let length = 3000 + number;
            long[16..18].copy_from_slice(&(length - 14).to_be_bytes());
            long[38..40].copy_from_slice(&(length - 34).to_be_bytes());
            long.resize(usize::from(length), number.to_be_bytes()[1]);
            long
        })
        .collect();
    let mut sender = Sender::new(0);
    let mut lengths = Vec::new();
    for part in frames.chunks(50) {
        sender.send(slices(part));
        for source in &mut sources {
            receive_all(source, |source, frame| {
                let bytes = source.bytes(frame);
                assert!(bytes.len() >= 1500, "the head is there");
                assert!(bytes.len() < frame.wire_bytes as usize);
                assert_eq!(frame.hash, hash_of(flow_of(bytes)));
                lengths.push(frame.wire_bytes);
            });
        }
    }
    lengths.sort_unstable();
    assert_eq!(lengths, (3000..3300).collect::<Vec<u32>>());
    assert_eq!(balance(&port, &sources, 300), 300);
    let several: u64 =
        sources.iter().flat_map(XdpSource::counts).map(|count| count.multi_buffer).sum();
    assert_eq!(several, 300);
}

#[test]
fn the_generic_kind_works_too() {
    let Some(_rig) = Rig::new("the_generic_kind_works_too", 1, 1500) else { return };
    let generic = XdpConfig { native: AttachmentWish::Generic, ..config(2) };
    let (mut sources, port) = XdpPort::open(&generic).unwrap();
    assert_eq!(port.report().attachment, Some(Attachment::Generic));
    Sender::new(0).send(slices(&traffic(50, 2)));
    let flows = collect(&mut sources);
    assert_eq!(flows[0].len() + flows[1].len(), 50);
    assert_eq!(balance(&port, &sources, 200), 200);
}

#[test]
fn frames_that_are_not_ip_are_captured_too() {
    let Some(_rig) = Rig::new("frames_that_are_not_ip", 1, 1500) else { return };
    let (mut sources, port) = XdpPort::open(&config(2)).unwrap();
    let mut arp = vec![0xff; 6];
    arp.extend([2, 0, 0, 0, 0, 1, 8, 6]);
    arp.resize(60, 0);
    Sender::new(0).send(std::iter::repeat_n(arp.as_slice(), 10));
    let mut counts = [0, 0];
    for (source, count) in sources.iter_mut().zip(&mut counts) {
        receive_all(source, |source, frame| {
            assert_eq!((source.bytes(frame), frame.hash), (arp.as_slice(), 0));
            *count += 1;
        });
    }
    assert_eq!(counts, [10, 0], "the first shard has them");
    assert_eq!(balance(&port, &sources, 10), 10);
    assert_eq!(port.ledger().unwrap()[0].program.get(Counter::NotIp), 10);
}

/// Frames of a queue that has no socket go to the kernel, counted.
#[test]
fn queues_without_a_socket_are_left_to_the_kernel() {
    let Some(_rig) = Rig::new("queues_without_a_socket", 2, 1500) else { return };
    let one = XdpConfig { queues: Some(1), ..config(1) };
    let (mut sources, port) = XdpPort::open(&one).unwrap();
    let frames = traffic(10, 1);
    Sender::new(0).send(slices(&frames));
    Sender::new(1).send(slices(&frames));
    collect(&mut sources);
    assert_eq!(balance(&port, &sources, 40), 20);
    let ledger = port.ledger().unwrap();
    assert_eq!(ledger.last().unwrap().passed_no_socket(), 20);
}

#[test]
fn what_cannot_be_opened_says_why() {
    let Some(_rig) = Rig::new("what_cannot_be_opened_says_why", 1, 1500) else { return };
    let refused = |config: &XdpConfig| XdpPort::open(config).unwrap_err().to_string();
    let missing = refused(&XdpConfig { interface: "nowhere".to_owned(), ..config(1) });
    assert!(missing.contains("nowhere") && missing.contains("ip link"), "{missing}");
    let split = refused(&XdpConfig { split: SplitWish::Nic, ..config(2) });
    assert!(split.contains("split = xdp"), "{split}");
    let zero_copy = weir_engine::capture::xdp::ZeroCopy::Require;
    let copy_only = refused(&XdpConfig { zero_copy, ..config(1) });
    assert!(copy_only.contains("near queue 0") && copy_only.contains("copy mode"), "{copy_only}");
    let (sources, port) = XdpPort::open(&config(1)).unwrap();
    let taken = refused(&config(1));
    assert!(taken.contains("near"), "{taken}");
    drop((sources, port));
    // Everything was let go of.
    drop(XdpPort::open(&config(1)).unwrap());
    assert!(!rig::run(&["ip", "link", "show", "dev", NEAR]).contains("xdp"));
}

#[test]
fn busy_polling_receives_too() {
    let Some(_rig) = Rig::new("busy_polling_receives_too", 1, 1500) else { return };
    let busy = XdpConfig { idle: Idle::BusyPoll, ..config(1) };
    let (mut sources, port) = XdpPort::open(&busy).unwrap();
    Sender::new(0).send(slices(&traffic(50, 2)));
    let mut batch = Batch::default();
    let mut frames = 0;
    for _ in 0..100_000 {
        batch.clear();
        if sources[0].receive(&mut batch) == Received::Frames {
            frames += batch.as_slice().len();
            sources[0].release(&batch);
        }
        if frames == 200 {
            break;
        }
    }
    assert_eq!(balance(&port, &sources, 200), 200);
}

const CHILD: &str = "WEIR_XDP_TEST_NAMESPACE";

/// The other half of the next test: captures until it is killed. Does nothing by itself.
#[test]
fn child_that_captures_until_it_is_killed() {
    let Ok(namespace) = std::env::var(CHILD) else { return };
    rig::enter(&namespace);
    let (_sources, _port) = XdpPort::open(&config(2)).unwrap();
    println!("capturing");
    pause_long();
}

fn pause_long() {
    for _ in 0..3000 {
        pause(10);
    }
}

#[test]
fn a_killed_process_leaves_no_program() {
    let Some(rig) = Rig::new("a_killed_process_leaves_no_program", 1, 1500) else { return };
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "child_that_captures_until_it_is_killed", "--nocapture"])
        .env(CHILD, rig.name())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let output = BufReader::new(child.stdout.take().unwrap());
    let ready = output.lines().any(|line| line.unwrap().contains("capturing"));
    let with = rig::run(&["ip", "link", "show", "dev", NEAR]);
    child.kill().unwrap();
    child.wait().unwrap();
    assert!(ready && with.contains("xdp"), "{with}");
    let without = rig::run(&["ip", "link", "show", "dev", NEAR]);
    assert!(!without.contains("xdp") && !without.contains("PROMISC"), "{without}");
    drop(XdpPort::open(&config(1)).unwrap());
}

/// One sender and one receiver, half a second: not a bound to hold, but the number is good to see.
#[test]
fn how_fast_it_is() {
    let Some(rig) = Rig::new("how_fast_it_is", 1, 1500) else { return };
    let (mut sources, port) = XdpPort::open(&config(1)).unwrap();
    let mut source = sources.pop().unwrap();
    let ended = AtomicBool::new(false);
    let frames = traffic(64, 4);
    let (source, sent, nanoseconds) = std::thread::scope(|scope| {
        let receiver = scope.spawn(|| {
            let mut batch = Batch::default();
            let mut quiet = false;
            while !quiet {
                batch.clear();
                if source.receive(&mut batch) == Received::Frames {
                    source.release(&batch);
                } else {
                    quiet = ended.load(Ordering::Relaxed);
                    source.wait(Duration::from_millis(5));
                }
            }
            source
        });
        rig.enter();
        let mut sender = Sender::new(0);
        let start = SystemTime::now();
        let mut sent = 0_u64;
        while start.elapsed().unwrap() < Duration::from_millis(500) {
            sender.send(slices(&frames));
            sent += frames.len() as u64;
        }
        let nanoseconds = start.elapsed().unwrap().as_nanos();
        ended.store(true, Ordering::Relaxed);
        (receiver.join().unwrap(), sent, nanoseconds)
    });
    let received = balance(&port, &[source], sent);
    let per_second = u128::from(received) * 1_000_000_000 / nanoseconds;
    eprintln!("{received} of {sent} frames received, {per_second} a second, copy mode on veth");
    assert!(received > 1000);
}
