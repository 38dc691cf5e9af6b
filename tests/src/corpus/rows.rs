//! What a labelled corpus expects: the rows of its `expected.tsv`, found by their columns' names.

use anyhow::{Context, bail};
use std::net::{IpAddr, Ipv6Addr};
use std::path::Path;

/// Both ends of a flow in a fixed order, protocol and VLAN: what rows and flows are joined by.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
pub struct Ends {
    /// The lower end.
    pub low: ([u8; 16], u16),
    /// The higher end.
    pub high: ([u8; 16], u16),
    /// IP protocol number.
    pub protocol: u8,
    /// Innermost VLAN id, 0 for none.
    pub vlan: u16,
}

/// One row of `expected.tsv`, as far as names go.
#[derive(Clone, Debug)]
pub struct Row {
    /// The capture's file name.
    pub capture: String,
    /// The flow.
    pub ends: Ends,
    /// The reference's name, dotted.
    pub name: String,
    /// Its category; empty for none.
    pub category: String,
    /// How it came to its name.
    pub confidence: String,
    /// The host name it found.
    pub host: String,
    /// The TLS fingerprint it found.
    pub ja4: String,
    /// Packets that it looked at, where it says so.
    pub inspected: Option<u32>,
    /// The risks it set, by its names.
    pub risks: Vec<String>,
    /// Both ends as written, for messages.
    pub shown: String,
}

impl Row {
    /// Whether the reference named the flow by its content.
    pub fn by_content(&self) -> bool {
        self.confidence.starts_with("DPI")
    }

    /// Whether the reference has no name for the flow.
    pub fn is_unknown(&self) -> bool {
        self.name.eq_ignore_ascii_case("unknown")
    }
}

/// Every row.
///
/// # Errors
///
/// If the file cannot be read, lacks a column, or has a row that is not as the corpus' README
/// describes; the message has the line's number.
pub fn rows(root: &Path) -> anyhow::Result<Vec<Row>> {
    let path = root.join("expected.tsv");
    let text = std::fs::read_to_string(&path).with_context(|| path.display().to_string())?;
    parse(&text).with_context(|| path.display().to_string())
}

/// The rows in `text`, whose first line names the columns.
fn parse(text: &str) -> anyhow::Result<Vec<Row>> {
    let mut lines = text.lines().enumerate();
    let (_, head) = lines.next().context("no header line")?;
    let columns = Columns::new(head).context("line 1")?;
    let filled = lines.filter(|(_, line)| !line.is_empty());
    filled.map(|(at, line)| columns.row(line).with_context(|| format!("line {}", at + 1))).collect()
}

/// Where each column stands.
struct Columns {
    count: usize,
    capture: usize,
    source: (usize, usize),
    destination: (usize, usize),
    protocol: usize,
    vlan: usize,
    name: usize,
    confidence: usize,
    category: Option<usize>,
    host: Option<usize>,
    ja4: Option<usize>,
    inspected: Option<usize>,
    risks: Option<usize>,
}

impl Columns {
    fn new(head: &str) -> anyhow::Result<Columns> {
        let names: Vec<&str> = head.split('\t').collect();
        let may = |name: &str| names.iter().position(|column| *column == name);
        let must = |name: &str| may(name).with_context(|| format!("no column {name}"));
        Ok(Columns {
            count: names.len(),
            capture: must("pcap")?,
            source: (must("src_ip")?, must("src_port")?),
            destination: (must("dst_ip")?, must("dst_port")?),
            protocol: must("l4")?,
            vlan: must("vlan")?,
            name: must("ndpi_protocol")?,
            confidence: must("confidence")?,
            category: may("category"),
            host: may("hostname"),
            ja4: may("ja4"),
            inspected: may("dpi_packets"),
            risks: may("risks"),
        })
    }

    fn row(&self, line: &str) -> anyhow::Result<Row> {
        let cells: Vec<&str> = line.split('\t').collect();
        if cells.len() != self.count {
            bail!("{} cells where the header has {}", cells.len(), self.count);
        }
        let cell = |at: usize| cells.get(at).copied().unwrap_or_default();
        let maybe = |at: Option<usize>| at.map(cell).unwrap_or_default();
        let end = |(at, port): (usize, usize)| -> anyhow::Result<([u8; 16], u16)> {
            let number = cell(port).parse().with_context(|| format!("port {:?}", cell(port)))?;
            Ok((address(cell(at))?.octets(), number))
        };
        if cell(self.capture).is_empty() || cell(self.name).is_empty() {
            bail!("no capture, or no name");
        }
        let (a, b) = (end(self.source)?, end(self.destination)?);
        let vlan = match cell(self.vlan) {
            "" => 0,
            id => id.parse().with_context(|| format!("VLAN {id:?}"))?,
        };
        let protocol = protocol(cell(self.protocol))?;
        let [from, to] = [self.source, self.destination].map(|(at, port)| (cell(at), cell(port)));
        Ok(Row {
            capture: cell(self.capture).into(),
            ends: Ends { low: a.min(b), high: a.max(b), protocol, vlan },
            name: cell(self.name).into(),
            category: maybe(self.category).into(),
            confidence: cell(self.confidence).into(),
            host: maybe(self.host).into(),
            ja4: maybe(self.ja4).into(),
            inspected: maybe(self.inspected).parse().ok(),
            risks: maybe(self.risks).split(';').filter(|r| !r.is_empty()).map(Into::into).collect(),
            shown: format!("{}:{} {}:{} {}", from.0, from.1, to.0, to.1, cell(self.protocol)),
        })
    }
}

