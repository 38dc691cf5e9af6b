//! The books: every count a shard keeps, by name.
//!
//! Counted in shard-local words, published once a turn. Two equations hold at the end of every
//! turn: frames processed = frames parsed + drops by reason; and flows created = flows in the
//! table + flows ended by reason.

use weir_shm::counters::{CounterDef, CounterWriter, Role, Unit};

use crate::wire::Reason;

macro_rules! counters {
    ($($name:ident $text:literal $unit:ident $role:ident $help:literal;)*) => {
        /// A count a shard keeps, besides the drops by [`Reason`].
        #[derive(Clone, Copy, PartialEq, Eq, Debug)]
        #[repr(usize)]
        pub enum Count { $(#[doc = $help] $name),* }

        const NAMED: &[CounterDef] = &[$(CounterDef {
            name: $text, unit: Unit::$unit, role: Role::$role, help: $help,
        }),*];
    };
}

counters! {
    Processed "frames_processed" Count Processed "Frames that the shard took in.";
    Parsed "frames_parsed" Count Parsed "Frames that became a packet of a flow.";
    ParsedBytes "bytes_parsed" Bytes Info "Bytes on the wire of the parsed frames.";
    ProcessedBytes "bytes_processed" Bytes Info "Bytes on the wire of all frames taken in.";
    Fragments "fragments" Count Info "IP fragments that found their datagram's flow.";
    Tunnelled "packets_tunnelled" Count Info "Packets whose flow lies inside a tunnel.";
    FlowsCreated "flows_created" Count Info "Flows begun.";
    FlowsLive "flows_live" Count Info "Flows in the table now.";
    FlowsIdle "flows_ended_idle" Count Info "Flows ended by silence.";
    FlowsFin "flows_ended_fin" Count Info "TCP flows ended by FIN both ways.";
    FlowsReset "flows_ended_reset" Count Info "TCP flows ended by RST.";
    FlowsEvictedOnePacket "flows_evicted_one_packet" Count Info
        "Flows of one packet that left for a new flow because the table was full there.";
    FlowsEvictedOldest "flows_evicted_oldest" Count Info
        "Flows of more packets that left for a new flow because the table was full there.";
    FlowsShutdown "flows_ended_shutdown" Count Info "Flows ended because the run ended.";
    FlowUpdates "flow_updates" Count Info "Records of flows that go on past the active timeout.";
    PacketsInspected "packets_inspected" Count Info "Packets given to inspection.";
    InspectionsFull "inspections_full" Count Info
        "Flows not inspected, or not to the end, because all inspection slots were taken.";
    StreamsFull "streams_full" Count Info
        "Messages over several segments not put together because all buffers were taken.";
    MetadataLost "metadata_lost" Count Info
        "Flows whose metadata found no room in the string arena.";
    PacketsExported "packets_exported" Count Info "Packets given to packet readers.";
    PacketsRetained "packet_ring_used" Count Info
        "Frames, or pieces of them, that the packet ring holds now.";
    LeasesLost "leases_lost" Count Info
        "Times that a packet reader lost its lease because it was too far behind.";
    FramesLent "frames_lent" Count Info
        "Frames, or pieces of them, whose memory is kept for packet readers: used plus pinned.";
    FramesPinned "frames_pinned" Count Info
        "Frames outside of the packet ring that readers without a lease still hold.";
    ExportsCut "exports_cut" Count Info
        "Frames that packet readers got without their end: more than 255 pieces.";
    ExportsWithoutPlace "exports_without_place" Count Info
        "Frames that packet readers did not get because the packet memory was full.";
    WindowsShortened "windows_shortened" Count Info
        "Times that frames left the packet ring early because the source needed their memory.";
    ReadersRung "readers_rung" Count Info "Wake-ups of packet readers that slept.";
    FlowsShunted "flows_shunted" Count Info
        "Times that a group of packet readers wanted no more of a flow.";
    FlowsJudged "flows_judged" Count Info "Times that a packet reader said what it thinks of a flow.";
    AlertsStarted "alerts_started" Count Info "Alerts that began.";
    AlertsEnded "alerts_ended" Count Info "Alerts that ended.";
    AlertsFull "alerts_full" Count Info
        "Alerts that could not begin because as many as there may be were active.";
    AlertsExcluded "alerts_excluded" Count Info "Times that a rule's exclusions kept an alert back.";
    AlertKeysEvicted "alert_keys_evicted" Count Info
        "Hosts, services and the like that alerts no longer count by, because others took the place.";
    AlertKeysForgotten "alert_keys_forgotten" Count Info
        "Targets of scans that were forgotten within their window, and so may count twice.";
    HostsLive "hosts_live" Count Info "Hosts known now.";
    HostsDetailed "hosts_detailed" Count Info "Local hosts of which everything is kept now.";
    HostsCreated "hosts_created" Count Info "Hosts that were new.";
    HostsEvictedRemote "hosts_evicted_remote" Count Info
        "Remote hosts that left for a new host because the table was full there.";
    HostsEvictedLocal "hosts_evicted_local" Count Info
        "Local hosts that left for a new host: no remote one was left there.";
    HostsEvictedSent "hosts_evicted_bytes_sent" Bytes Info "Bytes that hosts which left had sent.";
    HostsEvictedReceived "hosts_evicted_bytes_received" Bytes Info
        "Bytes that hosts which left had received.";
    HostDetailsTaken "host_details_taken" Count Info
        "Times that a new local host got what was kept of one long silent.";
    HostDetailsFull "host_details_full" Count Info
        "Times that of a local host nothing but its totals was kept, because there was no room.";
    HostNamesReplaced "host_names_replaced" Count Info
        "Names of addresses that gave way to others.";
    Turns "turns" Count Info "Turns that handled at least one frame.";
    TimersLate "timers_late" Count Info
        "Turns that left due timers for the next one because the budget was used up.";
}

/// Counts of the named kind.
const COUNTS: usize = NAMED.len();
/// All counts: the named ones, then one for each [`Reason`].
pub const ALL: usize = COUNTS + Reason::ALL.len();

/// Every count's definition, in the order in which they are published.
pub const DEFINITIONS: [CounterDef; ALL] = {
    let mut all = [NAMED[0]; ALL];
    let mut index = 0;
    while index < ALL {
        all[index] = if index < COUNTS {
            NAMED[index]
        } else {
            let reason = Reason::ALL[index - COUNTS];
            CounterDef {
                name: reason.name(),
                unit: Unit::Count,
                role: Role::Drop,
                help: reason.help(),
            }
        };
        index += 1;
    }
    all
};

/// A shard's counts.
#[derive(Clone, Debug)]
pub struct Books {
    values: [u64; ALL],
}

impl Default for Books {
    fn default() -> Books {
        Books { values: [0; ALL] }
    }
}

impl Books {
    /// Adds one.
    #[inline(always)]
    pub fn one(&mut self, count: Count) {
        self.values[count as usize] += 1;
    }

    /// Adds `amount`.
    #[inline(always)]
    pub fn add(&mut self, count: Count, amount: u64) {
        self.values[count as usize] += amount;
    }

    /// Sets a gauge.
    #[inline(always)]
    pub fn set(&mut self, count: Count, value: u64) {
        self.values[count as usize] = value;
    }

    /// Counts a frame that was dropped.
    #[inline]
    pub fn drop(&mut self, reason: Reason) {
        self.values[COUNTS + reason as usize] += 1;
    }

    /// The value of a count.
    pub fn get(&self, count: Count) -> u64 {
        self.values[count as usize]
    }

    /// Every count with its definition.
    pub fn iter(&self) -> impl Iterator<Item = (&'static CounterDef, u64)> {
        const ROWS: &[CounterDef; ALL] = &DEFINITIONS;
        ROWS.iter().zip(self.values)
    }

    /// Puts the books of another shard on top of these.
    pub fn merge(&mut self, other: &Books) {
        for (mine, theirs) in self.values.iter_mut().zip(other.values) {
            *mine += theirs;
        }
    }

    /// Frames dropped, by any reason.
    pub fn dropped(&self) -> u64 {
        self.iter().filter(|(def, _)| def.role == Role::Drop).map(|(_, value)| value).sum()
    }

    /// Whether both equations hold.
    pub fn balanced(&self) -> bool {
        let frames = self.get(Count::Processed) == self.get(Count::Parsed) + self.dropped();
        let ended = [
            Count::FlowsIdle,
            Count::FlowsFin,
            Count::FlowsReset,
            Count::FlowsEvictedOnePacket,
            Count::FlowsEvictedOldest,
            Count::FlowsShutdown,
        ];
        let ended: u64 = ended.iter().map(|count| self.get(*count)).sum();
        frames && self.get(Count::FlowsCreated) == self.get(Count::FlowsLive) + ended
    }

    /// Whether each frame that is kept for packet readers is kept for a reason, and no memory was
    /// lost.
    pub fn is_whole(&self) -> bool {
        let reasons = self.get(Count::PacketsRetained) + self.get(Count::FramesPinned);
        self.get(Count::FramesLent) == reasons
    }

    /// Writes all of them to shared memory.
    #[inline]
    pub fn publish(&self, writer: &mut CounterWriter) {
        writer.publish(&self.values);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_unique_and_reasons_come_last() {
        let mut names: Vec<_> = DEFINITIONS.iter().map(|def| def.name).collect();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), ALL);
        let mut books = Books::default();
        for reason in Reason::ALL {
            books.drop(*reason);
        }
        assert_eq!(books.dropped(), Reason::ALL.len() as u64);
        assert!(!books.balanced());
        books.add(Count::Processed, Reason::ALL.len() as u64);
        assert!(books.balanced());
    }
}
