//! SMTP and LMTP (RFC 5321, RFC 2033; STARTTLS RFC 3207): the server's greeting, the client's
//! name, the domain of the sender. Mailboxes are not kept, only their domain.

use super::mailbox::answered_in_tls;
use super::text::{self, Match};
use crate::app::AppId;
use crate::attr;
use crate::dissect::web;
use crate::risk::Risk;
use crate::view::{Dissector, First, Notes, Outcome, Transport, View};

pub(super) const DISSECTOR: Dissector = Dissector {
    app: AppId::SMTP,
    over: &[Transport::Tcp],
    ports: &[25, 587, 2525],
    ports_only: false,
    first: First::OneOf(b"25EHLMehlm"),
    run,
};

fn run(view: &View<'_>, notes: &mut Notes<'_>) -> Outcome {
    if let Some(outcome) = answered_in_tls(view, notes, AppId::SMTPS) {
        return outcome;
    }
    if view.data.first().is_some_and(u8::is_ascii_digit) {
        return read_replies(view, notes);
    }
    match text::any_keyword(view.data, &[b"EHLO ", b"HELO ", b"LHLO ", b"MAIL FROM:<"]) {
        Match::Yes(_) => {}
        Match::Partly => return Outcome::NeedMore,
        // Later segments of a session already known.
        Match::No if notes.meta.get(&attr::SMTP_SERVER).is_some() => {}
        Match::No => return Outcome::NotMine,
    }
    if text::line(view.data).is_none() && !view.last {
        return text::open_line(view.data);
    }
    for command in text::lines(view.data) {
        if let Match::Yes(name) = text::any_keyword(command, &[b"EHLO ", b"HELO ", b"LHLO "]) {
            notes.meta.put(&attr::SMTP_HELO, name);
        } else if let Match::Yes(rest) = text::keyword(command, b"MAIL FROM:") {
            let mailbox = text::between(rest, b'<', b'>').unwrap_or_default();
            let at =
                mailbox.iter().rposition(|byte| *byte == b'@').map_or(mailbox.len(), |at| at + 1);
            notes.meta.put(&attr::SMTP_FROM_DOMAIN, mailbox.get(at..).unwrap_or_default());
        } else if let Match::Yes(_) = text::any_keyword(command, &[b"AUTH PLAIN", b"AUTH LOGIN"]) {
            notes.meta.set_risk(Risk::ClearTextCredentials);
        } else if let Match::Yes([]) = text::keyword(command, b"DATA") {
            return Outcome::found(AppId::SMTP);
        }
    }
    let upgrade = text::upgrade(view.data, |line| line.eq_ignore_ascii_case(b"STARTTLS"));
    if upgrade != text::Upgrade::No {
        notes.meta.put_number(&attr::SMTP_STARTTLS, 1);
    }
    if let text::Upgrade::Done(at) = upgrade {
        return web::tls_inside(view, notes, at, AppId::SMTPS);
    }
    Outcome::found_more(AppId::SMTP)
}

/// `220 mx.example ESMTP …` (RFC 5321 section 4.2). The word is asked for, because FTP greets
/// with the same code; without it the client's command decides.
fn read_replies(view: &View<'_>, notes: &mut Notes<'_>) -> Outcome {
    let known = notes.meta.get(&attr::SMTP_HELO).is_some();
    let rest = match text::any_keyword(view.data, &[b"220 ", b"220-", b"554 "]) {
        Match::Yes(rest) => rest,
        Match::Partly => return Outcome::NeedMore,
        Match::No if known => return Outcome::found_more(AppId::SMTP),
        Match::No => return Outcome::NotMine,
    };
    let Some((greeting, _)) = text::line(rest) else { return text::open_line(view.data) };
    if !text::is_text(greeting) {
        return Outcome::NotMine;
    }
    let says_so = text::lines(view.data).any(|line| text::contains(line, b"SMTP"));
    if !says_so && !known {
        let other = text::contains(greeting, b"FTP");
        return if other { Outcome::NotMine } else { Outcome::NeedMore };
    }
    // RFC 4954 section 6.
    let tried = notes.meta.risks().has(Risk::ClearTextCredentials);
    if tried && text::lines(view.data).any(|line| line.starts_with(b"535")) {
        notes.meta.set_risk(Risk::LoginRefused);
    }
    notes.meta.put(&attr::SMTP_SERVER, greeting);
    // The domain comes first (RFC 5321 section 4.2). Without a dot it is a machine's name only if it
    // is numbered: other greetings begin with a word.
    let host = text::word(greeting).0;
    if host.contains(&b'.') || is_numbered(host) {
        notes.meta.put(&attr::HOST_NAME, host);
    }
    Outcome::found_more(AppId::SMTP)
}

