//! A list of fingerprints of clients and of certificates.

use super::super::condition::JA4_BYTES;
use super::super::grammar::conditions::{read_hex, read_ja4};
use super::{Left, lines};

/// What is looked for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Fingerprint<'a> {
    /// JA4, in its 36 characters.
    Ja4(&'a [u8]),
    /// SHA-256 of a certificate.
    Sha256(&'a [u8; 32]),
    /// SHA-1 of a certificate.
    Sha1(&'a [u8; 20]),
}

/// See the module. Of each line the first field that is one counts; fields end with a comma or
/// space. Hashes are written in hexadecimal digits, perhaps with colons.
#[derive(Debug)]
pub struct FingerprintList {
    ja4: Box<[[u8; JA4_BYTES]]>,
    sha256: Box<[[u8; 32]]>,
    sha1: Box<[[u8; 20]]>,
    left: Left,
}

impl FingerprintList {
    /// Reads a list.
    pub fn new(text: &[u8]) -> FingerprintList {
        let (mut ja4, mut sha256, mut sha1) = (Vec::new(), Vec::new(), Vec::new());
        let mut left = Left::default();
        for (number, line) in lines(text) {
            let fields = line.split(|byte| b" \t,\"".contains(byte));
            let known = fields.map(|field| field.get(..128).unwrap_or(field)).any(|field| {
                if let Some(fingerprint) = read_ja4(field) {
                    ja4.push(fingerprint);
                    return true;
                }
                let digits: Vec<u8> = field.iter().copied().filter(|byte| *byte != b':').collect();
                let bytes = read_hex(&digits).unwrap_or_default();
                if let Ok(hash) = <[u8; 32]>::try_from(&*bytes) {
                    sha256.push(hash);
                    return true;
                }
                <[u8; 20]>::try_from(&*bytes).map(|hash| sha1.push(hash)).is_ok()
            });
            if !known {
                left.add(number);
            }
        }
        FingerprintList { ja4: sorted(ja4), sha256: sorted(sha256), sha1: sorted(sha1), left }
    }

    /// Whether a fingerprint is on the list.
    pub fn has(&self, fingerprint: Fingerprint<'_>) -> bool {
        match fingerprint {
            Fingerprint::Ja4(ja4) => {
                self.ja4.binary_search_by(|other| other.as_slice().cmp(ja4)).is_ok()
            }
            Fingerprint::Sha256(hash) => self.sha256.binary_search(hash).is_ok(),
            Fingerprint::Sha1(hash) => self.sha1.binary_search(hash).is_ok(),
        }
    }

    /// Fingerprints on the list.
    pub fn len(&self) -> usize {
        self.ja4.len() + self.sha256.len() + self.sha1.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// What was left out.
    pub fn left(&self) -> Left {
        self.left
    }
}

fn sorted<T: Ord>(mut entries: Vec<T>) -> Box<[T]> {
    entries.sort_unstable();
    entries.dedup();
    entries.into()
}
