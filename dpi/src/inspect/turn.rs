//! One packet's inspection: which bytes are looked at, and who is asked about them.

use super::custom::{self, InForce};
use super::dispatch::{Dispatch, Index, Mask};
use super::metas::Metas;
use super::state::FlowState;
use super::stream::{Pool, Stream, Taken};
use super::{Counters, Limits, Segment, TcpSegment};
use crate::app::{self, AppId};
use crate::crypto_pool::CryptoPool;
use crate::knowledge::Knowledge;
use crate::view::{Direction, Dissector, Notes, Outcome, Transport, View};
use crate::why::{Rule, Why};

/// Packets after which a TCP flow whose beginning was not captured is given up.
const MIDSTREAM_PACKETS: u8 = 8;
/// Among so many first packets a TCP flow's true first segment is waited for, when what came
/// before it fits nothing.
pub(super) const LATE_FIRST_PACKETS: u8 = 3;

/// Packets after which a flow without a name is given up, whatever the limits: what was not told
/// by then was, in all captures seen, never told.
pub const UNNAMED_PACKETS: u8 = 12;

/// So many times the usual number of packets are read of a flow that announces others: an FTP
/// session names a new data flow for every file.
const ANNOUNCER_FACTOR: u8 = 8;

/// Zeros in a row that may be padding: an Ethernet frame has 46 bytes of payload at least, an IPv4
/// and a TCP header take 40.
const PADDING_BYTES: usize = 6;

/// Whether a packet is the last one to be read.
#[derive(Clone, Copy, Debug)]
pub(super) struct Last {
    /// Of the flow, whatever comes of it.
    of_all: bool,
    /// Of the flow as it is: the same, and sooner where it has no name yet.
    as_it_is: bool,
}

/// What the dissectors answered about a packet.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Asked {
    /// Nothing yet, or nothing new.
    Nothing,
    /// It is `app`.
    Named {
        /// The protocol.
        app: AppId,
        /// Whether its next packets are worth reading.
        more: bool,
    },
    /// The flow was named before, and there is nothing more to read.
    Finished,
    /// The flow has no name and will get none from its content.
    GaveUp,
}

/// What dissectors of all flows share.
pub(super) struct Shared<'i> {
    pub(super) knowledge: &'i mut Knowledge,
    pub(super) crypto: &'i mut CryptoPool,
    pub(super) metas: &'i mut Metas,
    pub(super) counters: &'i mut Counters,
}

/// The parts of the inspector and of the flow that a packet's inspection works on.
pub(super) struct Turn<'i> {
    pub(super) dispatch: &'i Dispatch,
    pub(super) state: &'i mut FlowState,
    pub(super) streams: &'i mut Pool,
    pub(super) shared: Shared<'i>,
    pub(super) limits: &'i Limits,
    pub(super) segment: &'i Segment<'i>,
    pub(super) rules: Option<InForce<'i>>,
}

