//! FTP control connections (RFC 959; extended ports RFC 2428, TLS RFC 4217).
//!
//! A greeting `220` alone does not tell FTP from SMTP: it takes the word, a reply that only FTP
//! gives, or a command that only FTP knows. Data connections named by `PORT`, `EPRT`, and the
//! replies 227 and 229 are announced, so that they are known at their first packet. Passwords are
//! never read.

use super::mailbox::answered_in_tls;
use super::text::{self, Match};
use crate::app::AppId;
use crate::attr;
use crate::dissect::web;
use crate::risk::Risk;
use crate::view::{Dissector, First, Notes, Outcome, Transport, View};

pub(super) const DISSECTOR: Dissector = Dissector {
    app: AppId::FTP_CONTROL,
    over: &[Transport::Tcp],
    ports: &[21, 2121],
    ports_only: false,
    first: First::OneOf(b"12UuAaFfPpEeOoHhSs"),
    run,
};

/// Commands that no other protocol's session begins with. `USER` is missing: POP3 and IRC have it.
const COMMANDS: &[&[u8]] = &[
    b"AUTH TLS",
    b"AUTH SSL",
    b"FEAT\r\n",
    b"OPTS UTF8",
    b"SYST\r\n",
    b"PASV\r\n",
    b"EPSV",
    b"PBSZ ",
    b"PORT ",
    b"EPRT ",
];

/// Replies after the greeting that neither SMTP nor POP3 gives: logged in, password wanted,
/// system type, features, passive, TLS agreed.
const REPLIES: &[&[u8]] =
    &[b"331 ", b"331-", b"230 ", b"230-", b"215 ", b"211-", b"227 ", b"229 ", b"234 "];

fn run(view: &View<'_>, notes: &mut Notes<'_>) -> Outcome {
    if let Some(outcome) = answered_in_tls(view, notes, AppId::FTPS) {
        return outcome;
    }
    let known =
        notes.meta.get(&attr::FTP_SERVER).is_some() || notes.meta.get(&attr::FTP_USER).is_some();
    let from_server = view.data.first().is_some_and(u8::is_ascii_digit);
    let outcome = if from_server { read_replies(view, notes) } else { read_commands(view, notes) };
    match outcome {
        Outcome::NotMine if known => Outcome::GiveUp,
        other => other,
    }
}

fn read_replies(view: &View<'_>, notes: &mut Notes<'_>) -> Outcome {
    let greeted = match text::any_keyword(view.data, &[b"220", b"120"]) {
        Match::Yes([]) | Match::Partly => return Outcome::NeedMore,
        Match::Yes([b' ' | b'-', ..]) => true,
        Match::Yes(_) => return Outcome::NotMine,
        Match::No => false,
    };
    let Some((greeting, _)) = text::line(view.data) else { return text::open_line(view.data) };
    if !text::is_text(greeting) || text::contains(greeting, b"SMTP") {
        return Outcome::NotMine;
    }
    let mut proven = greeted && text::contains(greeting, b"FTP");
    let mut encrypted = false;
    for reply in text::lines(view.data) {
        proven |= matches!(text::any_keyword(reply, REPLIES), Match::Yes(_));
        proven |= reply.starts_with(b"220") && text::contains(reply, b"FTP");
        encrypted |= reply.starts_with(b"234");
    }
    if !proven {
        return if greeted { Outcome::NeedMore } else { Outcome::NotMine };
    }
    let tried = notes.meta.risks();
    let tried = tried.has(Risk::ClearTextCredentials) || tried.has(Risk::AnonymousLogin);
    for reply in text::lines(view.data) {
        announce_passive(view, notes, reply);
        if tried && reply.starts_with(b"530") {
            notes.meta.set_risk(Risk::LoginRefused);
        }
    }
    if greeted {
        notes.meta.put(&attr::FTP_SERVER, greeting.get(4..).unwrap_or_default());
    }
    let app = if encrypted { AppId::FTPS } else { AppId::FTP_CONTROL };
    Outcome::found_more(app)
}

fn read_commands(view: &View<'_>, notes: &mut Notes<'_>) -> Outcome {
    let mut proven = false;
    let mut begun = false;
    for command in text::lines(view.data) {
        if let Match::Yes(user) = text::keyword(command, b"USER ") {
            // IRC's has four parameters.
            if user.contains(&b' ') {
                return Outcome::NotMine;
            }
            notes.meta.put(&attr::FTP_USER, user);
            begun = true;
        }
    }
    match text::any_keyword(view.data, COMMANDS) {
        Match::Yes(_) => proven = true,
        Match::Partly => return Outcome::NeedMore,
        Match::No => {}
    }
    let asks = |line: &[u8]| line.get(..5).is_some_and(|word| word.eq_ignore_ascii_case(b"AUTH "));
    if let text::Upgrade::Done(at) = text::upgrade(view.data, asks) {
        return web::tls_inside(view, notes, at, AppId::FTPS);
    }
    if proven || (begun && notes.meta.get(&attr::FTP_SERVER).is_some()) {
        for command in text::lines(view.data) {
            announce_active(view, notes, command);
        }
        note_login(view.data, notes);
        return Outcome::found_more(AppId::FTP_CONTROL);
    }
    match text::any_keyword(view.data, &[b"USER ", b"HOST "]) {
        Match::Yes(_) if begun || text::is_text(view.data) => Outcome::NeedMore,
        Match::Partly => Outcome::NeedMore,
        _ => Outcome::NotMine,
    }
}

