//! One flow, decoded from its shared-memory form.

use std::fmt;
use std::io::Write;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use weir_dpi::attr::{self, Attr};
use weir_dpi::meta;
use weir_shm::flow::{Dir, FlowSnapshot};

use crate::community;
use crate::health::Summary;

/// Index of the client's direction in a pair.
pub(crate) const C2S: usize = 0;
/// Index of the server's direction in a pair.
pub(crate) const S2C: usize = 1;

/// An address and a port.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub(crate) struct Endpoint {
    /// IPv6, or IPv4 in its mapped form.
    pub(crate) address: [u8; 16],
    /// 0 where the protocol has no ports.
    pub(crate) port: u16,
}

/// One flow.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Flow<'a> {
    /// The engine's number of the flow, unique in all its runs.
    pub(crate) id: u64,
    pub(crate) shard: u16,
    /// Client and server: the client is the sender of the SYN where seen, else of the first
    /// packet.
    pub(crate) client: Endpoint,
    pub(crate) server: Endpoint,
    pub(crate) ipv6: bool,
    pub(crate) l4: u8,
    /// Innermost VLAN id, 0 for none.
    pub(crate) vlan: u16,
    pub(crate) tunnel: u8,
    pub(crate) master: u16,
    pub(crate) app: u16,
    pub(crate) confidence: u8,
    /// Union of TCP flags, by direction.
    pub(crate) tcp_flags: [u8; 2],
    pub(crate) packets: [u64; 2],
    pub(crate) bytes: [u64; 2],
    /// Unix nanoseconds of the first and the last packet of either direction.
    pub(crate) first_ns: u64,
    pub(crate) last_ns: u64,
    /// The main figures of its health.
    pub(crate) health: Summary,
    /// Encoded attributes ([`weir_dpi::meta::decode`]).
    pub(crate) meta: &'a [u8],
}

