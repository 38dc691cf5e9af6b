//! The last seconds, in memory, of packets that are written only once somebody asks for them.
//!
//! What is written stays until it is too old, as what is not: the next one who asks may want that.

use std::collections::VecDeque;

use crate::files::Packet;
use crate::files::note::{FlowId, Note};

/// A packet in memory; its bytes lie in the ring, in the same order.
#[derive(Clone, Copy, Debug)]
pub(super) struct Kept {
    pub(super) time_ns: u64,
    bytes: usize,
    wire_bytes: u32,
    link_type: u32,
    interface: u32,
    pub(super) note: Option<Note>,
    pub(super) flow: Option<FlowId>,
    is_written: bool,
}

impl Kept {
    /// As a packet again, with its bytes.
    pub(super) fn packet<'a>(&self, bytes: &'a [u8]) -> Packet<'a> {
        let Kept { time_ns, wire_bytes, link_type, interface, note, .. } = *self;
        Packet { time_ns, bytes, wire_bytes, link_type, interface, note, ..Packet::default() }
    }
}

/// See the module.
#[derive(Debug)]
pub(super) struct Memory {
    span_ns: u64,
    most_bytes: usize,
    kept: VecDeque<Kept>,
    bytes: VecDeque<u8>,
    /// Those that went before the oldest.
    gone: u64,
    /// While it is looked through: how many were looked at or went, and where the next one's bytes are.
    at: Option<(u64, usize)>,
    /// Those that are not written.
    waiting: u64,
    /// The newest packet's time.
    newest_ns: u64,
}

impl Memory {
    pub(super) fn new(span_ns: u64, most_bytes: usize) -> Memory {
        Memory {
            span_ns,
            most_bytes,
            kept: VecDeque::new(),
            bytes: VecDeque::with_capacity(most_bytes),
            gone: 0,
            at: None,
            waiting: 0,
            newest_ns: 0,
        }
    }

    /// Begins to look through what is here, from the oldest on, and through what comes.
    pub(super) const fn look(&mut self) {
        self.at = Some((self.gone, 0));
    }

    /// Nothing is asked for any more.
    pub(super) const fn rest(&mut self) {
        self.at = None;
    }

    /// Takes a packet. How many older ones had to go for it, unwritten.
    pub(super) fn push(&mut self, packet: &Packet<'_>, flow: Option<FlowId>) -> u64 {
        self.newest_ns = self.newest_ns.max(packet.time_ns);
        let before = self.waiting;
        while self.bytes.len() + packet.bytes.len() > self.most_bytes && self.drop_oldest() {}
        if packet.bytes.len() > self.most_bytes {
            return before - self.waiting + 1;
        }
        self.bytes.extend(packet.bytes);
        let Packet { time_ns, bytes, wire_bytes, link_type, interface, note, .. } = *packet;
        let (bytes, is_written) = (bytes.len(), false);
        self.kept.push_back(Kept {
            time_ns,
            bytes,
            wire_bytes,
            link_type,
            interface,
            note,
            flow,
            is_written,
        });
        self.waiting += 1;
        let since = self.newest_ns.saturating_sub(self.span_ns);
        while self.kept.front().is_some_and(|oldest| oldest.time_ns < since)
            && self.at.is_none_or(|(seen, _)| seen > self.gone)
            && self.drop_oldest()
        {}
        before + 1 - self.waiting
    }

    /// The next one that is to be looked at and is not written, with its number; its bytes are put
    /// into `into`.
    pub(super) fn next(&mut self, into: &mut Vec<u8>) -> Option<(Kept, u64)> {
        let (seen, place) = self.at.as_mut()?;
        loop {
            let index = usize::try_from(*seen - self.gone).ok()?;
            let kept = self.kept.get(index).copied()?;
            let (number, begin) = (*seen, *place);
            (*seen, *place) = (number + 1, begin + kept.bytes);
            if !kept.is_written {
                into.clear();
                into.extend(self.bytes.range(begin..*place));
                return Some((kept, number));
            }
        }
    }

