//! What `weir.h` defines besides functions. The comments go into the header, so they are written
//! for a C programmer; `tests` hold the numbers to those of `weir-shm`.

use std::ffi::{c_char, c_int};

/// `weir_next()`: there is a packet. `weir_wait()`, `weir_arm()`: `weir_next()` has something to
/// say.
pub const WEIR_READY: c_int = 1;
/// Nothing now; the timeout passed.
pub const WEIR_NOTHING: c_int = 0;
/// Something failed: see `weir_last_error()`.
pub const WEIR_ERROR: c_int = -1;
/// The engine ended in order, and everything was read.
pub const WEIR_ENDED: c_int = -2;
/// The engine is gone without a word, and what it left was read.
pub const WEIR_DIED: c_int = -3;
/// `weir_wait()`: somebody called `weir_wake()`.
pub const WEIR_INTERRUPTED: c_int = -4;

/// Packets that a reader can hold at one time.
pub const WEIR_HELD_MAX: u32 = 256;

/// The packet goes from the server to the client.
pub const WEIR_FLAG_TO_CLIENT: u32 = 1;
/// It belongs to a flow.
pub const WEIR_FLAG_HAS_FLOW: u32 = 2;
/// The NIC took its VLAN tag off; `data` has it back in its place.
pub const WEIR_FLAG_VLAN_STRIPPED: u32 = 4;
/// It is a piece of an IP datagram.
pub const WEIR_FLAG_FRAGMENT: u32 = 8;
/// Its flow lies inside a tunnel.
pub const WEIR_FLAG_TUNNELLED: u32 = 16;
/// The engine had more of it than fits into the ring.
pub const WEIR_FLAG_TRUNCATED: u32 = 32;
/// A reader judged its flow to be blocked.
pub const WEIR_FLAG_BLOCKED: u32 = 64;
/// A reader judged its flow to be allowed.
pub const WEIR_FLAG_ALLOWED: u32 = 128;

/// `weir_judge()`: the flow is fine.
pub const WEIR_ALLOW: c_int = 1;
/// `weir_judge()`: the flow should be blocked.
pub const WEIR_BLOCK: c_int = 2;

/// How to read. Begin with all zeros (`= {0}`), which is also what NULL stands for.
#[derive(Debug, Clone, Copy)]
#[repr(C)]
pub struct Options {
    /// Who reads, as `weir readers` shows it; cut to 31 bytes. NULL: this process's name.
    pub program: *const c_char,
    /// Be a member of this group: its members share the stream, and a flow stays with one. NULL:
    /// of none.
    pub group: *const c_char,
    /// 1: the engine holds frames for this reader and `data` points into its memory (lease). A
    /// reader that falls far behind is turned into the other kind. 0: frames are copied (window).
    pub lease: u32,
    /// Read the part `share_member` (from 0) of `share_of` parts, by flow. `share_of` 0: all.
    pub share_member: u32,
    /// See `share_member`.
    pub share_of: u32,
    /// Zero.
    pub reserved: [u32; 5],
}

/// A packet, from `weir_next()` to `weir_release()`.
#[derive(Debug, Clone, Copy)]
#[repr(C)]
pub struct Packet {
    /// The frame from its first byte, good until `weir_release()`. Read-only.
    pub data: *const u8,
    /// When it was received, nanoseconds since 1970-01-01 UTC.
    pub timestamp_ns: u64,
    /// Identity of its flow; 0: of no flow.
    pub flow_id: u64,
    /// Packets missed between the last packet and this one: written over before they were read.
    pub missed_before: u64,
    /// For `weir_release()`, `weir_shunt()`, `weir_judge()`. Not to be changed.
    pub handle: u64,
    /// Bytes at `data`.
    pub captured: u32,
    /// Bytes the frame had on the wire.
    pub wire: u32,
    /// Hash of its flow, the same for both directions; 0: of no flow.
    pub hash: u32,
    /// `WEIR_FLAG_` bits.
    pub flags: u32,
    /// Application, as known at this packet; 0: unknown. `weir_app_name()` has its name.
    pub app: u16,
    /// Protocol that the application rides on.
    pub master: u16,
    /// Shard of the engine that took it in.
    pub shard: u16,
    /// VLAN tag (TCI) that the NIC took off; 0: none.
    pub vlan: u16,
    /// What the application was told by: 0 nothing, 1 the port alone, 2 behaviour, 3 other flows,
    /// 4 host name, 5 certificate, 6 content.
    pub confidence: u8,
    /// Index of the interface within the engine's source.
    pub interface: u8,
    /// Why it is of no flow: number of the engine's drop reason, plus 1; 0: it is of one.
    pub drop_reason: u8,
    /// Zero.
    pub reserved: [u8; 5],
}

/// What became of the packets so far.
#[derive(Debug, Clone, Copy, Default)]
#[repr(C)]
pub struct Counts {
    /// Handed out by `weir_next()`.
    pub delivered: u64,
    /// Written over before this reader came to them.
    pub missed: u64,
    /// Left out by its filters.
    pub filtered: u64,
    /// Other members' of the group, or of other shares.
    pub others: u64,
    /// Of flows that its group wants no more of.
    pub shunted: u64,
    /// Packets in the caller's hands now.
    pub held: u64,
    /// Zero.
    pub reserved: [u64; 2],
}

/// A BPF instruction. The same as `struct bpf_insn` of libpcap and `struct sock_filter` of Linux,
/// so that a pointer to those can be cast to this.
#[derive(Debug, Clone, Copy)]
#[repr(C)]
pub struct BpfInsn {
    /// What to do.
    pub code: u16,
    /// Instructions to skip if a test holds.
    pub jt: u8,
    /// Instructions to skip if it does not.
    pub jf: u8,
    /// The constant.
    pub k: u32,
}

// Programs are compiled against these.
const _: () = {
    assert!(size_of::<Options>() == 48);
    assert!(size_of::<Packet>() == 72);
    assert!(size_of::<Counts>() == 64);
    assert!(size_of::<BpfInsn>() == 8);
};

#[cfg(test)]
mod tests {
    use super::*;
    use weir_shm::packets::{HOLD_MAX, flag};

    #[test]
    fn numbers_are_those_of_the_reader() {
        let flags = [
            (WEIR_FLAG_TO_CLIENT, flag::TO_CLIENT),
            (WEIR_FLAG_HAS_FLOW, flag::HAS_FLOW),
            (WEIR_FLAG_VLAN_STRIPPED, flag::VLAN_STRIPPED),
            (WEIR_FLAG_FRAGMENT, flag::FRAGMENT),
            (WEIR_FLAG_TUNNELLED, flag::TUNNELLED),
            (WEIR_FLAG_TRUNCATED, flag::TRUNCATED),
            (WEIR_FLAG_BLOCKED, flag::BLOCKED),
            (WEIR_FLAG_ALLOWED, flag::ALLOWED),
        ];
        for (ours, theirs) in flags {
            assert_eq!(ours, theirs.into());
        }
        assert_eq!(u64::from(WEIR_HELD_MAX), HOLD_MAX);
    }
}
