use super::*;

/// A line, and the place and the message of its only error.
const WRONG: &[(&str, &str)] = &[
    ("hots example.com -> TLS", "1: \"hots\" here; expected app, list, host"),
    ("\"host\" example.com -> TLS", "1: \"host\" here; expected app, list, host"),
    ("-> TLS", "1: \"->\" here; expected app, list, host"),
    ("host", "5: the line ends here; expected a host name"),
    ("host example.com", "17: the line ends here; expected and, or -> and an application"),
    ("host example.com =>", "18: \"=>\" here; expected and, or ->"),
    ("host example.com ->", "20: the line ends here; expected the name of an application"),
    ("host example.com and", "21: the line ends here; expected app, list, host"),
    ("host example.com -> Nothing", "21: no such application, \"Nothing\"; expected a known one"),
    (
        "host example.com -> TLS category Web",
        "21: \"TLS\" has a category already, or a breed, and another one",
    ),
    ("host example.com -> A.B category Web", "21: \"A.B\" is no name of an application"),
    ("host example.com -> \"\" category Web", "21: \"\" is no name of an application"),
    ("host example.com -> Unknown", "21: \"Unknown\" says nothing"),
    (
        "host example.com -> A category Clud",
        "32: no such category, \"Clud\"; expected one of Unspec",
    ),
    ("host example.com -> A category", "31: the line ends here; expected a category"),
    ("host example.com -> A breed good", "29: no such breed, \"good\"; expected one of unrated"),
    ("host example.com -> A category Web more", "36: \"more\" here; expected category, breed"),
    ("host a..example -> TLS", "6: \"a..example\" is no host name"),
    ("host *.*.*.*.*.example -> TLS", "6: \"*.*.*.*.*.example\" has too many stars"),
    ("host =*.example -> TLS", "6: \"=*.example\" has too many stars"),
    ("host exam* -> TLS", "6: \"exam*\" has a star in its last label"),
    ("host exämple.com -> TLS", "6: \"ex\\xc3\\xa4mple.com\" has letters beyond ASCII"),
    ("url path -> TLS", "5: \"path\" begins with neither / nor *"),
    ("url ** -> TLS", "5: \"**\" fits every path"),
    ("url /*a*b*c*d*e -> TLS", "5: \"/*a*b*c*d*e\" has too many stars"),
    ("address 192.0.2.300 -> TLS", "9: \"192.0.2.300\" is no address"),
    ("address 192.0.2.0/24 -> TLS", "9: \"192.0.2.0/24\" is a prefix; expected one address"),
    ("prefix 192.0.2.0 -> TLS", "8: \"192.0.2.0\" has no length"),
    ("prefix 192.0.2.0/33 -> TLS", "8: \"192.0.2.0/33\" has no sane length"),
    (
        "prefix 192.0.2.7/24 -> TLS",
        "8: \"192.0.2.7/24\" has bits beyond its length; expected 192.0.2.0/24",
    ),
    (
        "prefix 2001:db8::1/32 -> TLS",
        "8: \"2001:db8::1/32\" has bits beyond its length; expected 2001:db8::/32",
    ),
    ("port tcp/99999 -> TLS", "6: \"tcp/99999\" is no port"),
    ("port sctp/99 -> TLS", "6: \"sctp/99\" is no port"),
    ("port tcp/9-8 -> TLS", "6: \"tcp/9-8\" ends before it begins"),
    ("client host a.example -> TLS", "8: \"host\" here; expected address, prefix or port"),
    ("ja4 t13d1516h2_8daaf6152771 -> TLS", "5: \"t13d1516h2_8daaf6152771\" is no JA4"),
    ("bytes sctp offset 0 \"x\" -> TLS", "7: \"sctp\" here; expected tcp, udp or any"),
    ("bytes tcp from here offset 0 \"x\" -> TLS", "16: \"here\" here; expected client or server"),
    ("bytes tcp packet 0 offset 0 \"x\" -> TLS", "18: \"0\" is no packet's number"),
    ("bytes tcp at 0 \"x\" -> TLS", "11: \"at\" here; expected from, packet"),
    (
        "bytes tcp offset 2048 \"x\" -> TLS",
        "18: \"2048\" is no such number; expected an offset, 0 to",
    ),
    ("bytes tcp offset 2047 \"xy\" -> TLS", "23: 2 bytes that cannot be there"),
    ("bytes tcp offset 0 \"\" -> TLS", "20: 0 bytes that cannot be there"),
    ("bytes tcp offset 0 x -> TLS", "20: \"x\" here; expected text in quotation marks"),
    ("bytes tcp offset 0 hex abc -> TLS", "24: \"abc\" are no bytes; expected an even number"),
    ("bytes tcp contains \"ab\" -> TLS", "20: too little to look for everywhere"),
    ("bytes tcp contains \"abc\" within 2 -> TLS", "20: 3 bytes that cannot be there"),
    ("bytes tcp contains \"abc\" within 0 -> TLS", "33: \"0\" is no such number"),
    ("bytes tcp offset 0 \"a\\q\" -> TLS", "22: an unknown escape; expected one of"),
    ("bytes tcp offset 0 \"a -> TLS", "20: a quotation mark that is never closed"),
    ("bytes tcp offset 0 \"a\"b -> TLS", "23: something right behind a quotation mark"),
    (
        "host a.example and host b.example -> TLS",
        "20: a second host name; expected a rule about one",
    ),
    ("url /a and url /b -> TLS", "12: a second path"),
    (
        "host a.example and bytes tcp offset 0 \"x\" -> TLS",
        "20: conditions that are not known at the",
    ),
    ("sni a.example and url /a -> TLS", "19: a path is never seen where there is an sni"),
    (
        "bytes any contains \"abc\" and bytes any contains \"def\" -> TLS",
        "30: a second \"contains\"",
    ),
    (
        "port 1 and port 1 and port 1 and port 1 and port 1 and port 1 and port 1 and port 1 and port 1 -> TLS",
        "89: another condition; expected at most 8",
    ),
    ("app TLS category Web", "5: \"TLS\" is an application that Weir knows"),
    ("app", "4: the line ends here; expected the name"),
    (
        "app 012345678901234567890123456789012",
        "5: \"012345678901234567890123456789012\" is no name",
    ),
    ("list", "5: the line ends here; expected a name for the list"),
    ("list a/b domains \"x\"", "6: \"a/b\" is no name of a list"),
    ("list bad hosts \"x\"", "10: no such kind of list, \"hosts\""),
    ("list bad domains x", "18: \"x\" here; expected a file's name in quotation marks"),
    ("list bad domains \"x\" risk bad", "27: no such risk, \"bad\"; expected listed_host"),
    ("list bad domains \"x\" category Web risk none", "35: \"risk\" here; expected risk, category"),
];

