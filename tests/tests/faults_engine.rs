//! Faults of the engine and of the socket: engines that are killed and come back, files that are
//! read while readers die, and everything that can be said wrongly to an engine.

#![expect(clippy::unwrap_used, clippy::panic, reason = "a step that fails fails the test")]

use std::os::fd::AsFd;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use rustix::fs::{FallocateFlags, SealFlags, fallocate, fcntl_add_seals, ftruncate};
use toml::Value;
use weir_engine::sys::clock;
use weir_shm::packets::{Next, PacketOptions, PacketReader};
use weir_tests::cable::{Cable, NEAR, run};
use weir_tests::faults::{self, Victim, loops, under_traffic};
use weir_tests::raw::{CONTROL, FRAMES, Given, PACKETS, PAGE, READY, Raw, SEGMENTS, ask, hello};
use weir_tests::{programs, readers, traffic};

fn victim() -> &'static Path {
    Path::new(env!("CARGO_BIN_EXE_weir-victim"))
}

fn lease() -> PacketOptions {
    PacketOptions { lease: true, ..PacketOptions::default() }
}

/// Reads whatever engine of this name there is, one after the other, until `over`. How many died
/// under it, and how many ended in order.
fn read_on(name: &str, options: &PacketOptions, over: &AtomicBool, got: &AtomicU64) -> [u64; 2] {
    let mut ends = [0; 2];
    while !over.load(Ordering::Relaxed) {
        let Ok(mut reader) = PacketReader::open(name, options) else {
            clock::rest(Duration::from_millis(2));
            continue;
        };
        let end = loop {
            match reader.hold() {
                Next::Packet(held) => {
                    assert!(!reader.bytes(&held).is_empty());
                    reader.release(held);
                    got.fetch_add(1, Ordering::Relaxed);
                }
                Next::Missed(_) => {}
                Next::Empty => drop(reader.wait(Some(Duration::from_millis(20)))),
                Next::Died => break 0,
                Next::Ended => break 1,
            }
        };
        ends[end] += 1;
    }
    ends
}

#[test]
fn engines_that_are_killed_and_come_back() {
    let test = "engines_that_are_killed_and_come_back";
    let Some(cable) = Cable::new(test).unwrap() else { return };
    let Some(weir) = programs::weir(test) else { return };
    let name = format!("faults-{}", std::process::id());
    let start = || {
        Command::new(&weir)
            .args(["run", &format!("xdp:{NEAR}"), "--name", &name, "--shards", "2"])
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap()
    };
    let member = PacketOptions { group: Some("ids".into()), ..lease() };
    let kinds = [lease(), PacketOptions::default(), member.clone(), member];
    let got: [AtomicU64; 4] = Default::default();
    let (over, frames) = (AtomicBool::new(false), faults::frames());
    let times = loops(20) as u64;
    std::thread::scope(|scope| {
        let player = scope.spawn(|| faults::play(&cable, &frames, &over));
        let readers: Vec<_> = kinds
            .iter()
            .zip(&got)
            .map(|(options, got)| scope.spawn(|| read_on(&name, options, &over, got)))
            .collect();
        let all_read_more = || {
            let before: Vec<u64> = got.iter().map(|got| got.load(Ordering::Relaxed)).collect();
            let more = || {
                let pairs = got.iter().zip(&before);
                pairs.fold(true, |all, (got, before)| all & (got.load(Ordering::Relaxed) > *before))
            };
            for _ in 0..2000 {
                if more() {
                    return true;
                }
                clock::rest(Duration::from_millis(5));
            }
            false
        };
        let mut sound = true;
        for _ in 0..times {
            let mut engine = start();
            sound &= all_read_more();
            engine.kill().unwrap();
            engine.wait().unwrap();
        }
        // The last one ends in order, and its books balance: it says so by its exit code.
        let mut engine = start();
        sound &= all_read_more();
        run(&["kill", "-INT", &engine.id().to_string()]).unwrap();
        sound &= engine.wait().unwrap().success();
        over.store(true, Ordering::Relaxed);
        player.join().unwrap().unwrap();
        for (number, reader) in readers.into_iter().enumerate() {
            let [died, ended] = reader.join().unwrap();
            assert_eq!((died, ended), (times, 1), "reader {number}");
        }
        assert!(sound, "every reader read from every engine, and the last balanced");
    });
}

/// Files wait for readers: a reader that dies must not hold them up, nor harm the others.
#[test]
fn readers_of_a_file_that_are_killed() {
    let place = tempfile::tempdir().unwrap();
    let path = place.path().join("a.pcap");
    let traffic = traffic::mixed(1500, 11);
    traffic.write(&path).unwrap();
    let source = format!("pcap:{}", path.display());
    for shards in [1, 2] {
        let settings = [
            ("export.packet_ring", Value::Integer(1024)),
            ("export.packet_leases", Value::Integer(512)),
            ("engine.shards", Value::Integer(shards)),
        ];
        let none: readers::Act = |_, _| Ok(());
        let (taken, report) = readers::run_beside(
            &source,
            &settings,
            &[(lease(), none), (PacketOptions::default(), none)],
            || Ok(()),
            |socket, over| {
                let mut killed = 0;
                while !over.load(Ordering::Relaxed) && killed < loops(60) {
                    let words = ["sleep", socket];
                    let mut victim = Victim::start(victim(), &words)?;
                    // It may come too late, when the file is read and the engine has gone.
                    victim.wait_until_ready().ok();
                    drop(victim);
                    killed += 1;
                }
                Ok(())
            },
        )
        .unwrap();
        assert!(report.balanced(), "{report:?}");
        for taken in taken {
            assert_eq!((taken.missed, taken.died), (0, false));
            assert_eq!(taken.packets.len(), traffic.frames.len());
        }
    }
}

