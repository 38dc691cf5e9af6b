//! Rules by what stands somewhere in a path or a payload.
//!
//! Each pattern is known by three bytes in a row of it, those that fewest other patterns are known
//! by. Three bytes at a time the text is looked up, first in a bitmap that most text fails in; what
//! is found is compared in place. Bytes at a fixed offset are known by the offset and up to four
//! of them, and looked up with one probe for each offset in use.

use std::collections::HashMap;

use super::Rule;
use super::condition::{Bytes, Condition, Facts, Place, UrlPattern, all_hold};
use super::index::{Groups, Key, MOST, TooMany};

/// Bytes by which a pattern is known.
const GRAM: usize = 3;
/// Patterns of several parts that are tried on one path at most.
const TRIES: usize = 64;
/// Kinds of keys (offset and length) of bytes at a fixed offset at most.
pub(super) const SHAPES: usize = 64;

/// A part of a pattern without stars, and where its three bytes are; all within the pattern.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
struct Needle {
    rule: u32,
    start: u16,
    end: u16,
    at: u16,
}

#[derive(Debug, Default)]
struct Grams {
    /// A bit for each hash of three bytes that some pattern is known by.
    bitmap: Box<[u64]>,
    needles: Groups<u64, Needle>,
}

impl Grams {
    /// Rules with their patterns; and those that have no three bytes in a row.
    fn new<'a>(
        patterns: impl Iterator<Item = (u32, &'a [u8])>,
        star: Option<u8>,
    ) -> Result<(Grams, Vec<u32>), TooMany<u32>> {
        let mut used: HashMap<u64, u32> = HashMap::new();
        let mut rows = Vec::new();
        let mut without = Vec::new();
        for (rule, pattern) in patterns {
            let best = needles(pattern, star).min_by_key(|(gram, _)| used.get(gram).copied());
            let Some((gram, needle)) = best else {
                without.push(rule);
                continue;
            };
            *used.entry(gram).or_default() += 1;
            rows.push((gram, Needle { rule, ..needle }));
        }
        let needles = Groups::new(rows).map_err(|TooMany(needle)| TooMany(needle.rule))?;
        let mut bitmap: Box<[u64]> = Box::default();
        if !needles.is_empty() {
            bitmap = vec![0; 1024].into();
        }
        for gram in needles.keys() {
            let (word, bit) = bit_of(gram.hash());
            if let Some(word) = bitmap.get_mut(word) {
                *word |= 1 << bit;
            }
        }
        Ok((Grams { bitmap, needles }, without))
    }

    /// For each place in `text` whose three bytes some patterns are known by, these.
    fn places<'a>(&'a self, text: &'a [u8]) -> impl Iterator<Item = (usize, &'a [Needle])> {
        let text = if self.bitmap.is_empty() { &[] } else { text };
        text.windows(GRAM).enumerate().filter_map(|(place, window)| {
            let gram = gram_of(window);
            let (word, bit) = bit_of(gram.hash());
            let may = self.bitmap.get(word).is_some_and(|word| word >> bit & 1 == 1);
            may.then(|| (place, self.needles.get(gram.hash(), |key| *key == gram)))
        })
    }
}

fn gram_of(window: &[u8]) -> u64 {
    window.iter().fold(0, |gram, byte| gram << 8 | u64::from(*byte))
}

fn bit_of(hash: u64) -> (usize, u32) {
    ((hash >> 54) as usize, (hash >> 48 & 63) as u32)
}

/// Every three bytes in a row without a star in `pattern`, and where.
fn needles(pattern: &[u8], star: Option<u8>) -> impl Iterator<Item = (u64, Needle)> + '_ {
    let is_star = move |byte: &u8| Some(*byte) == star;
    pattern.windows(GRAM).enumerate().filter(move |(_, window)| !window.iter().any(is_star)).map(
        move |(at, window)| {
            let before = pattern.get(..at).unwrap_or_default();
            let after = pattern.get(at..).unwrap_or_default();
            let start = before.iter().rposition(is_star).map_or(0, |star| star + 1);
            let end = after.iter().position(is_star).map_or(pattern.len(), |star| at + star);
            let [start, end, at] =
                [start, end, at].map(|place| u16::try_from(place).unwrap_or(u16::MAX));
            (gram_of(window), Needle { rule: 0, start, end, at })
        },
    )
}

