//! What is set on a handle, or asked of it.

use std::ffi::{c_char, c_int, c_void};

use super::real::call;
use super::{Pcap, Program, Stat, active, answer, give, ours, real_of, write_text};
use crate::code::{self, Failure};
use crate::feed::{Filter, Instruction};
use crate::settings::Settings;
use crate::table::Handle;

/// Functions that set a number before activation.
macro_rules! set {
    ($($name:ident = |$settings:ident, $value:ident| $change:expr;)*) => {$(
        #[unsafe(no_mangle)]
        unsafe extern "C-unwind" fn $name(handle: Pcap, $value: c_int) -> c_int {
            match ours(handle) {
                Some(slot) => answer(slot, || slot.set(|$settings| $change).map(|()| 0)),
                None => {
                    call!($name(handle: Pcap, $value: c_int) -> c_int).unwrap_or(code::ERROR)
                }
            }
        }
    )*};
}

set! {
    pcap_set_snaplen = |settings, value| {
        settings.set_snaplen(value);
        Ok(())
    };
    pcap_set_timeout = |settings, value| {
        settings.set_timeout(value);
        Ok(())
    };
    pcap_set_rfmon = |settings, value| {
        settings.set_monitor(value != 0);
        Ok(())
    };
    pcap_set_tstamp_precision = |settings, value| settings.set_precision(value);
    // What has no meaning for memory that an engine shares is taken.
    pcap_set_promisc = |_settings, _value| Ok(());
    pcap_set_buffer_size = |_settings, _value| Ok(());
    pcap_set_immediate_mode = |_settings, _value| Ok(());
    pcap_set_protocol_linux = |_settings, _value| Ok(());
}

#[unsafe(no_mangle)]
unsafe extern "C-unwind" fn pcap_set_tstamp_type(handle: Pcap, kind: c_int) -> c_int {
    match ours(handle) {
        Some(slot) => {
            answer(slot, || slot.set(|_| Ok(())).map(|()| Settings::set_tstamp_type(kind)))
        }
        None => {
            call!(pcap_set_tstamp_type(handle: Pcap, kind: c_int) -> c_int).unwrap_or(code::ERROR)
        }
    }
}

#[unsafe(no_mangle)]
unsafe extern "C-unwind" fn pcap_get_tstamp_precision(handle: Pcap) -> c_int {
    match ours(handle) {
        Some(slot) => answer(slot, || Ok(precision(slot))),
        None => call!(pcap_get_tstamp_precision(handle: Pcap) -> c_int).unwrap_or(0),
    }
}

fn precision(slot: &Handle) -> c_int {
    slot.plan().map_or(0, |(_, settings)| settings.precision.number())
}

#[unsafe(no_mangle)]
unsafe extern "C-unwind" fn pcap_can_set_rfmon(handle: Pcap) -> c_int {
    match ours(handle) {
        Some(_) => 0,
        None => call!(pcap_can_set_rfmon(handle: Pcap) -> c_int).unwrap_or(code::ERROR),
    }
}

#[unsafe(no_mangle)]
unsafe extern "C-unwind" fn pcap_setnonblock(
    handle: Pcap,
    nonblock: c_int,
    errbuf: *mut c_char,
) -> c_int {
    if let Some(slot) = ours(handle) {
        slot.set_nonblock(nonblock != 0);
        return 0;
    }
    call!(pcap_setnonblock(handle: Pcap, nonblock: c_int, errbuf: *mut c_char) -> c_int)
        .unwrap_or(code::ERROR)
}

#[unsafe(no_mangle)]
unsafe extern "C-unwind" fn pcap_getnonblock(handle: Pcap, errbuf: *mut c_char) -> c_int {
    let Some(slot) = ours(handle) else {
        return call!(pcap_getnonblock(handle: Pcap, errbuf: *mut c_char) -> c_int)
            .unwrap_or(code::ERROR);
    };
    let status = answer(slot, || active(slot).map(|()| c_int::from(slot.is_nonblock())));
    if status < 0 {
        // SAFETY: libpcap asks for a buffer of 256 bytes.
        unsafe { write_text(errbuf, &slot.error.to_text()) };
    }
    status
}

#[unsafe(no_mangle)]
unsafe extern "C-unwind" fn pcap_setdirection(handle: Pcap, direction: c_int) -> c_int {
    const BOTH: c_int = 0;
    let Some(slot) = ours(handle) else {
        return call!(pcap_setdirection(handle: Pcap, direction: c_int) -> c_int)
            .unwrap_or(code::ERROR);
    };
    answer(slot, || {
        active(slot)?;
        let text =
            "an engine does not tell the host's own packets from others: both directions only";
        if direction == BOTH { Ok(0) } else { Err(Failure::plain(text)) }
    })
}

#[unsafe(no_mangle)]
unsafe extern "C-unwind" fn pcap_set_datalink(handle: Pcap, dlt: c_int) -> c_int {
    let Some(slot) = ours(handle) else {
        return call!(pcap_set_datalink(handle: Pcap, dlt: c_int) -> c_int).unwrap_or(code::ERROR);
    };
    answer(slot, || {
        active(slot)?;
        let handle = real_of(handle);
        let own = call!(pcap_datalink(handle: Pcap) -> c_int);
        let text = "an engine has one link-layer header type, which pcap_datalink gives";
        if own == Some(dlt) { Ok(0) } else { Err(Failure::plain(text)) }
    })
}

