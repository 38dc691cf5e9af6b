mod documented;
mod errors;
mod hostile;
mod lists;
mod matching;
mod protos;
mod twins;

use std::sync::Arc;

use super::*;
use crate::view::{Direction, Endpoint, Transport};

/// The rules of a text without errors and warnings.
fn rules(text: &str) -> RuleSet {
    let mut compiler = Compiler::new();
    compiler.read("test.rules", text.as_bytes());
    let (rules, warnings) = compiler.finish().unwrap_or_else(|errors| panic!("{errors:#?}"));
    assert!(warnings.is_empty(), "{warnings:?}");
    rules
}

/// The errors of a text, as shown.
fn errors(text: &[u8]) -> Vec<String> {
    let mut compiler = Compiler::new();
    compiler.read("test.rules", text);
    match compiler.finish() {
        Ok(_) => Vec::new(),
        Err(errors) => errors.iter().map(ToString::to_string).collect(),
    }
}

fn address(text: &str) -> [u8; 16] {
    match text.parse().unwrap() {
        std::net::IpAddr::V4(address) => address.to_ipv6_mapped().octets(),
        std::net::IpAddr::V6(address) => address.octets(),
    }
}

fn ends(transport: Option<Transport>, client: (&str, u16), server: (&str, u16)) -> Ends {
    let end = |(text, port)| Endpoint { address: address(text), port };
    Ends { transport, client: end(client), server: end(server) }
}

fn anywhere() -> Ends {
    ends(Some(Transport::Tcp), ("192.0.2.1", 50_000), ("192.0.2.2", 443))
}

fn view(transport: Transport, direction: Direction, packets_before: u8, data: &[u8]) -> View<'_> {
    let Ends { client, server, .. } = anywhere();
    View { data, direction, transport, client, server, last: false, packets_before, now_ns: 0 }
}

/// The name that a match gives.
fn name(rules: &RuleSet, found: Option<Match>) -> Option<&str> {
    found.map(|found| rules.app(found.app).0)
}

fn owned(text: &str) -> Text {
    Arc::new(text.as_bytes().to_vec())
}

#[test]
fn shards_may_share_a_set() {
    fn shared<T: Send + Sync + 'static>() {}
    shared::<RuleSet>();
}
