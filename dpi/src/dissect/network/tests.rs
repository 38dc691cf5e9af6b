//! Real messages of every protocol, and what has to hold of each of them. The messages are in
//! `samples.tsv`: from the labelled captures where these have the protocol, else made after its
//! specification and checked with another analyser.

use proptest::prelude::*;

use super::DISSECTORS;
use crate::app;
use crate::attr::{ATTRIBUTES, Kind};
use crate::crypto_pool::CryptoPool;
use crate::dissect::FAMILIES;
use crate::dissect::testing::{CLIENT, Flow, SERVER, check_prefixes, run};
use crate::knowledge::Knowledge;
use crate::meta::Meta;
use crate::scratch::Scratch;
use crate::view::{Direction, Dissector, Endpoint, Notes, Outcome, Transport, View};

struct Sample {
    found: &'static str,
    transport: Transport,
    sender: Direction,
    ports: (u16, u16),
    origin: &'static str,
    bytes: Vec<u8>,
}

fn samples() -> Vec<Sample> {
    let lines = include_str!("samples.tsv").lines();
    lines.filter(|line| !line.starts_with('#')).map(sample).collect()
}

fn sample(line: &'static str) -> Sample {
    let fields: Vec<&'static str> = line.split('\t').collect();
    let [found, transport, sender, client, server, origin, bytes] = fields[..] else {
        panic!("seven fields: {line}");
    };
    let hex = |at: usize| u8::from_str_radix(&bytes[at..at + 2], 16).unwrap();
    Sample {
        found,
        transport: if transport == "TCP" { Transport::Tcp } else { Transport::Udp },
        sender: if sender == "client" { Direction::ToServer } else { Direction::ToClient },
        ports: (client.parse().unwrap(), server.parse().unwrap()),
        origin,
        bytes: (0..bytes.len()).step_by(2).map(hex).collect(),
    }
}

/// Asks as the dispatch would: not at all where only the usual ports count and none is in use.
fn ask(dissector: &Dissector, sample: &Sample, bytes: &[u8]) -> (Outcome, Meta) {
    let usual = [sample.ports.0, sample.ports.1].iter().any(|port| dissector.ports.contains(port));
    if dissector.ports_only && !usual {
        return (Outcome::NotMine, Meta::default());
    }
    run(dissector, sample.sender, sample.transport, bytes, sample.ports)
}

fn claim(dissector: &Dissector, sample: &Sample, bytes: &[u8]) -> Option<&'static str> {
    match ask(dissector, sample, bytes).0 {
        Outcome::Found { app, .. } => Some(app::describe(app).name),
        _ => None,
    }
}

#[test]
fn each_sample_is_claimed_by_one_dissector_under_the_right_name() {
    for sample in samples() {
        let all = DISSECTORS.iter();
        let claims: Vec<_> = all.filter_map(|it| claim(it, &sample, &sample.bytes)).collect();
        assert_eq!(claims, [sample.found], "{} of {}", sample.found, sample.origin);
    }
}

#[test]
fn no_other_dissector_claims_a_beginning_of_a_sample() {
    for sample in samples() {
        let all = FAMILIES.iter().flat_map(|family| family.iter());
        for other in all.filter(|it| claim(it, &sample, &sample.bytes) != Some(sample.found)) {
            let shortest = if sample.transport == Transport::Tcp { 1 } else { sample.bytes.len() };
            for length in shortest..=sample.bytes.len() {
                let claim = claim(other, &sample, &sample.bytes[..length]);
                let name = app::describe(other.app).name;
                assert_eq!(claim, None, "{name}, {length} bytes of {}", sample.origin);
            }
        }
    }
}

#[test]
fn every_dissector_has_a_sample() {
    let samples = samples();
    for dissector in DISSECTORS {
        let has = samples.iter().any(|it| claim(dissector, it, &it.bytes) == Some(it.found));
        assert!(has, "{:?} over {:?}", app::describe(dissector.app).name, dissector.over);
    }
}

#[test]
fn samples_cut_anywhere_stay_in_the_race_or_keep_their_name() {
    for sample in samples() {
        let of = |it: &&Dissector| claim(it, &sample, &sample.bytes) == Some(sample.found);
        let dissector = DISSECTORS.iter().find(of).unwrap();
        let Sample { sender, transport, bytes, ports, .. } = &sample;
        check_prefixes(dissector, *sender, *transport, bytes, *ports);
    }
}

