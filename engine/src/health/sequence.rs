//! What a TCP segment is by its numbers: in order, sent again, out of order, an answer to nothing.
//!
//! The rules are those of Wireshark's "TCP Analysis" (User's Guide, section 7.5) over the terms of
//! RFC 9293; `docs/METRICS.md` has each in words. Numbers wrap: one is *after* another if it is less
//! than half of the number space ahead.

use weir_shm::health::TICK_NS;

use crate::wire::TcpHead;

/// What a segment was found to be; any number of them.
pub(super) mod found {
    /// The first twelve in the order of the quarters of words that count them.
    pub(crate) const FAST: u32 = 1;
    pub(crate) const SPURIOUS: u32 = 1 << 1;
    pub(crate) const UNSEEN_ACK: u32 = 1 << 2;
    pub(crate) const ZERO_WINDOW: u32 = 1 << 3;
    pub(crate) const WINDOW_FULL: u32 = 1 << 4;
    pub(crate) const WINDOW_UPDATE: u32 = 1 << 5;
    pub(crate) const PROBE: u32 = 1 << 6;
    pub(crate) const PROBE_ACK: u32 = 1 << 7;
    pub(crate) const KEEP_ALIVE: u32 = 1 << 8;
    pub(crate) const KEEP_ALIVE_ACK: u32 = 1 << 9;
    pub(crate) const RESET: u32 = 1 << 10;
    pub(crate) const ECN_ECHO: u32 = 1 << 11;
    pub(crate) const QUARTERS: u32 = (1 << 12) - 1;
    pub(crate) const RETRANSMISSION: u32 = 1 << 12;
    pub(crate) const OUT_OF_ORDER: u32 = 1 << 13;
    pub(crate) const LOST: u32 = 1 << 14;
    pub(crate) const DUPLICATE_ACK: u32 = 1 << 15;
    /// Not an event: the segment moved the end of what its direction has sent.
    pub(crate) const ADVANCED: u32 = 1 << 16;
}

/// Flag of a half: `next` is known.
pub(super) const NEXT: u16 = 1;
/// Flag of a half: `acked` and `window` are known.
pub(super) const ACKED: u16 = 2;
/// Flag of a half: its last segment was a keep-alive.
const KEEP_ALIVE: u16 = 4;
/// Flag of a half: its last segment was a zero-window probe.
const PROBE: u16 = 8;
/// Flag of a half: a round trip is being measured.
pub(super) const SAMPLE: u16 = 16;
/// Flag of a half: something was sent again since that began.
pub(super) const RESENT: u16 = 32;
/// Flag of a client's half: a request has no answer yet. Of a server's: a TLS handshake goes on.
pub(super) const WAITS: u16 = 64;
/// Flag of a half: its last window was zero.
pub(super) const CLOSED_WINDOW: u16 = 128;
/// Flag of a half: where its reach ends is not known, since more than it was acknowledged.
const LOOSE: u16 = 256;
/// Flag of a half: its reach ends before `next`; where, the slot says.
pub(super) const GAP: u16 = 512;

/// Low bits of `offered`: the shift of windows.
pub(super) const SHIFT: u8 = 0x0f;
/// Bit of `offered`: windows are scaled.
pub(super) const SCALE: u8 = 0x10;
/// Bit of `offered`: selective acknowledgements are permitted.
pub(super) const SACK: u8 = 0x20;
/// Bit of `offered`: timestamps.
pub(super) const TIMESTAMPS: u8 = 0x40;

/// After an acknowledgement so recent, what it asks for is a fast retransmission.
const FAST_NS: u64 = 20_000_000;
/// Segments come out of order within so many ticks, where no round trip is known.
pub(super) const REORDER: u32 = 30_000;

