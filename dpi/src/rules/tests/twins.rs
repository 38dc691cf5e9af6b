//! Every index against the plain walk over all rules in their order.

use proptest::prelude::*;

use super::*;

/// The plain twin of every question: the first rule of this kind that holds.
fn slowly(rules: &RuleSet, kind: Kind, facts: &Facts<'_>) -> Option<u32> {
    let of_kind = (0..).zip(&rules.rules).filter(|(_, rule)| rule.kind == kind);
    let mut fitting = of_kind.filter(|(_, rule)| all_hold(&rule.conditions, facts));
    fitting.next().map(|(number, _)| number)
}

/// What is not allowed is left out, so that the rest is still a set.
fn some_rules(lines: &[String]) -> RuleSet {
    let fits = |line: &&String| errors(format!("{line} -> TLS\n").as_bytes()).is_empty();
    let text: Vec<String> =
        lines.iter().filter(fits).map(|line| format!("{line} -> TLS")).collect();
    rules(&text.join("\n"))
}

fn guard() -> impl Strategy<Value = String> {
    prop_oneof![
        4 => Just(String::new()),
        1 => Just(" and port tcp/443".to_owned()),
        1 => Just(" and port tcp/80".to_owned()),
        1 => Just(" and either prefix 192.0.2.0/31".to_owned()),
    ]
}

fn network() -> impl Strategy<Value = String> {
    // Few bits, so that prefixes meet.
    (0u8..4, 0u8..4, prop_oneof![Just(8u8), Just(14), Just(16), Just(23), Just(24), Just(32)])
        .prop_map(|(a, b, bits)| {
            let address = u32::from_be_bytes([10, a, b, 1]);
            let masked = std::net::Ipv4Addr::from(address & u32::MAX << (32 - u32::from(bits)));
            format!("{masked}/{bits}")
        })
}

proptest! {
    #[test]
    fn hosts(
        patterns in prop::collection::vec(("[=]?([ab*]{1,2}\\.){0,3}[ab]", guard()), 1..40),
        hosts in prop::collection::vec("([abA]{1,3}\\.){0,4}[ab]?", 1..40),
    ) {
        let lines: Vec<_> = patterns.iter().map(|(host, guard)| format!("host {host}{guard}")).collect();
        let rules = some_rules(&lines);
        for host in hosts {
            let facts = Facts { host: host.as_bytes(), ..Facts::of(&anywhere()) };
            let found = rules.by_host(&anywhere(), AppId::UNKNOWN, host.as_bytes());
            prop_assert_eq!(found.map(|found| found.rule), slowly(&rules, Kind::Host, &facts), "{}", host);
        }
    }

    /// The patterns themselves, against what their page says of them.
    #[test]
    fn a_host_pattern(pattern in "([ab]{1,2}\\.){0,2}[ab]", host in "([abA]{1,2}\\.){0,3}[abA]") {
        let lower = host.to_ascii_lowercase();
        let below = lower.ends_with(&format!(".{pattern}"));
        for (text, expected) in [
            (format!("host {pattern}"), lower == pattern || below),
            (format!("host *.{pattern}"), below),
            (format!("host ={pattern}"), lower == pattern),
        ] {
            let rules = some_rules(&[text]);
            let found = rules.by_host(&anywhere(), AppId::UNKNOWN, host.as_bytes());
            prop_assert_eq!(found.is_some(), expected);
        }
    }

    #[test]
    fn prefixes_and_ports(
        lines in prop::collection::vec(
            (
                prop_oneof![Just(""), Just("client "), Just("either ")],
                network(),
                prop_oneof![
                    Just(""), Just(" and port tcp/1-3"), Just(" and either port 2"),
                    Just(" and client port udp/2-9"),
                ],
                any::<bool>(),
            ),
            1..40,
        ),
        flows in prop::collection::vec(
            ((0u8..4, 0u8..4, 0u8..3, 0u16..5), (0u8..4, 0u8..4, 0u8..3, 0u16..5), 0u8..3), 1..40,
        ),
    ) {
        let lines: Vec<_> = lines
            .into_iter()
            .map(|(end, network, port, alone)| match port.strip_prefix(" and ") {
                Some(port) if alone => port.to_owned(),
                _ => format!("{end}prefix {network}{port}"),
            })
            .collect();
        let rules = some_rules(&lines);
        for (client, server, transport) in flows {
            let end = |(a, b, c, port)| (format!("10.{a}.{b}.{c}"), port);
            let (client, server) = (end(client), end(server));
            let transport = [None, Some(Transport::Tcp), Some(Transport::Udp)][usize::from(transport)];
            let ends = ends(transport, (&client.0, client.1), (&server.0, server.1));
            let found = rules.by_ends(&ends).map(|found| found.rule);
            prop_assert_eq!(found, slowly(&rules, Kind::Ends, &Facts::of(&ends)), "{:?}", ends);
        }
    }

    #[test]
    fn paths(
        patterns in prop::collection::vec(("=?[/*][ab*]{0,7}", guard()), 1..40),
        paths in prop::collection::vec("/[ab]{0,20}", 1..40),
    ) {
        let lines: Vec<_> = patterns.iter().map(|(path, guard)| format!("url {path}{guard}")).collect();
        let rules = some_rules(&lines);
        for path in paths {
            let facts = Facts { path: path.as_bytes(), ..Facts::of(&anywhere()) };
            let found = rules.by_url(&anywhere(), b"", path.as_bytes());
            prop_assert_eq!(found.map(|found| found.rule), slowly(&rules, Kind::Url, &facts), "{}", path);
        }
    }

    #[test]
    fn payloads(
        patterns in prop::collection::vec(
            (
                prop_oneof![
                    (0u8..5).prop_map(|offset| format!("offset {offset}")),
                    Just("contains".to_owned()),
                ],
                "[ab]{1,6}",
                prop_oneof![Just(""), Just(" within 9")],
                guard(),
            ),
            1..40,
        ),
        payloads in prop::collection::vec("[ab]{1,20}", 1..40),
    ) {
        let lines: Vec<_> = patterns
            .iter()
            .map(|(place, value, within, guard)| format!("bytes tcp {place} \"{value}\"{within}{guard}"))
            .collect();
        let rules = some_rules(&lines);
        for payload in payloads {
            let view = view(Transport::Tcp, Direction::ToServer, 0, payload.as_bytes());
            let facts = Facts { data: payload.as_bytes(), packet: 1, ..Facts::of(&anywhere()) };
            let found = rules.by_payload(&view).map(|found| found.rule);
            prop_assert_eq!(found, slowly(&rules, Kind::Bytes, &facts), "{}", payload);
        }
    }
}
