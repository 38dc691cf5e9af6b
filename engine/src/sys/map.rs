//! Files as memory.

#![expect(unsafe_code, reason = "mapping a file is unsafe: someone else may change it")]

use std::fs::File;
use std::io;

use memmap2::{Advice, Mmap};

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
