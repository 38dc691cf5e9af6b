//! Packets from a writer to readers, through a real socket: what is written is read, whole, in
//! order, and what is not read is counted.

#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test's helpers fail like the test"
)]

mod engine;

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use weir_shm::packets::{
    Control, FlowRef, HOLD_MAX, Held, Join, Judgement, Next, PacketOptions, PacketReader, Share,
    Woken, flag,
};
use weir_shm::{Access, EngineState, Event, Server, What};

use engine::*;

#[test]
fn everything_is_read_in_order_and_whole() {
    let (_directory, path) = place();
    let mut engine = Engine::start(&path, 1, SLOTS / 2);
    engine.shards[0].push(0, 1, |_| {});
    let mut readers = [engine.open(&path, &PacketOptions::default()), engine.open(&path, &lease())];
    assert!(!readers[0].is_leased() && readers[1].is_leased());
    for number in 1..20_000 {
        engine.shards[0].push(number, if number % 7 == 0 { 5 } else { 1 }, |_| {});
        if number % 60 == 0 {
            for reader in &mut readers {
                let (numbers, missed) = drain(reader);
                assert_eq!(missed, 0);
                assert_eq!(numbers, (number - 59..=number).collect::<Vec<_>>());
            }
        }
    }
    assert!(engine.shards[0].is_whole(CHUNKS));
    engine.end();
    for reader in &mut readers {
        drain(reader);
        assert!(matches!(reader.hold(), Next::Ended));
        assert_eq!(reader.counts().delivered, 19_999);
    }
    assert!(readers[1].is_leased(), "it was never behind");
    drop(readers);
    engine.serve();
    assert_eq!(engine.shards[0].free.len() as u64, CHUNKS, "nobody reads: everything is free");
}

/// Whatever a reader's pace, what it reads and what it is told it missed are all there was.
#[test]
fn a_slow_reader_knows_what_it_missed() {
    for options in [PacketOptions::default(), lease()] {
        for pause in [100_u64, 400, 600, 1100, 5000] {
            let (_directory, path) = place();
            let mut engine = Engine::start(&path, 1, SLOTS / 2);
            let mut reader = engine.open(&path, &options);
            let (mut seen, mut missed) = (0, 0);
            for number in 0..20_000 {
                engine.shards[0].push(number, if number % 9 == 0 { 3 } else { 1 }, |_| {});
                if number % pause == 0 {
                    let (numbers, gone) = drain(&mut reader);
                    seen += numbers.len() as u64;
                    missed += gone;
                    assert!(numbers.is_sorted());
                    assert_eq!(seen + missed, number + 1, "pause {pause}");
                }
            }
            engine.end();
            let (numbers, gone) = drain(&mut reader);
            assert_eq!(seen + missed + numbers.len() as u64 + gone, 20_000);
            assert!(engine.shards[0].is_whole(CHUNKS));
            let sure = if options.lease { 700 } else { 400 };
            assert!(pause * 11 / 9 > sure || missed == 0, "pause {pause}: missed {missed}");
            assert!(pause < 5000 || missed > 10_000);
        }
    }
}

