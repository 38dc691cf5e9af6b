//! A reader with the packets in its caller's hands. Everything here is safe code: a packet is named
//! by a number that is checked, so that one released twice is told of rather than believed.

use crate::names;
use crate::types::{Counts, Packet, WEIR_HELD_MAX};
use std::{
    borrow::Cow,
    os::fd::{AsFd, AsRawFd, RawFd},
    ptr,
    time::Duration,
};
use weir_shm::{
    bpf::{Instruction, Program},
    packets::{Held, Judgement, Next, PacketOptions, PacketReader, Waker, Woken},
};

/// Why a function could not do what it was asked, in words.
pub(crate) type Failure = Cow<'static, str>;

/// What `next` found.
#[derive(Debug)]
pub(crate) enum Found {
    Packet(Packet),
    Nothing,
    Ended,
    Died,
}

/// A place for a packet in the caller's hands.
#[derive(Debug, Default)]
struct Place {
    /// Rises with every release, so that an old number names nothing.
    generation: u32,
    held: Option<Held>,
}

#[derive(Debug)]
pub(crate) struct Packets {
    reader: PacketReader,
    places: Box<[Place]>,
    free: Vec<usize>,
    /// Missed since the last packet that was handed out.
    missed: u64,
}

impl Packets {
    pub(crate) fn open(name: &str, options: &PacketOptions) -> Result<Self, Failure> {
        if options.share.is_some_and(|share| share.member >= share.of) {
            return Err("share_member counts from 0 and must be less than share_of".into());
        }
        let reader = PacketReader::open(name, options).map_err(|error| error.to_string())?;
        Ok(Self {
            reader,
            places: (0..PLACES).map(|_| Place::default()).collect(),
            free: (0..PLACES).rev().collect(),
            missed: 0,
        })
    }

    pub(crate) fn waker(&self) -> Waker {
        self.reader.waker()
    }

    pub(crate) fn next(&mut self) -> Result<Found, Failure> {
        let Some(&at) = self.free.last() else {
            return Err("as many packets are held as can be: release some first".into());
        };
        let held = loop {
            match self.reader.hold() {
                Next::Packet(held) => break held,
                Next::Missed(packets) => self.missed += packets,
                Next::Empty => return Ok(Found::Nothing),
                Next::Ended => return Ok(Found::Ended),
                Next::Died => return Ok(Found::Died),
            }
        };
        let Some(place) = self.places.get_mut(at) else {
            self.reader.release(held);
            return Err("a place for a packet is missing".into());
        };
        self.free.pop();
        let handle = handle_of(place.generation, at);
        let held = place.held.insert(held);
        let missed_before = std::mem::take(&mut self.missed);
        Ok(Found::Packet(describe(&self.reader, held, handle, missed_before)))
    }

    pub(crate) fn release(&mut self, handle: u64) -> Result<(), Failure> {
        let (generation, at) = parts(handle);
        let place = self.places.get_mut(at).filter(|place| place.generation == generation);
        let (place, held) =
            place.and_then(|place| place.held.take().map(|held| (place, held))).ok_or(NOT_HELD)?;
        place.generation = place.generation.wrapping_add(1);
        self.free.push(at);
        self.reader.release(held);
        Ok(())
    }

    pub(crate) fn wait(&mut self, timeout: Option<Duration>) -> Woken {
        self.reader.wait(timeout)
    }

    /// Whether `next` has something to say; if not, the descriptor becomes readable when it has.
    pub(crate) fn arm(&mut self) -> bool {
        self.reader.arm()
    }

    pub(crate) fn fd(&self) -> RawFd {
        self.reader.as_fd().as_raw_fd()
    }

    pub(crate) fn counts(&self) -> Counts {
        let counts = self.reader.counts();
        Counts {
            delivered: counts.delivered,
            missed: counts.missed,
            filtered: counts.filtered,
            others: counts.others,
            shunted: counts.shunted,
            held: (self.places.len() - self.free.len()) as u64,
            reserved: [0; 2],
        }
    }

    pub(crate) fn link_type(&self) -> u32 {
        self.reader.link_type()
    }

