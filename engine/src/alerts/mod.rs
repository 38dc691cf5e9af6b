//! Alerts: what is worth saying about a host, a service or a flow, found while the packets pass.
//!
//! Detectors are told of events (a flow begins, goes on, ends; a neighbour's word in ARP or IPv6; a
//! DNS message), count in windows of packet time by keys in tables of a fixed size, and raise alerts
//! where a count reaches its rule's threshold. All of it is one shard's own. Nothing here allocates
//! after [`Alerts::new`], and nothing reads a clock.

#![expect(clippy::similar_names, reason = "a time is named with its unit: `now_s`, `now_ns`")]

mod active;
mod event;
mod flood;
mod flows;
mod hosts;
mod keyed;
mod manual;
mod meter;
mod names;
mod neighbours;
mod quality;
mod rules;
mod scan;
mod servers;

#[cfg(test)]
mod tests;

use weir_dpi::Endpoint;
use weir_shm::alerts::{Alert, AlertKind, AlertWriter, Figure, Party};

pub use active::Raised;
pub use event::{Begin, Flow, FlowState, News, Quality, Totals};
pub(crate) use flows::risk_severity;
pub use manual::manual;
pub use names::PORT as DNS_PORT;
pub use rules::{AlertRules, Exclusion, Metric, OwnRule, PRESETS, Preset, Rule, Way};

use active::{Active, Raise};
use keyed::{Key, Keyed, Seen};
use meter::{Bar, Meter};
use neighbours::Neighbours;
use quality::Network;
use scan::Source;

const TCP: u8 = 6;
const UDP: u8 = 17;
const ICMP: u8 = 1;
const ICMP_V6: u8 = 58;

/// A shard's detectors.
#[derive(Debug)]
pub struct Alerts {
    rules: AlertRules,
    /// Built-in rules that are in force, by the number of their kind.
    built_in: Box<[Option<Rule>]>,
    meters: Keyed<Meter>,
    sources: Keyed<Source>,
    seen: Seen,
    neighbours: Neighbours,
    networks: Keyed<Network>,
    /// When each watched address last sent, and whether there is an alert.
    watched: Box<[hosts::Watched]>,
    /// Ports of login services, one bit each.
    logins: Box<[u64; 1024]>,
    active: Active,
    /// Windows in which tried flows are counted: those of scans. Without any, of no length.
    gate: Bar,
    /// Bytes and age from which on a flow may be worth an alert of its own.
    large: u64,
    old_ns: u64,
    /// The first second of the run; 0: no packet yet.
    began_s: u32,
    looked_s: u32,
}

/// What is told of the tables' limits.
#[derive(Clone, Copy, Default, PartialEq, Eq, Debug)]
pub struct Pressure {
    /// Keys that gave way to others although they were in use.
    pub evicted: u64,
    /// Things seen that were forgotten within their window.
    pub forgotten: u64,
}

impl Alerts {
    /// The detectors of one of `shards` shards. Allocates all they will ever use.
    pub fn new(rules: &AlertRules, shards: u16, secret: u64, writer: AlertWriter) -> Alerts {
        let rules = rules.for_shards(shards);
        let most = AlertKind::ALL.iter().map(|kind| *kind as usize).max().unwrap_or(0);
        let mut built_in: Box<[Option<Rule>]> = vec![None; most + 1].into();
        for rule in rules.built_in.iter().filter(|rule| rule.enabled) {
            built_in[rule.kind as usize] = Some(rule.clone());
        }
        let mut logins = Box::new([0_u64; 1024]);
        for port in &rules.login_ports {
            logins[usize::from(port >> 6)] |= 1 << (port & 63);
        }
        let keys = rules.keys.max(64);
        let bar = |kind: AlertKind| built_in[kind as usize].as_ref().map(|rule| rule.bar);
        let threshold = |kind| bar(kind).map_or(u64::MAX, |bar| bar.threshold);
        let scans = [AlertKind::PortScan, AlertKind::HostScan, AlertKind::SynFloodAttacker];
        let gate = scans.into_iter().find_map(bar).map_or(0, |bar| bar.window_s);
        Alerts {
            meters: Keyed::new(keys, secret),
            sources: Keyed::new(keys / 4, secret.rotate_left(17)),
            seen: Seen::new(keys, secret.rotate_left(34)),
            neighbours: Neighbours::new(keys / 8, secret.rotate_left(51)),
            networks: Keyed::new(keys / 16, secret.rotate_left(8)),
            watched: rules.watched.iter().map(|host| hosts::Watched::new(*host)).collect(),
            logins,
            active: Active::new(writer),
            gate: Bar { window_s: gate, threshold: u64::MAX },
            large: threshold(AlertKind::ElephantFlow),
            old_ns: threshold(AlertKind::LongFlow).saturating_mul(1_000_000_000),
            began_s: 0,
            looked_s: 0,
            built_in,
            rules,
        }
    }

    /// What became of alerts so far.
    pub fn raised(&self) -> Raised {
        self.active.counts()
    }

    /// What the tables' limits cost so far.
    pub fn pressure(&self) -> Pressure {
        let evicted = self.meters.evicted() + self.sources.evicted() + self.networks.evicted();
        let evicted = evicted + self.neighbours.evicted();
        Pressure { evicted, forgotten: self.seen.evicted() }
    }

