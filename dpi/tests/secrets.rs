//! Secrets are never kept: credentials over every protocol that has them, each followed by the
//! assertion that the flow has its name, its user where there is one, and not the secret.

use weir_dpi::attr::{self, Attr};
use weir_dpi::{
    Direction, Endpoint, Inspector, Limits, Segment, Slot, Step, TcpSegment, Verdict, app, meta,
};

const SECRET: &[u8] = b"S3cr3tPassphrase";
/// The same in base 64, alone, behind `ann:` and between zeros behind `ann`.
const ENCODED: [&[u8]; 3] =
    [b"UzNjcjN0UGFzc3BocmFzZQ", b"YW5uOlMzY3IzdFBhc3NwaHJhc2U", b"AGFubgBTM2NyM3RQYXNzcGhyYXNl"];

const CLIENT: u8 = 1;
const SERVER: u8 = 2;

/// What both sides say, in their order: who, and what.
type Talk<'a> = &'a [(Direction, Vec<u8>)];

fn end(last: u8, port: u16) -> Endpoint {
    let mut address = [0; 16];
    address[10..].copy_from_slice(&[0xff, 0xff, 192, 0, 2, last]);
    Endpoint { address, port }
}

/// The flow's name and what was found in it.
fn inspect(protocol: u8, port: u16, talk: Talk<'_>) -> (Verdict, Vec<u8>) {
    let mut inspector =
        Inspector::new(&Limits { flows: 4, stream_buffers: 8, ..Limits::default() });
    let (client, server) = (end(CLIENT, 40_000), end(SERVER, port));
    let (mut slot, mut sent) = (Slot::NONE, [1000_u32, 2000]);
    for (direction, payload) in talk {
        let seq = &mut sent[*direction as usize];
        let tcp = TcpSegment { seq: *seq, syn_seen: true, fin: false, rst: false };
        let segment = Segment {
            payload,
            direction: *direction,
            client,
            server,
            protocol,
            tcp: (protocol == 6).then_some(tcp),
            now_ns: 1_704_067_200_000_000_000,
            payload_missing: false,
        };
        *seq += u32::try_from(payload.len()).unwrap_or_default();
        if let Step::Ended(verdict) = inspector.inspect(&mut slot, &segment) {
            return (verdict, inspector.meta(slot).to_vec());
        }
    }
    let verdict = inspector.end(&mut slot, protocol, client, server);
    (verdict, inspector.meta(slot).to_vec())
}

fn holds(meta: &[u8], needle: &[u8]) -> bool {
    meta.windows(needle.len()).any(|window| window.eq_ignore_ascii_case(needle))
}

fn check(name: &str, protocol: u8, port: u16, user: Option<(&Attr, &str)>, talk: Talk<'_>) {
    let (verdict, found) = inspect(protocol, port, talk);
    assert_eq!(app::describe(verdict.app).name, name);
    for secret in [SECRET].into_iter().chain(ENCODED) {
        assert!(!holds(&found, secret), "{name} keeps {}", String::from_utf8_lossy(secret));
        // Not even half of it.
        assert!(!holds(&found, &secret[secret.len() / 2..]), "{name} keeps a part");
    }
    let wide: Vec<u8> = SECRET.iter().flat_map(|byte| [*byte, 0]).collect();
    assert!(!holds(&found, &wide), "{name} keeps it in two bytes a letter");
    if let Some((attr, user)) = user {
        let value = meta::decode(&found).find(|(id, _)| *id == attr.id).map(|(_, value)| value);
        assert_eq!(value, Some(user.as_bytes()), "{name}'s user");
    }
}

/// Lines that begin with `<` are the server's, all others the client's.
fn lines(talk: &[&str]) -> Vec<(Direction, Vec<u8>)> {
    talk.iter()
        .map(|line| match line.strip_prefix('<') {
            Some(line) => (Direction::ToClient, [line.as_bytes(), b"\r\n"].concat()),
            None => (Direction::ToServer, [line.as_bytes(), b"\r\n"].concat()),
        })
        .collect()
}

#[test]
fn files() {
    check(
        "FTP_Control",
        6,
        21,
        Some((&attr::FTP_USER, "ann")),
        &lines(&[
            "<220 FTP server ready.",
            "USER ann",
            "<331 Password required.",
            "PASS S3cr3tPassphrase",
            "<230 Logged in.",
            "ACCT S3cr3tPassphrase",
        ]),
    );
}

