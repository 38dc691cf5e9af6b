//! Frames are whole and checksums right, by the word of `etherparse`; the same seed gives the same
//! frames; rates are what they say.

use std::collections::{HashMap, HashSet};

use etherparse::{NetSlice, SlicedPacket, TransportSlice};
use weir_engine::wire::{FlowKey, LinkType, Parsed, parse};

use super::capture::Reading;
use super::synth::{Size, Synth, WHOLE, Wish};
use super::*;

pub(crate) fn wish() -> Wish {
    Wish {
        size: Size::Mix,
        flows: 100,
        births: 1,
        frames: 7,
        tcp: WHOLE / 2,
        handshakes: WHOLE / 2,
        payloads: WHOLE / 2,
        seed: 7,
    }
}

fn synthetic(wish: Wish) -> Plan {
    let mut store = Store::default();
    let synth = Synth::new(wish, &mut store);
    Plan { store, order: Order::Synth(synth) }
}

/// Checks lengths and all checksums; the TCP segment's sequence number, flags and payload bytes.
fn check(frame: &[u8]) -> Option<(u32, bool, u32)> {
    let packet = SlicedPacket::from_ethernet(frame).unwrap();
    let net = packet.net.as_ref().unwrap();
    if let NetSlice::Ipv4(ip) = net {
        let header = ip.header().to_header();
        assert_eq!(header.calc_header_checksum(), header.header_checksum, "{frame:02x?}");
    }
    let transport = packet.transport.as_ref().unwrap();
    match (transport, net) {
        (TransportSlice::Tcp(tcp), NetSlice::Ipv4(ip)) => {
            let sum = tcp.calc_checksum_ipv4(ip.header().source(), ip.header().destination());
            assert_eq!(sum.unwrap(), tcp.checksum(), "{frame:02x?}");
            let bytes = u32::try_from(tcp.payload().len()).unwrap();
            Some((tcp.sequence_number(), tcp.syn(), bytes))
        }
        (TransportSlice::Tcp(tcp), NetSlice::Ipv6(ip)) => {
            let sum = tcp.calc_checksum_ipv6(ip.header().source(), ip.header().destination());
            assert_eq!(sum.unwrap(), tcp.checksum(), "{frame:02x?}");
            None
        }
        (TransportSlice::Udp(udp), NetSlice::Ipv4(ip)) => {
            let header = udp.to_header();
            let (from, to) = (ip.header().source(), ip.header().destination());
            let sum = header.calc_checksum_ipv4_raw(from, to, udp.payload()).unwrap();
            assert!(header.checksum == sum || header.checksum == 0, "{frame:02x?}");
            None
        }
        (TransportSlice::Udp(udp), NetSlice::Ipv6(ip)) => {
            let header = udp.to_header();
            let (from, to) = (ip.header().source(), ip.header().destination());
            let sum = header.calc_checksum_ipv6_raw(from, to, udp.payload()).unwrap();
            assert!(header.checksum == sum || header.checksum == 0, "{frame:02x?}");
            None
        }
        _ => None,
    }
}

fn key(frame: &[u8]) -> Option<FlowKey> {
    let mut parsed = Parsed::default();
    let bytes = u32::try_from(frame.len()).unwrap();
    parse(LinkType::Ethernet, 0, frame, bytes, &mut parsed).ok()?;
    Some(parsed.key)
}

fn all(plan: &Plan, frames: u64) -> Vec<Vec<u8>> {
    let mut traffic = Traffic::new(plan.clone(), Pace::Top, Some(frames));
    let mut room = vec![0; MAX_FRAME_BYTES];
    let mut found = Vec::new();
    while traffic.due_ns().is_some() {
        let bytes = traffic.write(&mut room);
        found.push(room[..bytes].to_vec());
    }
    found
}

#[test]
fn synthetic_frames_are_whole_and_streams_have_no_holes() {
    let plan = synthetic(wish());
    let mut next: HashMap<FlowKey, u32> = HashMap::new();
    let (mut streams, mut opened) = (0, 0);
    for frame in all(&plan, 50_000) {
        let segment = check(&frame);
        let from_server = frame[26..30] == [198, 19, 0, 1];
        let Some((sequence, syn, bytes)) = segment.filter(|_| !from_server) else { continue };
        let due = sequence.wrapping_add(bytes + u32::from(syn));
        streams += 1;
        opened += u32::from(syn);
        if let Some(expected) = next.insert(key(&frame).unwrap(), due) {
            assert_eq!(expected, sequence, "nothing is lost or sent twice");
        }
    }
    assert!(streams > 10_000 && opened > 1_000, "{streams} {opened}");
}

#[test]
fn flows_follow_each_other_at_the_rate_that_is_wanted() {
    for (flows, births, frames) in [(100, 1, 7), (1, 0, 1), (1, 1, 1), (1000, 3, 10), (64, 0, 1)] {
        let plan = synthetic(Wish { flows, births, frames, ..wish() });
        let sent = 20_000_u64;
        let keys: HashSet<_> = all(&plan, sent).iter().map(|frame| key(frame).unwrap()).collect();
        let wanted = f64::from(flows) + 20_000.0 * f64::from(births) / f64::from(frames);
        let found = f64::from(u32::try_from(keys.len()).unwrap());
        let slack = f64::from(flows) + 2.0;
        assert!((found - wanted).abs() <= slack, "{flows} {births}/{frames}: {found} of {wanted}");
        if births == 0 {
            assert_eq!(keys.len(), flows as usize);
        }
    }
}

