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
/// The port mapper, NFS, mount, lock manager, status monitor, quotas, access lists: RFC 1833,
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
    let is_nfs = match is_rpc {
        Message::Call(program) => NFS_PROGRAMS.contains(&program),
        Message::Reply => view.port_is(NFS_PORT),
        Message::Foreign => return Some(Outcome::NotMine),
    };
    Some(Outcome::found(if is_nfs { AppId::NFS } else { AppId::RPC }))
}

enum Message {
    /// A call of this program.
    Call(u32),
    Reply,
    Foreign,
}

/// Version 2, program, its version, procedure, credentials.
fn call(mut reader: Reader<'_>, notes: &mut Notes<'_>) -> Option<Message> {
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
    Some(Message::Call(program))
}

/// Accepted (a verifier and how it went) or denied (why, and more on it).
fn reply(mut reader: Reader<'_>) -> Option<Message> {
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
    Some(if fits { Message::Reply } else { Message::Foreign })
}

fn is_auth(flavour: u32, length: u32) -> bool {
    // None, system, short, Diffie-Hellman, Kerberos 4, RSA, GSS, TLS.
    flavour <= 7 && length <= MAX_AUTH_BYTES && length.is_multiple_of(4)
}
