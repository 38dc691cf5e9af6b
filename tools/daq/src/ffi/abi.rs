//! What libdaq 3 and a module of it share: layouts and numbers.
//!
//! Taken from the public headers of the releases 3.0.0 to 3.0.25 and compared with what a C
//! compiler makes of them. Three layouts changed under the same version of the module interface:
//!
//! | since | change |
//! | --- | --- |
//! | 3.0.2 | the verdict *retry* is gone, so [`Stats`] counts six verdicts, not seven |
//! | 3.0.7 | [`PacketHeader`] ends in two numbers of 32 bits, before that in one of 16 |
//! | 3.0.16 | [`Stats`] has a word for outstanding packets before the verdicts |
//!
//! `layout.rs` tells them apart. Everything else here is the same in all of them.

use std::ffi::{c_char, c_int, c_uint, c_void};
use std::mem::{offset_of, size_of};

#[cfg(not(all(target_os = "linux", target_pointer_width = "64")))]
compile_error!("the layouts here are those of 64-bit Linux");

/// `DAQ_MODULE_API_VERSION`.
pub const MODULE_API_VERSION: u32 = 0x0003_0001;
/// Bytes of [`ModuleApi`].
pub const MODULE_API_BYTES: u32 = 216;
/// `DAQ_BASE_API_VERSION`.
pub const BASE_API_VERSION: u32 = 0x0003_0002;

/// Results: `DAQ_SUCCESS`, `DAQ_ERROR` and its relatives.
pub mod result {
    use super::c_int;

    /// It worked.
    pub const SUCCESS: c_int = 0;
    /// It did not; the text says why.
    pub const ERROR: c_int = -1;
    /// There is no such engine.
    pub const NO_DEVICE: c_int = -3;
    /// Not something that this module does.
    pub const NOT_SUPPORTED: c_int = -4;
    /// There is no instance.
    pub const NO_CONTEXT: c_int = -6;
    /// An argument makes no sense.
    pub const INVALID: c_int = -7;
}

/// `DAQ_RecvStatus`.
pub mod status {
    use super::c_uint;

    /// Messages were received, and there may be more.
    pub const OK: c_uint = 0;
    /// Messages were received, and there is no more now.
    pub const WOULD_BLOCK: c_uint = 1;
    /// Nothing came within the time limit.
    pub const TIMEOUT: c_uint = 2;
    /// Nothing will come any more.
    pub const END: c_uint = 3;
    /// `interrupt` was called.
    pub const INTERRUPTED: c_uint = 4;
    /// All messages are with the application.
    pub const NO_MESSAGE: c_uint = 5;
    /// It failed; the text says why.
    pub const ERROR: c_uint = 6;
    /// The instance is in no state for it.
    pub const INVALID: c_uint = 7;
}

/// `DAQ_Verdict`.
pub mod verdict {
    use super::c_uint;

    /// The packet may pass.
    pub const PASS: c_uint = 0;
    /// The packet must not pass.
    pub const BLOCK: c_uint = 1;
    /// The packet may pass as it was changed.
    pub const REPLACE: c_uint = 2;
    /// The flow may pass, and nobody needs to see more of it.
    pub const WHITELIST: c_uint = 3;
    /// The flow must not pass.
    pub const BLACKLIST: c_uint = 4;
    /// The flow may pass, and this application wants no more of it.
    pub const IGNORE: c_uint = 5;
}

/// `DAQ_Mode`.
pub mod mode {
    use super::c_uint;

    /// Not said, or refused by libdaq since the module's type does not name it.
    pub const NONE: c_uint = 0;
    /// Looks on.
    pub const PASSIVE: c_uint = 1;
    /// Passes packets on.
    pub const INLINE: c_uint = 2;
    /// Reads a file.
    pub const READ_FILE: c_uint = 3;
}

/// Bits of [`ModuleApi::kind`].
pub mod kind {
    /// Opens live interfaces.
    pub const INTERFACE: u32 = 0x02;
    /// May be instantiated several times.
    pub const MULTI_INSTANCE: u32 = 0x08;
}

/// Bits that `get_capabilities` gives.
pub mod capability {
    /// Blocks packets.
    pub const BLOCK: u32 = 0x01;
    /// Does without the rest of a flow that may pass.
    pub const WHITELIST: u32 = 0x08;
    /// Blocks the rest of a flow.
    pub const BLACKLIST: u32 = 0x10;
    /// `start` needs no privilege.
    pub const UNPRIVILEGED_START: u32 = 0x20;
    /// `interrupt` ends a waiting receive.
    pub const INTERRUPT: u32 = 0x40;
    /// `set_filter` takes a filter.
    pub const BPF: u32 = 0x80;
}

/// Bits of [`PacketHeader::flags`].
pub mod packet_flag {
    /// The module will not pass the packet on, whatever the verdict.
    pub const NOT_FORWARDING: u32 = 0x0002;
    /// `flow_id` is set.
    pub const FLOW_ID: u32 = 0x0010;
    /// Goes against the direction of who began the flow.
    pub const REVERSE: u32 = 0x2000;
}

