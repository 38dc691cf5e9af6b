//! `weir readers`: who reads an engine's packets, how far they are, and what they missed.

use std::fmt::Write as _;
use std::io::{self, BufWriter, IsTerminal, Write};
use std::process::ExitCode;
use std::time::Duration;

use clap::Args;
use serde::Serialize;
use weir_shm::Attached;
use weir_shm::packets::{GroupRow, ReaderRow};

use crate::flows::seconds;
use crate::live::{self, EngineArgs, now_ns};
use crate::table::{self, Column};
use crate::terminal;
use crate::units::Quantity;

/// Show the packet readers of a running engine and their groups.
///
/// What a reader took, missed and left out is as it says itself; its place, process, lease and how
/// far it is behind are the engine's word. The figures are a second old at most.
#[derive(Args, Debug)]
pub(crate) struct ReadersArgs {
    #[command(flatten)]
    engine: EngineArgs,

    /// One JSON object.
    #[arg(long)]
    json: bool,

    /// Show again every SECS seconds until the engine ends.
    #[arg(long, short = 'w', value_name = "SECS", value_parser = seconds)]
    watch: Option<Duration>,
}

/// Runs the command.
pub(crate) fn run(args: &ReadersArgs) -> anyhow::Result<ExitCode> {
    let engine = args.engine.attach()?;
    let mut out = BufWriter::new(io::stdout().lock());
    let clear = args.watch.is_some() && !args.json && io::stdout().is_terminal();
    loop {
        if clear {
            write!(out, "\x1b[H\x1b[J")?;
        }
        let shown = Shown::read(&engine);
        if args.json {
            serde_json::to_writer(&mut out, &shown)?;
            writeln!(out)?;
        } else {
            out.write_all(shown.text(now_ns(), terminal::width()).as_bytes())?;
        }
        out.flush()?;
        match args.watch {
            None => return Ok(ExitCode::SUCCESS),
            Some(time) if live::wait(&engine, time) => {}
            Some(_) => return live::ended(&engine),
        }
    }
}

/// What is shown.
#[derive(Debug, Serialize)]
struct Shown {
    engine: String,
    readers: Vec<Reader>,
    groups: Vec<Group>,
    asks_dropped: u64,
}

#[derive(Debug, Serialize)]
struct Reader {
    place: u8,
    program: String,
    pid: u32,
    uid: u32,
    group: Option<String>,
    lease: bool,
    since_ns: u64,
    delivered: u64,
    missed: u64,
    filtered: u64,
    others: u64,
    shunted: u64,
    demotions: u64,
    pinned: u64,
    behind: u64,
}

#[derive(Debug, Serialize)]
struct Group {
    name: String,
    members: u32,
    left_unread: u64,
    shunted_flows: u64,
}

impl Shown {
    fn read(engine: &Attached) -> Shown {
        let shown = Shown::new(&engine.info().name, &engine.packet_readers(), &engine.groups());
        Shown { asks_dropped: engine.asks_dropped(), ..shown }
    }

    fn new(engine: &str, readers: &[ReaderRow], groups: &[GroupRow]) -> Shown {
        let group_of = |row: &ReaderRow| {
            let number = row.group?;
            let group = groups.iter().find(|group| group.number == number);
            Some(group.map_or_else(|| number.to_string(), |group| group.name.clone()))
        };
        let reader = |row: &ReaderRow| Reader {
            place: row.place,
            program: row.program.clone(),
            pid: row.pid,
            uid: row.uid,
            group: group_of(row),
            lease: row.lease,
            since_ns: row.since_ns,
            delivered: row.delivered,
            missed: row.missed,
            filtered: row.filtered,
            others: row.others,
            shunted: row.shunted,
            demotions: row.demotions,
            pinned: row.pinned,
            behind: row.behind,
        };
        let group = |row: &GroupRow| Group {
            name: row.name.clone(),
            members: row.members,
            left_unread: row.left_unread,
            shunted_flows: row.shunted_flows,
        };
        Shown {
            engine: engine.to_owned(),
            readers: readers.iter().map(reader).collect(),
            groups: groups.iter().map(group).collect(),
            asks_dropped: 0,
        }
    }

