//! Applications whose first bytes prove little by themselves: each is asked for on its own ports
//! only, and there by the shape of its first datagrams or of its stream's beginning.

use crate::app::AppId;
use crate::dissect::shape::{self, bound};
use crate::reader::Reader;
use crate::risk::Risk;
use crate::view::{Dissector, Notes, Outcome, View};

pub(super) const UDP: Dissector =
    bound(shape::UDP, &UDP_PORTS, |view, _| ask_datagram(&ROWS, view));

pub(super) const TCP: Dissector = bound(shape::TCP, &TCP_PORTS, stream);

/// A port and the shape of what is spoken there.
pub(super) type Row = (u16, AppId, fn(&[u8]) -> bool);

const ROWS: [Row; 39] = [
    (8801, AppId::ZOOM, zoom),
    (8802, AppId::ZOOM, zoom),
    (8803, AppId::ZOOM, zoom),
    (8804, AppId::ZOOM, zoom),
    (8805, AppId::ZOOM, zoom),
    (8806, AppId::ZOOM, zoom),
    (8807, AppId::ZOOM, zoom),
    (8808, AppId::ZOOM, zoom),
    (8809, AppId::ZOOM, zoom),
    (8810, AppId::ZOOM, zoom),
    (7985, AppId::VIBER, viber),
    (7987, AppId::VIBER, viber),
    (5243, AppId::VIBER, viber),
    (9785, AppId::VIBER, viber),
    (3074, AppId::ACTIVISION, activision),
    (6000, AppId::EAQ, eaq),
    (64738, AppId::MUMBLE, mumble),
    (4000, AppId::NOMACHINE, nomachine),
    (1044, AppId::UFTP, uftp),
    (177, AppId::XDMCP, xdmcp),
    (5070, AppId::BFCP, bfcp),
    (22023, AppId::AMONG_US, among_us),
    (22123, AppId::AMONG_US, among_us),
    (7000, AppId::RX, rx),
    (7001, AppId::RX, rx),
    (7002, AppId::RX, rx),
    (7003, AppId::RX, rx),
    (7004, AppId::RX, rx),
    (7005, AppId::RX, rx),
    (7006, AppId::RX, rx),
    (7007, AppId::RX, rx),
    (9993, AppId::ZEROTIER, zerotier),
    (7500, AppId::COD_MOBILE, cod_mobile),
    (4569, AppId::IAX, iax),
    (17788, AppId::PPSTREAM, ppstream),
    (1119, AppId::HOTS, storm),
    (1120, AppId::HOTS, storm),
    (3724, AppId::HOTS, storm),
    (6113, AppId::HOTS, storm),
];

/// A port and the shape of the stream there; nothing where more bytes are needed.
pub(super) type StreamRow = (u16, AppId, fn(&[u8]) -> Option<bool>);

const STREAM_ROWS: [StreamRow; 12] = [
    (11095, AppId::NEST_LOG, weave),
    (4244, AppId::VIBER, viber_stream),
    (5242, AppId::VIBER, viber_stream),
    (5243, AppId::VIBER, viber_stream),
    (6633, AppId::OPENFLOW, openflow),
    (6653, AppId::OPENFLOW, openflow),
    (548, AppId::AFP, afp),
    (2000, AppId::SKINNY, skinny),
    (514, AppId::RSH, remote_shell),
    (512, AppId::RSH, remote_shell),
    (4899, AppId::RADMIN, radmin),
    (5070, AppId::BFCP, bfcp_stream),
];

const UDP_PORTS: [u16; ROWS.len()] = ports(&ROWS);
const TCP_PORTS: [u16; STREAM_ROWS.len()] = stream_ports(&STREAM_ROWS);

/// The ports of `rows`, for the hint.
#[expect(clippy::indexing_slicing, reason = "evaluated at compile time; an error would not build")]
pub(super) const fn ports<const N: usize>(rows: &[Row; N]) -> [u16; N] {
    let mut ports = [0; N];
    let mut index = 0;
    while index < N {
        ports[index] = rows[index].0;
        index += 1;
    }
    ports
}

/// The same of streams.
#[expect(clippy::indexing_slicing, reason = "evaluated at compile time; an error would not build")]
pub(super) const fn stream_ports<const N: usize>(rows: &[StreamRow; N]) -> [u16; N] {
    let mut ports = [0; N];
    let mut index = 0;
    while index < N {
        ports[index] = rows[index].0;
        index += 1;
    }
    ports
}

/// Which of `rows` a datagram on one of their ports is.
pub(super) fn ask_datagram(rows: &[Row], view: &View<'_>) -> Outcome {
    let fits = |(port, _, shape): &&Row| view.port_is(*port) && shape(view.data);
    match rows.iter().find(fits) {
        Some((_, app, _)) => Outcome::found(*app),
        None => Outcome::NotMine,
    }
}

