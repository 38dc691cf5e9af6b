//! What libbpf-rs does not wrap, and the generated skeleton.
#![expect(unsafe_code, reason = "calls of libbpf and the generated skeleton; a room of unsafe")]

use std::io;
use std::os::fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd};
use std::time::Duration;

use libbpf_rs::libbpf_sys;

/// The skeleton that the build script generated.
pub(crate) mod skeleton {
    #![allow(warnings, clippy::all, clippy::pedantic, clippy::restriction, reason = "generated")]
    include!(concat!(env!("OUT_DIR"), "/weir.skel.rs"));
}

/// The same for live frames.
pub(crate) mod live {
    #![allow(warnings, clippy::all, clippy::pedantic, clippy::restriction, reason = "generated")]
    include!(concat!(env!("OUT_DIR"), "/live.skel.rs"));
}

/// Attaches an XDP program by a link, in the mode that `flags` names. The program stays as long as
/// the descriptor, and thus no longer than the process.
pub(crate) fn attach(
    program: BorrowedFd<'_>,
    interface_index: i32,
    flags: u32,
) -> io::Result<OwnedFd> {
    // SAFETY: the options are integers and a size, for all of which zero is a value.
    let mut options: libbpf_sys::bpf_link_create_opts = unsafe { std::mem::zeroed() };
    options.sz = size_of_val(&options) as u64;
    options.flags = flags;
    // SAFETY: the descriptor is borrowed, hence open, and the options outlive the call.
    let link = unsafe {
        libbpf_sys::bpf_link_create(
            program.as_raw_fd(),
            interface_index,
            libbpf_sys::BPF_XDP,
            &raw const options,
        )
    };
    if link < 0 {
        return Err(io::Error::from_raw_os_error(-link));
    }
    // SAFETY: the call succeeded, so this is a new descriptor that nothing else owns.
    Ok(unsafe { OwnedFd::from_raw_fd(link) })
}

/// What running a program on one packet gave.
#[derive(Debug)]
pub(crate) struct Ran {
    /// The verdict.
    pub(crate) verdict: u32,
    /// Metadata, if there is any, and the packet.
    pub(crate) data: Vec<u8>,
    /// Mean time of a run.
    pub(crate) mean: Duration,
}

/// Runs a program on a packet `repeat` times (`BPF_PROG_TEST_RUN`).
pub(crate) fn test_run(program: BorrowedFd<'_>, packet: &[u8], repeat: i32) -> io::Result<Ran> {
    let mut data = vec![0_u8; packet.len() + 256];
    // SAFETY: the options are integers, pointers and a size, for all of which zero is a value.
    let mut options: libbpf_sys::bpf_test_run_opts = unsafe { std::mem::zeroed() };
    let too_long = |_| io::Error::from_raw_os_error(libc::E2BIG);
    options.sz = size_of_val(&options) as u64;
    options.data_in = packet.as_ptr().cast();
    options.data_size_in = u32::try_from(packet.len()).map_err(too_long)?;
    options.data_out = data.as_mut_ptr().cast();
    options.data_size_out = u32::try_from(data.len()).map_err(too_long)?;
    options.repeat = repeat;
    // SAFETY: the descriptor is borrowed, hence open; both buffers outlive the call, and their
    // lengths are given with them.
    let result =
        unsafe { libbpf_sys::bpf_prog_test_run_opts(program.as_raw_fd(), &raw mut options) };
    if result < 0 {
        return Err(io::Error::from_raw_os_error(-result));
    }
    data.truncate(options.data_size_out as usize);
    let mean = Duration::from_nanos(u64::from(options.duration));
    Ok(Ran { verdict: options.retval, data, mean })
}

/// Runs a program on so many frames that go where it says (`BPF_F_TEST_XDP_LIVE_FRAMES`), each
/// beginning as `blank`; the kernel takes `batch` of them in hand at once.
pub(crate) fn run_live(
    program: BorrowedFd<'_>,
    blank: &[u8],
    frames: u32,
    batch: u32,
) -> io::Result<()> {
    const LIVE_FRAMES: u32 = 1 << 1;
    // SAFETY: the options are integers, pointers and a size, for all of which zero is a value.
    let mut options: libbpf_sys::bpf_test_run_opts = unsafe { std::mem::zeroed() };
    let too_long = |_| io::Error::from_raw_os_error(libc::E2BIG);
    options.sz = size_of_val(&options) as u64;
    options.data_in = blank.as_ptr().cast();
    options.data_size_in = u32::try_from(blank.len()).map_err(too_long)?;
    // The kernel takes it for unsigned.
    options.repeat = frames.cast_signed();
    options.batch_size = batch;
    options.flags = LIVE_FRAMES;
    // SAFETY: the descriptor is borrowed, hence open; the kernel reads the buffer, which outlives
    // the call and whose length is given, and writes none.
    let result =
        unsafe { libbpf_sys::bpf_prog_test_run_opts(program.as_raw_fd(), &raw mut options) };
    if result < 0 { Err(io::Error::from_raw_os_error(-result)) } else { Ok(()) }
}
