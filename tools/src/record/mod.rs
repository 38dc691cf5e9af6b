//! `weir record`: an engine's packets, or those of files, to disk.
//!
//! Out of process, a reader like every other: what the disk does not take is dropped here, by name, and
//! the engine never waits. One thread takes packets from the rings and fills blocks of memory
//! (`sink`), another writes them (`disk`); between them others compress them, if asked to (`press`). That
//! is so for all shards together, or once for each.

mod alerts;
mod args;
mod asked;
pub(crate) mod choice;
mod disk;
mod files;
mod flows;
mod live;
mod memory;
mod offline;
mod press;
mod recorder;
mod report;
pub(crate) mod retain;
mod sink;
mod trigger;

use std::io::{self, Write};
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;

use anyhow::Context;
use weir_shm::packets::PacketReader;

use crate::exit::{Code, failure};
use crate::feed::target::Target;
use crate::files::encode::Format;
use crate::files::packed::Method;
use crate::packets::{self, ETHERNET, PacketArgs, link_title, or_ethernet, sources};
use crate::{exit, live as engines};

use alerts::Watch;
pub(crate) use args::RecordArgs;
use args::Writers;
use choice::{Choice, Filter};
use flows::Flows;
use memory::Memory;
use press::Pack;
use recorder::{Recorder, Ways};
use report::Summary;
use retain::Limits;
use sink::Sink;
use trigger::{Lock, Trigger};

/// Files are looked after this often.
const TICK_NS: u64 = 1_000_000_000;

/// Runs the command.
pub(crate) fn run(args: &RecordArgs) -> anyhow::Result<ExitCode> {
    if let Some(args::Sub::Trigger(args)) = &args.sub {
        return trigger::run(args);
    }
    if args.dir.is_none() && args.tap.is_none() {
        return Err(failure(Code::Usage, "say where to: --dir DIR, or --tap IF"));
    }
    let dir = args.dir.as_deref();
    let lock = dir.map(|dir| Lock::take(dir, &args.prefix)).transpose()?;
    if let Some(dir) = dir {
        repair(dir, &args.prefix)?;
    }
    let stop = packets::stop_on_signals()?;
    let trigger = Trigger::new(dir.map(|dir| (dir, args.prefix.as_str())))?;
    let code = if args.sources.is_empty() {
        record_live(args, &stop, &trigger)
    } else {
        record_files(args, &stop, &trigger)
    };
    drop(lock);
    code
}

fn repair(dir: &std::path::Path, prefix: &str) -> anyhow::Result<()> {
    let repaired = retain::repair(dir, prefix)
        .with_context(|| format!("cannot repair what an earlier run left in {}", dir.display()))?;
    if repaired != retain::Repaired::default() {
        let retain::Repaired { files, packets, cut_bytes, empty } = repaired;
        say(&format!(
            "an earlier run did not end in order: {files} files finished with {packets} packets, \
             {cut_bytes} bytes of torn ends cut off, {empty} files without packets removed"
        ));
    }
    Ok(())
}

fn record_live(
    args: &RecordArgs,
    stop: &packets::Stop,
    trigger: &Trigger,
) -> anyhow::Result<ExitCode> {
    let wanted = PacketArgs {
        engine: args.engine.clone(),
        filter: args.filter.clone(),
        apps: args.apps.clone(),
        flow: args.flow,
        group: args.group.clone(),
        lease: !args.window,
    };
    let reader = wanted.open("weir record")?;
    let info = reader.attached().info();
    let (name, description) = (format!("weir:{}", info.name), sources(reader.attached()));
    if let Some(tap) = &args.tap {
        packets::refuse_circle(reader.attached(), tap)?;
        let source = or_ethernet(reader.link_type());
        let title = link_title(source).unwrap_or("of another kind");
        anyhow::ensure!(source == ETHERNET, "packets are {title}, and an interface takes Ethernet");
    }
    let tick_ns = args.sync.every_ns().map_or(TICK_NS, |every| every.min(TICK_NS));
    let readers = match args.writers {
        Writers::Merged => vec![reader],
        Writers::Shard => reader.by_shard()?,
    };
    let number = number(args);
    let recorders = readers.iter().map(|reader| {
        let part = Part {
            shard: reader.only_shard().filter(|_| args.writers == Writers::Shard),
            of: readers.len(),
            number: Arc::clone(&number),
        };
        let names = (name.clone(), description.clone());
        recorder(args, choice(args, false)?, names, Some(tick_ns), &part)
    });
    let recorders = recorders.collect::<anyhow::Result<Vec<_>>>()?;
    if let (Some(reader), Some(recorder)) = (readers.first(), recorders.first()) {
        let name = &reader.attached().info().name;
        say(&format!("recording engine {name}: {}", title(args, recorder, recorders.len())));
        wait_for_reader(args, recorder, stop)?;
    }
    let attached = readers.first().map(PacketReader::share_attached);
    let one = |(mut reader, mut recorder): (PacketReader, Recorder)| {
        let mut watch = Watch::new(reader.attached(), args.alert);
        let died = live::run(&mut reader, &mut recorder, stop, trigger, &mut watch);
        let died = finish(&mut recorder, stop, died)?;
        anyhow::Ok((died, Summary::new(&recorder, Some(&reader))))
    };
    let ended = all(readers.into_iter().zip(recorders).collect(), one)?;
    let died = ended.iter().any(|(died, _)| *died);
    let summaries = ended.into_iter().map(|(_, summary)| summary).collect();
    if let Some(summary) = Summary::sum(summaries) {
        print(args, &summary)?;
    }
    match attached.filter(|_| died) {
        Some(attached) => engines::ended(&attached),
        None => Ok(ExitCode::SUCCESS),
    }
}

