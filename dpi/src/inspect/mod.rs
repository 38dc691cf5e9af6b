//! The inspector: what a shard asks about its flows' payloads until each flow has a name.
//!
//! Content decides first; then the host name in it, what other flows said, and last the port, as
//! a marked guess. The state of a flow is taken from a fixed pool at its first payload and given
//! back with the verdict; so are the buffers that put TCP segments in order. When either pool is
//! empty the flow is named by what is known without it, and counted. After
//! [`Inspector::new`] nothing is allocated.

mod counters;
mod custom;
mod dispatch;
mod judge;
mod metas;
mod naming;
mod ports;
mod report;
mod state;
mod stream;
mod turn;
mod verdict;

#[cfg(test)]
mod peer_tests;
#[cfg(test)]
mod tests;

pub use counters::Counters;
pub use report::BYTES as REPORT_BYTES;
pub use state::Slot;
pub use turn::UNNAMED_PACKETS;
pub use verdict::{Confidence, Verdict};

use std::sync::Arc;

use crate::app::{self, AppId};
use crate::crypto_pool::CryptoPool;
use crate::dissect;
use crate::knowledge::Knowledge;
use crate::risk::Risks;
use crate::rules::RuleSet;
use crate::view::{Direction, Dissector, Endpoint, Transport};
use crate::why::{Rule, Why};
use custom::Custom;
use dispatch::Dispatch;
use metas::Metas;
use state::States;
use stream::Pool;
use turn::{Asked, Shared, Turn};

const TCP: u8 = 6;
const UDP: u8 = 17;

/// What one inspector may use. All of it is allocated by [`Inspector::new`].
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Limits {
    /// Flows under inspection at a time.
    pub flows: u32,
    /// TCP streams (a direction each) of which more than one segment is kept, at a time.
    pub stream_buffers: u32,
    /// Bytes of a stream that are put in order, a direction; at most 65,535. When so many of both
    /// directions were read and the flow has no name, its next packet is the last.
    pub stream_bytes: u32,
    /// Packets with payload of a TCP flow, both directions, that are inspected; of one without a
    /// name [`UNNAMED_PACKETS`] at most. Eight times as many of one that announces others (FTP).
    pub packets_tcp: u8,
    /// The same for UDP.
    pub packets_udp: u8,
    /// Addresses learned from DNS answers that are remembered.
    pub dns_names: u32,
    /// The risks that are reported.
    pub risks: Risks,
    /// Whether it is noted why each flow has its name.
    pub explain: bool,
}

impl Default for Limits {
    fn default() -> Limits {
        Limits {
            flows: 16 * 1024,
            stream_buffers: 4 * 1024,
            stream_bytes: 8 * 1024,
            packets_tcp: 12,
            packets_udp: 8,
            dns_names: 16 * 1024,
            risks: Risks::ALL,
            explain: true,
        }
    }
}

/// What TCP says about a segment.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct TcpSegment {
    /// Sequence number of the first payload byte (after the SYN's own, on a SYN with data).
    pub seq: u32,
    /// Whether the flow's SYN or SYN-ACK was seen, so that the first payload begins the stream.
    pub syn_seen: bool,
    /// The segment has FIN set.
    pub fin: bool,
    /// The segment has RST set.
    pub rst: bool,
}

/// A packet of a flow, as the inspector needs it.
#[derive(Clone, Copy, Debug)]
pub struct Segment<'a> {
    /// The captured payload of TCP or UDP.
    pub payload: &'a [u8],
    /// Who sent it.
    pub direction: Direction,
    /// The flow's client.
    pub client: Endpoint,
    /// The flow's server.
    pub server: Endpoint,
    /// IP protocol number.
    pub protocol: u8,
    /// Of a TCP segment; none for everything else.
    pub tcp: Option<TcpSegment>,
    /// The time of the turn.
    pub now_ns: u64,
    /// Whether the payload on the wire was longer than what was captured.
    pub payload_missing: bool,
}

/// What came of a packet.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Step {
    /// Nothing new yet.
    More,
    /// The flow has a name, or a better one; its next packets are still worth reading.
    Refined(Verdict),
    /// This is the flow's name, and inspection is over. The engine takes [`Inspector::meta`] and
    /// then calls [`Inspector::release`].
    Ended(Verdict),
}

