//! The sender: `weir replay` in a process and on a core of its own.
//!
//! All trials of a cell are one stream of synthetic traffic: each goes on where the one before
//! ended, so that flows stay the same ones, and new flows are new.

use std::process::{Command, Stdio};
use std::time::Duration;

use anyhow::{Context, bail};
use serde::Deserialize;

use super::grid::Cell;

/// A stream of traffic into an interface.
#[derive(Debug)]
pub(super) struct Sender {
    interface: String,
    core: Option<usize>,
    engine: &'static str,
    payloads: f64,
    cell: Cell,
    /// The next frame, while no flows are new.
    frame: u64,
    /// New flows so far.
    born: f64,
}

/// How a trial is sent.
#[derive(Clone, Copy, PartialEq, Debug)]
pub(super) enum Rate {
    /// As fast as it goes.
    Top,
    /// Frames a second.
    Even(f64),
}

/// What a trial came to on the sender's side.
#[derive(Clone, Copy, PartialEq, Default, Debug, Deserialize)]
pub(super) struct Sent {
    #[serde(rename = "sent_frames")]
    pub(super) frames: u64,
    pub(super) seconds: f64,
    #[serde(rename = "not_sent")]
    pub(super) missing: NotSent,
}

/// What did not leave.
#[derive(Clone, Copy, PartialEq, Default, Debug, Deserialize)]
pub(super) struct NotSent {
    pub(super) late: u64,
    pub(super) queue_full: u64,
    pub(super) refused: u64,
    pub(super) dropped_by_driver: u64,
}

impl NotSent {
    /// Handed over, and lost on the way to the other end. What never was (`late`) is no loss.
    pub(super) const fn lost(&self) -> [(&'static str, u64); 3] {
        [
            ("sender_queue_full", self.queue_full),
            ("sender_refused", self.refused),
            ("driver_full", self.dropped_by_driver),
        ]
    }
}

impl Sent {
    /// Frames that were handed over and lost on the way to the other end.
    pub(super) fn lost(&self) -> u64 {
        self.missing.lost().iter().map(|(_, frames)| frames).sum()
    }
}

impl Sender {
    /// Nothing sent yet.
    pub(super) fn new(
        interface: &str,
        core: Option<usize>,
        engine: &'static str,
        payloads: f64,
        cell: Cell,
    ) -> Sender {
        let interface = interface.to_owned();
        Sender { interface, core, engine, payloads, cell, frame: 0, born: 0.0 }
    }

    /// What is measured with it.
    pub(super) const fn cell(&self) -> Cell {
        self.cell
    }

    /// Sends for a time, or so many frames if that is less.
    ///
    /// # Errors
    /// What `weir replay` says.
    pub(super) fn send(
        &mut self,
        rate: Rate,
        time: Duration,
        frames: Option<u64>,
    ) -> anyhow::Result<Sent> {
        let first = self.first(rate);
        // This program, even if its file was replaced meanwhile.
        let mut command = Command::new("/proc/self/exe");
        command.args(["replay", "--synth", "--json", "--interface", &self.interface]);
        command.args(["--engine", self.engine, "--size", &self.cell.size.to_string()]);
        command.args(["--flows", &self.cell.flows.to_string()]);
        command.args(["--payloads", &self.payloads.to_string()]);
        command.args(["--from-frame", &first.to_string()]);
        command.args(["--for", &format!("{}ms", time.as_millis().max(1))]);
        if let Some(core) = self.core {
            command.args(["--core", &core.to_string()]);
        }
        if let Some(frames) = frames {
            command.args(["--frames", &frames.to_string()]);
        }
        match rate {
            Rate::Top => command.arg("--top"),
            Rate::Even(rate) => command.args(["--pps", &format!("{rate:.0}")]),
        };
        if let (Rate::Even(_), 1..) = (rate, self.cell.new_flows) {
            command.args(["--new-flows-per-second", &self.cell.new_flows.to_string()]);
        }
        let output = command.stdin(Stdio::null()).output().context("cannot run the sender")?;
        if !output.status.success() {
            let said = String::from_utf8_lossy(&output.stderr);
            bail!("the sender: {}", said.trim().trim_start_matches("weir: "));
        }
        let sent: Sent = serde_json::from_slice(&output.stdout).context("what the sender says")?;
        self.go_on(rate, first, sent);
        Ok(sent)
    }

    /// The number of the frame at which as many flows are new as were before.
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "below 2^53")]
    fn first(&self, rate: Rate) -> u64 {
        match rate {
            Rate::Even(rate) if self.cell.new_flows != 0 => {
                (self.born * rate / f64::from(self.cell.new_flows)).ceil() as u64
            }
            _ => self.frame,
        }
    }

    #[expect(clippy::cast_precision_loss, reason = "below 2^53")]
    fn go_on(&mut self, rate: Rate, first: u64, sent: Sent) {
        let next = first + sent.frames + sent.lost();
        match rate {
            Rate::Even(rate) if self.cell.new_flows != 0 => {
                self.born = next as f64 * f64::from(self.cell.new_flows) / rate;
            }
            _ => self.frame = next,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::grid::{Size, Work};
    use super::*;

    #[test]
    fn a_trial_goes_on_where_the_one_before_ended() {
        let cell =
            Cell { size: Size::Bytes(64), flows: 10, new_flows: 1000, work: Work::Dpi, shards: 1 };
        let mut sender = Sender::new("a", None, "live", 0.0, cell);
        let sent = Sent { frames: 4_000, seconds: 2.0, ..Sent::default() };
        sender.go_on(Rate::Even(2_000.0), sender.first(Rate::Even(2_000.0)), sent);
        // 2000 flows were new; with five times as many frames, the 2001st comes five times as late.
        assert_eq!(sender.first(Rate::Even(10_000.0)), 20_000);
        let mut sender = Sender::new("a", None, "live", 0.0, Cell { new_flows: 0, ..cell });
        let missing = NotSent { dropped_by_driver: 5, late: 7, ..NotSent::default() };
        sender.go_on(Rate::Top, 0, Sent { missing, ..sent });
        assert_eq!(sender.first(Rate::Even(1.0)), 4_005);
    }
}
