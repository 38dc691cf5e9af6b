//! What the screen shows: read from shared memory once a look, then drawn as often as needed.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, HashMap, VecDeque};

use weir_shm::alerts::{Alert, Severity};
use weir_shm::counters::Unit;
use weir_shm::flow::FlowSnapshot;
use weir_shm::hosts::{Hosts, TotalKey};
use weir_shm::{Attached, FlowView};

use super::keys::{Page, Screen};
use super::lists::{self, AppLine, Directions, HostLine};
use super::rates::{Moved, per_second};
use super::sheet::{Known, Sheet, Target};
use crate::alerts::follow::Listing;
use crate::alerts::show;
use crate::field::Seen;
use crate::flow::Flow;
use crate::flow_page::Found;
use crate::hosts::Books as HostBooks;
use crate::live;
use crate::stats::books::Books;

/// Looks that the history holds.
const HISTORY: usize = 600;
/// Flows that the list holds.
const FLOWS: usize = 500;

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
    /// The engine keeps hosts, and so applications.
    pub(super) keeps_hosts: bool,
    pub(super) apps: Vec<AppLine>,
    pub(super) hosts: Vec<HostLine>,
    /// Hosts that have the part that is to be found, those beyond the list included.
    pub(super) host_count: usize,
    /// Bytes of everything.
    pub(super) host_bytes: u64,
    /// Alerts that have the part that is to be found.
    pub(super) alerts: Vec<Alert>,
    /// How many alerts are active, and how grave the gravest of them is.
    pub(super) active: (usize, Severity),
    /// What is open above the page.
    pub(super) sheet: Sheet,
    books_of_hosts: HostBooks,
    known_hosts: Option<Hosts>,
    directions: Directions,
    known_alerts: Vec<Alert>,
    found: Option<(u64, Found)>,
    looked_ns: u64,
    totals: Totals,
    /// Looks in a row that saw no counter move.
    still_looks: u32,
    moved: Moved,
}

/// Totals of one look.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
struct Totals {
    packets: u64,
    bytes: u64,
    drops: u64,
}

impl Model {
    /// Nothing seen yet.
    pub(super) fn new(engine: &Attached, books_of_hosts: HostBooks) -> Model {
        let info = engine.info();
        let sources: Vec<String> = info.sources.iter().map(|s| live::short_source(s)).collect();
        Model {
            title: format!("weir {} · {}", info.engine_version, info.name),
            state: live::state_word(engine),
            sources: sources.join(", "),
            keeps_hosts: engine.shards().iter().any(|shard| shard.hosts().room() > 0),
            ..Model::blank(books_of_hosts)
        }
    }

    /// Of an engine of which nothing is known.
    fn blank(books_of_hosts: HostBooks) -> Model {
        Model {
            title: String::new(),
            state: "starting",
            sources: String::new(),
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
            keeps_hosts: false,
            apps: Vec::new(),
            hosts: Vec::new(),
            host_count: 0,
            host_bytes: 0,
            alerts: Vec::new(),
            active: (0, Severity::Low),
            sheet: Sheet::default(),
            books_of_hosts,
            known_hosts: None,
            directions: Directions::default(),
            known_alerts: Vec::new(),
            found: None,
            looked_ns: 0,
            totals: Totals::default(),
            still_looks: 0,
            moved: Moved::default(),
        }
    }

    /// Looks at the engine.
    pub(super) fn look(&mut self, engine: &Attached, screen: &Screen) {
        let looked_ns = live::monotonic_ns();
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
        let Listing { active, ended } = Listing::of(engine);
        self.known_alerts = active.into_iter().chain(ended).collect();
        if self.keeps_hosts && needs_hosts(screen) {
            // What was known is given back first: there may be a great many hosts.
            self.known_hosts = None;
            let all = engine.hosts();
            self.directions.follow(&all, self.now_ns);
            self.known_hosts = Some(all);
        }
        self.arrange(engine, screen);
    }

