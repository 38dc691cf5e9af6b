//! The four rings of AF_XDP: what goes in and comes out, in tokens.

use std::sync::Arc;

use crate::ring::{Consumer, Producer};
use crate::umem::{Chunk, Layout};

/// A received frame, or a part of one.
#[derive(Debug)]
pub struct Packet {
    /// The memory it is in, now the program's.
    pub chunk: Chunk,
    /// Where in the UMEM its first byte is.
    pub addr: u64,
    /// Its length.
    pub bytes: u32,
    /// Whether it goes on in the next descriptor (multi-buffer).
    pub more: bool,
}

/// Lends chunks to the kernel, for frames to come. One owner a queue.
#[derive(Debug)]
pub struct FillRing {
    pub(crate) ring: Producer<u64>,
    pub(crate) layout: Arc<Layout>,
}

impl FillRing {
    /// Moves chunks from the end of `spare` into the ring until one of the two is exhausted; gives
    /// how many. The end is where chunks were put last, whose bytes may still be in the cache.
    #[inline]
    pub fn fill(&mut self, spare: &mut Vec<Chunk>) -> u32 {
        let wanted = u32::try_from(spare.len()).unwrap_or(u32::MAX);
        let (head, tail) = self.ring.space(wanted);
        let mut count = 0;
        for slot in head.iter_mut().chain(tail) {
            let Some(chunk) = spare.pop() else { break };
            *slot = self.layout.address(self.layout.own_index(&chunk));
            count += 1;
        }
        self.ring.publish(count);
        count
    }

    /// Whether the kernel waits to be called (see [`crate::Socket::wake_receive`]) before it looks
    /// at new chunks.
    #[inline]
    pub fn needs_wakeup(&self) -> bool {
        self.ring.needs_wakeup()
    }

    /// Slots in all.
    pub const fn entries(&self) -> u32 {
        self.ring.entries()
    }
}

/// Gets sent frames' chunks back. One owner a queue.
#[derive(Debug)]
pub struct CompletionRing {
    pub(crate) ring: Consumer<u64>,
    pub(crate) layout: Arc<Layout>,
}

impl CompletionRing {
    /// Appends at most `max` chunks to `into`; gives how many descriptors were read.
    #[inline]
    pub fn drain(&mut self, max: u32, into: &mut Vec<Chunk>) -> u32 {
        let (head, tail) = self.ring.ready(max);
        let mut count = 0;
        for addr in head.iter().chain(tail) {
            into.extend(self.layout.reclaim(*addr, 0));
            count += 1;
        }
        self.ring.consume(count);
        count
    }
}

/// Receives frames.
#[derive(Debug)]
pub struct RxRing {
    pub(crate) ring: Consumer<libc::xdp_desc>,
    pub(crate) layout: Arc<Layout>,
    pub(crate) invalid: u64,
}

impl RxRing {
    /// Hands at most `max` descriptors to `each`, oldest first; gives how many were read.
    #[inline]
    pub fn receive(&mut self, max: u32, mut each: impl FnMut(Packet)) -> u32 {
        let (head, tail) = self.ring.ready(max);
        let mut count = 0;
        for descriptor in head.iter().chain(tail) {
            let libc::xdp_desc { addr, len, options } = *descriptor;
            count += 1;
            match self.layout.reclaim(addr, len) {
                Some(chunk) => {
                    let more = options & libc::XDP_PKT_CONTD != 0;
                    each(Packet { chunk, addr, bytes: len, more });
                }
                None => self.invalid += 1,
            }
        }
        self.ring.consume(count);
        count
    }

    /// Descriptors that named no place in the UMEM; the kernel gives none such.
    pub const fn invalid(&self) -> u64 {
        self.invalid
    }
}

/// Sends frames.
#[derive(Debug)]
pub struct TxRing {
    pub(crate) ring: Producer<libc::xdp_desc>,
    pub(crate) layout: Arc<Layout>,
}

impl TxRing {
    /// Queues frames, each a chunk with an offset in it and a length, from the end of `frames`
    /// until that or the ring is exhausted; gives how many. [`crate::Socket::wake_send`] sends them.
    ///
    /// # Panics
    /// When a frame does not lie in its chunk.
    #[inline]
    pub fn send(&mut self, frames: &mut Vec<(Chunk, u32, u32)>) -> u32 {
        let wanted = u32::try_from(frames.len()).unwrap_or(u32::MAX);
        let (head, tail) = self.ring.space(wanted);
        let mut count = 0;
        for slot in head.iter_mut().chain(tail) {
            let Some((chunk, offset, bytes)) = frames.pop() else { break };
            let index = self.layout.own_index(&chunk);
            let addr = self.layout.address(index) + u64::from(offset);
            assert!(self.layout.chunk_index(addr, bytes) == Some(index), "frame beyond its chunk");
            *slot = libc::xdp_desc { addr, len: bytes, options: 0 };
            count += 1;
        }
        self.ring.publish(count);
        count
    }

    /// Frames in the ring that the kernel has not taken yet.
    #[inline]
    pub fn queued(&mut self) -> u32 {
        let entries = self.ring.entries();
        let (head, tail) = self.ring.space(entries);
        let free = u32::try_from(head.len() + tail.len()).unwrap_or(entries);
        entries - free
    }

    /// Whether the kernel waits to be called before it sends.
    #[inline]
    pub fn needs_wakeup(&self) -> bool {
        self.ring.needs_wakeup()
    }
}
