//! The fields of a flow's record in shared memory, as its only writer sees them.
//!
//! Word numbers are those of `docs/SHM_FORMAT.md`. Reading back is plain loads: nobody else
//! writes. Every change stands between `begin` and `commit`, so a reader never takes half of it.

use weir_dpi::{AppId, Direction, Endpoint};
use weir_shm::flow::FlowSlot;
use weir_shm::packets::flag;
use weir_shm::records::EndReason;

use crate::wire::{FlowKey, Parsed, TcpHead};

const FLOW_ID: usize = 6;
const VERDICT: usize = 7;
/// First word of the two directions' counts.
const COUNTS: [usize; 2] = [8, 12];
const PACKETS: usize = 0;
const BYTES: usize = 1;
const FIRST_NS: usize = 2;
const LAST_NS: usize = 3;

/// TCP flags seen from lo to hi start here in the verdict word, those from hi to lo 8 above.
const FLAGS_SHIFT: u32 = 32;
const STATE_SHIFT: u32 = 56;

/// The client is the higher endpoint.
pub(crate) const CLIENT_IS_HI: u64 = 1 << STATE_SHIFT;
/// Inspection has come to its end.
pub(crate) const INSPECTED: u64 = 2 << STATE_SHIFT;
/// A SYN without ACK was seen.
pub(crate) const SYN_SEEN: u64 = 4 << STATE_SHIFT;

/// A packet reader thinks that it should be blocked.
const BLOCKED: u64 = 8 << STATE_SHIFT;
/// A packet reader thinks that it is fine.
const ALLOWED: u64 = 16 << STATE_SHIFT;
/// Some group of packet readers wants no more of it; the engine alone keeps which.
const SHUNTED: u64 = 32 << STATE_SHIFT;
/// Some packet's TCP flags do not belong together.
pub(crate) const ODD_FLAGS: u64 = 64 << STATE_SHIFT;
/// Such flows come again and again at the same distance.
pub(crate) const PERIODIC: u64 = 128 << STATE_SHIFT;

/// Whether the slot holds this key.
#[inline(always)]
pub(crate) fn has_key(slot: &FlowSlot, key: &FlowKey) -> bool {
    // One chain of xors instead of five branches: a candidate is nearly always the flow.
    let differing = (1..).zip(key.words).map(|(word, wanted)| slot.load(word) ^ wanted);
    differing.fold(0, |all, bits| all | bits) == 0
}

/// The key of a taken slot.
pub(crate) fn key(slot: &FlowSlot) -> FlowKey {
    FlowKey { words: [1, 2, 3, 4, 5].map(|word| slot.load(word)) }
}

/// Fills a free slot with a flow that has no packet yet.
#[inline]
pub fn open(slot: &FlowSlot, key: &FlowKey, flow_id: u64, state: u64) {
    slot.begin();
    for (word, value) in (1..).zip(key.words) {
        slot.store(word, value);
    }
    slot.store(VERDICT, state);
    for word in COUNTS[0]..COUNTS[0] + 8 {
        slot.store(word, 0);
    }
    slot.store(FLOW_ID, flow_id);
    slot.set_meta_ref(0);
    slot.commit();
}

/// Marks the slot free. The key stays, for the table's own bookkeeping.
#[inline]
pub fn close(slot: &FlowSlot) {
    slot.begin();
    slot.store(FLOW_ID, 0);
    slot.commit();
}

/// Whether the slot holds no flow.
#[inline(always)]
pub(crate) fn is_free(slot: &FlowSlot) -> bool {
    slot.load(FLOW_ID) == 0
}

/// Adds one packet, in a slot that is open; returns the verdict word after it.
#[inline(always)]
pub(crate) fn account(slot: &FlowSlot, packet: &Parsed, bytes: u32, timestamp_ns: u64) -> u64 {
    let direction = usize::from(packet.swapped);
    let base = COUNTS[direction];
    let flags = u64::from(packet.tcp.flags) << (FLAGS_SHIFT + 8 * u32::from(packet.swapped));
    let verdict = slot.load(VERDICT) | flags;
    let packets = slot.load(base + PACKETS);
    slot.store(VERDICT, verdict);
    slot.store(base + PACKETS, packets + 1);
    slot.store(base + BYTES, slot.load(base + BYTES) + u64::from(bytes));
    if packets == 0 {
        slot.store(base + FIRST_NS, timestamp_ns);
    }
    slot.store(base + LAST_NS, slot.load(base + LAST_NS).max(timestamp_ns));
    verdict
}

