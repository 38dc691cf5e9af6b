//! SIP over UDP and TCP (RFC 3261): method or status, the users, the agent. The media that a
//! body of SDP announces (RFC 8866 `c=` and `m=` lines) is made known, so that its flows are
//! RTP from the first packet.

use super::text::{self, Match};
use crate::app::AppId;
use crate::attr;
use crate::meta::VALUE_BYTES;
use crate::risk::Risk;
use crate::view::{Dissector, First, Notes, Outcome, Transport, View};

pub(super) const DISSECTOR: Dissector = Dissector {
    app: AppId::SIP,
    over: &[Transport::Tcp, Transport::Udp],
    ports: &[5060, 5061, 5080],
    ports_only: false,
    first: First::OneOf(b"SIAOBCRNMPU"),
    run,
};

/// RFC 3261 and the methods added since (IANA registry), each with its space.
const METHODS: &[&[u8]] = &[
    b"INVITE ",
    b"ACK ",
    b"OPTIONS ",
    b"BYE ",
    b"CANCEL ",
    b"REGISTER ",
    b"NOTIFY ",
    b"SUBSCRIBE ",
    b"MESSAGE ",
    b"INFO ",
    b"PRACK ",
    b"UPDATE ",
    b"REFER ",
    b"PUBLISH ",
];
const SCHEMES: &[&[u8]] = &[b"sip:", b"sips:", b"tel:"];
const VERSION: &[u8] = b"SIP/2.0";

fn run(view: &View<'_>, notes: &mut Notes<'_>) -> Outcome {
    let over_tcp = view.transport == Transport::Tcp;
    if over_tcp && view.data.len() > text::LINE_BYTES {
        // A later message of the stream: only its body is of interest.
        let tail = text::tail(view.data);
        if let Some(body) = memchr::memmem::rfind(tail, b"v=0\r\n") {
            announce_media(notes, tail.get(body..).unwrap_or_default());
        }
    }
    let waiting = if over_tcp && !view.last { Outcome::NeedMore } else { Outcome::NotMine };
    match text::keyword(view.data, VERSION) {
        Match::Yes(rest) => return response(view, notes, rest),
        Match::Partly => return waiting,
        Match::No => {}
    }
    let rest = match text::any_keyword(view.data, METHODS) {
        Match::Yes(rest) => rest,
        Match::Partly => return waiting,
        Match::No => return Outcome::NotMine,
    };
    match text::any_keyword(rest, SCHEMES) {
        Match::Yes(_) => {}
        Match::Partly => return waiting,
        Match::No => return Outcome::NotMine,
    }
    // A line that is cut is still certain: nothing else names a method and then this scheme.
    // (RTSP's DESCRIBE and OPTIONS name `rtsp:`.)
    let Some((line, headers)) = text::line(view.data) else {
        return if over_tcp && !view.last { text::open_line(view.data) } else { found() };
    };
    if !line.ends_with(VERSION) {
        return Outcome::NotMine;
    }
    notes.meta.put(&attr::SIP_METHOD, text::word(line).0);
    read_headers(notes, headers);
    found()
}

fn found() -> Outcome {
    Outcome::found_more(AppId::SIP)
}

fn response(view: &View<'_>, notes: &mut Notes<'_>, rest: &[u8]) -> Outcome {
    let [b' ', status @ ..] = rest else {
        return if rest.is_empty() { Outcome::NeedMore } else { Outcome::NotMine };
    };
    let Some((_, headers)) = text::line(view.data) else {
        return if view.last { found() } else { text::open_line(view.data) };
    };
    let Some((status @ 100..=699, _)) = text::number(status) else { return Outcome::NotMine };
    if matches!(status, 401 | 407) && notes.scratch.sip_authorised {
        notes.meta.set_risk(Risk::LoginRefused);
    }
    notes.meta.put_number(&attr::SIP_STATUS, u64::from(status));
    read_headers(notes, headers);
    // Calls follow registrations, and other calls, within the same flow.
    found()
}

