//! What a server makes of an encoded value: percent decoding (RFC 3986 section 2.1), the plus of
//! forms, lower case, and white space brought together.

use crate::seek::has_pair;
use memchr::{memchr_iter, memchr2};

/// Bytes of a value that are looked at.
pub(super) const VALUE_BYTES: usize = 1024;

/// A decoded value.
pub(super) struct Decoded {
    bytes: [u8; VALUE_BYTES],
    used: usize,
    /// Whether anything was encoded.
    pub(super) changed: bool,
}

impl Decoded {
    pub(super) fn as_bytes(&self) -> &[u8] {
        self.bytes.get(..self.used).unwrap_or_default()
    }

    fn empty() -> Decoded {
        Decoded { bytes: [0; VALUE_BYTES], used: 0, changed: false }
    }

    fn push(&mut self, byte: u8) -> bool {
        let Some(place) = self.bytes.get_mut(self.used) else { return false };
        *place = byte;
        self.used += 1;
        true
    }

    /// Adds what fits of `bytes`, in lower case; tells whether all did.
    fn append(&mut self, bytes: &[u8]) -> bool {
        let room = self.bytes.get_mut(self.used..).unwrap_or_default();
        let fits = bytes.len().min(room.len());
        for (place, byte) in room.iter_mut().zip(bytes) {
            *place = byte.to_ascii_lowercase();
        }
        self.used += fits;
        fits == bytes.len()
    }

    /// Decodes `value` once; `plus` is a blank in queries and forms, and itself in paths.
    pub(super) fn once(value: &[u8], plus: bool) -> Decoded {
        let mut decoded = Decoded::empty();
        let mut rest = value;
        // What is between two bytes that mean something else is copied at once.
        while let Some(at) = memchr2(b'%', b'+', rest) {
            let Some((between, mark)) = rest.split_at_checked(at) else { break };
            let Some((first, behind)) = mark.split_first() else { break };
            let escaped = if *first == b'%' { escape(behind) } else { None };
            let blank = plus && *first == b'+';
            let as_sent = if blank { b' ' } else { *first };
            let (byte, behind) = escaped.unwrap_or((as_sent, behind));
            rest = behind;
            if !decoded.append(between) {
                return decoded;
            }
            decoded.changed |= escaped.is_some();
            if !decoded.push(byte.to_ascii_lowercase()) {
                return decoded;
            }
        }
        decoded.append(rest);
        decoded
    }

    /// `value` in lower case and otherwise as sent.
    pub(super) fn lower(value: &[u8]) -> Decoded {
        let mut lower = Decoded::empty();
        lower.append(value);
        lower
    }

    /// White space of any kind, and comments of SQL, as one blank each.
    pub(super) fn spaced(value: &[u8]) -> Decoded {
        let mut spaced = Decoded::empty();
        let mut rest = value;
        let mut blank = false;
        while let Some((first, behind)) = rest.split_first() {
            rest = behind;
            if let Some(comment) = behind.strip_prefix(b"*").filter(|_| *first == b'/') {
                // `/*!50000union*/` is run by MySQL: its marks alone are left out.
                let inside = comment.strip_prefix(b"!");
                if comment.trim_ascii().is_empty() {
                    // Open to the end: it cuts off what the server adds.
                    let _ = spaced.push(b'/') && spaced.push(b'*');
                    break;
                }
                let end = comment.windows(2).position(|pair| pair == b"*/");
                rest = match (inside, end) {
                    (Some(run), _) => run.trim_ascii_start_digits(),
                    (None, Some(end)) => comment.get(end + 2..).unwrap_or_default(),
                    (None, None) => comment,
                };
                blank = true;
                continue;
            }
            if let Some(behind) = rest.strip_prefix(b"/").filter(|_| *first == b'*') {
                rest = behind;
                blank = true;
                continue;
            }
            if first.is_ascii_whitespace() || matches!(first, 0x0b | 0xa0) {
                blank = true;
                continue;
            }
            if blank && !spaced.push(b' ') {
                break;
            }
            blank = false;
            if !spaced.push(*first) {
                break;
            }
        }
        if blank {
            spaced.push(b' ');
        }
        spaced
    }
}

