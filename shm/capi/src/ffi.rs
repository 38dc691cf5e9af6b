//! The functions of `weir.h`, and all that touches a caller's pointers. The comments go into the
//! header, so they are written for a C programmer; its head has the rules for pointers and threads.
//!
//! Each function is a frame around safe code: it turns pointers into references or values, keeps
//! panics inside, and turns failures into a number and words.

#![expect(unsafe_code, reason = "a room of docs/SAFETY.md: what C hands over and gets back")]
#![expect(
    clippy::missing_safety_doc,
    reason = "the rules are the same for all functions and stand in the header's head"
)]

use crate::{
    names,
    packets::{Failure, Found, Packets, engines},
    types::{
        BpfInsn, Counts, Options, Packet, WEIR_ALLOW, WEIR_BLOCK, WEIR_DIED, WEIR_ENDED,
        WEIR_ERROR, WEIR_INTERRUPTED, WEIR_NOTHING, WEIR_READY,
    },
};
use std::{
    cell::UnsafeCell,
    ffi::{CStr, CString, c_char, c_int},
    panic::{AssertUnwindSafe, catch_unwind},
    ptr, slice,
    time::Duration,
};
use weir_shm::{
    bpf::{INSTRUCTIONS_MAX, Instruction},
    packets::{Judgement, PacketOptions, Share, Waker, Woken},
};

/// A reader of an engine's packets.
#[derive(Debug)]
pub struct Reader {
    /// Used by any thread, also while another one is in a function with `state`.
    waker: Waker,
    /// Used by the one thread that is in a function.
    state: UnsafeCell<State>,
}

#[derive(Debug)]
struct State {
    packets: Packets,
    error: CString,
}

/// Attaches to the engine of this name, or at this socket path (anything with a slash). Every
/// packet that the engine takes in from then on is this reader's, or counted as missed.
///
/// `options` may be NULL. Returns NULL on failure, with the reason in `error` if `error_size` has
/// room for it (200 bytes are enough for most); `error` may be NULL if `error_size` is 0.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn weir_open(
    name: *const c_char,
    options: *const Options,
    error: *mut c_char,
    error_size: usize,
) -> *mut Reader {
    let open = || -> Result<Reader, Failure> {
        // SAFETY: the caller gives NULL or a C string.
        let name = unsafe { text(name) }?.ok_or("the engine's name is NULL")?;
        // SAFETY: the caller gives NULL or options, whose strings are NULL or C strings.
        let options = unsafe { options_of(options) }?;
        let packets = Packets::open(name, &options)?;
        let waker = packets.waker();
        let state = UnsafeCell::new(State { packets, error: CString::default() });
        Ok(Reader { waker, state })
    };
    match guarded(open) {
        Ok(reader) => Box::into_raw(Box::new(reader)),
        Err(failure) => {
            // SAFETY: the caller gives room for `error_size` bytes.
            unsafe { put(&failure, error, error_size) };
            ptr::null_mut()
        }
    }
}

/// Detaches, and frees the reader with all packets that it holds: their `data` is gone. NULL is
/// fine. Nobody may call `weir_wake()` on it any more.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn weir_close(reader: *mut Reader) {
    if reader.is_null() {
        return;
    }
    // SAFETY: it came from `Box::into_raw` in `weir_open`, and the caller gives it up.
    let reader = unsafe { Box::from_raw(reader) };
    // There is nobody left to tell of a panic.
    catch_unwind(AssertUnwindSafe(|| drop(reader))).ok();
}

/// The next packet, at once: `WEIR_READY` and `packet` filled in, `WEIR_NOTHING`, `WEIR_ENDED`,
/// `WEIR_DIED` or `WEIR_ERROR`. In all but the first case `packet` is as before.
///
/// The packet is in the caller's hands until `weir_release()`, which may come in any order. At most
/// `WEIR_HELD_MAX` can be held; under a lease that is pieces rather than packets, and frames above
/// 2 KiB have several.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn weir_next(reader: *mut Reader, packet: *mut Packet) -> c_int {
    let next = |state: &mut State| {
        if packet.is_null() {
            return Err("the packet to fill in is NULL".into());
        }
        Ok(match state.packets.next()? {
            Found::Packet(found) => {
                // SAFETY: not NULL, so the caller gives a place for a packet.
                unsafe { packet.write(found) };
                WEIR_READY
            }
            Found::Nothing => WEIR_NOTHING,
            Found::Ended => WEIR_ENDED,
            Found::Died => WEIR_DIED,
        })
    };
    // SAFETY: the caller gives NULL or an open reader, and one thread at a time.
    unsafe { with(reader, next) }
}

