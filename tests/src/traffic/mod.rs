//! Generated traffic whose flows are known beforehand: for tests, and for `make run`.
//!
//! The same seed gives the same frames. Conversations of many protocols, some in VLANs and tunnels,
//! some over IPv6, are dealt out so that a few dozen go on at the same time; between them lie
//! frames of no flow (ARP), datagrams in pieces, and a few frames that are broken.

pub mod apps;
pub mod attacks;
pub mod connection;
mod datagrams;
pub mod lossy;
pub mod packet;
pub mod quic;

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::path::Path;

use apps::{Over, Side, Talk, talk};
use packet::{Around, End, Segment};

/// Payload bytes of a TCP segment at most.
const SEGMENT: usize = 1200;
/// Conversations at the same time.
const TOGETHER: usize = 48;
/// 2023-11-14, in nanoseconds.
const START_NS: u64 = 1_700_000_000_000_000_000;

/// A flow, as it must be reported.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Expected {
    /// The client.
    pub client: End,
    /// The server.
    pub server: End,
    /// IP protocol number.
    pub protocol: u8,
    /// Innermost VLAN id; 0 for none.
    pub vlan: u16,
    /// Tunnel as `weir` names it; empty for none.
    pub tunnel: &'static str,
    /// Application, as `weir` names it.
    pub app: &'static str,
    /// Packets: client to server, and back.
    pub packets: [u64; 2],
    /// Bytes of frames: the same.
    pub bytes: [u64; 2],
}

/// A capture and what is in it.
#[derive(Clone, Default, Debug)]
pub struct Traffic {
    /// Frames in their order, with their time.
    pub frames: Vec<(u64, Vec<u8>)>,
    /// Flows.
    pub flows: Vec<Expected>,
    /// Frames that belong to no flow.
    pub no_flow: u64,
}

/// Mixed traffic of `flows` conversations.
pub fn mixed(flows: usize, seed: u64) -> Traffic {
    let mut traffic = Traffic::default();
    let mut random = seed | 1;
    let mut waiting = (0..flows).map(|number| conversation(number, seed, &mut traffic));
    let mut going: Vec<std::vec::IntoIter<Vec<u8>>> = Vec::new();
    let mut frames = Vec::new();
    loop {
        while going.len() < TOGETHER
            && let Some(next) = waiting.next()
        {
            going.push(next.into_iter());
        }
        if going.is_empty() {
            break;
        }
        random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        let at = usize::try_from(random >> 33).unwrap_or(0) % going.len();
        match going[at].next() {
            Some(frame) => frames.push(frame),
            None => drop(going.swap_remove(at)),
        }
    }
    drop(waiting);
    let strays = strays(flows);
    traffic.no_flow = strays.len() as u64;
    let every = frames.len() / (strays.len() + 1) + 1;
    let mut strays = strays.into_iter();
    for (number, frame) in frames.into_iter().enumerate() {
        if number % every == every - 1 {
            traffic.frames.extend(strays.next().map(|stray| (0, stray)));
        }
        traffic.frames.push((0, frame));
    }
    traffic.frames.extend(strays.map(|stray| (0, stray)));
    for (number, (time, _)) in (0..).zip(&mut traffic.frames) {
        *time = START_NS + number * 50_000;
    }
    traffic
}

/// Frames of no flow: one ARP question for each hundred flows, and some that are broken, each in
/// its own way.
fn strays(flows: usize) -> Vec<Vec<u8>> {
    let arp = packet::ethernet(&[], 0x0806, &[0, 1, 8, 0, 6, 4, 0, 1]);
    let mut strays = vec![arp; flows / 100 + 1];
    let client = End { address: Ipv4Addr::new(10, 9, 9, 9).into(), port: 1 };
    let segment = Segment { sequence: 1, acknowledgement: 0, flags: 2 };
    let whole = packet::frame(Around::Nothing, &packet::udp(client, client, &[0; 100]));
    let stream = packet::frame(Around::Nothing, &packet::tcp(client, client, segment, &[0; 100]));
    let with = |frame: &[u8], at: usize, value: u8| {
        let mut frame = frame.to_vec();
        frame[at] = value;
        frame
    };
    let piece = [10, 9, 9, 8];
    let later = packet::ipv4(piece.into(), piece.into(), 17, [0, 9], 7, &[0; 64]);
    strays.extend([
        // The IP packet is longer than the frame.
        whole[..80].to_vec(),
        // No IP version that there is, and a header shorter than the least.
        with(&whole, 14, 0x95),
        with(&whole, 14, 0x42),
        // A TCP header that says it is of 16 bytes, and one longer than its packet.
        with(&stream, 46, 0x40),
        with(&packet::frame(Around::Nothing, &packet::tcp(client, client, segment, &[])), 46, 0xf0),
        // A later piece of a datagram whose first was never there.
        packet::frame(Around::Nothing, &later),
        // Not even an Ethernet header.
        vec![2; 10],
    ]);
    strays
}

