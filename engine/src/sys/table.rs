//! Memory of tables that are looked up at random.

#![expect(unsafe_code, reason = "advice on memory is given by address")]

use rustix::mm::{Advice, madvise};

/// Pages are at least so large, and the kernel takes nothing smaller.
const PAGE: usize = 4096;
/// Below so many bytes large pages gain nothing.
const LARGE: usize = 2 << 20;

/// `len` times `value`, on pages of 2 MiB where the kernel gives them: without them a large table costs a
/// walk through the page tables for nearly every line. All of it is written, so that the kernel finds
/// the memory now, near the thread that will use it, and not while packets wait.
pub(crate) fn table<T: Clone>(value: T, len: usize) -> Box<[T]> {
    let mut places = Vec::with_capacity(len);
    ask_for_large_pages(&places);
    places.resize(len, value);
    places.into()
}

/// Only advice: without it the memory is as good, but slower.
fn ask_for_large_pages<T>(places: &Vec<T>) {
    let start = places.as_ptr().cast::<u8>().cast_mut();
    let bytes = places.capacity().saturating_mul(size_of::<T>());
    let skipped = start.align_offset(PAGE);
    if bytes >= LARGE && skipped < bytes {
        let whole = (bytes - skipped) / PAGE * PAGE;
        // SAFETY: `skipped` is less than the allocation is long.
        let start = unsafe { start.add(skipped) };
        // SAFETY: the range lies within the allocation, and this advice changes nothing of its content.
        unsafe { madvise(start.cast(), whole, Advice::LinuxHugepage) }.ok();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_table_has_its_value_everywhere() {
        for len in [0, 1, 1000, 3 << 20] {
            let places = table(7_u8, len);
            assert_eq!(places.len(), len);
            assert!(places.iter().all(|place| *place == 7));
        }
    }
}
