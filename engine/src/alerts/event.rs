//! What detectors are told.

use weir_dpi::{AppId, Endpoint};

/// What is kept of a flow for alerts: what was reported of it, and what it was counted as.
#[derive(Clone, Copy, Default, Debug)]
pub struct FlowState {
    /// The low bits of the packets reported, to the server and to the client.
    pub(super) packets: [u32; 2],
    /// Those of the bytes, likewise: between two reports there are fewer than 2^32.
    pub(super) bytes: [u32; 2],
    pub(super) bits: u16,
    /// TTL of the first packet of the client, and of the server; 0: there was none.
    pub(super) ttls: [u8; 2],
}

impl FlowState {
    /// Keeps the TTL of a direction's first packet.
    pub fn note_ttl(&mut self, by_client: bool, ttl: u8) {
        self.ttls[usize::from(!by_client)] = ttl;
    }
}

/// Bits of [`FlowState`].
pub(super) mod bit {
    /// Counted as half open at the service.
    pub(in super::super) const HALF_OPEN: u16 = 1;
    /// Counted as one more SYN to the same service.
    pub(in super::super) const REPEATED: u16 = 2;
    /// Counted at its source as not productive.
    pub(in super::super) const TRIED: u16 = 4;
    /// Counted as a port and a host of a scan.
    pub(in super::super) const DISTINCT: u16 = 8;
    /// The server answered.
    pub(in super::super) const ANSWERED: u16 = 16;
    /// Began with an answer of a service that amplifies.
    pub(in super::super) const REFLECTED: u16 = 32;
    /// There is an alert of its bytes.
    pub(in super::super) const ELEPHANT: u16 = 64;
    /// There is an alert of its age.
    pub(in super::super) const LONG: u16 = 128;
    /// Counted as a flow by rules of one's own, one bit each for the first of them.
    pub(in super::super) const COUNTED: u16 = 256;
    /// Counted as a login.
    pub(in super::super) const LOGIN: u16 = 512;
    /// Had a reset from elsewhere.
    pub(in super::super) const FORGED: u16 = 1024;
}

/// A flow, as every event of one names it.
#[derive(Clone, Copy, Debug)]
pub struct Flow {
    /// Its identity.
    pub id: u64,
    /// Who began it.
    pub client: Endpoint,
    /// The other one.
    pub server: Endpoint,
    /// IP protocol.
    pub protocol: u8,
    /// VLAN; 0: none.
    pub vlan: u16,
    /// The time of the event: that of the packet, Unix nanoseconds.
    pub now_ns: u64,
}

/// A flow's first packet.
#[derive(Clone, Copy, Debug)]
pub struct Begin<'a> {
    /// The flow.
    pub flow: Flow,
    /// TCP flags of the packet.
    pub flags: u8,
    /// Bytes of the frame on the wire.
    pub bytes: u32,
    /// The client sent it.
    pub by_client: bool,
    /// Time to live or hop limit.
    pub ttl: u8,
    /// The payload that was captured; of ICMP with its header.
    pub payload: &'a [u8],
    /// Hardware address of the sender.
    pub mac: Option<[u8; 6]>,
}

/// Totals of a flow at some moment.
#[derive(Clone, Copy, Debug)]
pub struct Totals {
    /// Packets to the server and to the client.
    pub packets: [u64; 2],
    /// Bytes likewise.
    pub bytes: [u64; 2],
    /// When it began.
    pub first_ns: u64,
    /// Protocol found so far.
    pub master: AppId,
    /// Application found so far.
    pub app: AppId,
}

/// TCP flags of a direction that were seen for the first time in it.
#[derive(Clone, Copy, Debug)]
pub struct News {
    /// Those that the client sent.
    pub of_client: u8,
    /// Those that the server sent.
    pub of_server: u8,
    /// Whether the server had sent a packet before, or sends this one.
    pub is_answered: bool,
}

/// Figures of a flow's way, from whoever measures them; once a flow, or as often as they change.
#[derive(Clone, Copy, Debug)]
pub struct Quality {
    /// The address whose network is judged.
    pub peer: [u8; 16],
    /// Round-trip time to it, microseconds; 0: not known.
    pub rtt_us: u32,
    /// Packets to and from it.
    pub packets: u64,
    /// How many of them were lost.
    pub lost: u64,
    /// The flow's identity.
    pub flow: u64,
    /// The time, Unix nanoseconds.
    pub now_ns: u64,
}
