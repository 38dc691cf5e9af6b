//! The lists of `weir hosts`.

use std::collections::BTreeMap;

use weir_shm::Attached;
use weir_shm::hosts::{Host, HostKind, Hosts, PortOf, TotalKey, TotalRead};

use super::Books;
use super::vendor::mac_text;
use crate::grid::{Grid, Title, Value, hidden, number, number_of, text};
use crate::{geo, live, names, resolve};

/// Applications that have a column of their own in the matrix.
const APPS: usize = 8;

/// Hosts, a row each.
pub(super) fn hosts(hosts: &[&Host], books: &Books, now_ns: u64) -> Grid {
    let shown = |title: Title, is_known: bool| if is_known { title } else { hidden(title) };
    let mut grid = Grid::new(vec![
        text("address", 15),
        text("kind", 0),
        text("name", 12),
        shown(text("resolved", 8), resolve::is_on()),
        hidden(text("mac", 0)),
        text("vendor", 8),
        text("os", 6),
        text("app", 8),
        number("flows"),
        hidden(number("flows_as_client")),
        hidden(number("flows_as_server")),
        number("live"),
        number("sent"),
        number("received"),
        hidden(number("packets_sent")),
        hidden(number("packets_received")),
        hidden(number("bytes")),
        number("rate"),
        number("peak"),
        shown(text("asn", 8), books.geo.has_asns()),
        shown(text("country", 0), books.geo.has_countries()),
        hidden(number("first_ns")),
        hidden(number("last_ns")),
        number("idle"),
    ]);
    for host in hosts {
        grid.push(host_row(host, books, now_ns));
    }
    grid
}

fn host_row(host: &Host, books: &Books, now_ns: u64) -> Vec<Value> {
    let greatest = host.apps.iter().max_by_key(|(_, counted)| counted.all());
    let mac = if host.mac == 0 { String::new() } else { mac_text(host.mac) };
    let asn = asn_of(host, books);
    // One that has a name is not asked about.
    let resolved = host.name().is_empty().then(|| resolve::bare_name(host.address)).flatten();
    let share = &host.share;
    vec![
        Value::text(host.address.to_string()),
        Value::text(host.kind.name()),
        Value::text(host.name()),
        Value::text(resolved.unwrap_or_default()),
        Value::text(mac),
        Value::text(books.vendor(host)),
        Value::text(host.os.unwrap_or_default()),
        Value::text(greatest.map(|(app, _)| names::app(*app)).unwrap_or_default()),
        Value::count(host.flows_as_client + host.flows_as_server),
        Value::count(host.flows_as_client),
        Value::count(host.flows_as_server),
        Value::count(host.flows_live),
        Value::bytes(share.bytes[0]),
        Value::bytes(share.bytes[1]),
        Value::count(share.packets[0]),
        Value::count(share.packets[1]),
        Value::bytes(share.all_bytes()),
        Value::rate(host.rate.current(now_ns)),
        Value::rate(host.rate.most()),
        Value::text(asn.unwrap_or_default()),
        Value::text(books.geo.country(host.address).unwrap_or_default()),
        Value::count(host.first_ns),
        Value::count(host.last_ns),
        Value::time(Some(now_ns.saturating_sub(host.last_ns))),
    ]
}

/// Devices: hosts that share a hardware address.
pub(super) fn devices(all: &Hosts, hosts: &[&Host], books: &Books) -> Grid {
    let mut grid = Grid::new(vec![
        text("mac", 0),
        text("vendor", 8),
        text("name", 12),
        text("os", 6),
        text("addresses", 20),
        number("sent"),
        number("received"),
    ]);
    for device in all.devices().values() {
        let mut own = hosts.iter().filter(|host| device.addresses.contains(&host.address));
        let Some(first) = own.clone().next() else { continue };
        let sum = |way: usize| own.clone().map(|host| host.share.bytes[way]).sum();
        let addresses: Vec<String> = device.addresses.iter().map(ToString::to_string).collect();
        let name = own.clone().map(|host| host.name()).find(|name| !name.is_empty());
        let (sent, received) = (sum(0), sum(1));
        grid.push(vec![
            Value::text(mac_text(device.mac)),
            Value::text(books.vendor(first)),
            Value::text(name.unwrap_or_default()),
            Value::text(own.find_map(|host| host.os).unwrap_or_default()),
            Value::text(addresses.join(" ")),
            Value::bytes(sent),
            Value::bytes(received),
        ]);
    }
    grid
}

