//! A host of DAQ modules: does with the module what libdaq and Snort do, in their order.

#![expect(unsafe_code, reason = "a host of C modules")]

pub(crate) mod engine;

use std::ffi::{CStr, CString, c_char, c_int, c_uint, c_void};
use std::ptr;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use daq_weir::abi::{
    BASE_API_VERSION, BaseApi, Message, ModuleApi, Opaque, PacketHeader, PoolInfo, Stats, Variable,
    mode, result, verdict,
};
use libloading::os::unix::{Library, RTLD_LOCAL, RTLD_NOW};

/// The module, as found in its file.
pub(crate) struct Module {
    api: *const ModuleApi,
    _library: Library,
}

// SAFETY: the table is constant, and the library stays.
unsafe impl Send for Module {}
// SAFETY: as above.
unsafe impl Sync for Module {}

/// What an application configures.
#[derive(Debug)]
pub(crate) struct Config {
    pub(crate) input: String,
    pub(crate) snap_bytes: i32,
    pub(crate) timeout_ms: u32,
    pub(crate) messages: u32,
    pub(crate) instances: u32,
    pub(crate) instance: u32,
    pub(crate) mode: u32,
    pub(crate) variables: Vec<(&'static str, Option<&'static str>)>,
}

impl Config {
    pub(crate) fn of(engine: &engine::Engine) -> Self {
        Self {
            input: format!("weir:{}", engine.path()),
            snap_bytes: 1518,
            timeout_ms: 1000,
            messages: 256,
            instances: 0,
            instance: 0,
            mode: mode::PASSIVE,
            variables: vec![],
        }
    }
}

/// The same as the functions below give it to the module.
struct Given {
    config: Config,
    input: CString,
    variables: Vec<(CString, Option<CString>)>,
    at: AtomicUsize,
}

/// libdaq's side of an instance.
#[derive(Default)]
struct Owner {
    error: Mutex<String>,
}

impl Module {
    /// Finds the module and its table; [`Self::load`] comes next.
    pub(crate) fn find() -> Self {
        let program = std::env::current_exe().unwrap();
        let path = program.parent().unwrap().join("libdaq_weir.so");
        assert!(path.exists(), "{} was built with this test", path.display());
        // SAFETY: the module has no initialisers.
        let library = unsafe { Library::open(Some(&path), RTLD_NOW | RTLD_LOCAL) }.unwrap();
        // SAFETY: this symbol is a table, wherever there is one.
        let api = *unsafe { library.get::<*const ModuleApi>(c"DAQ_MODULE_DATA") }.unwrap();
        Self { api, _library: library }
    }

    pub(crate) fn api(&self) -> &ModuleApi {
        // SAFETY: the library is there as long as `self`.
        unsafe { &*self.api }
    }

    /// Loads it with the functions below, in memory that is good for this call alone.
    pub(crate) fn load(&self) {
        let mut base = Box::new(base_api());
        assert_eq!(self.load_with(&raw const *base), result::SUCCESS);
        // What libdaq has there is its own business afterwards.
        *base = BaseApi { api_version: 0, api_size: 0, config_get_input: None, ..*base };
        drop(base);
    }

    pub(crate) fn load_with(&self, base: *const BaseApi) -> c_int {
        // SAFETY: null or a table.
        unsafe { self.api().load.unwrap()(base) }
    }

    pub(crate) fn unload(&self) -> c_int {
        // SAFETY: no instance is left.
        unsafe { self.api().unload.unwrap()() }
    }

    pub(crate) fn name(&self) -> String {
        of_c(self.api().name)
    }

    /// Names, descriptions and flags of the variables.
    pub(crate) fn variables(&self) -> Vec<(String, String, u32)> {
        let mut table: *const Variable = ptr::null();
        // SAFETY: the place for the pointer is ours.
        let count = unsafe { self.api().get_variable_descs.unwrap()(&raw mut table) };
        // SAFETY: the module says that so many are there.
        let table = unsafe { std::slice::from_raw_parts(table, usize::try_from(count).unwrap()) };
        table.iter().map(|row| (of_c(row.name), of_c(row.description), row.flags)).collect()
    }

