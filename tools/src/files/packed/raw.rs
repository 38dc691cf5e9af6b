//! The bytes of a compressed file, in order from any place of it.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;

/// Bytes read at once.
pub(super) const CHUNK: usize = 1 << 17;

/// See the module.
#[derive(Debug)]
pub(super) struct Raw {
    file: File,
    /// Bytes that were not taken yet: `bytes[start..]`, and their place.
    bytes: Vec<u8>,
    start: usize,
    place: u64,
    read_bytes: u64,
}

impl Raw {
    pub(super) const fn new(file: File) -> Raw {
        Raw { file, bytes: Vec::new(), start: 0, place: 0, read_bytes: 0 }
    }

    /// Goes on at a place.
    pub(super) fn restart(&mut self, place: u64) {
        self.bytes.clear();
        (self.start, self.place) = (0, place);
    }

    /// What is at hand.
    pub(super) fn rest(&self) -> &[u8] {
        self.bytes.get(self.start..).unwrap_or_default()
    }

    /// Where that begins.
    pub(super) const fn place(&self) -> u64 {
        self.place
    }

    /// Bytes that were read, all in all.
    pub(super) const fn read_bytes(&self) -> u64 {
        self.read_bytes
    }

    /// Steps over bytes that are at hand.
    pub(super) fn take(&mut self, bytes: usize) {
        self.start = (self.start + bytes).min(self.bytes.len());
        self.place += u64::try_from(bytes).unwrap_or(0);
    }

    /// Has so many bytes at hand; whether there are.
    ///
    /// # Errors
    /// The file cannot be read; the same below.
    pub(super) fn fill(&mut self, bytes: usize) -> io::Result<bool> {
        if self.rest().len() >= bytes {
            return Ok(true);
        }
        self.bytes.drain(..self.start);
        self.start = 0;
        while self.bytes.len() < bytes {
            let held = self.bytes.len();
            let from = self.place + u64::try_from(held).unwrap_or(0);
            self.bytes.resize(held.max(bytes).next_multiple_of(CHUNK), 0);
            let read = self.file.read_at(self.bytes.get_mut(held..).unwrap_or_default(), from);
            let is_over = matches!(read, Ok(0));
            let read = match read {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => Ok(0),
                read => read,
            };
            self.bytes.truncate(held + *read.as_ref().unwrap_or(&0));
            self.read_bytes += u64::try_from(read?).unwrap_or(0);
            if is_over {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// The first bytes of the file.
    pub(super) fn head<const N: usize>(&self) -> io::Result<Vec<u8>> {
        let mut bytes = vec![0; N];
        let read = self.file.read_at(&mut bytes, 0)?;
        bytes.truncate(read);
        Ok(bytes)
    }

    #[cfg(test)]
    pub(super) const fn held(&self) -> usize {
        self.bytes.capacity()
    }
}
