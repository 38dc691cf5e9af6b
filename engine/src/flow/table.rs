//! Finding a flow by its key.
//!
//! `Groups` says where: a look-up reads one group of tags, and of the slots only the one whose tag
//! agrees (one in 128 by chance).
//!
//! No flow ever moves, so there are no tombstones, no rehash and no pause, and an index is a
//! name that timers and readers can keep.

use ahash::RandomState;
use std::hash::{BuildHasher, Hasher};

use weir_shm::FlowSlots;
use weir_shm::flow::FlowSlot;

use super::group::prefetch;
use super::groups::Groups;
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
    groups: Groups,
    slots: FlowSlots,
    secret: RandomState,
    live: u32,
}

impl FlowTable {
    /// Slots that a table for `flows` flows has: whole groups of fifteen.
    pub const fn slots_for(flows: u32) -> u32 {
        Groups::slots_for(flows)
    }

    /// A table over `slots`, whose number comes from [`FlowTable::slots_for`].
    ///
    /// `secret` keys the hash, so that nobody outside can aim flows at one group.
    ///
    /// # Panics
    /// There are fewer slots than two groups have.
    pub fn new(slots: FlowSlots, secret: [u64; 4]) -> FlowTable {
        let groups = Groups::new(slots.len());
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
        self.groups.prefetch(hash);
    }

    /// Asks for the key of the slot that a lookup of `hash` will most likely compare, or else of the
    /// one that a new flow would get. Reads the tags.
    #[inline(always)]
    pub fn prefetch_slot(&self, hash: u64) -> Option<Likely> {
        let (index, is_new) = match self.groups.likely(hash) {
            Some(index) => (index, false),
            None => (self.groups.likely_free(hash)?, true),
        };
        prefetch::<0, _>(&self.slots[index as usize]);
        Some(Likely { index, is_new })
    }

    /// The flow with this key.
    #[inline(always)]
    pub fn find(&self, key: &FlowKey, hash: u64) -> Option<u32> {
        self.groups.find(hash, |index| record::has_key(self.slot(index), key))
    }

    /// Where a new flow with this hash can go. Reads up to thirty slots when both groups are full.
    pub fn place(&self, hash: u64) -> Place {
        if let Some(index) = self.groups.free(hash) {
            return Place::Free(index);
        }
        let choices = self.groups.choices(hash);
        let last_seen = |index: &u32| record::last_ns(self.slot(*index));
        for group in choices {
            let taken = self.groups.taken_in(group);
            let single = taken.filter(|index| record::packets(self.slot(*index)) <= 1);
            if let Some(oldest) = single.min_by_key(last_seen) {
                return Place::OnePacket(oldest);
            }
        }
        let all = choices.into_iter().flat_map(|group| self.groups.taken_in(group));
        Place::Oldest(all.min_by_key(last_seen).unwrap_or_default())
    }

    /// Takes the free slot `index`, one that [`FlowTable::place`] named for `hash`.
    pub fn take(&mut self, index: u32, hash: u64) {
        self.groups.take(index, hash);
        self.live += 1;
    }

    /// Frees the slot of a flow, whose key it still holds. The caller has cleared or will clear
    /// the slot itself.
    pub fn release(&mut self, index: u32) {
        let hash = self.hash(&record::key(self.slot(index)));
        self.groups.release(index, hash);
        self.live -= 1;
    }

    /// The slot at `index`.
    #[inline(always)]
    pub fn slot(&self, index: u32) -> &FlowSlot {
        &self.slots[index as usize]
    }

    /// Indices of all flows.
    pub fn taken_in_group(&self, group: usize) -> impl Iterator<Item = u32> + use<> {
        self.groups.taken_in(group)
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
}
