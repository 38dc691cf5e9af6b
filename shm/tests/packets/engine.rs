//! An engine's side of packet memory: what the tests read.

use std::os::fd::{AsFd, OwnedFd};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use af_xdp::{Area, AreaConfig, Custody, HugePages, Umem, UmemConfig};
use rustix::event::{PollFd, PollFlags, Timespec};
use weir_shm::packets::{Descriptor, Held, Join, Next, PacketOptions, PacketReader};
use weir_shm::{
    ControlSpec, ControlWriter, EngineState, Event, Offer, PacketSpec, SegmentFd, Server,
    ShardSpec, ShardWriter, What,
};

pub(super) const SLOTS: u32 = 1024;
/// Memory is cut finer than chunks, so that a small ring goes round often.
pub(super) const CHUNK: u64 = 256;

/// A shard that writes packets whose bytes follow from their number.
pub(super) struct Shard {
    pub(super) shared: ShardWriter,
    pub(super) frames: Custody,
    pub(super) free: Vec<u64>,
    pub(super) watermark_ns: u64,
}

impl Shard {
    /// Writes a packet in pieces of `pieces` chunks; time and content follow from `number`.
    pub(super) fn push(&mut self, number: u64, pieces: u8, change: impl Fn(&mut Descriptor)) {
        let packets = &mut self.shared.packets;
        if !packets.is_read() {
            return;
        }
        let free = &mut self.free;
        packets.make_room(pieces.into(), |address| free.push(address));
        for piece in 0..pieces {
            let address = free.pop().expect("the ring gives memory back");
            let bytes = content(number, piece);
            let length = u32::try_from(bytes.len()).unwrap();
            self.frames.bytes_mut(address, length).copy_from_slice(&bytes);
            let mut descriptor = Descriptor {
                packet: packets.next_packet(),
                timestamp_ns: number * 10,
                address,
                bytes: length,
                wire_bytes: u32::from(pieces) * 100,
                flow_id: number + 1,
                hash: hash(number),
                pieces,
                piece,
                ..Descriptor::default()
            };
            change(&mut descriptor);
            // Both ways in come to the same.
            if pieces == 1 && number % 2 == 1 {
                let flow = descriptor.flow_words();
                let bare = Descriptor { packet: 0, flow_id: 0, flags: 0, pieces: 0, ..descriptor };
                assert_eq!(packets.push_frames([(bare, &flow)].into_iter()), 1);
            } else {
                packets.push(&descriptor);
            }
        }
        self.watermark_ns = number * 10;
        packets.publish(self.watermark_ns);
        packets.look_after(|address| free.push(address));
    }

    /// Descriptors out of the ring and pinned, with those in it and the free ones: all there are.
    pub(super) fn is_whole(&self, chunks: u64) -> bool {
        let packets = &self.shared.packets;
        self.free.len() as u64 + packets.retained() + packets.demoted().pinned == chunks
    }
}

pub(super) fn hash(number: u64) -> u32 {
    u32::try_from(number.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 32).unwrap()
}

pub(super) fn content(number: u64, piece: u8) -> Vec<u8> {
    let mut bytes = number.to_le_bytes().to_vec();
    bytes.resize(40 + usize::try_from(number % 50).unwrap(), piece);
    bytes
}

pub(super) fn expected(number: u64, pieces: u8) -> Vec<u8> {
    (0..pieces).flat_map(|piece| content(number, piece)).collect()
}

pub(super) struct Engine {
    pub(super) control: ControlWriter,
    pub(super) shards: Vec<Shard>,
    pub(super) server: Server,
    pub(super) asked: Vec<What>,
    /// Of the last reader that came.
    pub(super) bell: Option<Arc<OwnedFd>>,
}

pub(super) const CHUNKS: u64 = 4096;

/// Memory as an engine has it: readers get a descriptor that cannot be written.
pub(super) fn packet_memory() -> (Custody, OwnedFd, usize) {
    let bytes = usize::try_from(CHUNKS * CHUNK).unwrap();
    let config = AreaConfig { bytes, huge_pages: HugePages::Off, name: "test" };
    let umem_config = UmemConfig { chunk_bytes: 2048, headroom_bytes: 0 };
    let mut umem = Umem::new(Area::create(&config).unwrap(), &umem_config).unwrap();
    let fd = umem.area().as_fd().try_clone_to_owned().unwrap();
    (Custody::of_all(&mut umem), fd, bytes)
}

