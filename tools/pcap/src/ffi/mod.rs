//! The functions of libpcap, and all `unsafe` of this crate.
//!
//! What C promises, and every function here relies on: a handle is one that this library or the
//! real one gave and that is not closed; a string ends at a zero; a pointer to something is null or
//! points to it; a text buffer has 256 bytes. These are libpcap's own rules. See `docs/SAFETY.md`.

#![expect(unsafe_code, reason = "the C interface of libpcap; docs/SAFETY.md")]

mod devices;
mod forward;
mod open;
mod read;
mod real;
mod set;

use std::ffi::{CStr, c_char, c_int, c_void};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::Ordering;

use crate::code::{self, Failure};
use crate::slot::Slot;
use crate::table::{self, Handle};
use crate::text;

/// `pcap_t`, of which only the address is known.
pub(crate) type Pcap = *mut c_void;

/// `struct pcap_pkthdr`.
#[repr(C)]
#[derive(Debug, Clone, Copy)]
struct PacketHeader {
    seconds: i64,
    fraction: i64,
    captured_bytes: u32,
    wire_bytes: u32,
}

/// `struct pcap_stat`.
#[repr(C)]
#[derive(Debug, Clone, Copy)]
struct Stat {
    received: u32,
    dropped: u32,
    dropped_by_interface: u32,
}

/// `struct bpf_insn`.
#[repr(C)]
#[derive(Debug, Clone, Copy)]
struct Insn {
    code: u16,
    jt: u8,
    jf: u8,
    k: u32,
}

/// `struct bpf_program`.
#[repr(C)]
#[derive(Debug, Clone, Copy)]
struct Program {
    count: u32,
    instructions: *const Insn,
}

/// `pcap_handler`. It may throw, where the program is one of C++.
type Callback = unsafe extern "C-unwind" fn(*mut u8, *const PacketHeader, *const u8);

const _: () = assert!(size_of::<PacketHeader>() == 24 && align_of::<PacketHeader>() == 8);
const _: () = assert!(size_of::<Stat>() == 12 && size_of::<Insn>() == 8);
const _: () = assert!(size_of::<Program>() == 16);

/// What there is to say of a panic.
const FAULT: &str = "a fault in libpcap-weir itself; please report it";

/// What belongs to a handle, if it is ours.
fn ours(handle: Pcap) -> Option<&'static Handle> {
    table::find(handle.addr())
}

/// The real library's handle for a call that it is to answer: the one that stands in, if this one
/// is ours and activated.
fn real_of(handle: Pcap) -> Pcap {
    let stand_in = ours(handle).map_or(0, |slot| slot.stand_in.load(Ordering::Acquire));
    if stand_in == 0 { handle } else { std::ptr::with_exposed_provenance_mut(stand_in) }
}

/// What a call with numbers for an answer comes to: the number, or the failure's, with its text
/// kept for `pcap_geterr`. A panic is a failure too.
fn answer(slot: &Handle, act: impl FnOnce() -> Result<c_int, Failure>) -> c_int {
    match catch_unwind(AssertUnwindSafe(act)) {
        Ok(Ok(number)) => number,
        Ok(Err(failure)) => {
            slot.error.set(&failure.text);
            failure.code
        }
        Err(_) => {
            slot.error.set(FAULT);
            code::ERROR
        }
    }
}

/// Refuses a handle that is not activated.
fn active(slot: &Slot<crate::feed::EngineFeed>) -> Result<(), Failure> {
    if slot.is_active() { Ok(()) } else { Err(Failure::not_activated()) }
}

/// A string of C; what is no UTF-8 in it is no name of ours.
///
/// # Safety
/// It is null or ends at a zero, and outlives the answer.
unsafe fn string<'a>(string: *const c_char) -> Option<&'a str> {
    if string.is_null() {
        return None;
    }
    // SAFETY: by the caller it ends at a zero and outlives the answer.
    unsafe { CStr::from_ptr(string) }.to_str().ok()
}

/// Writes a text to a buffer of C's.
///
/// # Safety
/// The buffer is null or has 256 bytes.
unsafe fn write_text(buffer: *mut c_char, said: &str) {
    if buffer.is_null() {
        return;
    }
    let said = text::cut(said);
    // SAFETY: by the caller the buffer has 256 bytes, and a text that is cut has 255 at most; it
    // lies in memory of ours, which the buffer of C's does not overlap.
    unsafe { std::ptr::copy_nonoverlapping(said.as_ptr().cast(), buffer, said.len()) };
    // SAFETY: as above; this is the 256th byte at most.
    let end = unsafe { buffer.add(said.len()) };
    // SAFETY: as above.
    unsafe { end.write(0) };
}

/// Writes a value where C wants it.
///
/// # Safety
/// The place is null or one for such a value.
unsafe fn give<T>(place: *mut T, value: T) {
    if !place.is_null() {
        // SAFETY: by the caller, and it is not null.
        unsafe { place.write(value) };
    }
}
