//! What [`segment`](crate) is when the protocols are modelled: the same words in ordinary memory.

use crate::sync::{AtomicU64, Ordering};
use std::{ops::Deref, sync::Arc};

/// Words that this side writes.
#[derive(Debug, Clone)]
pub(crate) struct WriteWords(Arc<[AtomicU64]>);

impl Deref for WriteWords {
    type Target = [AtomicU64];

    fn deref(&self) -> &[AtomicU64] {
        &self.0
    }
}

/// Nothing that a model could see.
pub(crate) fn fetch_to_write<T>(_value: &T) {}

/// Words that the other side writes.
#[derive(Debug, Clone)]
pub(crate) struct ReadWords {
    words: Arc<[AtomicU64]>,
    from: usize,
    count: usize,
}

impl ReadWords {
    pub(crate) fn len(&self) -> usize {
        self.count
    }

    pub(crate) fn part(&self, from: usize, count: usize) -> Self {
        Self { words: Arc::clone(&self.words), from: self.from + from, count }
    }

    pub(crate) fn fetch(&self, _index: usize) {}

    pub(crate) fn load(&self, index: usize) -> u64 {
        self.words.get(self.from + index).map_or(0, |word| word.load(Ordering::Relaxed))
    }
}

/// The same words for a writer and for a reader.
pub(crate) fn pair(words: usize) -> (WriteWords, ReadWords) {
    let shared: Arc<[AtomicU64]> = (0..words).map(|_| AtomicU64::new(0)).collect();
    (WriteWords(Arc::clone(&shared)), ReadWords { words: shared, from: 0, count: words })
}
