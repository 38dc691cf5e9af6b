//! What is told: JSON, Markdown, and the same for the terminal.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs;
use std::path::Path;
use std::process::Command;

use serde::Serialize;
use weir_engine::sys::place::Core;

use super::cell::{Latency, Percentiles, Row};
use super::grid::{Cell, Work};
use crate::units::Quantity;

/// Everything that was found.
#[derive(Serialize, Debug)]
pub(super) struct Outcome {
    pub(super) machine: Machine,
    /// How it was measured.
    pub(super) set_up: SetUp,
    pub(super) cells: Vec<Found>,
    /// Share of a core that an engine without traffic takes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) idle_cpu: Option<f64>,
    /// At half the NDR of that cell, with shards that poll without pause.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) busy_poll: Option<(Cell, Latency)>,
    /// Cells that were asked for and that there was no time for.
    pub(super) left: usize,
    /// What could not be measured, and why.
    pub(super) failed: Vec<String>,
}

/// A cell's result beside its ceiling.
#[derive(Serialize, Debug)]
pub(super) struct Found {
    #[serde(flatten)]
    pub(super) row: Row,
    /// NDR over the ceiling's; none where one of them is not known.
    pub(super) of_ceiling: Option<Share>,
}

/// A share of two rates, of which either may be as much as the sender makes.
#[derive(Serialize, Clone, Copy, PartialEq, Debug)]
pub(super) struct Share {
    pub(super) ratio: f64,
    /// The true share is this at least: the part is the sender's limit, not the engine's.
    pub(super) part_limited: bool,
    /// It is this at most: the whole is.
    pub(super) whole_limited: bool,
}

impl Share {
    fn text(self) -> String {
        let shown = format!("{:.0} %", self.ratio * 100.0);
        match (self.part_limited, self.whole_limited) {
            (false, false) => shown,
            (true, false) => format!("≥ {shown}"),
            (false, true) => format!("≤ {shown}"),
            (true, true) => "not known".to_owned(),
        }
    }
}

/// The machine; what cannot be read is empty.
#[derive(Serialize, Debug)]
pub(super) struct Machine {
    date: String,
    kernel: String,
    processor: String,
    cores: usize,
    numa_nodes: usize,
    load: String,
}

/// How it was measured.
#[derive(Serialize, Debug)]
pub(super) struct SetUp {
    pub(super) version: &'static str,
    pub(super) tx: String,
    pub(super) rx: String,
    /// A veth pair of its own.
    pub(super) own_pair: bool,
    /// Where its receive side runs: `sender` or `thread`.
    pub(super) receive: &'static str,
    pub(super) sender_core: Option<usize>,
    pub(super) other_cores: Vec<usize>,
    pub(super) wait: String,
    pub(super) trial_seconds: f64,
    pub(super) precision: f64,
    pub(super) payloads: f64,
}

impl Machine {
    pub(super) fn here(cores: &[Core]) -> Machine {
        let read = |path: &str| fs::read_to_string(path).unwrap_or_default();
        let system = rustix::system::uname();
        let date = Command::new("date").args(["-u", "+%F"]).output().ok();
        let date = date.and_then(|output| String::from_utf8(output.stdout).ok());
        let information = read("/proc/cpuinfo");
        let processor = information.lines().find_map(|line| line.strip_prefix("model name"));
        let nodes = fs::read_dir("/sys/devices/system/node").into_iter().flatten().flatten();
        let is_node =
            |name: &str| name.strip_prefix("node").is_some_and(|n| n.parse::<u32>().is_ok());
        Machine {
            date: date.unwrap_or_default().trim().to_owned(),
            kernel: system.release().to_string_lossy().into_owned(),
            processor: processor.unwrap_or_default().trim_matches([' ', '\t', ':']).to_owned(),
            cores: cores.len(),
            numa_nodes: nodes.filter(|node| is_node(&node.file_name().to_string_lossy())).count(),
            load: read("/proc/loadavg").split(' ').next().unwrap_or("").to_owned(),
        }
    }
}

impl Outcome {
    /// Whether every frame of every trial is accounted for.
    pub(super) fn is_sound(&self) -> bool {
        self.cells.iter().all(|found| found.row.unaccounted == 0 && found.row.balanced)
    }

    /// For files and people.
    pub(super) fn markdown(&self) -> String {
        let mut text = String::new();
        // Writing to a string does not fail.
        self.heading(&mut text).ok();
        self.rates(&mut text).ok();
        self.ages(&mut text).ok();
        self.ledger(&mut text).ok();
        self.rest(&mut text).ok();
        text
    }

