//! `weir rules`: rules for an engine that runs.

use std::fmt::Write as _;
use std::io::Write as _;
use std::process::ExitCode;
use std::sync::Arc;

use clap::{Args, Subcommand};
use weir_dpi::app::Category;
use weir_dpi::rules::{Loaded, Text, load};
use weir_shm::rules::{BundleBuilder, RulesAnswer, RulesControl, RulesStatus};

use crate::exit::{self, Code, failure};
use crate::live::{self, EngineArgs};
use crate::units::Quantity;

/// Give a running engine rules, which name flows besides what is built in.
///
/// docs/RULES.md says how they are written. New rules take the place of all that were there before,
/// in every shard and without losing a packet; if anything is wrong with them, nothing changes. Only
/// the engine's own user and root may load and unload.
#[derive(Args, Debug)]
pub(crate) struct RulesArgs {
    #[command(subcommand)]
    action: Action,
}

#[derive(Subcommand, Debug)]
enum Action {
    /// Put the rules of these files in force.
    Load {
        #[command(flatten)]
        engine: EngineArgs,
        #[command(flatten)]
        files: Files,
    },
    /// Put no rules in force.
    Unload {
        #[command(flatten)]
        engine: EngineArgs,
    },
    /// Show which rules are in force: how many, since when, and the applications that they declare.
    Show {
        #[command(flatten)]
        engine: EngineArgs,
    },
    /// Read these files and say what is wrong with them; needs no engine.
    Check {
        #[command(flatten)]
        files: Files,
        /// Show every rule, the one with precedence first, with the number that `flow.why` names.
        #[arg(long)]
        list: bool,
    },
}

#[derive(Args, Debug)]
struct Files {
    /// Files of rules; those whose name ends in `protos.txt` are in nDPI's format.
    #[arg(required = true, value_name = "FILE")]
    files: Vec<String>,
}

/// Runs the command.
pub(crate) fn run(args: &RulesArgs) -> anyhow::Result<ExitCode> {
    match &args.action {
        Action::Load { engine, files } => load_into(engine, files),
        Action::Unload { engine } => {
            let control = engine.open(RulesControl::open)?;
            let answer = control.unload()?;
            told(&answer)?;
            exit::print("no rules are in force")?;
            Ok(ExitCode::SUCCESS)
        }
        Action::Show { engine } => show(engine),
        Action::Check { files, list } => {
            let (loaded, _) = files.read()?;
            warn(loaded.warnings.iter().map(ToString::to_string))?;
            let rules = &loaded.rules;
            let mut text = counts(rules.len(), rules.apps().len(), rules.lists());
            for (number, rule) in (0..).map_while(|n| Some((n, rules.describe(n)?))) {
                if !*list {
                    break;
                }
                _ = write!(text, "\n{number}  {}:{}: {}", rule.file, rule.line, rule.text.trim());
            }
            exit::print(&text)?;
            Ok(ExitCode::SUCCESS)
        }
    }
}

impl Files {
    /// Compiles the files here, with everything that they name gathered for the engine.
    fn read(&self) -> anyhow::Result<(Loaded, BundleBuilder)> {
        let mut gathered = BundleBuilder::default();
        let mut read = |name: &str| {
            let bytes = std::fs::read(name).map_err(|error| error.to_string())?;
            if self.files.iter().any(|file| file == name) {
                gathered.rules(name, &bytes);
            } else {
                gathered.list(name, &bytes);
            }
            Ok(Arc::new(bytes) as Text)
        };
        match load(&self.files, &[], &mut read) {
            Ok(loaded) => Ok((loaded, gathered)),
            Err(problems) => {
                let lines: Vec<String> = problems.iter().map(ToString::to_string).collect();
                let head = "the rules cannot be used:";
                Err(failure(Code::Failed, format!("{head}\n{}", lines.join("\n"))))
            }
        }
    }
}

fn load_into(engine: &EngineArgs, files: &Files) -> anyhow::Result<ExitCode> {
    // What is wrong with the files is said without asking the engine for anything.
    let (_, gathered) = files.read()?;
    let control = engine.open(RulesControl::open)?;
    let answer = control.load(&gathered.seal()?)?;
    told(&answer)?;
    warn(answer.text.lines().map(str::to_owned))?;
    let [rules, apps, lists] = [answer.rules, answer.apps, answer.lists].map(|n| n as usize);
    let name = &control.attached().info().name;
    let took = answer.took_ms;
    exit::print(&format!(
        "{}; in force in engine {name} after {took} ms",
        counts(rules, apps, lists)
    ))?;
    Ok(ExitCode::SUCCESS)
}

/// Whether the engine did what it was told.
fn told(answer: &RulesAnswer) -> anyhow::Result<()> {
    match answer.status {
        RulesStatus::InForce => Ok(()),
        RulesStatus::Wrong => {
            let head = "the engine cannot use the rules; those before stay in force:";
            Err(failure(Code::Failed, format!("{head}\n{}", answer.text.trim_end())))
        }
        RulesStatus::Busy => {
            let message = "other rules are being loaded right now; try again when that is done";
            Err(failure(Code::Failed, message))
        }
    }
}

fn warn(lines: impl Iterator<Item = String>) -> std::io::Result<()> {
    let mut out = std::io::stderr().lock();
    lines.into_iter().try_for_each(|line| writeln!(out, "warning: {line}"))
}

fn counts(rules: usize, apps: usize, lists: usize) -> String {
    let some = |count: usize, one: &str, many: &str| {
        let exact = Quantity::Count.exact(count as u64);
        format!("{exact} {}", if count == 1 { one } else { many })
    };
    let rules = some(rules, "rule", "rules");
    let apps = some(apps, "application", "applications");
    format!("{rules}, {apps}, {}", some(lists, "list", "lists"))
}

fn show(engine: &EngineArgs) -> anyhow::Result<ExitCode> {
    let engine = engine.attach()?;
    let names = engine.app_names();
    let row = names.rules();
    let name = &engine.info().name;
    if row.since_ns == 0 {
        exit::print(&format!("engine {name} has no rules in force"))?;
        return Ok(ExitCode::SUCCESS);
    }
    let age = Quantity::Time.short(live::now_ns().saturating_sub(row.since_ns));
    let [rules, apps, lists] = [row.rules, row.apps, row.lists].map(|n| n as usize);
    let mut text = format!("engine {name}: {}, in force for {age}", counts(rules, apps, lists));
    if row.warnings > 0 {
        _ = write!(text, ", {} warnings when they were read", row.warnings);
    }
    for app in names.all().iter().filter(|app| app.in_force) {
        let category = Category::from_u8(app.category).unwrap_or_default().name();
        _ = write!(text, "\n  {:<32}  {category}", app.name);
    }
    exit::print(&text)?;
    Ok(ExitCode::SUCCESS)
}
