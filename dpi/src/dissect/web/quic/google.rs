//! Google's QUIC before it became the IETF's: the packet format of versions Q024 to Q046 and the
//! client hello (`CHLO`) of its own handshake, which is sent in the clear.
//!
//! "QUIC Wire Layout Specification" and "QUIC Crypto" (Google, 2016 revision).

use super::version::is_google;
use crate::attr;
use crate::meta::Meta;
use crate::reader::Reader;

/// Within how many bytes behind the version the hello must begin: packet number, hash and the
/// header of the stream frame.
const HELLO_WITHIN: usize = 48;
/// Tags read of a hello.
const TAGS_MOST: usize = 64;

/// What a datagram in Google's own packet format is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Google {
    /// With a hello, whose names are in the metadata.
    Hello,
    /// Without one.
    Packet,
}

/// Reads a datagram whose public header names a version: flags, an optional connection id of
/// eight bytes, the version. `None` if it is not one.
pub(super) fn read_public(data: &[u8], meta: &mut Meta) -> Option<Google> {
    let mut reader = Reader::new(data);
    let flags = reader.u8()?;
    // Bit 0: a version follows; bit 3: a connection id; bits 6 and 7 are unused.
    if flags & 0xc9 != 0x09 {
        return None;
    }
    reader.skip(8)?;
    let version = reader.array::<4>()?;
    if !is_google(version) {
        return None;
    }
    Some(read_after_version(version, reader, meta))
}

/// Reads a datagram of versions Q044 to Q046, whose header begins as in the later drafts.
pub(super) fn read_long(version: [u8; 4], reader: Reader<'_>, meta: &mut Meta) -> Google {
    read_after_version(version, reader, meta)
}

fn read_after_version(version: [u8; 4], reader: Reader<'_>, meta: &mut Meta) -> Google {
    let rest = reader.rest();
    let within = rest.get(..HELLO_WITHIN).unwrap_or(rest);
    meta.put(&attr::QUIC_VERSION, &version);
    let Some(start) = within.windows(4).position(|tag| tag == b"CHLO") else {
        return Google::Packet;
    };
    read_hello(rest.get(start..).unwrap_or_default(), meta);
    Google::Hello
}

/// Reads a `CHLO` message: tag, number of entries, and for each a tag and the end of its value.
pub(super) fn read_hello(message: &[u8], meta: &mut Meta) -> Option<()> {
    let mut reader = Reader::new(message);
    if &reader.array::<4>()? != b"CHLO" {
        return None;
    }
    let entries = usize::from(reader.u16_le()?);
    reader.skip(2)?;
    let values = message.get(8 + entries * 8..)?;
    let mut start = 0;
    for _ in 0..entries.min(TAGS_MOST) {
        let tag = reader.array::<4>()?;
        let end = usize::try_from(reader.u32_le()?).ok()?;
        let Some(value) = values.get(start..end) else { break };
        match &tag {
            b"SNI\0" if value.iter().all(u8::is_ascii_graphic) => {
                meta.put(&attr::HOST_NAME, value);
                meta.put(&attr::QUIC_SNI, value);
            }
            b"UAID" => meta.put(&attr::QUIC_USER_AGENT, value),
            _ => {}
        }
        start = end;
    }
    Some(())
}
