//! Bounded tables by key: buckets of four, the one unused for longest makes room.

/// What a table is asked by: three words, equal or not.
pub(super) type Key = [u64; 3];

const WAYS: usize = 4;

/// A table of fixed size from keys to `V`.
#[derive(Debug)]
pub(super) struct Keyed<V> {
    /// Hash bits of each place; 0: it is free.
    tags: Box<[[u32; WAYS]]>,
    places: Box<[Place<V>]>,
    secret: u64,
    evicted: u64,
}

#[derive(Clone, Copy, Default, Debug)]
struct Place<V> {
    key: Key,
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
        let buckets = places.div_ceil(WAYS).next_power_of_two();
        Keyed {
            tags: vec![[0; WAYS]; buckets].into(),
            places: vec![Place::default(); buckets * WAYS].into(),
            secret,
            evicted: 0,
        }
    }

    /// Places that were given to another key although they were used.
    pub(super) fn evicted(&self) -> u64 {
        self.evicted
    }

    /// The value of `key`, made if it is not there.
    pub(super) fn entry(&mut self, key: &Key, now_s: u32) -> Found<'_, V> {
        let (bucket, tag) = self.home(key);
        if let Some(place) = self.find(key, bucket, tag) {
            let place = &mut self.places[place];
            place.used_s = now_s;
            return Found { value: &mut place.value, is_new: false };
        }
        let way = self.way_to_use(bucket);
        self.tags[bucket][way] = tag;
        let place = &mut self.places[bucket * WAYS + way];
        *place = Place { key: *key, used_s: now_s, value: V::default() };
        Found { value: &mut place.value, is_new: true }
    }

    /// The value of `key`, if it is there.
    pub(super) fn get(&self, key: &Key) -> Option<&V> {
        let (bucket, tag) = self.home(key);
        self.find(key, bucket, tag).map(|place| &self.places[place].value)
    }

    /// The value of `key`, if it is there.
    pub(super) fn get_mut(&mut self, key: &Key) -> Option<&mut V> {
        let (bucket, tag) = self.home(key);
        self.find(key, bucket, tag).map(|place| &mut self.places[place].value)
    }

    #[inline]
    fn home(&self, key: &Key) -> (usize, u32) {
        let hash = mixed(key, self.secret);
        let bucket = usize::try_from(hash >> 32).unwrap_or(0) & (self.tags.len() - 1);
        let [a, b, c, d, ..] = hash.to_le_bytes();
        (bucket, u32::from_le_bytes([a, b, c, d]) | 1)
    }

    #[inline]
    fn find(&self, key: &Key, bucket: usize, tag: u32) -> Option<usize> {
        let ways = self.tags[bucket].iter().enumerate().filter(|(_, known)| **known == tag);
        let mut places = ways.map(|(way, _)| bucket * WAYS + way);
        places.find(|place| self.places[*place].key == *key)
    }

    #[cold]
    fn way_to_use(&mut self, bucket: usize) -> usize {
        if let Some(free) = self.tags[bucket].iter().position(|tag| *tag == 0) {
            return free;
        }
        self.evicted += 1;
        let used = |way: &usize| self.places[bucket * WAYS + way].used_s;
        (0..WAYS).min_by_key(used).unwrap_or(0)
    }
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
        Seen { words: vec![[0; WAYS]; buckets].into(), secret, evicted: 0 }
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
