//! Faults, again and again, with traffic running: whatever happens to a packet reader or is done by
//! one, the ledger balances, no frame leaks, and no other reader loses anything.
//!
//! `make faults` repeats each fault 200 times and more; `make test` fewer times where that takes
//! long. Needs root for the cable; otherwise each test is shown and counted as skipped.

#![expect(clippy::unwrap_used, reason = "a step that fails fails the test")]

use std::path::Path;
use std::time::Duration;

use anyhow::Context;
use rustix::process::Signal;
use toml::Value;
use weir_engine::books::Count;
use weir_engine::sys::clock;
use weir_tests::cable::Cable;
use weir_tests::faults::{Outcome, Victim, loops, under_traffic};

fn victim() -> &'static Path {
    Path::new(env!("CARGO_BIN_EXE_weir-victim"))
}

/// Runs the fault beside an engine of each kind; all of them must come out whole.
fn beside(
    test: &str,
    kinds: &[(&str, &[(&str, Value)])],
    fault: impl Fn(&str) -> anyhow::Result<()> + Sync,
) -> Vec<Outcome> {
    let mut outcomes = Vec::new();
    for (kind, settings) in kinds {
        let Some(cable) = Cable::new(test).unwrap() else { break };
        let outcome = under_traffic(&cable, kind, settings, &fault).unwrap();
        outcome.is_sound().with_context(|| format!("{kind}, {settings:?}")).unwrap();
        outcomes.push(outcome);
    }
    outcomes
}

/// AF_XDP with one shard and with two on one queue, and the memory for copies.
fn every_kind() -> [(&'static str, Vec<(&'static str, Value)>); 3] {
    let two = vec![("engine.shards", Value::Integer(2))];
    [("xdp", Vec::new()), ("xdp", two), ("packet", Vec::new())]
}

fn everywhere(test: &str, fault: impl Fn(&str) -> anyhow::Result<()> + Sync) -> Vec<Outcome> {
    let kinds = every_kind();
    let kinds: Vec<_> = kinds.iter().map(|(kind, settings)| (*kind, &settings[..])).collect();
    beside(test, &kinds, fault)
}

fn count(outcomes: &[Outcome], count: Count) -> u64 {
    outcomes.iter().map(|outcome| outcome.report.books.get(count)).sum()
}

/// Repeats `round` with crowds of victims until as many as `times` have had their turn.
fn in_crowds(
    times: usize,
    crowd: usize,
    words: &[&str],
    round: impl Fn(Vec<Victim>) -> anyhow::Result<()>,
) -> anyhow::Result<()> {
    let mut left = times;
    while left != 0 {
        let now = left.min(crowd);
        round(Victim::crowd(victim(), words, now)?)?;
        left -= now;
    }
    Ok(())
}

#[test]
fn readers_that_are_killed() {
    everywhere("readers_that_are_killed", |socket| {
        in_crowds(loops(200), 8, &["read", socket], |crowd| {
            clock::rest(Duration::from_millis(20));
            drop(crowd);
            Ok(())
        })
    });
}

#[test]
fn readers_that_are_stopped() {
    let small = [("export.packet_ring", 4096.into()), ("export.packet_leases", 2048.into())];
    let kinds: [(_, &[_]); 2] = [("xdp", &small), ("packet", &small)];
    let outcomes = beside("readers_that_are_stopped", &kinds, |socket| {
        in_crowds(loops(50), 25, &["read", socket], |crowd| {
            crowd.iter().try_for_each(|victim| victim.signal(Signal::STOP))?;
            clock::rest(Duration::from_millis(1500));
            crowd.iter().try_for_each(|victim| victim.signal(Signal::CONT))?;
            clock::rest(Duration::from_millis(100));
            Ok(())
        })
    });
    assert!(outcomes.is_empty() || count(&outcomes, Count::LeasesLost) > 0, "they were long away");
}

#[test]
fn readers_that_write_garbage() {
    everywhere("readers_that_write_garbage", |socket| {
        in_crowds(loops(200), 10, &["garbage", socket], |mut crowd| {
            clock::rest(Duration::from_millis(100));
            for victim in &mut crowd {
                anyhow::ensure!(!victim.has_ended()?, "it goes on");
            }
            Ok(())
        })
    });
}

#[test]
fn readers_that_take_their_page_away() {
    everywhere("readers_that_take_their_page_away", |socket| {
        in_crowds(loops(40), 10, &["punch", socket], |crowd| {
            clock::rest(Duration::from_millis(20));
            drop(crowd);
            Ok(())
        })
    });
}

#[test]
fn readers_that_come_and_go() {
    everywhere("readers_that_come_and_go", |socket| {
        let alone = Victim::crowd(victim(), &["churn", socket, "250"], 2)?;
        let members = Victim::crowd(victim(), &["churn", socket, "250", "ids"], 2)?;
        for victim in alone.into_iter().chain(members) {
            anyhow::ensure!(victim.wait()?, "every attach is taken in");
        }
        Ok(())
    });
}

#[test]
fn readers_that_never_read() {
    everywhere("readers_that_never_read", |socket| {
        in_crowds(loops(200), 50, &["sleep", socket], |crowd| {
            clock::rest(Duration::from_millis(500));
            drop(crowd);
            Ok(())
        })
    });
}

/// As many as can get a lease, in a small ring: they are demoted, and what they hold is pinned.
#[test]
fn readers_that_hold_for_ever() {
    let small = [("export.packet_ring", 2048.into()), ("export.packet_leases", 1024.into())];
    let kinds: [(_, &[_]); 2] = [("xdp", &small), ("packet", &small)];
    let outcomes = beside("readers_that_hold_for_ever", &kinds, |socket| {
        in_crowds(loops(35), 7, &["hold", socket], |crowd| {
            clock::rest(Duration::from_millis(900));
            drop(crowd);
            Ok(())
        })
    });
    for outcome in outcomes {
        assert!(outcome.report.books.get(Count::LeasesLost) >= 35, "their leases were lost");
    }
}

/// All places taken by those who say as much as they can.
#[test]
fn readers_that_ask_too_much() {
    everywhere("readers_that_ask_too_much", |socket| {
        let mut crowd = Victim::crowd(victim(), &["asks", socket], 4)?;
        // Others come and go in time all the same.
        let others = Victim::crowd(victim(), &["churn", socket, "50", "ids"], 2)?;
        for victim in others {
            anyhow::ensure!(victim.wait()?, "every attach is taken in");
        }
        for victim in &mut crowd {
            anyhow::ensure!(!victim.has_ended()?, "it goes on");
        }
        Ok(())
    });
}
