//! A hash index of bounded work: every key has two buckets of twelve places, and a lookup reads
//! these two cache lines and no more, whatever is in the index.
//!
//! What is stored is a number; the caller tells by it whether the key is really there, so there are
//! no false hits. What fits in neither bucket is lost and counted; with buckets filled to two
//! thirds that does not happen unless somebody works for it.

use std::fmt;

/// Places of a bucket: a tag and a number each, one cache line.
const PLACES: usize = 12;
/// Places of a bucket that are filled on average.
const FILLED: usize = 8;
/// How often the index is made anew, with another seed and more room, before something is lost.
const ATTEMPTS: u32 = 4;

/// See the module.
#[derive(Default)]
pub(super) struct Index {
    buckets: Box<[Bucket]>,
    seed: u64,
    lost: u32,
}

#[derive(Clone, Copy, Default)]
#[repr(align(64))]
struct Bucket {
    /// 0: empty.
    tags: [u8; PLACES],
    items: [u32; PLACES],
}

const _: () = assert!(size_of::<Bucket>() == 64);

impl fmt::Debug for Index {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Index({} buckets, {} lost)", self.buckets.len(), self.lost)
    }
}

impl Index {
    /// An index over `items`, and how many of them had been there already. `hash` gives an item's
    /// hash, `same` whether two are equal.
    pub(super) fn new(
        items: &(impl ExactSizeIterator<Item = u32> + Clone),
        hash: impl Fn(u32) -> u64,
        same: impl Fn(u32, u32) -> bool,
    ) -> (Index, u32) {
        let count = items.len();
        if count == 0 {
            return (Index::default(), 0);
        }
        let mut buckets = count.div_ceil(FILLED);
        for attempt in 1.. {
            let seed = mix(u64::from(attempt));
            let mut index =
                Index { buckets: vec![Bucket::default(); buckets].into(), seed, lost: 0 };
            let mut doubled = 0;
            for item in items.clone() {
                let hash = hash(item);
                if index.find(hash, |other| same(item, other)).is_some() {
                    doubled += 1;
                } else {
                    index.put(hash, item);
                }
            }
            if index.lost == 0 || attempt == ATTEMPTS {
                return (index, doubled);
            }
            buckets += buckets / 4 + 1;
        }
        (Index::default(), 0)
    }

    /// The item with this hash for which `is_it` holds.
    pub(super) fn find(&self, hash: u64, is_it: impl Fn(u32) -> bool) -> Option<u32> {
        let (first, second, tag) = self.places_of(hash);
        for bucket in [first, second] {
            let bucket = self.buckets.get(bucket)?;
            for (other, item) in bucket.tags.iter().zip(&bucket.items) {
                if *other == tag && is_it(*item) {
                    return Some(*item);
                }
            }
        }
        None
    }

    fn put(&mut self, hash: u64, item: u32) {
        let (first, second, tag) = self.places_of(hash);
        let free = |at: usize| {
            // They are filled from the first on.
            let used = |bucket: &Bucket| bucket.tags.iter().position(|tag| *tag == 0);
            self.buckets.get(at).and_then(used).map_or(0, |used| PLACES - used)
        };
        let at = if free(second) > free(first) { second } else { first };
        let Some(bucket) = self.buckets.get_mut(at) else { return };
        let mut places = bucket.tags.iter_mut().zip(&mut bucket.items);
        let Some((empty, place)) = places.find(|(tag, _)| **tag == 0) else {
            self.lost += 1;
            return;
        };
        (*empty, *place) = (tag, item);
    }

    /// Both buckets of a hash, and its tag.
    fn places_of(&self, hash: u64) -> (usize, usize, u8) {
        let mixed = mix(hash ^ self.seed);
        let again = mix(mixed ^ hash);
        let buckets = self.buckets.len() as u64;
        let scaled = |half: u64| ((half & 0xffff_ffff).wrapping_mul(buckets) >> 32) as usize;
        (scaled(mixed), scaled(again), (again >> 56) as u8 | 1)
    }

    /// Items that found no place.
    pub(super) fn lost(&self) -> u32 {
        self.lost
    }

    /// Bytes on the heap.
    pub(super) fn heap_bytes(&self) -> usize {
        size_of_val(&*self.buckets)
    }
}

fn mix(value: u64) -> u64 {
    let value = (value ^ (value >> 32)).wrapping_mul(0xD6E8_FEB8_6659_FD93);
    let value = (value ^ (value >> 29)).wrapping_mul(0x9E37_79B9_7F4A_7C15);
    value ^ (value >> 32)
}

/// The hash of a name, taken from its end so that those of all its suffixes come on the way. Case
/// is of no meaning.
#[derive(Clone, Copy, Debug)]
pub(super) struct NameHash(u64);

impl NameHash {
    pub(super) const START: NameHash = NameHash(0xCBF2_9CE4_8422_2325);

    #[must_use]
    pub(super) const fn step(self, byte: u8) -> NameHash {
        // FNV-1a with the bit set that tells letters' cases apart.
        NameHash((self.0 ^ (byte | 0x20) as u64).wrapping_mul(0x0000_0100_0000_01B3))
    }

    pub(super) const fn end(self) -> u64 {
        self.0
    }

    pub(super) fn of(name: &[u8]) -> u64 {
        name.iter().rev().fold(NameHash::START, |hash, byte| hash.step(*byte)).end()
    }
}

/// What an index of groups is keyed by.
pub(super) trait Key: Ord {
    fn hash(&self) -> u64;
}

