//! What hosts are called, and which hardware they have: from what inspection found in a flow, from
//! the frames that flows begin with, from ARP and neighbour discovery.

use weir_dpi::{AppId, attr, meta};
use weir_shm::flow::pack_address;
use weir_shm::hosts::os::Syn;
use weir_shm::hosts::{HostKind, NameSource, Text};

use super::Hosts;
use crate::wire::FlowKey;

/// Answers of a DNS message that are learned from.
const ANSWERS: usize = 8;

/// What a flow's metadata says of hosts.
#[derive(Default)]
struct Said<'a> {
    /// The server, by its client.
    server: Option<&'a [u8]>,
    /// The name that was asked for, and its addresses.
    asked: Option<&'a [u8]>,
    answers: [[u8; 16]; ANSWERS],
    answered: usize,
    netbios: Option<&'a [u8]>,
    dhcp_name: Option<&'a [u8]>,
    dhcp_class: Option<&'a [u8]>,
    dhcp_options: Option<&'a [u8]>,
    dhcp_mac: Option<&'a [u8]>,
    dhcp_address: Option<[u8; 16]>,
}

impl<'a> Said<'a> {
    fn of(metadata: &'a [u8]) -> Said<'a> {
        let mut said = Said::default();
        for (id, value) in meta::decode(metadata) {
            match id {
                SNI | DTLS_SNI | QUIC_SNI | HTTP_HOST => said.server = Some(value),
                DNS_NAME => said.asked = Some(value),
                DNS_ANSWER => said.answer(value),
                NETBIOS_SOURCE => said.netbios = Some(value),
                DHCP_NAME | DHCPV6_NAME => said.dhcp_name = Some(value),
                DHCP_CLASS | DHCPV6_CLASS => said.dhcp_class = Some(value),
                DHCP_OPTIONS => said.dhcp_options = Some(value),
                DHCP_MAC => said.dhcp_mac = Some(value),
                DHCP_ADDRESS => said.dhcp_address = value.try_into().ok(),
                _ => {}
            }
        }
        said
    }

    fn answer(&mut self, value: &[u8]) {
        if let (Some(place), Ok(address)) = (self.answers.get_mut(self.answered), value.try_into())
        {
            *place = address;
            self.answered += 1;
        }
    }
}

const SNI: u16 = attr::TLS_SNI.id;
const DTLS_SNI: u16 = attr::DTLS_SNI.id;
const QUIC_SNI: u16 = attr::QUIC_SNI.id;
const HTTP_HOST: u16 = attr::HTTP_HOST.id;
const DNS_NAME: u16 = attr::DNS_NAME.id;
const DNS_ANSWER: u16 = attr::DNS_ANSWER.id;
const NETBIOS_SOURCE: u16 = attr::NETBIOS_SOURCE.id;
const DHCP_NAME: u16 = attr::DHCP_HOST_NAME.id;
const DHCP_CLASS: u16 = attr::DHCP_CLASS.id;
const DHCP_OPTIONS: u16 = attr::DHCP_FINGERPRINT.id;
const DHCP_MAC: u16 = attr::DHCP_CLIENT_MAC.id;
const DHCP_ADDRESS: u16 = attr::DHCP_ADDRESS.id;
const DHCPV6_NAME: u16 = attr::DHCPV6_HOST_NAME.id;
const DHCPV6_CLASS: u16 = attr::DHCPV6_CLASS.id;

impl Hosts {
    /// Inspection of a flow has come to its end with this metadata.
    pub(crate) fn learn(
        &mut self,
        index: u32,
        key: &FlowKey,
        (app, client_is_hi): (AppId, bool),
        metadata: &[u8],
        now_ns: u64,
    ) {
        if metadata.is_empty() {
            return;
        }
        let said = Said::of(metadata);
        let client = usize::from(client_is_hi);
        let [a, b, c, d, _] = key.words;
        let ends = [[a, b], [c, d]];
        if let Some(name) = said.server {
            let name = without_port(name);
            let name_of = (name, NameSource::Client);
            self.names.learn(&self.writer, ends[1 - client], name_of, now_ns);
            let hash = self.names.hash(name);
            self.change_detail(index, client, |detail| detail.asked_for(hash, name));
        }
        if let Some(name) = said.asked {
            self.learn_answers(index, (name, client, ends[client]), &said, app, now_ns);
        }
        if let Some(name) = said.netbios {
            self.names.learn(&self.writer, ends[client], (name, NameSource::NetBios), now_ns);
            self.change_detail(index, client, |detail| detail.set_text(Text::NetBios, name));
        }
        if said.dhcp_name.or(said.dhcp_class).or(said.dhcp_options).is_some() {
            self.learn_dhcp(&said, ends[client], now_ns);
        }
    }

