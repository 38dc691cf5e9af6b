//! Flows that come again and again at the same distance: a small table of what came between which
//! ends, of fixed size. One flow is one call, at its first packet.
//!
//! The table is in groups of four places; when a key's group is full, the one that was seen
//! longest ago makes room. Nothing is allocated after [`Periodic::new`].

use super::{Risk, Risks};
use crate::view::Endpoint;

const GROUP: usize = 4;
const NS_A_MS: u64 = 1_000_000;
/// Bytes of a cache line: a group is one.
const LINE: usize = 64;
/// Distances in a row that have to agree: with five flows there are four.
const AGREED: u8 = 4;
/// The shortest distance counted: a page's connections come within it.
const LEAST_MS: u32 = 2_000;
/// The longest; beyond it, the count begins anew.
const MOST_MS: u32 = 2 * 60 * 60 * 1000;
/// Parts of a distance by which two may differ.
const TOLERANCE: u32 = 10;

/// See the module.
#[derive(Debug)]
pub struct Periodic {
    groups: Box<[Group]>,
}

#[derive(Clone, Copy, Default, Debug)]
#[repr(align(64))]
struct Group([Place; GROUP]);

const _: () = assert!(size_of::<Group>() == LINE);

#[derive(Clone, Copy, Default, Debug)]
struct Place {
    /// A hash of client, server and port; 0 is empty.
    key: u32,
    /// When the last flow began; wraps every 50 days.
    last_ms: u32,
    /// The distance to the one before it; 0 for none.
    distance_ms: u32,
    /// Distances in a row that agreed.
    agreed: u8,
}

impl Periodic {
    /// Room for `places` pairs of ends; with 0, nothing is remembered and nothing is periodic.
    pub fn new(places: u32) -> Periodic {
        let groups = usize::try_from(places).unwrap_or(usize::MAX).div_ceil(GROUP);
        let groups = if places == 0 { 0 } else { groups.next_power_of_two() };
        Periodic { groups: vec![Group::default(); groups].into() }
    }

    /// A flow from `client` to `server` (its port counts, the client's does not) began.
    pub fn began(&mut self, client: [u8; 16], server: Endpoint, now_ns: u64) -> Risks {
        let (at, key) = self.home_of(client, server);
        let Some(Group(group)) = self.groups.get_mut(at) else { return Risks::NONE };
        let at_ms = wrapped_ms(now_ns);
        let same = group.iter().position(|place| place.key == key);
        let oldest = || {
            let ages = group.iter().map(|place| place.age_ms(at_ms));
            ages.zip(0_usize..).max().map(|(_, at)| at)
        };
        let Some(place) = same.or_else(oldest).and_then(|at| group.get_mut(at)) else {
            return Risks::NONE;
        };
        if place.key == key {
            place.again(at_ms);
        } else {
            *place = Place { key, last_ms: at_ms, distance_ms: 0, agreed: 0 };
        }
        Risks::when(Risk::Periodic, place.agreed >= AGREED)
    }

    /// What [`Periodic::began`] is going to look at for these ends, in one cache line: for whoever asks
    /// for it ahead.
    #[inline]
    pub fn line(&self, client: [u8; 16], server: Endpoint) -> Option<&impl Sized> {
        let (at, _) = self.home_of(client, server);
        self.groups.get(at)
    }

    /// The group of these ends, and their key there.
    #[inline]
    fn home_of(&self, client: [u8; 16], server: Endpoint) -> (usize, u32) {
        let hash = hash(client, server);
        let mask = self.groups.len().saturating_sub(1);
        #[expect(clippy::cast_possible_truncation, reason = "the other half chose the group")]
        let key = hash as u32 | 1;
        (usize::try_from(hash >> 32).unwrap_or_default() & mask, key)
    }
}

impl Place {
    /// How long nothing was seen; an empty place is the oldest.
    fn age_ms(&self, now_ms: u32) -> u32 {
        if self.key == 0 { u32::MAX } else { now_ms.wrapping_sub(self.last_ms) }
    }

    fn again(&mut self, now_ms: u32) {
        let distance_ms = now_ms.wrapping_sub(self.last_ms);
        let is_earlier = distance_ms > u32::MAX - MOST_MS;
        if distance_ms < LEAST_MS || is_earlier {
            // Of the same burst: it neither agrees nor disagrees.
            return;
        }
        self.last_ms = now_ms;
        let agrees = self.distance_ms > 0
            && distance_ms <= MOST_MS
            && distance_ms.abs_diff(self.distance_ms) * TOLERANCE <= self.distance_ms;
        if distance_ms > MOST_MS {
            (self.distance_ms, self.agreed) = (0, 0);
        } else if agrees {
            self.agreed = self.agreed.saturating_add(1);
            // The mean of the two, so that slow drifts are followed.
            self.distance_ms = self.distance_ms.midpoint(distance_ms);
        } else {
            (self.distance_ms, self.agreed) = (distance_ms, 1);
        }
    }
}

/// Differences count, and they are short.
#[expect(clippy::cast_possible_truncation, reason = "wraps")]
const fn wrapped_ms(now_ns: u64) -> u32 {
    (now_ns / NS_A_MS) as u32
}

fn hash(client: [u8; 16], server: Endpoint) -> u64 {
    const ODD: u64 = 0x9E37_79B9_7F4A_7C15;
    let mut hash = u64::from(server.port).wrapping_add(1).wrapping_mul(ODD);
    for address in [client, server.address] {
        let (low, high) = address.split_at(8);
        for half in [low, high] {
            let word = half.first_chunk().map_or(0, |half| u64::from_le_bytes(*half));
            hash = (hash ^ word).wrapping_mul(ODD).rotate_left(29);
        }
    }
    hash.wrapping_mul(ODD)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dissect::testing::{CLIENT, SERVER};

    const S: u64 = 1_000_000_000;

    fn flows(periodic: &mut Periodic, port: u16, times: &[u64]) -> bool {
        let server = Endpoint { address: SERVER, port };
        let last =
            times.iter().map(|at| periodic.began(CLIENT, server, 1_000_000 * S + at * S)).last();
        last.is_some_and(|risks| risks.has(Risk::Periodic))
    }

    #[test]
    fn five_flows_at_one_distance() {
        let mut periodic = Periodic::new(64);
        assert!(flows(&mut periodic, 1, &[0, 60, 120, 181, 240]));
        assert!(!flows(&mut periodic, 2, &[0, 60, 120, 181]), "one too few");
        assert!(!flows(&mut periodic, 3, &[0, 60, 90, 200, 260, 400]));
        assert!(!flows(&mut periodic, 4, &[0, 1, 2, 3, 4, 5, 6]), "a page's connections");
        assert!(flows(&mut periodic, 5, &[0, 1, 60, 120, 121, 180, 241]), "two at a time");
        assert!(!flows(&mut periodic, 6, &[0, 9000, 18000, 27000, 36000, 45000]), "too far apart");
        assert!(!flows(&mut periodic, 7, &[0, 60, 120, 180, 400]), "not any more");
        assert!(!flows(&mut periodic, 8, &[0, 4_000_000, 60, 120, 180]), "weeks, and back");
    }

    #[test]
    fn the_table_is_bounded() {
        let mut periodic = Periodic::new(16);
        for round in 0..6 {
            for port in 0..1000 {
                flows(&mut periodic, port, &[round * 60]);
            }
        }
        assert_eq!(periodic.groups.len() * GROUP, 16);
        assert!(!flows(&mut Periodic::new(0), 1, &[0, 60, 120, 180, 240, 300]));
    }
}
