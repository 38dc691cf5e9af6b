//! Weir's shared memory: the format, its writer, its readers.
//!
//! An engine makes one *control* segment and one segment a shard, each a sealed memfd, and hands
//! their descriptors over a Unix socket. A reader maps them read-only, so that nothing it does can
//! delay or damage the engine. `docs/SHM_FORMAT.md` gives every field's place, unit and writer.
//!
//! What always holds:
//! - each word has one writer, and is an atomic on both sides;
//! - no writer waits for a reader, and no writer uses an atomic read-modify-write;
//! - a reader trusts nothing it maps: offsets and lengths are checked once, indices every time;
//! - every table has its size when it is made, and nothing on the writing side allocates later.

#![cfg_attr(loom, expect(dead_code, reason = "a model leaves out the segments"))]

#[cfg(not(all(target_endian = "little", target_pointer_width = "64")))]
compile_error!("the shared-memory format is little endian and made of 64-bit words");

#[cfg(not(loom))]
pub mod alerts;
pub mod arena;
#[cfg(not(loom))]
pub mod bpf;
pub mod counters;
pub mod flow;
pub mod health;
pub mod histogram;
#[cfg(not(loom))]
pub mod hosts;
pub mod packets;
pub mod records;
mod ring;

#[cfg_attr(loom, path = "segment_model.rs")]
mod segment;
mod sync;
mod words;

#[cfg(loom)]
#[cfg(test)]
mod model;

#[cfg(not(loom))]
mod control;
#[cfg(not(loom))]
mod error;
#[cfg(not(loom))]
mod layout;
#[cfg(not(loom))]
mod ledger;
#[cfg(not(loom))]
mod paths;
#[cfg(not(loom))]
mod protocol;
#[cfg(not(loom))]
pub mod reader;
#[cfg(not(loom))]
pub mod rules;
#[cfg(not(loom))]
pub mod server;
#[cfg(not(loom))]
mod writer;

#[cfg(not(loom))]
pub use self::{
    control::{ControlSpec, ControlWriter, EngineState},
    error::Error,
    layout::{FORMAT_VERSION, SegmentKind},
    ledger::{Ledger, LedgerLine},
    paths::{RunningEngine, default_path, list_names},
    reader::{Attached, FlowRead, FlowView, Info, QueueReader, ShardReader},
    segment::{FlowSlots, HealthSlots, Shared, WriteSection},
    server::{Access, Asked, Event, Joined, Offer, RulesAsked, RulesClient, Server, What},
    writer::{AlertSpec, PacketSpec, SegmentFd, ShardSpec, ShardWriter},
};
