//! Attacks raise their alerts and no others; a day of ordinary traffic raises none; two shards come
//! to the same as one.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::path::Path;

use weir_engine::config::Settings;
use weir_engine::measure::{self, Feed, Play};
use weir_engine::shard::Depth;
use weir_shm::alerts::{Alert, AlertKind, Figure, Merged, Phase};
use weir_tests::traffic::Traffic;
use weir_tests::traffic::attacks::{self, ATTACKER, Scene, VICTIM, address_of};
use weir_tests::traffic::connection::{ACK, Connection, FIN, MS, SYN};
use weir_tests::traffic::packet::End;

/// What alerts told of a capture, the shards put together.
fn told(capture: &Path, settings: Settings, shards: u16) -> Vec<Alert> {
    let frames = measure::preload(capture).unwrap();
    let config = settings.into_config("alerts", &["pcap:x".to_owned()]).unwrap();
    let wanted = Play { depth: Depth::Inspect, shards, warm_frames: 0, rules: None };
    let measured = measure::run(&Feed::Whole(frames), &config, &wanted).unwrap();
    assert!(measured.iter().all(|shard| shard.books.balanced()));
    let mut all: Vec<(u16, Alert)> = (0..)
        .zip(&measured)
        .flat_map(|(shard, measured)| measured.alerts.iter().map(move |alert| (shard, *alert)))
        .collect();
    all.sort_by_key(|(_, alert)| alert.time_ns);
    let mut merged = Merged::new(shards.into());
    let told: Vec<Alert> =
        all.iter().filter_map(|(shard, alert)| merged.take(*shard, alert)).collect();
    assert_eq!(merged.active().count(), 0, "all end with the run");
    told
}

fn settings() -> Settings {
    let mut settings = Settings::default();
    settings.set("flow.capacity", 50_000.into()).unwrap();
    settings.set("alerts.ring_bytes", (1 << 22).into()).unwrap();
    settings.set("export.record_ring_bytes", (1 << 20).into()).unwrap();
    settings.set("export.arena_bytes", (1 << 22).into()).unwrap();
    settings
}

fn of_scene_with(scene: Scene, settings: Settings, shards: u16) -> Vec<Alert> {
    let file = tempfile::NamedTempFile::new().unwrap();
    scene.traffic().write(file.path()).unwrap();
    told(file.path(), settings, shards)
}

fn of_scene(scene: Scene) -> Vec<Alert> {
    of_scene_with(scene, settings(), 1)
}

/// Kind and subject of each alert that started, with how often.
fn started(alerts: &[Alert]) -> BTreeMap<(AlertKind, IpAddr), usize> {
    let mut started = BTreeMap::new();
    for alert in alerts.iter().filter(|alert| alert.phase == Phase::Started) {
        *started.entry((alert.kind, address_of(alert.subject.address))).or_insert(0) += 1;
    }
    started
}

/// The attack, alone and within ordinary traffic, raises this alert and no other.
fn raises(attack: fn() -> Scene, kind: AlertKind, subject: impl Into<IpAddr>) -> Vec<Alert> {
    let expected = BTreeMap::from([((kind, subject.into()), 1)]);
    let alone = of_scene(attack());
    assert_eq!(started(&alone), expected, "alone");
    let within = of_scene(attack().with(attacks::ordinary(1)));
    assert_eq!(started(&within), expected, "within ordinary traffic");
    let ended = alone.iter().filter(|alert| alert.phase == Phase::Ended).count();
    assert_eq!(ended, 1, "it ends");
    assert!(alone.iter().all(|alert| alert.peak >= alert.threshold));
    alone
}

#[test]
fn floods_of_syns() {
    let told = raises(attacks::syn_flood_from_many, AlertKind::SynFloodVictim, VICTIM);
    assert_eq!(told[0].subject.port, 80);
    assert_eq!(told.iter().map(|alert| alert.peak).max(), Some(2000), "200 a second for 10 s");
    raises(attacks::syn_flood_to_many, AlertKind::SynFloodAttacker, ATTACKER);
}

