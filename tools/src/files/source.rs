//! A capture file to be read, compressed or not: from its beginning on, or at places of what it is when
//! it is not compressed.

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::os::unix::fs::FileExt;
use std::path::Path;

use super::layout::{BEGIN_BYTES, Layout};
use super::packed::{Point, Unpacker, is_packed};

/// See the module.
#[derive(Debug)]
pub(crate) enum Source {
    /// And the bytes that were read.
    Plain(File, u64),
    Packed(Box<Unpacker>),
}

impl Source {
    /// # Errors
    /// It cannot be read; the same below.
    pub(crate) fn open(path: &Path) -> io::Result<Source> {
        let file = File::open(path)?;
        let mut head = [0; 4];
        let bytes = file.read_at(&mut head, 0)?;
        if is_packed(head.get(..bytes).unwrap_or_default()) {
            return Ok(Source::Packed(Box::new(Unpacker::new(file))));
        }
        Ok(Source::Plain(file, 0))
    }

    /// Whether a file begins as a capture file does.
    pub(crate) fn is_capture(path: &Path) -> io::Result<bool> {
        let mut head = Vec::new();
        let most = u64::try_from(BEGIN_BYTES).unwrap_or(0);
        Source::open(path)?.take(most).read_to_end(&mut head)?;
        Ok(Layout::begin(&head).is_some())
    }

    /// The file, if its places are those of the capture file.
    pub(crate) const fn plain(&self) -> Option<&File> {
        match self {
            Source::Plain(file, _) => Some(file),
            Source::Packed(_) => None,
        }
    }

    /// What is compressed.
    pub(crate) const fn packed(&self) -> Option<&Unpacker> {
        match self {
            Source::Plain(..) => None,
            Source::Packed(unpacker) => Some(unpacker),
        }
    }

    /// Where reading may begin, as an index says it.
    pub(crate) fn set_points(&mut self, points: Vec<Point>) {
        if let Source::Packed(unpacker) = self {
            unpacker.set_points(points);
        }
    }

    /// Bytes that were read of the file.
    pub(crate) const fn file_bytes(&self) -> u64 {
        match self {
            Source::Plain(_, bytes) => *bytes,
            Source::Packed(unpacker) => unpacker.file_bytes(),
        }
    }

    /// Goes to a place of the capture file.
    pub(crate) fn seek(&mut self, to: u64) -> io::Result<()> {
        match self {
            Source::Plain(file, _) => file.seek(SeekFrom::Start(to)).map(drop),
            Source::Packed(unpacker) => unpacker.seek(to),
        }
    }

    /// Reads at a place of the capture file.
    pub(crate) fn read_at(&mut self, buffer: &mut [u8], at: u64) -> io::Result<usize> {
        match self {
            Source::Plain(file, bytes) => {
                let read = file.read_at(buffer, at)?;
                *bytes += u64::try_from(read).unwrap_or(0);
                Ok(read)
            }
            Source::Packed(unpacker) => {
                unpacker.seek(at)?;
                unpacker.read(buffer)
            }
        }
    }
}

impl Read for Source {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match self {
            Source::Plain(file, bytes) => {
                let read = file.read(buffer)?;
                *bytes += u64::try_from(read).unwrap_or(0);
                Ok(read)
            }
            Source::Packed(unpacker) => unpacker.read(buffer),
        }
    }
}
