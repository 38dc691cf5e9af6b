//! An engine of its own for each test: writes packets that the test asks for, lets readers in, and
//! remembers what they asked for. What a real engine's shards and control thread do, in one thread.

use std::os::fd::{AsFd, OwnedFd};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use af_xdp::{Area, AreaConfig, Custody, HugePages, Umem, UmemConfig};
use weir_shm::packets::{Descriptor, Join, flag};
use weir_shm::{
    ControlSpec, ControlWriter, EngineState, Event, Offer, PacketSpec, SegmentFd, Server,
    ShardSpec, ShardWriter, What,
};

/// Slots of a shard's ring; half of them for leases.
pub(crate) const SLOTS: u32 = 1024;
const CHUNK: u64 = 256;
const CHUNKS: u64 = 4096;

struct Shard {
    shared: ShardWriter,
    frames: Custody,
    free: Vec<u64>,
}

struct Inner {
    control: ControlWriter,
    shards: Vec<Shard>,
    server: Server,
    asked: Vec<(u64, What)>,
    /// To wake readers by, with their places.
    bells: Vec<(u8, Arc<OwnedFd>)>,
    time_ns: u64,
}

/// See the module.
pub(crate) struct Engine {
    inner: Arc<Mutex<Option<Inner>>>,
    over: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
    path: PathBuf,
    _directory: tempfile::TempDir,
}

/// The time of a packet, Unix nanoseconds.
pub(crate) fn time_ns(number: u64) -> u64 {
    1_700_000_000_000_000_000 + number * 1_000
}

/// The frame of a packet: Ethernet, IPv4, UDP from 10.0.0.0 to port 53 for even flows, 80 for odd
/// ones; then its number, and as many bytes as its number has it.
pub(crate) fn frame(number: u64, flow: u64) -> Vec<u8> {
    let payload = 8 + usize::try_from(number % 50).unwrap();
    let mut bytes = vec![2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 2, 8, 0];
    let length = u16::try_from(20 + 8 + payload).unwrap();
    bytes.extend([0x45, 0]);
    bytes.extend(length.to_be_bytes());
    bytes.extend([0, 0, 0, 0, 64, 17, 0, 0, 10, 0, 0, u8::try_from(flow % 256).unwrap()]);
    bytes.extend([10, 1, 0, 1]);
    bytes.extend([4, 1, 0, if flow.is_multiple_of(2) { 53 } else { 80 }]);
    bytes.extend((length - 20).to_be_bytes());
    bytes.extend([0, 0]);
    bytes.extend(number.to_le_bytes());
    bytes.resize(14 + usize::from(length), 0x5a);
    bytes
}

/// The number in a frame.
pub(crate) fn number_of(frame: &[u8]) -> u64 {
    u64::from_le_bytes(frame[42..50].try_into().unwrap())
}

impl Engine {
    pub(crate) fn start(shards: u16) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("engine.sock");
        let inner = Arc::new(Mutex::new(Some(Inner::new(&path, shards))));
        let over = Arc::new(AtomicBool::new(false));
        let serving = (Arc::clone(&inner), Arc::clone(&over));
        let thread = thread::spawn(move || {
            while !serving.1.load(Ordering::Acquire) {
                if let Some(inner) = serving.0.lock().unwrap().as_mut() {
                    inner.serve();
                }
                rest(Duration::from_micros(500));
            }
        });
        Self { inner, over, thread: Some(thread), path, _directory: directory }
    }

    fn with<R>(&self, work: impl FnOnce(&mut Inner) -> R) -> R {
        work(self.inner.lock().unwrap().as_mut().unwrap())
    }

    /// Where readers find it.
    pub(crate) fn path(&self) -> &str {
        self.path.to_str().unwrap()
    }

    /// Writes packets of these numbers, each of flow `number % flows + 1`.
    pub(crate) fn push(&self, numbers: std::ops::Range<u64>, flows: u64) {
        self.push_with(numbers, flows, |_| {});
    }

    /// As [`Self::push`], with something changed in each descriptor.
    pub(crate) fn push_with(
        &self,
        numbers: std::ops::Range<u64>,
        flows: u64,
        change: impl Fn(&mut Descriptor),
    ) {
        self.with(|inner| {
            for number in numbers {
                inner.push(number, number % flows + 1, &change);
            }
        });
    }

    /// What readers asked for until now, with the flow.
    pub(crate) fn asked(&self) -> Vec<(u64, What)> {
        self.with(|inner| {
            inner.serve();
            inner.asked.clone()
        })
    }

    /// Readers there are.
    pub(crate) fn readers(&self) -> usize {
        self.with(|inner| {
            inner.serve();
            inner.server.readers()
        })
    }

    /// Whether every place of a frame is free or in the ring.
    pub(crate) fn is_whole(&self) -> bool {
        self.with(|inner| {
            inner.shards.iter().all(|shard| {
                let packets = &shard.shared.packets;
                let used = packets.retained() + packets.demoted().pinned;
                shard.free.len() as u64 + used == CHUNKS
            })
        })
    }

    /// How often a reader was demoted.
    pub(crate) fn demotions(&self) -> u64 {
        let of = |shard: &Shard| shard.shared.packets.demoted().times;
        self.with(|inner| inner.shards.iter().map(of).sum())
    }

    /// No more packets.
    pub(crate) fn end(&self) {
        self.with(|inner| {
            for shard in &mut inner.shards {
                shard.shared.packets.end();
            }
            inner.control.set_state(EngineState::Ended);
        });
    }

    /// As if it were killed.
    pub(crate) fn die(&self) {
        *self.inner.lock().unwrap() = None;
    }
}

