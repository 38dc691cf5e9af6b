//! Syslog: RFC 5424 section 6, the older form of RFC 3164 section 4.1, and the two framings over
//! TCP of RFC 6587 section 3.4.

use super::{BOTH, cut_short};
use crate::app::AppId;
use crate::attr;
use crate::view::{Dissector, First, Notes, Outcome, Transport, View};

/// Syslog.
pub(super) const SYSLOG: Dissector = Dissector {
    app: AppId::SYSLOG,
    over: BOTH,
    ports: &[514, 601],
    ports_only: false,
    first: First::OneOf(b"<123456789"),
    run: syslog,
};

/// Bytes of the message that have to be there before it is judged.
const ENOUGH_BYTES: usize = 24;
/// 24 facilities of eight severities.
const PRIORITIES: u16 = 192;

fn syslog(view: &View<'_>, notes: &mut Notes<'_>) -> Outcome {
    let counted = view.data.first().is_some_and(u8::is_ascii_digit);
    let message = if counted {
        // Octet counting: the length in digits and a blank. Only streams need it.
        if view.transport == Transport::Udp {
            return Outcome::NotMine;
        }
        match digits(view.data, 5) {
            Digits::Number(_, [b' ', message @ ..]) => message,
            Digits::Number(_, []) => return Outcome::NeedMore,
            _ => return Outcome::NotMine,
        }
    } else {
        view.data
    };
    let after = match message {
        [] => return Outcome::NeedMore,
        [b'<', after @ ..] => after,
        _ => return Outcome::NotMine,
    };
    let (priority, text) = match digits(after, 3) {
        Digits::Number(priority, [b'>', text @ ..]) if priority < PRIORITIES => (priority, text),
        Digits::Number(_, []) => return cut_short(view),
        _ => return Outcome::NotMine,
    };
    if text.len() < ENOUGH_BYTES && view.transport == Transport::Tcp && !text.contains(&b'\n') {
        return Outcome::NeedMore;
    }
    let Some(header) = fields(text) else {
        // On its port any text behind a priority is taken for a message: much equipment sends
        // nothing else.
        let own_port = view.port_is(514) || view.port_is(601);
        let head = text.get(..ENOUGH_BYTES.min(text.len())).unwrap_or_default();
        let is_text = head.iter().all(|byte| !byte.is_ascii_control() || *byte == b'\t');
        if !own_port || head.len() < 2 || !is_text {
            return Outcome::NotMine;
        }
        note_priority(priority, notes);
        return Outcome::found(AppId::SYSLOG);
    };
    note_priority(priority, notes);
    notes.meta.put(&attr::SYSLOG_HOST, header.host);
    notes.meta.put(&attr::SYSLOG_PROGRAM, header.program);
    Outcome::found(AppId::SYSLOG)
}

fn note_priority(priority: u16, notes: &mut Notes<'_>) {
    notes.meta.put_number(&attr::SYSLOG_FACILITY, u64::from(priority / 8));
    notes.meta.put_number(&attr::SYSLOG_SEVERITY, u64::from(priority % 8));
}

enum Digits<'a> {
    /// The number and what comes after it.
    Number(u16, &'a [u8]),
    None,
}

/// A decimal number of at most `most` digits.
fn digits(bytes: &[u8], most: usize) -> Digits<'_> {
    let count = bytes.iter().take(most).take_while(|byte| byte.is_ascii_digit()).count();
    let (number, rest) = bytes.split_at(count);
    let value = number
        .iter()
        .try_fold(0u16, |sum, digit| sum.checked_mul(10)?.checked_add(u16::from(digit - b'0')));
    match value {
        Some(value) if count > 0 || bytes.is_empty() => Digits::Number(value, rest),
        _ => Digits::None,
    }
}

struct Fields<'a> {
    host: &'a [u8],
    program: &'a [u8],
}

/// What follows the priority: version, time, host, program (RFC 5424), or time, host, program.
fn fields(text: &[u8]) -> Option<Fields<'_>> {
    let mut words = text.splitn(5, |byte| *byte == b' ');
    if let Some(rest) = text.strip_prefix(b"1 ") {
        // `2026-01-31T` or a dash for "no time".
        let is_time = rest.starts_with(b"- ") || is_iso_date(rest);
        let (_, _) = (words.next()?, words.next()?);
        let (host, program) = (words.next()?, words.next()?);
        let nil = |word| if word == b"-" { &b""[..] } else { word };
        return is_time.then_some(Fields { host: nil(host), program: nil(program) });
    }
    // `Mmm dd hh:mm:ss `, sixteen bytes with the blank.
    let stamp = text.first_chunk::<16>()?;
    if !is_stamp(stamp) {
        return None;
    }
    let mut words = text.get(16..)?.splitn(3, |byte| *byte == b' ');
    let (host, tag) = (words.next()?, words.next().unwrap_or_default());
    let end = tag.iter().position(|byte| !is_tag_byte(*byte)).unwrap_or(tag.len());
    Some(Fields { host, program: tag.get(..end).unwrap_or_default() })
}

fn is_tag_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'/' | b'.')
}

fn is_iso_date(text: &[u8]) -> bool {
    let Some([y1, y2, y3, y4, b'-', m1, m2, b'-', d1, d2, b'T']) = text.first_chunk::<11>() else {
        return false;
    };
    [y1, y2, y3, y4, m1, m2, d1, d2].iter().all(|byte| byte.is_ascii_digit())
}

fn is_stamp(stamp: &[u8; 16]) -> bool {
    const MONTHS: &[u8; 36] = b"JanFebMarAprMayJunJulAugSepOctNovDec";
    let [a, b, c, b' ', d1, d2, b' ', h1, h2, b':', m1, m2, b':', s1, s2, b' '] = stamp else {
        return false;
    };
    let is_month = MONTHS.chunks_exact(3).any(|month| month == [*a, *b, *c]);
    let is_day = (d1.is_ascii_digit() || *d1 == b' ') && d2.is_ascii_digit();
    is_month && is_day && [h1, h2, m1, m2, s1, s2].iter().all(|byte| byte.is_ascii_digit())
}
