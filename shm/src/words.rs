//! Bytes as the words in which they go to shared memory.

use crate::sync::{AtomicU64, Ordering};

/// `bytes` eight at a time, in order; the last word is filled up with zeros.
pub(crate) fn words(bytes: &[u8]) -> impl Iterator<Item = u64> {
    let (eights, rest) = bytes.as_chunks::<8>();
    let last = (!rest.is_empty()).then(|| filled_up(bytes, rest));
    eights.iter().map(|eight| u64::from_le_bytes(*eight)).chain(last)
}

/// Stores these words; what finds no place is left out.
#[inline(always)]
pub(crate) fn store(places: &[AtomicU64], bytes: &[u8]) {
    let (eights, rest) = bytes.as_chunks::<8>();
    for (place, eight) in places.iter().zip(eights) {
        place.store(u64::from_le_bytes(*eight), Ordering::Relaxed);
    }
    if !rest.is_empty()
        && let Some(place) = places.get(eights.len())
    {
        place.store(filled_up(bytes, rest), Ordering::Relaxed);
    }
}

/// The first eight bytes as a word, filled up with zeros.
#[inline(always)]
pub(crate) fn first_word(bytes: &[u8]) -> u64 {
    bytes.first_chunk().map_or_else(|| few(bytes), |first| u64::from_le_bytes(*first))
}

/// The bytes that `rest`, the end of `bytes`, holds less than eight of, filled up with zeros: the last
/// eight bytes hold them behind others, where there are so many.
#[inline(always)]
fn filled_up(bytes: &[u8], rest: &[u8]) -> u64 {
    match bytes.last_chunk() {
        Some(last) => u64::from_le_bytes(*last) >> (8 * (8 - rest.len())),
        None => few(rest),
    }
}

/// Less than eight bytes as a word.
fn few(bytes: &[u8]) -> u64 {
    bytes.iter().rev().fold(0, |word, &byte| word << 8 | u64::from(byte))
}

#[cfg(not(loom))]
#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_stand_in_order_and_the_last_word_ends_in_zeros() {
        let bytes: Vec<u8> = (1..=40).collect();
        for length in 0..=bytes.len() {
            let places = [const { AtomicU64::new(0) }; 8];
            store(&places, &bytes[..length]);
            let stored = places.iter().take(length.div_ceil(8)).map(|p| p.load(Ordering::Relaxed));
            let stored: Vec<u8> = stored.flat_map(u64::to_le_bytes).collect();
            let mut filled = bytes[..length].to_vec();
            filled.resize(length.next_multiple_of(8), 0);
            assert_eq!(stored, filled);
            assert!(words(&bytes[..length]).flat_map(u64::to_le_bytes).eq(stored));
            filled.resize(8, 0);
            assert_eq!(first_word(&bytes[..length]).to_le_bytes(), filled[..]);
        }
    }
}
