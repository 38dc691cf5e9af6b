//! An engine under traffic that does not stop, a witness that must lose nothing, and victims: other
//! processes to which things happen, or which do things.

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use anyhow::{Context, anyhow, ensure};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use weir_engine::books::Count;
use weir_engine::engine::{Engine, Report};
use weir_engine::sys::clock;
use weir_shm::packets::{Next, PacketOptions, PacketReader};

use crate::cable::{Cable, FAR, NEAR};
use crate::player;
use crate::start::{Started, start};
use crate::traffic;

/// Frames a second: far below what a busy machine of two cores takes.
pub const RATE: u64 = 4_000;

/// How often a fault is repeated: `usual`, or what the environment says in `WEIR_FAULT_LOOPS`.
pub fn loops(usual: usize) -> usize {
    let said = std::env::var("WEIR_FAULT_LOOPS").ok().and_then(|text| text.parse().ok());
    said.map_or(usual, |said: usize| said.max(usual))
}

/// Frames that an interface takes, played in a circle.
pub fn frames() -> Vec<Vec<u8>> {
    let fits = |frame: &Vec<u8>| (60..=2900).contains(&frame.len());
    traffic::mixed(400, 5).frames.into_iter().map(|(_, frame)| frame).filter(fits).collect()
}

/// Sends `frames` in a circle until `over`. How many were sent.
///
/// # Errors
/// As [`player::play`].
pub fn play(cable: &Cable, frames: &[Vec<u8>], over: &AtomicBool) -> anyhow::Result<u64> {
    cable.enter()?;
    let goes_on = |_: &&Vec<u8>| !over.load(Ordering::Relaxed);
    let circle = frames.iter().cycle().take_while(goes_on).map(Vec::as_slice);
    player::play(circle, FAR, RATE, 3600)
}

/// A process that is a packet reader.
#[derive(Debug)]
pub struct Victim {
    child: Child,
}

impl Victim {
    /// Starts it: `program` is `weir-victim`, `words` its arguments. It need not be attached yet.
    ///
    /// # Errors
    /// It cannot be started.
    pub fn start(program: &Path, words: &[&str]) -> anyhow::Result<Victim> {
        let child = Command::new(program).args(words).stdout(Stdio::piped()).spawn()?;
        Ok(Victim { child })
    }

    /// Waits until it says that it is attached.
    ///
    /// # Errors
    /// It ended before.
    pub fn wait_until_ready(&mut self) -> anyhow::Result<()> {
        let mut line = String::new();
        let out = self.child.stdout.take().context("its output")?;
        BufReader::new(out).read_line(&mut line)?;
        ensure!(line == "ready\n", "the victim did not attach");
        Ok(())
    }

    /// Several at once, all attached.
    ///
    /// # Errors
    /// One of them is not.
    pub fn crowd(program: &Path, words: &[&str], count: usize) -> anyhow::Result<Vec<Victim>> {
        let start = |_| Victim::start(program, words);
        let mut crowd = (0..count).map(start).collect::<anyhow::Result<Vec<_>>>()?;
        crowd.iter_mut().try_for_each(Victim::wait_until_ready)?;
        Ok(crowd)
    }

    /// Sends it a signal.
    ///
    /// # Errors
    /// It is gone.
    pub fn signal(&self, signal: rustix::process::Signal) -> anyhow::Result<()> {
        let pid = rustix::process::Pid::from_child(&self.child);
        Ok(rustix::process::kill_process(pid, signal)?)
    }

    /// Waits until it ends. Whether it did what it was to do.
    ///
    /// # Errors
    /// The system's.
    pub fn wait(mut self) -> anyhow::Result<bool> {
        Ok(self.child.wait()?.success())
    }

    /// Whether it has ended by itself.
    ///
    /// # Errors
    /// The system's.
    pub fn has_ended(&mut self) -> anyhow::Result<bool> {
        Ok(self.child.try_wait()?.is_some())
    }
}

impl Drop for Victim {
    fn drop(&mut self) {
        // It may be gone by itself.
        self.child.kill().ok();
        self.child.wait().ok();
    }
}

/// What the well-behaved reader saw.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub struct Witness {
    /// Packets that it got ...
    pub delivered: u64,
    /// ... of which so many were not the ones that had to come.
    pub wrong: u64,
    /// Packets that it missed.
    pub missed: u64,
    /// The engine died under it.
    pub died: bool,
}

/// Reads everything with a lease until `over` and nothing more comes. With one shard the packets
/// must be `frames` in a circle.
fn witness(
    socket: &str,
    frames: &[Vec<u8>],
    in_order: bool,
    over: &AtomicBool,
) -> anyhow::Result<Witness> {
    let options = PacketOptions { lease: true, ..PacketOptions::default() };
    let mut reader = PacketReader::open(socket, &options)?;
    let mut seen = Witness::default();
    let mut expected = frames.iter().cycle();
    loop {
        // Asked first: what came before is then there.
        let last_look = over.load(Ordering::Acquire);
        match reader.hold() {
            Next::Packet(held) => {
                seen.delivered += 1;
                let is_it = expected.next().is_some_and(|frame| reader.bytes(&held) == frame);
                seen.wrong += u64::from(in_order && !is_it);
                reader.release(held);
            }
            Next::Missed(packets) => seen.missed += packets,
            Next::Empty if last_look => return Ok(seen),
            Next::Empty => drop(reader.wait(Some(Duration::from_millis(20)))),
            Next::Ended => return Ok(seen),
            Next::Died => {
                seen.died = true;
                return Ok(seen);
            }
        }
    }
}

