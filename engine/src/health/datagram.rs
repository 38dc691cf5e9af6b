//! Latency over UDP: DNS by its transaction ids, QUIC by its handshake and spin bit, all else by its
//! first answer.

use weir_shm::health::{HealthSlot, mark, ticks};

use super::sequence::{Half, since};
use super::{latency, state};
use crate::wire::Parsed;

const DNS_PORT: u16 = 53;
/// A query with the same id that comes later is another one.
const AGAIN_NS: u64 = 5_000_000_000;

/// A half's flag, of QUIC: the client's first packet was seen.
const QUIC: u16 = 1;
/// A half's flag, of QUIC: the spin bit was set last.
const SPIN: u16 = 2;
/// A half's flag, of QUIC: the spin bit has turned.
const TURNED: u16 = 4;
/// A half's flag, of QUIC: the handshake is over.
const SECURED: u16 = 8;
/// A client's flag: the flow is DNS on another port.
const DNS: u16 = 16;
/// A half's flag: the first request has no answer yet.
const WAITS: u16 = 64;
/// A half's flag: it has an answer.
const ANSWERED: u16 = 128;

/// Queries whose answers are waited for, of all flows of a shard. One may lie in any place of the set
/// that its flow and id name; a new one takes the place of the oldest there.
#[derive(Debug)]
pub(super) struct Queries {
    sets: Box<[[Query; 4]]>,
}

#[derive(Clone, Copy, Default, Debug)]
struct Query {
    /// Flow's place and transaction id, and 1 in the highest bit; 0 in a free place, which is older
    /// than any other.
    key: u64,
    at_ns: u64,
}

impl Queries {
    const SETS: usize = 1024;

    pub(super) fn new(is_on: bool) -> Queries {
        Queries { sets: vec![Default::default(); if is_on { Self::SETS } else { 0 }].into() }
    }

    /// Notes a query. One that is sent again within [`AGAIN_NS`] counts from the first time.
    fn asked(&mut self, index: u32, id: u16, now_ns: u64) {
        let (key, set) = place(index, id);
        let Some(set) = self.sets.get_mut(set) else { return };
        if let Some(query) = set.iter_mut().find(|query| query.key == key) {
            if now_ns.saturating_sub(query.at_ns) > AGAIN_NS {
                query.at_ns = now_ns;
            }
        } else if let Some(oldest) = set.iter_mut().min_by_key(|query| query.at_ns) {
            *oldest = Query { key, at_ns: now_ns };
        }
    }

    /// How long the answer took.
    fn answered(&mut self, index: u32, id: u16, now_ns: u64) -> Option<u64> {
        let (key, set) = place(index, id);
        let query = self.sets.get_mut(set)?.iter_mut().find(|query| query.key == key)?;
        let took = now_ns.saturating_sub(query.at_ns);
        *query = Query::default();
        Some(took)
    }
}

fn place(index: u32, id: u16) -> (u64, usize) {
    let key = 1 << 63 | u64::from(index) << 16 | u64::from(id);
    let mixed = key.wrapping_mul(0x9e37_79b9_7f4a_7c15);
    (key, usize::try_from(mixed >> 54).unwrap_or(0) % Queries::SETS)
}

/// A datagram, and who sent it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Datagram<'a> {
    pub(super) index: u32,
    pub(super) ports: (u16, u16),
    pub(super) payload: &'a [u8],
    pub(super) from_client: bool,
    pub(super) lane: usize,
    pub(super) now_ns: u64,
    /// The same in ticks.
    pub(super) now: u32,
    /// When the client was last heard before.
    pub(super) asked_ns: u64,
}

/// Whether the payload of a flow's packet tells something.
#[inline(always)]
pub(super) fn is_looked_into(client: &Half, packet: &Parsed) -> bool {
    let ports = (packet.key.port_lo(), packet.key.port_hi());
    client.flags & (QUIC | DNS) != 0 || is_dns(ports)
}

/// A datagram of the client, which is a request until the first one is answered.
#[inline(always)]
pub(super) fn asks(client: &mut Half, now: u32) {
    if client.flags & ANSWERED == 0 {
        client.flags |= WAITS;
        client.mark = now;
    }
}

/// Whether the client's request has no answer yet.
#[inline(always)]
pub(super) const fn waits(client: &Half) -> bool {
    client.flags & WAITS != 0
}

const fn is_dns(ports: (u16, u16)) -> bool {
    ports.0 == DNS_PORT || ports.1 == DNS_PORT
}

/// Notes a datagram. The flow's first one has no slot yet.
#[inline]
pub(super) fn observe(
    halves: &mut [Half; 2],
    slot: Option<&HealthSlot>,
    queries: &mut Queries,
    datagram: &Datagram<'_>,
) {
    let is_dns = is_dns(datagram.ports);
    let [lo, hi] = halves;
    let (from, to) = if datagram.lane == 0 { (lo, hi) } else { (hi, lo) };
    let client = if datagram.from_client { &mut *from } else { to };
    if slot.is_none() && is_query(datagram.payload) {
        client.flags |= DNS;
    }
    if is_dns || client.flags & DNS != 0 {
        dns(slot, queries, datagram);
        return;
    }
    if client.flags & QUIC != 0 {
        quic(client, slot, datagram);
        if let Some(slot) = slot {
            let is_secured = client.flags & SECURED != 0;
            spin(from, slot, datagram, is_secured);
        }
        return;
    }
    if datagram.from_client && slot.is_none() && is_quic(datagram.payload) {
        client.flags |= QUIC;
        client.mark = datagram.now;
        return;
    }
    if datagram.from_client {
        asks(client, datagram.now);
    } else if waits(client) {
        client.flags = client.flags & !WAITS | ANSWERED;
        if let Some(slot) = slot {
            let now = (datagram.now, datagram.now_ns);
            latency::answer(slot, latency::waited(now, client.mark, datagram.asked_ns));
        }
    }
}