/// One walk over the headers, and over the body behind them.
fn read_headers(notes: &mut Notes<'_>, headers: &[u8]) {
    let mut calls = false;
    for (line, rest) in text::lines_and_rest(headers) {
        let Some((letter, _)) = line.split_first() else {
            // RFC 3261 section 8.1.1.4: every message has one.
            if !calls {
                notes.meta.set_risk(Risk::Malformed);
            }
            announce_media(notes, rest);
            return;
        };
        // Few headers begin with one of these letters; the others are passed over at once.
        let attr = match letter.to_ascii_lowercase() {
            b'f' if is_header(line, b"From", b'f') => &attr::SIP_FROM,
            b't' if is_header(line, b"To", b't') => &attr::SIP_TO,
            b'u' if is_header(line, b"User-Agent", 0) => &attr::SIP_AGENT,
            b's' if is_header(line, b"Server", 0) => &attr::SIP_AGENT,
            b'c' | b'i' if is_header(line, b"Call-ID", b'i') => {
                calls = true;
                &attr::SIP_CALL_ID
            }
            b'a' | b'p' => {
                note_credentials(line, notes);
                continue;
            }
            _ => continue,
        };
        let colon = text::until(line, b':').map_or(0, <[u8]>::len);
        let value = line.get(colon + 1..).unwrap_or_default().trim_ascii();
        if !matches!(attr.id, id if id == attr::SIP_FROM.id || id == attr::SIP_TO.id) {
            notes.meta.put(attr, value);
            continue;
        }
        let mut kept = [0; VALUE_BYTES];
        notes.meta.put(attr, without_password(user_of(value), &mut kept));
    }
}

/// RFC 2617's Basic, which RFC 3261 section 22 took out, and that there were any.
fn note_credentials(line: &[u8], notes: &mut Notes<'_>) {
    let names = [&b"Authorization:"[..], b"Proxy-Authorization:"];
    if let Match::Yes(value) = text::any_keyword(line, &names) {
        notes.scratch.sip_authorised = true;
        if let Match::Yes(_) = text::keyword(value.trim_ascii_start(), b"Basic ") {
            notes.meta.set_risk(Risk::ClearTextCredentials);
        }
    }
}

fn is_header(line: &[u8], name: &[u8], short: u8) -> bool {
    let field = text::until(line, b':').unwrap_or_default().trim_ascii_end();
    field.eq_ignore_ascii_case(name) || (field.len() == 1 && field.first() == Some(&short))
}

/// The address inside `"Name" <sip:user@host;transport=tcp>;tag=1`.
fn user_of(value: &[u8]) -> &[u8] {
    let address = text::between(value, b'<', b'>').unwrap_or(value);
    let end = address.iter().position(|byte| matches!(byte, b';' | b'?' | b' '));
    let address = end.and_then(|end| address.get(..end)).unwrap_or(address);
    match text::any_keyword(address, SCHEMES) {
        Match::Yes(user) => user,
        _ => address,
    }
}

/// `user:password@host` (RFC 3261 section 19.1.1) without the password.
fn without_password<'a>(user: &'a [u8], kept: &'a mut [u8; VALUE_BYTES]) -> &'a [u8] {
    let at = user.iter().position(|byte| *byte == b'@').unwrap_or(0);
    let (name, host) = user.split_at_checked(at).unwrap_or_default();
    let Some(colon) = name.iter().position(|byte| *byte == b':') else { return user };
    let name = name.get(..colon).unwrap_or_default();
    let Some(kept) = kept.get_mut(..name.len() + host.len()) else { return &[] };
    let (before, after) = kept.split_at_mut(name.len());
    before.copy_from_slice(name);
    after.copy_from_slice(host);
    kept
}

