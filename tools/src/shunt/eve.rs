//! Suricata's events (EVE), one JSON object a line: which ask to shunt, and of which flow they are.

use std::collections::HashSet;
use std::net::IpAddr;

use serde::Deserialize;
use serde_json::Value;

use crate::flow::{Endpoint, Flow, from_ip};

/// A flow by its ends and protocol, whoever is the client.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub(super) struct Tuple {
    low: Endpoint,
    high: Endpoint,
    protocol: u8,
    /// Innermost VLAN; none where the event says nothing of one.
    vlan: Option<u16>,
}

impl Tuple {
    fn new(a: Endpoint, b: Endpoint, protocol: u8, vlan: Option<u16>) -> Tuple {
        let (low, high) = if a <= b { (a, b) } else { (b, a) };
        Tuple { low, high, protocol, vlan }
    }

    /// Those by which an event may name a flow of the table: with its VLAN, and without.
    pub(super) fn of(flow: &Flow<'_>) -> [Tuple; 2] {
        let end = |end: Endpoint| Endpoint { port: port(flow.l4, end.port), ..end };
        let (client, server) = (end(flow.client), end(flow.server));
        [Some(flow.vlan), None].map(|vlan| Tuple::new(client, server, flow.l4, vlan))
    }
}

/// Only these protocols have ports: Suricata gives others none.
fn port(protocol: u8, port: u16) -> u16 {
    if matches!(protocol, 6 | 17 | 132) { port } else { 0 }
}

/// Which events ask.
#[derive(Clone, Default, Debug)]
pub(super) struct Asking {
    /// Alerts of these signatures do.
    pub(super) signatures: HashSet<u64>,
}

#[derive(Deserialize)]
struct Event {
    src_ip: Option<IpAddr>,
    #[serde(default)]
    src_port: u16,
    dest_ip: Option<IpAddr>,
    #[serde(default)]
    dest_port: u16,
    proto: Option<String>,
    #[serde(default)]
    vlan: Vec<u16>,
    bypass: Option<Value>,
    flow: Option<FlowPart>,
    alert: Option<Alert>,
}

#[derive(Deserialize)]
struct FlowPart {
    /// At the flow's end: by whom.
    bypass: Option<Value>,
    /// From then on: what was not looked at.
    bypassed: Option<Value>,
}

#[derive(Deserialize)]
struct Alert {
    signature_id: Option<u64>,
    action: Option<String>,
    bypass: Option<Value>,
    metadata: Option<Value>,
}

impl Asking {
    /// The flow of an event that asks to shunt it.
    pub(super) fn tuple(&self, line: &[u8]) -> Option<Tuple> {
        let event: Event = serde_json::from_slice(line).ok()?;
        if !self.asks(&event) {
            return None;
        }
        let protocol = protocol(event.proto.as_deref()?)?;
        let end = |address: Option<IpAddr>, number: u16| {
            Some(Endpoint { address: from_ip(address?), port: port(protocol, number) })
        };
        let (source, target) =
            (end(event.src_ip, event.src_port)?, end(event.dest_ip, event.dest_port)?);
        Some(Tuple::new(source, target, protocol, event.vlan.last().copied()))
    }

    fn asks(&self, event: &Event) -> bool {
        let yes = |mark: &Option<Value>| {
            mark.as_ref().is_some_and(|mark| !matches!(mark, Value::Null | Value::Bool(false)))
        };
        let alert = event.alert.as_ref().is_some_and(|alert| {
            let chosen = alert.signature_id.is_some_and(|id| self.signatures.contains(&id));
            let marked = alert.metadata.as_ref().and_then(|all| all.get("weir"));
            let marked = marked
                .and_then(Value::as_array)
                .is_some_and(|words| words.iter().any(|word| word == "shunt"));
            chosen || marked || yes(&alert.bypass) || alert.action.as_deref() == Some("bypass")
        });
        let flow = event.flow.as_ref();
        let flow = flow.is_some_and(|flow| yes(&flow.bypass) || yes(&flow.bypassed));
        alert || flow || yes(&event.bypass)
    }
}

