//! A flow's health: what its packets' order, times and sizes say of the path and the two ends.
//!
//! Every flow has two cache lines that the shard alone sees, one a direction ([`sequence::Half`]), and
//! from its second packet on a slot in shared memory, where the results lie. Nothing here looks at a
//! clock: all times are those of the packets.
//!
//! Always: no allocation, no panic on any input, a bounded number of steps a packet.
//! Deliberately absent: reassembly. A segment is judged by its numbers and those of the last ones.

mod datagram;
mod latency;
mod options;
mod sequence;
mod state;
mod statistics;

#[cfg(test)]
mod tests;

use weir_shm::HealthSlots;
use weir_shm::flow::FlowSlot;
use weir_shm::health::{
    ConnState, GAPS, HEALTH_WORDS, HealthSlot, MARKED, MISCELLANY, OFFERED, RARE, RESENT, WINDOWS,
    WORD_FLOW_ID, events_of, mark, option, seen, with_high,
};

use crate::flow::group::prefetch;
use crate::flow::record;
use crate::wire::{Parsed, TcpHead};

use datagram::{Datagram, Queries};
use sequence::{Half, Segment, found};

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
    hot: Box<[[Half; 2]]>,
    slots: HealthSlots,
    queries: Queries,
}

/// A packet as it arrives.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Arrival<'a> {
    pub(crate) packet: &'a Parsed,
    /// The frame as captured.
    pub(crate) frame: &'a [u8],
    /// Bytes of the frame on the wire.
    pub(crate) bytes: u32,
    pub(crate) now_ns: u64,
}

impl Arrival<'_> {
    /// The TCP header with its options, as far as captured.
    #[inline(always)]
    pub(crate) fn tcp_head(&self) -> &[u8] {
        let from = usize::from(self.packet.l4_at);
        let to = from + usize::from(self.packet.tcp.header_bytes);
        self.frame.get(from..to).unwrap_or(&[])
    }

    /// Whether the packet is marked "congestion experienced" (RFC 3168, section 5).
    #[inline(always)]
    fn is_marked(&self) -> bool {
        const EXPERIENCED: u8 = 3;
        let at = usize::from(self.packet.ip_at);
        let Some([first, second]) = self.frame.get(at..).and_then(|ip| ip.first_chunk()) else {
            return false;
        };
        let field = if first >> 4 == 4 { *second } else { second >> 4 };
        field & EXPERIENCED == EXPERIENCED
    }
}

impl Health {
    /// The health of flows whose slots are `slots`; none are kept where there are no slots.
    pub(crate) fn new(slots: HealthSlots) -> Health {
        let hot = vec![[Half::default(); 2]; slots.len()].into();
        Health { hot, queries: Queries::new(!slots.is_empty()), slots }
    }

    /// Whether health is kept.
    #[inline(always)]
    pub(crate) fn is_on(&self) -> bool {
        !self.hot.is_empty()
    }

    /// Bytes of a flow's place.
    pub(crate) fn bytes_a_flow(&self) -> usize {
        if self.is_on() { size_of::<[Half; 2]>() + size_of::<HealthSlot>() } else { 0 }
    }

    /// Asks for what the next packet of a flow reads and writes.
    #[inline(always)]
    pub(crate) fn fetch(&self, index: u32, swapped: bool, is_new: bool) {
        let index = index as usize;
        if let (Some(hot), Some(slot)) = (self.hot.get(index), self.slots.get(index)) {
            prefetch::<0, _>(hot);
            prefetch::<1, _>(hot);
            match (is_new, swapped) {
                (true, _) => {}
                (false, false) => prefetch::<1, _>(slot),
                (false, true) => prefetch::<2, _>(slot),
            }
        }
    }

    /// The words of a flow's slot; `None` where it has none.
    pub(crate) fn words(&self, index: u32, flow: &FlowSlot) -> Option<[u64; HEALTH_WORDS]> {
        let slot = self.slots.get(index as usize)?;
        let is_its = slot.load(WORD_FLOW_ID) == record::flow_id(flow);
        is_its.then(|| slot.snapshot().words)
    }

