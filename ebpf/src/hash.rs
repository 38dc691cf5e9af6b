//! The keyed symmetric hash that picks a flow's shard: the plain twin of `bpf/hash.h`.
//!
//! Each end of the flow, an address with its port, is hashed under the key, and the two results
//! are added: so both directions give the same, without a comparison, and who does not know the key
//! cannot choose ends that all fall to one shard. It spreads load; it is no cryptographic hash.
//!
//! What is hashed, in the XDP program and here alike:
//!
//! - the innermost addresses and protocol, with the ports of TCP and UDP; other protocols have
//!   port 0 at both ends;
//! - a piece of a datagram (any fragment, the first as well): the addresses of the outermost IP
//!   header that says so, ports and protocol 0, so that all pieces meet in one shard. A flow that
//!   sends both whole datagrams and fragmented ones may so be seen by two shards; the metadata
//!   flags fragments;
//! - never the VLAN or the tunnel's kind: the hash is coarser than the flow key, which is harmless.

/// Two words of secret.
pub type Key = [u64; 2];

/// What is hashed of a packet.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Default, Debug)]
pub struct Tuple {
    /// One end's address; IPv4 in its mapped form, `::ffff:a.b.c.d`.
    pub a: [u8; 16],
    /// The other's.
    pub b: [u8; 16],
    /// One end's port.
    pub a_port: u16,
    /// The other's.
    pub b_port: u16,
    /// IP protocol number.
    pub protocol: u8,
}

impl Tuple {
    /// The tuple of a packet, as the module's description has it: ports only for TCP and UDP.
    #[must_use]
    pub const fn new(a: [u8; 16], b: [u8; 16], ports: (u16, u16), protocol: u8) -> Tuple {
        let (a_port, b_port) = if matches!(protocol, 6 | 17) { ports } else { (0, 0) };
        Tuple { a, b, a_port, b_port, protocol }
    }

    /// The tuple of a piece of a datagram.
    #[must_use]
    pub const fn fragment(a: [u8; 16], b: [u8; 16]) -> Tuple {
        Tuple { a, b, a_port: 0, b_port: 0, protocol: 0 }
    }
}

/// The hash; the same with the ends exchanged; never 0, which stands for "no hash".
#[must_use]
#[inline]
pub fn symmetric(key: Key, tuple: &Tuple) -> u32 {
    let ends = end(key, &tuple.a, tuple.a_port).wrapping_add(end(key, &tuple.b, tuple.b_port));
    let mix = (ends ^ u64::from(tuple.protocol)).wrapping_mul(M1);
    let mix = ((mix ^ (mix >> 32)) ^ key[0]).wrapping_mul(M2);
    upper_half(mix).max(1)
}

/// The shard, of `shards`, that a hash falls to.
#[must_use]
#[inline]
pub fn shard(hash: u32, shards: u32) -> u32 {
    upper_half(u64::from(hash) * u64::from(shards))
}

/// IPv4's mapped form.
#[must_use]
#[inline]
pub const fn mapped([a, b, c, d]: [u8; 4]) -> [u8; 16] {
    [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, a, b, c, d]
}

const M1: u64 = 0x9e37_79b9_7f4a_7c15;
const M2: u64 = 0xd6e8_feb8_6659_fd93;
const M3: u64 = 0xc2b2_ae3d_27d4_eb4f;

fn end([k0, k1]: Key, address: &[u8; 16], port: u16) -> u64 {
    // In the machine's order, as the XDP program reads them.
    let (halves, _) = address.as_chunks::<8>();
    let half = |index: usize| u64::from_ne_bytes(halves[index]);
    let mix = (half(0) ^ k0).wrapping_mul(M1);
    let mix = (mix ^ (mix >> 32)).wrapping_add(half(1) ^ k1).wrapping_mul(M2);
    let mix = (mix ^ (mix >> 29)).wrapping_add(u64::from(port)).wrapping_mul(M3);
    mix ^ (mix >> 32)
}

const fn upper_half(word: u64) -> u32 {
    (word >> 32) as u32
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEY: Key = [0x0123_4567_89ab_cdef, 0xfedc_ba98_7654_3210];

    fn tuple(index: u32) -> Tuple {
        let [a, b, c, d] = index.to_be_bytes();
        Tuple::new(mapped([10, b, c, d]), mapped([192, 0, 2, a]), (1024 + u16::from(d), 443), 6)
    }

    #[test]
    fn both_directions_are_one() {
        for index in 0..10_000 {
            let one = tuple(index);
            let other = Tuple { a: one.b, b: one.a, a_port: one.b_port, b_port: one.a_port, ..one };
            assert_eq!(symmetric(KEY, &one), symmetric(KEY, &other));
        }
    }

    #[test]
    fn shards_get_equal_parts_under_any_key() {
        for (key, shards) in [(KEY, 3), ([0, 0], 4), ([1, u64::MAX], 7)] {
            let mut counts = vec![0_u32; shards as usize];
            for index in 0..70_000 {
                counts[shard(symmetric(key, &tuple(index)), shards) as usize] += 1;
            }
            let fair = 70_000 / shards;
            for count in counts {
                assert!(count.abs_diff(fair) < fair / 20, "{count} of {fair} under {key:x?}");
            }
        }
    }

    #[test]
    fn every_field_counts_and_the_key_does() {
        let one = tuple(7);
        let hash = symmetric(KEY, &one);
        for other in [
            Tuple { a: mapped([10, 0, 0, 8]), ..one },
            Tuple { b: mapped([10, 0, 0, 8]), ..one },
            Tuple { a_port: 1, ..one },
            Tuple { b_port: 1, ..one },
            Tuple { protocol: 17, ..one },
        ] {
            assert_ne!(symmetric(KEY, &other), hash);
        }
        assert_ne!(symmetric([KEY[0], 5], &one), hash);
        assert_ne!(symmetric([5, KEY[1]], &one), hash);
    }

    #[test]
    fn a_shard_is_always_one_of_them() {
        for shards in [1, 2, 3, 64, u32::MAX] {
            assert!(shard(u32::MAX, shards) < shards);
            assert_eq!(shard(0, shards), 0);
        }
    }
}
