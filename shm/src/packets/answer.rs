//! What a reader asks for, and what it gets: the words of [`PacketReader`](super::PacketReader).

use super::reader::Held;

/// A fixed part of the stream: one member of so many, by the flow's hash.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Share {
    /// Number of the member, from 0.
    pub member: u32,
    /// How many there are.
    pub of: u32,
}

/// How to read.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct PacketOptions {
    /// Who reads, for `weir readers`; this process's name where it is empty.
    pub program: String,
    /// Frames are held for this reader and used in place (lease), or copied and checked (window).
    pub lease: bool,
    /// Share the stream with the other members of this group.
    pub group: Option<String>,
    /// Read a fixed part of the stream.
    pub share: Option<Share>,
}

/// What came.
#[derive(Debug)]
pub enum Next {
    /// A packet.
    Packet(Held),
    /// So many packets were written over before this reader came to them. Told of once, and
    /// counted.
    Missed(u64),
    /// Nothing now.
    Empty,
    /// The stream ended in order and everything was read.
    Ended,
    /// The engine is gone without a word, and everything that it left was read.
    Died,
}

/// What ended a wait.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Woken {
    /// There is a packet.
    Packets,
    /// The time passed.
    Timeout,
    /// Somebody called a [`Waker`](super::Waker).
    Interrupted,
    /// The stream has ended or the engine is gone; [`PacketReader::hold`](super::PacketReader::hold) tells which.
    Over,
}

/// What a reader thinks of a flow.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Judgement {
    /// It is fine.
    Allow,
    /// It should be blocked.
    Block,
}

/// Packets, by what became of them for this reader.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct ReaderCounts {
    /// Handed out.
    pub delivered: u64,
    /// Written over before this reader came to them.
    pub missed: u64,
    /// Left out by its filters.
    pub filtered: u64,
    /// Other members'.
    pub others: u64,
    /// Of flows that its group wants no more of.
    pub shunted: u64,
}
