//! Holding the rate: frames are handed over when they are due, in batches if several are.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use serde::Serialize;
use weir_engine::sys::clock;

use super::meter::Meter;
use super::traffic::{Pace, Traffic};

/// Frames that were not sent, by reason.
#[derive(Clone, Copy, Default, PartialEq, Eq, Debug, Serialize)]
pub(crate) struct Unsent {
    /// They were due, and the time was over: the rate was too high for this machine.
    pub(crate) late: u64,
    /// The interface's queue stayed full.
    pub(crate) queue_full: u64,
    /// The kernel refused them.
    pub(crate) refused: u64,
    /// The driver took them from the kernel and dropped them.
    pub(crate) dropped_by_driver: u64,
    /// Of a capture: longer than the interface takes.
    pub(crate) too_long: u64,
    /// Of a capture: shorter than an Ethernet header.
    pub(crate) too_short: u64,
    /// Bytes on the wire of those that were handed over and did not leave.
    #[serde(skip)]
    pub(crate) bytes: u64,
}

impl Unsent {
    /// All of them.
    pub(crate) const fn sum(&self) -> u64 {
        self.late + self.handed_over() + self.too_long + self.too_short
    }

    /// Those that were handed over and did not leave.
    pub(crate) const fn handed_over(&self) -> u64 {
        self.queue_full + self.refused + self.dropped_by_driver
    }
}

/// A way out. Frames are written into its own memory, and leave with [`Transmit::flush`].
pub(crate) trait Transmit {
    /// Room for a frame; none while there is none, which the next flush may change.
    fn room(&mut self) -> Option<&mut [u8]>;

    /// The frame in the room that was given last has so many bytes, and is to be sent.
    fn commit(&mut self, bytes: usize);

    /// Sends what was committed.
    ///
    /// # Errors
    /// What makes going on pointless.
    fn flush(&mut self) -> anyhow::Result<()>;

    /// Waits for what is on its way; what became of it.
    ///
    /// # Errors
    /// As for flush.
    fn finish(&mut self) -> anyhow::Result<Unsent>;
}

/// When to end besides the traffic's own end.
#[derive(Clone, Copy, Debug)]
pub(crate) struct End<'a> {
    /// So long after the start.
    pub(crate) after_ns: Option<u64>,
    /// Once this is set.
    pub(crate) stop: &'a AtomicBool,
}

/// Frames of a batch at most.
pub(crate) const BATCH: usize = 64;
/// Shorter waits are spent looking at the clock: the kernel's timers are not finer.
const SPIN_NS: u64 = 150_000;
/// A stop is noticed within this.
const LOOK_NS: u64 = 50_000_000;

/// Sends all of `traffic` over `out`; what was sent, and what was not.
///
/// Frames are never left out to make up for lost time: those that are late follow at once.
///
/// # Errors
/// The way out does not work any more.
pub(crate) fn play(
    traffic: &mut Traffic,
    out: &mut impl Transmit,
    end: End<'_>,
) -> anyhow::Result<(Meter, Unsent)> {
    let paced = traffic.pace() != Pace::Top;
    let mut meter = Meter::new(paced);
    let after_ns = end.after_ns.unwrap_or(u64::MAX);
    let mut batch = [(0, 0); BATCH];
    let start = clock::monotonic_ns();
    let mut now_ns = 0;
    while let Some(due_ns) = traffic.due_ns() {
        if end.stop.load(Ordering::Relaxed) || now_ns >= after_ns || due_ns >= after_ns {
            break;
        }
        if due_ns > now_ns {
            wait(due_ns - now_ns);
            now_ns = clock::monotonic_ns() - start;
            continue;
        }
        let count = fill(traffic, out, now_ns.min(after_ns - 1), &mut batch);
        now_ns = clock::monotonic_ns() - start;
        for (due_ns, bytes) in batch.iter().take(count) {
            meter.record(*due_ns, now_ns, *bytes);
        }
        out.flush()?;
        if !paced {
            now_ns = clock::monotonic_ns() - start;
        }
    }
    let mut unsent = out.finish()?;
    if now_ns >= after_ns {
        unsent.late = late(traffic, after_ns);
    }
    Ok((meter, unsent))
}

