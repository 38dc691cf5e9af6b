//! What a packet in a file says of its flow: a custom option of pcapng (draft-ietf-opsawg-pcapng,
//! 3.5.1), binary, which other programs may copy and else leave alone.
//!
//! | bytes | content, little endian |
//! | --- | --- |
//! | 0 | the enterprise number |
//! | 4 | `WEIR` |
//! | 8 | kind: 1 short, 2 with identity; confidence; flags; 0 |
//! | 12 | application, master protocol, shard, 0 (16 bits each) |
//! | 20 | flow identity |
//! | 28 | kind 2: community id, 20 bytes |
//! | 48 | kind 2: protocol, 1 if IPv6, VLAN id (16 bits) |
//! | 52 | kind 2: both addresses, 16 bytes each, then both ports, 16 bits each |
//!
//! The first packet of a flow in a file has the long kind, and so has the first one after its
//! application became known.

use std::hash::{Hash, Hasher};

use sha1::{Digest, Sha1};

/// The enterprise number: none is registered for Weir, so it is the one for documentation (RFC 5612),
/// and the word `WEIR` after it tells whose option it is.
pub(crate) const ENTERPRISE: u32 = 32473;
/// A custom option in binary that may be copied.
pub(crate) const OPTION: u16 = 2989;

pub(super) const MAGIC: &[u8; 4] = b"WEIR";
const SHORT_BYTES: usize = 28;
const LONG_BYTES: usize = 88;

/// A flow's digest: the Community ID before it is text. All zero: none.
pub(crate) type Community = [u8; 20];

/// Which flow, by its number: the shard, and the identity there.
pub(crate) type FlowId = (u16, u64);

/// Who a flow is.
pub(crate) type Identity = (Key, Community);

/// Which flow, by its ends.
#[derive(Clone, Copy, Default, PartialEq, Eq, Debug)]
pub(crate) struct Key {
    /// IPv6, or IPv4 in its mapped form.
    pub(crate) addresses: [[u8; 16]; 2],
    /// 0 where the protocol has none; of ICMP what stands for them.
    pub(crate) ports: [u16; 2],
    pub(crate) l4: u8,
    pub(crate) ipv6: bool,
    pub(crate) vlan: u16,
    /// The innermost tunnel's kind, 0 for none. Files and indexes do not tell it.
    pub(crate) tunnel: u8,
    /// An ICMP message without a counterpart: its Community ID keeps the order.
    pub(crate) one_way: bool,
}

/// Few words: it is asked for with every packet. `one_way` follows from the ports.
impl Hash for Key {
    fn hash<H: Hasher>(&self, state: &mut H) {
        for address in &self.addresses {
            state.write_u128(u128::from_ne_bytes(*address));
        }
        let [a, b] = self.ports.map(u64::from);
        let rest = a | b << 16 | u64::from(self.vlan) << 32 | u64::from(self.l4) << 48;
        state.write_u64(rest | u64::from(self.tunnel) << 56 | u64::from(self.ipv6) << 63);
    }
}

impl Key {
    /// The same for both directions.
    pub(crate) fn ordered(mut self) -> Key {
        let [a, b] = self.addresses;
        let [p, q] = self.ports;
        if !self.one_way && (a, p) > (b, q) {
            self.addresses = [b, a];
            self.ports = [q, p];
        }
        self
    }

    /// The Community ID, version 1, seed 0.
    pub(crate) fn community(&self) -> Community {
        let key = self.ordered();
        let cut = if key.ipv6 { 0 } else { 12 };
        let mut hash = Sha1::new();
        hash.update([0, 0]);
        for address in &key.addresses {
            hash.update(address.get(cut..).unwrap_or_default());
        }
        hash.update([key.l4, 0]);
        if matches!(key.l4, 1 | 6 | 17 | 58 | 132) {
            for port in key.ports {
                hash.update(port.to_be_bytes());
            }
        }
        hash.finalize().into()
    }
}

/// See the module.
#[derive(Clone, Copy, Default, PartialEq, Eq, Debug)]
pub(crate) struct Note {
    pub(crate) shard: u16,
    /// 0: the packet is of no flow.
    pub(crate) flow_id: u64,
    pub(crate) app: u16,
    pub(crate) master: u16,
    pub(crate) confidence: u8,
    pub(crate) flags: u8,
    /// The long kind.
    pub(crate) identity: Option<Identity>,
}

