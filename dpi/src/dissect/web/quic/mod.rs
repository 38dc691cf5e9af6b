//! QUIC versions 1 and 2 (RFC 9000, 9001, 9369), the drafts they grew from, and Google's own.
//!
//! The client's Initial packets are opened with the keys that follow from its first connection
//! id; the `ClientHello` is put together from CRYPTO frames over several packets and in any order
//! in a buffer of the pool. The server's side is not opened: TLS 1.3 says nothing more there.

mod frames;
mod google;
mod keys;
mod short;
mod version;

use self::frames::{each_crypto, varint};
use self::keys::{ClientKeys, Opened};
pub(super) use self::short::QUIC_SHORT;
use self::version::{Handshake, Version};
use super::hello::{CLIENT_HELLO, Carrier, ClientHello};
use crate::app::AppId;
use crate::attr;
use crate::digests::Digests;
use crate::meta::Meta;
use crate::reader::Reader;
use crate::scratch::HelloTrack;
use crate::view::{Dissector, First, Notes, Outcome, Transport, View};

pub(super) const QUIC: Dissector = Dissector {
    app: AppId::QUIC,
    over: &[Transport::Udp],
    ports: &[443, 80, 784, 853, 8853, 8443],
    ports_only: false,
    // Long headers; Google's public headers with a connection id, with a version or without.
    first: First::Ranges(&[
        (0x80, 0xff),
        (0x08, 0x09),
        (0x0c, 0x0d),
        (0x18, 0x19),
        (0x1c, 0x1d),
        (0x28, 0x29),
        (0x2c, 0x2d),
        (0x38, 0x39),
        (0x3c, 0x3d),
    ]),
    run,
};

/// Connection ids have at most 20 bytes (RFC 9000 section 17.2).
const ID_MOST: usize = 20;
/// Packets of one datagram that are looked at.
const PACKETS_MOST: usize = 4;
/// Datagrams without a complete hello after which what is there is taken.
const TRIES_MOST: u8 = 6;
/// Google's parameter that names the browser (first in the registry's provisional range).
const USER_AGENT_PARAMETER: u64 = 0x3129;

fn run(view: &View<'_>, notes: &mut Notes<'_>) -> Outcome {
    if notes.scratch.hello.client.is_some() {
        return Outcome::found(notes.scratch.hello.app);
    }
    let Some(first) = view.data.first() else { return Outcome::NotMine };
    if first & 0x80 != 0 {
        return long(view, notes);
    }
    match google::read_public(view.data, notes.meta) {
        None if google::is_servers(view.data) => Outcome::found(AppId::QUIC),
        None => unless_found(notes),
        Some(google::Google::Hello) => finish(view, notes, AppId::QUIC),
        Some(google::Google::Packet) => again(notes),
    }
}

/// After the first packet the flow stays QUIC, whatever comes.
fn unless_found(notes: &mut Notes<'_>) -> Outcome {
    if notes.scratch.hello.tries > 0 { again(notes) } else { Outcome::NotMine }
}

/// QUIC, and the hello may come in a later packet.
fn again(notes: &mut Notes<'_>) -> Outcome {
    let track = &mut notes.scratch.hello;
    track.tries = track.tries.saturating_add(1);
    if track.tries >= TRIES_MOST {
        notes.crypto.close(&mut track.stream);
        Outcome::found(AppId::QUIC)
    } else {
        Outcome::found_more(AppId::QUIC)
    }
}

fn finish(view: &View<'_>, notes: &mut Notes<'_>, app: AppId) -> Outcome {
    notes.scratch.hello.client = Some(view.direction);
    notes.scratch.hello.app = app;
    Outcome::found(app)
}

/// The part of a long header that no version changes (RFC 8999 section 5.1).
struct Long<'a> {
    first: u8,
    version: u32,
    destination: &'a [u8],
}

fn read_long<'a>(reader: &mut Reader<'a>) -> Option<Long<'a>> {
    let first = reader.u8()?;
    let version = reader.u32()?;
    let destination_bytes = usize::from(reader.u8()?);
    let destination = reader.take(destination_bytes)?;
    let source_bytes = usize::from(reader.u8()?);
    reader.skip(source_bytes)?;
    let fits = first & 0x80 != 0 && destination_bytes <= ID_MOST && source_bytes <= ID_MOST;
    fits.then_some(Long { first, version, destination })
}

