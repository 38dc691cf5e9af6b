//! `docs/RULES.md`, whose examples are what they say.

use super::*;

const PAGE: &str = include_str!("../../../../docs/RULES.md");

/// The blocks of the page: what they are, and their text.
fn blocks() -> Vec<(&'static str, &'static str)> {
    let mut blocks = Vec::new();
    let mut parts = PAGE.split("\n```");
    parts.next();
    while let Some(block) = parts.next() {
        blocks.push(block.split_once('\n').unwrap());
        parts.next();
    }
    blocks
}

/// The texts of the blocks of one kind.
fn of(kind: &str) -> Vec<&'static str> {
    let found: Vec<_> = blocks().iter().filter(|b| b.0 == kind).map(|b| b.1).collect();
    assert!(!found.is_empty(), "{kind}");
    found
}

fn with_lists(text: &str) -> RuleSet {
    let mut compiler = Compiler::new();
    compiler.read("RULES.md", text.as_bytes());
    for wanted in compiler.wanted().to_vec() {
        let text = match wanted.kind {
            ListKind::Domains => "bad.example",
            ListKind::Addresses => "203.0.113.7",
            ListKind::Fingerprints => "t13d1516h2_8daaf6152771_b186095e22b6",
        };
        compiler.supply(wanted.number, owned(text));
    }
    let (rules, warnings) = compiler.finish().unwrap_or_else(|errors| panic!("{errors:#?}"));
    assert!(warnings.is_empty(), "{warnings:?}");
    rules
}

#[test]
fn the_rules_are_rules() {
    let all = of("rules");
    assert_eq!(all.len(), 4);
    for text in all {
        assert!(!with_lists(text).is_empty());
    }
}

#[test]
fn the_matches_match() {
    let blocks = blocks();
    let mut lines = 0;
    for pair in blocks.windows(2).filter(|pair| pair[1].0 == "matches") {
        let rules = with_lists(pair[0].1);
        for line in pair[1].1.lines() {
            let (asked, expected) = line.split_once("->").unwrap();
            let (kind, what) = asked.trim().split_once(' ').unwrap();
            let found = if kind == "host" {
                rules.by_host(&anywhere(), AppId::TLS, what.as_bytes())
            } else {
                let transport = if kind == "tcp" { Transport::Tcp } else { Transport::Udp };
                let (server, port) = what.rsplit_once(':').unwrap();
                let server = (server, port.parse().unwrap());
                rules.by_ends(&ends(Some(transport), ("192.0.2.9", 50_000), server))
            };
            assert_eq!(name(&rules, found).unwrap_or("nothing"), expected.trim(), "{line}");
            lines += 1;
        }
    }
    assert!(lines >= 12);
}

#[test]
fn the_errors_are_errors() {
    for text in of("errors") {
        let lines: Vec<_> = text.lines().collect();
        for pair in lines.chunks(2) {
            let expected = format!("test.rules:1:{}", pair[1].trim());
            assert_eq!(errors(pair[0].as_bytes()), [expected]);
        }
    }
}

#[test]
fn the_lists_are_lists() {
    for text in of("domains") {
        let list = DomainList::new(owned(text));
        assert_eq!((list.len(), list.left()), (7, Left::default()));
    }
    for text in of("addresses") {
        let list = AddressList::new(text.as_bytes());
        assert_eq!((list.len(), list.left()), (4, Left::default()));
    }
    for text in of("fingerprints") {
        let list = FingerprintList::new(text.as_bytes());
        assert_eq!((list.len(), list.left()), (2, Left::default()));
    }
}

#[test]
fn the_protos_are_protos() {
    for text in of("protos") {
        let mut compiler = Compiler::new();
        compiler.read_protos("RULES.md", text.as_bytes());
        let (rules, warnings) = compiler.finish().unwrap();
        assert!(warnings.is_empty(), "{warnings:?}");
        assert_eq!(rules.len(), 8);
    }
}

#[test]
fn the_limits_are_the_limits() {
    for limit in [MOST_RULES, usize::from(MOST_CUSTOM), MOST_LISTS] {
        let digits = limit.to_string();
        let spaced = match digits.len() {
            7 => format!("{} {} {}", &digits[..1], &digits[1..4], &digits[4..]),
            _ => digits,
        };
        assert!(PAGE.contains(&format!("| {spaced} |")), "{spaced}");
    }
    let (first, last) = (FIRST_CUSTOM, FIRST_CUSTOM + MOST_CUSTOM - 1);
    assert!(PAGE.contains(&format!("{first} to {last}")));
}
