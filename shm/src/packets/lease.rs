//! Which frames are held for whom.
//!
//! The floor stays behind every lease reader's cursor as long as the ring has room. One that lags
//! beyond that is demoted: its lease word says so, and the frames that it may have in its hands,
//! [`HOLD_MAX`] at most, are *pinned*: their places are not reused before it lets go or goes.

use super::page::{HOLD_MAX, PageReader};
use crate::segment::WriteWords;
use crate::sync::{Ordering, fence};

/// Lease readers at one time; others that ask become window readers. Bounds what can be pinned.
pub(crate) const LEASES: usize = if cfg!(loom) { 2 } else { 8 };

/// Words of a reader's line in a shard.
pub(crate) const LINE_GENERATION: usize = 0;
pub(crate) const LINE_START: usize = 1;
pub(crate) const LINE_PACKET: usize = 2;
pub(crate) const LINE_LEASE: usize = 3;
pub(crate) const LINE_DEMOTIONS: usize = 4;
pub(crate) const LINE_PINNED: usize = 5;

/// How often a lease reader was demoted.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Demoted {
    /// Demotions of all readers.
    pub times: u64,
    /// Pieces pinned now.
    pub pinned: u64,
}

/// A frame's place that is held although its descriptor has left the ring.
#[derive(Debug)]
struct Pin {
    position: u64,
    address: u64,
    /// Places of the readers that hold it.
    readers: u64,
}

/// A reader's lease.
#[derive(Debug)]
struct Lease {
    place: u32,
    page: PageReader,
    /// Number of the lease; it rises each time that one is given.
    number: u64,
    active: bool,
    /// The cursor as last seen; it never goes back.
    done: u64,
    /// What may be in its hands since it was demoted.
    held: (u64, u64),
}

/// All leases of a shard.
#[derive(Debug)]
pub(crate) struct Leases {
    given: Vec<Lease>,
    /// Lowest cursor of the active ones as last seen; `u64::MAX` if there is none.
    lowest: u64,
    pins: Vec<Pin>,
    demotions: u64,
    /// How many there may be.
    most: usize,
    /// Lines of all readers, to tell them by.
    lines: WriteWords,
}

impl Leases {
    pub(crate) fn new(lines: WriteWords) -> Self {
        let pins = Vec::with_capacity(LEASES * usize::try_from(HOLD_MAX).unwrap_or(0));
        let given = Vec::with_capacity(LEASES);
        Self { given, lowest: u64::MAX, pins, demotions: 0, most: LEASES, lines }
    }

    /// Gives no more than so many leases.
    pub(crate) fn limit(&mut self, most: usize) {
        self.most = self.most.min(most);
    }

    pub(crate) fn demoted(&self) -> Demoted {
        Demoted { times: self.demotions, pinned: self.pins.len() as u64 }
    }

    fn tell(&self, place: u32, word: usize, value: u64) {
        let index = place as usize * super::LINE_WORDS + word;
        if let Some(word) = self.lines.get(index) {
            word.store(value, Ordering::Release);
        }
    }

    /// Gives a new reader a lease from position `next` on. False if there are as many as may be.
    pub(crate) fn join(&mut self, place: u32, page: PageReader, next: u64) -> bool {
        if self.given.len() >= self.most {
            return false;
        }
        self.given.push(Lease { place, page, number: 1, active: true, done: next, held: (0, 0) });
        self.tell(place, LINE_LEASE, word_of(1, true));
        self.lowest = self.lowest.min(next);
        true
    }

    /// Takes a reader's lease and pins away; `give_back` gets the places that nobody holds now.
    pub(crate) fn leave(&mut self, place: u32, give_back: impl FnMut(u64)) {
        self.given.retain(|lease| lease.place != place);
        self.look();
        self.unpin(1 << place, |_| true, give_back);
    }

    /// The highest floor up to `wanted` that takes nothing from a lease. Looks at the readers'
    /// cursors only if what was last seen of them is not enough.
    #[inline]
    pub(crate) fn allowed(&mut self, wanted: u64) -> u64 {
        if self.lowest < wanted {
            self.look();
        }
        self.lowest.min(wanted)
    }

