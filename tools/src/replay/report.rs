//! What is told at the end.

use std::fmt::Write as _;

use serde::Serialize;

use super::meter::Meter;
use super::pacer::Unsent;
use super::traffic::CaptureNotes;
use crate::netlink::Sent;
use crate::units::Quantity;

/// Preamble and gap of each frame on the line, bytes.
const AROUND: u64 = 20;

/// The summary.
#[derive(Serialize, Debug)]
pub(crate) struct Report {
    /// The engine and its mode, or what was written.
    pub(crate) engine: String,
    /// The interface or file.
    pub(crate) to: String,
    /// Frames sent.
    sent_frames: u64,
    /// Their bytes, with the check sequence.
    sent_bytes: u64,
    /// From the first frame to the last.
    seconds: f64,
    frames_per_second: f64,
    /// Of frames with their check sequence.
    bits_per_second: f64,
    /// With preamble and gap, too.
    line_bits_per_second: f64,
    #[serde(skip_serializing_if = "Option::is_none")]
    each_second: Option<EachSecond>,
    #[serde(skip_serializing_if = "Option::is_none")]
    jitter_ns: Option<Jitter>,
    not_sent_frames: u64,
    not_sent: Unsent,
    #[serde(skip_serializing_if = "Option::is_none")]
    interface_counted: Option<Counted>,
    /// Frames that the capture has cut, which were sent in full length.
    filled_up_frames: u64,
    /// Why reading the capture stopped before its end.
    #[serde(skip_serializing_if = "Option::is_none")]
    capture_trouble: Option<String>,
}

/// Frames of whole seconds.
#[derive(Serialize, Debug)]
struct EachSecond {
    seconds: u64,
    slowest: u64,
    fastest: u64,
}

/// How far distances between frames were off.
#[derive(Serialize, Debug)]
struct Jitter {
    mean: u64,
    p50: u64,
    p99: u64,
    max: u64,
}

/// What the interface's own counters say of the same time.
#[derive(Serialize, Debug)]
struct Counted {
    sent_packets: u64,
    dropped: u64,
    errors: u64,
}

impl Report {
    /// Of frames that were handed over, `meter`, and those of them, and others, that did not leave.
    pub(crate) fn new(engine: String, to: String, meter: &Meter, unsent: Unsent) -> Report {
        let frames = meter.frames.saturating_sub(unsent.handed_over());
        let bytes = meter.bytes.saturating_sub(unsent.bytes);
        let seconds = float(meter.last_ns) / 1e9;
        let a_second = |value: u64| if seconds > 0.0 { float(value) / seconds } else { 0.0 };
        let whole = meter.seconds;
        let jitter = meter.jitter.summary();
        Report {
            engine,
            to,
            sent_frames: frames,
            sent_bytes: bytes,
            seconds,
            frames_per_second: a_second(frames),
            bits_per_second: a_second(bytes * 8),
            line_bits_per_second: a_second((bytes + frames * AROUND) * 8),
            each_second: (whole.whole > 0).then_some(EachSecond {
                seconds: whole.whole,
                slowest: whole.slowest,
                fastest: whole.fastest,
            }),
            jitter_ns: jitter.map(|[mean, p50, p99, max]| Jitter { mean, p50, p99, max }),
            not_sent_frames: unsent.sum(),
            not_sent: unsent,
            interface_counted: None,
            filled_up_frames: 0,
            capture_trouble: None,
        }
    }

    /// Adds what the interface counted.
    pub(crate) fn counted(&mut self, before: Option<Sent>, after: Option<Sent>) {
        let (Some(before), Some(after)) = (before, after) else { return };
        self.interface_counted = Some(Counted {
            sent_packets: after.packets.saturating_sub(before.packets),
            dropped: after.dropped.saturating_sub(before.dropped),
            errors: after.errors.saturating_sub(before.errors),
        });
    }

    /// Adds what is to be said of the capture.
    pub(crate) fn notes(&mut self, notes: &CaptureNotes) {
        self.filled_up_frames = notes.cut;
        self.capture_trouble.clone_from(&notes.trouble);
    }

    /// For people.
    pub(crate) fn text(&self) -> String {
        let count = |value| Quantity::Count.exact(value);
        let mut text = format!(
            "{} ({}): {} frames, {} in {:.3} s: {:.0} frames/s, {:.3} Mbit/s, {:.3} Mbit/s on the line",
            self.to,
            self.engine,
            count(self.sent_frames),
            Quantity::Bytes.short(self.sent_bytes),
            self.seconds,
            self.frames_per_second,
            self.bits_per_second / 1e6,
            self.line_bits_per_second / 1e6,
        );
        // Writing to a string does not fail.
        if let Some(each) = &self.each_second {
            let EachSecond { seconds, slowest, fastest } = each;
            write!(text, "\n  each of {seconds} s: {slowest} to {fastest} frames").ok();
        }
        if let Some(Jitter { mean, p50, p99, max }) = &self.jitter_ns {
            let time = |ns: &u64| Quantity::Time.short(*ns);
            write!(
                text,
                "\n  distances between frames off by {} on average, median {}, 99 % within {}, at most {}",
                time(mean), time(p50), time(p99), time(max)
            )
            .ok();
        }
        for (why, frames) in self.reasons() {
            if frames != 0 {
                write!(text, "\n  not sent {frames}: {why}").ok();
            }
        }
        if let Some(Counted { sent_packets, dropped, errors }) = &self.interface_counted {
            write!(
                text,
                "\n  the interface counted {sent_packets} sent, {dropped} dropped, {errors} errors"
            )
            .ok();
        }
        if self.filled_up_frames != 0 {
            let frames = self.filled_up_frames;
            write!(text, "\n  {frames} frames of the capture were cut; zeros fill them up").ok();
        }
        if let Some(trouble) = &self.capture_trouble {
            write!(text, "\n  the capture was not read to its end: {trouble}").ok();
        }
        text
    }

    fn reasons(&self) -> [(&'static str, u64); 6] {
        let unsent = &self.not_sent;
        [
            ("the time was over and they were due: this rate is too high here", unsent.late),
            ("the interface's queue stayed full", unsent.queue_full),
            ("the kernel refused them", unsent.refused),
            ("the driver had no room for them", unsent.dropped_by_driver),
            ("longer than the interface takes", unsent.too_long),
            ("shorter than an Ethernet header", unsent.too_short),
        ]
    }
}

#[expect(clippy::cast_precision_loss, reason = "figures for people")]
fn float(value: u64) -> f64 {
    value as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_did_not_leave_is_not_counted_as_sent() {
        let mut meter = Meter::new(true);
        for number in 1..=1_000_u64 {
            meter.record(number * 1_000_000, number * 1_000_000, 96);
        }
        let unsent = Unsent { queue_full: 100, late: 5, bytes: 10_000, ..Unsent::default() };
        let report = Report::new("packet".to_owned(), "a".to_owned(), &meter, unsent);
        assert_eq!((report.sent_frames, report.sent_bytes), (900, 90_000));
        assert!((report.frames_per_second - 900.0).abs() < 1e-6);
        assert_eq!(report.not_sent_frames, 105);
        let text = report.text();
        assert!(text.contains("not sent 100: ") && text.contains("not sent 5: "), "{text}");
        serde_json::to_string(&report).unwrap();
    }
}
