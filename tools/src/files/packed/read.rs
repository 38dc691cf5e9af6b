//! Compressed files, block after block, from any place that reading may begin at.
//!
//! Memory is bounded whatever the file says: by the longest block, the window that a frame of zstd may
//! have (128 MiB, as for `zstd -d`), and what is kept of what was read last. Damage is an end.

use std::fs::File;
use std::io::{self, Read};

use twox_hash::XxHash32;
use zstd::stream::raw::{Decoder, InBuffer, Operation, OutBuffer};

use super::super::reader::Ended;
use super::head::{self, Head, Lz4, Magic, PEEK_BYTES};
use super::raw::{CHUNK, Raw};
use super::write::ZSTD_HEAD;
use super::{FILLER, RESET};

/// What was read last is kept, so that a step back is none to the section's beginning.
const KEPT: usize = 2 << 20;
/// What a block of LZ4 may look back to.
const BACK: usize = 1 << 16;
/// Bytes between points that are noted, at least.
const APART: u64 = 1 << 16;

/// A place at which reading may begin.
#[derive(Clone, Copy, Default, PartialEq, Eq, Debug)]
pub(crate) struct Point {
    /// In the capture file.
    pub(crate) stream: u64,
    /// In the compressed file.
    pub(crate) file: u64,
}

/// See the module.
pub(crate) struct Unpacker {
    raw: Raw,
    within: Option<Head>,
    /// The first frame, to which points between frames' beginnings belong.
    first: Option<Head>,
    /// The present frame was entered at its beginning, at this place of the capture file.
    begun: Option<u64>,
    zstd: Option<Decoder<'static>>,
    scratch: Vec<u8>,
    /// What was read last, where it begins, and where the next read is from.
    out: Vec<u8>,
    out_from: u64,
    at: u64,
    points: Vec<Point>,
    learns: bool,
    /// Up to here it is whole, and a frame's end was there.
    whole: Point,
    closed: bool,
    ended: Ended,
}

impl std::fmt::Debug for Unpacker {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Unpacker")
            .field("place", &self.raw.place())
            .field("at", &self.at)
            .field("points", &self.points.len())
            .finish_non_exhaustive()
    }
}

impl Unpacker {
    /// Reads a file from its beginning.
    pub(crate) const fn new(file: File) -> Unpacker {
        Unpacker {
            raw: Raw::new(file),
            within: None,
            first: None,
            begun: None,
            zstd: None,
            scratch: Vec::new(),
            out: Vec::new(),
            out_from: 0,
            at: 0,
            points: Vec::new(),
            learns: true,
            whole: Point { stream: 0, file: 0 },
            closed: false,
            ended: Ended::Not,
        }
    }

    /// The places at which reading may begin, of what was read from the beginning on.
    pub(crate) fn points(&self) -> &[Point] {
        &self.points
    }

    /// Sets them, as they were when the whole file was read.
    pub(crate) fn set_points(&mut self, points: Vec<Point>) {
        (self.points, self.learns) = (points, false);
    }

    /// Up to where it is whole, of what was read, and whether it ends there as it should.
    pub(crate) const fn whole(&self) -> (Point, bool) {
        (self.whole, self.closed)
    }

    /// Whether it ended before its end.
    pub(crate) const fn is_torn(&self) -> bool {
        matches!(self.ended, Ended::Torn)
    }

    /// Bytes that were read of the file.
    pub(crate) const fn file_bytes(&self) -> u64 {
        self.raw.read_bytes()
    }

    /// Goes to a place of the capture file, or to its end if that is before.
    ///
    /// # Errors
    /// The file cannot be read; the same below.
    pub(crate) fn seek(&mut self, to: u64) -> io::Result<()> {
        let held = self.out_from..=self.end();
        if !held.contains(&to) {
            let before = self.points.partition_point(|point| point.stream <= to);
            let point = before.checked_sub(1).and_then(|at| self.points.get(at)).copied();
            let point = point.unwrap_or_default();
            if to < self.out_from || point.stream > self.end() {
                self.restart(point);
            }
        }
        while self.end() < to && self.step()? {}
        self.at = to.min(self.end());
        Ok(())
    }

    /// Bytes of memory that hold what was read.
    #[cfg(test)]
    pub(super) fn held(&self) -> usize {
        self.raw.held() + self.scratch.capacity() + self.out.capacity()
    }

