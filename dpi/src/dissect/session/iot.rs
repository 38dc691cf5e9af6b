//! Homes: lamps, plugs, cameras, consoles and their discovery, as their makers or those who
//! studied them describe them. What has a mark and a length of its own is told on any port, the
//! rest on its own port only and there by its shape.

use super::own_port::{Row, StreamRow, ask_datagram, ask_stream, ports, stream_ports};
use super::text;
use crate::app::AppId;
use crate::dissect::shape::{self, bound};
use crate::reader::Reader;
use crate::view::{Dissector, First, Notes, Outcome, Transport, View};

/// Marks that are the same over both transports.
const HOME_FIRST: First = First::OneOf(&[0x00, 0x21, 0x5a, 0xd0, b'{']);

pub(super) const HOME: Dissector = Dissector {
    app: AppId::TUYA_LAN,
    over: &[Transport::Udp],
    ports: &[6666, 6667, 9999, 54321],
    ports_only: false,
    first: HOME_FIRST,
    run: home,
};

pub(super) const HOME_STREAM: Dissector = Dissector {
    app: AppId::TUYA_LAN,
    over: &[Transport::Tcp],
    ports: &[6668, 9999],
    ports_only: false,
    first: First::OneOf(&[0x00]),
    run: home_stream,
};

pub(super) const UDP: Dissector =
    bound(shape::UDP, &UDP_PORTS, |view, _| ask_datagram(&ROWS, view));

pub(super) const TCP: Dissector =
    bound(shape::TCP, &TCP_PORTS, |view, _| ask_stream(&STREAM_ROWS, view));

const ROWS: [Row; 25] = [
    (5540, AppId::MATTER, matter),
    (56700, AppId::LIFX, lifx),
    (20002, AppId::KASA, tapo),
    (1982, AppId::YEELIGHT, |data| text::contains(data, b"wifi_bulb")),
    (38899, AppId::WIZ, |data| data.starts_with(b"{\"method\":\"")),
    (37020, AppId::HIKVISION, |data| data.starts_with(b"<?xml") && text::contains(data, b"<Probe")),
    (5678, AppId::MIKROTIK, mndp),
    (20561, AppId::MIKROTIK, mac_telnet),
    (41794, AppId::CRESTRON, crestron),
    (1700, AppId::LORAWAN, lorawan),
    (1680, AppId::LORAWAN, lorawan),
    (5050, AppId::XBOX, smart_glass),
    (987, AppId::PLAYSTATION, console),
    (9302, AppId::PLAYSTATION, console),
    (32410, AppId::PLEX, plex),
    (32412, AppId::PLEX, plex),
    (32413, AppId::PLEX, plex),
    (32414, AppId::PLEX, plex),
    (2010, AppId::TEAMSPEAK, server_list),
    (33445, AppId::TOX, tox),
    (6112, AppId::WARCRAFT3, warcraft),
    (6454, AppId::ART_NET, |data| data.starts_with(b"Art-Net\0")),
    (5568, AppId::SACN, |data| data.starts_with(b"\0\x10\0\0ASC-E1.17\0\0\0")),
    (4003, AppId::GOVEE, govee),
    (4001, AppId::GOVEE, govee),
];

const STREAM_ROWS: [StreamRow; 8] = [
    (6053, AppId::ESPHOME, esphome),
    (8291, AppId::MIKROTIK, winbox),
    (55443, AppId::YEELIGHT, yeelight),
    (27017, AppId::STEAM, steam),
    (27018, AppId::STEAM, steam),
    (27019, AppId::STEAM, steam),
    (27020, AppId::STEAM, steam),
    (27021, AppId::STEAM, steam),
];

const UDP_PORTS: [u16; ROWS.len()] = ports(&ROWS);
const TCP_PORTS: [u16; STREAM_ROWS.len()] = stream_ports(&STREAM_ROWS);

