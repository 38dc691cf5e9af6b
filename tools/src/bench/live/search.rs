//! The search for the highest rate at which no more than a share of the frames is lost, for several
//! shares at once: a multiple loss ratio search in the manner of RFC 9971.
//!
//! A *load*, in frames a second, is offered for a while: a trial. Short trials find where it is
//! worth looking, long ones decide. A load *holds* for a goal if at most half of [`TRIES`] long
//! trials lost more than its share; the result is the highest load that holds and has none below it
//! that does not. A trial counts for every goal.

use std::time::Duration;

/// Trials of a load, of which half may lose too much (RFC 9971's goal exceed ratio of 50 %).
const TRIES: usize = 2;
/// Trials of one search at most.
const MOST_TRIALS: usize = 48;

/// What a trial came to.
#[derive(Clone, Copy, PartialEq, Debug)]
pub(super) struct Offered {
    /// Frames a second that left the sender.
    pub(super) rate: f64,
    /// Lost of them, 0 to 1.
    pub(super) loss: f64,
    /// The sender sent what it was asked to.
    pub(super) held: bool,
}

/// What is looked for.
#[derive(Clone, Debug)]
pub(super) struct Wish {
    /// Loss ratios, the smallest first.
    pub(super) goals: Vec<f64>,
    /// Below this nothing is looked for.
    pub(super) least: f64,
    /// The highest load that the sender can make; it may turn out lower.
    pub(super) most: f64,
    /// Where to begin.
    pub(super) guess: f64,
    /// How far apart, by share, the bounds of a result are at most.
    pub(super) precision: f64,
    /// How long a deciding trial is.
    pub(super) trial: Duration,
}

/// What was found for a goal.
#[derive(Clone, Copy, PartialEq, Debug)]
pub(super) struct Found {
    /// Frames a second; none where no load held.
    pub(super) load: Option<f64>,
    /// It is as much as the sender can make: the true result may be higher.
    pub(super) limited: bool,
}

/// A load that was offered, as its result is for a goal.
struct Trial {
    load: f64,
    loss: f64,
    long: bool,
}

struct Search<'a, M> {
    wish: &'a Wish,
    most: f64,
    trials: Vec<Trial>,
    /// Trials so far, also those that came to nothing.
    count: usize,
    /// Trials in a row that the sender was too slow for ...
    failed: usize,
    /// ... and the most that it sent in them.
    best_failed: f64,
    measure: M,
}

/// Searches. `measure` offers a load for a time.
///
/// # Errors
/// What `measure` says.
pub(super) fn search<M>(wish: &Wish, measure: M) -> anyhow::Result<Vec<Found>>
where
    M: FnMut(f64, Duration) -> anyhow::Result<Offered>,
{
    let mut search = Search {
        wish,
        most: wish.most,
        trials: Vec::new(),
        count: 0,
        failed: 0,
        best_failed: 0.0,
        measure,
    };
    for goal in &wish.goals {
        search.seek(*goal, false)?;
    }
    // The widest goal last: what holds for a narrow one holds for it.
    let mut found = Vec::new();
    for goal in &wish.goals {
        found.push(search.seek(*goal, true)?);
    }
    Ok(found)
}

