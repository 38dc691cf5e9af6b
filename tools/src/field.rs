//! The fields of a flow by name: one catalogue for filters, sorting, columns and CSV.

use weir_dpi::attr::{self, Attr};
use weir_dpi::{Risks, Stack, Why};

use crate::flow::{self, AddressText, C2S, Flow, S2C};
use crate::flow_json;
use crate::names;
use crate::units::Quantity;
use crate::{geo, resolve};

/// What a field holds, and so how it compares and prints.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Kind {
    /// Words; compared without case.
    Text,
    /// An address.
    Address,
    /// A number with its units.
    Number(Quantity),
    /// One of [`names::CONFIDENCES`], weakest first.
    Confidence,
}

/// The built-in fields.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Key {
    App,
    Master,
    Service,
    Category,
    Host,
    Src,
    Dst,
    Ip,
    Client,
    Server,
    Sport,
    Dport,
    Port,
    L4,
    IpVersion,
    Vlan,
    Tunnel,
    Bytes,
    BytesC2s,
    BytesS2c,
    Packets,
    PacketsC2s,
    PacketsS2c,
    First,
    Last,
    Duration,
    Age,
    Idle,
    Rate,
    Confidence,
    FlagsC2s,
    FlagsS2c,
    FlowId,
    Shard,
    CommunityId,
    SrcName,
    DstName,
    SrcAsn,
    DstAsn,
    Asn,
    SrcCountry,
    DstCountry,
    Country,
    State,
    Ended,
    Rtt,
    ServerDelay,
    ClientDelay,
    Answer,
    Retransmissions,
    RetransmissionsC2s,
    RetransmissionsS2c,
    Lost,
    OutOfOrder,
    ZeroWindows,
    Peak,
}

/// A built-in field's row.
#[derive(PartialEq, Eq, Debug)]
pub(crate) struct Def {
    pub(crate) key: Key,
    /// The name in filters, `--sort` and `--columns`.
    pub(crate) name: &'static str,
    /// The name in JSON and CSV, also understood in filters.
    pub(crate) long: &'static str,
    pub(crate) kind: Kind,
    /// One line for `weir flows --help`.
    pub(crate) help: &'static str,
}

const fn def(
    key: Key,
    name: &'static str,
    long: &'static str,
    kind: Kind,
    help: &'static str,
) -> Def {
    Def { key, name, long, kind, help }
}

const TEXT: Kind = Kind::Text;
const ADDRESS: Kind = Kind::Address;
const COUNT: Kind = Kind::Number(Quantity::Count);
const BYTES: Kind = Kind::Number(Quantity::Bytes);
const TIME: Kind = Kind::Number(Quantity::Time);
const RATE: Kind = Kind::Number(Quantity::Rate);