fn stream(view: &View<'_>, notes: &mut Notes<'_>) -> Outcome {
    let outcome = ask_stream(&STREAM_ROWS, view);
    if let Outcome::Found { app: AppId::RSH, .. } = outcome {
        // Two user names are all that it takes.
        notes.meta.set_risk(Risk::ClearTextCredentials);
    }
    outcome
}

/// Which of `rows` a stream on one of their ports is.
pub(super) fn ask_stream(rows: &[StreamRow], view: &View<'_>) -> Outcome {
    let mut open = false;
    for (port, app, shape) in rows {
        match view.port_is(*port).then(|| shape(view.data)) {
            Some(Some(true)) => return Outcome::found(*app),
            Some(None) => open = true,
            _ => {}
        }
    }
    if open { Outcome::NeedMore } else { Outcome::NotMine }
}

/// Weave: the length of what follows, then a header of which one byte is fixed.
fn weave(data: &[u8]) -> Option<bool> {
    let length = u16::from_le_bytes(*data.first_chunk()?);
    Some(usize::from(length) + 2 == data.len() && *data.get(3)? == 0x13)
}

/// The length of the whole, and a fixed field at 6 in the first message.
fn viber_stream(data: &[u8]) -> Option<bool> {
    let length = u16::from_le_bytes(*data.first_chunk()?);
    let fixed = data.get(6..10)?;
    Some(usize::from(length) == data.len() && matches!(fixed, [0xfc, 0xff, _, 0x80]))
}

/// A hello (`OpenFlow` 1.5 section 7.1.1 and 7.5.1): version, type 0, the length of the whole.
fn openflow(data: &[u8]) -> Option<bool> {
    let [version, kind, high, low] = *data.first_chunk()?;
    let length = usize::from(u16::from_be_bytes([high, low]));
    Some((1..=6).contains(&version) && kind == 0 && length >= 8 && length == data.len())
}

/// Data stream interface (Apple Filing Protocol): flags, command, request, offset, length,
/// reserved.
fn afp(data: &[u8]) -> Option<bool> {
    let head = data.first_chunk::<16>()?;
    let [flags, command, .., b1, b2, b3, b4, r1, r2, r3, r4] = *head;
    let length = u32::from_be_bytes([b1, b2, b3, b4]);
    let fits = flags <= 1 && (1..=8).contains(&command) && [r1, r2, r3, r4] == [0; 4];
    Some(fits && usize::try_from(length).is_ok_and(|length| length + 16 >= data.len()))
}

/// Little-endian length, header version, message (Skinny Client Control Protocol).
fn skinny(data: &[u8]) -> Option<bool> {
    let mut reader = Reader::new(data);
    let length = reader.u32_le()?;
    let version = reader.u32_le()?;
    let message = reader.u32_le()?;
    Some((4..=2000).contains(&length) && version <= 0x16 && message < 0x200)
}

/// The port for errors as text, or none, then a zero (`rcmd`'s protocol).
fn remote_shell(data: &[u8]) -> Option<bool> {
    let digits = data.iter().take(6).take_while(|byte| byte.is_ascii_digit()).count();
    Some(*data.get(digits)? == 0 && (digits <= 5) && (digits > 0 || data.len() > 4))
}

/// One, the length of the body, a sum, the body.
fn radmin(data: &[u8]) -> Option<bool> {
    let [one, b1, b2, b3, b4, _, _, _, _] = *data.first_chunk()?;
    let body = u32::from_be_bytes([b1, b2, b3, b4]);
    Some(one == 1 && body > 0 && usize::try_from(body).is_ok_and(|body| body + 9 == data.len()))
}

/// Hello, its answer, and the keep-alives, each with a sequence; media is 5, its kind follows.
fn zoom(data: &[u8]) -> bool {
    match data {
        [1, 0, 2, ..] => data.len() >= 60,
        [2, 0, 1, ..] => data.len() == 35,
        [3 | 4, 0, 0, 0, _, ..] => data.len() >= 13,
        [5, _, _, _, _, _, _, _, 0x0d..=0x1e, ..] => data.len() > 24,
        _ => false,
    }
}

/// A session number, a kind, zeros; the lengths are fixed.
fn viber(data: &[u8]) -> bool {
    let Some([_, _, kind, zero]) = data.first_chunk() else { return false };
    let bytes = match kind {
        0x01 => 257,
        0x09 | 0x1a => 20,
        0x0c => 76,
        0x11 => 18,
        0x19 => 34,
        _ => return false,
    };
    *zero == 0 && data.len() == bytes
}

