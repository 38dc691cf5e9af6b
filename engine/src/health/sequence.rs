//! What a TCP segment is by its numbers: in order, sent again, out of order, an answer to nothing.
//!
//! The rules are those of Wireshark's "TCP Analysis" (User's Guide, section 7.5) over the terms of
//! RFC 9293; `docs/METRICS.md` has each in words. Numbers wrap: one is *after* another if it is less
//! than half of the number space ahead.

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

/// Flag of a half: `next` and `reach` are known.
pub(super) const NEXT: u8 = 1;
/// Flag of a half: `acked` and `window` are known.
pub(super) const ACKED: u8 = 2;
/// Flag of a half: its last segment was a keep-alive.
const KEEP_ALIVE: u8 = 4;
/// Flag of a half: its last segment was a zero-window probe.
const PROBE: u8 = 8;
/// Flag of a half: a round trip is being measured.
pub(super) const SAMPLE: u8 = 16;
/// Flag of a half: something was sent again since that began.
pub(super) const RESENT: u8 = 32;
/// Flag of a client's half: a request has no answer yet. Of a server's: a TLS handshake goes on.
pub(super) const WAITS: u8 = 64;
/// Flag of a half: its last window was zero.
pub(super) const CLOSED_WINDOW: u8 = 128;

/// Low bits of `offered`: the shift of windows.
pub(super) const SHIFT: u8 = 0x0f;
/// Bit of `offered`: windows are scaled.
pub(super) const SCALE: u8 = 0x10;
/// Bit of `offered`: selective acknowledgements are permitted.
pub(super) const SACK: u8 = 0x20;
/// Bit of `offered`: timestamps.
pub(super) const TIMESTAMPS: u8 = 0x40;
/// Bit of `offered`: `reach` is not known, since more than it was acknowledged.
const LOOSE: u8 = 0x80;

/// After an acknowledgement so recent, what it asks for is a fast retransmission.
const FAST_NS: u64 = 20_000_000;
/// Segments come out of order within so long, where no round trip is known.
pub(super) const REORDER_NS: u64 = 3_000_000;

/// What is kept of one direction: all that a packet reads and writes, on one cache line.
#[derive(Clone, Copy, Default, Debug)]
#[repr(C, align(64))]
pub(super) struct Half {
    /// When `next` moved.
    pub(super) advanced_ns: u64,
    /// When the direction last acknowledged.
    pub(super) acked_ns: u64,
    /// When what is measured was sent; of QUIC: when the spin bit turned.
    pub(super) sample_ns: u64,
    /// A client's: its SYN, later its last request. A server's: its SYN+ACK, later the client's hello.
    pub(super) mark_ns: u64,
    /// End of what was sent.
    pub(super) next: u32,
    /// End of what was sent without a gap.
    reach: u32,
    /// Last acknowledgement number.
    pub(super) acked: u32,
    /// First sequence number.
    pub(super) first: u32,
    /// An acknowledgement of this ends the measurement.
    pub(super) sample_end: u32,
    /// The timestamp that went with it.
    pub(super) sample_stamp: u32,
    /// Last window, as in the header.
    pub(super) window: u16,
    /// Maximum segment size that its SYN named.
    pub(super) mss: u16,
    /// Duplicate acknowledgements in a row.
    duplicates: u8,
    pub(super) offered: u8,
    pub(super) flags: u8,
    /// Letters of the history that it has shown, and two flags of the module above.
    pub(super) seen: u8,
}

const _: () = assert!(size_of::<Half>() == 64);

