//! The part of a file that is at hand: all of it where it is mapped, some where it is unpacked.

use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

use flate2::read::MultiGzDecoder;
use memmap2::Mmap;

use super::record::MAX_RECORD_BYTES;
use crate::sys::map::map_file;

/// Bytes of an unpacked file that are at hand: room for the largest record and many small ones.
const BUFFER_BYTES: usize = 4 * MAX_RECORD_BYTES;

/// A view of a file that only goes forward.
#[derive(Debug)]
pub(super) enum Window {
    Mapped { map: Option<Mmap>, at: usize },
    Unpacked(Box<Unpacked>),
}

/// What is unpacked lies in `buffer[start..end]`, and `start` is at byte `position`.
#[derive(Debug)]
pub(super) struct Unpacked {
    reader: MultiGzDecoder<Counted>,
    file_bytes: u64,
    buffer: Box<[u8]>,
    start: usize,
    end: usize,
    position: u64,
    /// What went wrong beyond the bytes at hand; told when they do not suffice.
    failed: Option<io::Error>,
}

/// A file that knows how much of it was read.
#[derive(Debug)]
struct Counted {
    file: File,
    bytes: u64,
}

impl Read for Counted {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.file.read(buffer)?;
        self.bytes += wide(count);
        Ok(count)
    }
}

impl Window {
    pub(super) fn open(path: &Path) -> io::Result<Window> {
        let file = File::open(path)?;
        let file_bytes = file.metadata()?.len();
        if file_bytes == 0 {
            return Ok(Window::Mapped { map: None, at: 0 });
        }
        let map = map_file(&file)?;
        if !map.starts_with(&[0x1f, 0x8b]) {
            return Ok(Window::Mapped { map: Some(map), at: 0 });
        }
        Ok(Window::Unpacked(Box::new(Unpacked {
            reader: MultiGzDecoder::new(Counted { file, bytes: 0 }),
            file_bytes,
            buffer: vec![0; BUFFER_BYTES].into_boxed_slice(),
            start: 0,
            end: 0,
            position: 0,
            failed: None,
        })))
    }

    /// What is at hand and not yet read.
    #[inline]
    pub(super) fn rest(&self) -> &[u8] {
        match self {
            Window::Mapped { map, at } => map.as_deref().and_then(|map| map.get(*at..)),
            Window::Unpacked(unpacked) => unpacked.buffer.get(unpacked.start..unpacked.end),
        }
        .unwrap_or(&[])
    }

    /// Where in the file the rest begins.
    #[inline]
    pub(super) fn position(&self) -> u64 {
        match self {
            Window::Mapped { at, .. } => wide(*at),
            Window::Unpacked(unpacked) => unpacked.position,
        }
    }

    /// The bytes of a frame that [`Window::rest`] held since the last filling or skipping.
    #[inline]
    pub(super) fn bytes(&self, position: u64, count: u32) -> &[u8] {
        let count = usize::try_from(count).unwrap_or(usize::MAX);
        let (all, from) = match self {
            Window::Mapped { map, .. } => (map.as_deref().unwrap_or(&[]), Some(position)),
            Window::Unpacked(unpacked) => {
                let back = unpacked.position.checked_sub(position);
                let from = back.and_then(|back| wide(unpacked.start).checked_sub(back));
                (&*unpacked.buffer, from)
            }
        };
        let from = from.and_then(|from| usize::try_from(from).ok()).unwrap_or(usize::MAX);
        all.get(from..from.saturating_add(count)).unwrap_or(&[])
    }

    /// Leaves `count` bytes of the rest behind.
    #[inline]
    pub(super) fn advance(&mut self, count: usize) {
        let count = count.min(self.rest().len());
        match self {
            Window::Mapped { at, .. } => *at += count,
            Window::Unpacked(unpacked) => {
                unpacked.start += count;
                unpacked.position += wide(count);
            }
        }
    }

    /// Whether the rest has that many bytes.
    pub(super) fn holds(&self, count: u64) -> bool {
        wide(self.rest().len()) >= count
    }

    /// Leaves `count` bytes behind, at hand or not; tells whether the file has them. Frames handed
    /// out before may be gone.
    pub(super) fn skip(&mut self, count: u64) -> io::Result<bool> {
        let mut left = count;
        loop {
            let here = usize::try_from(left).unwrap_or(usize::MAX).min(self.rest().len());
            self.advance(here);
            left -= wide(here);
            if left == 0 {
                return Ok(true);
            }
            if !self.fill(1)? {
                return Ok(false);
            }
        }
    }

    /// Makes the rest at least `needed` bytes long; tells whether the file has them. Frames handed
    /// out before may be gone.
    pub(super) fn fill(&mut self, needed: usize) -> io::Result<bool> {
        if let Window::Unpacked(unpacked) = self
            && unpacked.end - unpacked.start < needed
        {
            unpacked.fill(needed)?;
        }
        Ok(self.rest().len() >= needed)
    }

    /// Bytes of the file on the disk read so far, and all.
    pub(super) fn progress(&self) -> (u64, u64) {
        match self {
            Window::Mapped { map, at } => {
                (wide(*at), wide(map.as_ref().map_or(0, |map| map.len())))
            }
            Window::Unpacked(unpacked) => (unpacked.reader.get_ref().bytes, unpacked.file_bytes),
        }
    }
}

impl Unpacked {
    fn fill(&mut self, needed: usize) -> io::Result<()> {
        self.buffer.copy_within(self.start..self.end, 0);
        self.end -= self.start;
        self.start = 0;
        // More than is needed, so that moving the rest is seldom.
        let wanted = needed.max(BUFFER_BYTES / 2);
        while self.end < wanted && self.failed.is_none() {
            let room = self.buffer.get_mut(self.end..).unwrap_or(&mut []);
            match self.reader.read(room) {
                Ok(0) => break,
                Ok(count) => self.end += count,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                // What was unpacked before the damage is still to be read. The reader tells of the
                // damage once and of an end from then on, so it is kept.
                Err(error) => self.failed = Some(error),
            }
        }
        if self.end < needed
            && let Some(error) = self.failed.take()
        {
            return Err(error);
        }
        Ok(())
    }
}

#[inline]
fn wide(count: usize) -> u64 {
    u64::try_from(count).unwrap_or(u64::MAX)
}
