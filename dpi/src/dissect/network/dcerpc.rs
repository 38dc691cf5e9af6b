//! DCE/RPC (The Open Group C706, chapter 12): connection-oriented version 5 over TCP and
//! connectionless version 4 over UDP; the latter also carries PROFINET IO (IEC 61158-6-10).

use super::{TCP, UDP, cut_short};
use crate::app::AppId;
use crate::attr;
use crate::reader::Reader;
use crate::view::{Dissector, First, Notes, Outcome, View};

/// Connection-oriented.
pub(super) const DCERPC_TCP: Dissector = Dissector {
    app: AppId::DCERPC,
    over: TCP,
    ports: &[135, 593],
    ports_only: false,
    first: First::OneOf(&[5]),
    run: connected,
};

/// Connectionless.
pub(super) const DCERPC_UDP: Dissector = Dissector {
    app: AppId::DCERPC,
    over: UDP,
    ports: &[135, 34964],
    ports_only: false,
    first: First::OneOf(&[4]),
    run: connectionless,
};

const BIND: u8 = 11;
const ALTER_CONTEXT: u8 = 14;
/// `dea0xxxx-6c97-11d1-8271`: objects and interfaces of PROFINET IO, without their first bytes.
const PROFINET_UUID: [u8; 8] = [0xa0, 0xde, 0x97, 0x6c, 0xd1, 0x11, 0x82, 0x71];

fn connected(view: &View<'_>, notes: &mut Notes<'_>) -> Outcome {
    parse_connected(view.data, notes).unwrap_or_else(|| cut_short(view))
}

fn parse_connected(data: &[u8], notes: &mut Notes<'_>) -> Option<Outcome> {
    let mut reader = Reader::new(data);
    reader.skip(1)?;
    if reader.u8()? > 1 {
        return Some(Outcome::NotMine);
    }
    let kind = reader.u8()?;
    reader.skip(1)?;
    let [order, floats, zero, none] = reader.array()?;
    let is_little = order == 0x10;
    if kind > 20 || !matches!(order, 0 | 0x10) || floats > 3 || zero != 0 || none != 0 {
        return Some(Outcome::NotMine);
    }
    let [length, authentication] =
        [u16_by(&mut reader, is_little)?, u16_by(&mut reader, is_little)?];
    if length < 16 || authentication > length {
        return Some(Outcome::NotMine);
    }
    reader.skip(4)?;
    if matches!(kind, BIND | ALTER_CONTEXT) {
        // Two sizes, group, count of contexts; the first context's number and its count.
        reader.skip(2 + 2 + 4 + 4 + 4)?;
        note_interface(reader.array()?, is_little, notes);
    }
    Some(Outcome::found(AppId::DCERPC))
}

fn connectionless(view: &View<'_>, notes: &mut Notes<'_>) -> Outcome {
    parse_connectionless(view.data, notes).unwrap_or(Outcome::NotMine)
}

fn parse_connectionless(data: &[u8], notes: &mut Notes<'_>) -> Option<Outcome> {
    let mut reader = Reader::new(data);
    reader.skip(1)?;
    let (kind, _, more_flags) = (reader.u8()?, reader.u8()?, reader.u8()?);
    let [order, floats, zero] = reader.array()?;
    let is_little = order == 0x10;
    let fits = kind <= 10 && more_flags & 0xfc == 0 && matches!(order, 0 | 0x10);
    if !fits || floats > 3 || zero != 0 {
        return None;
    }
    reader.skip(1)?;
    let object: [u8; 16] = reader.array()?;
    let interface: [u8; 16] = reader.array()?;
    // Activity, boot time, interface version, sequence, operation and two hints.
    reader.skip(16 + 4 + 4 + 4 + 6)?;
    let length = u16_by(&mut reader, is_little)?;
    reader.skip(4)?;
    if usize::from(length) > reader.left() {
        return None;
    }
    note_interface(interface, is_little, notes);
    let is_profinet = [object, interface]
        .iter()
        .any(|uuid| uuid.get(2..10).is_some_and(|middle| *middle == PROFINET_UUID));
    Some(Outcome::found(if is_profinet { AppId::PROFINET_IO } else { AppId::DCERPC }))
}

fn u16_by(reader: &mut Reader<'_>, is_little: bool) -> Option<u16> {
    if is_little { reader.u16_le() } else { reader.u16() }
}

/// Notes a UUID in the order in which it is written.
fn note_interface(wire: [u8; 16], is_little: bool, notes: &mut Notes<'_>) {
    let mut written = wire;
    if is_little {
        let (time_low, rest) = written.split_at_mut(4);
        let (time_mid, rest) = rest.split_at_mut(2);
        let (time_high, _) = rest.split_at_mut(2);
        time_low.reverse();
        time_mid.reverse();
        time_high.reverse();
    }
    notes.meta.put(&attr::DCERPC_INTERFACE, &written);
}
