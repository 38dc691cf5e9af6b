//! STUN and TURN (RFC 8489, RFC 8656), the older STUN without cookie (RFC 3489), and TURN's
//! channel messages.
//!
//! Attributes tell whose call it is where an application has attributes, message types or a
//! realm of its own; what is sure is remembered of the client's socket, from which the other
//! candidates are asked too. Where nothing is sure it stays STUN, or becomes the DTLS that follows
//! on the same flow (RFC 7983).

use crate::app::{self, AppId};
use crate::attr;
use crate::dissect::web;
use crate::reader::Reader;
use crate::services;
use crate::view::{Dissector, First, Notes, Outcome, Transport, View};

pub(super) const DISSECTOR: Dissector = Dissector {
    app: AppId::STUN,
    over: &[Transport::Udp, Transport::Tcp],
    ports: &[3478, 3479, 3480, 3481, 5349, 19302, 19305],
    ports_only: false,
    // Two zero bits and the beginning of the type; 0x40 to 0x4f are channels.
    first: First::Ranges(&[(0x00, 0x0f), (0x40, 0x4f)]),
    run,
};

/// RFC 8489 section 5.
const COOKIE: [u8; 4] = [0x21, 0x12, 0xa4, 0x42];
const HEADER_BYTES: usize = 20;
/// Attributes of one message looked at.
const ATTRIBUTES: usize = 24;
/// Packets looked at for a sign of the application after STUN itself was recognised.
const PACKETS: u8 = 6;

fn run(view: &View<'_>, notes: &mut Notes<'_>) -> Outcome {
    let outcome = read_packet(view, notes);
    let Outcome::Found { app, more } = outcome else { return outcome };
    // The service's own server: what it says of itself is worth reading still.
    let at_server = services::surely_at(view.server.address).and_then(call_with);
    let call = match app {
        AppId::STUN => {
            let media = (19305..=19309).any(|port| view.port_is(port));
            let call = notes.knowledge.call_of(view.client, view.server);
            // Google's media relays have ports of their own.
            call.or_else(|| media.then_some(AppId::GOOGLE_CALL)).or(at_server)
        }
        app if app::carrier(app) == AppId::STUN => Some(app),
        _ => None,
    };
    let Some(call) = call else {
        let dtls = app == AppId::STUN && notes.scratch.stun.dtls;
        return if dtls { Outcome::found_more(AppId::DTLS) } else { outcome };
    };
    if view.transport == Transport::Udp {
        notes.knowledge.note_caller(view.client, call);
        if notes.scratch.stun.both_ends {
            notes.knowledge.note_caller(view.server, call);
        }
    }
    Outcome::Found { app: call, more: more && at_server.is_some() }
}

/// The calls of a service, whose relays and media servers are at its own addresses.
fn call_with(service: AppId) -> Option<AppId> {
    Some(match service {
        AppId::TELEGRAM => AppId::TELEGRAM_CALL,
        AppId::ZOOM => AppId::ZOOM_CALL,
        AppId::TEAMS => AppId::TEAMS_CALL,
        _ => return None,
    })
}

fn read_packet(view: &View<'_>, notes: &mut Notes<'_>) -> Outcome {
    let data = match (view.transport, view.data) {
        // Over TCP media frames carry a length of two bytes before each (RFC 4571).
        (Transport::Tcp, [_, _, rest @ ..]) if rest.get(4..8) == Some(&COOKIE) => rest,
        _ => view.data,
    };
    match data.first() {
        Some(0x40..=0x4f) => return channel(view, data),
        Some(0x00..=0x0f) => {}
        // Only where STUN was found before: the filter lets nothing else in.
        Some(20..=24) => {
            let outcome = (web::DTLS.run)(view, notes);
            notes.scratch.stun.dtls |= matches!(outcome, Outcome::Found { .. });
            return outcome;
        }
        Some(0x80..=0xbf) => {
            // Media, encrypted as a rule (RFC 3711), on the same flow (RFC 7983).
            notes.meta.add_layer(AppId::RTP);
            return still_undecided(view);
        }
        _ => return Outcome::NotMine,
    }
    let short = data.len() < HEADER_BYTES;
    if view.transport == Transport::Tcp && short {
        let possible = data.get(4..8).is_none_or(|cookie| cookie == COOKIE);
        return if possible { Outcome::NeedMore } else { Outcome::NotMine };
    }
    if data.get(4..8) == Some(&COOKIE) { message(view, data, notes) } else { classic(view, data) }
}

