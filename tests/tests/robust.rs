//! Damaged conversations of every protocol through inspection: no panic, no allocation, nothing
//! lost, and no flow beyond its limits. What is drawn is drawn the same every time; `make fuzz` goes
//! further.

use std::cell::Cell;
use weir_dpi::inspect::UNNAMED_PACKETS;
use weir_dpi::{
    AppId, Direction, Dissector, Endpoint, First, Inspector, Limits, Notes, Outcome, Segment, Slot,
    Step, TcpSegment, Transport, View, app, fuzzing,
};
use weir_tests::allocations::{self, Counting};
use weir_tests::drive;
use weir_tests::seeds::{self, Seed};

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// Inputs of each inspector.
const INPUTS: u64 = 60_000;
/// Nothing that one input taught is remembered at the next.
const BETWEEN_NS: u64 = 25 * 3600 * 1_000_000_000;

/// Knuth's generator: plain, and the same everywhere.
struct Random(u64);

impl Random {
    fn below(&mut self, limit: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        usize::try_from(self.0 >> 33).unwrap_or(0) % limit.max(1)
    }

    fn byte(&mut self) -> u8 {
        self.below(256).to_le_bytes()[0]
    }
}

/// A few conversations among each other, some of their bytes damaged.
fn input(seeds: &[Seed], random: &mut Random) -> Vec<u8> {
    let mut input = Vec::new();
    let mut port = None;
    for flow in 0..=random.below(3).to_le_bytes()[0] {
        let mut seed = seeds[random.below(seeds.len())].clone();
        // Protocols on ports of others, at times.
        seed.port = port.filter(|_| random.below(4) == 0).unwrap_or(seed.port);
        port = Some(seed.port);
        for (from_server, message) in &seed.messages {
            let mut message = message.clone();
            damage(&mut message, random);
            let from_server = *from_server != (random.below(16) == 0);
            // One message in pieces, or as it is.
            let piece = if random.below(3) == 0 { 1 + random.below(40) } else { message.len() };
            for piece in message.chunks(piece.max(1)).take(20) {
                seed.packet(flow, from_server, piece, &mut input);
            }
        }
    }
    // The frame of the input too: flags, ports and lengths.
    if random.below(4) == 0 {
        damage(&mut input, random);
    }
    input
}

fn damage(bytes: &mut Vec<u8>, random: &mut Random) {
    for _ in 0..random.below(4) {
        if bytes.is_empty() {
            return;
        }
        let span = if random.below(2) == 0 { bytes.len().min(48) } else { bytes.len() };
        let at = random.below(span);
        match random.below(5) {
            0 => bytes[at] ^= 1 << random.below(8),
            1 => bytes[at] = [0, 1, 0x7f, 0x80, 0xff, b'\n'][random.below(6)],
            2 => bytes.truncate(at + 1),
            3 => drop(bytes.drain(at..(at + 1 + random.below(8)).min(bytes.len()))),
            _ => bytes.insert(at, random.byte()),
        }
    }
}

fn bear(name: &str, inspector: &mut Inspector, seeds: &[Seed]) {
    let (limits, mut random) = (drive::limits(), Random(name.len() as u64 | 1));
    let (mut named, mut packets) = (0, 0);
    for number in 0..INPUTS {
        let input = input(seeds, &mut random);
        let (driven, allocations) =
            allocations::during(|| drive::inspect(inspector, &limits, number * BETWEEN_NS, &input));
        assert_eq!(allocations, 0, "{name}, input {number}");
        named += driven.named;
        packets += driven.packets;
    }
    eprintln!("{name}: {INPUTS} inputs, {packets} packets, {named} flows named");
    assert!(packets > INPUTS, "the inputs reach inspection");
    // The few seeds that are always there are not of every family.
    let all_seeds = std::env::var_os("WEIR_SEEDS").is_some();
    assert!(named > INPUTS / 50 || !all_seeds, "the inputs reach the dissectors");
}

#[test]
fn damaged_conversations_are_borne_by_all_together_and_by_each_family() {
    let (_, allocations) = allocations::during(|| std::hint::black_box(vec![0u8; 100]));
    assert!(allocations > 0, "the allocator does not count");
    let seeds = seeds::all().unwrap();
    bear("all", &mut Inspector::new(&drive::limits()), &seeds);
    for (name, dissectors) in fuzzing::FAMILIES {
        bear(name, &mut fuzzing::inspector(&drive::limits(), dissectors), &seeds);
    }
}

/// As many protocols as this are told by content, each shown by a message of a unit test.
const PROTOCOLS: usize = 220;

