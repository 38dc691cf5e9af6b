//! Where frames come from.
//!
//! A [`Source`] lends a shard a batch of frames, the shard reads them in place, and gives the
//! whole batch back. Nothing is copied and nothing is allocated on the way.
//!
//! While other processes read packets, frames stay longer. A source whose frames lie in memory that
//! readers can map ([`Source::piece`]) gets them back piece by piece; the frames of all others are
//! copied once into an [`arena::Arena`].

pub mod arena;
pub mod file;
pub mod files;
pub mod packet;
pub mod xdp;

use std::time::Duration;

use crate::wire::LinkType;

/// Frames a turn handles at most.
pub const BATCH: usize = 64;

/// One received frame: where its bytes are and what is known about it besides them.
#[derive(Clone, Copy, Default, Debug)]
pub struct Frame {
    /// Where the bytes are; of meaning to the source alone.
    pub addr: u64,
    /// When it was received, Unix nanoseconds.
    pub timestamp_ns: u64,
    /// Bytes at hand.
    pub captured_bytes: u32,
    /// Bytes it had as it was handed over: on the wire, less a tag that was taken off.
    pub wire_bytes: u32,
    /// The symmetric hash that the XDP program took of it; 0 where there is none.
    pub hash: u32,
    /// The VLAN tag (TCI) that the NIC or the kernel took off it; of meaning with `tag`.
    pub vlan: u16,
    /// The kind of that tag.
    pub tag: Tag,
    /// Index of the interface within the source.
    pub interface: u8,
    /// How its bytes begin.
    pub link: LinkType,
}

/// The kind of a VLAN tag that was taken off a frame.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
#[repr(u8)]
pub enum Tag {
    /// None was.
    #[default]
    None = 0,
    /// A customer tag (IEEE 802.1Q, `0x8100`).
    Customer = 1,
    /// A service tag (IEEE 802.1ad, `0x88a8`).
    Service = 2,
}

impl Tag {
    /// The kind of a tag by its protocol number. What is neither is taken for a customer tag.
    pub const fn of(protocol: u16) -> Tag {
        if protocol == 0x88a8 { Tag::Service } else { Tag::Customer }
    }
}

impl Frame {
    /// Bytes it had on the wire, with the VLAN tag that was taken off it.
    #[inline(always)]
    pub const fn bytes_on_wire(&self) -> u32 {
        const TAG: u32 = 4;
        self.wire_bytes + if self.tag as u8 == Tag::None as u8 { 0 } else { TAG }
    }
}

/// What [`Source::receive`] came back with.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Received {
    /// At least one frame is in the batch.
    Frames,
    /// Nothing at the moment.
    Idle,
    /// Nothing, and nothing will come.
    End,
}

/// A place that frames come from, owned by one shard's thread.
pub trait Source {
    /// Fills `batch` (empty at the call). Never blocks, never allocates.
    fn receive(&mut self, batch: &mut Batch) -> Received;

    /// The bytes of a frame that was received and not yet released.
    fn bytes(&self, frame: &Frame) -> &[u8];

    /// Gives the batch's frames back.
    fn release(&mut self, batch: &Batch);

    /// Where a frame's next piece lies in packet memory that readers map, and its length: the
    /// first, or the one after the piece at `after`. None after the last, and always where frames
    /// do not lie in such memory.
    fn piece(&self, _frame: &Frame, _after: Option<u64>) -> Option<(u64, u32)> {
        None
    }

    /// Whether a frame lies in such memory in one piece: `captured_bytes` at `addr`.
    fn is_whole(&self, _frame: &Frame) -> bool {
        false
    }

    /// Gives one piece back, of a frame that [`Source::release`] did not get.
    fn give_back(&mut self, _addr: u64) {}

    /// Passes on what was given back piece by piece.
    fn flush(&mut self) {}

    /// Whether so many pieces are out that frames may soon find no place.
    fn is_short(&self) -> bool {
        false
    }

    /// Pieces that this shard has, those aside that belong to a frame not yet whole.
    fn lent(&self) -> u64 {
        0
    }

    /// Pieces that may be out for readers without frames finding no place; none: the frames are
    /// copied for readers.
    fn lendable(&self) -> Option<u64> {
        None
    }

    /// How late a frame may come to the shard after its timestamp, nanoseconds.
    fn lateness_ns(&self) -> u64 {
        0
    }

    /// The time that timers go by, Unix nanoseconds: the clock for live sources, the newest
    /// timestamp for files.
    fn now_ns(&mut self) -> u64;

    /// Waits for frames, `timeout` at most, where the configuration says sleep; returns at once
    /// where it says busy poll.
    fn wait(&mut self, timeout: Duration);

    /// How far the source is, in bytes done and in all, where it has an end.
    fn progress(&self) -> Option<(u64, u64)> {
        None
    }

    /// Why the source ended before its end, where it did.
    fn trouble(&self) -> Option<String> {
        None
    }
}

/// The frames of one turn.
#[derive(Debug)]
pub struct Batch {
    frames: [Frame; BATCH],
    len: usize,
    most: usize,
}

impl Default for Batch {
    fn default() -> Batch {
        Batch { frames: [Frame::default(); BATCH], len: 0, most: BATCH }
    }
}

impl Batch {
    /// A batch of at most so many frames; one at least.
    pub fn of(most: usize) -> Batch {
        Batch { most: most.clamp(1, BATCH), ..Batch::default() }
    }

    /// Adds a frame. A full batch leaves it out: sources ask [`Batch::room`] first.
    #[inline]
    pub fn push(&mut self, frame: Frame) {
        debug_assert!(self.len < BATCH, "sources ask for room first");
        if let Some(slot) = self.frames.get_mut(self.len) {
            *slot = frame;
            self.len += 1;
        }
    }

    /// Frames that still fit.
    #[inline]
    pub const fn room(&self) -> usize {
        self.most - self.len
    }

    /// Whether nothing more fits.
    #[inline]
    pub const fn is_full(&self) -> bool {
        self.len == self.most
    }

    /// The frames.
    #[inline]
    pub fn as_slice(&self) -> &[Frame] {
        &self.frames[..self.len]
    }

    /// Forgets them.
    #[inline]
    pub fn clear(&mut self) {
        self.len = 0;
    }
}
