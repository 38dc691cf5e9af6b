//! Traffic from nothing: which frame comes when is arithmetic over its index, so that any number of
//! flows takes no memory.
//!
//! Frames go round over `flows` slots. A slot's flow is followed by a new one every
//! `frames / births` of its frames; slots take their turns evenly. A flow begins with its handshake,
//! if it has one, then says the first words of an application, if it does, and goes on with frames
//! of the pattern of sizes. All that a flow is depends on its number and the seed alone.
//!
//! `ebpf/src/bpf/live.bpf.c` is the twin of [`Synth::pick`]; a test holds the two together.

use std::net::Ipv4Addr;

use super::build::{self, Carrier, End};
use super::payload;
use super::{Pick, Store, mix};

/// Shares are of so many parts.
pub(crate) const WHOLE: u32 = 1 << 16;
/// The kinds of frames that each application has.
pub(crate) const ROLES: u32 = 8;
/// Sizes that a pattern is made of at most.
pub(crate) const SIZES: usize = 3;

const SYN: u32 = 0;
const FIRST_WORDS: u32 = 3;
const DATA: u32 = 4;
/// Frames of a handshake.
const HANDSHAKE: u64 = 3;

/// Bytes of the frame check sequence, which the network card adds.
pub(crate) const CHECK_BYTES: u32 = 4;
/// The Internet mix: 28 frames of 64 bytes, 16 of 570, 4 of 1518.
const MIX: [(u32, usize); SIZES] = [(64, 28), (570, 16), (1518, 4)];
/// Sizes that there can be, with the check sequence.
pub(crate) const SIZE_RANGE: std::ops::RangeInclusive<u32> = 64..=9018;

/// Bits of the client's address that tell flows apart: those of 198.18.0.0/16 (RFC 2544).
const ADDRESS_BITS: u8 = 16;
const CLIENT: End =
    End { hardware: [2, 0, 0, 0, 0, 1], address: Ipv4Addr::new(198, 18, 0, 1), port: 20_000 };
const SERVER: End =
    End { hardware: [2, 0, 0, 0, 0, 2], address: Ipv4Addr::new(198, 19, 0, 1), port: 0 };

/// What flows are, in the order of their templates.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum App {
    Tcp,
    Tls,
    Http,
    Udp,
    Dns,
}

const APPS: [App; 5] = [App::Tcp, App::Tls, App::Http, App::Udp, App::Dns];

impl App {
    const fn is_tcp(self) -> bool {
        matches!(self, App::Tcp | App::Tls | App::Http)
    }

    const fn port(self) -> u16 {
        match self {
            App::Tcp => 5001,
            App::Tls => 443,
            App::Http => 80,
            // "Discard".
            App::Udp => 9,
            App::Dns => 53,
        }
    }

    fn first_words(self) -> Vec<u8> {
        match self {
            App::Tcp | App::Udp => Vec::new(),
            App::Tls => payload::tls_client_hello(),
            App::Http => payload::http_request(),
            App::Dns => payload::dns_question(),
        }
    }
}

/// How long frames are.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Size {
    /// All the same, with their check sequence.
    Fixed(u32),
    /// The Internet mix.
    Mix,
}

/// What is wanted. Shares are of [`WHOLE`].
#[derive(Clone, Copy, Debug)]
pub(crate) struct Wish {
    pub(crate) size: Size,
    pub(crate) flows: u32,
    /// A flow is followed by a new one after `frames / births` frames; no births: never.
    pub(crate) births: u32,
    pub(crate) frames: u32,
    pub(crate) tcp: u32,
    pub(crate) handshakes: u32,
    pub(crate) payloads: u32,
    pub(crate) seed: u64,
}

/// Synthetic traffic, apart from its frames.
#[derive(Clone, Debug)]
pub(crate) struct Synth {
    pub(crate) wish: Wish,
    /// The size's place for each frame of the pattern.
    pub(crate) pattern: Vec<u8>,
    /// TCP payload bytes before each frame of the pattern, and of all of it.
    pub(crate) before: Vec<u32>,
    /// Bytes of each application's first words.
    pub(crate) first_bytes: [u32; APPS.len()],
}

impl Synth {
    /// The traffic, whose frames are added to `store`.
    pub(crate) fn new(wish: Wish, store: &mut Store) -> Synth {
        let sizes: Vec<u32> = match wish.size {
            Size::Fixed(size) => vec![size],
            Size::Mix => MIX.iter().map(|(size, _)| *size).collect(),
        };
        let pattern = match wish.size {
            Size::Fixed(_) => vec![0],
            Size::Mix => spread(&MIX.map(|(_, count)| count)),
        };
        let tcp_bytes = |size: &u32| frame_bytes(*size).saturating_sub(54);
        let mut before = vec![0];
        for place in &pattern {
            let bytes = sizes.get(usize::from(*place)).map_or(0, tcp_bytes);
            before.push(before.last().unwrap_or(&0) + bytes);
        }
        let first_bytes = APPS.map(|app| u32::try_from(app.first_words().len()).unwrap_or(0));
        for app in APPS {
            add_frames(app, &sizes, wish.seed, store);
        }
        Synth { wish, pattern, before, first_bytes }
    }

