//! What happens to each packet, wherever it comes from: its flow is known or made known, it is chosen or
//! not, and then it goes to files, to an interface, or waits in memory.

use serde::Serialize;

use super::asked::{Asked, Wanted};
use super::choice::{Choice, Verdict};
use super::files::{Files, Outcome};
use super::flows::{FlowState, Flows};
use super::memory::Memory;
use crate::feed::target::{Outcome as Fed, Target};
use crate::files::Packet;
use crate::files::alert::Named;
use crate::files::note::{FlowId, Note};
use crate::packets::ETHERNET;
use crate::{community, names};

/// Packets of memory that are looked at while one more comes, and while none does.
const CATCH_UP: usize = 4;
const CATCH_UP_IDLE: usize = 1 << 13;

/// Packets whose flows are looked for together: what is remembered of all of them is on its way from
/// memory at the same time.
pub(super) const BATCH: usize = 32;

/// Where what is remembered of the flows of some packets is, in their order.
pub(super) type Places = [Option<u32>; BATCH];

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
    asked: Asked,
    /// Only what is asked for is recorded, though there be no memory.
    by_alert: bool,
    /// Times of the first packet and of the newest.
    began_ns: u64,
    newest_ns: u64,
    pub(super) comments: bool,
    pub(super) counts: Counts,
    pub(super) now_ns: u64,
    waits: bool,
    comment: String,
    scratch: Vec<u8>,
}

/// Where packets go.
#[derive(Debug)]
pub(super) struct Ways {
    pub(super) files: Option<Files>,
    pub(super) target: Option<Target>,
    pub(super) memory: Option<Memory>,
    /// What comes can wait for the interface.
    pub(super) waits: bool,
    /// Packets that alerts name alone are recorded, for so long after an alert's end.
    pub(super) by_alert: bool,
    pub(super) after_ns: u64,
}

impl Recorder {
    pub(super) fn new(choice: Choice, flows: Flows, ways: Ways, comments: bool) -> Recorder {
        let Ways { files, target, memory, waits, by_alert, after_ns } = ways;
        Recorder {
            choice,
            flows,
            files,
            target,
            memory,
            asked: Asked::new(after_ns),
            by_alert,
            began_ns: 0,
            newest_ns: 0,
            comments,
            counts: Counts::default(),
            now_ns: 0,
            waits,
            comment: String::new(),
            scratch: Vec::new(),
        }
    }

    /// The places of the flows of packets, before [`Recorder::packet`] takes them.
    pub(super) fn find(&mut self, flows: impl Iterator<Item = Option<FlowId>>) -> Places {
        let mut places = [None; BATCH];
        for (place, flow) in places.iter_mut().zip(flows) {
            *place = flow.map(|flow| self.flows.place(flow));
        }
        if let Some(files) = &self.files {
            for place in places.into_iter().flatten() {
                if let Some(state) = self.flows.at(place) {
                    files.touch(state);
                }
            }
        }
        places
    }

    /// Takes a packet, whose flow is at `place`. `look` is asked about that, when more may be known of
    /// it.
    ///
    /// # Errors
    /// The interface that packets go to is gone.
    pub(super) fn packet(
        &mut self,
        packet: &mut Packet<'_>,
        place: Option<u32>,
        look: impl FnOnce(&mut FlowState),
    ) -> anyhow::Result<()> {
        if self.counts.seen == 0 {
            self.began_ns = packet.time_ns;
        }
        self.counts.seen += 1;
        self.newest_ns = self.newest_ns.max(packet.time_ns);
        let mut state = place.and_then(|place| self.flows.at(place));
        if let (Some(state), Some(note)) = (&mut state, packet.note) {
            let more = state.apps() != (note.app, note.master);
            state.note(&note);
            // Risks come to be known at any time: looked for at the packets 1, 2, 4, 8 …
            state.looks += 1;
            if more || state.looks.is_power_of_two() {
                look(state);
            }
        }
        let alone = self.by_alert && self.memory.is_none();
        match self.choice.decide(packet, state.as_deref()) {
            Verdict::Keep(_) if alone && !self.asked.wants(packet, state.as_deref()) => {
                Self::count(&mut self.counts.not_chosen)
            }
            Verdict::Keep(snap) => {
                packet.bytes = packet.bytes.get(..snap).unwrap_or(packet.bytes);
                if let Some(state) = state {
                    state.packets += 1;
                    state.bytes += u64::try_from(packet.bytes.len()).unwrap_or(0);
                }
                self.keep(packet, place)
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
                super::say(&format!("triggered: {} packets in memory", memory.waiting()));
                self.asked.trigger(wanted, self.newest_ns);
                memory.look();
            }
            None => super::say("triggered, but there is no --pretrigger: everything is recorded"),
        }
    }