/// `c=IN IP4 192.0.2.1`, `m=audio 49170 RTP/AVP 0`: a `c=` line holds for the `m=` line before it,
/// or, above the first, for all that have none. RTCP is on the next port (RFC 3550 section 11),
/// unless `a=rtcp:` names another (RFC 3605).
fn announce_media(notes: &mut Notes<'_>, body: &[u8]) {
    if !body.starts_with(b"v=0") {
        return;
    }
    let mut session = None;
    let mut media: Option<Media> = None;
    let mut above = true;
    for line in text::lines(body) {
        if let Some(connection) = line.strip_prefix(b"c=IN IP") {
            let address = address(connection);
            match &mut media {
                Some(media) => media.address = address.or(media.address),
                None if above => session = address,
                None => {}
            }
        } else if let Some(description) = line.strip_prefix(b"m=") {
            announce(notes, media.as_ref());
            media = Media::new(description, session);
            above = false;
        } else if let Some(rtcp) = line.strip_prefix(b"a=rtcp:")
            && let Some(media) = &mut media
            && let Some((port, _)) = text::number(rtcp)
        {
            media.reports = u16::try_from(port).unwrap_or(media.reports);
        }
    }
    announce(notes, media.as_ref());
}

/// One stream of media as described.
struct Media {
    address: Option<[u8; 16]>,
    port: u16,
    reports: u16,
}

impl Media {
    fn new(description: &[u8], address: Option<[u8; 16]>) -> Option<Media> {
        let (kind, rest) = text::word(description);
        let (port, rest) = text::number(rest)?;
        let port = u16::try_from(port).ok().filter(|port| *port != 0)?;
        let over_rtp = text::contains(rest, b"RTP/") && (kind == b"audio" || kind == b"video");
        over_rtp.then_some(Media { address, port, reports: port.saturating_add(1) })
    }
}

fn announce(notes: &mut Notes<'_>, media: Option<&Media>) {
    if let Some(&Media { address: Some(address), port, reports }) = media {
        notes.knowledge.expect_flow(address, port, AppId::RTP);
        if reports != port {
            notes.knowledge.expect_flow(address, reports, AppId::RTCP);
        }
    }
}

