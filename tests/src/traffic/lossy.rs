//! Connections over ways that lose, reorder and duplicate, simulated event by event: what an observer
//! between client and server sees. The same arguments give the same frames.
//!
//! The sender keeps a fixed number of segments on the way, sends one again after three duplicate
//! acknowledgements, on a partial acknowledgement, and after a timeout that doubles; the receiver
//! acknowledges every second segment, or at once where something is missing.

use std::collections::{BTreeMap, BTreeSet};
use std::net::Ipv4Addr;

use super::Traffic;
use super::connection::{ACK, Connection, FIN, MS, START, SYN};
use super::packet::End;

/// Bytes of a segment.
const SEGMENT: u32 = 1000;
const TIMEOUT: u64 = 300 * MS;
/// How long the receiver waits for a second segment.
const DELAYED: u64 = 40 * MS;
/// Bytes of the client's request.
const REQUEST: u32 = 200;
const CLIENT: usize = 0;
const SERVER: usize = 1;

/// What happens to segments on each of the four ways: from either end to the observer, and on. Of a
/// thousand.
#[derive(Clone, Copy, Debug, Default)]
pub struct Way {
    /// Segments that are lost.
    pub lost: u64,
    /// Those that come up to 6 ms later than they would.
    pub late: u64,
    /// Those that come twice.
    pub twice: u64,
    /// Those that pass the observer and that it misses.
    pub missed: u64,
}

/// What the observer misses by where it is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum View {
    /// Nothing.
    Whole,
    /// All that this side sends: 0 the client, 1 the server.
    Without(usize),
    /// What was sent in the first so many milliseconds.
    After(u64),
}

#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Segment {
    from: usize,
    sequence: u32,
    length: u32,
    acknowledgement: u32,
    flags: u8,
}

#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Event {
    Passes(Segment),
    Arrives(Segment),
    Times(u32),
    Acknowledges(u32),
}

struct Simulation {
    connection: Connection,
    way: Way,
    view: View,
    random: u64,
    begin_ns: u64,
    now_ns: u64,
    /// By time and number.
    events: BTreeMap<(u64, u64), Event>,
    number: u64,
    /// From either end to the observer and on.
    delays: [u64; 2],
    sender: Sender,
    receiver: Receiver,
}

/// The server, which sends `bytes` in answer to a request.
#[derive(Default)]
struct Sender {
    bytes: u32,
    window: u32,
    acked: u32,
    next: u32,
    duplicates: u32,
    recover: u32,
    timeouts: u32,
    /// Which timer counts.
    timer: u32,
}

/// The client.
#[derive(Default)]
struct Receiver {
    next: u32,
    ahead: BTreeSet<u32>,
    unacknowledged: u32,
}

/// `count` connections over such ways.
pub fn connections(count: u16, way: Way, views: &[View], seed: u64) -> Traffic {
    let mut frames = Vec::new();
    for number in 0..count {
        let [_, host] = number.to_be_bytes();
        let client = End { address: Ipv4Addr::new(10, 7, 0, host).into(), port: 10_000 + number };
        let server = End { address: Ipv4Addr::new(198, 51, 100, 9).into(), port: 9000 };
        // Every third wraps in what the server sends. No segment ends at the last number of all: tshark takes
        // that for a full window where it has seen none.
        let first = if number.is_multiple_of(3) { u32::MAX - 20_500 } else { 77_000 };
        let mut simulation = Simulation {
            connection: Connection::between(client, server, [5000, first]),
            way,
            view: views[usize::from(number) % views.len()],
            random: seed.wrapping_mul(2 * u64::from(number) + 1) | 1,
            begin_ns: START + u64::from(number) * 50 * MS,
            now_ns: 0,
            events: BTreeMap::new(),
            number: 0,
            delays: [2 * MS, 9 * MS],
            sender: Sender {
                bytes: SEGMENT * (20 + u32::from(number) % 180),
                window: SEGMENT * (4 + u32::from(number) % 28),
                ..Sender::default()
            },
            receiver: Receiver::default(),
        };
        simulation.run();
        frames.append(&mut simulation.connection.frames);
    }
    frames.sort_by_key(|(time_ns, _)| *time_ns);
    Traffic { frames, ..Traffic::default() }
}

impl Simulation {
    /// The handshake and the request come through; what may be lost begins with the answer.
    fn run(&mut self) {
        let [near, far] = self.delays.map(|delay| 2 * delay);
        for (at, from, place, flags, length) in [
            (0, CLIENT, [u32::MAX, 0], SYN, 0),
            (far, SERVER, [u32::MAX, 0], SYN | ACK, 0),
            (far + near, CLIENT, [0, 0], ACK, 0),
            (far + near + MS, CLIENT, [0, 0], ACK, REQUEST),
            (2 * far + near + MS, SERVER, [0, REQUEST], ACK, 0),
        ] {
            self.now_ns = at;
            let [sequence, acknowledgement] = place;
            self.sees(Segment { from, sequence, length, acknowledgement, flags });
        }
        self.send();
        // Enough for any of them; a mistake here must not hang.
        for _ in 0..1_000_000 {
            let Some(((now_ns, _), event)) = self.events.pop_first() else { break };
            self.now_ns = now_ns;
            match event {
                Event::Passes(segment) => {
                    if self.below(1000) >= self.way.missed {
                        self.sees(segment);
                    }
                    self.goes(segment, Event::Arrives, 1 - segment.from);
                }
                Event::Arrives(segment) if segment.from == SERVER => self.receives(segment),
                Event::Arrives(segment) => self.is_acknowledged(segment.acknowledgement),
                Event::Times(timer) if timer == self.sender.timer => self.times_out(),
                Event::Acknowledges(next)
                    if next == self.receiver.next && self.receiver.unacknowledged != 0 =>
                {
                    self.acknowledge();
                }
                Event::Times(_) | Event::Acknowledges(_) => {}
            }
        }
        self.now_ns += 100 * MS;
        let bytes = self.sender.bytes;
        for (from, place) in [(SERVER, [bytes, REQUEST]), (CLIENT, [REQUEST, bytes + 1])] {
            self.now_ns += 5 * MS;
            let [sequence, acknowledgement] = place;
            self.sees(Segment { from, sequence, length: 0, acknowledgement, flags: FIN | ACK });
        }
    }

