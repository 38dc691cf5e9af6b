//! A flow as one JSON object: the form of `weir flows --json` and of `weir run --flows`.
//!
//! The object is written straight into the caller's buffer; nothing is built in between, so a
//! file of flow records costs about a microsecond a flow.

use std::io;

use serde::ser::{Serialize, SerializeMap, SerializeSeq, Serializer};
use weir_dpi::attr::{self, Attr, Kind};
use weir_dpi::{Risks, Why};

use crate::flow::{self, AddressText, C2S, Flow, S2C};
use crate::names;
use crate::{geo, resolve};

/// A flow, and why it ended where it did.
#[derive(Clone, Copy, Debug)]
pub(crate) struct FlowJson<'a> {
    /// The flow.
    pub(crate) flow: &'a Flow<'a>,
    /// `idle`, `fin` …; nothing for a live flow.
    pub(crate) end_reason: Option<&'a str>,
}

/// Appends the flow and a newline to `out`.
///
/// # Errors
/// Fails only if `out` does.
pub(crate) fn write_line(
    out: &mut Vec<u8>,
    flow: &Flow<'_>,
    end_reason: Option<&str>,
) -> io::Result<()> {
    serde_json::to_writer(&mut *out, &FlowJson { flow, end_reason })?;
    out.push(b'\n');
    Ok(())
}

impl Serialize for FlowJson<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let flow = self.flow;
        let mut map = serializer.serialize_map(None)?;
        for (end, names) in
            [(flow.client, ["src_ip", "src_port"]), (flow.server, ["dst_ip", "dst_port"])]
        {
            map.serialize_entry(names[0], AddressText::new(end.address, flow.ipv6).as_str())?;
            map.serialize_entry(names[1], &end.port)?;
        }
        map.serialize_entry("l4", &names::l4(flow.l4))?;
        map.serialize_entry("vlan", &(flow.vlan != 0).then_some(flow.vlan))?;
        map.serialize_entry("tunnel", &names::tunnel(flow.tunnel))?;
        map.serialize_entry("app", &names::dotted(flow.master, flow.app))?;
        map.serialize_entry("category", names::category(flow.master, flow.app))?;
        map.serialize_entry("confidence", names::confidence(flow.confidence))?;
        map.serialize_entry("hostname", &flow.host().map(String::from_utf8_lossy))?;
        map.serialize_entry("packets_c2s", &flow.packets[C2S])?;
        map.serialize_entry("bytes_c2s", &flow.bytes[C2S])?;
        map.serialize_entry("packets_s2c", &flow.packets[S2C])?;
        map.serialize_entry("bytes_s2c", &flow.bytes[S2C])?;
        map.serialize_entry("first_ns", &flow.first_ns)?;
        map.serialize_entry("last_ns", &flow.last_ns)?;
        if let Some(reason) = self.end_reason {
            map.serialize_entry("end_reason", reason)?;
        }
        if flow.l4 == 6 {
            map.serialize_entry("tcp_flags_c2s", &flow::tcp_flag_letters(flow.tcp_flags[C2S]))?;
            map.serialize_entry("tcp_flags_s2c", &flow::tcp_flag_letters(flow.tcp_flags[S2C]))?;
        }
        let community = flow.community_id();
        let community = community.as_ref().and_then(|id| std::str::from_utf8(id).ok());
        map.serialize_entry("community_id", &community)?;
        map.serialize_entry("flow_id", &flow.id)?;
        map.serialize_entry("shard", &flow.shard)?;
        whereabouts(flow, &mut map)?;
        if flow.health.is_known {
            map.serialize_entry("health", &flow.health.json())?;
        }
        findings(flow, &mut map)?;
        map.end()
    }
}

/// Names that were looked up, autonomous systems and countries: where the reader knows any.
fn whereabouts<M: SerializeMap>(flow: &Flow<'_>, map: &mut M) -> Result<(), M::Error> {
    let geo = geo::known();
    for (side, names) in [
        (C2S, ["src_name", "src_asn", "src_as_name", "src_country"]),
        (S2C, ["dst_name", "dst_asn", "dst_as_name", "dst_country"]),
    ] {
        let address = flow.address(side);
        if resolve::is_on() {
            map.serialize_entry(names[0], &resolve::bare_name(address))?;
        }
        if geo.has_asns() {
            let (number, name) = geo.asn(address).unzip();
            map.serialize_entry(names[1], &number)?;
            map.serialize_entry(names[2], &name)?;
        }
        if geo.has_countries() {
            map.serialize_entry(names[3], &geo.country(address))?;
        }
    }
    Ok(())
}

