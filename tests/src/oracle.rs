//! Flows' health as tshark sees it, and as Weir does, side by side.
//!
//! tshark says of every frame what its "TCP Analysis" found; summed up by flow and direction that is
//! what Weir's counters are to be. Flows are known by their ends alone: what either side splits by
//! time, VLAN or tunnel is added up.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::path::Path;
use std::process::Command;

use anyhow::{Context, bail};
use weir_shm::flow::{Dir, FlowSnapshot};
use weir_shm::health::{Ended, Events, Health};
use weir_shm::records::RecordKind;

use crate::seen;
use crate::traffic::packet::End;

/// A kind of event: its name, and how many of it there are.
pub type Class = (&'static str, fn(&Events) -> u64);

/// The classes that are compared, by tshark's field `tcp.analysis.…`, and how Weir counts them.
pub const CLASSES: [Class; 14] = [
    ("retransmission", |e| e.retransmissions.into()),
    ("fast_retransmission", |e| e.fast_retransmissions.into()),
    ("spurious_retransmission", |e| e.spurious_retransmissions.into()),
    ("out_of_order", |e| e.out_of_order.into()),
    ("lost_segment", |e| e.lost.into()),
    ("ack_lost_segment", |e| e.unseen_acks.into()),
    ("duplicate_ack", |e| e.duplicate_acks.into()),
    ("zero_window", |e| e.zero_windows.into()),
    ("window_full", |e| e.window_full.into()),
    ("window_update", |e| e.window_updates.into()),
    ("zero_window_probe", |e| e.zero_window_probes.into()),
    ("zero_window_probe_ack", |e| e.zero_window_probe_acks.into()),
    ("keep_alive", |e| e.keep_alives.into()),
    ("keep_alive_ack", |e| e.keep_alive_acks.into()),
];

/// The ends of a flow, the lower one first, and whether it is TCP.
pub type Ends = (End, End, bool);

/// What one side says of a flow.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct Told {
    /// Packets.
    pub packets: u64,
    /// How often each class was met, from the lower end and from the higher.
    pub counts: [[u64; CLASSES.len()]; 2],
    /// Round trip of the first handshake, nanoseconds; 0: none.
    pub handshake_ns: u64,
    /// How long DNS answers took: how many, and the longest in nanoseconds.
    pub dns: (u64, u64),
    /// How long the first answer took, nanoseconds: tshark's of HTTP.
    pub first_answer_ns: u64,
    /// tshark's begins and ends elsewhere than Weir's answer: the request has more than one segment, or
    /// something was said before it, or the answer's head is not where the answer begins.
    pub is_otherwise: bool,
    /// The first two frames with payload, and their lanes.
    spoken: [Option<(u64, usize)>; 2],
}

/// Flows by their ends.
pub type Flows = BTreeMap<Ends, Told>;

/// Whether tshark is there, with its version.
pub fn tshark() -> Option<String> {
    let output = Command::new("tshark").arg("--version").output().ok()?;
    let text = String::from_utf8_lossy(&output.stdout);
    text.lines().next().filter(|_| output.status.success()).map(str::to_owned)
}

/// Fields before the classes.
const FIELDS: [&str; 17] = [
    "ip.src",
    "ip.dst",
    "ipv6.src",
    "ipv6.dst",
    "tcp.srcport",
    "tcp.dstport",
    "udp.srcport",
    "udp.dstport",
    "icmp.type",
    "icmpv6.type",
    "tcp.analysis.initial_rtt",
    "dns.time",
    "http.time",
    "dns.id",
    "frame.number",
    "tcp.len",
    "http.request_in",
];

/// What tshark says of a capture.
///
/// # Errors
/// tshark fails, or gives what nobody understands.
pub fn by_tshark(path: &Path) -> anyhow::Result<Flows> {
    let mut command = Command::new("tshark");
    command.arg("-r").arg(path).args(["-n", "-T", "fields", "-E", "occurrence=l"]);
    // An answer begins with its first segment, not where its body is whole.
    command.args(["-o", "http.desegment_body:FALSE"]);
    for field in FIELDS {
        command.args(["-e", field]);
    }
    for (class, _) in CLASSES {
        command.args(["-e", &format!("tcp.analysis.{class}")]);
    }
    let output = command.output().context("tshark")?;
    let text = String::from_utf8_lossy(&output.stdout);
    if text.is_empty() && !output.status.success() {
        bail!("tshark: {}", String::from_utf8_lossy(&output.stderr));
    }
    let mut flows = Flows::new();
    for line in text.lines() {
        let row: Vec<&str> = line.split('\t').collect();
        frame(&row, &mut flows);
    }
    Ok(flows)
}

