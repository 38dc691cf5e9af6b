//! The inspector with dissectors made for the purpose, so that what is proved does not depend on
//! any protocol's details.

use super::*;
use crate::attr::HOST_NAME;
use crate::view::{First, Notes, Outcome, View};
use proptest::prelude::*;

pub(super) const CLIENT: Endpoint = Endpoint { address: [1; 16], port: 40_000 };
pub(super) const SERVER: Endpoint = Endpoint { address: [2; 16], port: 9 };
const BOTH: &[Transport] = &[Transport::Tcp, Transport::Udp];

/// A message: `M`, its length, that many bytes, the last of which is the sum of those before.
/// Named only when whole and sound; a wrong byte anywhere excludes it. None of its bytes is zero,
/// which alone might pass for padding.
fn message(view: &View<'_>, notes: &mut Notes<'_>) -> Outcome {
    let [b'M', high @ 1..=255, low @ 1..=255, rest @ ..] = view.data else {
        return if view.data.len() < 3 && view.data[0] == b'M' {
            Outcome::NeedMore
        } else {
            Outcome::NotMine
        };
    };
    notes.meta.put(&HOST_NAME, b"Partial.Example");
    let length = 250 * usize::from(high - 1) + usize::from(low - 1);
    let Some((sum, body)) = rest.get(..length).and_then(<[u8]>::split_last) else {
        return Outcome::NeedMore;
    };
    if sum_of(body) == *sum { Outcome::found(AppId::SSH) } else { Outcome::NotMine }
}

fn sum_of(body: &[u8]) -> u8 {
    body.iter().fold(0u8, |sum, byte| sum.wrapping_add(*byte)).max(1)
}

/// `Q` in one direction asks, `R` in the other answers with the host name.
fn dialogue(view: &View<'_>, notes: &mut Notes<'_>) -> Outcome {
    match view.data {
        [b'Q', ..] => Outcome::found_more(AppId::TLS),
        [b'R', name @ ..] if !name.is_empty() => {
            notes.meta.put(&HOST_NAME, name);
            Outcome::found(AppId::TLS)
        }
        [b'R'] => Outcome::NeedMore,
        _ => Outcome::NotMine,
    }
}

/// Announces a flow from the server's port 777, and knows `NAME` for the server's address.
fn teller(view: &View<'_>, notes: &mut Notes<'_>) -> Outcome {
    notes.knowledge.expect_flow(view.server.address, 777, AppId::FTP_DATA);
    notes.knowledge.learn_name([3; 16], b"www.youtube.com", 60);
    Outcome::found(AppId::FTP_CONTROL)
}

const fn made(
    app: AppId,
    first: First,
    run: fn(&View<'_>, &mut Notes<'_>) -> Outcome,
) -> Dissector {
    Dissector { app, over: BOTH, ports: &[], ports_only: false, first, run }
}

const DISSECTORS: &[Dissector] = &[
    made(AppId::SSH, First::OneOf(b"M"), message),
    made(AppId::TLS, First::OneOf(b"QR"), dialogue),
    made(AppId::FTP_CONTROL, First::OneOf(b"T"), teller),
];

pub(super) fn limits() -> Limits {
    Limits { flows: 4, stream_buffers: 4, stream_bytes: 1024, ..Limits::default() }
}

fn inspector(limits: &Limits) -> Inspector {
    Inspector::with_dissectors(limits, &[DISSECTORS])
}

pub(super) fn tcp(seq: u32, direction: Direction, payload: &[u8]) -> Segment<'_> {
    let tcp = Some(TcpSegment { seq, syn_seen: true, fin: false, rst: false });
    Segment {
        payload,
        direction,
        client: CLIENT,
        server: SERVER,
        protocol: TCP,
        tcp,
        now_ns: 1,
        payload_missing: false,
    }
}

pub(super) fn udp(payload: &[u8]) -> Segment<'_> {
    Segment { protocol: UDP, tcp: None, ..tcp(0, ToServer, payload) }
}

/// The host names in a flow's report.
fn names_in(report: &[u8]) -> Vec<&[u8]> {
    let all = crate::meta::decode(report);
    all.filter(|(id, _)| *id == HOST_NAME.id).map(|(_, name)| name).collect()
}

