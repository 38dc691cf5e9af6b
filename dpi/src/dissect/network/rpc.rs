//! ONC (Sun) RPC: RFC 5531 section 9 (messages), 11 (record marking over TCP); NFS by its
//! program numbers.

use super::{TCP, UDP, cut_short};
use crate::app::AppId;
use crate::attr;
use crate::reader::Reader;
use crate::view::{Dissector, First, Notes, Outcome, Transport, View};

/// RPC in datagrams. The first word is any number; the five that follow are the proof.
pub(super) const RPC_UDP: Dissector = Dissector {
    app: AppId::RPC,
    over: UDP,
    ports: PORTS,
    ports_only: false,
    first: First::Any,
    run: sun_rpc,
};

/// RPC in a stream, where a record mark comes first: its top bit says "the last fragment", and a
/// record of more than 16 MB is not believed.
pub(super) const RPC_TCP: Dissector = Dissector {
    app: AppId::RPC,
    over: TCP,
    ports: PORTS,
    ports_only: false,
    first: First::OneOf(&[0x80]),
    run: sun_rpc,
};

const PORTS: &[u16] = &[111, 2049];
const NFS_PORT: u16 = 2049;
/// The port mapper.
const PORT_MAPPER: u32 = 100_000;
/// What it is asked where a program listens (RFC 1833 section 3.2 and 2.2.1).
const WHERE: u32 = 3;
const GLUSTERFS_PROGRAMS: [u32; 7] =
    [1_298_437, 14_398_633, 34_123_456, 52_743_234, 1_238_433, 1_238_463, 4_867_634];
/// The core channel of instruments (VXI-11 specification, table B.1), abort, and interrupt.
const VXI11_PROGRAMS: [u32; 3] = [395_183, 395_184, 395_185];
/// NFS, mount, lock manager, status monitor, quotas, access lists: RFC 1833,
/// RFC 1813 and the registry of RFC 5531 section 13.
const NFS_PROGRAMS: [u32; 6] = [100_003, 100_005, 100_011, 100_021, 100_024, 100_227];
/// RFC 5531 section 8.2: credentials and verifiers hold at most this many bytes.
const MAX_AUTH_BYTES: u32 = 400;

fn sun_rpc(view: &View<'_>, notes: &mut Notes<'_>) -> Outcome {
    parse(view, notes).unwrap_or_else(|| cut_short(view))
}

fn parse(view: &View<'_>, notes: &mut Notes<'_>) -> Option<Outcome> {
    let mut reader = Reader::new(view.data);
    if view.transport == Transport::Tcp {
        let mark = reader.u32()?;
        if mark & 0x8000_0000 == 0 || mark & 0x7fff_ffff < 24 {
            return Some(Outcome::NotMine);
        }
    }
    reader.skip(4)?;
    let is_rpc = match reader.u32()? {
        0 => call(reader, notes),
        1 => reply(reader),
        _ => return Some(Outcome::NotMine),
    }?;
    let asked = notes.meta.get(&attr::RPC_ASKED).and_then(|number| number.first_chunk());
    let asked = asked.map_or(AppId::UNKNOWN, |number| by_program(u32::from_le_bytes(*number)));
    Some(match is_rpc {
        // The answer says where the program listens.
        Message::Call(PORT_MAPPER) if asked != AppId::UNKNOWN => Outcome::found_more(asked),
        Message::Call(program) => Outcome::found(by_program(program)),
        Message::Reply(result) => {
            if let Some(port) = where_it_is(result).filter(|_| asked != AppId::UNKNOWN) {
                let sender = if view.from_client() { view.client } else { view.server };
                notes.knowledge.learn_peer(sender.address, port, asked);
            }
            Outcome::found(match asked {
                _ if view.port_is(NFS_PORT) => AppId::NFS,
                AppId::UNKNOWN => AppId::RPC,
                asked => asked,
            })
        }
        Message::Foreign => Outcome::NotMine,
    })
}

/// A port, or an address in text whose last two numbers are the port's bytes (RFC 5665 section
/// 5.2.3.3).
fn where_it_is(mut result: Reader<'_>) -> Option<u16> {
    if result.left() == 4 {
        return u16::try_from(result.u32()?).ok();
    }
    let length = result.u32()?;
    let text = result.take(usize::try_from(length).ok()?)?;
    let mut numbers = text.rsplit(|byte| *byte == b'.').map(|digits| {
        std::str::from_utf8(digits).ok().and_then(|digits| digits.parse::<u8>().ok())
    });
    let (low, high) = (numbers.next()??, numbers.next()??);
    Some(u16::from_be_bytes([high, low]))
}

fn by_program(program: u32) -> AppId {
    if NFS_PROGRAMS.contains(&program) {
        AppId::NFS
    } else if GLUSTERFS_PROGRAMS.contains(&program) {
        AppId::GLUSTERFS
    } else if VXI11_PROGRAMS.contains(&program) {
        AppId::VXI11
    } else {
        AppId::RPC
    }
}

enum Message<'a> {
    /// A call of this program.
    Call(u32),
    /// What was answered.
    Reply(Reader<'a>),
    Foreign,
}

/// Version 2, program, its version, procedure, credentials.
fn call<'a>(mut reader: Reader<'a>, notes: &mut Notes<'_>) -> Option<Message<'a>> {
    if reader.u32()? != 2 {
        return Some(Message::Foreign);
    }
    let (program, version, procedure) = (reader.u32()?, reader.u32()?, reader.u32()?);
    let (flavour, length) = (reader.u32()?, reader.u32()?);
    // Section 8.3: programs from 0x60000000 on are reserved.
    let fits = program < 0x6000_0000 && version < 256 && procedure < 4096;
    if !fits || !is_auth(flavour, length) {
        return Some(Message::Foreign);
    }
    notes.meta.put_number(&attr::RPC_PROGRAM, u64::from(program));
    notes.meta.put_number(&attr::RPC_VERSION, u64::from(version));
    notes.meta.put_number(&attr::RPC_PROCEDURE, u64::from(procedure));
    if program == PORT_MAPPER && procedure == WHERE {
        notes.meta.put_number(&attr::RPC_ASKED, u64::from(asked(reader, length)?));
    }
    Some(Message::Call(program))
}

/// The program asked for: behind the credentials, of `length` bytes, and the verifier.
fn asked(mut reader: Reader<'_>, length: u32) -> Option<u32> {
    reader.skip(usize::try_from(length).ok()?)?;
    let (_flavour, length) = (reader.u32()?, reader.u32()?);
    reader.skip(usize::try_from(length).ok()?)?;
    reader.u32()
}

/// Accepted (a verifier and how it went) or denied (why, and more on it).
fn reply(mut reader: Reader<'_>) -> Option<Message<'_>> {
    let fits = match reader.u32()? {
        0 => {
            let (flavour, length) = (reader.u32()?, reader.u32()?);
            if !is_auth(flavour, length) {
                return Some(Message::Foreign);
            }
            reader.skip(usize::try_from(length).ok()?)?;
            reader.u32()? <= 5
        }
        1 => {
            let (why, detail) = (reader.u32()?, reader.u32()?);
            why == 0 && detail == 2 || why == 1 && (1..=14).contains(&detail)
        }
        _ => false,
    };
    Some(if fits { Message::Reply(reader) } else { Message::Foreign })
}

fn is_auth(flavour: u32, length: u32) -> bool {
    // None, system, short, Diffie-Hellman, Kerberos 4, RSA, GSS, TLS.
    flavour <= 7 && length <= MAX_AUTH_BYTES && length.is_multiple_of(4)
}
