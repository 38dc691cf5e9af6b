//! What the ring says of a frame, or of a piece of one: eight words.
//!
//! | word | content |
//! | --- | --- |
//! | 0 | number of the packet in its shard |
//! | 1 | time, Unix nanoseconds |
//! | 2 | where its bytes are in the packet memory |
//! | 3 | bytes there (low half), bytes the whole frame had on the wire (high half) |
//! | 4 | flow identity; 0: of no flow |
//! | 5 | symmetric hash (low half), slot of the flow in the flow table (high half) |
//! | 6 | application, master (16 bits each), confidence, flags (8 each), groups that shunted the flow (16) |
//! | 7 | VLAN tag (16 bits), interface, link, pieces, reason, number of the piece, kind of the tag (8 each) |

/// Bits of [`Descriptor::flags`].
pub mod flag {
    /// From the server to the client.
    pub const TO_CLIENT: u8 = 1;
    /// The packet belongs to a flow.
    pub const HAS_FLOW: u8 = 2;
    /// The NIC or the kernel took the VLAN tag off the frame: it is in the descriptor alone.
    pub const VLAN_STRIPPED: u8 = 4;
    /// A piece of an IP datagram.
    pub const FRAGMENT: u8 = 8;
    /// The flow lies inside a tunnel.
    pub const TUNNELLED: u8 = 16;
    /// The frame had more bytes at hand than fit into the ring.
    pub const TRUNCATED: u8 = 32;
    /// A reader judged the flow to be blocked.
    pub const BLOCKED: u8 = 64;
    /// A reader judged the flow to be allowed.
    pub const ALLOWED: u8 = 128;
}

/// See the module.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Descriptor {
    /// Number of the packet in its shard, from the first that was exported.
    pub packet: u64,
    /// When the frame was received, Unix nanoseconds.
    pub timestamp_ns: u64,
    /// Where its bytes are in the packet memory.
    pub address: u64,
    /// Bytes there.
    pub bytes: u32,
    /// Bytes the whole frame had as it was handed over: on the wire, less a tag taken off.
    pub wire_bytes: u32,
    /// The flow's identity; 0: of no flow.
    pub flow_id: u64,
    /// The flow's slot in the shard's flow table; good while that slot holds `flow_id`.
    pub flow_slot: u32,
    /// Symmetric hash of the flow; 0 for frames of no flow.
    pub hash: u32,
    /// Application, as known at this packet; 0: unknown.
    pub app: u16,
    /// Master protocol, as known at this packet.
    pub master: u16,
    /// How sure that is, from 0 on.
    pub confidence: u8,
    /// Bits of [`flag`].
    pub flags: u8,
    /// Groups that want no more of the flow, one bit each.
    pub shunted: u16,
    /// The VLAN tag (TCI) that was taken off, with [`flag::VLAN_STRIPPED`].
    pub vlan: u16,
    /// The kind of that tag: 0 none, 1 customer (`0x8100`), 2 service (`0x88a8`).
    pub tag: u8,
    /// Index of the interface within the source.
    pub interface: u8,
    /// Link type, in the numbers of `docs/SHM_FORMAT.md`.
    pub link: u8,
    /// Pieces of the frame.
    pub pieces: u8,
    /// Why the frame is of no flow: the number of the drop reason, plus 1; 0: it is of one.
    pub reason: u8,
    /// Number of this piece, from 0.
    pub piece: u8,
}

/// Words of a descriptor.
pub(crate) const WORDS: usize = 8;

/// What a descriptor says of a flow, packed: words 4 to 6.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct FlowWords {
    words: [u64; 3],
}

impl FlowWords {
    /// Whether they are of a packet of a flow.
    #[inline(always)]
    pub const fn has_flow(&self) -> bool {
        self.words[2] & (flag::HAS_FLOW as u64) << FLAGS_SHIFT != 0
    }
}

/// Where the flags are in word 6.
const FLAGS_SHIFT: u32 = 40;

impl Descriptor {
    /// The descriptor as words.
    #[inline(always)]
    pub(crate) fn pack(&self) -> [u64; WORDS] {
        self.pack_with(&self.flow_words())
    }

