//! The reading half of one shard: descriptors in order, what was missed, what is in use.

use std::collections::VecDeque;

use super::descriptor::{Descriptor, WORDS};
use super::groups::GroupReader;
use super::lease::{LINE_GENERATION, LINE_LEASE, LINE_PACKET, LINE_START, word_of};
use super::page::{HOLD_MAX, PageWriter, SHOWN_WORDS};
use super::ring::{FLOOR, PACKETS, TAIL, WATERMARK};
use crate::segment::ReadWords;
use crate::sync::{Ordering, fence};

/// Descriptors that are copied in one go.
const BATCH: u64 = if cfg!(loom) { 2 } else { 64 };

/// Batches that one look for a packet goes through.
const FILLS: usize = 256;

/// Which packets a reader wants; decided by the descriptor alone.
#[derive(Debug, Default)]
pub struct Wanted {
    /// A member's part of a group.
    pub(crate) group: Option<(GroupReader, u8)>,
    /// A fixed part: member, of how many.
    pub(crate) share: Option<(u32, u32)>,
    /// Applications or master protocols; empty: all.
    pub(crate) apps: Vec<u16>,
    /// One flow alone.
    pub(crate) flow: Option<u64>,
}

/// Why a packet is not for this reader.
enum Left {
    ToOthers,
    Shunted,
    Filtered,
}

impl Wanted {
    #[inline]
    fn leaves(&mut self, position: u64, descriptor: &Descriptor) -> Option<Left> {
        if let Some((group, number)) = &mut self.group {
            if !group.is_mine(position, descriptor.hash) {
                return Some(Left::ToOthers);
            }
            if descriptor.shunted >> *number & 1 == 1 {
                return Some(Left::Shunted);
            }
        }
        if let Some((member, of)) = self.share {
            let owner = (u64::from(descriptor.hash) * u64::from(of)) >> 32;
            if owner != u64::from(member) {
                return Some(Left::ToOthers);
            }
        }
        let named = [descriptor.app, descriptor.master];
        let other_app = !self.apps.is_empty() && !named.iter().any(|app| self.apps.contains(app));
        let other_flow = self.flow.is_some_and(|flow| flow != descriptor.flow_id);
        (other_app || other_flow).then_some(Left::Filtered)
    }
}

/// A descriptor with its place in the ring.
#[derive(Debug, Clone, Copy)]
pub struct Staged {
    /// Its position.
    pub position: u64,
    /// What it says.
    pub descriptor: Descriptor,
    /// Its frame stays untouched until it is let go of.
    pub leased: bool,
}

/// See the module.
#[derive(Debug)]
pub struct Cursor {
    head: ReadWords,
    ring: ReadWords,
    line: ReadWords,
    page: PageWriter,
    generation: u64,
    mask: u64,
    /// The position that is copied next.
    position: u64,
    /// Number of the packet that is expected next.
    expected: u64,
    /// Packets missed and not yet told of.
    missed: u64,
    staged: VecDeque<Staged>,
    /// Where each packet in use begins, with whether it was let go of; oldest first.
    held: VecDeque<(u64, bool)>,
    wants_lease: bool,
    lease: u64,
    shown: [u64; SHOWN_WORDS],
    /// The packet that was looked at last is wanted, so its other pieces are.
    keeps: bool,
    /// The position at which the counts were shown last with nothing more to read.
    shown_at: u64,
}

const DELIVERED: usize = 0;
const MISSED: usize = 1;
const FILTERED: usize = 2;
const OTHERS: usize = 3;
const SHUNTED: usize = 4;

impl Cursor {
    /// A cursor by the words of a shard: the ring's head, its slots, the reader's line.
    pub(crate) fn new(
        [head, ring, line]: [ReadWords; 3],
        page: PageWriter,
        generation: u64,
        wants_lease: bool,
    ) -> Self {
        let mask = (ring.len() / WORDS).max(1) as u64 - 1;
        let capacity = usize::try_from(HOLD_MAX + BATCH).unwrap_or(0);
        Self {
            head,
            ring,
            line,
            page,
            generation,
            mask,
            position: 0,
            expected: 0,
            missed: 0,
            staged: VecDeque::with_capacity(capacity),
            held: VecDeque::with_capacity(capacity),
            wants_lease,
            lease: 1,
            shown: [0; SHOWN_WORDS],
            keeps: false,
            shown_at: 0,
        }
    }

