//! One ring body for all rings; a producer half and a consumer half as two types.
//!
//! A ring is a power-of-two array of entries and two indices, each written by one side only. The
//! indices run free over all of `u32` and are masked when used, so full and empty are never
//! confused. A half keeps its own index in private memory and a copy of the other side's, which it
//! reloads only when the copy cannot satisfy what is wanted. A batch is published by one release
//! store, which the other side's acquire load of the same word meets.
#![expect(unsafe_code, reason = "entries in memory shared with the kernel; a room of unsafe")]

use std::ptr::NonNull;
use std::slice;
use std::sync::atomic::{AtomicU32, Ordering};

use crate::sys::{Map, Plain};

/// Where a ring's parts lie in its map, in bytes from the start.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Offsets {
    pub(crate) producer: usize,
    pub(crate) consumer: usize,
    pub(crate) flags: usize,
    pub(crate) entries: usize,
}

impl From<&libc::xdp_ring_offset> for Offsets {
    fn from(kernel: &libc::xdp_ring_offset) -> Offsets {
        // The kernel gives small numbers; what would not fit fails the map's own check.
        let usize_of = |value: u64| usize::try_from(value).unwrap_or(usize::MAX);
        Offsets {
            producer: usize_of(kernel.producer),
            consumer: usize_of(kernel.consumer),
            flags: usize_of(kernel.flags),
            entries: usize_of(kernel.desc),
        }
    }
}

/// Invariant: the four places lie within `map`, aligned; `entries` has `mask + 1` of them.
#[derive(Debug)]
struct Body<T> {
    producer: NonNull<AtomicU32>,
    consumer: NonNull<AtomicU32>,
    flags: NonNull<AtomicU32>,
    entries: NonNull<T>,
    mask: u32,
    _map: Map,
}

// SAFETY: the body owns its map, which may move to another thread; the places point into it.
unsafe impl<T: Plain> Send for Body<T> {}

impl<T: Plain> Body<T> {
    fn new(map: Map, at: Offsets, entries: u32) -> Option<Body<T>> {
        if !entries.is_power_of_two() {
            return None;
        }
        Some(Body {
            producer: map.place(at.producer, 1)?,
            consumer: map.place(at.consumer, 1)?,
            flags: map.place(at.flags, 1)?,
            entries: map.place(at.entries, usize::try_from(entries).ok()?)?,
            mask: entries - 1,
            _map: map,
        })
    }

    fn producer(&self) -> &AtomicU32 {
        // SAFETY: within the live map and aligned (invariant); both sides use it atomically.
        unsafe { self.producer.as_ref() }
    }

    fn consumer(&self) -> &AtomicU32 {
        // SAFETY: as for `producer`.
        unsafe { self.consumer.as_ref() }
    }

    fn needs_wakeup(&self) -> bool {
        // SAFETY: as for `producer`.
        let flags = unsafe { self.flags.as_ref() };
        flags.load(Ordering::Relaxed) & libc::XDP_RING_NEED_WAKEUP != 0
    }

    const fn entries(&self) -> u32 {
        self.mask + 1
    }

    /// The two runs of slots that `count` entries from index `from` on occupy.
    fn runs(&self, from: u32, count: u32) -> ((usize, usize), usize) {
        let start = from & self.mask;
        let first = count.min(self.entries() - start);
        ((start as usize, first as usize), (count - first) as usize)
    }
}

/// The half that writes entries.
#[derive(Debug)]
pub(crate) struct Producer<T> {
    body: Body<T>,
    /// Our index: everything before it is published.
    ours: u32,
    /// The consumer's index as last seen.
    theirs: u32,
}

impl<T: Plain> Producer<T> {
    pub(crate) fn new(map: Map, at: Offsets, entries: u32) -> Option<Producer<T>> {
        let body = Body::new(map, at, entries)?;
        let ours = body.producer().load(Ordering::Relaxed);
        let theirs = body.consumer().load(Ordering::Acquire);
        Some(Producer { body, ours, theirs })
    }

    /// Free slots, up to `wanted`, to be written from the first on and then published.
    pub(crate) fn space(&mut self, wanted: u32) -> (&mut [T], &mut [T]) {
        if self.free() < wanted {
            // Meets the consumer's release store: it is done with the slots before this index.
            self.theirs = self.body.consumer().load(Ordering::Acquire);
        }
        let count = self.free().min(wanted);
        let ((start, first), second) = self.body.runs(self.ours, count);
        let entries = self.body.entries.as_ptr();
        // SAFETY: `start + first <= entries` (see `runs`), so inside the array (invariant).
        let at = unsafe { entries.add(start) };
        // SAFETY: these slots are free: the consumer does not look at them before `publish`, and
        // `&mut self` keeps this side from handing them out twice. They lie inside the array.
        let head = unsafe { slice::from_raw_parts_mut(at, first) };
        // SAFETY: as above; `second <= start`, so the two slices do not overlap.
        let tail = unsafe { slice::from_raw_parts_mut(entries, second) };
        (head, tail)
    }

    /// Makes the first `count` slots of the last [`Producer::space`] visible, all at once.
    pub(crate) fn publish(&mut self, count: u32) {
        debug_assert!(count <= self.free(), "publishing more than there was space for");
        if count != 0 {
            self.ours = self.ours.wrapping_add(count);
            self.body.producer().store(self.ours, Ordering::Release);
        }
    }

    /// Slots free by what was last seen of the consumer; never more than the ring has.
    fn free(&self) -> u32 {
        self.body.entries().saturating_sub(self.ours.wrapping_sub(self.theirs))
    }