    /// The descriptor as words, with these in place of its own on the flow.
    #[inline(always)]
    pub(crate) fn pack_with(&self, flow: &FlowWords) -> [u64; WORDS] {
        let shape = u64::from(self.vlan)
            | u64::from(self.interface) << 16
            | u64::from(self.link) << 24
            | u64::from(self.pieces) << 32
            | u64::from(self.reason) << 40
            | u64::from(self.piece) << 48
            | u64::from(self.tag) << 56;
        let lengths = u64::from(self.bytes) | u64::from(self.wire_bytes) << 32;
        let [flow_id, flow, kind] = flow.words;
        [self.packet, self.timestamp_ns, self.address, lengths, flow_id, flow, kind, shape]
    }

    /// What it says of the flow.
    #[inline(always)]
    pub fn flow_words(&self) -> FlowWords {
        let kind = u64::from(self.app)
            | u64::from(self.master) << 16
            | u64::from(self.confidence) << 32
            | u64::from(self.flags) << FLAGS_SHIFT
            | u64::from(self.shunted) << 48;
        let flow = u64::from(self.hash) | u64::from(self.flow_slot) << 32;
        FlowWords { words: [self.flow_id, flow, kind] }
    }

    /// The same with these words on the flow.
    #[must_use]
    pub fn with_flow(&self, flow: &FlowWords) -> Self {
        Self::unpack(&self.pack_with(flow))
    }

    /// The descriptor of these words; every pattern is one.
    #[inline(always)]
    pub(crate) fn unpack(words: &[u64; WORDS]) -> Self {
        let [packet, timestamp_ns, address, lengths, flow_id, flow, kind, shape] = *words;
        let [a0, a1, m0, m1, confidence, flags, s0, s1] = kind.to_le_bytes();
        let [v0, v1, interface, link, pieces, reason, piece, tag] = shape.to_le_bytes();
        let (bytes, wire_bytes) = halves(lengths);
        let (hash, flow_slot) = halves(flow);
        Self {
            packet,
            timestamp_ns,
            address,
            bytes,
            wire_bytes,
            flow_id,
            flow_slot,
            hash,
            app: u16::from_le_bytes([a0, a1]),
            master: u16::from_le_bytes([m0, m1]),
            confidence,
            flags,
            shunted: u16::from_le_bytes([s0, s1]),
            vlan: u16::from_le_bytes([v0, v1]),
            tag,
            interface,
            link,
            pieces,
            reason,
            piece,
        }
    }

    /// Whether a bit of [`flag`] is set.
    pub const fn has(&self, bit: u8) -> bool {
        self.flags & bit != 0
    }

    /// Bytes the whole frame had on the wire, with a tag that was taken off.
    pub const fn bytes_on_wire(&self) -> u32 {
        self.wire_bytes.saturating_add(if self.has(flag::VLAN_STRIPPED) { 4 } else { 0 })
    }
}

#[expect(clippy::cast_possible_truncation, reason = "splits the word into its two halves")]
const fn halves(word: u64) -> (u32, u32) {
    (word as u32, (word >> 32) as u32)
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn packing_loses_nothing(words in any::<[u64; WORDS]>()) {
            let descriptor = Descriptor::unpack(&words);
            prop_assert_eq!(descriptor.pack(), words);
            let flow = descriptor.flow_words();
            prop_assert_eq!(flow.has_flow(), descriptor.has(flag::HAS_FLOW));
            let (zeros, ones) = ([0; WORDS], [u64::MAX; WORDS]);
            for other in [zeros, ones].map(|words| Descriptor::unpack(&words)) {
                let mut expected = other.pack();
                expected[4..7].copy_from_slice(&words[4..7]);
                prop_assert_eq!(other.with_flow(&flow).pack(), expected);
            }
        }
    }

    #[test]
    fn every_field_has_its_place() {
        let descriptor = Descriptor {
            packet: 1,
            timestamp_ns: 2,
            address: 3,
            bytes: 4,
            wire_bytes: 5,
            flow_id: 6,
            flow_slot: 7,
            hash: 8,
            app: 9,
            master: 10,
            confidence: 11,
            flags: 12,
            shunted: 13,
            vlan: 14,
            tag: 20,
            interface: 15,
            link: 16,
            pieces: 17,
            reason: 18,
            piece: 19,
        };
        assert_eq!(Descriptor::unpack(&descriptor.pack()), descriptor);
        assert_eq!(descriptor.pack()[5], 7 << 32 | 8);
        assert_eq!(descriptor.pack()[3], 5 << 32 | 4);
    }
}
