//! What a flow tells its hosts, its application and its networks.

use weir_shm::flow::FlowSlot;
use weir_shm::hosts::{Detail, HostKind, Identity, PortOf, Segments, Share, Top, Total, Wait};

use super::table::Rank;
use super::totals::Totals;
use super::{Hosts, Told};
use crate::flow::group::prefetch;
use crate::flow::record::{self, Flow};
use crate::health::Course;
use crate::wire::{FlowKey, TcpHead};

const TCP: u8 = 6;
const UDP: u8 = 17;
const SCTP: u8 = 132;

/// A flow's first packet, as far as its hosts need it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Beginning<'a> {
    pub(crate) key: &'a FlowKey,
    pub(crate) client_is_hi: bool,
    /// The higher end sent it.
    pub(crate) swapped: bool,
    pub(crate) now_ns: u64,
}

/// What one report is about.
struct Report {
    flow: Flow,
    /// Bytes and packets since the last one, from the lower end and from the higher.
    new: Share,
    /// What was told before.
    old: Share,
    old_app: u16,
    app: u16,
    is_first: bool,
    is_last: bool,
    waits: Waits,
    /// What happened to segments from the lower end, and from the higher.
    segments: [Segments; 2],
    last_ns: u64,
}

/// What a flow has to say of latencies, each told once.
#[derive(Clone, Copy, Default)]
struct Waits {
    /// The way to the server and back, and to the client, nanoseconds; 0: nothing.
    delays_ns: [u64; 2],
    /// Answers, and how long they took, nanoseconds.
    answers: u32,
    answer_ns: u64,
}

impl Waits {
    /// What is known without health: the time until a flow's first answer, which comes from the
    /// server's host where that is not UDP, and else from its application.
    fn until_answer(l4: u8, took_ns: u64) -> Waits {
        match l4 {
            UDP => Waits { answers: 1, answer_ns: took_ns, ..Waits::default() },
            _ => Waits { delays_ns: [took_ns.max(1), 0], ..Waits::default() },
        }
    }

    const fn is_empty(&self) -> bool {
        matches!((self.delays_ns, self.answers), ([0, 0], 0))
    }

    fn count(&self, total: Total<'_>) {
        for (wait, delay_ns) in
            [Wait::ServerDelay, Wait::ClientDelay].into_iter().zip(self.delays_ns)
        {
            if delay_ns != 0 {
                total.latency(wait, delay_ns, 1);
            }
        }
        if self.answers != 0 {
            total.latency(Wait::Answer, self.answer_ns, self.answers);
        }
    }

    /// Of these what is of the server's end, or of the client's.
    fn of_end(&self, is_server: bool) -> Waits {
        let [server_ns, client_ns] = self.delays_ns;
        if is_server {
            Waits { delays_ns: [server_ns, 0], ..*self }
        } else {
            Waits { delays_ns: [0, client_ns], ..Waits::default() }
        }
    }
}

impl Report {
    fn is_server(&self, end: usize) -> bool {
        (end == 1) != self.flow.client_is_hi
    }

    /// Of lower and higher end: what is the sender's and the receiver's, for one of them.
    fn of_end(share: &Share, end: usize) -> Share {
        if end == 0 { *share } else { share.turned() }
    }

    fn port(&self, end: usize, app: u16) -> Option<u64> {
        let (server, l4) = (usize::from(!self.flow.client_is_hi), self.flow.l4);
        let port = self.flow.ports[server];
        let has_ports = matches!(l4, TCP | UDP | SCTP);
        has_ports.then(|| PortOf { is_server: self.is_server(end), l4, port, app }.key())
    }
}

impl Hosts {
    /// Asks for what [`Hosts::begin`] reads first; the hashes of both hosts.
    #[inline]
    pub(crate) fn fetch(&self, index: u32, key: &FlowKey) -> [u64; 2] {
        let [a, b, c, d, _] = key.words;
        prefetch::<0, _>(&self.told[index as usize]);
        let hashes = [[a, b], [c, d]].map(|address| self.table.hash(address));
        for hash in hashes {
            self.table.prefetch_tags(hash);
        }
        hashes
    }

    /// Asks for the slots of hosts with these hashes. Reads their tags.
    #[inline]
    pub(crate) fn fetch_slots(&self, hashes: [u64; 2]) {
        for hash in hashes {
            if let Some(place) = self.table.likely(hash) {
                prefetch::<0, _>(self.writer.slot_words(place));
            }
        }
    }

