//! RTSP (RFC 7826, RFC 2326), `AirPlay`, which speaks it with paths and headers of its own, and RTMP (Adobe's published specification 1.0, section 5.2).

use super::text::{self, Match};
use crate::app::AppId;
use crate::attr;
use crate::dissect::credentials;
use crate::meta::VALUE_BYTES;
use crate::risk::Risk;
use crate::view::{Dissector, First, Notes, Outcome, Transport, View};

pub(super) const RTSP: Dissector = Dissector {
    app: AppId::RTSP,
    over: &[Transport::Tcp],
    ports: &[554, 8554],
    ports_only: false,
    first: First::OneOf(b"RODSPTGA"),
    run: rtsp,
};

pub(super) const RTMP: Dissector = Dissector {
    app: AppId::RTMP,
    over: &[Transport::Tcp],
    ports: &[1935],
    ports_only: false,
    first: First::OneOf(&[3]),
    run: rtmp,
};

/// Version and the first message of the handshake.
const HANDSHAKE_BYTES: usize = 1 + 1536;

fn rtsp(view: &View<'_>, notes: &mut Notes<'_>) -> Outcome {
    const METHODS: &[&[u8]] = &[
        b"OPTIONS rtsp",
        b"DESCRIBE rtsp",
        b"SETUP rtsp",
        b"PLAY rtsp",
        b"PAUSE rtsp",
        b"TEARDOWN rtsp",
        b"GET_PARAMETER rtsp",
        b"SET_PARAMETER rtsp",
        b"ANNOUNCE rtsp",
        b"RECORD rtsp",
        b"REDIRECT rtsp",
        b"OPTIONS * RTSP/",
        // AirPlay's requests, to paths.
        b"GET /",
        b"POST /",
    ];
    match text::any_keyword(view.data, &[b"RTSP/1.0 ", b"RTSP/2.0 "]) {
        Match::Yes(rest) => {
            let Some((_, headers)) = text::line(view.data) else {
                return text::open_line(view.data);
            };
            let Some((status @ 100..=699, _)) = text::number(rest) else { return Outcome::NotMine };
            if status == 401 && notes.meta.risks().has(Risk::ClearTextCredentials) {
                notes.meta.set_risk(Risk::LoginRefused);
            }
            notes.meta.put_number(&attr::RTSP_STATUS, u64::from(status));
            let agent = text::header(headers, b"Server", None).unwrap_or_default();
            notes.meta.put(&attr::RTSP_AGENT, agent);
            announce_media(view, notes);
            return Outcome::found_more(AppId::RTSP);
        }
        Match::Partly => return Outcome::NeedMore,
        Match::No => {}
    }
    match text::any_keyword(view.data, METHODS) {
        Match::Yes(_) => {}
        Match::Partly => return Outcome::NeedMore,
        Match::No => return Outcome::NotMine,
    }
    let Some((line, headers)) = text::line(view.data) else { return text::open_line(view.data) };
    let (method, rest) = text::word(line);
    let (url, version) = text::word(rest);
    if !version.starts_with(b"RTSP/") {
        return Outcome::NotMine;
    }
    let credentials = text::header(headers, b"Authorization", None).unwrap_or_default();
    if let Match::Yes(_) = text::keyword(credentials, b"Basic ") {
        notes.meta.set_risk(Risk::ClearTextCredentials);
    }
    notes.meta.put(&attr::RTSP_METHOD, method);
    let mut kept = [0; VALUE_BYTES];
    notes.meta.put(&attr::RTSP_URL, credentials::without_secrets(url, &mut kept));
    let agent = text::header(headers, b"User-Agent", None).unwrap_or_default();
    notes.meta.put(&attr::RTSP_AGENT, agent);
    if url.starts_with(b"/") || is_airplay(agent, headers) {
        return Outcome::found(AppId::AIRPLAY);
    }
    announce_media(view, notes);
    Outcome::found_more(AppId::RTSP)
}

/// `Transport: RTP/AVP;unicast;client_port=4588-4589;server_port=6256-6257` (RFC 2326 section
/// 12.39), or `dest_addr=":4588"/":4589"` (RFC 7826 section 18.54): RTP, and its reports. What is
/// said last is looked at, since the stream is given from its beginning each time. The addresses
/// are the connection's own, as for FTP.
fn announce_media(view: &View<'_>, notes: &mut Notes<'_>) {
    let tail = text::tail(view.data);
    // Lines of any number and length, the last with or without an end.
    for at in std::iter::once(0).chain(memchr::memchr_iter(b'\n', tail).map(|end| end + 1)) {
        let line = tail.get(at..).unwrap_or_default();
        // Most lines end here, at one byte.
        if !matches!(line.first(), Some(b'T' | b't')) {
            continue;
        }
        let Match::Yes(transport) = text::keyword(line, b"Transport:") else { continue };
        let transport = transport.split(|byte| *byte == b'\n').next().unwrap_or_default();
        for field in transport.split(|byte| *byte == b';') {
            let field = field.trim_ascii();
            let (end, ports) = match text::any_keyword(field, &[b"client_port=", b"dest_addr=\":"])
            {
                Match::Yes(ports) => (view.client, ports),
                _ => match text::any_keyword(field, &[b"server_port=", b"src_addr=\":"]) {
                    Match::Yes(ports) => (view.server, ports),
                    _ => continue,
                },
            };
            let Some((first, rest)) = text::number(ports) else { continue };
            let digits = rest.iter().position(u8::is_ascii_digit).unwrap_or(rest.len());
            let second = rest.get(digits..).and_then(text::number).map(|(port, _)| port);
            for (port, app) in [(Some(first), AppId::RTP), (second, AppId::RTCP)] {
                if let Some(port @ 1..) = port.and_then(|port| u16::try_from(port).ok()) {
                    notes.knowledge.expect_flow(end.address, port, app);
                }
            }
        }
    }
}

