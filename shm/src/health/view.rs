//! Reading a flow's health.

use super::{
    BUCKET, CLOSED, ConnState, Ended, GAP_SQUARES, GAPS, HAS_TRIPS, HEALTH_WORDS, HISTORY_LETTERS,
    MARKED, MISCELLANY, RARE, RATES, RESENT, RTT, RTT_RANGE, RTT_SUM, SIZE_SQUARES, SIZES, TICK_NS,
    WINDOWS, WORD_ANSWERS, WORD_ANSWERS_SUM, WORD_DELAYS, WORD_FIRST, WORD_FLOW_ID, WORD_HISTORY,
    WORD_STATE, events_of, has_events, high, low, mark, option, seen, statistics_of, trips_of,
};
use crate::flow::{Dir, FlowSnapshot};
use crate::hosts::{bucket_of, bytes_a_second};

/// A copy of a flow's health.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Health {
    /// The 40 words, laid out as the module says.
    pub words: [u64; HEALTH_WORDS],
}

impl Default for Health {
    fn default() -> Self {
        Self { words: [0; HEALTH_WORDS] }
    }
}

/// How often each thing happened to what one direction sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[expect(missing_docs, reason = "docs/METRICS.md defines each")]
pub struct Events {
    pub retransmissions: u32,
    pub fast_retransmissions: u16,
    pub spurious_retransmissions: u16,
    pub retransmitted_bytes: u32,
    pub out_of_order: u32,
    pub lost: u32,
    pub duplicate_acks: u32,
    pub unseen_acks: u16,
    pub zero_windows: u16,
    pub window_full: u16,
    pub window_updates: u16,
    pub zero_window_probes: u16,
    pub zero_window_probe_acks: u16,
    pub keep_alives: u16,
    pub keep_alive_acks: u16,
    pub resets: u16,
    pub ecn_echoes: u16,
    pub congestion_marks: u32,
    /// Nanoseconds.
    pub zero_window_ns: u64,
}

/// What a direction's SYN offered.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Offered {
    /// Largest segment that it takes.
    pub mss: Option<u16>,
    /// Shift of its windows.
    pub window_shift: Option<u8>,
    /// Selective acknowledgements.
    pub sack: bool,
    /// Timestamps.
    pub timestamps: bool,
}

/// Round trips, nanoseconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[expect(missing_docs, reason = "each is what it is called")]
pub struct RoundTrips {
    pub samples: u32,
    pub last_ns: u64,
    pub min_ns: u64,
    pub max_ns: u64,
    pub mean_ns: u64,
}

/// A flow's answers, nanoseconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[expect(missing_docs, reason = "each is what it is called")]
pub struct Answers {
    pub samples: u32,
    pub first_ns: u64,
    pub mean_ns: u64,
    pub max_ns: u64,
}

/// Distribution of a direction's packets.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
#[expect(missing_docs, reason = "docs/METRICS.md defines each")]
pub struct Statistics {
    pub size_min: u32,
    pub size_max: u32,
    pub size_mean: f64,
    pub size_deviation: f64,
    pub gap_mean_ns: f64,
    pub gap_max_ns: u64,
    pub gap_deviation_ns: f64,
    /// Bits a second of the last whole bucket of time.
    pub current_bps: u64,
    /// Most bits a second of a bucket.
    pub peak_bps: u64,
}

impl Health {
    /// The words of a slot, with zeros where they are not yet the flow's.
    pub fn of_words(mut words: [u64; HEALTH_WORDS]) -> Self {
        let state = words[WORD_STATE];
        let parts = [(HAS_TRIPS, trips_of(0)), (has_events(0), events_of(0))];
        for (bit, from) in parts.into_iter().chain([(has_events(1), events_of(1))]) {
            if state & bit == 0 {
                words[from..from + 8].fill(0);
            }
        }
        Self { words }
    }

