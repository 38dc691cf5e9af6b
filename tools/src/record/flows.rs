//! What the recorder remembers of flows: how much of each was kept, what it is, whether it is one of
//! those that are sampled. Of a fixed size: those not seen for longest are forgotten.

use ahash::RandomState;
use hashbrown::HashTable;

use crate::files::note::{FlowId, Identity, Note};
use crate::files::seeds;

/// A hasher with seeds of its own: who sends the packets cannot know which flows collide.
pub(super) fn hasher() -> RandomState {
    let [a, b, c, d] = seeds();
    RandomState::with_seeds(a, b, c, d)
}

/// A flow. What each packet asks for comes first, within one cache line; so does what it is found by.
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
    pub(super) identity: Option<Identity>,
}

impl FlowState {
    /// Which flow it is.
    pub(super) const fn id(&self) -> FlowId {
        (self.shard, self.flow_id)
    }

    /// Application and master protocol.
    pub(super) const fn apps(&self) -> (u16, u16) {
        (self.app, self.master)
    }

    /// Takes in what a packet says.
    pub(super) const fn note(&mut self, note: &Note) {
        (self.app, self.master) = (note.app, note.master);
    }

    /// As a packet would say it.
    pub(super) fn as_note(&self) -> Note {
        let FlowState { shard, flow_id, app, master, .. } = *self;
        Note { shard, flow_id, app, master, ..Note::default() }
    }
}

/// See the module.
#[derive(Debug)]
pub(super) struct Flows {
    /// Places of those of late, and of those from before.
    young: HashTable<u32>,
    old: HashTable<u32>,
    hasher: RandomState,
    states: Vec<FlowState>,
    /// Places of flows that were forgotten.
    free: Vec<u32>,
    /// At most so many in each.
    most: usize,
    pub(super) forgotten: u64,
}

impl Flows {
    /// For so many flows at least, and twice that at most.
    pub(super) fn new(most: usize) -> Flows {
        Flows {
            young: HashTable::new(),
            old: HashTable::new(),
            hasher: hasher(),
            states: Vec::new(),
            free: Vec::new(),
            most: most.max(1),
            forgotten: 0,
        }
    }

    /// The place of a flow; a new one if it is not known. It is the flow's until as many others as are
    /// remembered at least were asked for.
    #[inline]
    pub(super) fn place(&mut self, id: FlowId) -> u32 {
        let hash = self.hasher.hash_one(id);
        let known = self.young.find(hash, |place| is_of(&self.states, *place, id));
        known.copied().unwrap_or_else(|| self.make_young(id, hash))
    }

    /// What is at a place.
    #[inline]
    pub(super) fn at(&mut self, place: u32) -> Option<&mut FlowState> {
        self.states.get_mut(index(place))
    }

    /// A flow that is not among those of late.
    #[cold]
    fn make_young(&mut self, id: FlowId, hash: u64) -> u32 {
        if self.young.len() >= self.most {
            std::mem::swap(&mut self.young, &mut self.old);
            self.forgotten += u64::try_from(self.young.len()).unwrap_or(0);
            self.free.extend(self.young.drain());
        }
        let known = self.old.find_entry(hash, |place| is_of(&self.states, *place, id));
        let place = match known {
            Ok(known) => known.remove().0,
            Err(_) => self.add(id),
        };
        let Flows { states, hasher, young, .. } = self;
        young.insert_unique(hash, place, |place| {
            let state = states.get(index(*place)).map_or((0, 0), FlowState::id);
            hasher.hash_one(state)
        });
        place
    }

    fn add(&mut self, id: FlowId) -> u32 {
        let (shard, flow_id) = id;
        let new = FlowState { flow_id, shard, ..FlowState::default() };
        let free = self.free.pop();
        if let Some((place, state)) =
            free.and_then(|at| Some((at, self.states.get_mut(index(at))?)))
        {
            *state = new;
            return place;
        }
        self.states.push(new);
        u32::try_from(self.states.len() - 1).unwrap_or(u32::MAX)
    }
}

fn index(place: u32) -> usize {
    usize::try_from(place).unwrap_or(usize::MAX)
}

fn is_of(states: &[FlowState], place: u32, id: FlowId) -> bool {
    states.get(index(place)).is_some_and(|state| state.id() == id)
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
