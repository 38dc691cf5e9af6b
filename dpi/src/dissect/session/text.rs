//! Reading line protocols: keywords without case, lines, words. Nothing here allocates, and every
//! scan is bounded by [`LINE_BYTES`] or [`LINES`].

use crate::view::Outcome;

/// The longest line waited for (RFC 5321 section 4.5.3.1.5 allows 512; banners are longer).
pub(in crate::dissect) const LINE_BYTES: usize = 1024;
/// Lines read of one stream's beginning.
const LINES: usize = 64;

/// How some bytes begin, compared with a keyword.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(in crate::dissect) enum Match<'a> {
    /// With the whole keyword; the bytes behind it.
    Yes(&'a [u8]),
    /// They end inside the keyword.
    Partly,
    /// With something else.
    No,
}

/// Compares the beginning of `data` with `word`, without case.
pub(in crate::dissect) fn keyword<'a>(data: &'a [u8], word: &[u8]) -> Match<'a> {
    if let Some((head, rest)) = data.split_at_checked(word.len()) {
        return if head.eq_ignore_ascii_case(word) { Match::Yes(rest) } else { Match::No };
    }
    let begun = word.get(..data.len()).is_some_and(|begun| data.eq_ignore_ascii_case(begun));
    if begun { Match::Partly } else { Match::No }
}

/// Compares the beginning of `data` with `bytes`, exactly.
pub(in crate::dissect) fn prefix<'a>(data: &'a [u8], bytes: &[u8]) -> Match<'a> {
    match data.strip_prefix(bytes) {
        Some(rest) => Match::Yes(rest),
        None if bytes.starts_with(data) => Match::Partly,
        None => Match::No,
    }
}

/// Compares with each of `words`; the first whole match wins.
pub(in crate::dissect) fn any_keyword<'a>(data: &'a [u8], words: &[&[u8]]) -> Match<'a> {
    let mut best = Match::No;
    for word in words {
        match keyword(data, word) {
            Match::Yes(rest) => return Match::Yes(rest),
            Match::Partly => best = Match::Partly,
            Match::No => {}
        }
    }
    best
}

/// The first complete line, without its end, and what is behind it.
pub(in crate::dissect) fn line(data: &[u8]) -> Option<(&[u8], &[u8])> {
    let scanned = data.get(..LINE_BYTES).unwrap_or(data);
    let end = memchr::memchr(b'\n', scanned)?;
    let (line, rest) = data.split_at_checked(end)?;
    Some((line.strip_suffix(b"\r").unwrap_or(line), rest.get(1..).unwrap_or_default()))
}

/// The complete lines of `data`, a bounded number of them.
pub(in crate::dissect) fn lines(data: &[u8]) -> impl Iterator<Item = &[u8]> {
    lines_and_rest(data).map(|(line, _)| line)
}

/// The same, each with what is behind it.
pub(in crate::dissect) fn lines_and_rest(data: &[u8]) -> impl Iterator<Item = (&[u8], &[u8])> {
    let mut rest = data;
    let lines = std::iter::from_fn(move || {
        let (first, behind) = line(rest)?;
        rest = behind;
        Some((first, behind))
    });
    lines.take(LINES)
}

/// How far a client has come in changing to TLS within its stream.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(in crate::dissect) enum Upgrade {
    /// It has not asked.
    No,
    /// It asked, and has sent nothing since.
    Asked,
    /// What it sent next is a handshake record (RFC 8446 section 5.1); where that begins.
    Done(usize),
}

/// Whether one of the lines asks for TLS, as `asks` tells, and what follows it.
pub(in crate::dissect) fn upgrade(data: &[u8], asks: impl Fn(&[u8]) -> bool) -> Upgrade {
    let mut rest = data;
    for _ in 0..LINES {
        let Some((first, behind)) = line(rest) else { break };
        rest = behind;
        if asks(first) {
            match rest.first() {
                None => return Upgrade::Asked,
                Some(0x16) => return Upgrade::Done(data.len() - rest.len()),
                Some(_) => {}
            }
        }
    }
    Upgrade::No
}

/// Where, behind whole lines, a server's first handshake record begins.
pub(in crate::dissect) fn handshake_at(data: &[u8]) -> Option<usize> {
    let mut rest = data;
    for _ in 0..LINES {
        (_, rest) = line(rest)?;
        if rest.starts_with(&[0x16, 3]) {
            return Some(data.len() - rest.len());
        }
    }
    None
}

/// Bytes of a stream's end that are looked at for what was said last.
const TAIL_BYTES: usize = 2048;

/// The end of what is there of a stream.
pub(in crate::dissect) fn tail(data: &[u8]) -> &[u8] {
    data.get(data.len().saturating_sub(TAIL_BYTES)..).unwrap_or_default()
}

