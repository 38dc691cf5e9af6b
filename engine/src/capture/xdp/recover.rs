//! When the interface goes, or has other queues than before: the sockets come back from the sources,
//! and new ones are bound over the same packet memory as soon as that is possible.
//!
//! Nothing is awaited here: [`XdpPort::tend`] is called again and again and does what can be done.

use std::time::Duration;

use af_xdp::{Held, netdev};
use weir_ebpf::Split;

use super::handover::{Fresh, Gone, Order};
use super::open::{self, Geometry};
use super::source::Waiter;
use super::{XdpError, XdpPort, ledger};
use crate::sys::clock;

/// How often the interface is looked at.
const LOOK: Duration = Duration::from_millis(100);

/// How long frames may be on their way to a source once the program is gone.
const SETTLE: Duration = Duration::from_millis(20);

/// Where a capture is.
#[derive(Debug, Default)]
pub(super) enum State {
    /// Sockets are bound, and of use as far as is known.
    #[default]
    Whole,
    /// The same, but this was said of the interface, and nothing is to be done about it.
    Told { said: String },
    /// The program is gone; sources are told at that time.
    Ending { at_ns: u64 },
    /// Sources were told, and some have answered.
    Leaving { gone: Vec<Gone> },
    /// No socket is left. What the sources keep, and what was said of why none was bound.
    Away { held: Vec<Held>, said: String },
    /// The capture has ended.
    Closed,
}

/// What is wrong with the interface.
enum Trouble {
    Gone,
    /// So many queues it has now.
    Queues(u32),
}

impl XdpPort {
    /// Looks after the interface. Call it several times a second; gives what to tell the user.
    pub fn tend(&mut self) -> Option<String> {
        let now_ns = clock::monotonic_ns();
        match &mut self.state {
            State::Closed => None,
            State::Whole | State::Told { .. } => self.look(now_ns),
            State::Ending { at_ns } => {
                if now_ns >= *at_ns {
                    for line in &mut self.lines {
                        // Empty: orders wait for their answers.
                        drop(line.orders.push(Order::LetGo));
                    }
                    self.state = State::Leaving { gone: Vec::new() };
                }
                None
            }
            State::Leaving { gone } => {
                gone.extend(self.lines.iter_mut().filter_map(|line| line.answers.pop().ok()));
                (gone.len() == self.lines.len()).then(|| self.let_go()).flatten()
            }
            State::Away { .. } => self.look_for_it(now_ns),
        }
    }

    fn look(&mut self, now_ns: u64) -> Option<String> {
        if now_ns < self.look_again_ns {
            return None;
        }
        self.look_again_ns = now_ns + nanoseconds(LOOK);
        self.missed.look(&self.report);
        let Some(trouble) = self.trouble() else {
            self.state = State::Whole;
            return None;
        };
        let interface = &self.config.interface;
        let (what, then) = match trouble {
            Trouble::Gone => ("is gone".to_owned(), "when it is back"),
            Trouble::Queues(queues) => {
                let had = self.report.queues;
                (format!("has {queues} receive queues, no longer {had}"), "from all of them")
            }
        };
        if !self.config.recover {
            let said = format!(
                "xdp:{interface}: the interface {what}; start weir again to take its packets {then}"
            );
            let known = matches!(&self.state, State::Told { said: before } if *before == said);
            self.state = State::Told { said: said.clone() };
            return (!known).then_some(said);
        }
        let said = format!("xdp:{interface}: the interface {what}; its packets are taken {then}");
        if let Some(hold) = &mut self.hold {
            hold.attached = None;
        }
        self.state = State::Ending { at_ns: now_ns + nanoseconds(SETTLE) };
        Some(said)
    }

    fn trouble(&self) -> Option<Trouble> {
        if !netdev::exists(self.report.interface_index) {
            return Some(Trouble::Gone);
        }
        // Under another name it can be read no more, and works on.
        let index = netdev::index(&self.config.interface).ok();
        let told = netdev::receive_queues_told(&self.config.interface)?;
        let queues = self.config.queues.map_or(told, |wanted| wanted.min(told));
        let as_named = index == Some(self.report.interface_index);
        (as_named && queues != self.queues_seen).then_some(Trouble::Queues(queues))
    }

