//! What is sent: frames in their order, each with the moment that it is due.
//!
//! A [`Plan`] is frames in memory ([`Store`]) and a rule ([`Order`]) that says which of them comes
//! as number *n* and of which flow it is made. It is fixed once made, so that the kernel's program,
//! the engines in this process and a capture file written by `--write` give the same frames.
//! [`Traffic`] goes through a plan and knows when each frame is due.

mod build;
mod capture;
mod patch;
mod payload;
pub(crate) mod synth;

#[cfg(test)]
mod tests;

pub(crate) use build::ETHERNET;
pub(crate) use capture::{CaptureNotes, Reading, read};
pub(crate) use patch::{Change, Patch};
use synth::Synth;

/// The most bytes that a frame may have.
pub(crate) const MAX_FRAME_BYTES: usize = 1 << 16;

/// A frame's place in a [`Store`].
#[derive(Clone, Copy, Debug)]
pub(crate) struct Template {
    /// Where its bytes begin.
    pub(crate) at: u32,
    pub(crate) bytes: u32,
    pub(crate) patch: Patch,
    /// In a capture: when it comes, from the first one on.
    pub(crate) due_ns: u64,
}

/// Frames, back to back.
#[derive(Clone, Default, Debug)]
pub(crate) struct Store {
    bytes: Vec<u8>,
    templates: Vec<Template>,
}

impl Store {
    /// Adds a frame. What goes beyond 4 GiB in all, or is too long for a frame, is refused.
    pub(crate) fn add(&mut self, frame: &[u8], patch: Patch, due_ns: u64) -> bool {
        let (Ok(at), Ok(bytes)) = (u32::try_from(self.bytes.len()), u32::try_from(frame.len()))
        else {
            return false;
        };
        if frame.len() > MAX_FRAME_BYTES || at.checked_add(bytes).is_none() {
            return false;
        }
        self.bytes.extend_from_slice(frame);
        self.templates.push(Template { at, bytes, patch, due_ns });
        true
    }

    /// All bytes.
    pub(crate) fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// All places.
    pub(crate) fn templates(&self) -> &[Template] {
        &self.templates
    }

    fn frame(&self, template: &Template) -> &[u8] {
        let at = usize::try_from(template.at).unwrap_or(usize::MAX);
        let bytes = usize::try_from(template.bytes).unwrap_or(0);
        self.bytes.get(at..at.saturating_add(bytes)).unwrap_or(&[])
    }
}

/// Which frame comes, and what it is changed to.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Pick {
    pub(crate) template: u32,
    pub(crate) flow: u32,
    pub(crate) sequence: u32,
}

/// The rule by which frames follow each other.
#[derive(Clone, Debug)]
pub(crate) enum Order {
    /// All frames of the store, again and again.
    Loop {
        /// How long a round is, by the capture's own time.
        period_ns: u64,
        /// Each round's flows are others.
        new_flows: bool,
    },
    /// By arithmetic.
    Synth(Synth),
}

/// Frames and the rule of their order. Never without a frame.
#[derive(Clone, Debug)]
pub(crate) struct Plan {
    pub(crate) store: Store,
    pub(crate) order: Order,
}

impl Plan {
    /// Which frame comes as number `index`.
    #[inline]
    pub(crate) fn pick(&self, index: u64) -> Pick {
        match &self.order {
            Order::Loop { new_flows, .. } => {
                let frames = self.round();
                #[expect(clippy::cast_possible_truncation, reason = "flow numbers go round")]
                let flow = if *new_flows { (index / frames) as u32 } else { 0 };
                let template = u32::try_from(index % frames).unwrap_or(0);
                Pick { template, flow, sequence: 0 }
            }
            Order::Synth(synth) => synth.pick(index),
        }
    }

    /// Frames of a round.
    pub(crate) fn round(&self) -> u64 {
        self.store.templates.len().max(1) as u64
    }

    /// What is added to the client's address for each flow.
    pub(crate) const fn stride(&self) -> u32 {
        match self.order {
            // Odd, so that all addresses are reached, and far from each other, so that rounds whose
            // clients are neighbours do not meet.
            Order::Loop { .. } => 0x9e37_79b1,
            Order::Synth(_) => Synth::stride(),
        }
    }

    /// The longest frame's bytes, without its check sequence.
    pub(crate) fn longest(&self) -> u32 {
        self.store.templates.iter().map(|template| template.bytes).max().unwrap_or(0)
    }

    /// Copies frame `pick` into `room` and changes it; its bytes. What `room` has no place for is
    /// cut.
    #[inline]
    pub(crate) fn write(&self, pick: Pick, room: &mut [u8]) -> usize {
        let template = usize::try_from(pick.template).unwrap_or(usize::MAX);
        let Some(template) = self.store.templates.get(template) else { return 0 };
        let frame = self.store.frame(template);
        let bytes = frame.len().min(room.len());
        let (Some(to), Some(from)) = (room.get_mut(..bytes), frame.get(..bytes)) else { return 0 };
        to.copy_from_slice(from);
        let change = Change { flow: pick.flow, sequence: pick.sequence };
        template.patch.apply(to, change, self.stride());
        bytes
    }

