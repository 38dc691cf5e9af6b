//! `weir`: one binary, one subcommand a job.
//!
//! `run` and `bench` drive the engine. `flows`, `stats` and `top` only read its shared memory and
//! need no privilege. `doctor` looks at the machine and changes nothing.

mod bench;
mod cli;
mod community;
mod csv;
mod doctor;
mod exit;
mod field;
mod filter;
mod flow;
mod flow_json;
mod flows;
mod live;
mod names;
mod run;
mod stats;
mod table;
mod terminal;
mod top;
mod units;

use std::process::ExitCode;

use clap::Parser;

fn main() -> ExitCode {
    let cli = cli::Cli::parse();
    exit::report(cli.run())
}
