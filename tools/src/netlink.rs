//! What the kernel says of an interface, over netlink: which XDP features the driver has (family
//! `netdev`, `linux/netdev.h`), whether a program is attached (`IFLA_XDP`), and what its other end
//! is (`IFLA_LINK`). Unlike files under /sys, it speaks of the network namespace of who asks.

use std::io;
use std::os::fd::OwnedFd;

use rustix::net::{
    AddressFamily, Protocol, RecvFlags, SendFlags, SocketFlags, SocketType, netdevice, netlink,
    recv, send, socket_with,
};

/// What a driver can do with XDP.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Features(pub(crate) u64);

impl Features {
    const NATIVE: u64 = 1;
    const REDIRECT: u64 = 1 << 1;
    const TRANSMIT: u64 = 1 << 2;
    const ZERO_COPY: u64 = 1 << 3;
    const MULTI_BUFFER: u64 = 1 << 5;

    /// Runs programs in the driver, and they can hand packets to sockets.
    pub(crate) const fn native(self) -> bool {
        self.0 & (Features::NATIVE | Features::REDIRECT) == Features::NATIVE | Features::REDIRECT
    }

    /// Takes frames that XDP programs send it from elsewhere.
    pub(crate) const fn transmit(self) -> bool {
        self.0 & Features::TRANSMIT != 0
    }

    /// Writes packets straight into a socket's memory.
    pub(crate) const fn zero_copy(self) -> bool {
        self.0 & Features::ZERO_COPY != 0
    }

    /// Takes packets over several buffers.
    pub(crate) const fn multi_buffer(self) -> bool {
        self.0 & Features::MULTI_BUFFER != 0
    }
}

/// The features of the interface with this index.
///
/// # Errors
/// If the kernel is older than 6.3 and cannot be asked, or has no such interface.
pub(crate) fn features(index: u32) -> io::Result<Features> {
    const CONTROL: u16 = 0x10;
    const GET_FAMILY: u8 = 3;
    const FAMILY_ID: u16 = 1;
    const FAMILY_NAME: u16 = 2;
    const DEV_GET: u8 = 1;
    const DEV_INDEX: u16 = 1;
    const DEV_FEATURES: u16 = 3;
    let socket = open(Some(netlink::GENERIC))?;
    let generic = |command: u8, kind: u16, value: &[u8]| {
        let mut body = vec![command, 1, 0, 0];
        put(&mut body, kind, value);
        body
    };
    let answer = ask(&socket, CONTROL, &generic(GET_FAMILY, FAMILY_NAME, b"netdev\0"))?;
    let family = find(answer.get(4..).unwrap_or_default(), FAMILY_ID);
    let family = family.and_then(|value| value.first_chunk().copied()).map(u16::from_ne_bytes);
    let family = family.ok_or(io::ErrorKind::Unsupported)?;
    let answer = ask(&socket, family, &generic(DEV_GET, DEV_INDEX, &index.to_ne_bytes()))?;
    let value = find(answer.get(4..).unwrap_or_default(), DEV_FEATURES);
    let value = value.and_then(|value| value.first_chunk().copied()).map(u64::from_ne_bytes);
    value.map(Features).ok_or_else(|| io::ErrorKind::Unsupported.into())
}

/// The number of the XDP program on the interface with this index, if there is one.
///
/// # Errors
/// If there is no such interface.
pub(crate) fn attached(index: u32) -> io::Result<Option<u32>> {
    const XDP: u16 = 43;
    const ATTACHED: u16 = 2;
    const PROGRAM: u16 = 4;
    let answer = link(index)?;
    let Some(xdp) = find(answer.get(LINK_BYTES..).unwrap_or_default(), XDP) else {
        return Ok(None);
    };
    let mode = find(xdp, ATTACHED).and_then(|value| value.first().copied()).unwrap_or(0);
    let program = find(xdp, PROGRAM).and_then(|value| value.first_chunk().copied());
    Ok((mode != 0).then(|| program.map_or(0, u32::from_ne_bytes)))
}

/// What the interface with this index has sent, and dropped on its way out.
///
/// # Errors
/// If there is no such interface.
pub(crate) fn sent(index: u32) -> io::Result<Sent> {
    const STATISTICS: u16 = 23;
    let answer = link(index)?;
    let figures = find(answer.get(LINK_BYTES..).unwrap_or_default(), STATISTICS);
    // struct rtnl_link_stats64: packets, bytes, errors and drops, of each the received first.
    let word = |place: usize| {
        let bytes = figures.and_then(|figures| figures.get(place * 8..)?.first_chunk().copied());
        bytes.map_or(0, u64::from_ne_bytes)
    };
    Ok(Sent { packets: word(1), errors: word(5), dropped: word(7) })
}

/// What an interface counted on its way out.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub(crate) struct Sent {
    pub(crate) packets: u64,
    pub(crate) errors: u64,
    pub(crate) dropped: u64,
}

/// Whether the interface with this index is up, in the sense of `ip link set up`.
///
/// # Errors
/// If there is no such interface.
pub(crate) fn is_up(index: u32) -> io::Result<bool> {
    // struct ifinfomsg: family, type, index, flags.
    let answer = link(index)?;
    let flags = answer.get(8..).and_then(|flags| flags.first_chunk().copied());
    Ok(flags.map_or(0, u32::from_ne_bytes) & 1 != 0)
}

