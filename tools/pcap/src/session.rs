//! One activated handle: it gives packets one at a time, each good until the next is asked for.
//!
//! What always holds: at most one packet is in use; a packet that is in use stays as it is; after
//! the end of the stream nothing is given any more, whatever the feed says.

use std::time::Duration;

use crate::feed::{About, Counts, Feed, Filter, Got};
use crate::settings::Precision;

/// What libpcap says of a packet, in the widths of its structure.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Header {
    /// Seconds since 1970.
    pub(crate) seconds: i64,
    /// Micro- or nanoseconds, as the handle's precision has it.
    pub(crate) fraction: i64,
    /// Bytes that are given.
    pub(crate) captured_bytes: u32,
    /// Bytes that the packet had on the wire.
    pub(crate) wire_bytes: u32,
}

/// How a stream ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum End {
    /// In order.
    Ended,
    /// The engine was killed or crashed.
    Died,
}

/// What a session has.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Taken<'a> {
    /// A packet; its bytes are good until the session is asked for the next or lets go.
    Packet(Header, &'a [u8]),
    /// Nothing now.
    Nothing,
    /// Nothing any more.
    Over(End),
}

/// See the module.
#[derive(Debug)]
pub(crate) struct Session<F: Feed> {
    feed: F,
    snaplen: u32,
    precision: Precision,
    held: Option<F::Held>,
    end: Option<End>,
    told_end: bool,
    /// The descriptor tells of something and nobody has listened since.
    rung: bool,
    lost_before: u64,
}

impl<F: Feed> Session<F> {
    /// Begins.
    pub(crate) fn new(feed: F, snaplen: u32, precision: Precision) -> Self {
        let lost_before = feed.counts().lost;
        Self {
            feed,
            snaplen,
            precision,
            held: None,
            end: None,
            told_end: false,
            rung: false,
            lost_before,
        }
    }

    /// Lets go of the packet in use and takes the next.
    pub(crate) fn take(&mut self) -> Taken<'_> {
        self.let_go();
        if let Some(end) = self.end {
            return Taken::Over(end);
        }
        let over = match self.feed.next() {
            Got::Packet(held) => {
                let held = self.held.insert(held);
                let bytes = self.feed.bytes(held);
                let (header, bytes) = header(F::about(held), bytes, self.snaplen, self.precision);
                return Taken::Packet(header, bytes);
            }
            Got::Nothing => return Taken::Nothing,
            Got::Ended => End::Ended,
            Got::Died => End::Died,
        };
        self.end = Some(over);
        Taken::Over(over)
    }

    /// Lets go of the packet in use.
    pub(crate) fn let_go(&mut self) {
        if let Some(held) = self.held.take() {
            self.feed.release(held);
        }
    }

    /// Waits until there may be a packet, so long at most, or until a bell.
    pub(crate) fn wait(&mut self, timeout: Option<Duration>) {
        self.feed.wait(timeout);
        self.rung = false;
    }

    /// Leaves the descriptor so that it tells of what is there and of what comes. `found`: the last
    /// look found a packet, so that a descriptor which tells of something may be left alone.
    pub(crate) fn arm(&mut self, found: bool) {
        if !(found && self.rung) {
            self.rung = self.feed.arm();
        }
    }

    /// Gives only what the program accepts from now on.
    pub(crate) fn set_filter(&mut self, filter: Option<Filter>) {
        self.feed.set_filter(filter);
    }

    /// How the stream ended, if it did.
    pub(crate) fn end(&self) -> Option<End> {
        self.end
    }

    /// Takes note that the program is told of the end. Whether it is for the first time.
    pub(crate) fn tell_end(&mut self) -> bool {
        !std::mem::replace(&mut self.told_end, true)
    }

    /// What became of the packets since the session began.
    pub(crate) fn counts(&self) -> Counts {
        let counts = self.feed.counts();
        Counts { lost: counts.lost.saturating_sub(self.lost_before), ..counts }
    }

    /// A clock that only goes forward.
    pub(crate) fn now(&self) -> Duration {
        self.feed.now()
    }

    /// The stream itself, for tests to look at.
    #[cfg(test)]
    pub(crate) fn feed(&self) -> &F {
        &self.feed
    }
}

const SECOND_NS: u64 = 1_000_000_000;
const MICROSECOND_NS: u64 = 1_000;

