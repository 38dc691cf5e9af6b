//! The thread that writes: it alone waits for the disk.
//!
//! It gets blocks of a file with orders and gives the blocks back when they are written. A file is
//! written under a name of its own, with `.part` at its end, and renamed when it is whole. What goes
//! wrong ends the file where it is still good, is counted, and said once.

use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{FileExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, Sender, TryRecvError};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use rustix::fs::{FallocateFlags, OFlags, fallocate};

use super::retain::{self, Limits};
use crate::index::build;
use crate::index::format::Builder;
use crate::sys::uring::{Block, Landed, Ring};

/// Writes under way at once.
pub(super) const DEPTH: u32 = 8;
/// Direct writes begin and end at multiples of this.
pub(super) const ALIGN: usize = 4096;
/// Room that is asked for at a time, so that writes do not lengthen the file.
const RESERVE: u64 = 64 << 20;

/// What to do.
#[derive(Debug)]
pub(super) enum Order {
    /// Begin the file that is to have this name in the end.
    Open(PathBuf),
    /// Write a block's first bytes; up to where all is whole after them, and which sections end.
    Write { block: Block, used: usize, offset: u64, whole: Mark, cuts: Vec<Cut> },
    /// The file ends here.
    Close { end: Mark, index: Option<Box<Builder>> },
    /// Once in a while: look whether the file is still there; have it reach the disk if `sync`.
    Tick { sync: bool },
}

/// A place of a file up to which it has whole packets.
#[derive(Clone, Copy, Default, Debug)]
pub(super) struct Mark {
    pub(super) end: u64,
    /// The same before it was compressed.
    pub(super) stream: u64,
    pub(super) packets: u64,
}

/// The end of what is compressed by itself: where, before it was compressed, and packets so far.
#[derive(Clone, Copy, Debug)]
pub(super) struct Cut {
    pub(super) stream: u64,
    pub(super) packets: u64,
}

/// How to write.
#[derive(Clone, Copy, Debug)]
pub(super) struct Way {
    pub(super) direct: bool,
    pub(super) uring: bool,
    /// A file reaches the disk before it gets its name.
    pub(super) sync_files: bool,
    /// What is added where a compressed file has to end before its end.
    pub(super) tail: &'static [u8],
}

/// What it tells others. It alone writes these, but for `failed`, which a new file takes back.
#[derive(Debug, Default)]
pub(super) struct Told {
    /// The present file cannot be written on.
    pub(super) failed: AtomicBool,
    /// The last failure was for want of room.
    pub(super) full: AtomicBool,
    pub(super) files: AtomicU64,
    pub(super) bytes: AtomicU64,
    /// The same before they were compressed.
    pub(super) stream_bytes: AtomicU64,
    pub(super) index_bytes: AtomicU64,
    /// Packets that were handed over and are in no file.
    pub(super) lost_full: AtomicU64,
    pub(super) lost_error: AtomicU64,
    pub(super) removed: AtomicU64,
    /// The ways that are in use.
    pub(super) direct: AtomicBool,
    pub(super) uring: AtomicBool,
    /// Of the file that is being compressed: its number, bytes that were, and what became of them.
    pressed: Mutex<[u64; 3]>,
}

impl Told {
    /// Packets that were handed over are in no file.
    pub(super) fn lose(&self, packets: u64) {
        let full = self.full.load(Ordering::Relaxed);
        let count = if full { &self.lost_full } else { &self.lost_error };
        count.fetch_add(packets, Ordering::Relaxed);
    }

    /// What was compressed of the present file. Held for a moment only, by either side.
    pub(super) fn pressed(&self) -> MutexGuard<'_, [u64; 3]> {
        self.pressed.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A file that is being written.
#[derive(Debug)]
struct Open {
    file: Arc<File>,
    name: PathBuf,
    part: PathBuf,
    reserved: u64,
    /// Where each block begins, and what is whole after it.
    marks: Vec<(u64, Mark)>,
    /// The end of what was handed over.
    end: u64,
    /// The first write that failed.
    failed_at: Option<u64>,
}

/// See the module.
#[derive(Debug)]
pub(super) struct Disk {
    pub(super) way: Way,
    pub(super) limits: Limits,
    pub(super) ring: Option<Ring>,
    pub(super) free: Sender<Block>,
    pub(super) told: Arc<Told>,
    open: Option<Open>,
    said: String,
}

impl Disk {
    pub(super) fn new(way: Way, limits: Limits, free: Sender<Block>, told: Arc<Told>) -> Disk {
        Disk { way, limits, ring: None, free, told, open: None, said: String::new() }
    }

