//! Stage: a packet of a flow whose application is still being looked for.

use weir_dpi::inspect::{Segment, Step, TcpSegment};
use weir_dpi::risk::flow;

use super::{Shard, alerts};
use crate::capture::{Frame, Source};
use crate::flow::group::prefetch;
use crate::flow::record;
use crate::wire::{Fragment, Parsed, TcpHead};

const TCP: u8 = 6;
const UDP: u8 = 17;

impl<S: Source> Shard<S> {
    /// Gives the packet to inspection and writes down what that says. Whether there is something
    /// new in it that readers of records are to be told.
    #[inline]
    pub(super) fn inspect(
        &mut self,
        index: u32,
        verdict: u64,
        packet: &Parsed,
        frame: &Frame,
    ) -> bool {
        if !matches!(packet.key.protocol(), TCP | UDP) {
            self.name_by_ip_protocol(index, packet);
            return false;
        }
        if packet.payload_bytes == 0 {
            return false;
        }
        let payload = packet.payload(self.source.bytes(frame));
        fetch_payload(payload);
        let protocol = packet.key.protocol();
        let direction = record::direction(verdict, packet.swapped);
        let (client, server) = record::client_and_server(&packet.key, verdict);
        let segment = Segment {
            payload,
            direction,
            client,
            server,
            protocol,
            tcp: (protocol == TCP).then(|| tcp_segment(packet, verdict)),
            now_ns: frame.timestamp_ns,
            // The rest of a first fragment's payload is in the others, which hold no payload here.
            payload_missing: packet.payload_wire_bytes > packet.payload_bytes
                || packet.fragment != Fragment::No,
        };
        let inspection = &mut self.sides[index as usize].inspection;
        let (found, ended) = match self.inspector.inspect(inspection, &segment) {
            Step::More => return false,
            Step::Refined(found) => (found, false),
            Step::Ended(found) => (found, true),
        };
        if packet.fragment != Fragment::No {
            self.inspector.note_risks(*inspection, flow::judge_fragment(found.master));
        }
        self.note_verdict(index, found, ended);
        true
    }

    /// Whether no packet of a flow had payload.
    pub(super) fn is_silent(&self, index: u32) -> bool {
        let inspected = record::verdict_word(self.table.slot(index)) & record::INSPECTED != 0;
        !inspected && self.sides[index as usize].inspection.is_none()
    }

    /// Ends the inspection of a flow that ends, with the best guess at hand.
    pub(super) fn end_inspection(&mut self, index: u32) {
        let slot = self.table.slot(index);
        let verdict = record::verdict_word(slot);
        if verdict & record::INSPECTED != 0 || self.plan.depth != super::Depth::Inspect {
            return;
        }
        let key = record::key(slot);
        let (client, server) = record::client_and_server(&key, verdict);
        let inspection = &mut self.sides[index as usize].inspection;
        let found = self.inspector.end(inspection, key.protocol(), client, server);
        self.note_verdict(index, found, true);
    }

    fn name_by_ip_protocol(&self, index: u32, packet: &Parsed) {
        let slot = self.table.slot(index);
        let (client, server) = record::client_and_server(&packet.key, record::verdict_word(slot));
        let found = self.inspector.without_payload(packet.key.protocol(), client, server);
        record::set_verdict(slot, found, true, || 0);
    }

    /// Writes a verdict and its metadata to the flow's record.
    fn note_verdict(&mut self, index: u32, found: weir_dpi::Verdict, ended: bool) {
        let inspection = &mut self.sides[index as usize].inspection;
        let slot = self.table.slot(index);
        let before = slot.meta_ref();
        let place = *inspection;
        record::set_verdict(slot, found, ended, || {
            self.export.replace(before, |metadata| self.inspector.append_meta(place, metadata))
        });
        if slot.meta_ref() != before {
            // Only now: whoever still reads the slot finds out that it was opened.
            self.export.forget(before);
        }
        if ended {
            let risks = alerts::risks_of(self.export.replaced());
            self.learn_hosts(index, found);
            let inspection = &mut self.sides[index as usize].inspection;
            self.inspector.release(inspection);
            self.tell_named(index, found.master, risks);
        }
    }
}

/// Asks for the payload's first cache lines, some of which came with the headers: they are on their
/// way while the flow's state is looked up.
#[inline(always)]
fn fetch_payload(payload: &[u8]) {
    prefetch::<1, _>(payload);
    prefetch::<2, _>(payload);
    prefetch::<3, _>(payload);
    prefetch::<4, _>(payload);
    prefetch::<5, _>(payload);
}

/// What inspection needs to put a segment in order. A SYN takes a sequence number of its own.
fn tcp_segment(packet: &Parsed, verdict: u64) -> TcpSegment {
    let has = |flag| packet.tcp.flags & flag != 0;
    TcpSegment {
        seq: packet.tcp.sequence.wrapping_add(u32::from(has(TcpHead::SYN))),
        syn_seen: verdict & record::SYN_SEEN != 0,
        fin: has(TcpHead::FIN),
        rst: has(TcpHead::RST),
    }
}
