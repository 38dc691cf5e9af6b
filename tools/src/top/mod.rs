//! `weir top`: a running engine in the terminal.

mod help;
mod keys;
mod lists;
mod model;
mod pages;
mod rates;
mod sheet;
mod sort;
mod tables;
#[cfg(test)]
mod tests;
mod theme;
mod view;

use std::io::{self, IsTerminal, Write};
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use clap::Args;
use crossterm::event::{self, Event, KeyEventKind};
use ratatui::backend::TestBackend;
use ratatui::{DefaultTerminal, Terminal};
use weir_shm::Attached;

use crate::exit::{Code, failure};
use crate::filter::Filter;
use crate::flows::seconds;
use crate::hosts::BooksArgs;
use crate::live::{self, EngineArgs};
use keys::{Screen, Wish};
use model::Model;

/// What is said where there are no hosts to show.
const NO_HOSTS: &str = "This engine keeps no hosts, and so no sums by host and application: \
                        hosts.enabled is off in its settings.";

/// Watch a running engine: throughput, applications, flows, hosts, drops, alerts, and the page of
/// any flow, host or alert.
///
/// Keys: q quit, tab or 1-6 page, / filter or find, s sort, p pause, enter opens, esc goes back,
/// ? help. Reads shared memory only; needs no privilege.
#[derive(Args, Debug)]
pub(crate) struct TopArgs {
    #[command(flatten)]
    engine: EngineArgs,

    /// Begin with this filter of the flows.
    #[arg(long, short = 'f', value_name = "EXPR")]
    filter: Option<String>,

    /// Time between two looks.
    #[arg(long, short = 'i', value_name = "SECS", default_value = "1", value_parser = seconds)]
    interval: Duration,

    /// Print one picture as text and end, for logs and scripts.
    #[arg(long)]
    once: bool,

    /// The page to begin with: 1 overview, 2 applications, 3 flows, 4 hosts, 5 drops, 6 alerts.
    #[arg(long, value_name = "N", default_value_t = 1)]
    #[arg(value_parser = clap::value_parser!(u8).range(1..=6))]
    page: u8,

    /// The size of the picture that --once prints.
    #[arg(long, value_name = "COLUMNSxLINES", default_value = "100x32", value_parser = size)]
    size: (u16, u16),

    #[command(flatten)]
    books: BooksArgs,
}

fn size(text: &str) -> Result<(u16, u16), String> {
    let parts = text.split_once(['x', 'X']);
    let numbers = parts.and_then(|(a, b)| Some((a.parse().ok()?, b.parse().ok()?)));
    match numbers {
        Some((columns @ 20..=500, lines @ 5..=300)) => Ok((columns, lines)),
        _ => Err("give columns and lines, as in 100x32".to_owned()),
    }
}

/// Runs the command.
pub(crate) fn run(args: &TopArgs) -> anyhow::Result<ExitCode> {
    let filter = match &args.filter {
        None => None,
        Some(text) => {
            Some(Filter::parse(text).map_err(|error| failure(Code::Usage, error.to_string()))?)
        }
    };
    let engine = args.engine.attach()?;
    let mut screen = Screen::new(args.page, filter);
    let model = Model::new(&engine, args.books.read(&engine)?);
    if args.once {
        screen.columns = args.size.0;
        return once(args, &engine, &screen, model);
    }
    if !io::stdout().is_terminal() {
        let message = "standard output is no terminal; --once prints a picture as text";
        return Err(failure(Code::Usage, message));
    }
    let mut terminal = ratatui::try_init()?;
    let result = watch(args, &engine, (model, &mut screen), &mut terminal);
    ratatui::try_restore()?;
    match result? {
        Over::Quit => Ok(ExitCode::SUCCESS),
        Over::Ended => live::ended(&engine),
    }
}

/// Prints one picture. Rates need two looks, so it takes an interval where there is anything to
/// see move.
fn once(
    args: &TopArgs,
    engine: &Attached,
    screen: &Screen,
    mut model: Model,
) -> anyhow::Result<ExitCode> {
    model.look(engine, screen);
    if live::state_word(engine) == "running" && live::wait(engine, args.interval) {
        model.look(engine, screen);
    }
    let (columns, lines) = args.size;
    let mut terminal = Terminal::new(TestBackend::new(columns, lines))?;
    terminal.draw(|frame| view::draw(frame, &model, screen))?;
    let buffer = terminal.backend().buffer();
    let mut out = String::new();
    for row in buffer.content().chunks(usize::from(columns)) {
        let line: String = row.iter().map(ratatui::buffer::Cell::symbol).collect();
        out.push_str(line.trim_end());
        out.push('\n');
    }
    io::stdout().write_all(out.as_bytes())?;
    Ok(ExitCode::SUCCESS)
}

/// Why watching came to an end.
enum Over {
    /// The user, or a signal.
    Quit,
    /// The engine.
    Ended,
}

fn watch(
    args: &TopArgs,
    engine: &Attached,
    (mut model, screen): (Model, &mut Screen),
    terminal: &mut DefaultTerminal,
) -> anyhow::Result<Over> {
    let stop = Arc::new(AtomicBool::new(false));
    for signal in [signal_hook::consts::SIGTERM, signal_hook::consts::SIGHUP] {
        signal_hook::flag::register(signal, Arc::clone(&stop))?;
    }
    let mut due_ns = 0;
    loop {
        screen.columns = terminal.size()?.width;
        let now_ns = live::monotonic_ns();
        if now_ns >= due_ns && !screen.paused {
            model.look(engine, screen);
            // A table of millions of flows is looked at more rarely than asked for, so that the
            // reader never takes more than a third of a core.
            let took_ns = live::monotonic_ns().saturating_sub(now_ns);
            let interval_ns = u64::try_from(args.interval.as_nanos()).unwrap_or(u64::MAX);
            due_ns = now_ns.saturating_add(interval_ns.max(3 * took_ns));
        }
        terminal.draw(|frame| view::draw(frame, &model, screen))?;
        let left_ns = due_ns.saturating_sub(live::monotonic_ns());
        // Short enough to notice the engine's end and signals.
        let wait = Duration::from_nanos(left_ns).min(Duration::from_millis(200));
        if event::poll(wait.max(Duration::from_millis(1)))? {
            match event::read()? {
                Event::Key(key) if key.kind != KeyEventKind::Release => {
                    match screen.key(key, &model) {
                        Wish::Quit => return Ok(Over::Quit),
                        Wish::Look if !screen.paused => due_ns = 0,
                        Wish::Look | Wish::Arrange => model.arrange(engine, screen),
                        Wish::Nothing => {}
                    }
                }
                _ => {}
            }
        }
        if stop.load(Ordering::Relaxed) {
            return Ok(Over::Quit);
        }
        if !engine.alive() {
            return Ok(Over::Ended);
        }
    }
}