/// Lets go of a packet: `data` becomes NULL. 0, or `WEIR_ERROR` if it is not held.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn weir_release(reader: *mut Reader, packet: *mut Packet) -> c_int {
    let release = |state: &mut State| {
        // SAFETY: the caller gives NULL or a packet that nobody else uses.
        let packet = unsafe { packet.as_mut() }.ok_or("the packet is NULL")?;
        state.packets.release(packet.handle)?;
        packet.data = ptr::null();
        packet.captured = 0;
        packet.handle = 0;
        Ok(0)
    };
    // SAFETY: the caller gives NULL or an open reader, and one thread at a time.
    unsafe { with(reader, release) }
}

/// Spins a little, then sleeps: `WEIR_READY` if `weir_next()` has something to say (a packet or the
/// end), `WEIR_NOTHING` after `timeout_ms` milliseconds (negative: never), `WEIR_INTERRUPTED` after
/// `weir_wake()`, or `WEIR_ERROR`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn weir_wait(reader: *mut Reader, timeout_ms: c_int) -> c_int {
    let wait = |state: &mut State| {
        let timeout = u64::try_from(timeout_ms).ok().map(Duration::from_millis);
        Ok(match state.packets.wait(timeout) {
            Woken::Packets | Woken::Over => WEIR_READY,
            Woken::Timeout => WEIR_NOTHING,
            Woken::Interrupted => WEIR_INTERRUPTED,
        })
    };
    // SAFETY: the caller gives NULL or an open reader, and one thread at a time.
    unsafe { with(reader, wait) }
}

/// A descriptor for `poll()`, `select()` or epoll. It belongs to the reader: only wait on it, and
/// call `weir_arm()` before each wait. -1 if `reader` is NULL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn weir_fd(reader: *mut Reader) -> c_int {
    // SAFETY: the caller gives NULL or an open reader, and one thread at a time.
    unsafe { with(reader, |state| Ok(state.packets.fd())) }
}

/// Has `weir_fd()` become readable as soon as `weir_next()` has something to say. `WEIR_READY` if a
/// packet is there already, else `WEIR_NOTHING`, or `WEIR_ERROR`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn weir_arm(reader: *mut Reader) -> c_int {
    let arm = |state: &mut State| Ok(if state.packets.arm() { WEIR_READY } else { WEIR_NOTHING });
    // SAFETY: the caller gives NULL or an open reader, and one thread at a time.
    unsafe { with(reader, arm) }
}

/// Ends the present `weir_wait()`, or the next one, and makes `weir_fd()` readable. May be called
/// from any thread and from signal handlers.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn weir_wake(reader: *const Reader) {
    // SAFETY: the caller gives NULL or a reader that stays open meanwhile. What other threads
    // change lies within `state`, an `UnsafeCell`; the waker may be used by any thread.
    if let Some(reader) = unsafe { reader.as_ref() } {
        // One write to a descriptor: nothing here allocates, locks or can panic.
        reader.waker.wake();
    }
}

/// What became of the packets so far. 0, or `WEIR_ERROR`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn weir_counts(reader: *mut Reader, counts: *mut Counts) -> c_int {
    let count = |state: &mut State| {
        if counts.is_null() {
            return Err("the counts to fill in are NULL".into());
        }
        // SAFETY: not NULL, so the caller gives a place for counts.
        unsafe { counts.write(state.packets.counts()) };
        Ok(0)
    };
    // SAFETY: the caller gives NULL or an open reader, and one thread at a time.
    unsafe { with(reader, count) }
}

