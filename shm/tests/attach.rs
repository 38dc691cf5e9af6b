//! A whole engine's shared memory and its readers, through a real socket.

#![expect(clippy::unwrap_used, reason = "a test's helpers fail like the test")]
#![expect(clippy::print_stdout, reason = "two processes talk; skips are shown")]

use rustix::{
    event::{PollFd, PollFlags, poll},
    time::Timespec,
};
use std::{
    fs,
    io::{BufRead, BufReader, Write},
    os::{
        fd::AsFd,
        unix::{fs::PermissionsExt, net::UnixListener, process::CommandExt},
    },
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    thread,
};
use weir_shm::packets::Control;
use weir_shm::{
    Access, Attached, ControlSpec, ControlWriter, EngineState, Error, FlowRead, FlowView, Ledger,
    Offer, PacketSpec, Server, ShardSpec, ShardWriter,
    counters::{CounterDef, Role, Unit},
    flow::{self, Dir, FlowSnapshot},
    histogram::HistogramDef,
    records::{EndReason, Next, Record, RecordKind, StartAt},
};

const QUEUE: &[CounterDef] = &[
    def("wire", Role::Wire),
    def("nic_missed", Role::WireDrop),
    def("ring_full", Role::WireDrop),
    def("processed", Role::Processed),
];
const SHARD: &[CounterDef] = &[
    def("processed", Role::Processed),
    def("parsed", Role::Parsed),
    def("drop_truncated", Role::Drop),
    def("flows_started", Role::Info),
];
const HISTOGRAMS: &[HistogramDef] =
    &[HistogramDef { name: "turn", unit: Unit::Nanoseconds, help: "Length of a turn." }];

const fn def(name: &'static str, role: Role) -> CounterDef {
    CounterDef { name, unit: Unit::Packets, role, help: "What it counts." }
}

struct Engine {
    control: ControlWriter,
    shards: Vec<ShardWriter>,
    server: Server,
}

impl Engine {
    fn start(path: &Path, shards: u16, access: Access) -> Result<Self, Error> {
        Self::start_with(path, shards, access, Access::Owner)
    }

    fn start_with(
        path: &Path,
        shards: u16,
        access: Access,
        packets: Access,
    ) -> Result<Self, Error> {
        let control = ControlWriter::create(&ControlSpec {
            name: "test",
            engine_version: "1.2.3",
            sources: &["pcap:a.pcap".to_owned(), "xdp:eth0".to_owned()],
            shards,
            queue_labels: &["xdp:eth0 queue 0".to_owned(), "xdp:eth0 queue 1".to_owned()],
            queue_counters: QUEUE,
            settings: &[("hosts.asn_db", "/srv/asn.mmdb".to_owned())],
        })?;
        let shards: Vec<ShardWriter> = (0..shards)
            .map(|shard| {
                ShardWriter::create(&ShardSpec {
                    shard,
                    label: &format!("shard {shard}"),
                    flow_slots: 100,
                    health: true,
                    record_bytes: 32768,
                    arena_bytes: 10_000,
                    counters: SHARD,
                    histograms: HISTOGRAMS,
                    packets: PacketSpec::default(),
                    alerts: weir_shm::AlertSpec::default(),
                    hosts: weir_shm::hosts::HostsSpec::NONE,
                    huge_pages: false,
                })
            })
            .collect::<Result<_, _>>()?;
        let segments =
            std::iter::once(control.export()).chain(shards.iter().map(ShardWriter::export));
        let segments = segments.collect();
        let offer = Offer { segments, access, packets, ..Offer::default() };
        let server = Server::bind(path, offer)?;
        Ok(Self { control, shards, server })
    }

    /// Serves readers while `work` runs beside it.
    fn while_serving<T: Send>(&mut self, work: impl FnOnce() -> T + Send) -> T {
        thread::scope(|scope| {
            let handle = scope.spawn(work);
            while !handle.is_finished() {
                wait(&self.server, 20);
                self.server.serve();
            }
            handle.join().unwrap()
        })
    }
}

/// Waits until a descriptor is readable, or for some time.
fn wait(fd: &impl AsFd, milliseconds: i64) -> bool {
    let timeout =
        Timespec { tv_sec: milliseconds / 1000, tv_nsec: milliseconds % 1000 * 1_000_000 };
    poll(&mut [PollFd::new(fd, PollFlags::IN)], Some(&timeout)).unwrap() > 0
}

fn directory() -> tempfile::TempDir {
    let directory = tempfile::tempdir().unwrap();
    fs::set_permissions(directory.path(), fs::Permissions::from_mode(0o755)).unwrap();
    directory
}

