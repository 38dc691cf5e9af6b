//! The flow table alone, beside `hashbrown`, a plain twin and what the memory gives: insert, hit,
//! miss and churn, batch by batch as a turn of the engine asks. `perf/flowtable.sh` runs it.
//!
//! usage: `flowtable [--flows N,N,…] [--tables NAME,…] [--share PERCENT] [--json FILE]`
//!
//! The keys of a few batches are made before the clock starts, since the engine has them from the
//! frames. All tables have memory that was touched before.
#![expect(clippy::print_stdout, reason = "a table for people")]
#![expect(clippy::print_stderr, reason = "what was left out, and why")]

use std::process::ExitCode;

use serde::Serialize;
use weir_benches::chase::{Chase, below};
use weir_benches::machine::Machine;
use weir_benches::table::{BATCH, Hashbrown, Plain, Table, Weir, key};
use weir_engine::sys::{clock::monotonic_ns, place};
use weir_engine::wire::FlowKey;

const FLOWS: &[u32] = &[1000, 10_000, 100_000, 1_000_000, 10_000_000, 30_000_000, 100_000_000];
/// What is measured; the last is no table.
const TABLES: &[&str] = &["weir", "hashbrown", "plain", "memory"];
/// Of the memory that is available, percent.
const SHARE: u64 = 60;
/// Operations of a measurement, and the slices of it of which the median is reported.
const OPERATIONS: u32 = 1 << 21;
const SLICES: u32 = 16;
/// Keys that are made at a time: as many bytes as a first-level cache has.
const KEYS: u32 = 1024;

/// Millions of operations a second: the median of the slices, the least and the most.
#[derive(Clone, Copy, Debug, Serialize)]
struct Rate {
    median: f64,
    least: f64,
    most: f64,
}

/// A table with so many flows.
#[derive(Clone, Debug, Serialize)]
struct Row {
    flows: u32,
    table: &'static str,
    bytes: u64,
    /// Of the flows, those that found a place, percent.
    placed_percent: f64,
    insert: Rate,
    hit: Rate,
    miss: Rate,
    churn: Rate,
}

/// The memory, where as much of it is used as our table takes.
#[derive(Clone, Copy, Debug, Serialize)]
struct Memory {
    flows: u32,
    bytes: u64,
    /// One random read after the other, nanoseconds each.
    chase_ns: f64,
    /// Random reads that do not wait for each other.
    reads: Rate,
    /// The same where the system was asked for huge pages.
    huge_chase_ns: f64,
    huge_reads: Rate,
}

#[derive(Debug, Serialize)]
struct Outcome {
    machine: Machine,
    share_percent: u64,
    budget_bytes: u64,
    rows: Vec<Row>,
    memory: Vec<Memory>,
    left_out: Vec<String>,
}

struct Arguments {
    flows: Vec<u32>,
    tables: Vec<&'static str>,
    share_percent: u64,
    json: Option<String>,
}

fn main() -> ExitCode {
    let done = arguments().and_then(|arguments| {
        let outcome = measure(&arguments);
        print!("{}", report(&outcome));
        let Some(path) = arguments.json else { return Ok(()) };
        let text = serde_json::to_string_pretty(&outcome).map_err(|error| error.to_string())?;
        std::fs::write(&path, text + "\n").map_err(|error| format!("{path}: {error}"))
    });
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(wrong) => {
            eprintln!("flowtable: {wrong}");
            ExitCode::FAILURE
        }
    }
}

fn arguments() -> Result<Arguments, String> {
    let (flows, tables) = (FLOWS.to_vec(), TABLES.to_vec());
    let mut found = Arguments { flows, tables, share_percent: SHARE, json: None };
    let mut words = std::env::args().skip(1);
    while let Some(word) = words.next() {
        let value = words.next().ok_or_else(|| format!("{word} wants a value"))?;
        let wrong = || format!("{word} {value}: no such value");
        match word.as_str() {
            "--flows" => {
                let counts = value.split(',').map(|count| count.parse().ok());
                let counts: Option<Vec<u32>> = counts.collect();
                // Twice as many keys are numbers.
                let good = |counts: &Vec<u32>| counts.iter().all(|c| (64..1 << 27).contains(c));
                found.flows = counts.filter(good).ok_or_else(wrong)?;
            }
            "--tables" => {
                let named = |name| TABLES.iter().copied().find(|table| *table == name);
                found.tables =
                    value.split(',').map(named).collect::<Option<_>>().ok_or_else(wrong)?;
            }
            "--share" => {
                let share = value.parse().ok().filter(|share| (1..=90).contains(share));
                found.share_percent = share.ok_or_else(wrong)?;
            }
            "--json" => found.json = Some(value),
            _ => return Err(format!("{word} is unknown: --flows, --tables, --share, --json")),
        }
    }
    Ok(found)
}