/// Every built-in field, in the order of the manual.
pub(crate) const FIELDS: &[Def] = &[
    def(Key::App, "app", "app", TEXT, "application: the dotted name or either part of it"),
    def(Key::Master, "master", "master", TEXT, "the protocol alone (TLS of TLS.YouTube)"),
    def(Key::Service, "service", "service", TEXT, "the service alone (YouTube of TLS.YouTube)"),
    def(Key::Category, "category", "category", TEXT, "what the application is for"),
    def(Key::Host, "host", "hostname", TEXT, "host name: SNI, HTTP host, DNS query …"),
    def(Key::Src, "src", "src_ip", ADDRESS, "client address"),
    def(Key::Dst, "dst", "dst_ip", ADDRESS, "server address"),
    def(Key::Ip, "ip", "ip", ADDRESS, "either address"),
    def(Key::Client, "client", "client", TEXT, "client address and port, as in 10.0.0.2:40000"),
    def(Key::Server, "server", "server", TEXT, "server address and port"),
    def(Key::Sport, "sport", "src_port", COUNT, "client port"),
    def(Key::Dport, "dport", "dst_port", COUNT, "server port"),
    def(Key::Port, "port", "port", COUNT, "either port"),
    def(Key::L4, "l4", "l4", TEXT, "TCP, UDP, ICMP … or the protocol's number"),
    def(Key::IpVersion, "ip_version", "ip_version", COUNT, "4 or 6"),
    def(Key::Vlan, "vlan", "vlan", COUNT, "innermost VLAN id, 0 for none"),
    def(Key::Tunnel, "tunnel", "tunnel", TEXT, "VXLAN, GRE, GTP-U …"),
    def(Key::Bytes, "bytes", "bytes", BYTES, "bytes, both directions"),
    def(Key::BytesC2s, "bytes_c2s", "bytes_c2s", BYTES, "bytes, client to server"),
    def(Key::BytesS2c, "bytes_s2c", "bytes_s2c", BYTES, "bytes, server to client"),
    def(Key::Packets, "packets", "packets", COUNT, "packets, both directions"),
    def(Key::PacketsC2s, "packets_c2s", "packets_c2s", COUNT, "packets, client to server"),
    def(Key::PacketsS2c, "packets_s2c", "packets_s2c", COUNT, "packets, server to client"),
    def(Key::First, "first", "first_ns", TIME, "time of the first packet (Unix)"),
    def(Key::Last, "last", "last_ns", TIME, "time of the last packet (Unix)"),
    def(Key::Duration, "duration", "duration_ns", TIME, "from first to last packet"),
    def(Key::Age, "age", "age_ns", TIME, "since the first packet"),
    def(Key::Idle, "idle", "idle_ns", TIME, "since the last packet"),
    def(Key::Rate, "rate", "rate_bps", RATE, "bits per second over the flow's life"),
    def(Key::Confidence, "confidence", "confidence", Kind::Confidence, "why the name is believed"),
    def(Key::FlagsC2s, "flags_c2s", "tcp_flags_c2s", TEXT, "TCP flags of the client, as in FSPA"),
    def(Key::FlagsS2c, "flags_s2c", "tcp_flags_s2c", TEXT, "TCP flags of the server"),
    def(Key::FlowId, "flow_id", "flow_id", COUNT, "the engine's number of the flow"),
    def(Key::Shard, "shard", "shard", COUNT, "the shard that owns it"),
    def(
        Key::State,
        "state",
        "conn_state",
        TEXT,
        "state of the connection, as Zeek's: S0, SF, REJ …",
    ),
    def(Key::Ended, "ended", "ended", TEXT, "how it ended: refused, reset_by_server …"),
    def(Key::Rtt, "rtt", "rtt_ns", TIME, "mean round trip to the end that is further away"),
    def(Key::ServerDelay, "server_delay", "server_delay_ns", TIME, "to the server and back"),
    def(Key::ClientDelay, "client_delay", "client_delay_ns", TIME, "to the client and back"),
    def(Key::Answer, "answer", "answer_ns", TIME, "how long the first answer took"),
    def(Key::Retransmissions, "resent", "retransmissions", COUNT, "segments sent again"),
    def(Key::RetransmissionsC2s, "resent_c2s", "retransmissions_c2s", COUNT, "the client's"),
    def(Key::RetransmissionsS2c, "resent_s2c", "retransmissions_s2c", COUNT, "the server's"),
    def(Key::Lost, "lost", "lost", COUNT, "gaps before a segment"),
    def(Key::OutOfOrder, "out_of_order", "out_of_order", COUNT, "segments out of order"),
    def(Key::ZeroWindows, "zero_windows", "zero_windows", COUNT, "segments without any window"),
    def(Key::Peak, "peak", "peak_bps", RATE, "most bits of a second, of either direction"),
    def(Key::SrcName, "src_name", "src_name", TEXT, "client's name, looked up (--resolve)"),
    def(Key::DstName, "dst_name", "dst_name", TEXT, "server's name, looked up (--resolve)"),
    def(Key::SrcAsn, "src_asn", "src_asn", TEXT, "client's autonomous system (--asn-db)"),
    def(Key::DstAsn, "dst_asn", "dst_asn", TEXT, "server's: 64500, AS64500 or its name"),
    def(Key::Asn, "asn", "asn", TEXT, "either of the two"),
    def(Key::SrcCountry, "src_country", "src_country", TEXT, "client's country (--country-db)"),
    def(Key::DstCountry, "dst_country", "dst_country", TEXT, "server's: two letters, as in DE"),
    def(Key::Country, "country", "country", TEXT, "either of the two"),
    def(Key::CommunityId, "community_id", "community_id", TEXT, "Community ID, version 1"),
];

