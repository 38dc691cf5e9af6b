//! libpcap for programs that know nothing of Weir: an engine is the interface `weir:NAME`.
//!
//! Loaded before the real library (`weir with -- PROGRAM …`), or linked in its place, this one
//! takes every call. A handle of an engine is a handle that the real library made for no device at
//! all, noted in a table; what concerns such a handle is done here, and everything else is passed
//! on unchanged. Compiling filters and writing files stay the real library's work.
//!
//! | module | what it does |
//! | --- | --- |
//! | `device`, `settings` | what a program asks for |
//! | `feed` | where packets come from: the only place that knows the engine |
//! | `session` | an activated handle, a packet at a time |
//! | `slot`, `table` | what belongs to a handle, and which handles are ours |
//! | `activate`, `reading` | from settings to a session; loops, limits, timeouts |
//! | `ffi` | the functions themselves, and all `unsafe` there is |
//!
//! What always holds: a call for a handle that is not ours costs one load more than without this
//! library; nothing unwinds into C; the program's callback runs while nothing is locked.

mod activate;
mod code;
mod device;
mod feed;
mod ffi;
mod reading;
mod session;
mod settings;
mod slot;
mod table;
mod text;
