//! One host: all that is known of it.

use std::io::Write;

use serde_json::{Value as Json, json};
use weir_shm::hosts::{Counted, Host, Hosts, Latencies, Segments};

use super::Books;
use super::vendor::mac_text;
use crate::table::{self, Column};
use crate::terminal::clean;
use crate::units::Quantity;
use crate::{names, resolve};

/// Writes the page.
///
/// # Errors
/// The output fails.
pub(super) fn write(
    host: &Host,
    all: &Hosts,
    books: &Books,
    now_ns: u64,
    as_json: bool,
    out: &mut impl Write,
) -> anyhow::Result<()> {
    if as_json {
        writeln!(out, "{}", json_of(host, all, books, now_ns))?;
        return Ok(());
    }
    out.write_all(text(host, all, books, now_ns, crate::terminal::width()).as_bytes())?;
    Ok(())
}

/// The page for people, in lines of at most `width` cells where its columns can give way.
pub(crate) fn text(
    host: &Host,
    all: &Hosts,
    books: &Books,
    now_ns: u64,
    width: Option<usize>,
) -> String {
    let mut text = head(host, all, books, now_ns);
    if !host.detailed {
        let why = if host.kind.is_local() {
            "it sent nothing, or there was no room"
        } else {
            "it is remote"
        };
        text.extend(["\nOnly totals are kept of it: ", why, ".\n"]);
    }
    let apps = host.apps.iter().map(|(app, it)| (names::app(*app), it));
    text += &section("applications", apps, width);
    let peer = |address: &std::net::IpAddr| {
        let name = all.hosts.get(address).map(Books::name).unwrap_or_default();
        format!("{address} {name}").trim_end().to_owned()
    };
    text += &section("peers", host.peers.iter().map(|(address, it)| (peer(address), it)), width);
    for (title, is_server) in [("ports that it serves", true), ("ports that it uses", false)] {
        let rows = host.ports.iter().filter(|(port, _)| port.is_server == is_server);
        let name = |port: &weir_shm::hosts::PortOf| {
            format!("{} {} {}", names::l4(port.l4), port.port, names::app(port.app))
        };
        text += &section(title, rows.map(|(port, it)| (name(port), it)), width);
    }
    text + &asked_for(host, width)
}

