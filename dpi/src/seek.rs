//! Looking for many things in few steps: sets of bytes, pairs of bytes, and lists of words that are
//! sought all at once. The tables are made at compile time.

/// A set of bytes.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Bytes([bool; 256]);

impl Bytes {
    /// These bytes.
    #[expect(clippy::indexing_slicing, reason = "at compile time; an error would not build")]
    pub(crate) const fn of(bytes: &[u8]) -> Bytes {
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
    pub(crate) const fn alphanumeric_and(bytes: &[u8]) -> Bytes {
        let mut set = Bytes::of(bytes);
        let mut byte = 0_u8;
        while byte < 128 {
            set.0[byte as usize] |= byte.is_ascii_alphanumeric();
            byte += 1;
        }
        set
    }

    pub(crate) fn has(&self, byte: u8) -> bool {
        self.0.get(usize::from(byte)).copied().unwrap_or(false)
    }

    /// Whether one of `bytes` is in the set.
    pub(crate) fn any_of(&self, bytes: &[u8]) -> bool {
        bytes.iter().any(|byte| self.has(*byte))
    }
}

/// Whether `fits` holds for a byte: a test without branches, so that a block is tested at once.
pub(crate) fn any(bytes: &[u8], fits: impl Fn(u8) -> bool) -> bool {
    any_at(bytes, bytes, |byte, _| fits(byte))
}

/// Whether `fits`, which is such a test, holds for two bytes next to each other.
fn any_pair(bytes: &[u8], fits: impl Fn(u8, u8) -> bool) -> bool {
    let Some((_, behind)) = bytes.split_first() else { return false };
    any_at(bytes.get(..behind.len()).unwrap_or_default(), behind, fits)
}

/// Whether one of a few bytes is here.
pub(crate) fn has_one_of<const N: usize>(bytes: &[u8], few: &[u8; N]) -> bool {
    any(bytes, |byte| few.iter().fold(0, |any, other| any | u8::from(byte == *other)) != 0)
}

/// Whether one of a few pairs is here, whatever its case: a bit of both bytes is not looked at.
pub(crate) fn has_pair_of<const N: usize>(bytes: &[u8], few: &[[u8; 2]; N]) -> bool {
    any_pair(bytes, |a, b| {
        let same = |[first, second]: [u8; 2]| ((a ^ first) | (b ^ second)) & !CASE == 0;
        few.iter().fold(0, |any, pair| any | u8::from(same(*pair))) != 0
    })
}

/// Whether these two are next to each other somewhere.
pub(crate) fn has_pair(bytes: &[u8], first: u8, second: u8) -> bool {
    any_pair(bytes, |a, b| (a ^ first) | (b ^ second) == 0)
}

/// Whether `fits` holds for the bytes of `a` and `b`, equally long, at one place.
///
/// Whole blocks are looked at, in which the compiler compares all bytes at once; the last one
/// overlaps the one before, so that no byte is left to be looked at alone but in less than eight.
#[inline(always)]
fn any_at(a: &[u8], b: &[u8], fits: impl Fn(u8, u8) -> bool) -> bool {
    any_in_blocks::<32>(a, b, &fits)
        .or_else(|| any_in_blocks::<16>(a, b, &fits))
        .or_else(|| any_in_blocks::<8>(a, b, &fits))
        .unwrap_or_else(|| a.iter().zip(b).any(|(a, b)| fits(*a, *b)))
}

/// `None` if there are fewer than `N` bytes.
#[inline(always)]
fn any_in_blocks<const N: usize>(
    a: &[u8],
    b: &[u8],
    fits: &impl Fn(u8, u8) -> bool,
) -> Option<bool> {
    let any =
        |a: &[u8; N], b: &[u8; N]| a.iter().zip(b).fold(false, |any, (a, b)| any | fits(*a, *b));
    let last = any(a.last_chunk()?, b.last_chunk()?);
    let ((a, _), (b, _)) = (a.as_chunks(), b.as_chunks());
    Some(last || a.iter().zip(b).any(|(a, b)| any(a, b)))
}

const FILTER_WORDS: usize = 32;

const BUCKETS: usize = 64;

/// Words in lower case, sought at once and whatever the case is: a few bits of their first `HEAD`
/// letters say at which places one may begin.
#[derive(Debug)]
pub(crate) struct Words<const N: usize, const HEAD: usize> {
    all: &'static [&'static [u8]],
    heads: [u32; N],
    filter: [u64; FILTER_WORDS],
    /// The first word of each bucket, and the next one of the same bucket; `N` ends it.
    first: [u16; BUCKETS],
    next: [u16; N],
}

