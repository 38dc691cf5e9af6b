//! The memory itself, and the crate's only room for `unsafe`: mapping a memfd and lending its
//! words as atomics.
//!
//! Two rules make the rest of the crate safe code. A map is only ever seen as 64-bit atomics, for
//! which every bit pattern is a value, so nothing another process writes can be undefined here. And
//! a map that was made read-only is only ever loaded from, relaxed, which the memory model allows
//! on read-only pages; acquire order comes from fences.

#![expect(unsafe_code, reason = "maps memory shared with other processes; docs/SAFETY.md")]

use crate::{
    error::Error,
    flow::FlowSlot,
    health::HealthSlot,
    sync::{AtomicU64, Ordering},
};
use memmap2::{MmapOptions, MmapRaw};
use rustix::fs::{
    MemfdFlags, SealFlags, fcntl_add_seals, fcntl_get_seals, ftruncate, memfd_create,
};
use rustix::mm::{MapFlags, ProtFlags, mmap, mmap_anonymous, munmap};
use std::{
    fmt,
    ops::Deref,
    os::fd::{AsFd, BorrowedFd, OwnedFd},
    ptr::NonNull,
    sync::Arc,
};

/// Bytes of a word.
pub(crate) const WORD: usize = 8;
const PAGE: usize = 4096;
const HUGE_PAGE: usize = 2 << 20;

/// The flow table as its writer sees it: a slice of slots.
pub type FlowSlots = WriteSection<FlowSlot>;
/// The flows' health as its writer sees it, by the same index.
pub type HealthSlots = WriteSection<HealthSlot>;
/// Words that this process writes.
pub(crate) type WriteWords = WriteSection<AtomicU64>;

/// Types that a shared map may be seen as.
///
/// # Safety
/// The type is made of `AtomicU64` and nothing else, has a size that is a multiple of its
/// alignment, and an alignment of at most a page.
pub unsafe trait Shared {}
// SAFETY: it is an `AtomicU64`.
unsafe impl Shared for AtomicU64 {}
// SAFETY: `repr(C)` around an array of `AtomicU64` of the struct's own size (asserted in `flow`).
unsafe impl Shared for FlowSlot {}
// SAFETY: `repr(C)` around an array of `AtomicU64` of the struct's own size (asserted in `health`).
unsafe impl Shared for HealthSlot {}

/// A writable map of a shared file. It begins on a boundary of 2 MiB, so that the kernel can put
/// pages of that size under it.
#[derive(Debug)]
struct OwnMap {
    start: NonNull<u8>,
    bytes: usize,
}

impl OwnMap {
    /// Maps the first `bytes` of `fd`, whole pages and at least one.
    fn new(fd: &OwnedFd, bytes: usize) -> std::io::Result<Self> {
        let room_bytes = bytes.checked_add(HUGE_PAGE).ok_or(std::io::ErrorKind::OutOfMemory)?;
        let private = MapFlags::PRIVATE | MapFlags::NORESERVE;
        // SAFETY: a new map, at a place of the kernel's choice.
        let room = unsafe {
            mmap_anonymous(std::ptr::null_mut(), room_bytes, ProtFlags::empty(), private)?
        };
        let before = room.addr().next_multiple_of(HUGE_PAGE) - room.addr();
        // SAFETY: `before` is less than 2 MiB, by which the room is longer than the map.
        let start = unsafe { room.byte_add(before) };
        let (access, shared) =
            (ProtFlags::READ | ProtFlags::WRITE, MapFlags::SHARED | MapFlags::FIXED);
        // SAFETY: it takes the place of a part of the room, which nobody else knows of.
        let mapped = unsafe { mmap(start, bytes, access, shared, fd, 0) };
        if before > 0 {
            // SAFETY: the part of the room before the map; nothing refers to it.
            unsafe { munmap(room, before)? };
        }
        // SAFETY: the map ends within the room.
        let end = unsafe { start.byte_add(bytes) };
        // SAFETY: the part of the room behind the map; nothing refers to it.
        unsafe { munmap(end, HUGE_PAGE - before)? };
        let start = NonNull::new(mapped?.cast::<u8>()).ok_or(std::io::ErrorKind::OutOfMemory)?;
        Ok(Self { start, bytes })
    }