/// Whether `host` is one label with a digit in it.
fn is_numbered(host: &[u8]) -> bool {
    let fits = |byte: &u8| byte.is_ascii_alphanumeric() || *byte == b'-';
    host.iter().all(fits)
        && host.first().is_some_and(u8::is_ascii_alphabetic)
        && host.iter().any(u8::is_ascii_digit)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dissect::testing::{Flow, check_never, check_prefixes, run};
    use crate::view::Direction::{ToClient, ToServer};

    const GREETING: &[u8] = b"220 mx1.example.com ESMTP Postfix (Debian/GNU)\r\n";
    const HELLO: &[u8] = b"EHLO client.example.org\r\n";

    #[test]
    fn the_greeting_names_server_and_host() {
        let (outcome, meta) = run(&DISSECTOR, ToClient, Transport::Tcp, GREETING, (5000, 25));
        assert_eq!(outcome, Outcome::found_more(AppId::SMTP));
        assert_eq!(meta.get(&attr::HOST_NAME), Some(&b"mx1.example.com"[..]));
        check_prefixes(&DISSECTOR, ToClient, Transport::Tcp, GREETING, (5000, 25));
    }

    #[test]
    fn a_bare_greeting_is_decided_by_the_client() {
        let mut flow = Flow::new(Transport::Tcp, (5000, 25));
        assert_eq!(flow.ask(&DISSECTOR, ToClient, b"220 mx ready\r\n"), Outcome::NeedMore);
        assert_eq!(flow.ask(&DISSECTOR, ToServer, HELLO), Outcome::found_more(AppId::SMTP));
        let stream = b"EHLO client.example.org\r\nMAIL FROM:<joe@Example.net> SIZE=1\r\n";
        flow.ask(&DISSECTOR, ToServer, stream);
        assert_eq!(flow.meta.get(&attr::SMTP_HELO), Some(&b"client.example.org"[..]));
        assert_eq!(flow.meta.get(&attr::SMTP_FROM_DOMAIN), Some(&b"Example.net"[..]));
        check_prefixes(&DISSECTOR, ToServer, Transport::Tcp, HELLO, (5000, 25));
    }

    #[test]
    fn a_machine_without_a_domain_is_known_by_its_number() {
        let host = |greeting: &[u8]| {
            let meta = run(&DISSECTOR, ToClient, Transport::Tcp, greeting, (5000, 25)).1;
            meta.get(&attr::HOST_NAME).map(<[u8]>::to_vec)
        };
        assert_eq!(host(b"220 mta01 smtp.example.com ESMTP\r\n"), Some(b"mta01".to_vec()));
        for other in [&b"220 ESMTP ready\r\n"[..], b"220 Welcome to SMTP\r\n", b"220 2day SMTP\r\n"]
        {
            assert_eq!(host(other), None);
        }
    }

    #[test]
    fn a_handshake_behind_starttls_is_read_on() {
        let mut flow = Flow::new(Transport::Tcp, (5000, 587));
        let stream = b"EHLO client.example.org\r\nSTARTTLS\r\n\x16\x03\x01";
        let asked = &stream[..stream.len() - 3];
        assert_eq!(flow.ask(&DISSECTOR, ToServer, asked), Outcome::found_more(AppId::SMTP));
        assert!(flow.meta.get(&attr::SMTP_STARTTLS).is_some());
        assert_eq!(flow.ask(&DISSECTOR, ToServer, stream), Outcome::found_more(AppId::SMTPS));
    }

    #[test]
    fn ftp_and_http_are_left_alone() {
        for near in [&b"220 FTP server ready\r\n"[..], b"HEAD / HTTP/1.1\r\n", b"EHLOX\r\n"] {
            check_never(&DISSECTOR, ToClient, Transport::Tcp, near, (5000, 25));
        }
    }
}