fn long(view: &View<'_>, notes: &mut Notes<'_>) -> Outcome {
    let number = view.data.get(1..5).and_then(|bytes| bytes.first_chunk::<4>());
    let Some(number) = number.copied() else { return unless_found(notes) };
    if version::is_google(number) && number < *b"Q050" {
        let rest = Reader::new(view.data.get(5..).unwrap_or_default());
        return match google::read_long(number, rest, notes.meta) {
            google::Google::Hello => finish(view, notes, AppId::QUIC),
            google::Google::Packet => again(notes),
        };
    }
    match (u32::from_be_bytes(number), version::find(u32::from_be_bytes(number))) {
        (_, Some(version)) => packets(view, notes, &version),
        (0, None) if is_negotiation(view.data) => again(notes),
        (number, None) if version::is_reserved(number) && is_full_hello(view.data) => again(notes),
        _ => unless_found(notes),
    }
}

/// A Version Negotiation packet (RFC 9000 section 17.2.1): ids, then versions, some of them known.
fn is_negotiation(data: &[u8]) -> bool {
    let mut reader = Reader::new(data);
    let Some(header) = read_long(&mut reader) else { return false };
    let versions = reader.rest();
    let known = |pair: &[u8; 4]| version::may_be_offered(u32::from_be_bytes(*pair));
    let (versions, rest) = versions.as_chunks::<4>();
    !header.destination.is_empty()
        && rest.is_empty()
        && (1..=32).contains(&versions.len())
        && versions.iter().any(known)
}

/// A first packet with a reserved version, sent to see whether the server negotiates: ids of the
/// prescribed length in a datagram of the prescribed size (RFC 9000 sections 7.2 and 14.1).
fn is_full_hello(data: &[u8]) -> bool {
    let mut reader = Reader::new(data);
    let header = read_long(&mut reader);
    data.len() >= 1200
        && header.is_some_and(|header| header.destination.len() >= 8 && header.first & 0x40 != 0)
}

/// The packets of a datagram of a known version.
fn packets(view: &View<'_>, notes: &mut Notes<'_>, version: &Version) -> Outcome {
    let mut reader = Reader::new(view.data);
    let mut fits = false;
    for _ in 0..PACKETS_MOST {
        let start = reader;
        let Some(header) = read_long(&mut reader) else { break };
        if header.first & 0x40 == 0 || version::find(header.version).is_none() {
            break;
        }
        let kind = header.first >> 4 & 3;
        if kind == (version.initial + 3) & 3 {
            // Retry: no length; a token and a tag of 16 bytes to the end (RFC 9000 section 17.2.5).
            fits |= reader.left() >= 16;
            break;
        }
        if kind == version.initial {
            let Some(token) = varint(&mut reader) else { break };
            let Some(()) = usize::try_from(token).ok().and_then(|token| reader.skip(token)) else {
                break;
            };
        }
        let Some(length) = varint(&mut reader).and_then(|length| usize::try_from(length).ok())
        else {
            break;
        };
        // A packet is never shorter than what header protection samples.
        if length < 20 || (reader.left() < length && !view.last) {
            break;
        }
        fits = true;
        let sealed = reader.take_up_to(length);
        if kind == version.initial
            && let Some(opened) = open(notes.scratch.hello, version, &header, sealed)
        {
            notes.meta.put(&attr::QUIC_VERSION, version.name.as_bytes());
            if let Some(outcome) = read_frames(view, notes, version, &header, &opened) {
                return outcome;
            }
        }
        if start.left() == reader.left() {
            break;
        }
    }
    if !fits {
        return unless_found(notes);
    }
    notes.meta.put(&attr::QUIC_VERSION, version.name.as_bytes());
    again(notes)
}

/// Opens an Initial packet with the keys of the first id, or of its own (the first packet, and
/// after a Retry, RFC 9001 section 5.2).
fn open(track: HelloTrack, version: &Version, header: &Long<'_>, sealed: &[u8]) -> Option<Opened> {
    let known = track.id.get(..usize::from(track.id_bytes)).unwrap_or_default();
    let try_with = |id: &[u8]| {
        let mut opened = ClientKeys::derive(version, id)?.open(header.first, sealed)?;
        // The frames are the proof that the key was right.
        let mut first = None;
        each_crypto(&opened, version.crypto, |crypto| {
            if crypto.offset == 0 {
                first = Some((crypto.at, crypto.bytes.len()));
            }
        })?;
        opened.first = first;
        Some(opened)
    };
    if !known.is_empty()
        && let Some(opened) = try_with(known)
    {
        return Some(opened);
    }
    if known == header.destination { None } else { try_with(header.destination) }
}