/// What to answer while a line is still open: wait, unless it is longer than any line may be.
pub(in crate::dissect) fn open_line(data: &[u8]) -> Outcome {
    if data.len() < LINE_BYTES && is_text(data) { Outcome::NeedMore } else { Outcome::NotMine }
}

/// Whether `bytes` hold no control bytes but tab, carriage return and line feed.
pub(in crate::dissect) fn is_text(bytes: &[u8]) -> bool {
    let scanned = bytes.get(..LINE_BYTES).unwrap_or(bytes);
    scanned.iter().all(|byte| !byte.is_ascii_control() || matches!(byte, b'\t' | b'\r' | b'\n'))
}

/// Whether `needle` occurs in the first [`LINE_BYTES`] of `bytes`, without case.
pub(in crate::dissect) fn contains(bytes: &[u8], needle: &[u8]) -> bool {
    let scanned = bytes.get(..LINE_BYTES).unwrap_or(bytes);
    let Some(first) = needle.first() else { return false };
    memchr::memchr2_iter(first.to_ascii_lowercase(), first.to_ascii_uppercase(), scanned)
        .filter_map(|at| scanned.get(at..at + needle.len()))
        .any(|found| found.eq_ignore_ascii_case(needle))
}

/// The first word (up to a space) and what is behind the space.
pub(in crate::dissect) fn word(bytes: &[u8]) -> (&[u8], &[u8]) {
    match until(bytes, b' ') {
        Some(word) => (word, bytes.get(word.len() + 1..).unwrap_or_default()),
        None => (bytes, &[]),
    }
}

/// The decimal number that `bytes` begin with, and what is behind it.
pub(in crate::dissect) fn number(bytes: &[u8]) -> Option<(u32, &[u8])> {
    let digits = bytes.iter().take(10).take_while(|byte| byte.is_ascii_digit()).count();
    let (digits, rest) = bytes.split_at_checked(digits)?;
    if digits.is_empty() {
        return None;
    }
    let value = digits.iter().try_fold(0_u32, |value, digit| {
        value.checked_mul(10)?.checked_add(u32::from(digit - b'0'))
    })?;
    Some((value, rest))
}

/// What stands between `open` and the next `close`.
pub(in crate::dissect) fn between(bytes: &[u8], open: u8, close: u8) -> Option<&[u8]> {
    let before = until(bytes, open)?;
    until(bytes.get(before.len() + 1..)?, close)
}

/// What stands before the next `end`.
pub(in crate::dissect) fn until(bytes: &[u8], end: u8) -> Option<&[u8]> {
    let scanned = bytes.get(..LINE_BYTES).unwrap_or(bytes);
    bytes.get(..memchr::memchr(end, scanned)?)
}

/// The value of the header `name` (or its one-letter form `short`, with any case) among the
/// header lines that `data` begins with; stops at the empty line.
pub(in crate::dissect) fn header<'a>(
    data: &'a [u8],
    name: &[u8],
    short: Option<u8>,
) -> Option<&'a [u8]> {
    for line in lines(data) {
        if line.is_empty() {
            return None;
        }
        let Some(field) = until(line, b':') else { continue };
        let field_name = field.trim_ascii_end();
        let is_short = matches!(
            (field_name, short),
            ([letter], Some(short)) if letter.eq_ignore_ascii_case(&short)
        );
        if is_short || field_name.eq_ignore_ascii_case(name) {
            return line.get(field.len() + 1..).map(<[u8]>::trim_ascii);
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keywords_match_without_case_and_partly() {
        assert_eq!(keyword(b"ehlo x", b"EHLO "), Match::Yes(b"x"));
        assert_eq!(keyword(b"EH", b"EHLO "), Match::Partly);
        assert_eq!(keyword(b"EX", b"EHLO "), Match::No);
        assert_eq!(any_keyword(b"HEL", &[b"EHLO ", b"HELO "]), Match::Partly);
    }

    #[test]
    fn lines_end_with_or_without_carriage_return() {
        let all: Vec<&[u8]> = lines(b"a\r\nb\nc").collect();
        assert_eq!(all, [&b"a"[..], b"b"]);
    }

    #[test]
    fn numbers_do_not_overflow() {
        assert_eq!(number(b"4294967295x"), Some((u32::MAX, &b"x"[..])));
        assert_eq!(number(b"4294967296"), None);
        assert_eq!(number(b"x"), None);
    }

    #[test]
    fn headers_are_found_by_either_name() {
        let data = b"From: a\r\nt : b\r\n\r\nUser-Agent: no\r\n";
        assert_eq!(header(data, b"from", Some(b'f')), Some(&b"a"[..]));
        assert_eq!(header(data, b"to", Some(b't')), Some(&b"b"[..]));
        assert_eq!(header(data, b"user-agent", None), None);
    }
}
