use super::*;

#[test]
fn the_longest_suffix_wins_and_labels_are_whole() {
    let rules = rules(
        "app Backup category Cloud breed acceptable
         app Mirror category FileTransfer
         app Top category Web
         host example.com -> Mirror
         host *.backup.example.com -> Backup
         host =exact.example.com -> Top
         host cdn-*.example.com -> Top
         sni tls-only.example.net -> Backup",
    );
    let of = |host: &str| name(&rules, rules.by_host(&anywhere(), AppId::DNS, host.as_bytes()));
    for (host, app) in [
        ("example.com", Some("Mirror")),
        ("WWW.Example.COM", Some("Mirror")),
        ("notexample.com", None),
        ("example.com.evil.example", None),
        ("backup.example.com", Some("Mirror")),
        ("a.backup.example.com", Some("Backup")),
        ("a.b.backup.example.com", Some("Backup")),
        ("exact.example.com", Some("Top")),
        ("below.exact.example.com", Some("Mirror")),
        ("cdn-7.example.com", Some("Top")),
        ("cdn-7.eu.example.com", Some("Top")),
        ("cdn7.example.com", Some("Mirror")),
        ("tls-only.example.net", None),
        ("", None),
        (".", None),
        ("com", None),
    ] {
        assert_eq!(of(host), app, "{host}");
    }
    for (protocol, app) in [
        (AppId::TLS, Some("Backup")),
        (AppId::QUIC, Some("Backup")),
        (AppId::IMAPS, Some("Backup")),
        (AppId::DOH, Some("Backup")),
        (AppId::HTTP, None),
    ] {
        let found = rules.by_host(&anywhere(), protocol, b"a.tls-only.example.net");
        assert_eq!(name(&rules, found), app);
    }
    let [backup, mirror, top] = rules.apps() else { panic!("{:?}", rules.apps()) };
    assert_eq!((backup.id.0, mirror.id.0, top.id.0), (4000, 4001, 4002));
    assert_eq!((backup.category, backup.breed), (Category::Cloud, crate::app::Breed::Acceptable));
    let found = rules.by_host(&anywhere(), AppId::DNS, b"exact.example.com").unwrap();
    let about = rules.describe(found.rule).unwrap();
    assert_eq!((about.file, about.line, about.kind), ("test.rules", 6, Kind::Host));
    assert_eq!(about.text, "host =exact.example.com -> Top");
    assert!(rules.describe(u32::MAX).is_none());
}

#[test]
fn ends_are_the_servers_unless_said_otherwise() {
    let rules = rules(
        "prefix 198.51.100.0/24 -> A category Web
         client prefix 198.51.100.0/24 -> B category Web
         either address 203.0.113.7 and either port 8443 -> C category Web
         port udp/5000-5010 -> D category Web
         port udp/5005 -> E category Web
         prefix 2001:db8::/32 and port tcp/443 -> F category Web
         prefix 0.0.0.0/0 and port tcp/25 -> SMTP
         address 203.0.113.8 -> G category Web",
    );
    let (tcp, udp) = (Some(Transport::Tcp), Some(Transport::Udp));
    for (transport, client, server, app) in [
        (tcp, ("192.0.2.1", 1), ("198.51.100.255", 2), Some("A")),
        (None, ("192.0.2.1", 0), ("198.51.100.1", 0), Some("A")),
        (tcp, ("198.51.100.1", 1), ("192.0.2.1", 2), Some("B")),
        (tcp, ("203.0.113.7", 8443), ("192.0.2.1", 2), Some("C")),
        (udp, ("192.0.2.1", 2), ("203.0.113.7", 8443), Some("C")),
        // Address and port have to be of the same end.
        (udp, ("192.0.2.1", 8443), ("203.0.113.7", 2), None),
        (None, ("192.0.2.1", 8443), ("203.0.113.7", 8443), None),
        (udp, ("192.0.2.1", 1), ("192.0.2.2", 5000), Some("D")),
        (udp, ("192.0.2.1", 1), ("192.0.2.2", 5005), Some("E")),
        (udp, ("192.0.2.1", 5005), ("192.0.2.2", 1), None),
        (tcp, ("192.0.2.1", 1), ("192.0.2.2", 5005), None),
        (tcp, ("2001:db8::1", 1), ("2001:db8::2", 443), Some("F")),
        (udp, ("2001:db8::1", 1), ("2001:db8::2", 443), None),
        (tcp, ("192.0.2.1", 1), ("192.0.2.2", 25), Some("SMTP")),
        (tcp, ("2001:db8::1", 1), ("2001:db8::2", 25), None),
        (tcp, ("192.0.2.1", 25), ("203.0.113.8", 25), Some("G")),
    ] {
        let ends = ends(transport, client, server);
        assert_eq!(name(&rules, rules.by_ends(&ends)), app, "{ends:?}");
    }
}