fn activision(data: &[u8]) -> bool {
    matches!(data, [0x0c | 0x0d, 2, 0, ..]) && data.len() == 29
}

/// Counter, a fixed session, and two bytes of zero before the last.
fn eaq(data: &[u8]) -> bool {
    data.len() == 16
        && data.starts_with(&[0, 0])
        && data.get(4..6) == Some(&[0, 0])
        && data.get(12..14) == Some(&[0, 0])
}

/// The ping of version 1: zero, then any number; its answer begins with the server's version.
fn mumble(data: &[u8]) -> bool {
    match data.len() {
        12 => data.starts_with(&[0; 4]),
        24 => data.starts_with(&[0, 1]),
        _ => false,
    }
}

fn nomachine(data: &[u8]) -> bool {
    data.starts_with(&[1, 0, 1, 0, 10, 0]) && data.len() == 10
}

/// UFTP (specification version 4 and 5): version, function, sequence, identifiers.
fn uftp(data: &[u8]) -> bool {
    matches!(data, [0x40 | 0x50, 1..=14, ..]) && data.len() >= 24
}

/// Version 1, operation, length of the rest (X Display Manager Control Protocol, section 2).
fn xdmcp(data: &[u8]) -> bool {
    let mut reader = Reader::new(data);
    reader.u16() == Some(1)
        && reader.u16().is_some_and(|operation| (1..=14).contains(&operation))
        && reader.u16().is_some_and(|length| usize::from(length) == reader.left())
}

/// Binary floor control (RFC 8855 section 5.1): version, primitive, length in words; a header
/// whose attributes are missing is one all the same.
fn bfcp(data: &[u8]) -> bool {
    let Some([0x20 | 0x40, 1..=18, high, low]) = data.first_chunk() else { return false };
    let words = usize::from(u16::from_be_bytes([*high, *low]));
    data.len() == 12 + 4 * words || (data.len() == 12 && words < 64)
}

/// Over a stream the payload may come later.
fn bfcp_stream(data: &[u8]) -> Option<bool> {
    let [flags, primitive, high, low] = *data.first_chunk()?;
    let words = u16::from_be_bytes([high, low]);
    Some(matches!((flags, primitive), (0x20 | 0x40, 1..=18)) && words <= 256)
}

/// Hazel's hello: kind, number, version, the player's name.
fn among_us(data: &[u8]) -> bool {
    let name_bytes = data.get(8).copied().map_or(0, usize::from);
    matches!(data, [8, _, _, 0, ..]) && name_bytes > 0 && data.len() == 9 + name_bytes
}

/// AFS's remote procedure calls: epoch, connection, call, sequence, serial, then the type.
fn rx(data: &[u8]) -> bool {
    let Some(body) = data.get(20..28) else { return false };
    matches!(body, [1..=13, flags, _, 0..=3, ..] if *flags < 0x40)
        && data.get(8..10) == Some(&[0, 0])
}

/// The one message that is not encrypted, HELLO: packet number, two addresses, cipher 0, the
/// check, verb 1, protocol version (`ZeroTier` protocol description, "HELLO").
fn zerotier(data: &[u8]) -> bool {
    let Some(addresses) = data.get(8..18) else { return false };
    let (to, from) = addresses.split_at(5);
    to != from
        && matches!(data.get(18), Some(0..=7))
        && matches!(data.get(27..29), Some([1, 4..=20]))
}

/// The length of the whole, or of what follows the first fields; and a kind.
fn ppstream(data: &[u8]) -> bool {
    let Some([low, high, kind, ..]) = data.first_chunk::<4>() else { return false };
    let length = usize::from(u16::from_le_bytes([*low, *high]));
    let fits = [0, 4, 6].iter().any(|header| length + header == data.len());
    // Three kinds, each with fixed fields of its own.
    let known = match kind {
        0x43 => data.get(5..15) == Some(&[0xff, 0, 1, 0, 0, 0, 0, 0, 0, 0]),
        0x44 => matches!(data.get(3..5), Some([0xb1 | 0x74, 0x71] | [0x73, 0x17])),
        0x55 => data.get(13..21) == Some(&[0x1b, 0xa0, 0, 0, 0, 0, 0, 0]),
        _ => false,
    };
    fits && known
}

/// A fixed field at 14, behind one of two kinds or zeros.
fn storm(data: &[u8]) -> bool {
    let known = matches!(data.get(2..4), Some([0x03 | 0x34, 0]));
    let zeros = data.get(..14) == Some(&[0; 14]);
    (20..=122).contains(&data.len()) && data.get(14..16) == Some(&[0x40, 0]) && (known || zeros)
}

