//! An engine of this process with packet readers beside it.

use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use anyhow::{Context, anyhow};
use weir_engine::engine::{Engine, Report};
use weir_engine::sys::clock;
use weir_shm::packets::{Held, Next, PacketOptions, PacketReader, ReaderCounts};

use crate::start::{Started, start};

/// A packet as a reader got it.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Got {
    /// Unix nanoseconds.
    pub timestamp_ns: u64,
    /// The frame.
    pub bytes: Vec<u8>,
    /// Bytes on the wire.
    pub wire_bytes: u32,
    /// Its flow's identity; 0: of no flow.
    pub flow_id: u64,
}

/// What one reader got, and what it was told that it missed.
#[derive(Clone, Default, Debug)]
pub struct Taken {
    /// Packets, in the order in which they came.
    pub packets: Vec<Got>,
    /// Missed.
    pub missed: u64,
    /// The engine died rather than ended.
    pub died: bool,
    /// The reader's own counts.
    pub counts: ReaderCounts,
}

/// Reads until the stream ends.
///
/// # Errors
/// The engine does not let the reader in.
pub fn read_all(socket: &Path, options: &PacketOptions) -> anyhow::Result<Taken> {
    read_with(socket, options, |_, _| Ok(()))
}

/// What a reader does with each packet beside keeping it.
pub type Act = fn(&PacketReader, &Held) -> anyhow::Result<()>;

/// Reads until the stream ends, with a look at each packet.
fn read_with(socket: &Path, options: &PacketOptions, act: Act) -> anyhow::Result<Taken> {
    let name = socket.to_str().context("a path in UTF-8")?;
    let mut reader = PacketReader::open(name, options)?;
    let mut taken = Taken::default();
    loop {
        match reader.hold() {
            Next::Packet(held) => {
                act(&reader, &held)?;
                taken.packets.push(Got {
                    timestamp_ns: held.descriptor().timestamp_ns,
                    bytes: reader.bytes(&held).to_vec(),
                    wire_bytes: held.wire_bytes(),
                    flow_id: held.descriptor().flow_id,
                });
                reader.release(held);
            }
            Next::Missed(packets) => taken.missed += packets,
            Next::Empty => {
                reader.wait(Some(Duration::from_millis(100)));
            }
            end @ (Next::Ended | Next::Died) => {
                taken.died = matches!(end, Next::Died);
                taken.counts = reader.counts();
                return Ok(taken);
            }
        }
    }
}

/// Runs an engine over `source`, begun once all `readers` are there, with each of them reading to
/// the end. `while_running` is called once frames may come; a live source ends when it returns.
///
/// # Errors
/// The engine does not start, or a reader is not let in.
pub fn run(
    source: &str,
    settings: &[(&str, toml::Value)],
    readers: &[PacketOptions],
    while_running: impl FnOnce() -> anyhow::Result<()>,
) -> anyhow::Result<(Vec<Taken>, Report)> {
    let none: Act = |_, _| Ok(());
    let readers: Vec<_> = readers.iter().map(|options| (options.clone(), none)).collect();
    run_with(source, settings, &readers, while_running)
}

/// As [`run`], with readers that do something with each packet.
///
/// # Errors
/// The engine does not start, or a reader is not let in or fails.
pub fn run_with(
    source: &str,
    settings: &[(&str, toml::Value)],
    readers: &[(PacketOptions, Act)],
    while_running: impl FnOnce() -> anyhow::Result<()>,
) -> anyhow::Result<(Vec<Taken>, Report)> {
    run_beside(source, settings, readers, while_running, |_, _| Ok(()))
}

/// As [`run_with`], with `beside` running on a thread of its own all the while: it is given the
/// socket, and ends soon after what it is given too says that everything was read.
///
/// # Errors
/// As [`run_with`], and what `beside` says.
pub fn run_beside(
    source: &str,
    settings: &[(&str, toml::Value)],
    readers: &[(PacketOptions, Act)],
    while_running: impl FnOnce() -> anyhow::Result<()>,
    beside: impl FnOnce(&str, &AtomicBool) -> anyhow::Result<()> + Send,
) -> anyhow::Result<(Vec<Taken>, Report)> {
    let Started { mut engine, socket, config, place: _place } =
        start(source, settings, false, readers.len())?;
    let (gone, over) = (AtomicBool::new(false), AtomicBool::new(false));
    std::thread::scope(|scope| {
        let handles: Vec<_> = readers
            .iter()
            .map(|(options, act)| {
                let (socket, gone) = (&socket, &gone);
                scope.spawn(move || {
                    let taken = read_with(socket, options, *act);
                    gone.store(taken.is_err(), Ordering::Relaxed);
                    taken
                })
            })
            .collect();
        let rest = |engine: &mut Engine| -> anyhow::Result<()> {
            engine.serve()?;
            clock::rest(Duration::from_millis(1));
            Ok(())
        };
        while engine.is_waiting() && !gone.load(Ordering::Relaxed) {
            rest(&mut engine)?;
        }
        let beside = scope.spawn(|| beside(socket.to_str().context("a path in UTF-8")?, &over));
        let acted = while_running();
        let live = config.sources.iter().all(|source| !source.is_file());
        while !(live || engine.is_done() && engine.all_is_read()) {
            rest(&mut engine)?;
        }
        if live {
            // What the shards took in, readers take before the end.
            for _ in 0..200 {
                rest(&mut engine)?;
            }
        }
        over.store(true, Ordering::Relaxed);
        while !beside.is_finished() {
            rest(&mut engine)?;
        }
        beside.join().map_err(|_| anyhow!("what ran beside panicked"))??;
        let report = engine.finish();
        let join = |handle: std::thread::ScopedJoinHandle<'_, anyhow::Result<Taken>>| {
            handle.join().map_err(|_| anyhow!("a reader panicked"))?
        };
        let taken = handles.into_iter().map(join).collect::<anyhow::Result<_>>()?;
        acted?;
        Ok((taken, report))
    })
}