    fn end(&self) -> u64 {
        self.out_from + u64::try_from(self.out.len()).unwrap_or(0)
    }

    fn restart(&mut self, point: Point) {
        self.raw.restart(point.file);
        self.out.clear();
        (self.within, self.begun) = (None, None);
        (self.out_from, self.at) = (point.stream, point.stream);
        (self.learns, self.ended) = (false, Ended::Not);
    }

    /// Reads one more block; false at the end.
    fn step(&mut self) -> io::Result<bool> {
        if self.ended != Ended::Not {
            return Ok(false);
        }
        if self.out.len() > 2 * KEPT {
            let gone = self.out.len() - KEPT;
            self.out.drain(..gone);
            self.out_from += u64::try_from(gone).unwrap_or(0);
        }
        let good = match self.within {
            None => self.frame()?,
            Some(Head::Zstd { checksum }) => self.zstd_block(checksum)?,
            Some(Head::Lz4(head)) => self.lz4_block(head)?,
        };
        if !good {
            let whole = self.closed && self.raw.rest().is_empty();
            self.ended = if whole { Ended::Whole } else { Ended::Torn };
        }
        Ok(good)
    }

    /// The beginning of a frame, or a place amid the first one.
    fn frame(&mut self) -> io::Result<bool> {
        if !self.raw.fill(4)? {
            return Ok(false);
        }
        let Some(magic) = head::magic(self.raw.rest()) else { return self.amid() };
        if magic == Magic::Skippable {
            return self.skip();
        }
        self.raw.fill(PEEK_BYTES)?;
        let Some((head, bytes)) = head::read(self.raw.rest()) else { return Ok(false) };
        if !self.raw.fill(bytes)? {
            return Ok(false);
        }
        self.note(self.raw.place());
        self.first.get_or_insert(head);
        (self.within, self.begun, self.closed) = (Some(head), Some(self.end()), false);
        if let Head::Zstd { .. } = head {
            self.reset()?;
            if !self.feed(bytes) {
                return Ok(false);
            }
        } else {
            self.raw.take(bytes);
        }
        Ok(true)
    }

    /// Goes on amid the first frame.
    fn amid(&mut self) -> io::Result<bool> {
        if self.begun.is_some() || self.raw.place() == 0 {
            return Ok(false);
        }
        if self.first.is_none() {
            self.first = head::read(&self.raw.head::<PEEK_BYTES>()?).map(|(head, _)| head);
        }
        self.within = self.first;
        if let Some(Head::Zstd { .. }) = self.within {
            self.reset()?;
            let Unpacker { zstd, scratch, .. } = self;
            let Some(decoder) = zstd else { return Ok(false) };
            let mut output = OutBuffer::around(scratch.as_mut_slice());
            if decoder.run(&mut InBuffer::around(&ZSTD_HEAD), &mut output).is_err() {
                return Ok(false);
            }
        }
        Ok(self.within.is_some())
    }

    fn skip(&mut self) -> io::Result<bool> {
        if !self.raw.fill(8)? {
            return Ok(false);
        }
        let length = self.raw.rest().get(4..8).and_then(|word| word.try_into().ok());
        let mut left =
            8 + usize::try_from(u32::from_le_bytes(length.unwrap_or_default())).unwrap_or(0);
        while left > 0 {
            let part = left.min(CHUNK);
            if !self.raw.fill(part)? {
                return Ok(false);
            }
            self.raw.take(part);
            left -= part;
        }
        self.closed = true;
        Ok(true)
    }

    fn reset(&mut self) -> io::Result<()> {
        self.scratch.resize(CHUNK, 0);
        if let Some(decoder) = &mut self.zstd {
            return decoder.reinit();
        }
        self.zstd = Some(Decoder::new()?);
        Ok(())
    }

    fn zstd_block(&mut self, checksum: bool) -> io::Result<bool> {
        if !self.raw.fill(3)? {
            return Ok(false);
        }
        if self.raw.fill(RESET.len())? && self.raw.rest().starts_with(RESET) {
            // It says nothing but where the next section may begin.
            if !self.feed(RESET.len()) || !self.out.ends_with(FILLER) {
                return Ok(false);
            }
            self.note(self.raw.place());
            self.whole = self.here();
            return Ok(true);
        }
        let (length, last) =
            head::zstd_block(self.raw.rest().first_chunk().copied().unwrap_or_default());
        // No block is longer than 128 KiB, and most of those that claim it are no blocks.
        if length > CHUNK || !self.raw.fill(3 + length)? || !self.feed(3 + length) {
            return Ok(false);
        }
        if last {
            if checksum {
                // Of a frame that was entered in its middle it cannot be right.
                let good = self.raw.fill(4)? && (self.begun.is_none() || self.feed(4));
                if !good {
                    return Ok(false);
                }
                if self.begun.is_none() {
                    self.raw.take(4);
                }
            }
            self.close();
        }
        Ok(true)
    }

