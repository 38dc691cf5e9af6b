//! How fast descriptors get from an engine's packet ring to its readers: one way, and as many as
//! go, to three readers. `perf/fanout.sh` runs it beside the same over iceoryx2.
#![expect(clippy::print_stdout, reason = "the table is for the script that runs it")]

use std::error::Error;
use std::path::PathBuf;
use std::time::Duration;

use weir_benches::hand_over::{self, Look, Receiver, Sender, Word};
use weir_engine::capture::arena::Arena;
use weir_engine::engine::default_socket;
use weir_shm::packets::{Descriptor, PacketOptions, PacketReader};
use weir_shm::{
    ControlSpec, ControlWriter, EngineState, Event, Offer, PacketSpec, SegmentFd, Server,
    ShardSpec, ShardWriter,
};

const MESSAGES: u64 = 500_000;
const FLOOD: Duration = Duration::from_secs(3);
/// As an engine is set up by default.
const SLOTS: u32 = 8192;
const LEASE_SLOTS: u32 = 4096;
/// Descriptors shown at a time in a flood: a turn of the engine.
const TURN: u64 = 64;

fn main() -> Result<(), Box<dyn Error>> {
    let mut engine = Engine::start()?;
    let path = engine.server.path().to_owned();
    let reader = || Reader::open(&path);
    let times = hand_over::latency(&mut engine, reader, MESSAGES);
    let flood = hand_over::flood(&mut engine, vec![reader, reader, reader], FLOOD);
    let word = Word::default();
    let least = hand_over::latency(&mut &word, || Look(&word, 0), MESSAGES);
    println!("{}", hand_over::LATENCY_HEAD);
    println!("{}", hand_over::report_latency("a single word", &least));
    println!("{}", hand_over::report_latency("weir", &times));
    println!("\n{}\n{}", hand_over::FLOOD_HEAD, hand_over::report_flood("weir", &flood));
    println!("\nEach latency holds one look at the clock: {:.1} ns.", hand_over::clock_ns());
    Ok(())
}

/// An engine's packet ring and its socket, and nothing else of it.
struct Engine {
    shared: ShardWriter,
    server: Server,
    _control: ControlWriter,
    _memory: Arena,
}

impl Engine {
    fn start() -> Result<Engine, Box<dyn Error>> {
        let name = format!("fanout-{}", std::process::id());
        let mut control = ControlWriter::create(&ControlSpec {
            name: &name,
            engine_version: env!("CARGO_PKG_VERSION"),
            sources: &[],
            shards: 1,
            queue_labels: &[],
            queue_counters: &[],
            settings: &[],
        })?;
        let mut shared = ShardWriter::create(&ShardSpec {
            shard: 0,
            label: "fanout",
            flow_slots: 64,
            health: false,
            record_bytes: 1 << 16,
            arena_bytes: 1 << 16,
            counters: &[],
            histograms: &[],
            packets: PacketSpec { slots: SLOTS, lease_slots: LEASE_SLOTS, area: 0, link_type: 1 },
            alerts: weir_shm::AlertSpec::default(),
            hosts: weir_shm::hosts::HostsSpec::NONE,
            huge_pages: false,
        })?;
        shared.touch();
        let memory = Arena::new(64, false)?;
        let (fd, bytes) = memory.share()?;
        let frames = SegmentFd::frames(0, fd, bytes);
        let segments = vec![control.export(), shared.export(), frames];
        let path: PathBuf = default_socket(&name);
        let server = Server::bind(&path, Offer { segments, ..Offer::default() })?;
        control.set_state(EngineState::Running);
        Ok(Engine { shared, server, _control: control, _memory: memory })
    }

    #[inline(always)]
    fn push(&mut self, number: u64) {
        let packets = &mut self.shared.packets;
        let packet = packets.next_packet();
        packets.push(&Descriptor {
            packet,
            timestamp_ns: number,
            flow_id: number,
            pieces: 1,
            ..Descriptor::default()
        });
    }

    #[inline(always)]
    fn make_room(&mut self) {
        let packets = &mut self.shared.packets;
        if packets.room() < TURN {
            packets.make_room(TURN + packets.room_max() / 8, |_| {});
        }
    }
}

impl Sender for Engine {
    fn attend(&mut self) {
        for event in self.server.serve() {
            match event {
                Event::Joined(joined) => {
                    self.shared.packets.join(weir_shm::packets::Join {
                        place: joined.place,
                        generation: joined.generation,
                        page: joined.page(0),
                        lease: joined.admission.lease,
                    });
                }
                Event::Left { place, .. } => self.shared.packets.leave(place, |_| {}),
                Event::Dealt { .. } | Event::Asked(_) | Event::Rules(..) => {}
            }
        }
    }

    fn send(&mut self, number: u64) {
        self.make_room();
        self.push(number);
        self.shared.packets.publish(number);
    }

    fn send_some(&mut self) -> u64 {
        if self.shared.packets.behind() > self.shared.packets.allowance() {
            return 0;
        }
        self.make_room();
        for number in 0..TURN {
            self.push(number);
        }
        self.shared.packets.publish(0);
        TURN
    }
}

struct Reader {
    reader: PacketReader,
    descriptors: Box<[Descriptor; 256]>,
}

impl Reader {
    #[expect(clippy::expect_used, reason = "a measurement without a reader is none")]
    fn open(path: &std::path::Path) -> Reader {
        let options = PacketOptions::default();
        let reader = PacketReader::open(&path.to_string_lossy(), &options).expect("let in");
        Reader { reader, descriptors: Box::new([Descriptor::default(); 256]) }
    }
}

impl Receiver for Reader {
    fn next(&mut self) -> Option<u64> {
        let count = self.reader.descriptors(&mut self.descriptors[..1]);
        (count == 1).then(|| self.descriptors[0].timestamp_ns)
    }

    fn take_some(&mut self) -> u64 {
        let count = self.reader.descriptors(&mut self.descriptors[..]);
        std::hint::black_box(&self.descriptors);
        count as u64
    }
}
