//! The walk from the outermost layer to the innermost.

use super::key::{Around, Tunnel};
use super::link;
use super::link_type::LinkType;
use super::parsed::{Fragment, Parsed};
use super::reason::Reason;
use super::rest::Rest;
use super::{internet, wifi};

/// Layers that a frame may have: tags, link headers, IP headers.
pub const MAX_LAYERS: usize = 32;

/// Tunnels that a frame may have in each other.
pub const MAX_TUNNELS: u8 = 4;

/// What the next bytes are.
#[derive(Clone, Copy, Debug)]
pub(super) enum Layer {
    Ethernet,
    EtherType(u16),
    Llc,
    Mpls,
    Pppoe,
    Ppp,
    PppWithDirection,
    PppHdlc,
    CHdlc,
    Null,
    LinuxSll,
    LinuxSll2,
    Ppi,
    Ieee80211,
    /// With the two bytes of its frame control in the other order.
    Ieee80211Swapped,
    Radiotap,
    Ip,
    Ipv4,
    Ipv6,
    Unsupported,
}

/// How a layer ends.
#[derive(Clone, Copy, Debug)]
pub(super) enum Next<'a> {
    /// With another layer.
    Layer(Layer, Rest<'a>),
    /// With the flow.
    Done,
}

/// What the layers so far have told.
#[derive(Debug)]
pub(super) struct State {
    pub(super) vlan: u16,
    pub(super) tunnel: Tunnel,
    pub(super) fragment: Fragment,
    pub(super) datagram_id: u32,
    pub(super) datagram_at: u16,
    pub(super) datagram_vlan: u16,
    tunnels: u8,
    /// An IP header with its ports is in `out`: whatever lies within may only improve on it.
    pub(super) found: bool,
}

impl State {
    /// What a key of this depth says besides its ends.
    pub(super) const fn around(&self, protocol: u8) -> Around {
        Around { vlan: self.vlan, protocol, tunnel: self.tunnel }
    }

    /// Goes into a tunnel.
    pub(super) fn enter<'a>(
        &mut self,
        (kind, layer, rest): (Tunnel, Layer, Rest<'a>),
    ) -> Result<Next<'a>, Reason> {
        if self.tunnels == MAX_TUNNELS {
            return Err(Reason::TunnelTooDeep);
        }
        self.tunnels += 1;
        self.tunnel = kind;
        Ok(Next::Layer(layer, rest))
    }
}

/// Parses any frame.
#[inline(never)]
pub(super) fn walk(
    link: LinkType,
    stripped_vlan: u16,
    bytes: &[u8],
    wire_bytes: u32,
    out: &mut Parsed,
) -> Result<(), Reason> {
    let wire_bytes = usize::try_from(wire_bytes).unwrap_or(usize::MAX);
    let cut = wire_bytes.saturating_sub(bytes.len());
    let mut rest = Rest { bytes, at: 0, cut, elsewhere: 0 };
    let mut layer = first(link);
    let mut state = State {
        vlan: stripped_vlan & 0x0fff,
        tunnel: Tunnel::None,
        fragment: Fragment::No,
        datagram_id: 0,
        datagram_at: 0,
        datagram_vlan: 0,
        tunnels: 0,
        found: false,
    };
    for _ in 0..MAX_LAYERS {
        match step(layer, rest, &mut state, out) {
            Ok(Next::Layer(next, after)) => (layer, rest) = (next, after),
            Ok(Next::Done) => return Ok(()),
            Err(Reason::TunnelTooDeep) => return Err(Reason::TunnelTooDeep),
            // A tunnel without what it promises: the flow around it stands.
            Err(_) if state.found => return Ok(()),
            Err(reason) => return Err(reason),
        }
    }
    if state.found { Ok(()) } else { Err(Reason::TagsTooMany) }
}

fn step<'a>(
    layer: Layer,
    rest: Rest<'a>,
    state: &mut State,
    out: &mut Parsed,
) -> Result<Next<'a>, Reason> {
    match layer {
        Layer::Ethernet => link::ethernet(rest),
        Layer::EtherType(number) => link::ether_type(number, rest, state),
        Layer::Llc => link::llc(rest),
        Layer::Mpls => link::mpls(rest),
        Layer::Pppoe => link::pppoe(rest),
        Layer::Ppp => link::ppp(rest),
        Layer::PppWithDirection => link::ppp_with_direction(rest),
        Layer::PppHdlc => link::ppp_hdlc(rest),
        Layer::CHdlc => link::c_hdlc(rest),
        Layer::Null => link::null(rest),
        Layer::LinuxSll => link::linux_sll(rest),
        Layer::LinuxSll2 => link::linux_sll2(rest),
        Layer::Ppi => link::ppi(rest),
        Layer::Ieee80211 => wifi::ieee80211(rest),
        Layer::Ieee80211Swapped => wifi::ieee80211_swapped(rest),
        Layer::Radiotap => wifi::radiotap(rest),
        Layer::Ip => internet::either(rest),
        Layer::Ipv4 => internet::ipv4(rest, state, out),
        Layer::Ipv6 => internet::ipv6(rest, state, out),
        Layer::Unsupported => Err(Reason::UnsupportedLink),
    }
}

/// The layer that a link type begins with.
pub(super) const fn first(link: LinkType) -> Layer {
    match link {
        LinkType::Ethernet => Layer::Ethernet,
        LinkType::RawIp => Layer::Ip,
        LinkType::Null | LinkType::Loop => Layer::Null,
        LinkType::LinuxSll => Layer::LinuxSll,
        LinkType::LinuxSll2 => Layer::LinuxSll2,
        // Routers write Cisco's framing under PPP's own link type as well.
        LinkType::Ppp | LinkType::PppHdlc => Layer::PppHdlc,
        LinkType::PppWithDirection => Layer::PppWithDirection,
        LinkType::CHdlc => Layer::CHdlc,
        LinkType::Ppi => Layer::Ppi,
        LinkType::Ieee80211 => Layer::Ieee80211,
        LinkType::Radiotap => Layer::Radiotap,
        LinkType::Mpls => Layer::Mpls,
        LinkType::Pppoe => Layer::Pppoe,
        LinkType::Unsupported => Layer::Unsupported,
    }
}
