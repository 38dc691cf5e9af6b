//! One cell of the grid, from the engine's start to its end.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use anyhow::bail;
use serde::{Deserialize, Serialize};
use weir_engine::config::Config;
use weir_engine::sys::clock;
use weir_engine::sys::place::{self, Core};

use super::bed::Bed;
use super::grid::{Cell, Work};
use super::reader::Reader;
use super::search::{self, Offered, Wish};
use super::sender::{Rate, Sender};
use super::subject::{Ages, Counts, Ended, Subject};

/// How to measure.
#[derive(Debug)]
pub(super) struct Method<'a> {
    /// Of every engine; name, source and limits of tables are set by cell.
    pub(super) config: &'a Config,
    pub(super) bed: &'a Bed,
    pub(super) engine: &'static str,
    pub(super) payloads: f64,
    pub(super) trial: Duration,
    pub(super) precision: f64,
    pub(super) sender_core: Option<Core>,
    /// Where everything else runs: shards first, then readers.
    pub(super) cores: Vec<Core>,
    pub(super) stop: &'a AtomicBool,
}

/// What was found for a cell.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub(super) struct Row {
    #[serde(flatten)]
    pub(super) cell: Cell,
    /// What was obtained of the interface.
    pub(super) obtained: String,
    /// Frames a second without loss; none where every rate lost some.
    pub(super) ndr: Option<f64>,
    /// It is the most that the sender makes.
    pub(super) ndr_limited: bool,
    /// Frames a second with a loss of 0.5 %.
    pub(super) pdr: Option<f64>,
    /// It is the most that the sender makes.
    pub(super) pdr_limited: bool,
    /// At top speed: frames a second that left the sender ...
    pub(super) top_sent: f64,
    /// ... and those that were taken in.
    pub(super) top_taken: f64,
    /// Frames lost at top speed, by name.
    pub(super) top_lost: BTreeMap<String, u64>,
    /// Frames of all trials that no count accounts for.
    pub(super) unaccounted: u64,
    /// The books of the whole run add up.
    pub(super) balanced: bool,
    pub(super) trials: u32,
    /// Frames sent in all trials, lost ones among them.
    pub(super) frames: u64,
    /// Frames lost in all trials, by name.
    pub(super) lost: BTreeMap<String, u64>,
    pub(super) latencies: Vec<Latency>,
    pub(super) seconds: f64,
}

/// How old packets were at a part of the NDR, microseconds.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub(super) struct Latency {
    /// Part of the NDR.
    pub(super) share: f64,
    pub(super) frames_per_second: f64,
    pub(super) loss: f64,
    /// When a shard took them in.
    pub(super) shard_us: Percentiles,
    /// When a reader had them.
    pub(super) reader_us: Percentiles,
    /// Packets that readers missed, of those there were for them.
    pub(super) reader_missed: f64,
}

/// 50, 90, 99 and 99.9 of 100, and the most.
pub(super) type Percentiles = [f64; 5];
const QUANTILES: [f64; 5] = [0.5, 0.9, 0.99, 0.999, 1.0];

/// What a trial came to.
#[derive(Clone, Default, Debug)]
struct Took {
    sent: f64,
    taken: f64,
    loss: f64,
    held: bool,
    lost: BTreeMap<String, u64>,
}

/// An engine and a sender, and what all their trials came to.
struct Run<'a> {
    method: &'a Method<'a>,
    subject: Subject,
    sender: Sender,
    before: Counts,
    trials: u32,
    frames: u64,
    lost: BTreeMap<String, u64>,
    unaccounted: u64,
}

/// Below so many frames a second no rate is looked for.
pub(super) const LEAST: f64 = 1_000.0;

/// Measures a cell.
///
/// # Errors
/// The engine or the sender does not work, or a signal came.
pub(super) fn measure(method: &Method<'_>, cell: Cell) -> anyhow::Result<Row> {
    let started = clock::monotonic_ns();
    let mut run = Run::start(method, cell, false)?;
    let readers = run.readers(cell.work.readers())?;
    run.warm_up(cell)?;
    // How much the sender makes, and how much of it is taken.
    let most = run.trial(Rate::Top, method.trial / 2)?;
    let least = f64::from(cell.new_flows).max(LEAST);
    if most.sent < least {
        bail!("the sender makes {:.0} frames a second: too few for as many new flows", most.sent);
    }
    let wish = Wish {
        goals: vec![0.0, 0.005],
        least,
        most: most.sent.floor(),
        guess: most.taken * (1.0 - method.precision),
        precision: method.precision,
        trial: method.trial,
    };
    let found = search::search(&wish, |load, time| {
        let took = run.trial(Rate::Even(load), time)?;
        Ok(Offered { rate: took.sent, loss: took.loss, held: took.held })
    })?;
    let [ndr, pdr] = found.as_slice() else { bail!("two goals have two results") };
    let latencies = match ndr.load {
        Some(load) if cell.work != Work::RxDrop => {
            let mut shares = vec![0.1, 0.5, 0.9];
            shares.retain(|share| share * load >= least);
            run.latencies(load, &shares, &readers)?
        }
        _ => Vec::new(),
    };
    let top_rate = if cell.new_flows == 0 { Rate::Top } else { Rate::Even(most.sent.floor()) };
    let top = run.trial(top_rate, method.trial)?;
    drop(readers);
    let obtained = run.subject.obtained().to_owned();
    let Run { subject, trials, frames, lost, unaccounted, .. } = run;
    let ended = subject.end()?;
    Ok(Row {
        cell,
        obtained,
        ndr: ndr.load,
        ndr_limited: ndr.limited,
        pdr: pdr.load,
        pdr_limited: pdr.limited,
        top_sent: top.sent,
        top_taken: top.taken,
        top_lost: top.lost,
        unaccounted,
        balanced: ended.balanced,
        trials,
        frames,
        lost,
        latencies,
        seconds: float(clock::monotonic_ns() - started) / 1e9,
    })
}