/// Applications by host: bytes, both ways, of those of which the applications are kept. `others` are
/// those that have no column in tables; JSON and CSV have a column for each.
pub(super) fn matrix(hosts: &[&Host]) -> Grid {
    let mut all: BTreeMap<u16, u64> = BTreeMap::new();
    for host in hosts {
        host.apps.iter().for_each(|(app, counted)| *all.entry(*app).or_default() += counted.all());
    }
    let mut apps: Vec<(u64, u16)> = all.into_iter().map(|(app, bytes)| (bytes, app)).collect();
    apps.sort_unstable_by(|a, b| b.cmp(a));
    let mut titles = vec![text("host", 15), text("name", 10)];
    titles.extend(apps.iter().enumerate().map(|(at, (_, app))| {
        let title = number_of(names::app(*app));
        if at < APPS { title } else { hidden(title) }
    }));
    titles.push(number("others"));
    let mut grid = Grid::new(titles);
    for host in hosts.iter().filter(|host| !host.apps.is_empty()) {
        let of = |app: &u16| host.apps.get(app).map_or(0, weir_shm::hosts::Counted::all);
        let others = apps.iter().skip(APPS).map(|(_, app)| of(app));
        let cell = |bytes: u64| if bytes == 0 { Value::Nothing } else { Value::bytes(bytes) };
        let mut row = vec![Value::text(host.address.to_string()), Value::text(host.name())];
        row.extend(apps.iter().map(|(_, app)| cell(of(app))));
        row.push(cell(others.sum()));
        grid.push(row);
    }
    grid
}

/// Ports of local hosts, and what is spoken there.
pub(super) fn services(hosts: &[&Host], wanted: impl Fn(PortOf) -> bool) -> Grid {
    #[derive(Default)]
    struct Service {
        hosts: u64,
        bytes: [u64; 2],
        flows: u64,
    }
    let mut all: BTreeMap<(u8, u16, u16), Service> = BTreeMap::new();
    for host in hosts {
        for (port, counted) in
            host.ports.iter().filter(|(port, _)| port.is_server && wanted(**port))
        {
            let service = all.entry((port.l4, port.port, port.app)).or_default();
            service.hosts += 1;
            service.bytes[0] += counted.bytes[0];
            service.bytes[1] += counted.bytes[1];
            service.flows += counted.flows;
        }
    }
    let mut rows: Vec<_> = all.into_iter().collect();
    rows.sort_by_key(|(_, service)| std::cmp::Reverse(service.bytes[0] + service.bytes[1]));
    let titles = vec![
        number("port"),
        text("l4", 0),
        text("app", 8),
        number("hosts"),
        number("flows"),
        number("sent"),
        number("received"),
    ];
    let mut grid = Grid::new(titles);
    for ((l4, port, app), service) in rows {
        grid.push(vec![
            Value::Named(port.into()),
            Value::text(names::l4(l4)),
            Value::text(names::app(app)),
            Value::count(service.hosts),
            Value::count(service.flows),
            Value::bytes(service.bytes[0]),
            Value::bytes(service.bytes[1]),
        ]);
    }
    grid
}

/// Who talks with whom: the greatest peers of local hosts.
pub(super) fn peers(all: &Hosts, hosts: &[&Host]) -> Grid {
    let mut grid = Grid::new(vec![
        text("host", 15),
        text("name", 8),
        text("peer", 15),
        text("peer_name", 8),
        number("flows"),
        number("sent"),
        number("received"),
        hidden(number("bytes")),
        hidden(number("error")),
    ]);
    let mut pairs: Vec<_> = hosts
        .iter()
        .flat_map(|host| host.peers.iter().map(move |(peer, counted)| (*host, *peer, counted)))
        .collect();
    pairs.sort_by_key(|(host, peer, counted)| {
        (std::cmp::Reverse(counted.all()), host.address, *peer)
    });
    for (host, peer, counted) in pairs {
        grid.push(vec![
            Value::text(host.address.to_string()),
            Value::text(host.name()),
            Value::text(peer.to_string()),
            Value::text(all.hosts.get(&peer).map(Host::name).unwrap_or_default()),
            Value::count(counted.flows),
            Value::bytes(counted.bytes[0]),
            Value::bytes(counted.bytes[1]),
            Value::bytes(counted.all()),
            Value::bytes(counted.error),
        ]);
    }
    grid
}

/// The columns of totals, after those that say of what.
pub(crate) fn total_titles() -> Vec<Title> {
    vec![
        number("flows"),
        number("live"),
        hidden(number("packets_sent")),
        hidden(number("packets_received")),
        number("sent"),
        number("received"),
        number("rate"),
        number("peak"),
        number("delay"),
        hidden(number("delay_p95")),
        hidden(number("client_delay")),
        hidden(number("client_delay_p95")),
        number("answer"),
        hidden(number("answer_p95")),
    ]
}

/// The same of one total.
pub(crate) fn total_row(total: &TotalRead, now_ns: u64) -> Vec<Value> {
    vec![
        Value::count(total.flows),
        Value::count(total.live),
        Value::count(total.share.packets[0]),
        Value::count(total.share.packets[1]),
        Value::bytes(total.share.bytes[0]),
        Value::bytes(total.share.bytes[1]),
        Value::rate(total.rate.current(now_ns)),
        Value::rate(total.rate.most()),
        Value::time(total.server_delay.percentile(500)),
        Value::time(total.server_delay.percentile(950)),
        Value::time(total.client_delay.percentile(500)),
        Value::time(total.client_delay.percentile(950)),
        Value::time(total.answers.percentile(500)),
        Value::time(total.answers.percentile(950)),
    ]
}

