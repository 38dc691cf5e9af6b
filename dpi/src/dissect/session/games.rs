//! Games: the Source engine's and Quake's queries (Valve developer documentation, "Server
//! queries"), `RakNet` (its offline messages' fixed sixteen bytes), Minecraft's handshake, Riot's
//! sessions, Photon's commands, Unreal's online link, KCP, which many games carry; and the voice and video of Telegram, which
//! carry their mark behind the first bytes.

use super::text::{self, Match};
use crate::app::AppId;
use crate::attr;
use crate::reader::Reader;
use crate::view::{Dissector, First, Notes, Outcome, Transport, View};

pub(super) const QUERY: Dissector = Dissector {
    app: AppId::SOURCE_ENGINE,
    over: &[Transport::Udp],
    ports: &[27015, 27016, 27017, 27960],
    ports_only: false,
    first: First::OneOf(&[0xff]),
    run: query,
};

pub(super) const MARKED: Dissector = Dissector {
    app: AppId::RAKNET,
    over: &[Transport::Udp],
    ports: &[19132, 19133],
    ports_only: false,
    // The mark stands at an offset; what is compared is two to four words.
    first: First::Any,
    run: marked,
};

pub(super) const MINECRAFT: Dissector = Dissector {
    app: AppId::MINECRAFT,
    over: &[Transport::Tcp],
    ports: &[25565],
    ports_only: false,
    first: First::Ranges(&[(6, 127)]),
    run: minecraft,
};

/// Four bytes of ones, a letter, and what that letter has behind it.
fn query(view: &View<'_>, _notes: &mut Notes<'_>) -> Outcome {
    let Match::Yes(rest) = text::prefix(view.data, &[0xff; 4]) else { return Outcome::NotMine };
    let app = match rest {
        [b'T', rest @ ..] if rest.starts_with(b"Source Engine Query\0") => AppId::SOURCE_ENGINE,
        // Players, rules and challenge, each with a challenge of four bytes; the challenge.
        [b'U' | b'V', ..] if rest.len() == 5 => AppId::SOURCE_ENGINE,
        [b'A', ..] if rest.len() == 5 && view.port_is(27015) => AppId::SOURCE_ENGINE,
        // Information: protocol, then the server's name in text.
        [b'I', 2..=100, name @ ..] if name.iter().take(8).all(|byte| *byte >= b' ') => {
            AppId::SOURCE_ENGINE
        }
        _ => {
            let known = text::any_keyword(
                rest,
                &[
                    b"getstatus",
                    b"getinfo",
                    b"getchallenge",
                    b"getservers",
                    b"statusResponse\n",
                    b"infoResponse\n",
                    b"challengeResponse",
                    b"connect \"",
                ],
            );
            if !matches!(known, Match::Yes(_)) {
                return Outcome::NotMine;
            }
            AppId::QUAKE
        }
    };
    Outcome::found(app)
}

/// `RakNet`'s offline mark.
const OFFLINE: &[u8; 16] = b"\0\xff\xff\0\xfe\xfe\xfe\xfe\xfd\xfd\xfd\xfd\x12\x34\x56\x78";

fn marked(view: &View<'_>, _notes: &mut Notes<'_>) -> Outcome {
    let data = view.data;
    // Behind the message's number; behind a time; behind two times; Roblox puts a header before.
    let offline = [1, 9, 17, 32].iter().any(|at| data.get(*at..at + 16) == Some(OFFLINE));
    if offline {
        return Outcome::found(AppId::RAKNET);
    }
    // Telegram's reflectors: a 16-byte tag, then a field of ones that no media packet has.
    if data.get(16..28) == Some(&[0xff; 12]) && matches!(data.len(), 32..=96) {
        return Outcome::found(AppId::TELEGRAM);
    }
    if is_photon(data) {
        return Outcome::found(AppId::PHOTON);
    }
    if is_riot(data) {
        return Outcome::found(AppId::RIOT_GAMES);
    }
    if is_unreal(data) {
        return Outcome::found(AppId::EPIC_GAMES);
    }
    // Conversations have a number, and in some games a token behind it.
    if is_kcp(data, 4) || is_kcp(data, 8) {
        return Outcome::found(AppId::KCP);
    }
    Outcome::NotMine
}

