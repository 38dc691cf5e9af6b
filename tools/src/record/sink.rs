//! The recorder's side of the disk: fills blocks of memory and hands them over, and never waits.

use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::sync::mpsc::{self, Receiver, Sender};
use std::thread::JoinHandle;

use super::disk::{ALIGN, DEPTH, Disk, Order, Told, Way};
use super::retain::Limits;
use crate::index::format::Builder;
use crate::sys::uring::{Block, Ring};

/// Bytes of a block.
pub(super) const BLOCK_BYTES: usize = 1 << 20;

/// See the module.
#[derive(Debug)]
pub(super) struct Sink {
    orders: Option<Sender<Order>>,
    free: Receiver<Block>,
    thread: Option<JoinHandle<()>>,
    told: Arc<Told>,
    current: Option<Block>,
    next: Option<Block>,
    /// Bytes of the current block that are filled, and how many of them were handed over already.
    used: usize,
    flushed: usize,
    /// Place in the file of the current block.
    offset: u64,
    /// The end of the last whole packet, and how many there are.
    whole: u64,
    packets: u64,
}

impl Sink {
    /// Starts the thread, with so many bytes of memory between it and us.
    ///
    /// # Errors
    /// There is no memory, or no thread.
    pub(super) fn start(way: Way, limits: Limits, memory: u64) -> io::Result<Sink> {
        let count = memory.div_ceil(u64::try_from(BLOCK_BYTES).unwrap_or(u64::MAX));
        let count = u16::try_from(count).unwrap_or(u16::MAX).max(4);
        let blocks = Block::many(count, BLOCK_BYTES)?;
        let told = Arc::new(Told::default());
        let (give, free) = mpsc::channel();
        let (orders, take) = mpsc::channel();
        let ring = if way.uring {
            Ring::new(DEPTH, &blocks)
        } else {
            Err(io::Error::other("not asked for"))
        };
        told.uring.store(ring.is_ok(), Ordering::Relaxed);
        for block in blocks {
            give.send(block).map_err(io::Error::other)?;
        }
        let mut disk = Disk::new(way, limits, give, Arc::clone(&told));
        disk.ring = ring.ok();
        let thread = std::thread::Builder::new().name("weir-disk".to_owned());
        let thread = thread.spawn(move || disk.run(&take))?;
        Ok(Sink {
            orders: Some(orders),
            free,
            thread: Some(thread),
            told,
            current: None,
            next: None,
            used: 0,
            flushed: 0,
            offset: 0,
            whole: 0,
            packets: 0,
        })
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
        (self.used, self.flushed, self.offset, self.whole, self.packets) = (0, 0, 0, 0, 0);
        self.order(Order::Open(name));
    }

    /// Whether so many bytes can be taken now.
    pub(super) fn has_room(&mut self, bytes: usize) -> bool {
        if self.current.is_none() {
            self.current = self.next.take().or_else(|| self.free.try_recv().ok());
            if self.current.is_none() {
                return false;
            }
        }
        if bytes < BLOCK_BYTES - self.used {
            return true;
        }
        self.next = self.next.take().or_else(|| self.free.try_recv().ok());
        self.next.is_some() && bytes < BLOCK_BYTES
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
        self.whole = self.end();
        self.packets += u64::from(packet);
    }

    /// Bytes of the file so far.
    pub(super) fn end(&self) -> u64 {
        self.offset + u64::try_from(self.used).unwrap_or(0)
    }

    /// Packets of the file so far.
    pub(super) const fn packets(&self) -> u64 {
        self.packets
    }

    /// Hands over what is there, if the memory allows it, and looks that the file is; has it reach
    /// the disk if `sync`.
    pub(super) fn tick(&mut self, sync: bool) {
        if self.used > self.flushed {
            self.next = self.next.take().or_else(|| self.free.try_recv().ok());
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
        self.order(Order::Close { end: self.whole, packets: self.packets, index });
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
        let Sink { offset, whole, packets, .. } = *self;
        self.order(Order::Write { block, length, offset, whole, packets });
    }

    fn order(&self, order: Order) {
        if let Some(orders) = &self.orders
            && orders.send(order).is_err()
        {
            self.told.failed.store(true, Ordering::Release);
        }
    }
}
