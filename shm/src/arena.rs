//! The arena: metadata of flows, at most 1 KiB each, in blocks of 32 to 2048 bytes.
//!
//! One writer, a buddy system: a block is split in halves until it fits, and joined with its other
//! half when both are free, so the arena cannot be worn into splinters. Which blocks are free is
//! known in the writer's private memory only; no reader needs it and no reader can harm it. A full
//! arena refuses, and counts that.
//!
//! A reference is the block's first unit (32 bytes) and, in the low three bits, its order plus one:
//! never 0, and enough for a reader to check it. A block begins with its length (two bytes); the
//! content follows.

use crate::{
    segment::{ReadWords, WriteWords, fetch_to_write},
    sync::Ordering,
    words::{first_word, store},
};

/// Longest content, in bytes.
pub const META_BYTES_MAX: usize = 1024;

/// Bytes of the smallest block.
pub(crate) const UNIT: usize = 32;
const UNIT_WORDS: usize = UNIT / 8;
const LINE_WORDS: usize = 8;
/// Cache lines that are asked for ahead of the next block: most metadata takes up no more.
const LINES_AHEAD: usize = 3;
/// Orders 0 to 6: 32 to 2048 bytes.
const ORDERS: usize = 7;
const TOP: usize = ORDERS - 1;
/// Bytes of the largest block; an arena is a multiple of it.
pub(crate) const TOP_BYTES: usize = UNIT << TOP;
const ORDER_BITS: u32 = 3;
const ORDER_MASK: u32 = (1 << ORDER_BITS) - 1;
/// Largest arena, so that a unit's number fits in a reference.
pub(crate) const ARENA_BYTES_MAX: usize = UNIT << (32 - ORDER_BITS);
const NONE: u32 = u32::MAX;

/// State of a block's first unit: the order in the low bits, and whether it is free or handed out.
/// A unit inside of a block has none.
const INSIDE: u8 = 0;
const FREE: u8 = 0x10;
const USED: u8 = 0x20;

/// The arena's only writer.
#[derive(Debug)]
pub struct ArenaWriter {
    words: WriteWords,
    state: Box<[u8]>,
    /// Doubly linked lists through the free blocks, so that a block leaves its list in one step.
    next: Box<[u32]>,
    previous: Box<[u32]>,
    heads: [u32; ORDERS],
    used_bytes: u64,
    failed: u64,
}

impl ArenaWriter {
    pub(crate) fn new(words: WriteWords) -> Self {
        let units = words.len() / UNIT_WORDS;
        let mut arena = Self {
            words,
            state: vec![INSIDE; units].into_boxed_slice(),
            next: vec![NONE; units].into_boxed_slice(),
            previous: vec![NONE; units].into_boxed_slice(),
            heads: [NONE; ORDERS],
            used_bytes: 0,
            failed: 0,
        };
        // Backwards, so that the lowest addresses are handed out first.
        for top in (0..units >> TOP).rev() {
            arena.push(top << TOP, TOP);
        }
        arena
    }

    /// Stores `content` and gives its reference, never 0; `None` if it is longer than 1 KiB or
    /// there is no room, which is counted.
    pub fn store(&mut self, content: &[u8]) -> Option<u32> {
        let Some((unit, order)) = self.allocate(content.len()) else {
            self.failed += 1;
            return None;
        };
        self.write(unit * UNIT_WORDS, content);
        self.used_bytes += (UNIT << order) as u64;
        reference_of(unit, order)
    }

    /// Stores `content` in place of what stands in the block of `reference`, if it takes up just such a
    /// block; false, and nothing written, if not. The slot that refers to it must be open (`begin`) from
    /// before until after, so that readers of the old content find out.
    pub fn rewrite(&mut self, reference: u32, content: &[u8]) -> bool {
        let Some((unit, order)) = place_of(reference) else { return false };
        let fits = content.len() <= META_BYTES_MAX && order_of(content.len()) == order;
        if !fits || self.state.get(unit) != Some(&used(order)) {
            return false;
        }
        self.write(unit * UNIT_WORDS, content);
        true
    }