    /// Puts what is known in the order that is asked for, and writes what is open above the page.
    pub(super) fn arrange(&mut self, engine: &Attached, screen: &Screen) {
        let active = self.known_alerts.iter().filter(|alert| alert.end_ns == 0);
        let gravest = active.clone().map(|alert| alert.severity).max();
        self.active = (active.count(), gravest.unwrap_or_default());
        let part = screen.part(Page::Alerts);
        let fits = |alert: &&Alert| part.is_empty() || lists::has(part, &[&show::sentence(alert)]);
        self.alerts = self.known_alerts.iter().filter(fits).copied().collect();
        self.alerts.sort_by(|a, b| screen.alert_sort.compare(a, b));
        if self.keeps_hosts && self.known_hosts.is_none() && needs_hosts(screen) {
            self.known_hosts = Some(engine.hosts());
        }
        if let Some(all) = &self.known_hosts {
            let part = screen.part(Page::Applications);
            self.apps = lists::apps(all, screen.app_sort, part, self.now_ns);
            let alerts: Vec<Alert> =
                self.known_alerts.iter().filter(|alert| alert.end_ns == 0).copied().collect();
            let wanted = (screen.host_sort, screen.part(Page::Hosts));
            (self.hosts, self.host_count) =
                lists::hosts(all, &self.directions, &alerts, &self.books_of_hosts, wanted);
            let everything = all.totals.get(&TotalKey::All);
            self.host_bytes = everything.map_or(0, |total| total.share.all_bytes());
        }
        self.sheet = screen.target().map_or_else(Sheet::default, |target| {
            let known = Known {
                engine,
                hosts: self.known_hosts.as_ref(),
                alerts: &self.known_alerts,
                books: &self.books_of_hosts,
                now_ns: self.now_ns,
                columns: screen.columns,
            };
            Sheet::of(target, &known, &mut self.found)
        });
    }

    /// Lines of a page that can be selected.
    pub(super) fn lines(&self, page: Page) -> usize {
        match page {
            Page::Overview | Page::Flows => self.flows.len(),
            Page::Applications => self.apps.len(),
            Page::Hosts => self.hosts.len(),
            Page::Drops => self.drops.len(),
            Page::Alerts => self.alerts.len(),
        }
    }

    /// Where the enter key leads to from a line of a page.
    pub(super) fn target(&self, page: Page, line: usize) -> Option<Target> {
        match page {
            Page::Overview | Page::Flows => {
                self.flows.get(line).map(|line| Target::Flow(line.snapshot.flow_id()))
            }
            Page::Applications => self.apps.get(line).map(AppLine::flows),
            Page::Hosts => self.hosts.get(line).map(|host| Target::Host(host.address)),
            Page::Alerts => {
                self.alerts.get(line).map(|alert| Target::Alert(alert.id, alert.start_ns))
            }
            Page::Drops => None,
        }
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

    /// The live flows.
    fn scan(&mut self, engine: &Attached, screen: &Screen, seconds: f64) {
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

/// Whether anything that is shown is made of hosts.
fn needs_hosts(screen: &Screen) -> bool {
    matches!(screen.page, Page::Overview | Page::Applications | Page::Hosts)
        || matches!(screen.target(), Some(Target::Host(_)))
}

#[cfg(test)]
pub(super) mod tests {
    use weir_shm::hosts::HostKind;

    use super::*;
    use crate::alerts::show::tests::sample as alert;

    /// Two applications, two hosts, a flow, and two alerts of which one has ended.
    pub(in crate::top) fn sample() -> Model {
        let app = |name: &str, bytes| AppLine {
            name: name.to_owned(),
            category: "Web",
            bytes,
            rate_bps: 2_000_000,
            flows: 7,
            live: 3,
            hosts: 2,
            latency_ns: [Some(4_000_000), Some(90_000_000)],
        };
        let host = |last: u8, kind, alerts| HostLine {
            address: [10, 0, 0, last].into(),
            name: if last == 5 { "printer".to_owned() } else { String::new() },
            kind,
            rates_bps: [1_500_000, 250_000],
            bytes: [3_000_000, 1_000_000],
            flows: 12,
            live: 4,
            app: "TLS".to_owned(),
            os: "Linux",
            vendor: "Cisco".to_owned(),
            alerts,
            last_ns: 69_000_000_000,
        };
        let over = Alert { id: 0xdef, end_ns: 65_000_000_000, ..alert() };
        let view = FlowView { snapshot: crate::flow::tests::sample(), ..FlowView::default() };
        let flow = Flow::decode(&view.snapshot, 0, &[]);
        Model {
            title: "weir 9.9.9 · test".to_owned(),
            state: "running",
            now_ns: 70_000_000_000,
            live_flows: 1,
            flows: vec![line(&flow, &view, 1_000)],
            keeps_hosts: true,
            apps: vec![app("TLS", 3_000_000), app("DNS", 1_000_000)],
            hosts: vec![host(5, HostKind::Local, 1), host(9, HostKind::System, 0)],
            host_count: 2,
            host_bytes: 4_000_000,
            alerts: vec![alert(), over],
            active: (1, Severity::High),
            ..Model::blank(HostBooks::empty())
        }
    }
}
