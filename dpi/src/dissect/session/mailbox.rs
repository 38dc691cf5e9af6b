//! IMAP (RFC 9051, RFC 3501) and POP3 (RFC 1939, STLS RFC 2595): greetings, user names, the
//! change to TLS. Passwords are never read.

use super::text::{self, Match};
use crate::app::AppId;
use crate::attr;
use crate::dissect::web;
use crate::risk::Risk;
use crate::view::{Dissector, First, Notes, Outcome, Transport, View};

pub(super) const IMAP: Dissector = Dissector {
    app: AppId::IMAP,
    over: &[Transport::Tcp],
    ports: &[143],
    ports_only: false,
    first: First::OneOf(b"*.0123456789AaCcTt"),
    run: imap,
};

pub(super) const POP3: Dissector = Dissector {
    app: AppId::POP3,
    over: &[Transport::Tcp],
    ports: &[110],
    ports_only: false,
    first: First::OneOf(b"+CcAaSsUu"),
    run: pop3,
};

/// The longest tag worth waiting for; RFC 9051 sets no limit, clients use up to eight bytes.
const TAG_BYTES: usize = 16;

/// Commands of the states before a mailbox is open (RFC 9051 sections 6.1 to 6.3). Words that
/// stand alone carry their line end, so that prose does not match them.
const IMAP_COMMANDS: &[&[u8]] = &[
    b"CAPABILITY\r\n",
    b"LOGIN ",
    b"AUTHENTICATE ",
    b"STARTTLS\r\n",
    b"ID (",
    b"ID NIL",
    b"SELECT ",
    b"EXAMINE ",
    b"NAMESPACE\r\n",
];

fn imap(view: &View<'_>, notes: &mut Notes<'_>) -> Outcome {
    if let Some(outcome) = answered_in_tls(view, notes, AppId::IMAPS) {
        return outcome;
    }
    let greeting = [&b"* OK"[..], b"* PREAUTH", b"* BYE", b"* CAPABILITY IMAP4"];
    match text::any_keyword(view.data, &greeting) {
        Match::Partly => return Outcome::NeedMore,
        Match::Yes(rest) => {
            let Some((server, _)) = text::line(rest) else { return text::open_line(view.data) };
            if !text::is_text(server) || !matches!(server.first(), None | Some(b' ')) {
                return Outcome::NotMine;
            }
            notes.meta.put(&attr::IMAP_SERVER, server.trim_ascii());
            note_imap_refusal(view.data, notes);
            return Outcome::found_more(AppId::IMAP);
        }
        Match::No => {}
    }
    let head = view.data.get(..TAG_BYTES).unwrap_or(view.data);
    let (tag, rest) = text::word(head);
    if tag.len() == head.len() {
        let open = head.len() < TAG_BYTES && head.iter().copied().all(is_tag);
        return if open { Outcome::NeedMore } else { Outcome::NotMine };
    }
    if tag.is_empty() || !tag.iter().copied().all(is_tag) {
        return Outcome::NotMine;
    }
    let behind_tag = view.data.get(tag.len() + 1..).unwrap_or_default();
    match text::any_keyword(behind_tag, IMAP_COMMANDS) {
        Match::Partly => return Outcome::NeedMore,
        Match::No if rest.is_empty() => return Outcome::NeedMore,
        Match::No if notes.meta.get(&attr::IMAP_SERVER).is_none() => return Outcome::NotMine,
        Match::No | Match::Yes(_) => {}
    }
    imap_commands(view, notes)
}

/// What the server says once the client changed to TLS, which is `app` then.
pub(super) fn answered_in_tls(
    view: &View<'_>,
    notes: &mut Notes<'_>,
    app: AppId,
) -> Option<Outcome> {
    let begun = notes.scratch.hello.client.is_some_and(|client| client != view.direction);
    if !begun {
        return None;
    }
    let at = text::handshake_at(view.data);
    Some(at.map_or(Outcome::found_more(app), |at| web::tls_inside(view, notes, at, app)))
}

fn is_tag(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-' | b'_' | b'$')
}

