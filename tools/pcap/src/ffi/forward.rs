//! What is the real library's work throughout. These functions are here so that this library can
//! take libpcap's place, and because a handle of ours has another one standing in for it.

use std::ffi::{c_char, c_int, c_long, c_uint, c_void};

use super::real::call;
use super::{Insn, PacketHeader, Pcap, Program, active, answer, ours, real_of};
use crate::code;

/// Functions that ask something of a handle or may leave a text with it: answered by the handle
/// that stands in. A handle of ours that is not activated gets libpcap's number for that.
macro_rules! of_handle {
    ($($name:ident($($value:ident: $kind:ty),*) -> $out:ty, $inactive:expr, $missing:expr;)*) => {$(
        #[unsafe(no_mangle)]
        unsafe extern "C-unwind" fn $name(handle: Pcap $(, $value: $kind)*) -> $out {
            if let Some(slot) = ours(handle) {
                if answer(slot, || active(slot).map(|()| 0)) != 0 {
                    return $inactive;
                }
                // What the real library says from here on is newer.
                slot.error.clear();
            }
            let handle = real_of(handle);
            call!($name(handle: Pcap $(, $value: $kind)*) -> $out).unwrap_or($missing)
        }
    )*};
}

/// A file that packets are written to.
type Dumper = *mut c_void;
/// A file of C's.
type File = *mut c_void;
const NO_PCAP: Pcap = std::ptr::null_mut();
const NO_DUMPER: Dumper = std::ptr::null_mut();
const NO_TEXT: *const c_char = std::ptr::null();

of_handle! {
    pcap_compile(program: *mut Program, text: *const c_char, optimize: c_int, mask: u32) -> c_int,
        code::NOT_ACTIVATED, code::ERROR;
    pcap_datalink() -> c_int, code::NOT_ACTIVATED, code::ERROR;
    pcap_datalink_ext() -> c_int, code::NOT_ACTIVATED, code::ERROR;
    pcap_list_datalinks(list: *mut *mut c_int) -> c_int, code::NOT_ACTIVATED, code::ERROR;
    pcap_snapshot() -> c_int, code::NOT_ACTIVATED, code::ERROR;
    pcap_is_swapped() -> c_int, code::NOT_ACTIVATED, code::ERROR;
    pcap_major_version() -> c_int, code::NOT_ACTIVATED, code::ERROR;
    pcap_minor_version() -> c_int, code::NOT_ACTIVATED, code::ERROR;
    pcap_bufsize() -> c_int, code::NOT_ACTIVATED, code::ERROR;
    pcap_dump_open(path: *const c_char) -> Dumper, NO_DUMPER, NO_DUMPER;
    pcap_dump_open_append(path: *const c_char) -> Dumper, NO_DUMPER, NO_DUMPER;
    pcap_dump_fopen(file: File) -> Dumper, NO_DUMPER, NO_DUMPER;
}

/// Functions that are passed on as they come.
macro_rules! forward {
    ($($name:ident($($value:ident: $kind:ty),*) -> $out:ty, $missing:expr;)*) => {$(
        #[unsafe(no_mangle)]
        unsafe extern "C-unwind" fn $name($($value: $kind),*) -> $out {
            call!($name($($value: $kind),*) -> $out).unwrap_or($missing)
        }
    )*};
}

