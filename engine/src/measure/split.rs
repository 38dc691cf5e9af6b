//! Frames divided among shards before the clock starts, as a card with symmetric RSS does.
//!
//! Both directions of a flow, and its fragments, go to one shard; frames that are no packet of a flow
//! to the first. So do shards that all read one file divide it, but by the hash of their tables.

use ahash::RandomState;

use crate::capture::file::PreloadedFrames;
use crate::config::Config;
use crate::engine::{EngineError, secret};
use crate::shard::Split;
use crate::wire::{self, Fragments, Parsed};

/// The frames of each shard, in their order.
///
/// # Errors
/// The system gives no random numbers.
pub(super) fn by_flow(
    frames: &PreloadedFrames,
    config: &Config,
    shards: u16,
) -> Result<Vec<PreloadedFrames>, EngineError> {
    let secret = secret()?;
    let part = |shard| {
        let split = Split::ByHash { shard, shards: shards.into() };
        let mut fragments = Fragments::new(config.fragments as usize, secret);
        let hasher = RandomState::with_seeds(secret[0], secret[1], secret[2], secret[3]);
        let mut newest_ns = 0;
        frames.part(|frame, bytes| {
            let mut packet = Parsed::default();
            newest_ns = frame.timestamp_ns.max(newest_ns);
            let parsed = wire::parse(frame.link, frame.vlan, bytes, frame.wire_bytes, &mut packet);
            let followed = parsed.and_then(|()| fragments.follow(bytes, &mut packet, newest_ns));
            split.is_mine(followed.map(|()| hasher.hash_one(packet.key.words)))
        })
    };
    Ok((0..shards.into()).map(part).collect())
}
