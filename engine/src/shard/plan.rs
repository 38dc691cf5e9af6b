//! What a shard is told at its start.

use std::sync::Arc;

use crate::alerts::AlertRules;
use crate::flow::timeouts::Timeouts;
use crate::hosts::HostsPlan;

/// How deep packets are looked into.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Depth {
    /// Headers alone.
    Parse,
    /// Flows too.
    Flow,
    /// Applications too.
    Inspect,
}

/// Settings of one shard. All limits are here: nothing grows later.
#[derive(Clone, Debug)]
pub struct ShardPlan {
    /// Index of the shard, below 255.
    pub shard: u16,
    /// Which packets are its own.
    pub split: Split,
    /// Timestamps are from the clock of this machine.
    pub live: bool,
    /// How deep it looks.
    pub depth: Depth,
    /// When flows end; none: at the end of the run only.
    pub timeouts: Option<Timeouts>,
    /// Key of the flow table's hash.
    pub secret: [u64; 4],
    /// Datagrams whose fragments are followed at the same time.
    pub fragments: usize,
    /// Limits of inspection.
    pub inspection: weir_dpi::Limits,
    /// Which alerts there are; none: none at all.
    pub alerts: Option<Arc<AlertRules>>,
    /// Shards of the run.
    pub shards: u16,
    /// What is kept of hosts; none: nothing is.
    pub hosts: Option<HostsPlan>,
}

/// Which packets of its source are a shard's own.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Split {
    /// All: the source gives it no others.
    All,
    /// Those whose hash falls to it: every shard reads the same file, with the same secret.
    ByHash {
        /// Index of the shard.
        shard: u32,
        /// Number of shards.
        shards: u32,
    },
}

impl Split {
    /// Whether a frame is the shard's own: by its flow's hash, or, where it has no flow, by
    /// being the first shard's.
    #[inline(always)]
    pub fn is_mine<E>(&self, hash: Result<u64, E>) -> bool {
        match (*self, hash) {
            (Split::All, _) => true,
            // Other bits than the table's groups and tags are made from.
            (Split::ByHash { shard, shards }, Ok(hash)) => {
                ((hash >> 20 & 0xFFFF_FFFF) * u64::from(shards)) >> 32 == u64::from(shard)
            }
            (Split::ByHash { shard, .. }, Err(_)) => shard == 0,
        }
    }
}
