//! What parsing a frame gives.

use super::key::FlowKey;

/// Whether a frame holds a piece of an IP datagram rather than a whole one.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Default, Debug)]
pub enum Fragment {
    /// A whole datagram.
    #[default]
    No,
    /// The first piece: ports are known, and the others' flow is this one.
    First,
    /// Another piece: the key has no ports until [`super::Fragments::follow`] finds its flow.
    Later,
}

/// The fields of a TCP header that a flow's state needs; zeros where the protocol is another.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub struct TcpHead {
    /// Sequence number.
    pub sequence: u32,
    /// Acknowledgement number.
    pub acknowledgement: u32,
    /// Window, not scaled.
    pub window: u16,
    /// Flags from CWR (0x80) to FIN (0x01).
    pub flags: u8,
    /// Header length, options included.
    pub header_bytes: u8,
}

impl TcpHead {
    /// The sender is done.
    pub const FIN: u8 = 0x01;
    /// Opens the connection.
    pub const SYN: u8 = 0x02;
    /// Aborts the connection.
    pub const RST: u8 = 0x04;
    /// To be delivered without waiting.
    pub const PSH: u8 = 0x08;
    /// The acknowledgement number counts.
    pub const ACK: u8 = 0x10;
    /// Congestion was experienced (RFC 3168).
    pub const ECE: u8 = 0x40;
    /// The sender reduced its window.
    pub const CWR: u8 = 0x80;
}

/// What a frame holds: its flow and where its parts are.
///
/// Positions are offsets into the frame's captured bytes, and `payload_at + payload_bytes` never
/// passes their end.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub struct Parsed {
    /// The flow.
    pub key: FlowKey,
    /// The TCP header's fields.
    pub tcp: TcpHead,
    /// Whether the datagram is in pieces. The innermost IP header that says so counts.
    pub fragment: Fragment,
    /// The identification in the IP header that says `fragment`; 0 for whole datagrams.
    pub datagram_id: u32,
    /// Captured bytes of the payload: link padding is left out by the IP length.
    pub payload_bytes: u32,
    /// Bytes of the payload on the wire: more than captured where the capture cuts frames.
    pub payload_wire_bytes: u32,
    /// Where the payload starts: after TCP and UDP headers, with the header of all others.
    pub payload_at: u16,
    /// Where the innermost IP header starts.
    pub ip_at: u16,
    /// Where the header after IP starts.
    pub l4_at: u16,
    /// Where the IP header that says `fragment` starts; 0 for whole datagrams.
    pub datagram_at: u16,
    /// The VLAN id that was known at that header.
    pub datagram_vlan: u16,
    /// Time to live or hop limit of the innermost IP header.
    pub ttl: u8,
    /// Traffic class of that header (RFC 2474), with its congestion mark (RFC 3168) in the lowest bits.
    pub traffic_class: u8,
    /// The sender is the key's higher end.
    pub swapped: bool,
}

const _: () = assert!(size_of::<Parsed>() == 80, "a batch of these stays in the first cache");

impl Parsed {
    /// The payload within the frame that this was parsed from.
    #[inline]
    pub fn payload<'a>(&self, frame: &'a [u8]) -> &'a [u8] {
        let from = usize::from(self.payload_at);
        let bytes = usize::try_from(self.payload_bytes).unwrap_or(usize::MAX);
        frame.get(from..from.saturating_add(bytes)).unwrap_or(&[])
    }

    /// The sender's port.
    #[inline]
    pub const fn sender_port(&self) -> u16 {
        if self.swapped { self.key.port_hi() } else { self.key.port_lo() }
    }

    /// The receiver's port.
    #[inline]
    pub const fn receiver_port(&self) -> u16 {
        if self.swapped { self.key.port_lo() } else { self.key.port_hi() }
    }
}
