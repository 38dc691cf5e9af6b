//! Chunks that the program holds, and the only way to their bytes.
#![expect(unsafe_code, reason = "slices of the packet memory; a room of unsafe")]

use std::ops::Range;
use std::slice;
use std::sync::Arc;

use crate::rings::Packet;
use crate::umem::{Chunk, Layout, Umem};

/// The chunks that one thread has received and not yet given back.
///
/// Bytes can be had only of chunks in custody. To give a chunk back takes `&mut self`, so no slice
/// of it is left by then; and until then its token lies here, so the kernel does not have it. One
/// bit a chunk records it, which costs a load and a mask a frame and also finds frames that are
/// given back twice.
#[derive(Debug)]
pub struct Custody {
    layout: Arc<Layout>,
    held: Box<[u64]>,
    count: u32,
}

impl Custody {
    /// An empty custody for chunks of `umem`.
    pub fn new(umem: &Umem) -> Custody {
        let words = umem.chunks().div_ceil(64) as usize;
        Custody {
            layout: Arc::clone(&umem.layout),
            held: vec![0; words].into_boxed_slice(),
            count: 0,
        }
    }

    /// The custody of all chunks of a UMEM that lends none to the kernel: memory to write to.
    ///
    /// # Panics
    /// When some of its chunks were taken before.
    pub fn of_all(umem: &mut Umem) -> Custody {
        let mut custody = Custody::new(umem);
        for chunk in umem.take_chunks(0..umem.chunks()) {
            custody.hold_chunk(chunk);
        }
        custody
    }

    /// Takes a received packet's chunk in; gives the packet's byte count, for convenience.
    #[inline]
    pub fn hold(&mut self, packet: Packet) -> u32 {
        let Packet { chunk, bytes, .. } = packet;
        self.hold_chunk(chunk);
        bytes
    }

    /// Takes a chunk in.
    ///
    /// # Panics
    /// When the chunk is another UMEM's.
    #[inline]
    #[expect(clippy::needless_pass_by_value, reason = "the token is used up: it lies here now")]
    pub fn hold_chunk(&mut self, chunk: Chunk) {
        let index = self.layout.own_index(&chunk);
        let (word, bit) = position(index);
        if let Some(held) = self.held.get_mut(word) {
            debug_assert!(*held & bit == 0, "one token is here twice");
            *held |= bit;
            self.count += 1;
        }
    }

    /// Gives back the chunk in which `addr` lies; none if it is not here.
    #[inline]
    pub fn release(&mut self, addr: u64) -> Option<Chunk> {
        let index = self.layout.chunk_index(addr, 0)?;
        let (word, bit) = position(index);
        let held = self.held.get_mut(word)?;
        if *held & bit == 0 {
            return None;
        }
        *held &= !bit;
        self.count -= 1;
        self.layout.reclaim(addr, 0)
    }

    /// `bytes` bytes at `addr`; empty if they do not lie wholly in one chunk held here.
    #[inline]
    pub fn bytes(&self, addr: u64, bytes: u32) -> &[u8] {
        let Some(place) = self.place(addr, bytes) else { return &[] };
        // SAFETY: `place` is the start of `bytes` bytes inside the live map (see there), in a chunk
        // whose token lies here: the kernel writes only chunks whose tokens went into a ring, the
        // memfd is sealed against other writers, and this program writes through `&mut self` only.
        unsafe { slice::from_raw_parts(place, bytes as usize) }
    }

    /// As [`Custody::bytes`], to be written (frames to send).
    #[inline]
    pub fn bytes_mut(&mut self, addr: u64, bytes: u32) -> &mut [u8] {
        let Some(place) = self.place(addr, bytes) else { return &mut [] };
        // SAFETY: as in `bytes`; `&mut self` makes it the only slice of this custody, and a chunk's
        // one token cannot lie in two custodies.
        unsafe { slice::from_raw_parts_mut(place, bytes as usize) }
    }

    /// The `N` bytes before `addr`, where XDP programs leave metadata; none if they do not lie in
    /// a chunk held here.
    #[inline]
    pub fn before<const N: usize>(&self, addr: u64) -> Option<&[u8; N]> {
        let bytes = u32::try_from(N).ok()?;
        self.bytes(addr.checked_sub(u64::from(bytes))?, bytes).try_into().ok()
    }

    /// Which chunks are here now, for [`Umem::anew`].
    pub fn held(&self) -> Held {
        Held { umem: self.layout.id, chunks: self.held.clone() }
    }

    /// How many chunks in `range` are here.
    pub fn count_in(&self, range: Range<u32>) -> u32 {
        let held = |index: &u32| {
            let (word, bit) = position(*index);
            self.held.get(word).is_some_and(|held| held & bit != 0)
        };
        u32::try_from(range.filter(held).count()).unwrap_or(u32::MAX)
    }

    /// How many chunks are here.
    pub fn count(&self) -> u32 {
        self.count
    }

    /// Where `bytes` bytes at `addr` are in memory, if they lie wholly in a chunk held here.
    #[inline]
    fn place(&self, addr: u64, bytes: u32) -> Option<*mut u8> {
        let index = self.layout.chunk_index(addr, bytes)?;
        let (word, bit) = position(index);
        if self.held.get(word)? & bit == 0 {
            return None;
        }
        let offset = usize::try_from(addr).ok()?;
        self.layout.area.map().place::<u8>(offset, bytes as usize).map(std::ptr::NonNull::as_ptr)
    }
}

/// The chunks that a custody held at a moment.
#[derive(Clone, Debug)]
pub struct Held {
    pub(crate) umem: u32,
    chunks: Box<[u64]>,
}

impl Held {
    /// Whether it held none.
    pub fn is_empty(&self) -> bool {
        self.chunks.iter().all(|word| *word == 0)
    }

    pub(crate) fn has(&self, index: u32) -> bool {
        let (word, bit) = position(index);
        self.chunks.get(word).is_some_and(|held| held & bit != 0)
    }
}

/// Word and bit of a chunk.
#[inline]
const fn position(index: u32) -> (usize, u64) {
    ((index / 64) as usize, 1 << (index % 64))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::umem::tests::umem;

    #[test]
    fn bytes_only_of_what_is_held() {
        let mut umem = umem(70);
        assert!(Custody::new(&umem).bytes(0, 10).is_empty());
        let mut custody = Custody::of_all(&mut umem);
        assert_eq!(custody.count(), 70);
        let addr = 69 * 2048;
        custody.bytes_mut(addr + 4, 3).copy_from_slice(b"abc");
        assert_eq!(custody.bytes(addr, 8), b"\0\0\0\0abc\0");
        assert_eq!(custody.before::<4>(addr + 7), Some(b"\0abc"));
        assert_eq!(custody.before::<4>(2), None, "before the memory");
        assert!(custody.bytes(addr + 2000, 49).is_empty(), "beyond the chunk");
        let chunk = custody.release(addr + 100).unwrap();
        assert_eq!(chunk.index(), 69);
        assert!(custody.bytes(addr, 8).is_empty());
        assert!(custody.release(addr).is_none(), "given back twice");
        assert_eq!(custody.count(), 69);
    }

    #[test]
    #[should_panic(expected = "another UMEM")]
    fn a_foreign_chunk_is_a_mistake() {
        let mut theirs = umem(4);
        let mut custody = Custody::new(&umem(4));
        for chunk in theirs.take_chunks(0..1) {
            custody.hold_chunk(chunk);
        }
    }
}
