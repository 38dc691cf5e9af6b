//! What is said over the socket, and the reader's end of it.
//!
//! The socket is a Unix `SOCK_SEQPACKET`. The reader says *hello* (24 bytes; 96 for packets), the
//! engine answers with one message or more (32 bytes and 16 for each segment) that carry the
//! descriptors, at most 64 a message. The connection stays open so that its end tells each side
//! about the other's. Who only looks says nothing more; a packet reader may say what it wants of a
//! flow ([`Ask`]), and gets a message of one byte whenever it is to wake up.

use crate::{
    error::Error,
    layout::{FORMAT_VERSION, Opened, SegmentKind},
    packets::{Admission, name_bytes, name_in},
    segment::{Frames, ReadMap, WriteWords, open_page},
};
use rustix::{
    io::Errno,
    net::{
        AddressFamily, RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, SendFlags,
        SocketAddrUnix, SocketFlags, SocketType, sockopt,
    },
};
use std::{
    io::IoSliceMut,
    mem::MaybeUninit,
    os::fd::{AsFd, BorrowedFd, OwnedFd},
    path::Path,
    time::Duration,
};

/// First eight bytes of every message.
pub(crate) const MAGIC: [u8; 8] = *b"WEIRHELO";
/// Bytes of the reader's hello.
pub(crate) const HELLO_BYTES: usize = 24;
/// Descriptors in a message.
pub(crate) const BATCH: usize = 64;
const HEAD_BYTES: usize = 32;
const ENTRY_BYTES: usize = 16;
const ANSWER_BYTES_MAX: usize = HEAD_BYTES + BATCH * ENTRY_BYTES;
/// More segments than any engine has: one a shard and the control segment.
const SEGMENTS_MAX: usize = u16::MAX as usize + 2;
/// How long an engine may take to answer; it serves its socket at least once a second.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(5);

/// What a hello asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Request {
    /// The segments.
    Segments,
    /// The segments, the packet memory, and a place among the packet readers.
    Packets(Admission),
    /// The segments, and to be heard about flows without reading packets.
    Control,
    /// The segments, and to give the engine rules.
    Rules,
    /// Something that this version does not know.
    Unknown,
}

const REQUEST_SEGMENTS: u32 = 1;
const REQUEST_PACKETS: u32 = 2;
const REQUEST_CONTROL: u32 = 3;
const REQUEST_RULES: u32 = 4;
/// Bytes of a hello that asks for packets.
const HELLO_PACKETS_BYTES: usize = 96;
/// Longest hello that is read.
pub(crate) const HELLO_BYTES_MAX: usize = 256;
const WANTS_LEASE: u32 = 1;

/// What a reader says about a flow.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Ask {
    pub(crate) what: u32,
    pub(crate) shard: u32,
    pub(crate) flow_slot: u32,
    pub(crate) flow_id: u64,
    /// The group that it is about; empty: the reader's own.
    pub(crate) group: String,
}

/// The reader's group wants no more of the flow.
pub(crate) const ASK_SHUNT: u32 = 1;
/// The reader judges the flow to be allowed.
pub(crate) const ASK_ALLOW: u32 = 2;
/// The reader judges the flow to be blocked.
pub(crate) const ASK_BLOCK: u32 = 3;
/// The reader has mapped its page.
pub(crate) const ASK_READY: u32 = 4;
pub(crate) const ASK_BYTES: usize = 64;
const ASK_MAGIC: [u8; 8] = *b"WEIRFLOW";

/// How an engine answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u32)]
pub(crate) enum Status {
    Accepted = 0,
    OtherVersion = 1,
    NotAllowed = 2,
    Busy = 3,
    UnknownRequest = 4,
    /// Not the engine's own user, nor root.
    NotOwner = 5,
}

/// A message of the engine, without its descriptors.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Answer {
    pub(crate) version: u32,
    pub(crate) status: u32,
    /// Segments in all messages together.
    pub(crate) total: u32,
    /// Number of this message's first segment.
    pub(crate) first: u32,
    pub(crate) entries: Vec<Entry>,
}

