//! `weir flows`: the live flows, out of shared memory alone.

mod columns;
mod pick;

use std::io::{self, BufWriter, IsTerminal, Write};
use std::process::ExitCode;
use std::time::Duration;

use clap::Args;
use weir_shm::Attached;

use crate::exit::{Code, failure};
use crate::field::{Field, Seen, Style};
use crate::filter::{self, Filter};
use crate::flow::Flow;
use crate::geo::GeoArgs;
use crate::live::{self, EngineArgs, Scanned};
use crate::resolve::{self, ResolveArgs};
use crate::{csv, flow_json, table, terminal};
use pick::Picker;

/// Show the live flows of a running engine: a table that filters, sorts, and prints as JSON or
/// CSV. Reads shared memory only; needs no privilege.
#[derive(Args, Debug)]
#[command(after_help = filter::HELP, after_long_help = columns::manual())]
#[expect(clippy::struct_excessive_bools, reason = "each is an option of the command line")]
pub(crate) struct FlowsArgs {
    #[command(flatten)]
    engine: EngineArgs,

    /// Show only flows that pass, as in `app == TLS and bytes > 1MB`; the language is below.
    #[arg(long, short = 'f', value_name = "EXPR")]
    filter: Option<String>,

    /// Sort by this field: numbers from the greatest, text from A [default: bytes; JSON and CSV
    /// come unsorted unless this or --limit is given].
    #[arg(long, short = 's', value_name = "FIELD")]
    sort: Option<String>,

    /// Turn the order round.
    #[arg(long, short = 'r')]
    reverse: bool,

    /// Show at most N flows, 0 for all [default: what fits the terminal; all elsewhere].
    #[arg(long, short = 'l', value_name = "N")]
    limit: Option<usize>,

    /// One JSON object a line, with all that is known of a flow.
    #[arg(long, conflicts_with_all = ["csv", "columns"])]
    json: bool,

    /// Comma-separated values, numbers in full.
    #[arg(long)]
    csv: bool,

    #[command(flatten)]
    geo: GeoArgs,

    #[command(flatten)]
    resolve: ResolveArgs,

    /// Show again every SECS seconds until the engine ends.
    #[arg(long, short = 'w', value_name = "SECS", value_parser = seconds)]
    watch: Option<Duration>,

    /// Leave out the column titles and the closing line.
    #[arg(long)]
    no_header: bool,

    /// Fields to show, separated by commas, attributes such as tls.sni included.
    #[arg(long, short = 'c', value_name = "FIELDS", value_delimiter = ',')]
    columns: Vec<String>,
}

/// A time between a tenth of a second and a day.
pub(crate) fn seconds(text: &str) -> Result<Duration, String> {
    let number: f64 = text.parse().map_err(|_| "give seconds, as in 1 or 0.5".to_owned())?;
    if (0.1..=86_400.0).contains(&number) {
        Ok(Duration::from_secs_f64(number))
    } else {
        Err("give 0.1 to 86400 seconds".to_owned())
    }
}

