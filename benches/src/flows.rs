//! Short conversations, some of each family of protocols and some of none, for measuring
//! inspection.

use weir_dpi::{
    AppId, Direction, Dissector, Endpoint, First, Inspector, Limits, Outcome, Segment, Slot, Step,
    TcpSegment, Transport, fuzzing,
};

/// A conversation: payloads and who sent them.
#[derive(Clone, Debug)]
pub struct Flow {
    /// `family/what`.
    pub name: &'static str,
    /// 6 or 17.
    protocol: u8,
    port: u16,
    payloads: Vec<(Direction, Vec<u8>)>,
}

const TCP: u8 = 6;
const UDP: u8 = 17;
/// A port that no protocol names as its own.
const NO_PORT: u16 = 39_999;

use Direction::{ToClient, ToServer};

/// Every conversation.
pub fn all() -> Vec<Flow> {
    let get = b"GET /a/path?of=some&length=yes HTTP/1.1\r\nHost: www.example.org\r\nUser-Agent: \
        bench/1.0 (plain; en)\r\nAccept: */*\r\nAccept-Encoding: gzip\r\nConnection: close\r\n\r\n";
    let ok = b"HTTP/1.1 200 OK\r\nServer: bench\r\nDate: Thu, 01 Jan 1970 00:00:00 GMT\r\n\
        Content-Type: text/html; charset=utf-8\r\nContent-Length: 5\r\n\r\nhello";
    let query = b"\x12\x34\x01\x00\0\x01\0\0\0\0\0\0\x03www\x07example\x03org\0\0\x01\0\x01";
    let answer = b"\x12\x34\x81\x80\0\x01\0\x01\0\0\0\0\x03www\x07example\x03org\0\0\x01\0\x01\
        \xc0\x0c\0\x01\0\x01\0\0\x01\x2c\0\x04\xc0\0\x02\x01";
    let ntp = [&b"\x23\x02\x06\xeb"[..], &[0; 36], &[0xd9, 0x4f, 0x51, 0xc3, 1, 2, 3, 4]].concat();
    let stun = [&b"\0\x01\0\0\x21\x12\xa4\x42"[..], &[7; 12]].concat();
    let clickhouse = b"\0\x11ClickHouse client\x18\x03\xc3\xa9\x03\x07default\x04user\0";
    vec![
        tcp("web/http", 80, &[(ToServer, get), (ToClient, ok)]),
        tcp("web/tls hello", 443, &[(ToServer, &hello("www.example.org"))]),
        tcp("web/tls hello, known service", 443, &[(ToServer, &hello("www.youtube.com"))]),
        udp("network/dns", 53, &[(ToServer, query), (ToClient, answer)]),
        udp("network/dns, other port", NO_PORT, &[(ToServer, query), (ToClient, answer)]),
        udp("network/ntp", 123, &[(ToServer, &ntp)]),
        tcp("session/ssh", 22, &[(ToClient, b"SSH-2.0-OpenSSH_9.6\r\n")]),
        udp("session/stun", 3478, &[(ToServer, &stun)]),
        tcp("infra/clickhouse", NO_PORT, &[(ToServer, clickhouse)]),
        tcp("infra/beanstalk", 11_300, &[(ToServer, b"watch jobs\r\n")]),
        tcp("none/tcp", NO_PORT, &noise(12)),
        udp("none/udp", NO_PORT, &noise(12)),
    ]
}

/// Dissectors beyond those that there are, and what they are asked for.
pub const MORE: usize = 100;
/// Flows of [`unknown`]: every first byte occurs in some.
const UNKNOWN_FLOWS: usize = 256;

/// Flows of random bytes, 12 segments or 8 datagrams each: what no protocol is told from.
pub fn unknown(over: Transport) -> Vec<Flow> {
    let mut state = 0x9E37_79B9_7F4A_7C15_u64;
    let mut bytes = |count: usize| -> Vec<u8> {
        let mut next = || {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            state.to_le_bytes()[3]
        };
        (0..count).map(|_| next()).collect()
    };
    let packets = if over == Transport::Tcp { 12 } else { 8 };
    let flow = |_| {
        let from = |at: usize| if at.is_multiple_of(2) { ToServer } else { ToClient };
        let payloads = (0..packets).map(|at| (from(at), bytes(300))).collect();
        let protocol = if over == Transport::Tcp { TCP } else { UDP };
        Flow { name: "unknown", protocol, port: NO_PORT, payloads }
    };
    (0..UNKNOWN_FLOWS).map(flow).collect()
}

/// [`MORE`] dissectors of the usual kind: three first bytes each, a port, and a few bytes that
/// decide.
fn more() -> Vec<Dissector> {
    static FIRST: [[u8; 3]; MORE] = {
        let (mut first, mut at, mut state) = ([[0; 3]; MORE], 0, 0x9E37_79B9_u32);
        while at < MORE {
            state = state.wrapping_mul(0x0019_660D).wrapping_add(0x3C6E_F35F);
            let [_, a, b, c] = state.to_le_bytes();
            first[at] = [a, b, c];
            at += 1;
        }
        first
    };
    static PORTS: [[u16; 1]; MORE] = {
        let (mut ports, mut at, mut port) = ([[0]; MORE], 0, 20_000);
        while at < MORE {
            ports[at] = [port];
            (at, port) = (at + 1, port + 1);
        }
        ports
    };
    let dissector = |(first, ports): (&'static [u8; 3], &'static [u16; 1])| Dissector {
        app: AppId::UNKNOWN,
        over: &[Transport::Tcp, Transport::Udp],
        ports,
        ports_only: false,
        first: First::OneOf(first),
        run: |view, _| match view.data.get(1..8) {
            Some(b"dissect") => Outcome::found(AppId::HTTP),
            _ => Outcome::NotMine,
        },
    };
    FIRST.iter().zip(&PORTS).map(dissector).collect()
}

