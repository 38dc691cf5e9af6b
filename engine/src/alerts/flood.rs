//! Floods: SYNs that come to nothing, ICMP and UDP at a high rate, answers that nobody asked for;
//! and logins in a row, which end like floods but began like connections.

use weir_dpi::AppId;
use weir_shm::alerts::{Alert, AlertKind, Figure};

use super::event::{Begin, Flow, FlowState, News, bit};
use super::{Alerts, Counted, ICMP, ICMP_V6, Key, TCP, UDP, host, is_group, key, party};

const FIN: u8 = 0x01;
const SYN: u8 = 0x02;
const RST: u8 = 0x04;
const PSH: u8 = 0x08;
const ACK: u8 = 0x10;

/// UDP ports of services whose answers are larger than what asks for them.
const AMPLIFIERS: [u16; 19] = [
    17, 19, 53, 69, 111, 123, 137, 161, 389, 427, 500, 520, 1900, 3283, 3702, 5353, 5683, 10_001,
    11_211,
];

impl Alerts {
    /// A flow begins.
    pub fn flow_begins(&mut self, begin: &Begin<'_>, state: &mut FlowState) {
        let flow = &begin.flow;
        if !self.watched.is_empty() {
            self.note_life(begin);
        }
        match flow.protocol {
            TCP => self.tcp_begins(begin, state),
            UDP => self.udp_begins(begin, state),
            ICMP | ICMP_V6 => self.icmp_begins(begin, state),
            _ => self.note_source(begin, false, state),
        }
        if !self.rules.own.is_empty() {
            self.count_flow(flow, None, state);
        }
    }

    /// TCP flags that a direction had not shown before, or the first packet of the server.
    pub fn flow_news(&mut self, flow: &Flow, news: News, state: &mut FlowState) {
        if flow.protocol != TCP {
            if news.is_answered && state.bits & bit::ANSWERED == 0 {
                self.answered(flow, state);
            }
            return;
        }
        let connects = news.of_client & ACK != 0 && news.of_client & RST == 0;
        if state.bits & (bit::HALF_OPEN | bit::REPEATED) != 0
            && (connects || news.of_server & RST != 0)
        {
            self.not_half_open(flow, state);
        }
        if news.of_client & PSH != 0 {
            if state.bits & bit::TRIED != 0 {
                self.clear_tried(flow, state);
            }
            if self.is_login_port(flow.server.port) && state.bits & bit::LOGIN == 0 {
                self.note_login(flow, AppId::UNKNOWN, state);
            }
        }
    }

    /// Whether news of a flow are of interest.
    #[inline]
    pub fn wants_news(&self, flow_port: u16, protocol: u8, news: News, state: &FlowState) -> bool {
        if protocol != TCP {
            return news.is_answered;
        }
        let opens = (news.of_client & ACK) | (news.of_server & RST) != 0;
        (opens && state.bits & (bit::HALF_OPEN | bit::REPEATED) != 0)
            || (news.of_client & PSH != 0
                && (state.bits & bit::TRIED != 0 || self.is_login_port(flow_port)))
    }

    /// Whether it is of interest that a flow is of `app`.
    #[inline]
    pub fn wants_name(&self, app: AppId) -> bool {
        self.rules.login_apps.contains(&app)
    }

    /// A flow's application is known: it may be a login on a port of no login service.
    pub fn flow_named(&mut self, flow: &Flow, app: AppId, state: &mut FlowState) {
        if flow.protocol == TCP
            && state.bits & bit::LOGIN == 0
            && self.rules.login_apps.contains(&app)
        {
            self.note_login(flow, app, state);
        }
    }

    fn tcp_begins(&mut self, begin: &Begin<'_>, state: &mut FlowState) {
        let flow = &begin.flow;
        if !begin.by_client {
            return;
        }
        let odd = begin.flags & (SYN | ACK | RST) == 0 && begin.flags & (FIN | PSH) != PSH;
        let opens = begin.flags & (SYN | ACK) == SYN;
        self.note_source(begin, opens || odd, state);
        if !opens {
            return;
        }
        state.bits |= bit::HALF_OPEN;
        self.count(
            AlertKind::SynFloodVictim,
            &flow.counts(victim_key(flow), Figure::HalfOpen, &|| {
                flow.about(party(&flow.server), super::Party::default())
            }),
        );
    }