impl Turn<'_> {
    /// A datagram: every one is looked at anew.
    pub(super) fn udp(&mut self) -> Asked {
        let packets_before = self.count_packet();
        let last = self.last(self.limits.packets_udp);
        let bytes = u16::try_from(self.segment.payload.len()).unwrap_or(u16::MAX);
        self.state.bytes = self.state.bytes.saturating_add(bytes);
        let view = view(self.segment, self.segment.payload, Transport::Udp, true, packets_before);
        if let Some(index) = self.state.dissector() {
            let shared = &mut self.shared;
            return ask_again(self.dispatch, self.state, shared, index, &view, last.of_all);
        }
        custom::by_payload(self.rules, self.state, &view);
        let candidates = candidates(self.dispatch, self.state, view.data, Transport::Udp);
        let announced = self.state.announced != AppId::UNKNOWN;
        match ask(self.dispatch, self.state, &mut self.shared, candidates, &view) {
            Asked::Nothing if last.as_it_is || announced => Asked::GaveUp,
            Asked::Named { app, more } => Asked::Named { app, more: more && !last.of_all },
            other => other,
        }
    }

    /// A TCP segment: the stream's beginning is looked at whenever there is more of it.
    pub(super) fn tcp(&mut self, tcp: TcpSegment) -> Asked {
        let packets_before = self.count_packet();
        if self.state.announced != AppId::UNKNOWN {
            return Asked::GaveUp;
        }
        let last = self.last(if tcp.syn_seen || self.state.dissector().is_some() {
            self.limits.packets_tcp
        } else {
            self.limits.packets_tcp.min(MIDSTREAM_PACKETS)
        });
        if is_padding(self.segment.payload) && !self.stream_mut().0.has_begun() {
            return if last.as_it_is { self.state.over() } else { Asked::Nothing };
        }
        if tcp.syn_seen {
            return self.stream(tcp, packets_before, last);
        }
        // The beginning was not captured: any segment may begin a message. One that does not
        // carry on what was begun is looked at once more by itself.
        let carried_on = self.stream_mut().0.is_kept();
        let asked = self.stream(tcp, packets_before, last);
        if asked != Asked::GaveUp {
            return asked;
        }
        self.start_over();
        if carried_on {
            let asked = self.stream(tcp, packets_before, last);
            if asked != Asked::GaveUp {
                return asked;
            }
            self.start_over();
        }
        if last.as_it_is { Asked::GaveUp } else { Asked::Nothing }
    }

    /// Takes the segment into its stream, and asks about what is there in order.
    fn stream(&mut self, tcp: TcpSegment, packets_before: u8, last: Last) -> Asked {
        if self.direction_is_read() {
            return if last.as_it_is { Asked::Finished } else { Asked::Nothing };
        }
        let payload = self.segment.payload;
        let missing = self.segment.payload_missing;
        let may_rebase = tcp.syn_seen && self.state.dissector().is_none();
        let (stream, pool) = self.stream_mut();
        let taken = stream.take(pool, tcp.seq, payload, may_rebase);
        self.count_taken(taken);
        let nothing_new = matches!(taken, Taken::Held | Taken::Nothing | Taken::Dropped);
        if nothing_new && !last.as_it_is {
            return self.state.nobody_left(tcp).unwrap_or(Asked::Nothing);
        }
        if taken == Taken::Rebased {
            self.revive();
        }
        let asked = self.ask_stream(taken, packets_before, last);
        let wants_more = matches!(asked, Asked::Nothing | Asked::Named { more: true, .. });
        if self.direction_is_read() {
            let (stream, pool) = self.stream_mut();
            stream.clear(pool);
        } else if taken == Taken::First && wants_more {
            let (stream, pool) = self.stream_mut();
            if !stream.keep(pool, payload) {
                self.shared.counters.streams_exhausted += 1;
            }
        }
        if missing && !nothing_new {
            self.stream_mut().0.close();
        }
        asked
    }

    /// Asks about the stream's beginning: those who may still be it, or the one who was it.
    fn ask_stream(&mut self, taken: Taken, packets_before: u8, last: Last) -> Asked {
        // The view borrows the pool, which `ask` does not need: the fields are taken apart here.
        let Turn { dispatch, state, streams, shared, segment, rules, .. } = self;
        let stream = of(&mut state.streams, segment.direction);
        let over = last.as_it_is || segment.payload_missing || stream.is_over(streams);
        let data = if taken == Taken::First { segment.payload } else { stream.bytes(streams) };
        let view = view(segment, data, Transport::Tcp, over, packets_before);
        if let Some(index) = state.dissector() {
            return if data.is_empty() {
                Asked::Finished
            } else {
                ask_again(dispatch, state, shared, index, &view, last.of_all)
            };
        }
        custom::by_payload(*rules, state, &view);
        // What begins otherwise, or says no, is not asked about more of the same stream.
        let candidates = candidates(dispatch, state, data, Transport::Tcp);
        state.alive = candidates;
        match ask(dispatch, state, shared, candidates, &view) {
            Asked::Named { app, more } => Asked::Named { app, more: more && !last.of_all },
            _ if last.as_it_is => Asked::GaveUp,
            _ => segment.tcp.and_then(|tcp| state.nobody_left(tcp)).unwrap_or(Asked::Nothing),
        }
    }

    /// Whether this packet is the last one to be inspected, `most` being the usual number.
    fn last(&self, most: u8) -> Last {
        let state = &*self.state;
        let factor = if app::announces_flows(state.verdict.master) { ANNOUNCER_FACTOR } else { 1 };
        let of_all = state.packets >= most.saturating_mul(factor);
        let in_order: usize = state.streams.iter().map(Stream::in_order).sum();
        let bytes = usize::from(state.bytes).saturating_add(in_order);
        let enough = u32::try_from(bytes).is_ok_and(|bytes| bytes >= self.limits.stream_bytes);
        let unnamed = state.dissector().is_none() && (state.packets >= UNNAMED_PACKETS || enough);
        Last { of_all, as_it_is: of_all || unnamed }
    }

    /// Whether the dissector that recognised the flow wants no more of this direction.
    fn direction_is_read(&self) -> bool {
        self.state.dissector().is_some() && self.state.scratch.is_read(self.segment.direction)
    }

    /// Forgets this direction's bytes and what was excluded by them.
    fn start_over(&mut self) {
        let (stream, pool) = self.stream_mut();
        stream.clear(pool);
        self.revive();
    }

    /// Lets every dissector be asked again.
    fn revive(&mut self) {
        let hinted = hinted(self.dispatch, self.segment);
        self.state.alive = self.dispatch.possible(Transport::Tcp, hinted);
    }

    fn stream_mut(&mut self) -> (&mut Stream, &mut Pool) {
        (of(&mut self.state.streams, self.segment.direction), self.streams)
    }

    /// Counts the packet; gives the number before it.
    fn count_packet(&mut self) -> u8 {
        let before = self.state.packets;
        self.state.packets = before.saturating_add(1);
        before
    }

    fn count_taken(&mut self, taken: Taken) {
        let counters = &mut *self.shared.counters;
        match taken {
            Taken::Held => counters.segments_held += 1,
            Taken::Dropped => counters.segments_dropped += 1,
            Taken::Nothing => counters.segments_old += 1,
            Taken::First | Taken::Grown | Taken::Rebased => {}
        }
    }
}

