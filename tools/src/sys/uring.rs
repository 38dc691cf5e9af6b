//! Writes through `io_uring`, out of memory that the kernel knows beforehand.
//!
//! A [`Block`] of memory is handed over with its write and comes back with its completion, so nobody
//! can touch it meanwhile.

use std::fs::File;
use std::io;
use std::os::fd::AsRawFd;
use std::sync::Arc;

use io_uring::types::Fd;
use io_uring::{IoUring, opcode};
use memmap2::MmapMut;
use rustix::param::page_size;

/// Memory of whole pages, at the beginning of one.
#[derive(Debug)]
pub(crate) struct Block {
    memory: MmapMut,
    number: u16,
}

impl Block {
    /// So many blocks of so many bytes each.
    ///
    /// # Errors
    /// There is not that much memory.
    pub(crate) fn many(count: u16, bytes: usize) -> io::Result<Vec<Block>> {
        let bytes = bytes.next_multiple_of(page_size());
        let block = |number| Ok(Block { memory: MmapMut::map_anon(bytes)?, number });
        (0..count).map(block).collect()
    }

    /// Its bytes.
    pub(crate) fn bytes(&self) -> &[u8] {
        &self.memory
    }

    /// Its bytes, to be written.
    pub(crate) fn bytes_mut(&mut self) -> &mut [u8] {
        &mut self.memory
    }
}

/// A write that the kernel has.
#[derive(Debug)]
struct Flight {
    block: Block,
    length: usize,
    offset: u64,
    /// Keeps the descriptor open.
    file: Arc<File>,
}

/// A write that ended.
#[derive(Debug)]
pub(crate) struct Landed {
    pub(crate) block: Block,
    /// Where in the file it was.
    pub(crate) offset: u64,
    pub(crate) length: usize,
    /// Bytes that were written.
    pub(crate) result: io::Result<usize>,
}

/// See the module.
pub(crate) struct Ring {
    uring: IoUring,
    flights: Vec<Option<Flight>>,
    flying: usize,
}

impl std::fmt::Debug for Ring {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Ring").field("flying", &self.flying).finish_non_exhaustive()
    }
}

impl Ring {
    /// A ring for `depth` writes at a time out of `blocks`, numbered from 0 in their order.
    ///
    /// # Errors
    /// The kernel has no `io_uring`, forbids it, or may not keep that much memory in place.
    pub(crate) fn new(depth: u32, blocks: &[Block]) -> io::Result<Ring> {
        let uring = IoUring::new(depth)?;
        let part = |block: &Block| libc::iovec {
            iov_base: block.memory.as_ptr().cast_mut().cast(),
            iov_len: block.memory.len(),
        };
        let parts: Vec<libc::iovec> = blocks.iter().map(part).collect();
        // SAFETY: each part is a whole map that lives. The kernel takes references to its pages: they
        // stay until the ring is gone, also if the map goes before.
        unsafe { uring.submitter().register_buffers(&parts) }?;
        let depth = usize::try_from(depth).unwrap_or(1);
        let flights = (0..depth).map(|_| None).collect();
        Ok(Ring { uring, flights, flying: 0 })
    }

    /// Whether one more write may begin.
    pub(crate) fn has_room(&self) -> bool {
        self.flying < self.flights.len()
    }

    /// Writes that have not ended.
    pub(crate) const fn flying(&self) -> usize {
        self.flying
    }

    /// Begins to write the first `length` bytes of a block. There must be room.
    ///
    /// # Errors
    /// The kernel takes no more: the write has failed.
    ///
    /// # Panics
    /// If there is no room.
    pub(crate) fn write(
        &mut self,
        file: &Arc<File>,
        block: Block,
        length: usize,
        offset: u64,
    ) -> Result<(), Box<Landed>> {
        let length = length.min(block.memory.len());
        let place = self.flights.iter().position(Option::is_none);
        #[expect(clippy::expect_used, reason = "a rule of this function")]
        let place = place.expect("room for one more write");
        let bytes = u32::try_from(length).unwrap_or(0);
        let entry = opcode::WriteFixed::new(
            Fd(file.as_raw_fd()),
            block.memory.as_ptr(),
            bytes,
            block.number,
        );
        let entry = entry.offset(offset).build().user_data(place as u64);
        let flight = Flight { block, length, offset, file: Arc::clone(file) };
        if let Some(free) = self.flights.get_mut(place) {
            *free = Some(flight);
        }
        self.flying += 1;
        // SAFETY: the block is registered under its number, and its memory and the file stay in
        // `flights` until the completion of this very entry is taken; `length` is within it.
        let pushed = unsafe { self.uring.submission().push(&entry) };
        if pushed.is_err()
            && let Some(Flight { block, .. }) = self.flights.get_mut(place).and_then(Option::take)
        {
            self.flying -= 1;
            let result = Err(io::Error::other("the submission queue is full"));
            return Err(Box::new(Landed { block, offset, length, result }));
        }
        // What is not taken now is taken with the next call, or by waiting.
        self.uring.submit().ok();
        Ok(())
    }

    /// Takes writes that ended, after waiting for one if `wait`.
    ///
    /// # Errors
    /// The kernel cannot be asked.
    pub(crate) fn land(&mut self, wait: bool, mut each: impl FnMut(Landed)) -> io::Result<()> {
        if wait && self.flying > 0 {
            match self.uring.submit_and_wait(1) {
                Ok(_) => {}
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        for entry in self.uring.completion() {
            let place = usize::try_from(entry.user_data()).unwrap_or(usize::MAX);
            let flight = self.flights.get_mut(place).and_then(Option::take);
            let Some(Flight { block, length, offset, file }) = flight else { continue };
            drop(file);
            self.flying -= 1;
            let result = usize::try_from(entry.result());
            let result = result.map_err(|_| io::Error::from_raw_os_error(-entry.result()));
            each(Landed { block, offset, length, result });
        }
        Ok(())
    }
}

impl Drop for Ring {
    fn drop(&mut self) {
        // The memory of a write must outlive it; registered pages do, by the kernel's own count.
        while self.flying > 0 {
            if self.land(true, drop).is_err() {
                break;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::Read;

    use super::*;

    #[test]
    fn what_is_written_is_in_the_file() {
        let mut blocks = Block::many(2, 4096).unwrap();
        for (block, letter) in blocks.iter_mut().zip(*b"ab") {
            block.bytes_mut().fill(letter);
        }
        let Ok(mut ring) = Ring::new(2, &blocks) else {
            return weir_tests::skipped("what_is_written_is_in_the_file", "no io_uring here");
        };
        let mut read = tempfile::tempfile().unwrap();
        let file = Arc::new(read.try_clone().unwrap());
        for (at, block) in (0..).zip(blocks) {
            ring.write(&file, block, 4096, at * 4096).unwrap();
        }
        assert!(!ring.has_room());
        let mut landed = Vec::new();
        while ring.flying() > 0 {
            ring.land(true, |write| landed.push(write.result.unwrap())).unwrap();
        }
        assert_eq!(landed, [4096, 4096]);
        let mut bytes = Vec::new();
        read.read_to_end(&mut bytes).unwrap();
        assert_eq!(bytes, [[b'a'; 4096], [b'b'; 4096]].concat());
    }
}