/// The application must give the variable a value.
pub const VARIABLE_WITH_VALUE: u32 = 0x01;
/// The application must not give the variable a value.
pub const VARIABLE_WITHOUT_VALUE: u32 = 0x02;

/// `DAQ_MSG_TYPE_PACKET`.
pub const MESSAGE_PACKET: c_uint = 1;
/// `DAQ_PKTHDR_UNKNOWN`, of an interface.
pub const UNKNOWN_INTERFACE: i32 = -1;
/// `DAQ_PKTHDR_UNKNOWN`, of a group of interfaces.
pub const UNKNOWN_GROUP: i16 = -1;

/// `struct timeval`.
#[repr(C)]
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Timeval {
    /// Seconds since 1970.
    pub seconds: i64,
    /// Microseconds of it.
    pub microseconds: i64,
}

/// `DAQ_PktHdr_t` since 3.0.7. Its beginning, 48 bytes long, is the
/// older one: `address_space` had 16 bits there, which are 0 in both.
#[repr(C)]
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PacketHeader {
    /// When it was received.
    pub time: Timeval,
    /// Bytes on the wire.
    pub wire_bytes: u32,
    /// Where it came in.
    pub ingress: i32,
    /// Where it goes out.
    pub egress: i32,
    /// Group of interfaces where it came in.
    pub ingress_group: i16,
    /// Group of interfaces where it goes out.
    pub egress_group: i16,
    /// A value of the module's own.
    pub opaque: u32,
    /// The flow, if [`packet_flag::FLOW_ID`] is set.
    pub flow_id: u32,
    /// Bits of [`packet_flag`].
    pub flags: u32,
    /// Address space.
    pub address_space: u32,
    /// Tenant.
    pub tenant: u32,
}

/// `DAQ_Msg_t`, as the application sees it.
#[repr(C)]
#[derive(Debug)]
pub struct Message {
    /// The header.
    pub header: *const PacketHeader,
    /// The bytes. The application must not write to them.
    pub data: *const u8,
    /// More about the packet; not used here.
    pub meta: [*const c_void; 8],
    /// The instance it is from, as the application knows it.
    pub owner: *mut c_void,
    /// The module's own.
    pub private: *const c_void,
    /// Bytes of the header.
    pub header_bytes: usize,
    /// What kind of message it is.
    pub kind: c_uint,
    /// Bytes at `data`.
    pub data_bytes: u32,
}

/// `DAQ_Stats_t` of one release or another: only its first five words are the same in all.
#[repr(C)]
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Stats {
    /// Received from below, dropped below, received, filtered, injected; then, by release, packets
    /// outstanding, and the verdicts.
    pub words: [u64; 12],
}

/// `DAQ_MsgPoolInfo_t`.
#[repr(C)]
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct PoolInfo {
    /// Messages.
    pub size: u32,
    /// Of them, not with the application.
    pub available: u32,
    /// Bytes they take.
    pub memory_bytes: usize,
}

/// `DAQ_VariableDesc_t`.
#[repr(C)]
#[derive(Debug)]
pub struct Variable {
    /// Its name.
    pub name: *const c_char,
    /// What it does.
    pub description: *const c_char,
    /// Whether it takes a value.
    pub flags: u32,
}

/// A `DAQ_ModuleConfig_h` or `DAQ_ModuleInstance_h`: libdaq's own.
pub type Opaque = *mut c_void;

/// `DAQ_BaseAPI_t`: what libdaq does for a module.
#[repr(C)]
#[derive(Debug, Clone, Copy)]
#[expect(missing_docs, reason = "named as in libdaq, each asks for what its name says")]
pub struct BaseApi {
    pub api_version: u32,
    pub api_size: u32,
    pub config_get_input: Option<unsafe extern "C" fn(Opaque) -> *const c_char>,
    pub config_get_snaplen: Option<unsafe extern "C" fn(Opaque) -> c_int>,
    pub config_get_timeout: Option<unsafe extern "C" fn(Opaque) -> c_uint>,
    pub config_get_msg_pool_size: Option<unsafe extern "C" fn(Opaque) -> c_uint>,
    pub config_get_total_instances: Option<unsafe extern "C" fn(Opaque) -> c_uint>,
    pub config_get_instance_id: Option<unsafe extern "C" fn(Opaque) -> c_uint>,
    pub config_get_mode: Option<unsafe extern "C" fn(Opaque) -> c_uint>,
    pub config_get_variable: Option<unsafe extern "C" fn(Opaque, *const c_char) -> *const c_char>,
    pub config_first_variable: Option<NextVariable>,
    pub config_next_variable: Option<NextVariable>,
    pub resolve_subapi: Option<unsafe extern "C" fn(Opaque, *mut c_void) -> c_int>,
    pub set_errbuf: Option<unsafe extern "C" fn(Opaque, *const c_char, ...)>,
}

/// Gives the first or next variable of a configuration: name and value, null at the end.
pub type NextVariable =
    unsafe extern "C" fn(Opaque, *mut *const c_char, *mut *const c_char) -> c_int;

