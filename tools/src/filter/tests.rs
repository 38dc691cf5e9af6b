//! What the filter language promises.

use proptest::prelude::*;
use weir_dpi::attr;
use weir_shm::flow::FlowSnapshot;

use super::ast::{Expr, Item, Network, Op, Value};
use super::*;
use crate::field::{FIELDS, Field, Kind};
use crate::flow::Flow;
use crate::flow::tests::{encode, sample};
use crate::names;

/// Whether the sample flow (10.0.0.2:40000 → 10.0.0.1:443, TLS to a.example) passes.
fn passes(text: &str) -> bool {
    let slot = sample();
    let meta = [
        encode(&attr::HOST_NAME, b"a.example"),
        encode(&attr::TLS_SNI, b"A.Example"),
        encode(&attr::DNS_ANSWER, &crate::flow::from_ip("192.0.2.9".parse().unwrap())),
    ]
    .concat();
    let flow = Flow::decode(&slot, 2, &meta);
    let filter = Filter::parse(text).unwrap_or_else(|error| panic!("{error}"));
    filter.accepts(&Seen { flow: &flow, now_ns: 20_000_000_000 })
}

#[test]
fn conditions_that_hold_and_their_opposites() {
    let hold = [
        r#"app == "TLS" and host ~ "example" and bytes > 1KB"#,
        "app == tls",
        "master == TLS",
        "category == web",
        "src == 10.0.0.2",
        "src in 10.0.0.0/8",
        "src in ::ffff:10.0.0.0/104",
        "ip in {192.168.0.0/16, 10.0.0.1}",
        "dst != 10.0.0.2",
        "port == 443",
        "sport in 40000..40010",
        "dport in {80, 443, 8000..8100}",
        "l4 == tcp",
        "vlan == 7",
        "bytes == 31500",
        "bytes >= 31.5KB",
        "packets < 31",
        "duration <= 2s",
        "idle > 7999ms",
        "rate > 100Kbit",
        "confidence >= hostname",
        "confidence in {content, certificate}",
        "tls.sni ~ EXAMPLE",
        "dns.answers in 192.0.2.0/24",
        "tls.sni",
        "not tunnel",
        "flags_c2s ~ S",
        "shard == 2 && flow_id == 99",
        "service != TLS",
        "(vlan == 1 or vlan == 7) and not (app in {DNS, QUIC})",
        "vlan == 1 and vlan == 2 or vlan == 7",
        "bytes_s2c > bytes_unit_is_no_field or 1 == 1",
    ];
    for text in &hold[..hold.len() - 1] {
        assert!(passes(text), "{text}");
        assert!(!passes(&format!("not ({text})")), "not ({text})");
    }
    assert!(Filter::parse(hold[hold.len() - 1]).is_err());
}

#[test]
fn a_complaint_points_at_the_place_and_says_what_to_do() {
    let cases = [
        ("hots == x", 1, "did you mean `host`?"),
        ("app == TLS and byte > 1", 16, "did you mean `bytes`?"),
        ("app = TLS", 5, "equal is written `==`"),
        ("bytes > lots", 9, "such as 1500, 64KB"),
        ("src == 10.0.0.0/8", 8, "write `src in 10.0.0.0/8`"),
        ("src ~ 10", 5, "use `in` with a network"),
        ("app > TLS", 5, "use ==, !=, ~ or in"),
        ("(app == TLS", 12, "add `)`"),
        ("app == TLS)", 11, ""),
        ("app == 'TLS", 8, "add a closing quote"),
        ("app == a b", 10, "join conditions"),
        ("port in 90..80", 9, "smaller number first"),
        ("confidence == sure", 15, "certificate"),
        ("app ==", 7, ""),
        ("", 1, "begin with a field"),
    ];
    for (text, column, advice) in cases {
        let error = Filter::parse(text).unwrap_err();
        assert_eq!(error.column(), column, "{text}: {error}");
        assert!(error.to_string().contains(advice), "{text}: {error}");
    }
    let error = Filter::parse("app == TLS and hots ~ a").unwrap_err().to_string();
    let wanted = "the filter is wrong at column 16: there is no field `hots`\n  \
                  app == TLS and hots ~ a\n                 ^^^^ did you mean `host`?";
    assert_eq!(error, wanted);
}

#[test]
fn depth_and_length_are_bounded() {
    assert!(Filter::parse(&"(".repeat(4000)).is_err());
    assert!(Filter::parse(&format!("{}app", "not ".repeat(1000))).is_err());
    assert!(Filter::parse(&"app or ".repeat(1000)).is_err());
    assert!(Filter::parse(&format!("{}app{}", "(".repeat(31), ")".repeat(31))).is_ok());
}

