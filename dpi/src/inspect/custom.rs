//! The rules in force, and what they make of a flow's name.
//!
//! A rule wins over what is built in. One that is about addresses and ports alone is known at the
//! flow's first payload and does not end inspection: the protocol on the wire is still wanted. Lists
//! are asked whenever a flow gets a name, so that what they say goes out with it. Without rules all
//! of this is one branch.

use std::sync::Arc;

use super::metas::Metas;
use super::state::FlowState;
use super::{Confidence, Segment, Step, Verdict};
use crate::app::{self, AppId};
use crate::attr::{self, Attr};
use crate::meta::{Meta, decode};
use crate::risk::Risks;
use crate::rules::{Ends, FIRST_CUSTOM, Fingerprint, Kind, ListHit, Match, RuleSet};
use crate::view::{Endpoint, Transport, View};
use crate::why::{Rule, Why};

/// The best rule for a flow so far: its number, and to which rules the number belongs. Those before
/// them are as good as none.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Best(u32);

impl Best {
    /// No rule fits.
    pub(super) const NONE: Best = Best(u32::MAX);
    const NUMBER_BITS: u32 = 24;
    const NUMBER: u32 = (1 << Best::NUMBER_BITS) - 1;
}

/// See the module.
#[derive(Debug, Default)]
pub(super) struct Custom {
    rules: Option<Arc<RuleSet>>,
    /// Counts the times that rules were put in force; wraps.
    epoch: u8,
}

/// The rules in force.
#[derive(Clone, Copy, Debug)]
pub(super) struct InForce<'r> {
    set: &'r RuleSet,
    epoch: u8,
}

impl InForce<'_> {
    /// The best rule for the flow so far, by number.
    fn best(self, best: Best) -> Option<Match> {
        let number = best.0 & Best::NUMBER;
        let is_ours = best != Best::NONE && best.0 >> Best::NUMBER_BITS == u32::from(self.epoch);
        let (app, ..) = is_ours.then(|| self.set.basis(number)).flatten()?;
        Some(Match { app, rule: number })
    }

    /// Keeps the better of what is known and `found`.
    fn keep(self, best: &mut Best, found: Option<Match>) {
        if let Some(found) = found.filter(|found| found.better(self.best(*best)))
            && found.rule < Best::NUMBER
        {
            *best = Best(u32::from(self.epoch) << Best::NUMBER_BITS | found.rule);
        }
    }

    /// The name by a rule, on what is `master` on the wire.
    fn verdict(self, rule: Match, master: AppId) -> Option<Verdict> {
        let (app, kind, ports_alone) = self.set.basis(rule.rule)?;
        let confidence = match kind {
            Kind::Url | Kind::Host => Confidence::HostName,
            Kind::Ja4 | Kind::Bytes => Confidence::Content,
            Kind::Ends if ports_alone => Confidence::PortGuess,
            Kind::Ends => Confidence::PeerKnowledge,
        };
        let is_protocol = kind == Kind::Bytes && app.0 < FIRST_CUSTOM;
        let master = match master {
            AppId::UNKNOWN if is_protocol => app::carrier(app),
            master => master,
        };
        Some(Verdict { master, app, confidence })
    }

    /// Notes why the flow has a rule's name.
    fn explain(self, meta: &mut Meta, rule: Match) {
        let number = u16::try_from(rule.rule).unwrap_or(u16::MAX);
        let by_ends = self.set.basis(rule.rule).is_some_and(|(_, kind, _)| kind == Kind::Ends);
        if by_ends || meta.why.rule == Rule::None {
            meta.why = Why::of(Rule::Custom, number);
        } else {
            (meta.why.rule, meta.why.number) = (Rule::Custom, number);
        }
    }

    /// What the rules say of what was found in the flow.
    fn by_findings(self, best: &mut Best, meta: &Meta, protocol: AppId, ends: &Ends) {
        let value = |attr: &Attr| meta.get(attr).unwrap_or_default();
        let host = value(&attr::HOST_NAME);
        if !host.is_empty() {
            self.keep(best, self.set.by_host(ends, protocol, host));
        }
        let path = value(&attr::HTTP_PATH);
        if !path.is_empty() {
            self.keep(best, self.set.by_url(ends, host, path));
        }
        for (id, value) in decode(meta.as_bytes()) {
            if is_ja4(id) {
                self.keep(best, self.set.by_ja4(ends, value, host));
            }
        }
    }

    /// Notes the lists that the flow is on, and their risks.
    fn note_lists(self, meta: &mut Meta, [client, server]: [Endpoint; 2]) {
        if self.set.lists() == 0 {
            return;
        }
        let mut hits = Hits::default();
        hits.add(self.set.listed_address(server.address));
        hits.add(self.set.listed_address(client.address));
        for (id, value) in decode(meta.as_bytes()) {
            hits.add(self.listed(id, value));
        }
        meta.set_risks(hits.risks);
        for list in hits.lists.iter().take(hits.count) {
            let name = self.set.list_name(*list).unwrap_or_default().as_bytes();
            let is_it = |(id, value): (u16, &[u8])| id == attr::LIST.id && value == name;
            if !decode(meta.as_bytes()).any(is_it) {
                meta.put(&attr::LIST, name);
            }
        }
    }

    /// What the lists say of an attribute.
    fn listed(self, id: u16, value: &[u8]) -> Option<ListHit> {
        let fingerprint = if id == attr::HOST_NAME.id {
            return self.set.listed_host(value);
        } else if is_ja4(id) {
            Fingerprint::Ja4(value)
        } else if [attr::TLS_CERT_SHA256.id, attr::DTLS_CERT_SHA256.id].contains(&id) {
            Fingerprint::Sha256(value.try_into().ok()?)
        } else if [attr::TLS_CERT_SHA1.id, attr::DTLS_CERT_SHA1.id].contains(&id) {
            Fingerprint::Sha1(value.try_into().ok()?)
        } else {
            return None;
        };
        self.set.listed_fingerprint(fingerprint)
    }
}