#[test]
fn scans() {
    let told = raises(attacks::port_scan, AlertKind::PortScan, ATTACKER);
    let last = told.last().unwrap();
    assert_eq!(last.peak, 400 - 16, "those of the gate are not counted");
    assert_eq!(address_of(last.peer.address), IpAddr::from(VICTIM));
    assert!(last.flows.iter().filter(|flow| **flow != 0).count() >= 2);
    let told = raises(attacks::host_scan, AlertKind::HostScan, ATTACKER);
    assert_eq!(told[0].peer.port, 445);
    raises(attacks::ping_sweep, AlertKind::HostScan, ATTACKER);
}

#[test]
fn floods_of_datagrams() {
    raises(attacks::udp_flood, AlertKind::UdpFlood, VICTIM);
    raises(attacks::icmp_flood, AlertKind::IcmpFlood, VICTIM);
    raises(attacks::amplification, AlertKind::Amplification, VICTIM);
}

#[test]
fn logins_in_a_row() {
    let told = raises(attacks::brute_force, AlertKind::BruteForce, ATTACKER);
    assert_eq!((told[0].peer.port, told.last().unwrap().peak), (22, 60));
}

#[test]
fn names() {
    raises(attacks::dns_errors, AlertKind::DnsErrors, ATTACKER);
    let told = raises(attacks::dns_tunnel, AlertKind::DnsTunnel, ATTACKER);
    assert_eq!(told[0].note.to_text(), "example.net");
}

#[test]
fn addresses_of_others() {
    let gateway: IpAddr = [10, 1, 0, 1].into();
    let told = raises(attacks::arp_spoof, AlertKind::ArpSpoof, gateway);
    assert_eq!((told[0].mac, told[0].peer_mac), (attacks::MACS[2], attacks::MACS[0]));
    let wanted: IpAddr = [10, 1, 0, 2].into();
    raises(attacks::duplicate_address, AlertKind::DuplicateAddress, wanted);
    let told = raises(attacks::neighbour_spoof, AlertKind::ArpSpoof, attacks::v6(1));
    assert_eq!((told[0].mac, told[0].peer_mac), (attacks::MACS[2], attacks::MACS[0]));
    raises(attacks::duplicate_neighbour, AlertKind::DuplicateAddress, attacks::v6(2));
    let told = of_scene(attacks::late_dhcp_server());
    let expected = BTreeMap::from([((AlertKind::UnexpectedServer, ATTACKER.into()), 1)]);
    assert_eq!(started(&told), expected);
}

#[test]
fn resets_from_elsewhere() {
    let server = [203, 0, 113, 7];
    let told = raises(attacks::forged_resets, AlertKind::ForgedReset, server);
    let figures: Vec<_> = told[0].figures.iter().flatten().copied().collect();
    assert!(figures.contains(&(Figure::Hops, 15)), "{figures:?}");
    assert_eq!(started(&of_scene(attacks::own_resets())), BTreeMap::new());
}

#[test]
fn a_day_of_ordinary_traffic_raises_nothing() {
    let told = of_scene(attacks::ordinary(24));
    assert_eq!(started(&told), BTreeMap::new());
}

