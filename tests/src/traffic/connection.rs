//! Connections written down segment by segment, with faults whose numbers are known.

use std::net::Ipv4Addr;

use super::packet::{Around, End, Segment, frame, tcp};

/// A millisecond.
pub const MS: u64 = 1_000_000;
/// 2023-11-14, in nanoseconds.
pub const START: u64 = 1_700_000_000_000 * MS;
/// Flags of a segment.
pub const FIN: u8 = 1;
/// See [`FIN`].
pub const SYN: u8 = 2;
/// See [`FIN`].
pub const RST: u8 = 4;
/// See [`FIN`].
pub const ACK: u8 = 16;

/// A connection; times are milliseconds since the start.
#[derive(Debug)]
pub struct Connection {
    /// Who opens it.
    pub client: End,
    /// The other one.
    pub server: End,
    /// First sequence numbers after the SYNs.
    from: [u32; 2],
    /// Its frames with their times.
    pub frames: Vec<(u64, Vec<u8>)>,
}

impl Connection {
    /// One of this client's port. `from`: first sequence numbers after the SYNs.
    pub fn new(port: u16, from: [u32; 2]) -> Connection {
        let end = |last, port| End { address: Ipv4Addr::new(10, 0, 0, last).into(), port };
        Connection::between(end(1, port), end(2, 8000), from)
    }

    /// One between these.
    pub const fn between(client: End, server: End, from: [u32; 2]) -> Connection {
        Connection { client, server, from, frames: Vec::new() }
    }

    /// A segment of so many bytes; numbers count from the first after the SYN.
    pub fn segment(&mut self, at_ms: u64, lane: usize, place: [u32; 2], flags: u8, bytes: usize) {
        self.say(START + at_ms * MS, lane, place, flags, &vec![b'x'; bytes]);
    }

    /// A segment of these bytes, at a time in nanoseconds.
    pub fn say(&mut self, at_ns: u64, lane: usize, place: [u32; 2], flags: u8, bytes: &[u8]) {
        let [from, to] =
            if lane == 0 { [self.client, self.server] } else { [self.server, self.client] };
        let sequence = self.from[lane].wrapping_add(place[0]);
        let acknowledged = self.from[1 - lane].wrapping_add(place[1]);
        let acknowledgement = if flags & ACK != 0 { acknowledged } else { 0 };
        let head = Segment { sequence, acknowledgement, flags };
        self.frames.push((at_ns, frame(Around::Nothing, &tcp(from, to, head, bytes))));
    }

    /// A handshake: 3 ms to the server and back, 1 ms to the client and back.
    pub fn open(&mut self, at_ms: u64) {
        self.segment(at_ms, 0, [u32::MAX, 0], SYN, 0);
        self.segment(at_ms + 3, 1, [u32::MAX, 0], SYN | ACK, 0);
        self.segment(at_ms + 4, 0, [0, 0], ACK, 0);
    }

    /// The client closes after so many bytes of its own, the server then.
    pub fn close(&mut self, at_ms: u64, sent: u32) {
        self.segment(at_ms, 0, [sent, 0], FIN | ACK, 0);
        self.segment(at_ms + 1, 1, [0, sent + 1], FIN | ACK, 0);
        self.segment(at_ms + 2, 0, [sent + 1, 1], ACK, 0);
    }
}

/// Connections with one kind of fault each, by their client's port: 1001 none, 1002 a loss, 1003 two
/// segments that change places, 1004 segments that come again, 1005 one direction alone, 1006 refused.
pub fn faults() -> Vec<Connection> {
    // All is well, over the end of the number space.
    let mut well = Connection::new(1001, [u32::MAX - 1500, u32::MAX]);
    well.open(0);
    for number in 0..10_u32 {
        let at = 100 + u64::from(number) * 10;
        well.segment(at, 0, [number * 1000, 0], ACK, 1000);
        well.segment(at + 3, 1, [0, number * 1000 + 1000], ACK, 0);
    }
    well.close(300, 10_000);
    // The third segment is lost before here; two more bring duplicate acknowledgements.
    let mut loss = Connection::new(1002, [7, 9]);
    loss.open(0);
    for number in [0_u32, 1, 3, 4, 5] {
        loss.segment(100 + u64::from(number), 0, [number * 100, 0], ACK, 100);
    }
    for (number, acked) in [100_u32, 200, 200, 200, 200].into_iter().enumerate() {
        loss.segment(110 + number as u64, 1, [0, acked], ACK, 0);
    }
    loss.segment(116, 0, [200, 0], ACK, 100);
    loss.segment(120, 1, [0, 600], ACK, 0);
    // Two segments change places.
    let mut reordered = Connection::new(1003, [7, 9]);
    reordered.open(0);
    for number in [0_u32, 2, 1, 3] {
        reordered.segment(100, 0, [number * 100, 0], ACK, 100);
    }
    // A segment comes again after a timeout, and again after it was acknowledged.
    let mut again = Connection::new(1004, [7, 9]);
    again.open(0);
    again.segment(100, 0, [0, 0], ACK, 100);
    again.segment(400, 0, [0, 0], ACK, 100);
    again.segment(405, 1, [0, 100], ACK, 0);
    again.segment(800, 0, [0, 0], ACK, 100);
    // Only one direction is captured.
    let mut one_way = Connection::new(1005, [7, 9]);
    one_way.segment(0, 0, [u32::MAX, 0], SYN, 0);
    one_way.segment(4, 0, [0, 0], ACK, 0);
    for number in 0..5_u32 {
        one_way.segment(100 + u64::from(number), 0, [number * 100, number * 50], ACK, 100);
    }
    // Refused.
    let mut refused = Connection::new(1006, [7, 9]);
    refused.segment(0, 0, [u32::MAX, 0], SYN, 0);
    refused.segment(3, 1, [0, 0], RST | ACK, 0);
    vec![well, loss, reordered, again, one_way, refused]
}
