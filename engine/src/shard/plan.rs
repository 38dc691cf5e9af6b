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
    /// Where the numbers of its flows begin; other than in the runs before, so that each is of one flow.
    pub flows_from: u64,
}

/// Bits of a flow's identity that are its number within its shard.
const NUMBER_BITS: u32 = 48;

/// Where the numbers of flows begin in a run that starts at this time, so that no flow of a run before
/// or after has the same: 2^22 further each second, which is more than a shard begins in one. They come
/// round after two years.
pub(crate) fn flows_from(unix_ns: u64) -> u64 {
    let numbers = (u128::from(unix_ns) << 22) / 1_000_000_000;
    u64::try_from(numbers).unwrap_or(0)
}

/// A flow's identity, of its shard and its number: never 0.
#[inline]
pub(super) const fn flow_id(shard: u16, number: u64) -> u64 {
    (shard as u64 + 1) << NUMBER_BITS | number & ((1 << NUMBER_BITS) - 1)
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_flow_has_the_number_of_one_of_another_run() {
        const START_NS: u64 = 1_700_000_000_000_000_000;
        let ids =
            |start_ns: u64, shard: u16, flow: u64| flow_id(shard, flows_from(start_ns) + flow);
        // A run of ten seconds with two million flows a second, and one right after it.
        let [first, last] = [1, 20_000_000].map(|flow| ids(START_NS, 0, flow));
        let next = ids(START_NS + 10_000_000_000, 0, 1);
        assert!(first < last && last < next);
        assert_eq!(first >> NUMBER_BITS, 1);
        assert!(ids(START_NS, 1, 1) > next, "of another shard");
        assert_eq!(flow_id(0, u64::MAX), (1 << 49) - 1, "they come round");
    }
}