    fn heading(&self, text: &mut String) -> std::fmt::Result {
        let Machine { date, kernel, processor, cores, numa_nodes, load } = &self.machine;
        let set_up = &self.set_up;
        writeln!(
            text,
            "{date}: {processor}, {cores} cores, {numa_nodes} NUMA node(s), Linux {kernel}, load \
             {load}; Weir {}.",
            set_up.version
        )?;
        let core = set_up.sender_core.map_or("any core".to_owned(), |core| format!("core {core}"));
        let others: Vec<String> = set_up.other_cores.iter().map(ToString::to_string).collect();
        let pair = match set_up.receive {
            _ if !set_up.own_pair => "a cable between two interfaces",
            "sender" => {
                "a veth pair of its own, whose receive side, XDP program and copy to the socket, runs \
                 on the sender's core"
            }
            _ => {
                "a veth pair of its own, whose receive side, XDP program and copy to the socket, runs \
                 in a thread of the kernel's on the core after the shards'"
            }
        };
        writeln!(
            text,
            "From {} to {}: {pair}. Sender on {core}; shards, and readers after them, on {}{}. \
             Shards that have nothing to do {}. Trials of {} s, results to {} %.",
            set_up.tx,
            set_up.rx,
            if others.is_empty() { "any core".to_owned() } else { others.join(", ") },
            self.sharing(),
            if set_up.wait == "busy_poll" { "poll on" } else { "sleep" },
            set_up.trial_seconds,
            set_up.precision * 100.0
        )?;
        let mut obtained: Vec<&str> = Vec::new();
        for found in &self.cells {
            let line = found.row.obtained.lines().next().unwrap_or_default();
            if !obtained.contains(&line) {
                obtained.push(line);
            }
        }
        obtained.iter().try_for_each(|line| writeln!(text, "\nObtained: {line}."))
    }

