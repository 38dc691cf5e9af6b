//! Servers that are not known as such: DHCP and DNS.

use weir_shm::alerts::{Alert, AlertKind, Figure, ShortText};

use super::event::{Begin, Flow};
use super::{Alerts, Counted, Party, host, key, seconds};

const DHCP_SERVER: u16 = 67;
const DHCP_CLIENT: u16 = 68;
/// Where a learned server stands among the keys.
const LEARNED: u64 = 1;

impl Alerts {
    /// A UDP flow may begin with the answer of a DHCP server.
    pub(super) fn note_server(&mut self, begin: &Begin<'_>) {
        let flow = &begin.flow;
        if flow.client.port != DHCP_SERVER || flow.server.port != DHCP_CLIENT {
            return;
        }
        let server = flow.client.address;
        if self.rules.dhcp_servers.is_empty() {
            let now_s = seconds(flow.now_ns);
            let learned = key(AlertKind::UnexpectedServer, &server, DHCP_SERVER, LEARNED);
            if self.is_learning(now_s) {
                // Used at the end of time: nothing else takes its place.
                self.meters.entry(&learned, u32::MAX);
            } else if self.meters.get(&learned).is_none() {
                self.unexpected(flow, host(&flow.client), b"DHCP");
            }
        } else if !self.rules.dhcp_servers.iter().any(|known| known.contains(server)) {
            self.unexpected(flow, host(&flow.client), b"DHCP");
        }
    }

    /// A DNS server has answered.
    pub(super) fn note_dns_server(&mut self, flow: &Flow) {
        let known = &self.rules.dns_servers;
        let server = flow.server.address;
        if !known.is_empty() && !known.iter().any(|known| known.contains(server)) {
            self.unexpected(flow, host(&flow.server), b"DNS");
        }
    }

    fn unexpected(&mut self, flow: &Flow, server: Party, what: &[u8]) {
        let ident = what.len() as u64;
        self.count(
            AlertKind::UnexpectedServer,
            &Counted {
                ident,
                ..flow.counts(
                    key(AlertKind::UnexpectedServer, &server.address, 0, ident << 8),
                    Figure::Flows,
                    &|| Alert {
                        note: ShortText::new(what),
                        ..flow.about(server, Party::default())
                    },
                )
            },
        );
    }
}
