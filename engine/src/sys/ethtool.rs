//! What a driver says of its interface: the `SIOCETHTOOL` requests of `linux/ethtool.h`.
//!
//! Reads only; nothing here changes a setting. Needs no privilege. Interfaces are looked up in the
//! calling thread's network namespace.
//!
//! Every request is a buffer of 32-bit words that begins with the command and is as long as the
//! longest answer to it. That is what makes the one `unsafe` call sound, so each request states
//! how long its answer can be.

use std::io;
use std::os::fd::{AsFd, AsRawFd, OwnedFd};

use rustix::net::{AddressFamily, SocketFlags, SocketType, socket_with};

const GDRVINFO: u32 = 0x03;
const GRINGPARAM: u32 = 0x10;
const GSTRINGS: u32 = 0x1b;
const GSSET_INFO: u32 = 0x37;
const GFEATURES: u32 = 0x3a;
const GCHANNELS: u32 = 0x3c;
const GRSSH: u32 = 0x46;

/// The string set with the names of the offloads.
const SET_FEATURES: u32 = 4;
/// Bytes of one name in a string set.
const NAME_BYTES: usize = 32;
/// Features, table entries and key bytes beyond this are no answer that makes sense.
const MANY: usize = 1 << 16;

/// One interface.
#[derive(Debug)]
pub struct Ethtool {
    socket: OwnedFd,
    name: [u8; libc::IFNAMSIZ],
}

/// One offload (`rx-gro`, `rx-lro` …).
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Feature {
    /// The name, as `ethtool -k` shows it in its long form.
    pub name: String,
    /// Whether it is on.
    pub active: bool,
    /// Whether it can never be changed.
    pub fixed: bool,
}

/// Queues.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub struct Channels {
    /// Receive queues at most.
    pub rx_max: u32,
    /// Receive queues in use.
    pub rx: u32,
}

/// Descriptors of a receive ring.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub struct Rings {
    /// At most.
    pub rx_max: u32,
    /// In use.
    pub rx: u32,
}

/// How the NIC spreads packets over its queues.
#[derive(Clone, PartialEq, Eq, Default, Debug)]
pub struct Rss {
    /// Queue by hash.
    pub table: Vec<u32>,
    /// The hash's key.
    pub key: Vec<u8>,
    /// Whether the hash is Toeplitz.
    pub toeplitz: bool,
    /// Whether source and destination are joined by XOR before they are hashed.
    pub symmetric_xor: bool,
}

impl Rss {
    /// Whether both directions of a flow come to the same queue: by XOR, or because the key
    /// repeats every two bytes.
    pub fn symmetric(&self) -> bool {
        let repeats =
            self.key.len() > 2 && self.key.iter().zip(&self.key[2..]).all(|(a, b)| a == b);
        self.symmetric_xor || (self.toeplitz && repeats)
    }
}

impl Ethtool {
    /// Asks about `interface`.
    ///
    /// # Errors
    /// If the name is longer than names of interfaces are, or no socket can be made.
    pub fn open(interface: &str) -> io::Result<Ethtool> {
        let mut name = [0; libc::IFNAMSIZ];
        // The last byte stays zero.
        if interface.len() >= name.len() || interface.contains('\0') {
            return Err(io::Error::from_raw_os_error(libc::ENODEV));
        }
        name[..interface.len()].copy_from_slice(interface.as_bytes());
        let (family, kind) = (AddressFamily::INET, SocketType::DGRAM);
        let socket = socket_with(family, kind, SocketFlags::CLOEXEC, None)?;
        Ok(Ethtool { socket, name })
    }

    /// The driver's name.
    ///
    /// # Errors
    /// If there is no such interface, or its driver does not say.
    pub fn driver(&self) -> io::Result<String> {
        // struct ethtool_drvinfo is 196 bytes; the name is the first text in it.
        let mut words = request(GDRVINFO, 49);
        self.ask(&mut words)?;
        Ok(text(&bytes(&words[1..9])))
    }

