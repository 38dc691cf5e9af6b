//! A DAQ module: Snort 3 reads the packets of a running engine in place.
//!
//! `libdaq_weir.so` exports `DAQ_MODULE_DATA`, which libdaq 3 finds when it is told the module's
//! folder. Nothing of libdaq is linked or included: its layouts are written down in [`abi`].
//! `docs/SNORT.md` is for those who use it.
//!
//! What always holds:
//! - a message that the application has is backed by a packet that is held, and its bytes stay
//!   where they are until the message is finalized or the instance destroyed;
//! - messages are a fixed number and made when the instance is; receiving allocates nothing;
//! - every message comes back to the pool once, whatever the verdict;
//! - no panic gets out, and an instance that panicked only says so from then on.
//!
//! | part | what it is |
//! | --- | --- |
//! | `ffi` | all that touches C: the table of functions, libdaq's own functions, libpcap |
//! | `config` | what the application set up |
//! | `layout` | what differs between releases of libdaq |
//! | `instance` | one instance: its packets, verdicts and counts |
//! | `stream` | where packets come from: a reader of an engine |
//!
//! Absent on purpose: packets are not passed on, changed or injected. A verdict is recorded with
//! its flow and offered to the engine, and that is all.

mod config;
mod ffi;
mod instance;
mod layout;
mod stream;

pub use ffi::{DAQ_MODULE_DATA, abi};

use std::ffi::c_int;

/// Why something did not work: a number of [`abi::result`], and words.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Failure {
    pub(crate) code: c_int,
    pub(crate) text: String,
}

impl Failure {
    pub(crate) fn new(code: c_int, text: impl Into<String>) -> Self {
        Self { code, text: text.into() }
    }
}
