//! What the screen shows: read from shared memory once a look, then drawn as often as needed.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, HashMap, VecDeque};

use rustix::time::{ClockId, clock_gettime};
use weir_shm::counters::Unit;
use weir_shm::flow::FlowSnapshot;
use weir_shm::records::{Next, Record, RecordKind, RecordReader, StartAt};
use weir_shm::{Attached, FlowView};

use super::keys::{FlowSort, Screen};
use super::lists::{Sum, Sums, per_second};
use super::rates::Moved;
use crate::field::Seen;
use crate::flow::Flow;
use crate::live;
use crate::stats::books::Books;

/// Looks that the history holds.
const HISTORY: usize = 600;
/// Flows that the list holds.
const FLOWS: usize = 500;
/// Flow records read in one look at most, a shard.
const RECORDS: usize = 200_000;

/// The rates of one look.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Tick {
    pub(super) packets: u64,
    pub(super) bits: u64,
    pub(super) drops: u64,
}

/// A flow on the list.
#[derive(Clone, Debug)]
pub(super) struct FlowLine {
    snapshot: FlowSnapshot,
    shard: u16,
    meta: Box<[u8]>,
    pub(super) rate_bps: u64,
}

impl FlowLine {
    pub(super) fn flow(&self) -> Flow<'_> {
        Flow::decode(&self.snapshot, self.shard, &self.meta)
    }
}

/// A reason for which packets were lost.
#[derive(Clone, Debug)]
pub(super) struct DropLine {
    pub(super) name: String,
    pub(super) total: u64,
    pub(super) rate: u64,
    /// Lost before a shard took it, rather than dropped by one.
    pub(super) before_shard: bool,
}

/// See the module.
#[derive(Debug)]
pub(super) struct Model {
    pub(super) title: String,
    pub(super) state: &'static str,
    pub(super) sources: String,
    pub(super) up_ns: u64,
    pub(super) quiet_ns: u64,
    /// Up to when `idle` counts.
    pub(super) now_ns: u64,
    pub(super) history: VecDeque<Tick>,
    pub(super) packets: u64,
    pub(super) bytes: u64,
    pub(super) books: Option<Books>,
    pub(super) drops: Vec<DropLine>,
    pub(super) live_flows: u64,
    /// Flows that pass the filter.
    pub(super) matching: u64,
    pub(super) flows: Vec<FlowLine>,
    pub(super) apps: Vec<Sum>,
    pub(super) servers: Vec<Sum>,
    pub(super) clients: Vec<Sum>,
    /// Flow records that came too fast to be read.
    pub(super) missed: u64,
    looked_ns: u64,
    totals: Totals,
    /// Looks in a row that saw no counter move.
    still_looks: u32,
    moved: Moved,
    records: Vec<(u16, RecordReader)>,
    ended: HashMap<(u16, u16), u64>,
}

/// Totals of one look.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
struct Totals {
    packets: u64,
    bytes: u64,
    drops: u64,
}

impl Model {
    /// Nothing seen yet. Flow records are followed from now on.
    pub(super) fn new(engine: &Attached) -> Model {
        let info = engine.info();
        let sources: Vec<String> = info.sources.iter().map(|s| live::short_source(s)).collect();
        Model {
            title: format!("weir {} · {}", info.engine_version, info.name),
            state: live::state_word(engine),
            sources: sources.join(", "),
            up_ns: 0,
            quiet_ns: 0,
            now_ns: 0,
            history: VecDeque::with_capacity(HISTORY),
            packets: 0,
            bytes: 0,
            books: None,
            drops: Vec::new(),
            live_flows: 0,
            matching: 0,
            flows: Vec::new(),
            apps: Vec::new(),
            servers: Vec::new(),
            clients: Vec::new(),
            missed: 0,
            looked_ns: 0,
            totals: Totals::default(),
            still_looks: 0,
            moved: Moved::default(),
            records: engine.shards().iter().map(|s| (s.shard(), s.records(StartAt::Now))).collect(),
            ended: HashMap::new(),
        }
    }

    /// Looks at the engine.
    pub(super) fn look(&mut self, engine: &Attached, screen: &Screen) {
        let looked_ns = monotonic_ns();
        let first = self.looked_ns == 0;
        let passed_ns = if first { 0 } else { looked_ns.saturating_sub(self.looked_ns) };
        let seconds = std::time::Duration::from_nanos(passed_ns).as_secs_f64();
        self.looked_ns = looked_ns;
        self.state = live::state_word(engine);
        self.up_ns = live::now_ns().saturating_sub(engine.info().start_ns);
        self.quiet_ns = live::now_ns().saturating_sub(engine.heartbeat());
        self.now_ns = live::engine_now_ns(engine);
        self.count(engine, seconds);
        self.scan(engine, screen, seconds);
    }

    /// Counters and ledger.
    fn count(&mut self, engine: &Attached, seconds: f64) {
        // Blocks that are published once a second need two looks to come together.
        let books = Books::glance(engine, self.still_looks >= 2);
        let lost = &books.total.lost;
        let dropped = &books.total.dropped;
        let before: HashMap<String, u64> =
            self.drops.drain(..).map(|line| (line.name, line.total)).collect();
        let both = lost.iter().map(|n| (n, true)).chain(dropped.iter().map(|n| (n, false)));
        self.drops = both
            .map(|(named, before_shard)| {
                let was = before.get(&named.name).copied().unwrap_or(named.packets);
                let more = named.packets.saturating_sub(was);
                DropLine {
                    name: named.name.clone(),
                    total: named.packets,
                    rate: per_second(more, seconds),
                    before_shard,
                }
            })
            .collect();
        let totals = Totals {
            packets: books.total.wire.or(books.total.processed).unwrap_or(0),
            bytes: bytes_taken(engine),
            drops: self.drops.iter().map(|line| line.total).fold(0, u64::saturating_add),
        };
        let was = std::mem::replace(&mut self.totals, totals);
        self.still_looks = if was == totals { self.still_looks.saturating_add(1) } else { 0 };
        (self.packets, self.bytes) = (totals.packets, totals.bytes);
        if seconds > 0.0 {
            let more = |now: u64, was: u64| per_second(now.saturating_sub(was), seconds);
            if self.history.len() == HISTORY {
                self.history.pop_front();
            }
            self.history.push_back(Tick {
                packets: more(totals.packets, was.packets),
                bits: more(totals.bytes, was.bytes).saturating_mul(8),
                drops: more(totals.drops, was.drops),
            });
        }
        self.books = Some(books);
    }

