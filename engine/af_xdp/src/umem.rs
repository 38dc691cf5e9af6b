//! The packet memory cut into chunks, and the tokens that stand for them.

use std::ops::Range;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use crate::area::Area;
use crate::custody::Held;
use crate::error::Error;

/// Bytes that the kernel keeps free before every frame for XDP programs (metadata lies there).
pub const XDP_HEADROOM_BYTES: u32 = 256;

/// How to cut the memory.
#[derive(Clone, Copy, Debug)]
pub struct UmemConfig {
    /// Bytes of a chunk: 2048 or 4096. A frame has [`XDP_HEADROOM_BYTES`] and `headroom_bytes`
    /// less than that.
    pub chunk_bytes: u32,
    /// Bytes to be left free before a frame, besides the kernel's own.
    pub headroom_bytes: u32,
}

impl Default for UmemConfig {
    fn default() -> UmemConfig {
        UmemConfig { chunk_bytes: 2048, headroom_bytes: 0 }
    }
}

/// The token for one chunk of one UMEM. There is exactly one for each chunk, and it is either with
/// the program or, while the kernel has the chunk, nowhere.
#[derive(PartialEq, Eq, Debug)]
pub struct Chunk {
    umem: u32,
    index: u32,
}

impl Chunk {
    /// Which chunk of its UMEM.
    pub const fn index(&self) -> u32 {
        self.index
    }

    /// As one word, never zero, for handing it over a ring of this crate.
    pub(crate) fn into_word(self) -> u64 {
        u64::from(self.umem) << 32 | u64::from(self.index)
    }

    /// The token back from its word, which must have come from [`Chunk::into_word`] and is used up.
    #[expect(clippy::cast_possible_truncation, reason = "splits the word into its two halves")]
    pub(crate) const fn from_word(word: u64) -> Chunk {
        Chunk { umem: (word >> 32) as u32, index: word as u32 }
    }
}

/// What is fixed about a UMEM, shared by everything made from it.
#[derive(Debug)]
pub(crate) struct Layout {
    pub(crate) area: Area,
    /// Tells UMEMs apart, so that a chunk of one is not taken for a chunk of another.
    pub(crate) id: u32,
    pub(crate) chunk_bytes: u32,
    pub(crate) headroom_bytes: u32,
    pub(crate) chunks: u32,
}

impl Layout {
    /// The chunk in which `bytes` bytes from `addr` on lie wholly.
    pub(crate) fn chunk_index(&self, addr: u64, bytes: u32) -> Option<u32> {
        // A power of two, so this is a shift.
        let index = u32::try_from(addr >> self.chunk_bytes.trailing_zeros()).ok()?;
        let within = addr & u64::from(self.chunk_bytes - 1);
        let fits = within + u64::from(bytes) <= u64::from(self.chunk_bytes);
        (index < self.chunks && fits).then_some(index)
    }

    pub(crate) fn address(&self, index: u32) -> u64 {
        u64::from(index) * u64::from(self.chunk_bytes)
    }

    /// The token for a descriptor's chunk; the kernel says that it has given it up.
    pub(crate) fn reclaim(&self, addr: u64, bytes: u32) -> Option<Chunk> {
        let index = self.chunk_index(addr, bytes)?;
        Some(Chunk { umem: self.id, index })
    }

    /// The index of a chunk of this UMEM.
    ///
    /// # Panics
    /// When the chunk is another UMEM's: that is a mistake in the program.
    pub(crate) fn own_index(&self, chunk: &Chunk) -> u32 {
        assert!(chunk.umem == self.id, "a chunk of another UMEM");
        chunk.index
    }
}

/// Packet memory, ready to be bound to queues.
///
/// Keep it as long as any of its sockets: they stay open until it is dropped too.
#[derive(Debug)]
pub struct Umem {
    pub(crate) layout: Arc<Layout>,
    /// Queues with a fill ring of their own, in the order in which they were bound.
    pub(crate) bound: Vec<BoundQueue>,
    /// Chunks below this index were handed out ...
    taken: u32,
    /// ... but for these, whose tokens are where they were before it started over.
    held: Vec<Held>,
}

/// A queue that one socket of this UMEM has set up.
#[derive(Debug)]
pub(crate) struct BoundQueue {
    pub(crate) interface_index: u32,
    pub(crate) queue: u32,
    pub(crate) fd: Arc<OwnedFd>,
}

impl Umem {
    /// Cuts `area` into chunks.
    ///
    /// # Errors
    /// When the chunk size is none that the kernel takes, or the area is too small or too large.
    pub fn new(area: Area, config: &UmemConfig) -> Result<Umem, Error> {
        static NEXT_ID: AtomicU32 = AtomicU32::new(1);
        let UmemConfig { chunk_bytes, headroom_bytes } = *config;
        if !matches!(chunk_bytes, 2048 | 4096) {
            return Err(Error::Settings("chunks must be of 2048 or 4096 bytes"));
        }
        if headroom_bytes >= chunk_bytes - XDP_HEADROOM_BYTES {
            return Err(Error::Settings("the headroom leaves no place for the frame"));
        }
        let chunks = u32::try_from(area.bytes() / chunk_bytes as usize)
            .map_err(|_| Error::Settings("more chunks than 32 bits count"))?;
        if chunks == 0 {
            return Err(Error::Settings("the packet memory is smaller than one chunk"));
        }
        // Set-up, once a UMEM. Wrapping after 2^32 of them in one process is beyond reach.
        let id = NEXT_ID.fetch_add(1, Ordering::Relaxed);
        let layout = Layout { area, id, chunk_bytes, headroom_bytes, chunks };
        Ok(Umem { layout: Arc::new(layout), bound: Vec::new(), taken: 0, held: Vec::new() })
    }