    fn below(&mut self, limit: u64) -> u64 {
        self.random = self.random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        (self.random >> 33) % limit
    }

    /// The observer sees a segment.
    fn sees(&mut self, segment: Segment) {
        let is_hidden = match self.view {
            View::Whole => false,
            View::Without(side) => segment.from == side,
            View::After(ms) => self.now_ns < ms * MS,
        };
        if !is_hidden {
            let payload = vec![b'x'; usize::try_from(segment.length).unwrap_or(0)];
            let place = [segment.sequence, segment.acknowledgement];
            let at_ns = self.begin_ns + self.now_ns;
            self.connection.say(at_ns, segment.from, place, segment.flags, &payload);
        }
    }

    /// A segment goes on one of the ways: beside the end `side`.
    fn goes(&mut self, segment: Segment, event: fn(Segment) -> Event, side: usize) {
        if self.below(1000) < self.way.lost {
            return;
        }
        let late = if self.below(1000) < self.way.late { MS + self.below(5 * MS) } else { 0 };
        // No two frames come at the same time.
        let at_ns = self.now_ns + self.delays[side] + late + self.below(20_000);
        self.at(at_ns, event(segment));
        if self.below(1000) < self.way.twice {
            let again = at_ns + 10_000 + self.below(2 * MS);
            self.at(again, event(segment));
        }
    }

    fn at(&mut self, at_ns: u64, event: Event) {
        self.number += 1;
        self.events.insert((at_ns, self.number), event);
    }

    /// Sends what the window has room for.
    fn send(&mut self) {
        let most = (self.sender.acked + self.sender.window).min(self.sender.bytes);
        while self.sender.next < most {
            let sequence = self.sender.next;
            self.sender.next += SEGMENT;
            self.send_at(sequence);
            // Segments leave one after the other.
            self.now_ns += 30_000;
        }
        self.arm();
    }

    fn send_at(&mut self, sequence: u32) {
        let segment = Segment {
            from: SERVER,
            sequence,
            length: SEGMENT,
            acknowledgement: REQUEST,
            flags: ACK,
        };
        self.goes(segment, Event::Passes, SERVER);
    }

    fn arm(&mut self) {
        self.sender.timer += 1;
        if self.sender.acked < self.sender.bytes {
            let after_ns = TIMEOUT << self.sender.timeouts.min(4);
            self.at(self.now_ns + after_ns, Event::Times(self.sender.timer));
        }
    }

    fn times_out(&mut self) {
        self.sender.timeouts += 1;
        self.sender.recover = self.sender.next;
        self.sender.duplicates = 0;
        self.send_at(self.sender.acked);
        self.arm();
    }

    fn is_acknowledged(&mut self, acknowledgement: u32) {
        let sender = &mut self.sender;
        if acknowledgement > sender.acked {
            sender.acked = acknowledgement;
            (sender.duplicates, sender.timeouts) = (0, 0);
            if acknowledgement < sender.recover {
                self.send_at(acknowledgement);
            }
            self.send();
        } else if acknowledgement == sender.acked && sender.acked < sender.next {
            sender.duplicates += 1;
            if sender.duplicates == 3 && acknowledgement >= sender.recover {
                sender.recover = sender.next;
                self.send_at(acknowledgement);
                self.arm();
            }
        }
    }

    fn receives(&mut self, segment: Segment) {
        let receiver = &mut self.receiver;
        let had = receiver.next;
        if segment.sequence >= receiver.next {
            receiver.ahead.insert(segment.sequence);
        }
        while receiver.ahead.remove(&receiver.next) {
            receiver.next += SEGMENT;
            receiver.unacknowledged += 1;
        }
        let is_plain = receiver.next == had + SEGMENT && receiver.ahead.is_empty();
        if is_plain && receiver.unacknowledged < 2 {
            let next = receiver.next;
            self.at(self.now_ns + DELAYED, Event::Acknowledges(next));
        } else {
            self.acknowledge();
        }
    }

    fn acknowledge(&mut self) {
        let receiver = &mut self.receiver;
        receiver.unacknowledged = 0;
        let segment = Segment {
            from: CLIENT,
            sequence: REQUEST,
            length: 0,
            acknowledgement: receiver.next,
            flags: ACK,
        };
        self.goes(segment, Event::Passes, CLIENT);
    }
}
