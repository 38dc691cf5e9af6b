//! `weir`: one binary, one subcommand a job.
//!
//! `run` and `bench` drive the engine. `flows`, `stats` and `top` only read its shared memory and
//! need no privilege. `doctor` looks at the machine and changes nothing.

mod bench;
mod cli;
mod exit;
mod run;

use std::process::ExitCode;

use clap::Parser;

fn main() -> ExitCode {
    let cli = cli::Cli::parse();
    exit::report(cli.run())
}
