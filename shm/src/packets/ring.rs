//! The writing half of a shard's packet ring.
//!
//! What always holds, N being the number of slots:
//! - `next` ≤ `floor` + N: no slot is written whose descriptor is still there;
//! - a frame's place is given back once, after the floor has passed its descriptor;
//! - nothing here waits, and nothing is allocated after [`PacketWriter::new`] but by readers that
//!   come and go.

use super::descriptor::{Descriptor, FlowWords, WORDS};
use super::groups::{GROUP_WORDS, GroupWriter, Owners};
use super::lease::{
    Demoted, LINE_DEMOTIONS, LINE_GENERATION, LINE_LEASE, LINE_PACKET, LINE_PINNED, LINE_START,
    Leases,
};
use super::page::{HOLD_MAX, PageReader};
use super::{GROUPS, READERS};
use crate::segment::{WriteWords, fetch_to_write};
use crate::sync::{AtomicU64, Ordering, fence};

/// Words of a slot.
pub(crate) const SLOT_WORDS: usize = WORDS;
/// Words of a reader's line in a shard.
pub(crate) const LINE_WORDS: usize = 16;
/// Words of the ring's head.
pub(crate) const HEAD_WORDS: usize = 32;
/// End of what was written.
pub(crate) const TAIL: usize = 0;
/// Everything before it is gone.
pub(crate) const FLOOR: usize = 1;
/// No packet to come is older than this, Unix nanoseconds; `u64::MAX`: none will come.
pub(crate) const WATERMARK: usize = 2;
/// Packets that were exported.
pub(crate) const PACKETS: usize = 3;
/// Constants, on lines of their own: number of the packet memory, link type (`LINKTYPE_`).
pub(crate) const AREA: usize = 16;
pub(crate) const LINK: usize = 17;

/// Descriptors between the one that is written and the one whose line is asked for: a full turn.
const AHEAD: usize = 64;

/// A reader that comes.
#[derive(Debug)]
pub struct Join {
    /// Its place, below [`READERS`].
    pub place: u8,
    /// Tells it from an earlier one in that place; not 0.
    pub generation: u64,
    /// Its page's line for this shard.
    pub page: PageReader,
    /// Whether it asked for a lease.
    pub lease: bool,
}

/// Somebody who reads.
#[derive(Debug)]
struct Reader {
    page: PageReader,
    /// The wait word that was answered last.
    rung: u64,
    /// The tail at that time.
    rung_tail: u64,
}

/// See the module.
///
/// A line that readers have copies of is long in coming: each is asked for a turn before it is
/// written, and a turn's are best written all in a row ([`Self::push_frames`]), as stores to one that
/// is not here yet keep all stores after them waiting.
#[derive(Debug)]
pub struct PacketWriter {
    head: WriteWords,
    ring: WriteWords,
    lines: WriteWords,
    groups: Vec<GroupWriter>,
    /// Groups that have an epoch waiting.
    unsettled: u32,
    mask: u64,
    /// Where the frames are of which descriptors are in the ring, by slot: what the slots say, too,
    /// in fewer lines, which no reader has copies of.
    addresses: Box<[u64]>,
    /// Slots that window readers can count on; the rest is for leases.
    window: u64,
    next: u64,
    visible: u64,
    floor: u64,
    packets: u64,
    readers: Box<[Option<Reader>]>,
    attached: usize,
    leases: Leases,
}

impl PacketWriter {
    /// `ring` has a power of two of slots, of which `lease_slots` are for lease readers that lag.
    pub(crate) fn new(
        head: WriteWords,
        ring: WriteWords,
        lines: WriteWords,
        groups: Vec<WriteWords>,
        lease_slots: u64,
    ) -> Self {
        let slots = (ring.len() / SLOT_WORDS) as u64;
        assert!(slots.is_power_of_two() && lease_slots < slots, "ring of a wrong size");
        assert!(head.len() >= HEAD_WORDS && groups.len() <= GROUPS, "sections of a wrong size");
        Self {
            head,
            ring,
            lines: lines.clone(),
            groups: groups.into_iter().map(GroupWriter::new).collect(),
            unsettled: 0,
            mask: slots - 1,
            addresses: (0..slots).map(|_| 0).collect(),
            window: slots - lease_slots,
            next: 0,
            visible: 0,
            floor: 0,
            packets: 0,
            readers: (0..READERS).map(|_| None).collect(),
            attached: 0,
            leases: Leases::new(lines),
        }
    }

    /// Gives only so many leases that their readers cannot keep more than half of `pieces` of packet
    /// memory in their hands: the rest is for frames to come. Other readers get windows.
    pub fn limit_leases(&mut self, pieces: u64) {
        self.leases.limit(usize::try_from(pieces / (2 * HOLD_MAX)).unwrap_or(usize::MAX));
    }

    #[cfg(not(loom))]
    pub(crate) fn touch(&self) {
        self.ring.touch();
        self.lines.touch();
    }

