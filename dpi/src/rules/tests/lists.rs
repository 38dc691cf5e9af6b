use proptest::prelude::*;

use super::*;
use crate::risk::{Risk, Risks};

#[test]
fn every_format_of_names_is_recognised_by_line() {
    let text = "\u{feff}# a hosts file\n\
        0.0.0.0 one.example # why\n\
        127.0.0.1\ttwo.example three.example\r\n\
        ::1 localhost ip6-localhost localhost.localdomain\n\
        0.0.0.0 0.0.0.0\n\
        ! of AdBlock\n\
        [Adblock Plus 2.0]\n\
        ||four.example^\n\
        ||five.example^$important\n\
        // plain\n\
        Six.Example.\n\
        *.seven.example\n\
        .fail\n\
        eight.example\t100\n\
        nine.example ; another comment\n\
        one.example\n\
        example.com##.advert\n\
        @@||ten.example^\n\
        ||eleven.example^$third-party\n\
        ||twelve.example/path^\n\
        word\n\
        192.0.2.1\n\
        two words.example\n\
        a..example\n\
        *thirteen.example\n\
        exämple.example\n";
    let list = DomainList::new(owned(text));
    let left = Left { lines: 10, first: 17, lost: 0 };
    assert_eq!((list.len(), list.doubled(), list.left()), (10, 1, left));
    for host in [
        "one.example",
        "www.one.example",
        "TWO.example",
        "three.example",
        "four.example",
        "five.example",
        "six.example",
        "a.six.example",
        "seven.example",
        "x.seven.example",
        "fail",
        "x.fail",
        "eight.example",
        "nine.example",
    ] {
        assert!(list.find(host.as_bytes()).is_some(), "{host}");
    }
    for host in [
        "",
        ".",
        "example",
        "xone.example",
        "one.example.com",
        "ten.example",
        "eleven.example",
        "twelve.example",
        "word",
        "localhost",
        "example.com",
        "0.0.0.0",
        "thirteen.example",
        "localhost.localdomain",
    ] {
        assert_eq!(list.find(host.as_bytes()), None, "{host}");
    }
    assert_eq!(list.find(b"a.b.six.example"), Some(&b"Six.Example"[..]));
}

#[test]
fn addresses_and_networks_are_ranges() {
    let list = AddressList::new(
        b"192.0.2.1\n192.0.2.2,seen\n198.51.100.0/24 ; why\n[2001:db8::]/32\n2001:db9::1\n\
          198.51.100.128/25\nname.example\n255.255.255.255\n0.0.0.0\n",
    );
    assert_eq!((list.len(), list.left().lines, list.left().first), (8, 1, 7));
    for (text, on) in [
        ("192.0.2.0", false),
        ("192.0.2.1", true),
        ("192.0.2.2", true),
        ("192.0.2.3", false),
        ("198.51.99.255", false),
        ("198.51.100.0", true),
        ("198.51.100.255", true),
        ("198.51.101.0", false),
        ("2001:db8:ffff::", true),
        ("2001:db9::1", true),
        ("2001:db9::2", false),
        ("255.255.255.255", true),
        ("0.0.0.0", true),
        ("0.0.0.1", false),
        ("::", false),
    ] {
        assert_eq!(list.covers(address(text)), on, "{text}");
    }
    let all = AddressList::new(b"::/0\n");
    assert!(all.covers(address("192.0.2.1")) && all.covers(address("::")));
    let all4 = AddressList::new(b"0.0.0.0/0\n");
    assert!(all4.covers(address("255.255.255.255")) && !all4.covers(address("::")));
}

#[test]
fn fingerprints_are_found_in_any_field() {
    let sha1 = "0102030405060708090a0b0c0d0e0f1011121314";
    let list = FingerprintList::new(
        format!(
            "# when,hash,why\n2022-07-02 07:02:11,{},Malware\n\
             t13d1516h2_8daaf6152771_b186095e22b6\nb386946a5a44d1ddcc843bc75336dfce,x\n{}:FF\n",
            sha1.to_uppercase(),
            ["ff"; 31].join(":"),
        )
        .as_bytes(),
    );
    assert_eq!((list.len(), list.left().lines, list.left().first), (3, 1, 4));
    let mut hash = [0; 20];
    hash.iter_mut().zip(1..).for_each(|(byte, value)| *byte = value);
    assert!(list.has(Fingerprint::Sha1(&hash)) && !list.has(Fingerprint::Sha1(&[0; 20])));
    assert!(list.has(Fingerprint::Sha256(&[0xff; 32])) && !list.has(Fingerprint::Sha256(&[0; 32])));
    assert!(list.has(Fingerprint::Ja4(b"t13d1516h2_8daaf6152771_b186095e22b6")));
    assert!(!list.has(Fingerprint::Ja4(b"")));
}

