//! From a protocol to a flow's name: the host name, and what is known of the server.

use super::state::FlowState;
use super::{Confidence, Segment, Verdict};
use crate::app::{self, AppId};
use crate::attr::HOST_NAME;
use crate::host::Kinds;
use crate::knowledge::Knowledge;
use crate::meta::Meta;
use crate::risk::names;
use crate::services;
use crate::view::Endpoint;
use crate::why::Rule;

/// Names a flow whose content is `protocol`.
pub(super) fn name(
    state: &mut FlowState,
    meta: &mut Meta,
    protocol: AppId,
    segment: &Segment<'_>,
    knowledge: &mut Knowledge,
) -> Verdict {
    // An address in place of a name tells no more than the server's does.
    let kinds = meta.tidy();
    let host = meta.get(&HOST_NAME).unwrap_or_default();
    let kinds = kinds.filter(|kinds| !is_address(host, *kinds));
    let hosted = kinds.map(|_| knowledge.judged().host(host));
    if let Some(known) = hosted {
        state.named_as = protocol;
        // A DNS message is judged name by name.
        if protocol != AppId::DNS {
            let risks = names::judge_of(protocol, host, known.risks);
            meta.set_risks(risks);
        }
    }
    let mut plain = Verdict::protocol(protocol, Confidence::Content);
    let mut protocol = protocol;
    if protocol == AppId::TLS {
        // Either end: in a capture from the middle the server may pass for the client.
        let (server, client) = (segment.server.port, segment.client.port);
        if let Some(app) = app::over_tls(server).or_else(|| app::over_tls(client)) {
            protocol = app;
            plain = Verdict::protocol(app, Confidence::Behaviour);
            meta.why.rule = Rule::ContentAndPort;
        }
    }
    if protocol == AppId::TLS && hosted.is_none() && is_apple_push(segment) {
        // Records of a session that began before the capture are all the same protocol's.
        let begun = state.scratch.hello.client.is_some();
        let master = if begun { AppId::TLS } else { AppId::APPLE_PUSH };
        let confidence = Confidence::Behaviour;
        return Verdict { master, app: AppId::APPLE_PUSH, confidence };
    }
    if !app::carries_services(protocol) {
        return plain;
    }
    // What rides on another protocol and carries a service gives its place to the service.
    let master = app::carrier(protocol);
    match hosted.and_then(|known| known.service) {
        // Asking for the address of a DoH server is plain DNS still.
        Some(AppId::DOH) if protocol == AppId::DNS => return plain,
        Some(app) => {
            meta.why.rule = Rule::HostName;
            return Verdict { master, app, confidence: Confidence::HostName };
        }
        None => {}
    }
    let app = state.scratch.hello.service;
    if app != AppId::UNKNOWN && master == AppId::HTTP {
        return Verdict { master, app, confidence: Confidence::Content };
    }
    if hosted.is_some() {
        return plain;
    }
    if app != AppId::UNKNOWN {
        meta.why.rule = Rule::Certificate;
        return Verdict { master, app, confidence: Confidence::Certificate };
    }
    match at_server(knowledge, segment.server) {
        Some((app, rule)) if protocol != AppId::DNS => {
            meta.why.rule = rule;
            Verdict { master, app, confidence: Confidence::PeerKnowledge }
        }
        _ => plain,
    }
}

/// The service that is at `server`, and what says so.
pub(super) fn at_server(knowledge: &Knowledge, server: Endpoint) -> Option<(AppId, Rule)> {
    let told = knowledge.service_of(server.address).map(|app| (app, Rule::Peer));
    told.or_else(|| services::surely_at(server.address).map(|app| (app, Rule::Address)))
}

/// Whether `host` is an address: IPv6 stands in brackets, or has colons, which no name has.
fn is_address(host: &[u8], kinds: Kinds) -> bool {
    kinds.is_number() || kinds.has_colon() || host.starts_with(b"[")
}

/// Apple's push service has a port of its own in 17.0.0.0/8, all of which is Apple's.
fn is_apple_push(segment: &Segment<'_>) -> bool {
    const MAPPED: [u8; 13] = [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 17];
    let at_apple = |end: Endpoint| end.port == 5223 && end.address.starts_with(&MAPPED);
    at_apple(segment.server) || at_apple(segment.client)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::view::Direction;

    #[test]
    fn addresses_are_no_names() {
        for host in [&b"192.0.2.1"[..], b"[2001:db8::1]", b"2001:db8::1"] {
            assert!(is_address(host, Kinds::of(host)));
        }
        for host in [&b"1.example"[..], b"a", b"1e100.net"] {
            assert!(!is_address(host, Kinds::of(host)));
        }
    }

    #[test]
    fn apples_push_is_its_port_in_its_network() {
        let at = |address: [u8; 4], port| {
            let address = std::net::Ipv4Addr::from(address).to_ipv6_mapped().octets();
            let client = Endpoint { address: [0; 16], port: 50_000 };
            is_apple_push(&Segment {
                payload: &[],
                direction: Direction::ToServer,
                client,
                server: Endpoint { address, port },
                protocol: 6,
                tcp: None,
                now_ns: 0,
                payload_missing: false,
            })
        };
        assert!(at([17, 0, 2, 1], 5223));
        assert!(!at([17, 0, 2, 1], 443) && !at([192, 0, 2, 1], 5223));
    }
}