/// How old packets are while shards poll without pause, with a reader, at a rate.
///
/// # Errors
/// As for measure.
pub(super) fn busy_poll(method: &Method<'_>, cell: Cell, rate: f64) -> anyhow::Result<Latency> {
    let mut run = Run::start(method, cell, true)?;
    run.warm_up(cell)?;
    let found = run.latencies(rate, &[0.5], &[])?;
    run.subject.end()?;
    found.into_iter().next().ok_or_else(|| anyhow::anyhow!("one share has one result"))
}

/// What an engine without traffic takes of a core, shards and control thread together.
///
/// # Errors
/// The engine does not work.
pub(super) fn idle(method: &Method<'_>, cell: Cell) -> anyhow::Result<Option<f64>> {
    const LOOK: Duration = Duration::from_millis(100);
    let config = config_of(method.config, cell, false);
    let subject = Subject::start(&config, cell.work.depth(), &method.cores, LOOK)?;
    clock::rest(method.trial.max(Duration::from_secs(1)));
    let Ended { cpu, .. } = subject.end()?;
    Ok(cpu)
}

/// The configuration of a cell's engine: with room for its flows, and for the host names of those that
/// have one.
fn config_of(config: &Config, cell: Cell, busy_poll: bool) -> Config {
    const METADATA_BYTES: usize = 128;
    const MOST_BYTES: usize = 1 << 32;
    let flows = cell.flows / u32::from(cell.shards.max(1));
    let metadata_bytes = (flows as usize).saturating_mul(METADATA_BYTES).min(MOST_BYTES);
    Config {
        shards: cell.shards,
        flows_per_shard: config.flows_per_shard.max(flows.saturating_add(flows / 4)),
        arena_bytes: config.arena_bytes.max(metadata_bytes),
        busy_poll: config.busy_poll || busy_poll,
        ..config.clone()
    }
}