    /// A flow begins: finds the places of its ends.
    pub(crate) fn begin(&mut self, index: u32, first: &Beginning<'_>) {
        let vlan = self.totals.vlan(&self.writer, first.key.vlan());
        let [a, b, c, d, _] = first.key.words;
        let mut told = Told { vlan, flags: Told::PLACED, ..Told::default() };
        for (end, address) in [[a, b], [c, d]].into_iter().enumerate() {
            let (place, identity) = self.find_or_add(address, first.now_ns);
            let is_server = (end == 1) != first.client_is_hi;
            if (end == 1) == first.swapped {
                self.give_detail(place, identity, first.now_ns);
            }
            let slot = self.writer.slot(place);
            slot.begin();
            slot.flow_begins(is_server, first.now_ns);
            slot.commit();
            (told.places[end], told.generations[end]) = (place, identity.generation);
        }
        told.flags |= if first.client_is_hi { Told::CLIENT_IS_HI } else { 0 };
        self.told[index as usize] = told;
        Totals::name_app(&self.writer, told.app);
        self.count_flows(&told, 1, 1);
    }

    /// A flow tells what it came to since it last did. `is_last`: it ends. `course`: what is new of its
    /// health, where that is told.
    pub(crate) fn report(
        &mut self,
        index: u32,
        slot: &FlowSlot,
        is_last: bool,
        course: Option<&Course>,
    ) {
        let mut told = self.told[index as usize];
        if !told.has(Told::PLACED) {
            return;
        }
        let flow = record::flow(slot);
        let packets = flow.packets.map(|packets| {
            #[expect(clippy::cast_possible_truncation, reason = "as they wrap")]
            {
                packets as u32
            }
        });
        let more = |end: usize| u64::from(packets[end].wrapping_sub(told.packets[end]));
        let report = Report {
            new: Share {
                bytes: [flow.bytes[0] - told.bytes[0], flow.bytes[1] - told.bytes[1]],
                packets: [more(0), more(1)],
            },
            old: Share { bytes: told.bytes, packets: told.packets.map(u64::from) },
            old_app: told.app,
            app: flow.app,
            is_first: !told.has(Told::REPORTED),
            is_last,
            waits: self.waits(&flow, &told, course),
            segments: course.map(|course| course.segments).unwrap_or_default(),
            last_ns: flow.last_ns(),
            flow,
        };
        let is_news = report.new.packets != [0, 0]
            || report.app != report.old_app
            || !report.waits.is_empty()
            || report.segments.iter().any(|segments| !segments.is_empty());
        if !is_news && !is_last {
            return;
        }
        for place in told.places {
            prefetch::<0, _>(self.writer.slot_words(place));
            prefetch::<1, _>(self.writer.slot_words(place));
        }
        self.tell_totals(&report, &told);
        self.fetch_details(&told);
        for end in 0..2 {
            self.tell_host(&report, &mut told, end);
        }
        (told.bytes, told.packets, told.app) = (report.flow.bytes, packets, report.app);
        let turned = if report.flow.client_is_hi { Told::CLIENT_IS_HI } else { 0 };
        let timed = if report.waits.is_empty() { 0 } else { Told::TIMED };
        told.flags = told.flags & !Told::CLIENT_IS_HI | turned | timed | Told::REPORTED;
        self.told[index as usize] = if is_last { Told::default() } else { told };
    }

    /// What is new of latencies: by its health, or without one, by its first packets.
    fn waits(&self, flow: &Flow, told: &Told, course: Option<&Course>) -> Waits {
        if self.has_health && matches!(flow.l4, TCP | UDP) {
            let of = |&Course { delays_ns, answers, answer_ns, .. }: &Course| Waits {
                delays_ns,
                answers,
                answer_ns,
            };
            return course.map(of).unwrap_or_default();
        }
        let took = flow.latency_ns().filter(|_| !told.has(Told::TIMED));
        took.map(|took| Waits::until_answer(flow.l4, took)).unwrap_or_default()
    }

    /// Asks for what [`tell_detail`] reads of both ends' details: keys of their lists.
    #[inline]
    fn fetch_details(&self, told: &Told) {
        for detail in told.places.into_iter().filter_map(|place| self.writer.slot(place).detail()) {
            for list in [Top::Apps, Top::Ports, Top::Peers] {
                let detail = self.writer.detail(detail);
                let keys = detail.keys(list);
                prefetch::<0, _>(keys);
                prefetch::<1, _>(keys);
            }
        }
    }

    fn tell_totals(&self, report: &Report, told: &Told) {
        let was_hi = told.has(Told::CLIENT_IS_HI);
        let by_client = |share: &Share, is_hi: bool| if is_hi { share.turned() } else { *share };
        let before = by_client(&report.old, was_hi);
        let now = by_client(&report.old, report.flow.client_is_hi);
        if report.app != report.old_app || before != now {
            self.tell_otherwise(report, told, &before, &now);
        }
        let new = by_client(&report.new, report.flow.client_is_hi);
        let [all, vlan] = Totals::common(told.vlan);
        for row in [Totals::app(report.app), all, vlan] {
            let total = self.writer.total(row);
            total.begin();
            total.account(&new, report.last_ns);
            total.flows(0, -i64::from(report.is_last));
            report.waits.count(total);
            total.commit();
        }
    }