    fn lz4_block(&mut self, head: Lz4) -> io::Result<bool> {
        if !self.raw.fill(4)? {
            return Ok(false);
        }
        let word = self.raw.rest().first_chunk().copied().map_or(0, u32::from_le_bytes);
        if word == 0 {
            let bytes = if head.checksum { 8 } else { 4 };
            if !self.raw.fill(bytes)? {
                return Ok(false);
            }
            self.raw.take(bytes);
            self.close();
            return Ok(true);
        }
        let length = usize::try_from(word & 0x7fff_ffff).unwrap_or(usize::MAX);
        let extra = if head.block_checksum { 4 } else { 0 };
        if length > head.block_bytes || !self.raw.fill(4 + length + extra)? {
            return Ok(false);
        }
        if head.independent && self.begun.is_none_or(|begun| begun == 0) {
            self.note(self.raw.place());
        }
        self.scratch.resize(head.block_bytes.max(self.scratch.len()), 0);
        let Unpacker { raw, scratch, out, out_from, begun, .. } = self;
        let block = raw.rest().get(4..4 + length).unwrap_or_default();
        let check = raw.rest().get(4 + length..).and_then(<[u8]>::first_chunk);
        if head.block_checksum
            && check.copied().map(u32::from_le_bytes) != Some(XxHash32::oneshot(0, block))
        {
            return Ok(false);
        }
        if word >> 31 == 1 {
            out.extend(block);
        } else {
            let since = begun.map_or(0, |begun| begun.saturating_sub(*out_from));
            let since = usize::try_from(since).unwrap_or(0).max(out.len().saturating_sub(BACK));
            let back = if head.independent { &[] } else { out.get(since..).unwrap_or_default() };
            let made = lz4_flex::block::decompress_into_with_dict(block, scratch, back);
            let Some(made) = made.ok().and_then(|made| scratch.get(..made)) else {
                return Ok(false);
            };
            out.extend(made);
        }
        self.raw.take(4 + length + extra);
        if head.independent {
            self.whole = self.here();
        }
        Ok(true)
    }

    /// The present frame has ended as it should.
    fn close(&mut self) {
        (self.within, self.begun, self.closed) = (None, Some(self.end()), true);
        // What a file of ours ends with is no part of its last section.
        if self.end() > self.whole.stream {
            self.whole = self.here();
        }
    }

    fn here(&self) -> Point {
        Point { stream: self.end(), file: self.raw.place() }
    }

    /// Notes that reading may begin here.
    fn note(&mut self, file: u64) {
        let stream = self.end();
        let far = self.points.last().is_none_or(|last| stream >= last.stream + APART);
        if self.learns && far {
            self.points.push(Point { stream, file });
        }
    }

    /// Gives zstd so many bytes that are at hand; whether it takes them.
    fn feed(&mut self, bytes: usize) -> bool {
        let Unpacker { zstd, scratch, raw, out, .. } = self;
        let Some(decoder) = zstd else { return false };
        let mut input = InBuffer::around(raw.rest().get(..bytes).unwrap_or_default());
        loop {
            let mut output = OutBuffer::around(scratch.as_mut_slice());
            if decoder.run(&mut input, &mut output).is_err() {
                return false;
            }
            out.extend(output.as_slice());
            if output.pos() < output.capacity() {
                break;
            }
        }
        let all = input.pos() == bytes;
        self.raw.take(bytes);
        all
    }
}

impl Read for Unpacker {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        while self.at == self.end() && self.step()? {}
        let from = usize::try_from(self.at - self.out_from).map_err(io::Error::other)?;
        let there = self.out.get(from..).unwrap_or_default();
        let bytes = there.len().min(buffer.len());
        if let (Some(into), Some(there)) = (buffer.get_mut(..bytes), there.get(..bytes)) {
            into.copy_from_slice(there);
        }
        self.at += u64::try_from(bytes).unwrap_or(0);
        Ok(bytes)
    }
}