/// The frames of one conversation; its flow is added to `traffic`.
fn conversation(number: usize, seed: u64, traffic: &mut Traffic) -> Vec<Vec<u8>> {
    let talk = talk(number);
    let around = around(number);
    let (client, server) = ends(number, &talk);
    let mut script = Script { client, server, around, frames: Vec::new(), sums: [(0, 0); 2] };
    let protocol = match talk.over {
        Over::Tcp => 6,
        Over::Udp => 17,
        Over::Ip(protocol) => protocol,
    };
    if talk.over == Over::Tcp {
        tcp_conversation(&mut script, &talk, number, seed);
    } else {
        for (side, message) in &talk.messages {
            if talk.over == Over::Udp {
                script.udp(*side, message, pieces(number, &talk));
            } else {
                let (from, to) = script.ends(*side);
                script.push(*side, &packet::summed(from, to, protocol, 2, message));
            }
        }
    }
    let [to_server, to_client] = script.sums;
    traffic.flows.push(Expected {
        client,
        server,
        protocol,
        vlan: match around {
            Around::Vlan(id) | Around::QinQ(_, id) => id,
            _ => 0,
        },
        tunnel: match around {
            Around::Gre => "gre",
            Around::Vxlan => "vxlan",
            Around::GtpU => "gtp-u",
            _ => "",
        },
        app: talk.app,
        packets: [to_server.0, to_client.0],
        bytes: [to_server.1, to_client.1],
    });
    script.frames
}

/// The identification of a conversation's pieces: each 31st is in pieces, where its messages are
/// short (of a long one, the first piece would not hold the name within). It is so as a whole: of a
/// flow that sends whole datagrams besides, XDP could not give both to the same shard, as later
/// pieces have no ports.
fn pieces(number: usize, talk: &Talk) -> Option<u16> {
    let short = talk.messages.iter().all(|(_, message)| message.len() < 1000);
    (number % 31 == 2 && short).then(|| u16::try_from(number % 60_000).unwrap_or(0))
}

fn around(number: usize) -> Around {
    match number % 23 {
        3 => Around::Vlan(100),
        5 => Around::QinQ(200, 201),
        7 => Around::Gre,
        11 => Around::Vxlan,
        13 => Around::GtpU,
        _ => Around::Nothing,
    }
}

fn ends(number: usize, talk: &Talk) -> (End, End) {
    if let Over::Ip(protocol) = talk.over {
        return hosts(number, protocol);
    }
    let low = u16::try_from(number % 40_000).unwrap_or(0);
    let high = u16::try_from(number / 40_000).unwrap_or(0);
    let [a, b] = high.to_be_bytes();
    let host = u8::try_from(number % 200).unwrap_or(0) + 1;
    let (client, server): (IpAddr, IpAddr) = if number % 9 == 4 {
        let v6 = |net: u16, host: u8| Ipv6Addr::new(0x2001, 0xdb8, net, high, 0, 0, 0, host.into());
        (v6(1, host).into(), v6(2, host).into())
    } else {
        (Ipv4Addr::new(10, a, b, host).into(), Ipv4Addr::new(198, 51, 100, host).into())
    };
    (End { address: client, port: 20_000 + low }, End { address: server, port: talk.port })
}

/// Two hosts that no other conversation is between: without ports, only they tell flows apart.
fn hosts(number: usize, protocol: u8) -> (End, End) {
    let number = u32::try_from(number).unwrap_or(0);
    let [_, a, b, c] = number.to_be_bytes();
    let pair: [IpAddr; 2] = if protocol == 58 {
        let host =
            |net| Ipv6Addr::new(0x2001, 0xdb8, net, 0, 0, 0, a.into(), u16::from_be_bytes([b, c]));
        [host(3).into(), host(4).into()]
    } else {
        [Ipv4Addr::new(11, a, b, c).into(), Ipv4Addr::new(198, 51, 100, 250).into()]
    };
    let [client, server] = pair.map(|address| End { address, port: 0 });
    (client, server)
}

