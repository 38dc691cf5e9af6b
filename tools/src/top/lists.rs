//! What applications and hosts came to, out of the sums that the engine keeps: flows that ended or
//! were evicted are in them.

use std::collections::HashMap;
use std::net::IpAddr;

use weir_shm::alerts::Alert;
use weir_shm::hosts::{Host, HostKind, Hosts};

use super::sheet::Target;
use super::sort::{AppSort, HostSort};
use crate::alerts::show;
use crate::hosts::Books;
use crate::{names, resolve};

/// Hosts that a list holds.
const HOSTS: usize = 500;

/// An application.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct AppLine {
    pub(super) name: String,
    /// What it is for.
    pub(super) category: &'static str,
    pub(super) bytes: u64,
    pub(super) rate_bps: u64,
    pub(super) flows: u64,
    pub(super) live: u64,
    /// Local hosts among whose greatest applications it is.
    pub(super) hosts: u64,
    /// Half of the flows, and 95 of 100, have their first answer within these times.
    pub(super) latency_ns: [Option<u64>; 2],
}

/// A host.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct HostLine {
    pub(super) address: IpAddr,
    pub(super) name: String,
    pub(super) kind: HostKind,
    /// Bits a second that it sends and receives.
    pub(super) rates_bps: [u64; 2],
    /// Bytes that it sent and received.
    pub(super) bytes: [u64; 2],
    pub(super) flows: u64,
    pub(super) live: u64,
    /// Its greatest application.
    pub(super) app: String,
    pub(super) os: &'static str,
    pub(super) vendor: String,
    /// Alerts about it that are active.
    pub(super) alerts: usize,
    pub(super) last_ns: u64,
}

impl HostLine {
    /// What it is called; its address where nothing is known.
    pub(super) fn label(&self) -> String {
        if self.name.is_empty() { self.address.to_string() } else { self.name.clone() }
    }

    pub(super) fn all_bytes(&self) -> u64 {
        self.bytes[0].saturating_add(self.bytes[1])
    }

    pub(super) fn rate_bps(&self) -> u64 {
        self.rates_bps[0].saturating_add(self.rates_bps[1])
    }
}

impl AppLine {
    /// The flows of the application.
    pub(super) fn flows(&self) -> Target {
        let name: String =
            self.name.chars().filter(|letter| !matches!(letter, '"' | '\\')).collect();
        Target::Flows(format!("app == \"{name}\""))
    }
}

/// Tells how a host's rate is shared out between what it sends and what it receives. The engine
/// keeps one rate of both, so it is split as the bytes were that came since the look before.
#[derive(Debug, Default)]
pub(super) struct Directions {
    seen: HashMap<IpAddr, Seen>,
    /// Bits a second that each host sends and receives, where it is not nothing.
    rates_bps: HashMap<IpAddr, [u64; 2]>,
}

#[derive(Clone, Copy, Debug, Default)]
struct Seen {
    bytes: [u64; 2],
    /// What came last.
    more: [u64; 2],
}

impl Directions {
    /// Takes in what a look found.
    pub(super) fn follow(&mut self, hosts: &Hosts, now_ns: u64) {
        let mut seen = HashMap::with_capacity(hosts.hosts.len());
        let mut rates = HashMap::new();
        for (address, host) in &hosts.hosts {
            let bytes = host.share.bytes;
            let before = self.seen.get(address).copied().unwrap_or_default();
            let more = [0, 1].map(|way: usize| bytes[way].saturating_sub(before.bytes[way]));
            let more = if more == [0, 0] { before.more } else { more };
            seen.insert(*address, Seen { bytes, more });
            let rate_bps = host.rate.current(now_ns).saturating_mul(8);
            if rate_bps > 0 {
                rates.insert(*address, share_out(rate_bps, more));
            }
        }
        (self.seen, self.rates_bps) = (seen, rates);
    }
}

/// `whole` in the proportion of `parts`.
fn share_out(whole: u64, parts: [u64; 2]) -> [u64; 2] {
    let all = u128::from(parts[0]) + u128::from(parts[1]);
    if all == 0 {
        return [whole / 2, whole - whole / 2];
    }
    let first = u128::from(whole) * u128::from(parts[0]) / all;
    let first = u64::try_from(first).unwrap_or(whole).min(whole);
    [first, whole - first]
}