    /// Takes a block back. The slot that referred to it must have been opened (`begin`) since, so
    /// that readers of the old content find out. A reference that is not handed out is ignored.
    pub fn free(&mut self, reference: u32) {
        let Some((mut unit, mut order)) = place_of(reference) else { return };
        if self.state.get(unit) != Some(&used(order)) {
            debug_assert!(false, "arena block {reference:#x} freed twice or never handed out");
            return;
        }
        self.used_bytes -= (UNIT << order) as u64;
        self.state[unit] = INSIDE;
        while order < TOP {
            let buddy = unit ^ 1 << order;
            if self.state[buddy] != free(order) {
                break;
            }
            self.unlink(buddy, order);
            unit = unit.min(buddy);
            order += 1;
        }
        self.push(unit, order);
    }

    /// Copies a block's content into `content`, which is cleared first: the writer's own look, which
    /// nothing can tear. Reference 0 gives nothing.
    pub fn read(&self, reference: u32, content: &mut Vec<u8>) {
        content.clear();
        let words = self.words.len();
        copy_block(|word| self.words[word].load(Ordering::Relaxed), words, reference, content);
    }

    /// Bytes in blocks that are handed out.
    pub fn used_bytes(&self) -> u64 {
        self.used_bytes
    }

    /// All bytes of the arena.
    pub fn capacity_bytes(&self) -> u64 {
        (self.state.len() * UNIT) as u64
    }

    /// How often [`Self::store`] had no room.
    pub fn failed(&self) -> u64 {
        self.failed
    }

    pub(crate) fn touch(&self) {
        #[cfg(not(loom))]
        self.words.touch();
    }

    fn allocate(&mut self, bytes: usize) -> Option<(usize, usize)> {
        if bytes > META_BYTES_MAX {
            return None;
        }
        let order = order_of(bytes);
        let mut from = (order..ORDERS).find(|&order| self.heads[order] != NONE)?;
        let unit = self.heads[from] as usize;
        self.unlink(unit, from);
        while from > order {
            from -= 1;
            self.push(unit + (1 << from), from);
        }
        self.state[unit] = used(order);
        self.fetch_next(order);
        Some((unit, order))
    }

    /// Asks for the memory of the block of `order` that is handed out next.
    #[inline(always)]
    fn fetch_next(&self, order: usize) {
        let free = self.heads[order..].iter().find(|&&head| head != NONE);
        let start = free.map_or(0, |&unit| unit as usize * UNIT_WORDS);
        for line in (0..UNIT_WORDS << order).step_by(LINE_WORDS).take(LINES_AHEAD) {
            if let Some(word) = self.words.get(start + line) {
                fetch_to_write(word);
            }
        }
    }

    /// Content goes in as words: the first holds the length and six bytes.
    fn write(&self, word: usize, content: &[u8]) {
        let length = u64::from(u16::try_from(content.len()).unwrap_or(0));
        let rest = content.get(BYTES_OF_FIRST..).unwrap_or_default();
        let block = &self.words[word..];
        block[0].store(length | first_word(content) << (8 * LENGTH_BYTES), Ordering::Relaxed);
        store(&block[1..], rest);
    }

    fn push(&mut self, unit: usize, order: usize) {
        let head = self.heads[order];
        let number = u32::try_from(unit).unwrap_or(NONE);
        self.next[unit] = head;
        self.previous[unit] = NONE;
        if head != NONE {
            self.previous[head as usize] = number;
        }
        self.heads[order] = number;
        self.state[unit] = free(order);
    }

    fn unlink(&mut self, unit: usize, order: usize) {
        let (next, previous) = (self.next[unit], self.previous[unit]);
        if next != NONE {
            self.previous[next as usize] = previous;
        }
        if previous == NONE {
            self.heads[order] = next;
        } else {
            self.next[previous as usize] = next;
        }
        self.state[unit] = INSIDE;
    }
}

/// A reader of the arena. What it reads is right only if the slot that gave the reference has not
/// been opened meanwhile, which `read_flow` checks.
#[derive(Debug, Clone)]
pub struct ArenaReader {
    words: ReadWords,
}