    /// Obeys until nobody can order any more.
    pub(super) fn run(&mut self, orders: &Receiver<Order>) {
        while let Some(order) = self.next(orders) {
            match order {
                Order::Open(name) => self.begin(name),
                Order::Write { block, used, offset, whole, .. } => {
                    self.write(block, used.next_multiple_of(ALIGN), offset, whole);
                }
                Order::Close { end, index } => self.close(end, index),
                Order::Tick { sync } => self.tick(sync),
            }
        }
        self.land_all();
    }

    /// The next order. While none is there, what is being written lands: who orders may wait for the
    /// memory. None once nobody can order any more.
    fn next(&mut self, orders: &Receiver<Order>) -> Option<Order> {
        loop {
            match orders.try_recv() {
                Ok(order) => return Some(order),
                Err(TryRecvError::Disconnected) => return None,
                Err(TryRecvError::Empty) => {}
            }
            let flying = self.ring.as_ref().is_some_and(|ring| ring.flying() > 0);
            if !flying || !self.land(true) {
                return orders.recv().ok();
            }
        }
    }

    fn begin(&mut self, name: PathBuf) {
        let mut part = name.clone().into_os_string();
        part.push(".part");
        let part = PathBuf::from(part);
        match self.create(&part) {
            Ok(file) => {
                self.told.failed.store(false, Ordering::Release);
                self.open = Some(Open {
                    file: Arc::new(file),
                    name,
                    part,
                    reserved: 0,
                    marks: Vec::new(),
                    end: 0,
                    failed_at: None,
                });
            }
            Err(error) => self.fail(&format!("cannot make {}", part.display()), &error),
        }
    }

    fn create(&self, part: &Path) -> io::Result<File> {
        if let Some(folder) = part.parent() {
            std::fs::create_dir_all(folder)?;
        }
        let mut options = OpenOptions::new();
        options.write(true).create_new(true).mode(0o640);
        if self.way.direct {
            let flag = i32::try_from(OFlags::DIRECT.bits()).unwrap_or(0);
            if let Ok(file) = options.clone().custom_flags(flag).open(part) {
                self.told.direct.store(true, Ordering::Relaxed);
                return Ok(file);
            }
            // It may have been made before the flag was refused.
            std::fs::remove_file(part).ok();
        }
        self.told.direct.store(false, Ordering::Relaxed);
        options.open(part)
    }

    fn write(&mut self, block: Block, length: usize, offset: u64, whole: Mark) {
        let Some(open) = self.open.as_mut() else { return self.give_back(block) };
        open.marks.push((offset, whole));
        if open.failed_at.is_some() {
            return self.give_back(block);
        }
        // A page that was written before it was full is written again: one after the other.
        let again = offset < open.end;
        open.end = offset + u64::try_from(length).unwrap_or(0);
        reserve(open);
        let file = Arc::clone(&open.file);
        if again {
            self.land_all();
        }
        while self.ring.as_ref().is_some_and(|ring| !ring.has_room()) {
            self.land(true);
        }
        if let Some(ring) = &mut self.ring {
            if let Err(landed) = ring.write(&file, block, length, offset) {
                self.landed(*landed);
            }
            self.land(false);
        } else {
            let bytes = block.bytes().get(..length).unwrap_or_default();
            let result = file.write_all_at(bytes, offset).map(|()| length);
            self.landed(Landed { block, offset, length, result });
        }
    }

    fn give_back(&self, block: Block) {
        // Nobody may be left who would take it.
        self.free.send(block).ok();
    }

    fn land_all(&mut self) {
        while self.ring.as_ref().is_some_and(|ring| ring.flying() > 0) {
            if !self.land(true) {
                return;
            }
        }
    }

    /// Takes what was written; whether that works.
    fn land(&mut self, wait: bool) -> bool {
        let Some(ring) = &mut self.ring else { return true };
        let mut landed = Vec::new();
        let result = ring.land(wait, |write| landed.push(write));
        for write in landed {
            self.landed(write);
        }
        if let Err(error) = &result {
            self.fail_at(0, error);
        }
        result.is_ok()
    }

    fn landed(&mut self, mut write: Landed) {
        if let (Ok(bytes), Some(open)) = (&write.result, &self.open)
            && *bytes < write.length
        {
            // A part only: asked for the rest, the kernel says why.
            let rest = write.block.bytes().get(*bytes..write.length).unwrap_or_default();
            let offset = write.offset + u64::try_from(*bytes).unwrap_or(0);
            write.result = open.file.write_all_at(rest, offset).map(|()| write.length);
        }
        if let Err(error) = &write.result {
            self.fail_at(write.offset, error);
        }
        self.give_back(write.block);
    }

    fn fail_at(&mut self, offset: u64, error: &io::Error) {
        let Some(open) = self.open.as_mut() else { return };
        open.failed_at = Some(open.failed_at.map_or(offset, |known| known.min(offset)));
        let what = format!("cannot write {}", open.part.display());
        self.fail(&what, error);
    }

