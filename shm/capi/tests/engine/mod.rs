//! An engine that is not one: a packet ring filled on demand and served as the real one serves it.

use std::os::fd::{AsFd, OwnedFd};
use std::path::{Path, PathBuf};
use std::sync::mpsc::{self, Receiver, Sender, TryRecvError};
use std::thread::{self, JoinHandle};

use af_xdp::{Area, AreaConfig, Custody, HugePages, Umem, UmemConfig};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::net::{SendFlags, send};
use weir_shm::packets::{Descriptor, Join, PacketWriter, flag};
use weir_shm::rules::AppRow;
use weir_shm::{
    ControlSpec, ControlWriter, EngineState, Event, Offer, PacketSpec, SegmentFd, Server,
    ShardSpec, ShardWriter,
};

const SLOTS: u32 = 1024;
const CHUNK: u64 = 256;
const CHUNKS: u64 = 4096;

/// Applications of the packets, in turn: TLS, DNS, none.
const APPS: [u16; 3] = [22, 40, 0];

/// What the fake is told to do; it answers when that is done.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Tell {
    /// Write so many packets.
    Push(u64),
    /// Wait until a reader is there.
    AwaitReader,
    /// Wait until readers have let go of everything.
    AwaitRead,
    /// End in order, and go on serving.
    End,
}

/// A running fake; dropped, it is gone without a word unless it ended before.
#[derive(Debug)]
pub(crate) struct Engine {
    pub(crate) path: PathBuf,
    tell: Option<Sender<Tell>>,
    done: Receiver<()>,
    thread: Option<JoinHandle<()>>,
}

impl Engine {
    pub(crate) fn start(directory: &Path) -> Engine {
        let path = directory.join("fake.sock");
        let mut fake = Fake::start(&path);
        let (tell, told) = mpsc::channel();
        let (does, done) = mpsc::channel();
        let thread = thread::spawn(move || fake.run(&told, &does));
        Engine { path, tell: Some(tell), done, thread: Some(thread) }
    }

    pub(crate) fn tell(&self, what: Tell) {
        self.tell.as_ref().unwrap().send(what).unwrap();
        self.done.recv().unwrap();
    }
}

impl Drop for Engine {
    fn drop(&mut self) {
        self.tell = None;
        self.thread.take().map(JoinHandle::join);
    }
}

struct Fake {
    control: ControlWriter,
    shard: ShardWriter,
    frames: Custody,
    free: Vec<u64>,
    server: Server,
    /// To wake readers by, with their places.
    bells: Vec<(u8, std::sync::Arc<OwnedFd>)>,
    /// Packets written.
    number: u64,
    has_ended: bool,
}

impl Fake {
    fn start(path: &Path) -> Fake {
        let mut control = ControlWriter::create(&ControlSpec {
            name: "fake",
            engine_version: "1",
            sources: &["pcap:fake.pcap".to_owned()],
            shards: 1,
            queue_labels: &[],
            queue_counters: &[],
            settings: &[],
        })
        .unwrap();
        let shard = ShardWriter::create(&ShardSpec {
            shard: 0,
            label: "shard 0",
            flow_slots: 30,
            health: false,
            record_bytes: 32768,
            arena_bytes: 2048,
            counters: &[],
            histograms: &[],
            packets: PacketSpec { slots: SLOTS, lease_slots: SLOTS / 2, area: 0, link_type: 1 },
            alerts: weir_shm::AlertSpec::default(),
            hosts: weir_shm::hosts::HostsSpec::NONE,
            huge_pages: false,
        })
        .unwrap();
        let (frames, fd, bytes) = packet_memory();
        let segments = vec![control.export(), shard.export(), SegmentFd::frames(0, fd, bytes)];
        let server = Server::bind(path, Offer { segments, ..Offer::default() }).unwrap();
        let free = (0..CHUNKS).map(|chunk| chunk * CHUNK).collect();
        let declared = AppRow { id: 4000, name: "Payroll".to_owned(), ..AppRow::default() };
        control.take_rules().unwrap().set_app(&declared);
        control.set_state(EngineState::Running);
        Fake {
            control,
            shard,
            frames,
            free,
            server,
            bells: Vec::new(),
            number: 0,
            has_ended: false,
        }
    }

