//! Inspection by family: a conversation from its first payload to its name, or to giving up.

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use weir_benches::flows::{self, Flow};
use weir_dpi::Transport;

fn inspect(c: &mut Criterion) {
    let mut inspector = Flow::inspector();
    let mut group = c.benchmark_group("inspect");
    for flow in flows::all() {
        group.throughput(Throughput::Elements(flow.play(&mut inspector)));
        group.bench_function(flow.name, |b| b.iter(|| flow.play(&mut inspector)));
    }
    group.finish();
}

/// What a flow of no protocol costs, with the dissectors that there are and with many more.
fn unknown(c: &mut Criterion) {
    let mut group = c.benchmark_group("unknown flow");
    group.throughput(Throughput::Elements(1));
    for (over, transport) in [(Transport::Tcp, "tcp"), (Transport::Udp, "udp")] {
        let flows = flows::unknown(over);
        let more = format!("{} more dissectors", flows::MORE);
        let inspectors =
            [("all dissectors", Flow::inspector()), (more.as_str(), Flow::inspector_with_more())];
        for (name, mut inspector) in inspectors {
            let mut next = flows.iter().cycle();
            group.bench_function(format!("{transport}, {name}"), |b| {
                b.iter(|| next.next().map(|flow| flow.play(&mut inspector)));
            });
        }
    }
    group.finish();
}

criterion_group!(benches, inspect, unknown);
criterion_main!(benches);
