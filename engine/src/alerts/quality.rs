//! Round trips and losses of networks, beside what they use to be.

use weir_shm::alerts::{Alert, AlertKind, Figure, Party};

use super::event::Quality;
use super::{Alerts, Counted, halves, key, seconds};

/// Flows of a window from which on its mean counts.
const FLOWS: u64 = 10;
/// Windows before, from which on there is something to compare with.
const WINDOWS: u32 = 5;
/// Lost packets of a thousand from which on there may be an alert.
const LOSS: u64 = 20;

/// What is known of a network.
#[derive(Clone, Copy, Default, Debug)]
pub(super) struct Network {
    start_s: u32,
    flows: u64,
    rtts: u64,
    rtt_sum_us: u64,
    packets: u64,
    lost: u64,
    /// Windows that made the baselines.
    windows: u32,
    rtt_us: u64,
    /// Lost packets of a million.
    loss: u64,
}

/// What a window came to beside the baseline: value, measured, baseline.
#[derive(Clone, Copy, Default, PartialEq, Eq, Debug)]
struct Verdict {
    rtt: Option<[u64; 3]>,
    loss: Option<[u64; 3]>,
}

impl Alerts {
    /// Figures of a flow's way.
    pub fn quality(&mut self, quality: &Quality) {
        let Some(bar) = self.bar(AlertKind::RttWorse).or_else(|| self.bar(AlertKind::LossWorse))
        else {
            return;
        };
        let now_s = seconds(quality.now_ns);
        let network = network_of(quality.peer);
        let [a, b] = halves(&network);
        let state = self.networks.entry(&[a, b, 0], now_s).value;
        let start_s = bar.start(now_s);
        let closed =
            if start_s > state.start_s { state.close(start_s) } else { Verdict::default() };
        state.add(quality);
        let over = [
            (AlertKind::RttWorse, closed.rtt, Figure::RttUs, Figure::BaselineUs),
            (AlertKind::LossWorse, closed.loss, Figure::LossPermille, Figure::BaselinePermille),
        ];
        for (kind, found, of_now, of_before) in over {
            let Some([percent, now, before]) = found else { continue };
            self.count(
                kind,
                &Counted {
                    key: key(kind, &network, 0, 0),
                    amount: percent,
                    figure: Figure::Percent,
                    flow: quality.flow,
                    now_ns: quality.now_ns,
                    ident: 0,
                    about: &|| {
                        let subject = Party { address: network, port: 0 };
                        let mut alert = Alert { subject, ..Alert::default() };
                        alert.set_figure(of_now, now);
                        alert.set_figure(of_before, before);
                        alert
                    },
                },
            );
        }
    }
}

impl Network {
    fn add(&mut self, quality: &Quality) {
        self.flows += 1;
        if quality.rtt_us != 0 {
            self.rtts += 1;
            self.rtt_sum_us = self.rtt_sum_us.saturating_add(quality.rtt_us.into());
        }
        self.packets = self.packets.saturating_add(quality.packets);
        self.lost = self.lost.saturating_add(quality.lost);
    }

    /// Ends a window: compares it with the baseline, and lets a sound one move that.
    fn close(&mut self, start_s: u32) -> Verdict {
        let mut verdict = Verdict::default();
        let is_known = self.windows >= WINDOWS;
        if self.flows >= FLOWS {
            let loss = self.lost.saturating_mul(1_000_000) / self.packets.max(1);
            let rtt_us = self.rtt_sum_us.checked_div(self.rtts);
            if is_known {
                let rtt = rtt_us.map(|now| [now * 100 / self.rtt_us.max(1), now, self.rtt_us]);
                verdict.rtt = rtt.filter(|_| self.rtts >= FLOWS && self.rtt_us != 0);
                let percent = loss * 100 / self.loss.max(1000);
                let found = Some([percent, loss / 1000, self.loss / 1000]);
                verdict.loss = found.filter(|_| loss / 1000 >= LOSS);
            }
            let is_usual =
                |found: Option<[u64; 3]>| found.is_none_or(|[percent, ..]| percent < 200);
            if is_usual(verdict.rtt) && is_usual(verdict.loss) {
                let part = u64::from(self.windows.min(15)) + 1;
                let moved = |before: u64, now: u64| (before * (part - 1) + now) / part;
                self.rtt_us = rtt_us.map_or(self.rtt_us, |now| moved(self.rtt_us, now));
                self.loss = moved(self.loss, loss);
                self.windows = self.windows.saturating_add(1);
            }
        }
        let Network { windows, rtt_us, loss, .. } = *self;
        *self = Network { start_s, windows, rtt_us, loss, ..Network::default() };
        verdict
    }
}

/// The /24 of an IPv4 address, the /48 of an IPv6 address.
fn network_of(address: [u8; 16]) -> [u8; 16] {
    let keep =
        if address.starts_with(&[0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff]) { 15 } else { 6 };
    let mut network = address;
    network.iter_mut().skip(keep).for_each(|byte| *byte = 0);
    network
}