fn home(view: &View<'_>, _notes: &mut Notes<'_>) -> Outcome {
    let data = view.data;
    let app = match data {
        [0, ..] if tuya(data) == Some(true) => AppId::TUYA_LAN,
        [0x21, 0x31, ..] if miio(data) => AppId::MIIO,
        [0x5a, ..] if data.starts_with(b"\x5a\xa5\xaa\x55\x5a\xa5\xaa\x55") => AppId::BROADLINK,
        [0xd0, ..] if kasa(data) => AppId::KASA,
        [b'{', ..] if data.starts_with(b"{\"msg\":{\"cmd\":\"") => AppId::GOVEE,
        _ => return Outcome::NotMine,
    };
    Outcome::found(app)
}

fn home_stream(view: &View<'_>, _notes: &mut Notes<'_>) -> Outcome {
    let data = view.data;
    let Some((length, rest)) = data.split_first_chunk::<4>() else { return Outcome::NeedMore };
    if matches!(length, [0, 0, 0x55, 0xaa] | [0, 0, 0x66, 0x99]) {
        return match tuya(data) {
            Some(true) => Outcome::found(AppId::TUYA_LAN),
            Some(false) => Outcome::NotMine,
            None => Outcome::NeedMore,
        };
    }
    // Kasa: the length, and what would be a datagram.
    let length = usize::try_from(u32::from_be_bytes(*length)).unwrap_or(usize::MAX);
    let begins = rest.first().is_none_or(|first| *first == 0xd0);
    match rest.len() {
        _ if !begins || !(4..=16_384).contains(&length) => Outcome::NotMine,
        left if left < length => Outcome::NeedMore,
        _ if kasa(rest.get(..length).unwrap_or_default()) => Outcome::found(AppId::KASA),
        _ => Outcome::NotMine,
    }
}

/// Mark, sequence, command, length of the rest, and a mark at its end. The newer frame has a
/// version behind its mark and its length counts up to the mark at the end.
fn tuya(data: &[u8]) -> Option<bool> {
    let mut reader = Reader::new(data);
    let mark = reader.u32()?;
    if mark == 0x6699 {
        reader.skip(2)?;
    }
    let _sequence = reader.u32()?;
    let command = reader.u32()?;
    let length = usize::try_from(reader.u32()?).ok()?;
    if command > 255 || !(8..=8192).contains(&length) {
        return Some(false);
    }
    let whole = if mark == 0x6699 { length + 4 } else { length };
    let end = reader.take(whole)?.last_chunk::<4>()?;
    Some(matches!((mark, u32::from_be_bytes(*end)), (0x55aa, 0xaa55) | (0x6699, 0x9966)))
}

/// Mark, length of the whole; device and time; a sum.
fn miio(data: &[u8]) -> bool {
    let length = data.get(2..4).and_then(|bytes| bytes.first_chunk::<2>());
    data.len() >= 32
        && length.is_some_and(|length| usize::from(u16::from_be_bytes(*length)) == data.len())
}

/// JSON in which every byte was combined with the one before it, the first with 171.
fn kasa(data: &[u8]) -> bool {
    let mut key = 0xab;
    let mut last = 0;
    let mut printable = true;
    for (at, byte) in data.iter().take(4096).enumerate() {
        last = byte ^ key;
        key = *byte;
        printable &= at >= 16 || last.is_ascii_graphic() || last == b' ';
        if at == 0 && last != b'{' || !printable {
            return false;
        }
    }
    data.len() >= 12 && last == b'}'
}

/// A message outside any session (Matter core specification, sections 4.4.1 and 4.4.3): flags,
/// session 0, unicast; then a message of the secure channel.
fn matter(data: &[u8]) -> bool {
    let mut reader = Reader::new(data);
    let Some([flags, 0, 0, 0]) = reader.array() else { return false };
    let node_bytes = match flags {
        0x00 => 0,
        0x01 | 0x04 => 8,
        0x05 => 16,
        _ => return false,
    };
    let head = reader.skip(4 + node_bytes).and_then(|()| reader.array::<6>());
    let Some([exchange, operation, _, _, 0, 0]) = head else { return false };
    // Acknowledgement, key agreement by password or by certificate, status.
    exchange < 0x20 && matches!(operation, 0x10 | 0x20..=0x24 | 0x30..=0x33 | 0x40)
}

