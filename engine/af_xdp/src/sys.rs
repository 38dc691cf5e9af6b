//! The system calls and the memory map, each wrapped once.
#![expect(unsafe_code, reason = "system calls and maps; the crate is a room of unsafe")]

use std::ffi::{CString, c_int, c_uint, c_void};
use std::io;
use std::mem::{size_of, zeroed};
use std::os::fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd, RawFd};
use std::ptr::{self, NonNull};

/// `SO_PREFER_BUSY_POLL` and `SO_BUSY_POLL_BUDGET` of `asm-generic/socket.h`.
pub(crate) const SO_PREFER_BUSY_POLL: c_int = 69;
pub(crate) const SO_BUSY_POLL_BUDGET: c_int = 70;

const MFD_HUGE_2MB: c_uint = 21 << 26;

/// A shared, writable map of a descriptor, unmapped on drop.
///
/// Invariant: `address .. address + len` is mapped readable and writable as long as this lives.
#[derive(Debug)]
pub(crate) struct Map {
    address: NonNull<u8>,
    len: usize,
}

// SAFETY: a map is plain memory, reachable from any thread of the process; who may touch which
// part of it when is decided by the types that are built on it.
unsafe impl Send for Map {}
// SAFETY: as above; the map itself offers only addresses, never references.
unsafe impl Sync for Map {}

impl Map {
    /// Maps `len` bytes from `offset` on; populated, so that no fault comes later.
    pub(crate) fn shared(fd: BorrowedFd<'_>, len: usize, offset: i64) -> io::Result<Map> {
        // SAFETY: a fresh map at an address of the kernel's choice disturbs no memory in use; the
        // kernel checks descriptor, length and offset.
        let address = unsafe {
            libc::mmap(
                ptr::null_mut(),
                len,
                libc::PROT_READ | libc::PROT_WRITE,
                libc::MAP_SHARED | libc::MAP_POPULATE,
                fd.as_raw_fd(),
                offset,
            )
        };
        if address == libc::MAP_FAILED {
            return Err(io::Error::last_os_error());
        }
        let address = NonNull::new(address.cast::<u8>())
            .ok_or_else(|| io::Error::from_raw_os_error(libc::ENOMEM))?;
        Ok(Map { address, len })
    }

    pub(crate) fn len(&self) -> usize {
        self.len
    }

    /// Where `count` values of `T` lie from byte `offset` on; none if they do not lie, aligned,
    /// within the map.
    pub(crate) fn place<T>(&self, offset: usize, count: usize) -> Option<NonNull<T>> {
        let bytes = size_of::<T>().checked_mul(count)?;
        let end = offset.checked_add(bytes)?;
        if end > self.len {
            return None;
        }
        // SAFETY: `offset <= len`, so the sum stays within (or one past) the mapped object.
        let place = unsafe { self.address.add(offset) }.cast::<T>();
        place.is_aligned().then_some(place)
    }
}

impl Drop for Map {
    fn drop(&mut self) {
        // SAFETY: address and length are those of a map made by `shared`, which only this drop
        // ends; every reference into it is bound to a type that owns or shares this value.
        let failed = unsafe { libc::munmap(self.address.as_ptr().cast::<c_void>(), self.len) };
        debug_assert_eq!(failed, 0, "unmapping what was mapped");
    }
}

pub(crate) fn page_bytes() -> usize {
    // SAFETY: sysconf has no preconditions.
    let bytes = unsafe { libc::sysconf(libc::_SC_PAGESIZE) };
    usize::try_from(bytes).unwrap_or(4096)
}

pub(crate) fn memfd(name: &str, huge: bool) -> io::Result<OwnedFd> {
    let name = CString::new(name)?;
    let huge = if huge { libc::MFD_HUGETLB | MFD_HUGE_2MB } else { 0 };
    let flags = libc::MFD_CLOEXEC | libc::MFD_ALLOW_SEALING | huge;
    // SAFETY: `name` is a NUL-terminated string that outlives the call.
    own(unsafe { libc::memfd_create(name.as_ptr(), flags) })
}

pub(crate) fn set_size(fd: BorrowedFd<'_>, bytes: usize) -> io::Result<()> {
    let bytes = i64::try_from(bytes).map_err(io::Error::other)?;
    // SAFETY: works on a borrowed, hence open, descriptor and touches no memory.
    done(unsafe { libc::ftruncate(fd.as_raw_fd(), bytes) })
}

