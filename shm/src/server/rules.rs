//! Those who give the engine rules: its own user and root.

use std::io::IoSliceMut;
use std::mem::MaybeUninit;
use std::os::fd::OwnedFd;

use rustix::io::Errno;
use rustix::net::{RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, SendFlags};

use super::event::Event;
use super::{EVENTS_MAX, Outcome, Reader, Server};
use crate::rules::{self, MESSAGE_BYTES, Message, RulesAnswer};

/// Who asked for rules, to be answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RulesClient(u64);

/// What is asked.
#[derive(Debug)]
pub enum RulesAsked {
    /// Rules in a [`Bundle`](crate::rules::Bundle), to be put in force.
    Load(OwnedFd),
    /// None in force.
    Unload,
}

impl Server {
    /// Answers whoever asked for rules, if that is still there.
    pub fn answer_rules(&mut self, client: RulesClient, answer: &RulesAnswer) {
        let asked = self.readers.iter().flatten().find(|reader| reader.arrival == client.0);
        if let Some(reader) = asked {
            let flags = SendFlags::NOSIGNAL | SendFlags::DONTWAIT;
            // One that takes no answer has no use for it.
            rustix::net::send(&reader.socket, &rules::encode_answer(answer), flags).ok();
        }
    }

    /// Hears what one that gives rules says.
    pub(super) fn listen_for_rules(&mut self, reader: &Reader) -> Outcome {
        for _ in 0..EVENTS_MAX {
            let (message, mut descriptors) = match receive(reader) {
                Err(Errno::AGAIN | Errno::INTR) => return Outcome::Keep,
                Err(_) | Ok(None) => return Outcome::Close,
                Ok(Some(received)) => received,
            };
            let asked = match (message, descriptors.pop()) {
                (Some(Message::Load), Some(bundle)) => RulesAsked::Load(bundle),
                (Some(Message::Unload), None) => RulesAsked::Unload,
                (Some(Message::Look), None) => continue,
                _ => return Outcome::Close,
            };
            self.events.push(Event::Rules(RulesClient(reader.arrival), asked));
        }
        Outcome::Keep
    }
}

type Received = (Option<Message>, Vec<OwnedFd>);

/// A message and what came with it; nothing where the other end is closed.
fn receive(reader: &Reader) -> rustix::io::Result<Option<Received>> {
    let mut bytes = [0; MESSAGE_BYTES + 1];
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
    let mut control = RecvAncillaryBuffer::new(&mut space);
    let flags = RecvFlags::DONTWAIT | RecvFlags::CMSG_CLOEXEC;
    let mut parts = [IoSliceMut::new(&mut bytes)];
    let count = rustix::net::recvmsg(&reader.socket, &mut parts, &mut control, flags)?.bytes;
    let rights = control.drain().filter_map(|message| match message {
        RecvAncillaryMessage::ScmRights(descriptors) => Some(descriptors),
        _ => None,
    });
    let descriptors = rights.flatten().collect();
    let message = bytes.get(..count).and_then(rules::decode_message);
    Ok((count > 0).then_some((message, descriptors)))
}