impl<M> Search<'_, M>
where
    M: FnMut(f64, Duration) -> anyhow::Result<Offered>,
{
    /// Narrows the bounds of a goal down, by trials that are long or not.
    fn seek(&mut self, goal: f64, long: bool) -> anyhow::Result<Found> {
        let width = self.wish.precision * if long { 1.0 } else { 4.0 };
        let mut step = width;
        while self.count < MOST_TRIALS {
            let (lower, upper) = self.bounds(goal, long);
            let load = match (lower, upper) {
                (Some(lower), _) if lower >= self.most => break,
                (Some(lower), Some(upper)) if upper - lower <= width * upper => break,
                (None, Some(upper)) if upper <= self.wish.least => break,
                (Some(lower), Some(upper)) => (lower * upper).sqrt(),
                (Some(lower), None) => {
                    step *= 2.0;
                    self.hint(goal, long, lower..f64::INFINITY).unwrap_or(lower * (1.0 + step))
                }
                (None, Some(upper)) => {
                    step *= 2.0;
                    let down = upper / (1.0 + step);
                    self.hint(goal, long, 0.0..upper).unwrap_or(down)
                }
                (None, None) => {
                    self.hint(goal, long, 0.0..f64::INFINITY).unwrap_or(self.wish.guess)
                }
            };
            self.offer(load.min(self.most).max(self.wish.least).round(), long)?;
        }
        let (lower, _) = self.bounds(goal, long);
        Ok(Found { load: lower, limited: lower.is_some_and(|lower| lower >= self.most) })
    }

    /// Offers a load once more.
    fn offer(&mut self, load: f64, long: bool) -> anyhow::Result<()> {
        let time = if long { self.wish.trial } else { self.wish.trial / 4 };
        let offered = (self.measure)(load, time)?;
        self.count += 1;
        if offered.held {
            (self.failed, self.best_failed) = (0, 0.0);
            self.trials.push(Trial { load, loss: offered.loss, long });
            return Ok(());
        }
        // A bad moment of the sender's is not its limit: that is the best of several.
        self.failed += 1;
        self.best_failed = self.best_failed.max(offered.rate.floor());
        if self.failed == TRIES {
            self.most = self.most.min(self.best_failed).max(self.wish.least);
            self.trials.push(Trial { load: self.most, loss: offered.loss, long });
            (self.failed, self.best_failed) = (0, 0.0);
        }
        Ok(())
    }

    /// The highest load that holds, below the lowest that does not.
    fn bounds(&self, goal: f64, long: bool) -> (Option<f64>, Option<f64>) {
        let mut loads: Vec<f64> = self
            .trials
            .iter()
            .filter(|trial| trial.long || !long)
            .map(|trial| trial.load)
            .collect();
        loads.sort_by(f64::total_cmp);
        loads.dedup();
        let mut lower = None;
        for load in loads {
            match self.verdict(goal, long, load) {
                Some(true) => lower = Some(load),
                Some(false) => return (lower, Some(load)),
                None => {}
            }
        }
        (lower, None)
    }

    /// Whether a load holds; none: not known yet.
    fn verdict(&self, goal: f64, long: bool, load: f64) -> Option<bool> {
        let same = |trial: &&Trial| (trial.long || !long) && same(trial.load, load);
        let (good, bad): (Vec<&Trial>, Vec<&Trial>) =
            self.trials.iter().filter(same).partition(|trial| trial.loss <= goal);
        let tries = if long { TRIES } else { 1 };
        if good.len() * 2 >= tries {
            return Some(true);
        }
        (bad.len() * 2 > tries).then_some(false)
    }

    /// A load in the range that is worth a long trial: one with a verdict still open, or what short
    /// ones found.
    fn hint(&self, goal: f64, long: bool, range: std::ops::Range<f64>) -> Option<f64> {
        if !long {
            return None;
        }
        let open = self.trials.iter().rev().map(|trial| trial.load).find(|load| {
            let tried = self.trials.iter().any(|trial| trial.long && same(trial.load, *load));
            range.contains(load) && tried && self.verdict(goal, true, *load).is_none()
        });
        let (lower, upper) = self.bounds(goal, false);
        let new = |load: &f64| range.contains(load) && self.verdict(goal, true, *load).is_none();
        open.or_else(|| lower.filter(new)).or_else(|| upper.filter(new))
    }
}

/// Loads are whole numbers.
fn same(a: f64, b: f64) -> bool {
    (a - b).abs() < 0.5
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wish(most: f64) -> Wish {
        Wish {
            goals: vec![0.0, 0.005],
            least: 1_000.0,
            most,
            guess: 900_000.0,
            precision: 0.02,
            trial: Duration::from_secs(2),
        }
    }

    /// One that loses what is above its capacity, after a first loss at `from`.
    fn machine(from: f64, capacity: f64) -> impl Fn(f64) -> f64 {
        move |load| {
            let above = (load - capacity).max(0.0) / load;
            if load > from { above.max(0.0001) } else { 0.0 }
        }
    }

    #[test]
    fn the_rates_are_found_within_the_precision() {
        for (from, capacity) in [(100_000.0, 150_000.0), (900_000.0, 950_000.0), (3e6, 3.1e6)] {
            let loses = machine(from, capacity);
            let mut trials = 0;
            let found = search(&wish(5e6), |load, _| {
                trials += 1;
                Ok(Offered { rate: load, loss: loses(load), held: true })
            })
            .unwrap();
            let ndr = found[0].load.unwrap();
            assert!(ndr <= from && ndr >= from * 0.98, "{ndr} of {from}");
            let pdr = found[1].load.unwrap();
            let half_percent = capacity / 0.995;
            assert!(pdr <= half_percent && pdr >= half_percent * 0.98, "{pdr} of {half_percent}");
            assert!(!found[0].limited && trials < 40, "{trials} trials");
        }
    }

    #[test]
    fn one_bad_moment_does_not_decide() {
        let mut trials = 0;
        let found = search(&wish(5e6), |load, time| {
            trials += 1;
            let hiccup = trials % 3 == 0 && time.as_secs() == 2;
            let loss = if hiccup { 0.01 } else { machine(1e6, 1.1e6)(load) };
            Ok(Offered { rate: load, loss, held: true })
        })
        .unwrap();
        assert!(found[0].load.unwrap() >= 980_000.0, "{found:?}");
    }

    #[test]
    fn a_sender_that_cannot_is_told_from_a_machine_that_cannot() {
        let found = search(&wish(5e6), |load, _| {
            let rate = load.min(2e6);
            Ok(Offered { rate, loss: 0.0, held: load <= 2e6 })
        })
        .unwrap();
        assert_eq!(found[0], Found { load: Some(2e6), limited: true });
        let found = search(&wish(5e6), |load, _| Ok(Offered { rate: load, loss: 0.5, held: true }))
            .unwrap();
        assert_eq!(found[0], Found { load: None, limited: false });
    }
}