/// Channel number, length, data (RFC 8656 section 12.4). Four bytes prove little: only on TURN's
/// ports, and when the length is exact.
fn channel(view: &View<'_>, data: &[u8]) -> Outcome {
    let usual = view.port_is(3478) || view.port_is(5349) || view.port_is(3480);
    let mut reader = Reader::new(data);
    let fits = reader.skip(2).is_some()
        && reader.u16().is_some_and(|length| {
            let left = reader.left();
            length > 0 && (usize::from(length)..usize::from(length) + 4).contains(&left)
        });
    let udp = view.transport == Transport::Udp;
    if usual && udp && fits { Outcome::found(AppId::STUN) } else { Outcome::NotMine }
}

fn message(view: &View<'_>, data: &[u8], notes: &mut Notes<'_>) -> Outcome {
    let mut reader = Reader::new(data);
    let (Some(kind), Some(length)) = (reader.u16(), reader.u16()) else { return Outcome::NotMine };
    if length % 4 != 0 || reader.skip(16).is_none() {
        return Outcome::NotMine;
    }
    let length = usize::from(length);
    if view.transport == Transport::Udp && reader.left() != length {
        return Outcome::NotMine;
    }
    if reader.left() < length && !view.last {
        return Outcome::NeedMore;
    }
    let body = reader.take_up_to(length);
    // WhatsApp's relays speak methods of their own.
    let mut app =
        if (0x0800..=0x0805).contains(&kind) { AppId::WHATSAPP_CALL } else { AppId::STUN };
    attributes(body, |attribute, value| {
        if let Some(sure) = read(attribute, value, data, notes) {
            app = sure;
        }
    });
    if app == AppId::STUN { still_undecided(view) } else { Outcome::found(app) }
}

fn still_undecided(view: &View<'_>) -> Outcome {
    Outcome::Found { app: AppId::STUN, more: view.packets_before < PACKETS }
}

/// Calls `each` with every attribute that fits; whether all did, to the last byte.
fn attributes<'a>(body: &'a [u8], mut each: impl FnMut(u16, &'a [u8])) -> bool {
    let mut reader = Reader::new(body);
    for _ in 0..ATTRIBUTES {
        if reader.left() == 0 {
            return true;
        }
        let (Some(attribute), Some(length)) = (reader.u16(), reader.u16()) else { return false };
        let Some(value) = reader.take(usize::from(length)) else { return false };
        each(attribute, value);
        // Padded to four bytes; old senders leave the last padding out.
        reader.take_up_to(usize::from(length.wrapping_neg() & 3));
    }
    reader.left() == 0
}

/// Keeps what an attribute says; the application where it tells it surely.
fn read(attribute: u16, value: &[u8], data: &[u8], notes: &mut Notes<'_>) -> Option<AppId> {
    match attribute {
        0x8022 => notes.meta.put(&attr::STUN_SOFTWARE, value.trim_ascii_end()),
        0x0014 => {
            let realm = value.split(|byte| *byte == 0).next().unwrap_or_default();
            notes.meta.put(&attr::STUN_REALM, realm);
            if realm.contains(&b'.') {
                notes.meta.put(&attr::HOST_NAME, realm);
            }
            let app = by_realm(realm);
            notes.scratch.stun.both_ends |= app.is_some();
            return app;
        }
        // PRIORITY: a check between peers (RFC 8445 section 7.1.1).
        0x0024 => notes.scratch.stun.both_ends = true,
        // XOR-PEER-ADDRESS, XOR-MAPPED-ADDRESS.
        0x0012 => put_address(&attr::STUN_PEER, value, data, notes),
        0x0020 => put_address(&attr::STUN_MAPPED, value, data, notes),
        // Microsoft's: version, candidate identifier, service quality, implementation version
        // (MS-TURN and MS-ICE2 section 2.2), and two that only Skype has.
        0x8008 | 0x8050..=0x8056 | 0x8070 | 0x8090..=0x8095 | 0x24df | 0x3802 => {
            return Some(AppId::TEAMS_CALL);
        }
        0xff03 => return Some(AppId::GOOGLE_CALL),
        // WhatsApp's relay token and its neighbours.
        0x4000..=0x4007 => return Some(AppId::WHATSAPP_CALL),
        _ => {}
    }
    None
}

