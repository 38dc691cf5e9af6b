//! What the fuzzers and the tests of robustness share: bytes read as packets of a few flows, driven
//! through an inspector, and what has to hold meanwhile. Needs nothing but `weir_dpi`, so that the
//! fuzzers can include it; allocates nothing, so that a test can say the same of inspection.
//!
//! An input is a row of packets, each `[flags][port u16][length u16]`, `[shift i8]` if the flags say
//! so, and the payload; lengths are little endian, and the last payload may be cut short. Flags: bits
//! 0 to 2 the flow (of six: two TCP from their SYN on, one TCP from the middle, three UDP), 3 from the
//! server, 4 FIN, 5 RST, 6 payload missing in the capture, 7 out of order, by `shift` times 64 bytes.

use weir_dpi::inspect::{REPORT_BYTES, UNNAMED_PACKETS};
use weir_dpi::{
    AppId, Confidence, Direction, Dissector, Endpoint, Inspector, Limits, Notes, Outcome, Segment,
    Slot, Step, TcpSegment, Transport, Verdict, View, app, attr, meta,
};

/// Flows of an input.
pub const FLOWS: usize = 6;
/// Bit of a packet's flags: from the server.
pub const FROM_SERVER: u8 = 8;
/// Bit of a packet's flags: a shift follows.
pub const SHIFTED: u8 = 0x80;

/// A packet as an input has it.
#[derive(Clone, Copy, Debug)]
pub struct Packet<'a> {
    /// See the module.
    pub flags: u8,
    /// The server's port; that of a flow's first packet counts.
    pub port: u16,
    /// Times 64 bytes out of order, if the flags say so.
    pub shift: i8,
    /// What it carries.
    pub payload: &'a [u8],
}

/// The packets of an input.
pub fn packets(input: &[u8]) -> impl Iterator<Item = Packet<'_>> {
    let mut rest = input;
    std::iter::from_fn(move || {
        let ([flags, low, high, short, long], tail) = rest.split_first_chunk::<5>()?;
        let (shift, tail) = match tail.split_first() {
            Some((shift, tail)) if flags & SHIFTED != 0 => (*shift, tail),
            _ => (0, tail),
        };
        let length = usize::from(u16::from_le_bytes([*short, *long])).min(tail.len());
        let (payload, tail) = tail.split_at(length);
        rest = tail;
        let port = u16::from_le_bytes([*low, *high]);
        Some(Packet { flags: *flags, port, shift: i8::from_le_bytes([shift]), payload })
    })
}

/// Limits with room for an input's flows and no more.
pub fn limits() -> Limits {
    Limits { flows: 8, stream_buffers: 12, dns_names: 64, ..Limits::default() }
}

/// What an input came to.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub struct Driven {
    /// Packets with payload that were inspected.
    pub packets: u64,
    /// Flows that ended with a name that is no guess.
    pub named: u64,
    /// Flows that ended without one.
    pub unnamed: u64,
}

#[derive(Clone, Copy, Default)]
struct Flow {
    slot: Slot,
    port: u16,
    next: [u32; 2],
    packets: u32,
    bytes: u64,
    verdict: Verdict,
}

/// Drives `input` through `inspector`, which must have been made with `limits`, from `now_ns` on; a
/// millisecond a packet.
///
/// # Panics
///
/// If a flow outlives its limits, has a name that does not exist, or metadata that cannot be read.
pub fn inspect(inspector: &mut Inspector, limits: &Limits, now_ns: u64, input: &[u8]) -> Driven {
    inspect_with(inspector, limits, now_ns, input, |_| {})
}

/// The same; `each` is given a flow's metadata after each of its packets.
///
/// # Panics
///
/// As [`inspect`].
pub fn inspect_with(
    inspector: &mut Inspector,
    limits: &Limits,
    now_ns: u64,
    input: &[u8],
    mut each: impl FnMut(&[u8]),
) -> Driven {
    let (mut flows, mut driven) = ([Flow::default(); FLOWS], Driven::default());
    let mut now_ns = now_ns;
    for packet in packets(input) {
        now_ns += 1_000_000;
        let number = usize::from(packet.flags & 7) % FLOWS;
        let Some(flow) = flows.get_mut(number) else { continue };
        let segment = segment(flow, number, &packet, now_ns);
        driven.packets += u64::from(!segment.payload.is_empty());
        let step = inspector.inspect(&mut flow.slot, &segment);
        assert_metadata(inspector.meta(flow.slot));
        each(inspector.meta(flow.slot));
        match step {
            Step::More => {}
            Step::Refined(verdict) => flow.verdict = verdict,
            Step::Ended(verdict) => {
                assert!(!flow.slot.is_none(), "there is room for every flow");
                driven.count(verdict);
                inspector.release(&mut flow.slot);
                *flow = Flow::default();
                continue;
            }
        }
        assert_within(flow, &segment, limits);
    }
    for (number, flow) in flows.iter_mut().enumerate() {
        let (client, server) = ends(number, flow.port);
        let protocol = if number < 3 { 6 } else { 17 };
        let begun = !flow.slot.is_none();
        let verdict = inspector.end(&mut flow.slot, protocol, client, server);
        if begun {
            driven.count(verdict);
        }
        inspector.release(&mut flow.slot);
    }
    assert_eq!(inspector.flows_in_progress(), 0, "a slot is lost");
    driven
}

impl Driven {
    fn count(&mut self, verdict: Verdict) {
        assert_exists(verdict.app);
        assert_exists(verdict.master);
        match verdict.confidence {
            Confidence::Unknown | Confidence::PortGuess => self.unnamed += 1,
            _ => self.named += 1,
        }
    }
}