fn open(path: &Path) -> Result<Attached, Error> {
    Attached::open(path.to_str().unwrap())
}

#[test]
#[expect(clippy::too_many_lines, reason = "one engine, and each thing that it writes")]
fn everything_an_engine_writes_is_read() {
    let directory = directory();
    let path = directory.path().join("sub/a.sock");
    let mut engine = Engine::start(&path, 2, Access::Any).unwrap();
    engine.control.heartbeat(77);
    engine.control.set_state(EngineState::Running);
    engine.control.queue(1).publish(&[100, 3, 2, 95]);

    let shard = &mut engine.shards[1];
    shard.touch();
    shard.counters.publish(&[95, 90, 5, 0]);
    shard.counters.add(3, 7);
    shard.histograms[0].record(1500);
    let meta = shard.arena.store(b"example.org").unwrap();
    let slot = &shard.flows[42];
    slot.begin();
    slot.set_meta_ref(meta);
    slot.store(flow::WORD_TUPLE, flow::pack_tuple(53, 4000, 0, 17, flow::TUNNEL_IPV6));
    slot.store(flow::WORD_FLOW_ID, 4711);
    slot.store(flow::WORD_LO_TO_HI, 12);
    slot.commit();

    let attached = engine.while_serving(|| open(&path)).unwrap();
    let info = attached.info();
    assert_eq!((info.name.as_str(), info.engine_version.as_str()), ("test", "1.2.3"));
    assert_eq!(info.setting("hosts.asn_db"), Some("/srv/asn.mmdb"));
    assert_eq!(info.setting("hosts.country_db"), None);
    assert_eq!(
        (info.sources.as_slice(), info.shards),
        (&["pcap:a.pcap".to_owned(), "xdp:eth0".to_owned()][..], 2)
    );
    assert_eq!((info.pid, &info.path), (std::process::id(), &path));
    assert!(attached.alive());
    assert_eq!((attached.state(), attached.heartbeat()), (EngineState::Running, 77));
    assert_eq!(engine.server.readers(), 1);

    let queue = &attached.queues()[1];
    assert_eq!(queue.label(), "xdp:eth0 queue 1");
    let counter = queue.counters().nth(1).unwrap();
    assert_eq!((counter.name.as_str(), counter.value), ("nic_missed", 3));
    assert_eq!((counter.unit, counter.role), (Unit::Packets, Role::WireDrop));
    assert_eq!(counter.help, "What it counts.");

    let shard = &attached.shards()[1];
    assert_eq!((shard.shard(), shard.label(), shard.flow_slots()), (1, "shard 1", 100));
    let values: Vec<u64> = shard.counters().map(|counter| counter.value).collect();
    assert_eq!(values, [95, 90, 5, 7]);
    let histogram = shard.histograms().next().unwrap();
    assert_eq!((histogram.name.as_str(), histogram.values.max()), ("turn", 1500));

    let mut view = FlowView::default();
    assert_eq!(shard.read_flow(41, &mut view), FlowRead::Free);
    assert_eq!(shard.read_flow(100, &mut view), FlowRead::Free, "outside of the table");
    assert_eq!(shard.read_flow(usize::MAX, &mut view), FlowRead::Free);
    assert_eq!(shard.read_flow(42, &mut view), FlowRead::Flow);
    assert_eq!((view.snapshot.flow_id(), view.snapshot.packets(Dir::ToServer)), (4711, 12));
    assert_eq!(view.meta, b"example.org");

    let mut records = shard.records(StartAt::Now);
    let mut record = Record::default();
    assert_eq!(records.next(&mut record), Next::Empty);
    engine.shards[1].records.push(
        RecordKind::Ended,
        EndReason::Idle,
        9,
        &view.snapshot,
        &[],
        b"bye",
    );
    assert_eq!(records.next(&mut record), Next::Record);
    assert_eq!((record.kind, record.reason), (RecordKind::Ended, EndReason::Idle));
    assert_eq!((record.time_ns, record.meta.as_slice()), (9, &b"bye"[..]));
    assert_eq!(record.flow, view.snapshot);

    let ledger = Ledger::from(&attached);
    assert!(ledger.balanced(), "{ledger:?}");
    assert_eq!((ledger.total.wire, ledger.total.parsed), (Some(100), Some(90)));
    engine.shards[1].counters.add(1, 1);
    let ledger = Ledger::from(&attached);
    assert!(!ledger.balanced());
    assert_eq!(ledger.shards[1].processed_missing(), Some(-1));
    engine.control.queue(0).publish(&[10, 0, 0, 10]);
    assert_eq!(Ledger::from(&attached).handed_over_missing, Some(10));
}

