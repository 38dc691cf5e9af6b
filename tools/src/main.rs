//! `weir`: one binary, one subcommand a job.
//!
//! `run` and `bench` drive the engine. `replay` makes the traffic that one is tried with. `flows`,
//! `flow`, `hosts`, `apps`, `alerts`, `check`, `stats`, `top` and `readers` only read its shared memory
//! and need no privilege; `rules` gives it rules; `extcap`, `feed` and `record` read its packets, and
//! `shunt` tells it which flows others want no more of. `extract` and `index` know recorded files alone.
//! `doctor` looks at the machine and changes nothing.

mod alerts;
mod apps;
mod bench;
mod check;
mod cli;
mod community;
mod csv;
mod doctor;
mod exit;
mod extcap;
mod extract;
mod feed;
mod field;
mod files;
mod filter;
mod flow;
mod flow_json;
mod flow_page;
mod flows;
mod geo;
mod grid;
mod health;
mod hosts;
mod index;
mod live;
mod names;
mod netlink;
mod packets;
mod pcapng;
mod readers;
mod record;
mod replay;
mod resolve;
mod routes;
mod rules;
mod run;
mod shunt;
mod stats;
mod sys;
mod table;
mod terminal;
mod top;
mod units;
mod with;

use std::process::ExitCode;

use clap::Parser;

fn main() -> ExitCode {
    let cli = cli::Cli::parse_from(extcap::as_subcommand(std::env::args_os()));
    exit::report(cli.run())
}
