//! Hands an engine's segments to readers over a Unix socket.
//!
//! Everything here is bounded and nothing blocks: a reader that connects and stays silent, reads
//! nothing, or comes a thousand times costs a slot of a fixed number and no more. Connections stay
//! open so that a reader learns of the engine's end, and the engine of a reader's: the kernel
//! closes them for whoever dies.
//!
//! Who reads packets, leaves, or asks something of a flow, is told to the engine as [`Event`]s.
//!
//! A lock file beside the socket belongs to the live engine. It decides whether a socket file found
//! at start is another engine's or a dead one's leavings, also when two engines start at once.

mod event;
mod packets;
mod place;
mod rules;

pub use event::{Access, Asked, Event, Joined, Offer, What};
pub use rules::{RulesAsked, RulesClient};

use crate::{
    error::Error,
    layout::{FORMAT_VERSION, SegmentKind},
    packets::{Groups, READERS},
    protocol::{self, Answer, BATCH, Entry, Status},
    writer::SegmentFd,
};
use place::{lock_for, make_directory, remove_stale};
use rustix::{
    event::epoll,
    io::Errno,
    net::{
        AddressFamily, RecvFlags, SendAncillaryBuffer, SendAncillaryMessage, SendFlags,
        SocketAddrUnix, SocketFlags, SocketType, sockopt,
    },
    process::geteuid,
    time::Timespec,
};
use std::{
    fs::{self, Permissions},
    io::IoSlice,
    mem::MaybeUninit,
    os::{
        fd::{AsFd, BorrowedFd, OwnedFd},
        unix::fs::{MetadataExt, PermissionsExt},
    },
    path::{Path, PathBuf},
};

/// Readers at one time.
const READERS_MAX: usize = 256;
/// Readers of one user at one time, so that a user cannot shut out the others. Root and the
/// engine's own user are exempt.
const READERS_OF_A_USER_MAX: usize = 64;
/// Connections accepted and events handled in one call of [`Server::serve`].
const ROUNDS_MAX: usize = 16;
const EVENTS_MAX: usize = 32;
const LISTENER: u64 = u64::MAX;

/// The engine's end of the socket. Never blocks. Dropping it removes the socket file.
#[derive(Debug)]
pub struct Server {
    epoll: OwnedFd,
    listener: OwnedFd,
    readers: Box<[Option<Reader>]>,
    /// What everybody gets.
    segments: Vec<SegmentFd>,
    /// What packet readers get besides.
    frames: Vec<SegmentFd>,
    offer: Offer,
    groups: Groups,
    /// Places of packet readers that are taken.
    places: u64,
    /// How many that had a place are still known to some shard.
    leaving: [u16; READERS],
    generation: u64,
    shards: usize,
    events: Vec<Event>,
    path: PathBuf,
    /// Device and inode of our socket file, so that nobody else's is ever removed.
    identity: (u64, u64),
    arrivals: u64,
    _lock: OwnedFd,
}

#[derive(Debug)]
struct Reader {
    socket: OwnedFd,
    pid: u32,
    uid: u32,
    gid: u32,
    arrival: u64,
    stage: Stage,
    kind: Kind,
    /// What it is sent beside what everybody gets.
    more: Vec<SegmentFd>,
    /// A packet reader that has not mapped its page yet, with that page.
    coming: Option<Box<(Joined, SegmentFd)>>,
}

/// What a connection is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    /// Looking at flows and counters.
    Look,
    /// Saying something about flows.
    Control,
    /// Giving rules.
    Rules,
    /// Reading packets.
    Packets { place: u8, group: Option<u8> },
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stage {
    /// Its hello has not come.
    Silent,
    /// This many segments have been sent.
    Sending(usize),
    /// It has all of them.
    Attached,
}

enum Outcome {
    Keep,
    Close,
}