/// A segment as announced.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Entry {
    pub(crate) kind: u32,
    pub(crate) shard: u32,
    pub(crate) bytes: u64,
}

pub(crate) fn encode_hello(request: &Request) -> Vec<u8> {
    let number = match request {
        Request::Segments | Request::Unknown => REQUEST_SEGMENTS,
        Request::Packets(_) => REQUEST_PACKETS,
        Request::Control => REQUEST_CONTROL,
        Request::Rules => REQUEST_RULES,
    };
    let mut hello = MAGIC.to_vec();
    for word in [FORMAT_VERSION, number, 0, 0] {
        hello.extend_from_slice(&word.to_le_bytes());
    }
    if let Request::Packets(admission) = request {
        let wants = if admission.lease { WANTS_LEASE } else { 0 };
        for word in [wants, 0] {
            hello.extend_from_slice(&word.to_le_bytes());
        }
        hello.extend_from_slice(&name_bytes(&admission.program));
        hello.extend_from_slice(&name_bytes(&admission.group));
    }
    hello
}

/// Format version and request of a hello; `None` if it is none. Longer ones are a later version's.
pub(crate) fn decode_hello(bytes: &[u8]) -> Option<(u32, Request)> {
    let (magic, rest) = bytes.split_first_chunk::<8>()?;
    if *magic != MAGIC || bytes.len() < HELLO_BYTES {
        return None;
    }
    let request = match word(rest, 4)? {
        REQUEST_SEGMENTS => Request::Segments,
        REQUEST_CONTROL => Request::Control,
        REQUEST_RULES => Request::Rules,
        REQUEST_PACKETS => Request::Packets(Admission {
            lease: word(bytes, HELLO_BYTES)? & WANTS_LEASE != 0,
            program: name_in(bytes.get(32..64)?),
            group: name_in(bytes.get(64..HELLO_PACKETS_BYTES)?),
        }),
        _ => Request::Unknown,
    };
    Some((word(rest, 0)?, request))
}

pub(crate) fn encode_ask(ask: &Ask) -> [u8; ASK_BYTES] {
    let mut bytes = [0; ASK_BYTES];
    bytes[..8].copy_from_slice(&ASK_MAGIC);
    bytes[8..12].copy_from_slice(&ask.what.to_le_bytes());
    bytes[12..16].copy_from_slice(&ask.shard.to_le_bytes());
    bytes[16..24].copy_from_slice(&ask.flow_id.to_le_bytes());
    bytes[24..28].copy_from_slice(&ask.flow_slot.to_le_bytes());
    bytes[32..64].copy_from_slice(&name_bytes(&ask.group));
    bytes
}

pub(crate) fn decode_ask(bytes: &[u8]) -> Option<Ask> {
    if bytes.len() != ASK_BYTES || !bytes.starts_with(&ASK_MAGIC) {
        return None;
    }
    Some(Ask {
        what: word(bytes, 8)?,
        shard: word(bytes, 12)?,
        flow_id: u64::from_le_bytes(*bytes.get(16..)?.first_chunk()?),
        flow_slot: word(bytes, 24)?,
        group: name_in(bytes.get(32..64)?),
    })
}

pub(crate) fn encode_answer(answer: &Answer) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(HEAD_BYTES + answer.entries.len() * ENTRY_BYTES);
    bytes.extend_from_slice(&MAGIC);
    let count = u32::try_from(answer.entries.len()).unwrap_or(0);
    let head = [answer.version, answer.status, answer.total, answer.first, count, 0];
    for number in head {
        bytes.extend_from_slice(&number.to_le_bytes());
    }
    for entry in &answer.entries {
        bytes.extend_from_slice(&entry.kind.to_le_bytes());
        bytes.extend_from_slice(&entry.shard.to_le_bytes());
        bytes.extend_from_slice(&entry.bytes.to_le_bytes());
    }
    bytes
}

