//! A global allocator that counts, so that a test can show that something allocates nothing.
//!
//! The one place in the tests that needs `unsafe`: the trait is, the code hands every call on.

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;

/// Counts this thread's allocations; everything else is the system's allocator. Use it as
/// `#[global_allocator] static ALLOCATOR: Counting = Counting;`.
#[derive(Clone, Copy, Debug)]
pub struct Counting;

thread_local! {
    static COUNT: Cell<u64> = const { Cell::new(0) };
}

/// Allocations (and reallocations) of this thread while `work` runs. Always 0 in a program whose
/// global allocator is another.
pub fn during<T>(work: impl FnOnce() -> T) -> (T, u64) {
    let before = COUNT.get();
    let result = work();
    (result, COUNT.get() - before)
}

fn count() {
    // A thread that is ending has no count any more, and nobody to ask for it.
    COUNT.try_with(|count| count.set(count.get() + 1)).unwrap_or_default();
}

#[expect(unsafe_code, reason = "the trait is unsafe; the system's allocator does the work")]
// SAFETY: every method passes its arguments on to `System` unchanged and gives its answer back;
// counting touches a constant-initialised thread-local only, which does not allocate.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        count();
        // SAFETY: the caller keeps `GlobalAlloc::alloc`'s contract, which is `System`'s.
        unsafe { System.alloc(layout) }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        count();
        // SAFETY: as for `alloc`.
        unsafe { System.alloc_zeroed(layout) }
    }

    unsafe fn realloc(&self, block: *mut u8, layout: Layout, bytes: usize) -> *mut u8 {
        count();
        // SAFETY: `block` came from `System` by one of these methods, with this layout.
        unsafe { System.realloc(block, layout, bytes) }
    }

    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        // SAFETY: `block` came from `System` by one of these methods, with this layout.
        unsafe { System.dealloc(block, layout) }
    }
}
