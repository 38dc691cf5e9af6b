//! The conditions of a rule, up to the arrow.

use super::super::condition::{
    Bytes, Condition, End, HostPattern, JA4_BYTES, NotAPrefix, Place, Prefix, UrlPattern,
};
use super::super::ends::{end_of, is_of_ends};
use super::super::text::{Word, Wrong};
use super::Words;
use crate::view::{Direction, Transport};

/// Conditions of a rule at most.
const MOST: usize = 8;
/// Bytes of a pattern at most.
const PATTERN_BYTES: usize = 255;
/// Stars of a pattern at most.
const STARS: usize = 4;
/// Bytes of a signature at most.
const VALUE_BYTES: usize = 128;
/// In how many bytes of a payload something is looked for, if the rule does not say.
const WITHIN: u16 = 256;
const KINDS: &str = "app, list, host, sni, url, address, prefix, port, ja4 or bytes";

pub(super) fn read(words: &mut Words<'_>) -> Result<Vec<Condition>, Wrong> {
    let mut conditions = Vec::new();
    loop {
        let column = words.peek().map_or(0, |word| word.column);
        let condition = condition(words)?;
        if conditions.len() == MOST {
            let expected = format!("at most {MOST}");
            return Err(Wrong::new(column, "another condition", expected));
        }
        fits(&conditions, &condition).map_err(|why| {
            let expected = "a rule about one thing, with addresses and ports";
            Wrong::new(column, why, expected)
        })?;
        conditions.push(condition);
        let expected = "and, or -> and an application";
        let word = words.need(expected)?;
        if word.is("->") {
            return Ok(conditions);
        }
        if !word.is("and") {
            return Err(Wrong::new(word.column, format!("{} here", word.shown()), expected));
        }
    }
}

/// Whether a rule with these conditions may have this one too.
fn fits(others: &[Condition], new: &Condition) -> Result<(), &'static str> {
    use Condition::{Bytes as Payload, Host, Ja4, Url};
    let searched = |condition: &Condition| matches!(condition, Payload(bytes) if matches!(bytes.place, Place::Within(_)));
    for other in others.iter().filter(|other| !is_of_ends(other)) {
        match (other, new) {
            (Host { .. }, Host { .. }) => return Err("a second host name"),
            (Url(_), Url(_)) => return Err("a second path"),
            (Ja4(_), Ja4(_)) => return Err("a second fingerprint"),
            (Payload(_), Payload(_)) if searched(other) && searched(new) => {
                return Err("a second \"contains\"");
            }
            (Url(_), Host { sni: true, .. }) | (Host { sni: true, .. }, Url(_)) => {
                return Err("a path is never seen where there is an sni; write host");
            }
            (Payload(_), Payload(_))
            | (Host { .. }, Url(_) | Ja4(_))
            | (Url(_) | Ja4(_), Host { .. }) => {}
            _ if is_of_ends(new) => {}
            _ => return Err("conditions that are not known at the same time"),
        }
    }
    Ok(())
}

fn condition(words: &mut Words<'_>) -> Result<Condition, Wrong> {
    let mut word = words.need(KINDS)?;
    let end = if word.quoted { None } else { end_of(&word.bytes) };
    if end.is_some() {
        word = words.need("address, prefix or port")?;
    }
    let unknown =
        |expected: &str| Err(Wrong::new(word.column, format!("{} here", word.shown()), expected));
    match (end, word.bytes.as_slice()) {
        _ if word.quoted => unknown(KINDS),
        (_, b"address") => prefix(words.need("an address")?, end.unwrap_or(End::Server), false),
        (_, b"prefix") => prefix(words.need("a prefix")?, end.unwrap_or(End::Server), true),
        (_, b"port") => port(words.need("a port")?, end.unwrap_or(End::Server)),
        (Some(_), _) => unknown("address, prefix or port"),
        (None, b"host") => host(words.need("a host name")?, false),
        (None, b"sni") => host(words.need("a host name")?, true),
        (None, b"url") => url(words.need("a path")?),
        (None, b"ja4") => ja4(words.need("a JA4 fingerprint")?),
        (None, b"bytes") => bytes(words),
        _ => unknown(KINDS),
    }
}