#[test]
fn lists_set_risks_and_categories() {
    let mut compiler = Compiler::new();
    compiler.read(
        "test.rules",
        b"list malware domains \"a.txt\" category Malware\n\
          list tlds domains \"b.txt\" risk risky_domain\n\
          list play domains \"c.txt\" risk none category Game\n\
          list bad addresses \"d.txt\"\n\
          list tools fingerprints \"e.txt\"\n",
    );
    let wanted: Vec<_> = compiler.wanted().to_vec();
    assert_eq!(wanted.len(), 5);
    for wanted in wanted {
        let text = match wanted.file.as_str() {
            "a.txt" => "bad.fail\n",
            "b.txt" => ".fail\n",
            "c.txt" => "play.example\nwhat is this\n",
            "d.txt" => "203.0.113.7\n",
            _ => "t13d1516h2_8daaf6152771_b186095e22b6\n",
        };
        compiler.supply(wanted.number, owned(text));
    }
    let (rules, warnings) = compiler.finish().unwrap();
    let warnings: Vec<_> = warnings.iter().map(ToString::to_string).collect();
    assert_eq!(
        warnings,
        ["c.txt:2: 1 lines are left out as unknown, this one first; \
          expected a name, a line of a hosts file, or ||name^"]
    );
    let risks = |all: &[Risk]| {
        let mut risks = Risks::NONE;
        for risk in all {
            risks.set(*risk);
        }
        risks
    };
    let hit = |list, of: &[Risk], category| Some(ListHit { list, risks: risks(of), category });
    let (malware, game) = (Some(Category::Malware), Some(Category::Game));
    let both = &[Risk::ListedHost, Risk::RiskyDomain];
    assert_eq!(rules.listed_host(b"www.bad.fail"), hit(0, both, malware));
    assert_eq!(rules.listed_host(b"other.fail"), hit(1, &[Risk::RiskyDomain], None));
    assert_eq!(rules.listed_host(b"play.example"), hit(2, &[], game));
    assert_eq!(rules.listed_host(b"good.example"), None);
    let listed = rules.listed_address(address("203.0.113.7"));
    assert_eq!(listed, hit(3, &[Risk::ListedAddress], None));
    assert_eq!(rules.listed_address(address("203.0.113.8")), None);
    let ja4 = Fingerprint::Ja4(b"t13d1516h2_8daaf6152771_b186095e22b6");
    assert_eq!(rules.listed_fingerprint(ja4), hit(4, &[Risk::ListedFingerprint], None));
    assert_eq!(rules.list_name(1), Some("tlds"));
    assert!(rules.list_name(5).is_none() && !rules.is_empty());
}

#[test]
fn a_list_that_is_not_given_is_an_error_and_an_empty_one_a_warning() {
    let text = b"list a domains \"a.txt\"\nlist b domains \"b.txt\"\nlist b domains \"c.txt\"\n";
    let mut compiler = Compiler::new();
    compiler.read("test.rules", text);
    compiler.refuse(0, &"no such file");
    let errors: Vec<_> = compiler.finish().unwrap_err().iter().map(ToString::to_string).collect();
    assert_eq!(
        errors,
        [
            "test.rules:3:6: a second list with the name b; expected another name",
            "test.rules:1: \"a.txt\" cannot be read: no such file",
            "test.rules:2: \"b.txt\" was not read",
        ]
    );
    let mut compiler = Compiler::new();
    compiler.read("test.rules", b"list a addresses \"a.txt\"\n");
    compiler.supply(0, owned("# nothing\n"));
    compiler.supply(1, owned("of no list"));
    let (_, warnings) = compiler.finish().unwrap();
    assert_eq!(warnings[0].to_string(), "test.rules:1: list a is empty");
}

/// A name as one of the ways to write it in a list.
fn written(name: &str, way: u8) -> String {
    match way {
        0 => name.to_owned(),
        1 => format!("0.0.0.0 {name}"),
        2 => format!("||{name}^"),
        3 => format!("*.{name}"),
        4 => format!("{}.  # why", name.to_uppercase()),
        _ => format!("{name}\t100"),
    }
}

proptest! {
    #[test]
    fn names_equal_their_plain_twin(
        names in prop::collection::vec(("([ab]{1,2}\\.){1,3}[ab]{1,2}", 0u8..6), 0..60),
        hosts in prop::collection::vec("([abA]{1,2}\\.){0,4}[ab]{0,2}", 1..60),
    ) {
        let lines: Vec<_> = names.iter().map(|(name, way)| written(name, *way)).collect();
        let list = DomainList::new(owned(&lines.join("\n")));
        prop_assert_eq!(list.left(), Left::default());
        for host in hosts {
            let lower = host.to_ascii_lowercase();
            let fits = |name: &str| lower == name || lower.ends_with(&format!(".{name}"));
            let above = names.iter().map(|(name, _)| name).filter(|name| fits(name));
            let slowly = above.max_by_key(|name| name.len()).cloned();
            let found = list.find(host.as_bytes());
            let found = found.map(|name| String::from_utf8_lossy(name).to_ascii_lowercase());
            prop_assert_eq!(found, slowly, "{}", host);
        }
    }

    #[test]
    fn addresses_equal_their_plain_twin(
        networks in prop::collection::vec((any::<[u8; 2]>(), 16u8..=32), 0..60),
        addresses in prop::collection::vec(any::<[u8; 2]>(), 1..60),
    ) {
        let lines: Vec<_> =
            networks.iter().map(|([a, b], bits)| format!("10.0.{a}.{b}/{bits}\n")).collect();
        let list = AddressList::new(lines.concat().as_bytes());
        for [a, b] in addresses {
            let number = u32::from_be_bytes([10, 0, a, b]);
            let slowly = networks.iter().any(|([a, b], bits)| {
                let network = u32::from_be_bytes([10, 0, *a, *b]);
                (network ^ number).leading_zeros() >= u32::from(*bits)
            });
            prop_assert_eq!(list.covers(address(&format!("10.0.{a}.{b}"))), slowly);
        }
    }
}