#[unsafe(no_mangle)]
unsafe extern "C-unwind" fn pcap_setfilter(handle: Pcap, program: *mut Program) -> c_int {
    let Some(slot) = ours(handle) else {
        return call!(pcap_setfilter(handle: Pcap, program: *mut Program) -> c_int)
            .unwrap_or(code::ERROR);
    };
    answer(slot, || {
        active(slot)?;
        // SAFETY: libpcap asks for null or a program, whose instructions the caller keeps for the
        // call.
        let filter = unsafe { filter(program) }?;
        slot.set_filter(filter);
        Ok(0)
    })
}

/// A program of C's, checked.
///
/// # Safety
/// It is null or a program whose pointer is null or to as many instructions as it says.
unsafe fn filter(program: *const Program) -> Result<Filter, Failure> {
    let none = || Failure::plain("pcap_setfilter: there is no program");
    if program.is_null() {
        return Err(none());
    }
    // SAFETY: by the caller, and it is not null.
    let program = unsafe { program.read() };
    let count = usize::try_from(program.count).unwrap_or(0);
    if program.instructions.is_null() || count == 0 {
        return Err(none());
    }
    // SAFETY: by the caller there are as many, and nobody changes them during the call.
    let instructions = unsafe { std::slice::from_raw_parts(program.instructions, count) };
    let instructions: Vec<Instruction> = instructions
        .iter()
        .map(|one| Instruction { code: one.code, jt: one.jt, jf: one.jf, k: one.k })
        .collect();
    Filter::new(&instructions).map_err(|invalid| Failure::plain(invalid.to_string()))
}

#[unsafe(no_mangle)]
unsafe extern "C-unwind" fn pcap_stats(handle: Pcap, stat: *mut Stat) -> c_int {
    let Some(slot) = ours(handle) else {
        return call!(pcap_stats(handle: Pcap, stat: *mut Stat) -> c_int).unwrap_or(code::ERROR);
    };
    answer(slot, || {
        active(slot)?;
        let counts = slot.counts();
        let value = Stat {
            // With those that it missed, as on Linux.
            received: low(counts.delivered.wrapping_add(counts.missed)),
            dropped: low(counts.missed),
            dropped_by_interface: low(counts.lost),
        };
        // SAFETY: libpcap asks for a place for such a structure.
        unsafe { give(stat, value) };
        Ok(0)
    })
}

/// The low half: libpcap's counters are 32 bits wide and begin again.
fn low(count: u64) -> u32 {
    u32::try_from(count & u64::from(u32::MAX)).unwrap_or(0)
}

#[unsafe(no_mangle)]
unsafe extern "C-unwind" fn pcap_get_selectable_fd(handle: Pcap) -> c_int {
    match ours(handle) {
        Some(slot) => answer(slot, || Ok(slot.select())),
        None => call!(pcap_get_selectable_fd(handle: Pcap) -> c_int).unwrap_or(code::ERROR),
    }
}

#[unsafe(no_mangle)]
unsafe extern "C-unwind" fn pcap_fileno(handle: Pcap) -> c_int {
    match ours(handle) {
        Some(slot) => answer(slot, || Ok(slot.select())),
        None => call!(pcap_fileno(handle: Pcap) -> c_int).unwrap_or(code::ERROR),
    }
}

#[unsafe(no_mangle)]
unsafe extern "C-unwind" fn pcap_get_required_select_timeout(handle: Pcap) -> *const c_void {
    if ours(handle).is_some() {
        // The descriptor tells of everything.
        return std::ptr::null();
    }
    call!(pcap_get_required_select_timeout(handle: Pcap) -> *const c_void)
        .unwrap_or(std::ptr::null())
}

#[unsafe(no_mangle)]
unsafe extern "C-unwind" fn pcap_file(handle: Pcap) -> *mut c_void {
    if ours(handle).is_some() {
        return std::ptr::null_mut();
    }
    call!(pcap_file(handle: Pcap) -> *mut c_void).unwrap_or(std::ptr::null_mut())
}

fn nothing_is_sent(slot: &Handle) -> c_int {
    answer(slot, || Err(Failure::plain("an engine is only read: nothing can be sent through it")))
}

#[unsafe(no_mangle)]
unsafe extern "C-unwind" fn pcap_inject(handle: Pcap, bytes: *const c_void, size: usize) -> c_int {
    match ours(handle) {
        Some(slot) => nothing_is_sent(slot),
        None => call!(pcap_inject(handle: Pcap, bytes: *const c_void, size: usize) -> c_int)
            .unwrap_or(code::ERROR),
    }
}

#[unsafe(no_mangle)]
unsafe extern "C-unwind" fn pcap_sendpacket(handle: Pcap, bytes: *const u8, size: c_int) -> c_int {
    match ours(handle) {
        Some(slot) => nothing_is_sent(slot),
        None => call!(pcap_sendpacket(handle: Pcap, bytes: *const u8, size: c_int) -> c_int)
            .unwrap_or(code::ERROR),
    }
}
