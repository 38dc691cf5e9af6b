//! The beginning of a TCP stream, one direction: put in order within a fixed buffer.
//!
//! The first segment is read where it lies; bytes are copied only once somebody wants to see more
//! behind them. What came first wins over what overlaps it later. A segment that is ahead of its
//! predecessors waits in its place in the same buffer (place = sequence number − base), as do at
//! most [`SPANS`] separate stretches. Sequence numbers wrap.

/// Stretches ahead of a gap that may wait.
const SPANS: usize = 4;

/// Index of a buffer in the pool.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
struct BufferId(u32);

const NO_BUFFER: BufferId = BufferId(u32::MAX);

/// The buffers that all streams of a shard share.
#[derive(Debug)]
pub(super) struct Pool {
    bytes: Box<[u8]>,
    bytes_each: usize,
    free: Vec<u32>,
}

impl Pool {
    /// # Panics
    ///
    /// If the buffers are larger than 65,535 bytes.
    pub(super) fn new(buffers: u32, bytes_each: u32) -> Pool {
        assert!(bytes_each <= u16::MAX.into(), "a place in a buffer has 16 bits");
        let each = usize::try_from(bytes_each).unwrap_or(usize::MAX);
        let count = usize::try_from(buffers).unwrap_or(usize::MAX);
        Pool {
            bytes: vec![0; each * count].into_boxed_slice(),
            bytes_each: each,
            free: (0..buffers).rev().collect(),
        }
    }

    /// Buffers not in use.
    #[cfg(test)]
    pub(super) fn available(&self) -> usize {
        self.free.len()
    }

    fn get(&self, id: BufferId) -> &[u8] {
        let start = usize::try_from(id.0).unwrap_or(usize::MAX).saturating_mul(self.bytes_each);
        self.bytes.get(start..start.saturating_add(self.bytes_each)).unwrap_or_default()
    }

    fn get_mut(&mut self, id: BufferId) -> &mut [u8] {
        let start = usize::try_from(id.0).unwrap_or(usize::MAX).saturating_mul(self.bytes_each);
        self.bytes.get_mut(start..start.saturating_add(self.bytes_each)).unwrap_or_default()
    }
}

/// Bytes `start..end` from the stream's base; empty where both are the same.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
struct Span {
    start: u16,
    end: u16,
}

impl Span {
    fn new(start: usize, end: usize) -> Span {
        Span { start: narrow(start), end: narrow(end) }
    }

    fn is_empty(self) -> bool {
        self.start >= self.end
    }

    fn start(self) -> usize {
        self.start.into()
    }

    fn end(self) -> usize {
        self.end.into()
    }
}

/// No buffer is longer ([`Pool::new`]).
fn narrow(place: usize) -> u16 {
    u16::try_from(place).unwrap_or(u16::MAX)
}

/// What became of a segment.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Taken {
    /// It is the stream's beginning; nothing has been copied: [`Stream::keep`] does that.
    First,
    /// There are more bytes in order than before.
    Grown,
    /// It begins before what was thought the beginning: everything must be read anew.
    Rebased,
    /// It waits for its predecessors.
    Held,
    /// It brought nothing new, or comes after the end of what can be kept.
    Nothing,
    /// There was no room to let it wait.
    Dropped,
}

/// See the module.
#[derive(Clone, Copy, Debug)]
pub(super) struct Stream {
    /// Sequence number of the first byte.
    base: u32,
    buffer: BufferId,
    /// Bytes in order from the base.
    ready: u16,
    waiting: [Span; SPANS],
    begun: bool,
    /// Nothing can follow what is there: bytes are missing in the capture, or were not kept.
    closed: bool,
}

impl Default for Stream {
    fn default() -> Stream {
        Stream {
            base: 0,
            buffer: NO_BUFFER,
            ready: 0,
            waiting: [Span::default(); SPANS],
            begun: false,
            closed: false,
        }
    }
}

impl Stream {
    /// Takes a segment. `may_rebase` tells whether a segment before the first one seen may become
    /// the beginning (nothing was concluded from it yet).
    pub(super) fn take(
        &mut self,
        pool: &mut Pool,
        sequence: u32,
        payload: &[u8],
        may_rebase: bool,
    ) -> Taken {
        if !self.begun {
            self.begun = true;
            self.base = sequence;
            return Taken::First;
        }
        if self.buffer == NO_BUFFER {
            return Taken::Nothing;
        }
        let ahead = sequence.wrapping_sub(self.base);
        let behind = self.base.wrapping_sub(sequence);
        if ahead < behind || ahead == 0 {
            return self.write(pool, usize::try_from(ahead).unwrap_or(usize::MAX), payload);
        }
        let before = usize::try_from(behind).unwrap_or(usize::MAX);
        if may_rebase && before < pool.bytes_each {
            self.rebase(pool, before);
            self.base = sequence;
            self.write(pool, 0, payload);
            return Taken::Rebased;
        }
        match payload.get(before..) {
            Some(rest) if !rest.is_empty() => self.write(pool, 0, rest),
            _ => Taken::Nothing,
        }
    }