/// Which side is taken for the client depends on what was seen of the flow.
#[test]
fn samples_are_known_from_either_side() {
    for mut sample in samples() {
        // What a server answers to a WHOIS question is free text.
        if sample.found == "Whois" {
            continue;
        }
        sample.sender = match sample.sender {
            Direction::ToServer => Direction::ToClient,
            Direction::ToClient => Direction::ToServer,
        };
        sample.ports = (sample.ports.1, sample.ports.0);
        let found = DISSECTORS.iter().find_map(|it| claim(it, &sample, &sample.bytes));
        assert_eq!(found, Some(sample.found), "{}", sample.origin);
    }
}

/// What the samples say, as `group.key`; addresses as they are written, raw bytes in hexadecimal.
const EXPECTED: &[(&str, &str, &str)] = &[
    ("netflix.pcap:2", "flow.hostname", "ios.nccp.netflix.com"),
    ("netflix.pcap:2", "dns.type", "1"),
    ("netflix.pcap:4", "dns.rcode", "0"),
    ("netflix.pcap:4", "dns.answers", "54.186.39.87"),
    ("netflix.pcap:4", "dns.cname", "ios.nccp.us-west-2.prodaa.netflix.com"),
    ("made:dns-1", "dns.name", "ios.nccp.netflix.com"),
    ("dns-google-nsid.pcapng:1", "dns.edns_size", "4096"),
    ("telegram.pcap:4", "dns.name", "_spotify-connect._tcp.local"),
    ("wechat.pcap:1362", "flow.hostname", "lbjamwptxz"),
    ("telegram.pcap:612", "netbios.source", "DESKTOP-RB5T12G"),
    ("telegram.pcap:612", "netbios.name", "WORKGROUP"),
    ("telegram.pcap:612", "netbios.kind", "29"),
    ("made:netbios-1", "netbios.source", "CLIENT"),
    ("smb_deletefile.pcap:2", "smb.version", "2"),
    ("smb_frags.pcap:4", "smb.version", "1"),
    ("made:smb-2", "smb.dialect", "3.1.1"),
    ("ssdp-m-search-ua.pcap:1", "ssdp.target", "urn:dial-multiscreen-org:service:dial:1"),
    ("ssdp-m-search-ua.pcap:1", "ssdp.agent", "Google Chrome/99.0.4844.74 Mac OS X"),
    ("wechat.pcap:1418", "dhcp.hostname", "iPhonediMonica"),
    ("wechat.pcap:1418", "dhcp.fingerprint", "017903060f77fc"),
    ("wechat.pcap:1418", "dhcp.message", "3"),
    ("wechat.pcap:1418", "dhcp.mac", "b8782ee2da07"),
    ("gnutella.pcap:8", "dhcp.address", "10.0.2.15"),
    ("gnutella.pcap:9", "dhcpv6.hostname", "MSEDGEWIN10"),
    ("gnutella.pcap:9", "dhcpv6.class", "MSFT 5.0"),
    ("NTPv4.pcap:1", "ntp.mode", "3"),
    ("snmp.pcap:1", "snmp.pdu", "get-next"),
    ("snmp.pcap:6", "snmp.version", "2c"),
    ("fuzz-2020-02-16-11740.pcap:2", "radius.reply", "11"),
    ("tftp.pcap:3", "tftp.file", "rfc1350.txt"),
    ("BGP_Cisco_hdlc_slarp.pcap:4", "bgp.as", "1"),
    ("BGP_Cisco_hdlc_slarp.pcap:4", "bgp.hold_time_s", "180"),
    ("BGP_Cisco_hdlc_slarp.pcap:4", "bgp.id", "11.11.11.11"),
    ("kerberos-error.pcap:1", "kerberos.client", "host/mus-n-cj0709"),
    ("kerberos-error.pcap:1", "kerberos.service", "krbtgt/LINUX.SHELL.COM"),
    ("kerberos-error.pcap:2", "kerberos.realm", "LINUX.SHELL.COM"),
    ("kerberos-error.pcap:2", "kerberos.error", "52"),
    ("made:ldap-1", "ldap.bind_dn", "cn=admin,dc=example,dc=com"),
    ("log4j-webapp-exploit.pcap:15", "ldap.base", "a"),
    ("rdp3.pcap:4", "rdp.cookie", "Administr"),
    ("made:rdp-1", "rdp.selected", "2"),
    ("made:rdp-2", "rdp.requested", "11"),
    ("made:syslog-1", "syslog.host", "mymachine.example.com"),
    ("made:syslog-2", "syslog.program", "su"),
    ("made:syslog-3", "syslog.facility", "20"),
    ("nfsv2.pcap:3", "rpc.program", "100005"),
    ("made:dcerpc-1", "dcerpc.interface", "e1af83085d1f11c991a408002b14a0fa"),
    ("profinet-io-le.pcap:1", "dcerpc.interface", "dea000016c9711d1827100a02442df7d"),
    ("srvloc.pcap:2", "slp.service", "service:censys"),
    ("made:coap-1", "coap.path", "example"),
    ("netflow-fritz.pcap:1", "netflow.version", "10"),
    ("diameter.pcap:1", "diameter.origin", "nxl1.netxcell.com"),
    ("made:whois-1", "whois.query", "example.com"),
    ("modbus.pcap:1", "modbus.function", "3"),
    ("made:opc-ua-1", "opc_ua.url", "opc.tcp://localhost:4840"),
];

