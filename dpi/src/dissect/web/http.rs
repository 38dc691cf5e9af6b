//! HTTP/1 (RFC 9112): requests and responses, and what is told apart by them: `WebDAV` (RFC 4918),
//! proxies (absolute form and CONNECT, RFC 9112 section 3.2), OCSP (RFC 6960 appendix A), DNS
//! queries over HTTP (RFC 8484) and the upgrade to `WebSocket` (RFC 6455 section 4).
//!
//! A request line is the proof. The name is given with it; fields that come in later segments are
//! added as their lines are complete.

use super::http_risk::{Answer, Request};
use super::{http_service, inside};
use crate::app::AppId;
use crate::attr;
use crate::dissect::credentials;
use crate::field::{Name, take_line};
use crate::meta::{Meta, VALUE_BYTES};
use crate::risk::{Risk, http as judge};
use crate::view::{Dissector, First, Notes, Outcome, Transport, View};

pub(super) const HTTP: Dissector = Dissector {
    app: AppId::HTTP,
    over: &[Transport::Tcp],
    ports: &[80, 8080, 8000, 8008, 8081, 8888, 3128, 5985, 631, 1900, 2869],
    ports_only: false,
    first: First::OneOf(b"GPHDOCTMLUSRBNAV"),
    run,
};

/// Header lines read of one message.
const LINES_MOST: usize = 64;
/// Interim responses (RFC 9110 section 15.2) passed over before the answer.
const INTERIM_MOST: usize = 4;
/// The longest method known has 16 letters.
const METHOD_MOST: usize = 17;
/// A request line without an end is believed from here on, if it cannot grow any more.
const TARGET_LEAST: usize = 16;

fn run(view: &View<'_>, notes: &mut Notes<'_>) -> Outcome {
    let track = notes.scratch.http;
    let begun = track.app != AppId::UNKNOWN;
    let answers = starts_like(view.data, b"HTTP/");
    if begun && view.data.starts_with(b"ICY 200 ") {
        return Outcome::found(AppId::ICECAST);
    }
    let known = if answers { track.response_done } else { track.request_done };
    if known && track.app == AppId::HTTP_CONNECT {
        return behind_connect(view, notes);
    }
    if known {
        // The body of what was read.
        return Outcome::found_more(track.app);
    }
    let outcome = if answers { response(view, notes) } else { request(view, notes) };
    match outcome {
        // What was HTTP stays it: bodies and pipelined leftovers say nothing.
        Outcome::NotMine if begun => Outcome::found(notes.scratch.http.app),
        Outcome::NeedMore if begun => Outcome::found_more(notes.scratch.http.app),
        other => other,
    }
}

/// Bytes in which the end of the header before a tunnel's bytes is looked for.
const CONNECT_MOST: usize = 2048;

/// The tunnel that a proxy opened (RFC 9110 section 9.3.6): TLS, as a rule.
fn behind_connect(view: &View<'_>, notes: &mut Notes<'_>) -> Outcome {
    let head = view.data.get(..CONNECT_MOST).unwrap_or(view.data);
    match head.windows(4).position(|end| end == b"\r\n\r\n") {
        Some(end) => inside::tls_inside(view, notes, end + 4, AppId::HTTP_CONNECT),
        None => Outcome::found(AppId::HTTP_CONNECT),
    }
}

/// Whether `data` begins with `word`, or is a beginning of it.
fn starts_like(data: &[u8], word: &[u8]) -> bool {
    let length = data.len().min(word.len());
    data.get(..length) == word.get(..length)
}

/// What a method says.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Method {
    /// One of RFC 9110, or of an extension without a name of its own.
    Plain,
    Connect,
    WebDav,
    /// Microsoft's tunnel.
    Sstp,
}

