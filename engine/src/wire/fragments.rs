//! Which flow the later pieces of an IP datagram belong to.
//!
//! Only the first piece has ports. It leaves its flow here under the datagram's identity
//! (addresses, identification, protocol, VLAN), and later pieces look it up. The table is of a
//! fixed size, forgets after [`Fragments::TIMEOUT_NS`], and makes room by forgetting the oldest
//! of a set: a flood of first pieces costs other datagrams their later pieces, by name and
//! counted, and no memory. Pieces that come before their first are not held back: they are
//! counted as [`Reason::FragmentWithoutFirst`].

use super::key::FlowKey;
use super::parsed::{Fragment, Parsed};
use super::reason::Reason;
use ahash::RandomState;

/// Entries among which one datagram may be.
const WAYS: usize = 4;

/// What a datagram's pieces have in common.
type Identity = [u64; 5];

#[derive(Clone, Copy, Default, Debug)]
struct Entry {
    identity: Identity,
    key: FlowKey,
    seen_ns: u64,
    swapped: bool,
    used: bool,
}

/// What happened to datagrams in pieces.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub struct FragmentCounters {
    /// First pieces remembered.
    pub firsts: u64,
    /// Later pieces that found their flow.
    pub followed: u64,
    /// Later pieces that did not.
    pub without_first: u64,
    /// Datagrams forgotten because their time was up, noticed as their place was taken.
    pub expired: u64,
    /// Datagrams forgotten before their time to make room.
    pub replaced: u64,
}

/// The datagrams in pieces that one shard knows.
#[derive(Debug)]
pub struct Fragments {
    sets: Box<[[Entry; WAYS]]>,
    hash: RandomState,
    counters: FragmentCounters,
}

impl Fragments {
    /// How long a first piece is remembered.
    pub const TIMEOUT_NS: u64 = 30_000_000_000;

    /// A table for `capacity` datagrams, rounded up to a power of two and at least one set. `seed`
    /// keeps outsiders from choosing whom to displace.
    pub fn new(capacity: usize, seed: [u64; 4]) -> Fragments {
        let sets = capacity.div_ceil(WAYS).max(1).next_power_of_two();
        let [a, b, c, d] = seed;
        Fragments {
            sets: vec![[Entry::default(); WAYS]; sets].into_boxed_slice(),
            hash: RandomState::with_seeds(a, b, c, d),
            counters: FragmentCounters::default(),
        }
    }

    /// Remembers a first piece; gives a later one the flow of its first. Whole datagrams pass.
    ///
    /// `bytes` is the frame that `parsed` was parsed from.
    ///
    /// # Errors
    /// [`Reason::FragmentWithoutFirst`] for a later piece whose first is not known.
    #[inline]
    pub fn follow(&mut self, bytes: &[u8], parsed: &mut Parsed, now_ns: u64) -> Result<(), Reason> {
        if parsed.fragment == Fragment::No {
            return Ok(());
        }
        self.follow_piece(bytes, parsed, now_ns)
    }

    /// What happened so far.
    pub const fn counters(&self) -> &FragmentCounters {
        &self.counters
    }

    #[inline(never)]
    fn follow_piece(
        &mut self,
        bytes: &[u8],
        parsed: &mut Parsed,
        now_ns: u64,
    ) -> Result<(), Reason> {
        let first = match parsed.fragment {
            Fragment::No => return Ok(()),
            Fragment::First => true,
            Fragment::Later => false,
        };
        let found = identity(bytes, parsed).and_then(|identity| {
            let set = self.set(&identity)?;
            Some((identity, set))
        });
        let Some((identity, set)) = found else {
            self.counters.without_first += u64::from(!first);
            return if first { Ok(()) } else { Err(Reason::FragmentWithoutFirst) };
        };
        if first {
            self.remember(set, identity, parsed, now_ns);
            return Ok(());
        }
        let known = self.sets.get(set).into_iter().flatten().find(|entry| {
            entry.used && entry.identity == identity && age_ns(entry, now_ns) <= Self::TIMEOUT_NS
        });
        if let Some(entry) = known {
            (parsed.key, parsed.swapped) = (entry.key, entry.swapped);
            self.counters.followed += 1;
            return Ok(());
        }
        self.counters.without_first += 1;
        Err(Reason::FragmentWithoutFirst)
    }

    fn remember(&mut self, set: usize, identity: Identity, parsed: &Parsed, now_ns: u64) {
        let Some(set) = self.sets.get_mut(set) else { return };
        let place = set
            .iter_mut()
            .max_by_key(|entry| (entry.identity == identity, !entry.used, age_ns(entry, now_ns)));
        let Some(place) = place else { return };
        if place.used && place.identity != identity {
            if age_ns(place, now_ns) > Self::TIMEOUT_NS {
                self.counters.expired += 1;
            } else {
                self.counters.replaced += 1;
            }
        }
        self.counters.firsts += 1;
        *place = Entry {
            identity,
            key: parsed.key,
            seen_ns: now_ns,
            swapped: parsed.swapped,
            used: true,
        };
    }

    fn set(&self, identity: &Identity) -> Option<usize> {
        let mask = self.sets.len().checked_sub(1)?;
        // Only the low bits are kept.
        let hash = self.hash.hash_one(identity) & u64::try_from(mask).ok()?;
        usize::try_from(hash).ok()
    }
}

/// Time may run backwards in a capture file: such an entry is new.
fn age_ns(entry: &Entry, now_ns: u64) -> u64 {
    now_ns.saturating_sub(entry.seen_ns)
}

/// Reads it from the IP header in pieces (RFC 791, section 3.2; RFC 8200, section 4.5, where the
/// protocol is not part of it).
fn identity(bytes: &[u8], parsed: &Parsed) -> Option<Identity> {
    let header = bytes.get(usize::from(parsed.datagram_at)..)?;
    let word = |at: usize| header.get(at..)?.first_chunk().map(|word| u64::from_ne_bytes(*word));
    let around = u64::from(parsed.datagram_id) | u64::from(parsed.datagram_vlan) << 32;
    if header.first()? >> 4 == 6 {
        return Some([word(8)?, word(16)?, word(24)?, word(32)?, around | 1 << 63]);
    }
    let protocol = u64::from(*header.get(9)?);
    Some([word(12)?, 0, 0, 0, around | protocol << 48])
}
