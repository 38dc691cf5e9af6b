//! Rules and lists: loading a million names, and what a question costs beside how many there are.

use std::fmt::Write;
use std::hint::black_box;
use std::sync::Arc;

use criterion::{BatchSize, Criterion, Throughput, criterion_group, criterion_main};
use weir_dpi::rules::{AddressList, Compiler, DomainList, Ends, RuleSet};
use weir_dpi::{AppId, Direction, Endpoint, Transport, View};

/// What a list may take with its text, of a million names.
const MOST_BYTES: usize = 64 << 20;
const MILLION: u32 = 1_000_000;

/// A number that looks random and is the same every time.
fn mixed(number: u32) -> u32 {
    let value = (number ^ (number >> 16)).wrapping_mul(0x7FEB_352D);
    let value = (value ^ (value >> 15)).wrapping_mul(0x846C_A68B);
    value ^ (value >> 16)
}

/// A name of 13 to 36 bytes, as block-lists have them.
fn name(number: u32) -> String {
    let mixed = mixed(number);
    let below = ["", "www.", "cdn.", "ads.tracker."][(mixed & 3) as usize];
    let end = ["com", "net", "info", "xyz", "example", "co.uk"][(mixed % 6) as usize];
    format!("{below}{}-{mixed:x}.{end}", ["a", "track", "metrics", "stat"][(mixed >> 30) as usize])
}

fn text_of(count: u32, line: impl Fn(&mut String, u32)) -> String {
    (0..count).fold(String::new(), |mut text, number| {
        line(&mut text, number);
        text.push('\n');
        text
    })
}

/// Kilobytes that this process has had resident at most.
fn most_resident_kib() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    line.and_then(|line| line.trim().split(' ').next()?.parse().ok()).unwrap_or(0)
}

fn ends() -> Ends {
    let end = |last, port| Endpoint {
        address: [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 192, 0, 2, last],
        port,
    };
    Ends { transport: Some(Transport::Tcp), client: end(1, 50_000), server: end(2, 443) }
}

fn lists(c: &mut Criterion) {
    let names = text_of(MILLION, |text, number| text.push_str(&name(number)));
    let names: Arc<Vec<u8>> = Arc::new(names.into_bytes());
    let before = most_resident_kib();
    let list = DomainList::new(names.clone());
    let (bytes, grown) = (list.bytes(), most_resident_kib() - before);
    eprintln!(
        "{} names: {} bytes of text, {} of index; resident beside the text, at most: {grown} KiB",
        list.len(),
        names.len(),
        bytes - names.len(),
    );
    assert!(bytes <= MOST_BYTES && list.left().lost == 0);
    assert!(list.len() + list.doubled() == MILLION);
    let mut group = c.benchmark_group("lists");
    group.sample_size(10).throughput(Throughput::Elements(u64::from(MILLION)));
    group.bench_function("load a million names", |b| {
        b.iter_batched(|| names.clone(), |names| DomainList::new(names), BatchSize::PerIteration);
    });
    let hosts = text_of(MILLION, |text, number| {
        text.push_str("0.0.0.0 ");
        text.push_str(&name(number));
    });
    let hosts = Arc::new(hosts.into_bytes());
    group.bench_function("load a million names of a hosts file", |b| {
        b.iter_batched(|| hosts.clone(), |hosts| DomainList::new(hosts), BatchSize::PerIteration);
    });
    let address = |number| std::net::Ipv4Addr::from(mixed(number));
    let addresses = text_of(MILLION, |text, number| text.push_str(&address(number).to_string()));
    group.bench_function("load a million addresses", |b| {
        b.iter(|| AddressList::new(addresses.as_bytes()));
    });
    group.throughput(Throughput::Elements(1)).sample_size(100);
    let mut number = 0;
    group.bench_function("a name on the list of a million", |b| {
        b.iter_batched(
            || {
                number = (number + 1) % MILLION;
                format!("x.{}", name(number))
            },
            |host| list.find(host.as_bytes()).is_some(),
            BatchSize::SmallInput,
        );
    });
    group.bench_function("a name on no list of a million", |b| {
        b.iter_batched(
            || {
                number += 1;
                format!("www.service-{number:x}.example.com")
            },
            |host| list.find(host.as_bytes()).is_some(),
            BatchSize::SmallInput,
        );
    });
    let list = AddressList::new(addresses.as_bytes());
    group.bench_function("an address among a million", |b| {
        b.iter_batched(
            || {
                number += 1;
                address(mixed(number)).to_ipv6_mapped().octets()
            },
            |address| list.covers(address),
            BatchSize::SmallInput,
        );
    });
    group.finish();
}

fn rules_of(count: u32) -> RuleSet {
    let mut text = String::new();
    for number in 0..count {
        let address = std::net::Ipv4Addr::from(mixed(number) & 0xffff_ff00);
        let mixed = mixed(number);
        let written = writeln!(
            text,
            "host {} -> TLS\nprefix {address}/24 and port tcp/443 -> TLS\n\
             url /{mixed:x}/index -> HTTP\nbytes tcp offset 4 \"{mixed:08x}\" -> SSH\n\
             bytes tcp contains \"{mixed:08x}\" -> SSH",
            name(number),
        );
        assert!(written.is_ok());
    }
    let mut compiler = Compiler::new();
    compiler.read("bench.rules", text.as_bytes());
    compiler.finish().map(|(rules, _)| rules).unwrap_or_default()
}

fn rules(c: &mut Criterion) {
    let mut group = c.benchmark_group("rules");
    let ends = ends();
    let payload = b"GET /some/path/index.html HTTP/1.1\r\nHost: www.example.com\r\n\r\n".repeat(8);
    let view = View {
        data: &payload,
        direction: Direction::ToServer,
        transport: Transport::Tcp,
        client: ends.client,
        server: ends.server,
        last: false,
        packets_before: 0,
        now_ns: 0,
    };
    for count in [10, 1000, 100_000 / 5] {
        let rules = rules_of(count);
        assert_eq!(rules.len(), count as usize * 5);
        let of = |what: &str| format!("{what}/{}", count * 5);
        group.bench_function(of("host"), |b| {
            b.iter(|| rules.by_host(&ends, AppId::TLS, black_box(b"static.cdn.example.com")));
        });
        group.bench_function(of("ends"), |b| b.iter(|| rules.by_ends(black_box(&ends))));
        group.bench_function(of("url"), |b| {
            let path = b"/some/path/to/a/page/index.html?q=abcdef&lang=en";
            b.iter(|| rules.by_url(&ends, b"www.example.com", black_box(path)));
        });
        group.bench_function(of("payload"), |b| b.iter(|| rules.by_payload(black_box(&view))));
    }
    group.finish();
}

criterion_group!(benches, lists, rules);
criterion_main!(benches);