impl<'a> Flow<'a> {
    /// The same flow with its health.
    pub(crate) fn with(self, health: Summary) -> Flow<'a> {
        Flow { health, ..self }
    }

    /// Decodes a copied slot and its metadata.
    pub(crate) fn decode(slot: &FlowSnapshot, shard: u16, meta: &'a [u8]) -> Flow<'a> {
        let pair = |read: fn(&FlowSnapshot, Dir) -> u64| {
            [read(slot, Dir::ToServer), read(slot, Dir::ToClient)]
        };
        let end = |end: weir_shm::flow::Endpoint| Endpoint {
            address: from_ip(end.address),
            port: end.port,
        };
        Flow {
            id: slot.flow_id(),
            shard,
            client: end(slot.client()),
            server: end(slot.server()),
            ipv6: slot.is_ipv6(),
            l4: slot.l4(),
            vlan: slot.vlan(),
            tunnel: slot.tunnel(),
            master: slot.master(),
            app: slot.app(),
            confidence: slot.confidence(),
            tcp_flags: [slot.tcp_flags(Dir::ToServer), slot.tcp_flags(Dir::ToClient)],
            packets: pair(FlowSnapshot::packets),
            bytes: pair(FlowSnapshot::bytes),
            first_ns: slot.first_ns(),
            last_ns: slot.last_ns(),
            health: Summary::default(),
            meta,
        }
    }

    /// The address of a side, [`C2S`] for the client's.
    pub(crate) fn address(&self, side: usize) -> IpAddr {
        let end = if side == C2S { self.client } else { self.server };
        to_ip(end.address, self.ipv6).to_canonical()
    }

    /// Packets of both directions.
    pub(crate) fn packets_total(&self) -> u64 {
        self.packets[C2S].saturating_add(self.packets[S2C])
    }

    /// Bytes of both directions.
    pub(crate) fn bytes_total(&self) -> u64 {
        self.bytes[C2S].saturating_add(self.bytes[S2C])
    }

    /// Nanoseconds from the first packet to the last.
    pub(crate) fn duration_ns(&self) -> u64 {
        self.last_ns.saturating_sub(self.first_ns)
    }

    /// Bits per second over the flow's life. Lives below a millisecond say nothing about a rate
    /// and count as one millisecond.
    pub(crate) fn rate_bps(&self) -> u64 {
        let life_ns = u128::from(self.duration_ns().max(1_000_000));
        let bits = u128::from(self.bytes_total()) * 8;
        u64::try_from(bits * 1_000_000_000 / life_ns).unwrap_or(u64::MAX)
    }

    /// The attributes found, those this program does not know included.
    pub(crate) fn attributes(&self) -> impl Iterator<Item = (u16, &'a [u8])> + use<'a> {
        meta::decode(self.meta)
    }

    /// The first value of `attr`.
    pub(crate) fn attribute(&self, attr: &Attr) -> Option<&'a [u8]> {
        self.attributes().find(|(id, _)| *id == attr.id).map(|(_, value)| value)
    }

    /// The one name by which the flow is known: what the engine told services apart by, or the
    /// name its protocol asked for.
    pub(crate) fn host(&self) -> Option<&'a [u8]> {
        if self.meta.is_empty() {
            return None;
        }
        let fall_back =
            [&attr::TLS_SNI, &attr::QUIC_SNI, &attr::HTTP_HOST, &attr::DTLS_SNI, &attr::DNS_NAME];
        self.attribute(&attr::HOST_NAME)
            .or_else(|| fall_back.into_iter().find_map(|attr| self.attribute(attr)))
    }

    /// The Community ID, as text. Nothing for an ICMP flow whose message type was not kept: a
    /// wrong identifier would be worse than none.
    pub(crate) fn community_id(&self) -> Option<[u8; community::TEXT_BYTES]> {
        let cut = if self.ipv6 { 0 } else { 12 };
        let (mut a, mut b) = (self.client.port, self.server.port);
        let mut one_way = false;
        if matches!(self.l4, 1 | 58) {
            let number = |key| Some(self.icmp(key)?.first().copied().unwrap_or(0));
            (a, b, one_way) =
                community::icmp_ports(self.l4 == 58, number("type")?, number("code").unwrap_or(0));
        }
        let ports = matches!(self.l4, 1 | 6 | 17 | 58 | 132);
        let client = community::End { address: &self.client.address[cut..], port: a };
        let server = community::End { address: &self.server.address[cut..], port: b };
        Some(community::id(client, server, self.l4, ports, one_way))
    }

    fn icmp(&self, key: &str) -> Option<&'a [u8]> {
        let is_it = |attr: &Attr| matches!(attr.group, "icmp" | "icmpv6") && attr.key == key;
        self.attributes().find(|(id, _)| attr::describe(*id).is_some_and(is_it)).map(|(_, v)| v)
    }
}

/// An address in the form people write, made without touching the heap.
pub(crate) struct AddressText {
    bytes: [u8; 48],
    used: usize,
}

impl AddressText {
    /// The text of `address`; mapped IPv4 is shown as IPv4 unless `ipv6` insists.
    pub(crate) fn new(address: [u8; 16], ipv6: bool) -> AddressText {
        let mut text = AddressText { bytes: [0; 48], used: 0 };
        let room = text.bytes.len();
        let mut rest = &mut text.bytes[..];
        // The longest form is 45 characters; a write that does not fit cannot happen.
        let written = match to_ip(address, ipv6) {
            IpAddr::V4(v4) => write!(rest, "{v4}"),
            IpAddr::V6(v6) => write!(rest, "{v6}"),
        };
        debug_assert!(written.is_ok(), "48 bytes hold every address");
        let left = rest.len();
        text.used = room - left;
        text
    }

    /// The text.
    pub(crate) fn as_str(&self) -> &str {
        self.bytes.get(..self.used).and_then(|b| std::str::from_utf8(b).ok()).unwrap_or_default()
    }
}

impl fmt::Debug for AddressText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// The address as the standard library's type; mapped IPv4 becomes IPv4 unless `ipv6` insists.
pub(crate) fn to_ip(address: [u8; 16], ipv6: bool) -> IpAddr {
    let v6 = Ipv6Addr::from(address);
    let v4: Option<Ipv4Addr> = if ipv6 { None } else { v6.to_ipv4_mapped() };
    v4.map_or(IpAddr::V6(v6), IpAddr::V4)
}

