//! Small fixed state a flow keeps between packets while it is being inspected.
//!
//! Each protocol that needs to remember something has a named field of its own here, so nothing
//! is shared by accident; the whole is asserted small. It is zeroed when a flow begins.

use crate::app::AppId;
use crate::crypto_pool::CryptoRef;
use crate::view::Direction;

/// See the module.
#[derive(Clone, Copy, Default, Debug)]
pub struct Scratch {
    /// Directions, by [`Direction`], in which the dissector that was found has read all that it
    /// wants of a stream: no more of it is kept, and it is not asked about it again.
    pub read: [bool; 2],
    /// RTP: synchronisation source, last sequence number and packets in a row, a direction.
    pub rtp: [RtpTrack; 2],
    /// TLS, DTLS and QUIC: the handshake in progress.
    pub hello: HelloTrack,
    /// HTTP/1 and HTTP/2: what was read of the conversation.
    pub http: HttpTrack,
    /// `WireGuard`: a session that began before the capture.
    pub wireguard: CounterTrack,
    /// ESP in UDP: an association that began before the capture.
    pub esp: CounterTrack,
    /// `OpenVPN`: the session id of the side that spoke first.
    pub openvpn: [u8; 8],
    /// SOCKS: the version of a request that proves nothing alone; 0 for none.
    pub socks: u8,
    /// SIP: a request came with credentials.
    pub sip_authorised: bool,
    /// Telnet: the server asked for a password.
    pub telnet_asked: bool,
    /// `BitTorrent` uTP: the last packet.
    pub utp: UtpTrack,
    /// STUN: what its messages said so far.
    pub stun: StunTrack,
    /// Threema: the client's first message had the length of a hello.
    pub threema: bool,
    /// Cloudflare WARP: the index of the last data message; 0 for none.
    pub warp: u32,
    /// DNS: when the first question came, in microseconds, the low bits; 0 before.
    pub dns_asked_us: u32,
    /// RTP: how evenly the packets of one direction come.
    pub rtp_timing: RtpTiming,
    /// RTP: the direction that those times are about; none before its first packet.
    pub rtp_timed: Option<Direction>,
}

impl Scratch {
    /// Says that the dissector, which is about to answer `Found`, wants no more of this direction.
    pub fn set_read(&mut self, direction: Direction) {
        let [to_server, to_client] = &mut self.read;
        match direction {
            Direction::ToServer => *to_server = true,
            Direction::ToClient => *to_client = true,
        }
    }

    /// Whether no more of this direction is wanted.
    pub fn is_read(&self, direction: Direction) -> bool {
        let [to_server, to_client] = self.read;
        match direction {
            Direction::ToServer => to_server,
            Direction::ToClient => to_client,
        }
    }
}

/// What STUN recognition remembers.
#[derive(Clone, Copy, Default, Debug)]
pub struct StunTrack {
    /// DTLS was read behind it.
    pub dtls: bool,
    /// The server is the application's own, or the other peer.
    pub both_ends: bool,
}

/// What uTP recognition remembers of the last packet.
#[derive(Clone, Copy, Default, Debug)]
pub struct UtpTrack {
    /// The sender's clock, in microseconds.
    pub time: u32,
    /// Connection number; 0 where no packet was seen.
    pub connection: u16,
    /// Its sequence number.
    pub sequence: u16,
    /// The number it acknowledges.
    pub acknowledged: u16,
    /// Who sent it.
    pub from_client: bool,
}

/// What the TLS family remembers of a handshake.
#[derive(Clone, Copy, Default, Debug)]
pub struct HelloTrack {
    /// Where the `ClientHello` is put together, if it came in pieces. SSH, whose handshake is none
    /// of TLS, keeps the first side's algorithms there.
    pub stream: CryptoRef,
    /// QUIC: the destination connection id of the client's first packet (its first `id_bytes`
    /// bytes), from which the keys of all Initial packets come.
    pub id: [u8; 20],
    /// QUIC: bytes of `id`.
    pub id_bytes: u8,
    /// In which direction the `ClientHello` was read.
    pub client: Option<Direction>,
    /// What the `ClientHello` was named, so that reading the answer does not name it anew.
    pub app: AppId,
    /// The service that the server's certificate is for, or that an HTTP request's path or program
    /// tells.
    pub service: AppId,
    /// Packets read that did not complete the `ClientHello`.
    pub tries: u8,
}

/// What the HTTP dissectors remember between request and response.
#[derive(Clone, Copy, Default, Debug)]
pub struct HttpTrack {
    /// What the first message was named; unknown before it.
    pub app: AppId,
    /// The request's header was read to its end.
    pub request_done: bool,
    /// The response's header was read to its end.
    pub response_done: bool,
    /// The request came with credentials.
    pub authorised: bool,
}

/// A packet of a protocol that is told by two packets with the same index and counters that are
/// near each other.
#[derive(Clone, Copy, Default, Debug)]
pub struct CounterTrack {
    /// Of the first packet.
    pub index: [u8; 4],
    /// Of the first packet, its low 32 bits.
    pub counter: u32,
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

/// What is remembered of the times of RTP packets (RFC 3550 appendix A.8), in units of the
/// payload's clock.
#[derive(Clone, Copy, Default, Debug)]
pub struct RtpTiming {
    /// The last packet's time of arrival less its timestamp.
    pub transit: u32,
    /// The mean deviation, times 16.
    pub jitter: u32,
}

const _: () = assert!(size_of::<Scratch>() <= 120);
