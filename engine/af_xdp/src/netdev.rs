//! What one has to know about an interface to capture from it, asked in the calling thread's
//! network namespace.

use std::os::fd::{AsFd, OwnedFd};

use crate::error::{Error, Step};
use crate::sys;

/// Commands of `linux/ethtool.h`.
const ETHTOOL_GDRVINFO: u32 = 0x03;
const ETHTOOL_GRXRINGS: u32 = 0x2d;
const ETHTOOL_GCHANNELS: u32 = 0x3c;
const ETHTOOL_GRSSH: u32 = 0x46;
const ETHTOOL_SRSSH: u32 = 0x47;

/// The interface's index.
///
/// # Errors
/// When there is no interface of that name.
pub fn index(interface: &str) -> Result<u32, Error> {
    sys::interface_index(interface)
        .map_err(|os| Error::at(Step::FindInterface, interface, None, os))
}

/// Whether there is an interface of this index.
pub fn exists(index: u32) -> bool {
    sys::has_interface(index)
}

/// Whether there is an interface of this name, and it is up (set so, whatever the cable says).
pub fn is_up(interface: &str) -> bool {
    sys::flags(interface).is_ok_and(|flags| flags & libc::IFF_UP != 0)
}

/// The interface's MTU: bytes that a frame may have after its Ethernet header.
///
/// # Errors
/// When there is no interface of that name.
pub fn mtu(interface: &str) -> Result<u32, Error> {
    let mtu =
        sys::mtu(interface).map_err(|os| Error::at(Step::FindInterface, interface, None, os))?;
    Ok(u32::try_from(mtu).unwrap_or(0))
}

/// How many receive queues are in use: channels, else receive rings, else one.
pub fn receive_queues(interface: &str) -> u32 {
    receive_queues_told(interface).unwrap_or(1)
}

/// The same as far as the driver tells; none also from an interface that is just going.
pub fn receive_queues_told(interface: &str) -> Option<u32> {
    // struct ethtool_channels: command, four maxima, then rx, tx, other, combined.
    let mut channels = [0_u32; 9];
    channels[0] = ETHTOOL_GCHANNELS;
    if sys::ethtool(interface, &mut channels).is_ok() {
        let queues = channels[5].saturating_add(channels[8]);
        if queues != 0 {
            return Some(queues);
        }
    }
    // struct ethtool_rxnfc: command, flow type, a 64-bit word which is the answer, and the rest.
    let mut rings = [0_u32; 64];
    rings[0] = ETHTOOL_GRXRINGS;
    match sys::ethtool(interface, &mut rings) {
        Ok(()) if rings[2] != 0 => Some(rings[2]),
        _ => None,
    }
}

/// The driver's name; none if the interface has no such notion.
pub fn driver(interface: &str) -> Option<String> {
    // struct ethtool_drvinfo: command, then the name in 32 bytes, then 160 more bytes.
    let mut info = [0_u32; 50];
    info[0] = ETHTOOL_GDRVINFO;
    sys::ethtool(interface, &mut info).ok()?;
    let bytes: Vec<u8> = info[1..9].iter().flat_map(|word| word.to_ne_bytes()).collect();
    let name = bytes.split(|byte| *byte == 0).next().unwrap_or_default();
    (!name.is_empty()).then(|| String::from_utf8_lossy(name).into_owned())
}

/// Makes the interface promiscuous as long as this lives, even if the process is killed.
#[derive(Debug)]
pub struct Promiscuous {
    _membership: OwnedFd,
}

impl Promiscuous {
    /// Joins.
    ///
    /// # Errors
    /// Without `CAP_NET_RAW`, or without such an interface.
    pub fn join(interface: &str) -> Result<Promiscuous, Error> {
        let error = |os| Error::at(Step::AskInterface, interface, None, os);
        let index = index(interface)?;
        // Protocol 0: the socket is only there for the membership and receives nothing.
        let socket = sys::socket(libc::AF_PACKET, libc::SOCK_RAW, 0).map_err(error)?;
        let membership = libc::packet_mreq {
            mr_ifindex: i32::try_from(index).unwrap_or(i32::MAX),
            mr_type: PACKET_MR_PROMISC,
            mr_alen: 0,
            mr_address: [0; 8],
        };
        let option = libc::PACKET_ADD_MEMBERSHIP;
        sys::set(socket.as_fd(), libc::SOL_PACKET, option, &membership).map_err(error)?;
        Ok(Promiscuous { _membership: socket })
    }
}

const PACKET_MR_PROMISC: u16 = 1;

/// How the NIC's receive hash was made the same for both directions of a flow.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Symmetry {
    /// The NIC XORs source and destination before it hashes (`symmetric-xor`).
    Xor,
    /// A Toeplitz key of two repeating bytes.
    RepeatedKey,
}

/// A NIC whose receive hash was made symmetric; put back as it was on drop.
#[derive(Debug)]
pub struct SymmetricRss {
    interface: String,
    obtained: Symmetry,
    before: Rss,
}

