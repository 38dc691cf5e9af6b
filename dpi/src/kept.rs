//! What was made of some bytes before: they come again and again, and comparing them takes a fraction
//! of making it anew.
//!
//! The bytes are kept beside what was made of them and compared in full, so an answer is always that
//! of the very bytes. Sets of [`WAYS`] places; where a set is full any of them gives way, so that
//! going round more than fits still finds some. All of it is allocated at set-up.

/// Places in which an entry may be.
const WAYS: usize = 4;

/// A mark that tells most keys apart, after these bytes.
pub(crate) fn marked(mark: u64, bytes: &[u8]) -> u64 {
    let (eights, rest) = bytes.as_chunks::<8>();
    let mark = eights.iter().fold(mark, |mark, eight| mixed(mark, u64::from_le_bytes(*eight)));
    match bytes.last_chunk::<8>() {
        _ if rest.is_empty() => mark,
        Some(last) => mixed(mark, u64::from_le_bytes(*last)),
        None => mixed(mark, rest.iter().fold(0, |word, byte| word << 8 | u64::from(*byte))),
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

/// Keys of at most `most` bytes and their values, in sets chosen by a mark. A key comes in pieces,
/// which are kept one behind the other.
#[derive(Debug)]
pub(crate) struct Kept<V> {
    /// A power of two of sets.
    sets: Box<[[Place<V>; WAYS]]>,
    /// `most` bytes a place.
    keys: Box<[u8]>,
    most: usize,
    /// Decides who gives way.
    turn: u32,
}

impl<V: Copy + Default> Kept<V> {
    pub(crate) fn new(entries: usize, most: usize) -> Kept<V> {
        let sets = entries.div_ceil(WAYS).next_power_of_two();
        Kept {
            sets: vec![[Place::default(); WAYS]; sets].into_boxed_slice(),
            keys: vec![0; sets * WAYS * most].into_boxed_slice(),
            most,
            turn: 0,
        }
    }

    /// The value of a key, which `make` makes where it is not there.
    pub(crate) fn of<const N: usize>(
        &mut self,
        key: [&[u8]; N],
        make: impl FnOnce() -> Option<V>,
    ) -> Option<V> {
        let mark = key.iter().fold(0, |mark, piece| marked(mark ^ piece.len() as u64, piece));
        if let Some(value) = self.get(mark, key) {
            return Some(value);
        }
        let value = make()?;
        self.put(mark, key, value);
        Some(value)
    }

    pub(crate) fn get<const N: usize>(&self, mark: u64, key: [&[u8]; N]) -> Option<V> {
        let (set, mark) = self.split(mark);
        let places = self.sets.get(set)?;
        let (at, place) = places.iter().enumerate().find(|(_, place)| place.mark == mark)?;
        let from = (set * WAYS + at) * self.most;
        let mut kept = self.keys.get(from..from + place.used)?;
        for piece in key {
            kept = kept.strip_prefix(piece)?;
        }
        kept.is_empty().then_some(place.value)
    }

    pub(crate) fn put<const N: usize>(&mut self, mark: u64, key: [&[u8]; N], value: V) {
        let (set, mark) = self.split(mark);
        let used = key.iter().map(|piece| piece.len()).sum();
        let Some(places) = self.sets.get_mut(set).filter(|_| used <= self.most) else {
            return;
        };
        self.turn = self.turn.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        // One mark is in a set once.
        let own = places.iter().position(|place| place.mark == mark);
        let free = own.or_else(|| places.iter().position(|place| place.mark == 0));
        let at = free.unwrap_or((self.turn >> 16) as usize % WAYS);
        let from = (set * WAYS + at) * self.most;
        if let (Some(place), Some(mut room)) =
            (places.get_mut(at), self.keys.get_mut(from..from + used))
        {
            *place = Place { mark, used, value };
            for piece in key {
                let Some((start, rest)) = room.split_at_mut_checked(piece.len()) else { return };
                start.copy_from_slice(piece);
                room = rest;
            }
        }
    }

    /// The set, and what is noted in it.
    fn split(&self, mark: u64) -> (usize, u32) {
        #[expect(clippy::cast_possible_truncation, reason = "the upper half; the lower, masked")]
        let (high, low) = ((mark >> 32) as u32, mark as usize);
        (low & (self.sets.len() - 1), high | 1)
    }
}
