//! A packet's way in pieces, by the clock: the cases whose instructions `make icount` counts.

use std::time::Duration;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use weir_benches::cases::{self, counted};
use weir_engine::sys::clock::monotonic_ns;

fn pipeline(c: &mut Criterion) {
    for case in cases::all() {
        let (family, name) = case.name.split_once('/').unwrap_or((&case.name, "all"));
        let mut work = case.work();
        let mut group = c.benchmark_group(family);
        work.ready();
        group.throughput(Throughput::Elements(work.go()));
        group.bench_function(name, |b| {
            b.iter_custom(|times| {
                let mut took_ns = 0;
                for _ in 0..times {
                    work.ready();
                    let started_ns = monotonic_ns();
                    counted(&mut *work);
                    took_ns += monotonic_ns() - started_ns;
                }
                Duration::from_nanos(took_ns)
            });
        });
        group.finish();
    }
}

criterion_group!(benches, pipeline);
criterion_main!(benches);
