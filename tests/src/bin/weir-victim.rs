//! `weir-victim`: a packet reader that behaves badly, as a process of its own, for the tests of
//! faults. It prints a line when it is attached, and goes on until it is killed or its work is done.

use std::io::Write;
use std::path::Path;
use std::time::Duration;

use anyhow::{Context, bail};
use rustix::fs::{FallocateFlags, fallocate, ftruncate};
use weir_engine::sys::clock;
use weir_shm::packets::{HOLD_MAX, Next, PacketOptions, PacketReader};
use weir_tests::raw::{Raw, ask};

const USAGE: &str = "usage: weir-victim read|sleep|hold|garbage|punch|asks SOCKET [GROUP]
       weir-victim churn SOCKET TIMES [GROUP]";

fn main() -> anyhow::Result<()> {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    match words.as_slice() {
        ["churn", socket, times, group @ ..] => churn(socket, times.parse()?, group),
        ["read", socket, group @ ..] => read(attach(socket, true, group)?, 0),
        ["hold", socket, group @ ..] => read(attach(socket, true, group)?, HOLD_MAX),
        ["sleep", socket, group @ ..] => {
            let _reader = attach(socket, group.is_empty(), group)?;
            for_ever()
        }
        ["garbage", socket, ..] => garbage(Path::new(socket)),
        ["punch", socket, ..] => punch(Path::new(socket)),
        ["asks", socket, ..] => asks(Path::new(socket)),
        _ => bail!(USAGE),
    }
}

/// Tells the test that it is there.
fn say_ready() -> anyhow::Result<()> {
    let mut out = std::io::stdout();
    writeln!(out, "ready")?;
    Ok(out.flush()?)
}

fn options(lease: bool, group: &[&str]) -> PacketOptions {
    let group = group.first().map(ToString::to_string);
    PacketOptions { lease, group, program: "victim".into(), ..PacketOptions::default() }
}

fn attach(socket: &str, lease: bool, group: &[&str]) -> anyhow::Result<PacketReader> {
    let reader = PacketReader::open(socket, &options(lease, group))?;
    say_ready()?;
    Ok(reader)
}

fn for_ever() -> anyhow::Result<()> {
    loop {
        clock::rest(Duration::from_secs(1));
    }
}

/// Reads everything, and keeps the first `keep` packets.
fn read(mut reader: PacketReader, keep: u64) -> anyhow::Result<()> {
    let mut kept = Vec::new();
    loop {
        match reader.hold() {
            Next::Packet(held) if (kept.len() as u64) < keep => kept.push(held),
            Next::Packet(held) => reader.release(held),
            Next::Missed(_) => {}
            Next::Empty => drop(reader.wait(Some(Duration::from_millis(100)))),
            Next::Ended | Next::Died => return Ok(()),
        }
        if keep != 0 && kept.len() as u64 == keep {
            return for_ever();
        }
    }
}

/// Comes, reads a little, and goes, `times` times.
fn churn(socket: &str, times: u32, group: &[&str]) -> anyhow::Result<()> {
    say_ready()?;
    for number in 0..times {
        let mut reader = PacketReader::open(socket, &options(number % 2 == 0, group))?;
        let mut taken = 0;
        while let Next::Packet(held) = reader.hold() {
            taken += 1;
            // Sometimes it goes with packets in its hands.
            if number % 3 != 0 {
                reader.release(held);
            }
            if taken == 64 {
                break;
            }
        }
    }
    Ok(())
}

/// Numbers that look like nothing.
fn random(state: &mut u64) -> u64 {
    *state ^= *state << 13;
    *state ^= *state >> 7;
    *state ^= *state << 17;
    *state
}

/// Writes to its page whatever could do harm, for as long as it lives.
fn garbage(socket: &Path) -> anyhow::Result<()> {
    let raw = Raw::attach(socket, true, b"")?;
    raw.ready()?;
    say_ready()?;
    let mut state = u64::from(std::process::id()) << 20 | 0x9e37;
    let words = raw.words();
    loop {
        let value = random(&mut state);
        let word = usize::try_from(value >> 32)? % words;
        let small = value % 20_000;
        let value = match value % 7 {
            0 => u64::MAX,
            1 => 0,
            2 => small,
            3 => small * 1000,
            4 => u64::MAX - small,
            5 => 1 << 63,
            _ => value,
        };
        // Mostly the words that the first shard looks at: done, taken, wait, wish.
        let word = if state.is_multiple_of(4) { word } else { 16 + word % 4 };
        raw.store(word, value)?;
        if state.is_multiple_of(1000) {
            clock::rest(Duration::from_micros(100));
        }
    }
}

/// Tries to take the page's memory away under the engine: before it says that the page is mapped,
/// where that works, and after, where it must not.
fn punch(socket: &Path) -> anyhow::Result<()> {
    let raw = Raw::attach(socket, true, b"")?;
    let page = raw.page().context("a page")?;
    let hole = FallocateFlags::PUNCH_HOLE | FallocateFlags::KEEP_SIZE;
    for _ in 0..1000 {
        fallocate(page, hole, 0, 4096)?;
    }
    anyhow::ensure!(ftruncate(page, 0).is_err(), "the page can be cut off");
    raw.ready()?;
    anyhow::ensure!(fallocate(page, hole, 0, 4096).is_err(), "a hole can be made");
    anyhow::ensure!(rustix::io::pwrite(page, b"x", 0).is_err(), "it can be written");
    anyhow::ensure!(ftruncate(page, 0).is_err(), "it can be cut off");
    rustix::fs::fcntl_setfl(page, rustix::fs::OFlags::APPEND | rustix::fs::OFlags::NONBLOCK)?;
    say_ready()?;
    for_ever()
}

/// Asks as fast as the engine takes it, and reads no wake-up.
fn asks(socket: &Path) -> anyhow::Result<()> {
    let raw = Raw::attach(socket, false, b"flood")?;
    raw.ready()?;
    say_ready()?;
    let mut state = u64::from(std::process::id()) | 1;
    loop {
        let flow = (1 << 48) | (random(&mut state) % 100_000);
        let slot = u32::try_from(random(&mut state) % 1000)?;
        let what = 1 + u32::try_from(random(&mut state) % 3)?;
        match raw.send(&ask(what, u32::try_from(flow % 3)?, flow, slot)) {
            Ok(_) => {}
            Err(rustix::io::Errno::AGAIN) => clock::rest(Duration::from_micros(50)),
            Err(error) => return Err(error.into()),
        }
    }
}