fn by_realm(realm: &[u8]) -> Option<AppId> {
    const REALMS: &[(&[u8], AppId)] = &[
        (b"telegram.org", AppId::TELEGRAM_CALL),
        (b"signal.org", AppId::SIGNAL_CALL),
        (b"viber.com", AppId::VIBER_CALL),
        (b"google.com", AppId::GOOGLE_CALL),
        (b"whatsapp.net", AppId::WHATSAPP_CALL),
        (b"zoom.us", AppId::ZOOM_CALL),
        (b"facebook.com", AppId::FACEBOOK_CALL),
        (b"whispersystems.org", AppId::SIGNAL_CALL),
    ];
    let of = |suffix: &[u8]| {
        let Some(at) = realm.len().checked_sub(suffix.len()) else { return false };
        let tail = realm.get(at..).unwrap_or_default();
        tail.eq_ignore_ascii_case(suffix) && (at == 0 || realm.get(at - 1) == Some(&b'.'))
    };
    REALMS.iter().find(|(suffix, _)| of(suffix)).map(|(_, app)| *app)
}

/// An address hidden by the cookie and the transaction (RFC 8489 section 14.2).
fn put_address(attr: &attr::Attr, value: &[u8], data: &[u8], notes: &mut Notes<'_>) {
    let mut reader = Reader::new(value);
    let (Some([_, family]), Some(_port)) = (reader.array(), reader.u16()) else { return };
    let mut address = [0; 16];
    let (room, key) = match family {
        1 => {
            // The mapped form's prefix.
            for byte in address.iter_mut().skip(10).take(2) {
                *byte = 0xff;
            }
            (address.get_mut(12..), data.get(4..8))
        }
        2 => (address.get_mut(..), data.get(4..20)),
        _ => return,
    };
    let (Some(room), Some(key)) = (room, key) else { return };
    if reader.left() != room.len() {
        return;
    }
    for ((byte, hidden), mask) in room.iter_mut().zip(reader.rest()).zip(key) {
        *byte = hidden ^ mask;
    }
    // The same peer is asked for many times.
    if notes.meta.get(attr) != Some(&address[..]) {
        notes.meta.put(attr, &address);
    }
}