/// Takes in the CRYPTO frames of an opened packet; the outcome if that completed the hello.
fn read_frames(
    view: &View<'_>,
    notes: &mut Notes<'_>,
    version: &Version,
    header: &Long<'_>,
    opened: &Opened,
) -> Option<Outcome> {
    let track = &mut notes.scratch.hello;
    if track.id_bytes == 0 {
        let id = track.id.get_mut(..header.destination.len())?;
        id.copy_from_slice(header.destination);
        track.id_bytes = u8::try_from(header.destination.len()).ok()?;
    }
    // The usual case: the whole hello in one frame, read where it stands.
    let first = opened.first.and_then(|(at, length)| opened.frames().get(at..at + length));
    if let Some(message) = first.and_then(|bytes| whole_message(bytes, version.handshake)) {
        let app =
            note_hello(view, (notes.meta, notes.crypto.digests()), version.handshake, message);
        return Some(finish(view, notes, app));
    }
    if notes.crypto.get(track.stream).is_none() {
        track.stream = notes.crypto.open();
    }
    let mut stream = track.stream;
    if let Some(buffer) = notes.crypto.get(stream) {
        each_crypto(opened, version.crypto, |crypto| {
            buffer.insert(crypto.offset, crypto.bytes);
        });
    }
    let tries = track.tries;
    let Notes { meta, scratch, crypto, .. } = notes;
    let (bytes, digests) = crypto.held(stream)?;
    let message = whole_message(bytes, version.handshake)
        .or_else(|| (tries + 1 >= TRIES_MOST).then_some(bytes))?;
    let app = note_hello(view, (meta, digests), version.handshake, message);
    crypto.close(&mut stream);
    scratch.hello.stream = stream;
    Some(finish(view, notes, app))
}

/// The first handshake message, if it is there to its end. Google's has no length: it is taken as
/// it is.
fn whole_message(bytes: &[u8], handshake: Handshake) -> Option<&[u8]> {
    if handshake == Handshake::Google {
        return bytes.starts_with(b"CHLO").then_some(bytes);
    }
    let mut reader = Reader::new(bytes);
    reader.u8()?;
    let length = usize::try_from(reader.u24()?).ok()?;
    bytes.get(..4 + length)
}

/// Records what the hello says; the application inside, as far as it tells.
fn note_hello(
    view: &View<'_>,
    (meta, digests): (&mut Meta, &mut Digests),
    handshake: Handshake,
    message: &[u8],
) -> AppId {
    if handshake == Handshake::Google {
        google::read_hello(message, meta);
        return AppId::QUIC;
    }
    let body = message.get(4..).unwrap_or_default();
    if message.first() != Some(&CLIENT_HELLO) {
        return AppId::QUIC;
    }
    let Some(hello) = ClientHello::parse(body, Carrier::Quic) else { return AppId::QUIC };
    hello.note(view, meta, digests);
    let mut reader = Reader::new(hello.parameters);
    while let Some(kind) = varint(&mut reader) {
        let length = varint(&mut reader).and_then(|length| usize::try_from(length).ok());
        let Some(value) = length.and_then(|length| reader.take(length)) else { break };
        if kind == USER_AGENT_PARAMETER {
            meta.put(&attr::QUIC_USER_AGENT, value);
        }
    }
    hello.application().unwrap_or(AppId::QUIC)
}

#[cfg(test)]
#[expect(clippy::cast_possible_truncation, reason = "lengths in tests are small")]
mod tests {
    use super::super::sample::{client_hello, extension, hex, protocols, server_name};
    use super::*;
    use crate::dissect::testing::{Flow, check_never, run};
    use crate::view::Direction::{ToClient, ToServer};
    use proptest::prelude::*;

    const PORTS: (u16, u16) = (50_000, 443);
    const ID: [u8; 8] = [0x83, 0x94, 0xc8, 0xf0, 0x3e, 0x51, 0x57, 0x08];

    /// The CRYPTO frame of RFC 9001 appendix A.2.
    const RFC_FRAME: &str = "060040f1010000ed0303ebf8fa56f12939b9584a3896472ec40bb863cfd3e868\
        04fe3a47f06a2b69484c00000413011302010000c000000010000e00000b6578616d706c652e636f6dff0100\
        0100000a00080006001d0017001800100007000504616c706e00050005010000000000330026002400 1d0020\
        9370b2c9caa47fbabaf4559fedba753de171fa71f50f1ce15d43e994ec74d748002b0003020304000d001000\
        0e0403050306030203080408050806002d00020101001c00024001003900320408ffffffffffffffff050480\
        00ffff07048000ffff0801100104800075300901100f088394c8f03e51570806048000ffff";

