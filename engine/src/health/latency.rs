//! How long things take, seen from the middle of the path: handshakes, round trips, answers.

use weir_shm::health::{
    HealthSlot, OWN, RTT, RTT_RANGE, RTT_SUM, WORD_ANSWERS, WORD_ANSWERS_SUM, WORD_DELAYS,
    WORD_FIRST, high, low, mark, with_high, with_low,
};

use super::sequence::{Half, RESENT, SAMPLE, after, since};
use super::{Arrival, options, state};
use crate::wire::TcpHead;

/// Notes a round trip of what `lane` sent.
pub(super) fn round_trip(slot: &HealthSlot, lane: usize, took: u32) {
    let base = slot.trips(lane);
    let trips = slot.load(base + RTT);
    slot.store(base + RTT, with_high(low(trips).saturating_add(1).into(), took));
    let range = slot.load(base + RTT_RANGE);
    let least = if low(trips) == 0 { took } else { low(range).min(took) };
    slot.store(base + RTT_RANGE, with_high(least.into(), high(range).max(took)));
    let sum = slot.load(base + RTT_SUM);
    slot.store(base + RTT_SUM, sum.saturating_add(took.into()));
}

/// Begins a measurement with new data, which ends at `end`; one at a time.
#[inline(always)]
pub(super) fn sent(from: &mut Half, end: u32, now: u32) {
    if !from.has(SAMPLE) {
        (from.sample_end, from.sampled) = (end, now);
        from.flags = from.flags & !RESENT | SAMPLE;
    }
}

/// Something is sent again, perhaps what is measured. Its timestamp tells later which of the two was
/// acknowledged.
#[cold]
pub(super) fn sent_again(from: &mut Half, slot: &HealthSlot, lane: usize, arrival: &Arrival<'_>) {
    if from.flags & (SAMPLE | RESENT) != SAMPLE {
        return;
    }
    from.flags |= RESENT;
    let stamp = options::timestamps(arrival.tcp_head()).map_or(0, |(value, _)| value);
    let own = slot.events(lane) + OWN;
    slot.store(own, with_high(slot.load(own), stamp));
}

/// Ends the measurement that a segment of the other direction acknowledges; with what it took.
///
/// Karn's rule (RFC 6298, section 3): what may have been sent twice gives no round trip, unless the
/// echoed timestamp `is_first_time`, from before the second time (RFC 7323, section 4.1).
#[inline(always)]
pub(super) fn acknowledged(
    to: &mut Half,
    tcp: &TcpHead,
    now: u32,
    is_first_time: impl FnOnce() -> bool,
) -> Option<u32> {
    let ends = to.has(SAMPLE)
        && tcp.flags & TcpHead::ACK != 0
        && !after(to.sample_end, tcp.acknowledgement);
    if !ends {
        return None;
    }
    let resent = to.has(RESENT);
    to.flags &= !(SAMPLE | RESENT);
    (!resent || is_first_time()).then(|| since(now, to.sampled))
}

/// Whether an acknowledgement of what `lane` sent twice echoes the first time.
#[cold]
pub(super) fn is_first_time(slot: &HealthSlot, lane: usize, arrival: &Arrival<'_>) -> bool {
    let again = high(slot.load(slot.events(lane) + OWN));
    let echo = options::timestamps(arrival.tcp_head()).map(|(_, echo)| echo);
    again != 0 && echo.is_some_and(|echo| after(again, echo))
}

/// Notes the delay of the server, from the last SYN to the first answer.
pub(super) fn server_delay(slot: &HealthSlot, took: u32) {
    let delays = slot.load(WORD_DELAYS);
    if low(delays) == 0 {
        slot.store(WORD_DELAYS, with_low(delays, took.max(1)));
    }
}

/// Notes the delay of the client, from that answer to its acknowledgement.
pub(super) fn client_delay(slot: &HealthSlot, took: u32) {
    slot.store(WORD_DELAYS, with_high(slot.load(WORD_DELAYS), took.max(1)));
    state::add_marks(slot, mark::ESTABLISHED);
}

/// The round trip of the handshake, ticks; `None` if it was not seen.
pub(super) fn handshake(slot: &HealthSlot) -> Option<u32> {
    let delays = slot.load(WORD_DELAYS);
    let sum = low(delays).saturating_add(high(delays));
    (low(delays) != 0 && high(delays) != 0).then_some(sum)
}

/// How long an answer took, in ticks, to what was asked at `mark`. `asked_ns`: when who asked was last
/// heard.
#[inline(always)]
pub(super) fn waited((now, now_ns): (u32, u64), mark: u32, asked_ns: u64) -> u32 {
    const WRAPS_NS: u64 = 400_000_000_000;
    if now_ns.saturating_sub(asked_ns) < WRAPS_NS { since(now, mark) } else { u32::MAX }
}

/// Notes how long an answer took.
pub(super) fn answer(slot: &HealthSlot, took: u32) {
    let took = took.max(1);
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
pub(super) fn secured(slot: &HealthSlot, took: u32) {
    slot.store(WORD_FIRST, with_high(slot.load(WORD_FIRST), took.max(1)));
    state::add_marks(slot, mark::SECURED);
}

/// Length of the handshake of TLS or QUIC, ticks.
pub(super) fn secured_in(slot: &HealthSlot) -> u32 {
    high(slot.load(WORD_FIRST))
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
