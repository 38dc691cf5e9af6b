//! `weir apps`: what applications came to in a running engine, and the names that flows can have.

use std::io::{self, BufWriter, IsTerminal, Write};
use std::process::ExitCode;
use std::time::Duration;

use clap::Args;
use serde::Serialize;
use weir_dpi::app::{App, FIRST_SERVICE, PROTOCOLS};
use weir_dpi::services;

use weir_shm::Attached;

use crate::flows::seconds;
use crate::grid::{Grid, GridArgs, Value, hidden, number, text};
use crate::hosts::{total_row, total_titles};
use crate::live::{self, EngineArgs};
use crate::names;
use crate::table::{self, Column};

/// Shows what the applications of a running engine came to: flows, bytes, rates and latencies. With
/// `--known`, or where no engine runs, lists the protocols and services that flows are named by.
#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
  weir apps                  what the engine sees, most bytes first
  weir apps --watch 1 --sort rate
  weir apps --known          all names that flows can have
  weir apps --known tls      those whose name, category or breed has `tls` in it
  weir apps --known --json")]
pub(crate) struct AppsArgs {
    #[command(flatten)]
    engine: EngineArgs,

    /// Only those with this in their name, category or breed.
    part: Option<String>,

    /// The names that flows can have; with --json as one array.
    #[arg(long, conflicts_with_all = ["name", "sort", "reverse", "limit", "csv", "no_header", "watch"])]
    known: bool,

    #[command(flatten)]
    grid: GridArgs,

    /// Show again every SECS seconds until the engine ends.
    #[arg(long, short = 'w', value_name = "SECS", value_parser = seconds)]
    watch: Option<Duration>,
}

#[derive(Serialize)]
struct Row {
    id: u16,
    name: &'static str,
    kind: &'static str,
    category: &'static str,
    breed: &'static str,
}

impl Row {
    fn new(app: &App) -> Row {
        let kind = if app.id.0 < FIRST_SERVICE { "protocol" } else { "service" };
        let (category, breed) = (app.category.name(), app.breed.name());
        Row { id: app.id.0, name: app.name, kind, category, breed }
    }

    fn has(&self, part: &str) -> bool {
        let fits = |text: &str| text.to_ascii_lowercase().contains(part);
        fits(self.name) || fits(self.category) || fits(self.breed)
    }
}

fn rows(part: Option<&str>) -> Vec<Row> {
    let part = part.unwrap_or_default().to_ascii_lowercase();
    let all = PROTOCOLS.iter().skip(1).chain(services::APPS).map(Row::new);
    all.filter(|row| row.has(&part)).collect()
}

/// Does what was asked.
pub(crate) fn run(args: &AppsArgs) -> anyhow::Result<ExitCode> {
    let live_only = args.engine.name.is_some() || args.watch.is_some();
    match if args.known { None } else { Some(args.engine.attach()) } {
        Some(Ok(engine)) => watch(args, &engine),
        Some(Err(error)) if live_only => Err(error),
        _ => run_known(args),
    }
}

/// Shows the live totals, once or again and again.
fn watch(args: &AppsArgs, engine: &Attached) -> anyhow::Result<ExitCode> {
    let mut out = BufWriter::new(io::stdout().lock());
    let text = !args.grid.json && !args.grid.csv;
    loop {
        if args.watch.is_some() && text && io::stdout().is_terminal() {
            // Home, and clear what is below.
            write!(out, "\x1b[H\x1b[J")?;
        }
        live_totals(args, engine).write(&args.grid, &mut out)?;
        out.flush()?;
        match args.watch {
            None => return Ok(ExitCode::SUCCESS),
            Some(time) if live::wait(engine, time) => {}
            Some(_) => return live::ended(engine),
        }
    }
}

fn live_totals(args: &AppsArgs, engine: &Attached) -> Grid {
    let part = args.part.as_deref().unwrap_or_default().to_ascii_lowercase();
    let (all, now_ns) = (engine.hosts(), live::engine_now_ns(engine));
    let mut titles = vec![hidden(number("id")), text("app", 12), text("category", 8)];
    titles.extend(total_titles());
    let mut grid = Grid::new(titles);
    for (id, total) in all.apps().into_iter().filter(|(_, total)| total.flows > 0) {
        let (name, category) = (names::app(id), names::category(id, id));
        let fits = |text: &str| text.to_ascii_lowercase().contains(&part);
        if fits(&name) || fits(category) {
            let mut row = vec![Value::count(id.into()), Value::text(name), Value::text(category)];
            row.extend(total_row(total, now_ns));
            grid.push(row);
        }
    }
    grid
}

fn run_known(args: &AppsArgs) -> anyhow::Result<ExitCode> {
    let rows = rows(args.part.as_deref());
    let text = if args.grid.json {
        serde_json::to_string(&rows)? + "\n"
    } else {
        let columns = [
            Column::new("id", true),
            Column::new("name", false),
            Column::new("kind", false),
            Column::new("category", false),
            Column::new("breed", false),
        ];
        let cells: Vec<Vec<String>> = rows
            .iter()
            .map(|row| {
                let words = [row.name, row.kind, row.category, row.breed].map(str::to_owned);
                [&[row.id.to_string()][..], &words].concat()
            })
            .collect();
        table::render(&columns, &cells, None, true)
    };
    io::stdout().lock().write_all(text.as_bytes())?;
    Ok(ExitCode::SUCCESS)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_found_by_a_part_in_any_case() {
        assert!(rows(Some("youtube")).iter().any(|row| row.name == "YouTube"));
        assert!(rows(Some("TRACKER")).iter().all(|row| row.breed == "tracker"));
        assert!(rows(Some("no such thing")).is_empty());
        assert!(rows(None).len() > 450);
        assert!(rows(None).iter().all(|row| row.name != "Unknown"));
    }
}