/// The number of a protocol, as Suricata names it.
fn protocol(name: &str) -> Option<u8> {
    let number = match name.to_ascii_uppercase().as_str() {
        "ICMP" => 1,
        "IGMP" => 2,
        "TCP" => 6,
        "UDP" => 17,
        "GRE" => 47,
        "ESP" => 50,
        "AH" => 51,
        "IPV6-ICMP" | "ICMPV6" => 58,
        "SCTP" => 132,
        other => other.parse().ok()?,
    };
    Some(number)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::flow::tests::sample;

    fn asking(signatures: &[u64]) -> Asking {
        Asking { signatures: signatures.iter().copied().collect() }
    }

    fn event(rest: &str) -> String {
        let ends = r#""src_ip":"198.51.100.1","src_port":443,"dest_ip":"10.0.0.1","dest_port":9"#;
        format!(r#"{{"timestamp":"x",{ends},"proto":"TCP",{rest}}}"#)
    }

    #[test]
    fn events_that_ask() {
        let asks = |rest: &str| asking(&[7]).tuple(event(rest).as_bytes()).is_some();
        assert!(asks(r#""event_type":"alert","alert":{"action":"allowed","signature_id":7}"#));
        assert!(!asks(r#""event_type":"alert","alert":{"action":"allowed","signature_id":8}"#));
        assert!(asks(r#""alert":{"signature_id":8,"metadata":{"weir":["shunt"]}}"#));
        assert!(!asks(r#""alert":{"signature_id":8,"metadata":{"weir":["other"]}}"#));
        assert!(asks(r#""event_type":"flow","flow":{"pkts_toserver":5,"bypass":"local"}"#));
        assert!(asks(r#""event_type":"alert","flow":{"bypassed":{"pkts_toserver":0}}"#));
        assert!(!asks(r#""event_type":"alert","flow":{"pkts_toserver":1}"#));
        assert!(asks(r#""bypass":true"#));
        assert!(!asks(r#""bypass":false"#));
        assert!(!asks(r#""event_type":"dns""#));
    }

    #[test]
    fn the_flow_is_the_same_from_both_sides() {
        let line = event(r#""bypass":true"#);
        let turned = line.replace("198.51.100.1", "X").replace("10.0.0.1", "198.51.100.1");
        let turned = turned.replace('X', "10.0.0.1").replace(":443", ":N").replace(":9", ":443");
        let turned = turned.replace(":N", ":9");
        let (one, other) =
            (asking(&[]).tuple(line.as_bytes()), asking(&[]).tuple(turned.as_bytes()));
        assert!(one.is_some());
        assert_eq!(one, other);
    }

    #[test]
    fn protocols_without_ports_have_none() {
        let line = r#"{"src_ip":"2001:db8::1","dest_ip":"2001:db8::2","proto":"IPv6-ICMP",
            "icmp_type":128,"bypass":true}"#;
        let tuple = asking(&[]).tuple(line.as_bytes()).unwrap();
        assert_eq!((tuple.protocol, tuple.low.port, tuple.high.port), (58, 0, 0));
    }

    #[test]
    fn a_vlan_counts_where_the_event_has_one() {
        let mut words = sample();
        let flow = Flow::decode(&words, 0, &[]);
        let ends = r#""src_ip":"10.0.0.2","src_port":40000,"dest_ip":"10.0.0.1","dest_port":443"#;
        let tuple = |vlan: &str| {
            let line = format!(r#"{{{ends},"proto":"TCP",{vlan}"bypass":true}}"#);
            asking(&[]).tuple(line.as_bytes()).unwrap()
        };
        assert!(Tuple::of(&flow).contains(&tuple("")));
        assert!(Tuple::of(&flow).contains(&tuple(r#""vlan":[200,7],"#)));
        assert!(!Tuple::of(&flow).contains(&tuple(r#""vlan":[7,200],"#)));
        words.words[5] = weir_shm::flow::pack_tuple(443, 40000, 0, 6, 0);
        assert!(Tuple::of(&Flow::decode(&words, 0, &[])).contains(&tuple("")));
    }

    proptest! {
        #[test]
        fn any_line_is_survived(line: Vec<u8>) {
            let _ = asking(&[1]).tuple(&line);
        }
    }
}
