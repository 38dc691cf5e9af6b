//! A look at a shard's packet ring from beside it: how far it is, what was done to a reader, what
//! a reader that died had not read. Reads no frame.

use super::descriptor::{Descriptor, WORDS};
use super::groups::GroupReader;
use super::lease::{LINE_DEMOTIONS, LINE_GENERATION, LINE_PINNED};
use super::ring::{FLOOR, LINK, TAIL};
use crate::error::Error;
use crate::layout::Opened;
use crate::reader::ShardReader;
use crate::segment::ReadMap;
use crate::sync::{Ordering, fence};
use crate::writer::SegmentFd;
use std::os::fd::AsFd;

/// What a shard did with a reader.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct ReaderState {
    /// The reader that the shard has let in; 0: none.
    pub generation: u64,
    /// Times that its lease was taken away.
    pub demotions: u64,
    /// Frames held for it outside of the ring.
    pub pinned: u64,
}

impl ShardReader {
    /// The shard of a segment that this very process made.
    ///
    /// # Errors
    /// The segment cannot be mapped once more.
    pub fn of(segment: &SegmentFd) -> Result<Self, Error> {
        let fd = segment.as_fd().try_clone_to_owned();
        let fd = fd.map_err(|e| Error::os("keeping a segment's descriptor", e))?;
        let map = ReadMap::open(&fd, "an own segment", segment.bytes() as u64)?;
        Self::new(&Opened::new(map, "an own segment")?)
    }

    /// Descriptors that were written to the packet ring.
    pub fn packet_tail(&self) -> u64 {
        self.packets().head.load(TAIL)
    }

    /// Link type of its frames, as capture files number it; `u32::MAX` where it is not known.
    pub fn packet_link_type(&self) -> u32 {
        u32::try_from(self.packets().head.load(LINK)).unwrap_or(u32::MAX)
    }

    /// What the shard did with the reader in this place.
    pub fn packet_reader(&self, place: u8) -> ReaderState {
        let line = self.packets().line(place);
        ReaderState {
            generation: line.load(LINE_GENERATION),
            demotions: line.load(LINE_DEMOTIONS),
            pinned: line.load(LINE_PINNED),
        }
    }

    /// Packets from position `from` on that were the share of a group's member in this place, as
    /// far as they are still in the ring; the others are gone and were missed all the same.
    pub fn share_of(&self, place: u8, group: u8, from: u64) -> u64 {
        let words = self.packets();
        let slots = (words.ring.len() / WORDS) as u64;
        let mut member = GroupReader::new(words.group(group), place);
        let tail = words.head.load(TAIL);
        fence(Ordering::Acquire);
        member.refresh();
        let from = from.clamp(tail.saturating_sub(slots), tail).max(words.head.load(FLOOR));
        let mut count = 0;
        for position in from..tail {
            let at = usize::try_from(position & (slots - 1)).unwrap_or(0) * WORDS;
            let of_words = std::array::from_fn(|word| words.ring.load(at + word));
            let descriptor = Descriptor::unpack(&of_words);
            // Pairs with the release fence of `PacketWriter::raise_floor`.
            fence(Ordering::Acquire);
            let there = words.head.load(FLOOR) <= position;
            let first = descriptor.piece == 0 && descriptor.shunted >> group & 1 == 0;
            count += u64::from(there && first && member.is_mine(position, descriptor.hash));
        }
        count
    }
}
