//! What the recorder remembers of flows: how much of each was kept, what it is, whether it is one of
//! those that are sampled. Of a fixed size: those not seen for longest are forgotten.

use std::collections::HashMap;

use ahash::RandomState;

use crate::files::note::{Community, Key, Note};

/// A hasher with seeds of its own: who sends the packets cannot know which flows collide.
pub(super) fn hasher() -> RandomState {
    use std::hash::BuildHasher;
    let random = std::hash::RandomState::new();
    let [a, b, c, d] = [1, 2, 3, 4].map(|word: u64| random.hash_one(word));
    RandomState::with_seeds(a, b, c, d)
}

/// Which flow: shard and identity.
pub(super) type FlowId = (u16, u64);

/// A flow. What each packet asks for comes first, within one cache line.
#[derive(Clone, Copy, Default, Debug)]
#[repr(C, align(64))]
pub(super) struct FlowState {
    pub(super) flow_id: u64,
    /// That were kept.
    pub(super) packets: u64,
    pub(super) bytes: u64,
    /// Looked up so often.
    pub(super) looks: u32,
    /// Its row in the index of the file with this serial number.
    pub(super) row: u32,
    pub(super) row_serial: u32,
    pub(super) row_app: (u16, u16),
    /// The file, and the application, of which its identity was last written.
    pub(super) told_serial: u32,
    pub(super) told_app: (u16, u16),
    pub(super) shard: u16,
    /// As of the last packet.
    pub(super) app: u16,
    pub(super) master: u16,
    pub(super) has_risk: bool,
    pub(super) identity: Option<(Key, Community)>,
}

impl FlowState {
    /// Application and master protocol.
    pub(super) const fn apps(&self) -> (u16, u16) {
        (self.app, self.master)
    }

    /// Takes in what a packet says.
    pub(super) const fn note(&mut self, note: &Note) {
        (self.flow_id, self.shard) = (note.flow_id, note.shard);
        (self.app, self.master) = (note.app, note.master);
    }

    /// As a packet would say it.
    pub(super) fn as_note(&self) -> Note {
        let FlowState { shard, flow_id, app, master, .. } = *self;
        Note { shard, flow_id, app, master, ..Note::default() }
    }
}

/// Places of flows by their identity.
type Places = HashMap<FlowId, usize, RandomState>;

/// See the module.
#[derive(Debug)]
pub(super) struct Flows {
    /// Those of late, and those from before.
    young: Places,
    old: Places,
    states: Vec<FlowState>,
    /// Places of flows that were forgotten.
    free: Vec<usize>,
    /// At most so many in each.
    most: usize,
    pub(super) forgotten: u64,
}

impl Flows {
    /// For so many flows at least, and twice that at most.
    pub(super) fn new(most: usize) -> Flows {
        let table = || HashMap::with_hasher(hasher());
        let (states, free) = (Vec::new(), Vec::new());
        Flows { young: table(), old: table(), states, free, most: most.max(1), forgotten: 0 }
    }

    /// The place of a flow, until the next call; a new one if it is not known.
    pub(super) fn place(&mut self, id: FlowId) -> usize {
        if let Some(place) = self.young.get(&id) {
            return *place;
        }
        if self.young.len() >= self.most {
            std::mem::swap(&mut self.young, &mut self.old);
            self.forgotten += u64::try_from(self.young.len()).unwrap_or(0);
            self.free.extend(self.young.drain().map(|(_, place)| place));
        }
        let place = self.old.remove(&id).unwrap_or_else(|| self.add());
        self.young.insert(id, place);
        place
    }

    /// What is at a place.
    pub(super) fn at(&mut self, place: usize) -> Option<&mut FlowState> {
        self.states.get_mut(place)
    }

    fn add(&mut self) -> usize {
        let free = self.free.pop();
        match free.and_then(|place| self.states.get_mut(place)) {
            Some(state) => *state = FlowState::default(),
            None => self.states.push(FlowState::default()),
        }
        free.unwrap_or(self.states.len() - 1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn those_of_late_are_remembered() {
        let mut flows = Flows::new(2);
        let state = |flows: &mut Flows, id| {
            let place = flows.place((0, id));
            flows.at(place).unwrap().packets += 1;
            flows.at(place).unwrap().packets
        };
        for id in 0..10 {
            state(&mut flows, 99);
            state(&mut flows, id);
        }
        assert_eq!((state(&mut flows, 99), state(&mut flows, 0)), (11, 1));
        assert!(flows.young.len() + flows.old.len() <= 4 && flows.forgotten > 0);
        assert!(flows.states.len() <= 4);
        assert_eq!(std::mem::offset_of!(FlowState, has_risk) / 64, 0, "one cache line");
    }
}