/// A lease reader that falls behind is demoted, keeps what it holds, and gets a lease again.
#[test]
fn a_demoted_reader_keeps_what_it_holds() {
    let (_directory, path) = place();
    let mut engine = Engine::start(&path, 1, SLOTS / 2);
    let mut reader = engine.open(&path, &lease());
    for number in 0..10 {
        engine.shards[0].push(number, 1, |_| {});
    }
    let mut held: Vec<Held> = (0..5).filter_map(|_| packet(&mut reader)).collect();
    assert_eq!(held.len(), 5);
    for number in 10..10_000 {
        engine.shards[0].push(number, 1, |_| {});
    }
    assert!(!reader.is_leased(), "it is told");
    assert_eq!(engine.shards[0].shared.packets.demoted().times, 1);
    let pinned = engine.shards[0].shared.packets.demoted().pinned;
    assert!((5..=HOLD_MAX).contains(&pinned), "{pinned} pinned");
    assert!(engine.shards[0].is_whole(CHUNKS));
    for (number, held) in (0..).zip(&held) {
        assert_eq!(reader.bytes(held), expected(number, 1), "untouched");
    }
    for held in held.drain(..).rev() {
        reader.release(held);
    }
    let (numbers, missed) = drain(&mut reader);
    assert_eq!(numbers.len() as u64 + missed, 10_000 - 5);
    for number in 10_000..10_200 {
        engine.shards[0].push(number, 1, |_| {});
        drain(&mut reader);
    }
    assert!(reader.is_leased(), "it has caught up");
    assert_eq!(engine.shards[0].shared.packets.demoted().pinned, 0);
    assert!(engine.shards[0].is_whole(CHUNKS));
    // One that goes while it holds leaves nothing behind.
    let held = packet(&mut reader);
    assert!(held.is_none());
    engine.shards[0].push(10_200, 1, |_| {});
    let held = packet(&mut reader);
    for number in 10_201..12_000 {
        engine.shards[0].push(number, 1, |_| {});
    }
    assert_ne!(engine.shards[0].shared.packets.demoted().pinned, 0);
    drop((held, reader));
    engine.serve();
    assert_eq!(engine.shards[0].free.len() as u64, CHUNKS);
}

#[test]
fn members_of_a_group_share_the_stream() {
    let (_directory, path) = place();
    let mut engine = Engine::start(&path, 1, SLOTS / 2);
    let member = PacketOptions { group: Some("ids".into()), ..PacketOptions::default() };
    let mut all = engine.open(&path, &PacketOptions::default());
    let mut members = vec![engine.open(&path, &member)];
    let (mut owner, mut total) = (BTreeMap::new(), 0);
    for number in 0..3000_u64 {
        if number == 1000 || number == 1500 {
            members.push(engine.open(&path, &member));
        }
        if number == 2000 {
            members.remove(0);
            engine.serve();
            engine.serve();
        }
        // Ten flows a bucket of time; a flow's hash is its own.
        engine.shards[0].push(number, 1, |d| d.hash = hash(number % 50));
        drain(&mut all);
        for (index, reader) in members.iter_mut().enumerate() {
            for seen in drain(reader).0 {
                assert!(owner.insert(seen, index).is_none(), "{seen} was read twice");
                total += 1;
            }
        }
    }
    assert_eq!(total, 3000, "the union is the whole");
    for steady in [0..1000_u64, 1000..1500, 1500..2000, 2000..3000] {
        let mut of_flow = BTreeMap::new();
        for number in steady {
            let first = of_flow.entry(number % 50).or_insert(owner[&number]);
            assert_eq!(*first, owner[&number], "a flow is one member's");
        }
        let owners: std::collections::BTreeSet<_> = of_flow.values().collect();
        assert!(owners.len() >= 2 || owner[&0] == 0);
    }
    let counts = members[0].counts();
    assert_eq!(counts.missed, 0);
    assert!(counts.others > 0 && counts.delivered > 0);
}

#[test]
fn fixed_shares_are_the_whole() {
    let (_directory, path) = place();
    let mut engine = Engine::start(&path, 1, SLOTS / 2);
    let mut readers: Vec<_> = (0..3)
        .map(|member| {
            let share = Some(Share { member, of: 3 });
            engine.open(&path, &PacketOptions { share, ..PacketOptions::default() })
        })
        .collect();
    (0..300).for_each(|number| engine.shards[0].push(number, 1, |_| {}));
    let mut all: Vec<u64> = readers.iter_mut().flat_map(|reader| drain(reader).0).collect();
    all.sort_unstable();
    assert_eq!(all, (0..300).collect::<Vec<_>>());
    assert!(readers.iter().all(|reader| reader.counts().delivered > 50));
}

