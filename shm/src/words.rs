//! Bytes as the words in which they go to shared memory.

/// Calls `put` with `bytes` eight at a time, in order; the last word is filled up with zeros.
#[inline(always)]
pub(crate) fn each_word(bytes: &[u8], mut put: impl FnMut(u64)) {
    let (eights, rest) = bytes.as_chunks::<8>();
    for eight in eights {
        put(u64::from_le_bytes(*eight));
    }
    if !rest.is_empty() {
        put(rest.iter().rev().fold(0, |word, &byte| word << 8 | u64::from(byte)));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_stand_in_order_and_the_last_word_ends_in_zeros() {
        let bytes: Vec<u8> = (1..=40).collect();
        for length in 0..=bytes.len() {
            let mut words = Vec::new();
            each_word(&bytes[..length], |word| words.extend(word.to_le_bytes()));
            let mut filled = bytes[..length].to_vec();
            filled.resize(length.next_multiple_of(8), 0);
            assert_eq!(words, filled);
        }
    }
}
