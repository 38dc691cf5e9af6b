//! What a [`Server`](super::Server) offers, and what it tells the engine of those who read packets.

use std::os::fd::{BorrowedFd, OwnedFd};
use std::sync::Arc;

use super::rules::{RulesAsked, RulesClient};
use crate::packets::{Admission, Owners, PageReader};
use crate::segment::ReadWords;
use crate::writer::SegmentFd;

/// Who may read.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum Access {
    /// Every local user who can reach the socket's directory.
    #[default]
    Any,
    /// The engine's own user and root.
    Owner,
    /// These users, the engine's own and root.
    Uids(Vec<u32>),
    /// Members of this group of the system, the engine's own user and root.
    Group(u32),
}

/// What a server offers, and to whom.
#[derive(Debug, Clone, Default)]
pub struct Offer {
    /// Control, shards and packet memories.
    pub segments: Vec<SegmentFd>,
    /// Who may look at flows and counters.
    pub access: Access,
    /// Who may read packets, which is more than that.
    pub packets: Access,
    /// Permissions of the socket's file; by default as `access` says.
    pub mode: Option<u32>,
    /// Group of the system that owns the socket's file.
    pub group: Option<u32>,
    /// All groups of the user at the other end of a connection; without it, its first one counts.
    pub peer_groups: Option<fn(BorrowedFd<'_>) -> Vec<u32>>,
}

/// What happened among those that read packets.
#[derive(Debug)]
pub enum Event {
    /// A reader came.
    Joined(Joined),
    /// The reader in this place went, or died. Every shard is to let it go, in order with others
    /// that come to that place; then [`Server::has_let_go`](super::Server::has_let_go) is due.
    Left {
        /// Its place.
        place: u8,
        /// Its group.
        group: Option<u8>,
    },
    /// The flows of a group go to others from now on.
    Dealt {
        /// The group's number.
        group: u8,
        /// Who gets what.
        owners: Box<Owners>,
    },
    /// A reader says something about a flow.
    Asked(Asked),
    /// Somebody who may gives rules; an answer is due
    /// ([`Server::answer_rules`](super::Server::answer_rules)).
    Rules(RulesClient, RulesAsked),
}

/// A reader that came.
#[derive(Debug)]
pub struct Joined {
    /// Its place.
    pub place: u8,
    /// Tells it from earlier ones in that place.
    pub generation: u64,
    /// What it asked for.
    pub admission: Admission,
    /// The number of its group.
    pub group: Option<u8>,
    /// Its process and user, as the kernel knows them.
    pub pid: u32,
    /// Its user.
    pub uid: u32,
    /// To wake it by: a message of one byte, without waiting.
    pub bell: Arc<OwnedFd>,
    pub(super) page: ReadWords,
}

impl Joined {
    /// Its page's line for a shard.
    pub fn page(&self, shard: u16) -> PageReader {
        PageReader::new(self.page.clone(), shard)
    }
}

/// What a reader says about a flow.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Asked {
    /// The flow's shard.
    pub shard: u16,
    /// Its slot there, if the reader is right.
    pub flow_slot: u32,
    /// Its identity.
    pub flow_id: u64,
    /// What is asked.
    pub what: What,
}

/// What is asked of a flow.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum What {
    /// This group wants no more of it.
    Shunt {
        /// The group's number.
        group: u8,
    },
    /// It is fine.
    Allow,
    /// It should be blocked.
    Block,
}
