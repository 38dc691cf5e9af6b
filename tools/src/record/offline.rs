//! Packets of capture files, without an engine. Which flow each is of its bytes tell, or, in files that
//! Weir wrote, what is noted with it; applications are known of the latter alone.

use std::collections::HashMap;
use std::path::PathBuf;

use ahash::RandomState;
use anyhow::Context;
use weir_shm::alerts::Severity;

use super::flows::{FlowId, hasher};
use super::recorder::Recorder;
use super::trigger::Trigger;
use crate::files::Packet;
use crate::files::alert;
use crate::files::note::{Community, Key, Note};
use crate::files::packed::Unpacker;
use crate::files::reader::{Ended, Reader};
use crate::files::source::Source;
use crate::files::wire::{self, Fragments};
use crate::packets::Stop;

/// A flow that nothing came of for so long is over: what comes then is another one.
const IDLE_NS: u64 = 120_000_000_000;
/// Flows remembered; beyond, all are forgotten.
const FLOWS: usize = 1 << 20;
/// The shard of flows that were found here.
const SHARD: u16 = u16::MAX;

#[derive(Clone, Copy, Debug)]
struct Known {
    id: u64,
    last_ns: u64,
    community: Community,
}

/// Gives flows numbers.
#[derive(Debug)]
struct Numbers {
    known: HashMap<Key, Known, RandomState>,
    fragments: Fragments,
    last: u64,
}

impl Numbers {
    fn new() -> Numbers {
        let known = HashMap::with_hasher(hasher());
        Numbers { known, fragments: Fragments::default(), last: 0 }
    }

    fn number(&mut self, packet: &Packet<'_>) -> Option<(u64, Key, Community)> {
        let mut found = wire::parse(packet.link_type, packet.bytes)?;
        self.fragments.complete(&mut found);
        if self.known.len() >= FLOWS {
            self.known.clear();
        }
        let key = found.key.ordered();
        let (last, time_ns) = (&mut self.last, packet.time_ns);
        let mut new = || {
            *last += 1;
            *last
        };
        let known = self.known.entry(key).or_insert_with(|| {
            let community = key.community();
            Known { id: new(), last_ns: time_ns, community }
        });
        if time_ns.saturating_sub(known.last_ns) > IDLE_NS {
            known.id = new();
        }
        known.last_ns = known.last_ns.max(time_ns);
        Some((known.id, found.key, known.community))
    }
}

/// Records what is in the files, one after the other.
///
/// # Errors
/// One is no capture file or cannot be read.
pub(super) fn run(
    files: &[PathBuf],
    recorder: &mut Recorder,
    stop: &Stop,
    trigger: &Trigger,
    by_alert: Option<Severity>,
) -> anyhow::Result<()> {
    let mut numbers = Numbers::new();
    let mut identities: HashMap<FlowId, (Key, Community), _> = HashMap::with_hasher(hasher());
    for path in files {
        let cannot = || format!("cannot read {}", path.display());
        let source = Source::open(path).with_context(cannot)?;
        let reader = Reader::new(source).with_context(cannot)?;
        let mut reader =
            reader.with_context(|| format!("{} is no capture file", path.display()))?;
        // Numbers of flows are those of one file only.
        identities.clear();
        while reader.advance_to_packet().with_context(cannot)? {
            let (mut packet, _) = reader.current().with_context(cannot)?;
            // So that files end by the time of packets, and not by that of reading them.
            recorder.now_ns = recorder.now_ns.max(packet.time_ns);
            let identity = match packet.note {
                Some(note) => {
                    let place = (note.shard, note.flow_id);
                    if let Some(told) = note.identity {
                        if identities.len() >= FLOWS {
                            identities.clear();
                        }
                        identities.insert(place, told);
                    }
                    identities.get(&place).copied()
                }
                None => numbers.number(&packet).map(|(flow_id, key, community)| {
                    packet.note = Some(Note { shard: SHARD, flow_id, ..Note::default() });
                    (key, community)
                }),
            };
            if let Some(note) = &mut packet.note {
                note.identity = None;
            }
            for alert in alert::all(packet.alerts) {
                recorder.alert(&alert, by_alert.is_some_and(|least| alert.severity >= least as u8));
                recorder.settle();
            }
            recorder.packet(packet, |state| {
                state.identity = state.identity.or(identity);
            })?;
            reader.step();
            if stop.is_set() {
                return Ok(());
            }
            recorder.wait_for_disk();
            if let Some(wanted) = trigger.take() {
                recorder.trigger(wanted);
            }
        }
        let is_torn = reader.source().packed().is_some_and(Unpacker::is_torn);
        if reader.ended() == Ended::Torn || is_torn {
            super::say(&format!("{} ends in the middle of a packet", path.display()));
        }
    }
    Ok(())
}