/// From now on, hand out only packets that this classic BPF program accepts, for instance one of
/// `pcap_compile()` for the link type of `weir_link_type()`. `count` 0: all again. 0, or
/// `WEIR_ERROR` for a program that is not taken; then the one before stays.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn weir_set_bpf(
    reader: *mut Reader,
    instructions: *const BpfInsn,
    count: usize,
) -> c_int {
    let set = |state: &mut State| {
        // SAFETY: the caller gives so many instructions.
        let given = unsafe { several(instructions, count, INSTRUCTIONS_MAX) }?;
        let taken = |BpfInsn { code, jt, jf, k }: BpfInsn| Instruction { code, jt, jf, k };
        let instructions: Vec<_> = given.iter().copied().map(taken).collect();
        state.packets.set_filter(&instructions)?;
        Ok(0)
    };
    // SAFETY: the caller gives NULL or an open reader, and one thread at a time.
    unsafe { with(reader, set) }
}

/// From now on, hand out only packets of flows of these applications or master protocols, as known
/// at each packet. `count` 0: of all. 0, or `WEIR_ERROR`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn weir_set_apps(
    reader: *mut Reader,
    apps: *const u16,
    count: usize,
) -> c_int {
    let set = |state: &mut State| {
        // SAFETY: the caller gives so many ids.
        state.packets.set_apps(unsafe { several(apps, count, APPS_MAX) }?);
        Ok(0)
    };
    // SAFETY: the caller gives NULL or an open reader, and one thread at a time.
    unsafe { with(reader, set) }
}

/// From now on, hand out only packets of this flow; 0: of all. 0, or `WEIR_ERROR`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn weir_set_flow(reader: *mut Reader, flow_id: u64) -> c_int {
    let set = |state: &mut State| {
        state.packets.set_flow(flow_id);
        Ok(0)
    };
    // SAFETY: the caller gives NULL or an open reader, and one thread at a time.
    unsafe { with(reader, set) }
}

/// Link type of the frames in the numbers of capture files (`LINKTYPE_`, `DLT_`): 1 is Ethernet. 0
/// if the engine does not know; `WEIR_ERROR` if `reader` is NULL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn weir_link_type(reader: *mut Reader) -> c_int {
    let link_type = |state: &mut State| Ok(c_int::try_from(state.packets.link_type()).unwrap_or(0));
    // SAFETY: the caller gives NULL or an open reader, and one thread at a time.
    unsafe { with(reader, link_type) }
}

/// 1 if the engine holds frames for this reader, 0 if not (any more), or `WEIR_ERROR`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn weir_is_leased(reader: *mut Reader) -> c_int {
    // SAFETY: the caller gives NULL or an open reader, and one thread at a time.
    unsafe { with(reader, |state| Ok(state.packets.is_leased().into())) }
}

/// Says that this reader's group wants no more of a held packet's flow. 0, or `WEIR_ERROR`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn weir_shunt(reader: *mut Reader, packet: *const Packet) -> c_int {
    let shunt = |state: &mut State| {
        // SAFETY: the caller gives NULL or a packet.
        let packet = unsafe { packet.as_ref() }.ok_or("the packet is NULL")?;
        state.packets.shunt(packet.handle)?;
        Ok(0)
    };
    // SAFETY: the caller gives NULL or an open reader, and one thread at a time.
    unsafe { with(reader, shunt) }
}

/// Says what this reader thinks of a held packet's flow, `WEIR_ALLOW` or `WEIR_BLOCK`. The engine
/// keeps it with the flow for others to see and stops nothing. 0, or `WEIR_ERROR`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn weir_judge(
    reader: *mut Reader,
    packet: *const Packet,
    judgement: c_int,
) -> c_int {
    let judge = |state: &mut State| {
        // SAFETY: the caller gives NULL or a packet.
        let packet = unsafe { packet.as_ref() }.ok_or("the packet is NULL")?;
        let judgement = match judgement {
            WEIR_ALLOW => Judgement::Allow,
            WEIR_BLOCK => Judgement::Block,
            _ => return Err("a judgement is WEIR_ALLOW or WEIR_BLOCK".into()),
        };
        state.packets.judge(packet.handle, judgement)?;
        Ok(0)
    };
    // SAFETY: the caller gives NULL or an open reader, and one thread at a time.
    unsafe { with(reader, judge) }
}