/// See the module.
#[derive(Debug)]
pub struct Inspector {
    limits: Limits,
    dispatch: Dispatch,
    states: States,
    streams: Pool,
    metas: Metas,
    /// What [`Inspector::meta`] gave last.
    report: Vec<u8>,
    knowledge: Knowledge,
    crypto: CryptoPool,
    counters: Counters,
    custom: Custom,
}

impl Inspector {
    /// Allocates everything that will ever be used.
    ///
    /// # Panics
    ///
    /// If a limit is zero where at least one is needed, or `stream_bytes` is above 65,535.
    pub fn new(limits: &Limits) -> Inspector {
        Inspector::with_dissectors(limits, dissect::FAMILIES)
    }

    /// The same with these dissectors instead of all.
    pub(crate) fn with_dissectors(limits: &Limits, families: &[&[Dissector]]) -> Inspector {
        assert!(limits.stream_bytes > 0 && limits.stream_bytes < 65536, "stream_bytes");
        assert!(limits.packets_tcp > 0 && limits.packets_udp > 0, "packets");
        Inspector {
            limits: *limits,
            dispatch: Dispatch::new(families),
            states: States::new(limits.flows),
            streams: Pool::new(limits.stream_buffers, limits.stream_bytes),
            metas: Metas::new(limits.flows),
            report: Vec::with_capacity(report::BYTES),
            knowledge: Knowledge::new(limits.dns_names),
            crypto: CryptoPool::default(),
            counters: Counters::default(),
            custom: Custom::default(),
        }
    }

    /// Reads one packet of a flow. `slot` is the flow's own, [`Slot::NONE`] at first; it stays
    /// valid until [`Inspector::release`]. After [`Step::Ended`] the flow's packets need not be
    /// passed any more.
    pub fn inspect(&mut self, slot: &mut Slot, segment: &Segment<'_>) -> Step {
        if segment.payload.is_empty() {
            return Step::More;
        }
        let transport = match segment.protocol {
            TCP => Transport::Tcp,
            UDP => Transport::Udp,
            other => return Step::Ended(self.by_ip_protocol(other).unwrap_or_default()),
        };
        self.counters.packets_inspected += 1;
        self.knowledge.now(segment.now_ns);
        if slot.is_none() {
            self.begin(slot, transport, segment);
        }
        let rules = self.custom.rules();
        let Inspector { limits, dispatch, states, streams, metas, .. } = self;
        let Some(state) = states.get_mut(*slot) else {
            *slot = Slot::NONE;
            let verdict = self.without_slot(transport, segment.client, segment.server);
            return self.ended(verdict);
        };
        let (knowledge, crypto) = (&mut self.knowledge, &mut self.crypto);
        let shared = Shared { knowledge, crypto, metas, counters: &mut self.counters };
        let mut turn = Turn { dispatch, state, streams, shared, limits, segment, rules };
        let asked = match (transport, segment.tcp) {
            (Transport::Tcp, Some(tcp)) => turn.tcp(tcp),
            _ => turn.udp(),
        };
        self.conclude(*slot, transport, segment, asked)
    }

    /// The name of a flow that ended, or of which no more will be inspected. The metadata is
    /// still there afterwards; [`Inspector::release`] gives the slot back.
    pub fn end(
        &mut self,
        slot: &mut Slot,
        protocol: u8,
        client: Endpoint,
        server: Endpoint,
    ) -> Verdict {
        let known = self.states.get(*slot).map(|state| state.verdict).unwrap_or_default();
        let verdict = match protocol {
            _ if known.is_known() => known,
            TCP => self.without_slot(Transport::Tcp, client, server),
            UDP => self.without_slot(Transport::Udp, client, server),
            other => self.by_ip_protocol(other).unwrap_or_default(),
        };
        let verdict = match self.states.get_mut(*slot) {
            Some(state) => {
                state.verdict = verdict;
                self.custom.ended(state, &mut self.metas, [client, server])
            }
            None => verdict,
        };
        self.judge(*slot, verdict, client, server);
        self.count(verdict);
        verdict
    }

