//! One line a second on standard error while a run goes on.

use std::io::{IsTerminal, Write};
use std::path::Path;
use std::sync::mpsc::{Receiver, channel};

use weir_shm::counters::Role;
use weir_shm::{Attached, Ledger};

use crate::units::Quantity;

const SECOND_NS: u64 = 1_000_000_000;

/// Says something on standard error.
pub(super) fn say(text: &str) {
    // Nobody is left to tell when standard error is closed.
    writeln!(std::io::stderr(), "{text}").ok();
}

/// The line. On a terminal it is overwritten; elsewhere only every tenth is printed.
#[derive(Debug)]
pub(super) struct Line {
    coming: Receiver<Attached>,
    engine: Option<Attached>,
    terminal: bool,
    shown_ns: u64,
    before: Totals,
    on_screen: bool,
    lines: u64,
}

#[derive(Clone, Copy, Default, Debug)]
struct Totals {
    packets: u64,
    bytes: u64,
    flows: u64,
    lost: u64,
}

impl Line {
    /// Attaches to the engine like any reader, from a thread, as this one has to let it in.
    pub(super) fn start(socket: &Path) -> Line {
        let (send, coming) = channel();
        let socket = socket.to_path_buf();
        let attach = move || {
            if let Ok(engine) = Attached::open_path(&socket) {
                send.send(engine).ok();
            }
        };
        // Without the thread there is no line, and the run goes on.
        std::thread::Builder::new().name("weir status".into()).spawn(attach).ok();
        Line {
            coming,
            engine: None,
            terminal: std::io::stderr().is_terminal(),
            shown_ns: 0,
            before: Totals::default(),
            on_screen: false,
            lines: 0,
        }
    }

    /// Shows the line anew if a second has passed.
    pub(super) fn refresh(&mut self, progress: Option<(u64, u64)>, now_ns: u64) {
        if self.engine.is_none() {
            self.engine = self.coming.try_recv().ok();
            self.shown_ns = now_ns;
        }
        let passed = now_ns - self.shown_ns;
        let Some(engine) = &self.engine else { return };
        if passed < SECOND_NS {
            return;
        }
        let now = totals(engine);
        let rate = |now: u64, before: u64| {
            let amount = u128::from(now.saturating_sub(before)) * u128::from(SECOND_NS);
            u64::try_from(amount / u128::from(passed)).unwrap_or(u64::MAX)
        };
        let mut text = format!(
            "{} packets/s  {}  {} packets  {} flows  {} lost",
            Quantity::Count.short(rate(now.packets, self.before.packets)),
            Quantity::Rate.short(rate(now.bytes, self.before.bytes).saturating_mul(8)),
            Quantity::Count.short(now.packets),
            Quantity::Count.short(now.flows),
            Quantity::Count.short(now.lost),
        );
        if let Some((done, all)) = progress {
            let percent = u128::from(done) * 100 / u128::from(all.max(1));
            text = format!("{percent:>3} % read  {text}");
        }
        self.show(&text);
        self.before = now;
        self.shown_ns = now_ns;
    }

    /// Takes the line off the terminal.
    pub(super) fn clear(&mut self) {
        if self.on_screen {
            write!(std::io::stderr(), "\r\x1b[K").ok();
            self.on_screen = false;
        }
    }

    fn show(&mut self, text: &str) {
        if self.terminal {
            write!(std::io::stderr(), "\r\x1b[K{text}").ok();
            self.on_screen = true;
        } else if self.lines.is_multiple_of(10) {
            say(text);
        }
        self.lines += 1;
    }
}

fn totals(engine: &Attached) -> Totals {
    let mut totals = Totals::default();
    for counter in engine.shards().iter().flat_map(weir_shm::ShardReader::counters) {
        match (counter.role, counter.name.as_str()) {
            (Role::Processed, _) => totals.packets += counter.value,
            (_, "bytes_processed") => totals.bytes += counter.value,
            (_, "flows_live") => totals.flows += counter.value,
            _ => {}
        }
    }
    totals.lost = Ledger::from(engine).total.wire_drops.iter().map(|(_, value)| value).sum();
    totals
}