    /// What was told under another application, or of client and server the other way round, goes
    /// where it belongs.
    #[cold]
    fn tell_otherwise(&self, report: &Report, told: &Told, before: &Share, now: &Share) {
        Totals::name_app(&self.writer, report.app);
        let [all, vlan] = Totals::common(told.vlan);
        let apps = [report.old_app, report.app].map(Totals::app);
        for [from, to] in [apps, [all, all], [vlan, vlan]] {
            let moves = i64::from(from != to);
            let total = self.writer.total(from);
            total.begin();
            total.take_back(before);
            total.flows(-moves, -moves);
            total.commit();
            let total = self.writer.total(to);
            total.begin();
            total.take_over(now, report.last_ns);
            total.flows(moves, moves);
            total.commit();
        }
    }

    fn tell_host(&mut self, report: &Report, told: &mut Told, end: usize) {
        let address = report.flow.addresses[end];
        let mut place = told.places[end];
        let known = self.writer.slot(place).identity();
        let known = known.filter(|known| known.generation == told.generations[end]);
        let is_new_there = known.is_none();
        let identity = known.unwrap_or_else(|| {
            let (at, identity) = self.find_or_add(address, report.last_ns);
            place = at;
            identity
        });
        (told.places[end], told.generations[end]) = (place, identity.generation);
        let share = Report::of_end(&report.new, end);
        if share.bytes[0] > 0 {
            self.give_detail(place, identity, report.last_ns);
        }
        let other = report.flow.addresses[1 - end];
        let slot = self.writer.slot(place);
        slot.begin();
        if is_new_there {
            slot.flow_begins(report.is_server(end), report.last_ns);
        } else if report.flow.client_is_hi != told.has(Told::CLIENT_IS_HI) {
            slot.flow_turns(report.is_server(end));
        }
        slot.account(&share, report.last_ns);
        if report.is_last {
            slot.flow_ends();
        }
        if let Some(detail) = slot.detail().filter(|_| identity.kind.is_local()) {
            let peer = self.table.hash(other).max(1);
            let before = match (is_new_there, told.has(Told::LISTED[end])) {
                (true, _) => Before::Nothing,
                (false, true) => Before::Listed,
                (false, false) => Before::Unlisted,
            };
            tell_detail(self.writer.detail(detail), report, end, before, (peer, other));
            told.flags |= Told::LISTED[end];
        }
        slot.commit();
        self.table.note(place, rank_of(identity, slot.detail()), report.last_ns);
        if identity.kind != HostKind::Group {
            self.tell_network(report, end, identity.network, &share);
        }
    }

    fn tell_network(&self, report: &Report, end: usize, network: u8, share: &Share) {
        let total = self.writer.total(Totals::network(network));
        let begins = i64::from(report.is_first);
        total.begin();
        total.flows(begins, begins - i64::from(report.is_last));
        total.account(share, report.last_ns);
        report.waits.of_end(report.is_server(end)).count(total);
        total.commit();
    }

    fn count_flows(&self, told: &Told, begun: i64, live: i64) {
        let [all, vlan] = Totals::common(told.vlan);
        for row in [Totals::app(told.app), all, vlan] {
            Totals::flows(&self.writer, row, begun, live);
        }
    }

    /// The place of a host, which is made where it is new.
    pub(super) fn find_or_add(&mut self, address: [u64; 2], now_ns: u64) -> (u32, Identity) {
        let hash = self.table.hash(address);
        let found = self.table.find(&self.writer, address, hash);
        let known = found.and_then(|place| Some((place, self.writer.slot(place).identity()?)));
        known.unwrap_or_else(|| self.add_host(address, hash, now_ns))
    }

    #[cold]
    fn add_host(&mut self, address: [u64; 2], hash: u64, now_ns: u64) -> (u32, Identity) {
        let place = match self.table.place(hash) {
            Ok(free) => free,
            Err(victim) => {
                self.evict(victim);
                victim
            }
        };
        let zone = self.places.zone(FlowKey::joined(address));
        let generation = self.table.take(place, hash);
        let identity = Identity { generation, kind: zone.kind, network: zone.network };
        self.writer.slot(place).open(address, identity, now_ns);
        self.table.note(place, rank_of(identity, None), now_ns);
        self.counts.created += 1;
        (place, identity)
    }

    fn evict(&mut self, place: u32) {
        let slot = self.writer.slot(place);
        let Share { bytes: [sent, received], .. } = slot.total();
        self.counts.evicted_sent += sent;
        self.counts.evicted_received += received;
        if slot.identity().is_some_and(|it| it.kind.is_local()) {
            self.counts.evicted_local += 1;
        } else {
            self.counts.evicted_remote += 1;
        }
        self.table.release(place, slot.address(), slot.detail());
        slot.close();
    }

