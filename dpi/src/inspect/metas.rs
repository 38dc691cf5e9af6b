//! Where metadata is while its flow is inspected: a fixed pool, and one blank.
//!
//! Dissectors write to the blank until one of them says that it is it. A flow that is then done
//! needs nothing more; one that is worth reading on takes a place of the pool.

use super::state::Slot;
use crate::meta::Meta;

/// A place in the pool, or none.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct MetaRef(u32);

impl MetaRef {
    /// No place.
    pub(super) const NONE: MetaRef = MetaRef(u32::MAX);
}

/// See the module.
#[derive(Debug)]
pub(super) struct Metas {
    all: Box<[Meta]>,
    free: Vec<u32>,
    blank: Meta,
    /// Whose the blank is; every other flow finds it empty.
    blank_of: Slot,
}

impl Metas {
    pub(super) fn new(count: u32) -> Metas {
        Metas {
            all: (0..count).map(|_| Meta::default()).collect(),
            free: (0..count).rev().collect(),
            blank: Meta::default(),
            blank_of: Slot::NONE,
        }
    }

    /// What the flow's dissectors write to.
    pub(super) fn of(&mut self, place: MetaRef, slot: Slot) -> &mut Meta {
        if let Some(meta) = usize::try_from(place.0).ok().and_then(|at| self.all.get_mut(at)) {
            return meta;
        }
        if self.blank_of != slot {
            self.blank.clear();
            self.blank_of = slot;
        }
        &mut self.blank
    }

    /// What was found in the flow, if anything can have been.
    pub(super) fn found(&self, place: MetaRef, slot: Slot) -> Option<&Meta> {
        match usize::try_from(place.0).ok().and_then(|at| self.all.get(at)) {
            Some(meta) => Some(meta),
            None => (self.blank_of == slot).then_some(&self.blank),
        }
    }

    /// Gives the flow a place of its own, with what stands in the blank. False where none is free:
    /// what was found lasts until the next flow's turn.
    pub(super) fn keep(&mut self, place: &mut MetaRef) -> bool {
        if *place != MetaRef::NONE {
            return true;
        }
        let Some(index) = self.free.pop() else { return false };
        if let Some(meta) = usize::try_from(index).ok().and_then(|at| self.all.get_mut(at)) {
            meta.copy_from(&self.blank);
        }
        *place = MetaRef(index);
        true
    }

    /// Takes the place back, and empties the blank if it was this flow's.
    pub(super) fn give_back(&mut self, place: &mut MetaRef, slot: Slot) {
        if *place != MetaRef::NONE {
            self.free.push(place.0);
            *place = MetaRef::NONE;
        }
        if self.blank_of == slot {
            self.blank_of = Slot::NONE;
        }
    }

    /// Places in use.
    #[cfg(test)]
    pub(super) fn in_use(&self) -> usize {
        self.all.len() - self.free.len()
    }
}
