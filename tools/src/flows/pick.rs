//! The first N flows in some order, out of any number, in memory for N.

use std::cmp::{Ordering, Reverse};
use std::collections::BinaryHeap;

use weir_shm::FlowView;
use weir_shm::flow::FlowSnapshot;

use crate::field::{Field, Kind, Seen, SortKey};
use crate::flow::Flow;
use crate::health::Summary;

/// A flow kept for showing.
#[derive(Clone, Debug)]
pub(crate) struct Row {
    snapshot: FlowSnapshot,
    health: Summary,
    shard: u16,
    meta: Box<[u8]>,
}

impl Row {
    /// The flow.
    pub(crate) fn flow(&self) -> Flow<'_> {
        Flow::decode(&self.snapshot, self.shard, &self.meta).with(self.health)
    }
}

/// Where a flow stands: greater keys later; equal keys by their number, so that the order does
/// not change from one look to the next.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
struct Place {
    key: Direction,
    shard: u16,
    flow_id: u64,
}

#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
enum Direction {
    Up(SortKey),
    Down(Reverse<SortKey>),
}

struct Kept {
    place: Place,
    row: Row,
}

impl PartialEq for Kept {
    fn eq(&self, other: &Kept) -> bool {
        self.place == other.place
    }
}

impl Eq for Kept {}

impl PartialOrd for Kept {
    fn partial_cmp(&self, other: &Kept) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Kept {
    fn cmp(&self, other: &Kept) -> Ordering {
        self.place.cmp(&other.place)
    }
}

/// Keeps the first `limit` of what it is offered.
pub(crate) struct Picker {
    field: Field,
    down: bool,
    /// 0 for no limit.
    limit: usize,
    offered: u64,
    /// The last of those kept is on top.
    kept: BinaryHeap<Kept>,
}

impl Picker {
    /// Numbers come from the greatest, everything else from the first; `reverse` turns that round.
    pub(crate) fn new(field: Field, reverse: bool, limit: usize) -> Picker {
        let numeric = matches!(field.kind(), Kind::Number(_) | Kind::Confidence);
        Picker { field, down: numeric != reverse, limit, offered: 0, kept: BinaryHeap::new() }
    }

    /// Takes a copy of the flow if it belongs among the first.
    pub(crate) fn offer(&mut self, seen: &Seen<'_>, view: &FlowView) {
        self.offered += 1;
        let key = self.field.sort_key(seen);
        let key = if self.down { Direction::Down(Reverse(key)) } else { Direction::Up(key) };
        let place = Place { key, shard: seen.flow.shard, flow_id: seen.flow.id };
        let full = self.limit > 0 && self.kept.len() >= self.limit;
        if full && self.kept.peek().is_some_and(|last| last.place <= place) {
            return;
        }
        let row = Row {
            snapshot: view.snapshot,
            health: Summary::of_view(view),
            shard: seen.flow.shard,
            meta: view.meta.as_slice().into(),
        };
        self.kept.push(Kept { place, row });
        if full {
            self.kept.pop();
        }
    }

    /// Flows offered.
    pub(crate) fn offered(&self) -> u64 {
        self.offered
    }

    /// Those kept, in order.
    pub(crate) fn into_rows(self) -> Vec<Row> {
        self.kept.into_sorted_vec().into_iter().map(|kept| kept.row).collect()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::flow::tests::sample;

    proptest! {
        /// The picker keeps what sorting everything would put first.
        #[test]
        fn picks_what_sorting_picks(
            bytes in prop::collection::vec(0_u64..20, 0..40),
            limit in 0_usize..10,
            reverse: bool,
        ) {
            let mut picker = Picker::new(Field::find("bytes_s2c").unwrap(), reverse, limit);
            for (id, bytes) in (1..).zip(&bytes) {
                let mut view = FlowView { snapshot: sample(), ..FlowView::default() };
                view.snapshot.words[6] = id;
                view.snapshot.words[9] = *bytes;
                let flow = Flow::decode(&view.snapshot, 0, &[]);
                picker.offer(&Seen { flow: &flow, now_ns: 0 }, &view);
            }
            let mut wanted: Vec<(u64, u64)> = bytes.iter().copied().zip(1..).collect();
            wanted.sort_by_key(|(bytes, id)| (if reverse { *bytes } else { 100 - bytes }, *id));
            if limit > 0 {
                wanted.truncate(limit);
            }
            prop_assert_eq!(picker.offered(), bytes.len() as u64);
            let rows = picker.into_rows();
            let found: Vec<(u64, u64)> = rows
                .iter()
                .map(|row| (row.flow().bytes[1], row.flow().id))
                .collect();
            prop_assert_eq!(found, wanted);
        }
    }
}