#[test]
fn mail_and_news() {
    check(
        "POP3",
        6,
        110,
        Some((&attr::POP3_USER, "ann")),
        &lines(&["<+OK POP3 ready", "USER ann", "<+OK", "PASS S3cr3tPassphrase", "<+OK"]),
    );
    check(
        "POP3",
        6,
        110,
        None,
        &lines(&["<+OK POP3 ready", "AUTH PLAIN AGFubgBTM2NyM3RQYXNzcGhyYXNl", "<+OK"]),
    );
    check(
        "IMAP",
        6,
        143,
        Some((&attr::IMAP_USER, "ann")),
        &lines(&["<* OK IMAP4rev1 ready", "a1 LOGIN ann S3cr3tPassphrase", "<a1 OK"]),
    );
    check(
        "IMAP",
        6,
        143,
        Some((&attr::IMAP_USER, "ann")),
        &lines(&[
            "<* OK IMAP4rev1 ready",
            "a1 LOGIN \"ann\" \"S3cr3tPassphrase\"",
            "a2 AUTHENTICATE PLAIN AGFubgBTM2NyM3RQYXNzcGhyYXNl",
        ]),
    );
    check(
        "SMTP",
        6,
        587,
        None,
        &lines(&[
            "<220 mx.example.com ESMTP",
            "EHLO client.example.org",
            "<250-mx.example.com\r\n250 AUTH PLAIN LOGIN",
            "AUTH PLAIN AGFubgBTM2NyM3RQYXNzcGhyYXNl",
            "<235 OK",
            "AUTH LOGIN",
            "<334 UGFzc3dvcmQ6",
            "UzNjcjN0UGFzc3BocmFzZQ==",
        ]),
    );
    check(
        "NNTP",
        6,
        119,
        None,
        &lines(&[
            "<200 news.example.com InterNetNews ready",
            "AUTHINFO USER ann",
            "<381 more",
            "AUTHINFO PASS S3cr3tPassphrase",
        ]),
    );
}

#[test]
fn the_web() {
    check(
        "HTTP",
        6,
        80,
        Some((&attr::HTTP_USER, "ann")),
        &lines(&[
            "GET / HTTP/1.1\r\nHost: www.example.com\r\n\
         Authorization: Basic YW5uOlMzY3IzdFBhc3NwaHJhc2U=\r\n",
            "<HTTP/1.1 200 OK\r\n\r\n",
        ]),
    );
    check(
        "HTTP",
        6,
        80,
        Some((&attr::HTTP_USER, "ann")),
        &lines(&[
            "GET / HTTP/1.1\r\nHost: www.example.com\r\nAuthorization: Digest username=\"ann\", \
         realm=\"a\", response=\"S3cr3tPassphrase\"\r\n",
            "<HTTP/1.1 200 OK\r\n\r\n",
        ]),
    );
    for request in [
        "GET / HTTP/1.1\r\nHost: www.example.com\r\nAuthorization: Bearer S3cr3tPassphrase\r\n",
        "GET / HTTP/1.1\r\nHost: www.example.com\r\nAuthorization: S3cr3tPassphrase\r\n",
        "GET / HTTP/1.1\r\nHost: www.example.com\r\nCookie: session=S3cr3tPassphrase\r\n",
        "GET /login?user=ann&password=S3cr3tPassphrase HTTP/1.1\r\nHost: www.example.com\r\n",
        "GET / HTTP/1.1\r\nReferer: http://ann:S3cr3tPassphrase@a.example/?token=S3cr3tPassphrase\r\n",
        "POST /login HTTP/1.1\r\nHost: www.example.com\r\n\
         Content-Type: application/x-www-form-urlencoded\r\n\r\nuser=ann&password=S3cr3tPassphrase",
    ] {
        check("HTTP", 6, 80, None, &lines(&[request, "<HTTP/1.1 200 OK\r\n\r\n"]));
    }
    check(
        "HTTP_Proxy",
        6,
        3128,
        None,
        &lines(&[
            "GET http://ann:S3cr3tPassphrase@www.example.com/ HTTP/1.1\r\n\
         Proxy-Authorization: Basic YW5uOlMzY3IzdFBhc3NwaHJhc2U=\r\n",
            "<HTTP/1.1 200 OK\r\n\r\n",
        ]),
    );
    let socks = vec![
        (Direction::ToServer, vec![5, 1, 2]),
        (Direction::ToClient, vec![5, 2]),
        (Direction::ToServer, [&[1, 3][..], b"ann", &[16], SECRET].concat()),
        (Direction::ToClient, vec![1, 0]),
        (Direction::ToServer, [&[5, 1, 0, 3, 11][..], b"example.com", &[0, 80]].concat()),
    ];
    check("SOCKS", 6, 1080, None, &socks);
}