/// What is kept of one direction: all that a packet reads and writes. Times are in ticks, as they wrap.
#[derive(Clone, Copy, Default, Debug)]
#[repr(C)]
pub(super) struct Half {
    /// End of what was sent.
    pub(super) next: u32,
    /// Last acknowledgement number.
    pub(super) acked: u32,
    /// An acknowledgement of this ends the measurement. Before the flow has a slot: the MSS of its SYN.
    pub(super) sample_end: u32,
    /// When what is measured was sent; of QUIC: when the spin bit turned.
    pub(super) sampled: u32,
    /// When `next` moved.
    advanced: u32,
    /// A client's: its SYN, later its last request. A server's: its SYN+ACK, later the client's hello.
    pub(super) mark: u32,
    /// Last window, as in the header.
    pub(super) window: u16,
    pub(super) flags: u16,
    pub(super) offered: u8,
    /// Letters of the history that it has shown, and two flags of the module above.
    pub(super) seen: u8,
    /// Duplicate acknowledgements in a row.
    duplicates: u8,
}

const _: () = assert!(size_of::<Half>() == 32, "both directions' on a cache line");

/// Ticks of a packet's time, as they wrap after seven minutes.
#[inline(always)]
#[expect(clippy::cast_possible_truncation, reason = "as they wrap")]
pub(super) const fn tick(now_ns: u64) -> u32 {
    (now_ns / TICK_NS) as u32
}

/// Ticks from `then` to `now`; 0 where time went back, by less than half a minute.
#[inline(always)]
pub(super) const fn since(now: u32, then: u32) -> u32 {
    const BACK: u32 = 0xee00_0000;
    let ticks = now.wrapping_sub(then);
    if ticks < BACK { ticks } else { 0 }
}

/// A segment.
#[derive(Clone, Copy, Debug)]
pub(super) struct Segment {
    pub(super) sequence: u32,
    pub(super) acknowledgement: u32,
    /// Bytes of payload on the wire.
    pub(super) length: u32,
    pub(super) window: u16,
    pub(super) flags: u8,
    /// When it came, in ticks.
    pub(super) now: u32,
    /// Nanoseconds since the other side's last packet; none where time went back.
    pub(super) answers_after_ns: Option<u64>,
    /// Segments come out of order within so many ticks.
    pub(super) reorder: u32,
    /// Ends of what was sent without a gap, by its sender and by the other side.
    pub(super) reach: [u32; 2],
}

impl Segment {
    #[inline(always)]
    pub(super) const fn has(&self, flags: u8) -> bool {
        self.flags & flags != 0
    }

    /// Sequence numbers that it takes.
    #[inline(always)]
    const fn span(&self) -> u32 {
        self.length + self.has(TcpHead::SYN) as u32 + self.has(TcpHead::FIN) as u32
    }
}

impl Half {
    #[inline(always)]
    pub(super) const fn has(&self, flag: u16) -> bool {
        self.flags & flag != 0
    }

    /// The window in bytes, where the other side sees it scaled.
    #[inline(always)]
    fn window_bytes(&self, other: &Half) -> u32 {
        u32::from(self.window) << self.shift(other)
    }

    /// Windows are scaled if both sides said so (RFC 7323, section 2.2).
    #[inline(always)]
    fn shift(&self, other: &Half) -> u8 {
        if self.offered & other.offered & SCALE != 0 { (self.offered & SHIFT).min(14) } else { 0 }
    }
}

/// Whether `a` is after `b`.
#[inline(always)]
pub(super) const fn after(a: u32, b: u32) -> bool {
    let ahead = a.wrapping_sub(b);
    ahead != 0 && ahead < 1 << 31
}

/// A bit of a mask where `yes`.
#[inline(always)]
const fn if_so(yes: bool, bit: u32) -> u32 {
    if yes { bit } else { 0 }
}

const OPENS_OR_ENDS: u8 = TcpHead::SYN | TcpHead::FIN | TcpHead::RST;

