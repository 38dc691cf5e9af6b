//! The recorder's side of the disk: fills blocks of memory and hands them over, and never waits.

use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::sync::mpsc::{self, Receiver, Sender};
use std::thread::JoinHandle;

use super::disk::{ALIGN, Cut, DEPTH, Disk, Mark, Order, Told, Way};
use super::press::{Pack, Press};
use super::retain::Limits;
use crate::files::packed::SECTION_BYTES;
use crate::index::format::Builder;
use crate::sys::uring::{Block, Ring};

/// Bytes of a block.
pub(super) const BLOCK_BYTES: usize = 1 << 20;
const MILLION: u64 = 1_000_000;

/// See the module.
#[derive(Debug)]
pub(super) struct Sink {
    orders: Option<Sender<Order>>,
    free: Receiver<Block>,
    /// Blocks that were given back. The last one is taken first: what was in use of late is still in
    /// the processor's caches.
    spare: Vec<Block>,
    thread: Option<JoinHandle<()>>,
    told: Arc<Told>,
    current: Option<Block>,
    next: Option<Block>,
    /// Bytes of the current block that are filled, and how many of them were handed over already.
    used: usize,
    flushed: usize,
    /// Place in the file of the current block.
    offset: u64,
    /// The end of the last whole packet, in the file and before it was compressed, and how many there
    /// are.
    whole: Mark,
    /// Where what comes is compressed.
    sections: Option<Sections>,
    /// Files so far.
    files: u64,
}

/// What is compressed is cut into sections of whole packets.
#[derive(Debug)]
struct Sections {
    filler: &'static [u8],
    /// Where the present one begins.
    from: u64,
    /// Ends of sections that are to be handed over.
    cuts: Vec<Cut>,
    /// What so many bytes have become, when it was looked at last, and millionths of what they were.
    known: [u64; 2],
    ratio: u64,
}

impl Sink {
    /// Starts the threads, with so many bytes of memory between them and us.
    ///
    /// # Errors
    /// There is no memory, or no thread.
    pub(super) fn start(
        way: Way,
        limits: Limits,
        memory: u64,
        pack: Option<Pack>,
    ) -> io::Result<Sink> {
        let Some(pack) = pack else { return Sink::to_disk(way, limits, memory) };
        // What is compressed takes less room.
        let disk = Sink::to_disk(way, limits, memory / 4)?;
        Sink::to_press(disk, pack, memory - memory / 4)
    }

    fn to_disk(way: Way, limits: Limits, memory: u64) -> io::Result<Sink> {
        let blocks = blocks(memory)?;
        let told = Arc::new(Told::default());
        let ring = if way.uring {
            Ring::new(DEPTH, &blocks)
        } else {
            Err(io::Error::other("not asked for"))
        };
        told.uring.store(ring.is_ok(), Ordering::Relaxed);
        let (give, free) = mpsc::channel();
        for block in blocks {
            give.send(block).map_err(io::Error::other)?;
        }
        let mut disk = Disk::new(way, limits, give, Arc::clone(&told));
        disk.ring = ring.ok();
        let (orders, take) = mpsc::channel();
        let thread = std::thread::Builder::new().name("weir-disk".to_owned());
        let thread = thread.spawn(move || disk.run(&take))?;
        Ok(Sink::over(orders, free, thread, told))
    }

    fn to_press(disk: Sink, pack: Pack, memory: u64) -> io::Result<Sink> {
        let told = Arc::clone(&disk.told);
        let (give, free) = mpsc::channel();
        for block in blocks(memory)? {
            give.send(block).map_err(io::Error::other)?;
        }
        let mut press = Press::new(pack, disk, give)?;
        let (orders, take) = mpsc::channel();
        let thread = std::thread::Builder::new().name("weir-press".to_owned());
        let thread = thread.spawn(move || press.run(&take))?;
        let mut sink = Sink::over(orders, free, thread, told);
        sink.sections = Some(Sections {
            filler: pack.method.filler(),
            from: 0,
            cuts: Vec::new(),
            known: [0; 2],
            ratio: MILLION,
        });
        Ok(sink)
    }

