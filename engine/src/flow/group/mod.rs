//! A group of tags: fifteen one-byte tags and a count of the flows that had to go elsewhere,
//! sixteen bytes in all, compared at once.
//!
//! ```text
//! byte   0 … 14        15
//!        tag of slot   overflow: flows whose first choice is this group but that live in
//!                      their second; 255 is sticky
//! ```
//!
//! A tag is 0 where the slot is free, else seven bits of the hash with the top bit set. This is
//! the flow table's room of `unsafe`: the prefetch instruction takes a pointer.

/// Slots of a group.
pub(crate) const GROUP_SLOTS: usize = 15;
/// The tag of a free slot.
const FREE: u8 = 0;
/// An overflow count that can no longer be taken back.
const STICKY: u8 = u8::MAX;

/// See the module. Sixteen bytes, so four to a cache line and never across two.
#[derive(Clone, Copy, Debug)]
#[repr(C, align(16))]
pub(crate) struct Group([u8; 16]);

const _: () = assert!(size_of::<Group>() == 16);

/// Slots of a group, lowest bit first: an iterator over their indices.
#[derive(Clone, Debug)]
pub(crate) struct Matches(u32);

impl Iterator for Matches {
    type Item = usize;

    #[inline(always)]
    fn next(&mut self) -> Option<usize> {
        if self.0 == 0 {
            return None;
        }
        let index = self.0.trailing_zeros() as usize;
        self.0 &= self.0 - 1;
        Some(index)
    }
}

/// The tag of a flow with this hash.
#[inline(always)]
pub(crate) const fn tag_of(hash: u64) -> u8 {
    (hash >> 57) as u8 | 0x80
}

impl Group {
    /// A group with nothing in it.
    pub(crate) const EMPTY: Group = Group([FREE; 16]);

    /// The slots whose tag is `tag`.
    #[inline(always)]
    pub(crate) fn matching(&self, tag: u8) -> Matches {
        Matches(equal_mask(&self.0, tag) & SLOT_MASK)
    }

    /// The slots that are free.
    #[inline(always)]
    pub(crate) fn free(&self) -> Matches {
        self.matching(FREE)
    }

    /// Every slot that is taken.
    pub(crate) fn taken(&self) -> Matches {
        Matches(!equal_mask(&self.0, FREE) & SLOT_MASK)
    }

    /// Takes `slot` (below [`GROUP_SLOTS`]) for a flow with this tag.
    #[inline]
    pub(crate) fn take(&mut self, slot: usize, tag: u8) {
        debug_assert!(slot < GROUP_SLOTS && tag & 0x80 != 0, "a slot of this group, a real tag");
        self.0[slot & 15] = tag;
    }

    /// Frees `slot`.
    #[inline]
    pub(crate) fn release(&mut self, slot: usize) {
        debug_assert!(slot < GROUP_SLOTS, "a slot of this group");
        self.0[slot & 15] = FREE;
    }

    /// Whether flows whose first choice is this group may live in their second.
    #[inline(always)]
    pub(crate) const fn has_overflowed(&self) -> bool {
        self.0[15] != 0
    }

    /// One more flow lives in its second choice.
    pub(crate) fn overflow(&mut self) {
        self.0[15] = self.0[15].saturating_add(1);
    }

    /// One such flow is gone.
    pub(crate) fn underflow(&mut self) {
        if self.0[15] != STICKY {
            self.0[15] = self.0[15].saturating_sub(1);
        }
    }
}

const SLOT_MASK: u32 = (1 << GROUP_SLOTS) - 1;

/// Bit *i* is set where byte *i* equals `wanted`.
#[inline(always)]
fn equal_mask(bytes: &[u8; 16], wanted: u8) -> u32 {
    #[cfg(target_arch = "x86_64")]
    #[expect(unsafe_code, reason = "a function with a target feature; see the plain twin's test")]
    // SAFETY: SSE2 is part of every x86-64.
    unsafe {
        equal_mask_sse2(bytes, wanted)
    }
    #[cfg(not(target_arch = "x86_64"))]
    equal_mask_plain(bytes, wanted)
}

/// The sixteen compares are one vector compare whose result's top bits are gathered into an
/// integer.
#[cfg(target_arch = "x86_64")]
#[inline]
#[target_feature(enable = "sse2")]
fn equal_mask_sse2(bytes: &[u8; 16], wanted: u8) -> u32 {
    use core::arch::x86_64::{_mm_cmpeq_epi8, _mm_movemask_epi8, _mm_set_epi64x, _mm_set1_epi8};
    let [low, high] = bytes.as_chunks::<8>().0 else { return 0 };
    let vector = _mm_set_epi64x(i64::from_le_bytes(*high), i64::from_le_bytes(*low));
    _mm_movemask_epi8(_mm_cmpeq_epi8(vector, _mm_set1_epi8(wanted.cast_signed()))).cast_unsigned()
}

/// The plain twin of [`equal_mask`], and the oracle of its test.
#[cfg(any(test, not(target_arch = "x86_64")))]
fn equal_mask_plain(bytes: &[u8; 16], wanted: u8) -> u32 {
    (0..16).filter(|index| bytes[*index] == wanted).fold(0, |mask, index| mask | 1 << index)
}

/// Asks for the cache line `LINE` lines after the start of `value`, ahead of its use. Reads
/// nothing.
#[inline(always)]
pub(crate) fn prefetch<const LINE: usize, T: ?Sized>(value: &T) {
    #[cfg(target_arch = "x86_64")]
    {
        use core::arch::x86_64::{_MM_HINT_T0, _mm_prefetch};
        let address = core::ptr::from_ref(value).cast::<i8>().wrapping_add(LINE * 64);
        #[expect(unsafe_code, reason = "the instruction takes a pointer")]
        // SAFETY: a prefetch has no effect that the program can see, whatever the address.
        unsafe {
            _mm_prefetch::<_MM_HINT_T0>(address);
        }
    }
    #[cfg(not(target_arch = "x86_64"))]
    let _ = value;
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn the_vector_compare_equals_its_plain_twin(bytes: [u8; 16], wanted: u8) {
            prop_assert_eq!(equal_mask(&bytes, wanted), equal_mask_plain(&bytes, wanted));
            let some = bytes[3];
            prop_assert_eq!(equal_mask(&bytes, some), equal_mask_plain(&bytes, some));
        }
    }

    #[test]
    fn the_overflow_count_is_no_slot() {
        let mut group = Group::EMPTY;
        for slot in 0..GROUP_SLOTS {
            group.take(slot, 0x80);
        }
        assert_eq!(group.free().count(), 0);
        group.overflow();
        assert_eq!(group.taken().count(), GROUP_SLOTS);
        group.underflow();
        assert!(!group.has_overflowed());
    }

    #[test]
    fn a_full_overflow_count_stays() {
        let mut group = Group::EMPTY;
        (0..300).for_each(|_| group.overflow());
        (0..300).for_each(|_| group.underflow());
        assert!(group.has_overflowed());
    }
}
