//! What happens to each packet, wherever it comes from: its flow is known or made known, it is chosen or
//! not, and then it goes to files, to an interface, or waits in memory.

use serde::Serialize;

use super::choice::{Choice, Verdict};
use super::files::{Files, Outcome};
use super::flows::{FlowId, FlowState, Flows};
use super::memory::{Memory, Wanted};
use crate::feed::target::{self, Target};
use crate::files::Packet;
use crate::files::note::Note;
use crate::{community, names};

/// Packets of memory that are written while one more comes.
const CATCH_UP: usize = 4;

/// Packets by what became of them.
#[derive(Clone, Copy, Default, PartialEq, Eq, Debug, Serialize)]
pub(super) struct Counts {
    /// That came here; each is in one of those below.
    pub(super) seen: u64,
    pub(super) not_chosen: u64,
    pub(super) not_sampled: u64,
    pub(super) cut_off: u64,
    /// To files or an interface.
    pub(super) recorded: u64,
    pub(super) recorded_bytes: u64,
    pub(super) dropped_disk_slow: u64,
    pub(super) dropped_disk_full: u64,
    pub(super) dropped_disk_error: u64,
    pub(super) dropped_link_type: u64,
    pub(super) dropped_too_long: u64,
    pub(super) dropped_interface: u64,
    /// Waited in memory until they were too old, or not asked for.
    pub(super) not_asked_for: u64,
    /// Written over in the ring before they came here; not among those seen.
    pub(super) missed: u64,
}

impl Counts {
    /// Adds another recorder's.
    pub(super) fn add(&mut self, more: &Counts) {
        let Counts { seen, not_chosen, not_sampled, cut_off, recorded, recorded_bytes, .. } = self;
        let counts = [
            (seen, more.seen),
            (not_chosen, more.not_chosen),
            (not_sampled, more.not_sampled),
            (cut_off, more.cut_off),
            (recorded, more.recorded),
            (recorded_bytes, more.recorded_bytes),
            (&mut self.dropped_disk_slow, more.dropped_disk_slow),
            (&mut self.dropped_disk_full, more.dropped_disk_full),
            (&mut self.dropped_disk_error, more.dropped_disk_error),
            (&mut self.dropped_link_type, more.dropped_link_type),
            (&mut self.dropped_too_long, more.dropped_too_long),
            (&mut self.dropped_interface, more.dropped_interface),
            (&mut self.not_asked_for, more.not_asked_for),
            (&mut self.missed, more.missed),
        ];
        for (sum, more) in counts {
            *sum += more;
        }
    }
}

/// See the module.
#[derive(Debug)]
pub(super) struct Recorder {
    pub(super) choice: Choice,
    pub(super) flows: Flows,
    pub(super) files: Option<Files>,
    pub(super) target: Option<Target>,
    pub(super) memory: Option<Memory>,
    pub(super) comments: bool,
    pub(super) counts: Counts,
    pub(super) now_ns: u64,
    comment: String,
    scratch: Vec<u8>,
}

/// Where packets go.
#[derive(Debug)]
pub(super) struct Ways {
    pub(super) files: Option<Files>,
    pub(super) target: Option<Target>,
    pub(super) memory: Option<Memory>,
}

impl Recorder {
    pub(super) fn new(choice: Choice, flows: Flows, ways: Ways, comments: bool) -> Recorder {
        let Ways { files, target, memory } = ways;
        Recorder {
            choice,
            flows,
            files,
            target,
            memory,
            comments,
            counts: Counts::default(),
            now_ns: 0,
            comment: String::new(),
            scratch: Vec::new(),
        }
    }

    /// Takes a packet. `look` is asked about its flow, when more may be known of it.
    ///
    /// # Errors
    /// The interface that packets go to is gone.
    pub(super) fn packet(
        &mut self,
        mut packet: Packet<'_>,
        look: impl FnOnce(&mut FlowState),
    ) -> anyhow::Result<()> {
        self.counts.seen += 1;
        let id =
            packet.note.filter(|note| note.flow_id != 0).map(|note| (note.shard, note.flow_id));
        let mut state = id.map(|id| self.flows.state(id));
        if let (Some(state), Some(note)) = (&mut state, packet.note) {
            let more = (state.note.app, state.note.master) != (note.app, note.master);
            state.note = Note { identity: None, ..note };
            // Risks come to be known at any time: looked for at the packets 1, 2, 4, 8 …
            state.looks += 1;
            if more || state.looks.is_power_of_two() {
                look(state);
            }
        }
        match self.choice.decide(&packet, state.as_deref()) {
            Verdict::Keep(snap) => {
                packet.bytes = packet.bytes.get(..snap).unwrap_or(packet.bytes);
                if let Some(state) = state {
                    state.packets += 1;
                    state.bytes += u64::try_from(packet.bytes.len()).unwrap_or(0);
                }
                self.keep(&packet, id)
            }
            Verdict::NotChosen => Self::count(&mut self.counts.not_chosen),
            Verdict::NotSampled => Self::count(&mut self.counts.not_sampled),
            Verdict::CutOff => Self::count(&mut self.counts.cut_off),
        }
    }

    #[expect(clippy::unnecessary_wraps, reason = "an arm of a match of results")]
    const fn count(place: &mut u64) -> anyhow::Result<()> {
        *place += 1;
        Ok(())
    }

    /// Packets were missed.
    pub(super) const fn missed(&mut self, packets: u64) {
        self.counts.missed += packets;
        if let Some(files) = &mut self.files {
            files.missed(packets);
        }
    }