    fn run(&mut self, told: &Receiver<Tell>, does: &Sender<()>) {
        loop {
            self.serve();
            match told.try_recv() {
                Ok(what) => self.obey(what, does),
                Err(TryRecvError::Empty) => {
                    let timeout = Timespec { tv_sec: 0, tv_nsec: 1_000_000 };
                    poll(&mut [PollFd::new(&self.server, PollFlags::IN)], Some(&timeout)).unwrap();
                }
                Err(TryRecvError::Disconnected) => return,
            }
        }
    }

    fn obey(&mut self, what: Tell, does: &Sender<()>) {
        match what {
            Tell::Push(packets) => (0..packets).for_each(|_| self.push()),
            Tell::AwaitReader => self.serve_until(PacketWriter::is_read),
            Tell::AwaitRead => self.serve_until(|packets| packets.behind() == 0),
            Tell::End => {
                self.has_ended = true;
                self.publish();
                self.control.set_state(EngineState::Ended);
            }
        }
        does.send(()).unwrap();
    }

    fn serve_until(&mut self, holds: impl Fn(&PacketWriter) -> bool) {
        while !holds(&self.shard.packets) {
            self.serve();
            thread::yield_now();
        }
    }

    fn serve(&mut self) {
        let Fake { shard, free, server, bells, .. } = self;
        for event in server.serve() {
            match event {
                Event::Joined(joined) => {
                    shard.packets.join(Join {
                        place: joined.place,
                        generation: joined.generation,
                        page: joined.page(0),
                        lease: joined.admission.lease,
                    });
                    bells.push((joined.place, std::sync::Arc::clone(&joined.bell)));
                }
                Event::Left { place, .. } => {
                    shard.packets.leave(place, |address| free.push(address));
                    bells.retain(|(known, _)| *known != place);
                }
                Event::Dealt { group, owners } => shard.packets.set_group(group, &owners),
                Event::Asked(_) | Event::Rules(..) => {}
            }
        }
        self.publish();
    }

    /// What ends a turn.
    fn publish(&mut self) {
        let Fake { shard, free, bells, .. } = self;
        if self.has_ended {
            shard.packets.end();
        } else {
            shard.packets.publish(self.number * 1000);
        }
        shard.packets.look_after(|address| free.push(address));
        let sleepers = shard.packets.sleepers();
        for (_, bell) in bells.iter().filter(|(place, _)| sleepers >> place & 1 == 1) {
            send(bell, b"!", SendFlags::DONTWAIT | SendFlags::NOSIGNAL).ok();
        }
    }

    /// Writes a packet whose content and description follow from its number.
    fn push(&mut self) {
        let number = self.number;
        self.number += 1;
        let Fake { shard, free, frames, .. } = self;
        let packets = &mut shard.packets;
        if !packets.is_read() {
            return;
        }
        packets.make_room(1, |address| free.push(address));
        let address = free.pop().expect("the ring gives memory back");
        let mut bytes = number.to_le_bytes().to_vec();
        bytes.resize(60, 0xaa);
        frames.bytes_mut(address, 60).copy_from_slice(&bytes);
        let app = APPS[usize::try_from(number % 3).unwrap()];
        let tagged = number % 50 == 7;
        packets.push(&Descriptor {
            packet: packets.next_packet(),
            timestamp_ns: number * 1000,
            address,
            bytes: 60,
            wire_bytes: 100,
            flow_id: number % 10 + 1,
            hash: 77,
            app,
            master: app,
            confidence: 6,
            flags: flag::HAS_FLOW | if tagged { flag::VLAN_STRIPPED } else { 0 },
            vlan: if tagged { 5 } else { 0 },
            interface: 2,
            pieces: 1,
            ..Descriptor::default()
        });
        self.publish();
    }
}

/// Memory as an engine has it: readers get a descriptor that cannot be written.
fn packet_memory() -> (Custody, OwnedFd, usize) {
    let bytes = usize::try_from(CHUNKS * CHUNK).unwrap();
    let config = AreaConfig { bytes, huge_pages: HugePages::Off, name: "fake" };
    let umem_config = UmemConfig { chunk_bytes: 2048, headroom_bytes: 0 };
    let mut umem = Umem::new(Area::create(&config).unwrap(), &umem_config).unwrap();
    let fd = umem.area().as_fd().try_clone_to_owned().unwrap();
    (Custody::of_all(&mut umem), fd, bytes)
}