/// Networks and VLANs.
pub(super) fn networks(all: &Hosts, part: Option<&str>, now_ns: u64) -> Grid {
    let mut titles = vec![text("network", 0)];
    titles.extend(total_titles());
    let mut grid = Grid::new(titles);
    for (key, total) in &all.totals {
        let name = match key {
            TotalKey::All => "all".to_owned(),
            TotalKey::Remote => "remote hosts".to_owned(),
            TotalKey::Vlan(0) => "no VLAN".to_owned(),
            TotalKey::Vlan(u16::MAX) => "other VLANs".to_owned(),
            TotalKey::Vlan(id) => format!("VLAN {id}"),
            TotalKey::Network(..) => key.network().unwrap_or_default(),
            TotalKey::App(_) => continue,
        };
        let is_named = part.is_none_or(|part| name.to_ascii_lowercase().contains(part));
        if total.share.packets == [0, 0] || !is_named {
            continue;
        }
        let mut row = vec![Value::text(name)];
        row.extend(total_row(total, now_ns));
        grid.push(row);
    }
    grid
}

/// Autonomous systems of remote hosts.
pub(super) fn asns(hosts: &[&Host], books: &Books, now_ns: u64) -> Grid {
    grouped("asn", hosts, now_ns, |host| asn_of(host, books))
}

fn asn_of(host: &Host, books: &Books) -> Option<String> {
    let (number, name) = books.geo.asn(host.address)?;
    Some(geo::asn_text(&format!("AS{number}"), &name))
}

/// Countries of remote hosts.
pub(super) fn countries(hosts: &[&Host], books: &Books, now_ns: u64) -> Grid {
    grouped("country", hosts, now_ns, |host| books.geo.country(host.address))
}

fn grouped(
    title: &'static str,
    hosts: &[&Host],
    now_ns: u64,
    of: impl Fn(&Host) -> Option<String>,
) -> Grid {
    #[derive(Default)]
    struct Group {
        hosts: u64,
        flows: u64,
        live: u64,
        bytes: [u64; 2],
        rate: u64,
    }
    let mut all: BTreeMap<String, Group> = BTreeMap::new();
    for host in hosts.iter().filter(|host| host.kind == HostKind::Remote) {
        let group = all.entry(of(host).unwrap_or_else(|| "unknown".to_owned())).or_default();
        group.hosts += 1;
        group.flows += host.flows_as_client + host.flows_as_server;
        group.live += host.flows_live;
        group.bytes[0] += host.share.bytes[0];
        group.bytes[1] += host.share.bytes[1];
        group.rate += host.rate.current(now_ns);
    }
    let mut rows: Vec<_> = all.into_iter().collect();
    rows.sort_by_key(|(_, group)| std::cmp::Reverse(group.bytes[0] + group.bytes[1]));
    let mut titles = vec![text(title, 12), number("hosts"), number("flows"), number("live")];
    titles.extend(["sent", "received", "rate"].map(number));
    let mut grid = Grid::new(titles);
    for (name, group) in rows {
        grid.push(vec![
            Value::text(name),
            Value::count(group.hosts),
            Value::count(group.flows),
            Value::count(group.live),
            Value::bytes(group.bytes[0]),
            Value::bytes(group.bytes[1]),
            Value::rate(group.rate),
        ]);
    }
    grid
}

/// Interfaces, a row for each of a shard's.
pub(super) fn interfaces(engine: &Attached, all: &Hosts, now_ns: u64) -> Grid {
    let mut grid = Grid::new(vec![
        text("interface", 0),
        number("shard"),
        hidden(number("index")),
        number("frames"),
        number("bytes"),
        number("rate"),
        number("average"),
        number("peak"),
        number("burst_now"),
        number("burst_most"),
        hidden(number("burst_at_ns")),
    ]);
    for (shard, row) in &all.interfaces {
        let label = engine
            .shards()
            .iter()
            .find(|it| it.shard() == *shard)
            .map(weir_shm::ShardReader::label);
        let life_ns = row.last_ns.saturating_sub(row.first_ns).max(1);
        let average = u128::from(row.bytes) * 1_000_000_000 / u128::from(life_ns);
        // What fits into a millisecond at that rate: a burst as a rate.
        let burst = |bytes: u64| Value::rate(bytes.saturating_mul(1_000_000_000) >> 20);
        grid.push(vec![
            Value::text(live::short_source(label.unwrap_or_default())),
            Value::count(u64::from(*shard)),
            Value::count(row.index as u64),
            Value::count(row.frames),
            Value::bytes(row.bytes),
            Value::rate(row.rate.current(now_ns)),
            Value::rate(u64::try_from(average).unwrap_or(u64::MAX)),
            Value::rate(row.rate.most()),
            burst(row.bursts[0].max(row.bursts[1])),
            burst(row.bursts[2]),
            Value::count(row.burst_at_ns),
        ]);
    }
    grid
}