    /// An alert began, goes on or ended; if it `chooses`, what it names is asked for.
    pub(super) fn alert(&mut self, alert: &Named, chooses: bool) {
        if alert.end_ns != 0 && alert.end_ns < self.began_ns {
            return;
        }
        if chooses {
            self.asked.alert(alert);
        }
        if let Some(files) = &mut self.files {
            files.alert(alert);
        }
    }

    /// Alerts but these are over.
    pub(super) fn only_alerts(&mut self, active: &[u64]) {
        self.asked.only(active, self.newest_ns);
    }

    /// Has what alerts name written, from the oldest packet in memory on, if they name more than before.
    pub(super) fn settle(&mut self) {
        let more = self.asked.settle(self.oldest_ns());
        if let Some(memory) = &mut self.memory {
            if more {
                memory.look();
            } else if self.asked.is_nothing() {
                memory.rest();
            }
        }
    }

    /// Of the packets that may still be written.
    fn oldest_ns(&self) -> u64 {
        let waiting = self.memory.as_ref().and_then(Memory::oldest_ns);
        waiting.unwrap_or(self.newest_ns).min(self.newest_ns)
    }

    /// Does what is due when nothing comes. Whether there is more to do.
    ///
    /// # Errors
    /// As [`Recorder::packet`].
    pub(super) fn idle(&mut self) -> anyhow::Result<bool> {
        let mut left = CATCH_UP_IDLE;
        while left > 0 && self.catch_up()? {
            left -= 1;
        }
        if let Some(files) = &mut self.files {
            files.look(self.now_ns);
        }
        Ok(left == 0)
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
            self.counts.not_asked_for += memory.waiting();
        }
        if let Some(files) = &mut self.files {
            files.close();
            files.sink.finish();
        }
        Ok(())
    }

    fn keep(&mut self, packet: &Packet<'_>, place: Option<u32>) -> anyhow::Result<()> {
        let Some(memory) = &mut self.memory else { return self.write(packet, place) };
        let id = place.and_then(|place| self.flows.at(place)).map(|state| state.id());
        self.counts.not_asked_for += memory.push(packet, id);
        for _ in 0..CATCH_UP {
            if !self.catch_up()? {
                break;
            }
        }
        Ok(())
    }

    /// Writes a packet of the memory, if it is asked for; whether there was one to look at.
    fn catch_up(&mut self) -> anyhow::Result<bool> {
        let mut bytes = std::mem::take(&mut self.scratch);
        let next = self.memory.as_mut().and_then(|memory| memory.next(&mut bytes));
        let any = next.is_some();
        if let Some((kept, number)) = next {
            let packet = kept.packet(&bytes);
            let place = kept.flow.map(|id| self.flows.place(id));
            let state = place.and_then(|place| self.flows.at(place));
            if self.asked.wants(&packet, state.as_deref()) {
                self.write(&packet, place)?;
                if let Some(memory) = &mut self.memory {
                    memory.written(number);
                }
            }
        }
        self.scratch = bytes;
        Ok(any)
    }

    /// Sends a frame to the interface; whether it took it.
    fn send(&self, target: &Target, frame: &[u8]) -> anyhow::Result<bool> {
        let fed = if self.waits { target.send_patiently(frame)? } else { target.send(frame)? };
        Ok(fed == Fed::Sent)
    }

    /// Writes a packet of the flow at a place.
    fn write(&mut self, packet: &Packet<'_>, place: Option<u32>) -> anyhow::Result<()> {
        let bytes = u64::try_from(packet.bytes.len()).unwrap_or(0);
        let mut recorded = true;
        if let Some(target) = &self.target {
            recorded = packet.link_type == ETHERNET && self.send(target, packet.bytes)?;
            self.counts.dropped_interface += u64::from(!recorded && self.files.is_none());
        }
        if self.files.is_some() {
            recorded = self.write_file(packet, place);
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
    fn write_file(&mut self, packet: &Packet<'_>, place: Option<u32>) -> bool {
        let Some(files) = &mut self.files else { return false };
        let state = place.and_then(|place| self.flows.at(place));
        let outcome = files.prepare(packet, self.now_ns).err().unwrap_or_else(|| {
            self.comment.clear();
            if let (Some(state), Some(note), true) = (&state, &packet.note, self.comments) {
                say(state, note, &mut self.comment);
            }
            files.write(packet, &self.comment, state)
        });
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

/// What is known of a packet's flow, for people.
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
