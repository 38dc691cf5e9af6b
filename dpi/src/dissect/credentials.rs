//! Requests that say who asks: the user is noted, the secret never (RFC 7617, RFC 7616), nor what
//! looks like one in a target.

use crate::attr;
use crate::dissect::ntlm;
use crate::meta::{Meta, VALUE_BYTES};
use crate::seek::Words;
use memchr::memchr_iter;

/// Bytes of a decoded header; the messages of NTLM reach some hundreds.
const DECODED_BYTES: usize = 512;
/// What is written for a secret.
const HIDDEN: &[u8] = b"***";
/// Parts of the names of parameters that hold secrets.
const SECRETS: &[&[u8]] =
    &[b"passw", b"pwd", b"passphrase", b"secret", b"token", b"apikey", b"api_key", b"credential"];
/// Whole names of such parameters.
const SHORT_SECRETS: &[&[u8]] = &[b"pass", b"pw", b"pin", b"key", b"auth", b"sid"];

/// Notes the scheme of an `Authorization` field, and the user.
pub(crate) fn authorization(value: &[u8], meta: &mut Meta) {
    let mut parts = value.splitn(2, |byte| *byte == b' ');
    let (scheme, rest) = (parts.next().unwrap_or_default(), parts.next().unwrap_or_default());
    // Some send their secret without a scheme.
    let known: &[&[u8]] =
        &[b"Basic", b"Digest", b"Bearer", b"NTLM", b"Negotiate", b"AWS4-HMAC-SHA256", b"OAuth"];
    let Some(scheme) = known.iter().find(|known| scheme.eq_ignore_ascii_case(known)) else {
        return;
    };
    meta.put(&attr::HTTP_AUTH, scheme);
    let mut decoded = [0; DECODED_BYTES];
    match *scheme {
        b"Basic" => {
            let decoded = base64(rest.trim_ascii(), &mut decoded);
            if let Some(colon) = decoded.iter().position(|byte| *byte == b':') {
                meta.put(&attr::HTTP_USER, decoded.get(..colon).unwrap_or_default());
            }
        }
        b"Digest" => {
            meta.put(&attr::HTTP_USER, parameter(rest, b"username").unwrap_or_default());
        }
        b"NTLM" | b"Negotiate" => ntlm::note(base64(rest.trim_ascii(), &mut decoded), meta),
        _ => {}
    }
}

/// The value of `name=` or `name="…"` in a field.
pub(crate) fn parameter<'a>(field: &'a [u8], name: &[u8]) -> Option<&'a [u8]> {
    for part in field.split(|byte| matches!(byte, b';' | b',')) {
        let part = part.trim_ascii();
        let Some((key, value)) = part
            .iter()
            .position(|byte| *byte == b'=')
            .and_then(|equals| Some((part.get(..equals)?, part.get(equals + 1..)?)))
        else {
            continue;
        };
        if key.trim_ascii_end().eq_ignore_ascii_case(name) {
            let value = value.trim_ascii();
            let value = value.strip_prefix(b"\"").unwrap_or(value);
            return Some(value.strip_suffix(b"\"").unwrap_or(value));
        }
    }
    None
}

/// The authority of a URL: what is between the slashes, without user and password.
pub(crate) fn host_of(url: &[u8]) -> &[u8] {
    let rest = url.get(scheme_bytes(url)..).unwrap_or_default();
    let end = rest.iter().position(|byte| matches!(byte, b'/' | b'?' | b'#'));
    let authority = end.and_then(|end| rest.get(..end)).unwrap_or(rest);
    let at = authority.iter().rposition(|byte| *byte == b'@');
    at.and_then(|at| authority.get(at + 1..)).unwrap_or(authority)
}

/// Bytes of `scheme://`, where a URL has it.
fn scheme_bytes(url: &[u8]) -> usize {
    let letters = url.iter().take(16).take_while(|byte| byte.is_ascii_alphanumeric()).count();
    let has = url.get(letters..).is_some_and(|rest| rest.starts_with(b"://"));
    if has { letters + 3 } else { 0 }
}

/// A target as it may be kept: without a password before the host, and without the values of
/// parameters that are named like secrets. What does not fit is cut.
pub(crate) fn without_secrets<'a>(target: &'a [u8], kept: &'a mut [u8; VALUE_BYTES]) -> &'a [u8] {
    let all = target.get(..VALUE_BYTES).unwrap_or(target);
    if scheme_bytes(target) == 0 && !names_secret(all) {
        return all;
    }
    let mut used = 0;
    let mut push = |bytes: &[u8]| {
        let end = (used + bytes.len()).min(VALUE_BYTES);
        if let (Some(room), Some(bytes)) = (kept.get_mut(used..end), bytes.get(..end - used)) {
            room.copy_from_slice(bytes);
        }
        used = end;
    };
    let (before, rest) = target.split_at(scheme_bytes(target));
    push(before);
    // Only behind a scheme there is an authority, and a user in it.
    let end = rest.iter().position(|byte| matches!(byte, b'/' | b'?' | b'#')).unwrap_or(rest.len());
    let authority = if before.is_empty() { &[] } else { rest.get(..end).unwrap_or_default() };
    let host_from = authority.iter().rposition(|byte| *byte == b'@').map_or(0, |at| at + 1);
    let after = rest.get(host_from..).unwrap_or_default();
    let mut rest = after.get(..4 * VALUE_BYTES).unwrap_or(after);
    let (mut hidden, mut named) = (false, false);
    // Piece by piece: up to the next byte that begins a name or ends it.
    while let Some(at) = rest.iter().position(|byte| is_joint(*byte)) {
        let (piece, behind) = rest.split_at(at);
        let (joint, behind) = behind.split_at(1);
        rest = behind;
        if !hidden {
            push(piece);
        }
        if joint != b"=" {
            (hidden, named) = (false, true);
            push(joint);
        } else if named && is_secret(piece) {
            (hidden, named) = (true, false);
            push(b"=");
            push(HIDDEN);
        } else {
            named = false;
            if !hidden {
                push(b"=");
            }
        }
    }
    if !hidden {
        push(rest);
    }
    kept.get(..used).unwrap_or_default()
}

