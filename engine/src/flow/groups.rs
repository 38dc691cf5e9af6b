//! Two choices of a group of fifteen slots, by two parts of one keyed hash: where a key's slot is, for
//! tables that keep what is in their slots elsewhere.
//!
//! A key goes to its first choice unless that is full; the first choice then counts it as *overflowed*,
//! so that a miss reads the second group only where it must. Nothing ever moves.

use crate::sys::table::table;

use super::group::{GROUP_SLOTS, Group, prefetch, tag_of};

/// The tags of a table's slots.
#[derive(Debug)]
pub(crate) struct Groups(Box<[Group]>);

impl Groups {
    /// Slots for so many keys: whole groups, two at least.
    pub(crate) const fn slots_for(keys: u32) -> u32 {
        const SLOTS: u32 = 15;
        const { assert!(SLOTS as usize == GROUP_SLOTS) };
        let groups = keys.div_ceil(SLOTS);
        (if groups < 2 { 2 } else { groups }) * SLOTS
    }

    /// The tags of so many free slots, a number from [`Groups::slots_for`].
    ///
    /// # Panics
    /// There are fewer slots than two groups have.
    pub(crate) fn new(slots: usize) -> Groups {
        assert!(slots / GROUP_SLOTS >= 2, "slots_for makes two groups at least");
        Groups(table(Group::EMPTY, slots / GROUP_SLOTS))
    }

    /// Number of groups.
    pub(crate) fn len(&self) -> usize {
        self.0.len()
    }

    /// Asks for the tags that a look-up of `hash` reads first.
    #[inline(always)]
    pub(crate) fn prefetch(&self, hash: u64) {
        prefetch::<0, _>(&self.0[self.first(hash)]);
    }

    /// Where the key of this hash most likely is, by the tags of its first group.
    #[inline(always)]
    pub(crate) fn likely(&self, hash: u64) -> Option<u32> {
        let group = self.first(hash);
        Some(index_of(group, self.0[group].matching(tag_of(hash)).next()?))
    }

    /// A free slot of the first group of `hash`.
    #[inline(always)]
    pub(crate) fn likely_free(&self, hash: u64) -> Option<u32> {
        let group = self.first(hash);
        Some(index_of(group, self.0[group].free().next()?))
    }

    /// The slot of the key of this hash, which `is` knows by its index.
    #[inline(always)]
    pub(crate) fn find(&self, hash: u64, is: impl Fn(u32) -> bool) -> Option<u32> {
        let first = self.first(hash);
        if let Some(found) = self.find_in(first, hash, &is) {
            return Some(found);
        }
        if self.0[first].has_overflowed() {
            return self.find_in(self.second(hash, first), hash, &is);
        }
        None
    }

    #[inline(always)]
    fn find_in(&self, group: usize, hash: u64, is: impl Fn(u32) -> bool) -> Option<u32> {
        let mut candidates = self.0[group].matching(tag_of(hash)).map(|slot| index_of(group, slot));
        candidates.find(|index| is(*index))
    }

    /// The two groups that the key of this hash can be in, the one it is to go to first.
    pub(crate) fn choices(&self, hash: u64) -> [usize; 2] {
        let first = self.first(hash);
        [first, self.second(hash, first)]
    }

    /// A free slot for the key of this hash.
    #[inline]
    pub(crate) fn free(&self, hash: u64) -> Option<u32> {
        self.likely_free(hash).or_else(|| {
            let second = self.second(hash, self.first(hash));
            self.0[second].free().next().map(|slot| index_of(second, slot))
        })
    }

    /// Every slot of a group that is taken.
    pub(crate) fn taken_in(&self, group: usize) -> impl Iterator<Item = u32> + use<> {
        self.0[group].taken().map(move |slot| index_of(group, slot))
    }

    /// Takes a free slot of one of the groups of `hash`.
    #[inline]
    pub(crate) fn take(&mut self, index: u32, hash: u64) {
        let (group, slot) = position(index);
        self.0[group].take(slot, tag_of(hash));
        let first = self.first(hash);
        if group != first {
            self.0[first].overflow();
        }
    }

    /// Frees the slot of the key of this hash.
    #[inline]
    pub(crate) fn release(&mut self, index: u32, hash: u64) {
        let (group, slot) = position(index);
        self.0[group].release(slot);
        let first = self.first(hash);
        if group != first {
            self.0[first].underflow();
        }
    }

    #[inline(always)]
    fn first(&self, hash: u64) -> usize {
        scale(hash & 0xFFFF_FFFF, self.0.len())
    }

    /// A group other than `first`.
    #[inline(always)]
    fn second(&self, hash: u64, first: usize) -> usize {
        let others = self.0.len() - 1;
        let step = 1 + scale((hash >> 25) & 0xFFFF_FFFF, others);
        let second = first + step;
        if second >= self.0.len() { second - self.0.len() } else { second }
    }
}

/// Maps 32 bits onto `0..count` by a multiplication.
#[inline(always)]
const fn scale(bits: u64, count: usize) -> usize {
    ((bits * count as u64) >> 32) as usize
}

#[inline(always)]
const fn position(index: u32) -> (usize, usize) {
    (index as usize / GROUP_SLOTS, index as usize % GROUP_SLOTS)
}

#[inline(always)]
#[expect(clippy::cast_possible_truncation, reason = "the number of slots is a u32")]
const fn index_of(group: usize, slot: usize) -> u32 {
    (group * GROUP_SLOTS + slot) as u32
}