fn prefix(word: &Word, end: End, with_length: bool) -> Result<Condition, Wrong> {
    let text = String::from_utf8_lossy(&word.bytes);
    let wrong = |what: &str, expected: String| {
        Err(Wrong::new(word.column, format!("{} {what}", word.shown()), expected))
    };
    if text.contains('/') != with_length {
        return if with_length {
            wrong("has no length", "a prefix such as 198.51.100.0/24 or 2001:db8::/32".into())
        } else {
            wrong("is a prefix", "one address; or write prefix instead of address".into())
        };
    }
    match Prefix::read(&text) {
        Ok((prefix, false)) => Ok(Condition::Prefix { end, prefix }),
        Ok((prefix, true)) => {
            let address = std::net::Ipv6Addr::from(prefix.address).to_canonical();
            let bits = prefix.bits - if address.is_ipv4() { 96 } else { 0 };
            wrong("has bits beyond its length", format!("{address}/{bits}"))
        }
        Err(NotAPrefix::Address) => wrong("is no address", "IPv4 or IPv6".into()),
        Err(NotAPrefix::Length) => wrong("has no sane length", "0 to 32, or 128 for IPv6".into()),
    }
}

fn port(word: &Word, end: End) -> Result<Condition, Wrong> {
    let text = String::from_utf8_lossy(&word.bytes);
    let no_port = || {
        let expected = "a port such as tcp/8443, udp/5000-5010 or any/53";
        Err(Wrong::new(word.column, format!("{} is no port", word.shown()), expected))
    };
    let (over, range) = match text.split_once('/') {
        Some(("tcp", range)) => (Some(Transport::Tcp), range),
        Some(("udp", range)) => (Some(Transport::Udp), range),
        Some(("any", range)) => (None, range),
        Some(_) => return no_port(),
        None => (None, &*text),
    };
    let (first, last) = range.split_once('-').unwrap_or((range, range));
    match (number(first), number(last)) {
        (Some(first), Some(last)) if first <= last => {
            Ok(Condition::Port { over, end, first, last })
        }
        (Some(_), Some(_)) => {
            let wrong = format!("{} ends before it begins", word.shown());
            Err(Wrong::new(word.column, wrong, "the lower port first"))
        }
        _ => no_port(),
    }
}

/// Digits alone, in range.
pub(in super::super) fn number<N: std::str::FromStr>(text: &str) -> Option<N> {
    let digits = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    digits.then(|| text.parse().ok()).flatten()
}

fn host(word: &Word, sni: bool) -> Result<Condition, Wrong> {
    let pattern = host_pattern(&word.bytes).map_err(|(why, expected)| {
        Wrong::new(word.column, format!("{} {why}", word.shown()), expected)
    })?;
    Ok(Condition::Host { pattern, sni })
}

/// Reads a pattern of host names, or says what is wrong with it and what is expected.
pub(in super::super) fn host_pattern(
    text: &[u8],
) -> Result<HostPattern, (&'static str, &'static str)> {
    let text = text.to_ascii_lowercase();
    let text = text.strip_suffix(b".").unwrap_or(&text);
    let (exact, text) = match text.strip_prefix(b"=") {
        Some(rest) => (true, rest),
        None => (false, text),
    };
    let stars = text.split(|byte| *byte == b'*').count() - 1;
    if stars > STARS || (exact && stars > 0) {
        return Err(("has too many stars", "at most 4, and none after ="));
    }
    if !text.is_ascii() {
        return Err(("has letters beyond ASCII", "the form that starts with xn--"));
    }
    let label = |label: &[u8]| {
        let fits = |byte: &u8| byte.is_ascii_alphanumeric() || b"-_*".contains(byte);
        (1..=63).contains(&label.len()) && label.iter().all(fits)
    };
    if text.len() > 253 || !text.split(|byte| *byte == b'.').all(label) {
        return Err(("is no host name", "name.example, *.name.example or =name.example"));
    }
    if exact {
        return Ok(HostPattern::Exact(text.into()));
    }
    let Some(star) = text.iter().rposition(|byte| *byte == b'*') else {
        return Ok(HostPattern::Under { suffix: text.into(), itself: true });
    };
    let dot = text.iter().skip(star).position(|byte| *byte == b'.');
    let Some(suffix_at) = dot.map(|dot| star + dot + 1) else {
        return Err((
            "has a star in its last label",
            "at least one label without a star at the end",
        ));
    };
    match text.strip_prefix(b"*.") {
        Some(suffix) if stars == 1 => {
            Ok(HostPattern::Under { suffix: suffix.into(), itself: false })
        }
        _ => Ok(HostPattern::Glob { pattern: text.into(), suffix_at }),
    }
}