impl SymmetricRss {
    /// Makes the receive hash symmetric, by XOR where the NIC can, else by key, and reads it back.
    ///
    /// # Errors
    /// When the driver refuses both; the error is the last refusal.
    pub fn set(interface: &str) -> Result<SymmetricRss, Error> {
        let error = |os| Error::at(Step::AskInterface, interface, None, os);
        let before = Rss::read(interface).map_err(error)?;
        let mut obtained = None;
        let xor = Rss { transform: TRANSFORM_SYMMETRIC_XOR, ..before.clone() };
        if xor.write(interface).is_ok() {
            let now = Rss::read(interface).map_err(error)?;
            if now.transform & TRANSFORM_SYMMETRIC_XOR != 0 {
                obtained = Some(Symmetry::Xor);
            }
        }
        if obtained.is_none() {
            let key = REPEATED_KEY.iter().copied().cycle().take(before.key.len()).collect();
            let wanted = Rss { function: HASH_TOEPLITZ, key, ..before.clone() };
            wanted.write(interface).map_err(error)?;
            let now = Rss::read(interface).map_err(error)?;
            if now.key == wanted.key && now.function & HASH_TOEPLITZ != 0 && !now.key.is_empty() {
                obtained = Some(Symmetry::RepeatedKey);
            }
        }
        let refused = || error(std::io::Error::from_raw_os_error(libc::EOPNOTSUPP));
        let obtained = obtained.ok_or_else(refused)?;
        Ok(SymmetricRss { interface: interface.to_owned(), obtained, before })
    }

    /// What was obtained.
    pub const fn obtained(&self) -> Symmetry {
        self.obtained
    }
}

impl Drop for SymmetricRss {
    fn drop(&mut self) {
        // If it cannot be put back there is nobody left to tell, and the NIC works either way.
        drop(self.before.write(&self.interface));
    }
}

/// With this key, repeated, Toeplitz gives the same for (a, b) and (b, a).
const REPEATED_KEY: [u8; 2] = [0x6d, 0x5a];
const HASH_TOEPLITZ: u8 = 1;
const TRANSFORM_SYMMETRIC_XOR: u8 = 1;
/// "Leave the indirection table as it is."
const TABLE_NO_CHANGE: u32 = u32::MAX;

/// The parts of `struct ethtool_rxfh` that matter here.
#[derive(Clone, Debug)]
struct Rss {
    function: u8,
    transform: u8,
    key: Vec<u8>,
}

impl Rss {
    /// Words before the variable part: command, context, table size, key size, the four bytes of
    /// function, transformation and reserve, and a reserved word.
    const HEAD: usize = 6;

    fn read(interface: &str) -> std::io::Result<Rss> {
        let mut sizes = [0; Rss::HEAD];
        sizes[0] = ETHTOOL_GRSSH;
        sys::ethtool(interface, &mut sizes)?;
        let (table_words, key_bytes) = (sizes[2] as usize, sizes[3] as usize);
        // Drivers have at most some thousands of entries; refuse nonsense instead of allocating.
        if table_words > 1 << 16 || key_bytes > 1 << 10 {
            return Err(std::io::Error::from_raw_os_error(libc::EOPNOTSUPP));
        }
        let mut words = vec![0; Rss::HEAD + table_words + key_bytes.div_ceil(4)];
        words[..Rss::HEAD].copy_from_slice(&sizes);
        sys::ethtool(interface, &mut words)?;
        let [function, transform, ..] = words[4].to_ne_bytes();
        let key = words[Rss::HEAD + table_words..].iter().flat_map(|word| word.to_ne_bytes());
        Ok(Rss { function, transform, key: key.take(key_bytes).collect() })
    }

    fn write(&self, interface: &str) -> std::io::Result<()> {
        let mut words = vec![0; Rss::HEAD + self.key.len().div_ceil(4)];
        words[0] = ETHTOOL_SRSSH;
        words[2] = TABLE_NO_CHANGE;
        words[3] = u32::try_from(self.key.len()).unwrap_or(0);
        words[4] = u32::from_ne_bytes([self.function, self.transform, 0, 0]);
        for (word, bytes) in words[Rss::HEAD..].iter_mut().zip(self.key.chunks(4)) {
            let mut whole = [0; 4];
            whole[..bytes.len()].copy_from_slice(bytes);
            *word = u32::from_ne_bytes(whole);
        }
        sys::ethtool(interface, &mut words)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn loopback_is_there_and_nothing_else_is() {
        assert_eq!(index("lo").unwrap(), 1);
        assert_eq!(receive_queues("lo"), 1);
        assert!(mtu("lo").unwrap() >= 1500);
        assert!(exists(1) && !exists(u32::MAX));
        assert!(!is_up("no-such-if"));
        let missing = index("no-such-if").unwrap_err();
        assert_eq!(missing.os_error(), Some(libc::ENODEV));
        assert!(missing.to_string().contains("ip link"));
        assert!(SymmetricRss::set("lo").is_err());
    }
}
