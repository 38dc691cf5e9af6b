//! What sentences are made of: a flow's figures, as far as they are known.

use weir_shm::FlowView;
use weir_shm::flow::Dir;
use weir_shm::health::{Answers, ConnState, Ended, Events, RoundTrips, mark, seen};

use crate::flow::{C2S, Flow, S2C, to_ip};

/// Numbers of IP protocols.
pub(super) const TCP: u8 = 6;
pub(super) const UDP: u8 = 17;

/// See the module. Pairs are to the server first.
#[derive(Clone, Copy, Debug, Default)]
#[expect(clippy::struct_excessive_bools, reason = "each is a fact of its own")]
pub(super) struct Facts {
    /// Health is kept; without, the figures are those that follow from TCP flags and counts.
    pub(super) is_known: bool,
    pub(super) l4: u8,
    /// The protocol's number.
    pub(super) master: u16,
    pub(super) server_port: u16,
    /// The server's address stands for a group.
    pub(super) to_group: bool,
    pub(super) life_ns: u64,
    pub(super) packets: [u64; 2],
    pub(super) state: ConnState,
    pub(super) ended: Ended,
    pub(super) established: bool,
    pub(super) from_middle: bool,
    pub(super) ecn: bool,
    pub(super) quic: bool,
    pub(super) spin: bool,
    /// SYNs of both sides.
    pub(super) syns: u64,
    pub(super) server_delay_ns: u64,
    pub(super) client_delay_ns: u64,
    pub(super) secure_handshake_ns: u64,
    pub(super) answers: Answers,
    pub(super) events: [Events; 2],
    pub(super) trips: [RoundTrips; 2],
}

impl Facts {
    /// Those of a flow.
    pub(super) fn of(flow: &Flow<'_>, view: &FlowView) -> Facts {
        let server = to_ip(flow.server.address, flow.ipv6);
        let broadcast = matches!(server, std::net::IpAddr::V4(v4) if v4.is_broadcast());
        let known = Facts {
            l4: flow.l4,
            master: flow.master,
            server_port: flow.server.port,
            to_group: server.is_multicast() || broadcast,
            life_ns: flow.duration_ns(),
            packets: flow.packets,
            ..Facts::default()
        };
        let health = &view.health;
        if !health.is_known() {
            return known.by_flags(flow.tcp_flags);
        }
        let both = [Dir::ToServer, Dir::ToClient];
        Facts {
            is_known: true,
            state: health.conn_state(),
            ended: health.ended(),
            established: health.has(mark::ESTABLISHED),
            from_middle: health.has(mark::FROM_MIDDLE),
            ecn: health.has(mark::ECN),
            quic: health.has(mark::QUIC),
            spin: health.has(mark::SPIN),
            syns: health.syns().into(),
            server_delay_ns: health.server_delay_ns(),
            client_delay_ns: health.client_delay_ns(),
            secure_handshake_ns: health.secure_handshake_ns(),
            answers: health.answers(),
            events: both.map(|dir| health.events(&view.snapshot, dir)),
            trips: both.map(|dir| health.round_trips(&view.snapshot, dir)),
            ..known
        }
    }

    /// The same with what the flags of all packets together tell of the connection.
    fn by_flags(self, flags: [u8; 2]) -> Facts {
        const FIN: u8 = 1;
        const SYN: u8 = 2;
        const RST: u8 = 4;
        const PSH: u8 = 8;
        const ACK: u8 = 16;
        if self.l4 == UDP {
            let [client, server] = self.packets.map(|packets| packets > 0);
            return Facts { state: ConnState::of_udp(client, server), ..self };
        }
        if self.l4 != TCP {
            return self;
        }
        let has =
            |side: usize, flag: u8, shown: u8| if flags[side] & flag == 0 { 0 } else { shown };
        let rest = |side: usize| has(side, FIN, seen::FIN) | has(side, RST, seen::RST);
        let mut client = has(C2S, SYN, seen::SYN) | has(C2S, PSH, seen::DATA) | rest(C2S);
        let server = has(S2C, SYN, seen::SYN_ACK) | has(S2C, PSH, seen::DATA) | rest(S2C);
        // A reset has that flag, too, and so has the answer to a SYN.
        if flags[C2S] & (ACK | RST) == ACK {
            client |= seen::ACK;
        }
        let state = ConnState::of_tcp(client, server);
        let resets = [client & seen::RST != 0, server & seen::RST != 0];
        let ended = match (state, resets) {
            (ConnState::Rej, _) => Ended::Refused,
            (_, [_, true]) => Ended::ResetByServer,
            (_, [true, _]) => Ended::ResetByClient,
            _ => Ended::Open,
        };
        let opened = client & seen::SYN != 0 && server & seen::SYN_ACK != 0;
        Facts {
            state,
            ended,
            established: opened && client & seen::ACK != 0,
            from_middle: client & seen::SYN == 0 && server & seen::SYN_ACK == 0,
            syns: if self.packets[S2C] == 0 { self.packets[C2S] } else { 0 },
            ..self
        }
    }

    /// Whether the server is known to have sent payload: it answered, or its part of the flow is
    /// more than a handshake and an end.
    pub(super) const fn has_answered(&self) -> bool {
        self.answers.samples > 0 || self.packets[S2C] > 2
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::flow::tests::sample;

    /// A connection over which nothing has gone wrong.
    pub(crate) fn tcp() -> Facts {
        Facts {
            is_known: true,
            l4: TCP,
            server_port: 443,
            life_ns: 2_000_000_000,
            packets: [10, 20],
            state: ConnState::S1,
            established: true,
            syns: 2,
            ..Facts::default()
        }
    }

    #[test]
    fn flags_tell_where_health_does_not() {
        let of = |flags: [u8; 2], packets: [u64; 2]| {
            let facts = Facts { l4: TCP, packets, ..Facts::default() }.by_flags(flags);
            (facts.state, facts.ended)
        };
        assert_eq!(of([0x02, 0x14], [1, 1]), (ConnState::Rej, Ended::Refused));
        assert_eq!(of([0x02, 0], [3, 0]), (ConnState::S0, Ended::Open));
        assert_eq!(of([0x1b, 0x1b], [9, 9]), (ConnState::SF, Ended::Open));
        assert_eq!(of([0x1a, 0x1e], [4, 4]), (ConnState::RstR, Ended::ResetByServer));
        assert_eq!(of([0x1e, 0x1a], [4, 4]), (ConnState::RstO, Ended::ResetByClient));
        assert_eq!(of([0x06, 0], [2, 0]), (ConnState::RstOS0, Ended::ResetByClient));
        assert_eq!(of([0x18, 0x18], [5, 5]), (ConnState::Oth, Ended::Open));
        let one_way = Facts { l4: UDP, packets: [3, 0], ..Facts::default() }.by_flags([0, 0]);
        assert_eq!(one_way.state, ConnState::S0);
    }

    #[test]
    fn a_flow_without_health_has_what_its_slot_says() {
        let view = FlowView { snapshot: sample(), ..FlowView::default() };
        let flow = Flow::decode(&view.snapshot, 0, &[]);
        let facts = Facts::of(&flow, &view);
        assert!(!facts.is_known && !facts.to_group && facts.established);
        assert_eq!((facts.life_ns, facts.server_port), (2_000_000_000, 443));
    }
}
