//! The thread that compresses, between the recorder and the thread that writes.
//!
//! It takes orders as that one does, and gives its own on to it: the same file, compressed. Sections are
//! compressed by threads of their own, in turn, so that they come back in order. When they or the disk
//! cannot keep up, blocks are not given back, and the recorder drops packets, as from a slow disk.

use std::collections::VecDeque;
use std::io;
use std::sync::atomic::Ordering;
use std::sync::mpsc::{self, Receiver, Sender};

use super::disk::{Cut, Mark, Order};
use super::sink::{BLOCK_BYTES, Sink};
use crate::files::packed::{Method, Packer, Point, begin};
use crate::index::format::Builder;
use crate::sys::uring::Block;

/// Sections under way for each thread.
const AHEAD: usize = 2;

/// How to compress.
#[derive(Clone, Copy, Debug)]
pub(super) struct Pack {
    pub(super) method: Method,
    pub(super) threads: usize,
}

/// A thread that compresses.
#[derive(Debug)]
struct Worker {
    give: Sender<Vec<u8>>,
    done: Receiver<io::Result<Vec<u8>>>,
}

/// See the module.
#[derive(Debug)]
pub(super) struct Press {
    method: Method,
    disk: Sink,
    free: Sender<Block>,
    workers: Vec<Worker>,
    /// Sections so far, and those under way: where each begins and ends.
    sections: usize,
    flying: VecDeque<(u64, Cut)>,
    /// What was not given to a worker yet, and where it begins.
    pending: Vec<u8>,
    from: u64,
    points: Vec<Point>,
    files: u64,
}

impl Press {
    /// # Errors
    /// There are no threads, or no memory.
    pub(super) fn new(pack: Pack, disk: Sink, free: Sender<Block>) -> io::Result<Press> {
        let workers = (0..pack.threads.max(1)).map(|_| Worker::start(pack.method));
        Ok(Press {
            method: pack.method,
            disk,
            free,
            workers: workers.collect::<io::Result<_>>()?,
            sections: 0,
            flying: VecDeque::new(),
            pending: Vec::new(),
            from: 0,
            points: Vec::new(),
            files: 0,
        })
    }

    /// Obeys until nobody can order any more.
    pub(super) fn run(&mut self, orders: &Receiver<Order>) {
        for order in orders {
            match order {
                Order::Open(name) => {
                    self.pending.clear();
                    self.points.clear();
                    (self.from, self.files) = (0, self.files + 1);
                    self.disk.open(name);
                    self.put(&begin(self.method));
                    self.disk.whole_of(0, 0);
                }
                Order::Write { block, used, offset, cuts, .. } => {
                    // A block that was handed over before it was full comes once more.
                    let held = self.from + length(&self.pending);
                    let known = usize::try_from(held.saturating_sub(offset)).unwrap_or(usize::MAX);
                    self.pending.extend(block.bytes().get(known..used).unwrap_or_default());
                    // Nobody may be left who would take it.
                    self.free.send(block).ok();
                    for cut in cuts {
                        self.section(cut);
                    }
                }
                Order::Tick { sync } => {
                    while self.land() {}
                    self.disk.tick(sync);
                }
                Order::Close { end, index } => self.close(end, index),
            }
        }
        self.disk.finish();
    }

    /// What is there up to `cut` is a section.
    fn section(&mut self, cut: Cut) {
        let bytes = usize::try_from(cut.stream.saturating_sub(self.from)).unwrap_or(usize::MAX);
        let later = self.pending.split_off(bytes.min(self.pending.len()));
        let mut section = std::mem::replace(&mut self.pending, later);
        if let Some(data) = section.strip_suffix(self.method.filler()) {
            section.truncate(data.len());
        }
        let from = std::mem::replace(&mut self.from, cut.stream);
        while self.flying.len() >= AHEAD * self.workers.len() {
            self.land();
        }
        let worker = self.sections % self.workers.len();
        if let Some(worker) = self.workers.get(worker) {
            // One that is gone says so when its section is waited for.
            worker.give.send(section).ok();
        }
        self.sections += 1;
        self.flying.push_back((from, cut));
    }

    /// Waits for the oldest section; whether there was one.
    fn land(&mut self) -> bool {
        let number = self.sections - self.flying.len();
        let Some((from, cut)) = self.flying.pop_front() else { return false };
        let worker = self.workers.get(number % self.workers.len());
        let done = worker.and_then(|worker| worker.done.recv().ok());
        match done.unwrap_or_else(|| Err(io::Error::other("a thread that compresses is gone"))) {
            Ok(bytes) if !self.disk.has_failed() => {
                self.points.push(Point { stream: from, file: self.disk.end() });
                self.put(&bytes);
                self.disk.whole_of(cut.stream, cut.packets);
                *self.disk.told().pressed() = [self.files, cut.stream, self.disk.end()];
            }
            // What comes now is lost, and counted as such when the file is closed.
            Ok(_) => {}
            Err(error) => {
                super::say(&format!("cannot compress: {error}"));
                self.disk.told().failed.store(true, Ordering::Release);
            }
        }
        true
    }

    fn close(&mut self, end: Mark, index: Option<Box<Builder>>) {
        if !self.pending.is_empty() {
            self.section(Cut { stream: end.stream, packets: end.packets });
        }
        while self.land() {}
        let Mark { stream, packets, .. } = self.disk.mark();
        self.put(self.method.tail());
        self.disk.whole_of(stream, packets);
        // The first section is found at the file's beginning, with the frame's.
        if let Some(first) = self.points.first_mut() {
            *first = Point::default();
        }
        let points = std::mem::take(&mut self.points);
        let index = index.map(|mut index| {
            index.packed(points, stream);
            if packets < end.packets {
                index.cut(stream, packets);
            }
            index
        });
        let lost = end.packets.saturating_sub(packets);
        self.disk.told().lose(lost);
        self.disk.close(index);
    }

    /// Hands bytes on, as the disk takes them.
    fn put(&mut self, bytes: &[u8]) {
        for part in bytes.chunks(BLOCK_BYTES / 2) {
            self.disk.wait();
            self.disk.put(part);
        }
    }
}

fn length(bytes: &[u8]) -> u64 {
    u64::try_from(bytes.len()).unwrap_or(0)
}

impl Worker {
    fn start(method: Method) -> io::Result<Worker> {
        let mut packer = Packer::new(method)?;
        let (give, sections) = mpsc::channel::<Vec<u8>>();
        let (tell, done) = mpsc::channel();
        let thread = std::thread::Builder::new().name("weir-pack".to_owned());
        thread.spawn(move || {
            for section in sections {
                let mut out = Vec::with_capacity(section.len());
                let result = packer.section(&section, &mut out).map(|()| out);
                if tell.send(result).is_err() {
                    return;
                }
            }
        })?;
        Ok(Worker { give, done })
    }
}
