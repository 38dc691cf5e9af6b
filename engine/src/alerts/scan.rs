//! Scans, floods of SYNs by one host, and the distance of a host.
//!
//! A flow counts as *tried* from its first packet on, until the client has sent data (TCP) or the
//! server has answered (UDP, ICMP echo). Only of a source with several tried flows at a time is it
//! noted which ports and hosts they are to: others cost one look-up a flow.

use weir_dpi::Endpoint;
use weir_shm::alerts::{Alert, AlertKind, Figure};

use super::event::{Begin, Flow, FlowState, bit};
use super::{Alerts, Bar, Counted, TCP, folded, host, key, seconds};

/// Tried flows of a source in a window from which on it is noted where they go.
const GATE: u32 = 16;
/// Hops by which a distance has to differ from the one before.
const HOPS: u8 = 3;

/// What is known of an address that begins flows.
#[derive(Clone, Copy, Default, Debug)]
pub(super) struct Source {
    /// The window that `tried` is of, by its start.
    start_s: u32,
    /// Flows of the window that are tried and no more.
    tried: u32,
    /// The last hardware address that it had; zeros: none.
    mac: [u8; 6],
    /// Hops to it by its last flow, plus 1; 0: not known.
    distance: u8,
}

impl Source {
    fn turn(&mut self, bar: Bar, now_s: u32) {
        if now_s.wrapping_sub(self.start_s) >= bar.window_s && now_s >= self.start_s {
            (self.start_s, self.tried) = (bar.start(now_s), 0);
        }
    }
}

impl Alerts {
    /// Asks for what will be counted of a flow that is likely to begin.
    #[inline]
    pub fn fetch(&self, client: &Endpoint, server: &Endpoint, protocol: u8) {
        let [a, b] = super::halves(&client.address);
        self.sources.fetch(&[a, b, 0]);
        let (kind, port) = match protocol {
            TCP => (AlertKind::SynFloodVictim, server.port),
            super::UDP => (AlertKind::UdpFlood, 0),
            _ => return,
        };
        self.meters.fetch(&key(kind, &server.address, port, 0));
    }

    /// A flow begins. `tries` says that its client has yet to show that it means it.
    pub(super) fn note_source(&mut self, begin: &Begin<'_>, tries: bool, state: &mut FlowState) {
        let flow = &begin.flow;
        if !begin.by_client {
            return;
        }
        let now_s = seconds(flow.now_ns);
        let [a, b] = super::halves(&flow.client.address);
        let source = self.sources.entry(&[a, b, 0], now_s).value;
        let mut is_scan = false;
        if tries && self.gate.window_s != 0 {
            source.turn(self.gate, now_s);
            source.tried += 1;
            state.bits |= bit::TRIED;
            is_scan = source.tried > GATE;
        }
        let mut has_moved = false;
        if let Some(now) = distance(begin.ttl) {
            let before = source.distance;
            has_moved = before != 0 && now.abs_diff(before - 1) >= HOPS;
            source.distance = now + 1;
        }
        if let Some(mac) = begin.mac.filter(|mac| *mac != source.mac) {
            source.mac = mac;
            self.note_device(mac, Some(&flow.client.address), flow.now_ns);
        }
        if is_scan {
            self.note_target(flow, begin.flags, state);
        }
        if has_moved {
            self.note_distance(flow);
        }
    }

    /// The client means it: it sent data, or was answered.
    pub(super) fn clear_tried(&mut self, flow: &Flow, state: &mut FlowState) {
        let now_s = seconds(flow.now_ns);
        let [a, b] = super::halves(&flow.client.address);
        if let Some(source) = self.sources.get_mut(&[a, b, 0]) {
            source.turn(self.gate, now_s);
            source.tried = source.tried.saturating_sub(1);
        }
        if state.bits & bit::DISTINCT != 0 {
            let (ports, hosts) = (ports_key(flow), hosts_key(flow));
            self.uncount(AlertKind::PortScan, &ports, 1, flow.now_ns);
            self.uncount(AlertKind::HostScan, &hosts, 1, flow.now_ns);
        }
        state.bits &= !(bit::TRIED | bit::DISTINCT);
    }

