//! Reads a capture file from its beginning, block after block, in bounded memory.

use std::io::{self, Read};

use super::Packet;
use super::layout::{BEGIN_BYTES, HEAD_BYTES, Item, Layout};

/// Bytes read at once, about: they are still in the core's cache when they are looked at.
const CHUNK: usize = 1 << 17;

/// See the module.
#[derive(Debug)]
pub(crate) struct Reader<R> {
    from: R,
    layout: Layout,
    buffer: Vec<u8>,
    start: usize,
    end: usize,
    /// Place in the file of `buffer[start]`.
    offset: u64,
    /// Bytes of the block that is lent.
    length: usize,
    ended: Ended,
}

/// How far a file goes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Ended {
    /// There may be more.
    Not,
    /// At the end of a block.
    Whole,
    /// In the middle of a block, or before what is none.
    Torn,
}

/// A block.
#[derive(Debug)]
pub(crate) struct Block<'a> {
    pub(crate) offset: u64,
    pub(crate) item: Item<'a>,
}

impl<R: Read> Reader<R> {
    /// Begins to read; none if it is no capture file.
    ///
    /// # Errors
    /// What `from` says; the same below.
    pub(crate) fn new(from: R) -> io::Result<Option<Reader<R>>> {
        let mut reader = Reader {
            from,
            layout: Layout::default(),
            buffer: vec![0; 2 * CHUNK],
            start: 0,
            end: 0,
            offset: 0,
            length: 0,
            ended: Ended::Not,
        };
        reader.fill(BEGIN_BYTES)?;
        let Some((layout, skip)) = Layout::begin(reader.rest()) else { return Ok(None) };
        reader.layout = layout;
        reader.advance(skip);
        Ok(Some(reader))
    }

    /// Goes on at a place of a file that is known to be a block's; `from` stands there.
    pub(crate) fn resume(from: R, layout: Layout, offset: u64) -> Reader<R> {
        let buffer = vec![0; 2 * CHUNK];
        Reader { from, layout, buffer, start: 0, end: 0, offset, length: 0, ended: Ended::Not }
    }

    /// The next block; none at the end, of which [`Reader::ended`] tells more.
    pub(crate) fn block(&mut self) -> io::Result<Option<Block<'_>>> {
        if self.ended != Ended::Not {
            return Ok(None);
        }
        if !self.fill(HEAD_BYTES)? && self.rest().is_empty() {
            self.ended = Ended::Whole;
            return Ok(None);
        }
        let Some(length) = self.layout.length(self.rest()) else {
            self.ended = Ended::Torn;
            return Ok(None);
        };
        if !self.fill(length)? {
            self.ended = Ended::Torn;
            return Ok(None);
        }
        let (offset, start) = (self.offset, self.start);
        // Asked first whether it can be read, so that the end is known before the loan.
        let Reader { layout, buffer, .. } = self;
        let Some(item) = layout.read(buffer.get(start..start + length).unwrap_or_default()) else {
            self.ended = Ended::Torn;
            return Ok(None);
        };
        self.start += length;
        self.offset += u64::try_from(length).unwrap_or(0);
        Ok(Some(Block { offset, item }))
    }

    /// Steps over what is no packet; whether there is a packet then, which [`Reader::current`] lends.
    pub(crate) fn advance_to_packet(&mut self) -> io::Result<bool> {
        loop {
            match self.peek()? {
                None => return Ok(false),
                Some(false) => {
                    self.block()?;
                }
                Some(true) => break,
            }
        }
        let Some(length) = self.layout.length(self.rest()) else {
            self.ended = Ended::Torn;
            return Ok(false);
        };
        let whole = self.fill(length)?;
        if !whole || self.layout.peek(self.rest().get(..length).unwrap_or_default()).is_none() {
            self.ended = Ended::Torn;
            return Ok(false);
        }
        self.length = length;
        Ok(true)
    }

    /// The packet that [`Reader::advance_to_packet`] found, and how it is to be read.
    pub(crate) fn current(&self) -> io::Result<(Packet<'_>, &Layout)> {
        match self.layout.peek(self.rest().get(..self.length).unwrap_or_default()) {
            Some(Item::Packet(packet)) => Ok((packet, &self.layout)),
            _ => Err(io::Error::other("no packet is at hand")),
        }
    }

    /// Goes on behind it.
    pub(crate) fn step(&mut self) {
        let length = std::mem::take(&mut self.length);
        self.advance(length);
    }

    /// Steps over what is no packet; then the packets that follow and are at hand, so many at most.
    /// None at the end, of which [`Reader::ended`] tells more.
    pub(crate) fn packets(&mut self, most: usize) -> io::Result<Vec<Packet<'_>>> {
        if !self.advance_to_packet()? {
            return Ok(Vec::new());
        }
        let mut packets = Vec::with_capacity(most);
        let Reader { layout, buffer, start, end, offset, .. } = self;
        while packets.len() < most {
            let rest = buffer.get(*start..*end).unwrap_or_default();
            let length = layout.length(rest).filter(|_| layout.is_packet(rest)).unwrap_or(0);
            let block = rest.get(..length).unwrap_or_default();
            let Some(Item::Packet(packet)) = layout.peek(block) else { break };
            packets.push(packet);
            *start += length;
            *offset += u64::try_from(length).unwrap_or(0);
        }
        self.length = 0;
        Ok(packets)
    }

    /// Whether the next block is a packet; none at the end.
    fn peek(&mut self) -> io::Result<Option<bool>> {
        self.fill(HEAD_BYTES)?;
        if self.ended != Ended::Not || self.rest().is_empty() {
            // Says how it ended.
            return self.block().map(|_| None);
        }
        Ok(Some(self.layout.is_packet(self.rest())))
    }

    /// Where the next block begins, or where the last whole one ended.
    pub(crate) const fn offset(&self) -> u64 {
        self.offset
    }

    /// Where it reads from.
    pub(crate) const fn source(&self) -> &R {
        &self.from
    }

    /// Gives that back, wherever it stands.
    pub(crate) fn into_source(self) -> R {
        self.from
    }

    /// Whether and how the file ended.
    pub(crate) const fn ended(&self) -> Ended {
        self.ended
    }

    fn rest(&self) -> &[u8] {
        self.buffer.get(self.start..self.end).unwrap_or_default()
    }

    fn advance(&mut self, bytes: usize) {
        self.start += bytes;
        self.offset += u64::try_from(bytes).unwrap_or(0);
    }

    /// Has so many bytes at hand; whether there are.
    fn fill(&mut self, bytes: usize) -> io::Result<bool> {
        if self.end - self.start >= bytes {
            return Ok(true);
        }
        if self.start + bytes > self.buffer.len() {
            self.buffer.copy_within(self.start..self.end, 0);
            self.end -= self.start;
            self.start = 0;
            if bytes > self.buffer.len() {
                self.buffer.resize(bytes.next_multiple_of(CHUNK), 0);
            }
        }
        while self.end - self.start < bytes {
            let room = self.buffer.get_mut(self.end..).unwrap_or_default();
            match self.from.read(room) {
                Ok(0) => return Ok(false),
                Ok(more) => self.end += more,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(true)
    }
}