    /// Receive queues: those of their own and the combined ones.
    ///
    /// # Errors
    /// If there is no such interface, or its driver has no notion of queues.
    pub fn channels(&self) -> io::Result<Channels> {
        // struct ethtool_channels: maxima of rx, tx, other, combined; then the same in use.
        let mut words = request(GCHANNELS, 9);
        self.ask(&mut words)?;
        let both = |own: usize, combined: usize| words[own].saturating_add(words[combined]);
        Ok(Channels { rx_max: both(1, 4), rx: both(5, 8) })
    }

    /// Descriptors of the receive rings.
    ///
    /// # Errors
    /// If there is no such interface, or its driver does not say.
    pub fn rings(&self) -> io::Result<Rings> {
        // struct ethtool_ringparam: maxima of rx, mini, jumbo, tx; then the same in use.
        let mut words = request(GRINGPARAM, 9);
        self.ask(&mut words)?;
        Ok(Rings { rx_max: words[1], rx: words[5] })
    }

    /// The receive hash.
    ///
    /// # Errors
    /// If there is no such interface, or it does not hash.
    pub fn rss(&self) -> io::Result<Rss> {
        // struct ethtool_rxfh: context, table size, key size, four bytes, a reserved word; with
        // both sizes zero the kernel answers them, with the right ones it fills in what they count.
        const HEAD: usize = 6;
        let mut sizes = request(GRSSH, HEAD);
        self.ask(&mut sizes)?;
        let (entries, key_bytes) = (plausible(sizes[2])?, plausible(sizes[3])?);
        let mut words = request(GRSSH, HEAD + entries + key_bytes.div_ceil(4));
        (words[2], words[3]) = (sizes[2], sizes[3]);
        self.ask(&mut words)?;
        let [function, transform, ..] = words[4].to_ne_bytes();
        let mut key = bytes(&words[HEAD + entries..]);
        key.truncate(key_bytes);
        Ok(Rss {
            table: words[HEAD..HEAD + entries].to_vec(),
            key,
            toeplitz: function & 1 != 0,
            symmetric_xor: transform & 1 != 0,
        })
    }

    /// Every offload the kernel knows of.
    ///
    /// # Errors
    /// If there is no such interface.
    pub fn features(&self) -> io::Result<Vec<Feature>> {
        // struct ethtool_sset_info: a reserved word, a 64-bit mask, then a count for each bit set.
        let mut info = request(GSSET_INFO, 5);
        // The mask is 64 bits wide in the order of the machine; its low word is the first here.
        info[2] = 1 << SET_FEATURES;
        self.ask(&mut info)?;
        let count = plausible(info[4])?;
        let names = self.feature_names(count)?;
        // struct ethtool_gfeatures: a count of blocks, then available, requested, active and
        // never-changed bits of each.
        let blocks = count.div_ceil(32);
        let mut words = request(GFEATURES, 2 + 4 * blocks);
        words[1] = u32::try_from(blocks).unwrap_or(0);
        self.ask(&mut words)?;
        let bit = |index: usize, of: usize| words[2 + index / 32 * 4 + of] >> (index % 32) & 1 != 0;
        let all = names.into_iter().enumerate().filter(|(_, name)| !name.is_empty());
        Ok(all
            .map(|(at, name)| Feature {
                name,
                active: bit(at, 2),
                fixed: bit(at, 3) || !bit(at, 0),
            })
            .collect())
    }

    fn feature_names(&self, count: usize) -> io::Result<Vec<String>> {
        // struct ethtool_gstrings: the set, a count, and so many names. The kernel writes as many
        // as it has, whatever we say; that number is fixed when it is built.
        let mut words = request(GSTRINGS, 3 + count * NAME_BYTES / 4);
        words[1] = SET_FEATURES;
        words[2] = u32::try_from(count).unwrap_or(0);
        self.ask(&mut words)?;
        Ok(bytes(&words[3..]).chunks(NAME_BYTES).map(text).collect())
    }