impl<const N: usize, const HEAD: usize> Words<N, HEAD> {
    /// `words` of at least `HEAD` bytes, which are four at most.
    #[expect(clippy::indexing_slicing, reason = "at compile time; an error would not build")]
    #[expect(clippy::cast_possible_truncation, reason = "asserted")]
    pub(crate) const fn new(words: &'static [&'static [u8]]) -> Words<N, HEAD> {
        assert!(words.len() == N && N < u16::MAX as usize && HEAD >= 1 && HEAD <= 4);
        let (mut heads, mut filter) = ([0; N], [0; FILTER_WORDS]);
        let (mut first, mut next) = ([N as u16; BUCKETS], [N as u16; N]);
        // From the last to the first, so that each bucket ascends.
        let mut at = N;
        while at > 0 {
            at -= 1;
            assert!(words[at].len() >= HEAD);
            if let Some(letters) = words[at].first_chunk() {
                heads[at] = head::<HEAD>(letters);
            }
            let place = place(heads[at]);
            filter[place >> 6] |= 1 << (place & 63);
            next[at] = first[place % BUCKETS];
            first[place % BUCKETS] = at as u16;
        }
        Words { all: words, heads, filter, first, next }
    }

    /// Hands on every place at which a word begins, and which it is, until `stop` says so; tells
    /// whether it did.
    pub(crate) fn any_where(
        &self,
        bytes: &[u8],
        mut stop: impl FnMut(usize, usize) -> bool,
    ) -> bool {
        bytes.array_windows().enumerate().any(|(start, letters)| {
            let head = head::<HEAD>(letters);
            self.may_be_head(head) && self.begins(bytes, start, head, &mut stop)
        })
    }

    /// Whether one of the words begins `bytes`.
    pub(crate) fn begins_with_one(&self, bytes: &[u8]) -> bool {
        let head = bytes.first_chunk().map(head::<HEAD>);
        head.is_some_and(|head| {
            self.may_be_head(head) && self.begins(bytes, 0, head, &mut |_, _| true)
        })
    }

    /// Whether one of the words is in `bytes`.
    pub(crate) fn any(&self, bytes: &[u8]) -> bool {
        self.any_where(bytes, |_, _| true)
    }

    fn may_be_head(&self, head: u32) -> bool {
        let bits = self.filter.get(place(head) >> 6).copied().unwrap_or(0);
        bits >> (place(head) & 63) & 1 == 1
    }

    /// Hands on the words that begin at `start`, where `head` is.
    fn begins(
        &self,
        bytes: &[u8],
        start: usize,
        head: u32,
        stop: &mut impl FnMut(usize, usize) -> bool,
    ) -> bool {
        let rest = bytes.get(start..).unwrap_or_default();
        let mut next = self.first.get(place(head) % BUCKETS);
        while let Some(index) = next.map(|index| usize::from(*index))
            && let Some(word) = self.all.get(index)
        {
            let begun = self.heads.get(index) == Some(&head)
                && rest.get(..word.len()).is_some_and(|it| it.eq_ignore_ascii_case(word));
            if begun && stop(start, index) {
                return true;
            }
            next = self.next.get(index);
        }
        false
    }
}

/// The bit that tells a small letter from a capital; heads are compared without it.
const CASE: u8 = 0x20;

#[expect(clippy::indexing_slicing, reason = "a block of a constant length")]
const fn head<const HEAD: usize>(letters: &[u8; HEAD]) -> u32 {
    let (mut head, mut at) = (0, 0);
    while at < HEAD {
        head |= ((letters[at] | CASE) as u32) << (8 * at);
        at += 1;
    }
    head
}

const fn place(head: u32) -> usize {
    (head.wrapping_mul(0x9e37_79b1) >> 21) as usize
}