    /// The name of a flow whose IP protocol is all there is to tell (ICMP, IGMP, ESP …): decided
    /// at its first packet, without a slot.
    pub fn by_ip_protocol(&self, protocol: u8) -> Option<Verdict> {
        let app = match protocol {
            1 => AppId::ICMP,
            2 => AppId::IGMP,
            4 | 41 => AppId::IP_IN_IP,
            33 => AppId::DCCP,
            46 => AppId::RSVP,
            47 => AppId::GRE,
            50 => AppId::IPSEC_ESP,
            51 => AppId::IPSEC_AH,
            54 => AppId::NHRP,
            58 => AppId::ICMPV6,
            88 => AppId::EIGRP,
            89 => AppId::OSPF,
            97 => AppId::ETHERIP,
            103 => AppId::PIM,
            108 => AppId::IPCOMP,
            112 => AppId::VRRP,
            113 => AppId::PGM,
            115 => AppId::L2TPV3,
            132 => AppId::SCTP,
            136 => AppId::UDP_LITE,
            137 => AppId::MPLS_IN_IP,
            139 => AppId::HIP,
            _ => return None,
        };
        Some(Verdict::protocol(app, Confidence::Content))
    }

    /// Puts rules in force, or none; gives back those that were, so that the caller decides where
    /// their memory is freed. Flows that have their name keep it.
    pub fn set_rules(&mut self, rules: Option<Arc<RuleSet>>) -> Option<Arc<RuleSet>> {
        self.custom.set(rules)
    }

    /// The name of a flow of another protocol than TCP and UDP, at its first packet.
    pub fn without_payload(&self, protocol: u8, client: Endpoint, server: Endpoint) -> Verdict {
        let verdict = self.by_ip_protocol(protocol).unwrap_or_default();
        self.custom.by_ends(None, client, server, verdict)
    }

    /// What was found out about the flow so far, in the form of [`crate::meta`]: attributes, then
    /// its stack, risks, and why it has its name, as far as there are any. Empty without a slot.
    pub fn meta(&mut self, slot: Slot) -> &[u8] {
        let mut report = std::mem::take(&mut self.report);
        report.clear();
        self.append_meta(slot, &mut report);
        self.report = report;
        &self.report
    }

    /// Appends the same to `out`, which allocates nothing if it has room for [`REPORT_BYTES`].
    pub fn append_meta(&self, slot: Slot, out: &mut Vec<u8>) {
        let state = self.states.get(slot);
        let found = state.and_then(|state| Some((state, self.metas.found(state.meta, slot)?)));
        if let Some((state, meta)) = found {
            report::write(out, meta, state, &self.limits);
        }
    }

    /// Gives the slot back and sets it to [`Slot::NONE`]. Does nothing without a slot.
    pub fn release(&mut self, slot: &mut Slot) {
        let Some(state) = self.states.get_mut(*slot) else { return };
        for stream in &mut state.streams {
            stream.give_back(&mut self.streams);
        }
        let lost = self.metas.found(state.meta, *slot).map_or(0, crate::meta::Meta::lost);
        self.counters.metadata_lost += u64::from(lost);
        self.metas.give_back(&mut state.meta, *slot);
        self.states.give_back(*slot);
        *slot = Slot::NONE;
    }

    /// What was counted so far.
    pub fn counters(&self) -> Counters {
        Counters {
            names_learned: self.knowledge.learned(),
            names_replaced: self.knowledge.replaced(),
            flows_announced: self.knowledge.announced(),
            handshakes_lost: self.crypto.lost(),
            ..self.counters
        }
    }

    /// Flows under inspection.
    pub fn flows_in_progress(&self) -> usize {
        self.states.in_use()
    }

    /// Takes a slot for a flow's first payload; there is none where the pool is exhausted.
    fn begin(&mut self, slot: &mut Slot, transport: Transport, segment: &Segment<'_>) {
        if self.states.is_full() && !self.take_away() {
            self.counters.pool_exhausted += 1;
            return;
        }
        let Some((new, state)) = self.states.begin(transport) else { return };
        *slot = new;
        self.counters.flows_begun += 1;
        state.alive = self.dispatch.possible(transport, turn::hinted(&self.dispatch, segment));
        state.announced = self.knowledge.expected(segment.client, segment.server);
        self.custom.begin(state, segment);
    }

    /// Takes the place of a flow that has no name yet and was quiet for long.
    fn take_away(&mut self) -> bool {
        let Some(mut oldest) = self.states.oldest_unnamed() else { return false };
        self.counters.taken_away += 1;
        self.release(&mut oldest);
        true
    }

