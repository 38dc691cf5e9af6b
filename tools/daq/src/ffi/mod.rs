//! All that touches C: the table that libdaq finds, and its functions.
//!
//! Each function checks its pointers for null, runs its work where a panic is caught, and turns
//! the answer into one of libdaq's numbers. The work itself is in [`crate::instance`].

#![expect(unsafe_code, reason = "pointers of C")]

pub mod abi;
mod host;
pub(crate) mod pcap;
mod pool;

use std::ffi::{c_char, c_int, c_uint, c_void};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Mutex;

use weir_shm::packets::PacketReader;

use crate::config::{Settings, VARIABLES};
use crate::instance::{Instance, Interrupt};
use crate::{Failure, stream};
use abi::{
    BaseApi, MODULE_API_BYTES, MODULE_API_VERSION, Message, ModuleApi, Opaque, PoolInfo, Stats,
    Variable, kind, result, status,
};
use host::{Host, host};

pub(crate) use pool::{Owner, Pool, Said};

/// Version of the module.
const VERSION: u32 = 1;

/// What libdaq looks for.
#[unsafe(no_mangle)]
pub static DAQ_MODULE_DATA: ModuleApi = ModuleApi {
    api_version: MODULE_API_VERSION,
    api_size: MODULE_API_BYTES,
    module_version: VERSION,
    name: c"weir".as_ptr(),
    kind: kind::INTERFACE | kind::MULTI_INSTANCE,
    load: Some(load),
    unload: Some(unload),
    get_variable_descs: Some(get_variable_descs),
    instantiate: Some(instantiate),
    destroy: Some(destroy),
    set_filter: Some(set_filter),
    start: Some(start),
    inject: None,
    inject_relative: None,
    interrupt: Some(interrupt),
    stop: Some(stop),
    ioctl: None,
    get_stats: Some(get_stats),
    reset_stats: Some(reset_stats),
    get_snaplen: Some(get_snaplen),
    get_capabilities: Some(get_capabilities),
    get_datalink_type: Some(get_datalink_type),
    config_load: None,
    config_swap: None,
    config_free: None,
    msg_receive: Some(msg_receive),
    msg_finalize: Some(msg_finalize),
    get_msg_pool_info: Some(get_msg_pool_info),
};

// SAFETY: nothing in the table is ever written, and what it points to is constant.
unsafe impl Sync for ModuleApi {}

/// The variables, as libdaq wants them.
struct Table([Variable; VARIABLES.len()]);

// SAFETY: as of `ModuleApi`.
unsafe impl Sync for Table {}

const fn variable(index: usize) -> Variable {
    let described = &VARIABLES[index];
    let flags =
        if described.takes_value { abi::VARIABLE_WITH_VALUE } else { abi::VARIABLE_WITHOUT_VALUE };
    Variable { name: described.name.as_ptr(), description: described.help.as_ptr(), flags }
}

static TABLE: Table = Table([variable(0), variable(1), variable(2), variable(3)]);

/// What the application has of an instance: a pointer to this.
struct Handle {
    owner: Owner,
    host: Host,
    interrupt: Interrupt,
    /// One call at a time, as libdaq promises; the lock holds even where it does not.
    instance: Mutex<Instance<PacketReader>>,
}

// SAFETY: `owner` is only handed back to libdaq, which takes its error texts from any thread; all
// else is of no thread by itself.
unsafe impl Sync for Handle {}

impl Handle {
    /// Runs `work` on the instance; `failed` if an earlier call panicked in it.
    fn with<R>(&self, failed: R, work: impl FnOnce(&mut Instance<PacketReader>) -> R) -> R {
        if let Ok(mut instance) = self.instance.lock() {
            return work(&mut instance);
        }
        self.say("the module has failed before and does nothing more");
        failed
    }

    fn say(&self, why: &str) {
        // SAFETY: the owner is the instance that was given with `instantiate`, and is there until
        // `destroy`.
        unsafe { self.host.set_error(self.owner.0, why) };
    }

    /// A result as one of libdaq's numbers; what it is not is told to the application.
    fn code(&self, done: Result<(), Failure>) -> c_int {
        match done {
            Ok(()) => result::SUCCESS,
            Err(failure) => {
                self.say(&failure.text);
                failure.code
            }
        }
    }
}

/// Runs `work`; `failed` if it panics.
fn guarded<R>(failed: R, work: impl FnOnce() -> R) -> R {
    catch_unwind(AssertUnwindSafe(work)).unwrap_or(failed)
}

/// Runs `work` on a handle; `failed` if that is null or the work panics.
///
/// # Safety
/// `handle` is null, or from `instantiate` and not destroyed.
unsafe fn on<R: Copy>(handle: *mut c_void, failed: R, work: impl FnOnce(&Handle) -> R) -> R {
    // SAFETY: as promised; a handle is shared and never moved.
    let handle = unsafe { handle.cast::<Handle>().as_ref() };
    guarded(failed, || handle.map_or(failed, work))
}