    fn len(&self) -> usize {
        self.bytes
    }

    fn as_mut_ptr(&self) -> *mut u8 {
        self.start.as_ptr()
    }

    /// Has the kernel put pages of 2 MiB under a part of the map, as far as it goes: without them a
    /// table of many millions of bytes costs a walk through the page tables for nearly every line.
    /// Linux has this from 6.1 on, whatever its settings say of huge pages; it is no loss without.
    fn collapse(&self, offset: usize, bytes: usize) {
        /// `MADV_COLLAPSE` of Linux.
        const COLLAPSE: i32 = 25;
        let from = offset.next_multiple_of(HUGE_PAGE);
        let to = (offset + bytes).min(self.bytes) / HUGE_PAGE * HUGE_PAGE;
        if from < to {
            // SAFETY: `from` is within the map.
            let start = unsafe { self.start.as_ptr().add(from) };
            // SAFETY: so is the range, and the advice changes nothing of its content.
            unsafe { libc::madvise(start.cast(), to - from, COLLAPSE) };
        }
    }
}

impl Drop for OwnMap {
    fn drop(&mut self) {
        // SAFETY: the map is this value's, and whatever refers to it keeps it alive.
        let unmapped = unsafe { munmap(self.start.as_ptr().cast(), self.bytes) };
        debug_assert!(unmapped.is_ok(), "unmapping a segment: {unmapped:?}");
    }
}

// SAFETY: memory of the process, without ties to a thread.
unsafe impl Send for OwnMap {}
// SAFETY: as for `Send`; what is in it is seen as atomics.
unsafe impl Sync for OwnMap {}

/// A memfd that this process made and may write; everybody else may only read it.
#[derive(Debug)]
pub(crate) struct WriteMap {
    map: OwnMap,
    fd: OwnedFd,
    huge: bool,
}

impl WriteMap {
    /// Makes a zeroed segment of at least `bytes`, on 2 MiB pages if asked for and there are any.
    ///
    /// The map is writable, and from then on the memfd is sealed: no new writable map, no write,
    /// no change of size, no further seal, for anybody.
    pub(crate) fn create(name: &str, bytes: usize, huge: bool) -> Result<Arc<Self>, Error> {
        if huge && let Ok(map) = Self::create_with(name, bytes.next_multiple_of(HUGE_PAGE), true) {
            return Ok(Arc::new(map));
        }
        Ok(Arc::new(Self::create_with(name, bytes.next_multiple_of(PAGE), false)?))
    }

    fn create_with(name: &str, bytes: usize, huge: bool) -> Result<Self, Error> {
        let say = |what: &str| format!("{what} {bytes} bytes of shared memory for {name}");
        let fd = memfd(name, huge).map_err(|e| Error::os(say("creating"), e))?;
        ftruncate(&fd, u64::try_from(bytes).unwrap_or(u64::MAX))
            .map_err(|e| Error::os(say("sizing"), e))?;
        let map = OwnMap::new(&fd, bytes).map_err(|e| Error::os(say("mapping"), e))?;
        fcntl_add_seals(&fd, SEALS | SealFlags::SEAL).map_err(|e| Error::os(say("sealing"), e))?;
        Ok(Self { map, fd, huge })
    }

    /// Whether the memory is really on huge pages of the reserved pool.
    pub(crate) fn on_huge_pages(&self) -> bool {
        self.huge
    }

    /// Whole length, in bytes.
    pub(crate) fn bytes(&self) -> usize {
        self.map.len()
    }

    /// `count` elements from byte `offset` on.
    ///
    /// # Panics
    /// If they do not lie inside of the map or are not aligned: a mistake of the layout.
    pub(crate) fn section<T: Shared>(
        self: &Arc<Self>,
        offset: usize,
        count: usize,
    ) -> WriteSection<T> {
        let end = size_of::<T>().checked_mul(count).and_then(|bytes| bytes.checked_add(offset));
        assert!(end.is_some_and(|end| end <= self.map.len()), "section outside of its segment");
        // SAFETY: `offset` is at most the map's length, checked above.
        let start = unsafe { self.map.as_mut_ptr().add(offset) };
        let base = NonNull::new(start.cast::<T>()).unwrap_or(NonNull::dangling());
        assert!(base.is_aligned(), "section not aligned");
        WriteSection { base, count, map: Arc::clone(self) }
    }
}

