//! The flow table.
//!
//! Flows sit in shared memory, a slot each ([`weir_shm::flow::FlowSlot`]); what only the engine
//! needs (tags, timers, inspection handles) sits in private memory beside it, by the same index.
//!
//! Invariants:
//! - A flow never moves: its index is the same from its first packet to its last.
//! - A taken tag and a non-zero flow id in the slot go together, outside of a call.
//! - Capacity is fixed. A full pair of groups evicts by name ([`table::Place`]); it never stops.

pub(crate) mod group;
pub(crate) mod groups;
pub mod record;
pub mod table;
pub mod timeouts;
pub(crate) mod wheel;