    /// Whether anybody reads.
    #[inline(always)]
    pub fn is_read(&self) -> bool {
        self.attached != 0
    }

    /// Number of the packet that comes next.
    #[inline(always)]
    pub fn next_packet(&self) -> u64 {
        self.packets
    }

    /// Descriptors that one call of [`Self::make_room`] can make room for.
    pub fn room_max(&self) -> u64 {
        self.window / 2
    }

    /// Makes room for so many descriptors, [`Self::room_max`] at most. `give_back` gets the places
    /// of the frames that leave.
    #[inline]
    pub fn make_room(&mut self, pieces: u64, give_back: impl FnMut(u64)) {
        let end = self.next + pieces;
        let wanted = end.saturating_sub(self.window);
        if wanted <= self.floor {
            return;
        }
        let must = end.saturating_sub(self.mask + 1);
        let floor = self.leases.allowed(wanted).max(must);
        if floor > self.floor {
            self.raise_floor(floor, give_back);
        }
    }

    /// Lets the oldest `pieces` descriptors go before their time: their memory is needed.
    #[cold]
    pub fn shorten(&mut self, pieces: u64, give_back: impl FnMut(u64)) {
        let floor = self.floor.saturating_add(pieces).min(self.visible);
        if floor > self.floor {
            self.raise_floor(floor, give_back);
        }
    }

    /// Descriptors that can be pushed before room must be made.
    #[inline(always)]
    pub fn room(&self) -> u64 {
        (self.floor + self.window).saturating_sub(self.next)
    }

    /// Descriptors in the ring.
    pub fn retained(&self) -> u64 {
        self.next - self.floor
    }

    fn raise_floor(&mut self, floor: u64, mut give_back: impl FnMut(u64)) {
        if self.leases.allowed(floor) < floor {
            self.leases.demote_before(floor, self.next);
        }
        let from = self.floor;
        self.floor = floor;
        self.head[FLOOR].store(floor, Ordering::Relaxed);
        // Pairs with the acquire fence before a reader's look at the floor: who sees a slot or a
        // frame written anew also sees that its old content is gone.
        fence(Ordering::Release);
        let may_pin = self.leases.may_pin();
        for position in from..floor {
            let address = self.addresses[self.index(position)];
            if !(may_pin && self.leases.pin(position, address)) {
                give_back(address);
            }
        }
    }

    /// Adds the next descriptor. Room was made for it; the last piece of a packet ends it.
    #[inline(always)]
    pub fn push(&mut self, descriptor: &Descriptor) {
        debug_assert!(self.next - self.floor <= self.mask, "room was made");
        let index = self.index(self.next);
        let (slots, _) = self.ring.as_chunks();
        write(&slots[index], descriptor.pack());
        fetch_to_write(&slots[self.index(self.next + AHEAD as u64)]);
        self.addresses[index] = descriptor.address;
        self.next += 1;
        self.packets += u64::from(descriptor.piece + 1 == descriptor.pieces);
    }

    /// Adds the descriptors of whole frames, each with what is said of its flow; up to the end of
    /// the ring's memory, so that it may take two calls. How many those were. Their numbers are
    /// given here. Room was made for all.
    #[inline(always)]
    pub fn push_frames<'a>(
        &mut self,
        frames: impl ExactSizeIterator<Item = (Descriptor, &'a FlowWords)>,
    ) -> usize {
        let first = self.index(self.next);
        let (slots, _) = self.ring.as_chunks::<SLOT_WORDS>();
        let slots = &slots[first..];
        let count = frames.len().min(slots.len());
        let later = slots.get(AHEAD..).unwrap_or(&[]);
        let places = slots.iter().zip(&mut self.addresses[first..]);
        let mut packet = self.packets;
        for (at, ((slot, place), (descriptor, flow))) in places.zip(frames).enumerate() {
            if let Some(later) = later.get(at) {
                fetch_to_write(later);
            }
            *place = descriptor.address;
            let descriptor = Descriptor { packet, pieces: 1, piece: 0, ..descriptor };
            write(slot, descriptor.pack_with(flow));
            packet += 1;
        }
        self.packets = packet;
        self.next += count as u64;
        debug_assert!(self.next - self.floor <= self.mask + 1, "room was made");
        count
    }

    /// Shows readers what was pushed, whole packets always. `watermark_ns`: no packet to come is
    /// older.
    #[inline]
    pub fn publish(&mut self, watermark_ns: u64) {
        self.head[WATERMARK].store(watermark_ns, Ordering::Relaxed);
        self.head[PACKETS].store(self.packets, Ordering::Relaxed);
        // Pairs with the acquire fence after a reader's look at the tail.
        self.head[TAIL].store(self.next, Ordering::Release);
        self.visible = self.next;
    }

    /// Says that nothing will come any more.
    pub fn end(&mut self) {
        self.head[WATERMARK].store(u64::MAX, Ordering::Release);
        // Whoever sleeps is to hear of it, though no packet comes.
        for reader in self.readers.iter_mut().flatten() {
            reader.rung_tail = u64::MAX;
        }
    }

