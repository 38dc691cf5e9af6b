//! The rules: what each kind of alert asks for by default, and what a configuration makes of it.

use weir_dpi::AppId;
use weir_dpi::app::{self, Category};
use weir_dpi::risk;
use weir_shm::alerts::{Adds, AlertKind, Severity};

use super::meter::Bar;
use crate::flow::timeouts::Network;

/// What a built-in rule asks for by default.
#[derive(Clone, Copy, Debug)]
pub struct Preset {
    /// The kind, whose name is the rule's.
    pub kind: AlertKind,
    /// What the value has to reach.
    pub threshold: u64,
    /// What the value counts.
    pub unit: &'static str,
    /// Length of a window, seconds; 0: it has none.
    pub window_s: u32,
    /// How much it weighs.
    pub severity: Severity,
    /// How the value is made, for the manual.
    pub formula: &'static str,
}

macro_rules! presets {
    ($($kind:ident $threshold:literal $unit:literal $window:literal $severity:ident $formula:literal;)*) => {
        /// Every built-in rule.
        pub const PRESETS: &[Preset] = &[$(Preset {
            kind: AlertKind::$kind,
            threshold: $threshold,
            unit: $unit,
            window_s: $window,
            severity: Severity::$severity,
            formula: $formula,
        }),*];
    };
}

presets! {
    SynFloodVictim 500 "half-open connections" 10 Severe
        "SYNs to one address and port, less those whose client then sent an ACK and those that the server reset.";
    SynFloodAttacker 500 "half-open connections" 10 Severe
        "SYNs of one address to an address and port that it had sent one in the same window already, less those that came about or were reset.";
    PortScan 100 "ports" 60 High
        "Different ports of one host that a client tried without ever sending data (TCP) or getting an answer (UDP). Counted once a client has 16 such flows in the window.";
    HostScan 100 "hosts" 60 High
        "Different hosts that a client tried on one port (or with ICMP echo), likewise.";
    IcmpFlood 2000 "packets" 10 High "ICMP packets to one address, of whoever sends.";
    UdpFlood 20000 "packets" 10 Severe
        "UDP packets to one address, of flows that it has not answered. Multicast does not count.";
    Amplification 1_000_000 "bytes" 10 Severe
        "Bytes to one address in UDP flows that began with a packet from a port of a service that is known to amplify (17, 19, 53, 69, 111, 123, 137, 161, 389, 427, 500, 520, 1900, 3283, 3702, 5353, 5683, 10001, 11211), without a request.";
    DnsErrors 100 "errors" 60 Medium
        "DNS answers over UDP (port 53) to one client with an error: SERVFAIL, NXDOMAIN, REFUSED and the like.";
    DnsTunnel 4000 "bytes of names" 60 High
        "Bytes before the domain, of different names of 32 or more such bytes that one client asked for below one domain. Reverse names do not count.";
    BruteForce 30 "connections" 60 High
        "Connections in which the client sent data, of one client to one login service (`ports`, or `applications` on other ports).";
    ArpSpoof 3 "claims" 60 Severe
        "ARP replies and neighbour advertisements that nobody asked for in the quarter of a second before, and that give an address to another device than the one that had it. Announcements to all count for the next rule, advertisements that do not override (proxies, anycast) for none.";
    DuplicateAddress 3 "claims" 60 Medium
        "Claims of an address by another device than the last, when both claimed it within the window: asked replies, requests and announcements, of ARP and of neighbour discovery.";
    NewDevice 1 "devices" 60 Low
        "A hardware address that sent something for the first time, after the learning time (`learn_s`).";
    BlacklistedPeer 1 "flows" 300 High
        "Flows of a client with the risk listed_address, listed_host or listed_fingerprint, which the lists of rules give.";
    FlowRisk 1 "flows" 300 High
        "Flows of a client with a risk of at least the severity `risk_severity`; an alert for each risk.";
    ElephantFlow 1_073_741_824 "bytes" 0 Low "Bytes of a flow, both ways. Ends with the flow.";
    LongFlow 86400 "seconds" 0 Low "Age of a flow that still has packets. Ends with the flow.";
    SilentHost 300 "seconds" 0 Medium
        "Seconds since the last packet of an address in `hosts`. Ends with its next packet.";
    UnexpectedServer 1 "flows" 300 High
        "Flows that begin with an answer of a DHCP server that is not in alerts.dhcp_servers (if there is none in that list: that was not there in the learning time), and answers of a DNS server that is not in alerts.dns_servers (if there is one in that list).";
    TtlOddity 100 "changes" 60 Low
        "Flows that an address began, of which the distance (initial TTL of 64, 128 or 255, less the TTL) is 3 or more hops from that of the flow before. TTLs of 32 and less do not count.";
    RttWorse 300 "percent" 300 Medium
        "Mean delay of the handshakes of a window's flows with a network (/24, /48), on the way from here to it and back, in percent of the baseline, and at least 5 ms longer.";
    LossWorse 300 "percent" 300 Medium
        "Share of packets that were lost of a window's flows with a network, between here and there, in percent of the baseline (0.1 % at least), and at least 2 % of the packets.";
    ForgedReset 5 "connections" 60 Medium
        "Connections with packets both ways that are reset in the name of a host, which had acknowledged something, at a distance (as in ttl_oddity) that is 3 or more hops from that of its first packet. TTLs of 32 and less do not count.";
}

