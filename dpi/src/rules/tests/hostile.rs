//! Text that nobody should write, and traffic that wants to cost.

use proptest::prelude::*;

use super::*;

/// Bytes that look random and are the same every time.
fn garbage(bytes: usize) -> Vec<u8> {
    let mut state = 0x9E37_79B9_7F4A_7C15u64;
    let mut next = || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        state.to_be_bytes()[0]
    };
    (0..bytes).map(|_| next()).collect()
}

/// Everything that reads text, with the same text.
fn read_all(text: &[u8]) {
    let mut compiler = Compiler::new();
    compiler.read("garbage", text);
    if let Err(errors) = compiler.finish() {
        assert!(errors.len() <= 101);
        assert!(errors.iter().all(|error| error.to_string().len() < 1000));
    }
    let mut compiler = Compiler::new();
    compiler.read_protos("garbage", text);
    let (_, warnings) = compiler.finish().unwrap();
    assert!(warnings.len() <= 101);
    let owner: Text = Arc::new(text.to_vec());
    let list = DomainList::new(owner);
    let _ = list.find(text.get(..300).unwrap_or(text));
    AddressList::new(text);
    FingerprintList::new(text);
}

#[test]
fn ten_megabytes_of_anything_are_read_without_harm() {
    const BYTES: usize = 10 << 20;
    read_all(&garbage(BYTES));
    read_all(&vec![b'a'; BYTES]);
    read_all(&vec![0; BYTES]);
    read_all(&vec![b'\n'; BYTES]);
    read_all(&vec![b','; BYTES]);
    read_all(&b"||".repeat(BYTES / 2));
    read_all(&b"a.".repeat(BYTES / 2));
    read_all(&b"0.0.0.0 ".repeat(BYTES / 8));
    read_all(&b"tcp:1,".repeat(BYTES / 6));
}

#[test]
fn a_text_that_changes_under_the_list_does_no_harm() {
    struct Changing(std::sync::atomic::AtomicBool);
    impl AsRef<[u8]> for Changing {
        fn as_ref(&self) -> &[u8] {
            if self.0.swap(true, std::sync::atomic::Ordering::Relaxed) { b"" } else { b"a.example" }
        }
    }
    let list = DomainList::new(Arc::new(Changing(false.into())));
    assert_eq!(list.find(b"a.example"), None);
}

#[test]
fn the_same_name_in_other_letters_is_one_name() {
    let ways: Vec<_> = (0..200u32)
        .map(|way| {
            let letter = |at: u32| if way >> at & 1 == 1 { 'A' } else { 'a' };
            (0..8).map(letter).chain(".example".chars()).collect::<String>()
        })
        .collect();
    let list = DomainList::new(owned(&ways.join("\n")));
    assert_eq!((list.len(), list.doubled(), list.left().lost), (1, 199, 0));
}

#[test]
fn traffic_made_to_fit_nearly_stays_cheap() {
    // All of one group, found everywhere, and held back by their ports.
    let lines = (0..64).map(|at| {
        let letters = "a".repeat(3 + at);
        format!(
            "url *{letters}*aab* and port {at} -> TLS\n\
             bytes any contains \"{letters}\" within 2048 and port {at} -> TLS\n"
        )
    });
    let text: String = lines.collect();
    let rules = rules(&text);
    let nearly = vec![b'a'; 64 * 1024];
    for _ in 0..100 {
        assert_eq!(rules.by_url(&anywhere(), &nearly, &nearly), None);
        assert_eq!(rules.by_payload(&view(Transport::Tcp, Direction::ToServer, 0, &nearly)), None);
        assert_eq!(rules.by_host(&anywhere(), AppId::TLS, &nearly), None);
        assert_eq!(rules.by_ja4(&anywhere(), &nearly, &nearly), None);
    }
}

fn word() -> impl Strategy<Value = String> {
    let words = [
        "app",
        "list",
        "host",
        "sni",
        "url",
        "address",
        "prefix",
        "port",
        "ja4",
        "bytes",
        "client",
        "either",
        "and",
        "->",
        "TLS",
        "category",
        "Web",
        "breed",
        "safe",
        "tcp",
        "any",
        "offset",
        "contains",
        "within",
        "packet",
        "from",
        "server",
        "hex",
        "0",
        "7",
        "1-3",
        "\"abc\"",
        "\"",
        "\\",
        "*.a.example",
        "=a",
        "/a*",
        "192.0.2.1",
        "192.0.2.0/24",
        "::/0",
        "tcp/80",
        "#",
        "@",
        "tcp:1",
        "host:\"a\"",
        "ip:1.2.3.4:5",
        ",",
        "domains",
        "risk",
        "none",
        "deadbeef",
        "é",
        "t13d1516h2_8daaf6152771_b186095e22b6",
    ];
    prop_oneof![9 => prop::sample::select(words.to_vec()).prop_map(str::to_owned), 1 => "\\PC{0,9}"]
}

proptest! {
    #[test]
    fn any_line_of_words_is_safe(words in prop::collection::vec(word(), 0..12), tight in any::<bool>()) {
        read_all(words.join(if tight { "" } else { " " }).as_bytes());
    }

    #[test]
    fn any_bytes_are_safe(text in prop::collection::vec(any::<u8>(), 0..300)) {
        read_all(&text);
    }

    #[test]
    fn any_traffic_is_safe(data in prop::collection::vec(any::<u8>(), 0..300)) {
        let rules = rules(
            "host *.a.example -> TLS\nhost a*.example -> TLS\nurl /a*b*c -> TLS\n\
             bytes any contains \"abc\" -> TLS\nbytes any offset 3 hex 00 -> TLS\n",
        );
        let _ = rules.by_host(&anywhere(), AppId::TLS, &data);
        let _ = rules.by_url(&anywhere(), &data, &data);
        let _ = rules.by_ja4(&anywhere(), &data, &data);
        let _ = rules.by_payload(&view(Transport::Udp, Direction::ToClient, 255, &data));
    }
}
