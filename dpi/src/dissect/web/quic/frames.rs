//! The frames of an Initial packet (RFC 9000 sections 12.4 and 19).

use super::keys::Opened;
use crate::reader::Reader;

/// Frames read of one packet. Clients that scramble their hello send some thirty.
const FRAMES_MOST: usize = 128;

/// A piece of the handshake.
#[derive(Clone, Copy, Debug)]
pub(super) struct Crypto<'a> {
    pub(super) offset: u64,
    /// Where `bytes` stand in the packet's frames.
    pub(super) at: usize,
    pub(super) bytes: &'a [u8],
}

/// A variable-length integer (RFC 9000 section 16).
pub(super) fn varint(reader: &mut Reader<'_>) -> Option<u64> {
    let first = reader.u8()?;
    let mut value = u64::from(first & 0x3f);
    for _ in 1..1_u32 << (first >> 6) {
        value = value << 8 | u64::from(reader.u8()?);
    }
    Some(value)
}

/// Calls `each` for every CRYPTO frame. `None` if a frame is none that an Initial packet may hold
/// (RFC 9000 section 17.2.2); a frame that is cut off ends the walk where the packet was.
/// `crypto` is the type of a CRYPTO frame.
pub(super) fn each_crypto<'a>(
    opened: &'a Opened,
    crypto: u8,
    mut each: impl FnMut(Crypto<'a>),
) -> Option<()> {
    let mut reader = Reader::new(opened.frames());
    let mut any = false;
    for _ in 0..FRAMES_MOST {
        let Some(kind) = skip_padding(&mut reader) else { break };
        let read = match kind {
            0x01 => Some(()),
            0x02 | 0x03 => skip_ack(&mut reader, kind),
            _ if kind == crypto => read_crypto(&mut reader, opened).map(&mut each),
            0x1c => skip_close(&mut reader),
            _ => return None,
        };
        if read.is_none() {
            return (opened.cut && any).then_some(());
        }
        any = true;
    }
    any.then_some(())
}

/// The kind of the next frame that is not padding.
fn skip_padding(reader: &mut Reader<'_>) -> Option<u8> {
    // Most of many packets is padding.
    while reader.rest().first_chunk::<16>().is_some_and(|bytes| *bytes == [0; 16]) {
        reader.skip(16)?;
    }
    let padding = reader.rest().iter().position(|byte| *byte != 0)?;
    reader.skip(padding)?;
    reader.u8()
}

fn read_crypto<'a>(reader: &mut Reader<'a>, opened: &Opened) -> Option<Crypto<'a>> {
    let offset = varint(reader)?;
    let length = varint(reader)?;
    let at = opened.frames().len() - reader.left();
    Some(Crypto { offset, at, bytes: reader.take(usize::try_from(length).ok()?)? })
}

fn skip_ack(reader: &mut Reader<'_>, kind: u8) -> Option<()> {
    let _largest = varint(reader)?;
    let _delay = varint(reader)?;
    let ranges = varint(reader)?;
    let _first = varint(reader)?;
    let counts = if kind == 0x03 { 3 } else { 0 };
    for _ in 0..ranges.min(256) * 2 + counts {
        varint(reader)?;
    }
    Some(())
}

fn skip_close(reader: &mut Reader<'_>) -> Option<()> {
    let _error = varint(reader)?;
    let _frame = varint(reader)?;
    let reason = varint(reader)?;
    reader.skip(usize::try_from(reason).ok()?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn integers_of_every_length() {
        // RFC 9000 section A.1.
        for (bytes, value) in [
            (&[0xc2, 0x19, 0x7c, 0x5e, 0xff, 0x14, 0xe8, 0x8c][..], 151_288_809_941_952_652),
            (&[0x9d, 0x7f, 0x3e, 0x7d], 494_878_333),
            (&[0x7b, 0xbd], 15_293),
            (&[0x25], 37),
        ] {
            assert_eq!(varint(&mut Reader::new(bytes)), Some(value));
            for length in 0..bytes.len() {
                assert_eq!(varint(&mut Reader::new(&bytes[..length])), None);
            }
        }
    }

    fn walk(frames: &[u8], crypto: u8) -> Option<Vec<(u64, usize)>> {
        let mut seen = Vec::new();
        each_crypto(&Opened::of(frames), crypto, |crypto| {
            seen.push((crypto.offset, crypto.bytes.len()));
        })?;
        Some(seen)
    }

    #[test]
    fn frames_that_do_not_belong_are_refused() {
        let frames = [0, 0, 1, 0x06, 0x40, 0x03, 2, b'a', b'b', 0x02, 5, 0, 0, 1, 0];
        assert_eq!(walk(&frames, 6), Some(vec![(3, 2)]));
        assert_eq!(walk(&[0x08, 0, 1, 7], 6), None);
        assert_eq!(walk(&[0x08, 0, 1, 7], 8), Some(vec![(0, 1)]));
        assert_eq!(walk(&[0; 20], 6), None);
        assert_eq!(walk(&[0x06, 0, 9, 1], 6), None);
    }
}