    /// A client's Initial packet: `frames` and padding, in a datagram of 1200 bytes.
    fn initial(number: u32, version: u32, frames: &[u8]) -> Vec<u8> {
        let known = version::find(version).unwrap();
        let keys = ClientKeys::derive(&known, &ID).unwrap();
        let mut header = vec![0xc3 | known.initial << 4];
        header.extend(version.to_be_bytes());
        header.push(8);
        header.extend(ID);
        header.extend([0, 0, 0x44, 0x9e]);
        header.extend(number.to_be_bytes());
        let mut frames = frames.to_vec();
        frames.resize(1162, 0);
        keys.seal(&header, number, &frames)
    }

    fn crypto(offset: usize, bytes: &[u8]) -> Vec<u8> {
        let mut frame = vec![6];
        frame.extend((0x4000 | offset as u16).to_be_bytes());
        frame.extend((0x4000 | bytes.len() as u16).to_be_bytes());
        frame.extend(bytes);
        frame
    }

    fn hello() -> Vec<u8> {
        let agent = b"\x71\x29\x0eagent/1 (test)";
        client_hello(
            &[0x1301, 0x1302],
            &[
                server_name("quic.example.com"),
                protocols(&["h3"]),
                extension(43, &[2, 3, 4]),
                extension(0x39, agent),
            ],
        )
    }

    #[test]
    fn the_packet_of_the_rfc() {
        let packet = initial(2, 1, &hex(RFC_FRAME));
        // RFC 9001 appendix A.2: the protected header and the beginning of the payload.
        let head =
            hex("c000000001088394c8f03e5157080000449e7b9aec34d1b1c98dd7689fb8ec11d242b123dc9b");
        assert_eq!(packet[..head.len()], head);
        let (outcome, meta) = run(&QUIC, ToServer, Transport::Udp, &packet, PORTS);
        assert_eq!(outcome, Outcome::found(AppId::QUIC));
        assert_eq!(meta.get(&attr::QUIC_SNI), Some(&b"example.com"[..]));
        assert_eq!(meta.get(&attr::HOST_NAME), Some(&b"example.com"[..]));
        assert_eq!(meta.get(&attr::QUIC_VERSION), Some(&b"1"[..]));
        assert_eq!(meta.get(&attr::QUIC_ALPN), Some(&b"alpn"[..]));
        assert!(meta.get(&attr::QUIC_JA4).unwrap().starts_with(b"q13d0211an_"));
    }

    #[test]
    fn every_version_is_opened_with_its_own_keys() {
        for version in [1, 0x6b33_43cf, 0xff00_001d, 0xff00_001b, 0xff00_0016, 0xface_b002] {
            let packet = initial(0, version, &crypto(0, &hello()));
            let (outcome, meta) = run(&QUIC, ToServer, Transport::Udp, &packet, PORTS);
            assert_eq!(outcome, Outcome::found(AppId::QUIC), "{version:x}");
            assert_eq!(meta.get(&attr::QUIC_SNI), Some(&b"quic.example.com"[..]));
            assert_eq!(meta.get(&attr::QUIC_USER_AGENT), Some(&b"agent/1 (test)"[..]));
        }
    }

    #[test]
    fn the_hello_is_put_together_over_packets_in_any_order() {
        let hello = hello();
        let (first, rest) = hello.split_at(20);
        let (second, third) = rest.split_at(40);
        let pieces = [crypto(0, first), crypto(20, second), crypto(60, third)];
        let whole = run(&QUIC, ToServer, Transport::Udp, &initial(0, 1, &crypto(0, &hello)), PORTS);
        for order in [[0, 1, 2], [0, 2, 1], [1, 0, 2], [1, 2, 0], [2, 0, 1], [2, 1, 0]] {
            // All in one packet.
            let frames: Vec<u8> = order.iter().flat_map(|at| pieces[*at].clone()).collect();
            let together = run(&QUIC, ToServer, Transport::Udp, &initial(0, 1, &frames), PORTS);
            assert_eq!(together.0, Outcome::found(AppId::QUIC));
            assert_eq!(together.1.as_bytes(), whole.1.as_bytes());
            // A packet each.
            let mut flow = Flow::new(Transport::Udp, PORTS);
            for (number, at) in order.iter().enumerate() {
                let packet = initial(number as u32, 1, &pieces[*at]);
                let expected = if number == 2 {
                    Outcome::found(AppId::QUIC)
                } else {
                    Outcome::found_more(AppId::QUIC)
                };
                assert_eq!(flow.ask(&QUIC, ToServer, &packet), expected);
            }
            assert_eq!(flow.meta.get(&attr::QUIC_JA4), whole.1.get(&attr::QUIC_JA4));
        }
    }

