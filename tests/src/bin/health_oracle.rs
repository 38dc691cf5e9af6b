//! Holds the health of flows against tshark's "TCP Analysis", over a folder of captures.
//!
//! usage: `health_oracle [FOLDER] [--differences] [--only NAME]`. Ends with failure if a class agrees on
//! less than 98 % of the flows.

#![expect(clippy::print_stdout, reason = "a report")]

use std::path::PathBuf;
use std::process::ExitCode;

use weir_tests::oracle::{self, Comparison};

const WANTED: f64 = 0.98;

fn main() -> anyhow::Result<ExitCode> {
    let mut arguments = std::env::args().skip(1).peekable();
    let (mut folder, mut differences, mut only) = (None, false, None);
    while let Some(argument) = arguments.next() {
        match argument.as_str() {
            "--differences" => differences = true,
            "--only" => only = arguments.next(),
            path => folder = Some(PathBuf::from(path)),
        }
    }
    let beside = weir_tests::corpus::root().map(|root| root.join("pcap"));
    let Some(folder) = folder.or(beside).filter(|folder| folder.is_dir()) else {
        println!("skipped: no captures; name a folder of them, or set WEIR_CORPUS");
        return Ok(ExitCode::SUCCESS);
    };
    let Some(version) = oracle::tshark() else {
        println!("skipped: no tshark");
        return Ok(ExitCode::SUCCESS);
    };
    let mut captures: Vec<PathBuf> =
        std::fs::read_dir(&folder)?.filter_map(|entry| Some(entry.ok()?.path())).collect();
    captures.retain(|path| path.extension().is_some_and(|kind| kind == "pcap" || kind == "pcapng"));
    captures.sort();
    let mut comparison = Comparison::default();
    let (mut read, mut unread) = (0, Vec::new());
    for path in &captures {
        let name = path.file_name().map(|name| name.to_string_lossy().into_owned());
        let name = name.unwrap_or_default();
        if only.as_ref().is_some_and(|only| !name.contains(only.as_str())) {
            continue;
        }
        match (oracle::by_tshark(path), oracle::by_weir(path)) {
            (Ok(tshark), Ok(weir)) => {
                comparison.compare(&name, &tshark, &weir);
                read += 1;
            }
            (Err(error), _) | (_, Err(error)) => unread.push(format!("{name}: {error}")),
        }
    }
    println!("{version}; {read} captures, {} not read", unread.len());
    for line in &unread {
        println!("  {line}");
    }
    println!("{} flows that only one has, or with other packets", comparison.apart);
    println!(
        "{:<26} {:>8} {:>9} {:>8} {:>8} {:>10} {:>10}",
        "class", "flows", "agree", "met", "agree", "tshark", "Weir"
    );
    let mut all_agree = true;
    for (class, found) in &comparison.classes {
        println!(
            "{class:<26} {:>8} {:>8.2}% {:>8} {:>8} {:>10} {:>10}",
            found.flows,
            found.share() * 100.0,
            found.met,
            found.met_same,
            found.totals[0],
            found.totals[1]
        );
        all_agree &= found.share() >= WANTED || class == oracle::OTHERWISE;
    }
    if differences {
        for (capture, class, ends, figures) in &comparison.differences {
            println!("{class} {capture} {ends} {figures}");
        }
    }
    Ok(if all_agree { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}
