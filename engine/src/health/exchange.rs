//! A segment that may be anything, and its two sides.

use weir_shm::flow::FlowSlot;
use weir_shm::health::{CLOSED, HealthSlot, OWN, low, mark, seen, with_low};

use super::sequence::{self, Half, Segment, found, since};
use super::{ANSWERED, Arrival, SETUP, count_events, latency, note_offer, options, state};
use crate::flow::record;
use crate::wire::TcpHead;

/// A packet's two sides.
pub(super) struct Exchange<'a> {
    pub(super) from: &'a mut Half,
    pub(super) to: &'a mut Half,
    /// None for the flow's first packet.
    pub(super) slot: Option<&'a HealthSlot>,
    pub(super) flow: &'a FlowSlot,
    pub(super) lane: usize,
    pub(super) from_client: bool,
}

impl<'a> Exchange<'a> {
    #[inline(always)]
    pub(super) fn new(
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

    /// What a side has not shown before, or the end of the handshake.
    pub(super) fn shows(&mut self, new: u8, flags: u8, now: u32) {
        self.from.seen |= new;
        let Some(slot) = self.slot else { return };
        if new != 0 {
            self.note_letters(slot, new);
        }
        self.answers(slot, flags, now);
        if new & (seen::ACK | seen::DATA) != 0 {
            self.is_answered_elsewhere(slot, flags, now);
        }
    }

    /// A segment that may be anything.
    pub(super) fn tcp(&mut self, arrival: &Arrival<'_>) {
        if arrival.packet.tcp.flags & TcpHead::SYN != 0 {
            self.opens(arrival);
        }
        let segment = self.segment(arrival);
        if self.from.has(sequence::CLOSED_WINDOW) {
            self.note_closed_window(arrival.now_ns);
        }
        let (mut what, reach) = sequence::analyse(self.from, self.to, &segment);
        self.keep_reach(reach);
        if segment.has(TcpHead::ECE) && !segment.has(TcpHead::SYN) {
            what |= found::ECN_ECHO;
        }
        if let Some(slot) = self.slot {
            if what & found::RESET != 0 {
                self.refuses(slot, segment.now);
            }
            if what & !found::ADVANCED != 0 {
                self.note_events(slot, what, segment.length);
            }
        }
        let new = state::shown(&segment) & !self.from.seen;
        if new | self.to.seen & ANSWERED != 0 {
            self.shows(new, segment.flags, segment.now);
        }
        self.acknowledges(arrival);
        if what & (found::RETRANSMISSION | found::OUT_OF_ORDER) != 0
            && let Some(slot) = self.slot
        {
            latency::sent_again(self.from, slot, self.lane, arrival);
        }
        if what & found::ADVANCED != 0 && segment.length > 0 {
            // Data of a SYN is acknowledged with it.
            if !segment.has(TcpHead::SYN) {
                let end = segment.sequence.wrapping_add(segment.length);
                latency::sent(self.from, end, segment.now);
            }
            self.carries(arrival, new & seen::DATA != 0);
        }
    }

    /// Ends a measurement of the other direction.
    fn acknowledges(&mut self, arrival: &Arrival<'_>) {
        let (slot, other) = (self.slot, 1 - self.lane);
        let took = latency::acknowledged(self.to, &arrival.packet.tcp, arrival.now, || {
            slot.is_some_and(|slot| latency::is_first_time(slot, other, arrival))
        });
        if let (Some(took), Some(slot)) = (took, slot) {
            latency::round_trip(slot, other, took);
        }
    }

    fn segment(&self, arrival: &Arrival<'_>) -> Segment {
        let tcp = &arrival.packet.tcp;
        let is_old = self.from.has(sequence::NEXT) && sequence::after(self.from.next, tcp.sequence);
        let (mut answers_after_ns, mut round_trip) = (None, None);
        if is_old {
            let (_, last_ns) = record::of_lane(self.flow, 1 - self.lane);
            answers_after_ns = arrival.now_ns.checked_sub(last_ns);
            round_trip = self.slot.and_then(latency::handshake);
        }
        Segment {
            sequence: tcp.sequence,
            acknowledgement: tcp.acknowledgement,
            length: arrival.packet.payload_wire_bytes,
            window: tcp.window,
            flags: tcp.flags,
            now: arrival.now,
            answers_after_ns,
            reorder: round_trip.unwrap_or(sequence::REORDER),
            reach: [self.reach(self.from, self.lane), self.reach(self.to, 1 - self.lane)],
        }
    }

    /// Where what a side sent ends, without a gap.
    fn reach(&self, half: &Half, lane: usize) -> u32 {
        match self.slot {
            Some(slot) if half.has(sequence::GAP) => low(slot.load(slot.events(lane) + OWN)),
            _ => half.next,
        }
    }

    fn keep_reach(&self, reach: u32) {
        if self.from.has(sequence::GAP)
            && let Some(slot) = self.slot
        {
            let own = slot.events(self.lane) + OWN;
            slot.store(own, with_low(slot.load(own), reach));
        }
    }

    /// A reset instead of an answer to a SYN: as far away as one.
    #[cold]
    fn refuses(&self, slot: &HealthSlot, now: u32) {
        let asked = self.to.seen & seen::SYN != 0;
        if asked && self.from.seen & !seen::RST & state::LETTERS == 0 {
            latency::server_delay(slot, since(now, self.to.mark));
        }
    }

    /// A SYN, or the answer to one.
    #[cold]
    fn opens(&mut self, arrival: &Arrival<'_>) {
        let tcp = &arrival.packet.tcp;
        let answers = tcp.flags & TcpHead::ACK != 0;
        if !answers && sequence::begins_anew(self.from, tcp.sequence) {
            sequence::forget(self.from);
            sequence::forget(self.to);
        }
        let offer = options::offer(arrival.tcp_head());
        (self.from.offered, self.from.mark) = (offer.bits, arrival.now);
        if answers {
            self.from.seen |= ANSWERED;
        }
        let Some(slot) = self.slot else {
            self.from.sample_end = offer.mss.into();
            return;
        };
        state::count_syn(slot);
        note_offer(slot, self.lane, offer.mss.into(), offer.bits);
        if answers && self.to.seen & seen::SYN != 0 && !state::has_mark(slot, mark::ESTABLISHED) {
            latency::server_delay(slot, since(arrival.now, self.to.mark));
            let asked = record::flags_of_lane(self.flow, 1 - self.lane) & SETUP == SETUP;
            if asked && tcp.flags & SETUP == TcpHead::ECE {
                state::add_marks(slot, mark::ECN);
            }
        }
    }

    /// The end of a handshake whose answer went another way: the whole round trip.
    fn is_answered_elsewhere(&self, slot: &HealthSlot, flags: u8, now: u32) {
        const ENDS: u8 = TcpHead::SYN | TcpHead::RST | TcpHead::ACK;
        let acknowledges = flags & ENDS == TcpHead::ACK;
        if acknowledges && self.from.seen & seen::SYN != 0 && self.to.seen & seen::SYN_ACK == 0 {
            latency::server_delay(slot, since(now, self.from.mark));
        }
    }

    /// The end of the handshake.
    fn answers(&mut self, slot: &HealthSlot, flags: u8, now: u32) {
        let ends = flags & (TcpHead::SYN | TcpHead::ACK) == TcpHead::ACK;
        if self.to.seen & ANSWERED == 0 || !ends {
            return;
        }
        self.to.seen &= !ANSWERED;
        if flags & TcpHead::RST != 0 || state::has_mark(slot, mark::ESTABLISHED) {
            return;
        }
        latency::client_delay(slot, since(now, self.to.mark));
    }

    /// New payload: a request, or the beginning of an answer.
    fn carries(&mut self, arrival: &Arrival<'_>, is_first: bool) {
        if !self.from_client {
            if self.to.has(sequence::WAITS) {
                self.answers_request((arrival.now, arrival.now_ns));
            }
            return;
        }
        if is_first || self.to.has(sequence::WAITS) {
            self.hello(arrival, is_first);
        }
        self.asks(arrival.now);
    }

    /// A request, or more of one.
    #[inline]
    pub(super) const fn asks(&mut self, now: u32) {
        self.from.flags |= sequence::WAITS;
        self.from.mark = now;
    }

    /// The first payload of the server after one of the client.
    #[inline]
    pub(super) fn answers_request(&mut self, now: (u32, u64)) {
        self.to.flags &= !sequence::WAITS;
        if let Some(slot) = self.slot {
            let (_, asked_ns) = record::of_lane(self.flow, 1 - self.lane);
            latency::answer(slot, latency::waited(now, self.to.mark, asked_ns));
        }
    }

    /// The beginning and the end of a TLS handshake, in what the client sends.
    #[cold]
    fn hello(&mut self, arrival: &Arrival<'_>, is_first: bool) {
        let payload = arrival.packet.payload(arrival.frame);
        if is_first {
            if latency::is_hello(payload) {
                self.to.flags |= sequence::WAITS;
                self.to.mark = arrival.now;
            }
            return;
        }
        let answered = self.to.seen & seen::DATA != 0;
        if let (true, Some(slot)) = (answered && latency::ends_handshake(payload), self.slot) {
            self.to.flags &= !sequence::WAITS;
            latency::secured(slot, since(arrival.now, self.to.mark));
        }
    }

    #[cold]
    fn note_closed_window(&self, now_ns: u64) {
        let Some(slot) = self.slot else { return };
        let (_, last_ns) = record::of_lane(self.flow, self.lane);
        let closed_us = now_ns.saturating_sub(last_ns) / 1000;
        slot.add_low(slot.events(self.lane) + CLOSED, u32::try_from(closed_us).unwrap_or(u32::MAX));
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
