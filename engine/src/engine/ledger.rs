//! The books of a queue: what happened to its frames before a shard took them in.
//!
//! wire = NIC drops + XDP verdicts + ring full + no buffer + kernel drops + processed.

use weir_shm::counters::{CounterDef, CounterWriter, Role, Unit};

macro_rules! queue_counters {
    ($($field:ident $name:literal $role:ident $help:literal;)*) => {
        /// What a queue's frames came to. A file is a queue too.
        #[derive(Clone, Copy, Default, PartialEq, Eq, Debug)]
        pub struct QueueCounts { $(#[doc = $help] pub $field: u64),* }

        /// Their definitions, in the order in which they are published.
        pub const QUEUE_COUNTERS: &[CounterDef] = &[$(CounterDef {
            name: $name, unit: Unit::Count, role: Role::$role, help: $help,
        }),*];

        impl QueueCounts {
            /// Writes them to shared memory.
            pub fn publish(&self, writer: &mut CounterWriter) {
                writer.publish(&[$(self.$field),*]);
            }

            /// The counts, in the order of [`QUEUE_COUNTERS`].
            pub fn values(&self) -> impl Iterator<Item = u64> + use<> {
                [$(self.$field),*].into_iter()
            }

            /// Frames that no shard took in, by whatever name.
            pub fn lost(&self) -> u64 {
                let rows = QUEUE_COUNTERS.iter().zip(self.values());
                rows.filter(|(def, _)| def.role == Role::WireDrop).map(|(_, value)| value).sum()
            }
        }
    };
}

queue_counters! {
    wire "wire_frames" Wire "Frames that arrived at the queue, or that the file holds.";
    nic_dropped "nic_dropped" WireDrop
        "Frames that the NIC had no room for (all its queues, shown with the first).";
    xdp_passed "xdp_passed" WireDrop "Frames left to the host: no socket on their queue.";
    xdp_aborted "xdp_aborted" WireDrop "Frames that the XDP program could not hand over.";
    ring_full "ring_full" WireDrop "Frames lost because a shard's receive ring was full.";
    no_buffer "no_buffer" WireDrop
        "Frames lost because no free frame buffer was left (fill ring empty), or too long for one.";
    kernel_dropped "kernel_dropped" WireDrop
        "Frames that AF_PACKET dropped because a shard's ring was full.";
}
