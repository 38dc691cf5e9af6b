//! What a shard tells its alerts: when a flow begins, shows something new, goes on, and ends.
//!
//! A packet that shows nothing new costs a comparison or two. It is new when it is the first of its
//! direction, when it has a TCP flag that its direction did not have before, and when it comes in another
//! bucket of time than the one before it ([`Before`]).

use weir_dpi::{AppId, Risks, attr, meta};
use weir_shm::flow::FlowSlot;
use weir_shm::hosts::bucket_of;

use super::Shard;
use crate::alerts::{Begin, DNS_PORT, Flow, News, Quality, Totals};
use crate::books::Count;
use crate::capture::{Frame, Source};
use crate::flow::record;
use crate::health::Course;
use crate::wire::{Fragment, LinkType, Neighbour, Parsed, TcpHead};

pub(super) const UDP: u8 = 17;
pub(super) const ICMP_V6: u8 = 58;

/// What a flow's slot holds of a packet's direction before the packet is accounted for.
#[derive(Clone, Copy, Debug)]
pub(super) struct Before {
    pub(super) verdict: u64,
    last_ns: u64,
}

impl Before {
    #[inline(always)]
    pub(super) fn of(slot: &FlowSlot, packet: &Parsed) -> Before {
        let last_ns = record::last_of(slot, packet.swapped);
        Before { verdict: record::verdict_word(slot), last_ns }
    }

    /// Whether the direction had its last packet in another bucket of time than this one, or none yet.
    #[inline(always)]
    pub(super) const fn is_past(&self, now_ns: u64) -> bool {
        bucket_of(self.last_ns) != bucket_of(now_ns)
    }
}

/// Whether a UDP packet may be a message of DNS.
#[inline(always)]
pub(super) fn is_dns(packet: &Parsed) -> bool {
    packet.key.port_lo() == DNS_PORT || packet.key.port_hi() == DNS_PORT
}

impl<S: Source> Shard<S> {
    /// Asks for what alerts will count of a flow that `packet` is likely to begin.
    #[inline]
    pub(super) fn fetch_alerts(&self, packet: &Parsed) {
        if let Some(alerts) = &self.alerts {
            let state = super::client_state(packet);
            let (client, server) = record::client_and_server(&packet.key, state);
            alerts.fetch(&client, &server, packet.key.protocol());
        }
    }

    /// Tells of a packet with news.
    #[inline(never)]
    pub(super) fn tell_news(&mut self, index: u32, packet: &Parsed, frame: &Frame, before: Before) {
        let Some(alerts) = &mut self.alerts else { return };
        let slot = self.table.slot(index);
        let now_ns = frame.timestamp_ns;
        alerts.tick(now_ns);
        let state = &mut self.sides[index as usize].alerts;
        let verdict = record::verdict_word(slot);
        let client_is_hi = verdict & record::CLIENT_IS_HI != 0;
        let by_client = client_is_hi == packet.swapped;
        let is_first = before.last_ns == 0;
        if is_first {
            state.note_ttl(by_client, packet.ttl);
        } else if packet.tcp.flags & TcpHead::RST != 0 {
            let had = record::flags_by_direction(before.verdict, packet.swapped)[0];
            let sent = (packet.ttl, had & TcpHead::ACK != 0);
            alerts.reset(&flow_of(slot, now_ns), by_client, sent, state);
        }
        if is_first && record::packets(slot) == 1 {
            let bytes = self.source.bytes(frame);
            let mac = || bytes.get(6..12)?.first_chunk::<6>().copied();
            alerts.flow_begins(
                &Begin {
                    flow: flow_of(slot, now_ns),
                    flags: packet.tcp.flags,
                    bytes: frame.bytes_on_wire(),
                    by_client,
                    ttl: packet.ttl,
                    payload: packet.payload(bytes),
                    mac: if frame.link == LinkType::Ethernet { mac() } else { None },
                },
                state,
            );
        }
        let [of_client, of_server] =
            record::flags_by_direction(verdict & !before.verdict, client_is_hi);
        let news = News { of_client, of_server, is_answered: is_first && !by_client };
        let protocol = packet.key.protocol();
        let server_port = if client_is_hi { packet.key.port_lo() } else { packet.key.port_hi() };
        if alerts.wants_news(server_port, protocol, news, state) {
            alerts.flow_news(&flow_of(slot, now_ns), news, state);
        }
        if !is_first && before.is_past(now_ns) {
            let totals = totals(slot);
            if alerts.wants_flush(protocol, &totals, now_ns, state) {
                alerts.flow_flushes(&flow_of(slot, now_ns), &totals, state);
            }
        }
    }

    /// Tells of a message of DNS.
    #[inline(never)]
    pub(super) fn tell_dns(&mut self, index: u32, packet: &Parsed, frame: &Frame) {
        let Some(alerts) = &mut self.alerts else { return };
        let slot = self.table.slot(index);
        let by_client = (record::verdict_word(slot) & record::CLIENT_IS_HI != 0) == packet.swapped;
        let payload = packet.payload(self.source.bytes(frame));
        alerts.dns(&flow_of(slot, frame.timestamp_ns), by_client, payload);
    }

