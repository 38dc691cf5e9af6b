//! How long things take, seen from the middle of the path: handshakes, round trips, answers.

use weir_shm::health::{
    HealthSlot, RTT, RTT_RANGE, RTT_SUM, WORD_ANSWERS, WORD_ANSWERS_SUM, WORD_DELAYS, WORD_FIRST,
    events_of, high, low, mark, statistics_of, ticks, with_high, with_low,
};

use super::sequence::{Half, RESENT, SAMPLE, after};
use super::{Arrival, options, state};
use crate::wire::TcpHead;

/// Notes a round trip of what `lane` sent.
pub(super) fn round_trip(slot: &HealthSlot, lane: usize, ns: u64) {
    let (base, took) = (statistics_of(lane), ticks(ns));
    let trips = slot.load(base + RTT);
    slot.store(base + RTT, with_high(low(trips).saturating_add(1).into(), took));
    let range = slot.load(base + RTT_RANGE);
    let least = if low(trips) == 0 { took } else { low(range).min(took) };
    slot.store(base + RTT_RANGE, with_high(least.into(), high(range).max(took)));
    let sum = slot.load(events_of(lane) + RTT_SUM);
    slot.store(events_of(lane) + RTT_SUM, sum.saturating_add(took.into()));
}

/// Begins a measurement with new data, one at a time.
#[inline(always)]
pub(super) fn sent(from: &mut Half, arrival: &Arrival<'_>) {
    if !from.has(SAMPLE) {
        let (sequence, length) = (arrival.packet.tcp.sequence, arrival.packet.payload_wire_bytes);
        from.sample_end = sequence.wrapping_add(length);
        from.sample_ns = arrival.now_ns;
        from.sample_stamp = options::timestamps(arrival.tcp_head()).map_or(0, |(value, _)| value);
        from.flags = from.flags & !RESENT | SAMPLE;
    }
}

/// Ends the measurement that `segment`, of the other direction, acknowledges.
///
/// Karn's rule (RFC 6298, section 3): what may have been sent twice gives no round trip, unless the
/// echoed timestamp says which of the two was acknowledged (RFC 7323, section 4.1).
#[inline(always)]
pub(super) fn acknowledged(to: &mut Half, arrival: &Arrival<'_>) -> Option<u64> {
    let tcp = &arrival.packet.tcp;
    let ends = to.has(SAMPLE)
        && tcp.flags & TcpHead::ACK != 0
        && !after(to.sample_end, tcp.acknowledgement);
    if !ends {
        return None;
    }
    let resent = to.has(RESENT);
    to.flags &= !(SAMPLE | RESENT);
    let counts = !resent
        || to.sample_stamp != 0
            && options::timestamps(arrival.tcp_head())
                .is_some_and(|(_, echo)| echo == to.sample_stamp);
    counts.then(|| arrival.now_ns.saturating_sub(to.sample_ns))
}

/// Notes the delay of the server, from the last SYN to the first answer.
pub(super) fn server_delay(slot: &HealthSlot, ns: u64) {
    let delays = slot.load(WORD_DELAYS);
    if low(delays) == 0 {
        slot.store(WORD_DELAYS, with_low(delays, ticks(ns).max(1)));
    }
}

/// Notes the delay of the client, from that answer to its acknowledgement.
pub(super) fn client_delay(slot: &HealthSlot, ns: u64) {
    slot.store(WORD_DELAYS, with_high(slot.load(WORD_DELAYS), ticks(ns).max(1)));
    state::add_marks(slot, mark::ESTABLISHED);
}

/// The round trip of the handshake; `None` if it was not seen.
pub(super) fn handshake_ns(slot: &HealthSlot) -> Option<u64> {
    let delays = slot.load(WORD_DELAYS);
    let sum = u64::from(low(delays)) + u64::from(high(delays));
    (low(delays) != 0 && high(delays) != 0).then_some(sum * weir_shm::health::TICK_NS)
}

/// Notes how long an answer took.
pub(super) fn answer(slot: &HealthSlot, ns: u64) {
    let took = ticks(ns).max(1);
    let answers = slot.load(WORD_ANSWERS);
    if low(answers) == 0 {
        slot.store(WORD_FIRST, with_low(slot.load(WORD_FIRST), took));
    }
    let most = high(answers).max(took);
    slot.store(WORD_ANSWERS, with_high(low(answers).saturating_add(1).into(), most));
    let sum = slot.load(WORD_ANSWERS_SUM);
    slot.store(WORD_ANSWERS_SUM, sum.saturating_add(took.into()));
}

/// Notes the length of the handshake of TLS or QUIC.
pub(super) fn secured(slot: &HealthSlot, ns: u64) {
    slot.store(WORD_FIRST, with_high(slot.load(WORD_FIRST), ticks(ns).max(1)));
    state::add_marks(slot, mark::SECURED);
}

/// Length of the handshake of TLS or QUIC, nanoseconds.
pub(super) fn secured_ns(slot: &HealthSlot) -> u64 {
    u64::from(high(slot.load(WORD_FIRST))) * weir_shm::health::TICK_NS
}

/// Whether a client's payload begins with a TLS hello (RFC 8446, sections 4 and 5.1).
pub(super) fn is_hello(payload: &[u8]) -> bool {
    matches!(payload, [22, 3, _, _, _, 1, ..])
}

/// Whether a client's payload holds the end of its TLS handshake: a change of cipher, or protected
/// records. At most so many records are looked at.
pub(super) fn ends_handshake(payload: &[u8]) -> bool {
    const RECORDS: usize = 8;
    let mut rest = payload;
    for _ in 0..RECORDS {
        match rest {
            [20 | 23, 3, ..] => return true,
            [21 | 22, 3, _, high, low, ..] => {
                let length = usize::from(u16::from_be_bytes([*high, *low]));
                let Some(next) = rest.get(5 + length..) else { return false };
                rest = next;
            }
            _ => return false,
        }
    }
    false
}
