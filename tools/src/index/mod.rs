//! `weir index`: makes the indexes by which `weir extract` finds a flow at once.

pub(crate) mod build;
pub(crate) mod format;
pub(crate) mod lookup;
mod places;

use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::Context;
use clap::Args;

use crate::exit;
use crate::files::source::Source;
use crate::units::Quantity;
use lookup::Index;

/// Make or remake the indexes of capture files, from the files alone.
///
/// `weir record` writes an index beside each of its files while it records. This does it for files
/// without one: after a crash, and for pcap and pcapng files of other programs. An index lies beside
/// its file and is called like it, with `.widx` at the end.
#[derive(Args, Debug)]
pub(crate) struct IndexArgs {
    /// Capture files, or directories of them.
    #[arg(value_name = "PATH", required = true)]
    paths: Vec<PathBuf>,

    /// Remake those too that fit their file.
    #[arg(long)]
    force: bool,
}

/// Capture files among `paths` and in those that are directories, by their names.
///
/// # Errors
/// A path is not there, or a directory cannot be read.
pub(crate) fn files(paths: &[PathBuf]) -> anyhow::Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    for path in paths {
        let cannot = || format!("cannot read {}", path.display());
        if !std::fs::metadata(path).with_context(cannot)?.is_dir() {
            found.push(path.clone());
            continue;
        }
        let mut within = Vec::new();
        for entry in std::fs::read_dir(path).with_context(cannot)? {
            let path = entry.with_context(cannot)?.path();
            if path.is_file() && is_capture(&path) {
                within.push(path);
            }
        }
        within.sort();
        found.extend(within);
    }
    Ok(found)
}

/// Whether a file begins as a capture file does, compressed or not, and is not one that is being
/// written.
fn is_capture(path: &Path) -> bool {
    let whole = path.extension().is_none_or(|ending| ending != "part");
    whole && Source::is_capture(path).is_ok_and(|is| is)
}

/// Runs the command.
pub(crate) fn run(args: &IndexArgs) -> anyhow::Result<ExitCode> {
    let (mut data, mut index, mut made) = (0, 0, 0_u64);
    let files = files(&args.paths)?;
    for path in &files {
        if args.force || Index::of(path).is_none() {
            make(path)?;
            made += 1;
        }
        let known = Index::of(path).with_context(|| format!("{} changes", path.display()))?;
        data += known.data_bytes;
        index += known.bytes();
        let line = format!(
            "{}: {} packets, {} flows, index {} ({})",
            path.display(),
            known.packets,
            known.flows(),
            Quantity::Bytes.short(known.bytes()),
            share(known.bytes(), known.data_bytes)
        );
        writeln!(io::stderr(), "{line}")?;
    }
    exit::print(&format!(
        "{} files, {made} indexed now; indexes {} of {} data ({})",
        files.len(),
        Quantity::Bytes.short(index),
        Quantity::Bytes.short(data),
        share(index, data)
    ))?;
    Ok(ExitCode::SUCCESS)
}

/// A share in per cent, for people.
pub(crate) fn share(part: u64, whole: u64) -> String {
    let hundredths = u128::from(part) * 10_000 / u128::from(whole.max(1));
    format!("{}.{:02} %", hundredths / 100, hundredths % 100)
}

fn make(path: &Path) -> anyhow::Result<()> {
    let cannot = || format!("cannot index {}", path.display());
    let bytes = std::fs::metadata(path).with_context(cannot)?.len();
    let (builder, _) = build::scan(path)
        .with_context(cannot)?
        .with_context(|| format!("{} is no capture file", path.display()))?;
    build::write(path, &builder.finish(bytes), false).with_context(cannot)
}
