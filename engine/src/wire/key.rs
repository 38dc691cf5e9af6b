//! Which flow a frame belongs to: the canonical bidirectional key.

/// The kind of the innermost tunnel that a frame came through. Seven bits of the flow key.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Default, Debug)]
#[repr(u8)]
pub enum Tunnel {
    /// No tunnel.
    #[default]
    None = 0,
    /// GRE, versions 0 and 1, ERSPAN included.
    Gre = 1,
    /// IPv4 in IPv4.
    Ip4In4 = 2,
    /// IPv4 in IPv6.
    Ip4In6 = 3,
    /// IPv6 in IPv4.
    Ip6In4 = 4,
    /// IPv6 in IPv6.
    Ip6In6 = 5,
    /// VXLAN.
    Vxlan = 6,
    /// GENEVE.
    Geneve = 7,
    /// GTP version 1, user plane.
    GtpU = 8,
    /// L2TP version 2.
    L2tp = 9,
    /// TZSP.
    Tzsp = 10,
    /// CAPWAP data.
    Capwap = 11,
}

impl Tunnel {
    /// Every kind, in the order of its number.
    pub const ALL: [Tunnel; 12] = [
        Tunnel::None,
        Tunnel::Gre,
        Tunnel::Ip4In4,
        Tunnel::Ip4In6,
        Tunnel::Ip6In4,
        Tunnel::Ip6In6,
        Tunnel::Vxlan,
        Tunnel::Geneve,
        Tunnel::GtpU,
        Tunnel::L2tp,
        Tunnel::Tzsp,
        Tunnel::Capwap,
    ];

    /// The name that users see; empty for none.
    pub const fn name(self) -> &'static str {
        match self {
            Tunnel::None => "",
            Tunnel::Gre => "gre",
            Tunnel::Ip4In4 => "4in4",
            Tunnel::Ip4In6 => "4in6",
            Tunnel::Ip6In4 => "6in4",
            Tunnel::Ip6In6 => "6in6",
            Tunnel::Vxlan => "vxlan",
            Tunnel::Geneve => "geneve",
            Tunnel::GtpU => "gtp-u",
            Tunnel::L2tp => "l2tp",
            Tunnel::Tzsp => "tzsp",
            Tunnel::Capwap => "capwap",
        }
    }
}

/// The canonical key of a flow: both directions give the same one.
///
/// This is the form that the flow table exports, hence plain words in a fixed order:
///
/// | word | holds |
/// | --- | --- |
/// | 0, 1 | the lower address, 16 bytes in network order; IPv4 as `::ffff:a.b.c.d` |
/// | 2, 3 | the higher address |
/// | 4 | from bit 0: lower's port (16), higher's port (16), innermost VLAN id (16, 0 none), IP protocol (8), [`Tunnel`] (7), IPv6 (1) |
///
/// An end is an (address, port) pair, and ends compare as their bytes in network order do.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Default, Debug)]
#[repr(C)]
pub struct FlowKey {
    /// The words, as in the table above.
    pub words: [u64; 5],
}

const _: () = assert!(size_of::<FlowKey>() == 40, "five words are exported");

/// What a key holds besides its two ends.
#[derive(Clone, Copy, Default, Debug)]
pub(super) struct Around {
    pub(super) vlan: u16,
    pub(super) protocol: u8,
    pub(super) tunnel: Tunnel,
}

impl FlowKey {
    /// Makes it the key of an IPv4 packet, and says whether its sender is the higher end.
    ///
    /// Word by word, in place: a key that is made elsewhere and copied is read by more bytes at a time
    /// than it was written by, which a core waits for.
    #[inline(always)]
    pub(super) fn set_ipv4(
        &mut self,
        ports: (u16, u16),
        from: [u8; 4],
        to: [u8; 4],
        around: Around,
    ) -> bool {
        let sender = u64::from(u32::from_be_bytes(from)) << 16 | u64::from(ports.0);
        let receiver = u64::from(u32::from_be_bytes(to)) << 16 | u64::from(ports.1);
        let swapped = sender > receiver;
        let (from, to) = (mapped(from), mapped(to));
        let (low, high) = if swapped { (to, from) } else { (from, to) };
        self.words = [0, low, 0, high, tail(ports, swapped, around, false)];
        swapped
    }