impl FlowState {
    /// What the end of inspection means for the flow.
    fn over(&self) -> Asked {
        if self.dissector().is_some() { Asked::Finished } else { Asked::GaveUp }
    }

    /// Gives up where no protocol fits any more, and the true first segment is not merely late.
    fn nobody_left(&self, tcp: TcpSegment) -> Option<Asked> {
        let may_be_late = tcp.syn_seen && self.packets < LATE_FIRST_PACKETS;
        let over = self.dissector().is_none() && self.alive.is_empty() && !may_be_late;
        over.then_some(Asked::GaveUp)
    }
}

/// Asks each of `candidates`, those with a port hint first, until one says that it is it.
fn ask(
    dispatch: &Dispatch,
    state: &mut FlowState,
    shared: &mut Shared<'_>,
    candidates: Mask,
    view: &View<'_>,
) -> Asked {
    if candidates.is_empty() {
        return Asked::Nothing;
    }
    let hinted = dispatch.hinted(view.client.port, view.server.port);
    let first = candidates.and(hinted).members();
    let FlowState { alive, scratch, .. } = state;
    let Shared { knowledge, crypto, metas, .. } = shared;
    let meta = metas.of(state.meta, state.slot);
    let before = meta.mark();
    let mut notes = Notes { meta, scratch, knowledge, crypto };
    for index in first.chain(candidates.and_not(hinted).members()) {
        let Some(dissector) = dispatch.dissector(index) else { continue };
        let outcome = (dissector.run)(view, &mut notes);
        if let Outcome::Found { app, more } = outcome {
            let more = found(state, shared, dissector, app, more, view);
            state.set_dissector(more.then_some(index));
            return Asked::Named { app, more };
        }
        notes.meta.rewind(before);
        match outcome {
            Outcome::GiveUp => alive.remove(index),
            // Every datagram is a message of its own.
            Outcome::NotMine if view.transport == Transport::Tcp => alive.remove(index),
            _ => {}
        }
    }
    Asked::Nothing
}