    /// Makes an instance, or tells the code and the text.
    pub(crate) fn instantiate(&self, config: Config) -> Result<Daq<'_>, (c_int, String)> {
        let variables =
            config.variables.iter().map(|(name, value)| (to_c(name), value.map(to_c))).collect();
        let input = to_c(&config.input);
        let mut given = Box::new(Given { config, input, variables, at: AtomicUsize::new(0) });
        let mut owner = Box::new(Owner::default());
        let mut handle = ptr::null_mut();
        let instantiate = self.api().instantiate.unwrap();
        let (config, modinst) = (&raw mut *given, &raw mut *owner);
        // SAFETY: the three are what the functions below take them for.
        let code = unsafe { instantiate(config.cast(), modinst.cast(), &raw mut handle) };
        if code != result::SUCCESS {
            return Err((code, owner.error.lock().unwrap().clone()));
        }
        // The configuration is good for the call alone.
        drop(given);
        Ok(Daq { api: self.api(), handle, owner })
    }
}

/// As libdaq does before it closes the library.
impl Drop for Module {
    fn drop(&mut self) {
        assert_eq!(self.unload(), result::SUCCESS);
    }
}

/// An instance.
pub(crate) struct Daq<'a> {
    api: &'a ModuleApi,
    handle: *mut c_void,
    owner: Box<Owner>,
}

// SAFETY: an instance is used by one thread at a time, and any.
unsafe impl Send for Daq<'_> {}

/// A message that the application has.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Packet {
    message: *const Message,
}

// SAFETY: as of the instance that it is from.
unsafe impl Send for Packet {}

impl Packet {
    pub(crate) const NULL: Self = Self { message: ptr::null() };

    pub(crate) fn message(&self) -> &Message {
        // SAFETY: tests look at messages that are not finalized.
        unsafe { &*self.message }
    }

    pub(crate) fn header(&self) -> &PacketHeader {
        // SAFETY: as above.
        unsafe { &*self.message().header }
    }

    pub(crate) fn data(&self) -> &[u8] {
        let message = self.message();
        // SAFETY: as above.
        unsafe { std::slice::from_raw_parts(message.data, message.data_bytes as usize) }
    }

    /// A pointer close to a message that is none.
    pub(crate) fn beside(self) -> Self {
        Self { message: self.message.wrapping_byte_add(8) }
    }
}

/// What ends a wait, from another thread.
#[derive(Clone, Copy)]
pub(crate) struct Interrupter {
    call: unsafe extern "C" fn(*mut c_void) -> c_int,
    handle: *mut c_void,
}

// SAFETY: this call may come from any thread.
unsafe impl Send for Interrupter {}

impl Interrupter {
    pub(crate) fn interrupt(self) -> c_int {
        // SAFETY: tests interrupt instances that are there.
        unsafe { (self.call)(self.handle) }
    }
}

