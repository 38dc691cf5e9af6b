//! SOCKS 4, 4a (the memos of Ying-Da Lee, NEC) and 5 (RFC 1928).
//!
//! A greeting of three bytes proves little away from the usual port; then the server's answer, or
//! the request behind the greeting, must agree.

use super::inside::tls_inside;
use crate::app::AppId;
use crate::attr;
use crate::reader::Reader;
use crate::risk::Risk;
use crate::view::{Dissector, First, Notes, Outcome, Transport, View};

pub(super) const SOCKS: Dissector = Dissector {
    app: AppId::SOCKS,
    over: &[Transport::Tcp],
    ports: &[1080, 1081, 9050, 9150],
    ports_only: false,
    first: First::OneOf(&[0, 4, 5]),
    run,
};

/// User ids and host names of SOCKS 4 are believed up to here.
const NAME_MOST: usize = 255;

fn run(view: &View<'_>, notes: &mut Notes<'_>) -> Outcome {
    match view.data.first() {
        Some(5) if view.from_client() => version_5(view, notes),
        Some(5) => answer_5(view, notes),
        Some(4) if view.from_client() => version_4(view, notes),
        Some(0) if !view.from_client() => answer_4(view, notes),
        _ => Outcome::NotMine,
    }
}

/// The greeting (section 3): methods, each one that is registered; and the request (section 4).
fn version_5(view: &View<'_>, notes: &mut Notes<'_>) -> Outcome {
    let mut reader = Reader::new(view.data);
    let (Some(_), Some(count)) = (reader.u8(), reader.u8()) else { return Outcome::NeedMore };
    if !(1..=10).contains(&count) {
        return Outcome::NotMine;
    }
    let methods = reader.take_up_to(usize::from(count));
    let registered = methods.iter().all(|method| matches!(method, 0..=9 | 0x80..=0x8f));
    if !registered {
        return Outcome::NotMine;
    }
    if methods.len() < usize::from(count) {
        return Outcome::NeedMore;
    }
    if reader.left() == 0 {
        // Whole, and nothing behind: remembered for the answer.
        notes.scratch.socks = 5;
        return Outcome::NeedMore;
    }
    if reader.rest().first() == Some(&1) {
        // The name and password of RFC 1929 stand between.
        reader.skip(1);
        for _ in 0..2 {
            let Some(length) = reader.u8() else { return Outcome::NeedMore };
            if reader.skip(usize::from(length)).is_none() {
                return Outcome::NeedMore;
            }
        }
        notes.meta.set_risk(Risk::ClearTextCredentials);
        if reader.left() == 0 {
            return Outcome::NeedMore;
        }
    }
    request_5(view, reader, notes)
}

fn request_5(view: &View<'_>, mut reader: Reader<'_>, notes: &mut Notes<'_>) -> Outcome {
    let fits = reader.rest().iter().zip(0..).take(4).all(|(byte, at)| match at {
        0 => *byte == 5,
        1 => matches!(byte, 1..=3),
        2 => *byte == 0,
        _ => matches!(byte, 1 | 3 | 4),
    });
    if !fits {
        return Outcome::NotMine;
    }
    let Some([.., kind]) = reader.array::<4>() else { return Outcome::NeedMore };
    let length = match kind {
        1 => Some(4),
        4 => Some(16),
        _ => reader.u8().map(usize::from),
    };
    let Some(address) = length.and_then(|length| reader.take(length)) else {
        return Outcome::NeedMore;
    };
    if reader.u16().is_none() {
        return Outcome::NeedMore;
    }
    if kind == 3 && address.iter().all(u8::is_ascii_graphic) {
        notes.meta.put(&attr::HOST_NAME, address);
    }
    tls_inside(view, notes, view.data.len() - reader.left(), AppId::SOCKS)
}

