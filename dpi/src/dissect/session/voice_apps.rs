//! Messengers whose transports are encrypted and told by their frame: Telegram's `MTProto`
//! (core.telegram.org, "Transports"), Threema's chat protocol ("Threema Cryptography
//! Whitepaper", chat protocol), and imo's datagrams.
//!
//! `MTProto` obfuscated has no mark by design and is not told from random bytes here.

use crate::app::AppId;
use crate::reader::Reader;
use crate::view::{Dissector, First, Notes, Outcome, Transport, View};

pub(super) const TELEGRAM: Dissector = Dissector {
    app: AppId::TELEGRAM,
    over: &[Transport::Tcp],
    ports: &[443, 80, 5222],
    ports_only: false,
    // The marks of the abridged, intermediate and padded transports.
    first: First::OneOf(&[0xef, 0xee, 0xdd]),
    run: telegram,
};

pub(super) const THREEMA: Dissector = Dissector {
    app: AppId::THREEMA,
    over: &[Transport::Tcp],
    ports: &[5222, 443],
    ports_only: true,
    // Random bytes.
    first: First::Any,
    run: threema,
};

pub(super) const IMO: Dissector = Dissector {
    app: AppId::IMO_CHAT,
    over: &[Transport::Udp],
    ports: &[],
    ports_only: false,
    first: First::OneOf(&[0x00, 0x09]),
    run: imo,
};

/// Key identifier, message identifier, length.
const PLAIN_HEADER_BYTES: usize = 8 + 8 + 4;
/// Key identifier and message key; the rest is in blocks of sixteen.
const SEALED_HEADER_BYTES: usize = 8 + 16;

fn telegram(view: &View<'_>, _notes: &mut Notes<'_>) -> Outcome {
    match telegram_frame(view) {
        Some(true) => Outcome::found(AppId::TELEGRAM),
        Some(false) => Outcome::NotMine,
        None => Outcome::NeedMore,
    }
}

/// The mark of the transport, the length of the first message, and a message of that length:
/// plain, as while a key is agreed on, or sealed.
fn telegram_frame(view: &View<'_>) -> Option<bool> {
    let mut reader = Reader::new(view.data);
    let mark = reader.u8()?;
    let length = if mark == 0xef {
        let words = match reader.u8()? {
            0x7f => {
                let [low, middle, high] = reader.array()?;
                u32::from_le_bytes([low, middle, high, 0])
            }
            words => u32::from(words),
        };
        words.checked_mul(4)?
    } else {
        if reader.array::<3>()? != [mark; 3] {
            return Some(false);
        }
        reader.u32_le()?
    };
    let length = usize::try_from(length).ok()?;
    if !(PLAIN_HEADER_BYTES + 20..=16_384).contains(&length) {
        return Some(false);
    }
    let message = reader.take(length)?;
    let alone = reader.left() == 0;
    let body = message.get(16..20).and_then(|bytes| bytes.first_chunk::<4>())?;
    let body = usize::try_from(u32::from_le_bytes(*body)).ok()?;
    let plain = message.starts_with(&[0; 8]) && body + PLAIN_HEADER_BYTES <= length;
    let usual = [443, 80, 5222].into_iter().any(|port| view.port_is(port));
    let sealed = alone && usual && (length - SEALED_HEADER_BYTES).is_multiple_of(16);
    // With four bytes of mark the length is proof enough; padding may follow the blocks.
    Some(plain || sealed || (mark != 0xef && alone))
}

/// A public key and a cookie, 48 bytes; the server's cookie and a box with both in it, 80 bytes.
const HELLO_BYTES: usize = 32 + 16;
const ANSWER_BYTES: usize = 16 + 16 + 48;

fn threema(view: &View<'_>, notes: &mut Notes<'_>) -> Outcome {
    if view.from_client() {
        if notes.scratch.threema {
            return Outcome::NeedMore;
        }
        notes.scratch.threema = view.data.len() == HELLO_BYTES && is_random(view.data);
        return if notes.scratch.threema { Outcome::NeedMore } else { Outcome::NotMine };
    }
    match view.data.len() {
        _ if !notes.scratch.threema => Outcome::NotMine,
        0..ANSWER_BYTES => Outcome::NeedMore,
        ANSWER_BYTES if is_random(view.data) => Outcome::found(AppId::THREEMA),
        _ => Outcome::NotMine,
    }
}

