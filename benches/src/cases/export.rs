//! What leaves a shard: flow records, metadata, descriptors of packets.

use std::hint::black_box;

use weir_engine::flow::record;
use weir_shm::ShardWriter;
use weir_shm::packets::{Descriptor, FlowWords};
use weir_shm::records::{EndReason, RecordKind};

use super::Case;
use crate::table::{BATCH, key, segment};

const OPERATIONS: u64 = 1024;
/// Of metadata: what a flow has on average is more, what most flows have is less.
const METADATA_BYTES: usize = 64;

/// Metadata of a flow to the arena, as inspection leaves it, and away again as the flow ends.
fn metadata() -> Case {
    Case::new("export/metadata kept and freed", || {
        let mut shared = segment(64);
        let content = [1; METADATA_BYTES];
        move || {
            for _ in 0..OPERATIONS {
                let handle = shared.arena.store(black_box(&content));
                shared.arena.free(handle.unwrap_or_default());
            }
            OPERATIONS
        }
    })
}

/// A flow's record: the slot and its metadata into the ring.
fn record(name: &str, bytes: usize) -> Case {
    Case::new(format!("export/record, {name}"), move || {
        let mut shared = segment(64);
        let slot = &shared.flows[0];
        record::open(slot, &key(7), 1, 0);
        slot.begin();
        slot.set_meta_ref(shared.arena.store(&vec![1; bytes]).unwrap_or_default());
        slot.commit();
        let mut metadata = Vec::with_capacity(2048);
        move || {
            let ShardWriter { flows, records, arena, .. } = &mut shared;
            for time_ns in 0..OPERATIONS {
                let slot = black_box(&flows[0]);
                arena.read(slot.meta_ref(), &mut metadata);
                let flow = slot.snapshot().unwrap_or_default();
                records.push(RecordKind::Ended, EndReason::Idle, time_ns, &flow, &[], &metadata);
            }
            OPERATIONS
        }
    })
}

/// Descriptors into the packet ring, shown to readers a turn at a time.
fn packets() -> Case {
    Case::new("export/packet to its readers", || {
        let mut packets = segment(64).packets;
        let descriptor = Descriptor { flow_id: 1, pieces: 1, ..Descriptor::default() };
        let mut flows = [FlowWords::default(); BATCH];
        move || {
            for turn in 0..OPERATIONS / BATCH as u64 {
                packets.make_room(BATCH as u64, |address| {
                    black_box(address);
                });
                for flow in &mut flows {
                    *flow = black_box(&descriptor).flow_words();
                }
                let mut rest = &flows[..];
                while !rest.is_empty() {
                    let frames = rest.iter().map(|flow| (*black_box(&descriptor), flow));
                    rest = &rest[packets.push_frames(frames)..];
                }
                packets.publish(turn);
            }
            OPERATIONS
        }
    })
}

pub(super) fn cases() -> Vec<Case> {
    vec![
        metadata(),
        record("no metadata", 0),
        record("64 bytes of metadata", METADATA_BYTES),
        packets(),
    ]
}