    fn over(
        orders: Sender<Order>,
        free: Receiver<Block>,
        thread: JoinHandle<()>,
        told: Arc<Told>,
    ) -> Sink {
        Sink {
            orders: Some(orders),
            free,
            spare: Vec::new(),
            thread: Some(thread),
            told,
            current: None,
            next: None,
            used: 0,
            flushed: 0,
            offset: 0,
            whole: Mark::default(),
            sections: None,
            files: 0,
        }
    }

    /// What the thread says.
    pub(super) fn told(&self) -> &Told {
        &self.told
    }

    /// Whether the present file cannot be written on.
    pub(super) fn has_failed(&self) -> bool {
        self.told.failed.load(Ordering::Acquire)
    }

    /// Begins a file.
    pub(super) fn open(&mut self, name: PathBuf) {
        self.told.failed.store(false, Ordering::Release);
        (self.used, self.flushed, self.offset, self.whole) = (0, 0, 0, Mark::default());
        self.files += 1;
        if let Some(sections) = &mut self.sections {
            (sections.from, sections.known) = (0, [0; 2]);
            sections.cuts.clear();
        }
        self.order(Order::Open(name));
    }

    /// Whether so many bytes can be taken now.
    pub(super) fn has_room(&mut self, bytes: usize) -> bool {
        if self.current.is_none() {
            self.current = self.next.take().or_else(|| self.take());
            if self.current.is_none() {
                return false;
            }
        }
        if bytes < BLOCK_BYTES - self.used {
            return true;
        }
        self.next = self.next.take().or_else(|| self.take());
        self.next.is_some() && bytes < BLOCK_BYTES
    }

    fn take(&mut self) -> Option<Block> {
        self.spare.extend(self.free.try_iter());
        self.spare.pop()
    }

    /// Waits until any packet can be taken: for what comes from files, which can wait.
    pub(super) fn wait(&mut self) {
        while !self.has_room(BLOCK_BYTES - 1) {
            match self.free.recv() {
                Ok(block) if self.current.is_none() => self.current = Some(block),
                Ok(block) => self.next = Some(block),
                Err(_) => return,
            }
        }
    }

    /// Takes so many bytes in parts. There must be room.
    pub(super) fn put_all(&mut self, parts: [&[u8]; 3], bytes: usize) {
        let whole = self.used..self.used + bytes;
        let block = self.current.as_mut().filter(|_| whole.end < BLOCK_BYTES);
        let Some(mut room) = block.and_then(|block| block.bytes_mut().get_mut(whole)) else {
            return parts.into_iter().for_each(|part| self.put(part));
        };
        for part in parts {
            let Some((now, later)) = room.split_at_mut_checked(part.len()) else { return };
            now.copy_from_slice(part);
            room = later;
        }
        self.used += bytes;
    }

    /// Takes bytes. There must be room.
    pub(super) fn put(&mut self, mut bytes: &[u8]) {
        while let Some(block) = self.current.as_mut().filter(|_| !bytes.is_empty()) {
            let room = block.bytes_mut().get_mut(self.used..BLOCK_BYTES).unwrap_or_default();
            let (now, later) = bytes.split_at(bytes.len().min(room.len()));
            if let Some(room) = room.get_mut(..now.len()) {
                room.copy_from_slice(now);
            }
            self.used += now.len();
            bytes = later;
            if self.used == BLOCK_BYTES {
                self.hand_over(BLOCK_BYTES);
                self.offset += u64::try_from(BLOCK_BYTES).unwrap_or(0);
                (self.used, self.flushed) = (0, 0);
                self.current = self.next.take();
            }
        }
    }

    /// What was put so far is whole; it ends with a packet if `packet`.
    pub(super) fn whole(&mut self, packet: bool) {
        let end = self.end();
        let packets = self.whole.packets + u64::from(packet);
        self.whole = Mark { end, stream: end, packets };
    }

    /// What was put so far is whole, and is so much when it is not compressed.
    pub(super) fn whole_of(&mut self, stream: u64, packets: u64) {
        self.whole = Mark { end: self.end(), stream, packets };
    }

    /// Up to where all is whole.
    pub(super) const fn mark(&self) -> Mark {
        self.whole
    }

    /// Bytes that a section may end with.
    pub(super) fn filler_bytes(&self) -> usize {
        self.sections.as_ref().map_or(0, |sections| sections.filler.len())
    }

