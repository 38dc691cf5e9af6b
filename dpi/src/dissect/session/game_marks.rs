//! Games told by the fixed bytes with which their first message begins: rows as
//! `shape` describes them.

use super::text;
use crate::app::AppId;
use crate::dissect::shape::{self, Row, by_prefix, check, first_bytes, row, table};
use crate::view::Dissector;

pub(super) const TCP: Dissector = table(shape::TCP, &STREAM_FIRST, &[], |view, notes| {
    by_prefix(&STREAM_ROWS, &STREAM_FIRST, view, notes)
});

pub(super) const UDP: Dissector = table(shape::UDP, &DATAGRAM_FIRST, &[], |view, notes| {
    by_prefix(&DATAGRAM_ROWS, &DATAGRAM_FIRST, view, notes)
});

const STREAM_ROWS: [Row; 16] = [
    row(AppId::WORLD_OF_WARCRAFT, b"\x30\0WORLD OF WARCRAFT CONNECTION"),
    row(AppId::TENCENT_GAMES, b"\x33\x66\0\x0b\0\x0b"),
    row(AppId::TENCENT_GAMES, b"\x43\x66\xaa\0\0"),
    row(AppId::TENCENT_GAMES, b"\x42\x15\xf7\x87\x03\xe9"),
    row(AppId::STARCRAFT, b"\x4a\0\0\x0a\x66\x02\x0a\xed\x2d\x66"),
    row(
        AppId::FINAL_FANTASY_XIV,
        b"\x52\x52\xa0\x41\xff\x5d\x46\xe2\x7f\x2a\x64\x4d\x7b\x99\xc4\x75",
    ),
    row(AppId::TERRARIA, b"\x0f\0\x01\x0bTerraria"),
    row(AppId::TERRARIA, b"\x0e\0\x01\x0aTerraria"),
    check(AppId::BLIZZARD, b"\x01\xff\x50", |view, _| {
        // The game's protocol is chosen; then the first message, with the length of the whole.
        let length = u16::from_le_bytes(*view.data.get(3..5)?.first_chunk()?);
        Some((20..=256).contains(&length) && usize::from(length) + 1 == view.data.len())
    }),
    row(AppId::STARCRAFT, b"\x49\0\0\x0a\x66\x02\x0a\xed\x2d\x66"),
    row(AppId::BLIZZARD, b"\x41\0\0\x0a\x66\x52\xed\xc6"),
    check(AppId::NEXON, b"\x18\0\0\0\x64\0\0\0", |view, _| Some(view.data.len() == 24)),
    row(AppId::WORLD_OF_KUNG_FU, b"\x0c\0\0\0\xd2\0\x0c\0"),
    check(AppId::PATH_OF_EXILE, b"\0\x03\0", |view, _| {
        // The character's name stands between the head and the end.
        let kind = view.data.get(6..9)?;
        let end = view.data.last_chunk::<8>()?;
        Some(kind == [0, 2, 0] && *end == [0, 0, 0, 0, 0x40, 0, 0, 1] && view.data.len() < 50)
    }),
    check(AppId::FREE_FIRE, b"\xa0", |view, _| Some(view.data.get(5..10)? == b"vj73p")),
    check(AppId::TES_ONLINE, b"\0\0", |view, _| {
        // The length twice, around a fixed kind.
        let [outer, kind, inner] = [0, 4, 8].map(|at| view.data.get(at..at + 4));
        let outer = u32::from_be_bytes(*outer?.first_chunk()?);
        let inner = u32::from_be_bytes(*inner?.first_chunk()?);
        Some(kind? == [0, 1, 0, 1] && outer > 64 && inner + 8 == outer)
    }),
];

