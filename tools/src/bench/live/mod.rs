//! `weir bench live`: the highest rates at which an engine takes every frame that is sent to it, in
//! the manner of RFC 2544, between `weir replay` and the engine. docs/BENCH.md tells how to read the
//! result.
//!
//! [`mod@grid`] is what is measured, [`mod@cell`] how, [`mod@search`] finds the rates. `sender` and `subject` are
//! the two ends of the cable that [`bed`] makes.

mod bed;
mod cell;
mod grid;
mod reader;
mod report;
mod rxdrop;
mod search;
mod sender;
mod state;
mod subject;

use std::io::Write;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::atomic::Ordering;
use std::time::Duration;

use clap::{Args, ValueEnum};
use weir_engine::sys::clock;
use weir_engine::sys::place::{self, Core};

use crate::exit::{Code, failure};
use crate::units::{self, Quantity};
use bed::Bed;
use cell::{Method, float};
use grid::{Cell, Grid, Size, Work};
use report::{Found, Machine, Outcome, SetUp, Share};
use state::{Measured, State};

/// Find the highest rates at which an engine loses no frame, or one in 200, and how old packets are
/// below that.
///
/// `weir replay` sends, over a veth pair in a network namespace of its own (as root), or over a cable
/// between two interfaces of yours. Each cell of the grid ends with the sender at top speed, and every
/// frame of every trial is accounted for by name. docs/BENCH.md has the method and how to read it.
#[derive(Args, Debug)]
pub(crate) struct LiveArgs {
    /// Which cells, where nothing below says so.
    #[arg(long, value_enum, default_value_t = Which::Small)]
    grid: Which,

    /// Bytes of a frame with its check sequence, 64 to 1518, or imix; several with commas.
    #[arg(long, value_name = "BYTES", value_delimiter = ',', value_parser = grid::size)]
    size: Vec<Size>,

    /// Flows at the same time.
    #[arg(long, value_name = "N", value_delimiter = ',', value_parser = grid::count)]
    flows: Vec<u32>,

    /// New flows a second, each in the place of an old one.
    #[arg(long, value_name = "N", value_delimiter = ',', value_parser = grid::count)]
    new_flows_per_second: Vec<u32>,

    /// What is done with a frame. The ceiling, rxdrop, is measured before each.
    #[arg(long, value_enum, value_delimiter = ',')]
    work: Vec<Work>,

    /// Threads that do it.
    #[arg(long, value_name = "K", value_delimiter = ',', value_parser = clap::value_parser!(u16).range(1..=64))]
    shards: Vec<u16>,

    /// Send out of this interface; with --rx.
    #[arg(long, value_name = "IF", requires = "rx")]
    tx: Option<String>,

    /// Receive on this one, which a cable connects with it.
    #[arg(long, value_name = "IF", requires = "tx")]
    rx: Option<String>,

    /// How `weir replay` sends.
    #[arg(long, value_enum, default_value_t = Engine::Auto)]
    engine: Engine,

    /// The core that sends; the last one by default. Shards and readers get the others.
    #[arg(long, value_name = "CORE")]
    core: Option<usize>,

    /// What shards do that have nothing to do.
    #[arg(long, value_enum, default_value_t = Wait::Sleep)]
    wait: Wait,

    /// Where the kernel's receive side of a veth pair of its own runs.
    #[arg(long, value_enum, default_value_t = Receive::Auto, conflicts_with = "tx")]
    receive: Receive,

    /// The share of new flows that begin with an application's first words.
    #[arg(long, value_name = "SHARE", default_value_t = 0.3)]
    payloads: f64,

    /// How long a trial is that decides; those that only look around are a quarter of it.
    #[arg(long, value_name = "TIME", default_value = "2s", value_parser = time)]
    trial: Duration,

    /// How close to each other the bounds of a result are.
    #[arg(long, value_name = "PERCENT", default_value = "2%", value_parser = percent)]
    precision: f64,