#[test]
fn what_the_samples_say_is_found() {
    let samples = samples();
    for (origin, key, value) in EXPECTED {
        let sample = samples.iter().find(|it| it.origin == *origin).expect(origin);
        let of = |it: &&Dissector| claim(it, sample, &sample.bytes).is_some();
        let dissector = DISSECTORS.iter().find(of).unwrap();
        let shown = show(&ask(dissector, sample, &sample.bytes).1, key);
        assert!(shown.iter().any(|it| it == value), "{origin} {key}: {shown:?}, not {value}");
    }
}

fn show(meta: &Meta, key: &str) -> Vec<String> {
    let attr = ATTRIBUTES.iter().find(|it| key == format!("{}.{}", it.group, it.key)).expect(key);
    let values = crate::meta::decode(meta.as_bytes()).filter(|(id, _)| *id == attr.id);
    let hex =
        |value: &[u8]| value.iter().fold(String::new(), |sum, byte| sum + &format!("{byte:02x}"));
    let text = |value: &[u8]| match attr.kind {
        Kind::Text => String::from_utf8_lossy(value).into_owned(),
        Kind::Number => u64::from_le_bytes(value.try_into().unwrap()).to_string(),
        Kind::Address => {
            let address = std::net::Ipv6Addr::from(<[u8; 16]>::try_from(value).unwrap());
            address.to_canonical().to_string()
        }
        Kind::Hex | Kind::Stack | Kind::Risks | Kind::Why => hex(value),
    };
    values.map(|(_, value)| text(value)).collect()
}

/// Asks about the sample from `origin` between two ends, and says what was learned and announced.
fn teach(dissector: &Dissector, origin: &str, ends: [Endpoint; 2]) -> (Outcome, Knowledge) {
    let sample = samples().into_iter().find(|it| it.origin == origin).expect(origin);
    let [client, server] = ends;
    let view = View {
        data: &sample.bytes,
        direction: sample.sender,
        transport: sample.transport,
        client,
        server,
        last: false,
        packets_before: 1,
        now_ns: 0,
    };
    let mut knowledge = Knowledge::new(64);
    let mut notes = Notes {
        meta: &mut Meta::default(),
        scratch: &mut Scratch::default(),
        knowledge: &mut knowledge,
        crypto: &mut CryptoPool::new(1),
    };
    ((dissector.run)(&view, &mut notes), knowledge)
}

fn end(last: u8, port: u16) -> Endpoint {
    Endpoint { address: super::mapped([192, 0, 2, last]), port }
}

#[test]
fn dns_answers_teach_whose_an_address_is() {
    let (_, knowledge) = teach(&super::dns::DNS, "netflix.pcap:4", [end(1, 51543), end(2, 53)]);
    assert_eq!(knowledge.learned(), 8);
    let service = knowledge.service_of(super::mapped([54, 186, 39, 87])).unwrap();
    assert_eq!(app::describe(service).name, "Netflix");
}

#[test]
fn tftp_requests_announce_the_transfer() {
    let client = end(1, 50618);
    let (_, knowledge) = teach(&super::tftp::TFTP, "tftp.pcap:3", [client, end(2, 69)]);
    assert_eq!(knowledge.expected(end(2, 3445), client), app::AppId::TFTP);
    assert_eq!(knowledge.expected(end(2, 3445), end(1, 50619)), app::AppId::UNKNOWN);
}

/// Where the port mapper says that NFS listens, NFS is spoken.
#[test]
fn answers_of_the_port_mapper_are_remembered() {
    let mut flow = Flow::new(Transport::Udp, (3289, 111));
    let mut ask = |origin, direction| {
        let sample = samples().into_iter().find(|it| it.origin == origin).unwrap();
        flow.ask(&super::rpc::RPC_UDP, direction, &sample.bytes)
    };
    let nfs = app::AppId::NFS;
    assert_eq!(ask("nfsv2.pcap:1", Direction::ToServer), Outcome::found_more(nfs));
    assert_eq!(ask("nfsv2.pcap:2", Direction::ToClient), Outcome::found(nfs));
    let end = |address, port| Endpoint { address, port };
    let peer = flow.knowledge.peer(end(CLIENT, 700), end(SERVER, 4 * 256 + 24));
    assert_eq!(peer, Some(nfs));
}

