//! What conversations say: real messages of each protocol, small and whole.

/// Who speaks.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Side {
    /// The client.
    Client,
    /// The server.
    Server,
}

/// What carries a conversation.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Over {
    /// TCP.
    Tcp,
    /// UDP.
    Udp,
    /// IP itself, with its protocol number and the addresses' version: ICMP.
    Ip(u8),
}

/// A conversation's content.
#[derive(Clone, Debug)]
pub struct Talk {
    /// The application as `weir` names it.
    pub app: &'static str,
    /// The server's port.
    pub port: u16,
    /// What carries it.
    pub over: Over,
    /// Messages in turn.
    pub messages: Vec<(Side, Vec<u8>)>,
}

use super::datagrams::{self, quic};
use Side::{Client, Server};

/// The `number`-th kind of conversation; kinds repeat.
pub fn talk(number: usize) -> Talk {
    const KINDS: [fn(usize) -> Talk; 34] = [
        http,
        tls,
        dns,
        quic,
        ssh,
        tls,
        smtp,
        http,
        ntp,
        mysql,
        tls,
        redis,
        dns,
        stun,
        snmp,
        ftp,
        mqtt,
        sip,
        tls,
        unknown,
        datagrams::rtp,
        bgp,
        quic,
        dns,
        datagrams::dhcp,
        postgresql,
        tls,
        datagrams::ssdp,
        imap,
        datagrams::mdns,
        datagrams::icmp,
        pop3,
        quic,
        datagrams::syslog,
    ];
    KINDS[number % KINDS.len()](number)
}

fn tcp(app: &'static str, port: u16, messages: Vec<(Side, Vec<u8>)>) -> Talk {
    Talk { app, port, over: Over::Tcp, messages }
}

pub(super) fn udp(app: &'static str, port: u16, messages: Vec<(Side, Vec<u8>)>) -> Talk {
    Talk { app, port, over: Over::Udp, messages }
}

pub(super) fn text(side: Side, words: &str) -> (Side, Vec<u8>) {
    (side, words.as_bytes().to_vec())
}