/// Notes that somebody logged in: without an account (RFC 1635), or with a password in clear.
fn note_login(commands: &[u8], notes: &mut Notes<'_>) {
    let mut anonymous = false;
    for command in text::lines(commands) {
        if let Match::Yes(user) = text::keyword(command, b"USER ") {
            let user = user.trim_ascii();
            anonymous =
                user.eq_ignore_ascii_case(b"anonymous") || user.eq_ignore_ascii_case(b"ftp");
        } else if let Match::Yes(_) = text::keyword(command, b"PASS ") {
            let risk = if anonymous { Risk::AnonymousLogin } else { Risk::ClearTextCredentials };
            notes.meta.set_risk(risk);
        }
    }
}

/// Announces the data connection of a 227 (RFC 959 section 4.1.2) or 229 (RFC 2428 section 3)
/// reply.
fn announce_passive(view: &View<'_>, notes: &mut Notes<'_>, reply: &[u8]) {
    if let Match::Yes(rest) = text::keyword(reply, b"227 ") {
        // The numbers may stand without brackets (RFC 1123 section 4.1.2.6).
        let digits = rest.iter().position(u8::is_ascii_digit).unwrap_or(rest.len());
        if let Some((_, port)) = rest.get(digits..).and_then(host_port) {
            announce(view, notes, port);
        }
    } else if let Match::Yes(rest) = text::keyword(reply, b"229 ")
        && let Some([mark, again, third, port @ ..]) = text::between(rest, b'(', b')')
        && mark == again
        && mark == third
        && let Some((port, _)) = text::number(port)
        && let Ok(port) = u16::try_from(port)
    {
        announce(view, notes, port);
    }
}

/// Announces the data connection of a `PORT` or `EPRT` command.
fn announce_active(view: &View<'_>, notes: &mut Notes<'_>, command: &[u8]) {
    let named = if let Match::Yes(rest) = text::keyword(command, b"PORT ") {
        let named = host_port(rest);
        if named.is_none() {
            notes.meta.set_risk(Risk::Malformed);
        }
        named
    } else if let Match::Yes(rest) = text::keyword(command, b"EPRT ") {
        extended(rest)
    } else {
        None
    };
    if let Some((_, port)) = named {
        announce(view, notes, port);
    }
}

/// Announces `port` of whoever sent these bytes. The address they name is not used: behind a
/// translator it is wrong, and a hostile peer could name a stranger's flow by it (RFC 2577
/// section 3).
fn announce(view: &View<'_>, notes: &mut Notes<'_>, port: u16) {
    let sender = if view.from_client() { view.client } else { view.server };
    notes.knowledge.expect_flow(sender.address, port, AppId::FTP_DATA);
}

/// `h1,h2,h3,h4,p1,p2`.
fn host_port(bytes: &[u8]) -> Option<([u8; 16], u16)> {
    let mut rest = bytes;
    let mut numbers = [0_u8; 6];
    for (index, slot) in numbers.iter_mut().enumerate() {
        if index > 0 {
            rest = rest.strip_prefix(b",")?;
        }
        let (value, behind) = text::number(rest)?;
        *slot = u8::try_from(value).ok()?;
        rest = behind;
    }
    let [a, b, c, d, high, low] = numbers;
    let address = std::net::Ipv4Addr::new(a, b, c, d).to_ipv6_mapped().octets();
    Some((address, u16::from_be_bytes([high, low])))
}

