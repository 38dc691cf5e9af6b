//! Handles: made, activated, closed; their texts.

use std::ffi::{c_char, c_int};
use std::io::Write;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::Ordering;

use super::real::{self, call};
use super::{FAULT, Pcap, answer, ours, real_of, string, write_text};
use crate::code::{self, Failure};
use crate::settings::{Precision, SNAPLEN_MAX};
use crate::table::{self, Handle};
use crate::{activate, device};

/// `DLT_EN10MB`, until a handle is activated.
const ETHERNET: c_int = 1;

#[unsafe(no_mangle)]
unsafe extern "C-unwind" fn pcap_create(device: *const c_char, errbuf: *mut c_char) -> Pcap {
    // SAFETY: libpcap asks for null or a string, which the caller keeps for the call.
    let name = unsafe { string(device) };
    if let Some(name) = name.filter(|name| device::is_ours(name)) {
        return shielded(|| create(name)).unwrap_or_else(|text| {
            // SAFETY: libpcap asks for a buffer of 256 bytes.
            unsafe { write_text(errbuf, &text) };
            std::ptr::null_mut()
        });
    }
    let handle = call!(pcap_create(device: *const c_char, errbuf: *mut c_char) -> Pcap);
    handle.unwrap_or_else(|| {
        // SAFETY: libpcap asks for a buffer of 256 bytes.
        unsafe { write_text(errbuf, real::MISSING) };
        std::ptr::null_mut()
    })
}

/// What an attempt came to; a panic is a text too.
fn shielded(attempt: impl FnOnce() -> Result<Pcap, String>) -> Result<Pcap, String> {
    catch_unwind(AssertUnwindSafe(attempt)).unwrap_or_else(|_| Err(FAULT.to_owned()))
}

/// A handle of this device.
fn create(name: &str) -> Result<Pcap, String> {
    let device = device::parse(name).map_err(|misnamed| misnamed.to_string())?;
    let handle = real::open_dead(ETHERNET, bytes(SNAPLEN_MAX), Precision::Micro.number());
    if handle.is_null() {
        return Err(real::MISSING.to_owned());
    }
    if table::add(handle.expose_provenance(), device) {
        return Ok(handle);
    }
    // SAFETY: it was made above and nobody else knows it.
    unsafe { real::close(handle) };
    Err(format!("{name}: {} handles are open, which is the most", table::HANDLES_MAX))
}

fn bytes(snaplen: u32) -> c_int {
    c_int::try_from(snaplen).unwrap_or(c_int::MAX)
}

#[unsafe(no_mangle)]
unsafe extern "C-unwind" fn pcap_activate(handle: Pcap) -> c_int {
    match ours(handle) {
        Some(slot) => answer(slot, || begin(slot)),
        None => call!(pcap_activate(handle: Pcap) -> c_int).unwrap_or(code::ERROR),
    }
}

/// Activates a handle of ours: exactly 0 where that works, as some programs take no other number.
fn begin(slot: &Handle) -> Result<c_int, Failure> {
    let opened = activate::open(slot)?;
    let stand_in = real::open_dead(opened.dlt, bytes(opened.snaplen), opened.precision.number());
    if stand_in.is_null() {
        return Err(Failure::plain(real::MISSING));
    }
    let before = slot.stand_in.swap(stand_in.expose_provenance(), Ordering::AcqRel);
    retire(before);
    slot.error.clear();
    activate::finish(slot, opened);
    Ok(0)
}

/// Closes a handle that stood in.
fn retire(stand_in: usize) {
    if stand_in != 0 {
        // SAFETY: only `begin` puts handles there, each was just taken out, and it takes one call
        // to put and another to use it: a thread that uses one while another closes it breaks
        // libpcap's rule that a handle that is closed is used no more.
        unsafe { real::close(std::ptr::with_exposed_provenance_mut(stand_in)) };
    }
}

#[unsafe(no_mangle)]
unsafe extern "C-unwind" fn pcap_close(handle: Pcap) {
    let removed = catch_unwind(|| table::remove(handle.addr()));
    if let Ok(Some(stood_in)) = removed {
        retire(stood_in);
    }
    // SAFETY: the caller closes it once and uses it no more; the table has forgotten it.
    unsafe { real::close(handle) };
}

#[unsafe(no_mangle)]
unsafe extern "C-unwind" fn pcap_open_live(
    device: *const c_char,
    snaplen: c_int,
    promisc: c_int,
    to_ms: c_int,
    errbuf: *mut c_char,
) -> Pcap {
    // SAFETY: libpcap asks for null or a string, which the caller keeps for the call.
    let name = unsafe { string(device) };
    let opened = match name.filter(|name| device::is_ours(name)) {
        Some(name) => shielded(|| open_live(name, snaplen, to_ms)),
        None => call!(pcap_open_live(device: *const c_char, snaplen: c_int, promisc: c_int,
            to_ms: c_int, errbuf: *mut c_char) -> Pcap)
        .ok_or_else(|| real::MISSING.to_owned()),
    };
    opened.unwrap_or_else(|text| {
        // SAFETY: libpcap asks for a buffer of 256 bytes.
        unsafe { write_text(errbuf, &text) };
        std::ptr::null_mut()
    })
}

fn open_live(name: &str, snaplen: c_int, to_ms: c_int) -> Result<Pcap, String> {
    let handle = create(name)?;
    let slot = ours(handle).ok_or("the handle is closed")?;
    let set = slot.set(|settings| {
        settings.set_snaplen(snaplen);
        settings.set_timeout(to_ms);
        Ok(())
    });
    let status = answer(slot, || set.and_then(|()| begin(slot)));
    if status == 0 {
        return Ok(handle);
    }
    let text = format!("{name}: {}", slot.error.to_text());
    // SAFETY: it was made above, and nobody else knows it.
    unsafe { pcap_close(handle) };
    Err(text)
}

#[unsafe(no_mangle)]
unsafe extern "C-unwind" fn pcap_geterr(handle: Pcap) -> *mut c_char {
    if let Some(slot) = ours(handle).filter(|slot| !slot.error.is_empty()) {
        return slot.error.as_ptr();
    }
    // SAFETY: the caller's handle is not closed, nor is one that stands in for it.
    unsafe { real::text_of(real_of(handle)) }
}

#[unsafe(no_mangle)]
unsafe extern "C-unwind" fn pcap_perror(handle: Pcap, prefix: *const c_char) {
    let Some(slot) = ours(handle).filter(|slot| !slot.error.is_empty()) else {
        let handle = real_of(handle);
        call!(pcap_perror(handle: Pcap, prefix: *const c_char) -> ()).unwrap_or(());
        return;
    };
    // SAFETY: libpcap asks for a string, which the caller keeps for the call.
    let prefix = unsafe { string(prefix) }.unwrap_or_default();
    let said = catch_unwind(|| writeln!(std::io::stderr(), "{prefix}: {}", slot.error.to_text()));
    // Standard error may be closed; there is nobody left to tell then.
    drop(said);
}