/// KCP's segments (its protocol description): the conversation's number, then command, fragment,
/// window, time, sequence, acknowledged and length; together they fill the datagram.
fn is_kcp(data: &[u8], number_bytes: usize) -> bool {
    let mut reader = Reader::new(data);
    let mut conversation = None;
    for _ in 0..32 {
        let Some(number) = reader.take(number_bytes) else { return false };
        if *conversation.get_or_insert(number) != number || number.iter().all(|byte| *byte == 0) {
            return false;
        }
        let Some([command @ 81..=84, fragment, _, _]) = reader.array() else { return false };
        let (Some(_time), Some(sequence), Some(acknowledged), Some(length)) =
            (reader.u32_le(), reader.u32_le(), reader.u32_le(), reader.u32_le())
        else {
            return false;
        };
        // Only pushed data has a length.
        let fits = (length > 0) == (command == 81) && length < 1500;
        if !fits || fragment > 127 || sequence >> 24 != 0 || acknowledged >> 24 != 0 {
            return false;
        }
        if usize::try_from(length).ok().and_then(|length| reader.skip(length)).is_none() {
            return false;
        }
        if reader.left() == 0 {
            return true;
        }
    }
    false
}

/// A session that has not begun: a fixed field behind zeros; or fixed filler at the end.
fn is_riot(data: &[u8]) -> bool {
    match data.len() {
        53 => data.get(12..40).is_some_and(|field| {
            field.ends_with(&[0x98, 0xb9, 0x9e, 0xeb]) && field.starts_with(&[0; 24])
        }),
        36 => data.ends_with(b"\xaa\xaa\xaa\xaa\xbb\xbb\xbb\xbb"),
        _ => false,
    }
}

/// Photon's reliable datagrams: peer, flags, how many commands, time, challenge; every command
/// names its length, and together they fill the datagram.
fn is_photon(data: &[u8]) -> bool {
    let mut reader = Reader::new(data);
    let Some([_, _, 0..=1, count @ 1..=16]) = reader.array() else { return false };
    if reader.skip(8).is_none() {
        return false;
    }
    for _ in 0..count {
        let Some([1..=16, _, 0..=3, 0..=4]) = reader.array() else { return false };
        let Some(body) = reader.u32().and_then(|length| length.checked_sub(8)) else {
            return false;
        };
        if body < 4 || usize::try_from(body).ok().and_then(|body| reader.skip(body)).is_none() {
            return false;
        }
    }
    reader.left() == 0
}

/// The stateless handshake: a fixed header, then a cookie that is still empty.
fn is_unreal(data: &[u8]) -> bool {
    (48..=56).contains(&data.len())
        && data.get(1..4) == Some(&[0x1a, 0x20, 0x00])
        && data.get(12..36).is_some_and(|zeros| zeros.iter().all(|byte| *byte == 0))
}