    /// Every source has let go: the sockets end.
    fn let_go(&mut self) -> Option<String> {
        let State::Leaving { gone } = std::mem::take(&mut self.state) else { return None };
        let mut held = Vec::new();
        for Gone { ends, held: theirs } in gone {
            drop(ends);
            held.push(theirs);
        }
        if let Some(hold) = self.hold.take() {
            let counted = ledger::read(&hold.program, &hold.sockets).unwrap_or_default();
            ledger::add(&mut self.carried, &counted);
        }
        self.missed.end();
        self.report.attachment = None;
        self.state = State::Away { held, said: String::new() };
        None
    }

    /// Takes hold of the interface once it is there and up.
    fn look_for_it(&mut self, now_ns: u64) -> Option<String> {
        if now_ns < self.look_again_ns || !netdev::is_up(&self.config.interface) {
            return None;
        }
        self.look_again_ns = now_ns + nanoseconds(LOOK);
        match self.take_hold_again() {
            Ok(()) => {
                self.state = State::Whole;
                let interface = &self.config.interface;
                Some(format!("xdp:{interface}: packets are taken again\n{}", self.report))
            }
            Err(error) => {
                self.look_again_ns = now_ns + nanoseconds(LOOK) * 10;
                let why = error.to_string();
                let State::Away { said, .. } = &mut self.state else { return None };
                // The same again is no news.
                if *said == why {
                    return None;
                }
                said.clone_from(&why);
                let interface = &self.config.interface;
                Some(format!("xdp:{interface}: its packets cannot be taken yet: {why}"))
            }
        }
    }

    fn take_hold_again(&mut self) -> Result<(), XdpError> {
        let State::Away { held, .. } = &self.state else { return Ok(()) };
        let queues = open::queues(&self.config);
        let geometry = self.geometry(queues, held.iter().all(Held::is_empty));
        let still_there = || XdpError::Settings("a socket of before is still open".to_owned());
        self.umem.anew(held.clone()).ok_or_else(still_there)?;
        let choice = open::choose_again(&self.config, &self.report);
        let bells: Vec<_> = self.lines.iter().map(|line| line.bell.clone()).collect();
        let (mut hold, mut report, shards) =
            open::take_hold(&self.config, choice, geometry, &mut self.umem, &bells)?;
        let system = |source| XdpError::System { what: "making an epoll descriptor", source };
        let mut orders = Vec::new();
        for (ends, bell) in shards.into_iter().zip(bells) {
            let waiter = Waiter::new(bell, &ends).map_err(system)?;
            let queue_shift = geometry.queue_shift(&self.config);
            let fresh = Fresh { ends, queues: geometry.queues, queue_shift, waiter };
            orders.push(Order::Take(Box::new(fresh)));
        }
        hold.attach(self.config.native, &mut report)?;
        self.missed.begin(&report);
        (self.hold, self.report, self.geometry) = (Some(hold), report, geometry);
        self.queues_seen = queues;
        for (line, order) in self.lines.iter_mut().zip(orders) {
            drop(line.orders.push(order));
        }
        Ok(())
    }

    /// How the packet memory is dealt out to so many queues. Chunks that a source keeps must stay
    /// its queues' own, so with those, and where sources have not an end on each queue, it stays
    /// as it was, and queues that find no chunks are not served.
    fn geometry(&self, queues: u32, nothing_is_held: bool) -> Geometry {
        let all_have_ends = self.report.split == Split::Xdp || self.config.shards == 1;
        let chunks = self.umem.chunks();
        // Rounded down to a power of two; queues are at least one.
        let each = 1 << (chunks / queues.max(1)).max(1).ilog2();
        let may_change = nothing_is_held || all_have_ends;
        if may_change && each >= open::least_chunks(&self.config) {
            return Geometry { queues, chunks_per_queue: each };
        }
        let chunks_per_queue = self.geometry.chunks_per_queue;
        Geometry { queues: queues.min(chunks / chunks_per_queue), chunks_per_queue }
    }
}

fn nanoseconds(time: Duration) -> u64 {
    u64::try_from(time.as_nanos()).unwrap_or(u64::MAX)
}
