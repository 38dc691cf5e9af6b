//! Logins in clear, without an account, and refused: what the dissectors of this family note.

use super::{
    chat, ftp, mailbox, mqtt, mysql, own_port, postgresql, redis, sip, smtp, streaming, telnet,
};
use crate::dissect::testing::Flow;
use crate::view::Direction::{self, ToClient, ToServer};
use crate::view::{Dissector, Transport};

/// What a conversation shows: each turn is all that its side has said so far.
fn risks(dissector: &Dissector, port: u16, turns: &[(Direction, &[u8])]) -> Vec<&'static str> {
    let mut flow = Flow::new(dissector.over[0], (50_000, port));
    for (direction, stream) in turns {
        flow.ask_past_filter(dissector, *direction, stream);
    }
    flow.meta.risks().iter().map(|about| about.name).collect()
}

const CLEAR: &[&str] = &["clear_text_credentials"];
const REFUSED: &[&str] = &["clear_text_credentials", "login_refused"];
const NOTHING: &[&str] = &[];

#[test]
fn ftp_logins() {
    let login = |user: &str, reply: &str, wanted: &[&str]| {
        let (greeting, ask) = ("220 FTP ready\r\n", "220 FTP ready\r\n331 Password\r\n");
        let (name, both) = (format!("USER {user}\r\n"), format!("USER {user}\r\nPASS x@y\r\n"));
        let answer = format!("{ask}{reply}\r\n");
        let turns = [
            (ToClient, greeting.as_bytes()),
            (ToServer, name.as_bytes()),
            (ToClient, ask.as_bytes()),
            (ToServer, both.as_bytes()),
            (ToClient, answer.as_bytes()),
        ];
        assert_eq!(risks(&ftp::DISSECTOR, 21, &turns), wanted, "{user} {reply}");
    };
    login("joe", "230 Welcome", CLEAR);
    login("joe", "530 Login incorrect", REFUSED);
    login("anonymous", "230 Welcome", &["anonymous_login"]);
    login("ftp", "530 No guests", &["anonymous_login", "login_refused"]);
    let greeting = (ToClient, &b"220 FTP ready\r\n"[..]);
    let name = (ToServer, &b"USER joe\r\n"[..]);
    assert_eq!(risks(&ftp::DISSECTOR, 21, &[greeting, name]), NOTHING);
    let early = (ToClient, &b"220 FTP ready\r\n530 Please login with USER and PASS\r\n"[..]);
    assert_eq!(risks(&ftp::DISSECTOR, 21, &[greeting, early]), NOTHING);
    let wrong = (ToServer, &b"PORT 1,2,3,4,5\r\n"[..]);
    assert_eq!(risks(&ftp::DISSECTOR, 21, &[wrong]), ["malformed"]);
    assert_eq!(risks(&ftp::DISSECTOR, 21, &[(ToServer, b"PORT 192,0,2,1,4,5\r\n")]), NOTHING);
}

#[test]
fn mail_logins() {
    let greeting = (ToClient, &b"+OK POP3 ready\r\n"[..]);
    let login = (ToServer, &b"USER joe\r\nPASS secret\r\n"[..]);
    let refusal = (ToClient, &b"+OK POP3 ready\r\n+OK\r\n-ERR invalid\r\n"[..]);
    assert_eq!(risks(&mailbox::POP3, 110, &[greeting, login]), CLEAR);
    assert_eq!(risks(&mailbox::POP3, 110, &[greeting, login, refusal]), REFUSED);
    assert_eq!(risks(&mailbox::POP3, 110, &[greeting, refusal]), NOTHING);
    let digest = (ToServer, &b"APOP joe c4c9334bac560ecc979e58001b3e22fb\r\n"[..]);
    assert_eq!(risks(&mailbox::POP3, 110, &[greeting, digest]), NOTHING);

    let greeting = (ToClient, &b"* OK IMAP4rev1 ready\r\n"[..]);
    for login in [&b"a1 LOGIN joe secret\r\n"[..], b"a1 AUTHENTICATE PLAIN\r\n"] {
        assert_eq!(risks(&mailbox::IMAP, 143, &[greeting, (ToServer, login)]), CLEAR);
    }
    let login = (ToServer, &b"a1 LOGIN joe secret\r\n"[..]);
    let refusal = (ToClient, &b"* OK IMAP4rev1 ready\r\na1 NO [AUTHENTICATIONFAILED] x\r\n"[..]);
    assert_eq!(risks(&mailbox::IMAP, 143, &[greeting, login, refusal]), REFUSED);
    for other in [&b"a1 CAPABILITY\r\n"[..], b"a1 AUTHENTICATE CRAM-MD5\r\n", b"a1 STARTTLS\r\n"] {
        assert_eq!(risks(&mailbox::IMAP, 143, &[greeting, (ToServer, other)]), NOTHING);
    }

    let greeting = (ToClient, &b"220 mx.example.com ESMTP\r\n"[..]);
    let login = (ToServer, &b"EHLO a\r\nAUTH PLAIN AGpvZQBzZWNyZXQ=\r\n"[..]);
    let refusal =
        (ToClient, &b"220 mx.example.com ESMTP\r\n250 AUTH PLAIN\r\n535 5.7.8 no\r\n"[..]);
    assert_eq!(risks(&smtp::DISSECTOR, 25, &[greeting, login]), CLEAR);
    assert_eq!(risks(&smtp::DISSECTOR, 25, &[greeting, login, refusal]), REFUSED);
    for other in [&b"EHLO a\r\nSTARTTLS\r\nAUTH PLAIN x"[..], b"EHLO a\r\nAUTH CRAM-MD5\r\n"] {
        assert_eq!(risks(&smtp::DISSECTOR, 25, &[greeting, (ToServer, other)]), NOTHING);
    }
}

