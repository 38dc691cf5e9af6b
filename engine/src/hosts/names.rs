//! Names of addresses, bounded: groups of four places, the one longest not seen gives way.

use ahash::RandomState;
use std::hash::{BuildHasher, Hasher};

use weir_shm::hosts::{HostsWriter, NameSource};

const GROUP: usize = PLACES as usize;
/// Places of a group.
const PLACES: u32 = 4;

/// See the module.
#[derive(Debug)]
pub(super) struct Names {
    /// What lies in each place: a hash of address and name, so that what is known needs no look.
    marks: Box<[u64]>,
    secret: RandomState,
    replaced: u64,
}

impl Names {
    /// Places for so many names: whole groups.
    pub(super) const fn slots_for(names: u32) -> u32 {
        names.next_multiple_of(PLACES)
    }

    pub(super) fn new(slots: u32, [a, b, c, d]: [u64; 4]) -> Names {
        // Another key than that of the tables, so that nothing is in the same order.
        let secret = RandomState::with_seeds(d, c, b, a);
        Names { marks: vec![0; slots as usize].into(), secret, replaced: 0 }
    }

    pub(super) const fn replaced(&self) -> u64 {
        self.replaced
    }

    /// A hash of a name; never 0.
    pub(super) fn hash(&self, name: &[u8]) -> u64 {
        let mut hasher = self.secret.build_hasher();
        hasher.write(name);
        hasher.finish().max(1)
    }

    /// Learns the name of an address. What is from a better source stays.
    pub(super) fn learn(
        &mut self,
        writer: &HostsWriter,
        address: [u64; 2],
        (name, source): (&[u8], NameSource),
        now_ns: u64,
    ) {
        let groups = (self.marks.len() / GROUP) as u64;
        if groups == 0 || name.is_empty() {
            return;
        }
        let mut hasher = self.secret.build_hasher();
        hasher.write_u64(address[0]);
        hasher.write_u64(address[1]);
        let of_address = hasher.finish();
        let mark = of_address.rotate_left(7) ^ self.hash(name) ^ source as u64 | 1;
        let base = (((of_address >> 32) * groups) >> 32) as usize * GROUP;
        let Some(marks) = self.marks.get_mut(base..base + GROUP) else { return };
        if marks.contains(&mark) {
            return;
        }
        let about = |at: usize| writer.name(base + at).about();
        let same = |at: &usize| {
            let is_it = about(*at).is_some_and(|(known, _)| known == address);
            is_it && writer.name(base + at).source() == source
        };
        let at = (0..GROUP).find(same).unwrap_or_else(|| {
            let seen = |at: &usize| about(*at).map_or(0, |(_, seen_ns)| seen_ns);
            let oldest = (0..GROUP).min_by_key(seen).unwrap_or(0);
            self.replaced += u64::from(about(oldest).is_some());
            oldest
        });
        marks[at] = mark;
        writer.name(base + at).set(address, source, name, now_ns);
    }
}