impl AsFd for WriteMap {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.fd.as_fd()
    }
}

/// A part of a segment that this process made, as a slice of atomics. Keeps the memory mapped.
pub struct WriteSection<T: Shared> {
    base: NonNull<T>,
    count: usize,
    map: Arc<WriteMap>,
}

impl<T: Shared> WriteSection<T> {
    /// Writes to every page of the section, so that the memory comes from the NUMA node of the
    /// calling thread, and is on large pages where the kernel has them. To be called by the section's
    /// writer, before anything else uses it.
    pub(crate) fn touch(&self) {
        let bytes = size_of::<T>() * self.count;
        let offset = self.base.as_ptr().addr() - self.map.map.start.addr().get();
        let words: WriteWords = self.map.section(offset, bytes / WORD);
        for page in words.chunks(PAGE / WORD) {
            page[0].store(page[0].load(Ordering::Relaxed), Ordering::Relaxed);
        }
        self.map.map.collapse(offset, bytes);
    }
}

impl<T: Shared> Deref for WriteSection<T> {
    type Target = [T];

    #[inline(always)]
    fn deref(&self) -> &[T] {
        // SAFETY: `WriteMap::section` checked bounds and alignment; the map lives as long as
        // `self.map`; `T` is made of atomics, so any bytes are a `T` and shared writes are allowed.
        unsafe { std::slice::from_raw_parts(self.base.as_ptr(), self.count) }
    }
}

// SAFETY: access is by `&T` alone, and `T` is made of atomics; the map behind it may be unmapped
// from any thread.
unsafe impl<T: Shared> Send for WriteSection<T> {}
// SAFETY: as for `Send`.
unsafe impl<T: Shared> Sync for WriteSection<T> {}

impl<T: Shared> fmt::Debug for WriteSection<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WriteSection").field("count", &self.count).finish_non_exhaustive()
    }
}

impl<T: Shared> Clone for WriteSection<T> {
    fn clone(&self) -> Self {
        Self { base: self.base, count: self.count, map: Arc::clone(&self.map) }
    }
}

/// Asks for the cache line of something that is going to be written: it is here by then, and no
/// other core keeps a copy. Reads and writes nothing.
#[inline(always)]
pub(crate) fn fetch_to_write<T>(value: &T) {
    #[cfg(target_arch = "x86_64")]
    {
        let address = std::ptr::from_ref(value).cast::<u8>();
        // SAFETY: a prefetch has no effect that the program can see, whatever the address; a
        // processor that does not have the instruction does nothing. The intrinsic would ask to
        // read where the compiler is not told of it.
        unsafe {
            std::arch::asm!(
                "prefetchw [{}]", in(reg) address, options(readonly, nostack, preserves_flags)
            );
        }
    }
    #[cfg(not(target_arch = "x86_64"))]
    let _ = value;
}

/// Another process's segment, mapped read-only.
#[derive(Debug)]
pub(crate) struct ReadMap {
    map: MmapRaw,
}

impl ReadMap {
    /// Maps a received descriptor, after making sure that its owner cannot shrink it below the
    /// map (which would kill the reader) and that it is `bytes` long.
    pub(crate) fn open(fd: &OwnedFd, segment: &str, bytes: u64) -> Result<Arc<Self>, Error> {
        let seals = fcntl_get_seals(fd).map_err(|_| Error::segment(segment, "not a memfd"))?;
        if !seals.contains(SEALS) {
            return Err(Error::segment(segment, "not sealed"));
        }
        let stat = rustix::fs::fstat(fd).map_err(|e| Error::os("asking a segment's size", e))?;
        if u64::try_from(stat.st_size).ok() != Some(bytes) {
            return Err(Error::segment(segment, "its size is not the announced one"));
        }
        let bytes = usize::try_from(bytes).map_err(|_| Error::segment(segment, "too large"))?;
        if bytes == 0 || !bytes.is_multiple_of(PAGE) {
            return Err(Error::segment(segment, "its size is not whole pages"));
        }
        let map = MmapOptions::new()
            .len(bytes)
            .map_raw_read_only(fd)
            .map_err(|e| Error::os(format!("mapping {bytes} bytes of {segment}"), e))?;
        Ok(Arc::new(Self { map }))
    }

