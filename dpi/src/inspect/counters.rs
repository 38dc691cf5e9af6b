//! What the inspector counts.

macro_rules! counters {
    ($($field:ident $help:literal;)*) => {
        /// Counts since the inspector was made.
        #[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
        pub struct Counters {
            $(#[doc = $help] pub $field: u64,)*
        }

        impl Counters {
            /// Name and meaning of each counter, in the order of [`Counters::values`].
            pub const NAMES: &[(&str, &str)] = &[$((stringify!($field), $help)),*];

            /// The counts, in the order of [`Counters::NAMES`].
            pub fn values(&self) -> [u64; Counters::NAMES.len()] {
                [$(self.$field),*]
            }
        }
    };
}

counters! {
    packets_inspected "Packets with payload that were inspected.";
    flows_begun "Flows whose inspection began.";
    flows_by_content "Flows named by their content.";
    flows_by_host_name "Flows named by content, their application by the host name.";
    flows_by_peer "Flows named by what other flows said.";
    flows_by_port "Flows named by a guess from the port alone.";
    flows_unknown "Flows that ended without a name.";
    gave_up "Flows given up because nothing fitted any more, or at the packet limit.";
    taken_away "Flows without a name whose place was given to a new one, all being in use.";
    pool_exhausted "Flows not inspected because all inspections were in use.";
    streams_exhausted "Stream directions not kept because all buffers were in use.";
    segments_held "TCP segments kept because they came before their predecessors.";
    segments_dropped "TCP segments out of order that did not fit in the buffer.";
    segments_old "TCP segments that brought nothing new.";
    metadata_exhausted "Flows not read on because all places for metadata were in use.";
    metadata_lost "Attributes that did not fit in their flow's metadata.";
    names_learned "Addresses whose service was learned from DNS answers.";
    names_replaced "Learned addresses replaced while still valid, for want of room.";
    handshakes_lost "Handshakes over several packets whose buffer went to a younger one.";
    flows_announced "Flows that a control flow announced, noted for later.";
}
