//! Hands an engine's segments to readers over a Unix socket.
//!
//! Everything here is bounded and nothing blocks: a reader that connects and stays silent, reads
//! nothing, or comes a thousand times costs a slot of a fixed number and no more. Connections stay
//! open so that a reader learns of the engine's end.
//!
//! A lock file beside the socket belongs to the live engine. It decides whether a socket file found
//! at start is another engine's or a dead one's leavings, also when two engines start at once.

use crate::{
    error::Error,
    layout::FORMAT_VERSION,
    protocol::{self, Answer, BATCH, Entry, Status},
    writer::SegmentFd,
};
use rustix::{
    event::epoll,
    fs::{FlockOperation, Mode, OFlags, flock},
    io::Errno,
    net::{
        AddressFamily, RecvFlags, SendAncillaryBuffer, SendAncillaryMessage, SendFlags,
        SocketAddrUnix, SocketFlags, SocketType, sockopt,
    },
    process::geteuid,
    time::Timespec,
};
use std::{
    fs::{self, DirBuilder, Permissions},
    io::{self, IoSlice},
    mem::MaybeUninit,
    os::{
        fd::{AsFd, BorrowedFd, OwnedFd},
        unix::fs::{DirBuilderExt, FileTypeExt, MetadataExt, PermissionsExt},
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

/// Who may read.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum Access {
    /// Every local user who can reach the socket's directory.
    #[default]
    Any,
    /// The engine's own user and root.
    Owner,
    /// These users, the engine's own and root.
    Uids(Vec<u32>),
}

/// The engine's end of the socket. Never blocks. Dropping it removes the socket file.
#[derive(Debug)]
pub struct Server {
    epoll: OwnedFd,
    listener: OwnedFd,
    readers: Box<[Option<Reader>]>,
    segments: Vec<SegmentFd>,
    access: Access,
    path: PathBuf,
    /// Device and inode of our socket file, so that nobody else's is ever removed.
    identity: (u64, u64),
    arrivals: u64,
    _lock: OwnedFd,
}

#[derive(Debug)]
struct Reader {
    socket: OwnedFd,
    uid: u32,
    arrival: u64,
    stage: Stage,
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
    pub fn bind(path: &Path, segments: Vec<SegmentFd>, access: Access) -> Result<Self, Error> {
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
        // From here on a failure drops the server, which removes the socket file.
        let server = Self {
            epoll,
            listener,
            readers: (0..READERS_MAX).map(|_| None).collect(),
            segments,
            access,
            path: path.to_owned(),
            identity: (file.dev(), file.ino()),
            arrivals: 0,
            _lock: lock,
        };
        let mode = if server.access == Access::Owner { 0o600 } else { 0o666 };
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
    /// or at least once a second.
    pub fn serve(&mut self) {
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
            let uid = peer.uid.as_raw();
            if !self.allowed(uid) {
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
                self.readers[index] = Some(Reader { socket, uid, arrival, stage: Stage::Silent });
                // Its hello is usually there already.
                self.attend(index);
            }
        }
    }

    fn allowed(&self, uid: u32) -> bool {
        let own = exempt(uid);
        match &self.access {
            Access::Any => true,
            Access::Owner => own,
            Access::Uids(uids) => own || uids.contains(&uid),
        }
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
        self.readers[place] = None;
        Some(place)
    }

    fn attend(&mut self, index: usize) {
        let Some(place) = self.readers.get_mut(index) else { return };
        let Some(reader) = place else { return };
        if let Outcome::Close = reader.go_on(&self.segments, &self.epoll, index) {
            // Closing the descriptor also takes it out of the epoll set.
            *place = None;
        }
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
    fn go_on(&mut self, segments: &[SegmentFd], epoll: &OwnedFd, index: usize) -> Outcome {
        if self.stage != Stage::Silent && self.has_left() {
            return Outcome::Close;
        }
        if self.stage == Stage::Silent {
            let mut hello = [0; 256];
            match rustix::net::recv(&self.socket, &mut hello, RecvFlags::DONTWAIT) {
                Err(Errno::AGAIN | Errno::INTR) => return Outcome::Keep,
                Err(_) | Ok((_, 0)) => return Outcome::Close,
                Ok((bytes, _)) => match protocol::decode_hello(&hello[..bytes]) {
                    None => return Outcome::Close,
                    Some((version, request)) => {
                        let refusal = if version != FORMAT_VERSION {
                            Some(Status::OtherVersion)
                        } else if request != protocol::REQUEST_SEGMENTS {
                            Some(Status::UnknownRequest)
                        } else {
                            None
                        };
                        if let Some(status) = refusal {
                            refuse(&self.socket, status);
                            return Outcome::Close;
                        }
                        self.stage = Stage::Sending(0);
                    }
                },
            }
        }
        self.send(segments, epoll, index)
    }

    /// Sends what is left to send, as far as the socket takes it.
    fn send(&mut self, segments: &[SegmentFd], epoll: &OwnedFd, index: usize) -> Outcome {
        while let Stage::Sending(sent) = self.stage {
            let batch = &segments[sent..segments.len().min(sent + BATCH)];
            match send_segments(&self.socket, batch, sent, segments.len()) {
                Ok(()) if sent + batch.len() == segments.len() => self.stage = Stage::Attached,
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

    /// Whether the reader closed its end, or speaks out of turn, which ends the connection too.
    fn has_left(&self) -> bool {
        let mut byte = [0_u8];
        let answer = rustix::net::recv(&self.socket, &mut byte, RecvFlags::DONTWAIT);
        !matches!(answer, Err(Errno::AGAIN | Errno::INTR))
    }
}

/// Root and the engine's own user may always read.
fn exempt(uid: u32) -> bool {
    uid == 0 || uid == geteuid().as_raw()
}

fn refuse(socket: &OwnedFd, status: Status) {
    let (version, entries) = (FORMAT_VERSION, Vec::new());
    let answer = Answer { version, status: status as u32, total: 0, first: 0, entries };
    let flags = SendFlags::NOSIGNAL | SendFlags::DONTWAIT;
    // A reader that is gone or takes nothing has no use for the reason. What it sent is read, as
    // unread bytes at the close would make the kernel throw the answer away.
    rustix::net::send(socket, &protocol::encode_answer(&answer), flags).ok();
    rustix::net::recv(socket, &mut [0_u8; 256], RecvFlags::DONTWAIT).ok();
}

fn send_segments(
    socket: &OwnedFd,
    batch: &[SegmentFd],
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
    let descriptors: Vec<BorrowedFd<'_>> = batch.iter().map(AsFd::as_fd).collect();
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(BATCH))];
    let mut control = SendAncillaryBuffer::new(&mut space);
    let fits = control.push(SendAncillaryMessage::ScmRights(&descriptors));
    debug_assert!(fits, "a batch fits into its control buffer");
    let flags = SendFlags::NOSIGNAL | SendFlags::DONTWAIT;
    rustix::net::sendmsg(socket, &[IoSlice::new(&bytes)], &mut control, flags).map(drop)
}

/// Makes the socket's directory if it is missing, and refuses one that somebody else could have
/// put there.
fn make_directory(path: &Path) -> Result<(), Error> {
    let directory = match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    };
    let say = |what: &str| format!("{what} the socket's directory {}", directory.display());
    let mode = if geteuid().is_root() { 0o755 } else { 0o700 };
    DirBuilder::new()
        .recursive(true)
        .mode(mode)
        .create(directory)
        .map_err(|e| Error::os(say("making"), e))?;
    let owner = fs::metadata(directory).map_err(|e| Error::os(say("looking at"), e))?.uid();
    if exempt(owner) {
        return Ok(());
    }
    let reason = io::Error::other("it belongs to another user: choose another --socket path");
    Err(Error::os(say("using"), reason))
}

/// Takes the lock that a live engine at `path` would hold. It stays held until it is closed.
fn lock_for(path: &Path) -> Result<OwnedFd, Error> {
    let mut name = path.as_os_str().to_owned();
    name.push(".lock");
    let say = |what: &str| format!("{what} {}", Path::new(&name).display());
    let flags = OFlags::CREATE | OFlags::RDWR | OFlags::CLOEXEC | OFlags::NOFOLLOW;
    let lock = rustix::fs::open(&name, flags, Mode::from_raw_mode(0o600))
        .map_err(|e| Error::os(say("opening"), e))?;
    match flock(&lock, FlockOperation::NonBlockingLockExclusive) {
        Ok(()) => Ok(lock),
        Err(Errno::AGAIN) => Err(Error::NameTaken { path: path.to_owned() }),
        Err(error) => Err(Error::os(say("locking"), error)),
    }
}

/// Removes a socket file nobody listens at.
fn remove_stale(path: &Path) -> Result<(), Error> {
    let Ok(found) = fs::symlink_metadata(path) else { return Ok(()) };
    if !found.file_type().is_socket() {
        return Err(Error::NotASocket { path: path.to_owned() });
    }
    match protocol::connect(path) {
        Err(Errno::CONNREFUSED | Errno::NOENT) => {
            let attempt = || format!("removing the socket of a dead engine, {}", path.display());
            fs::remove_file(path).map_err(|e| Error::os(attempt(), e))
        }
        // Somebody listens without the lock, perhaps something that is no engine at all.
        _ => Err(Error::NameTaken { path: path.to_owned() }),
    }
}