    /// The number of chunks.
    pub fn chunks(&self) -> u32 {
        self.layout.chunks
    }

    /// Bytes of a chunk.
    pub fn chunk_bytes(&self) -> u32 {
        self.layout.chunk_bytes
    }

    /// Bytes that a frame can have in one chunk.
    pub fn frame_bytes(&self) -> u32 {
        self.layout.chunk_bytes - self.layout.headroom_bytes - XDP_HEADROOM_BYTES
    }

    /// The memory.
    pub fn area(&self) -> &Area {
        &self.layout.area
    }

    /// Starts over with the same memory, to be bound anew, when its sockets are of no use any more.
    /// What lay in their rings is lost with them: the tokens of all chunks that are not in one of
    /// `held`, one for each custody of this UMEM, are given out by [`Umem::take_chunks`] again.
    ///
    /// None, and nothing has changed, while a socket or a ring of this UMEM is there: the kernel
    /// writes to what was lent to it.
    #[must_use = "nothing has changed where it gives nothing"]
    pub fn anew(&mut self, held: Vec<Held>) -> Option<()> {
        let ours = held.iter().all(|held| held.umem == self.layout.id);
        // This, the custodies, and nothing else: sockets and rings share the layout too.
        let others = Arc::strong_count(&self.layout) - 1;
        if !ours || others != held.len() {
            return None;
        }
        self.bound.clear();
        self.taken = 0;
        self.held = held;
        Some(())
    }

    /// The tokens of the chunks in `range`, in falling order, so that popping gives them rising.
    ///
    /// # Panics
    /// When the range goes beyond the end or begins before the end of an earlier one: every token
    /// is given out once, those of [`Umem::anew`] aside.
    pub fn take_chunks(&mut self, range: Range<u32>) -> Vec<Chunk> {
        assert!(range.start >= self.taken, "these chunks were taken before");
        assert!(range.end <= self.layout.chunks, "chunks beyond the end");
        self.taken = range.end.max(range.start);
        let free = |index: &u32| !self.held.iter().any(|held| held.has(*index));
        range.rev().filter(free).map(|index| Chunk { umem: self.layout.id, index }).collect()
    }
}

impl AsFd for Umem {
    /// The sealed memfd, to be handed to readers.
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.layout.area.as_fd()
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::area::{AreaConfig, HugePages};
    use crate::custody::Custody;

    pub(crate) fn umem(chunks: usize) -> Umem {
        let bytes = chunks * 2048;
        let config = AreaConfig { bytes, huge_pages: HugePages::Off, ..AreaConfig::default() };
        Umem::new(Area::create(&config).unwrap(), &UmemConfig::default()).unwrap()
    }

    #[test]
    fn each_token_is_given_once() {
        let mut umem = umem(8);
        let mut all = umem.take_chunks(0..3);
        all.extend(umem.take_chunks(3..8));
        let mut indices: Vec<u32> = all.iter().map(Chunk::index).collect();
        indices.sort_unstable();
        assert_eq!(indices, (0..8).collect::<Vec<u32>>());
    }

    #[test]
    #[should_panic(expected = "taken before")]
    fn taking_twice_is_a_mistake() {
        let mut umem = umem(8);
        drop(umem.take_chunks(0..4));
        drop(umem.take_chunks(3..5));
    }

    #[test]
    fn starting_over_gives_what_nobody_holds() {
        let mut umem = umem(8);
        let mut custody = Custody::new(&umem);
        let mut chunks = umem.take_chunks(0..8);
        for chunk in chunks.drain(5..) {
            custody.hold_chunk(chunk);
        }
        assert_eq!((custody.count_in(0..2), custody.count_in(0..8)), (2, 3));
        drop(chunks);
        assert!(umem.anew(Vec::new()).is_none(), "a custody is not told");
        umem.anew(vec![custody.held()]).unwrap();
        let indices: Vec<u32> = umem.take_chunks(0..8).iter().map(Chunk::index).collect();
        assert_eq!(indices, [7, 6, 5, 4, 3]);
        assert_eq!(custody.release(0).map(|chunk| chunk.index()), Some(0));
    }

    #[test]
    fn only_whole_frames_within_one_chunk_have_an_index() {
        let umem = umem(4);
        let at = |addr, bytes| umem.layout.chunk_index(addr, bytes);
        assert_eq!(at(0, 2048), Some(0));
        assert_eq!(at(2048 + 256, 1792), Some(1));
        assert_eq!(at(2048 + 256, 1793), None, "runs into the next chunk");
        assert_eq!(at(4 * 2048, 0), None, "beyond the end");
        assert_eq!(at(u64::MAX, u32::MAX), None);
    }

    #[test]
    fn words_bring_tokens_back() {
        let mut umem = umem(4);
        for chunk in umem.take_chunks(0..4) {
            let index = chunk.index();
            let word = chunk.into_word();
            assert_ne!(word, 0);
            let back = Chunk::from_word(word);
            assert_eq!(back, Chunk { umem: umem.layout.id, index });
        }
    }

    #[test]
    fn sizes_that_the_kernel_would_refuse_are_refused() {
        for chunk_bytes in [0, 1, 1024, 3000, 8192] {
            let area = Area::create(&AreaConfig {
                bytes: 1 << 16,
                huge_pages: HugePages::Off,
                ..AreaConfig::default()
            });
            let config = UmemConfig { chunk_bytes, headroom_bytes: 0 };
            assert!(Umem::new(area.unwrap(), &config).is_err());
        }
    }
}