/// What to show, checked.
struct Plan {
    filter: Option<Filter>,
    sort: Option<Field>,
    reverse: bool,
    limit: usize,
    form: Form,
    columns: Vec<Field>,
    header: bool,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Form {
    Table,
    Json,
    Csv,
}

/// Runs the command.
pub(crate) fn run(args: &FlowsArgs) -> anyhow::Result<ExitCode> {
    // What is wrong with the question is said before anything about the engine.
    let mut plan = plan(args)?;
    let engine = args.engine.attach()?;
    args.geo.learn(&engine)?;
    args.resolve.begin()?;
    if args.columns.is_empty() {
        plan.columns = columns_of(&args.columns, plan.form)?;
    }
    let mut out = BufWriter::with_capacity(1 << 16, io::stdout().lock());
    let clear = args.watch.is_some() && plan.form == Form::Table && io::stdout().is_terminal();
    if resolve::is_on() && args.watch.is_none() {
        // Asks for the names that the second look then shows.
        show(&engine, &plan, &mut io::sink())?;
        resolve::settle(resolve::PATIENCE);
    }
    loop {
        if clear {
            // Home, and clear what is below.
            write!(out, "\x1b[H\x1b[J")?;
        }
        show(&engine, &plan, &mut out)?;
        out.flush()?;
        match args.watch {
            None => return Ok(ExitCode::SUCCESS),
            Some(time) if live::wait(&engine, time) => {}
            Some(_) => return live::ended(&engine),
        }
    }
}

fn plan(args: &FlowsArgs) -> anyhow::Result<Plan> {
    let filter = match &args.filter {
        None => None,
        Some(text) => {
            Some(Filter::parse(text).map_err(|error| failure(Code::Usage, error.to_string()))?)
        }
    };
    let form = match (args.json, args.csv) {
        (true, _) => Form::Json,
        (_, true) => Form::Csv,
        _ => Form::Table,
    };
    let sort = match &args.sort {
        Some(name) => Some(columns::find(name)?),
        None if form == Form::Table || args.limit.is_some_and(|limit| limit > 0) => {
            Some(columns::find("bytes")?)
        }
        None => None,
    };
    let fields = columns_of(&args.columns, form)?;
    let fits = terminal::height().map_or(0, |lines| lines.saturating_sub(3).max(1));
    let limit = args.limit.unwrap_or(if form == Form::Table { fits } else { 0 });
    Ok(Plan {
        filter,
        sort,
        reverse: args.reverse,
        limit,
        form,
        columns: fields,
        header: !args.no_header,
    })
}

/// The fields that were asked for; without, those of the form, as far as anything is known of them.
fn columns_of(names: &[String], form: Form) -> anyhow::Result<Vec<Field>> {
    match (names, form) {
        ([], Form::Csv) => Ok(columns::csv()),
        ([], _) => Ok(columns::default()),
        (names, _) => names.iter().map(|name| columns::find(name.trim())).collect(),
    }
}

fn show(engine: &Attached, plan: &Plan, out: &mut impl Write) -> io::Result<()> {
    let now_ns = live::engine_now_ns(engine);
    let passes = |flow: &Flow<'_>| {
        plan.filter.as_ref().is_none_or(|filter| filter.accepts(&Seen { flow, now_ns }))
    };
    if plan.form == Form::Csv && plan.header {
        let mut line = String::new();
        csv::line(&mut line, plan.columns.iter().map(|field| field.long_name()));
        out.write_all(line.as_bytes())?;
    }
    let Some(sort) = plan.sort else {
        let mut line = Vec::with_capacity(2048);
        live::scan(engine, |flow, _| {
            if passes(flow) { one(plan, &Seen { flow, now_ns }, &mut line, out) } else { Ok(()) }
        })?;
        return Ok(());
    };
    let mut picker = Picker::new(sort, plan.reverse, plan.limit);
    let scanned: Scanned = live::scan(engine, |flow, view| {
        if passes(flow) {
            picker.offer(&Seen { flow, now_ns }, view);
        }
        Ok::<(), io::Error>(())
    })?;
    let matching = picker.offered();
    let rows = picker.into_rows();
    if plan.form == Form::Table {
        return show_table(plan, &rows, now_ns, (matching, scanned), out);
    }
    let mut line = Vec::with_capacity(2048);
    for row in &rows {
        one(plan, &Seen { flow: &row.flow(), now_ns }, &mut line, out)?;
    }
    Ok(())
}

/// Writes one flow as a line of JSON or CSV.
fn one(plan: &Plan, seen: &Seen<'_>, line: &mut Vec<u8>, out: &mut impl Write) -> io::Result<()> {
    line.clear();
    if plan.form == Form::Json {
        flow_json::write_line(line, seen.flow, None)?;
        return out.write_all(line);
    }
    let mut text = String::new();
    csv::line(&mut text, plan.columns.iter().map(|field| field.text(seen, Style::Raw)));
    out.write_all(text.as_bytes())
}

fn show_table(
    plan: &Plan,
    rows: &[pick::Row],
    now_ns: u64,
    (matching, scanned): (u64, Scanned),
    out: &mut impl Write,
) -> io::Result<()> {
    let columns: Vec<table::Column> =
        plan.columns.iter().map(|field| columns::layout(*field, &plan.columns)).collect();
    let cells: Vec<Vec<String>> = rows
        .iter()
        .map(|row| {
            let flow = row.flow();
            let seen = Seen { flow: &flow, now_ns };
            plan.columns.iter().map(|field| field.text(&seen, Style::Human)).collect()
        })
        .collect();
    out.write_all(table::render(&columns, &cells, terminal::width(), plan.header).as_bytes())?;
    if !plan.header {
        return Ok(());
    }
    let live = scanned.flows;
    match (rows.len() as u64, matching) {
        (_, 0) if live == 0 => writeln!(out, "no live flows"),
        (_, 0) => writeln!(out, "none of {live} live flows pass the filter"),
        (shown, all) if shown < all => {
            writeln!(out, "{shown} of {all} flows shown ({live} live; --limit 0 shows all)")
        }
        (shown, _) => writeln!(out, "{shown} flows shown ({live} live)"),
    }
}
