//! Files as memory.

#![expect(unsafe_code, reason = "mapping a file is unsafe: someone else may change it")]

use std::fs::File;
use std::io::{self, Write};
use std::os::fd::{AsFd, BorrowedFd};

use memmap2::{Advice, Mmap};
use rustix::fs::{MemfdFlags, SealFlags, fcntl_add_seals, memfd_create};

/// Maps a file for reading from its start to its end.
///
/// A file that someone cuts while it is mapped ends the process with `SIGBUS`: capture files are
/// read when they are finished.
///
/// # Errors
/// What the kernel says, an empty file included.
pub fn map_file(file: &File) -> io::Result<Mmap> {
    // SAFETY: the mapping is private and never written by us, and it keeps the file open. That
    // nobody else changes the file is the user's to see to; were it changed, the parsers read
    // bytes of other values, which they take for hostile anyway.
    let map = unsafe { Mmap::map(file) }?;
    // Advice only: without it the kernel reads ahead less.
    drop(map.advise(Advice::Sequential));
    Ok(map)
}

/// Bytes in a memfd that nobody can change any more, so that its descriptor can be given to anyone.
#[derive(Debug)]
pub struct SealedBytes {
    map: Mmap,
    file: File,
}

impl SealedBytes {
    /// A sealed copy of `bytes`, with zeros up to whole pages.
    ///
    /// # Errors
    /// No memory, or a kernel without these seals (before 5.1).
    pub fn copy_of(bytes: &[u8], name: &str) -> io::Result<SealedBytes> {
        const PAGE: usize = 4096;
        let flags = MemfdFlags::CLOEXEC | MemfdFlags::ALLOW_SEALING;
        let mut file = File::from(memfd_create(name, flags)?);
        file.write_all(bytes)?;
        let whole = bytes.len().max(1).next_multiple_of(PAGE);
        file.set_len(u64::try_from(whole).unwrap_or(u64::MAX))?;
        // The second is what readers of packet memory look for.
        let written = SealFlags::WRITE | SealFlags::FUTURE_WRITE;
        let size = SealFlags::GROW | SealFlags::SHRINK;
        fcntl_add_seals(&file, written | size | SealFlags::SEAL)?;
        // SAFETY: the memfd's content and size are sealed: nobody can change what is mapped.
        let map = unsafe { Mmap::map(&file) }?;
        Ok(SealedBytes { map, file })
    }

    /// The bytes, whole pages.
    #[inline]
    pub fn bytes(&self) -> &[u8] {
        &self.map
    }
}

impl AsFd for SealedBytes {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.file.as_fd()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sealed_copy_cannot_be_changed() {
        let mut sealed = SealedBytes::copy_of(b"abc", "weir test").unwrap();
        assert_eq!((sealed.bytes().len(), &sealed.bytes()[..4]), (4096, &b"abc\0"[..]));
        assert!(sealed.file.write_all(b"x").is_err());
        assert!(sealed.file.set_len(0).is_err());
        assert_eq!(SealedBytes::copy_of(b"", "weir test").unwrap().bytes().len(), 4096);
    }
}
