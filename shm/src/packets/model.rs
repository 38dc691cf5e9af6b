//! The packet ring's protocols under loom: every order in which a writer and a reader can meet.
//!
//! `RUSTFLAGS="--cfg loom" cargo test -p weir-shm --lib --release model`

use super::cursor::{Cursor, Wanted};
use super::descriptor::Descriptor;
use super::groups::{BUCKETS, GROUP_WORDS, GroupReader};
use super::page::{LINE, PageReader, PageWriter};
use super::ring::{HEAD_WORDS, Join, LINE_WORDS, PacketWriter, SLOT_WORDS};
use super::{GROUPS, READERS};
use crate::segment::{ReadWords, WriteWords, pair};
use crate::sync::Ordering;
use loom::thread;

/// Runs a model with so many forced switches between the threads.
fn check(switches: usize, model: impl Fn() + Sync + Send + 'static) {
    let mut builder = loom::model::Builder::new();
    builder.preemption_bound = Some(switches);
    builder.check(model);
}

/// A ring with its packet memory: a word a frame.
struct Ring {
    writer: PacketWriter,
    head: ReadWords,
    slots: ReadWords,
    lines: ReadWords,
    groups: Vec<ReadWords>,
    frames: WriteWords,
    read_frames: ReadWords,
    free: Vec<u64>,
}

fn ring(slots: usize, lease_slots: u64, frames: usize) -> Ring {
    let (head_write, head) = pair(HEAD_WORDS);
    let (ring_write, slots) = pair(slots * SLOT_WORDS);
    let (lines_write, lines) = pair(READERS * LINE_WORDS);
    let (group_write, groups) = (0..GROUPS).map(|_| pair(GROUP_WORDS)).unzip();
    let (frames_write, read_frames) = pair(frames);
    Ring {
        writer: PacketWriter::new(head_write, ring_write, lines_write, group_write, lease_slots),
        head,
        slots,
        lines,
        groups,
        frames: frames_write,
        read_frames,
        free: (0..frames as u64).collect(),
    }
}

impl Ring {
    /// Lets a reader in.
    fn reader(&mut self, place: u8, lease: bool) -> Cursor {
        let (page_write, page) = pair(2 * LINE);
        let page = PageReader::new(page, 0);
        assert_eq!(self.writer.join(Join { place, generation: 9, page, lease }), lease);
        let line = self.lines.part(usize::from(place) * LINE_WORDS, LINE_WORDS);
        let words = [self.head.clone(), self.slots.clone(), line];
        let mut cursor = Cursor::new(words, PageWriter::new(page_write, 0), 9, lease);
        assert!(cursor.start());
        cursor
    }

    /// Writes a frame into memory that was given back, and its descriptor.
    fn push(&mut self, number: u64) {
        let free = &mut self.free;
        self.writer.make_room(1, |address| free.push(address));
        let address = self.free.pop().unwrap();
        self.frames[usize::try_from(address).unwrap()].store(number + 100, Ordering::Relaxed);
        let packet = self.writer.next_packet();
        let flow_id = number * 7;
        let pieces = 1;
        self.writer.push(&Descriptor { packet, address, flow_id, pieces, ..Descriptor::default() });
        self.writer.publish(number);
    }
}

fn frame(frames: &ReadWords, address: u64) -> u64 {
    frames.load(usize::try_from(address).unwrap())
}