/// The group of attributes this program does not know: a newer engine wrote them.
const FOREIGN: &str = "other";

/// One finding: its row, where known, its number and its bytes.
type Finding<'a> = (Option<&'static Attr>, u16, &'a [u8]);

fn group_of(finding: &Finding<'_>) -> &'static str {
    finding.0.map_or(FOREIGN, |attr| attr.group)
}

/// What the dissectors found, one object a protocol, in the order in which protocols came up.
fn findings<M: SerializeMap>(flow: &Flow<'_>, map: &mut M) -> Result<(), M::Error> {
    if flow.meta.is_empty() {
        return Ok(());
    }
    let all: Vec<Finding<'_>> = flow
        .attributes()
        .filter(|(id, _)| *id != attr::HOST_NAME.id)
        .map(|(id, value)| (attr::describe(id), id, value))
        .collect();
    for (at, finding) in all.iter().enumerate() {
        let group = group_of(finding);
        if let (Some(attr), attr::FLOW) = (finding.0, group) {
            if all.iter().take(at).any(|earlier| earlier.1 == finding.1) {
                continue;
            }
            if attr.many {
                map.serialize_entry(attr.key, &Every { attr, all: &all })?;
            } else {
                map.serialize_entry(attr.key, &Value(attr.kind, finding.2))?;
            }
            continue;
        }
        if all.iter().take(at).all(|earlier| group_of(earlier) != group) {
            map.serialize_entry(group, &Group { name: group, all: &all })?;
        }
    }
    Ok(())
}

/// The findings of one protocol.
struct Group<'a> {
    name: &'static str,
    all: &'a [Finding<'a>],
}

impl Serialize for Group<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        let mine = |finding: &&Finding<'_>| group_of(finding) == self.name;
        for (at, finding) in self.all.iter().enumerate().filter(|(_, f)| mine(f)) {
            // An object has each key once, whatever the bytes say.
            if self.all.iter().take(at).any(|earlier| earlier.1 == finding.1) {
                continue;
            }
            match finding.0 {
                Some(attr) if attr.many => {
                    map.serialize_entry(attr.key, &Every { attr, all: self.all })?;
                }
                Some(attr) => map.serialize_entry(attr.key, &Value(attr.kind, finding.2))?,
                None => {
                    map.serialize_entry(&finding.1.to_string(), &Value(Kind::Hex, finding.2))?;
                }
            }
        }
        if let Some(url) = (self.name == attr::HTTP_PATH.group).then(|| url(self.all)).flatten() {
            map.serialize_entry("url", &String::from_utf8_lossy(&url))?;
        }
        map.end()
    }
}

/// Host and path of a request in one. It is not stored: both parts are.
fn url(all: &[Finding<'_>]) -> Option<Vec<u8>> {
    let value = |attr: &Attr| all.iter().find(|finding| finding.1 == attr.id).map(|found| found.2);
    let path = value(&attr::HTTP_PATH)?;
    if !path.starts_with(b"/") {
        // Asked of a proxy, the path is a whole URL.
        return Some(path.to_vec());
    }
    Some([value(&attr::HTTP_HOST)?, path].concat())
}

/// Every value of an attribute that may occur more than once.
struct Every<'a> {
    attr: &'static Attr,
    all: &'a [Finding<'a>],
}

impl Serialize for Every<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut seq = serializer.serialize_seq(None)?;
        for finding in self.all.iter().filter(|finding| finding.1 == self.attr.id) {
            seq.serialize_element(&Value(self.attr.kind, finding.2))?;
        }
        seq.end()
    }
}

/// One value, read as its kind says.
struct Value<'a>(Kind, &'a [u8]);

impl Serialize for Value<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let Value(kind, bytes) = *self;
        match kind {
            Kind::Text => serializer.serialize_str(&String::from_utf8_lossy(bytes)),
            Kind::Number => serializer.serialize_u64(number(bytes)),
            Kind::Hex => serializer.serialize_str(&hex(bytes)),
            Kind::Stack => serializer.serialize_str(&names::stack(bytes)),
            Kind::Risks => serializer.collect_seq(Risks(number(bytes)).iter().map(|row| row.name)),
            Kind::Why => match Why::decode(bytes) {
                Some(why) => serializer.collect_str(&why),
                None => serializer.serialize_none(),
            },
            Kind::Address => match <[u8; 16]>::try_from(bytes) {
                Ok(address) => serializer.serialize_str(AddressText::new(address, false).as_str()),
                Err(_) => serializer.serialize_str(&hex(bytes)),
            },
        }
    }
}