    /// Takes a reader in: it sees every packet from here on. Whether it got the lease it asked for.
    pub fn join(&mut self, join: Join) -> bool {
        let Join { place, generation, page, lease } = join;
        let Some(seat) = self.readers.get_mut(usize::from(place)) else { return false };
        debug_assert!(seat.is_none(), "the place is free");
        *seat = Some(Reader { page: page.clone(), rung: 0, rung_tail: 0 });
        self.attached += 1;
        let base = usize::from(place) * LINE_WORDS;
        for word in [LINE_LEASE, LINE_DEMOTIONS, LINE_PINNED] {
            self.lines[base + word].store(0, Ordering::Relaxed);
        }
        let leased = lease && self.leases.join(place.into(), page, self.next);
        self.lines[base + LINE_START].store(self.next, Ordering::Relaxed);
        self.lines[base + LINE_PACKET].store(self.packets, Ordering::Relaxed);
        // Pairs with the acquire fence after a reader's look at its generation.
        self.lines[base + LINE_GENERATION].store(generation, Ordering::Release);
        leased
    }

    /// Lets a reader go; `give_back` gets the places of frames that nobody holds any more.
    pub fn leave(&mut self, place: u8, mut give_back: impl FnMut(u64)) {
        let seat = self.readers.get_mut(usize::from(place));
        let Some(seat) = seat.filter(|seat| seat.is_some()) else { return };
        *seat = None;
        self.attached -= 1;
        let line = usize::from(place) * LINE_WORDS + LINE_GENERATION;
        self.lines[line].store(0, Ordering::Release);
        self.leases.leave(place.into(), &mut give_back);
        if self.attached == 0 {
            self.raise_floor(self.next, give_back);
        }
    }

    /// Has the flows of a group go to `owners` from here on.
    pub fn set_group(&mut self, group: u8, owners: &Owners) {
        if let Some(writer) = self.groups.get_mut(usize::from(group)) {
            writer.set(owners);
            self.unsettled |= 1 << group;
            self.settle_groups();
        }
    }

    /// Looks after what is seldom: epochs that wait, readers that were demoted. To be called every
    /// now and then between turns, after [`Self::publish`].
    pub fn look_after(&mut self, give_back: impl FnMut(u64)) {
        debug_assert_eq!(self.next, self.visible, "between turns");
        if self.unsettled != 0 {
            self.settle_groups();
        }
        self.leases.look_after(self.next, self.floor, self.window / 2, give_back);
    }

    fn settle_groups(&mut self) {
        for (group, writer) in self.groups.iter_mut().enumerate() {
            if self.unsettled >> group & 1 == 1 && writer.settle(self.next, self.floor) {
                self.unsettled &= !(1 << group);
            }
        }
    }

    /// The places of readers that sleep and want to be woken for what was published since, one bit
    /// each. Each sleep is told of once.
    pub fn sleepers(&mut self) -> u64 {
        // Pairs with the fence of `PageWriter::ask_to_be_woken`.
        fence(Ordering::SeqCst);
        let mut sleepers = 0;
        for (place, reader) in self.readers.iter_mut().enumerate() {
            let Some(reader) = reader else { continue };
            let wait = reader.page.wait();
            let news = reader.rung_tail != self.visible || wait & 1 == 1;
            if wait != reader.rung && news {
                reader.rung = wait;
                reader.rung_tail = self.visible;
                sleepers |= 1 << place;
            }
        }
        sleepers
    }

    /// How far the slowest reader is behind, in descriptors: for files, whose shards may wait.
    pub fn behind(&self) -> u64 {
        let done = self.readers.iter().flatten().map(|reader| reader.page.done());
        done.map(|done| self.next.saturating_sub(done)).max().unwrap_or(0)
    }

    /// Descriptors that readers can be behind before any is written over.
    pub fn allowance(&self) -> u64 {
        self.window / 2
    }

    /// What was done to leases.
    pub fn demoted(&self) -> Demoted {
        self.leases.demoted()
    }

    #[inline(always)]
    #[expect(clippy::cast_possible_truncation, reason = "masked by the number of slots")]
    fn index(&self, position: u64) -> usize {
        (position & self.mask) as usize
    }
}

/// Writes a descriptor into its slot, which no reader takes for one until the tail is past it.
#[inline(always)]
fn write(slot: &[AtomicU64; SLOT_WORDS], words: [u64; WORDS]) {
    for (word, value) in slot.iter().zip(words) {
        word.store(value, Ordering::Relaxed);
    }
}

/// The head's words as they are made: where the frames are, and what they begin with.
#[cfg(not(loom))]
pub(crate) fn head_constants(area: u16, link_type: u32) -> [u64; LINK + 1] {
    let mut words = [0; LINK + 1];
    words[AREA] = area.into();
    words[LINK] = link_type.into();
    words
}

const _: () = assert!((GROUP_WORDS * 8).is_multiple_of(128) && READERS <= 64, "lines and masks");