    /// One request. The answer comes into `words`, which is as long as the answer can be.
    fn ask(&self, words: &mut [u32]) -> io::Result<()> {
        let fd = self.socket.as_fd().as_raw_fd();
        ioctl(fd, &self.name, words)
    }
}

/// A request with room for an answer of so many words.
fn request(command: u32, words: usize) -> Vec<u32> {
    let mut request = vec![0; words];
    request[0] = command;
    request
}

/// A count from the kernel, refused where no driver could mean it.
fn plausible(count: u32) -> io::Result<usize> {
    let count = usize::try_from(count).unwrap_or(usize::MAX);
    if count > MANY { Err(io::Error::from_raw_os_error(libc::EOPNOTSUPP)) } else { Ok(count) }
}

fn bytes(words: &[u32]) -> Vec<u8> {
    words.iter().flat_map(|word| word.to_ne_bytes()).collect()
}

/// The text before the first zero.
fn text(bytes: &[u8]) -> String {
    let end = bytes.iter().position(|byte| *byte == 0).unwrap_or(bytes.len());
    String::from_utf8_lossy(&bytes[..end]).into_owned()
}

/// `struct ifreq` with the pointer that ethtool uses; as long as the kernel's.
#[repr(C)]
struct Request {
    name: [u8; libc::IFNAMSIZ],
    data: *mut u32,
    /// The union in `struct ifreq` has 24 bytes.
    _rest: [u64; 2],
}

const _: () = assert!(size_of::<Request>() == size_of::<libc::ifreq>());

#[expect(unsafe_code, reason = "the request names its answer's memory by a pointer")]
fn ioctl(fd: i32, name: &[u8; libc::IFNAMSIZ], words: &mut [u32]) -> io::Result<()> {
    const SIOCETHTOOL: libc::Ioctl = 0x8946;
    let mut request = Request { name: *name, data: words.as_mut_ptr(), _rest: [0; 2] };
    // SAFETY: `request` has the layout and size of `struct ifreq` and lives through the call; its
    // pointer is to `words`, borrowed mutably for as long. Each caller in this module makes
    // `words` as long as the kernel's longest answer to its command (the comment there says which
    // structure that is), so the kernel writes inside it; any bytes are valid `u32`s.
    let answer = unsafe { libc::ioctl(fd, SIOCETHTOOL, &raw mut request) };
    if answer < 0 { Err(io::Error::last_os_error()) } else { Ok(()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn loopback_has_offloads_and_nothing_has_no_name() {
        let features = Ethtool::open("lo").unwrap().features().unwrap();
        let gro = features.iter().find(|feature| feature.name == "rx-gro").unwrap();
        assert!(!gro.fixed, "GRO can be switched on every interface");
        assert!(features.len() > 30);
        let missing = Ethtool::open("no-such-if").unwrap().features().unwrap_err();
        assert_eq!(missing.raw_os_error(), Some(libc::ENODEV));
        assert!(Ethtool::open("a-name-that-is-too-long").is_err());
    }

    #[test]
    fn requests_that_a_driver_cannot_answer_are_errors() {
        let loopback = Ethtool::open("lo").unwrap();
        assert!(loopback.rss().is_err());
        assert!(loopback.rings().is_err());
    }

    #[test]
    fn symmetry_is_xor_or_a_key_of_two_bytes() {
        let key = |bytes: &[u8]| Rss { key: bytes.to_vec(), toeplitz: true, ..Rss::default() };
        assert!(key(&[0x6d, 0x5a].repeat(20)).symmetric());
        assert!(!key(&[0x6d, 0x5a, 0x56, 0xda, 0x25]).symmetric());
        assert!(!key(&[]).symmetric());
        let other = Rss { toeplitz: false, ..key(&[1, 2, 1, 2]) };
        assert!(!other.symmetric());
        assert!(Rss { symmetric_xor: true, ..other }.symmetric());
    }
}