    /// Whether the shard has taken this reader in; from then on it misses nothing unknown.
    pub fn start(&mut self) -> bool {
        let generation = self.line.load(LINE_GENERATION);
        // Pairs with the release store of `PacketWriter::join`.
        fence(Ordering::Acquire);
        if generation != self.generation {
            return false;
        }
        self.position = self.line.load(LINE_START);
        self.expected = self.line.load(LINE_PACKET);
        self.page.set_done(self.position);
        true
    }

    /// Whether something can be taken, by a look at the tail.
    #[inline]
    pub fn has_more(&self) -> bool {
        !self.staged.is_empty() || self.head.load(TAIL) != self.position
    }

    /// No packet to come is older than this; `u64::MAX`: none will come.
    #[inline]
    pub fn watermark_ns(&self) -> u64 {
        let watermark = self.head.load(WATERMARK);
        // A tail read after this holds all that the watermark promises.
        fence(Ordering::Acquire);
        watermark
    }

    /// Whether the stream has ended and everything was taken.
    pub fn is_over(&self) -> bool {
        self.watermark_ns() == u64::MAX && !self.has_more()
    }

    /// Whether frames are held for this reader.
    pub fn is_leased(&self) -> bool {
        self.wants_lease && self.line.load(LINE_LEASE) == word_of(self.lease, true)
    }

    /// Descriptors behind the newest.
    pub fn behind(&self) -> u64 {
        self.head.load(TAIL).saturating_sub(self.position) + self.staged.len() as u64
    }

    /// The first piece of the next packet, if one is there.
    #[inline]
    pub fn peek(&mut self, wanted: &mut Wanted) -> Option<&Staged> {
        // A bound, for a reader that wants next to nothing of a fast stream.
        for _ in 0..FILLS {
            if !self.staged.is_empty() || !self.fill(wanted) {
                break;
            }
        }
        self.staged.front()
    }

    /// Takes the next piece. The packet that it begins is in use until [`Self::let_go`].
    #[inline]
    pub fn take(&mut self) -> Option<Staged> {
        let staged = self.staged.pop_front()?;
        if staged.descriptor.piece == 0 {
            self.held.push_back((staged.position, false));
            self.shown[DELIVERED] += 1;
        }
        Some(staged)
    }

    /// Takes the next piece of a packet whose first was taken.
    pub(crate) fn take_piece(&mut self, packet: u64) -> Option<Descriptor> {
        let next = &self.staged.front()?.descriptor;
        let is_its = next.packet == packet && next.piece != 0;
        if is_its { self.staged.pop_front().map(|staged| staged.descriptor) } else { None }
    }

    /// Lets go of the packet whose first piece was at `position`; in any order.
    #[inline]
    pub fn let_go(&mut self, position: u64) {
        if let Some(held) = self.held.iter_mut().find(|(at, _)| *at == position) {
            held.1 = true;
        }
        while self.held.front().is_some_and(|(_, over)| *over) {
            self.held.pop_front();
        }
        self.say_done();
    }

    /// Takes back that the packet at `position`, just taken, was delivered: its bytes were gone.
    pub fn was_gone(&mut self, position: u64) {
        self.shown[DELIVERED] -= 1;
        self.note_missed(1);
        self.let_go(position);
    }

    /// Takes back that it was delivered: a filter on its bytes left it out.
    pub fn was_filtered(&mut self, position: u64) {
        self.shown[DELIVERED] -= 1;
        self.shown[FILTERED] += 1;
        self.let_go(position);
    }

    /// Packets that were missed since this was asked last.
    #[inline]
    pub fn take_missed(&mut self) -> u64 {
        std::mem::take(&mut self.missed)
    }

    /// Packets delivered, missed, filtered, other members', shunted, so far.
    pub fn counts(&self) -> [u64; SHOWN_WORDS] {
        self.shown
    }

    /// Whether what is at `position` is still there; what was copied before is good if it is.
    #[inline]
    pub fn is_there(&self, position: u64) -> bool {
        // Pairs with the release fence of `PacketWriter::raise_floor`.
        fence(Ordering::Acquire);
        self.head.load(FLOOR) <= position
    }

