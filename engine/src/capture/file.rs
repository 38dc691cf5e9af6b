//! Capture files: `pcap:FILE`.
//!
//! A pcap or pcapng file is mapped and its frames are handed out where they lie. One compressed
//! with gzip is unpacked into a buffer of a fixed size that slides over it. A file that is cut or
//! damaged gives all frames before the damage, then ends with a [`FileProblem`] that tells where.
//!
//! Deliberately absent: choosing frames. With several shards each opens the file for itself, and
//! takes the frames that are its own.

mod pcap;
mod pcapng;
mod preloaded;
mod record;
mod window;

#[cfg(test)]
mod tests;

use std::path::{Path, PathBuf};
use std::time::Duration;
use std::{fmt, io};

use super::{Batch, Frame, Received, Source, Tag};
pub use preloaded::{Preloaded, PreloadedFrames};
pub use record::Broken;
use record::{Format, Step};
use window::Window;

/// Why a file cannot be read at all.
#[derive(Debug, thiserror::Error)]
pub enum FileError {
    /// It cannot be opened or mapped.
    #[error("cannot open capture file {path}: {source}")]
    Open {
        /// The file.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// It is not one of the formats.
    #[error(
        "{path} is not a capture file: it begins with {begins:02x?}, and neither pcap, pcapng, nor \
         either of them under gzip begins so"
    )]
    NotACapture {
        /// The file.
        path: PathBuf,
        /// Its first bytes.
        begins: Vec<u8>,
    },
    /// It breaks off before its first frame could be.
    #[error("{0}")]
    Damaged(FileProblem),
}

/// Where and why reading a file stopped before its end.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct FileProblem {
    /// The file.
    pub path: PathBuf,
    /// Where the record that cannot be read begins; in the unpacked file, were it packed.
    pub offset: u64,
    /// Frames read before it.
    pub frames: u64,
    /// Captured bytes in those frames.
    pub frame_bytes: u64,
    /// What is wrong with it.
    pub broken: Broken,
}

impl fmt::Display for FileProblem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{}: stopped at byte {}: {} (read before it: {} frames, {} bytes)",
            self.path.display(),
            self.offset,
            self.broken,
            self.frames,
            self.frame_bytes
        )
    }
}

/// The frames of one capture file, in its order.
#[derive(Debug)]
pub struct FileSource {
    path: PathBuf,
    window: Window,
    format: Format,
    newest_ns: u64,
    frames: u64,
    frame_bytes: u64,
    ended: bool,
    problem: Option<FileProblem>,
}

impl FileSource {
    /// Opens a file and reads its header.
    ///
    /// # Errors
    /// That it cannot be opened, is no capture, or breaks off inside its header.
    pub fn open(path: &Path) -> Result<FileSource, FileError> {
        let owned = || path.to_path_buf();
        let unopened = |source| FileError::Open { path: owned(), source };
        let mut window = Window::open(path).map_err(unopened)?;
        window.fill(pcap::HEADER_BYTES).map_err(unopened)?;
        let (format, header_bytes) = match Format::detect(window.rest()) {
            Ok(found) => found,
            Err(Some(broken)) => {
                let problem =
                    FileProblem { path: owned(), offset: 0, frames: 0, frame_bytes: 0, broken };
                return Err(FileError::Damaged(problem));
            }
            Err(None) => {
                let begins = window.rest().iter().copied().take(4).collect();
                return Err(FileError::NotACapture { path: owned(), begins });
            }
        };
        window.advance(header_bytes);
        let format = announced(format, &mut window);
        Ok(FileSource {
            path: owned(),
            window,
            format,
            newest_ns: 0,
            frames: 0,
            frame_bytes: 0,
            ended: false,
            problem: None,
        })
    }

    /// How the frames begin, as the file numbers it; all ones where it does not tell.
    pub const fn link_type(&self) -> u32 {
        self.format.link_type()
    }

    /// Bytes of the file read so far, and all it has: as it lies on the disk, packed or not.
    pub fn progress(&self) -> (u64, u64) {
        self.window.progress()
    }

    /// Frames read so far.
    pub const fn frames(&self) -> u64 {
        self.frames
    }

    /// Why reading stopped before the file's end; none while it goes on, and after a good end.
    pub const fn problem(&self) -> Option<&FileProblem> {
        self.problem.as_ref()
    }

    fn stop(&mut self, broken: Broken) {
        self.ended = true;
        self.problem = Some(FileProblem {
            path: std::mem::take(&mut self.path),
            offset: self.window.position(),
            frames: self.frames,
            frame_bytes: self.frame_bytes,
            broken,
        });
    }

    /// Makes at least `needed` bytes the rest of the window, or ends.
    fn refill(&mut self, needed: usize) {
        match self.window.fill(needed) {
            Ok(true) => {}
            Ok(false) if self.window.rest().is_empty() => self.ended = true,
            Ok(false) => self.stop(Broken::Truncated),
            Err(error) => self.stop(Broken::of_unpacking(&error)),
        }
    }
}

/// The format after what stands before the first frame, so that the link type is known.
fn announced(mut format: Format, window: &mut Window) -> Format {
    /// Blocks that are read at most: a section, its interfaces, names.
    const BLOCKS: usize = 16;
    for _ in 0..BLOCKS {
        // A frame stays to be read again; so does what is not all there yet.
        match format.step(window.rest()) {
            Step::Other(bytes) => window.advance(bytes),
            _ => break,
        }
    }
    format
}

impl Source for FileSource {
    fn receive(&mut self, batch: &mut Batch) -> Received {
        while !self.ended && !batch.is_full() {
            // What fills the window anew moves frames that the batch already points to.
            let movable = batch.as_slice().is_empty();
            match self.format.step(self.window.rest()) {
                Step::Frame(record) => {
                    let addr = self.window.position().saturating_add(record.from);
                    self.newest_ns = self.newest_ns.max(record.timestamp_ns);
                    self.frames += 1;
                    self.frame_bytes += u64::from(record.captured_bytes);
                    batch.push(Frame {
                        addr,
                        timestamp_ns: record.timestamp_ns,
                        captured_bytes: record.captured_bytes,
                        wire_bytes: record.wire_bytes,
                        hash: 0,
                        vlan: 0,
                        tag: Tag::None,
                        interface: record.interface,
                        link: record.link,
                    });
                    self.window.advance(record.bytes);
                }
                Step::Other(bytes) => self.window.advance(bytes),
                Step::Skip(bytes) => {
                    if !self.window.holds(bytes) && !movable {
                        break;
                    }
                    match self.window.skip(bytes) {
                        Ok(true) => {}
                        Ok(false) => self.stop(Broken::Truncated),
                        Err(error) => self.stop(Broken::of_unpacking(&error)),
                    }
                }
                Step::More(_) if !movable => break,
                Step::More(needed) => self.refill(needed),
                Step::Broken(broken) => self.stop(broken),
            }
        }
        if batch.as_slice().is_empty() { Received::End } else { Received::Frames }
    }

    #[inline]
    fn bytes(&self, frame: &Frame) -> &[u8] {
        self.window.bytes(frame.addr, frame.captured_bytes)
    }

    fn release(&mut self, _batch: &Batch) {}

    fn now_ns(&mut self) -> u64 {
        self.newest_ns
    }

    fn wait(&mut self, _timeout: Duration) {}

    fn progress(&self) -> Option<(u64, u64)> {
        Some(self.window.progress())
    }

    fn trouble(&self) -> Option<String> {
        self.problem.as_ref().map(ToString::to_string)
    }
}
