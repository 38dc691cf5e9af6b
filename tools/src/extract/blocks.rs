//! Blocks of a file at any place, through a buffer, with the layout that they are to be read by.

use std::io;

use anyhow::Context;
use rustix::fs::{Advice, fadvise};

use crate::files::Packet;
use crate::files::layout::{BEGIN_BYTES, HEAD_BYTES, Item, Layout};
use crate::files::source::Source;
use crate::index::lookup::Index;

/// A read that may be of one packet only.
pub(super) const FEW_BYTES: usize = 1 << 14;

/// See the module.
#[derive(Debug)]
pub(super) struct Blocks {
    source: Source,
    layout: Layout,
    /// Places of blocks that the layout does not know yet, the next one last.
    ahead: Vec<u64>,
    buffer: Vec<u8>,
    /// What the buffer holds: from here, so many bytes.
    start: u64,
    held: usize,
}

impl Blocks {
    /// # Errors
    /// It is no capture file, or cannot be read, or its index is another's; the same below.
    pub(super) fn new(mut source: Source, index: &Index) -> anyhow::Result<Blocks> {
        let mut head = [0; BEGIN_BYTES];
        let bytes = source.read_at(&mut head, 0)?;
        let begun = Layout::begin(head.get(..bytes).unwrap_or_default());
        let (layout, _) = begun.context("it is no capture file")?;
        let mut ahead = index.layout()?;
        ahead.reverse();
        Ok(Blocks { source, layout, ahead, buffer: Vec::new(), start: 0, held: 0 })
    }

    /// Bytes that were read of the file.
    pub(super) const fn file_bytes(&self) -> u64 {
        self.source.file_bytes()
    }

    /// Tells the kernel that a place is looked for soon, or that places are, here and there.
    pub(super) fn advise(&self, place: Option<u64>) {
        let Some(file) = self.source.plain() else { return };
        let length = place.and(std::num::NonZeroU64::new(4096));
        let advice = if place.is_some() { Advice::WillNeed } else { Advice::Random };
        // Advice that is not taken costs time only.
        fadvise(file, place.unwrap_or(0), length, advice).ok();
    }

    /// The layout of what comes at a place.
    pub(super) fn layout_at(&mut self, offset: u64) -> anyhow::Result<&Layout> {
        while let Some(next) = self.ahead.pop_if(|next| *next < offset) {
            let length = self.hold(next, FEW_BYTES)?;
            let block = block(&self.buffer, self.start, next, length);
            self.layout.read(block).context("the index is of another file")?;
        }
        Ok(&self.layout)
    }

    /// Has the packet at a place in the buffer; what is read for it is of `bytes` bytes.
    pub(super) fn find(&mut self, offset: u64, bytes: usize) -> anyhow::Result<()> {
        self.layout_at(offset)?;
        self.hold(offset, bytes).map(drop)
    }

    /// The packet that [`Blocks::find`] found at this place.
    pub(super) fn packet(&self, offset: u64) -> anyhow::Result<(Packet<'_>, &Layout)> {
        let head = block(&self.buffer, self.start, offset, HEAD_BYTES.min(self.rest(offset)));
        let length = self.layout.length(head).unwrap_or(0);
        let block = block(&self.buffer, self.start, offset, length);
        // A packet does not change the layout: what was read of it stays.
        let item = self.layout.peek(block);
        let Some(Item::Packet(packet)) = item else {
            anyhow::bail!("the index is of another file; `weir index --force` makes it anew");
        };
        Ok((packet, &self.layout))
    }

    /// Has the block at a place in the buffer; its length.
    fn hold(&mut self, offset: u64, bytes: usize) -> anyhow::Result<usize> {
        if !self.has(offset, HEAD_BYTES) {
            self.fill(offset, bytes)?;
        }
        let head = block(&self.buffer, self.start, offset, HEAD_BYTES.min(self.rest(offset)));
        let length = self.layout.length(head);
        let length = length.context("the index is of another file, or the file is damaged")?;
        if !self.has(offset, length) {
            self.fill(offset, bytes.max(length))?;
        }
        anyhow::ensure!(self.has(offset, length), "the file ends in the middle of a packet");
        Ok(length)
    }

    fn rest(&self, offset: u64) -> usize {
        let at = offset.checked_sub(self.start).and_then(|at| usize::try_from(at).ok());
        at.map_or(0, |at| self.held.saturating_sub(at))
    }

    fn has(&self, offset: u64, bytes: usize) -> bool {
        self.rest(offset) >= bytes
    }

    fn fill(&mut self, offset: u64, bytes: usize) -> io::Result<()> {
        self.buffer.resize(bytes.max(self.buffer.len()), 0);
        (self.start, self.held) = (offset, 0);
        while self.held < bytes {
            let room = self.buffer.get_mut(self.held..bytes).unwrap_or_default();
            let at = offset + u64::try_from(self.held).unwrap_or(0);
            match self.source.read_at(room, at) {
                Ok(0) => break,
                Ok(more) => self.held += more,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }
}

fn block(buffer: &[u8], start: u64, offset: u64, length: usize) -> &[u8] {
    let at = offset.checked_sub(start).and_then(|at| usize::try_from(at).ok());
    at.and_then(|at| buffer.get(at..at.checked_add(length)?)).unwrap_or_default()
}
