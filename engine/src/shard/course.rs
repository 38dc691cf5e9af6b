//! What a flow's course shows that no single packet does: odd flags, one side alone, connections
//! without a word, flows that come again at the same distance.

use weir_dpi::attr;
use weir_dpi::meta;
use weir_dpi::risk::flow::{self, Course};
use weir_dpi::risk::periodic::Periodic;
use weir_dpi::{Risk, Risks};

use super::{Depth, Shard};
use crate::capture::Source;
use crate::flow::group::prefetch;
use crate::flow::record;
use crate::wire::{Parsed, TcpHead};

const TCP: u8 = 6;

/// Combinations of TCP flags that no stack sends, by the header's byte of flags.
static ODD_FLAGS: [bool; 256] = odd_flags();

/// Whether a packet's TCP flags do not belong together.
#[inline(always)]
pub(super) fn has_odd_flags(packet: &Parsed) -> bool {
    packet.key.protocol() == TCP && ODD_FLAGS[usize::from(packet.tcp.flags)]
}

#[expect(clippy::cast_possible_truncation, reason = "an index below 256")]
const fn odd_flags() -> [bool; 256] {
    let mut odd = [false; 256];
    let mut flags = 0;
    while flags < odd.len() {
        odd[flags] = flow::judge_flags(flags as u8).has(Risk::TcpIssues);
        flags += 1;
    }
    odd
}

impl<S: Source> Shard<S> {
    /// Asks for what [`Shard::note_beginning`] reads, for a flow that `packet` is likely to begin.
    #[inline]
    pub(super) fn fetch_course(&self, packet: &Parsed) {
        if self.plan.depth != Depth::Inspect {
            return;
        }
        let (client, server) = record::client_and_server(&packet.key, super::client_state(packet));
        if let Some(line) = self.periodic.line(client.address, server) {
            prefetch::<0, _>(line);
        }
    }

    /// Notes a flow that begins, and whether it does so again and again.
    pub(super) fn note_beginning(&mut self, index: u32, packet: &Parsed, now_ns: u64) {
        if self.plan.depth != Depth::Inspect {
            return;
        }
        let slot = self.table.slot(index);
        let verdict = record::verdict_word(slot);
        let (client, server) = record::client_and_server(&packet.key, verdict);
        if !self.periodic.began(client.address, server, now_ns).is_empty() {
            record::mark(slot, record::PERIODIC);
        }
    }

    /// Adds what the course of a flow that ends shows to its metadata. `silent`: no packet of it had
    /// payload.
    pub(super) fn judge_course(&mut self, index: u32, silent: bool) {
        if self.plan.depth != Depth::Inspect {
            return;
        }
        let seen = self.course(index, silent).and(self.plan.inspection.risks);
        if seen.is_empty() {
            return;
        }
        self.tell_risks(index, seen);
        let slot = self.table.slot(index);
        let before = slot.meta_ref();
        let now = self.export.amend(before, |metadata| add_risks(metadata, seen));
        if now != 0 {
            record::set_metadata(slot, now);
            // Only now: whoever still reads the slot finds out that it was opened.
            self.export.forget(before);
        }
    }

    fn course(&self, index: u32, silent: bool) -> Risks {
        let slot = self.table.slot(index);
        let word = record::verdict_word(slot);
        let key = record::key(slot);
        let record::ByDirection { packets, flags } = record::by_direction(slot);
        let course = Course {
            is_tcp: key.protocol() == TCP,
            packets,
            // How many had payload is not kept; that none had is known.
            payloads: if silent { [0, 0] } else { packets },
            flags,
            server: record::client_and_server(&key, word).1.address,
            verdict: record::verdict(slot),
        };
        let mut risks = flow::judge_course(&course);
        if word & record::ODD_FLAGS != 0 {
            risks.set(Risk::TcpIssues);
        }
        if word & record::PERIODIC != 0 {
            risks.set(Risk::Periodic);
        }
        risks
    }
}

/// Adds risks to encoded metadata: to its attribute of them, or as a new one.
fn add_risks(metadata: &mut Vec<u8>, seen: Risks) {
    let mut at = 0;
    let found = meta::decode(metadata).find_map(|(id, value)| {
        let here = at + 4;
        at = here + value.len();
        let value = value.first_chunk::<8>().filter(|_| id == attr::RISKS.id)?;
        Some((here, u64::from_le_bytes(*value)))
    });
    if let Some((at, before)) = found {
        metadata[at..at + 8].copy_from_slice(&(before | seen.0).to_le_bytes());
        return;
    }
    metadata.extend(attr::RISKS.id.to_le_bytes());
    metadata.extend(8_u16.to_le_bytes());
    metadata.extend(seen.0.to_le_bytes());
}

/// Places for pairs of ends that may turn out periodic.
pub(super) fn periodic(depth: Depth) -> Periodic {
    /// A quarter of a mebibyte.
    const PAIRS: u32 = 8192;
    Periodic::new(if depth == Depth::Inspect { PAIRS } else { 0 })
}

const _: () = assert!(TcpHead::SYN == flow::flag::SYN && TcpHead::RST == flow::flag::RST);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn risks_are_added_to_what_is_there() {
        let mut metadata = Vec::new();
        let risks = |metadata: &[u8]| {
            let all = meta::decode(metadata).filter(|(id, _)| *id == attr::RISKS.id);
            all.map(|(_, value)| u64::from_le_bytes(value.try_into().unwrap())).collect::<Vec<_>>()
        };
        add_risks(&mut metadata, Risks(1 << 57));
        assert_eq!(risks(&metadata), [1 << 57]);
        metadata.extend([9, 9, 1, 0, 7]);
        add_risks(&mut metadata, Risks(2));
        assert_eq!(risks(&metadata), [1 << 57 | 2]);
        assert_eq!(meta::decode(&metadata).count(), 2);
    }

    #[test]
    fn flags_of_scanners_are_odd() {
        for (flags, odd) in [(0x02, false), (0x12, false), (0x18, false), (0x03, true), (0, true)] {
            assert_eq!(ODD_FLAGS[flags], odd, "{flags:#x}");
        }
    }
}