    /// Flows: ended ones from the records, live ones from the table.
    fn scan(&mut self, engine: &Attached, screen: &Screen, seconds: f64) {
        let mut sums = Sums::default();
        let ended_moved = self.read_records(screen);
        self.moved.begin();
        let mut first: BinaryHeap<(Reverse<u64>, u64)> = BinaryHeap::new();
        let mut kept: HashMap<u64, FlowLine> = HashMap::new();
        let (mut matching, mut number) = (0, 0_u64);
        let now_ns = self.now_ns;
        let moved = &mut self.moved;
        let scanned: Result<live::Scanned, std::convert::Infallible> =
            live::scan(engine, |flow, view| {
                let more = moved.live(flow);
                if !screen.accepts(&Seen { flow, now_ns }) {
                    return Ok(());
                }
                matching += 1;
                number += 1;
                sums.live(flow, more);
                let rate_bps = per_second(more.saturating_mul(8), seconds);
                let key = screen.flow_sort.key(flow, rate_bps);
                let full = first.len() >= FLOWS;
                if full && first.peek().is_some_and(|(Reverse(least), _)| *least >= key) {
                    return Ok(());
                }
                first.push((Reverse(key), number));
                kept.insert(number, line(flow, view, rate_bps));
                if full && let Some((_, out)) = first.pop() {
                    kept.remove(&out);
                }
                Ok(())
            });
        self.live_flows = scanned.map_or(0, |scanned| scanned.flows);
        self.matching = matching;
        self.flows = first
            .into_sorted_vec()
            .into_iter()
            .filter_map(|(_, number)| kept.remove(&number))
            .collect();
        for (app, bytes) in &self.ended {
            let moved = ended_moved.get(app).copied().unwrap_or(0);
            sums.ended(*app, *bytes, moved);
        }
        let [apps, servers, clients] = sums.lists(seconds);
        (self.apps, self.servers, self.clients) = (apps, servers, clients);
        screen.sort_lists(&mut self.apps, &mut self.servers, &mut self.clients);
    }

    /// Adds up flows that ended since the last look; what they moved meanwhile, by application.
    fn read_records(&mut self, screen: &Screen) -> HashMap<(u16, u16), u64> {
        let mut moved = HashMap::new();
        let mut record = Record::default();
        for (shard, reader) in &mut self.records {
            for _ in 0..RECORDS {
                match reader.next(&mut record) {
                    Next::Empty | Next::Corrupt => break,
                    Next::Missed(many) => self.missed += many,
                    Next::Record if record.kind != RecordKind::Ended => {}
                    Next::Record => {
                        let flow = Flow::decode(&record.flow, *shard, &record.meta);
                        if screen.accepts(&Seen { flow: &flow, now_ns: self.now_ns }) {
                            let app = (flow.master, flow.app);
                            *self.ended.entry(app).or_default() += flow.bytes_total();
                            *moved.entry(app).or_default() += self.moved.ended(&flow);
                        }
                    }
                }
            }
        }
        moved
    }

    /// Forgets what ended: the filter changed, and ended flows cannot be asked again.
    pub(super) fn forget_ended(&mut self) {
        self.ended.clear();
    }

    /// The newest rates.
    pub(super) fn latest(&self) -> Tick {
        self.history.back().copied().unwrap_or_default()
    }
}

fn line(flow: &Flow<'_>, view: &FlowView, rate_bps: u64) -> FlowLine {
    let meta = view.meta.as_slice().into();
    FlowLine { snapshot: view.snapshot, shard: flow.shard, meta, rate_bps }
}

/// Bytes that shards took in: the counter of that name, or the first in bytes.
fn bytes_taken(engine: &Attached) -> u64 {
    let of_shard = |shard: &weir_shm::ShardReader| {
        let mut in_bytes = shard.counters().filter(|counter| counter.unit == Unit::Bytes);
        let first = in_bytes.next()?;
        let named = in_bytes.find(|counter| counter.name == "bytes_processed");
        Some(named.filter(|_| first.name != "bytes_processed").unwrap_or(first).value)
    };
    engine.shards().iter().filter_map(of_shard).fold(0, u64::saturating_add)
}

/// A clock that only goes forward.
pub(super) fn monotonic_ns() -> u64 {
    let now = clock_gettime(ClockId::Monotonic);
    let seconds = u64::try_from(now.tv_sec).unwrap_or(0);
    seconds.saturating_mul(1_000_000_000) + u64::try_from(now.tv_nsec).unwrap_or(0)
}

impl FlowSort {
    /// By what a flow is put in order, the greatest first.
    fn key(self, flow: &Flow<'_>, rate_bps: u64) -> u64 {
        match self {
            FlowSort::Rate => rate_bps,
            FlowSort::Bytes => flow.bytes_total(),
            FlowSort::Packets => flow.packets_total(),
            FlowSort::Newest => flow.first_ns,
            FlowSort::Duration => flow.duration_ns(),
        }
    }
}