/// `|1|132.235.1.2|6275|` or `|2|1080::8:800:200C:417A|5282|`, with any mark.
fn extended(bytes: &[u8]) -> Option<([u8; 16], u16)> {
    let (mark, rest) = bytes.split_first()?;
    let mut fields = rest.split(|byte| byte == mark);
    let (family, address, port) = (fields.next()?, fields.next()?, fields.next()?);
    let address = std::str::from_utf8(address).ok()?;
    let address = match family {
        b"1" => address.parse::<std::net::Ipv4Addr>().ok()?.to_ipv6_mapped().octets(),
        b"2" => address.parse::<std::net::Ipv6Addr>().ok()?.octets(),
        _ => return None,
    };
    Some((address, u16::try_from(text::number(port)?.0).ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dissect::testing::{CLIENT, Flow, SERVER, check_never, check_prefixes, run};
    use crate::view::Direction::{ToClient, ToServer};
    use crate::view::Endpoint;

    const FOUND: Outcome = Outcome::found_more(AppId::FTP_CONTROL);

    #[test]
    fn a_greeting_with_the_word_is_enough() {
        let greeting = b"220 ProFTPD 1.3.5 Server ready.\r\n";
        let (outcome, meta) = run(&DISSECTOR, ToClient, Transport::Tcp, greeting, (5000, 21));
        assert_eq!(outcome, FOUND);
        assert_eq!(meta.get(&attr::FTP_SERVER), Some(&b"ProFTPD 1.3.5 Server ready."[..]));
        check_prefixes(&DISSECTOR, ToClient, Transport::Tcp, greeting, (5000, 21));
    }

    #[test]
    fn a_greeting_without_it_waits_for_a_reply_of_its_own() {
        let mut flow = Flow::new(Transport::Tcp, (5000, 2100));
        let stream = b"220 Welcome.\r\n331 Please specify the password.\r\n";
        assert_eq!(flow.ask(&DISSECTOR, ToClient, &stream[..14]), Outcome::NeedMore);
        assert_eq!(flow.ask(&DISSECTOR, ToServer, b"USER joe\r\n"), Outcome::NeedMore);
        assert_eq!(flow.ask(&DISSECTOR, ToClient, stream), FOUND);
        assert_eq!(flow.meta.get(&attr::FTP_USER), Some(&b"joe"[..]));
    }

    #[test]
    fn the_password_is_not_kept() {
        let mut flow = Flow::new(Transport::Tcp, (5000, 21));
        flow.ask(&DISSECTOR, ToServer, b"USER joe\r\nPASS hunter2\r\n");
        assert!(!flow.meta.as_bytes().windows(7).any(|window| window == b"hunter2"));
    }

    #[test]
    fn mail_is_not_ftp() {
        for near in [
            &b"220 mx.example ESMTP Postfix\r\n"[..],
            b"220 mx.example ready\r\n",
            b"+OK ready\r\n",
            b"USER joe\r\nPASS x\r\n",
            b"USER a b c :d\r\n",
            b"EHLO x\r\n",
            b"POST / HTTP/1.1\r\n",
        ] {
            check_never(&DISSECTOR, ToClient, Transport::Tcp, near, (5000, 21));
        }
    }

    #[test]
    fn only_the_senders_own_flow_is_announced_and_only_by_ftp() {
        let announced = |direction, data: &[u8]| {
            let mut meta = crate::meta::Meta::default();
            let mut scratch = crate::scratch::Scratch::default();
            let mut knowledge = crate::knowledge::Knowledge::default();
            let mut crypto = crate::crypto_pool::CryptoPool::new(1);
            let (client, server) =
                (Endpoint { address: CLIENT, port: 5000 }, Endpoint { address: SERVER, port: 21 });
            let view = View {
                data,
                direction,
                transport: Transport::Tcp,
                client,
                server,
                last: false,
                packets_before: 0,
                now_ns: 0,
            };
            let mut notes = Notes {
                meta: &mut meta,
                scratch: &mut scratch,
                knowledge: &mut knowledge,
                crypto: &mut crypto,
            };
            super::run(&view, &mut notes);
            let at = |address| {
                let end = Endpoint { address, port: 5001 };
                knowledge.expected(end, end) == AppId::FTP_DATA
            };
            let stranger = std::net::Ipv4Addr::new(203, 0, 113, 9).to_ipv6_mapped().octets();
            (at(CLIENT), at(SERVER), at(stranger))
        };
        let passive = b"220 FTP\r\n227 Entering Passive Mode (203,0,113,9,19,137).\r\n";
        assert_eq!(announced(ToClient, passive), (false, true, false));
        let active = b"PORT 203,0,113,9,19,137\r\n";
        assert_eq!(announced(ToServer, active), (true, false, false));
        let mail = b"220 mx ESMTP\r\n227 (203,0,113,9,19,137)\r\n";
        assert_eq!(announced(ToClient, mail), (false, false, false));
    }

    #[test]
    fn data_connections_are_read() {
        let expected = std::net::Ipv4Addr::new(192, 0, 2, 7).to_ipv6_mapped().octets();
        assert_eq!(host_port(b"192,0,2,7,19,137)."), Some((expected, 5001)));
        assert_eq!(host_port(b"192,0,2,7,256,1"), None);
        assert_eq!(host_port(b"192,0,2,7,1"), None);
        assert_eq!(extended(b"|1|192.0.2.7|5001|"), Some((expected, 5001)));
        let six = extended(b"|2|::1|5282|").expect("an address");
        assert_eq!((six.0[15], six.1), (1, 5282));
        assert_eq!(extended(b"|3|x|1|"), None);
    }
}
