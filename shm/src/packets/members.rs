//! Packet readers of an engine as its control thread knows them: places, groups, and who of a
//! group owns which flows. Nothing here touches a packet.

use super::groups::NOBODY;
use super::{BUCKETS, GROUPS, Owners, READERS};

/// What a packet reader asks for.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Admission {
    /// Its program, for people; at most 31 bytes.
    pub program: String,
    /// It wants frames held for it.
    pub lease: bool,
    /// The group that it wants to be a member of; empty: none.
    pub group: String,
}

/// Bytes of a program's or a group's name, at most.
pub(crate) const NAME_BYTES: usize = 31;

#[derive(Debug, Clone)]
struct Group {
    name: String,
    /// Places of its members.
    members: u64,
    /// Places of those that are about to be.
    coming: u64,
    owners: Owners,
    /// Flows carry its bit: its number must not become another group's.
    has_shunted: bool,
}

/// The groups and their members. A group begins with its first member, and its name stays known when
/// the last one goes, so that what was shunted for it stays so while members come and go. Only the
/// number of a group that has no member and never shunted a flow is given to another.
#[derive(Debug, Clone, Default)]
pub struct Groups {
    groups: Vec<Group>,
}

impl Groups {
    /// Keeps a group for a reader that is about to join. Gives the group's number; `None` if all
    /// groups are in use.
    pub fn expect(&mut self, name: &str, place: u8) -> Option<u8> {
        let number = self.number_for(name)?;
        self.groups.get_mut(usize::from(number))?.coming |= 1 << place;
        Some(number)
    }

    /// Takes a reader into its group. Gives who owns the flows now.
    pub fn join(&mut self, number: u8, place: u8) -> Option<Owners> {
        let group = self.groups.get_mut(usize::from(number))?;
        group.coming &= !(1_u64 << place);
        group.members |= 1 << place;
        group.deal();
        Some(group.owners)
    }

    /// Takes a reader out of its group. Gives who owns the flows then; `None` if it never joined.
    pub fn leave(&mut self, number: u8, place: u8) -> Option<Owners> {
        let group = self.groups.get_mut(usize::from(number))?;
        group.coming &= !(1_u64 << place);
        if group.members >> place & 1 == 0 {
            return None;
        }
        group.members &= !(1_u64 << place);
        group.deal();
        Some(group.owners)
    }

    /// Takes note that a group wants no more of a flow.
    pub(crate) fn note_shunt(&mut self, number: u8) {
        if let Some(group) = self.groups.get_mut(usize::from(number)) {
            group.has_shunted = true;
        }
    }

    /// The number of a group that is known.
    pub fn find(&self, name: &str) -> Option<u8> {
        let at = self.groups.iter().position(|group| group.name == name)?;
        u8::try_from(at).ok()
    }

    /// Name and number of members of each group, by number.
    pub fn iter(&self) -> impl Iterator<Item = (&str, u32)> {
        self.groups.iter().map(|group| (group.name.as_str(), group.members.count_ones()))
    }

    /// The number of this group: its own, a new one, or that of one without members.
    fn number_for(&mut self, name: &str) -> Option<u8> {
        if let Some(known) = self.find(name) {
            return Some(known);
        }
        let fresh = Group {
            name: name.to_owned(),
            members: 0,
            coming: 0,
            owners: [NOBODY; BUCKETS],
            has_shunted: false,
        };
        let number = if self.groups.len() < GROUPS {
            self.groups.push(fresh);
            self.groups.len() - 1
        } else {
            let free = |group: &Group| group.members | group.coming == 0 && !group.has_shunted;
            let empty = self.groups.iter().position(free)?;
            self.groups[empty] = fresh;
            empty
        };
        u8::try_from(number).ok()
    }
}