/// What lists say of all that is known of a flow.
#[derive(Default)]
struct Hits {
    risks: Risks,
    lists: [u16; 8],
    count: usize,
}

impl Hits {
    fn add(&mut self, hit: Option<ListHit>) {
        let Some(hit) = hit else { return };
        self.risks = self.risks.or(hit.risks);
        if let Some(place) = self.lists.get_mut(self.count) {
            *place = hit.list;
            self.count += 1;
        }
    }
}

impl Custom {
    /// Puts rules in force; gives those before.
    pub(super) fn set(&mut self, rules: Option<Arc<RuleSet>>) -> Option<Arc<RuleSet>> {
        self.epoch = self.epoch.wrapping_add(1);
        std::mem::replace(&mut self.rules, rules.filter(|rules| !rules.is_empty()))
    }

    /// The rules in force, if there are any.
    #[inline]
    pub(super) fn rules(&self) -> Option<InForce<'_>> {
        let set = self.rules.as_deref()?;
        Some(InForce { set, epoch: self.epoch })
    }

    /// A flow's first payload.
    #[inline]
    pub(super) fn begin(&self, state: &mut FlowState, segment: &Segment<'_>) {
        if let Some(rules) = self.rules() {
            let ends = ends(state.transport, segment);
            rules.keep(&mut state.best, rules.set.by_ends(&ends));
        }
    }

    /// The name of a flow of which nothing is kept, without rules `verdict`.
    pub(super) fn by_ends(
        &self,
        transport: Option<Transport>,
        client: Endpoint,
        server: Endpoint,
        verdict: Verdict,
    ) -> Verdict {
        let Some(rules) = self.rules() else { return verdict };
        let found = rules.set.by_ends(&Ends { transport, client, server });
        let named = found.and_then(|found| rules.verdict(found, on_the_wire(verdict)));
        named.unwrap_or(verdict)
    }

    /// The flow's protocol is not known yet: by a rule it may have a name all the same.
    #[inline]
    pub(super) fn not_yet(
        &self,
        state: &mut FlowState,
        metas: &mut Metas,
        segment: &Segment<'_>,
    ) -> Step {
        let Some(rules) = self.rules() else { return Step::More };
        let is_recognised = state.dissector().is_some() || !state.verdict.is_guess();
        let Some(best) = rules.best(state.best).filter(|_| !is_recognised) else {
            return Step::More;
        };
        let Some(verdict) = rules.verdict(best, AppId::UNKNOWN) else { return Step::More };
        if verdict == state.verdict {
            return Step::More;
        }
        state.verdict = verdict;
        let meta = metas.of(state.meta, state.slot);
        meta.why = Why::of(Rule::None, 0);
        rules.explain(meta, best);
        rules.note_lists(meta, [segment.client, segment.server]);
        Step::Refined(verdict)
    }

    /// The flow is `protocol`, and has its name but for what rules say.
    #[inline]
    pub(super) fn named(
        &self,
        state: &mut FlowState,
        metas: &mut Metas,
        protocol: AppId,
        segment: &Segment<'_>,
    ) {
        let Some(rules) = self.rules() else { return };
        let meta = metas.of(state.meta, state.slot);
        rules.by_findings(&mut state.best, meta, protocol, &ends(state.transport, segment));
        rules.note_lists(meta, [segment.client, segment.server]);
        let Some(best) = rules.best(state.best) else { return };
        if let Some(verdict) = rules.verdict(best, state.verdict.master) {
            state.verdict = verdict;
            rules.explain(meta, best);
        }
    }

    /// The flow's content tells nothing; its name is a guess, but for what rules say.
    #[inline]
    pub(super) fn gave_up(
        &self,
        state: &mut FlowState,
        metas: &mut Metas,
        [client, server]: [Endpoint; 2],
    ) {
        let Some(rules) = self.rules() else { return };
        let meta = metas.of(state.meta, state.slot);
        rules.note_lists(meta, [client, server]);
        let Some(best) = rules.best(state.best) else { return };
        if let Some(verdict) = rules.verdict(best, on_the_wire(state.verdict)) {
            state.verdict = verdict;
            rules.explain(meta, best);
        }
    }

    /// The name of a flow that ends before its inspection does.
    pub(super) fn ended(
        &self,
        state: &mut FlowState,
        metas: &mut Metas,
        ends: [Endpoint; 2],
    ) -> Verdict {
        // Of one that was recognised all has been said.
        if state.dissector().is_none() {
            self.gave_up(state, metas, ends);
        }
        state.verdict
    }
}