/// An attack with its name.
type Named = (&'static str, fn() -> Scene);

#[test]
fn two_shards_come_to_the_same_as_one() {
    let attacks: [Named; 10] = [
        ("syn_flood_from_many", attacks::syn_flood_from_many),
        ("syn_flood_to_many", attacks::syn_flood_to_many),
        ("port_scan", attacks::port_scan),
        ("host_scan", attacks::host_scan),
        ("udp_flood", attacks::udp_flood),
        ("amplification", attacks::amplification),
        ("brute_force", attacks::brute_force),
        ("arp_spoof", attacks::arp_spoof),
        ("dns_errors", attacks::dns_errors),
        ("ordinary", || attacks::ordinary(1)),
    ];
    for (name, attack) in attacks {
        let (one, two) = (of_scene(attack()), of_scene_with(attack(), settings(), 2));
        assert_eq!(started(&one), started(&two), "{name}");
        let ids = |alerts: &[Alert]| {
            let mut ids: Vec<u64> = alerts.iter().map(|alert| alert.id).collect();
            ids.sort_unstable();
            ids.dedup();
            ids
        };
        assert_eq!(ids(&one), ids(&two), "{name}");
    }
}

#[test]
fn rules_of_ones_own_and_exclusions() {
    let with = |text: &str| {
        let mut settings = settings();
        let table: toml::Table = text.parse().unwrap();
        settings.set("alerts.rule", table["rule"].clone()).unwrap();
        settings
    };
    let own = with(
        "[[rule]]\nname = \"busy\"\nkind = \"host_threshold\"\nmetric = \"flows\"\ndirection = \"in\"\n\
         threshold = 50\nwindow_s = 60\nseverity = \"low\"\n",
    );
    let told = of_scene_with(attacks::brute_force(), own, 1);
    let busy = told.iter().find(|alert| alert.kind == AlertKind::HostThreshold).unwrap();
    assert_eq!((busy.rule.to_text().as_str(), busy.value), ("busy", 50));
    assert_eq!(address_of(busy.subject.address), IpAddr::from(VICTIM));
    let exact = with(
        "[[rule]]\nname = \"ssh-bytes\"\nkind = \"host_threshold\"\napplication = \"SSH\"\n\
         direction = \"out\"\nthreshold = 1000\nwindow_s = 60\nhosts = [\"10.1.0.66\"]\n",
    );
    let told = of_scene_with(attacks::brute_force(), exact, 1);
    let sent: Vec<_> = told.iter().filter(|alert| alert.rule.to_text() == "ssh-bytes").collect();
    let bytes: u64 = 60 * (60 * 2 + (54 + 22) + (54 + 200) + (54 + 80) + 60 * 2);
    let peak = sent.iter().map(|alert| alert.peak).max().unwrap();
    assert!((1000..=bytes).contains(&peak), "{peak} of {bytes}");
    let excluded = with(
        "[[rule]]\nname = \"port_scan\"\nexclude = [{ host = \"10.1.0.66\", comment = \"ours\" }]\n",
    );
    assert!(of_scene_with(attacks::port_scan(), excluded, 1).is_empty());
    let silent =
        with("[[rule]]\nname = \"silent_host\"\nthreshold = 600\nhosts = [\"10.1.0.66\"]\n");
    let scene = attacks::brute_force().with(attacks::ordinary(1));
    let told = of_scene_with(scene, silent, 2);
    let silent: Vec<_> = told.iter().filter(|alert| alert.kind == AlertKind::SilentHost).collect();
    assert_eq!(silent[0].phase, Phase::Started);
    let since_s = (silent[0].start_ns - attacks::START_NS) / attacks::SECOND;
    assert!((640..660).contains(&since_s), "{since_s}");
}

/// Ways of flows to a network: how long its servers' delay is, and every how many segments one is sent
/// again; of those that begin in the seventh and eighth of ten windows, and of all others.
struct Way {
    delay_ms: u64,
    /// 0: none.
    resent_every: u32,
    /// Those were missing here: they were lost before.
    before: bool,
}

/// Twenty connections a window of five minutes to servers of one network, of ten segments each.
fn ways(usual: &Way, worse: &Way) -> Traffic {
    const WINDOW_MS: u64 = 300_000;
    let mut frames = Vec::new();
    let mut sent = 0;
    for number in 0..200_u16 {
        let window = u64::from(number / 20);
        let way = if (6..8).contains(&window) { worse } else { usual };
        let from = End { address: [10, 1, 0, 100].into(), port: 20_000 + number };
        let to = End { address: [203, 0, 113, number.to_le_bytes()[0]].into(), port: 443 };
        let mut one = Connection::between(from, to, [7, 9]);
        let time = |ms: u64| {
            attacks::START_NS + (window * WINDOW_MS + u64::from(number % 20) * 9000 + ms) * MS
        };
        one.say(time(0), 0, [u32::MAX, 0], SYN, &[]);
        one.say(time(way.delay_ms), 1, [u32::MAX, 0], SYN | ACK, &[]);
        let at = way.delay_ms + 1;
        one.say(time(at), 0, [0, 0], ACK, &[]);
        for segment in 0..10_u32 {
            let (at, place) = (at + 100 * u64::from(segment), segment * 500);
            sent += 1;
            let again = way.resent_every != 0 && sent % way.resent_every == 0 && segment < 9;
            let missing = again && way.before;
            if !missing {
                one.say(time(at), 0, [place, 0], ACK, &[1; 500]);
            }
            if again {
                // Later than the next one, and too late to be out of order.
                one.say(time(at + 170), 0, [place, 0], ACK, &[1; 500]);
            }
        }
        one.say(time(at + 2000), 0, [5000, 0], FIN | ACK, &[]);
        one.say(time(at + 2001), 1, [0, 5001], FIN | ACK, &[]);
        frames.append(&mut one.frames);
    }
    frames.sort_by_key(|(time_ns, _)| *time_ns);
    Traffic { frames, ..Traffic::default() }
}

fn of_ways(worse: &Way) -> Vec<Alert> {
    let file = tempfile::NamedTempFile::new().unwrap();
    ways(&Way { delay_ms: 20, resent_every: 0, before: false }, worse).write(file.path()).unwrap();
    let mut settings = settings();
    settings.set("health.enabled", true.into()).unwrap();
    told(file.path(), settings, 1)
}

#[test]
fn ways_that_got_worse() {
    let (there, here) = (IpAddr::from([203, 0, 113, 0]), IpAddr::from([10, 1, 0, 0]));
    let steady = of_ways(&Way { delay_ms: 22, resent_every: 200, before: false });
    assert_eq!(started(&steady), BTreeMap::new(), "nothing to speak of");
    let slower = of_ways(&Way { delay_ms: 90, resent_every: 0, before: false });
    assert_eq!(started(&slower), BTreeMap::from([((AlertKind::RttWorse, there), 1)]));
    let figures: Vec<_> = slower[0].figures.iter().flatten().copied().collect();
    assert!(figures.contains(&(Figure::RttUs, 90_000)), "{figures:?}");
    assert!(figures.contains(&(Figure::BaselineUs, 20_000)), "{figures:?}");
    let lossy = of_ways(&Way { delay_ms: 20, resent_every: 15, before: false });
    assert_eq!(started(&lossy), BTreeMap::from([((AlertKind::LossWorse, there), 1)]));
    let lossy_here = of_ways(&Way { delay_ms: 20, resent_every: 15, before: true });
    assert_eq!(started(&lossy_here), BTreeMap::from([((AlertKind::LossWorse, here), 1)]));
    for told in [slower, lossy, lossy_here] {
        assert_eq!(told.last().unwrap().phase, Phase::Ended);
    }
}

/// What the labelled corpus raises, for a person to look through.
#[test]
fn the_corpus_raises_few() {
    let Some(root) = weir_tests::corpus::root() else {
        return weir_tests::skipped("the_corpus_raises_few", "the labelled captures are not there");
    };
    let files = std::fs::read_dir(root.join("pcap")).unwrap();
    let mut captures: Vec<_> = files.map(|entry| entry.unwrap().path()).collect();
    captures.sort_unstable();
    let mut kinds: BTreeMap<&str, usize> = BTreeMap::new();
    for capture in &captures {
        let told = told(capture, settings(), 1);
        for alert in told.iter().filter(|alert| alert.phase == Phase::Started) {
            *kinds.entry(alert.kind.name()).or_insert(0) += 1;
            let name = capture.file_name().unwrap_or_default().to_string_lossy();
            eprintln!(
                "{name}: {} {} -> {}:{} {} of {} {}",
                alert.kind.name(),
                address_of(alert.subject.address),
                address_of(alert.peer.address),
                alert.peer.port,
                alert.value,
                alert.threshold,
                alert.note.to_text(),
            );
        }
    }
    eprintln!("{} captures: {kinds:?}", captures.len());
}
