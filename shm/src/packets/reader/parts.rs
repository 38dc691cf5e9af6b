//! A reader taken apart, one for each shard.

use std::sync::Arc;

use super::{PacketReader, Waker};
use crate::error::Error;

impl PacketReader {
    /// A reader for each shard, in the order of their numbers, instead of one for all: for a thread a
    /// shard. Each gives its shard's packets as they come; nothing is merged. To the engine they are
    /// still one reader.
    ///
    /// # Errors
    /// If the kernel gives no descriptors.
    pub fn by_shard(self) -> Result<Vec<Self>, Error> {
        let Self { attached, shards, group, link_type, filter, gone, .. } = self;
        let mut readers = Vec::new();
        for shard in shards {
            let reader = Self::of(Arc::clone(&attached), vec![shard], group, link_type)?;
            readers.push(Self { filter: filter.clone(), gone, ..reader });
        }
        let wakers: Vec<Waker> = readers.iter().map(Self::waker).collect();
        for (at, reader) in readers.iter_mut().enumerate() {
            let others = wakers.iter().enumerate().filter(|(other, _)| *other != at);
            reader.siblings = others.map(|(_, waker)| waker.clone()).collect();
        }
        Ok(readers)
    }

    /// The shard that this reader is of, if it is of one only.
    pub fn only_shard(&self) -> Option<u16> {
        if let [only] = self.shards.as_slice() { Some(only.number) } else { None }
    }
}