    /// What is known of a flow of one packet, which has no slot.
    pub fn of_one_packet(flow: &FlowSnapshot) -> Self {
        let mut health = Self::default();
        let direction = usize::from(flow.words[crate::flow::WORD_LO_TO_HI] == 0);
        let counts = [crate::flow::WORD_LO_TO_HI, crate::flow::WORD_HI_TO_LO][direction];
        let bytes = flow.words[counts + 1];
        let size = u16::try_from(bytes).unwrap_or(u16::MAX);
        let base = statistics_of(direction);
        health.words[WORD_FLOW_ID] = flow.flow_id();
        health.words[base + SIZES] = u64::from(size) | u64::from(size) << 16;
        health.words[base + SIZE_SQUARES] = bytes.saturating_mul(bytes);
        health.words[base + BUCKET] = bytes.min(u32::MAX.into());
        let from_client = (direction == 1) == flow.client_is_hi();
        let shown = match flow.l4() {
            6 => of_flags(flow.tcp_flags(if from_client { Dir::ToServer } else { Dir::ToClient })),
            _ => seen::DATA,
        };
        let (client, server) = if from_client { (shown, 0) } else { (0, shown) };
        let state = match flow.l4() {
            6 => ConnState::of_tcp(client, server),
            17 => ConnState::of_udp(from_client, !from_client),
            _ => ConnState::None,
        };
        let mut letters = 0;
        for (bit, letter) in seen::LETTERS.iter().enumerate() {
            if shown & 1 << bit != 0 {
                let letter = if from_client { *letter } else { letter.to_ascii_lowercase() };
                health.words[WORD_HISTORY] |= u64::from(letter) << (8 * letters);
                letters += 1;
            }
        }
        let from_middle = flow.l4() == 6 && shown & (seen::SYN | seen::SYN_ACK) == 0;
        let marks = if from_middle { mark::FROM_MIDDLE } else { 0 };
        let syns = u64::from(shown & (seen::SYN | seen::SYN_ACK) != 0);
        health.words[WORD_STATE] =
            state as u64 | u64::from(marks) << 16 | letters << 32 | syns << 40;
        health
    }

    /// What is known of a flow that has no slot of its own: nothing, but for a flow of one packet.
    pub fn without_slot(flow: &FlowSnapshot) -> Self {
        let packets = flow.packets(Dir::ToServer).saturating_add(flow.packets(Dir::ToClient));
        if packets == 1 { Self::of_one_packet(flow) } else { Self::default() }
    }

    /// Whether anything is known: not where health is off.
    pub fn is_known(&self) -> bool {
        self.words[WORD_FLOW_ID] != 0
    }

    /// The connection's state.
    pub fn conn_state(&self) -> ConnState {
        ConnState::from_raw(self.state_byte(0))
    }

    /// How it ended.
    pub fn ended(&self) -> Ended {
        Ended::from_raw(self.state_byte(1))
    }

    /// The marks, [`mark`].
    pub fn marks(&self) -> u16 {
        u16::from_le_bytes([self.state_byte(2), self.state_byte(3)])
    }

    /// Whether it has a mark.
    pub fn has(&self, mark: u16) -> bool {
        self.marks() & mark != 0
    }

    /// The letters of what happened in their order, the client's upper case.
    pub fn history(&self) -> String {
        let letters = usize::from(self.state_byte(4)).min(HISTORY_LETTERS);
        let bytes = self.words[WORD_HISTORY..WORD_HISTORY + 2].iter();
        let bytes = bytes.flat_map(|word| word.to_le_bytes()).take(letters);
        bytes.filter(u8::is_ascii_graphic).map(char::from).collect()
    }

    /// SYNs seen, of both sides; 255 stands for more.
    pub fn syns(&self) -> u8 {
        self.state_byte(5)
    }

    /// From the SYN to its answer: between here and the server and back. 0: not seen.
    pub fn server_delay_ns(&self) -> u64 {
        in_ns(low(self.words[WORD_DELAYS]))
    }

