//! What can go wrong when segments are made, offered or read, and what to do about it.

use std::{io, path::PathBuf};

/// A failure at set-up or while attaching. Nothing in the reading or writing of values fails.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A system call failed.
    #[error("{attempt}: {source}")]
    Os {
        /// What was being tried, with its object.
        attempt: String,
        /// The system's answer.
        source: io::Error,
    },
    /// A size or text in a specification is outside of what the format can hold.
    #[error("{0}")]
    Spec(String),
    /// An engine's name cannot be used as a file name.
    #[error(
        "engine name {0:?} is not usable: take 1 to 64 of the characters a-z A-Z 0-9 . _ - and do \
         not begin with a dot"
    )]
    Name(String),
    /// A live engine holds the socket.
    #[error(
        "an engine already runs at {}: stop it, or give this one another name (--name)",
        path.display()
    )]
    NameTaken {
        /// The socket that is held.
        path: PathBuf,
    },
    /// There is something other than a socket at the socket's path.
    #[error("{} exists and is not a socket: move it away or choose another name", path.display())]
    NotASocket {
        /// The path that was to become a socket.
        path: PathBuf,
    },
    /// No engine has this name.
    #[error("no engine named {name:?} is running (looked at {looked_at})")]
    NotFound {
        /// The name or path that was asked for.
        name: String,
        /// The socket paths that were tried, separated by commas.
        looked_at: String,
    },
    /// A socket file is there but no engine listens.
    #[error("the engine at {} has ended: start it again with `weir run`", path.display())]
    Ended {
        /// The socket nobody answers at.
        path: PathBuf,
    },
    /// Somebody listens and says nothing.
    #[error(
        "the engine at {} does not answer: it is stopped (kill -CONT) or hangs; see its log",
        path.display()
    )]
    NoAnswer {
        /// The engine's socket.
        path: PathBuf,
    },
    /// The engine refused this reader.
    #[error("the engine at {} refused this reader: {reason}", path.display())]
    Refused {
        /// The engine's socket.
        path: PathBuf,
        /// Why, in words.
        reason: &'static str,
    },
    /// Engine and reader speak different formats.
    #[error(
        "the engine speaks shared-memory format {engine} and this program format {reader}: {}",
        if engine > reader {
            "update this program to the engine's version"
        } else {
            "restart the engine with this program's version, or use the program that came with it"
        }
    )]
    Version {
        /// The engine's format version.
        engine: u32,
        /// This library's format version.
        reader: u32,
    },
    /// What was received is no Weir segment, or a damaged one.
    #[error("{segment}: not a usable Weir segment: {reason}")]
    Segment {
        /// Which segment.
        segment: String,
        /// The check that failed.
        reason: &'static str,
    },
    /// The other end of the socket does not speak the protocol.
    #[error("{}: what answers there is not a Weir engine ({reason})", path.display())]
    Protocol {
        /// The socket.
        path: PathBuf,
        /// The check that failed.
        reason: &'static str,
    },
}

impl Error {
    pub(crate) fn os(attempt: impl Into<String>, source: impl Into<io::Error>) -> Self {
        Self::Os { attempt: attempt.into(), source: source.into() }
    }

    pub(crate) fn segment(segment: &str, reason: &'static str) -> Self {
        Self::Segment { segment: segment.to_owned(), reason }
    }
}
