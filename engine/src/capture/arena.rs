//! Packet memory for sources that have none that readers could map: frames are copied into it
//! once, while somebody reads.
//!
//! Cut into chunks like AF_XDP's, so that readers need not tell them apart; a longer frame takes
//! several. A chunk is free, or holds a piece of a frame until that is given back.

use std::os::fd::{AsFd, OwnedFd};

use af_xdp::{Area, AreaConfig, Chunk, Custody, Error, HugePages, Umem, UmemConfig};

/// Bytes of a chunk: a frame of the usual size fits into one.
const CHUNK_BYTES: u32 = 2048;

/// See the module.
#[derive(Debug)]
pub struct Arena {
    umem: Umem,
    custody: Custody,
    free: Vec<Chunk>,
}

impl Arena {
    /// Makes the memory for so many pieces.
    ///
    /// # Errors
    /// The system has no memory for it.
    pub fn new(pieces: u32, huge_pages: bool) -> Result<Arena, Error> {
        let bytes = pieces as usize * CHUNK_BYTES as usize;
        let huge_pages = if huge_pages { HugePages::Try } else { HugePages::Off };
        let area = Area::create(&AreaConfig { bytes, huge_pages, name: "weir-frames" })?;
        let config = UmemConfig { chunk_bytes: CHUNK_BYTES, headroom_bytes: 0 };
        let mut umem = Umem::new(area, &config)?;
        let (custody, free) = (Custody::new(&umem), umem.take_chunks(0..umem.chunks()));
        Ok(Arena { umem, custody, free })
    }

    /// The sealed memory's descriptor, for readers, and its size.
    ///
    /// # Errors
    /// No more descriptors can be had.
    pub fn share(&self) -> std::io::Result<(OwnedFd, usize)> {
        let area = self.umem.area();
        Ok((area.as_fd().try_clone_to_owned()?, area.bytes()))
    }

    /// Pieces that a frame of so many bytes takes.
    #[inline]
    pub const fn pieces(bytes: u32) -> u32 {
        if bytes == 0 { 1 } else { bytes.div_ceil(CHUNK_BYTES) }
    }

    /// Pieces that can be stored.
    #[inline]
    pub fn free(&self) -> usize {
        self.free.len()
    }

    /// Pieces that are stored.
    pub fn stored(&self) -> u64 {
        self.custody.count().into()
    }

    /// Stores piece `number` of a frame; gives where it is and its length. None if the memory is
    /// full or there is no such piece.
    #[inline]
    pub fn store(&mut self, frame: &[u8], number: u32) -> Option<(u64, u32)> {
        let from = number as usize * CHUNK_BYTES as usize;
        let rest = frame.get(from..)?;
        let bytes = rest.get(..CHUNK_BYTES as usize).unwrap_or(rest);
        let length = u32::try_from(bytes.len()).ok()?;
        let chunk = self.free.pop()?;
        let addr = u64::from(chunk.index()) * u64::from(CHUNK_BYTES);
        self.custody.hold_chunk(chunk);
        let place = self.custody.bytes_mut(addr, length);
        place.copy_from_slice(bytes);
        Some((addr, length))
    }

    /// Takes a piece back.
    #[inline]
    pub fn give_back(&mut self, addr: u64) {
        let chunk = self.custody.release(addr);
        debug_assert!(chunk.is_some(), "a piece is given back once");
        self.free.extend(chunk);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frames_are_stored_whole_and_places_come_back() {
        let mut arena = Arena::new(8, false).unwrap();
        let all = arena.free();
        assert!(all >= 8);
        let frame: Vec<u8> = (0..5000_u32).map(|at| at.to_le_bytes()[0]).collect();
        assert_eq!(Arena::pieces(5000), 3);
        let stored: Vec<_> = (0..3).map(|n| arena.store(&frame, n).unwrap()).collect();
        assert_eq!(stored.iter().map(|(_, bytes)| bytes).sum::<u32>(), 5000);
        let read: Vec<u8> = stored
            .iter()
            .flat_map(|(addr, bytes)| arena.custody.bytes(*addr, *bytes).to_vec())
            .collect();
        assert_eq!(read, frame);
        assert_eq!(arena.free(), all - 3);
        for (addr, _) in stored {
            arena.give_back(addr);
        }
        assert_eq!(arena.free(), all);
        let empty = arena.store(&[], 0).unwrap();
        assert_eq!((empty.1, Arena::pieces(0)), (0, 1));
        arena.give_back(empty.0);
        while arena.store(&frame, 0).is_some() {}
        assert_eq!(arena.free(), 0, "a full one says so");
    }
}
