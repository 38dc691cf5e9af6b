//! Packets: loops, single packets, and how a loop is ended.

use std::ffi::c_int;
use std::ptr;
use std::sync::atomic::AtomicU64;

use super::real::call;
use super::{Callback, PacketHeader, Pcap, active, answer, give, ours};
use crate::code::{self, Failure};
use crate::reading::{self, AT_ONCE, Patience, Read};
use crate::session::Header;
use crate::table::Handle;

#[unsafe(no_mangle)]
unsafe extern "C-unwind" fn pcap_loop(
    handle: Pcap,
    count: c_int,
    callback: Option<Callback>,
    user: *mut u8,
) -> c_int {
    let Some(slot) = ours(handle) else {
        return call!(pcap_loop(handle: Pcap, count: c_int, callback: Option<Callback>,
            user: *mut u8) -> c_int)
        .unwrap_or(code::ERROR);
    };
    let mut hand_over = match ready(slot, callback, user) {
        Ok(hand_over) => hand_over,
        Err(number) => return number,
    };
    let most = u32::try_from(count).ok().filter(|count| *count > 0);
    reading::run(slot, most, &mut hand_over)
}

#[unsafe(no_mangle)]
unsafe extern "C-unwind" fn pcap_dispatch(
    handle: Pcap,
    count: c_int,
    callback: Option<Callback>,
    user: *mut u8,
) -> c_int {
    let Some(slot) = ours(handle) else {
        return call!(pcap_dispatch(handle: Pcap, count: c_int, callback: Option<Callback>,
            user: *mut u8) -> c_int)
        .unwrap_or(code::ERROR);
    };
    let mut hand_over = match ready(slot, callback, user) {
        Ok(hand_over) => hand_over,
        Err(number) => return number,
    };
    let most = u32::try_from(count).ok().filter(|count| *count > 0).unwrap_or(AT_ONCE);
    reading::dispatch(slot, most, Patience::AsSet, &mut hand_over).number()
}

/// What gives packets to the callback, if there is one and the handle is activated; else the number
/// to return.
fn ready(
    slot: &Handle,
    callback: Option<Callback>,
    user: *mut u8,
) -> Result<impl FnMut(&Header, *const u8) + use<>, c_int> {
    let none = || Failure::plain("there is no callback to give packets to");
    let mut found = Err(code::ERROR);
    let status = answer(slot, || {
        active(slot)?;
        found = Ok(callback.ok_or_else(none)?);
        Ok(0)
    });
    if status != 0 {
        return Err(status);
    }
    found.map(|callback| {
        move |header: &Header, bytes| {
            let header = structure(header);
            // SAFETY: the callback is the caller's, for such arguments; header and bytes are good
            // until it comes back.
            unsafe { callback(user, &raw const header, bytes) };
        }
    })
}

fn structure(header: &Header) -> PacketHeader {
    PacketHeader {
        seconds: header.seconds,
        fraction: header.fraction,
        captured_bytes: header.captured_bytes,
        wire_bytes: header.wire_bytes,
    }
}

#[unsafe(no_mangle)]
unsafe extern "C-unwind" fn pcap_next_ex(
    handle: Pcap,
    header: *mut *const PacketHeader,
    bytes: *mut *const u8,
) -> c_int {
    let Some(slot) = ours(handle) else {
        return call!(pcap_next_ex(handle: Pcap, header: *mut *const PacketHeader,
            bytes: *mut *const u8) -> c_int)
        .unwrap_or(code::ERROR);
    };
    let status = answer(slot, || active(slot).map(|()| 0));
    if status != 0 {
        return status;
    }
    let mut found = (ptr::null::<AtomicU64>(), ptr::null());
    let read = reading::next(slot, &mut |header, bytes| {
        found = (slot.keep_header(header), bytes);
    });
    if matches!(read, Read::Packets(_)) {
        // SAFETY: libpcap asks for a place for a pointer. The kept header has the layout of the
        // structure, asserted by a test, and stays where it is.
        unsafe { give(header, found.0.cast()) };
        // SAFETY: libpcap asks for a place for a pointer.
        unsafe { give(bytes, found.1) };
    }
    read.number()
}

#[unsafe(no_mangle)]
unsafe extern "C-unwind" fn pcap_next(handle: Pcap, header: *mut PacketHeader) -> *const u8 {
    let Some(slot) = ours(handle) else {
        return call!(pcap_next(handle: Pcap, header: *mut PacketHeader) -> *const u8)
            .unwrap_or(ptr::null());
    };
    if answer(slot, || active(slot).map(|()| 0)) != 0 {
        return ptr::null();
    }
    let mut found = (Header::default(), ptr::null());
    let read = reading::next(slot, &mut |header, bytes| found = (*header, bytes));
    if !matches!(read, Read::Packets(_)) {
        return ptr::null();
    }
    // SAFETY: libpcap asks for a place for such a structure.
    unsafe { give(header, structure(&found.0)) };
    found.1
}

/// Does nothing that a signal handler must not: a search through atomics, a store, and a write.
#[unsafe(no_mangle)]
unsafe extern "C-unwind" fn pcap_breakloop(handle: Pcap) {
    match ours(handle) {
        Some(slot) => slot.break_loop(),
        None => call!(pcap_breakloop(handle: Pcap) -> ()).unwrap_or(()),
    }
}
