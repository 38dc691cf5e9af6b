//! IRC (RFC 2812), XMPP (RFC 6120) and NNTP (RFC 3977): text in both directions.

use super::text::{self, Match};
use crate::app::AppId;
use crate::attr;
use crate::risk::Risk;
use crate::view::{Dissector, First, Notes, Outcome, Transport, View};

pub(super) const IRC: Dissector = Dissector {
    app: AppId::IRC,
    over: &[Transport::Tcp],
    ports: &[6667, 6660, 6666, 6668, 6669, 7000],
    ports_only: false,
    first: First::OneOf(b"NUCP:nucp"),
    run: irc,
};

pub(super) const XMPP: Dissector = Dissector {
    app: AppId::XMPP,
    over: &[Transport::Tcp],
    ports: &[5222, 5269],
    ports_only: false,
    first: First::OneOf(b"<"),
    run: xmpp,
};

pub(super) const NNTP: Dissector = Dissector {
    app: AppId::NNTP,
    over: &[Transport::Tcp],
    ports: &[119, 433],
    ports_only: false,
    first: First::OneOf(b"2MmGA"),
    run: nntp,
};

/// `NICK` and `USER` with its four parameters, `CAP LS`; the server's `NOTICE` and 001. Either
/// command alone is another protocol's too, so the lines of a stream are looked at together.
fn irc(view: &View<'_>, notes: &mut Notes<'_>) -> Outcome {
    const BEGINNINGS: &[&[u8]] = &[b"NICK ", b"USER ", b"CAP ", b"PASS ", b"NOTICE "];
    let from_server = view.data.first() == Some(&b':');
    if !from_server {
        match text::any_keyword(view.data, BEGINNINGS) {
            Match::Yes(_) => {}
            Match::Partly => return Outcome::NeedMore,
            Match::No => return Outcome::NotMine,
        }
    }
    if text::line(view.data).is_none() {
        return text::open_line(view.data);
    }
    learn_direct(view, notes);
    let mut found = false;
    for line in text::lines(view.data) {
        let (first, rest) = text::word(line);
        if let Some(server) = first.strip_prefix(b":") {
            let (command, parameters) = text::word(rest);
            let known = matches!(command, b"001" | b"002" | b"433" | b"NOTICE" | b"CAP");
            // RFC 2812 section 5.2: the password was wrong.
            if command == b"464" {
                notes.meta.set_risk(Risk::LoginRefused);
            }
            if known && !server.is_empty() && !parameters.is_empty() {
                found = true;
                notes.meta.put(&attr::IRC_SERVER, server);
            }
        } else if first.eq_ignore_ascii_case(b"PASS") || first.eq_ignore_ascii_case(b"OPER") {
            notes.meta.set_risk(Risk::ClearTextCredentials);
        } else if first.eq_ignore_ascii_case(b"NICK") {
            notes.meta.put(&attr::IRC_NICK, rest);
            found |= view.port_is(6667) && !rest.is_empty();
        } else if first.eq_ignore_ascii_case(b"USER") {
            found |= rest.split(|byte| *byte == b' ').count() >= 4 && rest.contains(&b':');
        } else if first.eq_ignore_ascii_case(b"NOTICE") {
            found |= matches!(text::any_keyword(rest, &[b"AUTH :", b"* :"]), Match::Yes(_));
        } else if first.eq_ignore_ascii_case(b"CAP") {
            found |= matches!(text::any_keyword(rest, &[b"LS", b"REQ :"]), Match::Yes(_));
        }
    }
    match (found, from_server) {
        (true, _) => Outcome::found_more(AppId::IRC),
        (false, true) => Outcome::NotMine,
        (false, false) => Outcome::NeedMore,
    }
}

/// `\x01DCC SEND name 3221225985 5000 1234\x01` and `DCC CHAT chat`: an address as one number, and
/// the port at which the sender waits for the other client. The address is the sender's own where
/// the client says it, so that a translator before it does no harm.
fn learn_direct(view: &View<'_>, notes: &mut Notes<'_>) {
    let tail = text::tail(view.data);
    if memchr::memchr(1, tail).is_none() {
        return;
    }
    for line in tail.split(|byte| *byte == b'\n') {
        let Some(at) = line.windows(5).position(|window| window == b"\x01DCC ") else { continue };
        let offer = text::until(line.get(at + 5..).unwrap_or_default(), 1).unwrap_or_default();
        // A file's name may hold spaces: what is behind it is counted from the end.
        let (kind, _) = text::word(offer);
        let behind = match kind {
            b"CHAT" => 0,
            b"SEND" => 1,
            _ => continue,
        };
        let mut words = offer.rsplit(|byte| *byte == b' ').skip(behind);
        let number = |word: Option<&[u8]>| word.and_then(text::number).map(|(number, _)| number);
        let (port, address) = (number(words.next()), number(words.next()));
        let (Some(port), Some(address)) = (port.and_then(|port| u16::try_from(port).ok()), address)
        else {
            continue;
        };
        let named = std::net::Ipv4Addr::from(address).to_ipv6_mapped().octets();
        let address = if view.from_client() { view.client.address } else { named };
        notes.knowledge.learn_peer(address, port, AppId::IRC);
    }
}