    /// The one of this number was written.
    pub(super) fn written(&mut self, number: u64) {
        let index = number.checked_sub(self.gone).and_then(|index| usize::try_from(index).ok());
        if let Some(kept) = index.and_then(|index| self.kept.get_mut(index)) {
            self.waiting -= u64::from(!std::mem::replace(&mut kept.is_written, true));
        }
    }

    /// The time of the oldest one.
    pub(super) fn oldest_ns(&self) -> Option<u64> {
        self.kept.front().map(|kept| kept.time_ns)
    }

    /// Packets that are not written.
    pub(super) const fn waiting(&self) -> u64 {
        self.waiting
    }

    /// Drops the oldest, if there is one.
    fn drop_oldest(&mut self) -> bool {
        let Some(oldest) = self.kept.pop_front() else { return false };
        self.bytes.drain(..oldest.bytes);
        self.gone += 1;
        self.waiting -= u64::from(!oldest.is_written);
        if let Some((seen, place)) = &mut self.at {
            // One that was not looked at went for want of memory.
            *seen = self.gone.max(*seen);
            *place = place.saturating_sub(oldest.bytes);
        }
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn packet(time_ns: u64, bytes: &[u8]) -> Packet<'_> {
        Packet { time_ns, bytes, wire_bytes: 9, link_type: 1, ..Packet::default() }
    }

    /// Looks at what is there and writes what `wanted` says; the times of those.
    fn write(memory: &mut Memory, wanted: impl Fn(u64) -> bool) -> Vec<u64> {
        let mut times = Vec::new();
        let mut into = Vec::new();
        while let Some((kept, number)) = memory.next(&mut into) {
            assert_eq!(into, [kept.time_ns.to_le_bytes()[0]; 3]);
            if wanted(kept.time_ns) {
                memory.written(number);
                times.push(kept.time_ns);
            }
        }
        times
    }

    #[test]
    fn the_last_seconds_are_there_and_what_comes_for_a_while() {
        let mut memory = Memory::new(10, 1000);
        let push = |memory: &mut Memory, time: u64| {
            memory.push(&packet(time, &[time.to_le_bytes()[0]; 3]), None)
        };
        for time in 0..100 {
            assert_eq!(push(&mut memory, time), u64::from(time > 10));
            assert!(memory.next(&mut Vec::new()).is_none());
        }
        memory.look();
        assert_eq!(write(&mut memory, |time| time % 2 == 0), [90, 92, 94, 96, 98]);
        assert_eq!(push(&mut memory, 100), 1, "89, which nobody wanted");
        assert_eq!(push(&mut memory, 101), 0, "90 is written");
        assert_eq!(write(&mut memory, |_| true), [100, 101]);
        memory.look();
        assert_eq!(write(&mut memory, |_| true), [91, 93, 95, 97, 99], "each once");
        memory.rest();
        assert!(memory.next(&mut Vec::new()).is_none());
        assert_eq!((memory.waiting(), memory.kept.len()), (0, 11));
    }

    #[test]
    fn what_was_not_looked_at_stays_until_it_is() {
        let mut memory = Memory::new(10, 1000);
        memory.push(&packet(0, &[0; 3]), None);
        memory.look();
        assert_eq!(memory.push(&packet(50, &[50; 3]), None), 0);
        assert_eq!(write(&mut memory, |_| true), [0, 50]);
        memory.push(&packet(51, &[51; 3]), None);
        assert_eq!((memory.kept.len(), memory.waiting()), (2, 1));
    }

    #[test]
    fn its_size_is_bounded() {
        let mut memory = Memory::new(1000, 10);
        memory.look();
        let gone: u64 = (0..5).map(|time| memory.push(&packet(time, &[0; 4]), None)).sum();
        assert_eq!((gone, memory.waiting(), memory.bytes.len()), (3, 2, 8));
        assert_eq!(memory.next(&mut Vec::new()).map(|(kept, _)| kept.time_ns), Some(3));
        assert_eq!(memory.push(&packet(5, &[0; 11]), None), 3);
    }
}