/// Why the last function that failed on this reader did, in words; "" if none has. Good until the
/// next failure or `weir_close()`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn weir_last_error(reader: *const Reader) -> *const c_char {
    // SAFETY: the caller gives NULL or an open reader.
    let Some(reader) = (unsafe { reader.as_ref() }) else {
        return c"the reader is NULL".as_ptr();
    };
    // SAFETY: one thread at a time, and no reference to the state outlives a function.
    unsafe { &*reader.state.get() }.error.as_ptr()
}

/// Puts the names of the engines that run and that this user can see into `names`, each with a
/// newline after it. Returns the bytes that all of them need with the final NUL; if `size` is less,
/// those names are there that fit.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn weir_list(names: *mut c_char, size: usize) -> usize {
    let all = guarded(|| Ok(engines())).unwrap_or_default();
    let mut fits = all.as_str();
    while fits.len() >= size.max(1) {
        let without_last = fits.trim_end_matches('\n').rfind('\n').map_or(0, |end| end + 1);
        fits = fits.get(..without_last).unwrap_or_default();
    }
    // SAFETY: the caller gives room for `size` bytes.
    unsafe { put(fits, names, size) };
    all.len() + 1
}

/// Puts the name of an application or protocol into `name`, as the engine of this reader has it:
/// those that its rules declare included, which `weir_app_name()` does not know; "Unknown" for an
/// id that there is not. Returns the bytes that it needs with the final NUL (64 are always enough);
/// if `size` is less, as much is there as fits. 0 if `reader` is NULL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn weir_reader_app_name(
    reader: *const Reader,
    id: u16,
    name: *mut c_char,
    size: usize,
) -> usize {
    let say = |state: &mut State| {
        let found = state.packets.app_name(id);
        // SAFETY: the caller gives room for `size` bytes.
        unsafe { put(&found, name, size) };
        Ok(c_int::try_from(found.len() + 1).unwrap_or(c_int::MAX))
    };
    // SAFETY: the caller gives NULL or an open reader, and one thread at a time.
    usize::try_from(unsafe { with(reader, say) }).unwrap_or(0)
}

/// The id of the application or protocol of this name, in any case, as the engine of this reader
/// has it: those that its rules declare included. -1 if there is none.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn weir_reader_app_id(reader: *const Reader, name: *const c_char) -> c_int {
    let find = |state: &mut State| {
        // SAFETY: the caller gives NULL or a C string.
        let name = unsafe { text(name) }?.ok_or("the name is NULL")?;
        Ok(state.packets.app_id(name).map_or(-1, c_int::from))
    };
    // SAFETY: the caller gives NULL or an open reader, and one thread at a time.
    unsafe { with(reader, find) }
}

/// The name of an application or protocol ("TLS", "YouTube"); "Unknown" for an id that there is
/// not, or that rules declare (`weir_reader_app_name()`). Good for ever.
#[unsafe(no_mangle)]
pub extern "C" fn weir_app_name(id: u16) -> *const c_char {
    guarded(|| Ok(names::name_of(id))).unwrap_or(c"Unknown").as_ptr()
}

/// The id of the application or protocol of this name, in any case; -1 if there is none.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn weir_app_id(name: *const c_char) -> c_int {
    let id = || {
        // SAFETY: the caller gives NULL or a C string.
        let name = unsafe { text(name) }?;
        Ok(name.and_then(names::id_of).map_or(-1, c_int::from))
    };
    guarded(id).unwrap_or(-1)
}

/// The version of this library, "0.1.0".
#[unsafe(no_mangle)]
pub extern "C" fn weir_version() -> *const c_char {
    VERSION.as_ptr()
}

const VERSION: &CStr =
    match CStr::from_bytes_with_nul(concat!(env!("CARGO_PKG_VERSION"), "\0").as_bytes()) {
        Ok(version) => version,
        Err(_) => c"",
    };