impl ArenaReader {
    pub(crate) fn new(words: ReadWords) -> Self {
        Self { words }
    }

    /// Copies a block's content into `content`, which is cleared first. False, and nothing copied,
    /// if the reference cannot be one of this arena or the block's length is impossible.
    pub fn load(&self, reference: u32, content: &mut Vec<u8>) -> bool {
        content.clear();
        copy_block(|word| self.words.load(word), self.words.len(), reference, content)
    }
}

/// Appends the content of a block; false, and nothing appended, where the reference cannot be one
/// of an arena of `words` words or the block's length is impossible.
fn copy_block(
    load: impl Fn(usize) -> u64,
    words: usize,
    reference: u32,
    content: &mut Vec<u8>,
) -> bool {
    let Some((unit, order)) = place_of(reference) else { return false };
    let first = unit * UNIT_WORDS;
    let block_words = UNIT_WORDS << order;
    if !unit.is_multiple_of(1 << order) || first + block_words > words {
        return false;
    }
    let [a, b, start @ ..] = load(first).to_le_bytes();
    let bytes = usize::from(u16::from_le_bytes([a, b]));
    if bytes > META_BYTES_MAX || bytes + LENGTH_BYTES > block_words * 8 {
        return false;
    }
    let from = content.len();
    content.extend_from_slice(&start);
    let whole = (bytes + LENGTH_BYTES).div_ceil(8) * 8 - LENGTH_BYTES;
    content.resize(from + whole, 0);
    let (eights, _) = content[from + BYTES_OF_FIRST..].as_chunks_mut::<8>();
    for (word, eight) in (first + 1..).zip(eights) {
        *eight = load(word).to_le_bytes();
    }
    content.truncate(from + bytes);
    true
}

const LENGTH_BYTES: usize = 2;
/// Bytes of the content that stand in a block's first word.
const BYTES_OF_FIRST: usize = 8 - LENGTH_BYTES;

/// The order of the block that so many bytes of content take up.
const fn order_of(bytes: usize) -> usize {
    (bytes + LENGTH_BYTES).div_ceil(UNIT).next_power_of_two().ilog2() as usize
}

const fn free(order: usize) -> u8 {
    FREE | order.to_le_bytes()[0]
}

const fn used(order: usize) -> u8 {
    USED | order.to_le_bytes()[0]
}

fn reference_of(unit: usize, order: usize) -> Option<u32> {
    let order = u32::try_from(order).ok()?;
    Some(u32::try_from(unit).ok()? << ORDER_BITS | (order + 1))
}

fn place_of(reference: u32) -> Option<(usize, usize)> {
    let order = (reference & ORDER_MASK).checked_sub(1)?;
    Some(((reference >> ORDER_BITS) as usize, order as usize))
}

#[cfg(not(loom))]
#[cfg(test)]
mod tests {
    use super::*;
    use crate::segment::pair;
    use proptest::prelude::*;
    use std::collections::HashSet;

    fn arena(bytes: usize) -> (ArenaWriter, ArenaReader) {
        let (write, read) = pair(bytes / 8);
        (ArenaWriter::new(write), ArenaReader::new(read))
    }

    #[test]
    fn every_length_comes_back() {
        let (mut writer, reader) = arena(1 << 20);
        let mut content = Vec::new();
        for length in 0..=META_BYTES_MAX {
            let stored: Vec<u8> = (0..length).map(|i| (i * 7 + length).to_le_bytes()[0]).collect();
            let reference = writer.store(&stored).unwrap();
            assert_ne!(reference, 0);
            assert!(reader.load(reference, &mut content));
            assert_eq!(content, stored);
            writer.free(reference);
        }
        assert_eq!(writer.used_bytes(), 0);
        assert_eq!(writer.store(&[0; META_BYTES_MAX + 1]), None);
        assert_eq!(writer.failed(), 1);
    }

