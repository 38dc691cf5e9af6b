//! Applications told by the fixed bytes with which their first message begins.
//!
//! Where a whole dissector would only compare a prefix and a length, a row of these tables does.
//! The bytes are published ones, or those of the captures of the corpus. A row's prefix has four
//! bytes at least, or a check behind it.

use super::text::{self, Match};
use crate::app::AppId;
use crate::view::{Dissector, First, Notes, Outcome, Transport, View};

/// One application's beginning.
struct Signature {
    app: AppId,
    prefix: &'static [u8],
    /// What else must hold; nothing where more bytes are needed to tell.
    then: fn(&View<'_>) -> Option<bool>,
}

const fn row(app: AppId, prefix: &'static [u8]) -> Signature {
    Signature { app, prefix, then: |_| Some(true) }
}

const fn check(
    app: AppId,
    prefix: &'static [u8],
    then: fn(&View<'_>) -> Option<bool>,
) -> Signature {
    Signature { app, prefix, then }
}

pub(super) const TCP: Dissector = Dissector {
    app: AppId::UNKNOWN,
    over: &[Transport::Tcp],
    ports: &[],
    ports_only: false,
    first: First::OneOf(&STREAM_FIRST),
    run: stream,
};

pub(super) const UDP: Dissector = Dissector {
    app: AppId::UNKNOWN,
    over: &[Transport::Udp],
    ports: &[],
    ports_only: false,
    first: First::OneOf(&DATAGRAM_FIRST),
    run: datagram,
};

const STREAM_ROWS: [Signature; 55] = [
    // Chat and clouds.
    row(AppId::WHATSAPP, b"ED\0\x01"),
    check(AppId::WHATSAPP, b"WA", |view| {
        let version = view.data.get(2..4)?;
        Some(matches!(version, [1..=9, 0..=9]))
    }),
    row(AppId::XIAOMI, b"\xc2\xfe\0\x05\0\0"),
    row(AppId::DINGTALK, b"\x10\x64\x87\x80\x01"),
    // Remote access.
    row(AppId::NOMACHINE, b"NXSH-"),
    row(AppId::NOMACHINE, b"NXD-"),
    row(AppId::RADMIN, b"\x01\0\0\0\x01\0\0\0\x08\x08"),
    row(AppId::CITRIX, b"\x7f\x7fICA\0"),
    row(AppId::CITRIX, b"\x1aCGP/01"),
    check(AppId::TEAMVIEWER, b"\x17\x24", |view| {
        let command = view.data.get(2..5)?;
        Some(matches!(command, [0x0a..=0x47, ..]) && view.port_is(5938))
    }),
    check(AppId::TEAMVIEWER, b"\x11\x30", |view| Some(view.port_is(5938))),
    // Games.
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
    check(AppId::BLIZZARD, b"\x01\xff\x50", |view| {
        // The game's protocol is chosen; then the first message, with the length of the whole.
        let length = u16::from_le_bytes(*view.data.get(3..5)?.first_chunk()?);
        Some((20..=256).contains(&length) && usize::from(length) + 1 == view.data.len())
    }),
    // Peer to peer and tunnels.
    row(AppId::IPFS, b"\x13/multistream/1.0.0\n"),
    row(AppId::DIRECT_CONNECT, b"$MyNick "),
    row(AppId::DIRECT_CONNECT, b"$Lock EXTENDEDPROTOCOL"),
    row(AppId::DIRECT_CONNECT, b"HSUP AD"),
    row(AppId::DIRECT_CONNECT, b"CSUP AD"),
    row(AppId::VTUN, b"VTUN server ver"),
    check(AppId::FRP, b"o\0\0\0\0\0\0", |view| Some(view.data.get(9..19)? == b"{\"version\"")),
    // Music and cameras.
    check(AppId::SPOTIFY, b"\0\x04\0\0", |view| {
        // The length of the whole, then a field of bytes with number 10.
        let length = u16::from_be_bytes(*view.data.get(4..6)?.first_chunk()?);
        Some(*view.data.get(6)? == 0x52 && usize::from(length) == view.data.len())
    }),
    row(AppId::ICECAST, b"ICY 200 OK"),
    row(AppId::ICECAST, b"SOURCE /"),
    row(AppId::DAHUA, b"\x20\0\0\0DHIP"),
    // Middleware.
    row(AppId::CEPH, b"ceph v"),
    row(AppId::CHECKMK, b"<<<check_mk>>>"),
    row(AppId::LUSTRE, b"\0\x71\xce\xac\x01\0\0\0"),
    row(AppId::CORBA, b"GIOP\x01"),
    row(AppId::JRMI, b"JRMI\0\x02"),
    row(AppId::FIX, b"8=FIX"),
    row(AppId::HL7, b"\x0bMSH|"),
    row(AppId::HAPROXY, b"PROXY TCP4 "),
    row(AppId::HAPROXY, b"PROXY TCP6 "),
    row(AppId::HAPROXY, b"PROXY UNKNOWN"),
    row(AppId::HAPROXY, b"\r\n\r\n\0\r\nQUIT\n"),
    check(AppId::FASTCGI, b"\x01\x01\0\x01\0\x08\0", |view| {
        // A role of 1 to 3, one flag, five reserved bytes.
        let body = view.data.get(8..16)?;
        Some(matches!(body, [0, 1..=3, 0 | 1, 0, 0, 0, 0, 0]))
    }),
    check(AppId::AJP, b"\x12\x34", |view| framed(view, 4)),
    check(AppId::AJP, b"AB\0", |view| {
        // Body chunk, headers, end, pong, get body.
        Some(matches!(view.data.get(4)?, 3..=6 | 9) && framed(view, 4)?)
    }),
    check(AppId::HISLIP, b"HS\0", |view| {
        let sub_address = view.data.get(8..16)?;
        Some(matches!(sub_address, [0, 0, 0, 0, 0, 0, 0, 0..=64]))
    }),
    check(AppId::HISLIP, b"HS\x11\0", |view| Some(view.data.get(8..16)? == [0; 8])),
    check(AppId::RAFT, b"\x01\0\0\0\0\0\0\0", |view| {
        // Connect: the node's number, the length of its address, the address.
        let length = u64::from_le_bytes(*view.data.get(16..24)?.first_chunk()?);
        let address = view.data.get(24..32)?;
        Some((8..=64).contains(&length) && address.iter().all(u8::is_ascii_graphic))
    }),
    check(AppId::TES_ONLINE, b"\0\0", |view| {
        // The length twice, around a fixed kind.
        let [outer, kind, inner] = [0, 4, 8].map(|at| view.data.get(at..at + 4));
        let outer = u32::from_be_bytes(*outer?.first_chunk()?);
        let inner = u32::from_be_bytes(*inner?.first_chunk()?);
        Some(kind? == [0, 1, 0, 1] && outer > 64 && inner + 8 == outer)
    }),
    check(AppId::TINC, b"0 ", |view| {
        // Identification: request 0, the node's name, the protocol's version.
        let (name, version) = text::word(text::line(view.data)?.0.get(2..)?);
        let of_name = |byte: &u8| byte.is_ascii_alphanumeric() || *byte == b'_';
        Some(!name.is_empty() && name.iter().all(of_name) && version.starts_with(b"17"))
    }),
    // Coins.
    row(AppId::MONERO, b"\x01\x21\x01\x01\x01\x01\x01\x01"),
    // Data.
    check(AppId::OPENWIRE, b"\0\0", |view| Some(view.data.get(5..13)? == b"ActiveMQ")),
    check(AppId::CASSANDRA, b"\xca\x55\x2d\xfa", |_| Some(true)),
    check(AppId::SPEEDTEST, b"HI ", |view| {
        // A UUID and a line feed.
        let rest = view.data.get(3..40)?;
        Some(rest.get(8) == Some(&b'-') && rest.ends_with(b"\n"))
    }),
    check(AppId::ZEROMQ, b"\xff\0\0\0\0\0\0\0", |view| Some(view.data.get(9)? & 0xfe == 0x7e)),
];

const DATAGRAM_ROWS: [Signature; 49] = [
    row(AppId::SPOTIFY, b"SpotUdp0"),
    row(AppId::SYNCTHING, b"\x2e\xa7\xd9\x0b"),
    row(AppId::TEAMSPEAK, b"TS3INIT1\0"),
    row(AppId::TAILSCALE, b"TS\xf0\x9f\x92\xac"),
    row(AppId::TEAMVIEWER, b"\0\0\0\0\0\0\0\0\0\0\x03\x17\x24\x47"),
    row(AppId::CORBA, b"MIOP\x10"),
    row(AppId::ZUG, b"\0zUG\x10"),
    // Voice servers tell the client its own address: type, length 70, source.
    check(AppId::DISCORD, b"\0\x01\0\x46", |view| Some(view.data.len() == 74)),
    check(AppId::DISCORD, b"\0\x02\0\x46", |view| Some(view.data.len() == 74)),
    check(AppId::DISCORD, b"\x13\x37\xca\xfe", |view| Some(view.data.len() == 8)),
    // Dropbox: announcements in JSON, on its port.
    check(AppId::DROPBOX, b"{\"", |view| Some(view.port_is(17_500))),
    // Games and their shops.
    row(AppId::STEAM, b"\xff\xff\xff\xff\x21\x4c\x5f\xa0"),
    row(AppId::STEAM_RELAY, b"\x01\x81sdping"),
    check(AppId::STEAM, b"VS01", |view| {
        let length = u16::from_le_bytes(*view.data.get(4..6)?.first_chunk()?);
        Some(view.data.len() == 36 + usize::from(length))
    }),
    check(AppId::HALF_LIFE, b"\xff\xff\xff\xff", |view| {
        Some(view.data.len() >= 20 && view.data.ends_with(b"000\0"))
    }),
    check(AppId::PHOTON, b"\x7d\x7d\x7d\x7d\x7d\x7d\x7d\x7d\x7d\x7d\x7d\x7d", |view| {
        // The reachability probe: twelve times the same, then its number.
        Some(view.data.len() == 13)
    }),
    // A session is asked for, granted, closed: a fixed word at both ends.
    check(AppId::GENSHIN_IMPACT, b"\0\0\0\xff", |view| {
        Some(view.data.len() == 20 && view.data.ends_with(b"\xff\xff\xff\xff"))
    }),
    check(AppId::GENSHIN_IMPACT, b"\0\0\x01\x45", |view| {
        Some(view.data.len() == 20 && view.data.ends_with(b"\x14\x51\x45\x45"))
    }),
    check(AppId::GENSHIN_IMPACT, b"\0\0\x01\x94", |view| {
        Some(view.data.len() == 20 && view.data.ends_with(b"\x19\x41\x94\x94"))
    }),
    check(AppId::SAMP, b"SAMP", |view| {
        // The server's address and port, then what is asked.
        let asked = view.data.get(10)?;
        Some(view.data.len() != 12 && b"ircdxpo".contains(asked))
    }),
    check(AppId::GAMESPY, b"\xfe\xfd", |view| {
        // Challenge, or status with session and maybe challenge and padding.
        let kind = view.data.get(2)?;
        let asks = matches!((kind, view.data.len()), (9, 7) | (0, 7 | 10..=15));
        Some(asks && !view.port_is(25565))
    }),
    check(AppId::MINECRAFT, b"\xfe\xfd", |view| {
        let kind = view.data.get(2)?;
        Some(matches!((kind, view.data.len()), (9, 7) | (0, 11 | 15)) && view.port_is(25565))
    }),
    row(AppId::GAMESPY, b"\\status\\"),
    row(AppId::GAMESPY, b"\\basic\\"),
    row(AppId::GAMESPY, b"\\info\\"),
    check(AppId::BATTLEYE, b"BE", |view| {
        // The sum of what follows it, which begins with all ones.
        let (sum, rest) = view.data.get(2..)?.split_first_chunk()?;
        Some(rest.first() == Some(&0xff) && crc32(rest) == u32::from_le_bytes(*sum))
    }),
    row(AppId::NINTENDO, b"\x32\xab\x98\x64"),
    check(AppId::NINTENDO, b"\xea\xd0\x01", |view| {
        // Length of the options and of the payload; the header and its signature take 30 bytes.
        let options = usize::from(*view.data.get(3)?);
        let payload = u16::from_le_bytes(*view.data.get(4..6)?.first_chunk()?);
        Some(view.data.len() == 30 + options + usize::from(payload))
    }),
    row(AppId::PLAYSTATION, b"SRCH * HTTP/1.1\n"),
    row(AppId::PLAYSTATION, b"WAKEUP * HTTP/1.1\n"),
    row(AppId::PLAYSTATION, b"LAUNCH * HTTP/1.1\n"),
    row(AppId::PLAYSTATION, b"HTTP/1.1 620 Server Standby"),
    check(AppId::GAIJIN, b"\x8f\xff", |view| {
        // The ports that its games are documented to use.
        let usual = (20010..=20500).contains(&view.server.port);
        Some(usual && view.data.get(4..6)? == [0x82, 0xff])
    }),
    check(AppId::ENET, b"\x8f\xff", |view| Some(view.data.get(4..6)? == [0x82, 0xff])),
    check(AppId::CRYENGINE, b"\x3c\0\0", |view| {
        let zeros = view.data.get(6..16)?;
        Some(view.data.len() == 70 && zeros == [0; 10] && view.data.get(16..20)? == [1, 0, 0, 0])
    }),
    row(AppId::GAIJIN, b"embeddedupdater."),
    row(AppId::GAIJIN, b"app.stage,env="),
    row(AppId::GAIJIN, b"app.start,env="),
    // Zoom between two clients: a call's kind and an address in text.
    check(AppId::ZOOM, b"\x1f\x02\x01\0", |view| {
        Some(matches!(view.data.get(4..12)?, [4 | 8, 0, 1, 0, 4 | 8, 0, ..]))
    }),
    row(AppId::TEAMSPEAK, b"\xf4\xbe\x03\0"),
    // Files, music and films at home.
    row(AppId::RESILIO, b"BSYNC\0"),
    row(AppId::JELLYFIN, b"who is JellyfinServer?"),
    row(AppId::KODI, b"XBMC\x02\0"),
    check(AppId::SRT, b"\x80\0\0\0\0\0\0\0", |view| {
        // A handshake (Secure Reliable Transport, section 3.2.1): to socket 0, version 4 or 5.
        let fixed = view.data.get(12..20)?;
        Some(view.data.len() >= 64 && matches!(fixed, [0, 0, 0, 0, 0, 0, 0, 4 | 5]))
    }),
    check(AppId::MPEG_TS, b"\x47", |view| Some(is_transport_stream(view.data))),
    check(AppId::IQIYI, b"\x1c\x40", |view| Some(is_iqiyi(view.data))),
    check(AppId::IQIYI, b"\x9c\x60", |view| Some(is_iqiyi(view.data))),
    // Tunnels: version and kind, no index yet, the first message.
    row(AppId::NEBULA, b"\x10\0\0\0\0\0\0\0\0\0\0\0\0\0\0\x01"),
    check(AppId::MEGACO, b"!/1 ", |view| Some(matches!(view.data.get(4)?, b'<' | b'['))),
];

const STREAM_FIRST: [u8; STREAM_ROWS.len()] = first_bytes(&STREAM_ROWS);
const DATAGRAM_FIRST: [u8; DATAGRAM_ROWS.len()] = first_bytes(&DATAGRAM_ROWS);

/// The rows' first bytes, for the filter; repeats do no harm.
#[expect(clippy::indexing_slicing, reason = "evaluated at compile time; an error would not build")]
const fn first_bytes<const N: usize>(rows: &[Signature; N]) -> [u8; N] {
    let mut bytes = [0; N];
    let mut index = 0;
    while index < N {
        bytes[index] = rows[index].prefix[0];
        index += 1;
    }
    bytes
}

fn stream(view: &View<'_>, notes: &mut Notes<'_>) -> Outcome {
    let mut open = false;
    for row in &STREAM_ROWS {
        match text::prefix(view.data, row.prefix) {
            Match::Yes(_) => match (row.then)(view) {
                Some(true) => {
                    if row.app == AppId::TINC {
                        // Its datagrams, all of them random bytes, go to the same port.
                        let server = view.server;
                        notes.knowledge.expect_flow(server.address, server.port, row.app);
                    }
                    return Outcome::found(row.app);
                }
                Some(false) => {}
                None => open = true,
            },
            Match::Partly => open = true,
            Match::No => {}
        }
    }
    if open { Outcome::NeedMore } else { Outcome::NotMine }
}

fn datagram(view: &View<'_>, _notes: &mut Notes<'_>) -> Outcome {
    let fits =
        |row: &&Signature| view.data.starts_with(row.prefix) && (row.then)(view) == Some(true);
    match DATAGRAM_ROWS.iter().find(fits) {
        Some(row) => Outcome::found(row.app),
        None => Outcome::NotMine,
    }
}

/// Whether the two bytes at 2 are the length of what is behind the `header`, to the last byte.
fn framed(view: &View<'_>, header: usize) -> Option<bool> {
    let length = view.data.get(2..4)?.first_chunk::<2>()?;
    let whole = usize::from(u16::from_be_bytes(*length)) + header;
    Some(whole > header && view.data.len() == whole)
}

/// The sum of Ethernet and ZIP (ISO 3309), bit by bit, over a message's first bytes.
fn crc32(bytes: &[u8]) -> u32 {
    !bytes.iter().take(2048).fold(u32::MAX, |sum, byte| {
        (0..8).fold(sum ^ u32::from(*byte), |sum, _| {
            let carry = if sum & 1 == 1 { 0xedb8_8320 } else { 0 };
            sum >> 1 ^ carry
        })
    })
}

/// Packets of 188 bytes (ISO/IEC 13818-1 section 2.4.3), two at least, each with the sync byte, no
/// error, and a payload or an adaptation field.
fn is_transport_stream(data: &[u8]) -> bool {
    const PACKET_BYTES: usize = 188;
    let fits = |packet: &[u8]| matches!(packet, [0x47, high, _, flags, ..] if *high < 0x80 && flags & 0x30 != 0);
    data.len() >= 2 * PACKET_BYTES
        && data.len().is_multiple_of(PACKET_BYTES)
        && data.chunks_exact(PACKET_BYTES).take(16).all(fits)
}

/// The length of the whole, a fixed byte, and six zeros behind the numbers.
fn is_iqiyi(data: &[u8]) -> bool {
    let length = data.get(2..4).and_then(|bytes| bytes.first_chunk::<2>());
    length.is_some_and(|length| usize::from(u16::from_le_bytes(*length)) == data.len())
        && data.get(7) == Some(&0x7a)
        && data.get(17..23) == Some(&[0; 6])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dissect::testing::{check_never, check_prefixes, run};
    use crate::view::Direction::ToServer;

    #[test]
    fn every_row_is_found_by_its_prefix_unless_it_checks_more() {
        for (dissector, transport, rows) in
            [(&TCP, Transport::Tcp, &STREAM_ROWS[..]), (&UDP, Transport::Udp, &DATAGRAM_ROWS[..])]
        {
            let mut found = 0;
            for row in rows {
                let (outcome, _) = run(dissector, ToServer, transport, row.prefix, (4000, 4001));
                if let Outcome::Found { app, .. } = outcome {
                    assert_eq!(app, row.app);
                    assert!(row.prefix.len() >= 4, "{:?} proves too little", row.prefix);
                    check_prefixes(dissector, ToServer, transport, row.prefix, (4000, 4001));
                    found += 1;
                }
            }
            assert!(found > 8, "most rows are plain");
        }
    }

    #[test]
    fn checks_behind_the_prefix() {
        let is = |dissector, transport, bytes: &[u8], port, app| {
            let outcome = run(dissector, ToServer, transport, bytes, (4000, port)).0;
            assert_eq!(outcome, Outcome::found(app), "{bytes:x?}");
        };
        let (tcp, udp) = (Transport::Tcp, Transport::Udp);
        is(&TCP, tcp, b"WA\x01\x05\0\0", 5222, AppId::WHATSAPP);
        is(&TCP, tcp, b"\x12\x34\0\x01\x0a", 8009, AppId::AJP);
        is(&TCP, tcp, b"\0\0\0\xda\x01ActiveMQ", 61616, AppId::OPENWIRE);
        is(&TCP, tcp, b"HI 8e17cb65-c6b5-4b39-adcc-97006a1e4537\n", 8080, AppId::SPEEDTEST);
        is(&TCP, tcp, b"\x17\x24\x0a\x20\0", 5938, AppId::TEAMVIEWER);
        let mut cry = b"\x3c\0\0\x08\xed\0\0\0\0\0\0\0\0\0\0\0\x01\0\0\0\x07".to_vec();
        cry.resize(70, 0);
        is(&UDP, udp, &cry, 25383, AppId::CRYENGINE);
        is(&UDP, udp, b"\x13\x37\xca\xfe\x0e\0\0\0", 50004, AppId::DISCORD);
        is(&UDP, udp, b"{\"version\": [2, 0]", 17500, AppId::DROPBOX);
    }

    #[test]
    fn checks_of_games_homes_and_streams() {
        let is = |dissector, transport, bytes: &[u8], port, app| {
            let outcome = run(dissector, ToServer, transport, bytes, (4000, port)).0;
            assert_eq!(outcome, Outcome::found(app), "{bytes:x?}");
            let cut = &bytes[..bytes.len() - 1];
            let outcome = run(dissector, ToServer, transport, cut, (4000, port)).0;
            assert_ne!(outcome, Outcome::found(app), "{cut:x?}");
        };
        let (tcp, udp) = (Transport::Tcp, Transport::Udp);
        let filled = |head: &[u8], length: usize, tail: &[u8]| {
            let mut bytes = head.to_vec();
            bytes.resize(length - tail.len(), 0);
            [&bytes, tail].concat()
        };
        is(&TCP, tcp, &filled(b"\x01\xff\x50\x20\0", 33, b"US"), 6112, AppId::BLIZZARD);
        is(&TCP, tcp, &filled(b"\0\x04\0\0\0\x40\x52\x0e", 64, b"P"), 4070, AppId::SPOTIFY);
        is(&TCP, tcp, b"o\0\0\0\0\0\0\x01\x20{\"version\"", 7000, AppId::FRP);
        is(&UDP, udp, &filled(b"VS01\x04\0\x01", 40, b"\x01"), 27017, AppId::STEAM);
        is(&UDP, udp, &filled(&[0xff; 4], 20, b"000\0"), 4001, AppId::HALF_LIFE);
        is(&UDP, udp, &[[0x7d; 12].as_slice(), &[3]].concat(), 5055, AppId::PHOTON);
        let ask = b"\0\0\0\xff\0\0\0\0\0\0\0\0\x49\x96\x02\xd2\xff\xff\xff\xff";
        is(&UDP, udp, ask, 22101, AppId::GENSHIN_IMPACT);
        is(&UDP, udp, b"SAMP\xc0\0\x02\x02\x61\x1ei", 7777, AppId::SAMP);
        is(&UDP, udp, b"\xfe\xfd\x09\0\0\0\x01", 29900, AppId::GAMESPY);
        is(&UDP, udp, b"\xfe\xfd\x09\0\0\0\x01", 25565, AppId::MINECRAFT);
        let rest = b"\xff\x01\0";
        let message = [&b"BE"[..], &crc32(rest).to_le_bytes(), rest].concat();
        is(&UDP, udp, &message, 2302, AppId::BATTLEYE);
        is(&UDP, udp, &filled(b"\xea\xd0\x01\x02\x04\0", 36, b"x"), 4001, AppId::NINTENDO);
        let hello = filled(b"\x80\0\0\0\0\0\0\0\0\0\0\x01\0\0\0\0\0\0\0\x05", 64, b"x");
        is(&UDP, udp, &hello, 9000, AppId::SRT);
        let packet = filled(b"\x47\x41\0\x10", 188, b"x");
        is(&UDP, udp, &packet.repeat(7), 1234, AppId::MPEG_TS);
        check_never(&UDP, ToServer, udp, &packet, (4000, 1234));
        let mut peer = filled(b"\x1c\x40\x80\0\x01\x02\x03\x7a\x09", 128, b"x");
        peer[8..16].fill(7);
        is(&UDP, udp, &peer, 4001, AppId::IQIYI);
        is(&UDP, udp, b"\x8f\xff\0\x01\x82\xff", 20011, AppId::GAIJIN);
    }

    #[test]
    fn the_sum_of_zip() {
        assert_eq!(crc32(b"123456789"), 0xcbf4_3926);
    }

    #[test]
    fn near_misses() {
        let (tcp, udp) = (Transport::Tcp, Transport::Udp);
        for near in [&b"WAIT\r\n"[..], b"\x12\x34\0\x09\x0a", b"HELO x\r\n", b"HI there\n"] {
            check_never(&TCP, ToServer, tcp, near, (4000, 4001));
        }
        for near in [&b"\x13\x37\xca\xfe\x0e"[..], b"{\"version\": 2}", b"B\x03\x01\x02\x03"] {
            check_never(&UDP, ToServer, udp, near, (4000, 4001));
        }
    }
}
