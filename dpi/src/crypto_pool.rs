//! Handshakes that span datagrams or records: a fixed ring of reassembly buffers a shard.
//!
//! A QUIC `CRYPTO` stream (RFC 9000 section 19.6), a fragmented DTLS handshake message (RFC 9147
//! section 5.5) and a TLS message cut over records are all the same thing: bytes with offsets,
//! in any order, of which the contiguous beginning matters. A flow that needs a buffer takes the
//! one that was taken longest ago and keeps a [`CryptoRef`] to it; nothing is given back, so no
//! path can leak one. When there are more handshakes in progress than buffers, the oldest loses
//! its bytes, finds out by the generation, and that is counted.

use crate::digests::Digests;

/// Bytes of one handshake kept; a `ClientHello` with a post-quantum key share and an encrypted
/// inner hello is about 2.5 KB.
pub const STREAM_BYTES: usize = 4096;
/// Separate ranges kept of one handshake. Clients that scramble their hello on purpose cut it
/// into about a dozen.
pub const STREAM_RANGES: usize = 24;
/// Buffers of a pool by default.
pub const POOL_STREAMS: usize = 64;

/// Certificates whose digests are remembered, a buffer.
const CERTIFICATES_A_STREAM: usize = 4;

/// Refers to a stream of a [`CryptoPool`]; the default refers to none.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub struct CryptoRef {
    index: u16,
    /// Never 0 for a stream that was taken.
    generation: u32,
}

/// The buffers of one shard, all allocated at set-up.
#[derive(Debug)]
pub struct CryptoPool {
    streams: Box<[CryptoStream]>,
    next: u16,
    generation: u32,
    lost: u64,
    digests: Digests,
}

impl Default for CryptoPool {
    fn default() -> CryptoPool {
        CryptoPool::new(POOL_STREAMS)
    }
}

impl CryptoPool {
    /// A pool of `streams` buffers (at least one, at most 65,535).
    pub fn new(streams: usize) -> CryptoPool {
        let streams = streams.clamp(1, usize::from(u16::MAX));
        let digests = Digests::new(streams * CERTIFICATES_A_STREAM);
        let streams = vec![CryptoStream::EMPTY; streams].into_boxed_slice();
        CryptoPool { streams, next: 0, generation: 0, lost: 0, digests }
    }

    /// Takes the buffer that was taken longest ago, emptied.
    pub fn open(&mut self) -> CryptoRef {
        let index = self.next;
        self.next = if usize::from(index) + 1 < self.streams.len() { index + 1 } else { 0 };
        self.generation = self.generation.wrapping_add(1).max(1);
        let generation = self.generation;
        if let Some(stream) = self.streams.get_mut(usize::from(index)) {
            self.lost += u64::from(stream.used > 0);
            stream.generation = generation;
            stream.used = 0;
        }
        CryptoRef { index, generation }
    }

    /// The stream, unless another flow has taken its buffer since.
    pub fn get(&mut self, stream: CryptoRef) -> Option<&mut CryptoStream> {
        let generation = stream.generation;
        let found = self.streams.get_mut(usize::from(stream.index))?;
        (generation != 0 && found.generation == generation).then_some(found)
    }

    /// The digests made so far.
    pub(crate) fn digests(&mut self) -> &mut Digests {
        &mut self.digests
    }

    /// What a stream holds without a gap, as far as it is there, and the digests.
    pub(crate) fn held(&mut self, stream: CryptoRef) -> Option<(&[u8], &mut Digests)> {
        let found = self.streams.get(usize::from(stream.index))?;
        let there = stream.generation != 0 && found.generation == stream.generation;
        there.then(|| (found.contiguous(), &mut self.digests))
    }

    /// Says that a stream is read and done with, so that taking its buffer again loses nothing.
    pub fn close(&mut self, stream: &mut CryptoRef) {
        if let Some(found) = self.get(*stream) {
            found.used = 0;
            found.generation = 0;
        }
        *stream = CryptoRef::default();
    }

    /// Handshakes whose bytes were lost to a younger one (or to an end without
    /// [`CryptoPool::close`]).
    pub fn lost(&self) -> u64 {
        self.lost
    }
}

/// The bytes of one handshake, received in any order.
#[derive(Clone, Debug)]
pub struct CryptoStream {
    generation: u32,
    /// Ranges held: the first `used` of `ranges`, ascending, never touching.
    used: u8,
    ranges: [(u16, u16); STREAM_RANGES],
    bytes: [u8; STREAM_BYTES],
}

impl CryptoStream {
    const EMPTY: CryptoStream =
        CryptoStream { generation: 0, used: 0, ranges: [(0, 0); STREAM_RANGES], bytes: [0; 4096] };

