//! Domain names on the wire: RFC 1035 section 3.1 (labels) and 4.1.4 (compression).

use crate::reader::Reader;

/// Bytes of the longest name in dotted form (RFC 1035 section 2.3.4 allows 255 on the wire).
const NAME_BYTES: usize = 254;

/// A name in dotted form, without the final dot; empty for the root.
pub(super) struct Name {
    bytes: [u8; NAME_BYTES],
    used: usize,
}

impl Name {
    /// Decodes the name at `offset` of `message` and says where the bytes after it begin.
    ///
    /// A compression pointer has to lead to before everything followed so far, so a loop cannot
    /// be written down, and the length limit bounds the labels: work is bounded by the two.
    pub(super) fn read(message: &[u8], offset: usize) -> Option<(Name, usize)> {
        let mut name = Name { bytes: [0; NAME_BYTES], used: 0 };
        let mut cursor = Reader::new(message.get(offset..)?);
        let mut limit = offset;
        let mut next = None;
        loop {
            let length = cursor.u8()?;
            match length {
                0 => {
                    let here = message.len() - cursor.left();
                    return Some((name, next.unwrap_or(here)));
                }
                1..=63 => name.push(cursor.take(usize::from(length))?)?,
                0xc0.. => {
                    let target = usize::from(length & 0x3f) << 8 | usize::from(cursor.u8()?);
                    if target >= limit {
                        return None;
                    }
                    next = next.or(Some(message.len() - cursor.left()));
                    limit = target;
                    cursor = Reader::new(message.get(target..)?);
                }
                _ => return None,
            }
        }
    }

    /// The dotted form.
    pub(super) fn as_bytes(&self) -> &[u8] {
        self.bytes.get(..self.used).unwrap_or_default()
    }

    fn push(&mut self, label: &[u8]) -> Option<()> {
        let dot = usize::from(self.used > 0);
        let end = self.used + dot + label.len();
        let (before, after) = self.bytes.get_mut(self.used..end)?.split_at_mut(dot);
        before.fill(b'.');
        after.copy_from_slice(label);
        self.used = end;
        Some(())
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

    #[test]
    fn labels_and_pointers_give_the_dotted_form() {
        let message = b"\x07example\x03org\x00\x03www\xc0\x00\xff";
        let (plain, next) = Name::read(message, 0).unwrap();
        assert_eq!((plain.as_bytes(), next), (&b"example.org"[..], 13));
        let (compressed, next) = Name::read(message, 13).unwrap();
        assert_eq!((compressed.as_bytes(), next), (&b"www.example.org"[..], 19));
        assert_eq!(Name::read(b"\x00", 0).unwrap().0.as_bytes(), b"");
    }

    #[test]
    fn loops_forward_pointers_and_overlong_names_are_refused() {
        assert!(Name::read(b"\x01a\xc0\x02", 2).is_none(), "a pointer to itself");
        assert!(Name::read(b"\x01a\xc0\x00", 0).is_none(), "a pointer back into its own name");
        assert!(Name::read(b"\xc0\x02\x00", 0).is_none(), "a pointer forward");
        assert!(Name::read(b"\x40a\x00", 0).is_none(), "a reserved label type");
        let mut long = Vec::new();
        for _ in 0..4 {
            long.push(63);
            long.extend([b'x'; 63]);
        }
        long.push(0);
        assert!(Name::read(&long, 0).is_none(), "256 bytes and more");
        assert!(Name::read(b"\x03www", 0).is_none(), "cut off");
        assert!(Name::read(b"\x00", 7).is_none(), "beyond the end");
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
