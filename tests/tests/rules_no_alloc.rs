//! Asking rules and lists allocates nothing, whatever is asked.

#![expect(clippy::unwrap_used, reason = "a step that fails fails the test")]

use std::sync::Arc;

use weir_dpi::rules::{Compiler, Ends, Fingerprint, RuleSet};
use weir_dpi::{AppId, Direction, Endpoint, Transport, View};
use weir_tests::allocations::{self, Counting};

#[global_allocator]
static ALLOCATOR: Counting = Counting;

const JA4: &str = "t13d1516h2_8daaf6152771_b186095e22b6";

fn rules() -> RuleSet {
    let mut compiler = Compiler::new();
    compiler.read(
        "test.rules",
        format!(
            "host *.a.example and port tcp/443 -> TLS\nhost b*.a.example -> TLS\n\
             url /a*b*c -> HTTP\nurl *abc* and host a.example -> HTTP\n\
             ja4 {JA4} and host a.example -> TLS\n\
             bytes any offset 3 hex 0102 -> SSH\nbytes any contains \"abcdef\" -> SSH\n\
             prefix 192.0.2.0/24 and either port 443 -> TLS\nport udp/5000-6000 -> RTP\n\
             list names domains \"names\"\nlist addresses addresses \"addresses\"\n\
             list prints fingerprints \"prints\"\n"
        )
        .as_bytes(),
    );
    for (number, text) in ["b.a.example\n", "192.0.2.0/28\n", JA4].into_iter().enumerate() {
        compiler.supply(number, Arc::new(text.as_bytes().to_vec()));
    }
    let (rules, warnings) = compiler.finish().unwrap();
    assert!(warnings.is_empty(), "{warnings:?}");
    rules
}

/// Asks everything once; how much was found.
fn ask(rules: &RuleSet, ends: &Ends, text: &[u8]) -> usize {
    let view = View {
        data: text,
        direction: Direction::ToServer,
        transport: Transport::Tcp,
        client: ends.client,
        server: ends.server,
        last: false,
        packets_before: 0,
    };
    let found = [
        rules.by_ends(ends),
        rules.by_host(ends, AppId::TLS, text),
        rules.by_url(ends, b"x.a.example", text),
        rules.by_ja4(ends, text, b"a.example"),
        rules.by_payload(&view),
    ];
    let hits = [
        rules.listed_host(text),
        rules.listed_address(ends.server.address),
        rules.listed_fingerprint(Fingerprint::Ja4(text)),
        rules.listed_fingerprint(Fingerprint::Sha256(&[0; 32])),
    ];
    let described = found.iter().flatten().filter(|found| rules.describe(found.rule).is_some());
    described.count() + hits.iter().flatten().count()
}

#[test]
fn asking_allocates_nothing() {
    let rules = rules();
    let end = |last, port| Endpoint {
        address: [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 192, 0, 2, last],
        port,
    };
    let long = vec![b'a'; 4096];
    let texts: [&[u8]; 8] = [
        b"",
        b"x.b.a.example",
        b"ba.a.example",
        b"/aabbc",
        b"/abcdef",
        b"123\x01\x02",
        &long,
        JA4.as_bytes(),
    ];
    let mut found = 0;
    let ((), allocations) = allocations::during(|| {
        for transport in [None, Some(Transport::Tcp), Some(Transport::Udp)] {
            for port in [443, 5000, 1] {
                let ends = Ends { transport, client: end(1, 50_000), server: end(2, port) };
                for text in texts {
                    found += ask(&rules, &ends, text);
                }
            }
        }
    });
    assert_eq!(allocations, 0);
    assert!(found > 100, "{found} found");
}
