//! Floods of spoofed hosts and of flows of one packet: memory stays what it was, flows that had
//! answers and local hosts stay where they are, and who left is counted.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::net::Ipv4Addr;
use std::time::Duration;

use weir_engine::books::{self, Count};
use weir_engine::capture::{BATCH, Batch, Frame, Received, Source};
use weir_engine::flow::table::FlowTable;
use weir_engine::flow::timeouts::{Network, Timeouts};
use weir_engine::hosts::{HostsPlan, Places};
use weir_engine::shard::{Depth, HISTOGRAMS, Shard, ShardPlan, Split, Turn};
use weir_engine::wire::LinkType;
use weir_shm::{ShardSpec, ShardWriter};
use weir_tests::allocations::{self, Counting};
use weir_tests::traffic::packet::{self, Around, End};

#[global_allocator]
static ALLOCATOR: Counting = Counting;

const START_NS: u64 = 1_700_000_000_000_000_000;
/// Hosts that talk to each other in the midst of the flood, and the packets between two of theirs.
const LOCAL: u64 = 100;
const EVERY: u64 = 200;
/// Where addresses and ports of sender and receiver are in a frame.
const FROM: usize = 26;
const TO: usize = 30;
const PORT: usize = 34;

/// Frames that are made as they are asked for.
struct Flood {
    packets: u64,
    hosts: u64,
    made: u64,
    frames: Vec<Vec<u8>>,
}

impl Flood {
    fn new(packets: u64, hosts: u64) -> Flood {
        let end = |port| End { address: Ipv4Addr::new(10, 0, 0, 1).into(), port };
        let datagram = packet::udp(end(1), end(9), &[0; 20]);
        let frames = vec![packet::frame(Around::Nothing, &datagram); BATCH];
        Flood { packets, hosts, made: 0, frames }
    }

    /// Makes the frame of this number: of a local host to its server or back, or of the flood.
    fn make(&mut self, at: usize) {
        let number = self.made;
        let frame = &mut self.frames[at];
        let (from, to, ports) = if number.is_multiple_of(EVERY) {
            let talk = number / EVERY;
            let [a, b, ..] = (talk / 2 % LOCAL).to_le_bytes();
            let (host, server) = ([10, 1, b, a], [10, 0, 0, 1]);
            let is_back = talk % 2 == 1;
            let ports = if is_back { [9, 1] } else { [1, 9] };
            if is_back { (server, host, ports) } else { (host, server, ports) }
        } else {
            let [a, b, c, ..] = (number % self.hosts).to_le_bytes();
            let port = u16::try_from(number / self.hosts).unwrap_or(0) + 1000;
            ([100, c, b, a], [10, 0, 0, 1], [port, 9])
        };
        frame[FROM..TO].copy_from_slice(&from);
        frame[TO..PORT].copy_from_slice(&to);
        frame[PORT..PORT + 2].copy_from_slice(&ports[0].to_be_bytes());
        frame[PORT + 2..PORT + 4].copy_from_slice(&ports[1].to_be_bytes());
        self.made += 1;
    }
}

impl Source for Flood {
    fn receive(&mut self, batch: &mut Batch) -> Received {
        for at in 0..batch.room() {
            if self.made == self.packets {
                break;
            }
            self.make(at);
            let length = u32::try_from(self.frames[at].len()).unwrap();
            batch.push(Frame {
                addr: at as u64,
                timestamp_ns: self.now_ns(),
                captured_bytes: length,
                wire_bytes: length,
                link: LinkType::Ethernet,
                ..Frame::default()
            });
        }
        if batch.as_slice().is_empty() { Received::End } else { Received::Frames }
    }

    fn bytes(&self, frame: &Frame) -> &[u8] {
        usize::try_from(frame.addr).ok().and_then(|at| self.frames.get(at)).map_or(&[], |it| it)
    }

    fn release(&mut self, _: &Batch) {}

    fn now_ns(&mut self) -> u64 {
        // A million packets a second.
        START_NS + self.made * 1000
    }

    fn wait(&mut self, _: Duration) {}
}

/// Plays the flood through tables that hold `flows` flows and `hosts` hosts.
fn play(flood: Flood, flows: u32, hosts: u32) {
    let packets = flood.packets;
    let local = vec![Network::parse("10.0.0.0/8").unwrap()];
    let places = Places::new(local, Vec::new());
    let plan = HostsPlan { capacity: hosts, local_capacity: 256, names: 64, places };
    let memory = ShardWriter::create(&ShardSpec {
        shard: 0,
        label: "flood",
        flow_slots: FlowTable::slots_for(flows),
        health: true,
        record_bytes: 1 << 20,
        arena_bytes: 1 << 20,
        counters: &books::DEFINITIONS,
        histograms: &HISTOGRAMS,
        packets: weir_shm::PacketSpec::default(),
        alerts: weir_shm::AlertSpec::default(),
        hosts: plan.room(),
        huge_pages: false,
    })
    .unwrap();
    let most = u64::from(plan.room().hosts);
    let plan = ShardPlan {
        shard: 0,
        split: Split::All,
        live: false,
        depth: Depth::Inspect,
        timeouts: Some(Timeouts::default()),
        secret: [1, 2, 3, 4],
        fragments: 16,
        inspection: weir_dpi::Limits { flows: 256, ..weir_dpi::Limits::default() },
        alerts: Some(std::sync::Arc::default()),
        shards: 1,
        hosts: Some(plan),
        flows_from: 0,
    };
    let mut shard = Shard::new(flood, plan, memory, None, None);
    let ((), allocated) = allocations::during(|| while shard.turn() == Turn::Worked {});
    assert_eq!(allocated, 0, "memory is what it was");
    let count = |count| shard.books().get(count);
    assert!(shard.books().balanced());
    assert_eq!(count(Count::Parsed), packets);
    assert!(count(Count::HostsLive) <= most && count(Count::FlowsLive) <= u64::from(flows) + 15);
    assert_eq!(
        count(Count::HostsLive),
        count(Count::HostsCreated) - count(Count::HostsEvictedRemote)
    );
    assert_eq!(count(Count::HostsEvictedLocal), 0, "no local host left");
    assert!(count(Count::HostsDetailed) >= LOCAL, "everything of them is kept");
    assert_eq!(count(Count::FlowsEvictedOldest), 0, "no flow that had an answer left");
    assert!(count(Count::FlowsEvictedOnePacket) > 0 && count(Count::HostsEvictedRemote) > 0);
}

/// A small one, or with `WEIR_FLOOD` (`make flood`) five million hosts and ten million flows.
#[test]
fn a_flood_leaves_memory_as_it_was() {
    if std::env::var_os("WEIR_FLOOD").is_some() {
        play(Flood::new(10_100_000, 5_000_000), 1_000_000, 131_072);
    } else {
        play(Flood::new(100_000, 60_000), 10_000, 8_000);
    }
}