/// The number of the IP protocol that the reference calls `name`, or whose number it is.
///
/// # Errors
///
/// If it is neither.
pub fn protocol(name: &str) -> anyhow::Result<u8> {
    Ok(match name.to_ascii_uppercase().as_str() {
        "ICMP" => 1,
        "IGMP" => 2,
        "IPIP" | "IP-IN-IP" | "IP_IN_IP" => 4,
        "TCP" => 6,
        "EGP" => 8,
        "UDP" => 17,
        "IPV6" => 41,
        "RSVP" => 46,
        "GRE" => 47,
        "ESP" => 50,
        "AH" => 51,
        "ICMPV6" => 58,
        "EIGRP" => 88,
        "OSPF" => 89,
        "PIM" => 103,
        "VRRP" => 112,
        "PGM" => 113,
        "L2TP" => 115,
        "SCTP" => 132,
        "UDPLITE" | "UDP-LITE" => 136,
        number => number.parse().with_context(|| format!("IP protocol {name:?}"))?,
    })
}

/// The address that `text` is, IPv4 in its mapped form. The reference writes a single zero group
/// of an IPv6 address as `::` too: where that leaves more than one `::`, the one that stands for
/// several groups is whichever gives an address.
///
/// # Errors
///
/// If no reading of it is an address.
pub fn address(text: &str) -> anyhow::Result<Ipv6Addr> {
    let places: Vec<usize> = text.match_indices("::").map(|(at, _)| at).collect();
    let readings = places.iter().rev().map(|kept| {
        let (before, after) = text.split_at(*kept);
        let (mark, after) = after.split_at(2);
        format!("{}{mark}{}", before.replace("::", ":0:"), after.replace("::", ":0:"))
    });
    let mut readings = std::iter::once(text.to_owned()).chain(readings);
    let parsed = readings.find_map(|text| text.parse().ok());
    Ok(match parsed.with_context(|| format!("address {text:?}"))? {
        IpAddr::V4(address) => address.to_ipv6_mapped(),
        IpAddr::V6(address) => address,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const HEAD: &str =
        "vlan\tpcap\tsrc_ip\tsrc_port\tdst_ip\tdst_port\tl4\tndpi_protocol\tconfidence";

    fn error(text: &str) -> String {
        format!("{:#}", parse(text).unwrap_err())
    }

    #[test]
    fn columns_are_found_by_name() {
        let text = format!("{HEAD}\n7\ta.pcap\t192.0.2.2\t80\t192.0.2.1\t9\tTCP\tHTTP\tDPI\n\n");
        let rows = parse(&text).unwrap();
        assert_eq!(rows.len(), 1);
        assert_eq!((rows[0].ends.vlan, rows[0].ends.protocol), (7, 6));
        assert_eq!((rows[0].ends.low.1, rows[0].ends.high.1), (9, 80));
        assert!(rows[0].by_content() && !rows[0].is_unknown());
        assert!(rows[0].host.is_empty() && rows[0].inspected.is_none());
    }

    #[test]
    fn what_is_wrong_is_said_with_its_line() {
        assert_eq!(error(""), "no header line");
        assert_eq!(error("pcap\tsrc_ip"), "line 1: no column src_port");
        let whole = "\ta\t192.0.2.2\t80\t192.0.2.1\t9\tTCP\tHTTP\tDPI";
        for (from, to, said) in [
            ("192.0.2.2", "192.0.2", "line 3: address \"192.0.2\""),
            ("\t80", "\t80000", "line 3: port \"80000\": number too large"),
            ("TCP", "XYZ", "line 3: IP protocol \"XYZ\""),
            ("\tDPI", "", "line 3: 8 cells where the header has 9"),
            ("HTTP", "", "line 3: no capture, or no name"),
        ] {
            let text = format!("{HEAD}\n{whole}\n{}", whole.replacen(from, to, 1));
            assert!(error(&text).starts_with(said), "{}", error(&text));
        }
    }

    #[test]
    fn addresses_with_several_double_colons() {
        assert_eq!(address("192.0.2.1").unwrap().to_string(), "::ffff:192.0.2.1");
        assert_eq!(address("2001:db8::1").unwrap().to_string(), "2001:db8::1");
        assert_eq!(address("2001:db8::7::1").unwrap(), address("2001:db8:0:7::1").unwrap());
        assert!(address("::1::2::x").is_err());
    }
}