/// A field: built in, or an attribute that a dissector found (`tls.sni`).
#[derive(Clone, Copy, Debug)]
pub(crate) enum Field {
    Known(&'static Def),
    Attr(&'static Attr),
}

impl PartialEq for Field {
    fn eq(&self, other: &Field) -> bool {
        match (self, other) {
            (Field::Known(a), Field::Known(b)) => a.key == b.key,
            (Field::Attr(a), Field::Attr(b)) => a.id == b.id,
            _ => false,
        }
    }
}

/// A flow seen at a moment.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Seen<'a> {
    pub(crate) flow: &'a Flow<'a>,
    /// Unix nanoseconds; `age` and `idle` count up to it.
    pub(crate) now_ns: u64,
}

/// By what flows are put in order.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(crate) enum SortKey {
    Number(u64),
    Address([u8; 16]),
    Text(String),
}

impl Field {
    /// The field called `name`, compared without case.
    pub(crate) fn find(name: &str) -> Option<Field> {
        let same = |other: &str| other.eq_ignore_ascii_case(name);
        if let Some(row) = FIELDS.iter().find(|row| same(row.name) || same(row.long)) {
            return Some(Field::Known(row));
        }
        // What is said of the flow as a whole goes by its key alone.
        let (group, key) = name.split_once('.').unwrap_or((attr::FLOW, name));
        let is_it = |attr: &&Attr| {
            attr.group.eq_ignore_ascii_case(group) && attr.key.eq_ignore_ascii_case(key)
        };
        attr::ATTRIBUTES.iter().find(is_it).map(Field::Attr)
    }

    /// The name in filters.
    pub(crate) fn name(self) -> String {
        match self {
            Field::Known(def) => def.name.to_owned(),
            Field::Attr(attr) if is_known_by_key(attr) => attr.key.to_owned(),
            Field::Attr(attr) => format!("{}.{}", attr.group, attr.key),
        }
    }

    /// The name in CSV headers.
    pub(crate) fn long_name(self) -> String {
        match self {
            Field::Known(def) => def.long.to_owned(),
            Field::Attr(_) => self.name(),
        }
    }

    /// What it holds.
    pub(crate) const fn kind(self) -> Kind {
        match self {
            Field::Known(def) => def.kind,
            Field::Attr(attr) => match attr.kind {
                attr::Kind::Text
                | attr::Kind::Hex
                | attr::Kind::Stack
                | attr::Kind::Risks
                | attr::Kind::Why => Kind::Text,
                attr::Kind::Number => COUNT,
                attr::Kind::Address => Kind::Address,
            },
        }
    }

    /// Whether any of the field's numbers passes `test`.
    pub(crate) fn any_number(self, seen: &Seen<'_>, test: impl Fn(u64) -> bool) -> bool {
        let flow = seen.flow;
        match self {
            Field::Known(Def { key: Key::Port, .. }) => {
                test(flow.client.port.into()) || test(flow.server.port.into())
            }
            Field::Known(def) => number(def.key, seen).is_some_and(test),
            Field::Attr(attr) => {
                flow.attributes().any(|(id, value)| id == attr.id && test(flow_json::number(value)))
            }
        }
    }

