//! A flow's health: what its packets' order, times and sizes say of the path and the two ends.
//!
//! Every flow has a cache line that the shard alone sees, half of it for each direction
//! ([`sequence::Half`]), and from its second packet on a slot in shared memory, where the results lie.
//! Most packets change the first and one line of the slot. Nothing here looks at a clock: all times are
//! those of the packets.
//!
//! Always: no allocation, no panic on any input, a bounded number of steps a packet.
//! Deliberately absent: reassembly. A segment is judged by its numbers and those of the last ones.

mod course;
mod datagram;
mod exchange;
mod latency;
mod options;
mod plain;
mod sequence;
mod state;
mod statistics;

#[cfg(test)]
mod tests;

use weir_shm::HealthSlots;
use weir_shm::flow::FlowSlot;
use weir_shm::health::{
    BUCKET, ConnState, GAPS, HEALTH_WORDS, HealthSlot, MARKED, MISCELLANY, RARE, RESENT, WINDOWS,
    WORD_FLOW_ID, WORD_STATE, option, seen, statistics_of, trips_of, with_high,
};

use crate::flow::group::prefetch;
use crate::flow::record;
use crate::sys::table::table;
use crate::wire::{Parsed, TcpHead};

pub(crate) use course::{Course, Telling};
use datagram::{Datagram, Queries};
use exchange::Exchange;
use sequence::{Half, found};

const TCP: u8 = 6;
const UDP: u8 = 17;

/// What a SYN asks for congestion marks with (RFC 3168, section 6.1.1).
const SETUP: u8 = TcpHead::ECE | TcpHead::CWR;

/// Bit of the lower half's `seen`: the flow has its slot.
const OPEN: u8 = 0x80;
/// Bit of a server's `seen`: it answered a SYN, and that was not acknowledged yet.
const ANSWERED: u8 = 0x40;

/// The health of a shard's flows.
#[derive(Debug)]
pub(crate) struct Health {
    hot: Box<[Halves]>,
    slots: HealthSlots,
    queries: Queries,
    told: Box<[course::Told]>,
}

/// Both directions of a flow, from the lower endpoint first.
#[derive(Clone, Copy, Default, Debug)]
#[repr(align(64))]
struct Halves([Half; 2]);

/// A packet as it arrives.
#[derive(Clone, Copy, Debug)]
struct Arrival<'a> {
    packet: &'a Parsed,
    /// The frame as captured.
    frame: &'a [u8],
    /// Bytes of the frame on the wire.
    bytes: u32,
    now_ns: u64,
    /// The same in ticks.
    now: u32,
}

impl Arrival<'_> {
    /// The TCP header with its options, as far as captured.
    #[inline(always)]
    fn tcp_head(&self) -> &[u8] {
        let from = usize::from(self.packet.l4_at);
        let to = from + usize::from(self.packet.tcp.header_bytes);
        self.frame.get(from..to).unwrap_or(&[])
    }
}

impl Health {
    /// The health of flows whose slots are `slots`; none are kept where there are no slots.
    pub(crate) fn new(slots: HealthSlots) -> Health {
        let hot = table(Halves::default(), slots.len());
        let told = table(course::Told::default(), slots.len());
        Health { hot, queries: Queries::new(!slots.is_empty()), told, slots }
    }

    /// Bytes of a flow's place.
    pub(crate) fn bytes_a_flow(&self) -> usize {
        let own = size_of::<Halves>() + size_of::<course::Told>();
        if self.hot.is_empty() { 0 } else { own + size_of::<HealthSlot>() }
    }

    /// Asks for what the next packet of a flow reads and writes.
    #[inline(always)]
    pub(crate) fn fetch(&self, index: u32, is_new: bool) {
        let index = index as usize;
        if let (Some(hot), Some(slot)) = (self.hot.get(index), self.slots.get(index)) {
            prefetch::<0, _>(hot);
            if !is_new {
                prefetch::<1, _>(slot);
            }
        }
    }

    /// The words of a flow's slot; `None` where it has none.
    pub(crate) fn words(&self, index: u32, flow: &FlowSlot) -> Option<[u64; HEALTH_WORDS]> {
        let slot = self.slots.get(index as usize)?;
        let is_its = slot.load(WORD_FLOW_ID) == record::flow_id(flow);
        is_its.then(|| slot.snapshot().words)
    }

    /// Notes a packet of the flow in a slot that is open and does not have it yet. `frame` gives the
    /// frame as captured.
    #[inline(always)]
    pub(crate) fn observe<'a>(
        &mut self,
        index: u32,
        flow: &FlowSlot,
        packet: &'a Parsed,
        (bytes, now_ns): (u32, u64),
        frame: impl FnOnce() -> &'a [u8],
    ) {
        let at = index as usize;
        let (Some(halves), Some(slot)) = (self.hot.get_mut(at), self.slots.get(at)) else { return };
        if !plain::goes_on(halves, slot, flow, packet, (bytes, now_ns)) {
            let now = sequence::tick(now_ns);
            let arrival = Arrival { packet, frame: frame(), bytes, now_ns, now };
            self.at_length(index, flow, &arrival);
        }
    }

    /// A packet that may be anything.
    #[inline(never)]
    fn at_length(&mut self, index: u32, flow: &FlowSlot, arrival: &Arrival<'_>) {
        let at = index as usize;
        let (Some(halves), Some(slot)) = (self.hot.get_mut(at), self.slots.get(at)) else { return };
        let (Halves(halves), lane) = (halves, usize::from(arrival.packet.swapped));
        let slot = if record::packets(flow) == 0 {
            *halves = [Half::default(); 2];
            None
        } else {
            if halves[0].seen & OPEN == 0 {
                open(halves, slot, flow, arrival.packet.key.protocol());
            }
            match record::of_lane(flow, lane) {
                (0, _) => statistics::begin(slot, lane, arrival.bytes),
                (_, last_ns) => {
                    statistics::count(slot, lane, arrival.bytes, arrival.now_ns, last_ns);
                }
            }
            if is_marked(arrival.packet) {
                slot.add_low(slot.events(lane) + MARKED, 1);
            }
            Some(slot)
        };
        match arrival.packet.key.protocol() {
            TCP if arrival.packet.tcp.header_bytes != 0 => {
                Exchange::new(halves, slot, flow, lane).tcp(arrival);
            }
            UDP => udp(halves, slot, flow, &mut self.queries, index, arrival),
            _ => {}
        }
    }
}

