//! From the packet ring to a capture file, live.
//!
//! One interface block for each interface and link type of the source, written when its first
//! packet comes (the first one at once: Wireshark waits for it). Names are written before the packet
//! that told them, counts at the end.

use std::io::Write;
use std::process::ExitCode;

use weir_dpi::AppId;
use weir_shm::packets::{Held, Next, PacketReader, flag};

use super::PREFIX;
use super::flows::Flows;
use super::names::{self, Names};
use crate::live::{self, now_ns};
use crate::packets::{LOOK, Stop, link_type, or_ethernet, sources};
use crate::pcapng::{Interface, Packet, Statistics, Writer};

/// What to write.
#[derive(Clone, Copy, Debug)]
pub(super) struct Plan<'a> {
    /// As the user wrote it.
    pub(super) filter: &'a str,
    /// 0: all.
    pub(super) snap_bytes: u32,
    pub(super) comments: bool,
}

/// Captures until the engine ends, a signal comes, or nobody reads any more.
pub(super) fn run<W: Write>(
    reader: &mut PacketReader,
    out: W,
    plan: &Plan<'_>,
    stop: &Stop,
) -> anyhow::Result<ExitCode> {
    let mut capture = Capture::new(reader, out, plan)?;
    let mut died = false;
    while !stop.is_set() {
        match reader.hold() {
            Next::Packet(held) => {
                let written = capture.packet(reader, &held);
                reader.release(held);
                written?;
            }
            Next::Missed(packets) => capture.missed(packets),
            Next::Empty => {
                capture.writer.flush()?;
                reader.wait(Some(LOOK));
            }
            Next::Ended => break,
            Next::Died => {
                died = true;
                break;
            }
        }
    }
    capture.end()?;
    // Not an error of the capture, and what there was is in the file; Wireshark shows what is said.
    if died { live::ended(reader.attached()) } else { Ok(ExitCode::SUCCESS) }
}

/// An interface that has a block.
#[derive(Debug)]
struct Seen {
    number: u8,
    link_type: u32,
    packets: u64,
}

struct Capture<'a, W> {
    writer: Writer<W>,
    plan: Plan<'a>,
    sources: String,
    name: String,
    link_type: u32,
    interfaces: Vec<Seen>,
    flows: Flows,
    names: Names,
    start_ns: u64,
    missed: u64,
    /// Missed since the last packet.
    lost: u64,
}

impl<'a, W: Write> Capture<'a, W> {
    fn new(reader: &PacketReader, out: W, plan: &Plan<'a>) -> anyhow::Result<Capture<'a, W>> {
        let info = reader.attached().info();
        let writer = Writer::new(out, &format!("weir {}", info.engine_version))?;
        let mut capture = Capture {
            writer,
            plan: *plan,
            sources: sources(reader.attached()),
            name: format!("{PREFIX}{}", info.name),
            link_type: or_ethernet(reader.link_type()),
            interfaces: Vec::new(),
            flows: Flows::new(),
            names: Names::default(),
            start_ns: now_ns(),
            missed: 0,
            lost: 0,
        };
        capture.interface(0, capture.link_type)?;
        capture.writer.flush()?;
        Ok(capture)
    }

    /// The number in the file of an interface of the source.
    fn interface(&mut self, number: u8, link_type: u32) -> anyhow::Result<usize> {
        let same = |seen: &Seen| (seen.number, seen.link_type) == (number, link_type);
        if let Some(known) = self.interfaces.iter().position(same) {
            return Ok(known);
        }
        let name = match number {
            0 => self.name.clone(),
            other => format!("{}#{other}", self.name),
        };
        self.writer.interface(&Interface {
            name: &name,
            description: &self.sources,
            filter: self.plan.filter,
            link_type,
            snap_bytes: self.plan.snap_bytes,
        })?;
        self.interfaces.push(Seen { number, link_type, packets: 0 });
        Ok(self.interfaces.len() - 1)
    }

    fn packet(&mut self, reader: &PacketReader, held: &Held) -> anyhow::Result<()> {
        let descriptor = held.descriptor();
        let link_type = link_type(descriptor.link, self.link_type);
        let at = self.interface(descriptor.interface, link_type)?;
        let frame = reader.bytes(held);
        if descriptor.master == AppId::DNS.0
            && descriptor.has(flag::TO_CLIENT)
            && !descriptor.has(flag::TUNNELLED)
            && let Some((name, addresses)) = names::answer(frame, link_type)
        {
            let new = addresses.into_iter().filter(|address| self.names.is_new(*address));
            let new: Vec<_> = new.map(|address| (address, name.as_str())).collect();
            if !new.is_empty() {
                self.writer.names(new)?;
            }
        }
        let (comment, host) = self.flows.look(reader, held.shard(), descriptor);
        if let Some((address, name)) = &host
            && self.names.is_new(*address)
        {
            self.writer.names([(*address, name.as_str())])?;
        }
        let kept = match self.plan.snap_bytes {
            0 => frame,
            snap => frame.get(..usize::try_from(snap)?).unwrap_or(frame),
        };
        self.writer.packet(&Packet {
            interface: u32::try_from(at)?,
            time_ns: descriptor.timestamp_ns,
            bytes: kept,
            wire_bytes: held.wire_bytes(),
            comment: if self.plan.comments { comment } else { "" },
            lost: std::mem::take(&mut self.lost),
        })?;
        if let Some(seen) = self.interfaces.get_mut(at) {
            seen.packets += 1;
        }
        Ok(())
    }

    fn missed(&mut self, packets: u64) {
        self.missed = self.missed.saturating_add(packets);
        self.lost = self.lost.saturating_add(packets);
    }

    /// Writes what was counted. Which interface a missed packet came from is not known: they stand
    /// with the first.
    fn end(&mut self) -> anyhow::Result<()> {
        let end_ns = now_ns();
        for (number, seen) in (0..).zip(&self.interfaces) {
            let dropped = if number == 0 { self.missed } else { 0 };
            self.writer.statistics(
                number,
                &Statistics {
                    start_ns: self.start_ns,
                    end_ns,
                    received: seen.packets.saturating_add(dropped),
                    dropped,
                    accepted: seen.packets,
                    delivered: seen.packets,
                },
                &[],
            )?;
        }
        self.writer.flush()?;
        Ok(())
    }
}
