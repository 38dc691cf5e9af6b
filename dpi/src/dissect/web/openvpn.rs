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
                notes.scratch.openvpn = session;
            }
            match certainty {
                Certainty::Excluded => Outcome::NotMine,
                Certainty::Fits => Outcome::NeedMore,
                Certainty::Proven => Outcome::found(AppId::OPENVPN),
            }
        }
        SERVER_RESET_1 | SERVER_RESET_2 | CONTROL | ACK => {
            answer(operation, notes.scratch.openvpn, session, rest)
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
    let resets = matches!(operation, SERVER_RESET_1 | SERVER_RESET_2);
    if before != [0; 8] {
        let repeats = rest.len() < 128 && rest.windows(8).any(|bytes| bytes == before);
        if repeats || before == session || (resets && counts(rest)) {
            return Outcome::found(AppId::OPENVPN);
        }
    }
    if !resets {
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

#[cfg(test)]
#[expect(clippy::cast_possible_truncation, reason = "lengths in tests are small")]
mod tests {
    use super::super::sample::hex;
    use super::*;
    use crate::dissect::testing::{Flow, check_never, check_prefixes, run};
    use crate::view::Direction::{ToClient, ToServer};

    const PORTS: (u16, u16) = (50_000, 1194);

    // Captured: plain, `tls-auth` with SHA-1, `tls-auth` with SHA-512; reset and answer.
    const PLAIN: [&str; 2] =
        ["3839fded2daa10a4370000000000", "409421917de7267729010000000039fded2daa10a43700000000"];
    const SHA_1: [&str; 2] = [
        "38b02ccff1b5f0174fc091666e3b124bada39173317b939722d1fe63be0000000157a1c15f0000000000",
        "40f77fc2efdbe23f57dec4c8d5654d0723bf8c0be54138563270cfae130000000157a1c15f0100000000b02c\
         cff1b5f0174f00000000",
    ];
    const SHA_512: [&str; 2] = [
        "388fdd2b9e41d8abeac6c37c832b64c158799064f06d18e82c26dc094d72415e0f47d882a7f8a4582cd0d9b5\
         43f6eb82440c89e3ff168dd27967b4bf6fd504f0c0588234fa576f3a010000000166aa23b60000000000",
        "40fba7e7e6a5fd1277faf7c1dcb583670c62ad17f13652246a12f8262ba1a7ea3fc3cc233713c50905ee6e75\
         3fc55ad522e3f7381db2ced97cf08e33af48d9b01b0cfe3922d9af8bb40000000166aa23b701000000008fdd\
         2b9e41d8abea00000000",
    ];

    #[test]
    fn resets_and_their_answers_are_found_each_by_itself() {
        for pair in [PLAIN, SHA_1, SHA_512] {
            for (text, direction) in pair.iter().zip([ToServer, ToClient]) {
                let bytes = hex(text);
                let outcome = run(&OPENVPN, direction, Transport::Udp, &bytes, PORTS).0;
                assert_eq!(outcome, Outcome::found(AppId::OPENVPN), "{text}");
                check_never(&OPENVPN, direction, Transport::Udp, &bytes[..bytes.len() - 1], PORTS);
                // Over TCP with its length before it.
                let framed = [&(bytes.len() as u16).to_be_bytes()[..], &bytes].concat();
                let outcome = run(&OPENVPN, direction, Transport::Tcp, &framed, PORTS).0;
                assert_eq!(outcome, Outcome::found(AppId::OPENVPN), "{text}");
                check_prefixes(&OPENVPN, direction, Transport::Tcp, &framed, PORTS);
            }
        }
    }

    #[test]
    fn an_encrypted_control_channel_by_its_counter_and_length() {
        let mut bytes = hex("38 0102030405060708 00000001 60000000");
        bytes.resize(CRYPT_BYTES, 0xa5);
        let outcome = run(&OPENVPN, ToServer, Transport::Udp, &bytes, PORTS).0;
        assert_eq!(outcome, Outcome::found(AppId::OPENVPN));
        bytes[13] = 0;
        check_never(&OPENVPN, ToServer, Transport::Udp, &bytes, PORTS);
    }

    #[test]
    fn a_reset_that_proves_nothing_waits_for_the_answer() {
        // An HMAC, but no counter that begins at 1.
        let mut reset = hex(SHA_1[0]);
        reset[32] = 0x77;
        let mut flow = Flow::new(Transport::Udp, PORTS);
        assert_eq!(flow.ask(&OPENVPN, ToServer, &reset), Outcome::NeedMore);
        let outcome = flow.ask(&OPENVPN, ToClient, &hex(SHA_1[1]));
        assert_eq!(outcome, Outcome::found(AppId::OPENVPN));
    }

    #[test]
    fn other_protocols_are_not_it() {
        for bytes in [&[0x38; 14][..], &[0x38, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0], b"8bytes"] {
            check_never(&OPENVPN, ToServer, Transport::Udp, bytes, PORTS);
            check_never(&OPENVPN, ToServer, Transport::Tcp, bytes, PORTS);
        }
        check_never(&OPENVPN, ToServer, Transport::Tcp, b"\0\x20\x38\0\0\0\0\0\0\0\0", PORTS);
    }
}
