//! What nearly all packets are: the next of a flow that goes on as before.
//!
//! [`Exchange`] and [`datagram`] are the plain twins: they take everything,
//! and of such a packet say the same.

use weir_shm::flow::FlowSlot;
use weir_shm::health::{HealthSlot, seen};

use super::exchange::Exchange;
use super::sequence::{self, Half, RESENT, SAMPLE, WAITS, after, since};
use super::{ANSWERED, Halves, OPEN, TCP, UDP, datagram, is_marked, latency, statistics};
use crate::flow::record;
use crate::wire::Parsed;

/// Takes note of a packet that only goes on; false, and nothing is noted, where it may be more.
#[inline(always)]
pub(super) fn goes_on(
    Halves(halves): &mut Halves,
    slot: &HealthSlot,
    flow: &FlowSlot,
    packet: &Parsed,
    (bytes, now_ns): (u32, u64),
) -> bool {
    let lane = usize::from(packet.swapped);
    let (packets, last_ns) = record::of_lane(flow, lane);
    if packets == 0 || halves[0].seen & OPEN == 0 || is_marked(packet) {
        return false;
    }
    let is_plain = match packet.key.protocol() {
        TCP if packet.tcp.header_bytes != 0 => tcp(halves, slot, flow, packet, now_ns),
        UDP => udp(halves, flow, packet, now_ns),
        _ => true,
    };
    if is_plain {
        statistics::count(slot, lane, bytes, now_ns, last_ns);
    }
    is_plain
}

#[inline(always)]
fn tcp(
    halves: &mut [Half; 2],
    slot: &HealthSlot,
    flow: &FlowSlot,
    packet: &Parsed,
    now_ns: u64,
) -> bool {
    let (now, length) = (sequence::tick(now_ns), packet.payload_wire_bytes);
    let lane = usize::from(packet.swapped);
    let from_client = (record::client_lane(flow) == 1) == packet.swapped;
    let [lo, hi] = halves;
    let (from, to) = if packet.swapped { (hi, lo) } else { (lo, hi) };
    let letter = if length != 0 { seen::DATA } else { seen::ACK };
    // A TLS handshake is looked for in the payload, a timestamp in the options.
    let looks = from_client && length != 0 && (to.has(WAITS) || from.seen & seen::DATA == 0)
        || to.flags & (SAMPLE | RESENT) == SAMPLE | RESENT;
    if looks || !sequence::goes_on(from, to, &packet.tcp, length, now) {
        return false;
    }
    let new = letter & !from.seen;
    if new | to.seen & ANSWERED != 0 {
        shows(Exchange { from, to, slot: Some(slot), flow, lane, from_client }, new, packet, now);
    }
    let other = usize::from(!packet.swapped);
    if to.has(SAMPLE) && !after(to.sample_end, packet.tcp.acknowledgement) {
        to.flags &= !SAMPLE;
        latency::round_trip(slot, other, since(now, to.sampled));
    }
    if length != 0 {
        latency::sent(from, from.next, now);
        if from_client {
            from.flags |= WAITS;
            from.mark = now;
        } else if to.has(WAITS) {
            to.flags &= !WAITS;
            let (_, asked_ns) = record::of_lane(flow, other);
            latency::answer(slot, latency::waited((now, now_ns), to.mark, asked_ns));
        }
    }
    true
}

/// What a side has not shown before, or the end of the handshake.
#[cold]
fn shows(mut exchange: Exchange<'_>, new: u8, packet: &Parsed, now: u32) {
    exchange.shows(new, packet.tcp.flags, now);
}

#[inline(always)]
fn udp(halves: &mut [Half; 2], flow: &FlowSlot, packet: &Parsed, now_ns: u64) -> bool {
    let client_lane = record::client_lane(flow);
    let lane = usize::from(packet.swapped);
    let is_known = halves[lane].seen & seen::DATA != 0;
    let client = &mut halves[client_lane];
    if !is_known || datagram::is_looked_into(client, packet) {
        return false;
    }
    if lane == client_lane {
        datagram::asks(client, sequence::tick(now_ns));
        true
    } else {
        !datagram::waits(client)
    }
}