    /// Whether any of the field's addresses passes `test`.
    pub(crate) fn any_address(self, seen: &Seen<'_>, test: impl Fn(&[u8; 16]) -> bool) -> bool {
        let flow = seen.flow;
        match self {
            Field::Known(Def { key: Key::Src, .. }) => test(&flow.client.address),
            Field::Known(Def { key: Key::Dst, .. }) => test(&flow.server.address),
            Field::Known(Def { key: Key::Ip, .. }) => {
                test(&flow.client.address) || test(&flow.server.address)
            }
            Field::Known(_) => false,
            Field::Attr(attr) => flow
                .attributes()
                .any(|(id, value)| id == attr.id && <&[u8; 16]>::try_from(value).is_ok_and(&test)),
        }
    }

    /// Whether any of the field's words passes `test`.
    pub(crate) fn any_text(self, seen: &Seen<'_>, mut test: impl FnMut(&[u8]) -> bool) -> bool {
        let flow = seen.flow;
        let def = match self {
            Field::Known(def) => def,
            Field::Attr(attr) if attr.kind != attr::Kind::Text => {
                let mut values = flow.attributes().filter(|(id, _)| *id == attr.id);
                return values.any(|(_, value)| match attr.kind {
                    attr::Kind::Risks => risks(value).iter().any(|row| test(row.name.as_bytes())),
                    attr::Kind::Stack => Stack::decode(value)
                        .layers()
                        .iter()
                        .any(|layer| test(names::app(layer.0).as_bytes())),
                    _ => test(attr_text(attr, value).as_bytes()),
                });
            }
            Field::Attr(attr) => {
                return flow.attributes().any(|(id, value)| id == attr.id && test(value));
            }
        };
        match def.key {
            Key::App => {
                test(names::app(flow.master).as_bytes())
                    || (flow.app != flow.master && flow.app != 0)
                        && (test(names::app(flow.app).as_bytes())
                            || test(names::dotted(flow.master, flow.app).as_bytes()))
            }
            Key::Master => test(names::app(flow.master).as_bytes()),
            Key::Service => {
                flow.app != flow.master && flow.app != 0 && test(names::app(flow.app).as_bytes())
            }
            Key::Category => test(names::category(flow.master, flow.app).as_bytes()),
            Key::Host => flow.host().is_some_and(test),
            Key::Client => test(end_text(flow, flow.client).as_bytes()),
            Key::Server => test(end_text(flow, flow.server).as_bytes()),
            Key::L4 => test(names::l4(flow.l4).as_bytes()),
            Key::Tunnel => names::tunnel(flow.tunnel).is_some_and(|name| test(name.as_bytes())),
            Key::CommunityId => flow.community_id().is_some_and(|id| test(&id)),
            Key::State => test(flow.health.state.name().as_bytes()),
            Key::Ended => flow.health.is_known && test(flow.health.ended.name().as_bytes()),
            Key::SrcName => looked_up(flow, C2S).is_some_and(|name| test(name.as_bytes())),
            Key::DstName => looked_up(flow, S2C).is_some_and(|name| test(name.as_bytes())),
            Key::SrcAsn => any_asn(flow, C2S, &mut test),
            Key::DstAsn => any_asn(flow, S2C, &mut test),
            Key::Asn => any_asn(flow, C2S, &mut test) || any_asn(flow, S2C, &mut test),
            Key::SrcCountry => any_country(flow, C2S, &mut test),
            Key::DstCountry => any_country(flow, S2C, &mut test),
            Key::Country => any_country(flow, C2S, &mut test) || any_country(flow, S2C, &mut test),
            Key::FlagsC2s => flags(flow, C2S).is_some_and(|text| test(text.as_bytes())),
            Key::FlagsS2c => flags(flow, S2C).is_some_and(|text| test(text.as_bytes())),
            _ => false,
        }
    }

    /// Whether the field says anything: text that is not empty, a number above zero.
    pub(crate) fn is_set(self, seen: &Seen<'_>) -> bool {
        match self.kind() {
            Kind::Text => self.any_text(seen, |text| !text.is_empty() && text != b"Unknown"),
            Kind::Address => self.any_address(seen, |address| *address != [0; 16]),
            Kind::Number(_) | Kind::Confidence => self.any_number(seen, |number| number > 0),
        }
    }