/// A conversation being written.
struct Script {
    client: End,
    server: End,
    around: Around,
    frames: Vec<Vec<u8>>,
    /// Packets and bytes of both directions.
    sums: [(u64, u64); 2],
}

impl Script {
    fn push(&mut self, side: Side, packet: &[u8]) {
        let frame = packet::frame(self.around, packet);
        let sum = &mut self.sums[usize::from(side == Side::Server)];
        sum.0 += 1;
        sum.1 += frame.len() as u64;
        self.frames.push(frame);
    }

    const fn ends(&self, side: Side) -> (End, End) {
        match side {
            Side::Client => (self.client, self.server),
            Side::Server => (self.server, self.client),
        }
    }

    /// A datagram: whole, or in two pieces of this identification where it is IPv4 without a tunnel.
    fn udp(&mut self, side: Side, message: &[u8], pieces: Option<u16>) {
        let (from, to) = self.ends(side);
        let (IpAddr::V4(source), IpAddr::V4(target), Some(id), Around::Nothing) =
            (from.address, to.address, pieces, self.around)
        else {
            return self.push(side, &packet::udp(from, to, message));
        };
        let whole = packet::datagram(from, to, message);
        self.push(side, &packet::ipv4(source, target, 17, [0x20, 0], id, &whole[..24]));
        self.push(side, &packet::ipv4(source, target, 17, [0, 3], id, &whole[24..]));
    }
}

fn tcp_conversation(script: &mut Script, talk: &Talk, number: usize, seed: u64) {
    const FIN: u8 = 1;
    const SYN: u8 = 2;
    const RST: u8 = 4;
    const ACK: u8 = 16;
    // Some begin shortly before the sequence number wraps.
    let first = u32::MAX - 300;
    let [.., a, b, c, d] = seed.wrapping_mul(number as u64 + 7).to_be_bytes();
    let mut next =
        [if number.is_multiple_of(5) { first } else { u32::from_be_bytes([a, b, c, d]) }, 1000];
    let mut say = |script: &mut Script, side: Side, flags: u8, payload: &[u8]| {
        let me = usize::from(side == Side::Server);
        let acknowledgement = if flags & ACK == 0 { 0 } else { next[1 - me] };
        let segment = Segment { sequence: next[me], acknowledgement, flags };
        let (from, to) = script.ends(side);
        script.push(side, &packet::tcp(from, to, segment, payload));
        let step = u32::try_from(payload.len()).unwrap_or(0) + u32::from(flags & (SYN | FIN) != 0);
        next[me] = next[me].wrapping_add(step);
    };
    say(script, Side::Client, SYN, &[]);
    say(script, Side::Server, SYN | ACK, &[]);
    say(script, Side::Client, ACK, &[]);
    for (side, message) in &talk.messages {
        for part in message.chunks(SEGMENT) {
            say(script, *side, ACK | 8, part);
        }
        let other = if *side == Side::Client { Side::Server } else { Side::Client };
        say(script, other, ACK, &[]);
    }
    if number % 7 == 6 {
        say(script, Side::Server, RST | ACK, &[]);
    } else {
        say(script, Side::Client, FIN | ACK, &[]);
        say(script, Side::Server, FIN | ACK, &[]);
        say(script, Side::Client, ACK, &[]);
    }
}

impl Traffic {
    /// Moves all frames in time, so that the first comes at this one (Unix nanoseconds).
    pub fn begin_at(&mut self, start_ns: u64) {
        let first_ns = self.frames.first().map_or(0, |(time_ns, _)| *time_ns);
        for (time_ns, _) in &mut self.frames {
            *time_ns = *time_ns - first_ns + start_ns;
        }
    }

    /// Writes a capture file: pcap, nanoseconds.
    ///
    /// # Errors
    /// What the system says.
    pub fn write(&self, path: &Path) -> std::io::Result<()> {
        let mut bytes = Vec::new();
        for word in [0xa1b2_3c4d_u32, 0x0004_0002, 0, 0, 65_535, 1] {
            bytes.extend(word.to_le_bytes());
        }
        for (time, frame) in &self.frames {
            let length = u32::try_from(frame.len()).unwrap_or(0);
            let (seconds, nanoseconds) = (time / 1_000_000_000, time % 1_000_000_000);
            for word in [seconds, nanoseconds] {
                bytes.extend(u32::try_from(word).unwrap_or(0).to_le_bytes());
            }
            bytes.extend(length.to_le_bytes());
            bytes.extend(length.to_le_bytes());
            bytes.extend(frame);
        }
        std::fs::write(path, bytes)
    }
}