/// Packets of a direction (0: from the lower end) and when its last one came.
#[inline(always)]
pub(crate) fn of_lane(slot: &FlowSlot, lane: usize) -> (u64, u64) {
    let base = COUNTS[lane];
    (slot.load(base + PACKETS), slot.load(base + LAST_NS))
}

/// Bytes of a direction.
pub(crate) fn bytes_of_lane(slot: &FlowSlot, lane: usize) -> u64 {
    slot.load(COUNTS[lane] + BYTES)
}

/// TCP flags of a direction.
pub(crate) fn flags_of_lane(slot: &FlowSlot, lane: usize) -> u8 {
    let [.., lo_hi, hi_lo, _, _] = slot.load(VERDICT).to_le_bytes();
    [lo_hi, hi_lo][lane]
}

/// The direction of the client's packets.
#[inline(always)]
pub(crate) fn client_lane(slot: &FlowSlot) -> usize {
    usize::from(slot.load(VERDICT) & CLIENT_IS_HI != 0)
}

/// Sets who the client is, from a SYN.
pub(crate) fn set_client(slot: &FlowSlot, client_is_hi: bool) {
    let state = SYN_SEEN | if client_is_hi { CLIENT_IS_HI } else { 0 };
    slot.begin();
    slot.store(VERDICT, slot.load(VERDICT) & !CLIENT_IS_HI | state);
    slot.commit();
}

/// Adds bits of the flow's state.
#[cold]
pub(crate) fn mark(slot: &FlowSlot, state: u64) {
    slot.begin();
    slot.store(VERDICT, slot.load(VERDICT) | state);
    slot.commit();
}

/// Writes the handle of the flow's metadata.
pub(crate) fn set_metadata(slot: &FlowSlot, meta_ref: u32) {
    slot.begin();
    slot.set_meta_ref(meta_ref);
    slot.commit();
}

/// Packets and TCP flags by direction, to the server first.
pub(crate) struct ByDirection {
    pub(crate) packets: [u64; 2],
    pub(crate) flags: [u8; 2],
}

/// What went which way.
pub(crate) fn by_direction(slot: &FlowSlot) -> ByDirection {
    let verdict = slot.load(VERDICT);
    let [.., lo_hi, hi_lo, _, _] = verdict.to_le_bytes();
    let (mut packets, mut flags) = (COUNTS.map(|base| slot.load(base + PACKETS)), [lo_hi, hi_lo]);
    if verdict & CLIENT_IS_HI != 0 {
        packets.reverse();
        flags.reverse();
    }
    ByDirection { packets, flags }
}

/// All that a flow's record says of its course.
pub(crate) struct Flow {
    /// The lower end's, and the higher end's.
    pub(crate) addresses: [[u64; 2]; 2],
    pub(crate) ports: [u16; 2],
    pub(crate) l4: u8,
    pub(crate) app: u16,
    pub(crate) client_is_hi: bool,
    /// From here on: from the lower end, and from the higher.
    pub(crate) packets: [u64; 2],
    pub(crate) bytes: [u64; 2],
    pub(crate) flags: [u8; 2],
    first_ns: [u64; 2],
    last_ns: [u64; 2],
}

impl Flow {
    /// From the client's first packet to the server's.
    pub(crate) fn latency_ns(&self) -> Option<u64> {
        let client = usize::from(self.client_is_hi);
        let both = self.packets[0] > 0 && self.packets[1] > 0;
        self.first_ns[1 - client].checked_sub(self.first_ns[client]).filter(|_| both)
    }