/// What nearly all segments are: the next data, or an acknowledgement of more, in a connection where
/// nothing else goes on. Takes note of it; false, and nothing is noted, where it is not so plain.
///
/// [`analyse`] is its plain twin, and says of such a segment that it advanced, or nothing.
#[inline(always)]
pub(super) fn goes_on(from: &mut Half, to: &Half, tcp: &TcpHead, length: u32, now: u32) -> bool {
    const NO: u8 = OPENS_OR_ENDS | TcpHead::ACK | TcpHead::ECE;
    const QUIET: u16 = KEEP_ALIVE | PROBE | CLOSED_WINDOW;
    let is_seen = match to.flags & (NEXT | LOOSE | GAP) {
        NEXT => !after(tcp.acknowledgement, to.next),
        flags => flags & (NEXT | LOOSE) != NEXT,
    };
    let plain = is_seen
        && tcp.flags & NO == TcpHead::ACK
        && from.flags & (NEXT | QUIET) == NEXT
        && tcp.sequence == from.next
        && tcp.window != 0;
    if !plain {
        return false;
    }
    let more = tcp.acknowledgement != from.acked;
    if length != 0 {
        let end = tcp.sequence.wrapping_add(length);
        let fills = to.has(ACKED) && end == to.acked.wrapping_add(to.window_bytes(from));
        if length == 1 || fills {
            return false;
        }
        from.next = end;
        from.advanced = now;
    } else if !more && from.has(ACKED) {
        return false;
    }
    if more {
        from.duplicates = 0;
        from.acked = tcp.acknowledgement;
    }
    // What it sends ends without a gap again, as far as is known.
    let loose = if from.has(LOOSE) { LOOSE | GAP } else { 0 };
    from.flags = from.flags & !loose | ACKED;
    from.window = tcp.window;
    true
}

/// Says what a segment of `from` is, and takes note of it; with where the reach of `from` ends now.
pub(super) fn analyse(from: &mut Half, to: &mut Half, segment: &Segment) -> (u32, u32) {
    let mut what = examine(from, to, segment);
    if what & found::DUPLICATE_ACK != 0 {
        from.duplicates = from.duplicates.saturating_add(1);
    } else if segment.acknowledgement != from.acked {
        from.duplicates = 0;
    }
    if what & found::UNSEEN_ACK != 0 {
        to.flags |= LOOSE;
    }
    let (moved, reach) = advance(from, segment, what);
    what |= if_so(moved, found::ADVANCED);
    note(from, to, segment, what);
    (what, reach)
}

/// The rules, but for the plainest segments.
fn examine(from: &Half, to: &Half, segment: &Segment) -> u32 {
    let opens_or_ends = segment.has(OPENS_OR_ENDS);
    let is_next = from.has(NEXT) && segment.sequence == from.next;
    let mut what = if_so(segment.has(TcpHead::RST), found::RESET)
        | if_so(segment.window == 0 && !opens_or_ends, found::ZERO_WINDOW);
    let to_closed = to.has(ACKED) && to.window == 0;
    if segment.length == 1 && is_next && to_closed && !opens_or_ends {
        return what | found::PROBE | if_so(is_unseen(to, segment), found::UNSEEN_ACK);
    }
    if from.has(NEXT) && after(segment.sequence, from.next) && !segment.has(TcpHead::RST) {
        what |= found::LOST;
    }
    let is_keep_alive = segment.length <= 1
        && from.has(NEXT)
        && segment.sequence == from.next.wrapping_sub(1)
        && !opens_or_ends;
    if is_keep_alive {
        what |= found::KEEP_ALIVE;
    }
    if segment.length == 0 && is_next && from.has(ACKED) && !opens_or_ends {
        what |= of_bare_acknowledgement(from, to, segment);
    }
    if segment.length > 0 && !opens_or_ends && fills_window(from, to, segment) {
        what |= found::WINDOW_FULL;
    }
    what |= if_so(is_unseen(to, segment), found::UNSEEN_ACK);
    let is_old = from.has(NEXT) && after(from.next, segment.sequence);
    if is_old && !is_keep_alive && (segment.length > 0 || segment.span() > 0) {
        what |= of_old_segment(from, to, segment);
    }
    what
}

/// A segment without payload that says nothing new in its sequence number.
fn of_bare_acknowledgement(from: &Half, to: &Half, segment: &Segment) -> u32 {
    let same_window = segment.window == from.window;
    if segment.acknowledgement != from.acked {
        // Answered a probe by taking its byte, and has room again.
        let takes_probe = to.has(PROBE) && segment.acknowledgement == to.next.wrapping_add(1);
        return if_so(takes_probe && segment.window != 0 && !same_window, found::WINDOW_UPDATE);
    }
    match (segment.window == 0, same_window) {
        (true, true) => if_so(to.has(PROBE), found::PROBE_ACK),
        (true, false) => 0,
        (false, false) => found::WINDOW_UPDATE,
        (false, true) if to.has(KEEP_ALIVE) => found::KEEP_ALIVE_ACK,
        (false, true) => found::DUPLICATE_ACK,
    }
}

