//! An engine that is not one: shared memory filled by hand and served as the real one serves it.

mod hosts;

use std::net::IpAddr;
use std::path::PathBuf;
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use weir_dpi::attr::Attr;
use weir_dpi::meta::Meta;
use weir_dpi::{AppId, Confidence};
use weir_shm::alerts::{Alert, AlertKind, AlertWriter, Figure, Party, Phase, Severity, ShortText};
use weir_shm::counters::{CounterDef, Role, Unit};
use weir_shm::flow as slot;
use weir_shm::histogram::HistogramDef;
use weir_shm::records::{EndReason, RecordKind};
use weir_shm::{ControlSpec, ControlWriter, EngineState, Offer, Server, ShardSpec, ShardWriter};

const QUEUE_COUNTERS: &[CounterDef] = &[
    counter("wire_frames", Unit::Packets, Role::Wire, "Frames that arrived."),
    counter("ring_full", Unit::Packets, Role::WireDrop, "Frames lost to a full ring."),
];
const SHARD_COUNTERS: &[CounterDef] = &[
    counter("frames_processed", Unit::Packets, Role::Processed, "Frames taken in."),
    counter("frames_parsed", Unit::Packets, Role::Parsed, "Frames of a flow."),
    counter("bytes_processed", Unit::Bytes, Role::Info, "Bytes taken in."),
    counter("arp", Unit::Packets, Role::Drop, "Frames that are ARP."),
];
const HISTOGRAMS: &[HistogramDef] =
    &[HistogramDef { name: "turn_length", unit: Unit::Nanoseconds, help: "Length of a turn." }];

const fn counter(name: &'static str, unit: Unit, role: Role, help: &'static str) -> CounterDef {
    CounterDef { name, unit, role, help }
}

