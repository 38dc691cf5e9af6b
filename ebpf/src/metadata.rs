//! What the XDP program leaves before a frame: the twin of `struct weir_metadata`.

/// Size of the metadata; it ends where the frame begins.
pub const METADATA_BYTES: usize = 24;

const MAGIC: u32 = 0x5745_4952;

/// A piece of a datagram: hashed over the addresses alone.
pub const FLAG_FRAGMENT: u32 = 1;
/// The hash is of a tuple within a tunnel.
pub const FLAG_TUNNEL: u32 = 2;
/// No tuple was found; the hash is 0.
pub const FLAG_NOT_IP: u32 = 4;
/// The hash is of an outer tuple: the limit of tunnels was reached.
pub const FLAG_SHALLOW: u32 = 8;
/// The NIC took a tag off the frame.
pub const FLAG_VLAN: u32 = 16;
/// That tag was a service tag (IEEE 802.1ad); a customer tag otherwise.
pub const FLAG_VLAN_SERVICE: u32 = 32;

/// What the XDP program knew of a frame.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub struct Metadata {
    /// `CLOCK_MONOTONIC` when the program saw the frame.
    pub monotonic_ns: u64,
    /// [`crate::hash::symmetric`] of the frame's innermost tuple; 0 where there is none.
    pub hash: u32,
    /// The tag (TCI) that the NIC took off the frame; of meaning with [`FLAG_VLAN`].
    pub vlan: u16,
    /// The shard chosen; 0 where the NIC chose.
    pub shard: u16,
    /// The `FLAG_` bits.
    pub flags: u32,
}

impl Metadata {
    /// Reads it; none if it is not there, which the driver decides (it may have no place for it).
    #[inline]
    #[must_use]
    pub fn read(bytes: &[u8; METADATA_BYTES]) -> Option<Metadata> {
        let field =
            |at: usize| -> [u8; 4] { [bytes[at], bytes[at + 1], bytes[at + 2], bytes[at + 3]] };
        let short = |at: usize| u16::from_ne_bytes([bytes[at], bytes[at + 1]]);
        let (time, _) = bytes.split_first_chunk::<8>()?;
        (u32::from_ne_bytes(field(20)) == MAGIC).then(|| Metadata {
            monotonic_ns: u64::from_ne_bytes(*time),
            hash: u32::from_ne_bytes(field(8)),
            vlan: short(12),
            shard: short(14),
            flags: u32::from_ne_bytes(field(16)),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_with_its_magic() {
        let mut bytes = [0; METADATA_BYTES];
        assert_eq!(Metadata::read(&bytes), None);
        bytes[20..].copy_from_slice(&MAGIC.to_ne_bytes());
        bytes[8..12].copy_from_slice(&77_u32.to_ne_bytes());
        assert_eq!(Metadata::read(&bytes), Some(Metadata { hash: 77, ..Metadata::default() }));
    }
}
