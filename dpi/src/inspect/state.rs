//! What is kept of a flow while it is being inspected, and the fixed pool of it.

use std::num::NonZeroU16;

use super::custom::Best;
use super::dispatch::{Index, Mask};
use super::metas::MetaRef;
use super::stream::Stream;
use super::verdict::Verdict;
use crate::app::AppId;
use crate::scratch::Scratch;
use crate::view::Transport;

/// A flow's place in the inspector's pool: what the engine keeps of an inspection.
///
/// It holds the place's index and a generation, so that it stops working, harmlessly, once the
/// place was given to another flow.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Slot(u32);

impl Slot {
    /// No place: inspection has not begun, or is over.
    pub const NONE: Slot = Slot(u32::MAX);

    /// Whether there is no place.
    pub const fn is_none(self) -> bool {
        self.0 == Slot::NONE.0
    }
}

impl Default for Slot {
    fn default() -> Slot {
        Slot::NONE
    }
}

/// See the module.
#[derive(Clone, Debug)]
pub(super) struct FlowState {
    /// The handle that is good for this state.
    pub(super) slot: Slot,
    /// When it was last asked for.
    used_at: u32,
    /// Dissectors that may still be it.
    pub(super) alive: Mask,
    pub(super) transport: Transport,
    /// Packets with payload so far, both directions.
    pub(super) packets: u8,
    /// Bytes of datagrams so far, both directions, saturating.
    pub(super) bytes: u16,
    /// The dissector that recognised the flow and wants to see more of it.
    /// Its index and 1, which takes two bytes less than an index or none.
    dissector: Option<NonZeroU16>,
    /// What a control flow said this one would be.
    pub(super) announced: AppId,
    /// The name so far.
    pub(super) verdict: Verdict,
    /// The protocol for which the name is final: the host name is there, and the first one stays.
    pub(super) named_as: AppId,
    pub(super) streams: [Stream; 2],
    pub(super) scratch: Scratch,
    /// Where its metadata is, once it is recognised and read on.
    pub(super) meta: MetaRef,
    /// The best rule so far.
    pub(super) best: Best,
}

impl FlowState {
    fn empty(slot: Slot, transport: Transport) -> FlowState {
        FlowState {
            slot,
            used_at: 0,
            alive: Mask::EMPTY,
            transport,
            packets: 0,
            bytes: 0,
            dissector: None,
            announced: AppId::UNKNOWN,
            verdict: Verdict::UNKNOWN,
            named_as: AppId::UNKNOWN,
            streams: [Stream::default(); 2],
            scratch: Scratch::default(),
            meta: MetaRef::NONE,
            best: Best::NONE,
        }
    }

    /// The dissector that recognised the flow and wants to see more of it.
    pub(super) fn dissector(&self) -> Option<Index> {
        self.dissector.map(|place| place.get() - 1)
    }

    pub(super) fn set_dissector(&mut self, index: Option<Index>) {
        self.dissector = index.and_then(|index| NonZeroU16::new(index + 1));
    }
}

/// All that a flow takes up until it has a name.
const _: () = assert!(size_of::<FlowState>() <= 256);

/// States looked at for the one to take away when all are in use.
const SAMPLE: usize = 8;

/// A fixed number of states; the one given back last is handed out first, since it is still in
/// the cache.
#[derive(Debug)]
pub(super) struct States {
    all: Box<[FlowState]>,
    free: Vec<u32>,
    /// Bits of a slot that are the index; the others are the generation.
    index_bits: u32,
    /// Counts [`States::get_mut`]; wraps.
    now: u32,
    /// Where the next sample begins.
    hand: usize,
}

impl States {
    /// # Panics
    ///
    /// If there are more than 2^24: a slot would have too few bits left for the generation.
    pub(super) fn new(count: u32) -> States {
        assert!(count <= 1 << 24, "more flows under inspection than a slot can tell apart");
        let index_bits = u32::BITS - count.saturating_sub(1).leading_zeros();
        States {
            all: (0..count).map(|index| FlowState::empty(Slot(index), Transport::Tcp)).collect(),
            free: (0..count).rev().collect(),
            index_bits,
            now: 0,
            hand: 0,
        }
    }

    /// Takes a free state.
    pub(super) fn begin(&mut self, transport: Transport) -> Option<(Slot, &mut FlowState)> {
        let index = usize::try_from(self.free.pop()?).ok()?;
        let state = self.all.get_mut(index)?;
        *state = FlowState::empty(state.slot, transport);
        state.used_at = self.now;
        Some((state.slot, state))
    }

