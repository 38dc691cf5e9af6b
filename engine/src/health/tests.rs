//! Sequences of segments with known faults, judged without a shard.

use super::sequence::{self, Half, Segment, after, found};
use crate::wire::TcpHead;

const MS: u64 = 1_000_000;

/// Two halves, and what was found of each segment.
#[derive(Default)]
struct Talk {
    halves: [Half; 2],
    reach: [u32; 2],
    last_ns: [u64; 2],
    now_ns: u64,
}

impl Talk {
    /// A connection whose handshake is over; both sides begin at these numbers.
    fn begun(client: u32, server: u32) -> Talk {
        let mut talk = Talk { now_ns: 1_000 * MS, ..Talk::default() };
        let syn = TcpHead::SYN;
        assert_eq!(talk.say(0, client.wrapping_sub(1), 0, 0, syn), found::ADVANCED);
        let syn_ack = syn | TcpHead::ACK;
        assert_eq!(talk.say(1, server.wrapping_sub(1), client, 0, syn_ack), found::ADVANCED);
        assert_eq!(talk.ack(0, client, server), 0);
        talk
    }

    fn say(&mut self, lane: usize, sequence: u32, ack: u32, length: u32, flags: u8) -> u32 {
        self.say_with_window(lane, sequence, ack, length, flags, 1000)
    }

    fn say_with_window(
        &mut self,
        lane: usize,
        sequence: u32,
        acknowledgement: u32,
        length: u32,
        flags: u8,
        window: u16,
    ) -> u32 {
        let [lo, hi] = &mut self.halves;
        let (from, to) = if lane == 0 { (lo, hi) } else { (hi, lo) };
        let reach = |half: &Half, lane: usize| {
            if half.has(sequence::GAP) { self.reach[lane] } else { half.next }
        };
        let now = sequence::tick(self.now_ns);
        let segment = Segment {
            sequence,
            acknowledgement,
            length,
            window,
            flags,
            now,
            answers_after_ns: self.now_ns.checked_sub(self.last_ns[1 - lane]),
            reorder: sequence::REORDER,
            reach: [reach(from, lane), reach(to, 1 - lane)],
        };
        // The short way says the same as the long one wherever it says anything.
        let head = TcpHead { sequence, acknowledgement, window, flags, header_bytes: 20 };
        let (mut short, other) = (*from, *to);
        let goes_on = sequence::goes_on(&mut short, &other, &head, length, now);
        let (what, reach) = sequence::analyse(from, to, &segment);
        if goes_on {
            assert_eq!(what & !found::ADVANCED, 0);
            assert_eq!(what & found::ADVANCED != 0, length != 0);
            assert_eq!(format!("{short:?}"), format!("{from:?}"));
            assert_eq!(format!("{other:?}"), format!("{to:?}"));
        }
        (self.reach[lane], self.last_ns[lane]) = (reach, self.now_ns);
        what
    }

    fn data(&mut self, lane: usize, sequence: u32, ack: u32, length: u32) -> u32 {
        self.say(lane, sequence, ack, length, TcpHead::ACK | TcpHead::PSH)
    }

    fn ack(&mut self, lane: usize, sequence: u32, ack: u32) -> u32 {
        self.say(lane, sequence, ack, 0, TcpHead::ACK)
    }
}

#[test]
fn numbers_wrap() {
    assert!(after(1, u32::MAX) && !after(u32::MAX, 1) && !after(7, 7));
    let start = u32::MAX - 150;
    let mut talk = Talk::begun(start, 5000);
    for segment in 0..5_u32 {
        let at = start.wrapping_add(segment * 100);
        assert_eq!(talk.data(0, at, 5000, 100), found::ADVANCED);
        assert_eq!(talk.ack(1, 5000, at.wrapping_add(100)), 0);
    }
    talk.now_ns += 10 * MS;
    let again = talk.data(0, start.wrapping_add(400), 5000, 100);
    assert_eq!(again, found::RETRANSMISSION | found::SPURIOUS);
}

#[test]
fn a_timeout_sends_again() {
    let mut talk = Talk::begun(100, 5000);
    assert_eq!(talk.data(0, 100, 5000, 100), found::ADVANCED);
    talk.now_ns += 200 * MS;
    assert_eq!(talk.data(0, 100, 5000, 100), found::RETRANSMISSION);
}