impl Server {
    /// Listens at `path`, making its directory; takes the place of a dead engine's socket.
    ///
    /// # Errors
    /// [`Error::NameTaken`] if a live engine is there; else what the system refused.
    pub fn bind(path: &Path, mut offer: Offer) -> Result<Self, Error> {
        let say = |what: &str| format!("{what} {}", path.display());
        make_directory(path)?;
        let lock = lock_for(path)?;
        remove_stale(path)?;
        let address =
            SocketAddrUnix::new(path).map_err(|e| Error::os(say("using the socket path"), e))?;
        let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
        let listener =
            rustix::net::socket_with(AddressFamily::UNIX, SocketType::SEQPACKET, flags, None)
                .map_err(|e| Error::os("making a socket", e))?;
        rustix::net::bind(&listener, &address).map_err(|e| Error::os(say("making"), e))?;
        let file = fs::symlink_metadata(path).map_err(|e| Error::os(say("looking at"), e))?;
        let epoll = epoll::create(epoll::CreateFlags::CLOEXEC)
            .map_err(|e| Error::os("making an epoll descriptor", e))?;
        let (frames, segments): (Vec<_>, Vec<_>) = std::mem::take(&mut offer.segments)
            .into_iter()
            .partition(|segment| segment.kind() == SegmentKind::Frames);
        let is_shard = |segment: &&SegmentFd| segment.kind() == SegmentKind::Shard;
        // From here on a failure drops the server, which removes the socket file.
        let server = Self {
            epoll,
            listener,
            readers: (0..READERS_MAX).map(|_| None).collect(),
            shards: segments.iter().filter(is_shard).count(),
            segments,
            frames,
            offer,
            groups: Groups::default(),
            places: 0,
            leaving: [0; READERS],
            generation: 0,
            events: Vec::new(),
            path: path.to_owned(),
            identity: (file.dev(), file.ino()),
            arrivals: 0,
            _lock: lock,
        };
        let open = if server.offer.access == Access::Owner { 0o600 } else { 0o666 };
        let mode = server.offer.mode.unwrap_or(open);
        if let Some(group) = server.offer.group {
            std::os::unix::fs::chown(path, None, Some(group))
                .map_err(|e| Error::os(say("giving to its group"), e))?;
        }
        fs::set_permissions(path, Permissions::from_mode(mode))
            .map_err(|e| Error::os(say("opening to readers"), e))?;
        rustix::net::listen(&server.listener, 64).map_err(|e| Error::os(say("listening at"), e))?;
        epoll::add(
            &server.epoll,
            &server.listener,
            epoll::EventData::new_u64(LISTENER),
            epoll::EventFlags::IN,
        )
        .map_err(|e| Error::os(say("waiting for readers at"), e))?;
        Ok(server)
    }

    /// Answers what is pending and returns at once; to be called when [`AsFd::as_fd`] is readable,
    /// or at least once a second. Gives what happened among the packet readers, in order.
    pub fn serve(&mut self) -> Vec<Event> {
        self.serve_pending();
        std::mem::take(&mut self.events)
    }

    fn serve_pending(&mut self) {
        for _ in 0..ROUNDS_MAX {
            let mut space = [MaybeUninit::uninit(); EVENTS_MAX];
            let at_once = Timespec { tv_sec: 0, tv_nsec: 0 };
            let Ok((events, _)) = epoll::wait(&self.epoll, &mut space, Some(&at_once)) else {
                return;
            };
            if events.is_empty() {
                return;
            }
            let mut knocked = false;
            for event in &*events {
                match event.data.u64() {
                    LISTENER => knocked = true,
                    index => self.attend(usize::try_from(index).unwrap_or(usize::MAX)),
                }
            }
            // Last, so that no event above can be meant for a reader whose place was given away.
            if knocked {
                self.accept();
            }
        }
    }

    /// Where it listens.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Readers that have received the segments and not left.
    pub fn readers(&self) -> usize {
        let attached = |reader: &&Reader| reader.stage == Stage::Attached;
        self.readers.iter().flatten().filter(attached).count()
    }