#[test]
fn the_engines_end_is_seen_and_its_memory_stays() {
    let directory = directory();
    let path = directory.path().join("a.sock");
    let mut engine = Engine::start(&path, 1, Access::Any).unwrap();
    engine.shards[0].counters.set(0, 5);
    let attached = engine.while_serving(|| open(&path)).unwrap();
    assert!(!wait(&attached, 0));
    engine.control.set_state(EngineState::Ended);
    drop(engine);
    assert!(wait(&attached, 1000), "the descriptor says so");
    assert!(!attached.alive());
    assert_eq!(attached.state(), EngineState::Ended);
    assert_eq!(attached.shards()[0].counters().next().unwrap().value, 5);
    assert!(!path.exists(), "the socket is gone");
    assert!(matches!(open(&path), Err(Error::NotFound { .. })));
}

#[test]
fn many_shards_come_in_several_messages() {
    let directory = directory();
    let path = directory.path().join("a.sock");
    let mut engine = Engine::start(&path, 200, Access::Any).unwrap();
    let attached = engine.while_serving(|| open(&path)).unwrap();
    let shards: Vec<u16> = attached.shards().iter().map(weir_shm::ShardReader::shard).collect();
    assert_eq!(shards, (0..200).collect::<Vec<u16>>());
}

#[test]
fn a_second_engine_of_the_same_name_is_refused() {
    let directory = directory();
    let path = directory.path().join("a.sock");
    let first = Engine::start(&path, 1, Access::Any).unwrap();
    let error = Engine::start(&path, 1, Access::Any).err().unwrap();
    assert!(matches!(error, Error::NameTaken { .. }), "{error}");
    assert!(path.exists(), "and has not harmed the first");
    drop(first);
    assert!(soon(|| Engine::start(&path, 1, Access::Any).is_ok()));
}

/// Whether something comes true within seconds: a process that another test starts at this moment
/// has copies of all descriptors until it becomes its program.
fn soon(mut done: impl FnMut() -> bool) -> bool {
    (0..200).any(|_| {
        let now = done();
        if !now {
            poll(&mut [], Some(&Timespec { tv_sec: 0, tv_nsec: 20_000_000 })).unwrap();
        }
        now
    })
}

#[test]
fn other_files_are_left_alone() {
    let directory = directory();
    let path = directory.path().join("a.sock");
    fs::write(&path, b"precious").unwrap();
    let error = Engine::start(&path, 1, Access::Any).err().unwrap();
    assert!(matches!(error, Error::NotASocket { .. }), "{error}");
    assert_eq!(fs::read(&path).unwrap(), b"precious");

    let other = directory.path().join("b.sock");
    let _listener = UnixListener::bind(&other).unwrap();
    let error = Engine::start(&other, 1, Access::Any).err().unwrap();
    assert!(matches!(error, Error::NameTaken { .. }), "somebody else listens: {error}");
    assert!(matches!(open(&other), Err(Error::Protocol { .. })));
}

/// Readers that connect and say nothing do not keep others out, and one that speaks another
/// language is shown out.
#[test]
fn silent_and_foreign_connections_cost_nothing() {
    let directory = directory();
    let path = directory.path().join("a.sock");
    let mut engine = Engine::start(&path, 1, Access::Any).unwrap();
    let silent: Vec<_> = (0..600)
        .map(|_| {
            let socket = connect(&path);
            engine.server.serve();
            socket
        })
        .collect();
    let attached = engine.while_serving(|| open(&path)).unwrap();
    assert!(attached.alive());
    assert_eq!(engine.server.readers(), 1);

    let foreign = connect(&path);
    rustix::net::send(&foreign, b"GET / HTTP/1.1\r\n\r\n", rustix::net::SendFlags::empty())
        .unwrap();
    engine.server.serve();
    let mut answer = [0; 64];
    let received = rustix::net::recv(&foreign, &mut answer, rustix::net::RecvFlags::empty());
    // Ended, one way or the other; not answered.
    assert!(matches!(received, Ok((_, 0)) | Err(_)), "{received:?}");
    drop(silent);
    engine.server.serve();
    assert!(attached.alive());
}