#[test]
fn shards_come_in_time_order() {
    let (_directory, path) = place();
    let mut engine = Engine::start(&path, 3, SLOTS / 2);
    let mut reader = engine.open(&path, &lease());
    let mut seen = Vec::new();
    for number in 0..3000_u64 {
        let shard = usize::try_from(hash(number) % 3).unwrap();
        engine.shards[shard].push(number, 1, |_| {});
        if number % 100 == 0 {
            seen.extend(drain(&mut reader).0);
        }
    }
    engine.end();
    seen.extend(drain(&mut reader).0);
    assert_eq!(seen, (0..3000).collect::<Vec<_>>());
    assert!(matches!(reader.hold(), Next::Ended));
}

/// A reader a shard, on a thread of its own: all is read, in order, and nobody sleeps through a
/// wake-up that another took from the connection that they share.
#[test]
fn a_reader_for_each_shard() {
    let (_directory, path) = place();
    let mut engine = Engine::start(&path, 3, SLOTS / 2);
    let readers = engine.open(&path, &lease()).by_shard().unwrap();
    let shards: Vec<_> = readers.iter().map(PacketReader::only_shard).collect();
    assert_eq!(shards, [Some(0), Some(1), Some(2)]);
    let seen: Vec<Vec<u64>> = thread::scope(|scope| {
        let read = |mut reader: PacketReader| {
            let mut seen = Vec::new();
            loop {
                seen.extend(drain(&mut reader).0);
                let woken = reader.wait(Some(Duration::from_secs(20)));
                assert_ne!(woken, Woken::Timeout, "it slept through a wake-up");
                if woken == Woken::Over {
                    seen.extend(drain(&mut reader).0);
                    assert!(matches!(reader.hold(), Next::Ended));
                    assert!(reader.is_leased());
                    return seen;
                }
            }
        };
        let threads: Vec<_> =
            readers.into_iter().map(|reader| scope.spawn(move || read(reader))).collect();
        for number in 0..3000_u64 {
            let shard = usize::try_from(hash(number) % 3).unwrap();
            engine.shards[shard].push(number, 1, |_| {});
            engine.wake();
            if number % 50 == 0 {
                rest(Duration::from_millis(1));
            }
        }
        engine.end();
        engine.wake();
        threads.into_iter().map(|thread| thread.join().unwrap()).collect()
    });
    for (shard, seen) in (0..).zip(&seen) {
        let expected: Vec<u64> = (0..3000).filter(|number| hash(*number) % 3 == shard).collect();
        assert!(*seen == expected, "{} of {}", seen.len(), expected.len());
    }
}

#[test]
fn a_silent_shard_does_not_stop_the_others() {
    let (_directory, path) = place();
    let mut engine = Engine::start(&path, 2, SLOTS / 2);
    let mut reader = engine.open(&path, &PacketOptions::default());
    engine.shards[0].push(5, 1, |_| {});
    assert!(matches!(reader.hold(), Next::Empty), "the other may have an older one");
    assert_eq!(reader.wait(Some(Duration::from_secs(5))), Woken::Packets, "but not for ever");
    let (numbers, _) = drain(&mut reader);
    assert_eq!(numbers, [5]);
}

#[test]
fn what_a_reader_does_not_want_is_left_out() {
    let (_directory, path) = place();
    let mut engine = Engine::start(&path, 1, SLOTS / 2);
    let member = PacketOptions { group: Some("ids".into()), ..lease() };
    let mut by_app = engine.open(&path, &PacketOptions::default());
    let mut by_flow = engine.open(&path, &PacketOptions::default());
    let mut by_group = engine.open(&path, &member);
    by_app.set_apps(&[7, 9]);
    by_flow.set_flow(Some(3));
    for number in 0..20 {
        engine.shards[0].push(number, 1, |d| {
            d.app = if number % 2 == 0 { 7 } else { 8 };
            d.shunted = if number < 5 { 1 } else { 2 };
        });
    }
    assert_eq!(drain(&mut by_app).0, (0..20).step_by(2).collect::<Vec<u64>>());
    assert_eq!(drain(&mut by_flow).0, [2]);
    assert_eq!(drain(&mut by_group).0, (5..20).collect::<Vec<u64>>());
    let counts = by_group.counts();
    assert_eq!((counts.delivered, counts.shunted, counts.others), (15, 5, 0));
    assert_eq!((by_app.counts().filtered, by_flow.counts().filtered), (10, 19));
}