fn method(word: &[u8]) -> Option<Method> {
    Some(match word {
        b"GET" | b"POST" | b"HEAD" | b"PUT" | b"OPTIONS" | b"DELETE" | b"PATCH" | b"TRACE"
        | b"NOTIFY" | b"SUBSCRIBE" | b"UNSUBSCRIBE" | b"M-POST" | b"RPC_IN_DATA"
        | b"RPC_OUT_DATA" | b"BITS_POST" | b"CCM_POST" | b"LINK" | b"UNLINK" | b"PURGE" => {
            Method::Plain
        }
        b"CONNECT" => Method::Connect,
        b"PROPFIND" | b"PROPPATCH" | b"MKCOL" | b"COPY" | b"MOVE" | b"LOCK" | b"UNLOCK"
        | b"SEARCH" | b"REPORT" | b"ACL" | b"BIND" | b"UNBIND" | b"REBIND" | b"MERGE"
        | b"CHECKOUT" | b"CHECKIN" | b"UNCHECKOUT" | b"LABEL" | b"UPDATE" | b"MKACTIVITY"
        | b"MKCALENDAR" | b"MKWORKSPACE" | b"ORDERPATCH" | b"VERSION-CONTROL"
        | b"BASELINE-CONTROL" | b"BPROPFIND" | b"BPROPPATCH" | b"BMOVE" | b"BCOPY" | b"BDELETE" => {
            Method::WebDav
        }
        b"SSTP_DUPLEX_POST" => Method::Sstp,
        _ => return None,
    })
}

fn request(view: &View<'_>, notes: &mut Notes<'_>) -> Outcome {
    let data = view.data;
    let head = data.get(..METHOD_MOST).unwrap_or(data);
    let Some(space) = head.iter().position(|byte| *byte == b' ') else {
        let letters = head.iter().all(|byte| byte.is_ascii_uppercase() || b"-_".contains(byte));
        let may_grow = letters && data.len() < METHOD_MOST && is_method_beginning(head);
        return if may_grow { Outcome::NeedMore } else { Outcome::NotMine };
    };
    let (word, target) = data.split_at(space);
    let Some(method) = method(word) else { return Outcome::NotMine };
    let mut rest = target.get(1..).unwrap_or_default();
    let Some(line) = take_line(&mut rest) else {
        return unended(view, notes, method, rest);
    };
    let Some((target, version)) = split_version(line) else { return Outcome::NotMine };
    if !is_version(version) || target.is_empty() {
        return Outcome::NotMine;
    }
    if notes.meta.get(&attr::HTTP_PATH).is_none() && method != Method::Connect {
        notes.meta.set_risks(judge::judge_target(target));
    }
    notes.meta.put(&attr::HTTP_METHOD, word);
    let mut kept = [0; VALUE_BYTES];
    notes.meta.put(&attr::HTTP_PATH, credentials::without_secrets(target, &mut kept));
    let mut app = by_target(method, target, notes.meta);
    let mut service = http_service::by_target(target);
    let mut header = Request::default();
    let complete = read_fields(&mut rest, |line| {
        let (name, value) = header.line(line, notes);
        if name == Name::UserAgent {
            service = service.or_else(|| http_service::by_program(value));
        }
        note_request_field(name, value, &mut app, notes.meta);
    });
    let wanting = header.judge(complete, target, rest, notes.meta) && !view.last;
    if let Some(host) = authority(method, target) {
        // The host field, if there is one, was first.
        notes.meta.put(&attr::HOST_NAME, host);
    }
    notes.scratch.http.app = app;
    notes.scratch.hello.service = service.unwrap_or_default();
    if complete && version.ends_with(b"1.1") && header.lacks_host() {
        // RFC 9112 section 3.2.
        notes.meta.set_risk(Risk::Malformed);
    }
    notes.scratch.http.authorised = header.is_authorised();
    notes.scratch.http.request_done = complete && !wanting;
    // What is behind CONNECT is another protocol's.
    if notes.scratch.http.request_done && method != Method::Connect {
        notes.scratch.set_read(view.direction);
    }
    Outcome::found_more(app)
}