pub(crate) fn seal(fd: BorrowedFd<'_>) -> io::Result<()> {
    let seals = libc::F_SEAL_FUTURE_WRITE | libc::F_SEAL_GROW | libc::F_SEAL_SHRINK;
    let seals = seals | libc::F_SEAL_SEAL;
    // SAFETY: works on a borrowed, hence open, descriptor and touches no memory.
    done(unsafe { libc::fcntl(fd.as_raw_fd(), libc::F_ADD_SEALS, seals) })
}

pub(crate) fn socket(family: c_int, kind: c_int, protocol: c_int) -> io::Result<OwnedFd> {
    // SAFETY: socket has no preconditions.
    own(unsafe { libc::socket(family, kind | libc::SOCK_CLOEXEC, protocol) })
}

/// A type that is plain data for the kernel: every byte pattern is a value, nothing is padding
/// that matters, no pointer is followed.
///
/// # Safety
/// Implementers are `repr(C)` structs of integers, or integers.
pub(crate) unsafe trait Plain: Copy {}
// SAFETY: an integer.
unsafe impl Plain for u32 {}
// SAFETY: an integer.
unsafe impl Plain for u64 {}
// SAFETY: an integer.
unsafe impl Plain for c_int {}
// SAFETY: integers in a repr(C) struct; its `addr` is never followed on our side.
unsafe impl Plain for libc::xdp_umem_reg {}
// SAFETY: integers in a repr(C) struct.
unsafe impl Plain for libc::xdp_desc {}
// SAFETY: integers in a repr(C) struct.
unsafe impl Plain for libc::xdp_mmap_offsets {}
// SAFETY: integers in a repr(C) struct.
unsafe impl Plain for libc::xdp_statistics {}
// SAFETY: integers in a repr(C) struct.
unsafe impl Plain for libc::xdp_options {}
// SAFETY: integers in a repr(C) struct.
unsafe impl Plain for libc::packet_mreq {}

/// Sets a socket option.
pub(crate) fn set<T: Plain>(
    fd: BorrowedFd<'_>,
    level: c_int,
    option: c_int,
    value: &T,
) -> io::Result<()> {
    let value: *const T = value;
    // SAFETY: pointer and length describe one live value of `T`, which the kernel only reads. The
    // one option whose value holds an address, `XDP_UMEM_REG`, is set by `Umem` alone, which keeps
    // that memory mapped for longer than the socket lives.
    done(unsafe { libc::setsockopt(fd.as_raw_fd(), level, option, value.cast(), length_of::<T>()) })
}

/// Reads a socket option; what the kernel leaves out (an older, shorter struct) stays zero.
pub(crate) fn get<T: Plain>(fd: BorrowedFd<'_>, level: c_int, option: c_int) -> io::Result<T> {
    let mut length = length_of::<T>();
    // SAFETY: `T: Plain`: all zeros is a value of it.
    let mut value: T = unsafe { zeroed() };
    let into: *mut T = &raw mut value;
    // SAFETY: pointer and length describe one live value that the kernel may overwrite with any
    // bytes (`T: Plain`), at most `length` of them.
    done(unsafe { libc::getsockopt(fd.as_raw_fd(), level, option, into.cast(), &raw mut length) })?;
    Ok(value)
}

/// Binds an AF_XDP socket.
pub(crate) fn bind_xdp(fd: BorrowedFd<'_>, to: &libc::sockaddr_xdp) -> io::Result<()> {
    let address: *const libc::sockaddr_xdp = to;
    let length = length_of::<libc::sockaddr_xdp>();
    // SAFETY: pointer and length describe one live sockaddr_xdp, which the kernel only reads.
    done(unsafe { libc::bind(fd.as_raw_fd(), address.cast(), length) })
}

/// Receives nothing, without waiting: lets the kernel work on the receive side of the socket.
pub(crate) fn kick_receive(fd: RawFd) {
    // SAFETY: a null buffer of length zero is allowed; AF_XDP receives into the rings.
    // The answer is of no use: whatever it is, the rings tell what happened.
    unsafe {
        libc::recvfrom(fd, ptr::null_mut(), 0, libc::MSG_DONTWAIT, ptr::null_mut(), ptr::null_mut())
    };
}

/// Sends nothing, without waiting: lets the kernel work on the send side of the socket.
pub(crate) fn kick_send(fd: RawFd) {
    // SAFETY: a null buffer of length zero is allowed; AF_XDP sends from the rings.
    unsafe { libc::sendto(fd, ptr::null(), 0, libc::MSG_DONTWAIT, ptr::null(), 0) };
}

