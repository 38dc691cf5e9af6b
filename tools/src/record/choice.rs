//! Which packets are recorded, and how much of each.

use std::collections::HashMap;
use std::net::IpAddr;

use weir_shm::bpf::Program;

use super::flows::FlowState;
use crate::files::Packet;
use crate::files::note::Community;
use crate::files::wire;
use crate::flow::from_ip;
use crate::packets;
use crate::units::{self, Quantity};

/// Addresses that begin alike, as mapped to IPv6.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Network {
    address: [u8; 16],
    bits: u32,
}

impl Network {
    /// Reads an address, with the length of its prefix or without.
    ///
    /// # Errors
    /// It is none, in words.
    pub(crate) fn parse(text: &str) -> Result<Network, String> {
        let wrong = || format!("{text:?} is no address, as 192.0.2.1 or 2001:db8::/32");
        let (address, bits) = text.split_once('/').map_or((text, None), |(a, b)| (a, Some(b)));
        let address: IpAddr = address.parse().map_err(|_| wrong())?;
        let whole = if address.is_ipv4() { 32 } else { 128 };
        let bits: u32 = bits.map_or(Ok(whole), |bits| bits.parse().map_err(|_| wrong()))?;
        if bits > whole {
            return Err(wrong());
        }
        Ok(Network { address: from_ip(address), bits: bits + 128 - whole })
    }

    /// So many first bits of an address, as mapped to IPv6.
    pub(crate) const fn new(address: [u8; 16], bits: u32) -> Network {
        Network { address, bits }
    }

    /// The address, where it is one only.
    pub(crate) fn single(&self) -> Option<[u8; 16]> {
        (self.bits == 128).then_some(self.address)
    }

    /// Whether an address is within.
    pub(crate) fn holds(&self, address: &[u8; 16]) -> bool {
        let [ours, theirs] = [self.address, *address].map(u128::from_be_bytes);
        (ours ^ theirs).checked_shr(128 - self.bits).unwrap_or(0) == 0
    }
}

/// The first packets or bytes of each flow.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum CutOff {
    Packets(u64),
    Bytes(u64),
}

impl CutOff {
    /// Reads a number of packets, or of bytes with their unit.
    ///
    /// # Errors
    /// It is neither, in words.
    pub(crate) fn parse(text: &str) -> Result<CutOff, String> {
        let is_bytes = text.to_ascii_lowercase().ends_with('b');
        let quantity = if is_bytes { Quantity::Bytes } else { Quantity::Count };
        let number = units::parse(text, quantity).filter(|number| *number > 0);
        let number = number.ok_or("a number of packets, as 20, or of bytes, as 64KB")?;
        Ok(if is_bytes { CutOff::Bytes(number) } else { CutOff::Packets(number) })
    }
}

/// What was decided.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Verdict {
    /// So many bytes of it.
    Keep(usize),
    NotChosen,
    NotSampled,
    CutOff,
}

/// See the module.
#[derive(Clone, Default, Debug)]
pub(super) struct Choice {
    pub(super) hosts: Vec<Network>,
    pub(super) vlans: Vec<u16>,
    pub(super) unknown: bool,
    pub(super) risk: bool,
    /// One of so many flows; 0 and 1: all.
    pub(super) sample: u64,
    pub(super) cut_off: Option<CutOff>,
    pub(super) snap: Option<usize>,
    pub(super) snap_apps: HashMap<u16, usize>,
    /// Applications, where the packet reader does not choose by them.
    pub(super) apps: Vec<u16>,
    pub(super) filter: Option<Filter>,
}

impl Choice {
    /// Decides on a packet of a flow, or of none.
    pub(super) fn decide(&mut self, packet: &Packet<'_>, flow: Option<&FlowState>) -> Verdict {
        if !self.is_wanted(packet, flow) {
            return Verdict::NotChosen;
        }
        let Some(flow) = flow else { return Verdict::Keep(self.snap.unwrap_or(usize::MAX)) };
        if self.sample > 1 && !number(flow).is_multiple_of(self.sample) {
            return Verdict::NotSampled;
        }
        let enough = match self.cut_off {
            None => false,
            Some(CutOff::Packets(most)) => flow.packets >= most,
            Some(CutOff::Bytes(most)) => flow.bytes >= most,
        };
        if enough {
            return Verdict::CutOff;
        }
        let of_app = |app| self.snap_apps.get(&app).copied();
        let snap = if self.snap_apps.is_empty() {
            self.snap
        } else {
            of_app(flow.app).or_else(|| of_app(flow.master)).or(self.snap)
        };
        Verdict::Keep(snap.unwrap_or(usize::MAX))
    }