fn head(host: &Host, all: &Hosts, books: &Books, now_ns: u64) -> String {
    let mut lines: Vec<(&str, String)> = Vec::new();
    let mut line = |name, text: String| {
        if !text.is_empty() {
            lines.push((name, text));
        }
    };
    line("address", format!("{} ({})", host.address, host.kind.name()));
    line("name", host.name().to_owned());
    let also: Vec<String> =
        host.names.iter().map(|name| format!("{} ({})", name.name, name.source.name())).collect();
    line("known as", also.join(", "));
    line("looked up", resolve::bare_name(host.address).unwrap_or_default());
    if host.mac != 0 {
        line("hardware", format!("{} {}", mac_text(host.mac), books.vendor(host)));
    }
    let device = all.devices().remove(&host.mac);
    let others = device.map(|device| device.addresses).unwrap_or_default();
    let others = others.iter().filter(|address| **address != host.address);
    line("also has", others.map(ToString::to_string).collect::<Vec<_>>().join(", "));
    if let Some(syn) = &host.syn {
        let guess = host.os.unwrap_or("unknown");
        let facts = format!("TTL {}, window {}, {}", syn.ttl, syn.window, syn.layout());
        line("system", format!("{guess} (SYN: {facts})"));
    }
    line("DHCP class", host.dhcp_class.clone());
    let options: Vec<String> = host.dhcp_options.iter().map(ToString::to_string).collect();
    line("DHCP asks for", options.join(","));
    if let Some((number, name)) = books.geo.asn(host.address) {
        line("network", format!("AS{number} {name}"));
    }
    line("country", books.geo.country(host.address).unwrap_or_default());
    let (bytes, count) = (|n| Quantity::Bytes.short(n), |n| Quantity::Count.short(n));
    let way = |at: usize| {
        format!("{} in {} packets", bytes(host.share.bytes[at]), count(host.share.packets[at]))
    };
    line("sent", way(0));
    line("received", way(1));
    let rate = |n: u64| Quantity::Rate.short(n.saturating_mul(8));
    line("rate", format!("{}, peak {}", rate(host.rate.current(now_ns)), rate(host.rate.most())));
    line(
        "flows",
        format!(
            "{} as client, {} as server, {} live",
            host.flows_as_client, host.flows_as_server, host.flows_live
        ),
    );
    let time = |ns| Quantity::Time.short(ns);
    let (seen, idle) =
        (host.last_ns.saturating_sub(host.first_ns), now_ns.saturating_sub(host.last_ns));
    line("seen", format!("for {}, last {} ago", time(seen), time(idle)));
    for (name, at) in [("TCP as client", 0), ("TCP as server", 1)] {
        if host.tcp_flows[at] > 0 {
            let (ended, failed) = (host.tcp_flows[at], host.tcp_failed[at]);
            line(name, format!("{ended} ended, {failed} without a handshake"));
        }
    }
    if host.resets != [0, 0] {
        line("resets", format!("{} by it, {} by peers", host.resets[0], host.resets[1]));
    }
    for (name, segments) in ["TCP sent", "TCP received"].into_iter().zip(host.segments) {
        line(name, segments_text(segments));
    }
    line("delay", latency(&host.delay));
    line("is answered", latency(&host.answers[0]));
    line("answers after", latency(&host.answers[1]));
    let rows = lines.iter().map(|(name, text)| format!("{name:<14} {}", clean(text)));
    rows.collect::<Vec<_>>().join("\n") + "\n"
}

fn latency(all: &Latencies) -> String {
    let at = |per_mille| all.percentile(per_mille).map(|ns| Quantity::Time.short(ns));
    match (at(500), at(950), at(1000)) {
        (Some(half), Some(most), Some(max)) => {
            format!("{half} (95 %: {most}, most: {max}; {} times)", all.count())
        }
        _ => String::new(),
    }
}

/// What happened to segments; empty if nothing did.
fn segments_text(counts: [u64; Segments::KINDS]) -> String {
    const WORDS: [&str; Segments::KINDS] =
        ["sent again", "lost before here", "out of order", "with a zero window"];
    let met = counts.into_iter().zip(WORDS).filter(|(count, _)| *count > 0);
    met.map(|(count, what)| format!("{count} {what}")).collect::<Vec<_>>().join(", ")
}

/// Entries, most bytes first.
fn section<'a, N: ToString>(
    title: &str,
    rows: impl Iterator<Item = (N, &'a Counted)>,
    width: Option<usize>,
) -> String {
    let mut rows: Vec<(String, &Counted)> =
        rows.map(|(name, counted)| (name.to_string(), counted)).collect();
    if rows.is_empty() {
        return String::new();
    }
    rows.sort_by(|(a, one), (b, other)| other.all().cmp(&one.all()).then_with(|| a.cmp(b)));
    let columns = [
        Column { at_least: 12, ..Column::new(title, false) },
        Column::new("flows", true),
        Column::new("sent", true),
        Column::new("received", true),
    ];
    let cells: Vec<Vec<String>> = rows
        .into_iter()
        .map(|(name, counted)| {
            let bytes = |way: usize| Quantity::Bytes.short(counted.bytes[way]);
            vec![name, Quantity::Count.short(counted.flows), bytes(0), bytes(1)]
        })
        .collect();
    format!("\n{}", table::render(&columns, &cells, width, true))
}

fn asked_for(host: &Host, width: Option<usize>) -> String {
    if host.asked_for.is_empty() {
        return String::new();
    }
    let mut rows: Vec<(&String, &u64)> = host.asked_for.iter().collect();
    rows.sort_by_key(|(name, count)| (std::cmp::Reverse(**count), (*name).clone()));
    let columns = [Column::new("servers that it asked for", false), Column::new("times", true)];
    let cells: Vec<Vec<String>> =
        rows.iter().map(|(name, count)| vec![(*name).clone(), count.to_string()]).collect();
    format!("\n{}", table::render(&columns, &cells, width, true))
}

