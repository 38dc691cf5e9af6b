//! Packet readers beside the engine: how old packets are when they get to one.

use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError, mpsc};
use std::thread::JoinHandle;
use std::time::Duration;

use anyhow::Context;
use hdrhistogram::Histogram;
use weir_engine::sys::clock;
use weir_engine::sys::place::{self, Core};
use weir_shm::packets::{Descriptor, PacketOptions, PacketReader, Woken};

/// A reader of descriptors on a thread of its own, until it is dropped.
#[derive(Debug)]
pub(super) struct Reader {
    seen: Arc<Mutex<Seen>>,
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

/// What a reader saw.
#[derive(Clone, Debug)]
pub(super) struct Seen {
    /// From the kernel's timestamp to the reader, nanoseconds.
    pub(super) ages: Histogram<u64>,
    /// Packets read, since it came.
    pub(super) delivered: u64,
    /// Packets that were written over before, since it came.
    pub(super) missed: u64,
}

impl Seen {
    fn nothing() -> Seen {
        const MINUTE_NS: u64 = 60_000_000_000;
        #[expect(clippy::expect_used, reason = "these limits are valid")]
        let ages = Histogram::new_with_bounds(1, MINUTE_NS, 2).expect("valid limits");
        Seen { ages, delivered: 0, missed: 0 }
    }
}

impl Reader {
    /// Attaches to the engine at `socket`.
    ///
    /// # Errors
    /// The engine does not let it in.
    pub(super) fn start(socket: &Path, core: Option<Core>) -> anyhow::Result<Reader> {
        let seen = Arc::new(Mutex::new(Seen::nothing()));
        let stop = Arc::new(AtomicBool::new(false));
        let (tell, told) = mpsc::channel();
        let (theirs, until) = (Arc::clone(&seen), Arc::clone(&stop));
        let socket = socket.to_string_lossy().into_owned();
        let thread = std::thread::Builder::new().spawn(move || {
            if let Some(core) = core {
                place::pin(core);
            }
            let options = PacketOptions { program: "bench".to_owned(), ..PacketOptions::default() };
            match PacketReader::open(&socket, &options) {
                Ok(reader) => {
                    tell.send(Ok(())).ok();
                    read(reader, &theirs, &until);
                }
                Err(error) => {
                    tell.send(Err(error)).ok();
                }
            }
        })?;
        told.recv().context("the reader's thread ended")??;
        Ok(Reader { seen, stop, thread: Some(thread) })
    }

    /// Forgets the ages seen so far.
    pub(super) fn forget(&self) {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner).ages.reset();
    }

    /// What it saw.
    pub(super) fn seen(&self) -> Seen {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl Drop for Reader {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            // Its own panic has said what there is to say.
            thread.join().ok();
        }
    }
}

fn read(mut reader: PacketReader, seen: &Mutex<Seen>, stop: &AtomicBool) {
    const NAP: Duration = Duration::from_millis(50);
    let mut descriptors = [Descriptor::default(); 256];
    while !stop.load(Ordering::Relaxed) {
        let found = reader.descriptors(&mut descriptors);
        if found != 0 {
            let now_ns = clock::unix_ns();
            let mut seen = seen.lock().unwrap_or_else(PoisonError::into_inner);
            for descriptor in descriptors.iter().take(found) {
                seen.ages.saturating_record(now_ns.saturating_sub(descriptor.timestamp_ns));
            }
            let counts = reader.counts();
            (seen.delivered, seen.missed) = (counts.delivered, counts.missed);
        } else if reader.wait(Some(NAP)) == Woken::Over {
            break;
        }
    }
}