fn imap_commands(view: &View<'_>, notes: &mut Notes<'_>) -> Outcome {
    for line in text::lines(view.data) {
        let (_, command) = text::word(line);
        if let Match::Yes(rest) = text::keyword(command, b"LOGIN ") {
            let user = match rest.strip_prefix(b"\"") {
                Some(quoted) => text::until(quoted, b'"').unwrap_or_default(),
                None => text::word(rest).0,
            };
            notes.meta.put(&attr::IMAP_USER, user);
            notes.meta.set_risk(Risk::ClearTextCredentials);
        } else if let Match::Yes(_) =
            text::any_keyword(command, &[b"AUTHENTICATE PLAIN", b"AUTHENTICATE LOGIN"])
        {
            notes.meta.set_risk(Risk::ClearTextCredentials);
        }
    }
    match text::upgrade(view.data, |line| text::word(line).1.eq_ignore_ascii_case(b"STARTTLS")) {
        text::Upgrade::No => {}
        text::Upgrade::Asked => notes.meta.put_number(&attr::IMAP_STARTTLS, 1),
        text::Upgrade::Done(at) => {
            notes.meta.put_number(&attr::IMAP_STARTTLS, 1);
            return web::tls_inside(view, notes, at, AppId::IMAPS);
        }
    }
    Outcome::found_more(AppId::IMAP)
}

/// `a1 NO …` after a login (RFC 9051 section 7.1.2).
fn note_imap_refusal(replies: &[u8], notes: &mut Notes<'_>) {
    let tried = notes.meta.risks().has(Risk::ClearTextCredentials);
    let refused = |line: &[u8]| {
        let (tag, status) = text::word(line);
        !matches!(tag, b"*" | b"+") && matches!(text::keyword(status, b"NO "), Match::Yes(_))
    };
    if tried && text::lines(replies).any(refused) {
        notes.meta.set_risk(Risk::LoginRefused);
    }
}

fn pop3(view: &View<'_>, notes: &mut Notes<'_>) -> Outcome {
    if let Some(outcome) = answered_in_tls(view, notes, AppId::POP3S) {
        return outcome;
    }
    if view.data.first() == Some(&b'+') {
        return pop3_replies(view, notes);
    }
    // USER is FTP's as well, and AUTH is SMTP's: those wait for the server.
    let own = [&b"CAPA\r\n"[..], b"APOP ", b"STLS\r\n", b"UIDL\r\n"];
    let shared = [&b"USER "[..], b"AUTH PLAIN\r\n", b"AUTH\r\n"];
    let known = notes.meta.get(&attr::POP3_SERVER).is_some();
    let proven = match (text::any_keyword(view.data, &own), text::any_keyword(view.data, &shared)) {
        (Match::Yes(_), _) => true,
        (_, Match::Yes(_)) => known,
        (Match::Partly, _) | (_, Match::Partly) => return Outcome::NeedMore,
        _ => return Outcome::NotMine,
    };
    for line in text::lines(view.data) {
        if let Match::Yes(user) = text::keyword(line, b"USER ") {
            if user.contains(&b' ') {
                return Outcome::NotMine;
            }
            notes.meta.put(&attr::POP3_USER, user);
        } else if let Match::Yes(_) =
            text::any_keyword(line, &[b"PASS ", b"AUTH PLAIN", b"AUTH LOGIN"])
        {
            notes.meta.set_risk(Risk::ClearTextCredentials);
        } else if let Match::Yes(rest) = text::keyword(line, b"APOP ") {
            notes.meta.put(&attr::POP3_USER, text::word(rest).0);
        }
    }
    let upgrade = text::upgrade(view.data, |line| line.eq_ignore_ascii_case(b"STLS"));
    if upgrade != text::Upgrade::No {
        notes.meta.put_number(&attr::POP3_STARTTLS, 1);
    }
    if let text::Upgrade::Done(at) = upgrade {
        return web::tls_inside(view, notes, at, AppId::POP3S);
    }
    if proven { Outcome::found_more(AppId::POP3) } else { Outcome::NeedMore }
}

