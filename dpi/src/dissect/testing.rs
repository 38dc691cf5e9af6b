//! What the dissectors' unit tests share: a dissector asked as the dispatch would ask it.

use super::mutants::{self, Sound};
use crate::crypto_pool::CryptoPool;
use crate::knowledge::Knowledge;
use crate::meta::Meta;
use crate::scratch::Scratch;
use crate::view::{Direction, Dissector, Endpoint, First, Notes, Outcome, Transport, View};

/// The client's address in tests: 192.0.2.1, mapped.
pub(crate) const CLIENT: [u8; 16] = [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 192, 0, 2, 1];
/// The server's address in tests: 192.0.2.2, mapped.
pub(crate) const SERVER: [u8; 16] = [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 192, 0, 2, 2];

/// When the packets of tests come, unless they say otherwise: 2024-01-01 00:00:00 UTC.
pub(crate) const NOW_NS: u64 = 1_704_067_200_000_000_000;

/// One flow as a dissector sees it over several calls.
pub(crate) struct Flow {
    /// The flow's metadata so far.
    pub(crate) meta: Meta,
    /// The time of the next packet.
    pub(crate) now_ns: u64,
    /// Whether nothing can follow what is asked about next.
    pub(crate) last: bool,
    /// The server's address.
    pub(crate) server: [u8; 16],
    /// What the flow's shard knows.
    pub(crate) knowledge: Knowledge,
    /// What the dissectors remember.
    pub(crate) scratch: Scratch,
    crypto: CryptoPool,
    packets: u8,
    ports: (u16, u16),
    transport: Transport,
    /// Whether what is found here is damaged and asked about again: see [`mutants`].
    watched: bool,
}

impl Flow {
    /// A flow that has seen nothing; `ports` are the client's and the server's.
    pub(crate) fn new(transport: Transport, ports: (u16, u16)) -> Flow {
        Flow {
            meta: Meta::default(),
            now_ns: NOW_NS,
            last: false,
            server: SERVER,
            scratch: Scratch::default(),
            knowledge: Knowledge::default(),
            crypto: CryptoPool::new(4),
            packets: 0,
            ports,
            transport,
            watched: true,
        }
    }

    /// The same for [`mutants`]; `last` says that no more bytes can come.
    pub(super) fn unwatched(transport: Transport, ports: (u16, u16), last: bool) -> Flow {
        Flow { watched: false, last, ..Flow::new(transport, ports) }
    }

    /// Asks `dissector` about `data`, unless its first-byte or transport filter excludes it.
    pub(crate) fn ask(
        &mut self,
        dissector: &Dissector,
        direction: Direction,
        data: &[u8],
    ) -> Outcome {
        let excluded = !data.first().is_some_and(|first| admits(dissector, *first))
            || !dissector.over.contains(&self.transport);
        if excluded {
            return Outcome::NotMine;
        }
        self.ask_past_filter(dissector, direction, data)
    }

    /// Asks `dissector` as after it was found: whatever the first byte.
    pub(crate) fn ask_past_filter(
        &mut self,
        dissector: &Dissector,
        direction: Direction,
        data: &[u8],
    ) -> Outcome {
        let view = View {
            data,
            direction,
            transport: self.transport,
            client: Endpoint { address: CLIENT, port: self.ports.0 },
            server: Endpoint { address: self.server, port: self.ports.1 },
            last: self.last,
            packets_before: self.packets,
            now_ns: self.now_ns,
        };
        self.packets = self.packets.saturating_add(1);
        let mut notes = Notes {
            meta: &mut self.meta,
            scratch: &mut self.scratch,
            knowledge: &mut self.knowledge,
            crypto: &mut self.crypto,
        };
        let outcome = (dissector.run)(&view, &mut notes);
        if let (true, Outcome::Found { app, .. }) = (self.watched, outcome) {
            let to_server = direction == Direction::ToServer;
            let tcp = self.transport == Transport::Tcp;
            mutants::bear(dissector, app, Sound { data, to_server, tcp, ports: self.ports });
        }
        outcome
    }
}

/// Asks `dissector` about the first bytes of a fresh flow.
pub(crate) fn run(
    dissector: &Dissector,
    direction: Direction,
    transport: Transport,
    data: &[u8],
    ports: (u16, u16),
) -> (Outcome, Meta) {
    let mut flow = Flow::new(transport, ports);
    let outcome = flow.ask(dissector, direction, data);
    (outcome, flow.meta)
}

/// Whether the first-byte filter lets `byte` through.
pub(crate) fn admits(dissector: &Dissector, byte: u8) -> bool {
    match dissector.first {
        First::Any => true,
        First::OneOf(bytes) => bytes.contains(&byte),
        First::Ranges(ranges) => ranges.iter().any(|(low, high)| (*low..=*high).contains(&byte)),
    }
}

/// Asserts what holds of every beginning of `data`, whose whole is found as `found`: no panic,
/// never another application, and over TCP never `NotMine` (a stream cut anywhere must stay in
/// the race until its next segment).
pub(crate) fn check_prefixes(
    dissector: &Dissector,
    direction: Direction,
    transport: Transport,
    data: &[u8],
    ports: (u16, u16),
) {
    let whole = run(dissector, direction, transport, data, ports).0;
    let beginning = |length: usize| {
        let mut flow = Flow::unwatched(transport, ports, false);
        flow.ask(dissector, direction, &data[..length])
    };
    let Outcome::Found { app, .. } = whole else {
        panic!("the whole must be found, was {whole:?}");
    };
    for length in 1..data.len() {
        let outcome = beginning(length);
        match outcome {
            Outcome::Found { app: early, .. } => assert_eq!(early, app, "{length} bytes"),
            Outcome::NeedMore => {}
            Outcome::NotMine | Outcome::GiveUp => {
                assert_eq!(transport, Transport::Udp, "{outcome:?} after {length} bytes");
            }
        }
    }
}

/// Asserts that `dissector` does not claim `data` nor any beginning of it.
pub(crate) fn check_never(
    dissector: &Dissector,
    direction: Direction,
    transport: Transport,
    data: &[u8],
    ports: (u16, u16),
) {
    for length in 1..=data.len() {
        let outcome = run(dissector, direction, transport, &data[..length], ports).0;
        assert!(!matches!(outcome, Outcome::Found { .. }), "found after {length} bytes");
    }
}
