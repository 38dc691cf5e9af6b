//! The few basic encoding rules (ITU-T X.690) that SNMP, LDAP, Kerberos and certificates need:
//! definite lengths, tags of one byte.

use crate::reader::Reader;

pub(crate) const INTEGER: u8 = 0x02;
pub(crate) const OCTET_STRING: u8 = 0x04;
pub(crate) const OBJECT_ID: u8 = 0x06;
pub(crate) const ENUMERATED: u8 = 0x0a;
pub(crate) const GENERAL_STRING: u8 = 0x1b;
pub(crate) const SEQUENCE: u8 = 0x30;

/// Tag and length. `None` where bytes end, and for forms that none of these sends.
pub(crate) fn header(reader: &mut Reader<'_>) -> Option<(u8, usize)> {
    let tag = reader.u8()?;
    let length = match reader.u8()? {
        short @ ..=0x7f => usize::from(short),
        0x81 => usize::from(reader.u8()?),
        0x82 => usize::from(reader.u16()?),
        0x83 => usize::try_from(reader.u24()?).ok()?,
        0x84 => usize::try_from(reader.u32()?).ok()?,
        _ => return None,
    };
    (tag & 0x1f != 0x1f).then_some((tag, length))
}

/// What `tag` holds, all of it.
pub(crate) fn element<'a>(reader: &mut Reader<'a>, tag: u8) -> Option<Reader<'a>> {
    let (found, length) = header(reader)?;
    if found == tag { reader.sub(length) } else { None }
}

/// As much as there is of what `tag` holds: the outer layers of a message may be cut off while
/// the inner ones that matter are there.
pub(crate) fn opened<'a>(reader: &mut Reader<'a>, tag: u8) -> Option<Reader<'a>> {
    let (found, length) = header(reader)?;
    (found == tag).then(|| Reader::new(reader.take_up_to(length)))
}

/// Like [`opened`], if `tag` comes next; else nothing is read.
pub(crate) fn optional<'a>(reader: &mut Reader<'a>, tag: u8) -> Option<Reader<'a>> {
    if reader.rest().first() == Some(&tag) { opened(reader, tag) } else { None }
}

/// A small number that is not negative, under `tag` (an integer or an enumerated value).
pub(crate) fn number(reader: &mut Reader<'_>, tag: u8) -> Option<u64> {
    let body = element(reader, tag)?;
    let bytes = body.rest();
    if bytes.is_empty() || bytes.len() > 8 || bytes.first().is_some_and(|first| *first > 0x7f) {
        return None;
    }
    Some(bytes.iter().fold(0, |value, byte| value << 8 | u64::from(*byte)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lengths_of_every_form() {
        let read = |bytes: &[u8]| header(&mut Reader::new(bytes));
        assert_eq!(read(b"\x30\x05"), Some((0x30, 5)));
        assert_eq!(read(b"\x30\x81\x80"), Some((0x30, 128)));
        assert_eq!(read(b"\x30\x82\x01\x00"), Some((0x30, 256)));
        assert_eq!(read(b"\x30\x84\x00\x00\x00\x09"), Some((0x30, 9)));
        assert_eq!(read(b"\x30\x80"), None, "indefinite");
        assert_eq!(read(b"\x30\x85\0\0\0\0\x01"), None, "beyond four bytes");
        assert_eq!(read(b"\x1f\x01"), None, "a tag of several bytes");
        assert_eq!(read(b"\x30\x82\x01"), None, "cut off");
    }

    #[test]
    fn an_inner_length_cannot_leave_its_element() {
        let mut reader = Reader::new(b"\x30\x03\x02\x09\x01\x01\x01\x01\x01\x01\x01\x01\x01\x01");
        let mut body = element(&mut reader, SEQUENCE).unwrap();
        assert_eq!(number(&mut body, INTEGER), None);
        assert_eq!(reader.left(), 9);
    }

    #[test]
    fn numbers() {
        let read = |bytes: &[u8]| number(&mut Reader::new(bytes), INTEGER);
        assert_eq!(read(b"\x02\x01\x05"), Some(5));
        assert_eq!(read(b"\x02\x05\x00\xff\xff\xff\xff"), Some(0xffff_ffff));
        assert_eq!(read(b"\x02\x01\xff"), None, "negative");
        assert_eq!(read(b"\x02\x00"), None, "empty");
        assert_eq!(read(b"\x02\x09\0\0\0\0\0\0\0\0\x01"), None, "too long");
    }
}