    /// By what `seen` is put in order under this field.
    pub(crate) fn sort_key(self, seen: &Seen<'_>) -> SortKey {
        let flow = seen.flow;
        match (self, self.kind()) {
            (Field::Known(def), Kind::Number(_) | Kind::Confidence) => {
                SortKey::Number(number(def.key, seen).unwrap_or(0))
            }
            (Field::Known(Def { key: Key::Dst, .. }), _) => SortKey::Address(flow.server.address),
            (Field::Known(_), Kind::Address) => SortKey::Address(flow.client.address),
            (Field::Attr(attr), Kind::Number(_)) => {
                SortKey::Number(flow.attribute(attr).map_or(0, flow_json::number))
            }
            _ => SortKey::Text(self.text(seen, Style::Raw).to_ascii_lowercase()),
        }
    }

    /// The field as text; empty where it says nothing. Values of a list are joined by blanks.
    pub(crate) fn text(self, seen: &Seen<'_>, style: Style) -> String {
        let flow = seen.flow;
        match self {
            Field::Known(def) => known_text(def, seen, style),
            Field::Attr(attr) => {
                let mine = flow.attributes().filter(|(id, _)| *id == attr.id);
                let shown: Vec<String> = mine.map(|(_, value)| attr_text(attr, value)).collect();
                shown.join(" ")
            }
        }
    }
}

/// For whom a field is written.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Style {
    /// People: `1.5 MB`.
    Human,
    /// Programs: `1500000`.
    Raw,
}

/// An address and its port; the address alone where the protocol has no ports.
fn end_text(flow: &Flow<'_>, end: flow::Endpoint) -> String {
    let address = AddressText::new(end.address, flow.ipv6);
    match (end.port, address.as_str()) {
        (0, address) => address.to_owned(),
        (port, address) if address.contains(':') => format!("[{address}]:{port}"),
        (port, address) => format!("{address}:{port}"),
    }
}

fn flags(flow: &Flow<'_>, direction: usize) -> Option<String> {
    let flags = *flow.tcp_flags.get(direction)?;
    (flow.l4 == 6).then(|| flow::tcp_flag_letters(flags))
}

/// What an end's address is called, as far as it was looked up.
fn looked_up(flow: &Flow<'_>, side: usize) -> Option<String> {
    resolve::bare_name(flow.address(side))
}

/// Whether any way to write the autonomous system of an end passes `test`; the fullest comes first.
fn any_asn(flow: &Flow<'_>, side: usize, test: &mut impl FnMut(&[u8]) -> bool) -> bool {
    geo::known().asn(flow.address(side)).is_some_and(|(number, name)| {
        let number = number.to_string();
        let with_letters = format!("AS{number}");
        let whole = geo::asn_text(&with_letters, &name);
        [&whole, &with_letters, &number, &name].into_iter().any(|text| test(text.as_bytes()))
    })
}

fn any_country(flow: &Flow<'_>, side: usize, test: &mut impl FnMut(&[u8]) -> bool) -> bool {
    geo::known().country(flow.address(side)).is_some_and(|code| test(code.as_bytes()))
}