    fn is_wanted(&mut self, packet: &Packet<'_>, flow: Option<&FlowState>) -> bool {
        if let Some(filter) = &mut self.filter
            && !filter.accepts(packet)
        {
            return false;
        }
        let is_app =
            |flow: &FlowState| self.apps.contains(&flow.app) || self.apps.contains(&flow.master);
        if !self.apps.is_empty() && !flow.is_some_and(is_app) {
            return false;
        }
        if self.unknown && flow.is_none_or(|flow| flow.apps() != (0, 0)) {
            return false;
        }
        if self.risk && !flow.is_some_and(|flow| flow.has_risk) {
            return false;
        }
        if !self.vlans.is_empty()
            && !wire::vlans(packet.link_type, packet.bytes).any(|vlan| self.vlans.contains(&vlan))
        {
            return false;
        }
        if self.hosts.is_empty() {
            return true;
        }
        let within = |ends: [[u8; 16]; 2]| {
            ends.iter().any(|address| self.hosts.iter().any(|host| host.holds(address)))
        };
        let known = flow.and_then(|flow| flow.identity.as_ref()).map(|(key, _)| key.addresses);
        known.or_else(|| wire::ends(packet)).is_some_and(within)
    }
}

/// A number of a flow that is the same in every run, if its ends are known.
fn number(flow: &FlowState) -> u64 {
    let of = |digest: &Community| {
        digest.first_chunk().map_or(0, |chunk: &[u8; 8]| u64::from_le_bytes(*chunk))
    };
    flow.identity.as_ref().map_or(flow.flow_id, |(_, community)| of(community))
}

/// A capture filter for packets of any link type.
#[derive(Clone, Debug)]
pub(crate) struct Filter {
    text: String,
    programs: Vec<(u32, Option<Program>)>,
}

impl Filter {
    /// Compiles a filter, at first for Ethernet.
    ///
    /// # Errors
    /// It is not understood.
    pub(crate) fn new(text: &str) -> anyhow::Result<Filter> {
        let program = packets::compile(text, packets::ETHERNET)?;
        Ok(Filter { text: text.to_owned(), programs: vec![(packets::ETHERNET, Some(program))] })
    }

    /// Whether it accepts a packet. One of a link type that it cannot be compiled for it does not.
    pub(crate) fn accepts(&mut self, packet: &Packet<'_>) -> bool {
        let known = self.programs.iter().position(|(link, _)| *link == packet.link_type);
        let at = known.unwrap_or_else(|| {
            let program = packets::compile(&self.text, packet.link_type).ok();
            self.programs.push((packet.link_type, program));
            self.programs.len() - 1
        });
        let program = self.programs.get(at).and_then(|(_, program)| program.as_ref());
        program.is_some_and(|program| program.run(packet.bytes, packet.wire_bytes) != 0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn networks_hold_their_addresses() {
        let holds = |network: &str, address: &str| {
            Network::parse(network).unwrap().holds(&from_ip(address.parse().unwrap()))
        };
        assert!(holds("10.0.0.0/8", "10.9.9.9") && !holds("10.0.0.0/8", "11.0.0.0"));
        assert!(holds("10.0.0.1", "10.0.0.1") && !holds("10.0.0.1", "10.0.0.2"));
        assert!(holds("2001:db8::/32", "2001:db8::5") && !holds("2001:db8::/32", "2001:db9::"));
        assert!(holds("::/0", "10.0.0.1") && holds("0.0.0.0/0", "1.1.1.1"));
        assert!(!holds("0.0.0.0/0", "2001:db8::1"));
        assert!(Network::parse("10.0.0.0/33").is_err() && Network::parse("a").is_err());
    }

    #[test]
    fn a_cut_off_counts_packets_or_bytes() {
        assert_eq!(CutOff::parse("20"), Ok(CutOff::Packets(20)));
        assert_eq!(CutOff::parse("2k"), Ok(CutOff::Packets(2000)));
        assert_eq!(CutOff::parse("64KB"), Ok(CutOff::Bytes(64_000)));
        assert!(CutOff::parse("0").is_err() && CutOff::parse("x").is_err());
    }
}