/// `4 192.0.2.1` or `6 2001:db8::1`, perhaps with `/ttl`.
fn address(text: &[u8]) -> Option<[u8; 16]> {
    let (family, rest) = text::word(text);
    let end = rest.iter().position(|byte| *byte == b'/').unwrap_or(rest.len());
    let rest = std::str::from_utf8(rest.get(..end)?.trim_ascii()).ok()?;
    let address = match family {
        b"4" => rest.parse::<std::net::Ipv4Addr>().ok()?.to_ipv6_mapped(),
        b"6" => rest.parse::<std::net::Ipv6Addr>().ok()?,
        _ => return None,
    };
    let is_set = !address.is_unspecified() && address.octets().get(12..) != Some(&[0; 4]);
    is_set.then(|| address.octets())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dissect::testing::{Flow, check_never, check_prefixes, run};
    use crate::view::Direction::{ToClient, ToServer};

    const INVITE: &[u8] = b"INVITE sip:bob@biloxi.example.com SIP/2.0\r\n\
        Via: SIP/2.0/TCP client.atlanta.example.com:5060;branch=z9hG4bK74bf9\r\n\
        f: Alice <sip:alice@atlanta.example.com>;tag=9fxced76sl\r\n\
        To: Bob <sip:bob:s3cr3t@biloxi.example.com>\r\n\
        Call-ID: 3848276298220188511@atlanta.example.com\r\n\
        User-Agent: Phone 1.0\r\n\r\n\
        v=0\r\nc=IN IP4 192.0.2.101\r\nm=audio 49172 RTP/AVP 0\r\n";

    #[test]
    fn a_request_names_both_users() {
        for transport in [Transport::Udp, Transport::Tcp] {
            let (outcome, meta) = run(&DISSECTOR, ToServer, transport, INVITE, (5060, 5060));
            assert_eq!(outcome, Outcome::found_more(AppId::SIP));
            assert_eq!(meta.get(&attr::SIP_METHOD), Some(&b"INVITE"[..]));
            assert_eq!(meta.get(&attr::SIP_FROM), Some(&b"alice@atlanta.example.com"[..]));
            assert_eq!(meta.get(&attr::SIP_TO), Some(&b"bob@biloxi.example.com"[..]));
            assert_eq!(
                meta.get(&attr::SIP_CALL_ID),
                Some(&b"3848276298220188511@atlanta.example.com"[..])
            );
            assert_eq!(meta.get(&attr::SIP_AGENT), Some(&b"Phone 1.0"[..]));
            check_prefixes(&DISSECTOR, ToServer, transport, INVITE, (5060, 5060));
        }
    }

    #[test]
    fn a_response_gives_the_status() {
        let ringing = b"SIP/2.0 180 Ringing\r\nTo: <sip:bob@biloxi.example.com>\r\n\r\n";
        let mut flow = Flow::new(Transport::Udp, (5060, 5060));
        let outcome = flow.ask(&DISSECTOR, ToClient, ringing);
        assert_eq!(outcome, Outcome::found_more(AppId::SIP));
        let ok = b"SIP/2.0 200 OK\r\n\r\n";
        assert_eq!(flow.ask(&DISSECTOR, ToClient, ok), Outcome::found_more(AppId::SIP));
    }

    #[test]
    fn media_is_announced() {
        use crate::crypto_pool::CryptoPool;
        let mut meta = crate::meta::Meta::default();
        let mut scratch = crate::scratch::Scratch::default();
        let mut knowledge = crate::knowledge::Knowledge::default();
        let mut crypto = CryptoPool::new(1);
        let mut notes = Notes {
            meta: &mut meta,
            scratch: &mut scratch,
            knowledge: &mut knowledge,
            crypto: &mut crypto,
        };
        let body = INVITE.windows(4).position(|window| window == b"v=0\r").unwrap();
        announce_media(&mut notes, &INVITE[body..]);
        assert_eq!(knowledge.announced(), 2);
        let end = |last, port| crate::view::Endpoint {
            address: std::net::Ipv4Addr::new(192, 0, 2, last).to_ipv6_mapped().octets(),
            port,
        };
        let of = |knowledge: &crate::knowledge::Knowledge, last, port| {
            knowledge.expected(end(9, 9), end(last, port))
        };
        assert_eq!(of(&knowledge, 101, 49_172), AppId::RTP);
        assert_eq!(of(&knowledge, 101, 49_173), AppId::RTCP);
        // Each stream may have its own address, and its own port for reports.
        let streams = b"v=0\r\nc=IN IP4 192.0.2.1\r\nm=audio 5000 RTP/AVP 0\r\na=rtcp:5007\r\n\
            m=application 9 UDP/BFCP *\r\nc=IN IP4 192.0.2.3\r\n\
            m=video 6000 RTP/AVP 96\r\nc=IN IP4 192.0.2.2\r\n";
        let mut notes = Notes {
            meta: &mut meta,
            scratch: &mut scratch,
            knowledge: &mut knowledge,
            crypto: &mut crypto,
        };
        announce_media(&mut notes, streams);
        assert_eq!(of(&knowledge, 1, 5007), AppId::RTCP);
        assert_eq!(of(&knowledge, 1, 5001), AppId::UNKNOWN);
        assert_eq!(of(&knowledge, 2, 6000), AppId::RTP);
        assert_eq!(of(&knowledge, 3, 9), AppId::UNKNOWN);
    }

    #[test]
    fn near_misses() {
        for near in [
            &b"OPTIONS rtsp://example.com/media RTSP/1.0\r\n"[..],
            b"OPTIONS * HTTP/1.1\r\n",
            b"SIP/2.0 999 x\r\n",
            b"MESSAGE sip:x HTTP/1.1\r\n",
            b"NOTIFY * HTTP/1.1\r\n",
        ] {
            check_never(&DISSECTOR, ToServer, Transport::Tcp, near, (5060, 5060));
        }
    }
}
