//! What libdaq does for the module, and what is read from it.

use std::ffi::{CStr, CString, c_char, c_uint};
use std::ptr;
use std::sync::{PoisonError, RwLock};

use libloading::os::unix::Library;

use super::abi::{BASE_API_VERSION, BaseApi, NextVariable, Opaque};
use crate::config::Raw;
use crate::layout::Layout;

/// Variables of a configuration at most; more are left out.
const VARIABLES_MAX: usize = 64;

/// libdaq, as it was when it loaded the module.
#[derive(Debug, Clone, Copy)]
pub(super) struct Host {
    api: BaseApi,
    pub(super) layout: Layout,
}

static HOST: RwLock<Option<Host>> = RwLock::new(None);

/// Keeps what libdaq gave, which is its to take back when the call ends. False if it is of another
/// version than is known here.
pub(super) fn keep(api: BaseApi) -> bool {
    let size = u32::try_from(size_of::<BaseApi>()).ok();
    if api.api_version != BASE_API_VERSION || Some(api.api_size) != size {
        return false;
    }
    let version = version();
    let layout = Layout::of(version);
    if version.is_none() {
        eprintln!("weir DAQ: {}", layout.describe());
    }
    *HOST.write().unwrap_or_else(PoisonError::into_inner) = Some(Host { api, layout });
    true
}

/// Forgets libdaq: no more calls before it loads the module again.
pub(super) fn forget() {
    *HOST.write().unwrap_or_else(PoisonError::into_inner) = None;
}

/// libdaq, if it has loaded the module.
pub(super) fn host() -> Option<Host> {
    *HOST.read().unwrap_or_else(PoisonError::into_inner)
}

/// What the libdaq of this process says of its version; none if there is no such function.
#[expect(unsafe_code, reason = "looks a function up and calls it")]
fn version() -> Option<u32> {
    type VersionNumber = unsafe extern "C" fn() -> u32;
    let process = Library::this();
    // SAFETY: in all releases of libdaq 3 the function of this name is of this type.
    let number = *unsafe { process.get::<VersionNumber>(c"daq_version_number") }.ok()?;
    // SAFETY: it takes nothing and returns a constant.
    Some(unsafe { number() })
}

/// The text at `from`; none if that is null.
#[expect(unsafe_code, reason = "reads a text of C")]
pub(super) fn text(from: *const c_char) -> Option<String> {
    if from.is_null() {
        return None;
    }
    // SAFETY: whoever gave the pointer gave a text that ends in a zero byte and stays for the call
    // (libdaq its configuration, the application a filter, libpcap its last error).
    let text = unsafe { CStr::from_ptr(from) };
    Some(text.to_string_lossy().into_owned())
}

#[expect(unsafe_code, reason = "calls of libdaq")]
impl Host {
    /// A configuration, to the last variable.
    ///
    /// # Safety
    /// `config` is a configuration of this libdaq.
    pub(super) unsafe fn configuration(&self, config: Opaque) -> Raw {
        let api = &self.api;
        let number = |ask: Option<unsafe extern "C" fn(Opaque) -> c_uint>| {
            // SAFETY: libdaq's own function, on a configuration of its own, as promised.
            ask.map_or(0, |ask| unsafe { ask(config) })
        };
        // SAFETY: as above.
        let input = api.config_get_input.and_then(|ask| text(unsafe { ask(config) }));
        // SAFETY: as above.
        let snap_bytes = api.config_get_snaplen.map_or(0, |ask| unsafe { ask(config) });
        let mut variables = Vec::new();
        let mut next = api.config_first_variable;
        while let Some(ask) = next.filter(|_| variables.len() < VARIABLES_MAX) {
            // SAFETY: as promised.
            let Some(variable) = (unsafe { variable(ask, config) }) else { break };
            variables.push(variable);
            next = api.config_next_variable;
        }
        Raw {
            input,
            snap_bytes,
            timeout_ms: number(api.config_get_timeout),
            messages: number(api.config_get_msg_pool_size),
            instances: number(api.config_get_total_instances),
            instance: number(api.config_get_instance_id),
            mode: number(api.config_get_mode),
            variables,
        }
    }

    /// Lets the application know why something did not work.
    ///
    /// # Safety
    /// `owner` is an instance of this libdaq.
    pub(super) unsafe fn set_error(&self, owner: Opaque, why: &str) {
        let without_zero = why.replace('\0', " ");
        if let (Some(set), Ok(why)) = (self.api.set_errbuf, CString::new(without_zero)) {
            // SAFETY: libdaq's own function, on an instance of its own, as promised; the format
            // takes one text, which is given.
            unsafe { set(owner, c"%s".as_ptr(), why.as_ptr()) };
        }
    }
}

/// One variable, by the function for the first or the next one; none after the last.
///
/// # Safety
/// `ask` and `config` are of one libdaq.
#[expect(unsafe_code, reason = "a call of libdaq")]
unsafe fn variable(ask: NextVariable, config: Opaque) -> Option<(String, Option<String>)> {
    let (mut name, mut value) = (ptr::null(), ptr::null());
    // SAFETY: as promised; both pointers are ours to be written.
    let result = unsafe { ask(config, &raw mut name, &raw mut value) };
    if result != 0 {
        return None;
    }
    Some((text(name)?, text(value)))
}

#[cfg(test)]
impl Host {
    /// A libdaq that can do nothing.
    pub(super) const fn deaf(layout: Layout) -> Self {
        let api = BaseApi {
            api_version: BASE_API_VERSION,
            api_size: 0,
            config_get_input: None,
            config_get_snaplen: None,
            config_get_timeout: None,
            config_get_msg_pool_size: None,
            config_get_total_instances: None,
            config_get_instance_id: None,
            config_get_mode: None,
            config_get_variable: None,
            config_first_variable: None,
            config_next_variable: None,
            resolve_subapi: None,
            set_errbuf: None,
        };
        Self { api, layout }
    }
}
