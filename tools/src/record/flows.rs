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

/// A flow.
#[derive(Clone, Copy, Default, Debug)]
pub(super) struct FlowState {
    /// As of the last packet, without identity.
    pub(super) note: Note,
    pub(super) identity: Option<(Key, Community)>,
    /// That were kept.
    pub(super) packets: u64,
    pub(super) bytes: u64,
    /// Looked up so often.
    pub(super) looks: u32,
    pub(super) has_risk: bool,
    /// Its row in the index of the file with this serial number.
    pub(super) row: u32,
    pub(super) row_serial: u32,
    pub(super) row_app: (u16, u16),
    /// The file, and the application, of which its identity was last written.
    pub(super) told_serial: u32,
    pub(super) told_app: (u16, u16),
}

/// See the module.
#[derive(Debug)]
pub(super) struct Flows {
    /// Those of late, and those from before.
    young: HashMap<FlowId, FlowState, RandomState>,
    old: HashMap<FlowId, FlowState, RandomState>,
    /// At most so many in each.
    most: usize,
    pub(super) forgotten: u64,
}

impl Flows {
    /// For so many flows at least, and twice that at most.
    pub(super) fn new(most: usize) -> Flows {
        let table = || HashMap::with_hasher(hasher());
        Flows { young: table(), old: table(), most: most.max(1), forgotten: 0 }
    }

    /// The state of a flow; a new one if it is not known.
    pub(super) fn state(&mut self, id: FlowId) -> &mut FlowState {
        if !self.young.contains_key(&id) {
            if self.young.len() >= self.most {
                std::mem::swap(&mut self.young, &mut self.old);
                self.forgotten += u64::try_from(self.young.len()).unwrap_or(0);
                self.young.clear();
            }
            let state = self.old.remove(&id).unwrap_or_default();
            return self.young.entry(id).or_insert(state);
        }
        self.young.entry(id).or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn those_of_late_are_remembered() {
        let mut flows = Flows::new(2);
        for id in 0..10 {
            flows.state((0, 99)).packets += 1;
            flows.state((0, id)).packets += 1;
        }
        assert_eq!(flows.state((0, 99)).packets, 10);
        assert_eq!(flows.state((0, 0)).packets, 0);
        assert!(flows.young.len() + flows.old.len() <= 4 && flows.forgotten > 0);
    }
}