/// What a window reader accepts is right, frame and descriptor, and what it misses is counted.
#[test]
fn a_window_reader_balances() {
    const PACKETS: u64 = 3;
    check(2, || {
        let mut ring = ring(2, 0, 3);
        let mut cursor = ring.reader(0, false);
        let frames = ring.read_frames.clone();
        let writer = thread::spawn(move || {
            (0..PACKETS).for_each(|number| ring.push(number));
            ring.writer.end();
        });
        let (mut wanted, mut seen) = (Wanted::default(), 0);
        let mut read = |cursor: &mut Cursor, seen: &mut u64| {
            while cursor.peek(&mut wanted).is_some() {
                *seen += cursor.take_missed();
                let staged = cursor.take().unwrap();
                let content = frame(&frames, staged.descriptor.address);
                if cursor.is_there(staged.position) {
                    assert_eq!(staged.descriptor.packet, *seen);
                    assert_eq!(staged.descriptor.flow_id, *seen * 7);
                    assert_eq!(content, *seen + 100);
                    cursor.let_go(staged.position);
                    *seen += 1;
                } else {
                    cursor.was_gone(staged.position);
                    *seen += cursor.take_missed();
                }
            }
        };
        read(&mut cursor, &mut seen);
        writer.join().unwrap();
        read(&mut cursor, &mut seen);
        cursor.settle_end();
        assert_eq!(seen + cursor.take_missed(), PACKETS);
    });
}

/// What a lease reader has in its hands stays as it was until it lets go, demoted or not.
#[test]
fn a_leased_frame_is_left_alone() {
    check(2, || {
        // The third packet demotes, and has the first one's memory if that is not pinned.
        let mut ring = ring(2, 1, 3);
        let mut cursor = ring.reader(0, true);
        let frames = ring.read_frames.clone();
        ring.push(0);
        let writer = thread::spawn(move || {
            (1..3).for_each(|number| ring.push(number));
            ring
        });
        let mut wanted = Wanted::default();
        let mut held = None;
        if cursor.peek(&mut wanted).is_some() {
            let staged = cursor.take().unwrap();
            if staged.leased {
                let content = staged.descriptor.flow_id / 7 + 100;
                assert_eq!(frame(&frames, staged.descriptor.address), content);
                held = Some((staged, content));
            }
        }
        let mut ring = writer.join().unwrap();
        if let Some((staged, content)) = held {
            assert_eq!(frame(&frames, staged.descriptor.address), content, "untouched");
            cursor.let_go(staged.position);
        }
        // Every place is free, in the ring, or pinned.
        let pinned = ring.writer.demoted().pinned;
        assert_eq!(ring.free.len() as u64 + ring.writer.retained() + pinned, 3);
        let free = &mut ring.free;
        ring.writer.leave(0, |address| free.push(address));
        assert_eq!(ring.free.len(), 3, "nothing leaks");
    });
}

/// While the owners change, every packet is exactly one member's.
#[test]
fn a_packet_is_one_members() {
    check(2, || {
        let mut ring = ring(4, 0, 4);
        let mut cursor = ring.reader(0, false);
        ring.writer.set_group(0, &[0; BUCKETS]);
        let members = [0, 1].map(|place| GroupReader::new(ring.groups[0].clone(), place));
        let writer = thread::spawn(move || {
            ring.push(0);
            ring.writer.set_group(0, &[1; BUCKETS]);
            ring.push(1);
        });
        let (mut wanted, mut members) = (Wanted::default(), members);
        let mut read = |cursor: &mut Cursor| {
            while cursor.peek(&mut wanted).is_some() {
                let staged = cursor.take().unwrap();
                for (place, member) in (0..).zip(&mut members) {
                    member.refresh();
                    let owner = staged.descriptor.packet == place;
                    assert_eq!(member.is_mine(staged.position, 0), owner);
                }
            }
        };
        read(&mut cursor);
        writer.join().unwrap();
        read(&mut cursor);
    });
}

/// A reader that finds nothing and goes to sleep is told of, or has seen the packet.
#[test]
fn no_sleeper_is_forgotten() {
    check(3, || {
        let mut ring = ring(2, 0, 2);
        let mut cursor = ring.reader(0, false);
        let writer = thread::spawn(move || {
            ring.push(0);
            ring.writer.sleepers()
        });
        cursor.ask_to_be_woken(false);
        let seen = cursor.has_more();
        let sleepers = writer.join().unwrap();
        assert!(seen || sleepers == 1, "nobody would wake it");
    });
}