/// A flow to put into the table.
#[derive(Clone, Debug)]
pub(crate) struct FakeFlow {
    pub(crate) client: (&'static str, u16),
    pub(crate) server: (&'static str, u16),
    pub(crate) l4: u8,
    pub(crate) master: AppId,
    pub(crate) app: AppId,
    pub(crate) packets: [u64; 2],
    pub(crate) bytes: [u64; 2],
    pub(crate) found: Vec<(Attr, Vec<u8>)>,
}

/// A running fake.
#[derive(Debug)]
pub(crate) struct FakeEngine {
    pub(crate) path: PathBuf,
    _directory: tempfile::TempDir,
    stop: Arc<AtomicBool>,
    /// Whether it says that it ends, or just goes.
    orderly: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

/// The time at which the fake's flows began, Unix nanoseconds.
pub(crate) const FIRST_NS: u64 = 1_700_000_000_000_000_000;
/// The number of a flow that has ended.
pub(crate) const ENDED: u64 = 4711;
/// Packets that the fake loses before a shard, and drops in one.
pub(crate) const LOST: u64 = 7;
pub(crate) const DROPPED: u64 = 3;

impl FakeEngine {
    /// Serves `flows` until dropped. `missing` packets are left out of the books.
    pub(crate) fn start(flows: &[FakeFlow], missing: u64) -> FakeEngine {
        FakeEngine::start_with(flows, missing, hosts::ROOM)
    }

    /// The same with this room for hosts.
    pub(crate) fn start_with(
        flows: &[FakeFlow],
        missing: u64,
        hosts: weir_shm::hosts::HostsSpec,
    ) -> FakeEngine {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("fake.sock");
        let packets: u64 = flows.iter().flat_map(|flow| flow.packets).sum();
        let mut shard = ShardWriter::create(&ShardSpec {
            shard: 0,
            label: "shard 0",
            flow_slots: 64,
            health: true,
            record_bytes: 1 << 16,
            arena_bytes: 1 << 16,
            counters: SHARD_COUNTERS,
            histograms: HISTOGRAMS,
            packets: weir_shm::PacketSpec::default(),
            alerts: weir_shm::AlertSpec::default(),
            hosts,
            huge_pages: false,
        })
        .unwrap();
        for (index, flow) in flows.iter().enumerate() {
            put(&mut shard, index, flow);
        }
        remember(&mut shard);
        if hosts.hosts > 0 {
            hosts::put(&shard.hosts, flows);
        }
        tell(&mut shard.alerts);
        let bytes = flows.iter().flat_map(|flow| flow.bytes).sum();
        shard.counters.publish(&[packets + DROPPED, packets, bytes, DROPPED]);
        shard.histograms[0].record(1_500);
        let mut control = ControlWriter::create(&ControlSpec {
            name: "fake",
            engine_version: "9.9.9",
            sources: &["pcap:fake.pcap".to_owned()],
            shards: 1,
            queue_labels: &["pcap:fake.pcap".to_owned()],
            queue_counters: QUEUE_COUNTERS,
            settings: &[],
        })
        .unwrap();
        control.queue(0).publish(&[packets + DROPPED + LOST + missing, LOST]);
        control.set_state(EngineState::Running);
        let segments = vec![control.export(), shard.export()];
        let mut server = Server::bind(&path, Offer { segments, ..Offer::default() }).unwrap();
        let stop = Arc::new(AtomicBool::new(false));
        let orderly = Arc::new(AtomicBool::new(true));
        let (stopping, order) = (Arc::clone(&stop), Arc::clone(&orderly));
        let thread = std::thread::spawn(move || {
            // The shard lives here so that its memory does.
            let _shard = shard;
            while !stopping.load(Ordering::Acquire) {
                let timeout = Timespec { tv_sec: 0, tv_nsec: 10_000_000 };
                poll(&mut [PollFd::new(&server, PollFlags::IN)], Some(&timeout)).ok();
                server.serve();
            }
            if order.load(Ordering::Acquire) {
                control.set_state(EngineState::Ended);
            }
        });
        FakeEngine { path, _directory: directory, stop, orderly, thread: Some(thread) }
    }

    /// `weir ARGUMENTS… --name` this engine.
    pub(crate) fn command(&self, arguments: &[&str]) -> Command {
        let mut command = weir(arguments);
        command.arg("--name").arg(&self.path);
        command
    }

    /// Ends it, in order or not.
    pub(crate) fn end(&mut self, orderly: bool) {
        self.orderly.store(orderly, Ordering::Release);
        self.stop.store(true, Ordering::Release);
        if let Some(thread) = self.thread.take() {
            thread.join().unwrap();
        }
    }
}

impl Drop for FakeEngine {
    fn drop(&mut self) {
        self.end(true);
    }
}

/// The program under test, in an environment that does not change from machine to machine.
pub(crate) fn weir(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_weir"));
    command.args(arguments).env_remove("COLUMNS").env("NO_COLOR", "1");
    command
}

/// The first flow once more, refused and over: in the records alone, as number [`ENDED`].
fn remember(shard: &mut ShardWriter) {
    let Some(mut over) = shard.flows[0].snapshot() else { return };
    over.words[slot::WORD_FLOW_ID] = ENDED;
    let state = slot::STATE_CLIENT_IS_HI;
    let tcp = AppId::UNKNOWN.0;
    over.words[slot::WORD_CLASS] = slot::pack_class(tcp, tcp, 0x14, 0x02, 0, state);
    shard.records.push(RecordKind::Ended, EndReason::Idle, FIRST_NS, &over, &[], &[]);
}

/// A scan that goes on, and a flood that is over.
fn tell(alerts: &mut AlertWriter) {
    let party = |last, port| {
        let address = [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 10, 0, 0, last];
        Party { address, port }
    };
    let mut scan = Alert {
        id: 11,
        kind: AlertKind::PortScan,
        severity: Severity::High,
        rule: ShortText::new(b"port_scan"),
        time_ns: FIRST_NS,
        start_ns: FIRST_NS,
        update_ns: FIRST_NS,
        window_s: 60,
        value: 120,
        peak: 120,
        threshold: 100,
        subject: party(66, 0),
        peer: party(1, 0),
        ..Alert::default()
    };
    scan.set_figure(Figure::Ports, 120);
    scan.add_flow(1);
    alerts.push(&scan);
    alerts.set(0, &scan);
    let flood = Alert {
        id: 12,
        kind: AlertKind::SynFloodVictim,
        severity: Severity::Severe,
        rule: ShortText::new(b"syn_flood_victim"),
        subject: party(1, 80),
        peer: Party::default(),
        ..scan
    };
    alerts.push(&flood);
    alerts.push(&Alert { phase: Phase::Ended, end_ns: FIRST_NS + 30_000_000_000, ..flood });
}

fn put(shard: &mut ShardWriter, index: usize, flow: &FakeFlow) {
    let end = |(ip, port): (&str, u16)| {
        let address = match ip.parse().unwrap() {
            IpAddr::V4(v4) => v4.to_ipv6_mapped().octets(),
            IpAddr::V6(v6) => v6.octets(),
        };
        (address, port)
    };
    let (client, server) = (end(flow.client), end(flow.server));
    let client_is_hi = client > server;
    let (lo, hi) = if client_is_hi { (server, client) } else { (client, server) };
    let (up, down) = if client_is_hi {
        (slot::WORD_HI_TO_LO, slot::WORD_LO_TO_HI)
    } else {
        (slot::WORD_LO_TO_HI, slot::WORD_HI_TO_LO)
    };
    let mut meta = Meta::default();
    flow.found.iter().for_each(|(attr, value)| meta.put(attr, value));
    let meta_ref = shard.arena.store(meta.as_bytes());
    let ipv6 = if flow.client.0.contains(':') { slot::TUNNEL_IPV6 } else { 0 };
    let state = if client_is_hi { slot::STATE_CLIENT_IS_HI } else { 0 };
    let flags = if flow.l4 == 6 { 0x1b } else { 0 };
    let to = &shard.flows[index];
    to.begin();
    for (word, [a, b]) in [(1, slot::pack_address(lo.0)), (3, slot::pack_address(hi.0))] {
        to.store(word, a);
        to.store(word + 1, b);
    }
    to.store(slot::WORD_TUPLE, slot::pack_tuple(lo.1, hi.1, 0, flow.l4, ipv6));
    to.store(slot::WORD_FLOW_ID, index as u64 + 1);
    let confidence = Confidence::Content as u8;
    let class = slot::pack_class(flow.master.0, flow.app.0, flags, flags, confidence, state);
    to.store(slot::WORD_CLASS, class);
    for (at, direction) in [(up, 0), (down, 1)] {
        let words = [
            flow.packets[direction],
            flow.bytes[direction],
            FIRST_NS + direction as u64 * 1_000_000,
            FIRST_NS + 2_000_000_000,
        ];
        for (word, value) in (at..).zip(words) {
            to.store(word, value);
        }
    }
    to.set_meta_ref(meta_ref.unwrap_or(0));
    to.commit();
}