/// A segment.
#[derive(Clone, Copy, Debug)]
pub(super) struct Segment {
    pub(super) sequence: u32,
    pub(super) acknowledgement: u32,
    /// Bytes of payload on the wire.
    pub(super) length: u32,
    pub(super) window: u16,
    pub(super) flags: u8,
    pub(super) now_ns: u64,
    /// Segments come out of order within so long.
    pub(super) reorder_ns: u64,
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
    pub(super) const fn has(&self, flag: u8) -> bool {
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
pub(super) fn goes_on(from: &mut Half, to: &Half, tcp: &TcpHead, length: u32, now_ns: u64) -> bool {
    const NO: u8 = OPENS_OR_ENDS | TcpHead::ACK | TcpHead::ECE;
    const QUIET: u8 = KEEP_ALIVE | PROBE | CLOSED_WINDOW;
    let end = tcp.sequence.wrapping_add(length);
    let full = end == to.acked.wrapping_add(to.window_bytes(from));
    let plain = tcp.flags & NO == TcpHead::ACK
        && from.flags & (NEXT | ACKED | QUIET) == NEXT | ACKED
        && to.flags & (NEXT | ACKED) == NEXT | ACKED
        && (from.offered | to.offered) & LOOSE == 0
        && tcp.sequence == from.next
        && tcp.window != 0
        && !after(tcp.acknowledgement, to.reach)
        && (length > 1 && !full || length == 0 && tcp.acknowledgement != from.acked);
    if !plain {
        return false;
    }
    if length != 0 {
        if from.reach == from.next {
            from.reach = end;
        }
        from.next = end;
        from.advanced_ns = now_ns;
    }
    if tcp.acknowledgement != from.acked {
        from.duplicates = 0;
    }
    from.window = tcp.window;
    from.acked = tcp.acknowledgement;
    from.acked_ns = now_ns;
    true
}

/// Says what a segment of `from` is, and takes note of it.
pub(super) fn analyse(from: &mut Half, to: &mut Half, segment: &Segment) -> u32 {
    let mut what = examine(from, to, segment);
    if what & found::DUPLICATE_ACK != 0 {
        from.duplicates = from.duplicates.saturating_add(1);
    } else if segment.acknowledgement != from.acked {
        from.duplicates = 0;
    }
    if what & found::UNSEEN_ACK != 0 {
        to.offered |= LOOSE;
    }
    if advance(from, segment, what) {
        what |= found::ADVANCED;
    }
    note(from, to, segment, what);
    what
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
    if asked_for && is_within(segment.now_ns, to.acked_ns, FAST_NS) {
        return found::RETRANSMISSION | found::FAST;
    }
    let soon = is_within(segment.now_ns, from.advanced_ns, segment.reorder_ns);
    if soon && segment.sequence.wrapping_add(segment.span()) != from.next {
        return found::OUT_OF_ORDER;
    }
    found::RETRANSMISSION
}

/// Whether `now_ns` is less than `limit_ns` after `then_ns`; not where time went back.
fn is_within(now_ns: u64, then_ns: u64, limit_ns: u64) -> bool {
    now_ns.checked_sub(then_ns).is_some_and(|since_ns| since_ns < limit_ns)
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
    let known = to.has(NEXT) && to.offered & LOOSE == 0;
    known && segment.has(TcpHead::ACK) && after(segment.acknowledgement, to.reach)
}

/// Moves the end of what was sent; whether it moved.
#[inline(always)]
fn advance(from: &mut Half, segment: &Segment, what: u32) -> bool {
    if what & found::PROBE != 0 {
        return false;
    }
    let end = segment.sequence.wrapping_add(segment.span());
    let is_first = !from.has(NEXT);
    let before = from.next;
    let moved = is_first || after(end, from.next);
    if moved {
        from.next = end;
        from.advanced_ns = segment.now_ns;
        from.flags |= NEXT;
    }
    if is_first {
        from.first = segment.sequence;
    }
    if is_first || segment.sequence == from.reach || from.offered & LOOSE != 0 {
        from.reach = if what & found::LOST != 0 { before } else { from.next };
        from.offered &= !LOOSE;
    }
    moved
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
        from.acked_ns = segment.now_ns;
        from.flags |= ACKED;
    }
}

/// Forgets what was sent before a SYN that begins a new connection with the same ends.
pub(super) fn forget(half: &mut Half) {
    let Half { seen, .. } = *half;
    *half = Half { seen, ..Half::default() };
}