    /// Turns what the dissectors answered into a step.
    fn conclude(
        &mut self,
        slot: Slot,
        transport: Transport,
        segment: &Segment<'_>,
        asked: Asked,
    ) -> Step {
        let Some(state) = self.states.get_mut(slot) else {
            return Step::Ended(Verdict::UNKNOWN);
        };
        match asked {
            Asked::Nothing => self.custom.not_yet(state, &mut self.metas, segment),
            Asked::Named { app, more } => {
                if app::tells_of_peers(app) {
                    let Segment { client, server, .. } = *segment;
                    self.knowledge.learn_peer(server.address, server.port, app);
                    if transport == Transport::Udp {
                        self.knowledge.learn_peer(client.address, client.port, app);
                    }
                }
                let before = state.verdict;
                if state.named_as != app {
                    let meta = self.metas.of(state.meta, slot);
                    state.verdict = naming::name(state, meta, app, segment, &mut self.knowledge);
                }
                self.custom.named(state, &mut self.metas, app, segment);
                let verdict = state.verdict;
                match (more, verdict != before) {
                    (true, true) => Step::Refined(verdict),
                    (true, false) => Step::More,
                    (false, _) => self.over(slot, verdict, segment),
                }
            }
            Asked::Finished => {
                let verdict = state.verdict;
                self.over(slot, verdict, segment)
            }
            Asked::GaveUp => {
                self.counters.gave_up += 1;
                let (announced, place) = (state.announced, state.meta);
                let (mut verdict, why) = if announced == AppId::UNKNOWN {
                    self.without_content(transport, segment.client, segment.server)
                } else {
                    let why = Why::of(Rule::Announced, announced.0);
                    (Verdict::protocol(announced, Confidence::PeerKnowledge), why)
                };
                self.metas.of(place, slot).why = why;
                if let Some(state) = self.states.get_mut(slot) {
                    state.verdict = verdict;
                    let ends = [segment.client, segment.server];
                    self.custom.gave_up(state, &mut self.metas, ends);
                    verdict = state.verdict;
                }
                self.judge_payload(slot, verdict, segment.payload);
                self.over(slot, verdict, segment)
            }
        }
    }

    /// The name of a flow whose content told nothing, and why.
    fn without_content(
        &self,
        transport: Transport,
        client: Endpoint,
        server: Endpoint,
    ) -> (Verdict, Why) {
        if let Some(app) = self.knowledge.peer(client, server) {
            let verdict = Verdict::protocol(app, Confidence::PeerKnowledge);
            return (verdict, Why::of(Rule::Peer, app.0));
        }
        if let Some((app, rule)) = naming::at_server(&self.knowledge, server) {
            let confidence = Confidence::PeerKnowledge;
            let verdict = Verdict { master: AppId::UNKNOWN, app, confidence };
            return (verdict, Why::of(rule, app.0));
        }
        let guess = |port| ports::guess(transport, port).map(|app| (app, port));
        match guess(server.port).or_else(|| guess(client.port)) {
            Some((app, port)) => {
                let master = app::carrier(app);
                let verdict = Verdict { master, app, confidence: Confidence::PortGuess };
                (verdict, Why::of(Rule::Port, port))
            }
            None => (Verdict::UNKNOWN, Why::default()),
        }
    }

    /// The name of a flow of which nothing is kept.
    fn without_slot(&self, transport: Transport, client: Endpoint, server: Endpoint) -> Verdict {
        let (verdict, _) = self.without_content(transport, client, server);
        self.custom.by_ends(Some(transport), client, server, verdict)
    }

    fn over(&mut self, slot: Slot, verdict: Verdict, segment: &Segment<'_>) -> Step {
        self.judge(slot, verdict, segment.client, segment.server);
        self.ended(verdict)
    }

    fn ended(&mut self, verdict: Verdict) -> Step {
        self.count(verdict);
        Step::Ended(verdict)
    }

    fn count(&mut self, verdict: Verdict) {
        let counter = match verdict.confidence {
            Confidence::Unknown => &mut self.counters.flows_unknown,
            Confidence::PortGuess => &mut self.counters.flows_by_port,
            Confidence::Behaviour | Confidence::PeerKnowledge => &mut self.counters.flows_by_peer,
            Confidence::HostName | Confidence::Certificate => &mut self.counters.flows_by_host_name,
            Confidence::Content => &mut self.counters.flows_by_content,
        };
        *counter += 1;
    }
}
