//! Which packets are asked for, and until when: what triggers and alerts name.

use std::collections::{BTreeMap, HashMap};
use std::hash::Hash;

use ahash::RandomState;

use super::choice::Network;
use super::flows::{FlowState, hasher};
use crate::files::Packet;
use crate::files::alert::Named;
use crate::files::note::Community;
use crate::files::wire;
use crate::packets::ETHERNET;

/// Alerts remembered at once: an engine has up to 65536 active ones a shard.
const ALERTS: usize = 1 << 18;

/// Which packets a trigger asks for.
#[derive(Clone, Copy, Default, PartialEq, Eq, Debug)]
pub(super) struct Wanted {
    /// At either end.
    pub(super) host: Option<[u8; 16]>,
    pub(super) community: Option<Community>,
}

/// Things with the time until which they are asked for.
type Until<T> = HashMap<T, u64, RandomState>;

/// See the module. Times are those of packets.
#[derive(Debug)]
pub(super) struct Asked {
    /// How long a trigger holds, and an alert after its end.
    after_ns: u64,
    triggers: Vec<(Wanted, u64)>,
    alerts: BTreeMap<u64, Named>,
    /// What the alerts name.
    flows: Until<u64>,
    hosts: Until<[u8; 16]>,
    devices: Until<[u8; 6]>,
    networks: Vec<(Network, u64)>,
    /// Alerts changed since these were put together.
    is_stale: bool,
    /// Alerts for which there was no room.
    pub(super) left_out: u64,
}

impl Asked {
    pub(super) fn new(after_ns: u64) -> Asked {
        Asked {
            after_ns,
            triggers: Vec::new(),
            alerts: BTreeMap::new(),
            flows: HashMap::with_hasher(hasher()),
            hosts: HashMap::with_hasher(hasher()),
            devices: HashMap::with_hasher(hasher()),
            networks: Vec::new(),
            is_stale: false,
            left_out: 0,
        }
    }

    /// A trigger came.
    pub(super) fn trigger(&mut self, wanted: Wanted, now_ns: u64) {
        self.triggers.push((wanted, now_ns.saturating_add(self.after_ns)));
    }

    /// An alert began, went on or ended.
    pub(super) fn alert(&mut self, alert: &Named) {
        if self.alerts.len() >= ALERTS && !self.alerts.contains_key(&alert.id) {
            self.left_out += 1;
            return;
        }
        self.is_stale |= self.alerts.insert(alert.id, *alert) != Some(*alert);
    }

    /// Those that are not among `active` are over.
    pub(super) fn only(&mut self, active: &[u64], now_ns: u64) {
        for alert in self.alerts.values_mut().filter(|alert| alert.end_ns == 0) {
            if !active.contains(&alert.id) {
                (alert.end_ns, self.is_stale) = (now_ns, true);
            }
        }
    }

    /// Takes in what alerts told, and forgets what is over. Whether more is asked for than before.
    pub(super) fn settle(&mut self, now_ns: u64) -> bool {
        self.triggers.retain(|(_, until_ns)| *until_ns >= now_ns);
        let until_ns = |alert: &Named| match alert.end_ns {
            0 => u64::MAX,
            end_ns => end_ns.saturating_add(self.after_ns),
        };
        let before = self.alerts.len();
        self.alerts.retain(|_, alert| until_ns(alert) >= now_ns);
        if !self.is_stale && self.alerts.len() == before {
            return false;
        }
        self.is_stale = false;
        let flows = std::mem::replace(&mut self.flows, HashMap::with_hasher(hasher()));
        let hosts = std::mem::replace(&mut self.hosts, HashMap::with_hasher(hasher()));
        let devices = std::mem::replace(&mut self.devices, HashMap::with_hasher(hasher()));
        let networks = std::mem::take(&mut self.networks);
        for alert in self.alerts.values() {
            let until_ns = until_ns(alert);
            for flow in alert.flows() {
                later(&mut self.flows, flow, until_ns);
            }
            if let Some(device) = alert.device() {
                later(&mut self.devices, device, until_ns);
            }
            let Some(network) = alert.network() else { continue };
            match network.single() {
                Some(host) => later(&mut self.hosts, host, until_ns),
                None => self.networks.push((network, until_ns)),
            }
        }
        let is_new = |(network, _): &(Network, u64)| !networks.iter().any(|(n, _)| n == network);
        self.flows.keys().any(|flow| !flows.contains_key(flow))
            || self.hosts.keys().any(|host| !hosts.contains_key(host))
            || self.devices.keys().any(|device| !devices.contains_key(device))
            || self.networks.iter().any(is_new)
    }

    /// Whether nothing is.
    pub(super) fn is_nothing(&self) -> bool {
        self.triggers.is_empty() && self.alerts.is_empty()
    }

