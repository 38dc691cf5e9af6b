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
    fn new(line: &LedgerLine) -> Line {
        let named = |all: &[(String, u64)]| {
            let all = all.iter();
            all.map(|(name, packets)| Named { name: name.clone(), packets: *packets }).collect()
        };
        Line {
            label: line.label.clone(),
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
    /// Reads the ledger, several times where packets are on their way.
    pub(crate) fn read(engine: &Attached) -> Books {
        const ATTEMPTS: usize = 6;
        const PAUSE: Duration = Duration::from_millis(30);
        let first = Ledger::from(engine);
        let mut last = first.clone();
        for _ in 0..ATTEMPTS {
            if last.balanced() {
                break;
            }
            live::pause(PAUSE);
            last = Ledger::from(engine);
        }
        let still = last.total == first.total || engine.state() == EngineState::Ended;
        Books::judge(&last, still || !engine.alive())
    }

    /// Reads the ledger once; for those who look again soon.
    pub(crate) fn glance(engine: &Attached) -> Books {
        let still = engine.state() == EngineState::Ended || !engine.alive();
        Books::judge(&Ledger::from(engine), still)
    }

    /// The verdict. `still` says that nothing was moving while the ledger was read.
    fn judge(ledger: &Ledger, still: bool) -> Books {
        let mut faults = Vec::new();
        let mut in_transit = 0;
        let mut missing =
            |label: &str, packets: Option<i128>, what: &str, may_move: bool| match packets {
                None | Some(0) => {}
                Some(some @ 1..) if may_move && !still => {
                    in_transit = in_transit.max(u64::try_from(some).unwrap_or(u64::MAX));
                }
                Some(some) if some > 0 => faults.push(format!("{label}: {some} {what}")),
                Some(some) => {
                    faults.push(format!("{label}: {} packets too many where {what}", -some));
                }
            };
        for line in ledger.queues.iter().chain(&ledger.shards).chain([&ledger.total]) {
            let of = |what| format!("packets {what}");
            missing(&line.label, line.wire_missing(), &of("lost without a name"), true);
            let unnamed = of("processed but neither parsed nor dropped by name");
            // A shard publishes its counters as one set: nothing is ever on its way inside it.
            missing(&line.label, line.processed_missing(), &unnamed, false);
        }
        let handed = "packets handed over that no shard took";
        missing("queues to shards", ledger.handed_over_missing, handed, true);
        Books {
            balanced: faults.is_empty(),
            in_transit,
            faults,
            queues: ledger.queues.iter().map(Line::new).collect(),
            shards: ledger.shards.iter().map(Line::new).collect(),
            total: Line::new(&ledger.total),
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
        assert_eq!(Books::judge(&ledger(20, 5, 15, 13), true).verdict(), "BALANCED");
        let moving = Books::judge(&ledger(23, 5, 15, 13), false);
        assert_eq!(moving.verdict(), "BALANCED (3 packets on their way)");
        let still = Books::judge(&ledger(23, 5, 15, 13), true);
        assert_eq!(still.verdict(), "NOT BALANCED: total: 3 packets lost without a name");
        assert!(!Books::judge(&ledger(18, 5, 15, 13), false).balanced, "out of nowhere");
        let shard = Books::judge(&ledger(20, 5, 15, 12), false);
        assert!(shard.faults[0].starts_with("shard 0: 1 packets processed but"), "{shard:?}");
    }
}