#[test]
fn an_engine_takes_a_bounded_number_of_readers() {
    let directory = directory();
    let path = directory.path().join("a.sock");
    let mut engine = Engine::start(&path, 1, Access::Any).unwrap();
    let mut readers: Vec<_> =
        engine.while_serving(|| (0..256).map(|_| open(&path).unwrap()).collect());
    assert_eq!(engine.server.readers(), 256);
    let error = engine.while_serving(|| open(&path)).unwrap_err();
    assert!(error.to_string().contains("as many readers as it takes"), "{error}");
    assert!(readers.iter().all(Attached::alive), "the others stay");
    readers.pop();
    assert!(soon(|| engine.while_serving(|| open(&path)).is_ok()), "the place is free again");
}

fn connect(path: &Path) -> rustix::fd::OwnedFd {
    use rustix::net::{AddressFamily, SocketAddrUnix, SocketType, connect, socket};
    let socket = socket(AddressFamily::UNIX, SocketType::SEQPACKET, None).unwrap();
    connect(&socket, &SocketAddrUnix::new(path).unwrap()).unwrap();
    socket
}

#[test]
fn an_engine_that_does_not_answer_is_told_apart() {
    let directory = directory();
    let path = directory.path().join("a.sock");
    let _engine = Engine::start(&path, 1, Access::Any).unwrap();
    let error = open(&path).unwrap_err();
    assert!(matches!(error, Error::NoAnswer { .. }), "{error}");
}

#[test]
fn names_are_checked_and_missing_engines_named() {
    let error = Attached::open("no-such-engine").unwrap_err().to_string();
    assert!(error.contains("\"no-such-engine\"") && error.contains("/run/weir/"), "{error}");
    for name in ["", ".hidden", "a b", "ä", &"x".repeat(65)] {
        assert!(matches!(Attached::open(name), Err(Error::Name(_))), "{name:?}");
    }
}

/// The rest needs a second process: this very test binary, told by an environment variable what
/// to be.
const ROLE: &str = "WEIR_SHM_TEST_ROLE";
const SOCKET: &str = "WEIR_SHM_TEST_SOCKET";

fn process(role: &str, socket: &Path, uid: Option<u32>) -> Child {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args(["--exact", "the_other_process", "--nocapture", "--quiet"]);
    command.env(ROLE, role).env(SOCKET, socket);
    command.stdin(Stdio::piped()).stdout(Stdio::piped());
    if let Some(uid) = uid {
        command.uid(uid).gid(uid);
    }
    command.spawn().unwrap()
}

/// Lines of a child's output that are meant for us.
fn next_line(output: &mut impl BufRead) -> String {
    loop {
        let mut line = String::new();
        assert_ne!(output.read_line(&mut line).unwrap(), 0, "the other process ended early");
        if let Some(said) = line.split("says: ").nth(1) {
            return said.trim().to_owned();
        }
    }
}

fn say(what: &str) {
    println!("\nsays: {what}");
    std::io::stdout().flush().unwrap();
}

#[test]
fn the_other_process() {
    let Ok(role) = std::env::var(ROLE) else { return };
    let path = PathBuf::from(std::env::var_os(SOCKET).unwrap());
    match role.as_str() {
        "engine" => {
            let mut engine = Engine::start(&path, 1, Access::Any).unwrap();
            say("ready");
            // Until it is killed, or its parent is gone.
            while rustix::process::getppid() != rustix::process::Pid::from_raw(1) {
                wait(&engine.server, 100);
                engine.server.serve();
            }
        }
        "asker" => match Control::open(path.to_str().unwrap()) {
            Ok(_) => say("may read packets"),
            Err(error) => say(&error.to_string()),
        },
        _ => match open(&path) {
            Ok(attached) => {
                let mut view = FlowView::default();
                let shard = &attached.shards()[0];
                let flows = (0..shard.flow_slots())
                    .filter(|&index| shard.read_flow(index, &mut view) == FlowRead::Flow);
                say(&format!("{} sees {} flows", rustix::process::geteuid(), flows.count()));
            }
            Err(error) => say(&error.to_string()),
        },
    }
}

/// A killed engine leaves a socket file; its readers see the end, new ones a clear message, and the
/// next engine takes its place.
#[test]
fn a_killed_engine_is_seen_and_replaced() {
    let directory = directory();
    let path = directory.path().join("a.sock");
    let mut engine = process("engine", &path, None);
    let mut output = BufReader::new(engine.stdout.take().unwrap());
    assert_eq!(next_line(&mut output), "ready");
    let attached = open(&path).unwrap();
    assert!(attached.alive());
    assert_eq!(attached.info().pid, engine.id());
    assert!(matches!(Engine::start(&path, 1, Access::Any), Err(Error::NameTaken { .. })));

    engine.kill().unwrap();
    engine.wait().unwrap();
    assert!(wait(&attached, 1000) && !attached.alive());
    assert!(path.exists(), "nobody removed the socket");
    assert!(matches!(open(&path), Err(Error::Ended { .. })));
    let mut next = Engine::start(&path, 1, Access::Any).unwrap();
    assert!(next.while_serving(|| open(&path)).is_ok());
}