/// A segment that begins before the end of what was sent.
fn of_old_segment(from: &Half, to: &Half, segment: &Segment) -> u32 {
    let end = segment.sequence.wrapping_add(segment.length);
    let all_acked = to.has(ACKED) && !after(end, to.acked);
    if segment.length > 0 && all_acked {
        return found::RETRANSMISSION | found::SPURIOUS;
    }
    let asked_for = to.duplicates >= 2 && to.acked == segment.sequence;
    if asked_for && segment.answers_after_ns.is_some_and(|after_ns| after_ns < FAST_NS) {
        return found::RETRANSMISSION | found::FAST;
    }
    // Where time went back, much more than that.
    let soon = segment.now.wrapping_sub(from.advanced) < segment.reorder;
    if soon && segment.sequence.wrapping_add(segment.span()) != from.next {
        return found::OUT_OF_ORDER;
    }
    found::RETRANSMISSION
}

/// Whether the segment takes the last byte of the window that the other side has open.
#[inline(always)]
fn fills_window(from: &Half, to: &Half, segment: &Segment) -> bool {
    let end = segment.sequence.wrapping_add(segment.length);
    segment.length > 0 && to.has(ACKED) && end == to.acked.wrapping_add(to.window_bytes(from))
}

/// Whether the segment acknowledges what was not seen.
#[inline(always)]
fn is_unseen(to: &Half, segment: &Segment) -> bool {
    let known = to.flags & (NEXT | LOOSE) == NEXT;
    known && segment.has(TcpHead::ACK) && after(segment.acknowledgement, segment.reach[1])
}

/// Moves the end of what was sent; whether it moved, and where the reach ends now.
#[inline(always)]
fn advance(from: &mut Half, segment: &Segment, what: u32) -> (bool, u32) {
    let [mut reach, _] = segment.reach;
    if what & found::PROBE != 0 {
        return (false, reach);
    }
    let end = segment.sequence.wrapping_add(segment.span());
    let is_first = !from.has(NEXT);
    let before = from.next;
    let moved = is_first || after(end, from.next);
    if moved {
        from.next = end;
        from.advanced = segment.now;
        from.flags |= NEXT;
    }
    if is_first || segment.sequence == reach || from.has(LOOSE) {
        reach = if what & found::LOST != 0 { before } else { from.next };
        from.flags &= !LOOSE;
    }
    from.flags = from.flags & !GAP | if reach == from.next { 0 } else { GAP };
    (moved, reach)
}

/// Takes note of what the segment says of the other direction.
#[inline(always)]
fn note(from: &mut Half, to: &Half, segment: &Segment, what: u32) {
    from.flags &= !(KEEP_ALIVE | PROBE | CLOSED_WINDOW);
    if what & (found::KEEP_ALIVE | found::PROBE | found::ZERO_WINDOW) != 0 {
        from.flags |= if what & found::KEEP_ALIVE != 0 { KEEP_ALIVE } else { 0 }
            | if what & found::PROBE != 0 { PROBE } else { 0 }
            | if what & found::ZERO_WINDOW != 0 { CLOSED_WINDOW } else { 0 };
    }
    // The window of a SYN is never scaled.
    let scaled = segment.has(TcpHead::SYN);
    from.window = if scaled { segment.window >> from.shift(to) } else { segment.window };
    if segment.has(TcpHead::ACK) {
        from.acked = segment.acknowledgement;
        from.flags |= ACKED;
    }
}

/// Whether a SYN begins a new connection: its number is none that the old one had just begun with.
pub(super) const fn begins_anew(from: &Half, sequence: u32) -> bool {
    const RECENT: u32 = 1 << 16;
    let sent = from.next.wrapping_sub(sequence);
    from.has(NEXT) && !(sent > 0 && sent <= RECENT)
}

/// Forgets what was sent before a SYN that begins a new connection with the same ends.
pub(super) fn forget(half: &mut Half) {
    let Half { seen, .. } = *half;
    *half = Half { seen, ..Half::default() };
}
