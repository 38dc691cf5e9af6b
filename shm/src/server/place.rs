//! Where the socket is: its directory, its lock, what a dead engine left.

use std::fs::{self, DirBuilder};
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::fs::{DirBuilderExt, FileTypeExt, MetadataExt};
use std::path::Path;

use rustix::fs::{FlockOperation, Mode, OFlags, flock};
use rustix::io::Errno;
use rustix::process::geteuid;

use super::exempt;
use crate::error::Error;
use crate::protocol;

/// Makes the socket's directory if it is missing, and refuses one that somebody else could have
/// put there.
pub(super) fn make_directory(path: &Path) -> Result<(), Error> {
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
pub(super) fn lock_for(path: &Path) -> Result<OwnedFd, Error> {
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
pub(super) fn remove_stale(path: &Path) -> Result<(), Error> {
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