    /// Lets packet time pass: windows that are over are looked at.
    #[inline]
    pub fn tick(&mut self, now_ns: u64) {
        let now_s = seconds(now_ns);
        if now_s > self.looked_s {
            self.look(now_s, now_ns);
        }
    }

    #[inline(never)]
    fn look(&mut self, now_s: u32, now_ns: u64) {
        self.looked_s = now_s;
        if self.began_s == 0 {
            self.began_s = now_s;
        }
        let meters = &self.meters;
        self.active.look(now_s, |key, bar, start_s| {
            meters.get(key).map_or(0, |meter| meter.of_window(bar, start_s))
        });
        self.look_for_silence(now_ns);
    }

    /// Ends every alert: the run is over.
    pub fn finish(&mut self, now_ns: u64) {
        let (meters, now_s) = (&self.meters, seconds(now_ns));
        self.active.end_all(now_ns, |key, bar| {
            meters.get(key).map_or(0, |meter| meter.of_window(bar, bar.start(now_s)))
        });
    }

    fn rule(&self, kind: AlertKind) -> Option<&Rule> {
        self.built_in[kind as usize].as_ref()
    }

    fn bar(&self, kind: AlertKind) -> Option<Bar> {
        self.rule(kind).map(|rule| rule.bar)
    }

    /// Whether devices and servers are still being learned.
    fn is_learning(&self, now_s: u32) -> bool {
        now_s.saturating_sub(self.began_s) < self.rules.learn_s
    }

    /// Counts for a built-in rule, and raises its alert where that reaches the threshold.
    fn count(&mut self, kind: AlertKind, counted: &Counted<'_>) {
        let Some(rule) = &self.built_in[kind as usize] else { return };
        let now_s = seconds(counted.now_ns);
        let meter = self.meters.entry(&counted.key, now_s).value;
        let told = meter.add(rule.bar, now_s, counted.amount, counted.flow);
        let Some(value) = told else { return };
        let flows = [meter.flow, counted.flow];
        self.active.raise(&Raise {
            rule,
            about: (counted.about)(),
            ident: counted.ident,
            value,
            figure: counted.figure,
            flows,
            key: counted.key,
            now_ns: counted.now_ns,
        });
    }

    /// Takes back what was counted in this window.
    fn uncount(&mut self, kind: AlertKind, key: &Key, amount: u64, now_ns: u64) {
        let Some(bar) = self.bar(kind) else { return };
        if let Some(meter) = self.meters.get_mut(key) {
            meter.take(bar, seconds(now_ns), amount);
        }
    }
}

/// What [`Alerts::count`] counts.
struct Counted<'a> {
    key: Key,
    amount: u64,
    figure: Figure,
    flow: u64,
    now_ns: u64,
    ident: u64,
    about: &'a dyn Fn() -> Alert,
}

impl Flow {
    /// Counts one more of `figure` because of the flow.
    fn counts<'a>(&self, key: Key, figure: Figure, about: &'a dyn Fn() -> Alert) -> Counted<'a> {
        Counted { key, amount: 1, figure, flow: self.id, now_ns: self.now_ns, ident: 0, about }
    }

    /// An alert about two of its parties.
    fn about(&self, subject: Party, peer: Party) -> Alert {
        Alert { subject, peer, protocol: self.protocol, vlan: self.vlan, ..Alert::default() }
    }
}

/// A key: what is counted, of whom, and two numbers more.
#[inline]
fn key(kind: AlertKind, host: &[u8; 16], port: u16, more: u64) -> Key {
    let [a, b] = halves(host);
    let tail = (kind as u64) << 56 | u64::from(port) << 40 | more & ((1 << 40) - 1);
    [a, b, tail]
}

#[inline]
fn halves(host: &[u8; 16]) -> [u64; 2] {
    let word = u128::from_le_bytes(*host);
    [word & u128::from(u64::MAX), word >> 64].map(|half| u64::try_from(half).unwrap_or(0))
}

/// Bits that stand for an address within a key.
#[inline]
fn folded(host: &[u8; 16]) -> u64 {
    let [a, b] = halves(host);
    let product = u128::from(a ^ 0x9e37_79b9_7f4a_7c15) * u128::from(b ^ 0xd6e8_feb8_6659_fd93);
    u64::try_from((product >> 40) & u128::from(u64::MAX)).unwrap_or(0)
}

fn party(end: &Endpoint) -> Party {
    Party { address: end.address, port: end.port }
}

/// A party without its port.
fn host(end: &Endpoint) -> Party {
    Party { address: end.address, port: 0 }
}

/// Whether an address is one of many (multicast) or of all (broadcast).
fn is_group(host: &[u8; 16]) -> bool {
    match host {
        [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, first, ..] => {
            *first & 0xf0 == 0xe0 || host.ends_with(&[0xff; 4])
        }
        [first, ..] => *first == 0xff,
    }
}

#[expect(clippy::cast_possible_truncation, reason = "Unix seconds fit 32 bits until 2106")]
const fn seconds(timestamp_ns: u64) -> u32 {
    (timestamp_ns / 1_000_000_000) as u32
}
