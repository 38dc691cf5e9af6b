//! A shard: one core's whole engine.
//!
//! [`Shard::turn`] is the way of a packet, top to bottom. A shard owns its source, its flows, its
//! timers, its inspection and its counts; it is built on its own thread and never shared, so it
//! holds no lock, and a turn makes no allocation, no system call but the source's own, and no
//! atomic read-modify-write.

mod alerts;
mod course;
mod expire;
mod export;
mod fanout;
mod health;
mod hosts;
mod inspect;
mod plan;

use std::sync::Arc;
use std::time::Duration;

use weir_dpi::Inspector;
use weir_dpi::risk::periodic::Periodic;
use weir_dpi::rules::RuleSet;
use weir_shm::ShardWriter;
use weir_shm::flow::FlowSlot;
use weir_shm::packets::FlowWords;
use weir_shm::records::{EndReason, RecordKind};

use crate::alerts::{Alerts, FlowState};
use crate::books::{Books, Count};
use crate::capture::{BATCH, Batch, Frame, Received, Source};
use crate::flow::group::{GROUP_SLOTS, Group, prefetch};
use crate::flow::record;
use crate::flow::table::{self, FlowTable, Likely, Place};
use crate::flow::wheel::Wheel;
use crate::health::{Health, Telling};
use crate::hosts::Hosts;
use crate::sys::{self, clock};
use crate::wire::{self, Arp, Fragment, Fragments, Parsed, Reason, TcpHead};

use alerts::Before;
use fanout::{Fanout, OTHERS, Seen};
use plan::flow_id;

pub use export::{AppTotal, Export, Gate, HISTOGRAMS};
pub use fanout::{Command, Inbox, Outlet};
pub(crate) use plan::flows_from;
pub use plan::{Depth, ShardPlan, Split};

/// How long a shard with nothing to do waits at most before it looks at its timers.
const NAP: Duration = Duration::from_millis(10);

/// Frames between the one whose headers are asked for and the one that is parsed.
const AHEAD: usize = 8;

/// What a turn came to.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Turn {
    /// Frames were handled.
    Worked,
    /// There was nothing.
    Idle,
    /// There is nothing and nothing will come.
    End,
}

/// See the module.
#[derive(Debug)]
pub struct Shard<S> {
    source: S,
    batch: Batch,
    work: Box<Work>,
    fragments: Fragments,
    table: FlowTable,
    sides: Box<[Side]>,
    wheel: Wheel,
    inspector: Inspector,
    periodic: Periodic,
    alerts: Option<Box<Alerts>>,
    hosts: Option<Box<Hosts>>,
    export: Export,
    health: Health,
    fanout: Fanout,
    books: Books,
    plan: ShardPlan,
    /// The number of the flow that began last.
    newest_flow: u64,
    /// Frames that the source gave, the shard's own or not.
    given: u64,
}

/// What is known of the frames of a turn, filled stage by stage.
#[derive(Debug)]
struct Work {
    /// The frames that became packets: index into the batch.
    frame: [u8; BATCH],
    packet: [Parsed; BATCH],
    hash: [u64; BATCH],
    packets: usize,
    /// What readers are told of each frame's flow; of meaning where packets are read.
    told: [FlowWords; BATCH],
    /// What each frame came to that became no packet; see [`fanout`].
    fate: [u8; BATCH],
    /// Packets that are likely to begin a flow, a bit each, and the hashes of their hosts.
    begins: u64,
    hosts: [[u64; 2]; BATCH],
}

impl Work {
    /// The frame at `index` became no packet; see [`fanout`] for `fate`.
    #[inline(always)]
    fn became_none(&mut self, index: u8, fate: u8) {
        self.fate[usize::from(index)] = fate;
        self.told[usize::from(index)] = FlowWords::default();
    }
}
const _: () = assert!(BATCH <= 64, "a bit for each packet");