unsafe extern "C" fn load(base: *const BaseApi) -> c_int {
    guarded(result::ERROR, || {
        if base.is_null() {
            return result::INVALID;
        }
        // SAFETY: it points to libdaq's table for the length of this call.
        let api = unsafe { base.read() };
        if host::keep(api) { result::SUCCESS } else { result::ERROR }
    })
}

unsafe extern "C" fn unload() -> c_int {
    guarded((), host::forget);
    result::SUCCESS
}

unsafe extern "C" fn get_variable_descs(table: *mut *const Variable) -> c_int {
    if table.is_null() {
        return 0;
    }
    // SAFETY: the application's place for a pointer.
    unsafe { table.write(TABLE.0.as_ptr()) };
    c_int::try_from(TABLE.0.len()).unwrap_or(0)
}

unsafe extern "C" fn instantiate(config: Opaque, owner: Opaque, place: *mut *mut c_void) -> c_int {
    guarded(result::ERROR, || {
        let Some(host) = host() else { return result::ERROR };
        if config.is_null() || place.is_null() {
            return result::INVALID;
        }
        // SAFETY: libdaq gives one of its configurations.
        let raw = unsafe { host.configuration(config) };
        let settings = match Settings::new(raw, stream::hold_max()) {
            Ok(settings) => settings,
            Err(failure) => {
                // SAFETY: libdaq gives the instance that this one is a part of.
                unsafe { host.set_error(owner, &failure.text) };
                return failure.code;
            }
        };
        let owner = Owner(owner);
        let pool = Pool::new(settings.messages, owner, host.layout.header_bytes());
        let instance = Mutex::new(Instance::new(settings, host.layout, pool));
        let handle = Box::new(Handle { owner, host, interrupt: Interrupt::default(), instance });
        // SAFETY: the application's place for the handle.
        unsafe { place.write(Box::into_raw(handle).cast()) };
        result::SUCCESS
    })
}

unsafe extern "C" fn destroy(handle: *mut c_void) {
    if handle.is_null() {
        return;
    }
    // SAFETY: from `instantiate`, and nobody uses it from here on.
    let handle = unsafe { Box::from_raw(handle.cast::<Handle>()) };
    guarded((), || drop(handle));
}

unsafe extern "C" fn set_filter(handle: *mut c_void, filter: *const c_char) -> c_int {
    let work = |handle: &Handle| {
        let Some(text) = host::text(filter) else { return result::INVALID };
        let failed = Err(Failure::new(result::ERROR, "it failed before"));
        handle.code(handle.with(failed, |instance| instance.set_filter(&text)))
    };
    // SAFETY: libdaq gives what `instantiate` gave it.
    unsafe { on(handle, result::NO_CONTEXT, work) }
}

unsafe extern "C" fn start(handle: *mut c_void) -> c_int {
    let work = |handle: &Handle| {
        let failed = Err(Failure::new(result::ERROR, "it failed before"));
        let start =
            |instance: &mut Instance<PacketReader>| instance.start(&handle.interrupt, stream::open);
        handle.code(handle.with(failed, start))
    };
    // SAFETY: as above.
    unsafe { on(handle, result::NO_CONTEXT, work) }
}

/// From another thread or a signal handler: takes no lock and allocates nothing.
unsafe extern "C" fn interrupt(handle: *mut c_void) -> c_int {
    let work = |handle: &Handle| {
        handle.interrupt.ask();
        result::SUCCESS
    };
    // SAFETY: as above.
    unsafe { on(handle, result::NO_CONTEXT, work) }
}

unsafe extern "C" fn stop(handle: *mut c_void) -> c_int {
    let work = |handle: &Handle| {
        let failed = Err(Failure::new(result::ERROR, "it failed before"));
        handle.code(handle.with(failed, Instance::stop))
    };
    // SAFETY: as above.
    unsafe { on(handle, result::NO_CONTEXT, work) }
}

unsafe extern "C" fn get_stats(handle: *mut c_void, stats: *mut Stats) -> c_int {
    let work = |handle: &Handle| {
        if stats.is_null() {
            return result::INVALID;
        }
        let read = |instance: &mut Instance<PacketReader>| Some(instance.stats());
        let Some((values, words)) = handle.with(None, read) else { return result::ERROR };
        let words = words.min(values.words.len());
        // SAFETY: the application's statistics have as many words in its release of libdaq.
        unsafe { stats.cast::<u64>().copy_from_nonoverlapping(values.words.as_ptr(), words) };
        result::SUCCESS
    };
    // SAFETY: as above.
    unsafe { on(handle, result::NO_CONTEXT, work) }
}

unsafe extern "C" fn reset_stats(handle: *mut c_void) {
    // SAFETY: as above.
    unsafe { on(handle, (), |handle| handle.with((), Instance::reset_stats)) }
}

