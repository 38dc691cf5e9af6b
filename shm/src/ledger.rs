//! The books: every packet that came in was passed on or dropped under a name.
//!
//! wire = Σ wire drops + processed, and processed = parsed + Σ drops. A live engine publishes its
//! blocks at different moments, so between blocks a few packets may be under way; within a block
//! that is published as one set nothing may be missing.

use crate::{
    counters::Role,
    reader::{Attached, Counter},
};

/// The ledger of one block, or of all.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct LedgerLine {
    /// Queue, shard or `total`.
    pub label: String,
    /// Packets on the wire, where the block counts them.
    pub wire: Option<u64>,
    /// Packets that never reached a shard, by reason.
    pub wire_drops: Vec<(String, u64)>,
    /// Packets that a shard took, where the block counts them.
    pub processed: Option<u64>,
    /// Packets that a flow got, where the block counts them.
    pub parsed: Option<u64>,
    /// Packets that a shard dropped, by reason.
    pub drops: Vec<(String, u64)>,
}

impl LedgerLine {
    fn new(label: &str, counters: impl Iterator<Item = Counter>) -> Self {
        let mut line = Self { label: label.to_owned(), ..Self::default() };
        for counter in counters {
            match counter.role {
                Role::Wire => add(&mut line.wire, counter.value),
                Role::WireDrop => add_named(&mut line.wire_drops, &counter.name, counter.value),
                Role::Processed => add(&mut line.processed, counter.value),
                Role::Parsed => add(&mut line.parsed, counter.value),
                Role::Drop => add_named(&mut line.drops, &counter.name, counter.value),
                Role::Info => {}
            }
        }
        line
    }

    /// Packets on the wire that are neither processed nor dropped; `None` if this block does not
    /// know both sides. Negative: more came out than went in.
    pub fn wire_missing(&self) -> Option<i128> {
        let out = sum(&self.wire_drops) + i128::from(self.processed?);
        Some(i128::from(self.wire?) - out)
    }

    /// Processed packets that are neither parsed nor dropped; `None` if this block does not know
    /// both sides.
    pub fn processed_missing(&self) -> Option<i128> {
        let out = sum(&self.drops) + i128::from(self.parsed?);
        Some(i128::from(self.processed?) - out)
    }

    /// Whether everything this line can tell adds up.
    pub fn balanced(&self) -> bool {
        self.wire_missing().unwrap_or(0) == 0 && self.processed_missing().unwrap_or(0) == 0
    }
}

/// The ledger of an engine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ledger {
    /// A line for each queue block.
    pub queues: Vec<LedgerLine>,
    /// A line for each shard.
    pub shards: Vec<LedgerLine>,
    /// All together: the wire from the queues, the rest from the shards.
    pub total: LedgerLine,
    /// Packets that the queues count as processed and no shard does; `None` if one of the two does
    /// not count them.
    pub handed_over_missing: Option<i128>,
}

impl Ledger {
    /// Reads an engine's counters. The shards are read first, so that on a live engine packets can
    /// be under way but never out of nowhere.
    pub fn from(engine: &Attached) -> Self {
        let shards: Vec<_> = engine
            .shards()
            .iter()
            .map(|shard| LedgerLine::new(shard.label(), shard.counters()))
            .collect();
        let queues: Vec<_> = engine
            .queues()
            .iter()
            .map(|queue| LedgerLine::new(queue.label(), queue.counters()))
            .collect();
        Self::of(queues, shards)
    }

    fn of(queues: Vec<LedgerLine>, shards: Vec<LedgerLine>) -> Self {
        let mut total = LedgerLine { label: "total".to_owned(), ..LedgerLine::default() };
        for line in queues.iter().chain(&shards) {
            line.wire.into_iter().for_each(|value| add(&mut total.wire, value));
            line.parsed.into_iter().for_each(|value| add(&mut total.parsed, value));
            for (name, value) in &line.wire_drops {
                add_named(&mut total.wire_drops, name, *value);
            }
            for (name, value) in &line.drops {
                add_named(&mut total.drops, name, *value);
            }
        }
        let by_queues = processed(&queues);
        let by_shards = processed(&shards);
        total.processed = by_shards.or(by_queues);
        let handed_over_missing = by_queues
            .zip(by_shards)
            .map(|(queues, shards)| i128::from(queues) - i128::from(shards));
        Self { queues, shards, total, handed_over_missing }
    }

    /// Whether every line and the hand-over between queues and shards add up.
    pub fn balanced(&self) -> bool {
        let mut lines = self.queues.iter().chain(&self.shards).chain([&self.total]);
        lines.all(LedgerLine::balanced) && self.handed_over_missing.unwrap_or(0) == 0
    }
}

fn processed(lines: &[LedgerLine]) -> Option<u64> {
    lines.iter().filter_map(|line| line.processed).reduce(u64::saturating_add)
}

fn sum(named: &[(String, u64)]) -> i128 {
    named.iter().map(|&(_, value)| i128::from(value)).sum()
}

fn add(to: &mut Option<u64>, value: u64) {
    *to = Some(to.unwrap_or(0).saturating_add(value));
}

fn add_named(to: &mut Vec<(String, u64)>, name: &str, value: u64) {
    match to.iter_mut().find(|(known, _)| known == name) {
        Some((_, sum)) => *sum = sum.saturating_add(value),
        None => to.push((name.to_owned(), value)),
    }
}
