//! What a packet, a flow and a record cost, in pieces: each case once, for the clock and for
//! callgrind alike.
//!
//! Nothing here is random: keys come from numbers, the table's secret is fixed, so that the
//! instructions of a case are the same in every run.

mod export;
mod inspect;
mod shard;
mod table;
mod wire;

use std::hint::black_box;

/// One thing that is measured, made ready and then done several times.
pub trait Work {
    /// Makes ready for [`Work::go`]; not measured.
    fn ready(&mut self) {}
    /// Does it; how many times, the same at every call.
    fn go(&mut self) -> u64;
}

impl<F: FnMut() -> u64> Work for F {
    fn go(&mut self) -> u64 {
        self()
    }
}

/// A case by its name, `family/what`.
pub struct Case {
    /// See the type.
    pub name: String,
    make: Box<dyn Fn() -> Box<dyn Work>>,
}

impl std::fmt::Debug for Case {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Case").field("name", &self.name).finish_non_exhaustive()
    }
}

impl Case {
    fn new<W: Work + 'static>(name: impl Into<String>, make: impl Fn() -> W + 'static) -> Case {
        Case { name: name.into(), make: Box::new(move || Box::new(make())) }
    }

    /// The case's work, done once already: what is set up at first use is no part of what follows.
    pub fn work(&self) -> Box<dyn Work> {
        let mut work = (self.make)();
        work.ready();
        work.go();
        work
    }
}

/// Every case.
pub fn all() -> Vec<Case> {
    [wire::cases(), table::cases(), shard::cases(), inspect::cases(), export::cases()]
        .into_iter()
        .flatten()
        .collect()
}

/// The function within which callgrind counts.
pub const COUNTED: &str = "weir_benches::cases::counted";

/// Does the work once. Never inlined: callgrind knows it by its name, [`COUNTED`].
#[inline(never)]
pub fn counted(work: &mut dyn Work) -> u64 {
    // Not a tail call, which would leave this function before the work is done.
    black_box(work.go())
}
