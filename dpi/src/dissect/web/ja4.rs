//! The JA4 client fingerprint, as `FoxIO` published it (the client fingerprint alone is under the
//! 3-clause BSD licence): `t13d1516h2_8daaf6152771_e5627efa2ab1`.
//!
//! First part: carrier, highest version, whether a name is given, number of ciphers and of
//! extensions, first and last character of the first protocol name. Second: hash of the sorted
//! ciphers. Third: hash of the sorted extensions (name and protocols left out) and, in their own
//! order, the signature algorithms. A hash is the first twelve hexadecimal digits of SHA-256 over
//! the four-digit values joined by commas. Reserved values (RFC 8701) are left out everywhere.

use super::hello::{Carrier, ClientHello, extensions, is_grease, pairs, protocol_names};
use crate::digests::{Digests, Listed};
use sha2::{Digest, Sha256};

/// Bytes of a fingerprint.
pub(super) const JA4_BYTES: usize = 36;
/// Ciphers or extensions of a fingerprint at most; longer lists have none.
const VALUES_MOST: usize = 256;
const TEXT_BYTES: usize = VALUES_MOST * 5 + 1;
/// What stands for the hash of nothing.
const NOTHING: [u8; 12] = *b"000000000000";

/// The fingerprint of a whole hello; `None` if a list is longer than [`VALUES_MOST`].
///
/// Both hashes are kept by the bytes that they follow from, so that mostly nothing is sorted.
pub(super) fn client(hello: &ClientHello<'_>, digests: &mut Digests) -> Option<[u8; JA4_BYTES]> {
    // The reserved value in front is drawn anew for every hello.
    let listed = match hello.ciphers.split_first_chunk::<2>() {
        Some((first, rest)) if is_grease(u16::from_be_bytes(*first)) => rest,
        _ => hello.ciphers,
    };
    let ciphers = digests.ciphers([listed], || cipher_hash(listed))?;
    let kinds = match hello.kinds.parts() {
        Some((low, high)) => {
            // How many there are stands for the end of the high ones.
            let head = [low.to_le_bytes(), high.len().to_le_bytes()];
            let key = [head.as_flattened(), high, hello.signatures];
            digests.extensions(key, || kind_hash(hello))?
        }
        None => kind_hash(hello)?,
    };
    let mut print = [b'_'; JA4_BYTES];
    let (head, tail) = print.split_first_chunk_mut::<10>()?;
    *head = summary(hello, ciphers.count, kinds.count);
    *tail.get_mut(1..13)?.first_chunk_mut()? = ciphers.hash;
    *tail.get_mut(14..26)?.first_chunk_mut()? = kinds.hash;
    Some(print)
}

/// The number and the hash of the ciphers.
fn cipher_hash(listed: &[u8]) -> Option<Listed> {
    let mut values = Values::new();
    for cipher in pairs(listed).filter(|cipher| !is_grease(*cipher)) {
        values.push(cipher)?;
    }
    Some(Listed { count: values.used, hash: hash(values.sorted(), None)? })
}

/// The number of the extensions, and the hash of them and of the signature algorithms.
fn kind_hash(hello: &ClientHello<'_>) -> Option<Listed> {
    let (mut kinds, mut count) = (Values::new(), 0);
    for (kind, _) in extensions(hello.extensions).filter(|(kind, _)| !is_grease(*kind)) {
        count += 1;
        if kind != 0x0000 && kind != 0x0010 {
            kinds.push(kind)?;
        }
    }
    if count == 0 {
        return Some(Listed { count, hash: NOTHING });
    }
    let mut signatures = Values::new();
    for value in pairs(hello.signatures).filter(|value| !is_grease(*value)) {
        signatures.push(value)?;
    }
    let second = (hello.signatures.len() > 1).then_some(signatures.as_slice());
    Some(Listed { count, hash: hash(kinds.sorted(), second)? })
}

/// The hash of a list, and of a second one behind an underscore.
#[inline(never)]
fn hash(list: &[u16], second: Option<&[u16]>) -> Option<[u8; 12]> {
    let mut text = Text::new();
    text.list(list)?;
    if let Some(second) = second {
        text.push(b'_')?;
        text.list(second)?;
    }
    Some(text.hash())
}

/// The readable first part.
fn summary(hello: &ClientHello<'_>, ciphers: usize, kinds: usize) -> [u8; 10] {
    let carrier = match hello.carrier {
        Carrier::Tls => b't',
        Carrier::Dtls => b'd',
        Carrier::Quic => b'q',
    };
    let [major, minor] = match hello.version {
        0x0304 => *b"13",
        0x0303 => *b"12",
        0x0302 => *b"11",
        0x0301 => *b"10",
        0x0300 => *b"s3",
        0x0002 => *b"s2",
        0xfeff => *b"d1",
        0xfefd => *b"d2",
        0xfefc => *b"d3",
        _ => *b"00",
    };
    let name = if hello.has_name { b'd' } else { b'i' };
    let [cipher_tens, cipher_ones] = two_digits(ciphers);
    let [kind_tens, kind_ones] = two_digits(kinds);
    let [first, last] = protocol_ends(hello.alpn);
    [carrier, major, minor, name, cipher_tens, cipher_ones, kind_tens, kind_ones, first, last]
}

