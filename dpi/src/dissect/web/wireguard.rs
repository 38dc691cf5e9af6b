//! `WireGuard` ("WireGuard: Next Generation Kernel Network Tunnel", section 5.4): four kinds of
//! message, three of a fixed length, each beginning with its kind and three zero bytes.
//! Tailscale, which carries `WireGuard`, is told by the packets with which it finds its peers
//! (its `disco` package): a magic of six bytes and a key.

use crate::app::AppId;
use crate::scratch::CounterTrack;
use crate::view::{Dissector, First, Notes, Outcome, Transport, View};

pub(super) const WIREGUARD: Dissector = Dissector {
    app: AppId::WIREGUARD,
    over: &[Transport::Udp],
    ports: &[51820, 41641],
    ports_only: false,
    first: First::OneOf(&[1, 2, 3, 4]),
    run,
};

pub(super) const TAILSCALE: Dissector = Dissector {
    app: AppId::TAILSCALE,
    over: &[Transport::Udp],
    ports: &[41641],
    ports_only: false,
    first: First::OneOf(b"T"),
    run: run_tailscale,
};

/// "TS" and a speech balloon, in UTF-8.
const DISCO: &[u8; 6] = b"TS\xf0\x9f\x92\xac";
/// Magic, sender's key, nonce and the seal of an empty message.
const DISCO_LEAST: usize = 6 + 32 + 24 + 16;

fn run_tailscale(view: &View<'_>, _: &mut Notes<'_>) -> Outcome {
    if view.data.starts_with(DISCO) && view.data.len() >= DISCO_LEAST {
        Outcome::found(AppId::TAILSCALE)
    } else {
        Outcome::NotMine
    }
}

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
        // The nonce and the cookie, 48 bytes, are random from the fourth byte on.
        (3, COOKIE_BYTES) if is_random(body.get(4..).unwrap_or_default()) => {
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
    let Ok(counter) = u32::try_from(counter & 0xffff_ffff) else { return Outcome::NotMine };
    let before = &mut notes.scratch.wireguard;
    let step = counter.wrapping_sub(before.counter);
    if before.index == session && step != 0 && step.wrapping_add(64) < 4096 {
        return Outcome::found(AppId::WIREGUARD);
    }
    *before = CounterTrack { index: session, counter };
    Outcome::NeedMore
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

#[cfg(test)]
#[expect(clippy::cast_possible_truncation, reason = "lengths in tests are small")]
mod tests {
    use super::*;
    use crate::dissect::testing::{Flow, check_never, run};
    use crate::view::Direction::{ToClient, ToServer};

    const PORTS: (u16, u16) = (50_000, 51820);

    /// A message of `length` bytes whose body looks drawn at random.
    fn message(kind: u8, length: usize) -> Vec<u8> {
        let random = (0..length as u32 - 4).map(|at| (at.wrapping_mul(2_654_435_761) >> 24) as u8);
        [kind, 0, 0, 0].into_iter().chain(random).collect()
    }

    fn data_message(session: u32, counter: u64, length: usize) -> Vec<u8> {
        let mut bytes = message(4, length);
        bytes[4..8].copy_from_slice(&session.to_le_bytes());
        bytes[8..16].copy_from_slice(&counter.to_le_bytes());
        bytes
    }

    #[test]
    fn the_handshake_is_found_at_once() {
        for (kind, length) in [(1, 148), (2, 92), (3, 64)] {
            let bytes = message(kind, length);
            let outcome = run(&WIREGUARD, ToServer, Transport::Udp, &bytes, PORTS).0;
            assert_eq!(outcome, Outcome::found(AppId::WIREGUARD));
            check_never(&WIREGUARD, ToServer, Transport::Udp, &bytes[..length - 1], PORTS);
            let mut reserved = bytes.clone();
            reserved[2] = 1;
            check_never(&WIREGUARD, ToServer, Transport::Udp, &reserved, PORTS);
            let mut zeros = vec![0; length];
            zeros[0] = kind;
            check_never(&WIREGUARD, ToServer, Transport::Udp, &zeros, PORTS);
        }
    }

    #[test]
    fn data_needs_a_second_message_that_agrees() {
        let mut flow = Flow::new(Transport::Udp, PORTS);
        let ask = |flow: &mut Flow, bytes: &[u8]| flow.ask(&WIREGUARD, ToClient, bytes);
        assert_eq!(ask(&mut flow, &data_message(7, 100, 96)), Outcome::NeedMore);
        assert_eq!(ask(&mut flow, &data_message(8, 101, 96)), Outcome::NeedMore);
        assert_eq!(ask(&mut flow, &data_message(8, 1 << 41, 96)), Outcome::NotMine);
        assert_eq!(ask(&mut flow, &data_message(8, 102, 97)), Outcome::NotMine);
        assert_eq!(ask(&mut flow, &data_message(8, 103, 32)), Outcome::found(AppId::WIREGUARD));
    }

    #[test]
    fn tailscale_by_its_magic() {
        let bytes = [&DISCO[..], &[7; 80]].concat();
        let outcome = run(&TAILSCALE, ToServer, Transport::Udp, &bytes, PORTS).0;
        assert_eq!(outcome, Outcome::found(AppId::TAILSCALE));
        check_never(&TAILSCALE, ToServer, Transport::Udp, &bytes[..DISCO_LEAST - 1], PORTS);
        check_never(&TAILSCALE, ToServer, Transport::Udp, &[b'T'; 100], PORTS);
    }
}