    #[test]
    fn a_full_arena_refuses_and_counts() {
        let (mut writer, _) = arena(2 * TOP_BYTES);
        let stored: Vec<u32> = std::iter::from_fn(|| writer.store(&[1; 30])).collect();
        assert_eq!(stored.len(), 2 * TOP_BYTES / UNIT, "30 bytes and the length fill a unit");
        assert_eq!((writer.failed(), writer.used_bytes()), (1, writer.capacity_bytes()));
        writer.free(stored[5]);
        assert!(writer.store(&[2; 31]).is_none(), "one unit is free, two are needed");
        assert_eq!(writer.store(&[2; 30]), Some(stored[5]));
    }

    #[test]
    fn what_fits_the_same_block_may_stand_in_it_anew() {
        let (mut writer, reader) = arena(2 * TOP_BYTES);
        let mut content = Vec::new();
        let reference = writer.store(&[1; 40]).unwrap();
        for (length, fits) in
            [(31_usize, true), (62, true), (30, false), (63, false), (2000, false)]
        {
            let before = content.clone();
            assert_eq!(writer.rewrite(reference, &vec![length.to_le_bytes()[0]; length]), fits);
            assert!(reader.load(reference, &mut content));
            let expected = if fits { vec![length.to_le_bytes()[0]; length] } else { before };
            assert_eq!(content, expected);
        }
        writer.free(reference);
        for nothing in [0, reference, u32::MAX] {
            assert!(!writer.rewrite(nothing, &[1; 40]), "no block is handed out there");
        }
    }

    #[derive(Debug, Clone)]
    enum Step {
        Store(usize),
        Free(prop::sample::Index),
    }

    fn steps() -> impl Strategy<Value = Vec<Step>> {
        let step = prop_oneof![
            3 => (0..=META_BYTES_MAX).prop_map(Step::Store),
            3 => (0..60_usize).prop_map(Step::Store),
            5 => any::<prop::sample::Index>().prop_map(Step::Free),
        ];
        prop::collection::vec(step, 1..400)
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        /// Against a map as oracle: what is stored stays as it was until it is freed, whatever
        /// else happens; and once all is freed, the arena is whole again.
        #[test]
        fn behaves_like_a_map(steps in steps()) {
            let (mut writer, reader) = arena(16 * TOP_BYTES);
            let mut live: Vec<(u32, Vec<u8>)> = Vec::new();
            let mut content = Vec::new();
            for (number, step) in steps.into_iter().enumerate() {
                match step {
                    Step::Store(length) => {
                        let fill = vec![number.to_le_bytes()[0]; length];
                        if let Some(reference) = writer.store(&fill) {
                            live.push((reference, fill));
                        }
                    }
                    Step::Free(_) if live.is_empty() => {}
                    Step::Free(which) => {
                        let (reference, _) = live.swap_remove(which.index(live.len()));
                        writer.free(reference);
                    }
                }
                let distinct: HashSet<u32> = live.iter().map(|(reference, _)| *reference).collect();
                prop_assert_eq!(distinct.len(), live.len());
            }
            for (reference, fill) in &live {
                prop_assert!(reader.load(*reference, &mut content));
                prop_assert_eq!(&content, fill);
            }
            for (reference, _) in live {
                writer.free(reference);
            }
            prop_assert_eq!(writer.used_bytes(), 0);
            let whole = std::iter::from_fn(|| writer.store(&[0; META_BYTES_MAX])).count();
            prop_assert_eq!(whole, 16, "every largest block is there again");
        }

        /// Any reference into any bytes is refused or gives at most 1 KiB.
        #[test]
        fn a_reader_survives_anything(
            words in prop::collection::vec(any::<u64>(), TOP_BYTES / 8),
            references in prop::collection::vec(any::<u32>(), 50),
        ) {
            let (write, read) = pair(TOP_BYTES / 8);
            for (word, value) in write.iter().zip(&words) {
                word.store(*value, Ordering::Relaxed);
            }
            let (reader, mut content) = (ArenaReader::new(read), Vec::new());
            for reference in references.iter().flat_map(|r| [*r, *r % 512]) {
                let loaded = reader.load(reference, &mut content);
                prop_assert!(content.len() <= META_BYTES_MAX && (loaded || content.is_empty()));
            }
        }
    }
}