    /// A reset comes in a connection that had packets both ways. One that was forged by somebody on the
    /// way, or was sent in a host's place by a device there, has another number of hops behind it than the
    /// host's packets had. `is_connected`: its sender has acknowledged something before, so that it is no
    /// scanner, whose tool writes SYNs of its own and whose system resets what answers.
    pub(crate) fn reset(
        &mut self,
        flow: &Flow,
        by_client: bool,
        (ttl, is_connected): (u8, bool),
        state: &mut FlowState,
    ) {
        let before = state.ttls[usize::from(!by_client)];
        let (Some(before), Some(now)) = (distance(before), distance(ttl)) else { return };
        let is_odd = is_connected && !state.ttls.contains(&0) && before.abs_diff(now) >= HOPS;
        if !is_odd || state.bits & bit::FORGED != 0 {
            return;
        }
        state.bits |= bit::FORGED;
        let (named, other) =
            if by_client { (&flow.client, &flow.server) } else { (&flow.server, &flow.client) };
        self.count(
            AlertKind::ForgedReset,
            &flow.counts(
                key(AlertKind::ForgedReset, &named.address, 0, 0),
                Figure::Connections,
                &|| {
                    let mut alert = flow.about(host(named), host(other));
                    alert.set_figure(Figure::Hops, now.into());
                    alert.set_figure(Figure::UsualHops, before.into());
                    alert
                },
            ),
        );
    }

    #[cold]
    fn note_distance(&mut self, flow: &Flow) {
        self.count(
            AlertKind::TtlOddity,
            &flow.counts(
                key(AlertKind::TtlOddity, &flow.client.address, 0, 0),
                Figure::Changes,
                &|| Alert { subject: host(&flow.client), ..Alert::default() },
            ),
        );
    }

    fn note_target(&mut self, flow: &Flow, flags: u8, state: &mut FlowState) {
        const SYN: u8 = 2;
        let start_s = self.gate.start(seconds(flow.now_ns));
        let target = key(AlertKind::PortScan, &flow.client.address, flow.server.port, 0);
        let target = [target[0], target[1], target[2] ^ folded(&flow.server.address)];
        if !self.seen.first(&target, start_s) {
            if flow.protocol == TCP && flags & SYN != 0 {
                self.repeat(flow);
                state.bits |= bit::REPEATED;
            }
            return;
        }
        state.bits |= bit::DISTINCT;
        let about = || flow.about(host(&flow.client), host(&flow.server));
        let counted = Counted {
            ident: folded(&flow.server.address),
            ..flow.counts(ports_key(flow), Figure::Ports, &about)
        };
        if matches!(flow.protocol, TCP | super::UDP) {
            self.count(AlertKind::PortScan, &counted);
        }
        let about = || {
            flow.about(
                host(&flow.client),
                super::Party { address: [0; 16], port: flow.server.port },
            )
        };
        self.count(
            AlertKind::HostScan,
            &Counted {
                key: hosts_key(flow),
                figure: Figure::Hosts,
                ident: u64::from(flow.server.port) << 8 | u64::from(flow.protocol),
                about: &about,
                ..counted
            },
        );
    }

    fn repeat(&mut self, flow: &Flow) {
        self.count(
            AlertKind::SynFloodAttacker,
            &flow.counts(
                key(AlertKind::SynFloodAttacker, &flow.client.address, 0, 0),
                Figure::HalfOpen,
                &|| flow.about(host(&flow.client), super::party(&flow.server)),
            ),
        );
    }
}

fn ports_key(flow: &Flow) -> super::Key {
    key(AlertKind::PortScan, &flow.client.address, 0, folded(&flow.server.address))
}

fn hosts_key(flow: &Flow) -> super::Key {
    key(AlertKind::HostScan, &flow.client.address, flow.server.port, flow.protocol.into())
}

/// Hops from the initial TTL that is most likely; none where it may be that of a traced route.
const fn distance(ttl: u8) -> Option<u8> {
    match ttl {
        0..=32 => None,
        33..=64 => Some(64 - ttl),
        65..=128 => Some(128 - ttl),
        129.. => Some(255 - ttl),
    }
}