    /// Adds `bytes` that stand at `offset`. Where bytes overlap the later ones win; what lies
    /// beyond [`STREAM_BYTES`], or would be one range too many, is left out.
    pub fn insert(&mut self, offset: u64, bytes: &[u8]) {
        let Ok(start) = usize::try_from(offset) else { return };
        let end = start.saturating_add(bytes.len()).min(STREAM_BYTES);
        let Some(room) = self.bytes.get_mut(start..end) else { return };
        let (Some(bytes), Ok(start), Ok(end)) =
            (bytes.get(..room.len()), u16::try_from(start), u16::try_from(end))
        else {
            return;
        };
        if start < end && self.add_range(start, end) {
            // The borrow of `room` ended with `add_range`; the range is the same.
            if let Some(room) = self.bytes.get_mut(usize::from(start)..usize::from(end)) {
                room.copy_from_slice(bytes);
            }
        }
    }

    /// The bytes held without a gap from offset 0.
    pub fn contiguous(&self) -> &[u8] {
        match self.ranges.first() {
            Some((0, end)) if self.used > 0 => {
                self.bytes.get(..usize::from(*end)).unwrap_or_default()
            }
            _ => &[],
        }
    }

    /// Merges `start..end` into the ranges; false where there is no room for one more.
    fn add_range(&mut self, mut start: u16, mut end: u16) -> bool {
        let mut kept = [(0, 0); STREAM_RANGES];
        let (mut count, mut placed) = (0_usize, false);
        for &(from, to) in self.ranges.iter().take(usize::from(self.used)) {
            if to < start {
                if !push(&mut kept, &mut count, (from, to)) {
                    return false;
                }
            } else if from > end {
                if !placed {
                    placed = true;
                    if !push(&mut kept, &mut count, (start, end)) {
                        return false;
                    }
                }
                if !push(&mut kept, &mut count, (from, to)) {
                    return false;
                }
            } else {
                start = start.min(from);
                end = end.max(to);
            }
        }
        if !placed && !push(&mut kept, &mut count, (start, end)) {
            return false;
        }
        self.ranges = kept;
        self.used = u8::try_from(count).unwrap_or(u8::MAX);
        true
    }
}

fn push(ranges: &mut [(u16, u16); STREAM_RANGES], count: &mut usize, range: (u16, u16)) -> bool {
    let Some(slot) = ranges.get_mut(*count) else { return false };
    *slot = range;
    *count += 1;
    true
}

const _: () = assert!(size_of::<CryptoRef>() == 8);
const _: () = assert!(STREAM_BYTES <= u16::MAX as usize && STREAM_RANGES < 256);

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn the_oldest_buffer_is_taken_and_its_holder_finds_out() {
        let mut pool = CryptoPool::new(2);
        let first = pool.open();
        pool.get(first).unwrap().insert(0, b"abc");
        let second = pool.open();
        assert_eq!(pool.get(first).unwrap().contiguous(), b"abc");
        let third = pool.open();
        assert!(pool.get(first).is_none());
        assert_eq!(pool.lost(), 1);
        assert!(pool.get(third).unwrap().contiguous().is_empty());
        assert!(pool.get(second).is_some());
        assert!(pool.get(CryptoRef::default()).is_none());
    }

    #[test]
    fn a_closed_stream_is_not_counted_as_lost() {
        let mut pool = CryptoPool::new(1);
        let mut first = pool.open();
        pool.get(first).unwrap().insert(0, b"abc");
        pool.close(&mut first);
        assert!(pool.get(first).is_none());
        pool.open();
        assert_eq!(pool.lost(), 0);
    }

    proptest! {
        /// Whatever the order and the overlaps, what is held without a gap equals the original.
        #[test]
        fn pieces_in_any_order_give_the_whole(
            whole in prop::collection::vec(any::<u8>(), 1..600),
            mut cuts in prop::collection::vec((0_usize..600, 1_usize..200), 1..40),
        ) {
            let mut pool = CryptoPool::new(1);
            let stream = pool.open();
            let stream = pool.get(stream).unwrap();
            let mut held = vec![false; whole.len()];
            cuts.truncate(STREAM_RANGES);
            for (start, length) in cuts {
                let start = start.min(whole.len());
                let end = (start + length).min(whole.len());
                stream.insert(start as u64, &whole[start..end]);
                held[start..end].fill(true);
            }
            let expected = held.iter().take_while(|held| **held).count();
            prop_assert_eq!(stream.contiguous(), &whole[..expected]);
        }

        #[test]
        fn offsets_from_the_wire_are_safe(
            pieces in prop::collection::vec((any::<u64>(), 0_usize..100), 0..60),
            near in prop::collection::vec(4000_u64..4200, 0..60),
        ) {
            let mut pool = CryptoPool::new(1);
            let stream = pool.open();
            let stream = pool.get(stream).unwrap();
            for (offset, length) in pieces {
                stream.insert(offset, &vec![1; length]);
            }
            for offset in near {
                stream.insert(offset, &[2; 50]);
            }
            prop_assert!(stream.contiguous().len() <= STREAM_BYTES);
        }
    }
}
