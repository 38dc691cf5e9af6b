//! `OpenVPN` ("OpenVPN Network Protocol", the project's protocol documentation): the control
//! channel's first packets, plain, under `tls-auth` and under `tls-crypt`, over UDP and TCP.
//!
//! A packet begins with its operation (five bits) and key number, and a session id drawn at
//! random. The client's reset, recognised by the packet counters at the places where each mode
//! has them, is believed when it can be nothing else; otherwise the server's answer, which repeats
//! the client's session id, settles it.

use crate::app::AppId;
use crate::reader::Reader;
use crate::view::{Dissector, First, Notes, Outcome, Transport, View};

pub(super) const OPENVPN: Dissector = Dissector {
    app: AppId::OPENVPN,
    over: &[Transport::Udp, Transport::Tcp],
    ports: &[1194, 443, 1195, 1197, 1198],
    ports_only: false,
    // Operations with key number 0; over TCP the high byte of the length.
    first: First::OneOf(&[0, 1, 0x08, 0x10, 0x20, 0x28, 0x38, 0x40, 0x50]),
    run,
};

const CLIENT_RESET_1: u8 = 1;
const SERVER_RESET_1: u8 = 2;
const CONTROL: u8 = 4;
const ACK: u8 = 5;
const CLIENT_RESET_2: u8 = 7;
const SERVER_RESET_2: u8 = 8;
const CLIENT_RESET_3: u8 = 10;

/// HMACs that `tls-auth` is used with: none, MD5, SHA-1, SHA-256, SHA-384, SHA-512.
const HMACS: [usize; 6] = [0, 16, 20, 32, 48, 64];
/// Of `tls-crypt`: counter, time and tag, then the encrypted acknowledgements and packet number.
const CRYPT_BYTES: usize = 1 + 8 + 8 + 32 + 5;
/// Times between 2001 and 2106 that a clock may show in a packet counter.
const TIME_LEAST: u32 = 1_000_000_000;

fn run(view: &View<'_>, notes: &mut Notes<'_>) -> Outcome {
    if view.transport == Transport::Udp {
        return packet(notes, view.data);
    }
    let mut reader = Reader::new(view.data);
    let Some(length) = reader.u16().map(usize::from) else { return Outcome::NeedMore };
    let Some(first) = reader.rest().first() else {
        return if (14..=1600).contains(&length) { Outcome::NeedMore } else { Outcome::NotMine };
    };
    let begins = matches!(first >> 3, CLIENT_RESET_1 | SERVER_RESET_1 | 7 | 8 | 10);
    if !(14..=1600).contains(&length) || !begins || first & 7 != 0 {
        return Outcome::NotMine;
    }
    match reader.take(length) {
        Some(data) => packet(notes, data),
        None => Outcome::NeedMore,
    }
}

fn packet(notes: &mut Notes<'_>, data: &[u8]) -> Outcome {
    let mut reader = Reader::new(data);
    let (Some(first), Some(session)) = (reader.u8(), reader.array::<8>()) else {
        return Outcome::NotMine;
    };
    let (operation, key) = (first >> 3, first & 7);
    if key != 0 || session == [0; 8] {
        return Outcome::NotMine;
    }
    let rest = reader.rest();
    match operation {
        CLIENT_RESET_1 | CLIENT_RESET_2 | CLIENT_RESET_3 => {
            let certainty = client_reset(operation, rest);
            if certainty != Certainty::Excluded {
                notes.scratch.session = session;
            }
            match certainty {
                Certainty::Excluded => Outcome::NotMine,
                Certainty::Fits => Outcome::NeedMore,
                Certainty::Proven => Outcome::found(AppId::OPENVPN),
            }
        }
        SERVER_RESET_1 | SERVER_RESET_2 | CONTROL | ACK => {
            answer(operation, notes.scratch.session, session, rest)
        }
        _ => Outcome::NotMine,
    }
}

/// How much a packet proves.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Certainty {
    Excluded,
    Fits,
    Proven,
}

fn client_reset(operation: u8, rest: &[u8]) -> Certainty {
    // Plain: no acknowledgements, packet number 0 and nothing else.
    if rest == [0; 5] {
        return Certainty::Proven;
    }
    // With an HMAC: the counter behind it starts at 1 and a time follows.
    for bytes in HMACS {
        let Some(counted) = rest.get(bytes..) else { break };
        if counted.len() == 13 && counts(counted) && counted.ends_with(&[0; 5]) {
            return Certainty::Proven;
        }
    }
    let wrapped_key = operation == CLIENT_RESET_3 && rest.len() > CRYPT_BYTES - 9;
    if counts(rest) && (rest.len() == CRYPT_BYTES - 9 || wrapped_key) {
        return Certainty::Proven;
    }
    // The same without a counter's proof: a reset that acknowledges nothing, at its end.
    let plausible = rest.ends_with(&[0; 5]) && HMACS.contains(&rest.len().wrapping_sub(13));
    if plausible { Certainty::Fits } else { Certainty::Excluded }
}

/// A packet counter that has just started, and a time.
fn counts(bytes: &[u8]) -> bool {
    let mut reader = Reader::new(bytes);
    let counter = reader.u32();
    let time = reader.u32();
    // `tls-crypt` of version 2 marks a server's cookie in the counter's top bits.
    counter.is_some_and(|counter| matches!(counter, 1..=64 | 0x0f00_0001))
        && time.is_some_and(|time| time >= TIME_LEAST)
}

/// What comes after a reset: the other side's, which repeats the session id of the first, or the
/// same side's next packet.
fn answer(operation: u8, before: [u8; 8], session: [u8; 8], rest: &[u8]) -> Outcome {
    let reset = matches!(operation, SERVER_RESET_1 | SERVER_RESET_2);
    if before != [0; 8] {
        let repeats = rest.len() < 128 && rest.windows(8).any(|bytes| bytes == before);
        if repeats || before == session || (reset && counts(rest)) {
            return Outcome::found(AppId::OPENVPN);
        }
    }
    if !reset {
        return Outcome::NotMine;
    }
    // Without the client's reset: one acknowledgement of packet 0, the client's id, packet 0.
    for bytes in HMACS {
        let counters = if bytes == 0 { 0 } else { 8 };
        let Some(list) = rest.get(bytes + counters..) else { break };
        let counted = bytes == 0 || rest.get(bytes..).is_some_and(counts);
        if let [1, 0, 0, 0, 0, id @ .., 0, 0, 0, 0] = list
            && id.len() == 8
            && id != [0; 8]
            && counted
        {
            return Outcome::found(AppId::OPENVPN);
        }
    }
    Outcome::NotMine
}