/// What the engine alone keeps of a flow.
#[derive(Clone, Debug)]
struct Side {
    /// The inspection under way.
    inspection: weir_dpi::Slot,
    /// When it was last reported, in seconds.
    reported_s: u32,
    /// Groups of packet readers that want no more of it, one bit each.
    shunted: u16,
    /// What alerts know of it.
    alerts: FlowState,
    /// What of its health was told.
    telling: Telling,
}

const _: () = assert!(size_of::<Side>() <= 36, "two flows a cache line, about");

impl Side {
    fn new(reported_s: u32) -> Side {
        Side {
            inspection: weir_dpi::Slot::NONE,
            reported_s,
            shunted: 0,
            alerts: FlowState::default(),
            telling: Telling::default(),
        }
    }
}

impl<S: Source> Shard<S> {
    /// A shard that takes its frames from `source`, works by `plan` and writes to `shared`.
    /// Allocates all it will ever use: call it on the thread that will run it, so that memory is
    /// near that thread.
    pub fn new(
        source: S,
        plan: ShardPlan,
        shared: ShardWriter,
        gate: Option<Gate>,
        outlet: Option<Outlet>,
    ) -> Shard<S> {
        let has_health = !shared.health.is_empty();
        let health = Health::new(shared.health.clone());
        let (flows, packets, alerts, hosts, export) = Export::new(shared, gate, plan.live);
        let rules = plan.alerts.as_deref();
        let alerts = rules.map(|rules| Alerts::new(rules, plan.shards, plan.secret[1], alerts));
        let room = flows.len();
        let looks_up = plan.depth != Depth::Parse;
        let hosts_plan = plan.hosts.as_ref().filter(|_| looks_up);
        let hosts = Hosts::new(hosts, hosts_plan, room, plan.secret, has_health);
        let table = FlowTable::new(flows, plan.secret);
        let frames = fanout::frames_a_turn(&packets, outlet.as_ref());
        let lendable = source.lendable();
        Shard {
            source,
            batch: Batch::of(frames),
            work: Box::new(Work {
                frame: [0; BATCH],
                packet: [Parsed::default(); BATCH],
                hash: [0; BATCH],
                packets: 0,
                told: [FlowWords::default(); BATCH],
                fate: [OTHERS; BATCH],
                begins: 0,
                hosts: [[0; 2]; BATCH],
            }),
            fragments: Fragments::new(plan.fragments, plan.secret),
            sides: sys::table::table(Side::new(0), table.capacity()),
            wheel: Wheel::new(table.capacity()),
            table,
            inspector: Inspector::new(&plan.inspection),
            periodic: course::periodic(plan.depth),
            alerts: alerts.map(Box::new),
            hosts,
            export,
            health,
            fanout: Fanout::new(packets, outlet, lendable),
            books: Books::default(),
            newest_flow: plan.flows_from,
            plan,
            given: 0,
        }
    }

    /// One turn: receive, parse, look up, account, inspect, fan out, release, tick, publish.
    pub fn turn(&mut self) -> Turn {
        self.batch.clear();
        self.listen();
        self.export.wait_for_room();
        let started = clock::monotonic_ns();
        let received = self.source.receive(&mut self.batch);
        let now_ns = self.source.now_ns();
        if received == Received::Frames {
            self.given += self.batch.as_slice().len() as u64;
            self.parse(now_ns);
            self.count_interfaces();
            if self.fanout.is_read() {
                self.begin_fan_out();
                self.look_up::<true>();
                self.fan_out(now_ns);
            } else {
                self.look_up::<false>();
                self.source.release(&self.batch);
            }
            self.books.one(Count::Turns);
            self.export.turn_took(started, &self.batch, now_ns);
        }
        let turn = match received {
            Received::Frames => Turn::Worked,
            Received::Idle => Turn::Idle,
            Received::End => Turn::End,
        };
        if turn != Turn::Worked {
            self.fan_out_nothing(now_ns, turn);
        }
        self.tick(now_ns);
        self.look_at_alerts(now_ns);
        self.publish();
        turn
    }

    /// Between the end of its input and the end of the run: lets packet readers come and go.
    pub fn linger(&mut self) {
        self.listen();
        let now_ns = self.source.now_ns();
        self.fan_out_nothing(now_ns, Turn::End);
        self.publish();
    }