/// Adds a frame to its flow. What is no TCP or UDP, or stands in an ICMP message, has none.
fn frame(row: &[&str], flows: &mut Flows) -> Option<()> {
    let at = |index: usize| row.get(index).copied().filter(|text| !text.is_empty());
    if at(8).is_some() || at(9).is_some() {
        return None;
    }
    let is_tcp = at(4).is_some();
    let ports = if is_tcp { [at(4)?, at(5)?] } else { [at(6)?, at(7)?] };
    let addresses = if at(2).is_some() { [at(2)?, at(3)?] } else { [at(0)?, at(1)?] };
    let end = |index: usize| -> Option<End> {
        Some(End { address: addresses[index].parse().ok()?, port: ports[index].parse().ok()? })
    };
    let (from, to) = (end(0)?, end(1)?);
    let lane = usize::from(order(to) < order(from));
    let (lower, higher) = if lane == 0 { (from, to) } else { (to, from) };
    let told = flows.entry((lower, higher, is_tcp)).or_default();
    told.packets += 1;
    for (class, count) in told.counts[lane].iter_mut().enumerate() {
        *count += u64::from(at(FIELDS.len() + class).is_some());
    }
    if told.handshake_ns == 0 {
        told.handshake_ns = at(10).map_or(0, nanoseconds);
    }
    if let Some(took) = at(11) {
        told.dns = (told.dns.0 + 1, told.dns.1.max(nanoseconds(took)));
    }
    let number = at(14).and_then(|number| number.parse().ok()).unwrap_or(0);
    if at(15).is_some_and(|bytes| bytes != "0")
        && let Some(free) = told.spoken.iter_mut().find(|spoken| spoken.is_none())
    {
        *free = Some((number, lane));
    }
    if let Some(took) = at(12).filter(|_| told.first_answer_ns == 0) {
        told.first_answer_ns = nanoseconds(took);
        let request = at(16).and_then(|number| number.parse().ok()).unwrap_or(0);
        told.is_otherwise = told.spoken != [Some((request, 1 - lane)), Some((number, lane))];
    }
    Some(())
}

/// Endpoints compare as in shared memory: IPv4 in its mapped form.
fn order(end: End) -> ([u8; 16], u16) {
    let address = match end.address {
        IpAddr::V4(v4) => v4.to_ipv6_mapped().octets(),
        IpAddr::V6(v6) => v6.octets(),
    };
    (address, end.port)
}

/// Seconds with a point, as nanoseconds.
fn nanoseconds(text: &str) -> u64 {
    let (whole, part) = text.split_once('.').unwrap_or((text, ""));
    let part = format!("{part:0<9}");
    let part = part.get(..9).and_then(|digits| digits.parse().ok()).unwrap_or(0);
    whole.parse::<u64>().unwrap_or(0) * 1_000_000_000 + part
}

/// What Weir says of a capture.
///
/// # Errors
/// The engine does not run.
pub fn by_weir(path: &Path) -> anyhow::Result<Flows> {
    let mut flows = Flows::new();
    seen::records(
        &format!("pcap:{}", path.display()),
        &[("health.enabled", true.into())],
        |record| {
            if record.kind == RecordKind::Ended && matches!(record.flow.l4(), 6 | 17) {
                add(&record.flow, &record.health, &mut flows);
            }
            Ok(())
        },
    )?;
    Ok(flows)
}

fn add(flow: &FlowSnapshot, health: &Health, flows: &mut Flows) {
    let end = |end: weir_shm::flow::Endpoint| End { address: end.address, port: end.port };
    let dirs = if flow.client_is_hi() {
        [Dir::ToClient, Dir::ToServer]
    } else {
        [Dir::ToServer, Dir::ToClient]
    };
    let told = flows.entry((end(flow.lo()), end(flow.hi()), flow.l4() == 6)).or_default();
    told.packets += flow.packets(Dir::ToServer) + flow.packets(Dir::ToClient);
    for (lane, dir) in dirs.into_iter().enumerate() {
        let events = health.events(flow, dir);
        for (count, (_, of)) in told.counts[lane].iter_mut().zip(CLASSES) {
            *count += of(&events);
        }
    }
    let (server, client) = (health.server_delay_ns(), health.client_delay_ns());
    // Refused, or answered on another way: one delay is the whole round trip.
    let is_whole = health.ended() == Ended::Refused || !health.history().contains('h');
    if told.handshake_ns == 0 && server != 0 && (client != 0 || is_whole) {
        told.handshake_ns = server + client;
    }
    let answers = health.answers();
    told.dns = (told.dns.0 + u64::from(answers.samples), told.dns.1.max(answers.max_ns));
    if told.first_answer_ns == 0 {
        told.first_answer_ns = answers.first_ns;
    }
}