/// Hands over what is due, a batch at most; how many frames, whose due times and bytes are noted.
fn fill(
    traffic: &mut Traffic,
    out: &mut impl Transmit,
    now_ns: u64,
    batch: &mut [(u64, u32); BATCH],
) -> usize {
    let mut count = 0;
    for place in batch {
        let Some(due_ns) = traffic.due_ns().filter(|due_ns| *due_ns <= now_ns) else { break };
        let Some(room) = out.room() else { break };
        let bytes = traffic.write(room);
        out.commit(bytes);
        *place = (due_ns, u32::try_from(bytes).unwrap_or(u32::MAX));
        count += 1;
    }
    count
}

/// Frames that were due before the end and are left.
pub(crate) fn late(traffic: &mut Traffic, after_ns: u64) -> u64 {
    let mut late = 0;
    while traffic.pace() != Pace::Top && traffic.due_ns().is_some_and(|due_ns| due_ns < after_ns) {
        traffic.skip();
        late += 1;
    }
    late
}

fn wait(ns: u64) {
    if ns > SPIN_NS {
        clock::rest(Duration::from_nanos((ns - SPIN_NS).min(LOOK_NS)));
    } else {
        std::hint::spin_loop();
    }
}

#[cfg(test)]
mod tests {
    use super::super::traffic::synth::{Size, Synth, WHOLE, Wish};
    use super::super::traffic::{Order, Plan, Store};
    use super::*;

    /// Takes frames, and has no room now and then.
    struct Sink {
        room: Vec<u8>,
        committed: usize,
        flushed: usize,
        asked: usize,
    }

    impl Default for Sink {
        fn default() -> Sink {
            Sink { room: vec![0; 2048], committed: 0, flushed: 0, asked: 0 }
        }
    }

    impl Transmit for Sink {
        fn room(&mut self) -> Option<&mut [u8]> {
            self.asked += 1;
            (!self.asked.is_multiple_of(7)).then_some(&mut self.room)
        }

        fn commit(&mut self, bytes: usize) {
            assert_eq!(bytes, 124);
            self.committed += 1;
        }

        fn flush(&mut self) -> anyhow::Result<()> {
            self.flushed = self.committed;
            Ok(())
        }

        fn finish(&mut self) -> anyhow::Result<Unsent> {
            Ok(Unsent::default())
        }
    }

    fn traffic(pace: Pace, frames: Option<u64>) -> Traffic {
        let wish = Wish {
            size: Size::Fixed(128),
            flows: 10,
            births: 0,
            frames: 1,
            tcp: WHOLE,
            handshakes: 0,
            payloads: 0,
            seed: 1,
        };
        let mut store = Store::default();
        let order = Order::Synth(Synth::new(wish, &mut store));
        Traffic::new(Plan { store, order }, pace, frames)
    }

    #[test]
    fn every_frame_is_handed_over_once() {
        let stop = AtomicBool::new(false);
        let mut sink = Sink::default();
        let end = End { after_ns: None, stop: &stop };
        let mut all = traffic(Pace::Top, Some(10_000));
        let (meter, unsent) = play(&mut all, &mut sink, end).unwrap();
        assert_eq!((meter.frames, sink.flushed, unsent), (10_000, 10_000, Unsent::default()));
        assert_eq!(meter.bytes, 1_280_000);
    }

    #[test]
    fn the_rate_is_held_and_the_time_ends_it() {
        let stop = AtomicBool::new(false);
        let mut sink = Sink::default();
        let end = End { after_ns: Some(100_000_000), stop: &stop };
        let mut endless = traffic(Pace::frames_a_second(20_000.0), None);
        let (meter, unsent) = play(&mut endless, &mut sink, end).unwrap();
        // On a busy machine some may be late, and are then counted as such.
        assert_eq!(meter.frames + unsent.late, 2000);
        assert!(meter.frames > 1000, "{}", meter.frames);
    }

    #[test]
    fn a_stop_is_obeyed() {
        let stop = AtomicBool::new(true);
        let end = End { after_ns: None, stop: &stop };
        let (meter, _) = play(&mut traffic(Pace::Top, None), &mut Sink::default(), end).unwrap();
        assert_eq!(meter.frames, 0);
    }
}