/// Does something with each, on a thread of its own where there are several. All are waited for.
fn all<T: Send, U: Send>(
    mut each: Vec<T>,
    does: impl Fn(T) -> anyhow::Result<U> + Sync,
) -> anyhow::Result<Vec<U>> {
    let Some(last) = each.pop() else { return Ok(Vec::new()) };
    let does = &does;
    std::thread::scope(|scope| {
        let threads: Vec<_> = each.into_iter().map(|one| scope.spawn(move || does(one))).collect();
        let last = does(last);
        let panicked = || Err(anyhow::anyhow!("a thread that records has panicked"));
        let joined = threads.into_iter().map(|thread| thread.join().unwrap_or_else(|_| panicked()));
        joined.chain([last]).collect()
    })
}

/// The number of the next file, for all writers.
fn number(args: &RecordArgs) -> Arc<AtomicU64> {
    let next = args.dir.as_deref().map_or(0, |dir| retain::next_number(dir, &args.prefix));
    Arc::new(AtomicU64::new(next))
}

fn record_files(
    args: &RecordArgs,
    stop: &packets::Stop,
    trigger: &Trigger,
) -> anyhow::Result<ExitCode> {
    let files = args.files()?;
    let description = format!("{} files", files.len());
    let choice = choice(args, true)?;
    let part = Part { shard: None, of: 1, number: number(args) };
    let mut recorder = recorder(args, choice, ("files".to_owned(), description), None, &part)?;
    say(&format!("recording {} files: {}", files.len(), title(args, &recorder, 1)));
    wait_for_reader(args, &recorder, stop)?;
    let done = offline::run(&files, &mut recorder, stop, trigger, args.alert);
    finish(&mut recorder, stop, done)?;
    let summary = Summary::new(&recorder, None);
    print(args, &summary)?;
    if summary.lost() > 0 {
        let text = format!("{} packets were chosen and could not be written", summary.lost());
        return Err(failure(Code::Failed, text));
    }
    Ok(ExitCode::SUCCESS)
}

fn wait_for_reader(
    args: &RecordArgs,
    recorder: &Recorder,
    stop: &packets::Stop,
) -> anyhow::Result<()> {
    if let Some(target) = recorder.target.as_ref().filter(|_| args.wait_for_reader) {
        target.wait_for_reader(stop)?;
    }
    Ok(())
}

/// Ends the files and the interface, also where it did not go well.
fn finish<T>(
    recorder: &mut Recorder,
    stop: &packets::Stop,
    result: anyhow::Result<T>,
) -> anyhow::Result<T> {
    let ended = recorder.finish();
    if let Some(target) = recorder.target.take() {
        target.close(stop);
    }
    let value = result?;
    ended?;
    Ok(value)
}

fn print(args: &RecordArgs, summary: &Summary) -> anyhow::Result<()> {
    let text = if args.json { serde_json::to_string(summary)? } else { summary.text() };
    Ok(exit::print(&text)?)
}