/// A rule as it is in force.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Rule {
    /// The kind.
    pub kind: AlertKind,
    /// The kind's name, or that of a rule of one's own.
    pub name: String,
    /// Whether it is in force.
    pub enabled: bool,
    /// How much it weighs.
    pub severity: Severity,
    /// What the value has to reach, of all shards together.
    pub threshold: u64,
    /// It ends when the value has been below this part of the threshold…
    pub end_percent: u32,
    /// … for so many windows.
    pub end_windows: u32,
    /// Whose alerts are left out.
    pub exclude: Vec<Exclusion>,
    pub(super) bar: Bar,
    pub(super) end_below: u64,
    /// It ends by word rather than by windows.
    pub(super) held: bool,
}

/// Addresses that a rule does not apply to.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Exclusion {
    /// The addresses.
    pub host: Network,
    /// Why.
    pub comment: String,
}

/// What a rule of one's own counts.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[expect(missing_docs, reason = "as their names say")]
pub enum Metric {
    Bytes,
    Packets,
    Flows,
}

/// Which way, seen from the host.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[expect(missing_docs, reason = "as their names say")]
pub enum Way {
    In,
    Out,
    Both,
}

/// A rule of one's own.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct OwnRule {
    /// Threshold, window and the like.
    pub rule: Rule,
    /// What is counted.
    pub metric: Metric,
    /// Which way: of bytes and packets what the host sends or gets, of flows what it begins or is
    /// asked.
    pub way: Way,
    /// Only of this application.
    pub app: Option<AppId>,
    /// Only of this category.
    pub category: Option<Category>,
    /// Only of these hosts; none: all.
    pub hosts: Vec<Network>,
}

/// All rules of a run.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct AlertRules {
    /// Built-in ones, in the order of [`PRESETS`].
    pub built_in: Vec<Rule>,
    /// One's own.
    pub own: Vec<OwnRule>,
    /// Seconds in which devices and servers are learned.
    pub learn_s: u32,
    /// Ports of login services.
    pub login_ports: Vec<u16>,
    /// Login applications, on any port.
    pub login_apps: Vec<AppId>,
    /// Least severity of a risk for [`AlertKind::FlowRisk`].
    pub risk_severity: risk::Severity,
    /// Addresses that are watched for silence.
    pub watched: Vec<[u8; 16]>,
    /// DHCP servers that are known.
    pub dhcp_servers: Vec<Network>,
    /// DNS servers that are known; none: any may be one.
    pub dns_servers: Vec<Network>,
    /// Keys that each shard counts by at the same time.
    pub keys: usize,
}

