//! What a flow's health came to since it was last told: to its hosts, its networks, and alerts.
//!
//! It is told when the timer wheel looks at the flow and when the flow ends, never at a packet.

use weir_shm::flow::FlowSlot;
use weir_shm::health::{
    GAPS, HealthSlot, RARE, RESENT, TICK_NS, WORD_ANSWERS, WORD_ANSWERS_SUM, WORD_DELAYS,
    WORD_FLOW_ID, WORD_STATE, events_of, has_events, high, low,
};
use weir_shm::hosts::Segments;

use super::Health;
use crate::flow::record;

const TCP: u8 = 6;

/// What is kept of a flow between two tellings, as far as it was told.
#[derive(Clone, Copy, Default, Debug)]
pub(super) struct Told {
    packets: u32,
    answers: u32,
    answers_sum: u32,
    /// Low bits of each direction's counts.
    ways: [[u16; KINDS]; 2],
}

/// Segments by kind, and the spurious ones of the first.
const KINDS: usize = Segments::KINDS + 1;
const SPURIOUS: usize = KINDS - 1;

/// What a flow has told: a byte that lies where the engine's other state of it does.
#[derive(Clone, Copy, Default, Debug)]
pub(crate) struct Telling(u8);

impl Telling {
    /// The flow has told something: its [`Told`] is its own.
    const BEGAN: u8 = 1;
    /// The server's delay is told; the client's is the next bit.
    const DELAYS: [u8; 2] = [2, 4];
}

/// News of a flow.
#[derive(Clone, Copy, Default, Debug)]
pub(crate) struct Course {
    /// The way to the server and back, and to the client, nanoseconds; 0: not known, or told before.
    pub(crate) delays_ns: [u64; 2],
    /// Answers, and how long they took on the average, nanoseconds.
    pub(crate) answers: u32,
    pub(crate) answer_ns: u64,
    /// Packets of both directions, of TCP.
    pub(crate) packets: u32,
    /// What happened to segments from the lower end, and from the higher.
    pub(crate) segments: [Segments; 2],
    /// Segments that were sent again although they had arrived, likewise.
    pub(crate) spurious: [u32; 2],
}

impl Health {
    /// What is new of a flow, which is told by this. None where health is off or the flow has none.
    pub(crate) fn course(
        &mut self,
        index: u32,
        flow: &FlowSlot,
        telling: &mut Telling,
    ) -> Option<Course> {
        let slot = self.slots.get(index as usize)?;
        if slot.load(WORD_FLOW_ID) != record::flow_id(flow) {
            return None;
        }
        let told = self.told.get_mut(index as usize)?;
        if telling.0 & Telling::BEGAN == 0 {
            *told = Told::default();
        }
        let mut course = Course::default();
        course.take_times(slot, told, telling);
        if record::key(flow).protocol() == TCP {
            course.take_segments(slot, flow, told);
        }
        telling.0 |= Telling::BEGAN;
        Some(course)
    }
}

impl Course {
    fn take_times(&mut self, slot: &HealthSlot, told: &mut Told, telling: &mut Telling) {
        let delays = slot.load(WORD_DELAYS);
        let both = [low(delays), high(delays)].into_iter().zip(Telling::DELAYS);
        for (delay_ns, (ticks, bit)) in self.delays_ns.iter_mut().zip(both) {
            if ticks != 0 && telling.0 & bit == 0 {
                *delay_ns = u64::from(ticks) * TICK_NS;
                telling.0 |= bit;
            }
        }
        let (answers, sum) = (low(slot.load(WORD_ANSWERS)), low(slot.load(WORD_ANSWERS_SUM)));
        self.answers = answers.wrapping_sub(told.answers);
        let ticks = u64::from(sum.wrapping_sub(told.answers_sum));
        self.answer_ns = (ticks * TICK_NS).checked_div(self.answers.into()).unwrap_or(0);
        (told.answers, told.answers_sum) = (answers, sum);
    }

    fn take_segments(&mut self, slot: &HealthSlot, flow: &FlowSlot, told: &mut Told) {
        #[expect(clippy::cast_possible_truncation, reason = "as they wrap")]
        let packets = record::packets(flow) as u32;
        self.packets = packets.wrapping_sub(told.packets);
        told.packets = packets;
        let state = slot.load(WORD_STATE);
        for (lane, told) in told.ways.iter_mut().enumerate() {
            if state & has_events(lane) == 0 {
                continue;
            }
            let base = events_of(lane);
            let (resent, gaps) = (slot.load(base + RESENT), slot.load(base + GAPS));
            // Quarters: fast, spurious, of what was not seen, zero windows.
            let rare = slot.load(base + RARE);
            let now = [low(resent), low(gaps), high(resent), high(rare) >> 16, low(rare) >> 16];
            let mut since = [0; KINDS];
            for ((since, now), told) in since.iter_mut().zip(now).zip(told) {
                // There are fewer than 2^16 of each between two tellings.
                #[expect(clippy::cast_possible_truncation, reason = "the low bits")]
                let now = now as u16;
                *since = u32::from(now.wrapping_sub(*told));
                *told = now;
            }
            let [retransmissions, lost, out_of_order, zero_windows, _] = since;
            self.segments[lane] = Segments([retransmissions, lost, out_of_order, zero_windows]);
            self.spurious[lane] = since[SPURIOUS];
        }
    }
}
