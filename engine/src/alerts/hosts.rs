//! Rules of one's own about what hosts send and get, and hosts that fall silent.

use weir_shm::alerts::{Alert, AlertKind, Figure, Party};

use super::event::{Begin, Flow, FlowState, Totals, bit};
use super::{Alerts, Metric, Raise, Way, key, seconds};

/// An address that is watched for silence.
#[derive(Clone, Copy, Debug)]
pub(super) struct Watched {
    host: [u8; 16],
    /// When it last sent; 0: not yet.
    last_ns: u64,
    is_silent: bool,
}

impl Watched {
    pub(super) const fn new(host: [u8; 16]) -> Watched {
        Watched { host, last_ns: 0, is_silent: false }
    }
}

/// What a host has to do with a flow.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Role {
    Client,
    Server,
}

impl Alerts {
    /// Counts a flow once, for the rules that count flows: by the first report of it in which its
    /// application is known, at its first packet where nobody asks for that.
    pub(super) fn count_flow(
        &mut self,
        flow: &Flow,
        totals: Option<&Totals>,
        state: &mut FlowState,
    ) {
        if totals.is_some() && state.bits & bit::COUNTED != 0 {
            return;
        }
        for index in 0..self.rules.own.len() {
            let own = &self.rules.own[index];
            let by_name = own.app.is_some() || own.category.is_some();
            let fits = match totals {
                None => !by_name,
                Some(totals) => by_name && own.is_about(totals.master, totals.app),
            };
            if own.metric != Metric::Flows || !fits {
                continue;
            }
            self.count_ends(index, flow, [1, 1]);
        }
        if totals.is_some_and(|totals| totals.master != weir_dpi::AppId::UNKNOWN) {
            state.bits |= bit::COUNTED;
        }
    }

    /// Counts bytes and packets for the rules that do.
    pub(super) fn count_own(
        &mut self,
        flow: &Flow,
        totals: &Totals,
        packets: [u64; 2],
        bytes: [u64; 2],
    ) {
        for index in 0..self.rules.own.len() {
            let own = &self.rules.own[index];
            let amounts = match own.metric {
                Metric::Flows => continue,
                Metric::Bytes => bytes,
                Metric::Packets => packets,
            };
            if own.is_about(totals.master, totals.app) {
                self.count_ends(index, flow, amounts);
            }
        }
    }

    /// Counts at both ends what goes to the server and to the client, as far as the rule asks.
    fn count_ends(&mut self, index: usize, flow: &Flow, [to_server, to_client]: [u64; 2]) {
        for role in [Role::Client, Role::Server] {
            let own = &self.rules.own[index];
            let is_client = role == Role::Client;
            let (sent, got) =
                if is_client { (to_server, to_client) } else { (to_client, to_server) };
            let amount = match (own.metric, own.way) {
                (Metric::Flows, Way::Out) => u64::from(is_client),
                (Metric::Flows, Way::In) => u64::from(!is_client),
                (Metric::Flows, Way::Both) => 1,
                (_, Way::Out) => sent,
                (_, Way::In) => got,
                (_, Way::Both) => sent.saturating_add(got),
            };
            let host = if is_client { flow.client.address } else { flow.server.address };
            if amount != 0 && own.has(host) {
                self.count_host(index, host, amount, flow);
            }
        }
    }

    fn count_host(&mut self, index: usize, host: [u8; 16], amount: u64, flow: &Flow) {
        let own = &self.rules.own[index];
        let now_s = seconds(flow.now_ns);
        let key = key(AlertKind::HostThreshold, &host, 0, index as u64);
        let meter = self.meters.entry(&key, now_s).value;
        let Some(value) = meter.add(own.rule.bar, now_s, amount, flow.id) else { return };
        let figure = match own.metric {
            Metric::Bytes => Figure::Bytes,
            Metric::Packets => Figure::Packets,
            Metric::Flows => Figure::Flows,
        };
        self.active.raise(&Raise {
            rule: &own.rule,
            about: Alert {
                subject: Party { address: host, port: 0 },
                app: own.app.unwrap_or_default().0,
                ..Alert::default()
            },
            ident: 0,
            value,
            figure,
            flows: [meter.flow, flow.id],
            key,
            now_ns: flow.now_ns,
        });
    }

    /// A watched address may have sent a flow's first packet.
    pub(super) fn note_life(&mut self, begin: &Begin<'_>) {
        let flow = &begin.flow;
        let sender = if begin.by_client { flow.client.address } else { flow.server.address };
        self.is_alive(&sender, flow.now_ns);
    }

    /// Watched addresses may have sent something.
    pub(super) fn note_traffic(&mut self, flow: &Flow, packets: [u64; 2]) {
        for (count, end) in packets.into_iter().zip([&flow.client, &flow.server]) {
            if count != 0 {
                self.is_alive(&end.address, flow.now_ns);
            }
        }
    }

    fn is_alive(&mut self, host: &[u8; 16], now_ns: u64) {
        let Some(watched) = self.watched.iter_mut().find(|watched| watched.host == *host) else {
            return;
        };
        watched.last_ns = watched.last_ns.max(now_ns);
        if !watched.is_silent {
            return;
        }
        watched.is_silent = false;
        if let Some(rule) = &self.built_in[AlertKind::SilentHost as usize] {
            self.active.end(rule, &silent(*host), 0, now_ns);
        }
    }

    /// Whether watched addresses have been silent for too long.
    pub(super) fn look_for_silence(&mut self, now_ns: u64) {
        let Some(rule) = &self.built_in[AlertKind::SilentHost as usize] else { return };
        for watched in &mut self.watched {
            if watched.last_ns == 0 {
                watched.last_ns = now_ns;
            }
            let silence_s = now_ns.saturating_sub(watched.last_ns) / 1_000_000_000;
            if silence_s < rule.threshold || watched.is_silent {
                continue;
            }
            watched.is_silent = true;
            // When that was, whenever it is looked at.
            let since_ns = watched.last_ns + rule.threshold * 1_000_000_000;
            self.active.raise(&Raise {
                rule,
                about: silent(watched.host),
                ident: 0,
                value: rule.threshold,
                figure: Figure::Seconds,
                flows: [0; 2],
                key: [0; 3],
                now_ns: since_ns,
            });
        }
    }
}

fn silent(host: [u8; 16]) -> Alert {
    Alert { subject: Party { address: host, port: 0 }, ..Alert::default() }
}
