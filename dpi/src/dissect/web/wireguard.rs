//! `WireGuard` ("WireGuard: Next Generation Kernel Network Tunnel", section 5.4): four kinds of
//! message, three of a fixed length, each beginning with its kind and three zero bytes.

use crate::app::AppId;
use crate::view::{Dissector, First, Notes, Outcome, Transport, View};

pub(super) const WIREGUARD: Dissector = Dissector {
    app: AppId::WIREGUARD,
    over: &[Transport::Udp],
    ports: &[51820, 41641],
    ports_only: false,
    first: First::OneOf(&[1, 2, 3, 4]),
    run,
};

const INITIATION_BYTES: usize = 148;
const RESPONSE_BYTES: usize = 92;
const COOKIE_BYTES: usize = 64;
/// Header and tag; a keep-alive is nothing else.
const DATA_LEAST: usize = 32;

fn run(view: &View<'_>, notes: &mut Notes<'_>) -> Outcome {
    let &[kind, 0, 0, 0, ref body @ ..] = view.data else { return Outcome::NotMine };
    let Some((session, _)) = body.split_first_chunk::<4>() else { return Outcome::NotMine };
    match (kind, view.data.len()) {
        // Sender and ephemeral key are drawn at random: zeros and counters are something else.
        (1, INITIATION_BYTES) | (2, RESPONSE_BYTES) if is_random(body) => {
            Outcome::found(AppId::WIREGUARD)
        }
        (3, COOKIE_BYTES) if is_random(body) && before_agrees(notes, *session) => {
            Outcome::found(AppId::WIREGUARD)
        }
        (4, length) if length >= DATA_LEAST && length % 16 == 0 => data(notes, body, *session),
        _ => Outcome::NotMine,
    }
}

/// Data in a session that began before the capture: one message proves little, so a second of the
/// same session must agree, with a counter near the first's.
fn data(notes: &mut Notes<'_>, body: &[u8], session: [u8; 4]) -> Outcome {
    let Some(counter) = body.get(4..12).and_then(|bytes| bytes.first_chunk::<8>()) else {
        return Outcome::NotMine;
    };
    let counter = u64::from_le_bytes(*counter);
    // A session ends after three minutes or 2^60 messages; what comes first is far below 2^40.
    if counter >> 40 != 0 || session == [0; 4] || !is_random(body.get(12..).unwrap_or_default()) {
        return Outcome::NotMine;
    }
    let [a, b, c, d, before @ ..] = notes.scratch.session;
    let before = u32::from_be_bytes(before);
    let Ok(now) = u32::try_from(counter & 0xffff_ffff) else { return Outcome::NotMine };
    if [a, b, c, d] == session && now.wrapping_sub(before).wrapping_add(64) < 4096 && now != before
    {
        return Outcome::found(AppId::WIREGUARD);
    }
    let ([a, b, c, d], [e, f, g, h]) = (session, now.to_be_bytes());
    notes.scratch.session = [a, b, c, d, e, f, g, h];
    Outcome::NeedMore
}

fn before_agrees(notes: &mut Notes<'_>, session: [u8; 4]) -> bool {
    let [a, b, c, d, ..] = notes.scratch.session;
    [a, b, c, d] == session
}

/// Whether the first 32 bytes look like key material: many different values.
fn is_random(bytes: &[u8]) -> bool {
    let mut seen = [0_u64; 4];
    for byte in bytes.iter().take(16) {
        if let Some(word) = seen.get_mut(usize::from(byte >> 6)) {
            *word |= 1 << (byte & 63);
        }
    }
    let different: u32 = seen.iter().map(|word| word.count_ones()).sum();
    different >= 10
}