/// How two sides agree on one class.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Agreement {
    /// Flows that both have.
    pub flows: u64,
    /// Of these, those that agree.
    pub same: u64,
    /// Flows in which either met the class.
    pub met: u64,
    /// Of these, those that agree.
    pub met_same: u64,
    /// How often tshark and Weir met it in all.
    pub totals: [u64; 2],
}

impl Agreement {
    /// Notes a flow.
    pub fn note(&mut self, tshark: u64, weir: u64, same: bool) {
        self.flows += 1;
        self.same += u64::from(same);
        let met = tshark != 0 || weir != 0;
        self.met += u64::from(met);
        self.met_same += u64::from(met && same);
        self.totals[0] += tshark;
        self.totals[1] += weir;
    }

    /// The share of flows that agree; 1 where there are none.
    #[expect(clippy::cast_precision_loss, reason = "a share for people")]
    pub fn share(&self) -> f64 {
        if self.flows == 0 { 1.0 } else { self.same as f64 / self.flows as f64 }
    }
}

/// What all captures came to.
#[derive(Clone, Debug, Default)]
pub struct Comparison {
    /// By class, in the order of [`CLASSES`], then handshakes, DNS and HTTP.
    pub classes: Vec<(String, Agreement)>,
    /// Flows that disagree: capture, class, ends, tshark's and Weir's figures.
    pub differences: Vec<(String, String, String, String)>,
    /// Flows that only one of the two has, or with another number of packets.
    pub apart: u64,
}

/// HTTP where tshark's time is of something else, which says how often that makes a difference.
pub const OTHERWISE: &str = "http.time, otherwise";

/// A microsecond: what tshark's times may be off.
const CLOSE_NS: u64 = 1000;

impl Comparison {
    /// Compares what was told of one capture.
    pub fn compare(&mut self, name: &str, tshark: &Flows, weir: &Flows) {
        self.apart += weir.keys().filter(|ends| !tshark.contains_key(*ends)).count() as u64;
        for (ends, theirs) in tshark {
            let ours = weir.get(ends).filter(|ours| ours.packets == theirs.packets);
            let Some(ours) = ours else {
                self.apart += 1;
                continue;
            };
            let place =
                || format!("{}:{} {}:{}", ends.0.address, ends.0.port, ends.1.address, ends.1.port);
            if ends.2 {
                for (class, (field, _)) in CLASSES.iter().enumerate() {
                    let of = |told: &Told| told.counts.map(|counts| counts[class]);
                    let (a, b) = (of(theirs), of(ours));
                    let sums = [a, b].map(|pair| pair.iter().sum::<u64>());
                    self.note(name, field, sums, a == b, || (place(), format!("{a:?} {b:?}")));
                }
                let pair = [theirs.handshake_ns, ours.handshake_ns];
                let same = pair[0].abs_diff(pair[1]) <= CLOSE_NS;
                let met = pair.map(|ns| u64::from(ns != 0));
                self.note(name, "initial_rtt", met, same, || (place(), format!("{pair:?}")));
                let pair = [theirs.first_answer_ns, ours.first_answer_ns];
                if pair[0] != 0 {
                    let same = pair[0].abs_diff(pair[1]) <= CLOSE_NS;
                    let class = if theirs.is_otherwise { OTHERWISE } else { "http.time" };
                    self.note(name, class, [1, 1], same, || (place(), format!("{pair:?}")));
                }
            }
            if theirs.dns.0 != 0 {
                let class = if ends.2 { "dns.time over TCP" } else { "dns.time" };
                let pair = [theirs.dns, ours.dns];
                let same = pair[0].0 == pair[1].0 && pair[0].1.abs_diff(pair[1].1) <= CLOSE_NS;
                let met = [theirs.dns.0, ours.dns.0];
                self.note(name, class, met, same, || (place(), format!("{pair:?}")));
            }
        }
    }

    fn note(
        &mut self,
        capture: &str,
        class: &str,
        totals: [u64; 2],
        same: bool,
        say: impl FnOnce() -> (String, String),
    ) {
        let at = self.classes.iter().position(|(name, _)| name == class).unwrap_or_else(|| {
            self.classes.push((class.to_owned(), Agreement::default()));
            self.classes.len() - 1
        });
        self.classes[at].1.note(totals[0], totals[1], same);
        if !same {
            let (ends, figures) = say();
            self.differences.push((capture.to_owned(), class.to_owned(), ends, figures));
        }
    }
}