    /// Lets packet readers come before the first packet.
    pub fn let_readers_in(&mut self) {
        self.listen();
    }

    /// Runs until the source ends or `stop`, asked after every turn, says so. The flows stay, for
    /// readers to see, until [`Shard::finish`].
    pub fn run(&mut self, mut stop: impl FnMut(&Self) -> bool) {
        loop {
            match self.turn() {
                Turn::Worked => {}
                Turn::Idle => self.source.wait(NAP),
                Turn::End => break,
            }
            if stop(self) {
                break;
            }
        }
        self.tell_all();
    }

    /// Takes in what a source that was closed still holds.
    pub fn drain(&mut self) {
        while self.turn() == Turn::Worked {}
    }

    /// Ends every flow and publishes the last counts.
    pub fn finish(&mut self) {
        self.end_all();
        self.end_alerts();
        self.count_exports();
        self.publish();
    }

    /// Puts rules in force from the next packet on; gives those before.
    pub fn set_rules(&mut self, rules: Option<Arc<RuleSet>>) -> Option<Arc<RuleSet>> {
        self.inspector.set_rules(rules)
    }

    /// The shard's counts.
    pub fn books(&self) -> &Books {
        &self.books
    }

    /// What left the shard: totals by application, places in shared memory.
    pub fn export(&self) -> &Export {
        &self.export
    }

    /// Bytes that a flow's place takes in all tables together: its record, its share of a group
    /// of tags, its timer link and what the engine alone keeps.
    #[expect(clippy::cast_precision_loss, reason = "a few hundred bytes")]
    pub fn bytes_a_slot(&self) -> f64 {
        let tags = size_of::<Group>() as f64 / GROUP_SLOTS as f64;
        let told = if self.hosts.is_some() { Hosts::BYTES_A_FLOW } else { 0 };
        let own = size_of::<FlowSlot>() + size_of::<Side>() + size_of::<u32>();
        (own + told + self.health.bytes_a_flow()) as f64 + tags
    }

    /// Frames that the source gave so far, the shard's own or not.
    pub const fn frames_given(&self) -> u64 {
        self.given
    }

    /// The source.
    pub const fn source(&self) -> &S {
        &self.source
    }

    /// The flow table.
    pub fn table(&self) -> &FlowTable {
        &self.table
    }

    /// Stage: headers to keys, keys to hashes; asks for the tags of each.
    fn parse(&mut self, now_ns: u64) {
        let work = &mut *self.work;
        let books = &mut self.books;
        let mut packets = 0;
        let (mut processed, mut wire_bytes, mut parsed_bytes) = (0, 0, 0);
        let (mut pieces, mut tunnelled) = (0, 0);
        let frames = self.batch.as_slice();
        for frame in frames.iter().take(AHEAD) {
            fetch_head(self.source.bytes(frame));
        }
        for (index, frame) in (0_u8..).zip(frames) {
            if let Some(later) = frames.get(usize::from(index) + AHEAD) {
                fetch_head(self.source.bytes(later));
            }
            let bytes = self.source.bytes(frame);
            let packet = &mut work.packet[packets];
            let outcome = wire::parse(frame.link, frame.vlan, bytes, frame.wire_bytes, packet);
            let outcome = outcome.and_then(|()| self.fragments.follow(bytes, packet, now_ns));
            let hash = outcome.map(|()| self.table.hash(&packet.key));
            if !self.plan.split.is_mine(hash) {
                work.became_none(index, OTHERS);
                continue;
            }
            processed += 1;
            wire_bytes += u64::from(frame.bytes_on_wire());
            let hash = match hash {
                Ok(hash) => hash,
                Err(reason) => {
                    books.drop(reason);
                    if reason == Reason::Arp
                        && let Some(arp) = Arp::parse(bytes)
                    {
                        let now_ns = frame.timestamp_ns;
                        self.alerts.iter_mut().for_each(|alerts| alerts.arp(&arp, now_ns));
                        if let Some(hosts) = &mut self.hosts {
                            hosts.learn_neighbour(arp.mapped(), arp.mac, now_ns);
                        }
                    }
                    work.became_none(index, reason as u8 + 1);
                    continue;
                }
            };
            pieces += u64::from(packet.fragment != Fragment::No);
            tunnelled += u64::from(packet.key.is_tunnelled());
            parsed_bytes += u64::from(frame.bytes_on_wire());
            self.table.prefetch_tags(hash);
            work.hash[packets] = hash;
            work.frame[packets] = index;
            packets += 1;
        }
        work.packets = packets;
        books.add(Count::Processed, processed);
        books.add(Count::ProcessedBytes, wire_bytes);
        books.add(Count::Parsed, packets as u64);
        books.add(Count::ParsedBytes, parsed_bytes);
        books.add(Count::Fragments, pieces);
        books.add(Count::Tunnelled, tunnelled);
    }