/// `+OK text`. Redis answers `+OK` as well, but without a text: one reply with a text that names
/// the protocol, or a timestamp in angle brackets (RFC 1939 section 7), or two replies prove it.
fn pop3_replies(view: &View<'_>, notes: &mut Notes<'_>) -> Outcome {
    match text::keyword(view.data, b"+OK ") {
        Match::Yes(_) => {}
        Match::Partly => return Outcome::NeedMore,
        Match::No => return Outcome::NotMine,
    }
    let Some((line, rest)) = text::line(view.data) else { return text::open_line(view.data) };
    let greeting = line.get(4..).unwrap_or_default();
    if !text::is_text(greeting) {
        return Outcome::NotMine;
    }
    let stamped = text::between(greeting, b'<', b'>').is_some_and(|stamp| stamp.contains(&b'@'));
    let again = matches!(text::any_keyword(rest, &[b"+OK ", b"+OK\r\n", b"-ERR "]), Match::Yes(_));
    if !stamped && !again && !text::contains(greeting, b"POP") {
        return Outcome::NeedMore;
    }
    let tried = notes.meta.risks().has(Risk::ClearTextCredentials);
    if tried && text::lines(view.data).any(|line| line.starts_with(b"-ERR")) {
        notes.meta.set_risk(Risk::LoginRefused);
    }
    notes.meta.put(&attr::POP3_SERVER, greeting);
    Outcome::found_more(AppId::POP3)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dissect::testing::{Flow, check_never, check_prefixes, run};
    use crate::view::Direction::{ToClient, ToServer};

    #[test]
    fn imap_is_known_from_either_side() {
        let greeting = b"* OK [CAPABILITY IMAP4rev1 STARTTLS] Dovecot ready.\r\n";
        let login = b"a1 LOGIN \"joe@example.org\" secret\r\n";
        check_prefixes(&IMAP, ToClient, Transport::Tcp, greeting, (5000, 143));
        check_prefixes(&IMAP, ToServer, Transport::Tcp, login, (5000, 1143));
        let (_, meta) = run(&IMAP, ToServer, Transport::Tcp, login, (5000, 1143));
        assert_eq!(meta.get(&attr::IMAP_USER), Some(&b"joe@example.org"[..]));
        let starttls = b"A001 CAPABILITY\r\nA002 STARTTLS\r\n";
        let (outcome, _) = run(&IMAP, ToServer, Transport::Tcp, starttls, (5000, 143));
        assert_eq!(outcome, Outcome::found_more(AppId::IMAP));
        let hello = [&starttls[..], b"\x16\x03\x01"].concat();
        let (outcome, _) = run(&IMAP, ToServer, Transport::Tcp, &hello, (5000, 143));
        assert_eq!(outcome, Outcome::found_more(AppId::IMAPS));
    }

    #[test]
    fn pop3_needs_more_than_an_ok() {
        let mut flow = Flow::new(Transport::Tcp, (5000, 110));
        assert_eq!(flow.ask(&POP3, ToClient, b"+OK ready\r\n"), Outcome::NeedMore);
        assert_eq!(flow.ask(&POP3, ToServer, b"USER joe\r\n"), Outcome::NeedMore);
        let stream = b"+OK ready\r\n+OK password\r\n";
        assert_eq!(flow.ask(&POP3, ToClient, stream), Outcome::found_more(AppId::POP3));
        flow.ask(&POP3, ToServer, b"USER joe\r\nPASS x\r\n");
        assert_eq!(flow.meta.get(&attr::POP3_USER), Some(&b"joe"[..]));
        let named = b"+OK POP3 server ready <1896.697170952@dbc.mtview.ca.us>\r\n";
        check_prefixes(&POP3, ToClient, Transport::Tcp, named, (5000, 110));
        check_prefixes(&POP3, ToServer, Transport::Tcp, b"CAPA\r\n", (5000, 110));
        for (stream, outcome) in [
            (&b"CAPA\r\nSTLS\r\n"[..], Outcome::found_more(AppId::POP3)),
            (b"CAPA\r\nSTLS\r\n\x16\x03", Outcome::found_more(AppId::POP3S)),
            (b"CAPA\r\nSTLS\r\nUSER joe\r\n", Outcome::found_more(AppId::POP3)),
        ] {
            assert_eq!(run(&POP3, ToServer, Transport::Tcp, stream, (5000, 110)).0, outcome);
        }
    }

    #[test]
    fn neighbours_are_left_alone() {
        for near in [&b"+OK\r\n"[..], b"+PONG\r\n", b"USER a b c :d\r\n", b"AUTH LOGIN\r\n"] {
            check_never(&POP3, ToClient, Transport::Tcp, near, (5000, 110));
        }
        for near in [&b"*1\r\n$4\r\nPING\r\n"[..], b"CONNECT x HTTP/1.1\r\n", b"* OKAY\r\n"] {
            check_never(&IMAP, ToClient, Transport::Tcp, near, (5000, 143));
        }
    }
}
