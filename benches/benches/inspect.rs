//! Inspection by family: a conversation from its first payload to its name, or to giving up.

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use weir_benches::flows::{self, Flow};

fn inspect(c: &mut Criterion) {
    let mut inspector = Flow::inspector();
    let mut group = c.benchmark_group("inspect");
    for flow in flows::all() {
        group.throughput(Throughput::Elements(flow.play(&mut inspector)));
        group.bench_function(flow.name, |b| b.iter(|| flow.play(&mut inspector)));
    }
    group.finish();
}

criterion_group!(benches, inspect);
criterion_main!(benches);
