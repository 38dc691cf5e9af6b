//! Finding a host by its address, as the flow table finds flows: by [`Groups`].
//!
//! Where both groups of a new host are full, the least worthy of the thirty leaves: a remote one
//! before a local one of which nothing but its slot is kept, that before a local one with a detail,
//! and of the same rank the one that was silent longest. Ranks and times are kept apart, two lines a
//! group, so that a flood of hosts does not read their slots.

use ahash::RandomState;
use std::hash::{BuildHasher, Hasher};

use weir_shm::hosts::{HostsWriter, bucket_of};

use crate::flow::groups::Groups;
use crate::sys::table::table;

/// How worthy a host is of staying.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(super) enum Rank {
    Remote = 0,
    Local = 1,
    Detailed = 2,
}

const RANK_SHIFT: u32 = 30;
const AGE_MASK: u32 = (1 << RANK_SHIFT) - 1;
/// Details that are looked at for one that can be taken from its host.
const LOOKS: usize = 8;
/// How long that must have been silent, in buckets: about five minutes.
const SILENT: u32 = 280;

/// See the module.
#[derive(Debug)]
pub(super) struct HostTable {
    groups: Groups,
    /// Rank, and the bucket of the last sign of life.
    worth: Box<[u32]>,
    secret: RandomState,
    generation: u32,
    /// The bucket from which those of `worth` are counted.
    epoch: Option<u64>,
    live: u64,
    free_details: Vec<u32>,
    /// Whose each detail is.
    owners: Box<[u32]>,
    hand: usize,
}

impl HostTable {
    /// Slots for so many hosts: whole groups.
    pub(super) const fn slots_for(hosts: u32) -> u32 {
        Groups::slots_for(hosts)
    }

    pub(super) fn new(slots: u32, details: u32, [a, b, c, d]: [u64; 4]) -> HostTable {
        HostTable {
            groups: Groups::new(slots as usize),
            worth: table(0, slots as usize),
            secret: RandomState::with_seeds(b, d, a, c),
            generation: 0,
            epoch: None,
            live: 0,
            free_details: (0..details).rev().collect(),
            owners: vec![u32::MAX; details as usize].into(),
            hand: 0,
        }
    }

    /// Hosts in the table.
    pub(super) const fn live(&self) -> u64 {
        self.live
    }

    /// Details in use.
    pub(super) fn details(&self) -> u64 {
        (self.owners.len() - self.free_details.len()) as u64
    }

    #[inline(always)]
    pub(super) fn hash(&self, address: [u64; 2]) -> u64 {
        let mut hasher = self.secret.build_hasher();
        hasher.write_u64(address[0]);
        hasher.write_u64(address[1]);
        hasher.finish()
    }

    /// Asks for the tags that a look-up of `hash` reads first.
    #[inline(always)]
    pub(super) fn prefetch_tags(&self, hash: u64) {
        self.groups.prefetch(hash);
    }

    /// Where a host of this hash most likely is, by the tags of its first group.
    #[inline(always)]
    pub(super) fn likely(&self, hash: u64) -> Option<u32> {
        self.groups.likely(hash)
    }

    /// The place of a host.
    #[inline(always)]
    pub(super) fn find(&self, writer: &HostsWriter, address: [u64; 2], hash: u64) -> Option<u32> {
        self.groups.find(hash, |index| writer.slot(index).has(address))
    }

    /// A free place for a new host, or the one whose host is to leave first.
    pub(super) fn place(&self, hash: u64) -> Result<u32, u32> {
        if let Some(index) = self.groups.free(hash) {
            return Ok(index);
        }
        let choices = self.groups.choices(hash).into_iter();
        let all = choices.flat_map(|group| self.groups.taken_in(group));
        Err(all.min_by_key(|at| self.worth[*at as usize]).unwrap_or_default())
    }

    /// Takes a free place; the generation of the new host.
    pub(super) fn take(&mut self, index: u32, hash: u64) -> u32 {
        self.groups.take(index, hash);
        self.live += 1;
        self.generation = self.generation.wrapping_add(1).max(1);
        self.generation
    }

    /// Frees the place of a host.
    pub(super) fn release(&mut self, index: u32, address: [u64; 2], detail: Option<u32>) {
        self.groups.release(index, self.hash(address));
        self.live -= 1;
        if let Some(detail) = detail {
            self.owners[detail as usize] = u32::MAX;
            self.free_details.push(detail);
        }
    }

    /// A sign of life.
    #[inline(always)]
    pub(super) fn note(&mut self, index: u32, rank: Rank, now_ns: u64) {
        let age = self.age(now_ns);
        self.worth[index as usize] = (rank as u32) << RANK_SHIFT | age;
    }

    /// Buckets since a while before the first packet.
    #[inline(always)]
    fn age(&mut self, now_ns: u64) -> u32 {
        const BEFORE: u64 = 1 << 20;
        let now = bucket_of(now_ns);
        let epoch = *self.epoch.get_or_insert(now.saturating_sub(BEFORE));
        u32::try_from(now.saturating_sub(epoch)).unwrap_or(u32::MAX).min(AGE_MASK)
    }

    /// A detail for the host in this place: a free one, or that of a host long silent, which comes
    /// along.
    pub(super) fn take_detail(&mut self, index: u32, now_ns: u64) -> Option<(u32, Option<u32>)> {
        if let Some(detail) = self.free_details.pop() {
            self.owners[detail as usize] = index;
            return Some((detail, None));
        }
        let count = self.owners.len();
        if count == 0 {
            return None;
        }
        let now = self.age(now_ns);
        let age = |at: &usize| self.worth[self.owners[*at] as usize] & AGE_MASK;
        let looks = (0..LOOKS.min(count)).map(|step| (self.hand + step) % count);
        let oldest = looks.min_by_key(age)?;
        let silent = now.saturating_sub(age(&oldest)) > SILENT;
        self.hand = (self.hand + LOOKS) % count;
        if !silent {
            return None;
        }
        let before = std::mem::replace(&mut self.owners[oldest], index);
        Some((u32::try_from(oldest).ok()?, Some(before)))
    }

    /// The host's detail went to another.
    pub(super) fn lower(&mut self, index: u32) {
        let worth = &mut self.worth[index as usize];
        *worth = *worth & AGE_MASK | (Rank::Local as u32) << RANK_SHIFT;
    }
}
