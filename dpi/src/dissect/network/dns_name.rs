//! Domain names on the wire: RFC 1035 section 3.1 (labels) and 4.1.4 (compression).

use crate::reader::Reader;

/// Bytes of the longest name in dotted form (RFC 1035 section 2.3.4 allows 255 on the wire), and the
/// dot before it.
const ROOM_BYTES: usize = 255;

/// Where a name is put together.
pub(super) struct Room([u8; ROOM_BYTES]);

impl Room {
    pub(super) const fn new() -> Room {
        Room([0; ROOM_BYTES])
    }

    /// Decodes the name at `offset` of `message` into dotted form, without the final dot, empty for
    /// the root; and says where the bytes after it begin.
    ///
    /// A compression pointer has to lead to before everything followed so far, so a loop cannot
    /// be written down, and the length limit bounds the labels: work is bounded by the two.
    pub(super) fn read(&mut self, message: &[u8], offset: usize) -> Option<(&[u8], usize)> {
        let (mut used, mut start, mut next) = (0, offset, None);
        loop {
            let end = self.push_labels(message, start, used)?;
            used += end - start;
            let length = *message.get(end)?;
            if length == 0 {
                let name = self.0.get(1..used).unwrap_or_default();
                return Some((name, next.unwrap_or(end + 1)));
            }
            let target = usize::from(length & 0x3f) << 8 | usize::from(*message.get(end + 1)?);
            next = next.or(Some(end + 2));
            if length < 0xc0 || target >= start {
                return None;
            }
            start = target;
        }
    }

    /// Copies the labels at `start`, their lengths turned into dots, behind the `used` bytes that
    /// are there. Where they end: what stands there is the length of no label.
    fn push_labels(&mut self, message: &[u8], start: usize, used: usize) -> Option<usize> {
        let mut end = start;
        while let Some(length @ 1..=63) = message.get(end) {
            end += 1 + usize::from(*length);
        }
        let labels = message.get(start..end)?;
        let room = self.0.get_mut(used..used + labels.len())?;
        room.copy_from_slice(labels);
        let mut at = 0;
        while let Some(length) = room.get_mut(at) {
            at += 1 + usize::from(*length);
            *length = b'.';
        }
        Some(end)
    }
}

/// Passes over the name at the reader's place without following it.
pub(super) fn skip(reader: &mut Reader<'_>) -> Option<()> {
    loop {
        match reader.u8()? {
            0 => return Some(()),
            length @ 1..=63 => reader.skip(usize::from(length))?,
            0xc0.. => return reader.skip(1),
            _ => return None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(message: &[u8], offset: usize) -> Option<(Vec<u8>, usize)> {
        let mut room = Room::new();
        room.read(message, offset).map(|(name, next)| (name.to_vec(), next))
    }

    #[test]
    fn labels_and_pointers_give_the_dotted_form() {
        let message = b"\x07example\x03org\x00\x03www\xc0\x00\xff";
        let (plain, next) = read(message, 0).unwrap();
        assert_eq!((&plain[..], next), (&b"example.org"[..], 13));
        let (compressed, next) = read(message, 13).unwrap();
        assert_eq!((&compressed[..], next), (&b"www.example.org"[..], 19));
        assert_eq!(read(b"\x00", 0).unwrap().0, b"");
    }

    #[test]
    fn loops_forward_pointers_and_overlong_names_are_refused() {
        assert!(read(b"\x01a\xc0\x02", 2).is_none(), "a pointer to itself");
        assert!(read(b"\x01a\xc0\x00", 0).is_none(), "a pointer back into its own name");
        assert!(read(b"\xc0\x02\x00", 0).is_none(), "a pointer forward");
        assert!(read(b"\x40a\x00", 0).is_none(), "a reserved label type");
        for (last, bytes) in [(62, Some(254)), (63, None)] {
            let mut long = Vec::new();
            for length in [63, 63, 63, last] {
                long.push(length);
                long.extend(vec![b'x'; usize::from(length)]);
            }
            long.push(0);
            assert_eq!(read(&long, 0).map(|(name, _)| name.len()), bytes);
        }
        assert!(read(b"\x03www", 0).is_none(), "cut off");
        assert!(read(b"\x00", 7).is_none(), "beyond the end");
    }

    #[test]
    fn skipping_ends_where_reading_ends() {
        for message in [&b"\x03www\x01a\x00rest"[..], b"\x03www\xc0\x00rest", b"\x00rest"] {
            let mut reader = Reader::new(message);
            skip(&mut reader).unwrap();
            assert_eq!(reader.rest(), b"rest");
        }
    }
}