fn measure(arguments: &Arguments) -> Outcome {
    let machine = Machine::here();
    if let Some(core) = place::cores().last() {
        place::pin(*core);
    }
    let budget_bytes = machine.available_bytes / 100 * arguments.share_percent;
    let share_percent = arguments.share_percent;
    let (rows, memory, left_out) = (Vec::new(), Vec::new(), Vec::new());
    let mut outcome = Outcome { machine, share_percent, budget_bytes, rows, memory, left_out };
    for flows in &arguments.flows {
        for table in &arguments.tables {
            outcome.add(table, *flows);
        }
    }
    outcome
}

impl Outcome {
    fn add(&mut self, measured: &'static str, flows: u32) {
        match measured {
            "weir" => self.add_table::<Weir>(measured, flows),
            "hashbrown" => self.add_table::<Hashbrown>(measured, flows),
            "plain" => self.add_table::<Plain>("plain twin", flows),
            _ if Weir::bytes_for(flows) <= self.budget_bytes => {
                self.memory.push(memory_of(flows, Weir::bytes_for(flows)));
            }
            _ => {}
        }
    }

    fn add_table<T: Table>(&mut self, table: &'static str, flows: u32) {
        let bytes = T::bytes_for(flows);
        if bytes <= self.budget_bytes {
            self.rows.push(row::<T>(table, flows));
        } else {
            let gib = |bytes: u64| float(bytes) / float(1 << 30);
            self.left_out.push(format!(
                "{table} with {flows} flows: takes {:.1} GiB, more than {} % of what is available, \
                 {:.1} GiB (`--share`)",
                gib(bytes),
                self.share_percent,
                gib(self.budget_bytes),
            ));
        }
    }
}

/// Keys by number, some batches at a time.
struct Keys(Vec<FlowKey>);

impl Keys {
    fn make(&mut self, count: u32, number: impl Fn(u32) -> u32) -> &[FlowKey] {
        self.0.clear();
        self.0.extend((0..count).map(|at| key(number(at))));
        &self.0
    }
}

fn row<T: Table>(name: &'static str, flows: u32) -> Row {
    let mut table = T::new(flows);
    let mut keys = Keys(Vec::with_capacity(KEYS as usize));
    let mut placed = 0;
    let insert = fill(&mut table, flows, &mut keys, &mut placed);
    let mut ask = |table: &mut T, first: u32| {
        slices(|slice| {
            let mut took_ns = 0;
            for chunk in 0..OPERATIONS / SLICES / KEYS {
                let base = (slice * (OPERATIONS / SLICES / KEYS) + chunk) * KEYS;
                let keys = keys.make(KEYS, |at| first + below(base + at, flows));
                took_ns += timed(keys, |keys| table.find(keys));
            }
            (OPERATIONS / SLICES, took_ns)
        })
    };
    let hit = ask(&mut table, 0);
    let miss = ask(&mut table, flows);
    let mut oldest = 0;
    let churn = slices(|_| {
        let (mut took_ns, mut done) = (0, 0);
        while done < OPERATIONS / SLICES / 2 {
            let count = KEYS.min(flows);
            let old: Vec<_> = keys.make(count, |at| oldest + at).to_vec();
            let new = keys.make(count, |at| oldest + flows + at);
            let started_ns = monotonic_ns();
            for (old, new) in old.chunks(BATCH).zip(new.chunks(BATCH)) {
                table.remove(old);
                table.insert(new);
            }
            took_ns += monotonic_ns() - started_ns;
            (oldest, done) = (oldest + count, done + count);
        }
        (done, took_ns)
    });
    let placed_percent = float(placed) * 100.0 / f64::from(flows);
    let bytes = T::bytes_for(flows);
    Row { flows, table: name, bytes, placed_percent, insert, hit, miss, churn }
}

/// Fills an empty table, and a small one again and again. It is full at the end; `placed` of its
/// flows found a place.
fn fill<T: Table>(table: &mut T, flows: u32, keys: &mut Keys, placed: &mut u64) -> Rate {
    let times = (OPERATIONS / 4 / flows).max(SLICES);
    let mut rates = Vec::new();
    let chunks = |first: u32| (first..flows).step_by(KEYS as usize);
    if flows < OPERATIONS {
        for time in 0..times {
            *placed = 0;
            let mut took_ns = 0;
            for first in chunks(0) {
                let keys = keys.make(KEYS.min(flows - first), |at| first + at);
                took_ns += timed(keys, |keys| {
                    let found = table.insert(keys);
                    *placed += found as u64;
                    found
                });
            }
            rates.push(rate(flows, took_ns));
            if time + 1 < times {
                for first in chunks(0) {
                    let keys = keys.make(KEYS.min(flows - first), |at| first + at);
                    timed(keys, |keys| table.remove(keys));
                }
            }
        }
        return summary(rates);
    }
    for slice in 0..SLICES {
        let share = |slice: u32| u64::from(flows) * u64::from(slice) / u64::from(SLICES);
        let bound = |slice: u32| u32::try_from(share(slice)).unwrap_or(flows);
        let (mut first, end, mut took_ns) = (bound(slice), bound(slice + 1), 0);
        let begun = first;
        while first < end {
            let keys = keys.make(KEYS.min(end - first), |at| first + at);
            let started_ns = monotonic_ns();
            *placed += keys.chunks(BATCH).map(|keys| table.insert(keys) as u64).sum::<u64>();
            took_ns += monotonic_ns() - started_ns;
            first += u32::try_from(keys.len()).unwrap_or(KEYS);
        }
        rates.push(rate(end - begun, took_ns));
    }
    summary(rates)
}