pub(crate) fn decode_answer(bytes: &[u8]) -> Option<Answer> {
    let (magic, head) = bytes.split_first_chunk::<8>()?;
    if *magic != MAGIC {
        return None;
    }
    let entries = head.get(HEAD_BYTES - 8..)?;
    let mut answer = Answer {
        version: word(head, 0)?,
        status: word(head, 4)?,
        total: word(head, 8)?,
        first: word(head, 12)?,
        entries: Vec::new(),
    };
    if answer.status == Status::Accepted as u32 && answer.version == FORMAT_VERSION {
        if entries.len() != word(head, 16)? as usize * ENTRY_BYTES {
            return None;
        }
        for entry in entries.chunks_exact(ENTRY_BYTES) {
            let bytes = u64::from(word(entry, 12)?) << 32 | u64::from(word(entry, 8)?);
            answer.entries.push(Entry { kind: word(entry, 0)?, shard: word(entry, 4)?, bytes });
        }
    }
    Some(answer)
}

fn word(bytes: &[u8], at: usize) -> Option<u32> {
    Some(u32::from_le_bytes(*bytes.get(at..)?.first_chunk()?))
}

/// A reader's end of the socket.
#[derive(Debug)]
pub(crate) struct Connection {
    socket: OwnedFd,
}

impl Connection {
    /// Says something about a flow.
    pub(crate) fn ask(&self, ask: &Ask) -> Result<(), Error> {
        let flags = SendFlags::NOSIGNAL | SendFlags::DONTWAIT;
        let sent = rustix::net::send(&self.socket, &encode_ask(ask), flags);
        sent.map(drop).map_err(|error| Error::os("telling the engine about a flow", error))
    }

    /// Takes in all wake-ups. Whether there were any, and whether the other end is still open.
    pub(crate) fn take_wakeups(&self) -> (bool, bool) {
        let mut bytes = [0_u8; 16];
        let mut any = false;
        loop {
            match rustix::net::recv(&self.socket, &mut bytes, RecvFlags::DONTWAIT) {
                Ok((_, 0)) => return (any, false),
                Ok(_) => any = true,
                Err(Errno::INTR) => {}
                Err(Errno::AGAIN) => return (any, true),
                Err(_) => return (any, false),
            }
        }
    }

    /// Whether the other end is still open.
    pub(crate) fn alive(&self) -> bool {
        let mut byte = [0_u8];
        let peek = RecvFlags::PEEK | RecvFlags::DONTWAIT;
        match rustix::net::recv(&self.socket, &mut byte, peek) {
            Ok((_, bytes)) => bytes > 0,
            Err(Errno::AGAIN | Errno::INTR) => true,
            Err(_) => false,
        }
    }
}

impl AsFd for Connection {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }
}

/// Connects to whoever listens at `path`.
pub(crate) fn connect(path: &Path) -> rustix::io::Result<OwnedFd> {
    let address = SocketAddrUnix::new(path)?;
    let socket = rustix::net::socket_with(
        AddressFamily::UNIX,
        SocketType::SEQPACKET,
        SocketFlags::CLOEXEC,
        None,
    )?;
    sockopt::set_socket_timeout(&socket, sockopt::Timeout::Send, Some(ANSWER_TIMEOUT))?;
    sockopt::set_socket_timeout(&socket, sockopt::Timeout::Recv, Some(ANSWER_TIMEOUT))?;
    rustix::net::connect(&socket, &address)?;
    Ok(socket)
}

/// What an engine gave.
#[derive(Debug)]
pub(crate) struct Received {
    pub(crate) connection: Connection,
    pub(crate) segments: Vec<Opened>,
    /// Packet memories with their numbers; only for packet readers.
    pub(crate) frames: Vec<(u16, Frames)>,
    /// The reader's own page; only for packet readers.
    pub(crate) page: Option<WriteWords>,
}