/// First and last character of the first protocol name, or of its hexadecimal form where either
/// end is not a letter or digit.
fn protocol_ends(names: &[u8]) -> [u8; 2] {
    let name = protocol_names(names).next().unwrap_or_default();
    match (name.first(), name.last()) {
        (Some(first), Some(last)) => {
            if first.is_ascii_alphanumeric() && last.is_ascii_alphanumeric() {
                [*first, *last]
            } else {
                [digit(first >> 4), digit(*last)]
            }
        }
        _ => *b"00",
    }
}

fn two_digits(count: usize) -> [u8; 2] {
    let count = u8::try_from(count).unwrap_or(99).min(99);
    [b'0' + count / 10, b'0' + count % 10]
}

/// The hexadecimal digit of the low four bits.
fn digit(value: u8) -> u8 {
    match value & 15 {
        low @ 0..=9 => b'0' + low,
        low => b'a' + (low - 10),
    }
}

/// The four hexadecimal digits of `value`, all at once: each nibble in a byte of its own, to which
/// the distance to the digits is added and, where six more would carry, that to the letters.
fn four_digits(value: u16) -> [u8; 4] {
    let value = u32::from(value);
    let nibbles = (value << 12 & 0x0f00_0000)
        | (value << 8 & 0x000f_0000)
        | (value << 4 & 0x0000_0f00)
        | (value & 0x0000_000f);
    let letters = (nibbles + 0x0606_0606) >> 4 & 0x0101_0101;
    (nibbles + 0x3030_3030 + letters * u32::from(b'a' - b'0' - 10)).to_be_bytes()
}

/// A bounded list of numbers.
struct Values {
    values: [u16; VALUES_MOST],
    used: usize,
}

impl Values {
    fn new() -> Values {
        Values { values: [0; VALUES_MOST], used: 0 }
    }

    fn push(&mut self, value: u16) -> Option<()> {
        *self.values.get_mut(self.used)? = value;
        self.used += 1;
        Some(())
    }

    fn sorted(&mut self) -> &[u16] {
        if let Some(values) = self.values.get_mut(..self.used) {
            values.sort_unstable();
        }
        self.as_slice()
    }

    fn as_slice(&self) -> &[u16] {
        self.values.get(..self.used).unwrap_or_default()
    }
}

/// The text that is hashed.
struct Text {
    bytes: [u8; TEXT_BYTES],
    used: usize,
}

impl Text {
    fn new() -> Text {
        Text { bytes: [0; TEXT_BYTES], used: 0 }
    }

    fn push(&mut self, byte: u8) -> Option<()> {
        *self.bytes.get_mut(self.used)? = byte;
        self.used += 1;
        Some(())
    }

    /// Four digits a value, commas between them.
    fn list(&mut self, values: &[u16]) -> Option<()> {
        // The last value's comma is written too, but does not count.
        let written = values.len() * 5;
        let room = self.bytes.get_mut(self.used..self.used + written)?;
        for (place, value) in room.as_chunks_mut::<5>().0.iter_mut().zip(values) {
            let [a, b, c, d] = four_digits(*value);
            *place = [a, b, c, d, b','];
        }
        self.used += written.saturating_sub(1);
        Some(())
    }

    fn hash(&self) -> [u8; 12] {
        let Some(text) = self.bytes.get(..self.used).filter(|text| !text.is_empty()) else {
            return NOTHING;
        };
        let hash: [u8; 32] = Sha256::digest(text).into();
        let mut hex = NOTHING;
        for (pair, byte) in hex.as_chunks_mut::<2>().0.iter_mut().zip(hash) {
            *pair = [digit(byte >> 4), digit(byte)];
        }
        hex
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn four_digits_are_those_that_are_written() {
        for value in 0..=u16::MAX {
            assert_eq!(four_digits(value), format!("{value:04x}").as_bytes());
        }
    }

    #[test]
    fn a_list_has_commas_between_its_values_and_an_end() {
        let mut text = Text::new();
        assert_eq!(text.list(&[]), Some(()));
        assert_eq!(text.used, 0);
        text.list(&[0x1301, 0xc02b]).unwrap();
        text.push(b'_').unwrap();
        text.list(&[0x0403]).unwrap();
        assert_eq!(&text.bytes[..text.used], b"1301,c02b_0403");
        let values = [7; VALUES_MOST];
        text.used = 0;
        text.list(&values).unwrap();
        assert_eq!(text.used, VALUES_MOST * 5 - 1);
        assert_eq!(text.list(&values), None);
    }
}