/// An attribute's number: eight bytes little endian, shorter ones filled up with zeros.
pub(crate) fn number(bytes: &[u8]) -> u64 {
    let mut whole = [0; 8];
    whole.iter_mut().zip(bytes).for_each(|(to, from)| *to = *from);
    u64::from_le_bytes(whole)
}

/// Lower-case hexadecimal.
pub(crate) fn hex(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let digit = |nibble: u8| char::from(DIGITS[usize::from(nibble & 0xf)]);
    bytes.iter().flat_map(|byte| [digit(byte >> 4), digit(*byte)]).collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::{Value as Json, json};
    use weir_shm::flow::FlowSnapshot;

    use super::*;
    use crate::flow::tests::{encode, sample};

    fn object(meta: &[u8], reason: Option<&str>) -> Json {
        let slot = sample();
        let flow = Flow::decode(&slot, 1, meta);
        let mut out = Vec::new();
        write_line(&mut out, &flow, reason).unwrap();
        assert_eq!(out.split(|byte| *byte == b'\n').count(), 2, "one line a flow");
        serde_json::from_slice(&out).unwrap()
    }

    #[test]
    fn every_field_that_readers_rely_on() {
        let found = object(&[], Some("idle"));
        let wanted = json!({
            "src_ip": "10.0.0.2", "src_port": 40000, "dst_ip": "10.0.0.1", "dst_port": 443,
            "l4": "TCP", "vlan": 7, "tunnel": null, "app": "TLS", "category": "Web",
            "confidence": "content", "hostname": null,
            "packets_c2s": 10, "bytes_c2s": 1500, "packets_s2c": 20, "bytes_s2c": 30000,
            "first_ns": 10_000_000_000_u64, "last_ns": 12_000_000_000_u64, "end_reason": "idle",
            "tcp_flags_c2s": "FSPA", "tcp_flags_s2c": "SA",
            "community_id": found["community_id"], "flow_id": 99, "shard": 1,
        });
        assert_eq!(found, wanted);
        assert!(found["community_id"].as_str().unwrap().starts_with("1:"));
        assert!(object(&[], None).get("end_reason").is_none());
    }

    #[test]
    fn findings_stand_under_their_protocol() {
        let address = flow::from_ip("192.0.2.7".parse().unwrap());
        let meta = [
            encode(&attr::HOST_NAME, b"a.example"),
            encode(&attr::TLS_SNI, b"A.Example"),
            encode(&attr::DNS_ANSWER, &address),
            encode(&attr::TLS_CIPHER, &4865_u64.to_le_bytes()),
            encode(&attr::DNS_ANSWER, &[0; 16]),
            encode(&Attr { id: 60_000, ..attr::TLS_SNI }, &[0xab, 1]),
        ]
        .concat();
        let found = object(&meta, None);
        assert_eq!(found["hostname"], "a.example");
        assert_eq!(found["tls"], json!({"sni": "A.Example", "cipher": 4865}));
        assert_eq!(found["dns"], json!({"answers": ["192.0.2.7", "::"]}));
        assert_eq!(found["other"], json!({"60000": "ab01"}));
    }

    #[test]
    fn requests_have_a_url() {
        let url = |host: &[u8], path: &[u8]| {
            let meta = [encode(&attr::HTTP_HOST, host), encode(&attr::HTTP_PATH, path)].concat();
            object(&meta, None)["http"]["url"].clone()
        };
        assert_eq!(url(b"a.example:8080", b"/x?y"), "a.example:8080/x?y");
        assert_eq!(url(b"a.example", b"http://b.example/x"), "http://b.example/x");
        assert_eq!(object(&encode(&attr::HTTP_PATH, b"/x"), None)["http"], json!({"path": "/x"}));
    }

    proptest! {
        /// Whatever bytes stand in shared memory, the line is one valid JSON object.
        #[test]
        fn any_bytes_give_valid_json(
            words: [u64; 16],
            known in prop::collection::vec(
                (prop::sample::select(attr::ATTRIBUTES), prop::collection::vec(any::<u8>(), 0..40)),
                0..12,
            ),
            junk in prop::collection::vec(any::<u8>(), 0..64),
        ) {
            let slot = FlowSnapshot { words };
            let mut meta: Vec<u8> = known.iter().flat_map(|(a, v)| encode(a, v)).collect();
            meta.extend(junk);
            let flow = Flow::decode(&slot, 0, &meta);
            let mut out = Vec::new();
            write_line(&mut out, &flow, None).unwrap();
            let found: Json = serde_json::from_slice(&out).unwrap();
            prop_assert_eq!(found["src_port"].as_u64(), Some(flow.client.port.into()));
        }
    }
}