    /// Copies the first segment, so that later ones can join it. False if no buffer is free; the
    /// stream is then closed.
    pub(super) fn keep(&mut self, pool: &mut Pool, payload: &[u8]) -> bool {
        let Some(id) = pool.free.pop() else {
            self.closed = true;
            return false;
        };
        self.buffer = BufferId(id);
        self.ready = 0;
        self.write(pool, 0, payload);
        true
    }

    /// The bytes in order so far; empty before [`Stream::keep`].
    pub(super) fn bytes<'p>(&self, pool: &'p Pool) -> &'p [u8] {
        pool.get(self.buffer).get(..self.in_order()).unwrap_or_default()
    }

    /// Bytes kept in order so far.
    pub(super) fn in_order(&self) -> usize {
        self.ready.into()
    }

    /// Whether a segment was taken.
    pub(super) fn has_begun(&self) -> bool {
        self.begun
    }

    /// Whether bytes are kept.
    pub(super) fn is_kept(&self) -> bool {
        self.buffer != NO_BUFFER
    }

    /// Whether nothing can follow.
    pub(super) fn is_over(&self, pool: &Pool) -> bool {
        self.closed || (self.buffer != NO_BUFFER && self.in_order() >= pool.bytes_each)
    }

    /// Says that the bytes after those taken so far are missing in the capture.
    pub(super) fn close(&mut self) {
        self.closed = true;
    }

    /// Gives the buffer back and forgets everything.
    pub(super) fn clear(&mut self, pool: &mut Pool) {
        self.give_back(pool);
        *self = Stream::default();
    }

    /// Gives the buffer back: what is left of the stream is of no use.
    pub(super) fn give_back(&mut self, pool: &mut Pool) {
        if self.buffer != NO_BUFFER {
            pool.free.push(self.buffer.0);
            self.buffer = NO_BUFFER;
        }
    }

    /// Puts `bytes` at `offset`, where nothing is yet.
    fn write(&mut self, pool: &mut Pool, offset: usize, bytes: &[u8]) -> Taken {
        let end = offset.saturating_add(bytes.len()).min(pool.bytes_each);
        if self.closed || offset >= end || end <= self.in_order() {
            return Taken::Nothing;
        }
        if offset > self.in_order() && !self.has_room(offset, end) {
            return Taken::Dropped;
        }
        let buffer = pool.get_mut(self.buffer);
        let mut at = offset.max(self.in_order());
        while at < end {
            let (stop, taken) = self.gap_at(at, end);
            if !taken {
                let from = bytes.get(at - offset..stop - offset).unwrap_or_default();
                if let Some(to) = buffer.get_mut(at..stop) {
                    to.copy_from_slice(from);
                }
            }
            at = stop;
        }
        self.note(Span::new(offset, end))
    }

    /// From `at` to where the state of the bytes changes (at most `end`), and whether they are
    /// there already.
    fn gap_at(&self, at: usize, end: usize) -> (usize, bool) {
        let mut stop = end;
        for span in self.waiting.iter().filter(|span| !span.is_empty()) {
            if (span.start()..span.end()).contains(&at) {
                return (span.end().min(end), true);
            }
            if span.start() > at {
                stop = stop.min(span.start());
            }
        }
        (stop, false)
    }

    /// Whether a stretch ahead of the gap can be noted.
    fn has_room(&self, start: usize, end: usize) -> bool {
        self.waiting
            .iter()
            .any(|span| span.is_empty() || (span.start() <= end && start <= span.end()))
    }

    /// Notes that the bytes of `new` are there.
    fn note(&mut self, mut new: Span) -> Taken {
        let before = self.ready;
        if new.start <= self.ready {
            self.ready = self.ready.max(new.end);
        } else {
            // Union with every stretch it touches: a later one may join two earlier ones.
            for span in self.waiting.iter_mut().filter(|span| !span.is_empty()) {
                if span.start <= new.end && new.start <= span.end {
                    new = Span { start: new.start.min(span.start), end: new.end.max(span.end) };
                    *span = Span::default();
                }
            }
            if let Some(free) = self.waiting.iter_mut().find(|span| span.is_empty()) {
                *free = new;
            }
            return Taken::Held;
        }
        // Each pass empties one stretch at least, or is the last.
        for _ in 0..SPANS {
            for span in &mut self.waiting {
                if !span.is_empty() && span.start <= self.ready {
                    self.ready = self.ready.max(span.end);
                    *span = Span::default();
                }
            }
        }
        if self.ready > before { Taken::Grown } else { Taken::Nothing }
    }

    /// Moves everything up by `by` bytes, so that the base lies that much earlier.
    fn rebase(&mut self, pool: &mut Pool, by: usize) {
        let capacity = pool.bytes_each;
        let buffer = pool.get_mut(self.buffer);
        buffer.copy_within(..capacity - by, by);
        for span in &mut self.waiting {
            let moved = Span::new(span.start() + by, (span.end() + by).min(capacity));
            *span = if span.is_empty() || moved.is_empty() { Span::default() } else { moved };
        }
        let first = Span::new(by, (self.in_order() + by).min(capacity));
        self.ready = 0;
        // The stretch just moved matters more than one further ahead.
        let free = self.waiting.iter().position(|span| span.is_empty());
        let place = free.unwrap_or(SPANS - 1);
        if let Some(span) = self.waiting.get_mut(place) {
            *span = first;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const BYTES: u32 = 64;

    /// The plain twin: a place for every byte, the first one put there stays.
    struct Model {
        places: Vec<Option<u8>>,
    }

    impl Model {
        fn put(&mut self, offset: usize, bytes: &[u8]) {
            for (place, &byte) in self.places.iter_mut().skip(offset).zip(bytes) {
                place.get_or_insert(byte);
            }
        }

        fn ready(&self) -> Vec<u8> {
            self.places.iter().map_while(|place| *place).collect()
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(2000))]

        /// What is in order equals the plain twin's, byte by byte, as long as nothing had to be
        /// dropped; and it never shrinks, nor changes what was there.
        #[test]
        fn what_is_in_order_equals_the_plain_twin(
            base in any::<u32>(),
            first in prop::collection::vec(any::<u8>(), 1..20),
            others in prop::collection::vec(
                (0u32..90, prop::collection::vec(any::<u8>(), 1..30)), 0..20),
        ) {
            let mut pool = Pool::new(1, BYTES);
            let mut stream = Stream::default();
            let mut model = Model { places: vec![None; BYTES as usize] };
            prop_assert_eq!(stream.take(&mut pool, base, &first, false), Taken::First);
            prop_assert!(stream.keep(&mut pool, &first));
            model.put(0, &first);
            for (offset, bytes) in others {
                let before = stream.bytes(&pool).to_vec();
                let taken = stream.take(&mut pool, base.wrapping_add(offset), &bytes, false);
                if taken != Taken::Dropped {
                    model.put(offset as usize, &bytes);
                }
                prop_assert_eq!(stream.bytes(&pool), model.ready());
                prop_assert!(stream.bytes(&pool).starts_with(&before));
                prop_assert_eq!(taken == Taken::Grown, stream.bytes(&pool).len() > before.len());
            }
            stream.clear(&mut pool);
            prop_assert_eq!(pool.available(), 1);
        }

        /// The same where segments come before what was thought the beginning.
        #[test]
        fn an_earlier_beginning_moves_everything_up(
            base in any::<u32>(),
            back in 1u32..50,
            first in prop::collection::vec(any::<u8>(), 1..20),
            ahead in (0u32..40, prop::collection::vec(any::<u8>(), 1..20)),
            earlier in prop::collection::vec(any::<u8>(), 1..60),
        ) {
            let mut pool = Pool::new(1, BYTES);
            let mut stream = Stream::default();
            let mut model = Model { places: vec![None; BYTES as usize] };
            stream.take(&mut pool, base, &first, true);
            stream.keep(&mut pool, &first);
            model.put(back as usize, &first);
            stream.take(&mut pool, base.wrapping_add(ahead.0), &ahead.1, true);
            model.put((back + ahead.0) as usize, &ahead.1);
            let taken = stream.take(&mut pool, base.wrapping_sub(back), &earlier, true);
            prop_assert_eq!(taken, Taken::Rebased);
            model.put(0, &earlier);
            prop_assert_eq!(stream.bytes(&pool), model.ready());
        }
    }

    #[test]
    fn too_many_stretches_are_dropped() {
        let mut pool = Pool::new(1, BYTES);
        let mut stream = Stream::default();
        stream.take(&mut pool, 0, b"a", false);
        stream.keep(&mut pool, b"a");
        let taken: Vec<Taken> =
            (1..=6).map(|at| stream.take(&mut pool, at * 10, b"bb", false)).collect();
        assert_eq!(taken.iter().filter(|taken| **taken == Taken::Held).count(), SPANS);
        assert_eq!(taken[SPANS], Taken::Dropped);
        assert_eq!(stream.take(&mut pool, 200, b"x", false), Taken::Nothing, "beyond the buffer");
        assert_eq!(stream.take(&mut pool, 1, &[b'c'; 63], false), Taken::Grown);
        assert!(stream.is_over(&pool));
    }
}
