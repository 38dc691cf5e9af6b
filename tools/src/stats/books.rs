//! The verdict on the ledger.
//!
//! A live engine publishes its blocks at different moments, so packets can be on their way from
//! one block to the next while they are read. What stays missing while nothing moves is missing.

use std::time::Duration;

use serde::Serialize;
use weir_shm::{Attached, EngineState, Ledger, LedgerLine};

use crate::live;

/// The ledger, and what is to be said of it.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Books {
    /// Whether every line adds up, packets on their way allowed.
    pub(crate) balanced: bool,
    /// Packets that were between two blocks at the moment of reading.
    pub(crate) in_transit: u64,
    /// One sentence for every line that does not add up.
    pub(crate) faults: Vec<String>,
    pub(crate) queues: Vec<Line>,
    pub(crate) shards: Vec<Line>,
    pub(crate) total: Line,
}

/// One line of the ledger.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Line {
    pub(crate) label: String,
    pub(crate) wire: Option<u64>,
    /// Packets that never reached a shard, by name.
    pub(crate) lost: Vec<Named>,
    pub(crate) processed: Option<u64>,
    pub(crate) parsed: Option<u64>,
    /// Packets that a shard dropped, by name.
    pub(crate) dropped: Vec<Named>,
}

/// A number with its name.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Named {
    pub(crate) name: String,
    pub(crate) packets: u64,
}

impl Line {
    fn new(line: &LedgerLine, label: String) -> Line {
        let named = |all: &[(String, u64)]| {
            let all = all.iter();
            all.map(|(name, packets)| Named { name: name.clone(), packets: *packets }).collect()
        };
        Line {
            label,
            wire: line.wire,
            lost: named(&line.wire_drops),
            processed: line.processed,
            parsed: line.parsed,
            dropped: named(&line.drops),
        }
    }
}

/// The sum of named packets.
pub(crate) fn sum(all: &[Named]) -> u64 {
    all.iter().map(|named| named.packets).fold(0, u64::saturating_add)
}

impl Books {
    /// Reads the ledger, for a second at most while packets are on their way.
    pub(crate) fn read(engine: &Attached) -> Books {
        const ATTEMPTS: usize = 12;
        const PAUSE: Duration = Duration::from_millis(100);
        let first = Ledger::from(engine);
        let mut last = first.clone();
        for _ in 0..ATTEMPTS {
            if last.balanced() || engine.state() == EngineState::Ended || !engine.alive() {
                break;
            }
            live::pause(PAUSE);
            last = Ledger::from(engine);
        }
        Books::of(engine, &last, last.total == first.total)
    }

    /// Reads the ledger once, for those who look again soon. `still` says that nothing moved
    /// during the last looks.
    pub(crate) fn glance(engine: &Attached, still: bool) -> Books {
        Books::of(engine, &Ledger::from(engine), still)
    }

    fn of(engine: &Attached, ledger: &Ledger, still: bool) -> Books {
        let still = still || engine.state() == EngineState::Ended || !engine.alive();
        let numbers: Vec<u16> = engine.shards().iter().map(weir_shm::ShardReader::shard).collect();
        Books::judge(ledger, &numbers, still)
    }

    /// The verdict. `still` says that nothing was moving while the ledger was read.
    fn judge(ledger: &Ledger, shards: &[u16], still: bool) -> Books {
        let queues: Vec<Line> =
            ledger.queues.iter().map(|l| Line::new(l, live::short_source(&l.label))).collect();
        let shards: Vec<Line> = ledger
            .shards
            .iter()
            .zip(shards)
            .map(|(line, number)| Line::new(line, format!("shard {number}")))
            .collect();
        let mut judge = Judge { still, in_transit: 0, faults: Vec::new() };
        let labels = queues.iter().chain(&shards).map(|line| line.label.as_str());
        let lines = ledger.queues.iter().chain(&ledger.shards).zip(labels);
        for (line, label) in lines.chain([(&ledger.total, "total")]) {
            judge.between(line.wire_missing(), label, "on the wire", "lost or processed");
            judge.within(line.processed_missing(), label);
        }
        let missing = ledger.handed_over_missing;
        judge.between(missing, "queues to shards", "handed over", "taken by shards");
        Books {
            balanced: judge.faults.is_empty(),
            in_transit: judge.in_transit,
            faults: judge.faults,
            queues,
            shards,
            total: Line::new(&ledger.total, "total".to_owned()),
        }
    }

    /// One line: BALANCED, or what is not.
    pub(crate) fn verdict(&self) -> String {
        match (self.balanced, self.in_transit) {
            (true, 0) => "BALANCED".to_owned(),
            (true, packets) => format!("BALANCED ({packets} packets on their way)"),
            (false, _) => format!("NOT BALANCED: {}", self.faults.join("; ")),
        }
    }
}

struct Judge {
    still: bool,
    in_transit: u64,
    faults: Vec<String>,
}

impl Judge {
    /// Between blocks, which are published at different moments, packets may be on their way in
    /// either direction: the earlier block may be the one that is published more rarely.
    fn between(&mut self, missing: Option<i128>, label: &str, before: &str, after: &str) {
        let missing = missing.unwrap_or(0);
        let packets = u64::try_from(missing.unsigned_abs()).unwrap_or(u64::MAX);
        if !self.still {
            self.in_transit = self.in_transit.max(packets);
        } else if missing > 0 {
            self.faults.push(format!("{label}: of the packets {before} {packets} are not {after}"));
        } else if missing < 0 {
            self.faults.push(format!("{label}: {packets} packets {after} were never {before}"));
        }
    }

    /// A shard publishes its counters as one set: nothing is ever on its way inside it.
    fn within(&mut self, missing: Option<i128>, label: &str) {
        let missing = missing.unwrap_or(0);
        if missing != 0 {
            let what = "between the packets processed and those parsed or dropped by name";
            self.faults.push(format!("{label}: a difference of {missing} {what}"));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ledger(wire: u64, lost: u64, processed: u64, parsed: u64) -> Ledger {
        let empty = LedgerLine::default();
        let queue = LedgerLine {
            label: "q".into(),
            wire: Some(wire),
            wire_drops: vec![("ring_full".into(), lost)],
            ..empty.clone()
        };
        let shard = LedgerLine {
            label: "shard 0".into(),
            processed: Some(processed),
            parsed: Some(parsed),
            drops: vec![("arp".into(), 2)],
            ..empty
        };
        let total = LedgerLine {
            label: "total".into(),
            wire: queue.wire,
            wire_drops: queue.wire_drops.clone(),
            ..shard.clone()
        };
        Ledger { queues: vec![queue], shards: vec![shard], total, handed_over_missing: None }
    }

    #[test]
    fn a_packet_on_its_way_is_not_a_fault_until_nothing_moves() {
        let judge = |ledger: &Ledger, still| Books::judge(ledger, &[0], still);
        assert_eq!(judge(&ledger(20, 5, 15, 13), true).verdict(), "BALANCED");
        for wire in [23, 17] {
            let moving = judge(&ledger(wire, 5, 15, 13), false);
            assert_eq!(moving.verdict(), "BALANCED (3 packets on their way)");
            assert!(!judge(&ledger(wire, 5, 15, 13), true).balanced);
        }
        let still = judge(&ledger(23, 5, 15, 13), true);
        let wanted = "NOT BALANCED: total: of the packets on the wire 3 are not lost or processed";
        assert_eq!(still.verdict(), wanted);
        let shard = judge(&ledger(20, 5, 15, 12), false);
        assert!(shard.faults[0].starts_with("shard 0: a difference of 1 between"), "{shard:?}");
    }
}