/// Length, packet 0, protocol version, host name, port, next state 1 to 3 (Minecraft protocol
/// documentation, "Handshake").
fn minecraft(view: &View<'_>, notes: &mut Notes<'_>) -> Outcome {
    let mut reader = Reader::new(view.data);
    let Some(length) = reader.u8() else { return Outcome::NeedMore };
    match reader.u8() {
        None => return Outcome::NeedMore,
        Some(0) => {}
        Some(_) => return Outcome::NotMine,
    }
    // One to five bytes of version, the last without its top bit.
    for _ in 0..5 {
        match reader.u8() {
            None => return Outcome::NeedMore,
            Some(byte) if byte & 0x80 == 0 => break,
            Some(_) => {}
        }
    }
    let Some(host_bytes) = reader.u8() else { return Outcome::NeedMore };
    let taken = view.data.len() - 1 - reader.left();
    if !(1..=100).contains(&host_bytes)
        || taken + usize::from(host_bytes) + 3 != usize::from(length)
    {
        return Outcome::NotMine;
    }
    let host = reader.take_up_to(usize::from(host_bytes));
    let name = host.split(|byte| *byte == 0).next().unwrap_or_default();
    if !name
        .iter()
        .all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-' | b':' | b'_'))
    {
        return Outcome::NotMine;
    }
    let (Some(_port), Some(state)) = (reader.u16(), reader.u8()) else { return Outcome::NeedMore };
    if !(1..=3).contains(&state) {
        return Outcome::NotMine;
    }
    notes.meta.put(&attr::GAME_SERVER, name);
    notes.meta.put(&attr::HOST_NAME, name);
    Outcome::found(AppId::MINECRAFT)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dissect::testing::{check_never, check_prefixes, run};
    use crate::view::Direction::{ToClient, ToServer};

    #[test]
    fn queries_and_answers() {
        let udp = Transport::Udp;
        let ask = b"\xff\xff\xff\xffTSource Engine Query\0";
        check_prefixes(&QUERY, ToServer, udp, ask, (4000, 27015));
        let info = b"\xff\xff\xff\xffI\x11My server\0de_dust2\0";
        check_prefixes(&QUERY, ToClient, udp, info, (4000, 27015));
        let status = b"\xff\xff\xff\xffgetstatus";
        let outcome = run(&QUERY, ToServer, udp, status, (4000, 27960)).0;
        assert_eq!(outcome, Outcome::found(AppId::QUAKE));
        check_never(&QUERY, ToServer, udp, b"\xff\xff\xff\xffXhello", (4000, 27015));
    }

    #[test]
    fn marks_behind_the_first_bytes() {
        let outcome = |bytes: &[u8]| run(&MARKED, ToServer, Transport::Udp, bytes, (40, 41)).0;
        let mut ping = vec![1; 9];
        ping.extend_from_slice(OFFLINE);
        assert_eq!(outcome(&ping), Outcome::found(AppId::RAKNET));
        let mut reflector = vec![7; 16];
        reflector.extend_from_slice(&[0xff; 12]);
        reflector.extend_from_slice(&[1; 12]);
        assert_eq!(outcome(&reflector), Outcome::found(AppId::TELEGRAM));
        reflector[20] = 0;
        assert_eq!(outcome(&reflector), Outcome::NotMine);
        let mut riot = b"\xa4\x9f\x9c\x31\xa0\x32\x42\x04\x01\0\0\0".to_vec();
        riot.resize(36, 0);
        riot.extend_from_slice(
            b"\x98\xb9\x9e\xeb\xc2\xe0\x12\xd8\x95\x3c\xb1\x1f\x2d\xea\x23\x46\x0c",
        );
        assert_eq!(outcome(&riot), Outcome::found(AppId::RIOT_GAMES));
        riot[30] = 1;
        assert_eq!(outcome(&riot), Outcome::NotMine);
        // An acknowledgement alone.
        let photon = b"\x16\xe6\0\x01\0\0\x35\x5f\x4b\x58\x55\x50\
            \x01\xff\0\0\0\0\0\x14\0\0\0\0\0\0\0\x02\x8b\x0c\xfa\x1e";
        assert_eq!(outcome(photon), Outcome::found(AppId::PHOTON));
        assert_eq!(outcome(&photon[..31]), Outcome::NotMine);
    }

    #[test]
    fn segments_of_one_conversation_fill_the_datagram() {
        let segment = |number: &[u8], command: u8, length: u8| {
            let head = [number, &[command, 0, 128, 0, 9, 9, 9, 0, 3, 0, 0, 0, 2, 0, 0, 0]].concat();
            [&head[..], &[length, 0, 0, 0], &vec![7; usize::from(length)]].concat()
        };
        let outcome = |bytes: &[u8]| run(&MARKED, ToServer, Transport::Udp, bytes, (40, 41)).0;
        let (short, long) = (b"\x11\x22\x33\x44", b"\x11\x22\x33\x44\x55\x66\x77\x88");
        let two = [segment(short, 82, 0), segment(short, 81, 40)].concat();
        assert_eq!(outcome(&two), Outcome::found(AppId::KCP));
        assert_eq!(outcome(&segment(long, 81, 40)), Outcome::found(AppId::KCP));
        assert_eq!(outcome(&two[..two.len() - 1]), Outcome::NotMine);
        let other = [segment(short, 82, 0), segment(b"\x11\x22\x33\x45", 81, 40)].concat();
        assert_eq!(outcome(&other), Outcome::NotMine);
        assert_eq!(outcome(&segment(short, 82, 4)), Outcome::NotMine);
    }

    #[test]
    fn a_handshake_names_the_server() {
        let hello = b"\x12\0\xfb\x05\x0bmc.examples\x63\xdd\x02";
        let (outcome, meta) = run(&MINECRAFT, ToServer, Transport::Tcp, hello, (4000, 25565));
        assert_eq!(outcome, Outcome::found(AppId::MINECRAFT));
        assert_eq!(meta.get(&attr::HOST_NAME), Some(&b"mc.examples"[..]));
        check_prefixes(&MINECRAFT, ToServer, Transport::Tcp, hello, (4000, 25565));
        let mut near = hello.to_vec();
        near[18] = 9;
        check_never(&MINECRAFT, ToServer, Transport::Tcp, &near, (4000, 25565));
    }
}