/// Whether the first 48 bytes have as many different values as random bytes do (44 on average).
fn is_random(bytes: &[u8]) -> bool {
    let mut seen = [0_u64; 4];
    for byte in bytes.iter().take(48) {
        if let Some(word) = seen.get_mut(usize::from(byte >> 6)) {
            *word |= 1 << (byte & 63);
        }
    }
    seen.iter().map(|word| word.count_ones()).sum::<u32>() >= 36
}

/// Probes: a kind, a number that counts, zeros; the answer has a zero before.
fn imo(view: &View<'_>, _notes: &mut Notes<'_>) -> Outcome {
    let probe = matches!(
        view.data,
        [9, 2 | 3, _, _, _, 0, 0, 0, 0, 0] | [0, 9, 2 | 3, _, _, _, 0, 0, 0, 0, 0]
    );
    if probe { Outcome::found(AppId::IMO_CHAT) } else { Outcome::NotMine }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dissect::testing::{Flow, check_never, check_prefixes, run};
    use crate::view::Direction::{ToClient, ToServer};

    const TCP: Transport = Transport::Tcp;
    const PORTS: (u16, u16) = (4000, 443);

    fn random(length: usize) -> Vec<u8> {
        let numbers = (1..).map(|number: u32| number.wrapping_mul(0x9e37_79b1).to_be_bytes()[0]);
        numbers.take(length).collect()
    }

    #[test]
    fn telegram_by_mark_and_length() {
        let mut plain = vec![0; 8];
        plain.extend_from_slice(&[5, 6, 7, 8, 9, 10, 11, 12, 20, 0, 0, 0, 0xf1, 0x8e, 0x7e, 0xbe]);
        plain.resize(40, 3);
        let abridged = [&[0xef, 10][..], &plain].concat();
        let intermediate = [&[0xee, 0xee, 0xee, 0xee, 40, 0, 0, 0][..], &plain].concat();
        let sealed = [&[0xef, 22][..], &random(88)].concat();
        for bytes in [&abridged, &intermediate, &sealed] {
            check_prefixes(&TELEGRAM, ToServer, TCP, bytes, PORTS);
        }
        check_never(&TELEGRAM, ToServer, TCP, &sealed, (4000, 4001));
        check_never(&TELEGRAM, ToServer, TCP, &[&[0xef, 23][..], &random(92)].concat(), PORTS);
        check_never(&TELEGRAM, ToServer, TCP, b"\xee\xee\xee\xef\x28\0\0\0", PORTS);
    }

    #[test]
    fn threema_by_the_lengths_of_both_hellos() {
        for (hello, answer, expected) in [
            (48, 80, Outcome::found(AppId::THREEMA)),
            (49, 80, Outcome::NotMine),
            (48, 81, Outcome::NotMine),
            (48, 79, Outcome::NeedMore),
        ] {
            let mut flow = Flow::new(TCP, (4000, 5222));
            flow.ask(&THREEMA, ToServer, &random(hello));
            assert_eq!(flow.ask(&THREEMA, ToClient, &random(answer)), expected);
        }
        let mut flow = Flow::new(TCP, (4000, 5222));
        assert_eq!(flow.ask(&THREEMA, ToServer, &[b'a'; 48]), Outcome::NotMine);
    }

    #[test]
    fn imo_by_its_probes() {
        let outcome = |bytes: &[u8]| run(&IMO, ToServer, Transport::Udp, bytes, (4000, 4001)).0;
        let found = Outcome::found(AppId::IMO_CHAT);
        assert_eq!(outcome(b"\x09\x02\xdc\x9a\x02\0\0\0\0\0"), found);
        assert_eq!(outcome(b"\0\x09\x03\x21\x9a\x02\0\0\0\0\0"), found);
        for near in [&b"\x09\x02\xdc\x9a\x02\0\0\0\0\x01"[..], b"\x09\x02\xdc\x9a\x02\0\0\0\0"] {
            assert_eq!(outcome(near), Outcome::NotMine);
        }
    }
}