impl Default for AlertRules {
    fn default() -> AlertRules {
        AlertRules {
            built_in: PRESETS.iter().map(Rule::of).collect(),
            own: Vec::new(),
            learn_s: 3600,
            login_ports: vec![21, 22, 23, 3389, 5900],
            login_apps: vec![AppId::FTP_CONTROL, AppId::SSH, AppId::TELNET, AppId::RDP, AppId::VNC],
            risk_severity: risk::Severity::Severe,
            watched: Vec::new(),
            dhcp_servers: Vec::new(),
            dns_servers: Vec::new(),
            keys: 65_536,
        }
    }
}

impl Rule {
    /// A rule as it is by default.
    pub fn of(preset: &Preset) -> Rule {
        let mut rule = Rule {
            kind: preset.kind,
            name: preset.kind.name().to_owned(),
            enabled: true,
            severity: preset.severity,
            threshold: preset.threshold,
            end_percent: 50,
            end_windows: 2,
            exclude: Vec::new(),
            bar: Bar { window_s: preset.window_s, threshold: preset.threshold },
            end_below: 0,
            held: preset.window_s == 0,
        };
        rule.share(1);
        rule
    }

    /// A rule of one's own, with nothing set.
    pub fn own(name: &str) -> Rule {
        let preset = Preset {
            kind: AlertKind::HostThreshold,
            threshold: 1,
            unit: "",
            window_s: 60,
            severity: Severity::Medium,
            formula: "",
        };
        Rule { name: name.to_owned(), ..Rule::of(&preset) }
    }

    /// Length of a window, seconds; 0: it has none.
    pub const fn window_s(&self) -> u32 {
        self.bar.window_s
    }

    /// Sets the length of a window.
    pub const fn set_window(&mut self, seconds: u32) {
        self.bar.window_s = seconds;
    }

    /// Makes it that of one of `shards` shards: a quarter of its part of the threshold, where the
    /// shards' values add up.
    pub(super) fn share(&mut self, shards: u64) {
        let adds = self.kind.adds() == Adds::Sum && shards > 1;
        let part = if adds { self.threshold / (4 * shards) } else { self.threshold };
        self.bar.threshold = part.max(1);
        let below = u128::from(self.bar.threshold) * u128::from(self.end_percent) / 100;
        self.end_below = u64::try_from(below).unwrap_or(u64::MAX).max(1);
    }

    /// Whether an address (mapped form) is left out.
    pub(super) fn excludes(&self, address: [u8; 16]) -> bool {
        address != [0; 16] && self.exclude.iter().any(|one| one.host.contains(address))
    }
}

impl AlertRules {
    /// The rules as one of `shards` shards obeys them.
    pub(super) fn for_shards(&self, shards: u16) -> AlertRules {
        let mut rules = self.clone();
        let own = rules.own.iter_mut().map(|own| &mut own.rule);
        for rule in rules.built_in.iter_mut().chain(own) {
            rule.share(shards.max(1).into());
        }
        rules.own.retain(|own| own.rule.enabled);
        if !rules.built_in(AlertKind::SilentHost).is_some_and(|rule| rule.enabled) {
            rules.watched.clear();
        }
        rules
    }

    /// The built-in rule of a kind.
    pub fn built_in(&self, kind: AlertKind) -> Option<&Rule> {
        self.built_in.iter().find(|rule| rule.kind == kind)
    }
}

impl OwnRule {
    /// Whether flows of this application count.
    pub(super) fn is_about(&self, master: AppId, app: AppId) -> bool {
        let by_app = self.app.is_none_or(|wanted| wanted == app || wanted == master);
        by_app && self.category.is_none_or(|wanted| wanted == app::category(master, app))
    }

    /// Whether this host's count.
    pub(super) fn has(&self, host: [u8; 16]) -> bool {
        self.hosts.is_empty() || self.hosts.iter().any(|network| network.contains(host))
    }
}