fn number(key: Key, seen: &Seen<'_>) -> Option<u64> {
    let Seen { flow, now_ns } = *seen;
    Some(match key {
        Key::Sport => flow.client.port.into(),
        Key::Dport | Key::Port => flow.server.port.into(),
        Key::IpVersion => {
            if flow.ipv6 {
                6
            } else {
                4
            }
        }
        Key::Vlan => flow.vlan.into(),
        Key::Bytes => flow.bytes_total(),
        Key::BytesC2s => flow.bytes[C2S],
        Key::BytesS2c => flow.bytes[S2C],
        Key::Packets => flow.packets_total(),
        Key::PacketsC2s => flow.packets[C2S],
        Key::PacketsS2c => flow.packets[S2C],
        Key::First => flow.first_ns,
        Key::Last => flow.last_ns,
        Key::Duration => flow.duration_ns(),
        Key::Age => now_ns.saturating_sub(flow.first_ns),
        Key::Idle => now_ns.saturating_sub(flow.last_ns),
        Key::Rate => flow.rate_bps(),
        Key::Confidence => flow.confidence.into(),
        Key::FlowId => flow.id,
        Key::Shard => flow.shard.into(),
        Key::Rtt => flow.health.rtt_ns(),
        Key::ServerDelay => flow.health.server_delay_ns,
        Key::ClientDelay => flow.health.client_delay_ns,
        Key::Answer => flow.health.answer_ns,
        Key::Retransmissions => flow.health.retransmissions.iter().sum(),
        Key::RetransmissionsC2s => flow.health.retransmissions[C2S],
        Key::RetransmissionsS2c => flow.health.retransmissions[S2C],
        Key::Lost => flow.health.lost.iter().sum(),
        Key::OutOfOrder => flow.health.out_of_order.iter().sum(),
        Key::ZeroWindows => flow.health.zero_windows.iter().sum(),
        Key::Peak => flow.health.peak_bps.into_iter().max().unwrap_or(0),
        _ => return None,
    })
}

fn known_text(def: &'static Def, seen: &Seen<'_>, style: Style) -> String {
    let flow = seen.flow;
    let address = |bytes| AddressText::new(bytes, flow.ipv6).as_str().to_owned();
    match (def.key, def.kind) {
        (Key::App, _) => names::dotted(flow.master, flow.app).into_owned(),
        (Key::Dst, _) => address(flow.server.address),
        (Key::Ip, _) => [address(flow.client.address), address(flow.server.address)].join(" "),
        (_, Kind::Address) => address(flow.client.address),
        (Key::Port, _) => format!("{} {}", flow.client.port, flow.server.port),
        (Key::Asn, _) => both(seen, ["src_asn", "dst_asn"]),
        (Key::Country, _) => both(seen, ["src_country", "dst_country"]),
        (Key::Vlan, _) if flow.vlan == 0 => String::new(),
        (Key::Confidence, _) => names::confidence(flow.confidence).to_owned(),
        // Numbers that name something are never rounded.
        (Key::Sport | Key::Dport | Key::FlowId | Key::Shard | Key::Vlan, _) => {
            number(def.key, seen).unwrap_or(0).to_string()
        }
        (key, Kind::Number(quantity)) => {
            let number = number(key, seen).unwrap_or(0);
            if style == Style::Human { quantity.short(number) } else { number.to_string() }
        }
        _ => {
            let mut found = String::new();
            Field::Known(def).any_text(seen, |text| {
                found = String::from_utf8_lossy(text).into_owned();
                true
            });
            found
        }
    }
}

/// What two fields say, those that say nothing left out.
fn both(seen: &Seen<'_>, names: [&str; 2]) -> String {
    let texts = names.map(|name| Field::find(name).map(|field| field.text(seen, Style::Human)));
    let said: Vec<String> = texts.into_iter().flatten().filter(|text| !text.is_empty()).collect();
    said.join(" ")
}

/// Whether an attribute goes by its key alone: what is said of the flow as a whole, but for the host
/// name, which has a row of its own.
fn is_known_by_key(attr: &Attr) -> bool {
    attr.group == attr::FLOW && attr.id != attr::HOST_NAME.id
}

/// The risks of an attribute of that kind.
pub(crate) fn risks(value: &[u8]) -> Risks {
    Risks(flow_json::number(value))
}

fn attr_text(attr: &Attr, value: &[u8]) -> String {
    match attr.kind {
        attr::Kind::Text => String::from_utf8_lossy(value).into_owned(),
        attr::Kind::Number => flow_json::number(value).to_string(),
        attr::Kind::Hex => flow_json::hex(value),
        attr::Kind::Stack => names::stack(value),
        attr::Kind::Risks => risks(value).iter().map(|row| row.name).collect::<Vec<_>>().join(","),
        attr::Kind::Why => Why::decode(value).map(|why| why.to_string()).unwrap_or_default(),
        attr::Kind::Address => match <[u8; 16]>::try_from(value) {
            Ok(address) => AddressText::new(address, false).as_str().to_owned(),
            Err(_) => flow_json::hex(value),
        },
    }
}

