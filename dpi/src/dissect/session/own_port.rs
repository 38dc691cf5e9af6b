//! Applications over UDP whose datagrams prove little by themselves: each is asked for on its
//! own ports only, and there by the shape of its first datagrams.

use crate::app::AppId;
use crate::reader::Reader;
use crate::view::{Dissector, First, Notes, Outcome, Transport, View};

pub(super) const DISSECTOR: Dissector = Dissector {
    app: AppId::UNKNOWN,
    over: &[Transport::Udp],
    ports: &PORTS,
    ports_only: true,
    first: First::Any,
    run,
};

/// A port and the shape of what is spoken there.
type Row = (u16, AppId, fn(&[u8]) -> bool);

const ROWS: [Row; 34] = [
    (8801, AppId::ZOOM_MEDIA, zoom),
    (8802, AppId::ZOOM_MEDIA, zoom),
    (8803, AppId::ZOOM_MEDIA, zoom),
    (8804, AppId::ZOOM_MEDIA, zoom),
    (8805, AppId::ZOOM_MEDIA, zoom),
    (8806, AppId::ZOOM_MEDIA, zoom),
    (8807, AppId::ZOOM_MEDIA, zoom),
    (8808, AppId::ZOOM_MEDIA, zoom),
    (8809, AppId::ZOOM_MEDIA, zoom),
    (8810, AppId::ZOOM_MEDIA, zoom),
    (7985, AppId::VIBER_CALL, viber),
    (7987, AppId::VIBER_CALL, viber),
    (5243, AppId::VIBER_CALL, viber),
    (9785, AppId::VIBER_CALL, viber),
    (3074, AppId::ACTIVISION_LINK, activision),
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
];

const PORTS: [u16; ROWS.len()] = ports();

#[expect(clippy::indexing_slicing, reason = "evaluated at compile time; an error would not build")]
const fn ports() -> [u16; ROWS.len()] {
    let mut ports = [0; ROWS.len()];
    let mut index = 0;
    while index < ROWS.len() {
        ports[index] = ROWS[index].0;
        index += 1;
    }
    ports
}

fn run(view: &View<'_>, _notes: &mut Notes<'_>) -> Outcome {
    let fits = |(port, _, shape): &&Row| view.port_is(*port) && shape(view.data);
    match ROWS.iter().find(fits) {
        Some((_, app, _)) => Outcome::found(*app),
        None => Outcome::NotMine,
    }
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

/// Binary floor control (RFC 8855 section 5.1): version, primitive, length in words.
fn bfcp(data: &[u8]) -> bool {
    let Some([0x20 | 0x40, 1..=18, high, low]) = data.first_chunk() else { return false };
    data.len() == 12 + 4 * usize::from(u16::from_be_bytes([*high, *low]))
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

    #[test]
    fn shapes_are_found_on_their_ports_only() {
        let mut hello = vec![1, 0, 2];
        hello.resize(107, 7);
        let cases: &[(u16, AppId, &[u8])] = &[
            (8801, AppId::ZOOM_MEDIA, &hello),
            (8801, AppId::ZOOM_MEDIA, b"\x03\0\0\0\x01\x76\x2a\x8d\x74\0\x5a\x0e\x3e"),
            (7987, AppId::VIBER_CALL, b"\x05\xb8\x1a\0\x35\x18\xf5\x18\x98\x64\xe4\x47\x32\x43\x7c\x5e\x2e\x95\0\xc8"),
            (6000, AppId::EAQ, b"\0\0\0\0\0\0\x0d\xda\0\x01\x4b\x07\0\0\x90\0"),
            (64738, AppId::MUMBLE, b"\0\0\0\0\x03\xd7\x20\0\xfa\x76\x28\x7e"),
            (4000, AppId::NOMACHINE, b"\x01\0\x01\0\x0a\0\0\0\0\0"),
            (177, AppId::XDMCP, b"\0\x01\0\x02\0\x01\0"),
            (5070, AppId::BFCP, b"\x20\x03\0\x01\0\0\0\x01\0\x02\x05\x04\x01\x02\x03\x04"),
            (22023, AppId::AMONG_US, b"\x08\0\x01\0\x80\xd9\x02\x03\x06AAAAAA"),
            (7002, AppId::RX, b"\x57\x0f\xb5\x60\x5c\x3f\xc9\x88\0\0\0\x01\0\0\0\x01\0\0\0\x01\x01\x05\0\0\0\0\0\x49"),
            (4569, AppId::IAX, b"\x80\x01\0\0\0\0\0\x03\0\0\x06\x01"),
        ];
        for (port, app, bytes) in cases {
            let outcome = run(&DISSECTOR, ToServer, Transport::Udp, bytes, (40000, *port)).0;
            assert_eq!(outcome, Outcome::found(*app), "{bytes:x?}");
            check_never(&DISSECTOR, ToServer, Transport::Udp, bytes, (40000, 40001));
        }
    }
}