    /// Asks for what the look-up of a packet to come will read, and for what a new flow will write.
    #[inline(always)]
    fn fetch(&mut self, at: usize) {
        if at >= self.work.packets {
            return;
        }
        if let Some(Likely { index, is_new }) = self.table.prefetch_slot(self.work.hash[at]) {
            // The packet is counted in the slot's second line.
            prefetch::<1, _>(self.table.slot(index));
            self.health.fetch(index, is_new);
            if is_new {
                prefetch::<0, _>(&self.sides[index as usize]);
                self.wheel.prefetch(index);
                self.fetch_course(&self.work.packet[at]);
                self.fetch_alerts(&self.work.packet[at]);
                self.fetch_hosts(index, at);
            }
        }
    }

    /// Stage: finds or begins each packet's flow, counts the packet there, inspects it; where packets
    /// are read (`READ`), keeps what readers are told of it.
    #[inline(never)]
    fn look_up<const READ: bool>(&mut self) {
        if self.plan.depth == Depth::Parse {
            if READ {
                self.note_parsed();
            }
            return;
        }
        self.work.begins = 0;
        for at in 0..table::AHEAD {
            self.fetch(at);
        }
        for at in 0..hosts::AHEAD {
            self.fetch_host_slots(at);
        }
        for at in 0..self.work.packets {
            self.fetch(at + table::AHEAD);
            self.fetch_host_slots(at + hosts::AHEAD);
            let packet = self.work.packet[at];
            let hash = self.work.hash[at];
            let place = usize::from(self.work.frame[at]);
            let frame = self.batch.as_slice()[place];
            let index = match self.table.find(&packet.key, hash) {
                Some(index) => self.begin_again(index, &packet, hash, &frame),
                None => self.begin(&packet, hash, &frame),
            };
            let slot = self.table.slot(index);
            let before = Before::of(slot, &packet);
            let is_past = before.is_past(frame.timestamp_ns);
            if is_past {
                self.report_bucket(index, frame.timestamp_ns);
            }
            let verdict = self.account(index, &packet, &frame);
            let slot = self.table.slot(index);
            if course::has_odd_flags(&packet) {
                record::mark(slot, record::ODD_FLAGS);
            }
            let begins = record::packets(slot) == 1;
            let flow_id = if READ { record::flow_id(slot) } else { 0 };
            let inspects = verdict & record::INSPECTED == 0 && self.plan.depth == Depth::Inspect;
            let is_named = inspects && self.inspect(index, verdict, &packet, &frame);
            if is_past || before.verdict != verdict {
                self.tell_news(index, &packet, &frame, before);
            }
            match packet.key.protocol() {
                alerts::UDP if alerts::is_dns(&packet) => self.tell_dns(index, &packet, &frame),
                alerts::ICMP_V6 => self.tell_neighbour(&packet, &frame),
                _ => {}
            }
            if begins || is_named {
                let kind = if begins { RecordKind::Started } else { RecordKind::Updated };
                let slot = self.table.slot(index);
                self.export.flow(kind, EndReason::None, frame.timestamp_ns, slot, &[]);
            }
            if READ {
                let verdict =
                    if inspects { record::verdict_word(self.table.slot(index)) } else { verdict };
                let seen = Seen { flow_id, slot: index, hash, verdict };
                self.note_packet(place, &frame, &seen, &packet);
            }
        }
    }