    /// Tells of a packet of ICMP for IPv6, which may be of neighbour discovery.
    #[inline(never)]
    pub(super) fn tell_neighbour(&mut self, packet: &Parsed, frame: &Frame) {
        if packet.key.is_tunnelled() || packet.fragment != Fragment::No {
            return;
        }
        let message = packet.payload(self.source.bytes(frame));
        let mut ends = [packet.key.address_lo(), packet.key.address_hi()];
        if packet.swapped {
            ends.reverse();
        }
        let [from, to] = ends;
        let Some(said) = Neighbour::parse(from, to, packet.ttl, message) else { return };
        let now_ns = frame.timestamp_ns;
        if let Some(alerts) = &mut self.alerts {
            alerts.neighbour(&said, now_ns);
        }
        if let (Some(hosts), Some((address, mac))) = (&mut self.hosts, said.claim()) {
            hosts.learn_neighbour(address, mac, now_ns);
        }
    }

    /// Tells of what inspection found, once it is over.
    pub(super) fn tell_named(&mut self, index: u32, app: AppId, risks: Risks) {
        let Some(alerts) = &mut self.alerts else { return };
        if risks.is_empty() && !alerts.wants_name(app) {
            return;
        }
        let slot = self.table.slot(index);
        let flow = flow_of(slot, record::last_ns(slot));
        alerts.flow_named(&flow, app, &mut self.sides[index as usize].alerts);
        if !risks.is_empty() {
            alerts.flow_risks(&flow, risks);
        }
    }

    /// Tells of risks that a flow's course shows.
    pub(super) fn tell_risks(&mut self, index: u32, risks: Risks) {
        if let Some(alerts) = &mut self.alerts {
            let slot = self.table.slot(index);
            alerts.flow_risks(&flow_of(slot, record::last_ns(slot)), risks);
        }
    }

    /// Tells that a flow ends. It is judged at the time of its last packet.
    pub(super) fn tell_end(&mut self, index: u32) {
        let Some(alerts) = &mut self.alerts else { return };
        let slot = self.table.slot(index);
        let state = &mut self.sides[index as usize].alerts;
        let totals = totals(slot);
        let protocol = record::key(slot).protocol();
        if alerts.wants_end(protocol, &totals, state) {
            alerts.flow_ends(&flow_of(slot, record::last_ns(slot)), &totals, state);
        }
    }

    /// Tells how the ways of a flow to both its ends were.
    ///
    /// A segment that was sent again was lost between its sender and here where segments were missing in
    /// its direction, else between here and its receiver.
    pub(super) fn tell_quality(&mut self, index: u32, course: &Course) {
        let Some(alerts) = &mut self.alerts else { return };
        if course.packets == 0 {
            return;
        }
        let slot = self.table.slot(index);
        let client = record::client_lane(slot);
        let flow = flow_of(slot, record::last_ns(slot));
        // Of the client's end, and of the server's.
        let mut lost = [0; 2];
        for (sender, lane) in [client, 1 - client].into_iter().enumerate() {
            let [resent, gaps, ..] = course.segments[lane].0;
            let end = if gaps != 0 { sender } else { 1 - sender };
            lost[end] += resent.saturating_sub(course.spurious[lane]);
        }
        let [server_ns, client_ns] = course.delays_ns;
        for (end, delay_ns, lost) in
            [(flow.client, client_ns, lost[0]), (flow.server, server_ns, lost[1])]
        {
            alerts.quality(&Quality {
                peer: end.address,
                rtt_us: u32::try_from(delay_ns.div_ceil(1000)).unwrap_or(u32::MAX),
                packets: course.packets.into(),
                lost: lost.into(),
                flow: flow.id,
                now_ns: flow.now_ns,
            });
        }
    }

    /// Stage: windows that are over are looked at.
    #[inline]
    pub(super) fn look_at_alerts(&mut self, now_ns: u64) {
        if let Some(alerts) = &mut self.alerts {
            alerts.tick(now_ns);
        }
    }

    /// Ends every alert: the run is over.
    pub(super) fn end_alerts(&mut self) {
        let now_ns = self.source.now_ns();
        if let Some(alerts) = &mut self.alerts {
            alerts.tick(now_ns);
            alerts.finish(now_ns);
        }
    }

    /// Counts what became of alerts.
    pub(super) fn count_alerts(&mut self) {
        let Some(alerts) = &self.alerts else { return };
        let (raised, pressure) = (alerts.raised(), alerts.pressure());
        self.books.set(Count::AlertsStarted, raised.started);
        self.books.set(Count::AlertsEnded, raised.ended);
        self.books.set(Count::AlertsFull, raised.full);
        self.books.set(Count::AlertsExcluded, raised.excluded);
        self.books.set(Count::AlertKeysEvicted, pressure.evicted);
        self.books.set(Count::AlertKeysForgotten, pressure.forgotten);
    }
}

/// The risks in metadata.
pub(super) fn risks_of(metadata: &[u8]) -> Risks {
    let found = meta::decode(metadata).find_map(|(id, value)| {
        let value = value.first_chunk::<8>().filter(|_| id == attr::RISKS.id)?;
        Some(Risks(u64::from_le_bytes(*value)))
    });
    found.unwrap_or_default()
}

fn flow_of(slot: &FlowSlot, now_ns: u64) -> Flow {
    let key = record::key(slot);
    let (client, server) = record::client_and_server(&key, record::verdict_word(slot));
    let (protocol, vlan) = (key.protocol(), key.vlan());
    Flow { id: record::flow_id(slot), client, server, protocol, vlan, now_ns }
}

fn totals(slot: &FlowSlot) -> Totals {
    let weir_dpi::Verdict { master, app, .. } = record::verdict(slot);
    let (packets, bytes) = record::totals(slot);
    let app = if app == AppId::UNKNOWN { master } else { app };
    Totals { packets, bytes, first_ns: record::first_ns(slot), master, app }
}