    /// Asks the shard for a wake-up; the caller looks once more before it sleeps.
    pub fn ask_to_be_woken(&mut self, for_watermark: bool) {
        self.page.ask_to_be_woken(for_watermark);
    }

    /// Copies the descriptors that are there, leaves out what is not wanted, notes what is gone.
    /// Shows the reader's counts too, once a batch.
    ///
    /// Whether it came further.
    fn fill(&mut self, wanted: &mut Wanted) -> bool {
        let before = self.position;
        let tail = self.head.load(TAIL);
        // Pairs with the release store of `PacketWriter::publish`.
        fence(Ordering::Acquire);
        let ready = tail.saturating_sub(self.position);
        if ready == 0 {
            self.note_end();
            self.fetch_next();
            return false;
        }
        if let Some((group, _)) = &mut wanted.group {
            group.refresh();
        }
        let in_use = self.held.front().map_or(0, |(from, _)| self.position - from);
        // Where as much is in use as may be, reading goes on with copies.
        let free = HOLD_MAX.saturating_sub(in_use);
        let leased = free != 0 && self.wants_lease && self.take_lease();
        let mut room = ready;
        if leased {
            room = ready.min(free);
            self.page.set_taken(self.position + room);
        }
        // A look after `taken` was stored: from here on the frames stay, or it says otherwise.
        let leased = leased && self.is_leased();
        let copied = self.copy(tail, if leased { room } else { ready }, leased);
        self.sort_out(copied, wanted);
        self.page.show(self.shown);
        self.say_done();
        self.position != before
    }

    /// Copies up to `room` descriptors, ending with whole packets, and drops those that were gone
    /// before they were copied. Gives how many were copied.
    fn copy(&mut self, tail: u64, room: u64, leased: bool) -> usize {
        let floor = self.head.load(FLOOR);
        self.position = self.position.max(floor.min(tail));
        let from = self.position;
        let mut whole = 0;
        while self.position < tail && self.position - from < room {
            let descriptor = self.descriptor(self.position);
            self.staged.push_back(Staged { position: self.position, descriptor, leased });
            self.position += 1;
            if descriptor.piece.saturating_add(1) >= descriptor.pieces {
                whole = self.staged.len();
                if self.position - from >= BATCH {
                    break;
                }
            } else if self.staged.len() > usize::from(u8::MAX) {
                // No packet has more pieces: what was read is not what was written.
                whole = self.staged.len();
                break;
            }
        }
        let floor = if self.is_there(from) { from } else { self.head.load(FLOOR) };
        // Pieces of a packet whose end did not fit wait for the next time.
        self.position -= (self.staged.len() - whole) as u64;
        self.staged.truncate(whole);
        while self.staged.front().is_some_and(|staged| staged.position < floor) {
            self.staged.pop_front();
        }
        self.position = self.position.max(floor);
        self.staged.len()
    }

    /// Leaves out what is not wanted of the newly staged.
    fn sort_out(&mut self, copied: usize, wanted: &mut Wanted) {
        for _ in 0..copied {
            let Some(staged) = self.staged.pop_front() else { break };
            if self.keeps(staged.position, &staged.descriptor, wanted) {
                self.staged.push_back(staged);
            }
        }
    }

    /// Whether the next descriptor is wanted. Counts it where it is not, and what is missing before
    /// it.
    #[inline(always)]
    fn keeps(&mut self, position: u64, descriptor: &Descriptor, wanted: &mut Wanted) -> bool {
        if descriptor.piece == 0 {
            if let Some(gap @ 1..) = descriptor.packet.checked_sub(self.expected) {
                self.note_missed(gap);
            }
            self.expected = descriptor.packet.wrapping_add(1);
            let left = wanted.leaves(position, descriptor);
            self.keeps = left.is_none();
            match left {
                None => {}
                Some(Left::ToOthers) => self.shown[OTHERS] += 1,
                Some(Left::Shunted) => self.shown[SHUNTED] += 1,
                Some(Left::Filtered) => self.shown[FILTERED] += 1,
            }
        } else if descriptor.packet.wrapping_add(1) != self.expected {
            // The rest of a packet whose beginning is gone.
            self.keeps = false;
        }
        self.keeps
    }

