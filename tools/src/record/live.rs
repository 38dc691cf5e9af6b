//! Packets of a running engine.

use std::time::Duration;

use weir_dpi::attr;
use weir_dpi::risk::Risks;
use weir_shm::packets::{Held, Next, PacketReader};
use weir_shm::{FlowRead, FlowView};

use super::alerts::Watch;
use super::flows::FlowState;
use super::recorder::{BATCH, Recorder};
use super::trigger::Trigger;
use crate::files::Packet;
use crate::files::note::{Community, FlowId, Key, Note};
use crate::files::wire;
use crate::flow::Flow;
use crate::live::{monotonic_ns, pause};
use crate::packets::{LOOK, Stop, link_type, or_ethernet};
use crate::{community, field};

/// While packets come, the recorder sleeps so long where there is none, and the engine has nobody to
/// wake. Of ten million packets a second 2000 come meanwhile, half of those that the engine keeps for
/// readers with a lease by default.
const NAP: Duration = Duration::from_micros(200);
/// When nothing came for so long, it waits for the engine to wake it.
const LATELY_NS: u64 = 20_000_000;

/// Records until the engine ends or a signal comes. Whether the engine died.
///
/// # Errors
/// The interface that packets go to is gone.
pub(super) fn run(
    reader: &mut PacketReader,
    recorder: &mut Recorder,
    stop: &Stop,
    trigger: &Trigger,
    watch: &mut Watch,
) -> anyhow::Result<bool> {
    let source = or_ethernet(reader.link_type());
    let mut view = FlowView::default();
    let mut held = Vec::with_capacity(BATCH);
    let mut came_ns = 0;
    loop {
        recorder.now_ns = monotonic_ns();
        if let Some(wanted) = trigger.take() {
            recorder.trigger(wanted);
        }
        watch.look(reader.attached(), recorder);
        if stop.is_set() {
            return Ok(false);
        }
        let mut after = None;
        while held.len() < BATCH && after.is_none() {
            match reader.hold() {
                Next::Packet(packet) => held.push(packet),
                other => after = Some(other),
            }
        }
        if !held.is_empty() {
            came_ns = recorder.now_ns;
        }
        let result = take(reader, recorder, &held, source, &mut view);
        held.drain(..).for_each(|packet| reader.release(packet));
        result?;
        match after {
            None | Some(Next::Packet(_)) => {}
            Some(Next::Missed(packets)) => recorder.missed(packets),
            Some(Next::Empty) => {
                recorder.now_ns = monotonic_ns();
                if recorder.idle()? {
                    continue;
                }
                if recorder.now_ns.saturating_sub(came_ns) < LATELY_NS {
                    pause(NAP);
                } else {
                    reader.wait(Some(LOOK));
                }
            }
            Some(end @ (Next::Ended | Next::Died)) => {
                // Those that ended with the engine.
                watch.look(reader.attached(), recorder);
                return Ok(matches!(end, Next::Died));
            }
        }
    }
}

fn take(
    reader: &PacketReader,
    recorder: &mut Recorder,
    held: &[Held],
    source: u32,
    view: &mut FlowView,
) -> anyhow::Result<()> {
    // All that is to be copied is asked for before any of it is waited for.
    for held in held {
        touch(reader.bytes(held));
    }
    let places = recorder.find(held.iter().map(flow));
    for (held, place) in held.iter().zip(places) {
        let mut packet = packet(reader, held, source);
        recorder.packet(&mut packet, place, |state| look(reader, held, view, source, state))?;
    }
    Ok(())
}

/// Reads a byte of each cache line.
fn touch(bytes: &[u8]) {
    const LINE: usize = 64;
    std::hint::black_box(bytes.iter().step_by(LINE).fold(0, |all, byte| all ^ byte));
}

fn flow(held: &Held) -> Option<FlowId> {
    let flow_id = held.descriptor().flow_id;
    (flow_id != 0).then_some((held.shard(), flow_id))
}

fn note(held: &Held) -> Option<Note> {
    let descriptor = held.descriptor();
    flow(held).map(|(shard, flow_id)| Note {
        shard,
        flow_id,
        app: descriptor.app,
        master: descriptor.master,
        confidence: descriptor.confidence,
        flags: descriptor.flags,
        identity: None,
    })
}

fn packet<'a>(reader: &'a PacketReader, held: &'a Held, source: u32) -> Packet<'a> {
    let descriptor = held.descriptor();
    Packet {
        time_ns: descriptor.timestamp_ns,
        bytes: reader.bytes(held),
        wire_bytes: held.wire_bytes(),
        link_type: link_type(descriptor.link, source),
        interface: descriptor.interface.into(),
        note: note(held),
        ..Packet::default()
    }
}

/// Learns of a flow what the flow table has, and what the packet says, where the flow is gone or has no
/// community id, as those of ICMP whose type was not noted.
fn look(
    reader: &PacketReader,
    held: &Held,
    view: &mut FlowView,
    source: u32,
    state: &mut FlowState,
) {
    read(reader, held, view, state);
    if state.identity.is_none_or(|(_, community)| community == Community::default())
        && let Some(found) = wire::single(&packet(reader, held, source))
    {
        let key = state.identity.map_or(found, |(known, _)| known);
        state.identity = Some((key, found.community()));
    }
}

fn read(reader: &PacketReader, held: &Held, view: &mut FlowView, state: &mut FlowState) {
    let descriptor = held.descriptor();
    let shards = reader.attached().shards();
    let shard = shards.iter().find(|shard| shard.shard() == held.shard());
    let slot = usize::try_from(descriptor.flow_slot).ok();
    let (Some(shard), Some(slot)) = (shard, slot) else { return };
    if shard.read_flow(slot, view) != FlowRead::Flow {
        return;
    }
    let flow = Flow::decode(&view.snapshot, held.shard(), &view.meta);
    if flow.id != descriptor.flow_id {
        return;
    }
    let risks = flow.attribute(&attr::RISKS).map(field::risks);
    state.has_risk |= risks.is_some_and(|risks| risks != Risks::default());
    if state.identity.is_none_or(|(_, community)| community == Community::default()) {
        let key = Key {
            addresses: [flow.client.address, flow.server.address],
            ports: [flow.client.port, flow.server.port],
            l4: flow.l4,
            ipv6: flow.ipv6,
            vlan: flow.vlan,
            tunnel: flow.tunnel,
            one_way: false,
        };
        let digest = flow.community_id().and_then(|text| community::digest(&text));
        state.identity = Some((key, digest.unwrap_or_default()));
    }
}