    /// Who has no core to itself.
    fn sharing(&self) -> &'static str {
        let kernel = usize::from(self.set_up.receive == "thread");
        let needed = |found: &Found| {
            let readers = found.row.cell.work.readers().max(1);
            usize::from(found.row.cell.shards) + kernel + readers
        };
        let cores = self.set_up.other_cores.len();
        let most = self.cells.iter().map(needed).max().unwrap_or(0);
        let shards = self.cells.iter().map(|found| found.row.cell.shards).max().unwrap_or(0);
        if usize::from(shards) + kernel > cores {
            ", which these share: no more than a core can do is to be expected of all together"
        } else if most > cores {
            ", which readers share with shards"
        } else {
            ""
        }
    }

    fn rates(&self, text: &mut String) -> std::fmt::Result {
        writeln!(
            text,
            "\n| bytes | flows | new/s | shards | work | NDR, Mframes/s | Gbit/s | of rxdrop | PDR 0.5 % | \
             top: sent | top: taken | unaccounted |\n\
             | ---: | ---: | ---: | ---: | --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: |"
        )?;
        for Found { row, of_ceiling } in &self.cells {
            let Cell { size, flows, new_flows, work, shards } = row.cell;
            let rate = |found: Option<f64>, limited: bool| match found {
                Some(rate) if limited => format!("≥ {:.3}", rate / 1e6),
                Some(rate) => format!("{:.3}", rate / 1e6),
                None => "none".to_owned(),
            };
            let bits = row.ndr.map(|rate| format!("{:.2}", rate * size.mean_bytes() * 8.0 / 1e9));
            let share = of_ceiling.filter(|_| work != Work::RxDrop).map(Share::text);
            let books = if row.balanced { "" } else { ", books NOT balanced" };
            writeln!(
                text,
                "| {size} | {} | {} | {shards} | {} | {} | {} | {} | {} | {:.3} | {:.3} | {}{books} |",
                Quantity::Count.short(flows.into()),
                Quantity::Count.short(new_flows.into()),
                work.name(),
                rate(row.ndr, row.ndr_limited),
                bits.unwrap_or_default(),
                share.unwrap_or_default(),
                rate(row.pdr, row.pdr_limited),
                row.top_sent / 1e6,
                row.top_taken / 1e6,
                row.unaccounted
            )?;
        }
        writeln!(
            text,
            "\n≥: all that the sender makes; the true rate may be higher. Gbit/s: of the NDR, frames \
             with their check sequence."
        )?;
        self.without_rate(text)
    }

    /// What was looked for where there is no rate.
    fn without_rate(&self, text: &mut String) -> std::fmt::Result {
        let none = |found: &&Found| found.row.ndr.is_none() || found.row.pdr.is_none();
        if !self.cells.iter().any(|found| none(&found)) {
            return Ok(());
        }
        writeln!(
            text,
            "\nnone: more was lost at every rate that was tried, down to as many frames a second as \
             flows are new, or to {:.0}.",
            super::cell::LEAST
        )
    }

    fn ages(&self, text: &mut String) -> std::fmt::Result {
        if self.cells.iter().all(|found| found.row.latencies.is_empty()) {
            return Ok(());
        }
        writeln!(
            text,
            "\nFrom the kernel's timestamp to the shard's turn, and to a reader of descriptors; µs \
             (50 / 90 / 99 / 99.9 of 100 / most).\n\n\
             | bytes | flows | new/s | shards | work | of NDR | shard | reader | lost | readers missed |\n\
             | ---: | ---: | ---: | ---: | --- | ---: | --- | --- | ---: | ---: |"
        )?;
        for Found { row, .. } in &self.cells {
            let Cell { size, flows, new_flows, work, shards } = row.cell;
            for latency in &row.latencies {
                writeln!(
                    text,
                    "| {size} | {} | {} | {shards} | {} | {:.0} % | {} | {} | {} | {} |",
                    Quantity::Count.short(flows.into()),
                    Quantity::Count.short(new_flows.into()),
                    work.name(),
                    latency.share * 100.0,
                    micros(&latency.shard_us),
                    micros(&latency.reader_us),
                    percent(latency.loss),
                    percent(latency.reader_missed)
                )?;
            }
        }
        Ok(())
    }

    fn ledger(&self, text: &mut String) -> std::fmt::Result {
        let mut lost: BTreeMap<&str, u64> = BTreeMap::new();
        for found in &self.cells {
            for (name, frames) in &found.row.lost {
                *lost.entry(name).or_default() += frames;
            }
        }
        let exact = |frames| Quantity::Count.exact(frames);
        let frames = self.cells.iter().map(|found| found.row.frames).sum();
        let trials: u32 = self.cells.iter().map(|found| found.row.trials).sum();
        let unaccounted = self.cells.iter().map(|found| found.row.unaccounted).sum();
        let lost: Vec<String> =
            lost.iter().map(|(name, frames)| format!("{name} {}", exact(*frames))).collect();
        writeln!(
            text,
            "\nAll {trials} trials, warming up included: {} frames; lost by name: {}; unaccounted {}.",
            exact(frames),
            if lost.is_empty() { "none".to_owned() } else { lost.join(", ") },
            exact(unaccounted)
        )
    }

    fn rest(&self, text: &mut String) -> std::fmt::Result {
        if let Some(cpu) = self.idle_cpu {
            writeln!(
                text,
                "\nAn engine without traffic, whose shards sleep, takes {:.2} % of a core (target: 2 %).",
                cpu * 100.0
            )?;
        }
        if let Some((cell, latency)) = &self.busy_poll {
            let kernel = usize::from(self.set_up.receive == "thread");
            let own = usize::from(cell.shards) + kernel < self.set_up.other_cores.len();
            writeln!(
                text,
                "\nWith shards that poll without pause, at {:.3} Mframes/s, {:.0} % of the NDR ({cell}): \
                 99 of 100 packets are {:.1} µs old at most at the shard (target: 50 µs, where all have \
                 a core of their own), {:.1} µs at a reader{}; {} lost.",
                latency.frames_per_second / 1e6,
                latency.share * 100.0,
                latency.shard_us[2],
                latency.reader_us[2],
                if own { "" } else { ", which shares the shard's core here" },
                percent(latency.loss)
            )?;
        }
        if self.left != 0 {
            writeln!(text, "\n{} cell(s) were left: the time was over.", self.left)?;
        }
        self.failed.iter().try_for_each(|failed| writeln!(text, "\nNot measured: {failed}"))
    }
}

fn micros(values: &Percentiles) -> String {
    let shown = values.map(|value| format!("{value:.1}"));
    shown.join(" / ")
}

fn percent(share: f64) -> String {
    if share == 0.0 { "0".to_owned() } else { format!("{:.4} %", share * 100.0) }
}

/// Writes a whole file, or none.
///
/// # Errors
/// It cannot be written.
pub(super) fn write(path: &Path, text: &str) -> anyhow::Result<()> {
    use anyhow::Context;
    fs::write(path, text).with_context(|| format!("cannot write {}", path.display()))
}