/// The bytes of `text` that would be this needle's part, if its three bytes are at `place`, with
/// the place where they begin.
fn part(needle: Needle, text: &[u8], place: usize) -> Option<(usize, &[u8])> {
    let start = place.checked_sub(usize::from(needle.at - needle.start))?;
    let length = usize::from(needle.end - needle.start);
    Some((start, text.get(start..start.checked_add(length)?)?))
}

/// Rules with a path.
#[derive(Debug, Default)]
pub(super) struct Urls {
    grams: Grams,
    /// Rules without three bytes in a row, which are asked always.
    short: Box<[u32]>,
}

impl Urls {
    /// Of `rules`, those with these numbers.
    pub(super) fn new(rules: &[Rule], of: &[u32]) -> Result<Urls, TooMany<u32>> {
        let patterns = of.iter().filter_map(|&number| {
            let pattern = url_of(&rules.get(number as usize)?.conditions)?;
            Some((number, &*pattern.0))
        });
        let (grams, short) = Grams::new(patterns, Some(b'*'))?;
        match short.get(MOST) {
            Some(number) => Err(TooMany(*number)),
            None => Ok(Urls { grams, short: short.into() }),
        }
    }

    /// The best rule that fits.
    pub(super) fn first(&self, rules: &[Rule], facts: &Facts<'_>) -> Option<u32> {
        let path = facts.path.get(..UrlPattern::REACH).unwrap_or(facts.path);
        let facts = Facts { path, found: false, ..*facts };
        let holds = |number: u32, facts: &Facts<'_>| {
            rules.get(number as usize).is_some_and(|rule| all_hold(&rule.conditions, facts))
        };
        let mut best = self.short.iter().copied().find(|number| holds(*number, &facts));
        let mut tried = [u32::MAX; TRIES];
        let mut count = 0;
        for (place, needles) in self.grams.places(path) {
            for needle in needles {
                if best.is_some_and(|best| best <= needle.rule) {
                    break;
                }
                let Some(pattern) = rules
                    .get(needle.rule as usize)
                    .and_then(|rule| Some(&*url_of(&rule.conditions)?.0))
                else {
                    continue;
                };
                match compared(*needle, pattern, path, place) {
                    Compared::Differs => {}
                    Compared::Fits => {
                        if holds(needle.rule, &Facts { found: true, ..facts }) {
                            best = Some(needle.rule);
                        }
                    }
                    Compared::InPart if tried.contains(&needle.rule) => {}
                    Compared::InPart => {
                        if holds(needle.rule, &facts) {
                            best = Some(needle.rule);
                        }
                        let Some(free) = tried.get_mut(count) else { return best };
                        (*free, count) = (needle.rule, count + 1);
                    }
                }
            }
        }
        best
    }
}

enum Compared {
    Differs,
    /// All of the pattern does.
    Fits,
    /// One part of several does.
    InPart,
}

fn compared(needle: Needle, pattern: &[u8], path: &[u8], place: usize) -> Compared {
    let range = usize::from(needle.start)..usize::from(needle.end);
    let (from_start, to_end) = (range.start == 0, range.end == pattern.len());
    let Some((start, there)) = part(needle, path, place) else { return Compared::Differs };
    let anchored = (!from_start || start == 0) && (!to_end || start + there.len() == path.len());
    if !anchored || pattern.get(range.clone()) != Some(there) {
        return Compared::Differs;
    }
    let before = pattern.get(..range.start).unwrap_or_default();
    let after = pattern.get(range.end..).unwrap_or_default();
    let alone = before.iter().chain(after).all(|byte| *byte == b'*');
    if alone { Compared::Fits } else { Compared::InPart }
}