/// Attaches to the engine at `path`: its segments, mapped and checked.
pub(crate) fn attach(path: &Path, request: &Request) -> Result<Received, Error> {
    let socket = connect(path).map_err(|error| cannot_connect(path, error))?;
    match rustix::net::send(&socket, &encode_hello(request), SendFlags::NOSIGNAL) {
        // An engine that closed at once has said why, and that can still be read.
        Ok(_) | Err(Errno::PIPE | Errno::CONNRESET) => {}
        Err(error) => {
            return Err(Error::os(format!("greeting the engine at {}", path.display()), error));
        }
    }
    let bad = |reason| Error::Protocol { path: path.to_owned(), reason };
    let connection = Connection { socket };
    let mut received =
        Received { connection, segments: Vec::new(), frames: Vec::new(), page: None };
    let mut count = 0;
    loop {
        let (bytes, descriptors) = receive(&received.connection.socket, path)?;
        let answer = decode_answer(&bytes).ok_or_else(|| bad("its answer is not Weir's"))?;
        check_status(&answer, path)?;
        let total = answer.total as usize;
        let here = answer.first as usize == count && !answer.entries.is_empty();
        if !here || answer.entries.len() != descriptors.len() || total > SEGMENTS_MAX {
            return Err(bad("its segments and descriptors do not match"));
        }
        for (entry, descriptor) in answer.entries.iter().zip(descriptors) {
            received.take(*entry, descriptor)?;
            count += 1;
        }
        if count < total {
            continue;
        }
        if received.page.is_some() {
            let (group, what) = (String::new(), ASK_READY);
            let ready = Ask { what, shard: 0, flow_slot: 0, flow_id: 0, group };
            received.connection.ask(&ready)?;
        }
        return Ok(received);
    }
}

impl Received {
    fn take(&mut self, entry: Entry, descriptor: OwnedFd) -> Result<(), Error> {
        match SegmentKind::from_raw(entry.kind) {
            Some(SegmentKind::Frames) => {
                let number = u16::try_from(entry.shard).unwrap_or(u16::MAX);
                self.frames.push((number, Frames::open(&descriptor, entry.bytes)?));
            }
            Some(SegmentKind::Page) => self.page = Some(open_page(descriptor, entry.bytes)?),
            _ => self.segments.push(open_segment(entry, &descriptor)?),
        }
        Ok(())
    }
}

fn open_segment(entry: Entry, descriptor: &OwnedFd) -> Result<Opened, Error> {
    let name = match SegmentKind::from_raw(entry.kind) {
        Some(SegmentKind::Control) => "the control segment".to_owned(),
        _ => format!("the segment of shard {}", entry.shard),
    };
    let opened = Opened::new(ReadMap::open(descriptor, &name, entry.bytes)?, &name)?;
    if opened.kind as u32 != entry.kind || u32::from(opened.shard) != entry.shard {
        return Err(Error::segment(&name, "its header says that it is another one"));
    }
    Ok(opened)
}

fn check_status(answer: &Answer, path: &Path) -> Result<(), Error> {
    let refused = |reason| Err(Error::Refused { path: path.to_owned(), reason });
    if answer.version != FORMAT_VERSION {
        return Err(Error::Version { engine: answer.version, reader: FORMAT_VERSION });
    }
    match answer.status {
        status if status == Status::Accepted as u32 => Ok(()),
        status if status == Status::NotAllowed as u32 => refused(
            "this user may not read it; export.packet_access and export.socket_group say who may",
        ),
        status if status == Status::NotOwner as u32 => {
            refused("only its own user and root may give it rules")
        }
        status if status == Status::Busy as u32 => {
            refused("it has as many readers as it takes, or as many groups; close one")
        }
        _ => refused("it does not know this request"),
    }
}

fn cannot_connect(path: &Path, error: Errno) -> Error {
    match error {
        Errno::CONNREFUSED => Error::Ended { path: path.to_owned() },
        Errno::NOENT | Errno::NOTDIR => {
            let path = path.display().to_string();
            Error::NotFound { name: path.clone(), looked_at: path }
        }
        Errno::ACCESS | Errno::PERM => Error::Refused {
            path: path.to_owned(),
            reason: "this user may not use the socket; ask for access or run as the engine's user",
        },
        Errno::PROTOTYPE => {
            Error::Protocol { path: path.to_owned(), reason: "its socket is of another type" }
        }
        Errno::AGAIN => Error::NoAnswer { path: path.to_owned() },
        error => Error::os(format!("connecting to {}", path.display()), error),
    }
}