    /// Begin no cell that may end later; 5m for the small grid.
    #[arg(long = "for", value_name = "TIME", value_parser = time)]
    most: Option<Duration>,

    /// Keep each result in this file as it comes, and leave out what it holds already.
    #[arg(long, value_name = "FILE")]
    state: Option<PathBuf>,

    /// One JSON object instead of Markdown.
    #[arg(long)]
    json: bool,

    /// Write the tables to this file, too.
    #[arg(long, value_name = "FILE")]
    markdown: Option<PathBuf>,

    /// Settings file of the engine.
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
}

/// `--grid`.
#[derive(ValueEnum, Clone, Copy, PartialEq, Eq, Debug)]
enum Which {
    /// Some minutes: 64 bytes, 100K flows, one shard, every work.
    Small,
    /// Every size, number of flows, rate of new ones, one and two shards: half a day.
    Full,
}

/// `--engine`.
#[derive(ValueEnum, Clone, Copy, PartialEq, Eq, Debug)]
enum Engine {
    /// What fits the interface.
    Auto,
    /// Made in the kernel.
    Live,
    /// AF_XDP.
    Xdp,
    /// AF_PACKET.
    Packet,
}

/// `--receive`.
#[derive(ValueEnum, Clone, Copy, PartialEq, Eq, Debug)]
enum Receive {
    /// In a thread where that has a core of its own, else on the sender's core.
    Auto,
    /// In a thread of the kernel's, on the core after the shards'.
    Thread,
    /// On the sender's core, as the kernel does by itself: the shards have theirs alone.
    Sender,
}

/// `--wait`.
#[derive(ValueEnum, Clone, Copy, PartialEq, Eq, Debug)]
enum Wait {
    /// Until frames come.
    Sleep,
    /// Not at all.
    Busy,
}

