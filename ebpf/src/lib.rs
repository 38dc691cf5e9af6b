//! Weir's XDP programs and their loader.
//!
//! The program looks at every frame once: it finds the innermost tuple, hashes it under a key so
//! that both directions of a flow give the same, picks the shard's AF_XDP socket on the frame's
//! queue, and leaves what it learned in the metadata before the frame. It counts every frame in and
//! every verdict. It never drops: a frame without a socket goes on to the kernel.
//!
//! The C lies in `src/bpf`; [`hash`], [`metadata`] and [`table`] are its twins in Rust, and tests
//! run the program on crafted packets to hold them together. Loading needs `CAP_BPF`,
//! `CAP_PERFMON` (the program subtracts packet pointers) and `CAP_NET_ADMIN`; attaching is by
//! `bpf_link`, so that the program leaves with its process.
//!
//! [`Live`] is another program: it makes traffic for tests, inside the kernel.

mod error;
pub mod hash;
mod live;
pub mod metadata;
mod program;
mod sys;
pub mod table;

pub use error::Error;
pub use live::{
    LIVE_BATCH, LIVE_FRAME_BYTES, LIVE_PATTERN, LIVE_STORE_BYTES, Live, LiveOrder, LiveOutcome,
    LivePace, LiveRun, LiveSettings, LiveState, LiveStep, LiveSynth, LiveWatch,
};
pub use program::{Attached, Attachment, AttachmentWish, Program, Run, Settings, Split};