/// Whether letters without a space behind can still become a method.
fn is_method_beginning(letters: &[u8]) -> bool {
    const LONGEST: [&[u8]; 46] = [
        b"GET",
        b"POST",
        b"HEAD",
        b"PUT",
        b"OPTIONS",
        b"DELETE",
        b"PATCH",
        b"TRACE",
        b"NOTIFY",
        b"SUBSCRIBE",
        b"UNSUBSCRIBE",
        b"M-POST",
        b"RPC_IN_DATA",
        b"RPC_OUT_DATA",
        b"BITS_POST",
        b"CCM_POST",
        b"UNLINK",
        b"PURGE",
        b"CONNECT",
        b"PROPFIND",
        b"PROPPATCH",
        b"MKCOL",
        b"COPY",
        b"MOVE",
        b"UNLOCK",
        b"LOCK",
        b"SEARCH",
        b"REPORT",
        b"ACL",
        b"UNBIND",
        b"BIND",
        b"REBIND",
        b"MERGE",
        b"CHECKOUT",
        b"CHECKIN",
        b"UNCHECKOUT",
        b"LABEL",
        b"UPDATE",
        b"MKACTIVITY",
        b"MKCALENDAR",
        b"MKWORKSPACE",
        b"ORDERPATCH",
        b"VERSION-CONTROL",
        b"BASELINE-CONTROL",
        b"LINK",
        b"SSTP_DUPLEX_POST",
    ];
    LONGEST.iter().any(|method| method.starts_with(letters))
}

/// A request line whose end is not there: it can still come, or it was cut off for good and the
/// method and the slash have to do.
fn unended(view: &View<'_>, notes: &mut Notes<'_>, method: Method, target: &[u8]) -> Outcome {
    let target = target.strip_suffix(b"\r").unwrap_or(target);
    let absolute = target.starts_with(b"http://");
    let plausible = match method {
        Method::Connect => target.first().is_none_or(u8::is_ascii_alphanumeric),
        _ => starts_like(target, b"/") || starts_like(target, b"http") || starts_like(target, b"*"),
    };
    if !plausible || target.iter().any(u8::is_ascii_control) {
        return Outcome::NotMine;
    }
    if !view.last {
        return Outcome::NeedMore;
    }
    if method != Method::Plain || target.len() < TARGET_LEAST {
        return Outcome::GiveUp;
    }
    let app = if absolute { AppId::HTTP_PROXY } else { AppId::HTTP };
    notes.scratch.http.app = app;
    Outcome::found_more(app)
}

/// The target and the version behind its last space.
fn split_version(line: &[u8]) -> Option<(&[u8], &[u8])> {
    let version_at = line.len().checked_sub(9)?;
    let (target, version) = line.split_at_checked(version_at)?;
    Some((target, version.strip_prefix(b" ")?))
}

fn is_version(version: &[u8]) -> bool {
    matches!(version, [b'H', b'T', b'T', b'P', b'/', b'0'..=b'1', b'.', b'0'..=b'9'])
}

fn by_target(method: Method, target: &[u8], meta: &mut Meta) -> AppId {
    match method {
        Method::Connect => {
            // There is a host field too, as a rule; the target is what is connected to.
            meta.put(&attr::HOST_NAME, target);
            AppId::HTTP_CONNECT
        }
        Method::WebDav => AppId::WEBDAV,
        Method::Sstp => AppId::SSTP,
        Method::Plain if target.starts_with(b"http://") => AppId::HTTP_PROXY,
        Method::Plain => by_path(target),
    }
}

/// Playlists of adaptive streams have extensions of their own (RFC 8216 section 4, ISO/IEC
/// 23009-1 annex C).
fn by_path(target: &[u8]) -> AppId {
    let path = target.split(|byte| *byte == b'?').next().unwrap_or_default();
    if path.ends_with(b".m3u8") {
        AppId::HLS
    } else if path.ends_with(b".mpd") {
        AppId::MPEG_DASH
    } else {
        AppId::HTTP
    }
}