fn tcp(name: &'static str, port: u16, payloads: &[(Direction, &[u8])]) -> Flow {
    Flow { protocol: TCP, ..udp(name, port, payloads) }
}

fn udp(name: &'static str, port: u16, payloads: &[(Direction, &[u8])]) -> Flow {
    let payloads = payloads.iter().map(|(from, bytes)| (*from, bytes.to_vec())).collect();
    Flow { name, protocol: UDP, port, payloads }
}

/// What fits no protocol, or only by chance: the first bytes differ from payload to payload.
fn noise(count: usize) -> Vec<(Direction, &'static [u8])> {
    static BYTES: [u8; 512] = {
        let (mut bytes, mut at, mut state) = ([0; 512], 0, 0x9E37_79B9_u32);
        while at < bytes.len() {
            state ^= state << 13;
            state ^= state >> 17;
            state ^= state << 5;
            [_, bytes[at], ..] = state.to_le_bytes();
            at += 1;
        }
        bytes
    };
    let from = |at: usize| if at.is_multiple_of(2) { ToServer } else { ToClient };
    BYTES.windows(200).step_by(17).take(count).enumerate().map(|(at, b)| (from(at), b)).collect()
}

/// A `ClientHello` in one record, of a usual size.
fn hello(name: &str) -> Vec<u8> {
    let ciphers: Vec<u8> = [0x1301_u16, 0x1302, 0x1303, 0xc02b, 0xc02f, 0xc02c, 0xc030, 0xcca9]
        .into_iter()
        .chain([0xcca8, 0xc013, 0xc014, 0x009c, 0x009d, 0x002f, 0x0035])
        .flat_map(u16::to_be_bytes)
        .collect();
    let name = with_length(&[&[0], &with_length(name.as_bytes())[..]].concat());
    let signatures =
        with_length(b"\x04\x03\x08\x04\x04\x01\x05\x03\x08\x05\x05\x01\x08\x06\x06\x01");
    let extensions: Vec<u8> = [
        (0_u16, &name[..]),
        (23, b""),
        (0xff01, b"\0"),
        (10, b"\0\x06\0\x1d\0\x17\0\x18"),
        (11, b"\x01\0"),
        (35, b""),
        (16, b"\0\x0c\x02h2\x08http/1.1"),
        (13, &signatures),
        (45, b"\x01\x01"),
        (43, b"\x04\x03\x04\x03\x03"),
        (51, &[&b"\0\x24\0\x1d\0\x20"[..], &[5; 32]].concat()),
    ]
    .into_iter()
    .flat_map(|(kind, value)| [&kind.to_be_bytes()[..], &with_length(value)].concat())
    .collect();
    let body =
        [&[3, 3][..], &[9; 32], &[0], &with_length(&ciphers), &[1, 0], &with_length(&extensions)]
            .concat();
    let message = [&[1, 0][..], &with_length(&body)].concat();
    [&[22, 3, 1][..], &with_length(&message)].concat()
}

/// `bytes` behind their length in two bytes.
fn with_length(bytes: &[u8]) -> Vec<u8> {
    let length = u16::try_from(bytes.len()).unwrap_or(u16::MAX);
    [&length.to_be_bytes()[..], bytes].concat()
}

impl Flow {
    /// An inspector of the size that measuring needs.
    pub fn inspector() -> Inspector {
        Inspector::new(&Limits { flows: 16, stream_buffers: 16, ..Limits::default() })
    }

    /// The same with [`MORE`] dissectors beyond those that there are.
    pub fn inspector_with_more() -> Inspector {
        let limits = Limits { flows: 16, stream_buffers: 16, ..Limits::default() };
        fuzzing::inspector_with_more(&limits, &more())
    }

    /// Plays the conversation to its end, or to that of its inspection. Gives the packets that
    /// were inspected.
    pub fn play(&self, inspector: &mut Inspector) -> u64 {
        self.played(inspector).0
    }

    /// The same, and the application that was found last.
    fn played(&self, inspector: &mut Inspector) -> (u64, AppId) {
        let mut slot = Slot::NONE;
        let client = Endpoint { address: mapped(1), port: 50_000 };
        let server = Endpoint { address: mapped(2), port: self.port };
        let mut sent = [1_u32; 2];
        let mut packets = 0;
        let (mut ended, mut app) = (false, AppId::UNKNOWN);
        for (direction, payload) in &self.payloads {
            let [to_server, to_client] = &mut sent;
            let seq = if *direction == ToServer { to_server } else { to_client };
            let tcp = TcpSegment { seq: *seq, syn_seen: true, fin: false, rst: false };
            *seq += u32::try_from(payload.len()).unwrap_or_default();
            let segment = Segment {
                payload,
                direction: *direction,
                client,
                server,
                protocol: self.protocol,
                tcp: (self.protocol == TCP).then_some(tcp),
                now_ns: 1,
                payload_missing: false,
            };
            packets += 1;
            match inspector.inspect(&mut slot, &segment) {
                Step::More => {}
                Step::Refined(verdict) => app = verdict.app,
                Step::Ended(verdict) => {
                    (ended, app) = (true, verdict.app);
                    break;
                }
            }
        }
        if !ended {
            inspector.end(&mut slot, self.protocol, client, server);
        }
        inspector.release(&mut slot);
        (packets, app)
    }
}

fn mapped(host: u8) -> [u8; 16] {
    [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 192, 0, 2, host]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn conversations_are_what_their_names_say() {
        for flow in all() {
            let (_, app) = flow.played(&mut Flow::inspector());
            assert_eq!(app == AppId::UNKNOWN, flow.name.starts_with("none/"), "{}", flow.name);
        }
    }
}