/// Runs the measurement.
///
/// # Errors
/// Nothing could be measured.
pub(super) fn run(args: &LiveArgs) -> anyhow::Result<ExitCode> {
    if !(0.0..=1.0).contains(&args.payloads) {
        return Err(failure(Code::Usage, "--payloads is a share, 0 to 1"));
    }
    let settings = crate::run::settings(args.config.as_deref(), None)?;
    let cores = place::cores();
    let sender_core = sender_core(args.core, &cores)?;
    let grid = grid(args);
    let mut state = State::open(args.state.as_deref(), settings_of(args))?;
    let bed = match (&args.tx, &args.rx) {
        (Some(tx), Some(rx)) => Bed::named(tx, rx)?,
        _ => Bed::make(args.receive.in_thread(&grid, cores.len().saturating_sub(1)))?,
    };
    let name = format!("bench-live-{}", std::process::id());
    let mut config = settings.into_config(&name, &[format!("xdp:{}", bed.rx)])?;
    config.busy_poll |= args.wait == Wait::Busy;
    let stop = crate::run::stop_on_signals()?;
    let others = cores.iter().filter(|core| Some(**core) != sender_core || cores.len() == 1);
    let method = Method {
        config: &config,
        bed: &bed,
        engine: args.engine.name(),
        payloads: args.payloads,
        trial: args.trial,
        precision: args.precision,
        sender_core,
        cores: others.copied().collect(),
        stop: &stop,
    };
    let set_up = set_up(args, &bed, &method);
    let wanted = grid.cells();
    let (left, failed) = measure(args, &method, &wanted, &mut state)?;
    let found = wanted.iter().filter_map(|cell| found(&state, *cell)).collect();
    let outcome = Outcome {
        machine: Machine::here(&cores),
        set_up,
        cells: found,
        idle_cpu: state.idle(),
        busy_poll: state.busy_poll().cloned(),
        left,
        failed,
    };
    let text = outcome.markdown();
    if let Some(path) = &args.markdown {
        report::write(path, &text)?;
    }
    crate::exit::print(&if args.json { serde_json::to_string_pretty(&outcome)? } else { text })?;
    Ok(if outcome.is_sound() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// Measures what there is time for; how many cells were left, and what failed.
fn measure(
    args: &LiveArgs,
    method: &Method<'_>,
    wanted: &[Cell],
    state: &mut State,
) -> anyhow::Result<(usize, Vec<String>)> {
    const SMALL: Duration = Duration::from_mins(5);
    let small = args.grid == Which::Small;
    let most = args.most.or(small.then_some(SMALL)).unwrap_or(Duration::MAX);
    let started = clock::monotonic_ns();
    let passed = || Duration::from_nanos(clock::monotonic_ns() - started);
    let (mut left, mut failed) = (0, Vec::new());
    let mut longest = Duration::ZERO;
    let idle = Cell { work: Work::Dpi, ..*wanted.first().ok_or_else(no_cells)? };
    if state.idle().is_none()
        && let Some(cpu) = cell::idle(method, idle)?
    {
        state.add(Measured::Idle { cpu })?;
    }
    for (number, cell) in (1..).zip(wanted) {
        if state.row(*cell).is_some() {
            continue;
        }
        if method.stop.load(Ordering::Relaxed) || passed() + longest > most {
            left += 1;
            continue;
        }
        say(&format!("{number} of {}: {cell}", wanted.len()));
        let begun = passed();
        match cell::measure(method, *cell) {
            Ok(row) => state.add(Measured::Cell(Box::new(row)))?,
            Err(_) if method.stop.load(Ordering::Relaxed) => left += 1,
            // Where nothing works, its reason is all there is to say.
            Err(error) if number == 1 => return Err(error),
            Err(error) => failed.push(format!("{cell}: {error:#}")),
        }
        longest = longest.max(passed().saturating_sub(begun));
    }
    if state.busy_poll().is_none() && !method.stop.load(Ordering::Relaxed) && passed() < most {
        let rows = wanted.iter().filter_map(|cell| state.row(*cell));
        let mut rows = rows.filter(|row| row.cell.work == Work::Dpi);
        if let Some((cell, ndr)) = rows.find_map(|row| row.ndr.map(|ndr| (row.cell, ndr))) {
            match cell::busy_poll(method, cell, ndr) {
                Ok(latency) => state.add(Measured::BusyPoll(Box::new((cell, latency))))?,
                Err(error) => failed.push(format!("busy polling: {error:#}")),
            }
        }
    }
    Ok((left, failed))
}

/// A cell's result beside its ceiling.
fn found(state: &State, cell: Cell) -> Option<Found> {
    let row = state.row(cell)?.clone();
    let ceiling = state.row(Cell { work: Work::RxDrop, ..cell });
    let of_ceiling = ceiling.and_then(|ceiling| {
        Some(Share {
            ratio: row.ndr? / ceiling.ndr?,
            part_limited: row.ndr_limited,
            whole_limited: ceiling.ndr_limited,
        })
    });
    Some(Found { row, of_ceiling })
}

fn grid(args: &LiveArgs) -> Grid {
    fn or<T: Clone>(wanted: &[T], all: Vec<T>) -> Vec<T> {
        if wanted.is_empty() { all } else { wanted.to_vec() }
    }
    let all = match args.grid {
        Which::Small => Grid::small(),
        Which::Full => Grid::full(),
    };
    let works = args.work.iter().copied().filter(|work| *work != Work::RxDrop).collect::<Vec<_>>();
    Grid {
        sizes: or(&args.size, all.sizes),
        flows: or(&args.flows, all.flows).into_iter().map(|flows| flows.max(1)).collect(),
        new_flows: or(&args.new_flows_per_second, all.new_flows),
        works: if args.work.is_empty() { all.works } else { works },
        shards: or(&args.shards, all.shards),
    }
}

fn no_cells() -> anyhow::Error {
    failure(Code::Usage, "nothing to measure")
}

fn sender_core(wanted: Option<usize>, cores: &[Core]) -> anyhow::Result<Option<Core>> {
    let Some(wanted) = wanted else {
        return Ok(cores.last().filter(|_| cores.len() > 1).copied());
    };
    let found = cores.iter().find(|core| core.os_index == wanted);
    let all = || cores.iter().map(|core| core.os_index.to_string()).collect::<Vec<_>>().join(", ");
    let missing = || format!("no core {wanted} for this process; it has {}", all());
    found.map(|core| Some(*core)).ok_or_else(|| failure(Code::Usage, missing()))
}

/// What makes results comparable, in a line.
fn settings_of(args: &LiveArgs) -> String {
    let between = args.tx.as_deref().zip(args.rx.as_deref()).unwrap_or(("veth", "veth"));
    format!(
        "{} {between:?} {:?} {:?} {:?} {:?} payloads {} trial {:?} precision {} config {:?}",
        env!("CARGO_PKG_VERSION"),
        args.engine,
        args.wait,
        args.receive,
        args.core,
        args.payloads,
        args.trial,
        args.precision,
        args.config
    )
}

fn set_up(args: &LiveArgs, bed: &Bed, method: &Method<'_>) -> SetUp {
    SetUp {
        version: env!("CARGO_PKG_VERSION"),
        tx: bed.tx.clone(),
        rx: bed.rx.clone(),
        own_pair: bed.made,
        receive: if bed.threaded { "thread" } else { "sender" },
        sender_core: method.sender_core.map(|core| core.os_index),
        other_cores: method.cores.iter().map(|core| core.os_index).collect(),
        wait: if method.config.busy_poll { "busy_poll" } else { "sleep" }.to_owned(),
        trial_seconds: float(u64::try_from(args.trial.as_millis()).unwrap_or(u64::MAX)) / 1e3,
        precision: args.precision,
        payloads: args.payloads,
    }
}

impl Receive {
    /// With so many cores for all but the sender.
    fn in_thread(self, grid: &Grid, cores: usize) -> bool {
        let shards = grid.shards.iter().max().copied().unwrap_or(1);
        match self {
            Receive::Auto => cores > usize::from(shards),
            Receive::Thread => true,
            Receive::Sender => false,
        }
    }
}

impl Engine {
    const fn name(self) -> &'static str {
        match self {
            Engine::Auto => "auto",
            Engine::Live => "live",
            Engine::Xdp => "xdp",
            Engine::Packet => "packet",
        }
    }
}

fn time(text: &str) -> Result<Duration, String> {
    let ns = units::parse(text, Quantity::Time).filter(|ns| *ns >= 100_000_000);
    let wrong = || format!("write it as {}; 100ms at least", Quantity::Time.examples());
    ns.map(Duration::from_nanos).ok_or_else(wrong)
}

fn percent(text: &str) -> Result<f64, String> {
    let number = text.strip_suffix('%').unwrap_or(text).parse::<f64>().ok();
    let number = number.filter(|percent| (0.1..=20.0).contains(percent));
    number.map(|percent| percent / 100.0).ok_or_else(|| "write 0.1% to 20%".to_owned())
}

/// Says something beside the result; nobody need be there to read it.
fn say(text: &str) {
    writeln!(std::io::stderr(), "{text}").ok();
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Parser)]
    struct Line {
        #[command(flatten)]
        args: LiveArgs,
    }

    #[test]
    fn options_select_parts_of_the_grid() {
        let cells = |line: &str| {
            let words = std::iter::once("live").chain(line.split_whitespace());
            Line::try_parse_from(words).map(|line| grid(&line.args).cells().len())
        };
        assert_eq!(cells("").unwrap(), 5);
        assert_eq!(cells("--grid full").unwrap(), 960);
        assert_eq!(
            cells("--grid full --size 64,imix --shards 1 --work dpi --flows 1K").unwrap(),
            12
        );
        assert_eq!(cells("--work rxdrop").unwrap(), 1);
        for wrong in ["--size 1519", "--trial 1ms", "--precision 0%", "--tx a", "--work all"] {
            assert!(cells(wrong).is_err(), "{wrong}");
        }
    }
}