/// Ids that can be asked for: all that there can be.
const APPS_MAX: usize = 1 << 16;

/// Calls safe code and keeps a panic from the caller.
fn guarded<T>(work: impl FnOnce() -> Result<T, Failure>) -> Result<T, Failure> {
    let panicked = |_| Err("an error inside of libweir; it said more on stderr".into());
    catch_unwind(AssertUnwindSafe(work)).unwrap_or_else(panicked)
}

/// Calls safe code with a reader's state, and keeps the words of a failure there.
///
/// # Safety
/// `reader` is NULL or open, and no other thread is in a function with it.
#[inline]
unsafe fn with(
    reader: *const Reader,
    work: impl FnOnce(&mut State) -> Result<c_int, Failure>,
) -> c_int {
    // SAFETY: as this function's; a reader lives in a box from `weir_open` to `weir_close`.
    let Some(reader) = (unsafe { reader.as_ref() }) else { return WEIR_ERROR };
    // SAFETY: as this function's, so there is no other reference: none outlives a function, and
    // `work` calls nobody who could come back here.
    let state = unsafe { &mut *reader.state.get() };
    guarded(|| work(state)).unwrap_or_else(|failure| {
        state.error = CString::new(failure.as_bytes()).unwrap_or_default();
        WEIR_ERROR
    })
}

/// A C string as text; nothing for NULL.
///
/// # Safety
/// `given` is NULL, or ends with a NUL and stays as it is for `'a`.
unsafe fn text<'a>(given: *const c_char) -> Result<Option<&'a str>, Failure> {
    if given.is_null() {
        return Ok(None);
    }
    // SAFETY: as this function's.
    let given = unsafe { CStr::from_ptr(given) };
    given.to_str().map(Some).map_err(|_| "a name is not UTF-8".into())
}

/// # Safety
/// `options` is NULL, or options whose strings are NULL or C strings.
unsafe fn options_of(options: *const Options) -> Result<PacketOptions, Failure> {
    // SAFETY: as this function's.
    let Some(options) = (unsafe { options.as_ref() }) else { return Ok(PacketOptions::default()) };
    // SAFETY: as this function's.
    let program = unsafe { text(options.program) }?;
    // SAFETY: as this function's.
    let group = unsafe { text(options.group) }?;
    let Options { lease, share_member: member, share_of: of, .. } = *options;
    Ok(PacketOptions {
        program: program.unwrap_or_default().to_owned(),
        lease: lease != 0,
        group: group.filter(|group| !group.is_empty()).map(str::to_owned),
        share: (of != 0).then_some(Share { member, of }),
    })
}

/// What a caller gives as pointer and count; empty if there is nothing.
///
/// # Safety
/// `given` is NULL, or points to `count` values that stay as they are for `'a`.
unsafe fn several<'a, T>(given: *const T, count: usize, most: usize) -> Result<&'a [T], Failure> {
    if count == 0 {
        return Ok(&[]);
    }
    if given.is_null() || !given.is_aligned() {
        return Err("there is a count, but the pointer is NULL or not aligned".into());
    }
    if count > most {
        return Err(format!("{count} are too many: give {most} at most").into());
    }
    // SAFETY: as this function's, and checked: not NULL, aligned, and small.
    Ok(unsafe { slice::from_raw_parts(given, count) })
}

/// Puts text into a caller's memory, cut to what fits, with a NUL after it.
///
/// # Safety
/// `to` is NULL or has room for `size` bytes.
unsafe fn put(text: &str, to: *mut c_char, size: usize) {
    if to.is_null() || size == 0 {
        return;
    }
    let bytes = text.as_bytes();
    let bytes = bytes.get(..size - 1).unwrap_or(bytes);
    // SAFETY: as this function's: at most `size - 1` bytes, and not into what is read from, which
    // is this library's.
    unsafe { ptr::copy_nonoverlapping(bytes.as_ptr(), to.cast::<u8>(), bytes.len()) };
    // SAFETY: the place after those bytes is within `size`.
    let end = unsafe { to.add(bytes.len()) };
    // SAFETY: the same place.
    unsafe { end.write(0) };
}