    /// Whether a packet is asked for.
    pub(super) fn wants(&self, packet: &Packet<'_>, flow: Option<&FlowState>) -> bool {
        if self.is_nothing() {
            return false;
        }
        let time_ns = packet.time_ns;
        let holds = |until_ns: Option<&u64>| until_ns.is_some_and(|until| time_ns <= *until);
        if flow.is_some_and(|flow| holds(self.flows.get(&flow.flow_id))) {
            return true;
        }
        if !self.devices.is_empty()
            && packet.link_type == ETHERNET
            && devices(packet.bytes).any(|device| holds(self.devices.get(&device)))
        {
            return true;
        }
        let identity = flow.and_then(|flow| flow.identity.as_ref());
        let ends = identity.map(|(key, _)| key.addresses);
        let Some(ends) = ends.or_else(|| wire::ends(packet)) else {
            return self
                .triggers
                .iter()
                .any(|(wanted, until_ns)| time_ns <= *until_ns && *wanted == Wanted::default());
        };
        let is_wanted = |wanted: &Wanted| {
            wanted.host.is_none_or(|host| ends.contains(&host))
                && wanted.community.is_none_or(|id| identity.is_some_and(|(_, ours)| id == *ours))
        };
        ends.iter().any(|end| {
            holds(self.hosts.get(end))
                || self.networks.iter().any(|(net, until)| time_ns <= *until && net.holds(end))
        }) || self.triggers.iter().any(|(wanted, until)| time_ns <= *until && is_wanted(wanted))
    }
}

/// Both hardware addresses of a frame.
fn devices(frame: &[u8]) -> impl Iterator<Item = [u8; 6]> {
    let (addresses, _) = frame.split_at(frame.len().min(12));
    addresses.chunks_exact(6).filter_map(|address| address.try_into().ok())
}

/// Asks for something until a time, at least.
fn later<T: Eq + Hash>(until: &mut Until<T>, thing: T, until_ns: u64) {
    let known = until.entry(thing).or_insert(until_ns);
    *known = until_ns.max(*known);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::files::note::Key;
    use weir_shm::alerts::ShortText;

    fn named(id: u64, host: u8, flow: u64, end_ns: u64) -> Named {
        Named {
            id,
            start_ns: 1,
            end_ns,
            flows: [flow, 0, 0, 0, 0, 0, 0, 0],
            subject: [host; 16],
            bits: if host == 0 { 0 } else { 128 },
            severity: 0,
            mac: [0; 6],
            window_s: 0,
            rule: ShortText::default(),
        }
    }

    fn packet(time_ns: u64) -> Packet<'static> {
        Packet { time_ns, link_type: 1, ..Packet::default() }
    }

    /// A flow between two hosts.
    fn flow(id: u64, a: u8, b: u8) -> FlowState {
        let key = Key { addresses: [[a; 16], [b; 16]], ..Key::default() };
        let identity = Some((key, [id.to_le_bytes()[0]; 20]));
        FlowState { flow_id: id, identity, ..FlowState::default() }
    }

    #[test]
    fn hosts_and_flows_of_alerts_until_some_time_after_their_end() {
        let mut asked = Asked::new(10);
        assert!(asked.is_nothing() && !asked.wants(&packet(5), Some(&flow(1, 2, 3))));
        asked.alert(&named(1, 7, 0, 0));
        asked.alert(&named(2, 0, 9, 0));
        assert!(asked.settle(5));
        let wants =
            |asked: &Asked, time_ns, flow: FlowState| asked.wants(&packet(time_ns), Some(&flow));
        assert!(wants(&asked, 5, flow(1, 7, 3)) && wants(&asked, 5, flow(1, 3, 7)));
        assert!(wants(&asked, 5, flow(9, 1, 2)) && !wants(&asked, 5, flow(1, 2, 3)));
        asked.alert(&named(1, 7, 0, 0));
        assert!(!asked.settle(6), "nothing new");
        asked.alert(&named(1, 7, 0, 100));
        assert!(!asked.settle(100), "it is over, and that is not more");
        assert!(wants(&asked, 110, flow(1, 7, 3)) && !wants(&asked, 111, flow(1, 7, 3)));
        asked.only(&[], 120);
        asked.settle(130);
        assert!(wants(&asked, 130, flow(9, 1, 2)) && !wants(&asked, 131, flow(9, 1, 2)));
        asked.settle(131);
        assert!(asked.is_nothing());
    }

    #[test]
    fn triggers_ask_for_all_or_for_a_host_or_a_flow() {
        let mut asked = Asked::new(10);
        asked.trigger(Wanted { host: Some([4; 16]), ..Wanted::default() }, 100);
        asked.trigger(Wanted { community: Some([6; 20]), ..Wanted::default() }, 100);
        assert!(asked.wants(&packet(110), Some(&flow(1, 4, 5))));
        assert!(asked.wants(&packet(110), Some(&flow(6, 1, 2))));
        assert!(!asked.wants(&packet(110), Some(&flow(7, 1, 2))) && !asked.wants(&packet(1), None));
        asked.trigger(Wanted::default(), 100);
        assert!(asked.wants(&packet(110), None) && !asked.wants(&packet(111), None));
    }
}