/// Where to and how, for people.
fn title(args: &RecordArgs, recorder: &Recorder, writers: usize) -> String {
    let mut ways = Vec::new();
    if let (Some(dir), Some(files)) = (&args.dir, &recorder.files) {
        let way = report::way(files.sink.told(), args.direct());
        let each = if writers > 1 { format!(", {writers} writers") } else { String::new() };
        ways.push(format!("to {} ({way}{each})", dir.display()));
    }
    if let Some(target) = &recorder.target {
        ways.push(format!("to {}", target.title()));
    }
    ways.join(", ")
}

fn choice(args: &RecordArgs, offline: bool) -> anyhow::Result<Choice> {
    let app = |name: &String| packets::app_id(name, &args.engine);
    let mut choice = Choice {
        hosts: args.hosts.clone(),
        vlans: args.vlans.clone(),
        unknown: args.unknown,
        risk: args.risk,
        sample: args.sample.unwrap_or(1),
        cut_off: args.cutoff,
        snap: args.snap.and_then(|bytes| usize::try_from(bytes).ok()),
        ..Choice::default()
    };
    for (name, bytes) in &args.snap_apps {
        choice.snap_apps.insert(app(name)?, usize::try_from(*bytes)?);
    }
    if offline {
        choice.apps = args.apps.iter().map(app).collect::<anyhow::Result<_>>()?;
        let filter = args.filter.as_deref().map(str::trim).filter(|text| !text.is_empty());
        choice.filter = filter.map(Filter::new).transpose()?;
    }
    Ok(choice)
}

/// Which part of the packets a recorder has.
#[derive(Debug)]
struct Part {
    /// One shard's alone.
    shard: Option<u16>,
    /// One of so many, which share the memory.
    of: usize,
    number: Arc<AtomicU64>,
}

fn recorder(
    args: &RecordArgs,
    choice: Choice,
    (name, description): (String, String),
    tick_ns: Option<u64>,
    part: &Part,
) -> anyhow::Result<Recorder> {
    if args.format == Format::Pcap && matches!(args.compress, Some(Method::Zstd(_))) {
        let advice = "--compress lz4, or --format pcapng";
        return Err(failure(Code::Usage, format!("zstd compresses pcapng alone: {advice}")));
    }
    let of = u64::try_from(part.of)?.max(1);
    let mut files = None;
    if let Some(dir) = &args.dir {
        let shape = files::Shape {
            folder: dir.clone(),
            prefix: args.prefix.clone(),
            format: args.format,
            ending: retain::ending(args.format, part.shard, args.compress),
            file_bytes: args.file_size,
            file_ns: args.file_time,
            file_packets: args.file_packets,
            index: !args.no_index,
            index_bytes: usize::try_from(args.index_memory / of)?,
            tick_ns,
            sync_ns: args.sync.every_ns(),
            name,
            description,
            filter: args.filter.clone().unwrap_or_default(),
            snap_bytes: args.snap.and_then(|bytes| u32::try_from(bytes).ok()).unwrap_or(0),
        };
        let way = disk::Way {
            direct: args.direct(),
            uring: !args.no_uring,
            sync_files: args.sync.files(),
            tail: args.compress.map_or(&[], Method::tail),
        };
        let limits = Limits {
            prefix: args.prefix.clone(),
            total_bytes: args
                .total_size
                .map(|most| most.saturating_sub(args.file_size.saturating_mul(of))),
            age_ns: args.max_age,
        };
        let threads = usize::try_from(args.compress_threads)?;
        let pack = args.compress.map(|method| Pack { method, threads });
        let sink = Sink::start(way, limits, args.buffers / of, pack);
        let sink = sink.context("cannot start to write")?;
        files = Some(files::Files::new(shape, sink, Arc::clone(&part.number)));
    }
    let target = args.tap.as_deref().map(Target::open).transpose()?;
    let memory = match args.pretrigger {
        None => None,
        Some(span_ns) => Some(Memory::new(span_ns, usize::try_from(args.pretrigger_memory)?)),
    };
    // More than are looked for at a time.
    let flows = Flows::new(usize::try_from(args.flows / of)?.max(1 << 10));
    let ways = Ways {
        files,
        target,
        memory,
        waits: !args.sources.is_empty(),
        by_alert: args.alert.is_some(),
        after_ns: args.after,
    };
    Ok(Recorder::new(choice, flows, ways, args.comments && args.format == Format::Pcapng))
}

/// Tells people what is going on.
fn say(text: &str) {
    // Standard error may be closed; there is nobody to tell then.
    writeln!(io::stderr(), "weir: {text}").ok();
}
