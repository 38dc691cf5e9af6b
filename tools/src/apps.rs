//! `weir apps`: the names that flows can have.

use std::io::{self, Write};
use std::process::ExitCode;

use clap::Args;
use serde::Serialize;
use weir_dpi::app::{App, FIRST_SERVICE, PROTOCOLS};
use weir_dpi::services;

use crate::table::{self, Column};

/// Lists the protocols and services that flows are named by: what filters can ask for.
#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
  weir apps              all of them
  weir apps tls          those whose name, category or breed has `tls` in it
  weir apps --json")]
pub(crate) struct AppsArgs {
    /// Only those with this in their name, category or breed.
    part: Option<String>,
    /// One JSON array.
    #[arg(long)]
    json: bool,
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
    let rows = rows(args.part.as_deref());
    let text = if args.json {
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