    /// Gives a local host its detail, where it has none and there is one.
    #[inline]
    pub(super) fn give_detail(&mut self, place: u32, identity: Identity, now_ns: u64) {
        if identity.kind.is_local() && self.writer.slot(place).detail().is_none() {
            self.make_detail(place, identity, now_ns);
        }
    }

    #[cold]
    fn make_detail(&mut self, place: u32, identity: Identity, now_ns: u64) {
        let Some((detail, before)) = self.table.take_detail(place, now_ns) else {
            self.counts.without_detail += 1;
            return;
        };
        if let Some(before) = before {
            let slot = self.writer.slot(before);
            slot.begin();
            slot.set_detail(None);
            slot.commit();
            self.table.lower(before);
            self.counts.details_taken += 1;
        }
        let slot = self.writer.slot(place);
        slot.begin();
        self.writer.detail(detail).open(identity.generation);
        slot.set_detail(Some(detail));
        slot.commit();
    }

    /// Whether a flow's first packet may tell something new of its sender.
    #[inline]
    pub(crate) fn wants_to_know(&self, index: u32, end: usize, is_syn: bool) -> bool {
        let slot = self.writer.slot(self.told[index as usize].places[end]);
        slot.detail().is_some() && (!slot.knows_mac() || (is_syn && !slot.knows_syn()))
    }

    /// The detail of a flow's end, if it has one; for a change under its slot's version.
    pub(super) fn change_detail(
        &self,
        index: u32,
        end: usize,
        change: impl FnOnce(Detail<'_>),
    ) -> bool {
        let told = &self.told[index as usize];
        let slot = self.writer.slot(told.places[end]);
        let is_there = told.has(Told::PLACED) && slot.is(told.generations[end]);
        let Some(detail) = slot.detail().filter(|_| is_there) else { return false };
        slot.begin();
        change(self.writer.detail(detail));
        slot.commit();
        true
    }
}

/// What a flow told the host before this report.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Before {
    /// Nothing: the flow, or the host, is new there.
    Nothing,
    /// What is in the lists of its detail.
    Listed,
    /// What is in no list: the host got its detail later, as it had sent nothing yet.
    Unlisted,
}

/// Adds to what is kept of a local host.
fn tell_detail(
    detail: Detail<'_>,
    report: &Report,
    end: usize,
    before: Before,
    (peer, address): (u64, [u64; 2]),
) {
    let [new, old] = [&report.new, &report.old].map(|share| Report::of_end(share, end));
    let all = Share { bytes: [new.bytes[0] + old.bytes[0], new.bytes[1] + old.bytes[1]], ..new };
    let is_renamed = report.app != report.old_app && before == Before::Listed;
    if is_renamed {
        // What was told of it before goes to its new name.
        detail.take_back(Top::Apps, u64::from(report.old_app) + 1, &old, 1);
        if let Some(port) = report.port(end, report.old_app) {
            detail.take_back(Top::Ports, port, &old, 1);
        }
    }
    // Under its name goes all that is not there, or was taken back.
    let share = if before == Before::Unlisted { all } else { new };
    let named = if is_renamed { all } else { share };
    let flows = u64::from(before != Before::Listed);
    let named_flows = u64::from(before != Before::Listed || is_renamed);
    detail.add(Top::Apps, u64::from(report.app) + 1, &named, named_flows);
    if let Some(port) = report.port(end, report.app) {
        detail.add(Top::Ports, port, &named, named_flows);
    }
    let (at, is_new) = detail.add(Top::Peers, peer, &share, flows);
    if is_new {
        detail.set_peer(at, address);
    }
    let is_server = report.is_server(end);
    if !report.waits.is_empty() {
        let own = report.waits.of_end(is_server);
        own.delays_ns.into_iter().filter(|ns| *ns != 0).for_each(|ns| detail.delay(ns));
        detail.answers(is_server, report.waits.answer_ns, report.waits.answers);
    }
    if report.segments.iter().any(|segments| !segments.is_empty()) {
        detail.segments(report.segments[end], report.segments[1 - end]);
    }
    if report.is_last && report.flow.l4 == TCP {
        let flags = report.flow.flags;
        let server = usize::from(!report.flow.client_is_hi);
        let failed = flags[1 - server] & TcpHead::SYN != 0 && flags[server] & TcpHead::SYN == 0;
        let resets = [flags[end], flags[1 - end]].map(|flags| flags & TcpHead::RST != 0);
        detail.tcp_ends(is_server, failed, resets);
    }
}

fn rank_of(identity: Identity, detail: Option<u32>) -> Rank {
    match (identity.kind.is_local(), detail) {
        (false, _) => Rank::Remote,
        (true, None) => Rank::Local,
        (true, Some(_)) => Rank::Detailed,
    }
}