/// The host named in a target.
fn authority(method: Method, target: &[u8]) -> Option<&[u8]> {
    if method == Method::Connect {
        return Some(target);
    }
    target.starts_with(b"http://").then(|| credentials::host_of(target))
}

fn note_request_field(name: Name, value: &[u8], app: &mut AppId, meta: &mut Meta) {
    match name {
        Name::Host => {
            meta.put(&attr::HTTP_HOST, value);
            meta.put(&attr::HOST_NAME, value);
        }
        Name::Upgrade if *app == AppId::HTTP && is_websocket(value) => *app = AppId::WEBSOCKET,
        Name::Referer => meta.put(&attr::HTTP_REFERER, credentials::host_of(value)),
        Name::Authorization | Name::ProxyAuthorization => credentials::authorization(value, meta),
        Name::UserAgent => meta.put(&attr::HTTP_USER_AGENT, value),
        Name::ContentType => {
            meta.put(&attr::HTTP_REQUEST_TYPE, value);
            *app = by_type(value, *app);
        }
        _ => {}
    }
}

fn is_websocket(upgrade: &[u8]) -> bool {
    upgrade.eq_ignore_ascii_case(b"websocket")
}

/// What the type of a body says.
fn by_type(value: &[u8], app: AppId) -> AppId {
    const KINDS: &[(&[u8], AppId)] = &[
        (b"application/ocsp-request", AppId::OCSP),
        (b"application/ocsp-response", AppId::OCSP),
        (b"application/dns-message", AppId::DOH),
        // RFC 8010 section 4.
        (b"application/ipp", AppId::IPP),
        (b"application/vnd.apple.mpegurl", AppId::HLS),
        (b"application/x-mpegurl", AppId::HLS),
        (b"application/dash+xml", AppId::MPEG_DASH),
        (b"application/pairing+tlv8", AppId::HOMEKIT),
        (b"application/hap+json", AppId::HOMEKIT),
    ];
    if app != AppId::HTTP {
        return app;
    }
    let end = value.iter().position(|byte| *byte == b';').unwrap_or(value.len());
    let kind = value.get(..end).unwrap_or_default().trim_ascii();
    let found = KINDS.iter().find(|(name, _)| name.eq_ignore_ascii_case(kind));
    found.map_or(app, |(_, app)| *app)
}

fn response(view: &View<'_>, notes: &mut Notes<'_>) -> Outcome {
    let asked = notes.scratch.http.app;
    let mut rest = view.data;
    for interims in 0..INTERIM_MOST {
        let Some(code) = take_line(&mut rest).map(status) else {
            return match interims {
                0 => unended_response(view, asked, rest),
                _ => Outcome::found_more(notes.scratch.http.app),
            };
        };
        let Some(code) = code else { return Outcome::NotMine };
        let mut app = match asked {
            AppId::UNKNOWN => AppId::HTTP,
            // Asked for and not granted.
            AppId::WEBSOCKET if code != 101 => AppId::HTTP,
            app => app,
        };
        let mut header = Answer::default();
        let complete = read_fields(&mut rest, |line| {
            let (name, value) = header.line(line, notes.meta);
            note_response_field(name, value, code, &mut app, notes.meta);
        });
        notes.scratch.http.app = app;
        let interim = (100..200).contains(&code) && code != 101;
        if interim && complete {
            // The answer proper follows.
            continue;
        }
        if !interim {
            notes.meta.put_number(&attr::HTTP_STATUS, u64::from(code));
        }
        let authorised = notes.scratch.http.authorised;
        let wanting = complete && header.judge(code, authorised, rest, notes.meta);
        notes.scratch.http.response_done = (complete && !wanting) || view.last;
        if app == AppId::HTTP_CONNECT && (200..300).contains(&code) && complete {
            return behind_connect(view, notes);
        }
        if notes.scratch.http.response_done {
            notes.scratch.set_read(view.direction);
        }
        // A capture that begins with the answer may hold the next request.
        let over = notes.scratch.http.response_done && notes.scratch.http.request_done;
        return if over { Outcome::found(app) } else { Outcome::found_more(app) };
    }
    Outcome::found(notes.scratch.http.app)
}

