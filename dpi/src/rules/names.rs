//! Rules by host name: a hash of the labels that each pattern ends with. A name is read once from
//! its end, each label one probe, so that the cost does not grow with the rules.

use super::Rule;
use super::condition::{Condition, Facts, HostPattern, all_hold};
use super::index::{Groups, NameHash, TooMany};

/// See the module.
#[derive(Debug, Default)]
pub(super) struct Hosts {
    suffixes: Groups<Box<[u8]>, u32>,
    /// Labels of the longest suffix.
    deepest: usize,
}

impl Hosts {
    /// Of `rules`, those with these numbers.
    pub(super) fn new(rules: &[Rule], of: &[u32]) -> Result<Hosts, TooMany<u32>> {
        let rows = of.iter().filter_map(|&number| {
            let suffix = host_of(&rules.get(number as usize)?.conditions)?.suffix();
            Some((Box::from(suffix), number))
        });
        let suffixes = Groups::new(rows.collect())?;
        let deepest = suffixes.keys().map(|suffix| labels(suffix)).max().unwrap_or(0);
        Ok(Hosts { suffixes, deepest })
    }

    /// The best rule that fits.
    pub(super) fn first(&self, rules: &[Rule], facts: &Facts<'_>) -> Option<u32> {
        if self.suffixes.is_empty() {
            return None;
        }
        let probe = |hash: u64, suffix: &[u8]| {
            let numbers = self.suffixes.get(hash, |key| key.eq_ignore_ascii_case(suffix));
            numbers.iter().copied().find(|number| {
                rules.get(*number as usize).is_some_and(|rule| all_hold(&rule.conditions, facts))
            })
        };
        // What fits a longer suffix comes before what fits a shorter one.
        last_of_suffixes(facts.host, 1..=self.deepest, probe)
    }
}

/// Asks `probe` for every suffix of `name` that is whole labels, of a number of labels in
/// `depths`, from the shortest on, and gives the last of its answers.
pub(super) fn last_of_suffixes<T>(
    name: &[u8],
    depths: std::ops::RangeInclusive<usize>,
    probe: impl Fn(u64, &[u8]) -> Option<T>,
) -> Option<T> {
    let mut hash = NameHash::START;
    let mut found = None;
    let mut depth = 1;
    for (at, &byte) in name.iter().enumerate().rev() {
        if byte == b'.' {
            if depths.contains(&depth) {
                found = probe(hash.end(), name.get(at + 1..).unwrap_or_default()).or(found);
            }
            depth += 1;
            if depth > *depths.end() {
                return found;
            }
        }
        hash = hash.step(byte);
    }
    if depths.contains(&depth) { probe(hash.end(), name).or(found) } else { found }
}

/// Labels of a name.
pub(super) fn labels(name: &[u8]) -> usize {
    name.split(|byte| *byte == b'.').count()
}

/// The host pattern among `conditions`.
pub(super) fn host_of(conditions: &[Condition]) -> Option<&HostPattern> {
    conditions.iter().find_map(|condition| match condition {
        Condition::Host { pattern, .. } => Some(pattern),
        _ => None,
    })
}