const DATAGRAM_ROWS: [Row; 32] = [
    row(AppId::STEAM, b"\xff\xff\xff\xff\x21\x4c\x5f\xa0"),
    row(AppId::STEAM_RELAY, b"\x01\x81sdping"),
    check(AppId::STEAM, b"VS01", |view, _| {
        let length = u16::from_le_bytes(*view.data.get(4..6)?.first_chunk()?);
        Some(view.data.len() == 36 + usize::from(length))
    }),
    check(AppId::HALF_LIFE, b"\xff\xff\xff\xff", |view, _| {
        Some(view.data.len() >= 20 && view.data.ends_with(b"000\0"))
    }),
    check(AppId::PHOTON, b"\x7d\x7d\x7d\x7d\x7d\x7d\x7d\x7d\x7d\x7d\x7d\x7d", |view, _| {
        // The reachability probe: twelve times the same, then its number.
        Some(view.data.len() == 13)
    }),
    // A session is asked for, granted, closed: a fixed word at both ends.
    check(AppId::GENSHIN_IMPACT, b"\0\0\0\xff", |view, _| {
        Some(view.data.len() == 20 && view.data.ends_with(b"\xff\xff\xff\xff"))
    }),
    check(AppId::GENSHIN_IMPACT, b"\0\0\x01\x45", |view, _| {
        Some(view.data.len() == 20 && view.data.ends_with(b"\x14\x51\x45\x45"))
    }),
    check(AppId::GENSHIN_IMPACT, b"\0\0\x01\x94", |view, _| {
        Some(view.data.len() == 20 && view.data.ends_with(b"\x19\x41\x94\x94"))
    }),
    check(AppId::SAMP, b"SAMP", |view, _| {
        // The server's address and port, then what is asked.
        let asked = view.data.get(10)?;
        Some(view.data.len() != 12 && b"ircdxpo".contains(asked))
    }),
    check(AppId::GAMESPY, b"\xfe\xfd", |view, _| {
        // Challenge, or status with session and maybe challenge and padding.
        let kind = view.data.get(2)?;
        let asks = matches!((kind, view.data.len()), (9, 7) | (0, 7 | 10..=15));
        Some(asks && !view.port_is(25565))
    }),
    check(AppId::MINECRAFT, b"\xfe\xfd", |view, _| {
        let kind = view.data.get(2)?;
        Some(matches!((kind, view.data.len()), (9, 7) | (0, 11 | 15)) && view.port_is(25565))
    }),
    row(AppId::GAMESPY, b"\\status\\"),
    row(AppId::GAMESPY, b"\\basic\\"),
    row(AppId::GAMESPY, b"\\info\\"),
    check(AppId::BATTLEYE, b"BE", |view, _| {
        // The sum of what follows it, which begins with all ones.
        let (sum, rest) = view.data.get(2..)?.split_first_chunk()?;
        Some(rest.first() == Some(&0xff) && crc32(rest) == u32::from_le_bytes(*sum))
    }),
    row(AppId::NINTENDO, b"\x32\xab\x98\x64"),
    check(AppId::NINTENDO, b"\xea\xd0\x01", |view, _| {
        // Length of the options and of the payload; the header and its signature take 30 bytes.
        let options = usize::from(*view.data.get(3)?);
        let payload = u16::from_le_bytes(*view.data.get(4..6)?.first_chunk()?);
        Some(view.data.len() == 30 + options + usize::from(payload))
    }),
    row(AppId::PLAYSTATION, b"SRCH * HTTP/1.1\n"),
    row(AppId::PLAYSTATION, b"WAKEUP * HTTP/1.1\n"),
    row(AppId::PLAYSTATION, b"LAUNCH * HTTP/1.1\n"),
    row(AppId::PLAYSTATION, b"HTTP/1.1 620 Server Standby"),
    check(AppId::GAIJIN, b"\x8f\xff", |view, _| {
        // The ports that its games are documented to use.
        let usual = (20010..=20500).contains(&view.server.port);
        Some(usual && view.data.get(4..6)? == [0x82, 0xff])
    }),
    check(AppId::ENET, b"\x8f\xff", |view, _| Some(view.data.get(4..6)? == [0x82, 0xff])),
    check(AppId::CRYENGINE, b"\x3c\0\0", |view, _| {
        let zeros = view.data.get(6..16)?;
        Some(view.data.len() == 70 && zeros == [0; 10] && view.data.get(16..20)? == [1, 0, 0, 0])
    }),
    row(AppId::GAIJIN, b"embeddedupdater."),
    row(AppId::GAIJIN, b"app.stage,env="),
    row(AppId::GAIJIN, b"app.start,env="),
    row(AppId::YOJIMBO, b"\0NETCODE "),
    row(AppId::BLIZZARD, b"\xff\xff\xff\xff\xa3\x1f\xb6\x1e\0\0\x40\x01"),
    check(AppId::CROSSFIRE, b"\xc7\xd9\x19\x99\x02\0", |view, _| {
        Some(view.data.len() == 25 && view.data.get(22..24)? == [0x7d, 0])
    }),
    check(AppId::ARMAGETRON, b"\0\x0b\0\0", |view, _| {
        // A login: how many words of data, then the data, then no sender yet.
        let words = usize::from(u16::from_be_bytes(*view.data.get(4..6)?.first_chunk()?));
        let fits = words > 0 && view.data.len() == 8 + 2 * words;
        Some(fits && view.data.get(6..8)? == [0, 8] && view.data.ends_with(&[0, 0]))
    }),
    check(AppId::COD_MOBILE, b"\xce", |view, _| {
        Some(text::contains(view.data, b"LOC_PREFAB_LOADOUTNAME_"))
    }),
];

const STREAM_FIRST: [u8; STREAM_ROWS.len()] = first_bytes(&STREAM_ROWS);
const DATAGRAM_FIRST: [u8; DATAGRAM_ROWS.len()] = first_bytes(&DATAGRAM_ROWS);