/// Apple's players say who they are, or challenge the speaker.
fn is_airplay(agent: &[u8], headers: &[u8]) -> bool {
    let named = [&b"AirPlay/"[..], b"iTunes/", b"AirMusic/"].iter().any(|n| agent.starts_with(n));
    named
        || text::header(headers, b"Apple-Challenge", None).is_some()
        || text::header(headers, b"DACP-ID", None).is_some()
}

/// Version 3, a time, then zeros (or the player's version, which only its port or the exact length
/// of the first flight makes certain), and 1528 bytes of filler.
fn rtmp(view: &View<'_>, _notes: &mut Notes<'_>) -> Outcome {
    let Some(version) = view.data.get(5..9) else { return Outcome::NeedMore };
    let certain =
        version == [0; 4] || (view.port_is(1935) && version.first().is_some_and(|v| *v < 32));
    let player = matches!(version, [9..=32, 0..=9, ..]) && view.from_client();
    if !certain && !player {
        return Outcome::NotMine;
    }
    match view.data.len() {
        0..HANDSHAKE_BYTES if view.last => Outcome::GiveUp,
        0..HANDSHAKE_BYTES => Outcome::NeedMore,
        HANDSHAKE_BYTES => Outcome::found(AppId::RTMP),
        _ if certain => Outcome::found(AppId::RTMP),
        _ => Outcome::NotMine,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dissect::testing::{CLIENT, Flow, SERVER, check_never, check_prefixes, run};
    use crate::view::Direction::{ToClient, ToServer};
    use crate::view::Endpoint;

    const TCP: Transport = Transport::Tcp;

    #[test]
    fn rtsp_request_and_response() {
        let request =
            b"OPTIONS rtsp://10.2.2.2:8554/ RTSP/1.0\r\nCSeq: 2\r\nUser-Agent: VLC\r\n\r\n";
        let response = b"RTSP/1.0 200 OK\r\nServer: VLC/3.0.12\r\n\r\n";
        let mut flow = Flow::new(TCP, (1, 8554));
        assert_eq!(flow.ask(&RTSP, ToServer, request), Outcome::found_more(AppId::RTSP));
        assert_eq!(flow.ask(&RTSP, ToClient, response), Outcome::found_more(AppId::RTSP));
        assert_eq!(flow.meta.get(&attr::RTSP_AGENT), Some(&b"VLC"[..]));
        check_prefixes(&RTSP, ToServer, TCP, request, (1, 2));
        check_prefixes(&RTSP, ToClient, TCP, response, (1, 2));
        for near in [&b"OPTIONS * HTTP/1.1\r\n"[..], b"OPTIONS sip:x SIP/2.0\r\n"] {
            check_never(&RTSP, ToServer, TCP, near, (1, 2));
        }
    }

    #[test]
    fn rtsp_announces_its_media() {
        let mut flow = Flow::new(TCP, (40_000, 554));
        let setup = b"SETUP rtsp://192.0.2.2/a RTSP/1.0\r\nCSeq: 3\r\n\
            Transport: RTP/AVP;unicast;client_port=4588-4589\r\n\r\n";
        flow.ask(&RTSP, ToServer, setup);
        let answer = b"RTSP/1.0 200 OK\r\nCSeq: 3\r\n\
            Transport: RTP/AVP;unicast;client_port=4588-4589;server_port=6256-6257\r\n\r\n";
        flow.ask(&RTSP, ToClient, answer);
        let end = |address, port| Endpoint { address, port };
        let media =
            |client, server| flow.knowledge.expected(end(CLIENT, client), end(SERVER, server));
        assert_eq!(media(4588, 9), AppId::RTP);
        assert_eq!(media(4589, 9), AppId::RTCP);
        assert_eq!(media(9, 6256), AppId::RTP);
        assert_eq!(media(9, 6257), AppId::RTCP);
        assert_eq!(media(9, 9), AppId::UNKNOWN);
    }

    #[test]
    fn airplay_by_its_paths_and_headers() {
        let path = b"GET /info RTSP/1.0\r\nCSeq: 0\r\nUser-Agent: AirPlay/409.16\r\n\r\n";
        check_prefixes(&RTSP, ToServer, TCP, path, (1, 7000));
        let speaker = b"OPTIONS * RTSP/1.0\r\nCSeq: 0\r\nDACP-ID: 1234567890ABCDEF\r\n\r\n";
        for request in [&path[..], speaker] {
            let outcome = run(&RTSP, ToServer, TCP, request, (1, 7000)).0;
            assert_eq!(outcome, Outcome::found(AppId::AIRPLAY));
        }
        check_never(&RTSP, ToServer, TCP, b"GET /info HTTP/1.1\r\n\r\n", (1, 7000));
    }

    #[test]
    fn rtmp_takes_the_whole_handshake() {
        let mut hello = vec![3, 0, 7, 0xaa, 0x57, 0, 0, 0, 0];
        hello.resize(HANDSHAKE_BYTES, 0x42);
        check_prefixes(&RTMP, ToServer, TCP, &hello, (1, 2));
        hello[5] = 9;
        assert_eq!(run(&RTMP, ToServer, TCP, &hello, (1, 1935)).0, Outcome::found(AppId::RTMP));
        assert_eq!(run(&RTMP, ToServer, TCP, &hello, (1, 2)).0, Outcome::found(AppId::RTMP));
        hello[5] = 200;
        check_never(&RTMP, ToServer, TCP, &hello, (1, 2));
    }
}