fn json_of(host: &Host, all: &Hosts, books: &Books, now_ns: u64) -> Json {
    let counted = |it: &Counted| json!({"flows": it.flows, "sent": it.bytes[0], "received": it.bytes[1], "error": it.error});
    let with = |mut object: Json, more: Json| {
        if let (Some(object), Json::Object(more)) = (object.as_object_mut(), more) {
            object.extend(more);
        }
        object
    };
    let apps =
        host.apps.iter().map(|(app, it)| with(json!({"app": names::app(*app)}), counted(it)));
    let peers =
        host.peers.iter().map(|(peer, it)| with(json!({"address": peer.to_string()}), counted(it)));
    let ports = host.ports.iter().map(|(port, it)| {
        let who = json!({
            "port": port.port, "l4": names::l4(port.l4), "app": names::app(port.app),
            "serves": port.is_server,
        });
        with(who, counted(it))
    });
    let latency = |all: &Latencies| json!({"count": all.count(), "p50_ns": all.percentile(500), "p95_ns": all.percentile(950)});
    let segments = |way: usize| -> serde_json::Map<String, Json> {
        let counts = Segments::NAMES.into_iter().zip(host.segments[way]);
        counts.map(|(name, count)| (name.to_owned(), count.into())).collect()
    };
    let device = all.devices().remove(&host.mac);
    let addresses = device.map(|device| device.addresses).unwrap_or_default();
    let or_null = |text: &str| if text.is_empty() { Json::Null } else { text.into() };
    json!({
        "address": host.address.to_string(),
        "kind": host.kind.name(),
        "name": or_null(host.name()),
        "resolved": resolve::bare_name(host.address),
        "names": host.names.iter().map(|it| json!({"name": it.name, "source": it.source.name()})).collect::<Vec<_>>(),
        "mac": if host.mac == 0 { Json::Null } else { mac_text(host.mac).into() },
        "vendor": or_null(&books.vendor(host)),
        "device": addresses.iter().map(ToString::to_string).collect::<Vec<_>>(),
        "os": host.os,
        "syn": host.syn.map(|syn| json!({"ttl": syn.ttl, "window": syn.window, "mss": syn.mss, "options": syn.layout()})),
        "dhcp": {"name": or_null(&host.dhcp_name), "class": or_null(&host.dhcp_class), "options": host.dhcp_options},
        "asn": books.geo.asn(host.address).map(|(number, name)| json!({"number": number, "name": name})),
        "country": books.geo.country(host.address),
        "bytes_sent": host.share.bytes[0], "bytes_received": host.share.bytes[1],
        "packets_sent": host.share.packets[0], "packets_received": host.share.packets[1],
        "rate_bps": host.rate.current(now_ns).saturating_mul(8),
        "peak_bps": host.rate.most().saturating_mul(8),
        "flows_as_client": host.flows_as_client, "flows_as_server": host.flows_as_server,
        "flows_live": host.flows_live, "first_ns": host.first_ns, "last_ns": host.last_ns,
        "tcp": {
            "ended_as_client": host.tcp_flows[0], "ended_as_server": host.tcp_flows[1],
            "failed_as_client": host.tcp_failed[0], "failed_as_server": host.tcp_failed[1],
            "resets_sent": host.resets[0], "resets_received": host.resets[1],
            "sent": segments(0), "received": segments(1),
        },
        "delay": latency(&host.delay),
        "answers_as_client": latency(&host.answers[0]),
        "answers_as_server": latency(&host.answers[1]),
        "apps": apps.collect::<Vec<_>>(), "peers": peers.collect::<Vec<_>>(),
        "ports": ports.collect::<Vec<_>>(), "asked_for": host.asked_for,
    })
}