impl Drop for Engine {
    fn drop(&mut self) {
        self.over.store(true, Ordering::Release);
        if let Some(thread) = self.thread.take() {
            thread.join().unwrap();
        }
    }
}

impl Inner {
    fn new(path: &Path, shards: u16) -> Self {
        let control = ControlWriter::create(&ControlSpec {
            name: "test",
            engine_version: "1",
            sources: &["pcap:a".to_owned()],
            shards,
            queue_labels: &[],
            queue_counters: &[],
            settings: &[],
        })
        .unwrap();
        let mut segments = vec![control.export()];
        let shard = |number| {
            let packets =
                PacketSpec { slots: SLOTS, lease_slots: SLOTS / 2, area: number, link_type: 1 };
            let shared = ShardWriter::create(&ShardSpec {
                shard: number,
                label: "shard",
                flow_slots: 30,
                health: false,
                record_bytes: 32768,
                arena_bytes: 2048,
                counters: &[],
                histograms: &[],
                packets,
                alerts: weir_shm::AlertSpec::default(),
                hosts: weir_shm::hosts::HostsSpec::NONE,
                huge_pages: false,
            })
            .unwrap();
            segments.push(shared.export());
            let (frames, fd, bytes) = packet_memory();
            segments.push(SegmentFd::frames(number, fd, bytes));
            let free = (0..CHUNKS).map(|chunk| chunk * CHUNK).collect();
            Shard { shared, frames, free }
        };
        let shards = (0..shards).map(shard).collect();
        let server = Server::bind(path, Offer { segments, ..Offer::default() }).unwrap();
        Self { control, shards, server, asked: Vec::new(), bells: Vec::new(), time_ns: 0 }
    }

    fn push(&mut self, number: u64, flow: u64, change: impl Fn(&mut Descriptor)) {
        let at = usize::try_from(flow).unwrap() % self.shards.len();
        self.time_ns = time_ns(number);
        self.shards[at].write(number, flow, self.time_ns, change);
        for shard in &mut self.shards {
            shard.shared.packets.publish(self.time_ns);
            let free = &mut shard.free;
            shard.shared.packets.look_after(|address| free.push(address));
            let sleepers = shard.shared.packets.sleepers();
            for (_, bell) in self.bells.iter().filter(|(place, _)| sleepers >> place & 1 == 1) {
                rustix::io::write(bell, b"!").ok();
            }
        }
    }

    fn serve(&mut self) {
        for event in self.server.serve() {
            for (number, shard) in (0..).zip(&mut self.shards) {
                let Shard { shared, free, .. } = shard;
                match &event {
                    Event::Joined(joined) => {
                        shared.packets.join(Join {
                            place: joined.place,
                            generation: joined.generation,
                            page: joined.page(number),
                            lease: joined.admission.lease,
                        });
                    }
                    Event::Left { place, .. } => {
                        shared.packets.leave(*place, |address| free.push(address));
                    }
                    Event::Dealt { group, owners } => shared.packets.set_group(*group, owners),
                    Event::Asked(_) | Event::Rules(..) => {}
                }
            }
            match event {
                Event::Asked(asked) => self.asked.push((asked.flow_id, asked.what)),
                Event::Joined(joined) => self.bells.push((joined.place, joined.bell)),
                Event::Left { place, .. } => {
                    self.bells.retain(|(known, _)| *known != place);
                    self.server.has_let_go(place);
                }
                Event::Dealt { .. } | Event::Rules(..) => {}
            }
        }
    }
}

impl Shard {
    fn write(&mut self, number: u64, flow: u64, time_ns: u64, change: impl Fn(&mut Descriptor)) {
        let Self { shared, frames, free } = self;
        let packets = &mut shared.packets;
        if !packets.is_read() {
            return;
        }
        packets.make_room(1, |address| free.push(address));
        let address = free.pop().unwrap();
        let bytes = frame(number, flow);
        let length = u32::try_from(bytes.len()).unwrap();
        frames.bytes_mut(address, length).copy_from_slice(&bytes);
        let hash = u32::try_from(flow.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 32).unwrap();
        let mut descriptor = Descriptor {
            packet: packets.next_packet(),
            timestamp_ns: time_ns,
            address,
            bytes: length,
            wire_bytes: length,
            flow_id: flow,
            flags: flag::HAS_FLOW,
            hash,
            pieces: 1,
            ..Descriptor::default()
        };
        change(&mut descriptor);
        packets.push(&descriptor);
    }
}

/// Memory as an engine has it: readers get a descriptor that cannot be written.
fn packet_memory() -> (Custody, OwnedFd, usize) {
    let bytes = usize::try_from(CHUNKS * CHUNK).unwrap();
    let config = AreaConfig { bytes, huge_pages: HugePages::Off, name: "test" };
    let umem_config = UmemConfig { chunk_bytes: 2048, headroom_bytes: 0 };
    let mut umem = Umem::new(Area::create(&config).unwrap(), &umem_config).unwrap();
    let fd = umem.area().as_fd().try_clone_to_owned().unwrap();
    (Custody::of_all(&mut umem), fd, bytes)
}

pub(crate) fn rest(time: Duration) {
    let time = rustix::event::Timespec::try_from(time).unwrap();
    rustix::event::poll(&mut [], Some(&time)).ok();
}