fn cod_mobile(data: &[u8]) -> bool {
    data.len() == 12 && data.ends_with(b"\x03ping")
}

/// A full frame (RFC 5456 section 8.1.1): the top bit, and the type for IAX control.
fn iax(data: &[u8]) -> bool {
    let Some(head) = data.first_chunk::<12>() else { return false };
    let [first, _, _, _, _, _, _, _, _, _, kind, subclass] = *head;
    first & 0x80 != 0 && kind == 6 && (1..=40).contains(&subclass)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dissect::testing::{check_never, run};
    use crate::view::Direction::ToServer;
    use crate::view::Transport;

    #[test]
    fn shapes_are_found_on_their_ports_only() {
        let mut hello = vec![1, 0, 2];
        hello.resize(107, 7);
        let cases: &[(u16, AppId, &[u8])] = &[
            (8801, AppId::ZOOM, &hello),
            (8801, AppId::ZOOM, b"\x03\0\0\0\x01\x76\x2a\x8d\x74\0\x5a\x0e\x3e"),
            (
                7987,
                AppId::VIBER,
                b"\x05\xb8\x1a\0\x35\x18\xf5\x18\x98\x64\xe4\x47\
                \x32\x43\x7c\x5e\x2e\x95\0\xc8",
            ),
            (6000, AppId::EAQ, b"\0\0\0\0\0\0\x0d\xda\0\x01\x4b\x07\0\0\x90\0"),
            (64738, AppId::MUMBLE, b"\0\0\0\0\x03\xd7\x20\0\xfa\x76\x28\x7e"),
            (4000, AppId::NOMACHINE, b"\x01\0\x01\0\x0a\0\0\0\0\0"),
            (177, AppId::XDMCP, b"\0\x01\0\x02\0\x01\0"),
            (5070, AppId::BFCP, b"\x20\x03\0\x01\0\0\0\x01\0\x02\x05\x04\x01\x02\x03\x04"),
            (22023, AppId::AMONG_US, b"\x08\0\x01\0\x80\xd9\x02\x03\x06AAAAAA"),
            (
                7002,
                AppId::RX,
                b"\x57\x0f\xb5\x60\x5c\x3f\xc9\x88\0\0\0\x01\
                \0\0\0\x01\0\0\0\x01\x01\x05\0\0\0\0\0\x49",
            ),
            (4569, AppId::IAX, b"\x80\x01\0\0\0\0\0\x03\0\0\x06\x01"),
            (17788, AppId::PPSTREAM, b"\x12\0\x43\0\0\xff\0\x01\0\0\0\0\0\0\0\x01\x02\x03"),
            (1119, AppId::HOTS, b"\x01\x02\x03\0\0\0\0\0\0\0\0\0\0\0\x40\0\0\0\0\0"),
        ];
        for (port, app, bytes) in cases {
            let outcome = run(&UDP, ToServer, Transport::Udp, bytes, (40000, *port)).0;
            assert_eq!(outcome, Outcome::found(*app), "{bytes:x?}");
            check_never(&UDP, ToServer, Transport::Udp, bytes, (40000, 40001));
        }
    }

    #[test]
    fn streams_are_found_on_their_ports_only() {
        let mut session = vec![0, 2, 0x22, 0xc6, 0, 0, 0, 0, 0, 0, 0, 6, 0, 0, 0, 0];
        session.extend_from_slice(&[0x11, 0, 0, 2, 0x0e, 0x1c]);
        let cases: &[(u16, AppId, &[u8])] = &[
            (11095, AppId::NEST_LOG, b"\x03\0\x10\x13\x06"),
            (6653, AppId::OPENFLOW, b"\x06\0\0\x10\0\0\0\x01\0\x01\0\x08\0\0\0\x40"),
            (548, AppId::AFP, &session),
            (2000, AppId::SKINNY, b"\x08\0\0\0\0\0\0\0\x02\0\0\0\0\0\0\0"),
            (514, AppId::RSH, b"1022\0"),
            (4899, AppId::RADMIN, b"\x01\0\0\0\x05\0\0\x02\x27\x27\x02\0\0\0"),
        ];
        for (port, app, bytes) in cases {
            let outcome = run(&TCP, ToServer, Transport::Tcp, bytes, (40000, *port)).0;
            assert_eq!(outcome, Outcome::found(*app), "{bytes:x?}");
            check_never(&TCP, ToServer, Transport::Tcp, bytes, (40000, 40001));
            check_never(&TCP, ToServer, Transport::Tcp, b"GET / HTTP/1.1\r\n", (40000, *port));
        }
    }
}