/// A status line whose end is not there.
fn unended_response(view: &View<'_>, asked: AppId, line: &[u8]) -> Outcome {
    match line.first_chunk::<13>().map(|head| status(head)) {
        Some(None) => Outcome::NotMine,
        Some(Some(_)) if asked == AppId::UNKNOWN => Outcome::found_more(AppId::HTTP),
        Some(Some(_)) => Outcome::found_more(asked),
        None if view.last => Outcome::GiveUp,
        None => Outcome::NeedMore,
    }
}

/// Hands the lines of a header on; says whether its end was reached.
fn read_fields<'a>(rest: &mut &'a [u8], mut each: impl FnMut(&'a [u8])) -> bool {
    for _ in 0..LINES_MOST {
        match take_line(rest) {
            None => return false,
            Some([]) => return true,
            Some(line) => each(line),
        }
    }
    true
}

/// The status of `HTTP/1.1 200 OK`.
fn status(line: &[u8]) -> Option<u16> {
    let (version, rest) = line.split_at_checked(8)?;
    let &[b' ', hundreds @ b'1'..=b'9', tens, ones, ..] = rest else { return None };
    let ends = rest.get(4).is_none_or(|byte| matches!(byte, b' ' | b'\r'));
    if !is_version(version) || !tens.is_ascii_digit() || !ones.is_ascii_digit() || !ends {
        return None;
    }
    let digit = |byte: u8| u16::from(byte - b'0');
    Some(digit(hundreds) * 100 + digit(tens) * 10 + digit(ones))
}