fn url(word: &Word) -> Result<Condition, Wrong> {
    let wrong = |what: &str, expected: &str| {
        Err(Wrong::new(word.column, format!("{} {what}", word.shown()), expected))
    };
    let (exact, text) = match word.bytes.strip_prefix(b"=") {
        Some(rest) => (true, rest),
        None => (false, word.bytes.as_slice()),
    };
    let stars = text.split(|byte| *byte == b'*').count() - 1;
    if stars > STARS || (exact && stars > 0) {
        return wrong("has too many stars", "at most 4, and none after =");
    }
    if text.len() > PATTERN_BYTES {
        return wrong("is too long", "at most 255 bytes");
    }
    if !text.starts_with(b"/") && !text.starts_with(b"*") {
        return wrong("begins with neither / nor *", "/path, */part* or =/path");
    }
    if stars > 0 && text.iter().all(|byte| *byte == b'*') {
        return wrong("fits every path", "something beside stars");
    }
    let mut pattern = text.to_vec();
    if stars == 0 && !exact {
        pattern.push(b'*');
    }
    Ok(Condition::Url(UrlPattern(pattern.into())))
}

fn ja4(word: &Word) -> Result<Condition, Wrong> {
    read_ja4(&word.bytes).map(Condition::Ja4).ok_or_else(|| {
        let wrong = format!("{} is no JA4 fingerprint", word.shown());
        Wrong::new(word.column, wrong, "36 characters such as t13d1516h2_8daaf6152771_b186095e22b6")
    })
}

/// Reads a JA4 fingerprint (of a TLS or QUIC client).
pub(in super::super) fn read_ja4(text: &[u8]) -> Option<[u8; JA4_BYTES]> {
    let bytes: [u8; JA4_BYTES] = text.try_into().ok()?;
    let mut parts = text.split(|byte| *byte == b'_');
    let (a, b, c) = (parts.next()?, parts.next()?, parts.next()?);
    let hash = |part: &[u8]| {
        part.len() == 12
            && part.iter().all(|byte| byte.is_ascii_digit() || (b'a'..=b'f').contains(byte))
    };
    let first = a.len() == 10
        && a.iter().all(u8::is_ascii_alphanumeric)
        && a.first().is_some_and(|byte| b"tqd".contains(byte))
        && a.get(4..8).is_some_and(|counts| counts.iter().all(u8::is_ascii_digit));
    (first && hash(b) && hash(c)).then_some(bytes)
}