#[test]
fn a_stripped_tag_is_back_in_the_data() {
    let (_directory, path) = place();
    let mut engine = Engine::start(&path, 1, SLOTS / 2);
    let mut reader = engine.open(&path, &lease());
    engine.shards[0].push(0, 2, |d| {
        d.flags = flag::VLAN_STRIPPED;
        d.vlan = 0x2064;
    });
    let held = packet(&mut reader).unwrap();
    let plain = expected(0, 2);
    let bytes = reader.bytes(&held);
    assert_eq!(bytes[..12], plain[..12]);
    assert_eq!(bytes[12..16], [0x81, 0, 0x20, 0x64]);
    assert_eq!(bytes[16..], plain[12..]);
    assert_eq!(held.wire_bytes(), 204);
}

#[test]
fn what_is_said_of_flows_arrives() {
    let (_directory, path) = place();
    let mut engine = Engine::start(&path, 1, SLOTS / 2);
    let member = PacketOptions { group: Some("ids".into()), ..lease() };
    let mut reader = engine.open(&path, &member);
    let mut alone = engine.open(&path, &lease());
    engine.shards[0].push(0, 1, |_| {});
    let held = packet(&mut reader).unwrap();
    reader.shunt(&held).unwrap();
    reader.judge(&held, Judgement::Block).unwrap();
    let other = packet(&mut alone).unwrap();
    assert!(alone.shunt(&other).unwrap_err().to_string().contains("member of a group"));
    let flow = FlowRef { shard: 0, slot: 1, id: 2 };
    let name = path.to_str().unwrap();
    engine.while_serving(|| {
        let control = Control::open(name).unwrap();
        control.judge(flow, Judgement::Allow).unwrap();
        rest(Duration::from_millis(50));
    });
    engine.serve();
    assert_eq!(engine.asked, [What::Shunt { group: 0 }, What::Block, What::Allow]);
}

#[test]
fn who_may_not_read_packets_is_told() {
    let (_directory, path) = place();
    let engine = Engine::start(&path, 1, SLOTS / 2);
    drop(engine);
    let error = PacketReader::open(path.to_str().unwrap(), &lease()).unwrap_err().to_string();
    assert!(error.contains("no engine") || error.contains("has ended"), "{error}");
    assert_eq!(Access::default(), Access::Any);
}

