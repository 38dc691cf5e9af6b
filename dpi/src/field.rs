//! The lines of a header as HTTP has them (RFC 9112 section 5): where a line ends, where its name
//! does, and which of the fields it is that somebody asks for.

use crate::seek::Bytes;
use memchr::memchr;

/// Bytes of a line in which its name has to end.
const NAME_BYTES: usize = 256;

/// RFC 9110 section 5.6.2.
static TOKEN: Bytes = Bytes::alphanumeric_and(b"!#$%&'*+-.^_`|~");

/// A field.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Name {
    Authorization,
    ContentDisposition,
    ContentEncoding,
    ContentLength,
    ContentType,
    Host,
    /// One of those of `SHOUTcast` and Icecast.
    Icy,
    ProxyAuthorization,
    Referer,
    Server,
    TransferEncoding,
    Upgrade,
    UserAgent,
    XPoweredBy,
    /// Any other.
    Other,
    /// No token.
    Malformed,
}

impl Name {
    /// Which one a token is: at most two have the same length.
    fn of(token: &[u8]) -> Name {
        match token.len() {
            4 if is(token, b"host") => Name::Host,
            6 if is(token, b"server") => Name::Server,
            6 if is(token, b"icy-br") => Name::Icy,
            7 if is(token, b"referer") => Name::Referer,
            7 if is(token, b"upgrade") => Name::Upgrade,
            8 if is(token, b"icy-name") => Name::Icy,
            10 if is(token, b"user-agent") => Name::UserAgent,
            11 if is(token, b"icy-metaint") => Name::Icy,
            12 if is(token, b"content-type") => Name::ContentType,
            12 if is(token, b"x-powered-by") => Name::XPoweredBy,
            13 if is(token, b"authorization") => Name::Authorization,
            14 if is(token, b"content-length") => Name::ContentLength,
            16 if is(token, b"content-encoding") => Name::ContentEncoding,
            17 if is(token, b"transfer-encoding") => Name::TransferEncoding,
            19 if is(token, b"content-disposition") => Name::ContentDisposition,
            19 if is(token, b"proxy-authorization") => Name::ProxyAuthorization,
            _ => Name::Other,
        }
    }
}

/// Whether a token is `lower` in any case, which in letters and hyphens of a token is one bit; the
/// bytes are compared all at once.
#[inline(always)]
fn is<const N: usize>(token: &[u8], lower: &[u8; N]) -> bool {
    let differing = |token: &[u8; N]| {
        token.iter().zip(lower).fold(0, |differing, (a, b)| differing | ((a | 0x20) ^ b))
    };
    token.first_chunk().is_some_and(|token| differing(token) == 0)
}

/// The field that a line is, and what is behind its colon; `None` if there is none.
pub(crate) fn split(line: &[u8]) -> Option<(Name, &[u8])> {
    let scanned = line.get(..NAME_BYTES).unwrap_or(line);
    let end = scanned.iter().position(|byte| !TOKEN.has(*byte))?;
    let token = end > 0 && scanned.get(end) == Some(&b':');
    let colon = if token { end } else { memchr(b':', scanned)? };
    let (name, rest) = line.split_at_checked(colon)?;
    Some((if token { Name::of(name) } else { Name::Malformed }, rest.get(1..)?))
}

/// Takes the next line off `rest`, without its end; `None` if the line has no end yet.
pub(crate) fn take_line<'a>(rest: &mut &'a [u8]) -> Option<&'a [u8]> {
    let (line, behind) = rest.split_at_checked(memchr(b'\n', rest)?)?;
    *rest = behind.get(1..)?;
    Some(line.strip_suffix(b"\r").unwrap_or(line))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_by_their_names() {
        for (line, name, value) in [
            (&b"Host: a"[..], Name::Host, &b" a"[..]),
            (b"hOST:", Name::Host, b""),
            (b"CONTENT-TYPE:a:b", Name::ContentType, b"a:b"),
            (b"Content-Typo:", Name::Other, b""),
            (b"content\rtype:", Name::Malformed, b""),
            (b"Host : a", Name::Malformed, b" a"),
            (b": a", Name::Malformed, b" a"),
            (b"Icy-MetaInt: 1", Name::Icy, b" 1"),
            (b"Proxy-Authorization: x", Name::ProxyAuthorization, b" x"),
        ] {
            assert_eq!(split(line), Some((name, value)), "{}", line.escape_ascii());
        }
        assert_eq!(split(b"no colon"), None);
        assert_eq!(split(b"token"), None);
        assert_eq!(split(&[&[b'a'; 255][..], b":"].concat()), Some((Name::Other, &b""[..])));
        assert_eq!(split(&[&[b'a'; 256][..], b":"].concat()), None);
    }

    #[test]
    fn lines_are_taken_whole() {
        let mut rest = &b"a\r\nb\n\r\nc"[..];
        for line in [&b"a"[..], b"b", b""] {
            assert_eq!(take_line(&mut rest), Some(line));
        }
        assert_eq!((take_line(&mut rest), rest), (None, &b"c"[..]));
    }
}