#[test]
fn of_equals_the_one_with_more_conditions_wins_then_the_first() {
    let rules = rules(
        "host example.com -> First category Web
         host example.com -> Second category Web
         host example.com and port tcp/8443 -> Ported category Web
         host example.com and prefix 198.51.100.0/24 -> Networked category Web",
    );
    let of = |server| {
        let ends = ends(Some(Transport::Tcp), ("192.0.2.1", 1), server);
        name(&rules, rules.by_host(&ends, AppId::TLS, b"example.com")).map(str::to_owned)
    };
    assert_eq!(of(("192.0.2.2", 443)).as_deref(), Some("First"));
    assert_eq!(of(("192.0.2.2", 8443)).as_deref(), Some("Ported"));
    assert_eq!(of(("198.51.100.1", 443)).as_deref(), Some("Networked"));
    // A narrower range of ports counts before the order.
    assert_eq!(of(("198.51.100.1", 8443)).as_deref(), Some("Ported"));
}

#[test]
fn paths_fit_by_their_beginning_or_by_stars() {
    let rules = rules(
        "url /wp-admin -> Blog category Web
         url *wp-login.php* -> Blog
         url *.exe -> Program category FileTransfer
         url =/exact -> Exact category Web
         url /a*/b*/c -> Parts category Web
         url /x -> Short category Web
         host *.example.com and url /wp-admin -> Ours category Web",
    );
    for (host, path, app) in [
        ("", "/wp-admin", Some("Blog")),
        ("", "/wp-admin/x?y", Some("Blog")),
        ("", "/wp-admi", None),
        ("", "/y/wp-admin", None),
        ("www.example.com", "/wp-admin", Some("Ours")),
        ("", "/blog/wp-login.php?a=b", Some("Blog")),
        ("", "/setup.exe", Some("Program")),
        ("", "/setup.exe?x", None),
        ("", "/exact", Some("Exact")),
        ("", "/exactly", None),
        ("", "/a1/b2/c", Some("Parts")),
        ("", "/a1/b2/d", None),
        ("", "/x", Some("Short")),
        ("", "/xyz", Some("Short")),
        ("", "", None),
    ] {
        let found = rules.by_url(&anywhere(), host.as_bytes(), path.as_bytes());
        assert_eq!(name(&rules, found), app, "{host} {path}");
    }
}

#[test]
fn fingerprints_are_exact() {
    let ja4 = "t13d1516h2_8daaf6152771_b186095e22b6";
    let rules = rules(&format!(
        "ja4 {ja4} -> Agent category System
         ja4 {ja4} and host example.com -> Home category System"
    ));
    let of = |ja4: &str, host: &[u8]| {
        name(&rules, rules.by_ja4(&anywhere(), ja4.as_bytes(), host)).map(str::to_owned)
    };
    assert_eq!(of(ja4, b"").as_deref(), Some("Agent"));
    assert_eq!(of(ja4, b"www.example.com").as_deref(), Some("Home"));
    assert_eq!(of(&ja4.replace("t13", "t12"), b""), None);
    assert_eq!(of("", b""), None);
}