/// `DAQ_ModuleAPI_t`: what a module does for libdaq. The functions after `destroy` take what
/// `instantiate` gave.
#[repr(C)]
#[derive(Debug)]
#[expect(missing_docs, reason = "named as in libdaq, each does what its name says")]
pub struct ModuleApi {
    pub api_version: u32,
    pub api_size: u32,
    pub module_version: u32,
    pub name: *const c_char,
    /// `type`: bits of [`kind`].
    pub kind: u32,
    pub load: Option<unsafe extern "C" fn(*const BaseApi) -> c_int>,
    pub unload: Option<unsafe extern "C" fn() -> c_int>,
    pub get_variable_descs: Option<unsafe extern "C" fn(*mut *const Variable) -> c_int>,
    pub instantiate: Option<unsafe extern "C" fn(Opaque, Opaque, *mut *mut c_void) -> c_int>,
    pub destroy: Option<unsafe extern "C" fn(*mut c_void)>,
    pub set_filter: Option<unsafe extern "C" fn(*mut c_void, *const c_char) -> c_int>,
    pub start: Option<unsafe extern "C" fn(*mut c_void) -> c_int>,
    pub inject:
        Option<unsafe extern "C" fn(*mut c_void, c_uint, *const c_void, *const u8, u32) -> c_int>,
    pub inject_relative:
        Option<unsafe extern "C" fn(*mut c_void, *const Message, *const u8, u32, c_int) -> c_int>,
    pub interrupt: Option<unsafe extern "C" fn(*mut c_void) -> c_int>,
    pub stop: Option<unsafe extern "C" fn(*mut c_void) -> c_int>,
    pub ioctl: Option<unsafe extern "C" fn(*mut c_void, c_uint, *mut c_void, usize) -> c_int>,
    pub get_stats: Option<unsafe extern "C" fn(*mut c_void, *mut Stats) -> c_int>,
    pub reset_stats: Option<unsafe extern "C" fn(*mut c_void)>,
    pub get_snaplen: Option<unsafe extern "C" fn(*mut c_void) -> c_int>,
    pub get_capabilities: Option<unsafe extern "C" fn(*mut c_void) -> u32>,
    pub get_datalink_type: Option<unsafe extern "C" fn(*mut c_void) -> c_int>,
    pub config_load: Option<unsafe extern "C" fn(*mut c_void, *mut *mut c_void) -> c_int>,
    pub config_swap:
        Option<unsafe extern "C" fn(*mut c_void, *mut c_void, *mut *mut c_void) -> c_int>,
    pub config_free: Option<unsafe extern "C" fn(*mut c_void, *mut c_void) -> c_int>,
    pub msg_receive: Option<
        unsafe extern "C" fn(*mut c_void, c_uint, *mut *const Message, *mut c_uint) -> c_uint,
    >,
    pub msg_finalize: Option<unsafe extern "C" fn(*mut c_void, *const Message, c_uint) -> c_int>,
    pub get_msg_pool_info: Option<unsafe extern "C" fn(*mut c_void, *mut PoolInfo) -> c_int>,
}

// Sizes and places as a C compiler gives them.
const _: () = {
    assert!(size_of::<PacketHeader>() == 56);
    assert!(offset_of!(PacketHeader, wire_bytes) == 16);
    assert!(offset_of!(PacketHeader, ingress) == 20);
    assert!(offset_of!(PacketHeader, egress) == 24);
    assert!(offset_of!(PacketHeader, ingress_group) == 28);
    assert!(offset_of!(PacketHeader, egress_group) == 30);
    assert!(offset_of!(PacketHeader, opaque) == 32);
    assert!(offset_of!(PacketHeader, flow_id) == 36);
    assert!(offset_of!(PacketHeader, flags) == 40);
    assert!(offset_of!(PacketHeader, address_space) == 44);
    assert!(offset_of!(PacketHeader, tenant) == 48);

    assert!(size_of::<Message>() == 112);
    assert!(offset_of!(Message, data) == 8);
    assert!(offset_of!(Message, meta) == 16);
    assert!(offset_of!(Message, owner) == 80);
    assert!(offset_of!(Message, private) == 88);
    assert!(offset_of!(Message, header_bytes) == 96);
    assert!(offset_of!(Message, kind) == 104);
    assert!(offset_of!(Message, data_bytes) == 108);

    assert!(size_of::<Stats>() == 96);
    assert!(size_of::<PoolInfo>() == 16);
    assert!(offset_of!(PoolInfo, memory_bytes) == 8);
    assert!(size_of::<Variable>() == 24);
    assert!(offset_of!(Variable, flags) == 16);

    assert!(size_of::<BaseApi>() == 104);
    assert!(offset_of!(BaseApi, config_get_input) == 8);
    assert!(offset_of!(BaseApi, set_errbuf) == 96);

    assert!(size_of::<ModuleApi>() == MODULE_API_BYTES as usize);
    assert!(offset_of!(ModuleApi, name) == 16);
    assert!(offset_of!(ModuleApi, kind) == 24);
    assert!(offset_of!(ModuleApi, load) == 32);
    assert!(offset_of!(ModuleApi, msg_receive) == 192);
    assert!(offset_of!(ModuleApi, get_msg_pool_info) == 208);
};