    /// From the answer to the SYN to its acknowledgement: between here and the client and back.
    pub fn client_delay_ns(&self) -> u64 {
        in_ns(high(self.words[WORD_DELAYS]))
    }

    /// Duration of the handshake of TLS or QUIC; 0: not seen.
    pub fn secure_handshake_ns(&self) -> u64 {
        in_ns(high(self.words[WORD_FIRST]))
    }

    /// How long the application took for its answers.
    pub fn answers(&self) -> Answers {
        let samples = low(self.words[WORD_ANSWERS]);
        Answers {
            samples,
            first_ns: in_ns(low(self.words[WORD_FIRST])),
            mean_ns: mean_ns(self.words[WORD_ANSWERS_SUM], samples),
            max_ns: in_ns(high(self.words[WORD_ANSWERS])),
        }
    }

    /// What happened to the segments of a direction.
    pub fn events(&self, flow: &FlowSnapshot, dir: Dir) -> Events {
        let word = |word| self.words[events_of(lane(flow, dir)) + word];
        let [fast, spurious, unseen, zero] = quarters(word(RARE));
        let [full, updates, probes, probe_acks] = quarters(word(WINDOWS));
        let [keep_alives, keep_alive_acks, resets, echoes] = quarters(word(MISCELLANY));
        Events {
            retransmissions: low(word(RESENT)),
            fast_retransmissions: fast,
            spurious_retransmissions: spurious,
            retransmitted_bytes: high(word(MARKED)),
            out_of_order: high(word(RESENT)),
            lost: low(word(GAPS)),
            duplicate_acks: high(word(GAPS)),
            unseen_acks: unseen,
            zero_windows: zero,
            window_full: full,
            window_updates: updates,
            zero_window_probes: probes,
            zero_window_probe_acks: probe_acks,
            keep_alives,
            keep_alive_acks,
            resets,
            ecn_echoes: echoes,
            congestion_marks: low(word(MARKED)),
            zero_window_ns: u64::from(low(word(CLOSED))) * 1000,
        }
    }

    /// What the SYN of a direction offered; `None` if it was not seen.
    pub fn offered(&self, flow: &FlowSnapshot, dir: Dir) -> Option<Offered> {
        let [_, _, mss, bits] = quarters(self.words[statistics_of(lane(flow, dir)) + BUCKET]);
        let [shift, options] = bits.to_le_bytes();
        let has = |bit| options & bit != 0;
        has(option::SEEN).then(|| Offered {
            mss: has(option::MSS).then_some(mss),
            window_shift: has(option::SCALE).then_some(shift),
            sack: has(option::SACK),
            timestamps: has(option::TIMESTAMPS),
        })
    }

    /// How long it took until what a direction sent was acknowledged: between here and its receiver
    /// and back.
    pub fn round_trips(&self, flow: &FlowSnapshot, dir: Dir) -> RoundTrips {
        let word = |word| self.words[trips_of(lane(flow, dir)) + word];
        let samples = low(word(RTT));
        RoundTrips {
            samples,
            last_ns: in_ns(high(word(RTT))),
            min_ns: in_ns(low(word(RTT_RANGE))),
            max_ns: in_ns(high(word(RTT_RANGE))),
            mean_ns: mean_ns(word(RTT_SUM), samples),
        }
    }