impl Daq<'_> {
    pub(crate) fn error(&self) -> String {
        self.owner.error.lock().unwrap().clone()
    }

    pub(crate) fn owner(&self) -> *const c_void {
        (&raw const *self.owner).cast()
    }

    pub(crate) fn set_filter(&self, filter: &str) -> c_int {
        // SAFETY: an instance and a text.
        unsafe { self.api.set_filter.unwrap()(self.handle, to_c(filter).as_ptr()) }
    }

    pub(crate) fn start(&self) -> c_int {
        // SAFETY: an instance.
        unsafe { self.api.start.unwrap()(self.handle) }
    }

    pub(crate) fn stop(&self) -> c_int {
        // SAFETY: an instance.
        unsafe { self.api.stop.unwrap()(self.handle) }
    }

    pub(crate) fn interrupter(&self) -> Interrupter {
        Interrupter { call: self.api.interrupt.unwrap(), handle: self.handle }
    }

    /// At most so many packets, and the status.
    pub(crate) fn receive(&self, most: u32) -> (Vec<Packet>, c_uint) {
        let mut messages = vec![ptr::null::<Message>(); most as usize];
        let mut state = 99;
        let receive = self.api.msg_receive.unwrap();
        // SAFETY: an instance, room for so many pointers, a place for the status.
        let count = unsafe { receive(self.handle, most, messages.as_mut_ptr(), &raw mut state) };
        messages.truncate(count as usize);
        (messages.into_iter().map(|message| Packet { message }).collect(), state)
    }

    pub(crate) fn finalize(&self, packet: Packet, verdict: u32) -> c_int {
        // SAFETY: an instance; the module must cope with any pointer.
        unsafe { self.api.msg_finalize.unwrap()(self.handle, packet.message, verdict) }
    }

    /// Finalizes all with *pass*.
    pub(crate) fn pass(&self, packets: &[Packet]) {
        for packet in packets {
            assert_eq!(self.finalize(*packet, verdict::PASS), result::SUCCESS);
        }
    }

    /// The statistics as words, and what follows them in memory.
    pub(crate) fn stats(&self) -> [u64; 14] {
        let mut words = [u64::MAX; 14];
        // SAFETY: an instance, and more room than any release of libdaq has.
        let code =
            unsafe { self.api.get_stats.unwrap()(self.handle, words.as_mut_ptr().cast::<Stats>()) };
        assert_eq!(code, result::SUCCESS);
        words
    }

    pub(crate) fn reset_stats(&self) {
        // SAFETY: an instance.
        unsafe { self.api.reset_stats.unwrap()(self.handle) };
    }

    pub(crate) fn snap_bytes(&self) -> c_int {
        // SAFETY: an instance.
        unsafe { self.api.get_snaplen.unwrap()(self.handle) }
    }

    pub(crate) fn capabilities(&self) -> u32 {
        // SAFETY: an instance.
        unsafe { self.api.get_capabilities.unwrap()(self.handle) }
    }

    pub(crate) fn data_link(&self) -> c_int {
        // SAFETY: an instance.
        unsafe { self.api.get_datalink_type.unwrap()(self.handle) }
    }

    pub(crate) fn pool(&self) -> PoolInfo {
        let mut info = PoolInfo::default();
        // SAFETY: an instance, and a place for the answer.
        let code = unsafe { self.api.get_msg_pool_info.unwrap()(self.handle, &raw mut info) };
        assert_eq!(code, result::SUCCESS);
        info
    }
}

impl Drop for Daq<'_> {
    fn drop(&mut self) {
        // SAFETY: an instance that nobody uses any more.
        unsafe { self.api.destroy.unwrap()(self.handle) };
    }
}

/// Calls each function with nothing where there should be something.
pub(crate) fn with_nothing(module: &Module, daq: &Daq<'_>) {
    let api = module.api();
    let none = ptr::null_mut();
    let mut state = 99;
    // SAFETY: null is what the module must cope with, here and below.
    assert_eq!(unsafe { api.load.unwrap()(ptr::null()) }, result::INVALID);
    // SAFETY: as above.
    assert_eq!(unsafe { api.get_variable_descs.unwrap()(ptr::null_mut()) }, 0);
    // SAFETY: as above.
    assert_eq!(unsafe { api.instantiate.unwrap()(none, none, ptr::null_mut()) }, result::INVALID);
    // SAFETY: as above.
    unsafe { api.destroy.unwrap()(none) };
    for call in [api.start, api.stop, api.interrupt, api.get_snaplen, api.get_datalink_type] {
        // SAFETY: as above.
        assert_eq!(unsafe { call.unwrap()(none) }, result::NO_CONTEXT);
    }
    // SAFETY: as above.
    assert_eq!(unsafe { api.get_capabilities.unwrap()(none) }, 0);
    // SAFETY: as above.
    unsafe { api.reset_stats.unwrap()(none) };
    // SAFETY: as above.
    let code = unsafe { api.set_filter.unwrap()(daq.handle, ptr::null()) };
    assert_eq!(code, result::INVALID);
    // SAFETY: as above.
    assert_eq!(unsafe { api.get_stats.unwrap()(daq.handle, ptr::null_mut()) }, result::INVALID);
    // SAFETY: as above.
    let code = unsafe { api.get_msg_pool_info.unwrap()(daq.handle, ptr::null_mut()) };
    assert_eq!(code, result::INVALID);
    let receive = api.msg_receive.unwrap();
    // SAFETY: as above.
    assert_eq!(unsafe { receive(daq.handle, 1, ptr::null_mut(), &raw mut state) }, 0);
    assert_eq!(state, daq_weir::abi::status::INVALID);
    // SAFETY: as above.
    assert_eq!(unsafe { receive(daq.handle, 1, ptr::null_mut(), ptr::null_mut()) }, 0);
    // SAFETY: as above.
    let code = unsafe { api.msg_finalize.unwrap()(none, ptr::null(), 0) };
    assert_eq!(code, result::NO_CONTEXT);
}

