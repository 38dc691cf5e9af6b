//! What is counted in windows of packet time, and when it is worth a word.

/// A count in a window. Windows begin at multiples of their length.
#[derive(Clone, Copy, Default, Debug)]
pub(super) struct Meter {
    value: u64,
    /// The window before that of `value`.
    before: u64,
    start_s: u32,
    /// Times that the value doubled beyond the threshold and was told.
    doublings: u8,
    /// The window's first flow.
    pub(super) flow: u64,
}

/// What a rule asks of a count.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Bar {
    /// Length of a window, seconds.
    pub(super) window_s: u32,
    /// What the value has to reach, by this shard's share.
    pub(super) threshold: u64,
}

impl Bar {
    /// When the window that holds `now_s` begins.
    pub(super) fn start(self, now_s: u32) -> u32 {
        now_s - now_s % self.window_s.max(1)
    }
}

impl Meter {
    /// Counts `amount` of a flow at `now_s`. The window's value if it is to be told: when it reaches
    /// the threshold, and whenever it has doubled since.
    #[inline]
    pub(super) fn add(&mut self, bar: Bar, now_s: u32, amount: u64, flow: u64) -> Option<u64> {
        if now_s < self.start_s {
            self.add_late(bar, now_s, amount);
            return None;
        }
        self.turn(bar, now_s);
        if self.value == 0 {
            self.flow = flow;
        }
        self.value = self.value.saturating_add(amount);
        let due = bar.threshold.checked_shl(self.doublings.into()).unwrap_or(u64::MAX);
        if self.value < due.max(1) {
            return None;
        }
        self.doublings = self.doublings.saturating_add(1);
        while self.doublings < 40 && self.value >= bar.threshold << self.doublings {
            self.doublings += 1;
        }
        Some(self.value)
    }

    /// What is of the window before is counted there; what is older, nowhere.
    #[cold]
    fn add_late(&mut self, bar: Bar, now_s: u32, amount: u64) {
        if self.start_s - now_s <= bar.window_s {
            self.before = self.before.saturating_add(amount);
        }
    }

    /// Takes back what was counted in this window.
    #[inline]
    pub(super) fn take(&mut self, bar: Bar, now_s: u32, amount: u64) {
        self.turn(bar, now_s);
        self.value = self.value.saturating_sub(amount);
    }

    /// The value now.
    #[inline]
    #[cfg(test)]
    pub(super) fn value(&mut self, bar: Bar, now_s: u32) -> u64 {
        self.turn(bar, now_s);
        self.value
    }

    /// The value of the window that began at `start_s`, if that is this one or the one before.
    pub(super) fn of_window(&self, bar: Bar, start_s: u32) -> u64 {
        if self.start_s == start_s {
            self.value
        } else if self.start_s == start_s.saturating_add(bar.window_s) {
            self.before
        } else {
            0
        }
    }

    /// Goes on to the window that holds `now_s`. Time that goes backwards stays in the window.
    #[inline]
    fn turn(&mut self, bar: Bar, now_s: u32) {
        if now_s.wrapping_sub(self.start_s) < bar.window_s || now_s < self.start_s {
            return;
        }
        let start_s = bar.start(now_s);
        let follows = self.start_s.saturating_add(bar.window_s) == start_s;
        self.before = if follows { self.value } else { 0 };
        (self.value, self.start_s, self.doublings) = (0, start_s, 0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const BAR: Bar = Bar { window_s: 10, threshold: 3 };

    #[test]
    fn a_threshold_is_told_once_and_then_at_each_doubling() {
        let mut meter = Meter::default();
        let told: Vec<u64> = (1..=13).filter_map(|flow| meter.add(BAR, 103, 1, flow)).collect();
        assert_eq!(told, [3, 6, 12]);
        assert_eq!(meter.flow, 1);
        assert_eq!(meter.add(BAR, 109, 100, 1), Some(113));
        assert_eq!(meter.add(BAR, 110, 2, 1), None, "another window");
        assert_eq!(meter.of_window(BAR, 100), 113);
        assert_eq!(meter.of_window(BAR, 110), 2);
        assert_eq!(meter.add(BAR, 140, 1, 1), None);
        assert_eq!(meter.of_window(BAR, 110), 0, "long ago");
    }

    #[test]
    fn what_is_taken_back_does_not_count() {
        let mut meter = Meter::default();
        for _ in 0..20 {
            assert_eq!(meter.add(BAR, 100, 1, 1), None);
            meter.take(BAR, 100, 1);
        }
        meter.take(BAR, 100, 5);
        assert_eq!(meter.value(BAR, 101), 0);
    }

    #[test]
    fn what_comes_late_is_of_its_own_window() {
        let mut meter = Meter::default();
        meter.add(BAR, 100, 1, 1);
        meter.add(BAR, 95, 1, 1);
        meter.add(BAR, 80, 1, 1);
        assert_eq!(meter.value(BAR, 100), 1);
        assert_eq!(meter.of_window(BAR, 90), 1);
    }
}