    /// Says what is wrong, once, and tells.
    fn fail(&mut self, what: &str, error: &io::Error) {
        let full =
            matches!(error.kind(), io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded);
        self.told.full.store(full, Ordering::Relaxed);
        self.told.failed.store(true, Ordering::Release);
        let why = error.to_string();
        if self.said != why {
            super::say(&format!(
                "{what}: {why}; packets are dropped and counted, tried again each second"
            ));
            self.said = why;
        }
    }

    fn close(&mut self, end: Mark, index: Option<Box<Builder>>) {
        self.land_all();
        let packets = end.packets;
        let Some(open) = self.open.take() else { return self.told.lose(packets) };
        let mut end = end;
        if let Some(failed_at) = open.failed_at {
            let before = open.marks.iter().rev().find(|(offset, _)| *offset < failed_at);
            end = before.map(|(_, whole)| *whole).unwrap_or_default();
        }
        if end.packets == 0 {
            std::fs::remove_file(&open.part).ok();
            return self.told.lose(packets);
        }
        match self.finish(&open, end, index) {
            Ok([file_bytes, index_bytes]) => {
                let Told { files, bytes, stream_bytes, index_bytes: indexes, .. } = &*self.told;
                for (count, more) in [
                    (files, 1),
                    (bytes, file_bytes),
                    (stream_bytes, end.stream),
                    (indexes, index_bytes),
                ] {
                    count.fetch_add(more, Ordering::Relaxed);
                }
                self.told.lose(packets - end.packets);
                if open.failed_at.is_none() && !self.said.is_empty() {
                    super::say("writing again");
                    self.said.clear();
                }
            }
            Err(error) => {
                self.fail(&format!("cannot finish {}", open.name.display()), &error);
                self.told.lose(packets);
            }
        }
        self.retain(open.name.parent());
    }

    /// Gives a file its length, its index and its name. Bytes of the file and of the index.
    fn finish(&self, open: &Open, end: Mark, index: Option<Box<Builder>>) -> io::Result<[u64; 2]> {
        let Mark { end, stream, packets } = end;
        open.file.set_len(end)?;
        let mut file_bytes = end;
        if open.failed_at.is_some() && !self.way.tail.is_empty() {
            // Not by the descriptor of direct writes, which takes whole pages only.
            let mut file = OpenOptions::new().append(true).open(&open.part)?;
            // Without it the file is read as well, and found to be torn.
            if file.write_all(self.way.tail).is_ok() {
                file_bytes += u64::try_from(self.way.tail.len()).unwrap_or(0);
            }
        }
        let mut index_bytes = 0;
        if let Some(mut builder) = index {
            if open.failed_at.is_some() {
                builder.cut(stream, packets);
            }
            let bytes = builder.finish(file_bytes);
            index_bytes = u64::try_from(bytes.len()).unwrap_or(0);
            // Without it all is found as well, more slowly, and `weir index` makes it anew.
            if let Err(error) = build::write(&open.name, &bytes, self.way.sync_files) {
                super::say(&format!("no index for {}: {error}", open.name.display()));
                index_bytes = 0;
            }
        }
        if self.way.sync_files {
            open.file.sync_data()?;
        }
        std::fs::rename(&open.part, &open.name)?;
        if self.way.sync_files
            && let Some(folder) = open.name.parent()
        {
            File::open(folder)?.sync_all()?;
        }
        Ok([file_bytes, index_bytes])
    }

    fn tick(&mut self, sync: bool) {
        let Some(open) = &self.open else { return };
        let there = std::fs::metadata(&open.part).is_ok_and(|found| {
            open.file
                .metadata()
                .is_ok_and(|ours| (ours.dev(), ours.ino()) == (found.dev(), found.ino()))
        });
        let folder = open.name.parent().map(Path::to_owned);
        if !there {
            self.fail_at(0, &io::Error::other("it was removed, or its directory"));
        } else if sync {
            self.land_all();
            if let Some(open) = &self.open
                && let Err(error) = open.file.sync_data()
            {
                self.fail_at(0, &error);
            }
        }
        if self.limits.age_ns.is_some() {
            self.retain(folder.as_deref());
        }
    }

    fn retain(&self, folder: Option<&Path>) {
        let Some(folder) = folder else { return };
        let removed = retain::remove_oldest(folder, &self.limits);
        self.told.removed.fetch_add(removed, Ordering::Relaxed);
    }
}

/// Has the file system find room beforehand, as far as it can.
fn reserve(open: &mut Open) {
    if open.end <= open.reserved {
        return;
    }
    let wanted = open.end.next_multiple_of(RESERVE);
    let done = fallocate(&*open.file, FallocateFlags::empty(), 0, wanted);
    open.reserved = if done.is_ok() { wanted } else { u64::MAX };
}
