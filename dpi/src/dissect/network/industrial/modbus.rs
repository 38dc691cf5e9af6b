//! Modbus over TCP (Modbus Messaging on TCP/IP 1.0b, section 3.1.3), UMAS in its function 90.

use super::super::{TCP, cut_short};
use crate::app::AppId;
use crate::attr;
use crate::reader::Reader;
use crate::view::{Dissector, First, Notes, Outcome, View};

/// Modbus. Its header is counters and zeros, so its port is asked for.
pub(in super::super) const MODBUS: Dissector = Dissector {
    app: AppId::MODBUS,
    over: TCP,
    ports: &[502],
    ports_only: true,
    first: First::Any,
    run: modbus,
};

const UMAS_FUNCTION: u8 = 90;

fn modbus(view: &View<'_>, notes: &mut Notes<'_>) -> Outcome {
    parse(view.data, notes).unwrap_or_else(|| cut_short(view))
}

fn parse(data: &[u8], notes: &mut Notes<'_>) -> Option<Outcome> {
    let mut reader = Reader::new(data);
    reader.skip(2)?;
    let (protocol, length) = (reader.u16()?, reader.u16()?);
    // The function's top bit says that it failed.
    let (unit, function) = (reader.u8()?, reader.u8()? & 0x7f);
    if protocol != 0 || !(2..=255).contains(&length) || function == 0 {
        return Some(Outcome::NotMine);
    }
    notes.meta.put_number(&attr::MODBUS_UNIT, u64::from(unit));
    notes.meta.put_number(&attr::MODBUS_FUNCTION, u64::from(function));
    let app = if function == UMAS_FUNCTION { AppId::UMAS } else { AppId::MODBUS };
    Some(Outcome::found(app))
}