    /// A SYN on a connection that was closed begins a new flow.
    #[inline(always)]
    fn begin_again(&mut self, index: u32, packet: &Parsed, hash: u64, frame: &Frame) -> u32 {
        if !is_syn(packet) {
            return index;
        }
        self.syn_on_known_flow(index, packet, hash, frame)
    }

    #[cold]
    fn syn_on_known_flow(&mut self, index: u32, packet: &Parsed, hash: u64, frame: &Frame) -> u32 {
        let verdict = record::verdict_word(self.table.slot(index));
        if let (Some(_), Some(closed)) = (&self.plan.timeouts, record::closed(verdict)) {
            self.end_flow(index, closed.reason(), frame.timestamp_ns);
            return self.begin(packet, hash, frame);
        }
        if verdict & record::SYN_SEEN == 0 && self.sides[index as usize].inspection.is_none() {
            record::set_client(self.table.slot(index), packet.swapped);
        }
        index
    }

    /// Begins the flow of `packet`.
    fn begin(&mut self, packet: &Parsed, hash: u64, frame: &Frame) -> u32 {
        let index = match self.table.place(hash) {
            Place::Free(index) => index,
            Place::OnePacket(index) => {
                self.evict(index, Count::FlowsEvictedOnePacket, frame.timestamp_ns);
                index
            }
            Place::Oldest(index) => {
                self.evict(index, Count::FlowsEvictedOldest, frame.timestamp_ns);
                index
            }
        };
        self.table.take(index, hash);
        self.newest_flow += 1;
        let flow_id = flow_id(self.plan.shard, self.newest_flow);
        let slot = self.table.slot(index);
        record::open(slot, &packet.key, flow_id, client_state(packet));
        self.sides[index as usize] = Side::new(seconds(frame.timestamp_ns));
        self.books.one(Count::FlowsCreated);
        self.note_beginning(index, packet, frame.timestamp_ns);
        self.watch(index, frame.timestamp_ns);
        self.begin_hosts(index, packet, frame);
        index
    }

    fn publish(&mut self) {
        let inspected = self.inspector.counters();
        let without_place = inspected.pool_exhausted + inspected.taken_away;
        self.books.set(Count::FlowsLive, u64::from(self.table.live()));
        self.books.set(Count::PacketsInspected, inspected.packets_inspected);
        self.books.set(Count::InspectionsFull, without_place);
        self.books.set(Count::StreamsFull, inspected.streams_exhausted);
        self.books.set(Count::MetadataLost, self.export.metadata_lost());
        self.count_alerts();
        hosts::publish(self.hosts.as_deref(), &mut self.books);
        self.export.publish(&self.books);
    }
}

/// Asks for a frame's headers: nearly always in its first two cache lines.
#[inline(always)]
fn fetch_head(bytes: &[u8]) {
    prefetch::<0, _>(bytes);
    prefetch::<1, _>(bytes);
}

/// Who is the client of a flow that begins with this packet: the sender, unless the packet is
/// the answer to a SYN.
fn client_state(packet: &Parsed) -> u64 {
    const ANSWER: u8 = TcpHead::SYN | TcpHead::ACK;
    let client_is_hi = packet.swapped != (packet.tcp.flags & ANSWER == ANSWER);
    (if client_is_hi { record::CLIENT_IS_HI } else { 0 })
        | if is_syn(packet) { record::SYN_SEEN } else { 0 }
}

/// Whether the packet opens a TCP connection.
#[inline(always)]
const fn is_syn(packet: &Parsed) -> bool {
    packet.tcp.flags & (TcpHead::SYN | TcpHead::ACK) == TcpHead::SYN
}

#[expect(clippy::cast_possible_truncation, reason = "Unix seconds fit 32 bits until 2106")]
const fn seconds(timestamp_ns: u64) -> u32 {
    (timestamp_ns / 1_000_000_000) as u32
}
