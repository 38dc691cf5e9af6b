//! SMB 1 to 3 (MS-CIFS 2.2.3, MS-SMB2 2.2.1) in the framing of the NetBIOS session service
//! (RFC 1002 section 4.3), which port 445 keeps (MS-SMB2 2.1).

use super::netbios::NetbiosName;
use super::{TCP, smb_session};
use crate::app::AppId;
use crate::attr;
use crate::reader::Reader;
use crate::view::{Dissector, First, Notes, Outcome, View};

/// SMB, with or without a NetBIOS session before it.
pub(super) const SMB: Dissector = Dissector {
    app: AppId::SMB,
    over: TCP,
    ports: &[445, 139],
    ports_only: false,
    first: First::OneOf(&[0x00, 0x81, 0x82, 0x83, 0x84, 0x85]),
    run: smb,
};

/// Frames stepped over in search of the one worth reading.
const MAX_FRAMES: usize = 8;

fn smb(view: &View<'_>, notes: &mut Notes<'_>) -> Outcome {
    let mut reader = Reader::new(view.data);
    let mut session = false;
    for _ in 0..MAX_FRAMES {
        match frame(&mut reader, view, notes) {
            Frame::Message(Outcome::Found { app: AppId::SMB, .. }) => {
                // Who logs on, and to what, comes later.
                let encrypted = smb_session::read(view.data, notes.meta);
                return Outcome::Found { app: AppId::SMB, more: !encrypted };
            }
            Frame::Message(outcome) => return outcome,
            Frame::Session => session = true,
            Frame::KeepAlive => {}
            Frame::Short => break,
            Frame::Foreign => return Outcome::NotMine,
        }
    }
    // A session that was asked for or granted is NetBIOS already; what it carries may follow.
    if session { Outcome::found_more(AppId::NETBIOS) } else { Outcome::NeedMore }
}

enum Frame {
    /// A session message, judged.
    Message(Outcome),
    /// Something of the session service itself.
    Session,
    /// Four bytes that prove nothing.
    KeepAlive,
    Short,
    Foreign,
}

fn frame(reader: &mut Reader<'_>, view: &View<'_>, notes: &mut Notes<'_>) -> Frame {
    let (Some(kind), Some(length)) = (reader.u8(), reader.u24()) else {
        return Frame::Short;
    };
    let length = usize::try_from(length).unwrap_or(usize::MAX);
    match (kind, length) {
        (0x00, 4..) => Frame::Message(message(reader.take_up_to(length), view, notes)),
        (0x81, 68..) => match session_request(reader, length, notes) {
            Some(true) => Frame::Session,
            Some(false) => Frame::Foreign,
            None => Frame::Short,
        },
        (0x82, 0) if view.port_is(139) => Frame::Session,
        (0x83, 1) if view.port_is(139) => match reader.u8() {
            Some(0x80..=0x83 | 0x8f) => Frame::Session,
            Some(_) => Frame::Foreign,
            None => Frame::Short,
        },
        (0x84, 6) if view.port_is(139) => match reader.skip(6) {
            Some(()) => Frame::Session,
            None => Frame::Short,
        },
        (0x85, 0) => Frame::KeepAlive,
        _ => Frame::Foreign,
    }
}

/// Called and calling name (RFC 1002 section 4.3.2).
fn session_request(reader: &mut Reader<'_>, length: usize, notes: &mut Notes<'_>) -> Option<bool> {
    let mut body = reader.sub(length)?;
    let (Some(called), Some(calling)) =
        (NetbiosName::read(&mut body), NetbiosName::read(&mut body))
    else {
        return Some(false);
    };
    notes.meta.put(&attr::NETBIOS_NAME, called.text());
    notes.meta.put(&attr::NETBIOS_SOURCE, calling.text());
    notes.meta.put(&attr::HOST_NAME, called.text());
    Some(true)
}

fn message(body: &[u8], view: &View<'_>, notes: &mut Notes<'_>) -> Outcome {
    let mut reader = Reader::new(body);
    let Some(magic) = reader.u8() else {
        return Outcome::NeedMore;
    };
    let name = reader.take_up_to(3);
    if !matches!(magic, 0xfc..=0xff) || !b"SMB".starts_with(name) {
        return Outcome::NotMine;
    }
    if name.len() < 3 {
        return Outcome::NeedMore;
    }
    match magic {
        0xff => smb1(reader, notes),
        0xfe => smb2(reader, view, notes),
        // Encrypted and compressed messages: both exist since SMB 3 only.
        _ => {
            notes.meta.put(&attr::SMB_VERSION, b"3");
            Outcome::found(AppId::SMB)
        }
    }
}

fn smb1(mut reader: Reader<'_>, notes: &mut Notes<'_>) -> Outcome {
    const NEGOTIATE: u8 = 0x72;
    // Status, flags, flags2, process id high, signature, reserved, tree, process, user, multiplex.
    let (Some(command), Some(_), Some(flags), Some(())) =
        (reader.u8(), reader.u32(), reader.u8(), reader.skip(22))
    else {
        return Outcome::NeedMore;
    };
    notes.meta.put_number(&attr::SMB_COMMAND, u64::from(command));
    let is_reply = flags & 0x80 != 0;
    if command == NEGOTIATE && !is_reply {
        // The client offers; which version it will be is for the server to say.
        return Outcome::found_more(AppId::SMB);
    }
    notes.meta.put(&attr::SMB_VERSION, b"1");
    Outcome::found(AppId::SMB)
}

fn smb2(mut reader: Reader<'_>, view: &View<'_>, notes: &mut Notes<'_>) -> Outcome {
    const NEGOTIATE: u16 = 0;
    let Some(size) = reader.u16_le() else {
        return Outcome::NeedMore;
    };
    if size != 64 {
        return Outcome::NotMine;
    }
    // Credit charge and status; then command, credits, flags; the rest of the 64 bytes.
    let (Some(()), Some(command), Some(_), Some(flags), Some(())) =
        (reader.skip(6), reader.u16_le(), reader.u16_le(), reader.u32_le(), reader.skip(44))
    else {
        return Outcome::NeedMore;
    };
    if command > 0x13 {
        return Outcome::NotMine;
    }
    notes.meta.put_number(&attr::SMB_COMMAND, u64::from(command));
    let is_reply = flags & 1 != 0;
    if command == NEGOTIATE && is_reply {
        // MS-SMB2 2.2.4: structure size, security mode, dialect.
        let (Some(_), Some(_), Some(dialect)) = (reader.u16_le(), reader.u16_le(), reader.u16_le())
        else {
            return if view.last { Outcome::found(AppId::SMB) } else { Outcome::NeedMore };
        };
        let (version, name) = dialect_name(dialect);
        notes.meta.put(&attr::SMB_VERSION, version);
        notes.meta.put(&attr::SMB_DIALECT, name);
        return Outcome::found(AppId::SMB);
    }
    if command == NEGOTIATE {
        return Outcome::found_more(AppId::SMB);
    }
    notes.meta.put(&attr::SMB_VERSION, b"2");
    Outcome::found(AppId::SMB)
}

/// MS-SMB2 2.2.4: the major version and the dialect.
fn dialect_name(dialect: u16) -> (&'static [u8], &'static [u8]) {
    match dialect {
        0x0202 => (b"2", b"2.0.2"),
        0x0210 => (b"2", b"2.1"),
        0x0300 => (b"3", b"3.0"),
        0x0302 => (b"3", b"3.0.2"),
        0x0311 => (b"3", b"3.1.1"),
        // 0x02ff: "some version 2, ask again".
        _ => (b"2", b""),
    }
}
