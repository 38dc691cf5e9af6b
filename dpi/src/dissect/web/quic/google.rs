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

/// Whether a datagram without a version is a server's: flags, a connection id of eight bytes, and in
/// the clear a message of the handshake, refusing or greeting: its tag, how many values it has, two
/// zeros, and the first value's tag.
pub(super) fn is_servers(data: &[u8]) -> bool {
    let is_message = |bytes: &[u8]| match bytes {
        [b'R', b'E', b'J', 0, low, 0, 0, 0, first @ ..]
        | [b'S', b'H', b'L', b'O', low, 0, 0, 0, first @ ..] => {
            let tag = |byte: &u8| byte.is_ascii_uppercase() || byte.is_ascii_digit() || *byte == 0;
            usize::from(*low) <= TAGS_MOST && *low > 0 && first.iter().all(tag)
        }
        _ => false,
    };
    let behind_id = data.get(9..).unwrap_or_default();
    let head = behind_id.get(..HELLO_WITHIN).unwrap_or(behind_id);
    // Bit 0: no version follows; bit 3: a connection id; bits 6 and 7 are unused.
    data.first().is_some_and(|flags| flags & 0xc9 == 0x08) && head.windows(12).any(is_message)
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_servers_refusal_is_a_message_in_the_clear() {
        let packet = |flags: u8, message: &[u8]| {
            [&[flags][..], &[7; 8], &[1], &[0x9c; 12], &[0x80, 1], message].concat()
        };
        let refusal = b"REJ\0\x07\0\0\0STK\0\x38\0\0\0";
        assert!(is_servers(&packet(0x08, refusal)));
        assert!(is_servers(&packet(0x0c, b"SHLO\x02\0\0\0VER\0\0\0\0\0")));
        for (flags, message) in [
            (0x09, &refusal[..]),
            (0x00, refusal),
            (0x48, refusal),
            (0x08, b"REJ\0\0\0\0\0STK\0"),
            (0x08, b"REJ\0\x07\x01\0\0STK\0"),
            (0x08, b"REJ\0\x07\0\0\0stk\0"),
            (0x08, b"REJECTED, STK"),
        ] {
            assert!(!is_servers(&packet(flags, message)), "{message:?}");
        }
        let whole = packet(0x08, refusal);
        assert!((0..34).all(|length| !is_servers(&whole[..length])));
    }
}