/// Whether the packet is marked "congestion experienced" (RFC 3168, section 5).
#[inline(always)]
const fn is_marked(packet: &Parsed) -> bool {
    const EXPERIENCED: u8 = 3;
    packet.traffic_class & EXPERIENCED == EXPERIENCED
}

/// Gives a flow that has one packet its slot, with what that packet showed.
#[cold]
fn open(halves: &mut [Half; 2], slot: &HealthSlot, flow: &FlowSlot, protocol: u8) {
    slot.clear(WORD_STATE..trips_of(0));
    slot.store(WORD_FLOW_ID, record::flow_id(flow));
    halves[0].seen |= OPEN;
    let lane = usize::from(record::of_lane(flow, 0).0 == 0);
    let bytes = record::bytes_of_lane(flow, lane);
    statistics::begin(slot, lane, u32::try_from(bytes).unwrap_or(u32::MAX));
    let half = halves[lane];
    let client_lane = record::client_lane(flow);
    let shown = half.seen & state::LETTERS;
    state::add_letters(slot, shown, lane == client_lane);
    if protocol == UDP {
        let from_client = lane == client_lane;
        state::write(slot, ConnState::of_udp(from_client, !from_client), 0);
    }
    if protocol != TCP {
        return;
    }
    if shown & (seen::SYN | seen::SYN_ACK) != 0 {
        state::count_syn(slot);
        note_offer(slot, lane, half.sample_end, half.offered);
    }
    let events = if shown & seen::RST != 0 { found::RESET } else { 0 }
        | if half.has(sequence::CLOSED_WINDOW) { found::ZERO_WINDOW } else { 0 };
    if events != 0 {
        count_events(slot, lane, events, 0);
    }
    let [client, server] = both(halves, client_lane);
    state::judge(slot, client, server, lane == client_lane);
}

/// What the client and the server have shown.
fn both(halves: &[Half; 2], client_lane: usize) -> [u8; 2] {
    let [lo, hi] = halves.each_ref().map(|half| half.seen & state::LETTERS);
    if client_lane == 0 { [lo, hi] } else { [hi, lo] }
}

fn note_offer(slot: &HealthSlot, lane: usize, mss: u32, offered: u8) {
    let has = |bit, option| if offered & bit != 0 { option } else { 0 };
    let options = option::SEEN
        | has(sequence::SCALE, option::SCALE)
        | has(sequence::SACK, option::SACK)
        | has(sequence::TIMESTAMPS, option::TIMESTAMPS)
        | if mss != 0 { option::MSS } else { 0 };
    let [shift, options] = [offered & sequence::SHIFT, options].map(u32::from);
    let word = statistics_of(lane) + BUCKET;
    slot.store(word, with_high(slot.load(word), mss | shift << 16 | options << 24));
}

const _: () = assert!(WINDOWS == RARE + 1 && MISCELLANY == RARE + 2);

/// Counts what a segment of `length` bytes was found to be.
#[cold]
fn count_events(slot: &HealthSlot, lane: usize, what: u32, length: u32) {
    let base = slot.events(lane);
    if what & found::RETRANSMISSION != 0 {
        slot.add_low(base + RESENT, 1);
        slot.add_high(base + MARKED, length);
    }
    for (bit, word) in [(found::OUT_OF_ORDER, RESENT), (found::DUPLICATE_ACK, GAPS)] {
        if what & bit != 0 {
            slot.add_high(base + word, 1);
        }
    }
    if what & found::LOST != 0 {
        slot.add_low(base + GAPS, 1);
    }
    let mut left = what & found::QUARTERS;
    while left != 0 {
        let quarter = left.trailing_zeros();
        slot.count(base + RARE + quarter as usize / 4, quarter);
        left &= left - 1;
    }
}

fn udp(
    halves: &mut [Half; 2],
    slot: Option<&HealthSlot>,
    flow: &FlowSlot,
    queries: &mut Queries,
    index: u32,
    arrival: &Arrival<'_>,
) {
    let packet = arrival.packet;
    let lane = usize::from(packet.swapped);
    let ports = (packet.key.port_lo(), packet.key.port_hi());
    let client_lane = record::client_lane(flow);
    let is_first = halves[lane].seen & seen::DATA == 0;
    let from_client = client_lane == lane;
    halves[lane].seen |= seen::DATA;
    if is_first && let Some(slot) = slot {
        state::add_letters(slot, seen::DATA, from_client);
        state::write(slot, ConnState::of_udp(true, true), 0);
    }
    let datagram = Datagram {
        index,
        ports,
        payload: packet.payload(arrival.frame),
        from_client,
        lane,
        now_ns: arrival.now_ns,
        now: arrival.now,
        asked_ns: record::of_lane(flow, client_lane).1,
    };
    datagram::observe(halves, slot, queries, &datagram);
}
