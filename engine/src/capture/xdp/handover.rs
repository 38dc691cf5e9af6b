//! How sockets change hands while shards run: the port takes them from the sources when they are of
//! no use any more, and gives new ones when there are.
//!
//! Two rings of one writer and one reader each for every source, looked at once a turn.

use std::os::fd::OwnedFd;
use std::sync::Arc;

use af_xdp::Held;
use rtrb::{Consumer, Producer, RingBuffer};

use super::source::{End, Waiter};

/// What a source is told.
#[derive(Debug)]
pub(super) enum Order {
    /// Give the ends back, once nothing comes from them.
    LetGo,
    /// Here are new ones.
    Take(Box<Fresh>),
}

/// New ends for a source.
#[derive(Debug)]
pub(super) struct Fresh {
    pub(super) ends: Vec<End>,
    pub(super) queues: u32,
    pub(super) queue_shift: u32,
    pub(super) waiter: Waiter,
}

/// What a source gives back.
#[derive(Debug)]
pub(super) struct Gone {
    /// To be dropped: with the last of them the kernel's sockets go.
    pub(super) ends: Vec<End>,
    /// Chunks that the source keeps, for readers have them.
    pub(super) held: Held,
}

/// The source's end of the line.
#[derive(Debug)]
pub(super) struct SourceLine {
    pub(super) orders: Consumer<Order>,
    pub(super) answers: Producer<Gone>,
}

/// The port's end of the line.
#[derive(Debug)]
pub(super) struct PortLine {
    pub(super) orders: Producer<Order>,
    pub(super) answers: Consumer<Gone>,
    /// Wakes the source.
    pub(super) bell: Arc<OwnedFd>,
}

/// A line to the source that this bell wakes. Orders are few and answered before others are given.
pub(super) fn line(bell: Arc<OwnedFd>) -> (PortLine, SourceLine) {
    let (to, orders) = RingBuffer::new(2);
    let (answers, from) = RingBuffer::new(2);
    (PortLine { orders: to, answers: from, bell }, SourceLine { orders, answers })
}
