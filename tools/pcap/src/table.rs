//! Which handles are ours. Looked up by every call of every handle and from signal handlers: a
//! search through an array of atomics, short as handles are few, and nothing where none is open.
//!
//! A slot that was made stays for good and is used again, so that whoever found one, however late,
//! has something that is there.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicUsize, Ordering};

use crate::device::Device;
use crate::feed::EngineFeed;
use crate::slot::Slot;

/// What belongs to a handle.
pub(crate) type Handle = Slot<EngineFeed>;

/// Handles that may be open at one time.
pub(crate) const HANDLES_MAX: usize = 256;

/// A place that is being taken or given up: no handle has this address.
const BUSY: usize = 1;

static ADDRESSES: [AtomicUsize; HANDLES_MAX] = [const { AtomicUsize::new(0) }; HANDLES_MAX];
static SLOTS: [OnceLock<Box<Handle>>; HANDLES_MAX] = [const { OnceLock::new() }; HANDLES_MAX];
/// Places that were ever used.
static USED: AtomicUsize = AtomicUsize::new(0);

/// What belongs to the handle at this address, if it is one of ours.
#[inline]
pub(crate) fn find(address: usize) -> Option<&'static Handle> {
    if address <= BUSY {
        return None;
    }
    let used = ADDRESSES.get(..USED.load(Ordering::Acquire))?;
    // Pairs with the release store of `add`.
    let place = used.iter().position(|place| place.load(Ordering::Acquire) == address)?;
    SLOTS.get(place)?.get().map(Box::as_ref)
}

/// Makes the handle at this address one of ours. False if there are too many.
pub(crate) fn add(address: usize, device: Device) -> bool {
    let take = |place: &AtomicUsize| {
        place.compare_exchange(0, BUSY, Ordering::Acquire, Ordering::Relaxed).is_ok()
    };
    let Some(index) = ADDRESSES.iter().position(take) else { return false };
    let (Some(place), Some(slot)) = (ADDRESSES.get(index), SLOTS.get(index)) else { return false };
    slot.get_or_init(Box::default).begin(device);
    place.store(address, Ordering::Release);
    USED.fetch_max(index + 1, Ordering::Release);
    true
}

/// Makes the handle at this address nobody's. The handle that stood in for it, if it was ours.
pub(crate) fn remove(address: usize) -> Option<usize> {
    if address <= BUSY {
        return None;
    }
    let take = |place: &AtomicUsize| {
        place.compare_exchange(address, BUSY, Ordering::AcqRel, Ordering::Relaxed).is_ok()
    };
    let index = ADDRESSES.iter().position(take)?;
    let stood_in = SLOTS.get(index)?.get()?.end();
    ADDRESSES.get(index)?.store(0, Ordering::Release);
    Some(stood_in)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::device;

    #[test]
    fn handles_come_and_go_up_to_a_limit() {
        let device = || device::parse("weir:edge").unwrap();
        let address = |number: usize| 0x1000 + 16 * number;
        for number in 0..HANDLES_MAX {
            assert!(find(address(number)).is_none());
            assert!(add(address(number), device()), "{number}");
        }
        assert!(!add(address(HANDLES_MAX), device()));
        let ninth = find(address(9)).unwrap();
        ninth.stand_in.store(77, Ordering::Relaxed);
        assert_eq!(remove(address(9)), Some(77));
        assert_eq!(remove(address(9)), None);
        assert!(find(address(9)).is_none() && find(0).is_none() && find(BUSY).is_none());
        assert!(add(address(HANDLES_MAX), device()));
        let again = find(address(HANDLES_MAX)).unwrap();
        assert!(std::ptr::eq(ninth, again), "its place is used again");
        assert_eq!(again.stand_in.load(Ordering::Relaxed), 0);
        for number in (0..=HANDLES_MAX).filter(|number| *number != 9) {
            assert_eq!(remove(address(number)), Some(0));
        }
    }
}