/// A stream header, perhaps behind an XML declaration (RFC 6120 section 4.2).
fn xmpp(view: &View<'_>, notes: &mut Notes<'_>) -> Outcome {
    match text::any_keyword(view.data, &[b"<?xml ", b"<stream:stream", b"<open xmlns="]) {
        Match::Yes(_) => {}
        Match::Partly => return Outcome::NeedMore,
        Match::No => return Outcome::NotMine,
    }
    let head = view.data.get(..text::LINE_BYTES).unwrap_or(view.data);
    let words = [&b"http://etherx.jabber.org/streams"[..], b"jabber:client", b"jabber:server"];
    if !words.iter().any(|word| text::contains(head, word)) {
        // The header is closed, and it was another document's.
        let closed = head.split(|byte| *byte == b'>').count() > 2;
        let open = !closed && head.len() < text::LINE_BYTES && text::is_text(head);
        return if open { Outcome::NeedMore } else { Outcome::NotMine };
    }
    for mark in [&b" to='"[..], b" to=\""] {
        let at = head.windows(mark.len()).position(|window| window == mark);
        if let Some(rest) = at.and_then(|at| head.get(at + mark.len()..))
            && let Some(quote) = mark.last()
            && let Some(domain) = text::until(rest, *quote)
        {
            notes.meta.put(&attr::XMPP_DOMAIN, domain);
            notes.meta.put(&attr::HOST_NAME, domain);
        }
    }
    Outcome::found(AppId::XMPP)
}

/// The greeting names the protocol; a reader's commands are its own.
fn nntp(view: &View<'_>, notes: &mut Notes<'_>) -> Outcome {
    const COMMANDS: &[&[u8]] = &[
        b"MODE READER\r\n",
        b"MODE STREAM\r\n",
        b"AUTHINFO USER ",
        b"AUTHINFO PASS ",
        b"GROUP alt.",
    ];
    match text::any_keyword(view.data, COMMANDS) {
        Match::Yes(_) => return Outcome::found(AppId::NNTP),
        Match::Partly => return Outcome::NeedMore,
        Match::No => {}
    }
    match text::any_keyword(view.data, &[b"200 ", b"201 "]) {
        Match::Yes(_) => {}
        Match::Partly => return Outcome::NeedMore,
        Match::No => return Outcome::NotMine,
    }
    let Some((line, _)) = text::line(view.data) else { return text::open_line(view.data) };
    let words = [&b"NNTP"[..], b"InterNetNews", b"Usenet", b"news server"];
    if !words.iter().any(|word| text::contains(line, word)) {
        return Outcome::NeedMore;
    }
    notes.meta.put(&attr::NNTP_SERVER, line.get(4..).unwrap_or_default());
    Outcome::found(AppId::NNTP)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dissect::testing::{CLIENT, Flow, SERVER, check_never, check_prefixes, run};
    use crate::view::Direction::{ToClient, ToServer};

    const TCP: Transport = Transport::Tcp;

    #[test]
    fn irc_from_both_sides() {
        let user = b"USER xxxxx +iw xxxxx :Xxxxxx Xxxx\r\n";
        check_prefixes(&IRC, ToServer, TCP, user, (1, 2));
        let notice = b":card.example.net NOTICE * :*** Looking up your hostname...\r\n";
        let (_, meta) = run(&IRC, ToClient, TCP, notice, (1, 2));
        assert_eq!(meta.get(&attr::IRC_SERVER), Some(&b"card.example.net"[..]));
        check_prefixes(&IRC, ToClient, TCP, notice, (1, 2));
        let mut flow = Flow::new(TCP, (1, 6667));
        let offer = b"NICK joe\r\nPRIVMSG ann :\x01DCC SEND a file.txt 3221225993 5000 99\x01\r\n";
        assert_eq!(flow.ask(&IRC, ToServer, offer), Outcome::found_more(AppId::IRC));
        let from = |address, port| crate::view::Endpoint { address, port };
        let (own, other) = (from(CLIENT, 5000), from(SERVER, 9));
        assert_eq!(flow.knowledge.peer(other, own), Some(AppId::IRC));
        let chat =
            b":a!b@c NOTICE * :x\r\n:a!b@c PRIVMSG joe :\x01DCC CHAT chat 3221225993 6000\x01\r\n";
        flow.ask(&IRC, ToClient, chat);
        let named = std::net::Ipv4Addr::new(192, 0, 2, 9).to_ipv6_mapped().octets();
        assert_eq!(flow.knowledge.peer(other, from(named, 6000)), Some(AppId::IRC));
        for near in [&b"USER joe\r\n"[..], b"PUT / HTTP/1.1\r\n", b"PASS x\r\n"] {
            check_never(&IRC, ToServer, TCP, near, (1, 2));
        }
    }

    #[test]
    fn xmpp_names_the_domain() {
        let header = b"<?xml version='1.0'?><stream:stream to='im.example.com' \
            xmlns='jabber:client' xmlns:stream='http://etherx.jabber.org/streams'>";
        let mut flow = Flow::new(TCP, (1, 5222));
        assert_eq!(flow.ask(&XMPP, ToServer, &header[..40]), Outcome::NeedMore);
        assert_eq!(flow.ask(&XMPP, ToServer, header), Outcome::found(AppId::XMPP));
        assert_eq!(flow.meta.get(&attr::HOST_NAME), Some(&b"im.example.com"[..]));
        let other = b"<?xml version='1.0'?><note><to>x</to></note>";
        check_never(&XMPP, ToServer, TCP, other, (1, 2));
    }

    #[test]
    fn nntp_by_greeting_or_command() {
        let greeting = b"200 Leafnode NNTP Daemon, version 1.11.7\r\n";
        check_prefixes(&NNTP, ToClient, TCP, greeting, (1, 119));
        check_prefixes(&NNTP, ToServer, TCP, b"MODE READER\r\n", (1, 119));
        check_never(&NNTP, ToClient, TCP, b"200 OK\r\n", (1, 119));
    }
}