    fn accept(&mut self) {
        for _ in 0..EVENTS_MAX {
            let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
            let Ok(socket) = rustix::net::accept_with(&self.listener, flags) else { return };
            let Ok(peer) = sockopt::socket_peercred(&socket) else { continue };
            let (uid, gid) = (peer.uid.as_raw(), peer.gid.as_raw());
            if !self.allowed(&self.offer.access, uid, gid, &socket) {
                refuse(&socket, Status::NotAllowed);
                continue;
            }
            let Some(index) = self.place_for(uid) else {
                refuse(&socket, Status::Busy);
                continue;
            };
            let data = epoll::EventData::new_u64(index as u64);
            if epoll::add(&self.epoll, &socket, data, epoll::EventFlags::IN).is_ok() {
                self.arrivals += 1;
                let arrival = self.arrivals;
                self.readers[index] = Some(Reader {
                    socket,
                    pid: u32::try_from(peer.pid.as_raw_nonzero().get()).unwrap_or(0),
                    uid,
                    gid,
                    arrival,
                    stage: Stage::Silent,
                    kind: Kind::Look,
                    more: Vec::new(),
                    coming: None,
                });
                // Its hello is usually there already.
                self.attend(index);
            }
        }
    }

    fn allowed(&self, access: &Access, uid: u32, gid: u32, socket: &OwnedFd) -> bool {
        let own = exempt(uid);
        match access {
            Access::Any => true,
            Access::Owner => own,
            Access::Uids(uids) => own || uids.contains(&uid),
            Access::Group(group) => {
                let more = |ask: fn(BorrowedFd<'_>) -> Vec<u32>| ask(socket.as_fd());
                let is_member = |groups: Vec<u32>| groups.contains(group);
                own || gid == *group || self.offer.peer_groups.map(more).is_some_and(is_member)
            }
        }
    }

    /// The groups of packet readers.
    pub fn groups(&self) -> &Groups {
        &self.groups
    }

    /// A free place; if there is none, that of whoever has been silent longest.
    fn place_for(&mut self, uid: u32) -> Option<usize> {
        let of_user = self.readers.iter().flatten().filter(|reader| reader.uid == uid).count();
        let over = of_user >= READERS_OF_A_USER_MAX && !exempt(uid);
        if !over && let Some(free) = self.readers.iter().position(Option::is_none) {
            return Some(free);
        }
        let silent =
            |reader: &Reader| reader.stage != Stage::Attached && (!over || reader.uid == uid);
        let places = self.readers.iter().enumerate();
        let (place, _) = places
            .filter_map(|(index, reader)| Some((index, reader.as_ref().filter(|r| silent(r))?)))
            .min_by_key(|(_, reader)| reader.arrival)?;
        if let Some(reader) = self.readers[place].take() {
            self.forget(&reader);
        }
        Some(place)
    }

    fn attend(&mut self, index: usize) {
        let Some(mut reader) = self.readers.get_mut(index).and_then(Option::take) else { return };
        let outcome = match reader.stage {
            Stage::Silent => self.greet(&mut reader, index),
            _ => match self.hear(&mut reader) {
                Outcome::Keep => reader.send(&self.segments, &self.epoll, index),
                Outcome::Close => Outcome::Close,
            },
        };
        match outcome {
            Outcome::Keep => self.readers[index] = Some(reader),
            // Closing the descriptor also takes it out of the epoll set.
            Outcome::Close => self.forget(&reader),
        }
    }

    /// Reads a hello and begins to answer.
    fn greet(&mut self, reader: &mut Reader, index: usize) -> Outcome {
        let mut hello = [0; protocol::HELLO_BYTES_MAX];
        let bytes = match rustix::net::recv(&reader.socket, &mut hello, RecvFlags::DONTWAIT) {
            Err(Errno::AGAIN | Errno::INTR) => return Outcome::Keep,
            Err(_) | Ok((_, 0)) => return Outcome::Close,
            Ok((bytes, _)) => bytes,
        };
        let Some((version, request)) = protocol::decode_hello(&hello[..bytes]) else {
            return Outcome::Close;
        };
        let admitted = if version == FORMAT_VERSION {
            self.admit(reader, request)
        } else {
            Err(Status::OtherVersion)
        };
        if let Err(status) = admitted {
            refuse(&reader.socket, status);
            return Outcome::Close;
        }
        reader.stage = Stage::Sending(0);
        reader.send(&self.segments, &self.epoll, index)
    }
}

impl AsFd for Server {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.epoll.as_fd()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let ours = fs::symlink_metadata(&self.path)
            .is_ok_and(|found| (found.dev(), found.ino()) == self.identity);
        if ours {
            // If that fails, the next engine finds a stale socket and takes its place.
            fs::remove_file(&self.path).ok();
        }
    }
}