/// The server's choice: after a greeting, or with a reply (section 6) behind it.
fn answer_5(view: &View<'_>, notes: &mut Notes<'_>) -> Outcome {
    let greeted = notes.scratch.socks == 5;
    match *view.data {
        // RFC 1929 section 2: name and password are refused.
        [_, 2, 1, status, ..] if greeted && status != 0 => {
            notes.meta.set_risk(Risk::LoginRefused);
            Outcome::found(AppId::SOCKS)
        }
        [_, 0..=3 | 0xff] | [_, 2, 1] | [_, 2, 1, 0] if greeted => {
            Outcome::found_more(AppId::SOCKS)
        }
        [_, 2, 1, 0, 5, 0, 0, ..] if greeted => behind_reply(view, notes, 4),
        [_, 0, 5, 0, 0, 1 | 3 | 4, ..] => behind_reply(view, notes, 2),
        [_, 0, 5, reply, 0, 1 | 3 | 4, ..] if reply <= 8 => Outcome::found(AppId::SOCKS),
        [_] | [_, 0] | [_, 0, 5] | [_, 0, 5, _] | [_, 0, 5, _, 0] => Outcome::NeedMore,
        _ => Outcome::NotMine,
    }
}

/// What a server of version 5 passes on behind its reply, which is at `at` and says that it worked.
fn behind_reply(view: &View<'_>, notes: &mut Notes<'_>, at: usize) -> Outcome {
    let address = match view.data.get(at + 3..).unwrap_or_default() {
        [1, ..] => 4,
        [4, ..] => 16,
        [3, length, ..] => 1 + usize::from(*length),
        _ => return Outcome::found_more(AppId::SOCKS),
    };
    tls_inside(view, notes, at + 4 + address + 2, AppId::SOCKS)
}

/// `CONNECT` or `BIND`: port, address, user id, and in 4a a host name; each text ends in zero.
fn version_4(view: &View<'_>, notes: &mut Notes<'_>) -> Outcome {
    let mut reader = Reader::new(view.data);
    let Some([_, command, port_high, port_low, address @ ..]) = reader.array::<8>() else {
        let fits = view.data.get(1).is_none_or(|command| matches!(command, 1 | 2));
        return if fits { Outcome::NeedMore } else { Outcome::NotMine };
    };
    if !matches!(command, 1 | 2) || [port_high, port_low] == [0, 0] {
        return Outcome::NotMine;
    }
    let Some(user) = text(&mut reader) else { return unended(reader) };
    if !user.iter().all(u8::is_ascii_graphic) {
        return Outcome::NotMine;
    }
    let by_name = matches!(address, [0, 0, 0, last] if last != 0);
    if by_name {
        let Some(name) = text(&mut reader) else { return unended(reader) };
        if name.is_empty() || !name.iter().all(u8::is_ascii_graphic) {
            return Outcome::NotMine;
        }
        notes.meta.put(&attr::HOST_NAME, name);
    }
    if by_name || (reader.left() == 0 && view.port_is(1080)) {
        return Outcome::found(AppId::SOCKS);
    }
    if reader.left() > 0 || address == [0; 4] {
        return Outcome::NotMine;
    }
    notes.scratch.socks = 4;
    Outcome::NeedMore
}

/// The text up to the next zero.
fn text<'a>(reader: &mut Reader<'a>) -> Option<&'a [u8]> {
    let length = reader.rest().iter().take(NAME_MOST).position(|byte| *byte == 0)?;
    let text = reader.take(length);
    reader.skip(1);
    text
}

fn unended(reader: Reader<'_>) -> Outcome {
    let fits = reader.left() < NAME_MOST && reader.rest().iter().all(u8::is_ascii_graphic);
    if fits { Outcome::NeedMore } else { Outcome::NotMine }
}

/// Granted or not: exactly eight bytes, and only after a request that fitted.
fn answer_4(view: &View<'_>, notes: &Notes<'_>) -> Outcome {
    let asked = notes.scratch.socks == 4;
    match view.data {
        [_, 0x5a..=0x5d, ..] if asked && view.data.len() == 8 => Outcome::found(AppId::SOCKS),
        _ => Outcome::NotMine,
    }
}

#[cfg(test)]
mod tests {
    use super::super::sample::hex;
    use super::*;
    use crate::dissect::testing::{Flow, check_never, check_prefixes, run};
    use crate::view::Direction::{ToClient, ToServer};

    const PORTS: (u16, u16) = (50_000, 21_477);

