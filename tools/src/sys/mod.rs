//! The only room of `unsafe` in the tools: making a TAP interface and sending frames out of an
//! interface, for `weir feed`; a network namespace, for `weir bench live`; writes through `io_uring`, for
//! `weir record`. `docs/SAFETY.md` tells why it is sound.

#![expect(
    unsafe_code,
    reason = "ioctls of network devices, the address of a packet socket, namespaces, io_uring"
)]

use std::fs::File;
use std::io;
use std::os::fd::{AsFd, OwnedFd};

use rustix::fs::{Mode, OFlags, open};
use rustix::ioctl::{Opcode, Updater, ioctl};
use rustix::net::addr::{SocketAddrArg, SocketAddrLen, SocketAddrOpaque};
use rustix::net::{AddressFamily, SocketFlags, SocketType, bind, socket, socket_with};
use rustix::thread::{UnshareFlags, unshare_unsafe};

use crate::netlink;

pub(crate) mod uring;

/// Bytes of an interface's name, with the zero after it.
const NAME_BYTES: usize = 16;

/// `struct ifreq` where pointers have 64 bits: what Linux reads and writes in calls on interfaces.
#[derive(Clone, Copy)]
#[repr(C, align(8))]
struct Request {
    name: [u8; NAME_BYTES],
    value: [u8; 24],
}

const _: () = assert!(size_of::<Request>() == 40 && size_of::<usize>() == 8, "struct ifreq");

const TUNSETIFF: Opcode = 0x4004_54ca;
const SIOCGIFFLAGS: Opcode = 0x8913;
const SIOCSIFFLAGS: Opcode = 0x8914;
/// Whole frames, and nothing before them.
const TAP: u16 = 0x0002 | 0x1000;
/// `IFF_UP`.
const UP: u16 = 1;
/// `IFF_NOARP`: it answers nobody who asks for an address.
const NO_ARP: u16 = 0x80;

/// Attaches to a TAP interface; where there is none of this name it is made, and goes with the
/// descriptor. What is written is received on the interface.
///
/// # Errors
/// What the kernel says: no privilege, a name that is too long, another program that has it.
pub(crate) fn open_tap(name: &str) -> io::Result<File> {
    let device = open("/dev/net/tun", OFlags::RDWR | OFlags::CLOEXEC, Mode::empty())?;
    let mut request = named(name)?;
    set_flags(&mut request, TAP);
    call::<TUNSETIFF>(&device, &mut request)?;
    Ok(device.into())
}

/// Brings an interface up; one that is `silent` answers nobody.
///
/// # Errors
/// What the kernel says.
pub(crate) fn bring_up(name: &str, silent: bool) -> io::Result<()> {
    let any = socket(AddressFamily::UNIX, SocketType::DGRAM, None)?;
    let mut request = named(name)?;
    call::<SIOCGIFFLAGS>(&any, &mut request)?;
    let [low, high, ..] = request.value;
    let more = if silent { UP | NO_ARP } else { UP };
    set_flags(&mut request, u16::from_ne_bytes([low, high]) | more);
    call::<SIOCSIFFLAGS>(&any, &mut request)
}

/// A socket that sends frames out of an interface and receives none.
///
/// # Errors
/// No such interface, or no privilege.
pub(crate) fn open_link(name: &str) -> io::Result<OwnedFd> {
    let kind = SocketType::RAW;
    let link = socket_with(AddressFamily::PACKET, kind, SocketFlags::CLOEXEC, None)?;
    let index = i32::try_from(netlink::index_of(name)?).map_err(io::Error::other)?;
    bind(&link, &LinkAddress::of(index))?;
    Ok(link)
}

/// Moves the calling thread into a network namespace of its own. Threads and processes that it starts
/// from then on are in it, too; it ends with the last of them.
///
/// # Errors
/// What the kernel says: no privilege.
pub(crate) fn own_network() -> io::Result<()> {
    // SAFETY: only the network is parted from other threads', not the table of descriptors: each
    // thread sees the same open files as before.
    unsafe { unshare_unsafe(UnshareFlags::NEWNET) }?;
    Ok(())
}

fn named(name: &str) -> io::Result<Request> {
    let mut request = Request { name: [0; NAME_BYTES], value: [0; 24] };
    let usable = !name.is_empty() && name.len() < NAME_BYTES && !name.contains(['/', '\0', ' ']);
    let Some(place) = request.name.get_mut(..name.len()).filter(|_| usable) else {
        let advice = format!("an interface's name has 1 to 15 characters, {name:?} does not fit");
        return Err(io::Error::new(io::ErrorKind::InvalidInput, advice));
    };
    place.copy_from_slice(name.as_bytes());
    Ok(request)
}

fn set_flags(request: &mut Request, flags: u16) {
    let [low, high] = flags.to_ne_bytes();
    request.value = [0; 24];
    request.value[0] = low;
    request.value[1] = high;
}

fn call<const CODE: Opcode>(fd: impl AsFd, request: &mut Request) -> io::Result<()> {
    // SAFETY: the three codes used here take a pointer to a `struct ifreq`, and a `Request` is one.
    let call = unsafe { Updater::<'_, CODE, Request>::new(request) };
    // SAFETY: the request outlives the call, and is of integers only: whatever the kernel writes
    // there is a value.
    unsafe { ioctl(fd, call) }?;
    Ok(())
}

/// `struct sockaddr_ll`: a protocol of 0 receives nothing.
#[repr(C)]
struct LinkAddress {
    family: u16,
    protocol: u16,
    index: i32,
    hardware: u16,
    kind: u8,
    length: u8,
    address: [u8; 8],
}

const _: () = assert!(size_of::<LinkAddress>() == 20, "struct sockaddr_ll");

impl LinkAddress {
    const fn of(index: i32) -> LinkAddress {
        let family = AddressFamily::PACKET.as_raw();
        LinkAddress { family, protocol: 0, index, hardware: 0, kind: 0, length: 0, address: [0; 8] }
    }
}

// SAFETY: the pointer is to a whole `LinkAddress`, laid out as `struct sockaddr_ll`, and lives for
// the call; the length is its size.
unsafe impl SocketAddrArg for LinkAddress {
    unsafe fn with_sockaddr<R>(
        &self,
        f: impl FnOnce(*const SocketAddrOpaque, SocketAddrLen) -> R,
    ) -> R {
        const BYTES: SocketAddrLen = 20;
        f((&raw const *self).cast(), BYTES)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_fit_or_are_refused() {
        let request = named("weir0").unwrap();
        assert_eq!(request.name[..6], *b"weir0\0");
        assert!(named("a-name-of-16-let").is_err());
        assert!(named("").is_err());
        assert!(named("a/b").is_err());
    }

    #[test]
    fn flags_are_in_the_first_two_bytes() {
        let mut request = named("a").unwrap();
        request.value = [9; 24];
        set_flags(&mut request, TAP);
        assert_eq!(request.value[..3], [0x02, 0x10, 0]);
    }

    #[test]
    fn an_interface_that_is_not_there_is_said_so() {
        if rustix::process::geteuid().is_root() {
            assert_eq!(open_link("nothing-here").unwrap_err().raw_os_error(), Some(19));
        }
    }
}
