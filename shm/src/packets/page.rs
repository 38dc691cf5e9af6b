//! The words that a reader writes: its own page, and all that it may write.
//!
//! The engine makes the memory, fixes its size, and maps it read-only. Each shard has a line of it,
//! so that a reader's word moves between two cores only.
//!
//! | word of the first line | content |
//! | --- | --- |
//! | 0 | generation: tells this reader from an earlier one in the same place |
//! | 1 | place of the reader, 0 to 63 |
//! | 2 | group, plus 1; 0: in none |
//!
//! | word of a shard's line | content |
//! | --- | --- |
//! | 0 | *done*: everything before this position was let go of |
//! | 1 | *taken*: nothing from this position on is in use |
//! | 2 | *wait*: raised by 2 before each sleep; bit 0: wants to hear of the watermark too |
//! | 3 | *wish*: the lease that a demoted reader would like to have |
//! | 4 … 8 | packets delivered, missed, filtered, other members', shunted: for show |

use crate::segment::{ReadWords, WriteWords};
use crate::sync::{Ordering, fence};

/// Pieces that a lease reader may have in its hands at one time, in one shard.
pub const HOLD_MAX: u64 = if cfg!(loom) { 2 } else { 256 };

/// Words of a line.
pub(crate) const LINE: usize = 16;
/// Words of a page's first line.
pub(crate) const GENERATION: usize = 0;
pub(crate) const PLACE: usize = 1;
pub(crate) const GROUP: usize = 2;
/// Words of a shard's line.
const DONE: usize = 0;
const TAKEN: usize = 1;
const WAIT: usize = 2;
const WISH: usize = 3;
const SHOWN: usize = 4;

/// What a reader shows of itself, in the order of its words.
pub(crate) const SHOWN_WORDS: usize = 5;

/// Bytes of a page for so many shards: whole pages of memory.
pub(crate) const fn page_bytes(shards: usize) -> usize {
    ((shards + 1) * LINE * 8).next_multiple_of(4096)
}

/// A shard's line of a page, as the engine sees it: anything may stand there.
#[derive(Debug, Clone)]
pub struct PageReader {
    words: ReadWords,
    line: usize,
}

impl PageReader {
    pub(crate) fn new(words: ReadWords, shard: u16) -> Self {
        Self { words, line: (usize::from(shard) + 1) * LINE }
    }

    /// The reader's cursor. What it let go of before is not read any more.
    #[inline]
    pub(crate) fn done(&self) -> u64 {
        let done = self.words.load(self.line + DONE);
        // Pairs with the release store of `PageWriter::set_done`: the reader's loads are over.
        fence(Ordering::Acquire);
        done
    }

    pub(crate) fn taken(&self) -> u64 {
        let taken = self.words.load(self.line + TAKEN);
        // Pairs with the release store of `PageWriter::set_taken`: a cursor read after this is no
        // lower than the one that the reader had when it took.
        fence(Ordering::Acquire);
        taken
    }

    pub(crate) fn wait(&self) -> u64 {
        self.words.load(self.line + WAIT)
    }

    pub(crate) fn wish(&self) -> u64 {
        self.words.load(self.line + WISH)
    }

    /// Packets delivered, missed, filtered, other members', shunted, as the reader says.
    pub fn shown(&self) -> [u64; SHOWN_WORDS] {
        std::array::from_fn(|index| self.words.load(self.line + SHOWN + index))
    }

    /// How far the reader says it is, for show.
    pub fn position(&self) -> u64 {
        self.words.load(self.line + DONE)
    }
}

/// A shard's line of a page, as its reader writes it.
#[derive(Debug)]
pub(crate) struct PageWriter {
    words: WriteWords,
    line: usize,
    wait: u64,
}

impl PageWriter {
    pub(crate) fn new(words: WriteWords, shard: u16) -> Self {
        Self { words, line: (usize::from(shard) + 1) * LINE, wait: 0 }
    }

    #[inline]
    fn set(&self, word: usize, value: u64, order: Ordering) {
        if let Some(word) = self.words.get(self.line + word) {
            word.store(value, order);
        }
    }

    /// Lets go of everything before `position`.
    #[inline]
    pub(crate) fn set_done(&self, position: u64) {
        // Pairs with the acquire fence of `PageReader::done`.
        self.set(DONE, position, Ordering::Release);
    }

    /// Says that nothing from `position` on is in use. What lies before it may be used only after
    /// a look at the lease: the two fences, here and in the demotion, see to it that either that
    /// look finds the demotion, or the demotion finds this.
    #[inline]
    pub(crate) fn set_taken(&self, position: u64) {
        self.set(TAKEN, position, Ordering::Release);
        fence(Ordering::SeqCst);
    }

    /// Asks to be woken. The caller looks once more for packets before it sleeps.
    pub(crate) fn ask_to_be_woken(&mut self, for_watermark: bool) {
        self.wait = (self.wait & !1).wrapping_add(2) | u64::from(for_watermark);
        self.set(WAIT, self.wait, Ordering::Relaxed);
        // Pairs with the fence before the engine's look at who waits: either it sees this word, or
        // the caller's next look sees its packets.
        fence(Ordering::SeqCst);
    }

    /// Asks for the lease of this number.
    pub(crate) fn wish(&self, lease: u64) {
        self.set(WISH, lease, Ordering::Relaxed);
    }

    pub(crate) fn show(&self, values: [u64; SHOWN_WORDS]) {
        for (index, value) in values.into_iter().enumerate() {
            self.set(SHOWN + index, value, Ordering::Relaxed);
        }
    }
}
