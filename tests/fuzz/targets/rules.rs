//! Files of rules and lists: whatever they hold, they load or are refused, and what loads answers.
#![no_main]

use std::sync::Arc;
use weir_dpi::rules::{Compiler, Ends};
use weir_dpi::{AppId, Endpoint, Transport};

libfuzzer_sys::fuzz_target!(|input: &[u8]| {
    let [how, text @ ..] = input else { return };
    let mut compiler = Compiler::new();
    if how % 2 == 0 {
        compiler.read("fuzz.rules", text);
    } else {
        compiler.read_protos("protos.txt", text);
    }
    // Lists are given what came, too.
    for number in 0..compiler.wanted().len().min(4) {
        compiler.supply(number, Arc::new(text.to_vec()));
    }
    let Ok((rules, _)) = compiler.finish() else { return };
    let end = |port| Endpoint { address: [7; 16], port };
    let ends = Ends { transport: Some(Transport::Tcp), client: end(50_000), server: end(443) };
    let half = text.get(text.len() / 2..).unwrap_or_default();
    let found = [
        rules.by_ends(&ends),
        rules.by_host(&ends, AppId::TLS, half),
        rules.by_url(&ends, half, text),
        rules.by_ja4(&ends, half, text),
    ];
    for found in found.into_iter().flatten() {
        assert!(rules.describe(found.rule).is_some());
    }
    rules.listed_host(half);
    rules.listed_address([7; 16]);
});
