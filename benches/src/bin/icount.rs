//! Instructions that every case of `weir_benches::cases` takes, counted by callgrind, beside the
//! committed ones in `benches/icount.tsv`. Fails where one rose by more than 1 %.
//!
//! usage: `icount [--save] [PREFIX]`: all cases, or those whose names begin so; `--save` writes
//! the baseline anew. (`icount --case NAME` is what runs within callgrind.)
//!
//! Callgrind's processor is the same everywhere (AVX2, no SHA instructions: a TLS hello counts its
//! fingerprint's SHA-256 in software). Each case has a process of its own, so that none changes
//! what another meets in memory.
#![expect(clippy::print_stdout, reason = "a table for people")]
#![expect(clippy::print_stderr, reason = "what went wrong")]

use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, Output};

use weir_benches::baseline::{self, Baseline, Cost};
use weir_benches::cases::{self, COUNTED, Case, counted};

/// Times that a case's work is done within callgrind.
const ROUNDS: u32 = 16;

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let outcome = match words.as_slice() {
        ["--case", name] => play(name),
        [] => check(""),
        ["--save"] => save(),
        [prefix] if !prefix.starts_with('-') => check(prefix),
        _ => Err("usage: icount [--save] [PREFIX]".into()),
    };
    match outcome {
        Ok(said) => {
            println!("{said}");
            ExitCode::SUCCESS
        }
        Err(wrong) => {
            eprintln!("icount: {wrong}");
            ExitCode::FAILURE
        }
    }
}

/// Within callgrind: does a case's work; says how many operations that was.
fn play(name: &str) -> Result<String, String> {
    let case = cases::all().into_iter().find(|case| case.name == name);
    let mut work = case.ok_or_else(|| format!("there is no case {name}"))?.work();
    let mut operations = 0;
    for _ in 0..ROUNDS {
        work.ready();
        operations += counted(&mut *work);
    }
    Ok(operations.to_string())
}

fn check(prefix: &str) -> Result<String, String> {
    if !has_valgrind() {
        return Ok("icount: SKIPPED, needs valgrind: apt-get install valgrind".into());
    }
    let path = file();
    let text = std::fs::read_to_string(&path).map_err(|e| format!("{}: {e}", path.display()))?;
    let mut old = Baseline::parse(&text)?;
    old.costs.retain(|cost| cost.name.starts_with(prefix));
    let now = count(prefix)?;
    if now.costs.is_empty() {
        return Err(format!("no case begins with {prefix}"));
    }
    let rows = old.beside(&now);
    print!("{}", baseline::table(&rows));
    if old.counted_with != now.counted_with {
        println!(
            "The baseline was counted with {}, this with {}: differences may come from there.",
            old.counted_with, now.counted_with
        );
    }
    baseline::verdict(&rows)
}

fn save() -> Result<String, String> {
    if !has_valgrind() {
        return Err("needs valgrind: apt-get install valgrind".into());
    }
    let path = file();
    let old = std::fs::read_to_string(&path).ok().and_then(|text| Baseline::parse(&text).ok());
    let now = count("")?;
    print!("{}", baseline::table(&old.unwrap_or_default().beside(&now)));
    std::fs::write(&path, now.text()).map_err(|e| format!("{}: {e}", path.display()))?;
    Ok("benches/icount.tsv is written: commit it together with what changed it.".to_owned())
}

/// The baseline, in the tree that this was built from.
fn file() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("icount.tsv")
}

fn has_valgrind() -> bool {
    Command::new("valgrind").arg("--version").output().is_ok_and(|found| found.status.success())
}

fn count(prefix: &str) -> Result<Baseline, String> {
    let cases = cases::all().into_iter().filter(|case| case.name.starts_with(prefix));
    let costs = cases.map(|case| cost_of(&case)).collect::<Result<_, _>>()?;
    Ok(Baseline { counted_with: counted_with(), costs })
}

#[expect(clippy::cast_precision_loss, reason = "a few billion at most")]
fn cost_of(case: &Case) -> Result<Cost, String> {
    let name = &case.name;
    let Output { status, stdout, stderr } = Command::new("valgrind")
        .args(["--tool=callgrind", "--callgrind-out-file=/dev/null"])
        .arg(format!("--toggle-collect={COUNTED}"))
        .arg(std::env::current_exe().map_err(|error| error.to_string())?)
        .args(["--case", name])
        .output()
        .map_err(|error| format!("valgrind: {error}"))?;
    let (stdout, stderr) = (String::from_utf8_lossy(&stdout), String::from_utf8_lossy(&stderr));
    let operations = stdout.trim().parse::<u64>().ok().filter(|_| status.success());
    let collected = stderr.lines().find_map(|line| line.split_once("Collected : "));
    let collected = collected.and_then(|(_, count)| count.trim().parse::<u64>().ok());
    match (operations, collected) {
        (Some(operations @ 1..), Some(collected @ 1..)) => {
            let instructions = collected as f64 / operations as f64;
            // As a baseline holds it, so that the same count is the same figure.
            Ok(Cost { name: name.clone(), instructions: (instructions * 100.0).round() / 100.0 })
        }
        (Some(_), _) => Err(format!("{name}: nothing counted: {COUNTED} has no symbol")),
        _ => Err(format!("{name}: {status}\n{stdout}{stderr}")),
    }
}

/// The programs on which counts depend beside our own.
fn counted_with() -> String {
    let said = |program: &str, argument: &str| {
        let output = Command::new(program).arg(argument).output().ok();
        let text = output.and_then(|output| String::from_utf8(output.stdout).ok());
        text.map_or_else(|| format!("an unknown {program}"), |text| text.trim().to_owned())
    };
    let compiler = said("rustc", "--version");
    [said("valgrind", "--version"), said("getconf", "GNU_LIBC_VERSION"), compiler].join(", ")
}