/// The packet as the inspector is given it; counts it.
fn segment<'a>(flow: &mut Flow, number: usize, packet: &Packet<'a>, now_ns: u64) -> Segment<'a> {
    if flow.packets == 0 {
        flow.port = packet.port;
    }
    let from_server = packet.flags & FROM_SERVER != 0;
    flow.packets += u32::from(!packet.payload.is_empty());
    let [to_server, to_client] = &mut flow.next;
    let next = if from_server { to_client } else { to_server };
    let length = u32::try_from(packet.payload.len()).unwrap_or(0);
    let seq = next.wrapping_add_signed(i32::from(packet.shift) * 64);
    *next = seq.wrapping_add(length);
    flow.bytes += u64::from(length);
    let tcp = TcpSegment {
        seq,
        syn_seen: number < 2,
        fin: packet.flags & 0x10 != 0,
        rst: packet.flags & 0x20 != 0,
    };
    let (client, server) = ends(number, flow.port);
    Segment {
        payload: packet.payload,
        direction: if from_server { Direction::ToClient } else { Direction::ToServer },
        client,
        server,
        protocol: if number < 3 { 6 } else { 17 },
        tcp: (number < 3).then_some(tcp),
        now_ns,
        payload_missing: packet.flags & 0x40 != 0,
    }
}

/// Flows of one server, so that what one says of another counts.
fn ends(number: usize, port: u16) -> (Endpoint, Endpoint) {
    let end = |last, port| {
        let address = [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 192, 0, 2, last];
        Endpoint { address, port }
    };
    (end(1, 40_000 + u16::try_from(number).unwrap_or(0)), end(2, port))
}

/// Whether a flow whose inspection goes on is within its limits.
fn assert_within(flow: &Flow, segment: &Segment<'_>, limits: &Limits) {
    let usual = if segment.protocol == 6 { limits.packets_tcp } else { limits.packets_udp };
    let factor = if app::announces_flows(flow.verdict.master) { 8 } else { 1 };
    assert!(flow.packets < u32::from(usual) * factor, "{} packets of one flow", flow.packets);
    if flow.verdict.is_known() {
        return;
    }
    assert!(flow.packets < u32::from(UNNAMED_PACKETS), "{} packets without a name", flow.packets);
    // Of TCP only the inspector knows what is new and in order.
    let most = u64::from(limits.stream_bytes);
    assert!(segment.protocol == 6 || flow.bytes < most, "{} bytes without a name", flow.bytes);
}

/// Whether the metadata can be read to its end, and every attribute has a description.
///
/// # Panics
///
/// If not.
pub fn assert_metadata(bytes: &[u8]) {
    let mut read = 0;
    for (id, value) in meta::decode(bytes) {
        let described = attr::describe(id);
        assert!(described.is_some(), "attribute {id} has no description");
        assert!(!value.is_empty() || id == attr::HOST_NAME.id, "attribute {id} is empty");
        assert!(value.len() <= meta::VALUE_BYTES);
        read += 4 + value.len();
    }
    assert!(read == bytes.len() && read <= REPORT_BYTES, "{read} of {} bytes", bytes.len());
}

fn assert_exists(app: AppId) {
    assert_eq!(app::describe(app).id, app, "a name that does not exist");
}

/// Asks one dissector about the packets of `input`, whatever the dispatch would say: flow, port and
/// order are of no meaning but for the first port; a shift says that no more bytes can come.
///
/// # Panics
///
/// If it gives a name that does not exist, or metadata that cannot be read.
pub fn dissect(dissector: &Dissector, notes: &mut Notes<'_>, input: &[u8]) {
    let mut found = false;
    let port = packets(input).next().map_or(0, |packet| packet.port);
    let (client, server) = ends(0, port);
    for (packet, before) in packets(input).zip(0u8..=u8::MAX) {
        let udp = packet.flags & 4 != 0;
        let wanted = if udp { Transport::Udp } else { Transport::Tcp };
        let over = dissector.over.iter().find(|over| **over == wanted);
        let Some(&transport) = over.or(dissector.over.first()) else { return };
        if packet.payload.is_empty() {
            continue;
        }
        let from_server = packet.flags & FROM_SERVER != 0;
        let view = View {
            data: packet.payload,
            direction: if from_server { Direction::ToClient } else { Direction::ToServer },
            transport,
            client,
            server,
            last: transport == Transport::Udp || packet.flags & SHIFTED != 0,
            packets_before: before,
            now_ns: 0,
        };
        let mark = notes.meta.mark();
        match (dissector.run)(&view, notes) {
            Outcome::Found { app, more } => {
                assert_exists(app);
                found = true;
                if !more {
                    break;
                }
            }
            Outcome::NeedMore if found => {}
            Outcome::NeedMore => notes.meta.rewind(mark),
            Outcome::NotMine | Outcome::GiveUp => break,
        }
    }
    assert_metadata(notes.meta.as_bytes());
}

/// Reads any bytes as metadata, as a reader of shared memory does, and puts what they hold into a
/// flow's own, as dissectors do.
///
/// # Panics
///
/// If what was put cannot be read back, or a host name is not brought into one form at once.
pub fn metadata(input: &[u8]) {
    let mut own = meta::Meta::default();
    let mut read = 0;
    for (id, value) in meta::decode(input) {
        read += 4 + value.len();
        if let Some(attr) = attr::describe(id) {
            let mark = own.mark();
            own.put(attr, value);
            if value.first() == Some(&0xff) {
                own.rewind(mark);
            }
        }
    }
    assert!(read <= input.len());
    assert_metadata(own.as_bytes());
    own.tidy_host_name();
    assert_metadata(own.as_bytes());
    let before = own.clone();
    own.tidy_host_name();
    assert_eq!(own.as_bytes(), before.as_bytes(), "tidying twice changes something");
}