impl Group {
    /// Deals the buckets out anew, moving as few as can be: members that have too many give some
    /// to those that have too few.
    fn deal(&mut self) {
        let places = || (0_u8..).take(READERS);
        let members: Vec<u8> = places().filter(|place| self.members >> place & 1 == 1).collect();
        let Some(each) = BUCKETS.checked_div(members.len()) else {
            self.owners = [NOBODY; BUCKETS];
            return;
        };
        let over = BUCKETS % members.len();
        let mut counts = [0_usize; READERS];
        // Who has more than a fair share keeps one more than the others, as far as there are any.
        let mut extra = over;
        let mut free = Vec::new();
        for bucket in 0..BUCKETS {
            let owner = self.owners[bucket];
            let count = counts.get_mut(usize::from(owner));
            match count.filter(|_| self.members >> (owner % 64) & 1 == 1 && owner != NOBODY) {
                Some(count) if *count < each => *count += 1,
                Some(count) if *count == each && extra > 0 => {
                    *count += 1;
                    extra -= 1;
                }
                _ => free.push(bucket),
            }
        }
        for bucket in free {
            let least = members.iter().min_by_key(|place| counts[usize::from(**place)]);
            let Some(&place) = least else { return };
            self.owners[bucket] = place;
            counts[usize::from(place)] += 1;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn join(groups: &mut Groups, name: &str, place: u8) -> Option<(u8, Owners)> {
        let number = groups.expect(name, place)?;
        Some((number, groups.join(number, place)?))
    }

    fn shares(owners: &Owners) -> Vec<(u8, usize)> {
        let mut found = std::collections::BTreeMap::new();
        for owner in owners {
            *found.entry(*owner).or_default() += 1;
        }
        found.into_iter().collect()
    }

    #[test]
    fn members_share_evenly_and_move_little() {
        let mut groups = Groups::default();
        let (number, one) = join(&mut groups, "ids", 7).unwrap();
        assert_eq!((number, shares(&one)), (0, vec![(7, 256)]));
        let (_, two) = join(&mut groups, "ids", 9).unwrap();
        assert_eq!(shares(&two), [(7, 128), (9, 128)]);
        let (_, three) = join(&mut groups, "ids", 2).unwrap();
        let moved = two.iter().zip(&three).filter(|(before, after)| before != after).count();
        assert_eq!(moved, 85, "only what the new one gets");
        let left = groups.leave(0, 7).unwrap();
        assert_eq!(shares(&left), [(2, 128), (9, 128)]);
        let kept = |place| {
            let pairs = three.iter().zip(&left);
            pairs.filter(|(before, _)| **before == place).all(|(_, after)| *after == place)
        };
        assert!(kept(2) && kept(9), "the others keep what they had");
        assert_eq!(groups.leave(0, 9).map(|owners| shares(&owners)), Some(vec![(2, 256)]));
        assert_eq!(groups.leave(0, 2).map(|owners| shares(&owners)), Some(vec![(NOBODY, 256)]));
        assert_eq!(groups.iter().collect::<Vec<_>>(), [("ids", 0)]);
    }

    #[test]
    fn a_full_table_takes_the_place_of_an_empty_group() {
        let mut groups = Groups::default();
        for number in 0..GROUPS {
            join(&mut groups, &format!("g{number}"), u8::try_from(number).unwrap()).unwrap();
        }
        assert!(join(&mut groups, "more", 60).is_none());
        assert!(groups.leave(3, 5).is_none(), "it is in another group");
        groups.leave(3, 3);
        assert_eq!(join(&mut groups, "more", 60).unwrap().0, 3);
        assert_eq!((groups.find("g3"), groups.find("more")), (None, Some(3)));
        groups.leave(3, 60);
        assert_eq!(groups.expect("coming", 61), Some(3));
        assert!(join(&mut groups, "another", 62).is_none(), "it is kept for who comes");
        assert!(groups.leave(3, 61).is_none());
        assert_eq!(join(&mut groups, "another", 62).unwrap().0, 3);
        groups.note_shunt(5);
        groups.leave(5, 5);
        assert!(join(&mut groups, "further", 5).is_none(), "flows carry its bit");
    }

    proptest! {
        /// Whoever comes and goes, every bucket is a member's and shares differ by one at most.
        #[test]
        fn dealing_is_fair(steps in prop::collection::vec((any::<bool>(), 0_u8..64), 1..80)) {
            let mut groups = Groups::default();
            let mut members = std::collections::BTreeSet::new();
            for (come, place) in steps {
                let owners = if come || members.is_empty() {
                    members.insert(place);
                    join(&mut groups, "g", place).unwrap().1
                } else if members.remove(&place) {
                    groups.leave(0, place).unwrap()
                } else {
                    prop_assert!(groups.leave(0, place).is_none());
                    continue;
                };
                let shares = shares(&owners);
                let owning: Vec<u8> = shares.iter().map(|(owner, _)| *owner).collect();
                if members.is_empty() {
                    prop_assert_eq!(owning, [NOBODY]);
                    continue;
                }
                let wanted: Vec<u8> = members.iter().copied().collect();
                prop_assert_eq!(owning, wanted);
                let counts = shares.iter().map(|(_, count)| *count);
                let (least, most) = (counts.clone().min().unwrap(), counts.max().unwrap());
                prop_assert!(most - least <= 1, "{:?}", shares);
            }
        }
    }
}
