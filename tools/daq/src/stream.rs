//! Where an instance's packets come from.

use std::time::Duration;

use weir_shm::bpf::{Instruction, Program};
use weir_shm::packets::{
    HOLD_MAX, Held, Judgement, Next, PacketOptions, PacketReader, Waker, Woken, flag,
};

use crate::Failure;
use crate::abi::result;
use crate::config::Settings;

/// A packet, or why there is none.
#[derive(Debug)]
pub(crate) enum Got<F> {
    Frame(F),
    /// Some were overwritten; the counts say how many.
    Gap,
    Nothing,
    /// The engine ended in order.
    Ended,
    /// The engine is gone.
    Died,
}

/// What a frame is said to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct About {
    pub(crate) time_ns: u64,
    pub(crate) wire_bytes: u32,
    pub(crate) interface: u8,
    /// 0: of no flow.
    pub(crate) flow: u64,
    pub(crate) to_client: bool,
    pub(crate) known: Known,
}

/// What the engine knows of a flow by its readers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Known {
    /// This reader's group wants no more of it.
    pub(crate) shunted: bool,
    /// It was judged to be allowed.
    pub(crate) allowed: bool,
    /// It was judged to be blocked.
    pub(crate) blocked: bool,
}

/// What became of packets so far; they only rise.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Passed {
    pub(crate) delivered: u64,
    pub(crate) missed: u64,
    pub(crate) filtered: u64,
    pub(crate) shunted: u64,
}

/// A reader of packets. A frame's bytes stay where they are, wherever the frame is moved to, until
/// it is released or the stream is dropped.
pub(crate) trait Stream: Send {
    type Frame: Send;

    fn next(&mut self) -> Got<Self::Frame>;
    fn about(&self, frame: &Self::Frame) -> About;
    fn bytes<'a>(&'a self, frame: &'a Self::Frame) -> &'a [u8];
    fn release(&mut self, frame: Self::Frame);
    /// Waits for a packet, a waker or the end, so long at most.
    fn wait(&mut self, time: Option<Duration>);
    fn waker(&self) -> Option<Waker>;
    fn passed(&self) -> Passed;
    fn link_type(&self) -> u32;
    fn set_filter(&mut self, program: &[Instruction]) -> Result<(), String>;
    /// The group wants no more of this flow.
    fn shunt(&mut self, frame: &Self::Frame) -> Result<(), String>;
    /// The flow may pass, or should be blocked.
    fn judge(&mut self, frame: &Self::Frame, allow: bool) -> Result<(), String>;
}

/// Messages that can be with the application where frames are used in place.
pub(crate) fn hold_max() -> u32 {
    u32::try_from(HOLD_MAX).unwrap_or(u32::MAX)
}

/// Attaches to the engine that the settings name.
///
/// # Errors
/// As [`PacketReader::open`].
pub(crate) fn open(settings: &Settings) -> Result<PacketReader, Failure> {
    let options = PacketOptions {
        lease: settings.lease,
        group: settings.group.clone(),
        ..PacketOptions::default()
    };
    PacketReader::open(&settings.engine, &options)
        .map_err(|error| Failure::new(result::NO_DEVICE, error.to_string()))
}

impl Stream for PacketReader {
    type Frame = Held;

    fn next(&mut self) -> Got<Held> {
        match self.hold() {
            Next::Packet(held) => Got::Frame(held),
            Next::Missed(_) => Got::Gap,
            Next::Empty => Got::Nothing,
            Next::Ended => Got::Ended,
            Next::Died => Got::Died,
        }
    }

    fn about(&self, held: &Held) -> About {
        let descriptor = held.descriptor();
        About {
            time_ns: descriptor.timestamp_ns,
            wire_bytes: held.wire_bytes(),
            interface: descriptor.interface,
            flow: descriptor.flow_id,
            to_client: descriptor.has(flag::TO_CLIENT),
            known: Known {
                shunted: self.group().is_some_and(|group| descriptor.shunted >> group & 1 == 1),
                allowed: descriptor.has(flag::ALLOWED),
                blocked: descriptor.has(flag::BLOCKED),
            },
        }
    }

    fn bytes<'a>(&'a self, held: &'a Held) -> &'a [u8] {
        PacketReader::bytes(self, held)
    }

    fn release(&mut self, held: Held) {
        PacketReader::release(self, held);
    }

    fn wait(&mut self, time: Option<Duration>) {
        match PacketReader::wait(self, time) {
            Woken::Packets | Woken::Timeout | Woken::Interrupted | Woken::Over => {}
        }
    }

    fn waker(&self) -> Option<Waker> {
        Some(PacketReader::waker(self))
    }

    fn passed(&self) -> Passed {
        let counts = self.counts();
        Passed {
            delivered: counts.delivered,
            missed: counts.missed,
            filtered: counts.filtered,
            shunted: counts.shunted,
        }
    }

    fn link_type(&self) -> u32 {
        PacketReader::link_type(self)
    }

    fn set_filter(&mut self, program: &[Instruction]) -> Result<(), String> {
        let program = Program::new(program).map_err(|error| error.to_string())?;
        PacketReader::set_filter(self, Some(program));
        Ok(())
    }

    fn shunt(&mut self, held: &Held) -> Result<(), String> {
        PacketReader::shunt(self, held).map_err(|error| error.to_string())
    }

    fn judge(&mut self, held: &Held, allow: bool) -> Result<(), String> {
        let judgement = if allow { Judgement::Allow } else { Judgement::Block };
        PacketReader::judge(self, held, judgement).map_err(|error| error.to_string())
    }
}