    /// Which frame comes as number `index`.
    #[inline]
    pub(crate) fn pick(&self, index: u64) -> Pick {
        let Wish { flows, births, frames, tcp, handshakes, payloads, seed, .. } = self.wish;
        let (flows, births, frames) = (u64::from(flows), u64::from(births), u64::from(frames));
        let (round, slot) = (index / flows, index % flows);
        let lived = round.wrapping_mul(births) + slot * frames / flows;
        let (generation, place) = match (lived % frames).checked_div(births) {
            Some(place) => (lived / frames, place),
            None => (0, round),
        };
        #[expect(clippy::cast_possible_truncation, reason = "numbers go round")]
        let flow = (slot + generation * flows) as u32;
        let what = mix(seed ^ u64::from(flow));
        let piece = |from: u32| u32::try_from(what >> from & 0xffff).unwrap_or(0);
        let is_tcp = piece(0) < tcp;
        let speaks = piece(32) < payloads;
        let app: u32 = match (is_tcp, speaks) {
            (true, false) => 0,
            (true, true) => 1 + (piece(48) & 1),
            (false, false) => 3,
            (false, true) => 4,
        };
        let lead = if is_tcp && piece(16) < handshakes { HANDSHAKE } else { 0 };
        let pick = |role, sequence| Pick { template: app * ROLES + role, flow, sequence };
        if place < lead {
            return pick(SYN + u32::try_from(place).unwrap_or(0), 0);
        }
        let mut place = place - lead;
        if speaks {
            if place == 0 {
                return pick(FIRST_WORDS, 0);
            }
            place -= 1;
        }
        let phase = u64::from(piece(48) >> 1) % self.pattern.len() as u64;
        let length = self.pattern.len() as u64;
        let size = self.pattern.get(wrap((place + phase) % length)).copied().unwrap_or(0);
        let sequence = if is_tcp {
            let said = self.first_bytes.get(wrap(u64::from(app))).copied().unwrap_or(0);
            said.wrapping_add(self.bytes_until(place + phase)).wrapping_sub(self.bytes_until(phase))
        } else {
            0
        };
        pick(DATA + u32::from(size), sequence)
    }

    /// TCP payload bytes of the first so many frames of the endless pattern, modulo 2^32.
    #[inline]
    fn bytes_until(&self, frames: u64) -> u32 {
        let length = self.pattern.len() as u64;
        let whole = self.before.last().copied().unwrap_or(0);
        let rest = self.before.get(wrap(frames % length)).copied().unwrap_or(0);
        #[expect(clippy::cast_possible_truncation, reason = "sequence numbers go round")]
        let rounds = (frames / length) as u32;
        rounds.wrapping_mul(whole).wrapping_add(rest)
    }

    /// What is added to the client's address for each flow.
    pub(crate) const fn stride() -> u32 {
        1
    }
}

fn wrap(index: u64) -> usize {
    usize::try_from(index).unwrap_or(usize::MAX)
}

/// Bytes of a frame of this size without its check sequence.
const fn frame_bytes(size: u32) -> u32 {
    size - CHECK_BYTES
}

/// So many of each kind, spread as evenly as they go.
fn spread(counts: &[usize]) -> Vec<u8> {
    let shares: Vec<i64> = counts.iter().filter_map(|count| i64::try_from(*count).ok()).collect();
    let total: i64 = shares.iter().sum();
    let mut owed = vec![0; shares.len()];
    let turn = |_| {
        let mut best = 0;
        for (kind, share) in shares.iter().enumerate() {
            owed[kind] += share;
            if owed[kind] > owed[best] {
                best = kind;
            }
        }
        owed[best] -= total;
        u8::try_from(best).unwrap_or(0)
    };
    (0..total).map(turn).collect()
}

/// The [`ROLES`] frames of an application.
fn add_frames(app: App, sizes: &[u32], seed: u64, store: &mut Store) {
    const SYN_FLAG: u8 = 2;
    const ACK_FLAG: u8 = 16;
    const PUSH_FLAG: u8 = 8;
    /// First sequence numbers: the client's, the server's.
    const START: [u32; 2] = [1_000, 5_000];
    let server = End { port: app.port(), ..SERVER };
    let mut add = |carrier: Carrier, by_client: bool, payload: &[u8]| {
        let (from, to) = if by_client { (CLIENT, server) } else { (server, CLIENT) };
        let bytes = build::frame(from, to, carrier, payload);
        store.add(&bytes, carrier.patch(by_client, ADDRESS_BITS), 0);
    };
    let client = |flags, sequence| {
        let acknowledgement = if flags & ACK_FLAG == 0 { 0 } else { START[1] + 1 };
        Carrier::Tcp { flags, sequence, acknowledgement }
    };
    let data = if app.is_tcp() {
        let opens = Carrier::Tcp {
            flags: SYN_FLAG | ACK_FLAG,
            sequence: START[1],
            acknowledgement: START[0] + 1,
        };
        add(client(SYN_FLAG, START[0]), true, &[]);
        add(opens, false, &[]);
        add(client(ACK_FLAG, START[0] + 1), true, &[]);
        client(PUSH_FLAG | ACK_FLAG, START[0] + 1)
    } else {
        for _ in 0..HANDSHAKE {
            add(Carrier::Udp, true, &[]);
        }
        Carrier::Udp
    };
    add(data, true, &app.first_words());
    for place in 0..usize::try_from(ROLES - DATA).unwrap_or(0) {
        let size = sizes.get(place).copied().unwrap_or(*SIZE_RANGE.start());
        let bytes = usize::try_from(frame_bytes(size)).unwrap_or(0) - data.head_bytes();
        add(data, true, &payload::filler(bytes, seed));
    }
}