    /// When the last packet came.
    pub(crate) fn last_ns(&self) -> u64 {
        self.last_ns[0].max(self.last_ns[1])
    }
}

/// Reads all of a record.
pub(crate) fn flow(slot: &FlowSlot) -> Flow {
    let (key, word) = (key(slot), slot.load(VERDICT));
    let [.., lo_hi, hi_lo, _, _] = word.to_le_bytes();
    let [a, b, c, d, _] = key.words;
    let both = |word: usize| COUNTS.map(|base| slot.load(base + word));
    Flow {
        addresses: [[a, b], [c, d]],
        ports: [key.port_lo(), key.port_hi()],
        l4: key.protocol(),
        app: app(slot).0,
        client_is_hi: word & CLIENT_IS_HI != 0,
        packets: both(PACKETS),
        bytes: both(BYTES),
        flags: [lo_hi, hi_lo],
        first_ns: both(FIRST_NS),
        last_ns: both(LAST_NS),
    }
}

/// What inspection found.
pub(crate) fn verdict(slot: &FlowSlot) -> weir_dpi::Verdict {
    let [m0, m1, a0, a1, _, _, confidence, _] = slot.load(VERDICT).to_le_bytes();
    weir_dpi::Verdict {
        master: AppId(u16::from_le_bytes([m0, m1])),
        app: AppId(u16::from_le_bytes([a0, a1])),
        confidence: weir_dpi::Confidence::from_u8(confidence).unwrap_or_default(),
    }
}

/// Writes what a packet reader thinks of the flow.
pub(crate) fn set_judged(slot: &FlowSlot, block: bool) {
    let state = if block { BLOCKED } else { ALLOWED };
    slot.begin();
    slot.store(VERDICT, slot.load(VERDICT) & !(BLOCKED | ALLOWED) | state);
    slot.commit();
}

/// What packet readers said of the flow.
pub(crate) const OF_READERS: u64 = BLOCKED | ALLOWED | SHUNTED;

/// Writes that some group of packet readers wants no more of the flow.
pub(crate) fn set_shunted(slot: &FlowSlot) {
    slot.begin();
    slot.store(VERDICT, slot.load(VERDICT) | SHUNTED);
    slot.commit();
}

/// What packet readers think of a flow, as the bits of their descriptors.
#[inline(always)]
pub(crate) const fn judged(verdict: u64) -> u8 {
    const TO_FLAG: u32 = STATE_SHIFT - flag::BLOCKED.trailing_zeros() + 3;
    const _: () = assert!(BLOCKED >> TO_FLAG == flag::BLOCKED as u64);
    const _: () = assert!(ALLOWED >> TO_FLAG == flag::ALLOWED as u64);
    ((verdict & (BLOCKED | ALLOWED)) >> TO_FLAG).to_le_bytes()[0]
}

/// The flow's identity; 0 in a free slot.
#[inline(always)]
pub(crate) fn flow_id(slot: &FlowSlot) -> u64 {
    slot.load(FLOW_ID)
}

/// Of the verdict word, what inspection leaves alone: the state and the TCP flags.
const KEPT: u64 = 0xFF << STATE_SHIFT | 0xFFFF << FLAGS_SHIFT;

/// Writes what inspection found, and the handle of its metadata (0: none), which `store` gives while
/// the slot is open.
pub(crate) fn set_verdict(
    slot: &FlowSlot,
    verdict: weir_dpi::Verdict,
    inspected: bool,
    store: impl FnOnce() -> u32,
) {
    let fields = u64::from(verdict.master.0)
        | u64::from(verdict.app.0) << 16
        | u64::from(verdict.confidence as u8) << 48
        | if inspected { INSPECTED } else { 0 };
    slot.begin();
    slot.store(VERDICT, slot.load(VERDICT) & KEPT | fields);
    slot.set_meta_ref(store());
    slot.commit();
}

/// The application found so far.
pub(crate) fn app(slot: &FlowSlot) -> AppId {
    let [_, _, low, high, ..] = slot.load(VERDICT).to_le_bytes();
    AppId(u16::from_le_bytes([low, high]))
}

