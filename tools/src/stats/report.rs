//! Everything `weir stats` shows, read once; its JSON form is the derived one.

use serde::Serialize;
use weir_shm::Attached;
use weir_shm::counters::{Role, Unit};
use weir_shm::reader::{Counter, NamedHistogram};

use super::books::Books;
use crate::live;

/// See the module.
#[derive(Clone, Debug, Serialize)]
pub(super) struct Report {
    pub(super) engine: EngineLine,
    pub(super) ledger: Books,
    pub(super) queues: Vec<Block>,
    pub(super) shards: Vec<Block>,
    pub(super) histograms: Vec<HistogramLine>,
}

/// Who is being read.
#[derive(Clone, Debug, Serialize)]
pub(super) struct EngineLine {
    pub(super) name: String,
    pub(super) version: String,
    pub(super) pid: u32,
    pub(super) state: &'static str,
    pub(super) sources: Vec<String>,
    pub(super) shards: u16,
    pub(super) start_ns: u64,
    pub(super) heartbeat_ns: u64,
    /// When the report was read.
    pub(super) read_ns: u64,
    pub(super) flow_slots: usize,
}

/// The counters of a queue or shard.
#[derive(Clone, Debug, Serialize)]
pub(super) struct Block {
    pub(super) label: String,
    pub(super) counters: Vec<CounterLine>,
}

/// One counter.
#[derive(Clone, Debug, Serialize)]
pub(super) struct CounterLine {
    pub(super) name: String,
    pub(super) unit: &'static str,
    pub(super) role: &'static str,
    pub(super) value: u64,
    pub(super) help: String,
}

/// One histogram of one shard.
#[derive(Clone, Debug, Serialize)]
pub(super) struct HistogramLine {
    pub(super) shard: u16,
    pub(super) name: String,
    pub(super) unit: &'static str,
    pub(super) help: String,
    pub(super) count: u64,
    pub(super) min: u64,
    pub(super) mean: f64,
    pub(super) p50: u64,
    pub(super) p90: u64,
    pub(super) p99: u64,
    pub(super) p999: u64,
    pub(super) max: u64,
}

impl Report {
    pub(super) fn read(engine: &Attached) -> Report {
        let info = engine.info();
        let shards = engine.shards();
        let block = |label: &str, counters: &mut dyn Iterator<Item = Counter>| Block {
            label: label.to_owned(),
            counters: counters.map(CounterLine::new).collect(),
        };
        Report {
            engine: EngineLine {
                name: info.name.clone(),
                version: info.engine_version.clone(),
                pid: info.pid,
                state: live::state_word(engine),
                sources: info.sources.clone(),
                shards: info.shards,
                start_ns: info.start_ns,
                heartbeat_ns: engine.heartbeat(),
                read_ns: live::now_ns(),
                flow_slots: shards.iter().map(weir_shm::ShardReader::flow_slots).sum(),
            },
            ledger: Books::read(engine),
            queues: engine.queues().iter().map(|q| block(q.label(), &mut q.counters())).collect(),
            shards: shards.iter().map(|s| block(s.label(), &mut s.counters())).collect(),
            histograms: shards
                .iter()
                .flat_map(|shard| shard.histograms().map(|h| HistogramLine::new(shard.shard(), h)))
                .collect(),
        }
    }
}

impl CounterLine {
    fn new(counter: Counter) -> CounterLine {
        let Counter { name, unit, role, help, value } = counter;
        CounterLine { name, unit: unit_word(unit), role: role_word(role), value, help }
    }
}

impl HistogramLine {
    fn new(shard: u16, histogram: NamedHistogram) -> HistogramLine {
        let NamedHistogram { name, unit, help, values } = histogram;
        HistogramLine {
            shard,
            name,
            unit: unit_word(unit),
            help,
            count: values.count(),
            min: values.min(),
            mean: values.mean(),
            p50: values.percentile(0.5),
            p90: values.percentile(0.9),
            p99: values.percentile(0.99),
            p999: values.percentile(0.999),
            max: values.max(),
        }
    }

    /// The whole numbers with their names.
    pub(super) fn figures(&self) -> [(&'static str, u64); 7] {
        [
            ("count", self.count),
            ("min", self.min),
            ("p50", self.p50),
            ("p90", self.p90),
            ("p99", self.p99),
            ("p999", self.p999),
            ("max", self.max),
        ]
    }
}

fn unit_word(unit: Unit) -> &'static str {
    match unit {
        Unit::Packets => "packets",
        Unit::Bytes => "bytes",
        Unit::Nanoseconds => "ns",
        Unit::UnixNanoseconds => "unix_ns",
        Unit::PerSecond => "per_second",
        Unit::Flows => "flows",
        Unit::Cycles => "cycles",
        _ => "count",
    }
}

fn role_word(role: Role) -> &'static str {
    match role {
        Role::Wire => "wire",
        Role::WireDrop => "wire_drop",
        Role::Processed => "processed",
        Role::Parsed => "parsed",
        Role::Drop => "drop",
        _ => "info",
    }
}
