//! A shard's turns without inspection: flows that begin, go on, and end in silence.

use std::cell::Cell;
use std::rc::Rc;
use std::time::Duration;

use weir_engine::capture::{Batch, Frame, Received, Source};
use weir_engine::flow::table::FlowTable;
use weir_engine::flow::timeouts::Timeouts;
use weir_engine::shard::{Depth, Shard, ShardPlan, Split};
use weir_engine::wire::LinkType;

use super::{Case, Work, wire};
use crate::table::segment;

/// Flows, one frame of each.
const FLOWS: u32 = 1024;
const START_NS: u64 = 1_700_000_000_000_000_000;
/// Longer than a flow may be silent.
const SILENCE_NS: u64 = 100_000_000_000;

/// What the source of a shard plays next, and at what time.
#[derive(Debug)]
struct Stage {
    frames: Vec<Vec<u8>>,
    left: Cell<usize>,
    now_ns: Cell<u64>,
}

#[derive(Debug)]
struct Staged(Rc<Stage>);

impl Source for Staged {
    fn receive(&mut self, batch: &mut Batch) -> Received {
        let left = self.0.left.get();
        let count = left.min(batch.room());
        for at in left - count..left {
            let length = u32::try_from(self.0.frames[at].len()).unwrap_or_default();
            batch.push(Frame {
                addr: at as u64,
                timestamp_ns: self.0.now_ns.get(),
                captured_bytes: length,
                wire_bytes: length,
                link: LinkType::Ethernet,
                ..Frame::default()
            });
        }
        self.0.left.set(left - count);
        if count == 0 { Received::Idle } else { Received::Frames }
    }

    fn bytes(&self, frame: &Frame) -> &[u8] {
        usize::try_from(frame.addr).ok().and_then(|at| self.0.frames.get(at)).map_or(&[], |b| b)
    }

    fn release(&mut self, _: &Batch) {}

    fn now_ns(&mut self) -> u64 {
        self.0.now_ns.get()
    }

    fn wait(&mut self, _: Duration) {}
}

/// A shard that does one of two things: takes a frame of every flow, or lets time pass until all
/// flows have ended.
struct Played {
    stage: Rc<Stage>,
    shard: Shard<Staged>,
}

impl Played {
    fn new() -> Played {
        let stage = Rc::new(Stage {
            frames: (0..FLOWS).map(wire::frame).collect(),
            left: Cell::new(0),
            now_ns: Cell::new(START_NS),
        });
        let plan = ShardPlan {
            shard: 0,
            split: Split::All,
            live: false,
            depth: Depth::Flow,
            timeouts: Some(Timeouts::default()),
            secret: [1, 2, 3, 4],
            fragments: 16,
            inspection: weir_dpi::Limits { flows: 16, ..weir_dpi::Limits::default() },
            alerts: Some(std::sync::Arc::default()),
            shards: 1,
            hosts: None,
            flows_from: 0,
        };
        let memory = segment(FlowTable::slots_for(FLOWS * 2));
        let shard = Shard::new(Staged(Rc::clone(&stage)), plan, memory, None, None);
        Played { stage, shard }
    }

    fn frames(&mut self) {
        self.stage.left.set(self.stage.frames.len());
        while self.stage.left.get() > 0 {
            self.shard.turn();
        }
        assert_eq!(self.shard.table().live(), FLOWS, "a flow a frame");
    }

    fn silence(&mut self) {
        self.stage.now_ns.set(self.stage.now_ns.get() + SILENCE_NS);
        while self.shard.table().live() > 0 {
            self.shard.turn();
        }
    }
}

/// A shard, how it is made ready, and what is measured of it.
struct Turns(Played, fn(&mut Played), fn(&mut Played));

impl Work for Turns {
    fn ready(&mut self) {
        (self.1)(&mut self.0);
    }

    fn go(&mut self) -> u64 {
        (self.2)(&mut self.0);
        FLOWS.into()
    }
}

pub(super) fn cases() -> Vec<Case> {
    vec![
        Case::new("shard/a flow begins", || Turns(Played::new(), Played::silence, Played::frames)),
        Case::new("shard/a packet of a known flow", || {
            Turns(Played::new(), Played::frames, Played::frames)
        }),
        Case::new("shard/a flow expires", || Turns(Played::new(), Played::frames, Played::silence)),
    ]
}