    /// Reads the cursors of all active leases.
    fn look(&mut self) {
        self.lowest = u64::MAX;
        for lease in self.given.iter_mut().filter(|lease| lease.active) {
            lease.done = lease.done.max(lease.page.done());
            self.lowest = self.lowest.min(lease.done);
        }
    }

    /// Demotes every lease whose reader needs what lies before `floor`. `next` is the end of what
    /// was ever written.
    #[cold]
    pub(crate) fn demote_before(&mut self, floor: u64, next: u64) {
        self.look();
        for index in 0..self.given.len() {
            let lease = &self.given[index];
            if !lease.active || lease.done >= floor {
                continue;
            }
            let (place, number) = (lease.place, lease.number);
            self.tell(place, LINE_LEASE, word_of(number, false));
            // Pairs with the fence of `PageWriter::set_taken`: either the reader's next look at its
            // lease finds this, or the look below finds what it took.
            fence(Ordering::SeqCst);
            let lease = &mut self.given[index];
            // In this order: a cursor read later is no lower than the one that `taken` went by.
            let taken = lease.page.taken();
            let done = lease.done.max(lease.page.done());
            let taken = taken.min(done.saturating_add(HOLD_MAX)).min(next);
            lease.active = false;
            lease.held = (done, taken);
            self.demotions += 1;
            self.tell(place, LINE_DEMOTIONS, self.demotions_of(place) + 1);
        }
        self.look();
    }

    fn demotions_of(&self, place: u32) -> u64 {
        let index = place as usize * super::LINE_WORDS + LINE_DEMOTIONS;
        self.lines.get(index).map_or(0, |word| word.load(Ordering::Relaxed))
    }

    /// Whether a frame that leaves the ring is in somebody's hands; if so it is pinned.
    #[inline]
    pub(crate) fn pin(&mut self, position: u64, address: u64) -> bool {
        let mut readers = 0;
        for lease in &self.given {
            if (lease.held.0..lease.held.1).contains(&position) {
                readers |= 1_u64 << lease.place;
            }
        }
        if readers == 0 || self.pins.len() == self.pins.capacity() {
            return false;
        }
        self.pins.push(Pin { position, address, readers });
        true
    }

    /// Whether any lease has been demoted and not given anew: what leaves the ring may be pinned.
    pub(crate) fn may_pin(&self) -> bool {
        self.given.iter().any(|lease| lease.held.0 < lease.held.1)
    }

    /// Looks after the demoted: takes back what they let go of, and gives the lease anew to those
    /// that ask for it and have caught up, to at most `lag` behind `next`.
    pub(crate) fn look_after(
        &mut self,
        next: u64,
        floor: u64,
        lag: u64,
        mut give_back: impl FnMut(u64),
    ) {
        for index in 0..self.given.len() {
            let lease = &mut self.given[index];
            if lease.active {
                continue;
            }
            let place = lease.place;
            let done = lease.page.done();
            lease.held.0 = lease.held.0.max(done.min(lease.held.1));
            let (holds, wishes) = (lease.held.0 < lease.held.1, lease.page.wish());
            let near = (floor..=next).contains(&done) && next - done <= lag;
            if !holds && near && wishes == lease.number + 1 {
                lease.number = wishes;
                lease.active = true;
                lease.done = done;
                lease.held = (0, 0);
                let word = word_of(lease.number, true);
                self.tell(place, LINE_LEASE, word);
                self.lowest = self.lowest.min(done);
            }
            let mut pinned = 0;
            self.unpin(1 << place, |position| position < done, &mut give_back);
            for pin in &self.pins {
                pinned += pin.readers >> place & 1;
            }
            self.tell(place, LINE_PINNED, pinned);
        }
    }

    /// Takes `readers` off the pins at positions that are `over`.
    fn unpin(&mut self, readers: u64, over: impl Fn(u64) -> bool, mut give_back: impl FnMut(u64)) {
        self.pins.retain_mut(|pin| {
            if over(pin.position) {
                pin.readers &= !readers;
            }
            if pin.readers == 0 {
                give_back(pin.address);
            }
            pin.readers != 0
        });
    }
}

/// A lease word: the number, and whether it holds.
pub(crate) const fn word_of(number: u64, active: bool) -> u64 {
    number << 1 | active as u64
}
