//! What nearly all packets are: the next of a flow that goes on as before.
//!
//! [`Exchange`] and [`datagram`] are the plain twins: they take everything, and of such a packet say the
//! same.

use weir_shm::flow::FlowSlot;
use weir_shm::health::{HealthSlot, seen};

use super::exchange::Exchange;
use super::sequence::{self, Half, RESENT, SAMPLE, WAITS};
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
    let mut exchange = Exchange::new(halves, Some(slot), flow, lane);
    let Exchange { from, to, from_client, .. } = &mut exchange;
    let from_client = *from_client;
    let letter = if length != 0 { seen::DATA } else { seen::ACK };
    // A TLS handshake is looked for in the payload, a timestamp in the options.
    let looks = from_client && length != 0 && (to.has(WAITS) || from.seen & seen::DATA == 0)
        || to.flags & (SAMPLE | RESENT) == SAMPLE | RESENT;
    if looks || !sequence::goes_on(from, to, &packet.tcp, length, now) {
        return false;
    }
    let new = letter & !from.seen;
    if new | to.seen & ANSWERED != 0 {
        shows(&mut exchange, new, packet, now);
    }
    if let Some(took) = latency::acknowledged(exchange.to, &packet.tcp, now, || false) {
        latency::round_trip(slot, 1 - lane, took);
    }
    if length != 0 {
        latency::sent(exchange.from, exchange.from.next, now);
        if from_client {
            exchange.asks(now);
        } else if exchange.to.has(WAITS) {
            exchange.answers_request((now, now_ns));
        }
    }
    true
}

/// What a side has not shown before, or the end of the handshake.
#[cold]
fn shows(exchange: &mut Exchange<'_>, new: u8, packet: &Parsed, now: u32) {
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