/// One message and its descriptors.
fn receive(socket: &OwnedFd, path: &Path) -> Result<(Vec<u8>, Vec<OwnedFd>), Error> {
    let mut bytes = vec![0; ANSWER_BYTES_MAX];
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(BATCH))];
    let mut control = RecvAncillaryBuffer::new(&mut space);
    let received = loop {
        let mut parts = [IoSliceMut::new(&mut bytes)];
        match rustix::net::recvmsg(socket, &mut parts, &mut control, RecvFlags::CMSG_CLOEXEC) {
            Err(Errno::INTR) => {}
            Err(Errno::AGAIN) => return Err(Error::NoAnswer { path: path.to_owned() }),
            Err(Errno::CONNRESET) => return Err(Error::Ended { path: path.to_owned() }),
            Err(error) => {
                let attempt = format!("waiting for the engine at {}", path.display());
                return Err(Error::os(attempt, error));
            }
            Ok(received) => break received.bytes,
        }
    };
    let descriptors = control
        .drain()
        .filter_map(|message| match message {
            RecvAncillaryMessage::ScmRights(descriptors) => Some(descriptors),
            _ => None,
        })
        .flatten()
        .collect();
    if received == 0 {
        return Err(Error::Ended { path: path.to_owned() });
    }
    bytes.truncate(received);
    Ok((bytes, descriptors))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        /// Bytes from a stranger are refused or understood, never more.
        #[test]
        fn any_bytes_are_taken(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            let _ = (decode_hello(&bytes), decode_ask(&bytes));
            let mut named = MAGIC.to_vec();
            named.extend_from_slice(&bytes);
            prop_assert!(decode_hello(&named).is_none() || named.len() >= HELLO_BYTES);
            if let Some(answer) = decode_answer(&named) {
                prop_assert!(answer.entries.len() * ENTRY_BYTES <= bytes.len());
            }
        }

        #[test]
        fn an_answer_survives_the_way(
            total in any::<u32>(),
            first in any::<u32>(),
            entries in proptest::collection::vec(any::<(u32, u32, u64)>(), 0..BATCH),
        ) {
            let entries = entries
                .into_iter()
                .map(|(kind, shard, bytes)| Entry { kind, shard, bytes })
                .collect();
            let answer = Answer { version: FORMAT_VERSION, status: 0, total, first, entries };
            let bytes = encode_answer(&answer);
            prop_assert!(bytes.len() <= ANSWER_BYTES_MAX);
            prop_assert_eq!(decode_answer(&bytes), Some(answer));
        }
    }

    #[test]
    fn requests_survive_the_way() {
        let admission = Admission { program: "tcpdump".into(), lease: true, group: "ids".into() };
        for request in
            [Request::Segments, Request::Control, Request::Rules, Request::Packets(admission)]
        {
            let hello = encode_hello(&request);
            assert!(hello.len() <= HELLO_BYTES_MAX);
            assert_eq!(decode_hello(&hello), Some((FORMAT_VERSION, request)));
        }
        let ask = Ask { what: 1, shard: 2, flow_slot: 3, flow_id: 4, group: "ids".into() };
        assert_eq!(decode_ask(&encode_ask(&ask)), Some(ask));
    }

    /// A later version may say more than this one understands: its number must still be found.
    #[test]
    fn a_later_version_is_recognised() {
        let mut bytes = encode_answer(&Answer {
            version: FORMAT_VERSION + 1,
            status: Status::OtherVersion as u32,
            total: 0,
            first: 0,
            entries: Vec::new(),
        });
        bytes.extend_from_slice(&[7; 5]);
        let answer = decode_answer(&bytes).unwrap();
        let error = check_status(&answer, Path::new("/x")).unwrap_err().to_string();
        let versions =
            format!("format {} and this program format {FORMAT_VERSION}", FORMAT_VERSION + 1);
        assert!(error.contains(&versions), "{error}");
        assert!(error.contains("update this program"), "{error}");
    }
}