/// The applications that were seen and have `part` in their name or category, in order.
pub(super) fn apps(all: &Hosts, sort: AppSort, part: &str, now_ns: u64) -> Vec<AppLine> {
    let mut of_hosts: HashMap<u16, u64> = HashMap::new();
    for host in all.hosts.values() {
        host.apps.keys().for_each(|app| *of_hosts.entry(*app).or_default() += 1);
    }
    let line = |(id, total): (u16, &weir_shm::hosts::TotalRead)| AppLine {
        name: names::app(id).into_owned(),
        category: names::category(id, id),
        bytes: total.share.all_bytes(),
        rate_bps: total.rate.current(now_ns).saturating_mul(8),
        flows: total.flows,
        live: total.live,
        hosts: of_hosts.get(&id).copied().unwrap_or(0),
        latency_ns: [500, 950].map(|share| {
            // Without health, of TCP only the way to the server is known.
            let answer = total.answers.percentile(share);
            answer.or_else(|| total.server_delay.percentile(share))
        }),
    };
    let seen = |(_, total): &(u16, &weir_shm::hosts::TotalRead)| total.flows > 0;
    let mut lines: Vec<AppLine> = all.apps().into_iter().filter(seen).map(line).collect();
    lines.retain(|line| has(part, &[&line.name, line.category]));
    lines.sort_by(|a, b| sort.compare(a, b));
    lines
}

/// The first hosts in this order that have `part` in what they are called, and how many there are.
pub(super) fn hosts(
    all: &Hosts,
    directions: &Directions,
    alerts: &[Alert],
    books: &Books,
    (sort, part): (HostSort, &str),
) -> (Vec<HostLine>, usize) {
    let mut told: HashMap<IpAddr, usize> = HashMap::new();
    for alert in alerts {
        let subject = show::address(&alert.subject);
        let peer = show::address(&alert.peer).filter(|peer| Some(*peer) != subject);
        for address in subject.into_iter().chain(peer) {
            *told.entry(address).or_default() += 1;
        }
    }
    let line = |host: &Host| HostLine {
        address: host.address,
        name: host.name().to_owned(),
        kind: host.kind,
        rates_bps: directions.rates_bps.get(&host.address).copied().unwrap_or_default(),
        bytes: host.share.bytes,
        flows: host.flows_as_client + host.flows_as_server,
        live: host.flows_live,
        app: greatest(host),
        os: host.os.unwrap_or_default(),
        vendor: books.vendor(host),
        alerts: told.get(&host.address).copied().unwrap_or(0),
        last_ns: host.last_ns,
    };
    let mut lines: Vec<HostLine> = all
        .hosts
        .values()
        .map(line)
        .filter(|line| {
            part.is_empty()
                || has(
                    part,
                    &[&line.name, &line.address.to_string(), &line.vendor, line.kind.name()],
                )
        })
        .collect();
    let count = lines.len();
    if count > HOSTS {
        lines.select_nth_unstable_by(HOSTS, |a, b| sort.compare(a, b));
        lines.truncate(HOSTS);
    }
    lines.sort_by(|a, b| sort.compare(a, b));
    // Looked up is what can be seen alone.
    for line in lines.iter_mut().filter(|line| line.name.is_empty()) {
        line.name = resolve::name(line.address).unwrap_or_default();
    }
    (lines, count)
}

fn greatest(host: &Host) -> String {
    let greatest = host.apps.iter().max_by_key(|(_, counted)| counted.all());
    greatest.map(|(app, _)| names::app(*app).into_owned()).unwrap_or_default()
}

/// Whether `part`, in lower case, is in one of these texts.
pub(super) fn has(part: &str, texts: &[&str]) -> bool {
    part.is_empty() || texts.iter().any(|text| text.to_lowercase().contains(part))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rates_are_shared_out_and_never_lost() {
        assert_eq!(share_out(100, [1, 3]), [25, 75]);
        assert_eq!(share_out(101, [0, 0]), [50, 51]);
        assert_eq!(share_out(u64::MAX, [u64::MAX, u64::MAX]).iter().sum::<u64>(), u64::MAX);
        assert_eq!(share_out(7, [0, 9]), [0, 7]);
    }

    #[test]
    fn a_part_is_found_in_any_case() {
        assert!(has("exa", &["", "www.Example.org"]));
        assert!(!has("x.y", &["xzy"]));
        assert!(has("", &[]));
    }
}