/// Bytes of an option's value, of the long kind where there is an identity.
pub(crate) const fn bytes(identity: Option<&Identity>) -> usize {
    if identity.is_some() { LONG_BYTES } else { SHORT_BYTES }
}

impl Note {
    /// Which flow.
    pub(crate) const fn id(&self) -> FlowId {
        (self.shard, self.flow_id)
    }

    /// Whether it says nothing.
    pub(crate) const fn is_empty(&self) -> bool {
        let Note { shard, flow_id, app, master, confidence, flags, ref identity } = *self;
        matches!((shard, flow_id, app, master, confidence, flags), (0, 0, 0, 0, 0, 0))
            && identity.is_none()
    }

    /// Appends the option's value, of the long kind where there is an identity.
    pub(crate) fn write(&self, identity: Option<&Identity>, out: &mut Vec<u8>) {
        let kind = if identity.is_some() { 2 } else { 1 };
        let pair = |low: u16, high: u16| u32::from(low) | u32::from(high) << 16;
        let half = |shift: u32| u32::try_from(self.flow_id >> shift & 0xffff_ffff).unwrap_or(0);
        let words = [
            ENTERPRISE,
            u32::from_le_bytes(*MAGIC),
            u32::from_le_bytes([kind, self.confidence, self.flags, 0]),
            pair(self.app, self.master),
            pair(self.shard, 0),
            half(0),
            half(32),
        ];
        out.extend_from_slice(words.map(u32::to_le_bytes).as_flattened());
        let Some((key, community)) = identity else { return };
        out.extend(community);
        out.extend([key.l4, u8::from(key.ipv6)]);
        out.extend(key.vlan.to_le_bytes());
        for address in &key.addresses {
            out.extend(address);
        }
        for port in key.ports {
            out.extend(port.to_le_bytes());
        }
    }

    /// Reads an option's value; none if it is another's.
    pub(crate) fn read(value: &[u8]) -> Option<Note> {
        let (head, rest) = value.split_at_checked(SHORT_BYTES)?;
        let half = |at| super::half(head, at, false);
        if super::word(head, 0, false) != ENTERPRISE || head.get(4..8) != Some(MAGIC) {
            return None;
        }
        let &[kind, confidence, flags, _] = head.get(8..12)? else { return None };
        let flow_id = u64::from_le_bytes(head.get(20..28)?.try_into().ok()?);
        let note = Note {
            shard: half(16),
            flow_id,
            app: half(12),
            master: half(14),
            confidence,
            flags,
            identity: None,
        };
        match kind {
            1 => Some(note),
            2 => Some(Note { identity: Some(identity(rest)?), ..note }),
            _ => None,
        }
    }
}

fn identity(rest: &[u8]) -> Option<Identity> {
    let community = rest.get(..20)?.try_into().ok()?;
    let key = Key {
        addresses: [rest.get(24..40)?.try_into().ok()?, rest.get(40..56)?.try_into().ok()?],
        ports: [super::half(rest, 56, false), super::half(rest, 58, false)],
        l4: *rest.get(20)?,
        ipv6: *rest.get(21)? == 1,
        vlan: super::half(rest, 22, false),
        tunnel: 0,
        one_way: false,
    };
    rest.get(58..60)?;
    Some((key, community))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::community;

    #[test]
    fn what_is_written_is_read() {
        let key = Key { ports: [1, 2], l4: 6, vlan: 7, ipv6: true, ..Key::default() };
        let short = Note { shard: 3, flow_id: 9, app: 1, master: 2, ..Note::default() };
        for note in [short, Note { identity: Some((key, [5; 20])), ..short }] {
            let mut out = Vec::new();
            note.write(note.identity.as_ref(), &mut out);
            assert_eq!(out.len(), bytes(note.identity.as_ref()));
            assert_eq!(Note::read(&out), Some(note));
            for cut in 0..out.len() {
                assert_eq!(Note::read(&out[..cut]), None);
            }
        }
    }

    #[test]
    fn the_digest_is_that_of_the_text() {
        let address = |text: &str| crate::flow::from_ip(text.parse().unwrap());
        let key = Key {
            addresses: [address("10.0.0.2"), address("10.0.0.1")],
            ports: [40000, 443],
            l4: 6,
            ..Key::default()
        };
        let end =
            |n: u8, port| community::End { address: Box::leak(Box::new([10, 0, 0, n])), port };
        let text = community::id(end(1, 443), end(2, 40000), 6, true, false);
        assert_eq!(community::text(&key.community()), text);
    }
}
