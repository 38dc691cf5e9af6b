//! The hash by which names are found: made by the build script, and asked while a name is read.

/// The hash of nothing.
pub(super) const SEED: u32 = 0x811C_9DC5;

/// The hash after one more byte, on the way from a name's end to its beginning.
pub(super) const fn step(hash: u32, byte: u8) -> u32 {
    // FNV-1a, with the bit set that tells letters' cases apart.
    (hash ^ (byte | 0x20) as u32).wrapping_mul(0x0100_0193)
}

/// Where to look first among `places`, a power of two. FNV's low bits alone mix its last bytes
/// poorly.
pub(super) const fn place_of(hash: u32, places: usize) -> usize {
    ((hash ^ (hash >> 15)).wrapping_mul(0x9E37_79B1) >> 16) as usize & (places - 1)
}

/// What a place shows of the hash; never 0, which is an empty place.
pub(super) const fn tag_of(hash: u32) -> u8 {
    (hash >> 24) as u8 | 1
}
