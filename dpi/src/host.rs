//! Host names as they are read: what kinds of bytes they are made of, and their labels.
//!
//! Both walks take eight bytes at a time, since a name is read several times on its way: to be
//! tidied, judged, and looked up.

/// Kinds of bytes, a bit each.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub(crate) struct Kinds(u8);

/// No byte of a host name.
const FOREIGN: u8 = 1;
/// Neither a digit nor a dot.
const NO_NUMBER: u8 = 2;
const COLON: u8 = 4;
const HYPHEN: u8 = 8;
const CAPITAL: u8 = 16;
/// A blank, a control character, or beyond ASCII.
const UNSEEN: u8 = 32;

#[expect(clippy::indexing_slicing, reason = "at compile time; an error would not build")]
static KINDS: [u8; 256] = {
    let mut kinds = [0; 256];
    let mut byte = 0_u8;
    loop {
        kinds[byte as usize] = kind_of(byte);
        if byte == u8::MAX {
            break kinds;
        }
        byte += 1;
    }
};

/// RFC 952 and RFC 1123 section 2.1, the underscore of service names (RFC 2782), and the star that
/// certificates and zones have.
const fn kind_of(byte: u8) -> u8 {
    match byte {
        b'0'..=b'9' | b'.' => 0,
        b'a'..=b'z' | b'_' | b'*' => NO_NUMBER,
        b'A'..=b'Z' => NO_NUMBER | CAPITAL,
        b'-' => NO_NUMBER | HYPHEN,
        b':' => NO_NUMBER | FOREIGN | COLON,
        b'!'..=b'~' => NO_NUMBER | FOREIGN,
        _ => NO_NUMBER | FOREIGN | UNSEEN,
    }
}

impl Kinds {
    /// The kinds of all bytes of `name`.
    pub(crate) fn of(name: &[u8]) -> Kinds {
        let with = |seen, byte: &u8| seen | KINDS.get(usize::from(*byte)).copied().unwrap_or(0);
        let (eights, rest) = name.as_chunks::<8>();
        let seen = eights.iter().fold(0, |seen, eight| eight.iter().fold(seen, with));
        Kinds(rest.iter().fold(seen, with))
    }

    /// Whether there is a byte that no host name has.
    pub(crate) fn has_foreign(self) -> bool {
        self.0 & FOREIGN != 0
    }

    pub(crate) fn has_colon(self) -> bool {
        self.0 & COLON != 0
    }

    pub(crate) fn has_hyphen(self) -> bool {
        self.0 & HYPHEN != 0
    }

    pub(crate) fn has_capital(self) -> bool {
        self.0 & CAPITAL != 0
    }

    /// Whether all bytes can be seen: ASCII without blanks and control characters.
    pub(crate) fn is_graphic(self) -> bool {
        self.0 & UNSEEN == 0
    }

    /// Whether there is nothing but digits and dots.
    pub(crate) fn is_number(self) -> bool {
        self.0 & NO_NUMBER == 0
    }
}

/// Where each label begins, and the label, from the right. There is one at least, perhaps empty.
pub(crate) fn labels(name: &[u8]) -> impl Iterator<Item = (usize, &[u8])> {
    let mut left = Some(name);
    std::iter::from_fn(move || {
        let name = left?;
        let Some((before, label)) = last_dot(name).and_then(|dot| name.split_at_checked(dot))
        else {
            left = None;
            return Some((0, name));
        };
        left = Some(before);
        Some((before.len() + 1, label.get(1..).unwrap_or_default()))
    })
}

/// Where the last dot is.
fn last_dot(name: &[u8]) -> Option<usize> {
    const LOW: u64 = 0x7f7f_7f7f_7f7f_7f7f;
    const DOTS: u64 = u64::from_ne_bytes([b'.'; 8]);
    let (rest, eights) = name.as_rchunks::<8>();
    for (at, eight) in eights.iter().enumerate().rev() {
        let other = u64::from_le_bytes(*eight) ^ DOTS;
        // The top bit of each byte that is zero: adding carries into it from every other.
        let dots = !(((other & LOW) + LOW) | other | LOW);
        if dots != 0 {
            return Some(rest.len() + at * 8 + 7 - dots.leading_zeros() as usize / 8);
        }
    }
    rest.iter().rposition(|byte| *byte == b'.')
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn kinds_of_bytes() {
        let of = |name: &[u8]| Kinds::of(name);
        assert!(of(b"192.0.2.1").is_number() && of(b"").is_number());
        assert!(!of(b"192.0.2.1:80").is_number() && of(b"192.0.2.1:80").has_colon());
        assert!(of(b"a-long-name.example").has_hyphen() && !of(b"a_b.*").has_foreign());
        for byte in 0..=u8::MAX {
            let host = byte.is_ascii_alphanumeric() || b"-_*.".contains(&byte);
            assert_eq!(of(&[b'a', byte]).has_foreign(), !host, "{byte}");
            assert_eq!(of(&[b'a', byte]).has_capital(), byte.is_ascii_uppercase(), "{byte}");
            assert_eq!(of(&[b'a', byte]).is_graphic(), byte.is_ascii_graphic(), "{byte}");
        }
    }

    proptest! {
        #[test]
        fn labels_are_those_between_dots(
            name in prop::collection::vec(prop::sample::select(&b".../-a\xae\x2f"[..]), 0..40),
        ) {
            let plain: Vec<_> = name.rsplit(|byte| *byte == b'.').collect();
            let found: Vec<_> = labels(&name).map(|(_, label)| label).collect();
            prop_assert_eq!(found, plain);
            for (start, label) in labels(&name) {
                prop_assert_eq!(&name[start..start + label.len()], label);
            }
            let seen = name.iter().fold(0, |seen, byte| seen | kind_of(*byte));
            prop_assert_eq!(Kinds::of(&name), Kinds(seen));
        }
    }
}