    fn udp_begins(&mut self, begin: &Begin<'_>, state: &mut FlowState) {
        let flow = &begin.flow;
        self.note_server(begin);
        if is_group(&flow.server.address) {
            self.note_source(begin, false, state);
            return;
        }
        let from_service = AMPLIFIERS.contains(&flow.client.port);
        if from_service && !AMPLIFIERS.contains(&flow.server.port) {
            state.bits |= bit::REFLECTED;
            self.note_source(begin, false, state);
            self.reflected(flow, begin.bytes.into());
        } else {
            // Who sends from a low port to a high one answers something that was not seen.
            let tries = flow.client.port >= 1024 || flow.server.port < 1024;
            self.note_source(begin, tries, state);
            self.flooded(AlertKind::UdpFlood, flow, 1);
        }
        (state.packets[0], state.bytes[0]) = (1, begin.bytes);
    }

    fn icmp_begins(&mut self, begin: &Begin<'_>, state: &mut FlowState) {
        const ECHO: u8 = 8;
        const ECHO_V6: u8 = 128;
        let flow = &begin.flow;
        if is_group(&flow.server.address) {
            return;
        }
        let wanted = if flow.protocol == ICMP { ECHO } else { ECHO_V6 };
        self.note_source(begin, begin.payload.first() == Some(&wanted), state);
        self.flooded(AlertKind::IcmpFlood, flow, 1);
        (state.packets[0], state.bytes[0]) = (1, begin.bytes);
    }

    fn answered(&mut self, flow: &Flow, state: &mut FlowState) {
        state.bits |= bit::ANSWERED;
        if state.bits & bit::TRIED != 0 {
            self.clear_tried(flow, state);
        }
        if flow.protocol == UDP && state.bits & bit::REFLECTED == 0 {
            let key = key(AlertKind::UdpFlood, &flow.server.address, 0, 0);
            self.uncount(AlertKind::UdpFlood, &key, state.packets[0].into(), flow.now_ns);
        }
    }

    fn not_half_open(&mut self, flow: &Flow, state: &mut FlowState) {
        if state.bits & bit::HALF_OPEN != 0 {
            self.uncount(AlertKind::SynFloodVictim, &victim_key(flow), 1, flow.now_ns);
        }
        if state.bits & bit::REPEATED != 0 {
            let key = key(AlertKind::SynFloodAttacker, &flow.client.address, 0, 0);
            self.uncount(AlertKind::SynFloodAttacker, &key, 1, flow.now_ns);
        }
        state.bits &= !(bit::HALF_OPEN | bit::REPEATED);
    }

    /// Packets that an address was sent.
    pub(super) fn flooded(&mut self, kind: AlertKind, flow: &Flow, packets: u64) {
        self.count(
            kind,
            &Counted {
                amount: packets,
                ..flow.counts(key(kind, &flow.server.address, 0, 0), Figure::Packets, &|| {
                    flow.about(host(&flow.server), host(&flow.client))
                })
            },
        );
    }

    /// Bytes of answers that an address had not asked for.
    pub(super) fn reflected(&mut self, flow: &Flow, bytes: u64) {
        self.count(
            AlertKind::Amplification,
            &Counted {
                amount: bytes,
                ..flow.counts(
                    key(AlertKind::Amplification, &flow.server.address, 0, 0),
                    Figure::Bytes,
                    &|| flow.about(host(&flow.server), party(&flow.client)),
                )
            },
        );
    }

    fn is_login_port(&self, port: u16) -> bool {
        self.logins[usize::from(port >> 6)] >> (port & 63) & 1 == 1
    }

    fn note_login(&mut self, flow: &Flow, app: AppId, state: &mut FlowState) {
        state.bits |= bit::LOGIN;
        let client = super::folded(&flow.client.address);
        let service = key(AlertKind::BruteForce, &flow.server.address, flow.server.port, client);
        self.count(
            AlertKind::BruteForce,
            &Counted {
                ident: super::folded(&flow.server.address) ^ u64::from(flow.server.port),
                ..flow.counts(service, Figure::Connections, &|| Alert {
                    app: app.0,
                    ..flow.about(host(&flow.client), party(&flow.server))
                })
            },
        );
    }
}

fn victim_key(flow: &Flow) -> Key {
    key(AlertKind::SynFloodVictim, &flow.server.address, flow.server.port, 0)
}