    /// A question with its answers; in mDNS and LLMNR those are the sender's own word where they are
    /// its own address.
    fn learn_answers(
        &mut self,
        index: u32,
        (name, client, sender): (&[u8], usize, [u64; 2]),
        said: &Said<'_>,
        app: AppId,
        now_ns: u64,
    ) {
        let own_word = matches!(app, AppId::MDNS | AppId::LLMNR);
        let source = if own_word { NameSource::Mdns } else { NameSource::Dns };
        if own_word && name.starts_with(b"_") {
            // The name of a service (RFC 6763), not of a host.
            return;
        }
        for address in said.answers.iter().take(said.answered) {
            let address = pack_address(*address);
            self.names.learn(&self.writer, address, (name, source), now_ns);
            if own_word && address == sender {
                self.change_detail(index, client, |detail| detail.set_text(Text::Mdns, name));
            }
        }
    }

    /// What a DHCP client said goes to the address that it asks for, or has.
    fn learn_dhcp(&mut self, said: &Said<'_>, sender: [u64; 2], now_ns: u64) {
        let address = said.dhcp_address.map_or(sender, pack_address);
        if self.places.zone(FlowKey::joined(address)).kind == HostKind::Group {
            return;
        }
        let (place, identity) = self.find_or_add(address, now_ns);
        self.give_detail(place, identity, now_ns);
        if let Some(name) = said.dhcp_name {
            self.names.learn(&self.writer, address, (name, NameSource::Dhcp), now_ns);
        }
        let slot = self.writer.slot(place);
        let Some(detail) = slot.detail() else { return };
        let detail = self.writer.detail(detail);
        slot.begin();
        let texts = [
            (Text::DhcpName, said.dhcp_name),
            (Text::DhcpClass, said.dhcp_class),
            (Text::DhcpOptions, said.dhcp_options),
        ];
        for (text, value) in texts {
            if let Some(value) = value {
                detail.set_text(text, value);
            }
        }
        if let Some(mac) = said.dhcp_mac.and_then(mac_of) {
            detail.set_mac(mac);
        }
        slot.commit();
    }

    /// The hardware address of the end that sent a flow's first packet, and its SYN.
    #[inline]
    pub(crate) fn learn_sender(
        &self,
        index: u32,
        end: usize,
        mac: Option<u64>,
        syn: impl FnOnce() -> Option<Syn>,
    ) {
        let place = self.told[index as usize].places[end];
        self.change_detail(index, end, |detail| {
            let slot = self.writer.slot(place);
            if let Some(mac) = mac.filter(|_| detail.mac() == 0) {
                detail.set_mac(mac);
            }
            if !detail.has_syn()
                && let Some([head, options]) = syn().map(Syn::words)
            {
                detail.set_syn(head, options);
            }
            slot.note_known(detail.mac() != 0, detail.has_syn());
        });
    }

    /// Somebody says in ARP or IPv6's neighbour discovery that an address (mapped form) is on this
    /// hardware.
    #[cold]
    pub(crate) fn learn_neighbour(&mut self, address: [u8; 16], mac: [u8; 6], now_ns: u64) {
        let Some(mac) = mac_of(&mac) else { return };
        let address = pack_address(address);
        if !self.places.zone(FlowKey::joined(address)).kind.is_local() {
            return;
        }
        let (place, identity) = self.find_or_add(address, now_ns);
        self.give_detail(place, identity, now_ns);
        let slot = self.writer.slot(place);
        let Some(detail) = slot.detail() else { return };
        slot.begin();
        self.writer.detail(detail).set_mac(mac);
        slot.commit();
    }
}

/// A host name without the port that HTTP may have behind it.
fn without_port(name: &[u8]) -> &[u8] {
    let digits = name.iter().rev().take_while(|byte| byte.is_ascii_digit()).count();
    match name.split_at(name.len() - digits) {
        ([host @ .., b':'], [_, ..]) if !host.contains(&b':') => host,
        _ => name,
    }
}

/// The hardware address of six bytes; none where it is no single station's.
pub(crate) fn mac_of(bytes: &[u8]) -> Option<u64> {
    let bytes = bytes.first_chunk::<6>()?;
    let mac = bytes.iter().fold(0, |mac, byte| mac << 8 | u64::from(*byte));
    (bytes[0] & 1 == 0 && mac != 0).then_some(mac)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_host_field_loses_its_port() {
        for (whole, name) in [("a.b:80", "a.b"), ("a.b", "a.b"), ("::1", "::1"), ("a:", "a:")] {
            assert_eq!(without_port(whole.as_bytes()), name.as_bytes());
        }
    }
}
