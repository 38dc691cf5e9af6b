//! The hash by which names are found: made by the build script, and asked while a name is read.

/// The hash of nothing.
pub(super) const SEED: u64 = 0x9E37_79B9_7F4A_7C15;

/// The hash after one more label, on the way from a name's end to its beginning.
pub(super) fn step(hash: u64, label: &[u8]) -> u64 {
    let (eights, rest) = label.as_chunks::<8>();
    let words = eights.iter().map(|eight| u64::from_le_bytes(*eight));
    let hash = words.fold(hash ^ label.len() as u64, mixed);
    mixed(hash, short(rest))
}

fn mixed(hash: u64, word: u64) -> u64 {
    // The bit is set that tells letters' cases apart.
    let product = (hash ^ (word | 0x2020_2020_2020_2020)).wrapping_mul(0xD6E8_FEB8_6659_FD93);
    product ^ product >> 32
}

/// Fewer than eight bytes as a number.
fn short(bytes: &[u8]) -> u64 {
    match (bytes.first_chunk::<4>(), bytes.last_chunk::<4>()) {
        // The two overlap where there are fewer than eight.
        (Some(first), Some(last)) => {
            u64::from(u32::from_le_bytes(*first)) | u64::from(u32::from_le_bytes(*last)) << 32
        }
        _ => bytes.iter().fold(0, |number, byte| number << 8 | u64::from(*byte)),
    }
}

/// Where to look first among `places`, a power of two.
#[expect(clippy::cast_possible_truncation, reason = "the low bits are what is wanted")]
pub(super) const fn place_of(hash: u64, places: usize) -> usize {
    hash as usize & (places - 1)
}

/// What a place shows of the hash; never 0, which is an empty place.
pub(super) const fn tag_of(hash: u64) -> u8 {
    (hash >> 56) as u8 | 1
}