forward! {
    pcap_list_tstamp_types(handle: Pcap, list: *mut *mut c_int) -> c_int, code::ERROR;
    pcap_init(options: c_uint, errbuf: *mut c_char) -> c_int, code::ERROR;
    pcap_lookupdev(errbuf: *mut c_char) -> *const c_char, NO_TEXT;
    pcap_freealldevs(all: *mut c_void) -> (), ();
    pcap_lib_version() -> *const c_char, NO_TEXT;
    pcap_strerror(number: c_int) -> *const c_char, NO_TEXT;
    pcap_statustostr(number: c_int) -> *const c_char, NO_TEXT;
    pcap_free_tstamp_types(list: *mut c_int) -> (), ();
    pcap_tstamp_type_name_to_val(name: *const c_char) -> c_int, code::ERROR;
    pcap_tstamp_type_val_to_name(value: c_int) -> *const c_char, NO_TEXT;
    pcap_tstamp_type_val_to_description(value: c_int) -> *const c_char, NO_TEXT;
    pcap_free_datalinks(list: *mut c_int) -> (), ();
    pcap_datalink_name_to_val(name: *const c_char) -> c_int, code::ERROR;
    pcap_datalink_val_to_name(value: c_int) -> *const c_char, NO_TEXT;
    pcap_datalink_val_to_description(value: c_int) -> *const c_char, NO_TEXT;
    pcap_datalink_val_to_description_or_dlt(value: c_int) -> *const c_char, NO_TEXT;
    pcap_open_dead(link_type: c_int, snaplen: c_int) -> Pcap, NO_PCAP;
    pcap_open_dead_with_tstamp_precision(link_type: c_int, snaplen: c_int, precision: c_uint)
        -> Pcap, NO_PCAP;
    pcap_open_offline(path: *const c_char, errbuf: *mut c_char) -> Pcap, NO_PCAP;
    pcap_open_offline_with_tstamp_precision(
        path: *const c_char, precision: c_uint, errbuf: *mut c_char) -> Pcap, NO_PCAP;
    pcap_fopen_offline(file: File, errbuf: *mut c_char) -> Pcap, NO_PCAP;
    pcap_fopen_offline_with_tstamp_precision(
        file: File, precision: c_uint, errbuf: *mut c_char) -> Pcap, NO_PCAP;
    pcap_compile_nopcap(snaplen: c_int, link_type: c_int, program: *mut Program,
        text: *const c_char, optimize: c_int, mask: u32) -> c_int, code::ERROR;
    pcap_freecode(program: *mut Program) -> (), ();
    pcap_offline_filter(program: *const Program, header: *const PacketHeader, bytes: *const u8)
        -> c_int, 0;
    pcap_dump(dumper: *mut u8, header: *const PacketHeader, bytes: *const u8) -> (), ();
    pcap_dump_close(dumper: Dumper) -> (), ();
    pcap_dump_file(dumper: Dumper) -> File, std::ptr::null_mut();
    pcap_dump_flush(dumper: Dumper) -> c_int, code::ERROR;
    pcap_dump_ftell(dumper: Dumper) -> c_long, -1;
    pcap_dump_ftell64(dumper: Dumper) -> i64, -1;
    bpf_filter(program: *const Insn, bytes: *const u8, wire: c_uint, captured: c_uint)
        -> c_uint, 0;
    bpf_validate(program: *const Insn, count: c_int) -> c_int, 0;
    bpf_image(instruction: *const Insn, number: c_int) -> *mut c_char, std::ptr::null_mut();
    bpf_dump(program: *const Program, option: c_int) -> (), ();
    pcap_nametoaddr(name: *const c_char) -> *mut *mut u32, std::ptr::null_mut();
    pcap_nametoaddrinfo(name: *const c_char) -> *mut c_void, std::ptr::null_mut();
    pcap_nametonetaddr(name: *const c_char) -> u32, 0;
    pcap_nametoport(name: *const c_char, port: *mut c_int, protocol: *mut c_int) -> c_int, 0;
    pcap_nametoportrange(name: *const c_char, first: *mut c_int, last: *mut c_int,
        protocol: *mut c_int) -> c_int, 0;
    pcap_nametoproto(name: *const c_char) -> c_int, code::ERROR;
    pcap_nametoeproto(name: *const c_char) -> c_int, code::ERROR;
    pcap_nametollc(name: *const c_char) -> c_int, code::ERROR;
    pcap_ether_aton(text: *const c_char) -> *mut u8, std::ptr::null_mut();
    pcap_ether_hostton(name: *const c_char) -> *mut u8, std::ptr::null_mut();
    pcap_next_etherent(file: File) -> *mut c_void, std::ptr::null_mut();
}