    /// Puts the next wanted descriptors that are there into `into` and lets go of their packets at
    /// once; for readers that look at no frame. How many; 0 may also mean that none of them was
    /// wanted.
    pub fn read(&mut self, wanted: &mut Wanted, into: &mut [Descriptor]) -> usize {
        if !self.staged.is_empty() {
            return self.read_staged(into);
        }
        let tail = self.head.load(TAIL);
        // Pairs with the release store of `PacketWriter::publish`.
        fence(Ordering::Acquire);
        if tail <= self.position {
            self.note_end();
            self.fetch_next();
            return 0;
        }
        if let Some((group, _)) = &mut wanted.group {
            group.refresh();
        }
        let from = self.begin(tail);
        let to = tail.min(from + into.len() as u64);
        let count = usize::try_from(to - from).unwrap_or(0);
        // Backwards: a processor that fetches ahead then does so away from what is being written.
        for (position, place) in (from..to).rev().zip(into[..count].iter_mut().rev()) {
            *place = self.descriptor(position);
        }
        let floor = if self.is_there(from) { from } else { self.head.load(FLOOR) };
        self.position = to.max(floor);
        let mut kept = 0;
        for (position, at) in (from..to).zip(0..) {
            let descriptor = &into[at];
            if position >= floor && self.keeps(position, descriptor, wanted) {
                self.shown[DELIVERED] += u64::from(descriptor.piece == 0);
                if kept != at {
                    into[kept] = *descriptor;
                }
                kept += 1;
            }
        }
        self.page.show(self.shown);
        self.say_done();
        kept
    }

    /// The position to read on from. Where the writer has come past the reader, some way behind the
    /// floor: what lies at the floor itself would be gone before it is read.
    #[inline(always)]
    fn begin(&self, tail: u64) -> u64 {
        let floor = self.head.load(FLOOR).min(tail);
        if self.position >= floor { self.position } else { floor + (tail - floor) / 8 }
    }

    /// As [`Self::read`], of what was copied before.
    pub(crate) fn read_staged(&mut self, into: &mut [Descriptor]) -> usize {
        let count = self.staged.len().min(into.len());
        for (place, staged) in into.iter_mut().zip(self.staged.drain(..count)) {
            *place = staged.descriptor;
            self.shown[DELIVERED] += u64::from(staged.descriptor.piece == 0);
        }
        self.say_done();
        count
    }

    #[inline(always)]
    fn descriptor(&self, position: u64) -> Descriptor {
        let at = usize::try_from(position & self.mask).unwrap_or(0) * WORDS;
        Descriptor::unpack(&std::array::from_fn(|word| self.ring.load(at + word)))
    }

    /// Who looks for the next descriptor again and again asks for its line and the tail's at once:
    /// when it comes, one way between the cores is waited for, not two.
    #[inline(always)]
    fn fetch_next(&self) {
        self.ring.fetch(usize::try_from(self.position & self.mask).unwrap_or(0) * WORDS);
    }

    /// Nothing is there now: shows what became of the packets taken since the last batch, once.
    fn note_end(&mut self) {
        if self.shown_at != self.position {
            self.shown_at = self.position;
            self.page.show(self.shown);
        }
    }

    /// At the stream's end, packets that nobody will tell of any more.
    pub fn settle_end(&mut self) {
        let packets = self.head.load(PACKETS);
        if let Some(gap @ 1..) = packets.checked_sub(self.expected) {
            self.note_missed(gap);
            self.expected = packets;
        }
        self.page.show(self.shown);
    }

    /// Whether the lease holds; asks for a new one where it was lost and nothing is in use.
    fn take_lease(&mut self) -> bool {
        let word = self.line.load(LINE_LEASE);
        if word == word_of(self.lease, true) {
            return true;
        }
        if word == word_of(self.lease + 1, true) {
            self.lease += 1;
            return true;
        }
        if word == word_of(self.lease, false) && self.held.is_empty() {
            self.page.wish(self.lease + 1);
        }
        false
    }

    fn note_missed(&mut self, packets: u64) {
        self.missed += packets;
        self.shown[MISSED] += packets;
    }

    /// Everything before the oldest that is in use or staged was let go of.
    #[inline]
    fn say_done(&self) {
        let staged = self.staged.front().map(|staged| staged.position);
        let held = self.held.front().map(|(from, _)| *from);
        let done = held.or(staged).unwrap_or(self.position);
        self.page.set_done(done);
    }
}
