//! Digests that were made before: the same few clients and servers come again and again, and
//! comparing the bytes takes a fraction of hashing them.
//!
//! What was hashed is kept beside its digest and compared in full, so an answer is always the
//! digest of the very bytes. Sets of [`WAYS`] places; where a set is full any of them gives way, so
//! that going round more than fits still finds some. All of it is allocated at set-up.

use sha1::Sha1;
use sha2::{Digest, Sha256};

/// Places in which an entry may be.
const WAYS: usize = 4;
/// Values of a fingerprint's list at most; of longer ones the digest is made each time.
const LIST_VALUES: usize = 96;
/// Bytes of a certificate at most.
const CERTIFICATE_BYTES: usize = 2048;

/// The digests of a shard.
#[derive(Debug)]
pub(crate) struct Digests {
    lists: Kept<u16, [u8; 12]>,
    certificates: Kept<u8, Prints>,
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
    /// Room for `certificates` of them, and for twice as many lists.
    pub(crate) fn new(certificates: usize) -> Digests {
        Digests {
            lists: Kept::new(certificates * 2, LIST_VALUES),
            certificates: Kept::new(certificates, CERTIFICATE_BYTES),
        }
    }

    /// The fingerprint of a list of numbers, which `make` makes where it is not there.
    pub(crate) fn list(
        &mut self,
        list: &[u16],
        make: impl FnOnce() -> Option<[u8; 12]>,
    ) -> Option<[u8; 12]> {
        let (fours, rest) = list.as_chunks::<4>();
        let fours = fours
            .iter()
            .map(|four| four.iter().fold(0, |word: u64, value| word << 16 | u64::from(*value)));
        let words = fours.chain(rest.iter().map(|value| u64::from(*value)));
        let mark = words.fold(list.len() as u64, mixed);
        if let Some(print) = self.lists.get(mark, list) {
            return Some(print);
        }
        let print = make()?;
        self.lists.put(mark, list, print);
        Some(print)
    }

    /// The digests of a certificate.
    pub(crate) fn certificate(&mut self, der: &[u8]) -> Prints {
        // The signature stands at the end.
        let (words, _) = der.get(der.len().saturating_sub(16)..).unwrap_or_default().as_chunks();
        let words = words.iter().map(|word| u64::from_le_bytes(*word));
        let mark = words.fold(der.len() as u64, mixed);
        if let Some(prints) = self.certificates.get(mark, der) {
            return prints;
        }
        let mut hash = Hashing::default();
        hash.add(der);
        let prints = Prints::of(hash);
        self.certificates.put(mark, der, prints);
        prints
    }
}

fn mixed(mark: u64, word: u64) -> u64 {
    let product = (mark ^ word).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    product ^ product >> 32
}

/// One place: `mark` is 0 where nothing is.
#[derive(Clone, Copy, Default, Debug)]
struct Place<V> {
    mark: u32,
    used: usize,
    value: V,
}

/// Keys of at most `most` elements and their values, in sets chosen by a mark.
#[derive(Debug)]
struct Kept<K, V> {
    /// A power of two of sets.
    sets: Box<[[Place<V>; WAYS]]>,
    /// `most` elements a place.
    keys: Box<[K]>,
    most: usize,
    /// Decides who gives way.
    turn: u32,
}

impl<K: Copy + Eq + Default, V: Copy + Default> Kept<K, V> {
    fn new(entries: usize, most: usize) -> Kept<K, V> {
        let sets = entries.div_ceil(WAYS).next_power_of_two();
        Kept {
            sets: vec![[Place::default(); WAYS]; sets].into_boxed_slice(),
            keys: vec![K::default(); sets * WAYS * most].into_boxed_slice(),
            most,
            turn: 0,
        }
    }

    fn get(&self, mark: u64, key: &[K]) -> Option<V> {
        let (set, mark) = self.split(mark);
        let places = self.sets.get(set)?;
        let (at, place) = places.iter().enumerate().find(|(_, place)| place.mark == mark)?;
        let from = (set * WAYS + at) * self.most;
        (self.keys.get(from..from + place.used)? == key).then_some(place.value)
    }

    fn put(&mut self, mark: u64, key: &[K], value: V) {
        let (set, mark) = self.split(mark);
        let Some(places) = self.sets.get_mut(set).filter(|_| key.len() <= self.most) else {
            return;
        };
        self.turn = self.turn.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        // One mark is in a set once.
        let own = places.iter().position(|place| place.mark == mark);
        let free = own.or_else(|| places.iter().position(|place| place.mark == 0));
        let at = free.unwrap_or((self.turn >> 16) as usize % WAYS);
        let from = (set * WAYS + at) * self.most;
        if let (Some(place), Some(room)) =
            (places.get_mut(at), self.keys.get_mut(from..from + key.len()))
        {
            *place = Place { mark, used: key.len(), value };
            room.copy_from_slice(key);
        }
    }

    /// The set, and what is noted in it.
    fn split(&self, mark: u64) -> (usize, u32) {
        #[expect(clippy::cast_possible_truncation, reason = "the upper half; the lower, masked")]
        let (high, low) = ((mark >> 32) as u32, mark as usize);
        (low & (self.sets.len() - 1), high | 1)
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
        let list = [1_u16, 2, 3, 4, 5];
        assert_eq!(digests.list(&list, || None), None);
        assert_eq!(digests.list(&list, || Some([1; 12])), Some([1; 12]));
        assert_eq!(digests.list(&list, || Some([2; 12])), Some([1; 12]));
        assert_eq!(digests.list(&list[..4], || Some([3; 12])), Some([3; 12]));
        let long = [9; LIST_VALUES + 1];
        assert_eq!(digests.list(&long, || Some([4; 12])), Some([4; 12]));
        assert_eq!(digests.list(&long, || Some([5; 12])), Some([5; 12]));
    }

    #[test]
    fn a_round_longer_than_what_fits_still_finds_some() {
        let mut digests = Digests::new(64);
        let (mut made, rounds) = (0, 20);
        for at in 0..rounds * 150_u16 {
            let list = [at % 150, 1, 2];
            digests.list(&list, || {
                made += 1;
                Some([0; 12])
            });
        }
        assert!((150..rounds * 150 / 2).contains(&made), "{made}");
    }
}
