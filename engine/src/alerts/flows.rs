//! What a flow adds to its hosts as it goes on, and what it comes to in the end.

use weir_dpi::risk::{self, Risk, Risks};
use weir_shm::alerts::{Alert, AlertKind, Figure, ShortText};

use super::event::{Flow, FlowState, Totals, bit};
use super::{Alerts, Counted, ICMP, ICMP_V6, Raise, UDP, host, is_group, key, party};

const SECOND_NS: u64 = 1_000_000_000;
/// Risks by which lists tell what is on them.
const LISTED: Risks = Risks::of(Risk::ListedAddress)
    .or(Risks::of(Risk::ListedHost))
    .or(Risks::of(Risk::ListedFingerprint));

impl Alerts {
    /// Whether what a flow adds is of interest, besides its size and age.
    #[inline]
    fn wants_deltas(&self, protocol: u8, bits: u16) -> bool {
        match protocol {
            UDP if bits & bit::ANSWERED == 0 => true,
            ICMP | ICMP_V6 => true,
            _ => !self.rules.own.is_empty() || !self.watched.is_empty(),
        }
    }

    /// Whether a report of the flow is of interest.
    #[inline]
    pub fn wants_flush(
        &self,
        protocol: u8,
        totals: &Totals,
        now_ns: u64,
        state: &FlowState,
    ) -> bool {
        let bytes = totals.bytes[0].saturating_add(totals.bytes[1]);
        self.wants_deltas(protocol, state.bits)
            || bytes >= self.large
            || now_ns.saturating_sub(totals.first_ns) >= self.old_ns
    }

    /// A flow goes on: what it has come to since it was last reported is reported.
    pub fn flow_flushes(&mut self, flow: &Flow, totals: &Totals, state: &mut FlowState) {
        self.look_at_size(flow, totals, state);
        if !self.wants_deltas(flow.protocol, state.bits) {
            return;
        }
        let packets = delta(totals.packets, &mut state.packets);
        let bytes = delta(totals.bytes, &mut state.bytes);
        match flow.protocol {
            UDP if state.bits & bit::ANSWERED != 0 => {}
            UDP if state.bits & bit::REFLECTED != 0 => {
                self.reflected(flow, bytes[0]);
            }
            UDP | ICMP | ICMP_V6 if packets[0] != 0 && !is_group(&flow.server.address) => {
                let is_udp = flow.protocol == UDP;
                let kind = if is_udp { AlertKind::UdpFlood } else { AlertKind::IcmpFlood };
                self.flooded(kind, flow, packets[0]);
            }
            _ => {}
        }
        if !self.rules.own.is_empty() {
            self.count_flow(flow, Some(totals), state);
            self.count_own(flow, totals, packets, bytes);
        }
        if !self.watched.is_empty() {
            self.note_traffic(flow, packets);
        }
    }

    /// Whether the end of a flow is of interest.
    #[inline]
    pub fn wants_end(&self, protocol: u8, totals: &Totals, state: &FlowState) -> bool {
        state.bits & (bit::ELEPHANT | bit::LONG) != 0
            || self.wants_flush(protocol, totals, totals.first_ns, state)
    }

    /// A flow ends.
    pub fn flow_ends(&mut self, flow: &Flow, totals: &Totals, state: &mut FlowState) {
        self.flow_flushes(flow, totals, state);
        for (of, kind) in
            [(bit::ELEPHANT, AlertKind::ElephantFlow), (bit::LONG, AlertKind::LongFlow)]
        {
            if state.bits & of == 0 {
                continue;
            }
            if let Some(rule) = &self.built_in[kind as usize] {
                self.active.end(rule, &about(flow, totals), flow.id, flow.now_ns);
            }
        }
    }

    /// Inspection, or a flow's course, showed risks.
    pub fn flow_risks(&mut self, flow: &Flow, risks: Risks) {
        if !risks.and(LISTED).is_empty() {
            self.risk(AlertKind::BlacklistedPeer, flow, risks.and(LISTED));
        }
        let others = Risks(risks.0 & !LISTED.0);
        if others.severity().is_some_and(|severity| severity >= self.rules.risk_severity) {
            self.risk(AlertKind::FlowRisk, flow, others);
        }
    }

    fn risk(&mut self, kind: AlertKind, flow: &Flow, risks: Risks) {
        let least = self.rules.risk_severity;
        let is_listed = kind == AlertKind::BlacklistedPeer;
        for about in risks.iter().filter(|about| is_listed || about.severity >= least) {
            let ident = about.risk as u64
                | if is_listed { super::folded(&flow.server.address) << 8 } else { 0 };
            self.count(
                kind,
                &Counted {
                    ident,
                    ..flow.counts(key(kind, &flow.client.address, 0, ident), Figure::Flows, &|| {
                        Alert {
                            note: ShortText::new(about.name.as_bytes()),
                            ..flow.about(host(&flow.client), party(&flow.server))
                        }
                    })
                },
            );
        }
    }

    #[inline]
    fn look_at_size(&mut self, flow: &Flow, totals: &Totals, state: &mut FlowState) {
        let bytes = totals.bytes[0].saturating_add(totals.bytes[1]);
        let age_s = flow.now_ns.saturating_sub(totals.first_ns) / SECOND_NS;
        let looks = [
            (bit::ELEPHANT, AlertKind::ElephantFlow, bytes, Figure::Bytes),
            (bit::LONG, AlertKind::LongFlow, age_s, Figure::Seconds),
        ];
        for (of, kind, value, figure) in looks {
            let Some(rule) = &self.built_in[kind as usize] else { continue };
            if value < rule.threshold || state.bits & of != 0 {
                continue;
            }
            state.bits |= of;
            self.active.raise(&Raise {
                rule,
                about: about(flow, totals),
                ident: flow.id,
                value,
                figure,
                flows: [flow.id, 0],
                key: [0; 3],
                now_ns: flow.now_ns,
            });
        }
    }
}

/// The flow as an alert of its own names it.
fn about(flow: &Flow, totals: &Totals) -> Alert {
    let mut alert =
        Alert { app: totals.app.0, ..flow.about(party(&flow.client), party(&flow.server)) };
    let sum = |of: [u64; 2]| of[0].saturating_add(of[1]);
    alert.set_figure(Figure::Bytes, sum(totals.bytes));
    alert.set_figure(Figure::Packets, sum(totals.packets));
    alert
}

/// What came since it was last reported, which it now is.
fn delta(now: [u64; 2], reported: &mut [u32; 2]) -> [u64; 2] {
    let mut since = [0; 2];
    for ((since, now), reported) in since.iter_mut().zip(now).zip(reported) {
        let low = u32::try_from(now & u64::from(u32::MAX)).unwrap_or(0);
        *since = low.wrapping_sub(*reported).into();
        *reported = low;
    }
    since
}

/// The severity of this name.
pub(crate) fn risk_severity(name: &str) -> Option<risk::Severity> {
    use risk::Severity::{High, Low, Medium, Severe};
    [Low, Medium, High, Severe].into_iter().find(|severity| severity.name() == name)
}