    #[test]
    fn a_greeting_is_proven_by_the_choice() {
        let mut flow = Flow::new(Transport::Tcp, PORTS);
        assert_eq!(flow.ask(&SOCKS, ToServer, &[5, 2, 0, 1]), Outcome::NeedMore);
        assert_eq!(flow.ask(&SOCKS, ToClient, &[5, 0]), Outcome::found_more(AppId::SOCKS));
        let request = b"\x05\x02\x00\x01\x05\x01\x00\x03\x0bexample.com\x01\xbb";
        assert_eq!(flow.ask(&SOCKS, ToServer, request), Outcome::found_more(AppId::SOCKS));
        assert_eq!(flow.meta.get(&attr::HOST_NAME), Some(&b"example.com"[..]));
        // A choice that answers nothing proves nothing.
        assert_eq!(run(&SOCKS, ToClient, Transport::Tcp, &[5, 0], PORTS).0, Outcome::NeedMore);
    }

    #[test]
    fn a_password_is_noted_and_so_is_its_refusal() {
        let login = b"\x05\x01\x02\x01\x04user\x04pass\x05\x01\x00\x01\x01\x02\x03\x04\x00\x50";
        let risks = run(&SOCKS, ToServer, Transport::Tcp, login, PORTS).1.risks();
        assert!(risks.has(Risk::ClearTextCredentials));
        let open = b"\x05\x01\x00\x05\x01\x00\x01\x01\x02\x03\x04\x00\x50";
        assert!(run(&SOCKS, ToServer, Transport::Tcp, open, PORTS).1.risks().is_empty());
        for (status, refused) in [(1, true), (0, false)] {
            let mut flow = Flow::new(Transport::Tcp, PORTS);
            flow.ask(&SOCKS, ToServer, &[5, 1, 2]);
            flow.ask(&SOCKS, ToClient, &[5, 2, 1, status]);
            assert_eq!(flow.meta.risks().has(Risk::LoginRefused), refused);
        }
    }

    #[test]
    fn greeting_and_request_in_one_stream() {
        for bytes in [
            &b"\x05\x01\x00\x05\x01\x00\x03\x0bexample.com\x01\xbb"[..],
            b"\x05\x01\x00\x05\x01\x00\x01\x01\x02\x03\x04\x00\x50",
            b"\x05\x01\x02\x01\x04user\x04pass\x05\x01\x00\x01\x01\x02\x03\x04\x00\x50",
        ] {
            let outcome = run(&SOCKS, ToServer, Transport::Tcp, bytes, PORTS).0;
            assert_eq!(outcome, Outcome::found_more(AppId::SOCKS));
            check_prefixes(&SOCKS, ToServer, Transport::Tcp, bytes, PORTS);
        }
        check_prefixes(&SOCKS, ToClient, Transport::Tcp, &hex("0500050000010a0000010050"), PORTS);
    }

    #[test]
    fn version_four_by_name_at_once_and_by_address_with_the_answer() {
        let by_name = hex("0401005000000001007777772e6578616d706c652e636f6d00");
        let (outcome, meta) = run(&SOCKS, ToServer, Transport::Tcp, &by_name, PORTS);
        assert_eq!(outcome, Outcome::found(AppId::SOCKS));
        assert_eq!(meta.get(&attr::HOST_NAME), Some(&b"www.example.com"[..]));
        check_prefixes(&SOCKS, ToServer, Transport::Tcp, &by_name, PORTS);
        let mut flow = Flow::new(Transport::Tcp, PORTS);
        assert_eq!(flow.ask(&SOCKS, ToServer, &hex("040100505db8d87700")), Outcome::NeedMore);
        let answer = hex("005adfb20ab49cf9");
        assert_eq!(flow.ask(&SOCKS, ToClient, &answer), Outcome::found(AppId::SOCKS));
        check_never(&SOCKS, ToClient, Transport::Tcp, &answer, PORTS);
    }

    #[test]
    fn other_bytes_are_refused() {
        for bytes in [
            &[5, 0, 0][..],
            &[5, 1, 0x40, 5, 1, 0, 1, 1, 2, 3, 4, 0, 80],
            &[5, 1, 0, 5, 9, 0, 1, 1, 2, 3, 4, 0, 80],
            &[4, 3, 0, 80, 1, 2, 3, 4, 0],
            &[4, 1, 0, 80, 0, 0, 0, 0, 0],
            &[4, 1, 0, 80, 0, 0, 0, 9, 0, 1, 0],
        ] {
            check_never(&SOCKS, ToServer, Transport::Tcp, bytes, PORTS);
        }
    }
}