/// Length of the whole, then protocol 1024 with an address (LIFX LAN protocol, header).
fn lifx(data: &[u8]) -> bool {
    let mut reader = Reader::new(data);
    let (length, protocol) = (reader.u16_le(), reader.u16_le());
    data.len() >= 36
        && length.is_some_and(|length| usize::from(length) == data.len())
        && protocol.is_some_and(|protocol| protocol & 0x1fff == 0x1400)
}

/// Version 2, operation, length of what follows the header of sixteen bytes.
fn tapo(data: &[u8]) -> bool {
    let mut reader = Reader::new(data);
    reader.array() == Some([2, 0])
        && reader.u16().is_some_and(|operation| (1..=3).contains(&operation))
        && reader.u16().is_some_and(|length| usize::from(length) + 16 == data.len())
}

/// A request of four zeros, or a header and the sender's address as first element.
fn mndp(data: &[u8]) -> bool {
    data == [0; 4] || data.len() > 20 && data.get(4..8) == Some(&[0, 1, 0, 6])
}

/// Version, kind, two addresses, the session's key, and kind 21 of client.
fn mac_telnet(data: &[u8]) -> bool {
    let kind = data.get(14..18);
    matches!(data, [1, 0..=5 | 0xff, ..])
        && data.len() >= 22
        && matches!(kind, Some([0, 0x15, ..] | [_, _, 0, 0x15]))
}

fn crestron(data: &[u8]) -> bool {
    matches!(data, [0x14 | 0x15, 0, 0, 0, 1, 4, 0, 3, 0, 0, ..])
}

/// Version, token, kind; the gateway's identifier and JSON (Semtech's packet forwarder protocol).
fn lorawan(data: &[u8]) -> bool {
    match data {
        [1 | 2, _, _, 0, rest @ ..] => rest.get(8) == Some(&b'{'),
        [1 | 2, _, _, 2, rest @ ..] => rest.len() == 8,
        [1 | 2, _, _, 3, rest @ ..] => rest.first() == Some(&b'{'),
        [1 | 2, _, _, 1 | 4, rest @ ..] => rest.is_empty(),
        [1 | 2, _, _, 5, rest @ ..] => rest.len() >= 8,
        _ => false,
    }
}

/// Discovery: kind, length of the payload, version.
fn smart_glass(data: &[u8]) -> bool {
    let Some([0xdd, 0..=2, high, low, _, _]) = data.first_chunk() else { return false };
    data.len() == 6 + usize::from(u16::from_be_bytes([*high, *low]))
}

fn console(data: &[u8]) -> bool {
    data.starts_with(b"HTTP/1.1 ") && text::contains(data, b"host-id:")
}

fn plex(data: &[u8]) -> bool {
    data.starts_with(b"M-SEARCH * HTTP/1.") || text::contains(data, b"plex/media-")
}

/// A server that is listed publicly: version 1, number, kind; its answer carries a key.
fn server_list(data: &[u8]) -> bool {
    match data {
        [1, _, _, 1, rest @ ..] => matches!(rest.len(), 0 | 4),
        [1, _, _, 2, rest @ ..] => rest.len() >= 8,
        _ => false,
    }
}

/// Kind, public key, nonce, and a box of known size (Tox protocol, DHT packets).
fn tox(data: &[u8]) -> bool {
    const HEADER_BYTES: usize = 1 + 32 + 24;
    let sealed = match data.first() {
        Some(0 | 1) => 1 + 8 + 16,
        Some(2) => 32 + 8 + 16,
        _ => return false,
    };
    data.len() == HEADER_BYTES + sealed
}

/// A game is looked for, announced, refreshed, closed: the mark, the kind, the length of the whole.
fn warcraft(data: &[u8]) -> bool {
    let Some([0xf7, 0x2f..=0x33, low, high]) = data.first_chunk() else { return false };
    usize::from(u16::from_le_bytes([*low, *high])) == data.len()
}