    /// Maps the words that a reader writes: the engine's own memfd of that size.
    fn of_page(fd: &OwnedFd, bytes: usize) -> Result<Arc<Self>, Error> {
        let map = MmapOptions::new()
            .len(bytes)
            .map_raw_read_only(fd)
            .map_err(|e| Error::os("mapping a reader's page", e))?;
        Ok(Arc::new(Self { map }))
    }

    /// Whole length, in bytes.
    pub(crate) fn bytes(&self) -> usize {
        self.map.len()
    }

    /// `count` words from byte `offset` on; `None` if they are not inside or not aligned.
    pub(crate) fn words(self: &Arc<Self>, offset: usize, count: usize) -> Option<ReadWords> {
        let end = count.checked_mul(WORD)?.checked_add(offset)?;
        if end > self.map.len() || !offset.is_multiple_of(WORD) {
            return None;
        }
        // SAFETY: `offset` is at most the map's length, checked above.
        let start = unsafe { self.map.as_ptr().add(offset) };
        #[expect(clippy::cast_ptr_alignment, reason = "maps begin on a page, `offset` on a word")]
        let base = NonNull::new(start.cast_mut().cast::<AtomicU64>())?;
        Some(ReadWords { base, count, map: Arc::clone(self) })
    }
}

/// Words that another process may be writing right now.
#[derive(Clone)]
pub(crate) struct ReadWords {
    base: NonNull<AtomicU64>,
    count: usize,
    map: Arc<ReadMap>,
}

impl ReadWords {
    /// Number of words.
    pub(crate) fn len(&self) -> usize {
        self.count
    }

    /// One word, relaxed; 0 outside.
    #[inline(always)]
    pub(crate) fn load(&self, index: usize) -> u64 {
        self.words().get(index).map_or(0, |word| word.load(Ordering::Relaxed))
    }

    /// Asks for the cache line of a word that is going to be read. Reads nothing.
    #[inline(always)]
    pub(crate) fn fetch(&self, index: usize) {
        #[cfg(target_arch = "x86_64")]
        if let Some(word) = self.words().get(index) {
            let address = std::ptr::from_ref(word).cast::<i8>();
            // SAFETY: a prefetch has no effect that the program can see, whatever the address.
            unsafe {
                std::arch::x86_64::_mm_prefetch::<{ std::arch::x86_64::_MM_HINT_T0 }>(address);
            };
        }
        #[cfg(not(target_arch = "x86_64"))]
        let _ = index;
    }

    /// A part of these words; none of them where it would not lie inside.
    pub(crate) fn part(&self, from: usize, count: usize) -> Self {
        let inside = from.checked_add(count).is_some_and(|end| end <= self.count);
        let (from, count) = if inside { (from, count) } else { (0, 0) };
        // SAFETY: `from` is inside of these words, checked above.
        let base = unsafe { self.base.add(from) };
        Self { base, count, map: Arc::clone(&self.map) }
    }

    #[inline(always)]
    fn words(&self) -> &[AtomicU64] {
        // SAFETY: `ReadMap::words` checked bounds and alignment, the map lives as long as `map`,
        // and its file is sealed against shrinking. The pages are read-only, so the slice stays
        // private and only relaxed 8-byte loads are made through it.
        unsafe { std::slice::from_raw_parts(self.base.as_ptr(), self.count) }
    }
}

// SAFETY: access is by relaxed loads of atomics; unmapping may happen on any thread.
unsafe impl Send for ReadWords {}
// SAFETY: as for `Send`.
unsafe impl Sync for ReadWords {}

impl fmt::Debug for ReadWords {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ReadWords").field("count", &self.count).finish_non_exhaustive()
    }
}