/// RFC 3489: no cookie, so type, length and every attribute must fit. Zoom's clients probe with
/// an attribute of their own.
fn classic(view: &View<'_>, data: &[u8]) -> Outcome {
    let mut reader = Reader::new(data);
    let (Some(kind), Some(length)) = (reader.u16(), reader.u16()) else { return Outcome::NotMine };
    let known = matches!(kind, 0x0001 | 0x0002 | 0x0101 | 0x0102 | 0x0111 | 0x0112);
    if !known
        || view.transport == Transport::Tcp
        || data.len() != HEADER_BYTES + usize::from(length)
    {
        return Outcome::NotMine;
    }
    let body = data.get(HEADER_BYTES..).unwrap_or_default();
    if body.is_empty() {
        // Twenty bytes of which sixteen are random.
        let usual = kind == 1 && (view.port_is(3478) || view.port_is(3479));
        return if usual { Outcome::found_more(AppId::STUN) } else { Outcome::NotMine };
    }
    let (mut all_known, mut zoom) = (true, false);
    let whole = attributes(body, |attribute, value| match attribute {
        0x0001 | 0x0002 | 0x0004 | 0x0005 | 0x000b | 0x8020 => {
            all_known &= value.len() == 8
                && value.first_chunk().is_some_and(|[zero, family]| *zero == 0 && *family == 1);
        }
        0x0003 => all_known &= value.len() == 4,
        0x0006 | 0x0007 | 0x0009 | 0x000a | 0x8022 => {}
        0x0008 => all_known &= value.len() == 20,
        0x0101 => zoom |= value.len() == 20 && value.starts_with(b"123456789"),
        0x0103 => zoom |= value.len() == 8 && view.port_is(3478) | view.port_is(3479),
        _ => all_known = false,
    });
    match (whole && all_known, zoom) {
        (true, true) => Outcome::found(AppId::ZOOM_CALL),
        (true, false) => Outcome::found_more(AppId::STUN),
        _ => Outcome::NotMine,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dissect::testing::{Flow, check_never, check_prefixes, run};
    use crate::view::Direction::{ToClient, ToServer};

    /// RFC 5769 section 2.2: a response with SOFTWARE and XOR-MAPPED-ADDRESS 192.0.2.1.
    const RESPONSE: &[u8] = &[
        0x01, 0x01, 0x00, 0x3c, 0x21, 0x12, 0xa4, 0x42, 0xb7, 0xe7, 0xa7, 0x01, 0xbc, 0x34, 0xd6,
        0x86, 0xfa, 0x87, 0xdf, 0xae, 0x80, 0x22, 0x00, 0x0b, 0x74, 0x65, 0x73, 0x74, 0x20, 0x76,
        0x65, 0x63, 0x74, 0x6f, 0x72, 0x20, 0x00, 0x20, 0x00, 0x08, 0x00, 0x01, 0xa1, 0x47, 0xe1,
        0x12, 0xa6, 0x43, 0x00, 0x08, 0x00, 0x14, 0x2b, 0x91, 0xf5, 0x99, 0xfd, 0x9e, 0x90, 0xc3,
        0x8c, 0x74, 0x89, 0xf9, 0x2a, 0xf9, 0xba, 0x53, 0xf0, 0x6b, 0xe7, 0xd7, 0x80, 0x28, 0x00,
        0x04, 0xc0, 0x7d, 0x4c, 0x96,
    ];

    fn request(kind: u16, attributes: &[u8]) -> Vec<u8> {
        let mut message = kind.to_be_bytes().to_vec();
        message.extend_from_slice(&u16::try_from(attributes.len()).unwrap().to_be_bytes());
        message.extend_from_slice(&COOKIE);
        message.extend_from_slice(b"transaction!");
        message.extend_from_slice(attributes);
        message
    }

    #[test]
    fn the_published_vector() {
        for transport in [Transport::Udp, Transport::Tcp] {
            let (outcome, meta) = run(&DISSECTOR, ToClient, transport, RESPONSE, (5000, 3478));
            assert_eq!(outcome, Outcome::found_more(AppId::STUN));
            assert_eq!(meta.get(&attr::STUN_SOFTWARE), Some(&b"test vector"[..]));
            let mapped = std::net::Ipv4Addr::new(192, 0, 2, 1).to_ipv6_mapped().octets();
            assert_eq!(meta.get(&attr::STUN_MAPPED), Some(&mapped[..]));
            check_prefixes(&DISSECTOR, ToClient, transport, RESPONSE, (5000, 3478));
        }
    }

    #[test]
    fn a_length_before_each_message_over_tcp() {
        let framed = [&[0, 80][..], RESPONSE].concat();
        let outcome = run(&DISSECTOR, ToClient, Transport::Tcp, &framed, (5000, 5001)).0;
        assert_eq!(outcome, Outcome::found_more(AppId::STUN));
    }

    #[test]
    fn the_realm_names_the_application() {
        let mut flow = Flow::new(Transport::Udp, (5000, 1400));
        let first = flow.ask(&DISSECTOR, ToServer, &request(1, &[]));
        assert_eq!(first, Outcome::found_more(AppId::STUN));
        let refused = request(0x0113, b"\0\x14\0\x0ctelegram.org");
        let second = flow.ask(&DISSECTOR, ToClient, &refused);
        assert_eq!(second, Outcome::found(AppId::TELEGRAM_CALL));
        assert_eq!(by_realm(b"turn.l.google.com"), Some(AppId::GOOGLE_CALL));
        assert_eq!(by_realm(b"notviber.com"), None);
    }

    #[test]
    fn own_methods_and_attributes_name_it_too() {
        let outcome = |bytes: &[u8]| run(&DISSECTOR, ToServer, Transport::Udp, bytes, (1, 2)).0;
        let whatsapp = Outcome::found(AppId::WHATSAPP_CALL);
        assert_eq!(outcome(&request(0x0801, &[])), whatsapp);
        assert_eq!(outcome(&request(3, &[0x40, 0, 0, 4, 1, 2, 3, 4])), whatsapp);
        let teams = request(1, &[0x80, 0x70, 0, 4, 0, 0, 0, 3]);
        assert_eq!(outcome(&teams), Outcome::found(AppId::TEAMS_CALL));
    }

    #[test]
    fn a_socket_in_a_call_names_its_other_flows() {
        let mut flow = Flow::new(Transport::Udp, (5000, 3478));
        let refused = request(0x0113, b"\0\x14\0\x0asignal.org\0\0");
        let signal = Outcome::found(AppId::SIGNAL_CALL);
        assert_eq!(flow.ask(&DISSECTOR, ToClient, &refused), signal);
        assert_eq!(flow.ask(&DISSECTOR, ToServer, &request(1, &[])), signal);
    }

    #[test]
    fn a_services_own_server_names_the_call_and_is_read_on() {
        let mut flow = Flow::new(Transport::Udp, (5000, 1400));
        flow.server = std::net::Ipv4Addr::new(91, 108, 9, 35).to_ipv6_mapped().octets();
        let telegram = Outcome::found_more(AppId::TELEGRAM_CALL);
        assert_eq!(flow.ask(&DISSECTOR, ToServer, &request(1, &[])), telegram);
        let refused = request(0x0113, b"\0\x14\0\x0ctelegram.org");
        flow.ask(&DISSECTOR, ToClient, &refused);
        assert_eq!(flow.meta.get(&attr::STUN_REALM), Some(&b"telegram.org"[..]));
    }

    #[test]
    fn dtls_behind_it_gives_its_name() {
        let mut flow = Flow::new(Transport::Udp, (5000, 5001));
        let more = Outcome::found_more(AppId::STUN);
        assert_eq!(flow.ask(&DISSECTOR, ToServer, &request(1, &[])), more);
        let media = b"\x80\x60\0\x01\0\0\0\0\x12\x34\x56\x78\x55";
        assert_eq!(flow.ask_past_filter(&DISSECTOR, ToServer, media), more);
        let record = b"\x16\xfe\xfd\0\x01\0\0\0\0\0\x05\0\x04abcd";
        let dtls = Outcome::found_more(AppId::DTLS);
        assert_eq!(flow.ask_past_filter(&DISSECTOR, ToServer, record), dtls);
        assert_eq!(flow.ask(&DISSECTOR, ToServer, &request(1, &[])), dtls);
        assert_eq!(flow.ask(&DISSECTOR, ToServer, media), Outcome::NotMine);
    }

    #[test]
    fn without_the_cookie_everything_must_fit() {
        let mut old = request(1, &[0, 3, 0, 4, 0, 0, 0, 6]);
        old[4] = 0;
        check_prefixes(&DISSECTOR, ToServer, Transport::Udp, &old, (5000, 5001));
        old[21] = 0x77;
        check_never(&DISSECTOR, ToServer, Transport::Udp, &old, (5000, 5001));
        let empty = &old[..20];
        check_never(&DISSECTOR, ToServer, Transport::Udp, empty, (5000, 5001));
    }

    #[test]
    fn channels_on_their_ports_only() {
        let data = [0x40, 0x01, 0, 5, 1, 2, 3, 4, 5, 0, 0, 0];
        let outcome = |port| run(&DISSECTOR, ToServer, Transport::Udp, &data, (5000, port)).0;
        assert_eq!(outcome(3478), Outcome::found(AppId::STUN));
        assert_eq!(outcome(443), Outcome::NotMine);
    }
}