    /// Sizes, distances and rates of the packets of a direction.
    #[expect(clippy::cast_precision_loss, reason = "figures to a few digits")]
    pub fn statistics(&self, flow: &FlowSnapshot, dir: Dir) -> Statistics {
        let lane = lane(flow, dir);
        let word = |word| self.words[statistics_of(lane) + word];
        let rates = self.words[trips_of(lane) + RATES];
        let packets = flow.packets(dir) as f64;
        if packets == 0.0 {
            return Statistics::default();
        }
        let size_mean = flow.bytes(dir) as f64 / packets;
        let span_ns = flow.last_ns_of(dir).saturating_sub(flow.first_ns_of(dir)) as f64;
        let gaps = packets - 1.0;
        let gap_mean_ns = if gaps > 0.0 { span_ns / gaps } else { 0.0 };
        let gap_squares = f64::from_bits(word(GAP_SQUARES));
        let newest = bucket_of(flow.first_ns().max(flow.last_ns()));
        let in_bucket = low(word(BUCKET));
        let current = match newest.saturating_sub(bucket_of(flow.last_ns_of(dir))) {
            0 => low(rates),
            1 => in_bucket,
            _ => 0,
        };
        let [size_min, size_max, ..] = quarters(word(SIZES));
        Statistics {
            size_min: size_min.into(),
            size_max: size_max.into(),
            size_mean,
            size_deviation: deviation(word(SIZE_SQUARES) as f64, packets, size_mean),
            gap_mean_ns,
            gap_max_ns: in_ns(high(word(SIZES))),
            gap_deviation_ns: if gap_squares.is_finite() {
                deviation(gap_squares, gaps, gap_mean_ns)
            } else {
                0.0
            },
            current_bps: bytes_a_second(current.into()) * 8,
            peak_bps: bytes_a_second(high(rates).max(in_bucket).into()) * 8,
        }
    }

    fn state_byte(&self, byte: usize) -> u8 {
        self.words[WORD_STATE].to_le_bytes()[byte]
    }
}

/// Place of a direction: 0 from the lower endpoint, 1 from the higher.
fn lane(flow: &FlowSnapshot, dir: Dir) -> usize {
    usize::from((dir == Dir::ToServer) == flow.client_is_hi())
}

/// Standard deviation of a whole population.
fn deviation(squares: f64, count: f64, mean: f64) -> f64 {
    if count > 0.0 { (squares / count - mean * mean).max(0.0).sqrt() } else { 0.0 }
}

fn in_ns(ticks: u32) -> u64 {
    u64::from(ticks) * TICK_NS
}

fn mean_ns(sum_ticks: u64, samples: u32) -> u64 {
    sum_ticks.saturating_mul(TICK_NS).checked_div(samples.into()).unwrap_or(0)
}

fn quarters(word: u64) -> [u16; 4] {
    [0, 16, 32, 48].map(|shift| u16::try_from(word >> shift & 0xffff).unwrap_or(0))
}

/// What a packet with these TCP flags, and perhaps payload, shows.
const fn of_flags(flags: u8) -> u8 {
    const FIN: u8 = 1;
    const SYN: u8 = 2;
    const RST: u8 = 4;
    const PSH: u8 = 8;
    const ACK: u8 = 16;
    let opens = match flags & (SYN | ACK) {
        SYN => seen::SYN,
        0x12 => seen::SYN_ACK,
        _ => 0,
    };
    let rest = if flags & (SYN | FIN | RST) != 0 {
        0
    } else if flags & PSH != 0 {
        seen::DATA
    } else {
        seen::ACK
    };
    let fin = if flags & FIN != 0 { seen::FIN } else { 0 };
    let aborts = if flags & RST != 0 { seen::RST } else { 0 };
    opens | rest | fin | aborts
}

#[cfg(not(loom))]
#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_any_words_say_can_be_read() {
        for fill in [u64::MAX, 0x5555_5555_5555_5555, 1] {
            let health = Health { words: [fill; HEALTH_WORDS] };
            let flow = FlowSnapshot { words: [fill; 16] };
            for dir in [Dir::ToServer, Dir::ToClient] {
                let statistics = health.statistics(&flow, dir);
                assert!(!statistics.gap_deviation_ns.is_nan());
                let _ = (health.events(&flow, dir), health.offered(&flow, dir));
                let _ = health.round_trips(&flow, dir);
            }
            let _ = (health.conn_state(), health.ended(), health.history(), health.answers());
        }
    }
}