    /// Makes it the key of an IPv6 packet, and says whether its sender is the higher end.
    #[inline]
    pub(super) fn set_ipv6(
        &mut self,
        ports: (u16, u16),
        from: &[u8; 16],
        to: &[u8; 16],
        around: Around,
    ) -> bool {
        let sender = (u128::from_be_bytes(*from), ports.0);
        let receiver = (u128::from_be_bytes(*to), ports.1);
        let swapped = sender > receiver;
        let (low, high) = if swapped { (to, from) } else { (from, to) };
        let ([a, b], [c, d]) = (halves(low), halves(high));
        self.words = [a, b, c, d, tail(ports, swapped, around, true)];
        swapped
    }

    /// The lower end's address; IPv4 in its mapped form.
    #[inline]
    pub fn address_lo(&self) -> [u8; 16] {
        joined([self.words[0], self.words[1]])
    }

    /// The higher end's address; IPv4 in its mapped form.
    #[inline]
    pub fn address_hi(&self) -> [u8; 16] {
        joined([self.words[2], self.words[3]])
    }

    /// An address, of its two words.
    #[inline]
    pub(crate) fn joined(words: [u64; 2]) -> [u8; 16] {
        joined(words)
    }

    /// The lower end's port.
    #[inline]
    pub const fn port_lo(&self) -> u16 {
        let [a, b, ..] = self.words[4].to_le_bytes();
        u16::from_le_bytes([a, b])
    }

    /// The higher end's port.
    #[inline]
    pub const fn port_hi(&self) -> u16 {
        let [_, _, a, b, ..] = self.words[4].to_le_bytes();
        u16::from_le_bytes([a, b])
    }

    /// The innermost VLAN id, 0 where there is none.
    #[inline]
    pub const fn vlan(&self) -> u16 {
        let [_, _, _, _, a, b, ..] = self.words[4].to_le_bytes();
        u16::from_le_bytes([a, b])
    }

    /// The IP protocol number.
    #[inline]
    pub const fn protocol(&self) -> u8 {
        self.words[4].to_le_bytes()[6]
    }

    /// The innermost tunnel's kind. A number that is not a kind, which no parser writes, is none.
    #[inline]
    pub fn tunnel(&self) -> Tunnel {
        let number = self.words[4].to_le_bytes()[7] & 0x7f;
        Tunnel::ALL.get(usize::from(number)).copied().unwrap_or_default()
    }

    /// Whether there is one.
    #[inline(always)]
    pub const fn is_tunnelled(&self) -> bool {
        self.words[4].to_le_bytes()[7] & 0x7f != 0
    }

    /// Whether the addresses are IPv6 ones.
    #[inline]
    pub const fn is_ipv6(&self) -> bool {
        self.words[4] >> 63 != 0
    }
}

#[inline(always)]
fn tail(ports: (u16, u16), swapped: bool, around: Around, ipv6: bool) -> u64 {
    let (low, high) = if swapped { (ports.1, ports.0) } else { ports };
    u64::from(low)
        | u64::from(high) << 16
        | u64::from(around.vlan) << 32
        | u64::from(around.protocol) << 48
        | u64::from(around.tunnel as u8) << 56
        | u64::from(ipv6) << 63
}

/// The second half of an IPv4-mapped address; the first is zero (RFC 4291, section 2.5.5.2).
#[inline(always)]
fn mapped([a, b, c, d]: [u8; 4]) -> u64 {
    u64::from_ne_bytes([0, 0, 0xff, 0xff, a, b, c, d])
}

#[inline]
fn halves(address: &[u8; 16]) -> [u64; 2] {
    let (halves, _) = address.as_chunks::<8>();
    let half = |index: usize| halves.get(index).map_or(0, |half| u64::from_ne_bytes(*half));
    [half(0), half(1)]
}

#[inline]
fn joined(halves: [u64; 2]) -> [u8; 16] {
    let mut bytes = [0; 16];
    let (chunks, _) = bytes.as_chunks_mut::<8>();
    for (chunk, half) in chunks.iter_mut().zip(halves) {
        *chunk = half.to_ne_bytes();
    }
    bytes
}