/// Whatever is said over the socket, the engine answers those who behave.
#[test]
fn nonsense_over_the_socket() {
    let Some(cable) = Cable::new("nonsense_over_the_socket").unwrap() else { return };
    let outcome = under_traffic(&cable, "xdp", &[], |socket| {
        let path = Path::new(socket);
        for round in 0..loops(200) {
            // Silent, half a hello, a long one, another's, an unknown request; and gone.
            let raw = Raw::connect(path)?;
            let whole = hello(PACKETS, true, b"x");
            let message: &[u8] = match round % 6 {
                0 => &[],
                1 => &whole[..30],
                2 => &[whole.clone(), vec![7; 160]].concat(),
                3 => &[0xff; 96],
                4 => &hello(99, false, b""),
                _ => &whole,
            };
            if !message.is_empty() {
                raw.send(message)?;
            }
            drop(raw);
            // Whole, but gone in the middle of the answer or before it is ready; asks before that,
            // asks of nothing, asks that are none, ready twice.
            let raw = Raw::attach(path, round % 2 == 0, b"x")?;
            anyhow::ensure!(raw.status == 0, "the engine takes others");
            let wrong: &[&[u8]] = match round % 6 {
                0 => &[],
                1 => &[&ask(1, 0, 5, 5)],
                2 => &[&ask(READY, 0, 0, 0), &ask(2, 0xffff_ffff, u64::MAX, u32::MAX)],
                3 => &[&ask(READY, 0, 0, 0), &ask(READY, 0, 0, 0)],
                4 => &[&ask(READY, 0, 0, 0), &ask(2, 77, u64::MAX, u32::MAX)],
                _ => &[&[1], &ask(77, 0, 0, 0)],
            };
            for message in wrong {
                // The engine may have closed it already.
                raw.send(message).ok();
            }
        }
        let mut look = Raw::connect(path)?;
        look.send(&hello(SEGMENTS, false, b"")[..24])?;
        look.take_answer()?;
        anyhow::ensure!(look.status == 0 && look.page().is_none(), "others look on");
        Ok(())
    })
    .unwrap();
    outcome.is_sound().unwrap();
}

/// More readers and groups than there may be are told so, and those that are there go on.
#[test]
fn too_many_readers_and_groups() {
    let Some(cable) = Cable::new("too_many_readers_and_groups").unwrap() else { return };
    let outcome = under_traffic(&cable, "xdp", &[], |socket| {
        let path = Path::new(socket);
        for _ in 0..loops(5) {
            // The witness has the first of 64 places.
            let mut all = Vec::new();
            for number in 0..63_u8 {
                // Names of any bytes: not UTF-8, with zeros, as long as can be.
                let name = match number {
                    0..4 => vec![0xff, b'a' + number, 0, b'a'],
                    4..8 => vec![b'a' + number; 31],
                    8..16 => format!("g/{number}\n../").into_bytes(),
                    _ => Vec::new(),
                };
                let raw = Raw::attach(path, true, &name)?;
                anyhow::ensure!(raw.status == 0, "reader {number}: {}", raw.status);
                if number % 2 == 0 {
                    raw.ready()?;
                }
                all.push(raw);
            }
            let status = |raw: anyhow::Result<Raw>| raw.map_or(u32::MAX, |raw| raw.status);
            anyhow::ensure!(status(Raw::attach(path, true, b"")) == 3, "the 65th is refused");
            all.pop();
            clock::rest(Duration::from_millis(50));
            anyhow::ensure!(status(Raw::attach(path, true, b"one more group")) == 3);
            anyhow::ensure!(status(Raw::attach(path, true, b"")) == 0, "a place is free");
            let mut control = Raw::connect(path)?;
            control.send(&hello(CONTROL, false, b"")[..24])?;
            control.take_answer()?;
            anyhow::ensure!(control.status == 0, "others are heard all the same");
            drop(all);
            clock::rest(Duration::from_millis(100));
        }
        Ok(())
    })
    .unwrap();
    outcome.is_sound().unwrap();
}

/// Pages of 2 MiB, reserved for a test and given back after it.
struct HugePages {
    before: String,
}

impl HugePages {
    const FILE: &str = "/proc/sys/vm/nr_hugepages";
    /// What an engine of these tests takes, and a few more.
    const ENOUGH: u64 = 40;
    const FREE: &str = "/sys/kernel/mm/hugepages/hugepages-2048kB/free_hugepages";

