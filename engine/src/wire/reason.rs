//! Why a frame is not part of a flow: each reason is a drop counter.

macro_rules! reasons {
    ($($variant:ident $name:literal $help:literal,)*) => {
        /// Why a frame was not taken into a flow. Its number indexes a shard's drop counters.
        #[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
        #[repr(u8)]
        pub enum Reason {
            $(#[doc = $help] $variant,)*
        }

        impl Reason {
            /// Every reason, in the order of its number.
            pub const ALL: &[Reason] = &[$(Reason::$variant,)*];

            /// How many there are.
            pub const COUNT: usize = Reason::ALL.len();

            /// The counter's name.
            pub const fn name(self) -> &'static str {
                match self { $(Reason::$variant => $name,)* }
            }

            /// What it means, for users.
            pub const fn help(self) -> &'static str {
                match self { $(Reason::$variant => $help,)* }
            }

            /// Its place among the counters.
            #[inline]
            pub const fn index(self) -> usize {
                self as usize
            }
        }
    };
}

reasons! {
    UnsupportedLink "unsupported_link" "The capture's link type is not one that is read.",
    LinkTruncated "link_truncated" "The frame ends inside its link-layer header.",
    TagsTooMany "tags_too_many" "More VLAN tags, MPLS labels or link layers than the limit.",
    VlanTruncated "vlan_truncated" "The frame ends inside a VLAN tag.",
    MplsTruncated "mpls_truncated" "The frame ends inside its MPLS labels.",
    Arp "arp" "ARP or RARP: no IP.",
    Lldp "lldp" "LLDP: no IP.",
    LlcControl "llc_control" "An 802.2 frame without IP: spanning tree, CDP, IS-IS and the like.",
    PppControl "ppp_control" "PPP or PPPoE negotiation: no IP.",
    WifiNotData "wifi_not_data" "An 802.11 frame without a single plain data unit.",
    WifiProtected "wifi_protected" "An encrypted 802.11 frame.",
    NotIp "not_ip" "Another protocol than IP, ARP or LLDP above the link layer.",
    IpVersion "ip_version" "An IP header whose version is neither 4 nor 6.",
    Ipv4Truncated "ipv4_truncated" "The frame ends inside its IPv4 header.",
    Ipv4BadHeader "ipv4_bad_header" "An IPv4 header whose lengths contradict each other.",
    Ipv4LengthBeyondFrame "ipv4_length_beyond_frame" "IPv4 says more bytes than the frame had.",
    Ipv6Truncated "ipv6_truncated" "The frame ends inside its IPv6 or extension header.",
    Ipv6LengthBeyondFrame "ipv6_length_beyond_frame" "IPv6 says more bytes than the frame had.",
    Ipv6ExtensionsTooMany "ipv6_extensions_too_many" "More IPv6 extension headers than the limit.",
    TcpTruncated "tcp_truncated" "The packet ends inside its TCP header.",
    TcpBadHeader "tcp_bad_header" "A TCP header length under 20 bytes or beyond the packet.",
    UdpTruncated "udp_truncated" "The packet ends inside its UDP header.",
    TunnelTooDeep "tunnel_too_deep" "More tunnels in each other than the limit.",
    FragmentWithoutFirst "fragment_without_first" "A later IP fragment whose first was not seen.",
}
