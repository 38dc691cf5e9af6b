//! What a dissector is given and what it answers.

use crate::app::AppId;
use crate::crypto_pool::CryptoPool;
use crate::knowledge::Knowledge;
use crate::meta::Meta;
use crate::scratch::Scratch;

/// Who sent the bytes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(u8)]
pub enum Direction {
    /// The client: sender of the SYN where seen, else of the first packet.
    ToServer = 0,
    /// The other one.
    ToClient = 1,
}

/// The transport under the dissector.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Transport {
    /// `data` is the stream's contiguous beginning in this direction.
    Tcp,
    /// `data` is one datagram.
    Udp,
}

/// An address and a port.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Endpoint {
    /// IPv6, or IPv4 in its mapped form (`::ffff:a.b.c.d`).
    pub address: [u8; 16],
    /// Host order.
    pub port: u16,
}

/// What a dissector sees.
///
/// Over TCP `data` holds this direction's bytes from the first one seen, contiguous and in order,
/// up to the reassembly limit: a dissector that answers [`Outcome::NeedMore`] is called again
/// with the same bytes and more behind them, so it keeps no position of its own. Over UDP `data`
/// is one datagram.
#[derive(Clone, Copy, Debug)]
pub struct View<'a> {
    /// The bytes; never empty.
    pub data: &'a [u8],
    /// Who sent them.
    pub direction: Direction,
    /// TCP or UDP.
    pub transport: Transport,
    /// The flow's client.
    pub client: Endpoint,
    /// The flow's server.
    pub server: Endpoint,
    /// Whether `data` is all that can ever come in this direction (reassembly limit reached, or
    /// bytes lost): `NeedMore` is then taken as `GiveUp`.
    pub last: bool,
    /// Packets with payload before this one, both directions, saturating.
    pub packets_before: u8,
    /// The packet's time, in nanoseconds since 1970.
    pub now_ns: u64,
}

impl View<'_> {
    /// Whether either end uses `port`.
    pub fn port_is(&self, port: u16) -> bool {
        self.client.port == port || self.server.port == port
    }

    /// Whether the client sent these bytes.
    pub fn from_client(&self) -> bool {
        self.direction == Direction::ToServer
    }
}

/// What a dissector may write to.
#[derive(Debug)]
pub struct Notes<'a> {
    /// The flow's metadata. What is put here counts only if the answer is `Found`, or if this
    /// dissector was `Found` before.
    pub meta: &'a mut Meta,
    /// Small fixed state for those protocols that need to remember between packets.
    pub scratch: &'a mut Scratch,
    /// What this shard knows across flows.
    pub knowledge: &'a mut Knowledge,
    /// Buffers for handshakes that span datagrams or records.
    pub crypto: &'a mut CryptoPool,
}

/// A dissector's answer.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Outcome {
    /// It is `app`. With `more`, keep calling this dissector alone (the response is worth
    /// reading too), within the flow's packet limit.
    Found {
        /// The protocol recognised; usually the dissector's own.
        app: AppId,
        /// Whether later packets are worth reading.
        more: bool,
    },
    /// These bytes exclude this protocol.
    NotMine,
    /// Fits so far, but not enough to tell.
    NeedMore,
    /// It may be this protocol, but it cannot be told any more; stop asking.
    GiveUp,
}

impl Outcome {
    /// Found, nothing more to read.
    pub const fn found(app: AppId) -> Outcome {
        Outcome::Found { app, more: false }
    }

    /// Found, and later packets are worth reading.
    pub const fn found_more(app: AppId) -> Outcome {
        Outcome::Found { app, more: true }
    }
}

/// With which bytes a protocol's first message may begin, in either direction. The dispatch asks
/// only the dissectors whose set holds the first byte at hand.
#[derive(Clone, Copy, Debug)]
pub enum First {
    /// No first byte excludes it. Dear: it is asked for every unknown flow. Combine it with
    /// `ports_only` wherever possible.
    Any,
    /// One of these bytes.
    OneOf(&'static [u8]),
    /// Any byte in one of these inclusive ranges.
    Ranges(&'static [(u8, u8)]),
}

/// One protocol's recogniser: an entry of the dispatch.
#[derive(Clone, Copy, Debug)]
pub struct Dissector {
    /// The protocol it is named after.
    pub app: AppId,
    /// Over which transports it is asked.
    pub over: &'static [Transport],
    /// Usual ports, a hint only: those dissectors are asked first.
    pub ports: &'static [u16],
    /// Asked on its usual ports only (for protocols whose bytes prove little).
    pub ports_only: bool,
    /// First-byte filter.
    pub first: First,
    /// The recogniser: pure, no panics, no allocation, bounded work.
    pub run: fn(&View<'_>, &mut Notes<'_>) -> Outcome,
}
