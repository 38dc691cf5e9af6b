//! What is kept of a flow while it is being inspected, and the fixed pool of it.

use super::dispatch::Mask;
use super::stream::Stream;
use super::verdict::Verdict;
use crate::app::AppId;
use crate::meta::Meta;
use crate::scratch::Scratch;

/// A flow's place in the inspector's pool: what the engine keeps of an inspection.
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
    /// Dissectors that may still be it.
    pub(super) alive: Mask,
    /// Dissectors that have a usual port of this flow among theirs.
    pub(super) hinted: Mask,
    /// Packets with payload so far, both directions.
    pub(super) packets: u8,
    /// The dissector that recognised the flow and wants to see more of it.
    pub(super) dissector: Option<u8>,
    /// What a control flow said this one would be.
    pub(super) announced: AppId,
    /// The name so far.
    pub(super) verdict: Verdict,
    pub(super) streams: [Stream; 2],
    pub(super) scratch: Scratch,
    pub(super) meta: Meta,
}

impl FlowState {
    fn empty() -> FlowState {
        FlowState {
            alive: Mask::EMPTY,
            hinted: Mask::EMPTY,
            packets: 0,
            dissector: None,
            announced: AppId::UNKNOWN,
            verdict: Verdict::UNKNOWN,
            streams: [Stream::default(); 2],
            scratch: Scratch::default(),
            meta: Meta::default(),
        }
    }

    /// As new, without touching the metadata's bytes.
    fn reset(&mut self) {
        self.packets = 0;
        self.dissector = None;
        self.announced = AppId::UNKNOWN;
        self.verdict = Verdict::UNKNOWN;
        self.streams = [Stream::default(); 2];
        self.scratch = Scratch::default();
        self.meta.clear();
    }
}

const _: () = assert!(size_of::<FlowState>() <= 1536);

/// A fixed number of states; the one given back last is handed out first, since it is still in
/// the cache.
#[derive(Debug)]
pub(super) struct States {
    all: Box<[FlowState]>,
    free: Vec<u32>,
}

impl States {
    pub(super) fn new(count: u32) -> States {
        States {
            all: (0..count).map(|_| FlowState::empty()).collect(),
            free: (0..count).rev().collect(),
        }
    }

    pub(super) fn begin(&mut self) -> Option<Slot> {
        let slot = Slot(self.free.pop()?);
        self.get_mut(slot)?.reset();
        Some(slot)
    }

    pub(super) fn get(&self, slot: Slot) -> Option<&FlowState> {
        self.all.get(usize::try_from(slot.0).ok()?)
    }

    pub(super) fn get_mut(&mut self, slot: Slot) -> Option<&mut FlowState> {
        self.all.get_mut(usize::try_from(slot.0).ok()?)
    }

    pub(super) fn give_back(&mut self, slot: Slot) {
        debug_assert!(self.free.len() < self.all.len(), "a slot was given back twice");
        if !slot.is_none() && self.free.len() < self.all.len() {
            self.free.push(slot.0);
        }
    }

    pub(super) fn in_use(&self) -> usize {
        self.all.len() - self.free.len()
    }
}