trait Digits {
    fn trim_ascii_start_digits(&self) -> &Self;
}

impl Digits for [u8] {
    fn trim_ascii_start_digits(&self) -> &[u8] {
        let digits = self.iter().take_while(|byte| byte.is_ascii_digit()).count();
        self.get(digits..).unwrap_or_default()
    }
}

/// The byte of the two digits, or of IIS's `u` and four, behind a percent sign.
fn escape(behind: &[u8]) -> Option<(u8, &[u8])> {
    if let Some(([b'u' | b'U', _, _, high, low], rest)) = behind.split_first_chunk() {
        return Some((hex(*high)? << 4 | hex(*low)?, rest));
    }
    let ([high, low], rest) = behind.split_first_chunk()?;
    Some((hex(*high)? << 4 | hex(*low)?, rest))
}

fn hex(digit: u8) -> Option<u8> {
    char::from(digit).to_digit(16).and_then(|value| u8::try_from(value).ok())
}

/// Where `needle` is in `bytes`.
pub(super) fn find(bytes: &[u8], needle: &[u8]) -> Option<usize> {
    let first = *needle.first()?;
    memchr_iter(first, bytes)
        .find(|at| bytes.get(*at..).is_some_and(|rest| rest.starts_with(needle)))
}

/// How often `byte` is in `bytes`.
pub(super) fn count(bytes: &[u8], byte: u8) -> usize {
    bytes.iter().fold(0, |sum, other| sum + usize::from(*other == byte))
}

/// Whether `needle` is in `bytes`.
pub(super) fn has(bytes: &[u8], needle: &[u8]) -> bool {
    may_have(bytes, needle) && find(bytes, needle).is_some()
}

/// Whether the first two bytes of `needle` are in `bytes`: mostly they are not.
fn may_have(bytes: &[u8], needle: &[u8]) -> bool {
    match needle {
        [first, second, ..] => has_pair(bytes, *first, *second),
        _ => true,
    }
}

/// Every place at which `needle` is in `bytes`: what is before it and what is behind it.
pub(super) fn around<'a>(
    bytes: &'a [u8],
    needle: &'a [u8],
) -> impl Iterator<Item = (&'a [u8], &'a [u8])> {
    let mut from = if may_have(bytes, needle) { 0 } else { bytes.len() };
    std::iter::from_fn(move || {
        let at = from + find(bytes.get(from..)?, needle)?;
        from = at + 1;
        Some((bytes.get(..at)?, bytes.get(at + needle.len()..)?))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_decoded_as_servers_do() {
        for (raw, decoded) in [
            (&b"a%20B+c"[..], &b"a b c"[..]),
            (b"%2e%2E%2f", b"../"),
            (b"%252e", b"%2e"),
            (b"100%", b"100%"),
            (b"%zz%4", b"%zz%4"),
            (b"%u0027", b"'"),
        ] {
            assert_eq!(Decoded::once(raw, true).as_bytes(), decoded);
        }
        assert_eq!(Decoded::once(b"a+b", false).as_bytes(), b"a+b");
        assert_eq!(Decoded::once(&[b'x'; 5000], false).as_bytes().len(), VALUE_BYTES);
    }

    #[test]
    fn comments_are_blanks() {
        for (raw, spaced) in [
            (&b"union/**/all \t\nselect"[..], &b"union all select"[..]),
            (b"/*!50000union*/ select", b" union select"),
            (b"a/*open", b"a open"),
        ] {
            assert_eq!(Decoded::spaced(raw).as_bytes(), spaced);
        }
    }

    #[test]
    fn needles() {
        assert_eq!(find(b"aaab", b"aab"), Some(1));
        assert_eq!(find(b"aab", b"aabb"), None);
        assert_eq!(around(b"xaxax", b"ax").count(), 2);
    }
}