    pub(crate) fn needs_wakeup(&self) -> bool {
        self.body.needs_wakeup()
    }

    pub(crate) const fn entries(&self) -> u32 {
        self.body.entries()
    }
}

/// The half that reads entries.
#[derive(Debug)]
pub(crate) struct Consumer<T> {
    body: Body<T>,
    /// Our index: everything before it is given back.
    ours: u32,
    /// The producer's index as last seen.
    theirs: u32,
}

impl<T: Plain> Consumer<T> {
    pub(crate) fn new(map: Map, at: Offsets, entries: u32) -> Option<Consumer<T>> {
        let body = Body::new(map, at, entries)?;
        let ours = body.consumer().load(Ordering::Relaxed);
        let theirs = body.producer().load(Ordering::Acquire);
        Some(Consumer { body, ours, theirs })
    }

    /// Published entries, up to `wanted`, oldest first.
    pub(crate) fn ready(&mut self, wanted: u32) -> (&[T], &[T]) {
        if self.filled() < wanted {
            // Meets the producer's release store: the entries before this index are written.
            self.theirs = self.body.producer().load(Ordering::Acquire);
        }
        let count = self.filled().min(wanted);
        let ((start, first), second) = self.body.runs(self.ours, count);
        let entries = self.body.entries.as_ptr();
        // SAFETY: `start + first <= entries` (see `runs`), so inside the array (invariant).
        let at = unsafe { entries.add(start) };
        // SAFETY: these slots are published: the producer does not write them again before
        // `consume`, which needs `&mut self` and so outlasts no borrow. Inside the array.
        let head = unsafe { slice::from_raw_parts(at, first) };
        // SAFETY: as above.
        let tail = unsafe { slice::from_raw_parts(entries, second) };
        (head, tail)
    }

    /// Gives the oldest `count` entries' slots back, all at once.
    pub(crate) fn consume(&mut self, count: u32) {
        debug_assert!(count <= self.filled(), "consuming more than there was");
        if count != 0 {
            self.ours = self.ours.wrapping_add(count);
            self.body.consumer().store(self.ours, Ordering::Release);
        }
    }

    fn filled(&self) -> u32 {
        self.theirs.wrapping_sub(self.ours).min(self.body.entries())
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::sys;
    use std::collections::VecDeque;
    use std::os::fd::AsFd;

    const AT: Offsets = Offsets { producer: 0, consumer: 128, flags: 256, entries: 512 };

    /// Both halves over one piece of memory, beginning at index `start`.
    pub(crate) fn pair(entries: u32, start: u32) -> (Producer<u64>, Consumer<u64>) {
        let fd = sys::memfd("ring-test", false).unwrap();
        sys::set_size(fd.as_fd(), 1 << 16).unwrap();
        let map = || Map::shared(fd.as_fd(), 1 << 16, 0).unwrap();
        let body = Body::<u64>::new(map(), AT, entries).unwrap();
        body.producer().store(start, Ordering::Relaxed);
        body.consumer().store(start, Ordering::Relaxed);
        (Producer::new(map(), AT, entries).unwrap(), Consumer::new(map(), AT, entries).unwrap())
    }

    fn push(ring: &mut Producer<u64>, values: &[u64]) -> u32 {
        let (head, tail) = ring.space(u32::try_from(values.len()).unwrap());
        let mut taken = 0;
        for (slot, value) in head.iter_mut().chain(tail).zip(values) {
            *slot = *value;
            taken += 1;
        }
        ring.publish(taken);
        taken
    }

    /// Any mix of batch sizes, across the wrap of the index and of the array: a ring is a queue.
    #[test]
    fn behaves_as_a_bounded_queue() {
        for start in [0, 5, u32::MAX - 3] {
            let (mut producer, mut consumer) = pair(8, start);
            let mut model = VecDeque::new();
            let mut next = 0_u64;
            for step in 0_u64..2000 {
                let batch: Vec<u64> = (next..next + step % 11).collect();
                let taken = push(&mut producer, &batch);
                assert_eq!(taken as usize, batch.len().min(8 - model.len()));
                model.extend(&batch[..taken as usize]);
                next += u64::from(taken);
                let wanted = u32::try_from(step % 7).unwrap();
                let (head, tail) = consumer.ready(wanted);
                let got: Vec<u64> = head.iter().chain(tail).copied().collect();
                let expected: Vec<u64> = model.drain(..model.len().min(wanted as usize)).collect();
                assert_eq!(got, expected);
                consumer.consume(u32::try_from(got.len()).unwrap());
            }
            assert!(next > 1000);
        }
    }

    #[test]
    fn a_far_index_out_of_range_grants_at_most_the_ring() {
        let (mut producer, mut consumer) = pair(8, 0);
        consumer.body.consumer().store(77, Ordering::Release);
        let (head, tail) = producer.space(64);
        assert!(head.len() + tail.len() <= 8);
        producer.body.producer().store(1 << 30, Ordering::Release);
        let (head, tail) = consumer.ready(64);
        assert!(head.len() + tail.len() <= 8);
    }

    #[test]
    fn places_outside_the_map_are_refused() {
        let fd = sys::memfd("ring-test", false).unwrap();
        sys::set_size(fd.as_fd(), 4096).unwrap();
        let map = || Map::shared(fd.as_fd(), 4096, 0).unwrap();
        assert!(Producer::<u64>::new(map(), AT, 1024).is_none(), "entries beyond the end");
        assert!(Producer::<u64>::new(map(), AT, 6).is_none(), "not a power of two");
        let odd = Offsets { producer: 2, ..AT };
        assert!(Producer::<u64>::new(map(), odd, 8).is_none(), "unaligned index");
    }
}
