//! Packets of capture files, without an engine. Which flow each is of its bytes tell, or, in files that
//! Weir wrote, what is noted with it; applications are known of the latter alone.

use std::collections::HashMap;
use std::path::PathBuf;

use ahash::RandomState;
use anyhow::Context;
use hashbrown::HashTable;
use weir_shm::alerts::Severity;

use super::flows::hasher;
use super::recorder::{BATCH, Recorder};
use super::trigger::Trigger;
use crate::files::Packet;
use crate::files::alert;
use crate::files::note::{FlowId, Identity, Key, Note};
use crate::files::packed::Unpacker;
use crate::files::reader::{Ended, Reader};
use crate::files::source::Source;
use crate::files::wire::Parser;
use crate::packets::Stop;

/// A flow that nothing came of for so long is over: what comes then is another one.
const IDLE_NS: u64 = 120_000_000_000;
/// Flows remembered; beyond, all are forgotten.
const FLOWS: usize = 1 << 20;
/// The shard of flows that were found here.
const SHARD: u16 = u16::MAX;

/// A flow, within one cache line.
#[derive(Clone, Copy, Debug)]
#[repr(align(64))]
struct Known {
    key: Key,
    id: u64,
    last_ns: u64,
}

const _: () = assert!(size_of::<Known>() == 64, "one cache line");

/// Gives flows numbers.
#[derive(Debug)]
struct Numbers {
    known: HashTable<Known>,
    hasher: RandomState,
    parser: Parser,
    last: u64,
}

impl Numbers {
    fn new() -> Numbers {
        Numbers {
            known: HashTable::new(),
            hasher: hasher(),
            parser: Parser::default(),
            // By the time, as an engine's: files of several runs may lie in one directory.
            last: crate::live::now_ns() >> 8,
        }
    }

    /// The number of the flow of this key, both directions', of which a packet came at this time.
    fn number(&mut self, key: Key, hash: u64, time_ns: u64) -> u64 {
        let Some(known) = self.known.find_mut(hash, |known| known.key == key) else {
            return self.add(key, hash, time_ns);
        };
        if time_ns.saturating_sub(known.last_ns) > IDLE_NS {
            self.last += 1;
            known.id = self.last;
        }
        known.last_ns = known.last_ns.max(time_ns);
        known.id
    }

    #[cold]
    fn add(&mut self, key: Key, hash: u64, time_ns: u64) -> u64 {
        if self.known.len() >= FLOWS {
            self.known.clear();
        }
        self.last += 1;
        let new = Known { key, id: self.last, last_ns: time_ns };
        self.known.insert_unique(hash, new, |known| self.hasher.hash_one(known.key));
        self.last
    }
}

/// Who the flows of packets are, by what the packets say.
#[derive(Debug)]
struct Identities {
    numbers: Numbers,
    /// Of files that Weir wrote: as they told. Numbers of flows are those of one file only.
    told: HashMap<FlowId, Identity, RandomState>,
}

impl Identities {
    /// Notes of each packet which flow it is of; of those of which its bytes told, the key.
    fn note(&mut self, packets: &mut [Packet<'_>]) -> [Option<Key>; BATCH] {
        let (mut keys, mut hashed) = ([None; BATCH], [None; BATCH]);
        for ((packet, key), hashed) in packets.iter().zip(&mut keys).zip(&mut hashed) {
            if packet.note.is_none() {
                *key = self.numbers.parser.key(packet);
                *hashed = key.map(|key| {
                    let key = key.ordered();
                    (key, self.numbers.hasher.hash_one(key))
                });
            }
        }
        for (packet, hashed) in packets.iter_mut().zip(hashed) {
            if let Some((key, hash)) = hashed {
                let flow_id = self.numbers.number(key, hash, packet.time_ns);
                packet.note = Some(Note { shard: SHARD, flow_id, ..Note::default() });
            } else if let Some(note) = &mut packet.note
                && let Some(told) = note.identity.take()
            {
                if self.told.len() >= FLOWS {
                    self.told.clear();
                }
                self.told.insert(note.id(), told);
            }
        }
        keys
    }
}

/// The flow of a packet that has its note.
fn flow(packet: &Packet<'_>) -> Option<FlowId> {
    packet.note.as_ref().filter(|note| note.flow_id != 0).map(Note::id)
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
    let told = HashMap::with_hasher(hasher());
    let mut identities = Identities { numbers: Numbers::new(), told };
    for path in files {
        let cannot = || format!("cannot read {}", path.display());
        let source = Source::open(path).with_context(cannot)?;
        let reader = Reader::new(source).with_context(cannot)?;
        let mut reader =
            reader.with_context(|| format!("{} is no capture file", path.display()))?;
        identities.told.clear();
        loop {
            let mut packets = reader.packets(BATCH).with_context(cannot)?;
            if packets.is_empty() {
                break;
            }
            let keys = identities.note(&mut packets);
            let places = recorder.find(packets.iter().map(flow));
            for ((packet, key), place) in packets.iter_mut().zip(&keys).zip(places) {
                // So that files end by the time of packets, and not by that of reading them.
                recorder.now_ns = recorder.now_ns.max(packet.time_ns);
                for alert in alert::all(packet.alerts) {
                    let chooses = by_alert.is_some_and(|least| alert.severity >= least as u8);
                    recorder.alert(&alert, chooses);
                    recorder.settle();
                }
                let id = flow(packet);
                recorder.packet(packet, place, |state| {
                    state.identity = state.identity.or_else(|| match key {
                        Some(key) => Some((*key, key.community())),
                        None => identities.told.get(&id?).copied(),
                    });
                })?;
                recorder.wait_for_disk();
            }
            if stop.is_set() {
                return Ok(());
            }
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