/// The 16-byte form of an address (IPv4 mapped).
pub(crate) fn from_ip(address: IpAddr) -> [u8; 16] {
    match address {
        IpAddr::V4(v4) => v4.to_ipv6_mapped().octets(),
        IpAddr::V6(v6) => v6.octets(),
    }
}

/// TCP flags as letters in the order of their bits, `F` (FIN) first.
pub(crate) fn tcp_flag_letters(flags: u8) -> String {
    let named = "FSRPAUEC".chars().enumerate();
    named.filter(|(bit, _)| flags & (1 << bit) != 0).map(|(_, letter)| letter).collect()
}

#[cfg(test)]
pub(crate) mod tests {
    use weir_shm::flow as shm;

    use super::*;

    /// A TCP flow 10.0.0.2:40000 → 10.0.0.1:443, whose client is the higher end.
    pub(crate) fn sample() -> FlowSnapshot {
        let half = |ip: &str| shm::pack_address(from_ip(ip.parse().unwrap()));
        let (lo, hi) = (half("10.0.0.1"), half("10.0.0.2"));
        let tls = weir_dpi::AppId::TLS.0;
        let state = shm::STATE_CLIENT_IS_HI | shm::STATE_SYN_SEEN;
        let s = 1_000_000_000;
        FlowSnapshot {
            words: [
                2,
                lo[0],
                lo[1],
                hi[0],
                hi[1],
                shm::pack_tuple(443, 40000, 7, 6, 0),
                99,
                shm::pack_class(tls, tls, 0x12, 0x1b, 6, state),
                20,
                30_000,
                10 * s + 5,
                12 * s,
                10,
                1_500,
                10 * s,
                11 * s,
            ],
        }
    }

    /// An encoded attribute.
    pub(crate) fn encode(attr: &Attr, value: &[u8]) -> Vec<u8> {
        let length = u16::try_from(value.len()).unwrap();
        [&attr.id.to_le_bytes(), &length.to_le_bytes(), value].concat()
    }

    #[test]
    fn the_client_is_the_higher_end_where_the_state_says_so() {
        let flow = Flow::decode(&sample(), 3, &[]);
        assert_eq!((flow.client.port, flow.server.port), (40000, 443));
        assert_eq!((flow.packets, flow.bytes), ([10, 20], [1_500, 30_000]));
        assert_eq!((flow.first_ns, flow.last_ns), (10_000_000_000, 12_000_000_000));
        assert_eq!(flow.tcp_flags, [0x1b, 0x12]);
        assert_eq!((flow.vlan, flow.l4, flow.id), (7, 6, 99));
        assert_eq!(flow.rate_bps(), 31_500 * 8 / 2);
        assert_eq!(tcp_flag_letters(flow.tcp_flags[C2S]), "FSPA");
    }

    #[test]
    fn times_of_a_direction_without_packets_do_not_count() {
        let mut slot = sample();
        slot.words[8..12].copy_from_slice(&[0, 0, 0, 0]);
        let flow = Flow::decode(&slot, 0, &[]);
        assert_eq!((flow.first_ns, flow.last_ns), (10_000_000_000, 11_000_000_000));
    }

    #[test]
    fn addresses_are_shown_in_the_family_they_had() {
        let mapped = from_ip("10.1.2.3".parse().unwrap());
        assert_eq!(AddressText::new(mapped, false).as_str(), "10.1.2.3");
        assert_eq!(AddressText::new(mapped, true).as_str(), "::ffff:10.1.2.3");
        let longest = AddressText::new([0xff; 16], true);
        assert_eq!(longest.as_str(), "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff");
    }

    #[test]
    fn a_flow_without_its_icmp_type_has_no_community_id() {
        let mut slot = sample();
        assert!(Flow::decode(&slot, 0, &[]).community_id().is_some());
        slot.words[5] = shm::pack_tuple(0, 0, 0, 1, 0);
        assert!(Flow::decode(&slot, 0, &[]).community_id().is_none());
    }
}
