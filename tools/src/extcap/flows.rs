//! What is said of a packet's flow, and by which name its server is known. Looked up in the flow
//! table when a flow is first met and when more became known of it; remembered meanwhile in a table
//! of fixed size.

use std::fmt::Write;
use std::net::IpAddr;

use weir_dpi::attr::{self, Attr};
use weir_shm::packets::{Descriptor, PacketReader};
use weir_shm::{FlowRead, FlowView};

use crate::flow::{Flow, to_ip};
use crate::{community, names};

/// Flows remembered. Of two that fall on the same place, the later one stays.
const PLACES: usize = 1 << 13;
/// How often a flow is looked up for its host's name.
const LOOKS: u8 = 12;

/// A flow that was looked up.
#[derive(Clone, Copy, Default, Debug)]
struct Known {
    shard: u16,
    flow_id: u64,
    community: Option<[u8; community::TEXT_BYTES]>,
    /// Its server's name is known, or there was none.
    looks_left: u8,
}

/// See the module.
#[derive(Debug)]
pub(super) struct Flows {
    known: Vec<Known>,
    view: FlowView,
    comment: String,
}

/// A server and its name.
pub(super) type Host = (IpAddr, String);

impl Flows {
    pub(super) fn new() -> Flows {
        let known = vec![Known::default(); PLACES];
        Flows { known, view: FlowView::default(), comment: String::new() }
    }

    /// Looks at a packet's flow: the comment on the packet, and the name of the flow's server the
    /// first time that it is met. Both are empty for a packet of no flow.
    pub(super) fn look(
        &mut self,
        reader: &PacketReader,
        shard: u16,
        packet: &Descriptor,
    ) -> (&str, Option<Host>) {
        self.comment.clear();
        if packet.flow_id == 0 {
            return ("", None);
        }
        let mut known = Known { shard, flow_id: packet.flow_id, ..Known::default() };
        let place = usize::try_from(packet.flow_id ^ u64::from(shard) << 10).unwrap_or(0) % PLACES;
        match self.known.get(place) {
            Some(before) if (before.shard, before.flow_id) == (shard, packet.flow_id) => {
                known = *before;
            }
            _ => known.looks_left = LOOKS,
        }
        let mut host = None;
        if known.looks_left > 0 {
            known.looks_left -= 1;
            host = self.read(reader, packet, &mut known);
            if let Some(place) = self.known.get_mut(place) {
                *place = known;
            }
        }
        self.say(packet, &known);
        (&self.comment, host)
    }

    /// Reads the flow table, if the flow is still there.
    fn read(
        &mut self,
        reader: &PacketReader,
        packet: &Descriptor,
        known: &mut Known,
    ) -> Option<Host> {
        let shards = reader.attached().shards();
        let shard = shards.iter().find(|shard| shard.shard() == known.shard)?;
        let slot = usize::try_from(packet.flow_slot).ok()?;
        if shard.read_flow(slot, &mut self.view) != FlowRead::Flow {
            return None;
        }
        let flow = Flow::decode(&self.view.snapshot, known.shard, &self.view.meta);
        if flow.id != packet.flow_id {
            return None;
        }
        known.community = known.community.or_else(|| flow.community_id());
        let host = server_name(&flow)?;
        known.looks_left = 0;
        Some((to_ip(flow.server.address, flow.ipv6), host))
    }

    fn say(&mut self, packet: &Descriptor, known: &Known) {
        let (app, confidence) =
            (names::dotted(packet.master, packet.app), names::confidence(packet.confidence));
        // Writing to a string does not fail.
        write!(self.comment, "app={app} confidence={confidence}").ok();
        if let Some(id) = known.community.as_ref().and_then(|id| std::str::from_utf8(id).ok()) {
            write!(self.comment, " community_id={id}").ok();
        }
        write!(self.comment, " flow={}", packet.flow_id).ok();
    }
}

/// What the client called the server: not what a DNS flow asks for, which is no name of its server.
fn server_name(flow: &Flow<'_>) -> Option<String> {
    const SAYING: [&Attr; 4] = [&attr::TLS_SNI, &attr::QUIC_SNI, &attr::DTLS_SNI, &attr::HTTP_HOST];
    let name = SAYING.into_iter().find_map(|attr| flow.attribute(attr))?;
    let name = std::str::from_utf8(name).ok()?;
    super::names::host_name(name).map(str::to_owned)
}