#[test]
fn chat_and_terminal_logins() {
    let login = (ToServer, &b"PASS secret\r\nNICK joe\r\nUSER joe 0 * :Joe\r\n"[..]);
    let refusal = (ToClient, &b":irc.example.com 464 joe :Password incorrect\r\n"[..]);
    assert_eq!(risks(&chat::IRC, 6667, &[login]), CLEAR);
    assert_eq!(risks(&chat::IRC, 6667, &[login, refusal]), REFUSED);
    let plain = (ToServer, &b"NICK joe\r\nUSER joe 0 * :Joe\r\n"[..]);
    assert_eq!(risks(&chat::IRC, 6667, &[plain]), NOTHING);

    let said = |text: &[u8]| [&[255, 253, 24, 255, 253, 32], text].concat();
    let (asked, typed) = (said(b"login: Password: "), said(b"joe\r\nsecret\r\n"));
    let refused = said(b"login: Password: \r\nLogin incorrect\r\n");
    let turns = [(ToClient, &asked[..]), (ToServer, &typed[..]), (ToClient, &refused[..])];
    assert_eq!(risks(&telnet::DISSECTOR, 23, &turns[..2]), CLEAR);
    assert_eq!(risks(&telnet::DISSECTOR, 23, &turns), REFUSED);
    let menu = said(b"Welcome, choose: ");
    let turns = [(ToClient, &menu[..]), (ToServer, &typed[..])];
    assert_eq!(risks(&telnet::DISSECTOR, 23, &turns), NOTHING);

    assert_eq!(risks(&own_port::TCP, 514, &[(ToServer, b"1022\0")]), CLEAR);
}