/// The known name nearest to `name`, if one is near enough to be what was meant.
pub(crate) fn nearest(name: &str) -> Option<String> {
    let lower = name.to_ascii_lowercase();
    if lower.len() > 40 {
        return None;
    }
    let known = FIELDS.iter().flat_map(|row| [row.name, row.long]).map(str::to_owned);
    let attributes = attr::ATTRIBUTES.iter().map(|attr| Field::Attr(attr).name());
    let all = known.chain(attributes).chain(crate::filter::KEYWORDS.iter().map(|k| (*k).into()));
    let by_distance = all.map(|candidate| (distance(&lower, &candidate), candidate));
    let (edits, best) = by_distance.min_by_key(|(edits, _)| *edits)?;
    // The last part alone (`sni`) is a frequent way to be wrong about an attribute.
    let by_key = || attr::ATTRIBUTES.iter().find(|attr| attr.key == lower);
    if edits <= 1 + lower.len() / 4 { Some(best) } else { by_key().map(|a| Field::Attr(a).name()) }
}

/// Edits (insert, delete, replace) that turn `a` into `b`.
fn distance(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.chars().collect();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, left) in a.chars().enumerate() {
        let mut diagonal = i;
        row[0] = i + 1;
        for (j, right) in b.iter().enumerate() {
            let replaced = diagonal + usize::from(left != *right);
            diagonal = row[j + 1];
            row[j + 1] = replaced.min(row[j] + 1).min(diagonal + 1);
        }
    }
    row.last().copied().unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::flow::tests::{encode, sample};

    #[test]
    fn names_are_unique_and_found() {
        for (at, row) in FIELDS.iter().enumerate() {
            assert_eq!(Field::find(row.name), Some(Field::Known(row)), "{}", row.name);
            assert_eq!(Field::find(row.long), Some(Field::Known(row)), "{}", row.long);
            let others = FIELDS.iter().enumerate().filter(|(other, _)| *other != at);
            assert!(others.map(|(_, o)| o.name).all(|name| name != row.name && name != row.long));
        }
        assert_eq!(Field::find("TLS.sni"), Some(Field::Attr(&attr::TLS_SNI)));
        assert_eq!(Field::find("tls.nothing"), None);
    }

    #[test]
    fn a_slip_of_the_pen_is_understood() {
        assert_eq!(nearest("hots").as_deref(), Some("host"));
        assert_eq!(nearest("byte").as_deref(), Some("bytes"));
        assert_eq!(nearest("tls.snj").as_deref(), Some("tls.sni"));
        assert_eq!(nearest("sni").as_deref(), Some("tls.sni"));
        assert_eq!(nearest("quetzalcoatl"), None);
    }

    #[test]
    fn texts_for_people_and_for_programs() {
        let slot = sample();
        let meta = encode(&attr::TLS_SNI, b"a.example");
        let flow = Flow::decode(&slot, 0, &meta);
        let seen = Seen { flow: &flow, now_ns: 20_000_000_000 };
        let text = |name, style| Field::find(name).unwrap().text(&seen, style);
        assert_eq!(text("bytes", Style::Human), "31.5 KB");
        assert_eq!(text("bytes", Style::Raw), "31500");
        assert_eq!(text("src", Style::Human), "10.0.0.2");
        assert_eq!(text("dport", Style::Human), "443");
        assert_eq!(text("host", Style::Human), "a.example");
        assert_eq!(text("tls.sni", Style::Raw), "a.example");
        assert_eq!(text("tunnel", Style::Raw), "");
        assert_eq!(text("idle", Style::Human), "8.0 s");
        assert_eq!(text("l4", Style::Raw), "TCP");
        // No field panics, whatever its kind.
        for row in FIELDS {
            let field = Field::Known(row);
            let _ = (field.text(&seen, Style::Human), field.sort_key(&seen), field.is_set(&seen));
        }
    }
}
