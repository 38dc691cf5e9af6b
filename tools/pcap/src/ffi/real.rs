//! The real library: the next in the order of loading, else one that is loaded now.
//!
//! Preloaded, this library comes first and the program's libpcap is next. Where it takes the
//! place of libpcap, nothing is next: the real one is loaded by its name, or by its usual places
//! if this library bears that name itself.

use std::ffi::{CStr, c_char, c_int, c_void};
use std::ptr;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicPtr, Ordering};

use super::Pcap;

/// A function of the real library, looked up at its first call.
#[derive(Debug)]
pub(crate) struct Symbol {
    name: &'static CStr,
    address: AtomicPtr<c_void>,
}

impl Symbol {
    /// The function of this name.
    pub(crate) const fn new(name: &'static CStr) -> Self {
        Self { name, address: AtomicPtr::new(ptr::null_mut()) }
    }

    /// Its address, unless there is no real library, or it is too old to know the function.
    #[inline]
    pub(crate) fn get(&self) -> Option<*mut c_void> {
        let known = self.address.load(Ordering::Acquire);
        if known.is_null() { self.look_up() } else { Some(known) }
    }

    #[cold]
    fn look_up(&self) -> Option<*mut c_void> {
        // SAFETY: the name ends at a zero; RTLD_NEXT is a handle at all times.
        let next = unsafe { libc::dlsym(libc::RTLD_NEXT, self.name.as_ptr()) };
        let found = if next.is_null() { in_loaded(self.name) } else { next };
        self.address.store(found, Ordering::Release);
        (!found.is_null()).then_some(found)
    }
}

/// Calls a function of the real library by the type that libpcap's header gives it.
///
/// `call!(pcap_close(handle: Pcap) -> ())` is `Some` of what it returns.
macro_rules! call {
    ($name:ident($($value:ident: $kind:ty),*) -> $out:ty) => {{
        static REAL: $crate::ffi::real::Symbol = $crate::ffi::real::Symbol::new(
            match std::ffi::CStr::from_bytes_with_nul(concat!(stringify!($name), "\0").as_bytes()) {
                Ok(name) => name,
                Err(_) => c"",
            },
        );
        match REAL.get() {
            None => None,
            Some(address) => {
                type Address = *mut std::ffi::c_void;
                type Function = unsafe extern "C-unwind" fn($($kind),*) -> $out;
                // SAFETY: the address is that of the real library's function of this name, whose
                // type libpcap has never changed; both are pointers of one size.
                let function = unsafe { std::mem::transmute::<Address, Function>(address) };
                // SAFETY: the caller's arguments are handed on as they came, and what libpcap asks
                // of them the caller has promised.
                Some(unsafe { function($($value),*) })
            }
        }
    }};
}
pub(crate) use call;

/// Names and places of the real library.
const LIBRARIES: &[&CStr] = &[
    c"libpcap.so.0.8",
    c"libpcap.so.1",
    c"/usr/lib/x86_64-linux-gnu/libpcap.so.0.8",
    c"/usr/lib/aarch64-linux-gnu/libpcap.so.0.8",
    c"/usr/lib64/libpcap.so.1",
    c"/usr/lib/libpcap.so.1",
    c"/usr/local/lib/libpcap.so.1",
    c"libpcap.so",
];

/// A function of the library that is loaded in place of the next; null if there is none.
fn in_loaded(name: &CStr) -> *mut c_void {
    static LOADED: OnceLock<usize> = OnceLock::new();
    let library = *LOADED.get_or_init(|| {
        let found = LIBRARIES.iter().find_map(|library| load(library));
        found.map_or(0, <*mut c_void>::expose_provenance)
    });
    if library == 0 {
        return ptr::null_mut();
    }
    let library = ptr::with_exposed_provenance_mut(library);
    // SAFETY: the handle came from `dlopen` and is never closed; the name ends at a zero.
    unsafe { libc::dlsym(library, name.as_ptr()) }
}

/// Loads a library, unless it is this one under another name.
fn load(library: &CStr) -> Option<*mut c_void> {
    // SAFETY: the name ends at a zero. Libpcap's start-up code does nothing that could harm.
    let handle = unsafe { libc::dlopen(library.as_ptr(), libc::RTLD_NOW | libc::RTLD_LOCAL) };
    if handle.is_null() {
        return None;
    }
    // SAFETY: the handle came from `dlopen`, and the name ends at a zero.
    let one = unsafe { libc::dlsym(handle, c"pcap_open_dead".as_ptr()) };
    let here = ptr::from_ref(&PROBE).cast();
    (!one.is_null() && base_of(one) != base_of(here)).then_some(handle)
}

/// Something of this library's, to know it by.
static PROBE: u8 = 0;

/// Where the library that an address lies in begins.
fn base_of(address: *const c_void) -> usize {
    let mut info = libc::Dl_info {
        dli_fname: ptr::null(),
        dli_fbase: ptr::null_mut(),
        dli_sname: ptr::null(),
        dli_saddr: ptr::null_mut(),
    };
    // SAFETY: any address may be asked for; the answer is written to a structure of that type.
    let known = unsafe { libc::dladdr(address, &raw mut info) };
    if known == 0 { 0 } else { info.dli_fbase.addr() }
}

/// A handle of no device, of the real library; null if there is none.
pub(crate) fn open_dead(link_type: c_int, snaplen: c_int, precision: c_int) -> Pcap {
    let precision = precision.cast_unsigned();
    let handle = call!(pcap_open_dead_with_tstamp_precision(
        link_type: c_int, snaplen: c_int, precision: u32) -> Pcap);
    handle.unwrap_or(ptr::null_mut())
}

/// Closes a handle of the real library.
///
/// # Safety
/// It is one that is not closed and that nobody uses any more.
pub(crate) unsafe fn close(handle: Pcap) {
    call!(pcap_close(handle: Pcap) -> ()).unwrap_or(());
}

/// What the real library says of a handle.
///
/// # Safety
/// It is one that is not closed.
pub(crate) unsafe fn text_of(handle: Pcap) -> *mut c_char {
    call!(pcap_geterr(handle: Pcap) -> *mut c_char).unwrap_or(ptr::null_mut())
}

/// What there is to say where the real library is missing.
pub(crate) const MISSING: &str =
    "libpcap-weir needs libpcap itself, and finds none; install libpcap";
