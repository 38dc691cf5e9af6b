//! The packets that belong to an alert: those of its host, its network or its device while it was
//! active, and a while before; and those of the flows that it names, at any time. Which these are the
//! files themselves tell.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::path::PathBuf;

use anyhow::Context;

use crate::exit::{Code, failure};
use crate::files::Packet;
use crate::files::alert::Named;
use crate::files::wire;
use crate::index::build;
use crate::index::format::Row;
use crate::index::lookup::Index;
use crate::packets::ETHERNET;
use crate::record::choice::Network;

/// An alert begins when its threshold is reached: what led to it came before, in its window or in
/// this time at least.
const BEFORE_NS: u64 = 60_000_000_000;
/// Alerts that are named where the one that was asked for is not there.
const NAMED: usize = 20;

/// See the module.
#[derive(Clone, Default, Debug)]
pub(super) struct Sought {
    flows: BTreeSet<u64>,
    networks: Vec<Network>,
    devices: Vec<[u8; 6]>,
    /// From when to when, for each time that it began.
    spans: BTreeMap<u64, [u64; 2]>,
}

/// Reads an alert's identity, as `weir alerts` shows it.
///
/// # Errors
/// It is none, in words.
pub(super) fn id(text: &str) -> Result<u64, String> {
    let id = u64::from_str_radix(text, 16).ok().filter(|id| *id != 0);
    id.ok_or_else(|| "the id of an alert, as `weir alerts --json` shows it".to_owned())
}

impl Sought {
    /// What files tell of an alert.
    ///
    /// # Errors
    /// A file cannot be read, or none tells of it.
    pub(super) fn find(files: &[PathBuf], id: u64, no_index: bool) -> anyhow::Result<Sought> {
        let mut sought = Sought::default();
        let mut others: BTreeMap<u64, Named> = BTreeMap::new();
        for path in files {
            let cannot = || format!("cannot read {}", path.display());
            let known = if no_index { None } else { Index::of(path) };
            let index = match known {
                Some(index) => Some(index),
                None => match build::scan(path).with_context(cannot)? {
                    Some((builder, scanned)) => {
                        Index::in_memory(&builder.finish(scanned.whole_bytes))
                            .with_context(cannot)?
                    }
                    None => None,
                },
            };
            let alerts = index.map(|index| index.alerts()).transpose().with_context(cannot)?;
            for alert in alerts.unwrap_or_default() {
                if alert.id == id {
                    sought.add(&alert);
                } else if others.len() < NAMED {
                    others.insert(alert.id, alert);
                }
            }
        }
        if sought.spans.is_empty() {
            return Err(not_there(id, &others));
        }
        Ok(sought)
    }

    fn add(&mut self, alert: &Named) {
        self.flows.extend(alert.flows());
        let network = alert.network().filter(|network| !self.networks.contains(network));
        self.networks.extend(network);
        let device = alert.device().filter(|device| !self.devices.contains(device));
        self.devices.extend(device);
        let before_ns = BEFORE_NS.max(u64::from(alert.window_s) * 1_000_000_000);
        let from_ns = alert.start_ns.saturating_sub(before_ns);
        let span = self.spans.entry(alert.start_ns).or_insert([from_ns, 0]);
        span[1] = span[1].max(alert.end_ns);
    }

    /// Whether it is about a device: what that sent need not be of a flow.
    pub(super) const fn is_of_devices(&self) -> bool {
        !self.devices.is_empty()
    }

    /// With its hosts, if it is about hosts and flows alone.
    pub(super) fn with_hosts(&self) -> Option<(&Sought, Vec<[u8; 16]>)> {
        let hosts = self.networks.iter().map(Network::single).collect::<Option<_>>()?;
        Some((self, hosts))
    }

    /// The flows that it names.
    pub(super) fn flows(&self) -> impl Iterator<Item = u64> {
        self.flows.iter().copied()
    }

    /// Whether it names this flow. Another engine may have given the same number: a flow of another host
    /// is not meant.
    pub(super) fn names(&self, row: &Row) -> bool {
        self.flows.contains(&row.flow_id)
            && (self.networks.is_empty() || self.holds(&row.key.addresses))
    }

    /// Whether a flow's packets may belong to it.
    pub(super) fn fits(&self, row: &Row) -> bool {
        let overlaps = |[from_ns, to_ns]: [u64; 2]| row.first_ns <= to_ns && row.last_ns >= from_ns;
        self.names(row) || (self.holds(&row.key.addresses) && self.spans().any(overlaps))
    }

    /// Whether a packet is of the right time.
    pub(super) fn is_then(&self, time_ns: u64) -> bool {
        self.spans().any(|[from_ns, to_ns]| (from_ns..=to_ns).contains(&time_ns))
    }

    /// Whether a packet is of its device or host, by its bytes.
    pub(super) fn holds_packet(&self, packet: &Packet<'_>) -> bool {
        let is_ours = |at: usize| {
            let address = packet.bytes.get(at..at + 6);
            address.is_some_and(|address| self.devices.iter().any(|device| address == device))
        };
        (packet.link_type == ETHERNET && (is_ours(0) || is_ours(6)))
            || wire::ends(packet).is_some_and(|ends| self.holds(&ends))
    }

    /// From the earliest time to the latest.
    pub(super) fn whole_span(&self) -> [u64; 2] {
        let from_ns = self.spans().map(|[from_ns, _]| from_ns).min().unwrap_or(0);
        [from_ns, self.spans().map(|[_, to_ns]| to_ns).max().unwrap_or(u64::MAX)]
    }

    fn holds(&self, ends: &[[u8; 16]; 2]) -> bool {
        ends.iter().any(|end| self.networks.iter().any(|network| network.holds(end)))
    }

    /// One whose end no file tells of goes on.
    fn spans(&self) -> impl Iterator<Item = [u64; 2]> {
        let open = |to_ns: u64| if to_ns == 0 { u64::MAX } else { to_ns };
        self.spans.values().map(move |[from_ns, to_ns]| [*from_ns, open(*to_ns)])
    }
}

fn not_there(id: u64, others: &BTreeMap<u64, Named>) -> anyhow::Error {
    let mut text = format!("these files tell of no alert {id:016x}");
    text.push_str(if others.is_empty() { ", and of no other" } else { "; they do of:" });
    for (id, alert) in others {
        // Writing to a string does not fail.
        write!(text, "\n  {id:016x} {}", alert.title()).ok();
    }
    if others.len() == NAMED {
        text.push_str("\n  and maybe more");
    }
    failure(Code::Failed, text)
}