impl<'a> Run<'a> {
    fn start(method: &'a Method<'a>, cell: Cell, busy_poll: bool) -> anyhow::Result<Run<'a>> {
        const LOOK: Duration = Duration::from_millis(10);
        let config = config_of(method.config, cell, busy_poll);
        let subject = Subject::start(&config, cell.work.depth(), &method.cores, LOOK)?;
        let seats = place::assign(&method.cores, &vec![None; usize::from(cell.shards) + 1]);
        let seat: Vec<Core> = seats.last().copied().flatten().into_iter().collect();
        method.bed.keep_receiving_on(&seat)?;
        let core = method.sender_core.map(|core| core.os_index);
        let sender = Sender::new(&method.bed.tx, core, method.engine, method.payloads, cell);
        let before = subject.settled()?;
        Ok(Run {
            method,
            subject,
            sender,
            before,
            trials: 0,
            frames: 0,
            lost: BTreeMap::new(),
            unaccounted: 0,
        })
    }

    /// Readers on the cores after the shards' and the kernel's.
    fn readers(&self, count: usize) -> anyhow::Result<Vec<Reader>> {
        let Some(socket) = self.subject.socket() else { return Ok(Vec::new()) };
        let kernel = usize::from(self.method.bed.threaded);
        let taken = usize::from(self.sender.cell().shards) + kernel;
        let seats = place::assign(&self.method.cores, &vec![None; taken + count]);
        let seats = seats.into_iter().skip(taken);
        seats.map(|core| Reader::start(socket, core)).collect()
    }

    /// Sends every flow once, so that tables and caches are as they are in the midst of a run.
    fn warm_up(&mut self, cell: Cell) -> anyhow::Result<()> {
        const MOST: Duration = Duration::from_secs(30);
        const LEAST_FRAMES: u32 = 200_000;
        let frames = cell.flows.max(LEAST_FRAMES);
        let sent = self.sender.send(Rate::Top, MOST, Some(frames.into()))?;
        if sent.frames == 0 {
            bail!("no frame left {}", self.method.bed.tx);
        }
        let now = self.subject.settled()?;
        self.account(sent, &now);
        Ok(())
    }

    /// Sends for a while; what came of it.
    fn trial(&mut self, rate: Rate, time: Duration) -> anyhow::Result<Took> {
        if self.method.stop.load(Ordering::Relaxed) {
            bail!("stopped by a signal; what was measured before is kept");
        }
        let sent = self.sender.send(rate, time, None)?;
        let now = self.subject.settled()?;
        let (counts, lost) = self.account(sent, &now);
        self.trials += 1;
        let missing: u64 = lost.values().sum();
        let handed = sent.frames + sent.lost();
        Ok(Took {
            sent: float(handed) / sent.seconds.max(1e-6),
            taken: float(counts.parsed) / sent.seconds.max(1e-6),
            loss: float(missing) / float(handed).max(1.0),
            // A sender that was late by a moment at the end is not too slow.
            held: sent.missing.late * 200 <= handed,
            lost,
        })
    }

    /// Takes a trial into the sums; what it added to the counts, and what was lost in it.
    fn account(
        &mut self,
        sent: super::sender::Sent,
        now: &Counts,
    ) -> (Counts, BTreeMap<String, u64>) {
        let counts = now.since(&self.before);
        self.before = now.clone();
        self.unaccounted += sent.frames.abs_diff(counts.wire) + counts.missing();
        self.frames += sent.frames + sent.lost();
        let of_sender = sent.missing.lost().map(|(name, frames)| (name.to_owned(), frames));
        let mut lost: BTreeMap<String, u64> =
            of_sender.into_iter().filter(|(_, frames)| *frames != 0).collect();
        for (name, frames) in counts.lost.iter().chain(&counts.dropped) {
            *lost.entry(name.clone()).or_default() += frames;
        }
        for (name, frames) in &lost {
            *self.lost.entry(name.clone()).or_default() += frames;
        }
        (counts, lost)
    }

    /// How old packets are at these shares of a rate; with a reader of its own where there is none.
    fn latencies(
        &mut self,
        rate: f64,
        shares: &[f64],
        readers: &[Reader],
    ) -> anyhow::Result<Vec<Latency>> {
        let own = if readers.is_empty() { self.readers(1)? } else { Vec::new() };
        let readers: Vec<&Reader> = readers.iter().chain(&own).collect();
        let mut found = Vec::new();
        for share in shares {
            for reader in &readers {
                reader.forget();
            }
            let counts = |reader: &&Reader| (reader.seen().delivered, reader.seen().missed);
            let before: Vec<(u64, u64)> = readers.iter().map(counts).collect();
            let ages = self.subject.ages();
            let took = self.trial(Rate::Even((rate * share).max(1.0)), self.method.trial)?;
            let mut all: Option<hdrhistogram::Histogram<u64>> = None;
            let (mut read, mut missed) = (0, 0);
            for (reader, before) in readers.iter().zip(before) {
                let seen = reader.seen();
                read += seen.delivered - before.0;
                missed += seen.missed - before.1;
                match &mut all {
                    Some(all) => all.add(&seen.ages)?,
                    None => all = Some(seen.ages),
                }
            }
            let reader_us = QUANTILES.map(|quantile| {
                all.as_ref().map_or(0.0, |ages| float(ages.value_at_quantile(quantile)) / 1e3)
            });
            found.push(Latency {
                share: *share,
                frames_per_second: took.sent,
                loss: took.loss,
                shard_us: percentiles(&ages, &self.subject.ages()),
                reader_us,
                reader_missed: float(missed) / float(read + missed).max(1.0),
            });
        }
        Ok(found)
    }
}

/// The percentiles of what came on top of `before`, microseconds.
fn percentiles(before: &Ages, after: &Ages) -> Percentiles {
    let mut more = Vec::new();
    for (low, high, frames) in after {
        let then = before.iter().find(|row| row.0 == *low).map_or(0, |row| row.2);
        more.push((*high, frames - then.min(*frames)));
    }
    let all: u64 = more.iter().map(|(_, frames)| frames).sum();
    QUANTILES.map(|quantile| {
        let mut seen = 0;
        let rank = float(all) * quantile;
        let reached = more.iter().filter(|(_, frames)| *frames != 0).find(|(_, frames)| {
            seen += frames;
            float(seen) >= rank
        });
        reached.map_or(0.0, |(high, _)| float(*high) / 1e3)
    })
}

#[expect(clippy::cast_precision_loss, reason = "figures for people, to a few digits")]
pub(super) fn float(value: u64) -> f64 {
    value as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_are_of_what_came_on_top() {
        let before = vec![(0, 999, 100), (1000, 1999, 5)];
        let after = vec![(0, 999, 100), (1000, 1999, 95), (2000, 2999, 9), (3000, 3999, 1)];
        let ns = |us: Percentiles| us.map(|us| format!("{us:.3}"));
        let wanted = ["1.999", "1.999", "2.999", "3.999", "3.999"];
        assert_eq!(ns(percentiles(&before, &after)), wanted);
        assert_eq!(ns(percentiles(&after, &after)), ["0.000"; 5]);
    }
}
