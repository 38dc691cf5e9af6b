//! A whole file in memory, played several times: what `weir bench` measures the engine with.

use std::io;
use std::os::fd::AsFd;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use weir_shm::SegmentFd;

use super::{FileError, FileProblem, FileSource};
use crate::capture::{BATCH, Batch, Frame, Received, Source};
use crate::sys::map::SealedBytes;

/// The frames of a file, back to back. Shards share it.
#[derive(Debug)]
pub struct PreloadedFrames {
    bytes: Bytes,
    frames: Box<[Frame]>,
    /// How far the time of one round is from that of the next.
    round_ns: u64,
    problem: Option<FileProblem>,
}

#[derive(Debug)]
enum Bytes {
    Own(Box<[u8]>),
    /// In memory that packet readers can map: they get the frames where they lie.
    Shared(SealedBytes),
}

impl PreloadedFrames {
    /// Reads a file up to its end or to where it is damaged.
    ///
    /// # Errors
    /// Those of [`FileSource::open`].
    pub fn load(path: &Path) -> Result<PreloadedFrames, FileError> {
        let mut source = FileSource::open(path)?;
        let (mut bytes, mut frames) = (Vec::new(), Vec::new());
        let mut batch = Batch::default();
        while source.receive(&mut batch) == Received::Frames {
            for frame in batch.as_slice() {
                let addr = u64::try_from(bytes.len()).unwrap_or(u64::MAX);
                bytes.extend_from_slice(source.bytes(frame));
                frames.push(Frame { addr, ..*frame });
            }
            source.release(&batch);
            batch.clear();
        }
        let times = || frames.iter().map(|frame: &Frame| frame.timestamp_ns);
        let span_ns = times().max().unwrap_or(0) - times().min().unwrap_or(0);
        Ok(PreloadedFrames {
            bytes: Bytes::Own(bytes.into_boxed_slice()),
            frames: frames.into_boxed_slice(),
            round_ns: span_ns + 1,
            problem: source.problem().cloned(),
        })
    }

    /// A copy of those frames that `wanted` says of, in their order: as a queue of their own.
    pub(crate) fn part(&self, mut wanted: impl FnMut(&Frame, &[u8]) -> bool) -> PreloadedFrames {
        let (mut bytes, mut frames) = (Vec::new(), Vec::new());
        for frame in &self.frames {
            let own = self.bytes_of(frame);
            if wanted(frame, own) {
                let addr = u64::try_from(bytes.len()).unwrap_or(u64::MAX);
                bytes.extend_from_slice(own);
                frames.push(Frame { addr, ..*frame });
            }
        }
        PreloadedFrames {
            bytes: Bytes::Own(bytes.into_boxed_slice()),
            frames: frames.into_boxed_slice(),
            round_ns: self.round_ns,
            problem: self.problem.clone(),
        }
    }

    /// The same in memory that packet readers can map.
    ///
    /// # Errors
    /// There is none.
    pub fn into_shared(mut self) -> io::Result<PreloadedFrames> {
        if let Bytes::Own(bytes) = &self.bytes {
            self.bytes = Bytes::Shared(SealedBytes::copy_of(bytes, "weir-frames")?);
        }
        Ok(self)
    }

    /// The memory that packet readers can map, as number `area`, if the frames lie in such.
    pub(crate) fn share(&self, area: u16) -> io::Result<Option<SegmentFd>> {
        let Bytes::Shared(sealed) = &self.bytes else { return Ok(None) };
        let fd = sealed.as_fd().try_clone_to_owned()?;
        Ok(Some(SegmentFd::frames(area, fd, sealed.bytes().len())))
    }

    /// Frames in it.
    pub fn frames(&self) -> usize {
        self.frames.len()
    }

    /// The frames' bytes, in their order.
    pub fn iter(&self) -> impl Iterator<Item = &[u8]> {
        self.frames.iter().map(|frame| self.bytes_of(frame))
    }

    #[inline]
    fn bytes_of(&self, frame: &Frame) -> &[u8] {
        let from = usize::try_from(frame.addr).unwrap_or(usize::MAX);
        let count = usize::try_from(frame.captured_bytes).unwrap_or(usize::MAX);
        self.memory().get(from..from.saturating_add(count)).unwrap_or(&[])
    }

    #[inline]
    fn memory(&self) -> &[u8] {
        match &self.bytes {
            Bytes::Own(bytes) => bytes,
            Bytes::Shared(sealed) => sealed.bytes(),
        }
    }

    /// Captured bytes of all frames.
    pub fn bytes(&self) -> usize {
        self.iter().map(<[u8]>::len).sum()
    }

    /// Why reading the file stopped before its end; none for a good end.
    pub const fn problem(&self) -> Option<&FileProblem> {
        self.problem.as_ref()
    }
}

/// Plays [`PreloadedFrames`]. Time goes on from round to round.
#[derive(Debug)]
pub struct Preloaded {
    frames: Arc<PreloadedFrames>,
    next: usize,
    rounds_left: u32,
    offset_ns: u64,
    newest_ns: u64,
}

impl Preloaded {
    /// Plays `frames` that many times.
    pub fn new(frames: Arc<PreloadedFrames>, rounds: u32) -> Preloaded {
        Preloaded { frames, next: 0, rounds_left: rounds, offset_ns: 0, newest_ns: 0 }
    }
}

impl Source for Preloaded {
    #[inline]
    fn receive(&mut self, batch: &mut Batch) -> Received {
        if self.next == self.frames.frames.len() {
            self.next = 0;
            self.rounds_left = self.rounds_left.saturating_sub(1);
            self.offset_ns += self.frames.round_ns;
        }
        let rest = self.frames.frames.get(self.next..).unwrap_or(&[]);
        if self.rounds_left == 0 || rest.is_empty() {
            self.rounds_left = 0;
            return Received::End;
        }
        let count = rest.len().min(batch.room()).min(BATCH);
        for frame in rest.iter().take(count) {
            let timestamp_ns = frame.timestamp_ns + self.offset_ns;
            self.newest_ns = self.newest_ns.max(timestamp_ns);
            batch.push(Frame { timestamp_ns, ..*frame });
        }
        self.next += count;
        Received::Frames
    }

    #[inline]
    fn bytes(&self, frame: &Frame) -> &[u8] {
        self.frames.bytes_of(frame)
    }

    fn release(&mut self, _batch: &Batch) {}

    /// The frames never change: what readers give back needs no care.
    #[inline]
    fn piece(&self, frame: &Frame, after: Option<u64>) -> Option<(u64, u32)> {
        let lent = after.is_none() && matches!(self.frames.bytes, Bytes::Shared(_));
        lent.then_some((frame.addr, frame.captured_bytes))
    }

    #[inline]
    fn is_whole(&self, _frame: &Frame) -> bool {
        matches!(self.frames.bytes, Bytes::Shared(_))
    }

    fn now_ns(&mut self) -> u64 {
        self.newest_ns
    }

    fn wait(&mut self, _timeout: Duration) {}

    fn trouble(&self) -> Option<String> {
        self.frames.problem.as_ref().map(ToString::to_string)
    }
}