fn note_response_field(name: Name, value: &[u8], code: u16, app: &mut AppId, meta: &mut Meta) {
    match name {
        Name::Server => meta.put(&attr::HTTP_SERVER, value),
        Name::Upgrade if code == 101 && is_websocket(value) => *app = AppId::WEBSOCKET,
        Name::Icy => *app = AppId::ICECAST,
        Name::ContentType => {
            meta.put(&attr::HTTP_CONTENT_TYPE, value);
            *app = by_type(value, *app);
        }
        Name::ContentLength => {
            let length = std::str::from_utf8(value).ok().and_then(|text| text.parse().ok());
            if let Some(length) = length {
                meta.put_number(&attr::HTTP_LENGTH, length);
            }
        }
        Name::ContentDisposition => {
            let name = credentials::parameter(value, b"filename");
            let name = name.or_else(|| credentials::parameter(value, b"filename*"));
            meta.put(&attr::HTTP_FILE_NAME, name.unwrap_or_default());
        }
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dissect::testing::{Flow, check_never, check_prefixes, run};
    use crate::view::Direction::{ToClient, ToServer};
    use proptest::prelude::*;

    const PORTS: (u16, u16) = (50_000, 80);
    const GET: &[u8] =
        b"GET /a?b=c HTTP/1.1\r\nHost: www.Example.com:8080\r\nUser-Agent: test/1\r\n\
        Cookie: x: y\r\nReferer: https://u:p@r.example/q?s=t\r\n\
        Authorization: Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ==\r\n\r\n";
    const OK: &[u8] = b"HTTP/1.1 200 OK\r\nServer: unit\r\nContent-Type: text/html; charset=x\r\n\
        Content-Length: 123\r\nContent-Disposition: attachment; filename=\"a.html\"\r\n\r\n<";

    fn asked(bytes: &[u8]) -> Outcome {
        run(&HTTP, ToServer, Transport::Tcp, bytes, PORTS).0
    }

    #[test]
    fn streams_and_homes_by_path_type_and_fields() {
        let by_path = |path: &str| asked(format!("GET {path} HTTP/1.1\r\n\r\n").as_bytes());
        assert_eq!(by_path("/live.m3u8?a=1"), Outcome::found_more(AppId::HLS));
        assert_eq!(by_path("/live.mpd"), Outcome::found_more(AppId::MPEG_DASH));
        assert_eq!(by_path("/live?x=.mpd"), Outcome::found_more(AppId::HTTP));
        let pair = b"POST /pair-setup HTTP/1.1\r\nContent-Type: application/pairing+tlv8\r\n\r\n";
        assert_eq!(asked(pair), Outcome::found_more(AppId::HOMEKIT));
        for (answer, app) in [
            (&b"HTTP/1.0 200 OK\r\nicy-name: Radio\r\n\r\n"[..], AppId::ICECAST),
            (b"ICY 200 OK\r\nicy-br:128\r\n\r\n", AppId::ICECAST),
            (
                b"HTTP/1.1 200 OK\r\nContent-Type: application/x-mpegURL\r\n\r\n#EXTM3U\n#EXT-X",
                AppId::HLS,
            ),
        ] {
            let mut flow = Flow::new(Transport::Tcp, PORTS);
            assert_eq!(flow.ask(&HTTP, ToServer, GET), Outcome::found_more(AppId::HTTP));
            assert_eq!(flow.ask_past_filter(&HTTP, ToClient, answer), Outcome::found(app));
        }
    }

    #[test]
    fn a_request_and_its_response() {
        let mut flow = Flow::new(Transport::Tcp, PORTS);
        assert_eq!(flow.ask(&HTTP, ToServer, GET), Outcome::found_more(AppId::HTTP));
        assert_eq!(flow.ask(&HTTP, ToClient, OK), Outcome::found(AppId::HTTP));
        for (attr, value) in [
            (&attr::HTTP_METHOD, &b"GET"[..]),
            (&attr::HTTP_PATH, b"/a?b=c"),
            (&attr::HTTP_HOST, b"www.Example.com:8080"),
            (&attr::HOST_NAME, b"www.Example.com:8080"),
            (&attr::HTTP_USER_AGENT, b"test/1"),
            (&attr::HTTP_SERVER, b"unit"),
            (&attr::HTTP_CONTENT_TYPE, b"text/html; charset=x"),
            (&attr::HTTP_STATUS, &200_u64.to_le_bytes()),
            (&attr::HTTP_REFERER, b"r.example"),
            (&attr::HTTP_AUTH, b"Basic"),
            (&attr::HTTP_USER, b"Aladdin"),
            (&attr::HTTP_LENGTH, &123_u64.to_le_bytes()),
            (&attr::HTTP_FILE_NAME, b"a.html"),
        ] {
            assert_eq!(flow.meta.get(attr), Some(value));
        }
        check_prefixes(&HTTP, ToServer, Transport::Tcp, GET, PORTS);
        check_prefixes(&HTTP, ToClient, Transport::Tcp, OK, PORTS);
    }

    /// However the request is cut, what is known at its end is the same.
    #[test]
    fn a_request_over_segments() {
        let whole = run(&HTTP, ToServer, Transport::Tcp, GET, PORTS).1;
        for cut in 1..GET.len() {
            let mut flow = Flow::new(Transport::Tcp, PORTS);
            flow.ask(&HTTP, ToServer, &GET[..cut]);
            assert_eq!(flow.ask(&HTTP, ToServer, GET), Outcome::found_more(AppId::HTTP));
            assert_eq!(flow.meta.as_bytes(), whole.as_bytes(), "cut at {cut}");
        }
    }

    #[test]
    fn the_response_first_and_then_the_next_request() {
        let mut flow = Flow::new(Transport::Tcp, PORTS);
        assert_eq!(flow.ask(&HTTP, ToClient, OK), Outcome::found_more(AppId::HTTP));
        assert_eq!(flow.ask(&HTTP, ToServer, GET), Outcome::found_more(AppId::HTTP));
        assert_eq!(flow.meta.get(&attr::HTTP_METHOD), Some(&b"GET"[..]));
        // A body that goes on is not read again.
        let longer = [OK, &[b'x'; 3000]].concat();
        assert_eq!(flow.ask(&HTTP, ToClient, &longer), Outcome::found_more(AppId::HTTP));
    }

    #[test]
    fn interim_responses_are_passed_over() {
        let mut flow = Flow::new(Transport::Tcp, PORTS);
        flow.ask(&HTTP, ToServer, GET);
        let interim = b"HTTP/1.1 100 Continue\r\n\r\n";
        assert_eq!(flow.ask(&HTTP, ToClient, interim), Outcome::found_more(AppId::HTTP));
        let both = [interim, OK].concat();
        assert_eq!(flow.ask(&HTTP, ToClient, &both), Outcome::found(AppId::HTTP));
        assert_eq!(flow.meta.get(&attr::HTTP_STATUS), Some(&200_u64.to_le_bytes()[..]));
        // An interim response proves as much as another.
        check_prefixes(&HTTP, ToClient, Transport::Tcp, &both, PORTS);
    }

    #[test]
    fn what_rides_on_http_is_named() {
        for (bytes, app) in [
            (&b"CONNECT example.org:443 HTTP/1.1\r\nHost: a\r\n\r\n"[..], AppId::HTTP_CONNECT),
            (b"GET http://example.org/x HTTP/1.0\r\n\r\n", AppId::HTTP_PROXY),
            (b"PROPFIND /dav HTTP/1.1\r\n\r\n", AppId::WEBDAV),
            (b"POST / HTTP/1.1\r\ncontent-type: application/ocsp-request\r\n\r\n", AppId::OCSP),
            (b"POST /dns HTTP/1.1\r\nContent-Type: application/dns-message\r\n\r\n", AppId::DOH),
            (b"GET /chat HTTP/1.1\r\nUpgrade: websocket\r\n\r\n", AppId::WEBSOCKET),
            (b"SSTP_DUPLEX_POST /sra HTTP/1.1\r\n\r\n", AppId::SSTP),
        ] {
            let (outcome, meta) = run(&HTTP, ToServer, Transport::Tcp, bytes, PORTS);
            assert_eq!(outcome, Outcome::found_more(app));
            if matches!(app, AppId::HTTP_CONNECT | AppId::HTTP_PROXY) {
                assert!(meta.get(&attr::HOST_NAME).unwrap().starts_with(b"example.org"));
            }
        }
        let mut flow = Flow::new(Transport::Tcp, PORTS);
        flow.ask(&HTTP, ToServer, b"GET /chat HTTP/1.1\r\nUpgrade: websocket\r\n\r\n");
        assert_eq!(flow.ask(&HTTP, ToClient, OK), Outcome::found(AppId::HTTP));
    }

    #[test]
    fn its_relatives_are_not_it() {
        for bytes in [
            &b"OPTIONS * RTSP/1.0\r\nCSeq: 1\r\n\r\n"[..],
            b"REGISTER sip:example.org SIP/2.0\r\n\r\n",
            b"NOTIFY sip:a@example.org SIP/2.0\r\n\r\n",
            b"GET key\r\n",
            b"GETS key HTTP/1.1\r\n",
            b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
            b"HTTP/1.1 2x0 OK\r\n\r\n",
            b"HTTP/2 200\r\n\r\n",
            b"HELO example.org\r\n",
            b"POST \x01\x02",
        ] {
            check_never(&HTTP, ToServer, Transport::Tcp, bytes, PORTS);
        }
        assert_eq!(asked(b"GETS key HTTP/1.1\r\n"), Outcome::NotMine);
    }

    proptest! {
        #[test]
        fn any_bytes_behind_a_beginning_are_survived(
            head in prop::sample::select(vec![&b"GET / HTTP/1.1\r\n"[..], b"HTTP/1.1 200 OK\r\n", b"CONNECT ", b""]),
            tail in prop::collection::vec(prop_oneof![any::<u8>(), Just(b':'), Just(b'\n')], 1..300),
        ) {
            let bytes = [head, &tail].concat();
            let _ = asked(&bytes);
            let _ = run(&HTTP, ToClient, Transport::Tcp, &bytes, PORTS);
        }
    }
}
