//! Programs as Debian ships them read an engine and see exactly what is in the file that it plays,
//! while two other readers are attached.

#![expect(clippy::unwrap_used, reason = "a step that fails fails the test")]

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use weir_engine::capture::file::FileSource;
use weir_engine::capture::{Batch, Received, Source};
use weir_engine::sys::clock;
use weir_shm::packets::PacketOptions;
use weir_tests::programs::{self, Running, Suricata, difference};
use weir_tests::readers::{self, Taken};
use weir_tests::traffic::{self, Traffic};

const WITHIN: Duration = Duration::from_secs(90);

/// An engine of its own process that plays a capture to so many readers.
struct Play {
    weir: PathBuf,
    name: String,
    folder: tempfile::TempDir,
    traffic: Traffic,
    engine: Running,
}

/// What cargo builds beside the tests when the workspace is tested.
fn built(test: &str) -> Option<PathBuf> {
    let here = std::env::current_exe().ok()?;
    let binary = here.parent()?.parent()?.join("weir");
    // Where `weir with` finds it too.
    let library = here.with_file_name("libpcap_weir.so");
    if binary.exists() && library.exists() {
        return Some(binary);
    }
    weir_tests::skipped(test, "weir and libpcap_weir.so were not built; test the workspace");
    None
}

impl Play {
    fn start(test: &str, flows: usize, readers: usize, shards: u32) -> Option<Play> {
        let weir = built(test)?;
        let folder = tempfile::tempdir_in("/tmp").unwrap();
        let file = folder.path().join("mixed.pcap");
        let mut traffic = traffic::mixed(flows, 5);
        // Of now: Suricata keeps pieces of datagrams by the clock on the wall.
        traffic.begin_at(clock::unix_ns());
        traffic.write(&file).unwrap();
        let name = format!("{test}-{}", std::process::id());
        let mut command = Command::new(&weir);
        command.args(["run", &format!("pcap:{}", file.display()), "--name", &name]);
        command.args([&format!("--wait-for-readers={readers}"), "--shards", &shards.to_string()]);
        let engine = Running::start(&mut command).unwrap();
        let socket = weir_shm::default_path(&name);
        while weir_shm::Attached::open_path(&socket).is_err() {
            clock::rest(Duration::from_millis(20));
        }
        Some(Play { weir, name, folder, traffic, engine })
    }

    fn file(&self) -> PathBuf {
        self.folder.path().join("mixed.pcap")
    }

    /// `command`, started by `weir with`.
    fn with(&self, command: &Command) -> Running {
        let mut with = Command::new(&self.weir);
        with.args(["with", "--"]).arg(command.get_program()).args(command.get_args());
        Running::start(&mut with).unwrap()
    }

    /// Two readers of this process, one of each kind, on threads of their own.
    fn others(&self) -> [std::thread::JoinHandle<Taken>; 2] {
        [true, false].map(|lease| {
            let socket = weir_shm::default_path(&self.name);
            let options = PacketOptions { lease, ..PacketOptions::default() };
            std::thread::spawn(move || readers::read_all(&socket, &options).unwrap())
        })
    }

    /// The other readers got everything, and the books of the engine balance.
    fn end(self, others: [std::thread::JoinHandle<Taken>; 2]) {
        for other in others {
            let taken = other.join().unwrap();
            assert_eq!((taken.missed, taken.died), (0, false));
            assert_eq!(taken.packets.len(), self.traffic.frames.len());
        }
        let summary = self.engine.finish(WITHIN).unwrap().success().unwrap();
        assert!(summary.contains("balance"), "{summary}");
    }
}

/// Times, lengths on the wire and bytes of a capture's packets.
fn packets_of(file: &Path) -> Vec<(u64, u32, Vec<u8>)> {
    let mut source = FileSource::open(file).unwrap();
    let mut batch = Batch::default();
    let mut packets = Vec::new();
    while source.receive(&mut batch) == Received::Frames {
        for frame in batch.as_slice() {
            packets.push((frame.timestamp_ns, frame.wire_bytes, source.bytes(frame).to_vec()));
        }
        source.release(&batch);
        batch.clear();
    }
    assert!(source.problem().is_none(), "{:?}", source.problem());
    packets
}

/// What a program wrote is the file that was played, packet by packet.
fn writes_the_file(test: &str, program: &str, arguments: &[&str]) {
    let Some(path) = programs::find(test, program) else { return };
    let Some(play) = Play::start(test, 1500, 3, 1) else { return };
    let written = play.folder.path().join("written");
    // A program that gives up its privileges writes there too.
    programs::run(Command::new("chmod").arg("777").arg(play.folder.path()), WITHIN).unwrap();
    let mut command = Command::new(path);
    command.arg("-i").arg(format!("weir:{}", play.name)).arg("-w").arg(&written).args(arguments);
    let running = play.with(&command);
    let others = play.others();
    let said = running.finish(WITHIN).unwrap();
    assert!(said.status.success(), "{program}: {}{}", said.errors, said.output);
    let (expected, got) = (packets_of(&play.file()), packets_of(&written));
    assert_eq!(got.len(), expected.len(), "{}", said.errors);
    assert!(got == expected, "the same packets: times, lengths, bytes");
    play.end(others);
}

#[test]
fn tcpdump_writes_the_file() {
    writes_the_file("tcpdump_writes_the_file", "tcpdump", &["--time-stamp-precision=nano"]);
}

#[test]
fn dumpcap_writes_the_file() {
    writes_the_file("dumpcap_writes_the_file", "dumpcap", &["-q"]);
}

#[test]
fn tshark_writes_the_file() {
    writes_the_file("tshark_writes_the_file", "tshark", &["-q"]);
}

/// The same alerts as from the file itself, over one shard and two, by one Suricata thread or two
/// that are members of a group.
fn raises_the_alerts_of_the_file(test: &str, shards: u32, threads: u64) {
    let Some(suricata) = Suricata::find(test).unwrap() else { return };
    let readers = 2 + usize::try_from(threads).unwrap();
    let Some(play) = Play::start(test, 600, readers, shards) else { return };
    let expected = Suricata::find(test).unwrap().unwrap().offline(&play.file()).unwrap();
    assert!(expected.values().sum::<usize>() > 400, "there is something to find");
    let command = if threads == 1 {
        suricata.command(&[&format!("--pcap=weir:{}", play.name)])
    } else {
        suricata.command_of_threads(&format!("weir:{}/ids", play.name), threads)
    };
    let mut running = play.with(&command);
    running.until(WITHIN, Suricata::has_started).unwrap();
    let others = play.others();
    let frames = play.traffic.frames.len() as u64;
    let alerts = suricata.end_after(running, frames, WITHIN).unwrap();
    assert_eq!(difference(&expected, &alerts), Vec::<String>::new());
    assert_eq!(suricata.packets(), frames, "every packet once");
    play.end(others);
}

#[test]
fn suricata_raises_the_same_alerts() {
    raises_the_alerts_of_the_file("suricata_raises_the_same_alerts", 1, 1);
}

#[test]
fn suricata_in_a_group_of_two_raises_the_same_alerts() {
    raises_the_alerts_of_the_file("suricata_in_a_group_of_two_raises_the_same_alerts", 1, 2);
}

#[test]
fn suricata_over_shards_raises_the_same_alerts() {
    raises_the_alerts_of_the_file("suricata_over_shards_raises_the_same_alerts", 2, 2);
}
