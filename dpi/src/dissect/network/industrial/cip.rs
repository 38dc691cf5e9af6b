//! EtherNet/IP encapsulation and CIP connections in datagrams (ODVA volume 2, chapters 2-3 and
//! 2-6).

use super::super::{BOTH, UDP, judged};
use crate::app::AppId;
use crate::reader::Reader;
use crate::view::{Dissector, First, Transport, View};

/// Encapsulated messages.
pub(in super::super) const ETHERNET_IP: Dissector = Dissector {
    app: AppId::ETHERNET_IP,
    over: BOTH,
    ports: &[44818],
    ports_only: false,
    first: First::OneOf(&[0x04, 0x63, 0x64, 0x65, 0x66, 0x6f, 0x70]),
    run: |view, _| judged(view, AppId::ETHERNET_IP, is_encapsulated(view)),
};

/// Implicit messages.
pub(in super::super) const CIP: Dissector = Dissector {
    app: AppId::CIP,
    over: UDP,
    ports: &[2222],
    ports_only: true,
    first: First::OneOf(&[2]),
    run: |view, _| judged(view, AppId::CIP, is_implicit(view.data)),
};

/// Command, length, session, status, context, options: all little endian.
fn is_encapsulated(view: &View<'_>) -> Option<bool> {
    let mut reader = Reader::new(view.data);
    // The filter knows the first byte; the second is zero in every command.
    let command = reader.u16_le()?;
    if command > 0xff {
        return Some(false);
    }
    let length = usize::from(reader.u16_le()?);
    reader.skip(4)?;
    let status = reader.u32_le()?;
    if !matches!(status, 0..=3 | 0x64 | 0x65 | 0x69) {
        return Some(false);
    }
    reader.skip(8)?;
    let options = reader.u32_le()?;
    let own_port = view.port_is(44818);
    if view.transport == Transport::Tcp && !own_port && reader.left() < length {
        return (options != 0).then_some(false);
    }
    let fits = length == reader.left() || (own_port && view.transport == Transport::Tcp);
    Some(options == 0 && fits)
}

/// Two items: the connection's address with its sequence (0x8002), or without (0xa1), and the
/// data (0xb1).
fn is_implicit(data: &[u8]) -> Option<bool> {
    let mut reader = Reader::new(data);
    let count = reader.u16_le()?;
    let (kind, length) = (reader.u16_le()?, reader.u16_le()?);
    let fits = matches!((kind, length), (0x8002, 8) | (0x00a1, 4));
    reader.skip(usize::from(length))?;
    Some(count == 2 && fits && matches!(reader.u16_le()?, 0x00b1 | 0x00b2))
}