    pub(crate) fn is_leased(&self) -> bool {
        self.reader.is_leased()
    }

    /// Takes this program; none: every packet.
    pub(crate) fn set_filter(&mut self, instructions: &[Instruction]) -> Result<(), Failure> {
        let program = match instructions {
            [] => None,
            some => Some(Program::new(some).map_err(|invalid| invalid.to_string())?),
        };
        self.reader.set_filter(program);
        Ok(())
    }

    /// The name of an application, those included that the engine's rules declare.
    pub(crate) fn app_name(&self, id: u16) -> Cow<'static, str> {
        match self.reader.attached().app_names().get(id) {
            Some(declared) => declared.name.into(),
            None => names::name_of(id).to_string_lossy(),
        }
    }

    /// The id of the application of this name, those included that the engine's rules declare.
    pub(crate) fn app_id(&self, name: &str) -> Option<u16> {
        let declared = || self.reader.attached().app_names().find(name).map(|row| row.id);
        names::id_of(name).or_else(declared)
    }

    pub(crate) fn set_apps(&mut self, apps: &[u16]) {
        self.reader.set_apps(apps);
    }

    pub(crate) fn set_flow(&mut self, flow_id: u64) {
        self.reader.set_flow((flow_id != 0).then_some(flow_id));
    }

    pub(crate) fn shunt(&self, handle: u64) -> Result<(), Failure> {
        Ok(self.reader.shunt(self.held(handle)?).map_err(|error| error.to_string())?)
    }

    pub(crate) fn judge(&self, handle: u64, judgement: Judgement) -> Result<(), Failure> {
        let asked = self.reader.judge(self.held(handle)?, judgement);
        Ok(asked.map_err(|error| error.to_string())?)
    }

    fn held(&self, handle: u64) -> Result<&Held, Failure> {
        let (generation, at) = parts(handle);
        let place = self.places.get(at).filter(|place| place.generation == generation);
        place.and_then(|place| place.held.as_ref()).ok_or(NOT_HELD.into())
    }
}

const PLACES: usize = WEIR_HELD_MAX as usize;

const NOT_HELD: &str = "this packet is not held: it was released before, or is of another reader";

/// The number of the packet in a place: never 0, which is no packet's.
fn handle_of(generation: u32, at: usize) -> u64 {
    u64::from(generation) << 32 | (at as u64 + 1)
}

/// Generation and place of a number; a place that there is not for one that is no packet's.
fn parts(handle: u64) -> (u32, usize) {
    let [a, b, c, d, generation @ ..] = handle.to_le_bytes();
    let at = u32::from_le_bytes([a, b, c, d]).wrapping_sub(1);
    (u32::from_le_bytes(generation), at as usize)
}

fn describe(reader: &PacketReader, held: &Held, handle: u64, missed_before: u64) -> Packet {
    let bytes = reader.bytes(held);
    let descriptor = held.descriptor();
    Packet {
        data: if bytes.is_empty() { ptr::null() } else { bytes.as_ptr() },
        timestamp_ns: descriptor.timestamp_ns,
        flow_id: descriptor.flow_id,
        missed_before,
        handle,
        captured: u32::try_from(bytes.len()).unwrap_or(u32::MAX),
        wire: held.wire_bytes(),
        hash: descriptor.hash,
        flags: descriptor.flags.into(),
        app: descriptor.app,
        master: descriptor.master,
        shard: held.shard(),
        vlan: descriptor.vlan,
        confidence: descriptor.confidence,
        interface: descriptor.interface,
        drop_reason: descriptor.reason,
        reserved: [0; 5],
    }
}

/// The names of running engines, one a line.
pub(crate) fn engines() -> String {
    weir_shm::list_names().into_iter().map(|engine| engine.name + "\n").collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_name_generation_and_place() {
        for generation in [0, 1, u32::MAX] {
            for at in [0, 1, PLACES - 1] {
                let handle = handle_of(generation, at);
                assert_ne!(handle, 0);
                assert_eq!(parts(handle), (generation, at));
            }
        }
        assert!(parts(0).1 >= PLACES, "no packet's");
    }
}