#[test]
fn protocols_are_told_by_content() {
    if std::env::var_os("WEIR_SEEDS").is_none() {
        eprintln!(
            "SKIPPED protocols_are_told_by_content: needs WEIR_SEEDS, as tests/run.sh sets it"
        );
        return;
    }
    let seeds = seeds::all().unwrap();
    let names = seeds.iter().filter_map(|seed| app::by_name(&seed.name));
    let names: std::collections::BTreeSet<_> = names.collect();
    eprintln!("{} protocols told by content", names.len());
    assert!(names.len() >= PROTOCOLS, "{}", names.len());
}

#[test]
fn damaged_metadata_is_borne() {
    let folder = tempfile::tempdir().unwrap();
    seeds::write(folder.path()).unwrap();
    let mut random = Random(7);
    for entry in std::fs::read_dir(folder.path().join("metadata")).unwrap() {
        let sound = std::fs::read(entry.unwrap().path()).unwrap();
        for _ in 0..200 {
            let mut bytes = sound.clone();
            damage(&mut bytes, &mut random);
            drive::metadata(&bytes);
        }
    }
}

thread_local! {
    /// Calls of the spies, and bytes that they were shown.
    static SEEN: Cell<(u64, u64)> = const { Cell::new((0, 0)) };
}

fn spied(view: &View<'_>) {
    let (calls, bytes) = SEEN.get();
    SEEN.set((calls + 1, bytes + view.data.len() as u64));
}

/// Never tells, never gives up.
fn stubborn(view: &View<'_>, _: &mut Notes<'_>) -> Outcome {
    spied(view);
    Outcome::NeedMore
}

/// Knows at once, and never has enough.
fn curious(view: &View<'_>, _: &mut Notes<'_>) -> Outcome {
    spied(view);
    Outcome::found_more(AppId::SSH)
}

const fn spy(run: fn(&View<'_>, &mut Notes<'_>) -> Outcome) -> Dissector {
    let over = &[Transport::Tcp, Transport::Udp];
    Dissector { app: AppId::SSH, over, ports: &[], ports_only: false, first: First::Any, run }
}

/// Packets and bytes until inspection ends, and what the spies saw.
fn until_the_end(
    spy: Dissector,
    tcp: bool,
    syn_seen: bool,
    payload: &[u8],
    direction: impl Fn(u64) -> Direction,
) -> (u64, u64, (u64, u64)) {
    let mut inspector = fuzzing::inspector(&Limits::default(), &[spy]);
    let (mut slot, mut next) = (Slot::NONE, [0u32; 2]);
    let end = |last, port| Endpoint { address: [last; 16], port };
    let length = u32::try_from(payload.len()).unwrap_or(u32::MAX);
    SEEN.set((0, 0));
    for packet in 1.. {
        let direction = direction(packet);
        let seq = &mut next[direction as usize];
        let segment = Segment {
            payload,
            direction,
            client: end(1, 40_000),
            server: end(2, 50_000),
            protocol: if tcp { 6 } else { 17 },
            tcp: tcp.then_some(TcpSegment { seq: *seq, syn_seen, fin: false, rst: false }),
            now_ns: packet,
            payload_missing: false,
        };
        *seq += length;
        if let Step::Ended(_) = inspector.inspect(&mut slot, &segment) {
            return (packet, packet * payload.len() as u64, SEEN.get());
        }
        assert!(packet < 1000, "the flow never ends");
    }
    unreachable!()
}

#[test]
fn work_for_a_flow_is_bounded() {
    let limits = Limits::default();
    let (most, buffer) = (u64::from(UNNAMED_PACKETS), u64::from(limits.stream_bytes));
    for length in [1, 100, 700, 1460, 9000, 60_000] {
        let payload = vec![b'x'; length];
        let length = length as u64;
        for (tcp, syn_seen) in [(true, true), (true, false), (false, false)] {
            for turns in [1, 2, 5] {
                let side = |packet: u64| {
                    if packet.is_multiple_of(turns) {
                        Direction::ToServer
                    } else {
                        Direction::ToClient
                    }
                };
                let (packets, bytes, seen) =
                    until_the_end(spy(stubborn), tcp, syn_seen, &payload, side);
                assert!(packets <= most, "{packets} packets without a name");
                assert!(bytes < buffer + 2 * length, "{bytes} bytes without a name");
                // A segment from the middle is looked at once more by itself.
                assert!(seen.0 <= 3 * packets, "{} calls in {packets} packets", seen.0);
                assert!(seen.1 <= 3 * packets * buffer.max(length), "{} bytes shown", seen.1);
                let (packets, _, seen) = until_the_end(spy(curious), tcp, syn_seen, &payload, side);
                let most = if tcp { limits.packets_tcp } else { limits.packets_udp };
                assert!(packets <= u64::from(most), "{packets} packets of a flow with a name");
                assert!(seen.0 <= packets);
            }
        }
    }
}
