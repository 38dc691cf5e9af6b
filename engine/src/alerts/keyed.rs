//! Bounded tables by key: buckets of four, the one unused for longest makes room.

use crate::flow::group::prefetch;
use crate::sys::table::table;

/// What a table is asked by: three words, equal or not.
pub(super) type Key = [u64; 3];

const WAYS: usize = 4;

/// A table of fixed size from keys to `V`.
///
/// A key's home is a place of its bucket; where that is taken it is in one of the three that follow,
/// round the bucket. Places are never freed, so the first free one ends the search.
#[derive(Debug)]
pub(super) struct Keyed<V> {
    places: Box<[Place<V>]>,
    secret: u64,
    evicted: u64,
}

/// A cache line.
#[derive(Clone, Copy, Default, Debug)]
#[repr(align(64))]
struct Place<V> {
    key: Key,
    /// When it was last used; 0: it is free.
    used_s: u32,
    value: V,
}

/// What [`Keyed::entry`] found.
#[derive(Debug)]
pub(super) struct Found<'a, V> {
    pub(super) value: &'a mut V,
    /// It was not there before.
    pub(super) is_new: bool,
}

impl<V: Copy + Default> Keyed<V> {
    /// A table of `places` or a few more.
    pub(super) fn new(places: usize, secret: u64) -> Keyed<V> {
        let places = places.next_power_of_two().max(WAYS);
        Keyed { places: table(Place::default(), places), secret, evicted: 0 }
    }

    /// Places that were given to another key although they were used.
    pub(super) fn evicted(&self) -> u64 {
        self.evicted
    }

    /// Asks for where `key` most likely is.
    #[inline]
    pub(super) fn fetch(&self, key: &Key) {
        prefetch::<0, _>(&self.places[self.home(key)]);
    }

    /// The value of `key`, made if it is not there.
    #[inline]
    pub(super) fn entry(&mut self, key: &Key, now_s: u32) -> Found<'_, V> {
        let home = self.home(key);
        let (place, is_new) = match self.find(key, home) {
            Ok(place) => (place, false),
            Err(free) => (free.unwrap_or_else(|| self.oldest(home)), true),
        };
        let place = &mut self.places[place];
        if is_new {
            *place = Place { key: *key, used_s: 0, value: V::default() };
        }
        place.used_s = now_s.max(1);
        Found { value: &mut place.value, is_new }
    }

    /// The value of `key`, if it is there.
    pub(super) fn get(&self, key: &Key) -> Option<&V> {
        self.find(key, self.home(key)).ok().map(|place| &self.places[place].value)
    }

    /// The value of `key`, if it is there.
    pub(super) fn get_mut(&mut self, key: &Key) -> Option<&mut V> {
        self.find(key, self.home(key)).ok().map(|place| &mut self.places[place].value)
    }

    #[inline]
    fn home(&self, key: &Key) -> usize {
        let hash = mixed(key, self.secret);
        usize::try_from(hash >> 32).unwrap_or(0) & (self.places.len() - 1)
    }

    /// Where the key is, or a free place for it if there is one.
    #[inline]
    fn find(&self, key: &Key, home: usize) -> Result<usize, Option<usize>> {
        for place in around(home) {
            let known = &self.places[place];
            if known.used_s == 0 {
                return Err(Some(place));
            }
            if known.key == *key {
                return Ok(place);
            }
        }
        Err(None)
    }

    #[cold]
    fn oldest(&mut self, home: usize) -> usize {
        self.evicted += 1;
        around(home).min_by_key(|place| self.places[*place].used_s).unwrap_or(home)
    }
}

/// The places of a bucket, from `home` on.
#[inline]
fn around(home: usize) -> impl Iterator<Item = usize> {
    (0..WAYS).map(move |step| home & !(WAYS - 1) | (home + step) & (WAYS - 1))
}

/// Whether something was seen in a window before: a set of fixed size that forgets the oldest.
#[derive(Debug)]
pub(super) struct Seen {
    /// Hash bits (40) and the window's start, seconds modulo 2^24.
    words: Box<[[u64; WAYS]]>,
    secret: u64,
    evicted: u64,
}

const SECOND_BITS: u32 = 24;

impl Seen {
    pub(super) fn new(places: usize, secret: u64) -> Seen {
        let buckets = places.div_ceil(WAYS).next_power_of_two();
        Seen { words: table([0; WAYS], buckets), secret, evicted: 0 }
    }

    /// Notes `key` in the window that begins at `start_s`; whether it is the first time there.
    pub(super) fn first(&mut self, key: &Key, start_s: u32) -> bool {
        let hash = mixed(key, self.secret);
        let bucket = usize::try_from(hash >> 40).unwrap_or(0) & (self.words.len() - 1);
        let window = u64::from(start_s) & ((1 << SECOND_BITS) - 1);
        let word = (hash | 1) << SECOND_BITS | window;
        let bucket = &mut self.words[bucket];
        if bucket.contains(&word) {
            return false;
        }
        let of_now = |word: &u64| word & ((1 << SECOND_BITS) - 1) == window;
        let way = bucket.iter().position(|word| *word == 0 || !of_now(word));
        if way.is_none() {
            self.evicted += 1;
        }
        bucket[way.unwrap_or(usize::try_from(hash & 3).unwrap_or(0))] = word;
        true
    }

    /// What was forgotten within its window.
    pub(super) fn evicted(&self) -> u64 {
        self.evicted
    }
}

/// A hash that those who do not know the secret cannot aim at.
#[inline]
fn mixed(key: &Key, secret: u64) -> u64 {
    let folded = |a: u64, b: u64| {
        let product = u128::from(a) * u128::from(b);
        let [low, high] = [product & u128::from(u64::MAX), product >> 64];
        u64::try_from(low ^ high).unwrap_or(0)
    };
    let one = folded(key[0] ^ secret, key[1] ^ 0x9e37_79b9_7f4a_7c15);
    folded(one ^ key[2], secret ^ 0xd6e8_feb8_6659_fd93)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_is_a_cache_line() {
        assert_eq!(size_of::<Place<super::super::Meter>>(), 64);
        assert_eq!(size_of::<Place<super::super::Source>>(), 64);
    }

    #[test]
    fn keys_find_their_values_and_the_oldest_makes_room() {
        let mut table: Keyed<u64> = Keyed::new(1024, 7);
        for number in 0..200 {
            let found = table.entry(&[number, 1, 2], 1);
            assert!(found.is_new);
            *found.value = number;
        }
        for number in 0..200 {
            assert_eq!(table.get(&[number, 1, 2]), Some(&number));
        }
        assert_eq!(table.get(&[1, 2, 3]), None);
        for number in 1000..50_000 {
            table.entry(&[number, 1, 2], 2);
            table.entry(&[5, 1, 2], 3);
        }
        assert!(table.evicted() > 40_000, "{}", table.evicted());
        assert_eq!(table.get(&[5, 1, 2]), Some(&5), "what is in use stays");
    }

    #[test]
    fn a_set_knows_what_came_in_the_same_window() {
        let mut seen = Seen::new(4096, 9);
        let first = (0..1000).filter(|number| seen.first(&[*number, 0, 0], 60)).count();
        assert_eq!(first, 1000);
        let again = (0..1000).filter(|number| seen.first(&[*number, 0, 0], 60)).count();
        assert!(again < 30, "{again}");
        assert!(seen.first(&[1, 0, 0], 120), "another window");
    }
}