/// What separates names and values.
fn is_joint(byte: u8) -> bool {
    matches!(byte, b'?' | b'&' | b';' | b'#' | b'=')
}

/// Whether what is before one of the equals signs is named like a secret.
fn names_secret(target: &[u8]) -> bool {
    memchr_iter(b'=', target).any(|equals| {
        let before = target.get(..equals).unwrap_or_default();
        let start = before.iter().rposition(|byte| is_joint(*byte)).map_or(0, |joint| joint + 1);
        is_secret(before.get(start..).unwrap_or_default())
    })
}

fn is_secret(name: &[u8]) -> bool {
    static SOUGHT: Words<{ SECRETS.len() }, 3> = Words::new(SECRETS);
    SHORT_SECRETS.iter().any(|secret| name.eq_ignore_ascii_case(secret)) || SOUGHT.any(name)
}

/// Decodes as much as fits and is well formed (RFC 4648 section 4).
fn base64<'a>(text: &[u8], decoded: &'a mut [u8; DECODED_BYTES]) -> &'a [u8] {
    let (mut bits, mut held, mut used) = (0_u32, 0, 0);
    for byte in text {
        let value = match byte {
            b'A'..=b'Z' => byte - b'A',
            b'a'..=b'z' => byte - b'a' + 26,
            b'0'..=b'9' => byte - b'0' + 52,
            b'+' => 62,
            b'/' => 63,
            _ => break,
        };
        bits = bits << 6 | u32::from(value);
        held += 6;
        if held >= 8 {
            held -= 8;
            let Some(place) = decoded.get_mut(used) else { break };
            let [.., low] = (bits >> held).to_be_bytes();
            *place = low;
            used += 1;
        }
    }
    decoded.get(..used).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn kept(target: &str) -> String {
        let mut kept = [0; VALUE_BYTES];
        String::from_utf8_lossy(without_secrets(target.as_bytes(), &mut kept)).into_owned()
    }

    #[test]
    fn targets_lose_their_secrets_and_nothing_else() {
        for (target, left) in [
            ("/a/b?c=d&e=f", "/a/b?c=d&e=f"),
            ("/?user=ann&password=s3cr3t&x=1", "/?user=ann&password=***&x=1"),
            ("/?New_Passwd=s3cr3t==", "/?New_Passwd=***"),
            ("/?pass=s3cr3t;compass=n", "/?pass=***;compass=n"),
            ("http://ann:s3cr3t@a.example/x?y=://z@q", "http://a.example/x?y=://z@q"),
            ("http://a.example", "http://a.example"),
            ("/?q=http://ann@b.example/", "/?q=http://ann@b.example/"),
            ("a.example:443", "a.example:443"),
            ("*", "*"),
        ] {
            assert_eq!(kept(target), left);
        }
        assert_eq!(kept(&"/x".repeat(400)).len(), VALUE_BYTES);
    }

    #[test]
    fn the_user_is_noted_and_the_secret_is_not() {
        for (field, scheme, user) in [
            ("Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ==", "Basic", "Aladdin"),
            ("basic QWxhZGRpbjpvcGVuIHNlc2FtZQ", "Basic", "Aladdin"),
            ("Digest username=\"Mufasa\", realm=\"a\"", "Digest", "Mufasa"),
            ("Bearer s3cr3t", "Bearer", ""),
            ("s3cr3t", "", ""),
            ("Basic QWxhZGRpbg==", "Basic", ""),
        ] {
            let mut meta = Meta::default();
            authorization(field.as_bytes(), &mut meta);
            assert_eq!(meta.get(&attr::HTTP_AUTH).unwrap_or_default(), scheme.as_bytes());
            assert_eq!(meta.get(&attr::HTTP_USER).unwrap_or_default(), user.as_bytes());
        }
    }

    #[test]
    fn hosts_and_parameters() {
        assert_eq!(host_of(b"https://ann:s@www.example.com:8080/a?b@c"), b"www.example.com:8080");
        assert_eq!(host_of(b"www.example.com/a"), b"www.example.com");
        let field = b"attachment; filename=\"a b.exe\"; size=3";
        assert_eq!(parameter(field, b"filename"), Some(&b"a b.exe"[..]));
        assert_eq!(parameter(field, b"size"), Some(&b"3"[..]));
        assert_eq!(parameter(field, b"name"), None);
    }

    proptest! {
        #[test]
        fn any_bytes_are_survived(bytes in prop::collection::vec(any::<u8>(), 0..600)) {
            let mut kept = [0; VALUE_BYTES];
            let _ = without_secrets(&bytes, &mut kept);
            authorization(&bytes, &mut Meta::default());
        }
    }
}