#[test]
fn database_and_broker_logins() {
    let login = (ToServer, &b"*2\r\n$4\r\nAUTH\r\n$6\r\nsecret\r\n"[..]);
    assert_eq!(risks(&redis::DISSECTOR, 6379, &[login]), CLEAR);
    let refusal = (ToClient, &b"-WRONGPASS invalid username-password pair\r\n"[..]);
    assert_eq!(risks(&redis::DISSECTOR, 6379, &[login, refusal]), REFUSED);
    assert_eq!(risks(&redis::DISSECTOR, 6379, &[(ToServer, b"*1\r\n$4\r\nPING\r\n")]), NOTHING);
    assert_eq!(risks(&redis::DISSECTOR, 6379, &[refusal]), NOTHING);

    let with = |flags: u8| {
        let mut connect = b"\x10\x1e\0\x04MQTT\x04".to_vec();
        connect.extend([flags, 0, 60, 0, 1, b'a']);
        connect.extend(b"\0\x03joe\0\x06secret\0\0\0\0\0");
        connect
    };
    let both = with(0xc2);
    assert_eq!(risks(&mqtt::DISSECTOR, 1883, &[(ToServer, &both)]), CLEAR);
    let refusal = (ToClient, &b"\x20\x02\0\x05"[..]);
    assert_eq!(risks(&mqtt::DISSECTOR, 1883, &[(ToServer, &both), refusal]), REFUSED);
    assert_eq!(
        risks(&mqtt::DISSECTOR, 1883, &[(ToServer, &both), (ToClient, b"\x20\x02\0\0")]),
        CLEAR
    );
    assert_eq!(risks(&mqtt::DISSECTOR, 1883, &[(ToServer, &with(0x82))]), NOTHING);
    let alone = risks(&mqtt::DISSECTOR, 1883, &[(ToServer, &with(0x42))]);
    assert_eq!(alone, ["clear_text_credentials", "malformed"]);

    let clear = (ToClient, &b"R\0\0\0\x08\0\0\0\x03"[..]);
    assert_eq!(risks(&postgresql::DISSECTOR, 5432, &[clear]), CLEAR);
    let digest = (ToClient, &b"R\0\0\0\x0c\0\0\0\x05abcd"[..]);
    assert_eq!(risks(&postgresql::DISSECTOR, 5432, &[digest]), NOTHING);
    let refusal = (ToClient, &b"R\0\0\0\x0c\0\0\0\x05abcdE\0\0\0\x14SFATAL\0C28P01\0\0\0"[..]);
    assert_eq!(risks(&postgresql::DISSECTOR, 5432, &[refusal]), ["login_refused"]);

    let mut greeting = b"\x2a\0\0\0\x0a8.0.1\0\x01\0\0\0abcdefgh\0".to_vec();
    greeting.resize(4 + 0x2a, 0);
    let ordinary = greeting.clone();
    assert_eq!(risks(&mysql::DISSECTOR, 3306, &[(ToClient, &ordinary)]), NOTHING);
    greeting.extend(b"\x20\0\0\x02\xff\x15\x04#28000Access denied");
    assert_eq!(risks(&mysql::DISSECTOR, 3306, &[(ToClient, &greeting)]), ["login_refused"]);
    let mut login = b"\x50\0\0\x01\x0d\xa2\x0a\0\0\0\0\x01\x21".to_vec();
    login.extend([0; 23]);
    login.extend(b"joe\0\x07secret\0");
    let native = [&login[..], b"mysql_native_password\0"].concat();
    assert_eq!(risks(&mysql::DISSECTOR, 3306, &[(ToServer, &native)]), NOTHING);
    login.extend(b"mysql_clear_password\0");
    assert_eq!(risks(&mysql::DISSECTOR, 3306, &[(ToServer, &login)]), CLEAR);
}

#[test]
fn media_logins() {
    let basic = b"DESCRIBE rtsp://192.0.2.1/a RTSP/1.0\r\nAuthorization: Basic am9lOng=\r\n\r\n";
    let refusal = (ToClient, &b"RTSP/1.0 401 Unauthorized\r\n\r\n"[..]);
    assert_eq!(risks(&streaming::RTSP, 554, &[(ToServer, basic)]), CLEAR);
    assert_eq!(risks(&streaming::RTSP, 554, &[(ToServer, basic), refusal]), REFUSED);
    let plain = (ToServer, &b"OPTIONS rtsp://192.0.2.1/a RTSP/1.0\r\nCSeq: 1\r\n\r\n"[..]);
    assert_eq!(risks(&streaming::RTSP, 554, &[plain, refusal]), NOTHING);

    let register = |header: &str| {
        format!(
            "REGISTER sip:example.com SIP/2.0\r\nCall-ID: 1@a\r\n{header}From: <sip:a@b.example>\r\n\r\n"
        )
    };
    assert_eq!(sip::DISSECTOR.over[1], Transport::Udp);
    let basic = register("Authorization: Basic am9lOng=\r\n");
    assert_eq!(risks(&sip::DISSECTOR, 5060, &[(ToServer, basic.as_bytes())]), CLEAR);
    let digest = register("Authorization: Digest username=\"joe\"\r\n");
    let refusal = (ToClient, &b"SIP/2.0 401 Unauthorized\r\ni: 1@a\r\n\r\n"[..]);
    assert_eq!(risks(&sip::DISSECTOR, 5060, &[(ToServer, digest.as_bytes())]), NOTHING);
    let turns = [(ToServer, digest.as_bytes()), refusal];
    assert_eq!(risks(&sip::DISSECTOR, 5060, &turns), ["login_refused"]);
    // The question comes first.
    let first = register("");
    assert_eq!(risks(&sip::DISSECTOR, 5060, &[(ToServer, first.as_bytes()), refusal]), NOTHING);
    let bare = (ToServer, &b"OPTIONS sip:example.com SIP/2.0\r\nTo: <sip:a@b.example>\r\n\r\n"[..]);
    assert_eq!(risks(&sip::DISSECTOR, 5060, &[bare]), ["malformed"]);
}