/// libdaq's functions.
pub(crate) fn base_api() -> BaseApi {
    // SAFETY: on the processors that this runs on, a function gets its first three pointers the
    // same way whether or not it is declared with a variable number of them.
    let set_errbuf = unsafe {
        std::mem::transmute::<SetError, unsafe extern "C" fn(Opaque, *const c_char, ...)>(set_error)
    };
    BaseApi {
        api_version: BASE_API_VERSION,
        api_size: u32::try_from(size_of::<BaseApi>()).unwrap(),
        config_get_input: Some(input),
        config_get_snaplen: Some(snap_bytes),
        config_get_timeout: Some(timeout),
        config_get_msg_pool_size: Some(messages),
        config_get_total_instances: Some(instances),
        config_get_instance_id: Some(instance),
        config_get_mode: Some(configured_mode),
        config_get_variable: None,
        config_first_variable: Some(first_variable),
        config_next_variable: Some(next_variable),
        resolve_subapi: None,
        set_errbuf: Some(set_errbuf),
    }
}

type SetError = unsafe extern "C" fn(Opaque, *const c_char, *const c_char);

unsafe extern "C" fn set_error(owner: Opaque, format: *const c_char, text: *const c_char) {
    assert_eq!(of_c(format), "%s", "nothing of the text is taken for a format");
    // SAFETY: the owner that the instance was made with.
    let owner = unsafe { &*owner.cast::<Owner>() };
    *owner.error.lock().unwrap() = of_c(text);
}

fn given<'a>(config: Opaque) -> &'a Given {
    assert!(!config.is_null());
    // SAFETY: the configuration that the instance is being made with.
    unsafe { &*config.cast::<Given>() }
}

unsafe extern "C" fn input(config: Opaque) -> *const c_char {
    given(config).input.as_ptr()
}

unsafe extern "C" fn snap_bytes(config: Opaque) -> c_int {
    given(config).config.snap_bytes
}

unsafe extern "C" fn timeout(config: Opaque) -> c_uint {
    given(config).config.timeout_ms
}

unsafe extern "C" fn messages(config: Opaque) -> c_uint {
    given(config).config.messages
}

unsafe extern "C" fn instances(config: Opaque) -> c_uint {
    given(config).config.instances
}

unsafe extern "C" fn instance(config: Opaque) -> c_uint {
    given(config).config.instance
}

unsafe extern "C" fn configured_mode(config: Opaque) -> c_uint {
    given(config).config.mode
}

unsafe extern "C" fn first_variable(
    config: Opaque,
    name: *mut *const c_char,
    value: *mut *const c_char,
) -> c_int {
    given(config).at.store(0, Ordering::Relaxed);
    // SAFETY: passed on.
    unsafe { next_variable(config, name, value) }
}

unsafe extern "C" fn next_variable(
    config: Opaque,
    name: *mut *const c_char,
    value: *mut *const c_char,
) -> c_int {
    let given = given(config);
    let variable = given.variables.get(given.at.fetch_add(1, Ordering::Relaxed));
    let pointer = |text: Option<&CString>| text.map_or(ptr::null(), |text| text.as_ptr());
    // SAFETY: the module's places for both.
    unsafe { name.write(pointer(variable.map(|(name, _)| name))) };
    // SAFETY: as above.
    unsafe { value.write(pointer(variable.and_then(|(_, value)| value.as_ref()))) };
    result::SUCCESS
}

fn to_c(text: &str) -> CString {
    CString::new(text).unwrap()
}

fn of_c(text: *const c_char) -> String {
    // SAFETY: texts of C end in a zero byte.
    unsafe { CStr::from_ptr(text) }.to_str().unwrap().to_owned()
}
