//! Filters, compiled by the libpcap of this machine if there is one.

use std::ffi::{CStr, CString, c_char, c_int, c_uint, c_void};
use std::ptr::{self, NonNull};
use std::slice;
use std::sync::{Mutex, PoisonError};

use libloading::Library;
use weir_shm::bpf::{INSTRUCTIONS_MAX, Instruction};

/// Names of libpcap: Debian's, everybody else's.
const NAMES: [&str; 2] = ["libpcap.so.0.8", "libpcap.so.1"];
/// `PCAP_NETMASK_UNKNOWN`.
const NO_NETMASK: u32 = u32::MAX;
/// `struct bpf_program`.
#[repr(C)]
struct RawProgram {
    length: c_uint,
    /// `struct bpf_insn`, which [`Instruction`] is.
    instructions: *const Instruction,
}

const _: () = {
    assert!(size_of::<Instruction>() == 8);
    assert!(size_of::<RawProgram>() == 16);
};

type OpenDead = unsafe extern "C" fn(c_int, c_int) -> *mut c_void;
type Compile =
    unsafe extern "C" fn(*mut c_void, *mut RawProgram, *const c_char, c_int, u32) -> c_int;
type ErrorText = unsafe extern "C" fn(*mut c_void) -> *const c_char;
type FreeCode = unsafe extern "C" fn(*mut RawProgram);
type Close = unsafe extern "C" fn(*mut c_void);

/// The functions of libpcap that are needed, good while the library is there.
struct Pcap {
    open_dead: OpenDead,
    compile: Compile,
    error_text: ErrorText,
    free_code: FreeCode,
    close: Close,
    _library: Library,
}

/// Compiling had state of the whole library up to libpcap 1.7.
static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());

/// Compiles a filter for frames of this link type.
///
/// # Errors
/// If there is no libpcap, or it does not understand the filter.
pub(crate) fn compile(text: &str, link: u32, snap_bytes: u32) -> Result<Vec<Instruction>, String> {
    let refused = |why: String| format!("filter {text:?}: {why}");
    let c_text = CString::new(text).map_err(|_| refused("a zero byte in it".to_owned()))?;
    let number = |value: u32| c_int::try_from(value).unwrap_or(c_int::MAX);
    let pcap = Pcap::load().map_err(refused)?;
    let _alone = ONE_AT_A_TIME.lock().unwrap_or_else(PoisonError::into_inner);
    pcap.compile(&c_text, number(link), number(snap_bytes)).map_err(refused)
}

#[expect(unsafe_code, reason = "calls of libpcap")]
impl Pcap {
    fn load() -> Result<Self, String> {
        let mut why = String::new();
        for name in NAMES {
            // SAFETY: libpcap has no initialisers that need anything of their caller.
            match unsafe { Library::new(name) } {
                Ok(library) => {
                    return Self::of(library).map_err(|error| format!("{name}: {error}"));
                }
                Err(error) if why.is_empty() => why = error.to_string(),
                Err(_) => {}
            }
        }
        Err(format!(
            "filters are compiled by libpcap, and there is none ({why}): install libpcap0.8"
        ))
    }

    fn of(library: Library) -> Result<Self, libloading::Error> {
        // SAFETY: each type below is that of the function in `pcap/pcap.h`, here and in the lines
        // that follow; the pointers are kept beside the library.
        let open_dead = *unsafe { library.get::<OpenDead>(c"pcap_open_dead") }?;
        // SAFETY: as above.
        let compile = *unsafe { library.get::<Compile>(c"pcap_compile") }?;
        // SAFETY: as above.
        let error_text = *unsafe { library.get::<ErrorText>(c"pcap_geterr") }?;
        // SAFETY: as above.
        let free_code = *unsafe { library.get::<FreeCode>(c"pcap_freecode") }?;
        // SAFETY: as above.
        let close = *unsafe { library.get::<Close>(c"pcap_close") }?;
        Ok(Self { open_dead, compile, error_text, free_code, close, _library: library })
    }

    fn compile(
        &self,
        text: &CStr,
        link: c_int,
        snap_bytes: c_int,
    ) -> Result<Vec<Instruction>, String> {
        // SAFETY: takes two numbers and gives a handle or null.
        let handle = unsafe { (self.open_dead)(link, snap_bytes) };
        let handle = NonNull::new(handle).ok_or("out of memory")?.as_ptr();
        let mut program = RawProgram { length: 0, instructions: ptr::null() };
        // SAFETY: the handle is open, the program ours, the text ends in a zero byte.
        let result =
            unsafe { (self.compile)(handle, &raw mut program, text.as_ptr(), 1, NO_NETMASK) };
        let compiled = if result == 0 {
            let compiled = copy(&program);
            // SAFETY: `program` is what `pcap_compile` made of it, and is not used after this.
            unsafe { (self.free_code)(&raw mut program) };
            compiled
        } else {
            // SAFETY: the handle is open; what it gives is its own text, good until it is closed.
            let text = unsafe { (self.error_text)(handle) };
            Err(super::host::text(text).unwrap_or_else(|| "not understood".to_owned()))
        };
        // SAFETY: the handle is open and not used after this.
        unsafe { (self.close)(handle) };
        compiled
    }
}

#[expect(unsafe_code, reason = "reads what libpcap allocated")]
fn copy(program: &RawProgram) -> Result<Vec<Instruction>, String> {
    let length = usize::try_from(program.length).unwrap_or(usize::MAX);
    if program.instructions.is_null() || length > INSTRUCTIONS_MAX {
        return Err(format!("{length} instructions"));
    }
    // SAFETY: libpcap says that so many instructions are there, and they are freed only later.
    Ok(unsafe { slice::from_raw_parts(program.instructions, length) }.to_vec())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The program, or a visible skip where this machine has no libpcap.
    fn compiled(test: &str, filter: &str) -> Option<Result<Vec<Instruction>, String>> {
        if let Err(why) = Pcap::load() {
            eprintln!("SKIPPED {test}: {why}");
            return None;
        }
        Some(compile(filter, 1, 65_535))
    }

    #[test]
    fn a_filter_becomes_a_program() {
        let Some(program) = compiled("a_filter_becomes_a_program", "tcp port 80") else { return };
        let program = program.unwrap();
        // The first is a load of the Ethernet type, the last a return.
        assert_eq!((program[0].code, program[0].k), (0x28, 12));
        assert_eq!(program.last().unwrap().code, 0x06);
    }

    #[test]
    fn what_is_no_filter_is_said_so() {
        let test = "what_is_no_filter_is_said_so";
        let Some(refused) = compiled(test, "tcp port eighty-what") else { return };
        assert!(refused.unwrap_err().contains("eighty-what"));
        assert!(compile("a\0b", 1, 65_535).unwrap_err().contains("zero byte"));
    }
}
