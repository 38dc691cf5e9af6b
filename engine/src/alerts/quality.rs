//! Round trips and losses of networks, beside what they use to be.

use weir_shm::alerts::{Alert, AlertKind, Figure, Party, network_bits};

use super::event::Quality;
use super::{Alerts, Counted, halves, key, seconds};

/// Flows of a window that measured a round trip, or reports of flows, from which on a window counts.
const LEAST: u64 = 10;
/// Packets of a window from which on their losses count.
const PACKETS: u64 = 200;
/// Windows before, from which on there is something to compare with.
const WINDOWS: u32 = 5;
/// Windows that a baseline is made of.
const MEMORY: u32 = 15;
/// From this part of the baseline on, in percent, a window is unusual and does not move it…
const UNUSUAL: u64 = 200;
/// … unless so many in a row were: then it is usual.
const NEW_USUAL: u32 = 24;
/// Lost packets of a thousand from which on there may be an alert.
const LOSS: u64 = 20;
/// Microseconds that round trips are longer from which on there may be an alert.
const LONGER_US: u64 = 5000;
/// What one round trip counts at most beside the baseline: so many times that, or so much more. One flow
/// alone moves no mean.
const MOST_TIMES: u64 = 8;
const MOST_MORE_US: u64 = 20_000;

/// What is known of a network.
#[derive(Clone, Copy, Default, Debug)]
pub(super) struct Network {
    start_s: u32,
    /// Windows that made the baselines.
    windows: u32,
    /// Unusual windows in a row.
    unusual: u32,
    reports: u32,
    rtts: u64,
    rtt_sum_us: u64,
    packets: u64,
    lost: u64,
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
        self.reports = self.reports.saturating_add(1);
        let rtt_us = u64::from(quality.rtt_us);
        if rtt_us != 0 {
            let most = (self.rtt_us * MOST_TIMES).max(self.rtt_us + MOST_MORE_US);
            let rtt_us = if self.windows >= WINDOWS { rtt_us.min(most) } else { rtt_us };
            self.rtts += 1;
            self.rtt_sum_us = self.rtt_sum_us.saturating_add(rtt_us);
        }
        self.packets = self.packets.saturating_add(quality.packets);
        self.lost = self.lost.saturating_add(quality.lost);
    }

    /// Ends a window: compares it with the baselines, and lets a sound one move those.
    fn close(&mut self, start_s: u32) -> Verdict {
        let rtt_us = self.rtt_sum_us.checked_div(self.rtts).filter(|_| self.rtts >= LEAST);
        let counts = u64::from(self.reports) >= LEAST && self.packets >= PACKETS;
        let loss = counts.then(|| self.lost.saturating_mul(1_000_000) / self.packets);
        let mut verdict = Verdict::default();
        if self.windows >= WINDOWS {
            let compared = |now: u64, before: u64| [now * 100 / before.max(1), now, before];
            let rtt = rtt_us.filter(|_| self.rtt_us != 0).map(|now| compared(now, self.rtt_us));
            let longer = |rtt: &[u64; 3]| rtt[1].saturating_sub(rtt[2]) >= LONGER_US;
            verdict.rtt = rtt.filter(longer);
            let loss = loss.map(|now| (now * 100 / self.loss.max(1000), now / 1000));
            let worse = loss.filter(|(_, permille)| *permille >= LOSS);
            verdict.loss = worse.map(|(percent, now)| [percent, now, self.loss / 1000]);
        }
        let [rtt_is_usual, loss_is_usual] = [verdict.rtt, verdict.loss]
            .map(|found| found.is_none_or(|[percent, ..]| percent < UNUSUAL));
        if rtt_is_usual && loss_is_usual || self.unusual >= NEW_USUAL {
            self.learn(rtt_us, loss);
        } else {
            self.unusual += 1;
        }
        let Network { windows, unusual, rtt_us, loss, .. } = *self;
        *self = Network { start_s, windows, unusual, rtt_us, loss, ..Network::default() };
        verdict
    }

    /// Lets a window move the baselines; after a long change it makes them.
    fn learn(&mut self, rtt_us: Option<u64>, loss: Option<u64>) {
        if rtt_us.is_none() && loss.is_none() {
            return;
        }
        let is_new = self.unusual >= NEW_USUAL;
        let windows = if is_new { 0 } else { u64::from(self.windows.min(MEMORY)) };
        let moved = |before: u64, now: u64, windows: u64| (before * windows + now) / (windows + 1);
        // A round trip that has no value yet begins with the first one.
        let of_rtt = if self.rtt_us == 0 { 0 } else { windows };
        self.rtt_us = moved(self.rtt_us, rtt_us.unwrap_or(self.rtt_us), of_rtt);
        self.loss = moved(self.loss, loss.unwrap_or(self.loss), windows);
        self.windows = self.windows.saturating_add(1);
        self.unusual = 0;
    }
}

fn network_of(mut address: [u8; 16]) -> [u8; 16] {
    let keep = usize::from(network_bits(&address)) / 8;
    address.iter_mut().skip(keep).for_each(|byte| *byte = 0);
    address
}

#[cfg(test)]
mod tests {
    use super::*;

    fn window(network: &mut Network, rtt_us: u32, lost: u64, flows: u64) -> Verdict {
        for flow in 0..flows {
            let quality = Quality { peer: [0; 16], rtt_us, packets: 100, lost, flow, now_ns: 0 };
            network.add(&quality);
        }
        network.close(0)
    }

    #[test]
    fn one_slow_flow_is_no_slow_network() {
        let mut network = Network::default();
        for _ in 0..6 {
            assert_eq!(window(&mut network, 10_000, 0, 20), Verdict::default());
        }
        for _ in 0..9 {
            network.add(&Quality {
                peer: [0; 16],
                rtt_us: 10_000,
                packets: 100,
                lost: 0,
                flow: 1,
                now_ns: 0,
            });
        }
        let [percent, ..] = window(&mut network, 30_000_000, 0, 1).rtt.unwrap();
        assert!(percent < 200, "{percent}");
        let [percent, now, before] = window(&mut network, 60_000, 0, 20).rtt.unwrap();
        assert!(percent >= 300 && now == 60_000 && before < 20_000, "{percent} {now} {before}");
    }

    #[test]
    fn what_lasts_becomes_usual() {
        let mut network = Network::default();
        for _ in 0..6 {
            window(&mut network, 10_000, 0, 20);
        }
        for _ in 0..=NEW_USUAL {
            assert!(window(&mut network, 50_000, 0, 20).rtt.is_some());
        }
        assert_eq!(window(&mut network, 50_000, 0, 20), Verdict::default());
    }

    #[test]
    fn losses_count_from_two_percent_on() {
        let mut network = Network::default();
        for _ in 0..6 {
            window(&mut network, 10_000, 0, 20);
        }
        assert_eq!(window(&mut network, 10_000, 1, 20).loss, None);
        let [percent, now, _] = window(&mut network, 10_000, 3, 20).loss.unwrap();
        assert!(percent >= 300 && now == 30, "{percent} {now}");
        assert_eq!(window(&mut network, 10_000, 3, 9).loss, None, "too few");
    }
}
