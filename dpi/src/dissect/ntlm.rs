//! NTLM (MS-NLMP section 2.2.1), wherever it is carried: SMB, HTTP, LDAP and others. The names are
//! noted, the responses to challenges never.

use crate::attr::{self, Attr};
use crate::meta::Meta;
use crate::reader::Reader;

const SIGNATURE: &[u8; 8] = b"NTLMSSP\0";
const NEGOTIATE: u32 = 1;
const CHALLENGE: u32 = 2;
const AUTHENTICATE: u32 = 3;
/// Strings are UTF-16 where this bit is set.
const UNICODE: u32 = 1;
/// Bytes of a name at most.
const NAME_BYTES: usize = 64;
/// Within so many bytes a message is looked for.
const SEARCHED_BYTES: usize = 1024;
/// Attribute of a target that holds its host name in DNS (section 2.2.2.1).
const DNS_COMPUTER_NAME: u16 = 3;
/// Attributes of a target looked at.
const ATTRIBUTES_MOST: usize = 12;

/// Notes the message that begins somewhere in `data`, wrapped in whatever carries it.
pub(crate) fn find_and_note(data: &[u8], meta: &mut Meta) {
    let searched = data.get(..SEARCHED_BYTES).unwrap_or(data);
    let at = searched.windows(SIGNATURE.len()).position(|window| window == SIGNATURE);
    if let Some(message) = at.and_then(|at| data.get(at..)) {
        note(message, meta);
    }
}

/// Notes the names in a message.
pub(crate) fn note(message: &[u8], meta: &mut Meta) {
    let _read = read(message, meta);
}

fn read(message: &[u8], meta: &mut Meta) -> Option<()> {
    let mut reader = Reader::new(message);
    if reader.array::<8>()? != *SIGNATURE {
        return None;
    }
    match reader.u32_le()? {
        NEGOTIATE => {
            // These two are always in the machine's own character set.
            reader.skip(4)?;
            for attr in [&attr::NTLM_DOMAIN, &attr::NTLM_WORKSTATION] {
                put(meta, attr, field(&mut reader, message)?, false);
            }
        }
        CHALLENGE => {
            let target = field(&mut reader, message)?;
            let unicode = reader.u32_le()? & UNICODE != 0;
            put(meta, &attr::NTLM_TARGET, target, unicode);
            // The challenge itself and what is reserved.
            reader.skip(16)?;
            let mut info = Reader::new(field(&mut reader, message)?);
            for _ in 0..ATTRIBUTES_MOST {
                let (kind, length) = (info.u16_le()?, info.u16_le()?);
                let value = info.take(usize::from(length))?;
                if kind == DNS_COMPUTER_NAME {
                    put(meta, &attr::NTLM_HOST, value, true);
                }
            }
        }
        AUTHENTICATE => {
            // Both responses, three names, the session key, flags.
            let mut flags = reader;
            flags.skip(48)?;
            let unicode = flags.u32_le()? & UNICODE != 0;
            reader.skip(16)?;
            for attr in [&attr::NTLM_DOMAIN, &attr::NTLM_USER, &attr::NTLM_WORKSTATION] {
                put(meta, attr, field(&mut reader, message)?, unicode);
            }
        }
        _ => {}
    }
    Some(())
}

/// Length, room, offset from the message's beginning: the bytes that they mean, or none.
fn field<'a>(reader: &mut Reader<'_>, message: &'a [u8]) -> Option<&'a [u8]> {
    let (length, _room, offset) = (reader.u16_le()?, reader.u16_le()?, reader.u32_le()?);
    let from = usize::try_from(offset).ok()?;
    Some(message.get(from..from.checked_add(usize::from(length))?).unwrap_or_default())
}

fn put(meta: &mut Meta, attr: &Attr, value: &[u8], unicode: bool) {
    let mut text = [0; NAME_BYTES];
    meta.put(attr, if unicode { utf8_of(value, &mut text) } else { value });
}

