//! A program that gives an engine rules: `weir rules`.

use std::io::IoSlice;
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, OwnedFd};
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;
use rustix::net::{RecvFlags, SendAncillaryBuffer, SendAncillaryMessage, SendFlags, recv, sendmsg};

use super::{ANSWER_BYTES_MAX, Message, RulesAnswer, decode_answer, encode_message};
use crate::error::Error;
use crate::protocol::Request;
use crate::reader::Attached;

/// How often the engine is asked whether it is done.
const LOOK: Duration = Duration::from_millis(20);
/// How long is waited for it.
const PATIENCE: Duration = Duration::from_mins(2);

/// A connection to an engine for those who may give it rules: its own user and root.
#[derive(Debug)]
pub struct RulesControl {
    attached: Attached,
}

impl RulesControl {
    /// Attaches to the engine of this name, or at this socket path (anything with a slash).
    ///
    /// # Errors
    /// If there is no such engine, it refuses, or it speaks another format.
    pub fn open(name_or_path: &str) -> Result<Self, Error> {
        let (attached, _) = Attached::open_with(name_or_path, &Request::Rules)?;
        Ok(Self { attached })
    }

    /// The engine.
    pub fn attached(&self) -> &Attached {
        &self.attached
    }

    /// Puts the rules of a bundle in force; waits until every shard has them.
    ///
    /// # Errors
    /// The engine cannot be told, or does not answer.
    pub fn load(&self, bundle: &OwnedFd) -> Result<RulesAnswer, Error> {
        self.ask(Message::Load, Some(bundle))
    }

    /// Puts no rules in force.
    ///
    /// # Errors
    /// The engine cannot be told, or does not answer.
    pub fn unload(&self) -> Result<RulesAnswer, Error> {
        self.ask(Message::Unload, None)
    }

    fn ask(&self, message: Message, bundle: Option<&OwnedFd>) -> Result<RulesAnswer, Error> {
        let path = || self.attached.info().path.clone();
        self.say(message, bundle)?;
        let mut answer = vec![0; ANSWER_BYTES_MAX];
        for _ in 0..PATIENCE.as_millis() / LOOK.as_millis() {
            let mut fds = [PollFd::new(self.attached.connection(), PollFlags::IN)];
            let time = Timespec { tv_sec: 0, tv_nsec: LOOK.subsec_nanos().into() };
            // A signal ends the wait early, which does no harm.
            poll(&mut fds, Some(&time)).ok();
            let socket = self.attached.connection().as_fd();
            match recv(socket, answer.as_mut_slice(), RecvFlags::DONTWAIT) {
                Ok((_, 0)) => return Err(Error::Ended { path: path() }),
                Ok((_, bytes)) => {
                    let read = answer.get(..bytes).and_then(decode_answer);
                    let reason = "its answer is not Weir's";
                    return read.ok_or_else(|| Error::Protocol { path: path(), reason });
                }
                Err(Errno::AGAIN) => self.say(Message::Look, None)?,
                Err(Errno::INTR) => {}
                Err(error) => return Err(Error::os("waiting for the engine", error)),
            }
        }
        Err(Error::NoAnswer { path: path() })
    }

    fn say(&self, message: Message, bundle: Option<&OwnedFd>) -> Result<(), Error> {
        let descriptors = bundle.map(AsFd::as_fd);
        let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
        let mut control = SendAncillaryBuffer::new(&mut space);
        if !descriptors.as_slice().is_empty() {
            let fits = control.push(SendAncillaryMessage::ScmRights(descriptors.as_slice()));
            debug_assert!(fits, "a descriptor fits into its control buffer");
        }
        let bytes = encode_message(message);
        let flags = SendFlags::NOSIGNAL;
        let socket = self.attached.connection().as_fd();
        let sent = sendmsg(socket, &[IoSlice::new(&bytes)], &mut control, flags);
        sent.map(drop).map_err(|error| Error::os("giving the engine rules", error))
    }
}
