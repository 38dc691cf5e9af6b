//! `weir feed`: gives an engine's packets to the kernel, on an interface, for programs that read from
//! nothing else: static binaries, ones with capabilities, ones in a container.
//!
//! A reader like every other: when the interface takes packets more slowly than they come, some are
//! missed here, and counted; the engine does not wait.

pub(crate) mod target;

use std::fmt::Write as _;
use std::io::Write;
use std::process::ExitCode;

use anyhow::ensure;
use clap::Args;
use serde::Serialize;
use weir_shm::packets::{Next, PacketReader};

use crate::exit;
use crate::live;
use crate::packets::{self, ETHERNET, LOOK, PacketArgs, Stop, link_title, link_type, or_ethernet};
use crate::units::Quantity;
use target::{Outcome, Target};

/// Give an engine's packets to a network interface, for programs that can read nothing else.
///
/// An interface that is not there is made, as a TAP: what is fed is received on it, and it goes when
/// the feed ends, a second later. So is what is fed to a TAP that no other program holds. Out of any other
/// interface, such as one end of a veth pair, packets are sent: they are received at its other end.
/// Needs the capability `NET_ADMIN` for a TAP, `NET_RAW` else. Ends with the engine, or by a signal.
#[derive(Args, Debug)]
pub(crate) struct FeedArgs {
    #[command(flatten)]
    packets: PacketArgs,

    /// The interface.
    #[arg(long, value_name = "IF")]
    to: String,

    /// Print the summary as one JSON object.
    #[arg(long)]
    json: bool,
}

/// Packets by what became of them.
#[derive(Clone, Copy, Default, PartialEq, Eq, Debug, Serialize)]
pub(crate) struct Counts {
    sent: u64,
    sent_bytes: u64,
    dropped_queue_full: u64,
    dropped_too_long: u64,
    dropped_down: u64,
    dropped_not_ethernet: u64,
    dropped_refused: u64,
    missed: u64,
}

impl Counts {
    fn add(&mut self, outcome: Outcome, bytes: usize) {
        let place = match outcome {
            Outcome::Sent => {
                self.sent_bytes += u64::try_from(bytes).unwrap_or(0);
                &mut self.sent
            }
            Outcome::QueueFull => &mut self.dropped_queue_full,
            Outcome::TooLong => &mut self.dropped_too_long,
            Outcome::Down => &mut self.dropped_down,
            Outcome::Refused => &mut self.dropped_refused,
        };
        *place += 1;
    }

    fn dropped(&self) -> u64 {
        let Counts { dropped_queue_full, dropped_too_long, dropped_down, .. } = self;
        dropped_queue_full
            + dropped_too_long
            + dropped_down
            + self.dropped_not_ethernet
            + self.dropped_refused
    }
}

/// Runs the command.
pub(crate) fn run(args: &FeedArgs) -> anyhow::Result<ExitCode> {
    let stop = packets::stop_on_signals()?;
    let mut reader = args.packets.open("weir feed")?;
    packets::refuse_circle(reader.attached(), &args.to)?;
    let source = or_ethernet(reader.link_type());
    ensure!(
        source == ETHERNET,
        "the engine's packets are {}, and an interface takes Ethernet",
        link_title(source).unwrap_or("of another kind")
    );
    let target = Target::open(&args.to)?;
    let name = reader.attached().info().name.clone();
    writeln!(std::io::stderr(), "feeding {} from engine {name}", target.title())?;
    let mut counts = Counts::default();
    let died = feed(&mut reader, &target, &stop, &mut counts)?;
    target.close(&stop);
    let summary = if args.json { serde_json::to_string(&counts)? } else { text(&args.to, &counts) };
    exit::print(&summary)?;
    if died { live::ended(reader.attached()) } else { Ok(ExitCode::SUCCESS) }
}

/// Whether the engine died.
fn feed(
    reader: &mut PacketReader,
    target: &Target,
    stop: &Stop,
    counts: &mut Counts,
) -> anyhow::Result<bool> {
    while !stop.is_set() {
        match reader.hold() {
            Next::Packet(held) => {
                if link_type(held.descriptor().link, ETHERNET) == ETHERNET {
                    let frame = reader.bytes(&held);
                    let outcome = target.send(frame);
                    let bytes = frame.len();
                    reader.release(held);
                    counts.add(outcome?, bytes);
                } else {
                    counts.dropped_not_ethernet += 1;
                    reader.release(held);
                }
            }
            Next::Missed(packets) => counts.missed += packets,
            Next::Empty => {
                reader.wait(Some(LOOK));
            }
            Next::Ended => return Ok(false),
            Next::Died => return Ok(true),
        }
    }
    Ok(false)
}

fn text(to: &str, counts: &Counts) -> String {
    let mut text = format!(
        "{to}: {} packets sent ({}), {} dropped, {} missed",
        counts.sent,
        Quantity::Bytes.short(counts.sent_bytes),
        counts.dropped(),
        counts.missed
    );
    for (why, packets) in [
        ("the interface's queue was full", counts.dropped_queue_full),
        ("longer than the interface's MTU allows", counts.dropped_too_long),
        ("the interface was down", counts.dropped_down),
        ("no Ethernet frame", counts.dropped_not_ethernet),
        ("refused by the kernel, as a frame of a few bytes is", counts.dropped_refused),
    ] {
        if packets != 0 {
            // Writing to a string does not fail.
            write!(text, "\n  dropped {packets}: {why}").ok();
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_outcome_has_its_count() {
        let mut counts = Counts::default();
        let all =
            [Outcome::Sent, Outcome::QueueFull, Outcome::TooLong, Outcome::Down, Outcome::Refused];
        for outcome in all {
            counts.add(outcome, 100);
        }
        assert_eq!((counts.sent, counts.sent_bytes, counts.dropped()), (1, 100, 4));
        let text = text("weir0", &counts);
        assert!(text.starts_with("weir0: 1 packets sent (100 B), 4 dropped, 0 missed\n"), "{text}");
        assert_eq!(text.lines().count(), 5);
    }
}