    /// Begins another section, where one is that would be too long with so many bytes more. All is
    /// whole, and there must be room for the filler.
    pub(super) fn section(&mut self, bytes: usize) {
        let end = self.end();
        let Some(sections) = &mut self.sections else { return };
        let with = (end - sections.from).saturating_add(u64::try_from(bytes).unwrap_or(u64::MAX));
        if end == sections.from || with <= SECTION_BYTES {
            return;
        }
        let filler = sections.filler;
        self.put(filler);
        self.whole(false);
        let Mark { end: stream, packets, .. } = self.whole;
        let pressed = *self.told.pressed();
        let Some(sections) = &mut self.sections else { return };
        sections.from = stream;
        sections.cuts.push(Cut { stream, packets });
        let [file, stream, bytes] = pressed;
        if stream > 0 {
            let ratio = u128::from(bytes) * u128::from(MILLION) / u128::from(stream);
            sections.ratio = u64::try_from(ratio).unwrap_or(MILLION);
        }
        if file == self.files {
            sections.known = [stream, bytes];
        }
    }

    /// Bytes that the file has, or will have when what was put is compressed: about so many.
    pub(super) fn file_bytes(&self) -> u64 {
        let Some(Sections { known: [stream, bytes], ratio, .. }) = &self.sections else {
            return self.end();
        };
        let more = u128::from(self.end().saturating_sub(*stream)) * u128::from(*ratio);
        bytes + u64::try_from(more / u128::from(MILLION)).unwrap_or(u64::MAX / 2)
    }

    /// Bytes of the file so far.
    pub(super) fn end(&self) -> u64 {
        self.offset + u64::try_from(self.used).unwrap_or(0)
    }

    /// Packets of the file so far.
    pub(super) const fn packets(&self) -> u64 {
        self.whole.packets
    }

    /// Hands over what is there, if the memory allows it, and looks that the file is; has it reach
    /// the disk if `sync`.
    pub(super) fn tick(&mut self, sync: bool) {
        if self.used > self.flushed {
            self.next = self.next.take().or_else(|| self.take());
            if let (Some(mut next), Some(block)) = (self.next.take(), &self.current) {
                let keep = self.used / ALIGN * ALIGN;
                let tail = block.bytes().get(keep..self.used).unwrap_or_default();
                if let Some(place) = next.bytes_mut().get_mut(..tail.len()) {
                    place.copy_from_slice(tail);
                }
                let tail = tail.len();
                self.hand_over(self.used);
                self.current = Some(next);
                self.offset += u64::try_from(keep).unwrap_or(0);
                (self.used, self.flushed) = (tail, tail);
            }
        }
        self.order(Order::Tick { sync });
    }

    /// Ends the file.
    pub(super) fn close(&mut self, index: Option<Box<Builder>>) {
        if self.used > self.flushed {
            self.hand_over(self.used);
        }
        (self.used, self.flushed) = (0, 0);
        self.order(Order::Close { end: self.whole, index });
    }

    /// Ends the thread, after all that was ordered.
    pub(super) fn finish(&mut self) {
        self.orders = None;
        if let Some(thread) = self.thread.take()
            && thread.join().is_err()
        {
            super::say("the thread that writes has panicked");
        }
    }

    /// Hands the current block over.
    fn hand_over(&mut self, used: usize) {
        let Some(mut block) = self.current.take() else { return };
        let length = used.next_multiple_of(ALIGN);
        if let Some(rest) = block.bytes_mut().get_mut(used..length) {
            rest.fill(0);
        }
        let cuts = self.sections.as_mut().map(|sections| std::mem::take(&mut sections.cuts));
        let (offset, whole, cuts) = (self.offset, self.whole, cuts.unwrap_or_default());
        self.order(Order::Write { block, used, offset, whole, cuts });
    }

    fn order(&self, order: Order) {
        if let Some(orders) = &self.orders
            && orders.send(order).is_err()
        {
            self.told.failed.store(true, Ordering::Release);
        }
    }
}

/// Blocks of so much memory.
fn blocks(memory: u64) -> io::Result<Vec<Block>> {
    let count = memory.div_ceil(u64::try_from(BLOCK_BYTES).unwrap_or(u64::MAX));
    Block::many(u16::try_from(count).unwrap_or(u16::MAX).max(4), BLOCK_BYTES)
}
