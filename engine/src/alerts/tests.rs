//! Detectors by their events, one at a time.

use weir_dpi::{AppId, Endpoint, Risk, Risks};
use weir_shm::alerts::{Alert, AlertKind, AlertReader, Figure, Phase};
use weir_shm::records::{Next, StartAt};
use weir_shm::{AlertSpec, PacketSpec, ShardSpec, ShardWriter};

use super::{AlertRules, Alerts, Begin, Flow, FlowState, News, Quality, Totals};
use crate::wire::Arp;

const SECOND: u64 = 1_000_000_000;
/// At the beginning of a day, and so of every window.
const START: u64 = 1_699_920_000 * SECOND;

struct Bench {
    alerts: Alerts,
    told: AlertReader,
    _memory: ShardWriterRest,
}

/// Keeps the segment mapped.
struct ShardWriterRest(#[expect(dead_code, reason = "held, not used")] weir_shm::SegmentFd);

fn bench(change: impl FnOnce(&mut AlertRules)) -> Bench {
    let memory = ShardWriter::create(&ShardSpec {
        shard: 0,
        label: "alerts",
        flow_slots: 15,
        health: false,
        record_bytes: 1 << 15,
        arena_bytes: 2048,
        counters: &[],
        histograms: &[],
        packets: PacketSpec::default(),
        alerts: AlertSpec { ring_bytes: 1 << 20, places: 64 },
        hosts: weir_shm::hosts::HostsSpec::NONE,
        huge_pages: false,
    })
    .unwrap();
    let mut rules = AlertRules { keys: 1024, ..AlertRules::default() };
    change(&mut rules);
    let fd = memory.export();
    let told = AlertReader::of(&fd, StartAt::Oldest).unwrap();
    let mut alerts = Alerts::new(&rules, 1, 7, memory.alerts);
    alerts.tick(START);
    Bench { alerts, told, _memory: ShardWriterRest(fd) }
}

impl Bench {
    /// What was told since the last call.
    fn told(&mut self) -> Vec<Alert> {
        let (mut all, mut alert) = (Vec::new(), Alert::default());
        while self.told.next(&mut alert) == Next::Record {
            all.push(alert);
        }
        all
    }

    fn kinds(&mut self) -> Vec<(AlertKind, Phase)> {
        self.told().iter().map(|alert| (alert.kind, alert.phase)).collect()
    }

    fn begin(&mut self, flow: &Flow, flags: u8, ttl: u8, mac: u8) -> FlowState {
        let mut state = FlowState::default();
        let begin = Begin {
            flow: *flow,
            flags,
            bytes: 60,
            by_client: true,
            ttl,
            payload: &[8],
            mac: Some([2, 0, 0, 0, 0, mac]),
        };
        self.alerts.flow_begins(&begin, &mut state);
        state
    }
}

fn end(last: u8, port: u16) -> Endpoint {
    Endpoint { address: [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 10, 0, 0, last], port }
}

fn flow(number: u64, protocol: u8, now_ns: u64) -> Flow {
    let port = 1024 + u16::try_from(number % 60_000).unwrap();
    Flow { id: number + 1, client: end(1, port), server: end(2, 443), protocol, vlan: 0, now_ns }
}

fn totals(bytes: u64, first_ns: u64) -> Totals {
    let (master, app) = (AppId::TLS, AppId::UNKNOWN);
    Totals { packets: [10, 10], bytes: [bytes, 0], first_ns, master, app }
}

#[test]
fn an_alert_ends_after_windows_below_half_of_its_threshold() {
    let mut bench = bench(|_| {});
    let say = |bench: &mut Bench, from_s: u64, count: u64| {
        for number in 0..count {
            bench.begin(&flow(number, 6, START + from_s * SECOND), 2, 64, 1);
        }
        bench.alerts.tick(START + (from_s + 10) * SECOND);
    };
    // Half-open, a window each of 10 s: above, between, below, between, below twice.
    for (window, count) in [600, 300, 100, 300, 100].into_iter().enumerate() {
        say(&mut bench, window as u64 * 10, count);
    }
    let victim = |bench: &mut Bench| -> Vec<Alert> {
        let told = bench.told().into_iter();
        told.filter(|alert| alert.kind == AlertKind::SynFloodVictim).collect()
    };
    let told = victim(&mut bench);
    assert_eq!(told[0].phase, Phase::Started);
    assert!(told[1..].iter().all(|alert| alert.phase == Phase::Updated), "not yet");
    say(&mut bench, 50, 100);
    let told = victim(&mut bench);
    let last = told.last().unwrap();
    assert_eq!((last.phase, last.end_ns), (Phase::Ended, START + 60 * SECOND));
    assert_eq!((last.peak, last.value), (600, 100));
    assert_eq!(last.update_ns, START + 10 * SECOND, "when it last held");
}

#[test]
fn a_gap_in_time_ends_alerts_when_they_would_have_ended() {
    let mut bench = bench(|_| {});
    for number in 0..600 {
        bench.begin(&flow(number, 6, START), 2, 64, 1);
    }
    bench.alerts.tick(START + 86_400 * SECOND);
    let told = bench.told();
    let ended: Vec<_> = told.iter().filter(|alert| alert.phase == Phase::Ended).collect();
    assert_eq!(ended.len(), 2, "the victim's and the attacker's");
    assert!(ended.iter().all(|alert| alert.end_ns == START + 30 * SECOND));
}

#[test]
fn large_and_old_flows_have_alerts_of_their_own() {
    let mut bench = bench(|_| {});
    let flow = flow(1, 6, START + 100 * SECOND);
    let mut state = FlowState::default();
    bench.alerts.flow_flushes(&flow, &totals(1 << 29, START), &mut state);
    assert!(bench.told().is_empty());
    bench.alerts.flow_flushes(&flow, &totals(1 << 30, START), &mut state);
    bench.alerts.flow_flushes(&flow, &totals(1 << 31, START), &mut state);
    let told = bench.told();
    assert_eq!((told.len(), told[0].kind), (1, AlertKind::ElephantFlow), "once");
    assert_eq!((told[0].flows[0], told[0].figure(Figure::Bytes)), (2, Some(1 << 30)));
    let later = Flow { now_ns: START + 86_400 * SECOND, ..flow };
    assert!(bench.alerts.wants_flush(6, &totals(0, START), later.now_ns, &FlowState::default()));
    bench.alerts.flow_flushes(&later, &totals(1 << 31, START), &mut state);
    assert_eq!(bench.kinds(), [(AlertKind::LongFlow, Phase::Started)]);
    bench.alerts.flow_ends(&later, &totals(1 << 31, START), &mut state);
    let ended = [(AlertKind::ElephantFlow, Phase::Ended), (AlertKind::LongFlow, Phase::Ended)];
    assert_eq!(bench.kinds(), ended);
}

#[test]
fn devices_are_learned_and_then_told() {
    let mut bench = bench(|rules| rules.learn_s = 60);
    bench.begin(&flow(1, 17, START), 0, 64, 1);
    bench.begin(&flow(2, 17, START + 70 * SECOND), 0, 64, 1);
    assert!(bench.told().is_empty(), "it was there before");
    bench.begin(&flow(3, 17, START + 71 * SECOND), 0, 64, 9);
    let told = bench.told();
    assert_eq!((told[0].kind, told[0].mac[5]), (AlertKind::NewDevice, 9));
    assert_eq!(told[0].peer.address, end(1, 0).address);
}

#[test]
fn grave_risks_are_told_by_host_and_kind() {
    let mut bench = bench(|_| {});
    let risks = Risks::of(Risk::SqlInjection).or(Risks::of(Risk::ListedAddress));
    bench.alerts.flow_risks(&flow(1, 6, START), risks);
    bench.alerts.flow_risks(&flow(2, 6, START), Risks::of(Risk::TcpIssues));
    let told = bench.told();
    let kinds: Vec<_> = told.iter().map(|alert| (alert.kind, alert.note.to_text())).collect();
    assert_eq!(
        kinds,
        [
            (AlertKind::BlacklistedPeer, "listed_address".to_owned()),
            (AlertKind::FlowRisk, "sql_injection".to_owned()),
        ]
    );
}

#[test]
fn a_distance_that_jumps_is_odd_and_that_of_a_nat_is_not() {
    let mut bench = bench(|_| {});
    // Two systems behind a NAT: other initial TTLs, the same distance.
    for number in 0..400 {
        let ttl = if number % 2 == 0 { 63 } else { 127 };
        let state = bench.begin(&flow(number, 6, START), 0x18, ttl, 1);
        assert_eq!(state.bits, 0);
    }
    assert!(bench.told().is_empty());
    for number in 0..400 {
        let ttl = if number % 2 == 0 { 63 } else { 50 };
        bench.begin(&flow(number, 6, START), 0x18, ttl, 1);
    }
    let kinds = bench.kinds();
    assert!(kinds.iter().all(|(kind, _)| *kind == AlertKind::TtlOddity) && !kinds.is_empty());
}

#[test]
fn a_network_that_gets_worse_is_told() {
    let mut bench = bench(|_| {});
    let minute = |bench: &mut Bench, minute: u64, rtt_us: u32, lost: u64| {
        for number in 0..30 {
            bench.alerts.quality(&Quality {
                peer: end(u8::try_from(number).unwrap(), 0).address,
                rtt_us,
                packets: 100,
                lost,
                flow: number + 1,
                now_ns: START + minute * 300 * SECOND + number * SECOND,
            });
        }
        bench.alerts.tick(START + (minute + 1) * 300 * SECOND);
    };
    (0..8).for_each(|number| minute(&mut bench, number, 20_000, 0));
    assert!(bench.told().is_empty());
    minute(&mut bench, 8, 90_000, 5);
    minute(&mut bench, 9, 20_000, 0);
    let told = bench.told();
    let kinds: Vec<_> = told
        .iter()
        .filter(|alert| alert.phase == Phase::Started)
        .map(|alert| (alert.kind, alert.value, alert.subject.address[15]))
        .collect();
    assert_eq!(kinds, [(AlertKind::RttWorse, 450, 0), (AlertKind::LossWorse, 5000, 0)]);
    assert_eq!(told[0].figure(Figure::BaselineUs), Some(20_000));
}

#[test]
fn tables_stay_within_their_bounds() {
    let mut bench = bench(|_| {});
    for number in 0..200_000_u64 {
        let [a, b, c, ..] = number.to_le_bytes();
        let mut flow = flow(number, 6, START + number * 100_000);
        flow.client.address[13..].copy_from_slice(&[a, b, c]);
        flow.server.address[13..].copy_from_slice(&[c, a, b]);
        let mut state = bench.begin(&flow, 2, 64, 1);
        let news = News { of_client: 0x18, of_server: 0, is_answered: true };
        bench.alerts.flow_news(&flow, news, &mut state);
    }
    let pressure = bench.alerts.pressure();
    assert!(pressure.evicted > 100_000, "{pressure:?}");
    assert!(bench.told().is_empty(), "connections are no attack");
}

#[test]
fn more_alerts_than_there_are_places_are_counted() {
    let mut bench = bench(|_| {});
    for number in 0..100 {
        let mut flow = flow(number, 6, START);
        flow.client.address[15] = u8::try_from(number).unwrap();
        bench.alerts.flow_risks(&flow, Risks::of(Risk::ListedHost));
    }
    let raised = bench.alerts.raised();
    assert_eq!((raised.started, raised.full), (64, 36));
    bench.alerts.finish(START + SECOND);
    let raised = bench.alerts.raised();
    assert_eq!((raised.ended, bench.told().len()), (64, 128));
}

#[test]
fn what_is_switched_off_is_not_told() {
    let mut bench = bench(|rules| rules.built_in.iter_mut().for_each(|rule| rule.enabled = false));
    for number in 0..2000 {
        let mut state = bench.begin(&flow(number, 6, START), 2, 64, 1);
        let news = News { of_client: 0x18, of_server: 0, is_answered: true };
        bench.alerts.flow_news(&flow(number, 6, START), news, &mut state);
        bench.alerts.flow_ends(&flow(number, 6, START), &totals(1 << 40, START), &mut state);
    }
    bench.alerts.tick(START + 100 * SECOND);
    assert!(bench.told().is_empty());
}

proptest::proptest! {
    #![proptest_config(proptest::prelude::ProptestConfig::with_cases(300))]

    /// Whatever bytes come as DNS or ARP, they are taken or left.
    #[test]
    fn hostile_bytes_are_survived(
        bytes in proptest::collection::vec(proptest::prelude::any::<u8>(), 0..300),
        answer in proptest::prelude::any::<bool>(),
    ) {
        let mut bench = bench(|_| {});
        let flow = flow(1, 17, START);
        bench.alerts.dns(&flow, !answer, &bytes);
        let mut message = vec![0, 1, u8::from(answer) << 7, 3, 0, 1, 0, 0, 0, 0, 0, 0];
        message.extend(&bytes);
        bench.alerts.dns(&flow, !answer, &message);
        if let Some(arp) = Arp::parse(&bytes) {
            bench.alerts.arp(&arp, START);
        }
        let mut frame = vec![2; 12];
        frame.extend([0x81, 0, 0, 7, 8, 6, 0, 1, 8, 0, 6, 4, 0, 1 + u8::from(answer)]);
        frame.extend(&bytes);
        if let Some(arp) = Arp::parse(&frame) {
            bench.alerts.arp(&arp, START);
        }
    }
}