#[test]
fn waits_end_by_packets_time_and_wakers() {
    let (_directory, path) = place();
    let mut engine = Engine::start(&path, 1, SLOTS / 2);
    let mut reader = engine.open(&path, &lease());
    assert_eq!(reader.wait(Some(Duration::from_millis(5))), Woken::Timeout);
    let waker = reader.waker();
    let woken = thread::scope(|scope| {
        let handle = scope.spawn(|| reader.wait(None));
        rest(Duration::from_millis(20));
        waker.wake();
        handle.join().unwrap()
    });
    assert_eq!(woken, Woken::Interrupted);
    // One that came before the wait, or between two of them, ends the next.
    waker.wake();
    waker.wake();
    assert_eq!(reader.wait(None), Woken::Interrupted);
    assert_eq!(reader.wait(Some(Duration::from_millis(5))), Woken::Timeout);
    waker.wake();
    assert!(!reader.arm());
    assert!(is_readable(&reader), "nor is it lost to those who wait on the descriptor");
    assert!(!reader.arm());
    assert!(!is_readable(&reader));
    let done = AtomicBool::new(false);
    let woken = thread::scope(|scope| {
        let handle = scope.spawn(|| {
            let woken = reader.wait(None);
            done.store(true, Ordering::Release);
            woken
        });
        rest(Duration::from_millis(20));
        let shard = &mut engine.shards[0];
        shard.push(1, 1, |_| {});
        assert_eq!(shard.shared.packets.sleepers(), 1, "it asked to be woken");
        assert_eq!(shard.shared.packets.sleepers(), 0, "and is woken once");
        // The engine would ring the bell; here a waker stands in, and the packet is what counts.
        waker.wake();
        handle.join().unwrap()
    });
    assert!(matches!(woken, Woken::Interrupted | Woken::Packets));
    assert_eq!(drain(&mut reader).0, [1]);
    engine.control.set_state(EngineState::Running);
    drop(engine);
    assert_eq!(reader.wait(Some(Duration::from_secs(5))), Woken::Over);
    assert!(matches!(reader.hold(), Next::Died), "it never said that it ended");
}

#[test]
fn the_end_is_told_to_sleepers() {
    let (_directory, path) = place();
    let mut engine = Engine::start(&path, 1, SLOTS / 2);
    let mut reader = engine.open(&path, &PacketOptions::default());
    assert!(!reader.arm());
    assert_eq!(engine.shards[0].shared.packets.sleepers(), 0, "nothing to tell");
    engine.end();
    assert_eq!(engine.shards[0].shared.packets.sleepers(), 1, "no packet came, but the end");
    assert_eq!(engine.shards[0].shared.packets.sleepers(), 0);
    assert_eq!(reader.wait(None), Woken::Over);
    assert!(matches!(reader.hold(), Next::Ended));
}

/// Where memory is short, readers that would hold it get windows.
#[test]
fn leases_leave_memory_for_frames_to_come() {
    let (_directory, path) = place();
    let mut engine = Engine::start(&path, 1, SLOTS / 2);
    engine.shards[0].shared.packets.limit_leases(6 * HOLD_MAX);
    let readers: Vec<_> = (0..5).map(|_| engine.open(&path, &lease())).collect();
    let leased = readers.iter().filter(|reader| reader.is_leased()).count();
    assert_eq!(leased, 3, "half of it, 256 each");
}

/// Readers come and go faster than shards let them go: they are refused in the end, and let in
/// again later.
#[test]
fn those_who_leave_are_not_without_number() {
    let (_directory, path) = place();
    let mut engine = Engine::start(&path, 1, SLOTS / 2);
    let name = path.to_str().unwrap().to_owned();
    let mut left = 0;
    let refused = |server: &mut Server, shards: &mut [Shard], left: &mut u64| {
        let open = thread::scope(|scope| {
            let opened = scope.spawn(|| PacketReader::open(&name, &lease()));
            while !opened.is_finished() {
                for event in server.serve() {
                    match event {
                        Event::Joined(joined) => {
                            let (place, generation) = (joined.place, joined.generation);
                            let page = joined.page(0);
                            // The shard has taken notice of all before it.
                            shards[0].shared.packets.leave(place, |_| {});
                            let join = Join { place, generation, page, lease: true };
                            shards[0].shared.packets.join(join);
                        }
                        Event::Left { .. } => *left += 1,
                        _ => {}
                    }
                }
                thread::yield_now();
            }
            opened.join().unwrap()
        });
        open.is_err()
    };
    let Engine { server, shards, .. } = &mut engine;
    let times = (0..1000).take_while(|_| !refused(server, shards, &mut left)).count();
    assert!((256..300).contains(&times), "{times}");
    for _ in 0..left {
        (0..64).for_each(|place| server.has_let_go(place));
    }
    assert!(!refused(server, shards, &mut left));
}
