//! NetBIOS name service (RFC 1002 section 4.2) and datagram service (section 4.4). The session
//! service carries SMB and stands with it (`smb.rs`).

use super::UDP;
use crate::app::AppId;
use crate::attr;
use crate::reader::Reader;
use crate::view::{Dissector, First, Notes, Outcome, View};

/// The name service.
pub(super) const NAME: Dissector = Dissector {
    app: AppId::NETBIOS,
    over: UDP,
    ports: &[137],
    ports_only: true,
    first: First::Any,
    run: name_service,
};

/// The datagram service.
pub(super) const DATAGRAM: Dissector = Dissector {
    app: AppId::NETBIOS,
    over: UDP,
    ports: &[138],
    ports_only: true,
    first: First::Ranges(&[(0x10, 0x16)]),
    run: datagram_service,
};

/// A name of the first level encoding (RFC 1001 section 14.1): fifteen characters padded with
/// spaces, and a sixteenth that says what kind of service bears it.
pub(super) struct NetbiosName {
    bytes: [u8; 16],
}

impl NetbiosName {
    /// Reads a length octet, the 32 letters of the encoding, a scope if there is one, and the
    /// closing zero.
    pub(super) fn read(reader: &mut Reader<'_>) -> Option<NetbiosName> {
        if reader.u8()? != 32 {
            return None;
        }
        let letters: [u8; 32] = reader.array()?;
        let mut bytes = [0; 16];
        for (byte, pair) in bytes.iter_mut().zip(letters.chunks_exact(2)) {
            let [high, low] = pair else {
                return None;
            };
            *byte = nibble(*high)? << 4 | nibble(*low)?;
        }
        loop {
            match reader.u8()? {
                0 => return Some(NetbiosName { bytes }),
                length @ 1..=63 => reader.skip(usize::from(length))?,
                _ => return None,
            }
        }
    }

    /// The name without its padding.
    pub(super) fn text(&self) -> &[u8] {
        let (name, _) = self.bytes.split_at(15);
        let end = name.iter().position(|byte| *byte == 0).unwrap_or(name.len());
        name.get(..end).unwrap_or_default().trim_ascii_end()
    }

    /// The kind: 0x00 workstation, 0x1b domain master browser, 0x20 file server ...
    pub(super) fn kind(&self) -> u8 {
        self.bytes.last().copied().unwrap_or_default()
    }
}

fn nibble(letter: u8) -> Option<u8> {
    letter.checked_sub(b'A').filter(|value| *value < 16)
}

fn name_service(view: &View<'_>, notes: &mut Notes<'_>) -> Outcome {
    parse_name_service(view.data, notes).unwrap_or(Outcome::NotMine)
}

fn parse_name_service(data: &[u8], notes: &mut Notes<'_>) -> Option<Outcome> {
    let mut reader = Reader::new(data);
    reader.skip(2)?;
    let flags = reader.u16()?;
    let counts: [u16; 4] = [reader.u16()?, reader.u16()?, reader.u16()?, reader.u16()?];
    let opcode = (flags >> 11) & 0xf;
    // Query, registration, release, wait, refresh (8, and 9 in the field), multi-homed (15).
    if !matches!(opcode, 0 | 5..=9 | 15) || counts.iter().any(|count| *count > 32) {
        return None;
    }
    let name = NetbiosName::read(&mut reader)?;
    // NB or NBSTAT of class IN; older stacks answer with a null record.
    if !matches!(reader.u16()?, 0x0a | 0x20 | 0x21) || reader.u16()? != 1 {
        return None;
    }
    notes.meta.put(&attr::HOST_NAME, name.text());
    notes.meta.put(&attr::NETBIOS_NAME, name.text());
    notes.meta.put_number(&attr::NETBIOS_KIND, u64::from(name.kind()));
    Some(Outcome::found(AppId::NETBIOS))
}

fn datagram_service(view: &View<'_>, notes: &mut Notes<'_>) -> Outcome {
    parse_datagram(view.data, notes).unwrap_or(Outcome::NotMine)
}

fn parse_datagram(data: &[u8], notes: &mut Notes<'_>) -> Option<Outcome> {
    let mut reader = Reader::new(data);
    let kind = reader.u8()?;
    let flags = reader.u8()?;
    // Type, flags, id, source address and port come in every datagram.
    reader.skip(8)?;
    if flags & 0xf0 != 0 {
        return None;
    }
    if kind == 0x13 {
        // An error: one code.
        let code = reader.u8()?;
        return matches!(code, 0x82..=0x84).then_some(Outcome::found(AppId::NETBIOS));
    }
    if matches!(kind, 0x10..=0x12) {
        let length = usize::from(reader.u16()?);
        reader.skip(2)?;
        if length > data.len() {
            return None;
        }
        let source = NetbiosName::read(&mut reader)?;
        notes.meta.put(&attr::NETBIOS_SOURCE, source.text());
        // A datagram announces its sender: the source is the host to be known by.
        notes.meta.put(&attr::HOST_NAME, source.text());
    }
    let name = NetbiosName::read(&mut reader)?;
    notes.meta.put(&attr::NETBIOS_NAME, name.text());
    notes.meta.put_number(&attr::NETBIOS_KIND, u64::from(name.kind()));
    // Browsing and logon: SMB 1 transactions to a mail slot.
    if reader.rest().starts_with(b"\xffSMB") {
        notes.meta.put(&attr::SMB_VERSION, b"1");
        return Some(Outcome::found(AppId::SMB));
    }
    Some(Outcome::found(AppId::NETBIOS))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_lose_their_padding_and_keep_their_kind() {
        let wire = b"\x20FEEFFDFECACACACACACACACACACACACA\x00rest";
        let mut reader = Reader::new(wire);
        let name = NetbiosName::read(&mut reader).unwrap();
        assert_eq!((name.text(), name.kind()), (&b"TEST"[..], 0x20));
        assert_eq!(reader.rest(), b"rest");
    }

    #[test]
    fn other_letters_and_lengths_are_refused() {
        let read = |wire: &[u8]| NetbiosName::read(&mut Reader::new(wire)).is_some();
        assert!(read(b"\x20FEEFFDFECACACACACACACACACACACACA\x05SCOPE\x00"));
        assert!(!read(b"\x20FEEFFDFECACACACACACACACACACACACQ\x00"));
        assert!(!read(b"\x1fFEEFFDFECACACACACACACACACACACACA\x00"));
        assert!(!read(b"\x20FEEFFDFECACACACACACACACACACACACA"));
    }
}