impl Engine {
    pub(super) fn start(path: &Path, shards: u16, lease_slots: u32) -> Engine {
        let control = ControlWriter::create(&ControlSpec {
            name: "test",
            engine_version: "1",
            sources: &["xdp:a".to_owned()],
            shards,
            queue_labels: &[],
            queue_counters: &[],
            settings: &[],
        })
        .unwrap();
        let mut segments = vec![control.export()];
        let shards: Vec<Shard> = (0..shards)
            .map(|number| {
                let packets = PacketSpec { slots: SLOTS, lease_slots, area: number, link_type: 1 };
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
                Shard { shared, frames, free, watermark_ns: 0 }
            })
            .collect();
        let offer = Offer { segments, ..Offer::default() };
        let server = Server::bind(path, offer).unwrap();
        Engine { control, shards, server, asked: Vec::new(), bell: None }
    }

    /// What an engine's control thread does.
    pub(super) fn serve(&mut self) {
        for event in self.server.serve() {
            match event {
                Event::Joined(joined) => {
                    self.bell = Some(Arc::clone(&joined.bell));
                    for shard in &mut self.shards {
                        let page = joined.page(shard_number(shard));
                        shard.shared.packets.join(Join {
                            place: joined.place,
                            generation: joined.generation,
                            page,
                            lease: joined.admission.lease,
                        });
                    }
                }
                Event::Left { place, .. } => {
                    for shard in &mut self.shards {
                        let free = &mut shard.free;
                        shard.shared.packets.leave(place, |address| free.push(address));
                    }
                    self.server.has_let_go(place);
                }
                Event::Dealt { group, owners } => {
                    for shard in &mut self.shards {
                        shard.shared.packets.set_group(group, &owners);
                    }
                }
                Event::Asked(asked) => self.asked.push(asked.what),
                // Nobody here gives rules.
                Event::Rules(..) => {}
            }
        }
    }

    pub(super) fn while_serving<T: Send>(&mut self, work: impl FnOnce() -> T + Send) -> T {
        thread::scope(|scope| {
            let handle = scope.spawn(work);
            while !handle.is_finished() {
                self.serve();
                thread::yield_now();
            }
            handle.join().unwrap()
        })
    }

    pub(super) fn open(&mut self, path: &Path, options: &PacketOptions) -> PacketReader {
        self.while_serving(|| PacketReader::open(path.to_str().unwrap(), options).unwrap())
    }

    /// Wakes the last reader that came for each of its shards that asked for it.
    pub(super) fn wake(&mut self) {
        let asked = self.shards.iter_mut().filter_map(|shard| {
            let sleepers = shard.shared.packets.sleepers();
            (sleepers != 0).then_some(())
        });
        for () in asked {
            let bell = self.bell.as_ref().unwrap();
            let flags = rustix::net::SendFlags::DONTWAIT | rustix::net::SendFlags::NOSIGNAL;
            rustix::net::send(bell, &[1], flags).unwrap();
        }
    }

    pub(super) fn end(&mut self) {
        for shard in &mut self.shards {
            shard.shared.packets.end();
        }
        self.control.set_state(EngineState::Ended);
    }
}

pub(super) fn rest(time: Duration) {
    let time = Timespec::try_from(time).unwrap();
    rustix::event::poll(&mut [], Some(&time)).unwrap();
}

pub(super) fn is_readable(reader: &PacketReader) -> bool {
    let mut fds = [PollFd::new(reader, PollFlags::IN)];
    rustix::event::poll(&mut fds, Some(&Timespec::default())).unwrap() == 1
}

pub(super) fn shard_number(shard: &Shard) -> u16 {
    shard.shared.export().shard()
}

pub(super) fn place() -> (tempfile::TempDir, PathBuf) {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("engine.sock");
    (directory, path)
}

pub(super) fn lease() -> PacketOptions {
    PacketOptions { lease: true, ..PacketOptions::default() }
}

pub(super) fn packet(reader: &mut PacketReader) -> Option<Held> {
    match reader.hold() {
        Next::Packet(held) => Some(held),
        Next::Empty | Next::Ended => None,
        other => panic!("{other:?}"),
    }
}

/// Reads all there is: numbers in order, and how many were missed. Checks every byte.
pub(super) fn drain(reader: &mut PacketReader) -> (Vec<u64>, u64) {
    let (mut numbers, mut missed) = (Vec::new(), 0);
    loop {
        match reader.hold() {
            Next::Packet(held) => {
                let number = held.descriptor().flow_id - 1;
                let pieces = held.descriptor().pieces;
                assert_eq!(reader.bytes(&held), expected(number, pieces), "packet {number}");
                assert_eq!(held.descriptor().timestamp_ns, number * 10);
                numbers.push(number);
                reader.release(held);
            }
            Next::Missed(count) => missed += count,
            Next::Empty | Next::Ended => return (numbers, missed),
            Next::Died => panic!("the engine is there"),
        }
    }
}