/// Hands on the place of every letter or digit that is behind anything else, until `stop` says so;
/// tells whether it did.
///
/// Eight bytes at a time, each a lane of a word whose highest bit says whether it is one.
pub(crate) fn any_word(bytes: &[u8], mut stop: impl FnMut(usize) -> bool) -> bool {
    let (whole, rest) = bytes.as_chunks::<8>();
    let mut last = [0; 8];
    for (place, byte) in last.iter_mut().zip(rest) {
        *place = *byte;
    }
    let mut before = 0;
    for (block, lanes) in whole.iter().chain([&last]).enumerate() {
        let words = alphanumeric_lanes(u64::from_le_bytes(*lanes));
        let mut starts = words & !(words << 8 | before);
        before = words >> 56;
        while starts != 0 {
            if stop(8 * block + starts.trailing_zeros() as usize / 8) {
                return true;
            }
            starts &= starts - 1;
        }
    }
    false
}

/// The highest bit of every byte that is a letter or a digit.
const fn alphanumeric_lanes(lanes: u64) -> u64 {
    const fn each(byte: u8) -> u64 {
        u64::from_ne_bytes([byte; 8])
    }
    const HIGH: u64 = each(0x80);
    // Of bytes below 128 none carries into its neighbour.
    let low = lanes & !HIGH;
    let folded = low | each(CASE);
    let letters = (folded + each(0x80 - b'a')) & !(folded + each(0x7f - b'z'));
    let digits = (low + each(0x80 - b'0')) & !(low + each(0x7f - b'9'));
    (letters | digits) & !lanes & HIGH
}

#[cfg(test)]
mod tests {
    use super::any as any_byte;
    use super::*;
    use proptest::prelude::*;

    const WORDS: &[&[u8]] = &[b"aab", b"aabb", b"bab", b"abba", b"bbb"];
    static SOUGHT: Words<{ WORDS.len() }, 3> = Words::new(WORDS);

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
            prop_assert_eq!(&found, &plain);
            for start in 0..bytes.len() {
                let here = plain.iter().any(|(at, _)| *at == start);
                prop_assert_eq!(SOUGHT.begins_with_one(&bytes[start..]), here);
            }
            let pair = bytes.windows(2).any(|pair| pair == b"ab");
            prop_assert_eq!(has_pair(&bytes, b'a', b'b'), pair);
            prop_assert_eq!(any_byte(&bytes, |byte| byte == b'b'), bytes.contains(&b'b'));
        }
    }

    proptest! {
        #[test]
        fn blocks_are_looked_at_as_byte_by_byte(
            bytes in prop::collection::vec(0..4_u8, 0..100),
        ) {
            prop_assert_eq!(any_byte(&bytes, |byte| byte == 3), bytes.contains(&3));
            let pair = bytes.windows(2).any(|pair| pair == [3, 2]);
            prop_assert_eq!(has_pair(&bytes, 3, 2), pair);
            prop_assert_eq!(has_pair_of(&bytes, &[[9, 9], [3, 2 | CASE]]), pair);
            prop_assert_eq!(has_one_of(&bytes, &[9, 3]), bytes.contains(&3));
        }

        #[test]
        fn words_begin_behind_anything_else(
            bytes in prop::collection::vec(
                prop_oneof![proptest::num::u8::ANY, prop::sample::select(b"/09:@AZ[`az{".to_vec())],
                0..40,
            ),
        ) {
            let in_word = |at: Option<usize>| {
                at.and_then(|at| bytes.get(at)).is_some_and(u8::is_ascii_alphanumeric)
            };
            let plain = (0..bytes.len()).filter(|at| in_word(Some(*at)) && !in_word(at.checked_sub(1)));
            let mut starts = Vec::new();
            any_word(&bytes, |at| {
                starts.push(at);
                false
            });
            prop_assert!(plain.eq(starts));
        }
    }

    #[test]
    fn words_have_no_case() {
        assert!(SOUGHT.any(b"xxABBax") && !SOUGHT.any(b"xxAB"));
    }

    #[test]
    fn sets_hold_their_bytes() {
        let set = Bytes::alphanumeric_and(b"-\xff");
        for byte in 0..=u8::MAX {
            let wanted = byte.is_ascii_alphanumeric() || matches!(byte, b'-' | 0xff);
            assert_eq!(set.has(byte), wanted);
            assert_eq!(Bytes::of(b"ab").has(byte), matches!(byte, b'a' | b'b'));
        }
        assert!(set.any_of(b" -") && !set.any_of(b" ."));
    }
}
