//! Small fixed state a flow keeps between packets while it is being inspected.
//!
//! Each protocol that needs to remember something has a named field of its own here, so nothing
//! is shared by accident; the whole is asserted small. It is zeroed when a flow begins.

/// See the module.
#[derive(Clone, Copy, Default, Debug)]
pub struct Scratch {
    /// RTP: synchronisation source, last sequence number and packets in a row, a direction.
    pub rtp: [RtpTrack; 2],
}

/// What RTP recognition remembers of one direction.
#[derive(Clone, Copy, Default, Debug)]
pub struct RtpTrack {
    /// Synchronisation source of the last packet.
    pub ssrc: u32,
    /// Sequence number of the last packet.
    pub sequence: u16,
    /// Packets in a row that fitted.
    pub in_a_row: u8,
    /// Payload type of the last packet.
    pub payload_type: u8,
}

const _: () = assert!(size_of::<Scratch>() <= 128);
