//! Digests that were made before: the same few clients and servers come again and again, and
//! comparing the bytes takes a fraction of hashing them.

use crate::kept::{Kept, marked};
use sha1::Sha1;
use sha2::{Digest, Sha256};

/// Bytes of a fingerprint's list at most; of longer ones the digest is made each time.
const LIST_BYTES: usize = 192;
/// Bytes of a certificate at most.
const CERTIFICATE_BYTES: usize = 2048;

/// The digests of a shard.
#[derive(Debug)]
pub(crate) struct Digests {
    ciphers: Kept<Listed>,
    extensions: Kept<Listed>,
    certificates: Kept<Prints>,
}

/// What stands for a list of numbers in a fingerprint.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub(crate) struct Listed {
    /// Numbers in the list.
    pub(crate) count: usize,
    /// The beginning of the digest, in hexadecimal digits.
    pub(crate) hash: [u8; 12],
}

/// The digests by which a certificate is listed elsewhere.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub(crate) struct Prints {
    pub(crate) sha256: [u8; 32],
    pub(crate) sha1: [u8; 20],
}

impl Prints {
    /// Those of bytes that come in pieces.
    pub(crate) fn of(hash: Hashing) -> Prints {
        Prints { sha256: hash.0.finalize().into(), sha1: hash.1.finalize().into() }
    }
}

/// Both digests of a certificate in the making.
#[derive(Clone, Default)]
pub(crate) struct Hashing(Sha256, Sha1);

impl Hashing {
    pub(crate) fn add(&mut self, piece: &[u8]) {
        self.0.update(piece);
        self.1.update(piece);
    }
}

impl Digests {
    /// Room for `certificates` of them, and for twice as many lists of either kind.
    pub(crate) fn new(certificates: usize) -> Digests {
        Digests {
            ciphers: Kept::new(certificates * 2, LIST_BYTES),
            extensions: Kept::new(certificates * 2, LIST_BYTES),
            certificates: Kept::new(certificates, CERTIFICATE_BYTES),
        }
    }

    /// What stands for the ciphers that `key` tells, which `make` makes where it is not there.
    pub(crate) fn ciphers(
        &mut self,
        key: [&[u8]; 1],
        make: impl FnOnce() -> Option<Listed>,
    ) -> Option<Listed> {
        self.ciphers.of(key, make)
    }

    /// The same for extensions and signature algorithms.
    pub(crate) fn extensions(
        &mut self,
        key: [&[u8]; 3],
        make: impl FnOnce() -> Option<Listed>,
    ) -> Option<Listed> {
        self.extensions.of(key, make)
    }

    /// The digests of a certificate.
    pub(crate) fn certificate(&mut self, der: &[u8]) -> Prints {
        // The signature stands at the end.
        let mark = marked(der.len() as u64, der.last_chunk::<16>().map_or(der, |end| end));
        if let Some(prints) = self.certificates.get(mark, [der]) {
            return prints;
        }
        let mut hash = Hashing::default();
        hash.add(der);
        let prints = Prints::of(hash);
        self.certificates.put(mark, [der], prints);
        prints
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plain(der: &[u8]) -> Prints {
        Prints { sha256: Sha256::digest(der).into(), sha1: Sha1::digest(der).into() }
    }

    #[test]
    fn digests_are_those_of_the_bytes_however_often_and_in_whatever_order() {
        let mut digests = Digests::new(8);
        for round in 0..3_u8 {
            for seed in 0..40_u8 {
                for length in [0, 1, 15, 16, 300, CERTIFICATE_BYTES, CERTIFICATE_BYTES + 1] {
                    // All have the same end and so the same mark.
                    let mut der = vec![7; length];
                    if let Some(first) = der.first_mut().filter(|_| length > 16) {
                        *first = seed ^ round;
                    }
                    assert_eq!(digests.certificate(&der), plain(&der), "{seed} {length}");
                }
            }
        }
    }

    #[test]
    fn what_was_made_is_not_made_again() {
        let mut digests = Digests::new(8);
        let made = |byte| Some(Listed { count: 1, hash: [byte; 12] });
        let list = [1_u8, 2, 3, 4, 5];
        assert_eq!(digests.ciphers([&list], || None), None);
        assert_eq!(digests.ciphers([&list], || made(1)), made(1));
        assert_eq!(digests.ciphers([&list], || made(2)), made(1));
        assert_eq!(digests.ciphers([&list[..4]], || made(3)), made(3));
        let long = [9; LIST_BYTES + 1];
        assert_eq!(digests.ciphers([&long], || made(4)), made(4));
        assert_eq!(digests.ciphers([&long], || made(5)), made(5));
        assert_eq!(digests.extensions([&list, &[], &[6]], || made(6)), made(6));
        assert_eq!(digests.extensions([&list, &[6], &[]], || made(7)), made(6), "one key");
    }

    #[test]
    fn a_round_longer_than_what_fits_still_finds_some() {
        let mut digests = Digests::new(64);
        let (mut made, rounds) = (0, 20);
        for at in 0..rounds * 150_u16 {
            let list = (at % 150).to_be_bytes();
            digests.ciphers([&list], || {
                made += 1;
                Some(Listed::default())
            });
        }
        assert!((150..rounds * 150 / 2).contains(&made), "{made}");
    }
}
