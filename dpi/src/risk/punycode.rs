//! Punycode (RFC 3492), as far as it tells of which alphabets a label is.
//!
//! Code points are looked at one by one and not put in their order: who mixes alphabets is told
//! without it, and nothing is kept.

/// An alphabet, as far as look-alikes go.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(u8)]
pub(super) enum Script {
    Latin,
    Greek,
    Cyrillic,
    Armenian,
    Cherokee,
    /// Characters without a shape: they make two names look the same.
    Invisible,
    /// Another alphabet that has no letters in common with Latin.
    Other,
    /// Digits, hyphens, marks: of every alphabet.
    Common,
}

/// The alphabets of a label's letters.
#[derive(Clone, Copy, Default, Debug)]
pub(super) struct Scripts {
    seen: u8,
    /// A letter of Greek or Cyrillic that looks like none of Latin.
    own_shape: bool,
}

impl Scripts {
    pub(super) fn has(self, script: Script) -> bool {
        self.seen >> script as u8 & 1 == 1
    }

    /// Whether all letters are Greek or Cyrillic ones that look Latin.
    pub(super) fn only_doubles(self) -> bool {
        let foreign = self.has(Script::Cyrillic) || self.has(Script::Greek);
        let others = self.has(Script::Latin) || self.has(Script::Other);
        foreign && !others && !self.own_shape
    }

    fn add(&mut self, point: u32) {
        let script = script_of(point);
        self.seen |= 1 << script as u8;
        let foreign = matches!(script, Script::Cyrillic | Script::Greek);
        self.own_shape |= foreign && !is_double(point);
    }
}

/// RFC 3492 section 5.
const BASE: u32 = 36;
const T_MIN: u32 = 1;
const T_MAX: u32 = 26;
const SKEW: u32 = 38;
const DAMP: u32 = 700;
const FIRST_BIAS: u32 = 72;
const FIRST_POINT: u32 = 128;
const LAST_POINT: u32 = 0x10_ffff;
/// A label without its `xn--`.
const LABEL_BYTES: usize = 59;

/// The alphabets of an encoded label without its `xn--`; nothing where it is not well-formed.
pub(super) fn scripts(label: &[u8]) -> Option<Scripts> {
    if label.is_empty() || label.len() > LABEL_BYTES {
        return None;
    }
    let mut scripts = Scripts::default();
    let (basic, encoded) = match label.iter().rposition(|byte| *byte == b'-') {
        Some(last) => (label.get(..last)?, label.get(last + 1..)?),
        None => (&[][..], label),
    };
    for byte in basic {
        if !byte.is_ascii() {
            return None;
        }
        scripts.add(u32::from(*byte));
    }
    let mut points = u32::try_from(basic.len()).ok()?;
    let (mut point, mut index, mut bias) = (FIRST_POINT, 0_u32, FIRST_BIAS);
    let mut digits = encoded.iter();
    while !digits.as_slice().is_empty() {
        let before = index;
        index = index.checked_add(delta(&mut digits, bias)?)?;
        points += 1;
        bias = adapt(index.checked_sub(before)?, points, before == 0);
        point = point.checked_add(index / points)?;
        index = index % points + 1;
        if point > LAST_POINT {
            return None;
        }
        scripts.add(point);
    }
    Some(scripts)
}

/// A generalised integer of variable length (section 3.3).
fn delta(digits: &mut std::slice::Iter<'_, u8>, bias: u32) -> Option<u32> {
    let (mut value, mut weight, mut k) = (0_u32, 1_u32, BASE);
    loop {
        let digit = match digits.next()?.to_ascii_lowercase() {
            letter @ b'a'..=b'z' => u32::from(letter - b'a'),
            number @ b'0'..=b'9' => u32::from(number - b'0') + 26,
            _ => return None,
        };
        value = value.checked_add(digit.checked_mul(weight)?)?;
        let threshold = k.saturating_sub(bias).clamp(T_MIN, T_MAX);
        if digit < threshold {
            return Some(value);
        }
        weight = weight.checked_mul(BASE - threshold)?;
        k += BASE;
    }
}

/// Section 6.1.
fn adapt(delta: u32, points: u32, first: bool) -> u32 {
    let mut delta = if first { delta / DAMP } else { delta / 2 };
    delta += delta / points.max(1);
    let mut k = 0;
    while delta > (BASE - T_MIN) * T_MAX / 2 {
        delta /= BASE - T_MIN;
        k += BASE;
    }
    k + (BASE - T_MIN + 1) * delta / (delta + SKEW)
}

/// The blocks of Unicode in question; letters of other alphabets are one kind.
fn script_of(point: u32) -> Script {
    match point {
        0x41..=0x5a | 0x61..=0x7a | 0xc0..=0x24f | 0x1e00..=0x1eff => Script::Latin,
        0..=0xac
        | 0xae..=0xbf
        | 0x300..=0x34e
        | 0x350..=0x36f
        | 0x660..=0x669
        | 0x2010..=0x2027
        | 0x30fb => Script::Common,
        0x370..=0x3ff | 0x1f00..=0x1fff => Script::Greek,
        0x400..=0x52f | 0x1c80..=0x1c8f | 0x2de0..=0x2dff | 0xa640..=0xa69f => Script::Cyrillic,
        0x530..=0x58f => Script::Armenian,
        0x13a0..=0x13ff | 0xab70..=0xabbf => Script::Cherokee,
        0xad | 0x34f | 0x180e | 0x200b..=0x200f | 0x202a..=0x202e | 0x2060..=0x2064 | 0xfeff => {
            Script::Invisible
        }
        _ => Script::Other,
    }
}

/// Whether a Greek or Cyrillic letter looks like a Latin one in common typefaces (Unicode's
/// `confusables.txt`, small letters).
fn is_double(point: u32) -> bool {
    matches!(
        point,
        0x3b1
            | 0x3b9
            | 0x3ba
            | 0x3bd
            | 0x3bf
            | 0x3c1
            | 0x3c5
            | 0x3c7
            | 0x430
            | 0x435
            | 0x43e
            | 0x440
            | 0x441
            | 0x443
            | 0x445
            | 0x455
            | 0x456
            | 0x458
            | 0x4bb
            | 0x4cf
            | 0x501
            | 0x51b
            | 0x51d
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Labels and what they say, from RFC 3492 section 7.1 and names that were made up.
    #[test]
    fn alphabets() {
        for (label, script) in [
            (&b"egbpdaj6bu4bxfgehfvwxn"[..], Script::Other),
            (b"ihqwcrb4cv8a8dqg056pqjye", Script::Other),
            (b"b1abfaaepdrnnbgefbadotcwatmq2g4l", Script::Cyrillic),
            (b"Proprostnemluvesky-uyb24dma41a", Script::Latin),
            (b"bcher-kva", Script::Latin),
        ] {
            assert!(scripts(label).unwrap().has(script), "{}", label.escape_ascii());
        }
        assert!(!scripts(b"bcher-kva").unwrap().has(Script::Other));
    }

    #[test]
    fn what_is_not_well_formed_is_refused() {
        for label in [&b""[..], b"99999999", b"a\xff-b", b"ab-c!", b"abc-z"] {
            assert!(scripts(label).is_none(), "{}", label.escape_ascii());
        }
    }

    proptest::proptest! {
        #[test]
        fn any_label_is_survived(label in proptest::collection::vec(proptest::num::u8::ANY, 0..80)) {
            let _ = scripts(&label);
        }
    }
}