/// The interface at the other end of a veth pair with this index.
///
/// # Errors
/// If there is no such interface.
pub(crate) fn other_end(index: u32) -> io::Result<Option<u32>> {
    const LINK: u16 = 5;
    const NAMESPACE: u16 = 37;
    let answer = link(index)?;
    let attributes = answer.get(LINK_BYTES..).unwrap_or_default();
    // In another namespace, the number is another interface's here.
    if find(attributes, NAMESPACE).is_some() {
        return Ok(None);
    }
    let value = find(attributes, LINK).and_then(|value| value.first_chunk().copied());
    Ok(value.map(u32::from_ne_bytes).filter(|other| *other != 0 && *other != index))
}

/// The index of an interface.
///
/// # Errors
/// If there is no such interface.
pub(crate) fn index_of(name: &str) -> io::Result<u32> {
    let any = socket_with(AddressFamily::UNIX, SocketType::DGRAM, SocketFlags::CLOEXEC, None)?;
    Ok(netdevice::name_to_index(&any, name)?)
}

/// Bytes of `struct ifinfomsg`.
const LINK_BYTES: usize = 16;

/// What there is to know of an interface.
fn link(index: u32) -> io::Result<Vec<u8>> {
    const GET_LINK: u16 = 18;
    let socket = open(None)?;
    let mut body = vec![0; LINK_BYTES];
    body[4..8].copy_from_slice(&index.to_ne_bytes());
    ask(&socket, GET_LINK, &body)
}

fn open(protocol: Option<Protocol>) -> io::Result<OwnedFd> {
    let family = AddressFamily::NETLINK;
    Ok(socket_with(family, SocketType::RAW, SocketFlags::CLOEXEC, protocol)?)
}

/// Bytes of `struct nlmsghdr`.
const HEAD: usize = 16;

/// Sends one request and gives the body of its one answer.
fn ask(socket: &OwnedFd, kind: u16, body: &[u8]) -> io::Result<Vec<u8>> {
    const REQUEST: u16 = 1;
    const ERROR: u16 = 2;
    let length = u32::try_from(HEAD + body.len()).unwrap_or(u32::MAX);
    let mut message = Vec::with_capacity(HEAD + body.len());
    message.extend(length.to_ne_bytes());
    message.extend(kind.to_ne_bytes());
    message.extend(REQUEST.to_ne_bytes());
    // Sequence and port: one question, one answer, the kernel fills in the rest.
    message.extend([0; 8]);
    message.extend(body);
    send(socket, &message, SendFlags::empty())?;
    let mut answer = vec![0; 1 << 16];
    let (_, length) = recv(socket, &mut answer[..], RecvFlags::empty())?;
    answer.truncate(length);
    let kind = answer.get(4..6).and_then(|b| b.first_chunk().copied()).map(u16::from_ne_bytes);
    let error = answer.get(HEAD..).and_then(|b| b.first_chunk().copied()).map(i32::from_ne_bytes);
    match (kind, error) {
        (Some(ERROR), Some(number)) => Err(io::Error::from_raw_os_error(number.wrapping_neg())),
        (Some(_), _) => Ok(answer.split_off(HEAD.min(answer.len()))),
        (None, _) => Err(io::ErrorKind::InvalidData.into()),
    }
}

/// Appends an attribute.
fn put(body: &mut Vec<u8>, kind: u16, value: &[u8]) {
    let length = u16::try_from(4 + value.len()).unwrap_or(u16::MAX);
    body.extend(length.to_ne_bytes());
    body.extend(kind.to_ne_bytes());
    body.extend(value);
    body.resize(body.len().next_multiple_of(4), 0);
}

/// The value of the first attribute of this kind.
fn find(attributes: &[u8], kind: u16) -> Option<&[u8]> {
    /// Marks nested attributes and those in network order; not part of the kind.
    const FLAGS: u16 = 0xc000;
    let mut rest = attributes;
    loop {
        let (head, _) = rest.split_first_chunk::<4>()?;
        let [a, b, c, d] = *head;
        let length = usize::from(u16::from_ne_bytes([a, b]));
        let value = rest.get(4..length)?;
        if u16::from_ne_bytes([c, d]) & !FLAGS == kind {
            return Some(value);
        }
        rest = rest.get(length.next_multiple_of(4)..)?;
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn loopback_runs_no_program_and_has_no_zero_copy() {
        assert_eq!(attached(1).unwrap(), None);
        match features(1) {
            Ok(features) => assert!(!features.zero_copy()),
            Err(error) => eprintln!("SKIPPED features of lo: {error}"),
        }
        assert!(attached(u32::MAX >> 1).is_err());
        assert_eq!((index_of("lo").unwrap(), other_end(1).unwrap()), (1, None));
        assert!(index_of("nothing-here").is_err());
    }

    proptest! {
        /// Attributes are found again, and any bytes are survived.
        #[test]
        fn attributes(values in prop::collection::vec(any::<Vec<u8>>(), 1..5), junk: Vec<u8>) {
            let mut body = Vec::new();
            for (kind, value) in (1..).zip(&values) {
                put(&mut body, kind, value);
            }
            for (kind, value) in (1..).zip(&values) {
                prop_assert_eq!(find(&body, kind), Some(value.as_slice()));
            }
            prop_assert_eq!(find(&body, 100), None);
            let _ = find(&junk, 1);
        }
    }
}