/// What an engine went through, and how it came out.
#[derive(Debug)]
pub struct Outcome {
    /// The engine's report.
    pub report: Report,
    /// Frames sent to it.
    pub sent: u64,
    /// What the witness saw.
    pub witness: Witness,
}

impl Outcome {
    /// Makes sure that nobody but the victims took notice.
    ///
    /// # Errors
    /// Something was lost, leaked, or does not add up.
    pub fn is_sound(&self) -> anyhow::Result<()> {
        let Outcome { report, sent, witness } = self;
        let lost: u64 = report.queues.iter().map(|(_, counts)| counts.lost()).sum();
        let wire: u64 = report.queues.iter().map(|(_, counts)| counts.wire).sum();
        ensure!(report.balanced(), "the ledger does not balance: {report:?}");
        ensure!(lost == 0, "the engine lost {lost} frames: {:?}", report.queues);
        ensure!(wire == *sent, "{sent} sent, {wire} came");
        let books = &report.books;
        ensure!(books.get(Count::PacketsExported) == *sent, "not every frame was exported");
        let all = Witness { delivered: *sent, ..Witness::default() };
        ensure!(*witness == all, "of {sent} packets the witness saw {witness:?}");
        for count in [Count::PacketsRetained, Count::FramesPinned, Count::FramesLent] {
            ensure!(books.get(count) == 0, "{count:?}: {}", books.get(count));
        }
        ensure!(books.get(Count::ExportsWithoutPlace) == 0, "packets found no place");
        Ok(())
    }
}

/// Runs an engine over `kind` (`xdp`, `packet`) at the end of the cable, with traffic and a witness
/// all the time that `work` runs beside it with the engine's socket.
///
/// # Errors
/// The engine does not start, or the work fails.
pub fn under_traffic(
    cable: &Cable,
    kind: &str,
    settings: &[(&str, toml::Value)],
    work: impl FnOnce(&str) -> anyhow::Result<()> + Send,
) -> anyhow::Result<Outcome> {
    let own: [(&str, toml::Value); 3] = [
        ("flow.capacity", 20_000.into()),
        ("capture.split", "xdp".into()),
        ("engine.shards", 1.into()),
    ];
    let source = format!("{kind}:{NEAR}");
    let Started { mut engine, socket, config, place: _place } =
        start(&source, &[&own, settings].concat(), false, 1)?;
    let socket = socket.to_str().context("a path in UTF-8")?;
    let frames = frames();
    let (quiet, over, done) =
        (AtomicBool::new(false), AtomicBool::new(false), AtomicBool::new(false));
    let in_order = config.shards == 1;
    std::thread::scope(|scope| {
        let witness = scope.spawn(|| witness(socket, &frames, in_order, &over));
        while engine.is_waiting() && !witness.is_finished() {
            serve(&mut engine)?;
        }
        let player = scope.spawn(|| play(cable, &frames, &quiet));
        let done = &done;
        let work = scope.spawn(move || {
            let worked = work(socket);
            done.store(true, Ordering::Release);
            worked
        });
        while !(done.load(Ordering::Acquire) || work.is_finished()) {
            serve(&mut engine)?;
        }
        quiet.store(true, Ordering::Relaxed);
        let worked = work.join().map_err(|_| anyhow!("the work panicked"));
        serve_for(&mut engine, Duration::from_millis(100))?;
        let sent = player.join().map_err(|_| anyhow!("the player panicked"))?;
        serve_for(&mut engine, Duration::from_millis(150))?;
        over.store(true, Ordering::Release);
        while !witness.is_finished() {
            serve(&mut engine)?;
        }
        // It goes, and the shards let it go.
        let witness = witness.join().map_err(|_| anyhow!("the witness panicked"))?;
        serve_for(&mut engine, Duration::from_millis(100))?;
        let report = engine.finish();
        worked??;
        Ok(Outcome { report, sent: sent?, witness: witness? })
    })
}

fn serve_for(engine: &mut Engine, time: Duration) -> anyhow::Result<()> {
    let end = clock::monotonic_ns() + u64::try_from(time.as_nanos())?;
    while clock::monotonic_ns() < end {
        serve(engine)?;
    }
    Ok(())
}

/// What the control thread of `weir run` does, a little more often.
fn serve(engine: &mut Engine) -> anyhow::Result<()> {
    let fd = engine.as_fd();
    let mut fds = [PollFd::new(&fd, PollFlags::IN)];
    poll(&mut fds, Some(&Timespec { tv_sec: 0, tv_nsec: 5_000_000 })).ok();
    Ok(engine.serve()?)
}