    /// So many more than there are; none if the system has no such memory at hand.
    fn reserve(more: u64) -> Option<HugePages> {
        let before = std::fs::read_to_string(HugePages::FILE).ok()?;
        let wanted = before.trim().parse::<u64>().ok()? + more;
        std::fs::write(HugePages::FILE, wanted.to_string()).ok()?;
        let pages = HugePages { before };
        let now = std::fs::read_to_string(HugePages::FILE).ok()?;
        (now.trim().parse::<u64>().ok()? == wanted).then_some(pages)
    }

    /// Waits until so many are in nobody's use: the kernel gives back what a process had a little after
    /// its end.
    fn wait_for(free: u64) {
        for _ in 0..100 {
            let now = std::fs::read_to_string(HugePages::FREE).unwrap();
            if now.trim().parse::<u64>().unwrap() >= free {
                return;
            }
            clock::rest(Duration::from_millis(50));
        }
        panic!("pages of 2 MiB are not given back");
    }
}

impl Drop for HugePages {
    fn drop(&mut self) {
        // Whoever looks after the machine sees it there if this fails.
        std::fs::write(HugePages::FILE, &self.before).ok();
    }
}

/// Tries everything that could change what is shared. Gives the size of its pages.
fn cannot_be_changed(given: &Given) -> anyhow::Result<u64> {
    let path = format!("/proc/self/fd/{}", std::os::fd::AsRawFd::as_raw_fd(&given.fd));
    let again = std::fs::File::options().read(true).write(true).open(&path)?;
    let cut = std::fs::File::options().write(true).truncate(true).open(&path);
    anyhow::ensure!(cut.is_err(), "opening it cuts it off");
    for fd in [given.fd.as_fd(), again.as_fd()] {
        let bytes = usize::try_from(given.bytes)?;
        let map = memmap2::MmapOptions::new().len(bytes).map_raw(&fd);
        anyhow::ensure!(map.is_err(), "kind {}: a writable map", given.kind);
        let hole = FallocateFlags::PUNCH_HOLE | FallocateFlags::KEEP_SIZE;
        let page = u64::try_from(rustix::fs::fstat(fd)?.st_blksize)?;
        anyhow::ensure!(fallocate(fd, hole, 0, page).is_err(), "a hole");
        anyhow::ensure!(rustix::io::pwrite(fd, b"x", 0).is_err(), "a write");
        anyhow::ensure!(ftruncate(fd, 0).is_err(), "it can be cut off");
        anyhow::ensure!(ftruncate(fd, given.bytes * 2).is_err(), "it can grow");
        anyhow::ensure!(fcntl_add_seals(fd, SealFlags::WRITE).is_err(), "another seal");
        // What belongs to the description that all share is of no use to the engine.
        rustix::fs::fcntl_setfl(fd, rustix::fs::OFlags::APPEND)?;
        // It can be read all the same.
        memmap2::MmapOptions::new().len(bytes).map_raw_read_only(&fd)?;
    }
    Ok(u64::try_from(rustix::fs::fstat(&given.fd)?.st_blksize)?)
}

/// No descriptor that a reader gets lets it change what others see: not as it is, not opened anew,
/// on pages of any size.
fn nothing_shared_can_be_changed(cable: &Cable, kind: &str, settings: &[(&str, Value)], page: u64) {
    let outcome = under_traffic(cable, kind, settings, |socket| {
        let raw = Raw::attach(Path::new(socket), true, b"")?;
        anyhow::ensure!(raw.given.iter().any(|given| given.kind == FRAMES));
        for given in raw.given.iter().filter(|given| given.kind != PAGE) {
            let found = cannot_be_changed(given)?;
            // The control segment is small.
            let expected = if given.kind == CONTROL_SEGMENT { 4096 } else { page };
            anyhow::ensure!(found == expected, "kind {} on pages of {found}", given.kind);
        }
        Ok(())
    })
    .unwrap();
    outcome.is_sound().unwrap();
}

const CONTROL_SEGMENT: u32 = 1;

#[test]
fn what_is_shared_cannot_be_changed() {
    let Some(cable) = Cable::new("what_is_shared_cannot_be_changed").unwrap() else { return };
    nothing_shared_can_be_changed(&cable, "xdp", &[], 4096);
    nothing_shared_can_be_changed(&cable, "packet", &[], 4096);
}

#[test]
fn what_is_shared_on_huge_pages_cannot_be_changed() {
    let test = "what_is_shared_on_huge_pages_cannot_be_changed";
    let Some(cable) = Cable::new(test).unwrap() else { return };
    let Some(_pages) = HugePages::reserve(HugePages::ENOUGH) else {
        return weir_tests::skipped(test, "the system gives no 80 MB in pages of 2 MiB");
    };
    let settings = [
        ("export.huge_pages", Value::Boolean(true)),
        ("capture.frames_per_shard", Value::Integer(4096)),
        ("export.record_ring_bytes", Value::Integer(1 << 20)),
        ("export.arena_bytes", Value::Integer(1 << 20)),
    ];
    for kind in ["xdp", "packet"] {
        HugePages::wait_for(HugePages::ENOUGH);
        nothing_shared_can_be_changed(&cable, kind, &settings, 2 << 20);
    }
}
