//! The flow table, asked by batches as a turn of the engine does.

use weir_engine::wire::FlowKey;

use super::{Case, Work};
use crate::table::{BATCH, Table, Weir, key};

/// Flows in the table: its tags fill a first-level cache, its slots a second-level one.
const FLOWS: u32 = 8192;
/// Flows that are asked for, or come and go.
const OPERATIONS: u32 = 1024;

/// A table of [`FLOWS`] flows, [`OPERATIONS`] keys, and what is done to them.
struct Asked {
    table: Weir,
    keys: Vec<FlowKey>,
    ready: fn(&mut Weir, &[FlowKey]) -> usize,
    go: fn(&mut Weir, &[FlowKey]) -> usize,
    /// Of how many keys `go` says that they were there, or were put there.
    expected: usize,
}

impl Asked {
    fn all(&mut self, work: fn(&mut Weir, &[FlowKey]) -> usize) -> usize {
        self.keys.chunks(BATCH).map(|keys| work(&mut self.table, keys)).sum()
    }
}

impl Work for Asked {
    fn ready(&mut self) {
        self.all(self.ready);
    }

    fn go(&mut self) -> u64 {
        assert_eq!(self.all(self.go), self.expected, "every flow is where it should be");
        OPERATIONS.into()
    }
}

fn nothing(_: &mut Weir, _: &[FlowKey]) -> usize {
    0
}

type Does = fn(&mut Weir, &[FlowKey]) -> usize;

/// `from`: the number of the first flow that is asked for; those from [`FLOWS`] on are not there.
fn case(name: &str, from: u32, ready: Does, go: Does, expected: u32) -> Case {
    Case::new(format!("flow table/{name}"), move || {
        let mut table = Weir::new(FLOWS * 2);
        let there: Vec<_> = (0..FLOWS).map(key).collect();
        let found: usize = there.chunks(BATCH).map(|keys| table.insert(keys)).sum();
        assert_eq!(found, there.len(), "there is room");
        let keys = (from..from + OPERATIONS).map(key).collect();
        Asked { table, keys, ready, go, expected: expected as usize }
    })
}

pub(super) fn cases() -> Vec<Case> {
    vec![
        case("hit", 100, nothing, Weir::find, OPERATIONS),
        case("miss", FLOWS, nothing, Weir::find, 0),
        case("insert", FLOWS, Weir::remove, Weir::insert, OPERATIONS),
        case("delete", FLOWS, Weir::insert, Weir::remove, OPERATIONS),
    ]
}