/// Nanoseconds that `work` takes for all keys, batch by batch.
fn timed(keys: &[FlowKey], mut work: impl FnMut(&[FlowKey]) -> usize) -> u64 {
    let started_ns = monotonic_ns();
    for keys in keys.chunks(BATCH) {
        std::hint::black_box(work(keys));
    }
    monotonic_ns() - started_ns
}

/// Measures [`SLICES`] times, after once that does not count.
fn slices(mut slice: impl FnMut(u32) -> (u32, u64)) -> Rate {
    slice(0);
    let rates = (0..SLICES).map(|number| {
        let (operations, took_ns) = slice(number);
        rate(operations, took_ns)
    });
    summary(rates.collect())
}

fn rate(operations: u32, took_ns: u64) -> f64 {
    f64::from(operations) * 1e3 / float(took_ns).max(1.0)
}

fn summary(mut rates: Vec<f64>) -> Rate {
    rates.sort_by(f64::total_cmp);
    let at = |index: usize| rates.get(index).copied().unwrap_or_default();
    Rate { median: at(rates.len() / 2), least: at(0), most: at(rates.len().saturating_sub(1)) }
}

fn memory_of(flows: u32, bytes: u64) -> Memory {
    let (chase_ns, reads) = reads_of(bytes, false);
    let (huge_chase_ns, huge_reads) = reads_of(bytes, true);
    Memory { flows, bytes, chase_ns, reads, huge_chase_ns, huge_reads }
}

fn reads_of(bytes: u64, huge_pages: bool) -> (f64, Rate) {
    let mut chase = Chase::new(bytes, huge_pages);
    let steps = OPERATIONS / SLICES;
    let timed = |work: &mut dyn FnMut()| {
        let started_ns = monotonic_ns();
        work();
        (steps, monotonic_ns() - started_ns)
    };
    let chased = slices(|_| timed(&mut || chase.follow(steps)));
    let reads = slices(|slice| timed(&mut || chase.read(steps, slice * steps)));
    (1e3 / chased.median, reads)
}

fn report(outcome: &Outcome) -> String {
    let mut lines = vec![
        format!("{}.", outcome.machine),
        format!(
            "Huge pages: {} for private memory, {} for shared. One core, batches of {BATCH}; millions \
             of operations a second, medians of {SLICES} slices. Weir's has \
             five slots for every four flows; a table may take {} % of the memory that is available.",
            outcome.machine.huge_pages, outcome.machine.huge_pages_shared, outcome.share_percent
        ),
        String::new(),
        "| flows | table | MiB | placed | insert | hit | miss | churn |".into(),
        "| ---: | --- | ---: | ---: | ---: | ---: | ---: | ---: |".into(),
    ];
    lines.extend(outcome.rows.iter().map(|row| {
        let Row { flows, table, bytes, placed_percent, insert, hit, miss, churn } = row;
        let [insert, hit, miss, churn] = [insert, hit, miss, churn].map(|rate| rate.median);
        let mebibytes = float(*bytes) / float(1 << 20);
        format!(
            "| {flows} | {table} | {mebibytes:.1} | {placed_percent:.2} % | {insert:.1} | {hit:.1} \
             | {miss:.1} | {churn:.1} |"
        )
    }));
    lines.extend([
        String::new(),
        "| as much memory as weir takes for | MiB | random reads, one after the other | at once \
         | on huge pages | at once |"
            .into(),
        "| ---: | ---: | ---: | ---: | ---: | ---: |".into(),
    ]);
    lines.extend(outcome.memory.iter().map(|memory| {
        let Memory { flows, bytes, chase_ns, huge_chase_ns, .. } = memory;
        let [reads, huge_reads] = [memory.reads.median, memory.huge_reads.median];
        let mebibytes = float(*bytes) / float(1 << 20);
        format!(
            "| {flows} flows | {mebibytes:.1} | {chase_ns:.1} ns | {reads:.1} M/s \
             | {huge_chase_ns:.1} ns | {huge_reads:.1} M/s |"
        )
    }));
    if !outcome.left_out.is_empty() {
        lines.push(String::new());
        lines.extend(outcome.left_out.iter().map(|left| format!("Left out: {left}.")));
    }
    lines.join("\n") + "\n"
}

#[expect(clippy::cast_precision_loss, reason = "figures for people")]
fn float(value: u64) -> f64 {
    value as f64
}
