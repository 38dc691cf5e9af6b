//! The alerts of all shards of an engine, put together.

use std::collections::VecDeque;

use weir_shm::Attached;
use weir_shm::alerts::{Alert, AlertReader, Merged, Phase};
use weir_shm::records::{Next, StartAt};

/// Ended alerts that a listing keeps, at most.
const ENDED: usize = 10_000;

/// See the module.
#[derive(Debug)]
pub(crate) struct Follower {
    readers: Vec<(u16, AlertReader)>,
    merged: Merged,
    gathered: Vec<(u16, Alert)>,
    missed: u64,
}

impl Follower {
    /// Begins where `at` says.
    pub(crate) fn new(engine: &Attached, at: StartAt) -> Follower {
        let shards = engine.shards();
        let readers: Vec<_> =
            shards.iter().map(|shard| (shard.shard(), shard.alerts(at))).collect();
        Follower { merged: Merged::new(readers.len()), readers, gathered: Vec::new(), missed: 0 }
    }

    /// Shows everything that came since the last call to `each`. Whether there was anything.
    ///
    /// # Errors
    /// Stops at the first error of `each`.
    pub(crate) fn poll<E>(&mut self, each: impl FnMut(&Alert) -> Result<(), E>) -> Result<bool, E> {
        let some = self.gather();
        self.settle(each)?;
        Ok(some)
    }

    /// Takes what came out of the rings. Whether there was anything.
    pub(crate) fn gather(&mut self) -> bool {
        let mut some = false;
        let mut alert = Alert::default();
        for (shard, reader) in &mut self.readers {
            loop {
                match reader.next(&mut alert) {
                    Next::Record => self.gathered.push((*shard, alert)),
                    Next::Missed(records) => self.missed += records,
                    Next::Empty | Next::Corrupt => break,
                }
                some = true;
            }
        }
        some
    }

    /// Shows what was gathered to `each`, the shares of all shards put together.
    ///
    /// # Errors
    /// Stops at the first error of `each`.
    pub(crate) fn settle<E>(
        &mut self,
        mut each: impl FnMut(&Alert) -> Result<(), E>,
    ) -> Result<(), E> {
        // Shares of a window find each other only side by side.
        self.gathered.sort_by_key(|(_, alert)| alert.time_ns);
        for (shard, alert) in self.gathered.drain(..) {
            if let Some(whole) = self.merged.take(shard, &alert) {
                each(&whole)?;
            }
        }
        Ok(())
    }

    /// Records that were overwritten before they were read.
    pub(crate) const fn missed(&self) -> u64 {
        self.missed
    }
}

/// What there is now: alerts that are active, and those that ended and the rings still hold, the
/// newest first.
#[derive(Debug)]
pub(crate) struct Listing {
    pub(crate) active: Vec<Alert>,
    pub(crate) ended: Vec<Alert>,
}

impl Listing {
    /// Reads it.
    pub(crate) fn of(engine: &Attached) -> Listing {
        let mut follower = Follower::new(engine, StartAt::Oldest);
        let mut ended = VecDeque::new();
        let kept = follower.poll(|alert| {
            if alert.phase == Phase::Ended {
                ended.push_front(*alert);
                ended.truncate(ENDED);
            }
            Ok::<(), std::convert::Infallible>(())
        });
        // It cannot fail.
        kept.ok();
        let mut active = Vec::new();
        let Follower { readers, mut merged, .. } = follower;
        for (shard, reader) in &readers {
            // The table is newer than the ring, and has what the ring has lost.
            reader.active(|alert| {
                let whole = merged.take(*shard, alert);
                active.extend(whole.filter(|_| readers.len() == 1));
            });
        }
        active.extend(merged.active());
        active.sort_by_key(|alert| std::cmp::Reverse((alert.severity, alert.start_ns)));
        ended.make_contiguous().sort_by_key(|alert| std::cmp::Reverse(alert.end_ns));
        Listing { active, ended: ended.into() }
    }
}
