//! Flow and sample export: NetFlow 1, 5, 7 and 9 (RFC 3954 section 5), IPFIX (RFC 7011 section 3),
//! sFlow (version 5, sflow.org, section 5).

use super::{UDP, judged};
use crate::app::AppId;
use crate::attr;
use crate::reader::Reader;
use crate::view::{Dissector, First, Notes, Outcome, View};

/// NetFlow and IPFIX.
pub(super) const NETFLOW: Dissector = Dissector {
    app: AppId::NETFLOW,
    over: UDP,
    ports: &[2055, 9995, 9996, 4739, 2056, 9555],
    ports_only: false,
    first: First::OneOf(&[0]),
    run: netflow,
};

/// sFlow.
pub(super) const SFLOW: Dissector = Dissector {
    app: AppId::SFLOW,
    over: UDP,
    ports: &[6343],
    ports_only: false,
    first: First::OneOf(&[0]),
    run: |view, _| judged(view, AppId::SFLOW, is_sflow(view.data)),
};

/// Seconds of 2001-09-09, of 2106 the counter ends: a clock before that is not believed.
const EARLIEST_S: u32 = 1_000_000_000;

fn netflow(view: &View<'_>, notes: &mut Notes<'_>) -> Outcome {
    let mut reader = Reader::new(view.data);
    let version = reader.u16();
    let fits = match version {
        Some(1) => fixed(reader, 16, 52, view.data.len()),
        Some(5) => fixed(reader, 24, 48, view.data.len()),
        Some(7) => fixed(reader, 24, 52, view.data.len()),
        Some(9) => version9(reader),
        Some(10) => ipfix(reader, view.data.len()),
        _ => Some(false),
    };
    let (Some(true), Some(version)) = (fits, version) else {
        return Outcome::NotMine;
    };
    notes.meta.put_number(&attr::NETFLOW_VERSION, u64::from(version));
    Outcome::found(AppId::NETFLOW)
}

/// A count of at most thirty records, up-time, clock; the length follows from the count.
fn fixed(mut reader: Reader<'_>, header: usize, record: usize, length: usize) -> Option<bool> {
    let count = usize::from(reader.u16()?);
    reader.skip(4)?;
    let seconds = reader.u32()?;
    Some((1..=30).contains(&count) && length == header + count * record && seconds >= EARLIEST_S)
}

/// Count, up-time, clock, sequence, source; then a template (0), options (1) or data (256 on).
fn version9(mut reader: Reader<'_>) -> Option<bool> {
    let count = reader.u16()?;
    reader.skip(4)?;
    let seconds = reader.u32()?;
    reader.skip(8)?;
    Some(count > 0 && seconds >= EARLIEST_S && is_set(reader, [0, 1])?)
}

/// Length, clock, sequence, domain; then a template (2), options (3) or data (256 on).
fn ipfix(mut reader: Reader<'_>, length: usize) -> Option<bool> {
    let stated = usize::from(reader.u16()?);
    let seconds = reader.u32()?;
    reader.skip(8)?;
    Some(stated == length && seconds >= EARLIEST_S && (length == 16 || is_set(reader, [2, 3])?))
}

fn is_set(mut reader: Reader<'_>, templates: [u16; 2]) -> Option<bool> {
    let (id, length) = (reader.u16()?, reader.u16()?);
    let known = templates.contains(&id) || id >= 256;
    Some(known && length >= 4 && usize::from(length) <= reader.left() + 4)
}

/// Version, the agent's address, its part, sequence, up-time, count; then each sample's format
/// and length.
fn is_sflow(data: &[u8]) -> Option<bool> {
    let mut reader = Reader::new(data);
    let version = reader.u32()?;
    let address_bytes = match reader.u32()? {
        1 => 4,
        2 => 16,
        _ => return Some(false),
    };
    reader.skip(address_bytes)?;
    match version {
        5 => reader.skip(4)?,
        2 | 4 => {}
        _ => return Some(false),
    }
    reader.skip(8)?;
    let count = reader.u32()?;
    if version != 5 || count == 0 {
        return Some((1..=64).contains(&count));
    }
    // Enterprise and format; flow and counter samples, plain and expanded, are 1 to 4.
    let (format, length) = (reader.u32()?, reader.u32()?);
    let fits = usize::try_from(length).is_ok_and(|length| length <= reader.left());
    Some(count <= 64 && fits && (format >> 12 != 0 || (1..=4).contains(&format)))
}
