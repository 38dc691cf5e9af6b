use super::*;

fn read(text: &str) -> (RuleSet, Vec<String>) {
    let mut compiler = Compiler::new();
    compiler.read_protos("protos.txt", text.as_bytes());
    let (rules, warnings) = compiler.finish().unwrap();
    (rules, warnings.iter().map(ToString::to_string).collect())
}

#[test]
fn what_can_be_read_of_a_file_is() {
    let (rules, warnings) = read(
        "# a comment\r\n\
         \r\n\
         tcp:81,tcp:8181@HTTP\r\n\
         udp:5061-5062@SIP\n\
         host:\"example.com\",host:\"*.example.net\",host:\".example.org\"@Ours\n\
         ip:203.0.113.11/32:443@Custom Protocol\n\
         ip:198.51.100.0/24@Network\n\
         ipv6:[2001:db8:1::]/48:100@Sixth\n\
         ipv6:[2001:db8:2::1]@Sixth\n\
         ja4:t13d1516h2_8daaf6152771_b186095e22b6@Agent\n",
    );
    assert_eq!(warnings, [""; 0]);
    let names: Vec<_> = rules.apps().iter().map(|app| &*app.name).collect();
    assert_eq!(names, ["Ours", "Custom_Protocol", "Network", "Sixth", "Agent"]);
    let (tcp, udp) = (Some(Transport::Tcp), Some(Transport::Udp));
    for (transport, server, app) in [
        (tcp, ("192.0.2.1", 81), Some("HTTP")),
        (udp, ("192.0.2.1", 81), None),
        (udp, ("192.0.2.1", 5062), Some("SIP")),
        (tcp, ("203.0.113.11", 443), Some("Custom_Protocol")),
        (tcp, ("203.0.113.11", 444), None),
        (tcp, ("198.51.100.7", 444), Some("Network")),
        (udp, ("2001:db8:1::7", 100), Some("Sixth")),
        (udp, ("2001:db8:1::7", 101), None),
        (None, ("2001:db8:2::1", 0), Some("Sixth")),
    ] {
        let client = if server.0.contains(':') { "2001:db8::1" } else { "192.0.2.9" };
        let flow = ends(transport, (client, 50_000), server);
        assert_eq!(name(&rules, rules.by_ends(&flow)), app, "{server:?}");
    }
    // Addresses are of either end, as in nDPI.
    let turned = ends(tcp, ("203.0.113.11", 443), ("192.0.2.9", 50_000));
    assert_eq!(name(&rules, rules.by_ends(&turned)), Some("Custom_Protocol"));
    for (host, app) in [
        ("www.example.com", Some("Ours")),
        ("example.net", None),
        ("a.example.net", Some("Ours")),
        ("example.org", Some("Ours")),
    ] {
        let found = rules.by_host(&anywhere(), AppId::TLS, host.as_bytes());
        assert_eq!(name(&rules, found), app, "{host}");
    }
    let ja4 = rules.by_ja4(&anywhere(), b"t13d1516h2_8daaf6152771_b186095e22b6", b"").unwrap();
    let about = rules.describe(ja4.rule).unwrap();
    assert_eq!((about.file, about.line), ("protos.txt", 10));
}

#[test]
fn what_is_left_out_is_told_and_the_rest_loads() {
    let cases = [
        (
            "nbpf:\"host 192.0.2.1, and port 80\",tcp:1@Router",
            "1: \"nbpf:",
            "nBPF filters are not",
            1,
        ),
        ("tcp:1@Ours=800", "7: the number \"800\" is of no use here", "", 1),
        ("tcp:70000,tcp:2@Ours", "1: \"tcp:70000\" is left out: it is no port", "", 1),
        ("tcp:2,sctp:1@Ours", "7: \"sctp:1\" is left out: its kind is unknown", "", 1),
        ("tcp@Ours", "1: \"tcp\" is left out: it has no kind", "", 0),
        ("ip:www.example.com@Ours", "1: \"ip:www.example.com\" is left out: a name would", "", 0),
        ("ip:1.2.3@Ours", "1: \"ip:1.2.3\" is left out: it is no address", "", 0),
        ("ipv6:[2001:db8::1@Ours", "1: \"ipv6:[2001:db8::1\" is left out: it is no address", "", 0),
        ("ja4:abc@Ours", "1: \"ja4:abc\" is left out: it is no JA4", "", 0),
        ("host:\"a b\"@Ours", "1: \"host:\\\"a b\\\"\" is left out: is no host name", "", 0),
        ("tcp:1@", "7: \"\" is no name of an application", "", 0),
        ("ip_risk_mask:192.0.2.0/24=0", "1: the line is left out: masks of risks", "", 0),
        ("trusted_issuer_dn:\"CN=x\"", "1: the line is left out: trusted issuers", "", 0),
        ("% something", "1: the line is left out: lines that begin with %", "", 0),
        ("nonsense", "1: the line is left out: there is no @ and no name", "", 0),
    ];
    for (line, place, why, rules_left) in cases {
        let (rules, warnings) = read(&format!("{line}\nudp:9@Last\n"));
        let [warning] = warnings.as_slice() else { panic!("{line}: {warnings:#?}") };
        assert!(warning.starts_with(&format!("protos.txt:1:{place}")), "{line}: {warning}");
        assert!(warning.contains(why), "{line}: {warning}");
        assert_eq!(rules.len(), rules_left + 1, "{line}");
    }
}

#[test]
fn both_formats_share_their_applications() {
    let mut compiler = Compiler::new();
    compiler.read("own.rules", b"app Ours category Cloud breed safe\n");
    compiler.read_protos("protos.txt", b"tcp:1@OURS\n");
    let (rules, warnings) = compiler.finish().unwrap();
    assert!(warnings.is_empty());
    assert_eq!(rules.apps().len(), 1);
    let flow = ends(Some(Transport::Tcp), ("192.0.2.1", 9), ("192.0.2.2", 1));
    let found = rules.by_ends(&flow).unwrap();
    assert_eq!(rules.app(found.app), ("Ours", Category::Cloud));
}