/// UTF-16 (least significant byte first) as UTF-8, as much as fits.
pub(crate) fn utf8_of<'a, const N: usize>(value: &[u8], text: &'a mut [u8; N]) -> &'a [u8] {
    let units = value.as_chunks::<2>().0.iter().map(|pair| u16::from_le_bytes(*pair));
    let mut used = 0;
    for character in char::decode_utf16(units) {
        let character = character.unwrap_or(char::REPLACEMENT_CHARACTER);
        let mut bytes = [0; 4];
        let bytes = character.encode_utf8(&mut bytes).as_bytes();
        let Some(room) = text.get_mut(used..used + bytes.len()) else { break };
        room.copy_from_slice(bytes);
        used += bytes.len();
    }
    text.get(..used).unwrap_or_default()
}

#[cfg(test)]
#[expect(clippy::cast_possible_truncation, reason = "lengths in tests are small")]
pub(crate) mod tests {
    use super::*;
    use proptest::prelude::*;

    fn utf16(text: &str) -> Vec<u8> {
        text.encode_utf16().flat_map(u16::to_le_bytes).collect()
    }

    /// An authentication of `user` whose responses are `secret`.
    pub(crate) fn authenticate(user: &str, secret: &[u8]) -> Vec<u8> {
        let values =
            [secret.to_vec(), secret.to_vec(), utf16("EXAMPLE"), utf16(user), utf16("PC1"), vec![]];
        let mut message = [&SIGNATURE[..], &AUTHENTICATE.to_le_bytes()].concat();
        let mut offset = 64_u32;
        for value in &values {
            let length = (value.len() as u16).to_le_bytes();
            message.extend([length, length].concat());
            message.extend(offset.to_le_bytes());
            offset += value.len() as u32;
        }
        message.extend(UNICODE.to_le_bytes());
        [message, values.concat()].concat()
    }

    #[test]
    fn names_of_an_authentication() {
        let mut meta = Meta::default();
        let message = [b"wrapped", &authenticate("änn", b"\x01response\x02")[..]].concat();
        find_and_note(&message, &mut meta);
        assert_eq!(meta.get(&attr::NTLM_USER), Some("änn".as_bytes()));
        assert_eq!(meta.get(&attr::NTLM_DOMAIN), Some(&b"EXAMPLE"[..]));
        assert_eq!(meta.get(&attr::NTLM_WORKSTATION), Some(&b"PC1"[..]));
        assert!(!meta.as_bytes().windows(8).any(|window| window == b"response"));
    }

    #[test]
    fn names_of_a_challenge() {
        let target = utf16("EXAMPLE");
        let host = utf16("dc1.example.com");
        let info =
            [&3_u16.to_le_bytes()[..], &(host.len() as u16).to_le_bytes(), &host, &[0; 4]].concat();
        let lengths = |length: usize, offset: u32| {
            let length = (length as u16).to_le_bytes();
            [&length[..], &length, &offset.to_le_bytes()].concat()
        };
        let message = [
            &SIGNATURE[..],
            &CHALLENGE.to_le_bytes(),
            &lengths(target.len(), 48),
            &UNICODE.to_le_bytes(),
            &[7; 8],
            &[0; 8],
            &lengths(info.len(), 48 + target.len() as u32),
            &target,
            &info,
        ]
        .concat();
        let mut meta = Meta::default();
        note(&message, &mut meta);
        assert_eq!(meta.get(&attr::NTLM_TARGET), Some(&b"EXAMPLE"[..]));
        assert_eq!(meta.get(&attr::NTLM_HOST), Some(&b"dc1.example.com"[..]));
    }

    proptest! {
        #[test]
        fn damage_is_survived(at in 8_usize..120, value: u8, length in 0_usize..120) {
            let mut message = authenticate("ann", b"response");
            let last = message.len() - 1;
            message[at.min(last)] = value;
            note(&message, &mut Meta::default());
            note(&message[..length.min(last)], &mut Meta::default());
        }
    }
}