impl Reader {
    /// Sends what is left to send, as far as the socket takes it.
    fn send(&mut self, segments: &[SegmentFd], epoll: &OwnedFd, index: usize) -> Outcome {
        while let Stage::Sending(sent) = self.stage {
            let total = segments.len() + self.more.len();
            let all = segments.iter().chain(&self.more);
            let batch: Vec<&SegmentFd> = all.skip(sent).take(BATCH).collect();
            match send_segments(&self.socket, &batch, sent, total) {
                Ok(()) if sent + batch.len() == total => {
                    self.stage = Stage::Attached;
                    // It has its page and the frames; nobody else needs these descriptors.
                    self.more.clear();
                }
                Ok(()) => self.stage = Stage::Sending(sent + batch.len()),
                Err(Errno::INTR) => {}
                Err(Errno::AGAIN) => {
                    let flags = epoll::EventFlags::IN | epoll::EventFlags::OUT;
                    return self.wait_for(flags, epoll, index);
                }
                Err(_) => return Outcome::Close,
            }
        }
        self.wait_for(epoll::EventFlags::IN, epoll, index)
    }

    fn wait_for(&self, flags: epoll::EventFlags, epoll: &OwnedFd, index: usize) -> Outcome {
        let data = epoll::EventData::new_u64(index as u64);
        match epoll::modify(epoll, &self.socket, data, flags) {
            Ok(()) => Outcome::Keep,
            Err(_) => Outcome::Close,
        }
    }
}

fn refuse(socket: &OwnedFd, status: Status) {
    let (version, entries) = (FORMAT_VERSION, Vec::new());
    let answer = Answer { version, status: status as u32, total: 0, first: 0, entries };
    let flags = SendFlags::NOSIGNAL | SendFlags::DONTWAIT;
    // A reader that is gone or takes nothing has no use for the reason. What it sent is read, and no
    // more is let in, as unread bytes at the close would make the kernel throw the answer away.
    rustix::net::send(socket, &protocol::encode_answer(&answer), flags).ok();
    rustix::net::shutdown(socket, rustix::net::Shutdown::Read).ok();
    rustix::net::recv(socket, &mut [0_u8; 256], RecvFlags::DONTWAIT).ok();
}

fn send_segments(
    socket: &OwnedFd,
    batch: &[&SegmentFd],
    first: usize,
    total: usize,
) -> rustix::io::Result<()> {
    let entries = batch
        .iter()
        .map(|segment| Entry {
            kind: segment.kind() as u32,
            shard: u32::from(segment.shard()),
            bytes: segment.bytes() as u64,
        })
        .collect();
    let bytes = protocol::encode_answer(&Answer {
        version: FORMAT_VERSION,
        status: Status::Accepted as u32,
        total: u32::try_from(total).unwrap_or(u32::MAX),
        first: u32::try_from(first).unwrap_or(u32::MAX),
        entries,
    });
    let descriptors: Vec<BorrowedFd<'_>> = batch.iter().map(|segment| segment.as_fd()).collect();
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(BATCH))];
    let mut control = SendAncillaryBuffer::new(&mut space);
    let fits = control.push(SendAncillaryMessage::ScmRights(&descriptors));
    debug_assert!(fits, "a batch fits into its control buffer");
    let flags = SendFlags::NOSIGNAL | SendFlags::DONTWAIT;
    rustix::net::sendmsg(socket, &[IoSlice::new(&bytes)], &mut control, flags).map(drop)
}

/// Root and the engine's own user may always read.
fn exempt(uid: u32) -> bool {
    uid == 0 || uid == geteuid().as_raw()
}
