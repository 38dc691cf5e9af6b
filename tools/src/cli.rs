//! The command line. The help texts are the manual.

use std::process::ExitCode;

use clap::{Parser, Subcommand};

use crate::{
    alerts, apps, bench, check, doctor, exit, extcap, extract, feed, flow_page, flows, hosts,
    index, readers, record, replay, rules, run, shunt, stats, top, with,
};

/// Weir: a packet engine whose flows any program may read.
///
/// Start an engine with `weir run`, then watch it from any other terminal with `weir top`,
/// `weir flows` or `weir stats`: those only read shared memory, need no privilege and cannot slow
/// the engine down.
#[derive(Parser, Debug)]
#[command(name = "weir", version, after_help = exit::HELP, propagate_version = true)]
#[command(subcommand_required = true, arg_required_else_help = true)]
pub(crate) struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand, Debug)]
enum Command {
    Run(run::RunArgs),
    Flows(flows::FlowsArgs),
    Alerts(alerts::AlertsArgs),
    Check(check::CheckArgs),
    Flow(flow_page::FlowArgs),
    Stats(stats::StatsArgs),
    Top(top::TopArgs),
    Hosts(hosts::HostsArgs),
    Apps(apps::AppsArgs),
    Readers(readers::ReadersArgs),
    With(with::WithArgs),
    Feed(feed::FeedArgs),
    Record(record::RecordArgs),
    Extract(extract::ExtractArgs),
    Index(index::IndexArgs),
    Rules(rules::RulesArgs),
    Shunt(shunt::ShuntArgs),
    Extcap(extcap::ExtcapArgs),
    Doctor(doctor::DoctorArgs),
    Bench(bench::BenchArgs),
    Replay(replay::ReplayArgs),
}

impl Cli {
    /// Does what was asked.
    pub(crate) fn run(&self) -> anyhow::Result<ExitCode> {
        match &self.command {
            Command::Run(args) => run::run(args),
            Command::Flows(args) => flows::run(args),
            Command::Alerts(args) => alerts::run(args),
            Command::Check(args) => Ok(check::run(args)),
            Command::Flow(args) => flow_page::run(args),
            Command::Stats(args) => stats::run(args),
            Command::Top(args) => top::run(args),
            Command::Hosts(args) => hosts::run(args),
            Command::Apps(args) => apps::run(args),
            Command::Readers(args) => readers::run(args),
            Command::With(args) => with::run(args),
            Command::Feed(args) => feed::run(args),
            Command::Record(args) => record::run(args),
            Command::Extract(args) => extract::run(args),
            Command::Index(args) => index::run(args),
            Command::Rules(args) => rules::run(args),
            Command::Shunt(args) => shunt::run(args),
            Command::Extcap(args) => extcap::run(args),
            Command::Doctor(args) => doctor::run(args),
            Command::Bench(args) => bench::run(args),
            Command::Replay(args) => replay::run(args),
        }
    }
}