    /// Bytes of the frame that comes as number `index`.
    #[inline]
    fn bytes(&self, pick: Pick) -> u32 {
        let template = usize::try_from(pick.template).unwrap_or(usize::MAX);
        self.store.templates.get(template).map_or(0, |template| template.bytes)
    }
}

/// Fixed-point nanoseconds: 16 bits after the point, 78 hours before it.
pub(crate) const POINT: u32 = 16;

/// When frames are due.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Pace {
    /// At once.
    Top,
    /// As in the capture; its time was scaled when it was read.
    Timetable,
    /// After each frame, so much time for it and so much for each of its bytes, both in fixed point
    /// ([`POINT`]). Bytes are those on the wire: with the check sequence, and 64 at least.
    Even { frame: u64, byte: u64 },
}

impl Pace {
    /// So many frames a second.
    pub(crate) fn frames_a_second(rate: f64) -> Pace {
        Pace::Even { frame: fixed(1e9 / rate), byte: 0 }
    }

    /// So many bits a second, of frames with their check sequence.
    pub(crate) fn bits_a_second(rate: f64) -> Pace {
        Pace::Even { frame: 0, byte: fixed(8e9 / rate) }
    }

    /// How long after a frame of so many bytes, without its check sequence, the next is due.
    #[inline]
    const fn step(self, bytes: u32) -> u64 {
        match self {
            Pace::Even { frame, byte } => frame.saturating_add(byte.saturating_mul(on_wire(bytes))),
            Pace::Top | Pace::Timetable => 0,
        }
    }
}

/// A frame's bytes with its check sequence, padded as a network card does.
#[inline]
pub(crate) const fn on_wire(bytes: u32) -> u64 {
    let whole = bytes as u64 + synth::CHECK_BYTES as u64;
    if whole < 64 { 64 } else { whole }
}

#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "saturates")]
fn fixed(ns: f64) -> u64 {
    (ns * f64::from(1_u32 << POINT)).round() as u64
}

/// A plan being gone through.
#[derive(Clone, Debug)]
pub(crate) struct Traffic {
    plan: Plan,
    pace: Pace,
    /// How many frames there are, where there is an end.
    frames: Option<u64>,
    index: u64,
    next: Pick,
    due: u64,
}

impl Traffic {
    /// From the first frame on, `frames` in all or without an end.
    pub(crate) fn new(plan: Plan, pace: Pace, frames: Option<u64>) -> Traffic {
        let next = plan.pick(0);
        let mut traffic = Traffic { plan, pace, frames, index: 0, next, due: 0 };
        traffic.due = traffic.first_due();
        traffic
    }

    /// The plan.
    pub(crate) const fn plan(&self) -> &Plan {
        &self.plan
    }

    /// The pace.
    pub(crate) const fn pace(&self) -> Pace {
        self.pace
    }

    /// The number of the next frame.
    pub(crate) const fn index(&self) -> u64 {
        self.index
    }

    /// The number of the frame after the last, where there is an end.
    pub(crate) const fn frames(&self) -> Option<u64> {
        self.frames
    }

    /// When the next frame is due, nanoseconds from the start; none after the last.
    #[inline]
    pub(crate) fn due_ns(&self) -> Option<u64> {
        (self.frames != Some(self.index)).then_some(self.due >> POINT)
    }

    /// Writes the next frame into `room` and goes on to the one after it; its bytes.
    ///
    /// Call it only while [`Traffic::due_ns`] tells of a frame.
    #[inline]
    pub(crate) fn write(&mut self, room: &mut [u8]) -> usize {
        let bytes = self.plan.write(self.next, room);
        self.skip();
        bytes
    }

    /// Leaves the next frame out; the bytes that it would have had.
    #[inline]
    pub(crate) fn skip(&mut self) -> u32 {
        let bytes = self.plan.bytes(self.next);
        self.index += 1;
        self.next = self.plan.pick(self.index);
        self.due = match self.pace {
            Pace::Timetable => self.first_due(),
            pace => self.due.saturating_add(pace.step(bytes)),
        };
        bytes
    }

    /// Goes on at frame number `index`, which is due at `due` (in fixed point), where somebody
    /// else has sent those before it.
    pub(crate) fn resume(&mut self, index: u64, due: u64) {
        self.index = index;
        self.next = self.plan.pick(index);
        self.due = due;
    }

    /// When the next frame is due by the timetable.
    #[inline]
    fn first_due(&self) -> u64 {
        let Order::Loop { period_ns, .. } = self.plan.order else { return 0 };
        if self.pace != Pace::Timetable {
            return 0;
        }
        let place = usize::try_from(self.next.template).unwrap_or(usize::MAX);
        let within = self.plan.store.templates.get(place).map_or(0, |template| template.due_ns);
        let rounds = self.index / self.plan.round();
        rounds.saturating_mul(period_ns).saturating_add(within).saturating_mul(1 << POINT)
    }
}

/// Spreads a number over 64 bits (the finalizer of `SplitMix64`).
#[inline]
pub(crate) const fn mix(number: u64) -> u64 {
    let mix = number.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let mix = (mix ^ (mix >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let mix = (mix ^ (mix >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    mix ^ (mix >> 31)
}