/// Rules with bytes of a payload.
#[derive(Debug, Default)]
pub(super) struct Payloads {
    fixed: Groups<u64, u32>,
    /// Offsets and lengths of the keys of `fixed`.
    shapes: Box<[(u16, u8)]>,
    grams: Grams,
    /// Bytes in which something may stand anywhere.
    reach: usize,
}

impl Payloads {
    /// Of `rules`, those with these numbers.
    pub(super) fn new(rules: &[Rule], of: &[u32]) -> Result<Payloads, TooMany<u32>> {
        let mut fixed = Vec::new();
        let mut shapes: Vec<(u16, u8)> = Vec::new();
        let mut anywhere = Vec::new();
        let mut reach = 0;
        for &number in of {
            let Some(rule) = rules.get(number as usize) else { continue };
            let Some(bytes) = bytes_of(&rule.conditions) else { continue };
            match bytes.place {
                Place::Offset(offset) => {
                    let (length, key) = key_of(offset, &bytes.value);
                    if !shapes.contains(&(offset, length)) {
                        shapes.push((offset, length));
                    }
                    if shapes.len() > SHAPES {
                        return Err(TooMany(number));
                    }
                    fixed.push((key, number));
                }
                Place::Within(within) => {
                    reach = reach.max(usize::from(within));
                    anywhere.push((number, &*bytes.value));
                }
            }
        }
        let (grams, short) = Grams::new(anywhere.into_iter(), None)?;
        debug_assert!(short.is_empty(), "the grammar asks for three bytes");
        Ok(Payloads { fixed: Groups::new(fixed)?, shapes: shapes.into(), grams, reach })
    }

    /// The best rule that fits.
    pub(super) fn first(&self, rules: &[Rule], facts: &Facts<'_>) -> Option<u32> {
        let data = facts.data;
        let holds = |number: u32, facts: &Facts<'_>| {
            rules.get(number as usize).is_some_and(|rule| all_hold(&rule.conditions, facts))
        };
        let fixed = self.shapes.iter().filter_map(|(offset, length)| {
            let start = usize::from(*offset);
            let there = data.get(start..start + usize::from(*length))?;
            let (_, key) = key_of(*offset, there);
            let numbers = self.fixed.get(key.hash(), |other| *other == key);
            numbers.iter().copied().find(|number| holds(*number, facts))
        });
        let mut best = fixed.min();
        let data = data.get(..self.reach).unwrap_or(data);
        let found = Facts { found: true, ..*facts };
        for (place, needles) in self.grams.places(data) {
            for needle in needles {
                if best.is_some_and(|best| best <= needle.rule) {
                    break;
                }
                let Some(bytes) =
                    rules.get(needle.rule as usize).and_then(|rule| bytes_of(&rule.conditions))
                else {
                    continue;
                };
                let Some((start, there)) = part(*needle, data, place) else { continue };
                let Place::Within(within) = bytes.place else { continue };
                let inside = start + there.len() <= usize::from(within);
                if inside && *there == *bytes.value && holds(needle.rule, &found) {
                    best = Some(needle.rule);
                }
            }
        }
        best
    }
}

/// The length of a key, and the key.
fn key_of(offset: u16, value: &[u8]) -> (u8, u64) {
    let taken = value.get(..4).unwrap_or(value);
    let length = u8::try_from(taken.len()).unwrap_or(4);
    (length, u64::from(offset) << 40 | u64::from(length) << 32 | gram_of(taken))
}

/// The path among `conditions`.
pub(super) fn url_of(conditions: &[Condition]) -> Option<&UrlPattern> {
    conditions.iter().find_map(|condition| match condition {
        Condition::Url(pattern) => Some(pattern),
        _ => None,
    })
}

/// Of the bytes among `conditions`, those by which the rule is found: the longest at an offset, or
/// else those that may be anywhere.
pub(super) fn bytes_of(conditions: &[Condition]) -> Option<&Bytes> {
    let all = conditions.iter().filter_map(|condition| match condition {
        Condition::Bytes(bytes) => Some(bytes),
        _ => None,
    });
    all.max_by_key(|bytes| (matches!(bytes.place, Place::Offset(_)), bytes.value.len()))
}
