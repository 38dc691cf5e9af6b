//! Link types and their numbers in capture files.

/// How a frame's bytes begin.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Default, Debug)]
#[repr(u8)]
pub enum LinkType {
    /// Ethernet II or IEEE 802.3.
    #[default]
    Ethernet = 1,
    /// IP without anything before it; its version nibble tells which.
    RawIp = 2,
    /// A four-byte address family in the capturing machine's order.
    Null = 3,
    /// A four-byte address family in network order.
    Loop = 4,
    /// Linux "cooked" capture, version 1.
    LinuxSll = 5,
    /// Linux "cooked" capture, version 2.
    LinuxSll2 = 6,
    /// PPP, with or without its address and control bytes.
    Ppp = 7,
    /// PPP after a byte that tells the direction.
    PppWithDirection = 8,
    /// PPP in HDLC-like framing, or Cisco HDLC; the first byte tells which.
    PppHdlc = 9,
    /// Cisco HDLC.
    CHdlc = 10,
    /// Per-packet information before another link type.
    Ppi = 11,
    /// IEEE 802.11.
    Ieee80211 = 12,
    /// A radiotap header before IEEE 802.11.
    Radiotap = 13,
    /// MPLS labels.
    Mpls = 14,
    /// A PPPoE header.
    Pppoe = 15,
    /// One that is not read: its frames are counted and dropped by name.
    Unsupported = 0,
}

impl LinkType {
    /// The link type's number in capture files; all ones for one that is not read.
    pub const fn number(self) -> u32 {
        match self {
            LinkType::Unsupported => u32::MAX,
            LinkType::Null => 0,
            LinkType::Ethernet => 1,
            LinkType::Ppp => 9,
            LinkType::PppHdlc => 50,
            LinkType::Pppoe => 51,
            LinkType::RawIp => 101,
            LinkType::CHdlc => 104,
            LinkType::Ieee80211 => 105,
            LinkType::Loop => 108,
            LinkType::LinuxSll => 113,
            LinkType::Radiotap => 127,
            LinkType::Ppi => 192,
            LinkType::PppWithDirection => 204,
            LinkType::Mpls => 219,
            LinkType::LinuxSll2 => 276,
        }
    }

    /// The link type of a number in a pcap or pcapng file; none for one that is not read. The
    /// numbers are those of the registry at <https://www.tcpdump.org/linktypes.html>.
    pub const fn from_dlt(number: u32) -> Option<LinkType> {
        Some(match number {
            0 => LinkType::Null,
            1 => LinkType::Ethernet,
            9 => LinkType::Ppp,
            // The first two are what some systems wrote before 101 was assigned.
            12 | 14 | 101 | 228 | 229 => LinkType::RawIp,
            50 => LinkType::PppHdlc,
            51 => LinkType::Pppoe,
            104 => LinkType::CHdlc,
            105 => LinkType::Ieee80211,
            108 => LinkType::Loop,
            113 => LinkType::LinuxSll,
            127 => LinkType::Radiotap,
            192 => LinkType::Ppi,
            204 => LinkType::PppWithDirection,
            219 => LinkType::Mpls,
            276 => LinkType::LinuxSll2,
            _ => return None,
        })
    }
}