#[test]
fn a_loss_before_here_is_a_gap_and_then_a_fast_retransmission() {
    let mut talk = Talk::begun(100, 5000);
    assert_eq!(talk.data(0, 100, 5000, 100), found::ADVANCED);
    assert_eq!(talk.ack(1, 5000, 200), 0);
    // 200 to 300 is lost.
    assert_eq!(talk.data(0, 300, 5000, 100), found::LOST | found::ADVANCED);
    assert_eq!(talk.ack(1, 5000, 200), found::DUPLICATE_ACK);
    assert_eq!(talk.data(0, 400, 5000, 100), found::ADVANCED);
    assert_eq!(talk.ack(1, 5000, 200), found::DUPLICATE_ACK);
    talk.now_ns += MS;
    assert_eq!(talk.data(0, 200, 5000, 100), found::RETRANSMISSION | found::FAST);
}

#[test]
fn what_comes_late_but_soon_is_out_of_order() {
    let mut talk = Talk::begun(100, 5000);
    assert_eq!(talk.data(0, 200, 5000, 100), found::LOST | found::ADVANCED);
    talk.now_ns += MS;
    assert_eq!(talk.data(0, 100, 5000, 100), found::OUT_OF_ORDER);
    talk.now_ns += 50 * MS;
    assert_eq!(talk.data(0, 100, 5000, 100), found::RETRANSMISSION);
}

#[test]
fn time_that_goes_back_is_not_soon() {
    let mut talk = Talk::begun(100, 5000);
    assert_eq!(talk.data(0, 200, 5000, 100), found::LOST | found::ADVANCED);
    talk.now_ns -= 500 * MS;
    assert_eq!(talk.data(0, 100, 5000, 100), found::RETRANSMISSION);
}

#[test]
fn one_direction_alone_has_gaps_and_nothing_false() {
    let mut talk = Talk::default();
    for segment in 0..10_u32 {
        let what = talk.data(0, 1000 + segment * 100, 77, 100);
        assert_eq!(what, found::ADVANCED, "{segment}");
    }
    // Its acknowledgements go on, of what is never seen.
    assert_eq!(talk.data(0, 2000, 9000, 100), found::ADVANCED);
}

#[test]
fn what_was_not_seen_is_acknowledged_once() {
    let mut talk = Talk::begun(100, 5000);
    assert_eq!(talk.data(0, 100, 5000, 100), found::ADVANCED);
    assert_eq!(talk.ack(1, 5000, 900), found::UNSEEN_ACK);
    assert_eq!(talk.data(0, 900, 5000, 100), found::LOST | found::ADVANCED);
    assert_eq!(talk.ack(1, 5000, 1000) & found::DUPLICATE_ACK, 0);
}

#[test]
fn windows_close_are_probed_and_open() {
    let mut talk = Talk::begun(100, 5000);
    let ack = TcpHead::ACK;
    assert_eq!(talk.data(0, 100, 5000, 1000) & found::WINDOW_FULL, found::WINDOW_FULL);
    assert_eq!(talk.say_with_window(1, 5000, 1100, 0, ack, 0), found::ZERO_WINDOW);
    assert_eq!(talk.data(0, 1100, 5000, 1), found::PROBE);
    let answer = talk.say_with_window(1, 5000, 1100, 0, ack, 0);
    assert_eq!(answer, found::ZERO_WINDOW | found::PROBE_ACK);
    assert_eq!(talk.say_with_window(1, 5000, 1100, 0, ack, 900), found::WINDOW_UPDATE);
    assert_eq!(talk.data(0, 1100, 5000, 100), found::ADVANCED);
}

#[test]
fn keep_alives_are_told_from_what_is_sent_again() {
    let mut talk = Talk::begun(100, 5000);
    talk.data(0, 100, 5000, 100);
    talk.ack(1, 5000, 200);
    talk.now_ns += 30_000 * MS;
    assert_eq!(talk.ack(0, 199, 5000), found::KEEP_ALIVE);
    assert_eq!(talk.ack(1, 5000, 200), found::KEEP_ALIVE_ACK);
    assert_eq!(talk.data(0, 199, 5000, 1), found::KEEP_ALIVE);
}

/// Whatever the numbers are, nothing panics, and the short way is the long one's twin.
#[test]
fn any_segments_are_judged() {
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    let mut talk = Talk::default();
    for _ in 0..200_000 {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        let [lane, acknowledged, sent, flags, kind, ..] = (state >> 16).to_le_bytes();
        let number =
            |byte: u8| (u32::from(byte & 7) * 100).wrapping_add(u32::from(byte >> 7) * 0xffff_ff00);
        let window = u16::from(kind & 3) * 50;
        let length = u32::from(sent & 3) * u32::from(sent >> 7) * 50 + u32::from(sent & 1);
        talk.now_ns = talk.now_ns.wrapping_add(u64::from(flags) * 100_000);
        let flags = if kind & 0x60 == 0 { flags } else { TcpHead::ACK };
        let (sequence, acknowledged) = (number(lane >> 1), number(acknowledged));
        talk.say_with_window(usize::from(lane & 1), sequence, acknowledged, length, flags, window);
    }
}