impl Verdict {
    /// Whether no content tells what is on the wire.
    fn is_guess(self) -> bool {
        self.master == AppId::UNKNOWN
    }
}

/// Asks the rules about bytes of a flow that is not recognised yet.
#[inline]
pub(super) fn by_payload(rules: Option<InForce<'_>>, state: &mut FlowState, view: &View<'_>) {
    if let Some(rules) = rules {
        rules.keep(&mut state.best, rules.set.by_payload(view));
    }
}

/// The protocol on the wire, as far as more than a port tells it.
fn on_the_wire(verdict: Verdict) -> AppId {
    if verdict.confidence > Confidence::PortGuess { verdict.master } else { AppId::UNKNOWN }
}

fn ends(transport: Transport, segment: &Segment<'_>) -> Ends {
    Ends { transport: Some(transport), client: segment.client, server: segment.server }
}

fn is_ja4(id: u16) -> bool {
    [attr::TLS_JA4.id, attr::DTLS_JA4.id, attr::QUIC_JA4.id].contains(&id)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::attr::HOST_NAME;
    use crate::inspect::{Inspector, Limits, Slot, TcpSegment};
    use crate::risk::Risk;
    use crate::rules::Compiler;
    use crate::view::{Direction, Dissector, First, Notes, Outcome};

    const RULES: &str = "app Backup category Cloud\napp Probe category System\n\
        app Lab category Web\nhost *.backup.example -> Backup\n\
        address 192.0.2.9 -> Lab\nport tcp/7777 -> Lab\n\
        bytes any offset 0 \"Probe\" -> Probe\nbytes any offset 0 \"SSH-9\" -> SSH\n\
        list bad domains \"bad\"\nlist ends addresses \"ends\"\n";
    const BACKUP: AppId = AppId(FIRST_CUSTOM);
    const PROBE: AppId = AppId(FIRST_CUSTOM + 1);
    const LAB: AppId = AppId(FIRST_CUSTOM + 2);

    /// `Q` and a host name.
    fn named(view: &View<'_>, notes: &mut Notes<'_>) -> Outcome {
        match view.data {
            [b'Q', name @ ..] if !name.is_empty() => {
                notes.meta.put(&HOST_NAME, name);
                Outcome::found(AppId::TLS)
            }
            _ => Outcome::NotMine,
        }
    }

    const DISSECTORS: &[Dissector] = &[Dissector {
        app: AppId::TLS,
        over: &[Transport::Tcp, Transport::Udp],
        ports: &[],
        ports_only: false,
        first: First::OneOf(b"Q"),
        run: named,
    }];

    fn rules(text: &str) -> Arc<RuleSet> {
        let mut compiler = Compiler::new();
        compiler.read("test.rules", text.as_bytes());
        let lists = ["bad.example\n", "198.51.100.0/24\n"].iter();
        for (number, list) in (0..compiler.wanted().len()).zip(lists) {
            compiler.supply(number, Arc::new(list.as_bytes().to_vec()));
        }
        Arc::new(compiler.finish().unwrap().0)
    }

    fn inspector(text: &str) -> Inspector {
        let limits = Limits { flows: 4, stream_buffers: 4, ..Limits::default() };
        let mut inspector = Inspector::with_dissectors(&limits, &[DISSECTORS]);
        assert!(inspector.set_rules(Some(rules(text))).is_none());
        inspector
    }

    fn end(address: [u8; 4], port: u16) -> Endpoint {
        Endpoint { address: std::net::Ipv4Addr::from(address).to_ipv6_mapped().octets(), port }
    }

    fn segment(payload: &[u8], server: Endpoint, seq: u32) -> Segment<'_> {
        Segment {
            payload,
            direction: Direction::ToServer,
            client: end([203, 0, 113, 1], 40_000),
            server,
            protocol: 6,
            tcp: Some(TcpSegment { seq, syn_seen: true, fin: false, rst: false }),
            now_ns: 1,
            payload_missing: false,
        }
    }

    /// The name after one packet, with its list, risk and reason.
    fn one(payload: &[u8], server: Endpoint) -> (Verdict, Vec<u8>) {
        let mut inspector = inspector(RULES);
        let mut slot = Slot::NONE;
        let segment = segment(payload, server, 0);
        let verdict = match inspector.inspect(&mut slot, &segment) {
            Step::Ended(verdict) | Step::Refined(verdict) => verdict,
            Step::More => inspector.end(&mut slot, 6, segment.client, server),
        };
        (verdict, inspector.meta(slot).to_vec())
    }

    fn value(report: &[u8], attr: &Attr) -> Vec<u8> {
        let mut all = decode(report).filter(|(id, _)| *id == attr.id);
        all.next().map(|(_, value)| value.to_vec()).unwrap_or_default()
    }

    #[test]
    fn rules_name_what_content_recognises() {
        let plain = end([192, 0, 2, 1], 443);
        let (verdict, report) = one(b"Qa.backup.example", plain);
        let tls = |app, confidence| Verdict { master: AppId::TLS, app, confidence };
        assert_eq!(verdict, tls(BACKUP, Confidence::HostName));
        let why = Why::decode(&value(&report, &attr::WHY)).unwrap();
        assert_eq!((why.rule, why.packet), (Rule::Custom, 1));
        assert_eq!(one(b"Qbackup.example", plain).0, tls(AppId::TLS, Confidence::Content));
        // What is known by the address alone is still recognised.
        let lab = end([192, 0, 2, 9], 443);
        assert_eq!(one(b"Qx.example", lab).0, tls(LAB, Confidence::PeerKnowledge));
        assert_eq!(
            one(b"Qx.example", end([192, 0, 2, 1], 7777)).0,
            tls(LAB, Confidence::PortGuess)
        );
        // A host name is better than an address, and a rule better than a service.
        assert_eq!(one(b"Qa.backup.example", lab).0.app, BACKUP);
    }

    #[test]
    fn rules_name_what_nothing_recognises() {
        let plain = end([192, 0, 2, 1], 443);
        let unknown = AppId::UNKNOWN;
        let alone = |app, confidence| Verdict { master: unknown, app, confidence };
        assert_eq!(one(b"Probe 1", plain).0, alone(PROBE, Confidence::Content));
        assert_eq!(one(b"SSH-9.9", plain).0.master, AppId::SSH);
        let lab = end([192, 0, 2, 9], 443);
        let (verdict, report) = one(b"other", lab);
        assert_eq!(verdict, alone(LAB, Confidence::PeerKnowledge));
        let why = Why::decode(&value(&report, &attr::WHY)).unwrap();
        assert_eq!((why.rule, why.packet), (Rule::Custom, 0));
        // Nor what has no payload.
        let mut slot = Slot::NONE;
        let mut inspector = inspector(RULES);
        assert_eq!(inspector.end(&mut slot, 6, end([203, 0, 113, 1], 9), lab).app, LAB);
        let icmp = inspector.without_payload(1, lab, lab);
        assert_eq!((icmp.master, icmp.app), (AppId::ICMP, LAB));
    }

    #[test]
    fn lists_give_risks() {
        let (verdict, report) = one(b"Qwww.bad.example", end([192, 0, 2, 1], 443));
        assert_eq!(verdict.app, AppId::TLS);
        let risks = |report: &[u8]| {
            let bytes = value(report, &attr::RISKS);
            Risks(u64::from_le_bytes(bytes.try_into().unwrap_or_default()))
        };
        assert!(risks(&report).has(Risk::ListedHost));
        assert_eq!(value(&report, &attr::LIST), b"bad");
        for payload in [&b"Qa.example"[..], b"Probe", b"other"] {
            let (_, report) = one(payload, end([198, 51, 100, 7], 443));
            assert!(risks(&report).has(Risk::ListedAddress), "{payload:?}");
            assert_eq!(value(&report, &attr::LIST), b"ends");
        }
    }

    #[test]
    fn rules_are_exchanged_while_flows_are_inspected() {
        let mut inspector = inspector(RULES);
        let lab = end([192, 0, 2, 9], 443);
        let mut slot = Slot::NONE;
        let step = inspector.inspect(&mut slot, &segment(b"a", lab, 0));
        assert!(matches!(step, Step::Refined(verdict) if verdict.app == LAB), "{step:?}");
        let old = inspector.set_rules(Some(rules("host a.example -> SSH\n"))).unwrap();
        assert_eq!(Arc::strong_count(&old), 1);
        let step = inspector.inspect(&mut slot, &segment(b"b", lab, 1));
        assert_eq!(step, Step::More, "the rule's number means nothing any more");
        assert_eq!(inspector.end(&mut slot, 6, lab, lab).app, LAB, "the name stays");
        inspector.release(&mut slot);
        assert!(inspector.set_rules(None).is_some());
        let step = inspector.inspect(&mut slot, &segment(b"a", lab, 0));
        assert_eq!(step, Step::More);
        assert_eq!(inspector.flows_in_progress(), 1);
    }
}