    #[test]
    fn a_hello_that_is_never_complete_is_given_up_with_what_is_there() {
        let hello = hello();
        let mut flow = Flow::new(Transport::Udp, PORTS);
        let packet = initial(0, 1, &crypto(0, &hello[..hello.len() - 1]));
        for _ in 1..TRIES_MOST {
            assert_eq!(flow.ask(&QUIC, ToServer, &packet), Outcome::found_more(AppId::QUIC));
        }
        assert_eq!(flow.ask(&QUIC, ToServer, &packet), Outcome::found(AppId::QUIC));
        assert_eq!(flow.meta.get(&attr::QUIC_SNI), Some(&b"quic.example.com"[..]));
    }

    #[test]
    fn what_cannot_be_opened_is_named_by_its_header() {
        let mut packet = initial(0, 1, &crypto(0, &hello()));
        // Another id than the keys': as a server's Initial.
        packet[6] ^= 1;
        let (outcome, meta) = run(&QUIC, ToClient, Transport::Udp, &packet, PORTS);
        assert_eq!(outcome, Outcome::found_more(AppId::QUIC));
        assert_eq!(meta.get(&attr::QUIC_SNI), None);
        let negotiation = hex("80 00000000 00 08 0102030405060708 1a2a3a4a 00000001");
        assert_eq!(
            run(&QUIC, ToClient, Transport::Udp, &negotiation, PORTS).0,
            Outcome::NotMine,
            "no destination id, so nothing that a client drew"
        );
        let negotiation = hex("80 00000000 08 0102030405060708 00 1a2a3a4a 00000001");
        assert_eq!(
            run(&QUIC, ToClient, Transport::Udp, &negotiation, PORTS).0,
            Outcome::found_more(AppId::QUIC)
        );
    }

    #[test]
    fn googles_hello_in_the_clear() {
        let mut packet = hex("0d 0102030405060708 51303433 01 000102030405060708090a0b a0012c03");
        packet.extend(b"CHLO\x02\0\0\0SNI\0\x0e\0\0\0UAID\x13\0\0\0www.google.comagent");
        let (outcome, meta) = run(&QUIC, ToServer, Transport::Udp, &packet, PORTS);
        assert_eq!(outcome, Outcome::found(AppId::QUIC));
        assert_eq!(meta.get(&attr::QUIC_SNI), Some(&b"www.google.com"[..]));
        assert_eq!(meta.get(&attr::QUIC_USER_AGENT), Some(&b"agent"[..]));
        assert_eq!(meta.get(&attr::QUIC_VERSION), Some(&b"Q043"[..]));
    }

    #[test]
    fn headers_that_do_not_fit_are_refused() {
        let packet = initial(0, 1, &crypto(0, &hello()));
        // A version nobody knows, an id too long, a length beyond the datagram, no fixed bit.
        for (at, value) in [(4, 9), (5, 21), (16, 0x7f), (0, 0x80)] {
            let mut packet = packet.clone();
            packet[at] = value;
            check_never(&QUIC, ToServer, Transport::Udp, &packet, PORTS);
        }
        check_never(&QUIC, ToServer, Transport::Udp, &packet[..packet.len() - 1], PORTS);
    }

    proptest! {
        #[test]
        fn any_datagram_is_survived(
            mut bytes in prop::collection::vec(any::<u8>(), 1..1500),
            version in prop::sample::select(vec![0, 1, 0x6b33_43cf, 0x5130_3436, 0x5130_3530]),
        ) {
            let _ = run(&QUIC, ToServer, Transport::Udp, &bytes, PORTS);
            if bytes.len() > 8 {
                bytes[0] |= 0xc0;
                bytes[1..5].copy_from_slice(&u32::to_be_bytes(version));
                bytes[5] %= 21;
                let _ = run(&QUIC, ToServer, Transport::Udp, &bytes, PORTS);
            }
        }

        /// Frames of any content, correctly sealed.
        #[test]
        fn any_frames_are_survived(frames in prop::collection::vec(any::<u8>(), 0..1100), kind in 0_u8..8) {
            let mut sent = vec![kind];
            sent.extend(frames);
            let packet = initial(0, 1, &sent);
            let outcome = run(&QUIC, ToServer, Transport::Udp, &packet, PORTS).0;
            let named = matches!(outcome, Outcome::Found { app: AppId::QUIC, .. });
            prop_assert!(named);
        }
    }
}