fn govee(data: &[u8]) -> bool {
    data.starts_with(b"{\"msg\":{")
}

/// A hello in the clear (zero, length, kind 1), or the first frame of an encrypted session.
fn esphome(data: &[u8]) -> Option<bool> {
    let [mark, length, kind] = *data.first_chunk()?;
    Some(match mark {
        0 => kind == 1 && data.len() >= 3 + usize::from(length) && data.get(3) == Some(&0x0a),
        1 => length == 0 && kind == 0 && matches!(data.get(3), None | Some(1)),
        _ => false,
    })
}

/// The length of the rest, kind 6, the user's name, a zero, a key of 32 bytes and a sign.
fn winbox(data: &[u8]) -> Option<bool> {
    let [length, kind] = *data.first_chunk()?;
    if kind != 6 || length < 34 {
        return Some(false);
    }
    let rest = data.get(2..)?;
    if rest.len() < usize::from(length) {
        return None;
    }
    let name = rest.iter().take_while(|byte| **byte != 0).count();
    Some(rest.len() == usize::from(length) && name + 34 == rest.len())
}

fn yeelight(data: &[u8]) -> Option<bool> {
    let line = match text::line(data) {
        Some((line, _)) => line,
        None if data.len() < 512 => return if data.starts_with(b"{") { None } else { Some(false) },
        None => data,
    };
    Some(line.starts_with(b"{\"id\":") && text::contains(line, b"\"method\":"))
}