unsafe extern "C" fn get_snaplen(handle: *mut c_void) -> c_int {
    let work = |handle: &Handle| {
        let bytes = handle.with(0, |instance| instance.snap_bytes());
        c_int::try_from(bytes).unwrap_or(c_int::MAX)
    };
    // SAFETY: as above.
    unsafe { on(handle, result::NO_CONTEXT, work) }
}

unsafe extern "C" fn get_capabilities(handle: *mut c_void) -> u32 {
    // SAFETY: as above.
    unsafe { on(handle, 0, |handle| handle.with(0, |instance| instance.capabilities())) }
}

unsafe extern "C" fn get_datalink_type(handle: *mut c_void) -> c_int {
    let work = |handle: &Handle| {
        let link = handle.with(0, |instance| instance.data_link());
        c_int::try_from(link).unwrap_or(0)
    };
    // SAFETY: as above.
    unsafe { on(handle, result::NO_CONTEXT, work) }
}

unsafe extern "C" fn msg_receive(
    handle: *mut c_void,
    most: c_uint,
    messages: *mut *const Message,
    state: *mut c_uint,
) -> c_uint {
    if state.is_null() {
        return 0;
    }
    let work = |handle: &Handle| {
        if messages.is_null() {
            return (0, status::INVALID);
        }
        let receive = |instance: &mut Instance<PacketReader>| {
            let (state, failure) = instance.receive(most, &handle.interrupt);
            if let Some(failure) = failure {
                handle.say(&failure.text);
            }
            let mut count: c_uint = 0;
            for (at, message) in instance.batch().iter().enumerate() {
                let message = instance.pool().message(*message);
                // SAFETY: the application has room for `most` pointers, and a batch is no longer.
                let place = unsafe { messages.add(at) };
                // SAFETY: as above.
                unsafe { place.write(message) };
                count += 1;
            }
            (count, state)
        };
        handle.with((0, status::ERROR), receive)
    };
    // SAFETY: as above.
    let (count, said) = unsafe { on(handle, (0, status::ERROR), work) };
    // SAFETY: the application's place for it, checked above.
    unsafe { state.write(said) };
    count
}

unsafe extern "C" fn msg_finalize(
    handle: *mut c_void,
    message: *const Message,
    verdict: c_uint,
) -> c_int {
    let work = |handle: &Handle| {
        handle.with(result::ERROR, |instance| {
            let index = instance.pool().index_of(message);
            let over = index.is_some_and(|index| instance.finalize(index, verdict));
            if over { result::SUCCESS } else { result::INVALID }
        })
    };
    // SAFETY: as above.
    unsafe { on(handle, result::NO_CONTEXT, work) }
}

unsafe extern "C" fn get_msg_pool_info(handle: *mut c_void, info: *mut PoolInfo) -> c_int {
    let work = |handle: &Handle| {
        if info.is_null() {
            return result::INVALID;
        }
        let read = |instance: &mut Instance<PacketReader>| Some(instance.pool_info());
        let Some(values) = handle.with(None, read) else { return result::ERROR };
        // SAFETY: the application's place for it.
        unsafe { info.write(values) };
        result::SUCCESS
    };
    // SAFETY: as above.
    unsafe { on(handle, result::NO_CONTEXT, work) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_panic_does_not_get_out() {
        assert_eq!(guarded(result::ERROR, || result::SUCCESS), result::SUCCESS);
        assert_eq!(guarded(result::ERROR, || panic!("a mistake of ours")), result::ERROR);
    }

    #[test]
    fn an_instance_that_panicked_says_so_from_then_on() {
        let raw = crate::config::Raw { input: Some("x".into()), ..Default::default() };
        let settings = Settings::new(raw, 256).unwrap();
        let layout = crate::layout::Layout::of(None);
        let pool = Pool::new(settings.messages, Owner::NOBODY, layout.header_bytes());
        let host = Host::deaf(layout);
        let instance = Mutex::new(Instance::new(settings, layout, pool));
        let interrupt = Interrupt::default();
        let handle = Handle { owner: Owner::NOBODY, host, interrupt, instance };
        let place = (&raw const handle).cast_mut().cast::<c_void>();
        // SAFETY: a handle that outlives the calls, here and below.
        assert_eq!(unsafe { get_snaplen(place) }, 65_535);
        let failing = |handle: &Handle| handle.with(0, |_| panic!("a mistake of ours"));
        // SAFETY: as above.
        assert_eq!(unsafe { on(place, -9, failing) }, -9);
        // SAFETY: as above.
        assert_eq!(unsafe { stop(place) }, result::ERROR);
        // SAFETY: as above.
        assert_eq!(unsafe { msg_finalize(place, std::ptr::null(), 0) }, result::ERROR);
        // SAFETY: as above.
        assert_eq!(unsafe { super::interrupt(place) }, result::SUCCESS, "that still works");
    }
}