    /// Has the memory written, and what comes for a while.
    pub(super) fn trigger(&mut self, wanted: Wanted) {
        match &mut self.memory {
            Some(memory) => {
                super::say(&format!("triggered: {} packets in memory", memory.packets()));
                memory.trigger(wanted);
            }
            None => super::say("triggered, but there is no --pretrigger: everything is recorded"),
        }
    }

    /// Does what is due when nothing comes.
    ///
    /// # Errors
    /// As [`Recorder::packet`].
    pub(super) fn idle(&mut self) -> anyhow::Result<()> {
        while self.catch_up()? {}
        if let Some(files) = &mut self.files {
            files.look(self.now_ns);
        }
        Ok(())
    }

    /// Waits for the disk, where what comes can wait.
    pub(super) fn wait_for_disk(&mut self) {
        if let Some(files) = &mut self.files {
            files.sink.wait();
        }
    }

    /// Ends the files.
    ///
    /// # Errors
    /// As [`Recorder::packet`].
    pub(super) fn finish(&mut self) -> anyhow::Result<()> {
        while self.catch_up()? {}
        if let Some(memory) = &self.memory {
            self.counts.not_asked_for += memory.packets();
        }
        if let Some(files) = &mut self.files {
            files.close();
            files.sink.finish();
        }
        Ok(())
    }

    fn keep(&mut self, packet: &Packet<'_>, id: Option<FlowId>) -> anyhow::Result<()> {
        let Some(memory) = &mut self.memory else { return self.write(packet, id) };
        self.counts.not_asked_for += memory.push(packet, id);
        for _ in 0..CATCH_UP {
            if !self.catch_up()? {
                break;
            }
        }
        Ok(())
    }

    /// Writes a packet of the memory, if that was asked for; whether it was.
    fn catch_up(&mut self) -> anyhow::Result<bool> {
        let mut bytes = std::mem::take(&mut self.scratch);
        let next = self.memory.as_mut().and_then(|memory| memory.pop(&mut bytes));
        let any = next.is_some();
        if let Some((kept, wanted)) = next {
            if self.is_asked_for(kept.flow, &wanted) {
                self.write(&kept.packet(&bytes), kept.flow)?;
            } else {
                self.counts.not_asked_for += 1;
            }
        }
        self.scratch = bytes;
        Ok(any)
    }

    fn is_asked_for(&mut self, flow: Option<FlowId>, wanted: &Wanted) -> bool {
        if *wanted == Wanted::default() {
            return true;
        }
        let identity = flow.and_then(|id| self.flows.state(id).identity);
        identity.is_some_and(|(key, community)| {
            wanted.host.is_none_or(|host| key.addresses.contains(&host))
                && wanted.community.is_none_or(|wanted| wanted == community)
        })
    }

    fn write(&mut self, packet: &Packet<'_>, id: Option<FlowId>) -> anyhow::Result<()> {
        let bytes = u64::try_from(packet.bytes.len()).unwrap_or(0);
        let mut recorded = true;
        if let Some(target) = &self.target {
            recorded = target.send(packet.bytes)? == target::Outcome::Sent;
            self.counts.dropped_interface += u64::from(!recorded && self.files.is_none());
        }
        if self.files.is_some() {
            recorded = self.write_file(packet, id);
        }
        if recorded {
            self.counts.recorded += 1;
            self.counts.recorded_bytes += bytes;
        }
        Ok(())
    }
}

impl Recorder {
    /// Writes a packet to the files; whether it is there.
    fn write_file(&mut self, packet: &Packet<'_>, id: Option<FlowId>) -> bool {
        let Some(files) = &mut self.files else { return false };
        let mut packet = *packet;
        let mut state = id.map(|id| self.flows.state(id));
        let outcome = files.prepare(&packet, self.now_ns).err().unwrap_or_else(|| {
            self.comment.clear();
            if let (Some(state), Some(note)) = (&state, &mut packet.note) {
                tell(state, note, files.serial());
                if self.comments {
                    say(state, note, &mut self.comment);
                    packet.comment = &self.comment;
                }
            }
            files.write(&packet, state.as_deref_mut())
        });
        let told = packet.note.is_some_and(|note| note.identity.is_some());
        if let (Some(state), true) = (state, told && outcome == Outcome::Written) {
            state.told_serial = files.serial();
            state.told_app = (state.note.app, state.note.master);
        }
        let counts = &mut self.counts;
        match outcome {
            Outcome::Written => {}
            Outcome::DiskSlow => counts.dropped_disk_slow += 1,
            Outcome::DiskFull => counts.dropped_disk_full += 1,
            Outcome::DiskError => counts.dropped_disk_error += 1,
            Outcome::LinkType => counts.dropped_link_type += 1,
            Outcome::TooLong => counts.dropped_too_long += 1,
        }
        outcome == Outcome::Written
    }
}

/// The first packet of a flow in a file tells who it is, and so does the first one after its
/// application became known.
fn tell(state: &FlowState, note: &mut Note, serial: u32) {
    let told = (state.told_serial, state.told_app);
    if told != (serial, (state.note.app, state.note.master)) {
        note.identity = state.identity;
    }
}

/// The same for people.
fn say(state: &FlowState, note: &Note, comment: &mut String) {
    use std::fmt::Write as _;
    let app = names::dotted(note.master, note.app);
    // Writing to a string does not fail.
    write!(comment, "app={app} confidence={}", names::confidence(note.confidence)).ok();
    if let Some((_, digest)) = &state.identity {
        let text = community::text(digest);
        write!(comment, " community_id={}", String::from_utf8_lossy(&text)).ok();
    }
    write!(comment, " flow={}", note.flow_id).ok();
}