fn bytes(words: &mut Words<'_>) -> Result<Condition, Wrong> {
    let word = words.need("tcp, udp or any")?;
    let over = match word.bytes.as_slice() {
        b"tcp" => Some(Transport::Tcp),
        b"udp" => Some(Transport::Udp),
        b"any" => None,
        _ => {
            let wrong = format!("{} here", word.shown());
            return Err(Wrong::new(word.column, wrong, "tcp, udp or any"));
        }
    };
    let (mut from, mut packets) = (None, (0, u8::MAX));
    if words.take_if("from") {
        let word = words.need("client or server")?;
        from = Some(match word.bytes.as_slice() {
            b"client" => Direction::ToServer,
            b"server" => Direction::ToClient,
            _ => {
                let wrong = format!("{} here", word.shown());
                return Err(Wrong::new(word.column, wrong, "client or server"));
            }
        });
    }
    if words.take_if("packet") {
        packets = packet(words.need("a packet's number")?)?;
    }
    let expected = "from, packet (in this order), offset or contains";
    let word = words.need(expected)?;
    let mut place = match word.bytes.as_slice() {
        b"offset" => {
            let word = words.need("an offset")?;
            Place::Offset(bounded(word, "an offset", 0, Bytes::REACH - 1)?)
        }
        b"contains" => Place::Within(WITHIN),
        digits if digits.first().is_some_and(u8::is_ascii_digit) => {
            Place::Offset(bounded(word, "an offset", 0, Bytes::REACH - 1)?)
        }
        _ => return Err(Wrong::new(word.column, format!("{} here", word.shown()), expected)),
    };
    let column = words.peek().map_or(words.last, |word| word.column);
    let value = value(words)?;
    if let Place::Within(within) = &mut place {
        if words.take_if("within") {
            *within = bounded(words.need("bytes")?, "a number of bytes", 1, Bytes::REACH)?;
        }
        if value.len() < 3 {
            let wrong = "too little to look for everywhere";
            return Err(Wrong::new(column, wrong, "at least 3 bytes, or an offset"));
        }
    }
    let end = match place {
        Place::Offset(offset) => usize::from(offset) + value.len() <= usize::from(Bytes::REACH),
        Place::Within(within) => value.len() <= usize::from(within),
    };
    if value.is_empty() || value.len() > VALUE_BYTES || !end {
        let expected = format!("1 to {VALUE_BYTES} bytes within the first {}", Bytes::REACH);
        return Err(Wrong::new(
            column,
            format!("{} bytes that cannot be there", value.len()),
            expected,
        ));
    }
    Ok(Condition::Bytes(Bytes { over, from, packets, place, value: value.into() }))
}

fn packet(word: &Word) -> Result<(u8, u8), Wrong> {
    let text = String::from_utf8_lossy(&word.bytes);
    let (first, last) = text.split_once('-').unwrap_or((&text, &text));
    match (number::<u8>(first), number::<u8>(last)) {
        (Some(first), Some(last)) if 0 < first && first <= last => Ok((first, last)),
        _ => {
            let wrong = format!("{} is no packet's number", word.shown());
            Err(Wrong::new(
                word.column,
                wrong,
                "1 for the first with payload, or a range such as 1-3",
            ))
        }
    }
}

fn bounded(word: &Word, what: &str, least: u16, most: u16) -> Result<u16, Wrong> {
    let found = number(&String::from_utf8_lossy(&word.bytes));
    found.filter(|number| (least..=most).contains(number)).ok_or_else(|| {
        let wrong = format!("{} is no such number", word.shown());
        Wrong::new(word.column, wrong, format!("{what}, {least} to {most}"))
    })
}

fn value(words: &mut Words<'_>) -> Result<Vec<u8>, Wrong> {
    let expected = "text in quotation marks, or hex and digits";
    let word = words.need(expected)?;
    if word.quoted {
        return Ok(word.bytes.clone());
    }
    if !word.is("hex") {
        return Err(Wrong::new(word.column, format!("{} here", word.shown()), expected));
    }
    let word = words.need("hexadecimal digits")?;
    let digits: Vec<u8> = word.bytes.iter().copied().filter(|byte| *byte != b' ').collect();
    read_hex(&digits).ok_or_else(|| {
        let wrong = format!("{} are no bytes", word.shown());
        Wrong::new(word.column, wrong, "an even number of hexadecimal digits")
    })
}

/// Reads pairs of hexadecimal digits.
pub(in super::super) fn read_hex(digits: &[u8]) -> Option<Vec<u8>> {
    let digit = |byte: &u8| char::from(*byte).to_digit(16);
    let pair = |pair: &[u8]| match pair {
        [high, low] => u8::try_from(digit(high)? << 4 | digit(low)?).ok(),
        _ => None,
    };
    digits.chunks(2).map(pair).collect()
}