/// An echo is any bytes whose sender is the destination too.
#[test]
fn bfd_echoes_are_told_by_their_addresses() {
    let found = |ends| teach(&super::routing::BFD, "made:coap-1", ends).0;
    assert_eq!(found([end(1, 49152), end(1, 3785)]), Outcome::found(app::AppId::BFD));
    assert_eq!(found([end(1, 49152), end(2, 3785)]), Outcome::NotMine);
}

/// Off port 53 nothing may be left over, or missing.
#[test]
fn dns_on_a_foreign_port_has_to_be_exact() {
    let sample = samples().into_iter().find(|it| it.origin == "netflix.pcap:4").unwrap();
    let asked = |bytes: &[u8]| {
        let ports = (40_000, 40_053);
        run(&super::dns::DNS, Direction::ToClient, Transport::Udp, bytes, ports).0
    };
    assert!(matches!(asked(&sample.bytes), Outcome::Found { app: app::AppId::DNS, .. }));
    let longer: Vec<u8> = sample.bytes.iter().copied().chain([0]).collect();
    assert_eq!(asked(&longer), Outcome::NotMine);
    assert_eq!(asked(&sample.bytes[..sample.bytes.len() - 1]), Outcome::NotMine);
}

/// Community strings and passwords go past in the clear; they are not ours to keep.
#[test]
fn secrets_are_not_kept() {
    for (found, secret) in [("SNMP", &b"public"[..]), ("LDAP", b"secretpwd")] {
        let holds = |bytes: &[u8]| bytes.windows(secret.len()).any(|window| window == secret);
        let of = |it: &Sample| it.found == found && holds(&it.bytes);
        let sample = samples().into_iter().find(of).expect(found);
        for dissector in DISSECTORS {
            let (_, meta) = ask(dissector, &sample, &sample.bytes);
            assert!(!holds(meta.as_bytes()), "{found}: {meta:?}");
        }
    }
}

/// Off the usual ports a dissector has only the bytes to go by, so noise must not look like
/// anything. Fixed seeds: 200 000 payloads, each first byte as often as any other.
#[test]
fn noise_is_claimed_by_nobody() {
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    let mut next = move || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state
    };
    let ports = (50_123, 50_321);
    let mut flows = [Transport::Udp, Transport::Tcp].map(|it| Flow::new(it, ports));
    for round in 0..200_000_u32 {
        let length = 1 + usize::try_from(next() % 160).unwrap();
        let mut bytes: Vec<u8> = (0..length).map(|_| next().to_le_bytes()[0]).collect();
        bytes[0] = round.to_le_bytes()[0];
        for flow in &mut flows {
            for dissector in DISSECTORS.iter().filter(|it| !it.ports_only) {
                let outcome = flow.ask(dissector, Direction::ToServer, &bytes);
                let name = app::describe(dissector.app).name;
                assert!(!matches!(outcome, Outcome::Found { .. }), "{name}: {bytes:02x?}");
            }
        }
    }
}

/// Runs every dissector over `bytes`, whatever their filters say. That it returns is the property.
fn survives(bytes: &[u8], ports: (u16, u16)) {
    for dissector in DISSECTORS {
        for transport in dissector.over {
            let mut flow = Flow::new(*transport, ports);
            for sender in [Direction::ToServer, Direction::ToClient] {
                let outcome = flow.ask_past_filter(dissector, sender, bytes);
                let waits = outcome == Outcome::NeedMore && *transport == Transport::Udp;
                assert!(!waits, "a datagram has no more: {}", app::describe(dissector.app).name);
            }
        }
    }
}

proptest! {
    #[test]
    fn damaged_samples_are_survived(
        pick in any::<prop::sample::Index>(),
        damage in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..6),
        cut in any::<prop::sample::Index>(),
    ) {
        let samples = samples();
        let sample = pick.get(&samples);
        let mut bytes = sample.bytes.clone();
        for (at, value) in damage {
            let at = at.index(bytes.len());
            bytes[at] = value;
        }
        bytes.truncate(1 + cut.index(bytes.len()));
        survives(&bytes, sample.ports);
    }

    #[test]
    fn anything_is_survived(
        bytes in prop::collection::vec(any::<u8>(), 1..300),
        pick in any::<prop::sample::Index>(),
    ) {
        let ports: Vec<u16> = DISSECTORS.iter().flat_map(|it| it.ports).copied().collect();
        survives(&bytes, (50_000, *pick.get(&ports)));
    }
}