    /// With none free: of a few states, the one without a name that was used longest ago.
    pub(super) fn oldest_unnamed(&mut self) -> Option<Slot> {
        let from = self.hand;
        self.hand = if from + SAMPLE < self.all.len() { from + SAMPLE } else { 0 };
        let sample = self.all.get(from..)?.iter().take(SAMPLE);
        // What rules say of addresses and ports alone says nothing of how far inspection is.
        let unnamed = sample.filter(|state| state.verdict.master == AppId::UNKNOWN);
        let oldest = unnamed.max_by_key(|state| self.now.wrapping_sub(state.used_at));
        oldest.map(|state| state.slot)
    }

    pub(super) fn get(&self, slot: Slot) -> Option<&FlowState> {
        let state = self.all.get(self.index(slot))?;
        (state.slot == slot).then_some(state)
    }

    pub(super) fn get_mut(&mut self, slot: Slot) -> Option<&mut FlowState> {
        self.now = self.now.wrapping_add(1);
        let state = self.all.get_mut(self.index(slot)).filter(|state| state.slot == slot)?;
        state.used_at = self.now;
        Some(state)
    }

    /// Gives a state back. Whoever still holds its slot holds nothing from now on.
    pub(super) fn give_back(&mut self, slot: Slot) {
        let index = self.index(slot);
        let generations = u32::MAX.checked_shr(self.index_bits).unwrap_or(0);
        let Some(state) = self.all.get_mut(index).filter(|state| state.slot == slot) else {
            return;
        };
        let generation = slot.0.checked_shr(self.index_bits).unwrap_or(0) + 1;
        // The last generation is left out: with it a slot might look like none.
        let generation = if generation >= generations { 0 } else { generation };
        let Ok(index) = u32::try_from(index) else { return };
        state.slot = Slot(index | generation.checked_shl(self.index_bits).unwrap_or(0));
        self.free.push(index);
    }

    pub(super) fn is_full(&self) -> bool {
        self.free.is_empty()
    }

    pub(super) fn in_use(&self) -> usize {
        self.all.len() - self.free.len()
    }

    fn index(&self, slot: Slot) -> usize {
        let mask = (1u32 << self.index_bits) - 1;
        usize::try_from(slot.0 & mask).unwrap_or(usize::MAX)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slot_given_back_holds_nothing() {
        for count in [1, 2, 3, 64] {
            let mut states = States::new(count);
            let mut before = Vec::new();
            for _ in 0..3 {
                let slots: Vec<Slot> =
                    std::iter::from_fn(|| states.begin(Transport::Udp).map(|(slot, _)| slot))
                        .collect();
                assert_eq!(slots.len(), usize::try_from(count).unwrap());
                for slot in slots {
                    assert!(!slot.is_none() && states.get(slot).is_some());
                    states.give_back(slot);
                    states.give_back(slot);
                    before.push(slot);
                }
                assert_eq!(states.in_use(), 0);
                assert!(before.iter().all(|&slot| states.get(slot).is_none()));
                assert!(states.get(Slot::NONE).is_none());
            }
        }
    }

    #[test]
    fn generations_wrap_without_ever_being_none() {
        let mut states = States::new(1 << 12);
        let first = states.begin(Transport::Udp).unwrap().0;
        let mut slot = first;
        for _ in 0..(1 << 21) {
            assert!(!slot.is_none());
            states.give_back(slot);
            slot = states.begin(Transport::Udp).unwrap().0;
        }
        assert_eq!(states.in_use(), 1);
    }

    #[test]
    fn the_unnamed_state_used_longest_ago_is_found() {
        let mut states = States::new(4);
        let slots: Vec<Slot> =
            std::iter::from_fn(|| states.begin(Transport::Udp).map(|(slot, _)| slot)).collect();
        for at in [2, 0, 3, 1] {
            states.get_mut(slots[at]).unwrap();
        }
        let named = Verdict { master: AppId::TLS, ..Verdict::UNKNOWN };
        states.all[2].verdict = named;
        assert_eq!(states.oldest_unnamed(), Some(slots[0]));
        for state in &mut states.all {
            state.verdict = named;
        }
        assert_eq!(states.oldest_unnamed(), None);
    }
}
