//! The history of a connection and the state that follows from it, in Zeek's letters and names
//! (docs/METRICS.md).

use weir_shm::health::{
    ConnState, Ended, HISTORY_LETTERS, HealthSlot, WORD_HISTORY, WORD_STATE, mark, seen,
};

use super::sequence::Segment;
use crate::wire::TcpHead;

/// The letters of a flow.
pub(super) const LETTERS: u8 = 0x3f;

/// What a segment shows.
#[inline(always)]
pub(super) fn shown(segment: &Segment) -> u8 {
    const NONE: u8 = TcpHead::SYN | TcpHead::FIN | TcpHead::RST;
    let data = if segment.length > 0 { seen::DATA } else { 0 };
    if segment.flags & NONE == 0 {
        return if data != 0 { data } else { seen::ACK };
    }
    let opens = match segment.flags & (TcpHead::SYN | TcpHead::ACK) {
        TcpHead::SYN => seen::SYN,
        both if both & TcpHead::SYN != 0 => seen::SYN_ACK,
        _ => 0,
    };
    opens
        | data
        | if segment.has(TcpHead::FIN) { seen::FIN } else { 0 }
        | if segment.has(TcpHead::RST) { seen::RST } else { 0 }
}

/// Adds letters to the history, those of `bits`.
pub(super) fn add_letters(slot: &HealthSlot, bits: u8, from_client: bool) {
    for (bit, letter) in seen::LETTERS.iter().enumerate() {
        if bits & 1 << bit != 0 {
            push(slot, *letter, from_client);
        }
    }
}

/// Adds a letter unless the direction has shown it already: `T` sent again, `W` zero window, `G` gap.
pub(super) fn add_once(slot: &HealthSlot, letter: u8, from_client: bool) {
    let wanted = cased(letter, from_client);
    let words = [slot.load(WORD_HISTORY), slot.load(WORD_HISTORY + 1)];
    let has = words.iter().flat_map(|word| word.to_le_bytes()).any(|letter| letter == wanted);
    if !has {
        push(slot, letter, from_client);
    }
}

fn push(slot: &HealthSlot, letter: u8, from_client: bool) {
    let state = slot.load(WORD_STATE);
    let letters = usize::from(state.to_le_bytes()[4]);
    if letters >= HISTORY_LETTERS {
        return;
    }
    let (word, shift) = (WORD_HISTORY + letters / 8, letters % 8 * 8);
    let letter = cased(letter, from_client);
    slot.store(word, slot.load(word) | u64::from(letter) << shift);
    slot.store(WORD_STATE, state + (1 << 32));
}

const fn cased(letter: u8, from_client: bool) -> u8 {
    if from_client { letter } else { letter.to_ascii_lowercase() }
}

/// Counts a SYN.
pub(super) fn count_syn(slot: &HealthSlot) {
    let state = slot.load(WORD_STATE);
    if state.to_le_bytes()[5] != u8::MAX {
        slot.store(WORD_STATE, state + (1 << 40));
    }
}

/// Adds marks.
pub(super) fn add_marks(slot: &HealthSlot, marks: u16) {
    slot.store(WORD_STATE, slot.load(WORD_STATE) | u64::from(marks) << 16);
}

/// Whether the flow has a mark.
pub(super) fn has_mark(slot: &HealthSlot, wanted: u16) -> bool {
    slot.load(WORD_STATE) >> 16 & u64::from(wanted) != 0
}

/// Writes the state and the end, of what both sides of a TCP connection have shown. `last` is the
/// side whose packet it was, true for the client's.
pub(super) fn judge(slot: &HealthSlot, client: u8, server: u8, last: bool) {
    let state = ConnState::of_tcp(client, server);
    let [_, ended_before, ..] = slot.load(WORD_STATE).to_le_bytes();
    let rst = (client | server) & seen::RST != 0;
    let both_closed = client & server & seen::FIN != 0;
    let ended = match (ended_before, rst, both_closed) {
        (0, true, _) if state == ConnState::Rej => Ended::Refused,
        (0, true, _) if last => Ended::ResetByClient,
        (0, true, _) => Ended::ResetByServer,
        // Whoever closes second is not who closed.
        (0, false, true) if last => Ended::ByServer,
        (0, false, true) => Ended::ByClient,
        _ => Ended::Open,
    };
    let ended = if ended == Ended::Open { ended_before } else { ended as u8 };
    let middle = (client & seen::SYN | server & seen::SYN_ACK) == 0;
    write(slot, state, ended);
    if middle {
        add_marks(slot, mark::FROM_MIDDLE);
    }
}

/// Writes the state and how it ended.
pub(super) fn write(slot: &HealthSlot, state: ConnState, ended: u8) {
    let rest = slot.load(WORD_STATE) & !0xffff;
    slot.store(WORD_STATE, rest | u64::from(state as u8) | u64::from(ended) << 8);
}