/// Asks the dissector that recognised the flow about the next bytes.
fn ask_again(
    dispatch: &Dispatch,
    state: &mut FlowState,
    shared: &mut Shared<'_>,
    index: Index,
    view: &View<'_>,
    at_limit: bool,
) -> Asked {
    let Some(dissector) = dispatch.dissector(index) else { return Asked::Finished };
    match (dissector.run)(view, &mut notes(state, shared)) {
        Outcome::Found { app, more } => {
            let more = found(state, shared, dissector, app, more && !at_limit, view);
            Asked::Named { app, more }
        }
        Outcome::NeedMore if !at_limit => Asked::Nothing,
        _ => Asked::Finished,
    }
}

/// What a dissector of this flow may write to.
#[inline]
fn notes<'n>(state: &'n mut FlowState, shared: &'n mut Shared<'_>) -> Notes<'n> {
    Notes {
        meta: shared.metas.of(state.meta, state.slot),
        scratch: &mut state.scratch,
        knowledge: shared.knowledge,
        crypto: shared.crypto,
    }
}

/// Notes what a dissector found, and in which bytes. Whether the flow is read on: where there is no
/// room for its metadata it is not.
fn found(
    state: &mut FlowState,
    shared: &mut Shared<'_>,
    dissector: &Dissector,
    app: AppId,
    more: bool,
    view: &View<'_>,
) -> bool {
    let meta = shared.metas.of(state.meta, state.slot);
    if !meta.layers().layers().contains(&app) {
        let carrier = app::carrier(app);
        if carrier != app {
            // What carries may be carried itself (gRPC by HTTP/2).
            meta.add_layer(app::carrier(carrier));
            meta.add_layer(carrier);
        }
        meta.add_layer(app);
        let by = if dissector.app == AppId::UNKNOWN { app } else { dissector.app };
        meta.why = Why::of(Rule::Content, by.0);
        meta.why.packet = state.packets;
        meta.why.direction = view.direction;
        meta.why.set_evidence(view.data);
    }
    if more && !shared.metas.keep(&mut state.meta) {
        shared.counters.metadata_exhausted += 1;
        return false;
    }
    more
}

/// Whether these bytes may be a short frame's padding that passed for payload, or a keep-alive
/// probe: a few zeros. They must not count as a stream's beginning.
fn is_padding(payload: &[u8]) -> bool {
    payload.len() <= PADDING_BYTES && payload.iter().all(|&byte| byte == 0)
}

/// The dissectors that name one of the flow's ports as usual.
pub(super) fn hinted(dispatch: &Dispatch, segment: &Segment<'_>) -> Mask {
    dispatch.hinted(segment.client.port, segment.server.port)
}

fn candidates(dispatch: &Dispatch, state: &FlowState, data: &[u8], over: Transport) -> Mask {
    match data.first() {
        Some(&byte) => state.alive.and(*dispatch.beginning_with(over, byte)),
        None => Mask::EMPTY,
    }
}

fn view<'v>(
    segment: &Segment<'_>,
    data: &'v [u8],
    transport: Transport,
    last: bool,
    packets_before: u8,
) -> View<'v> {
    View {
        data,
        direction: segment.direction,
        transport,
        client: segment.client,
        server: segment.server,
        last,
        packets_before,
        now_ns: segment.now_ns,
    }
}

fn of(streams: &mut [Stream; 2], direction: Direction) -> &mut Stream {
    let [to_server, to_client] = streams;
    match direction {
        Direction::ToServer => to_server,
        Direction::ToClient => to_client,
    }
}
