//! The hosts and applications of the fake's flows.

use std::collections::BTreeMap;
use std::net::IpAddr;

use weir_shm::flow as slot;
use weir_shm::hosts::{
    HostKind, HostsSpec, HostsWriter, Identity, NameSource, Share, Top, TotalKey, Wait,
};

use super::{FIRST_NS, FakeFlow};

/// Room for those of a few flows.
pub(crate) const ROOM: HostsSpec =
    HostsSpec { hosts: 16, details: 16, names: 4, totals: 16, interfaces: 1 };

/// Writes down what the flows came to, and flows that ended before: as much again.
pub(super) fn put(hosts: &HostsWriter, flows: &[FakeFlow]) {
    let last_ns = FIRST_NS + 2_000_000_000;
    let address = |ip: &str| match ip.parse().unwrap() {
        IpAddr::V4(v4) => slot::pack_address(v4.to_ipv6_mapped().octets()),
        IpAddr::V6(v6) => slot::pack_address(v6.octets()),
    };
    let mut places: BTreeMap<&str, u32> = BTreeMap::new();
    let mut totals: Vec<TotalKey> = Vec::new();
    for flow in flows {
        let there = Share {
            bytes: flow.bytes.map(|bytes| 2 * bytes),
            packets: flow.packets.map(|packets| 2 * packets),
        };
        for (ip, is_server) in [(flow.client.0, false), (flow.server.0, true)] {
            let next = u32::try_from(places.len()).unwrap();
            let place = *places.entry(ip).or_insert(next);
            let (host, is_local) = (hosts.slot(place), ip.starts_with("10."));
            let kind = if is_local { HostKind::Local } else { HostKind::Remote };
            if place == next {
                let identity = Identity { generation: next + 1, kind, network: 255 };
                host.open(address(ip), identity, FIRST_NS);
                hosts.detail(place).open(next + 1);
            }
            let share = if is_server { there.turned() } else { there };
            host.begin();
            if is_local {
                host.set_detail(Some(place));
                let detail = hosts.detail(place);
                detail.add(Top::Apps, u64::from(flow.app.0) + 1, &share, 2);
                detail.answers(is_server, 3_000_000, 1);
                let peer = if is_server { flow.client.0 } else { flow.server.0 };
                let (at, _) = detail.add(Top::Peers, u64::from(next) + 1, &share, 2);
                detail.set_peer(at, address(peer));
            }
            host.flow_begins(is_server, FIRST_NS);
            host.flow_begins(is_server, FIRST_NS);
            host.flow_ends();
            host.account(&share, last_ns);
            host.commit();
        }
        for key in [TotalKey::All, TotalKey::App(flow.app.0)] {
            let at = totals.iter().position(|known| *known == key).unwrap_or(totals.len());
            let total = hosts.total(at);
            if at == totals.len() {
                total.name(key);
                totals.push(key);
            }
            total.begin();
            total.flows(2, 1);
            total.account(&there, last_ns);
            total.latency(Wait::Answer, 3_000_000, 1);
            total.commit();
        }
    }
    hosts.name(0).set(address("10.0.0.1"), NameSource::Client, b"www.example.org", FIRST_NS);
}