    fn text(&self, now_ns: u64, width: Option<usize>) -> String {
        if self.readers.is_empty() && self.groups.is_empty() {
            return format!("nobody reads the packets of engine {}\n", self.engine);
        }
        let mut text = match self.reader_rows(now_ns) {
            none if none.is_empty() => "no readers\n".to_owned(),
            rows => table::render(&reader_columns(), &rows, width, true),
        };
        if !self.groups.is_empty() {
            let columns = [
                Column::new("group", false),
                Column::new("members", true),
                Column::new("left unread", true),
                Column::new("shunted flows", true),
            ];
            let row = |group: &Group| {
                let figures = [u64::from(group.members), group.left_unread, group.shunted_flows];
                let figures = figures.map(|figure| figure.to_string());
                [&[group.name.clone()][..], &figures].concat()
            };
            let rows: Vec<Vec<String>> = self.groups.iter().map(row).collect();
            text.push('\n');
            text.push_str(&table::render(&columns, &rows, width, true));
        }
        if self.asks_dropped != 0 {
            writeln!(text, "\n{} asks about flows were dropped", self.asks_dropped).ok();
        }
        text
    }

    fn reader_rows(&self, now_ns: u64) -> Vec<Vec<String>> {
        let row = |reader: &Reader| {
            let mode = match (reader.lease, reader.demotions) {
                (false, _) => "window".to_owned(),
                (true, 0) => "lease".to_owned(),
                (true, times) => format!("lease lost {times}x"),
            };
            let figures = [
                reader.delivered,
                reader.missed,
                reader.behind,
                reader.pinned,
                reader.filtered,
                reader.others,
                reader.shunted,
            ];
            let words = [
                reader.program.clone(),
                reader.pid.to_string(),
                reader.group.clone().unwrap_or_default(),
                mode,
                Quantity::Time.short(now_ns.saturating_sub(reader.since_ns)),
            ];
            [&words[..], &figures.map(|figure| figure.to_string())].concat()
        };
        self.readers.iter().map(row).collect()
    }
}

fn reader_columns() -> Vec<Column> {
    let plain = |title, right, dispensable| Column {
        dispensable,
        at_least: if right { 0 } else { 8 },
        ..Column::new(title, right)
    };
    vec![
        plain("program", false, 0),
        plain("pid", true, 0),
        plain("group", false, 0),
        plain("mode", false, 0),
        plain("since", true, 1),
        plain("delivered", true, 0),
        plain("missed", true, 0),
        plain("behind", true, 0),
        plain("pinned", true, 3),
        plain("filtered", true, 4),
        plain("others'", true, 5),
        plain("shunted", true, 2),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn readers_and_groups_as_text() {
        let readers = [
            ReaderRow {
                pid: 7,
                program: "suricata".to_owned(),
                group: Some(2),
                lease: true,
                delivered: 10,
                missed: 1,
                demotions: 2,
                since_ns: 1_000_000_000,
                ..ReaderRow::default()
            },
            ReaderRow { pid: 8, program: "tcp\x1bdump".to_owned(), ..ReaderRow::default() },
        ];
        let groups =
            [GroupRow { number: 2, name: "ids".to_owned(), members: 1, ..GroupRow::default() }];
        let shown = Shown::new("a", &readers, &groups);
        let text = shown.text(3_000_000_000, None);
        let lines: Vec<Vec<&str>> = text.lines().map(|l| l.split_whitespace().collect()).collect();
        assert_eq!(
            lines[1][..9],
            ["suricata", "7", "ids", "lease", "lost", "2x", "2.0", "s", "10"]
        );
        assert!(!text.contains('\x1b'));
        assert!(text.contains("ids"));
        assert!(Shown::new("a", &[], &groups).text(0, None).starts_with("no readers\n\ngroup"));
        assert_eq!(
            Shown::new("a", &[], &[]).text(0, None),
            "nobody reads the packets of engine a\n"
        );
    }
}