/// The length of the message, then its mark.
fn steam(data: &[u8]) -> Option<bool> {
    Some(data.get(4..8)? == b"VT01")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dissect::testing::{check_never, check_prefixes, run};
    use crate::view::Direction::ToServer;

    fn filled(head: &[u8], length: usize) -> Vec<u8> {
        let mut bytes = head.to_vec();
        bytes.resize(length, 0);
        bytes
    }

    fn sealed(text: &[u8]) -> Vec<u8> {
        let mut key = 0xab;
        text.iter()
            .map(|byte| {
                key ^= byte;
                key
            })
            .collect()
    }

    #[test]
    fn shapes_are_found_on_their_ports_only() {
        let announcement = filled(b"\0\0\0\x01\0\x01\0\x06\x02\0\0\0\0\x01\0\x05", 30);
        let mac = b"\x01\0\x02\0\0\0\0\x01\x02\0\0\0\0\x02\x12\x34\0\x15\0\0\0\0";
        let cases: &[(u16, AppId, &[u8])] = &[
            (
                5540,
                AppId::MATTER,
                &filled(b"\x04\0\0\0\x09\x08\x07\x06abcdefgh\x05\x20\x01\x02\0\0", 60),
            ),
            (56700, AppId::LIFX, &filled(b"\x24\0\0\x34", 36)),
            (20002, AppId::KASA, &filled(b"\x02\0\0\x01\0\x10\x11\0", 32)),
            (1982, AppId::YEELIGHT, b"M-SEARCH * HTTP/1.1\r\nST: wifi_bulb"),
            (38899, AppId::WIZ, b"{\"method\":\"getPilot\"}"),
            (37020, AppId::HIKVISION, b"<?xml version=\"1.0\"?><Probe>"),
            (5678, AppId::MIKROTIK, &announcement),
            (20561, AppId::MIKROTIK, mac),
            (41794, AppId::CRESTRON, b"\x14\0\0\0\x01\x04\0\x03\0\0host"),
            (1700, AppId::LORAWAN, b"\x02\x11\x22\0abcdefgh{\"stat\":{}}"),
            (5050, AppId::XBOX, &filled(b"\xdd\0\0\x0a\0\0", 16)),
            (9302, AppId::PLAYSTATION, b"HTTP/1.1 200 Ok\nhost-id:0123456789AB\n"),
            (32414, AppId::PLEX, b"M-SEARCH * HTTP/1.1\r\n"),
            (2010, AppId::TEAMSPEAK, b"\x01\x80\x84\x01"),
            (33445, AppId::TOX, &filled(&[1], 82)),
            (6112, AppId::WARCRAFT3, b"\xf7\x2f\x10\0PX3W\x1a\0\0\0\0\0\0\0"),
            (6454, AppId::ART_NET, b"Art-Net\0\0\x20"),
            (5568, AppId::SACN, b"\0\x10\0\0ASC-E1.17\0\0\0"),
        ];
        for (port, app, bytes) in cases {
            let outcome = run(&UDP, ToServer, Transport::Udp, bytes, (40000, *port)).0;
            assert_eq!(outcome, Outcome::found(*app), "{bytes:x?}");
            check_never(&UDP, ToServer, Transport::Udp, bytes, (40000, 40001));
            check_never(&UDP, ToServer, Transport::Udp, &[0x55; 40], (40000, *port));
        }
    }

    #[test]
    fn streams_are_found_on_their_ports_only() {
        let mut login = filled(b"\x27\x06admin\0", 41);
        login[8..].fill(9);
        let cases: &[(u16, AppId, &[u8])] = &[
            (6053, AppId::ESPHOME, b"\0\x04\x01\x0a\x02ab"),
            (8291, AppId::MIKROTIK, &login),
            (55443, AppId::YEELIGHT, b"{\"id\":1,\"method\":\"get_prop\"}\r\n"),
            (27017, AppId::STEAM, b"\x20\0\0\0VT01"),
        ];
        for (port, app, bytes) in cases {
            let outcome = run(&TCP, ToServer, Transport::Tcp, bytes, (40000, *port)).0;
            assert_eq!(outcome, Outcome::found(*app), "{bytes:x?}");
            check_never(&TCP, ToServer, Transport::Tcp, bytes, (40000, 40001));
            check_never(&TCP, ToServer, Transport::Tcp, b"GET / HTTP/1.1\r\n", (40000, *port));
        }
    }

    #[test]
    fn marks_on_any_port() {
        let tuya =
            [&filled(b"\0\0\x55\xaa\0\0\0\x01\0\0\0\x13\0\0\0\x10", 28)[..], b"\0\0\xaa\x55"];
        let new = filled(b"\0\0\x66\x99\0\0\0\0\0\x01\0\0\0\x07\0\0\0\x20", 50);
        let cases = [
            (AppId::TUYA_LAN, tuya.concat()),
            (AppId::TUYA_LAN, [&new[..], b"\0\0\x99\x66"].concat()),
            (AppId::MIIO, filled(b"\x21\x31\0\x20", 32)),
            (AppId::KASA, sealed(b"{\"system\":{\"get_sysinfo\":{}}}")),
            (AppId::GOVEE, b"{\"msg\":{\"cmd\":\"scan\"".to_vec()),
        ];
        for (app, bytes) in &cases {
            let outcome = run(&HOME, ToServer, Transport::Udp, bytes, (4000, 4001)).0;
            assert_eq!(outcome, Outcome::found(*app), "{bytes:x?}");
        }
        for (_, bytes) in cases.iter().take(3) {
            let cut = &bytes[..bytes.len() - 1];
            assert_eq!(run(&HOME, ToServer, Transport::Udp, cut, (1, 2)).0, Outcome::NotMine);
        }
        for (_, bytes) in cases.iter().take(2) {
            check_prefixes(&HOME_STREAM, ToServer, Transport::Tcp, bytes, (4000, 6668));
        }
        let query = sealed(b"{\"system\":{\"get_sysinfo\":{}}}");
        let framed = [&[0, 0, 0, 29][..], &query].concat();
        check_prefixes(&HOME_STREAM, ToServer, Transport::Tcp, &framed, (4000, 9999));
        let near = [&[0, 0, 0, 26][..], &query].concat();
        check_never(&HOME_STREAM, ToServer, Transport::Tcp, &near, (4000, 9999));
    }
}