fn any_field() -> impl Strategy<Value = Field> {
    let known: Vec<Field> = FIELDS.iter().map(Field::Known).collect();
    let found: Vec<Field> = attr::ATTRIBUTES.iter().map(Field::Attr).collect();
    prop::sample::select([known, found].concat())
}

fn any_number(kind: Kind) -> BoxedStrategy<u64> {
    match kind {
        Kind::Confidence => (0..u64::try_from(names::CONFIDENCES.len()).unwrap()).boxed(),
        _ => any::<u64>().boxed(),
    }
}

fn any_address() -> impl Strategy<Value = [u8; 16]> {
    let v4 = any::<[u8; 4]>().prop_map(|v4| crate::flow::from_ip(v4.into()));
    prop_oneof![v4, any::<[u8; 16]>()]
}

fn any_test() -> impl Strategy<Value = Expr> {
    any_field().prop_flat_map(|field| {
        let kind = field.kind();
        let equality = prop::sample::select(vec![Op::Equal, Op::NotEqual]);
        let order = vec![Op::Equal, Op::NotEqual, Op::Less, Op::LessOrEqual, Op::Greater];
        let words = vec![Op::Equal, Op::NotEqual, Op::Contains, Op::ContainsNot];
        let text = || any::<String>();
        let (compare, item): (BoxedStrategy<(Op, Value)>, BoxedStrategy<Item>) = match kind {
            Kind::Text => (
                (prop::sample::select(words), text().prop_map(Value::Text)).boxed(),
                text().prop_map(Item::Text).boxed(),
            ),
            Kind::Address => (
                (equality, any_address().prop_map(Value::Address)).boxed(),
                (any_address(), 0..=128_u8)
                    .prop_map(|(address, prefix)| Item::Network(Network::new(address, prefix)))
                    .boxed(),
            ),
            Kind::Number(_) | Kind::Confidence => (
                (prop::sample::select(order), any_number(kind).prop_map(Value::Number)).boxed(),
                (any_number(kind), any_number(kind))
                    .prop_map(|(a, b)| Item::Range(a.min(b), a.max(b)))
                    .boxed(),
            ),
        };
        prop_oneof![
            Just(Expr::IsSet(field)),
            compare.prop_map(move |(op, value)| Expr::Compare(field, op, value)),
            prop::collection::vec(item, 1..4).prop_map(move |items| Expr::In(field, items)),
        ]
    })
}

fn any_expr() -> impl Strategy<Value = Expr> {
    any_test().prop_recursive(4, 24, 4, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 2..4).prop_map(Expr::Or),
            prop::collection::vec(inner.clone(), 2..4).prop_map(Expr::And),
            inner.prop_map(|inner| Expr::Not(Box::new(inner))),
        ]
    })
}

/// Characters at random, or the pieces of filters at random.
fn any_filter_like_text() -> impl Strategy<Value = String> {
    let pieces = r#"(app|src|bytes|in|and|not|or|==|~|[(){},"'\\]|10.0.0.0/8|1..2| ){0,24}"#;
    prop_oneof!["[ -~é]{0,60}", pieces]
}

proptest! {
    /// The written form of any filter reads back as the same filter.
    #[test]
    fn printed_filters_read_back(root in any_expr()) {
        let filter = Filter { root };
        let text = filter.to_string();
        prop_assume!(text.len() <= 4096);
        match Filter::parse(&text) {
            Ok(read) => prop_assert_eq!(read, filter),
            Err(error) => prop_assert!(false, "{}", error),
        }
    }

    /// Any text is either a filter or a complaint at a column of that text.
    #[test]
    fn any_text_is_survived(text in any_filter_like_text()) {
        if let Err(error) = Filter::parse(&text) {
            prop_assert!(error.column() <= text.chars().count() + 1);
            prop_assert!(!error.to_string().is_empty());
        }
    }

    /// Asking about any words and any metadata never panics, and `not` is the opposite.
    #[test]
    fn any_flow_is_survived(root in any_expr(), words: [u64; 16], meta: Vec<u8>, now_ns: u64) {
        let slot = FlowSnapshot { words };
        let flow = Flow::decode(&slot, 0, &meta);
        let seen = Seen { flow: &flow, now_ns };
        let not = Filter { root: Expr::Not(Box::new(root.clone())) };
        prop_assert_ne!(Filter { root }.accepts(&seen), not.accepts(&seen));
    }
}