impl Key for Box<[u8]> {
    fn hash(&self) -> u64 {
        NameHash::of(self)
    }
}

impl Key for (u128, u8) {
    fn hash(&self) -> u64 {
        prefix_hash(self.0, self.1)
    }
}

impl Key for [u8; super::condition::JA4_BYTES] {
    fn hash(&self) -> u64 {
        NameHash::of(self)
    }
}

impl Key for u64 {
    fn hash(&self) -> u64 {
        mix(*self)
    }
}

/// The hash of a prefix.
#[expect(clippy::cast_possible_truncation, reason = "both halves are taken")]
pub(super) fn prefix_hash(address: u128, bits: u8) -> u64 {
    mix(address as u64 ^ u64::from(bits)).wrapping_add((address >> 64) as u64)
}

/// Few entries for each of many keys.
#[derive(Debug)]
pub(super) struct Groups<K, E> {
    /// Each key with the end of its entries; they begin where those of the key before it end.
    keys: Box<[(K, u32)]>,
    entries: Box<[E]>,
    index: Index,
}

impl<K, E> Default for Groups<K, E> {
    fn default() -> Groups<K, E> {
        Groups { keys: Box::default(), entries: Box::default(), index: Index::default() }
    }
}

/// More entries for a key than [`MOST`]: the last of them, or one that the index has lost.
#[derive(Debug)]
pub(super) struct TooMany<E>(pub(super) E);

/// Entries of a key at most.
pub(super) const MOST: usize = 64;

impl<K: Key, E: Ord + Copy> Groups<K, E> {
    pub(super) fn new(mut rows: Vec<(K, E)>) -> Result<Groups<K, E>, TooMany<E>> {
        rows.sort_unstable();
        let mut keys: Vec<(K, u32)> = Vec::new();
        let mut entries = Vec::with_capacity(rows.len());
        let mut used = 0;
        for (key, entry) in rows {
            let end = u32::try_from(entries.len() + 1).unwrap_or(u32::MAX);
            match keys.last_mut() {
                Some((last, last_end)) if *last == key => {
                    used += 1;
                    *last_end = end;
                }
                _ => {
                    used = 1;
                    keys.push((key, end));
                }
            }
            if used > MOST {
                return Err(TooMany(entry));
            }
            entries.push(entry);
        }
        let count = u32::try_from(keys.len()).unwrap_or(u32::MAX);
        let key = |at: u32| keys.get(at as usize).map(|(key, _)| key);
        let (index, _) =
            Index::new(&(0..count), |at| key(at).map_or(0, Key::hash), |one, other| one == other);
        match entries.last() {
            Some(entry) if index.lost() > 0 => Err(TooMany(*entry)),
            _ => Ok(Groups { keys: keys.into(), entries: entries.into(), index }),
        }
    }

    /// The entries of the key with this hash for which `is_it` holds, in their order.
    pub(super) fn get(&self, hash: u64, is_it: impl Fn(&K) -> bool) -> &[E] {
        let key = |at: u32| self.keys.get(at as usize);
        let found = self.index.find(hash, |at| key(at).is_some_and(|(key, _)| is_it(key)));
        let entries = found.and_then(|at| {
            let end = key(at)?.1;
            let start = at.checked_sub(1).and_then(key).map_or(0, |(_, end)| *end);
            self.entries.get(start as usize..end as usize)
        });
        entries.unwrap_or_default()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.keys.is_empty()
    }

    pub(super) fn keys(&self) -> impl Iterator<Item = &K> {
        self.keys.iter().map(|(key, _)| key)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_item_is_found_and_nothing_else() {
        for count in [0u32, 1, 2, 11, 12, 13, 1000, 100_000] {
            let (index, doubled) =
                Index::new(&(0..count), |item| mix(u64::from(item)), |one, other| one == other);
            assert_eq!((doubled, index.lost()), (0, 0));
            for item in 0..count {
                let hash = mix(u64::from(item));
                assert_eq!(index.find(hash, |other| other == item), Some(item));
            }
            for item in count..count + 100 {
                assert_eq!(index.find(mix(u64::from(item)), |other| other == item), None);
            }
        }
    }

    #[test]
    fn equal_hashes_cost_two_buckets_and_what_does_not_fit_is_counted() {
        let (index, _) = Index::new(&(0..1000), |_| 7, |one, other| one == other);
        let found = (0..1000).filter(|item| index.find(7, |other| other == *item).is_some());
        let found = u32::try_from(found.count()).unwrap();
        assert!((PLACES..=2 * PLACES).contains(&(found as usize)), "{found}");
        assert_eq!(index.lost(), 1000 - found);
    }

    #[test]
    fn what_comes_twice_is_there_once() {
        let (index, doubled) =
            Index::new(&(0..1000), |item| mix(u64::from(item % 10)), |a, b| a % 10 == b % 10);
        assert_eq!((doubled, index.lost()), (990, 0));
    }

    #[test]
    fn groups_keep_their_order_and_have_a_limit() {
        let rows = (0..640u32).map(|at| (u64::from(at / 64), 1000 - at));
        let groups = Groups::new(rows.clone().collect()).unwrap();
        let of = groups.get(mix(3), |key| *key == 3);
        assert_eq!((of.len(), of[0], of[63]), (64, 1000 - 255, 1000 - 192));
        assert!(groups.get(mix(11), |key| *key == 11).is_empty());
        let one_more = rows.chain([(3, 5000)]);
        assert_eq!(Groups::new(one_more.collect()).unwrap_err().0, 5000);
    }
}
