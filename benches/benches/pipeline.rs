//! A packet's way in pieces: parse, hash, look-up (hit, miss), record push.

use std::hint::black_box;
use std::net::Ipv4Addr;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use weir_engine::flow::table::{FlowTable, Place};
use weir_engine::wire::{self, FlowKey, LinkType, Parsed};
use weir_shm::records::{EndReason, RecordKind};
use weir_shm::{ShardSpec, ShardWriter};

const FLOWS: u32 = 100_000;

/// A UDP packet of flow `number`, with one VLAN tag or none.
fn frame(number: u32, tagged: bool) -> Vec<u8> {
    let mut bytes = vec![2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 2];
    if tagged {
        bytes.extend([0x81, 0x00, 0x00, 0x64]);
    }
    bytes.extend([0x08, 0x00]);
    bytes.extend([0x45, 0, 0, 46, 0, 0, 0x40, 0, 64, 17, 0, 0]);
    bytes.extend((0x0a00_0000 | number).to_be_bytes());
    bytes.extend(Ipv4Addr::new(198, 19, 0, 1).octets());
    bytes.extend([0x4e, 0x20, 0x9c, 0x40, 0, 26, 0, 0]);
    bytes.extend([0; 18]);
    bytes
}

fn parsed(frame: &[u8]) -> Parsed {
    let mut out = Parsed::default();
    let length = u32::try_from(frame.len()).unwrap_or(u32::MAX);
    wire::parse(LinkType::Ethernet, 0, frame, length, &mut out).unwrap_or_default();
    out
}

fn shard() -> Option<ShardWriter> {
    let spec = ShardSpec {
        shard: 0,
        label: "bench",
        flow_slots: FlowTable::slots_for(FLOWS * 2),
        record_bytes: 1 << 22,
        arena_bytes: 1 << 20,
        counters: &[],
        histograms: &[],
        packets: weir_shm::PacketSpec::default(),
        huge_pages: false,
    };
    ShardWriter::create(&spec).ok()
}

fn parse(c: &mut Criterion) {
    let mut group = c.benchmark_group("parse");
    group.throughput(Throughput::Elements(1));
    for (name, tagged) in [("plain", false), ("one VLAN tag", true)] {
        let frame = frame(7, tagged);
        group.bench_function(name, |b| b.iter(|| parsed(black_box(&frame))));
    }
    group.finish();
}

fn table(c: &mut Criterion) {
    let Some(shared) = shard() else { return };
    let mut table = FlowTable::new(shared.flows, [1, 2, 3, 4]);
    let keys: Vec<FlowKey> =
        (0..FLOWS * 2).map(|number| parsed(&frame(number, false)).key).collect();
    for key in keys.iter().take(FLOWS as usize) {
        let hash = table.hash(key);
        if let Place::Free(index) = table.place(hash) {
            let slot = table.slot(index);
            slot.begin();
            for (word, value) in (1..).zip(key.words) {
                slot.store(word, value);
            }
            slot.store(6, 1);
            slot.commit();
            table.take(index, hash);
        }
    }
    let mut group = c.benchmark_group("flow table");
    group.throughput(Throughput::Elements(1));
    group.bench_function("hash", |b| b.iter(|| table.hash(black_box(&keys[0]))));
    for (name, from) in [("hit, 100,000 flows", 0), ("miss, 100,000 flows", FLOWS as usize)] {
        let mut next = 0;
        group.bench_function(name, |b| {
            b.iter(|| {
                next = (next + 7919) % FLOWS as usize;
                let key = &keys[from + next];
                table.find(key, table.hash(key))
            });
        });
    }
    group.finish();
}

fn records(c: &mut Criterion) {
    let Some(mut shared) = shard() else { return };
    let flow = weir_shm::flow::FlowSnapshot::default();
    let mut group = c.benchmark_group("records");
    group.throughput(Throughput::Elements(1));
    for bytes in [0_usize, 64] {
        let meta = vec![1; bytes];
        group.bench_function(format!("push, {bytes} bytes of metadata"), |b| {
            b.iter(|| shared.records.push(RecordKind::Ended, EndReason::Idle, 1, &flow, &meta));
        });
    }
    group.finish();
}

criterion_group!(benches, parse, table, records);
criterion_main!(benches);
