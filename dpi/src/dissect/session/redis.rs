//! Redis: commands and replies of the serialisation protocol RESP (Redis documentation, "RESP
//! protocol specification").

use super::text::{self, Match};
use crate::app::AppId;
use crate::attr;
use crate::risk::Risk;
use crate::view::{Dissector, First, Notes, Outcome, Transport, View};

/// More elements than a first command has.
const ELEMENTS: u32 = 1024;
/// The longest command name.
const COMMAND_BYTES: u32 = 32;

pub(super) const DISSECTOR: Dissector = Dissector {
    app: AppId::REDIS,
    over: &[Transport::Tcp],
    ports: &[6379, 6380, 26379],
    ports_only: false,
    first: First::OneOf(b"*$+-"),
    run,
};

fn run(view: &View<'_>, notes: &mut Notes<'_>) -> Outcome {
    if view.data.first() == Some(&b'*') {
        return command(view, notes);
    }
    // A reply alone is proof only where it says so: `+OK` is POP3's as well.
    note_refusal(view, notes);
    reply(view)
}

/// `*N CRLF $length CRLF name CRLF …`: the first element of a command is its name.
fn command(view: &View<'_>, notes: &mut Notes<'_>) -> Outcome {
    let Some((count, rest)) = text::line(view.data) else { return short_line(view.data) };
    match text::number(count.get(1..).unwrap_or_default()) {
        Some((1..=ELEMENTS, [])) => {}
        _ => return Outcome::NotMine,
    }
    let Some((length, rest)) = text::line(rest) else {
        let fits = rest.is_empty() || rest.first() == Some(&b'$');
        return if fits { short_line(rest) } else { Outcome::NotMine };
    };
    let Some((bytes @ 1..=COMMAND_BYTES, [])) = length.strip_prefix(b"$").and_then(text::number)
    else {
        return Outcome::NotMine;
    };
    let Some(name) = usize::try_from(bytes).ok().and_then(|bytes| rest.get(..bytes)) else {
        let fits = rest.iter().all(|byte| is_name(*byte));
        return if fits { Outcome::NeedMore } else { Outcome::NotMine };
    };
    if !name.iter().all(|byte| is_name(*byte)) {
        return Outcome::NotMine;
    }
    notes.meta.put(&attr::REDIS_COMMAND, name);
    let hello = name.eq_ignore_ascii_case(b"HELLO") && text::contains(rest, b"\r\nAUTH\r\n");
    if name.eq_ignore_ascii_case(b"AUTH") || hello {
        notes.meta.set_risk(Risk::ClearTextCredentials);
        return Outcome::found_more(AppId::REDIS);
    }
    Outcome::found(AppId::REDIS)
}

/// Before version 6 a wrong password was an error without a name of its own.
fn note_refusal(view: &View<'_>, notes: &mut Notes<'_>) {
    let tried = notes.meta.risks().has(Risk::ClearTextCredentials);
    let wrong = text::any_keyword(view.data, &[b"-WRONGPASS", b"-ERR invalid password"]);
    if tried && matches!(wrong, Match::Yes(_)) {
        notes.meta.set_risk(Risk::LoginRefused);
    }
}

fn is_name(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'-' | b'|')
}

/// A count or length still open: short, or not one.
fn short_line(bytes: &[u8]) -> Outcome {
    let digits = bytes.get(1..).unwrap_or_default();
    let fits =
        bytes.len() <= 12 && digits.iter().all(|byte| byte.is_ascii_digit() || *byte == b'\r');
    if fits { Outcome::NeedMore } else { Outcome::NotMine }
}

fn reply(view: &View<'_>) -> Outcome {
    const OWN: &[&[u8]] = &[b"-NOAUTH ", b"-ERR unknown command", b"-WRONGTYPE ", b"-MOVED "];
    match text::any_keyword(view.data, &[b"+PONG\r\n", b"+OK\r\n", b"-DENIED Redis"]) {
        Match::Yes(_) if view.port_is(6379) || view.data.first() == Some(&b'-') => {
            return Outcome::found(AppId::REDIS);
        }
        Match::Yes(_) | Match::Partly => return Outcome::NeedMore,
        Match::No => {}
    }
    match text::any_keyword(view.data, OWN) {
        Match::Yes(_) => return Outcome::found(AppId::REDIS),
        Match::Partly => return Outcome::NeedMore,
        Match::No => {}
    }
    let Some((_, rest)) = text::line(view.data).filter(|_| view.data.starts_with(b"$")) else {
        let open = view.data.starts_with(b"$") && short_line(view.data) == Outcome::NeedMore;
        return if open { Outcome::NeedMore } else { Outcome::NotMine };
    };
    match text::any_keyword(rest, &[b"# Server\r\nredis_version:", b"redis_version:"]) {
        Match::Yes(_) => Outcome::found(AppId::REDIS),
        Match::Partly => Outcome::NeedMore,
        Match::No => Outcome::NotMine,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dissect::testing::{check_never, check_prefixes, run};
    use crate::view::Direction::{ToClient, ToServer};

    #[test]
    fn commands_prove_it() {
        let ping = b"*1\r\n$7\r\nCOMMAND\r\n";
        let (outcome, meta) = run(&DISSECTOR, ToServer, Transport::Tcp, ping, (5000, 7000));
        assert_eq!(outcome, Outcome::found(AppId::REDIS));
        assert_eq!(meta.get(&attr::REDIS_COMMAND), Some(&b"COMMAND"[..]));
        check_prefixes(&DISSECTOR, ToServer, Transport::Tcp, ping, (5000, 7000));
    }

    #[test]
    fn replies_that_name_it_prove_it() {
        let info = b"$3000\r\n# Server\r\nredis_version:7.0.1\r\n";
        check_prefixes(&DISSECTOR, ToClient, Transport::Tcp, info, (5000, 7000));
        let denied = b"-NOAUTH Authentication required.\r\n";
        check_prefixes(&DISSECTOR, ToClient, Transport::Tcp, denied, (5000, 7000));
    }

    #[test]
    fn near_misses() {
        for near in [
            &b"* OK IMAP4 ready\r\n"[..],
            b"+OK POP3 ready\r\n",
            b"*1\r\n$7\r\nCOM\x01AND\r\n",
            b"*99999\r\n$4\r\nPING\r\n",
            b"$100$\r\n",
            b"-ERR [AUTH] failed\r\n",
        ] {
            check_never(&DISSECTOR, ToServer, Transport::Tcp, near, (5000, 7000));
        }
    }
}
