//! An alert as words, as `docs/SHM_FORMAT.md` has them.

use crate::layout::halves;

use super::{Alert, AlertKind, FIGURES, FLOWS, Figure, Party, Phase, Severity, ShortText};

/// Words of an alert.
pub(crate) const WORDS: usize = 48;

const ID: usize = 3;
const TIMES: usize = 4;
const WINDOW: usize = 7;
const VALUE: usize = 9;
const SUBJECT: usize = 12;
const PEER: usize = 14;
const PORTS: usize = 16;
const MAC: usize = 17;
const PEER_MAC: usize = 18;
const RULE: usize = 19;
const TECHNIQUE: usize = 23;
const FLOW: usize = 25;
const FIGURE: usize = 33;
const NOTE: usize = 41;
/// Bits of a figure's value.
const VALUE_BITS: u32 = 48;

/// Word 0 of an alert in the ring, and word 1 of one in the table.
pub(super) fn head(alert: &Alert) -> u64 {
    let [a, b, ..] = WORDS.to_le_bytes();
    u64::from_le_bytes([a, b, 0, 0, alert.phase as u8, alert.severity as u8, alert.kind as u8, 0])
}

/// The words; the first two are the caller's.
pub(super) fn encode(alert: &Alert) -> [u64; WORDS] {
    let mut words = [0; WORDS];
    words[2] = alert.time_ns;
    words[ID] = alert.id;
    words[TIMES] = alert.start_ns;
    words[TIMES + 1] = alert.update_ns;
    words[TIMES + 2] = alert.end_ns;
    words[WINDOW] = alert.window;
    words[WINDOW + 1] = u64::from(alert.window_s) | u64::from(alert.times) << 32;
    words[VALUE] = alert.value;
    words[VALUE + 1] = alert.peak;
    words[VALUE + 2] = alert.threshold;
    put(&mut words, SUBJECT, &alert.subject.address);
    put(&mut words, PEER, &alert.peer.address);
    words[PORTS] = u64::from(alert.subject.port)
        | u64::from(alert.peer.port) << 16
        | u64::from(alert.vlan) << 32
        | u64::from(alert.protocol) << 48;
    words[MAC] = mac_word(alert.mac) | u64::from(alert.app) << 48;
    words[PEER_MAC] = mac_word(alert.peer_mac);
    put(&mut words, RULE, &alert.rule.0);
    put(&mut words, TECHNIQUE, &ShortText::<16>::new(alert.kind.technique().as_bytes()).0);
    words[FLOW..FLOW + FLOWS].copy_from_slice(&alert.flows);
    for (word, figure) in words[FIGURE..FIGURE + FIGURES].iter_mut().zip(alert.figures) {
        *word = figure.map_or(0, |(figure, value)| {
            value.min((1 << VALUE_BITS) - 1) | u64::from(figure as u16) << VALUE_BITS
        });
    }
    put(&mut words, NOTE, &alert.note.0);
    words
}

/// Fills in an alert from its words; false where they are none that an engine writes.
pub(super) fn decode(alert: &mut Alert, head: u64, word: impl Fn(usize) -> u64) -> bool {
    let [_, _, _, _, phase, severity, kind, _] = head.to_le_bytes();
    let (Some(phase), Some(severity), Some(kind)) =
        (Phase::from_raw(phase), Severity::from_raw(severity), AlertKind::from_raw(kind))
    else {
        return false;
    };
    let ports = word(PORTS);
    let two = |shift: u32| u16::try_from(ports >> shift & 0xffff).unwrap_or(0);
    let (window_s, times) = halves(word(WINDOW + 1));
    *alert = Alert {
        id: word(ID),
        kind,
        severity,
        phase,
        rule: ShortText(get(RULE, &word)),
        time_ns: word(2),
        start_ns: word(TIMES),
        update_ns: word(TIMES + 1),
        end_ns: word(TIMES + 2),
        window: word(WINDOW),
        window_s,
        times,
        value: word(VALUE),
        peak: word(VALUE + 1),
        threshold: word(VALUE + 2),
        subject: Party { address: get(SUBJECT, &word), port: two(0) },
        peer: Party { address: get(PEER, &word), port: two(16) },
        mac: mac_of(word(MAC)),
        peer_mac: mac_of(word(PEER_MAC)),
        vlan: two(32),
        protocol: u8::try_from(ports >> 48 & 0xff).unwrap_or(0),
        app: u16::try_from(word(MAC) >> 48).unwrap_or(0),
        flows: std::array::from_fn(|index| word(FLOW + index)),
        figures: std::array::from_fn(|index| {
            let word = word(FIGURE + index);
            let figure = Figure::from_raw(u16::try_from(word >> VALUE_BITS).unwrap_or(0))?;
            Some((figure, word & ((1 << VALUE_BITS) - 1)))
        }),
        note: ShortText(get(NOTE, &word)),
    };
    true
}

fn put(words: &mut [u64; WORDS], at: usize, bytes: &[u8]) {
    let (eights, _) = bytes.as_chunks::<8>();
    for (word, eight) in words.iter_mut().skip(at).zip(eights) {
        *word = u64::from_le_bytes(*eight);
    }
}

fn get<const N: usize>(at: usize, word: &impl Fn(usize) -> u64) -> [u8; N] {
    let mut bytes = [0; N];
    for (index, eight) in bytes.chunks_exact_mut(8).enumerate() {
        eight.copy_from_slice(&word(at + index).to_le_bytes());
    }
    bytes
}

fn mac_word(mac: [u8; 6]) -> u64 {
    let mut bytes = [0; 8];
    bytes[..6].copy_from_slice(&mac);
    u64::from_le_bytes(bytes)
}

fn mac_of(word: u64) -> [u8; 6] {
    word.to_le_bytes().first_chunk::<6>().copied().unwrap_or_default()
}
