//! What an SMB session says behind its first message: who logs on (NTLM, MS-SMB2 2.2.5, MS-CIFS
//! 2.2.4.53) and which shares are connected to (MS-SMB2 2.2.9, MS-CIFS 2.2.4.55). Passwords are
//! stepped over.

use crate::attr::{self, Attr};
use crate::dissect::ntlm;
use crate::meta::{self, Meta};
use crate::reader::Reader;

/// Frames walked of one direction.
const FRAMES_MOST: usize = 16;
/// Messages chained in one frame that are looked at.
const CHAINED_MOST: usize = 4;
/// Shares kept.
const TREES_MOST: usize = 4;
const SESSION_SETUP: u16 = 1;
const TREE_CONNECT: u16 = 3;
const SESSION_SETUP_1: u8 = 0x73;
const TREE_CONNECT_1: u8 = 0x75;

/// Reads one direction from its beginning. Says whether the rest is encrypted.
pub(super) fn read(data: &[u8], meta: &mut Meta) -> bool {
    let mut reader = Reader::new(data);
    for _ in 0..FRAMES_MOST {
        let (Some(kind), Some(length)) = (reader.u8(), reader.u24()) else { break };
        let frame = reader.take_up_to(length as usize);
        if kind != 0 {
            continue;
        }
        match frame {
            [0xfd, b'S', b'M', b'B', ..] => return true,
            [0xfe, b'S', b'M', b'B', ..] => {
                let mut message = frame;
                for _ in 0..CHAINED_MOST {
                    let Some(next) = second(message, meta).filter(|next| *next >= 64) else {
                        break;
                    };
                    let Some(rest) = message.get(next..) else { break };
                    message = rest;
                }
            }
            [0xff, b'S', b'M', b'B', ..] => {
                let _read = first(frame, meta);
            }
            _ => {}
        }
    }
    false
}

/// A message of version 2 or 3; where the next one begins.
fn second(message: &[u8], meta: &mut Meta) -> Option<usize> {
    let mut reader = Reader::new(message);
    reader.skip(12)?;
    let (command, _credits, flags) = (reader.u16_le()?, reader.u16_le()?, reader.u32_le()?);
    let next = usize::try_from(reader.u32_le()?).ok()?;
    reader.skip(40)?;
    match command {
        SESSION_SETUP => ntlm::find_and_note(reader.rest(), meta),
        TREE_CONNECT if flags & 1 == 0 => {
            reader.skip(4)?;
            let (offset, length) = (usize::from(reader.u16_le()?), usize::from(reader.u16_le()?));
            let path = message.get(offset..offset + length)?;
            let mut text = [0; 128];
            put_tree(meta, ntlm::utf8_of(path, &mut text));
        }
        _ => {}
    }
    Some(next)
}

/// A message of version 1: words, then bytes.
fn first(message: &[u8], meta: &mut Meta) -> Option<()> {
    let mut reader = Reader::new(message);
    reader.skip(4)?;
    let command = reader.u8()?;
    reader.skip(4)?;
    let (flags, flags2) = (reader.u8()?, reader.u16_le()?);
    reader.skip(20)?;
    let (reply, unicode) = (flags & 0x80 != 0, flags2 & 0x8000 != 0);
    let count = usize::from(reader.u8()?);
    let mut words = reader.sub(count * 2)?;
    let _bytes = reader.u16_le()?;
    match (command, count) {
        (SESSION_SETUP_1, 13) if !reply => {
            // What the next message is, two sizes, a number, a key.
            words.skip(14)?;
            let secrets = usize::from(words.u16_le()?) + usize::from(words.u16_le()?);
            let mut strings = Strings::behind(message, reader, secrets, unicode)?;
            strings.put(&attr::NTLM_USER, meta)?;
            strings.put(&attr::NTLM_DOMAIN, meta)?;
        }
        (SESSION_SETUP_1, _) => ntlm::find_and_note(reader.rest(), meta),
        (TREE_CONNECT_1, 4) if !reply => {
            words.skip(6)?;
            let secret = usize::from(words.u16_le()?);
            let mut strings = Strings::behind(message, reader, secret, unicode)?;
            let mut text = [0; 128];
            put_tree(meta, strings.next(&mut text)?);
        }
        _ => {}
    }
    Some(())
}

/// Strings that end with a zero, of one byte a character or of two.
struct Strings<'a> {
    reader: Reader<'a>,
    unicode: bool,
}

impl<'a> Strings<'a> {
    /// Those behind `secret` bytes. Characters of two bytes begin at an even place of the message.
    fn behind(
        message: &[u8],
        mut reader: Reader<'a>,
        secret: usize,
        unicode: bool,
    ) -> Option<Strings<'a>> {
        reader.skip(secret)?;
        if unicode && (message.len() - reader.left()) % 2 == 1 {
            reader.skip(1)?;
        }
        Some(Strings { reader, unicode })
    }

    fn next<'t>(&mut self, text: &'t mut [u8; 128]) -> Option<&'t [u8]> {
        let rest = self.reader.rest();
        if self.unicode {
            let units = rest.as_chunks::<2>().0.iter();
            let length = units.take_while(|unit| **unit != [0, 0]).count() * 2;
            let value = self.reader.take(length)?;
            self.reader.skip(2)?;
            return Some(ntlm::utf8_of(value, text));
        }
        let length = rest.iter().position(|byte| *byte == 0)?;
        let value = self.reader.take(length)?;
        self.reader.skip(1)?;
        let room = text.get_mut(..value.len())?;
        room.copy_from_slice(value);
        Some(room)
    }

    fn put(&mut self, attr: &Attr, meta: &mut Meta) -> Option<()> {
        let mut text = [0; 128];
        let value = self.next(&mut text)?;
        meta.put(attr, value);
        Some(())
    }
}