/// A reader's page as the engine makes it: the descriptor to hand over, the words to watch.
///
/// Its size is sealed, so whatever the reader does with the descriptor, the engine's map stays
/// whole; its content is the reader's. Before any shard looks at it, [`seal_page`] is due.
pub(crate) fn make_page(bytes: usize, first: &[u64]) -> Result<(OwnedFd, ReadWords), Error> {
    let fd = memfd("weir reader", false).map_err(|e| Error::os("making a reader's page", e))?;
    let size = u64::try_from(bytes).unwrap_or(u64::MAX);
    ftruncate(&fd, size).map_err(|e| Error::os("sizing a reader's page", e))?;
    // All of it, so that the memory is the engine's own and there from the beginning.
    let mut words: Vec<u8> = first.iter().flat_map(|word| word.to_le_bytes()).collect();
    words.resize(bytes, 0);
    rustix::io::pwrite(&fd, &words, 0).map_err(|e| Error::os("filling a reader's page", e))?;
    fcntl_add_seals(&fd, PAGE_SEALS).map_err(|e| Error::os("sealing a reader's page", e))?;
    let map = ReadMap::of_page(&fd, bytes)?;
    let words = map.words(0, bytes / WORD).ok_or_else(|| Error::segment("a page", "too small"))?;
    Ok((fd, words))
}

/// Leaves the reader nothing but its map of the page: no write and no hole by the descriptor.
///
/// Who looks at a page while another punches a hole in it waits for that to be over, and a punch
/// lasts as long as its process does not run: a shard would wait for a reader. Fails where the
/// reader prevented it.
pub(crate) fn seal_page(fd: BorrowedFd<'_>) -> rustix::io::Result<()> {
    fcntl_add_seals(fd, SealFlags::FUTURE_WRITE | SealFlags::SEAL)
}

/// A reader's page as the reader gets it.
pub(crate) fn open_page(fd: OwnedFd, bytes: u64) -> Result<WriteWords, Error> {
    let bad = |reason| Error::segment("the reader's page", reason);
    let seals = fcntl_get_seals(&fd).map_err(|_| bad("not a memfd"))?;
    let stat = rustix::fs::fstat(&fd).map_err(|e| Error::os("asking the page's size", e))?;
    let bytes = usize::try_from(bytes).map_err(|_| bad("too large"))?;
    if !seals.contains(SealFlags::SHRINK) || usize::try_from(stat.st_size) != Ok(bytes) {
        return Err(bad("its size is not sealed, or not the announced one"));
    }
    if bytes == 0 || !bytes.is_multiple_of(PAGE) {
        return Err(bad("its size is not whole pages"));
    }
    let map = OwnMap::new(&fd, bytes).map_err(|e| Error::os("mapping the reader's page", e))?;
    let map = Arc::new(WriteMap { map, fd, huge: false });
    Ok(map.section(0, bytes / WORD))
}

/// The packet memory, mapped read-only: bytes that the engine or the kernel may be writing.
#[derive(Debug, Clone)]
pub(crate) struct Frames {
    words: ReadWords,
}

impl Frames {
    /// Maps received packet memory, with the same checks as for a segment.
    pub(crate) fn open(fd: &OwnedFd, bytes: u64) -> Result<Self, Error> {
        let map = ReadMap::open(fd, "the packet memory", bytes)?;
        let words = map.words(0, map.bytes() / WORD);
        let words = words.ok_or_else(|| Error::segment("the packet memory", "too small"))?;
        Ok(Self { words })
    }

    /// Appends `bytes` bytes at `address` to `into`, by words, as they are at that moment. False,
    /// with nothing appended, if they are not inside.
    pub(crate) fn copy(&self, address: u64, bytes: u32, into: &mut Vec<u8>) -> bool {
        let Some((from, to)) = self.range(address, bytes) else { return false };
        let (first, last) = (from / WORD, to.div_ceil(WORD));
        let Some(words) = self.words.words().get(first..last) else { return false };
        let start = into.len();
        into.resize(start + words.len() * WORD, 0);
        let Some(place) = into.get_mut(start..) else { return false };
        for (eight, word) in place.chunks_exact_mut(WORD).zip(words) {
            eight.copy_from_slice(&word.load(Ordering::Relaxed).to_le_bytes());
        }
        let skip = from - first * WORD;
        if skip != 0 {
            into.copy_within(start + skip.., start);
        }
        into.truncate(start + (to - from));
        true
    }

