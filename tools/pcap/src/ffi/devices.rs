//! The list of devices: the real library's, and behind them the engines that run.

use std::ffi::{CString, c_char, c_int};
use std::panic::catch_unwind;
use std::ptr;

use super::real::{self, call};
use super::{give, string, write_text};
use crate::feed::{self, Listed};
use crate::{code, device};

/// `pcap_if_t`.
#[repr(C)]
#[derive(Debug)]
struct Interface {
    next: *mut Self,
    name: *mut c_char,
    description: *mut c_char,
    addresses: *mut std::ffi::c_void,
    flags: u32,
}

const _: () = assert!(size_of::<Interface>() == 40);

/// Up, running, connected.
const FLAGS: u32 = 0x2 | 0x4 | 0x10;

#[unsafe(no_mangle)]
unsafe extern "C-unwind" fn pcap_findalldevs(
    all: *mut *mut Interface,
    errbuf: *mut c_char,
) -> c_int {
    if all.is_null() {
        return code::ERROR;
    }
    let mut found = ptr::null_mut();
    let place = &raw mut found;
    let status = call!(pcap_findalldevs(place: *mut *mut Interface, errbuf: *mut c_char) -> c_int);
    let status = status.unwrap_or_else(|| {
        // SAFETY: libpcap asks for a buffer of 256 bytes.
        unsafe { write_text(errbuf, real::MISSING) };
        code::ERROR
    });
    let engines = catch_unwind(feed::running).unwrap_or_default();
    if status < 0 && engines.is_empty() {
        found = ptr::null_mut();
    } else {
        let first = chain(&engines);
        // SAFETY: the list is the real library's, null or whole, and this call's alone.
        unsafe { append(&mut found, first) };
    }
    // SAFETY: libpcap asks for a place for a pointer.
    unsafe { give(all, found) };
    if status < 0 && !engines.is_empty() { 0 } else { status }
}

/// A list of these engines, in memory that `pcap_freealldevs` of the real library frees.
fn chain(engines: &[Listed]) -> *mut Interface {
    let mut first = ptr::null_mut();
    for engine in engines.iter().rev() {
        let interface = Interface {
            next: first,
            name: copied(&engine.device),
            description: copied(&engine.description),
            addresses: ptr::null_mut(),
            flags: FLAGS,
        };
        // SAFETY: any size may be asked for.
        let place = unsafe { libc::malloc(size_of::<Interface>()) }.cast::<Interface>();
        if place.is_null() || interface.name.is_null() {
            // There is no memory left; what the list has is what it gets.
            break;
        }
        // SAFETY: it was just allocated for this, and `malloc` aligns for every type of C's.
        unsafe { place.write(interface) };
        first = place;
    }
    first
}

/// A copy that C may free; null if there is no memory.
fn copied(text: &str) -> *mut c_char {
    let Ok(text) = CString::new(text) else { return ptr::null_mut() };
    // SAFETY: it ends at a zero.
    unsafe { libc::strdup(text.as_ptr()) }
}

/// Puts a list behind another.
///
/// # Safety
/// Both are null or whole, and nobody else has them.
unsafe fn append(list: &mut *mut Interface, more: *mut Interface) {
    if list.is_null() {
        *list = more;
        return;
    }
    let mut entry = *list;
    loop {
        // SAFETY: by the caller it is an entry of a whole list.
        let next = unsafe { &raw mut (*entry).next };
        // SAFETY: it is a field of that entry.
        let following = unsafe { next.read() };
        if following.is_null() {
            // SAFETY: as above, and nobody else has the list.
            unsafe { next.write(more) };
            return;
        }
        entry = following;
    }
}

#[unsafe(no_mangle)]
unsafe extern "C-unwind" fn pcap_lookupnet(
    device: *const c_char,
    net: *mut u32,
    mask: *mut u32,
    errbuf: *mut c_char,
) -> c_int {
    // SAFETY: libpcap asks for null or a string, which the caller keeps for the call.
    let name = unsafe { string(device) };
    if name.is_some_and(device::is_ours) {
        // Of no network, as the device `any`.
        // SAFETY: libpcap asks for a place for a number.
        unsafe { give(net, 0) };
        // SAFETY: libpcap asks for a place for a number.
        unsafe { give(mask, 0) };
        return 0;
    }
    call!(pcap_lookupnet(device: *const c_char, net: *mut u32, mask: *mut u32,
        errbuf: *mut c_char) -> c_int)
    .unwrap_or(code::ERROR)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_are_joined_and_freed_by_c() {
        let engine = |name: &str| Listed {
            device: format!("weir:{name}"),
            description: format!("Weir engine {name}"),
        };
        let mut list = ptr::null_mut();
        for engines in [vec![], vec![engine("a")], vec![engine("b"), engine("c")]] {
            // SAFETY: both are whole and this test's alone.
            unsafe { append(&mut list, chain(&engines)) };
        }
        let mut names = Vec::new();
        while !list.is_null() {
            // SAFETY: it is an entry of the list, read once and then freed.
            let entry = unsafe { list.read() };
            // SAFETY: the name is a string of `strdup`.
            names.push(unsafe { string(entry.name) }.unwrap().to_owned());
            assert_eq!((entry.flags, entry.addresses), (FLAGS, ptr::null_mut()));
            for part in [entry.name.cast(), entry.description.cast(), list.cast()] {
                // SAFETY: each came from `malloc` and is freed once.
                unsafe { libc::free(part) };
            }
            list = entry.next;
        }
        assert_eq!(names, ["weir:a", "weir:b", "weir:c"]);
    }
}
