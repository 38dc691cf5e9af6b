//! The alerts of all shards as one: shares of the same identity come together.

use std::collections::BTreeMap;

use super::{Adds, Alert, FIGURES, Phase};

/// See the module. Given what each shard wrote, in its order, it says what is to be told.
#[derive(Debug)]
pub struct Merged {
    shards: usize,
    open: BTreeMap<u64, Open>,
}

/// An alert that some shard has begun and not ended.
#[derive(Debug)]
struct Open {
    /// The newest record of each shard, those that ended included.
    shares: Vec<(u16, Alert)>,
    /// Its start was told; what it then was.
    told: Option<Alert>,
}

impl Merged {
    /// For an engine of so many shards.
    pub fn new(shards: usize) -> Merged {
        Merged { shards, open: BTreeMap::new() }
    }

    /// Takes in a record of a shard; gives the record that it makes of the alert as a whole, if that
    /// is one.
    pub fn take(&mut self, shard: u16, alert: &Alert) -> Option<Alert> {
        if self.shards <= 1 {
            return Some(*alert);
        }
        let open = self.open.entry(alert.id).or_insert(Open { shares: Vec::new(), told: None });
        match open.shares.iter_mut().find(|(of, _)| *of == shard) {
            Some((_, known)) => *known = *alert,
            None => open.shares.push((shard, *alert)),
        }
        let is_over = open.shares.iter().all(|(_, share)| share.phase == Phase::Ended);
        let whole = open.whole(alert.window);
        let holds = match alert.kind.adds() {
            Adds::Sum => whole.value >= whole.threshold,
            Adds::Any => true,
            Adds::All => {
                let going = open.shares.iter().filter(|(_, share)| share.phase != Phase::Ended);
                going.count() == self.shards
            }
        };
        let mut told = match open.told {
            None if !holds => None,
            // A share that ends may be the one that tells how much there was.
            None if is_over => None,
            None => Some(Alert { phase: Phase::Started, ..whole }),
            Some(before) => Some(Alert {
                phase: if is_over || leaves(alert, holds) { Phase::Ended } else { Phase::Updated },
                start_ns: before.start_ns,
                peak: before.peak.max(whole.value),
                end_ns: if is_over || leaves(alert, holds) { alert.time_ns } else { 0 },
                ..whole
            }),
        };
        if let Some(told) = &mut told {
            told.peak = told.peak.max(told.value);
            open.told = (told.phase != Phase::Ended).then_some(*told);
        }
        if is_over {
            self.open.remove(&alert.id);
        }
        told
    }

    /// Those that are active.
    pub fn active(&self) -> impl Iterator<Item = &Alert> {
        self.open.values().filter_map(|open| open.told.as_ref())
    }
}

/// Whether an alert that every shard has to raise is one no more.
fn leaves(alert: &Alert, holds: bool) -> bool {
    alert.kind.adds() == Adds::All && !holds
}

impl Open {
    /// The shares together, in this window.
    fn whole(&self, window: u64) -> Alert {
        let shares = || self.shares.iter().map(|(_, share)| share);
        let newest = shares().max_by_key(|share| share.time_ns).copied().unwrap_or_default();
        let mut whole = newest;
        let adds = newest.kind.adds();
        let of_window = || shares().filter(|share| share.window == window);
        whole.window = window;
        whole.start_ns = shares().map(|share| share.start_ns).min().unwrap_or(newest.start_ns);
        whole.update_ns = shares().map(|share| share.update_ns).max().unwrap_or(newest.update_ns);
        whole.times = shares().map(|share| share.times).max().unwrap_or(newest.times);
        whole.end_ns = 0;
        whole.value = match adds {
            Adds::Sum => of_window().map(|share| share.value).fold(0, u64::saturating_add),
            Adds::Any => newest.value,
            Adds::All => shares().map(|share| share.value).min().unwrap_or(0),
        };
        whole.peak = whole.value;
        if adds == Adds::Sum {
            whole.figures = [None; FIGURES];
            for (figure, value) in of_window().flat_map(|share| share.figures.iter().flatten()) {
                let before = whole.figure(*figure).unwrap_or(0);
                whole.set_figure(*figure, before.saturating_add(*value));
            }
        }
        for flow in shares().flat_map(|share| share.flows) {
            whole.add_flow(flow);
        }
        whole
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::alerts::AlertKind;

    fn share(kind: AlertKind, phase: Phase, window: u64, value: u64) -> Alert {
        Alert {
            id: 7,
            kind,
            phase,
            window,
            value,
            threshold: 100,
            time_ns: window,
            ..Alert::default()
        }
    }

    #[test]
    fn shares_of_a_window_add_up() {
        let mut merged = Merged::new(2);
        let scan = |phase, window, value| share(AlertKind::PortScan, phase, window, value);
        assert_eq!(merged.take(0, &scan(Phase::Started, 5, 60)), None);
        assert_eq!(merged.take(1, &scan(Phase::Started, 4, 60)), None, "of another window");
        let whole = merged.take(1, &scan(Phase::Updated, 5, 50)).unwrap();
        assert_eq!((whole.phase, whole.value), (Phase::Started, 110));
        assert_eq!(merged.active().count(), 1);
        let whole = merged.take(0, &scan(Phase::Updated, 5, 90)).unwrap();
        assert_eq!((whole.phase, whole.value, whole.peak), (Phase::Updated, 140, 140));
        let whole = merged.take(0, &scan(Phase::Ended, 6, 1)).unwrap();
        assert_eq!(whole.phase, Phase::Updated, "the other still has it");
        let whole = merged.take(1, &scan(Phase::Ended, 6, 1)).unwrap();
        assert_eq!((whole.phase, whole.peak), (Phase::Ended, 140));
        assert_eq!(merged.active().count(), 0);
    }

    #[test]
    fn what_never_reaches_the_threshold_is_never_told() {
        let mut merged = Merged::new(2);
        let scan = |phase, value| share(AlertKind::PortScan, phase, 5, value);
        assert_eq!(merged.take(0, &scan(Phase::Started, 30)), None);
        assert_eq!(merged.take(1, &scan(Phase::Started, 30)), None);
        assert_eq!(merged.take(0, &scan(Phase::Ended, 30)), None);
        assert_eq!(merged.take(1, &scan(Phase::Ended, 30)), None);
        assert!(merged.open.is_empty());
    }

    #[test]
    fn silence_is_what_all_shards_agree_on() {
        let mut merged = Merged::new(2);
        let silent = |phase, value| share(AlertKind::SilentHost, phase, 1, value);
        assert_eq!(merged.take(0, &silent(Phase::Started, 300)), None);
        let whole = merged.take(1, &silent(Phase::Started, 250)).unwrap();
        assert_eq!((whole.phase, whole.value), (Phase::Started, 250));
        let whole = merged.take(1, &silent(Phase::Ended, 0)).unwrap();
        assert_eq!(whole.phase, Phase::Ended);
        assert_eq!(merged.active().count(), 0);
    }
}
