//! Looking for many things in few steps: sets of bytes, pairs of bytes, and lists of words that are
//! sought all at once. The tables are made at compile time.

/// A set of bytes.
#[derive(Clone, Copy, Debug)]
pub(super) struct Bytes([bool; 256]);

impl Bytes {
    /// These bytes.
    #[expect(clippy::indexing_slicing, reason = "at compile time; an error would not build")]
    pub(super) const fn of(bytes: &[u8]) -> Bytes {
        let mut set = [false; 256];
        let mut at = 0;
        while at < bytes.len() {
            set[bytes[at] as usize] = true;
            at += 1;
        }
        Bytes(set)
    }

    /// These bytes and all letters and digits.
    #[expect(clippy::indexing_slicing, reason = "at compile time; an error would not build")]
    pub(super) const fn alphanumeric_and(bytes: &[u8]) -> Bytes {
        let mut set = Bytes::of(bytes);
        let mut byte = 0_u8;
        while byte < 128 {
            set.0[byte as usize] |= byte.is_ascii_alphanumeric();
            byte += 1;
        }
        set
    }

    pub(super) fn has(&self, byte: u8) -> bool {
        self.0.get(usize::from(byte)).copied().unwrap_or(false)
    }

    /// Whether one of `bytes` is in the set.
    pub(super) fn any_of(&self, bytes: &[u8]) -> bool {
        bytes.iter().any(|byte| self.has(*byte))
    }

    /// Whether all of `bytes` are in the set.
    pub(super) fn all_of(&self, bytes: &[u8]) -> bool {
        bytes.iter().all(|byte| self.has(*byte))
    }
}

/// Whether `fits` holds for a byte: all are looked at, many at a time.
pub(super) fn any(bytes: &[u8], fits: impl Fn(u8) -> bool) -> bool {
    bytes.iter().fold(0, |any, byte| any | u8::from(fits(*byte))) != 0
}

/// Whether these two are next to each other somewhere: all places are looked at, many at a time.
pub(super) fn has_pair(bytes: &[u8], first: u8, second: u8) -> bool {
    let behind = bytes.get(1..).unwrap_or_default();
    let fits = |a: u8, b: u8| u8::from(a == first) & u8::from(b == second);
    bytes.iter().zip(behind).fold(0, |any, (a, b)| any | fits(*a, *b)) != 0
}

const FILTER_WORDS: usize = 32;

/// Words sought at once: a few bits of their first letters say at which places one may begin.
#[derive(Debug)]
pub(super) struct Words<const N: usize> {
    all: &'static [&'static [u8]],
    heads: [u32; N],
    filter: [u64; FILTER_WORDS],
    /// Of the last four bytes those that are a head.
    mask: u32,
    head_bytes: usize,
}

impl<const N: usize> Words<N> {
    /// `words` of at least `head_bytes` bytes, which are four at most.
    #[expect(clippy::indexing_slicing, reason = "at compile time; an error would not build")]
    pub(super) const fn new(words: &'static [&'static [u8]], head_bytes: usize) -> Words<N> {
        assert!(words.len() == N && head_bytes >= 1 && head_bytes <= 4);
        let (mut heads, mut filter) = ([0; N], [0; FILTER_WORDS]);
        let mut at = 0;
        while at < N {
            let (mut head, mut byte) = (0_u32, 0);
            while byte < head_bytes {
                head = head << 8 | words[at][byte] as u32;
                byte += 1;
            }
            heads[at] = head;
            filter[place(head) >> 6] |= 1 << (place(head) & 63);
            at += 1;
        }
        Words { all: words, heads, filter, mask: u32::MAX >> (32 - 8 * head_bytes), head_bytes }
    }

    /// Hands on every place at which a word begins, and which it is, until `stop` says so; tells
    /// whether it did.
    pub(super) fn any_where(
        &self,
        bytes: &[u8],
        mut stop: impl FnMut(usize, usize) -> bool,
    ) -> bool {
        let mut last_four = 0_u32;
        for (at, byte) in bytes.iter().enumerate() {
            last_four = last_four << 8 | u32::from(*byte);
            let head = last_four & self.mask;
            let bits = self.filter.get(place(head) >> 6).copied().unwrap_or(0);
            if bits >> (place(head) & 63) & 1 == 0 || !self.heads.contains(&head) {
                continue;
            }
            let Some(start) = (at + 1).checked_sub(self.head_bytes) else { continue };
            let rest = bytes.get(start..).unwrap_or_default();
            let begun = |(_, word): &(usize, &&[u8])| rest.starts_with(word);
            let mut found = self.all.iter().enumerate().filter(begun);
            if found.any(|(index, _)| stop(start, index)) {
                return true;
            }
        }
        false
    }

    /// Whether one of the words is in `bytes`.
    pub(super) fn any(&self, bytes: &[u8]) -> bool {
        self.any_where(bytes, |_, _| true)
    }
}

const fn place(head: u32) -> usize {
    (head.wrapping_mul(0x9e37_79b1) >> 21) as usize
}

#[cfg(test)]
mod tests {
    use super::any as any_byte;
    use super::*;
    use proptest::prelude::*;

    const WORDS: &[&[u8]] = &[b"aab", b"aabb", b"bab", b"abba", b"bbb"];
    static SOUGHT: Words<{ WORDS.len() }> = Words::new(WORDS, 3);

    proptest! {
        #[test]
        fn words_are_found_as_one_by_one(bytes in prop::collection::vec(b'a'..=b'c', 0..40)) {
            let mut found = Vec::new();
            SOUGHT.any_where(&bytes, |at, word| {
                found.push((at, word));
                false
            });
            let mut plain = Vec::new();
            for at in 0..bytes.len() {
                let starts = |(_, word): &(usize, &&[u8])| bytes[at..].starts_with(word);
                plain.extend(WORDS.iter().enumerate().filter(starts).map(|(index, _)| (at, index)));
            }
            prop_assert_eq!(SOUGHT.any(&bytes), !plain.is_empty());
            prop_assert_eq!(found, plain);
            let pair = bytes.windows(2).any(|pair| pair == b"ab");
            prop_assert_eq!(has_pair(&bytes, b'a', b'b'), pair);
            prop_assert_eq!(any_byte(&bytes, |byte| byte == b'b'), bytes.contains(&b'b'));
        }
    }

    #[test]
    fn sets_hold_their_bytes() {
        let set = Bytes::alphanumeric_and(b"-\xff");
        for byte in 0..=u8::MAX {
            let wanted = byte.is_ascii_alphanumeric() || matches!(byte, b'-' | 0xff);
            assert_eq!(set.has(byte), wanted);
            assert_eq!(Bytes::of(b"ab").has(byte), matches!(byte, b'a' | b'b'));
        }
        assert!(
            set.any_of(b" -") && !set.any_of(b" .") && set.all_of(b"a-1") && !set.all_of(b"a ")
        );
    }
}
