//! The last seconds, in memory, of packets that are written only once somebody asks for them.

use std::collections::VecDeque;

use super::flows::FlowId;
use crate::files::Packet;
use crate::files::note::{Community, Note};

/// Which of the packets a trigger asks for.
#[derive(Clone, Copy, Default, PartialEq, Eq, Debug)]
pub(super) struct Wanted {
    /// At either end.
    pub(super) host: Option<[u8; 16]>,
    pub(super) community: Option<Community>,
}

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
}

impl Kept {
    /// As a packet again, with its bytes.
    pub(super) const fn packet<'a>(&self, bytes: &'a [u8]) -> Packet<'a> {
        let Kept { time_ns, wire_bytes, link_type, interface, note, .. } = *self;
        Packet { time_ns, bytes, wire_bytes, link_type, interface, note, lost: 0, comment: "" }
    }
}

/// See the module.
#[derive(Debug)]
pub(super) struct Memory {
    span_ns: u64,
    most_bytes: usize,
    kept: VecDeque<Kept>,
    bytes: VecDeque<u8>,
    /// Until when, by the packets' clock, what is here is to be written, and which.
    asked: Option<(u64, Wanted)>,
    /// How long that goes on after a trigger.
    after_ns: u64,
    /// The newest packet's time.
    newest_ns: u64,
}

impl Memory {
    pub(super) fn new(span_ns: u64, after_ns: u64, most_bytes: usize) -> Memory {
        Memory {
            span_ns,
            most_bytes,
            kept: VecDeque::new(),
            bytes: VecDeque::with_capacity(most_bytes),
            asked: None,
            after_ns,
            newest_ns: 0,
        }
    }

    /// Has what is here written, and what comes for a while.
    pub(super) const fn trigger(&mut self, wanted: Wanted) {
        self.asked = Some((self.newest_ns.saturating_add(self.after_ns), wanted));
    }

    /// Takes a packet. How many older ones had to go for it, unwritten.
    pub(super) fn push(&mut self, packet: &Packet<'_>, flow: Option<FlowId>) -> u64 {
        self.newest_ns = self.newest_ns.max(packet.time_ns);
        let mut gone = 0;
        while self.bytes.len() + packet.bytes.len() > self.most_bytes && self.drop_oldest() {
            gone += 1;
        }
        if packet.bytes.len() > self.most_bytes {
            return gone + 1;
        }
        self.bytes.extend(packet.bytes);
        let Packet { time_ns, bytes, wire_bytes, link_type, interface, note, .. } = *packet;
        let bytes = bytes.len();
        self.kept.push_back(Kept { time_ns, bytes, wire_bytes, link_type, interface, note, flow });
        if self.asked.is_none() {
            let since = self.newest_ns.saturating_sub(self.span_ns);
            while self.kept.front().is_some_and(|oldest| oldest.time_ns < since) {
                self.drop_oldest();
                gone += 1;
            }
        }
        gone
    }

    /// The next packet that is to be written, and which were asked for; its bytes are put into `into`.
    pub(super) fn pop(&mut self, into: &mut Vec<u8>) -> Option<(Kept, Wanted)> {
        let (until_ns, wanted) = self.asked?;
        let Some(oldest) = self.kept.front().copied().filter(|oldest| oldest.time_ns <= until_ns)
        else {
            if self.newest_ns > until_ns {
                self.asked = None;
            }
            return None;
        };
        into.clear();
        into.extend(self.bytes.range(..oldest.bytes.min(self.bytes.len())));
        self.drop_oldest();
        Some((oldest, wanted))
    }

    /// Packets that wait.
    pub(super) fn packets(&self) -> u64 {
        u64::try_from(self.kept.len()).unwrap_or(0)
    }

    fn drop_oldest(&mut self) -> bool {
        let Some(oldest) = self.kept.pop_front() else { return false };
        self.bytes.drain(..oldest.bytes.min(self.bytes.len()));
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn packet(time_ns: u64, bytes: &[u8]) -> Packet<'_> {
        Packet {
            time_ns,
            bytes,
            wire_bytes: 9,
            link_type: 1,
            interface: 0,
            note: None,
            lost: 0,
            comment: "",
        }
    }

    #[test]
    fn the_last_seconds_are_there_and_what_comes_for_a_while() {
        let mut memory = Memory::new(10, 5, 1000);
        let mut into = Vec::new();
        for time in 0..100 {
            assert_eq!(memory.push(&packet(time, b"abc"), None), u64::from(time > 10));
            assert!(memory.pop(&mut into).is_none());
        }
        memory.trigger(Wanted::default());
        let mut times = Vec::new();
        for time in 100..120 {
            while let Some((kept, _)) = memory.pop(&mut into) {
                assert_eq!(into, b"abc");
                times.push(kept.time_ns);
            }
            memory.push(&packet(time, b"abc"), None);
        }
        assert_eq!(times, (89..=104).collect::<Vec<_>>());
    }

    #[test]
    fn its_size_is_bounded() {
        let mut memory = Memory::new(1000, 0, 10);
        let gone: u64 = (0..5).map(|time| memory.push(&packet(time, &[0; 4]), None)).sum();
        assert_eq!((gone, memory.packets(), memory.bytes.len()), (3, 2, 8));
        assert_eq!(memory.push(&packet(5, &[0; 11]), None), 3);
    }
}