fn midstream(segment: Segment<'_>) -> Segment<'_> {
    Segment { tcp: segment.tcp.map(|tcp| TcpSegment { syn_seen: false, ..tcp }), ..segment }
}

use Direction::{ToClient, ToServer};

const SSH: Verdict =
    Verdict { master: AppId::SSH, app: AppId::SSH, confidence: Confidence::Content };

/// A sound message with a body of `length` bytes.
fn sound(length: u16) -> Vec<u8> {
    let body: Vec<u8> = (0..length - 1).map(|at| u8::try_from(1 + at % 251).unwrap()).collect();
    let byte = |part: u16| u8::try_from(part + 1).unwrap();
    let head = [b'M', byte(length / 250), byte(length % 250)];
    [&head[..], &body, &[sum_of(&body)]].concat()
}

/// Everything that was taken is back: no slot and no buffer is leaked.
fn assert_empty(inspector: &Inspector, limits: &Limits) {
    assert_eq!((inspector.flows_in_progress(), inspector.metas.in_use()), (0, 0));
    assert_eq!(inspector.streams.available(), usize::try_from(limits.stream_buffers).unwrap());
}

#[test]
fn a_message_over_segments_is_named_when_it_is_whole() {
    let (whole, limits) = (sound(40), limits());
    let mut inspector = inspector(&limits);
    let mut slot = Slot::NONE;
    let (a, b) = whole.split_at(7);
    assert_eq!(inspector.inspect(&mut slot, &tcp(100, ToServer, a)), Step::More);
    assert_eq!(inspector.inspect(&mut slot, &tcp(107, ToServer, b)), Step::Ended(SSH));
    assert_eq!(names_in(inspector.meta(slot)), [b"partial.example"], "what was put at last");
    inspector.release(&mut slot);
    assert!(slot.is_none() && inspector.meta(slot).is_empty());
    assert_empty(&inspector, &limits);
    let counters = inspector.counters();
    assert_eq!((counters.flows_begun, counters.flows_by_content), (1, 1));
}

#[test]
fn padding_before_the_first_byte_is_not_the_beginning() {
    let mut inspector = inspector(&limits());
    let mut slot = Slot::NONE;
    for zeros in [&[0u8][..], &[0; 6]] {
        assert_eq!(inspector.inspect(&mut slot, &tcp(100, ToServer, zeros)), Step::More);
    }
    assert_eq!(inspector.inspect(&mut slot, &tcp(100, ToServer, &sound(40))), Step::Ended(SSH));
    inspector.release(&mut slot);
    assert_empty(&inspector, &limits());
}

#[test]
fn what_excludes_every_protocol_ends_the_inspection() {
    let limits = limits();
    let mut inspector = inspector(&limits);
    let mut slot = Slot::NONE;
    let first = inspector.inspect(&mut slot, &tcp(100, ToServer, b"nothing"));
    assert_eq!(first, Step::More, "the true first segment might be late");
    assert_eq!(inspector.inspect(&mut slot, &tcp(107, ToServer, b"more of it")), Step::More);
    let third = inspector.inspect(&mut slot, &tcp(117, ToServer, b"and more"));
    assert_eq!(third, Step::Ended(Verdict::UNKNOWN));
    inspector.release(&mut slot);
    assert_eq!(inspector.counters().gave_up, 1);
    assert_empty(&inspector, &limits);
}

#[test]
fn a_named_flow_is_read_on_in_both_directions() {
    let limits = limits();
    let mut inspector = inspector(&limits);
    let mut slot = Slot::NONE;
    let tls = Verdict { master: AppId::TLS, app: AppId::TLS, confidence: Confidence::Content };
    let step = inspector.inspect(&mut slot, &tcp(1, ToServer, b"Q"));
    assert_eq!(step, Step::Refined(tls));
    assert_eq!(inspector.inspect(&mut slot, &tcp(9, ToClient, b"R")), Step::More);
    let step = inspector.inspect(&mut slot, &tcp(10, ToClient, b"WWW.YouTube.com."));
    let youtube = Verdict { app: AppId::YOUTUBE, confidence: Confidence::HostName, ..tls };
    assert_eq!(step, Step::Ended(youtube));
    assert_eq!(crate::meta::decode(inspector.meta(slot)).next().unwrap().1, b"www.youtube.com");
    inspector.release(&mut slot);
    assert_empty(&inspector, &limits);
}

#[test]
fn a_report_says_why_and_in_which_bytes() {
    let mut inspector = inspector(&limits());
    let mut slot = Slot::NONE;
    inspector.inspect(&mut slot, &tcp(1, ToServer, b"Q"));
    inspector.inspect(&mut slot, &tcp(9, ToClient, b"Rwww.youtube.com"));
    let find = |report: &[u8], id: u16| {
        crate::meta::decode(report).find(|(found, _)| *found == id).map(|(_, value)| value.to_vec())
    };
    let report = inspector.meta(slot).to_vec();
    let why = Why::decode(&find(&report, crate::attr::WHY.id).unwrap()).unwrap();
    assert_eq!((why.rule, why.number, why.packet), (Rule::HostName, AppId::TLS.0, 1));
    assert_eq!((why.direction, why.evidence()), (ToServer, &b"Q"[..]));
    assert_eq!(find(&report, crate::attr::STACK.id), None, "TCP.TLS.YouTube says itself");
    inspector.release(&mut slot);
    // A guess has its reason too; with the setting off nothing has.
    for explain in [true, false] {
        let mut inspector = self::inspector(&Limits { explain, ..limits() });
        let https = Endpoint { port: 443, ..SERVER };
        let segment = Segment { server: https, ..tcp(1, ToServer, b"zzz") };
        let steps: Vec<Step> = (0..3).map(|_| inspector.inspect(&mut slot, &segment)).collect();
        assert!(matches!(steps.last(), Some(Step::Ended(_))), "{steps:?}");
        let report = inspector.meta(slot).to_vec();
        assert_eq!(find(&report, crate::attr::WHY.id).is_some(), explain);
        inspector.release(&mut slot);
    }
}

#[test]
fn without_room_for_metadata_a_flow_is_named_and_not_read_on() {
    let limits = limits();
    let mut inspector = inspector(&limits);
    inspector.metas = Metas::new(1);
    let mut slots = [Slot::NONE; 2];
    let first = inspector.inspect(&mut slots[0], &tcp(1, ToServer, b"Q"));
    assert!(matches!(first, Step::Refined(_)));
    let second = inspector.inspect(&mut slots[1], &tcp(1, ToServer, b"Q"));
    assert!(matches!(second, Step::Ended(_)));
    assert_eq!(inspector.counters().metadata_exhausted, 1);
    for slot in &mut slots {
        inspector.release(slot);
    }
    assert_empty(&inspector, &limits);
}

#[test]
fn a_direction_that_was_read_keeps_no_bytes_and_asks_nobody() {
    fn once(view: &View<'_>, notes: &mut Notes<'_>) -> Outcome {
        assert_eq!(view.data, b"Q", "asked again about what it has read");
        notes.scratch.set_read(view.direction);
        Outcome::found_more(AppId::TLS)
    }
    let limits = limits();
    let dissectors = &[made(AppId::TLS, First::Any, once)];
    let mut inspector = Inspector::with_dissectors(&limits, &[dissectors]);
    let mut slot = Slot::NONE;
    let ask = tcp(100, ToServer, b"Q");
    let Step::Refined(tls) = inspector.inspect(&mut slot, &ask) else { panic!("not named") };
    let most = u32::from(limits.packets_tcp);
    for at in 1..most - 1 {
        let body = tcp(100 + at, ToServer, b"b");
        assert_eq!(inspector.inspect(&mut slot, &body), Step::More);
        assert_eq!(inspector.streams.available(), 4);
    }
    // The limit of packets holds, and the name stays.
    let last = tcp(100 + most, ToServer, b"b");
    assert_eq!(inspector.inspect(&mut slot, &last), Step::Ended(tls));
    inspector.release(&mut slot);
    assert_empty(&inspector, &limits);
}

#[test]
fn a_service_on_what_rides_on_another_protocol_is_named_by_the_carrier() {
    fn upgraded(_: &View<'_>, notes: &mut Notes<'_>) -> Outcome {
        notes.meta.put(&HOST_NAME, b"www.youtube.com");
        Outcome::found(AppId::WEBSOCKET)
    }
    let dissectors = &[made(AppId::HTTP, First::Any, upgraded)];
    let mut inspector = Inspector::with_dissectors(&limits(), &[dissectors]);
    let mut slot = Slot::NONE;
    let named = inspector.inspect(&mut slot, &tcp(100, ToServer, b"x"));
    let confidence = Confidence::HostName;
    let verdict = Verdict { master: AppId::HTTP, app: AppId::YOUTUBE, confidence };
    assert_eq!(named, Step::Ended(verdict));
}

#[test]
fn a_flow_named_before_its_end_keeps_its_name() {
    let mut inspector = inspector(&limits());
    let mut slot = Slot::NONE;
    assert!(matches!(inspector.inspect(&mut slot, &tcp(1, ToServer, b"Q")), Step::Refined(_)));
    assert_eq!(inspector.end(&mut slot, TCP, CLIENT, SERVER).app, AppId::TLS);
    inspector.release(&mut slot);
    assert_empty(&inspector, &limits());
}

#[test]
fn a_capture_from_the_middle_is_read_from_where_a_message_begins() {
    let whole = sound(30);
    let (a, b) = whole.split_at(11);
    let mut inspector = inspector(&limits());
    let mut slot = Slot::NONE;
    let mut step =
        |seq, payload| inspector.inspect(&mut slot, &midstream(tcp(seq, ToServer, payload)));
    assert_eq!(step(50, b"the end of something"), Step::More);
    assert_eq!(step(70, b"M\x01\x03xy: not sound"), Step::More);
    assert_eq!(step(90, a), Step::More);
    assert_eq!(step(101, b), Step::Ended(SSH));
    inspector.release(&mut slot);
    assert_empty(&inspector, &limits());
}

#[test]
fn a_capture_from_the_middle_gives_up_in_the_end() {
    let mut inspector = inspector(&limits());
    let mut slot = Slot::NONE;
    let steps: Vec<Step> = (0..20u32)
        .map(|at| inspector.inspect(&mut slot, &midstream(tcp(at * 4, ToServer, b"data"))))
        .take_while(|step| *step == Step::More)
        .collect();
    assert!((1..15).contains(&steps.len()), "{} packets", steps.len());
    inspector.release(&mut slot);
    assert_empty(&inspector, &limits());
}

#[test]
fn every_datagram_is_looked_at_anew_up_to_the_limit() {
    let limits = limits();
    let mut inspector = inspector(&limits);
    let mut slot = Slot::NONE;
    assert_eq!(inspector.inspect(&mut slot, &udp(b"noise")), Step::More);
    assert_eq!(inspector.inspect(&mut slot, &udp(&sound(9))), Step::Ended(SSH));
    inspector.release(&mut slot);
    for at in 1..=limits.packets_udp {
        let step = inspector.inspect(&mut slot, &udp(b"noise"));
        assert_eq!(step == Step::Ended(Verdict::UNKNOWN), at == limits.packets_udp, "{at}");
    }
    inspector.release(&mut slot);
    assert_empty(&inspector, &limits);
}

#[test]
fn in_a_full_pool_the_oldest_without_a_name_makes_room() {
    let limits = limits();
    let mut inspector = inspector(&limits);
    let mut slots = [Slot::NONE; 5];
    for slot in &mut slots[..4] {
        assert_eq!(inspector.inspect(slot, &udp(b"noise")), Step::More);
    }
    let https = Endpoint { port: 443, ..SERVER };
    assert_eq!(inspector.inspect(&mut slots[4], &udp(&sound(9))), Step::Ended(SSH));
    assert_eq!(inspector.counters().taken_away, 1);
    inspector.release(&mut slots[4]);
    // The first flow finds out with its next packet; the port is all there is.
    let step = inspector.inspect(&mut slots[0], &Segment { server: https, ..udp(b"noise") });
    let Step::Ended(guess) = step else { panic!("{step:?}") };
    assert_eq!((guess.app, guess.confidence), (AppId::QUIC, Confidence::PortGuess));
    assert!(slots[0].is_none() && inspector.meta(slots[0]).is_empty());
    for slot in &mut slots {
        inspector.release(slot);
    }
    assert_empty(&inspector, &limits);
}

#[test]
fn a_pool_full_of_names_is_counted() {
    let limits = limits();
    let mut inspector = inspector(&limits);
    let mut slots = [Slot::NONE; 5];
    for slot in &mut slots[..4] {
        assert!(matches!(inspector.inspect(slot, &udp(b"Q")), Step::Refined(_)));
    }
    let step = inspector.inspect(&mut slots[4], &udp(&sound(9)));
    assert_eq!(step, Step::Ended(Verdict::UNKNOWN));
    assert!(slots[4].is_none());
    assert_eq!(inspector.counters().pool_exhausted, 1);
    for slot in &mut slots {
        inspector.release(slot);
    }
    assert_empty(&inspector, &limits);
}

#[test]
fn without_buffers_single_segments_are_still_read() {
    let limits = Limits { stream_buffers: 1, ..limits() };
    let mut inspector = inspector(&limits);
    let (mut a, mut b, mut c) = (Slot::NONE, Slot::NONE, Slot::NONE);
    let whole = sound(20);
    assert_eq!(inspector.inspect(&mut a, &tcp(1, ToServer, &whole[..5])), Step::More);
    assert_eq!(inspector.inspect(&mut b, &tcp(1, ToServer, &whole[..5])), Step::More);
    assert_eq!(inspector.counters().streams_exhausted, 1);
    assert_eq!(inspector.inspect(&mut c, &tcp(1, ToServer, &whole)), Step::Ended(SSH));
    for at in 0..20 {
        if inspector.inspect(&mut b, &tcp(6 + at, ToServer, b"x")) != Step::More {
            break;
        }
    }
    assert_eq!(inspector.counters().gave_up, 1, "a stream without a buffer ends at the limit");
    for slot in [&mut a, &mut b, &mut c] {
        inspector.release(slot);
    }
    assert_empty(&inspector, &limits);
}

#[test]
fn a_flow_that_announces_others_is_read_for_longer() {
    fn control(view: &View<'_>, _: &mut Notes<'_>) -> Outcome {
        let app = if view.data[0] == b'T' { AppId::FTP_CONTROL } else { AppId::SSH };
        Outcome::found_more(app)
    }
    const ROWS: &[Dissector] = &[made(AppId::FTP_CONTROL, First::Any, control)];
    let limits = limits();
    let mut inspector = Inspector::with_dissectors(&limits, &[ROWS]);
    for (payload, most) in
        [(b"S", u32::from(limits.packets_tcp)), (b"T", u32::from(limits.packets_tcp) * 8)]
    {
        let mut slot = Slot::NONE;
        let ended = (1..=most).find(|&at| {
            matches!(inspector.inspect(&mut slot, &tcp(at, ToServer, payload)), Step::Ended(_))
        });
        assert_eq!(ended, Some(most));
        inspector.release(&mut slot);
    }
    assert_empty(&inspector, &limits);
}

#[test]
fn announced_flows_and_learned_addresses_are_known() {
    let mut inspector = inspector(&limits());
    let mut slot = Slot::NONE;
    assert!(matches!(inspector.inspect(&mut slot, &tcp(1, ToServer, b"T")), Step::Ended(_)));
    inspector.release(&mut slot);
    let data = Segment { server: Endpoint { port: 777, ..SERVER }, ..tcp(1, ToClient, b"any") };
    let step = inspector.inspect(&mut slot, &data);
    let ftp = Verdict {
        master: AppId::FTP_DATA,
        app: AppId::FTP_DATA,
        confidence: Confidence::PeerKnowledge,
    };
    assert_eq!(step, Step::Ended(ftp));
    inspector.release(&mut slot);

    let youtube = Endpoint { address: [3; 16], port: 9 };
    let step = inspector.inspect(&mut slot, &Segment { server: youtube, ..udp(b"Q") });
    let Step::Refined(verdict) = step else { panic!("{step:?}") };
    assert_eq!((verdict.master, verdict.app), (AppId::TLS, AppId::YOUTUBE));
    assert_eq!(verdict.confidence, Confidence::PeerKnowledge);
    inspector.release(&mut slot);
    let unnamed = inspector.end(&mut slot, UDP, CLIENT, youtube);
    assert_eq!((unnamed.master, unnamed.app), (AppId::UNKNOWN, AppId::YOUTUBE));
    let counters = inspector.counters();
    assert_eq!((counters.names_learned, counters.flows_announced), (1, 1));
    assert_empty(&inspector, &limits());
}

#[test]
fn protocols_without_ports_are_named_without_a_slot() {
    let mut inspector = inspector(&limits());
    let mut slot = Slot::NONE;
    assert_eq!(inspector.by_ip_protocol(1).unwrap().app, AppId::ICMP);
    assert_eq!(inspector.by_ip_protocol(TCP), None);
    let step = inspector.inspect(&mut slot, &Segment { protocol: 89, ..udp(b"x") });
    assert!(matches!(step, Step::Ended(verdict) if verdict.app == AppId::OSPF));
    assert!(slot.is_none());
    assert_eq!(inspector.end(&mut slot, 250, CLIENT, SERVER), Verdict::UNKNOWN);
}

#[test]
fn bytes_missing_in_the_capture_end_the_stream() {
    fn seen_last(view: &View<'_>, _: &mut Notes<'_>) -> Outcome {
        if view.last { Outcome::found(AppId::SSH) } else { Outcome::NeedMore }
    }
    const ROWS: &[Dissector] = &[made(AppId::SSH, First::Any, seen_last)];
    let mut inspector = Inspector::with_dissectors(&limits(), &[ROWS]);
    let mut slot = Slot::NONE;
    assert_eq!(inspector.inspect(&mut slot, &tcp(1, ToServer, b"abc")), Step::More);
    let cut = Segment { payload_missing: true, ..tcp(4, ToServer, b"def") };
    assert_eq!(inspector.inspect(&mut slot, &cut), Step::Ended(SSH));
    inspector.release(&mut slot);
    // So does the end of the buffer,
    let long = vec![0; 1500];
    assert_eq!(inspector.inspect(&mut slot, &tcp(1, ToServer, &long)), Step::More);
    assert_eq!(inspector.inspect(&mut slot, &tcp(1501, ToServer, b"x")), Step::Ended(SSH));
    inspector.release(&mut slot);
    // in both directions together,
    assert_eq!(inspector.inspect(&mut slot, &tcp(1, ToServer, &long[..600])), Step::More);
    assert_eq!(inspector.inspect(&mut slot, &tcp(1, ToClient, &long[..600])), Step::More);
    assert_eq!(inspector.inspect(&mut slot, &tcp(601, ToServer, b"x")), Step::Ended(SSH));
    inspector.release(&mut slot);
    // and the limit of packets.
    for at in 1..u32::from(UNNAMED_PACKETS) {
        assert_eq!(inspector.inspect(&mut slot, &tcp(at, ToServer, b"x")), Step::More);
    }
    assert_eq!(inspector.inspect(&mut slot, &tcp(12, ToServer, b"x")), Step::Ended(SSH));
    inspector.release(&mut slot);
    assert_empty(&inspector, &limits());
}

/// A cut of a message into segments, with their order, repeats and overlaps.
fn cuts() -> impl Strategy<Value = (u16, Vec<(usize, usize)>, u32)> {
    (1u16..900).prop_flat_map(|length| {
        let whole = usize::from(length) + 3;
        let bounds = prop::collection::vec(1..whole, 0..6);
        let cut = (bounds, prop::collection::vec((0..64usize, 0..64usize), 0..3));
        let cut = cut.prop_map(move |(mut edges, extra)| {
            edges.extend([0, whole]);
            edges.sort_unstable();
            edges.dedup();
            let mut pieces: Vec<_> = edges.windows(2).map(|pair| (pair[0], pair[1])).collect();
            // Repeats that overlap their neighbours on both sides.
            for (at, by) in extra {
                let (start, end) = pieces[at % pieces.len()];
                pieces.push((start.saturating_sub(by), (end + by).min(whole)));
            }
            pieces
        });
        let late = 0..usize::from(turn::LATE_FIRST_PACKETS);
        let ordered = (cut.prop_shuffle(), late).prop_map(|(mut pieces, late)| {
            // The beginning comes among the first few.
            let first = pieces.iter().position(|(start, _)| *start == 0).unwrap_or(0);
            let late = late.min(pieces.len() - 1);
            if first > late {
                pieces.swap(first, late);
            }
            pieces
        });
        (Just(length), ordered, any::<u32>())
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    /// However a message is cut, ordered and repeated within the limits, and wherever sequence
    /// numbers wrap, it is named as it is when whole.
    #[test]
    fn segmentation_does_not_change_the_name((length, pieces, base) in cuts()) {
        let whole = sound(length);
        let limits = limits();
        // The middle of a message may look like another protocol's beginning: one alone here.
        let mut inspector = Inspector::with_dissectors(&limits, &[&DISSECTORS[..1]]);
        let mut slot = Slot::NONE;
        let mut last = Step::More;
        for (start, end) in pieces {
            let seq = base.wrapping_add(u32::try_from(start).unwrap());
            let step = inspector.inspect(&mut slot, &tcp(seq, ToServer, &whole[start..end]));
            if step != Step::More {
                last = step;
                break;
            }
        }
        prop_assert_eq!(last, Step::Ended(SSH));
        inspector.release(&mut slot);
        assert_empty(&inspector, &limits);
    }

    /// Whatever comes, in whatever order: no panic, an end within the limit, nothing leaked.
    #[test]
    fn any_segments_end_within_the_limits(
        segments in prop::collection::vec(
            (any::<u32>(), any::<bool>(), any::<bool>(), any::<bool>(),
             prop::collection::vec(prop_oneof![Just(b'M'), Just(b'Q'), Just(0), any::<u8>()], 0..40)),
            0..60),
        near in any::<bool>(),
    ) {
        let limits = Limits { stream_bytes: 64, ..limits() };
        let mut inspector = inspector(&limits);
        let mut slot = Slot::NONE;
        let mut inspected = 0;
        for (seq, to_server, syn_seen, missing, payload) in &segments {
            let direction = if *to_server { ToServer } else { ToClient };
            let seq = if near { seq % 100 } else { *seq };
            let segment = Segment { payload_missing: *missing, ..tcp(seq, direction, payload) };
            let segment = if *syn_seen { segment } else { midstream(segment) };
            inspected += u32::from(!payload.is_empty());
            if let Step::Ended(_) = inspector.inspect(&mut slot, &segment) {
                inspector.release(&mut slot);
                inspected = 0;
            }
            prop_assert!(inspected < 15);
        }
        inspector.release(&mut slot);
        assert_empty(&inspector, &limits);
    }

    /// Whatever bytes the real dissectors are given, on their own ports or on others: no panic, an
    /// end within the limits, nothing leaked, and metadata that can be read back.
    #[test]
    fn hostile_bytes_end_within_the_limits(
        packets in prop::collection::vec(
            (any::<bool>(), any::<bool>(), prop::collection::vec(any::<u8>(), 1..200)), 1..20),
        first in any::<u8>(),
        port in any::<prop::sample::Index>(),
        udp in any::<bool>(),
    ) {
        let ports: Vec<u16> = dissect::FAMILIES.iter().copied().flatten()
            .flat_map(|dissector| dissector.ports).copied().chain([0]).collect();
        let limits = limits();
        let mut inspector = Inspector::new(&limits);
        let server = Endpoint { port: ports[port.index(ports.len())], ..SERVER };
        let (mut slot, mut seq, mut ended) = (Slot::NONE, [0u32; 2], false);
        for (to_server, zeros, mut payload) in packets {
            payload[0] = first;
            if zeros {
                payload.iter_mut().skip(1).step_by(2).for_each(|byte| *byte = 0);
            }
            let direction = if to_server { ToServer } else { ToClient };
            let next = &mut seq[usize::from(to_server)];
            let segment = Segment { server, ..tcp(*next, direction, &payload) };
            *next += u32::try_from(payload.len()).unwrap();
            let segment = Segment {
                protocol: if udp { UDP } else { TCP },
                tcp: segment.tcp.filter(|_| !udp),
                ..segment
            };
            ended = matches!(inspector.inspect(&mut slot, &segment), Step::Ended(_));
            let meta = inspector.meta(slot);
            let read: usize = crate::meta::decode(meta).map(|(_, value)| 4 + value.len()).sum();
            prop_assert_eq!(read, meta.len());
            if ended {
                inspector.release(&mut slot);
                break;
            }
        }
        if !ended {
            inspector.end(&mut slot, if udp { UDP } else { TCP }, CLIENT, server);
            inspector.release(&mut slot);
        }
        assert_empty(&inspector, &limits);
    }
}