    /// Notes a packet of the flow in a slot that is open and does not have it yet.
    #[inline(always)]
    pub(crate) fn observe(&mut self, index: u32, flow: &FlowSlot, arrival: &Arrival<'_>) {
        let at = index as usize;
        let (Some(halves), Some(slot)) = (self.hot.get_mut(at), self.slots.get(at)) else { return };
        let lane = usize::from(arrival.packet.swapped);
        let slot = if record::packets(flow) == 0 {
            *halves = [Half::default(); 2];
            None
        } else {
            if halves[0].seen & OPEN == 0 {
                open(halves, slot, flow, arrival.packet.key.protocol());
            }
            statistics::count(slot, flow, lane, arrival.bytes, arrival.now_ns);
            if arrival.is_marked() {
                slot.add_low(events_of(lane) + MARKED, 1);
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

/// Gives a flow that has one packet its slot, with what that packet showed.
#[cold]
fn open(halves: &mut [Half; 2], slot: &HealthSlot, flow: &FlowSlot, protocol: u8) {
    for word in 1..HEALTH_WORDS {
        slot.store(word, 0);
    }
    slot.store(WORD_FLOW_ID, record::flow_id(flow));
    halves[0].seen |= OPEN;
    let lane = usize::from(record::of_lane(flow, 0).0 == 0);
    let (bytes, first_ns) = record::first_of_lane(flow, lane);
    statistics::begin(slot, lane, u32::try_from(bytes).unwrap_or(u32::MAX), first_ns);
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
        note_offer(slot, lane, &half);
    }
    let events = if shown & seen::RST != 0 { found::RESET } else { 0 }
        | if half.has(sequence::CLOSED_WINDOW) { found::ZERO_WINDOW } else { 0 };
    count_events(slot, lane, events, 0);
    let [client, server] = both(halves, client_lane);
    state::judge(slot, client, server, lane == client_lane);
}

/// What the client and the server have shown.
fn both(halves: &[Half; 2], client_lane: usize) -> [u8; 2] {
    let [lo, hi] = halves.each_ref().map(|half| half.seen & state::LETTERS);
    if client_lane == 0 { [lo, hi] } else { [hi, lo] }
}

fn note_offer(slot: &HealthSlot, lane: usize, half: &Half) {
    let has = |bit, option| if half.offered & bit != 0 { option } else { 0 };
    let options = option::SEEN
        | has(sequence::SCALE, option::SCALE)
        | has(sequence::SACK, option::SACK)
        | has(sequence::TIMESTAMPS, option::TIMESTAMPS)
        | if half.mss != 0 { option::MSS } else { 0 };
    let [shift, options] = [half.offered & sequence::SHIFT, options].map(u32::from);
    let word = events_of(lane) + OFFERED;
    let offer = u32::from(half.mss) | shift << 16 | options << 24;
    slot.store(word, with_high(slot.load(word), offer));
}

const _: () = assert!(WINDOWS == RARE + 1 && MISCELLANY == RARE + 2);

/// Counts what a segment of `length` bytes was found to be.
#[cold]
fn count_events(slot: &HealthSlot, lane: usize, what: u32, length: u32) {
    let base = events_of(lane);
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

/// A packet's two sides.
struct Exchange<'a> {
    from: &'a mut Half,
    to: &'a mut Half,
    /// None for the flow's first packet.
    slot: Option<&'a HealthSlot>,
    flow: &'a FlowSlot,
    lane: usize,
    from_client: bool,
}

impl<'a> Exchange<'a> {
    #[inline(always)]
    fn new(
        halves: &'a mut [Half; 2],
        slot: Option<&'a HealthSlot>,
        flow: &'a FlowSlot,
        lane: usize,
    ) -> Exchange<'a> {
        let [lo, hi] = halves;
        let (from, to) = if lane == 0 { (lo, hi) } else { (hi, lo) };
        let from_client = record::client_lane(flow) == lane;
        Exchange { from, to, slot, flow, lane, from_client }
    }

    #[inline(always)]
    fn tcp(&mut self, arrival: &Arrival<'_>) {
        let (tcp, length) = (&arrival.packet.tcp, arrival.packet.payload_wire_bytes);
        let letter = if length != 0 { seen::DATA } else { seen::ACK };
        let nothing_new = self.from.seen & letter != 0 && self.to.seen & ANSWERED == 0;
        let now_ns = arrival.now_ns;
        if nothing_new && sequence::goes_on(self.from, self.to, tcp, length, now_ns) {
            self.acknowledges(arrival);
            if length != 0 {
                latency::sent(self.from, arrival);
                self.carries(arrival, false);
            }
            return;
        }
        self.tcp_at_length(arrival);
    }

    /// Ends a measurement of the other direction.
    #[inline(always)]
    fn acknowledges(&mut self, arrival: &Arrival<'_>) {
        if let Some(took) = latency::acknowledged(self.to, arrival)
            && let Some(slot) = self.slot
        {
            latency::round_trip(slot, 1 - self.lane, took);
        }
    }

    /// A segment that may be anything.
    fn tcp_at_length(&mut self, arrival: &Arrival<'_>) {
        if arrival.packet.tcp.flags & TcpHead::SYN != 0 {
            self.opens(arrival);
        }
        let segment = self.segment(arrival);
        if self.from.has(sequence::CLOSED_WINDOW) {
            self.note_closed_window(arrival.now_ns);
        }
        let mut what = sequence::analyse(self.from, self.to, &segment);
        if segment.has(TcpHead::ECE) && !segment.has(TcpHead::SYN) {
            what |= found::ECN_ECHO;
        }
        let new = state::shown(&segment) & !self.from.seen;
        self.from.seen |= new;
        if let Some(slot) = self.slot {
            if what & found::RESET != 0 {
                self.refuses(slot, segment.now_ns);
            }
            if what & !found::ADVANCED != 0 {
                self.note_events(slot, what, segment.length);
            }
            if new != 0 {
                self.note_letters(slot, new);
            }
            self.answers(slot, &segment);
            if new & (seen::ACK | seen::DATA) != 0 {
                self.is_answered_elsewhere(slot, &segment);
            }
        }
        self.acknowledges(arrival);
        if what & (found::RETRANSMISSION | found::OUT_OF_ORDER) != 0 {
            self.from.flags |= sequence::RESENT;
        }
        if what & found::ADVANCED != 0 && segment.length > 0 {
            latency::sent(self.from, arrival);
            self.carries(arrival, new & seen::DATA != 0);
        }
    }

    #[inline(always)]
    fn segment(&self, arrival: &Arrival<'_>) -> Segment {
        let tcp = &arrival.packet.tcp;
        let length = arrival.packet.payload_wire_bytes;
        let is_old = self.from.has(sequence::NEXT) && sequence::after(self.from.next, tcp.sequence);
        let round_trip = if is_old { self.slot.and_then(latency::handshake_ns) } else { None };
        Segment {
            sequence: tcp.sequence,
            acknowledgement: tcp.acknowledgement,
            length,
            window: tcp.window,
            flags: tcp.flags,
            now_ns: arrival.now_ns,
            reorder_ns: round_trip.unwrap_or(sequence::REORDER_NS),
        }
    }

    /// A reset instead of an answer to a SYN: as far away as one.
    #[cold]
    fn refuses(&self, slot: &HealthSlot, now_ns: u64) {
        let asked = self.to.seen & seen::SYN != 0;
        if asked && self.from.seen & !seen::RST & state::LETTERS == 0 {
            latency::server_delay(slot, now_ns.saturating_sub(self.to.mark_ns));
        }
    }

    /// A SYN, or the answer to one.
    #[cold]
    fn opens(&mut self, arrival: &Arrival<'_>) {
        let tcp = &arrival.packet.tcp;
        let answers = tcp.flags & TcpHead::ACK != 0;
        if !answers && self.from.has(sequence::NEXT) && tcp.sequence != self.from.first {
            sequence::forget(self.from);
            sequence::forget(self.to);
        }
        let offer = options::offer(arrival.tcp_head());
        (self.from.mss, self.from.offered) = (offer.mss, offer.bits);
        self.from.mark_ns = arrival.now_ns;
        if answers {
            self.from.seen |= ANSWERED;
        }
        let Some(slot) = self.slot else { return };
        state::count_syn(slot);
        note_offer(slot, self.lane, self.from);
        if answers && self.to.seen & seen::SYN != 0 && !state::has_mark(slot, mark::ESTABLISHED) {
            latency::server_delay(slot, arrival.now_ns.saturating_sub(self.to.mark_ns));
            let asked = record::flags_of_lane(self.flow, 1 - self.lane) & SETUP == SETUP;
            if asked && tcp.flags & SETUP == TcpHead::ECE {
                state::add_marks(slot, mark::ECN);
            }
        }
    }

    /// The end of a handshake whose answer went another way: the whole round trip.
    #[cold]
    fn is_answered_elsewhere(&self, slot: &HealthSlot, segment: &Segment) {
        let acknowledges =
            segment.flags & (TcpHead::SYN | TcpHead::RST | TcpHead::ACK) == TcpHead::ACK;
        if acknowledges && self.from.seen & seen::SYN != 0 && self.to.seen & seen::SYN_ACK == 0 {
            latency::server_delay(slot, segment.now_ns.saturating_sub(self.from.mark_ns));
        }
    }

    /// The end of the handshake.
    #[inline(always)]
    fn answers(&mut self, slot: &HealthSlot, segment: &Segment) {
        if self.to.seen & ANSWERED == 0
            || segment.flags & (TcpHead::SYN | TcpHead::ACK) != TcpHead::ACK
        {
            return;
        }
        self.to.seen &= !ANSWERED;
        if segment.has(TcpHead::RST) || state::has_mark(slot, mark::ESTABLISHED) {
            return;
        }
        latency::client_delay(slot, segment.now_ns.saturating_sub(self.to.mark_ns));
    }

    /// New payload: a request, or the beginning of an answer.
    #[inline(always)]
    fn carries(&mut self, arrival: &Arrival<'_>, is_first: bool) {
        let now_ns = arrival.now_ns;
        if !self.from_client {
            if self.to.has(sequence::WAITS) {
                self.to.flags &= !sequence::WAITS;
                if let Some(slot) = self.slot {
                    latency::answer(slot, now_ns.saturating_sub(self.to.mark_ns));
                }
            }
            return;
        }
        if is_first || self.to.has(sequence::WAITS) {
            self.hello(arrival, is_first);
        }
        self.from.flags |= sequence::WAITS;
        self.from.mark_ns = now_ns;
    }

    /// The beginning and the end of a TLS handshake, in what the client sends.
    #[cold]
    fn hello(&mut self, arrival: &Arrival<'_>, is_first: bool) {
        let payload = arrival.packet.payload(arrival.frame);
        if is_first {
            if latency::is_hello(payload) {
                self.to.flags |= sequence::WAITS;
                self.to.mark_ns = arrival.now_ns;
            }
            return;
        }
        let answered = self.to.seen & seen::DATA != 0;
        if let (true, Some(slot)) = (answered && latency::ends_handshake(payload), self.slot) {
            self.to.flags &= !sequence::WAITS;
            latency::secured(slot, arrival.now_ns.saturating_sub(self.to.mark_ns));
        }
    }

    #[cold]
    fn note_closed_window(&self, now_ns: u64) {
        let Some(slot) = self.slot else { return };
        let (_, last_ns) = record::of_lane(self.flow, self.lane);
        let closed_us = now_ns.saturating_sub(last_ns) / 1000;
        slot.add_low(events_of(self.lane) + OFFERED, u32::try_from(closed_us).unwrap_or(u32::MAX));
    }

    #[cold]
    fn note_events(&self, slot: &HealthSlot, what: u32, length: u32) {
        count_events(slot, self.lane, what, length);
        for (bit, letter) in
            [(found::RETRANSMISSION, b'T'), (found::LOST, b'G'), (found::ZERO_WINDOW, b'W')]
        {
            if what & bit != 0 {
                state::add_once(slot, letter, self.from_client);
            }
        }
    }

    #[cold]
    fn note_letters(&self, slot: &HealthSlot, new: u8) {
        state::add_letters(slot, new, self.from_client);
        let [from, to] = [self.from.seen, self.to.seen].map(|seen| seen & state::LETTERS);
        let (client, server) = if self.from_client { (from, to) } else { (to, from) };
        state::judge(slot, client, server, self.from_client);
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
    let from_client = record::client_lane(flow) == lane;
    let is_first = halves[lane].seen & seen::DATA == 0;
    halves[lane].seen |= seen::DATA;
    if is_first && let Some(slot) = slot {
        state::add_letters(slot, seen::DATA, from_client);
        state::write(slot, ConnState::of_udp(true, true), 0);
    }
    let datagram = Datagram {
        index,
        ports: (packet.key.port_lo(), packet.key.port_hi()),
        payload: packet.payload(arrival.frame),
        from_client,
        lane,
        now_ns: arrival.now_ns,
    };
    datagram::observe(halves, slot, queries, &datagram);
}
