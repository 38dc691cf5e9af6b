//! OPC UA over TCP (OPC 10000-6 section 7.1.2).

use super::super::{TCP, cut_short};
use crate::app::AppId;
use crate::attr;
use crate::reader::Reader;
use crate::view::{Dissector, First, Notes, Outcome, View};

/// OPC UA.
pub(in super::super) const OPC_UA: Dissector = Dissector {
    app: AppId::OPC_UA,
    over: TCP,
    ports: &[4840],
    ports_only: false,
    first: First::OneOf(b"HAEOMCR"),
    run: opc_ua,
};

/// Longest address of an endpoint (section 7.1.2.3).
const MAX_URL: u32 = 4096;

fn opc_ua(view: &View<'_>, notes: &mut Notes<'_>) -> Outcome {
    parse(view.data, notes).unwrap_or_else(|| cut_short(view))
}

fn parse(data: &[u8], notes: &mut Notes<'_>) -> Option<Outcome> {
    let mut reader = Reader::new(data);
    let kind: [u8; 3] = reader.array()?;
    let chunk = reader.u8()?;
    let length = reader.u32_le()?;
    let least = match (&kind, chunk) {
        (b"HEL", b'F') => 32,
        (b"ACK", b'F') => 28,
        (b"ERR" | b"RHE", b'F') => 16,
        (b"OPN", b'F') | (b"MSG" | b"CLO", b'F' | b'C' | b'A') => 24,
        _ => return Some(Outcome::NotMine),
    };
    if !(least..0x0100_0000).contains(&length) {
        return Some(Outcome::NotMine);
    }
    if &kind == b"HEL" {
        // Version and four limits, then the address.
        reader.skip(20)?;
        let url = reader.u32_le()?;
        if url <= MAX_URL {
            notes.meta.put(&attr::OPC_UA_URL, reader.take(usize::try_from(url).ok()?)?);
        }
    }
    Some(Outcome::found(AppId::OPC_UA))
}
