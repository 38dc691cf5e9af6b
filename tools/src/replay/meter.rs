//! What was sent, how fast, and how evenly.

use hdrhistogram::Histogram;

use super::traffic::on_wire;

const SECOND_NS: u64 = 1_000_000_000;

/// Counts frames as they leave. Times are nanoseconds from the start.
#[derive(Debug)]
pub(crate) struct Meter {
    pub(crate) frames: u64,
    /// Bytes on the wire: with the check sequence.
    pub(crate) bytes: u64,
    /// When the last frame left.
    pub(crate) last_ns: u64,
    pub(crate) seconds: Seconds,
    pub(crate) jitter: Jitter,
    /// Moments before this one: when the frame before left, and was due.
    before: Option<(u64, u64)>,
    paced: bool,
}

/// Frames in each whole second.
#[derive(Clone, Copy, Default, PartialEq, Eq, Debug)]
pub(crate) struct Seconds {
    /// Frames up to the end of the last whole second.
    counted: u64,
    /// Whole seconds.
    pub(crate) whole: u64,
    /// Frames in the slowest one.
    pub(crate) slowest: u64,
    /// Frames in the fastest one.
    pub(crate) fastest: u64,
}

/// How much later or earlier a frame came after the one before it than it should have.
#[derive(Debug)]
pub(crate) struct Jitter(Histogram<u64>);

impl Meter {
    /// Nothing yet. Of frames without a time of their own there is no jitter.
    pub(crate) fn new(paced: bool) -> Meter {
        Meter {
            frames: 0,
            bytes: 0,
            last_ns: 0,
            seconds: Seconds::default(),
            jitter: Jitter::new(),
            before: None,
            paced,
        }
    }

    /// A frame that was due at `due_ns` leaves at `now_ns`.
    #[inline]
    pub(crate) fn record(&mut self, due_ns: u64, now_ns: u64, bytes: u32) {
        self.seconds.pass(self.frames, now_ns);
        self.frames += 1;
        self.bytes += on_wire(bytes);
        self.last_ns = now_ns;
        if !self.paced {
            return;
        }
        if let Some((now, due)) = self.before.replace((now_ns, due_ns)) {
            self.jitter.add((now_ns - now).abs_diff(due_ns - due), 1);
        }
    }
}

impl Seconds {
    /// As somebody else counted them.
    pub(crate) const fn of(whole: u64, slowest: u64, fastest: u64) -> Seconds {
        Seconds { counted: 0, whole, slowest, fastest }
    }

    /// At `now_ns`, so many frames had left.
    #[inline]
    pub(crate) fn pass(&mut self, frames: u64, now_ns: u64) {
        while now_ns >= (self.whole + 1) * SECOND_NS {
            let this = frames - self.counted;
            self.counted = frames;
            self.slowest = if self.whole == 0 { this } else { self.slowest.min(this) };
            self.fastest = self.fastest.max(this);
            self.whole += 1;
        }
    }
}

impl Jitter {
    /// None. Two digits are kept; what is above a minute counts as one.
    pub(crate) fn new() -> Jitter {
        #[expect(clippy::expect_used, reason = "these limits are valid")]
        let histogram = Histogram::new_with_bounds(1, 60 * SECOND_NS, 2).expect("valid limits");
        Jitter(histogram)
    }

    /// So many frames whose distance was off by so much.
    #[inline]
    pub(crate) fn add(&mut self, ns: u64, frames: u64) {
        self.0.saturating_record_n(ns, frames);
    }

    /// Mean, median, 99 of 100, and the most; none without two frames.
    pub(crate) fn summary(&self) -> Option<[u64; 4]> {
        if self.0.is_empty() {
            return None;
        }
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "nanoseconds")]
        let mean = self.0.mean().round() as u64;
        Some([mean, self.0.value_at_quantile(0.5), self.0.value_at_quantile(0.99), self.0.max()])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn seconds_are_counted_apart() {
        let mut meter = Meter::new(true);
        for number in 0..350 {
            // 100 a second, and a pause of a second after the first.
            let pause = if number < 100 { 0 } else { SECOND_NS };
            meter.record(number * 10_000_000, number * 10_000_000 + pause, 60);
        }
        assert_eq!(meter.frames, 350);
        assert_eq!(meter.bytes, 350 * 64);
        let Seconds { whole, slowest, fastest, .. } = meter.seconds;
        assert_eq!((whole, slowest, fastest), (4, 0, 100));
    }

    #[test]
    fn jitter_is_the_distance_that_is_wrong() {
        let mut meter = Meter::new(true);
        for (due, now) in [(0, 5), (100, 105), (200, 265), (300, 305)] {
            meter.record(due, now, 60);
        }
        let [mean, median, _, most] = meter.jitter.summary().unwrap();
        assert_eq!((mean, median, most), (40, 60, 60));
        let mut unpaced = Meter::new(false);
        (0..9).for_each(|now| unpaced.record(0, now, 60));
        assert_eq!(unpaced.jitter.summary(), None);
    }
}