/// A direction is read anew with every segment, so what is known is passed over.
fn put_tree(meta: &mut Meta, path: &[u8]) {
    let mut known = 0;
    for (id, value) in meta::decode(meta.as_bytes()) {
        known += usize::from(id == attr::SMB_TREE.id);
        if id == attr::SMB_TREE.id && value == path {
            return;
        }
    }
    if known < TREES_MOST {
        meta.put(&attr::SMB_TREE, path);
    }
}

#[cfg(test)]
#[expect(clippy::cast_possible_truncation, reason = "lengths in tests are small")]
mod tests {
    use super::*;
    use crate::dissect::ntlm::tests::authenticate;
    use proptest::prelude::*;

    fn utf16(text: &str) -> Vec<u8> {
        text.encode_utf16().flat_map(u16::to_le_bytes).collect()
    }

    fn frame(message: &[u8]) -> Vec<u8> {
        [&(message.len() as u32).to_be_bytes()[..], message].concat()
    }

    fn second(command: u16, body: &[u8]) -> Vec<u8> {
        let mut message = b"\xfeSMB\x40\0\0\0\0\0\0\0".to_vec();
        message.extend(command.to_le_bytes());
        message.resize(64, 0);
        message.extend(body);
        frame(&message)
    }

    fn first(command: u8, words: &[u8], bytes: &[u8]) -> Vec<u8> {
        let mut message = b"\xffSMB".to_vec();
        message.push(command);
        message.extend([0, 0, 0, 0, 0, 0, 0x80]);
        message.resize(32, 0);
        message.push(words.len() as u8 / 2);
        message.extend(words);
        message.extend((bytes.len() as u16).to_le_bytes());
        message.extend(bytes);
        frame(&message)
    }

    fn tree(path: &str) -> Vec<u8> {
        let path = utf16(path);
        let body = [&[9, 0, 0, 0, 72, 0][..], &(path.len() as u16).to_le_bytes(), &path].concat();
        second(TREE_CONNECT, &body)
    }

    #[test]
    fn users_and_shares_of_version_2() {
        let stream = [
            second(0, &[0; 36]),
            second(SESSION_SETUP, &[&[0x60, 0x48][..], &authenticate("ann", b"s3cr3t")].concat()),
            tree("\\\\fs\\IPC$"),
            tree("\\\\fs\\share"),
        ]
        .concat();
        let mut meta = Meta::default();
        for _ in 0..2 {
            assert!(!read(&stream, &mut meta));
        }
        assert_eq!(meta.get(&attr::NTLM_USER), Some(&b"ann"[..]));
        let trees: Vec<_> = meta::decode(meta.as_bytes())
            .filter(|(id, _)| *id == attr::SMB_TREE.id)
            .map(|(_, value)| value)
            .collect();
        assert_eq!(trees, [&b"\\\\fs\\IPC$"[..], b"\\\\fs\\share"]);
        assert!(read(&[stream, frame(b"\xfdSMB")].concat(), &mut meta));
    }

    #[test]
    fn users_and_shares_of_version_1() {
        let mut words = [0; 26];
        words[14] = 3;
        words[16] = 4;
        let strings = [b"abcdefg".to_vec(), utf16("bob\0EXAMPLE\0Unix\0")].concat();
        let connect = [b"x".to_vec(), utf16("\\\\fs\\data\0"), b"A:\0".to_vec()].concat();
        let stream = [
            first(SESSION_SETUP_1, &words, &strings),
            first(TREE_CONNECT_1, &[0xff, 0, 0, 0, 0, 0, 1, 0], &connect),
        ]
        .concat();
        let mut meta = Meta::default();
        read(&stream, &mut meta);
        for (attr, value) in [
            (&attr::NTLM_USER, &b"bob"[..]),
            (&attr::NTLM_DOMAIN, b"EXAMPLE"),
            (&attr::SMB_TREE, b"\\\\fs\\data"),
        ] {
            assert_eq!(meta.get(attr), Some(value), "{}", attr.key);
        }
    }

    proptest! {
        #[test]
        fn damage_is_survived(at in 0_usize..300, value: u8, length in 0_usize..300) {
            let mut stream =
                [second(SESSION_SETUP, &authenticate("ann", b"s3cr3t")), tree("\\\\fs\\a")].concat();
            let last = stream.len() - 1;
            stream[at.min(last)] = value;
            read(&stream[..length.min(last)], &mut Meta::default());
        }
    }
}