    /// The bytes themselves; empty if they are not inside.
    ///
    /// Only for frames that the engine holds for this reader: those it promises not to have
    /// written, by anybody, before the reader lets go of them.
    pub(crate) fn leased(&self, address: u64, bytes: u32) -> &[u8] {
        let Some((from, to)) = self.range(address, bytes) else { return &[] };
        let base = self.words.base.as_ptr().cast::<u8>();
        // SAFETY: `range` checked that `from` is inside of the map.
        let start = unsafe { base.add(from) };
        // SAFETY: `range` checked the end too; the map lives as long as `self`, cannot shrink
        // (sealed), and every byte is a `u8`. The frame is leased: the engine's protocol keeps its
        // memory out of use until the reader lets go of it, which needs the borrow to be over.
        unsafe { std::slice::from_raw_parts(start, to - from) }
    }

    fn range(&self, address: u64, bytes: u32) -> Option<(usize, usize)> {
        let from = usize::try_from(address).ok()?;
        let to = from.checked_add(bytes as usize)?;
        (to <= self.words.len() * WORD).then_some((from, to))
    }
}

const PAGE_SEALS: SealFlags = SealFlags::GROW.union(SealFlags::SHRINK);
const SEALS: SealFlags = SealFlags::FUTURE_WRITE.union(SealFlags::GROW).union(SealFlags::SHRINK);

/// Zeroed words as their writer and as a reader see them, through a map of its own.
#[cfg(test)]
pub(crate) fn pair(words: usize) -> (WriteWords, ReadWords) {
    let map = WriteMap::create("weir test", words * WORD, false).expect("shared memory");
    let fd = map.fd.try_clone().expect("a descriptor");
    let read = ReadMap::open(&fd, "test", map.bytes() as u64).expect("a reader's map");
    (map.section(0, words), read.words(0, words).expect("words inside of the map"))
}