#[test]
fn shares_are_those_that_are_wanted() {
    let plan = synthetic(Wish { flows: 10_000, births: 0, tcp: WHOLE / 4, ..wish() });
    let frames = all(&plan, 10_000);
    let tcp = frames.iter().filter(|frame| frame[23] == 6).count();
    assert!((2300..2700).contains(&tcp), "{tcp}");
    for (share, expected) in [(0, 0), (WHOLE, 10_000)] {
        let plan = synthetic(Wish { flows: 10_000, births: 0, tcp: share, ..wish() });
        let tcp = all(&plan, 10_000).iter().filter(|frame| frame[23] == 6).count();
        assert_eq!(tcp, expected);
    }
}

#[test]
fn sizes_are_those_that_are_wanted() {
    let bulk = Wish { handshakes: 0, payloads: 0, births: 0, ..wish() };
    let frames = all(&synthetic(bulk), 48 * 100);
    let count = |size: usize| frames.iter().filter(|frame| frame.len() + 4 == size).count();
    assert_eq!([count(64), count(570), count(1518)], [2800, 1600, 400]);
    for size in [64, 128, 256, 512, 1024, 1280, 1518, 9000] {
        let plan = synthetic(Wish { size: Size::Fixed(size), ..bulk });
        for frame in all(&plan, 100) {
            assert_eq!(frame.len() + 4, size as usize);
            check(&frame);
        }
    }
}

#[test]
fn the_same_seed_gives_the_same_and_another_does_not() {
    let one = all(&synthetic(wish()), 1000);
    assert_eq!(one, all(&synthetic(wish()), 1000));
    assert_ne!(one, all(&synthetic(Wish { seed: 8, ..wish() }), 1000));
}

#[test]
fn frames_are_due_at_the_rate() {
    let due = |pace: Pace, at: u64| {
        let plan = synthetic(Wish { size: Size::Fixed(128), payloads: 0, handshakes: 0, ..wish() });
        let mut traffic = Traffic::new(plan, pace, None);
        for _ in 0..at {
            traffic.skip();
        }
        traffic.due_ns().unwrap()
    };
    let near = |found: u64, wanted: u64| found.abs_diff(wanted) <= wanted / 1_000_000 + 1;
    assert!(near(due(Pace::frames_a_second(3e6), 30_000), 10_000_000));
    assert!(near(due(Pace::frames_a_second(0.5), 3), 6_000_000_000));
    assert!(near(due(Pace::bits_a_second(1e9), 10_000), 10_240_000));
    assert_eq!(due(Pace::Top, 1000), 0);
}

/// A capture of all that the tests' generator knows: tunnels, tags, pieces, IPv6, broken frames.
fn capture(flows: usize) -> tempfile::NamedTempFile {
    let file = tempfile::NamedTempFile::new().unwrap();
    weir_tests::traffic::mixed(flows, 3).write(file.path()).unwrap();
    file
}

#[test]
fn every_round_is_other_flows_and_checksums_hold() {
    let file = capture(400);
    let reading = Reading { speed: 1.0, new_flows: true, longest: None };
    let (plan, notes) = read(file.path(), reading).unwrap();
    let round = plan.round();
    assert!(notes.unchanged > 0 && notes.unchanged < 40, "{notes:?}");
    let frames = all(&plan, round * 4);
    let rounds: Vec<_> = frames.chunks(usize::try_from(round).unwrap()).collect();
    let keys =
        |round: &[Vec<u8>]| round.iter().filter_map(|frame| key(frame)).collect::<HashSet<_>>();
    let first = keys(rounds[0]);
    for (number, later) in rounds.iter().enumerate().skip(1) {
        let found = keys(later);
        assert_eq!(found.len(), first.len(), "as many flows in round {number}");
        assert_eq!(found.intersection(&first).count(), 0, "round {number} has none of the first");
        for (before, after) in rounds[0].iter().zip(*later) {
            assert_eq!(before.len(), after.len());
            if before != after && valid(before) {
                assert!(valid(after), "{before:02x?}\n{after:02x?}");
            }
        }
    }
    // Without the wish, nothing changes.
    let (plan, _) = read(file.path(), Reading { new_flows: false, ..reading }).unwrap();
    let frames = all(&plan, round * 2);
    let (first, second) = frames.split_at(usize::try_from(round).unwrap());
    assert!(first == second);
}

/// Whether all checksums that can be looked at hold; those of frames that break off do not.
fn valid(frame: &[u8]) -> bool {
    std::panic::catch_unwind(|| check(frame)).is_ok()
}

#[test]
fn captures_keep_their_time() {
    let file = capture(50);
    let reading = Reading { speed: 1.0, new_flows: false, longest: None };
    let (plan, notes) = read(file.path(), reading).unwrap();
    let Order::Loop { period_ns, .. } = plan.order else { unreachable!() };
    assert_eq!(notes.too_short, 1, "a frame of 10 bytes");
    // That one may have been at any place.
    assert!(period_ns.abs_diff((plan.round() + 1) * 50_000) < 1_000, "{period_ns}");
    let mut traffic = Traffic::new(plan.clone(), Pace::Timetable, Some(plan.round() + 3));
    let templates = plan.store.templates();
    for (number, template) in templates.iter().chain(&templates[..3]).enumerate() {
        let before = if number < templates.len() { 0 } else { period_ns };
        assert_eq!(traffic.due_ns(), Some(before + template.due_ns));
        traffic.skip();
    }
    assert_eq!(traffic.due_ns(), None);
    let (fast, _) = read(file.path(), Reading { speed: 2.0, ..reading }).unwrap();
    let all = fast.store.templates();
    assert!(all.iter().zip(templates).all(|(fast, slow)| fast.due_ns == slow.due_ns / 2));
}