/// Runs the reading role as another user against an engine here. `None`, said aloud, if this
/// process may not change users or the other user cannot run the test binary.
fn read_as_nobody(access: Access) -> Option<String> {
    as_nobody("reader", access, Access::Owner)
}

fn as_nobody(role: &str, access: Access, packets: Access) -> Option<String> {
    const NOBODY: u32 = 65534;
    let skip = |why: &str| println!("SKIPPED: reading as another user: {why}");
    if !rustix::process::geteuid().is_root() {
        skip("only root can become one");
        return None;
    }
    let runnable = Command::new(std::env::current_exe().unwrap())
        .arg("--list")
        .stdout(Stdio::null())
        .uid(NOBODY)
        .gid(NOBODY)
        .status();
    if !runnable.is_ok_and(|status| status.success()) {
        skip("the test binary is in a directory closed to others");
        return None;
    }
    let directory = directory();
    let path = directory.path().join("a.sock");
    let mut engine = Engine::start_with(&path, 1, access, packets).unwrap();
    let slot = &engine.shards[0].flows[3];
    slot.begin();
    slot.store(flow::WORD_FLOW_ID, 1);
    slot.commit();
    Some(engine.while_serving(|| {
        let mut reader = process(role, &path, Some(NOBODY));
        let mut output = BufReader::new(reader.stdout.take().unwrap());
        let said = next_line(&mut output);
        std::io::copy(&mut output, &mut std::io::sink()).unwrap();
        reader.wait().unwrap();
        said
    }))
}

#[test]
fn a_user_without_privilege_can_read() {
    for access in [Access::Any, Access::Uids(vec![65534])] {
        if let Some(said) = read_as_nobody(access) {
            assert_eq!(said, "65534 sees 1 flows");
        }
    }
}

/// Packets are for fewer than flows are.
#[test]
fn packets_are_for_whom_the_engine_lets() {
    for packets in [Access::Any, Access::Uids(vec![65534]), Access::Group(65534)] {
        if let Some(said) = as_nobody("asker", Access::Any, packets) {
            assert_eq!(said, "may read packets");
        }
    }
    for packets in [Access::Owner, Access::Uids(vec![12345]), Access::Group(12345)] {
        if let Some(said) = as_nobody("asker", Access::Any, packets) {
            assert!(said.contains("may not") && said.contains("packet_access"), "{said}");
        }
    }
}

#[test]
fn a_user_who_may_not_read_is_told_so() {
    for access in [Access::Owner, Access::Uids(vec![12345])] {
        if let Some(said) = read_as_nobody(access) {
            assert!(said.contains("may not"), "{said}");
        }
    }
}

#[test]
fn impossible_specifications_are_refused() {
    let spec = ShardSpec {
        shard: 0,
        label: "",
        flow_slots: 1,
        health: true,
        record_bytes: 32768,
        arena_bytes: 0,
        counters: &[],
        histograms: &[],
        packets: PacketSpec::default(),
        alerts: weir_shm::AlertSpec::default(),
        hosts: weir_shm::hosts::HostsSpec::NONE,
        huge_pages: false,
    };
    assert!(ShardWriter::create(&spec).is_ok(), "the smallest there is");
    for wrong in [
        ShardSpec { flow_slots: 0, ..spec },
        ShardSpec { flow_slots: u32::MAX, ..spec },
        ShardSpec { record_bytes: 16384, ..spec },
        ShardSpec { record_bytes: 40000, ..spec },
        ShardSpec { record_bytes: 1 << 40, ..spec },
        ShardSpec { arena_bytes: 1 << 40, ..spec },
    ] {
        let error = ShardWriter::create(&wrong).err().unwrap();
        assert!(matches!(error, Error::Spec(_)), "{error}");
    }
}

/// A snapshot is what its shard made of it, and stays the same size.
#[test]
fn a_snapshot_of_a_free_slot_is_none() {
    let directory = directory();
    let engine = Engine::start(&directory.path().join("a.sock"), 1, Access::Any).unwrap();
    assert_eq!(engine.shards[0].flows[0].snapshot(), None);
    assert_eq!(size_of::<FlowSnapshot>(), flow::SLOT_BYTES);
}
