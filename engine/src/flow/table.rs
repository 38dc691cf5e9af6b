//! Finding a flow by its key.
//!
//! Idea: two choices of a group of fifteen slots, by two parts of one keyed hash. A flow goes
//! to its first choice unless that is full; the first choice then counts it as *overflowed*, so
//! that a miss reads the second group only where it must. A lookup thus reads one group of tags,
//! and of the slots only the one whose tag agrees (one in 128 by chance).
//!
//! No flow ever moves, so there are no tombstones, no rehash and no pause, and an index is a
//! name that timers and readers can keep.

use ahash::RandomState;
use std::hash::{BuildHasher, Hasher};

use weir_shm::FlowSlots;
use weir_shm::flow::FlowSlot;

use super::group::{GROUP_SLOTS, Group, prefetch, tag_of};
use super::record;
use crate::wire::FlowKey;

/// Where a new flow can go.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Place {
    /// A free slot.
    Free(u32),
    /// Both groups are full: this flow of a single packet should leave, the oldest such.
    OnePacket(u32),
    /// Both groups are full of flows that had answers: the one longest silent should leave.
    Oldest(u32),
}

/// Keys between the one that is looked up and the one whose slot is asked for. A core has some two
/// dozen lines under way at a time, and drops what it is asked for beyond that.
pub const AHEAD: usize = 16;

/// What a look-up will most likely come to.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Likely {
    /// The slot.
    pub index: u32,
    /// It is free: the flow is new.
    pub is_new: bool,
}

/// See the module.
#[derive(Debug)]
pub struct FlowTable {
    groups: Box<[Group]>,
    slots: FlowSlots,
    secret: RandomState,
    live: u32,
}

impl FlowTable {
    /// Slots that a table for `flows` flows has: whole groups of fifteen.
    pub const fn slots_for(flows: u32) -> u32 {
        const SLOTS: u32 = 15;
        const { assert!(SLOTS as usize == GROUP_SLOTS) };
        let groups = flows.div_ceil(SLOTS);
        (if groups < 2 { 2 } else { groups }) * SLOTS
    }

    /// A table over `slots`, whose number comes from [`FlowTable::slots_for`].
    ///
    /// `secret` keys the hash, so that nobody outside can aim flows at one group.
    ///
    /// # Panics
    /// There are fewer slots than two groups have.
    pub fn new(slots: FlowSlots, secret: [u64; 4]) -> FlowTable {
        let groups = vec![Group::EMPTY; slots.len() / GROUP_SLOTS].into_boxed_slice();
        assert!(groups.len() >= 2, "slots_for makes two groups at least");
        let [a, b, c, d] = secret;
        FlowTable { groups, slots, secret: RandomState::with_seeds(a, b, c, d), live: 0 }
    }

    /// The keyed hash of `key`.
    #[inline(always)]
    pub fn hash(&self, key: &FlowKey) -> u64 {
        let mut hasher = self.secret.build_hasher();
        for word in key.words {
            hasher.write_u64(word);
        }
        hasher.finish()
    }

    /// Asks for the tags that a lookup of `hash` reads first.
    #[inline(always)]
    pub fn prefetch_tags(&self, hash: u64) {
        prefetch::<0, _>(&self.groups[self.first_choice(hash)]);
    }

    /// Asks for the key of the slot that a lookup of `hash` will most likely compare, or else of the
    /// one that a new flow would get. Reads the tags.
    #[inline(always)]
    #[expect(clippy::cast_possible_truncation, reason = "the number of slots is a u32")]
    pub fn prefetch_slot(&self, hash: u64) -> Option<Likely> {
        let group = self.first_choice(hash);
        let tags = &self.groups[group];
        let (slot, is_new) = match tags.matching(tag_of(hash)).next() {
            Some(slot) => (slot, false),
            None => (tags.free().next()?, true),
        };
        let index = group * GROUP_SLOTS + slot;
        prefetch::<0, _>(&self.slots[index]);
        Some(Likely { index: index as u32, is_new })
    }