#[test]
fn bytes_are_found_at_their_place() {
    let rules = rules(
        r#"bytes tcp offset 0 "SSH-2.0-Foo" -> Foo category RemoteAccess
           bytes tcp offset 0 "SSH-2.0-" -> SSH
           bytes udp 4 hex deadbeef -> Dead category Game
           bytes any contains "X-Agent: corp" -> Corp category Web
           bytes any contains "far away" within 2048 -> Far category Web
           bytes tcp from server packet 2 offset 1 hex "00 ff" -> Late category Web
           bytes udp offset 0 hex 16 and bytes udp offset 5 hex 01 and port udp/443 -> Two category Web"#,
    );
    let padded =
        |before: usize, text: &str| [vec![b'.'; before], text.as_bytes().to_vec()].concat();
    let (to_server, to_client) = (Direction::ToServer, Direction::ToClient);
    for (transport, direction, before, data, app) in [
        (Transport::Tcp, to_server, 0, b"SSH-2.0-Foo_9".to_vec(), Some("Foo")),
        (Transport::Tcp, to_client, 7, b"SSH-2.0-Bar".to_vec(), Some("SSH")),
        (Transport::Udp, to_server, 0, b"SSH-2.0-Foo_9".to_vec(), None),
        (Transport::Udp, to_server, 0, b"1234\xde\xad\xbe\xef".to_vec(), Some("Dead")),
        (Transport::Udp, to_server, 0, b"123\xde\xad\xbe\xef".to_vec(), None),
        (Transport::Udp, to_server, 0, padded(243, "X-Agent: corp"), Some("Corp")),
        (Transport::Udp, to_server, 0, padded(244, "X-Agent: corp"), None),
        (Transport::Tcp, to_server, 0, padded(2040, "far away"), Some("Far")),
        (Transport::Tcp, to_server, 0, padded(2041, "far away"), None),
        (Transport::Tcp, to_client, 1, b"\x01\x00\xff".to_vec(), Some("Late")),
        (Transport::Tcp, to_server, 1, b"\x01\x00\xff".to_vec(), None),
        (Transport::Tcp, to_client, 2, b"\x01\x00\xff".to_vec(), None),
        (Transport::Udp, to_server, 0, b"\x161234\x01".to_vec(), Some("Two")),
        (Transport::Udp, to_server, 0, b"\x161234\x02".to_vec(), None),
        (Transport::Udp, to_server, 0, vec![], None),
    ] {
        let found = rules.by_payload(&view(transport, direction, before, &data));
        assert_eq!(name(&rules, found), app, "{}", data.escape_ascii());
    }
}

#[test]
fn numbers_are_ordered_over_all_kinds() {
    let rules = rules(
        r#"port tcp/443 -> A category Web
           bytes tcp offset 0 "GET" -> B category Web
           host example.com -> C category Web
           url /index -> D category Web"#,
    );
    let ends = anywhere();
    let found = [
        rules.by_url(&ends, b"", b"/index"),
        rules.by_host(&ends, AppId::HTTP, b"example.com"),
        rules.by_payload(&view(Transport::Tcp, Direction::ToServer, 0, b"GET /index")),
        rules.by_ends(&ends),
    ];
    let mut best = None;
    for found in found.iter().rev().flatten() {
        assert!(found.better(best) && !found.better(Some(*found)));
        best = Some(*found);
    }
    assert_eq!(name(&rules, best), Some("D"));
    assert_eq!(rules.len(), 4);
}

#[test]
fn an_empty_set_knows_nothing() {
    let rules = RuleSet::default();
    assert!(rules.is_empty() && rules.apps().is_empty());
    let ends = anywhere();
    assert_eq!(rules.by_ends(&ends), None);
    assert_eq!(rules.by_host(&ends, AppId::TLS, b"example.com"), None);
    assert_eq!(rules.by_url(&ends, b"", b"/"), None);
    assert_eq!(rules.by_ja4(&ends, b"", b""), None);
    assert_eq!(rules.by_payload(&view(Transport::Tcp, Direction::ToServer, 0, b"GET /")), None);
    assert_eq!(rules.listed_host(b"example.com"), None);
    assert_eq!(rules.listed_address(address("192.0.2.1")), None);
    assert_eq!(rules.app(AppId::TLS), ("TLS", Category::Web));
    assert_eq!(rules.app(AppId(4000)).0, "Unknown");
}