/// The header of a packet, and as many of its bytes as are asked for.
fn header(about: About, bytes: &[u8], snaplen: u32, precision: Precision) -> (Header, &[u8]) {
    let wanted = usize::try_from(snaplen).unwrap_or(usize::MAX);
    let bytes = bytes.get(..wanted).unwrap_or(bytes);
    let fraction = about.timestamp_ns % SECOND_NS;
    let fraction = match precision {
        Precision::Micro => fraction / MICROSECOND_NS,
        Precision::Nano => fraction,
    };
    let captured_bytes = u32::try_from(bytes.len()).unwrap_or(u32::MAX);
    let header = Header {
        seconds: i64::try_from(about.timestamp_ns / SECOND_NS).unwrap_or(i64::MAX),
        fraction: i64::try_from(fraction).unwrap_or(0),
        captured_bytes,
        wire_bytes: about.wire_bytes.max(captured_bytes),
    };
    (header, bytes)
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use std::cell::Cell;
    use std::collections::VecDeque;

    /// What a scripted feed does at a call of `next`.
    #[derive(Debug, Clone)]
    pub(crate) enum Does {
        Gives(Vec<u8>),
        HasNothing,
        Ends,
        Dies,
    }

    /// A feed that follows a script; after its end it has nothing.
    #[derive(Debug, Default)]
    pub(crate) struct Script {
        pub(crate) does: VecDeque<Does>,
        pub(crate) in_use: usize,
        pub(crate) waits: Vec<Option<Duration>>,
        pub(crate) arms: usize,
        pub(crate) ready: bool,
        pub(crate) clock: Cell<Duration>,
        pub(crate) counts: Cell<Counts>,
    }

    impl Script {
        pub(crate) fn of(does: &[Does]) -> Self {
            Self { does: does.iter().cloned().collect(), ..Self::default() }
        }
    }

    impl Feed for Script {
        type Held = Vec<u8>;

        fn next(&mut self) -> Got<Vec<u8>> {
            match self.does.pop_front() {
                Some(Does::Gives(bytes)) => {
                    self.in_use += 1;
                    Got::Packet(bytes)
                }
                Some(Does::HasNothing) | None => Got::Nothing,
                Some(Does::Ends) => Got::Ended,
                Some(Does::Dies) => Got::Died,
            }
        }

        fn bytes<'a>(&'a self, held: &'a Vec<u8>) -> &'a [u8] {
            held
        }

        fn about(held: &Vec<u8>) -> About {
            let wire_bytes = u32::try_from(held.len()).unwrap() + 1;
            About { timestamp_ns: 7_000_123_456, wire_bytes }
        }

        fn release(&mut self, _: Vec<u8>) {
            self.in_use -= 1;
        }

        /// Sleeps the whole time by its own clock; for ever is a second.
        fn wait(&mut self, timeout: Option<Duration>) {
            self.waits.push(timeout);
            self.clock.set(self.clock.get() + timeout.unwrap_or(Duration::from_secs(1)));
        }

        fn arm(&mut self) -> bool {
            self.arms += 1;
            self.ready
        }

        fn set_filter(&mut self, _: Option<Filter>) {}

        fn counts(&self) -> Counts {
            self.counts.get()
        }

        fn now(&self) -> Duration {
            self.clock.get()
        }
    }

    #[test]
    fn one_packet_is_in_use_at_a_time_and_cut_to_the_snaplen() {
        let script = [Does::Gives(vec![1, 2, 3]), Does::Gives(vec![9; 50]), Does::HasNothing];
        let mut session = Session::new(Script::of(&script), 40, Precision::Micro);
        let header = Header { seconds: 7, fraction: 123, captured_bytes: 3, wire_bytes: 4 };
        assert_eq!(session.take(), Taken::Packet(header, &[1, 2, 3]));
        let header = Header { captured_bytes: 40, wire_bytes: 51, ..header };
        assert_eq!(session.take(), Taken::Packet(header, &[9; 40]));
        assert_eq!(session.feed().in_use, 1);
        assert_eq!(session.take(), Taken::Nothing);
        assert_eq!(session.feed().in_use, 0);
    }

    #[test]
    fn nanoseconds_are_given_where_they_are_asked_for() {
        let script = Script::of(&[Does::Gives(vec![0])]);
        let mut session = Session::new(script, 40, Precision::Nano);
        let Taken::Packet(header, _) = session.take() else { panic!("there is one") };
        assert_eq!((header.seconds, header.fraction), (7, 123_456));
    }

    #[test]
    fn after_the_end_nothing_comes() {
        for (last, end) in [(Does::Ends, End::Ended), (Does::Dies, End::Died)] {
            let script = Script::of(&[last, Does::Gives(vec![1])]);
            let mut session = Session::new(script, 40, Precision::Micro);
            assert_eq!(session.end(), None);
            for _ in 0..3 {
                assert_eq!(session.take(), Taken::Over(end));
            }
            assert_eq!(session.end(), Some(end));
        }
    }

    #[test]
    fn losses_count_from_the_opening() {
        let script = Script::default();
        script.counts.set(Counts { delivered: 0, missed: 0, lost: 10 });
        let session = Session::new(script, 40, Precision::Micro);
        session.feed().counts.set(Counts { delivered: 5, missed: 2, lost: 13 });
        assert_eq!(session.counts(), Counts { delivered: 5, missed: 2, lost: 3 });
    }

    #[test]
    fn a_descriptor_that_tells_of_something_is_left_alone_while_there_is_something() {
        let script = Script { ready: true, ..Script::default() };
        let mut session = Session::new(script, 40, Precision::Micro);
        session.arm(true);
        session.arm(true);
        assert_eq!(session.feed().arms, 1);
        session.arm(false);
        assert_eq!(session.feed().arms, 2);
        session.wait(None);
        session.arm(true);
        assert_eq!(session.feed().arms, 3, "a wait may have heard it");
    }
}