fn http(number: usize) -> Talk {
    let request = format!(
        "GET /page/{number} HTTP/1.1\r\nHost: www.example.org\r\nUser-Agent: weir-lab/1\r\n\r\n"
    );
    let body = "x".repeat(200 + number * 37 % 1200);
    let answer = format!(
        "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    );
    tcp("HTTP", 80, vec![text(Client, &request), text(Server, &answer)])
}

fn tls(number: usize) -> Talk {
    const NAMES: [(&str, &str); 6] = [
        ("TLS", "www.example.org"),
        ("TLS.YouTube", "www.youtube.com"),
        ("TLS.GitHub", "github.com"),
        ("TLS.Netflix", "www.netflix.com"),
        ("TLS.Spotify", "api.spotify.com"),
        ("TLS.WhatsApp", "web.whatsapp.com"),
    ];
    let (app, name) = NAMES[number / 2 % NAMES.len()];
    let data = |length: usize| {
        let mut record = vec![0x17, 3, 3];
        record.extend(u16::try_from(length).unwrap_or(0).to_be_bytes());
        record.extend(std::iter::repeat_n(0x5a, length));
        record
    };
    let messages = vec![
        (Client, client_hello(name)),
        (Server, server_hello()),
        (Client, data(120)),
        (Server, data(400 + number * 53 % 900)),
    ];
    tcp(app, 443, messages)
}

/// A TLS 1.3 client hello (RFC 8446, section 4.1.2) as large as those with a post-quantum key share,
/// so that it takes two segments.
pub fn client_hello(name: &str) -> Vec<u8> {
    hello(name, 0x11ec, 1216)
}

/// A client hello with a key share of this group and length, in a record.
pub(super) fn hello(name: &str, group: u16, share_bytes: usize) -> Vec<u8> {
    let extension = |kind: u16, body: &[u8]| {
        let mut bytes = kind.to_be_bytes().to_vec();
        bytes.extend(length16(body));
        bytes
    };
    let mut host = vec![0];
    host.extend(length16(name.as_bytes()));
    let mut share = group.to_be_bytes().to_vec();
    share.extend(length16(&vec![7; share_bytes]));
    let extensions = [
        extension(0, &length16(&host)),
        extension(10, &length16(&[0x11, 0xec, 0, 29])),
        extension(13, &length16(&[4, 3, 8, 4])),
        extension(16, &length16(b"\x02h2\x08http/1.1")),
        extension(43, &[4, 3, 4, 3, 3]),
        extension(51, &length16(&share)),
    ]
    .concat();
    let mut hello = vec![3, 3];
    hello.extend([9; 32]);
    hello.push(0);
    hello.extend(length16(&[0x13, 1, 0x13, 2, 0x13, 3]));
    hello.extend([1, 0]);
    hello.extend(length16(&extensions));
    handshake(1, &hello)
}

pub(super) fn server_hello() -> Vec<u8> {
    let mut hello = vec![3, 3];
    hello.extend([8; 32]);
    hello.extend([0, 0x13, 1, 0]);
    hello.extend(length16(&[0, 43, 0, 2, 3, 4]));
    handshake(2, &hello)
}

fn handshake(kind: u8, body: &[u8]) -> Vec<u8> {
    let mut message = vec![kind, 0];
    message.extend(length16(body));
    let mut record = vec![0x16, 3, 1];
    record.extend(length16(&message));
    record
}

/// The bytes behind their length in two bytes.
fn length16(body: &[u8]) -> Vec<u8> {
    let mut bytes = u16::try_from(body.len()).unwrap_or(0).to_be_bytes().to_vec();
    bytes.extend(body);
    bytes
}

/// RFC 1035, section 4: a question for an address, and the answer.
fn dns(number: usize) -> Talk {
    let id = u16::try_from(number % 65_536).unwrap_or(0).to_be_bytes();
    let question = b"\x03www\x07example\x03org\0\0\x01\0\x01";
    let message = |flags: [u8; 2], answers: u8, rest: &[u8]| {
        let head = [id[0], id[1], flags[0], flags[1], 0, 1, 0, answers, 0, 0, 0, 0];
        [&head[..], question, rest].concat()
    };
    let answer = b"\xc0\x0c\0\x01\0\x01\0\0\x0e\x10\0\x04\xc6\x33\x64\x07";
    udp(
        "DNS",
        53,
        vec![(Client, message([1, 0], 0, &[])), (Server, message([0x81, 0x80], 1, answer))],
    )
}

fn ssh(_: usize) -> Talk {
    tcp(
        "SSH",
        22,
        vec![text(Server, "SSH-2.0-OpenSSH_9.2p1\r\n"), text(Client, "SSH-2.0-OpenSSH_9.9\r\n")],
    )
}

fn smtp(_: usize) -> Talk {
    tcp(
        "SMTP",
        25,
        vec![
            text(Server, "220 mx.example.org ESMTP Postfix\r\n"),
            text(Client, "EHLO client.example.net\r\n"),
            text(Server, "250-mx.example.org\r\n250 STARTTLS\r\n"),
            text(Client, "MAIL FROM:<a@example.net>\r\n"),
            text(Server, "250 2.1.0 Ok\r\n"),
        ],
    )
}

fn ftp(_: usize) -> Talk {
    tcp(
        "FTP_Control",
        21,
        vec![
            text(Server, "220 (vsFTPd 3.0.5)\r\n"),
            text(Client, "USER anonymous\r\n"),
            text(Server, "331 Please specify the password.\r\n"),
            text(Client, "QUIT\r\n"),
            text(Server, "221 Goodbye.\r\n"),
        ],
    )
}

/// RFC 5905, section 7.3: client and server mode.
fn ntp(_: usize) -> Talk {
    let message = |first: u8, stratum: u8| {
        let mut bytes = vec![first, stratum, 6, 0xec];
        bytes.extend([0; 36]);
        bytes.extend([0xe9, 0x1c, 0x2b, 0x7d, 1, 2, 3, 4]);
        bytes
    };
    udp("NTP", 123, vec![(Client, message(0x23, 0)), (Server, message(0x24, 2))])
}

/// The handshake packet, version 10, and a login.
fn mysql(_: usize) -> Talk {
    let mut greeting = vec![10];
    greeting.extend(b"8.0.36\0\x07\0\0\0abcdefgh\0\xff\xf7\xff\x02\0\xff\xdf\x15");
    greeting.extend([0; 10]);
    greeting.extend(b"ijklmnopqrst\0mysql_native_password\0");
    let mut login = vec![0x85, 0xa6, 0xff, 1, 0, 0, 0, 1, 45];
    login.extend([0; 23]);
    login.extend(b"root\0\0mysql_native_password\0");
    let packet = |number: u8, body: &[u8]| {
        let length = u32::try_from(body.len()).unwrap_or(0).to_le_bytes();
        [&[length[0], length[1], length[2], number], body].concat()
    };
    let messages = vec![(Server, packet(0, &greeting)), (Client, packet(1, &login))];
    tcp("MySQL", 3306, messages)
}

/// The start-up packet of protocol 3.0, and `AuthenticationOk`.
fn postgresql(_: usize) -> Talk {
    let body = b"\0\x03\0\0user\0weir\0database\0weir\0\0";
    let length = u32::try_from(body.len() + 4).unwrap_or(0).to_be_bytes();
    let start = [&length[..], body].concat();
    tcp("PostgreSQL", 5432, vec![(Client, start), (Server, b"R\0\0\0\x08\0\0\0\0".to_vec())])
}

/// RFC 4271, section 4: both open, and both keep alive.
fn bgp(_: usize) -> Talk {
    let message = |kind: u8, body: &[u8]| {
        let mut bytes = vec![0xff; 16];
        bytes.extend([0, u8::try_from(19 + body.len()).unwrap_or(0), kind]);
        bytes.extend(body);
        bytes
    };
    let open = |last: u8| message(1, &[4, 0xfd, 0xe8 + last, 0, 180, 192, 0, 2, last, 0]);
    let messages = vec![
        (Client, open(1)),
        (Server, open(2)),
        (Client, message(4, &[])),
        (Server, message(4, &[])),
    ];
    tcp("BGP", 179, messages)
}

fn imap(_: usize) -> Talk {
    tcp(
        "IMAP",
        143,
        vec![
            text(Server, "* OK [CAPABILITY IMAP4rev1 STARTTLS] ready\r\n"),
            text(Client, "a1 CAPABILITY\r\n"),
            text(Server, "* CAPABILITY IMAP4rev1 STARTTLS\r\na1 OK done\r\n"),
        ],
    )
}

fn pop3(_: usize) -> Talk {
    tcp(
        "POP3",
        110,
        vec![
            text(Server, "+OK POP3 server ready\r\n"),
            text(Client, "USER weir\r\n"),
            text(Server, "+OK\r\n"),
            text(Client, "QUIT\r\n"),
            text(Server, "+OK bye\r\n"),
        ],
    )
}

fn redis(_: usize) -> Talk {
    tcp(
        "Redis",
        6379,
        vec![text(Client, "*2\r\n$3\r\nGET\r\n$3\r\nkey\r\n"), text(Server, "$5\r\nvalue\r\n")],
    )
}

/// MQTT 3.1.1, section 3.1: CONNECT, CONNACK.
fn mqtt(_: usize) -> Talk {
    let connect = b"\x10\x14\0\x04MQTT\x04\x02\0\x3c\0\x08weir-lab".to_vec();
    tcp("MQTT", 1883, vec![(Client, connect), (Server, vec![0x20, 2, 0, 0])])
}

/// RFC 8489, section 5: a binding request and its answer.
fn stun(_: usize) -> Talk {
    let message = |kind: u8, body: &[u8]| {
        let mut bytes = vec![kind, 1, 0, u8::try_from(body.len()).unwrap_or(0)];
        bytes.extend([0x21, 0x12, 0xa4, 0x42]);
        bytes.extend([3; 12]);
        bytes.extend(body);
        bytes
    };
    let mapped = [0, 0x20, 0, 8, 0, 1, 0x11, 0x2b, 0x5e, 0x12, 0xa4, 0x43];
    udp("STUN", 3478, vec![(Client, message(0, &[])), (Server, message(1, &mapped))])
}

/// RFC 3416: `GetRequest` and response of the system description.
fn snmp(_: usize) -> Talk {
    let message = |kind: u8| {
        let mut bytes = b"\x30\x26\x02\x01\x01\x04\x06public".to_vec();
        bytes.extend([kind, 0x19, 2, 1, 1, 2, 1, 0, 2, 1, 0, 0x30, 0x0e, 0x30, 0x0c, 6, 8]);
        bytes.extend([0x2b, 6, 1, 2, 1, 1, 1, 0, 5, 0]);
        bytes
    };
    udp("SNMP", 161, vec![(Client, message(0xa0)), (Server, message(0xa2))])
}

fn sip(_: usize) -> Talk {
    let head = "Via: SIP/2.0/UDP 10.0.0.1;branch=z9hG4bK1\r\nFrom: <sip:a@example.org>;tag=1\r\n\
                To: <sip:b@example.org>\r\nCall-ID: 1@example.org\r\nCSeq: 1 OPTIONS\r\n\
                Content-Length: 0\r\n\r\n";
    udp(
        "SIP",
        5060,
        vec![
            text(Client, &format!("OPTIONS sip:b@example.org SIP/2.0\r\n{head}")),
            text(Server, &format!("SIP/2.0 200 OK\r\n{head}")),
        ],
    )
}

/// Bytes that no protocol begins with, between ports that nobody uses.
fn unknown(number: usize) -> Talk {
    let fill = |seed: usize| {
        let byte = |at: usize| ((at * 167 + seed * 29) % 251).to_le_bytes()[0] | 0x80;
        (0..64).map(byte).collect::<Vec<u8>>()
    };
    udp("Unknown", 47_999, vec![(Client, fill(number)), (Server, fill(number + 1))])
}