#[test]
fn every_error_names_its_place_and_what_is_expected() {
    for (line, expected) in WRONG {
        let found = errors(format!("# a comment\n\n  \n{line}\nport 1 -> TLS # fine\n").as_bytes());
        let [found] = found.as_slice() else { panic!("{line}: {found:#?}") };
        let expected = format!("test.rules:4:{expected}");
        assert!(found.starts_with(&expected), "{line}\n{found}\n{expected}");
    }
}

#[test]
fn what_is_no_text_is_an_error_with_its_place() {
    for (text, expected) in [
        (&b"host a.example\xff -> TLS"[..], "1:15: this is not text; expected UTF-8"),
        (b"\nhost \0 -> TLS", "2:6: a control character, 0x00; expected text"),
        (&[b'x'; 5000], "1: the line has 5000 bytes; expected at most 4096"),
    ] {
        assert_eq!(errors(text), [format!("test.rules:{expected}")]);
    }
    assert_eq!(errors(b"\xef\xbb\xbfport 1 -> TLS\r\n"), [""; 0]);
}

#[test]
fn all_errors_are_told_up_to_a_limit() {
    let found = errors("wrong\n".repeat(1000).as_bytes());
    assert_eq!(found.len(), 100);
    assert!(found[99].starts_with("test.rules:100:1: "));
}

#[test]
fn names_are_declared_once_and_before_or_after_their_use() {
    let rules = rules("host a.example -> Ours\napp Ours category Cloud\nhost b.example -> ours\n");
    assert_eq!(rules.apps().len(), 1);
    let twice = "app Ours category Cloud\napp OURS category Web\n";
    assert_eq!(
        errors(twice.as_bytes()),
        ["test.rules:2:5: \"OURS\" has been declared already; \
          expected another name, or no such line"]
    );
    let other = "host a.example -> A category Web\nhost b.example -> A category Cloud\n";
    assert_eq!(errors(other.as_bytes()).len(), 1);
    let same = "host a.example -> A category Web\nhost b.example -> A category Web\n";
    assert_eq!(errors(same.as_bytes()), [""; 0]);
}

#[test]
fn limits_are_errors() {
    let apps: Vec<_> = (0..257).map(|at| format!("app A{at} category Web")).collect();
    assert_eq!(errors(apps[..256].join("\n").as_bytes()), [""; 0]);
    assert_eq!(
        errors(apps.join("\n").as_bytes()),
        ["test.rules:257:5: too many applications; expected at most 256"]
    );
    let many = |line: &dyn Fn(usize) -> String, count: usize| {
        errors((0..count).map(line).collect::<Vec<_>>().join("\n").as_bytes())
    };
    let cases: [(&dyn Fn(usize) -> String, &str); 6] = [
        (&|at| format!("prefix 10.0.0.0/8 and port {at} -> TLS"), "with the same prefix or port"),
        (&|at| format!("port 5000-{} -> TLS", 6000 + at), "with the same prefix or port"),
        (&|at| format!("host a.example and port {at} -> TLS"), "with the same host name"),
        (&|at| format!("url /ab and port {at} -> TLS"), "with much the same path"),
        (&|at| format!("bytes tcp offset 0 \"abc\" and port {at} -> TLS"), "with the same bytes"),
        (&|at| format!("bytes tcp offset {at} \"abc\" -> TLS"), "offsets of bytes"),
    ];
    for (line, expected) in cases {
        assert_eq!(many(line, 64), [""; 0], "{expected}");
        let found = many(line, 65);
        assert!(found.len() == 1 && found[0].contains(expected), "{found:?}");
        assert!(found[0].starts_with("test.rules:") && !found[0].starts_with("test.rules:0"));
    }
    let lists = |count| many(&|at| format!("list l{at} domains \"x\""), count);
    assert!(lists(65).iter().any(|error| error.contains("too many lists; expected at most 64")));
    assert!(lists(64).iter().all(|error| error.contains("\"x\" was not read")));
}