/// A memfd that can be sealed; not executable where the kernel knows how to say so (Linux 6.3).
fn memfd(name: &str, huge: bool) -> rustix::io::Result<OwnedFd> {
    let mut flags = MemfdFlags::CLOEXEC | MemfdFlags::ALLOW_SEALING;
    if huge {
        flags |= MemfdFlags::HUGETLB | MemfdFlags::HUGE_2MB;
    }
    match memfd_create(name, flags | MemfdFlags::NOEXEC_SEAL) {
        Err(rustix::io::Errno::INVAL) => memfd_create(name, flags),
        made => made,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rustix::io::Errno;

    fn map() -> Arc<WriteMap> {
        WriteMap::create("weir test", 3 * PAGE, false).unwrap()
    }

    /// A reader holds the very descriptor of the engine and can do nothing with it but read, nor
    /// with one that it opened itself.
    #[test]
    fn the_descriptor_gives_no_way_to_write() {
        let map = map();
        let path = format!("/proc/self/fd/{}", std::os::fd::AsRawFd::as_raw_fd(&map.fd));
        let again = std::fs::File::options().read(true).write(true).open(path).unwrap();
        for fd in [map.fd.try_clone().unwrap(), again.into()] {
            gives_no_way_to_write(&fd);
        }
    }

    fn gives_no_way_to_write(fd: &OwnedFd) {
        let refused = MmapOptions::new().len(PAGE).map_raw(fd).unwrap_err();
        assert_eq!(refused.raw_os_error(), Some(Errno::PERM.raw_os_error()));
        let map = MmapOptions::new().len(PAGE).map_raw_read_only(fd).unwrap();
        let wanted = rustix::mm::MprotectFlags::READ | rustix::mm::MprotectFlags::WRITE;
        // SAFETY: the page is this map's, and nothing refers into it.
        let made = unsafe { rustix::mm::mprotect(map.as_mut_ptr().cast(), PAGE, wanted) };
        assert_eq!(made, Err(Errno::ACCESS), "a map cannot become writable");
        assert_eq!(rustix::io::pwrite(fd, b"x", 0), Err(Errno::PERM));
        assert_eq!(ftruncate(fd, 0), Err(Errno::PERM));
        assert_eq!(ftruncate(fd, 1 << 20), Err(Errno::PERM));
        let hole = rustix::fs::FallocateFlags::PUNCH_HOLE | rustix::fs::FallocateFlags::KEEP_SIZE;
        assert_eq!(rustix::fs::fallocate(fd, hole, 0, PAGE as u64), Err(Errno::PERM));
        assert_eq!(fcntl_add_seals(fd, SealFlags::WRITE), Err(Errno::PERM));
    }

    /// Until it has mapped its page a reader may do with it what it likes but change its size; after,
    /// it has its map and nothing else.
    #[test]
    fn a_page_is_its_readers_map_and_nothing_more() {
        let (fd, seen) = make_page(PAGE, &[7, 8]).unwrap();
        assert_eq!((seen.load(0), seen.load(1), seen.load(2)), (7, 8, 0));
        let page = open_page(fd.try_clone().unwrap(), PAGE as u64).unwrap();
        let hole = rustix::fs::FallocateFlags::PUNCH_HOLE | rustix::fs::FallocateFlags::KEEP_SIZE;
        assert_eq!(ftruncate(&fd, 0), Err(Errno::PERM));
        assert_eq!(rustix::fs::fallocate(&fd, hole, 0, PAGE as u64), Ok(()));
        assert_eq!(seen.load(0), 0, "the engine's map stays whole");
        seal_page(fd.as_fd()).unwrap();
        gives_no_way_to_write(&fd);
        page[3].store(9, Ordering::Relaxed);
        assert_eq!(seen.load(3), 9);
        let (fd, _) = make_page(PAGE, &[]).unwrap();
        fcntl_add_seals(&fd, SealFlags::SEAL).unwrap();
        assert_eq!(seal_page(fd.as_fd()), Err(Errno::PERM), "who prevents it is found out");
    }

    #[test]
    fn what_is_written_is_read_through_another_map() {
        let (write, read) = pair(1024);
        write[1023].store(7, Ordering::Relaxed);
        assert_eq!((read.load(1023), read.load(0), read.len()), (7, 0, 1024));
        assert_eq!(read.load(1024), 0, "outside reads as zero");
        assert_eq!(read.load(usize::MAX), 0);
        drop(write);
        assert_eq!(read.load(1023), 7, "the memory outlives its writer");
    }

    #[test]
    fn unsealed_short_and_foreign_files_are_refused() {
        let say = |fd: &OwnedFd, bytes| ReadMap::open(fd, "s", bytes).unwrap_err().to_string();
        let unsealed = memfd("weir test", false).unwrap();
        ftruncate(&unsealed, PAGE as u64).unwrap();
        assert!(say(&unsealed, PAGE as u64).contains("not sealed"));
        let file = OwnedFd::from(tempfile::tempfile().unwrap());
        assert!(say(&file, PAGE as u64).contains("not sealed") || say(&file, 0).contains("memfd"));
        let sealed = map().fd.try_clone().unwrap();
        assert!(say(&sealed, 4 * PAGE as u64).contains("not the announced one"));
        let empty = memfd("weir test", false).unwrap();
        fcntl_add_seals(&empty, SEALS).unwrap();
        assert!(say(&empty, 0).contains("whole pages"));
    }

    #[test]
    fn words_outside_of_a_map_are_not_given() {
        let map = map();
        let fd = map.fd.try_clone().unwrap();
        let read = ReadMap::open(&fd, "s", map.bytes() as u64).unwrap();
        assert!(read.words(0, map.bytes() / WORD).is_some());
        assert!(read.words(8, map.bytes() / WORD).is_none());
        assert!(read.words(4, 1).is_none(), "not aligned");
        assert!(read.words(usize::MAX - 7, 1).is_none());
        assert!(read.words(0, usize::MAX).is_none());
    }

    #[test]
    fn touched_pages_are_there_and_still_zero() {
        let map = map();
        let words: WriteWords = map.section(PAGE, 2 * PAGE / WORD);
        words.touch();
        let blocks = rustix::fs::fstat(&map.fd).unwrap().st_blocks;
        assert_eq!(blocks, 2 * 8, "two pages of eight 512-byte blocks");
        assert!(words.iter().all(|word| word.load(Ordering::Relaxed) == 0));
    }

    /// With or without a pool of huge pages, asking for them gives memory.
    #[test]
    fn huge_pages_fall_back() {
        let map = WriteMap::create("weir test", 5 << 20, true).unwrap();
        assert!(map.bytes() >= 5 << 20);
        assert_eq!(map.on_huge_pages(), map.bytes().is_multiple_of(HUGE_PAGE) && map.huge);
        let words: WriteWords = map.section(0, map.bytes() / WORD);
        words[0].store(1, Ordering::Relaxed);
    }
}