/// The sum of Ethernet and ZIP (ISO 3309), bit by bit, over a message's first bytes.
fn crc32(bytes: &[u8]) -> u32 {
    !bytes.iter().take(2048).fold(u32::MAX, |sum, byte| {
        (0..8).fold(sum ^ u32::from(*byte), |sum, _| {
            let carry = if sum & 1 == 1 { 0xedb8_8320 } else { 0 };
            sum >> 1 ^ carry
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dissect::testing::{check_never, run};
    use crate::view::Direction::ToServer;
    use crate::view::Outcome;
    use crate::view::Transport;

    fn filled(head: &[u8], length: usize, tail: &[u8]) -> Vec<u8> {
        let mut bytes = head.to_vec();
        bytes.resize(length - tail.len(), 0);
        [&bytes, tail].concat()
    }

    /// Found whole, and not without its last byte.
    fn check_exact(dissector: &Dissector, bytes: &[u8], port: u16, app: AppId) {
        let outcome =
            |bytes: &[u8]| run(dissector, ToServer, dissector.over[0], bytes, (4000, port)).0;
        assert_eq!(outcome(bytes), Outcome::found(app), "{bytes:x?}");
        assert_ne!(outcome(&bytes[..bytes.len() - 1]), Outcome::found(app), "{bytes:x?}");
    }

    #[test]
    fn every_row_is_found_by_its_prefix_unless_it_checks_more() {
        for (dissector, rows) in [(&TCP, &STREAM_ROWS[..]), (&UDP, &DATAGRAM_ROWS[..])] {
            for row in rows {
                let outcome = run(dissector, ToServer, dissector.over[0], row.prefix, (1, 2)).0;
                if let Outcome::Found { app, .. } = outcome {
                    assert!(app == row.app && row.prefix.len() >= 4, "{:?}", row.prefix);
                }
            }
        }
    }

    #[test]
    fn streams() {
        let hello = filled(b"\x01\xff\x50\x20\0", 33, b"US");
        check_exact(&TCP, &hello, 6112, AppId::BLIZZARD);
        check_exact(&TCP, &filled(b"\x18\0\0\0\x64\0\0\0", 24, b"x"), 4001, AppId::NEXON);
        let end = b"\0\0\0\0\x40\0\0\x01";
        let login = filled(b"\0\x03\0\x09\x09\x09\0\x02\0Name", 30, end);
        check_exact(&TCP, &login, 20481, AppId::PATH_OF_EXILE);
        check_exact(&TCP, b"\xa0\0\0\0\x06vj73p", 39698, AppId::FREE_FIRE);
        check_never(&TCP, ToServer, Transport::Tcp, b"\0\x03\0\x09\x09\x09\0\x02\x01", (1, 2));
    }

    #[test]
    fn datagrams() {
        let is = |bytes: &[u8], port, app| check_exact(&UDP, bytes, port, app);
        is(&filled(b"VS01\x04\0\x01", 40, b"\x01"), 27017, AppId::STEAM);
        is(&filled(&[0xff; 4], 20, b"000\0"), 4001, AppId::HALF_LIFE);
        is(&[[0x7d; 12].as_slice(), &[3]].concat(), 5055, AppId::PHOTON);
        let ask = b"\0\0\0\xff\0\0\0\0\0\0\0\0\x49\x96\x02\xd2\xff\xff\xff\xff";
        is(ask, 22101, AppId::GENSHIN_IMPACT);
        is(b"SAMP\xc0\0\x02\x02\x61\x1ei", 7777, AppId::SAMP);
        is(b"\xfe\xfd\x09\0\0\0\x01", 29900, AppId::GAMESPY);
        is(b"\xfe\xfd\x09\0\0\0\x01", 25565, AppId::MINECRAFT);
        let rest = b"\xff\x01\0";
        let message = [&b"BE"[..], &crc32(rest).to_le_bytes(), rest].concat();
        is(&message, 2302, AppId::BATTLEYE);
        is(&filled(b"\xea\xd0\x01\x02\x04\0", 36, b"x"), 4001, AppId::NINTENDO);
        is(b"\x8f\xff\0\x01\x82\xff", 20011, AppId::GAIJIN);
        is(b"\x8f\xff\0\x01\x82\xff", 4001, AppId::ENET);
        let cry = filled(b"\x3c\0\0\x08\xed\0\0\0\0\0\0\0\0\0\0\0\x01\0\0\0\x07", 70, b"x");
        is(&cry, 25383, AppId::CRYENGINE);
        let ping = filled(b"\xc7\xd9\x19\x99\x02\0", 25, b"\x7d\0\x01");
        is(&ping, 4001, AppId::CROSSFIRE);
        is(b"\0\x0b\0\0\0\x03\0\x08ab\0\x01\0\0", 4534, AppId::ARMAGETRON);
        is(b"\xce\x01LOC_PREFAB_LOADOUTNAME_", 7948, AppId::COD_MOBILE);
    }

    #[test]
    fn near_misses() {
        let ask = b"\0\0\0\xff\0\0\0\0\0\0\0\0\x49\x96\x02\xd2\xff\xff\xff\xfe";
        for near in [&ask[..], b"SAMPLE data", b"BEGIN\n\xff\x01", b"\\server"] {
            check_never(&UDP, ToServer, Transport::Udp, near, (4000, 4001));
        }
    }

    #[test]
    fn the_sum_of_zip() {
        assert_eq!(crc32(b"123456789"), 0xcbf4_3926);
    }
}
