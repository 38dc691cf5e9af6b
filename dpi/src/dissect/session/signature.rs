//! Applications told by the fixed bytes with which their first message begins.
//!
//! Where a whole dissector would only compare a prefix and a length, a row of these tables does.
//! The bytes are published ones, or those of the captures of the corpus. A row's prefix has four
//! bytes at least, or a check behind it.

use super::text;
use crate::app::AppId;
use crate::attr;
use crate::dissect::shape::{self, Row, by_prefix, check, first_bytes, row, table};
use crate::reader::Reader;
use crate::view::{Dissector, Notes, Outcome, View};

pub(super) const TCP: Dissector = table(shape::TCP, &STREAM_FIRST, &[], stream);

pub(super) const UDP: Dissector = table(shape::UDP, &DATAGRAM_FIRST, &[], |view, notes| {
    by_prefix(&DATAGRAM_ROWS, &DATAGRAM_FIRST, view, notes)
});

const STREAM_ROWS: [Row; 54] = [
    // Chat and clouds.
    row(AppId::WHATSAPP, b"ED\0\x01"),
    check(AppId::WHATSAPP, b"WA", |view, _| {
        let version = view.data.get(2..4)?;
        Some(matches!(version, [1..=9, 0..=9]))
    }),
    row(AppId::XIAOMI, b"\xc2\xfe\0\x05\0\0"),
    row(AppId::DINGTALK, b"\x10\x64\x87\x80\x01"),
    check(AppId::PALTALK, b"\0", |view, _| {
        let (kind, end) = (view.data.get(8..12)?, view.data.get(16..20)?);
        Some(view.data.len() == 20 && kind == [0, 2, 0, 1] && end == [0x5a, 0xfd, 0xff, 0xff])
    }),
    // Remote access.
    row(AppId::NOMACHINE, b"NXSH-"),
    row(AppId::NOMACHINE, b"NXD-"),
    row(AppId::RADMIN, b"\x01\0\0\0\x01\0\0\0\x08\x08"),
    row(AppId::CITRIX, b"\x7f\x7fICA\0"),
    row(AppId::CITRIX, b"\x1aCGP/01"),
    check(AppId::TEAMVIEWER, b"\x17\x24", |view, _| {
        let command = view.data.get(2..5)?;
        Some(matches!(command, [0x0a..=0x47, ..]) && view.port_is(5938))
    }),
    check(AppId::TEAMVIEWER, b"\x11\x30", |view, _| Some(view.port_is(5938))),
    // Peer to peer and tunnels.
    row(AppId::IPFS, b"\x13/multistream/1.0.0\n"),
    row(AppId::DIRECT_CONNECT, b"$MyNick "),
    row(AppId::DIRECT_CONNECT, b"$Lock EXTENDEDPROTOCOL"),
    row(AppId::DIRECT_CONNECT, b"HSUP AD"),
    row(AppId::DIRECT_CONNECT, b"CSUP AD"),
    row(AppId::VTUN, b"VTUN server ver"),
    row(AppId::ULTRASURF, b"\xcc\x1c\x30\x41\x5b\xa4\x38\x66"),
    row(AppId::MUDFISH, b"UN v2\r\n"),
    check(AppId::HAMACHI, b"\0\0", |view, _| {
        // The length of the rest, and a fixed word behind two others.
        let length = u32::from_be_bytes(*view.data.get(..4)?.first_chunk()?);
        let whole = usize::try_from(length).ok()?.checked_add(4)?;
        Some(view.data.get(12..16)? == [0x7b, 0x7a, 0x0d, 0xad] && view.data.len() == whole)
    }),
    check(AppId::FRP, b"o\0\0\0\0\0\0", |view, _| Some(view.data.get(9..19)? == b"{\"version\"")),
    // Music and cameras.
    check(AppId::SPOTIFY, b"\0\x04\0\0", |view, _| {
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
    check(AppId::FASTCGI, b"\x01\x01\0\x01\0\x08\0", |view, _| {
        // A role of 1 to 3, one flag, five reserved bytes. Parameters follow.
        let body = view.data.get(8..16).filter(|_| view.data.len() > 16 || view.last)?;
        Some(matches!(body, [0, 1..=3, 0 | 1, 0, 0, 0, 0, 0]))
    }),
    check(AppId::AJP, b"\x12\x34", |view, _| framed(view, 4)),
    check(AppId::AJP, b"AB\0", |view, _| {
        // Body chunk, headers, end, pong, get body.
        Some(matches!(view.data.get(4)?, 3..=6 | 9) && framed(view, 4)?)
    }),
    check(AppId::HISLIP, b"HS\0", |view, _| {
        let sub_address = view.data.get(8..16)?;
        Some(matches!(sub_address, [0, 0, 0, 0, 0, 0, 0, 0..=64]))
    }),
    check(AppId::HISLIP, b"HS\x11\0", |view, _| Some(view.data.get(8..16)? == [0; 8])),
    check(AppId::RAFT, b"\x01\0\0\0\0\0\0\0", |view, _| {
        // Connect: the node's number, the length of its address, the address.
        let length = u64::from_le_bytes(*view.data.get(16..24)?.first_chunk()?);
        let address = view.data.get(24..32)?;
        Some((8..=64).contains(&length) && address.iter().all(u8::is_ascii_graphic))
    }),
    check(AppId::TINC, b"0 ", |view, _| {
        // Identification: request 0, the node's name, the protocol's version.
        let (name, version) = text::word(text::line(view.data)?.0.get(2..)?);
        let of_name = |byte: &u8| byte.is_ascii_alphanumeric() || *byte == b'_';
        Some(!name.is_empty() && name.iter().all(of_name) && version.starts_with(b"17"))
    }),
    // Coins.
    check(AppId::NANO, b"R", |view, _| {
        // The network's letter; versions at most, in use, at least; the kind of message.
        let [_, network, most, used, least, kind] = *view.data.first_chunk()?;
        let versions = most < 40 && (least..=most).contains(&used) && least > 16;
        Some(matches!(network, b'A'..=b'C' | b'X') && versions && (1..0x20).contains(&kind))
    }),
    row(AppId::TIVO, b"TiVoConnect=1"),
    row(AppId::TIVO, b"tivoconnect=1"),
    row(AppId::MONERO, b"\x01\x21\x01\x01\x01\x01\x01\x01"),
    // Data.
    check(AppId::OPENWIRE, b"\0\0", |view, _| Some(view.data.get(5..13)? == b"ActiveMQ")),
    check(AppId::CASSANDRA, b"\xca\x55\x2d\xfa", |_, _| Some(true)),
    check(AppId::SPEEDTEST, b"HELLO ", |view, _| {
        // The version, which may be there once more in brackets, and the day it was made on.
        let (line, _) = text::line(view.data)?;
        let is = |word: &[u8], form: &[u8]| {
            word.iter().zip(form).all(|(byte, of)| match of {
                b'0' => byte.is_ascii_digit(),
                of => byte == of,
            })
        };
        let dated = line.windows(11).any(|word| is(word, b" 0000-00-00"));
        Some(dated && line.get(6..10).is_some_and(|word| is(word, b"0.0 ")))
    }),
    // The client's word, which proves nothing: the server's does.
    check(AppId::SPEEDTEST, b"HI\n", |view, _| (view.data.len() > 3).then_some(false)),
    check(AppId::SPEEDTEST, b"HI ", |view, _| {
        // A UUID and a line feed.
        let rest = view.data.get(3..40)?;
        Some(rest.get(8) == Some(&b'-') && rest.ends_with(b"\n"))
    }),
    check(AppId::ZEROMQ, b"\xff\0\0\0\0\0\0\0", |view, _| Some(view.data.get(9)? & 0xfe == 0x7e)),
];

const DATAGRAM_ROWS: [Row; 28] = [
    row(AppId::SPOTIFY, b"SpotUdp0"),
    row(AppId::SYNCTHING, b"\x2e\xa7\xd9\x0b"),
    row(AppId::TEAMSPEAK, b"TS3INIT1\0"),
    row(AppId::TAILSCALE, b"TS\xf0\x9f\x92\xac"),
    row(AppId::TEAMVIEWER, b"\0\0\0\0\0\0\0\0\0\0\x03\x17\x24\x47"),
    row(AppId::CORBA, b"MIOP\x10"),
    row(AppId::ZUG, b"\0zUG\x10"),
    // Voice servers tell the client its own address: type, length 70, source.
    check(AppId::DISCORD, b"\0\x01\0\x46", |view, _| Some(view.data.len() == 74)),
    check(AppId::DISCORD, b"\0\x02\0\x46", |view, _| Some(view.data.len() == 74)),
    check(AppId::DISCORD, b"\x13\x37\xca\xfe", |view, _| Some(view.data.len() == 8)),
    // Dropbox: announcements in JSON, on its port.
    check(AppId::DROPBOX, b"{\"", |view, _| Some(view.port_is(17_500))),
    // Zoom between two clients: a call's kind and an address in text.
    check(AppId::ZOOM, b"\x1f\x02\x01\0", |view, _| {
        Some(matches!(view.data.get(4..12)?, [4 | 8, 0, 1, 0, 4 | 8, 0, ..]))
    }),
    row(AppId::TEAMSPEAK, b"\xf4\xbe\x03\0"),
    // Files, music and films at home.
    row(AppId::TIVO, b"TiVoConnect=1"),
    row(AppId::TIVO, b"tivoconnect=1"),
    row(AppId::RESILIO, b"BSYNC\0"),
    row(AppId::JELLYFIN, b"who is JellyfinServer?"),
    row(AppId::KODI, b"XBMC\x02\0"),
    check(AppId::SRT, b"\x80\0\0\0\0\0\0\0", |view, _| {
        // A handshake (Secure Reliable Transport, section 3.2.1): to socket 0, version 4 or 5.
        let fixed = view.data.get(12..20)?;
        Some(view.data.len() >= 64 && matches!(fixed, [0, 0, 0, 0, 0, 0, 0, 4 | 5]))
    }),
    check(AppId::MPEG_TS, b"\x47", |view, _| Some(is_transport_stream(view.data))),
    check(AppId::IQIYI, b"\x1c\x40", |view, _| Some(is_iqiyi(view.data))),
    check(AppId::IQIYI, b"\x9c\x60", |view, _| Some(is_iqiyi(view.data))),
    // Tunnels. What a server saw of the client; the client's name in a pack of one value.
    check(AppId::SOFTETHER, b"IP=", |view, _| {
        Some(view.data.len() < 64 && text::contains(view.data, b",PORT="))
    }),
    check(AppId::SOFTETHER, b"\0\0\0", |view, _| {
        Some(view.data.get(4..17)? == b"\0\0\0\x0ahost_name")
    }),
    check(AppId::LAGOFAST, b"\0\x6e\x5d\x03", |view, _| {
        let length = u16::from_be_bytes(*view.data.get(4..6)?.first_chunk()?);
        Some(view.data.len() == 6 + usize::from(length))
    }),
    row(AppId::CISCO_VPN, b"\xfe\x57\x7e\x2b"),
    // Version and kind, no index yet, the first message.
    row(AppId::NEBULA, b"\x10\0\0\0\0\0\0\0\0\0\0\0\0\0\0\x01"),
    check(AppId::MEGACO, b"!/1 ", |view, _| Some(matches!(view.data.get(4)?, b'<' | b'['))),
];

const STREAM_FIRST: [u8; STREAM_ROWS.len()] = first_bytes(&STREAM_ROWS);
const DATAGRAM_FIRST: [u8; DATAGRAM_ROWS.len()] = first_bytes(&DATAGRAM_ROWS);

fn stream(view: &View<'_>, notes: &mut Notes<'_>) -> Outcome {
    let outcome = by_prefix(&STREAM_ROWS, &STREAM_FIRST, view, notes);
    match outcome {
        Outcome::Found { app: AppId::TINC, .. } => {
            // Its datagrams, all of them random bytes, go to the same port.
            notes.knowledge.expect_flow(view.server.address, view.server.port, AppId::TINC);
        }
        Outcome::Found { app: app @ (AppId::FASTCGI | AppId::XIAOMI), .. } => {
            let host =
                if app == AppId::XIAOMI { xiaomi_host(view.data) } else { cgi_host(view.data) };
            notes.meta.put(&attr::HOST_NAME, host.unwrap_or_default());
        }
        _ => {}
    }
    outcome
}

/// Values read of one message that is searched for a host name.
const VALUES_MOST: usize = 64;

/// The host that a web server's request is for (`FastCGI` specification, sections 3.3 and 3.4): a
/// parameter's name and value, after the lengths of both.
fn cgi_host(data: &[u8]) -> Option<&[u8]> {
    const BEGIN_BYTES: usize = 16;
    const PARAMS: u8 = 4;
    let mut reader = Reader::new(data.get(BEGIN_BYTES..)?);
    let [_, kind, _, _] = reader.array()?;
    let length = usize::from(reader.u16()?);
    reader.skip(2)?;
    let mut params =
        Reader::new(if kind == PARAMS { reader.take_up_to(length) } else { return None });
    for _ in 0..VALUES_MOST {
        let mut size = || {
            let first = u32::from(params.u8()?);
            let size = if first < 0x80 { first } else { (first & 0x7f) << 24 | params.u24()? };
            usize::try_from(size).ok()
        };
        let (name, value) = (size()?, size()?);
        let (name, value) = (params.take(name)?, params.take(value)?);
        if name == b"HTTP_HOST" {
            return Some(value);
        }
    }
    None
}

/// The host that a telephone connects to for its messages: behind a header of sixteen bytes and a
/// first message, whose length is at 10, the seventh field of the second, as Protocol Buffers write
/// it.
fn xiaomi_host(data: &[u8]) -> Option<&[u8]> {
    const HOST: u64 = 7;
    let first = usize::from(u16::from_be_bytes(*data.get(10..12)?.first_chunk()?));
    let mut reader = Reader::new(data.get(16 + first..)?);
    let varint = |reader: &mut Reader<'_>| {
        let mut value = 0_u64;
        for at in 0..9 {
            let byte = reader.u8()?;
            value |= u64::from(byte & 0x7f) << (7 * at);
            if byte < 0x80 {
                return Some(value);
            }
        }
        None
    };
    for _ in 0..VALUES_MOST {
        let key = varint(&mut reader)?;
        let value = varint(&mut reader)?;
        if key & 7 == 2 {
            let text = reader.take(usize::try_from(value).ok()?)?;
            if key >> 3 == HOST {
                let is_host = text.contains(&b'.') && text.iter().all(u8::is_ascii_graphic);
                return is_host.then_some(text);
            }
        } else if key & 7 != 0 {
            return None;
        }
    }
    None
}

/// Whether the two bytes at 2 are the length of what is behind the `header`, to the last byte.
fn framed(view: &View<'_>, header: usize) -> Option<bool> {
    let length = view.data.get(2..4)?.first_chunk::<2>()?;
    let whole = usize::from(u16::from_be_bytes(*length)) + header;
    Some(whole > header && view.data.len() == whole)
}

/// Packets of 188 bytes (ISO/IEC 13818-1 section 2.4.3), two at least, each with the sync byte, no
/// error, and a payload or an adaptation field.
fn is_transport_stream(data: &[u8]) -> bool {
    const PACKET_BYTES: usize = 188;
    let fits = |packet: &[u8]| match packet {
        [0x47, high, _, flags, ..] => *high < 0x80 && flags & 0x30 != 0,
        _ => false,
    };
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
    use crate::view::Transport;

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
        is(&TCP, tcp, b"HELLO 2.9 (2.9.0) 2020-01-02.1234.0123456\n", 8080, AppId::SPEEDTEST);
        is(&TCP, tcp, b"\x17\x24\x0a\x20\0", 5938, AppId::TEAMVIEWER);
        is(&UDP, udp, b"\x13\x37\xca\xfe\x0e\0\0\0", 50004, AppId::DISCORD);
        is(&UDP, udp, b"{\"version\": [2, 0]", 17500, AppId::DROPBOX);
    }

    #[test]
    fn hosts_within() {
        let host = |bytes: &[u8]| {
            let (outcome, meta) = run(&TCP, ToServer, Transport::Tcp, bytes, (4000, 4001));
            assert!(matches!(outcome, Outcome::Found { .. }));
            meta.get(&attr::HOST_NAME).map(<[u8]>::to_vec)
        };
        let begin = b"\x01\x01\0\x01\0\x08\0\0\0\x01\x01\0\0\0\0\0";
        let params = b"\x01\x04\0\x01\0\x1d\0\0\x01\x80\0\0\x01ab\x09\x0bHTTP_HOSTexample.org";
        assert_eq!(host(&[&begin[..], params].concat()), Some(b"example.org".to_vec()));
        let head = b"\xc2\xfe\0\x05\0\0\0\x1b\0\x02\0\x02\0\0\0\x11\x08\0";
        let body = b"\x08\x6a\x12\x01a\x3a\x0bexample.org";
        assert_eq!(host(&[&head[..], body].concat()), Some(b"example.org".to_vec()));
        assert_eq!(host(head), None);
    }

    #[test]
    fn checks_of_exact_lengths() {
        let is = |dissector: &Dissector, bytes: &[u8], port, app| {
            let outcome =
                |bytes: &[u8]| run(dissector, ToServer, dissector.over[0], bytes, (4000, port)).0;
            assert_eq!(outcome(bytes), Outcome::found(app), "{bytes:x?}");
            assert_ne!(outcome(&bytes[..bytes.len() - 1]), Outcome::found(app), "{bytes:x?}");
        };
        let filled = |head: &[u8], length: usize, tail: &[u8]| {
            let mut bytes = head.to_vec();
            bytes.resize(length - tail.len(), 0);
            [&bytes, tail].concat()
        };
        is(&TCP, &filled(b"\0\x04\0\0\0\x40\x52\x0e", 64, b"P"), 4070, AppId::SPOTIFY);
        is(&TCP, b"o\0\0\0\0\0\0\x01\x20{\"version\"", 7000, AppId::FRP);
        let word = b"\0\0\x01\x2c\0\0\0\0\0\0\0\0\x7b\x7a\x0d\xad";
        is(&TCP, &filled(word, 304, b"x"), 12975, AppId::HAMACHI);
        let hello = b"\0\0\0\x01\0\0\0\0\0\x02\0\x01\0\0\0\0\x5a\xfd\xff\xff";
        is(&TCP, hello, 5001, AppId::PALTALK);
        is(&TCP, b"RC\x14\x14\x12\x0a", 7075, AppId::NANO);
        let hello = filled(b"\x80\0\0\0\0\0\0\0\0\0\0\x01\0\0\0\0\0\0\0\x05", 64, b"x");
        is(&UDP, &hello, 9000, AppId::SRT);
        let packet = filled(b"\x47\x41\0\x10", 188, b"x");
        is(&UDP, &packet.repeat(7), 1234, AppId::MPEG_TS);
        check_never(&UDP, ToServer, Transport::Udp, &packet, (4000, 1234));
        let mut peer = filled(b"\x1c\x40\x80\0\x01\x02\x03\x7a\x09", 128, b"x");
        peer[8..16].fill(7);
        is(&UDP, &peer, 4001, AppId::IQIYI);
        is(&UDP, b"\0\x6e\x5d\x03\0\x02ab", 4001, AppId::LAGOFAST);
        is(&UDP, b"\0\0\0\x01\0\0\0\x0ahost_name", 5004, AppId::SOFTETHER);
        is(&UDP, b"IP=192.0.2.1,PORT=", 5004, AppId::SOFTETHER);
    }

    #[test]
    fn near_misses() {
        let (tcp, udp) = (Transport::Tcp, Transport::Udp);
        for near in
            [&b"WAIT\r\n"[..], b"\x12\x34\0\x09\x0a", b"HELO x\r\n", b"HI there\n", b"HELLO 2 u\n"]
        {
            check_never(&TCP, ToServer, tcp, near, (4000, 4001));
        }
        for near in [&b"\x13\x37\xca\xfe\x0e"[..], b"{\"version\": 2}", b"B\x03\x01\x02\x03"] {
            check_never(&UDP, ToServer, udp, near, (4000, 4001));
        }
    }
}