/// RFC 1035, section 4.1.1.
fn dns(slot: Option<&HealthSlot>, queries: &mut Queries, datagram: &Datagram<'_>) {
    let [high, low, bits, ..] = datagram.payload else { return };
    let id = u16::from_be_bytes([*high, *low]);
    if bits & 0x80 == 0 {
        queries.asked(datagram.index, id, datagram.now_ns);
    } else if let Some(took) = queries.answered(datagram.index, id, datagram.now_ns)
        && let Some(slot) = slot
    {
        latency::answer(slot, ticks(took));
    }
}

/// Whether a payload has the head of a plain DNS query: one question, no answers.
fn is_query(payload: &[u8]) -> bool {
    const SHORTEST: usize = 17;
    let [_, _, bits, _, 0, 1, 0, 0, 0, 0, 0, more, ..] = payload else { return false };
    bits & 0xf8 == 0 && *more <= 1 && payload.len() >= SHORTEST
}

/// Whether a payload begins with a long header (RFC 9000, section 17.2) of a version that there is:
/// 1, 2 (RFC 9369), or a draft of them.
fn is_quic(payload: &[u8]) -> bool {
    let [first, a, b, c, d, id_bytes, ..] = payload else { return false };
    let version = u32::from_be_bytes([*a, *b, *c, *d]);
    let known = matches!(version, 1 | 0x6b33_43cf) || version >> 8 == 0x00ff_0000;
    first & 0xc0 == 0xc0 && known && *id_bytes <= 20
}

fn is_short(payload: &[u8]) -> bool {
    matches!(payload, [first, ..] if first & 0xc0 == 0x40)
}

/// The handshake lasts from the client's first packet to its first one with a short header.
fn quic(client: &mut Half, slot: Option<&HealthSlot>, datagram: &Datagram<'_>) {
    let Some(slot) = slot else { return };
    let over = datagram.from_client && is_short(datagram.payload);
    if client.flags & SECURED == 0 && over {
        client.flags |= SECURED;
        latency::secured(slot, since(datagram.now, client.mark));
        state::add_marks(slot, mark::QUIC);
    }
}

/// A round trip lasts from one turn of the spin bit to the next (RFC 9000, section 17.4). Much less
/// than the handshake took is no round trip (RFC 9312, section 4.2): the bit is set at random, or
/// packets came out of order.
fn spin(from: &mut Half, slot: &HealthSlot, datagram: &Datagram<'_>, is_secured: bool) {
    const TOO_SHORT: u32 = 8;
    if !is_secured || !is_short(datagram.payload) {
        return;
    }
    let is_set = datagram.payload.first().is_some_and(|first| first & 0x20 != 0);
    if is_set == (from.flags & SPIN != 0) {
        return;
    }
    from.flags ^= SPIN;
    let took = since(datagram.now, from.sampled);
    let had_turned = from.flags & TURNED != 0;
    from.flags |= TURNED;
    from.sampled = datagram.now;
    if had_turned && took >= latency::secured_in(slot) / TOO_SHORT {
        latency::round_trip(slot, datagram.lane, took);
        state::add_marks(slot, mark::SPIN);
    }
}

#[cfg(test)]
mod tests {
    use super::Queries;

    /// Whatever places the flows have: at fifty at a time, five in a set are rare.
    #[test]
    fn answers_find_their_queries_among_those_of_other_flows() {
        let mut queries = Queries::new(true);
        let scattered = |at: u32| at.wrapping_mul(2_654_435_761) >> 16;
        for round in 0..1000 {
            let asked = (0..50).map(|at| scattered(round * 50 + at));
            let (asked, round): (Vec<u32>, u64) = (asked.collect(), round.into());
            for (id, &index) in (0..).zip(&asked) {
                queries.asked(index, id, round);
            }
            for (id, &index) in (0..).zip(&asked) {
                assert_eq!(queries.answered(index, id, round + 1), Some(1), "round {round}");
                assert_eq!(queries.answered(index, id, round + 1), None);
            }
        }
    }

    #[test]
    fn a_full_set_forgets_its_oldest_query() {
        let mut queries = Queries::new(true);
        let (_, set) = super::place(0, 0);
        let same = |index: &u32| super::place(*index, 0).1 == set;
        let five: Vec<u32> = (0..).filter(same).take(5).collect();
        for (at, &index) in (10..).zip(&five) {
            queries.asked(index, 0, at);
        }
        let answers: Vec<_> = five.iter().map(|&index| queries.answered(index, 0, 20)).collect();
        assert_eq!(answers, [None, Some(9), Some(8), Some(7), Some(6)]);
    }
}
