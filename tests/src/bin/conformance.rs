//! Holds recognition against a folder of labelled captures: names at three levels, host names,
//! JA4, categories, and every disagreement by pair.
//!
//! `conformance [DIR] [--json FILE] [--list N] [--capture PART] [--only NAME] [--time ROUNDS]`: DIR
//! holds `pcap/` and `expected.tsv`; without it `WEIR_CORPUS`, or the corpus beside the repository.
//! `--list` ends lists after N rows, `--capture` takes captures whose file name contains PART,
//! `--only` lists every flow in which either side says NAME (a whole dotted name or a part of it),
//! `--time` walks everything ROUNDS times for ns/packet. What names are the same is in
//! `tests/conformance`.
#![expect(clippy::print_stdout, reason = "a report for people")]

use anyhow::Context;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use weir_dpi::{Inspector, Segment, Slot, Step};
use weir_tests::corpus::{self, Capture, Pair, Report};

fn main() -> ExitCode {
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("conformance: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run() -> anyhow::Result<()> {
    let options = options()?;
    let root = options.root.clone().or_else(corpus::root);
    let root =
        root.context("name a folder with pcap/ and expected.tsv in it, or set WEIR_CORPUS")?;
    corpus::check(&root)?;
    if options.rounds > 0 {
        return time(&root, &options);
    }
    let scored = corpus::score(&root, &options.capture)?;
    if let Some(only) = &options.only {
        for pair in scored.pairs.iter().filter(|pair| mentions(pair, only)) {
            println!("{}", line(pair));
        }
        return Ok(());
    }
    let report = Report::new(&scored);
    print!("{}", report.text(options.list));
    if let Some(path) = &options.json {
        let text = serde_json::to_string_pretty(&report.json())? + "\n";
        std::fs::write(path, text).with_context(|| path.display().to_string())?;
    }
    Ok(())
}

#[derive(Debug, Default)]
struct Options {
    root: Option<PathBuf>,
    json: Option<PathBuf>,
    only: Option<String>,
    capture: String,
    list: usize,
    rounds: u32,
}

fn options() -> anyhow::Result<Options> {
    let mut found = Options { list: usize::MAX, ..Options::default() };
    let mut given = std::env::args().skip(1);
    while let Some(word) = given.next() {
        let mut value = || given.next().ok_or_else(|| anyhow::anyhow!("{word} needs a value"));
        match word.as_str() {
            "--json" => found.json = Some(value()?.into()),
            "--only" => found.only = Some(value()?),
            "--capture" => found.capture = value()?,
            "--list" => found.list = value()?.parse().context("--list")?,
            "--time" => found.rounds = value()?.parse().context("--time")?,
            folder if !folder.starts_with('-') && found.root.is_none() => {
                found.root = Some(folder.into());
            }
            other => anyhow::bail!("unknown option {other}"),
        }
    }
    Ok(found)
}

/// Whether either side says `name`.
fn mentions(pair: &Pair, name: &str) -> bool {
    let ours = pair.our_name();
    [pair.row.name.as_str(), ours.trim_end_matches('?')].into_iter().any(|dotted| {
        dotted.eq_ignore_ascii_case(name)
            || dotted.split('.').any(|part| part.eq_ignore_ascii_case(name))
    })
}

/// All about one row.
fn line(pair: &Pair) -> String {
    let mark = if pair.levels.full.is_some() { "=" } else { "!" };
    let host = match (pair.row.host.as_str(), pair.our_host()) {
        (theirs, ours) if theirs == ours => theirs.to_owned(),
        (theirs, ours) => format!("{theirs:?} here {ours:?}"),
    };
    format!(
        "{mark} {} -> {} ({}, {} inspected)  [{}] {}  {} {host}",
        pair.row.name,
        pair.our_name(),
        pair.confidence().name(),
        pair.ours.as_ref().map_or(0, |ours| ours.inspected),
        pair.row.confidence,
        pair.row.capture,
        pair.row.shown,
    )
}

/// The capture files whose names contain PART, in order.
fn captures(root: &Path, options: &Options) -> anyhow::Result<Vec<PathBuf>> {
    let mut paths = Vec::new();
    for entry in std::fs::read_dir(root.join("pcap"))? {
        let entry = entry?;
        if entry.file_name().to_string_lossy().contains(&options.capture) {
            paths.push(entry.path());
        }
    }
    paths.sort();
    Ok(paths)
}

/// The time that inspection takes: files read and packets parsed beforehand, and the cost of
/// walking them, measured in a run that inspects nothing, taken off.
fn time(root: &Path, options: &Options) -> anyhow::Result<()> {
    let mut files = Vec::new();
    for path in captures(root, options)? {
        files.push(std::fs::read(path)?);
    }
    let captures: Vec<Capture<'_>> =
        files.iter().filter_map(|file| Capture::new(file).ok()).collect();
    let mut inspector = Inspector::new(&corpus::limits());
    let (mut walking, mut whole, mut inspected) = (f64::MAX, f64::MAX, 0);
    for _ in 0..options.rounds {
        let ended = |_: &mut Inspector, _: &mut Slot, _: &Segment<'_>| true;
        walking = walking.min(seconds(&captures, &mut inspector, ended));
        let before = inspector.counters().packets_inspected;
        whole =
            whole.min(seconds(
                &captures,
                &mut inspector,
                |inspector, slot, segment| match inspector.inspect(slot, segment) {
                    Step::Ended(_) => {
                        std::hint::black_box(inspector.meta(*slot));
                        inspector.release(slot);
                        true
                    }
                    _ => false,
                },
            ));
        inspected = inspector.counters().packets_inspected - before;
    }
    #[expect(clippy::cast_precision_loss, reason = "a figure for people")]
    let each = (whole - walking) * 1e9 / inspected.max(1) as f64;
    println!("{inspected} packets inspected, {each:.1} ns each, ends of flows included");
    Ok(())
}

fn seconds(
    captures: &[Capture<'_>],
    inspector: &mut Inspector,
    mut each: impl FnMut(&mut Inspector, &mut Slot, &Segment<'_>) -> bool,
) -> f64 {
    #[expect(clippy::disallowed_methods, reason = "a measurement")]
    let start = std::time::Instant::now();
    for capture in captures {
        capture.replay(inspector, &mut each, |inspector, slot, protocol, client, server| {
            std::hint::black_box(inspector.end(slot, protocol, client, server));
            inspector.release(slot);
        });
    }
    start.elapsed().as_secs_f64()
}