#[test]
fn voice_and_pictures() {
    check(
        "RTSP",
        6,
        554,
        None,
        &lines(&[
            "DESCRIBE rtsp://ann:S3cr3tPassphrase@192.0.2.2/cam RTSP/1.0\r\nCSeq: 1\r\n\
         Authorization: Basic YW5uOlMzY3IzdFBhc3NwaHJhc2U=\r\n",
            "<RTSP/1.0 200 OK\r\nCSeq: 1\r\n",
        ]),
    );
    check(
        "SIP",
        17,
        5060,
        Some((&attr::SIP_FROM, "ann@example.com")),
        &lines(&[
            "REGISTER sip:example.com SIP/2.0\r\nFrom: <sip:ann:S3cr3tPassphrase@example.com>;tag=1\r\n\
         To: <sip:ann@example.com>\r\nAuthorization: Digest username=\"ann\", \
         response=\"S3cr3tPassphrase\"\r\n",
            "<SIP/2.0 200 OK\r\n",
        ]),
    );
}

#[test]
fn terminals_chat_and_stores() {
    check(
        "Telnet",
        6,
        23,
        None,
        &[
            (Direction::ToClient, vec![255, 253, 24, 255, 253, 32, 255, 253, 35]),
            (Direction::ToServer, vec![255, 251, 24, 255, 251, 32, 255, 252, 35]),
            (Direction::ToClient, b"login: ".to_vec()),
            (Direction::ToServer, b"ann\r\n".to_vec()),
            (Direction::ToClient, b"Password: ".to_vec()),
            (Direction::ToServer, [SECRET, b"\r\n"].concat()),
        ],
    );
    check(
        "IRC",
        6,
        6667,
        Some((&attr::IRC_NICK, "ann")),
        &lines(&[
            "PASS S3cr3tPassphrase\r\nNICK ann\r\nUSER ann 0 * :Ann",
            "<:irc.example.com 001 ann :Welcome",
        ]),
    );
    check("Redis", 6, 6379, None, &lines(&["*2\r\n$4\r\nAUTH\r\n$16\r\nS3cr3tPassphrase", "<+OK"]));
    check("Redis", 6, 6379, None, &lines(&["AUTH S3cr3tPassphrase", "<+OK"]));
    let mut mqtt = b"\x10\x00\0\x04MQTT\x04\xc2\0\x3c\0\x03dev\0\x03ann\0\x10".to_vec();
    mqtt.extend(SECRET);
    mqtt[1] = u8::try_from(mqtt.len() - 2).unwrap();
    check("MQTT", 6, 1883, Some((&attr::MQTT_USER, "ann")), &[(Direction::ToServer, mqtt)]);
    let startup = b"\0\x03\0\0user\0ann\0database\0db\0\0";
    let length = u32::try_from(startup.len() + 4).unwrap().to_be_bytes();
    check(
        "PostgreSQL",
        6,
        5432,
        Some((&attr::POSTGRESQL_USER, "ann")),
        &[
            (Direction::ToServer, [&length[..], startup].concat()),
            (Direction::ToClient, vec![b'R', 0, 0, 0, 8, 0, 0, 0, 3]),
            (Direction::ToServer, [&[b'p', 0, 0, 0, 21][..], SECRET, &[0]].concat()),
        ],
    );
    let bind = [&[2, 1, 3, 4, 6][..], b"cn=ann", &[0x80, 16], SECRET].concat();
    let operation = [&[2, 1, 1, 0x60, u8::try_from(bind.len()).unwrap()][..], &bind].concat();
    let message = [&[0x30, u8::try_from(operation.len()).unwrap()][..], &operation].concat();
    check("LDAP", 6, 389, Some((&attr::LDAP_BIND_DN, "cn=ann")), &[(Direction::ToServer, message)]);
}