    /// The flow with this key.
    #[inline(always)]
    pub fn find(&self, key: &FlowKey, hash: u64) -> Option<u32> {
        let first = self.first_choice(hash);
        if let Some(found) = self.find_in(first, key, hash) {
            return Some(found);
        }
        if self.groups[first].has_overflowed() {
            return self.find_in(self.second_choice(hash, first), key, hash);
        }
        None
    }

    #[inline(always)]
    #[expect(clippy::cast_possible_truncation, reason = "the number of slots is a u32")]
    fn find_in(&self, group: usize, key: &FlowKey, hash: u64) -> Option<u32> {
        let base = group * GROUP_SLOTS;
        let mut candidates = self.groups[group].matching(tag_of(hash)).map(|slot| base + slot);
        candidates.find(|index| record::has_key(&self.slots[*index], key)).map(|index| index as u32)
    }

    /// Where a new flow with this hash can go. Reads up to thirty slots when both groups are full.
    #[expect(clippy::cast_possible_truncation, reason = "the number of slots is a u32")]
    pub fn place(&self, hash: u64) -> Place {
        let first = self.first_choice(hash);
        let second = self.second_choice(hash, first);
        for group in [first, second] {
            if let Some(slot) = self.groups[group].free().next() {
                return Place::Free((group * GROUP_SLOTS + slot) as u32);
            }
        }
        let taken = |group: usize| {
            self.groups[group].taken().map(move |slot| (group * GROUP_SLOTS + slot) as u32)
        };
        let last_seen = |index: &u32| record::last_ns(self.slot(*index));
        for group in [first, second] {
            let single = taken(group).filter(|index| record::packets(self.slot(*index)) <= 1);
            if let Some(oldest) = single.min_by_key(last_seen) {
                return Place::OnePacket(oldest);
            }
        }
        let all = taken(first).chain(taken(second));
        Place::Oldest(all.min_by_key(last_seen).unwrap_or((first * GROUP_SLOTS) as u32))
    }

    /// Takes the free slot `index`, one that [`FlowTable::place`] named for `hash`.
    pub fn take(&mut self, index: u32, hash: u64) {
        let (group, slot) = position(index);
        self.groups[group].take(slot, tag_of(hash));
        let first = self.first_choice(hash);
        if group != first {
            self.groups[first].overflow();
        }
        self.live += 1;
    }

    /// Frees the slot of a flow, whose key it still holds. The caller has cleared or will clear
    /// the slot itself.
    pub fn release(&mut self, index: u32) {
        let hash = self.hash(&record::key(self.slot(index)));
        let (group, slot) = position(index);
        self.groups[group].release(slot);
        let first = self.first_choice(hash);
        if group != first {
            self.groups[first].underflow();
        }
        self.live -= 1;
    }

    /// The slot at `index`.
    #[inline(always)]
    pub fn slot(&self, index: u32) -> &FlowSlot {
        &self.slots[index as usize]
    }

    /// Indices of all flows.
    #[expect(clippy::cast_possible_truncation, reason = "the number of slots is a u32")]
    pub fn taken_in_group(&self, group: usize) -> impl Iterator<Item = u32> + use<> {
        self.groups[group].taken().map(move |slot| (group * GROUP_SLOTS + slot) as u32)
    }

    /// Number of groups.
    pub fn groups(&self) -> usize {
        self.groups.len()
    }

    /// Flows in the table.
    pub const fn live(&self) -> u32 {
        self.live
    }

    /// Flows that fit.
    pub fn capacity(&self) -> usize {
        self.slots.len()
    }

    #[inline(always)]
    fn first_choice(&self, hash: u64) -> usize {
        scale(hash & 0xFFFF_FFFF, self.groups.len())
    }

    /// A group other than `first`.
    #[inline(always)]
    fn second_choice(&self, hash: u64, first: usize) -> usize {
        let others = self.groups.len() - 1;
        let step = 1 + scale((hash >> 25) & 0xFFFF_FFFF, others);
        let second = first + step;
        if second >= self.groups.len() { second - self.groups.len() } else { second }
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
