//! Writes what the fuzzers begin with: `fuzz-seeds FOLDER` (see `make fuzz`).
#![expect(clippy::print_stdout, reason = "a program for people")]

use anyhow::Context;

fn main() -> anyhow::Result<()> {
    let folder = std::env::args_os().nth(1).context("fuzz-seeds FOLDER")?;
    let seeds = weir_tests::seeds::write(std::path::Path::new(&folder))?;
    println!("{seeds} conversations and messages");
    Ok(())
}
