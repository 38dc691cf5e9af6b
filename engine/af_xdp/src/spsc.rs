//! A ring that brings chunks from one thread to another.
//!
//! Sockets that share a queue share its fill ring, and a fill ring has one owner. The other threads
//! send their used chunks home to that owner, each over a ring of its own: one producer, one
//! consumer, no atomic read-modify-write, one release store a batch. Sized for all chunks that
//! could be on the way, it is never full.

use crate::sync::{Arc, AtomicU64, Ordering};
use crate::umem::Chunk;

/// Makes a ring for up to `chunks` chunks (rounded up to a power of two) and gives its two halves.
pub fn home_ring(chunks: u32) -> (HomeSender, HomeReceiver) {
    let slots = u64::from(chunks.max(1)).next_power_of_two();
    let shared = Arc::new(Shared {
        sent: Apart(AtomicU64::new(0)),
        taken: Apart(AtomicU64::new(0)),
        slots: (0..slots).map(|_| AtomicU64::new(0)).collect(),
        mask: slots - 1,
    });
    let sender = HomeSender { shared: Arc::clone(&shared), ours: 0, published: 0, theirs: 0 };
    (sender, HomeReceiver { shared, ours: 0 })
}

/// Each side's index on cache lines of its own (two, for the prefetcher takes lines in pairs).
#[repr(align(128))]
#[derive(Debug)]
struct Apart(AtomicU64);

#[derive(Debug)]
struct Shared {
    /// Written by the sender: chunks ever sent.
    sent: Apart,
    /// Written by the receiver: chunks ever taken.
    taken: Apart,
    slots: Box<[AtomicU64]>,
    mask: u64,
}

impl Shared {
    fn slot(&self, index: u64) -> Option<&AtomicU64> {
        // Masked, so it is always there.
        self.slots.get(usize::try_from(index & self.mask).ok()?)
    }
}

/// The half that sends.
#[derive(Debug)]
pub struct HomeSender {
    shared: Arc<Shared>,
    ours: u64,
    published: u64,
    /// The receiver's index as last seen.
    theirs: u64,
}

impl HomeSender {
    /// Puts a chunk into the batch to come; gives it back if the ring is full.
    ///
    /// # Errors
    /// The chunk, when the ring is full.
    #[inline]
    pub fn push(&mut self, chunk: Chunk) -> Result<(), Chunk> {
        if self.ours - self.theirs > self.shared.mask {
            // Meets the receiver's release store: the slots before that index are read.
            self.theirs = self.shared.taken.0.load(Ordering::Acquire);
            if self.ours - self.theirs > self.shared.mask {
                return Err(chunk);
            }
        }
        if let Some(slot) = self.shared.slot(self.ours) {
            slot.store(chunk.into_word(), Ordering::Relaxed);
        }
        self.ours += 1;
        Ok(())
    }

    /// Makes the batch visible.
    #[inline]
    pub fn publish(&mut self) {
        if self.published != self.ours {
            self.published = self.ours;
            self.shared.sent.0.store(self.ours, Ordering::Release);
        }
    }

    /// Whether at least `threshold` chunks wait for the receiver. Looks at the receiver's word
    /// only if what was last seen of it leaves that possible.
    #[inline]
    pub fn waiting(&mut self, threshold: u64) -> bool {
        if self.published - self.theirs < threshold {
            return false;
        }
        self.theirs = self.shared.taken.0.load(Ordering::Acquire);
        self.published - self.theirs >= threshold
    }
}

/// The half that receives.
#[derive(Debug)]
pub struct HomeReceiver {
    shared: Arc<Shared>,
    ours: u64,
}

impl HomeReceiver {
    /// Appends all chunks that are there to `into`; gives how many.
    #[inline]
    pub fn drain(&mut self, into: &mut Vec<Chunk>) -> u64 {
        // Meets the sender's release store: the slots before that index are written.
        let sent = self.shared.sent.0.load(Ordering::Acquire);
        let count = sent - self.ours;
        if count == 0 {
            return 0;
        }
        for index in self.ours..sent {
            if let Some(slot) = self.shared.slot(index) {
                into.push(Chunk::from_word(slot.load(Ordering::Relaxed)));
            }
        }
        self.ours = sent;
        self.shared.taken.0.store(sent, Ordering::Release);
        count
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;

    #[test]
    fn holds_what_it_was_made_for_and_gives_the_rest_back() {
        let (mut sender, mut receiver) = home_ring(3);
        let mut out = Vec::new();
        for round in 0..10_u64 {
            for word in 0..4 {
                sender.push(Chunk::from_word(round * 4 + word)).unwrap();
            }
            let refused = sender.push(Chunk::from_word(99)).unwrap_err();
            assert_eq!(refused.into_word(), 99);
            assert!(!sender.waiting(1), "not published yet");
            assert_eq!(receiver.drain(&mut out), 0);
            sender.publish();
            assert!(sender.waiting(4));
            assert!(!sender.waiting(5));
            assert_eq!(receiver.drain(&mut out), 4);
            assert!(!sender.waiting(1));
        }
        let words: Vec<u64> = out.into_iter().map(Chunk::into_word).collect();
        assert_eq!(words, (0..40).collect::<Vec<u64>>());
    }

    /// A million chunks between two threads: none lost, none twice, in order.
    #[test]
    fn two_threads() {
        const CHUNKS: u64 = 1_000_000;
        let (mut sender, mut receiver) = home_ring(256);
        let producer = std::thread::spawn(move || {
            for word in 0..CHUNKS {
                let mut chunk = Chunk::from_word(word);
                while let Err(refused) = sender.push(chunk) {
                    sender.publish();
                    std::thread::yield_now();
                    chunk = refused;
                }
                if word % 37 == 0 {
                    sender.publish();
                }
            }
            sender.publish();
        });
        let mut next = 0;
        let mut batch = Vec::new();
        while next < CHUNKS {
            if receiver.drain(&mut batch) == 0 {
                std::thread::yield_now();
            }
            for chunk in batch.drain(..) {
                assert_eq!(chunk.into_word(), next);
                next += 1;
            }
        }
        producer.join().unwrap();
    }
}

/// Every interleaving of two threads over a ring of two slots:
/// `RUSTFLAGS="--cfg loom" cargo test -p weir-af-xdp --release --lib spsc`.
///
/// It fails if `sent` is stored relaxed. That `taken` must be stored with release it cannot show:
/// loom has no loads that happen late, after a store that follows them.
#[cfg(all(test, loom))]
mod model {
    use super::*;

    #[test]
    fn nothing_is_lost_or_doubled() {
        loom::model(|| {
            let (mut sender, mut receiver) = home_ring(2);
            let producer = loom::thread::spawn(move || {
                let mut sent = 0;
                for word in 1..=4 {
                    if sender.push(Chunk::from_word(word)).is_err() {
                        break;
                    }
                    sent = word;
                    if word != 2 {
                        sender.publish();
                    }
                }
                sender.publish();
                sent
            });
            let mut got = Vec::new();
            receiver.drain(&mut got);
            receiver.drain(&mut got);
            let sent = producer.join().unwrap();
            receiver.drain(&mut got);
            let words: Vec<u64> = got.into_iter().map(Chunk::into_word).collect();
            assert_eq!(words, (1..=sent).collect::<Vec<u64>>());
        });
    }
}