/// The interface's index in the calling thread's network namespace.
pub(crate) fn interface_index(name: &str) -> io::Result<u32> {
    let name = CString::new(name)?;
    // SAFETY: `name` is a NUL-terminated string that outlives the call.
    match unsafe { libc::if_nametoindex(name.as_ptr()) } {
        0 => Err(io::Error::last_os_error()),
        index => Ok(index),
    }
}

/// `struct ifreq` as `SIOCETHTOOL` uses it.
#[repr(C)]
struct EthtoolRequest {
    name: [u8; libc::IFNAMSIZ],
    data: *mut c_void,
    // The union in ifreq is larger than a pointer; the kernel copies all of it.
    rest: [u64; 2],
}

/// Asks `SIOCETHTOOL`. `words` begins with the command; the kernel reads and writes it.
///
/// The caller gives as many words as the command's struct has in `linux/ethtool.h`, including
/// variable parts whose size it states in the struct.
pub(crate) fn ethtool(interface: &str, words: &mut [u32]) -> io::Result<()> {
    const SIOCETHTOOL: libc::c_ulong = 0x8946;
    let name = request_name(interface)?;
    let mut request = EthtoolRequest { name, data: ptr::null_mut(), rest: [0; 2] };
    request.data = words.as_mut_ptr().cast();
    let socket = socket(libc::AF_INET, libc::SOCK_DGRAM, 0)?;
    // SAFETY: the request outlives the call; its `data` points to `words`, whose length covers what
    // the command moves: the only callers are in `netdev`, which size it by the command's struct.
    done(unsafe { libc::ioctl(socket.as_raw_fd(), SIOCETHTOOL, &raw mut request) })
}

/// Whether there is an interface of this index in the calling thread's network namespace.
pub(crate) fn has_interface(index: u32) -> bool {
    let mut name = [0 as libc::c_char; libc::IFNAMSIZ];
    // SAFETY: the kernel's names fit IFNAMSIZ bytes with their zero, and so many are there.
    unsafe { !libc::if_indextoname(index, name.as_mut_ptr()).is_null() }
}

/// The interface's MTU.
pub(crate) fn mtu(interface: &str) -> io::Result<i32> {
    Ok(ask(interface, libc::SIOCGIFMTU)?[0])
}

/// The interface's flags, `IFF_UP` and so on.
pub(crate) fn flags(interface: &str) -> io::Result<c_int> {
    // A short at the start of the union, which was all zeros before.
    let [low, high, ..] = ask(interface, libc::SIOCGIFFLAGS)?[0].to_ne_bytes();
    Ok(c_int::from(u16::from_ne_bytes([low, high])))
}

/// The union in `struct ifreq` after one of the requests that write nothing but that.
fn ask(interface: &str, what: libc::Ioctl) -> io::Result<[c_int; 6]> {
    #[repr(C)]
    struct Request {
        name: [u8; libc::IFNAMSIZ],
        union: [c_int; 6],
    }
    const { assert!(size_of::<Request>() == size_of::<libc::ifreq>()) };
    let mut request = Request { name: request_name(interface)?, union: [0; 6] };
    let socket = socket(libc::AF_INET, libc::SOCK_DGRAM, 0)?;
    // SAFETY: the request is as large as `struct ifreq` and outlives the call.
    done(unsafe { libc::ioctl(socket.as_raw_fd(), what, &raw mut request) })?;
    Ok(request.union)
}

/// An interface's name as `struct ifreq` has it.
fn request_name(interface: &str) -> io::Result<[u8; libc::IFNAMSIZ]> {
    let mut name = [0; libc::IFNAMSIZ];
    match name.get_mut(..interface.len()) {
        // The last byte stays zero.
        Some(start) if interface.len() < libc::IFNAMSIZ => {
            start.copy_from_slice(interface.as_bytes());
        }
        _ => return Err(io::Error::from_raw_os_error(libc::ENODEV)),
    }
    Ok(name)
}

#[expect(clippy::cast_possible_truncation, reason = "checked when compiled")]
fn length_of<T>() -> libc::socklen_t {
    const { assert!(size_of::<T>() <= 256, "socket options are small") };
    size_of::<T>() as libc::socklen_t
}

fn own(fd: c_int) -> io::Result<OwnedFd> {
    if fd < 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: the call succeeded, so this is a new descriptor that nothing else owns.
    Ok(unsafe { OwnedFd::from_raw_fd(fd) })
}

fn done(result: c_int) -> io::Result<()> {
    if result < 0 { Err(io::Error::last_os_error()) } else { Ok(()) }
}
