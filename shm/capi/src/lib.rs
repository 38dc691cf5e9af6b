//! `libweir.so`: the packets of a running engine for C programs, and for every language that can
//! call C.
//!
//! | part | what it is |
//! | --- | --- |
//! | [`types`] | what the header defines: structures and constants |
//! | [`ffi`] | the functions; all that touches a caller's pointers |
//! | `packets` | a reader with the packets in its hands: all that uses `weir-shm` |
//! | `names` | names of applications as C strings |
//!
//! What always holds:
//! - no panic leaves a function, and no failure ends the program;
//! - what a caller can get wrong without breaking a rule of the header (`NULL`, a packet released
//!   twice, a bad filter, too many packets held) is an error with words, not undefined behaviour;
//! - a structure changes only together with the number in the library's name (`build.rs`).

pub mod ffi;
pub mod types;

mod names;
mod packets;