/// Whether a TCP flow was closed: a FIN both ways, or a reset.
#[inline(always)]
pub(crate) fn closed(verdict: u64) -> Option<Closed> {
    let [.., lo_hi, hi_lo, _, _] = verdict.to_le_bytes();
    if (lo_hi | hi_lo) & TcpHead::RST != 0 {
        Some(Closed::Reset)
    } else if lo_hi & hi_lo & TcpHead::FIN != 0 {
        Some(Closed::Fin)
    } else {
        None
    }
}

/// How a TCP connection was closed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Closed {
    Fin,
    Reset,
}

impl Closed {
    /// The reason that its record gives.
    pub(crate) const fn reason(self) -> EndReason {
        match self {
            Closed::Fin => EndReason::TcpFin,
            Closed::Reset => EndReason::TcpReset,
        }
    }
}

/// The verdict word.
#[inline(always)]
pub(crate) fn verdict_word(slot: &FlowSlot) -> u64 {
    slot.load(VERDICT)
}

/// Packets, both directions.
#[inline(always)]
pub(crate) fn packets(slot: &FlowSlot) -> u64 {
    slot.load(COUNTS[0] + PACKETS) + slot.load(COUNTS[1] + PACKETS)
}

/// Bytes, both directions.
pub(crate) fn bytes(slot: &FlowSlot) -> u64 {
    slot.load(COUNTS[0] + BYTES) + slot.load(COUNTS[1] + BYTES)
}

/// Packets and bytes by direction, to the server first.
pub(crate) fn totals(slot: &FlowSlot) -> ([u64; 2], [u64; 2]) {
    let mut packets = COUNTS.map(|base| slot.load(base + PACKETS));
    let mut bytes = COUNTS.map(|base| slot.load(base + BYTES));
    if slot.load(VERDICT) & CLIENT_IS_HI != 0 {
        packets.reverse();
        bytes.reverse();
    }
    (packets, bytes)
}

/// Of a verdict word the TCP flags by direction, to the server first.
pub(crate) fn flags_by_direction(word: u64, client_is_hi: bool) -> [u8; 2] {
    let [.., lo_hi, hi_lo, _, _] = word.to_le_bytes();
    if client_is_hi { [hi_lo, lo_hi] } else { [lo_hi, hi_lo] }
}

/// When the flow's first packet came.
pub(crate) fn first_ns(slot: &FlowSlot) -> u64 {
    let [lo_hi, hi_lo] = COUNTS.map(|base| slot.load(base + FIRST_NS));
    if lo_hi == 0 || hi_lo == 0 { lo_hi.max(hi_lo) } else { lo_hi.min(hi_lo) }
}

/// When the last packet of a direction came; 0: none has.
#[inline(always)]
pub(crate) fn last_of(slot: &FlowSlot, swapped: bool) -> u64 {
    slot.load(COUNTS[usize::from(swapped)] + LAST_NS)
}

/// When the flow's last packet came.
#[inline(always)]
pub(crate) fn last_ns(slot: &FlowSlot) -> u64 {
    slot.load(COUNTS[0] + LAST_NS).max(slot.load(COUNTS[1] + LAST_NS))
}

/// Who sent a packet, by the flow's state and the packet's order.
#[inline(always)]
pub(crate) fn direction(verdict: u64, swapped: bool) -> Direction {
    if (verdict & CLIENT_IS_HI != 0) == swapped { Direction::ToServer } else { Direction::ToClient }
}

/// The client and the server.
pub(crate) fn client_and_server(key: &FlowKey, verdict: u64) -> (Endpoint, Endpoint) {
    let [lo, hi] = endpoints(key);
    if verdict & CLIENT_IS_HI != 0 { (hi, lo) } else { (lo, hi) }
}

/// The lower and the higher address, mapped form, and their ports.
pub(crate) fn endpoints(key: &FlowKey) -> [Endpoint; 2] {
    [
        Endpoint { address: key.address_lo(), port: key.port_lo() },
        Endpoint { address: key.address_hi(), port: key.port_hi() },
    ]
}
